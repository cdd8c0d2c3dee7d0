/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/test_keys_digest.c - plain hashes are what other programs compute: FIPS 180-4 and RFC
 * 7693, "abc".
 */
#include <check.h>
#include <stdlib.h>

#include "keys/digest.h"
#include "keys/seal.h"

static const uint8_t abc_sha256[KEYS_LEN] = {0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea,
					     0x41, 0x41, 0x40, 0xde, 0x5d, 0xae, 0x22, 0x23,
					     0xb0, 0x03, 0x61, 0xa3, 0x96, 0x17, 0x7a, 0x9c,
					     0xb4, 0x10, 0xff, 0x61, 0xf2, 0x00, 0x15, 0xad};
static const uint8_t abc_blake2b[KEYS_DIGEST_BLAKE2B_LEN] = {
	0xba, 0x80, 0xa5, 0x3f, 0x98, 0x1c, 0x4d, 0x0d, 0x6a, 0x27, 0x97, 0xb6, 0x9f,
	0x12, 0xf6, 0xe9, 0x4c, 0x21, 0x2f, 0x14, 0x68, 0x5a, 0xc4, 0xb7, 0x4b, 0x12,
	0xbb, 0x6f, 0xdb, 0xff, 0xa2, 0xd1, 0x7d, 0x87, 0xc5, 0x39, 0x2a, 0xab, 0x79,
	0x2d, 0xc2, 0x52, 0xd5, 0xde, 0x45, 0x33, 0xcc, 0x95, 0x18, 0xd3, 0x8a, 0xa8,
	0xdb, 0xf1, 0x92, 0x5a, 0xb9, 0x23, 0x86, 0xed, 0xd4, 0x00, 0x99, 0x23};

START_TEST(digest_is_that_of_the_standards)
{
	struct keys_digest *d = keys_digest_new();
	uint8_t sha256[KEYS_LEN], blake2b[KEYS_DIGEST_BLAKE2B_LEN];

	ck_assert_ptr_nonnull(d);
	keys_digest_add(d, "abc", 3);
	keys_digest_end(d, sha256, blake2b);
	ck_assert_mem_eq(sha256, abc_sha256, sizeof(sha256));
	ck_assert_mem_eq(blake2b, abc_blake2b, sizeof(blake2b));
	keys_digest_free(d);
}
END_TEST

START_TEST(digest_does_not_depend_on_how_it_is_fed)
{
	static uint8_t text[100000];
	uint8_t sha[2][KEYS_LEN], b2[2][KEYS_DIGEST_BLAKE2B_LEN];

	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = (uint8_t)(i * 13 >> 2);
	for (size_t n = 0; n < 2; n++) {
		struct keys_digest *d = keys_digest_new();
		size_t step = n ? 777 : sizeof(text);

		ck_assert_ptr_nonnull(d);
		for (size_t at = 0; at < sizeof(text); at += step)
			keys_digest_add(d, text + at,
					sizeof(text) - at < step ? sizeof(text) - at : step);
		keys_digest_add(d, text, 0);
		keys_digest_end(d, sha[n], b2[n]);
		keys_digest_free(d);
	}
	ck_assert_mem_eq(sha[0], sha[1], KEYS_LEN);
	ck_assert_mem_eq(b2[0], b2[1], KEYS_DIGEST_BLAKE2B_LEN);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("keys_digest");
	TCase *tc = tcase_create("digest");
	SRunner *sr = srunner_create(s);
	int failed;

	if (keys_init())
		return 1;
	tcase_add_test(tc, digest_is_that_of_the_standards);
	tcase_add_test(tc, digest_does_not_depend_on_how_it_is_fed);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? 1 : 0;
}
