/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Parsing while memory is short: the nth allocation fails, for every n until the parse succeeds.
 * Each failure must be -ENOMEM and leave nothing behind. Counts allocations by standing in for
 * malloc; a sanitizer has its own, so there the parses only run to success.
 */
#include <check.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/expect.h"
#include "policy/explain.h"
#include "policy/features.h"
#include "test_policy_memory.h"

static const char practice_text[] =
	"practice \"K\"\nrole r clinical may list read policy audit\nunit north \"N\"\n"
	"role r2 may list\nrole r3 may list\nrole r4 may list\nrole r5 may list\nrole r6 may list\n"
	"role r7 may list\nrole r8 may list\nrole r9 may list\nunit south \"S\" group s\n"
	"practitioner anna user anna role r unit north\npractitioner bo user bo role r2\n"
	"program deny updatedb\ndefault unit south allow role:r:r-x\ninclude practice.d\n"
	"hours mon-fri 07:00-17:00\nown anna \"J\"\nrelative bo \"J\"\nstatement country SE\n"
	"%part a\nrole r10 may list\ndefault unit north allow user:bo:r-x\n";
static const char journal_text[] =
	"journal \"A\"\nunit north\nallow user:anna:rwx\nallow unit:north:r\nallow unit:south:r\n"
	"allow role:r:r\nallow role:r2:r\nallow role:r3:r\nallow role:r4:r\nallow role:r5:r\n"
	"allow role:r6:r\nallow role:r7:r\nblock user:bo\n"
	"attend user:anna from 2026-01-01 until 2026-01-02 reason \"r\"\n";

/* One attempt; the n-th allocation fails. True when it came through. */
static bool practice_attempt(unsigned n)
{
	struct policy_practice *p = NULL;
	int rc;

	memory_begin(n);
	rc = policy_practice_parse(practice_text, strlen(practice_text), "p", NULL, &p);
	if (!rc)
		policy_practice_put(p);
	(void)memory_end();
	ck_assert(rc == 0 || rc == -ENOMEM);
	ck_assert(rc == 0 || p == NULL);
	ck_assert_int_eq(held, 0);
	return rc == 0;
}

static bool journal_attempt(const struct policy_practice *practice, unsigned n)
{
	struct policy_journal *j = NULL;
	int rc;

	memory_begin(n);
	rc = policy_journal_parse(journal_text, strlen(journal_text), "j", practice, NULL, &j);
	if (!rc)
		policy_journal_put(j);
	(void)memory_end();
	ck_assert(rc == 0 || rc == -ENOMEM);
	ck_assert(rc == 0 || j == NULL);
	ck_assert_int_eq(held, 0);
	return rc == 0;
}

START_TEST(practice_parse_gives_back_all_when_memory_is_short)
{
	unsigned n = 1;

	while (!practice_attempt(n))
		n++;
	ck_assert_uint_ge(n, OWN_MALLOC ? 8 : 1);
}
END_TEST

START_TEST(journal_parse_gives_back_all_when_memory_is_short)
{
	struct policy_practice *p = NULL;
	unsigned n = 1;

	ck_assert_int_eq(policy_practice_parse(practice_text, strlen(practice_text), "p", NULL, &p),
			 0);
	while (!journal_attempt(p, n))
		n++;
	ck_assert_uint_ge(n, OWN_MALLOC ? 4 : 1);
	policy_practice_put(p);
}
END_TEST

START_TEST(texts_gives_back_all_when_memory_is_short)
{
	struct policy_practitioner who = {.name = "anna"};
	char *text = NULL;

	for (unsigned n = 1; !text; n++) {
		memory_begin(n);
		text = policy_journal_initial("A", &who);
		(void)memory_end();
		ck_assert(text || held == 0);
	}
	free(text);
	text = NULL;
	for (unsigned n = 1; !text; n++) {
		memory_begin(n);
		text = policy_journal_renamed(journal_text, strlen(journal_text), "B");
		(void)memory_end();
		ck_assert(text || held == 0);
	}
	free(text);
	text = NULL;
	for (unsigned n = 1; !text; n++) {
		memory_begin(n);
		text = policy_practice_initial("A", "anna", "anna", true);
		(void)memory_end();
		ck_assert(text || held == 0);
	}
	free(text);
}
END_TEST

START_TEST(explanation_gives_back_all_when_memory_is_short)
{
	struct policy_practice *p = NULL;
	struct policy_journal *j = NULL;
	struct policy_question q = {.who = "bo", .rights = POLICY_READ, .now_s = 1780000000};
	char *text = NULL, many[4096] = "";
	unsigned n;

	for (unsigned i = 0; i < 60; i++)
		sprintf(many + strlen(many), "allow user:bo:r-x until 2%03u-01-01\n", i);
	ck_assert_int_eq(policy_practice_parse(practice_text, strlen(practice_text), "p", NULL, &p),
			 0);
	ck_assert_int_eq(policy_journal_parse(many, strlen(many), "j", NULL, NULL, &j), 0);
	q.practice = p;
	q.journal = j;
	for (n = 1; !text; n++) {
		int rc;

		memory_begin(n);
		rc = policy_explain(&q, &text);
		(void)memory_end();
		ck_assert(rc == (text ? 0 : -ENOMEM));
		ck_assert(text || held == 0);
	}
	ck_assert_uint_ge(n, OWN_MALLOC ? 4 : 1);
	free(text);
	policy_journal_put(j);
	policy_practice_put(p);
}
END_TEST

START_TEST(expect_parse_gives_back_all_when_memory_is_short)
{
	char text[2048] = "";
	struct policy_expect *e = NULL;
	unsigned n;

	for (unsigned i = 0; i < 40; i++)
		strcat(text, "expect anna read \"J\" allow\n");
	for (n = 1; !e; n++) {
		int rc;

		memory_begin(n);
		rc = policy_expect_parse(text, strlen(text), "e", NULL, &e);
		(void)memory_end();
		ck_assert(rc == (e ? 0 : -ENOMEM));
		ck_assert(e || held == 0);
	}
	ck_assert_uint_ge(n, OWN_MALLOC ? 6 : 1);
	policy_expect_free(e);
}
END_TEST

START_TEST(report_counts_on_when_memory_is_short)
{
	struct policy_report *report = NULL;

	ck_assert_int_eq(policy_report_new(&report), 0);
	for (unsigned n = 1; n < 6; n++) {
		fail_at = n;
		asked = 0;
		counting = true;
		policy_report_add(report, "f", 1, 2, "%s", "message");
		(void)memory_end();
	}
	ck_assert_uint_eq(policy_report_count(report), 5);
	ck_assert_str_eq(policy_report_line(report, 0), "f:1:2: message");
	policy_report_free(report);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("policy_memory");
	TCase *t = tcase_create("memory");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_add_test(t, practice_parse_gives_back_all_when_memory_is_short);
	tcase_add_test(t, journal_parse_gives_back_all_when_memory_is_short);
	tcase_add_test(t, texts_gives_back_all_when_memory_is_short);
	tcase_add_test(t, explanation_gives_back_all_when_memory_is_short);
	tcase_add_test(t, expect_parse_gives_back_all_when_memory_is_short);
	tcase_add_test(t, report_counts_on_when_memory_is_short);
	suite_add_tcase(s, t);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
