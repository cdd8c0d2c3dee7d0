/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/test_keys_stretch.c - Argon2id and the envelope key. */
#include "test_keys_common.h"

#include <sys/resource.h>

#include "keys/stretch.h"

static const struct keys_stretch_cost cheap = {.passes = 2, .memory_kib = 8192};
static const uint8_t salt[KEYS_SALT_LEN] = {'0', '1', '2', '3', '4', '5', '6', '7',
					    '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'};

/* The expected value comes from the reference implementation's command (argon2 -id). */
START_TEST(stretch_matches_reference_implementation)
{
	uint8_t out[KEYS_LEN];

	ck_assert_int_eq(keys_stretch("correct horse", 13, salt, &cheap, out), 0);
	assert_hex(out, sizeof(out),
		   "3bc382900be1a5086645e5643548dd6c97748cfc94980aa565eaf33e0f3fd0fb");
}
END_TEST

START_TEST(stretch_depends_on_passphrase_salt_and_cost)
{
	const struct keys_stretch_cost other = {.passes = 3, .memory_kib = 8192};
	uint8_t a[KEYS_LEN], b[KEYS_LEN], changed[KEYS_SALT_LEN];

	ck_assert_int_eq(keys_stretch("correct horse", 13, salt, &cheap, a), 0);
	ck_assert_int_eq(keys_stretch("correct horsf", 13, salt, &cheap, b), 0);
	ck_assert_mem_ne(a, b, sizeof(a));
	memcpy(changed, salt, sizeof(changed));
	changed[15] ^= 1;
	ck_assert_int_eq(keys_stretch("correct horse", 13, changed, &cheap, b), 0);
	ck_assert_mem_ne(a, b, sizeof(a));
	ck_assert_int_eq(keys_stretch("correct horse", 13, salt, &other, b), 0);
	ck_assert_mem_ne(a, b, sizeof(a));
	ck_assert_int_eq(keys_stretch("", 0, salt, &cheap, b), 0);
	ck_assert_mem_ne(a, b, sizeof(a));
}
END_TEST

START_TEST(stretch_check_keeps_bounds)
{
	static const struct {
		struct keys_stretch_cost cost;
		int rc;
	} cases[] = {
		{{1, 8192}, 0},
		{{16, 1u << 20}, 0},
		{{0, 8192}, -EINVAL},
		{{17, 8192}, -EINVAL},
		{{3, 8191}, -EINVAL},
		{{3, (1u << 20) + 1}, -EINVAL},
		{{3, UINT32_MAX}, -EINVAL},
		{{UINT32_MAX, 8192}, -EINVAL},
	};
	uint8_t out[KEYS_LEN] = {0};

	for (size_t i = 0; i < COUNT(cases); i++) {
		ck_assert_int_eq(keys_stretch_check(&cases[i].cost), cases[i].rc);
		if (cases[i].rc)
			ck_assert_int_eq(keys_stretch("x", 1, salt, &cases[i].cost, out), -EINVAL);
	}
	ck_assert(all_zero(out, sizeof(out)));
	ck_assert_int_eq(keys_stretch_check(&keys_stretch_default), 0);
	ck_assert_uint_eq(keys_stretch_default.passes, 3);
	ck_assert_uint_eq(keys_stretch_default.memory_kib, 262144);
}
END_TEST

#if !UNDER_SANITIZER
START_TEST(stretch_without_memory_fails_untouched)
{
	const struct rlimit little = {256u << 20, 256u << 20};
	const struct keys_stretch_cost costly = {.passes = 1, .memory_kib = 1u << 20};
	uint8_t out[KEYS_LEN] = {0};

	ck_assert_int_eq(setrlimit(RLIMIT_AS, &little), 0);
	ck_assert_int_eq(keys_stretch("x", 1, salt, &costly, out), -ENOMEM);
	ck_assert(all_zero(out, sizeof(out)));
}
END_TEST
#endif

START_TEST(stretch_envelope_depends_on_all_three_secrets)
{
	uint8_t stretched[KEYS_LEN], host[KEYS_LEN], file[100], key[5][KEYS_LEN];

	fill(stretched, sizeof(stretched), 1);
	fill(host, sizeof(host), 2);
	fill(file, sizeof(file), 3);
	keys_stretch_envelope(stretched, host, SPAN(file), key[0]);
	keys_stretch_envelope(stretched, host, (struct keys_span){NULL, 0}, key[1]);
	keys_stretch_envelope(stretched, host, (struct keys_span){file, 99}, key[2]);
	host[0] ^= 1;
	keys_stretch_envelope(stretched, host, SPAN(file), key[3]);
	host[0] ^= 1;
	stretched[0] ^= 1;
	keys_stretch_envelope(stretched, host, SPAN(file), key[4]);
	for (size_t a = 0; a < COUNT(key); a++) {
		for (size_t b = 0; b < a; b++)
			ck_assert_mem_ne(key[a], key[b], KEYS_LEN);
	}
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		stretch_matches_reference_implementation,
		stretch_depends_on_passphrase_salt_and_cost,
		stretch_check_keeps_bounds,
#if !UNDER_SANITIZER
		stretch_without_memory_fails_untouched,
#endif
		stretch_envelope_depends_on_all_three_secrets,
	};

	return run_tests("keys/stretch", tests, COUNT(tests));
}
