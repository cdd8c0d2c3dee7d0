/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tools/audit_stream.c - one request to the daemon whose answer is a stream of frames.
 *
 * Owns the socket pair and the buffer between it and who takes the frames. A stream that ends
 * without its last, empty frame was cut short: the daemon's answer says why.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../fs/audit_wire.h"
#include "../keys/bytes.h"
#include "audit_stream.h"

#define BUFFER ((size_t)FS_AUDIT_FRAME_MAX + 4)
#define READ_AT_ONCE ((size_t)256 << 10)

struct frames {
	int fd;
	uint8_t *buf;
	size_t from, to; /* what is in it */
	size_t high;	 /* how far anything ever was: keys may be among it */
	bool whole;	 /* the last frame came */
};

/* More bytes behind what there is. 0; -EPIPE: the end. */
static int fill(struct frames *in)
{
	ssize_t n;

	if (in->from) {
		memmove(in->buf, in->buf + in->from, in->to - in->from);
		in->to -= in->from;
		in->from = 0;
	}
	do
		n = read(in->fd, in->buf + in->to,
			 BUFFER - in->to < READ_AT_ONCE ? BUFFER - in->to : READ_AT_ONCE);
	while (n < 0 && errno == EINTR);
	if (n <= 0)
		return n ? -errno : -EPIPE;
	in->to += (size_t)n;
	if (in->high < in->to)
		in->high = in->to;
	return 0;
}

static int next_frame(struct frames *in, const uint8_t **p, size_t *len)
{
	for (;;) {
		size_t have = in->to - in->from;
		struct bytes_in b = bytes_in(in->buf + in->from, have);
		int rc;

		if (have >= 4) {
			*len = bytes_get_u32(&b);
			if (*len > FS_AUDIT_FRAME_MAX)
				return -EMSGSIZE;
			if (have - 4 >= *len) {
				*p = in->buf + in->from + 4;
				in->from += 4 + *len;
				return 0;
			}
		}
		rc = fill(in);
		if (rc)
			return rc;
	}
}

static int take_all(struct frames *in, int (*fn)(void *ctx, const uint8_t *p, size_t len),
		    void *ctx)
{
	const uint8_t *p;
	size_t len;
	int rc;

	for (;;) {
		rc = next_frame(in, &p, &len);
		if (rc)
			return rc;
		if (!len) {
			in->whole = true;
			return 0;
		}
		rc = fn(ctx, p, len);
		if (rc)
			return rc;
	}
}

/* The request goes with the daemon's end, which is closed here. */
static int send_with(struct audit_source *s, json_t *json, const void *blob, size_t blob_len,
		     int fd)
{
	int rc = json ? fs_wire_send(s->cl.sock, json, blob, blob_len, fd) : -ENOMEM;

	json_decref(json);
	close(fd);
	if (rc)
		tools_fail("the daemon can't be reached any more: %s", strerror(-rc));
	return rc;
}

static int answer(struct audit_source *s, bool quiet, struct fs_wire_message *m)
{
	return quiet ? tools_client_answer(&s->cl, m) : tools_client_next(&s->cl, m);
}

/* What the stream came to, and what the daemon says of it. */
static int finish(struct audit_source *s, const struct frames *in, int taken, bool quiet,
		  struct fs_wire_message *m)
{
	int rc = answer(s, quiet, m);

	if (taken == 1)
		return 0; /* the daemon may have met a closed end, as it should */
	if (taken < 0 && taken != -EPIPE) {
		tools_fail("what the daemon sent can't be read: %s", strerror(-taken));
		return taken;
	}
	if (!rc && !in->whole) {
		tools_fail("the daemon's stream was cut short");
		rc = -EPROTO;
	}
	return rc;
}

static int run(struct audit_source *s, json_t *json, const void *blob, size_t blob_len, bool quiet,
	       int (*fn)(void *ctx, const uint8_t *p, size_t len), void *ctx,
	       struct fs_wire_message *m)
{
	struct frames in = {.fd = -1};
	int pair[2], rc;

	in.buf = malloc(BUFFER);
	if (!in.buf || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair)) {
		json_decref(json);
		free(in.buf);
		tools_fail("out of memory or descriptors");
		return -ENOMEM;
	}
	in.fd = pair[0];
	pthread_mutex_lock(&s->lock);
	rc = send_with(s, json, blob, blob_len, pair[1]);
	if (!rc) {
		rc = take_all(&in, fn, ctx);
		close(in.fd);
		in.fd = -1;
		rc = finish(s, &in, rc, quiet, m);
	}
	pthread_mutex_unlock(&s->lock);
	if (in.fd >= 0)
		close(in.fd);
	keys_wipe(in.buf, in.high);
	free(in.buf);
	return rc;
}

int tools_audit_stream(struct audit_source *s, json_t *json, const void *blob, size_t blob_len,
		       int (*fn)(void *ctx, const uint8_t *p, size_t len), void *ctx,
		       struct fs_wire_message *m)
{
	return run(s, json, blob, blob_len, false, fn, ctx, m);
}

int tools_audit_stream_quiet(struct audit_source *s, json_t *json, const void *blob,
			     size_t blob_len, int (*fn)(void *ctx, const uint8_t *p, size_t len),
			     void *ctx, struct fs_wire_message *m)
{
	return run(s, json, blob, blob_len, true, fn, ctx, m);
}
