/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/test_keys_seal.c - sealing of records and chunks, Padme. */
#include "test_keys_common.h"

#include <pthread.h>
#include <sodium.h>

#include "keys/seal.h"
#include "keys/sha256.h"

/* draft-irtf-cfrg-xchacha-03, A.3.1 */
static const char draft_plain[] =
	"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the "
	"future, sunscreen would be it.";
static const char draft_ad[] = "50515253c0c1c2c3c4c5c6c7";
static const char draft_key[] = "808182838485868788898a8b8c8d8e8f"
				"909192939495969798999a9b9c9d9e9f";
static const char draft_nonce[] = "404142434445464748494a4b4c4d4e4f5051525354555657";
static const char draft_sealed[] =
	"bd6d179d3e83d43b9576579493c0e939572a1700252bfaccbed2902c21396cbb"
	"731c7f1b0b4aa6440bf3a82f4eda7e39ae64c6708c54c216cb96b72e1213b452"
	"2f8c9ba40db5d945b11b69b982c1bb9e3f3fac2bc369488f76b2383565d3fff9"
	"21f9664c97637da9768812f615c68b13b52e";
static const char draft_tag[] = "c0875924c1c7987947deafd8780acf49";

START_TEST(unseal_opens_draft_vector)
{
	uint8_t key[32], ad[12], sealed[200], plain[200];
	size_t n;

	from_hex(draft_key, key, sizeof(key));
	from_hex(draft_ad, ad, sizeof(ad));
	n = from_hex(draft_nonce, sealed, sizeof(sealed));
	n += from_hex(draft_sealed, sealed + n, sizeof(sealed) - n);
	n += from_hex(draft_tag, sealed + n, sizeof(sealed) - n);
	ck_assert_uint_eq(n, strlen(draft_plain) + KEYS_SEAL_OVERHEAD);
	ck_assert_int_eq(keys_unseal(key, SPAN(ad), (struct keys_span){sealed, n}, plain), 0);
	ck_assert_mem_eq(plain, draft_plain, strlen(draft_plain));
}
END_TEST

/*
 * XChaCha20-Poly1305 enciphers from block 1 on, a chunk from block 0: the vector's ciphertext
 * stands 64 bytes into a chunk.
 */
START_TEST(open_chunk_opens_draft_vector)
{
	uint8_t key[32], ad[12], in[264] = {0}, plain[264];
	struct keys_chunk_opener o;
	struct keys_chunk_seal seal;
	struct keys_chunk c;
	crypto_hash_sha256_state sha;
	size_t n;

	from_hex(draft_key, key, sizeof(key));
	from_hex(draft_ad, ad, sizeof(ad));
	from_hex(draft_nonce, seal.nonce, sizeof(seal.nonce));
	n = 64 + from_hex(draft_sealed, in + 64, sizeof(in) - 64);
	crypto_hash_sha256_init(&sha);
	crypto_hash_sha256_update(&sha, ad, sizeof(ad));
	crypto_hash_sha256_update(&sha, in, n);
	crypto_hash_sha256_final(&sha, seal.digest);
	c = (struct keys_chunk){SPAN(ad), in, plain, &seal};
	keys_chunk_opener_init(&o, key);
	ck_assert_int_eq(keys_chunk_open(&o, &c, 1, n), 0);
	keys_chunk_opener_clear(&o);
	ck_assert_mem_eq(plain + 64, draft_plain, strlen(draft_plain));
}
END_TEST

static int seal_one(const uint8_t *key, struct keys_span ad, const uint8_t *in, size_t len,
		    uint8_t *out, struct keys_chunk_seal *seal)
{
	const struct keys_chunk c = {ad, in, out, seal};
	struct keys_chunk_sealer s;
	int rc;

	keys_chunk_sealer_init(&s, key);
	rc = keys_chunk_seal(&s, &c, 1, len);
	keys_chunk_sealer_clear(&s);
	ck_assert(all_zero((const uint8_t *)&s, sizeof(s)));
	return rc;
}

static int open_one(const uint8_t *key, struct keys_span ad, const uint8_t *in, size_t len,
		    uint8_t *out, const struct keys_chunk_seal *seal)
{
	struct keys_chunk_seal copy = *seal;
	const struct keys_chunk c = {ad, in, out, &copy};
	struct keys_chunk_opener o;
	int rc;

	keys_chunk_opener_init(&o, key);
	rc = keys_chunk_open(&o, &c, 1, len);
	keys_chunk_opener_clear(&o);
	ck_assert(all_zero((const uint8_t *)&o, sizeof(o)));
	return rc;
}

START_TEST(seal_round_trip_keeps_every_length)
{
	static uint8_t key[KEYS_LEN], ad[20], plain[4100], sealed[4100 + KEYS_SEAL_OVERHEAD];
	static uint8_t got[4100];

	fill(key, sizeof(key), 1);
	fill(ad, sizeof(ad), 2);
	fill(plain, sizeof(plain), 3);
	for (size_t n = 0; n <= sizeof(plain); n += n < 300 ? 1 : 95) {
		const struct keys_span all = {sealed, n + KEYS_SEAL_OVERHEAD};

		keys_seal(key, SPAN(ad), (struct keys_span){plain, n}, sealed);
		ck_assert_int_eq(keys_unseal(key, SPAN(ad), all, got), 0);
		ck_assert_mem_eq(got, plain, n);
		sealed[n / 2] ^= 1;
		ck_assert_int_eq(keys_unseal(key, SPAN(ad), all, got), -EBADMSG);
		for (size_t i = 0; i < n; i++)
			ck_assert_uint_eq(got[i], 0);
	}
}
END_TEST

/* libcrypto makes long records, libsodium short ones and the other end of this test. */
START_TEST(seal_of_any_length_is_the_same_construction)
{
	static uint8_t key[KEYS_LEN], ad[20], plain[4000], sealed[4000 + KEYS_SEAL_OVERHEAD];
	static uint8_t got[4000];
	static const size_t lengths[] = {0, 1, 95, 96, 97, 98, 128, 200, 4000};

	fill(key, sizeof(key), 1);
	fill(ad, sizeof(ad), 2);
	fill(plain, sizeof(plain), 3);
	for (size_t i = 0; i < COUNT(lengths); i++) {
		size_t n = lengths[i];

		keys_seal(key, SPAN(ad), (struct keys_span){plain, n}, sealed);
		ck_assert_int_eq(crypto_aead_xchacha20poly1305_ietf_decrypt(
					 got, NULL, NULL, sealed + KEYS_SEAL_NONCE_LEN,
					 n + KEYS_SEAL_TAG_LEN, ad, sizeof(ad), sealed, key),
				 0);
		ck_assert_mem_eq(got, plain, n);
	}
}
END_TEST

START_TEST(seal_in_place_equals_seal_apart)
{
	uint8_t key[KEYS_LEN], buf[100 + KEYS_SEAL_OVERHEAD], want[100], got[100];

	fill(key, sizeof(key), 1);
	fill(want, sizeof(want), 3);
	memcpy(buf + KEYS_SEAL_NONCE_LEN, want, sizeof(want));
	keys_seal(key, (struct keys_span){0},
		  (struct keys_span){buf + KEYS_SEAL_NONCE_LEN, sizeof(want)}, buf);
	ck_assert_int_eq(keys_unseal(key, (struct keys_span){0}, SPAN(buf), got), 0);
	ck_assert_mem_eq(got, want, sizeof(want));
}
END_TEST

START_TEST(seal_takes_a_fresh_nonce_each_time)
{
	uint8_t key[KEYS_LEN] = {1}, a[8 + KEYS_SEAL_OVERHEAD], b[8 + KEYS_SEAL_OVERHEAD];

	keys_seal(key, (struct keys_span){0}, (struct keys_span){"12345678", 8}, a);
	keys_seal(key, (struct keys_span){0}, (struct keys_span){"12345678", 8}, b);
	ck_assert_mem_ne(a, b, KEYS_SEAL_NONCE_LEN);
	ck_assert_mem_ne(a + KEYS_SEAL_NONCE_LEN, b + KEYS_SEAL_NONCE_LEN, 8);
}
END_TEST

struct sealed_arg {
	uint8_t key[KEYS_LEN];
	struct keys_span ad;
};

static bool unseal_accepts(const uint8_t *p, size_t len, const void *arg)
{
	const struct sealed_arg *a = arg;
	uint8_t out[128];
	int rc;

	memset(out, 0xaa, sizeof(out));
	rc = keys_unseal(a->key, a->ad, (struct keys_span){p, len}, out);
	ck_assert(rc == 0 || rc == -EBADMSG);
	if (rc && len >= KEYS_SEAL_OVERHEAD)
		ck_assert(all_zero(out, len - KEYS_SEAL_OVERHEAD));
	return rc == 0;
}

START_TEST(unseal_rejects_every_change)
{
	struct sealed_arg arg = {.ad = {"place", 5}};
	uint8_t plain[48], sealed[48 + KEYS_SEAL_OVERHEAD];

	fill(arg.key, sizeof(arg.key), 4);
	fill(plain, sizeof(plain), 5);
	keys_seal(arg.key, arg.ad, SPAN(plain), sealed);
	check_flips(unseal_accepts, sealed, sizeof(sealed), &arg);
	check_lengths(unseal_accepts, sealed, sizeof(sealed), &arg);
	arg.ad = (struct keys_span){"plaCe", 5};
	ck_assert(!unseal_accepts(sealed, sizeof(sealed), &arg));
	arg.ad = (struct keys_span){"place", 4};
	ck_assert(!unseal_accepts(sealed, sizeof(sealed), &arg));
	arg.ad = (struct keys_span){"place", 5};
	arg.key[0] ^= 1;
	ck_assert(!unseal_accepts(sealed, sizeof(sealed), &arg));
}
END_TEST

static const size_t chunk_lens[] = {0, 1, 15, 16, 17, 63, 64, 65, 4095, 4096, 16384, 65536, 65537};

START_TEST(seal_chunk_equals_libsodium_byte_for_byte)
{
	uint8_t key[KEYS_LEN], ad[37];
	uint8_t *in = malloc(65537), *out = malloc(65537), *want = malloc(65537), hash[32];
	crypto_hash_sha256_state sha;
	struct keys_chunk_seal seal;

	fill(key, sizeof(key), 1);
	fill(ad, sizeof(ad), 2);
	fill(in, 65537, 3);
	for (size_t i = 0; i < COUNT(chunk_lens) * 2; i++) {
		const size_t n = chunk_lens[i / 2];
		const struct keys_span with = {ad, i % 2 ? sizeof(ad) : 0};

		ck_assert_int_eq(seal_one(key, with, in, n, out, &seal), 0);
		crypto_stream_xchacha20_xor(want, in, n, seal.nonce, key);
		ck_assert_mem_eq(out, want, n);
		crypto_hash_sha256_init(&sha);
		crypto_hash_sha256_update(&sha, with.p, with.len);
		crypto_hash_sha256_update(&sha, want, n);
		crypto_hash_sha256_final(&sha, hash);
		ck_assert_mem_eq(seal.digest, hash, KEYS_DIGEST_LEN);
		ck_assert_int_eq(open_one(key, with, want, n, out, &seal), 0);
		ck_assert_mem_eq(out, in, n);
	}
	free(in);
	free(out);
	free(want);
}
END_TEST

START_TEST(seal_chunk_works_in_place)
{
	uint8_t key[KEYS_LEN] = {7}, buf[5000], want[5000];
	struct keys_chunk_seal seal;

	fill(want, sizeof(want), 9);
	memcpy(buf, want, sizeof(buf));
	ck_assert_int_eq(seal_one(key, (struct keys_span){"ad", 2}, buf, sizeof(buf), buf, &seal),
			 0);
	ck_assert_mem_ne(buf, want, sizeof(buf));
	ck_assert_int_eq(open_one(key, (struct keys_span){"ad", 2}, buf, sizeof(buf), buf, &seal),
			 0);
	ck_assert_mem_eq(buf, want, sizeof(buf));
}
END_TEST

static void refuse_chunk(const uint8_t *key, struct keys_span ad, const uint8_t *in, size_t len,
			 const struct keys_chunk_seal *seal)
{
	uint8_t out[64];

	memset(out, 0xaa, sizeof(out));
	ck_assert_int_eq(open_one(key, ad, in, len, out, seal), -EBADMSG);
	ck_assert(all_zero(out, len));
}

START_TEST(open_chunk_rejects_every_change)
{
	uint8_t key[KEYS_LEN] = {7}, plain[40], in[40], out[40];
	const struct keys_span ad = {"ad", 2};
	struct keys_chunk_seal seal, bad;
	fill(plain, sizeof(plain), 9);
	ck_assert_int_eq(seal_one(key, ad, plain, sizeof(plain), in, &seal), 0);
	for (size_t bit = 0; bit < sizeof(bad.digest) * 8; bit++) {
		bad = seal;
		bad.digest[bit / 8] ^= (uint8_t)(1u << bit % 8);
		refuse_chunk(key, ad, in, sizeof(in), &bad);
	}
	for (size_t bit = 0; bit < sizeof(in) * 8; bit++) {
		in[bit / 8] ^= (uint8_t)(1u << bit % 8);
		refuse_chunk(key, ad, in, sizeof(in), &seal);
		in[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	refuse_chunk(key, (struct keys_span){"aD", 2}, in, sizeof(in), &seal);
	refuse_chunk(key, ad, in, sizeof(in) - 1, &seal);
	/* and the same thread's contexts still work after so many refusals */
	ck_assert_int_eq(open_one(key, ad, in, sizeof(in), out, &seal), 0);
	ck_assert_mem_eq(out, plain, sizeof(out));
}
END_TEST

/* Somebody with the key makes another sound ciphertext: its nonce fits, the digest does not. */
START_TEST(open_chunk_rejects_reseal_under_old_digest)
{
	uint8_t key[KEYS_LEN] = {7}, a[64] = {1}, b[64] = {2}, ca[64], cb[64];
	struct keys_chunk_seal sa, sb;

	ck_assert_int_eq(seal_one(key, (struct keys_span){0}, a, sizeof(a), ca, &sa), 0);
	ck_assert_int_eq(seal_one(key, (struct keys_span){0}, b, sizeof(b), cb, &sb), 0);
	memcpy(sb.digest, sa.digest, sizeof(sb.digest));
	refuse_chunk(key, (struct keys_span){0}, cb, sizeof(cb), &sb);
}
END_TEST

enum { RUN = 21 };

struct run {
	uint8_t plain[RUN][4096], text[RUN][4096], ad[RUN][36];
	struct keys_chunk_seal seal[RUN];
	struct keys_chunk c[RUN];
};

static struct run *run_new(const uint8_t *key, struct keys_chunk_sealer *s)
{
	struct run *r = calloc(1, sizeof(*r));

	for (unsigned i = 0; i < RUN; i++) {
		fill(r->plain[i], 4096, i);
		fill(r->ad[i], 36, 100 + i);
		r->c[i] = (struct keys_chunk){{r->ad[i], 36}, r->plain[i], r->text[i], &r->seal[i]};
	}
	keys_chunk_sealer_init(s, key);
	ck_assert_int_eq(keys_chunk_seal(s, r->c, RUN, 4096), 0);
	return r;
}

/* Whatever is done for several at once must be what is done for one. */
START_TEST(seal_run_equals_chunks_sealed_alone)
{
	uint8_t key[KEYS_LEN] = {7}, got[4096];
	struct keys_chunk_sealer s;
	struct run *r = run_new(key, &s);

	for (unsigned i = 0; i < RUN; i++) {
		const struct keys_span ad = {r->ad[i], 36};

		ck_assert_int_eq(open_one(key, ad, r->text[i], 4096, got, &r->seal[i]), 0);
		ck_assert_mem_eq(got, r->plain[i], 4096);
		ck_assert_int_eq(seal_one(key, ad, r->plain[i], 4096, r->text[i], &r->seal[i]), 0);
		r->c[i].in = r->text[i];
		r->c[i].out = r->text[i];
	}
	keys_chunk_sealer_clear(&s);
	struct keys_chunk_opener o;

	keys_chunk_opener_init(&o, key);
	ck_assert_int_eq(keys_chunk_open(&o, r->c, RUN, 4096), 0);
	ck_assert_mem_eq(r->text, r->plain, sizeof(r->plain));
	keys_chunk_opener_clear(&o);
	free(r);
}
END_TEST

START_TEST(open_run_with_one_bad_chunk_gives_none)
{
	uint8_t key[KEYS_LEN] = {7};
	struct keys_chunk_sealer s;
	struct keys_chunk_opener o;

	for (unsigned bad = 0; bad < RUN; bad++) {
		struct run *r = run_new(key, &s);

		r->text[bad][bad * 190] ^= 4;
		for (unsigned i = 0; i < RUN; i++) {
			r->c[i].in = r->text[i];
			r->c[i].out = r->plain[i];
		}
		keys_chunk_opener_init(&o, key);
		ck_assert_int_eq(keys_chunk_open(&o, r->c, RUN, 4096), -EBADMSG);
		ck_assert(all_zero(r->plain[0], sizeof(r->plain)));
		keys_chunk_opener_clear(&o);
		keys_chunk_sealer_clear(&s);
		free(r);
	}
}
END_TEST

START_TEST(sealer_never_gives_a_nonce_twice)
{
	uint8_t key[KEYS_LEN] = {7}, nonce[4 * RUN][KEYS_SEAL_NONCE_LEN];
	struct keys_chunk_sealer s;

	for (unsigned i = 0; i < 4 * RUN; i += 2 * RUN) { /* two runs of one sealer, two sealers */
		struct run *r = run_new(key, &s);

		for (unsigned k = 0; k < RUN; k++)
			memcpy(nonce[i + k], r->seal[k].nonce, KEYS_SEAL_NONCE_LEN);
		ck_assert_int_eq(keys_chunk_seal(&s, r->c, RUN, 4096), 0);
		for (unsigned k = 0; k < RUN; k++)
			memcpy(nonce[i + RUN + k], r->seal[k].nonce, KEYS_SEAL_NONCE_LEN);
		keys_chunk_sealer_clear(&s);
		free(r);
	}
	for (unsigned i = 0; i < 4 * RUN; i++) {
		for (unsigned k = 0; k < i; k++)
			ck_assert_mem_ne(nonce[i], nonce[k], KEYS_SEAL_NONCE_LEN);
	}
}
END_TEST

START_TEST(sha256_of_two_equals_libsodium)
{
	static uint8_t body[2][5000];
	uint8_t head[2][64], digest[2][32], want[32];

	fill(body[0], sizeof(body), 3);
	fill(head[0], sizeof(head), 5);
	for (size_t n = 64; n < sizeof(body[0]); n += n < 400 ? 1 : 37) {
		size_t head_len = n % 65;
		const struct keys_sha256_message m[2] = {
			{{head[0], head_len}, body[0], digest[0]},
			{{head[1], head_len}, body[1], digest[1]},
		};

		if (!keys_sha256_two(m, n))
			return; /* not this processor */
		for (unsigned i = 0; i < 2; i++) {
			crypto_hash_sha256_state sha;

			crypto_hash_sha256_init(&sha);
			crypto_hash_sha256_update(&sha, head[i], head_len);
			crypto_hash_sha256_update(&sha, body[i], n);
			crypto_hash_sha256_final(&sha, want);
			ck_assert_mem_eq(digest[i], want, sizeof(want));
		}
	}
}
END_TEST

START_TEST(sha256_of_two_refuses_lengths_it_cannot)
{
	uint8_t body[100] = {0}, head[65] = {0}, digest[2][32];
	struct keys_sha256_message m[2] = {{{head, 36}, body, digest[0]},
					   {{head, 35}, body, digest[1]}};

	ck_assert(!keys_sha256_two(m, 100));
	m[1].head.len = 36;
	ck_assert(!keys_sha256_two(m, 63));
	m[0].head.len = m[1].head.len = 65;
	ck_assert(!keys_sha256_two(m, 100));
}
END_TEST

static void *chunk_thread(void *arg)
{
	uint8_t key[KEYS_LEN], plain[4096], buf[4096];
	const unsigned seed = *(const unsigned *)arg;
	struct keys_chunk_seal seal;

	fill(key, sizeof(key), seed);
	fill(plain, sizeof(plain), seed + 1);
	for (int i = 0; i < 200; i++) {
		if (seal_one(key, (struct keys_span){&seed, sizeof(seed)}, plain, sizeof(plain),
			     buf, &seal))
			return arg;
		if (open_one(key, (struct keys_span){&seed, sizeof(seed)}, buf, sizeof(buf), buf,
			     &seal))
			return arg;
		if (memcmp(buf, plain, sizeof(buf)))
			return arg;
	}
	return NULL;
}

START_TEST(seal_chunk_in_many_threads_keeps_them_apart)
{
	pthread_t threads[8];
	unsigned seeds[8];

	for (unsigned i = 0; i < COUNT(threads); i++) {
		seeds[i] = i + 1;
		ck_assert_int_eq(pthread_create(&threads[i], NULL, chunk_thread, &seeds[i]), 0);
	}
	for (unsigned i = 0; i < COUNT(threads); i++) {
		void *failed;

		ck_assert_int_eq(pthread_join(threads[i], &failed), 0);
		ck_assert_ptr_null(failed);
	}
}
END_TEST

START_TEST(pad_len_matches_known_values)
{
	static const size_t known[][2] = {
		{0, 0},	      {1, 1},	      {2, 2},
		{3, 3},	      {8, 8},	      {9, 10},
		{15, 16},     {17, 18},	      {33, 36},
		{100, 104},   {129, 144},     {255, 256},
		{257, 272},   {1000, 1024},   {4096, 4096},
		{4097, 4352}, {65537, 67584}, {1000000, 1015808},
	};

	for (size_t i = 0; i < COUNT(known); i++)
		ck_assert_uint_eq(keys_pad_len(known[i][0]), known[i][1]);
}
END_TEST

START_TEST(pad_len_is_stable_ordered_and_within_bounds)
{
	size_t before = 0;

	for (size_t n = 0; n < 300000; n++) {
		size_t padded = keys_pad_len(n);

		ck_assert_uint_ge(padded, n);
		ck_assert_uint_ge(padded, before);
		ck_assert_uint_le((padded - n) * 100, n * 12);
		ck_assert_uint_eq(keys_pad_len(padded), padded);
		before = padded;
	}
	ck_assert_uint_eq(keys_pad_len(SIZE_MAX), SIZE_MAX);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		unseal_opens_draft_vector,
		open_chunk_opens_draft_vector,
		seal_round_trip_keeps_every_length,
		seal_of_any_length_is_the_same_construction,
		seal_in_place_equals_seal_apart,
		seal_takes_a_fresh_nonce_each_time,
		unseal_rejects_every_change,
		seal_chunk_equals_libsodium_byte_for_byte,
		seal_chunk_works_in_place,
		open_chunk_rejects_every_change,
		open_chunk_rejects_reseal_under_old_digest,
		sealer_never_gives_a_nonce_twice,
		seal_run_equals_chunks_sealed_alone,
		open_run_with_one_bad_chunk_gives_none,
		sha256_of_two_equals_libsodium,
		sha256_of_two_refuses_lengths_it_cannot,
		seal_chunk_in_many_threads_keeps_them_apart,
		pad_len_matches_known_values,
		pad_len_is_stable_ordered_and_within_bounds,
	};

	return run_tests("keys/seal", tests, COUNT(tests));
}
