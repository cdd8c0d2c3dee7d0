/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy/sample.c - draws the sample (FORMAT.md, Samples).
 *
 * SipHash-2-4 (Aumasson, Bernstein 2012), keyed with the seed, of the record's number: 64 bits of
 * which the whole product with 1,000 is looked at, so that no rest favors any record. It is no
 * secret: it only has to be even, and out of anybody's hand once the seed is said.
 */
#include "sample.h"

#include <string.h>

#include "basis.h"

static uint64_t rotate(uint64_t x, unsigned n)
{
	return x << n | x >> (64 - n);
}

static void rounds(uint64_t v[static 4], unsigned n)
{
	while (n--) {
		v[0] += v[1];
		v[1] = rotate(v[1], 13) ^ v[0];
		v[0] = rotate(v[0], 32);
		v[2] += v[3];
		v[3] = rotate(v[3], 16) ^ v[2];
		v[0] += v[3];
		v[3] = rotate(v[3], 21) ^ v[0];
		v[2] += v[1];
		v[1] = rotate(v[1], 17) ^ v[2];
		v[2] = rotate(v[2], 32);
	}
}

static uint64_t word(const uint8_t *p, size_t len)
{
	uint64_t w = 0;

	for (size_t i = 0; i < len; i++)
		w |= (uint64_t)p[i] << 8 * i;
	return w;
}

uint64_t policy_sample_hash(const uint64_t key[static 2], const uint8_t *p, size_t len)
{
	uint64_t v[4] = {
		key[0] ^ UINT64_C(0x736f6d6570736575), key[1] ^ UINT64_C(0x646f72616e646f6d),
		key[0] ^ UINT64_C(0x6c7967656e657261), key[1] ^ UINT64_C(0x7465646279746573)};
	uint64_t last = (uint64_t)len << 56;

	for (; len >= 8; p += 8, len -= 8) {
		uint64_t m = word(p, 8);

		v[3] ^= m;
		rounds(v, 2);
		v[0] ^= m;
	}
	last |= word(p, len);
	v[3] ^= last;
	rounds(v, 2);
	v[0] ^= last;
	v[2] ^= 0xff;
	rounds(v, 4);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

void policy_sample_init(struct policy_sample *s, const char *seed, uint32_t per_thousand)
{
	static const uint64_t first[2] = {0, 0}, second[2] = {1, 0};

	s->key[0] = policy_sample_hash(first, (const uint8_t *)seed, strlen(seed));
	s->key[1] = policy_sample_hash(second, (const uint8_t *)seed, strlen(seed));
	s->per_thousand = per_thousand;
}

bool policy_sample_takes(const struct policy_sample *s, uint64_t seq)
{
	uint8_t number[8];
	uint64_t h, low;

	for (unsigned i = 0; i < 8; i++)
		number[i] = (uint8_t)(seq >> 8 * i);
	h = policy_sample_hash(s->key, number, sizeof(number));
	low = (h & UINT32_MAX) * 1000;
	return ((h >> 32) * 1000 + (low >> 32)) >> 32 < s->per_thousand;
}

bool policy_sample_is_access(const struct policy_record *r)
{
	enum policy_act act = policy_basis_act(r);

	return act == POLICY_ACT_READ || act == POLICY_ACT_REFUSED ||
	       r->kind == POLICY_RECORD_BREAK_GLASS;
}
