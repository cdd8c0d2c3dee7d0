/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/content.h - reading and changing the contents and attributes of one file.
 *
 * Small notes lie inline in pieces, larger ones in chunks; the change of form is
 * one batch. atime changes by fs_content_setattr only. All calls take the inode's
 * lock themselves. Reads may be given a callback that is called with the lock
 * still held (the FUSE reply must happen under the lock, or an old READ could
 * refill the kernel's cache).
 */
#ifndef FS_CONTENT_H
#define FS_CONTENT_H

#include "tree.h"

#define FS_INLINE_MAX 16000u /* 4 pieces of 4,000 bytes; fs/FORMAT.md says why */
#define FS_PIECE 4000u
/* 16 TiB less a chunk: numbers of chunks are 32-bit. Larger is -EFBIG. */
#define FS_SIZE_MAX (((uint64_t)1 << 44) - 4096)
#define FS_CONTENT_BLKSIZE 65536 /* st_blksize: what programs had best read and write at once */

#define FS_CONTENT_READ_MAX (1u << 20) /* one read; more is cut to this */

/*
 * fn gets the bytes (short only at the end of file; n 0 there), in at most 40 parts that point into
 * held buffers, while i is locked shared; its result is returned. -EISDIR, -EINVAL: no file.
 */
int fs_content_read(struct fs_inode *i, uint64_t off, size_t len,
		    int (*fn)(void *ctx, const struct iovec *iov, int n, size_t len), void *ctx);
/*
 * One batch, whatever the length: callers give at most 1 MiB. -EFBIG, -ENOSPC, -EISDIR, -EINVAL;
 * -ESTALE: the file was deleted. p must stay valid during the call only.
 * append: off is ignored, the end of file taken under the lock; *at (may be NULL) where it went.
 */
int fs_content_write(struct fs_inode *i, uint64_t off, bool append, const uint8_t *p, size_t len,
		     struct fs_actor *who, uint64_t *at);
int fs_content_truncate(struct fs_inode *i, uint64_t size, struct fs_actor *who);
/*
 * Zeroing and filling large ranges goes by bounded batches: each done or not done. Space beyond
 * the end of file is never kept (KEEP_SIZE alone fills holes below it).
 * mode as fallocate(2): 0, KEEP_SIZE, PUNCH_HOLE|KEEP_SIZE, ZERO_RANGE[|KEEP_SIZE]; else
 * -EOPNOTSUPP.
 */
int fs_content_allocate(struct fs_inode *i, int mode, uint64_t off, uint64_t len,
			struct fs_actor *who);
/* lseek SEEK_DATA / SEEK_HOLE; -ENXIO. */
int fs_content_seek(struct fs_inode *i, uint64_t off, bool data, uint64_t *out);

/* What setattr changes; NULL or unset fields stay. A new size, like a write, ends setuid and setgid. */
struct fs_content_attr {
	const uint32_t *mode; /* permission bits */
	const uint64_t *size;
	const struct timespec *atime, *mtime, *ctime;
	bool owner; /* the owner is set, to what it is: that ends setuid and setgid too */
};
int fs_content_setattr(struct fs_inode *i, const struct fs_content_attr *set, struct fs_actor *who);
struct stat;
/* Everything but uid, gid and masking, which are the viewer's. */
void fs_content_stat(struct fs_inode *i, struct stat *st);

#endif
