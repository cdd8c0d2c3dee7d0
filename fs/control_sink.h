/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/control_sink.h - long answers over a descriptor that came with the request.
 *
 * Behind the table's NEED_FD: frames of u32 length and bytes go into one end of a pair of sockets
 * that the client made, and the answer follows on the control socket when the stream has ended.
 */
#ifndef FS_CONTROL_SINK_H
#define FS_CONTROL_SINK_H

#include "control_impl.h"

struct fs_control_sink {
	struct fs_control_request *rq;
	uint8_t *buf;
	size_t len;
	bool closed; /* the reader closed his end, or is gone */
	int rc;	     /* sticky */
};

/* Looks at the request's descriptor, which stays the request's. -EINVAL with words, -ENOMEM. */
int fs_control_sink_open(struct fs_control_sink *to, struct fs_control_request *rq);
void fs_control_sink_close(struct fs_control_sink *to); /* wipes */
/* Bytes as they are. -EPIPE, -ETIMEDOUT with words, -ENOKEY; sticky. */
int fs_control_sink_put(struct fs_control_sink *to, const void *p, size_t len);
int fs_control_sink_frame(struct fs_control_sink *to, const void *p, size_t len);
/*
 * The end, with what became of the work so far: the last frame only when all went well. What the
 * verb returns: 0 also when the reader closed early.
 */
int fs_control_sink_end(struct fs_control_sink *to, int rc);

#endif
