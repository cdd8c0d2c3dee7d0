/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the verbs about final notes share: files named on standard input, reasons, asking by a
 * program.
 */
#include <check.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tools/notes.h"

static char said[1024];

/* main.c's, which tests do not link. */
int tools_fail(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(said, sizeof(said), fmt, ap);
	va_end(ap);
	return TOOL_FAILED;
}

static char **names;
static int count;

static int read_names(const char *bytes, size_t len)
{
	FILE *f = tmpfile();
	int rc;

	ck_assert_ptr_nonnull(f);
	ck_assert_uint_eq(fwrite(bytes, 1, len, f), len);
	ck_assert_int_eq(fflush(f), 0);
	ck_assert_int_eq(lseek(fileno(f), 0, SEEK_SET), 0);
	said[0] = '\0';
	rc = tools_notes_stdin(fileno(f), &names, &count);
	fclose(f);
	return rc;
}

static void drop_names(void)
{
	free(names[0]);
	free(names);
}
#define NAMES(text) read_names(text, sizeof(text) - 1)

START_TEST(files_come_a_line_each_or_ended_by_nul)
{
	ck_assert_int_eq(NAMES("a\nb c\nd"), TOOL_OK);
	ck_assert_int_eq(count, 3);
	ck_assert_str_eq(names[0], "a");
	ck_assert_str_eq(names[1], "b c");
	ck_assert_str_eq(names[2], "d");
	drop_names();
	ck_assert_int_eq(NAMES("one\nname\0second\0"), TOOL_OK);
	ck_assert_int_eq(count, 2);
	ck_assert_str_eq(names[0], "one\nname");
	ck_assert_str_eq(names[1], "second");
	drop_names();
}
END_TEST

START_TEST(empty_lines_are_no_files)
{
	ck_assert_int_eq(NAMES("\n\n\nfirst\n\nsecond\n"), TOOL_OK);
	ck_assert_int_eq(count, 2);
	ck_assert_str_eq(names[0], "first");
	ck_assert_str_eq(names[1], "second");
	drop_names();
	ck_assert_int_eq(NAMES(""), TOOL_FAILED);
	ck_assert_str_eq(said, "no file was named on standard input");
	ck_assert_int_eq(NAMES("\n\n"), TOOL_FAILED);
	ck_assert_int_eq(NAMES("\0\0\0"), TOOL_FAILED);
}
END_TEST

START_TEST(more_than_a_mebibyte_is_refused)
{
	char *many = malloc(TOOLS_NOTES_STDIN + 1);

	ck_assert_ptr_nonnull(many);
	memset(many, 'x', TOOLS_NOTES_STDIN + 1);
	ck_assert_int_eq(read_names(many, TOOLS_NOTES_STDIN + 1), TOOL_FAILED);
	ck_assert_ptr_nonnull(strstr(said, "name fewer"));
	ck_assert_int_eq(read_names(many, TOOLS_NOTES_STDIN), TOOL_OK);
	ck_assert_int_eq(count, 1);
	ck_assert_uint_eq(strlen(names[0]), TOOLS_NOTES_STDIN);
	drop_names();
	ck_assert_int_eq(tools_notes_stdin(-1, &names, &count), TOOL_FAILED);
	free(many);
}
END_TEST

START_TEST(reason_is_bounded_and_wanted)
{
	char typed[TOOLS_NOTES_REASON + 2], text[TOOLS_NOTES_REASON + 2];
	struct tool_options o = {.reason = "wrong patient"};

	ck_assert_str_eq(tools_notes_reason(&o, "Why?", typed), "wrong patient");
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	o.reason = text;
	ck_assert_ptr_null(tools_notes_reason(&o, "Why?", typed));
	ck_assert_ptr_nonnull(strstr(said, "longer than 255"));
	text[TOOLS_NOTES_REASON] = '\0';
	ck_assert_ptr_eq(tools_notes_reason(&o, "Why?", typed), text);
	ck_assert_ptr_nonnull(freopen("/dev/null", "r", stdin));
	o.reason = NULL;
	ck_assert_ptr_null(tools_notes_reason(&o, "Why?", typed));
	ck_assert_ptr_nonnull(strstr(said, "--reason"));
}
END_TEST

/* ---- asking by a program ---- */

static char dir[] = "/tmp/journalfs-notes.XXXXXX", program[64], seen[64];

static void make_program(const char *body)
{
	FILE *f;

	snprintf(program, sizeof(program), "%s/ask", dir);
	snprintf(seen, sizeof(seen), "%s/seen", dir);
	f = fopen(program, "w");
	ck_assert_ptr_nonnull(f);
	fprintf(f, "#!/bin/sh\n[ $# -eq 0 ] || exit 9\n%s\n", body);
	fclose(f);
	ck_assert_int_eq(chmod(program, 0700), 0);
}

static int ask_by(const char *text)
{
	said[0] = '\0';
	return tools_notes_consent_by(program, text, strlen(text), "nothing was locked");
}

static void make_dir(void)
{
	ck_assert_ptr_nonnull(mkdtemp(dir));
}

static void remove_dir(void)
{
	unlink(program);
	unlink(seen);
	rmdir(dir);
}

START_TEST(program_gets_the_text_and_its_status_answers)
{
	char body[200], got[64] = "";
	FILE *f;

	make_program("");
	snprintf(body, sizeof(body), "cat >%s", seen);
	make_program(body);
	ck_assert_int_eq(ask_by("Hansen/a.txt\nof anna\n"), TOOL_OK);
	f = fopen(seen, "r");
	ck_assert_ptr_nonnull(f);
	ck_assert_uint_gt(fread(got, 1, sizeof(got) - 1, f), 0);
	fclose(f);
	ck_assert_str_eq(got, "Hansen/a.txt\nof anna\n");
	make_program("cat >/dev/null; exit 1");
	ck_assert_int_eq(ask_by("x"), TOOL_FAILED);
	ck_assert_str_eq(said, "nothing was locked");
	make_program("cat >/dev/null; kill -9 $$");
	ck_assert_int_eq(ask_by("x"), TOOL_FAILED);
}
END_TEST

START_TEST(program_may_answer_without_reading)
{
	size_t len = 1 << 20;
	char *many = malloc(len + 1);

	memset(many, 'x', len);
	many[len] = '\0';
	make_program("exit 0");
	ck_assert_int_eq(ask_by(many), TOOL_OK);
	make_program("exit 3");
	ck_assert_int_eq(ask_by(many), TOOL_FAILED);
	free(many);
}
END_TEST

START_TEST(missing_program_is_no)
{
	snprintf(program, sizeof(program), "%s/none", dir);
	ck_assert_int_eq(ask_by("x"), TOOL_FAILED);
	ck_assert_str_eq(said, "nothing was locked");
}
END_TEST

START_TEST(yes_option_answers_and_no_terminal_refuses)
{
	struct tool_options o = {.yes = true};
	int status;
	pid_t child;

	ck_assert_int_eq(tools_notes_consent(&o, "Lock?", "nothing was locked"), TOOL_OK);
	o.yes = false;
	child = fork();
	if (!child) {
		/* A session of its own has no terminal, wherever the tests run. */
		_exit(setsid() > 0 &&
				      tools_notes_consent(&o, "Lock?", "nothing was locked") ==
					      TOOL_FAILED &&
				      strstr(said, "no terminal") && strstr(said, "--yes")
			      ? 0
			      : 1);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("tools/notes");
	TCase *tc = tcase_create("notes");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(tc, make_dir, remove_dir);
	tcase_add_test(tc, files_come_a_line_each_or_ended_by_nul);
	tcase_add_test(tc, empty_lines_are_no_files);
	tcase_add_test(tc, more_than_a_mebibyte_is_refused);
	tcase_add_test(tc, reason_is_bounded_and_wanted);
	tcase_add_test(tc, program_gets_the_text_and_its_status_answers);
	tcase_add_test(tc, program_may_answer_without_reading);
	tcase_add_test(tc, missing_program_is_no);
	tcase_add_test(tc, yes_option_answers_and_no_terminal_refuses);
	suite_add_tcase(s, tc);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
