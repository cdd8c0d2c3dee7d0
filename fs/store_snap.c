/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/store_snap.c - reading: snapshots, and what is read through them.
 *
 * A snapshot is a pooled LMDB read transaction, renewed at begin and reset at end,
 * with an arena for what was read, and a view of what was applied lately. Every access
 * to the map runs inside the guard of sigbus.h: SIGBUS is -EIO. Values are copied out
 * there; no pointer into the map leaves this file. Values of the view are memory that
 * stays as it is while the view lives.
 *
 * Locks: fs_store.lock (leaf) guards the pool and the versions.
 */
#include "store_impl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "sigbus.h"

#define ARENA_BLOCK (64u << 10)
#define PAGE_LEN 4096u
#define OWN_PAGE 2048 /* longer values stand on a page of their own */
#define FETCH_LEN (UINT64_C(256) << 10)
#define FETCH_AGAIN_S 16
#define DENSE_PAGES 4 /* of 64 */

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

/* Lock held. The first of the pool that is of this environment; the others go to *stale. */
static struct fs_snap *pool_take(struct fs_store *s, struct fs_snap **stale)
{
	struct fs_snap *snap;

	while ((snap = s->pool)) {
		s->pool = snap->next;
		if (snap->env == s->env)
			return snap;
		snap->next = *stale; /* of the environment before a failure */
		*stale = snap;
	}
	return NULL;
}

static int txn_begin(struct fs_store *s, struct fs_snap *snap)
{
	int rc;

	if (snap->txn) {
		rc = mdb_txn_renew(snap->txn);
		if (!rc)
			rc = mdb_cursor_renew(snap->txn, snap->cursor);
	} else {
		snap->env = s->env;
		rc = mdb_txn_begin(snap->env, NULL, MDB_RDONLY, &snap->txn);
		if (!rc)
			rc = mdb_cursor_open(snap->txn, s->dbi, &snap->cursor);
	}
	return fs_store_rc(rc);
}

/*
 * Lock held: transaction and view are of one moment. The transaction's id tells whether a checkpoint
 * that is just ending is in it.
 */
static void view_begin(struct fs_store *s, struct fs_snap *snap)
{
	uint64_t base = mdb_txn_id(snap->txn) > s->merged_txn ? s->running_to : s->recent.merged;

	fs_recent_view_begin(&s->recent, &snap->view, base);
	if (snap->view.number < base)
		snap->view.number = base;
}

static void free_all(struct fs_snap *list)
{
	while (list) {
		struct fs_snap *next = list->next;

		fs_store_snap_free(list);
		list = next;
	}
}

int fs_store_snap_begin(struct fs_store *s, struct fs_snap **out)
{
	struct fs_snap *volatile snap = NULL;
	struct fs_snap *stale = NULL;
	sigjmp_buf env;
	int rc;

	pthread_mutex_lock(&s->lock);
	snap = pool_take(s, &stale);
	if (!snap) {
		snap = calloc(1, sizeof(*snap));
		if (snap)
			snap->store = s;
	}
	if (fs_sigbus_enter(env)) {
		fs_sigbus_leave();
		pthread_mutex_unlock(&s->lock);
		return -EIO; /* the handle, in an unknown state, is given up */
	}
	rc = snap ? txn_begin(s, snap) : -ENOMEM;
	if (!rc)
		view_begin(s, snap);
	fs_sigbus_leave();
	pthread_mutex_unlock(&s->lock);
	free_all(stale);
	if (rc) {
		if (snap)
			fs_store_snap_free(snap);
		return rc;
	}
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
	fs_recent_view_end(&snap->view);
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

/*
 * Asks for a piece of the file. Pages may be gone again after a while; then it is asked for again.
 * Around the map's ends the kernel refuses, which is no harm.
 */
static void fetch(struct fs_store *s, uint64_t piece)
{
	_Atomic uint64_t *slot = &s->fetched[piece % FS_STORE_PIECES];
	struct timespec t;
	uint64_t now;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &t);
	now = piece << 8 | ((uint64_t)t.tv_sec / FETCH_AGAIN_S & 0xff);
	if (atomic_exchange_explicit(slot, now, memory_order_relaxed) != now)
		(void)madvise((void *)(uintptr_t)(piece * FETCH_LEN), FETCH_LEN, MADV_WILLNEED);
}

/* True when the page at `at` is the one with which its piece turns out to hold many inodes. */
static bool dense(struct fs_store *s, uint64_t at)
{
	uint64_t piece = at / FETCH_LEN, bit = UINT64_C(1) << (at % FETCH_LEN / PAGE_LEN), pages;
	size_t slot = piece % FS_STORE_PIECES;

	if (atomic_exchange_explicit(&s->met[slot], piece, memory_order_relaxed) != piece)
		atomic_store_explicit(&s->met_pages[slot], 0, memory_order_relaxed);
	pages = atomic_fetch_or_explicit(&s->met_pages[slot], bit, memory_order_relaxed);
	return !(pages & bit) && __builtin_popcountll(pages) + 1 == DENSE_PAGES;
}

/*
 * The map is told to be read at random: on its own the kernel reads as much around each missing page
 * as the disk likes best, megabytes on some, and a walk over names and attributes, whose pages lie
 * between those of contents, read the whole file. So it is told here what comes next: around
 * contents and full buckets of names their neighbors, and inodes where they lie close.
 */
static void foresee(struct fs_store *s, const struct fs_key *key, const MDB_val *v)
{
	uint64_t at = (uintptr_t)v->mv_data;
	uint8_t table = fs_key_table(key);
	bool more = table == FS_T_PIECE || table == FS_T_DIRENT
			    ? v->mv_size > OWN_PAGE
			    : table == FS_T_INODE && dense(s, at);

	if (more)
		fetch(s, at / FETCH_LEN);
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

static int db_get(struct fs_snap *snap, const struct fs_key *key, const uint8_t **val, size_t *len)
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
		foresee(snap->store, key, &v);
	if (!rc)
		rc = copy_out(snap, &v, val, len);
	fs_sigbus_leave();
	return rc;
}

/* key >= from; > from: after. */
static int db_next(struct fs_snap *snap, const struct fs_key *from, bool after,
		   struct fs_key *found, const uint8_t **val, size_t *len)
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
	if (!rc && after && k.mv_size == from->len && !memcmp(k.mv_data, from->b, from->len))
		rc = read_rc(mdb_cursor_get(snap->cursor, &k, &v, MDB_NEXT));
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

/* Nothing is there that this snapshot could have: what it has is not freed while it lives. */
static bool all_in_db(const struct fs_snap *snap)
{
	return !atomic_load(&snap->store->recent.bytes) || snap->view.base >= snap->view.number;
}

int fs_store_get(struct fs_snap *snap, const struct fs_key *key, const uint8_t **val, size_t *len)
{
	struct fs_store *s = snap->store;
	const struct fs_recent_version *ver;

	if (all_in_db(snap))
		return db_get(snap, key, val, len);
	pthread_mutex_lock(&s->lock);
	ver = fs_recent_get(&s->recent, &snap->view, key);
	pthread_mutex_unlock(&s->lock);
	if (!ver)
		return db_get(snap, key, val, len);
	if (ver->deleted)
		return -ENOENT;
	*val = ver->data;
	*len = ver->len;
	return 0;
}

/* What the view has next: the version, NULL: nothing. */
static const struct fs_recent_version *recent_next(struct fs_snap *snap, const struct fs_key *from,
						   bool after, struct fs_key *at)
{
	struct fs_store *s = snap->store;
	const struct fs_recent_version *ver = NULL;
	const struct fs_recent_node *n;

	pthread_mutex_lock(&s->lock);
	n = fs_recent_next(&s->recent, &snap->view, from, after, &ver);
	if (n)
		*at = n->key;
	else
		ver = NULL;
	pthread_mutex_unlock(&s->lock);
	return ver;
}

int fs_store_next(struct fs_snap *snap, const struct fs_key *from, struct fs_key *found,
		  const uint8_t **val, size_t *len)
{
	const struct fs_recent_version *ver;
	struct fs_key at = *from, here, there;
	const uint8_t *p = NULL;
	size_t n = 0;
	bool ask = true;
	int rc = 0, c;

	if (all_in_db(snap))
		return db_next(snap, from, false, found, val, len);
	for (bool after = false;; after = true) {
		if (ask)
			rc = db_next(snap, &at, after, &there, &p, &n);
		if (rc && rc != -ENOENT)
			return rc;
		ver = recent_next(snap, &at, after, &here);
		c = !ver ? 1 : rc ? -1 : fs_key_cmp(&here, &there);
		if (c > 0) {
			if (!rc) {
				*found = there;
				*val = p;
				*len = n;
			}
			return rc;
		}
		/* The newer one wins; one that says deleted hides the other. */
		if (!ver->deleted) {
			*found = here;
			*val = ver->data;
			*len = ver->len;
			return 0;
		}
		at = here;
		ask = c == 0; /* else it is still the next */
	}
}
