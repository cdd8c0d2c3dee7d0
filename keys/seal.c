/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keys/seal.c - XChaCha20-Poly1305 for records and chunks, and Padme padding.
 *
 * Records go through libsodium. Chunks go through libcrypto where the build has
 * it: XChaCha20-Poly1305 is HChaCha20(key, first 16 bytes of the nonce) as the
 * subkey of RFC 8439 ChaCha20-Poly1305 with nonce 0^4 | last 8 bytes, so the
 * ciphertext is the same byte for byte. Implements keys/FORMAT.md, "Seals".
 *
 * libcrypto contexts are costly to make, so every thread keeps a pair, made at
 * its first chunk and freed by a thread-specific destructor; after each chunk
 * the cipher context is keyed with zeros, so that no subkey stays on the heap.
 * A thread that cannot have them falls back to libsodium.
 */
#include "seal.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sodium.h>
#ifdef HAVE_LIBCRYPTO
#include <openssl/crypto.h>
#include <openssl/evp.h>
#endif

_Static_assert(KEYS_SEAL_NONCE_LEN == crypto_aead_xchacha20poly1305_ietf_NPUBBYTES, "nonce");
_Static_assert(KEYS_SEAL_TAG_LEN == crypto_aead_xchacha20poly1305_ietf_ABYTES, "tag");
_Static_assert(KEYS_LEN == crypto_aead_xchacha20poly1305_ietf_KEYBYTES, "key");

void keys_seal(const uint8_t key[static KEYS_LEN], struct keys_span ad, struct keys_span plain,
	       uint8_t *out)
{
	randombytes_buf(out, KEYS_SEAL_NONCE_LEN);
	crypto_aead_xchacha20poly1305_ietf_encrypt(out + KEYS_SEAL_NONCE_LEN, NULL, plain.p,
						   plain.len, ad.p, ad.len, NULL, out, key);
}

int keys_unseal(const uint8_t key[static KEYS_LEN], struct keys_span ad, struct keys_span sealed,
		uint8_t *plain_out)
{
	const uint8_t *nonce = sealed.p;
	int rc;

	if (sealed.len < KEYS_SEAL_OVERHEAD)
		return -EBADMSG;
	rc = crypto_aead_xchacha20poly1305_ietf_decrypt(
		plain_out, NULL, NULL, nonce + KEYS_SEAL_NONCE_LEN,
		sealed.len - KEYS_SEAL_NONCE_LEN, ad.p, ad.len, nonce, key);
	if (rc == 0)
		return 0;
	if (plain_out)
		keys_wipe(plain_out, sealed.len - KEYS_SEAL_OVERHEAD);
	return -EBADMSG;
}

static void sodium_chunk_seal(const uint8_t *key, struct keys_span ad, const uint8_t *in,
			      size_t len, uint8_t *out, struct keys_chunk_seal *seal)
{
	crypto_aead_xchacha20poly1305_ietf_encrypt_detached(out, seal->tag, NULL, in, len, ad.p,
							    ad.len, NULL, seal->nonce, key);
}

static int sodium_chunk_unseal(const uint8_t *key, struct keys_span ad, const uint8_t *in,
			       size_t len, uint8_t *out, const struct keys_chunk_seal *seal)
{
	return crypto_aead_xchacha20poly1305_ietf_decrypt_detached(out, NULL, in, len, seal->tag,
								   ad.p, ad.len, seal->nonce, key)
		       ? -EBADMSG
		       : 0;
}

static void sodium_digest(const uint8_t *in, size_t len, uint8_t *out)
{
	uint8_t hash[crypto_hash_sha256_BYTES];

	crypto_hash_sha256(hash, in, len);
	memcpy(out, hash, KEYS_DIGEST_LEN);
}

#ifdef HAVE_LIBCRYPTO

struct chunk_ctx {
	EVP_CIPHER_CTX *cipher;
	EVP_MD_CTX *md;
};

static pthread_once_t ctx_once = PTHREAD_ONCE_INIT;
static pthread_key_t ctx_key;
static bool ctx_key_made;

static void chunk_ctx_free(void *p)
{
	struct chunk_ctx *ctx = p;

	if (!ctx)
		return;
	EVP_CIPHER_CTX_free(ctx->cipher);
	EVP_MD_CTX_free(ctx->md);
	free(ctx);
}

static void ctx_key_make(void)
{
	/* The configuration file could name foreign modules; nothing here needs it. */
	if (OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, NULL) != 1)
		return;
	ctx_key_made = pthread_key_create(&ctx_key, chunk_ctx_free) == 0;
}

/* This thread's contexts; NULL: use libsodium. */
static struct chunk_ctx *chunk_ctx_get(void)
{
	struct chunk_ctx *ctx;

	if (pthread_once(&ctx_once, ctx_key_make) || !ctx_key_made)
		return NULL;
	ctx = pthread_getspecific(ctx_key);
	if (ctx)
		return ctx;
	ctx = calloc(1, sizeof(*ctx));
	if (!ctx)
		return NULL;
	ctx->cipher = EVP_CIPHER_CTX_new();
	ctx->md = EVP_MD_CTX_new();
	if (!ctx->cipher || !ctx->md ||
	    EVP_CipherInit_ex(ctx->cipher, EVP_chacha20_poly1305(), NULL, NULL, NULL, 1) != 1 ||
	    EVP_DigestInit_ex(ctx->md, EVP_sha256(), NULL) != 1 ||
	    pthread_setspecific(ctx_key, ctx)) {
		chunk_ctx_free(ctx);
		return NULL;
	}
	return ctx;
}

/* Keys the context for one chunk and takes in the associated data. */
static int chunk_ctx_key(EVP_CIPHER_CTX *ctx, const uint8_t *key, const uint8_t *nonce,
			 struct keys_span ad, int enc)
{
	uint8_t subkey[KEYS_LEN], short_nonce[12] = {0};
	int n, rc = -EIO;

	memcpy(short_nonce + 4, nonce + 16, 8);
	if (crypto_core_hchacha20(subkey, nonce, key, NULL))
		goto out;
	if (EVP_CipherInit_ex(ctx, NULL, NULL, subkey, short_nonce, enc) != 1)
		goto out;
	if (ad.len && EVP_CipherUpdate(ctx, NULL, &n, ad.p, (int)ad.len) != 1)
		goto out;
	rc = 0;
out:
	sodium_memzero(subkey, sizeof(subkey));
	return rc;
}

static void chunk_ctx_forget(EVP_CIPHER_CTX *ctx)
{
	static const uint8_t zero[KEYS_LEN];

	if (EVP_CipherInit_ex(ctx, NULL, NULL, zero, zero, 1) != 1)
		EVP_CIPHER_CTX_reset(ctx); /* the next chunk fails rather than a key staying */
}

static int crypto_chunk_seal(EVP_CIPHER_CTX *ctx, const uint8_t *key, struct keys_span ad,
			     const uint8_t *in, size_t len, uint8_t *out,
			     struct keys_chunk_seal *seal)
{
	uint8_t none[16];
	int n = 0, rc = -EIO;

	if (chunk_ctx_key(ctx, key, seal->nonce, ad, 1))
		goto out;
	if (len && (EVP_CipherUpdate(ctx, out, &n, in, (int)len) != 1 || (size_t)n != len))
		goto out;
	if (EVP_CipherFinal_ex(ctx, none, &n) != 1 || n != 0)
		goto out;
	if (EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, KEYS_SEAL_TAG_LEN, seal->tag) != 1)
		goto out;
	rc = 0;
out:
	chunk_ctx_forget(ctx);
	return rc;
}

static int crypto_chunk_unseal(EVP_CIPHER_CTX *ctx, const uint8_t *key, struct keys_span ad,
			       const uint8_t *in, size_t len, uint8_t *out,
			       const struct keys_chunk_seal *seal)
{
	uint8_t tag[KEYS_SEAL_TAG_LEN], none[16];
	int n = 0, rc = -EBADMSG;

	memcpy(tag, seal->tag, sizeof(tag));
	if (chunk_ctx_key(ctx, key, seal->nonce, ad, 0))
		goto out;
	if (EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, KEYS_SEAL_TAG_LEN, tag) != 1)
		goto out;
	if (len && (EVP_CipherUpdate(ctx, out, &n, in, (int)len) != 1 || (size_t)n != len))
		goto out;
	if (EVP_CipherFinal_ex(ctx, none, &n) != 1 || n != 0)
		goto out;
	rc = 0;
out:
	chunk_ctx_forget(ctx);
	return rc;
}

static int crypto_digest(EVP_MD_CTX *md, const uint8_t *in, size_t len, uint8_t *out)
{
	uint8_t hash[EVP_MAX_MD_SIZE];
	unsigned n = 0;

	if (EVP_DigestInit_ex(md, NULL, NULL) != 1 || EVP_DigestUpdate(md, in, len) != 1 ||
	    EVP_DigestFinal_ex(md, hash, &n) != 1 || n < KEYS_DIGEST_LEN)
		return -EIO;
	memcpy(out, hash, KEYS_DIGEST_LEN);
	return 0;
}

static int chunk_seal(const uint8_t *key, struct keys_span ad, const uint8_t *in, size_t len,
		      uint8_t *out, struct keys_chunk_seal *seal)
{
	struct chunk_ctx *ctx = len <= INT_MAX && ad.len <= INT_MAX ? chunk_ctx_get() : NULL;

	if (ctx)
		return crypto_chunk_seal(ctx->cipher, key, ad, in, len, out, seal);
	sodium_chunk_seal(key, ad, in, len, out, seal);
	return 0;
}

static int chunk_unseal(const uint8_t *key, struct keys_span ad, const uint8_t *in, size_t len,
			uint8_t *out, const struct keys_chunk_seal *seal)
{
	struct chunk_ctx *ctx = len <= INT_MAX && ad.len <= INT_MAX ? chunk_ctx_get() : NULL;

	if (ctx)
		return crypto_chunk_unseal(ctx->cipher, key, ad, in, len, out, seal);
	return sodium_chunk_unseal(key, ad, in, len, out, seal);
}

static void chunk_digest(const uint8_t *in, size_t len, uint8_t *out)
{
	struct chunk_ctx *ctx = chunk_ctx_get();

	if (!ctx || crypto_digest(ctx->md, in, len, out))
		sodium_digest(in, len, out);
}

int keys_seal_init(void)
{
	return chunk_ctx_get() ? 0 : -EIO;
}

#else

static int chunk_seal(const uint8_t *key, struct keys_span ad, const uint8_t *in, size_t len,
		      uint8_t *out, struct keys_chunk_seal *seal)
{
	sodium_chunk_seal(key, ad, in, len, out, seal);
	return 0;
}

static int chunk_unseal(const uint8_t *key, struct keys_span ad, const uint8_t *in, size_t len,
			uint8_t *out, const struct keys_chunk_seal *seal)
{
	return sodium_chunk_unseal(key, ad, in, len, out, seal);
}

static void chunk_digest(const uint8_t *in, size_t len, uint8_t *out)
{
	sodium_digest(in, len, out);
}

int keys_seal_init(void)
{
	return 0;
}

#endif

int keys_seal_chunk(const uint8_t key[static KEYS_LEN], struct keys_span ad, const uint8_t *in,
		    size_t len, uint8_t *out, struct keys_chunk_seal *seal_out)
{
	struct keys_chunk_seal seal;
	int rc;

	randombytes_buf(seal.nonce, sizeof(seal.nonce));
	rc = chunk_seal(key, ad, in, len, out, &seal);
	if (rc) {
		keys_wipe(out, len); /* never half-sealed bytes that could reach the disk */
		return rc;
	}
	chunk_digest(out, len, seal.digest);
	*seal_out = seal;
	return 0;
}

int keys_unseal_chunk(const uint8_t key[static KEYS_LEN], struct keys_span ad, const uint8_t *in,
		      size_t len, uint8_t *out, const struct keys_chunk_seal *seal)
{
	uint8_t digest[KEYS_DIGEST_LEN];
	int rc = -EBADMSG;

	chunk_digest(in, len, digest);
	if (keys_equal(digest, seal->digest, sizeof(digest)))
		rc = chunk_unseal(key, ad, in, len, out, seal);
	if (rc)
		keys_wipe(out, len);
	return rc;
}

static unsigned log2_floor(size_t v)
{
	return (unsigned)(sizeof(unsigned long long) * 8 - 1) - (unsigned)__builtin_clzll(v);
}

size_t keys_pad_len(size_t len)
{
	size_t mask;
	unsigned e;

	if (len < 2)
		return len;
	e = log2_floor(len);
	mask = ((size_t)1 << (e - log2_floor(e) - 1)) - 1;
	if (len > SIZE_MAX - mask)
		return len;
	return (len + mask) & ~mask;
}
