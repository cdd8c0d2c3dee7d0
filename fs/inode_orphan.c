/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/inode_orphan.c - inodes without a name: kept while in use, then deleted.
 *
 * Removing the last name of an inode that somebody still refers to stores it with
 * no links and an ORPHAN record, in the batch that removes the name. The last
 * reference deletes all its records; after a crash fs_inode_reap does. Deletions
 * are idempotent, since numbers are never used again: a reap that meets a last
 * put does no harm. Implements fs/FORMAT.md, "ORPHAN". No locks of its own.
 */
#include "chunk.h"
#include "history.h"
#include "inode.h"

#include <errno.h>

#define REAP_PAGE 128
#define ORPHAN_VERSION 1

static struct fs_key orphan_key(const struct fs_journal *j, uint64_t ino)
{
	return fs_key_n(fs_journal_index(j), 0, FS_T_ORPHAN, ino, 5);
}

void fs_inode_orphan(struct fs_batch *b, struct fs_journal *j, uint64_t ino)
{
	struct fs_key key = orphan_key(j, ino);
	uint8_t rec[8] = {ORPHAN_VERSION};

	fs_batch_put(b, j, &key, rec, sizeof(rec));
}

void fs_inode_adopt(struct fs_batch *b, struct fs_journal *j, uint64_t ino)
{
	struct fs_key key = orphan_key(j, ino);

	fs_batch_del(b, j, &key);
}

struct purge {
	struct fs_batch *b;
	struct fs_journal *j;
};

static int purge_record(void *ctx, const struct fs_key *key, struct fs_buf *buf)
{
	struct purge *p = ctx;

	(void)buf;
	fs_batch_del(p->b, p->j, key);
	return p->b->rc;
}

int fs_inode_purge(struct fs_batch *b, struct fs_journal *j, uint64_t ino,
		   const struct fs_inode_attr *a)
{
	uint32_t index = fs_journal_index(j);
	struct fs_key from = fs_key(index, ino, FS_T_XATTR);
	struct fs_key to = fs_key(index, ino, FS_T_XATTR + 1);
	struct fs_key key = fs_key(index, ino, FS_T_INODE);
	struct purge p = {.b = b, .j = j};
	int rc = 0;

	if (a->flags & (FS_INODE_FINAL | FS_INODE_HOLDS))
		return -EPERM;
	fs_batch_del(b, j, &key);
	for (unsigned n = 0; a->pieces >> n; n++) {
		key = fs_key_n(index, ino, FS_T_PIECE, n, 2);
		if (a->pieces >> n & 1)
			fs_batch_del(b, j, &key);
	}
	key = fs_key(index, ino, FS_T_STATE);
	if (a->flags & FS_INODE_STATE)
		fs_batch_del(b, j, &key);
	if (a->form == FS_FORM_CHUNKS)
		rc = fs_chunk_truncate(j, b, ino, 0);
	if (!rc && a->xattrs)
		rc = fs_record_scan(j, &from, &to, purge_record, &p);
	if (!rc && a->version > 1)
		rc = fs_history_purge(b, j, ino);
	return rc;
}

/* An orphan that was found: *a of its record, when it has one. */
static int reap_one(struct fs_journal *j, uint64_t ino, struct fs_signer *signer)
{
	struct fs_key key = fs_key(fs_journal_index(j), ino, FS_T_INODE);
	struct fs_inode_attr a;
	struct fs_buf *buf = NULL;
	struct fs_batch b;
	int rc = fs_record_get(j, &key, &buf);

	if (rc && rc != -ENOENT)
		return rc;
	fs_inode_throttle(j);
	fs_batch_init(&b, signer);
	if (!rc)
		rc = fs_inode_decode(buf->data, buf->len, &a);
	else
		rc = 0;
	/* A record with links, or that is kept, was never orphaned: only the note goes. */
	if (!rc && buf && a.nlink == 0 && !fs_inode_kept(&a))
		rc = fs_inode_purge(&b, j, ino, &a);
	key = orphan_key(j, ino);
	fs_batch_del(&b, j, &key);
	fs_buf_put(buf);
	if (rc) {
		fs_batch_clear(&b);
		return rc;
	}
	return fs_inode_apply(j, &b, NULL);
}

struct reap {
	uint64_t ino[REAP_PAGE];
	size_t n;
};

static int reap_found(void *ctx, const struct fs_key *key, struct fs_buf *buf)
{
	struct reap *r = ctx;

	(void)buf;
	r->ino[r->n++] = fs_key_sub(key, 5);
	return r->n == REAP_PAGE;
}

int fs_inode_reap(struct fs_journal *j, struct fs_signer *signer)
{
	struct fs_key from = orphan_key(j, 0), to = orphan_key(j, FS_INO_MAX);
	struct reap r;
	int rc, failed = 0;

	do {
		r.n = 0;
		rc = fs_record_scan(j, &from, &to, reap_found, &r);
		for (size_t n = 0; !rc && n < r.n; n++) {
			struct fs_inode *used = fs_inode_find(j, r.ino[n]);
			int one = used ? 0 : reap_one(j, r.ino[n], signer);

			/* One damaged orphan keeps none of the others. */
			failed = failed ? failed : one;
			fs_inode_put(used);
			from = orphan_key(j, r.ino[n] + 1);
		}
	} while (!rc && r.n == REAP_PAGE);
	return rc ? rc : failed;
}
