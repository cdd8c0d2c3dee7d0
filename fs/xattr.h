/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/xattr.h - user.* extended attributes of files and directories, up to 64 KiB each.
 */
#ifndef FS_XATTR_H
#define FS_XATTR_H

#include "tree.h"

/* *len receives the length; cap 0 asks only for it. -ENODATA, -ERANGE. */
int fs_xattr_get(struct fs_inode *i, const char *name, void *out, size_t cap, size_t *len);
/* flags XATTR_CREATE, XATTR_REPLACE. -EEXIST, -ENODATA, -E2BIG, -ENOSPC. */
int fs_xattr_set(struct fs_inode *i, const char *name, const void *p, size_t len, int flags,
		 struct fs_actor *who);
int fs_xattr_remove(struct fs_inode *i, const char *name, struct fs_actor *who);
/* Names with NULs. */
int fs_xattr_list(struct fs_inode *i, char *out, size_t cap, size_t *len);

#endif
