/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/redo.h - VAULT/db/redo: commits that are durable but not in the database yet.
 *
 * A record is one commit: where the vault was before, where it is after, and a body that means
 * nothing here. It is written with one synced write into space that was filled with zeros before.
 * Two areas take turns: one fills while what the other holds goes into the database. Format:
 * fs/FORMAT.md, "Redo".
 *
 * One thread appends; any thread may say what the database has. Scan before the first append.
 */
#ifndef FS_REDO_H
#define FS_REDO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../keys/label.h"

#define FS_REDO_BYTES ((uint64_t)16 << 20)
#define FS_REDO_BYTES_LEAST ((uint64_t)256 << 10)
#define FS_REDO_ID 32

struct fs_redo;

/* A state of the vault: its commit number and what tells it from others of that number. */
struct fs_redo_mark {
	uint64_t number;
	uint8_t id[FS_REDO_ID];
};

/*
 * dirfd: VAULT/db, not kept. bytes: of a new file. -ENOENT: there is none, and read_only; -ENOSPC:
 * no room for a new one; -EBADMSG: it is no such file; else negative errno.
 */
int fs_redo_open(int dirfd, bool read_only, uint64_t bytes, const uint8_t key[static KEYS_LEN],
		 struct fs_redo **out);
void fs_redo_close(struct fs_redo *r); /* NULL is legal */

/*
 * Calls fn for every commit that follows *at (the state that the database is in), in order, and
 * moves *at along. It ends at the first record that is not whole: that one was being written when
 * everything stopped. -ESTALE: there are genuine later ones beyond, so the database or the file is
 * not what it was; what follows *at was given to fn. Else what fn returns; -EIO; -ENOMEM.
 */
int fs_redo_scan(struct fs_redo *r, struct fs_redo_mark *at,
		 int (*fn)(void *ctx, const uint8_t *body, size_t len), void *ctx);
/* Everything goes: the database has what is wanted of it. Before threads use it. */
int fs_redo_wipe(struct fs_redo *r);

/* Where the next record's body is to be written: len bytes, valid until append. NULL: no memory. */
uint8_t *fs_redo_room(struct fs_redo *r, size_t len);
/*
 * Makes that record durable. -ENOBUFS: no room before the database has more of what is there;
 * nothing happened. -ENOSPC: nothing is acknowledged, may be tried again. -EIO and others: never.
 */
int fs_redo_append(struct fs_redo *r, const struct fs_redo_mark *before,
		   const struct fs_redo_mark *after, size_t len);
/* The database durably has all commits up to this number. */
void fs_redo_done(struct fs_redo *r, uint64_t number);
/* True when the other area is not free yet: the database is behind. */
bool fs_redo_behind(struct fs_redo *r);

#endif
