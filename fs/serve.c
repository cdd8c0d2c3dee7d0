/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/serve.c - the table of mounts and the pool of workers over all of them.
 *
 * Every mount's descriptor is armed one-shot in one epoll set. A worker that gets
 * it reads one request and arms it again before it acts, unless this mount has
 * its share of workers already; then whoever returns arms it. So no practitioner
 * can take all workers, and a descriptor is never read by two. epoll data is an
 * id (generation and slot), never a pointer: an event for a mount that has ended
 * finds nothing.
 *
 * About one worker a core; while one waits (log, commit, coherence) a spare may
 * run, at most WORKERS_MAX in all; spares leave when they find nothing to do.
 *
 * Locks: fs_serve.lock (mounts), pool_lock (leaf), fs_mount.lock (shares).
 */
#include "mount_impl.h"

#include <errno.h>
#include <linux/fuse.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>
#include "../keys/label.h"
#include "history.h"
#include "history_tree.h"

#define WORKERS_MAX 32u
#define SHARE_MAX 8u /* workers of one mount, waiting ones included */
/* An account may have eight mounts: once so many workers wait, a mount has so few, and some are left. */
#define SCARCE 12u
#define SHARE_SCARCE 3u
#define FINALIZING_MAX 8u  /* workers of one mount that make notes final, beside its share */
#define FINALIZING_ALL 16u /* and of all mounts */
#define WAKE_ID UINT64_MAX
#define ANY_JOURNAL UINT32_MAX
#define TURN 64u   /* requests of one mount before others are looked at */
#define BACKLOG 4u /* requests in a row that were waiting already: more than one program asks */
#define LONG_BYTES 65536u
#define SPIN_NS 15000 /* waited for the next request before sleeping */
#define SPIN_SKIP_MAX 255u
#define SPARE_MS 5000 /* a spare that long without work goes */

static _Thread_local struct fs_mount *current;
static _Thread_local bool reading; /* this thread is its mount's reader */

static int64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* ---- mounts ---- */

static int slot_find(struct fs_serve *sv, uint32_t *out)
{
	struct fs_mount_slot *wider;
	uint32_t slots = sv->slots ? sv->slots * 2 : 16;

	for (uint32_t n = 0; n < sv->slots; n++) {
		if (!sv->slot[n].mount) {
			*out = n;
			return 0;
		}
	}
	wider = realloc(sv->slot, slots * sizeof(*wider));
	if (!wider)
		return -ENOMEM;
	memset(wider + sv->slots, 0, (slots - sv->slots) * sizeof(*wider));
	*out = sv->slots;
	sv->slot = wider;
	sv->slots = slots;
	return 0;
}

int fs_serve_add(struct fs_serve *sv, struct fs_mount *m)
{
	struct epoll_event ev = {.events = EPOLLIN | EPOLLONESHOT};
	uint32_t at = 0;
	int rc;

	pthread_rwlock_wrlock(&sv->lock);
	rc = slot_find(sv, &at);
	if (!rc) {
		m->id = (uint64_t)++sv->slot[at].generation << 32 | at;
		m->armed = true;
		ev.data.u64 = m->id;
		sv->slot[at].mount = m;
		if (epoll_ctl(sv->epoll, EPOLL_CTL_ADD, m->fd, &ev) != 0) {
			rc = -errno;
			sv->slot[at].mount = NULL;
		}
	}
	pthread_rwlock_unlock(&sv->lock);
	return rc;
}

void fs_serve_del(struct fs_serve *sv, struct fs_mount *m)
{
	uint32_t at = (uint32_t)m->id;
	bool mine;

	pthread_rwlock_wrlock(&sv->lock);
	mine = at < sv->slots && sv->slot[at].mount == m;
	if (mine) {
		sv->slot[at].mount = NULL;
		epoll_ctl(sv->epoll, EPOLL_CTL_DEL, m->fd, NULL);
	}
	pthread_rwlock_unlock(&sv->lock);
	if (mine)
		fs_mount_put(m);
}

static struct fs_mount *mount_of(struct fs_serve *sv, uint64_t id)
{
	uint32_t at = (uint32_t)id;
	struct fs_mount *m = NULL;

	pthread_rwlock_rdlock(&sv->lock);
	if (at < sv->slots && sv->slot[at].mount && sv->slot[at].mount->id == id)
		m = fs_mount_ref(sv->slot[at].mount);
	pthread_rwlock_unlock(&sv->lock);
	return m;
}

static bool concerns(const struct fs_mount *m, const struct fs_mount *but, uint32_t journal)
{
	uint32_t bit = journal % 1024;

	if (!m || m == but)
		return false;
	return journal == ANY_JOURNAL ||
	       (atomic_load(&m->journals[bit / 64]) >> (bit % 64) & 1) != 0;
}

size_t fs_serve_others(struct fs_serve *sv, struct fs_mount *but, uint32_t journal,
		       struct fs_mount ***out)
{
	struct fs_mount **list = NULL;
	size_t n = 0;

	pthread_rwlock_rdlock(&sv->lock);
	for (uint32_t k = 0; k < sv->slots; k++) {
		if (!concerns(sv->slot[k].mount, but, journal))
			continue;
		if (!list)
			list = calloc(sv->slots, sizeof(struct fs_mount *));
		if (!list)
			break;
		list[n++] = fs_mount_ref(sv->slot[k].mount);
	}
	pthread_rwlock_unlock(&sv->lock);
	*out = list;
	return n;
}

/* For the inodes: is a handle open in a mount that holds no reference to its inode? */
static bool parked(void *ctx, uint64_t nodeid)
{
	struct fs_serve *sv = ctx;
	bool is = false;

	pthread_rwlock_rdlock(&sv->lock);
	for (uint32_t k = 0; k < sv->slots && !is; k++) {
		struct fs_mount *m = sv->slot[k].mount;
		struct fs_node *n;

		if (!concerns(m, NULL, fs_nodeid_journal(nodeid)))
			continue;
		pthread_mutex_lock(&m->lock);
		n = fs_node_find_locked(m, nodeid);
		is = n && n->handles && !n->inode && m->phase != FS_MOUNT_DEAD;
		pthread_mutex_unlock(&m->lock);
	}
	pthread_rwlock_unlock(&sv->lock);
	return is;
}

bool fs_serve_reap_first(struct fs_serve *sv, uint32_t journal)
{
	uint64_t bit = UINT64_C(1) << (journal % 64);
	_Atomic uint64_t *at = &sv->reaped[(journal & FS_JOURNAL_MAX) / 64];

	return !(atomic_load(at) & bit) && !(atomic_fetch_or(at, bit) & bit);
}

void fs_serve_recheck(struct fs_serve *sv)
{
	struct fs_mount **all = NULL;
	size_t n = fs_serve_others(sv, NULL, ANY_JOURNAL, &all);

	for (size_t k = 0; k < n; k++) {
		fs_notify_recheck(all[k]);
		fs_mount_put(all[k]);
	}
	free(all);
}

void fs_serve_forget(struct fs_serve *sv)
{
	struct fs_mount **all = NULL;
	size_t n = fs_serve_others(sv, NULL, ANY_JOURNAL, &all);

	for (size_t k = 0; k < n; k++) {
		fs_notify_forget(all[k]);
		fs_mount_put(all[k]);
	}
	free(all);
}

void fs_serve_watch(struct fs_serve *sv, void (*fn)(void *ctx, struct fs_session *s), void *ctx)
{
	struct fs_mount **all = NULL;
	size_t n = fs_serve_others(sv, NULL, ANY_JOURNAL, &all);

	for (size_t k = 0; k < n; k++) {
		if (fs_notify_stalled(all[k]) &&
		    fs_session_state(all[k]->session) != FS_SESSION_ENDED)
			fn(ctx, all[k]->session);
		fs_mount_put(all[k]);
	}
	free(all);
}

void fs_serve_on_gone(struct fs_serve *sv, void (*fn)(void *ctx, struct fs_session *s), void *ctx)
{
	pthread_mutex_lock(&sv->pool_lock);
	sv->gone = fn;
	sv->gone_ctx = ctx;
	pthread_mutex_unlock(&sv->pool_lock);
}

/* ---- workers ---- */

/* Lets the next request of m be read, unless its share of the workers is used up. m->lock held. */
static void arm_locked(struct fs_serve *sv, struct fs_mount *m)
{
	struct epoll_event ev = {.events = EPOLLIN | EPOLLONESHOT, .data.u64 = m->id};
	unsigned share = sv->base / 2 > 2 ? sv->base / 2 : 2;
	unsigned most = atomic_load(&sv->blocked) >= SCARCE ? SHARE_SCARCE : SHARE_MAX;

	if (!m->armed && !m->reader && !m->gone_told && m->busy - m->blocked < share &&
	    m->busy - m->finalizing < most)
		m->armed = epoll_ctl(sv->epoll, EPOLL_CTL_MOD, m->fd, &ev) == 0;
}

/* The calling worker reads no more from m: whoever comes next may. */
static void hand_over(struct fs_serve *sv, struct fs_mount *m)
{
	pthread_mutex_lock(&m->lock);
	if (reading)
		m->reader = false;
	reading = false;
	arm_locked(sv, m);
	pthread_mutex_unlock(&m->lock);
}

static void tell_gone(struct fs_serve *sv, struct fs_mount *m)
{
	void (*gone)(void *ctx, struct fs_session *s);
	void *ctx;
	bool told;

	pthread_mutex_lock(&m->lock);
	told = m->gone_told;
	m->gone_told = true;
	pthread_mutex_unlock(&m->lock);
	pthread_mutex_lock(&sv->pool_lock);
	gone = sv->gone;
	ctx = sv->gone_ctx;
	pthread_mutex_unlock(&sv->pool_lock);
	if (!told && gone && fs_session_state(m->session) != FS_SESSION_ENDED)
		gone(ctx, m->session);
}

/*
 * The next request of m. While they come fast it is waited for a moment before this thread sleeps;
 * each time that was in vain (the program is slow, or needs this very core) the next such wait
 * comes later. *queued: it was there already.
 */
static int receive(struct fs_mount *m, struct fuse_buf *buf, bool *queued)
{
	int64_t until;
	int got = fuse_session_receive_buf(m->fuse, buf);

	*queued = got > 0;
	if (got != -EAGAIN)
		return got;
	if (m->spin_skip) {
		m->spin_skip--;
		return got;
	}
	for (until = now_ns() + SPIN_NS; got == -EAGAIN && now_ns() < until;)
		got = fuse_session_receive_buf(m->fuse, buf);
	m->spin_vain = got > 0				      ? 0
		       : m->spin_vain * 2 + 1 < SPIN_SKIP_MAX ? m->spin_vain * 2 + 1
							      : SPIN_SKIP_MAX;
	m->spin_skip = m->spin_vain;
	return got;
}

/* Whether a request takes long enough to be worth another thread's waking for the next. */
static bool is_long(const struct fuse_buf *buf, size_t got)
{
	const struct fuse_in_header *h = buf->mem;
	const struct fuse_read_in *r = (const struct fuse_read_in *)(h + 1);

	return got >= LONG_BYTES ||
	       (h->opcode == FUSE_READ && got >= sizeof(*h) + sizeof(*r) && r->size >= LONG_BYTES);
}

/*
 * Serves m's requests until there is none or its turn is over. While requests come one by one this
 * thread alone reads them: waking another for each, on another core, costs more than all else
 * that most of them cost (13 us a round trip instead of 5, measured). It lets others read when
 * requests queue, before a long one, and when it blocks.
 */
static void serve_turn(struct fs_serve *sv, struct fs_mount *m, struct fuse_buf *buf)
{
	unsigned backlog = 0;
	int got = 0;

	pthread_mutex_lock(&m->lock);
	m->armed = false;
	m->reader = reading = true;
	m->busy++;
	pthread_mutex_unlock(&m->lock);
	for (unsigned n = 0; reading && n < TURN; n++) {
		bool queued = false;

		got = receive(m, buf, &queued);
		if (got <= 0)
			break;
		backlog = queued && n ? backlog + 1 : 0;
		if (backlog >= BACKLOG || is_long(buf, (size_t)got))
			hand_over(sv, m);
		current = m;
		fuse_session_process_buf(m->fuse, buf);
		current = NULL;
		/* A WRITE's bytes are a patient's. */
		keys_wipe(buf->mem, (size_t)got);
	}
	if (got <= 0 && got != -EAGAIN && got != -EINTR)
		tell_gone(sv, m);
	pthread_mutex_lock(&m->lock);
	m->busy--;
	pthread_mutex_unlock(&m->lock);
	hand_over(sv, m);
}

/* True while this thread is needed; idle: it had nothing to do for a while. */
static bool stay(struct fs_serve *sv, bool idle)
{
	bool needed;

	pthread_mutex_lock(&sv->pool_lock);
	needed = !sv->stop && (!idle || sv->threads <= sv->base);
	if (needed) {
		sv->idle++;
	} else if (--sv->threads == 0) {
		pthread_cond_broadcast(&sv->pool_done);
	}
	pthread_mutex_unlock(&sv->pool_lock);
	return needed;
}

static void *worker(void *arg)
{
	struct fs_serve *sv = arg;
	struct fuse_buf buf = {.mem = NULL};
	struct epoll_event ev;
	int n = 1;

	while (stay(sv, n == 0)) {
		struct fs_mount *m;

		n = epoll_wait(sv->epoll, &ev, 1, SPARE_MS);
		pthread_mutex_lock(&sv->pool_lock);
		sv->idle--;
		pthread_mutex_unlock(&sv->pool_lock);
		if (n != 1 || ev.data.u64 == WAKE_ID)
			continue;
		m = mount_of(sv, ev.data.u64);
		if (m)
			serve_turn(sv, m, &buf);
		fs_mount_put(m);
	}
	free(buf.mem);
	return NULL;
}

/* With pool_lock. */
static int spawn(struct fs_serve *sv)
{
	pthread_attr_t attr;
	sigset_t all, old;
	pthread_t t;
	int rc;

	sigfillset(&all);
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	rc = -pthread_create(&t, &attr, worker, sv);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&attr);
	if (!rc)
		sv->threads++;
	return rc;
}

void fs_serve_block_begin(void)
{
	struct fs_mount *m = current;
	struct fs_serve *sv;

	if (!m)
		return;
	sv = m->serve;
	pthread_mutex_lock(&m->lock);
	m->blocked++;
	pthread_mutex_unlock(&m->lock);
	pthread_mutex_lock(&sv->pool_lock);
	atomic_fetch_add(&sv->blocked, 1);
	/* Without a spare the wait is only longer for others. */
	if (!sv->idle && !sv->stop && sv->threads < WORKERS_MAX)
		(void)spawn(sv);
	pthread_mutex_unlock(&sv->pool_lock);
	hand_over(sv, m);
}

void fs_serve_block_end(void)
{
	struct fs_mount *m = current;

	if (!m)
		return;
	pthread_mutex_lock(&m->serve->pool_lock);
	atomic_fetch_sub(&m->serve->blocked, 1);
	pthread_mutex_unlock(&m->serve->pool_lock);
	pthread_mutex_lock(&m->lock);
	m->blocked--;
	pthread_mutex_unlock(&m->lock);
}

bool fs_serve_finalize_begin(void)
{
	struct fs_mount *m = current;
	bool room;

	if (!m)
		return true;
	pthread_mutex_lock(&m->lock);
	room = m->finalizing < FINALIZING_MAX &&
	       atomic_load(&m->serve->finalizing) < FINALIZING_ALL;
	if (room) {
		m->finalizing++;
		atomic_fetch_add(&m->serve->finalizing, 1);
	}
	pthread_mutex_unlock(&m->lock);
	if (room)
		fs_serve_block_begin();
	return room;
}

void fs_serve_finalize_end(void)
{
	struct fs_mount *m = current;

	if (!m)
		return;
	fs_serve_block_end();
	pthread_mutex_lock(&m->lock);
	m->finalizing--;
	atomic_fetch_sub(&m->serve->finalizing, 1);
	pthread_mutex_unlock(&m->lock);
}

/* ---- making and freeing ---- */

static void stop_workers(struct fs_serve *sv)
{
	uint64_t one = 1;

	pthread_mutex_lock(&sv->pool_lock);
	sv->stop = true;
	while (sv->threads) {
		if (write(sv->wake, &one, sizeof(one)) < 0 && errno != EAGAIN)
			break;
		pthread_cond_wait(&sv->pool_done, &sv->pool_lock);
	}
	pthread_mutex_unlock(&sv->pool_lock);
}

static int start_workers(struct fs_serve *sv)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	int rc = 0;

	/* Three at least: one mount's two long requests leave one for the others. */
	sv->base = cores < 3 ? 3 : cores > 16 ? 16 : (unsigned)cores;
	pthread_mutex_lock(&sv->pool_lock);
	while (!rc && sv->threads < sv->base)
		rc = spawn(sv);
	pthread_mutex_unlock(&sv->pool_lock);
	return rc;
}

int fs_serve_new(struct fs_vault *v, struct fs_serve **out)
{
	struct epoll_event ev = {.events = EPOLLIN, .data.u64 = WAKE_ID};
	struct fs_serve *sv = calloc(1, sizeof(*sv));
	int rc = 0;

	if (!sv)
		return -ENOMEM;
	sv->vault = v;
	pthread_rwlock_init(&sv->lock, NULL);
	pthread_mutex_init(&sv->pool_lock, NULL);
	pthread_cond_init(&sv->pool_done, NULL);
	/* One MiB of zeros that are never touched but where journals are. */
	sv->reaped = calloc(((size_t)FS_JOURNAL_MAX + 1) / 64, sizeof(*sv->reaped));
	sv->epoll = epoll_create1(EPOLL_CLOEXEC);
	sv->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (sv->epoll < 0 || sv->wake < 0 ||
	    epoll_ctl(sv->epoll, EPOLL_CTL_ADD, sv->wake, &ev) != 0)
		rc = -errno;
	fs_gate_blocking(fs_serve_block_begin, fs_serve_block_end);
	fs_history_blocking(fs_serve_block_begin, fs_serve_block_end);
	fs_inode_on_parked(parked, sv);
	fs_history_tree_on_name(fs_vault_pid_name, sv->vault);
	if (!sv->reaped)
		rc = -ENOMEM;
	if (!rc)
		rc = fs_locks_new(&sv->locks);
	if (!rc)
		rc = start_workers(sv);
	if (rc)
		fs_serve_free(sv);
	else
		*out = sv;
	return rc;
}

void fs_serve_free(struct fs_serve *sv)
{
	if (!sv)
		return;
	stop_workers(sv);
	fs_inode_on_parked(NULL, NULL);
	fs_history_tree_on_name(NULL, NULL);
	if (sv->epoll >= 0)
		close(sv->epoll);
	if (sv->wake >= 0)
		close(sv->wake);
	free(sv->slot);
	free((void *)sv->reaped);
	fs_locks_free(sv->locks);
	pthread_rwlock_destroy(&sv->lock);
	pthread_mutex_destroy(&sv->pool_lock);
	pthread_cond_destroy(&sv->pool_done);
	free(sv);
}
