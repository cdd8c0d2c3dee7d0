/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy/replay_groups.c - what a draft would have changed, counted by practitioner, journal and
 * reason.
 *
 * A hash table of groups. Invariant: at most POLICY_GROUPS_MOST groups with a journal and as many
 * without, so that ten million accesses take no more memory than that. Locks: none.
 */
#include "replay_groups.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SLOTS (4u * POLICY_GROUPS_MOST)

struct policy_groups {
	struct policy_group *group;
	size_t count, cap;
	uint32_t *slot; /* place in group, from 1; 0 free */
};

int policy_groups_new(struct policy_groups **out)
{
	struct policy_groups *g = calloc(1, sizeof(*g));

	if (g)
		g->slot = calloc(SLOTS, sizeof(*g->slot));
	if (!g || !g->slot) {
		free(g);
		return -ENOMEM;
	}
	*out = g;
	return 0;
}

static void clear(struct policy_group *one)
{
	free(one->who);
	free(one->journal);
	free(one->what);
	free(one->rule);
}

void policy_groups_free(struct policy_groups *g)
{
	if (!g)
		return;
	for (size_t i = 0; i < g->count; i++)
		clear(&g->group[i]);
	free(g->group);
	free(g->slot);
	free(g);
}

static uint64_t hash(uint64_t h, const char *text)
{
	for (; *text; text++)
		h = (h ^ (uint8_t)*text) * UINT64_C(0x100000001b3);
	return (h ^ 0xff) * UINT64_C(0x100000001b3);
}

/* Of a refusal the operation or the act, without what it was done to. */
static void what_of(const struct policy_record *r, char out[static 64])
{
	const char *text =
		r->kind == POLICY_RECORD_REFUSED ? r->detail : policy_record_kind_text(r->kind);
	size_t n = strcspn(text, ":\"\n");

	if (n > 63)
		n = 63;
	memcpy(out, text, n);
	out[n] = '\0';
}

static bool is(const struct policy_group *g, int change, const char *who, const char *journal,
	       const char *what, const char *rule)
{
	return g->change == change && !strcmp(g->who, who) && !strcmp(g->journal, journal) &&
	       !strcmp(g->what, what) && !strcmp(g->rule, rule);
}

static int insert(struct policy_groups *g, size_t slot, const struct policy_group *like)
{
	struct policy_group one = *like;

	if (g->count == g->cap) {
		size_t cap = g->cap ? 2 * g->cap : 64;
		struct policy_group *more = reallocarray(g->group, cap, sizeof(*more));

		if (!more)
			return -ENOMEM;
		g->group = more;
		g->cap = cap;
	}
	one.who = strdup(like->who);
	one.journal = strdup(like->journal);
	one.what = strdup(like->what);
	one.rule = strdup(like->rule);
	if (!one.who || !one.journal || !one.what || !one.rule) {
		clear(&one);
		return -ENOMEM;
	}
	g->group[g->count++] = one;
	g->slot[slot] = (uint32_t)g->count;
	return 0;
}

int policy_groups_add(struct policy_groups *g, const struct policy_record *r, int change,
		      const char *rule)
{
	bool full = g->count >= POLICY_GROUPS_MOST;
	char who[POLICY_RECORD_TEXT], journal[POLICY_RECORD_TEXT], what[64],
		why[POLICY_RECORD_TEXT];
	struct policy_group like = {who, journal, what, why, change, 0, r->seq, 0, r->time_ns, 0};
	struct policy_group *one;
	size_t at;
	int rc = 0;

	memcpy(who, r->who, sizeof(who));
	policy_record_copy(journal, sizeof(journal), full ? "*" : r->journal_name);
	policy_record_copy(why, sizeof(why), full ? "*" : rule);
	what_of(r, what);
	at = hash(hash(hash(hash((uint64_t)change + 1, who), journal), what), why) % SLOTS;
	while (g->slot[at] && !is(&g->group[g->slot[at] - 1], change, who, journal, what, why))
		at = (at + 1) % SLOTS;
	/* However many people there are, some room stays in the table. */
	if (!g->slot[at] && g->count >= 2 * POLICY_GROUPS_MOST)
		return 0;
	if (!g->slot[at])
		rc = insert(g, at, &like);
	if (rc)
		return rc;
	one = &g->group[g->slot[at] - 1];
	one->count += r->count ? r->count : 1;
	one->last_ns = r->time_ns;
	one->last_seq = r->seq;
	return 0;
}

static int order(const void *a, const void *b)
{
	const struct policy_group *x = a, *y = b;
	int rc = (x->change > y->change) - (x->change < y->change);

	if (!rc)
		rc = strcmp(x->who, y->who);
	if (!rc)
		rc = strcmp(x->journal, y->journal);
	if (!rc)
		rc = (x->count < y->count) - (x->count > y->count);
	return rc ? rc : (x->first_seq > y->first_seq) - (x->first_seq < y->first_seq);
}

size_t policy_groups_end(struct policy_groups *g)
{
	if (g->count)
		qsort(g->group, g->count, sizeof(*g->group), order);
	return g->count;
}

const struct policy_group *policy_groups_at(const struct policy_groups *g, size_t i)
{
	return i < g->count ? &g->group[i] : NULL;
}
