/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keys/seal.c - XChaCha20-Poly1305 for records, XChaCha20 and SHA-256 for chunks, Padme padding.
 *
 * Records go through libsodium. Chunks go through libcrypto where the build has
 * it: XChaCha20 is HChaCha20(key, first 16 bytes of the nonce) as the subkey of
 * ChaCha20 with the last 8 bytes and a block counter from 0, so the ciphertext is
 * the same byte for byte. Implements keys/FORMAT.md, "Seals".
 *
 * libcrypto contexts are costly to make, so every thread keeps a pair, made at
 * its first chunk and freed by a thread-specific destructor; at the end of a run
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
_Static_assert(KEYS_DIGEST_LEN == crypto_hash_sha256_BYTES, "digest");

#define PREFIX_LEN 16 /* of a chunk's nonce: goes into the subkey */

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

static void sodium_stream(const uint8_t *subkey, const uint8_t *nonce, const uint8_t *in, size_t len,
			  uint8_t *out)
{
	crypto_stream_chacha20_xor(out, in, len, nonce + PREFIX_LEN, subkey);
}

static void sodium_digest(struct keys_span ad, const uint8_t *in, size_t len, uint8_t *out)
{
	crypto_hash_sha256_state state;

	crypto_hash_sha256_init(&state);
	crypto_hash_sha256_update(&state, ad.p, ad.len);
	crypto_hash_sha256_update(&state, in, len);
	crypto_hash_sha256_final(&state, out);
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
	    EVP_CipherInit_ex(ctx->cipher, EVP_chacha20(), NULL, NULL, NULL, 1) != 1 ||
	    EVP_DigestInit_ex(ctx->md, EVP_sha256(), NULL) != 1 ||
	    pthread_setspecific(ctx_key, ctx)) {
		chunk_ctx_free(ctx);
		return NULL;
	}
	return ctx;
}

static void chunk_ctx_forget(EVP_CIPHER_CTX *ctx)
{
	static const uint8_t zero[KEYS_LEN];

	if (EVP_CipherInit_ex(ctx, NULL, NULL, zero, zero, 1) != 1)
		EVP_CIPHER_CTX_reset(ctx); /* the next chunk fails rather than a key staying */
}

static int libcrypto_stream(EVP_CIPHER_CTX *ctx, const uint8_t *subkey, const uint8_t *nonce,
			 const uint8_t *in, size_t len, uint8_t *out)
{
	uint8_t iv[16] = {0}; /* block counter u64, then the nonce's last 8 bytes */
	int n = 0;

	memcpy(iv + 8, nonce + PREFIX_LEN, 8);
	if (EVP_CipherInit_ex(ctx, NULL, NULL, subkey, iv, 1) != 1)
		return -EIO;
	if (len && (EVP_CipherUpdate(ctx, out, &n, in, (int)len) != 1 || (size_t)n != len))
		return -EIO;
	return 0;
}

static int libcrypto_digest(EVP_MD_CTX *md, struct keys_span ad, const uint8_t *in, size_t len,
			 uint8_t *out)
{
	unsigned n = 0;

	if (EVP_DigestInit_ex(md, NULL, NULL) != 1 || EVP_DigestUpdate(md, ad.p, ad.len) != 1 ||
	    EVP_DigestUpdate(md, in, len) != 1 || EVP_DigestFinal_ex(md, out, &n) != 1 ||
	    n != KEYS_DIGEST_LEN)
		return -EIO;
	return 0;
}

static int chunk_stream(const uint8_t *subkey, const uint8_t *nonce, const uint8_t *in, size_t len,
			uint8_t *out)
{
	struct chunk_ctx *ctx = len <= INT_MAX ? chunk_ctx_get() : NULL;

	if (ctx)
		return libcrypto_stream(ctx->cipher, subkey, nonce, in, len, out);
	sodium_stream(subkey, nonce, in, len, out);
	return 0;
}

static void chunk_digest(struct keys_span ad, const uint8_t *in, size_t len, uint8_t *out)
{
	struct chunk_ctx *ctx = chunk_ctx_get();

	if (!ctx || libcrypto_digest(ctx->md, ad, in, len, out))
		sodium_digest(ad, in, len, out);
}

static void chunk_forget(void)
{
	struct chunk_ctx *ctx = chunk_ctx_get();

	if (ctx)
		chunk_ctx_forget(ctx->cipher);
}

int keys_seal_init(void)
{
	return chunk_ctx_get() ? 0 : -EIO;
}

#else

static int chunk_stream(const uint8_t *subkey, const uint8_t *nonce, const uint8_t *in, size_t len,
			uint8_t *out)
{
	sodium_stream(subkey, nonce, in, len, out);
	return 0;
}

static void chunk_digest(struct keys_span ad, const uint8_t *in, size_t len, uint8_t *out)
{
	sodium_digest(ad, in, len, out);
}

static void chunk_forget(void)
{
}

int keys_seal_init(void)
{
	return 0;
}

#endif

void keys_chunk_sealer_init(struct keys_chunk_sealer *s, const uint8_t key[static KEYS_LEN])
{
	randombytes_buf(s->prefix, sizeof(s->prefix));
	crypto_core_hchacha20(s->subkey, s->prefix, key, NULL);
	s->count = 0;
}

void keys_chunk_sealer_clear(struct keys_chunk_sealer *s)
{
	sodium_memzero(s, sizeof(*s));
	chunk_forget();
}

int keys_chunk_seal(struct keys_chunk_sealer *s, struct keys_span ad, const uint8_t *in, size_t len,
		    uint8_t *out, struct keys_chunk_seal *seal_out)
{
	struct keys_chunk_seal seal;
	uint64_t count = s->count++;
	int rc;

	memcpy(seal.nonce, s->prefix, PREFIX_LEN);
	for (unsigned i = PREFIX_LEN; i < KEYS_SEAL_NONCE_LEN; i++, count >>= 8)
		seal.nonce[i] = (uint8_t)count;
	rc = chunk_stream(s->subkey, seal.nonce, in, len, out);
	if (rc) {
		keys_wipe(out, len); /* never half-sealed bytes that could reach the disk */
		return rc;
	}
	chunk_digest(ad, out, len, seal.digest);
	*seal_out = seal;
	return 0;
}

void keys_chunk_opener_init(struct keys_chunk_opener *o, const uint8_t key[static KEYS_LEN])
{
	o->key = key;
	o->keyed = false;
}

void keys_chunk_opener_clear(struct keys_chunk_opener *o)
{
	sodium_memzero(o, sizeof(*o));
	chunk_forget();
}

int keys_chunk_open(struct keys_chunk_opener *o, struct keys_span ad, const uint8_t *in, size_t len,
		    uint8_t *out, const struct keys_chunk_seal *seal)
{
	uint8_t digest[KEYS_DIGEST_LEN];
	int rc = -EBADMSG;

	chunk_digest(ad, in, len, digest);
	if (!keys_equal(digest, seal->digest, sizeof(digest)))
		goto out;
	if (!o->keyed || memcmp(o->prefix, seal->nonce, PREFIX_LEN) != 0) {
		memcpy(o->prefix, seal->nonce, PREFIX_LEN);
		crypto_core_hchacha20(o->subkey, o->prefix, o->key, NULL);
		o->keyed = true;
	}
	rc = chunk_stream(o->subkey, seal->nonce, in, len, out) ? -EBADMSG : 0;
out:
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
