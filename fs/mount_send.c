/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/mount_send.c - the thread of a mount that is in the kernel when it is notified, and nowhere else.
 *
 * Who stalls the own mount keeps this thread in the kernel where not even SIGKILL reaches it, for as
 * long as he likes. What a thread holds a killed process still has: so it has a table of descriptors
 * of its own with the mount's alone in it, and a killed daemon's vault, log and connections are free
 * at once. It must therefore run nothing that opens, closes or uses any other file, and refers to
 * nothing but its struct fs_sender, which has a reference for it: the mount can end without it.
 *
 * Locks: fs_sender.lock, a leaf; not held during a call.
 */
#include "mount_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define NOTIFY_INVAL_INODE 2
#define STACK_BYTES (256u << 10)
#ifndef CLOSE_RANGE_UNSHARE
#define CLOSE_RANGE_UNSHARE (1U << 1)
#endif

/* struct fuse_out_header and struct fuse_notify_inval_inode_out of the kernel's protocol. */
struct notification {
	uint32_t len;
	int32_t code;
	uint64_t unique;
	uint64_t nodeid;
	int64_t off, bytes; /* off < 0: attributes only; bytes 0: to the end */
};

struct fs_sender {
	atomic_uint refs;
	pthread_mutex_t lock;
	pthread_cond_t go, done;
	int fd;
	uid_t uid;
	bool ready, runs, stop;
	bool own_table; /* its descriptors are its own */
	struct fs_call call[FS_CALLS];
	unsigned calls;		 /* handed over and not yet all sent */
	atomic_llong sending_ns; /* boot time since when it is in a call; 0: it is not */
	struct fs_sender *next;	 /* of those that did not stop: lost_lock */
};

void fs_sender_put(struct fs_sender *s)
{
	if (!s || atomic_fetch_sub(&s->refs, 1) != 1)
		return;
	pthread_mutex_destroy(&s->lock);
	pthread_cond_destroy(&s->go);
	pthread_cond_destroy(&s->done);
	free(s);
}

static int64_t boot_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_BOOTTIME, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* ---- the thread ---- */

/* Kernels before 5.9 lack the call: the table stays shared there. */
static bool own_descriptors(int but)
{
	if (close_range((unsigned)but + 1, ~0u, CLOSE_RANGE_UNSHARE) != 0)
		return false;
	if (but > 0)
		(void)close_range(0, (unsigned)but - 1, 0);
	return true;
}

/* False: the kernel has no such inode. */
static bool send_one(struct fs_sender *s, const struct fs_call *c)
{
	struct notification n = {
		.len = sizeof(n),
		.code = NOTIFY_INVAL_INODE,
		.nodeid = c->nodeid,
		.off = c->data ? (int64_t)c->off : -1,
	};

	/* ENODEV, unmounted, is well. */
	return write(s->fd, &n, sizeof(n)) >= 0 || errno != ENOENT;
}

/* With the lock, let go during the calls. */
static void send_batch(struct fs_sender *s)
{
	for (unsigned k = 0; k < s->calls && !s->stop; k++) {
		const struct fs_call c = s->call[k];
		bool known;

		pthread_mutex_unlock(&s->lock);
		atomic_store(&s->sending_ns, boot_ns());
		known = send_one(s, &c);
		atomic_store(&s->sending_ns, 0);
		pthread_mutex_lock(&s->lock);
		s->call[k].unknown = !known;
	}
	s->calls = 0;
	pthread_cond_broadcast(&s->done);
}

static void *sender(void *arg)
{
	struct fs_sender *s = arg;
	bool own = own_descriptors(s->fd);

	pthread_mutex_lock(&s->lock);
	s->own_table = own;
	s->ready = true;
	pthread_cond_broadcast(&s->done);
	while (!s->stop) {
		if (s->calls)
			send_batch(s);
		else
			pthread_cond_wait(&s->go, &s->lock);
	}
	pthread_mutex_unlock(&s->lock);
	/* Its last: until then the kernel keeps the mount. */
	close(s->fd);
	pthread_mutex_lock(&s->lock);
	s->runs = false;
	pthread_cond_broadcast(&s->done);
	pthread_mutex_unlock(&s->lock);
	fs_sender_put(s);
	return NULL;
}

/* ---- for the notifier ---- */

static int start(struct fs_sender *s)
{
	pthread_attr_t attr;
	pthread_t t;
	int rc;

	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	atomic_fetch_add(&s->refs, 1);
	s->runs = true;
	pthread_attr_setstacksize(&attr, STACK_BYTES);
	rc = pthread_create(&t, &attr, sender, s) ? -ENOMEM : 0;
	pthread_attr_destroy(&attr);
	if (rc) {
		s->runs = false;
		atomic_fetch_sub(&s->refs, 1);
		close(s->fd);
		return rc;
	}
	pthread_mutex_lock(&s->lock);
	while (!s->ready)
		pthread_cond_wait(&s->done, &s->lock);
	if (s->own_table)
		close(s->fd); /* our copy: its own stays */
	pthread_mutex_unlock(&s->lock);
	return 0;
}

int fs_sender_new(int fd, uid_t uid, struct fs_sender **out)
{
	struct fs_sender *s = calloc(1, sizeof(*s));
	pthread_condattr_t attr;
	int rc = 0;

	if (!s)
		return -ENOMEM;
	atomic_init(&s->refs, 1);
	pthread_mutex_init(&s->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&s->go, &attr);
	pthread_cond_init(&s->done, &attr);
	pthread_condattr_destroy(&attr);
	s->uid = uid;
	s->fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	rc = s->fd < 0 ? -errno : start(s);
	if (rc)
		fs_sender_put(s);
	else
		*out = s;
	return rc;
}

void fs_sender_send(struct fs_sender *s, struct fs_call *calls, unsigned n)
{
	pthread_mutex_lock(&s->lock);
	if (!s->stop && n) {
		memcpy(s->call, calls, n * sizeof(*calls));
		s->calls = n;
		pthread_cond_signal(&s->go);
		while (s->calls && !s->stop)
			pthread_cond_wait(&s->done, &s->lock);
		memcpy(calls, s->call, n * sizeof(*calls));
	}
	pthread_mutex_unlock(&s->lock);
}

int64_t fs_sender_since_ns(struct fs_sender *s)
{
	return atomic_load(&s->sending_ns);
}

/* ---- the end ---- */

/*
 * Senders of mounts that have ended, kept in the kernel by their owner: he took requests off the
 * device and never answers them, and nothing of ours can abort the mount. Each costs a thread, so
 * nobody gets many.
 */
#define LOST_MAX 2u
static pthread_mutex_t lost_lock = PTHREAD_MUTEX_INITIALIZER;
static struct fs_sender *lost;

void fs_sender_stop(struct fs_sender *s)
{
	struct timespec until;
	bool runs;
	int rc = 0;

	if (!s)
		return;
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += FS_STALL_NS / 1000000000;
	pthread_mutex_lock(&s->lock);
	if (s->stop) {
		pthread_mutex_unlock(&s->lock);
		return;
	}
	s->stop = true;
	pthread_cond_broadcast(&s->go);
	pthread_cond_broadcast(&s->done);
	while (s->runs && !rc)
		rc = pthread_cond_timedwait(&s->done, &s->lock, &until);
	runs = s->runs;
	pthread_mutex_unlock(&s->lock);
	if (!runs)
		return;
	atomic_fetch_add(&s->refs, 1);
	pthread_mutex_lock(&lost_lock);
	s->next = lost;
	lost = s;
	pthread_mutex_unlock(&lost_lock);
}

bool fs_sender_too_many(uid_t uid)
{
	unsigned n = 0;

	pthread_mutex_lock(&lost_lock);
	for (struct fs_sender **at = &lost; *at;) {
		struct fs_sender *s = *at;
		bool runs;

		pthread_mutex_lock(&s->lock);
		runs = s->runs;
		pthread_mutex_unlock(&s->lock);
		if (runs) {
			n += s->uid == uid;
			at = &s->next;
		} else {
			*at = s->next;
			fs_sender_put(s);
		}
	}
	pthread_mutex_unlock(&lost_lock);
	return n >= LOST_MAX;
}
