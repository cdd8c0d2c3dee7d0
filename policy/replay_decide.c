/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy/replay_decide.c - each decision in the log taken again.
 *
 * Where it is not known which rights were asked, every possibility is decided, and the words of the
 * record's rule tell which it was. An answer that differs is tried again with the version before or
 * after, and a moment earlier, where that changed within EDGE_S.
 *
 * Invariants:
 *  1. A difference is reported only when no moment within EDGE_S gives the record's answer.
 *  2. An act in a journal is never judged without that journal's policy.
 *  3. A repeat that was counted (count) may be a minute older than its record, or written at the
 *     end of its session: it is judged with that much leeway.
 * Locks: none; one thread.
 */
#include "replay_decide.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "replay_asked.h"

#define NS_PER_S INT64_C(1000000000)
#define EDGE_S 2
#define REPEAT_S 180 /* a counted repeat is written that long after its first at most */

struct policy_redoing {
	struct policy_past *past;
	struct policy_replay *replay;
};

/* One way to have decided. */
struct moment {
	uint32_t version;
	int64_t now_s;
};

/* What decides, as it stands at one moment; or under a draft. */
struct bench {
	const struct policy_practice *practice;
	const struct policy_journal *journal; /* NULL: it has no policy */
	const struct policy_grant *grant;
	int64_t now_s;
};

enum answer {
	ANSWER_OTHERWISE, /* not what the record says */
	ANSWER_GROUND,	  /* that, on another ground */
	ANSWER_SAME,
	ANSWER_UNKNOWN
};

static const struct {
	const char *word, *text;
	bool alarms;
} findings[POLICY_REDO_FINDINGS] = {
	[POLICY_REDO_NONE] = {"none", "carries no decision", false},
	[POLICY_REDO_SAME] = {"same", "decided as the policy says", false},
	[POLICY_REDO_EDGE] = {"edge", "decided as the policy said within seconds of a change",
			      false},
	[POLICY_REDO_OTHER] = {"other-reason", "refused for what policy does not decide", false},
	[POLICY_REDO_UNKNOWN] =
		{"unknown-version",
		 "the policy version it names is not known, or not for this journal", false},
	[POLICY_REDO_GROUND] = {"other-ground", "the same answer, for another reason than recorded",
				false},
	[POLICY_REDO_REFUSED] = {"refused-against-policy",
				 "refused, though the policy in force allowed it", true},
	[POLICY_REDO_ALLOWED] = {"allowed-against-policy",
				 "allowed, though the policy in force refused it", true},
	[POLICY_REDO_STALE] =
		{"replaced-version",
		 "allowed by a version that had been replaced; the one in force refused "
		 "it",
		 true},
	[POLICY_REDO_GRANT] = {"grant-not-open", "done under an emergency access that was not open",
			       true},
	[POLICY_REDO_SESSION] = {"no-session",
				 "done in a session that was not logged in, or was locked", true},
};

const char *policy_redo_word(enum policy_redo_finding f)
{
	return findings[f < POLICY_REDO_FINDINGS ? f : POLICY_REDO_NONE].word;
}

const char *policy_redo_text(enum policy_redo_finding f)
{
	return findings[f < POLICY_REDO_FINDINGS ? f : POLICY_REDO_NONE].text;
}

bool policy_redo_alarms(enum policy_redo_finding f)
{
	return f < POLICY_REDO_FINDINGS && findings[f].alarms;
}

int policy_redoing_new(struct policy_past *past, struct policy_redoing **out)
{
	struct policy_redoing *d = calloc(1, sizeof(*d));
	int rc = d ? policy_replay_new(&d->replay) : -ENOMEM;

	if (rc) {
		free(d);
		return rc;
	}
	d->past = past;
	*out = d;
	return 0;
}

void policy_redoing_free(struct policy_redoing *d)
{
	if (!d)
		return;
	policy_replay_free(d->replay);
	free(d);
}

const struct policy_replay *policy_redoing_replay(const struct policy_redoing *d)
{
	return d->replay;
}

/* ---- one question ---- */

/* By an emergency grant writing is let through to who may only make drafts: the note is looked at
 * later. */
static bool holds(const struct policy_verdict *v, uint32_t rights)
{
	const uint32_t both = POLICY_WRITE | POLICY_DRAFT;

	if (!rights)
		return v->visible;
	if (v->answer == POLICY_ALLOW)
		return true;
	return rights & POLICY_WRITE && (v->rights & both) == POLICY_DRAFT &&
	       !(rights & ~(v->rights | POLICY_WRITE));
}

/* The account alone. */
static bool active(const struct policy_verdict *v)
{
	return v->ground != POLICY_GROUND_STATUS && v->ground != POLICY_GROUND_UNKNOWN;
}

static bool ask(const struct bench *b, const struct policy_asked *a, const char *who,
		uint32_t rights, char rule[static POLICY_RECORD_TEXT])
{
	struct policy_question q = {
		.practice = b->practice, .who = who, .rights = rights, .now_s = b->now_s};
	struct policy_verdict v;

	if (a->what == POLICY_ASKED_JOURNAL) {
		q.journal = b->journal;
		q.grant = b->grant;
	}
	policy_decide(&q, &v);
	policy_verdict_text(&q, &v, rule, POLICY_RECORD_TEXT);
	return a->what == POLICY_ASKED_STATUS ? active(&v) : holds(&v, rights);
}

/* A block that the clinician passed in a step of its own, or did not. */
static bool block_passed(const struct bench *b, const struct policy_asked *a, const char *who,
			 char rule[static POLICY_RECORD_TEXT])
{
	struct policy_question q = {.practice = b->practice,
				    .journal = b->journal,
				    .who = who,
				    .rights = POLICY_READ,
				    .now_s = b->now_s};
	struct policy_verdict v;

	policy_decide(&q, &v);
	if (!v.blocked || a->past_block)
		return true;
	policy_verdict_text(&q, &v, rule, POLICY_RECORD_TEXT);
	return false;
}

/* Is one enough, of rights that are alternatives; is it known which were asked. */
static bool any_allowed(const struct bench *b, const struct policy_asked *a, const char *who,
			char rule[static POLICY_RECORD_TEXT])
{
	bool any = a->what == POLICY_ASKED_STATUS && ask(b, a, who, 0, rule);

	for (size_t i = 0; i < a->n && !any; i++)
		any = ask(b, a, who, a->rights[i], rule);
	return any;
}

/* Does this bench come to the record's answer? The rule is that of what fits best, or of the first.
 */
static enum answer judge_at(const struct bench *b, const struct policy_asked *a,
			    const struct policy_record *r, char rule[static POLICY_RECORD_TEXT])
{
	enum answer best = ANSWER_OTHERWISE;
	char words[POLICY_RECORD_TEXT];

	if (a->what == POLICY_ASKED_STATUS || a->either) {
		bool is = any_allowed(b, a, r->who, rule);

		if (is && r->kind == POLICY_RECORD_BREAK_GLASS)
			is = block_passed(b, a, r->who, rule);
		return is == a->allowed ? ANSWER_SAME : ANSWER_OTHERWISE;
	}
	for (size_t i = 0; i < a->n; i++) {
		bool is = ask(b, a, r->who, a->rights[i], words);
		bool same = !a->rule || !strcmp(words, a->rule);
		enum answer now = is != a->allowed ? ANSWER_OTHERWISE
				  : same	   ? ANSWER_SAME
						   : ANSWER_GROUND;

		/* The words are those of a question with the other answer: that was asked. */
		if (!i || now > best || (now == best && same && a->rule)) {
			memcpy(rule, words, sizeof(words));
			best = now > best ? now : best;
		}
		if (best == ANSWER_SAME)
			break;
	}
	return best;
}

/* ---- at a moment ---- */

static const struct policy_grant *grant_of(const struct policy_redoing *d,
					   const struct policy_record *r, struct policy_grant *out)
{
	const struct policy_replay_grant *g = policy_replay_grant(d->replay, r->grant);

	if (!r->grant || !g)
		return NULL;
	/* Begun by wall clock or not is judged by itself; as in fs/break_glass_grants.c. */
	*out = (struct policy_grant){.number = g->number,
				     .from_s = INT64_MIN,
				     .until_s = g->until_ns / NS_PER_S,
				     .past_block = g->past_block};
	return out;
}

static bool needs_journal(const struct policy_asked *a, const struct policy_record *r)
{
	return a->what == POLICY_ASKED_JOURNAL ||
	       (r->kind == POLICY_RECORD_BREAK_GLASS && a->what != POLICY_ASKED_NOTHING);
}

/* ANSWER_UNKNOWN, or -ENOMEM, or an answer. */
static int judge_moment(struct policy_redoing *d, const struct moment *m,
			const struct policy_asked *a, const struct policy_record *r,
			char rule[static POLICY_RECORD_TEXT])
{
	struct policy_practice *practice = NULL;
	struct policy_journal *journal = NULL;
	struct policy_grant grant;
	struct bench b = {.now_s = m->now_s, .grant = grant_of(d, r, &grant)};
	int rc = policy_past_get(d->past, m->version, needs_journal(a, r) ? r->journal : 0,
				 &practice, &journal);

	if (rc)
		return rc == -ENOMEM ? rc : ANSWER_UNKNOWN;
	b.practice = practice;
	b.journal = journal;
	rc = needs_journal(a, r) && !journal ? ANSWER_UNKNOWN : (int)judge_at(&b, a, r, rule);
	policy_practice_put(practice);
	policy_journal_put(journal);
	return rc;
}

/* The place in the past of the first change after the version. */
static size_t place_of(const struct policy_past *past, uint32_t version)
{
	size_t low = 0, high = policy_past_count(past);

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (policy_past_at(past, middle)->version <= version)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool near(int64_t a_s, int64_t b_s, int64_t edge_s)
{
	return a_s > b_s ? a_s - b_s <= edge_s : b_s - a_s <= edge_s;
}

#define BESIDE 4 /* versions, at most */
#define MOMENTS (2 + 2 * BESIDE)
#define LOOKED 64u /* changes that are looked at in each direction */

static bool concerns(const struct policy_past_change *c, const struct policy_record *r)
{
	return !c->journal || c->journal == r->journal;
}

/* The versions before and after the changes of this decision's policies that were made just then.
 */
static size_t beside(const struct policy_redoing *d, const struct policy_record *r, int64_t now_s,
		     int64_t edge_s, uint32_t out[static BESIDE])
{
	size_t at = place_of(d->past, r->policy_version), n = 0;
	const struct policy_past_change *c;

	for (size_t i = at; i > 1 && at - i < LOOKED && n < BESIDE / 2; i--) {
		c = policy_past_at(d->past, i - 1);
		if (!near(c->time_s, now_s, edge_s))
			break;
		if (concerns(c, r))
			out[n++] = policy_past_at(d->past, i - 2)->version;
	}
	for (size_t i = at; i - at < LOOKED && n < BESIDE; i++) {
		c = policy_past_at(d->past, i);
		if (!c || !near(c->time_s, now_s, edge_s))
			break;
		if (concerns(c, r))
			out[n++] = c->version;
	}
	return n;
}

/* Where else the decision may have been taken: the versions beside, and a moment before. */
static size_t other_moments(const struct policy_redoing *d, const struct policy_record *r,
			    struct moment out[static MOMENTS])
{
	int64_t now = r->time_ns / NS_PER_S, edge = r->count ? REPEAT_S : EDGE_S;
	uint32_t versions[BESIDE];
	size_t n = 0, k = beside(d, r, now, edge, versions);

	out[n++] = (struct moment){r->policy_version, now - EDGE_S};
	out[n++] = (struct moment){r->policy_version, now - edge};
	while (k--) {
		out[n++] = (struct moment){versions[k], now};
		out[n++] = (struct moment){versions[k], now - edge};
	}
	return n;
}

static bool version_known(const struct policy_redoing *d, uint32_t version)
{
	size_t n = policy_past_count(d->past);

	return version && n && version <= policy_past_at(d->past, n - 1)->version;
}

static enum policy_redo_finding otherwise(const struct policy_asked *a)
{
	return a->allowed ? POLICY_REDO_ALLOWED : POLICY_REDO_REFUSED;
}

static int decide(struct policy_redoing *d, const struct policy_asked *a,
		  const struct policy_record *r, struct policy_redo *out)
{
	struct moment m = {r->policy_version, r->time_ns / NS_PER_S}, others[MOMENTS];
	char rule[POLICY_RECORD_TEXT];
	int now = version_known(d, r->policy_version) ? judge_moment(d, &m, a, r, out->rule)
						      : ANSWER_UNKNOWN;
	size_t n;

	if (now < 0)
		return now;
	if (now == ANSWER_SAME || now == ANSWER_UNKNOWN) {
		out->finding = now == ANSWER_SAME ? POLICY_REDO_SAME : POLICY_REDO_UNKNOWN;
		return 0;
	}
	out->finding = now == ANSWER_GROUND ? POLICY_REDO_GROUND : otherwise(a);
	n = other_moments(d, r, others);
	for (size_t i = 0; i < n; i++) {
		int then = judge_moment(d, &others[i], a, r, rule);

		if (then < 0)
			return then;
		if (then != ANSWER_SAME && (then != ANSWER_GROUND || now == ANSWER_GROUND))
			continue;
		out->finding = POLICY_REDO_EDGE;
		break;
	}
	return 0;
}

/* ---- what is judged besides ---- */

/* When the version that the record names had been replaced, for longer than a moment; 0: it had
 * not. */
static uint32_t replaced_by(const struct policy_redoing *d, const struct policy_record *r)
{
	int64_t now = r->time_ns / NS_PER_S, edge = r->count ? REPEAT_S : EDGE_S, since_ns;
	uint32_t highest = policy_replay_version(d->replay, &since_ns);
	const struct policy_past_change *next =
		policy_past_at(d->past, place_of(d->past, r->policy_version));
	uint32_t by = 0;

	if (highest > r->policy_version && since_ns / NS_PER_S + edge < now)
		by = highest;
	/* No record may have named it yet. Of a clock that was set back nothing follows. */
	if (next && next->time_s + edge < now) {
		uint32_t in_force = policy_past_version(d->past, now - edge);

		by = in_force > by ? in_force : by;
	}
	return by > r->policy_version ? by : 0;
}

static int check_stale(struct policy_redoing *d, const struct policy_asked *a,
		       const struct policy_record *r, struct policy_redo *out)
{
	struct moment m = {replaced_by(d, r), r->time_ns / NS_PER_S};
	char rule[POLICY_RECORD_TEXT];
	int then;

	if (!m.version || !a->allowed)
		return 0;
	then = judge_moment(d, &m, a, r, rule);
	if (then == ANSWER_OTHERWISE) {
		out->finding = POLICY_REDO_STALE;
		memcpy(out->rule, rule, sizeof(rule));
	}
	return then < 0 ? then : 0;
}

/* Of acts the grant is their own; of others (ends, reviews) it is what they speak of. */
static bool under_grant(const struct policy_record *r)
{
	return r->grant && r->kind != POLICY_RECORD_BREAK_GLASS &&
	       r->kind != POLICY_RECORD_BREAK_GLASS_END && r->kind != POLICY_RECORD_GRANT_REVIEW &&
	       r->kind != POLICY_RECORD_NOTICE && r->kind != POLICY_RECORD_AUDIT &&
	       r->kind != POLICY_RECORD_KEYS && r->kind != POLICY_RECORD_CLOSE;
}

static bool grant_in_order(const struct policy_redoing *d, const struct policy_record *r)
{
	const struct policy_replay_grant *g = policy_replay_grant(d->replay, r->grant);
	int64_t edge_ns = (r->count ? REPEAT_S : EDGE_S) * NS_PER_S;

	/* Begun before what was read: nothing is known of it. */
	if (!g)
		return !policy_replay_begun(d->replay);
	return g->practitioner == r->practitioner && g->journal == r->journal &&
	       g->from_ns - edge_ns <= r->time_ns && r->time_ns < g->until_ns + edge_ns &&
	       (!g->ended_ns || r->time_ns < g->ended_ns + edge_ns);
}

/*
 * Acts come from a session that is logged in. What was opened before is closed, and what was
 * counted is written, when it is over or locked.
 */
static bool session_in_order(const struct policy_redoing *d, const struct policy_record *r)
{
	const struct policy_replay_session *s = policy_replay_session(d->replay, r);

	/* Another's name on somebody's session. */
	if (s && (s->practitioner != r->practitioner || strcmp(s->who, r->who) != 0))
		return false;
	if (!s)
		return !r->practitioner || !policy_replay_begun(d->replay);
	if (r->kind == POLICY_RECORD_LOGIN || r->kind == POLICY_RECORD_UNLOCK ||
	    r->kind == POLICY_RECORD_LOGOUT || r->count)
		return true;
	if (s->assumed && policy_replay_begun(d->replay))
		return false;
	return (!s->locked && !s->ended) || r->time_ns < s->changed_ns + EDGE_S * NS_PER_S;
}

static int judge(struct policy_redoing *d, const struct policy_record *r,
		 const struct policy_asked *a, struct policy_redo *out)
{
	int rc = decide(d, a, r, out);

	if (!rc && out->finding != POLICY_REDO_UNKNOWN && out->finding != POLICY_REDO_ALLOWED)
		rc = check_stale(d, a, r, out);
	if (rc || !a->allowed)
		return rc;
	if (under_grant(r) && !grant_in_order(d, r))
		out->finding = POLICY_REDO_GRANT;
	if (!session_in_order(d, r))
		out->finding = POLICY_REDO_SESSION;
	return 0;
}

int policy_redoing_skip(struct policy_redoing *d, const struct policy_record *r)
{
	enum policy_replay_turn turn;

	return policy_replay_step(d->replay, r, &turn);
}

int policy_redoing_judge(struct policy_redoing *d, const struct policy_record *r,
			 struct policy_redo *out)
{
	struct policy_asked a;
	int rc = policy_redoing_skip(d, r);

	*out = (struct policy_redo){.finding = POLICY_REDO_NONE};
	if (rc)
		return rc;
	policy_asked_of(r, &a);
	out->allowed = a.allowed;
	out->other = a.other;
	if (a.other)
		out->finding = POLICY_REDO_OTHER;
	if (a.what == POLICY_ASKED_NOTHING)
		return 0;
	return judge(d, r, &a, out);
}

/* ---- a draft ---- */

static int draft_bench(struct policy_redoing *d, const struct policy_record *r,
		       const struct policy_redo_draft *draft, bool in_journal,
		       struct policy_practice **practice, struct policy_journal **journal,
		       struct bench *b)
{
	int rc = policy_past_get(d->past, r->policy_version, in_journal ? r->journal : 0, practice,
				 journal);

	if (rc && rc != -ENOENT && rc != -EINVAL)
		return rc;
	b->practice = draft->practice ? draft->practice : *practice;
	b->journal = in_journal && draft->journal && r->journal_name[0]
			     ? draft->journal(draft->ctx, r->journal_name)
			     : NULL;
	if (!b->journal)
		b->journal = *journal;
	return 0;
}

/* Would this be allowed now? Of what may have been asked, the one that the record's rule speaks of.
 */
static bool allowed_by(const struct bench *b, const struct bench *then,
		       const struct policy_asked *a, const struct policy_record *r,
		       char rule[static POLICY_RECORD_TEXT])
{
	char words[POLICY_RECORD_TEXT];

	if (a->what == POLICY_ASKED_STATUS || a->either)
		return any_allowed(b, a, r->who, rule) &&
		       (r->kind != POLICY_RECORD_BREAK_GLASS || block_passed(b, a, r->who, rule));
	for (size_t i = 0; i < a->n; i++) {
		bool was = then->practice && then->journal &&
			   ask(then, a, r->who, a->rights[i], words);

		if (then->practice && then->journal &&
		    (was != a->allowed || (a->rule && strcmp(words, a->rule) != 0)))
			continue;
		return ask(b, a, r->who, a->rights[i], rule);
	}
	return a->n && ask(b, a, r->who, a->rights[0], rule);
}

int policy_redoing_draft(struct policy_redoing *d, const struct policy_record *r,
			 const struct policy_redo_draft *draft, enum policy_redo_change *change,
			 char rule[static POLICY_RECORD_TEXT])
{
	struct policy_practice *practice = NULL;
	struct policy_journal *journal = NULL;
	struct policy_grant grant;
	struct policy_asked a;
	struct bench b = {.now_s = r->time_ns / NS_PER_S, .grant = grant_of(d, r, &grant)},
		     then = b;
	bool in_journal, now;
	int rc;

	*change = POLICY_DRAFT_SAME;
	rule[0] = '\0';
	policy_asked_of(r, &a);
	if (a.what == POLICY_ASKED_NOTHING)
		return 0;
	in_journal = needs_journal(&a, r);
	rc = draft_bench(d, r, draft, in_journal, &practice, &journal, &b);
	then.practice = practice;
	then.journal = journal;
	if (!rc && b.practice && (!in_journal || b.journal)) {
		now = allowed_by(&b, &then, &a, r, rule);
		if (now != a.allowed)
			*change = now ? POLICY_DRAFT_ALLOWS : POLICY_DRAFT_REFUSES;
	}
	policy_practice_put(practice);
	policy_journal_put(journal);
	return rc;
}
