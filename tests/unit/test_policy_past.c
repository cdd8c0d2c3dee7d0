/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/test_policy_past.c - which policy was in force at a version and at a time.
 */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/past.h"

static const char practice_a[] = "practice \"K\"\n"
				 "role physician clinical may list read write create\n"
				 "role steward may policy audit\n"
				 "unit north \"N\"\n"
				 "practitioner anna user anna role physician unit north\n"
				 "practitioner dan user dan role steward\n";
static const char practice_b[] = "practice \"K\"\n"
				 "role physician clinical may list read write create\n"
				 "role steward may policy audit\n"
				 "unit north \"N\"\n"
				 "practitioner anna user anna role physician unit north on leave\n"
				 "practitioner dan user dan role steward\n";

static struct policy_past *past;

static void add(uint32_t version, int64_t time_s, uint32_t journal, const char *name,
		const char *text)
{
	struct policy_past_change c = {.version = version,
				       .time_s = time_s,
				       .journal = journal,
				       .name = name,
				       .who = "dan",
				       .reason = "",
				       .text = text,
				       .len = text ? strlen(text) : 0};

	ck_assert_int_eq(policy_past_add(past, &c), 0);
}

/* What anna has in the journal at the version; 0xffff when there is no policy of it. */
static uint32_t rights(uint32_t version, uint32_t journal)
{
	struct policy_practice *p = NULL;
	struct policy_journal *j = NULL;
	struct policy_question q = {.who = "anna", .now_s = 1000};
	struct policy_verdict v;

	ck_assert_int_eq(policy_past_get(past, version, journal, &p, &j), 0);
	q.practice = p;
	q.journal = j;
	policy_decide(&q, &v);
	if (!j)
		v.rights = 0xffff;
	policy_practice_put(p);
	policy_journal_put(j);
	return v.rights;
}

static void setup(void)
{
	ck_assert_int_eq(policy_past_new(&past), 0);
	add(1, 100, 0, NULL, practice_a);
	add(2, 200, 7, "Hansen", "journal \"Hansen\"\nallow user:anna:r-x\n");
	add(3, 300, 9, "Olsen", "journal \"Olsen\"\nallow user:anna:rwx\n");
	add(5, 500, 7, "Hansen, Anna", "journal \"Hansen, Anna\"\nallow user:anna:rwx\n");
	add(6, 600, 0, NULL, practice_b);
	add(8, 800, 9, "Olsen", NULL);
}

static void teardown(void)
{
	policy_past_free(past);
}

START_TEST(a_version_has_the_practice_and_the_journal_of_its_time)
{
	const uint32_t in = POLICY_LIST | POLICY_READ;

	ck_assert_uint_eq(rights(1, 7), 0xffff);
	ck_assert_uint_eq(rights(2, 7) & (in | POLICY_WRITE), in);
	ck_assert_uint_eq(rights(4, 7) & (in | POLICY_WRITE), in);
	ck_assert_uint_eq(rights(5, 7) & (in | POLICY_WRITE), in | POLICY_WRITE);
	ck_assert_uint_eq(rights(6, 7), 0);
	/* A version that came later than all is what is in force. */
	ck_assert_uint_eq(rights(4000000000u, 7), 0);
}
END_TEST

START_TEST(a_removed_journal_has_no_policy_from_then_on)
{
	ck_assert_uint_ne(rights(7, 9), 0xffff);
	ck_assert_uint_eq(rights(8, 9), 0xffff);
	ck_assert_ptr_null(policy_past_journal(past, 8, 9));
	ck_assert_str_eq(policy_past_journal(past, 7, 9), "Olsen");
	ck_assert_str_eq(policy_past_journal(past, 3, 7), "Hansen");
	ck_assert_str_eq(policy_past_journal(past, 5, 7), "Hansen, Anna");
	ck_assert_ptr_null(policy_past_journal(past, 5, 8));
}
END_TEST

START_TEST(a_time_has_the_newest_version_made_by_then)
{
	ck_assert_uint_eq(policy_past_version(past, 99), 0);
	ck_assert_uint_eq(policy_past_version(past, 100), 1);
	ck_assert_uint_eq(policy_past_version(past, 499), 3);
	ck_assert_uint_eq(policy_past_version(past, 5000), 8);
	/* The clock was set back when this one was made. */
	add(9, 250, 7, "Hansen", "journal \"Hansen\"\nallow user:anna:r-x\n");
	ck_assert_uint_eq(policy_past_version(past, 700), 9);
	ck_assert_uint_eq(policy_past_version(past, 249), 2);
}
END_TEST

START_TEST(versions_that_do_not_ascend_are_refused)
{
	struct policy_past_change c = {.version = 8, .text = "", .who = "", .reason = ""};

	ck_assert_int_eq(policy_past_add(past, &c), -EINVAL);
	c.version = 0;
	ck_assert_int_eq(policy_past_add(past, &c), -EINVAL);
	ck_assert_uint_eq(policy_past_count(past), 6);
}
END_TEST

START_TEST(before_the_first_practice_there_is_none)
{
	struct policy_practice *p = NULL;
	struct policy_journal *j = NULL;

	ck_assert_int_eq(policy_past_get(past, 0, 7, &p, &j), -ENOENT);
	ck_assert_ptr_null(p);
	policy_past_free(past);
	ck_assert_int_eq(policy_past_new(&past), 0);
	ck_assert_int_eq(policy_past_get(past, 1, 0, &p, &j), -ENOENT);
}
END_TEST

START_TEST(a_text_that_does_not_parse_is_told_and_the_others_stay)
{
	struct policy_practice *p = NULL;
	struct policy_journal *j = NULL;

	add(10, 1000, 7, "Hansen", "nonsense\n");
	ck_assert_int_eq(policy_past_get(past, 10, 7, &p, &j), -EINVAL);
	ck_assert_ptr_null(p);
	ck_assert_ptr_null(j);
	ck_assert_int_eq(policy_past_get(past, 9, 7, &p, &j), 0);
	policy_practice_put(p);
	policy_journal_put(j);
}
END_TEST

START_TEST(what_was_added_is_a_copy_with_its_bytes)
{
	char text[] = "journal \"X\"\nallow user:anna:r-x\n", name[] = "X";
	const struct policy_past_change *c;

	add(11, 1100, 12, name, text);
	memset(text, 'z', sizeof(text) - 1);
	name[0] = 'q';
	c = policy_past_at(past, 6);
	ck_assert_str_eq(c->name, "X");
	ck_assert_str_eq(c->who, "dan");
	ck_assert_str_eq(c->text, "journal \"X\"\nallow user:anna:r-x\n");
	ck_assert_ptr_null(policy_past_at(past, 7));
}
END_TEST

/* More texts than parsed ones are kept: each answer is still that of its own version. */
START_TEST(thousands_of_journals_and_many_practices_each_answer_for_themselves)
{
	char text[80], name[16];

	for (uint32_t n = 0; n < 3000; n++) {
		snprintf(name, sizeof(name), "J%u", (unsigned)n);
		snprintf(text, sizeof(text), "journal \"%s\"\nallow user:anna:r%cx\n", name,
			 n % 2 ? 'w' : '-');
		if (n % 100 == 0)
			add(20 + 2 * n, 2000, 0, NULL, n % 200 ? practice_b : practice_a);
		add(21 + 2 * n, 2000, 100 + n, name, text);
	}
	for (unsigned round = 0; round < 2; round++) {
		for (uint32_t n = 0; n < 3000; n++) {
			uint32_t has = rights(21 + 2 * n, 100 + n);

			ck_assert_int_eq(has != 0, n % 200 < 100);
			if (has)
				ck_assert_int_eq((has & POLICY_WRITE) != 0, n % 2 == 1);
		}
	}
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("policy_past");
	TCase *c = tcase_create("past");

	tcase_add_checked_fixture(c, setup, teardown);
	tcase_set_timeout(c, 60);
	tcase_add_test(c, a_version_has_the_practice_and_the_journal_of_its_time);
	tcase_add_test(c, a_removed_journal_has_no_policy_from_then_on);
	tcase_add_test(c, a_time_has_the_newest_version_made_by_then);
	tcase_add_test(c, versions_that_do_not_ascend_are_refused);
	tcase_add_test(c, before_the_first_practice_there_is_none);
	tcase_add_test(c, a_text_that_does_not_parse_is_told_and_the_others_stay);
	tcase_add_test(c, what_was_added_is_a_copy_with_its_bytes);
	tcase_add_test(c, thousands_of_journals_and_many_practices_each_answer_for_themselves);
	suite_add_tcase(s, c);
	return s;
}

int main(void)
{
	SRunner *r = srunner_create(suite());
	int failed;

	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
