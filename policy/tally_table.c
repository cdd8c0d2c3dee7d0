/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy/tally_table.c - see tally_table.h. Open addressing, linear probing, at most half full.
 */
#include "tally_table.h"

#include <stdlib.h>
#include <string.h>

static size_t slot_of(const struct policy_table *t, uint64_t a, uint64_t b)
{
	uint64_t h = (a ^ b * UINT64_C(0x9e3779b97f4a7c15)) * UINT64_C(0xbf58476d1ce4e5b9);

	return (size_t)(h ^ h >> 31) & (t->slot_count - 1);
}

/* Where the key is, or the free slot where it would be. */
static size_t look(const struct policy_table *t, uint64_t a, uint64_t b)
{
	size_t s = slot_of(t, a, b);

	for (; t->slots[s]; s = (s + 1) & (t->slot_count - 1)) {
		const struct policy_table_key *k = &t->keys[t->slots[s] - 1];

		if (k->a == a && k->b == b)
			break;
	}
	return s;
}

static int grow_slots(struct policy_table *t)
{
	size_t n = t->slot_count ? 2 * t->slot_count : 64;
	uint32_t *slots = calloc(n, sizeof(*slots));

	if (!slots)
		return -1;
	free(t->slots);
	t->slots = slots;
	t->slot_count = n;
	for (size_t i = 0; i < t->count; i++)
		t->slots[look(t, t->keys[i].a, t->keys[i].b)] = (uint32_t)(i + 1);
	return 0;
}

static int grow_rows(struct policy_table *t)
{
	size_t cap = t->cap ? 2 * t->cap : 32;
	struct policy_table_key *keys = reallocarray(t->keys, cap, sizeof(*keys));
	uint8_t *rows;

	if (!keys)
		return -1;
	t->keys = keys;
	rows = reallocarray(t->rows, cap, t->size);
	if (!rows)
		return -1;
	t->rows = rows;
	t->cap = cap;
	return 0;
}

void *policy_table_at(const struct policy_table *t, size_t i)
{
	return t->rows + i * t->size;
}

void *policy_table_find(const struct policy_table *t, uint64_t a, uint64_t b)
{
	size_t s;

	if (!t->slot_count)
		return NULL;
	s = look(t, a, b);
	return t->slots[s] ? policy_table_at(t, t->slots[s] - 1) : NULL;
}

void *policy_table_get(struct policy_table *t, uint64_t a, uint64_t b)
{
	void *row = policy_table_find(t, a, b);

	if (row)
		return row;
	if (t->count >= UINT32_MAX - 1 || (2 * (t->count + 1) > t->slot_count && grow_slots(t)) ||
	    (t->count == t->cap && grow_rows(t)))
		return NULL;
	t->keys[t->count] = (struct policy_table_key){a, b};
	t->slots[look(t, a, b)] = (uint32_t)(t->count + 1);
	row = policy_table_at(t, t->count++);
	memset(row, 0, t->size);
	return row;
}

const void *policy_table_sort(struct policy_table *t, int (*by)(const void *, const void *),
			      size_t *count)
{
	if (by && t->count)
		qsort(t->rows, t->count, t->size, by);
	free(t->slots);
	t->slots = NULL;
	t->slot_count = 0;
	*count = t->count;
	return t->rows;
}

void policy_table_clear(struct policy_table *t)
{
	free(t->rows);
	free(t->keys);
	free(t->slots);
	memset(t, 0, sizeof(*t));
}
