/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy/map.c - an open-addressed map of numbers.
 *
 * Invariants: size is a power of two and at least twice used, so a probe always ends; nothing is
 * ever taken out. Locks: none.
 */
#include "map.h"

#include <errno.h>
#include <stdlib.h>

uint64_t policy_map_mix(uint64_t x)
{
	x ^= x >> 30;
	x *= UINT64_C(0xbf58476d1ce4e5b9);
	x ^= x >> 27;
	x *= UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

static struct policy_map_slot *probe(const struct policy_map *m, uint64_t key)
{
	for (uint64_t i = policy_map_mix(key);; i++) {
		struct policy_map_slot *s = &m->slot[i & (m->size - 1)];

		if (!s->value || s->key == key)
			return s;
	}
}

static int map_grow(struct policy_map *m)
{
	struct policy_map bigger = {.size = m->size ? m->size * 2 : 64, .used = m->used};

	bigger.slot = calloc(bigger.size, sizeof(*bigger.slot));
	if (!bigger.slot)
		return -ENOMEM;
	for (uint32_t i = 0; i < m->size; i++)
		if (m->slot[i].value)
			*probe(&bigger, m->slot[i].key) = m->slot[i];
	free(m->slot);
	*m = bigger;
	return 0;
}

int policy_map_at(struct policy_map *m, uint64_t key, uint32_t **value)
{
	struct policy_map_slot *s;
	int rc = m->used * 2 >= m->size ? map_grow(m) : 0;

	if (rc)
		return rc;
	s = probe(m, key);
	if (!s->value) {
		s->key = key;
		m->used++; /* the caller stores a value, or gives up altogether */
	}
	*value = &s->value;
	return 0;
}

void *policy_map_grow(void *array, uint32_t count, size_t size)
{
	if (count && (count < 16 || count & (count - 1)))
		return array;
	return reallocarray(array, count < 16 ? 16 : (size_t)count * 2, size);
}

void policy_map_clear(struct policy_map *m)
{
	free(m->slot);
	*m = (struct policy_map){0};
}
