/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/op_note.h - what is known of a note, as extended attributes user.journalfs.*
 */
#ifndef FS_OP_NOTE_H
#define FS_OP_NOTE_H

#include "mount_impl.h"
#include "notes.h"

/* Is this name one of ours? */
bool fs_op_note_name(const char *xattr);
/*
 * The value of one, at most FS_OP_NOTE_VALUE bytes. -ENODATA: this note has none; -EIO. What it
 * says of other notes is covered as they are.
 */
#define FS_OP_NOTE_VALUE KEYS_NOTE_PATH_MAX
int fs_op_note_get(struct fs_op *op, struct fs_inode *i, const char *xattr,
		   char out[static FS_OP_NOTE_VALUE + 1], size_t *len);
/*
 * Adds the names that have a value behind the *len bytes in names (room for cap; 0: counts only).
 * Only getfattr is shown them: what copies attributes (cp -a, rsync -X, tar) would carry `state`
 * along, and lock the copy.
 */
int fs_op_note_list(struct fs_op *op, struct fs_inode *i, char *names, size_t cap, size_t *len);
/* state=final locks; state=draft on a draft is no change; anything else -EPERM. */
int fs_op_note_set(struct fs_op *op, struct fs_inode *i, const char *xattr, const char *value,
		   size_t len);

/*
 * Locks a note for this mount's session. Waits for log, commit and mounts: hold nothing. All mounts
 * show it on return. -EAGAIN: as many as may be are at it, none was begun. -ENOENT, -EPERM, -EACCES, -EBUSY, -ENOKEY, -EIO ...
 */
int fs_op_note_finalize(struct fs_mount *m, struct fs_inode *i, enum fs_note_how how);

#endif
