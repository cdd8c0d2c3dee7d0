/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/op_final.h - final notes as programs meet them: refusals, attributes, and how a program makes
 * a note final.
 */
#ifndef FS_OP_FINAL_H
#define FS_OP_FINAL_H

#include "mount_impl.h"

/*
 * -EPERM when i is final, or due, and so can't be changed: durable in the log, repeats counted.
 * Else 0: the change itself is checked again where it happens, under the inode's lock.
 */
int fs_op_final_check(struct fs_op *op, struct fs_inode *i);
/* The same without a record: for questions (access). */
bool fs_op_final_is(const struct fs_op *op, struct fs_inode *i);
/* What a change of this node was answered below: -EPERM is recorded as above. Returns rc, or -EIO.
 */
int fs_op_final_refused(struct fs_op *op, uint64_t nodeid, int rc);
/* The same of names that were to be taken away or moved. */
int fs_op_final_kept(struct fs_op *op, int rc);
/* A refused WRITE: what a mapping still shows of it goes. */
void fs_op_final_dropped(struct fs_op *op, uint64_t nodeid, bool mapped, int rc);

/* chmod took the last w: locks i where policy says so, now or at its last writer's close. rc as
 * chmod's. */
int fs_op_final_read_only(struct fs_op *op, struct fs_inode *i);
/* At RELEASE, while h still counts as a writer. */
void fs_op_final_release(struct fs_mount *m, const struct fs_handle *h, uint64_t nodeid);

#endif
