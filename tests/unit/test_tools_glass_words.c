/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/test_tools_glass_words.c - the words of an emergency from standard input. */
#include <check.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "keys/label.h"
#include "tools/glass_words.h"
#include "tools/tool.h"

static char said[512];

/* main.c's, which tests do not link. */
int tools_fail(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(said, sizeof(said), fmt, ap);
	va_end(ap);
	return TOOL_FAILED;
}

static struct tools_glass_words w;

static int parse(const char *text, size_t len)
{
	memset(&w, 0, sizeof(w));
	memcpy(w.text, text, len);
	return tools_glass_words_parse(&w, len);
}

#define PARSE(text) parse(text, sizeof(text) - 1)

START_TEST(words_parse_takes_each_key_and_keeps_values_whole)
{
	ck_assert_int_eq(PARSE("journal=-a = \"b\" & <c>\n\nreason= x\nground=duty\npast-block=yes"), 0);
	ck_assert_str_eq(w.journal, "-a = \"b\" & <c>");
	ck_assert_str_eq(w.reason, " x");
	ck_assert_str_eq(w.ground, "duty");
	ck_assert(w.past_block);
	ck_assert_ptr_null(w.search);
}
END_TEST

START_TEST(words_parse_passes_no_block_unless_told)
{
	ck_assert_int_eq(PARSE("journal=a\n"), 0);
	ck_assert(!w.past_block);
	ck_assert_int_eq(PARSE("past-block=no\n"), 0);
	ck_assert(!w.past_block);
	ck_assert_int_eq(PARSE("past-block=Yes\n"), -EINVAL);
	ck_assert_int_eq(PARSE("past-block\n"), -EINVAL);
	ck_assert(!w.past_block);
}
END_TEST

START_TEST(words_parse_refuses_what_it_does_not_know_without_repeating_values)
{
	ck_assert_int_eq(PARSE("patient=Hansen\n"), -EINVAL);
	ck_assert_ptr_null(strstr(said, "Hansen"));
	ck_assert_ptr_nonnull(strstr(said, "journal="));
	ck_assert_int_eq(PARSE("journal=Hansen\njournal=Hansen\n"), -EINVAL);
	ck_assert_ptr_null(strstr(said, "Hansen"));
	ck_assert_ptr_nonnull(strstr(said, "twice"));
	ck_assert_int_eq(PARSE("journal=a\0b\n"), -EINVAL);
	ck_assert_int_eq(PARSE("no key at all"), -EINVAL);
}
END_TEST

START_TEST(words_read_takes_a_pipe_to_its_end_and_no_more_than_fits)
{
	struct tools_glass_words *got = NULL;
	char big[TOOLS_GLASS_WORDS_MAX];
	int fd[2];

	ck_assert_int_eq(pipe(fd), 0);
	ck_assert_int_eq(write(fd[1], "search=han", 10), 10);
	close(fd[1]);
	ck_assert_int_eq(tools_glass_words_read(fd[0], &got), 0);
	ck_assert_str_eq(got->search, "han");
	tools_glass_words_free(got);
	close(fd[0]);
	got = NULL;
	memset(big, 'x', sizeof(big));
	ck_assert_int_eq(pipe(fd), 0);
	ck_assert_int_eq(write(fd[1], big, sizeof(big)), (ssize_t)sizeof(big));
	close(fd[1]);
	ck_assert_int_eq(tools_glass_words_read(fd[0], &got), -E2BIG);
	ck_assert_ptr_null(got);
	close(fd[0]);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("tools_glass_words");
	TCase *t = tcase_create("words");
	SRunner *r;
	int failed;

	if (keys_init())
		return EXIT_FAILURE;
	tcase_add_test(t, words_parse_takes_each_key_and_keeps_values_whole);
	tcase_add_test(t, words_parse_passes_no_block_unless_told);
	tcase_add_test(t, words_parse_refuses_what_it_does_not_know_without_repeating_values);
	tcase_add_test(t, words_read_takes_a_pipe_to_its_end_and_no_more_than_fits);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
