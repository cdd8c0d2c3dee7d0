/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/group_commit.c - the committer: closes the open group and makes it durable.
 *
 *	open --close--> closing --encode, store commit--> durable, wiped, dropped
 *	                   |  ^
 *	         -ENOSPC   v  |  a second later, on sync, or when asked to stop
 *	                waiting for space          other errors: failed (for good)
 *
 * One at a time applies to the store and replaces the open group: the committer's
 * thread, or whoever waits for a commit and finds it idle (fs_group_commit_here),
 * which saves two changes of threads. Hooks and waits run without the lock.
 */
#include "group_impl.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

#define AGE_MOST_MS 1000
#define RETRY_MS 1000
#define RESERVE_STEP ((uint64_t)2 << 20)

int64_t fs_group_now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void fs_group_wait(pthread_cond_t *c, pthread_mutex_t *lock, int64_t until_ms)
{
	struct timespec t = {.tv_sec = until_ms / 1000, .tv_nsec = until_ms % 1000 * 1000000};

	if (until_ms < 0)
		pthread_cond_wait(c, lock);
	else
		pthread_cond_timedwait(c, lock, &t);
}

/* ---- one group ---- */

struct fs_closing *fs_group_closing_new(uint64_t number)
{
	struct fs_closing *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	fs_groupmap_init(&c->map);
	c->number = number;
	return c;
}

void fs_group_closing_free(struct fs_closing *c, const struct fs_group_hooks *hooks)
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

/* At half of what one writer may hold in both groups: he fills this one while the other commits. */
bool fs_group_full(const struct fs_closing *c)
{
	return c->map.pages > FS_GROUP_PAGES_MOST / 4 * 3 ||
	       c->map.bytes > FS_GROUP_BYTES_MOST / 4 * 3;
}

/* Lock held. True: close now; else *until_ms says when to look again. */
static bool must_close(const struct fs_group *g, int64_t *until_ms)
{
	*until_ms = -1;
	/* One that lost all its entries (fs_group_drop) still has those who wait for it. */
	if (!g->open->map.count)
		return g->wanted >= g->open->number;
	*until_ms = g->open->since_ms + AGE_MOST_MS;
	if (g->hurry_ms && g->hurry_ms < *until_ms)
		*until_ms = g->hurry_ms;
	return g->stop || g->wanted >= g->open->number || fs_group_full(g->open) ||
	       fs_group_now_ms() >= *until_ms;
}

/* What may be otherwise at the next try: it is no fault of the disk, and nothing is lost by waiting. */
static bool may_pass(int rc)
{
	return rc == -ENOSPC || rc == -ENOMEM || rc == -EMFILE || rc == -ENFILE;
}

/* Lock held. The closing group waits for rc to pass. */
static void stall(struct fs_group *g, int rc)
{
	g->stalled = rc;
	g->stalled_attempt = g->attempts;
	g->retry = false;
	pthread_cond_broadcast(&g->news);
}

/* Lock held, released meanwhile. Waits for time, a sync, or the end. False: the end. */
static bool wait_for_space(struct fs_group *g)
{
	int64_t until = fs_group_now_ms() + RETRY_MS;

	if (g->stop)
		return false;
	while (!g->retry && !g->stop && fs_group_now_ms() < until)
		fs_group_wait(&g->work, &g->lock, until);
	return true;
}

/* One try, without the lock. last: there will be no other. */
static int attempt(struct fs_group *g, struct fs_closing *c, struct fs_reserve *reserve, bool last)
{
	int rc = closing_index(c), told;
	bool released;

	if (rc)
		return rc;
	do {
		struct fs_store_commit commit = {.n = 0};

		rc = g->hooks.encode(g->hooks.ctx, c, &commit);
		if (!rc)
			rc = fs_store_commit(g->store, &commit);
		released = rc == -ENOSPC && reserve && !fs_reserve_release(reserve, RESERVE_STEP);
		/* -ENOSPC promises another try. */
		told = last && !released && may_pass(rc) ? -EIO : rc;
		g->hooks.done(g->hooks.ctx, c, told);
	} while (released);
	if (!rc && reserve)
		fs_reserve_restore(reserve);
	return rc;
}

/*
 * Lock held, released meanwhile. Drops both groups when rc says that this one is lost. Whoever
 * waits hears of it only when all is wiped and let go: after a sync no plaintext of the group is
 * left, and after a failed one nobody finds in memory what the disk does not have.
 */
static void settle(struct fs_group *g, int rc)
{
	struct fs_closing *closing = g->closing, *open = NULL;
	uint64_t number = closing->number;

	g->closing = NULL;
	g->stalled = 0;
	if (rc) {
		g->failed = may_pass(rc) ? rc : -EIO;
		open = g->open;
		g->open = NULL;
	}
	pthread_mutex_unlock(&g->lock);
	fs_group_closing_free(closing, &g->hooks);
	fs_group_closing_free(open, &g->hooks);
	if (g->hooks.settled)
		g->hooks.settled(g->hooks.ctx, rc);
	pthread_mutex_lock(&g->lock);
	if (!rc) {
		g->durable = number;
		g->commits++;
		g->space_ms = 0;
	}
	pthread_cond_broadcast(&g->news);
}

/* Lock held, released meanwhile. One try; false: no room for it yet. */
static bool commit_once(struct fs_group *g)
{
	struct fs_reserve *reserve = g->reserve;
	bool last = g->stop;
	int rc;

	g->attempts++;
	pthread_mutex_unlock(&g->lock);
	rc = attempt(g, g->closing, reserve, last);
	pthread_mutex_lock(&g->lock);
	if (may_pass(rc)) {
		stall(g, rc);
		/* A stop that came during the try gets one of its own. */
		if (!last)
			return false;
	}
	settle(g, rc);
	return true;
}

/* Lock held, released meanwhile. False: no memory. */
static bool close_open(struct fs_group *g)
{
	struct fs_closing *next;

	pthread_mutex_unlock(&g->lock);
	next = fs_group_closing_new(g->open->number + 1); /* only who is busy replaces open */
	pthread_mutex_lock(&g->lock);
	if (!next)
		return false;
	g->closing = g->open;
	g->open = next;
	g->hurry_ms = 0;
	pthread_cond_broadcast(&g->news);
	return true;
}

bool fs_group_commit_here(struct fs_group *g)
{
	bool closed;
	int64_t until;

	if (g->busy || g->closing || g->stop || g->failed)
		return false;
	g->busy = true;
	closed = close_open(g);
	if (closed)
		(void)commit_once(g);
	g->busy = false;
	/* What is left to do is the committer's. */
	if (g->closing || g->stop || g->failed || must_close(g, &until))
		pthread_cond_signal(&g->work);
	return closed;
}

/* Lock held, released meanwhile: until there is nothing to commit at once. */
static void work(struct fs_group *g)
{
	g->busy = true;
	if (g->closing) {
		while (!commit_once(g))
			(void)wait_for_space(g);
	} else if (close_open(g)) {
		(void)commit_once(g);
	} else {
		fs_group_wait(&g->work, &g->lock, fs_group_now_ms() + 100);
	}
	g->busy = false;
}

static void *committer(void *arg)
{
	struct fs_group *g = arg;

	pthread_mutex_lock(&g->lock);
	while (!g->failed) {
		int64_t until = -1;

		if (!g->busy && (g->closing || must_close(g, &until))) {
			work(g);
		} else if (!g->busy && g->stop) {
			break;
		} else {
			g->awake_ms = until;
			fs_group_wait(&g->work, &g->lock, until);
			g->awake_ms = 0;
		}
	}
	pthread_mutex_unlock(&g->lock);
	return NULL;
}

/* Signals are for other threads, but for those that this one causes itself. */
int fs_group_start(struct fs_group *g)
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
