/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/inode.c - the table of a journal's inodes in memory.
 *
 * Invariants: (1) at most one struct fs_inode per number is in the table; (2) an
 * inode is in the table exactly while it has references; a reference out of none
 * is only made, and the last one only given back, under the table's mutex, so a
 * stale record is never loaded beside a living inode; (3) loading happens outside
 * the mutex: the first to ask inserts the inode marked `loading`, others wait;
 * (4) the table holds no reference to journal or inodes.
 *
 * Locks: table mutex (leaf; nothing is called under it), `numbers` (around the
 * reservation of inode numbers, above the group's), `rename` (above inode locks).
 */
#include "inode.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include "head.h"
#include "history_tree.h"
#include "inode_recent.h"

#define TABLE_LEAST 64
#define NUMBERS_AHEAD 1024

struct fs_inodes {
	pthread_mutex_t lock; /* buckets; next, loading, hashed, load_rc of the inodes */
	pthread_cond_t loaded;
	struct fs_inode **bucket;
	size_t size, count; /* size is a power of two */
	unsigned long
		reverts; /* +1 when groups were dropped: what was loaded before may be theirs */
	pthread_mutex_t rename;
	pthread_mutex_t numbers;
	struct fs_inode_recent *recent;
	uint64_t next, ceiling; /* 0: HEAD not read yet; numbers next..ceiling-1 are ours */
};

/* Two threads may meet a journal without a table at once. */
static pthread_mutex_t attach_lock = PTHREAD_MUTEX_INITIALIZER;

static void table_free(struct fs_inodes *t)
{
	pthread_mutex_destroy(&t->lock);
	pthread_mutex_destroy(&t->rename);
	pthread_mutex_destroy(&t->numbers);
	pthread_cond_destroy(&t->loaded);
	fs_inode_recent_free(t->recent);
	free(t->bucket);
	free(t);
}

static struct fs_inodes *table_new(void)
{
	struct fs_inodes *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->size = TABLE_LEAST;
	t->bucket = calloc(t->size, sizeof(*t->bucket));
	if (!t->bucket) {
		free(t);
		return NULL;
	}
	pthread_mutex_init(&t->lock, NULL);
	pthread_mutex_init(&t->rename, NULL);
	pthread_mutex_init(&t->numbers, NULL);
	pthread_cond_init(&t->loaded, NULL);
	t->recent = fs_inode_recent_new();
	return t;
}

static struct fs_inodes *table_of(struct fs_journal *j)
{
	struct fs_inodes *t;

	pthread_mutex_lock(&attach_lock);
	t = fs_journal_inodes(j);
	if (!t) {
		t = table_new();
		if (t)
			fs_journal_attach(j, t, table_free, fs_inode_revert);
	}
	pthread_mutex_unlock(&attach_lock);
	return t;
}

struct fs_inode_recent *fs_inode_recent_of(struct fs_journal *j)
{
	struct fs_inodes *t = table_of(j);

	return t ? t->recent : NULL;
}

static struct fs_inode **slot_of(const struct fs_inodes *t, uint64_t ino)
{
	return &t->bucket[(ino * UINT64_C(0x9e3779b97f4a7c15) >> 32) & (t->size - 1)];
}

static struct fs_inode *table_find(const struct fs_inodes *t, uint64_t ino)
{
	struct fs_inode *i = *slot_of(t, ino);

	while (i && i->ino != ino)
		i = i->next;
	return i;
}

/* Longer chains are the price of no memory; never an error. */
static void table_grow(struct fs_inodes *t)
{
	struct fs_inodes wider = {.size = t->size * 2};

	wider.bucket = calloc(wider.size, sizeof(*wider.bucket));
	if (!wider.bucket)
		return;
	for (size_t n = 0; n < t->size; n++) {
		struct fs_inode *i = t->bucket[n];

		while (i) {
			struct fs_inode *next = i->next, **at = slot_of(&wider, i->ino);

			i->next = *at;
			*at = i;
			i = next;
		}
	}
	free(t->bucket);
	t->bucket = wider.bucket;
	t->size = wider.size;
}

static void table_add(struct fs_inodes *t, struct fs_inode *i)
{
	struct fs_inode **at;

	if (t->count >= t->size)
		table_grow(t);
	at = slot_of(t, i->ino);
	i->next = *at;
	*at = i;
	i->hashed = true;
	t->count++;
}

static void table_del(struct fs_inodes *t, struct fs_inode *i)
{
	struct fs_inode **at = slot_of(t, i->ino);

	if (!i->hashed)
		return;
	while (*at != i)
		at = &(*at)->next;
	*at = i->next;
	i->hashed = false;
	t->count--;
}

static struct fs_inode *inode_new(struct fs_journal *j, uint64_t ino)
{
	struct fs_inode *i = calloc(1, sizeof(*i));
	pthread_rwlockattr_t attr;

	if (!i)
		return NULL;
	pthread_rwlockattr_init(&attr);
	/* A stream of readers must not keep a writer out. */
	pthread_rwlockattr_setkind_np(&attr, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	pthread_rwlock_init(&i->lock, &attr);
	pthread_rwlockattr_destroy(&attr);
	atomic_init(&i->refs, 1);
	atomic_init(&i->opens, 0);
	i->journal = fs_journal_get(j);
	i->ino = ino;
	return i;
}

static void inode_free(struct fs_inode *i)
{
	struct fs_journal *j = i->journal;

	pthread_rwlock_destroy(&i->lock);
	if (i->signer)
		fs_signer_put(i->signer);
	keys_wipe(&i->attr, sizeof(i->attr));
	free(i);
	fs_journal_put(j);
}

static int inode_load(struct fs_inode *i)
{
	struct fs_key key = fs_key(fs_journal_index(i->journal), i->ino, FS_T_INODE);
	struct fs_buf *buf = NULL;
	int rc;

	if (fs_history_tree_is(i->ino))
		return fs_history_tree_load(i, &i->attr);
	rc = fs_record_get(i->journal, &key, &buf);
	if (rc)
		return rc;
	rc = fs_inode_decode(buf->data, buf->len, &i->attr);
	fs_buf_put(buf);
	return rc;
}

/* Without a name and not in memory: an orphan that waits for its deletion, or is parked. */
static int inode_load_named(struct fs_inode *i)
{
	int rc = inode_load(i);

	return !rc && i->nlink == 0 && !fs_inode_kept(&i->attr) ? -ENOENT : rc;
}

static int inode_load_parked(struct fs_inode *i)
{
	int rc = inode_load(i);

	if (!rc && i->nlink == 0 && !fs_inode_kept(&i->attr))
		i->gone = true;
	return rc;
}

/* Waits until a found inode is loaded. Called with the mutex; the caller owns a reference. */
static int wait_loaded(struct fs_inodes *t, struct fs_inode *i)
{
	while (i->loading)
		pthread_cond_wait(&t->loaded, &t->lock);
	return i->load_rc;
}

static unsigned long reverts_of(struct fs_inodes *t)
{
	unsigned long n;

	pthread_mutex_lock(&t->lock);
	n = t->reverts;
	pthread_mutex_unlock(&t->lock);
	return n;
}

/* False: groups were dropped since `reverts` was looked up; load it again. */
static bool loaded(struct fs_inodes *t, struct fs_inode *i, int rc, unsigned long reverts)
{
	pthread_mutex_lock(&t->lock);
	if (t->reverts != reverts) {
		pthread_mutex_unlock(&t->lock);
		return false;
	}
	i->loading = false;
	i->load_rc = rc;
	if (rc)
		table_del(t, i);
	pthread_cond_broadcast(&t->loaded);
	pthread_mutex_unlock(&t->lock);
	return true;
}

static int load(struct fs_inodes *t, struct fs_inode *i, bool parked)
{
	unsigned long reverts;
	int rc;

	do {
		reverts = reverts_of(t);
		rc = parked ? inode_load_parked(i) : inode_load_named(i);
	} while (!loaded(t, i, rc, reverts));
	return rc;
}

static int get(struct fs_journal *j, uint64_t ino, bool parked, struct fs_inode **out)
{
	struct fs_inodes *t = table_of(j);
	struct fs_inode *i;
	bool mine = false;
	int rc = 0;

	if (!t)
		return -ENOMEM;
	if (ino < FS_ROOT_INO || ino > FS_INO_MAX)
		return -ENOENT;
	pthread_mutex_lock(&t->lock);
	i = table_find(t, ino);
	if (i) {
		atomic_fetch_add(&i->refs, 1);
		rc = wait_loaded(t, i);
	} else {
		i = inode_new(j, ino);
		mine = i != NULL;
		if (mine) {
			i->loading = true;
			table_add(t, i);
		}
	}
	pthread_mutex_unlock(&t->lock);
	if (!i)
		return -ENOMEM;
	if (mine)
		rc = load(t, i, parked);
	if (rc)
		fs_inode_put(i);
	else
		*out = i;
	return rc;
}

int fs_inode_get(struct fs_journal *j, uint64_t ino, struct fs_inode **out)
{
	return get(j, ino, false, out);
}

int fs_inode_unpark(struct fs_journal *j, uint64_t ino, struct fs_signer *signer,
		    struct fs_inode **out)
{
	(void)signer;
	return get(j, ino, true, out);
}

struct fs_inode *fs_inode_find(struct fs_journal *j, uint64_t ino)
{
	struct fs_inodes *t = table_of(j);
	struct fs_inode *i;

	if (!t)
		return NULL;
	pthread_mutex_lock(&t->lock);
	i = table_find(t, ino);
	if (i && (i->loading || i->load_rc))
		i = NULL;
	if (i)
		atomic_fetch_add(&i->refs, 1);
	pthread_mutex_unlock(&t->lock);
	return i;
}

struct fs_inode *fs_inode_ref(struct fs_inode *i)
{
	atomic_fetch_add(&i->refs, 1);
	return i;
}

int fs_inode_all_reverting(struct fs_journal *j, struct fs_inode ***out, size_t *n)
{
	struct fs_inodes *t = table_of(j);

	if (!t)
		return -ENOMEM;
	pthread_mutex_lock(&t->lock);
	t->reverts++;
	pthread_mutex_unlock(&t->lock);
	return fs_inode_all(j, out, n);
}

int fs_inode_all(struct fs_journal *j, struct fs_inode ***out, size_t *n)
{
	struct fs_inodes *t = table_of(j);
	struct fs_inode **all;
	size_t found = 0;

	if (!t)
		return -ENOMEM;
	pthread_mutex_lock(&t->lock);
	all = calloc(t->count + 1, sizeof(struct fs_inode *));
	for (size_t k = 0; all && k < t->size; k++) {
		for (struct fs_inode *i = t->bucket[k]; i; i = i->next) {
			if (i->loading)
				continue;
			atomic_fetch_add(&i->refs, 1);
			all[found++] = i;
		}
	}
	pthread_mutex_unlock(&t->lock);
	if (!all)
		return -ENOMEM;
	*out = all;
	*n = found;
	return 0;
}

/*
 * A journal's root says which policy was in force when it was signed, and who opens the journal next
 * asks whether the signer might write under it. Who removed the file may have lost that right since:
 * signed by him now, the root would lock everybody out of the journal. And a change that nobody
 * signs takes its whole group with it.
 */
static bool may_sign(const struct fs_inode *i)
{
	return i->signer &&
	       i->removed_under == fs_records_policy_now(fs_journal_records(i->journal));
}

/* Of the layer above; changed only while nobody else runs. */
static bool (*parked_fn)(void *ctx, uint64_t nodeid);
static void *parked_ctx;

void fs_inode_on_parked(bool (*parked)(void *ctx, uint64_t nodeid), void *ctx)
{
	parked_fn = parked;
	parked_ctx = ctx;
}

bool fs_inode_parked(const struct fs_inode *i)
{
	return parked_fn && parked_fn(parked_ctx, fs_inode_nodeid(i));
}

static int delete_orphan_once(struct fs_inode *i)
{
	struct fs_key key = fs_key_n(fs_journal_index(i->journal), 0, FS_T_ORPHAN, i->ino, 5);
	struct fs_batch b;
	int rc;

	fs_batch_init(&b, i->signer);
	fs_batch_del(&b, i->journal, &key);
	rc = fs_inode_purge(&b, i->journal, i->ino, &i->attr);
	if (!rc)
		return fs_inode_apply(i->journal, &b, NULL);
	fs_batch_clear(&b);
	return rc;
}

/*
 * Nobody can reach the inode any more: no name, no reference, not in the table. On a full disk what is
 * pending is committed first, or the space would come back only at the next start (fs_inode_reap).
 */
static void delete_orphan(struct fs_inode *i)
{
	if (delete_orphan_once(i) != -ENOSPC)
		return;
	(void)fs_group_sync(fs_records_group(fs_journal_records(i->journal)), 0);
	(void)delete_orphan_once(i);
}

static void put(struct fs_inode *i, bool park)
{
	struct fs_inodes *t;
	unsigned n;

	if (!i)
		return;
	n = atomic_load(&i->refs);
	while (n > 1) {
		if (atomic_compare_exchange_weak(&i->refs, &n, n - 1))
			return;
	}
	t = fs_journal_inodes(i->journal);
	pthread_mutex_lock(&t->lock);
	n = atomic_fetch_sub(&i->refs, 1);
	if (n == 1)
		table_del(t, i);
	pthread_mutex_unlock(&t->lock);
	if (n != 1)
		return;
	if (i->gone && !i->deleted && !park && may_sign(i) && !fs_inode_parked(i))
		delete_orphan(i);
	inode_free(i);
}

void fs_inode_put(struct fs_inode *i)
{
	put(i, false);
}

void fs_inode_park(struct fs_inode *i)
{
	put(i, true);
}

/* The next number; reserves more, durable no later than whatever uses them. */
static int number_new(struct fs_journal *j, struct fs_inodes *t, struct fs_signer *signer,
		      uint64_t *ino)
{
	struct fs_batch b;
	int rc = 0;

	pthread_mutex_lock(&t->numbers);
	if (!t->ceiling) {
		rc = fs_head_get_next(j, &t->ceiling);
		t->next = t->ceiling;
	}
	if (!rc && t->next == t->ceiling) {
		if (t->ceiling > FS_INO_HISTORY - NUMBERS_AHEAD) {
			rc = -ENOSPC;
		} else {
			fs_batch_init(&b, signer);
			fs_head_put_next(&b, j, t->ceiling + NUMBERS_AHEAD);
			rc = fs_inode_apply(j, &b, NULL);
		}
		if (!rc)
			t->ceiling += NUMBERS_AHEAD;
	}
	if (!rc)
		*ino = t->next++;
	pthread_mutex_unlock(&t->numbers);
	return rc;
}

int fs_inode_new(struct fs_journal *j, struct fs_signer *signer, uint32_t mode, uint32_t author,
		 struct fs_inode **out)
{
	struct fs_inodes *t = table_of(j);
	struct fs_inode *i;
	uint64_t ino;
	int rc;

	if (!t)
		return -ENOMEM;
	rc = number_new(j, t, signer, &ino);
	if (rc)
		return rc;
	i = inode_new(j, ino);
	if (!i)
		return -ENOMEM;
	i->mode = mode;
	i->nlink = S_ISDIR(mode) ? 2 : 1;
	i->author = author;
	i->writer = author;
	pthread_mutex_lock(&t->lock);
	table_add(t, i);
	pthread_mutex_unlock(&t->lock);
	*out = i;
	return 0;
}

uint64_t fs_inode_nodeid(const struct fs_inode *i)
{
	return fs_nodeid(fs_journal_index(i->journal), i->ino);
}

/* The distinct inodes of i in ascending order; how many. */
static size_t in_order(struct fs_inode *const *i, size_t n, struct fs_inode *out[static 5])
{
	size_t count = 0;

	for (size_t k = 0; k < n; k++) {
		size_t at = 0;

		while (at < count && i[k] && out[at]->ino < i[k]->ino)
			at++;
		if (!i[k] || (at < count && out[at] == i[k]))
			continue;
		for (size_t m = count; m > at; m--)
			out[m] = out[m - 1];
		out[at] = i[k];
		count++;
	}
	return count;
}

void fs_inode_lock_many(struct fs_inode *const *i, size_t n)
{
	struct fs_inode *order[5] = {NULL};
	size_t count = in_order(i, n, order);

	for (size_t k = 0; k < count; k++)
		pthread_rwlock_wrlock(&order[k]->lock);
}

void fs_inode_unlock_many(struct fs_inode *const *i, size_t n)
{
	struct fs_inode *order[5] = {NULL};
	size_t count = in_order(i, n, order);

	while (count--)
		pthread_rwlock_unlock(&order[count]->lock);
}

int fs_inode_rename_lock(struct fs_journal *j)
{
	struct fs_inodes *t = table_of(j);

	if (!t)
		return -ENOMEM;
	pthread_mutex_lock(&t->rename);
	return 0;
}

void fs_inode_rename_unlock(struct fs_journal *j)
{
	pthread_mutex_unlock(&fs_journal_inodes(j)->rename);
}

void fs_inode_throttle(const struct fs_journal *j)
{
	fs_group_throttle(fs_records_group(fs_journal_records(j)));
}

int fs_inode_apply(struct fs_journal *j, struct fs_batch *b, uint64_t *number)
{
	int rc = b->rc;

	/* Found out at the commit, it would take everybody else's changes with it. */
	if (!rc && b->n && !b->signer)
		rc = -EACCES;
	if (!rc)
		rc = fs_group_apply(fs_records_group(fs_journal_records(j)), b, number);
	fs_batch_clear(b);
	return rc;
}
