/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/test_policy_which.c - which policy a text is, by its own words. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "policy/which.h"

static const char *of(const char *text)
{
	static char name[POLICY_JOURNAL_NAME_MAX + 1];

	return policy_which_journal(text, strlen(text), name) ? name : NULL;
}

START_TEST(journal_statement_names_the_journal_wherever_it_stands)
{
	ck_assert_str_eq(of("journal \"p\"\n"), "p");
	ck_assert_str_eq(of("# a comment\n\nunit north\n  journal \"010190 H\xc3\xa5 \\\"x\\\" \\\\\" # c\n"),
			 "010190 H\xc3\xa5 \"x\" \\");
	ck_assert_str_eq(of("nonsense $$$\njournal \"p\" and more\n"), "p");
	ck_assert_str_eq(of("journal p\njournal \"q\"\njournal \"r\"\n"), "q");
}
END_TEST

START_TEST(text_without_one_names_none)
{
	char big[400];

	ck_assert_ptr_null(of(""));
	ck_assert_ptr_null(of("practice \"journal\"\nrole journal may list\n"));
	ck_assert_ptr_null(of("# journal \"p\"\n"));
	ck_assert_ptr_null(of("journal \"\"\n"));
	ck_assert_ptr_null(of("journal \"open\n"));
	ck_assert_ptr_null(of("journals \"p\"\n"));
	memset(big, 'a', sizeof(big));
	memcpy(big, "journal \"", 9);
	memcpy(big + 9 + POLICY_JOURNAL_NAME_MAX + 1, "\"\n", 3);
	ck_assert_ptr_null(of(big));
	memcpy(big + 9 + POLICY_JOURNAL_NAME_MAX, "\"\n", 3);
	ck_assert_uint_eq(strlen(of(big)), POLICY_JOURNAL_NAME_MAX);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("policy/which");
	TCase *tc = tcase_create("which");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_test(tc, journal_statement_names_the_journal_wherever_it_stands);
	tcase_add_test(tc, text_without_one_names_none);
	suite_add_tcase(s, tc);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
