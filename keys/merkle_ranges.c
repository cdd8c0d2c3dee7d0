/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keys/merkle_ranges.c - the roots of many stretches of leaves in one pass.
 *
 * Owns copies of the stretches, sorted by where they begin, and as many compact ranges as stretches
 * can be open at once. No locks: it is its caller's.
 *
 * Invariants:
 * 1. Stretches before `begun` in `order` have begun (or were skipped); those in `open` are not
 * full.
 * 2. Slot i of `tree` belongs to the stretch open[i], i < opened.
 */
#include "merkle.h"

#include <stdlib.h>
#include <string.h>

struct stretch {
	struct keys_tree_range range;
	uint8_t root[KEYS_LEN];
	bool done;
};

struct keys_tree_ranges {
	struct stretch *stretch; /* as given */
	size_t *order;		 /* by begin */
	size_t *open;
	struct keys_tree *tree;
	size_t n, begun, opened;
	uint64_t next; /* number of the leaf that comes */
};

struct edge {
	uint64_t at;
	size_t which;
};

static int edge_compare(const void *a, const void *b)
{
	const struct edge *x = a, *y = b;

	return x->at < y->at ? -1 : x->at > y->at;
}

static struct edge *edges_new(const struct keys_tree_range *ranges, size_t n, bool end)
{
	struct edge *e = calloc(n ? n : 1, sizeof(*e));

	if (!e)
		return NULL;
	for (size_t i = 0; i < n; i++)
		e[i] = (struct edge){end ? ranges[i].to : ranges[i].from, i};
	qsort(e, n, sizeof(*e), edge_compare);
	return e;
}

/* How many stretches are open at once at most. Empty ones count where they stand: too many is no
 * harm. */
static size_t most_open(const struct edge *begin, const struct edge *end, size_t n)
{
	size_t most = 0, ended = 0;

	for (size_t begun = 1; begun <= n; begun++) {
		while (ended < n && end[ended].at <= begin[begun - 1].at)
			ended++;
		if (begun > ended && begun - ended > most)
			most = begun - ended;
	}
	return most;
}

static bool ranges_fill(struct keys_tree_ranges *r, const struct keys_tree_range *ranges, size_t n)
{
	struct edge *begin = edges_new(ranges, n, false), *end = edges_new(ranges, n, true);
	size_t most;
	bool ok = false;

	if (!begin || !end)
		goto out;
	/* A stretch that ends before it begins never opens, but its end must not count for others.
	 */
	most = most_open(begin, end, n);
	for (size_t i = 0; i < n; i++) {
		if (ranges[i].to < ranges[i].from)
			most = n;
	}
	r->stretch = calloc(n ? n : 1, sizeof(*r->stretch));
	r->order = calloc(n ? n : 1, sizeof(*r->order));
	r->open = calloc(most ? most : 1, sizeof(*r->open));
	r->tree = calloc(most ? most : 1, sizeof(*r->tree));
	if (!r->stretch || !r->order || !r->open || !r->tree)
		goto out;
	for (size_t i = 0; i < n; i++) {
		r->stretch[i].range = ranges[i];
		r->order[i] = begin[i].which;
		if (ranges[i].from == ranges[i].to) {
			keys_tree_init(&r->tree[0]);
			keys_tree_root(&r->tree[0], r->stretch[i].root);
			r->stretch[i].done = true;
		}
	}
	r->n = n;
	ok = true;
out:
	free(begin);
	free(end);
	return ok;
}

struct keys_tree_ranges *keys_tree_ranges_new(const struct keys_tree_range *ranges, size_t n)
{
	struct keys_tree_ranges *r = calloc(1, sizeof(*r));

	if (r && !ranges_fill(r, ranges, n)) {
		keys_tree_ranges_free(r);
		return NULL;
	}
	return r;
}

void keys_tree_ranges_free(struct keys_tree_ranges *r)
{
	if (!r)
		return;
	free(r->stretch);
	free(r->order);
	free(r->open);
	free(r->tree);
	free(r);
}

static void begin_all(struct keys_tree_ranges *r)
{
	for (; r->begun < r->n; r->begun++) {
		size_t which = r->order[r->begun];
		const struct keys_tree_range *range = &r->stretch[which].range;

		if (range->from > r->next)
			return;
		if (range->from < r->next || range->to <= range->from)
			continue; /* skipped, or nothing to wait for */
		keys_tree_init(&r->tree[r->opened]);
		r->open[r->opened++] = which;
	}
}

void keys_tree_ranges_add(struct keys_tree_ranges *r, const uint8_t leaf[static KEYS_LEN])
{
	begin_all(r);
	r->next++;
	for (size_t i = 0; i < r->opened;) {
		struct stretch *s = &r->stretch[r->open[i]];

		keys_tree_add(&r->tree[i], leaf);
		if (s->range.to != r->next) {
			i++;
			continue;
		}
		keys_tree_root(&r->tree[i], s->root);
		s->done = true;
		r->opened--;
		r->open[i] = r->open[r->opened];
		if (i != r->opened)
			r->tree[i] = r->tree[r->opened];
	}
}

void keys_tree_ranges_skip(struct keys_tree_ranges *r, uint64_t to)
{
	if (to <= r->next)
		return;
	r->next = to;
	r->opened = 0;
}

bool keys_tree_ranges_root(const struct keys_tree_ranges *r, size_t i, uint8_t out[static KEYS_LEN])
{
	if (i >= r->n || !r->stretch[i].done)
		return false;
	memcpy(out, r->stretch[i].root, KEYS_LEN);
	return true;
}
