/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/dirent.h - a directory's entries, many to a record.
 *
 * An entry's cookie is a 59-bit keyed hash of directory and name, then 3 bits of
 * collision slot, so that a listing in cookie order shows every stable entry exactly
 * once. An entry keeps its cookie as long as it lives. A ninth name with the same hash
 * is -ENOSPC (never by accident: the hash is keyed).
 *
 * Entries lie in buckets: a record holds all entries of one stretch of cookies. A full
 * bucket is split into the two halves of its stretch, two small ones are joined, an empty
 * directory has none: all stretches together are exactly all cookies. Since hashes are
 * spread evenly, the number of entries tells nearly where a cookie's bucket begins.
 * Format: fs/FORMAT.md, "DIRENT". The caller holds the directory's lock; `entries` is
 * about how many it has (the inode's size), only ever a hint.
 */
#ifndef FS_DIRENT_H
#define FS_DIRENT_H

#include "record.h"

#define FS_NAME_MAX 255
#define FS_DIRENT_SLOTS 8u
#define FS_DIRENT_COOKIE_BITS 62u
#define FS_DIRENT_COOKIE_MAX (UINT64_C(1) << FS_DIRENT_COOKIE_BITS) /* all are below, at least 8   \
								     */

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
int fs_dirent_find(struct fs_journal *j, uint64_t dir, uint64_t entries, const char *name,
		   struct fs_dirent *out, uint64_t *spare);
/* Adds to b; what b holds already counts. A failure is b's (b->rc), as that of fs_batch_put. */
void fs_dirent_put(struct fs_batch *b, struct fs_journal *j, uint64_t dir, uint64_t entries,
		   uint64_t cookie, const char *name, uint64_t ino, uint32_t mode);
void fs_dirent_del(struct fs_batch *b, struct fs_journal *j, uint64_t dir, uint64_t entries,
		   uint64_t cookie);
/* 0: no entries; -ENOTEMPTY. */
int fs_dirent_none(struct fs_journal *j, uint64_t dir);

/* ---- buckets, for listing ---- */

struct fs_dirent_bucket {
	struct fs_buf *buf; /* one reference */
	uint64_t first;	    /* cookies from here */
	unsigned depth;	    /* 2^(62 - depth) of them */
	unsigned count;
	size_t used; /* bytes without padding */
};

/* The bucket that cookie falls in. -ENOENT: the directory is empty. -EBADMSG, -EIO. */
int fs_dirent_bucket_get(struct fs_journal *j, uint64_t dir, uint64_t entries, uint64_t cookie,
			 struct fs_dirent_bucket *out);
void fs_dirent_bucket_put(struct fs_dirent_bucket *k);
/* The first cookie behind the bucket; FS_DIRENT_COOKIE_MAX: it is the last. */
uint64_t fs_dirent_bucket_end(const struct fs_dirent_bucket *k);
/* 1 and the entry at *at (0: the first), which moves on; 0: no more; -EBADMSG. */
int fs_dirent_bucket_next(const struct fs_dirent_bucket *k, size_t *at, struct fs_dirent *e);

/* A stored bucket that begins at first; takes over buf on success only. -EBADMSG. */
int fs_dirent_bucket_open(struct fs_buf *buf, uint64_t first, struct fs_dirent_bucket *out);

#endif
