/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/wire.h - messages on the control socket (AF_UNIX, SOCK_STREAM).
 *
 * A frame: u32 LE length of the JSON text, u32 LE length of the blob, JSON
 * (UTF-8, one object), blob. Secrets travel only in the blob, as raw bytes, so
 * that they never pass through a JSON library's heap; blobs are wiped after use.
 * At most one file descriptor rides on a frame's first byte (SCM_RIGHTS).
 * Verbs: fs/FORMAT.md, "Control socket". JSON at most FS_WIRE_JSON_MAX, blob at
 * most FS_WIRE_BLOB_MAX: anything larger ends the connection.
 */
#ifndef FS_WIRE_H
#define FS_WIRE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define FS_WIRE_JSON_MAX (1u << 20)
#define FS_WIRE_BLOB_MAX 4096u

struct fs_wire_message {
	json_t *json; /* one reference */
	uint8_t *blob; /* keys_guard memory or NULL */
	size_t blob_len;
	int fd; /* -1: none */
};
void fs_wire_message_init(struct fs_wire_message *m);
/* Wipes the blob, closes the fd, drops the JSON. */
void fs_wire_message_clear(struct fs_wire_message *m);

/* Blocking, for clients (timeout_ms < 0: none): 0, -EPIPE closed, -EPROTO, -ETIMEDOUT, -EMSGSIZE. */
int fs_wire_send(int sock, json_t *json, const void *blob, size_t blob_len, int fd);
int fs_wire_receive(int sock, struct fs_wire_message *out, int timeout_ms);

/* Non-blocking receiving end, for the daemon: feed when readable. */
struct fs_wire_in;
int fs_wire_in_new(struct fs_wire_in **out);
/* The peer is an account that must not make us wait: what it sends is let go as wire_fd.h says. */
void fs_wire_in_from(struct fs_wire_in *in, uid_t uid);
void fs_wire_in_free(struct fs_wire_in *in);
/* 1: a whole message in *out; 0: more is needed; -EPIPE, -EPROTO, -EMSGSIZE: end the connection. */
int fs_wire_in_feed(struct fs_wire_in *in, int sock, struct fs_wire_message *out);
/* Whether a frame has begun and is not whole yet. */
bool fs_wire_in_begun(const struct fs_wire_in *in);
/* Non-blocking sending end: queues a frame (bounded: -ENOBUFS), flush when writable: 0 all sent, 1 more. */
struct fs_wire_out;
int fs_wire_out_new(struct fs_wire_out **out);
void fs_wire_out_free(struct fs_wire_out *o);
int fs_wire_out_queue(struct fs_wire_out *o, json_t *json, const void *blob, size_t blob_len);
/* Negative: the peer is gone. */
int fs_wire_out_flush(struct fs_wire_out *o, int sock);
/* Bytes that wait to be sent: who makes a long answer waits when it grows. */
size_t fs_wire_out_queued(const struct fs_wire_out *o);

/* Peer of a connected socket (SO_PEERCRED); NULL for what is not wanted. */
int fs_wire_peer(int sock, uid_t *uid, gid_t *gid, pid_t *pid);

#endif
