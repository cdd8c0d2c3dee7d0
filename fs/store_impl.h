/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/store_impl.h - what store*.c share; for no one else.
 *
 * Numbers: every apply has one, counted by the store from 0 at open (recent.number). The database has
 * all up to recent.merged, which is the state of transaction merged_txn; a transaction under way
 * leads to running_to. A snapshot knows by its transaction's id which of the two it is in.
 *
 * Locks: `writer` (one LMDB write transaction; long) -> `lock` (short) and `space`, leaves.
 */
#ifndef FS_STORE_IMPL_H
#define FS_STORE_IMPL_H

#include <lmdb.h>
#include <pthread.h>
#include <stdatomic.h>
#include "store.h"
#include "store_recent.h"

#define FS_STORE_DIRTY_MOST 64

struct arena;

struct fs_snap {
	struct fs_snap *next; /* in the pool */
	struct fs_store *store;
	MDB_env *env; /* the one that txn belongs to */
	MDB_txn *txn;
	MDB_cursor *cursor;
	struct fs_recent_view view;
	struct arena *arena;
};

/* A container with bytes that are durable in the redo file only. */
struct fs_store_dirty {
	uint32_t journal;
	int fd; /* ours */
};

#define FS_STORE_PIECES 1024u

struct fs_store {
	MDB_env *env;	  /* in use for reading */
	MDB_env *old_env; /* the one whose commit failed, kept until close; NULL: none */
	MDB_dbi dbi;
	unsigned flags;
	char *dir;
	int lock_fd; /* data.mdb, flocked */
	int fd;	     /* data.mdb, LMDB's own */
	unsigned page;
	atomic_int failed;
	atomic_uint active;	    /* snapshots in use */
	_Atomic uint64_t alloc_end; /* data.mdb is allocated up to here */
	_Atomic uint64_t used_end;  /* pages of the last commit end here */
	_Atomic uint64_t last_txn;

	/* pieces of the map, by store_snap.c: asked for; in use for inodes, and their pages that are */
	_Atomic uint64_t fetched[FS_STORE_PIECES];
	_Atomic uint64_t met[FS_STORE_PIECES], met_pages[FS_STORE_PIECES];

	struct fs_redo *redo; /* set by fs_store_replay, before threads */
	int containers;

	pthread_mutex_t writer, space;
	pthread_t checkpointer;
	bool runs; /* that thread */

	pthread_mutex_t lock; /* all below */
	pthread_cond_t work;  /* to the checkpointer */
	struct fs_snap *pool;
	struct fs_recent recent;
	struct fs_redo_mark mark; /* the vault's state with all of recent */
	uint64_t merged_txn, running_to;
	struct fs_recent_tally running; /* what the transaction under way brings over */
	struct fs_store_dirty dirty[FS_STORE_DIRTY_MOST];
	size_t n_dirty;
	int64_t since_ms; /* the oldest apply that is not in the database; 0: none */
	bool hurry, stop;
};

/* LMDB's code as a negative errno. */
int fs_store_rc(int rc);
int fs_store_env_open(const char *dir, unsigned env_flags, MDB_env **out, MDB_dbi *dbi);
/* After a commit: takes note of where the file ends. */
void fs_store_note_committed(struct fs_store *s);

/* ---- store_snap.c ---- */
/* One that is in no pool. */
void fs_store_snap_free(struct fs_snap *snap);

/* ---- store_space.c ---- */
/* The most pages that bringing this into the database can add to the file. In the SIGBUS guard. */
uint64_t fs_store_pages(struct fs_store *s, const struct fs_recent_tally *t);
/* data.mdb can take so many pages more without asking the disk again. -ENOSPC. In the guard. */
int fs_store_secure(struct fs_store *s, uint64_t pages);

/* ---- store_write.c ---- */
/*
 * One transaction: all of recent and, with c, its items on top as the next apply. Containers that
 * are dirty, and c's writes, are synced before. -ENOSPC: nothing happened.
 */
int fs_store_merge(struct fs_store *s, const struct fs_store_commit *c);

/* ---- store_redo.c ---- */
/* Stops the checkpointer; the last checkpoint. */
void fs_store_redo_close(struct fs_store *s);
/* Lock held. A descriptor of our own for the container; -EMFILE and the like. */
int fs_store_dirty_add(struct fs_store *s, uint32_t journal, int fd);
/* Syncs and closes. -EIO. */
int fs_store_dirty_sync(struct fs_store_dirty *d, size_t n);

#endif
