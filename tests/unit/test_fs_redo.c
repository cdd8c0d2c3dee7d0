/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/test_fs_redo.c - the redo file: what is found again after records were torn, forged,
 * moved, repeated or cut off; and how areas take turns.
 */
#include "fs/redo.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BYTES (512u << 10)
#define BLOCK 4096u
#define BODY 5000u /* two blocks with its header */

static const uint8_t key[KEYS_LEN] = "a vault's", other_key[KEYS_LEN] = "another vault's";
static char dir[64];
static int dirfd_, fd;
static struct fs_redo *redo;
static struct fs_redo_mark begin, now;

static struct fs_redo_mark mark(uint64_t number)
{
	struct fs_redo_mark m = {.number = number};

	memset(m.id, (int)number, sizeof(m.id));
	m.id[0] = (uint8_t)(number >> 8);
	return m;
}

static void open_redo(void)
{
	ck_assert_int_eq(fs_redo_open(dirfd_, false, BYTES, key, &redo), 0);
}

static void set_up(void)
{
	ck_assert_int_eq(keys_init(), 0);
	strcpy(dir, "/tmp/journalfs-redo-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	dirfd_ = open(dir, O_RDONLY | O_DIRECTORY);
	ck_assert_int_ge(dirfd_, 0);
	begin = now = mark(7);
	open_redo();
	fd = openat(dirfd_, "redo", O_RDWR);
	ck_assert_int_ge(fd, 0);
}

static void tear_down(void)
{
	fs_redo_close(redo);
	redo = NULL;
	close(fd);
	unlinkat(dirfd_, "redo", 0);
	close(dirfd_);
	ck_assert_int_eq(rmdir(dir), 0);
}

/* The body of commit n: BODY bytes of it. */
static int append(void)
{
	struct fs_redo_mark next = mark(now.number + 1);
	uint8_t *body = fs_redo_room(redo, BODY);
	int rc;

	ck_assert_ptr_nonnull(body);
	memset(body, (int)next.number, BODY);
	rc = fs_redo_append(redo, &now, &next, BODY);
	if (!rc)
		now = next;
	return rc;
}

static void append_many(unsigned n)
{
	while (n--)
		ck_assert_int_eq(append(), 0);
}

struct seen {
	uint64_t next, n;
};

static int see(void *ctx, const uint8_t *body, size_t len)
{
	struct seen *s = ctx;

	ck_assert_uint_eq(len, BODY);
	for (size_t i = 0; i < len; i++)
		ck_assert_uint_eq(body[i], (uint8_t)s->next);
	s->next++;
	s->n++;
	return 0;
}

/* Opened anew, with the database in state `from`: what follows, and where it ends. */
static int scan(uint64_t from, uint64_t *end)
{
	struct seen s = {.next = from + 1};
	struct fs_redo_mark at = mark(from);
	int rc;

	fs_redo_close(redo);
	open_redo();
	rc = fs_redo_scan(redo, &at, see, &s);
	ck_assert_uint_eq(s.n, at.number - from);
	*end = at.number;
	return rc;
}

static void expect(uint64_t from, uint64_t want)
{
	uint64_t end;

	ck_assert_int_eq(scan(from, &end), 0);
	ck_assert_uint_eq(end, want);
}

static void flip(off_t at)
{
	uint8_t c;

	ck_assert_int_eq(pread(fd, &c, 1, at), 1);
	c ^= 0x10;
	ck_assert_int_eq(pwrite(fd, &c, 1, at), 1);
}

/* Record n (0: the first of the file), two blocks long. */
static void copy_record(unsigned from, unsigned to)
{
	uint8_t r[2 * BLOCK];

	ck_assert_int_eq(pread(fd, r, sizeof(r), from * 2 * BLOCK), sizeof(r));
	ck_assert_int_eq(pwrite(fd, r, sizeof(r), to * 2 * BLOCK), sizeof(r));
}

START_TEST(scan_finds_what_follows_the_databases_state)
{
	expect(7, 7);
	append_many(5);
	expect(7, 12);
	expect(9, 12);
	expect(12, 12);
}
END_TEST

START_TEST(scan_ends_at_a_torn_last_record)
{
	append_many(5);
	flip(4 * 2 * BLOCK + 300);
	expect(7, 11);
	now = mark(11);
	append_many(1); /* over the torn one */
	expect(7, 12);
	flip(4 * 2 * BLOCK + 20); /* its header */
	expect(7, 11);
}
END_TEST

START_TEST(damage_before_a_later_record_is_no_crash)
{
	uint64_t end;

	append_many(5);
	flip(2 * 2 * BLOCK + 300);
	ck_assert_int_eq(scan(7, &end), -ESTALE);
	ck_assert_uint_eq(end, 9);
	flip(2 * 2 * BLOCK + 300);
	flip(2 * 2 * BLOCK + 49); /* where it comes from */
	ck_assert_int_eq(scan(7, &end), -ESTALE);
	ck_assert_uint_eq(end, 9);
}
END_TEST

START_TEST(every_byte_of_a_header_is_authenticated)
{
	append_many(1);
	for (off_t at = 0; at < 128; at++) {
		flip(at);
		expect(7, 7);
		flip(at);
	}
	expect(7, 8);
}
END_TEST

START_TEST(records_of_another_key_or_course_do_not_join)
{
	struct fs_redo_mark at = mark(7);
	struct seen s = {.next = 8};
	uint64_t end;

	append_many(3);
	at.id[5] ^= 1; /* the same number, another state */
	fs_redo_close(redo);
	open_redo();
	ck_assert_int_eq(fs_redo_scan(redo, &at, see, &s), -ESTALE);
	ck_assert_uint_eq(s.n, 0);
	ck_assert_int_eq(scan(5, &end), -ESTALE); /* an older database */
	ck_assert_uint_eq(end, 5);
	fs_redo_close(redo);
	ck_assert_int_eq(fs_redo_open(dirfd_, false, BYTES, other_key, &redo), 0);
	at = mark(7);
	ck_assert_int_eq(fs_redo_scan(redo, &at, see, &s), 0);
	ck_assert_uint_eq(at.number, 7);
}
END_TEST

START_TEST(moved_records_are_noticed)
{
	uint64_t end;

	append_many(5);
	copy_record(1, 10);
	copy_record(2, 1);
	copy_record(10, 2);
	ck_assert_int_eq(scan(7, &end), -ESTALE);
	ck_assert_uint_eq(end, 8);
}
END_TEST

START_TEST(repeated_records_count_once)
{
	append_many(5);
	copy_record(3, 5); /* an older one behind the end */
	expect(7, 12);
	copy_record(4, 5);
	expect(7, 12);
}
END_TEST

START_TEST(file_that_was_cut_short_is_no_crash_or_loses_the_end)
{
	uint64_t end;
	int rc;

	append_many(5);
	ck_assert_int_eq(ftruncate(fd, 2 * 7 * BLOCK), 0); /* areas of 7 blocks now */
	rc = scan(7, &end);
	ck_assert(rc == -ESTALE || end == 12);
	ck_assert_int_eq(ftruncate(fd, 0), 0);
	fs_redo_close(redo);
	redo = NULL;
	ck_assert_int_eq(fs_redo_open(dirfd_, false, BYTES, key, &redo), -EBADMSG);
	/* Nor is one that somebody made endless. */
	ck_assert_int_eq(ftruncate(fd, (off_t)1 << 40), 0);
	ck_assert_int_eq(fs_redo_open(dirfd_, false, BYTES, key, &redo), -EBADMSG);
}
END_TEST

START_TEST(areas_take_turns_and_never_overwrite_what_is_needed)
{
	uint64_t first = now.number, done = first;

	/* Until neither has room. */
	while (!append())
		;
	ck_assert_uint_eq(now.number - first, BYTES / (2 * BLOCK));
	ck_assert(fs_redo_behind(redo));
	ck_assert_int_eq(append(), -ENOBUFS);
	expect(first, now.number);
	for (int round = 0; round < 500; round++) {
		uint64_t step = (uint64_t)rand() % 40;

		done = done + step < now.number ? done + step : now.number;
		fs_redo_done(redo, done);
		for (int i = rand() % 20; i > 0; i--) {
			if (append())
				break;
		}
		if (round % 50 == 0) {
			expect(done, now.number);
			ck_assert(append() == 0 || append() == -ENOBUFS);
		}
	}
	expect(done, now.number);
	fs_redo_done(redo, now.number);
	done = now.number;
	append_many(3);
	expect(done, now.number);
}
END_TEST

START_TEST(what_is_wiped_is_never_met_again)
{
	uint64_t end;

	append_many(9);
	flip(2 * 2 * BLOCK + 300);
	ck_assert_int_eq(scan(7, &end), -ESTALE);
	ck_assert_int_eq(fs_redo_wipe(redo), 0);
	now = mark(end);
	append_many(1);
	expect(end, end + 1);
}
END_TEST

START_TEST(read_only_open_makes_no_file)
{
	struct fs_redo *r;

	unlinkat(dirfd_, "redo", 0);
	ck_assert_int_eq(fs_redo_open(dirfd_, true, BYTES, key, &r), -ENOENT);
	ck_assert_int_ne(faccessat(dirfd_, "redo", F_OK, 0), 0);
}
END_TEST

START_TEST(unfinished_new_file_is_made_anew)
{
	struct stat st;
	int part;

	fs_redo_close(redo);
	redo = NULL;
	unlinkat(dirfd_, "redo", 0);
	part = openat(dirfd_, "redo.new", O_WRONLY | O_CREAT, 0600);
	ck_assert_int_ge(part, 0);
	ck_assert_int_eq(write(part, "xyz", 3), 3);
	close(part);
	open_redo();
	ck_assert_int_eq(fstatat(dirfd_, "redo", &st, 0), 0);
	ck_assert_int_eq(st.st_size, BYTES);
	ck_assert_int_ne(faccessat(dirfd_, "redo.new", F_OK, 0), 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("fs/redo");
	TCase *tc = tcase_create("redo");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, scan_finds_what_follows_the_databases_state);
	tcase_add_test(tc, scan_ends_at_a_torn_last_record);
	tcase_add_test(tc, damage_before_a_later_record_is_no_crash);
	tcase_add_test(tc, every_byte_of_a_header_is_authenticated);
	tcase_add_test(tc, records_of_another_key_or_course_do_not_join);
	tcase_add_test(tc, moved_records_are_noticed);
	tcase_add_test(tc, repeated_records_count_once);
	tcase_add_test(tc, file_that_was_cut_short_is_no_crash_or_loses_the_end);
	tcase_add_test(tc, areas_take_turns_and_never_overwrite_what_is_needed);
	tcase_add_test(tc, what_is_wiped_is_never_met_again);
	tcase_add_test(tc, read_only_open_makes_no_file);
	tcase_add_test(tc, unfinished_new_file_is_made_anew);
	suite_add_tcase(s, tc);
	runner = srunner_create(s);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
