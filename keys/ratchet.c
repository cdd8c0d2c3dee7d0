/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keys/ratchet.c - forward-secure sealing of a log stream.
 *
 * Implements keys/FORMAT.md, "Log sealing". Every step overwrites the key in
 * place with its labelled hash; a record's seal names vault, stream and index,
 * so that records can be neither moved within a stream nor between streams.
 *
 * Invariant: key is k(next), and no earlier key is left anywhere.
 */
#include "ratchet.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sodium.h>

#include "bytes.h"

#define PURPOSE_LEN 24
#define INNER_LEN (KEYS_STREAM_WRAP_LEN - crypto_box_SEALBYTES)
#define AD_LEN (KEYS_VAULT_ID_LEN + KEYS_STREAM_ID_LEN + 8)
#define PREFIX_LEN 4 /* the length before the padded text */

_Static_assert(INNER_LEN == PURPOSE_LEN + KEYS_VAULT_ID_LEN + KEYS_STREAM_ID_LEN + KEYS_LEN,
	       "stream wrap length");

static const char purpose[PURPOSE_LEN] = "journalfs 1 stream";

void keys_ratchet_new(struct keys_ratchet *r, const uint8_t vault[static KEYS_VAULT_ID_LEN])
{
	memcpy(r->vault, vault, sizeof(r->vault));
	keys_random(r->stream, sizeof(r->stream));
	keys_random(r->key, sizeof(r->key));
	keys_random(r->nonce_key, sizeof(r->nonce_key));
	r->next = 0;
}

int keys_ratchet_wrap(const struct keys_ratchet *r, const uint8_t box_pk[static KEYS_LEN],
		      uint8_t out[static KEYS_STREAM_WRAP_LEN])
{
	uint8_t inner[INNER_LEN];
	struct bytes_out b = bytes_out(inner, sizeof(inner));
	int rc = 0;

	assert(r->next == 0);
	bytes_put(&b, purpose, sizeof(purpose));
	bytes_put(&b, r->vault, sizeof(r->vault));
	bytes_put(&b, r->stream, sizeof(r->stream));
	bytes_put(&b, r->key, sizeof(r->key));
	if (crypto_box_seal(out, inner, sizeof(inner), box_pk)) {
		sodium_memzero(out, KEYS_STREAM_WRAP_LEN);
		rc = -EINVAL;
	}
	sodium_memzero(inner, sizeof(inner));
	return rc;
}

int keys_ratchet_open(struct keys_ratchet *r, const uint8_t vault[static KEYS_VAULT_ID_LEN],
		      const uint8_t stream[static KEYS_STREAM_ID_LEN], const uint8_t *p, size_t len,
		      const uint8_t box_sk[static KEYS_LEN])
{
	uint8_t inner[INNER_LEN] = {0}, pk[KEYS_LEN];
	struct bytes_in in = bytes_in(inner, sizeof(inner));
	int rc = -EBADMSG;

	if (len != KEYS_STREAM_WRAP_LEN || crypto_scalarmult_base(pk, box_sk) ||
	    crypto_box_seal_open(inner, p, len, pk, box_sk))
		goto out;
	if (!keys_equal(bytes_take(&in, PURPOSE_LEN), purpose, PURPOSE_LEN) ||
	    !keys_equal(bytes_take(&in, KEYS_VAULT_ID_LEN), vault, KEYS_VAULT_ID_LEN) ||
	    !keys_equal(bytes_take(&in, KEYS_STREAM_ID_LEN), stream, KEYS_STREAM_ID_LEN))
		goto out;
	memcpy(r->vault, vault, sizeof(r->vault));
	memcpy(r->stream, stream, sizeof(r->stream));
	bytes_get(&in, r->key, sizeof(r->key));
	r->next = 0;
	rc = 0;
out:
	sodium_memzero(inner, sizeof(inner));
	return rc;
}

static void step(struct keys_ratchet *r)
{
	uint8_t next[KEYS_LEN];

	keys_label_derive(KEYS_LABEL_LOG_NEXT, r->key, NULL, 0, next, sizeof(next));
	memcpy(r->key, next, sizeof(r->key));
	r->next++;
	sodium_memzero(next, sizeof(next));
}

static void record_ad(const struct keys_ratchet *r, uint8_t ad[static AD_LEN])
{
	struct bytes_out b = bytes_out(ad, AD_LEN);

	bytes_put(&b, r->vault, sizeof(r->vault));
	bytes_put(&b, r->stream, sizeof(r->stream));
	bytes_put_u64(&b, r->next);
}

size_t keys_ratchet_sealed_len(size_t plain_len)
{
	return keys_pad_len(PREFIX_LEN + plain_len) + KEYS_SEAL_OVERHEAD;
}

/* Random bytes from the kernel for each record would cost as much as its seal. */
static void nonce_make(const struct keys_ratchet *r, uint64_t time_ns,
		       uint8_t nonce[static KEYS_SEAL_NONCE_LEN])
{
	uint8_t in[crypto_core_hchacha20_INPUTBYTES], out[crypto_core_hchacha20_OUTPUTBYTES];
	struct bytes_out b = bytes_out(in, sizeof(in));

	bytes_put_u64(&b, time_ns);
	bytes_put_u64(&b, r->next);
	crypto_core_hchacha20(out, in, r->nonce_key, NULL);
	memcpy(nonce, out, KEYS_SEAL_NONCE_LEN);
}

void keys_ratchet_seal(struct keys_ratchet *r, struct keys_span plain, uint64_t time_ns,
		       uint8_t *out)
{
	size_t padded = keys_pad_len(PREFIX_LEN + plain.len);
	struct bytes_out b = bytes_out(out + KEYS_SEAL_NONCE_LEN, padded);
	uint8_t ad[AD_LEN], nonce[KEYS_SEAL_NONCE_LEN];

	assert(plain.len <= UINT32_MAX);
	bytes_put_u32(&b, (uint32_t)plain.len);
	bytes_put(&b, plain.p, plain.len);
	bytes_put_zero(&b, padded - PREFIX_LEN - plain.len);
	record_ad(r, ad);
	nonce_make(r, time_ns, nonce);
	/* Built where its ciphertext goes, so that no second copy of the record has to be wiped. */
	keys_seal_with(r->key, nonce, (struct keys_span){ad, sizeof(ad)},
		       (struct keys_span){out + KEYS_SEAL_NONCE_LEN, padded}, out);
	step(r);
}

/* Moves the record in a padded text of n bytes to its front; -EBADMSG when it is malformed. */
static int unpad(uint8_t *text, size_t n, size_t *len)
{
	struct bytes_in in = bytes_in(text, n);
	size_t got = bytes_get_u32(&in);

	if (in.bad || got > n - PREFIX_LEN || keys_pad_len(PREFIX_LEN + got) != n)
		return -EBADMSG;
	bytes_take(&in, got);
	bytes_get_zero(&in, n - PREFIX_LEN - got);
	if (!bytes_in_done(&in))
		return -EBADMSG;
	memmove(text, text + PREFIX_LEN, got);
	sodium_memzero(text + got, n - got);
	*len = got;
	return 0;
}

int keys_ratchet_unseal(struct keys_ratchet *r, uint64_t index, struct keys_span sealed,
			uint8_t *out, size_t *len)
{
	uint8_t ad[AD_LEN];
	int rc;

	if (index < r->next || index - r->next > KEYS_RATCHET_SKIP_MAX)
		return -EINVAL;
	while (r->next < index)
		step(r);
	record_ad(r, ad);
	rc = keys_unseal(r->key, (struct keys_span){ad, sizeof(ad)}, sealed, out);
	if (!rc) {
		rc = unpad(out, sealed.len - KEYS_SEAL_OVERHEAD, len);
		if (rc)
			keys_wipe(out, sealed.len - KEYS_SEAL_OVERHEAD);
	}
	step(r);
	return rc;
}
