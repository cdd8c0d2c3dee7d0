/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/store.h - the narrow door to the database (LMDB).
 *
 * Get, scan, apply a sorted batch, snapshot; nothing else of the engine shows.
 * Values at most FS_VALUE_MAX bytes. Only store*.c include lmdb.h and translate
 * its codes. Any thread may read; one thread at a time (the committer) applies.
 *
 * With a redo file (fs_store_replay) a commit is one synced write there, and is kept in memory, where
 * snapshots see it, until a thread of the store has brought it into the database. Without one, and
 * when it is large, it goes into the database at once.
 *
 * After a failed write or sync (-EIO) the store stays readable at the last commit
 * and refuses everything else. An open store must not be used after fork.
 */
#ifndef FS_STORE_H
#define FS_STORE_H

#include "key.h"
#include "redo.h"

struct fs_store;
struct fs_snap;

#define FS_STORE_READ_ONLY 1u
#define FS_STORE_CREATE 2u

/*
 * dir: VAULT/db. 0; -EBUSY: another process has it open (flock on VAULT is the vault's, this is
 * a second guard); -EUCLEAN: the file is structurally damaged; else negative errno.
 */
int fs_store_open(const char *dir, unsigned flags, struct fs_store **out);
void fs_store_close(struct fs_store *s); /* NULL is legal; every snapshot must have ended */
bool fs_store_read_only(const struct fs_store *s);

/*
 * Walks the whole structure of the database in a child that holds no keys and may do nothing but
 * read its own memory (store_check.c). For a database that changed since its last clean close.
 * Call it before threads start and before fs_store_open. 0 (also when there is no database yet);
 * -EUCLEAN: damaged; else negative errno: the check could not be made.
 */
int fs_store_check(const char *dir);
/* The same walk over the bytes of a data.mdb, in this process: for tests and fuzzers. -EUCLEAN. */
int fs_store_check_image(const uint8_t *p, size_t len);

/*
 * A read-only snapshot of the last commit: renewed, not created, per thread (0.01 us). Pointers
 * got from it are valid until snap_end. Short-lived: never held across a wait, ended by the thread
 * that began it. -EAGAIN: more than FS_STORE_READERS at once; -ENOMEM; -EIO.
 */
#define FS_STORE_READERS 512
int fs_store_snap_begin(struct fs_store *s, struct fs_snap **out);
void fs_store_snap_end(struct fs_snap *snap);

/*
 * 0, -ENOENT, -EIO, -ENOMEM. *val is a copy that the snapshot owns: what the caller verified cannot
 * change underneath it, and a fault of the disk shows here, not as a SIGBUS later.
 */
int fs_store_get(struct fs_snap *snap, const struct fs_key *key, const uint8_t **val, size_t *len);
/* The first record with key >= from: 0, -ENOENT (none), -EIO. */
int fs_store_next(struct fs_snap *snap, const struct fs_key *from, struct fs_key *found,
		  const uint8_t **val, size_t *len);

struct fs_store_item {
	struct fs_key key;
	const uint8_t *val; /* NULL: delete (absent is no error) */
	size_t len;
};

/*
 * Applies items (sorted by key, no key twice) in one transaction with full sync. All or nothing.
 * -ENOSPC: nothing happened, may be tried again. -EIO: a write or sync failed; the state on disk
 * is the one before or the one after; never retried by the caller.
 */
int fs_store_apply(struct fs_store *s, const struct fs_store_item *items, size_t n);

/* ---- the redo file ---- */

/* Bytes of a container that its file has, but not durably. p is in memory. */
struct fs_store_write {
	uint32_t journal;
	int fd;
	uint64_t at;
	const uint8_t *p;
	size_t len;
};

struct fs_store_commit {
	const struct fs_store_item *items; /* as for fs_store_apply */
	size_t n;
	struct fs_redo_mark after; /* the vault's state with them: one more than before; or number 0 */
	const struct fs_store_write *writes;
	size_t n_writes;
	bool direct; /* straight into the database, e.g. since contents were synced on their own */
};

/* As fs_store_apply, made durable together with what was written into containers. */
int fs_store_commit(struct fs_store *s, const struct fs_store_commit *c);
/* True when a commit may carry so many bytes of containers. */
bool fs_store_carries(const struct fs_store *s, size_t bytes);

struct fs_store_replay {
	int containers;		   /* VAULT/containers, open as long as the store is */
	uint64_t bytes;		   /* of a new redo file; 0: as the disk allows */
	const uint8_t *key;	   /* the vault's MAC key, KEYS_LEN */
	struct fs_redo_mark state; /* what the database holds */
	bool lenient;		   /* what does not follow that state is thrown away, not refused */
};

/*
 * Once, after opening and before anything is applied: from now on snapshots see the commits that were
 * durable but not in the database, and commits go through the redo file. Read-only: the first part
 * only. -ESTALE: database and redo file are not of one moment; -EBADMSG; -EIO; -ENOMEM. When there
 * is no room for a redo file the store goes without one.
 */
int fs_store_replay(struct fs_store *s, const struct fs_store_replay *cfg);
/* Brings all into the database now. 0 when it is there; -ENOSPC: nothing is lost; -EIO. */
int fs_store_checkpoint(struct fs_store *s);

struct fs_store_stat {
	uint64_t bytes_used;
	uint64_t entries;
	uint64_t commits; /* LMDB transaction id of the last commit */
};
int fs_store_stat(struct fs_store *s, struct fs_store_stat *out);
/* Bytes that commits can still take: free on the disk and set aside in data.mdb. Any thread. */
int fs_store_space(struct fs_store *s, uint64_t *bytes);
/* Those that are free on the disk, for containers too. Any thread. */
int fs_store_disk_free(struct fs_store *s, uint64_t *bytes);

#endif
