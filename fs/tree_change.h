/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/tree_change.h - what the changes of the tree have in common.
 */
#ifndef FS_TREE_CHANGE_H
#define FS_TREE_CHANGE_H

#include "dirent.h"
#include "history_link.h"
#include "tree.h"

/* May entries be looked up or made here? Its lock is held. -ENOTDIR; -ENOENT: removed. */
int fs_tree_usable(const struct fs_inode *dir);
/* May an entry of this name be made there, for all that the two say? -EROFS, -EPERM, and fs_dirent_check's. */
int fs_tree_may_make(const struct fs_inode *dir, const char *name);
/* Entries of a directory have changed. */
void fs_tree_touch(struct fs_inode_attr *dir, const struct fs_actor *who);
/* -EACCES: an emergency's actor may not touch this one. */
int fs_tree_own(const struct fs_inode *i, const struct fs_actor *who);
/* Clears b; result and group number of the apply. */
int fs_tree_apply(struct fs_inode *dir, struct fs_batch *b, int rc, struct fs_actor *who);

/*
 * What becomes of an inode that loses a name. drop puts it into the batch: one link less, or an
 * orphan, or, when nobody but this operation refers to it, the deletion of all its records, or it is
 * kept (fs_history_lose, whose errors these are); a receives the state after. dropped publishes that when the batch
 * was applied. i is locked.
 */
enum fs_tree_fate { FS_TREE_LINKED, FS_TREE_ORPHAN, FS_TREE_DELETED, FS_TREE_KEPT };
int fs_tree_drop(struct fs_batch *b, struct fs_inode *i, struct fs_inode_attr *a,
		 const struct fs_actor *who, const struct fs_history_loss *loss,
		 enum fs_tree_fate *fate);
void fs_tree_dropped(struct fs_inode *i, const struct fs_inode_attr *a, const struct fs_actor *who,
		     enum fs_tree_fate fate);

/* i has no name; whoever gives back the last reference deletes it in the name of who. */
void fs_tree_orphaned(struct fs_inode *i, const struct fs_actor *who);

/* The entry's inode: -EBADMSG when the entry stands for none. */
int fs_tree_child(struct fs_inode *dir, const struct fs_dirent *e, struct fs_inode **out);

#endif
