/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tools/audit_stream.h - one request to the daemon whose answer is a stream of frames.
 */
#ifndef TOOLS_AUDIT_STREAM_H
#define TOOLS_AUDIT_STREAM_H

#include "audit_source_impl.h"

/*
 * Sends json (taken over) and blob with one end of a socket pair, gives each frame's bytes to fn
 * and then receives the answer into m, which the caller clears. fn returns 0, 1 (enough: the rest
 * is not wanted) or a negative errno. 0; else negative, after a message.
 */
int tools_audit_stream(struct audit_source *s, json_t *json, const void *blob, size_t blob_len,
		       int (*fn)(void *ctx, const uint8_t *p, size_t len), void *ctx,
		       struct fs_wire_message *m);
/* The same, but a refusal of the daemon is not printed. */
int tools_audit_stream_quiet(struct audit_source *s, json_t *json, const void *blob,
			     size_t blob_len, int (*fn)(void *ctx, const uint8_t *p, size_t len),
			     void *ctx, struct fs_wire_message *m);

#endif
