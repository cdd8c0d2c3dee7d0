/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/fault/test_fs_group_fault.c - groups, store and container together: failing calls, SIGKILL
 * at any moment, and a disk that is really full.
 */
#include "inject.h"
#include "model.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static char dir[64];

static void set_up(void)
{
	model_dir_make(dir);
}

static void tear_down(void)
{
	inject_stop();
	model_dir_remove(dir);
}

/* ---- failing calls ---- */

/* Operation `stamp` applied and synced; what failed first. */
static int step(struct model *m, uint32_t stamp)
{
	int rc = model_apply(m, stamp);

	return rc ? rc : fs_group_sync(model_group(m), 0);
}

static bool one_round(unsigned nth, int err, bool on)
{
	struct model *m;
	uint32_t acked = 3, seen;
	bool hit;
	int rc, again;

	ck_assert_int_eq(model_open(dir, &m), 0);
	for (uint32_t i = 1; i <= acked; i++)
		ck_assert_int_eq(step(m, i), 0);
	inject_fail(nth, err, on);
	do {
		rc = step(m, acked + 1);
		acked += !rc;
		/* On into the database: a failure there shows in the next step, if at all. */
		if (!rc && acked % 2)
			(void)fs_store_checkpoint(model_store(m));
	} while (!rc && acked < 8);
	hit = inject_stop();
	if (rc == -ENOSPC) {
		/* Refused, or kept and waiting: either way it can be had once there is room. */
		again = fs_group_sync(model_group(m), 0);
		if (!again)
			again = step(m, acked + 1);
		/* Or the checkpointer met the same disk in the middle of a write. */
		ck_assert_msg(!again || again == -EIO || again == -EROFS, "call %u: %d", nth,
			      again);
		acked += !again;
		rc = again;
	} else if (rc) {
		ck_assert(rc == -EIO || rc == -EROFS);
	}
	again = model_close(m);
	ck_assert(!rc || again || rc == -EIO);
	seen = model_verify(dir);
	ck_assert_msg(seen == acked || (rc && seen == acked + 1), "call %u: %u, then %u", nth,
		      acked, seen);
	model_dir_remove(dir);
	ck_assert_int_eq(mkdir(dir, 0700), 0);
	return hit;
}

static void all_rounds(int err, bool on)
{
	unsigned nth = 1;

	while (one_round(nth, err, on))
		nth++;
	ck_assert_uint_gt(nth, 15);
}

START_TEST(sync_survives_an_io_error_at_every_call)
{
	all_rounds(EIO, false);
}
END_TEST

START_TEST(sync_survives_a_disk_that_dies_at_every_call)
{
	all_rounds(EIO, true);
}
END_TEST

START_TEST(sync_survives_a_full_disk_at_every_call)
{
	all_rounds(ENOSPC, false);
}
END_TEST

START_TEST(sync_survives_a_disk_that_stays_full_from_every_call)
{
	all_rounds(ENOSPC, true);
}
END_TEST

/* ---- power loss ---- */

static void make_dirs(void)
{
	static const char *const subs[] = {"db", "containers", "containers/01"};
	char path[96];

	model_dir_remove(dir);
	ck_assert_int_eq(mkdir(dir, 0700), 0);
	for (int i = 0; i < 3; i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, subs[i]);
		ck_assert_int_eq(mkdir(path, 0700), 0);
	}
}

START_TEST(power_loss_finds_chunks_and_their_maps_together)
{
	char db[96], container[96], redo[96];
	struct model *m;

	inject_record("/data.mdb", "/00000001", "/redo");
	ck_assert_int_eq(model_open(dir, &m), 0);
	for (uint32_t stamp = 1; stamp <= 30; stamp++) {
		ck_assert_int_eq(step(m, stamp), 0);
		inject_note(stamp);
	}
	ck_assert_int_eq(model_close(m), 0);
	inject_record(NULL, NULL, NULL);
	snprintf(db, sizeof(db), "%s/db/data.mdb", dir);
	snprintf(redo, sizeof(redo), "%s/db/redo", dir);
	snprintf(container, sizeof(container), "%s/containers/01/00000001", dir);
	for (size_t cut = inject_first_note(); cut <= inject_events(); cut++) {
		uint32_t acked, seen;

		make_dirs();
		acked = inject_image(cut, 0, db);
		inject_image(cut, 1, container);
		inject_image(cut, 2, redo);
		ck_assert_int_eq(truncate(redo, MODEL_REDO_BYTES), 0);
		seen = model_verify(dir);
		ck_assert_msg(seen == acked || seen == acked + 1, "after %u: %u", acked, seen);
	}
}
END_TEST

/* ---- SIGKILL ---- */

/* Works until it is killed, and says which operations are durable. */
static _Noreturn void work(uint32_t stamp, int pipe_fd)
{
	struct model *m;

	if (model_open(dir, &m))
		_exit(1);
	for (;;) {
		unsigned burst = 1 + (unsigned)rand() % 4;

		for (unsigned i = 0; i < burst; i++) {
			if (model_apply(m, ++stamp))
				_exit(2);
		}
		if (fs_group_sync(model_group(m), 0))
			_exit(3);
		if (write(pipe_fd, &stamp, sizeof(stamp)) != sizeof(stamp))
			_exit(4);
	}
}

/* Kills a child that works on from `stamp`, a moment after so many acknowledged groups. */
static uint32_t kill_one(uint32_t stamp, unsigned round, unsigned groups, uint32_t *heard)
{
	struct timespec nap = {.tv_nsec = rand() % 25000000};
	uint32_t acked = stamp, got;
	int ends[2], status;
	pid_t pid;

	ck_assert_int_eq(pipe(ends), 0);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (!pid) {
		close(ends[0]);
		srand(round);
		work(stamp, ends[1]);
	}
	close(ends[1]);
	while (groups-- && read(ends[0], &acked, sizeof(acked)) == sizeof(acked))
		++*heard;
	nanosleep(&nap, NULL);
	kill(pid, SIGKILL);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFSIGNALED(status));
	while (read(ends[0], &got, sizeof(got)) == sizeof(got)) {
		acked = got;
		++*heard;
	}
	close(ends[0]);
	return acked;
}

/* Every other child has only the moment, from its birth on, however busy the machine is. */
START_TEST(killed_at_any_moment_keeps_every_acknowledged_group)
{
	uint32_t stamp = 0, total = 0;

	srand(11);
	for (unsigned round = 0; round < 60; round++) {
		unsigned groups = round % 2 ? 2 + (unsigned)rand() % 4 : 0;
		uint32_t acked = kill_one(stamp, round, groups, &total);

		stamp = model_verify(dir);
		ck_assert_msg(stamp >= acked, "acknowledged %u, found %u", acked, stamp);
	}
	ck_assert_uint_ge(total, 60);
}
END_TEST

/* ---- a disk that is full ---- */

/* A disk of our own in a mount namespace of our own. False: not allowed here. */
static bool mount_small_disk(void)
{
	if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
		return false;
	return !mount("tmpfs", dir, "tmpfs", 0, "size=24m");
}

static void fill_the_rest(void)
{
	char path[96];
	struct statvfs v;
	int fd;

	snprintf(path, sizeof(path), "%s/ballast", dir);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(fstatvfs(fd, &v), 0);
	if (v.f_bavail)
		ck_assert_int_eq(posix_fallocate(fd, 0, (off_t)(v.f_bavail * v.f_frsize)), 0);
	close(fd);
}

START_TEST(full_disk_refuses_before_it_loses_and_recovers)
{
	struct model *m;
	uint32_t stamp = 0, refused = 0;
	char path[96];
	int rc;

	if (!mount_small_disk()) {
		printf("SKIP full_disk_refuses_before_it_loses_and_recovers: may not mount\n");
		return;
	}
	snprintf(path, sizeof(path), "%s/ballast", dir);
	ck_assert_int_eq(model_open(dir, &m), 0);
	for (int i = 0; i < 20; i++)
		ck_assert_int_eq(step(m, ++stamp), 0);
	for (int round = 0; round < 5; round++) {
		fill_the_rest();
		/* Until it says no. What it accepted before, it can also commit: the reserve pays.
		 */
		for (refused = 0; refused < 2000; refused++) {
			rc = model_apply(m, stamp + 1);
			if (rc)
				break;
			stamp++;
			ck_assert_int_eq(fs_group_sync(model_group(m), 0), 0);
		}
		ck_assert(refused == 2000 || rc == -ENOSPC);
		ck_assert_int_eq(fs_group_sync(model_group(m), 0), 0);
		ck_assert_uint_eq(model_verify_records(model_store(m)), stamp);
		ck_assert_int_eq(unlink(path), 0);
		for (int i = 0; i < 20; i++)
			ck_assert_int_eq(step(m, ++stamp), 0);
	}
	ck_assert_int_eq(model_close(m), 0);
	ck_assert_uint_eq(model_verify(dir), stamp);
	ck_assert_int_eq(umount2(dir, MNT_DETACH), 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("fs/group faults");
	TCase *tc = tcase_create("faults");
	SRunner *runner;
	int failed;

	setvbuf(stdout, NULL, _IOLBF, 0);
	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_set_timeout(tc, 300);
	tcase_add_test(tc, sync_survives_an_io_error_at_every_call);
	tcase_add_test(tc, sync_survives_a_disk_that_dies_at_every_call);
	tcase_add_test(tc, sync_survives_a_full_disk_at_every_call);
	tcase_add_test(tc, sync_survives_a_disk_that_stays_full_from_every_call);
	tcase_add_test(tc, power_loss_finds_chunks_and_their_maps_together);
	tcase_add_test(tc, killed_at_any_moment_keeps_every_acknowledged_group);
	tcase_add_test(tc, full_disk_refuses_before_it_loses_and_recovers);
	suite_add_tcase(s, tc);
	runner = srunner_create(s);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
