/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/control_conn.c - connections: accepting, frames in and out, limits.
 *
 * All in the loop's thread but sending, which any job may do. A peer can cost us
 * one descriptor, one frame's memory and one queue, for a bounded time: who does
 * not greet, does not finish a frame, does not take answers or asks nothing is
 * closed. Connections that are no session's agent are limited together and by
 * account, so that strangers can't keep practitioners out.
 *
 * Invariants: (1) a descriptor is let go of by the loop only, after it left
 * the epoll set, and never closed in it (wire_fd.h); (2) after `gone` nothing is queued; (3) while busy nothing is read.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "container.h"
#include "control_impl.h"
#include "wire_fd.h"

#define SECOND_NS INT64_C(1000000000)
#define DRAIN_BYTES (1u << 20) /* a long answer waits while more than this is queued */

struct fs_control_conn *fs_control_conn_get(struct fs_control_conn *conn)
{
	atomic_fetch_add(&conn->refs, 1);
	return conn;
}

void fs_control_conn_put(struct fs_control_conn *conn)
{
	if (!conn || atomic_fetch_sub(&conn->refs, 1) != 1)
		return;
	fs_wire_in_free(conn->in);
	fs_wire_out_free(conn->out);
	pthread_mutex_destroy(&conn->lock);
	pthread_cond_destroy(&conn->moved);
	free(conn);
}

/* ---- accepting ---- */

static int conn_new(int fd, uid_t uid, pid_t pid, struct fs_control_conn **out)
{
	struct fs_control_conn *conn = calloc(1, sizeof(*conn));
	pthread_condattr_t attr;
	int rc;

	if (!conn)
		return -ENOMEM;
	atomic_init(&conn->refs, 1);
	pthread_mutex_init(&conn->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&conn->moved, &attr);
	pthread_condattr_destroy(&attr);
	conn->fd = fd;
	conn->uid = uid;
	conn->pid = pid;
	conn->quiet_ns = fs_control_now_ns();
	rc = fs_wire_in_new(&conn->in);
	if (!rc)
		fs_wire_in_from(conn->in, uid);
	if (!rc)
		rc = fs_wire_out_new(&conn->out);
	if (rc) {
		fs_control_conn_put(conn);
		return rc;
	}
	*out = conn;
	return 0;
}

static bool is_agent(struct fs_control *c, struct fs_control_conn *conn)
{
	bool agent;

	pthread_mutex_lock(&c->lock);
	agent = conn->agent != NULL;
	pthread_mutex_unlock(&c->lock);
	return agent;
}

/* An account that is there for notices alone has its own connections: strangers can't keep it out. */
static bool is_notify(const struct fs_control *c, uid_t uid)
{
	return c->notifies && !c->alone && uid == c->notify_uid;
}

static bool room_for(struct fs_control *c, uid_t uid)
{
	unsigned strangers = 0, same = 0;

	for (size_t i = 0; i < c->conns; i++) {
		if (is_agent(c, c->conn[i]))
			continue;
		strangers += !is_notify(c, c->conn[i]->uid);
		same += c->conn[i]->uid == uid;
	}
	if (is_notify(c, uid))
		return same < FS_CONTROL_NOTIFY;
	return strangers < FS_CONTROL_STRANGERS && same < FS_CONTROL_PER_UID;
}

static int add(struct fs_control *c, struct fs_control_conn *conn)
{
	struct epoll_event ev = {.events = EPOLLIN | EPOLLRDHUP};

	if (c->conns == c->conn_cap) {
		size_t cap = c->conn_cap ? 2 * c->conn_cap : 32;
		struct fs_control_conn **list = reallocarray(c->conn, cap, sizeof(*list));

		if (!list)
			return -ENOMEM;
		c->conn = list;
		c->conn_cap = cap;
	}
	conn->id = c->next_id++;
	conn->events = ev.events;
	ev.data.u64 = conn->id;
	if (epoll_ctl(c->epoll, EPOLL_CTL_ADD, conn->fd, &ev))
		return -errno;
	c->conn[c->conns++] = conn;
	return 0;
}

/* False: nobody is accepted for a second. */
static bool accept_one(struct fs_control *c, int fd)
{
	struct fs_control_conn *conn = NULL;
	uid_t uid = (uid_t)-1;
	gid_t gid;
	pid_t pid;
	bool known;

	known = !fs_wire_peer(fd, &uid, &gid, &pid);
	if (known && fs_wire_fd_waiting(uid) > FS_WIRE_FD_MANY) {
		/*
		 * Its descriptors can't be closed and it sends more: nothing is read of it any more, and each connection,
		 * which takes one of ours for as long, comes a second after the one before. Others wait so long too.
		 */
		fs_wire_fd_drop(uid, fd);
		return false;
	}
	if (!known || (c->alone && uid != geteuid()) ||
	    !room_for(c, uid) || conn_new(fd, uid, pid, &conn)) {
		/* Who is nobody (no account known) can't be told from others. */
		fs_wire_fd_drop(uid, fd);
		return true;
	}
	if (add(c, conn)) {
		fs_control_conn_put(conn);
		fs_wire_fd_drop(uid, fd);
	}
	return true;
}

/* Whether the listening socket is in the epoll set's eye. */
static void listen_again(struct fs_control *c, bool on)
{
	struct epoll_event ev = {.events = on ? EPOLLIN : 0, .data.u64 = 0};

	if (c->listener >= 0)
		epoll_ctl(c->epoll, EPOLL_CTL_MOD, c->listener, &ev);
}

static void rest(struct fs_control *c)
{
	c->accept_again_ns = fs_control_now_ns() + SECOND_NS;
	listen_again(c, false);
}

void fs_control_conn_accept(struct fs_control *c)
{
	for (;;) {
		int fd = accept4(c->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK), error;

		if (fd >= 0) {
			/* A log-in needs some more. */
			fs_container_spare(fd);
			if (accept_one(c, fd))
				continue;
			rest(c);
			return;
		}
		error = errno;
		if (error == EMFILE)
			fs_container_spare(-1);
		if (error == EMFILE || error == ENFILE || error == ENOMEM || error == ENOBUFS) {
			rest(c);
		}
		if (error != EINTR && error != ECONNABORTED)
			return;
	}
}

/* ---- sending, from any thread ---- */

int fs_control_conn_send(struct fs_control *c, struct fs_control_conn *conn, json_t *json,
			 const void *blob, size_t len)
{
	int rc;

	pthread_mutex_lock(&conn->lock);
	rc = conn->gone ? -EPIPE : fs_wire_out_queue(conn->out, json, blob, len);
	if (rc == -ENOBUFS) {
		conn->too_slow = true;
		rc = -EPIPE;
	}
	pthread_mutex_unlock(&conn->lock);
	fs_control_wake(c);
	return rc;
}

int fs_control_conn_drain(struct fs_control *c, struct fs_control_conn *conn)
{
	int rc = 0;

	pthread_mutex_lock(&conn->lock);
	/* The loop closes a peer that takes nothing; one that takes little must not keep us running. */
	while (!conn->gone && !atomic_load(&c->stop) &&
	       fs_wire_out_queued(conn->out) > DRAIN_BYTES) {
		struct timespec until;

		clock_gettime(CLOCK_MONOTONIC, &until);
		until.tv_sec++;
		(void)pthread_cond_timedwait(&conn->moved, &conn->lock, &until);
	}
	if (conn->gone || atomic_load(&c->stop))
		rc = -EPIPE;
	pthread_mutex_unlock(&conn->lock);
	return rc;
}

/* ---- serving ---- */

/* Lets go of connection n; its session ends with it. */
static void drop(struct fs_control *c, size_t n)
{
	struct fs_control_conn *conn = c->conn[n];
	struct fs_control_agent *agent;

	epoll_ctl(c->epoll, EPOLL_CTL_DEL, conn->fd, NULL);
	shutdown(conn->fd, SHUT_RDWR);
	fs_wire_fd_drop(conn->uid, conn->fd);
	pthread_mutex_lock(&c->lock);
	pthread_mutex_lock(&conn->lock);
	conn->gone = true;
	pthread_cond_broadcast(&conn->moved);
	pthread_mutex_unlock(&conn->lock);
	agent = conn->agent;
	conn->agent = NULL;
	if (agent && agent->conn) {
		agent->conn = NULL;
		fs_control_conn_put(conn);
	}
	pthread_mutex_unlock(&c->lock);
	if (agent)
		fs_control_agent_end(c, agent, "the connection of its agent was lost");
	fs_control_agent_put(agent);
	c->conn[n] = c->conn[--c->conns];
	fs_control_conn_put(conn);
}

static void request_job(struct fs_control *c, void *arg)
{
	struct fs_control_request *rq = arg;
	struct fs_control_conn *conn = rq->conn;

	fs_control_serve(rq);
	free(rq);
	atomic_store(&conn->busy, false);
	fs_control_wake(c);
	fs_control_conn_put(conn);
}

/* The message is taken over. */
static int dispatch(struct fs_control *c, struct fs_control_conn *conn, struct fs_wire_message *m)
{
	struct fs_control_request *rq = calloc(1, sizeof(*rq));
	int rc = -ENOMEM;

	if (rq) {
		rq->c = c;
		rq->conn = fs_control_conn_get(conn);
		rq->m = *m;
		atomic_store(&conn->busy, true);
		rc = fs_control_job(c, request_job, rq);
	}
	if (!rc)
		return 0;
	/* Without a thread there is no answer but the end of the connection. */
	fs_wire_fd_drop(conn->uid, m->fd);
	m->fd = -1;
	fs_wire_message_clear(m);
	if (rq)
		fs_control_conn_put(conn);
	free(rq);
	atomic_store(&conn->busy, false);
	return rc;
}

/* 0, or negative when the peer is to be let go. */
static int take_frame(struct fs_control *c, struct fs_control_conn *conn, int64_t now)
{
	struct fs_wire_message m;
	int rc;

	if (atomic_load(&conn->busy) || atomic_load(&conn->finish) || atomic_load(&c->stop))
		return 0;
	rc = fs_wire_in_feed(conn->in, conn->fd, &m);
	if (rc < 0)
		return rc;
	conn->frame_ns = !rc && fs_wire_in_begun(conn->in) ? (conn->frame_ns ? conn->frame_ns : now)
							    : 0;
	if (!rc)
		return 0;
	conn->quiet_ns = now;
	return dispatch(c, conn, &m);
}

static int flush(struct fs_control_conn *conn, int64_t now, bool *more)
{
	size_t before;
	int rc;

	pthread_mutex_lock(&conn->lock);
	before = fs_wire_out_queued(conn->out);
	rc = conn->too_slow ? -ENOBUFS : fs_wire_out_flush(conn->out, conn->fd);
	if (fs_wire_out_queued(conn->out) != before) {
		conn->stuck_ns = 0;
		conn->quiet_ns = now;
		pthread_cond_broadcast(&conn->moved);
	}
	pthread_mutex_unlock(&conn->lock);
	*more = rc == 1;
	if (*more && !conn->stuck_ns)
		conn->stuck_ns = now;
	else if (!*more)
		conn->stuck_ns = 0;
	return rc < 0 ? rc : 0;
}

static bool older(int64_t since, int64_t now, int64_t limit_s)
{
	return since && now - since > limit_s * SECOND_NS;
}

static bool overdue(struct fs_control *c, struct fs_control_conn *conn, int64_t now)
{
	struct fs_session *s;
	int64_t limit = FS_CONTROL_QUIET_S;

	if (older(conn->frame_ns, now, FS_CONTROL_PATIENCE_S) ||
	    older(conn->stuck_ns, now, FS_CONTROL_PATIENCE_S))
		return true;
	if (atomic_load(&conn->busy) || is_agent(c, conn))
		return false;
	if (!atomic_load(&conn->greeted))
		return older(conn->quiet_ns, now, FS_CONTROL_PATIENCE_S);
	if (!older(conn->quiet_ns, now, limit))
		return false;
	/* A practitioner may edit a policy in peace. */
	s = c->vault ? fs_vault_session_of(c->vault, conn->uid) : NULL;
	if (s)
		limit = FS_CONTROL_GUEST_S;
	fs_session_put(s);
	return older(conn->quiet_ns, now, limit);
}

static void set_events(struct fs_control *c, struct fs_control_conn *conn, bool more)
{
	bool reads = !atomic_load(&conn->busy) && !atomic_load(&conn->finish) &&
		     !atomic_load(&c->stop);
	struct epoll_event ev = {.data.u64 = conn->id};

	ev.events = EPOLLRDHUP | (reads ? EPOLLIN : 0u) | (more ? EPOLLOUT : 0u);
	if (ev.events == conn->events)
		return;
	conn->events = ev.events;
	epoll_ctl(c->epoll, EPOLL_CTL_MOD, conn->fd, &ev);
}

void fs_control_conn_ready(struct fs_control *c, uint64_t id, uint32_t events)
{
	for (size_t i = 0; i < c->conns; i++) {
		if (c->conn[i]->id == id)
			c->conn[i]->ready = events;
	}
}

/* False: let it go. */
static bool serve_conn(struct fs_control *c, struct fs_control_conn *conn, int64_t now)
{
	uint32_t ready = conn->ready;
	bool more = false, busy;

	conn->ready = 0;
	if ((ready & EPOLLIN) && take_frame(c, conn, now))
		return false;
	/* Before the flush: an answer is queued before its request is over. */
	busy = atomic_load(&conn->busy);
	/* After the frame: who asks and hangs up has still asked. */
	if ((ready & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) || flush(conn, now, &more))
		return false;
	if (atomic_load(&conn->finish) && !more && !busy)
		return false;
	if (overdue(c, conn, now))
		return false;
	set_events(c, conn, more);
	return true;
}

void fs_control_conn_serve_all(struct fs_control *c)
{
	int64_t now = fs_control_now_ns();

	for (size_t i = c->conns; i-- > 0;) {
		if (!serve_conn(c, c->conn[i], now))
			drop(c, i);
	}
	if (c->accept_again_ns && now >= c->accept_again_ns) {
		c->accept_again_ns = 0;
		listen_again(c, true);
	}
}

void fs_control_conn_close_all(struct fs_control *c)
{
	while (c->conns)
		drop(c, c->conns - 1);
}
