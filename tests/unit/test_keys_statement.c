/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/test_keys_statement.c - statements, their chain, key lists. */
#include "test_keys_common.h"

#include "keys/statement.h"
#include "keys/wrap.h"

static uint8_t pk[KEYS_LEN], sk[KEYS_SIGN_SK_LEN];

static struct keys_statement make(uint32_t number, const char *body)
{
	struct keys_statement st = {.kind = KEYS_STATEMENT_POLICY,
				    .number = number,
				    .signer = 3,
				    .enrolment = 1,
				    .time_s = 1800000000,
				    .body = {body, strlen(body)}};

	fill(st.vault, sizeof(st.vault), 1);
	return st;
}

static size_t encode(const struct keys_statement *st, uint8_t *b, size_t cap)
{
	size_t len = 0;

	ck_assert_int_eq(keys_statement_encode(st, b, cap, &len), 0);
	return len;
}

static bool accepts(const uint8_t *p, size_t len, const void *arg)
{
	struct keys_statement st;

	return keys_statement_decode(p, len, &st) == 0 && keys_statement_verify(&st, arg) == 0;
}

START_TEST(statement_round_trip_keeps_fields)
{
	struct keys_statement st = make(1, "practice \"Klinik Nord\"\n"), got;
	uint8_t b[512];
	size_t len;

	keys_sign_new(pk, sk);
	keys_statement_sign(&st, sk);
	len = encode(&st, b, sizeof(b));
	ck_assert_uint_eq(len, 140 + st.body.len);
	ck_assert_int_eq(keys_statement_decode(b, len, &got), 0);
	ck_assert_uint_eq(got.kind, KEYS_STATEMENT_POLICY);
	ck_assert_uint_eq(got.number, 1);
	ck_assert_uint_eq(got.signer, 3);
	ck_assert_uint_eq(got.enrolment, 1);
	ck_assert_uint_eq(got.time_s, 1800000000);
	ck_assert_uint_eq(got.body.len, st.body.len);
	ck_assert_ptr_eq(got.body.p, b + 76);
	ck_assert_mem_eq(got.body.p, st.body.p, st.body.len);
	ck_assert_int_eq(keys_statement_verify(&got, pk), 0);
}
END_TEST

START_TEST(statement_rejects_every_flip_length_and_other_signer)
{
	struct keys_statement st = make(1, "body of a statement");
	uint8_t b[512], other_pk[KEYS_LEN], other_sk[KEYS_SIGN_SK_LEN];
	size_t len;

	keys_sign_new(pk, sk);
	keys_sign_new(other_pk, other_sk);
	keys_statement_sign(&st, sk);
	len = encode(&st, b, sizeof(b));
	check_flips(accepts, b, len, pk);
	check_lengths(accepts, b, len, pk);
	ck_assert(!accepts(b, len, other_pk));
}
END_TEST

START_TEST(statement_with_empty_body_works)
{
	struct keys_statement st = make(1, ""), got;
	uint8_t b[140];

	keys_sign_new(pk, sk);
	keys_statement_sign(&st, sk);
	ck_assert_uint_eq(encode(&st, b, sizeof(b)), sizeof(b));
	ck_assert_int_eq(keys_statement_decode(b, sizeof(b), &got), 0);
	ck_assert_uint_eq(got.body.len, 0);
	ck_assert_int_eq(keys_statement_verify(&got, pk), 0);
}
END_TEST

START_TEST(statement_encode_says_when_room_is_short)
{
	struct keys_statement st = make(1, "0123456789");
	uint8_t b[256];
	size_t len = 99;

	keys_sign_new(pk, sk);
	keys_statement_sign(&st, sk);
	for (size_t cap = 0; cap < 150; cap++)
		ck_assert_int_eq(keys_statement_encode(&st, b, cap, &len), -ENOSPC);
	ck_assert_uint_eq(len, 99);
	ck_assert_int_eq(keys_statement_encode(&st, b, 150, &len), 0);
	ck_assert_uint_le(len, st.body.len + KEYS_STATEMENT_OVERHEAD);
}
END_TEST

START_TEST(statement_chain_breaks_at_any_change)
{
	struct keys_statement one = make(1, "first"), two = make(2, "second");
	uint8_t hash[KEYS_LEN], again[KEYS_LEN];

	keys_sign_new(pk, sk);
	keys_statement_sign(&one, sk);
	keys_statement_hash(&one, two.prev);
	keys_statement_sign(&two, sk);
	ck_assert_int_eq(keys_statement_verify(&two, pk), 0);

	one.time_s++;
	keys_statement_hash(&one, hash);
	ck_assert_mem_ne(hash, two.prev, sizeof(hash));
	one.time_s--;
	one.body = (struct keys_span){"firsT", 5};
	keys_statement_hash(&one, hash);
	ck_assert_mem_ne(hash, two.prev, sizeof(hash));
	one.body = (struct keys_span){"first", 5};
	one.sig[0] ^= 1;
	keys_statement_hash(&one, hash);
	ck_assert_mem_ne(hash, two.prev, sizeof(hash));
	one.sig[0] ^= 1;
	keys_statement_hash(&one, again);
	ck_assert_mem_eq(again, two.prev, sizeof(again));
}
END_TEST

START_TEST(statement_decode_rejects_what_no_writer_makes)
{
	struct keys_statement st, got;
	uint8_t b[256];

	for (int c = 0; c < 5; c++) {
		st = make(1, "x");
		if (c == 0)
			st.kind = 0;
		if (c == 1)
			st.kind = 6;
		if (c == 2)
			st.number = 0;
		if (c == 3)
			st.prev[31] = 1; /* the first has nothing before it */
		if (c == 4)
			st.signer = 0; /* the root has no enrolment */
		ck_assert_int_eq(keys_statement_decode(b, encode(&st, b, sizeof(b)), &got),
				 -EBADMSG);
	}
	st = make(1, "x");
	st.signer = 0;
	st.enrolment = 0;
	ck_assert_int_eq(keys_statement_decode(b, encode(&st, b, sizeof(b)), &got), 0);
	b[74] = 0x80; /* a body of 8 MiB that is not there */
	ck_assert_int_eq(keys_statement_decode(b, 141, &got), -EBADMSG);
}
END_TEST

static const struct keys_list_entry entries[] = {
	{KEYS_LIST_RECOVERY, 0, {1}},
	{KEYS_LIST_AUDITOR, 4, {2}},
	{KEYS_LIST_REVIEWER, 5, {3}},
	{KEYS_LIST_BREAK_GLASS, 0, {4}},
};

static bool list_accepts(const uint8_t *p, size_t len, const void *arg)
{
	struct keys_list_entry got[KEYS_LIST_MAX];
	size_t n;

	(void)arg;
	return keys_list_decode(p, len, got, COUNT(got), &n) == 0;
}

START_TEST(list_round_trip_keeps_entries)
{
	struct keys_list_entry got[8];
	uint8_t b[512];
	size_t len, n = 0;

	ck_assert_int_eq(keys_list_encode(entries, COUNT(entries), b, sizeof(b), &len), 0);
	ck_assert_uint_eq(len, 3 + 37 * COUNT(entries));
	ck_assert_int_eq(keys_list_decode(b, len, got, COUNT(got), &n), 0);
	ck_assert_uint_eq(n, COUNT(entries));
	for (size_t i = 0; i < n; i++) {
		ck_assert_uint_eq(got[i].kind, entries[i].kind);
		ck_assert_uint_eq(got[i].pid, entries[i].pid);
		ck_assert_mem_eq(got[i].box_pk, entries[i].box_pk, KEYS_LEN);
	}
	check_lengths(list_accepts, b, len, NULL);
	n = 77;
	ck_assert_int_eq(keys_list_decode(b, len, got, COUNT(entries) - 1, &n), -ENOSPC);
	ck_assert_uint_eq(n, 77);
	ck_assert_int_eq(keys_list_encode(entries, 0, b, sizeof(b), &len), 0);
	ck_assert_int_eq(keys_list_decode(b, len, got, 0, &n), 0);
	ck_assert_uint_eq(n, 0);
}
END_TEST

START_TEST(list_rejects_bad_kinds_numbers_and_counts)
{
	struct keys_list_entry bad[] = {{0, 0, {0}},
					{5, 0, {0}},
					{KEYS_LIST_RECOVERY, 1, {0}},
					{KEYS_LIST_BREAK_GLASS, 1, {0}},
					{KEYS_LIST_AUDITOR, 0, {0}},
					{KEYS_LIST_REVIEWER, 0, {0}}};
	struct keys_list_entry many[KEYS_LIST_MAX + 1] = {{0}}, got[4];
	uint8_t b[KEYS_LIST_MAX * 37 + 100];
	size_t len, n;

	for (size_t i = 0; i < COUNT(bad); i++) {
		ck_assert_int_eq(keys_list_encode(&bad[i], 1, b, sizeof(b), &len), -EINVAL);
		ck_assert_int_eq(keys_list_encode(entries, 1, b, sizeof(b), &len), 0);
		b[3] = bad[i].kind;
		b[4] = (uint8_t)bad[i].pid;
		ck_assert_int_eq(keys_list_decode(b, len, got, COUNT(got), &n), -EBADMSG);
	}
	for (size_t i = 0; i < COUNT(many); i++)
		many[i].kind = KEYS_LIST_RECOVERY;
	ck_assert_int_eq(keys_list_encode(many, COUNT(many), b, sizeof(b), &len), -EINVAL);
	ck_assert_int_eq(keys_list_encode(many, KEYS_LIST_MAX, b, 100, &len), -ENOSPC);
	ck_assert_int_eq(keys_list_encode(many, KEYS_LIST_MAX, b, sizeof(b), &len), 0);
	ck_assert(list_accepts(b, len, NULL));
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		statement_round_trip_keeps_fields,
		statement_rejects_every_flip_length_and_other_signer,
		statement_with_empty_body_works,
		statement_encode_says_when_room_is_short,
		statement_chain_breaks_at_any_change,
		statement_decode_rejects_what_no_writer_makes,
		list_round_trip_keeps_entries,
		list_rejects_bad_kinds_numbers_and_counts,
	};

	return run_tests("keys/statement", tests, COUNT(tests));
}
