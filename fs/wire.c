/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/wire.c - frames on the control socket, blocking for clients and fed for the daemon.
 *
 * The receiving end never reads beyond the frame at hand, so that a descriptor is
 * always taken with the frame that it rides on, and a client needs no state
 * between two frames. Everything from the peer is hostile: lengths are checked
 * before anything is allocated, a descriptor is taken only with a frame's first
 * byte and never more than one; what came too much is let go of at once.
 * Format: fs/FORMAT.md, "Control socket".
 */
#include "wire.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "../keys/bytes.h"
#include "../keys/label.h"
#include "../keys/slab.h"
#include "wire_fd.h"

#define HEADER 8
#define FDS_MAX 253 /* the kernel's SCM_MAX_FD: room for all, so that none stays open unseen */

void fs_wire_message_init(struct fs_wire_message *m)
{
	*m = (struct fs_wire_message){.fd = -1};
}

void fs_wire_message_clear(struct fs_wire_message *m)
{
	json_decref(m->json);
	keys_guard_free(m->blob);
	if (m->fd >= 0)
		close(m->fd);
	fs_wire_message_init(m);
}

/* ---- receiving ---- */

struct fs_wire_in {
	uint8_t header[HEADER];
	size_t got; /* bytes of the frame, header counted */
	size_t json_len, blob_len;
	char *text;
	uint8_t *blob;
	int fd;
	bool hostile; /* the peer, an account: */
	uid_t uid;
};

int fs_wire_in_new(struct fs_wire_in **out)
{
	struct fs_wire_in *in = calloc(1, sizeof(*in));

	if (!in)
		return -ENOMEM;
	in->fd = -1;
	*out = in;
	return 0;
}

void fs_wire_in_from(struct fs_wire_in *in, uid_t uid)
{
	in->hostile = true;
	in->uid = uid;
}

static void let_go(const struct fs_wire_in *in, int fd)
{
	if (in->hostile)
		fs_wire_fd_drop(in->uid, fd);
	else if (fd >= 0)
		close(fd);
}

static void in_reset(struct fs_wire_in *in)
{
	free(in->text);
	keys_guard_free(in->blob);
	let_go(in, in->fd);
	*in = (struct fs_wire_in){.fd = -1, .hostile = in->hostile, .uid = in->uid};
}

void fs_wire_in_free(struct fs_wire_in *in)
{
	if (!in)
		return;
	in_reset(in);
	free(in);
}

/* Takes over the descriptors that came; keeps one if it may, lets go of the rest. */
static int take_fds(struct fs_wire_in *in, struct msghdr *m, bool allowed)
{
	int rc = m->msg_flags & MSG_CTRUNC ? -EPROTO : 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		size_t n;

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < n; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(fd));
			if (allowed && in->fd < 0) {
				in->fd = fd;
			} else {
				let_go(in, fd);
				rc = -EPROTO;
			}
		}
	}
	return rc;
}

/*
 * 1: len bytes are there; 0: not yet. Bytes go to p + at, which is counted on. All descriptors are
 * received, for what the kernel drops it closes in this thread (fs/wire_fd.h).
 */
static int receive(struct fs_wire_in *in, int sock, void *p, size_t len)
{
	union {
		char bytes[CMSG_SPACE(FDS_MAX * sizeof(int))];
		struct cmsghdr align;
	} control;
	struct iovec iov = {.iov_base = p, .iov_len = len};
	struct msghdr m = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes),
	};
	ssize_t got = recvmsg(sock, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	int rc;

	if (got < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -EPIPE;
	rc = take_fds(in, &m, in->got == 0 && got > 0);
	if (rc)
		return rc;
	if (!got)
		return in->got ? -EPROTO : -EPIPE;
	in->got += (size_t)got;
	return 1;
}

static int begin_body(struct fs_wire_in *in)
{
	struct bytes_in b = bytes_in(in->header, sizeof(in->header));

	in->json_len = bytes_get_u32(&b);
	in->blob_len = bytes_get_u32(&b);
	if (in->json_len > FS_WIRE_JSON_MAX || in->blob_len > FS_WIRE_BLOB_MAX)
		return -EMSGSIZE;
	if (!in->json_len)
		return -EPROTO;
	in->text = malloc(in->json_len);
	in->blob = in->blob_len ? keys_guard_new(in->blob_len) : NULL;
	return in->text && (in->blob || !in->blob_len) ? 0 : -ENOMEM;
}

static int finish(struct fs_wire_in *in, struct fs_wire_message *out)
{
	json_t *json = json_loadb(in->text, in->json_len, JSON_REJECT_DUPLICATES, NULL);

	if (!json_is_object(json)) {
		json_decref(json);
		return -EPROTO;
	}
	fs_wire_message_init(out);
	out->json = json;
	out->blob = in->blob;
	out->blob_len = in->blob_len;
	out->fd = in->fd;
	in->blob = NULL;
	in->fd = -1;
	in_reset(in);
	return 1;
}

/* Where the next bytes of the frame go, and how many are still to come there. */
static uint8_t *next_room(struct fs_wire_in *in, size_t *len)
{
	size_t at = in->got;

	if (at < HEADER) {
		*len = HEADER - at;
		return in->header + at;
	}
	at -= HEADER;
	if (at < in->json_len) {
		*len = in->json_len - at;
		return (uint8_t *)in->text + at;
	}
	at -= in->json_len;
	*len = in->blob_len - at;
	return in->blob ? in->blob + at : NULL;
}

int fs_wire_in_feed(struct fs_wire_in *in, int sock, struct fs_wire_message *out)
{
	int rc;

	for (;;) {
		size_t len = 0;
		uint8_t *at = next_room(in, &len);

		if (in->got >= HEADER && !len)
			return finish(in, out);
		rc = receive(in, sock, at, len);
		if (rc <= 0)
			return rc;
		if (in->got == HEADER) {
			rc = begin_body(in);
			if (rc)
				return rc;
		}
	}
}

bool fs_wire_in_begun(const struct fs_wire_in *in)
{
	return in->got > 0;
}

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

int fs_wire_receive(int sock, struct fs_wire_message *out, int timeout_ms)
{
	int64_t until = now_ms() + timeout_ms;
	struct fs_wire_in *in = NULL;
	int rc;

	rc = fs_wire_in_new(&in);
	if (rc)
		return rc;
	while (!(rc = fs_wire_in_feed(in, sock, out))) {
		struct pollfd p = {.fd = sock, .events = POLLIN};
		int64_t left = until - now_ms();
		int got;

		if (timeout_ms >= 0 && left < 0)
			left = 0;
		got = poll(&p, 1, timeout_ms < 0 ? -1 : (int)left);
		if (got < 0 && errno != EINTR)
			rc = -EPIPE;
		else if (got == 0)
			rc = -ETIMEDOUT;
		if (rc)
			break;
	}
	fs_wire_in_free(in);
	return rc > 0 ? 0 : rc;
}

/* ---- sending ---- */

struct frame {
	struct frame *next;
	size_t len, sent;
	uint8_t bytes[];
};

static void frame_free(struct frame *f)
{
	if (!f)
		return;
	keys_wipe(f->bytes, f->len); /* a blob may hold a code */
	free(f);
}

static int frame_new(json_t *json, const void *blob, size_t blob_len, struct frame **out)
{
	char *text = json_dumps(json, JSON_COMPACT);
	struct frame *f = NULL;
	struct bytes_out b;
	size_t len;
	int rc = -ENOMEM;

	if (!text)
		goto out;
	len = strlen(text);
	rc = -EMSGSIZE;
	if (len > FS_WIRE_JSON_MAX || blob_len > FS_WIRE_BLOB_MAX)
		goto out;
	rc = -ENOMEM;
	f = malloc(sizeof(*f) + HEADER + len + blob_len);
	if (!f)
		goto out;
	b = bytes_out(f->bytes, HEADER + len + blob_len);
	bytes_put_u32(&b, (uint32_t)len);
	bytes_put_u32(&b, (uint32_t)blob_len);
	bytes_put(&b, text, len);
	bytes_put(&b, blob, blob_len);
	f->next = NULL;
	f->len = b.len;
	f->sent = 0;
	*out = f;
	rc = 0;
out:
	free(text);
	return rc;
}

#define SEND_TIMEOUT_MS 30000

/* 0: some bytes went, or -EAGAIN, -EPIPE. fd rides on the first byte. */
static int frame_send(struct frame *f, int sock, int fd)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control;
	struct iovec iov = {.iov_base = f->bytes + f->sent, .iov_len = f->len - f->sent};
	struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};
	ssize_t got;

	if (fd >= 0 && !f->sent) {
		struct cmsghdr *c = &control.align;

		memset(&control, 0, sizeof(control));
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &fd, sizeof(fd));
		m.msg_control = control.bytes;
		m.msg_controllen = sizeof(control.bytes);
	}
	got = sendmsg(sock, &m, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (got < 0)
		return errno == EAGAIN || errno == EINTR || errno == ENOBUFS ? -EAGAIN : -EPIPE;
	f->sent += (size_t)got;
	return 0;
}

static int wait_room(struct pollfd *p)
{
	int n = poll(p, 1, SEND_TIMEOUT_MS);

	return n > 0 || (n < 0 && errno == EINTR) ? 0 : n ? -EPIPE : -ETIMEDOUT;
}

int fs_wire_send(int sock, json_t *json, const void *blob, size_t blob_len, int fd)
{
	struct frame *f = NULL;
	int rc;

	rc = frame_new(json, blob, blob_len, &f);
	while (!rc && f->sent < f->len) {
		struct pollfd p = {.fd = sock, .events = POLLOUT};

		rc = frame_send(f, sock, fd);
		if (rc == -EAGAIN)
			rc = wait_room(&p);
	}
	frame_free(f);
	return rc;
}

#define QUEUE_MAX (4u << 20)

struct fs_wire_out {
	struct frame *first, *last;
	size_t queued; /* bytes not sent yet */
};

int fs_wire_out_new(struct fs_wire_out **out)
{
	struct fs_wire_out *o = calloc(1, sizeof(*o));

	if (!o)
		return -ENOMEM;
	*out = o;
	return 0;
}

static void drop_first(struct fs_wire_out *o)
{
	struct frame *f = o->first;

	o->first = f->next;
	if (!o->first)
		o->last = NULL;
	frame_free(f);
}

void fs_wire_out_free(struct fs_wire_out *o)
{
	if (!o)
		return;
	while (o->first)
		drop_first(o);
	free(o);
}

int fs_wire_out_queue(struct fs_wire_out *o, json_t *json, const void *blob, size_t blob_len)
{
	struct frame *f = NULL;
	int rc;

	rc = frame_new(json, blob, blob_len, &f);
	if (rc)
		return rc;
	if (f->len > QUEUE_MAX - o->queued) {
		frame_free(f);
		return -ENOBUFS;
	}
	if (o->last)
		o->last->next = f;
	else
		o->first = f;
	o->last = f;
	o->queued += f->len;
	return 0;
}

size_t fs_wire_out_queued(const struct fs_wire_out *o)
{
	return o->queued;
}

int fs_wire_out_flush(struct fs_wire_out *o, int sock)
{
	while (o->first) {
		size_t before = o->first->sent;
		int rc = frame_send(o->first, sock, -1);

		if (rc)
			return rc == -EAGAIN ? 1 : rc;
		o->queued -= o->first->sent - before;
		if (o->first->sent == o->first->len)
			drop_first(o);
	}
	return 0;
}

int fs_wire_peer(int sock, uid_t *uid, gid_t *gid, pid_t *pid)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);

	if (getsockopt(sock, SOL_SOCKET, SO_PEERCRED, &cred, &len))
		return -errno;
	if (len != sizeof(cred))
		return -EIO;
	if (uid)
		*uid = cred.uid;
	if (gid)
		*gid = cred.gid;
	if (pid)
		*pid = cred.pid;
	return 0;
}
