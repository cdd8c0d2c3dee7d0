/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/op_saves.h - what a save keeps, and when it is complete.
 */
#ifndef FS_OP_SAVES_H
#define FS_OP_SAVES_H

#include "mount_impl.h"

/* Fills who->keeps and who->due_s by the name concerned: of an entry that is made or taken away ...
 */
void fs_op_saves_name(const struct fs_mount *m, const char *name, struct fs_actor *who);
/* ... of both sides of a rename ... */
void fs_op_saves_rename(const struct fs_mount *m, const char *name, const char *newname,
			struct fs_actor *who);
/* ... or of a node, by the name that it was last looked up by. Cheap: asked for each WRITE. */
void fs_op_saves_node(struct fs_mount *m, uint64_t nodeid, struct fs_actor *who);

/* An actor for changes of a node: fs_op_actor and the above. */
struct fs_actor fs_op_actor_of(struct fs_op *op, uint64_t nodeid);

/*
 * A handle that changed something is closed by who opened it (FLUSH), or for good (RELEASE): the
 * save is complete. What fails is tried again at the next close, or becomes part of the next save.
 */
void fs_op_saves_flush(struct fs_op *op, struct fs_handle *h, uint64_t nodeid);
void fs_op_saves_release(struct fs_mount *m, struct fs_handle *h, uint64_t nodeid);
/* The same for a change without a handle (truncate by path). */
void fs_op_saves_done(struct fs_mount *m, struct fs_inode *i);

#endif
