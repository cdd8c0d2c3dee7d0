/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keys/seal.h - authenticated encryption of records and bulk chunks.
 *
 * Suite 1: XChaCha20-Poly1305 (IETF construction, draft-irtf-cfrg-xchacha),
 * random 192-bit nonces made inside. Associated data bind a ciphertext to its
 * place. Chunks use the same construction through libcrypto when the build has
 * it (HAVE_LIBCRYPTO): identical ciphertext, about three times as fast; they
 * are detached, because nonce and tag live in the chunk map.
 */
#ifndef KEYS_SEAL_H
#define KEYS_SEAL_H

#include "label.h"

#define KEYS_SEAL_NONCE_LEN 24
#define KEYS_SEAL_TAG_LEN 16
#define KEYS_SEAL_OVERHEAD (KEYS_SEAL_NONCE_LEN + KEYS_SEAL_TAG_LEN)
#define KEYS_DIGEST_LEN 16

/*
 * Starts libcrypto without its configuration file and makes this thread's contexts, so that
 * nothing is opened after the daemon has shut itself in. keys_init calls it; -EIO.
 */
int keys_seal_init(void);

/*
 * out = nonce | ciphertext | tag, len + KEYS_SEAL_OVERHEAD bytes. plain lies outside out, or
 * exactly at out + KEYS_SEAL_NONCE_LEN (in place).
 */
void keys_seal(const uint8_t key[static KEYS_LEN], struct keys_span ad, struct keys_span plain,
	       uint8_t *out);

/*
 * plain_out has room for sealed.len - KEYS_SEAL_OVERHEAD bytes, outside sealed. 0, or -EBADMSG with plain_out
 * zeroed when sealed is too short or does not authenticate.
 */
int keys_unseal(const uint8_t key[static KEYS_LEN], struct keys_span ad, struct keys_span sealed,
		uint8_t *plain_out);

/* What the chunk map keeps of a sealed chunk. */
struct keys_chunk_seal {
	uint8_t nonce[KEYS_SEAL_NONCE_LEN];
	uint8_t tag[KEYS_SEAL_TAG_LEN];
	uint8_t digest[KEYS_DIGEST_LEN]; /* first 16 bytes of SHA-256(ciphertext) */
};

/* Seals len bytes of in to out (may be the same buffer). 0 or -EIO (libcrypto failed). */
int keys_seal_chunk(const uint8_t key[static KEYS_LEN], struct keys_span ad, const uint8_t *in,
		    size_t len, uint8_t *out, struct keys_chunk_seal *seal_out);

/*
 * The opposite; checks the digest first, then the tag. A reader of the journal knows the key
 * and could make other plaintext under the same tag; the digest, signed up to the journal's
 * root, is what he cannot meet. 0 or -EBADMSG with out zeroed.
 */
int keys_unseal_chunk(const uint8_t key[static KEYS_LEN], struct keys_span ad, const uint8_t *in,
		      size_t len, uint8_t *out, const struct keys_chunk_seal *seal);

/* Padme (Nikitin et al., PURBs 2019): the padded length of len bytes; at most 12 % more. */
size_t keys_pad_len(size_t len);

#endif
