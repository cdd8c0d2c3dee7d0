/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keys/invite.c - one-time codes and the invitations that they answer.
 *
 * Implements keys/FORMAT.md, "Codes as text" and "Invitation". The code is the
 * only secret: signing seed and sealing key are labelled hashes of vault and
 * code. The steward's signature on the statement covers the whole body; the
 * seal around the index key names vault, practitioner, enrolment, generation
 * and enrolment key, so it cannot be moved to another invitation.
 */
#include "invite.h"

#include <errno.h>
#include <sodium.h>

#include "base32.h"
#include "bytes.h"

#define FORMAT 1
#define AD_LEN (KEYS_VAULT_ID_LEN + 12 + KEYS_LEN)

_Static_assert(KEYS_BASE32_TEXT_LEN(KEYS_CODE_LEN) <= KEYS_CODE_TEXT_MAX, "text length");

void keys_code_new(uint8_t code[static KEYS_CODE_LEN])
{
	keys_random(code, KEYS_CODE_LEN);
}

void keys_code_print(const uint8_t code[static KEYS_CODE_LEN], char out[static KEYS_CODE_TEXT_MAX])
{
	keys_base32_print(code, KEYS_CODE_LEN, out);
}

int keys_code_parse(const char *text, uint8_t code[static KEYS_CODE_LEN])
{
	return keys_base32_parse(text, KEYS_CODE_LEN, code);
}

/* 128 random bits need no stretching: a hash of them is as hard to guess. */
static void code_derive(enum keys_label label, const uint8_t *vault, const uint8_t *code,
			uint8_t *out)
{
	const struct keys_span parts[] = {
		{vault, KEYS_VAULT_ID_LEN},
		{code, KEYS_CODE_LEN},
	};

	keys_label_hash(label, parts, 2, out, KEYS_LEN);
}

static void code_sign_pair(const uint8_t *vault, const uint8_t *code, uint8_t *pk, uint8_t *sk)
{
	uint8_t seed[KEYS_LEN];

	code_derive(KEYS_LABEL_INVITE_SIGN, vault, code, seed);
	crypto_sign_seed_keypair(pk, sk, seed);
	sodium_memzero(seed, sizeof(seed));
}

static void index_ad(const struct keys_invite *inv, const uint8_t *vault, uint8_t ad[static AD_LEN])
{
	struct bytes_out b = bytes_out(ad, AD_LEN);

	bytes_put(&b, vault, KEYS_VAULT_ID_LEN);
	bytes_put_u32(&b, inv->pid);
	bytes_put_u32(&b, inv->enrolment);
	bytes_put_u32(&b, inv->index_generation);
	bytes_put(&b, inv->enrol_pk, sizeof(inv->enrol_pk));
}

void keys_invite_fill(struct keys_invite *inv, const uint8_t vault[static KEYS_VAULT_ID_LEN],
		      const uint8_t code[static KEYS_CODE_LEN],
		      const uint8_t index_key[static KEYS_LEN])
{
	uint8_t key[KEYS_LEN], sk[KEYS_SIGN_SK_LEN], ad[AD_LEN];

	code_sign_pair(vault, code, inv->enrol_pk, sk);
	code_derive(KEYS_LABEL_INVITE_SEAL, vault, code, key);
	index_ad(inv, vault, ad);
	keys_seal(key, (struct keys_span){ad, sizeof(ad)}, (struct keys_span){index_key, KEYS_LEN},
		  inv->index_sealed);
	sodium_memzero(key, sizeof(key));
	sodium_memzero(sk, sizeof(sk));
}

int keys_invite_open(const struct keys_invite *inv, const uint8_t vault[static KEYS_VAULT_ID_LEN],
		     const uint8_t code[static KEYS_CODE_LEN],
		     uint8_t enrol_sk[static KEYS_SIGN_SK_LEN], uint8_t index_key[static KEYS_LEN])
{
	uint8_t key[KEYS_LEN] = {0}, index[KEYS_LEN] = {0};
	uint8_t pk[KEYS_LEN], sk[KEYS_SIGN_SK_LEN], ad[AD_LEN];
	int rc = -EKEYREJECTED;

	code_sign_pair(vault, code, pk, sk);
	if (!keys_equal(pk, inv->enrol_pk, sizeof(pk)))
		goto out;
	code_derive(KEYS_LABEL_INVITE_SEAL, vault, code, key);
	index_ad(inv, vault, ad);
	if (keys_unseal(key, (struct keys_span){ad, sizeof(ad)},
			(struct keys_span){inv->index_sealed, sizeof(inv->index_sealed)}, index))
		goto out;
	memcpy(enrol_sk, sk, sizeof(sk));
	memcpy(index_key, index, sizeof(index));
	rc = 0;
out:
	sodium_memzero(key, sizeof(key));
	sodium_memzero(index, sizeof(index));
	sodium_memzero(sk, sizeof(sk));
	return rc;
}

int keys_invite_encode(const struct keys_invite *inv, uint8_t *out, size_t cap, size_t *len)
{
	struct bytes_out b = bytes_out(out, cap);

	bytes_put_u8(&b, FORMAT);
	bytes_put_u32(&b, inv->pid);
	bytes_put_u32(&b, inv->enrolment);
	bytes_put_u64(&b, inv->expires_s);
	bytes_put_u32(&b, inv->index_generation);
	bytes_put(&b, inv->enrol_pk, sizeof(inv->enrol_pk));
	bytes_put(&b, inv->index_sealed, sizeof(inv->index_sealed));
	bytes_put_text(&b, inv->name);
	bytes_put_text(&b, inv->account);
	bytes_put_text(&b, inv->role);
	if (b.bad)
		return -ENOSPC;
	*len = b.len;
	return 0;
}

int keys_invite_decode(const uint8_t *p, size_t len, struct keys_invite *inv)
{
	struct bytes_in in = bytes_in(p, len);
	struct keys_invite got = {0};
	uint8_t format;

	format = bytes_get_u8(&in);
	got.pid = bytes_get_u32(&in);
	got.enrolment = bytes_get_u32(&in);
	got.expires_s = bytes_get_u64(&in);
	got.index_generation = bytes_get_u32(&in);
	bytes_get(&in, got.enrol_pk, sizeof(got.enrol_pk));
	bytes_get(&in, got.index_sealed, sizeof(got.index_sealed));
	bytes_get_text(&in, got.name, sizeof(got.name));
	bytes_get_text(&in, got.account, sizeof(got.account));
	bytes_get_text(&in, got.role, sizeof(got.role));
	if (!bytes_in_done(&in) || format != FORMAT || got.pid == 0 || got.enrolment == 0)
		return -EBADMSG;
	*inv = got;
	return 0;
}
