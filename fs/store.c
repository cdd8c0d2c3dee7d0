/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/store.c - the database: one LMDB environment, one unnamed table; opening and closing it.
 *
 * Owns the environment and its file lock. Format: fs/FORMAT.md, "Database". Reading is in
 * store_snap.c, writing in store_write.c (the database) and store_redo.c (the redo file before it),
 * space in store_space.c, what is on its way in store_recent.c.
 *
 * Invariants:
 * 1. Every commit is synced: never WRITEMAP, NOSYNC, NOMETASYNC, NOMEMINIT.
 * 2. Space for a commit is allocated before it starts.
 * 3. Every access to the map runs inside the guard of sigbus.h: SIGBUS is -EIO.
 *
 * Locks: store_impl.h.
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

int fs_store_env_open(const char *dir, unsigned env_flags, MDB_env **out, MDB_dbi *dbi)
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
		rc = mdb_env_open(env, dir, MDB_NOTLS | MDB_NORDAHEAD | env_flags, 0600);
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

void fs_store_note_committed(struct fs_store *s)
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
	fs_store_note_committed(s);
	s->merged_txn = atomic_load(&s->last_txn);
	return 0;
}

static void locks_init(struct fs_store *s)
{
	pthread_condattr_t attr;

	pthread_mutex_init(&s->lock, NULL);
	pthread_mutex_init(&s->writer, NULL);
	pthread_mutex_init(&s->space, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&s->work, &attr);
	pthread_condattr_destroy(&attr);
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
	locks_init(s);
	fs_recent_init(&s->recent);
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
	rc = fs_store_env_open(dir, flags & FS_STORE_READ_ONLY ? MDB_RDONLY : 0, &s->env, &s->dbi);
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
	fs_store_redo_close(s);
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
	fs_recent_clear(&s->recent);
	pthread_cond_destroy(&s->work);
	pthread_mutex_destroy(&s->space);
	pthread_mutex_destroy(&s->writer);
	pthread_mutex_destroy(&s->lock);
	free(s->dir);
	free(s);
}

/* ---- what it takes and holds ---- */

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
	int rc = fs_store_disk_free(s, &spare);

	if (rc)
		return rc;
	*bytes = spare + (have > used ? have - used : 0);
	return 0;
}
