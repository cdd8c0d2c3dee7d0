/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/log_read_index.c - what of a segment must be read, by its index.
 *
 * The index is believed where it is signed with the key that the segment's tree frame introduces,
 * which is gone once the segment is full, and only about the streams that it names: each head is
 * read at the place that the index says, and checked as in any reading. Anything amiss, and the
 * segment is read as if there were no index. The tree frame of the segment behind must be signed
 * with that key, so that it can't be another one in its place; the whole chain of them is what
 * `audit verify` proves.
 *
 * Invariants: (1) a record is passed over only if a sound index says that it is none of those asked
 * for, and it is of the stream of which the index says so: an index can be older than a crash that
 * took records and gave their numbers to others; (2) a segment is passed over whole only if besides
 * nothing but those streams can stand in it, by the chain of their heads; and so it is before its
 * records are read without what stands between them.
 */
#include "log_read_impl.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../keys/slab.h"
#include "log_index.h"
#include "log_tree.h"

#define NS INT64_C(1000000000)
#define FRAME_ROOM ((FS_LOG_FRAME + FS_LOG_HEAD_MAX + 7) / 8 * 8)
#define BEGIN_ROOM (FRAME_ROOM + (FS_LOG_FRAME + FS_LOG_TREE_MAX + 7) / 8 * 8)

/*
 * Without a journal's number none can be named in it: starts, stops, sessions, and what is done at
 * the mount's own directory and under `.policy` (fs/gate_log.c names a journal by its number
 * alone).
 */
static bool names_none(uint8_t kind)
{
	return (kind >= POLICY_RECORD_START && kind <= POLICY_RECORD_ATTRIBUTE) ||
	       kind == POLICY_RECORD_CLOSE;
}

_Static_assert(POLICY_RECORD_START == 1 && POLICY_RECORD_UNLOCK == 6 && POLICY_RECORD_INTENT == 7 &&
		       POLICY_RECORD_ATTRIBUTE == 14,
	       "kinds of sessions, then kinds of acts");

bool fs_log_wanted(const struct fs_log_reading *q, uint8_t kind, uint32_t journal,
		   uint32_t practitioner, int64_t from_ns, int64_t to_ns)
{
	bool in = !q->journal_count;

	for (size_t i = 0; i < q->journal_count && !in; i++)
		in = q->journals[i] == journal && (journal || !names_none(kind));
	return in && (!q->practitioner || q->practitioner == practitioner) &&
	       (!q->since_ns || to_ns >= q->since_ns) && (!q->until_ns || from_ns < q->until_ns);
}

/* An index at work. */
struct planning {
	struct fs_log_job *job;
	int fd;
	struct fs_log_index_query query;
	uint8_t *frame;	      /* of a stream head; BEGIN_ROOM */
	uint8_t pk[KEYS_LEN]; /* the segment's checkpoint key */
	uint64_t key_number;
	struct fs_log_way *way; /* of the stream at hand, until a record of it is wanted */
	bool bad;		/* a head is not what the index says */
	int rc;
	/* Numbers that the segment can hold: count from first on. */
	uint64_t first, count;
	uint64_t end; /* covered up to here, if there is no gap */
	bool gap;
	size_t streams;
	uint64_t next_seq, next_off; /* the least that a stream may begin at */
	uint8_t last[KEYS_SIG_LEN];  /* signature of the last head */
};

/* The head that the index says stands there; false: it does not, or is not genuine. */
static bool head_at(struct planning *p, const struct fs_log_index_stream_of *s,
		    struct fs_log_head *h)
{
	struct fs_log_walk w = {
		.p = p->frame, .seq = s->first_seq, .any_seq = true, .version = FS_LOG_VERSION};
	struct fs_log_frame f;
	ssize_t got;

	if (s->head_off > FS_LOG_SEGMENT_MAX)
		return false;
	got = pread(p->fd, p->frame, FRAME_ROOM, (off_t)s->head_off);
	w.len = got > 0 ? (size_t)got : 0;
	return fs_log_walk_next(&w, &f) && !f.off && f.kind == FS_LOG_STREAM &&
	       f.seq == s->first_seq && !fs_log_head_decode(f.body, f.len, p->job->number, h) &&
	       h->first_seq == s->first_seq &&
	       memcmp(h->vault, p->job->shared->q->vault, sizeof(h->vault)) == 0 &&
	       memcmp(h->stream, s->stream, sizeof(h->stream)) == 0;
}

/* The first stream head of a segment and the tree frame behind it; false: they are not there, or
 * not genuine. */
static bool beginning(struct planning *p, int fd, uint64_t segment,
		      const struct fs_log_header *header, struct fs_log_head *head,
		      struct fs_log_tree *tree)
{
	const struct fs_log_shared *s = p->job->shared;
	struct fs_log_walk w = {.p = p->frame,
				.seq = header->first_seq,
				.first = header->first_seq,
				.version = header->version};
	ssize_t got = pread(fd, p->frame, BEGIN_ROOM, FS_LOG_HEADER);
	struct fs_log_frame f;

	w.len = got > 0 ? (size_t)got : 0;
	return fs_log_walk_next(&w, &f) && !f.torn && f.kind == FS_LOG_STREAM &&
	       !fs_log_head_decode(f.body, f.len, segment, head) && fs_log_walk_next(&w, &f) &&
	       !f.torn && f.kind == FS_LOG_TREE &&
	       !fs_log_tree_decode(f.body, f.len, segment, s->q->vault, tree) &&
	       fs_log_job_signer_ok(s, tree->daemon_pk);
}

static bool segment_key(struct planning *p, const struct fs_log_header *header)
{
	struct fs_log_head head;
	struct fs_log_tree t;

	if (!beginning(p, p->fd, p->job->number, header, &head, &t))
		return false;
	memcpy(p->pk, t.pk, sizeof(p->pk));
	p->key_number = t.key_number;
	return true;
}

void fs_log_plan_clear(struct fs_log_plan *p)
{
	for (size_t i = 0; i < p->covered_count; i++)
		keys_guard_free(p->covered[i].way);
	free(p->wanted);
	free(p->covered);
	free(p->index);
	free(p->place);
	*p = (struct fs_log_plan){0};
}

static int cover(struct fs_log_plan *plan, const struct fs_log_index_stream_of *s)
{
	struct fs_log_covered *c;

	if (plan->covered_count == plan->covered_cap) {
		size_t cap = plan->covered_cap ? 2 * plan->covered_cap : 4;

		c = realloc(plan->covered, cap * sizeof(*c));
		if (!c)
			return -ENOMEM;
		plan->covered = c;
		plan->covered_cap = cap;
	}
	c = &plan->covered[plan->covered_count++];
	memcpy(c->stream, s->stream, sizeof(c->stream));
	c->first = s->first_seq;
	c->end = s->first_seq + s->count;
	c->way = NULL;
	return 0;
}

/* The stream's head and stretch as events, for the case that the segment is not read. */
static int note_stream(struct planning *p, const struct fs_log_index_stream_of *s,
		       enum fs_log_head_state state, const struct fs_log_head *h)
{
	struct fs_log_event *e = fs_log_job_event(p->job, FS_LOG_EVENT_HEAD, s->first_seq);

	if (!e || fs_log_job_head(p->job, e, state, h) || cover(&p->job->plan, s))
		return -ENOMEM;
	e->off = (uint32_t)s->head_off;
	if (s->count) {
		e = fs_log_job_event(p->job, FS_LOG_EVENT_COVERED, s->first_seq);
		if (!e)
			return -ENOMEM;
		e->end = s->first_seq + s->count;
	}
	/* Streams follow each other: each head names the one before. */
	if (p->end == s->first_seq && (!p->streams || !memcmp(p->last, h->prev, sizeof(p->last))))
		p->end += s->count;
	else
		p->gap = true;
	memcpy(p->last, h->sig, sizeof(p->last));
	p->streams++;
	return 0;
}

static int plan_key(void *ctx, const struct fs_log_index_stream_of *s, uint8_t k0[static KEYS_LEN])
{
	struct planning *p = ctx;
	enum fs_log_head_state state;
	struct fs_log_head h;

	if (p->rc)
		return -ENOMEM;
	/* One behind the other, so that an index names no more streams than there are heads. */
	if (p->bad || s->first_seq < p->next_seq || s->head_off < p->next_off ||
	    s->first_seq < p->first || s->count > p->count ||
	    s->first_seq - p->first > p->count - s->count || !head_at(p, s, &h)) {
		p->bad = true;
		return -EBADMSG;
	}
	/* One that no record was wanted of is used again. */
	if (!p->way)
		p->way = keys_guard_new(sizeof(*p->way));
	p->next_seq = s->first_seq + s->count;
	p->next_off = s->head_off + 1;
	if (!p->way) { /* the segment can be read all the same */
		p->bad = true;
		return -ENOMEM;
	}
	state = fs_log_job_ratchet(p->job->shared, &h, &p->way->ratchet);
	if (state == FS_LOG_HEAD_OPEN) {
		memcpy(k0, p->way->ratchet.key, KEYS_LEN);
		fs_log_index_steps_init(&p->way->steps, &p->query, s, k0);
	}
	/* What is wrong with others is said when the segment is read. */
	if (state != FS_LOG_HEAD_OPEN && state != FS_LOG_HEAD_SHUT)
		p->bad = true;
	else
		p->rc = note_stream(p, s, state, &h);
	return state == FS_LOG_HEAD_OPEN && !p->bad && !p->rc ? 0 : -ENOENT;
}

/* Of the stream that was covered last, which gets the way to it. */
static int note_place(struct planning *p, const struct fs_log_index_entry *e)
{
	struct fs_log_plan *plan = &p->job->plan;
	struct fs_log_covered *c = &plan->covered[plan->covered_count - 1];
	struct fs_log_place *at;

	if (!c->way) {
		c->way = p->way;
		p->way = NULL;
	}
	if (plan->places == plan->places_cap) {
		size_t cap = plan->places_cap ? 2 * plan->places_cap : 64;

		at = realloc(plan->place, cap * sizeof(*at));
		if (!at)
			return -ENOMEM;
		plan->place = at;
		plan->places_cap = cap;
	}
	plan->place[plan->places++] =
		(struct fs_log_place){.seq = e->seq,
				      .off = (uint32_t)e->off,
				      .covered = (uint32_t)(plan->covered_count - 1)};
	return 0;
}

static void plan_entry(void *ctx, const struct fs_log_index_entry *e)
{
	struct planning *p = ctx;
	const struct fs_log_reading *q = p->job->shared->q;

	if (p->bad || p->rc || e->seq < q->from ||
	    !fs_log_wanted(q, e->kind, e->journal, e->practitioner, e->time_s * NS,
			   e->time_s * NS + (NS - 1)))
		return;
	p->job->plan.wanted[(e->seq - p->first) / 8] |= (uint8_t)(1u << (e->seq - p->first) % 8);
	p->job->plan.wanted_count++;
	if (e->off && e->off <= FS_LOG_SEGMENT_MAX)
		p->rc = note_place(p, e);
}

static void no_plan(struct fs_log_job *j)
{
	fs_log_plan_clear(&j->plan);
	j->event_count = j->head_count = 0;
}

static int plan_by(struct planning *p, size_t len)
{
	struct fs_log_job *j = p->job;
	bool partial;
	int rc;

	p->query = (struct fs_log_index_query){
		.vault = j->shared->q->vault,
		.segment = j->number,
		.pk = p->pk,
		.key = plan_key,
		.fn = plan_entry,
		.ctx = p,
	};
	j->plan.wanted = calloc(p->count / 8 + 1, 1);
	rc = j->plan.wanted ? 0 : -ENOMEM;
	if (!rc)
		rc = fs_log_index_read(&p->query, j->plan.index, len, &partial);
	if (!rc)
		rc = p->rc;
	if (rc != -ENOMEM && (rc == -EBADMSG || p->bad)) {
		no_plan(j);
		rc = 0;
	}
	return rc;
}

/*
 * What the segment behind says of this one. False: its tree frame does not follow ours, whose key
 * it would have to be signed with: what we have may not be what was written, or nothing is there
 * yet. *all: it begins where the index ends, with a head that names the index's last: nothing is
 * left that the index does not tell.
 */
static bool followed(struct planning *p, bool *all)
{
	struct fs_log_job *j = p->job;
	struct fs_log_header header;
	struct fs_log_head head;
	struct fs_log_tree t;
	bool follows;
	int fd = fs_log_job_open(j->shared, j->number + 1);

	if (fd < 0)
		return false;
	follows = !fs_log_job_header(j->shared, fd, j->number + 1, &header) &&
		  beginning(p, fd, j->number + 1, &header, &head, &t) &&
		  !memcmp(t.before, p->pk, sizeof(p->pk)) && t.key_number == p->key_number + 1;
	close(fd);
	*all = follows && !p->gap && p->streams && header.first_seq == p->end &&
	       head.first_seq == p->end && !memcmp(head.prev, p->last, sizeof(p->last));
	return follows;
}

static int plan_segment(struct planning *p)
{
	struct fs_log_job *j = p->job;
	struct fs_log_header header;
	struct stat st;
	size_t len = 0;
	bool all;
	int rc;

	if (fstat(p->fd, &st) || st.st_size < 0 || (uint64_t)st.st_size > FS_LOG_SEGMENT_MAX ||
	    fs_log_job_header(j->shared, p->fd, j->number, &header))
		return 0; /* said when it is read */
	p->first = p->end = header.first_seq;
	p->count = (uint64_t)st.st_size / FS_LOG_FRAME; /* so many fit into it */
	j->plan = (struct fs_log_plan){.first = p->first, .count = p->count};
	rc = fs_log_index_load(j->shared->dirfd, j->number, &j->plan.index, &len);
	if (rc)
		return rc == -ENOMEM ? rc : 0;
	p->frame = malloc(BEGIN_ROOM);
	if (!p->frame)
		return -ENOMEM;
	if (!segment_key(p, &header))
		return 0;
	rc = plan_by(p, len);
	if (rc)
		return rc;
	if (!j->plan.wanted)
		return 0;
	if (!followed(p, &all)) {
		no_plan(j);
		return 0;
	}
	if (all && j->plan.places == j->plan.wanted_count) {
		rc = j->plan.places ? fs_log_job_places(j, (uint64_t)st.st_size) : 1;
		if (rc == -EBADMSG) /* it is not what it says: nothing of it is believed */
			no_plan(j);
		else if (rc)
			return rc;
	}
	j->event_count = j->head_count = 0;
	return 0;
}

int fs_log_job_plan(struct fs_log_job *j, int fd)
{
	struct planning p = {.job = j, .fd = fd};
	int rc = plan_segment(&p);

	keys_guard_free(p.way);
	free(p.frame);
	if (rc < 0)
		no_plan(j);
	return rc;
}
