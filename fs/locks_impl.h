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

/* ---- locks_range.c ---- */
/* Something of f was let go, or a waiter left: who waits is looked at again before the operation ends. */
void fs_lock_touch(struct fs_locks *t, struct fs_lock_file *f);
/* Looked at when the operation ends, and freed if it is empty. */
void fs_lock_file_idle(struct fs_locks *t, struct fs_lock_file *f);
void fs_lock_owner_idle(struct fs_locks *t, struct fs_lock_owner *o);
void fs_lock_del(struct fs_locks *t, struct fs_lock *l);
/*
 * o locks rq's range, or (unlock) lets go of it; nobody else's lock conflicts. 0, or -ENOLCK and
 * nothing changed.
 */
int fs_lock_apply(struct fs_locks *t, struct fs_lock_file *f, struct fs_lock_owner *o,
		  const struct fs_lock_request *rq, bool unlock);

/* ---- locks_wait.c ---- */
/* The lock that keeps rq out, or NULL; those that yield are taken away. */
struct fs_lock *fs_lock_obstacle(struct fs_locks *t, struct fs_lock_file *f,
				 const struct fs_lock_owner *o, const struct fs_lock_request *rq);
/* Whether rq, which nobody's lock keeps out, has to wait for requests before `until` in the queue. */
bool fs_lock_stands_behind(const struct fs_lock_file *f, const struct fs_lock_owner *o,
			   const struct fs_lock_request *rq, const struct fs_lock_link *until);
/* Whether o, if it waited for the blocker, would wait for itself. */
bool fs_lock_closes_circle(struct fs_locks *t, const struct fs_lock_owner *o,
			   struct fs_lock_owner *blocker);
struct fs_lock_wait **fs_lock_ticket_at(struct fs_locks *t, uint64_t ticket);
void fs_lock_ticket_del(struct fs_locks *t, struct fs_lock_wait *w);
void fs_lock_park(struct fs_lock_file *f, struct fs_lock_owner *o, struct fs_lock_wait *w);
/* Ends a wait. */
void fs_lock_complete(struct fs_locks *t, struct fs_lock_wait *w, int rc);
/* Into the hands of fs_locks_take. */
void fs_lock_done(struct fs_lock_wait *w, int rc);
/* Everybody who waits for a file of which something was let go, in order of arrival. */
void fs_lock_settle(struct fs_locks *t);

#endif
