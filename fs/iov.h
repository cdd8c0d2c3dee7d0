/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/iov.h - a read's answer: pieces of held buffers and of the zero page, not copied.
 */
#ifndef FS_IOV_H
#define FS_IOV_H

#include <sys/uio.h>
#include "buf.h"

#define FS_IOV_MAX 40 /* 1 MiB at any offset: 17 chunks, each data and a zero tail */
#define FS_IOV_ZEROS 65536

struct fs_iov {
	struct iovec v[FS_IOV_MAX];
	int n;
	struct fs_buf *held[FS_IOV_MAX];
	int held_n;
	size_t len;
};

extern const uint8_t fs_iov_zeros[FS_IOV_ZEROS];

/*
 * len bytes at off of buf, of which `have` bytes (from its start) are data and the rest is zero.
 * Takes over the reference, also on failure. -EOVERFLOW: more parts than a read may have.
 */
int fs_iov_add(struct fs_iov *o, struct fs_buf *buf, const uint8_t *data, size_t have, size_t off,
	       size_t len);
/* len <= FS_IOV_ZEROS bytes of zero. */
int fs_iov_add_zero(struct fs_iov *o, size_t len);
void fs_iov_clear(struct fs_iov *o);

#endif
