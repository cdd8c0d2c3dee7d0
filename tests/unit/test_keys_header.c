/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/test_keys_header.c - the vault header. */
#include "test_keys_common.h"

#include "keys/header.h"
#include "keys/wrap.h"

static struct keys_header made;
static uint8_t root_sk[KEYS_SIGN_SK_LEN];
static uint8_t encoded[KEYS_HEADER_LEN];

static void make(uint16_t version, uint8_t suite)
{
	made = (struct keys_header){.version = version, .suite = suite, .made_s = 1800000000};
	fill(made.vault, sizeof(made.vault), 1);
	keys_sign_new(made.root_pk, root_sk);
	keys_header_encode(&made, root_sk, encoded);
}

static bool accepts(const uint8_t *p, size_t len, const void *arg)
{
	struct keys_header h;

	(void)arg;
	return keys_header_decode(p, len, &h) == 0;
}

START_TEST(header_round_trip_keeps_fields)
{
	struct keys_header h;

	make(KEYS_HEADER_VERSION, KEYS_SUITE_XCHACHA);
	ck_assert_int_eq(keys_header_decode(encoded, sizeof(encoded), &h), 0);
	ck_assert_uint_eq(h.version, KEYS_HEADER_VERSION);
	ck_assert_uint_eq(h.suite, KEYS_SUITE_XCHACHA);
	ck_assert_uint_eq(h.made_s, 1800000000);
	ck_assert_mem_eq(h.vault, made.vault, sizeof(h.vault));
	ck_assert_mem_eq(h.root_pk, made.root_pk, sizeof(h.root_pk));
}
END_TEST

START_TEST(header_decode_rejects_every_flip_and_length)
{
	make(KEYS_HEADER_VERSION, KEYS_SUITE_XCHACHA);
	check_flips(accepts, encoded, sizeof(encoded), NULL);
	check_lengths(accepts, encoded, sizeof(encoded), NULL);
}
END_TEST

START_TEST(header_decode_of_other_file_says_so)
{
	struct keys_header h;

	memset(encoded, 'x', sizeof(encoded));
	ck_assert_int_eq(keys_header_decode(encoded, sizeof(encoded), &h), -EMEDIUMTYPE);
	ck_assert_int_eq(keys_header_decode(encoded, 0, &h), -EMEDIUMTYPE);
	make(KEYS_HEADER_VERSION, KEYS_SUITE_XCHACHA);
	ck_assert_int_eq(keys_header_decode(encoded, 10, &h), -EMEDIUMTYPE);
	ck_assert_int_eq(keys_header_decode(encoded, 200, &h), -EBADMSG);
	encoded[150] = 1;
	ck_assert_int_eq(keys_header_decode(encoded, sizeof(encoded), &h), -EBADMSG);
}
END_TEST

START_TEST(header_of_another_version_names_it)
{
	struct keys_header h = {0};

	make(7, 9);
	ck_assert_int_eq(keys_header_decode(encoded, sizeof(encoded), &h), -EPROTONOSUPPORT);
	ck_assert_uint_eq(h.version, 7);
	ck_assert_uint_eq(h.suite, 9);
	/* a later version may be of another length */
	ck_assert_int_eq(keys_header_decode(encoded, 64, &h), -EPROTONOSUPPORT);
	make(1, KEYS_SUITE_XCHACHA); /* an older one */
	ck_assert_int_eq(keys_header_decode(encoded, sizeof(encoded), &h), -EPROTONOSUPPORT);
	ck_assert_uint_eq(h.version, 1);
	make(KEYS_HEADER_VERSION, 2);
	ck_assert_int_eq(keys_header_decode(encoded, sizeof(encoded), &h), -EPROTONOSUPPORT);
	ck_assert_uint_eq(h.version, KEYS_HEADER_VERSION);
	ck_assert_uint_eq(h.suite, 2);
	make(0, KEYS_SUITE_XCHACHA);
	ck_assert_int_eq(keys_header_decode(encoded, sizeof(encoded), &h), -EBADMSG);
}
END_TEST

/* A self-signed header of somebody else's is sound; only the pinned hash tells them apart. */
START_TEST(header_root_hash_tells_a_substituted_root)
{
	uint8_t pinned[KEYS_LEN], other[KEYS_LEN], again[KEYS_LEN];

	make(KEYS_HEADER_VERSION, KEYS_SUITE_XCHACHA);
	keys_header_root_hash(encoded, pinned);
	keys_header_root_hash(encoded, again);
	ck_assert_mem_eq(pinned, again, KEYS_LEN);
	make(KEYS_HEADER_VERSION, KEYS_SUITE_XCHACHA);
	ck_assert(accepts(encoded, sizeof(encoded), NULL));
	keys_header_root_hash(encoded, other);
	ck_assert_mem_ne(pinned, other, KEYS_LEN);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		header_round_trip_keeps_fields,
		header_decode_rejects_every_flip_and_length,
		header_decode_of_other_file_says_so,
		header_of_another_version_names_it,
		header_root_hash_tells_a_substituted_root,
	};

	return run_tests("keys/header", tests, COUNT(tests));
}
