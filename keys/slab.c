/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keys/slab.c - slots for long-lived secrets in one guarded, locked region.
 *
 * Owns one sodium_malloc region (guard pages, canary, no core dump) and a bitmap
 * of slots in ordinary memory. mlock may fail under a small RLIMIT_MEMLOCK; the
 * slab then still works and says so, for the doctor to report.
 *
 * Invariants: 1. a slot that is not in use is all zeros; 2. `used` is the number
 * of set bits in `map`. Both, and `hint`, are protected by `lock`.
 */
#include "slab.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sodium.h>

#define SLOT_ALIGN 16u
#define MAP_BITS 64u

struct keys_slab {
	pthread_mutex_t lock;
	uint8_t *mem;
	size_t slot_len;
	size_t count;
	bool locked;
	size_t used;   /* under lock */
	size_t hint;   /* under lock: the first map word that may have a free slot */
	uint64_t *map; /* under lock: a set bit is a slot in use */
};

static bool round_up(size_t len, size_t *out)
{
	if (len > SIZE_MAX - (SLOT_ALIGN - 1))
		return false;
	*out = (len + SLOT_ALIGN - 1) / SLOT_ALIGN * SLOT_ALIGN;
	return true;
}

int keys_slab_new(size_t slot_len, size_t count, struct keys_slab **out)
{
	struct keys_slab *slab = NULL;
	size_t len;

	if (!slot_len || !count || !round_up(slot_len, &len) || count > SIZE_MAX / len)
		return -ENOMEM;
	slab = calloc(1, sizeof(*slab));
	if (!slab)
		return -ENOMEM;
	slab->map = calloc((count - 1) / MAP_BITS + 1, sizeof(*slab->map));
	slab->mem = sodium_allocarray(count, len);
	if (!slab->map || !slab->mem || pthread_mutex_init(&slab->lock, NULL)) {
		sodium_free(slab->mem);
		free(slab->map);
		free(slab);
		return -ENOMEM;
	}
	slab->slot_len = len;
	slab->count = count;
	/* sodium_malloc locks too, but does not tell whether that worked. */
	slab->locked = sodium_mlock(slab->mem, count * len) == 0;
	memset(slab->mem, 0, count * len);
	*out = slab;
	return 0;
}

void keys_slab_free(struct keys_slab *slab)
{
	if (!slab)
		return;
	sodium_memzero(slab->mem, slab->count * slab->slot_len);
	sodium_free(slab->mem);
	pthread_mutex_destroy(&slab->lock);
	free(slab->map);
	free(slab);
}

/* The lowest free slot, marked as used; count when there is none. */
static size_t take_free(struct keys_slab *slab)
{
	size_t words = (slab->count - 1) / MAP_BITS + 1;

	for (size_t w = slab->hint; w < words; w++) {
		size_t i;

		slab->hint = w;
		if (slab->map[w] == UINT64_MAX)
			continue;
		i = w * MAP_BITS + (unsigned)__builtin_ctzll(~slab->map[w]);
		if (i >= slab->count)
			break;
		slab->map[w] |= UINT64_C(1) << (i % MAP_BITS);
		slab->used++;
		return i;
	}
	return slab->count;
}

void *keys_slab_get(struct keys_slab *slab)
{
	size_t i;

	pthread_mutex_lock(&slab->lock);
	i = take_free(slab);
	pthread_mutex_unlock(&slab->lock);
	return i < slab->count ? slab->mem + i * slab->slot_len : NULL;
}

void keys_slab_put(struct keys_slab *slab, void *slot)
{
	size_t off, i;
	uint64_t bit;

	if (!slot)
		return;
	off = (size_t)((uint8_t *)slot - slab->mem);
	i = off / slab->slot_len;
	bit = UINT64_C(1) << (i % MAP_BITS);
	assert((uint8_t *)slot >= slab->mem && i < slab->count && off % slab->slot_len == 0);

	sodium_memzero(slot, slab->slot_len);
	pthread_mutex_lock(&slab->lock);
	assert(slab->map[i / MAP_BITS] & bit);
	slab->map[i / MAP_BITS] &= ~bit;
	slab->used--;
	if (i / MAP_BITS < slab->hint)
		slab->hint = i / MAP_BITS;
	pthread_mutex_unlock(&slab->lock);
}

bool keys_slab_locked(const struct keys_slab *slab)
{
	return slab->locked;
}

size_t keys_slab_used(const struct keys_slab *slab)
{
	/* The mutex is not part of what the caller sees as constant. */
	pthread_mutex_t *lock = (pthread_mutex_t *)&slab->lock;
	size_t used;

	pthread_mutex_lock(lock);
	used = slab->used;
	pthread_mutex_unlock(lock);
	return used;
}

void *keys_guard_new(size_t len)
{
	size_t rounded;
	void *p;

	/* sodium_malloc ends at a page; only a rounded length keeps the start aligned. */
	if (!round_up(len, &rounded))
		return NULL;
	p = sodium_malloc(rounded);
	if (p)
		memset(p, 0, rounded);
	return p;
}

void keys_guard_free(void *p)
{
	sodium_free(p);
}
