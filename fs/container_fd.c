/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/container_fd.c - which containers have a descriptor.
 *
 * A practitioner who walks a practice opens the container of every journal; the
 * process's descriptors are everybody's. So a few hundred stay open at most, and
 * fewer where the system gives fewer: the one that was not used for longest is
 * closed, never one with a read or write under way, nor one that was written and
 * not yet synced (a new descriptor might not hear of the error). When only such
 * are left (a commit writes into more journals than there are descriptors), one
 * is synced before its time.
 *
 * Locks: a container's own, then open_lock; then others' only by trying.
 */
#include "container_impl.h"

#include <errno.h>
#include <sys/resource.h>
#include <unistd.h>

static pthread_mutex_t open_lock = PTHREAD_MUTEX_INITIALIZER;
static struct fs_container *first; /* a ring's hand: who comes next */
static unsigned count, most;

/* With open_lock. */
static void ring_del(struct fs_container *c)
{
	if (c->ring_next == c) {
		first = NULL;
	} else {
		c->ring_prev->ring_next = c->ring_next;
		c->ring_next->ring_prev = c->ring_prev;
		if (first == c)
			first = c->ring_next;
	}
	c->ring_next = c->ring_prev = NULL;
	count--;
}

/* Before the hand: the last to be looked at. With open_lock. */
static void ring_add(struct fs_container *c)
{
	if (!first) {
		c->ring_next = c->ring_prev = first = c;
	} else {
		c->ring_next = first;
		c->ring_prev = first->ring_prev;
		c->ring_prev->ring_next = c;
		first->ring_prev = c;
	}
	count++;
}

static bool can_close(struct fs_container *c)
{
	if (c->recent) {
		c->recent = false; /* spared once */
		return false;
	}
	return !c->io && !atomic_load(&c->wrote);
}

/* Closes one, but not `but` (NULL: any); false: none can be spared. With open_lock. */
static bool close_one(const struct fs_container *but)
{
	for (unsigned n = 2 * count; n && first; n--) {
		struct fs_container *c = first;
		bool can;

		first = c->ring_next;
		if ((but && c == but) || pthread_mutex_trylock(&c->lock))
			continue;
		can = can_close(c);
		if (can) {
			close(c->fd);
			c->fd = -1;
			ring_del(c);
		}
		pthread_mutex_unlock(&c->lock);
		if (can)
			return true;
	}
	return false;
}

/* Syncs and closes one that was written; false: none can be spared. With open_lock. */
static bool sync_one(const struct fs_container *but)
{
	for (unsigned n = count; n && first; n--) {
		struct fs_container *c = first;
		bool can;

		first = c->ring_next;
		if (c == but || pthread_mutex_trylock(&c->lock))
			continue;
		can = !c->io && !c->lent && !atomic_load(&c->failed);
		if (can && atomic_exchange(&c->wrote, false) && fdatasync(c->fd)) {
			atomic_store(&c->failed, -EIO);
			can = false;
		}
		if (can) {
			close(c->fd);
			c->fd = -1;
			ring_del(c);
		}
		pthread_mutex_unlock(&c->lock);
		if (can)
			return true;
	}
	return false;
}

bool fs_container_fd_short(struct fs_container *c, int error)
{
	bool closed = false;

	if (error != EMFILE && error != ENFILE)
		return false;
	pthread_mutex_lock(&open_lock);
	/* Some more: whoever accepts a connection or a log-in needs one too. */
	for (unsigned n = 0; n < FS_CONTAINER_SPARE && close_one(c); n++)
		closed = true;
	if (!closed)
		closed = sync_one(c);
	pthread_mutex_unlock(&open_lock);
	return closed;
}

void fs_container_spare(int fd)
{
	struct rlimit r;

	if (fd >= 0 && (getrlimit(RLIMIT_NOFILE, &r) ||
			(rlim_t)fd + FS_CONTAINER_SPARE < r.rlim_cur))
		return;
	pthread_mutex_lock(&open_lock);
	for (unsigned n = 0; n < FS_CONTAINER_SPARE && close_one(NULL); n++)
		;
	pthread_mutex_unlock(&open_lock);
}

/* With open_lock. */
static unsigned most_open(void)
{
	struct rlimit r;

	if (!most) {
		most = FS_CONTAINER_OPEN;
		if (!getrlimit(RLIMIT_NOFILE, &r) && r.rlim_cur / 4 < most)
			most = r.rlim_cur / 4 ? (unsigned)r.rlim_cur / 4 : 1;
	}
	return most;
}

void fs_container_fd_opened(struct fs_container *c)
{
	pthread_mutex_lock(&open_lock);
	ring_add(c);
	c->recent = true;
	while (count > most_open() && close_one(c))
		;
	pthread_mutex_unlock(&open_lock);
}

void fs_container_fd_close(struct fs_container *c)
{
	pthread_mutex_lock(&open_lock);
	if (c->ring_next)
		ring_del(c);
	pthread_mutex_unlock(&open_lock);
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
}
