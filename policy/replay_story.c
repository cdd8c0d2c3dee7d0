/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy/replay_story.c - the log told as a story.
 *
 * Each session that is logged in has a stretch: its acts, merged, since it was told last. A stretch
 * is over when the session ends, when it was quiet for QUIET_NS, after LONGEST_NS, or when it holds
 * ACTS_MOST. It is told when no stretch that is still open began before it, so that the story goes
 * on in the order in which things began.
 *
 * Invariants:
 *  1. `done` is sorted by the time when a stretch began; none in it is told before an open one that
 *     began earlier.
 *  2. Every stretch has been told when a start is, since it ends all sessions.
 * Locks: none; one thread.
 */
#include "replay_story_impl.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MIN_NS (60 * INT64_C(1000000000))
#define QUIET_NS (10 * MIN_NS)
#define LONGEST_NS (30 * MIN_NS)
#define ACTS_MOST 400u
#define NAMES 4096u /* of notes, remembered; the newer one of two that share a place */

/* What a session has besides what the replay knows. */
struct own {
	struct policy_stretch *open; /* NULL: nothing since it was told last */
	struct policy_story_cover *cover;
};

/* How notes were called last: refusals on an open file know only its number. */
struct note_name {
	uint32_t journal;
	uint64_t note;
	char *name;
};

struct policy_story {
	struct policy_story_out out;
	struct policy_replay *replay;
	struct policy_stretch *done;
	int64_t looked_ns; /* for quiet sessions */
	char day[64];
	struct note_name names[NAMES];
	struct policy_record named; /* the record at hand, with the note's name */
	struct policy_story_words words;
};

int policy_story_new(const struct policy_story_out *out, struct policy_story **story)
{
	struct policy_story *s = calloc(1, sizeof(*s));
	int rc = s ? policy_replay_new(&s->replay) : -ENOMEM;

	if (rc) {
		free(s);
		return rc;
	}
	s->out = *out;
	*story = s;
	return 0;
}

static void own_free(struct policy_replay_session *session)
{
	struct own *own = session->own;

	if (!own)
		return;
	policy_stretch_free(own->open);
	policy_story_cover_free(own->cover);
	free(own);
	session->own = NULL;
}

static int forget(void *ctx, struct policy_replay_session *session)
{
	(void)ctx;
	own_free(session);
	return 0;
}

void policy_story_free(struct policy_story *s)
{
	if (!s)
		return;
	(void)policy_replay_each(s->replay, forget, NULL);
	while (s->done) {
		struct policy_stretch *t = s->done;

		s->done = t->next;
		policy_stretch_free(t);
	}
	for (unsigned i = 0; i < NAMES; i++)
		free(s->names[i].name);
	policy_replay_free(s->replay);
	free(s);
}

/* ---- names of notes ---- */

static int remember(struct policy_story *s, const struct policy_record *r)
{
	struct note_name *n = &s->names[(r->journal * 31u + r->note) % NAMES];
	const char *name = r->kind == POLICY_RECORD_RENAME ? r->name2 : r->name;

	if (!r->journal || !r->note || !name[0] || r->kind == POLICY_RECORD_REFUSED)
		return 0;
	if (n->journal == r->journal && n->note == r->note && !strcmp(n->name, name))
		return 0;
	free(n->name);
	*n = (struct note_name){r->journal, r->note, strdup(name)};
	if (n->name)
		return 0;
	*n = (struct note_name){.name = NULL};
	return -ENOMEM;
}

/* The same record, with the name of its note where only the number stands and it is known. */
static const struct policy_record *with_name(struct policy_story *s, const struct policy_record *r)
{
	const struct note_name *n = &s->names[(r->journal * 31u + r->note) % NAMES];

	if (r->kind != POLICY_RECORD_REFUSED || !r->note || r->name[0] || !n->name ||
	    n->journal != r->journal || n->note != r->note)
		return r;
	s->named = *r;
	policy_record_copy(s->named.name, sizeof(s->named.name), n->name);
	return &s->named;
}

/* ---- in order ---- */

static int tell_day(struct policy_story *s, int64_t time_ns)
{
	char day[64] = "";

	s->out.day(time_ns, day);
	if (!strcmp(day, s->day))
		return 0;
	memcpy(s->day, day, sizeof(day));
	return s->out.line(s->out.ctx, POLICY_STORY_DAY, time_ns, day);
}

static int tell(struct policy_story *s, const struct policy_stretch *t)
{
	int rc = tell_day(s, t->from_ns);

	return rc ? rc : policy_stretch_tell(t, &s->out);
}

static void finish(struct policy_story *s, struct policy_stretch *t)
{
	struct policy_stretch **at = &s->done;

	while (*at && (*at)->from_ns <= t->from_ns)
		at = &(*at)->next;
	t->next = *at;
	*at = t;
}

static int earliest(void *ctx, struct policy_replay_session *session)
{
	const struct own *own = session->own;
	int64_t *first = ctx;

	if (own && own->open && own->open->from_ns < *first)
		*first = own->open->from_ns;
	return 0;
}

/* All that no open stretch can come before. */
static int tell_done(struct policy_story *s)
{
	int64_t first = INT64_MAX;
	int rc = 0;

	if (!s->done)
		return 0;
	(void)policy_replay_each(s->replay, earliest, &first);
	while (s->done && s->done->from_ns <= first && !rc) {
		struct policy_stretch *t = s->done;

		s->done = t->next;
		rc = tell(s, t);
		policy_stretch_free(t);
	}
	return rc;
}

static void finish_open(struct policy_story *s, struct policy_replay_session *session)
{
	struct own *own = session->own;

	if (own && own->open)
		finish(s, own->open);
	if (own)
		own->open = NULL;
}

struct looking {
	struct policy_story *s;
	int64_t now_ns;
};

static int look_quiet(void *ctx, struct policy_replay_session *session)
{
	struct looking *l = ctx;
	const struct own *own = session->own;

	if (own && own->open &&
	    (l->now_ns - own->open->to_ns > QUIET_NS ||
	     l->now_ns - own->open->from_ns > LONGEST_NS))
		finish_open(l->s, session);
	return 0;
}

static int look(struct policy_story *s, int64_t now_ns)
{
	struct looking l = {s, now_ns};

	if (now_ns - s->looked_ns < MIN_NS && now_ns >= s->looked_ns)
		return 0;
	s->looked_ns = now_ns;
	(void)policy_replay_each(s->replay, look_quiet, &l);
	return tell_done(s);
}

/* ---- sessions ---- */

static int own_of(struct policy_replay_session *session, struct own **out)
{
	struct own *own = session->own;
	int rc = 0;

	if (!own) {
		own = calloc(1, sizeof(*own));
		rc = own ? policy_story_cover_new(&own->cover) : -ENOMEM;
		if (rc) {
			free(own);
			return rc;
		}
		session->own = own;
	}
	*out = own;
	return 0;
}

static void put_session(struct policy_writer *w, const struct policy_replay_session *s)
{
	policy_story_who(w, s->who, s->role, s->unit);
	if (s->origin[0]) {
		policy_writer_text(w, " at ");
		policy_writer_name(w, s->origin);
	}
	policy_writer_format(w, ", session %02x%02x%02x%02x", s->id[0], s->id[1], s->id[2],
			     s->id[3]);
}

static int stretch_of(struct policy_replay_session *session, struct own *own, int64_t time_ns)
{
	char text[POLICY_STORY_LINE];
	struct policy_writer w = {.out = text, .cap = sizeof(text)};

	if (own->open)
		return 0;
	put_session(&w, session);
	(void)policy_writer_end(&w);
	own->open = policy_stretch_new(POLICY_STORY_WHO, time_ns, text);
	return own->open ? 0 : -ENOMEM;
}

static int covered(struct own *own, const struct policy_record *r)
{
	if (r->kind == POLICY_RECORD_INTENT)
		return policy_story_cover_add(own->cover, r);
	if (r->kind == POLICY_RECORD_OPEN || r->kind == POLICY_RECORD_CREATE)
		policy_story_cover_opened(own->cover, r->journal, r->note);
	return 0;
}

static int session_act(struct policy_story *s, struct policy_replay_session *session,
		       const struct policy_record *r)
{
	struct own *own = NULL;
	int rc = own_of(session, &own);

	if (!rc)
		rc = covered(own, r);
	if (rc || r->kind == POLICY_RECORD_INTENT)
		return rc;
	rc = stretch_of(session, own, r->time_ns);
	if (rc)
		return rc;
	r = with_name(s, r);
	policy_story_words(r, s->out.clock, &s->words);
	return policy_stretch_add(own->open, r, &s->words);
}

/* Of a session that is not told nothing is kept; and nothing is left behind by one that is over. */
static int step_session(struct policy_story *s, struct policy_replay_session *session,
			const struct policy_record *r, bool shown)
{
	const struct own *own;
	int rc = shown ? session_act(s, session, r) : 0;

	own = session->own;
	if (rc || !own)
		return rc;
	if (session->ended || (own->open && own->open->acts >= ACTS_MOST)) {
		finish_open(s, session);
		rc = tell_done(s);
	}
	if (session->ended)
		own_free(session);
	return rc;
}

/* ---- of nobody's session ---- */

static int tell_alone(struct policy_story *s, enum policy_story_kind kind, int64_t time_ns,
		      const char *text)
{
	struct policy_stretch *t = policy_stretch_new(kind, time_ns, text);

	if (!t)
		return -ENOMEM;
	finish(s, t);
	return tell_done(s);
}

/* Of somebody all the same: a refused log-in, a grant that expired. */
static int step_alone(struct policy_story *s, const struct policy_record *r)
{
	char text[POLICY_STORY_LINE];
	struct policy_writer w = {.out = text, .cap = sizeof(text)};

	policy_story_words(r, s->out.clock, &s->words);
	if (r->who[0]) {
		policy_story_who(&w, r->who, r->role, r->unit);
		policy_writer_text(&w, " ");
	}
	if (s->words.verb) {
		policy_writer_text(&w, s->words.verb);
		policy_writer_text(&w, " ");
	}
	policy_writer_text(&w, s->words.text);
	if (s->words.where) {
		policy_writer_text(&w, " - ");
		policy_story_where(&w, r);
	}
	if (r->origin[0]) {
		policy_writer_text(&w, ", from ");
		policy_writer_name(&w, r->origin);
	}
	(void)policy_writer_end(&w);
	return tell_alone(s,
			  r->kind == POLICY_RECORD_ALARM ? POLICY_STORY_ALARM : POLICY_STORY_VAULT,
			  r->time_ns, text);
}

/* ---- the daemon ---- */

struct cutting {
	struct policy_story *s;
	struct policy_stretch *t;
	int64_t at_ns;
};

static int add_text(void *ctx, const char *text)
{
	struct cutting *c = ctx;
	struct policy_record r = {.time_ns = c->at_ns};
	struct policy_story_words words = {.text = text};

	return policy_stretch_add(c->t, &r, &words);
}

/* The daemon died under this session. */
static int cut(void *ctx, struct policy_replay_session *session)
{
	struct cutting *c = ctx;
	struct own *own = session->own;
	int rc;

	/* One of which nothing was told has no stretch to begin now: it is not shown. */
	if (!own || session->ended || !session->who[0])
		return 0;
	rc = stretch_of(session, own, c->at_ns);
	if (rc)
		return rc;
	c->t = own->open;
	rc = add_text(c, "is cut off: the daemon ended without a word");
	if (!rc)
		rc = policy_story_cover_tell(own->cover, c->at_ns, add_text, c);
	return rc;
}

static int finish_one(void *ctx, struct policy_replay_session *session)
{
	finish_open(ctx, session);
	own_free(session);
	return 0;
}

/* Before the replay knows of the start, which ends all sessions. */
static int before_start(struct policy_story *s, const struct policy_record *r)
{
	struct cutting c = {.s = s, .at_ns = policy_replay_last(s->replay)};
	int rc = 0;

	(void)r;
	if (policy_replay_up(s->replay) && c.at_ns)
		rc = policy_replay_each(s->replay, cut, &c);
	(void)policy_replay_each(s->replay, finish_one, s);
	return rc ? rc : tell_done(s);
}

static int step_start(struct policy_story *s, const struct policy_record *r, int64_t last_ns,
		      bool unclean)
{
	char text[POLICY_STORY_LINE];
	struct policy_writer w = {.out = text, .cap = sizeof(text)};

	policy_writer_text(&w, "the daemon starts");
	if (unclean)
		policy_writer_text(&w,
				   ", after it had ended without a word (killed, or power failed)");
	if (last_ns) {
		policy_writer_text(&w, unclean ? "; nothing is known of " : "; it was down for ");
		policy_story_span(&w, r->time_ns - last_ns);
	}
	(void)policy_writer_end(&w);
	return tell_alone(s, unclean ? POLICY_STORY_ALARM : POLICY_STORY_VAULT, r->time_ns, text);
}

static int tell_missing(struct policy_story *s, int64_t time_ns)
{
	char text[160];
	struct policy_writer w = {.out = text, .cap = sizeof(text)};
	unsigned long long n = policy_replay_missing(s->replay);

	policy_writer_format(&w, "%llu record%s missing here: not for who reads this, or gone", n,
			     n == 1 ? " is" : "s are");
	(void)policy_writer_end(&w);
	return tell_alone(s, POLICY_STORY_ALARM, time_ns, text);
}

/* ---- a step ---- */

int policy_story_step(struct policy_story *s, const struct policy_record *r)
{
	bool shown = !s->out.shown || s->out.shown(s->out.ctx, r);
	int64_t last_ns = policy_replay_last(s->replay);
	struct policy_replay_session *session;
	enum policy_replay_turn turn;
	int rc = look(s, r->time_ns);

	if (!rc && (r->kind == POLICY_RECORD_START || r->kind == POLICY_RECORD_STOP)) {
		if (r->kind == POLICY_RECORD_START)
			rc = before_start(s, r);
		else
			(void)policy_replay_each(s->replay, finish_one, s);
	}
	if (!rc)
		rc = policy_replay_step(s->replay, r, &turn);
	if (!rc)
		rc = remember(s, r);
	if (!rc && shown && policy_replay_missing(s->replay))
		rc = tell_missing(s, r->time_ns);
	if (rc)
		return rc;
	if (r->kind == POLICY_RECORD_START)
		return shown ? step_start(s, r, last_ns, turn == POLICY_REPLAY_UNCLEAN) : 0;
	session = policy_replay_session(s->replay, r);
	if (session)
		return step_session(s, session, r, shown);
	return shown ? step_alone(s, r) : 0;
}

int policy_story_end(struct policy_story *s)
{
	(void)policy_replay_each(s->replay, finish_one, s);
	return tell_done(s);
}
