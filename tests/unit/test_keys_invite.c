/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/test_keys_invite.c - one-time codes and invitations. */
#include "test_keys_common.h"

#include <ctype.h>

#include "keys/invite.h"
#include "keys/statement.h"
#include "keys/wrap.h"

static const char alphabet[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

START_TEST(code_round_trip_keeps_every_value)
{
	uint8_t code[KEYS_CODE_LEN], got[KEYS_CODE_LEN];
	char text[KEYS_CODE_TEXT_MAX];

	for (unsigned i = 0; i < 500; i++) {
		if (i == 0)
			memset(code, 0, sizeof(code));
		else if (i == 1)
			memset(code, 0xff, sizeof(code));
		else
			keys_code_new(code);
		keys_code_print(code, text);
		ck_assert_uint_eq(strlen(text), 33);
		ck_assert_int_eq(keys_code_parse(text, got), 0);
		ck_assert_mem_eq(code, got, sizeof(code));
	}
}
END_TEST

START_TEST(code_print_matches_frozen_text)
{
	uint8_t code[KEYS_CODE_LEN];
	char text[KEYS_CODE_TEXT_MAX];

	for (unsigned i = 0; i < sizeof(code); i++)
		code[i] = (uint8_t)(i * 0x11);
	keys_code_print(code, text);
	ck_assert_str_eq(text, "008J-4CT4-ANK7-F24S-NAXW-SQFE-ZWH");
	memset(code, 0, sizeof(code));
	keys_code_print(code, text);
	ck_assert_str_eq(text, "0000-0000-0000-0000-0000-0000-000");
}
END_TEST

START_TEST(code_parse_forgives_how_people_type)
{
	uint8_t code[KEYS_CODE_LEN], got[KEYS_CODE_LEN];
	char text[KEYS_CODE_TEXT_MAX], typed[200];

	for (unsigned round = 0; round < 200; round++) {
		size_t n = 0;

		keys_code_new(code);
		keys_code_print(code, text);
		for (const char *c = text; *c; c++) {
			if (*c == '-' && round % 2)
				continue;
			if (*c == '0')
				typed[n++] = "0oO"[round % 3];
			else if (*c == '1')
				typed[n++] = "1iIlL"[round % 5];
			else
				typed[n++] = (char)(round % 4 ? tolower(*c) : *c);
			if (round % 7 == 0) {
				typed[n] = " \t\n\r-"[n % 5];
				n++;
			}
		}
		typed[n] = '\0';
		ck_assert_int_eq(keys_code_parse(typed, got), 0);
		ck_assert_mem_eq(code, got, sizeof(code));
	}
}
END_TEST

START_TEST(code_parse_catches_every_single_wrong_character)
{
	uint8_t code[KEYS_CODE_LEN], got[KEYS_CODE_LEN] = {0};
	char text[KEYS_CODE_TEXT_MAX], bad[KEYS_CODE_TEXT_MAX];

	for (unsigned round = 0; round < 20; round++) {
		keys_code_new(code);
		keys_code_print(code, text);
		for (size_t i = 0; text[i]; i++) {
			for (size_t c = 0; c < 32; c++) {
				if (text[i] == '-' || text[i] == alphabet[c])
					continue;
				strcpy(bad, text);
				bad[i] = alphabet[c];
				ck_assert_int_eq(keys_code_parse(bad, got), -EINVAL);
			}
		}
	}
	ck_assert(all_zero(got, sizeof(got)));
}
END_TEST

START_TEST(code_parse_catches_every_swap_of_neighbors)
{
	uint8_t code[KEYS_CODE_LEN], got[KEYS_CODE_LEN];
	char text[KEYS_CODE_TEXT_MAX], plain[KEYS_CODE_TEXT_MAX];
	size_t swaps = 0;

	for (unsigned round = 0; round < 200; round++) {
		size_t n = 0;

		keys_code_new(code);
		keys_code_print(code, text);
		for (const char *c = text; *c; c++) {
			if (*c != '-')
				plain[n++] = *c;
		}
		plain[n] = '\0';
		for (size_t i = 0; i + 1 < n; i++) {
			char c = plain[i];

			if (c == plain[i + 1])
				continue;
			plain[i] = plain[i + 1];
			plain[i + 1] = c;
			ck_assert_int_eq(keys_code_parse(plain, got), -EINVAL);
			plain[i + 1] = plain[i];
			plain[i] = c;
			swaps++;
		}
	}
	ck_assert_uint_gt(swaps, 1000);
}
END_TEST

START_TEST(code_parse_rejects_length_alphabet_and_spare_bits)
{
	static const char *const bad[] = {
		"",
		"-",
		"0000-0000-0000-0000-0000-0000-00",
		"0000-0000-0000-0000-0000-0000-0000",
		"U000-0000-0000-0000-0000-0000-000",
		"*000-0000-0000-0000-0000-0000-000",
		"0000_0000_0000_0000_0000_0000_000",
		"\xc3\xa9",
		"0000-0000-0000-0000-0000-0000-012", /* spare bits set, its check fits */
		"0000-0000-0000-0000-0000-0000-024",
	};
	uint8_t got[KEYS_CODE_LEN] = {0};

	for (size_t i = 0; i < COUNT(bad); i++)
		ck_assert_int_eq(keys_code_parse(bad[i], got), -EINVAL);
	ck_assert(all_zero(got, sizeof(got)));
	ck_assert_int_eq(keys_code_parse("0000-0000-0000-0000-0000-0000-048", got), 0);
}
END_TEST

struct invited {
	uint8_t vault[KEYS_VAULT_ID_LEN], code[KEYS_CODE_LEN], index[KEYS_LEN];
	struct keys_invite inv;
};

static void invite_make(struct invited *i)
{
	memset(i, 0, sizeof(*i));
	fill(i->vault, sizeof(i->vault), 1);
	fill(i->index, sizeof(i->index), 2);
	keys_code_new(i->code);
	i->inv.pid = 4;
	i->inv.enrolment = 1;
	i->inv.expires_s = 1800600000;
	i->inv.index_generation = 3;
	strcpy(i->inv.name, "bo");
	strcpy(i->inv.account, "bo");
	strcpy(i->inv.role, "nurse");
	keys_invite_fill(&i->inv, i->vault, i->code, i->index);
}

START_TEST(invite_open_gives_enrolment_key_and_index_key)
{
	uint8_t b[KEYS_INVITE_MAX], sk[KEYS_SIGN_SK_LEN], index[KEYS_LEN];
	struct keys_identity_secret secret;
	struct keys_identity id = {.pid = 4, .enrolment = 1};
	struct keys_invite got;
	struct invited i;
	size_t len;

	invite_make(&i);
	ck_assert_int_eq(keys_invite_encode(&i.inv, b, sizeof(b), &len), 0);
	ck_assert_uint_eq(len, 131 + 2 + 2 + 5);
	ck_assert_int_eq(keys_invite_decode(b, len, &got), 0);
	ck_assert_uint_eq(got.pid, 4);
	ck_assert_uint_eq(got.enrolment, 1);
	ck_assert_uint_eq(got.expires_s, 1800600000);
	ck_assert_uint_eq(got.index_generation, 3);
	ck_assert_str_eq(got.name, "bo");
	ck_assert_str_eq(got.account, "bo");
	ck_assert_str_eq(got.role, "nurse");
	ck_assert_int_eq(keys_invite_open(&got, i.vault, i.code, sk, index), 0);
	ck_assert_mem_eq(index, i.index, sizeof(index));
	keys_identity_new(&id, &secret);
	keys_identity_sign(&id, sk);
	ck_assert_int_eq(keys_identity_verify(&id, got.enrol_pk), 0);
}
END_TEST

static void refuse(const struct keys_invite *inv, const uint8_t *vault, const uint8_t *code)
{
	uint8_t sk[KEYS_SIGN_SK_LEN] = {0}, index[KEYS_LEN] = {0};

	ck_assert_int_eq(keys_invite_open(inv, vault, code, sk, index), -EKEYREJECTED);
	ck_assert(all_zero(sk, sizeof(sk)) && all_zero(index, sizeof(index)));
}

START_TEST(invite_open_rejects_other_code_vault_and_place)
{
	struct keys_invite inv;
	struct invited i, other;

	invite_make(&i);
	invite_make(&other);
	refuse(&i.inv, i.vault, other.code);
	other.vault[0] ^= 1;
	refuse(&i.inv, other.vault, i.code);
	inv = i.inv;
	inv.pid++;
	refuse(&inv, i.vault, i.code);
	inv = i.inv;
	inv.enrolment++;
	refuse(&inv, i.vault, i.code);
	inv = i.inv;
	inv.index_generation++;
	refuse(&inv, i.vault, i.code);
	inv = i.inv;
	memcpy(inv.index_sealed, other.inv.index_sealed, sizeof(inv.index_sealed));
	refuse(&inv, i.vault, i.code);
	for (size_t bit = 0; bit < sizeof(inv.index_sealed) * 8; bit++) {
		inv = i.inv;
		inv.index_sealed[bit / 8] ^= (uint8_t)(1u << bit % 8);
		refuse(&inv, i.vault, i.code);
	}
}
END_TEST

static bool stated_accepts(const uint8_t *p, size_t len, const void *arg)
{
	struct keys_statement st;
	struct keys_invite inv;

	return keys_statement_decode(p, len, &st) == 0 && keys_statement_verify(&st, arg) == 0 &&
	       keys_invite_decode(st.body.p, st.body.len, &inv) == 0;
}

START_TEST(invite_in_its_statement_rejects_every_flip)
{
	uint8_t pk[KEYS_LEN], sk[KEYS_SIGN_SK_LEN], body[KEYS_INVITE_MAX], b[1024];
	struct keys_statement st = {
		.kind = KEYS_STATEMENT_INVITE, .number = 1, .signer = 1, .enrolment = 1};
	struct invited i;
	size_t len;

	invite_make(&i);
	keys_sign_new(pk, sk);
	ck_assert_int_eq(keys_invite_encode(&i.inv, body, sizeof(body), &len), 0);
	st.body = (struct keys_span){body, len};
	keys_statement_sign(&st, sk);
	ck_assert_int_eq(keys_statement_encode(&st, b, sizeof(b), &len), 0);
	check_flips(stated_accepts, b, len, pk);
}
END_TEST

static bool decode_accepts(const uint8_t *p, size_t len, const void *arg)
{
	struct keys_invite inv;

	(void)arg;
	return keys_invite_decode(p, len, &inv) == 0;
}

START_TEST(invite_decode_rejects_lengths_and_number_zero)
{
	uint8_t b[KEYS_INVITE_MAX];
	struct invited i;
	size_t len = 99;

	invite_make(&i);
	memset(i.inv.name, 'n', KEYS_NAME_MAX);
	memset(i.inv.account, 'a', KEYS_NAME_MAX);
	memset(i.inv.role, 'r', KEYS_NAME_MAX);
	ck_assert_int_eq(keys_invite_encode(&i.inv, b, 300, &len), -ENOSPC);
	ck_assert_uint_eq(len, 99);
	ck_assert_int_eq(keys_invite_encode(&i.inv, b, sizeof(b), &len), 0);
	ck_assert_uint_eq(len, 131 + 3 * 64);
	check_lengths(decode_accepts, b, len, NULL);
	i.inv.pid = 0;
	ck_assert_int_eq(keys_invite_encode(&i.inv, b, sizeof(b), &len), 0);
	ck_assert(!decode_accepts(b, len, NULL));
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		code_round_trip_keeps_every_value,
		code_print_matches_frozen_text,
		code_parse_forgives_how_people_type,
		code_parse_catches_every_single_wrong_character,
		code_parse_catches_every_swap_of_neighbors,
		code_parse_rejects_length_alphabet_and_spare_bits,
		invite_open_gives_enrolment_key_and_index_key,
		invite_open_rejects_other_code_vault_and_place,
		invite_in_its_statement_rejects_every_flip,
		invite_decode_rejects_lengths_and_number_zero,
	};

	return run_tests("keys/invite", tests, COUNT(tests));
}
