/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/content_change.h - one change of one inode: locked, batched, applied, published.
 *
 * Used by content and xattr. begin waits for room, locks the inode exclusively and
 * copies its attributes; the caller adds records to `b` and changes `a`; end stores
 * `a`, applies the batch, and only then assigns `a` to the inode.
 */
#ifndef FS_CONTENT_CHANGE_H
#define FS_CONTENT_CHANGE_H

#include "tree.h"

struct fs_content_change {
	struct fs_inode *i;
	struct fs_actor *who;
	struct fs_batch b;
	struct fs_inode_attr a;
	struct fs_inode_history history; /* the state after, as a */
	uint8_t *scratch; /* bytes that the batch points into; wiped and freed by end */
	size_t scratch_len;
};

/* Always locks; always followed by end. -ESTALE: the inode was deleted. */
int fs_content_begin(struct fs_content_change *c, struct fs_inode *i, struct fs_actor *who);
/* rc not 0: nothing is applied, rc is returned. Unlocks. */
int fs_content_end(struct fs_content_change *c, int rc);

#endif
