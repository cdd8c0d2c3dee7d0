/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keys/factor.h - a practitioner's second factor as a sealed record.
 *
 * The head says what kind it is and of which identity; secret and recovery codes are
 * sealed under a key that takes the practitioner's identity secret AND the host secret,
 * so that neither a stolen vault with the passphrase nor the host alone yields them.
 * A new identity makes it void. Format: keys/FORMAT.md, "Second factor".
 */
#ifndef KEYS_FACTOR_H
#define KEYS_FACTOR_H

#include "base32.h"
#include "identity.h"
#include "totp.h"

#define KEYS_FACTOR_CODES 10
#define KEYS_FACTOR_CODE_LEN 9 /* 72 bits: four groups of four characters */
#define KEYS_FACTOR_CODE_TEXT KEYS_BASE32_TEXT_LEN(KEYS_FACTOR_CODE_LEN)
#define KEYS_FACTOR_ID_LEN 16

enum keys_factor_kind { KEYS_FACTOR_TOTP = 1 };

struct keys_factor {
	uint8_t kind;	    /* enum keys_factor_kind */
	uint32_t enrolment; /* the identity that it belongs to */
	uint64_t since_s;
	uint8_t id[KEYS_FACTOR_ID_LEN]; /* new with each secret and each set of recovery codes */
};

struct keys_factor_secret { /* lives in keys_guard_new memory only */
	uint8_t totp[KEYS_TOTP_SECRET_LEN];
	uint8_t code[KEYS_FACTOR_CODES][KEYS_LEN]; /* hashes of the recovery codes */
};

#define KEYS_FACTOR_LEN                                                                            \
	(32 + KEYS_TOTP_SECRET_LEN + KEYS_FACTOR_CODES * KEYS_LEN + 40) /* encoded */

/* Whose it is: what the record's place in the vault says. */
struct keys_factor_place {
	uint8_t vault[KEYS_VAULT_ID_LEN];
	uint32_t pid;
};

/* The key that seals it, for this vault, practitioner and enrolment. */
void keys_factor_key(const struct keys_factor_place *place, uint32_t enrolment,
		     const struct keys_identity_secret *secret,
		     const uint8_t host_secret[static KEYS_LEN], uint8_t key[static KEYS_LEN]);

void keys_factor_seal(const struct keys_factor *f, const struct keys_factor_place *place,
		      const struct keys_factor_secret *secret, const uint8_t key[static KEYS_LEN],
		      uint8_t out[static KEYS_FACTOR_LEN]);
/* The head alone, not authenticated by itself. -EBADMSG. */
int keys_factor_decode(const uint8_t *p, size_t len, struct keys_factor *f);
/* -EBADMSG: no such record, another's, another key's, or tampered with. secret is guarded memory.
 */
int keys_factor_unseal(const uint8_t *p, size_t len, const struct keys_factor_place *place,
		       const uint8_t key[static KEYS_LEN], struct keys_factor_secret *secret);

/* What is kept of a recovery code. */
void keys_factor_code_hash(const struct keys_factor *f, const uint8_t *code,
			   uint8_t out[static KEYS_LEN]);
/* Which of the codes this one is; all are compared. -EKEYREJECTED: none. */
int keys_factor_code_find(const struct keys_factor *f, const struct keys_factor_secret *secret,
			  const uint8_t *code, unsigned *which);

#endif
