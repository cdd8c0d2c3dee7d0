/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keys/sha256.c - SHA-256 of two messages at once with the processor's SHA instructions.
 *
 * x86-64 only; elsewhere, and on processors without the instructions, it says no
 * and the caller's libraries do the work. A state is two vectors as the instructions
 * want them, ABEF and CDGH. Nothing secret passes through here: what is hashed is
 * ciphertext and its place. Owns no state.
 */
#include "sha256.h"

#include <string.h>

#if defined(__x86_64__) && defined(__GNUC__)

#include <cpuid.h>
#include <immintrin.h>
#include <stdatomic.h>

#define BLOCK 64u
#define LENGTH_AT (BLOCK - 8) /* of the last block: bits, big-endian */
#define WITH_SHA __attribute__((target("sha,sse4.1")))

struct state {
	__m128i abef, cdgh;
};

static const uint32_t round_key[64] __attribute__((aligned(16))) = {
	0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4,
	0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe,
	0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f,
	0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7,
	0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc,
	0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b,
	0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116,
	0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
	0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7,
	0xc67178f2,
};

/* 0 not asked yet, 1 no, 2 yes */
static atomic_int answer;

static bool has_sha(void)
{
	unsigned a, b, c, d;
	int known = atomic_load_explicit(&answer, memory_order_relaxed);

	if (known)
		return known == 2;
	known = 1;
	if (__get_cpuid(1, &a, &b, &c, &d) && c & bit_SSE4_1 &&
	    __get_cpuid_count(7, 0, &a, &b, &c, &d) && b & bit_SHA)
		known = 2;
	atomic_store_explicit(&answer, known, memory_order_relaxed);
	return known == 2;
}

/* ---- the compression function ---- */

WITH_SHA static inline void load(__m128i w[static 4], const uint8_t *p)
{
	const __m128i swap = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);

	for (unsigned i = 0; i < 4; i++)
		w[i] = _mm_shuffle_epi8(_mm_loadu_si128((const void *)(p + 16 * i)), swap);
}

/* Four rounds with message words 4r to 4r + 3, which become the words 16 further on. */
WITH_SHA static inline void rounds(struct state *s, __m128i w[static 4], unsigned r)
{
	__m128i k = _mm_load_si128((const void *)(round_key + (size_t)4 * r));
	__m128i wk = _mm_add_epi32(w[r % 4], k), sum;

	s->cdgh = _mm_sha256rnds2_epu32(s->cdgh, s->abef, wk);
	s->abef = _mm_sha256rnds2_epu32(s->abef, s->cdgh, _mm_shuffle_epi32(wk, 0x0e));
	if (r >= 12)
		return;
	sum = _mm_add_epi32(_mm_sha256msg1_epu32(w[r % 4], w[(r + 1) % 4]),
			    _mm_alignr_epi8(w[(r + 3) % 4], w[(r + 2) % 4], 4));
	w[r % 4] = _mm_sha256msg2_epu32(sum, w[(r + 3) % 4]);
}

WITH_SHA static inline void add(struct state *s, const struct state *before)
{
	s->abef = _mm_add_epi32(s->abef, before->abef);
	s->cdgh = _mm_add_epi32(s->cdgh, before->cdgh);
}

WITH_SHA static void compress(struct state s[static 2], const uint8_t *p, const uint8_t *q,
			      size_t blocks)
{
	struct state a = s[0], b = s[1];

	for (; blocks; blocks--, p += BLOCK, q += BLOCK) {
		struct state a0 = a, b0 = b;
		__m128i v[4], w[4];

		load(v, p);
		load(w, q);
#pragma GCC unroll 16
		for (unsigned r = 0; r < 16; r++) {
			rounds(&a, v, r);
			rounds(&b, w, r);
		}
		add(&a, &a0);
		add(&b, &b0);
	}
	s[0] = a;
	s[1] = b;
}

/* ---- messages ---- */

WITH_SHA static struct state begin(void)
{
	struct state s = {
		_mm_set_epi32(0x6a09e667, (int)0xbb67ae85, 0x510e527f, (int)0x9b05688c),
		_mm_set_epi32(0x3c6ef372, (int)0xa54ff53a, 0x1f83d9ab, 0x5be0cd19),
	};

	return s;
}

WITH_SHA static void finish(const struct state *s, uint8_t *out)
{
	static const uint8_t from[8] = {3, 2, 7, 6, 1, 0, 5, 4}; /* f e b a h g d c */
	uint32_t x[8];

	_mm_storeu_si128((void *)x, s->abef);
	_mm_storeu_si128((void *)(x + 4), s->cdgh);
	for (unsigned i = 0; i < KEYS_SHA256_LEN; i++)
		out[i] = (uint8_t)(x[from[i / 4]] >> (24 - 8 * (i % 4)));
}

/* The rest of a message and its padding: one block or two. */
static size_t make_tail(uint8_t tail[static 2 * BLOCK], const uint8_t *rest, size_t n, uint64_t len)
{
	size_t blocks = n < LENGTH_AT ? 1 : 2;

	memset(tail, 0, 2 * BLOCK);
	memcpy(tail, rest, n);
	tail[n] = 0x80;
	for (unsigned i = 0; i < 8; i++)
		tail[blocks * BLOCK - 1 - i] = (uint8_t)(len * 8 >> (8 * i));
	return blocks;
}

WITH_SHA static void digest_two(const struct keys_sha256_message *m, size_t body_len)
{
	size_t head = m[0].head.len, skip = head ? BLOCK - head : 0;
	size_t whole = (body_len - skip) / BLOCK, done = skip + whole * BLOCK, tails = 0;
	struct state s[2] = {begin(), begin()};
	uint8_t edge[2][2 * BLOCK];

	for (unsigned i = 0; head && i < 2; i++) {
		memcpy(edge[i], m[i].head.p, head);
		memcpy(edge[i] + head, m[i].body, skip);
	}
	if (head)
		compress(s, edge[0], edge[1], 1);
	compress(s, m[0].body + skip, m[1].body + skip, whole);
	for (unsigned i = 0; i < 2; i++)
		tails = make_tail(edge[i], m[i].body + done, body_len - done, head + body_len);
	compress(s, edge[0], edge[1], tails);
	finish(&s[0], m[0].digest);
	finish(&s[1], m[1].digest);
}

bool keys_sha256_two(const struct keys_sha256_message m[static 2], size_t body_len)
{
	if (m[0].head.len != m[1].head.len || m[0].head.len > BLOCK || body_len < BLOCK ||
	    body_len > UINT32_MAX || !has_sha())
		return false;
	digest_two(m, body_len);
	return true;
}

#else

bool keys_sha256_two(const struct keys_sha256_message m[static 2], size_t body_len)
{
	(void)m;
	(void)body_len;
	return false;
}

#endif
