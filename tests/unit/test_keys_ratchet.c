/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/test_keys_ratchet.c - forward-secure log sealing. */
#include "test_keys_common.h"

#include <signal.h>

#include "keys/ratchet.h"
#include "keys/wrap.h"

#define RECORDS 6
#define SEALED_MAX 400

struct stream {
	struct keys_ratchet writer, start;
	uint8_t pk[KEYS_LEN], sk[KEYS_LEN];
	uint8_t wrap[KEYS_STREAM_WRAP_LEN];
	uint8_t sealed[RECORDS][SEALED_MAX];
	size_t sealed_len[RECORDS];
	char text[RECORDS][64];
};

static void stream_make(struct stream *s)
{
	uint8_t vault[KEYS_VAULT_ID_LEN];

	fill(vault, sizeof(vault), 1);
	keys_ratchet_new(&s->writer, vault);
	s->start = s->writer;
	keys_box_new(s->pk, s->sk);
	ck_assert_int_eq(keys_ratchet_wrap(&s->writer, s->pk, s->wrap), 0);
	for (unsigned i = 0; i < RECORDS; i++) {
		snprintf(s->text[i], sizeof(s->text[i]), "record %u %.*s", i, (int)i * 7,
			 "------------------------------------------");
		s->sealed_len[i] = keys_ratchet_sealed_len(strlen(s->text[i]));
		ck_assert_uint_le(s->sealed_len[i], SEALED_MAX);
		keys_ratchet_seal(&s->writer, (struct keys_span){s->text[i], strlen(s->text[i])}, 0,
				  s->sealed[i]);
	}
}

static struct keys_ratchet reader_open(const struct stream *s)
{
	struct keys_ratchet r;

	ck_assert_int_eq(keys_ratchet_open(&r, s->start.vault, s->start.stream, s->wrap,
					   sizeof(s->wrap), s->sk),
			 0);
	return r;
}

static void expect(struct keys_ratchet *r, const struct stream *s, unsigned i)
{
	uint8_t out[SEALED_MAX];
	size_t len = 0;

	ck_assert_int_eq(keys_ratchet_unseal(r, i,
					     (struct keys_span){s->sealed[i], s->sealed_len[i]},
					     out, &len),
			 0);
	ck_assert_uint_eq(len, strlen(s->text[i]));
	ck_assert_mem_eq(out, s->text[i], len);
	ck_assert_uint_eq(r->next, i + 1);
}

START_TEST(ratchet_reader_opens_records_in_order_and_with_gaps)
{
	struct keys_ratchet r;
	struct stream s;

	stream_make(&s);
	r = reader_open(&s);
	for (unsigned i = 0; i < RECORDS; i++)
		expect(&r, &s, i);
	r = reader_open(&s);
	expect(&r, &s, 1);
	expect(&r, &s, RECORDS - 1);
	ck_assert_mem_eq(r.key, s.writer.key, sizeof(r.key));
}
END_TEST

START_TEST(ratchet_seal_leaves_no_old_key_behind)
{
	uint8_t before[KEYS_LEN], out[SEALED_MAX];
	struct keys_ratchet r;
	size_t len;

	keys_ratchet_new(&r, (const uint8_t[KEYS_VAULT_ID_LEN]){1});
	for (unsigned i = 0; i < 10; i++) {
		memcpy(before, r.key, sizeof(before));
		keys_ratchet_seal(&r, (struct keys_span){"text", 4}, 0, out);
		ck_assert_uint_eq(r.next, i + 1);
		ck_assert_ptr_null(memmem(&r, sizeof(r), before, sizeof(before)));
		for (size_t half = 0; half < KEYS_LEN; half += 16)
			ck_assert_ptr_null(memmem(&r, sizeof(r), before + half, 16));
	}
	/* What the writer still holds does not open what it wrote. */
	r.next--;
	ck_assert_int_eq(keys_ratchet_unseal(&r, r.next,
					     (struct keys_span){out, keys_ratchet_sealed_len(4)},
					     out + 200, &len),
			 -EBADMSG);
}
END_TEST

START_TEST(ratchet_unseal_behind_or_far_ahead_is_refused_untouched)
{
	uint8_t out[SEALED_MAX];
	struct keys_ratchet r, before;
	struct stream s;
	size_t len;

	stream_make(&s);
	r = reader_open(&s);
	expect(&r, &s, 2);
	before = r;
	ck_assert_int_eq(keys_ratchet_unseal(&r, 2,
					     (struct keys_span){s.sealed[2], s.sealed_len[2]}, out,
					     &len),
			 -EINVAL);
	ck_assert_int_eq(keys_ratchet_unseal(&r, UINT64_MAX,
					     (struct keys_span){s.sealed[3], s.sealed_len[3]}, out,
					     &len),
			 -EINVAL);
	ck_assert_mem_eq(&r, &before, sizeof(r));
}
END_TEST

START_TEST(ratchet_damaged_record_does_not_lose_the_next)
{
	uint8_t out[SEALED_MAX];
	struct keys_ratchet r;
	struct stream s;
	size_t len = 99;

	stream_make(&s);
	r = reader_open(&s);
	expect(&r, &s, 0);
	s.sealed[1][30] ^= 1;
	ck_assert_int_eq(keys_ratchet_unseal(&r, 1,
					     (struct keys_span){s.sealed[1], s.sealed_len[1]}, out,
					     &len),
			 -EBADMSG);
	ck_assert_uint_eq(len, 99);
	ck_assert_uint_eq(r.next, 2);
	expect(&r, &s, 2);
	ck_assert_int_eq(keys_ratchet_unseal(&r, 3, (struct keys_span){s.sealed[3], 3}, out, &len),
			 -EBADMSG);
	ck_assert_int_eq(keys_ratchet_unseal(&r, 4, (struct keys_span){NULL, 0}, out, &len),
			 -EBADMSG);
	expect(&r, &s, 5);
}
END_TEST

static bool record_accepts(const uint8_t *p, size_t len, const void *arg)
{
	const struct stream *s = arg;
	struct keys_ratchet r = s->start;
	uint8_t out[SEALED_MAX];
	size_t n;

	return keys_ratchet_unseal(&r, 0, (struct keys_span){p, len}, out, &n) == 0;
}

START_TEST(ratchet_record_rejects_every_flip_length_index_and_stream)
{
	struct keys_ratchet r;
	struct stream s, other;
	uint8_t out[SEALED_MAX];
	size_t len;

	stream_make(&s);
	stream_make(&other);
	check_flips(record_accepts, s.sealed[0], s.sealed_len[0], &s);
	check_lengths(record_accepts, s.sealed[0], s.sealed_len[0], &s);
	ck_assert(!record_accepts(s.sealed[1], s.sealed_len[1], &s));
	ck_assert(!record_accepts(other.sealed[0], other.sealed_len[0], &s));
	/* the same key in another stream, vault or position */
	for (int c = 0; c < 3; c++) {
		r = s.start;
		if (c == 0)
			r.stream[0] ^= 1;
		if (c == 1)
			r.vault[0] ^= 1;
		if (c == 2)
			r.next = 1;
		ck_assert_int_eq(
			keys_ratchet_unseal(&r, r.next,
					    (struct keys_span){s.sealed[0], s.sealed_len[0]}, out,
					    &len),
			-EBADMSG);
	}
}
END_TEST

static bool wrap_accepts(const uint8_t *p, size_t len, const void *arg)
{
	const struct stream *s = arg;
	struct keys_ratchet r;

	return keys_ratchet_open(&r, s->start.vault, s->start.stream, p, len, s->sk) == 0;
}

START_TEST(ratchet_wrap_rejects_every_flip_length_reader_and_stream)
{
	struct stream s;

	stream_make(&s);
	check_flips(wrap_accepts, s.wrap, sizeof(s.wrap), &s);
	check_lengths(wrap_accepts, s.wrap, sizeof(s.wrap), &s);
	s.start.stream[0] ^= 1;
	ck_assert(!wrap_accepts(s.wrap, sizeof(s.wrap), &s));
	s.start.stream[0] ^= 1;
	s.start.vault[0] ^= 1;
	ck_assert(!wrap_accepts(s.wrap, sizeof(s.wrap), &s));
	s.start.vault[0] ^= 1;
	keys_box_new(s.pk, s.sk);
	ck_assert(!wrap_accepts(s.wrap, sizeof(s.wrap), &s));
}
END_TEST

START_TEST(ratchet_wrap_to_small_order_point_is_refused)
{
	const uint8_t low[KEYS_LEN] = {0};
	uint8_t wrap[KEYS_STREAM_WRAP_LEN];
	struct keys_ratchet r;

	keys_ratchet_new(&r, (const uint8_t[KEYS_VAULT_ID_LEN]){1});
	memset(wrap, 0xaa, sizeof(wrap));
	ck_assert_int_eq(keys_ratchet_wrap(&r, low, wrap), -EINVAL);
	ck_assert(all_zero(wrap, sizeof(wrap)));
}
END_TEST

START_TEST(ratchet_wrap_after_first_record_aborts)
{
	struct stream s;

	stream_make(&s);
	ck_assert_int_eq(keys_ratchet_wrap(&s.writer, s.pk, s.wrap), 0);
}
END_TEST

START_TEST(ratchet_record_of_every_length_is_padded_and_returns)
{
	uint8_t text[600], sealed[800], out[800];
	struct keys_ratchet w, r;
	size_t len;

	fill(text, sizeof(text), 5);
	keys_ratchet_new(&w, (const uint8_t[KEYS_VAULT_ID_LEN]){1});
	r = w;
	for (size_t n = 0; n <= sizeof(text); n++) {
		const size_t sealed_len = keys_ratchet_sealed_len(n);

		ck_assert_uint_eq(sealed_len, keys_pad_len(n + 4) + KEYS_SEAL_OVERHEAD);
		keys_ratchet_seal(&w, (struct keys_span){text, n}, 0, sealed);
		ck_assert_int_eq(keys_ratchet_unseal(&r, n, (struct keys_span){sealed, sealed_len},
						     out, &len),
				 0);
		ck_assert_uint_eq(len, n);
		ck_assert_mem_eq(out, text, n);
		ck_assert(all_zero(out + n, sealed_len - KEYS_SEAL_OVERHEAD - n));
	}
}
END_TEST

/* A writer that pads in another way than Padme, or not with zeros, is not believed. */
START_TEST(ratchet_unseal_rejects_malformed_padding)
{
	static const struct {
		uint8_t text[40];
		size_t len;
	} cases[] = {
		{{5, 0, 0, 0, 'a'}, 5},	       /* length beyond the text */
		{{1, 0, 0, 0, 'a', 0, 0}, 7},  /* longer than Padme makes it */
		{{29, 0, 0, 0, [35] = 1}, 36}, /* padding not zero */
		{{0xff, 0xff, 0xff, 0xff}, 8}, /* a length of 4 GiB */
		{{1, 0, 0}, 3},		       /* no room for a length */
		{{0}, 0},
	};
	uint8_t sealed[100], out[100], ad[40];
	struct keys_ratchet r;
	size_t len = 99;

	for (size_t i = 0; i < COUNT(cases); i++) {
		keys_ratchet_new(&r, (const uint8_t[KEYS_VAULT_ID_LEN]){1});
		memset(ad, 0, sizeof(ad));
		memcpy(ad, r.vault, 16);
		memcpy(ad + 16, r.stream, 16);
		keys_seal(r.key, SPAN(ad), (struct keys_span){cases[i].text, cases[i].len}, sealed);
		memset(out, 0xaa, sizeof(out));
		ck_assert_int_eq(keys_ratchet_unseal(&r, 0,
						     (struct keys_span){sealed, cases[i].len + 40},
						     out, &len),
				 -EBADMSG);
		ck_assert(all_zero(out, cases[i].len));
		ck_assert_uint_eq(len, 99);
		ck_assert_uint_eq(r.next, 1);
	}
}
END_TEST

/* A machine that was taken back to an earlier moment seals another record with the same key. */
START_TEST(ratchet_taken_back_has_another_nonce)
{
	struct keys_ratchet a, b, open;
	uint8_t first[128], second[128], plain[128];
	size_t n = keys_ratchet_sealed_len(4), len;

	keys_ratchet_new(&a, (const uint8_t[KEYS_VAULT_ID_LEN]){1});
	open = b = a;
	keys_ratchet_seal(&a, (struct keys_span){"text", 4}, 1700000000000000000, first);
	keys_ratchet_seal(&b, (struct keys_span){"text", 4}, 1700000000000000001, second);
	ck_assert_mem_eq(a.key, b.key, KEYS_LEN);
	ck_assert_mem_ne(first, second, KEYS_SEAL_NONCE_LEN);
	ck_assert_mem_ne(first + KEYS_SEAL_NONCE_LEN, second + KEYS_SEAL_NONCE_LEN, 8);
	ck_assert_int_eq(keys_ratchet_unseal(&open, 0, (struct keys_span){second, n}, plain, &len),
			 0);
	/* Nor does the time show, or a stream's nonces resemble each other. */
	keys_ratchet_seal(&a, (struct keys_span){"text", 4}, 1700000000000000000, second);
	ck_assert_mem_ne(first, second, 8);
	ck_assert_mem_ne(first + 8, second + 8, 8);
	ck_assert_mem_ne(first + 16, second + 16, 8);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("keys/ratchet");
	TCase *tc = tcase_create("keys/ratchet");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, start_keys, NULL);
	tcase_add_test(tc, ratchet_reader_opens_records_in_order_and_with_gaps);
	tcase_add_test(tc, ratchet_seal_leaves_no_old_key_behind);
	tcase_add_test(tc, ratchet_taken_back_has_another_nonce);
	tcase_add_test(tc, ratchet_unseal_behind_or_far_ahead_is_refused_untouched);
	tcase_add_test(tc, ratchet_damaged_record_does_not_lose_the_next);
	tcase_add_test(tc, ratchet_record_rejects_every_flip_length_index_and_stream);
	tcase_add_test(tc, ratchet_wrap_rejects_every_flip_length_reader_and_stream);
	tcase_add_test(tc, ratchet_wrap_to_small_order_point_is_refused);
	tcase_add_test_raise_signal(tc, ratchet_wrap_after_first_record_aborts, SIGABRT);
	tcase_add_test(tc, ratchet_record_of_every_length_is_padded_and_returns);
	tcase_add_test(tc, ratchet_unseal_rejects_malformed_padding);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
