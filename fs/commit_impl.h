/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/commit_impl.h - a commit while it is being built: shared by commit.c and
 * commit_items.c only. Committer, no locks.
 */
#ifndef FS_COMMIT_IMPL_H
#define FS_COMMIT_IMPL_H

#include "chunk_impl.h"

struct fs_commit_arena {
	struct fs_commit_arena *before;
	size_t used, cap;
	uint8_t data[];
};

/* A journal that this commit changes. */
struct fs_commit_touched {
	struct fs_journal *j; /* NULL: removed while nobody has it open */
	struct fs_root next;
	bool removed;
	bool units; /* its container took part */
	bool held;  /* we hold a reference */
};

struct fs_commit_changes {
	struct fs_tagtree_change *c;
	size_t n, cap;
};

struct fs_commit {
	struct fs_records *r;
	uint64_t group;
	struct fs_commit_arena *arena;
	struct fs_store_item *items;
	size_t n, cap;
	struct fs_tagtree_out nodes;
	struct fs_commit_touched *touched;
	size_t n_touched, cap_touched;
	struct fs_commit_changes vault;
	struct fs_store_write *writes; /* of containers, carried by the commit */
	size_t n_writes;
	bool direct; /* containers were synced instead */
	struct fs_redo_mark after;
};

/* The records of one tree on their way: where put and del below add to. */
struct fs_commit_work {
	struct fs_commit *c;
	struct fs_journal *j;
	struct fs_commit_changes *changes;
};

/* n bytes that live as long as the commit; NULL when memory is short. */
uint8_t *fs_commit_room(struct fs_commit *c, size_t n);
int fs_commit_add_item(struct fs_commit *c, const struct fs_store_item *item);
/* NULL when memory is short. Valid until the next call. */
struct fs_commit_touched *fs_commit_touch(struct fs_commit *c, struct fs_journal *j);

/* A value in its stored form (kept by the caller as long as the commit): item and change. */
int fs_commit_put_stored(struct fs_commit_work *w, const struct fs_key *key, const uint8_t *stored,
			 size_t len);
/* The same for a plaintext, sealed here; the shape that fs_chunk_encode wants. ctx: the work. */
int fs_commit_put(void *ctx, const struct fs_key *key, const void *p, size_t len);
int fs_commit_del(void *ctx, const struct fs_key *key);

/* ---- commit_carry.c ---- */
/* What was written into containers becomes durable: carried by the commit, or synced here. */
int fs_commit_carry(struct fs_commit *c);

/* Sorted items without repeats: -EINVAL when a key comes twice. */
int fs_commit_sort(struct fs_commit *c);

#endif
