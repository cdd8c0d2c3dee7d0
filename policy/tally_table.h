/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy/tally_table.h - rows of one size under two numbers. Only inside this folder.
 *
 * A row begins as zeros. Rows move when the table grows or is sorted: a pointer lives until the
 * next get.
 */
#ifndef POLICY_TALLY_TABLE_H
#define POLICY_TALLY_TABLE_H

#include <stddef.h>
#include <stdint.h>

struct policy_table_key {
	uint64_t a, b;
};
struct policy_table {
	size_t size; /* of a row; set by the owner, the rest zero */
	size_t count, cap;
	uint8_t *rows;
	struct policy_table_key *keys;
	uint32_t *slots; /* index of a row + 1; 0: free */
	size_t slot_count;
};

/* The row, made if there is none. NULL when memory is short. */
void *policy_table_get(struct policy_table *t, uint64_t a, uint64_t b);
/* NULL: there is none. */
void *policy_table_find(const struct policy_table *t, uint64_t a, uint64_t b);
void *policy_table_at(const struct policy_table *t, size_t i);
/* All rows; by NULL: in the order of their making. Nothing is found by key afterwards. */
const void *policy_table_sort(struct policy_table *t, int (*by)(const void *, const void *),
			      size_t *count);
void policy_table_clear(struct policy_table *t);

#endif
