/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keys/stretch.c - Argon2id (RFC 9106), and the envelope key made from its result.
 *
 * Owns the cost bounds. A stored cost is hostile input: without an upper bound a
 * forged envelope could make a client allocate without end. Implements
 * keys/FORMAT.md, "Envelope", its key.
 */
#include "stretch.h"

#include <errno.h>
#include <string.h>
#include <sodium.h>

#define PASSES_MIN 1u
#define PASSES_MAX 16u
#define MEMORY_KIB_MIN (8u << 10)
#define MEMORY_KIB_MAX (1u << 20)

_Static_assert(KEYS_SALT_LEN == crypto_pwhash_SALTBYTES, "Argon2id salt length");

const struct keys_stretch_cost keys_stretch_default = {.passes = 3, .memory_kib = 256u << 10};

int keys_stretch_check(const struct keys_stretch_cost *cost)
{
	if (cost->passes < PASSES_MIN || cost->passes > PASSES_MAX)
		return -EINVAL;
	if (cost->memory_kib < MEMORY_KIB_MIN || cost->memory_kib > MEMORY_KIB_MAX)
		return -EINVAL;
	return 0;
}

int keys_stretch(const char *pass, size_t pass_len, const uint8_t salt[static KEYS_SALT_LEN],
		 const struct keys_stretch_cost *cost, uint8_t out[static KEYS_LEN])
{
	uint8_t key[KEYS_LEN];
	int rc = keys_stretch_check(cost);

	if (rc)
		return rc;
	if (pass_len > crypto_pwhash_PASSWD_MAX)
		return -EINVAL;
	/* With cost and length checked, running out of memory is all that is left to fail. */
	if (crypto_pwhash(key, sizeof(key), pass, pass_len, salt, cost->passes,
			  (size_t)cost->memory_kib << 10, crypto_pwhash_ALG_ARGON2ID13))
		rc = -ENOMEM;
	else
		memcpy(out, key, sizeof(key));
	sodium_memzero(key, sizeof(key));
	return rc;
}

void keys_stretch_envelope(const uint8_t stretched[static KEYS_LEN],
			   const uint8_t host_secret[static KEYS_LEN], struct keys_span keyfile,
			   uint8_t out[static KEYS_LEN])
{
	const struct keys_span parts[] = {{host_secret, KEYS_LEN}, keyfile};

	keys_label_derive(KEYS_LABEL_ENVELOPE, stretched, parts, 2, out, KEYS_LEN);
}
