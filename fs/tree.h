/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/tree.h - names within one journal: look up, make, link, rename, remove, list.
 *
 * Every call takes its own locks (parents, then inodes by ascending number; a
 * rename of a directory first takes the journal's rename mutex), builds one
 * batch and applies it: done or not done. Calls say who acts (struct fs_actor);
 * whether he may is the gate's business, which has decided before, but for what only the name
 * leads to (own_s: -EACCES).
 * Times are given by the caller. Names are 1..255 bytes of anything but '/' and
 * NUL, not "." or ".."; no case or Unicode form is changed. Call with no inode
 * lock held: every mutator first waits for room in the open group. A removed
 * directory takes no new entries (-ENOENT).
 */
#ifndef FS_TREE_H
#define FS_TREE_H

#include "inode.h"

struct fs_actor {
	struct fs_signer *signer; /* borrowed */
	uint32_t pid;		  /* practitioner number */
	struct timespec now;
	/*
	 * Not 0: a note whose last change (ctime) lies at or before this second may not be changed
	 * any more, though it is not final yet (`finalize after`): -EPERM as for one that is.
	 */
	int64_t due_s;
	int64_t whole_due_s; /* The same of what was record content under another name
				(FS_INODE_WHOLE). */
	bool keeps; /* what is saved over, or removed, is kept as an earlier version (fs/history.h)
		     */
	/*
	 * A rename takes a name away under which that is so: whatever the new name says ("note~"),
	 * the file was the note. It becomes the past of what gets its name next, and is kept when
	 * it is removed.
	 */
	bool gives;
	/* Is the old name of what is renamed or linked record content, whose versions all stay? Is
	 * the new one? */
	bool whole_from, whole_to;
	int64_t own_s;	/* not 0: may move, link and remove only what he alone has made and written
			   since then (emergency) */
	uint64_t group; /* out: number of the group that carries the change (0: nothing changed) */
};

/* The journal's own directory and HEAD: a new journal's first records go into b. */
int fs_tree_make_root(struct fs_journal *j, struct fs_batch *b, const char *name,
		      const struct fs_actor *who);
/* The journal's name under its own key; out has room for 256 bytes. */
int fs_tree_journal_name(struct fs_journal *j, char *out);
int fs_tree_set_journal_name(struct fs_journal *j, struct fs_batch *b, const char *name);
/* 0 when the journal's directory has no entries and no removed note is kept, -ENOTEMPTY. */
int fs_tree_empty(struct fs_journal *j);

/* All return references in *out that the caller puts. */
int fs_tree_lookup(struct fs_inode *dir, const char *name, struct fs_inode **out);
/* mode with type: S_IFREG, S_IFDIR, S_IFIFO, S_IFSOCK. -EEXIST, -ENOSPC, -ENAMETOOLONG, -EMLINK ...
 */
int fs_tree_create(struct fs_inode *dir, const char *name, uint32_t mode, struct fs_actor *who,
		   struct fs_inode **out);
/* A regular file without a name, which fs_tree_link may give it; else it goes with its last user.
 */
int fs_tree_nameless(struct fs_inode *dir, uint32_t mode, struct fs_actor *who,
		     struct fs_inode **out);
int fs_tree_symlink(struct fs_inode *dir, const char *name, const char *target,
		    struct fs_actor *who, struct fs_inode **out);
int fs_tree_readlink(struct fs_inode *i, char *out, size_t cap); /* NUL-terminated, cap >= 4096 */
int fs_tree_link(struct fs_inode *i, struct fs_inode *dir, const char *name, struct fs_actor *who);
/* *out (may be NULL): the inode that lost the name. */
int fs_tree_unlink(struct fs_inode *dir, const char *name, struct fs_actor *who,
		   struct fs_inode **out);
int fs_tree_rmdir(struct fs_inode *dir, const char *name, struct fs_actor *who,
		  struct fs_inode **out);
#define FS_TREE_NOREPLACE 1u
#define FS_TREE_EXCHANGE 2u
/*
 * Same journal only (-EXDEV). *moved (may be NULL): what name stood for. *replaced (may be NULL):
 * what newname stood for before - it lost that name, or with EXCHANGE got the other - NULL when
 * nothing. Two names of one file: success, nothing changes (who->group 0).
 */
int fs_tree_rename(struct fs_inode *dir, const char *name, struct fs_inode *newdir,
		   const char *newname, unsigned flags, struct fs_actor *who,
		   struct fs_inode **moved, struct fs_inode **replaced);

/*
 * Entries with cookie > after, in cookie order; "." and ".." are the caller's. Each stable entry
 * appears exactly once however the directory changes meanwhile. Cookies are 63-bit, never 0..3.
 * fn returns 0 to go on, 1 to stop.
 */
struct fs_tree_entry {
	uint64_t cookie;
	uint64_t ino;
	uint32_t mode; /* type bits */
	const char *name;
};
int fs_tree_list(struct fs_inode *dir, uint64_t after,
		 int (*fn)(void *ctx, const struct fs_tree_entry *e), void *ctx);

#endif
