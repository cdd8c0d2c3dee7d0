/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/group_impl.h - shared by group.c (what callers see) and group_commit.c (the committer) only.
 *
 * `lock` guards everything in struct fs_group but what never changes after
 * fs_group_new. The closing group's entries are read by the committer without it:
 * they do not change. Who has set `busy` is the committer for the moment: the only
 * one that closes, replaces and commits groups. Two conditions: `work` wakes the
 * committer's thread, `news` those who wait for a commit.
 */
#ifndef FS_GROUP_IMPL_H
#define FS_GROUP_IMPL_H

#include "group.h"
#include "groupmap.h"

#include <pthread.h>

#define FS_GROUP_PAGES_MOST 4096u
#define FS_GROUP_BYTES_MOST ((size_t)12 << 20) /* half: one is open while the other closes */

#define FS_GROUP_WRITERS 64u

/* What one session has put into a group. Only compared: the session may be over. */
struct fs_group_writer {
	const struct fs_signer *signer;
	size_t bytes, pages;
};

struct fs_closing { /* a group, open or closing */
	struct fs_groupmap map;
	struct fs_group_writer writer[FS_GROUP_WRITERS]; /* those beyond have no share of their own */
	unsigned writers;
	uint64_t number;
	int64_t since_ms;		     /* first change */
	const struct fs_group_entry **index; /* made when it closes */
};

struct fs_group {
	struct fs_store *store;
	struct fs_group_hooks hooks;
	pthread_t committer;

	pthread_mutex_t lock;
	pthread_cond_t work, news;
	struct fs_reserve *reserve;
	struct fs_closing *open; /* NULL after a failure */
	struct fs_closing *closing;
	uint64_t durable;
	uint64_t wanted; /* somebody waits for this group */
	int64_t hurry_ms; /* when a closed file wants its commit; 0: none does */
	bool stop;
	bool busy;	  /* somebody closes and commits: the committer, or one who waits */
	int64_t awake_ms; /* when the committer looks by itself; -1: when told */
	int failed;  /* sticky */
	int stalled; /* 0, or why the closing group waits: -ENOSPC, -ENOMEM */
	bool retry;  /* try again now */
	uint64_t attempts, stalled_attempt; /* begun; the last that stalled */
	uint64_t commits;
	uint64_t space; /* of the store when last asked */
	int64_t space_ms;
};

/* A new, empty group; NULL when memory is short. Freeing wipes, releases and allows NULL. */
struct fs_closing *fs_group_closing_new(uint64_t number);
void fs_group_closing_free(struct fs_closing *c, const struct fs_group_hooks *hooks);
/* Large enough to be closed now. Lock held. */
bool fs_group_full(const struct fs_closing *c);

/*
 * Lock held, released meanwhile. Closes and commits the open group in this thread, once. False: it is
 * for others to do. What finds no room is left to the committer.
 */
bool fs_group_commit_here(struct fs_group *g);

/* Starts the committer thread of a group that is otherwise complete. */
int fs_group_start(struct fs_group *g);

int64_t fs_group_now_ms(void);
/* Lock held, released meanwhile. until_ms < 0: for ever. */
void fs_group_wait(pthread_cond_t *c, pthread_mutex_t *lock, int64_t until_ms);

#endif
