/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/history_link.h - what the tree does with notes that lose their name (fs/tree*.c's door to history).
 */
#ifndef FS_HISTORY_LINK_H
#define FS_HISTORY_LINK_H

#include "history.h"

#define FS_HISTORY_PATH_MAX 3072

/* How an inode loses a name. */
struct fs_history_loss {
	struct fs_inode *heir; /* what takes the name; NULL: nothing */
	struct fs_inode_attr *heir_a; /* its state after, which the caller stores */
	const char *path; /* where it was; NULL: not looked up */
};
/*
 * i, locked, loses a name; a is the state after, with one link less. Adds to b what is kept of it and
 * changes a and the heir's. *kept: without a name its records stay. -EXFULL: it would be listed as
 * removed, and the path is missing: nothing has changed, look it up and come again.
 */
int fs_history_lose(struct fs_batch *b, struct fs_inode *i, struct fs_inode_attr *a,
		    const struct fs_actor *who, const struct fs_history_loss *loss, bool *kept);
/* name in dir is free for i, which stood for it until now, and may be remembered. */
void fs_history_gave_up(const struct fs_inode *dir, const char *name, const struct fs_inode *i,
			const struct fs_actor *who);
/* Is newname one that a program gives to a file called name which it sets aside (note -> note~)? It is no other note then. */
bool fs_history_aside(const char *name, const char *newname);
/*
 * What a describes gets another name (back: in an exchange, the old one of what it is exchanged for). Where
 * less is kept under that, the name that it had still counts; unless it was made a moment ago to get the new
 * one: it is not set aside.
 */
void fs_history_named(struct fs_inode_attr *a, const struct fs_actor *who, bool back, bool aside);
/*
 * i, as `was` before, was renamed within dir. What was just made and then got its name is not
 * remembered under the name that it had while it was written.
 */
void fs_history_moved(const struct fs_inode *dir, const char *name, const char *newname,
		      const struct fs_inode *i, const struct fs_inode_attr *was,
		      const struct fs_actor *who);
/* Who had this name until a moment ago, if he who makes it now keeps: a reference, or NULL. Before locks. */
struct fs_inode *fs_history_past(const struct fs_inode *dir, const char *name,
				 const struct fs_actor *who);
/*
 * heir, whose state after is ha, takes a name that past had; all are locked. Adds past's change to b; *pa its state
 * after. False in *took: it is no heir, nothing is changed.
 */
int fs_history_take(struct fs_batch *b, struct fs_inode *heir, struct fs_inode_attr *ha,
		    struct fs_inode *past, struct fs_inode_attr *pa, const struct fs_actor *who,
		    bool *took);

/* ---- history_removed.c ---- */
int fs_history_put_removed(struct fs_batch *b, struct fs_journal *j, uint64_t ino, const char *path,
			   const struct fs_actor *who);
void fs_history_del_removed(struct fs_batch *b, struct fs_journal *j, uint64_t ino);
/* The record's codec; r->path becomes path. -EBADMSG. */
int fs_history_removed_decode(const uint8_t *p, size_t len, struct fs_history_removed *r,
			      char path[static FS_HISTORY_PATH_MAX]);
/* Where name in dir is within the journal, as far as names can be found. Without locks. */
void fs_history_path(struct fs_inode *dir, const char *name, char path[static FS_HISTORY_PATH_MAX]);

#endif
