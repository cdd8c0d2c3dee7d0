/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tools/audit_policies.h - the policies beside a copied log, sealed for who can open the log.
 *
 * DIR/policies: every version of every policy until the copy was made, under a random key that is
 * wrapped once for each stream of the log that its maker could open. Format: fs/FORMAT.md, "A
 * copied log".
 */
#ifndef TOOLS_AUDIT_POLICIES_H
#define TOOLS_AUDIT_POLICIES_H

#include "../fs/audit_wire.h"

#define AUDIT_POLICIES_MAX ((size_t)1 << 30) /* bytes of a file that we read */

/* A file that is being made. */
struct audit_policies {
	uint8_t key[KEYS_LEN];
	uint8_t vault[KEYS_VAULT_ID_LEN];
	uint8_t *wraps, *changes; /* as in the file; changes in the clear */
	size_t wraps_len, wraps_cap, changes_len, changes_cap;
	uint32_t wrap_count;
	uint32_t newest; /* version that was added last */
};
void tools_audit_policies_init(struct audit_policies *p,
			       const uint8_t vault[static KEYS_VAULT_ID_LEN]);
void tools_audit_policies_clear(struct audit_policies *p);
/* -ENOMEM. */
int tools_audit_policies_wrap(struct audit_policies *p,
			      const uint8_t stream[static KEYS_STREAM_ID_LEN],
			      const uint8_t wrap[static KEYS_AUDIT_WRAP_LEN]);
/* A frame of fs/audit_wire.h without its length. -ENOMEM. */
int tools_audit_policies_add(struct audit_policies *p, const uint8_t *frame, size_t len);
/* The file's bytes; the caller frees. -ENOMEM. */
int tools_audit_policies_seal(const struct audit_policies *p, uint8_t **out, size_t *len);

/*
 * Every change, oldest first, given to fn, which returns 0 or a negative errno. -EMEDIUMTYPE,
 * -EPROTONOSUPPORT, -EBADMSG (damaged), -EXDEV (another vault's), -EACCES: k opens no stream that
 * it is wrapped for.
 */
int tools_audit_policies_open(const uint8_t *p, size_t len, const struct keys_audit_key *k,
			      int (*fn)(void *ctx, const struct policy_past_change *c), void *ctx);

#endif
