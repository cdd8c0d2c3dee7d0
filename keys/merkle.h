/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keys/merkle.h - the Merkle tree over the access log: hashes, growing, proofs.
 *
 * RFC 6962, section 2.1, with SHA-256: leaf = SHA-256(00 || bytes), node = SHA-256(01 || left ||
 * right), the empty tree is SHA-256 of nothing. A tree that only grows is kept as its compact
 * range: the roots of the perfect subtrees that its size is the sum of, largest first.
 */
#ifndef KEYS_MERKLE_H
#define KEYS_MERKLE_H

#include <stdbool.h>
#include "label.h"

#define KEYS_TREE_LEVELS 63 /* sizes fit 63 bits */

struct keys_tree {
	uint64_t size;
	unsigned count; /* of hashes: the bits that are set in size */
	uint8_t hash[KEYS_TREE_LEVELS][KEYS_LEN];
};

void keys_tree_leaf(const void *p, size_t len, uint8_t out[static KEYS_LEN]);
void keys_tree_node(const uint8_t left[static KEYS_LEN], const uint8_t right[static KEYS_LEN],
		    uint8_t out[static KEYS_LEN]);
/* The leaf of a number that no stored record carries (a damaged segment took it): that of no bytes.
 */
void keys_tree_no_leaf(uint8_t out[static KEYS_LEN]);

void keys_tree_init(struct keys_tree *t); /* empty */
/* The tree of this size with these hashes. -EINVAL: their number does not belong to the size. */
int keys_tree_load(struct keys_tree *t, uint64_t size, const uint8_t *hashes, unsigned count);
void keys_tree_add(struct keys_tree *t, const uint8_t leaf[static KEYS_LEN]);
void keys_tree_root(const struct keys_tree *t, uint8_t out[static KEYS_LEN]);

/* ---- proofs ---- */
/*
 * What a proof holds, in its order: the roots of these stretches of leaves [from, to). The count; 0
 * also where nothing is needed (a tree of one leaf; old size 0 or equal). plan has room for
 * 2 * KEYS_TREE_LEVELS. Arguments out of range: 0.
 */
struct keys_tree_range {
	uint64_t from, to;
};
size_t keys_tree_inclusion_plan(uint64_t index, uint64_t size, struct keys_tree_range *plan);
size_t keys_tree_consistency_plan(uint64_t old_size, uint64_t size, struct keys_tree_range *plan);
/* 0 or -EBADMSG. proof is n times KEYS_LEN bytes. Any bytes may be given. */
int keys_tree_check_inclusion(const uint8_t leaf[static KEYS_LEN], uint64_t index, uint64_t size,
			      const uint8_t *proof, size_t n, const uint8_t root[static KEYS_LEN]);
int keys_tree_check_consistency(uint64_t old_size, const uint8_t old_root[static KEYS_LEN],
				uint64_t size, const uint8_t root[static KEYS_LEN],
				const uint8_t *proof, size_t n);

/*
 * The roots of many stretches in one pass over the leaves: new, add each leaf in order from number
 * 0 (or skip to a later one), then get. Memory: a compact range for each stretch that can be open
 * at once, taken by new.
 */
struct keys_tree_ranges;
/* Copies ranges (any order, may overlap). NULL: memory is short. */
struct keys_tree_ranges *keys_tree_ranges_new(const struct keys_tree_range *ranges, size_t n);
void keys_tree_ranges_add(struct keys_tree_ranges *r, const uint8_t leaf[static KEYS_LEN]);
/* The next leaf is number `to`. What began before and is not full never has a root. Backward:
 * nothing. */
void keys_tree_ranges_skip(struct keys_tree_ranges *r, uint64_t to);
/* Root of the i-th as given. False: its leaves did not all come. */
bool keys_tree_ranges_root(const struct keys_tree_ranges *r, size_t i,
			   uint8_t out[static KEYS_LEN]);
void keys_tree_ranges_free(struct keys_tree_ranges *r);

#endif
