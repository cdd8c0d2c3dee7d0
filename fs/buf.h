/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/buf.h - reference-counted byte buffers: plaintext records and chunks.
 * Wiped when the last reference goes. Those of about a page, which come and go by
 * the thousand, live in slabs of their own: many workers' heaps would each keep
 * the most that ever was.
 */
#ifndef FS_BUF_H
#define FS_BUF_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fs_buf {
	atomic_uint refs;
	uint32_t len;
	uint32_t cap;
	bool in_slab;
	uint8_t data[];
};

/* One reference, len n, cap at least n, contents zero. NULL when memory is short. */
struct fs_buf *fs_buf_new(size_t n);
/* The same with whatever the memory held: the caller fills all of it. */
struct fs_buf *fs_buf_raw(size_t n);
struct fs_buf *fs_buf_copy(const void *p, size_t n);
/* n buffers of len bytes as fs_buf_raw makes them, in out. -ENOMEM: none. */
int fs_buf_raw_many(size_t len, struct fs_buf **out, unsigned n);
struct fs_buf *fs_buf_get(struct fs_buf *b);
void fs_buf_put(struct fs_buf *b); /* NULL is legal */

/* Buffers wiped, but not yet given back: one lock for many. Begins zeroed. */
struct fs_buf_gone {
	struct fs_buf *b[32];
	unsigned n;
};
/* fs_buf_put, but what it frees may wait in `gone` until the flush. */
void fs_buf_put_later(struct fs_buf *b, struct fs_buf_gone *gone);
void fs_buf_flush(struct fs_buf_gone *gone);

#endif
