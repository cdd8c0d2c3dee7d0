/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/inode_revert.c - inodes in memory go back to what is committed.
 *
 * Memory runs ahead of the disk by up to two groups. When a commit fails for good
 * those groups are dropped, and memory must follow, or an inode would point to
 * pieces and chunks that never came to be. Locks: each inode's, one at a time.
 */
#include "inode.h"

#include <errno.h>
#include <stdlib.h>

static int revert_one(struct fs_inode *i)
{
	struct fs_key key = fs_key(fs_journal_index(i->journal), i->ino, FS_T_INODE);
	struct fs_inode_attr a = {0};
	struct fs_buf *buf = NULL;
	int rc;

	pthread_rwlock_wrlock(&i->lock);
	rc = fs_record_get(i->journal, &key, &buf);
	if (!rc)
		rc = fs_inode_decode(buf->data, buf->len, &a);
	if (!rc)
		i->attr = a;
	i->deleted = rc != 0;
	i->gone = rc != 0 || (i->nlink == 0 && !fs_inode_kept(&i->attr));
	i->history = (struct fs_inode_history){0};
	pthread_rwlock_unlock(&i->lock);
	fs_buf_put(buf);
	return rc == -ENOENT ? 0 : rc;
}

int fs_inode_revert(struct fs_journal *j)
{
	struct fs_inode **all = NULL;
	size_t n = 0;
	int rc = fs_inode_all_reverting(j, &all, &n);

	for (size_t k = 0; k < n; k++) {
		/* What is virtual has no record: it is looked up anew at each use. */
		int one = all[k]->ino < FS_INO_HISTORY ? revert_one(all[k]) : 0;

		rc = rc ? rc : one;
		fs_inode_put(all[k]);
	}
	free(all);
	return rc;
}
