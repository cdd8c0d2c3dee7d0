/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/test_keys_common.h - what the tests of keys/ share.
 *
 * Fixed bytes, hex comparison with frozen vectors, and the two sweeps that every
 * encoded object goes through: each single bit flipped, each wrong length. An
 * `accepts` function says whether the object was taken for good.
 */
#ifndef TEST_KEYS_COMMON_H
#define TEST_KEYS_COMMON_H

#include <check.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "keys/label.h"

/* Some tests of memory limits cannot work under a sanitizer. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define UNDER_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define UNDER_SANITIZER 1
#endif
#endif
#ifndef UNDER_SANITIZER
#define UNDER_SANITIZER 0
#endif

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define SPAN(a) ((struct keys_span){(a), sizeof(a)})

/* n bytes that differ between seeds and positions. */
static inline void fill(void *p, size_t n, unsigned seed)
{
	uint8_t *at = p;

	for (size_t i = 0; i < n; i++)
		at[i] = (uint8_t)(seed * 37 + i * 11 + (i >> 5));
}

static inline void assert_hex(const void *p, size_t n, const char *want)
{
	const uint8_t *at = p;
	char *text = calloc(n + 1, 2);

	ck_assert_ptr_nonnull(text);
	for (size_t i = 0; i < n; i++)
		snprintf(text + 2 * i, 3, "%02x", at[i]);
	ck_assert_str_eq(text, want);
	free(text);
}

static inline size_t from_hex(const char *hex, uint8_t *out, size_t cap)
{
	size_t n = strlen(hex) / 2;

	ck_assert_uint_le(n, cap);
	for (size_t i = 0; i < n; i++) {
		unsigned v;

		ck_assert_int_eq(sscanf(hex + 2 * i, "%2x", &v), 1);
		out[i] = (uint8_t)v;
	}
	return n;
}

static inline bool all_zero(const void *p, size_t n)
{
	const uint8_t *at = p;

	for (size_t i = 0; i < n; i++) {
		if (at[i])
			return false;
	}
	return true;
}

/* Calls accepts on an exact-length heap copy, so that a sanitizer sees any overrun. */
static inline bool accepts_copy(bool (*accepts)(const uint8_t *p, size_t len, const void *arg),
				const uint8_t *p, size_t len, const void *arg)
{
	uint8_t *copy = malloc(len ? len : 1);
	bool ok;

	ck_assert_ptr_nonnull(copy);
	memcpy(copy, p, len);
	ok = accepts(copy, len, arg);
	free(copy);
	return ok;
}

static inline void check_flips(bool (*accepts)(const uint8_t *p, size_t len, const void *arg),
			       const uint8_t *p, size_t len, const void *arg)
{
	uint8_t *copy = malloc(len);

	ck_assert_ptr_nonnull(copy);
	ck_assert_msg(accepts_copy(accepts, p, len, arg), "the sound object was refused");
	for (size_t bit = 0; bit < len * 8; bit++) {
		memcpy(copy, p, len);
		copy[bit / 8] ^= (uint8_t)(1u << bit % 8);
		ck_assert_msg(!accepts(copy, len, arg), "bit %zu of byte %zu flipped: accepted",
			      bit % 8, bit / 8);
	}
	free(copy);
}

static inline void check_lengths(bool (*accepts)(const uint8_t *p, size_t len, const void *arg),
				 const uint8_t *p, size_t len, const void *arg)
{
	uint8_t *longer = calloc(1, len + 9);

	ck_assert_ptr_nonnull(longer);
	memcpy(longer, p, len);
	for (size_t n = 0; n < len; n++)
		ck_assert_msg(!accepts_copy(accepts, p, n, arg), "cut to %zu: accepted", n);
	for (size_t more = 1; more < 9; more++)
		ck_assert_msg(!accepts_copy(accepts, longer, len + more, arg),
			      "%zu bytes longer: accepted", more);
	free(longer);
}

static inline void start_keys(void)
{
	ck_assert_int_eq(keys_init(), 0);
}

static inline int run_tests(const char *name, const TTest *const *tests, size_t n)
{
	Suite *suite = suite_create(name);
	TCase *tc = tcase_create(name);
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_set_timeout(tc, 120);
	tcase_add_checked_fixture(tc, start_keys, NULL);
	for (size_t i = 0; i < n; i++)
		tcase_add_test(tc, tests[i]);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

#endif
