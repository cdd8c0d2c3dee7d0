/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/op_lock.c - file locks between mounts: GETLK, SETLK, SETLKW, FLOCK.
 *
 * The kernel keeps locks per mount; the table of all mounts is fs/locks.c. A request
 * that has to wait is parked there: it holds no worker and no lock and is not in
 * flight, so it delays neither locking nor log-out nor anybody else. The mount's own
 * notifier replies when it is done, after the gate has decided once more and, for a
 * grant, after the kernel was told of every change of the file that others made: who
 * gets the lock reads what was written under it. An interrupt never replies itself
 * (libfuse holds the request's lock there): it ends the wait, the notifier replies.
 *
 * POSIX locks end with FLUSH, which is never refused to end them; OFD locks and flock
 * with RELEASE: the kernel does not tell an OFD lock from a POSIX one, and no FLUSH
 * names its owner, so what was locked through a handle ends with the handle.
 *
 * Locks of a cut mount (locked session) yield: nobody waits for somebody who has left
 * the room. If another takes them, the handles that were open on the file answer EIO
 * until they are closed, since what their program knows of the file may be old. So do
 * those whose lock policy took away.
 *
 * Locks: none held across calls; fs_locks calls back under its own, for which
 * fs_mount.lock is a leaf.
 */
#include "op_table.h"

#include <errno.h>
#include <stdlib.h>

struct parked {
	struct fs_lock_wait wait;
	fuse_req_t req;
};

#define MOUNT_OF(share)                                                                            \
	((struct fs_mount *)(void *)((char *)(share)-offsetof(struct fs_mount, locks)))

/* ---- what the table asks of a mount ---- */

static void wake(struct fs_lock_share *s)
{
	struct fs_mount *m = MOUNT_OF(s);

	pthread_mutex_lock(&m->lock);
	m->answer = true;
	pthread_cond_signal(&m->work);
	pthread_mutex_unlock(&m->lock);
}

static bool yields(struct fs_lock_share *s, uint64_t nodeid, bool take)
{
	struct fs_mount *m = MOUNT_OF(s);
	bool yes;

	pthread_mutex_lock(&m->lock);
	/* Until the last request is out, something may still be written under the lock. */
	yes = m->phase == FS_MOUNT_DEAD || (m->phase == FS_MOUNT_CUT && !m->inflight);
	if (yes && take)
		fs_node_lose_locked(m, nodeid);
	pthread_mutex_unlock(&m->lock);
	return yes;
}

static void lost(struct fs_lock_share *s, uint64_t nodeid)
{
	struct fs_mount *m = MOUNT_OF(s);

	pthread_mutex_lock(&m->lock);
	fs_node_lose_locked(m, nodeid);
	pthread_mutex_unlock(&m->lock);
}

static const struct fs_lock_calls calls = {.wake = wake, .yields = yields, .lost = lost};

void fs_lock_join(struct fs_mount *m)
{
	fs_locks_join(m->serve->locks, &m->locks, &calls);
}

void fs_lock_leave(struct fs_mount *m)
{
	fs_locks_leave(m->serve->locks, &m->locks);
	fs_lock_answer(m, false);
}

void fs_lock_offer(struct fs_mount *m)
{
	fs_locks_offer(m->serve->locks, &m->locks, -ENOKEY);
	fs_lock_answer(m, false);
}

/* Under .policy a lock needs what everything there needs. */
static int policy_locks(struct fs_mount *m, struct policy_verdict *v)
{
	int rc = fs_vault_decide_vault(m->serve->vault, m->session, POLICY_POLICY, v, NULL, 0);

	v->visible = v->answer == POLICY_ALLOW;
	v->rights = v->visible ? POLICY_READ | POLICY_WRITE : 0;
	return rc;
}

void fs_lock_recheck(struct fs_mount *m)
{
	uint32_t journal[FS_LOCKS_HELD + FS_LOCKS_WAITING];
	unsigned n;

	if (!atomic_load(&m->locks.held) && !atomic_load(&m->locks.waiting))
		return;
	n = fs_locks_journals(m->serve->locks, &m->locks, journal,
			      FS_LOCKS_HELD + FS_LOCKS_WAITING);
	for (unsigned k = 0; k < n; k++) {
		struct policy_verdict v = {.answer = POLICY_DENY};
		int rc = journal[k] ? fs_vault_decide(m->serve->vault, m->session, journal[k], 0, &v,
						      NULL, 0)
				    : policy_locks(m, &v);

		/* What is locked to write is a note of his own. */
		v.rights |= v.rights & POLICY_DRAFT ? POLICY_WRITE : 0;
		/* Locked: its locks yield, and this comes again when it is not. */
		if (rc != -ENOKEY)
			fs_locks_revoke(m->serve->locks, &m->locks, journal[k],
					rc || !v.visible ? 0 : v.rights, -EACCES);
	}
}

void fs_lock_tick(struct fs_mount *m, int64_t now_ns)
{
	if (atomic_load(&m->locks.waiting))
		fs_locks_tick(m->serve->locks, &m->locks, now_ns);
}

/* ---- letting go ---- */

static int let_go(struct fs_mount *m, enum fs_lock_space space, uint64_t nodeid, uint64_t owner,
		  uint64_t start, uint64_t end)
{
	const struct fs_lock_request rq = {.share = &m->locks,
					   .nodeid = nodeid,
					   .owner = owner,
					   .space = space,
					   .start = start,
					   .end = end};

	return atomic_load(&m->locks.held) ? fs_locks_unlock(m->serve->locks, &rq) : 0;
}

void fs_lock_flushed(struct fs_mount *m, uint64_t nodeid, uint64_t owner)
{
	(void)let_go(m, FS_LOCK_RANGE, nodeid, owner, 0, FS_LOCKS_END);
}

void fs_lock_released(struct fs_mount *m, const struct fs_handle *h)
{
	if (atomic_load(&h->locked) && atomic_load(&m->locks.held))
		fs_locks_close_handle(m->serve->locks, &m->locks, h->node->nodeid, h->fh);
}

int fs_lock_check(struct fs_mount *m, uint64_t fh, uint64_t nodeid)
{
	struct fs_handle *h = fs_handle_get(m, fh, nodeid, false);
	int rc = h && atomic_load(&h->lost) ? -EIO : 0;

	fs_handle_put(h);
	return rc;
}

/* ---- replying ---- */

/* Session and policy once more, after the wait. */
static int may_still(struct fs_mount *m, const struct fs_lock_request *rq)
{
	const struct fs_gate_request ask = {
		.op = "setlk", .nodeid = rq->nodeid, .rights = rq->needs, .by_handle = true};
	struct fs_gate_pass pass;
	int rc = fs_gate_begin(m->gate, &ask, &pass);

	if (!rc)
		fs_gate_end(&pass);
	return rc;
}

static void answer(struct fs_mount *m, struct parked *p, bool notifier)
{
	int rc = p->wait.rc, out = -ENOKEY;
	bool in = !rc && notifier && fs_mount_enter(m, &out);

	if (in) {
		out = may_still(m, &p->wait.rq);
		if (!out)
			fs_notify_now(m, p->wait.rq.nodeid);
	}
	if (!rc && out) {
		fs_locks_undo(m->serve->locks, &p->wait);
		rc = out;
	}
	fuse_reply_err(p->req, fs_op_errno(rc));
	if (in)
		fs_mount_leave(m);
	free(p);
}

void fs_lock_answer(struct fs_mount *m, bool notifier)
{
	struct fs_lock_wait *w;

	while ((w = fs_locks_take(m->serve->locks, &m->locks)) != NULL)
		answer(m, (struct parked *)(void *)w, notifier);
}

/* ---- taking ---- */

static void on_interrupt(fuse_req_t req, void *ticket)
{
	struct fs_mount *m = fuse_req_userdata(req);

	fs_locks_cancel(m->serve->locks, (uint64_t)(uintptr_t)ticket, -EINTR);
}

/* The notifier looks at its clock more often while somebody waits. */
static void waits(struct fs_mount *m)
{
	pthread_mutex_lock(&m->lock);
	pthread_cond_signal(&m->work);
	pthread_mutex_unlock(&m->lock);
}

static void take(struct fs_op *op, const struct fs_lock_request *rq, bool wait)
{
	struct fs_locks *t = op->m->serve->locks;
	struct parked *p = calloc(1, sizeof(*p));
	int rc;

	if (!p) {
		fs_op_err(op, -ENOLCK);
		return;
	}
	p->req = op->req;
	p->wait.rq = *rq;
	fs_locks_prepare(t, &p->wait);
	/* By number: the interrupt may come when the request has long been answered. */
	if (wait)
		fuse_req_interrupt_func(op->req, on_interrupt, (void *)(uintptr_t)p->wait.ticket);
	rc = fs_locks_set(t, &p->wait, wait);
	if (rc == 1) {
		waits(op->m);
		return;
	}
	if (!rc) {
		/* Policy may have changed since the gate, and nobody saw this lock then. */
		rc = fs_gate_again(op->m->gate, &op->rq, &op->pass);
		if (rc)
			fs_locks_undo(t, &p->wait);
	}
	if (!rc && fs_notify_pending(op->m, rq->nodeid)) {
		fs_locks_defer(t, &p->wait);
		return;
	}
	free(p);
	fs_op_err(op, rc);
}

/* The handle that a lock goes by; -EIO when locks were lost under it. */
static int handle_of(struct fs_op *op, uint64_t fh, uint64_t nodeid, struct fs_handle **out)
{
	struct fs_handle *h = fs_handle_get(op->m, fh, nodeid, false);

	if (!h)
		return -EBADF;
	if (atomic_load(&h->lost)) {
		fs_handle_put(h);
		return -EIO;
	}
	*out = h;
	return 0;
}

static int range_of(const struct flock *lock, struct fs_lock_request *rq)
{
	if (lock->l_whence != SEEK_SET || lock->l_start < 0 || lock->l_len < 0)
		return -EINVAL;
	if (lock->l_len && lock->l_len - 1 > INT64_MAX - lock->l_start)
		return -EOVERFLOW;
	rq->start = (uint64_t)lock->l_start;
	rq->end = lock->l_len ? rq->start + (uint64_t)lock->l_len - 1 : FS_LOCKS_END;
	rq->exclusive = lock->l_type == F_WRLCK;
	rq->pid = lock->l_pid;
	return 0;
}

uint32_t fs_op_lock_rights(int type)
{
	if (type == F_UNLCK)
		return 0;
	return type == F_WRLCK ? POLICY_WRITE : POLICY_READ;
}

void fs_op_setlk(struct fs_op *op, fuse_ino_t ino, struct fuse_file_info *fi, struct flock *lock,
		 int sleep)
{
	struct fs_lock_request rq = {.share = &op->m->locks,
				     .nodeid = ino,
				     .owner = fi->lock_owner,
				     .handle = fi->fh,
				     .space = FS_LOCK_RANGE,
				     .needs = fs_op_lock_rights(lock->l_type)};
	struct fs_handle *h = NULL;
	int rc = range_of(lock, &rq);

	if (!rc && lock->l_type == F_UNLCK) {
		fs_op_err(op, let_go(op->m, rq.space, ino, rq.owner, rq.start, rq.end));
		return;
	}
	if (!rc)
		rc = handle_of(op, fi->fh, ino, &h);
	/* The kernel has looked at this too. */
	if (!rc && !(rq.exclusive ? h->writable : h->readable))
		rc = -EBADF;
	if (rc) {
		fs_op_err(op, rc);
	} else {
		atomic_store(&h->locked, true);
		take(op, &rq, sleep);
	}
	fs_handle_put(h);
}

void fs_op_flock(struct fs_op *op, fuse_ino_t ino, struct fuse_file_info *fi, int how)
{
	struct fs_lock_request rq = {.share = &op->m->locks,
				     .nodeid = ino,
				     .owner = fi->lock_owner,
				     .handle = fi->fh,
				     .space = FS_LOCK_WHOLE,
				     .end = FS_LOCKS_END,
				     .exclusive = (how & LOCK_EX) != 0};
	struct fs_handle *h = NULL;
	int rc;

	if (how & LOCK_UN) {
		fs_op_err(op, let_go(op->m, rq.space, ino, rq.owner, 0, FS_LOCKS_END));
		return;
	}
	rc = handle_of(op, fi->fh, ino, &h);
	if (!rc) {
		/* flock asks for no particular mode of opening, exclusive or not. */
		rq.needs = h->readable ? POLICY_READ : POLICY_WRITE;
		op->rq.rights |= rq.needs;
		rc = fs_gate_again(op->m->gate, &op->rq, &op->pass);
	}
	if (rc) {
		fs_op_err(op, rc);
	} else {
		atomic_store(&h->locked, true);
		take(op, &rq, !(how & LOCK_NB));
	}
	fs_handle_put(h);
}

void fs_op_getlk(struct fs_op *op, fuse_ino_t ino, struct fuse_file_info *fi, struct flock *lock)
{
	struct fs_lock_request rq = {.share = &op->m->locks,
				     .nodeid = ino,
				     .owner = fi->lock_owner,
				     .space = FS_LOCK_RANGE};
	struct fs_handle *h = NULL;
	struct fs_lock_found found;
	int rc = range_of(lock, &rq);

	if (!rc)
		rc = handle_of(op, fi->fh, ino, &h);
	if (rc) {
		fs_op_err(op, rc);
		return;
	}
	fs_handle_put(h);
	if (fs_locks_test(op->m->serve->locks, &rq, &found)) {
		lock->l_type = found.exclusive ? F_WRLCK : F_RDLCK;
		lock->l_start = (off_t)found.start;
		lock->l_len = found.end == FS_LOCKS_END ? 0 : (off_t)(found.end - found.start + 1);
		lock->l_pid = found.pid;
	} else {
		lock->l_type = F_UNLCK;
	}
	fuse_reply_lock(op->req, lock);
}
