/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of fs/program.c: whose name a record bears. */
#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../fs/program.h"

START_TEST(own_name_follows_a_change)
{
	char name[64];

	ck_assert_int_eq(prctl(PR_SET_NAME, "first"), 0);
	fs_program_name(getpid(), name, sizeof(name));
	ck_assert_str_eq(name, "first");
	ck_assert_int_eq(prctl(PR_SET_NAME, "second one"), 0);
	fs_program_name(getpid(), name, sizeof(name));
	ck_assert_str_eq(name, "second one");
}
END_TEST

START_TEST(ended_process_has_no_name)
{
	char name[64];
	pid_t child = fork();

	if (!child) {
		pause();
		_exit(0);
	}
	fs_program_name(child, name, sizeof(name));
	ck_assert_str_ne(name, "");
	ck_assert_int_eq(kill(child, SIGKILL), 0);
	ck_assert_int_eq(waitpid(child, NULL, 0), child);
	fs_program_name(child, name, sizeof(name));
	ck_assert_str_eq(name, "");
	fs_program_name(0, name, sizeof(name));
	ck_assert_str_eq(name, "");
	fs_program_name(-1, name, sizeof(name));
	ck_assert_str_eq(name, "");
}
END_TEST

START_TEST(long_name_is_cut_to_the_room_there_is)
{
	char name[4] = "???";

	ck_assert_int_eq(prctl(PR_SET_NAME, "abcdefgh"), 0);
	fs_program_name(getpid(), name, sizeof(name));
	ck_assert_str_eq(name, "abc");
}
END_TEST

START_TEST(more_programs_than_are_kept_keep_their_names)
{
	pid_t child[20];
	char name[64], want[16];

	for (int n = 0; n < 20; n++) {
		child[n] = fork();
		if (!child[n]) {
			snprintf(want, sizeof(want), "child %d", n);
			prctl(PR_SET_NAME, want);
			raise(SIGSTOP);
			_exit(0);
		}
		ck_assert_int_eq(waitpid(child[n], NULL, WUNTRACED), child[n]);
	}
	for (int round = 0; round < 2; round++) {
		for (int n = 0; n < 20; n++) {
			snprintf(want, sizeof(want), "child %d", n);
			fs_program_name(child[n], name, sizeof(name));
			ck_assert_str_eq(name, want);
		}
	}
	for (int n = 0; n < 20; n++) {
		kill(child[n], SIGKILL);
		waitpid(child[n], NULL, 0);
	}
}
END_TEST

/* A number that went to another account's process since must not give that one's name away. */
START_TEST(name_is_told_of_the_accounts_own_processes_only)
{
	char name[32] = "???";
	int status;
	pid_t pid;

	ck_assert_int_eq(prctl(PR_SET_NAME, "mine (x)\n2"), 0);
	fs_program_name_of(getpid(), getuid(), name, sizeof(name));
	ck_assert_str_eq(name, "mine (x)\\n2");
	fs_program_name_of(getpid(), getuid() + 1, name, sizeof(name));
	ck_assert_str_eq(name, "");
	fs_program_name_of(0, getuid(), name, sizeof(name));
	ck_assert_str_eq(name, "");
	pid = fork();
	if (!pid)
		_exit(0);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	fs_program_name_of(pid, getuid(), name, sizeof(name));
	ck_assert_str_eq(name, "");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("fs/program");
	TCase *t = tcase_create("names");
	SRunner *r;
	int failed;

	tcase_add_test(t, own_name_follows_a_change);
	tcase_add_test(t, ended_process_has_no_name);
	tcase_add_test(t, long_name_is_cut_to_the_room_there_is);
	tcase_add_test(t, name_is_told_of_the_accounts_own_processes_only);
	tcase_add_test(t, more_programs_than_are_kept_keep_their_names);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
