/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/fault/test_fs_archive_fault.c - archiving killed before each write and sync, and with each
 * of them failing: what is gone was stated, what was stated was told, nothing young goes, and the
 * next run goes on.
 */
#include "../unit/test_fs_archive.h"
#include "inject.h"

#include <signal.h>
#include <sys/wait.h>

#define DEATHS 60

static void tear_down(void)
{
	inject_stop();
	t_teardown();
}

/* Whatever is missing is stated; whatever is stated is in the log. */
static void check_left(void)
{
	struct fs_log_archive a = statements();
	struct looked k = read_log();

	ck_assert_msg(!k.bad, "%s", k.why);
	ck_assert_uint_ge(k.archives, a.n);
	for (uint64_t n = 1; n <= 2; n++)
		ck_assert(there(n) || fs_log_archive_segment(&a, n));
	ck_assert(there(3));
	fs_log_archive_clear(&a);
}

/* Goes on from wherever it was left to the end. */
static void go_on(struct fs_session *dan)
{
	struct fs_archive_plan p = plan_of(dan);

	ck_assert_int_eq(archive(dan, p.last_segment, NULL), 0);
	ck_assert(!there(1) && !there(2));
	check_left();
}

/* A vault of its own for each try; true: it lived, or no call failed. */
static bool one_death(unsigned n, unsigned *stated)
{
	struct fs_session *dan;
	struct fs_log_archive a;
	int status;
	pid_t pid;

	t_teardown();
	set_up();
	t_logout(grown());
	t_close();
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (!pid) {
		t_open();
		dan = t_login("dan", DAN);
		inject_die(n);
		_exit(archive(dan, 2, NULL) ? 1 : 0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFSIGNALED(status) || !WEXITSTATUS(status));
	t_open();
	check_left();
	a = statements();
	*stated += a.n && WIFSIGNALED(status);
	fs_log_archive_clear(&a);
	dan = t_login("dan", DAN);
	go_on(dan);
	t_logout(dan);
	t_close();
	return !WIFSIGNALED(status);
}

START_TEST(killed_anywhere_nothing_is_lost_and_it_goes_on)
{
	unsigned deaths = 0, stated = 0, lived = 0;

	/* The log's own threads write a little more or less each time: once is not the end. */
	for (unsigned n = 1; lived < 3; n++) {
		ck_assert_uint_lt(n, DEATHS);
		if (one_death(n, &stated))
			lived++;
		else
			deaths++;
	}
	/* It died before the record, between record and statement, and between statement and end.
	 */
	ck_assert_uint_gt(deaths, 3);
	ck_assert_uint_gt(stated, 0);
	ck_assert_uint_lt(stated, deaths);
}
END_TEST

static bool one_failure(unsigned n, int err, unsigned *failed)
{
	struct fs_session *dan;
	bool hit;
	int rc;

	t_teardown();
	set_up();
	dan = grown();
	inject_fail(n, err, false);
	rc = archive(dan, 2, NULL);
	hit = inject_stop();
	*failed += rc != 0;
	/* A log that failed says so here too. */
	fs_vault_end_begin(t.v, dan);
	(void)fs_vault_end_finish(t.v, dan, "test");
	fs_session_put(dan);
	(void)fs_vault_close(t.v);
	t_open();
	check_left();
	dan = t_login("dan", DAN);
	go_on(dan);
	t_logout(dan);
	t_close();
	return hit;
}

START_TEST(failing_call_is_refused_and_it_goes_on)
{
	unsigned n = 1, failed = 0;

	while (one_failure(n, n % 2 ? EIO : ENOSPC, &failed))
		ck_assert_uint_lt(n++, DEATHS);
	ck_assert_uint_gt(failed, 2);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("fs/archive faults");
	TCase *tc = tcase_create("faults");

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_set_timeout(tc, 300);
	tcase_add_test(tc, killed_anywhere_nothing_is_lost_and_it_goes_on);
	tcase_add_test(tc, failing_call_is_refused_and_it_goes_on);
	suite_add_tcase(s, tc);
	return t_run(s);
}
