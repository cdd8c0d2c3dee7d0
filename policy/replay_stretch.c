/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy/replay_stretch.c - what one session did within a stretch of time: merged, then told.
 *
 * Invariant: an act is in the list once for each place (journal, ground, grant) in which it was
 * done; how often is counted. Locks: none; one thread.
 */
#include "replay_story_impl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define NAMES_SHOWN 12u /* of one verb, in one line */

struct policy_stretch_act {
	const char *verb;
	char *text;
	uint64_t key;
	uint32_t journal;
	uint64_t note, times, bytes_read, bytes_written;
	size_t where; /* from 1; 0: in no journal */
	int64_t at_ns;
};

struct policy_stretch_where {
	char *text;
	uint32_t journal;
	uint64_t grant;
};

struct policy_stretch *policy_stretch_new(enum policy_story_kind kind, int64_t time_ns,
					  const char *who)
{
	struct policy_stretch *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->kind = kind;
	t->from_ns = t->to_ns = time_ns;
	t->who = strdup(who);
	if (!t->who) {
		free(t);
		return NULL;
	}
	return t;
}

void policy_stretch_free(struct policy_stretch *t)
{
	if (!t)
		return;
	for (size_t i = 0; i < t->acts; i++)
		free(t->act[i].text);
	for (size_t i = 0; i < t->wheres; i++)
		free(t->where[i].text);
	free(t->act);
	free(t->where);
	free(t->who);
	free(t);
}

/* ---- taking an act in ---- */

static uint64_t hash(uint64_t h, const void *p, size_t len)
{
	const uint8_t *b = p;

	for (size_t i = 0; i < len; i++)
		h = (h ^ b[i]) * UINT64_C(0x100000001b3);
	return h;
}

static uint64_t key_of(const struct policy_record *r, const struct policy_story_words *words)
{
	uint64_t h = hash(UINT64_C(0xcbf29ce484222325), &r->journal, sizeof(r->journal));

	h = hash(h, &r->note, sizeof(r->note));
	h = hash(h, &words->verb, sizeof(words->verb));
	return hash(h, words->text, strlen(words->text));
}

/* Where it was done: as said last, or said anew. 0: nowhere; SIZE_MAX: short of memory. */
static size_t where_of(struct policy_stretch *t, const struct policy_record *r,
		       const struct policy_story_words *words)
{
	char text[POLICY_STORY_LINE];
	struct policy_writer w = {.out = text, .cap = sizeof(text)};
	struct policy_stretch_where *more;

	if (!words->where)
		return 0;
	for (size_t i = t->wheres; i-- > 0;) {
		const struct policy_stretch_where *at = &t->where[i];

		if (at->journal != r->journal || at->grant != r->grant)
			continue;
		if (!r->rule[0] || r->kind == POLICY_RECORD_REFUSED)
			return i + 1;
		break;
	}
	policy_story_where(&w, r);
	(void)policy_writer_end(&w);
	for (size_t i = 0; i < t->wheres; i++) {
		if (!strcmp(t->where[i].text, text))
			return i + 1;
	}
	more = reallocarray(t->where, t->wheres + 1, sizeof(*more));
	if (!more)
		return SIZE_MAX;
	t->where = more;
	more[t->wheres] = (struct policy_stretch_where){strdup(text), r->journal, r->grant};
	if (!more[t->wheres].text)
		return SIZE_MAX;
	return ++t->wheres;
}

/* What was read and written is told with the opening, where that is still at hand. */
static bool closed(struct policy_stretch *t, const struct policy_record *r)
{
	if (r->kind != POLICY_RECORD_CLOSE)
		return false;
	for (size_t i = t->acts; i-- > 0;) {
		struct policy_stretch_act *a = &t->act[i];

		if (!a->verb || a->note != r->note || a->journal != r->journal)
			continue;
		a->bytes_read += r->bytes_read;
		a->bytes_written += r->bytes_written;
		return true;
	}
	return !r->bytes_read && !r->bytes_written;
}

static bool merged(struct policy_stretch *t, const struct policy_record *r, uint64_t key,
		   size_t where)
{
	for (size_t i = t->acts; i-- > 0;) {
		struct policy_stretch_act *a = &t->act[i];

		if (a->key != key || a->where != where)
			continue;
		a->times += r->count ? r->count : 1;
		a->bytes_read += r->bytes_read;
		a->bytes_written += r->bytes_written;
		return true;
	}
	return false;
}

int policy_stretch_add(struct policy_stretch *t, const struct policy_record *r,
		       const struct policy_story_words *words)
{
	uint64_t key = key_of(r, words);
	size_t where;
	struct policy_stretch_act *more;

	t->to_ns = r->time_ns;
	if (closed(t, r))
		return 0;
	where = where_of(t, r, words);
	if (where == SIZE_MAX)
		return -ENOMEM;
	if (merged(t, r, key, where))
		return 0;
	if (t->acts == t->act_cap) {
		size_t cap = t->act_cap ? 2 * t->act_cap : 8;

		more = reallocarray(t->act, cap, sizeof(*more));
		if (!more)
			return -ENOMEM;
		t->act = more;
		t->act_cap = cap;
	}
	more = &t->act[t->acts];
	*more = (struct policy_stretch_act){
		.verb = words->verb,
		.text = strdup(words->text),
		.key = key,
		.journal = r->journal,
		.note = r->note,
		.times = r->count && r->kind < POLICY_RECORD_FINAL ? r->count : 1,
		.bytes_read = r->bytes_read,
		.bytes_written = r->bytes_written,
		.where = where,
		.at_ns = r->time_ns};
	if (!more->text)
		return -ENOMEM;
	t->acts++;
	return 0;
}

/* ---- telling a stretch ---- */

static int line(const struct policy_story_out *out, enum policy_story_kind kind, int64_t time_ns,
		struct policy_writer *w)
{
	(void)policy_writer_end(w);
	return out->line(out->ctx, kind, time_ns, w->out);
}

static int tell_who(const struct policy_story_out *out, const struct policy_stretch *t)
{
	char text[POLICY_STORY_LINE], from[16], to[16];
	struct policy_writer w = {.out = text, .cap = sizeof(text)};

	out->clock(t->from_ns, from);
	out->clock(t->to_ns, to);
	policy_writer_text(&w, from);
	if (strcmp(from, to) != 0) {
		policy_writer_text(&w, "-");
		policy_writer_text(&w, to);
	}
	policy_writer_text(&w, "  ");
	policy_writer_text(&w, t->who);
	return line(out, t->kind, t->from_ns, &w);
}

/* Acts of one verb that stand together, as one list. */
static size_t same_verb(const struct policy_stretch *t, size_t at)
{
	size_t n = 1;

	while (t->act[at].verb && at + n < t->acts && t->act[at + n].verb == t->act[at].verb &&
	       t->act[at + n].where == t->act[at].where)
		n++;
	return n;
}

static void put_act(struct policy_writer *w, const struct policy_stretch_act *a)
{
	policy_writer_text(w, a->text);
	if (a->times > 1)
		policy_writer_format(w, " (%llu times)", (unsigned long long)a->times);
}

static void put_bytes(struct policy_writer *w, uint64_t read, uint64_t written)
{
	if (read) {
		policy_writer_text(w, "; reads ");
		policy_story_bytes(w, read);
	}
	if (written) {
		policy_writer_text(w, "; writes ");
		policy_story_bytes(w, written);
	}
}

static int tell_acts(const struct policy_story_out *out, const struct policy_stretch *t, size_t at,
		     size_t n)
{
	char text[POLICY_STORY_LINE], when[16];
	struct policy_writer w = {.out = text, .cap = sizeof(text)};
	uint64_t read = 0, written = 0;

	out->clock(t->act[at].at_ns, when);
	policy_writer_text(&w, when);
	policy_writer_text(&w, t->act[at].where ? "      " : "    ");
	if (t->act[at].verb) {
		policy_writer_text(&w, t->act[at].verb);
		policy_writer_text(&w, " ");
	}
	for (size_t i = 0; i < n; i++) {
		read += t->act[at + i].bytes_read;
		written += t->act[at + i].bytes_written;
		if (i >= NAMES_SHOWN)
			continue;
		policy_writer_text(&w, i ? ", " : "");
		put_act(&w, &t->act[at + i]);
	}
	if (n > NAMES_SHOWN)
		policy_writer_format(&w, " and %zu more", n - NAMES_SHOWN);
	put_bytes(&w, read, written);
	return line(out, POLICY_STORY_WHAT, t->act[at].at_ns, &w);
}

static int tell_where(const struct policy_story_out *out, const struct policy_stretch *t,
		      const struct policy_stretch_act *a)
{
	char text[POLICY_STORY_LINE], when[16];
	struct policy_writer w = {.out = text, .cap = sizeof(text)};

	out->clock(a->at_ns, when);
	policy_writer_text(&w, when);
	policy_writer_text(&w, "    ");
	policy_writer_text(&w, t->where[a->where - 1].text);
	return line(out, POLICY_STORY_WHERE, a->at_ns, &w);
}

int policy_stretch_tell(const struct policy_stretch *t, const struct policy_story_out *out)
{
	size_t where = 0, n;
	int rc = tell_who(out, t);

	for (size_t i = 0; i < t->acts && !rc; i += n) {
		n = same_verb(t, i);
		if (t->act[i].where && t->act[i].where != where)
			rc = tell_where(out, t, &t->act[i]);
		where = t->act[i].where;
		if (!rc)
			rc = tell_acts(out, t, i, n);
	}
	return rc;
}
