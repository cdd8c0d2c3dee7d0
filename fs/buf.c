/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/buf.c - reference-counted byte buffers; see buf.h.
 *
 * The whole capacity is wiped with the last reference, not only the bytes in use:
 * a buffer that was shortened still holds what it held before.
 */
#include "buf.h"

#include <stdlib.h>
#include <string.h>

struct fs_buf *fs_buf_raw(size_t n)
{
	struct fs_buf *b;

	if (n > UINT32_MAX - sizeof(*b))
		return NULL;
	b = malloc(sizeof(*b) + n);
	if (!b)
		return NULL;
	atomic_init(&b->refs, 1);
	b->len = (uint32_t)n;
	b->cap = (uint32_t)n;
	return b;
}

struct fs_buf *fs_buf_new(size_t n)
{
	struct fs_buf *b = fs_buf_raw(n);

	if (b && n)
		memset(b->data, 0, n);
	return b;
}

struct fs_buf *fs_buf_copy(const void *p, size_t n)
{
	struct fs_buf *b = fs_buf_raw(n);

	if (b && n)
		memcpy(b->data, p, n);
	return b;
}

struct fs_buf *fs_buf_get(struct fs_buf *b)
{
	atomic_fetch_add_explicit(&b->refs, 1, memory_order_relaxed);
	return b;
}

void fs_buf_put(struct fs_buf *b)
{
	if (!b || atomic_fetch_sub_explicit(&b->refs, 1, memory_order_acq_rel) != 1)
		return;
	explicit_bzero(b->data, b->cap);
	free(b);
}
