/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keys/proof.c - proofs from the tree of the log as text.
 *
 * Owns nothing; texts belong to who asked for them. Implements keys/FORMAT.md, "Proofs".
 *
 * Invariant: what parses is what would be written: numbers without leading zeros, whole hashes.
 */
#include "proof.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base64.h"

#define HASH_TEXT KEYS_BASE64_ROOM(KEYS_LEN) /* its NUL is a newline's room */
#define HEAD_MAX 64

static const char inclusion_start[] = "c2sp.org/tlog-proof@v1\nindex ";
static const char consistency_start[] = "old ";

static char *proof_text(const char *start, uint64_t number, const uint8_t *proof, size_t n,
			const char *checkpoint)
{
	size_t cap = HEAD_MAX + n * HASH_TEXT + 1 + strlen(checkpoint) + 1, len;
	char *out = n <= KEYS_PROOF_HASHES ? malloc(cap) : NULL;

	if (!out)
		return NULL;
	len = (size_t)snprintf(out, cap, "%s%" PRIu64 "\n", start, number);
	for (size_t i = 0; i < n; i++) {
		(void)keys_base64(proof + i * KEYS_LEN, KEYS_LEN, out + len, HASH_TEXT);
		len += HASH_TEXT;
		out[len - 1] = '\n';
	}
	snprintf(out + len, cap - len, "\n%s", checkpoint);
	return out;
}

char *keys_proof_inclusion_text(uint64_t index, const uint8_t *proof, size_t n,
				const char *checkpoint)
{
	return proof_text(inclusion_start, index, proof, n, checkpoint);
}

char *keys_proof_consistency_text(uint64_t old_size, const uint8_t *proof, size_t n,
				  const char *checkpoint)
{
	return proof_text(consistency_start, old_size, proof, n, checkpoint);
}

/* A number that is a whole line; how many bytes with its newline, 0: none. */
static size_t number_line(const char *p, size_t len, uint64_t *out)
{
	uint64_t v = 0;
	size_t n = 0;

	for (; n < len && p[n] >= '0' && p[n] <= '9'; n++) {
		if (__builtin_mul_overflow(v, 10, &v) ||
		    __builtin_add_overflow(v, (uint64_t)(p[n] - '0'), &v))
			return 0;
	}
	if (!n || n == len || p[n] != '\n' || (p[0] == '0' && n > 1))
		return 0;
	*out = v;
	return n + 1;
}

static size_t start_line(const char *p, size_t len, struct keys_proof *out)
{
	const size_t inclusion = sizeof(inclusion_start) - 1,
		     consistency = sizeof(consistency_start) - 1;

	out->consistency = len >= consistency && memcmp(p, consistency_start, consistency) == 0;
	if (out->consistency)
		return consistency;
	return len >= inclusion && memcmp(p, inclusion_start, inclusion) == 0 ? inclusion : 0;
}

static int proof_parse(const char *p, size_t len, struct keys_proof *out)
{
	size_t at = start_line(p, len, out), n = 0, hash_len = 0;

	if (!at)
		return -EBADMSG;
	n = number_line(p + at, len - at, &out->number);
	if (!n)
		return -EBADMSG;
	for (at += n; at < len && p[at] != '\n'; at += HASH_TEXT) {
		if (len - at < HASH_TEXT || p[at + HASH_TEXT - 1] != '\n' ||
		    out->count == KEYS_PROOF_HASHES ||
		    keys_base64_parse(p + at, HASH_TEXT - 1, out->hash[out->count], KEYS_LEN,
				      &hash_len) ||
		    hash_len != KEYS_LEN)
			return -EBADMSG;
		out->count++;
	}
	if (len - at < 2)
		return -EBADMSG;
	out->checkpoint = p + at + 1;
	out->checkpoint_len = len - at - 1;
	return 0;
}

int keys_proof_parse(const char *p, size_t len, struct keys_proof *out)
{
	memset(out, 0, sizeof(*out));
	return proof_parse(p, len, out);
}
