/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/inode_recent.h - names of a journal that were given up less than a minute ago.
 *
 * Memory only, a bounded number; the oldest is forgotten first. Any thread.
 */
#ifndef FS_INODE_RECENT_H
#define FS_INODE_RECENT_H

#include "inode.h"

struct fs_inode_recent;

/* NULL: no memory, nothing is remembered. */
struct fs_inode_recent *fs_inode_recent_new(void);
void fs_inode_recent_free(struct fs_inode_recent *r);
/* The journal's; NULL: none. It belongs to the journal's table of inodes (fs/inode.c). */
struct fs_inode_recent *fs_inode_recent_of(struct fs_journal *j);

/* name in dir stood for ino until now, when practitioner pid took it away. */
void fs_inode_recent_add(const struct fs_inode *dir, const char *name, uint64_t ino, uint32_t pid,
			 int64_t now_s);
/* Which inode that was; 0: none, or it is too long ago, or another than pid took it away. */
uint64_t fs_inode_recent_find(const struct fs_inode *dir, const char *name, uint32_t pid,
			      int64_t now_s);
void fs_inode_recent_forget(const struct fs_inode *dir, const char *name);

#endif
