/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/inline.h - contents of small notes and symbolic links: pieces in the database.
 *
 * A note of up to FS_INLINE_MAX bytes is up to four pieces of FS_PIECE bytes, each
 * a record. Which exist stands in the inode (attr.pieces); one that does not is a
 * hole, authenticated by the inode's own record. No piece holds a byte beyond the
 * file's size, so growing needs no zeroing. Format: fs/FORMAT.md, "PIECE".
 *
 * i's fields are the state before, a the state that the batch leads to; a call
 * changes a->pieces. A batch may change each piece once. The caller holds i's
 * lock: shared to read, exclusive to change.
 */
#ifndef FS_INLINE_H
#define FS_INLINE_H

#include "content.h"
#include "iov.h"

/* len bytes at off (off + len <= FS_INLINE_MAX) for a read. */
int fs_inline_read(struct fs_inode *i, uint64_t off, size_t len, struct fs_iov *out);
/* The first len bytes as they are, holes as zero. */
int fs_inline_copy(struct fs_inode *i, uint8_t *out, size_t len);
int fs_inline_write(struct fs_batch *b, const struct fs_inode *i, struct fs_inode_attr *a,
		    uint64_t off, const uint8_t *p, size_t len);
/* The range reads as zero; whole pieces become holes. */
int fs_inline_zero(struct fs_batch *b, const struct fs_inode *i, struct fs_inode_attr *a,
		   uint64_t off, uint64_t len);
/* Holes in the range up to a->size become pieces of zeros. */
int fs_inline_fill(struct fs_batch *b, const struct fs_inode *i, struct fs_inode_attr *a,
		   uint64_t off, uint64_t len);
/* Nothing stays beyond size (0: no piece at all). */
int fs_inline_cut(struct fs_batch *b, const struct fs_inode *i, struct fs_inode_attr *a,
		  uint64_t size);
/* As fs_content_seek. */
int fs_inline_seek(const struct fs_inode *i, uint64_t off, bool data, uint64_t *out);
/* 512-byte blocks that a's pieces occupy. */
uint64_t fs_inline_blocks(const struct fs_inode_attr *a);

/* The record's codec: u16 length, bytes, zeros. */
struct fs_buf *fs_inline_encode(const uint8_t *p, size_t len);
/* *data points into p. -EBADMSG. */
int fs_inline_decode(const uint8_t *p, size_t len, const uint8_t **data, size_t *data_len);

#endif
