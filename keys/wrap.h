/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keys/wrap.h - keys wrapped for people, and the manifests that make a wrap trustworthy.
 *
 * A wrap is an anonymous sealed box (libsodium crypto_box_seal) around
 * {label, vault, journal, generation, key}: it says nothing of who sealed it, so
 * an unwrapped key is used only after its generation's signed manifest has been
 * verified and its commitment matches. Journal 0 is the index key.
 */
#ifndef KEYS_WRAP_H
#define KEYS_WRAP_H

#include "label.h"

#define KEYS_WRAP_LEN 128 /* encoded, fixed */

struct keys_wrap_place {
	uint8_t vault[KEYS_VAULT_ID_LEN];
	uint32_t journal; /* 0: the index key */
	uint32_t generation;
};

/* -EINVAL, out zeroed: box_pk is no usable public key (a point of small order). */
int keys_wrap_seal(const struct keys_wrap_place *place, const uint8_t key[static KEYS_LEN],
		   const uint8_t box_pk[static KEYS_LEN], uint8_t out[static KEYS_WRAP_LEN]);
/* -EBADMSG: not for this key pair, or for another place. */
int keys_wrap_open(const struct keys_wrap_place *place, const uint8_t *p, size_t len,
		   const uint8_t box_sk[static KEYS_LEN], uint8_t key_out[static KEYS_LEN]);

struct keys_manifest {
	struct keys_wrap_place place;
	uint8_t commitment[KEYS_LEN];
	uint32_t signer; /* pid, 0 = root */
	uint32_t enrolment;
	uint32_t policy_version;
	uint64_t time_s;
	uint8_t succession[KEYS_LEN]; /* MAC under generation - 1; zero for generation 1 */
	uint8_t sig[KEYS_SIG_LEN];
};
#define KEYS_MANIFEST_LEN 256 /* encoded, fixed */

/* Fills commitment, succession (prev_key NULL for generation 1) and sig. */
void keys_manifest_sign(struct keys_manifest *m, const uint8_t key[static KEYS_LEN],
			const uint8_t *prev_key, const uint8_t sk[static KEYS_SIGN_SK_LEN]);
/* The signature alone. -EBADMSG. */
int keys_manifest_verify(const struct keys_manifest *m, const uint8_t pk[static KEYS_LEN]);
/* The commitment, constant time. -EBADMSG: the key is not the one committed to. */
int keys_manifest_check(const struct keys_manifest *m, const uint8_t key[static KEYS_LEN]);
/* The succession under the generation before. -EBADMSG (always for generation 1). */
int keys_manifest_follows(const struct keys_manifest *m, const uint8_t prev_key[static KEYS_LEN]);
void keys_manifest_encode(const struct keys_manifest *m, uint8_t out[static KEYS_MANIFEST_LEN]);
int keys_manifest_decode(const uint8_t *p, size_t len, struct keys_manifest *m);

#define KEYS_SHRED_LEN 32
/* What records and chunks of a journal are sealed with. */
struct keys_journal {
	uint8_t record[KEYS_LEN];
	uint8_t chunk[KEYS_LEN];
	uint8_t name[KEYS_LEN];
};
/* BLAKE2b(K, shred slot), then one subkey per use. */
void keys_journal_derive(const struct keys_wrap_place *place, const uint8_t key[static KEYS_LEN],
			 const uint8_t shred[static KEYS_SHRED_LEN], struct keys_journal *out);

/* The break-glass secret for one clinician: sealed box inside, host secret outside. */
#define KEYS_BG_WRAP_LEN 192
int keys_bg_wrap_seal(const uint8_t vault[static KEYS_VAULT_ID_LEN], uint32_t pid,
		      const uint8_t bg_sk[static KEYS_LEN], const uint8_t box_pk[static KEYS_LEN],
		      const uint8_t host_secret[static KEYS_LEN], uint8_t out[static KEYS_BG_WRAP_LEN]);
/* -EBADMSG: another host secret, key pair, vault or practitioner, or damaged. */
int keys_bg_wrap_open(const uint8_t vault[static KEYS_VAULT_ID_LEN], uint32_t pid, const uint8_t *p,
		      size_t len, const uint8_t box_sk[static KEYS_LEN],
		      const uint8_t host_secret[static KEYS_LEN], uint8_t bg_sk[static KEYS_LEN]);
/* A fresh X25519 key pair (break-glass). */
void keys_box_new(uint8_t pk[static KEYS_LEN], uint8_t sk[static KEYS_LEN]);
/* A fresh Ed25519 key pair (root, daemon, log). */
void keys_sign_new(uint8_t pk[static KEYS_LEN], uint8_t sk[static KEYS_SIGN_SK_LEN]);

#endif
