/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keys/wrap.c - sealed boxes around keys, generation manifests, journal subkeys.
 *
 * Implements keys/FORMAT.md, "Wrap", "Manifest" and "Break-glass wrap". What a
 * box holds names its purpose and place, so that no box can stand in for another;
 * the commitment in a manifest is a keyed hash with the key itself as its key:
 * it hides a random key and, BLAKE2b being collision resistant, binds to it.
 *
 * Invariants: 1. no key leaves an open call before purpose and place match;
 * 2. a commitment and a succession name the place they belong to.
 */
#include "wrap.h"

#include <errno.h>
#include <sodium.h>

#include "bytes.h"
#include "seal.h"

#define FORMAT 1
#define PURPOSE_LEN 24 /* purpose text, zero-filled */
#define INNER_LEN (KEYS_WRAP_LEN - crypto_box_SEALBYTES)
#define MANIFEST_SIGNED_LEN (KEYS_MANIFEST_LEN - KEYS_SIG_LEN)
#define BG_AD_LEN (KEYS_VAULT_ID_LEN + 4)
#define BG_SEALED_LEN (KEYS_WRAP_LEN + KEYS_SEAL_OVERHEAD)

_Static_assert(INNER_LEN == PURPOSE_LEN + KEYS_VAULT_ID_LEN + 8 + KEYS_LEN, "wrap length");
_Static_assert(BG_SEALED_LEN <= KEYS_BG_WRAP_LEN, "break-glass wrap length");

static const char wrap_purpose[PURPOSE_LEN] = "journalfs 1 wrap";
static const char bg_purpose[PURPOSE_LEN] = "journalfs 1 break-glass";

static int box_seal(const char *purpose, const struct keys_wrap_place *place, const uint8_t *key,
		    const uint8_t *box_pk, uint8_t *out)
{
	uint8_t inner[INNER_LEN];
	struct bytes_out b = bytes_out(inner, sizeof(inner));
	int rc = 0;

	bytes_put(&b, purpose, PURPOSE_LEN);
	bytes_put(&b, place->vault, sizeof(place->vault));
	bytes_put_u32(&b, place->journal);
	bytes_put_u32(&b, place->generation);
	bytes_put(&b, key, KEYS_LEN);
	if (crypto_box_seal(out, inner, sizeof(inner), box_pk)) {
		sodium_memzero(out, KEYS_WRAP_LEN);
		rc = -EINVAL;
	}
	sodium_memzero(inner, sizeof(inner));
	return rc;
}

static int box_open(const char *purpose, const struct keys_wrap_place *place, const uint8_t *p,
		    const uint8_t *box_sk, uint8_t *key_out)
{
	uint8_t inner[INNER_LEN] = {0}, want[INNER_LEN - KEYS_LEN], pk[KEYS_LEN];
	struct bytes_out b = bytes_out(want, sizeof(want));
	int rc = -EBADMSG;

	bytes_put(&b, purpose, PURPOSE_LEN);
	bytes_put(&b, place->vault, sizeof(place->vault));
	bytes_put_u32(&b, place->journal);
	bytes_put_u32(&b, place->generation);
	if (crypto_scalarmult_base(pk, box_sk) ||
	    crypto_box_seal_open(inner, p, KEYS_WRAP_LEN, pk, box_sk))
		goto out;
	if (!keys_equal(inner, want, sizeof(want)))
		goto out;
	memcpy(key_out, inner + sizeof(want), KEYS_LEN);
	rc = 0;
out:
	sodium_memzero(inner, sizeof(inner));
	return rc;
}

int keys_wrap_seal(const struct keys_wrap_place *place, const uint8_t key[static KEYS_LEN],
		   const uint8_t box_pk[static KEYS_LEN], uint8_t out[static KEYS_WRAP_LEN])
{
	return box_seal(wrap_purpose, place, key, box_pk, out);
}

int keys_wrap_open(const struct keys_wrap_place *place, const uint8_t *p, size_t len,
		   const uint8_t box_sk[static KEYS_LEN], uint8_t key_out[static KEYS_LEN])
{
	if (len != KEYS_WRAP_LEN)
		return -EBADMSG;
	return box_open(wrap_purpose, place, p, box_sk, key_out);
}

/* The 24 bytes that name a place in hashes. */
struct place_bytes {
	uint8_t b[KEYS_VAULT_ID_LEN + 8];
};

static struct place_bytes place_encode(const struct keys_wrap_place *place)
{
	struct place_bytes p = {{0}};
	struct bytes_out b = bytes_out(p.b, sizeof(p.b));

	bytes_put(&b, place->vault, sizeof(place->vault));
	bytes_put_u32(&b, place->journal);
	bytes_put_u32(&b, place->generation);
	return p;
}

static void commit_to(const struct keys_wrap_place *place, const uint8_t *key, uint8_t *out)
{
	const struct place_bytes at = place_encode(place);
	const struct keys_span part = {at.b, sizeof(at.b)};

	keys_label_derive(KEYS_LABEL_COMMITMENT, key, &part, 1, out, KEYS_LEN);
}

static void succeed(const struct keys_manifest *m, const uint8_t *prev_key, uint8_t *out)
{
	const struct place_bytes at = place_encode(&m->place);
	const struct keys_span parts[] = {
		{at.b, sizeof(at.b)},
		{m->commitment, sizeof(m->commitment)},
	};

	keys_label_derive(KEYS_LABEL_SUCCESSION, prev_key, parts, 2, out, KEYS_LEN);
}

static void manifest_put(const struct keys_manifest *m, uint8_t *out)
{
	struct bytes_out b = bytes_out(out, MANIFEST_SIGNED_LEN);

	bytes_put_u8(&b, FORMAT);
	bytes_put_zero(&b, 3);
	bytes_put_u32(&b, m->place.journal);
	bytes_put_u32(&b, m->place.generation);
	bytes_put_u32(&b, m->signer);
	bytes_put_u32(&b, m->enrolment);
	bytes_put_u32(&b, m->policy_version);
	bytes_put_u64(&b, m->time_s);
	bytes_put(&b, m->place.vault, sizeof(m->place.vault));
	bytes_put(&b, m->commitment, sizeof(m->commitment));
	bytes_put(&b, m->succession, sizeof(m->succession));
	bytes_put_zero(&b, 80);
}

void keys_manifest_sign(struct keys_manifest *m, const uint8_t key[static KEYS_LEN],
			const uint8_t *prev_key, const uint8_t sk[static KEYS_SIGN_SK_LEN])
{
	uint8_t body[MANIFEST_SIGNED_LEN];
	const struct keys_span part = {body, sizeof(body)};

	commit_to(&m->place, key, m->commitment);
	if (prev_key && m->place.generation > 1)
		succeed(m, prev_key, m->succession);
	else
		memset(m->succession, 0, sizeof(m->succession));
	manifest_put(m, body);
	keys_label_sign(KEYS_LABEL_MANIFEST, sk, &part, 1, m->sig);
}

int keys_manifest_verify(const struct keys_manifest *m, const uint8_t pk[static KEYS_LEN])
{
	uint8_t body[MANIFEST_SIGNED_LEN];
	const struct keys_span part = {body, sizeof(body)};

	manifest_put(m, body);
	return keys_label_verify(KEYS_LABEL_MANIFEST, pk, &part, 1, m->sig);
}

int keys_manifest_check(const struct keys_manifest *m, const uint8_t key[static KEYS_LEN])
{
	uint8_t want[KEYS_LEN];

	commit_to(&m->place, key, want);
	return keys_equal(want, m->commitment, sizeof(want)) ? 0 : -EBADMSG;
}

int keys_manifest_follows(const struct keys_manifest *m, const uint8_t prev_key[static KEYS_LEN])
{
	uint8_t want[KEYS_LEN];

	if (m->place.generation < 2)
		return -EBADMSG;
	succeed(m, prev_key, want);
	return keys_equal(want, m->succession, sizeof(want)) ? 0 : -EBADMSG;
}

void keys_manifest_encode(const struct keys_manifest *m, uint8_t out[static KEYS_MANIFEST_LEN])
{
	manifest_put(m, out);
	memcpy(out + MANIFEST_SIGNED_LEN, m->sig, sizeof(m->sig));
}

int keys_manifest_decode(const uint8_t *p, size_t len, struct keys_manifest *m)
{
	struct bytes_in in = bytes_in(p, len);
	struct keys_manifest got;
	uint8_t format;

	format = bytes_get_u8(&in);
	bytes_get_zero(&in, 3);
	got.place.journal = bytes_get_u32(&in);
	got.place.generation = bytes_get_u32(&in);
	got.signer = bytes_get_u32(&in);
	got.enrolment = bytes_get_u32(&in);
	got.policy_version = bytes_get_u32(&in);
	got.time_s = bytes_get_u64(&in);
	bytes_get(&in, got.place.vault, sizeof(got.place.vault));
	bytes_get(&in, got.commitment, sizeof(got.commitment));
	bytes_get(&in, got.succession, sizeof(got.succession));
	bytes_get_zero(&in, 80);
	bytes_get(&in, got.sig, sizeof(got.sig));
	if (!bytes_in_done(&in) || format != FORMAT || got.place.generation == 0)
		return -EBADMSG;
	if (got.place.generation == 1 && !sodium_is_zero(got.succession, sizeof(got.succession)))
		return -EBADMSG;
	*m = got;
	return 0;
}

void keys_journal_derive(const struct keys_wrap_place *place, const uint8_t key[static KEYS_LEN],
			 const uint8_t shred[static KEYS_SHRED_LEN], struct keys_journal *out)
{
	const struct place_bytes at = place_encode(place);
	const struct keys_span parts[] = {
		{at.b, sizeof(at.b)},
		{shred, KEYS_SHRED_LEN},
	};
	uint8_t effective[KEYS_LEN];

	keys_label_derive(KEYS_LABEL_EFFECTIVE, key, parts, 2, effective, sizeof(effective));
	keys_label_derive(KEYS_LABEL_RECORD_KEY, effective, NULL, 0, out->record, KEYS_LEN);
	keys_label_derive(KEYS_LABEL_CHUNK_KEY, effective, NULL, 0, out->chunk, KEYS_LEN);
	keys_label_derive(KEYS_LABEL_NAME_KEY, effective, NULL, 0, out->name, KEYS_LEN);
	sodium_memzero(effective, sizeof(effective));
}

/* The key around a break-glass box, and its associated data. */
static void bg_outer(const uint8_t *vault, uint32_t pid, const uint8_t *host_secret, uint8_t *key,
		     uint8_t ad[static BG_AD_LEN])
{
	const struct keys_span part = {vault, KEYS_VAULT_ID_LEN};
	struct bytes_out b = bytes_out(ad, BG_AD_LEN);

	keys_label_derive(KEYS_LABEL_BG_HOST, host_secret, &part, 1, key, KEYS_LEN);
	bytes_put(&b, vault, KEYS_VAULT_ID_LEN);
	bytes_put_u32(&b, pid);
}

static struct keys_wrap_place bg_place(const uint8_t *vault, uint32_t pid)
{
	struct keys_wrap_place place = {.journal = pid, .generation = 0};

	memcpy(place.vault, vault, sizeof(place.vault));
	return place;
}

int keys_bg_wrap_seal(const uint8_t vault[static KEYS_VAULT_ID_LEN], uint32_t pid,
		      const uint8_t bg_sk[static KEYS_LEN], const uint8_t box_pk[static KEYS_LEN],
		      const uint8_t host_secret[static KEYS_LEN],
		      uint8_t out[static KEYS_BG_WRAP_LEN])
{
	const struct keys_wrap_place place = bg_place(vault, pid);
	uint8_t key[KEYS_LEN], ad[BG_AD_LEN], box[KEYS_WRAP_LEN];
	int rc;

	memset(out, 0, KEYS_BG_WRAP_LEN);
	rc = box_seal(bg_purpose, &place, bg_sk, box_pk, box);
	if (rc)
		return rc;
	bg_outer(vault, pid, host_secret, key, ad);
	keys_seal(key, (struct keys_span){ad, sizeof(ad)}, (struct keys_span){box, sizeof(box)},
		  out);
	sodium_memzero(key, sizeof(key));
	return 0;
}

int keys_bg_wrap_open(const uint8_t vault[static KEYS_VAULT_ID_LEN], uint32_t pid, const uint8_t *p,
		      size_t len, const uint8_t box_sk[static KEYS_LEN],
		      const uint8_t host_secret[static KEYS_LEN], uint8_t bg_sk[static KEYS_LEN])
{
	const struct keys_wrap_place place = bg_place(vault, pid);
	uint8_t key[KEYS_LEN], ad[BG_AD_LEN], box[KEYS_WRAP_LEN];
	struct bytes_in in = bytes_in(p, len);
	const uint8_t *sealed = bytes_take(&in, BG_SEALED_LEN);
	int rc;

	bytes_get_zero(&in, KEYS_BG_WRAP_LEN - BG_SEALED_LEN);
	if (!bytes_in_done(&in))
		return -EBADMSG;
	bg_outer(vault, pid, host_secret, key, ad);
	rc = keys_unseal(key, (struct keys_span){ad, sizeof(ad)},
			 (struct keys_span){sealed, BG_SEALED_LEN}, box);
	if (!rc)
		rc = box_open(bg_purpose, &place, box, box_sk, bg_sk);
	sodium_memzero(key, sizeof(key));
	return rc;
}

void keys_box_new(uint8_t pk[static KEYS_LEN], uint8_t sk[static KEYS_LEN])
{
	crypto_box_keypair(pk, sk);
}

void keys_sign_new(uint8_t pk[static KEYS_LEN], uint8_t sk[static KEYS_SIGN_SK_LEN])
{
	crypto_sign_keypair(pk, sk);
}
