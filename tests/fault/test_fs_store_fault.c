/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/fault/test_fs_store_fault.c - every write and sync of a commit fails once; power fails at
 * any moment of it. What was acknowledged is there; nothing is there by half.
 */
#include "inject.h"
#include "model.h"
#include "fs/redo.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char base[64], dir[80];

static void set_up(void)
{
	model_dir_make(base);
	snprintf(dir, sizeof(dir), "%s/db", base);
}

static void tear_down(void)
{
	inject_stop();
	model_dir_remove(base);
}

static int apply(struct fs_store *s, uint32_t stamp)
{
	struct fs_store_item *items;
	size_t n = model_items(stamp, &items);
	int rc = fs_store_apply(s, items, n);

	model_items_free(items, n);
	return rc;
}

static struct fs_store *must_open(void)
{
	struct fs_store *s = NULL;

	ck_assert_int_eq(fs_store_open(dir, FS_STORE_CREATE, &s), 0);
	return s;
}

static void begin_anew(void)
{
	model_dir_remove(base);
	ck_assert_int_eq(mkdir(base, 0700), 0);
}

/* Two operations with a failure armed; the state afterwards, now and when opened again. */
static void expect_outcome(struct fs_store *s, uint32_t acked, int rc)
{
	uint32_t seen;

	seen = model_verify_records(s);
	if (rc == -ENOSPC) {
		ck_assert_uint_eq(seen, acked);
		ck_assert_int_eq(apply(s, acked + 1), 0);
		ck_assert_uint_eq(model_verify_records(s), acked + 1);
		acked++;
	} else if (rc) {
		ck_assert_int_eq(rc, -EIO);
		ck_assert(seen == acked || seen == acked + 1);
		ck_assert_int_eq(apply(s, acked + 1), -EIO);
	} else {
		ck_assert_uint_eq(seen, acked);
	}
	fs_store_close(s);
	ck_assert_int_eq(fs_store_check(dir), 0);
	s = must_open();
	seen = model_verify_records(s);
	ck_assert(seen == acked || (rc == -EIO && seen == acked + 1));
	/* And it goes on from there. */
	ck_assert_int_eq(apply(s, seen + 1), 0);
	ck_assert_uint_eq(model_verify_records(s), seen + 1);
	fs_store_close(s);
}

static bool one_round(unsigned nth, int err, bool on)
{
	struct fs_store *s = must_open();
	uint32_t acked = 1;
	bool hit;
	int rc;

	ck_assert_int_eq(apply(s, 1), 0);
	if (err)
		inject_fail(nth, err, on);
	else
		inject_short(nth);
	rc = apply(s, 2);
	if (!rc) {
		acked = 2;
		rc = apply(s, 3);
		acked += !rc;
	}
	hit = inject_stop();
	expect_outcome(s, acked, rc);
	begin_anew();
	return hit;
}

static void all_rounds(int err, bool on)
{
	unsigned nth = 1;

	while (one_round(nth, err, on))
		nth++;
	ck_assert_uint_gt(nth, 4);
}

START_TEST(apply_survives_an_io_error_at_every_call)
{
	all_rounds(EIO, false);
}
END_TEST

START_TEST(apply_survives_a_disk_that_dies_at_every_call)
{
	all_rounds(EIO, true);
}
END_TEST

START_TEST(apply_survives_a_full_disk_at_every_call)
{
	all_rounds(ENOSPC, false);
}
END_TEST

START_TEST(apply_survives_a_disk_that_stays_full_from_every_call)
{
	all_rounds(ENOSPC, true);
}
END_TEST

START_TEST(apply_survives_a_short_write_at_every_call)
{
	all_rounds(0, true);
}
END_TEST

START_TEST(open_that_fails_at_any_call_can_be_repeated)
{
	bool hit = true;

	for (unsigned nth = 1; hit; nth++) {
		struct fs_store *s = NULL;
		int rc;

		inject_fail(nth, nth % 2 ? EIO : ENOSPC, true);
		rc = fs_store_open(dir, FS_STORE_CREATE, &s);
		hit = inject_stop();
		ck_assert(hit ? rc < 0 : rc == 0);
		if (rc) {
			ck_assert_ptr_null(s);
			s = must_open();
		}
		ck_assert_int_eq(apply(s, 1), 0);
		ck_assert_uint_eq(model_verify_records(s), 1);
		fs_store_close(s);
		begin_anew();
	}
}
END_TEST

START_TEST(allocation_refused_is_a_full_disk_and_nothing_happened)
{
	struct fs_store *s = must_open();

	/* The first call of a commit asks for space. */
	inject_fail(1, ENOSPC, true);
	ck_assert_int_eq(apply(s, 1), -ENOSPC);
	ck_assert(inject_stop());
	ck_assert_uint_eq(model_verify_records(s), 0);
	ck_assert_int_eq(apply(s, 1), 0);
	fs_store_close(s);
	begin_anew();
	s = must_open();
	inject_fail(1, EOPNOTSUPP, false);
	ck_assert_int_eq(apply(s, 1), 0); /* a file system that knows no fallocate */
	ck_assert(inject_stop());
	ck_assert_uint_eq(model_verify_records(s), 1);
	fs_store_close(s);
}
END_TEST

static int see(void *ctx, const uint8_t *body, size_t len)
{
	(void)body;
	*(size_t *)ctx += len;
	return 0;
}

/* A killed process may have left its last record in the kernel's memory only. */
START_TEST(redo_records_found_are_synced_before_others_join_on)
{
	static const uint8_t key[KEYS_LEN] = "a vault's";
	struct fs_redo_mark zero = {.number = 0}, one = {.number = 1}, at = zero;
	struct fs_redo *r;
	size_t seen = 0;
	int fd;

	ck_assert_int_eq(keys_init(), 0);
	fd = open(base, O_RDONLY | O_DIRECTORY);
	ck_assert_int_eq(fs_redo_open(fd, false, FS_REDO_BYTES_LEAST, key, &r), 0);
	memset(fs_redo_room(r, 100), 1, 100);
	ck_assert_int_eq(fs_redo_append(r, &zero, &one, 100), 0);
	fs_redo_close(r);
	ck_assert_int_eq(fs_redo_open(fd, false, FS_REDO_BYTES_LEAST, key, &r), 0);
	inject_fail(1, EIO, false);
	ck_assert_int_eq(fs_redo_scan(r, &at, see, &seen), -EIO);
	ck_assert(inject_stop());
	at = zero;
	ck_assert_int_eq(fs_redo_scan(r, &at, see, &seen), 0);
	ck_assert_uint_eq(at.number, 1);
	ck_assert_uint_eq(seen, 200);
	fs_redo_close(r);
	close(fd);
}
END_TEST

/* ---- power loss ---- */

START_TEST(power_loss_at_any_moment_keeps_what_was_acknowledged)
{
	struct fs_store *s;
	char path[96];

	inject_record("/data.mdb", NULL, NULL);
	s = must_open();
	for (uint32_t stamp = 1; stamp <= 25; stamp++) {
		ck_assert_int_eq(apply(s, stamp), 0);
		inject_note(stamp);
	}
	fs_store_close(s);
	inject_record(NULL, NULL, NULL);
	ck_assert_uint_gt(inject_events(), 100);
	/* Not before the first: init says that there is a vault when its first pages are synced. */
	for (size_t cut = inject_first_note(); cut <= inject_events(); cut++) {
		uint32_t acked, seen;

		begin_anew();
		ck_assert_int_eq(mkdir(dir, 0700), 0);
		snprintf(path, sizeof(path), "%s/data.mdb", dir);
		acked = inject_image(cut, 0, path);
		ck_assert_int_eq(fs_store_check(dir), 0);
		s = must_open();
		seen = model_verify_records(s);
		ck_assert_msg(seen == acked || seen == acked + 1, "after %u: %u", acked, seen);
		ck_assert_int_eq(apply(s, seen + 1), 0);
		ck_assert_uint_eq(model_verify_records(s), seen + 1);
		fs_store_close(s);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("fs/store faults");
	TCase *tc = tcase_create("faults");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_set_timeout(tc, 300);
	tcase_add_test(tc, apply_survives_an_io_error_at_every_call);
	tcase_add_test(tc, apply_survives_a_disk_that_dies_at_every_call);
	tcase_add_test(tc, apply_survives_a_full_disk_at_every_call);
	tcase_add_test(tc, apply_survives_a_disk_that_stays_full_from_every_call);
	tcase_add_test(tc, apply_survives_a_short_write_at_every_call);
	tcase_add_test(tc, open_that_fails_at_any_call_can_be_repeated);
	tcase_add_test(tc, allocation_refused_is_a_full_disk_and_nothing_happened);
	tcase_add_test(tc, redo_records_found_are_synced_before_others_join_on);
	tcase_add_test(tc, power_loss_at_any_moment_keeps_what_was_acknowledged);
	suite_add_tcase(s, tc);
	runner = srunner_create(s);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
