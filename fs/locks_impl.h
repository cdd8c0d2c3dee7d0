/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/locks_impl.h - inside the table of locks: only for locks*.c.
 *
 * Everything is protected by fs_locks.mutex.
 */
#ifndef FS_LOCKS_IMPL_H
#define FS_LOCKS_IMPL_H

#include <pthread.h>
#include <stddef.h>
#include "locks.h"

#define FS_LOCKS_BUCKETS 1024u

struct fs_lock_owner {
	struct fs_lock_owner *next; /* of the bucket */
	struct fs_lock_owner *idle_next;
	struct fs_lock_share *share;
	uint64_t number;
	enum fs_lock_space space;
	unsigned held;
	struct fs_lock_link waits;
	uint64_t mark; /* of the last search for circles that came by */
	bool idle;
};

/*
 * A node of a file's tree: a treap by (start, seq). What a subtree says of itself lets searches
 * skip it: the greatest end and whose locks it has, of all locks and of the exclusive ones.
 */
struct fs_lock {
	struct fs_lock *left, *right;
	uint64_t prio, seq;
	uint64_t start, end;
	struct fs_lock_owner *owner;
	struct fs_lock_file *file;
	struct fs_lock_link of_share;
	uint64_t handle;
	uint32_t needs;
	int32_t pid;
	bool exclusive;
	uint64_t max_end, max_end_excl;
	struct fs_lock_owner *who, *who_excl;
};

struct fs_lock_file {
	struct fs_lock_file *next; /* of the bucket */
	struct fs_lock_file *dirty_next, *idle_next;
	uint64_t nodeid;
	struct fs_lock *tree[2]; /* by space */
	struct fs_lock_link waits; /* in order of arrival */
	uint64_t mark; /* of the last revocation that told its share */
	bool rescan, dirty, idle;
};

struct fs_locks {
	pthread_mutex_t mutex;
	struct fs_lock_file *file[FS_LOCKS_BUCKETS];
	struct fs_lock_owner *owner[FS_LOCKS_BUCKETS];
	struct fs_lock_wait *ticket[FS_LOCKS_BUCKETS];
	struct fs_lock_file *dirty; /* locks went from them: who waits is looked at again */
	/* May be empty: freed at the end of the operation, which may still point to them. */
	struct fs_lock_file *idle_files;
	struct fs_lock_owner *idle_owners;
	uint64_t tickets, seqs, random, marks;
};

#define FS_LOCK_OF(type, member, link) ((type *)(void *)((char *)(link)-offsetof(type, member)))

static inline void fs_lock_link_init(struct fs_lock_link *l)
{
	l->next = l->prev = l;
}

static inline void fs_lock_link_add(struct fs_lock_link *head, struct fs_lock_link *l)
{
	l->prev = head->prev;
	l->next = head;
	head->prev->next = l;
	head->prev = l;
}

static inline void fs_lock_link_del(struct fs_lock_link *l)
{
	l->prev->next = l->next;
	l->next->prev = l->prev;
	fs_lock_link_init(l);
}

static inline bool fs_lock_link_empty(const struct fs_lock_link *l)
{
	return l->next == l;
}

/* ---- locks_tree.c ---- */
void fs_lock_tree_add(struct fs_lock **root, struct fs_lock *l);
void fs_lock_tree_del(struct fs_lock **root, struct fs_lock *l);
struct fs_lock_query {
	uint64_t start, end;
	const struct fs_lock_owner *owner; /* may be NULL */
	bool exclusive;
	uint64_t nodeid;
	bool pass_yielding; /* locks that yield are not in the way */
};
/* The first lock of another owner that conflicts. */
struct fs_lock *fs_lock_tree_conflict(struct fs_lock *root, const struct fs_lock_query *q);
/* The first lock of q->owner that overlaps q->start to q->end and begins after (start, seq) of `after`. */
struct fs_lock *fs_lock_tree_own(struct fs_lock *root, const struct fs_lock_query *q,
				 const struct fs_lock *after);

#endif
