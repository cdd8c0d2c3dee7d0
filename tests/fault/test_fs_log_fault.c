/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/fault/test_fs_log_fault.c - the log's tree, checkpoints and keys, killed before each write
 * and sync, and with each of them failing: what is left goes on, without an alarm and without a key
 * lost.
 */
#include "../unit/test_fs_log_look.h"
#include "inject.h"

#include <signal.h>

#define DEATHS 400

static void tear_down(void)
{
	inject_stop();
	teardown();
}

/* As session, with whatever rc. */
static int try_session(unsigned n)
{
	struct fs_log *l = NULL;
	struct policy_record r;
	int rc = try_open(0, &l), rc2;

	if (rc)
		return rc;
	for (unsigned i = 0; i < n && !rc; i++) {
		policy_record_init(&r, POLICY_RECORD_OPEN);
		r.note = i;
		rc = fs_log_append(l, &r, NULL);
	}
	if (!rc)
		rc = fs_log_checkpoint(l, 7, (const uint8_t *)VAULT_ROOT, KEYS_CHECKPOINT_RUNNING);
	if (!rc)
		rc = fs_log_wait(l, 0);
	rc2 = fs_log_close(l);
	return rc ? rc : rc2;
}

static void check_left(uint64_t least)
{
	struct looked k;

	session(2); /* must open: nothing is refused, nothing lost */
	k = look();
	ck_assert(!k.fork);
	ck_assert_uint_eq(k.lost, 0);
	ck_assert_uint_eq(k.sealed, k.records);
	ck_assert_uint_ge(k.records, least);
	ck_assert_uint_eq(alarms_logged(), 0);
}

static void start_anew(void)
{
	tear_down();
	setup();
	session(1);
}

START_TEST(killed_anywhere_it_goes_on_with_all_that_was_sealed)
{
	unsigned deaths = 0;
	bool survived = false;

	session(1);
	for (unsigned n = 1; n <= DEATHS && !survived; n++) {
		uint64_t before = look().records;
		int status;
		pid_t pid = fork();

		ck_assert_int_ge(pid, 0);
		if (!pid) {
			inject_die(n);
			_exit(try_session(MANY) ? 1 : 0);
		}
		ck_assert_int_eq(waitpid(pid, &status, 0), pid);
		survived = !WIFSIGNALED(status);
		deaths += !survived;
		ck_assert(!survived || !WEXITSTATUS(status));
		check_left(before);
		if (look().records > RECORDS_MAX / 2)
			start_anew();
	}
	ck_assert(survived);
	ck_assert_uint_gt(deaths, 20);
}
END_TEST

static void each_call_fails(int err)
{
	unsigned failed = 0;
	bool hit = true;

	session(1);
	for (unsigned n = 1; n <= DEATHS && hit; n++) {
		uint64_t before = look().records;
		int rc;

		inject_fail(n, err, false);
		rc = try_session(MANY);
		hit = inject_stop();
		ck_assert(!rc || rc == -err || rc == -EIO);
		failed += rc != 0;
		check_left(before);
		if (look().records > RECORDS_MAX / 2)
			start_anew();
	}
	ck_assert(!hit);
	ck_assert_uint_gt(failed, 3);
}

START_TEST(failing_call_is_refused_or_does_not_matter)
{
	each_call_fails(EIO);
}
END_TEST

START_TEST(full_disk_is_refused_or_does_not_matter)
{
	each_call_fails(ENOSPC);
}
END_TEST

START_TEST(checkpoint_that_is_asked_for_and_not_written_is_refused)
{
	struct policy_record r;
	struct fs_log *l;

	session(1);
	l = open_log();
	policy_record_init(&r, POLICY_RECORD_OPEN);
	inject_fail(1, EIO, false);
	ck_assert_int_eq(fs_log_append(l, &r, NULL), 0);
	ck_assert_int_eq(fs_log_checkpoint_now(l, 7, (const uint8_t *)VAULT_ROOT), -EIO);
	ck_assert(inject_stop());
	(void)fs_log_close(l);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("fs/log faults");
	TCase *tc = tcase_create("faults");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(tc, setup, tear_down);
	tcase_set_timeout(tc, 300);
	tcase_add_test(tc, checkpoint_that_is_asked_for_and_not_written_is_refused);
	tcase_add_test(tc, killed_anywhere_it_goes_on_with_all_that_was_sealed);
	tcase_add_test(tc, failing_call_is_refused_or_does_not_matter);
	tcase_add_test(tc, full_disk_is_refused_or_does_not_matter);
	suite_add_tcase(s, tc);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
