/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/store_write.c - bringing commits into the database: one LMDB transaction at a time.
 *
 * A transaction takes all of what was applied lately and, when it is a commit itself, that on top.
 * Containers whose bytes only the redo file holds durably are synced first: the database never
 * refers to units that are not.
 *
 * Invariants: (1) `failed` is set once and never cleared: after it nothing is written; (2) a full
 * disk is met before the transaction begins, and changes nothing.
 *
 * Locks: `writer` across the transaction; `lock` before and after it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sigbus.h"
#include "store_impl.h"

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

	if (fs_store_env_open(s->dir, MDB_RDONLY | MDB_NOLOCK, &env, &dbi))
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

/* Everything in the guard: a fault of the map leaves the transaction as it is, its memory and
 * LMDB's writer lock lost; nothing is written any more. */
static int write_items(struct fs_store *s, const struct fs_store_item *items, size_t n)
{
	struct fs_recent_tally t = {0};
	sigjmp_buf env;
	MDB_txn *txn = NULL;
	int rc;

	fs_recent_tally_add(&t, items, n);
	if (fs_sigbus_enter(env)) {
		fs_sigbus_leave();
		atomic_store(&s->failed, -EIO);
		return -EIO;
	}
	rc = fs_store_secure(s, fs_store_pages(s, &t));
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
		fs_store_note_committed(s);
judge:
	if (rc)
		rc = judge(s, rc);
out:
	fs_sigbus_leave();
	return rc;
}

/* ---- merging ---- */

/* A transaction while it is made. */
struct merging {
	struct fs_recent_view view;
	struct fs_redo_mark mark;
	struct fs_store_dirty dirty[FS_STORE_DIRTY_MOST];
	size_t n_dirty;
	struct fs_recent_tally tally;
	struct fs_store_item *items;
	size_t n;
	int64_t since_ms;
};

static int begin(struct fs_store *s, const struct fs_store_commit *c, struct merging *m)
{
	int rc;

	pthread_mutex_lock(&s->lock);
	fs_recent_view_begin(&s->recent, &m->view, s->recent.merged);
	rc = fs_recent_collect(&s->recent, &m->view, &m->items, &m->n);
	if (rc) {
		fs_recent_view_end(&m->view);
		pthread_mutex_unlock(&s->lock);
		return rc;
	}
	m->mark = c && c->after.number ? c->after : s->mark;
	memcpy(m->dirty, s->dirty, s->n_dirty * sizeof(*s->dirty));
	m->n_dirty = s->n_dirty;
	s->n_dirty = 0;
	m->since_ms = s->since_ms;
	s->since_ms = 0;
	m->tally = s->running = s->recent.tally;
	s->recent.tally = (struct fs_recent_tally){0};
	s->recent.counted_from = m->view.number;
	s->running_to = m->view.number + (c != NULL);
	pthread_mutex_unlock(&s->lock);
	return 0;
}

static void end(struct fs_store *s, const struct fs_store_commit *c, struct merging *m, int rc)
{
	pthread_mutex_lock(&s->lock);
	fs_recent_view_end(&m->view);
	s->running = (struct fs_recent_tally){0};
	if (!rc) {
		if (c)
			s->recent.number = s->running_to;
		if (c && c->after.number)
			s->mark = c->after;
		s->recent.merged = s->running_to;
		s->merged_txn = atomic_load(&s->last_txn);
		fs_recent_purge(&s->recent);
	} else {
		s->recent.tally.items += m->tally.items;
		s->recent.tally.large += m->tally.large;
		s->recent.tally.bytes += m->tally.bytes;
		if (m->since_ms)
			s->since_ms = m->since_ms;
	}
	pthread_mutex_unlock(&s->lock);
	if (!rc && s->redo)
		fs_redo_done(s->redo, m->mark.number);
}

static int sync_containers(struct fs_store *s, const struct fs_store_commit *c, struct merging *m)
{
	int rc = fs_store_dirty_sync(m->dirty, m->n_dirty), last = -1;

	for (size_t i = 0; c && i < c->n_writes && !rc; i++) {
		if (c->writes[i].fd == last)
			continue;
		last = c->writes[i].fd;
		rc = fdatasync(last) ? -EIO : 0;
	}
	if (rc)
		atomic_store(&s->failed, -EIO);
	return rc;
}

/* c's items over those of m. */
static int overlay(struct merging *m, const struct fs_store_commit *c)
{
	struct fs_store_item *all = calloc(m->n + c->n + 1, sizeof(*all));
	size_t i = 0, j = 0, n = 0;

	if (!all)
		return -ENOMEM;
	while (i < m->n || j < c->n) {
		int cmp = i == m->n   ? 1
			  : j == c->n ? -1
				      : fs_key_cmp(&m->items[i].key, &c->items[j].key);

		all[n++] = cmp < 0 ? m->items[i] : c->items[j];
		i += cmp <= 0;
		j += cmp >= 0;
	}
	free(m->items);
	m->items = all;
	m->n = n;
	return 0;
}

int fs_store_merge(struct fs_store *s, const struct fs_store_commit *c)
{
	struct merging m;
	int rc;

	pthread_mutex_lock(&s->writer);
	rc = atomic_load(&s->failed);
	if (!rc)
		rc = begin(s, c, &m);
	if (rc)
		goto unlock;
	rc = sync_containers(s, c, &m);
	if (!rc && c)
		rc = overlay(&m, c);
	if (!rc && m.n)
		rc = write_items(s, m.items, m.n);
	free(m.items);
	end(s, c, &m, rc);
unlock:
	pthread_mutex_unlock(&s->writer);
	return rc;
}

int fs_store_apply(struct fs_store *s, const struct fs_store_item *items, size_t n)
{
	struct fs_store_commit c = {.items = items, .n = n, .direct = true};

	return n ? fs_store_commit(s, &c) : 0;
}
