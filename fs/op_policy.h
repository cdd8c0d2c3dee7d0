/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/op_policy.h - what the bodies for requests under .policy share (op_policy*.c).
 */
#ifndef FS_OP_POLICY_H
#define FS_OP_POLICY_H

#include "mount_impl.h"

/* The process that asks, now. */
struct fs_policy_caller fs_op_policy_caller(struct fs_op *op);
int64_t fs_op_policy_now_ns(void); /* boot time */
/* A refused save is recorded, durably, before rc is answered: rc, or -EIO. */
int fs_op_policy_tell(struct fs_mount *m, const struct fs_gate_request *rq,
		      const struct fs_policy_outcome *out, int rc);
/* Owner and group: the viewer's. */
void fs_op_policy_stat(struct fs_op *op, struct stat *st);
/* Counts the lookup and fills e with timeouts of 0. 0, -ENOMEM. */
int fs_op_policy_entry(struct fs_op *op, const char *name, const struct stat *st,
		       struct fuse_entry_param *e);

#endif
