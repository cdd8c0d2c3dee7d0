/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keys/seal.h - authenticated encryption of records and bulk chunks.
 *
 * Suite 1: XChaCha20-Poly1305 (IETF construction, draft-irtf-cfrg-xchacha),
 * random 192-bit nonces made inside, but in keys_seal_with. Associated data bind a ciphertext to
 * its place.
 *
 * Chunks are XChaCha20 with a SHA-256 over place and ciphertext; nonce and digest
 * live in the chunk map, a sealed record that the tag tree covers. Whoever may read
 * a journal knows its keys and could make other plaintext under the same Poly1305
 * tag, so the digest alone carries their integrity, and a tag besides it would say
 * nothing more. Both go through libcrypto when the build has it (HAVE_LIBCRYPTO):
 * the same bytes, faster.
 */
#ifndef KEYS_SEAL_H
#define KEYS_SEAL_H

#include <stdbool.h>

#include "label.h"

#define KEYS_SEAL_NONCE_LEN 24
#define KEYS_SEAL_TAG_LEN 16
#define KEYS_SEAL_OVERHEAD (KEYS_SEAL_NONCE_LEN + KEYS_SEAL_TAG_LEN)
#define KEYS_DIGEST_LEN 32

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
 * As keys_seal, with a nonce of the caller's, who answers for it that it is never used twice with
 * this key. In place too; the nonce lies outside out.
 */
void keys_seal_with(const uint8_t key[static KEYS_LEN],
		    const uint8_t nonce[static KEYS_SEAL_NONCE_LEN], struct keys_span ad,
		    struct keys_span plain, uint8_t *out);

/*
 * plain_out has room for sealed.len - KEYS_SEAL_OVERHEAD bytes, outside sealed. 0, or -EBADMSG with
 * plain_out zeroed when sealed is too short or does not authenticate.
 */
int keys_unseal(const uint8_t key[static KEYS_LEN], struct keys_span ad, struct keys_span sealed,
		uint8_t *plain_out);

/* What the chunk map keeps of a sealed chunk. */
struct keys_chunk_seal {
	uint8_t nonce[KEYS_SEAL_NONCE_LEN];
	uint8_t digest[KEYS_DIGEST_LEN]; /* SHA-256(associated data | ciphertext) */
};

/*
 * Seals the chunks of one run under one key. Nonces are 16 random bytes, drawn by init, and a
 * counter: two chunks can share a nonce only if two runs draw the same 128 bits. One thread at a
 * time, and the thread of clear is that of the last chunk. Wiped by clear.
 */
struct keys_chunk_sealer {
	uint8_t subkey[KEYS_LEN];
	uint8_t prefix[16];
	uint64_t count;
};

void keys_chunk_sealer_init(struct keys_chunk_sealer *s, const uint8_t key[static KEYS_LEN]);
void keys_chunk_sealer_clear(struct keys_chunk_sealer *s);
/* A chunk on its way: in to out (may be the same buffer), bound to its place. */
struct keys_chunk {
	struct keys_span ad; /* of one length in all chunks of a key */
	const uint8_t *in;
	uint8_t *out;
	struct keys_chunk_seal *seal; /* made by sealing, read by opening */
};

/* Seals n chunks of len bytes. 0 or -EIO (libcrypto failed) with all of out wiped. */
int keys_chunk_seal(struct keys_chunk_sealer *s, const struct keys_chunk *c, size_t n, size_t len);

/* Opens chunks of one key, which outlives it; neighbors of one run share the work. As above. */
struct keys_chunk_opener {
	const uint8_t *key;
	uint8_t subkey[KEYS_LEN];
	uint8_t prefix[16];
	bool keyed;
};

void keys_chunk_opener_init(struct keys_chunk_opener *o, const uint8_t key[static KEYS_LEN]);
void keys_chunk_opener_clear(struct keys_chunk_opener *o);
/*
 * The opposite of keys_chunk_seal. 0, or -EBADMSG with all of out zeroed when a digest is not that
 * of place and ciphertext.
 */
int keys_chunk_open(struct keys_chunk_opener *o, const struct keys_chunk *c, size_t n, size_t len);

/* SHA-256 of the parts, one after the other: no framing. keys_label_digest is what most want. */
void keys_sha256(const struct keys_span *parts, size_t n, uint8_t out[static KEYS_LEN]);

/* Padme (Nikitin et al., PURBs 2019): the padded length of len bytes; at most 12 % more. */
size_t keys_pad_len(size_t len);

#endif
