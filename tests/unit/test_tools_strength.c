/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/test_tools_strength.c - which new passphrases are refused, and with which words. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "tools/strength.h"

static const char *wrong(const char *text)
{
	static const char *const names[] = {NULL, "anna", "jft-anna", ""};

	return tools_strength_wrong(text, strlen(text), names, 4);
}

static void refused(const char *text, const char *words)
{
	const char *got = wrong(text);

	ck_assert_msg(got != NULL, "`%s` was taken", text);
	ck_assert_msg(strstr(got, words) != NULL, "`%s`: %s", text, got);
}

START_TEST(passphrases_of_a_few_words_are_taken)
{
	static const char *const good[] = {
		"anna keeps five otters", "bo walks to the harbour", "one quiet person alone",
		"found again at last",	  "tolv sm\xc3\xa5 \xc3\xb8rreder", "xK3#qzT9!mWp",
		"4711 otters at noon",	  "anna jft-anna keeps otters",
	};

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		ck_assert_msg(!wrong(good[i]), "`%s`: %s", good[i], wrong(good[i]));
}
END_TEST

START_TEST(short_ones_are_refused_by_characters)
{
	refused("", "at least 12");
	refused("five otters", "at least 12");
	/* Eleven characters in more bytes. */
	refused("\xc3\xa6\xc3\xb8\xc3\xa5\xc3\xa6\xc3\xb8\xc3\xa5 otte", "at least 12");
}
END_TEST

START_TEST(repetitions_are_refused)
{
	refused("aaaaaaaaaaaa", "again and again");
	refused("abcabcabcabc", "again and again");
	refused("otter otter otter", "again and again");
	refused("121212121212", "again and again");
}
END_TEST

START_TEST(runs_are_refused)
{
	refused("abcdefghijklmnop", "run of neighbors");
	refused("9876543210987654", "run of neighbors");
	refused("qwertyuiopasdfgh", "run of neighbors");
	refused("aaaabbbbccccdddd", "run of neighbors");
	refused("QWERTYUIOP1234567890", "run of neighbors");
}
END_TEST

START_TEST(commonest_are_refused_in_any_dress)
{
	refused("Password1234!", "first that anybody tries");
	refused("correct horse battery staple", "first that anybody tries");
	refused("Let me in, please!", "first that anybody tries");
	refused("Sommerferie 2026", "first that anybody tries");
	refused("010190-4711-88", "first that anybody tries");
}
END_TEST

START_TEST(names_count_for_nothing)
{
	refused("anna otter 12", "your name");
	refused("ANNAjft-Annaotter7x", "your name");
	ck_assert_ptr_null(tools_strength_wrong("bo otter 1234x", 14, NULL, 0));
}
END_TEST

START_TEST(long_ones_are_bounded)
{
	char text[1026];

	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = (char)('a' + i * i % 23);
	ck_assert_ptr_null(tools_strength_wrong(text, 1023, NULL, 0));
	ck_assert_str_eq(tools_strength_wrong(text, 1026, NULL, 0), "the passphrase is too long");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("tools/strength");
	TCase *tc = tcase_create("all");
	SRunner *r;
	int failed;

	tcase_add_test(tc, passphrases_of_a_few_words_are_taken);
	tcase_add_test(tc, short_ones_are_refused_by_characters);
	tcase_add_test(tc, repetitions_are_refused);
	tcase_add_test(tc, runs_are_refused);
	tcase_add_test(tc, commonest_are_refused_in_any_dress);
	tcase_add_test(tc, names_count_for_nothing);
	tcase_add_test(tc, long_ones_are_bounded);
	suite_add_tcase(s, tc);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
