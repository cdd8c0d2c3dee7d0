/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy/past.c - every policy that was in force, and decisions as they would have been then.
 *
 * Owns copies of all texts, oldest first, and two small stores of parsed ones. Which version of a
 * journal was in force is found in `order`: the changes sorted by journal and version, made anew
 * when something was added since.
 *
 * Invariants:
 *  1. Versions ascend, so a change's place in `change` is its place in time.
 *  2. A slot's parsed policy is that of change[slot.at - 1]; at 0: the slot is empty.
 *  3. No more than PRACTICES and JOURNALS parsed texts are held, however many are asked for.
 * Locks: none; one thread.
 */
#include "past.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "practice.h"
#include "report.h"

#define PRACTICES 8u
#define JOURNALS 4096u

struct practice_slot {
	size_t at;     /* place of its change, from 1 */
	uint64_t used; /* when it was asked for last: the oldest goes */
	struct policy_practice *practice;
};

struct journal_slot {
	size_t at;
	struct policy_journal *journal;
};

struct policy_past {
	struct policy_past_change *change;
	size_t count, cap;
	size_t *order; /* places in change; NULL or ordered < count: to be made */
	size_t ordered;
	uint64_t clock;
	struct practice_slot practice[PRACTICES];
	struct journal_slot journal[JOURNALS];
};

int policy_past_new(struct policy_past **out)
{
	struct policy_past *p = calloc(1, sizeof(*p));

	if (!p)
		return -ENOMEM;
	*out = p;
	return 0;
}

static void change_clear(struct policy_past_change *c)
{
	free((char *)(uintptr_t)c->name);
	free((char *)(uintptr_t)c->who);
	free((char *)(uintptr_t)c->reason);
	free((char *)(uintptr_t)c->text);
}

void policy_past_free(struct policy_past *p)
{
	if (!p)
		return;
	for (size_t i = 0; i < p->count; i++)
		change_clear(&p->change[i]);
	for (size_t i = 0; i < PRACTICES; i++)
		policy_practice_put(p->practice[i].practice);
	for (size_t i = 0; i < JOURNALS; i++)
		policy_journal_put(p->journal[i].journal);
	free(p->change);
	free(p->order);
	free(p);
}

/* NULL stays NULL; false: short of memory. */
static bool copy(const char *text, size_t len, const char **out)
{
	char *s = NULL;

	if (text) {
		s = malloc(len + 1);
		if (!s)
			return false;
		memcpy(s, text, len);
		s[len] = '\0';
	}
	*out = s;
	return true;
}

static bool copy_text(const char *text, const char **out)
{
	return copy(text, text ? strlen(text) : 0, out);
}

int policy_past_add(struct policy_past *p, const struct policy_past_change *c)
{
	struct policy_past_change mine = {
		.version = c->version, .time_s = c->time_s, .journal = c->journal, .len = c->len};

	if (!c->version || (p->count && p->change[p->count - 1].version >= c->version))
		return -EINVAL;
	if (p->count == p->cap) {
		size_t cap = p->cap ? 2 * p->cap : 64;
		struct policy_past_change *more = reallocarray(p->change, cap, sizeof(*more));

		if (!more)
			return -ENOMEM;
		p->change = more;
		p->cap = cap;
	}
	if (!copy_text(c->name, &mine.name) || !copy_text(c->who ? c->who : "", &mine.who) ||
	    !copy_text(c->reason ? c->reason : "", &mine.reason) ||
	    !copy(c->text, c->len, &mine.text)) {
		change_clear(&mine);
		return -ENOMEM;
	}
	p->change[p->count++] = mine;
	return 0;
}

size_t policy_past_count(const struct policy_past *p)
{
	return p->count;
}

const struct policy_past_change *policy_past_at(const struct policy_past *p, size_t i)
{
	return i < p->count ? &p->change[i] : NULL;
}

/* Times need not ascend (a clock was set back): what counts is the newest made by then. */
uint32_t policy_past_version(const struct policy_past *p, int64_t time_s)
{
	for (size_t i = p->count; i-- > 0;) {
		if (p->change[i].time_s <= time_s)
			return p->change[i].version;
	}
	return 0;
}

/* ---- which change was in force ---- */

static int by_journal(const void *a, const void *b, void *ctx)
{
	const struct policy_past *p = ctx;
	size_t x = *(const size_t *)a, y = *(const size_t *)b;
	uint32_t jx = p->change[x].journal, jy = p->change[y].journal;

	if (jx != jy)
		return jx < jy ? -1 : 1;
	return x < y ? -1 : x > y;
}

static int order(struct policy_past *p)
{
	size_t *more;

	if (p->ordered == p->count)
		return 0;
	more = reallocarray(p->order, p->count, sizeof(*more));
	if (!more)
		return -ENOMEM;
	p->order = more;
	for (size_t i = 0; i < p->count; i++)
		p->order[i] = i;
	qsort_r(p->order, p->count, sizeof(*p->order), by_journal, p);
	p->ordered = p->count;
	return 0;
}

/* The place, from 1, of the newest change of this journal up to `version`; 0: none. */
static size_t in_force(const struct policy_past *p, uint32_t version, uint32_t journal)
{
	size_t low = 0, high = p->ordered;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct policy_past_change *c = &p->change[p->order[middle]];

		if (c->journal < journal || (c->journal == journal && c->version <= version))
			low = middle + 1;
		else
			high = middle;
	}
	if (!low || p->change[p->order[low - 1]].journal != journal)
		return 0;
	return p->order[low - 1] + 1;
}

/* ---- parsed ones ---- */

static int practice_at(struct policy_past *p, size_t at, struct policy_report *why,
		       struct policy_practice **out)
{
	const struct policy_past_change *c = &p->change[at - 1];
	struct practice_slot *use = &p->practice[0];
	struct policy_practice *practice = NULL;
	int rc;

	p->clock++;
	for (size_t i = 0; i < PRACTICES; i++) {
		if (p->practice[i].at == at) {
			p->practice[i].used = p->clock;
			*out = policy_practice_get(p->practice[i].practice);
			return 0;
		}
		if (p->practice[i].used < use->used)
			use = &p->practice[i];
	}
	rc = policy_practice_parse(c->text ? c->text : "", c->len, "practice", why, &practice);
	if (rc)
		return rc;
	policy_practice_put(use->practice);
	*use = (struct practice_slot){at, p->clock, practice};
	*out = policy_practice_get(practice);
	return 0;
}

/* Names are not checked: it was accepted under the practice of its time. */
static int journal_at(struct policy_past *p, size_t at, struct policy_report *why,
		      struct policy_journal **out)
{
	const struct policy_past_change *c = &p->change[at - 1];
	struct journal_slot *slot = &p->journal[at % JOURNALS];
	struct policy_journal *journal = NULL;
	int rc;

	if (slot->at != at) {
		rc = policy_journal_parse(c->text, c->len, c->name ? c->name : "journal", NULL, why,
					  &journal);
		if (rc)
			return rc;
		policy_journal_put(slot->journal);
		*slot = (struct journal_slot){at, journal};
	}
	*out = policy_journal_get(slot->journal);
	return 0;
}

int policy_past_get(struct policy_past *p, uint32_t version, uint32_t journal,
		    struct policy_practice **practice, struct policy_journal **policy)
{
	struct policy_practice *found = NULL;
	struct policy_report *why = NULL;
	struct policy_journal *j = NULL;
	size_t at, journal_place;
	int rc = order(p);

	if (rc)
		return rc;
	at = in_force(p, version, 0);
	if (!at)
		return -ENOENT;
	journal_place = journal ? in_force(p, version, journal) : 0;
	rc = policy_report_new(&why);
	if (!rc)
		rc = practice_at(p, at, why, &found);
	if (!rc && journal_place && p->change[journal_place - 1].text)
		rc = journal_at(p, journal_place, why, &j);
	policy_report_free(why);
	if (rc) {
		policy_practice_put(found);
		return rc;
	}
	*practice = found;
	*policy = j;
	return 0;
}

const char *policy_past_journal(struct policy_past *p, uint32_t version, uint32_t journal)
{
	size_t at = order(p) ? 0 : in_force(p, version, journal);

	return at && p->change[at - 1].text ? p->change[at - 1].name : NULL;
}
