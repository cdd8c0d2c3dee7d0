/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/log_read_places.c - records of a segment read where its index says that they stand.
 *
 * Who asks for one journal in a log of many years wants a few records of each segment, and the rest
 * would cost a step of the ratchet and a walk over its frame each. An index has the places and each
 * 64th key (log_index.h).
 *
 * Invariant: a text is told only if the record's own seal, with its number in it, says that it is
 * the one, under a key that the index vouches for as its segment's checkpoint key signed it;
 * whatever fails, the segment is read as if there were no index, and says what is wrong.
 */
#include "log_read_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../keys/slab.h"

#define FRAME_USUAL 1024 /* bytes: most records are shorter */
/* Bytes of a segment for each record wanted: below the first it is read ahead, below the second
 * whole. */
#define SPARSE (UINT64_C(64) << 10)
#define DENSE UINT64_C(1024)

/* Room for len bytes more in the job's bytes. */
static int more_bytes(struct fs_log_job *j, size_t *cap, size_t len)
{
	size_t size = *cap ? *cap : 16384;
	uint8_t *p;

	while (size - j->len < len)
		size *= 2;
	if (size == *cap)
		return 0;
	p = realloc(j->bytes, size);
	if (!p)
		return -ENOMEM;
	j->bytes = p;
	*cap = size;
	return 0;
}

/* What of the frame at a place is in the first `got` bytes read from there: its whole size; 0: none
 * is. */
static size_t frame_size(const uint8_t *p, size_t got)
{
	struct bytes_in in = bytes_in(p, got);
	uint32_t len;

	(void)bytes_take(&in, 4);
	len = bytes_get_u32(&in);
	return in.bad || len > FS_LOG_SEGMENT_MIN ? 0 : fs_log_frame_size(len);
}

static size_t read_at(const struct fs_log_job *j, const struct fs_log_place *at, size_t room)
{
	ssize_t got = pread(j->fd, j->bytes + j->len, room, (off_t)at->off);

	return got > 0 ? (size_t)got : 0;
}

/* Brings a record's frame behind those that are there. 1: it is there; -EBADMSG: it is none. */
static int fetch(struct fs_log_job *j, struct fs_log_place *at, size_t *cap, uint64_t *end)
{
	struct fs_log_walk w = {.seq = at->seq, .any_seq = true, .version = FS_LOG_VERSION};
	struct fs_log_frame f;
	size_t size;

	/* Frames do not overlap, so that all of them are no more than the segment. */
	if (at->off < *end)
		return -EBADMSG;
	if (more_bytes(j, cap, FRAME_USUAL))
		return -ENOMEM;
	w.len = read_at(j, at, FRAME_USUAL);
	size = frame_size(j->bytes + j->len, w.len);
	if (size > FRAME_USUAL) {
		if (more_bytes(j, cap, size))
			return -ENOMEM;
		w.len = read_at(j, at, size);
	}
	w.p = j->bytes + j->len;
	if (!fs_log_walk_next(&w, &f) || f.off || f.kind != FS_LOG_RECORD || f.seq != at->seq)
		return -EBADMSG;
	*end = at->off + fs_log_frame_size(f.len);
	at->off = (uint32_t)j->len;
	j->len += fs_log_frame_size(f.len);
	return 1;
}

static int fetch_all(struct fs_log_job *j, uint64_t size)
{
	uint64_t end = FS_LOG_HEADER;
	size_t cap = 0;
	int rc = 1;

	if (j->plan.places * SPARSE > size)
		(void)posix_fadvise(j->fd, 0, 0, POSIX_FADV_WILLNEED);
	for (size_t i = 0; i < j->plan.places && rc == 1; i++)
		rc = fetch(j, &j->plan.place[i], &cap, &end);
	return rc;
}

/* The text in place of its ciphertext. 1, or -EBADMSG: the seal does not hold. */
static int open_record(struct fs_log_job *j, const struct fs_log_place *at, struct fs_log_event *e)
{
	const struct fs_log_covered *c = &j->plan.covered[at->covered];
	struct fs_log_walk w = {.p = j->bytes + at->off,
				.len = j->len - at->off,
				.any_seq = true,
				.version = FS_LOG_VERSION};
	struct fs_log_frame f;
	size_t len = 0;

	if (!c->way || at->seq < c->first || at->seq >= c->end || !fs_log_walk_next(&w, &f) ||
	    f.len > FS_LOG_SEGMENT_MIN ||
	    fs_log_index_step(&c->way->steps, &c->way->ratchet, at->seq - c->first) ||
	    keys_ratchet_unseal(&c->way->ratchet, at->seq - c->first,
				(struct keys_span){f.body, f.len}, j->plain, &len))
		return -EBADMSG;
	e->state = FS_LOG_RECORD_PLAIN;
	e->off = (uint32_t)(f.body - j->bytes);
	e->len = (uint32_t)len;
	memcpy(j->bytes + e->off, j->plain, len);
	return 1;
}

/* Records seq to end - 1, of which none is wanted. */
static int add_covered(struct fs_log_job *j, uint64_t seq, uint64_t end)
{
	struct fs_log_event *e;

	if (seq == end)
		return 1;
	e = fs_log_job_event(j, FS_LOG_EVENT_COVERED, seq);
	if (!e)
		return -ENOMEM;
	e->end = end;
	return 1;
}

/* A covered stretch with the records in it, from place *i on. */
static int open_stretch(struct fs_log_job *j, uint64_t seq, uint64_t end, size_t *i)
{
	const struct fs_log_plan *plan = &j->plan;
	int rc = 1;

	for (; rc == 1 && *i < plan->places && plan->place[*i].seq < end; ++*i) {
		const struct fs_log_place *at = &plan->place[*i];
		struct fs_log_event *e;

		if (at->seq < seq)
			return -EBADMSG;
		rc = add_covered(j, seq, at->seq);
		e = rc == 1 ? fs_log_job_event(j, FS_LOG_EVENT_RECORD, at->seq) : NULL;
		if (!e)
			return -ENOMEM;
		rc = open_record(j, at, e);
		seq = at->seq + 1;
	}
	return rc == 1 ? add_covered(j, seq, end) : rc;
}

/* The events of the plan, with the records where they belong. */
static int open_all(struct fs_log_job *j)
{
	struct fs_log_event *plan = j->events;
	size_t n = j->event_count, i = 0;
	int rc = 1;

	j->events = NULL;
	j->event_count = j->event_cap = 0;
	for (size_t k = 0; k < n && rc == 1; k++) {
		if (plan[k].kind == FS_LOG_EVENT_COVERED) {
			rc = open_stretch(j, plan[k].seq, plan[k].end, &i);
		} else {
			struct fs_log_event *e =
				fs_log_job_event(j, FS_LOG_EVENT_HEAD, plan[k].seq);

			if (!e)
				rc = -ENOMEM;
			else
				*e = plan[k];
		}
	}
	free(plan);
	return rc == 1 && i < j->plan.places ? -EBADMSG : rc;
}

int fs_log_job_places(struct fs_log_job *j, uint64_t size)
{
	int rc;

	if (j->plan.places * DENSE > size)
		return 0;
	j->plain = malloc(FS_LOG_SEGMENT_MIN);
	rc = j->plain ? fetch_all(j, size) : -ENOMEM;
	if (rc == 1)
		rc = open_all(j);
	if (rc == 1)
		return 1;
	if (j->bytes)
		keys_wipe(j->bytes, j->len);
	if (j->plain)
		keys_wipe(j->plain, FS_LOG_SEGMENT_MIN);
	free(j->bytes);
	free(j->plain);
	j->bytes = j->plain = NULL;
	j->len = 0;
	j->event_count = j->head_count = 0;
	return rc;
}
