/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/test_keys_label.c - labelled hashing, derivation, signing; the bounded reader
 * and writer of keys/bytes.h.
 */
#include "test_keys_common.h"

#include <sodium.h>

#include "keys/bytes.h"
#include "keys/seal.h"

START_TEST(label_texts_are_distinct)
{
	for (int a = 0; a < KEYS_LABEL_COUNT; a++) {
		const char *text = keys_label_text((enum keys_label)a);

		ck_assert_ptr_nonnull(text);
		ck_assert_int_eq(strncmp(text, "journalfs 1 ", 12), 0);
		for (int b = 0; b < a; b++)
			ck_assert_str_ne(text, keys_label_text((enum keys_label)b));
	}
}
END_TEST

/* Run from the root of the sources, as make does. */
START_TEST(label_texts_stand_in_the_format_document)
{
	static char doc[64 << 10];
	FILE *file = fopen("keys/FORMAT.md", "r");
	char row[80];
	size_t n;

	ck_assert_msg(file != NULL, "keys/FORMAT.md not found from here");
	n = fread(doc, 1, sizeof(doc) - 1, file);
	fclose(file);
	ck_assert_uint_lt(n, sizeof(doc) - 1);
	for (int a = 0; a < KEYS_LABEL_COUNT; a++) {
		snprintf(row, sizeof(row), "\n| `%s` |", keys_label_text((enum keys_label)a));
		ck_assert_msg(strstr(doc, row) != NULL, "no row%s", row);
	}
}
END_TEST

/* The construction written out by hand: len(label) | label | len(part) | part ... */
START_TEST(label_hash_matches_written_out_construction)
{
	static const uint8_t message[] = "\x14\0\0\0\0\0\0\0journalfs 1 manifest"
					 "\x02\0\0\0\0\0\0\0"
					 "ab"
					 "\x01\0\0\0\0\0\0\0"
					 "c";
	const struct keys_span parts[] = {{"ab", 2}, {"c", 1}};
	uint8_t got[64], want[64], key[KEYS_LEN];

	keys_label_hash(KEYS_LABEL_MANIFEST, parts, 2, got, sizeof(got));
	crypto_generichash(want, sizeof(want), message, sizeof(message) - 1, NULL, 0);
	ck_assert_mem_eq(got, want, sizeof(got));

	fill(key, sizeof(key), 1);
	keys_label_derive(KEYS_LABEL_MANIFEST, key, parts, 2, got, 32);
	crypto_generichash(want, 32, message, sizeof(message) - 1, key, sizeof(key));
	ck_assert_mem_eq(got, want, 32);
}
END_TEST

START_TEST(label_digest_matches_written_out_construction)
{
	static const uint8_t message[] = "\x0f\0\0\0\0\0\0\0journalfs 1 tag"
					 "\x02\0\0\0\0\0\0\0"
					 "ab"
					 "\x01\0\0\0\0\0\0\0"
					 "c";
	const struct keys_span parts[] = {{"ab", 2}, {"c", 1}};
	uint8_t got[32], want[32];

	crypto_hash_sha256(want, message, sizeof(message) - 1);
	keys_label_digest(KEYS_LABEL_TAG, parts, 2, got, sizeof(got));
	ck_assert_mem_eq(got, want, sizeof(got));
	memset(got, 0, sizeof(got));
	keys_label_digest(KEYS_LABEL_TAG, parts, 2, got, 16);
	ck_assert_mem_eq(got, want, 16);
	ck_assert_uint_eq(got[16], 0);
}
END_TEST

START_TEST(label_hash_separates_parts_labels_and_lengths)
{
	const struct keys_span one[] = {{"ab", 2}, {"c", 1}};
	const struct keys_span two[] = {{"a", 1}, {"bc", 2}};
	const struct keys_span joined[] = {{"abc", 3}};
	const struct keys_span tail[] = {{"abc", 3}, {NULL, 0}};
	uint8_t h[6][32];

	keys_label_hash(KEYS_LABEL_TAG, one, 2, h[0], 32);
	keys_label_hash(KEYS_LABEL_TAG, two, 2, h[1], 32);
	keys_label_hash(KEYS_LABEL_TAG, joined, 1, h[2], 32);
	keys_label_hash(KEYS_LABEL_TAG, tail, 2, h[3], 32);
	keys_label_hash(KEYS_LABEL_NODE, one, 2, h[4], 32);
	keys_label_hash(KEYS_LABEL_TAG, NULL, 0, h[5], 32);
	for (size_t a = 0; a < COUNT(h); a++) {
		for (size_t b = 0; b < a; b++)
			ck_assert_mem_ne(h[a], h[b], 32);
	}
}
END_TEST

START_TEST(label_derive_depends_on_key_and_length)
{
	uint8_t key[KEYS_LEN] = {1}, a[32], b[32], c[64];

	keys_label_derive(KEYS_LABEL_TAG, key, NULL, 0, a, 32);
	keys_label_derive(KEYS_LABEL_TAG, key, NULL, 0, c, 64);
	key[31] ^= 1;
	keys_label_derive(KEYS_LABEL_TAG, key, NULL, 0, b, 32);
	ck_assert_mem_ne(a, b, 32);
	ck_assert_mem_ne(a, c, 32); /* BLAKE2b of another length is another function */
	keys_label_hash(KEYS_LABEL_TAG, NULL, 0, c, 32);
	ck_assert_mem_ne(a, c, 32);
}
END_TEST

START_TEST(label_verify_rejects_other_label_key_part_and_signature)
{
	uint8_t seed[32], pk[KEYS_LEN], sk[KEYS_SIGN_SK_LEN], sig[KEYS_SIG_LEN], bad[KEYS_SIG_LEN];
	const struct keys_span part = {"text", 4}, other = {"texu", 4};

	fill(seed, sizeof(seed), 3);
	crypto_sign_seed_keypair(pk, sk, seed);
	keys_label_sign(KEYS_LABEL_NOTE, sk, &part, 1, sig);
	ck_assert_int_eq(keys_label_verify(KEYS_LABEL_NOTE, pk, &part, 1, sig), 0);
	ck_assert_int_eq(keys_label_verify(KEYS_LABEL_STATEMENT, pk, &part, 1, sig), -EBADMSG);
	ck_assert_int_eq(keys_label_verify(KEYS_LABEL_NOTE, pk, &other, 1, sig), -EBADMSG);
	for (unsigned bit = 0; bit < KEYS_SIG_LEN * 8; bit++) {
		memcpy(bad, sig, sizeof(bad));
		bad[bit / 8] ^= (uint8_t)(1u << bit % 8);
		ck_assert_int_eq(keys_label_verify(KEYS_LABEL_NOTE, pk, &part, 1, bad), -EBADMSG);
	}
	pk[0] ^= 1;
	ck_assert_int_eq(keys_label_verify(KEYS_LABEL_NOTE, pk, &part, 1, sig), -EBADMSG);
	memset(pk, 0, sizeof(pk)); /* a point of small order */
	memset(sig, 0, sizeof(sig));
	ck_assert_int_eq(keys_label_verify(KEYS_LABEL_NOTE, pk, &part, 1, sig), -EBADMSG);
}
END_TEST

START_TEST(equal_and_wipe_do_what_they_say)
{
	uint8_t a[40], b[40];

	fill(a, sizeof(a), 1);
	memcpy(b, a, sizeof(b));
	ck_assert(keys_equal(a, b, sizeof(a)));
	for (size_t i = 0; i < sizeof(a); i++) {
		b[i] ^= 0x80;
		ck_assert(!keys_equal(a, b, sizeof(a)));
		b[i] ^= 0x80;
	}
	ck_assert(keys_equal(NULL, NULL, 0));
	keys_wipe(a + 1, sizeof(a) - 2);
	ck_assert(all_zero(a + 1, sizeof(a) - 2));
	ck_assert_uint_eq(a[0], b[0]);
	ck_assert_uint_eq(a[39], b[39]);
	keys_random(a, sizeof(a));
	keys_random(b, sizeof(b));
	ck_assert_mem_ne(a, b, sizeof(a));
}
END_TEST

START_TEST(bytes_round_trip_keeps_values)
{
	uint8_t buf[64];
	char text[8];
	struct bytes_out out = bytes_out(buf, sizeof(buf));
	struct bytes_in in;

	bytes_put_u8(&out, 0xfe);
	bytes_put_u16(&out, 0x1234);
	bytes_put_u32(&out, 0x89abcdef);
	bytes_put_u64(&out, UINT64_C(0x0123456789abcdef));
	bytes_put_be(&out, 0x010203, 3);
	bytes_put_text(&out, "note");
	bytes_put_zero(&out, 5);
	ck_assert(!out.bad);
	assert_hex(buf, out.len,
		   "fe3412efcdab89efcdab89674523010102030400"
		   "6e6f74650000000000");

	in = bytes_in(buf, out.len);
	ck_assert_uint_eq(bytes_get_u8(&in), 0xfe);
	ck_assert_uint_eq(bytes_get_u16(&in), 0x1234);
	ck_assert_uint_eq(bytes_get_u32(&in), 0x89abcdef);
	ck_assert_uint_eq(bytes_get_u64(&in), UINT64_C(0x0123456789abcdef));
	ck_assert_uint_eq(bytes_get_be(&in, 3), 0x010203);
	bytes_get_text(&in, text, sizeof(text));
	ck_assert_str_eq(text, "note");
	ck_assert(!bytes_in_done(&in));
	bytes_get_zero(&in, 5);
	ck_assert(bytes_in_done(&in));
}
END_TEST

START_TEST(bytes_overrun_sticks_and_yields_zero)
{
	uint8_t buf[4] = {1, 2, 3, 4}, got[8];
	struct bytes_in in = bytes_in(buf, sizeof(buf));
	struct bytes_out out = bytes_out(buf, 2);

	memset(got, 0xff, sizeof(got));
	bytes_get(&in, got, sizeof(got));
	ck_assert(in.bad && all_zero(got, sizeof(got)));
	ck_assert_uint_eq(bytes_get_u8(&in), 0);
	ck_assert(!bytes_in_done(&in));

	bytes_put_u32(&out, 0);
	ck_assert(out.bad);
	bytes_put_u8(&out, 9);
	ck_assert_uint_eq(out.len, 0);
	ck_assert_uint_eq(buf[0], 1);

	in = bytes_in(buf, sizeof(buf));
	ck_assert_ptr_null(bytes_take(&in, SIZE_MAX));
	in = bytes_in(buf, sizeof(buf));
	bytes_get_zero(&in, 4);
	ck_assert(in.bad);
}
END_TEST

START_TEST(bytes_text_rejects_nul_and_excess)
{
	static const uint8_t nul[] = {3, 0, 'a', 0, 'b'}, five[] = {5, 0, 'a', 'b', 'c', 'd', 'e'};
	static const uint8_t cut[] = {5, 0, 'a'};
	char text[5] = "x";
	struct bytes_in in = bytes_in(nul, sizeof(nul));

	bytes_get_text(&in, text, sizeof(text));
	ck_assert(in.bad);
	ck_assert_str_eq(text, "");
	in = bytes_in(five, sizeof(five));
	bytes_get_text(&in, text, sizeof(text));
	ck_assert(in.bad);
	in = bytes_in(cut, sizeof(cut));
	bytes_get_text(&in, text, sizeof(text));
	ck_assert(in.bad);
}
END_TEST

START_TEST(label_auth_depends_on_everything)
{
	const uint8_t key[KEYS_LEN] = {1}, other_key[KEYS_LEN] = {2};
	const struct keys_span nonce = {"nonce 1", 7}, other_nonce = {"nonce 2", 7};
	const struct keys_span parts[] = {{"abc", 3}, {"de", 2}}, moved[] = {{"ab", 2}, {"cde", 3}};
	const struct keys_span padded[] = {{"abc\0", 4}, {"de", 2}};
	uint8_t mac[KEYS_AUTH_LEN], got[KEYS_AUTH_LEN];

	keys_label_auth(KEYS_LABEL_REDO, key, nonce, parts, 2, mac);
	keys_label_auth(KEYS_LABEL_REDO, key, nonce, parts, 2, got);
	ck_assert_mem_eq(mac, got, sizeof(mac));
	keys_label_auth(KEYS_LABEL_TAG, key, nonce, parts, 2, got);
	ck_assert_mem_ne(mac, got, sizeof(mac));
	keys_label_auth(KEYS_LABEL_REDO, other_key, nonce, parts, 2, got);
	ck_assert_mem_ne(mac, got, sizeof(mac));
	keys_label_auth(KEYS_LABEL_REDO, key, other_nonce, parts, 2, got);
	ck_assert_mem_ne(mac, got, sizeof(mac));
	keys_label_auth(KEYS_LABEL_REDO, key, nonce, moved, 2, got);
	ck_assert_mem_ne(mac, got, sizeof(mac));
	keys_label_auth(KEYS_LABEL_REDO, key, nonce, padded, 2, got);
	ck_assert_mem_ne(mac, got, sizeof(mac));
	keys_label_auth(KEYS_LABEL_REDO, key, nonce, parts, 1, got);
	ck_assert_mem_ne(mac, got, sizeof(mac));
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		label_texts_are_distinct,
		label_texts_stand_in_the_format_document,
		label_hash_matches_written_out_construction,
		label_digest_matches_written_out_construction,
		label_hash_separates_parts_labels_and_lengths,
		label_derive_depends_on_key_and_length,
		label_auth_depends_on_everything,
		label_verify_rejects_other_label_key_part_and_signature,
		equal_and_wipe_do_what_they_say,
		bytes_round_trip_keeps_values,
		bytes_overrun_sticks_and_yields_zero,
		bytes_text_rejects_nul_and_excess,
	};

	return run_tests("keys/label", tests, COUNT(tests));
}
