/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keys/seal.c - XChaCha20-Poly1305 for records, XChaCha20 and SHA-256 for chunks, Padme padding.
 *
 * Chunks, records but the smallest, and SHA-256 go through libcrypto where the build
 * has it, all else through libsodium: XChaCha20 is HChaCha20(key, first 16 bytes of
 * the nonce) as the subkey of ChaCha20 with the last 8 bytes and a block counter
 * from 0, XChaCha20-Poly1305 the same as the subkey of RFC 8439's with nonce
 * 0^4 | last 8 bytes, so the bytes are the same. Implements keys/FORMAT.md, "Seals".
 *
 * libcrypto contexts are costly to make, so every thread keeps its own, made at
 * its first use and freed by a thread-specific destructor; at the end of a run
 * the cipher context is keyed with zeros, so that no subkey stays on the heap.
 * A thread that cannot have them falls back to libsodium.
 */
#include "seal.h"

#include "sha256.h"

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

#define RECORD_SMALL 96 /* bytes; up to here libsodium is faster */
#define PREFIX_LEN 16	/* of a chunk's nonce: goes into the subkey */
#define AT_ONCE 8	/* chunks whose bytes stay in the processor's first cache */

/* A record on its way: nonce, ciphertext and tag stand one behind the other. */
struct record {
	const uint8_t *key, *nonce;
	struct keys_span ad;
	size_t len; /* of the plaintext */
};

static void sodium_record_seal(const struct record *r, const uint8_t *in, uint8_t *out)
{
	crypto_aead_xchacha20poly1305_ietf_encrypt(out, NULL, in, r->len, r->ad.p, r->ad.len, NULL,
						   r->nonce, r->key);
}

static int sodium_record_unseal(const struct record *r, const uint8_t *in, uint8_t *out)
{
	return crypto_aead_xchacha20poly1305_ietf_decrypt(out, NULL, NULL, in,
							  r->len + KEYS_SEAL_TAG_LEN, r->ad.p,
							  r->ad.len, r->nonce, r->key)
		       ? -EBADMSG
		       : 0;
}

static void sodium_stream(const uint8_t *subkey, const uint8_t *nonce, const uint8_t *in,
			  size_t len, uint8_t *out)
{
	crypto_stream_chacha20_xor(out, in, len, nonce + PREFIX_LEN, subkey);
}

static void sodium_sha256(const struct keys_span *parts, size_t n, uint8_t *out)
{
	crypto_hash_sha256_state state;

	crypto_hash_sha256_init(&state);
	for (size_t i = 0; i < n; i++)
		crypto_hash_sha256_update(&state, parts[i].p, parts[i].len);
	crypto_hash_sha256_final(&state, out);
}

#ifdef HAVE_LIBCRYPTO

struct chunk_ctx {
	EVP_CIPHER_CTX *cipher; /* of chunks */
	EVP_CIPHER_CTX *aead;	/* of records */
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
	EVP_CIPHER_CTX_free(ctx->aead);
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
	ctx->aead = EVP_CIPHER_CTX_new();
	ctx->md = EVP_MD_CTX_new();
	if (!ctx->cipher || !ctx->aead || !ctx->md ||
	    EVP_CipherInit_ex(ctx->aead, EVP_chacha20_poly1305(), NULL, NULL, NULL, 1) != 1 ||
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

static int libcrypto_sha256(EVP_MD_CTX *md, const struct keys_span *parts, size_t n, uint8_t *out)
{
	unsigned len = 0;

	if (EVP_DigestInit_ex(md, NULL, NULL) != 1)
		return -EIO;
	for (size_t i = 0; i < n; i++) {
		if (EVP_DigestUpdate(md, parts[i].p, parts[i].len) != 1)
			return -EIO;
	}
	return EVP_DigestFinal_ex(md, out, &len) == 1 && len == KEYS_LEN ? 0 : -EIO;
}

/* Keys the context for one record and takes in the associated data. */
static int libcrypto_record_key(EVP_CIPHER_CTX *ctx, const struct record *r, int enc)
{
	uint8_t subkey[KEYS_LEN], nonce[12] = {0};
	int n, rc = -EIO;

	memcpy(nonce + 4, r->nonce + PREFIX_LEN, 8);
	if (!crypto_core_hchacha20(subkey, r->nonce, r->key, NULL) &&
	    EVP_CipherInit_ex(ctx, NULL, NULL, subkey, nonce, enc) == 1 &&
	    (!r->ad.len || EVP_CipherUpdate(ctx, NULL, &n, r->ad.p, (int)r->ad.len) == 1))
		rc = 0;
	sodium_memzero(subkey, sizeof(subkey));
	return rc;
}

static int libcrypto_record_seal(EVP_CIPHER_CTX *ctx, const struct record *r, const uint8_t *in,
				 uint8_t *out)
{
	uint8_t none[16];
	int n = 0, end = 0;
	bool ok = !libcrypto_record_key(ctx, r, 1) &&
		  EVP_CipherUpdate(ctx, out, &n, in, (int)r->len) == 1 && (size_t)n == r->len &&
		  EVP_CipherFinal_ex(ctx, none, &end) == 1 && !end &&
		  EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, KEYS_SEAL_TAG_LEN,
				      out + r->len) == 1;

	chunk_ctx_forget(ctx);
	return ok ? 0 : -EIO;
}

static int libcrypto_record_unseal(EVP_CIPHER_CTX *ctx, const struct record *r, const uint8_t *in,
				   uint8_t *out)
{
	uint8_t tag[KEYS_SEAL_TAG_LEN], none[16];
	int n = 0, end = 0;
	bool ok;

	memcpy(tag, in + r->len, sizeof(tag));
	ok = !libcrypto_record_key(ctx, r, 0) &&
	     EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, KEYS_SEAL_TAG_LEN, tag) == 1 &&
	     EVP_CipherUpdate(ctx, out, &n, in, (int)r->len) == 1 && (size_t)n == r->len &&
	     EVP_CipherFinal_ex(ctx, none, &end) == 1 && !end;
	chunk_ctx_forget(ctx);
	return ok ? 0 : -EBADMSG;
}

/* The context for a record; NULL: libsodium's turn. */
static EVP_CIPHER_CTX *record_ctx(const struct record *r)
{
	struct chunk_ctx *ctx;

	if (r->len <= RECORD_SMALL || r->len > INT_MAX || r->ad.len > INT_MAX)
		return NULL;
	ctx = chunk_ctx_get();
	return ctx ? ctx->aead : NULL;
}

static void record_seal(const struct record *r, const uint8_t *in, uint8_t *out)
{
	/* In place, a failure half way would have eaten the plaintext. */
	EVP_CIPHER_CTX *ctx = in == out ? NULL : record_ctx(r);

	if (!ctx || libcrypto_record_seal(ctx, r, in, out))
		sodium_record_seal(r, in, out);
}

static int record_unseal(const struct record *r, const uint8_t *in, uint8_t *out)
{
	EVP_CIPHER_CTX *ctx = record_ctx(r);

	return ctx ? libcrypto_record_unseal(ctx, r, in, out) : sodium_record_unseal(r, in, out);
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

void keys_sha256(const struct keys_span *parts, size_t n, uint8_t out[static KEYS_LEN])
{
	struct chunk_ctx *ctx = chunk_ctx_get();

	if (!ctx || libcrypto_sha256(ctx->md, parts, n, out))
		sodium_sha256(parts, n, out);
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

void keys_sha256(const struct keys_span *parts, size_t n, uint8_t out[static KEYS_LEN])
{
	sodium_sha256(parts, n, out);
}

static void record_seal(const struct record *r, const uint8_t *in, uint8_t *out)
{
	sodium_record_seal(r, in, out);
}

static int record_unseal(const struct record *r, const uint8_t *in, uint8_t *out)
{
	return sodium_record_unseal(r, in, out);
}

static void chunk_forget(void)
{
}

int keys_seal_init(void)
{
	return 0;
}

#endif

void keys_seal_with(const uint8_t key[static KEYS_LEN],
		    const uint8_t nonce[static KEYS_SEAL_NONCE_LEN], struct keys_span ad,
		    struct keys_span plain, uint8_t *out)
{
	struct record r = {.key = key, .nonce = out, .ad = ad, .len = plain.len};

	memcpy(out, nonce, KEYS_SEAL_NONCE_LEN);
	record_seal(&r, plain.p, out + KEYS_SEAL_NONCE_LEN);
}

void keys_seal(const uint8_t key[static KEYS_LEN], struct keys_span ad, struct keys_span plain,
	       uint8_t *out)
{
	uint8_t nonce[KEYS_SEAL_NONCE_LEN];

	randombytes_buf(nonce, sizeof(nonce));
	keys_seal_with(key, nonce, ad, plain, out);
}

int keys_unseal(const uint8_t key[static KEYS_LEN], struct keys_span ad, struct keys_span sealed,
		uint8_t *plain_out)
{
	const uint8_t *p = sealed.p;
	struct record r = {.key = key, .nonce = p, .ad = ad};
	int rc;

	if (sealed.len < KEYS_SEAL_OVERHEAD)
		return -EBADMSG;
	r.len = sealed.len - KEYS_SEAL_OVERHEAD;
	rc = record_unseal(&r, p + KEYS_SEAL_NONCE_LEN, plain_out);
	if (rc && plain_out)
		keys_wipe(plain_out, r.len);
	return rc;
}

static void chunk_digest(struct keys_span ad, const uint8_t *in, size_t len, uint8_t *out)
{
	struct keys_span parts[] = {ad, {in, len}};

	keys_sha256(parts, 2, out);
}

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

/* SHA-256(associated data | text) of each; two at a time where the processor can. */
static void digest_all(const struct keys_chunk *c, size_t n, size_t len, bool sealed,
		       uint8_t digest[][KEYS_DIGEST_LEN])
{
	size_t i = 0;

	for (; i + 1 < n; i += 2) {
		const struct keys_sha256_message m[2] = {
			{c[i].ad, sealed ? c[i].out : c[i].in, digest[i]},
			{c[i + 1].ad, sealed ? c[i + 1].out : c[i + 1].in, digest[i + 1]},
		};

		if (!keys_sha256_two(m, len))
			break;
	}
	for (; i < n; i++)
		chunk_digest(c[i].ad, sealed ? c[i].out : c[i].in, len, digest[i]);
}

static void wipe_all(const struct keys_chunk *c, size_t n, size_t len)
{
	for (size_t i = 0; i < n; i++)
		keys_wipe(c[i].out, len);
}

static int seal_some(struct keys_chunk_sealer *s, const struct keys_chunk *c, size_t n, size_t len)
{
	uint8_t digest[AT_ONCE][KEYS_DIGEST_LEN];

	for (size_t i = 0; i < n; i++) {
		uint64_t count = s->count++;
		uint8_t *nonce = c[i].seal->nonce;

		memcpy(nonce, s->prefix, PREFIX_LEN);
		for (unsigned k = PREFIX_LEN; k < KEYS_SEAL_NONCE_LEN; k++, count >>= 8)
			nonce[k] = (uint8_t)count;
		if (chunk_stream(s->subkey, nonce, c[i].in, len, c[i].out))
			return -EIO;
	}
	digest_all(c, n, len, true, digest);
	for (size_t i = 0; i < n; i++)
		memcpy(c[i].seal->digest, digest[i], KEYS_DIGEST_LEN);
	return 0;
}

int keys_chunk_seal(struct keys_chunk_sealer *s, const struct keys_chunk *c, size_t n, size_t len)
{
	int rc = 0;

	for (size_t i = 0; !rc && i < n; i += AT_ONCE)
		rc = seal_some(s, c + i, n - i < AT_ONCE ? n - i : AT_ONCE, len);
	if (rc)
		wipe_all(c, n, len); /* never half-sealed bytes that could reach the disk */
	return rc;
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

static int open_some(struct keys_chunk_opener *o, const struct keys_chunk *c, size_t n, size_t len)
{
	uint8_t digest[AT_ONCE][KEYS_DIGEST_LEN];
	bool sound = true;

	digest_all(c, n, len, false, digest);
	for (size_t i = 0; i < n; i++)
		sound &= keys_equal(digest[i], c[i].seal->digest, KEYS_DIGEST_LEN);
	for (size_t i = 0; sound && i < n; i++) {
		const uint8_t *nonce = c[i].seal->nonce;

		if (!o->keyed || memcmp(o->prefix, nonce, PREFIX_LEN) != 0) {
			memcpy(o->prefix, nonce, PREFIX_LEN);
			crypto_core_hchacha20(o->subkey, o->prefix, o->key, NULL);
			o->keyed = true;
		}
		sound = !chunk_stream(o->subkey, nonce, c[i].in, len, c[i].out);
	}
	return sound ? 0 : -EBADMSG;
}

int keys_chunk_open(struct keys_chunk_opener *o, const struct keys_chunk *c, size_t n, size_t len)
{
	int rc = 0;

	for (size_t i = 0; !rc && i < n; i += AT_ONCE)
		rc = open_some(o, c + i, n - i < AT_ONCE ? n - i : AT_ONCE, len);
	if (rc)
		wipe_all(c, n, len);
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
