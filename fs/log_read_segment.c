/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/log_read_segment.c - one segment of the log with a reader's key, as events.
 *
 * A segment begins with a stream head, so nothing of another is needed. Texts of records take the
 * place of their ciphertexts in the job's copy of the segment. Records that are being written at
 * this moment may look unfinished, so those of the newest segments are read again before they are
 * called damaged.
 *
 * Locks: fs_log_shared.ask around the reading's callbacks; a job is one thread's at a time.
 */
#include "log_read_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "../keys/slab.h"

#define RETRIES 5
#define RETRY_MS 10
/* A segment: what is only half written is done long before; the rest is damage. */
#define PAUSES_MAX 25

void fs_log_job_init(struct fs_log_job *j, struct fs_log_shared *shared, uint64_t number,
		     bool newest)
{
	*j = (struct fs_log_job){.shared = shared, .number = number, .newest = newest, .fd = -1};
}

void fs_log_job_clear(struct fs_log_job *j)
{
	if (j->bytes)
		keys_wipe(j->bytes, j->len);
	if (j->plain)
		keys_wipe(j->plain, FS_LOG_SEGMENT_MIN);
	if (j->fd >= 0)
		close(j->fd);
	keys_guard_free(j->ratchet);
	fs_log_plan_clear(&j->plan);
	free(j->bytes);
	free(j->plain);
	free(j->events);
	free(j->heads);
	*j = (struct fs_log_job){.fd = -1};
}

int fs_log_job_open(const struct fs_log_shared *s, uint64_t number)
{
	char name[FS_LOG_NAME];
	int fd;

	fs_log_segment_name(number, name);
	fd = openat(s->dirfd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	return fd < 0 ? -errno : fd;
}

/* Whose it is, and which. */
static int header_check(const struct fs_log_shared *s, uint64_t number, const uint8_t *p,
			struct fs_log_header *out)
{
	int rc = fs_log_header_decode(p, out);

	if (!rc &&
	    (out->number != number || memcmp(out->vault, s->q->vault, sizeof(out->vault)) != 0))
		rc = -EBADMSG;
	return rc;
}

int fs_log_job_header(const struct fs_log_shared *s, int fd, uint64_t number,
		      struct fs_log_header *out)
{
	uint8_t p[FS_LOG_HEADER];

	if (pread(fd, p, sizeof(p), 0) != (ssize_t)sizeof(p))
		return -EBADMSG;
	return header_check(s, number, p, out) ? -EBADMSG : 0;
}

/* ---- events ---- */

struct fs_log_event *fs_log_job_event(struct fs_log_job *j, enum fs_log_event_kind kind,
				      uint64_t seq)
{
	struct fs_log_event *e;

	if (j->event_count == j->event_cap) {
		size_t cap = j->event_cap ? 2 * j->event_cap : 1024;

		e = realloc(j->events, cap * sizeof(*e));
		if (!e)
			return NULL;
		j->events = e;
		j->event_cap = cap;
	}
	e = &j->events[j->event_count++];
	*e = (struct fs_log_event){.kind = (uint8_t)kind, .seq = seq};
	return e;
}

int fs_log_job_head(struct fs_log_job *j, struct fs_log_event *e, enum fs_log_head_state state,
		    const struct fs_log_head *h)
{
	struct fs_log_event_head *p;

	e->state = (uint8_t)state;
	if (state == FS_LOG_HEAD_DAMAGED)
		return 0;
	if (j->head_count == j->head_cap) {
		size_t cap = j->head_cap ? 2 * j->head_cap : 4;

		p = realloc(j->heads, cap * sizeof(*p));
		if (!p)
			return -ENOMEM;
		j->heads = p;
		j->head_cap = cap;
	}
	e->len = (uint32_t)j->head_count;
	p = &j->heads[j->head_count++];
	memcpy(p->prev, h->prev, sizeof(p->prev));
	memcpy(p->sig, h->sig, sizeof(p->sig));
	return 0;
}

/* ---- streams ---- */

/* A wrap of k(0) for the reader; what the head says is signed by the daemon, so it comes first. */
static const uint8_t *wrap_of(const struct fs_log_shared *s, const struct fs_log_head *h,
			      uint8_t later[static KEYS_STREAM_WRAP_LEN])
{
	const struct fs_log_reading *q = s->q;
	const uint8_t *wrap;

	if (!q->box_pk || !q->box_sk)
		return NULL;
	wrap = fs_log_head_wrap(h, q->box_pk);
	if (!wrap && q->later && !q->later(q->ctx, h->stream, later))
		wrap = later;
	return wrap;
}

static enum fs_log_head_state find_key(const struct fs_log_shared *s, const struct fs_log_head *h,
				       struct keys_ratchet *out)
{
	const struct fs_log_reading *q = s->q;
	uint8_t later[KEYS_STREAM_WRAP_LEN];
	const uint8_t *wrap;

	if (q->signer_ok && !q->signer_ok(q->ctx, h->pk))
		return FS_LOG_HEAD_STRANGER;
	if (q->key0 && !q->key0(q->ctx, h->stream, out->key)) {
		memcpy(out->vault, q->vault, sizeof(out->vault));
		memcpy(out->stream, h->stream, sizeof(out->stream));
		out->next = 0;
		return FS_LOG_HEAD_OPEN;
	}
	wrap = wrap_of(s, h, later);
	if (!wrap)
		return FS_LOG_HEAD_SHUT;
	return keys_ratchet_open(out, q->vault, h->stream, wrap, KEYS_STREAM_WRAP_LEN, q->box_sk)
		       ? FS_LOG_HEAD_UNSEALED
		       : FS_LOG_HEAD_OPEN;
}

bool fs_log_job_signer_ok(const struct fs_log_shared *s, const uint8_t pk[static KEYS_LEN])
{
	pthread_mutex_t *ask = (pthread_mutex_t *)&s->ask; /* as below */
	bool ok;

	pthread_mutex_lock(ask);
	ok = !s->q->signer_ok || s->q->signer_ok(s->q->ctx, pk);
	pthread_mutex_unlock(ask);
	return ok;
}

enum fs_log_head_state fs_log_job_ratchet(const struct fs_log_shared *s,
					  const struct fs_log_head *h, struct keys_ratchet *out)
{
	/* The mutex is not part of what jobs see as constant. */
	pthread_mutex_t *ask = (pthread_mutex_t *)&s->ask;
	enum fs_log_head_state state;

	pthread_mutex_lock(ask);
	state = find_key(s, h, out);
	pthread_mutex_unlock(ask);
	return state;
}

/* What the plan says of a stream that begins here. */
static const struct fs_log_covered *covered_by(const struct fs_log_plan *p,
					       const struct fs_log_head *h)
{
	for (size_t i = 0; i < p->covered_count; i++) {
		if (p->covered[i].first == h->first_seq &&
		    memcmp(p->covered[i].stream, h->stream, sizeof(h->stream)) == 0)
			return &p->covered[i];
	}
	return NULL;
}

static int read_head(struct fs_log_job *j, const struct fs_log_frame *f)
{
	struct fs_log_event *e = fs_log_job_event(j, FS_LOG_EVENT_HEAD, f->seq);
	enum fs_log_head_state state = FS_LOG_HEAD_DAMAGED;
	struct keys_ratchet *ratchet = NULL;
	struct fs_log_head h;

	keys_guard_free(j->ratchet);
	j->ratchet = NULL;
	j->covered = NULL;
	j->first_seq = f->seq;
	j->any_head = true;
	if (!e)
		return -ENOMEM;
	e->off = (uint32_t)f->off;
	e->torn = f->torn;
	if (!fs_log_head_decode(f->body, f->len, j->number, &h) && h.first_seq == f->seq &&
	    memcmp(h.vault, j->shared->q->vault, sizeof(h.vault)) == 0) {
		ratchet = keys_guard_new(sizeof(*ratchet));
		if (!ratchet)
			return -ENOMEM;
		state = fs_log_job_ratchet(j->shared, &h, ratchet);
		j->covered = covered_by(&j->plan, &h);
	}
	if (state == FS_LOG_HEAD_OPEN)
		j->ratchet = ratchet;
	else
		keys_guard_free(ratchet);
	return fs_log_job_head(j, e, state, &h);
}

/* ---- records ---- */

/* The frame's bytes as they are on disk now; true when they have changed since they were read. */
static bool changed_meanwhile(struct fs_log_job *j, const struct fs_log_frame *f)
{
	size_t size = fs_log_frame_size(f->len);
	uint8_t *at = j->bytes + f->off, *again = malloc(size);
	bool changed;

	if (!again)
		return false;
	changed = pread(j->fd, again, size, (off_t)f->off) == (ssize_t)size &&
		  memcmp(at, again, size) != 0;
	if (changed)
		memcpy(at, again, size);
	free(again);
	return changed;
}

static int unseal(struct fs_log_job *j, const struct fs_log_frame *f, size_t *len)
{
	struct keys_ratchet before;
	int rc, tries = 0;

	memcpy(&before, j->ratchet, sizeof(before));
	for (;;) {
		struct timespec pause = {.tv_nsec = RETRY_MS * 1000000L};

		rc = keys_ratchet_unseal(j->ratchet, f->seq - j->first_seq,
					 (struct keys_span){f->body, f->len}, j->plain, len);
		if (!rc || !j->newest)
			break;
		if (!changed_meanwhile(j, f)) {
			if (tries++ == RETRIES || j->pauses++ >= PAUSES_MAX)
				break;
			nanosleep(&pause, NULL);
		}
		memcpy(j->ratchet, &before, sizeof(before));
	}
	/* A number that is a lie must not take the ratchet past the true ones that follow. */
	if (rc)
		memcpy(j->ratchet, &before, sizeof(before));
	keys_wipe(&before, sizeof(before));
	return rc;
}

static bool passed_over(const struct fs_log_job *j, uint64_t seq)
{
	uint64_t i = seq - j->plan.first;

	if (seq < j->shared->q->from)
		return true;
	if (!j->covered || seq < j->covered->first || seq >= j->covered->end)
		return false;
	return !(j->plan.wanted[i / 8] & 1u << i % 8);
}

static int read_record(struct fs_log_job *j, const struct fs_log_frame *f, size_t *opened)
{
	struct fs_log_event *e = fs_log_job_event(j, FS_LOG_EVENT_RECORD, f->seq);
	size_t len = 0;

	if (!e)
		return -ENOMEM;
	e->torn = f->torn;
	e->off = (uint32_t)f->off;
	e->state = FS_LOG_RECORD_PASSED;
	if (passed_over(j, f->seq))
		return 0;
	if (!j->any_head)
		e->state = FS_LOG_RECORD_ORPHAN;
	if (!j->ratchet)
		return 0;
	++*opened;
	e->state = FS_LOG_RECORD_BAD;
	if (f->len > FS_LOG_SEGMENT_MIN || unseal(j, f, &len))
		return 0;
	e->state = FS_LOG_RECORD_PLAIN;
	e->off = (uint32_t)(f->body - j->bytes);
	e->len = (uint32_t)len;
	memcpy(j->bytes + e->off, j->plain, len);
	return 0;
}

/* ---- a segment ---- */

static int read_other(struct fs_log_job *j, const struct fs_log_frame *f)
{
	struct fs_log_event *e = fs_log_job_event(j, FS_LOG_EVENT_OTHER, f->seq);

	if (!e)
		return -ENOMEM;
	e->torn = f->torn;
	e->off = (uint32_t)f->off;
	return 0;
}

static int end(struct fs_log_job *j)
{
	bool torn;

	j->done = true;
	fs_log_walk_tail(&j->walk, &torn);
	return torn && !fs_log_job_event(j, FS_LOG_EVENT_TAIL, 0) ? -ENOMEM : 0;
}

/* Brings the segment into memory, unless its index says that it need not be. */
static int begin(struct fs_log_job *j)
{
	struct fs_log_header header;
	int rc;

	j->fd = fs_log_job_open(j->shared, j->number);
	if (j->fd < 0) {
		j->rc = j->fd;
		j->done = true;
		return 0;
	}
	rc = j->shared->filtered ? fs_log_job_plan(j, j->fd) : 0;
	j->done = rc == 1;
	if (rc)
		return rc < 0 ? rc : 0;
	j->rc = fs_log_segment_load(j->fd, &j->bytes, &j->len);
	j->done = j->rc != 0;
	if (j->rc)
		return j->rc == -ENOMEM ? -ENOMEM : 0;
	j->plain = malloc(FS_LOG_SEGMENT_MIN);
	if (!j->plain)
		return -ENOMEM;
	j->header_rc = header_check(j->shared, j->number, j->bytes, &header);
	fs_log_walk_init(&j->walk, j->header_rc ? NULL : &header, j->bytes, j->len);
	return 0;
}

int fs_log_job_run(struct fs_log_job *j, size_t most)
{
	struct fs_log_frame f;
	size_t opened = 0;
	int rc = 0;

	j->event_count = 0;
	if (!j->begun) {
		j->begun = true;
		rc = begin(j);
	}
	while (!rc && !j->done && opened < most) {
		if (!fs_log_walk_next(&j->walk, &f))
			rc = end(j);
		else if (f.kind == FS_LOG_STREAM)
			rc = read_head(j, &f);
		else if (f.kind == FS_LOG_RECORD)
			rc = read_record(j, &f, &opened);
		else /* tree frames and checkpoints are for verification (log_verify.h) */
			rc = read_other(j, &f);
	}
	/* Half of what was found is not told. */
	if (rc)
		j->event_count = 0;
	return rc;
}
