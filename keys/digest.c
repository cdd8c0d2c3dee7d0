/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keys/digest.c - SHA-256 and BLAKE2b-512 of the same bytes in one pass.
 *
 * Owns both states. The BLAKE2b state wants an alignment that malloc does not promise, so it is
 * asked for by name. No locks: a digest is its caller's.
 */
#include "digest.h"

#include <sodium.h>
#include <stdlib.h>

struct keys_digest {
	crypto_generichash_state blake2b;
	crypto_hash_sha256_state sha256;
};

struct keys_digest *keys_digest_new(void)
{
	struct keys_digest *d = aligned_alloc(_Alignof(struct keys_digest), sizeof(*d));

	if (!d)
		return NULL;
	crypto_generichash_init(&d->blake2b, NULL, 0, KEYS_DIGEST_BLAKE2B_LEN);
	crypto_hash_sha256_init(&d->sha256);
	return d;
}

void keys_digest_add(struct keys_digest *d, const void *p, size_t len)
{
	crypto_generichash_update(&d->blake2b, p, len);
	crypto_hash_sha256_update(&d->sha256, p, len);
}

void keys_digest_end(struct keys_digest *d, uint8_t sha256[static KEYS_LEN],
		     uint8_t blake2b[static KEYS_DIGEST_BLAKE2B_LEN])
{
	crypto_generichash_final(&d->blake2b, blake2b, KEYS_DIGEST_BLAKE2B_LEN);
	crypto_hash_sha256_final(&d->sha256, sha256);
}

void keys_digest_free(struct keys_digest *d)
{
	if (!d)
		return;
	sodium_memzero(d, sizeof(*d));
	free(d);
}
