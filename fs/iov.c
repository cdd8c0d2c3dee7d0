/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/iov.c - a read's answer as an I/O vector.
 */
#include "iov.h"

#include <errno.h>

const uint8_t fs_iov_zeros[FS_IOV_ZEROS];

static int add(struct fs_iov *o, const uint8_t *p, size_t len)
{
	if (!len)
		return 0;
	if (o->n == FS_IOV_MAX)
		return -EOVERFLOW;
	/* struct iovec serves reading and writing alike; these are only read. */
	o->v[o->n++] = (struct iovec){.iov_base = (void *)(uintptr_t)p, .iov_len = len};
	o->len += len;
	return 0;
}

int fs_iov_add_zero(struct fs_iov *o, size_t len)
{
	return len > FS_IOV_ZEROS ? -EOVERFLOW : add(o, fs_iov_zeros, len);
}

int fs_iov_add(struct fs_iov *o, struct fs_buf *buf, const uint8_t *data, size_t have, size_t off,
	       size_t len)
{
	size_t got = off < have ? have - off : 0;
	int rc;

	if (o->held_n == FS_IOV_MAX) {
		fs_buf_put(buf);
		return -EOVERFLOW;
	}
	o->held[o->held_n++] = buf;
	if (got > len)
		got = len;
	rc = got ? add(o, data + off, got) : 0;
	return rc ? rc : fs_iov_add_zero(o, len - got);
}

void fs_iov_clear(struct fs_iov *o)
{
	while (o->held_n)
		fs_buf_put(o->held[--o->held_n]);
	o->n = 0;
	o->len = 0;
}
