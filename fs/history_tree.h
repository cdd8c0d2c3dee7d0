/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/history_tree.h - `.history` in a journal: earlier versions as a tree of files to read.
 *
 * It mirrors the journal's directories. A note is a directory there, its versions are files
 * `N YYYY-MM-DDTHH.MM WHO.ext` (UTC; newest last; `N` and `@N` find them too); notes that were
 * removed stand beside, as `NAME (removed YYYY-MM-DDTHH.MM)`, in the deepest directory of their
 * path that still is. All of it is virtual: inodes with numbers from FS_INO_HISTORY on, given out
 * from a table in memory, never stored, never changed (-EROFS). A number is good as long as the
 * journal stays open, and is not given out again before the daemon ends; -ESTALE afterwards, and
 * when the version behind it is kept no more.
 *
 * Who may look is the gate's business (POLICY_HISTORY). Only fs_history_tree_root leads in: no name
 * of the journal does. The functions of fs/inode.h, fs/tree.h and fs/content.h take these inodes
 * too and come here. No locks are held by callers; the inode of a version is locked while its
 * contents are read.
 */
#ifndef FS_HISTORY_TREE_H
#define FS_HISTORY_TREE_H

#include "tree.h"

#define FS_HISTORY_DIR ".history"

static inline bool fs_history_tree_is(uint64_t ino)
{
	return ino >= FS_INO_HISTORY;
}
/* May no entry of this name be made in dir? */
bool fs_history_tree_reserved(const struct fs_inode *dir, const char *name);

/* `.history` itself. -ENOMEM, -ENFILE. */
int fs_history_tree_root(struct fs_journal *j, struct fs_inode **out);

/*
 * What a virtual number stands for, for the log: the directory, the note, or the inode that holds
 * the version. 0: nothing any more. Numbers of stored inodes are returned as they are.
 */
uint64_t fs_history_tree_real(struct fs_journal *j, uint64_t ino);

/*
 * How practitioners are called in names of versions: out receives the name of number pid, 0 or
 * -ENOENT. Set once while nobody else runs, NULL at the end; without it, or unknown, they are
 * called `pN`.
 */
void fs_history_tree_on_name(int (*name)(void *ctx, uint32_t pid, char *out, size_t cap),
			     void *ctx);

/* Every removed note that is kept. fn returns 0 to go on, 1 to stop, negative to fail with that. */
struct fs_history_tree_gone {
	uint64_t ino;
	int64_t when_s;
	uint32_t pid;	   /* who removed it */
	const char *path;  /* where it was, within the journal */
	const char *shown; /* its directory below `.history` */
};
int fs_history_tree_removed(struct fs_journal *j,
			    int (*fn)(void *ctx, const struct fs_history_tree_gone *g), void *ctx);

/* ---- what the functions of inodes, trees and contents do with virtual inodes ---- */
/* The attributes as they are now. -ESTALE, and what reading records may say. */
int fs_history_tree_load(const struct fs_inode *i, struct fs_inode_attr *out);
/* The same into i; stays as it was when they can't be had. */
void fs_history_tree_refresh(struct fs_inode *i);
int fs_history_tree_lookup(struct fs_inode *dir, const char *name, struct fs_inode **out);
int fs_history_tree_list(struct fs_inode *dir, uint64_t after,
			 int (*fn)(void *ctx, const struct fs_tree_entry *e), void *ctx);
int fs_history_tree_read(struct fs_inode *i, uint64_t off, size_t len,
			 int (*fn)(void *ctx, const struct iovec *iov, int n, size_t len),
			 void *ctx);
int fs_history_tree_seek(struct fs_inode *i, uint64_t off, bool data, uint64_t *out);

#endif
