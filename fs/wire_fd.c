/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/wire_fd.c - what came from an account is closed where only that account waits for it.
 *
 * close() of a file of somebody's own FUSE file system waits until its server answers FLUSH, and no
 * signal ends that; of a TCP socket that lingers, until its other end moves. A socket of this host
 * may have such a one among what nobody received from it: a connection to us, too. So an account
 * has one closer, a thread that is there while it has something to close.
 *
 * Owns the descriptors until they are closed. Invariant: each is closed once, in the order in which
 * an account's were dropped; one account's wait for no other's.
 * Locks: `lock`, a leaf; not held across close.
 */
#include "wire_fd.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct closer {
	struct closer *next;
	uid_t uid;
	int *fd; /* waiting, oldest first */
	size_t n, cap;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct closer *closers;

/* With the lock: the next one; -1 and the closer is gone. */
static int take(struct closer *c)
{
	int fd;

	if (c->n) {
		fd = c->fd[0];
		memmove(c->fd, c->fd + 1, --c->n * sizeof(*c->fd));
		return fd;
	}
	for (struct closer **at = &closers; *at; at = &(*at)->next) {
		if (*at == c) {
			*at = c->next;
			break;
		}
	}
	free(c->fd);
	free(c);
	return -1;
}

static void *run(void *arg)
{
	int fd;

	for (;;) {
		pthread_mutex_lock(&lock);
		fd = take(arg);
		pthread_mutex_unlock(&lock);
		if (fd < 0)
			return NULL;
		close(fd);
	}
}

static bool start(struct closer *c)
{
	pthread_attr_t attr;
	sigset_t all, old;
	pthread_t t;
	int rc = pthread_attr_init(&attr);

	if (rc)
		return false;
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	rc = pthread_create(&t, &attr, run, c);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&attr);
	return !rc;
}

/* With the lock. */
static bool put(struct closer *c, int fd)
{
	if (c->n == c->cap) {
		size_t cap = c->cap ? 2 * c->cap : 8;
		int *more = reallocarray(c->fd, cap, sizeof(*more));

		if (!more)
			return false;
		c->fd = more;
		c->cap = cap;
	}
	c->fd[c->n++] = fd;
	return true;
}

static void drop_new(uid_t uid, int fd)
{
	struct closer *c = calloc(1, sizeof(*c));

	if (!c)
		return; /* rather one descriptor less than a daemon that waits */
	c->uid = uid;
	if (put(c, fd) && start(c)) {
		c->next = closers;
		closers = c;
		return;
	}
	free(c->fd);
	free(c);
}

size_t fs_wire_fd_waiting(uid_t uid)
{
	size_t n = 0;

	pthread_mutex_lock(&lock);
	for (const struct closer *c = closers; c; c = c->next) {
		if (c->uid == uid)
			n += c->n;
	}
	pthread_mutex_unlock(&lock);
	return n;
}

void fs_wire_fd_drop(uid_t uid, int fd)
{
	struct closer *c;

	if (fd < 0)
		return;
	pthread_mutex_lock(&lock);
	for (c = closers; c && c->uid != uid; c = c->next)
		;
	if (c)
		(void)put(c, fd);
	else
		drop_new(uid, fd);
	pthread_mutex_unlock(&lock);
}
