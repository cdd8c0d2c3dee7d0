/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy/replay_cover.c - what a session was let read, and has not been seen to open.
 *
 * Before the first light of a directory an intent names its notes; exact records of opening follow
 * within a moment. When the daemon died in between they are lost: every note that an intent still
 * covered may have been read. That says too much, never too little.
 *
 * Invariants: (1) at most POLICY_STORY_COVERED notes are named, the others counted; (2) what an
 * open names is covered no more, until the next intent.
 */
#include "replay_story_impl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define BUCKETS 64u
#define NAMES_SHOWN 12u

struct note {
	struct note *next;
	uint32_t journal;
	uint64_t note;
	int64_t until_ns;
	char *journal_name, *name;
};

struct policy_story_cover {
	struct note *bucket[BUCKETS];
	size_t n;
	uint64_t more; /* not named */
	int64_t more_until_ns;
};

int policy_story_cover_new(struct policy_story_cover **out)
{
	struct policy_story_cover *c = calloc(1, sizeof(*c));

	if (!c)
		return -ENOMEM;
	*out = c;
	return 0;
}

static void note_free(struct note *n)
{
	free(n->journal_name);
	free(n->name);
	free(n);
}

void policy_story_cover_free(struct policy_story_cover *c)
{
	if (!c)
		return;
	for (unsigned b = 0; b < BUCKETS; b++) {
		while (c->bucket[b]) {
			struct note *n = c->bucket[b];

			c->bucket[b] = n->next;
			note_free(n);
		}
	}
	free(c);
}

static struct note **place(struct policy_story_cover *c, uint32_t journal, uint64_t note)
{
	struct note **at = &c->bucket[(journal * 31u + note) % BUCKETS];

	while (*at && ((*at)->journal != journal || (*at)->note != note))
		at = &(*at)->next;
	return at;
}

/* Those whose time is over make room. */
static void expire(struct policy_story_cover *c, int64_t now_ns)
{
	for (unsigned b = 0; b < BUCKETS; b++) {
		struct note **at = &c->bucket[b];

		while (*at) {
			struct note *n = *at;

			if (n->until_ns > now_ns) {
				at = &n->next;
				continue;
			}
			*at = n->next;
			note_free(n);
			c->n--;
		}
	}
}

static int add(struct policy_story_cover *c, const struct policy_record *r,
	       const struct policy_record_note *note)
{
	struct note **at = place(c, r->journal, note->note), *n = *at;

	if (n) {
		n->until_ns = r->until_ns;
		return 0;
	}
	if (c->n >= POLICY_STORY_COVERED) {
		c->more++;
		if (r->until_ns > c->more_until_ns)
			c->more_until_ns = r->until_ns;
		return 0;
	}
	n = calloc(1, sizeof(*n));
	if (!n)
		return -ENOMEM;
	n->journal = r->journal;
	n->note = note->note;
	n->until_ns = r->until_ns;
	n->journal_name = strdup(r->journal_name);
	n->name = strdup(note->name ? note->name : "");
	if (!n->journal_name || !n->name) {
		note_free(n);
		return -ENOMEM;
	}
	*at = n;
	c->n++;
	return 0;
}

int policy_story_cover_add(struct policy_story_cover *c, const struct policy_record *r)
{
	int rc = 0;

	if (c->n + r->note_count > POLICY_STORY_COVERED)
		expire(c, r->time_ns);
	if (r->note_total > r->note_count)
		c->more += r->note_total - r->note_count;
	for (size_t i = 0; i < r->note_count && !rc; i++)
		rc = add(c, r, &r->notes[i]);
	return rc;
}

void policy_story_cover_opened(struct policy_story_cover *c, uint32_t journal, uint64_t note)
{
	struct note **at = place(c, journal, note), *n = *at;

	if (!n)
		return;
	*at = n->next;
	note_free(n);
	c->n--;
}

static int by_journal(const void *a, const void *b)
{
	const struct note *x = *(const struct note *const *)a, *y = *(const struct note *const *)b;

	if (x->journal != y->journal)
		return x->journal < y->journal ? -1 : 1;
	return strcmp(x->name, y->name);
}

/* The notes of one journal, which stand together. */
static void say(struct note *const *list, size_t n, char *text, size_t cap)
{
	struct policy_writer w = {.out = text, .cap = cap};

	policy_writer_text(&w, "POSSIBLY READ, which only the lost records would tell: ");
	policy_writer_format(&w, "%zu note%s of ", n, n == 1 ? "" : "s");
	policy_writer_quoted(&w, list[0]->journal_name);
	for (size_t i = 0; i < n && i < NAMES_SHOWN; i++) {
		policy_writer_text(&w, i ? ", " : ": ");
		policy_writer_name(&w, list[i]->name);
	}
	if (n > NAMES_SHOWN)
		policy_writer_format(&w, " and %zu more", n - NAMES_SHOWN);
	(void)policy_writer_end(&w);
}

static int tell_more(const struct policy_story_cover *c, int64_t time_ns,
		     int (*fn)(void *ctx, const char *text), void *ctx)
{
	char text[128];
	struct policy_writer w = {.out = text, .cap = sizeof(text)};

	if (!c->more || c->more_until_ns <= time_ns)
		return 0;
	policy_writer_format(&w, "POSSIBLY READ: up to %llu more notes that intents named",
			     (unsigned long long)c->more);
	(void)policy_writer_end(&w);
	return fn(ctx, text);
}

int policy_story_cover_tell(struct policy_story_cover *c, int64_t time_ns,
			    int (*fn)(void *ctx, const char *text), void *ctx)
{
	struct note **list;
	char text[POLICY_STORY_LINE];
	size_t n = 0, part;
	int rc = 0;

	expire(c, time_ns);
	list = calloc(c->n + 1, sizeof(*list));
	if (!list)
		return -ENOMEM;
	for (unsigned b = 0; b < BUCKETS; b++) {
		for (struct note *i = c->bucket[b]; i; i = i->next)
			list[n++] = i;
	}
	qsort(list, n, sizeof(struct note *), by_journal);
	for (size_t at = 0; at < n && !rc; at += part) {
		for (part = 1; at + part < n && list[at + part]->journal == list[at]->journal;)
			part++;
		say(list + at, part, text, sizeof(text));
		rc = fn(ctx, text);
	}
	free(list);
	return rc ? rc : tell_more(c, time_ns, fn, ctx);
}
