/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/store_snap.c - reading: snapshots, and what is read through them.
 *
 * A snapshot is a pooled LMDB read transaction, renewed at begin and reset at end,
 * with an arena for what was read. Every access to the map runs inside the guard of
 * sigbus.h: SIGBUS is -EIO. Values are copied out there; no pointer into the map
 * leaves this file.
 *
 * Locks: fs_store.lock (leaf) guards the pool.
 */
#include "store_impl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "sigbus.h"

#define ARENA_BLOCK (64u << 10)

struct arena {
	struct arena *next;
	size_t used, cap;
	uint8_t data[];
};

void fs_store_snap_free(struct fs_snap *snap)
{
	struct arena *a = snap->arena;

	while (a) {
		struct arena *next = a->next;

		free(a);
		a = next;
	}
	if (snap->cursor)
		mdb_cursor_close(snap->cursor);
	if (snap->txn)
		mdb_txn_abort(snap->txn);
	free(snap);
}

static struct fs_snap *pool_take(struct fs_store *s)
{
	struct fs_snap *snap, *stale = NULL;

	pthread_mutex_lock(&s->lock);
	while ((snap = s->pool)) {
		s->pool = snap->next;
		if (snap->env == s->env)
			break;
		snap->next = stale; /* of the environment before a failure */
		stale = snap;
	}
	pthread_mutex_unlock(&s->lock);
	while (stale) {
		struct fs_snap *next = stale->next;

		fs_store_snap_free(stale);
		stale = next;
	}
	return snap;
}

static int snap_new(struct fs_store *s, struct fs_snap **out)
{
	struct fs_snap *snap = calloc(1, sizeof(*snap));
	int rc;

	if (!snap)
		return -ENOMEM;
	snap->store = s;
	pthread_mutex_lock(&s->lock);
	snap->env = s->env;
	pthread_mutex_unlock(&s->lock);
	rc = mdb_txn_begin(snap->env, NULL, MDB_RDONLY, &snap->txn);
	if (!rc)
		rc = mdb_cursor_open(snap->txn, s->dbi, &snap->cursor);
	if (rc) {
		fs_store_snap_free(snap);
		return fs_store_rc(rc);
	}
	*out = snap;
	return 0;
}

int fs_store_snap_begin(struct fs_store *s, struct fs_snap **out)
{
	sigjmp_buf env;
	struct fs_snap *volatile snap = pool_take(s);
	struct fs_snap *fresh = NULL;
	int rc;

	if (fs_sigbus_enter(env)) {
		fs_sigbus_leave();
		return -EIO; /* the handle, in an unknown state, is given up */
	}
	if (snap) {
		rc = fs_store_rc(mdb_txn_renew(snap->txn));
		if (!rc)
			rc = fs_store_rc(mdb_cursor_renew(snap->txn, snap->cursor));
		if (rc)
			fs_store_snap_free(snap);
	} else {
		rc = snap_new(s, &fresh);
		snap = fresh;
	}
	fs_sigbus_leave();
	if (rc)
		return rc;
	atomic_fetch_add(&s->active, 1);
	*out = snap;
	return 0;
}

void fs_store_snap_end(struct fs_snap *snap)
{
	sigjmp_buf env;
	struct fs_store *s;
	struct arena *a;

	if (!snap)
		return;
	s = snap->store;
	if (!fs_sigbus_enter(env))
		mdb_txn_reset(snap->txn);
	fs_sigbus_leave();
	/* One block stays for the next user of the handle. */
	while ((a = snap->arena) && a->next) {
		snap->arena = a->next;
		free(a);
	}
	if (a)
		a->used = 0;
	atomic_fetch_sub(&s->active, 1);
	pthread_mutex_lock(&s->lock);
	snap->next = s->pool;
	s->pool = snap;
	pthread_mutex_unlock(&s->lock);
}

/* Room for n bytes that lives until the snapshot ends. */
static uint8_t *arena_alloc(struct fs_snap *snap, size_t n)
{
	struct arena *a = snap->arena;
	uint8_t *p;

	if (!a || a->cap - a->used < n) {
		size_t cap = n > ARENA_BLOCK ? n : ARENA_BLOCK;

		a = malloc(sizeof(*a) + cap);
		if (!a)
			return NULL;
		a->cap = cap;
		a->used = 0;
		a->next = snap->arena;
		snap->arena = a;
	}
	p = a->data + a->used;
	a->used += n;
	return p;
}

/* Inside the guard. A stored value longer than the format allows is damage. */
static int copy_out(struct fs_snap *snap, const MDB_val *v, const uint8_t **val, size_t *len)
{
	uint8_t *p;

	if (v->mv_size > FS_VALUE_MAX)
		return -EIO;
	p = arena_alloc(snap, v->mv_size);
	if (!p)
		return -ENOMEM;
	memcpy(p, v->mv_data, v->mv_size);
	*val = p;
	*len = v->mv_size;
	return 0;
}

static int read_rc(int mdb_rc)
{
	int rc = fs_store_rc(mdb_rc);

	return !rc || rc == -ENOENT || rc == -ENOMEM ? rc : -EIO;
}

int fs_store_get(struct fs_snap *snap, const struct fs_key *key, const uint8_t **val, size_t *len)
{
	MDB_val k = {key->len, (void *)(uintptr_t)key->b}, v;
	sigjmp_buf env;
	int rc;

	if (fs_sigbus_enter(env)) {
		fs_sigbus_leave();
		return -EIO;
	}
	rc = read_rc(mdb_get(snap->txn, snap->store->dbi, &k, &v));
	if (!rc)
		rc = copy_out(snap, &v, val, len);
	fs_sigbus_leave();
	return rc;
}

int fs_store_next(struct fs_snap *snap, const struct fs_key *from, struct fs_key *found,
		  const uint8_t **val, size_t *len)
{
	MDB_val k = {from->len, (void *)(uintptr_t)from->b}, v;
	sigjmp_buf env;
	int rc;

	if (fs_sigbus_enter(env)) {
		fs_sigbus_leave();
		return -EIO;
	}
	/* An empty key is LMDB's bad value, and means the very first. */
	rc = read_rc(mdb_cursor_get(snap->cursor, &k, &v, from->len ? MDB_SET_RANGE : MDB_FIRST));
	if (!rc && k.mv_size > FS_KEY_MAX)
		rc = -EIO;
	if (!rc)
		rc = copy_out(snap, &v, val, len);
	if (!rc) {
		found->len = (uint8_t)k.mv_size;
		memcpy(found->b, k.mv_data, k.mv_size);
	}
	fs_sigbus_leave();
	return rc;
}
