/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/tagtree_impl.h - nodes of the tag tree, shared by the tagtree_*.c files only.
 *
 * A decoded node never changes and is reference-counted: the cache holds one
 * reference, every walker one for as long as it looks at it.
 */
#ifndef FS_TAGTREE_IMPL_H
#define FS_TAGTREE_IMPL_H

#include "tagtree.h"

/*
 * Nodes fill a database page: measured against 2 KiB nodes, a commit costs the same (the page is
 * written either way) and the tree is flatter.
 */
#define FS_TAGTREE_NODE_MAX FS_VALUE_MAX
#define FS_TAGTREE_HEIGHT_MAX 16
#define FS_TAGTREE_LEAF_PAY FS_TAG_LEN
#define FS_TAGTREE_INNER_PAY (4 + KEYS_LEN) /* child node u32 LE, its hash */
#define FS_TAGTREE_NODE_HEAD 3		    /* height u8, count u16 */

struct fs_tagtree_node {
	unsigned refs; /* under the cache's mutex */
	struct fs_tagtree_node *chain, *newer, *older;
	uint32_t journal, num;
	uint8_t hash[KEYS_LEN];
	uint8_t height;
	size_t n, stride, bytes;
	struct fs_key *keys;
	uint8_t *pay; /* n times stride bytes */
};

/* An entry while an update works on it: pay is a tag (leaf) or child and hash (inner). */
struct fs_tagtree_entry {
	struct fs_key key;
	uint8_t pay[FS_TAGTREE_INNER_PAY];
};

/* Where a walk stands: the node to visit and the range that its keys must keep. */
struct fs_tagtree_step {
	uint32_t num;
	uint8_t hash[KEYS_LEN];
	uint8_t height;
	bool has_first, has_upper;
	struct fs_key first, upper;
};

static inline size_t fs_tagtree_pay_len(unsigned height)
{
	return height > 1 ? FS_TAGTREE_INNER_PAY : FS_TAGTREE_LEAF_PAY;
}

void fs_tagtree_node_hash(uint32_t journal, uint32_t num, const uint8_t *p, size_t len,
			  uint8_t hash[static KEYS_LEN]);
/* Bytes that an entry takes after prev (NULL: first of its node). */
size_t fs_tagtree_entry_size(const struct fs_key *prev, const struct fs_key *key, unsigned height);
/* At most FS_TAGTREE_NODE_MAX bytes into p; the caller has measured. */
size_t fs_tagtree_node_encode(const struct fs_tagtree_entry *e, size_t n, unsigned height,
			      uint8_t p[static FS_TAGTREE_NODE_MAX]);
/* Order and journal of its keys are checked, its hash is not. One reference, in no cache. -EBADMSG. */
int fs_tagtree_node_decode(uint32_t journal, const uint8_t *p, size_t len,
			   struct fs_tagtree_node **out);

/*
 * The node of a step, from the cache or the snapshot, with hash, height, order and key range
 * checked. One reference. -EBADMSG, -EIO, -ENOMEM.
 */
int fs_tagtree_node_get(struct fs_tagtree_cache *c, struct fs_snap *snap, uint32_t journal,
			const struct fs_tagtree_step *at, struct fs_tagtree_node **out);
void fs_tagtree_node_put(struct fs_tagtree_cache *c, struct fs_tagtree_node *node);
/* Makes a node known that is about to be written; failing to is harmless. */
void fs_tagtree_node_add(struct fs_tagtree_cache *c, uint32_t journal, uint32_t num,
			 const uint8_t hash[static KEYS_LEN], const uint8_t *p, size_t len);

void fs_tagtree_step_root(const struct fs_tagtree_root *root, struct fs_tagtree_step *at);
/* Moves the step to child i of node. */
void fs_tagtree_step_down(struct fs_tagtree_step *at, const struct fs_tagtree_node *node, size_t i);
/* The number of keys <= key. */
size_t fs_tagtree_node_rank(const struct fs_tagtree_node *node, const struct fs_key *key);

#endif
