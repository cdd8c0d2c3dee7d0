/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/bulk.h - contents of larger files: ranges of bytes over chunks.
 *
 * Blocks are counted by existing chunks, a unit of 4 KiB each: a function of which
 * chunks exist, kept up to date in a->blocks by difference. i's fields are the state before, a the state that the
 * batch leads to; calls change a->blocks, the caller a->size. A batch changes
 * each chunk once. The caller holds i's lock: shared to read, exclusive to change.
 */
#ifndef FS_BULK_H
#define FS_BULK_H

#include "content.h"
#include "iov.h"

int fs_bulk_read(struct fs_inode *i, uint64_t off, size_t len, struct fs_iov *out);
/* p stays valid until apply. */
int fs_bulk_write(struct fs_batch *b, const struct fs_inode *i, struct fs_inode_attr *a,
		  uint64_t off, const uint8_t *p, size_t len);
/* The same where no chunk is yet: nobody looks. */
int fs_bulk_write_first(struct fs_batch *b, const struct fs_inode *i, struct fs_inode_attr *a,
			uint64_t off, const uint8_t *p, size_t len);
/* The file ends at size: shorter or longer. */
int fs_bulk_cut(struct fs_batch *b, const struct fs_inode *i, struct fs_inode_attr *a,
		uint64_t size);
/*
 * Zeroes (whole chunks become holes) or fills holes with zeros, from off on and no further than
 * end <= size, doing a bounded part; *next receives where to go on, end when done.
 */
int fs_bulk_zero(struct fs_batch *b, const struct fs_inode *i, struct fs_inode_attr *a,
		 uint64_t off, uint64_t end, uint64_t *next);
int fs_bulk_fill(struct fs_batch *b, const struct fs_inode *i, struct fs_inode_attr *a,
		 uint64_t off, uint64_t end, uint64_t *next);
int fs_bulk_seek(const struct fs_inode *i, uint64_t off, bool data, uint64_t *out);

#endif
