/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/final.c - what may not change any more; closing a note before it becomes final; hashing it.
 *
 * Owns the one question that every change in rank 2 asks (fs_final_check), and `closing` in struct
 * fs_inode. Invariants: (1) the question is asked under the inode's lock, which is held until the
 * change is published, so that nothing slips in between; (2) whoever asks and whatever he may, the
 * answer is the same; (3) `closing` is memory alone: a crash or a failure leaves a draft. Locks:
 * the inode's.
 */
#include "final.h"

#include <errno.h>
#include <sys/stat.h>
#include "../keys/digest.h"
#include "content.h"
#include "history_tree.h"

int fs_final_check(const struct fs_inode *i, const struct fs_actor *who)
{
	/* A second name, or a new one, that is none of record content gives no time. */
	int64_t due_s = i->flags & FS_INODE_WHOLE && !who->due_s ? who->whole_due_s : who->due_s;

	if (i->flags & FS_INODE_FINAL || i->closing)
		return -EPERM;
	if (due_s && S_ISREG(i->mode) && i->ctime.tv_sec <= due_s)
		return -EPERM;
	return 0;
}

int fs_final_check_dir(const struct fs_inode *i)
{
	return i->flags & FS_INODE_HOLDS ? -EPERM : 0;
}

static int closable(const struct fs_inode *i)
{
	if (fs_history_tree_is(i->ino))
		return -EROFS;
	if (i->flags & FS_INODE_FINAL)
		return -EPERM;
	if (!S_ISREG(i->mode))
		return -EINVAL;
	if (i->gone || i->deleted || !i->nlink)
		return -ENOENT;
	if (i->nlink > 1)
		return -EMLINK;
	return i->closing ? -EBUSY : 0;
}

int fs_final_close(struct fs_inode *i)
{
	int rc;

	pthread_rwlock_wrlock(&i->lock);
	rc = closable(i);
	if (!rc)
		i->closing = true;
	pthread_rwlock_unlock(&i->lock);
	return rc;
}

void fs_final_open(struct fs_inode *i)
{
	pthread_rwlock_wrlock(&i->lock);
	i->closing = false;
	pthread_rwlock_unlock(&i->lock);
}

static int hash_part(void *ctx, const struct iovec *iov, int n, size_t len)
{
	(void)len;
	for (int k = 0; k < n; k++)
		keys_digest_add(ctx, iov[k].iov_base, iov[k].iov_len);
	return 0;
}

static bool is_still(struct fs_inode *i, uint64_t *size)
{
	bool still;

	pthread_rwlock_rdlock(&i->lock);
	still = i->closing || i->flags & FS_INODE_FINAL;
	*size = i->size;
	pthread_rwlock_unlock(&i->lock);
	return still;
}

int fs_final_hash(struct fs_inode *i, uint8_t sha256[static KEYS_LEN], uint8_t blake2b[static 64],
		  uint64_t *size)
{
	struct keys_digest *d;
	uint64_t len = 0, now = 0;
	int rc = 0;

	if (!is_still(i, &len))
		return -EINVAL;
	d = keys_digest_new();
	if (!d)
		return -ENOMEM;
	for (uint64_t off = 0; !rc && off < len; off += FS_CONTENT_READ_MAX)
		rc = fs_content_read(i, off, FS_CONTENT_READ_MAX, hash_part, d);
	/* Dropped groups may have taken it back in between. */
	if (!rc && (!is_still(i, &now) || now != len))
		rc = -EIO;
	if (!rc) {
		keys_digest_end(d, sha256, blake2b);
		*size = len;
	}
	keys_digest_free(d);
	return rc;
}
