/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keys/label.c - labelled hashing, derivation and signing over BLAKE2b, SHA-256 and Ed25519.
 *
 * Owns the table of labels and the one way in which label and parts are hashed:
 * every text and every part is preceded by its length as a 64-bit little-endian
 * number. Implements keys/FORMAT.md, "Labels".
 *
 * Invariants:
 * 1. A label's text never changes and is never used for two purposes.
 * 2. Signatures cover only 64-byte labelled hashes, never bare messages.
 */
#include "label.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sodium.h>

#include "bytes.h"
#include "seal.h"
#include "totp.h"

_Static_assert(KEYS_LEN == crypto_generichash_KEYBYTES, "BLAKE2b key length");
_Static_assert(KEYS_SIG_LEN == crypto_sign_BYTES, "Ed25519 signature length");
_Static_assert(KEYS_SIGN_SK_LEN == crypto_sign_SECRETKEYBYTES, "Ed25519 secret key length");
_Static_assert(KEYS_LEN == crypto_sign_PUBLICKEYBYTES, "Ed25519 public key length");

static const char *const texts[KEYS_LABEL_COUNT] = {
	[KEYS_LABEL_HEADER] = "journalfs 1 header",
	[KEYS_LABEL_ROOT_HASH] = "journalfs 1 root hash",
	[KEYS_LABEL_STATEMENT] = "journalfs 1 statement",
	[KEYS_LABEL_STATEMENT_HASH] = "journalfs 1 statement hash",
	[KEYS_LABEL_IDENTITY] = "journalfs 1 identity",
	[KEYS_LABEL_ENVELOPE] = "journalfs 1 envelope",
	[KEYS_LABEL_INVITE_SIGN] = "journalfs 1 invite sign",
	[KEYS_LABEL_INVITE_SEAL] = "journalfs 1 invite seal",
	[KEYS_LABEL_SESSION_CERT] = "journalfs 1 session certificate",
	[KEYS_LABEL_JOURNAL_ROOT] = "journalfs 1 journal root",
	[KEYS_LABEL_VAULT_ROOT] = "journalfs 1 vault root",
	[KEYS_LABEL_VAULT_MAC_KEY] = "journalfs 1 vault mac key",
	[KEYS_LABEL_MANIFEST] = "journalfs 1 manifest",
	[KEYS_LABEL_COMMITMENT] = "journalfs 1 commitment",
	[KEYS_LABEL_SUCCESSION] = "journalfs 1 succession",
	[KEYS_LABEL_EFFECTIVE] = "journalfs 1 effective key",
	[KEYS_LABEL_RECORD_KEY] = "journalfs 1 record key",
	[KEYS_LABEL_CHUNK_KEY] = "journalfs 1 chunk key",
	[KEYS_LABEL_NAME_KEY] = "journalfs 1 name key",
	[KEYS_LABEL_NAME_HASH] = "journalfs 1 name hash",
	[KEYS_LABEL_TAG] = "journalfs 1 tag",
	[KEYS_LABEL_NODE] = "journalfs 1 node",
	[KEYS_LABEL_BG_HOST] = "journalfs 1 break-glass host",
	[KEYS_LABEL_RECOVERY_BOX] = "journalfs 1 recovery box",
	[KEYS_LABEL_RECOVERY_SEAL] = "journalfs 1 recovery seal",
	[KEYS_LABEL_DAEMON_CERT] = "journalfs 1 daemon certificate",
	[KEYS_LABEL_DAEMON_HELLO] = "journalfs 1 daemon hello",
	[KEYS_LABEL_LOG_NEXT] = "journalfs 1 log next",
	[KEYS_LABEL_LOG_STREAM] = "journalfs 1 log stream",
	[KEYS_LABEL_NOTE] = "journalfs 1 note",
	[KEYS_LABEL_REDO] = "journalfs 1 redo record",
	[KEYS_LABEL_GRANT] = "journalfs 1 grant text",
	[KEYS_LABEL_NOTICE] = "journalfs 1 notice",
	[KEYS_LABEL_FACTOR] = "journalfs 1 factor",
	[KEYS_LABEL_RECOVERY_CODE] = "journalfs 1 recovery code",
	[KEYS_LABEL_PASSPHRASE] = "journalfs 1 earlier passphrase",
	[KEYS_LABEL_NOTE_HASH] = "journalfs 1 note statement hash",
	[KEYS_LABEL_MINISIGN_KEY] = "journalfs 1 minisign key",
	[KEYS_LABEL_MINISIGN_CERT] = "journalfs 1 minisign certificate",
	[KEYS_LABEL_LOG_KEY] = "journalfs 1 log checkpoint key",
	[KEYS_LABEL_CHECKPOINT_KEY] = "journalfs 1 stable checkpoint key",
	[KEYS_LABEL_LOG_INDEX] = "journalfs 1 log index",
	[KEYS_LABEL_LOG_ARCHIVE] = "journalfs 1 log archive",
	[KEYS_LABEL_AUDIT_KEY] = "journalfs 1 audit key",
	[KEYS_LABEL_LOG_COPY] = "journalfs 1 log copy",
};

int keys_init(void)
{
	if (sodium_init() < 0 || keys_totp_init())
		return -EIO;
	return keys_seal_init();
}

const char *keys_label_text(enum keys_label label)
{
	assert((unsigned)label < KEYS_LABEL_COUNT);
	return texts[label];
}

static void hash_span(crypto_generichash_state *state, const void *p, size_t len)
{
	uint8_t len_le[8];
	struct bytes_out out = bytes_out(len_le, sizeof(len_le));

	bytes_put_u64(&out, len);
	crypto_generichash_update(state, len_le, sizeof(len_le));
	if (len)
		crypto_generichash_update(state, p, len);
}

static void hash_all(enum keys_label label, const uint8_t *key, const struct keys_span *parts,
		     size_t n, uint8_t *out, size_t out_len)
{
	const char *text = keys_label_text(label);
	crypto_generichash_state state;
	int rc;

	assert(out_len >= crypto_generichash_BYTES_MIN && out_len <= crypto_generichash_BYTES_MAX);
	rc = crypto_generichash_init(&state, key, key ? KEYS_LEN : 0, out_len);
	assert(rc == 0);
	hash_span(&state, text, strlen(text));
	for (size_t i = 0; i < n; i++)
		hash_span(&state, parts[i].p, parts[i].len);
	rc = crypto_generichash_final(&state, out, out_len);
	assert(rc == 0);
	(void)rc;
	sodium_memzero(&state, sizeof(state));
}

void keys_label_hash(enum keys_label label, const struct keys_span *parts, size_t n, uint8_t *out,
		     size_t out_len)
{
	hash_all(label, NULL, parts, n, out, out_len);
}

void keys_label_digest(enum keys_label label, const struct keys_span *parts, size_t n, uint8_t *out,
		       size_t out_len)
{
	const char *text = keys_label_text(label);
	uint8_t head[128], hash[KEYS_LEN];
	struct bytes_out o = bytes_out(head, sizeof(head));
	struct keys_span all[2];

	assert(n && out_len <= sizeof(hash));
	bytes_put_u64(&o, strlen(text));
	bytes_put(&o, text, strlen(text));
	for (size_t i = 0; i < n; i++) {
		bytes_put_u64(&o, parts[i].len);
		if (i + 1 < n)
			bytes_put(&o, parts[i].p, parts[i].len);
	}
	assert(!o.bad);
	all[0] = (struct keys_span){head, o.len};
	all[1] = parts[n - 1];
	keys_sha256(all, 2, hash);
	memcpy(out, hash, out_len);
}

void keys_label_derive(enum keys_label label, const uint8_t key[static KEYS_LEN],
		       const struct keys_span *parts, size_t n, uint8_t *out, size_t out_len)
{
	hash_all(label, key, parts, n, out, out_len);
}

void keys_label_auth(enum keys_label label, const uint8_t key[static KEYS_LEN],
		     struct keys_span nonce, const struct keys_span *parts, size_t n,
		     uint8_t mac[static KEYS_AUTH_LEN])
{
	static const uint8_t zeros[16];
	crypto_onetimeauth_state state;
	uint8_t once[crypto_onetimeauth_KEYBYTES], len_le[16];

	hash_all(label, key, &nonce, 1, once, sizeof(once));
	crypto_onetimeauth_init(&state, once);
	for (size_t i = 0; i < n; i++) {
		struct bytes_out out = bytes_out(len_le, sizeof(len_le));

		bytes_put_u64(&out, parts[i].len);
		bytes_put_zero(&out, 8);
		crypto_onetimeauth_update(&state, len_le, sizeof(len_le));
		crypto_onetimeauth_update(&state, parts[i].p, parts[i].len);
		crypto_onetimeauth_update(&state, zeros, -parts[i].len % 16);
	}
	crypto_onetimeauth_final(&state, mac);
	sodium_memzero(&state, sizeof(state));
	sodium_memzero(once, sizeof(once));
}

void keys_label_sign(enum keys_label label, const uint8_t sk[static KEYS_SIGN_SK_LEN],
		     const struct keys_span *parts, size_t n, uint8_t sig[static KEYS_SIG_LEN])
{
	uint8_t hash[64];

	hash_all(label, NULL, parts, n, hash, sizeof(hash));
	crypto_sign_detached(sig, NULL, hash, sizeof(hash), sk);
	sodium_memzero(hash, sizeof(hash));
}

int keys_label_verify(enum keys_label label, const uint8_t pk[static KEYS_LEN],
		      const struct keys_span *parts, size_t n,
		      const uint8_t sig[static KEYS_SIG_LEN])
{
	uint8_t hash[64];
	int rc;

	hash_all(label, NULL, parts, n, hash, sizeof(hash));
	rc = crypto_sign_verify_detached(sig, hash, sizeof(hash), pk) == 0 ? 0 : -EBADMSG;
	sodium_memzero(hash, sizeof(hash));
	return rc;
}

int keys_equal(const void *a, const void *b, size_t n)
{
	return n == 0 || sodium_memcmp(a, b, n) == 0;
}

void keys_wipe(void *p, size_t n)
{
	if (n)
		sodium_memzero(p, n);
}

void keys_random(void *p, size_t n)
{
	randombytes_buf(p, n);
}
