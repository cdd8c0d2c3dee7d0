/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keys/identity.h - practitioners' identities and their sealed envelopes.
 *
 * An identity is public (readable without any key) and signed by the enrolment
 * key that its invitation certified. The envelope holds the secret half, sealed
 * under passphrase, host secret and key file; a changed passphrase replaces only
 * the envelope. Format: keys/FORMAT.md, "Identity" and "Envelope".
 */
#ifndef KEYS_IDENTITY_H
#define KEYS_IDENTITY_H

#include "label.h"
#include "stretch.h"

#define KEYS_NAME_MAX 64 /* practitioner and account names, bytes without NUL */

struct keys_identity {
	uint8_t vault[KEYS_VAULT_ID_LEN];
	uint8_t root_hash[KEYS_LEN];
	uint32_t pid; /* practitioner number, never reused, from 1 */
	uint32_t enrolment; /* 1 for the first identity of this practitioner, +1 at each re-enrolment */
	uint32_t invite; /* number of the invitation that it answers */
	uint32_t uid;
	char name[KEYS_NAME_MAX + 1];
	char account[KEYS_NAME_MAX + 1];
	uint64_t made_s;
	uint8_t box_pk[KEYS_LEN];	/* X25519: wraps */
	uint8_t statement_pk[KEYS_LEN]; /* Ed25519: policy, invitations, key lists, manifests */
	uint8_t session_pk[KEYS_LEN];	/* Ed25519: certifies session keys */
	uint8_t note_pk[KEYS_LEN];	/* Ed25519: note signatures */
	uint8_t sig[KEYS_SIG_LEN];	/* by the enrolment key */
};

struct keys_identity_secret { /* lives in keys_guard_new memory only */
	uint8_t box_sk[KEYS_LEN];
	uint8_t statement_sk[KEYS_SIGN_SK_LEN];
	uint8_t session_sk[KEYS_SIGN_SK_LEN];
	uint8_t note_sk[KEYS_SIGN_SK_LEN];
};

#define KEYS_IDENTITY_MAX 640 /* encoded */
#define KEYS_ENVELOPE_LEN 320 /* encoded, fixed */

/* Fills the public keys of id and the secret with fresh keys. */
void keys_identity_new(struct keys_identity *id, struct keys_identity_secret *secret);

/* Signs all fields with the enrolment key. */
void keys_identity_sign(struct keys_identity *id, const uint8_t enrol_sk[static KEYS_SIGN_SK_LEN]);
int keys_identity_verify(const struct keys_identity *id, const uint8_t enrol_pk[static KEYS_LEN]);

/* -ENOSPC when cap is too small (KEYS_IDENTITY_MAX always suffices). */
int keys_identity_encode(const struct keys_identity *id, uint8_t *out, size_t cap, size_t *len);
/* Syntax only; -EBADMSG. */
int keys_identity_decode(const uint8_t *p, size_t len, struct keys_identity *id);

struct keys_envelope {
	uint8_t salt[KEYS_SALT_LEN];
	struct keys_stretch_cost cost;
	uint8_t keyfile; /* 1: a key file belongs to it */
	uint64_t set_s;	 /* when the passphrase was set */
	uint8_t sealed[sizeof(struct keys_identity_secret) + 40];
};

/* Seals secret under key; the associated data name vault, root hash, pid, enrolment, salt, cost. */
void keys_envelope_seal(struct keys_envelope *env, const struct keys_identity *id,
			const struct keys_identity_secret *secret,
			const uint8_t key[static KEYS_LEN]);
/*
 * -EKEYREJECTED: wrong passphrase, host secret, key file, or a tampered envelope (they cannot
 * be told apart); also when the secret does not belong to id's public keys.
 */
int keys_envelope_unseal(const struct keys_envelope *env, const struct keys_identity *id,
			 const uint8_t key[static KEYS_LEN], struct keys_identity_secret *secret);

void keys_envelope_encode(const struct keys_envelope *env, uint8_t out[static KEYS_ENVELOPE_LEN]);
int keys_envelope_decode(const uint8_t *p, size_t len, struct keys_envelope *env);

/* The session certificate: a session's own signing key, certified by the practitioner. */
#define KEYS_SESSION_ID_LEN 16
struct keys_session_cert {
	uint8_t vault[KEYS_VAULT_ID_LEN];
	uint8_t session[KEYS_SESSION_ID_LEN];
	uint32_t pid;
	uint32_t enrolment;
	uint64_t from_s;
	uint64_t until_s;
	uint8_t pk[KEYS_LEN];
	uint8_t sig[KEYS_SIG_LEN];
};
#define KEYS_SESSION_CERT_LEN 192 /* encoded, fixed */

/* Makes a fresh session key: fills cert->pk, signs, returns the secret half in sk_out. */
void keys_session_cert_new(struct keys_session_cert *cert,
			   const struct keys_identity_secret *secret,
			   uint8_t sk_out[static KEYS_SIGN_SK_LEN]);
int keys_session_cert_verify(const struct keys_session_cert *cert, const struct keys_identity *id);
void keys_session_cert_encode(const struct keys_session_cert *cert,
			      uint8_t out[static KEYS_SESSION_CERT_LEN]);
int keys_session_cert_decode(const uint8_t *p, size_t len, struct keys_session_cert *cert);

#endif
