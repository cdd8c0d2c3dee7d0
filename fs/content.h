/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/content.h - reading and changing the contents and attributes of one file.
 *
 * Small notes lie inline in pieces, larger ones in chunks; the change of form is
 * one batch. All calls take the inode's lock themselves. Reads may be given a
 * callback that is called with the lock still held (the FUSE reply must happen
 * under the lock, or an old READ could refill the kernel's cache).
 */
#ifndef FS_CONTENT_H
#define FS_CONTENT_H

#include "tree.h"

#define FS_INLINE_MAX 16000u /* 4 pieces of 4,000 bytes; fs/FORMAT.md says why */
#define FS_PIECE 4000u
#define FS_SIZE_MAX ((uint64_t)1 << 44) /* 16 TiB: chunk numbers are 32-bit; larger is -EFBIG */

/* *len in: wanted, out: got (short only at the end of file). fn gets the bytes; its result is returned. */
int fs_content_read(struct fs_inode *i, uint64_t off, size_t len,
		    int (*fn)(void *ctx, const struct iovec *iov, int n, size_t len), void *ctx);
/* append: off is ignored, the end of file taken under the lock; *at (may be NULL) where it went. */
int fs_content_write(struct fs_inode *i, uint64_t off, bool append, const uint8_t *p, size_t len,
		     struct fs_actor *who, uint64_t *at);
int fs_content_truncate(struct fs_inode *i, uint64_t size, struct fs_actor *who);
/* mode as fallocate(2): 0, KEEP_SIZE, PUNCH_HOLE|KEEP_SIZE, ZERO_RANGE[|KEEP_SIZE]; else -EOPNOTSUPP. */
int fs_content_allocate(struct fs_inode *i, int mode, uint64_t off, uint64_t len,
			struct fs_actor *who);
/* lseek SEEK_DATA / SEEK_HOLE; -ENXIO. */
int fs_content_seek(struct fs_inode *i, uint64_t off, bool data, uint64_t *out);

/* What setattr changes; NULL or unset fields stay. */
struct fs_content_attr {
	const uint32_t *mode; /* permission bits */
	const uint64_t *size;
	const struct timespec *atime, *mtime, *ctime;
};
int fs_content_setattr(struct fs_inode *i, const struct fs_content_attr *set, struct fs_actor *who);
struct stat;
/* Everything but uid, gid and masking, which are the viewer's. */
void fs_content_stat(struct fs_inode *i, struct stat *st);

#endif
