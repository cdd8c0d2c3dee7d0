/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/test_tools_plain.c - texts of others on a terminal; moments as people write them. */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tools/plain.h"
#include "tools/tool.h"
#include "tools/when.h"

/* main.c's, which tests do not link. */
int tools_fail(const char *fmt, ...)
{
	(void)fmt;
	return TOOL_FAILED;
}

int tools_usage(const char *fmt, ...)
{
	(void)fmt;
	return TOOL_USAGE;
}

static void becomes(const char *text, int lines, const char *want)
{
	char *got = tools_plain(text, lines);

	ck_assert_str_eq(got, want);
	free(got);
}

START_TEST(what_a_terminal_obeys_is_escaped)
{
	becomes("plain text, \xc3\xa6\xc3\xb8\xc3\xa5 \xe2\x82\xac", 0,
		"plain text, \xc3\xa6\xc3\xb8\xc3\xa5 \xe2\x82\xac");
	becomes("\x1b[31mred\x1b]0;title\x07\r\b", 0, "\\x1b[31mred\\x1b]0;title\\x07\\x0d\\x08");
	becomes("del\x7f", 0, "del\\x7f");
	/* CSI as one character of C1, in UTF-8 and as a bare byte; a right-to-left override. */
	becomes("\xc2\x9b" "31m \x9b" "31m \xe2\x80\xae" "abc", 0, "\\xc2\\x9b31m \\x9b31m \\xe2\\x80\\xaeabc");
	becomes("a\tb", 0, "a\tb");
	becomes("a\nb", 1, "a\nb");
	becomes("a\nb", 0, "a\\x0ab");
	becomes("cut \xc3", 0, "cut \\xc3");
	becomes("", 0, "");
}
END_TEST

START_TEST(width_counts_characters_as_they_are_shown)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	ck_assert_uint_eq(tools_plain_width("\xc3\xa6\xc3\xb8" "a"), 3);
	ck_assert_uint_eq(tools_plain_width("\x1b"), 4);
	ck_assert_int_eq(tools_plain_pad(f, "\xc3\xa6", 4), 0);
	ck_assert_int_eq(tools_plain_pad(f, "longer", 4), 0);
	fclose(f);
	ck_assert_str_eq(text, "\xc3\xa6   longer");
	free(text);
}
END_TEST

START_TEST(moments_are_local_unless_utc_is_said)
{
	int64_t s = 0;
	char out[32];

	setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1);
	tzset();
	ck_assert_int_eq(tools_when_parse("2026-11-21 14:30", &s), 0);
	ck_assert_int_eq(s, 1795267800);
	ck_assert_str_eq(tools_when_text(s, out), "2026-11-21 14:30");
	ck_assert_int_eq(tools_when_parse("2026-11-21T13:30Z", &s), 0);
	ck_assert_int_eq(s, 1795267800);
	ck_assert_int_eq(tools_when_parse("2026-11-21T13:30:05Z", &s), 0);
	ck_assert_int_eq(s, 1795267805);
	ck_assert_int_eq(tools_when_parse("2026-11-21", &s), 0);
	ck_assert_int_eq(s, 1795215600);
	ck_assert_str_eq(tools_when_day(s, out), "2026-11-21");
	ck_assert_int_eq(tools_when_parse("-2h", &s), 0);
	ck_assert_int_le(llabs((long long)time(NULL) - 7200 - s), 2);
	ck_assert_int_eq(tools_when_parse("-2y", &s), -EINVAL);
	ck_assert_int_eq(tools_when_parse("soon", &s), -EINVAL);
	ck_assert_int_eq(tools_when_parse("2026-11-21 14:30 and more", &s), -EINVAL);
	ck_assert_int_eq(tools_when_parse("", &s), -EINVAL);
	/* A policy's day ends at midnight UTC, and is said as the day that it is. */
	ck_assert_str_eq(tools_when_end(1795219200, out), "2026-11-20");
	ck_assert_str_eq(tools_when_end(1795267800, out), "2026-11-21 14:30");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("tools/plain");
	TCase *tc = tcase_create("plain");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_test(tc, what_a_terminal_obeys_is_escaped);
	tcase_add_test(tc, width_counts_characters_as_they_are_shown);
	tcase_add_test(tc, moments_are_local_unless_utc_is_said);
	suite_add_tcase(s, tc);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
