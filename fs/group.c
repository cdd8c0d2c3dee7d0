/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/group.c - the open group, the closing group and the committer; see group.h.
 *
 *	apply -> open --close--> closing --encode, store apply--> durable, dropped
 *	                            |  ^
 *	                  -ENOSPC   v  |  a second later, on sync, or when asked to stop
 *	                         waiting for space          other errors: failed (for good)
 *
 * Owns both groups, their numbers and the committer thread. Groups are numbered
 * from 1; closing is always open's number - 1; durable is the last one committed.
 *
 * `lock` guards everything in struct fs_group but what never changes after
 * fs_group_new. The closing group's entries are read by the committer without it:
 * they do not change. Two conditions: `work` wakes the committer, `news` those who
 * wait for it.
 */
#include "group.h"

#include "groupmap.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

#define PAGES_MOST 4096u
#define BYTES_MOST ((size_t)32 << 20)
#define AGE_MOST_MS 1000
#define RETRY_MS 1000
#define PAGE 4096u
#define PAGES_PER_ENTRY 4u /* worst case: its leaf and the tag tree's, both split */
#define PAGES_PER_GROUP 64u
#define SPACE_MARGIN ((uint64_t)64 << 20)
#define SPACE_AGE_MS 100
#define RESERVE_STEP ((uint64_t)2 << 20)

struct fs_closing { /* a group, open or closing */
	struct fs_groupmap map;
	uint64_t number;
	int64_t since_ms;		     /* first change */
	const struct fs_group_entry **index; /* made when it closes */
};

struct fs_group {
	struct fs_store *store;
	struct fs_group_hooks hooks;
	pthread_t committer;

	pthread_mutex_t lock;
	pthread_cond_t work, news;
	struct fs_reserve *reserve;
	struct fs_closing *open; /* NULL after a failure */
	struct fs_closing *closing;
	uint64_t durable;
	uint64_t wanted; /* somebody waits for this group */
	bool hurry, stop;
	int failed;  /* sticky */
	int stalled; /* 0, or why the closing group waits: -ENOSPC, -ENOMEM */
	bool retry;  /* try again now */
	uint64_t attempts, stalled_attempt; /* begun; the last that stalled */
	uint64_t commits;
	uint64_t space; /* of the store when last asked */
	int64_t space_ms;
};

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Lock held. until_ms < 0: for ever. */
static void wait_until(pthread_cond_t *c, pthread_mutex_t *lock, int64_t until_ms)
{
	struct timespec t = {.tv_sec = until_ms / 1000, .tv_nsec = until_ms % 1000 * 1000000};

	if (until_ms < 0)
		pthread_cond_wait(c, lock);
	else
		pthread_cond_timedwait(c, lock, &t);
}

/* ---- one group ---- */

static struct fs_closing *closing_new(uint64_t number)
{
	struct fs_closing *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	fs_groupmap_init(&c->map);
	c->number = number;
	return c;
}

static void closing_free(struct fs_closing *c, const struct fs_group_hooks *hooks)
{
	if (!c)
		return;
	fs_groupmap_clear(&c->map, hooks);
	free(c->index);
	free(c);
}

static int closing_index(struct fs_closing *c)
{
	static const struct fs_key first;
	struct fs_groupmap_node *n;
	size_t i = 0;

	if (c->index)
		return 0;
	c->index = calloc(c->map.count + 1, sizeof(struct fs_group_entry *));
	if (!c->index)
		return -ENOMEM;
	for (n = fs_groupmap_from(&c->map, &first); n; n = fs_groupmap_after(n))
		c->index[i++] = &n->entry;
	return 0;
}

size_t fs_closing_count(const struct fs_closing *c)
{
	return c->map.count;
}

const struct fs_group_entry *fs_closing_at(const struct fs_closing *c, size_t n)
{
	return n < c->map.count ? c->index[n] : NULL;
}

struct fs_signer *fs_closing_signer(const struct fs_closing *c, const struct fs_journal *j)
{
	const struct fs_groupmap_journal *found = fs_groupmap_journal(&c->map, j);

	return found ? found->signer : NULL;
}

uint64_t fs_closing_number(const struct fs_closing *c)
{
	return c->number;
}

/* ---- the committer ---- */

static bool full(const struct fs_closing *c)
{
	return c->map.pages > PAGES_MOST || c->map.bytes > BYTES_MOST;
}

/* Lock held. True: close now; else *until_ms says when to look again. */
static bool must_close(const struct fs_group *g, int64_t *until_ms)
{
	*until_ms = -1;
	if (!g->open->map.count)
		return false;
	*until_ms = g->open->since_ms + AGE_MOST_MS;
	return g->stop || g->hurry || g->wanted >= g->open->number || full(g->open) ||
	       now_ms() >= *until_ms;
}

/* Lock held, released meanwhile. Waits for time, a sync, or the end. False: the end. */
static bool wait_for_space(struct fs_group *g, int rc)
{
	int64_t until = now_ms() + RETRY_MS;

	g->stalled = rc;
	g->stalled_attempt = g->attempts;
	g->retry = false;
	pthread_cond_broadcast(&g->news);
	if (g->stop)
		return false;
	while (!g->retry && !g->stop && now_ms() < until)
		wait_until(&g->work, &g->lock, until);
	return true;
}

/* One try, without the lock. last: there will be no other. */
static int attempt(struct fs_group *g, struct fs_closing *c, struct fs_reserve *reserve, bool last)
{
	struct fs_store_item *items = NULL;
	size_t n = 0;
	int rc = closing_index(c), told;
	bool released;

	if (rc)
		return rc;
	do {
		rc = g->hooks.encode(g->hooks.ctx, c, &items, &n);
		if (!rc)
			rc = fs_store_apply(g->store, items, n);
		released = rc == -ENOSPC && reserve && !fs_reserve_release(reserve, RESERVE_STEP);
		/* -ENOSPC promises another try. */
		told = last && !released && (rc == -ENOSPC || rc == -ENOMEM) ? -EIO : rc;
		g->hooks.done(g->hooks.ctx, c, told);
	} while (released);
	if (!rc && reserve)
		fs_reserve_restore(reserve);
	return rc;
}

/*
 * Lock held, released meanwhile. Drops both groups when rc says that this one is lost. Whoever waits
 * hears of it only when all is wiped and let go: after a sync no plaintext of the group is left.
 */
static void settle(struct fs_group *g, int rc)
{
	struct fs_closing *closing = g->closing, *open = NULL;
	uint64_t number = closing->number;

	g->closing = NULL;
	g->stalled = 0;
	if (rc) {
		g->failed = rc == -ENOSPC || rc == -ENOMEM ? rc : -EIO;
		open = g->open;
		g->open = NULL;
	}
	pthread_mutex_unlock(&g->lock);
	closing_free(closing, &g->hooks);
	closing_free(open, &g->hooks);
	pthread_mutex_lock(&g->lock);
	if (!rc) {
		g->durable = number;
		g->commits++;
		g->space_ms = 0;
	}
	pthread_cond_broadcast(&g->news);
}

/* Lock held, released meanwhile. */
static void commit(struct fs_group *g)
{
	int rc;

	for (;;) {
		struct fs_reserve *reserve = g->reserve;
		bool last = g->stop;

		g->attempts++;
		pthread_mutex_unlock(&g->lock);
		rc = attempt(g, g->closing, reserve, last);
		pthread_mutex_lock(&g->lock);
		if (rc != -ENOSPC && rc != -ENOMEM)
			break;
		/* A stop that came during the try gets one of its own. */
		if (!wait_for_space(g, rc) && last)
			break;
	}
	settle(g, rc);
}

/* Lock held, released meanwhile. */
static void close_open(struct fs_group *g)
{
	struct fs_closing *next;

	pthread_mutex_unlock(&g->lock);
	next = closing_new(g->open->number + 1); /* only this thread ever replaces open */
	pthread_mutex_lock(&g->lock);
	if (!next) {
		wait_until(&g->work, &g->lock, now_ms() + 100);
		return;
	}
	g->closing = g->open;
	g->open = next;
	g->hurry = false;
	pthread_cond_broadcast(&g->news);
	commit(g);
}

static void *committer(void *arg)
{
	struct fs_group *g = arg;

	pthread_mutex_lock(&g->lock);
	while (!g->failed) {
		int64_t until;

		if (must_close(g, &until))
			close_open(g);
		else if (g->stop)
			break;
		else
			wait_until(&g->work, &g->lock, until);
	}
	pthread_mutex_unlock(&g->lock);
	return NULL;
}

/* Signals are for other threads, but for those that this one causes itself. */
static int start_committer(struct fs_group *g)
{
	sigset_t all, before;
	int rc;

	sigfillset(&all);
	sigdelset(&all, SIGBUS);
	sigdelset(&all, SIGSEGV);
	sigdelset(&all, SIGILL);
	sigdelset(&all, SIGFPE);
	sigdelset(&all, SIGABRT);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	rc = pthread_create(&g->committer, NULL, committer, g);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (!rc)
		pthread_setname_np(g->committer, "committer");
	return -rc;
}

int fs_group_new(struct fs_store *store, const struct fs_group_hooks *hooks, struct fs_group **out)
{
	struct fs_group *g = calloc(1, sizeof(*g));
	pthread_condattr_t attr;
	int rc = -ENOMEM;

	if (!g)
		return -ENOMEM;
	g->store = store;
	g->hooks = *hooks;
	pthread_mutex_init(&g->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&g->work, &attr);
	pthread_cond_init(&g->news, &attr);
	pthread_condattr_destroy(&attr);
	g->open = closing_new(1);
	if (g->open)
		rc = start_committer(g);
	if (rc) {
		closing_free(g->open, hooks);
		free(g);
		return rc;
	}
	*out = g;
	return 0;
}

void fs_group_use_reserve(struct fs_group *g, struct fs_reserve *reserve)
{
	pthread_mutex_lock(&g->lock);
	g->reserve = reserve;
	pthread_mutex_unlock(&g->lock);
}

int fs_group_free(struct fs_group *g)
{
	int rc;

	if (!g)
		return 0;
	pthread_mutex_lock(&g->lock);
	g->stop = true;
	pthread_cond_signal(&g->work);
	pthread_mutex_unlock(&g->lock);
	pthread_join(g->committer, NULL);
	rc = g->failed;
	closing_free(g->open, &g->hooks);
	pthread_cond_destroy(&g->work);
	pthread_cond_destroy(&g->news);
	pthread_mutex_destroy(&g->lock);
	free(g);
	return rc;
}

/* ---- apply ---- */

static uint64_t worst_case(size_t entries, size_t pages)
{
	return ((uint64_t)entries * PAGES_PER_ENTRY + pages + PAGES_PER_GROUP) * PAGE;
}

/* Lock held. What both groups may still ask of the disk. */
static uint64_t pending(const struct fs_group *g)
{
	uint64_t n = worst_case(g->open->map.count, g->open->map.pages);

	return g->closing ? n + worst_case(g->closing->map.count, g->closing->map.pages) : n;
}

static bool deletes(const struct fs_batch *b)
{
	for (size_t i = 0; i < b->n; i++) {
		if (b->e[i].change == FS_DEL)
			return true;
	}
	return false;
}

/* Lock held. A disk that fills up is noticed here, not when it is too late to say so. */
static int admit(struct fs_group *g, const struct fs_groupmap *staged, bool frees)
{
	uint64_t need = pending(g) + worst_case(staged->count, 2 * staged->count);
	uint64_t space;
	int64_t now = now_ms();
	int rc;

	if (!g->space_ms || now - g->space_ms > SPACE_AGE_MS || g->space < need + SPACE_MARGIN) {
		rc = fs_store_space(g->store, &space);
		if (rc)
			return rc;
		g->space = space;
		g->space_ms = now;
	}
	space = g->space;
	if (frees && g->reserve)
		space += fs_reserve_size(g->reserve) / 2;
	else if (g->stalled)
		return -ENOSPC;
	return need > space ? -ENOSPC : 0;
}

/* Lock held. */
static int merge(struct fs_group *g, struct fs_groupmap *staged, bool frees,
		 struct fs_groupmap_node **replaced)
{
	bool first;
	int rc;

	if (g->failed)
		return -EROFS;
	rc = admit(g, staged, frees);
	if (rc)
		return rc;
	rc = fs_groupmap_plan(staged, &g->open->map, g->closing ? &g->closing->map : NULL);
	if (rc)
		return rc;
	first = !g->open->map.count;
	if (first)
		g->open->since_ms = now_ms();
	fs_groupmap_merge(staged, &g->open->map, replaced);
	if (first || full(g->open))
		pthread_cond_signal(&g->work);
	return 0;
}

int fs_group_apply(struct fs_group *g, struct fs_batch *b, uint64_t *number)
{
	struct fs_groupmap_node *replaced = NULL;
	struct fs_groupmap staged;
	int rc;

	if (b->rc)
		return b->rc;
	if (fs_store_read_only(g->store))
		return -EROFS;
	fs_groupmap_init(&staged);
	rc = fs_groupmap_stage(&staged, b, &g->hooks);
	if (!rc) {
		pthread_mutex_lock(&g->lock);
		rc = merge(g, &staged, deletes(b), &replaced);
		if (!rc && number)
			*number = b->n ? g->open->number : g->open->number - 1;
		pthread_mutex_unlock(&g->lock);
	}
	fs_groupmap_free_list(replaced);
	fs_groupmap_clear(&staged, &g->hooks);
	return rc;
}

void fs_group_throttle(struct fs_group *g)
{
	pthread_mutex_lock(&g->lock);
	while (!g->failed && !g->stalled && g->closing &&
	       (g->open->map.bytes + g->closing->map.bytes > 2 * BYTES_MOST ||
		g->open->map.pages > 2 * PAGES_MOST))
		wait_until(&g->news, &g->lock, -1);
	pthread_mutex_unlock(&g->lock);
}

/* ---- looking ---- */

/* Lock held. Open before closing: the newest wins. */
static const struct fs_groupmap_node *find(const struct fs_group *g, const struct fs_key *key)
{
	const struct fs_groupmap_node *n;

	if (!g->open || g->failed)
		return NULL;
	n = fs_groupmap_find(&g->open->map, key);
	return n || !g->closing ? n : fs_groupmap_find(&g->closing->map, key);
}

int fs_group_get(struct fs_group *g, const struct fs_key *key, struct fs_buf **out)
{
	const struct fs_groupmap_node *n;
	int rc = 0;

	pthread_mutex_lock(&g->lock);
	n = find(g, key);
	if (n && n->entry.buf) {
		*out = fs_buf_get(n->entry.buf);
		rc = 1;
	} else if (n) {
		rc = -ENOENT;
	}
	pthread_mutex_unlock(&g->lock);
	return rc;
}

bool fs_group_has(struct fs_group *g, const struct fs_key *key)
{
	const struct fs_groupmap_node *n;
	bool has;

	pthread_mutex_lock(&g->lock);
	n = g->open && !g->failed ? fs_groupmap_find(&g->open->map, key) : NULL;
	has = n && n->entry.buf;
	pthread_mutex_unlock(&g->lock);
	return has;
}

/* The node when it lies before `to`. */
static struct fs_groupmap_node *before(struct fs_groupmap_node *n, const struct fs_key *to)
{
	return n && fs_key_cmp(&n->entry.key, to) < 0 ? n : NULL;
}

/* Lock held. Merges both groups' ranges; with out NULL only counts. */
static size_t collect(const struct fs_group *g, const struct fs_key *from, const struct fs_key *to,
		      struct fs_group_entry *out)
{
	struct fs_groupmap_node *a, *b = NULL;
	size_t n = 0;

	a = before(fs_groupmap_from(&g->open->map, from), to);
	if (g->closing)
		b = before(fs_groupmap_from(&g->closing->map, from), to);
	while (a || b) {
		int c = !b ? -1 : !a ? 1 : fs_key_cmp(&a->entry.key, &b->entry.key);

		if (out) {
			out[n] = c <= 0 ? a->entry : b->entry;
			if (out[n].buf)
				fs_buf_get(out[n].buf);
		}
		n++;
		if (c <= 0)
			a = before(fs_groupmap_after(a), to);
		if (c >= 0)
			b = before(fs_groupmap_after(b), to);
	}
	return n;
}

int fs_group_range(struct fs_group *g, const struct fs_key *from, const struct fs_key *to,
		   struct fs_group_entry **out, size_t *n)
{
	struct fs_group_entry *e = NULL;
	size_t count = 0;
	int rc = 0;

	pthread_mutex_lock(&g->lock);
	if (g->open && !g->failed)
		count = collect(g, from, to, NULL);
	if (count) {
		e = calloc(count, sizeof(*e));
		if (e)
			collect(g, from, to, e);
		else
			rc = -ENOMEM;
	}
	pthread_mutex_unlock(&g->lock);
	if (rc)
		return rc;
	*out = e;
	*n = count;
	return 0;
}

void fs_group_range_free(struct fs_group_entry *e, size_t n)
{
	for (size_t i = 0; i < n; i++)
		fs_buf_put(e[i].buf);
	free(e);
}

/* ---- waiting ---- */

/* Lock held. The number of the last group that holds anything. */
static uint64_t newest(const struct fs_group *g)
{
	return g->open->map.count ? g->open->number : g->open->number - 1;
}

/* Lock held. -ENOSPC only after a try that began after we came, since space may have come too. */
static int wait_durable(struct fs_group *g, uint64_t number)
{
	uint64_t came = g->attempts;

	while (g->durable < number) {
		if (g->failed)
			return -EIO;
		if (g->stalled && g->stalled_attempt > came)
			return g->stalled;
		if (g->wanted < number)
			g->wanted = number;
		g->retry = true;
		pthread_cond_signal(&g->work);
		wait_until(&g->news, &g->lock, -1);
	}
	return 0;
}

int fs_group_sync(struct fs_group *g, uint64_t number)
{
	int rc;

	pthread_mutex_lock(&g->lock);
	if (number && number <= g->durable) {
		rc = 0;
	} else if (g->failed) {
		rc = -EIO;
	} else {
		if (!number || number > newest(g))
			number = newest(g);
		rc = wait_durable(g, number);
	}
	pthread_mutex_unlock(&g->lock);
	return rc;
}

void fs_group_hurry(struct fs_group *g)
{
	pthread_mutex_lock(&g->lock);
	if (g->open && g->open->map.count && !g->hurry) {
		g->hurry = true;
		pthread_cond_signal(&g->work);
	}
	pthread_mutex_unlock(&g->lock);
}

int fs_group_failed(struct fs_group *g)
{
	int rc;

	pthread_mutex_lock(&g->lock);
	rc = g->failed;
	pthread_mutex_unlock(&g->lock);
	return rc;
}

void fs_group_stat(struct fs_group *g, struct fs_group_stat *out)
{
	pthread_mutex_lock(&g->lock);
	*out = (struct fs_group_stat){.commits = g->commits, .waiting_for_space = g->stalled};
	if (g->open) {
		out->entries = g->open->map.count;
		out->bytes = g->open->map.bytes;
	}
	if (g->closing) {
		out->entries += g->closing->map.count;
		out->bytes += g->closing->map.bytes;
	}
	pthread_mutex_unlock(&g->lock);
}
