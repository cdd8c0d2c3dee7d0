/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/locks.h - the table of file locks: who holds which bytes, who waits for them.
 *
 * Pure: no FUSE, no clock, no policy. Files are numbers; an owner is (share, number,
 * space), where a share is one mount's part of the table and the two spaces never
 * meet: RANGE for fcntl locks (POSIX and OFD), WHOLE for flock. Semantics are
 * Linux's: an owner's new lock replaces its own where they overlap, ranges split and
 * merge, flock converts by letting go first, a blocking RANGE request that would
 * close a circle of waiting owners fails with -EDEADLK, WHOLE never looks for circles.
 *
 * Waiting is by ticket, never by a thread: whoever lets go grants, in order of arrival.
 * A blocking request also waits behind earlier ones that it conflicts with, so that
 * nobody starves; a request of an owner that holds locks does not, and nobody does so
 * for longer than FS_LOCKS_PATIENCE_NS, so that this order never makes a deadlock.
 *
 * A share may yield (its session is locked): its locks stay as long as nobody wants
 * them, and are taken from it, for good and with notice, by the first who conflicts.
 *
 * One mutex inside. The calls of a share are made with it held and may take only leaf
 * locks. Every operation costs O(log n) in the locks of a file and is bounded by the
 * shares' limits.
 */
#ifndef FS_LOCKS_H
#define FS_LOCKS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define FS_LOCKS_HELD 4096u   /* ranges a share */
#define FS_LOCKS_WAITING 256u /* waiting requests a share */
#define FS_LOCKS_END ((uint64_t)INT64_MAX)
#define FS_LOCKS_PATIENCE_NS (2 * INT64_C(1000000000))

enum fs_lock_space {
	FS_LOCK_RANGE, /* fcntl */
	FS_LOCK_WHOLE, /* flock: start 0, end FS_LOCKS_END */
};

struct fs_locks;
struct fs_lock_share;
struct fs_lock;
struct fs_lock_owner;
struct fs_lock_file;

struct fs_lock_calls {
	/* fs_locks_take has something for this share. */
	void (*wake)(struct fs_lock_share *s);
	/*
	 * Whether the locks of s on this file may be taken from it now. take: they are being taken
	 * if the answer is yes; nothing may be written under them from then on.
	 */
	bool (*yields)(struct fs_lock_share *s, uint64_t nodeid, bool take);
	/* Locks of s on this file were taken away by fs_locks_revoke or fs_locks_undo. */
	void (*lost)(struct fs_lock_share *s, uint64_t nodeid);
};

struct fs_lock_link {
	struct fs_lock_link *next, *prev;
};

/* Embedded in a mount, zeroed, then fs_locks_join. All but the counters: the table's. */
struct fs_lock_share {
	const struct fs_lock_calls *calls;
	atomic_uint held, waiting;
	struct fs_lock_link locks, waits, done;
	bool closed;
};

struct fs_lock_request {
	struct fs_lock_share *share;
	uint64_t nodeid;
	uint64_t owner;
	uint64_t handle; /* fs_locks_close_handle drops what came through it */
	uint64_t start, end; /* inclusive; end at most FS_LOCKS_END */
	enum fs_lock_space space;
	bool exclusive;
	uint32_t needs; /* rights: fs_locks_revoke */
	int32_t pid;	/* for fs_locks_test; 0: unknown */
};

/* Embedded by the caller, zeroed; the table's from fs_locks_prepare until it is given back. */
struct fs_lock_wait {
	struct fs_lock_request rq;
	uint64_t ticket;
	int rc; /* when taken: 0 granted, or why not */
	/* the table's: */
	struct fs_lock_link of_share, of_file, of_owner;
	struct fs_lock_wait *bucket;
	struct fs_lock_owner *owner, *blocker;
	struct fs_lock_file *file;
	int64_t behind_ns; /* since when only earlier requests keep it */
	bool behind, impatient, cancelled;
};

/* What fs_locks_test found in the way. */
struct fs_lock_found {
	uint64_t start, end;
	bool exclusive;
	int32_t pid;
};

int fs_locks_new(struct fs_locks **out);
/* All shares have left. */
void fs_locks_free(struct fs_locks *t);
void fs_locks_join(struct fs_locks *t, struct fs_lock_share *s, const struct fs_lock_calls *calls);
/* Drops all of s for good; its waiters are done with -ENODEV, later requests fail with it. */
void fs_locks_leave(struct fs_locks *t, struct fs_lock_share *s);

/* Gives w a ticket, before anything can cancel it. */
void fs_locks_prepare(struct fs_locks *t, struct fs_lock_wait *w);
/*
 * Takes the lock that w->rq describes. 0: held. 1 (only with wait): w waits and will come out of
 * fs_locks_take. Else -EAGAIN, -EDEADLK, -ENOLCK (no memory, or the share's limit), -EINTR (cancelled
 * since fs_locks_prepare), -ENODEV. w is the caller's again unless 1.
 */
int fs_locks_set(struct fs_locks *t, struct fs_lock_wait *w, bool wait);
/* A lock that is held but whose reply has to wait: w comes out of fs_locks_take with 0. */
void fs_locks_defer(struct fs_locks *t, struct fs_lock_wait *w);
/* Ends the wait of this ticket with rc; nothing when it does not wait any more. */
void fs_locks_cancel(struct fs_locks *t, uint64_t ticket, int rc);
/* The next request of s that is done; NULL: none. The caller's from here on. */
struct fs_lock_wait *fs_locks_take(struct fs_locks *t, struct fs_lock_share *s);
/* What fs_locks_take gave as granted is not wanted any more. The share is told that it lost it. */
void fs_locks_undo(struct fs_locks *t, const struct fs_lock_wait *w);

/* Lets go of rq->start to rq->end. 0, or -ENOLCK when that would split a lock beyond the limits. */
int fs_locks_unlock(struct fs_locks *t, const struct fs_lock_request *rq);
/* True when rq would be refused now, and by what. */
bool fs_locks_test(struct fs_locks *t, const struct fs_lock_request *rq,
		   struct fs_lock_found *out);
/* The last close of a handle: what was locked through it goes (OFD locks and flock). */
void fs_locks_close_handle(struct fs_locks *t, struct fs_lock_share *s, uint64_t nodeid,
			   uint64_t handle);

/* All waiters of s are done with rc, and what others want of its locks is offered to them. */
void fs_locks_offer(struct fs_locks *t, struct fs_lock_share *s, int rc);
/* The journals (nodeid >> 40) in which s holds or wants locks, at most cap, each once. */
unsigned fs_locks_journals(struct fs_locks *t, struct fs_lock_share *s, uint32_t *out,
			   unsigned cap);
/* In this journal s has only these rights any more: what needs others goes; waiters get rc. */
void fs_locks_revoke(struct fs_locks *t, struct fs_lock_share *s, uint32_t journal,
		     uint32_t rights, int rc);
/* Now and then while s waits: requests that have stood behind others for long enough don't any more. */
void fs_locks_tick(struct fs_locks *t, struct fs_lock_share *s, int64_t now_ns);

#endif
