/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/audit_wire.h - what an auditor takes from the daemon, as frames.
 *
 * A stream of frames: u32 length, bytes; the length 0 ends it. The bytes are a record
 * (policy_record_encode), a version of a policy, or a key of a stream of the log. A copied log
 * keeps policy versions in the same form. Format: fs/FORMAT.md, "Auditors' streams".
 */
#ifndef FS_AUDIT_WIRE_H
#define FS_AUDIT_WIRE_H

#include "../keys/audit_key.h"
#include "../policy/past.h"

#define FS_AUDIT_FRAME_MAX (4u << 20) /* the longest: a policy's text and what is said of it */

/* Length and bytes; the caller frees. -ENOMEM, -EMSGSIZE. */
int fs_audit_change_encode(const struct policy_past_change *c, uint8_t **out, size_t *len);
/*
 * A frame without its length. Texts are copied into *store, which the caller frees. -EBADMSG,
 * -ENOMEM.
 */
int fs_audit_change_decode(const uint8_t *p, size_t len, struct policy_past_change *out,
			   char **store);

/* A stream's k(0), or a wrap under it (keys_audit_wrap): what tells them apart is the length. */
struct fs_audit_key {
	uint8_t stream[KEYS_STREAM_ID_LEN];
	uint64_t first_seq, time_s;
	uint8_t key[KEYS_AUDIT_WRAP_LEN]; /* KEYS_LEN of it, or all */
	size_t key_len;
};
#define FS_AUDIT_KEY_MAX (4 + KEYS_STREAM_ID_LEN + 16 + KEYS_AUDIT_WRAP_LEN)
size_t fs_audit_key_encode(const struct fs_audit_key *k, uint8_t out[static FS_AUDIT_KEY_MAX]);
int fs_audit_key_decode(const uint8_t *p, size_t len, struct fs_audit_key *out);

#endif
