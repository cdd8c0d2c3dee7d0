/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/commit_lost.c - changes that were applied and will never be durable.
 *
 * Three ways to lose them: a commit meets damage in a journal's own records (that
 * journal is broken), a journal is removed while somebody has it open, or a commit
 * fails for good (the vault is read-only). In each case memory is ahead of what is
 * committed. So first no more is taken, then what is left in the open group goes,
 * then the inodes in memory go back, then the owner is told, and only then those
 * hear of it who wait for the commit.
 *
 * Locks: committer thread; none held while inodes go back or the owner is told.
 */
#include <errno.h>
#include <stdlib.h>

#include "chunk_impl.h"

int fs_commit_check(void *ctx, const struct fs_journal *j)
{
	(void)ctx;
	return fs_journal_check(j);
}

static void remember_broken(struct fs_records *r, uint32_t index)
{
	pthread_mutex_lock(&r->lock);
	if (r->n_broken < FS_RECORD_BROKEN_MAX)
		r->broken[r->n_broken++] = index;
	pthread_mutex_unlock(&r->lock);
}

int fs_commit_lose(struct fs_journal *j, int rc)
{
	struct fs_records *r = j->records;
	struct fs_journal **lost;

	if (fs_journal_check(j) == rc) /* a commit that is built again */
		return 0;
	lost = reallocarray(r->lost, r->n_lost + 1, sizeof(*lost));
	if (!lost)
		return -ENOMEM;
	r->lost = lost;
	lost[r->n_lost++] = fs_journal_get(j);
	if (rc == -EIO)
		remember_broken(r, j->index);
	atomic_store(&j->dead, rc);
	return 0;
}

/* What memory knows of the journal beyond its committed state. */
static void forget(struct fs_journal *j)
{
	int (*revert)(struct fs_journal *);

	fs_chunk_forget(j->records, j->index);
	pthread_mutex_lock(&j->lock);
	revert = j->inodes_revert;
	pthread_mutex_unlock(&j->lock);
	/* What can't be read any more counts as deleted: its error says nothing new. */
	if (revert)
		(void)revert(j);
}

static void settle_lost(struct fs_records *r, bool tell)
{
	for (size_t i = 0; i < r->n_lost; i++) {
		struct fs_journal *j = r->lost[i];

		fs_group_drop(r->group, j);
		forget(j);
		if (tell && r->failed && fs_journal_check(j) == -EIO)
			r->failed(r->damaged_ctx, j->index);
		fs_journal_put(j);
	}
	r->n_lost = 0;
}

void fs_commit_settled(void *ctx, int rc)
{
	struct fs_records *r = ctx;
	struct fs_journal **all;
	size_t n = 0;

	settle_lost(r, !rc);
	if (!rc)
		return;
	all = fs_journal_all(r, &n);
	for (size_t i = 0; i < n; i++) {
		forget(all[i]);
		fs_journal_put(all[i]);
	}
	free(all);
	if (r->failed)
		r->failed(r->damaged_ctx, 0);
}
