/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/xattr.h - user.* extended attributes of files and directories, up to 64 KiB each.
 */
#ifndef FS_XATTR_H
#define FS_XATTR_H

#include "tree.h"

#define FS_XATTR_NAME_MAX 255u

/* *len receives the length; cap 0 asks only for it. -ENODATA, -ERANGE. */
int fs_xattr_get(struct fs_inode *i, const char *name, void *out, size_t cap, size_t *len);
/* flags XATTR_CREATE, XATTR_REPLACE. -EEXIST, -ENODATA, -E2BIG, -ENOSPC. */
int fs_xattr_set(struct fs_inode *i, const char *name, const void *p, size_t len, int flags,
		 struct fs_actor *who);
int fs_xattr_remove(struct fs_inode *i, const char *name, struct fs_actor *who);
/* Names with NULs. */
int fs_xattr_list(struct fs_inode *i, char *out, size_t cap, size_t *len);

/* The first piece of an attribute: *data points to what it holds of the *len bytes. -EBADMSG. */
int fs_xattr_decode(const struct fs_buf *buf, char name[static FS_XATTR_NAME_MAX + 1],
		    uint32_t *len, const uint8_t **data);

#endif
