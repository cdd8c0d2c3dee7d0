/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/test_keys_factor.c - one-time codes, a second factor's record, recovery codes. */
#include "test_keys_common.h"

#include "keys/factor.h"

static const uint8_t rfc_secret[KEYS_TOTP_SECRET_LEN + 1] = "12345678901234567890";

/* RFC 6238, appendix B, SHA-1: the last six of its eight digits. */
START_TEST(totp_code_matches_rfc_6238)
{
	static const struct {
		uint64_t time_s;
		const char *code;
	} vectors[] = {
		{59, "287082"},		{1111111109, "081804"},	 {1111111111, "050471"},
		{1234567890, "005924"}, {2000000000, "279037"}, {20000000000, "353130"},
	};
	char code[KEYS_TOTP_DIGITS + 1];
	uint64_t step;

	for (size_t i = 0; i < COUNT(vectors); i++) {
		ck_assert_int_eq(keys_totp_code(rfc_secret, vectors[i].time_s / 30, code), 0);
		ck_assert_str_eq(code, vectors[i].code);
		ck_assert_int_eq(
			keys_totp_check(rfc_secret, vectors[i].time_s, 0, vectors[i].code, &step),
			0);
		ck_assert_uint_eq(step, vectors[i].time_s / 30);
	}
}
END_TEST

START_TEST(totp_check_takes_one_step_before_and_after)
{
	const uint64_t now = 1111111111, at = now / 30;
	char code[KEYS_TOTP_DIGITS + 1];
	uint64_t step;

	for (int d = -3; d <= 3; d++) {
		int rc;

		step = 0;
		ck_assert_int_eq(keys_totp_code(rfc_secret, at + (uint64_t)d, code), 0);
		rc = keys_totp_check(rfc_secret, now, 0, code, &step);
		ck_assert_int_eq(rc, d < -1 || d > 1 ? -EKEYREJECTED : 0);
		ck_assert_uint_eq(step, rc ? 0 : at + (uint64_t)d);
	}
}
END_TEST

START_TEST(totp_check_refuses_steps_not_later_than_the_last)
{
	const uint64_t now = 1111111111, at = now / 30;
	char code[KEYS_TOTP_DIGITS + 1];
	uint64_t step = 0;

	ck_assert_int_eq(keys_totp_code(rfc_secret, at, code), 0);
	ck_assert_int_eq(keys_totp_check(rfc_secret, now, at, code, &step), -EALREADY);
	ck_assert_int_eq(keys_totp_check(rfc_secret, now, at + 1, code, &step), -EALREADY);
	ck_assert_uint_eq(step, 0);
	ck_assert_int_eq(keys_totp_check(rfc_secret, now, at - 1, code, &step), 0);
	ck_assert_uint_eq(step, at);
	ck_assert_int_eq(keys_totp_code(rfc_secret, at - 1, code), 0);
	ck_assert_int_eq(keys_totp_check(rfc_secret, now, at, code, &step), -EALREADY);
}
END_TEST

START_TEST(totp_check_refuses_what_is_no_code)
{
	static const char *const bad[] = {"", "28708", "2870820", "94287082", "287O82", "      "};
	uint64_t step = 0;

	for (size_t i = 0; i < COUNT(bad); i++)
		ck_assert_int_eq(keys_totp_check(rfc_secret, 59, 0, bad[i], &step), -EKEYREJECTED);
	/* At the beginning of time there is no step before. */
	ck_assert_int_eq(keys_totp_check(rfc_secret, 0, 0, "287082", &step), 0);
	ck_assert_uint_eq(step, 1);
}
END_TEST

START_TEST(totp_secret_prints_as_rfc_4648)
{
	char text[KEYS_TOTP_TEXT_LEN];

	keys_totp_print(rfc_secret, text);
	ck_assert_str_eq(text, "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
}
END_TEST

/* ---- the record ---- */

struct fixture {
	struct keys_factor f;
	struct keys_factor_place place;
	struct keys_factor_secret secret;
	struct keys_identity_secret id;
	uint8_t host[KEYS_LEN], key[KEYS_LEN];
	uint8_t bytes[KEYS_FACTOR_LEN];
};

static void make(struct fixture *x)
{
	memset(x, 0, sizeof(*x));
	x->f = (struct keys_factor){.kind = KEYS_FACTOR_TOTP, .enrolment = 2, .since_s = 1800000000};
	fill(x->f.id, sizeof(x->f.id), 1);
	fill(x->place.vault, sizeof(x->place.vault), 2);
	x->place.pid = 7;
	fill(&x->secret, sizeof(x->secret), 3);
	fill(&x->id, sizeof(x->id), 4);
	fill(x->host, sizeof(x->host), 5);
	keys_factor_key(&x->place, x->f.enrolment, &x->id, x->host, x->key);
	keys_factor_seal(&x->f, &x->place, &x->secret, x->key, x->bytes);
}

static bool accepts(const uint8_t *b, size_t len, const void *arg)
{
	const struct fixture *x = arg;
	struct keys_factor_secret got;

	return keys_factor_unseal(b, len, &x->place, x->key, &got) == 0;
}

START_TEST(factor_round_trip_keeps_fields)
{
	struct keys_factor_secret got;
	struct keys_factor f;
	struct fixture x;

	make(&x);
	ck_assert_uint_eq(KEYS_FACTOR_LEN, 412);
	ck_assert_int_eq(keys_factor_decode(x.bytes, sizeof(x.bytes), &f), 0);
	ck_assert_uint_eq(f.kind, KEYS_FACTOR_TOTP);
	ck_assert_uint_eq(f.enrolment, 2);
	ck_assert_uint_eq(f.since_s, 1800000000);
	ck_assert_mem_eq(f.id, x.f.id, sizeof(f.id));
	ck_assert_int_eq(keys_factor_unseal(x.bytes, sizeof(x.bytes), &x.place, x.key, &got), 0);
	ck_assert_mem_eq(&got, &x.secret, sizeof(got));
}
END_TEST

/* Key, code's hash and head, computed elsewhere from keys/FORMAT.md. */
START_TEST(factor_bytes_are_as_the_format_says)
{
	static const uint8_t code[KEYS_FACTOR_CODE_LEN] = {0, 1, 2, 3, 4, 5, 6, 7, 8};
	uint8_t hash[KEYS_LEN];
	struct fixture x;

	make(&x);
	assert_hex(x.key, sizeof(x.key),
		   "138b2931ba0f0483f0ba87d8453c55a9f7493eb5e89a6c826f695e5079226308");
	keys_factor_code_hash(&x.f, code, hash);
	assert_hex(hash, sizeof(hash),
		   "f09a2d4e92a9ee7626164e96825ea4df64c1c0b38341420157c76a62ca328746");
	assert_hex(x.bytes, 32, "010100000200000000d2496b0000000025303b46515c67727d88939ea9b4bfca");
}
END_TEST

START_TEST(factor_changed_anywhere_is_refused)
{
	struct fixture x;

	make(&x);
	check_flips(accepts, x.bytes, sizeof(x.bytes), &x);
	check_lengths(accepts, x.bytes, sizeof(x.bytes), &x);
}
END_TEST

/* Another vault, practitioner, enrolment, identity or host secret makes another key or place. */
START_TEST(factor_opens_for_its_own_only)
{
	struct keys_factor_secret got;
	struct fixture x, y;
	uint8_t key[KEYS_LEN];

	make(&x);
	y = x;
	y.host[0] ^= 1;
	keys_factor_key(&x.place, 2, &x.id, y.host, key);
	ck_assert_int_eq(keys_factor_unseal(x.bytes, sizeof(x.bytes), &x.place, key, &got), -EBADMSG);
	y.id.box_sk[31] ^= 1;
	keys_factor_key(&x.place, 2, &y.id, x.host, key);
	ck_assert_int_eq(keys_factor_unseal(x.bytes, sizeof(x.bytes), &x.place, key, &got), -EBADMSG);
	keys_factor_key(&x.place, 3, &x.id, x.host, key);
	ck_assert_int_eq(keys_factor_unseal(x.bytes, sizeof(x.bytes), &x.place, key, &got), -EBADMSG);
	y.place.pid = 8;
	keys_factor_key(&y.place, 2, &x.id, x.host, key);
	ck_assert_mem_ne(key, x.key, sizeof(key));
	ck_assert_int_eq(keys_factor_unseal(x.bytes, sizeof(x.bytes), &y.place, x.key, &got),
			 -EBADMSG);
	y.place = x.place;
	y.place.vault[3] ^= 1;
	keys_factor_key(&y.place, 2, &x.id, x.host, key);
	ck_assert_mem_ne(key, x.key, sizeof(key));
	ck_assert_int_eq(keys_factor_unseal(x.bytes, sizeof(x.bytes), &y.place, x.key, &got),
			 -EBADMSG);
}
END_TEST

START_TEST(factor_head_with_wrong_fields_is_refused)
{
	struct keys_factor f;
	struct fixture x;

	make(&x);
	for (unsigned at = 0; at < 4; at++) {
		x.bytes[at] ^= 2;
		ck_assert_int_eq(keys_factor_decode(x.bytes, sizeof(x.bytes), &f), -EBADMSG);
		x.bytes[at] ^= 2;
	}
	memset(x.bytes + 4, 0, 4);
	ck_assert_int_eq(keys_factor_decode(x.bytes, sizeof(x.bytes), &f), -EBADMSG);
}
END_TEST

START_TEST(recovery_code_is_found_by_its_hash_alone)
{
	uint8_t code[KEYS_FACTOR_CODES][KEYS_FACTOR_CODE_LEN];
	char text[KEYS_FACTOR_CODE_TEXT];
	uint8_t parsed[KEYS_FACTOR_CODE_LEN];
	struct fixture x;
	unsigned which;

	make(&x);
	for (unsigned i = 0; i < KEYS_FACTOR_CODES; i++) {
		fill(code[i], sizeof(code[i]), 40 + i);
		keys_factor_code_hash(&x.f, code[i], x.secret.code[i]);
	}
	for (unsigned i = 0; i < KEYS_FACTOR_CODES; i++) {
		keys_base32_print(code[i], sizeof(code[i]), text);
		ck_assert_uint_eq(strlen(text), 19);
		ck_assert_int_eq(keys_base32_parse(text, sizeof(parsed), parsed), 0);
		ck_assert_int_eq(keys_factor_code_find(&x.f, &x.secret, parsed, &which), 0);
		ck_assert_uint_eq(which, i);
	}
	code[4][0] ^= 1;
	ck_assert_int_eq(keys_factor_code_find(&x.f, &x.secret, code[4], &which), -EKEYREJECTED);
	/* Under another set's id the same codes are others. */
	x.f.id[0] ^= 1;
	ck_assert_int_eq(keys_factor_code_find(&x.f, &x.secret, code[5], &which), -EKEYREJECTED);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		totp_code_matches_rfc_6238,
		totp_check_takes_one_step_before_and_after,
		totp_check_refuses_steps_not_later_than_the_last,
		totp_check_refuses_what_is_no_code,
		totp_secret_prints_as_rfc_4648,
		factor_round_trip_keeps_fields,
		factor_bytes_are_as_the_format_says,
		factor_changed_anywhere_is_refused,
		factor_opens_for_its_own_only,
		factor_head_with_wrong_fields_is_refused,
		recovery_code_is_found_by_its_hash_alone,
	};

	return run_tests("keys/factor", tests, COUNT(tests));
}
