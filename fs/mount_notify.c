/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/mount_notify.c - the one thread of a mount that tells the kernel what changed.
 *
 * Only inval_inode and, where the kernel has it, INC_EPOCH are ever sent:
 * inval_entry can be blocked for ever by the owner of the mount. inval_inode
 * may wait for requests of the same mount (it locks pages and writes dirty ones
 * out), so it is never sent by a thread that serves requests, nor with a lock
 * held, but by a thread of its own (mount_send.c). A call that takes longer than
 * FS_STALL_NS, or a sweep longer than FS_SWEEP_NS, means that the practitioner
 * stalls the mount: whoever waits gives up. INC_EPOCH only counts up in the
 * kernel, without a lock: whoever changes names sends it before answering.
 *
 * The queue is made of the nodes themselves: at most one entry a node, changes
 * merge. Locks: fs_mount.lock; never held during a call.
 */
#include "mount_impl.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/uio.h>
#include <time.h>

#define NOTIFY_INC_EPOCH 8 /* Linux 6.16: every cached name is looked up again */
#define TICK_S 10
#define RETRY_NS INT64_C(1000000)
#define LOCKS_NS INT64_C(500000000) /* while somebody waits for a lock */

/* struct fuse_out_header of the kernel's protocol. */
struct notify_header {
	uint32_t len;
	int32_t code;
	uint64_t unique;
};

static int64_t boot_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_BOOTTIME, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static struct timespec in_ns(int64_t ns)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	ns += t.tv_nsec;
	t.tv_sec += ns / 1000000000;
	t.tv_nsec = ns % 1000000000;
	return t;
}

static void send_epoch(struct fs_mount *m)
{
	struct notify_header h = {.len = sizeof(h), .code = NOTIFY_INC_EPOCH};
	struct iovec iov = {.iov_base = &h, .iov_len = sizeof(h)};

	if (atomic_load(&m->epochs) && writev(m->fd, &iov, 1) < 0 && errno == EINVAL)
		atomic_store(&m->epochs, false);
}

void fs_notify_names(struct fs_mount *m, uint64_t gone)
{
	bool epochs = atomic_load(&m->epochs);
	int64_t now = boot_ns();
	struct fs_node *n;

	pthread_mutex_lock(&m->lock);
	n = fs_node_find_locked(m, gone);
	if (n && n->nlookup) {
		n->stale = !epochs;
		n->let_go = true;
		if (!m->let_go_ns) {
			m->let_go_ns = now;
			pthread_cond_signal(&m->work);
		}
	}
	if (epochs && (m->listing || now - m->listed_ns < FS_SETTLE_NS) && !m->epoch_again) {
		m->epoch_again = true;
		pthread_cond_signal(&m->work);
	}
	pthread_mutex_unlock(&m->lock);
	send_epoch(m);
}

void fs_notify_listing(struct fs_mount *m, bool begin)
{
	pthread_mutex_lock(&m->lock);
	if (begin)
		m->listing++;
	else
		m->listing--;
	m->listed_ns = boot_ns();
	pthread_mutex_unlock(&m->lock);
}

/* The numbers of all nodes that the kernel knows, of one journal, (0) all, or of .policy. */
static size_t known(struct fs_mount *m, uint32_t journal, bool policy, uint64_t **out)
{
	uint64_t *ids;
	size_t n = 0;

	pthread_mutex_lock(&m->lock);
	ids = calloc(m->count ? m->count : 1, sizeof(*ids));
	for (size_t k = 0; ids && k < m->size; k++) {
		for (struct fs_node *nd = m->bucket[k]; nd; nd = nd->next) {
			if ((nd->nlookup || nd->handles) &&
			    (!journal || fs_nodeid_journal(nd->nodeid) == journal) &&
			    (!policy || fs_nodeid_policy(nd->nodeid)))
				ids[n++] = nd->nodeid;
		}
	}
	pthread_mutex_unlock(&m->lock);
	*out = ids;
	return n;
}

static void sweep(struct fs_mount *m, uint32_t journal, bool policy)
{
	uint64_t *ids = NULL;
	size_t n = known(m, journal, policy, &ids);

	for (size_t at = 0; at < n;) {
		struct fs_call calls[FS_CALLS];
		unsigned count = 0;

		while (count < FS_CALLS && at < n)
			calls[count++] = (struct fs_call){.nodeid = ids[at++], .data = true};
		fs_sender_send(m->sender, calls, count);
	}
	free(ids);
}

/* Journals in which this session's rights are others than before: cut what is open and cached. */
static void cut_changed(struct fs_mount *m)
{
	uint32_t journals[64];
	size_t n;

	do {
		n = fs_gate_changed(m->gate, journals, 64);
		for (size_t k = 0; k < n; k++) {
			sweep(m, journals[k], false);
			fs_gate_drained(m->gate, journals[k]);
			fs_nodes_drop(m, journals[k]);
		}
	} while (n == 64);
	if (fs_gate_policy_lost(m->gate)) {
		sweep(m, 0, true);
		fs_policy_files_clear(m->policy);
	}
	/* Names also appear: policy may have admitted the session to journals. */
	send_epoch(m);
}

static struct fs_node *queue_pop(struct fs_mount *m)
{
	struct fs_node *n = m->qhead;

	m->qhead = n->qnext;
	if (!m->qhead)
		m->qtail = NULL;
	n->qnext = NULL;
	n->queued = false;
	n->sending = true;
	return n;
}

/* With the lock, let go meanwhile. */
static void queue_push(struct fs_mount *m, struct fs_node *n)
{
	n->queued = true;
	n->qnext = NULL;
	if (m->qtail)
		m->qtail->qnext = n;
	else
		m->qhead = n;
	m->qtail = n;
}

/*
 * The kernel did not know the inode, although it was answered with it: it may not have taken that answer
 * yet, which holds the attributes of before. Or it has forgotten the inode, and we hear of it soon. True:
 * it will be told again.
 */
static bool tell_again(struct fs_mount *m, struct fs_node *n, const struct fs_call *c)
{
	int64_t now = boot_ns();

	if (!c->unknown || !(n->nlookup || n->handles) || m->phase == FS_MOUNT_DEAD ||
	    now - n->asked_ns > FS_SETTLE_NS)
		return false;
	if (c->data && (!n->inval_data || c->off < n->inval_off))
		n->inval_off = c->off;
	n->inval_data |= c->data;
	if (n->queued)
		return true;
	if (!m->rhead)
		m->retry_ns = now + RETRY_NS;
	n->queued = true;
	n->qnext = m->rhead;
	m->rhead = n;
	return true;
}

/* Out of the queue, or of those that are sent again, wherever it stands there. */
static void queue_take(struct fs_mount *m, struct fs_node *n)
{
	struct fs_node **at = &m->qhead, *before = NULL;

	while (*at && *at != n) {
		before = *at;
		at = &(*at)->qnext;
	}
	if (*at && m->qtail == n)
		m->qtail = before;
	if (!*at)
		for (at = &m->rhead; *at && *at != n;)
			at = &(*at)->qnext;
	if (*at)
		*at = n->qnext;
	n->qnext = NULL;
	n->queued = false;
	n->sending = true;
}

/* With the lock, let go meanwhile. They are out of the queue. */
static void send_nodes(struct fs_mount *m, struct fs_node **sent, unsigned n)
{
	struct fs_call calls[FS_CALLS] = {{0}};
	uint64_t asked[FS_CALLS];

	for (unsigned k = 0; k < n; k++) {
		struct fs_node *nd = sent[k];

		calls[k] = (struct fs_call){
			.nodeid = nd->nodeid, .off = nd->inval_off, .data = nd->inval_data};
		nd->inval_data = false;
		nd->pins++;
		asked[k] = nd->asked;
	}
	pthread_mutex_unlock(&m->lock);
	fs_sender_send(m->sender, calls, n);
	pthread_mutex_lock(&m->lock);
	for (unsigned k = 0; k < n; k++) {
		sent[k]->sending = false;
		if (!tell_again(m, sent[k], &calls[k]))
			sent[k]->sent = asked[k];
	}
	pthread_cond_broadcast(&m->drained);
	pthread_mutex_unlock(&m->lock);
	while (n)
		fs_node_unpin(m, sent[--n]);
	pthread_mutex_lock(&m->lock);
}

static void queue_send(struct fs_mount *m)
{
	struct fs_node *sent[FS_CALLS] = {NULL};
	unsigned n = 0;

	while (m->qhead && n < FS_CALLS)
		sent[n++] = queue_pop(m);
	send_nodes(m, sent, n);
}

/* What waits for its time. With the lock; returns with it; *wait_ns at most until the next. */
static void work_later(struct fs_mount *m, int64_t *wait_ns)
{
	int64_t now = boot_ns(), left;

	if (m->rhead) {
		left = m->retry_ns - now;
		while (m->rhead && left <= 0) {
			struct fs_node *n = m->rhead;

			m->rhead = n->qnext;
			queue_push(m, n);
		}
		*wait_ns = left < 0 ? 0 : left;
	}
	if (m->epoch_again) {
		left = m->listing ? FS_SETTLE_NS : m->listed_ns + FS_SETTLE_NS - now;
		if (left <= 0) {
			m->epoch_again = false;
			send_epoch(m);
		} else if (left < *wait_ns) {
			*wait_ns = left;
		}
	}
	if (m->let_go_ns) {
		left = m->let_go_ns + FS_SETTLE_NS - now;
		if (left <= 0) {
			m->let_go_ns = 0;
			pthread_mutex_unlock(&m->lock);
			fs_nodes_let_go(m);
			pthread_mutex_lock(&m->lock);
			*wait_ns = 0;
		} else if (left < *wait_ns) {
			*wait_ns = left;
		}
	}
}

/* With the lock; returns with it. False: nothing was to do. */
static bool work_once(struct fs_mount *m)
{
	if (m->sweep) {
		m->sweep = false;
		pthread_mutex_unlock(&m->lock);
		sweep(m, 0, false);
		/* We forget the names of notes; the kernel must ask for them, or the log could not name them. */
		send_epoch(m);
		pthread_mutex_lock(&m->lock);
		m->sweep_done = true;
		pthread_cond_broadcast(&m->drained);
	} else if (m->answer) {
		m->answer = false;
		pthread_mutex_unlock(&m->lock);
		fs_lock_answer(m, true);
		pthread_mutex_lock(&m->lock);
	} else if (m->forget) {
		m->forget = false;
		pthread_mutex_unlock(&m->lock);
		fs_nodes_drop(m, 0);
		sweep(m, 0, false);
		send_epoch(m);
		pthread_mutex_lock(&m->lock);
	} else if (m->recheck) {
		m->recheck = false;
		m->rechecking = true;
		m->recheck_ns = boot_ns();
		pthread_mutex_unlock(&m->lock);
		cut_changed(m);
		/* After the pages that were written under them. */
		fs_lock_recheck(m);
		pthread_mutex_lock(&m->lock);
		m->rechecking = false;
	} else if (m->qhead) {
		queue_send(m);
	} else {
		return false;
	}
	return true;
}

static void *notifier(void *arg)
{
	struct fs_mount *m = arg;

	pthread_mutex_lock(&m->lock);
	while (!m->stop) {
		int64_t wait_ns = TICK_S * INT64_C(1000000000);
		bool worked = work_once(m);
		struct timespec until;

		if (atomic_load(&m->locks.waiting)) {
			wait_ns = LOCKS_NS;
			pthread_mutex_unlock(&m->lock);
			fs_lock_tick(m, boot_ns());
			pthread_mutex_lock(&m->lock);
		}
		work_later(m, &wait_ns);
		if (worked || !wait_ns)
			continue;
		until = in_ns(wait_ns);
		if (pthread_cond_timedwait(&m->work, &m->lock, &until) == ETIMEDOUT) {
			pthread_mutex_unlock(&m->lock);
			fs_gate_tick(m->gate);
			pthread_mutex_lock(&m->lock);
		}
	}
	m->notifier_runs = false;
	pthread_cond_broadcast(&m->drained);
	pthread_mutex_unlock(&m->lock);
	fs_mount_put(m);
	return NULL;
}

int fs_notify_start(struct fs_mount *m)
{
	int rc;

	rc = fs_sender_new(m->fd, m->session->uid, &m->sender);
	if (rc)
		return rc;
	fs_mount_ref(m);
	m->notifier_runs = true;
	rc = pthread_create(&m->notifier, NULL, notifier, m) ? -ENOMEM : 0;
	if (rc) {
		m->notifier_runs = false;
		fs_mount_put(m);
		fs_notify_stop(m);
		return rc;
	}
	pthread_detach(m->notifier);
	return 0;
}

/* The notifier, which may wait for its sender, ends as soon as that is told to stop. */
void fs_notify_stop(struct fs_mount *m)
{
	struct timespec until;

	pthread_mutex_lock(&m->lock);
	m->stop = true;
	pthread_cond_broadcast(&m->work);
	pthread_mutex_unlock(&m->lock);
	fs_sender_stop(m->sender);
	until = in_ns(FS_STALL_NS);
	pthread_mutex_lock(&m->lock);
	while (m->notifier_runs &&
	       pthread_cond_timedwait(&m->drained, &m->lock, &until) != ETIMEDOUT)
		;
	pthread_mutex_unlock(&m->lock);
}

void fs_notify_inode(struct fs_mount *m, uint64_t nodeid, bool data, uint64_t off)
{
	struct fs_node *n;

	pthread_mutex_lock(&m->lock);
	n = fs_node_find_locked(m, nodeid);
	/* Of a locked session too: an answer may have reached the kernel after its sweep. */
	if (n && (n->nlookup || n->handles) && m->phase != FS_MOUNT_DEAD) {
		if (data && (!n->inval_data || off < n->inval_off))
			n->inval_off = off;
		n->inval_data |= data;
		n->asked++;
		n->asked_ns = boot_ns();
		if (!n->queued) {
			queue_push(m, n);
			pthread_cond_signal(&m->work);
		}
	}
	pthread_mutex_unlock(&m->lock);
}

int fs_notify_all(struct fs_mount *m)
{
	int64_t begun = boot_ns(), since;
	int rc = 0;

	pthread_mutex_lock(&m->lock);
	m->sweep = true;
	m->sweep_done = false;
	pthread_cond_broadcast(&m->work);
	while (!m->sweep_done && !rc) {
		struct timespec until = in_ns(FS_STALL_NS / 10);

		since = fs_sender_since_ns(m->sender);
		if (!m->notifier_runs)
			rc = -ETIMEDOUT;
		else if (since && boot_ns() - since > FS_STALL_NS)
			rc = -ETIMEDOUT;
		else if (boot_ns() - begun > FS_SWEEP_NS)
			rc = -ETIMEDOUT;
		else
			pthread_cond_timedwait(&m->drained, &m->lock, &until);
	}
	pthread_mutex_unlock(&m->lock);
	return rc;
}

void fs_notify_recheck(struct fs_mount *m)
{
	pthread_mutex_lock(&m->lock);
	if (!m->recheck && !m->rechecking)
		m->recheck_ns = boot_ns();
	m->recheck = true;
	pthread_cond_signal(&m->work);
	pthread_mutex_unlock(&m->lock);
}

bool fs_notify_stalled(struct fs_mount *m)
{
	int64_t since = fs_sender_since_ns(m->sender), now = boot_ns();
	bool is;

	pthread_mutex_lock(&m->lock);
	is = (m->recheck || m->rechecking) &&
	     ((since && now - since > FS_STALL_NS) ||
	      now - m->recheck_ns > FS_SWEEP_NS);
	pthread_mutex_unlock(&m->lock);
	return is;
}

void fs_notify_forget(struct fs_mount *m)
{
	pthread_mutex_lock(&m->lock);
	m->forget = true;
	pthread_cond_signal(&m->work);
	pthread_mutex_unlock(&m->lock);
}

bool fs_notify_pending(struct fs_mount *m, uint64_t nodeid)
{
	const struct fs_node *n;
	bool pending;

	pthread_mutex_lock(&m->lock);
	n = fs_node_find_locked(m, nodeid);
	pending = n && n->sent < n->asked;
	pthread_mutex_unlock(&m->lock);
	return pending;
}

/*
 * Out of its turn, and not again when that comes: an invalidation during the GETATTR of whoever was given
 * the lock makes the kernel drop the answer, and read with the size of before.
 */
void fs_notify_now(struct fs_mount *m, uint64_t nodeid)
{
	struct fs_node *n;

	pthread_mutex_lock(&m->lock);
	n = fs_node_find_locked(m, nodeid);
	if (n && n->queued) {
		queue_take(m, n);
		send_nodes(m, &n, 1);
	}
	pthread_mutex_unlock(&m->lock);
}

void fs_notify_drain_until(struct fs_mount *m, uint64_t nodeid, const struct timespec *until)
{
	struct fs_node *n;
	uint64_t asked;

	pthread_mutex_lock(&m->lock);
	n = fs_node_find_locked(m, nodeid);
	asked = n ? n->asked : 0;
	/* Not until the queue is empty: somebody who writes all the time would keep us for ever. A
	 * node that was forgotten and made anew counts from 0. */
	while (n && n->sent < asked && n->asked >= asked) {
		if (pthread_cond_timedwait(&m->drained, &m->lock, until) == ETIMEDOUT)
			break;
		n = fs_node_find_locked(m, nodeid);
	}
	pthread_mutex_unlock(&m->lock);
}

void fs_notify_drain(struct fs_mount *m, uint64_t nodeid)
{
	struct timespec until = in_ns(FS_STALL_NS);

	if (!fs_notify_pending(m, nodeid))
		return;
	/* The pool's hint takes the mount's lock itself. */
	fs_serve_block_begin();
	fs_notify_drain_until(m, nodeid, &until);
	fs_serve_block_end();
}
