/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/test_policy_keep.c - what the practice policy says of notes: who is countersigned,
 * how amendments are named, what is kept of earlier versions, and the match of names against
 * patterns, compared with a slow one that tries everything.
 */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/model.h"

#define BASE                                                                                       \
	"role r clinical may list read policy audit\n"                                             \
	"role doctor clinical may list read write finalize\n"                                      \
	"role student clinical may list read write\n"                                              \
	"role after clinical may list read write\n"                                                \
	"practitioner anna user anna role r\n"

static struct policy_practice *parsed(const char *text)
{
	struct policy_report *report = NULL;
	struct policy_practice *p = NULL;
	int rc;

	ck_assert_int_eq(policy_report_new(&report), 0);
	rc = policy_practice_parse(text, strlen(text), "p", report, &p);
	ck_assert_msg(!rc, "%s\n%s", rc ? policy_report_line(report, 0) : "", text);
	policy_report_free(report);
	return p;
}

/* All errors of a text that must have some; the caller frees. */
static char *errors_of(const char *text)
{
	struct policy_report *report = NULL;
	struct policy_practice *p = NULL;
	char *all;

	ck_assert_int_eq(policy_report_new(&report), 0);
	ck_assert_int_eq(policy_practice_parse(text, strlen(text), "p", report, &p), -EINVAL);
	all = policy_report_text(report);
	policy_report_free(report);
	return all;
}

START_TEST(keep_settings_without_a_line_keep_every_version)
{
	struct policy_practice *p = parsed(BASE);
	const struct policy_settings *s = policy_practice_settings(p);
	struct policy_keep keep;

	ck_assert_uint_eq(s->finalize_after_s, 0);
	ck_assert(!s->finalize_on_read_only && !s->finalize_others && !s->history_off);
	ck_assert_str_eq(s->amendment, "%n amendment %i%e");
	ck_assert(!policy_practice_countersigns(p, "student"));
	policy_practice_keep(p, "visit.odt", &keep);
	ck_assert(keep.record && !keep.none);
	ck_assert_uint_eq(keep.count, 0);
	ck_assert_uint_eq(keep.span_s, 0);
	policy_practice_put(p);
}
END_TEST

START_TEST(keep_finalize_line_sets_all_in_any_order)
{
	struct policy_practice *p = parsed(
		BASE "finalize amendment \"%i. %n\" countersign after student others after 7d "
		     "on read-only\n");
	const struct policy_settings *s = policy_practice_settings(p);

	ck_assert_uint_eq(s->finalize_after_s, 7 * 86400);
	ck_assert(s->finalize_on_read_only && s->finalize_others);
	ck_assert_str_eq(s->amendment, "%i. %n");
	/* The first word behind `countersign` is a role, whatever its name. */
	ck_assert(policy_practice_countersigns(p, "after"));
	ck_assert(policy_practice_countersigns(p, "student"));
	ck_assert(!policy_practice_countersigns(p, "doctor"));
	ck_assert(!policy_practice_countersigns(p, "studen"));
	ck_assert(!policy_practice_countersigns(p, ""));
	policy_practice_put(p);
}
END_TEST

START_TEST(keep_countersign_takes_sixteen_roles_of_the_whole_practice)
{
	char text[2048] = "finalize countersign";
	struct policy_practice *p;
	char *errors;

	for (unsigned i = 0; i < 16; i++)
		sprintf(text + strlen(text), " s%u", i);
	strcat(text, "\ninclude practice.d\n" BASE "%part a\n");
	for (unsigned i = 0; i < 17; i++)
		sprintf(text + strlen(text), "role s%u clinical may list\n", i);
	p = parsed(text);
	ck_assert(policy_practice_countersigns(p, "s0"));
	ck_assert(policy_practice_countersigns(p, "s15"));
	ck_assert(!policy_practice_countersigns(p, "s16"));
	policy_practice_put(p);
	memmove(text + 24, text + 20, strlen(text + 20) + 1);
	memcpy(text + 20, " s16", 4);
	errors = errors_of(text);
	ck_assert_str_eq(errors, "p:1:76: `countersign` has at most 16 roles\n");
	free(errors);
}
END_TEST

START_TEST(keep_first_pattern_that_fits_counts)
{
	struct policy_practice *p = parsed(BASE "history for \"*.png\" \"scan-?.tif\" keep 3\n"
						"history for \"*.p*\" keep 30d\n"
						"history for \".*\" \"*~\" keep none\n");
	struct policy_keep keep;

	policy_practice_keep(p, "x.png", &keep);
	ck_assert(!keep.record && !keep.none);
	ck_assert_uint_eq(keep.count, 3);
	ck_assert_uint_eq(keep.span_s, 0);
	policy_practice_keep(p, "scan-7.tif", &keep);
	ck_assert_uint_eq(keep.count, 3);
	policy_practice_keep(p, "x.pdf", &keep);
	ck_assert(!keep.record && !keep.none);
	ck_assert_uint_eq(keep.count, 0);
	ck_assert_uint_eq(keep.span_s, 30 * 86400);
	policy_practice_keep(p, "note.odt~", &keep);
	ck_assert(!keep.record && keep.none);
	policy_practice_keep(p, ".hidden.png", &keep);
	ck_assert_uint_eq(keep.count, 3);
	policy_practice_keep(p, "X.PNG", &keep);
	ck_assert(keep.record && !keep.none);
	policy_practice_keep(p, "", &keep);
	ck_assert(keep.record);
	policy_practice_put(p);
}
END_TEST

START_TEST(keep_history_off_keeps_nothing_of_any_note)
{
	struct policy_practice *p = parsed(BASE "history off\nhistory for \"*.png\" keep 3\n");
	struct policy_keep keep;

	ck_assert(policy_practice_settings(p)->history_off);
	policy_practice_keep(p, "note.odt", &keep);
	ck_assert(keep.record && keep.none);
	policy_practice_keep(p, "x.png", &keep);
	ck_assert(!keep.record && keep.none);
	ck_assert_uint_eq(keep.count, 0);
	policy_practice_put(p);
}
END_TEST

START_TEST(keep_has_room_for_32_patterns)
{
	char text[4096] = BASE;
	struct policy_practice *p;
	struct policy_keep keep;
	char *errors;

	for (unsigned i = 0; i < 8; i++)
		sprintf(text + strlen(text),
			"history for \"%u-a\" \"%u-b\" \"%u-c\" \"%u-d\" keep %u\n", i, i, i, i,
			i + 1);
	p = parsed(text);
	policy_practice_keep(p, "7-d", &keep);
	ck_assert_uint_eq(keep.count, 8);
	policy_practice_put(p);
	strcat(text, "history for \"one\" keep none\n");
	errors = errors_of(text);
	ck_assert_str_eq(errors, "p:14:13: there are more than 32 patterns of `history for`\n");
	free(errors);
}
END_TEST

static const struct {
	const char *pattern, *name;
	bool fits;
} match[] = {
	{"*", "", true},
	{"*", "a", true},
	{"**", "a", true},
	{"?", "", false},
	{"?", "a", true},
	{"?", "ab", false},
	{"?", "\xc3\xa6", true},
	{"??", "\xc3\xa6", false},
	{"?x", "\xe2\x82\xacx", true},
	{"?", "\xf0\x9f\x98\x80", true},
	/* What is no UTF-8 is taken as it comes, and never read beyond its end. */
	{"?", "\xff", true},
	{"?", "\xf0", true},
	{"??", "\xff\xff", true},
	{"*\xa6", "\xc3\xa6", false},
	{"a*", "a", true},
	{"*a", "ba", true},
	{"*a", "ab", false},
	{"a*b*c", "axbxc", true},
	{"a*b*c", "axcxb", false},
	{"*ab", "aab", true},
	{"*aab", "aaab", true},
	{"*?", "", false},
	{"*?*", "a", true},
	/* Nothing else is special. */
	{"[ab]", "a", false},
	{"[ab]", "[ab]", true},
	{"{a,b}", "a", false},
	{"\\*", "*", false},
	{"\\*", "\\x", true},
	{"*.odt", ".odt", true},
	{"*.odt", "a.odt.tmp", false},
	{"*.odt", "a.ODT", false},
	{"a*", "*", false},
	{"abc", "abcd", false},
	{"abcd", "abc", false},
};

START_TEST(keep_pattern_fits_as_in_the_table)
{
	ck_assert_msg(policy_keep_match(match[_i].pattern, match[_i].name) == match[_i].fits,
		      "%s on %s", match[_i].pattern, match[_i].name);
}
END_TEST

/* Tries everything; only for short ones. */
static bool slow(const char *pattern, const char *name)
{
	if (*pattern == '*')
		return slow(pattern + 1, name) || (*name && slow(pattern, name + 1));
	if (!*pattern || !*name)
		return *pattern == *name;
	return (*pattern == '?' || *pattern == *name) && slow(pattern + 1, name + 1);
}

/* Every pattern of up to five of a, b, ? and *, on every name of up to six of a and b. */
START_TEST(keep_match_agrees_with_the_slow_one)
{
	static const char signs[] = "ab?*";
	char pattern[6], name[7];
	unsigned fits = 0;

	for (unsigned p = 0; p < 5 * 5 * 5 * 5 * 5; p++) {
		unsigned n = 0;

		for (unsigned i = 0, at = p; i < 5; i++, at /= 5)
			if (at % 5)
				pattern[n++] = signs[at % 5 - 1];
		pattern[n] = '\0';
		for (unsigned m = 1; m < 128; m++) {
			unsigned len = 0, bits = m;

			for (; bits > 1; bits >>= 1)
				name[len++] = bits & 1 ? 'a' : 'b';
			name[len] = '\0';
			ck_assert_msg(policy_keep_match(pattern, name) == slow(pattern, name),
				      "%s on %s", pattern, name);
			fits += policy_keep_match(pattern, name);
		}
	}
	ck_assert_uint_gt(fits, 10000);
}
END_TEST

/* A matcher that tries every star again would not return from these in a lifetime. */
START_TEST(keep_patterns_made_to_be_slow_are_not)
{
	char pattern[256], name[256];

	memset(name, 'a', 255);
	name[255] = '\0';
	for (unsigned i = 0; i < 252; i += 2)
		memcpy(pattern + i, "*a", 2);
	strcpy(pattern + 252, "*b");
	ck_assert(!policy_keep_match(pattern, name));
	strcpy(pattern + 252, "*a");
	ck_assert(policy_keep_match(pattern, name));
	for (unsigned i = 0; i < 252; i += 2)
		memcpy(pattern + i, "*?", 2);
	strcpy(pattern + 252, "*b");
	ck_assert(!policy_keep_match(pattern, name));
	memset(pattern, '*', 254);
	strcpy(pattern + 254, "b");
	ck_assert(!policy_keep_match(pattern, name));
	name[254] = 'b';
	ck_assert(policy_keep_match(pattern, name));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("policy_keep");
	TCase *t = tcase_create("keep");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_add_test(t, keep_settings_without_a_line_keep_every_version);
	tcase_add_test(t, keep_finalize_line_sets_all_in_any_order);
	tcase_add_test(t, keep_countersign_takes_sixteen_roles_of_the_whole_practice);
	tcase_add_test(t, keep_first_pattern_that_fits_counts);
	tcase_add_test(t, keep_history_off_keeps_nothing_of_any_note);
	tcase_add_test(t, keep_has_room_for_32_patterns);
	tcase_add_loop_test(t, keep_pattern_fits_as_in_the_table, 0,
			    (int)(sizeof(match) / sizeof(match[0])));
	tcase_add_test(t, keep_match_agrees_with_the_slow_one);
	tcase_add_test(t, keep_patterns_made_to_be_slow_are_not);
	suite_add_tcase(s, t);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
