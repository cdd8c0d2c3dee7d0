/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keys/factor.c - a second factor as bytes: head, seal, recovery codes.
 *
 * Implements keys/FORMAT.md, "Second factor".
 *
 * Invariants: 1. what is unsealed belongs to the vault, practitioner and enrolment that it
 * was asked for, with the head as it was sealed; 2. a recovery code is kept as a hash alone,
 * bound to the factor's id.
 */
#include "factor.h"

#include <errno.h>
#include <string.h>

#include "bytes.h"
#include "seal.h"

#define FORMAT 1
#define HEAD_LEN 32
#define SECRET_LEN (KEYS_TOTP_SECRET_LEN + KEYS_FACTOR_CODES * KEYS_LEN)
#define AD_LEN (KEYS_VAULT_ID_LEN + 4 + HEAD_LEN)

_Static_assert(sizeof(struct keys_factor_secret) == SECRET_LEN, "secret length");
_Static_assert(KEYS_FACTOR_LEN == HEAD_LEN + SECRET_LEN + KEYS_SEAL_OVERHEAD, "factor length");

void keys_factor_key(const struct keys_factor_place *place, uint32_t enrolment,
		     const struct keys_identity_secret *secret,
		     const uint8_t host_secret[static KEYS_LEN], uint8_t key[static KEYS_LEN])
{
	uint8_t numbers[8];
	struct bytes_out b = bytes_out(numbers, sizeof(numbers));
	const struct keys_span parts[] = {
		{secret->box_sk, sizeof(secret->box_sk)},
		{place->vault, sizeof(place->vault)},
		{numbers, sizeof(numbers)},
	};

	bytes_put_u32(&b, place->pid);
	bytes_put_u32(&b, enrolment);
	keys_label_derive(KEYS_LABEL_FACTOR, host_secret, parts, 3, key, KEYS_LEN);
}

static void head_put(struct bytes_out *b, const struct keys_factor *f)
{
	bytes_put_u8(b, FORMAT);
	bytes_put_u8(b, f->kind);
	bytes_put_zero(b, 2);
	bytes_put_u32(b, f->enrolment);
	bytes_put_u64(b, f->since_s);
	bytes_put(b, f->id, sizeof(f->id));
}

static void ad_put(const struct keys_factor *f, const struct keys_factor_place *place,
		   uint8_t ad[static AD_LEN])
{
	struct bytes_out b = bytes_out(ad, AD_LEN);

	bytes_put(&b, place->vault, sizeof(place->vault));
	bytes_put_u32(&b, place->pid);
	head_put(&b, f);
}

void keys_factor_seal(const struct keys_factor *f, const struct keys_factor_place *place,
		      const struct keys_factor_secret *secret, const uint8_t key[static KEYS_LEN],
		      uint8_t out[static KEYS_FACTOR_LEN])
{
	struct bytes_out b = bytes_out(out, HEAD_LEN);
	uint8_t ad[AD_LEN];

	head_put(&b, f);
	ad_put(f, place, ad);
	keys_seal(key, (struct keys_span){ad, sizeof(ad)},
		  (struct keys_span){secret, sizeof(*secret)}, out + HEAD_LEN);
}

int keys_factor_decode(const uint8_t *p, size_t len, struct keys_factor *f)
{
	struct bytes_in in = bytes_in(p, len);
	struct keys_factor got = {0};
	uint8_t format = bytes_get_u8(&in);

	got.kind = bytes_get_u8(&in);
	bytes_get_zero(&in, 2);
	got.enrolment = bytes_get_u32(&in);
	got.since_s = bytes_get_u64(&in);
	bytes_get(&in, got.id, sizeof(got.id));
	bytes_take(&in, SECRET_LEN + KEYS_SEAL_OVERHEAD);
	if (!bytes_in_done(&in) || format != FORMAT || got.kind != KEYS_FACTOR_TOTP ||
	    !got.enrolment)
		return -EBADMSG;
	*f = got;
	return 0;
}

int keys_factor_unseal(const uint8_t *p, size_t len, const struct keys_factor_place *place,
		       const uint8_t key[static KEYS_LEN], struct keys_factor_secret *secret)
{
	struct keys_factor_secret got;
	struct keys_factor f;
	uint8_t ad[AD_LEN];
	int rc = keys_factor_decode(p, len, &f);

	if (rc)
		return rc;
	ad_put(&f, place, ad);
	rc = keys_unseal(key, (struct keys_span){ad, sizeof(ad)},
			 (struct keys_span){p + HEAD_LEN, len - HEAD_LEN}, (uint8_t *)&got);
	if (!rc)
		*secret = got;
	keys_wipe(&got, sizeof(got));
	return rc;
}

void keys_factor_code_hash(const struct keys_factor *f, const uint8_t *code,
			   uint8_t out[static KEYS_LEN])
{
	const struct keys_span parts[] = {{f->id, sizeof(f->id)}, {code, KEYS_FACTOR_CODE_LEN}};

	keys_label_hash(KEYS_LABEL_RECOVERY_CODE, parts, 2, out, KEYS_LEN);
}

int keys_factor_code_find(const struct keys_factor *f, const struct keys_factor_secret *secret,
			  const uint8_t *code, unsigned *which)
{
	unsigned found = KEYS_FACTOR_CODES;
	uint8_t hash[KEYS_LEN];

	keys_factor_code_hash(f, code, hash);
	for (unsigned i = 0; i < KEYS_FACTOR_CODES; i++)
		found = keys_equal(hash, secret->code[i], KEYS_LEN) ? i : found;
	keys_wipe(hash, sizeof(hash));
	if (found == KEYS_FACTOR_CODES)
		return -EKEYREJECTED;
	*which = found;
	return 0;
}
