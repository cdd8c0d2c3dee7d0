/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/tagtree.h - the tag tree: nothing swapped or rolled back goes unseen.
 *
 * A Merkle B+ tree over a journal's stored records (or, for journal 0, over the
 * vault's), ordered by record key. A leaf holds (key, tag) pairs, a tag being 16
 * bytes of SHA-256 over key and stored bytes; an inner node holds (first key,
 * node number, hash) of its children. Nodes are records in table FS_T_NODE, in
 * clear: they hold only what the database shows anyway, so structure can be
 * verified without keys. The root (node number, height, hash) is what record.c
 * signs or MACs. Updated once per commit with the sorted changes; verified on
 * read. Format: fs/FORMAT.md, "Tag tree".
 *
 * Decoded nodes are cached by (journal, node, hash), bounded, and trusted: a
 * database altered underneath a running daemon meets the hash from memory.
 * Locks: the cache's mutex (leaf).
 */
#ifndef FS_TAGTREE_H
#define FS_TAGTREE_H

#include "../keys/label.h"
#include "store.h"

#define FS_TAG_LEN 16

struct fs_tagtree_cache;
int fs_tagtree_cache_new(size_t max_bytes, struct fs_tagtree_cache **out);
void fs_tagtree_cache_free(struct fs_tagtree_cache *c);
/* Forgets a journal's nodes. */
void fs_tagtree_cache_drop(struct fs_tagtree_cache *c, uint32_t journal);

struct fs_tagtree_root {
	uint32_t journal;
	uint32_t node;	 /* 0: the tree is empty */
	uint8_t height;	 /* 0 for an empty tree, 1 for a single leaf */
	uint32_t next;	 /* next unused node number */
	uint8_t hash[KEYS_LEN];
};

void fs_tagtree_tag(const struct fs_key *key, const void *stored, size_t len,
		    uint8_t tag[static FS_TAG_LEN]);

/* 0 and the tag; -ENOENT (proved absent); -EBADMSG (a node is missing or wrong); -EIO. */
int fs_tagtree_get(struct fs_tagtree_cache *c, struct fs_snap *snap,
		   const struct fs_tagtree_root *root, const struct fs_key *key,
		   uint8_t tag[static FS_TAG_LEN]);
/* The first key >= from with its tag, proved complete; -ENOENT at the end. */
int fs_tagtree_next(struct fs_tagtree_cache *c, struct fs_snap *snap,
		    const struct fs_tagtree_root *root, const struct fs_key *from,
		    struct fs_key *found, uint8_t tag[static FS_TAG_LEN]);

struct fs_tagtree_change {
	struct fs_key key;
	bool del;
	uint8_t tag[FS_TAG_LEN];
};

/* What an update writes: node records (and deletions), to be merged into the store items. */
struct fs_tagtree_out {
	struct fs_store_item *items; /* values owned by this struct; unsorted */
	size_t n, cap;
};
void fs_tagtree_out_clear(struct fs_tagtree_out *out);
/* Back to the first n items. */
void fs_tagtree_out_trim(struct fs_tagtree_out *out, size_t n);

/* Applies sorted changes: fills out and *root. On error *root is untouched. */
int fs_tagtree_update(struct fs_tagtree_cache *c, struct fs_snap *snap, struct fs_tagtree_root *root,
		      const struct fs_tagtree_change *changes, size_t n, struct fs_tagtree_out *out);

#endif
