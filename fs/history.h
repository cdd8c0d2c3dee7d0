/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/history.h - earlier versions of notes: each completed save keeps what was there before.
 *
 * A version is the contents (with mode and times) that a note had when a save of it was complete. Versions of
 * a note are numbered from 1 over all its life; the inode's field `version` is the number of what it
 * holds now (0 counts as 1). How the one before is kept depends on how programs save:
 *   in place (write, truncate, O_TRUNC)  a VERSION entry of the same inode; small notes as what differs from
 *       the next version, chunks by moving the replaced ones' map entries to OLD_MAP (the committer does,
 *       asked by FS_T_KEEP): contents that both share lie on disk once;
 *   rename over, or a new file in the place of one that was just moved away or removed  the old inode
 *       itself stays, without a name, as `before` of the new one; author and links go over.
 * A note that is removed stays as it was, listed by FS_T_REMOVED. Which saves keep anything is
 * the actor's `keeps` (policy's, rank 4); names of editors' temporary and lock files never do
 * (fs/save_names.h). Formats: fs/FORMAT.md, "VERSION", "OLD_PIECE", "OLD_MAP", "REMOVED".
 */
#ifndef FS_HISTORY_H
#define FS_HISTORY_H

#include "iov.h"
#include "tree.h"

/* A writer has closed the note (FLUSH of who wrote, RELEASE): the save is complete, the next change begins another. */
int fs_history_saved(struct fs_inode *i, struct fs_actor *who);
/*
 * The same in two steps: that it is complete, at once, and the packing of what it kept, which nobody has to wait for.
 * Pack does nothing while another save is under way: that one packs.
 */
void fs_history_closed(struct fs_inode *i);
int fs_history_pack(struct fs_inode *i, struct fs_actor *who);

/* ---- fs/content.c's part: a change of contents is about to begin ---- */
struct fs_content_change;
/*
 * Adds to c's batch what keeps the contents as they are now, if this change is the first of a save. -EBUSY: a commit must
 * come between, see fs_history_again.
 */
int fs_history_begin(struct fs_content_change *c);
/* Is the change to be built again? Waits, with no lock held, for the commit that -EBUSY asks for. */
bool fs_history_again(struct fs_inode *i, int *rc);
/* Set once at start: called around that wait, so that it keeps no worker from others' requests. */
void fs_history_blocking(void (*begin)(void), void (*end)(void));
/* Adds to b the deletion of all earlier versions that are ino's own. */
int fs_history_purge(struct fs_batch *b, struct fs_journal *j, uint64_t ino);

struct fs_history_version {
	uint64_t ino;	  /* the inode that holds it */
	uint32_t version; /* its number in the note's life */
	bool now;	  /* what the note holds now */
	uint64_t size;
	struct timespec mtime;
	uint32_t author, writer; /* practitioner numbers; writer: who made this version */
};
/*
 * All versions of the note that i is now, newest first (the first has `now`). fn returns 0 to go on, 1 to stop.
 * Predecessors that are damaged end the list with -EBADMSG after what was given.
 */
int fs_history_list(struct fs_inode *i, int (*fn)(void *ctx, const struct fs_history_version *v),
		    void *ctx);
/* One of them: -ENOENT. */
int fs_history_find(struct fs_inode *i, uint32_t version, struct fs_history_version *out);

/* Attributes and contents of a version; v from list or find. Reading as fs_content_read's parts. */
int fs_history_attr(struct fs_journal *j, const struct fs_history_version *v,
		    struct fs_inode_attr *out);
int fs_history_read(struct fs_journal *j, const struct fs_history_version *v, uint64_t off,
		    size_t len, struct fs_iov *out);

/* Notes that were removed and are kept, by inode number. `path` is where it was. */
struct fs_history_removed {
	uint64_t ino;
	struct timespec when;
	uint32_t pid; /* who removed it */
	const char *path;
};
int fs_history_removed(struct fs_journal *j, uint64_t after,
		       int (*fn)(void *ctx, const struct fs_history_removed *r), void *ctx);

/*
 * What policy keeps of notes that are no record content: drops the oldest versions beyond `keep` (0: none is dropped
 * by number) and those whose successor is older than before_s (0: none by age). A final note's stay.
 */
int fs_history_prune(struct fs_inode *i, uint32_t keep, int64_t before_s, struct fs_actor *who);

#endif
