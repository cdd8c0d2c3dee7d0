/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keys/header.h - VAULT/header: what a vault is, signed by its root key.
 * Format: keys/FORMAT.md, "Header".
 */
#ifndef KEYS_HEADER_H
#define KEYS_HEADER_H

#include "label.h"

#define KEYS_HEADER_VERSION 2
#define KEYS_HEADER_LEN 256 /* fixed; the rest is zero and signed */
#define KEYS_SUITE_XCHACHA 1

struct keys_header {
	uint16_t version;
	uint8_t suite;
	uint8_t vault[KEYS_VAULT_ID_LEN];
	uint64_t made_s; /* wall clock */
	uint8_t root_pk[KEYS_LEN];
};

void keys_header_encode(const struct keys_header *h, const uint8_t root_sk[static KEYS_SIGN_SK_LEN],
			uint8_t out[static KEYS_HEADER_LEN]);

/*
 * 0; -EMEDIUMTYPE: not a vault header; -EPROTONOSUPPORT: another version or suite (h->version
 * and h->suite are set for the message); -EBADMSG: damaged or signature wrong.
 */
int keys_header_decode(const uint8_t *p, size_t len, struct keys_header *h);

/* The hash that clients and identities pin. */
void keys_header_root_hash(const uint8_t p[static KEYS_HEADER_LEN], uint8_t out[static KEYS_LEN]);

#endif
