/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy/replay.c - the log walked in order: sessions, grants, versions, the daemon.
 *
 * Owns a hash table of sessions and an array of grants sorted by number.
 *
 * Invariants:
 *  1. A session that ended is kept for a moment: whoever tells the record that ended it finds it,
 *     and so do acts that were on their way.
 *  2. After a start there is no session but those that logged in since.
 *  3. Grants are never forgotten: a review may come a year later. Their number is small.
 * Locks: none; one thread.
 */
#include "replay.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define BUCKETS 256u
#define KEPT_NS (5 * INT64_C(1000000000)) /* a session that ended: late records still come */

struct slot {
	struct slot *next;
	struct policy_replay_session s;
};

struct policy_replay {
	struct slot *bucket[BUCKETS];
	size_t sessions;
	bool some_ended;
	struct policy_replay_grant *grant;
	size_t grants, grant_cap;
	bool up, begun, seen;
	uint32_t version;
	int64_t version_ns, last_ns;
	uint64_t last_seq, missing;
};

int policy_replay_new(struct policy_replay **out)
{
	struct policy_replay *r = calloc(1, sizeof(*r));

	if (!r)
		return -ENOMEM;
	*out = r;
	return 0;
}

/* Those that were over by then, or all. */
static void drop(struct policy_replay *r, bool all, int64_t by_ns)
{
	bool some = false;

	for (unsigned b = 0; b < BUCKETS; b++) {
		struct slot **at = &r->bucket[b];

		while (*at) {
			struct slot *s = *at;

			if (!all && (!s->s.ended || s->s.changed_ns > by_ns)) {
				some = some || s->s.ended;
				at = &s->next;
				continue;
			}
			*at = s->next;
			free(s);
			r->sessions--;
		}
	}
	r->some_ended = some;
}

void policy_replay_free(struct policy_replay *r)
{
	if (!r)
		return;
	drop(r, true, 0);
	free(r->grant);
	free(r);
}

/* ---- sessions ---- */

static bool has_session(const struct policy_record *rec)
{
	static const uint8_t none[sizeof(rec->session)];

	return memcmp(rec->session, none, sizeof(none)) != 0;
}

static struct slot **place(struct policy_replay *r, const uint8_t id[static 16])
{
	uint32_t h = 2166136261u;
	struct slot **at;

	for (unsigned i = 0; i < 16; i++)
		h = (h ^ id[i]) * 16777619u;
	for (at = &r->bucket[h % BUCKETS]; *at; at = &(*at)->next) {
		if (!memcmp((*at)->s.id, id, 16))
			break;
	}
	return at;
}

struct policy_replay_session *policy_replay_session(struct policy_replay *r,
						    const struct policy_record *rec)
{
	struct slot *s = has_session(rec) ? *place(r, rec->session) : NULL;

	return s ? &s->s : NULL;
}

int policy_replay_each(struct policy_replay *r,
		       int (*fn)(void *ctx, struct policy_replay_session *s), void *ctx)
{
	for (unsigned b = 0; b < BUCKETS; b++) {
		for (struct slot *s = r->bucket[b]; s; s = s->next) {
			int rc = fn(ctx, &s->s);

			if (rc)
				return rc;
		}
	}
	return 0;
}

size_t policy_replay_sessions(const struct policy_replay *r)
{
	return r->sessions;
}

static int session_new(struct policy_replay *r, const struct policy_record *rec,
		       struct policy_replay_session **out)
{
	struct slot **at = place(r, rec->session);
	struct slot *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	memcpy(s->s.id, rec->session, sizeof(s->s.id));
	s->s.practitioner = rec->practitioner;
	s->s.uid = rec->uid;
	memcpy(s->s.who, rec->who, sizeof(s->s.who));
	memcpy(s->s.origin, rec->origin, sizeof(s->s.origin));
	s->s.since_ns = rec->time_ns;
	s->s.changed_ns = rec->time_ns;
	s->s.assumed = rec->kind != POLICY_RECORD_LOGIN;
	s->next = *at;
	*at = s;
	r->sessions++;
	*out = &s->s;
	return 0;
}

/* The order of a steward to end somebody else's session stands in the steward's own. */
static bool ends(const struct policy_record *rec)
{
	return rec->kind == POLICY_RECORD_LOGOUT && rec->action != 'D';
}

static int step_session(struct policy_replay *r, const struct policy_record *rec)
{
	struct policy_replay_session *s = policy_replay_session(r, rec);
	int rc = 0;

	if (!has_session(rec))
		return 0;
	if (!s)
		rc = session_new(r, rec, &s);
	if (rc)
		return rc;
	s->last_ns = rec->time_ns;
	if (rec->role[0]) {
		memcpy(s->role, rec->role, sizeof(s->role));
		memcpy(s->unit, rec->unit, sizeof(s->unit));
	}
	if (rec->kind == POLICY_RECORD_LOCK || rec->kind == POLICY_RECORD_UNLOCK) {
		s->locked = rec->kind == POLICY_RECORD_LOCK;
		s->changed_ns = rec->time_ns;
	} else if (ends(rec)) {
		s->ended = true;
		s->changed_ns = rec->time_ns;
		r->some_ended = true;
	}
	return 0;
}

static int end_one(void *ctx, struct policy_replay_session *s)
{
	struct policy_replay *r = ctx;

	if (!s->ended)
		s->changed_ns = r->last_ns;
	s->ended = true;
	r->some_ended = true;
	return 0;
}

/* ---- grants ---- */

/* Where it stands or would stand: they come in order, so mostly at the end. */
static size_t grant_place(const struct policy_replay *r, uint64_t number)
{
	size_t low = 0, high = r->grants;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (r->grant[middle].number < number)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static struct policy_replay_grant *grant_find(const struct policy_replay *r, uint64_t number)
{
	size_t at = grant_place(r, number);

	return number && at < r->grants && r->grant[at].number == number ? &r->grant[at] : NULL;
}

const struct policy_replay_grant *policy_replay_grant(const struct policy_replay *r,
						      uint64_t number)
{
	return grant_find(r, number);
}

size_t policy_replay_grants(const struct policy_replay *r)
{
	return r->grants;
}

const struct policy_replay_grant *policy_replay_grant_at(const struct policy_replay *r, size_t i)
{
	return i < r->grants ? &r->grant[i] : NULL;
}

bool policy_replay_grant_open(const struct policy_replay_grant *g, int64_t time_ns)
{
	return g->from_ns <= time_ns && time_ns < g->until_ns &&
	       (!g->ended_ns || time_ns < g->ended_ns);
}

static int grant_begin(struct policy_replay *r, const struct policy_record *rec)
{
	size_t at = grant_place(r, rec->grant);
	struct policy_replay_grant *g;

	if (!rec->grant)
		return 0;
	if (at == r->grants || r->grant[at].number != rec->grant) {
		if (r->grants == r->grant_cap) {
			size_t cap = r->grant_cap ? 2 * r->grant_cap : 16;

			g = reallocarray(r->grant, cap, sizeof(*g));
			if (!g)
				return -ENOMEM;
			r->grant = g;
			r->grant_cap = cap;
		}
		memmove(&r->grant[at + 1], &r->grant[at], (r->grants - at) * sizeof(*g));
		r->grants++;
	}
	/* A number that is given out a second time: the vault was put back. The newer one counts.
	 */
	g = &r->grant[at];
	*g = (struct policy_replay_grant){.number = rec->grant,
					  .practitioner = rec->practitioner,
					  .journal = rec->journal,
					  .from_ns = rec->time_ns,
					  .until_ns = rec->until_ns};
	g->past_block = strstr(rec->detail, "PAST THE PATIENT'S BLOCK") != NULL;
	memcpy(g->who, rec->who, sizeof(g->who));
	memcpy(g->journal_name, rec->journal_name, sizeof(g->journal_name));
	policy_record_copy(g->reason, sizeof(g->reason), rec->reason);
	return 0;
}

static void grant_end(struct policy_replay *r, const struct policy_record *rec)
{
	struct policy_replay_grant *g = grant_find(r, rec->grant);

	if (!g || g->ended_ns)
		return;
	g->ended_ns = rec->time_ns;
	policy_record_copy(g->end, sizeof(g->end), rec->detail);
}

static void grant_review(struct policy_replay *r, const struct policy_record *rec)
{
	struct policy_replay_grant *g = grant_find(r, rec->grant);

	if (!g)
		return;
	if (strstr(rec->detail, ": justified"))
		g->review = POLICY_REPLAY_JUSTIFIED;
	else if (strstr(rec->detail, " is closed"))
		g->review = POLICY_REPLAY_SETTLED;
	else
		g->review = POLICY_REPLAY_UNJUSTIFIED;
}

/* ---- a step ---- */

static enum policy_replay_turn step_daemon(struct policy_replay *r, const struct policy_record *rec)
{
	bool was = r->up && r->seen;

	r->up = rec->kind != POLICY_RECORD_STOP;
	r->seen = true;
	if (rec->kind == POLICY_RECORD_STOP) {
		(void)policy_replay_each(r, end_one, r);
		return POLICY_REPLAY_STOP;
	}
	if (rec->kind != POLICY_RECORD_START)
		return POLICY_REPLAY_ON;
	r->begun = true;
	(void)policy_replay_each(r, end_one, r);
	return was ? POLICY_REPLAY_UNCLEAN : POLICY_REPLAY_START;
}

int policy_replay_step(struct policy_replay *r, const struct policy_record *rec,
		       enum policy_replay_turn *turn)
{
	int rc = 0;

	if (r->some_ended)
		drop(r, false, rec->time_ns - KEPT_NS);
	r->missing = r->last_seq && rec->seq > r->last_seq + 1 ? rec->seq - r->last_seq - 1 : 0;
	r->last_seq = rec->seq;
	if (r->missing)
		r->begun = false;
	*turn = step_daemon(r, rec);
	r->last_ns = rec->time_ns;
	if (rec->policy_version > r->version) {
		r->version = rec->policy_version;
		r->version_ns = rec->time_ns;
	}
	rc = step_session(r, rec);
	if (!rc && rec->kind == POLICY_RECORD_BREAK_GLASS)
		rc = grant_begin(r, rec);
	else if (rec->kind == POLICY_RECORD_BREAK_GLASS_END)
		grant_end(r, rec);
	else if (rec->kind == POLICY_RECORD_GRANT_REVIEW)
		grant_review(r, rec);
	return rc;
}

bool policy_replay_removes(const struct policy_record *rec)
{
	return rec->kind == POLICY_RECORD_JOURNAL &&
	       !strcmp(rec->detail, "the journal, which is empty, is removed");
}

bool policy_replay_up(const struct policy_replay *r)
{
	return r->up;
}

bool policy_replay_begun(const struct policy_replay *r)
{
	return r->begun;
}

uint32_t policy_replay_version(const struct policy_replay *r, int64_t *since_ns)
{
	*since_ns = r->version_ns;
	return r->version;
}

int64_t policy_replay_last(const struct policy_replay *r)
{
	return r->last_ns;
}

uint64_t policy_replay_missing(const struct policy_replay *r)
{
	return r->missing;
}
