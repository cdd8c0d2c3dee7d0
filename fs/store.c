/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/store.c - the database: one LMDB environment, one unnamed table.
 *
 * Owns the environment, its file lock, the pool of read transactions and the space
 * set aside ahead of data.mdb. Format: fs/FORMAT.md, "Database".
 *
 * Invariants:
 * 1. Every commit is synced: never WRITEMAP, NOSYNC, NOMETASYNC, NOMEMINIT.
 * 2. Space for a commit is allocated before it starts. LMDB reports a short write,
 *    which is how a full disk shows, as EIO; that must not be taken for damage.
 * 3. `failed` is set once and never cleared: after it nothing is written.
 * 4. Every access to the map runs inside the guard of sigbus.h: SIGBUS is -EIO.
 * Reading is in store_snap.c.
 *
 * Locks: `lock` (leaf) guards the pool. Applies come from one thread.
 */
#include "store_impl.h"

#include "sigbus.h"

#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define MAP_BYTES (UINT64_C(1) << 40)
#define AHEAD (UINT64_C(64) << 20)
#define AHEAD_LEAST (UINT64_C(1) << 20)
#define LEAF_MAX 1900 /* values above this get an overflow page of their own, with some margin */

/* ---- errors ---- */

int fs_store_rc(int rc)
{
	switch (rc) {
	case MDB_SUCCESS:
		return 0;
	case MDB_NOTFOUND:
		return -ENOENT;
	case MDB_MAP_FULL:
		return -ENOSPC;
	case MDB_READERS_FULL:
		return -EAGAIN;
	case MDB_INVALID:
	case MDB_CORRUPTED:
	case MDB_VERSION_MISMATCH:
	case MDB_PAGE_NOTFOUND:
	case MDB_INCOMPATIBLE:
		return -EUCLEAN;
	case MDB_PANIC:
		return -EIO;
	default:
		if (rc == EDQUOT)
			return -ENOSPC;
		return rc > 0 ? -rc : -EIO;
	}
}

/* ---- opening ---- */

static int env_open(const char *dir, unsigned env_flags, MDB_env **out, MDB_dbi *dbi)
{
	MDB_env *env = NULL;
	MDB_txn *txn = NULL;
	int rc;

	rc = mdb_env_create(&env);
	if (rc)
		return fs_store_rc(rc);
	rc = mdb_env_set_maxreaders(env, FS_STORE_READERS);
	if (!rc)
		rc = mdb_env_set_mapsize(env, MAP_BYTES);
	if (!rc)
		rc = mdb_env_open(env, dir, MDB_NOTLS | env_flags, 0600);
	if (!rc && !(env_flags & MDB_NOLOCK))
		rc = mdb_reader_check(env, NULL);
	if (!rc)
		rc = mdb_txn_begin(env, NULL, MDB_RDONLY, &txn);
	if (!rc)
		rc = mdb_dbi_open(txn, NULL, 0, dbi);
	if (!rc) {
		rc = mdb_txn_commit(txn); /* keeps the handle */
		txn = NULL;
	}
	if (txn)
		mdb_txn_abort(txn);
	if (rc) {
		mdb_env_close(env);
		return fs_store_rc(rc);
	}
	*out = env;
	return 0;
}

/* The second guard against two daemons: a lock on data.mdb itself. */
static int lock_data(const char *dir, unsigned flags, int *out)
{
	bool ro = flags & FS_STORE_READ_ONLY;
	int create = !ro && (flags & FS_STORE_CREATE) ? O_CREAT : 0;
	char *path;
	int fd;

	if (asprintf(&path, "%s/data.mdb", dir) < 0)
		return -ENOMEM;
	fd = open(path, (ro ? O_RDONLY : O_RDWR) | create | O_CLOEXEC | O_NOFOLLOW, 0600);
	free(path);
	if (fd < 0)
		return -errno;
	if (flock(fd, (ro ? LOCK_SH : LOCK_EX) | LOCK_NB)) {
		int rc = errno == EWOULDBLOCK ? -EBUSY : -errno;

		close(fd);
		return rc;
	}
	*out = fd;
	return 0;
}

static int sync_dir(const char *dir)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int rc;

	if (fd < 0)
		return -errno;
	rc = fsync(fd) ? -errno : 0;
	close(fd);
	return rc;
}

static void note_committed(struct fs_store *s)
{
	MDB_envinfo info;

	mdb_env_info(s->env, &info);
	atomic_store(&s->used_end, (uint64_t)(info.me_last_pgno + 1) * s->page);
	atomic_store(&s->last_txn, info.me_last_txnid);
}

static int measure(struct fs_store *s)
{
	MDB_stat st;
	struct stat file;
	int fd;
	int rc;

	rc = mdb_env_stat(s->env, &st);
	if (!rc)
		rc = mdb_env_get_fd(s->env, &fd);
	if (rc)
		return fs_store_rc(rc);
	if (fstat(fd, &file))
		return -errno;
	s->fd = fd;
	s->page = st.ms_psize;
	atomic_store(&s->alloc_end, (uint64_t)file.st_size);
	note_committed(s);
	return 0;
}

int fs_store_open(const char *dir, unsigned flags, struct fs_store **out)
{
	sigjmp_buf env;
	struct fs_store *s;
	volatile int rc = -ENOMEM;

	fs_sigbus_install();
	s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	s->flags = flags;
	s->lock_fd = -1;
	pthread_mutex_init(&s->lock, NULL);
	s->dir = strdup(dir);
	if (!s->dir)
		goto fail;
	if (flags & FS_STORE_CREATE && mkdir(dir, 0700) && errno != EEXIST) {
		rc = -errno;
		goto fail;
	}
	rc = lock_data(dir, flags, &s->lock_fd);
	if (rc)
		goto fail;
	if (fs_sigbus_enter(env)) {
		fs_sigbus_leave();
		s->env = NULL; /* whatever state it is in; not closed */
		rc = -EUCLEAN;
		goto fail;
	}
	rc = env_open(dir, flags & FS_STORE_READ_ONLY ? MDB_RDONLY : 0, &s->env, &s->dbi);
	if (!rc)
		rc = measure(s);
	fs_sigbus_leave();
	if (!rc && flags & FS_STORE_CREATE)
		rc = sync_dir(dir);
	if (rc)
		goto fail;
	*out = s;
	return 0;
fail:
	fs_store_close(s);
	return rc;
}

bool fs_store_read_only(const struct fs_store *s)
{
	return s->flags & FS_STORE_READ_ONLY;
}

void fs_store_close(struct fs_store *s)
{
	if (!s)
		return;
	while (s->pool) {
		struct fs_snap *snap = s->pool;

		s->pool = snap->next;
		fs_store_snap_free(snap);
	}
	if (s->env)
		mdb_env_close(s->env);
	if (s->old_env)
		mdb_env_close(s->old_env);
	if (s->lock_fd >= 0)
		close(s->lock_fd);
	pthread_mutex_destroy(&s->lock);
	free(s->dir);
	free(s);
}

/* ---- space ---- */

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* The most pages that applying these items can add to the file. */
static uint64_t pages_needed(struct fs_store *s, const struct fs_store_item *items, size_t n)
{
	uint64_t own = 0, bytes = 0, leaves, branches;
	MDB_stat st = {0};

	mdb_env_stat(s->env, &st);
	for (size_t i = 0; i < n; i++) {
		if (!items[i].val)
			continue;
		if (items[i].len > LEAF_MAX)
			own++;
		bytes += FS_KEY_MAX + 16 + (items[i].len > LEAF_MAX ? 8 : items[i].len);
	}
	/* Every leaf touched is copied and may split once; further splits need bytes to fill it. */
	leaves = 2 * least(n, st.ms_leaf_pages + 1) + 3 * bytes / s->page + 2;
	branches = 2 * least((uint64_t)n * st.ms_depth, st.ms_branch_pages + 1) + leaves / 16 +
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

static int disk_free(struct fs_store *s, uint64_t *bytes)
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

/* Before a transaction: data.mdb can take `pages` more without asking the disk again. */
static int secure_space(struct fs_store *s, uint64_t pages)
{
	uint64_t used = atomic_load(&s->used_end), want = used + pages * s->page;
	uint64_t spare = 0;
	int rc;

	if (want <= atomic_load(&s->alloc_end))
		return 0;
	rc = disk_free(s, &spare);
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

/* ---- writing ---- */

static int put_items(MDB_txn *txn, MDB_dbi dbi, const struct fs_store_item *items, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		MDB_val k = {items[i].key.len, (void *)(uintptr_t)items[i].key.b};
		MDB_val v = {items[i].len, (void *)(uintptr_t)items[i].val};
		int rc;

		if (!k.mv_size || (items[i].val && items[i].len > FS_VALUE_MAX))
			return EINVAL;
		rc = items[i].val ? mdb_put(txn, dbi, &k, &v, 0) : mdb_del(txn, dbi, &k, NULL);
		if (rc && !(rc == MDB_NOTFOUND && !items[i].val))
			return rc;
	}
	return 0;
}

/*
 * A commit that failed while writing its last page leaves LMDB refusing everything, reading too.
 * Open the file anew, read-only, so that what was committed can still be read. No lock file:
 * nothing writes any more, and LMDB must not open it twice in a process.
 */
static void reopen_for_reading(struct fs_store *s)
{
	MDB_env *env;
	MDB_dbi dbi;

	if (env_open(s->dir, MDB_RDONLY | MDB_NOLOCK, &env, &dbi))
		return;
	pthread_mutex_lock(&s->lock);
	s->old_env = s->env;
	s->env = env;
	pthread_mutex_unlock(&s->lock);
}

/* After a failed commit: -ENOSPC only when nothing happened and LMDB would go on. */
static int judge(struct fs_store *s, int rc)
{
	MDB_txn *txn;
	int again;

	if (rc == -ENOMEM || rc == -EINVAL)
		return rc;
	again = mdb_txn_begin(s->env, NULL, 0, &txn);
	if (!again)
		mdb_txn_abort(txn);
	if (rc == -ENOSPC && !again)
		return rc;
	atomic_store(&s->failed, -EIO);
	if (again == MDB_PANIC)
		reopen_for_reading(s);
	return -EIO;
}

int fs_store_apply(struct fs_store *s, const struct fs_store_item *items, size_t n)
{
	sigjmp_buf env;
	MDB_txn *txn = NULL;
	int rc;

	if (s->flags & FS_STORE_READ_ONLY)
		return -EROFS;
	if (atomic_load(&s->failed))
		return atomic_load(&s->failed);
	if (!n)
		return 0;
	if (fs_sigbus_enter(env)) {
		/* The transaction is left as it is: its memory and LMDB's writer lock are lost, and
		 * nothing will be written any more. */
		fs_sigbus_leave();
		atomic_store(&s->failed, -EIO);
		return -EIO;
	}
	rc = secure_space(s, pages_needed(s, items, n));
	if (rc)
		goto out;
	rc = fs_store_rc(mdb_txn_begin(s->env, NULL, 0, &txn));
	if (rc)
		goto judge;
	rc = fs_store_rc(put_items(txn, s->dbi, items, n));
	if (rc) {
		mdb_txn_abort(txn);
		goto judge;
	}
	rc = fs_store_rc(mdb_txn_commit(txn));
	if (!rc)
		note_committed(s);
judge:
	if (rc)
		rc = judge(s, rc);
out:
	fs_sigbus_leave();
	return rc;
}

int fs_store_stat(struct fs_store *s, struct fs_store_stat *out)
{
	sigjmp_buf env;
	struct fs_store_stat st = {0};
	MDB_stat db;
	int rc;

	if (fs_sigbus_enter(env)) {
		fs_sigbus_leave();
		return -EIO;
	}
	pthread_mutex_lock(&s->lock);
	rc = fs_store_rc(mdb_env_stat(s->env, &db));
	pthread_mutex_unlock(&s->lock);
	fs_sigbus_leave();
	if (rc)
		return rc;
	st.bytes_used = atomic_load(&s->used_end);
	st.entries = db.ms_entries;
	st.commits = atomic_load(&s->last_txn);
	*out = st;
	return 0;
}

int fs_store_space(struct fs_store *s, uint64_t *bytes)
{
	uint64_t spare = 0, used = atomic_load(&s->used_end), have = atomic_load(&s->alloc_end);
	int rc = disk_free(s, &spare);

	if (rc)
		return rc;
	*bytes = spare + (have > used ? have - used : 0);
	return 0;
}
