/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/test_fs_container.c - units are never used over live data, whatever fails, and the
 * bitmap pages written with a group say what that group's maps refer to.
 */
#include "fs/container_impl.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define JOURNAL 0x1234u

static char base[64];
static int dirfd_;
static struct fs_container *c;

static void set_up(void)
{
	strcpy(base, "/tmp/journalfs-container-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(base));
	dirfd_ = open(base, O_RDONLY | O_DIRECTORY);
	ck_assert_int_eq(fs_container_open(dirfd_, JOURNAL, &c), 0);
}

static void tear_down(void)
{
	fs_container_close(c);
	ck_assert_int_eq(fs_container_remove(dirfd_, JOURNAL), 0);
	ck_assert_int_eq(fs_container_remove(dirfd_, JOURNAL), 0);
	unlinkat(dirfd_, "34", AT_REMOVEDIR);
	close(dirfd_);
	ck_assert_int_eq(rmdir(base), 0);
}

static uint64_t take(unsigned units)
{
	uint64_t pos = UINT64_MAX;

	ck_assert_int_eq(fs_container_reserve(c, units), 0);
	ck_assert_int_eq(fs_container_alloc(c, units, &pos), 0);
	return pos;
}

/* The pages delivered, kept as the store would keep them. */
struct stored {
	uint32_t page[8];
	uint8_t bits[8][FS_CONTAINER_PAGE_UNITS / 8];
	size_t len[8];
	unsigned n;
	int fail;
};

static int keep(void *ctx, uint32_t page, const uint8_t *bits, size_t len)
{
	struct stored *s = ctx;

	if (s->fail)
		return s->fail;
	ck_assert_uint_lt(s->n, 8);
	ck_assert_uint_gt(len, 0);
	s->page[s->n] = page;
	memcpy(s->bits[s->n], bits, len);
	s->len[s->n++] = len;
	return 0;
}

static bool bit_of(const struct stored *s, uint64_t unit)
{
	for (unsigned i = 0; i < s->n; i++) {
		uint64_t at = unit - (uint64_t)s->page[i] * FS_CONTAINER_PAGE_UNITS;

		if (unit / FS_CONTAINER_PAGE_UNITS == s->page[i])
			return at / 8 < s->len[i] && s->bits[i][at / 8] >> at % 8 & 1;
	}
	return false;
}

static struct stored dirty(void)
{
	struct stored s;

	memset(&s, 0, sizeof(s));
	ck_assert_int_eq(fs_container_dirty_pages(c, keep, &s), 0);
	return s;
}

START_TEST(open_creates_nothing_before_the_first_reservation)
{
	struct stat st;

	ck_assert_int_eq(fstatat(dirfd_, "34", &st, 0), -1);
	ck_assert_int_eq(fs_container_reserve(c, 1), 0);
	ck_assert_int_eq(fstatat(dirfd_, "34/00001234", &st, 0), 0);
	ck_assert_int_gt(st.st_size, 0);
	ck_assert_int_ge(st.st_blocks * 512, st.st_size);
	ck_assert_uint_eq(fs_container_units_used(c), 0);
}
END_TEST

START_TEST(alloc_is_sequential_and_contiguous)
{
	uint64_t next = take(16);

	for (unsigned i = 1; i < 100; i++) {
		next += i == 1 ? 16 : (i - 1) % 16 + 1;
		ck_assert_uint_eq(take(i % 16 + 1), next);
	}
}
END_TEST

START_TEST(alloc_beyond_the_reservation_takes_only_what_nobody_was_promised)
{
	struct stat st;
	uint64_t units, pos;

	ck_assert_int_eq(fs_container_reserve(c, 1), 0);
	ck_assert_int_eq(fstatat(dirfd_, "34/00001234", &st, 0), 0);
	units = (uint64_t)st.st_size / FS_UNIT;
	ck_assert_int_eq(fs_container_reserve(c, units - 1), 0);
	for (uint64_t i = 0; i < units; i++)
		ck_assert_int_eq(fs_container_alloc(c, 1, &pos), 0);
	ck_assert_int_eq(fs_container_alloc(c, 1, &pos), -ENOSPC);
	ck_assert_int_eq(fs_container_reserve(c, 10), 0);
	fs_container_unreserve(c, 10);
	ck_assert_int_eq(fs_container_alloc(c, 10, &pos), 0);
}
END_TEST

START_TEST(freed_units_come_back_only_after_the_commit)
{
	uint64_t a = take(4), first;
	struct stat st;

	dirty();
	fs_container_committed(c);
	ck_assert_int_eq(fstatat(dirfd_, "34/00001234", &st, 0), 0);
	fs_container_free(c, a, 4);
	ck_assert_uint_eq(fs_container_units_used(c), 0);
	/* Every free unit there is, but not these. */
	for (uint64_t i = 4; i < (uint64_t)st.st_size / FS_UNIT; i++) {
		ck_assert_int_eq(fs_container_alloc(c, 1, &first), 0);
		ck_assert(first < a || first >= a + 4);
	}
	ck_assert_int_eq(fs_container_alloc(c, 1, &first), -ENOSPC);
	fs_container_committed(c);
	ck_assert_int_eq(fs_container_alloc(c, 4, &first), 0);
	ck_assert_uint_eq(first, a);
}
END_TEST

START_TEST(dirty_pages_tell_the_state_of_the_closing_group)
{
	struct stored s;
	uint64_t a = take(3), b = take(2), d = take(5);

	fs_container_free(c, b, 2); /* allocated and freed in one group */
	s = dirty();
	ck_assert_uint_eq(s.n, 1);
	for (uint64_t i = 0; i < 3; i++)
		ck_assert(bit_of(&s, a + i));
	ck_assert(!bit_of(&s, b) && !bit_of(&s, b + 1));
	ck_assert(bit_of(&s, d) && bit_of(&s, d + 4) && !bit_of(&s, d + 5));
	ck_assert_uint_eq(dirty().n, 0);
	fs_container_committed(c);
	ck_assert_uint_eq(dirty().n, 0);
	fs_container_free(c, a, 1);
	s = dirty();
	ck_assert_uint_eq(s.n, 1);
	ck_assert(!bit_of(&s, a) && bit_of(&s, a + 1) && bit_of(&s, d));
}
END_TEST

START_TEST(dirty_pages_stay_dirty_when_they_could_not_be_taken)
{
	struct stored s = {.fail = -ENOMEM};
	uint64_t a = take(1);

	ck_assert_int_eq(fs_container_dirty_pages(c, keep, &s), -ENOMEM);
	s = dirty();
	ck_assert(bit_of(&s, a));
}
END_TEST

START_TEST(aborted_restores_the_committed_state)
{
	uint64_t a = take(8), b, again;
	struct stored s;

	dirty();
	fs_container_committed(c);
	fs_container_free(c, a, 8);
	b = take(6);
	dirty();
	fs_container_aborted(c);
	ck_assert_uint_eq(fs_container_units_used(c), 8);
	ck_assert_uint_eq(dirty().n, 0);
	/* The reservation is there for the second try, and never lands on what is in use. */
	for (int i = 0; i < 200; i++) {
		again = take(6);
		ck_assert(again >= a + 8 || again + 6 <= a);
	}
	s = dirty();
	ck_assert(bit_of(&s, a) && bit_of(&s, a + 7));
	ck_assert_uint_ge(b, a + 8);
}
END_TEST

START_TEST(load_brings_back_a_container_of_several_pages)
{
	enum { MANY = 2 * FS_CONTAINER_PAGE_UNITS / 256 + 3 };
	struct stored s;
	uint64_t pos, used, kept = 0;

	for (int i = 0; i < MANY; i++) {
		pos = take(256);
		if (i == 1)
			kept = pos;
	}
	s = dirty();
	ck_assert_uint_eq(s.n, 3);
	fs_container_committed(c);
	fs_container_free(c, kept, 256);
	s = dirty();
	ck_assert_uint_eq(s.n, 1);
	fs_container_committed(c);
	fs_container_free(c, kept + 256, 1);
	fs_container_aborted(c);
	/* All of it anew, from what was delivered. */
	for (int i = 0; i < MANY; i++)
		fs_container_free(c, (uint64_t)i * 256, 0);
	fs_container_free(c, kept + 256, 1);
	fs_container_free(c, FS_CONTAINER_PAGE_UNITS, 1);
	fs_container_free(c, 2 * FS_CONTAINER_PAGE_UNITS, 1);
	s = dirty();
	ck_assert_uint_eq(s.n, 3);
	used = fs_container_units_used(c);
	fs_container_close(c);
	ck_assert_int_eq(fs_container_open(dirfd_, JOURNAL, &c), 0);
	for (unsigned i = 0; i < s.n; i++)
		ck_assert_int_eq(fs_container_load(c, s.page[i], s.bits[i], s.len[i]), 0);
	ck_assert_uint_eq(fs_container_units_used(c), used);
	ck_assert_uint_eq(take(257), kept);
	ck_assert_uint_eq(take(1), FS_CONTAINER_PAGE_UNITS);
	ck_assert_uint_eq(take(1), 2 * FS_CONTAINER_PAGE_UNITS);
}
END_TEST

static struct stat file_stat(void)
{
	struct stat st;

	ck_assert_int_eq(fstatat(dirfd_, "34/00001234", &st, 0), 0);
	return st;
}

/* Every unit of the run gets its number, to be found again. */
static void fill_run(uint64_t pos, unsigned units)
{
	static uint8_t text[256 * FS_UNIT];
	struct iovec iov = {text, (size_t)units * FS_UNIT};

	for (unsigned i = 0; i < units; i++)
		memset(text + (size_t)i * FS_UNIT, (int)(pos + i) % 251, FS_UNIT);
	ck_assert_int_eq(fs_container_writev(c, pos, &iov, 1), 0);
}

static void check_run(uint64_t pos, unsigned units)
{
	uint8_t text[FS_UNIT];

	for (unsigned i = 0; i < units; i++) {
		ck_assert_int_eq(fs_container_read(c, pos + i, text, FS_UNIT), 0);
		ck_assert_uint_eq(text[0], (pos + i) % 251);
		ck_assert_uint_eq(text[FS_UNIT - 1], (pos + i) % 251);
	}
}

static void give(uint64_t from, uint64_t to)
{
	for (uint64_t at = from; at < to; at += 256)
		fs_container_free(c, at, 256);
}

#define RUNS 40u /* of a mebibyte */

static void fill_container(void)
{
	for (unsigned i = 0; i < RUNS; i++)
		fill_run(take(256), 256);
	dirty();
	fs_container_committed(c);
}

START_TEST(freed_space_goes_back_to_the_disk_after_the_commit)
{
	blkcnt_t full;
	off_t size;

	fill_container();
	full = file_stat().st_blocks;
	size = file_stat().st_size;
	ck_assert_int_ge(full * 512, (off_t)RUNS << 20);
	give(256 * 4, 256 * 20);  /* in the middle */
	give(256 * 30, 256 * 40); /* at the end */
	dirty();
	ck_assert_int_eq(file_stat().st_blocks, full); /* a crash would need it */
	ck_assert_int_eq(file_stat().st_size, size);
	check_run(256 * 5, 256);
	check_run(256 * 35, 256);
	fs_container_committed(c);
	ck_assert_int_le(file_stat().st_size, (off_t)30 << 20);
	ck_assert_int_le(file_stat().st_blocks * 512, (off_t)16 << 20);
	check_run(0, 256 * 1);
	check_run(256 * 3, 256);
	check_run(256 * 20, 256);
	check_run(256 * 29, 256);
	/* What is promised has its blocks again, and lies beside what is in use. */
	ck_assert_int_eq(fs_container_reserve(c, 256 * 15), 0);
	ck_assert_int_ge(file_stat().st_blocks * 512, (off_t)(14 + 15) << 20);
	for (unsigned i = 0; i < 15; i++) {
		uint64_t pos;

		ck_assert_int_eq(fs_container_alloc(c, 256, &pos), 0);
		ck_assert((pos >= 256 * 4 && pos + 256 <= 256 * 20) || pos >= 256 * 30);
		fill_run(pos, 256);
	}
	check_run(256 * 3, 256);
	check_run(256 * 20, 256);
}
END_TEST

START_TEST(aborted_gives_nothing_back)
{
	fill_container();
	give(0, 256 * RUNS);
	dirty();
	fs_container_aborted(c);
	for (unsigned i = 0; i < RUNS; i++)
		check_run(256 * i, 256);
	ck_assert_uint_eq(fs_container_units_used(c), 256 * RUNS);
}
END_TEST

START_TEST(reservation_outlives_what_is_given_back)
{
	uint64_t pos;

	fill_container();
	give(0, 256 * RUNS);
	dirty();
	ck_assert_int_eq(fs_container_reserve(c, 256 * 7), 0);
	fs_container_committed(c);
	ck_assert_int_le(file_stat().st_blocks * 512, (off_t)10 << 20);
	ck_assert_int_ge(file_stat().st_blocks * 512, (off_t)7 << 20);
	for (unsigned i = 0; i < 7; i++)
		ck_assert_int_eq(fs_container_alloc(c, 256, &pos), 0);
}
END_TEST

START_TEST(sparse_file_of_terabytes_costs_nothing)
{
	uint8_t bits[2] = {0xff, 0x01};
	uint64_t pos;
	int fd;

	ck_assert_uint_eq(take(9), 0);
	fs_container_close(c);
	fd = openat(dirfd_, "34/00001234", O_RDWR);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(ftruncate(fd, (off_t)8 << 40), 0);
	close(fd);
	ck_assert_int_eq(fs_container_open(dirfd_, JOURNAL, &c), 0);
	ck_assert_int_eq(fs_container_load(c, 0, bits, sizeof(bits)), 0);
	ck_assert_uint_eq(c->pages, 1);
	ck_assert_uint_eq(c->capacity, 9);
	ck_assert_int_eq(fs_container_reserve(c, 1), 0);
	ck_assert_int_eq(fs_container_alloc(c, 1, &pos), 0);
	ck_assert_uint_eq(pos, 9);
	dirty();
	fs_container_committed(c);
	ck_assert_int_lt(file_stat().st_size, 1 << 30);
}
END_TEST

START_TEST(load_refuses_what_cannot_be)
{
	static uint8_t bits[FS_CONTAINER_PAGE_UNITS / 8 + 1];

	ck_assert_int_eq(fs_container_load(c, UINT32_MAX, bits, 10), -EINVAL);
	ck_assert_int_eq(fs_container_load(c, 0, bits, sizeof(bits)), -EINVAL);
}
END_TEST

/* Against a plain array: a unit is free, live, or given back and not yet reusable. */
START_TEST(random_use_never_hands_out_a_unit_in_use)
{
	enum { UNITS = 4096, STEPS = 20000 };
	static uint8_t live[UNITS], committed[UNITS];
	uint64_t pos;

	srand(7);
	for (int i = 0; i < STEPS; i++) {
		unsigned n = 1 + (unsigned)rand() % 12;
		int what = rand() % 100;

		if (what < 55) {
			ck_assert_int_eq(fs_container_reserve(c, n), 0);
			if (fs_container_alloc(c, n, &pos)) {
				fs_container_unreserve(c, n);
				continue;
			}
			if (pos + n > UNITS) {
				fs_container_free(c, pos, n);
				continue;
			}
			for (unsigned k = 0; k < n; k++) {
				ck_assert(!live[pos + k] && !committed[pos + k]);
				live[pos + k] = 1;
			}
		} else if (what < 97) {
			pos = (uint64_t)rand() % UNITS;
			for (unsigned k = 0; k < n && pos + k < UNITS; k++) {
				if (live[pos + k])
					fs_container_free(c, pos + k, 1);
				live[pos + k] = 0;
			}
		} else if (what < 99) {
			fs_container_committed(c);
			memcpy(committed, live, sizeof(live));
		} else {
			fs_container_aborted(c);
			memcpy(live, committed, sizeof(live));
		}
	}
}
END_TEST

START_TEST(contents_come_back_and_bounds_hold)
{
	static uint8_t w[4 * FS_UNIT], r[4 * FS_UNIT];
	struct iovec iov[2] = {{w, FS_UNIT}, {w + FS_UNIT, 3 * FS_UNIT}};
	uint64_t pos = take(4);
	int fd;

	for (size_t i = 0; i < sizeof(w); i++)
		w[i] = (uint8_t)(i * 31 >> 3);
	ck_assert_int_eq(fs_container_sync(c), 0);
	ck_assert_int_eq(fs_container_writev(c, pos, iov, 2), 0);
	ck_assert_int_eq(fs_container_sync(c), 0);
	ck_assert_int_eq(fs_container_read(c, pos, r, sizeof(r)), 0);
	ck_assert_mem_eq(w, r, sizeof(w));
	ck_assert_int_eq(fs_container_read(c, UINT64_MAX - 1, r, sizeof(r)), -EIO);
	ck_assert_int_eq(fs_container_read(c, 1000000, r, sizeof(r)), -EIO);
	ck_assert_int_eq(fs_container_read(c, pos, r, 100), -EIO);
	fd = openat(dirfd_, "34/00001234", O_RDWR);
	ck_assert_int_eq(ftruncate(fd, FS_UNIT), 0);
	close(fd);
	ck_assert_int_eq(fs_container_read(c, pos, r, sizeof(r)), -EIO);
}
END_TEST

static void write_one(void)
{
	static uint8_t w[FS_UNIT] = {1};
	struct iovec iov = {w, sizeof(w)};

	ck_assert_int_eq(fs_container_writev(c, take(1), &iov, 1), 0);
}

/* The kernel tells once: a later sync, by whoever, would say that all is well. */
START_TEST(contents_after_a_failed_sync_are_carried_by_nobody)
{
	const struct fs_container_piece *p;

	write_one();
	ck_assert(fs_container_pieces(c, &p));
	atomic_store(&c->failed, -EIO);
	atomic_store(&c->wrote, false);
	ck_assert(!fs_container_pieces(c, &p));
	ck_assert_int_eq(fs_container_sync(c), -EIO);
}
END_TEST

START_TEST(descriptor_given_out_stays_open_until_the_groups_end)
{
	int fd;

	write_one();
	fd = fs_container_fd(c);
	ck_assert_int_ge(fd, 0);
	ck_assert(!fs_container_fd_short(NULL, EMFILE));
	ck_assert_int_eq(c->fd, fd);
	fs_container_committed(c);
	ck_assert(fs_container_fd_short(NULL, EMFILE));
	ck_assert_int_eq(c->fd, -1);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("fs/container");
	TCase *tc = tcase_create("container");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, open_creates_nothing_before_the_first_reservation);
	tcase_add_test(tc, alloc_is_sequential_and_contiguous);
	tcase_add_test(tc, alloc_beyond_the_reservation_takes_only_what_nobody_was_promised);
	tcase_add_test(tc, freed_units_come_back_only_after_the_commit);
	tcase_add_test(tc, dirty_pages_tell_the_state_of_the_closing_group);
	tcase_add_test(tc, dirty_pages_stay_dirty_when_they_could_not_be_taken);
	tcase_add_test(tc, aborted_restores_the_committed_state);
	tcase_add_test(tc, load_brings_back_a_container_of_several_pages);
	tcase_add_test(tc, freed_space_goes_back_to_the_disk_after_the_commit);
	tcase_add_test(tc, aborted_gives_nothing_back);
	tcase_add_test(tc, reservation_outlives_what_is_given_back);
	tcase_add_test(tc, sparse_file_of_terabytes_costs_nothing);
	tcase_add_test(tc, load_refuses_what_cannot_be);
	tcase_add_test(tc, random_use_never_hands_out_a_unit_in_use);
	tcase_add_test(tc, contents_come_back_and_bounds_hold);
	tcase_add_test(tc, contents_after_a_failed_sync_are_carried_by_nobody);
	tcase_add_test(tc, descriptor_given_out_stays_open_until_the_groups_end);
	suite_add_tcase(s, tc);
	runner = srunner_create(s);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
