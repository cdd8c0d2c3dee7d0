/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keys/merkle.c - the Merkle tree over the access log: compact range, plans and checks of proofs.
 *
 * Owns nothing that lives longer than a call. Implements keys/FORMAT.md, "Tree of the log" and
 * "Proofs": RFC 6962, section 2.1; the checks follow RFC 9162, sections 2.1.3.2 and 2.1.4.2, which
 * are the same tree's. Plain SHA-256, an exception from labelled hashing: the bytes 00 and 01 in
 * front tell a leaf from a node, and other people's tools must come to the same root.
 *
 * Invariant: hash[i] of a tree belongs to the i-th highest bit that is set in size.
 */
#include "merkle.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "seal.h"

#define NODE_LEN (1 + 2 * KEYS_LEN)

static const uint8_t leaf_byte[1] = {0x00};

void keys_tree_leaf(const void *p, size_t len, uint8_t out[static KEYS_LEN])
{
	const struct keys_span parts[] = {{leaf_byte, sizeof(leaf_byte)}, {p, len}};

	keys_sha256(parts, len ? 2 : 1, out);
}

void keys_tree_node(const uint8_t left[static KEYS_LEN], const uint8_t right[static KEYS_LEN],
		    uint8_t out[static KEYS_LEN])
{
	uint8_t all[NODE_LEN] = {0x01};
	const struct keys_span part = {all, sizeof(all)};

	memcpy(all + 1, left, KEYS_LEN);
	memcpy(all + 1 + KEYS_LEN, right, KEYS_LEN);
	keys_sha256(&part, 1, out);
}

void keys_tree_no_leaf(uint8_t out[static KEYS_LEN])
{
	keys_tree_leaf(NULL, 0, out);
}

/* ---- the compact range ---- */

void keys_tree_init(struct keys_tree *t)
{
	memset(t, 0, sizeof(*t));
}

int keys_tree_load(struct keys_tree *t, uint64_t size, const uint8_t *hashes, unsigned count)
{
	if (size > INT64_MAX || (unsigned)__builtin_popcountll(size) != count)
		return -EINVAL;
	keys_tree_init(t);
	t->size = size;
	t->count = count;
	if (count)
		memcpy(t->hash, hashes, (size_t)count * KEYS_LEN);
	return 0;
}

void keys_tree_add(struct keys_tree *t, const uint8_t leaf[static KEYS_LEN])
{
	uint8_t hash[KEYS_LEN];

	assert(t->size < INT64_MAX);
	memcpy(hash, leaf, sizeof(hash));
	for (uint64_t full = t->size; full & 1; full >>= 1)
		keys_tree_node(t->hash[--t->count], hash, hash);
	memcpy(t->hash[t->count++], hash, sizeof(hash));
	t->size++;
}

void keys_tree_root(const struct keys_tree *t, uint8_t out[static KEYS_LEN])
{
	uint8_t hash[KEYS_LEN];

	if (!t->count) {
		keys_sha256(NULL, 0, out);
		return;
	}
	memcpy(hash, t->hash[t->count - 1], sizeof(hash));
	for (unsigned i = t->count - 1; i-- > 0;)
		keys_tree_node(t->hash[i], hash, hash);
	memcpy(out, hash, sizeof(hash));
}

/* ---- plans ---- */

/* The largest power of two below n, which is at least 2. */
static uint64_t split_at(uint64_t n)
{
	return UINT64_C(1) << (63 - __builtin_clzll(n - 1));
}

/* What was noted from the top downward is wanted from below. */
static size_t reverse(struct keys_tree_range *plan, size_t n)
{
	for (size_t i = 0; i < n / 2; i++) {
		struct keys_tree_range other = plan[n - 1 - i];

		plan[n - 1 - i] = plan[i];
		plan[i] = other;
	}
	return n;
}

size_t keys_tree_inclusion_plan(uint64_t index, uint64_t size, struct keys_tree_range *plan)
{
	uint64_t from = 0, to = size;
	size_t n = 0;

	if (size > INT64_MAX || index >= size)
		return 0;
	while (to - from > 1) {
		uint64_t middle = from + split_at(to - from);

		if (index < middle) {
			plan[n++] = (struct keys_tree_range){middle, to};
			to = middle;
		} else {
			plan[n++] = (struct keys_tree_range){from, middle};
			from = middle;
		}
	}
	return reverse(plan, n);
}

size_t keys_tree_consistency_plan(uint64_t old_size, uint64_t size, struct keys_tree_range *plan)
{
	uint64_t from = 0, to = size;
	size_t n = 0;

	if (size > INT64_MAX || !old_size || old_size >= size)
		return 0;
	while (to != old_size) {
		uint64_t middle = from + split_at(to - from);

		if (old_size <= middle) {
			plan[n++] = (struct keys_tree_range){middle, to};
			to = middle;
		} else {
			plan[n++] = (struct keys_tree_range){from, middle};
			from = middle;
		}
	}
	if (from) /* else it is the old root itself */
		plan[n++] = (struct keys_tree_range){from, to};
	return reverse(plan, n);
}

/* ---- checks ---- */

/* The way from a leaf, or from the end of an old tree, up to the root of the new one. */
struct climb {
	uint64_t at, last; /* place on this level, and that of the level's last */
};

/* Whether what comes next in the proof stands to the left; goes up to where it is joined. */
static bool climb_left(struct climb *c)
{
	bool left = c->at & 1 || c->at == c->last;

	while (left && !(c->at & 1) && c->at) {
		c->at >>= 1;
		c->last >>= 1;
	}
	return left;
}

static void climb_up(struct climb *c)
{
	c->at >>= 1;
	c->last >>= 1;
}

int keys_tree_check_inclusion(const uint8_t leaf[static KEYS_LEN], uint64_t index, uint64_t size,
			      const uint8_t *proof, size_t n, const uint8_t root[static KEYS_LEN])
{
	struct climb c = {index, size - 1};
	uint8_t hash[KEYS_LEN];

	if (size > INT64_MAX || index >= size)
		return -EBADMSG;
	memcpy(hash, leaf, sizeof(hash));
	for (size_t i = 0; i < n; i++, climb_up(&c)) {
		if (!c.last)
			return -EBADMSG;
		if (climb_left(&c))
			keys_tree_node(proof + i * KEYS_LEN, hash, hash);
		else
			keys_tree_node(hash, proof + i * KEYS_LEN, hash);
	}
	return !c.last && keys_equal(hash, root, KEYS_LEN) ? 0 : -EBADMSG;
}

/* Where the proof is empty: the same tree, or nothing before. */
static int check_no_proof(uint64_t old_size, const uint8_t *old_root, uint64_t size,
			  const uint8_t *root)
{
	uint8_t empty[KEYS_LEN];

	keys_sha256(NULL, 0, empty);
	if (!old_size && !keys_equal(old_root, empty, KEYS_LEN))
		return -EBADMSG;
	if (old_size == size && !keys_equal(old_root, root, KEYS_LEN))
		return -EBADMSG;
	return 0;
}

int keys_tree_check_consistency(uint64_t old_size, const uint8_t old_root[static KEYS_LEN],
				uint64_t size, const uint8_t root[static KEYS_LEN],
				const uint8_t *proof, size_t n)
{
	struct climb c = {old_size - 1, size - 1};
	uint8_t old_hash[KEYS_LEN], hash[KEYS_LEN];
	size_t i = 0;

	if (size > INT64_MAX || old_size > size)
		return -EBADMSG;
	if (!old_size || old_size == size)
		return n ? -EBADMSG : check_no_proof(old_size, old_root, size, root);
	if (!n)
		return -EBADMSG;
	while (c.at & 1)
		climb_up(&c);
	/* An old tree that is perfect stands in the new one as it is, and not in the proof. */
	memcpy(hash, old_size & (old_size - 1) ? proof + KEYS_LEN * i++ : old_root, KEYS_LEN);
	memcpy(old_hash, hash, sizeof(old_hash));
	for (; i < n; i++, climb_up(&c)) {
		const uint8_t *p = proof + i * KEYS_LEN;

		if (!c.last)
			return -EBADMSG;
		if (climb_left(&c)) {
			keys_tree_node(p, old_hash, old_hash);
			keys_tree_node(p, hash, hash);
		} else {
			keys_tree_node(hash, p, hash);
		}
	}
	if (c.last || !keys_equal(old_hash, old_root, KEYS_LEN))
		return -EBADMSG;
	return keys_equal(hash, root, KEYS_LEN) ? 0 : -EBADMSG;
}
