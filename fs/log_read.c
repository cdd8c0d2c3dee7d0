/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/log_read.c - reading the log with a reader's key: every stream that is wrapped for it, oldest
 * first.
 *
 * What can't be read is said and passed over: a damaged record, a missing run of
 * numbers, a stream head that is not signed as it should be, a stream or segment
 * that is gone. Takes no lock and needs no writer: records that are being written
 * at this moment may look unfinished, so the newest segment's last ones are read
 * again before they are called damaged. Format: fs/FORMAT.md, "Log".
 */
#include "log.h"
#include "log_segment.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "../keys/slab.h"

#define NOTES_MAX (POLICY_RECORD_MAX / 8)
#define RETRIES 5
#define RETRY_MS 10

struct reading {
	const struct fs_log_reading *q;
	int dirfd;
	uint64_t expect; /* number of the next record; 0: any */
	bool have_prev;
	uint8_t prev[KEYS_SIG_LEN];
	struct keys_ratchet *ratchet; /* guarded; NULL: this stream is not for us */
	bool shut;		      /* it is whole, but no wrap of it opens for us */
	uint64_t first_seq;	      /* of the stream */
	uint8_t *plain;
	struct policy_record *record;
	struct policy_record_note *notes;

	/* The segment at hand. */
	uint64_t segment;
	int fd;
	uint8_t *bytes;
	size_t len;
	bool newest;
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
static void check_number(struct reading *r, const struct fs_log_frame *f)
{
	if (f->torn)
		say_bad(r, r->expect ? r->expect : f->seq,
			"segment %" PRIu64 ", before byte %zu: unfinished or damaged bytes",
			r->segment, f->off);
	if (r->expect && f->seq > r->expect)
		say_bad(r, r->expect, "records %" PRIu64 " to %" PRIu64 " are missing", r->expect,
			f->seq - 1);
	else if (r->expect && f->seq < r->expect)
		say_bad(r, f->seq, "the record number %" PRIu64 " comes a second time", f->seq);
	/* A header that lies about its first number may have led us past what was asked for. */
	else if (!r->expect && f->seq > r->q->from)
		say_bad(r, r->q->from, "records %" PRIu64 " to %" PRIu64 " are missing", r->q->from,
			f->seq - 1);
}

/* The reader's own ratchet for a stream that has just begun; NULL when it is not wrapped for us. */
static int open_stream(struct reading *r, const struct fs_log_head *h, uint64_t seq)
{
	const uint8_t *wrap = fs_log_head_wrap(h, r->q->box_pk);
	uint8_t later[KEYS_STREAM_WRAP_LEN];
	int rc;

	/* What the head says is signed by the daemon, so it comes first. */
	if (!wrap && r->q->later && !r->q->later(r->q->ctx, h->stream, later))
		wrap = later;
	r->shut = !wrap;
	if (!wrap)
		return 0;
	r->ratchet = keys_guard_new(sizeof(*r->ratchet));
	if (!r->ratchet)
		return -ENOMEM;
	rc = keys_ratchet_open(r->ratchet, r->q->vault, h->stream, wrap, KEYS_STREAM_WRAP_LEN,
			       r->q->box_sk);
	if (!rc)
		return 0;
	keys_guard_free(r->ratchet);
	r->ratchet = NULL;
	say_bad(r, seq, "the stream's key is not sealed to this reader as it says");
	return 0;
}

static int read_head(struct reading *r, const struct fs_log_frame *f)
{
	struct fs_log_head h;

	keys_guard_free(r->ratchet);
	r->ratchet = NULL;
	r->shut = false;
	check_number(r, f);
	r->expect = f->seq;
	r->first_seq = f->seq;
	if (fs_log_head_decode(f->body, f->len, r->segment, &h) || h.first_seq != f->seq ||
	    memcmp(h.vault, r->q->vault, sizeof(h.vault))) {
		say_bad(r, f->seq, "a stream head is damaged or not of this vault");
		return 0;
	}
	if (r->have_prev && memcmp(r->prev, h.prev, sizeof(h.prev)))
		say_bad(r, f->seq, "a stream before this one is missing");
	memcpy(r->prev, h.sig, sizeof(r->prev));
	r->have_prev = true;
	if (r->q->signer_ok && !r->q->signer_ok(r->q->ctx, h.pk)) {
		say_bad(r, f->seq, "a stream head is signed with a key that is not the daemon's");
		return 0;
	}
	return open_stream(r, &h, f->seq);
}

/* The frame's bytes as they are on disk now; true when they have changed since they were read. */
static bool changed_meanwhile(struct reading *r, const struct fs_log_frame *f)
{
	size_t size = fs_log_frame_size(f->len);
	uint8_t *at = r->bytes + f->off, *again = malloc(size);
	bool changed;

	if (!again)
		return false;
	changed = pread(r->fd, again, size, (off_t)f->off) == (ssize_t)size &&
		  memcmp(at, again, size) != 0;
	if (changed)
		memcpy(at, again, size);
	free(again);
	return changed;
}

static int unseal(struct reading *r, const struct fs_log_frame *f, size_t *len)
{
	struct keys_ratchet before;
	int rc, tries = 0;

	memcpy(&before, r->ratchet, sizeof(before));
	for (;;) {
		struct timespec pause = {.tv_nsec = RETRY_MS * 1000000L};

		rc = keys_ratchet_unseal(r->ratchet, f->seq - r->first_seq,
					 (struct keys_span){f->body, f->len}, r->plain, len);
		if (!rc || !r->newest)
			break;
		if (!changed_meanwhile(r, f)) {
			if (tries++ == RETRIES)
				break;
			nanosleep(&pause, NULL);
		}
		memcpy(r->ratchet, &before, sizeof(before));
	}
	/* A number that is a lie must not take the ratchet past the true ones that follow. */
	if (rc)
		memcpy(r->ratchet, &before, sizeof(before));
	keys_wipe(&before, sizeof(before));
	return rc;
}

/* 1: the reader has had enough. */
static int read_record(struct reading *r, const struct fs_log_frame *f)
{
	size_t len = 0;
	int rc;

	check_number(r, f);
	r->expect = f->seq + 1;
	if (r->shut && f->seq >= r->q->from) {
		r->shut = false; /* said once for the stream */
		if (r->q->shut)
			r->q->shut(r->q->ctx, f->seq);
	}
	if (!r->ratchet || f->seq < r->q->from)
		return 0;
	rc = f->len > FS_LOG_SEGMENT_MIN ? -EBADMSG : unseal(r, f, &len);
	if (!rc)
		rc = policy_record_decode(r->plain, len, r->record, r->notes, NOTES_MAX);
	if (!rc && r->record->seq != f->seq)
		rc = -EBADMSG;
	if (rc)
		say_bad(r, f->seq, "the record is unfinished, damaged or forged");
	else
		rc = r->q->fn(r->q->ctx, r->record) ? 1 : 0;
	keys_wipe(r->plain, len);
	return rc == 1 ? 1 : 0;
}

static int read_frame(struct reading *r, const struct fs_log_frame *f)
{
	if (f->kind == FS_LOG_STREAM)
		return read_head(r, f);
	if (f->kind == FS_LOG_RECORD)
		return read_record(r, f);
	/* Tree frames and checkpoints are for verification (log_verify.h). */
	check_number(r, f);
	r->expect = f->seq;
	return 0;
}

static int read_frames(struct reading *r, const struct fs_log_header *header)
{
	struct fs_log_frame f;
	struct fs_log_walk w;
	bool torn;
	int rc = 0;

	fs_log_walk_init(&w, header, r->bytes, r->len);
	while (!rc && fs_log_walk_next(&w, &f))
		rc = read_frame(r, &f);
	fs_log_walk_tail(&w, &torn);
	if (!rc && torn && !r->newest)
		say_bad(r, r->expect, "segment %" PRIu64 ": unfinished or damaged bytes at its end",
			r->segment);
	return rc;
}

static int open_segment(struct reading *r, uint64_t number)
{
	char name[FS_LOG_NAME];

	fs_log_segment_name(number, name);
	r->segment = number;
	r->fd = openat(r->dirfd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (r->fd < 0)
		return -errno;
	return 0;
}

/* -ENODATA: a spare, nothing in it yet. */
static int read_segment(struct reading *r, uint64_t number)
{
	struct fs_log_header header;
	int rc, header_rc;

	rc = open_segment(r, number);
	if (!rc)
		rc = fs_log_segment_load(r->fd, &r->bytes, &r->len);
	if (rc)
		goto out;
	header_rc = fs_log_header_decode(r->bytes, &header);
	if (!header_rc && (header.number != number ||
			   memcmp(header.vault, r->q->vault, sizeof(header.vault))))
		header_rc = -EBADMSG;
	if (header_rc == -EBADMSG)
		say_bad(r, r->expect, "segment %" PRIu64 ": its header is damaged", number);
	rc = read_frames(r, header_rc ? NULL : &header);
	if (!rc && header_rc == -ENODATA)
		rc = -ENODATA;
out:
	free(r->bytes);
	r->bytes = NULL;
	if (r->fd >= 0)
		close(r->fd);
	r->fd = -1;
	return rc;
}

/* Whether segment `number` is whole and begins at or before record `from`. */
static bool begins_before(struct reading *r, uint64_t number, uint64_t from)
{
	uint8_t p[FS_LOG_HEADER];
	struct fs_log_header header;
	bool before = false;

	if (open_segment(r, number))
		return false;
	if (pread(r->fd, p, sizeof(p), 0) == (ssize_t)sizeof(p) &&
	    !fs_log_header_decode(p, &header))
		before = header.number == number && header.first_seq <= from;
	close(r->fd);
	r->fd = -1;
	return before;
}

/* The log begins with segment 1, record 1, and a stream that names none before it. */
static void expect_beginning(struct reading *r, const uint64_t *list, size_t n)
{
	r->expect = 1;
	memset(r->prev, 0, sizeof(r->prev));
	r->have_prev = true;
	if (n && list[0] > 1)
		say_bad(r, 1, "segments 1 to %" PRIu64 " are missing", list[0] - 1);
}

/* What was known to be on disk must have been met. */
static void check_end(struct reading *r)
{
	uint64_t next = r->expect ? r->expect : r->q->from;

	if (next <= r->q->least)
		say_bad(r, next, "records %" PRIu64 " to %" PRIu64 ", the newest, are missing", next,
			r->q->least);
}

static int read_all(struct reading *r, const uint64_t *list, size_t n)
{
	size_t first = 0;
	int rc = 0;

	for (size_t i = n; r->q->from > 1 && i > 0 && !first; i--) {
		if (begins_before(r, list[i - 1], r->q->from))
			first = i - 1;
	}
	if (!first)
		expect_beginning(r, list, n);
	for (size_t i = first; i < n && !rc; i++) {
		if (i > first && list[i] != list[i - 1] + 1)
			say_bad(r, r->expect, "segments %" PRIu64 " to %" PRIu64 " are missing",
				list[i - 1] + 1, list[i] - 1);
		/* A spare lies behind the newest; both may be written while we read. */
		r->newest = i + 2 >= n;
		rc = read_segment(r, list[i]);
		if (rc == -ENODATA || rc == -ENOENT)
			rc = 0;
		if (rc == -EBADMSG || rc == -EIO) {
			if (!r->newest)
				say_bad(r, r->expect, "segment %" PRIu64 " can't be read", list[i]);
			rc = 0;
		}
	}
	if (!rc)
		check_end(r);
	return rc == 1 ? 0 : rc;
}

int fs_log_read_as(const struct fs_log_reading *q)
{
	struct reading r = {.q = q, .fd = -1};
	uint64_t *list = NULL;
	size_t n = 0;
	int rc;

	r.dirfd = open(q->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (r.dirfd < 0)
		return -errno;
	r.plain = malloc(FS_LOG_SEGMENT_MIN);
	r.record = malloc(sizeof(*r.record));
	r.notes = calloc(NOTES_MAX, sizeof(*r.notes));
	rc = r.plain && r.record && r.notes ? fs_log_segment_list(r.dirfd, &list, &n) : -ENOMEM;
	if (!rc)
		rc = read_all(&r, list, n);
	if (r.record)
		keys_wipe(r.record, sizeof(*r.record));
	free(list);
	free(r.plain);
	free(r.record);
	free(r.notes);
	keys_guard_free(r.ratchet);
	close(r.dirfd);
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

/* ---- the streams alone ---- */

static int give_heads(uint64_t number, const uint8_t *vault, const uint8_t *p, size_t len,
		      int (*fn)(void *ctx, const struct fs_log_head *h), void *ctx)
{
	struct fs_log_header header;
	struct fs_log_frame f;
	struct fs_log_head h;
	struct fs_log_walk w;
	int rc = fs_log_header_decode(p, &header);

	if (rc == -ENODATA)
		return 0; /* a spare */
	fs_log_walk_init(&w, rc ? NULL : &header, p, len);
	rc = 0;
	while (!rc && fs_log_walk_next(&w, &f)) {
		if (f.kind == FS_LOG_STREAM && !fs_log_head_decode(f.body, f.len, number, &h) &&
		    !memcmp(h.vault, vault, sizeof(h.vault)))
			rc = fn(ctx, &h);
	}
	return rc;
}

/* The least number of a segment that is not below `from`; 0: there is none. */
static int next_segment(int dirfd, uint64_t from, uint64_t *number)
{
	uint64_t *list = NULL;
	size_t n = 0;
	int rc = fs_log_segment_list(dirfd, &list, &n);

	*number = 0;
	for (size_t i = 0; !rc && i < n && !*number; i++) {
		if (list[i] >= from)
			*number = list[i];
	}
	free(list);
	return rc;
}

int fs_log_streams(const char *dir, const uint8_t vault[static KEYS_VAULT_ID_LEN],
		   uint64_t *segment, int (*fn)(void *ctx, const struct fs_log_head *h), void *ctx)
{
	struct reading r = {.fd = -1};
	uint64_t number = 0;
	int rc;

	r.dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (r.dirfd < 0)
		return -errno;
	rc = next_segment(r.dirfd, *segment, &number);
	if (!rc && !number)
		rc = -ENOENT;
	if (rc) {
		close(r.dirfd);
		return rc;
	}
	rc = open_segment(&r, number);
	if (!rc)
		rc = fs_log_segment_load(r.fd, &r.bytes, &r.len);
	if (rc) {
		*segment = number + 1;
		rc = rc == -EBADMSG ? rc : -EIO;
	} else {
		rc = give_heads(number, vault, r.bytes, r.len, fn, ctx);
		if (!rc)
			*segment = number + 1;
	}
	free(r.bytes);
	if (r.fd >= 0)
		close(r.fd);
	close(r.dirfd);
	return rc;
}
