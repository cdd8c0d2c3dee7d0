/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Expected decisions: every error of the text in its words, and what is said of each expectation.
 */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/expect.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define NOON 1795262400 /* 2026-11-21T12:00Z */

static const char practice_text[] =
	"role physician clinical may list read write create attend\n"
	"role steward may policy audit\nunit north \"N\"\nunit south \"S\"\n"
	"practitioner anna user anna role physician unit north\n"
	"practitioner eva user eva role physician unit south\n"
	"practitioner dan user dan role steward\n";
static const char journal_text[] = "journal \"Hansen, Anna\"\nunit north\nallow user:anna:rwx\n"
				   "allow user:eva:r-x from 2026-11-01 until 2026-12-31\n";

static const struct {
	const char *text, *errors;
} golden[] = {
	{"", "e:1:1: nothing is expected here: write lines such as `expect anna read "
	     "\"JOURNAL\" allow`\n"},
	{"# nothing\n\n", "e:2:1: nothing is expected here: write lines such as `expect anna read "
			  "\"JOURNAL\" allow`\n"},
	{"assert anna read allow\n", "e:1:1: `expect` is wanted here, not `assert`\n"},
	{"expect\n", "e:1:7: a practitioner name is missing here\n"},
	{"expect Anna\n", "e:1:8: `Anna` is not a name: use a-z, 0-9, `.`, `_` and `-`, and begin "
			  "with a letter or digit\n"},
	{"expect anna\n", "e:1:12: rights are missing here: write read or read,write, or - "
			  "for none\n"},
	{"expect anna \"J\" allow\n", "e:1:13: rights are missing here: write read or "
				      "read,write, or - for none\n"},
	{"expect anna read,wirte \"J\" allow\n",
	 "e:1:18: unknown right `wirte`: did you mean `write`?\n"},
	{"expect anna fly \"J\" allow\n", "e:1:13: unknown right `fly`: known are list read write create "
	 "finalize export break-glass policy audit review attend history\n"},
	{"expect anna read, \"J\" allow\n", "e:1:18: a right is missing here: write read,write\n"},
	{"expect anna read,read \"J\" allow\n", "e:1:18: `read` is named twice\n"},
	{"expect anna read \"J\n", "e:1:18: the string is not closed: add \" at its end\n"},
	{"expect anna read \"\" allow\n", "e:1:18: the journal's name is empty\n"},
	{"expect anna read J allow\n",
	 "e:1:18: unknown expectation `J`: known are allow, deny, seen, hidden\n"},
	{"expect anna read \"J\"\n", "e:1:21: missing here is one of allow, deny, seen, hidden\n"},
	{"expect anna read \"J\" alow\n",
	 "e:1:22: unknown expectation `alow`: did you mean `allow`?\n"},
	{"expect anna read \"J\" seen\n",
	 "e:1:22: `seen` is about the listing and asks for no rights: write - for them\n"},
	{"expect anna - hidden\n",
	 "e:1:15: `hidden` needs a journal: write its name in quotes before it\n"},
	{"expect anna - \"J\" allow\n",
	 "e:1:19: `allow` needs rights: name them, or expect `seen` or `hidden`\n"},
	{"expect anna - \"J\" deny\n",
	 "e:1:19: `deny` needs rights: name them, or expect `seen` or `hidden`\n"},
	{"expect anna read \"J\" allow at\n", "e:1:30: a date is missing here\n"},
	{"expect anna read \"J\" allow at noon\n",
	 "e:1:31: `noon` is not a date: write YYYY-MM-DD or YYYY-MM-DDTHH:MMZ, as in 2026-11-01 or "
	 "2026-11-01T14:30Z\n"},
	{"expect anna read \"J\" allow now\n",
	 "e:1:28: nothing more is wanted on this line: remove `now`\n"},
	{"expect a\nexpect anna policy allow\nexpect anna raed deny\n",
	 "e:1:9: rights are missing here: write read or read,write, or - for "
	 "none\ne:3:13: unknown right `raed`: did you mean `read`?\n"},
};

START_TEST(expect_error_reads_as_written)
{
	struct policy_report *report = NULL;
	struct policy_expect *e = NULL;
	char *got;

	ck_assert_int_eq(policy_report_new(&report), 0);
	ck_assert_int_eq(policy_expect_parse(golden[_i].text, strlen(golden[_i].text), "e", report,
					     &e),
			 -EINVAL);
	ck_assert_ptr_null(e);
	got = policy_report_text(report);
	ck_assert_str_eq(got, golden[_i].errors);
	free(got);
	policy_report_free(report);
}
END_TEST

static const struct {
	const char *text, *said; /* NULL: as expected */
} judged[] = {
	{"expect anna read,write \"Hansen, Anna\" allow", NULL},
	{"expect anna read,write \"Hansen, Anna\" deny",
	 "e:1: expected anna read,write \"Hansen, Anna\" deny, but it is allowed: allow "
	 "user:anna:rwx (line 3)"},
	{"expect anna read \"Gone\" deny", "e:1: there is no journal \"Gone\""},
	{"expect ana read \"Hansen, Anna\" deny",
	 "e:1: the practice policy has no practitioner `ana`: did you mean `anna`?"},
	{"expect zzzzzz policy deny", "e:1: the practice policy has no practitioner `zzzzzz`"},
	{"expect eva read \"Hansen, Anna\" allow", NULL},
	{"expect eva read \"Hansen, Anna\" allow at 2026-10-31",
	 "e:1: expected eva read \"Hansen, Anna\" allow at 2026-10-31T00:00Z, but it is denied: "
	 "allow user:eva:r-x (line 4) is not in force yet"},
	{"expect eva read \"Hansen, Anna\" deny at 2026-10-31T23:59Z", NULL},
	{"expect eva read \"Hansen, Anna\" allow at 2026-11-01", NULL},
	{"expect eva write \"Hansen, Anna\" deny", NULL},
	{"expect eva - \"Hansen, Anna\" seen", NULL},
	{"expect eva - \"Hansen, Anna\" hidden at 2026-10-31", NULL},
	{"expect eva - \"Hansen, Anna\" hidden",
	 "e:1: expected eva - \"Hansen, Anna\" hidden, but it is seen: allow user:eva:r-x (line 4)"},
	{"expect eva - \"Hansen, Anna\" seen at 2027-01-01T00:00Z",
	 "e:1: expected eva - \"Hansen, Anna\" seen at 2027-01-01T00:00Z, but it is hidden: allow "
	 "user:eva:r-x (line 4) is not in force any more"},
	{"expect dan - \"Hansen, Anna\" seen", NULL},
	{"expect dan policy allow", NULL},
	{"expect dan attend allow",
	 "e:1: expected dan attend allow, but it is denied: role steward may not attend (practice "
	 "line 2)"},
	{"expect eva attend,create allow", NULL},
};

START_TEST(expectation_is_judged_by_the_policies)
{
	const char *text = judged[_i].text, *said = judged[_i].said;
	struct policy_practice *p = NULL;
	struct policy_journal *j = NULL;
	struct policy_expect *e = NULL;
	char *line = (char *)"x";

	ck_assert_int_eq(policy_practice_parse(practice_text, strlen(practice_text), "p", NULL, &p),
			 0);
	ck_assert_int_eq(policy_journal_parse(journal_text, strlen(journal_text), "j", p, NULL, &j),
			 0);
	ck_assert_int_eq(policy_expect_parse(text, strlen(text), "e", NULL, &e), 0);
	ck_assert_uint_eq(policy_expect_count(e), 1);
	ck_assert_int_eq(policy_expect_judge(e, 0, p, strstr(text, "Gone") ? NULL : j, NOON, &line),
			 0);
	if (said)
		ck_assert_str_eq(line, said);
	else
		ck_assert_msg(!line, "%s", line);
	free(line);
	policy_expect_free(e);
	policy_journal_put(j);
	policy_practice_put(p);
}
END_TEST

START_TEST(expect_file_of_many_lines_is_kept_in_order)
{
	char *text = malloc(100 * 60), file[8] = "many";
	struct policy_expect *e = NULL;
	const struct policy_expectation *x;
	char *line = NULL;
	size_t n = 0;

	ck_assert_ptr_nonnull(text);
	for (unsigned i = 0; i < 100; i++)
		n += (size_t)sprintf(text + n, "expect p%u read,list \"J %u\" deny at 1970-01-02\n",
				     i, i);
	ck_assert_int_eq(policy_expect_parse(text, n, file, NULL, &e), 0);
	memset(text, 'x', n);
	free(text);
	memset(file, 'x', sizeof(file));
	ck_assert_uint_eq(policy_expect_count(e), 100);
	x = policy_expect_at(e, 99);
	ck_assert_str_eq(x->who, "p99");
	ck_assert_str_eq(x->journal, "J 99");
	ck_assert_uint_eq(x->rights, POLICY_LIST | POLICY_READ);
	ck_assert_int_eq(x->want, POLICY_EXPECT_DENY);
	ck_assert(x->timed);
	ck_assert_int_eq(x->now_s, 86400);
	ck_assert_uint_eq(x->line, 100);
	ck_assert_ptr_null(policy_expect_at(e, 100));
	ck_assert_int_eq(policy_expect_judge(e, 100, NULL, NULL, 0, &line), -ENOENT);
	policy_expect_free(e);
	policy_expect_free(NULL);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("policy_expect");
	TCase *t = tcase_create("expect");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_add_loop_test(t, expect_error_reads_as_written, 0, (int)COUNT(golden));
	tcase_add_loop_test(t, expectation_is_judged_by_the_policies, 0, (int)COUNT(judged));
	tcase_add_test(t, expect_file_of_many_lines_is_kept_in_order);
	suite_add_tcase(s, t);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
