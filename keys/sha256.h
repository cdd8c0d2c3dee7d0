/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keys/sha256.h - SHA-256 of two messages at once, for chunks.
 *
 * One SHA-256 can't keep the processor's SHA unit busy: each step waits for the one
 * before. Two that know nothing of each other fill the gaps: 1.4 us for each 4 KiB
 * instead of 2.2 (measured), and digests are most of what sealing and opening a
 * chunk costs. libcrypto and libsodium offer no such call. FIPS 180-4.
 */
#ifndef KEYS_SHA256_H
#define KEYS_SHA256_H

#include "label.h"

#include <stdbool.h>

#define KEYS_SHA256_LEN 32

/* A message: head, then body. */
struct keys_sha256_message {
	struct keys_span head;
	const uint8_t *body;
	uint8_t *digest; /* KEYS_SHA256_LEN bytes */
};

/*
 * Both digests. Heads of one length, at most 64 bytes; bodies of body_len bytes, at least 64. False:
 * nothing was done, since lengths or processor do not allow it.
 */
bool keys_sha256_two(const struct keys_sha256_message m[static 2], size_t body_len);

#endif
