/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/dirent.h - directory entry records of a journal.
 *
 * An entry's cookie is its key: a 59-bit keyed hash of directory and name, then 3
 * bits of collision slot, so that a listing in cookie order shows every stable
 * entry exactly once. An entry keeps its slot as long as it lives; removing one
 * leaves a gap, so a miss is only proved by looking at all eight slots. A ninth
 * name with the same hash is -ENOSPC (never by accident: the hash is keyed).
 * Records hold the name, padded, so that stored sizes say little of names.
 * Format: fs/FORMAT.md, "DIRENT". The caller holds the directory's lock.
 */
#ifndef FS_DIRENT_H
#define FS_DIRENT_H

#include "record.h"

#define FS_NAME_MAX 255
#define FS_DIRENT_SLOTS 8u
#define FS_DIRENT_COOKIE_MAX (UINT64_C(1) << 62) /* all cookies are below, and at least 8 */
#define FS_DIRENT_MAX 288			 /* longest record */

struct fs_dirent {
	uint64_t cookie;
	uint64_t ino;
	uint32_t type; /* S_IFMT bits */
	char name[FS_NAME_MAX + 1];
};

/* 0; -ENOENT (empty), -ENAMETOOLONG, -EINVAL ("." or ".." or a '/' in it). */
int fs_dirent_check(const char *name);

/* 1 .. 2^59 - 1. In a file of its own, so that a test can link one that collides. */
uint64_t fs_dirent_hash(struct fs_journal *j, uint64_t dir, const char *name);

/*
 * 0 and *out; or -ENOENT (proved absent), then *spare is the cookie for a new entry of this name,
 * 0 when its eight slots are taken. -EBADMSG, -EIO.
 */
int fs_dirent_find(struct fs_journal *j, uint64_t dir, const char *name, struct fs_dirent *out,
		   uint64_t *spare);
void fs_dirent_put(struct fs_batch *b, struct fs_journal *j, uint64_t dir, uint64_t cookie,
		   const char *name, uint64_t ino, uint32_t mode);
void fs_dirent_del(struct fs_batch *b, struct fs_journal *j, uint64_t dir, uint64_t cookie);
/* At most cap entries with cookie > after, in order; fewer than cap: that was the end. */
int fs_dirent_page(struct fs_journal *j, uint64_t dir, uint64_t after, struct fs_dirent *out,
		   size_t cap, size_t *n);
/* 0: no entries; -ENOTEMPTY. */
int fs_dirent_none(struct fs_journal *j, uint64_t dir);

/* Length of the encoded record. e->name has passed fs_dirent_check. */
size_t fs_dirent_encode(const struct fs_dirent *e, uint8_t out[static FS_DIRENT_MAX]);
/* All but the cookie. -EBADMSG. */
int fs_dirent_decode(const uint8_t *p, size_t len, struct fs_dirent *e);

#endif
