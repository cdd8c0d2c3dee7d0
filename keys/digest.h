/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keys/digest.h - plain hashes of a note's contents, as other programs compute them.
 *
 * The one exception from labelled hashing (keys/label.h): what stands in a statement about a note,
 * and what minisign signs, must be comparable with sha256sum and minisign outside the vault.
 * Nothing is derived from these, and they are signed only inside a labelled statement or by a key
 * of its own (keys/minisign.h). FIPS 180-4; BLAKE2b: RFC 7693, 64 bytes, no key.
 */
#ifndef KEYS_DIGEST_H
#define KEYS_DIGEST_H

#include "label.h"

#define KEYS_DIGEST_BLAKE2B_LEN 64

struct keys_digest;

/* NULL when memory is short. */
struct keys_digest *keys_digest_new(void);
void keys_digest_add(struct keys_digest *d, const void *p, size_t len);
void keys_digest_end(struct keys_digest *d, uint8_t sha256[static KEYS_LEN],
		     uint8_t blake2b[static KEYS_DIGEST_BLAKE2B_LEN]);
void keys_digest_free(struct keys_digest *d); /* wipes; NULL is legal */

#endif
