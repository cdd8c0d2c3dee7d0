/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy/map.h - numbers found by numbers, and arrays that grow. Only for this folder.
 */
#ifndef POLICY_MAP_H
#define POLICY_MAP_H

#include <stddef.h>
#include <stdint.h>

/* u64 -> u32, open addressing, at most half full; values from 1. Zeroed is empty. */
struct policy_map {
	struct policy_map_slot {
		uint64_t key;
		uint32_t value;
	} * slot;
	uint32_t size, used;
};

/* Where the value of that key is; 0: the key is new, and the caller stores one. -ENOMEM. */
int policy_map_at(struct policy_map *m, uint64_t key, uint32_t **value);
void policy_map_clear(struct policy_map *m);
/* All bits depend on all bits: keys may be chosen by somebody. */
uint64_t policy_map_mix(uint64_t x);

/* Room for one more in an array of count elements that has grown only here; NULL: memory is short,
 * the array is as it was. */
void *policy_map_grow(void *array, uint32_t count, size_t size);

#endif
