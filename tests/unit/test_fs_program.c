/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of fs/program.c: whose name a record bears. */
#include <check.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
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

static void *named_thread(void *ctx)
{
	int *ends = ctx;
	pid_t tid = (pid_t)syscall(SYS_gettid);
	char c;

	ck_assert_int_eq(prctl(PR_SET_NAME, "pool-1"), 0);
	ck_assert_int_eq(write(ends[0], &tid, sizeof(tid)), sizeof(tid));
	ck_assert_int_eq(read(ends[0], &c, 1), 1);
	return NULL;
}

/* A program's pool asks under names of its own: the program is still itself. */
START_TEST(thread_of_a_pool_is_told_with_its_program)
{
	char thread[FS_PROGRAM_NAME], process[FS_PROGRAM_NAME];
	pthread_t t;
	pid_t tid;
	int ends[2];

	ck_assert_int_eq(prctl(PR_SET_NAME, "tracker-miner-fs"), 0);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	ck_assert_int_eq(pthread_create(&t, NULL, named_thread, ends), 0);
	ck_assert_int_eq(read(ends[1], &tid, sizeof(tid)), sizeof(tid));
	for (int n = 0; n < 2; n++) {
		fs_program_names(tid, thread, process);
		ck_assert_str_eq(thread, "pool-1");
		ck_assert_str_eq(process, "tracker-miner-f");
		fs_program_names(getpid(), thread, process);
		ck_assert_str_eq(thread, "tracker-miner-f");
		ck_assert_str_eq(process, "");
	}
	ck_assert_int_eq(write(ends[1], "x", 1), 1);
	ck_assert_int_eq(pthread_join(t, NULL), 0);
	fs_program_names(tid, thread, process);
	ck_assert_str_eq(thread, "");
	ck_assert_str_eq(process, "");
	fs_program_names(0, thread, process);
	ck_assert_str_eq(thread, "");
	close(ends[0]);
	close(ends[1]);
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
	tcase_add_test(t, thread_of_a_pool_is_told_with_its_program);
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
