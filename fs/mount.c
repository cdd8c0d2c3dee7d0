/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/mount.c - one practitioner's mount: attaching, locking, ending.
 *
 * Owns the FUSE session over the descriptor that the practitioner's fusermount3
 * mounted, the mount's nodes and handles (mount_nodes.c) and its notifier
 * (mount_notify.c). Phases: LIVE -> CUT (locked) -> LIVE ..., any -> DEAD.
 *
 * Invariants: (1) a request is counted in flight before the gate sees it and
 * until its reply is sent, and none is admitted in CUT or DEAD, so a wait for
 * "nothing in flight" ends; (2) CUT becomes LIVE again only by the first request
 * after the session is active; (3) the descriptor lives until the last reference,
 * which workers, notifier and the table of mounts hold.
 */
#include "mount_impl.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>


struct fs_mount *fs_mount_ref(struct fs_mount *m)
{
	atomic_fetch_add(&m->refs, 1);
	return m;
}

void fs_mount_put(struct fs_mount *m)
{
	if (!m || atomic_fetch_sub(&m->refs, 1) != 1)
		return;
	if (m->locks.calls && !m->locks.closed)
		fs_lock_leave(m);
	fs_nodes_clear(m);
	fs_sender_put(m->sender);
	if (m->fuse)
		fuse_session_destroy(m->fuse);
	else if (m->fd >= 0)
		close(m->fd);
	fs_policy_files_free(m->policy);
	fs_gate_free(m->gate);
	if (m->session)
		fs_session_put(m->session);
	pthread_mutex_destroy(&m->lock);
	pthread_cond_destroy(&m->idle);
	pthread_cond_destroy(&m->work);
	pthread_cond_destroy(&m->drained);
	free(m);
}

bool fs_mount_enter(struct fs_mount *m, int *rc)
{
	bool in, again;

	pthread_mutex_lock(&m->lock);
	again = m->phase == FS_MOUNT_CUT && fs_session_state(m->session) == FS_SESSION_ACTIVE;
	if (again)
		m->phase = FS_MOUNT_LIVE;
	in = m->phase == FS_MOUNT_LIVE;
	if (in)
		m->inflight++;
	else
		*rc = m->phase == FS_MOUNT_CUT ? -ENOKEY : -ENODEV;
	pthread_mutex_unlock(&m->lock);
	/* Policy may have changed meanwhile; its locks were left alone. */
	if (again && atomic_load(&m->locks.held))
		fs_notify_recheck(m);
	atomic_fetch_add(&m->requests, 1);
	return in;
}

void fs_mount_leave(struct fs_mount *m)
{
	pthread_mutex_lock(&m->lock);
	if (--m->inflight == 0)
		pthread_cond_broadcast(&m->idle);
	pthread_mutex_unlock(&m->lock);
}

/* ---- attaching ---- */

static int conds_init(struct fs_mount *m)
{
	pthread_cond_t *cond[] = {&m->idle, &m->work, &m->drained};
	pthread_condattr_t attr;

	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	for (size_t n = 0; n < sizeof(cond) / sizeof(cond[0]); n++)
		pthread_cond_init(cond[n], &attr);
	pthread_condattr_destroy(&attr);
	return pthread_mutex_init(&m->lock, NULL);
}

/* A mount without threads. Takes over fd. */
static int mount_new(struct fs_serve *sv, struct fs_session *s, int fd, struct fs_mount **out)
{
	struct fs_mount *m = calloc(1, sizeof(*m));
	int rc;

	if (!m) {
		close(fd);
		return -ENOMEM;
	}
	atomic_init(&m->refs, 1);
	conds_init(m);
	m->serve = sv;
	m->fd = fd;
	m->session = fs_session_get(s);
	fs_lock_join(m);
	rc = fs_nodes_init(m);
	if (!rc)
		rc = fs_gate_new(sv->vault, s, &m->gate);
	if (!rc)
		rc = fs_policy_files_new(sv->vault, s, &m->policy);
	if (!rc)
		rc = fs_node_looked_up(m, FS_NODE_ROOT, NULL, NULL);
	if (!rc)
		rc = fs_device_open(m);
	if (rc)
		fs_mount_put(m);
	else
		*out = m;
	return rc;
}

/* One mount a session: true for the one that claims it first. */
static bool claim(struct fs_session *s, struct fs_mount *m)
{
	bool mine;

	pthread_rwlock_wrlock(&s->lock);
	mine = !s->mount;
	if (mine)
		s->mount = m;
	pthread_rwlock_unlock(&s->lock);
	return mine;
}

static void unclaim(struct fs_session *s, struct fs_mount *m)
{
	pthread_rwlock_wrlock(&s->lock);
	if (s->mount == m)
		s->mount = NULL;
	pthread_rwlock_unlock(&s->lock);
}

int fs_mount_attach(struct fs_serve *sv, struct fs_session *s, int fd, struct fs_mount **out)
{
	struct fs_mount *m = NULL;
	int rc = fs_device_check(fd);

	if (!rc && fs_sender_too_many(s->uid))
		rc = -EAGAIN;
	if (rc) {
		close(fd);
		return rc;
	}
	fd = fs_device_own(fd);
	if (fd < 0)
		return fd;
	rc = mount_new(sv, s, fd, &m);
	if (rc)
		return rc;
	if (!claim(s, m)) {
		fs_mount_put(m);
		return -EBUSY;
	}
	rc = fs_notify_start(m);
	if (!rc)
		rc = fs_serve_add(sv, m);
	if (rc) {
		unclaim(s, m);
		fs_notify_stop(m);
		fs_mount_put(m);
		return rc;
	}
	*out = m;
	return 0;
}

/* ---- locking and ending ---- */

/* No request is admitted any more; waits for those in flight. */
static int cut(struct fs_mount *m, enum fs_mount_phase phase)
{
	struct timespec until;
	int rc = 0;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += FS_STALL_NS / 1000000000;
	pthread_mutex_lock(&m->lock);
	if (m->phase != FS_MOUNT_DEAD)
		m->phase = phase;
	while (m->inflight && !rc)
		rc = -pthread_cond_timedwait(&m->idle, &m->lock, &until);
	pthread_mutex_unlock(&m->lock);
	return rc;
}

static void die(struct fs_mount *m)
{
	pthread_mutex_lock(&m->lock);
	m->phase = FS_MOUNT_DEAD;
	pthread_mutex_unlock(&m->lock);
}

int fs_mount_lock(struct fs_mount *m)
{
	int rc = fs_notify_all(m);
	int waited = cut(m, FS_MOUNT_CUT);

	if (!rc)
		rc = waited;
	if (rc)
		die(m);
	fs_lock_offer(m);
	fs_nodes_drop(m, 0);
	fs_policy_files_clear(m->policy);
	fs_gate_reset(m->gate);
	return rc;
}

void fs_mount_end(struct fs_mount *m)
{
	struct fs_session *s = fs_session_get(m->session);
	struct fs_serve *sv = m->serve;

	/* Whatever of this fails, the mount is gone afterwards. */
	(void)fs_notify_all(m);
	(void)cut(m, FS_MOUNT_DEAD);
	fs_lock_leave(m);
	fs_nodes_drop(m, 0);
	fs_policy_files_clear(m->policy);
	fs_gate_reset(m->gate);
	fs_notify_stop(m);
	unclaim(s, m);
	fuse_session_exit(m->fuse);
	fs_serve_del(sv, m);
	fs_session_put(s);
}

void fs_mount_stat(struct fs_mount *m, struct fs_mount_stat *out)
{
	pthread_mutex_lock(&m->lock);
	out->nodes = (uint32_t)m->count;
	out->handles = m->handles;
	pthread_mutex_unlock(&m->lock);
	out->requests = atomic_load(&m->requests);
	out->refused = atomic_load(&m->refused);
}

static size_t count_opener(struct fs_opener *out, size_t n, pid_t tid)
{
	for (size_t i = 0; i < n; i++) {
		if (out[i].tid == tid) {
			out[i].files++;
			return n;
		}
	}
	if (n < FS_OPENERS)
		out[n++] = (struct fs_opener){tid, 1};
	return n;
}

size_t fs_session_openers(struct fs_session *s, struct fs_opener out[static FS_OPENERS],
			  uint32_t *files)
{
	struct fs_mount *m;
	size_t n = 0;

	*files = 0;
	pthread_rwlock_rdlock(&s->lock);
	m = s->mount ? fs_mount_ref(s->mount) : NULL;
	pthread_rwlock_unlock(&s->lock);
	if (!m)
		return 0;
	pthread_mutex_lock(&m->lock);
	*files = m->handles;
	for (uint32_t k = 0; k < m->slots; k++) {
		if (m->slot[k].handle)
			n = count_opener(out, n, m->slot[k].handle->opener);
	}
	pthread_mutex_unlock(&m->lock);
	fs_mount_put(m);
	return n;
}
