/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/control_sink.c - long answers over a descriptor that came with the request.
 *
 * Owns the frames' way into one end of the client's socket pair. What comes as a descriptor is
 * hostile until proven: it is looked at by calls that act on sockets alone, for a file could make
 * whoever touches it wait. Only a pair that the client itself made is taken: on a connection to
 * somebody else's service the daemon would speak with its own name.
 *
 * Invariants: (1) no call on the descriptor waits but poll, which waits PATIENCE seconds at most
 * for a reader who takes nothing; (2) who is gone, locked or stopped is sent nothing more; (3) an
 * account has FS_CONTROL_STREAMS of them at most. Locks: c->lock for the count; else none: one
 * request's own.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "control_impl.h"
#include "control_sink.h"
#include "../keys/bytes.h"

#define BUFFER ((size_t)64 << 10)
#define SLICE_MS 250

static bool unnamed(int fd, bool peer)
{
	struct sockaddr_un at;
	socklen_t len = sizeof(at);
	int rc = peer ? getpeername(fd, (struct sockaddr *)&at, &len)
		      : getsockname(fd, (struct sockaddr *)&at, &len);

	return !rc && at.sun_family == AF_UNIX && len == sizeof(at.sun_family);
}

static bool is_option(int fd, int option, int wanted)
{
	int value = -1;
	socklen_t len = sizeof(value);

	return !getsockopt(fd, SOL_SOCKET, option, &value, &len) && value == wanted;
}

static bool is_pair_of(int fd, uid_t uid)
{
	uid_t peer;

	return is_option(fd, SO_DOMAIN, AF_UNIX) && is_option(fd, SO_TYPE, SOCK_STREAM) &&
	       is_option(fd, SO_ACCEPTCONN, 0) && unnamed(fd, false) && unnamed(fd, true) &&
	       !fs_wire_peer(fd, &peer, NULL, NULL) && peer == uid;
}

/* With c->lock: the account's entry, a free one, or NULL. */
static struct fs_control_streams *streams_of(struct fs_control *c, uid_t uid)
{
	struct fs_control_streams *room = NULL;

	for (unsigned i = 0; i < FS_CONTROL_STREAMING; i++) {
		if (c->streams[i].n && c->streams[i].uid == uid)
			return &c->streams[i];
		if (!c->streams[i].n && !room)
			room = &c->streams[i];
	}
	if (room)
		room->uid = uid;
	return room;
}

static bool count_in(struct fs_control *c, uid_t uid)
{
	struct fs_control_streams *s;
	bool may;

	pthread_mutex_lock(&c->lock);
	s = streams_of(c, uid);
	may = s && s->n < FS_CONTROL_STREAMS;
	if (may)
		s->n++;
	pthread_mutex_unlock(&c->lock);
	return may;
}

static void count_out(struct fs_control *c, uid_t uid)
{
	pthread_mutex_lock(&c->lock);
	streams_of(c, uid)->n--;
	pthread_mutex_unlock(&c->lock);
}

int fs_control_sink_open(struct fs_control_sink *to, struct fs_control_request *rq)
{
	*to = (struct fs_control_sink){.rq = rq};
	if (!is_pair_of(rq->m.fd, rq->conn->uid)) {
		fs_say(&rq->say,
		       "the descriptor is not one end of a pair of stream sockets of yours");
		return -EINVAL;
	}
	if (!count_in(rq->c, rq->conn->uid)) {
		fs_say(&rq->say,
		       "%d long answers to your account are under way: wait for one to end",
		       FS_CONTROL_STREAMS);
		return -EBUSY;
	}
	to->buf = malloc(BUFFER);
	if (to->buf)
		return 0;
	count_out(rq->c, rq->conn->uid);
	return -ENOMEM;
}

void fs_control_sink_close(struct fs_control_sink *to)
{
	if (!to->buf)
		return;
	keys_wipe(to->buf, BUFFER);
	count_out(to->rq->c, to->rq->conn->uid);
	free(to->buf);
	to->buf = NULL;
}

/* Whoever asked is still there and may still have it. */
static int check_reader(struct fs_control_sink *to)
{
	struct fs_control_request *rq = to->rq;
	bool gone;

	pthread_mutex_lock(&rq->conn->lock);
	gone = rq->conn->gone;
	pthread_mutex_unlock(&rq->conn->lock);
	if (gone || atomic_load(&rq->c->stop))
		return -EPIPE;
	return fs_session_state(rq->session) == FS_SESSION_ACTIVE ? 0 : -ENOKEY;
}

static int wait_room(struct fs_control_sink *to, int64_t since_ns)
{
	struct pollfd p = {.fd = to->rq->m.fd, .events = POLLOUT};
	int rc = check_reader(to);

	if (!rc && fs_control_now_ns() - since_ns >= FS_CONTROL_PATIENCE_S * INT64_C(1000000000)) {
		fs_say(&to->rq->say, "nothing was taken from the stream for %d seconds",
		       FS_CONTROL_PATIENCE_S);
		rc = -ETIMEDOUT;
	}
	if (!rc && poll(&p, 1, SLICE_MS) < 0 && errno != EINTR)
		rc = -errno;
	return rc;
}

static int send_some(struct fs_control_sink *to, const uint8_t *p, size_t len)
{
	int64_t since_ns = fs_control_now_ns();
	int rc = check_reader(to);

	while (!rc && len) {
		ssize_t n = send(to->rq->m.fd, p, len, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n > 0) {
			p += n;
			len -= (size_t)n;
			since_ns = fs_control_now_ns();
		} else if (n < 0 && errno == EAGAIN) {
			rc = wait_room(to, since_ns);
		} else if (n == 0 || errno != EINTR) {
			rc = -EPIPE;
		}
	}
	if (rc == -EPIPE)
		to->closed = true;
	return to->rc = rc;
}

static int flush(struct fs_control_sink *to)
{
	size_t len = to->len;

	to->len = 0;
	return to->rc ? to->rc : send_some(to, to->buf, len);
}

int fs_control_sink_put(struct fs_control_sink *to, const void *p, size_t len)
{
	if (to->rc)
		return to->rc;
	if (len > BUFFER - to->len && flush(to))
		return to->rc;
	if (len > BUFFER)
		return send_some(to, p, len);
	memcpy(to->buf + to->len, p, len);
	to->len += len;
	return 0;
}

int fs_control_sink_frame(struct fs_control_sink *to, const void *p, size_t len)
{
	uint8_t head[4];
	struct bytes_out b = bytes_out(head, sizeof(head));

	bytes_put_u32(&b, (uint32_t)len);
	return fs_control_sink_put(to, head, sizeof(head)) ? to->rc
							   : fs_control_sink_put(to, p, len);
}

int fs_control_sink_end(struct fs_control_sink *to, int rc)
{
	if (!rc && !to->rc) {
		(void)fs_control_sink_frame(to, "", 0);
		(void)flush(to);
	}
	/* A reader who has enough closes his end: that is no failure, and nobody's refusal. */
	if (to->closed)
		return 0;
	return rc ? rc : to->rc;
}
