/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy/names.h - names of roles, units and practitioners: their form, their hash, an index of
 * them, and the nearest known one when somebody mistypes.
 */
#ifndef POLICY_NAMES_H
#define POLICY_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define POLICY_NAME_MAX 64

/* 1 to 64 bytes of [a-z0-9._-], the first a letter or digit. */
bool policy_name_check(const char *name);
uint32_t policy_name_hash(const char *name);

/* Name -> number. Zero-initialized is empty; names are borrowed and must outlive the index. */
struct policy_index {
	struct policy_index_slot {
		const char *name; /* NULL: free */
		uint32_t hash;
		uint32_t number;
	} * slot;
	uint32_t size; /* a power of two, or 0 */
	uint32_t used;
};

/* 0, or -EEXIST, or -ENOMEM; on failure nothing has changed. */
int policy_index_put(struct policy_index *ix, const char *name, uint32_t number);
/* The number, or -1. Does not allocate. */
int64_t policy_index_find(const struct policy_index *ix, const char *name);
void policy_index_clear(struct policy_index *ix);

/* Collects the nearest of the tried candidates, at most two edits away. */
struct policy_suggest {
	const char *word;
	const char *best;
	unsigned distance;
};

void policy_suggest_init(struct policy_suggest *s, const char *word);
void policy_suggest_try(struct policy_suggest *s, const char *candidate);
/* ": did you mean `south`?", or "". */
const char *policy_suggest_text(const struct policy_suggest *s, char out[static 128]);

#endif
