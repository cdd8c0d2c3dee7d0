/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keys/invite.h - one-time codes and the invitations that they answer.
 *
 * A code is 128 random bits, printed in Crockford base32 with a check character,
 * in groups of four. It seeds the enrolment signing key (whose public half the
 * invitation names) and the key under which the invitation carries the index
 * key. The invitation is the body of a KEYS_STATEMENT_INVITE statement.
 */
#ifndef KEYS_INVITE_H
#define KEYS_INVITE_H

#include "identity.h"
#include "seal.h"

#define KEYS_CODE_LEN 16
#define KEYS_CODE_TEXT_MAX 48 /* with hyphens and NUL */

void keys_code_new(uint8_t code[static KEYS_CODE_LEN]);
void keys_code_print(const uint8_t code[static KEYS_CODE_LEN], char out[static KEYS_CODE_TEXT_MAX]);
/* Forgives case, spaces, hyphens, O/0, I/L/1. -EINVAL: length, alphabet or check character. */
int keys_code_parse(const char *text, uint8_t code[static KEYS_CODE_LEN]);

struct keys_invite {
	uint32_t pid;
	uint32_t enrolment; /* the number that the identity will carry */
	uint64_t expires_s;
	char name[KEYS_NAME_MAX + 1];
	char account[KEYS_NAME_MAX + 1];
	char role[KEYS_NAME_MAX + 1];
	uint8_t enrol_pk[KEYS_LEN];
	uint32_t index_generation;
	uint8_t index_sealed[KEYS_LEN + KEYS_SEAL_OVERHEAD];
};
#define KEYS_INVITE_MAX 512 /* encoded */

/* Fills enrol_pk and index_sealed from the code. */
void keys_invite_fill(struct keys_invite *inv, const uint8_t vault[static KEYS_VAULT_ID_LEN],
		      const uint8_t code[static KEYS_CODE_LEN],
		      const uint8_t index_key[static KEYS_LEN]);
/* The enrolment key pair; -EKEYREJECTED when the code is not this invitation's. */
int keys_invite_open(const struct keys_invite *inv, const uint8_t vault[static KEYS_VAULT_ID_LEN],
		     const uint8_t code[static KEYS_CODE_LEN],
		     uint8_t enrol_sk[static KEYS_SIGN_SK_LEN], uint8_t index_key[static KEYS_LEN]);
int keys_invite_encode(const struct keys_invite *inv, uint8_t *out, size_t cap, size_t *len);
int keys_invite_decode(const uint8_t *p, size_t len, struct keys_invite *inv);

#endif
