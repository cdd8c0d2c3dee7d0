/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keys/stretch.h - from a passphrase to the key that opens an identity.
 *
 * The client stretches the passphrase with Argon2id (RFC 9106) and sends only
 * the result; the daemon mixes in the host secret. So a copy of the vault with
 * the passphrase is useless without the host, and the host never sees the
 * passphrase.
 */
#ifndef KEYS_STRETCH_H
#define KEYS_STRETCH_H

#include "label.h"

#define KEYS_SALT_LEN 16

struct keys_stretch_cost {
	uint32_t passes;
	uint32_t memory_kib;
};

/* 3 passes over 256 MiB (libsodium's MODERATE). */
extern const struct keys_stretch_cost keys_stretch_default;

/* Bounds that a stored cost must keep: 1..16 passes, 8 MiB..1 GiB. -EINVAL outside. */
int keys_stretch_check(const struct keys_stretch_cost *cost);

/* 0, -ENOMEM when memory does not suffice, -EINVAL for a cost out of bounds. */
int keys_stretch(const char *pass, size_t pass_len, const uint8_t salt[static KEYS_SALT_LEN],
		 const struct keys_stretch_cost *cost, uint8_t out[static KEYS_LEN]);

/* The envelope key; keyfile may be empty (len 0). */
void keys_stretch_envelope(const uint8_t stretched[static KEYS_LEN],
			   const uint8_t host_secret[static KEYS_LEN], struct keys_span keyfile,
			   uint8_t out[static KEYS_LEN]);

#endif
