/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keys/recovery.h - the recovery key: made at init, printed once, never stored.
 *
 * 32 random bytes, printed in Crockford base32 with a check, in groups. From it
 * come an X25519 pair (wraps of every journal key and the index key, the log)
 * and a sealing key (escrow of root secret and host secret).
 */
#ifndef KEYS_RECOVERY_H
#define KEYS_RECOVERY_H

#include "seal.h"

#define KEYS_RECOVERY_LEN 32
#define KEYS_RECOVERY_TEXT_MAX 96

void keys_recovery_new(uint8_t key[static KEYS_RECOVERY_LEN]);
void keys_recovery_print(const uint8_t key[static KEYS_RECOVERY_LEN],
			 char out[static KEYS_RECOVERY_TEXT_MAX]);
/* Forgiving as keys_code_parse. -EINVAL. */
int keys_recovery_parse(const char *text, uint8_t key[static KEYS_RECOVERY_LEN]);
void keys_recovery_box(const uint8_t vault[static KEYS_VAULT_ID_LEN],
		       const uint8_t key[static KEYS_RECOVERY_LEN], uint8_t pk[static KEYS_LEN],
		       uint8_t sk[static KEYS_LEN]);

/* Escrow: root secret key and host secret, sealed to the recovery key. */
#define KEYS_ESCROW_LEN 160
void keys_escrow_seal(const uint8_t vault[static KEYS_VAULT_ID_LEN],
		      const uint8_t key[static KEYS_RECOVERY_LEN],
		      const uint8_t root_sk[static KEYS_SIGN_SK_LEN],
		      const uint8_t host_secret[static KEYS_LEN], uint8_t out[static KEYS_ESCROW_LEN]);
/* -EKEYREJECTED: not this vault's recovery key, or damaged. */
int keys_escrow_open(const uint8_t vault[static KEYS_VAULT_ID_LEN],
		     const uint8_t key[static KEYS_RECOVERY_LEN], const uint8_t *p, size_t len,
		     uint8_t root_sk[static KEYS_SIGN_SK_LEN], uint8_t host_secret[static KEYS_LEN]);

/* The daemon's key: certified by the root, proves the daemon to clients. */
#define KEYS_NONCE_LEN 32
void keys_daemon_certify(const uint8_t vault[static KEYS_VAULT_ID_LEN],
			 const uint8_t daemon_pk[static KEYS_LEN],
			 const uint8_t root_sk[static KEYS_SIGN_SK_LEN],
			 uint8_t cert[static KEYS_SIG_LEN]);
void keys_daemon_answer(const uint8_t vault[static KEYS_VAULT_ID_LEN],
			const uint8_t daemon_sk[static KEYS_SIGN_SK_LEN],
			const uint8_t nonce[static KEYS_NONCE_LEN], uint8_t sig[static KEYS_SIG_LEN]);
/* The certificate alone: 0 or -EBADMSG. */
int keys_daemon_certified(const uint8_t vault[static KEYS_VAULT_ID_LEN],
			  const uint8_t root_pk[static KEYS_LEN],
			  const uint8_t daemon_pk[static KEYS_LEN],
			  const uint8_t cert[static KEYS_SIG_LEN]);
/* Certificate and answer together. -EBADMSG. */
int keys_daemon_check(const uint8_t vault[static KEYS_VAULT_ID_LEN],
		      const uint8_t root_pk[static KEYS_LEN],
		      const uint8_t daemon_pk[static KEYS_LEN],
		      const uint8_t cert[static KEYS_SIG_LEN],
		      const uint8_t nonce[static KEYS_NONCE_LEN],
		      const uint8_t sig[static KEYS_SIG_LEN]);

#endif
