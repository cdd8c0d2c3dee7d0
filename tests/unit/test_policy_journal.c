/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The policy of a journal: what it says when parsed, every error in its words, and the texts that
 * mkdir and rename write.
 */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/decide.h"
#include "policy/features.h"
#include "policy/journal.h"

#define BASE "allow user:anna:rwx\n"

static const char practice_text[] = "role r clinical may list read policy audit\n"
				    "role w clinical may list read write\n"
				    "role nobody may list create\n"
				    "unit north \"N\"\nunit south \"S\"\n"
				    "practitioner anna user anna role r unit north\n"
				    "practitioner bo user bo role w unit south\n"
				    "practitioner eva user eva role w on leave\n"
				    "practitioner dan user dan role nobody\n"
				    "role c clinical may list read attend\n"
				    "practitioner tom user tom role c unit south\n"
				    "unit ward \"W\"\n"
				    "default unit ward allow role:w:r-x\n";

static struct policy_practice *practice(void)
{
	struct policy_practice *p = NULL;

	for (unsigned i = 0; i < POLICY_FEATURE_COUNT; i++)
		ck_assert(policy_feature_set(policy_feature_name(i), true));
	ck_assert_int_eq(policy_practice_parse(practice_text, strlen(practice_text), "p", NULL, &p),
			 0);
	return p;
}

static struct policy_journal *parsed(const char *text, const struct policy_practice *p)
{
	struct policy_journal *j = NULL;
	struct policy_report *report = NULL;
	int rc;

	ck_assert_int_eq(policy_report_new(&report), 0);
	rc = policy_journal_parse(text, strlen(text), "j", p, report, &j);
	ck_assert_msg(!rc, "%s", rc ? policy_report_line(report, 0) : "");
	policy_report_free(report);
	return j;
}

static void refused(const char *text, const struct policy_practice *p, const char *errors)
{
	struct policy_journal *j = NULL;
	struct policy_report *report = NULL;
	char *got;

	ck_assert_int_eq(policy_report_new(&report), 0);
	ck_assert_int_eq(policy_journal_parse(text, strlen(text), "j", p, report, &j), -EINVAL);
	ck_assert_ptr_null(j);
	got = policy_report_text(report);
	ck_assert_str_eq(got, errors);
	free(got);
	policy_report_free(report);
}

static const struct {
	const char *text, *errors;
} golden[] = {
	{BASE "jurnal \"a\"\n", "j:2:1: unknown statement `jurnal`: did you mean `journal`?\n"},
	{BASE "journal\n", "j:2:8: the journal's name is missing here\n"},
	{BASE "journal a\n",
	 "j:2:9: the journal's name is wanted here: put `a` into double quotes\n"},
	{BASE "journal \"\"\n", "j:2:9: the journal's name is empty\n"},
	{BASE "journal \"a\" b\n", "j:2:13: nothing more is wanted on this line: remove `b`\n"},
	{BASE "journal \"a\"\n"
	      "journal \"b\"\n",
	 "j:3:1: the journal was named on line 2 already\n"},
	{BASE "journal \"a/b\"\n", "j:2:9: a journal is a directory and cannot be called \"a/b\": "
				   "leave out `/`, and do not use `.`, `..` or `.policy`\n"},
	{BASE "journal \".\"\n", "j:2:9: a journal is a directory and cannot be called \".\": "
				 "leave out `/`, and do not use `.`, `..` or `.policy`\n"},
	{BASE "journal \"..\"\n", "j:2:9: a journal is a directory and cannot be called \"..\": "
				  "leave out `/`, and do not use `.`, `..` or `.policy`\n"},
	{BASE "journal \".policy\"\n",
	 "j:2:9: a journal is a directory and cannot be called \".policy\": leave out `/`, and do "
	 "not use `.`, `..` or `.policy`\n"},
	{BASE "journal "
	      "\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
	      "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
	      "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\"\n",
	 "j:2:9: the journal's name is 243 bytes long: at most 242 fit\n"},
	{BASE
	 "journal "
	 "\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
	 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
	 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\"\n",
	 "j:2:9: the journal's name is 256 bytes long: at most 242 fit\n"},
	{BASE "journal \"a\n", "j:2:9: the string is not closed: add \" at its end\n"},
	{BASE "unit\n", "j:2:5: a unit name is missing here\n"},
	{BASE "unit noth\n", "j:2:6: unknown unit `noth`: did you mean `north`?\n"},
	{BASE "unit zzzzz\n",
	 "j:2:6: unknown unit `zzzzz`: the practice policy has none of that name\n"},
	{BASE "unit north\n"
	      "unit south\n",
	 "j:3:1: `unit` was given on line 2 already\n"},
	{BASE "unit north x\n", "j:2:12: nothing more is wanted on this line: remove `x`\n"},
	{BASE "unit \"north\"\n", "j:2:6: a unit name is wanted here, not \"north\"\n"},
	{BASE "allow\n", "j:2:6: an entry is missing here: write user:NAME:rwx\n"},
	{BASE "allow \"user:anna:r\"\n",
	 "j:2:7: an entry stands without quotes: write user:NAME:rwx\n"},
	{BASE "allow anna\n", "j:2:7: `anna` is not an entry: write user:NAME:rwx\n"},
	{BASE "allow usr:anna:r\n", "j:2:7: unknown kind of entry `usr`: did you mean `user`?\n"},
	{BASE "allow zz:anna:r\n",
	 "j:2:7: unknown kind of entry `zz`: known are user, group, unit, role\n"},
	{BASE "allow user:Anna:r\n", "j:2:12: `Anna` is not a name: use at most 64 of a-z, 0-9, "
				     "`.`, `_` and `-`, and begin with a letter or digit\n"},
	{BASE "allow user::r\n", "j:2:12: a name is missing here: write user:NAME:rwx\n"},
	{BASE "allow user:anna\n",
	 "j:2:16: permissions are missing: write `allow user:anna:rwx`\n"},
	{BASE "allow user:anna:\n",
	 "j:2:16: permissions are missing: write `allow user:anna:rwx`\n"},
	{BASE "allow user:anna:rwxx\n",
	 "j:2:17: `rwxx` are no permissions: use r, w, x and -, as in r-x\n"},
	{BASE "allow user:anna:rr\n",
	 "j:2:17: `rr` are no permissions: use r, w, x and -, as in r-x\n"},
	{BASE "allow user:anna:rwz\n",
	 "j:2:17: `rwz` are no permissions: use r, w, x and -, as in r-x\n"},
	{BASE "allow user:anna:---\n",
	 "j:2:17: this allows nothing; to refuse somebody write `block user:anna`\n"},
	{BASE "allow user:ana:r\n", "j:2:12: unknown practitioner `ana`: did you mean `anna`?\n"},
	{BASE "allow group:noth:r\n", "j:2:13: unknown unit `noth`: did you mean `north`?\n"},
	{BASE "allow unit:zzzzzz:r\n",
	 "j:2:12: unknown unit `zzzzzz`: the practice policy has none of that name\n"},
	{BASE "allow role:ww:r\n", "j:2:12: unknown role `ww`: did you mean `w`?\n"},
	{BASE "allow user:bo:rwx form 2026-01-01\n",
	 "j:2:19: unknown word `form`: did you mean `from`?\n"},
	{BASE "allow user:bo:rwx from\n", "j:2:23: a date is missing here\n"},
	{BASE "allow user:bo:rwx from 2026-1-1\n",
	 "j:2:24: `2026-1-1` is not a date: write YYYY-MM-DD or YYYY-MM-DDTHH:MMZ, as in 2026-11-01 or 2026-11-01T14:30Z\n"},
	{BASE "allow user:bo:rwx from 2026-01-01 from 2026-01-02\n",
	 "j:2:35: `from` is given twice\n"},
	{BASE "allow user:bo:rwx from 2026-01-02 until 2026-01-01\n",
	 "j:2:35: nothing lies between `from` and `until`: write the earlier one at `from`\n"},
	{BASE "allow user:bo:rwx until 2026-01-01 from 2026-01-02\n",
	 "j:2:36: nothing lies between `from` and `until`: write the earlier one at `from`\n"},
	{BASE "allow user:bo:rwx reason\n", "j:2:25: the reason is missing here\n"},
	{BASE "allow user:bo:rwx reason because\n",
	 "j:2:26: the reason is wanted here: put `because` into double quotes\n"},
	{BASE "allow user:bo:rwx reason \"\"\n", "j:2:26: the reason is empty\n"},
	{BASE
	 "allow user:bo:rwx reason "
	 "\"rrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrr"
	 "rrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrr"
	 "rrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrr\"\n",
	 "j:2:26: the reason is 256 bytes long: at most 255 fit\n"},
	{BASE "allow user:bo:rwx zzzz\n",
	 "j:2:19: unknown word `zzzz`: known are from, until, reason\n"},
	{BASE "allow user:bo:rwx\n"
	      "allow user:bo:r-x\n",
	 "j:3:1: line 2 says this already: remove one of the two\n"},
	{BASE "allow user:anna:rwx reason \"open\n",
	 "j:2:28: the string is not closed: add \" at its end\n"},
	{BASE "block\n", "j:2:6: an entry is missing here: write user:NAME\n"},
	{BASE "block user:bo:rwx\n",
	 "j:2:14: a block takes no permissions, it refuses everything: write `block user:bo`\n"},
	{BASE "block user:bob\n", "j:2:12: unknown practitioner `bob`: did you mean `bo`?\n"},
	{BASE "block bo\n", "j:2:7: `bo` is not an entry: write user:NAME\n"},
	{BASE "block user:bo from 2026-01-01\n",
	 "j:2:15: nothing more is wanted on this line: remove `from`\n"},
	{BASE "block group:south\n"
	      "block unit:south\n",
	 "j:3:1: line 2 says this already: remove one of the two\n"},
	{BASE "attend\n", "j:2:7: an entry is missing here: write user:NAME\n"},
	{BASE "attend bo from\n", "j:2:8: `bo` is not an entry: write user:NAME\n"},
	{BASE "attend \"user:bo\"\n",
	 "j:2:8: an entry stands without quotes: write user:NAME\n"},
	{BASE "attend role:w from\n",
	 "j:2:8: a care relationship of one's own is one person's: write `attend user:NAME`\n"},
	{BASE "attend user:bo:rwx from\n",
	 "j:2:15: `attend` takes no permissions, it gives what the role may: write `attend "
	 "user:bo`\n"},
	{BASE "attend user:boo from\n",
	 "j:2:13: unknown practitioner `boo`: did you mean `bo`?\n"},
	{BASE "attend user:bo\n",
	 "j:2:15: `from TIME` is missing: when the care relationship begins\n"},
	{BASE "attend user:bo from 2026-01-01T10:00Z reason \"r\"\n",
	 "j:2:49: `until TIME` is missing: a care relationship of one's own ends by itself\n"},
	{BASE "attend user:bo from 2026-01-01T10:00Z until 2026-01-02\n",
	 "j:2:55: `reason \"...\"` is missing: why there is a care relationship\n"},
	{BASE "attend user:bo from 2026-01-01T10:00Z until 2026-01-01T10:00Z reason \"r\"\n",
	 "j:2:39: nothing lies between `from` and `until`: write the earlier one at `from`\n"},
	{BASE "attend user:bo from 2026-01-01T10:00 until 2026-01-01T11:00Z reason \"r\"\n",
	 "j:2:21: `2026-01-01T10:00` is not a date: write YYYY-MM-DD or YYYY-MM-DDTHH:MMZ, as in "
	 "2026-11-01 or 2026-11-01T14:30Z\n"},
	{BASE "attend user:bo from 2026-01-01T10:00Z until 2026-01-01T11:00Z reason \"r\"\n"
	      "attend user:bo from 2026-01-01T10:00Z until 2026-01-01T11:00Z reason \"s\"\n",
	 "j:3:1: line 2 says this already: remove one of the two\n"},
	{BASE "journal \"practice\"\n",
	 "j:2:9: \"practice\" is what the practice policy is called: give the journal another "
	 "name\n"},
	{BASE "blok user:bo\n", "j:2:1: unknown statement `blok`: did you mean `block`?\n"},
	{BASE "hold\n", "j:2:5: what the journal is held for is missing here\n"},
	{BASE "hold case\n",
	 "j:2:6: what the journal is held for is wanted here: put `case` into double quotes\n"},
	{BASE "hold \"c\" x\n", "j:2:10: nothing more is wanted on this line: remove `x`\n"},
	{BASE "hold \"a\"\n"
	      "hold \"b\"\n",
	 "j:3:1: `hold` was given on line 2 already\n"},
	{"jurnal \"a\"\nunit noth\nallow user:ana:rwx\nallow user:bo:rwz\n"
	 "attend user:bo from 2026-01-01\nblock usr:bo\nhold case\n",
	 "j:1:1: unknown statement `jurnal`: did you mean `journal`?\n"
	 "j:2:6: unknown unit `noth`: did you mean `north`?\n"
	 "j:3:12: unknown practitioner `ana`: did you mean `anna`?\n"
	 "j:4:15: `rwz` are no permissions: use r, w, x and -, as in r-x\n"
	 "j:5:31: `until TIME` is missing: a care relationship of one's own ends by itself\n"
	 "j:6:7: unknown kind of entry `usr`: did you mean `user`?\n"
	 "j:7:6: what the journal is held for is wanted here: put `case` into double quotes\n"},
	{"\n", "j:1:1: nobody who is active could open this journal: add a line such as `allow "
	       "user:NAME:rwx` for somebody whose role may read or write\n"},
	{"attend user:bo from 2026-01-01T10:00Z until 2026-01-01T11:00Z reason \"r\"\n",
	 "j:1:1: nobody who is active could open this journal: add a line such as `allow "
	 "user:NAME:rwx` for somebody whose role may read or write\n"},
	{"unit north\nblock user:anna\nblock user:bo\nblock user:tom\n",
	 "j:4:1: nobody who is active could open this journal: add a line such as `allow "
	 "user:NAME:rwx` for somebody whose role may read or write\n"},
	{"allow user:eva:rwx",
	 "j:1:1: nobody who is active could open this journal: add a line such as `allow "
	 "user:NAME:rwx` for somebody whose role may read or write\n"},
	{"allow user:dan:rw-",
	 "j:1:1: nobody who is active could open this journal: add a line such as `allow "
	 "user:NAME:rwx` for somebody whose role may read or write\n"},
	{"allow user:anna:-w-",
	 "j:1:1: nobody who is active could open this journal: add a line such as `allow "
	 "user:NAME:rwx` for somebody whose role may read or write\n"},
	{"allow user:anna:rwx\n"
	 "block role:r",
	 "j:2:1: nobody who is active could open this journal: add a line such as `allow "
	 "user:NAME:rwx` for somebody whose role may read or write\n"},
	{"allow role:w:rwx\n"
	 "block user:bo",
	 "j:2:1: nobody who is active could open this journal: add a line such as `allow "
	 "user:NAME:rwx` for somebody whose role may read or write\n"},
	{"journal \"x\"\n"
	 "\n"
	 "block user:anna\n",
	 "j:3:1: nobody who is active could open this journal: add a line such as `allow "
	 "user:NAME:rwx` for somebody whose role may read or write\n"},
};

START_TEST(journal_error_reads_as_written)
{
	struct policy_practice *p = practice();

	refused(golden[_i].text, p, golden[_i].errors);
	policy_practice_put(p);
}
END_TEST

START_TEST(journal_full_text_is_taken)
{
	struct policy_practice *p = practice();
	struct policy_journal *j = parsed(
		"journal \"010190-1234 Hansen, \\\"Anna\\\"\"\nunit north  # ward\n"
		"allow user:anna:rwx reason \"treating\" from 2026-01-01 until 2026-01-01\n"
		"allow user:anna:rwx from 2026-01-02\nallow group:south:xr\nallow role:w:r--\n"
		"block unit:south\nhold \"case 1\"",
		p);

	ck_assert_str_eq(policy_journal_name(j), "010190-1234 Hansen, \"Anna\"");
	ck_assert_str_eq(policy_journal_unit(j), "north");
	ck_assert(policy_journal_held(j));
	ck_assert_ptr_eq(policy_journal_get(j), j);
	policy_journal_put(j);
	policy_journal_put(j);
	policy_journal_put(NULL);
	policy_practice_put(p);
}
END_TEST

START_TEST(journal_is_admitted_to_by_defaults_and_attend_lines)
{
	struct policy_practice *p = practice();

	policy_journal_put(parsed("unit ward\n", p));
	policy_journal_put(parsed("attend user:tom from 2026-01-01T10:00Z until 2026-01-01T11:00Z "
				  "reason \"covering\"\n",
				  p));
	refused("unit ward\nblock user:bo\n", p,
		"j:2:1: nobody who is active could open this journal: add a line such as `allow "
		"user:NAME:rwx` for somebody whose role may read or write\n");
	policy_practice_put(p);
}
END_TEST

START_TEST(journal_called_practice_is_read_but_not_made)
{
	struct policy_journal *j = parsed("journal \"practice\"\n", NULL);

	ck_assert_str_eq(policy_journal_name(j), "practice");
	policy_journal_put(j);
	ck_assert(!policy_journal_name_check("practice"));
	ck_assert(policy_journal_name_check("practice 2"));
}
END_TEST

START_TEST(journal_dates_may_lie_centuries_ahead)
{
	/* Later than minutes of 32 bits reach. */
	policy_journal_put(parsed("allow user:a:r from 6000-01-01 until 9998-12-31\n"
				  "allow user:b:r from 7000-01-01 until 7000-01-02\n",
				  NULL));
}
END_TEST

START_TEST(journal_without_statements_is_empty_when_no_practice_is_given)
{
	struct policy_journal *j = parsed("", NULL);

	ck_assert_str_eq(policy_journal_name(j), "");
	ck_assert_str_eq(policy_journal_unit(j), "");
	ck_assert(!policy_journal_held(j));
	policy_journal_put(j);
}
END_TEST

START_TEST(journal_names_are_not_checked_when_no_practice_is_given)
{
	policy_journal_put(parsed("unit gone\nallow user:gone:rwx\nblock role:gone\n", NULL));
	refused("allow user:Gone:rwx\n", NULL,
		"j:1:12: `Gone` is not a name: use at most 64 of a-z, 0-9, `.`, `_` and `-`, and "
		"begin with a letter or digit\n");
}
END_TEST

START_TEST(journal_hold_without_effect_is_refused_by_name)
{
	struct policy_practice *p = practice();

	ck_assert(policy_feature_set("hold", false));
	refused(BASE " hold \"case 123/2026\"\n", p,
		"j:2:2: `hold` is not in this version: remove the line\n");
	policy_practice_put(p);
}
END_TEST

START_TEST(journal_of_more_than_1024_entries_is_refused)
{
	char *text = malloc(1200 * 24);
	size_t n = 0;

	ck_assert_ptr_nonnull(text);
	for (unsigned i = 0; i < 1024; i++)
		n += (size_t)sprintf(text + n, "allow user:u%u:rwx\n", i);
	policy_journal_put(parsed(text, NULL));
	sprintf(text + n, "allow user:last:r\n");
	refused(text, NULL, "j:1025:1: there are more than 1024 entries: use units or roles\n");
	free(text);
}
END_TEST

START_TEST(journal_initial_admits_its_creator)
{
	struct policy_practice *p = practice();
	char *text = policy_journal_initial("Olsen \"Ole\" \\ x", policy_practice_find(p, "anna"));
	struct policy_question q = {.practice = p, .who = "anna", .rights = POLICY_READ};
	struct policy_verdict v;
	struct policy_journal *j;

	ck_assert_str_eq(text, "journal \"Olsen \\\"Ole\\\" \\\\ x\"\nunit    north\n"
			       "allow   user:anna:rwx\n");
	j = parsed(text, p);
	ck_assert_str_eq(policy_journal_name(j), "Olsen \"Ole\" \\ x");
	q.journal = j;
	policy_decide(&q, &v);
	ck_assert_int_eq(v.answer, POLICY_ALLOW);
	policy_journal_put(j);
	free(text);

	text = policy_journal_initial("x", policy_practice_find(p, "dan"));
	ck_assert_str_eq(text, "journal \"x\"\nallow   user:dan:rwx\n");
	policy_journal_put(parsed(text, p));
	free(text);
	policy_practice_put(p);
}
END_TEST

START_TEST(journal_initial_refuses_what_is_no_name)
{
	static const char *const bad[] = {"",	  ".",	      "..",   ".policy",      "a/b",
					  "a\nb", "a\x1b[1m", "\xff", "a\xe2\x80\xae"};
	struct policy_practice *p = practice();
	char longest[POLICY_JOURNAL_NAME_MAX + 2], *text;

	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		errno = 0;
		ck_assert(!policy_journal_name_check(bad[i]));
		ck_assert_ptr_null(policy_journal_initial(bad[i], policy_practice_find(p, "anna")));
		ck_assert_int_eq(errno, EINVAL);
	}
	memset(longest, '"', sizeof(longest));
	longest[POLICY_JOURNAL_NAME_MAX + 1] = '\0';
	ck_assert_ptr_null(policy_journal_initial(longest, policy_practice_find(p, "anna")));
	longest[POLICY_JOURNAL_NAME_MAX] = '\0';
	text = policy_journal_initial(longest, policy_practice_find(p, "anna"));
	policy_journal_put(parsed(text, p));
	free(text);
	policy_practice_put(p);
}
END_TEST

START_TEST(journal_renamed_keeps_everything_else)
{
	static const char text[] = "# journal \"no\"\n\n  journal\t\"Old \\\" one\"   # why\n" BASE;
	char *got = policy_journal_renamed(text, strlen(text), "New \"x\"");

	ck_assert_str_eq(got, "# journal \"no\"\n\n  journal\t\"New \\\"x\\\"\"   # why\n" BASE);
	free(got);
	got = policy_journal_renamed(BASE, strlen(BASE), "New");
	ck_assert_str_eq(got, "journal \"New\"\n" BASE);
	free(got);
	got = policy_journal_renamed("", 0, "New");
	ck_assert_str_eq(got, "journal \"New\"\n");
	free(got);
	ck_assert_ptr_null(policy_journal_renamed(BASE, strlen(BASE), "a/b"));
	ck_assert_int_eq(errno, EINVAL);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("policy_journal");
	TCase *t = tcase_create("journal");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_add_loop_test(t, journal_error_reads_as_written, 0,
			    (int)(sizeof(golden) / sizeof(golden[0])));
	tcase_add_test(t, journal_full_text_is_taken);
	tcase_add_test(t, journal_is_admitted_to_by_defaults_and_attend_lines);
	tcase_add_test(t, journal_called_practice_is_read_but_not_made);
	tcase_add_test(t, journal_dates_may_lie_centuries_ahead);
	tcase_add_test(t, journal_without_statements_is_empty_when_no_practice_is_given);
	tcase_add_test(t, journal_names_are_not_checked_when_no_practice_is_given);
	tcase_add_test(t, journal_hold_without_effect_is_refused_by_name);
	tcase_add_test(t, journal_of_more_than_1024_entries_is_refused);
	tcase_add_test(t, journal_initial_admits_its_creator);
	tcase_add_test(t, journal_initial_refuses_what_is_no_name);
	tcase_add_test(t, journal_renamed_keeps_everything_else);
	suite_add_tcase(s, t);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
