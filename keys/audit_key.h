/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keys/audit_key.h - an auditor's key file: what opens a copied access log, under a passphrase.
 *
 * It holds k(0) of those streams of the log that its auditor could open when it was made, and what
 * is needed to believe them: the vault's id and root key and the keys of its daemons. No identity's
 * key is in it, so it opens nothing of the vault but these stretches of the log. Format:
 * keys/FORMAT.md, "Audit key files".
 */
#ifndef KEYS_AUDIT_KEY_H
#define KEYS_AUDIT_KEY_H

#include "ratchet.h"
#include "stretch.h"

#define KEYS_AUDIT_STREAMS_MAX (1u << 20)
#define KEYS_AUDIT_DAEMONS_MAX 4096u
#define KEYS_AUDIT_NAME 256
#define KEYS_AUDIT_KEY_MAX ((size_t)96 << 20) /* bytes of a file that we read */

struct keys_audit_stream {
	uint8_t stream[KEYS_STREAM_ID_LEN];
	uint64_t first_seq; /* number of its first record */
	uint64_t time_s;    /* when it began */
	uint8_t k0[KEYS_LEN];
};

struct keys_audit_key {
	uint8_t vault[KEYS_VAULT_ID_LEN];
	uint8_t root_pk[KEYS_LEN];
	uint64_t made_s;
	int64_t since_s, until_s;	/* what was asked for; 0: open */
	char who[KEYS_AUDIT_NAME];	/* the auditor */
	char practice[KEYS_AUDIT_NAME]; /* the practice's name */
	uint8_t (*daemon)[KEYS_LEN];	/* public keys of the vault's daemons, now and before */
	uint32_t daemons;
	struct keys_audit_stream *stream; /* guarded; in the order of their first records */
	uint32_t streams;
};

/* What the clear head says: enough to stretch a passphrase. */
struct keys_audit_head {
	uint8_t vault[KEYS_VAULT_ID_LEN];
	uint8_t salt[KEYS_SALT_LEN];
	struct keys_stretch_cost cost;
};

/*
 * The file's bytes, which the caller frees. stretched is the passphrase's, with this salt and cost.
 * -EINVAL: more than a file may hold. -ENOMEM.
 */
int keys_audit_key_seal(const struct keys_audit_key *k, const uint8_t stretched[static KEYS_LEN],
			const uint8_t salt[static KEYS_SALT_LEN],
			const struct keys_stretch_cost *cost, uint8_t **out, size_t *len);
/*
 * -EMEDIUMTYPE: something else. -EPROTONOSUPPORT: a later version's. -EBADMSG: damaged; that is
 * told from a checksum, so without the passphrase.
 */
int keys_audit_key_look(const uint8_t *p, size_t len, struct keys_audit_head *out);
/* As look; -EKEYREJECTED: another passphrase, or forged. *out is the caller's to clear. */
int keys_audit_key_open(const uint8_t *p, size_t len, const uint8_t stretched[static KEYS_LEN],
			struct keys_audit_key *out);
/* Frees and wipes what it points to. */
void keys_audit_key_clear(struct keys_audit_key *k);
/* k(0) of this stream: 0 or -ENOENT. */
int keys_audit_key_find(const struct keys_audit_key *k,
			const uint8_t stream[static KEYS_STREAM_ID_LEN],
			uint8_t k0[static KEYS_LEN]);

/*
 * What a copied log's policies are sealed under is a random key; it is sealed once for each stream,
 * under a key derived from its k(0): who can open one of the streams can open it.
 */
#define KEYS_AUDIT_WRAP_LEN (KEYS_LEN + KEYS_SEAL_OVERHEAD)
void keys_audit_wrap(const uint8_t k0[static KEYS_LEN],
		     const uint8_t vault[static KEYS_VAULT_ID_LEN],
		     const uint8_t stream[static KEYS_STREAM_ID_LEN],
		     const uint8_t key[static KEYS_LEN], uint8_t out[static KEYS_AUDIT_WRAP_LEN]);
/* -EBADMSG: not for this stream, or damaged. */
int keys_audit_unwrap(const uint8_t k0[static KEYS_LEN],
		      const uint8_t vault[static KEYS_VAULT_ID_LEN],
		      const uint8_t stream[static KEYS_STREAM_ID_LEN],
		      const uint8_t wrap[static KEYS_AUDIT_WRAP_LEN], uint8_t key[static KEYS_LEN]);

#endif
