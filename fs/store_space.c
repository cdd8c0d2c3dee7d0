/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/store_space.c - pages that commits will need, set aside before they are acknowledged.
 *
 * LMDB reports a short write, which is how a full disk shows, as EIO. So data.mdb is
 * allocated ahead of its end, and a full disk is met here.
 *
 * Lock: `space` (leaf), held across fallocate, so that two do not extend the file at once.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/statvfs.h>

#include "store_impl.h"

#define AHEAD (UINT64_C(64) << 20)
#define AHEAD_LEAST (UINT64_C(1) << 20)

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

uint64_t fs_store_pages(struct fs_store *s, const struct fs_recent_tally *t)
{
	uint64_t own = t->large, bytes = t->bytes, n = t->items, leaves, branches;
	MDB_stat st = {0};

	if (!n)
		return 0;
	mdb_env_stat(s->env, &st);
	/* Every leaf touched is copied and may split once; further splits need bytes to fill it. */
	leaves = 2 * least(n, st.ms_leaf_pages + 1) + 3 * bytes / s->page + 2;
	branches = 2 * least(n * st.ms_depth, st.ms_branch_pages + 1) + leaves / 16 +
		   st.ms_depth + 2;
	own += leaves + branches;
	return own + 2 * own * 8 / s->page + 16; /* and the list of the pages that they replace */
}

static int allocate(struct fs_store *s, uint64_t end)
{
	uint64_t have = atomic_load(&s->alloc_end);
	int rc;

	do
		rc = fallocate(s->fd, FALLOC_FL_KEEP_SIZE, (off_t)have, (off_t)(end - have));
	while (rc && errno == EINTR);
	if (rc)
		return errno == EDQUOT ? -ENOSPC : -errno;
	atomic_store(&s->alloc_end, end);
	return 0;
}

int fs_store_disk_free(struct fs_store *s, uint64_t *bytes)
{
	struct statvfs v;

	if (fstatvfs(s->fd, &v))
		return -errno;
	*bytes = (uint64_t)v.f_bavail * v.f_frsize;
	return 0;
}

/* Pages inside the file that the next transaction may take: freed before the last commit. */
static uint64_t pages_reusable(struct fs_store *s)
{
	uint64_t pages = 0, last = atomic_load(&s->last_txn);
	MDB_txn *txn = NULL;
	MDB_cursor *cursor = NULL;
	MDB_val k, v;

	if (atomic_load(&s->active))
		return 0; /* a snapshot may hold any of them */
	if (mdb_txn_begin(s->env, NULL, MDB_RDONLY, &txn))
		return 0;
	if (!mdb_cursor_open(txn, 0, &cursor)) {
		while (!mdb_cursor_get(cursor, &k, &v, MDB_NEXT)) {
			size_t id, count;

			memcpy(&id, k.mv_data, sizeof(id));
			memcpy(&count, v.mv_data, sizeof(count));
			if (id < last)
				pages += count;
		}
		mdb_cursor_close(cursor);
	}
	mdb_txn_abort(txn);
	return pages;
}

static int secure(struct fs_store *s, uint64_t pages)
{
	uint64_t used = atomic_load(&s->used_end), want = used + pages * s->page;
	uint64_t spare = 0;
	int rc;

	if (want <= atomic_load(&s->alloc_end))
		return 0;
	rc = fs_store_disk_free(s, &spare);
	if (rc)
		return rc;
	/* A small disk is not filled for our comfort. */
	for (uint64_t step = AHEAD; step >= AHEAD_LEAST; step /= 2) {
		if (step > spare / 16)
			continue;
		rc = allocate(s, want + step);
		if (rc != -ENOSPC)
			break;
	}
	if (atomic_load(&s->alloc_end) < want && (!rc || rc == -ENOSPC))
		rc = allocate(s, want);
	if (rc == -EOPNOTSUPP) /* a file system that cannot promise: believe what it says is free */
		rc = spare > pages * s->page ? 0 : -ENOSPC;
	if (rc == -ENOSPC && pages_reusable(s) >= pages)
		rc = 0;
	return rc;
}

int fs_store_secure(struct fs_store *s, uint64_t pages)
{
	int rc;

	pthread_mutex_lock(&s->space);
	rc = secure(s, pages);
	pthread_mutex_unlock(&s->space);
	return rc;
}
