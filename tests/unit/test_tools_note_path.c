/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/test_tools_note_path.c - which note a file on the command line is. */
#include <check.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/note_path.h"
#include "tools/tool.h"

static char said[8192];

/* main.c's, which tests do not link. */
int tools_fail(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(said, sizeof(said), fmt, ap);
	va_end(ap);
	return TOOL_FAILED;
}

int tools_usage(const char *fmt, ...)
{
	(void)fmt;
	return TOOL_USAGE;
}

static char dir[64], mounts[96];

static void make(const char *name)
{
	char path[PATH_MAX];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	if (name[strlen(name) - 1] == '/') {
		ck_assert_int_eq(mkdir(path, 0700), 0);
		return;
	}
	f = fopen(path, "w");
	ck_assert_ptr_nonnull(f);
	fclose(f);
}

static void start(void)
{
	FILE *f;

	strcpy(dir, "/tmp/journalfs-note-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	make("home/");
	make("home/plain.txt");
	make("J x/");
	make("J x/Anna/");
	make("J x/Anna/sub/");
	make("J x/Anna/sub/plan.txt");
	make("J x/Anna/a@2");
	make("other/");
	make("other/Bo/");
	snprintf(mounts, sizeof(mounts), "%s/mounts", dir);
	f = fopen(mounts, "w");
	ck_assert_ptr_nonnull(f);
	fprintf(f, "proc /proc proc rw 0 0\n");
	fprintf(f, "clinic %s/J\\040x fuse.journalfs rw,user_id=%u,group_id=0 0 0\n", dir,
		geteuid());
	fprintf(f, "theirs %s/other fuse.journalfs rw,user_id=%u1,group_id=0 0 0\n", dir,
		geteuid());
	fclose(f);
	said[0] = '\0';
}

static void stop(void)
{
	char cmd[96];

	snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
	ck_assert_int_eq(system(cmd), 0);
}

static int find(const char *file, bool want_note, struct note_path *out)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", dir, file);
	return tools_note_path_in(mounts, path, want_note, out);
}

START_TEST(file_below_the_mount_is_journal_and_path)
{
	struct note_path p;
	char want[96];

	ck_assert_int_eq(find("J x/Anna/sub/plan.txt", true, &p), TOOL_OK);
	ck_assert_str_eq(p.vault, "clinic");
	snprintf(want, sizeof(want), "%s/J x", dir);
	ck_assert_str_eq(p.mount, want);
	ck_assert_str_eq(p.journal, "Anna");
	ck_assert_str_eq(p.path, "sub/plan.txt");
	ck_assert(p.there);
	ck_assert_int_eq(find("home/../J x/Anna//sub/./plan.txt", true, &p), TOOL_OK);
	ck_assert_str_eq(p.path, "sub/plan.txt");
}
END_TEST

START_TEST(file_that_is_gone_is_found_by_its_directory)
{
	struct note_path p;

	ck_assert_int_eq(find("J x/Anna/sub/gone.txt", true, &p), TOOL_OK);
	ck_assert_str_eq(p.path, "sub/gone.txt");
	ck_assert(!p.there);
	ck_assert_int_eq(find("J x/Anna/none/gone.txt", true, &p), TOOL_FAILED);
	ck_assert_ptr_nonnull(strstr(said, "no such note"));
}
END_TEST

START_TEST(journal_alone_is_taken_where_it_may_be)
{
	struct note_path p;

	ck_assert_int_eq(find("J x/Anna", false, &p), TOOL_OK);
	ck_assert_str_eq(p.journal, "Anna");
	ck_assert_str_eq(p.path, "");
	ck_assert_int_eq(find("J x/Anna/", true, &p), TOOL_FAILED);
	ck_assert_ptr_nonnull(strstr(said, "that is a journal"));
	ck_assert_int_eq(find("J x", false, &p), TOOL_FAILED);
	ck_assert_ptr_nonnull(strstr(said, "directory of all journals"));
}
END_TEST

START_TEST(relative_names_go_by_where_one_stands_or_by_the_journal)
{
	struct note_path p;
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/J x/Anna/sub", dir);
	ck_assert_int_eq(chdir(path), 0);
	ck_assert_int_eq(tools_note_path_in(mounts, "plan.txt", true, &p), TOOL_OK);
	ck_assert_str_eq(p.path, "sub/plan.txt");
	ck_assert_int_eq(tools_note_path_in(mounts, "../a@2", true, &p), TOOL_OK);
	ck_assert_str_eq(p.path, "a@2");
	/* Not here, but a journal. */
	ck_assert_int_eq(tools_note_path_in(mounts, "Anna", false, &p), TOOL_OK);
	ck_assert_str_eq(p.path, "");
	ck_assert_int_eq(tools_note_path_in(mounts, "Bodil", false, &p), TOOL_OK);
	ck_assert_str_eq(p.path, "sub/Bodil");
	ck_assert_int_eq(chdir(dir), 0);
	ck_assert_int_eq(tools_note_path_in(mounts, "Anna/sub/plan.txt", true, &p), TOOL_OK);
	ck_assert_str_eq(p.journal, "Anna");
	ck_assert_str_eq(p.path, "sub/plan.txt");
	ck_assert_int_eq(tools_note_path_in(mounts, "Anna", false, &p), TOOL_OK);
	ck_assert_str_eq(p.path, "");
}
END_TEST

START_TEST(what_is_in_no_mount_of_ones_own_is_refused)
{
	struct note_path p;
	FILE *f;

	ck_assert_int_eq(find("home/plain.txt", true, &p), TOOL_FAILED);
	ck_assert_ptr_nonnull(strstr(said, "in no mounted vault"));
	/* Another account's, whose number begins like ours. */
	ck_assert_int_eq(find("other/Bo", false, &p), TOOL_FAILED);
	ck_assert_ptr_nonnull(strstr(said, "in no mounted vault"));
	/* A directory beside the mount whose name begins like it. */
	make("J xy/");
	ck_assert_int_eq(find("J xy", false, &p), TOOL_FAILED);
	f = fopen(mounts, "w");
	ck_assert_ptr_nonnull(f);
	fclose(f);
	ck_assert_int_eq(find("J x/Anna", false, &p), TOOL_FAILED);
	ck_assert_ptr_nonnull(strstr(said, "journalfs login"));
}
END_TEST

START_TEST(names_are_shown_without_what_a_terminal_obeys)
{
	struct note_path p;

	ck_assert_int_eq(find("home/\033[31mred", true, &p), TOOL_FAILED);
	ck_assert_ptr_null(strchr(said, '\033'));
	ck_assert_ptr_nonnull(strstr(said, "\\x1b[31mred"));
}
END_TEST

static void version(const char *file, const char *want, uint32_t number)
{
	char out[PATH_MAX];
	uint32_t got = 0;

	ck_assert_int_eq(tools_note_version(file, out, &got), number != 0);
	ck_assert_str_eq(out, want);
	ck_assert_uint_eq(got, number);
}

START_TEST(version_is_the_last_at_sign_with_digits)
{
	version("plan.txt@3", "plan.txt", 3);
	version("a@b.dk@12", "a@b.dk", 12);
	version("a@2@3", "a@2", 3);
	version("@3@4", "@3", 4);
	version("plan.txt@4294967295", "plan.txt", UINT32_MAX);
	version("plan.txt@4294967296", "plan.txt@4294967296", 0);
	version("plan.txt@0", "plan.txt@0", 0);
	version("plan.txt@", "plan.txt@", 0);
	version("plan.txt@3x", "plan.txt@3x", 0);
	version("plan.txt@-1", "plan.txt@-1", 0);
	version("plan@3.txt", "plan@3.txt", 0);
	version("@3", "@3", 0);
	version("plan.txt", "plan.txt", 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("tools_note_path");
	TCase *tc = tcase_create("path");
	SRunner *runner = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(tc, start, stop);
	tcase_add_test(tc, file_below_the_mount_is_journal_and_path);
	tcase_add_test(tc, file_that_is_gone_is_found_by_its_directory);
	tcase_add_test(tc, journal_alone_is_taken_where_it_may_be);
	tcase_add_test(tc, relative_names_go_by_where_one_stands_or_by_the_journal);
	tcase_add_test(tc, what_is_in_no_mount_of_ones_own_is_refused);
	tcase_add_test(tc, names_are_shown_without_what_a_terminal_obeys);
	tcase_add_test(tc, version_is_the_last_at_sign_with_digits);
	suite_add_tcase(s, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
