/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/log_read.c - reading the log with a reader's key: every stream that is wrapped for it, oldest
 * first.
 *
 * Here the events of segments come together in their order. What can't be read is said and passed
 * over: a damaged record, a missing run of numbers, a stream head that is not signed as it should
 * be, a stream or segment that is gone. Needs no writer. Format: fs/FORMAT.md, "Log".
 *
 * Owns the decoded record; texts are wiped with their segment (log_read_segment.c).
 */
#include "log_read_impl.h"
#include "log_archive.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define NOTES_MAX (POLICY_RECORD_MAX / 8)
/* Records that are opened before they are told, without threads and without an index. */
#define AT_ONCE 256

struct reading {
	const struct fs_log_reading *q;
	struct fs_log_shared shared;
	uint64_t expect; /* number of the next record; 0: any */
	bool have_prev;
	uint8_t prev[KEYS_SIG_LEN];
	enum fs_log_head_state stream; /* the one at hand */
	bool shut_said;
	struct policy_record *record;
	struct policy_record_note *notes;
};

static void __attribute__((format(printf, 3, 4)))
say_bad(struct reading *r, uint64_t seq, const char *fmt, ...)
{
	char text[256];
	va_list ap;

	if (!r->q->bad)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	r->q->bad(r->q->ctx, seq, text);
}

/* Numbers run on without a gap over streams and segments. */
static void check_number(struct reading *r, const struct fs_log_job *j,
			 const struct fs_log_event *e)
{
	if (e->torn)
		say_bad(r, r->expect ? r->expect : e->seq,
			"segment %" PRIu64 ", before byte %" PRIu32 ": unfinished or damaged bytes",
			j->number, e->off);
	if (r->expect && e->seq > r->expect)
		say_bad(r, r->expect, "records %" PRIu64 " to %" PRIu64 " are missing", r->expect,
			e->seq - 1);
	else if (r->expect && e->seq < r->expect)
		say_bad(r, e->seq, "the record number %" PRIu64 " comes a second time", e->seq);
	/* A header that lies about its first number may have led us past what was asked for. */
	else if (!r->expect && e->seq > r->q->from)
		say_bad(r, r->q->from, "records %" PRIu64 " to %" PRIu64 " are missing", r->q->from,
			e->seq - 1);
}

static void tell_head(struct reading *r, const struct fs_log_job *j, const struct fs_log_event *e)
{
	const struct fs_log_event_head *h;

	check_number(r, j, e);
	r->expect = e->seq;
	r->stream = (enum fs_log_head_state)e->state;
	r->shut_said = false;
	if (e->state == FS_LOG_HEAD_DAMAGED) {
		say_bad(r, e->seq, "a stream head is damaged or not of this vault");
		return;
	}
	h = &j->heads[e->len];
	if (r->have_prev && memcmp(r->prev, h->prev, sizeof(h->prev)) != 0)
		say_bad(r, e->seq, "a stream before this one is missing");
	memcpy(r->prev, h->sig, sizeof(r->prev));
	r->have_prev = true;
	if (e->state == FS_LOG_HEAD_STRANGER)
		say_bad(r, e->seq, "a stream head is signed with a key that is not the daemon's");
	else if (e->state == FS_LOG_HEAD_UNSEALED)
		say_bad(r, e->seq, "the stream's key is not sealed to this reader as it says");
}

/* Once for a stream that is not for this reader, and has a record that was asked for. */
static void tell_shut(struct reading *r, uint64_t seq)
{
	if (r->stream != FS_LOG_HEAD_SHUT || r->shut_said)
		return;
	r->shut_said = true;
	if (r->q->shut)
		r->q->shut(r->q->ctx, seq);
}

/* 1: the reader has had enough. */
static int tell_record(struct reading *r, const struct fs_log_job *j, const struct fs_log_event *e)
{
	int rc = -EBADMSG;

	check_number(r, j, e);
	r->expect = e->seq + 1;
	if (e->seq >= r->q->from)
		tell_shut(r, e->seq);
	/* Without a head, a record goes on with a stream that ended with the segment before. */
	if (e->state == FS_LOG_RECORD_PASSED ||
	    (e->state == FS_LOG_RECORD_ORPHAN && r->stream != FS_LOG_HEAD_OPEN))
		return 0;
	if (e->state == FS_LOG_RECORD_PLAIN)
		rc = policy_record_decode(j->bytes + e->off, e->len, r->record, r->notes,
					  NOTES_MAX);
	if (!rc && r->record->seq != e->seq)
		rc = -EBADMSG;
	if (rc) {
		say_bad(r, e->seq, "the record is unfinished, damaged or forged");
		return 0;
	}
	if (!fs_log_wanted(r->q, r->record->kind, r->record->journal, r->record->practitioner,
			   r->record->time_ns, r->record->time_ns))
		return 0;
	return r->q->fn(r->q->ctx, r->record) ? 1 : 0;
}

static int tell_event(struct reading *r, const struct fs_log_job *j, const struct fs_log_event *e)
{
	uint64_t from = r->q->from;

	switch (e->kind) {
	case FS_LOG_EVENT_HEAD:
		tell_head(r, j, e);
		return 0;
	case FS_LOG_EVENT_RECORD:
		return tell_record(r, j, e);
	case FS_LOG_EVENT_OTHER:
		check_number(r, j, e);
		r->expect = e->seq;
		return 0;
	case FS_LOG_EVENT_COVERED:
		check_number(r, j, e);
		r->expect = e->end;
		if (e->end > from)
			tell_shut(r, e->seq > from ? e->seq : from);
		return 0;
	default:
		if (!j->newest)
			say_bad(r, r->expect,
				"segment %" PRIu64 ": unfinished or damaged bytes at its end",
				j->number);
		return 0;
	}
}

static int tell_events(struct reading *r, const struct fs_log_job *j)
{
	int rc = 0;

	for (size_t i = 0; i < j->event_count && !rc; i++)
		rc = tell_event(r, j, &j->events[i]);
	return rc;
}

/* All of a segment, from a pool (job is done) or step by step. 1: enough; negative: the end. */
static int tell_segment(struct reading *r, struct fs_log_job *j)
{
	int rc = j->done || j->rc ? 0 : fs_log_job_run(j, AT_ONCE);

	if (!rc && j->rc == -ENOMEM)
		rc = -ENOMEM;
	if (!rc && j->header_rc == -EBADMSG)
		say_bad(r, r->expect, "segment %" PRIu64 ": its header is damaged", j->number);
	while (!rc) {
		rc = tell_events(r, j);
		if (rc || j->done)
			break;
		rc = fs_log_job_run(j, AT_ONCE);
	}
	if (rc)
		return rc;
	if ((j->rc == -EBADMSG || j->rc == -EIO) && !j->newest)
		say_bad(r, r->expect, "segment %" PRIu64 " can't be read", j->number);
	return j->rc == -ENOENT || j->rc == -EBADMSG || j->rc == -EIO ? 0 : j->rc;
}

/* Whether segment `number` is whole and begins at or before record `from`. */
static bool begins_before(struct reading *r, uint64_t number, uint64_t from)
{
	int fd = fs_log_job_open(&r->shared, number);
	struct fs_log_header header;
	bool before;

	if (fd < 0)
		return false;
	before = !fs_log_job_header(&r->shared, fd, number, &header) && header.first_seq <= from;
	close(fd);
	return before;
}

/* What signed statements took out of the log, by a daemon of this vault; its end, or zeros. */
static int load_archive(struct reading *r, struct fs_log_archived *end)
{
	struct fs_log_archive have;
	const struct fs_log_archived *last;
	int rc = fs_log_archive_load(r->shared.dirfd, r->q->vault, &have);

	memset(end, 0, sizeof(*end));
	if (rc == -EBADMSG)
		say_bad(r, 1, "the statements about archived segments were changed");
	if (rc)
		return rc == -EBADMSG ? 0 : rc;
	last = fs_log_archive_end(&have);
	if (last && (!r->q->signer_ok || r->q->signer_ok(r->q->ctx, last->daemon_pk)))
		*end = *last;
	else if (last)
		say_bad(r, 1,
			"statements about archived segments are signed with a key that is not "
			"the daemon's");
	end->sha256 = NULL;
	fs_log_archive_clear(&have);
	return 0;
}

/*
 * The log begins with segment 1, record 1, and a stream that names none before it; or behind what
 * was archived.
 */
static void expect_beginning(struct reading *r, const struct fs_log_archived *end,
			     const uint64_t *list, size_t n)
{
	r->expect = end->last_seq + 1;
	memcpy(r->prev, end->head_sig, sizeof(r->prev));
	r->have_prev = true;
	if (n && list[0] > end->last_segment + 1)
		say_bad(r, r->expect, "segments %" PRIu64 " to %" PRIu64 " are missing",
			end->last_segment + 1, list[0] - 1);
}

/* What was known to be on disk must have been met. */
static void check_end(struct reading *r)
{
	uint64_t next = r->expect ? r->expect : r->q->from;

	if (next <= r->q->least)
		say_bad(r, next, "records %" PRIu64 " to %" PRIu64 ", the newest, are missing",
			next, r->q->least);
}

/* A spare lies behind the newest; both may be written while we read. */
static int read_segments(struct reading *r, const uint64_t *list, size_t n)
{
	struct fs_log_pool *pool = fs_log_pool_new(&r->shared, list, n, r->q->threads);
	struct fs_log_job own = {.fd = -1}, *j = &own;
	int rc = 0;

	for (size_t i = 0; i < n && !rc; i++) {
		if (i && list[i] != list[i - 1] + 1)
			say_bad(r, r->expect, "segments %" PRIu64 " to %" PRIu64 " are missing",
				list[i - 1] + 1, list[i] - 1);
		if (pool)
			j = fs_log_pool_next(pool);
		else
			fs_log_job_init(j, &r->shared, list[i], i + 2 >= n);
		rc = tell_segment(r, j);
		fs_log_job_clear(&own);
	}
	fs_log_pool_free(pool);
	return rc;
}

static int read_all(struct reading *r, const uint64_t *list, size_t n)
{
	struct fs_log_archived end;
	size_t first = 0, found = n;
	int rc = load_archive(r, &end);

	if (rc)
		return rc;
	/* What a statement speaks of may still lie there; it is gone all the same. */
	while (first < n && list[first] <= end.last_segment)
		first++;
	for (size_t i = n; r->q->from > end.last_seq + 1 && i > first && found == n; i--) {
		if (begins_before(r, list[i - 1], r->q->from))
			found = i - 1;
	}
	if (found == n || found == first)
		expect_beginning(r, &end, list + first, n - first);
	else
		first = found;
	rc = read_segments(r, list + first, n - first);
	if (!rc)
		check_end(r);
	return rc == 1 ? 0 : rc;
}

int fs_log_read_as(const struct fs_log_reading *q)
{
	struct reading r = {.q = q, .shared = {.q = q}};
	uint64_t *list = NULL;
	size_t n = 0;
	int rc;

	r.shared.filtered = q->journal_count || q->practitioner || q->since_ns || q->until_ns;
	r.shared.dirfd = open(q->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (r.shared.dirfd < 0)
		return -errno;
	pthread_mutex_init(&r.shared.ask, NULL);
	r.record = malloc(sizeof(*r.record));
	r.notes = calloc(NOTES_MAX, sizeof(*r.notes));
	rc = r.record && r.notes ? fs_log_segment_list(r.shared.dirfd, &list, &n) : -ENOMEM;
	if (!rc)
		rc = read_all(&r, list, n);
	if (r.record)
		keys_wipe(r.record, sizeof(*r.record));
	free(list);
	free(r.record);
	free(r.notes);
	pthread_mutex_destroy(&r.shared.ask);
	close(r.shared.dirfd);
	return rc;
}

int fs_log_read(const char *dir, const uint8_t vault[static KEYS_VAULT_ID_LEN],
		const uint8_t box_pk[static KEYS_LEN], const uint8_t box_sk[static KEYS_LEN],
		uint64_t from, int (*fn)(void *ctx, const struct policy_record *r),
		void (*bad)(void *ctx, uint64_t seq, const char *why), void *ctx)
{
	const struct fs_log_reading q = {
		.dir = dir,
		.vault = vault,
		.box_pk = box_pk,
		.box_sk = box_sk,
		.from = from,
		.fn = fn,
		.bad = bad,
		.ctx = ctx,
	};

	return fs_log_read_as(&q);
}
