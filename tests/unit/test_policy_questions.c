/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/test_policy_questions.c - what the practice policy says for questions about the log:
 * working hours, own and relatives' journals, a patient's statement; and what their errors say.
 */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "policy/practice.h"

#define BASE                                                                                       \
	"role r clinical may list read policy audit\nunit north \"N\"\n"                           \
	"practitioner anna user anna role r unit north\n"

static struct policy_practice *parsed(const char *text)
{
	struct policy_practice *p = NULL;

	ck_assert_int_eq(policy_practice_parse(text, strlen(text), "p", NULL, &p), 0);
	return p;
}

static const struct {
	const char *text, *errors;
} golden[] = {
	{BASE "hours\n", "p:4:6: days are missing here: mon, tue, wed, thu, fri, sat, sun, or a "
			 "range as in mon-fri\n"},
	{BASE "hours 07:00-17:00\n", "p:4:7: days are missing here: mon, tue, wed, thu, fri, sat, "
				     "sun, or a range as in mon-fri\n"},
	{BASE "hours monday 07:00-17:00\n", "p:4:7: days are missing here: mon, tue, wed, thu, "
					    "fri, sat, sun, or a range as in mon-fri\n"},
	{BASE "hours mon\n", "p:4:10: hours are from and until, as in 07:00-17:00; 22:00-06:00 "
			     "goes on into the next day\n"},
	{BASE "hours mon 7-17\n", "p:4:11: hours are from and until, as in 07:00-17:00; "
				  "22:00-06:00 goes on into the next day\n"},
	{BASE "hours mon 07:00-07:00\n", "p:4:11: hours are from and until, as in 07:00-17:00; "
					 "22:00-06:00 goes on into the next day\n"},
	{BASE "hours mon 07:60-08:00\n", "p:4:11: hours are from and until, as in 07:00-17:00; "
					 "22:00-06:00 goes on into the next day\n"},
	{BASE "hours mon 24:00-08:00\n", "p:4:11: hours are from and until, as in 07:00-17:00; "
					 "22:00-06:00 goes on into the next day\n"},
	{BASE "hours mon 08:00-24:01\n", "p:4:11: hours are from and until, as in 07:00-17:00; "
					 "22:00-06:00 goes on into the next day\n"},
	{BASE "hours mon 08:00-12:00 tue\n",
	 "p:4:23: hours are from and until, as in 07:00-17:00; 22:00-06:00 goes on into the next "
	 "day\n"},
	{BASE "own\n", "p:4:4: a practitioner name is missing here\n"},
	{BASE "own anna\n", "p:4:9: a journal's name is missing here\n"},
	{BASE "own anna J\n",
	 "p:4:10: a journal's name is wanted here: put `J` into double quotes\n"},
	{BASE "own anna \"a/b\"\n",
	 "p:4:10: no journal can be called so: name it as its directory is named\n"},
	{BASE "own ana \"J\"\n", "p:4:5: unknown practitioner `ana`: did you mean `anna`?\n"},
	{BASE "relative bo \"J\"\n", "p:4:10: unknown practitioner `bo`: declare it on a "
				     "`practitioner` line\n"},
	{BASE "own anna \"J\"\nrelative anna \"K\" \"J\"\n",
	 "p:5:10: this journal of `anna` stands on line 4 already\n"},
	{BASE "statement\n", "p:4:10: missing here is one of names, units, country, refused\n"},
	{BASE "statement name\n",
	 "p:4:11: unknown statement setting `name`: did you mean `names`?\n"},
	{BASE "statement names units\n", "p:4:17: `units` was given on line 4 already\n"},
	{BASE "statement country FI\n", "p:4:19: unknown country `FI`: known are DK, SE, NO\n"},
	{BASE "statement country\n", "p:4:18: missing here is one of DK, SE, NO\n"},
	{BASE "include practice.d\n%part a\nhours mon 08:00-12:00\nstatement names\nown anna "
	      "\"J\"\n",
	 "practice.d/a.policy:1:1: `hours` is for the whole practice: move the line to "
	 "practice.policy\n"
	 "practice.d/a.policy:2:1: `statement` is for the whole practice: move the line to "
	 "practice.policy\n"},
};

START_TEST(questions_error_reads_as_written)
{
	struct policy_report *report = NULL;
	struct policy_practice *p = NULL;
	char *got;

	ck_assert_int_eq(policy_report_new(&report), 0);
	ck_assert_int_eq(
		policy_practice_parse(golden[_i].text, strlen(golden[_i].text), "p", report, &p),
		-EINVAL);
	got = policy_report_text(report);
	ck_assert_str_eq(got, golden[_i].errors);
	free(got);
	policy_report_free(report);
}
END_TEST

START_TEST(questions_hours_are_those_of_all_lines)
{
	struct policy_practice *p = parsed(BASE);

	ck_assert(!policy_practice_has_hours(p));
	policy_practice_put(p);
	p = parsed(BASE "hours mon-fri 07:00-12:00 13:00-17:00\nhours wed sat 20:00-24:00\n"
			"hours sun 22:00-06:00\nhours sat-sun 00:00-00:01\n");
	ck_assert(policy_practice_has_hours(p));
	ck_assert(!policy_practice_works(p, 1, 7 * 60 - 1) && policy_practice_works(p, 1, 7 * 60));
	ck_assert(policy_practice_works(p, 4, 17 * 60 - 1) &&
		  !policy_practice_works(p, 4, 17 * 60));
	ck_assert(!policy_practice_works(p, 2, 12 * 60) &&
		  !policy_practice_works(p, 5, 12 * 60 - 1));
	ck_assert(policy_practice_works(p, 2, 1439) && policy_practice_works(p, 5, 20 * 60));
	ck_assert(!policy_practice_works(p, 3, 0));
	/* From Sunday night into Monday morning, over the week's end. */
	ck_assert(policy_practice_works(p, 6, 22 * 60) && policy_practice_works(p, 0, 6 * 60 - 1));
	ck_assert(!policy_practice_works(p, 0, 6 * 60) && policy_practice_works(p, 5, 0) &&
		  !policy_practice_works(p, 5, 1) && policy_practice_works(p, 6, 0));
	policy_practice_put(p);
}
END_TEST

START_TEST(questions_kin_is_by_practitioner_and_journal)
{
	struct policy_practice *p =
		parsed("include practice.d\n" BASE
		       "practitioner bo user bo role r\nrelative bo \"J\" \"K \\\"x\\\"\"\n"
		       "own anna \"J\"\n%part a\npractitioner cy user cy role r\nown cy \"L\"\n");

	ck_assert_int_eq(policy_practice_kin(p, "anna", "J"), POLICY_KIN_OWN);
	ck_assert_int_eq(policy_practice_kin(p, "bo", "J"), POLICY_KIN_RELATIVE);
	ck_assert_int_eq(policy_practice_kin(p, "bo", "K \"x\""), POLICY_KIN_RELATIVE);
	ck_assert_int_eq(policy_practice_kin(p, "cy", "L"), POLICY_KIN_OWN);
	ck_assert_int_eq(policy_practice_kin(p, "anna", "K"), POLICY_KIN_NONE);
	ck_assert_int_eq(policy_practice_kin(p, "cy", "J"), POLICY_KIN_NONE);
	ck_assert_int_eq(policy_practice_kin(p, "", ""), POLICY_KIN_NONE);
	policy_practice_put(p);
}
END_TEST

static void statement(const char *text, bool names, bool refused, const char *country)
{
	struct policy_practice *p = parsed(text);
	const struct policy_settings *s = policy_practice_settings(p);

	ck_assert_int_eq(s->statement_names, names);
	ck_assert_int_eq(s->statement_refused, refused);
	ck_assert_str_eq(s->country, country);
	policy_practice_put(p);
}

/* Without a word units only: what a statement has named cannot be taken back. */
START_TEST(questions_statement_names_by_word_or_country)
{
	statement(BASE, false, false, "");
	statement(BASE "statement names\n", true, false, "");
	statement(BASE "statement units refused\n", false, true, "");
	statement(BASE "statement country DK\n", true, false, "DK");
	statement(BASE "statement country SE\n", false, false, "SE");
	statement(BASE "statement country NO\nstatement refused\n", true, true, "NO");
	statement(BASE "statement country SE names\n", true, false, "SE");
	statement(BASE "statement units country DK\n", false, false, "DK");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("policy_questions");
	TCase *c = tcase_create("questions");
	SRunner *sr;
	int failed;

	tcase_add_loop_test(c, questions_error_reads_as_written, 0,
			    (int)(sizeof(golden) / sizeof(golden[0])));
	tcase_add_test(c, questions_hours_are_those_of_all_lines);
	tcase_add_test(c, questions_kin_is_by_practitioner_and_journal);
	tcase_add_test(c, questions_statement_names_by_word_or_country);
	suite_add_tcase(s, c);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? 1 : 0;
}
