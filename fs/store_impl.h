/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/store_impl.h - what store.c and store_snap.c share; for no one else.
 */
#ifndef FS_STORE_IMPL_H
#define FS_STORE_IMPL_H

#include <lmdb.h>
#include <pthread.h>
#include <stdatomic.h>
#include "store.h"

struct arena;

struct fs_snap {
	struct fs_snap *next; /* in the pool */
	struct fs_store *store;
	MDB_env *env; /* the one that txn belongs to */
	MDB_txn *txn;
	MDB_cursor *cursor;
	struct arena *arena;
};

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

	pthread_mutex_t lock;
	struct fs_snap *pool;
};

/* LMDB's code as a negative errno. */
int fs_store_rc(int rc);
/* One that is in no pool. */
void fs_store_snap_free(struct fs_snap *snap);

#endif
