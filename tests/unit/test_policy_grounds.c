/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/test_policy_grounds.c - on what grounds somebody has access, and that there is one exactly
 * when the decision gives something.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/grounds.h"

#define IN_JOURNAL                                                                                 \
	(POLICY_LIST | POLICY_READ | POLICY_WRITE | POLICY_FINALIZE | POLICY_EXPORT |              \
	 POLICY_HISTORY)
#define NOON 1795262400 /* 2026-11-21 12:00 UTC */

static const char practice_text[] =
	"practice \"K\"\n"
	"role physician clinical may list read write create finalize export attend history\n"
	"role nurse clinical may list read write\n"
	"role secretary may list create\n"
	"role steward may policy\n"
	"role auditor may audit review\n"
	"unit north \"N\"\n"
	"unit south \"S\"\n"
	"default unit south allow role:nurse:r-x\n"
	"default unit south allow user:anna:r-x until 2027-01-31\n"
	"practitioner anna user anna role physician unit north\n"
	"practitioner bo user bo role nurse unit north\n"
	"practitioner eva user eva role physician unit south on leave\n"
	"practitioner per user per role secretary unit north\n"
	"practitioner dan user dan role steward\n"
	"practitioner kim user kim role auditor\n";

static struct policy_practice *practice;

static void setup(void)
{
	struct policy_report *r = NULL;
	int rc;

	ck_assert_int_eq(policy_report_new(&r), 0);
	rc = policy_practice_parse(practice_text, strlen(practice_text), "practice.policy", r,
				   &practice);
	ck_assert_msg(rc == 0, "%s", policy_report_line(r, 0));
	policy_report_free(r);
}

static void teardown(void)
{
	policy_practice_put(practice);
}

static struct policy_journal *parse(const char *text)
{
	struct policy_journal *j = NULL;
	struct policy_report *r = NULL;

	ck_assert_int_eq(policy_report_new(&r), 0);
	ck_assert_msg(policy_journal_parse(text, strlen(text), "j", NULL, r, &j) == 0, "%s",
		      policy_report_line(r, 0));
	policy_report_free(r);
	return j;
}

static struct policy_grounds grounds(const struct policy_journal *j, const char *who)
{
	const struct policy_question q = {practice, j, who, 0, NOON, NULL};
	struct policy_grounds g;

	policy_grounds(&q, &g);
	return g;
}

START_TEST(strongest_ground_is_named_with_its_latest_end)
{
	struct policy_journal *j =
		parse("journal \"j\"\nunit south\nallow user:anna:r-x until 2026-12-01\n"
		      "allow user:anna:r-x until 2026-11-30\nallow unit:north:rwx\n"
		      "allow role:secretary:rwx\n");
	struct policy_grounds g = grounds(j, "anna");

	ck_assert_int_eq(g.access, POLICY_ACCESS_OWN);
	ck_assert_int_eq(g.until_s, 1796169600); /* the end of 2026-12-01 */
	/* What holds is all of it together. */
	ck_assert_uint_eq(g.rights, IN_JOURNAL);
	g = grounds(j, "bo");
	ck_assert_int_eq(g.access, POLICY_ACCESS_UNIT);
	ck_assert_int_eq(g.until_s, INT64_MAX);
	ck_assert(!g.named && !g.blocked);
	g = grounds(j, "per");
	ck_assert_int_eq(g.access, POLICY_ACCESS_UNIT);
	ck_assert_uint_eq(g.rights, POLICY_LIST);
	policy_journal_put(j);
	j = parse("journal \"j\"\nunit south\n");
	ck_assert_int_eq(grounds(j, "bo").access, POLICY_ACCESS_DEFAULT);
	ck_assert_uint_eq(grounds(j, "bo").rights, POLICY_LIST | POLICY_READ);
	ck_assert_int_eq(grounds(j, "anna").until_s, 1801440000); /* the end of 2027-01-31 */
	ck_assert_int_eq(grounds(j, "dan").access, POLICY_ACCESS_NONE);
	ck_assert_int_eq(grounds(j, "nobody").access, POLICY_ACCESS_NONE);
	policy_journal_put(j);
}
END_TEST

START_TEST(care_that_was_stated_is_a_ground_of_its_own)
{
	struct policy_journal *j =
		parse("journal \"j\"\nattend user:anna from 2026-11-21T06:00Z until 2026-11-21T18:30Z "
		      "reason \"covers\"\nattend user:bo from 2026-11-21 until 2026-11-21 reason \"r\"\n"
		      "allow role:physician:r-x\n");
	struct policy_grounds g = grounds(j, "anna");

	ck_assert_int_eq(g.access, POLICY_ACCESS_ATTEND);
	ck_assert_int_eq(g.until_s, NOON + 6 * 3600 + 1800);
	/* The role of bo may not attend. */
	ck_assert_int_eq(grounds(j, "bo").access, POLICY_ACCESS_NONE);
	ck_assert(grounds(j, "bo").named);
	ck_assert(policy_grounds_attended(j, NOON));
	ck_assert(!policy_grounds_attended(j, NOON + 86400));
	policy_journal_put(j);
}
END_TEST

START_TEST(block_and_absence_leave_no_ground)
{
	struct policy_journal *j = parse("journal \"j\"\nallow user:anna:rwx\nblock unit:north\n"
					 "allow user:eva:rwx\n");
	struct policy_grounds g = grounds(j, "anna");

	ck_assert(g.blocked && g.named);
	ck_assert_str_eq(g.block, "block unit:north");
	ck_assert_int_eq(g.access, POLICY_ACCESS_NONE);
	ck_assert_uint_eq(g.rights, 0);
	g = grounds(j, "eva");
	ck_assert(g.named && !g.blocked);
	ck_assert_int_eq(g.access, POLICY_ACCESS_NONE);
	ck_assert_uint_eq(g.rights, 0);
	policy_journal_put(j);
}
END_TEST

START_TEST(entries_are_told_one_by_one)
{
	struct policy_journal *j =
		parse("journal \"j\"\n\nallow group:north:r-x from 2026-11-01 until 2026-11-30\n"
		      "block user:bo\n");
	struct policy_relation r;
	const char *unit;

	ck_assert(policy_grounds_entry(j, 0, &r));
	ck_assert_str_eq(r.text, "allow group:north:r-x");
	ck_assert_str_eq(r.who, "north");
	ck_assert(!r.user && !r.attend && !r.block);
	ck_assert_uint_eq(r.line, 3);
	ck_assert_int_eq(r.until_s - r.from_s, 30 * 86400);
	ck_assert(policy_grounds_entry(j, 1, &r));
	ck_assert(r.user && r.block && r.until_s == INT64_MAX && r.from_s == INT64_MIN);
	ck_assert(!policy_grounds_entry(j, 2, &r));
	ck_assert(policy_grounds_ends(j, NOON, NOON + 10 * 86400));
	ck_assert(!policy_grounds_ends(j, NOON, NOON + 9 * 86400));
	ck_assert(!policy_grounds_ends(j, NOON + 10 * 86400, INT64_MAX));
	ck_assert(policy_grounds_default(practice, 1, &r, &unit));
	ck_assert_str_eq(r.text, "allow user:anna:r-x");
	ck_assert_str_eq(unit, "south");
	ck_assert(!policy_grounds_default(practice, 2, &r, &unit));
	policy_journal_put(j);
}
END_TEST

/* ---- against the decision ---- */

static unsigned long seed;
static unsigned pick(unsigned n)
{
	seed = seed * 6364136223846793005ul + 1442695040888963407ul;
	return (unsigned)(seed >> 33) % n;
}

static void random_line(char *out, size_t cap)
{
	static const char *const subjects[] = {"user:anna", "user:bo",	 "user:eva",	"user:per",
					       "user:dan",  "unit:north", "unit:south", "role:nurse",
					       "role:physician", "role:steward", "role:secretary"};
	static const char *const perms[] = {"rwx", "r-x", "--x", "rw-", "r--", "-wx"};
	static const char *const spans[] = {"", " until 2026-11-20", " until 2026-11-21",
					    " from 2026-11-22", " from 2026-11-01 until 2026-12-24"};
	const char *subject = subjects[pick(11)];

	if (!pick(6))
		snprintf(out, cap, "block %s\n", subject);
	else if (!pick(5))
		snprintf(out, cap, "attend %s from 2026-11-21T%02u:00Z until 2026-11-21T%02u:00Z "
				   "reason \"r\"\n",
			 subjects[pick(5)], pick(12), 12 + pick(12));
	else
		snprintf(out, cap, "allow %s:%s%s\n", subject, perms[pick(6)], spans[pick(5)]);
}

START_TEST(there_is_a_ground_exactly_when_the_decision_gives_something)
{
	static const char *const people[] = {"anna", "bo", "eva", "per", "dan", "kim", "nobody"};
	unsigned given = 0, blocked = 0;

	seed = 4;
	for (unsigned round = 0; round < 20000; round++) {
		char text[2048] = "journal \"j\"\n", line[160];
		struct policy_journal *j = NULL;

		if (pick(3))
			strcat(text, pick(2) ? "unit north\n" : "unit south\n");
		for (unsigned n = pick(8); n; n--) {
			random_line(line, sizeof(line));
			/* The same entry twice is an error of the language. */
			if (!strstr(text, line))
				strcat(text, line);
		}
		/* Some are refused, such as one entry twice with other permissions: not these. */
		{
			struct policy_report *r = NULL;
			int rc;

			ck_assert_int_eq(policy_report_new(&r), 0);
			rc = policy_journal_parse(text, strlen(text), "j", NULL, r, &j);
			policy_report_free(r);
			if (rc)
				continue;
		}
		for (unsigned i = 0; i < 7; i++) {
			const struct policy_question q = {practice, j, people[i], 0, NOON, NULL};
			struct policy_verdict v;
			struct policy_grounds g;

			policy_decide(&q, &v);
			policy_grounds(&q, &g);
			ck_assert_msg(g.rights == (v.rights & IN_JOURNAL), "%s in\n%s", people[i], text);
			ck_assert_msg((g.access == POLICY_ACCESS_NONE) == !g.rights, "%s in\n%s", people[i],
				      text);
			ck_assert_msg(!g.blocked || !g.rights, "%s in\n%s", people[i], text);
			ck_assert_msg(!g.rights || g.until_s > NOON, "%s in\n%s", people[i], text);
			given += g.rights != 0;
			blocked += g.blocked;
		}
		policy_journal_put(j);
	}
	ck_assert_uint_gt(given, 10000);
	ck_assert_uint_gt(blocked, 5000);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("policy/grounds");
	TCase *tc = tcase_create("grounds");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, strongest_ground_is_named_with_its_latest_end);
	tcase_add_test(tc, care_that_was_stated_is_a_ground_of_its_own);
	tcase_add_test(tc, block_and_absence_leave_no_ground);
	tcase_add_test(tc, entries_are_told_one_by_one);
	tcase_add_test(tc, there_is_a_ground_exactly_when_the_decision_gives_something);
	suite_add_tcase(s, tc);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
