/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/final.h - final notes: what keeps them as they are, and the statements about them.
 *
 * An inode with FS_INODE_FINAL never changes again: every change of contents, attributes, extended
 * attributes and names ends at fs_final_check, under the inode's lock, whoever asks and
 * whatever he may (-EPERM). The directories above it (FS_INODE_HOLDS) keep their names and
 * places too. What a journal says about its final notes is a chain of statements
 * (keys/note.h, FS_T_FINAL), its end known to the vault's tree (FS_T_FINALS) as well; what belongs
 * to one note is gathered in its STATE record. Formats: fs/FORMAT.md, "FINAL", "STATE", "FINALS".
 * Who may, signatures and the access log are rank 3's (fs/notes.h).
 *
 * Only flags that are derived (AMENDED, ERROR, WANTS, SIGNED) and the STATE record change on a
 * final note, by fs_final_add alone.
 *
 * Locks: the caller holds the vault's `finals` mutex around fs_final_last .. fs_final_add.
 */
#ifndef FS_FINAL_H
#define FS_FINAL_H

#include "../keys/minisign.h"
#include "../keys/note.h"
#include "tree.h"

#define FS_FINAL_DEPTH 64 /* directories above a final note, at most */

/* i is locked, or nobody else can reach it. -EPERM: final, about to be, or due (who->due_s). */
int fs_final_check(const struct fs_inode *i, const struct fs_actor *who);
/* The same for moving or removing a directory. */
int fs_final_check_dir(const struct fs_inode *i);

/*
 * From here on i is refused like a final note, in memory only. -EPERM: it is final; -EBUSY:
 * somebody else is at it; -EINVAL: no regular file; -ENOENT: it has no name; -EMLINK: it has
 * several; -EROFS: an earlier version (fs/history_tree.h). due_s: see fs_actor. open: it may change
 * again (nothing was stored).
 */
int fs_final_close(struct fs_inode *i);
void fs_final_open(struct fs_inode *i);
/* SHA-256 and unkeyed BLAKE2b-512 of the contents of a closed or final note, and their length.
 * -EINVAL: it is neither. */
int fs_final_hash(struct fs_inode *i, uint8_t sha256[static KEYS_LEN], uint8_t blake2b[static 64],
		  uint64_t *size);

/* ---- statements ---- */
struct fs_final_statement {
	struct keys_note note;
	bool has_minisign;
	struct keys_minisign minisign;
	uint64_t logged; /* number of the access log's record of this statement */
};
/* -ENOENT: no such number. -EBADMSG: it does not decode, or is of another vault, journal or number.
 */
int fs_final_get(struct fs_journal *j, uint32_t number, struct fs_final_statement *out);
/* The end of the chain as the vault's tree knows it; 0 and zeros when there is none. */
int fs_final_last(struct fs_journal *j, uint32_t *number, uint8_t hash[static KEYS_LEN]);

/* What is kept of one note: numbers of its statements (0: none), and where it comes from. */
struct fs_final_state {
	uint32_t final;		/* LOCKED or FINAL */
	uint32_t signed_by;	/* SIGNED; for FINAL the same number as `final` */
	uint32_t countersigned; /* COUNTERSIGNED */
	uint32_t error;		/* ERROR */
	uint64_t amends;     /* inode of the note that this one amends, also while it is a draft */
	uint64_t amended_by; /* inode of the newest final note that amends this one */
	uint32_t moved_to;   /* ERROR: the journal that it belongs in, 0 none */
	uint64_t moved_to_ino;
	uint32_t moved_from; /* the journal that this copy comes from, 0 none */
	uint64_t moved_from_ino;
	uint8_t moved_from_sha256[KEYS_LEN];
};
/* Zeros when the note has none. -EBADMSG: damaged, or not what the inode's flags say (a flag that
 * was stripped). */
int fs_final_state(struct fs_inode *i, struct fs_final_state *out);
/* Of a draft (amends, moved_from; zeros: nothing any more); -EPERM on a final note. -EINVAL: it
 * says more. */
int fs_final_link(struct fs_inode *i, const struct fs_final_state *state, struct fs_actor *who);
/*
 * What a draft amends and where it comes from goes over to the inode that takes its place (a save
 * by rename): adds to b and to a, the state after of `to`, unless `to` has a STATE of its own. Both
 * are locked.
 */
int fs_final_inherit(struct fs_batch *b, const struct fs_inode *from, const struct fs_inode *to,
		     struct fs_inode_attr *a);

/*
 * Stores statement s about i, one batch: the statement, the end of the chain, i's STATE and flags.
 * LOCKED and FINAL: i (closed before) becomes final, the directories above it hold their place, and
 * the note that it amends is marked. `path` of the statement must be the one that leads to i now:
 * -ENOENT else. -ESTALE: it does not follow the end of the chain, or the note is not as long as it
 * says. -EPERM: it is final already (LOCKED, FINAL), or still a draft. -EEXIST: there is such a
 * statement. -EINVAL: it is about another note, or names other statements than the note has.
 * -ENAMETOOLONG: more than FS_FINAL_DEPTH directories. -EBADMSG, -ENOSPC, -EROFS. On failure
 * nothing has changed and i stays closed. wants: FS_INODE_WANTS from now on (cleared by
 * COUNTERSIGNED). moved_to: with ERROR, where it belongs. Not durable yet: who->group.
 */
struct fs_final_add {
	struct fs_inode *i;
	const struct fs_final_statement *s;
	bool wants;
	uint32_t moved_to;
	uint64_t moved_to_ino;
};
int fs_final_add(const struct fs_final_add *add, struct fs_actor *who);

/*
 * The inode at a path within the journal ("a/b.txt"); reference. Links are not followed. -ENOENT,
 * -ENOTDIR, -ENAMETOOLONG, -EINVAL (empty, a leading, double or last slash, "..").
 */
int fs_final_lookup(struct fs_journal *j, const char *path, struct fs_inode **out);

#endif
