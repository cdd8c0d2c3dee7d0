/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/test_fs_store.c - the database behind fs/store.h: order, isolation, faults of the
 * file. Check forks before each test; the environment is opened inside the test and so never
 * crosses it.
 */
#include "fs/reserve.h"
#include "fs/store.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char base[64], dir[80], data[96];
static struct fs_store *store;

static void set_up(void)
{
	strcpy(base, "/tmp/journalfs-store-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(base));
	snprintf(dir, sizeof(dir), "%s/db", base);
	snprintf(data, sizeof(data), "%s/data.mdb", dir);
	ck_assert_int_eq(fs_store_open(dir, FS_STORE_CREATE, &store), 0);
}

static void tear_down(void)
{
	char path[96];

	fs_store_close(store);
	store = NULL;
	unlink(data);
	snprintf(path, sizeof(path), "%s/lock.mdb", dir);
	unlink(path);
	snprintf(path, sizeof(path), "%s/reserve", base);
	unlink(path);
	rmdir(dir);
	ck_assert_int_eq(rmdir(base), 0);
}

static struct fs_key numbered(uint32_t n)
{
	return fs_key_n(1, 7, FS_T_PIECE, n, 4);
}

static int put_one(uint32_t n, const void *p, size_t len)
{
	struct fs_store_item item = {.key = numbered(n), .val = p, .len = len};

	return fs_store_apply(store, &item, 1);
}

/* The value at n is `len` bytes of `c`; len 0: there is none. */
static void expect(struct fs_snap *snap, uint32_t n, size_t len, uint8_t c)
{
	struct fs_key key = numbered(n);
	const uint8_t *val;
	size_t got;
	int rc = fs_store_get(snap, &key, &val, &got);

	if (!len) {
		ck_assert_int_eq(rc, -ENOENT);
		return;
	}
	ck_assert_int_eq(rc, 0);
	ck_assert_uint_eq(got, len);
	for (size_t i = 0; i < len; i++)
		ck_assert_uint_eq(val[i], c);
}

START_TEST(apply_stores_and_deletes_in_one_step)
{
	uint8_t a[FS_VALUE_MAX], b[10];
	struct fs_store_item items[3];
	struct fs_snap *snap;

	memset(a, 'a', sizeof(a));
	memset(b, 'b', sizeof(b));
	ck_assert_int_eq(put_one(2, b, sizeof(b)), 0);
	items[0] = (struct fs_store_item){.key = numbered(1), .val = a, .len = sizeof(a)};
	items[1] = (struct fs_store_item){.key = numbered(2)};
	items[2] = (struct fs_store_item){.key = numbered(3), .val = b, .len = 1};
	ck_assert_int_eq(fs_store_apply(store, items, 3), 0);
	items[0].key = numbered(99);
	items[0].val = NULL;
	ck_assert_int_eq(fs_store_apply(store, items, 1), 0);
	ck_assert_int_eq(fs_store_snap_begin(store, &snap), 0);
	expect(snap, 1, FS_VALUE_MAX, 'a');
	expect(snap, 2, 0, 0);
	expect(snap, 3, 1, 'b');
	fs_store_snap_end(snap);
}
END_TEST

START_TEST(apply_refuses_a_value_that_is_too_long)
{
	static uint8_t a[FS_VALUE_MAX + 1];
	struct fs_snap *snap;

	ck_assert_int_eq(put_one(1, a, sizeof(a)), -EINVAL);
	ck_assert_int_eq(put_one(2, "x", 1), 0);
	ck_assert_int_eq(fs_store_snap_begin(store, &snap), 0);
	expect(snap, 1, 0, 0);
	expect(snap, 2, 1, 'x');
	fs_store_snap_end(snap);
}
END_TEST

START_TEST(next_walks_in_key_order)
{
	struct fs_key at = {.len = 0}, found;
	struct fs_snap *snap;
	const uint8_t *val;
	size_t len;

	for (uint32_t i = 0; i < 300; i++)
		ck_assert_int_eq(put_one(i * 7919 % 300, &i, sizeof(i)), 0);
	ck_assert_int_eq(fs_store_snap_begin(store, &snap), 0);
	for (uint32_t i = 0; i < 300; i++) {
		ck_assert_int_eq(fs_store_next(snap, &at, &found, &val, &len), 0);
		ck_assert_uint_eq(fs_key_sub(&found, 4), i);
		at = found;
		at.b[at.len++] = 0;
	}
	ck_assert_int_eq(fs_store_next(snap, &at, &found, &val, &len), -ENOENT);
	fs_store_snap_end(snap);
}
END_TEST

START_TEST(snapshot_keeps_what_it_saw)
{
	struct fs_snap *before, *after;
	const uint8_t *val, *again;
	struct fs_key key = numbered(1);
	size_t len;

	ck_assert_int_eq(put_one(1, "one", 3), 0);
	ck_assert_int_eq(fs_store_snap_begin(store, &before), 0);
	ck_assert_int_eq(fs_store_get(before, &key, &val, &len), 0);
	for (int i = 0; i < 50; i++)
		ck_assert_int_eq(put_one(1, "two", 3), 0);
	ck_assert_int_eq(fs_store_get(before, &key, &again, &len), 0);
	ck_assert_mem_eq(val, "one", 3);
	ck_assert_mem_eq(again, "one", 3);
	ck_assert_int_eq(fs_store_snap_begin(store, &after), 0);
	ck_assert_int_eq(fs_store_get(after, &key, &val, &len), 0);
	ck_assert_mem_eq(val, "two", 3);
	fs_store_snap_end(after);
	fs_store_snap_end(before);
}
END_TEST

START_TEST(close_and_open_keep_everything)
{
	struct fs_store_stat st;
	struct fs_snap *snap;

	ck_assert_int_eq(put_one(5, "zzz", 3), 0);
	fs_store_close(store);
	ck_assert_int_eq(fs_store_open(dir, 0, &store), 0);
	ck_assert_int_eq(fs_store_snap_begin(store, &snap), 0);
	expect(snap, 5, 3, 'z');
	fs_store_snap_end(snap);
	ck_assert_int_eq(fs_store_stat(store, &st), 0);
	ck_assert_uint_eq(st.entries, 1);
	ck_assert_uint_eq(st.commits, 1);
	ck_assert_uint_ge(st.bytes_used, 3 * 4096);
}
END_TEST

START_TEST(open_finds_another_owner_busy)
{
	struct fs_store *other = NULL;

	ck_assert_int_eq(fs_store_open(dir, 0, &other), -EBUSY);
	ck_assert_int_eq(fs_store_open(dir, FS_STORE_READ_ONLY, &other), -EBUSY);
	ck_assert_ptr_null(other);
}
END_TEST

START_TEST(open_without_create_finds_nothing)
{
	struct fs_store *other = NULL;

	ck_assert_int_eq(fs_store_open(base, 0, &other), -ENOENT);
	ck_assert_int_eq(fs_store_open(base, FS_STORE_READ_ONLY, &other), -ENOENT);
	ck_assert_ptr_null(other);
}
END_TEST

START_TEST(read_only_reads_and_refuses_to_write)
{
	struct fs_snap *snap;

	ck_assert_int_eq(put_one(1, "q", 1), 0);
	fs_store_close(store);
	ck_assert_int_eq(fs_store_open(dir, FS_STORE_READ_ONLY, &store), 0);
	ck_assert(fs_store_read_only(store));
	ck_assert_int_eq(put_one(2, "q", 1), -EROFS);
	ck_assert_int_eq(fs_store_snap_begin(store, &snap), 0);
	expect(snap, 1, 1, 'q');
	expect(snap, 2, 0, 0);
	fs_store_snap_end(snap);
}
END_TEST

START_TEST(space_is_set_aside_before_a_commit)
{
	struct stat st;
	uint64_t space;

	ck_assert_int_eq(put_one(1, "q", 1), 0);
	ck_assert_int_eq(fs_store_space(store, &space), 0);
	ck_assert_uint_gt(space, 0);
	ck_assert_int_eq(stat(data, &st), 0);
	/* Allocated well beyond what is used. */
	ck_assert_int_gt(st.st_blocks * 512, st.st_size);
}
END_TEST

/* ---- threads ---- */

#define ROUNDS 400

static void *read_rounds(void *arg)
{
	(void)arg;
	for (int i = 0; i < ROUNDS; i++) {
		struct fs_key a = numbered(1), b = numbered(2);
		const uint8_t *x, *y;
		struct fs_snap *snap;
		size_t len;

		if (fs_store_snap_begin(store, &snap))
			return (void *)"begin";
		if (fs_store_get(snap, &a, &x, &len) || fs_store_get(snap, &b, &y, &len))
			return (void *)"get";
		if (memcmp(x, y, sizeof(int)))
			return (void *)"a snapshot is of one commit";
		fs_store_snap_end(snap);
	}
	return NULL;
}

START_TEST(short_lived_threads_read_while_one_writes)
{
	int value = 0;
	struct fs_store_item items[2] = {
		{.key = numbered(1), .val = (uint8_t *)&value, .len = sizeof(value)},
		{.key = numbered(2), .val = (uint8_t *)&value, .len = sizeof(value)},
	};

	ck_assert_int_eq(fs_store_apply(store, items, 2), 0);
	for (int round = 0; round < 6; round++) {
		pthread_t t[6];
		void *problem;

		for (int i = 0; i < 6; i++)
			ck_assert_int_eq(pthread_create(&t[i], NULL, read_rounds, NULL), 0);
		for (value = 0; value < 20; value++)
			ck_assert_int_eq(fs_store_apply(store, items, 2), 0);
		for (int i = 0; i < 6; i++) {
			pthread_join(t[i], &problem);
			ck_assert_ptr_null(problem);
		}
	}
}
END_TEST

/* ---- faults of the file ---- */

START_TEST(truncated_file_is_an_error_not_a_signal)
{
	uint8_t v[3000];
	struct fs_key key, from = {.len = 0}, found;
	struct fs_snap *snap;
	const uint8_t *val;
	size_t len;
	unsigned errors = 0;

	memset(v, 'v', sizeof(v));
	for (uint32_t i = 0; i < 200; i++)
		ck_assert_int_eq(put_one(i, v, sizeof(v)), 0);
	ck_assert_int_eq(truncate(data, 2 * 4096), 0);
	ck_assert_int_eq(fs_store_snap_begin(store, &snap), 0);
	for (uint32_t i = 0; i < 200; i++) {
		key = numbered(i);
		errors += fs_store_get(snap, &key, &val, &len) == -EIO;
	}
	ck_assert_uint_eq(errors, 200);
	ck_assert_int_eq(fs_store_next(snap, &from, &found, &val, &len), -EIO);
	fs_store_snap_end(snap);
	ck_assert_int_eq(put_one(1, v, 1), -EIO);
	ck_assert_int_eq(put_one(1, v, 1), -EIO);
}
END_TEST

static void churn(unsigned rounds)
{
	static uint8_t v[FS_VALUE_MAX];

	for (unsigned r = 0; r < rounds; r++) {
		struct fs_store_item items[64];
		uint32_t n = 0;

		for (size_t i = 0; i < 64; i++) {
			n += 1 + (uint32_t)rand() % 40;
			items[i] = (struct fs_store_item){.key = numbered(n), .val = v};
			items[i].len = (size_t)rand() % (rand() % 3 ? 300 : FS_VALUE_MAX) + 1;
			if (rand() % 3 == 0)
				items[i].val = NULL;
		}
		ck_assert_int_eq(fs_store_apply(store, items, 64), 0);
	}
}

START_TEST(check_finds_a_busy_database_sound)
{
	ck_assert_int_eq(fs_store_check(base), 0); /* no database there */
	ck_assert_int_eq(fs_store_check(dir), 0);
	for (int i = 0; i < 12; i++) {
		churn(25);
		ck_assert_int_eq(fs_store_check(dir), 0);
	}
}
END_TEST

static void poke(off_t at, const void *p, size_t len)
{
	int fd = open(data, O_WRONLY);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(pwrite(fd, p, len, at), (ssize_t)len);
	close(fd);
}

START_TEST(check_finds_page_headers_damaged)
{
	uint64_t wrong = 12345;
	struct stat st;
	unsigned found = 0, pages;

	churn(40);
	ck_assert_int_eq(stat(data, &st), 0);
	fs_store_close(store);
	store = NULL;
	pages = (unsigned)(st.st_size / 4096);
	for (unsigned p = 2; p < pages; p++) {
		uint8_t was[16];
		int fd = open(data, O_RDONLY), rc;

		ck_assert_int_eq(pread(fd, was, 16, (off_t)p * 4096), 16);
		close(fd);
		poke((off_t)p * 4096, &wrong, sizeof(wrong));
		rc = fs_store_check(dir);
		ck_assert(rc == 0 || rc == -EUCLEAN);
		found += rc == -EUCLEAN;
		poke((off_t)p * 4096, was, 16);
	}
	/* The others are free pages. */
	ck_assert_uint_gt(found, pages / 4);
	ck_assert_int_eq(fs_store_check(dir), 0);
}
END_TEST

START_TEST(check_survives_random_damage)
{
	struct stat st;
	unsigned found = 0;

	churn(40);
	ck_assert_int_eq(stat(data, &st), 0);
	fs_store_close(store);
	store = NULL;
	for (int i = 0; i < 150; i++) {
		uint32_t noise = (uint32_t)rand();
		off_t page = rand() % (st.st_size / 4096), at = page * 4096 + rand() % 64;
		uint8_t was[4];
		int fd = open(data, O_RDONLY), rc;

		ck_assert_int_eq(pread(fd, was, 4, at), 4);
		close(fd);
		poke(at, &noise, sizeof(noise));
		rc = fs_store_check(dir);
		ck_assert(rc == 0 || rc == -EUCLEAN);
		found += rc == -EUCLEAN;
		poke(at, was, 4);
	}
	ck_assert_uint_gt(found, 15);
	ck_assert_int_eq(fs_store_check(dir), 0);
}
END_TEST

START_TEST(check_finds_the_file_cut_short)
{
	struct stat st;

	churn(40);
	ck_assert_int_eq(stat(data, &st), 0);
	fs_store_close(store);
	store = NULL;
	ck_assert_int_eq(truncate(data, st.st_size / 2), 0);
	ck_assert_int_eq(fs_store_check(dir), -EUCLEAN);
	ck_assert_int_eq(truncate(data, 100), 0);
	ck_assert_int_eq(fs_store_check(dir), -EUCLEAN);
	ck_assert_int_eq(fs_store_open(dir, 0, &store), -EUCLEAN);
}
END_TEST

/* Where the meta page keeps the flags of its two trees; both meta pages are changed. */
START_TEST(check_finds_trees_of_another_kind)
{
	static const off_t flags_at[] = {16 + 24 + 4, 16 + 24 + 48 + 4};
	static const uint16_t kind[] = {0x08, 0}; /* as LMDB makes them: free pages, records */

	churn(40);
	fs_store_close(store);
	store = NULL;
	for (unsigned tree = 0; tree < 2; tree++) {
		for (unsigned bit = 0; bit < 7; bit++) {
			uint16_t other = kind[tree] ^ (uint16_t)(1u << bit);

			for (off_t page = 0; page < 2; page++)
				poke(page * 4096 + flags_at[tree], &other, sizeof(other));
			ck_assert_int_eq(fs_store_check(dir), -EUCLEAN);
		}
		for (off_t page = 0; page < 2; page++)
			poke(page * 4096 + flags_at[tree], &kind[tree], sizeof(kind[tree]));
	}
	ck_assert_int_eq(fs_store_check(dir), 0);
}
END_TEST

/* Adds to the number at the offset that `where` finds in pages of this kind; how often it was noticed. */
static unsigned damage_pages(uint16_t kind, size_t (*where)(const uint8_t *page), uint16_t add)
{
	unsigned found = 0, pages;
	struct stat st;

	ck_assert_int_eq(stat(data, &st), 0);
	pages = (unsigned)(st.st_size / 4096);
	for (unsigned p = 2; p < pages; p++) {
		uint16_t flags, value;
		uint8_t page[4096];
		int fd = open(data, O_RDONLY), rc;
		size_t at;

		ck_assert_int_eq(pread(fd, page, sizeof(page), (off_t)p * 4096), sizeof(page));
		close(fd);
		memcpy(&flags, page + 10, sizeof(flags));
		at = flags == kind ? where(page) : 0;
		if (!at || at + sizeof(value) > sizeof(page))
			continue;
		memcpy(&value, page + at, sizeof(value));
		value = (uint16_t)(value + add);
		poke((off_t)p * 4096 + (off_t)at, &value, sizeof(value));
		rc = fs_store_check(dir);
		ck_assert(rc == 0 || rc == -EUCLEAN); /* 0: a page that is free by now */
		found += rc == -EUCLEAN;
		poke((off_t)p * 4096 + (off_t)at, page + at, sizeof(value));
	}
	ck_assert_int_eq(fs_store_check(dir), 0);
	return found;
}

static size_t second_key(const uint8_t *page)
{
	uint16_t at;

	memcpy(&at, page + 16 + 2, sizeof(at));
	return (size_t)at + 8;
}

/* Of the lowest node's value, where another node lies above it. */
static size_t lowest_length(const uint8_t *page)
{
	uint16_t lower, at;

	memcpy(&lower, page + 12, sizeof(lower));
	memcpy(&at, page + 14, sizeof(at));
	return lower < 16 + 4 ? 0 : at;
}

static size_t overflow_count(const uint8_t *page)
{
	(void)page;
	return 12;
}

START_TEST(check_finds_branch_keys_out_of_order)
{
	churn(200);
	fs_store_close(store);
	store = NULL;
	ck_assert_uint_gt(damage_pages(0x01, second_key, 0x00ff), 0);
}
END_TEST

START_TEST(check_finds_nodes_over_one_another)
{
	churn(40);
	fs_store_close(store);
	store = NULL;
	ck_assert_uint_gt(damage_pages(0x02, lowest_length, 2), 0);
}
END_TEST

START_TEST(check_finds_overflow_pages_that_reach_too_far)
{
	churn(40);
	fs_store_close(store);
	store = NULL;
	ck_assert_uint_gt(damage_pages(0x04, overflow_count, 1), 0);
	ck_assert_uint_gt(damage_pages(0x04, overflow_count, 0xffff), 0);
}
END_TEST

START_TEST(check_finds_what_is_no_database)
{
	uint8_t noise[8192];

	fs_store_close(store);
	store = NULL;
	memset(noise, 0x5a, sizeof(noise));
	poke(0, noise, sizeof(noise));
	ck_assert_int_eq(fs_store_check(dir), -EUCLEAN);
	ck_assert_int_eq(fs_store_open(dir, 0, &store), -EUCLEAN);
}
END_TEST

/* ---- the reserve ---- */

START_TEST(reserve_gives_space_and_takes_it_back)
{
	struct fs_reserve *r;
	struct stat st;
	char path[96];
	int fd = open(base, O_RDONLY | O_DIRECTORY);

	snprintf(path, sizeof(path), "%s/reserve", base);
	ck_assert_int_eq(fs_reserve_open(fd, false, &r), -ENOENT);
	ck_assert_int_eq(fs_reserve_open(fd, true, &r), 0);
	ck_assert_uint_eq(fs_reserve_size(r), FS_RESERVE_BYTES);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_int_ge(st.st_blocks * 512, (off_t)FS_RESERVE_BYTES);
	ck_assert_int_eq(fs_reserve_release(r, FS_RESERVE_BYTES / 2), 0);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_int_le(st.st_blocks * 512, (off_t)FS_RESERVE_BYTES / 2 + 4096);
	ck_assert_int_eq(fs_reserve_release(r, FS_RESERVE_BYTES), 0);
	ck_assert_int_eq(fs_reserve_release(r, 1), -ENOSPC);
	ck_assert(fs_reserve_restore(r));
	ck_assert_uint_eq(fs_reserve_size(r), FS_RESERVE_BYTES);
	fs_reserve_close(r);
	close(fd);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("fs/store");
	TCase *tc = tcase_create("store");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, apply_stores_and_deletes_in_one_step);
	tcase_add_test(tc, apply_refuses_a_value_that_is_too_long);
	tcase_add_test(tc, next_walks_in_key_order);
	tcase_add_test(tc, snapshot_keeps_what_it_saw);
	tcase_add_test(tc, close_and_open_keep_everything);
	tcase_add_test(tc, open_finds_another_owner_busy);
	tcase_add_test(tc, open_without_create_finds_nothing);
	tcase_add_test(tc, read_only_reads_and_refuses_to_write);
	tcase_add_test(tc, space_is_set_aside_before_a_commit);
	tcase_add_test(tc, short_lived_threads_read_while_one_writes);
	tcase_add_test(tc, truncated_file_is_an_error_not_a_signal);
	tcase_add_test(tc, check_finds_a_busy_database_sound);
	tcase_add_test(tc, check_finds_page_headers_damaged);
	tcase_add_test(tc, check_survives_random_damage);
	tcase_add_test(tc, check_finds_the_file_cut_short);
	tcase_add_test(tc, check_finds_trees_of_another_kind);
	tcase_add_test(tc, check_finds_branch_keys_out_of_order);
	tcase_add_test(tc, check_finds_nodes_over_one_another);
	tcase_add_test(tc, check_finds_overflow_pages_that_reach_too_far);
	tcase_add_test(tc, check_finds_what_is_no_database);
	tcase_add_test(tc, reserve_gives_space_and_takes_it_back);
	suite_add_tcase(s, tc);
	runner = srunner_create(s);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
