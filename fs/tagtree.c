/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/tagtree.c - reading the tag tree: the tag of a key, the next key.
 *
 * Both answers are proofs: every node on the way was checked against the hash
 * that its parent holds, and the key ranges of neighbours leave no gap in which
 * a record could hide. The parent's key for a child is exactly the child's first
 * key; fs_tagtree_next relies on it to step from one leaf to the next.
 */
#include <errno.h>

#include "tagtree_impl.h"

void fs_tagtree_tag(const struct fs_key *key, const void *stored, size_t len,
		    uint8_t tag[static FS_TAG_LEN])
{
	struct keys_span parts[] = {{key->b, key->len}, {stored, len}};

	keys_label_digest(KEYS_LABEL_TAG, parts, 2, tag, FS_TAG_LEN);
}

static bool sane(const struct fs_tagtree_root *root)
{
	return root->height <= FS_TAGTREE_HEIGHT_MAX && !root->node == !root->height;
}

/* The leaf in which key stands or would stand; *after is set when another leaf follows. */
static int descend(struct fs_tagtree_cache *c, struct fs_snap *snap,
		   const struct fs_tagtree_root *root, const struct fs_key *key,
		   struct fs_tagtree_step *at, struct fs_tagtree_node **leaf)
{
	struct fs_tagtree_node *node;
	size_t rank;
	int rc;

	if (!sane(root))
		return -EBADMSG;
	if (!root->node)
		return -ENOENT;
	fs_tagtree_step_root(root, at);
	for (;;) {
		rc = fs_tagtree_node_get(c, snap, root->journal, at, &node);
		if (rc)
			return rc;
		if (at->height == 1) {
			*leaf = node;
			return 0;
		}
		rank = fs_tagtree_node_rank(node, key);
		fs_tagtree_step_down(at, node, rank ? rank - 1 : 0);
		fs_tagtree_node_put(c, node);
	}
}

int fs_tagtree_get(struct fs_tagtree_cache *c, struct fs_snap *snap,
		   const struct fs_tagtree_root *root, const struct fs_key *key,
		   uint8_t tag[static FS_TAG_LEN])
{
	struct fs_tagtree_step at;
	struct fs_tagtree_node *leaf;
	size_t rank;
	int rc = descend(c, snap, root, key, &at, &leaf);

	if (rc)
		return rc;
	rank = fs_tagtree_node_rank(leaf, key);
	rc = -ENOENT;
	if (rank && !fs_key_cmp(&leaf->keys[rank - 1], key)) {
		memcpy(tag, leaf->pay + (rank - 1) * leaf->stride, FS_TAG_LEN);
		rc = 0;
	}
	fs_tagtree_node_put(c, leaf);
	return rc;
}

/* As fs_tagtree_next within the leaf of from; -EAGAIN: nothing there, go on at *upper. */
static int next_in_leaf(struct fs_tagtree_cache *c, struct fs_snap *snap,
			const struct fs_tagtree_root *root, const struct fs_key *from,
			struct fs_key *found, uint8_t tag[static FS_TAG_LEN], struct fs_key *upper)
{
	struct fs_tagtree_step at;
	struct fs_tagtree_node *leaf;
	size_t i;
	int rc = descend(c, snap, root, from, &at, &leaf);

	if (rc)
		return rc;
	i = fs_tagtree_node_rank(leaf, from);
	if (i && !fs_key_cmp(&leaf->keys[i - 1], from))
		i--;
	if (i < leaf->n) {
		*found = leaf->keys[i];
		memcpy(tag, leaf->pay + i * leaf->stride, FS_TAG_LEN);
	} else {
		rc = at.has_upper ? -EAGAIN : -ENOENT;
		*upper = at.upper;
	}
	fs_tagtree_node_put(c, leaf);
	return rc;
}

int fs_tagtree_next(struct fs_tagtree_cache *c, struct fs_snap *snap,
		    const struct fs_tagtree_root *root, const struct fs_key *from,
		    struct fs_key *found, uint8_t tag[static FS_TAG_LEN])
{
	struct fs_key upper, none;
	int rc = next_in_leaf(c, snap, root, from, found, tag, &upper);

	/* The next leaf begins with exactly `upper`, so a second look always finds. */
	if (rc == -EAGAIN)
		rc = next_in_leaf(c, snap, root, &upper, found, tag, &none);
	return rc == -EAGAIN ? -EBADMSG : rc;
}
