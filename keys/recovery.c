/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keys/recovery.c - the recovery key, what it escrows, and the daemon's proof of itself.
 *
 * Implements keys/FORMAT.md, "Recovery key", "Escrow" and "Daemon key". Box pair
 * and sealing key are derived from the printed key and the vault, each under its
 * own label; neither gives away the other.
 */
#include "recovery.h"

#include <errno.h>
#include <string.h>
#include <sodium.h>

#include "base32.h"
#include "bytes.h"

#define FORMAT 1
#define PLAIN_LEN (KEYS_SIGN_SK_LEN + KEYS_LEN)
#define SEALED_LEN (PLAIN_LEN + KEYS_SEAL_OVERHEAD)
#define HEAD_LEN 8
#define PAD_LEN (KEYS_ESCROW_LEN - HEAD_LEN - SEALED_LEN)

_Static_assert(HEAD_LEN + SEALED_LEN <= KEYS_ESCROW_LEN, "escrow length");
_Static_assert(KEYS_BASE32_TEXT_LEN(KEYS_RECOVERY_LEN) <= KEYS_RECOVERY_TEXT_MAX, "text length");
_Static_assert(crypto_box_SEEDBYTES == KEYS_LEN, "X25519 seed length");

void keys_recovery_new(uint8_t key[static KEYS_RECOVERY_LEN])
{
	keys_random(key, KEYS_RECOVERY_LEN);
}

void keys_recovery_print(const uint8_t key[static KEYS_RECOVERY_LEN],
			 char out[static KEYS_RECOVERY_TEXT_MAX])
{
	keys_base32_print(key, KEYS_RECOVERY_LEN, out);
}

int keys_recovery_parse(const char *text, uint8_t key[static KEYS_RECOVERY_LEN])
{
	return keys_base32_parse(text, KEYS_RECOVERY_LEN, key);
}

void keys_recovery_box(const uint8_t vault[static KEYS_VAULT_ID_LEN],
		       const uint8_t key[static KEYS_RECOVERY_LEN], uint8_t pk[static KEYS_LEN],
		       uint8_t sk[static KEYS_LEN])
{
	const struct keys_span part = {vault, KEYS_VAULT_ID_LEN};
	uint8_t seed[KEYS_LEN];

	keys_label_derive(KEYS_LABEL_RECOVERY_BOX, key, &part, 1, seed, sizeof(seed));
	crypto_box_seed_keypair(pk, sk, seed);
	sodium_memzero(seed, sizeof(seed));
}

static void escrow_key(const uint8_t *vault, const uint8_t *key, uint8_t *out)
{
	const struct keys_span part = {vault, KEYS_VAULT_ID_LEN};

	keys_label_derive(KEYS_LABEL_RECOVERY_SEAL, key, &part, 1, out, KEYS_LEN);
}

void keys_escrow_seal(const uint8_t vault[static KEYS_VAULT_ID_LEN],
		      const uint8_t key[static KEYS_RECOVERY_LEN],
		      const uint8_t root_sk[static KEYS_SIGN_SK_LEN],
		      const uint8_t host_secret[static KEYS_LEN],
		      uint8_t out[static KEYS_ESCROW_LEN])
{
	uint8_t seal_key[KEYS_LEN], plain[PLAIN_LEN];
	struct bytes_out b = bytes_out(out, KEYS_ESCROW_LEN);
	uint8_t *sealed;

	memcpy(plain, root_sk, KEYS_SIGN_SK_LEN);
	memcpy(plain + KEYS_SIGN_SK_LEN, host_secret, KEYS_LEN);
	escrow_key(vault, key, seal_key);
	bytes_put_u8(&b, FORMAT);
	bytes_put_zero(&b, HEAD_LEN - 1);
	sealed = bytes_room(&b, SEALED_LEN);
	keys_seal(seal_key, (struct keys_span){vault, KEYS_VAULT_ID_LEN},
		  (struct keys_span){plain, sizeof(plain)}, sealed);
	bytes_put_zero(&b, PAD_LEN);
	sodium_memzero(seal_key, sizeof(seal_key));
	sodium_memzero(plain, sizeof(plain));
}

int keys_escrow_open(const uint8_t vault[static KEYS_VAULT_ID_LEN],
		     const uint8_t key[static KEYS_RECOVERY_LEN], const uint8_t *p, size_t len,
		     uint8_t root_sk[static KEYS_SIGN_SK_LEN], uint8_t host_secret[static KEYS_LEN])
{
	uint8_t seal_key[KEYS_LEN], plain[PLAIN_LEN] = {0};
	struct bytes_in in = bytes_in(p, len);
	const uint8_t *sealed;
	uint8_t format;
	int rc = -EKEYREJECTED;

	format = bytes_get_u8(&in);
	bytes_get_zero(&in, HEAD_LEN - 1);
	sealed = bytes_take(&in, SEALED_LEN);
	bytes_get_zero(&in, PAD_LEN);
	if (!bytes_in_done(&in) || format != FORMAT)
		return rc;
	escrow_key(vault, key, seal_key);
	if (keys_unseal(seal_key, (struct keys_span){vault, KEYS_VAULT_ID_LEN},
			(struct keys_span){sealed, SEALED_LEN}, plain) == 0) {
		memcpy(root_sk, plain, KEYS_SIGN_SK_LEN);
		memcpy(host_secret, plain + KEYS_SIGN_SK_LEN, KEYS_LEN);
		rc = 0;
	}
	sodium_memzero(seal_key, sizeof(seal_key));
	sodium_memzero(plain, sizeof(plain));
	return rc;
}

void keys_daemon_certify(const uint8_t vault[static KEYS_VAULT_ID_LEN],
			 const uint8_t daemon_pk[static KEYS_LEN],
			 const uint8_t root_sk[static KEYS_SIGN_SK_LEN],
			 uint8_t cert[static KEYS_SIG_LEN])
{
	const struct keys_span parts[] = {
		{vault, KEYS_VAULT_ID_LEN},
		{daemon_pk, KEYS_LEN},
	};

	keys_label_sign(KEYS_LABEL_DAEMON_CERT, root_sk, parts, 2, cert);
}

void keys_daemon_answer(const uint8_t vault[static KEYS_VAULT_ID_LEN],
			const uint8_t daemon_sk[static KEYS_SIGN_SK_LEN],
			const uint8_t nonce[static KEYS_NONCE_LEN],
			uint8_t sig[static KEYS_SIG_LEN])
{
	const struct keys_span parts[] = {
		{vault, KEYS_VAULT_ID_LEN},
		{nonce, KEYS_NONCE_LEN},
	};

	keys_label_sign(KEYS_LABEL_DAEMON_HELLO, daemon_sk, parts, 2, sig);
}

int keys_daemon_certified(const uint8_t vault[static KEYS_VAULT_ID_LEN],
			  const uint8_t root_pk[static KEYS_LEN],
			  const uint8_t daemon_pk[static KEYS_LEN],
			  const uint8_t cert[static KEYS_SIG_LEN])
{
	const struct keys_span parts[] = {
		{vault, KEYS_VAULT_ID_LEN},
		{daemon_pk, KEYS_LEN},
	};

	return keys_label_verify(KEYS_LABEL_DAEMON_CERT, root_pk, parts, 2, cert);
}

int keys_daemon_check(const uint8_t vault[static KEYS_VAULT_ID_LEN],
		      const uint8_t root_pk[static KEYS_LEN],
		      const uint8_t daemon_pk[static KEYS_LEN],
		      const uint8_t cert[static KEYS_SIG_LEN],
		      const uint8_t nonce[static KEYS_NONCE_LEN],
		      const uint8_t sig[static KEYS_SIG_LEN])
{
	const struct keys_span answered[] = {
		{vault, KEYS_VAULT_ID_LEN},
		{nonce, KEYS_NONCE_LEN},
	};
	int rc = keys_daemon_certified(vault, root_pk, daemon_pk, cert);

	if (rc)
		return rc;
	return keys_label_verify(KEYS_LABEL_DAEMON_HELLO, daemon_pk, answered, 2, sig);
}
