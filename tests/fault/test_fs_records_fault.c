/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/fault/test_fs_records_fault.c - files over a disk that fails: what is served afterwards is
 * what is on the disk, and nothing of what was lost.
 */
#include "inject.h"

#include <sched.h>
#include <sys/mount.h>
#include <sys/statvfs.h>
#include <sys/wait.h>

#include "fs/chunk.h"
#include "../unit/test_fs_files.h"

#define BIG (48 * FS_CHUNK)

static uint8_t old_text[BIG], new_text[BIG], got[BIG + 16];

struct told {
	int times;
	uint32_t journal;
};

static void failed(void *ctx, uint32_t journal)
{
	struct told *told = ctx;

	told->times++;
	told->journal = journal;
}

/* Is it all old (false) or all new (true)? Anything else fails the test. */
static bool is_new(struct fs_inode *i)
{
	size_t len;

	ck_assert_int_eq(files_read(i, 0, got, sizeof(got), &len), 0);
	ck_assert_uint_eq(len, i->size);
	if (len == BIG - 9) {
		ck_assert_mem_eq(got, old_text, len);
		return false;
	}
	ck_assert_uint_eq(len, BIG);
	ck_assert_mem_eq(got, new_text, len);
	return true;
}

static void change(struct files *f, struct fs_inode *big, struct fs_inode *small,
		   struct fs_inode **made)
{
	files_write(f, big, 0, new_text, BIG);
	files_write(f, small, 0, "after that", 10);
	*made = files_make(f, f->root, "made", S_IFREG | 0600);
}

/* What memory serves after the failure; true: the state after the change. */
static bool look(struct fs_inode *root, struct fs_inode *big, struct fs_inode *small)
{
	struct fs_inode *made = NULL;
	bool is = is_new(big);
	size_t len;

	ck_assert_int_eq(files_read(small, 0, got, sizeof(got), &len), 0);
	ck_assert_uint_eq(len, is ? 10 : 6);
	ck_assert_int_eq(fs_tree_lookup(root, "made", &made), is ? 0 : -ENOENT);
	fs_inode_put(made);
	return is;
}

static bool look_again(struct files *f)
{
	struct fs_inode *big, *small;
	bool is;

	ck_assert_int_eq(fs_tree_lookup(f->root, "big", &big), 0);
	ck_assert_int_eq(fs_tree_lookup(f->root, "small", &small), 0);
	is = look(f->root, big, small);
	fs_inode_put(small);
	fs_inode_put(big);
	return is;
}

/* False: the nth call was never made. */
static bool one_round(unsigned nth, bool on)
{
	struct fs_inode *big, *small, *made;
	struct told told = {.times = 0};
	struct files f;
	bool hit, is;
	int rc;

	files_start(&f);
	files_close(&f);
	f.cfg.failed = failed;
	f.cfg.ctx = &told;
	files_open(&f, f.dir, false, false);
	big = files_make(&f, f.root, "big", S_IFREG | 0600);
	small = files_make(&f, f.root, "small", S_IFREG | 0600);
	files_write(&f, big, 0, old_text, BIG - 9);
	files_write(&f, small, 0, "before", 6);
	files_sync(&f);
	change(&f, big, small, &made);
	inject_fail(nth, EIO, on);
	rc = fs_group_sync(fs_records_group(f.r), 0);
	/* On into the database: a failure there loses nothing. */
	if (!rc)
		(void)fs_store_checkpoint(fs_records_store(f.r));
	hit = inject_stop();
	ck_assert_int_eq(told.times, rc ? 1 : 0);
	ck_assert_uint_eq(told.journal, 0);
	is = look(f.root, big, small);
	ck_assert(rc || is);
	if (rc) {
		ck_assert_int_eq(rc, -EIO);
		ck_assert_int_eq(
			fs_content_write(small, 0, false, (const uint8_t *)"x", 1, &f.who, NULL),
			-EROFS);
		ck_assert(is == !made->deleted);
	}
	fs_inode_put(made);
	fs_inode_put(small);
	fs_inode_put(big);
	fs_inode_put(f.root);
	fs_journal_put(f.j);
	ck_assert_int_eq(fs_records_close(f.r), rc);
	files_open(&f, f.dir, false, false);
	ck_assert(look_again(&f) == is);
	files_stop(&f);
	return hit;
}

static void all_rounds(bool on)
{
	unsigned nth = 1;

	memset(old_text, 'o', sizeof(old_text));
	memset(new_text, 'n', sizeof(new_text));
	while (one_round(nth, on))
		nth++;
	ck_assert_uint_gt(nth, 6);
}

START_TEST(failed_commit_serves_what_the_disk_has)
{
	all_rounds(false);
}
END_TEST

START_TEST(dead_disk_serves_what_it_last_had)
{
	all_rounds(true);
}
END_TEST

/* ---- killed in the middle ---- */

#define RUNS_LEN (150 * FS_CHUNK)

static uint8_t runs[3][RUNS_LEN]; /* before, after, as read */

/* Some runs of chunks, at odd places, are written over. */
static void write_runs(struct files *f, struct fs_inode *i)
{
	for (size_t at = 1000; at + 40000 < RUNS_LEN; at += 90001) {
		memset(runs[1] + at, 'n', 40000);
		if (f)
			files_write(f, i, at, runs[1] + at, 40000);
	}
}

/* In a process of its own, which the nth write or sync of the commit ends. */
static void die_in_commit(struct files *f, unsigned nth)
{
	struct fs_inode *i;

	files_open(f, f->dir, false, false);
	ck_assert_int_eq(fs_tree_lookup(f->root, "runs", &i), 0);
	write_runs(f, i);
	inject_die(nth);
	files_sync(f);
	inject_stop();
	_exit(0);
}

START_TEST(killed_in_a_commit_leaves_old_or_new_runs)
{
	struct fs_inode *i;
	struct files f;
	bool done = false;
	size_t len;

	for (unsigned nth = 1; !done; nth++) {
		int status;
		pid_t pid;

		memset(runs[0], 'o', RUNS_LEN);
		memcpy(runs[1], runs[0], RUNS_LEN);
		write_runs(NULL, NULL);
		files_start(&f);
		i = files_make(&f, f.root, "runs", S_IFREG | 0600);
		files_write(&f, i, 0, runs[0], RUNS_LEN);
		fs_inode_put(i);
		files_close(&f);
		pid = fork();
		ck_assert_int_ge(pid, 0);
		if (!pid)
			die_in_commit(&f, nth);
		ck_assert_int_eq(waitpid(pid, &status, 0), pid);
		done = WIFEXITED(status) && !WEXITSTATUS(status);
		ck_assert(done || WIFSIGNALED(status));
		files_open(&f, f.dir, false, false);
		ck_assert_int_eq(fs_tree_lookup(f.root, "runs", &i), 0);
		ck_assert_int_eq(files_read(i, 0, runs[2], RUNS_LEN, &len), 0);
		ck_assert_uint_eq(len, RUNS_LEN);
		ck_assert(!memcmp(runs[2], runs[1], RUNS_LEN) ||
			  (!done && !memcmp(runs[2], runs[0], RUNS_LEN)));
		/* Units that the lost group had taken are free, and none that is in use is. */
		ck_assert_uint_eq(fs_container_units_used(fs_journal_container(f.j)),
				  RUNS_LEN / FS_CHUNK);
		write_runs(&f, i);
		files_sync(&f);
		ck_assert_int_eq(files_read(i, 0, runs[2], RUNS_LEN, &len), 0);
		ck_assert_mem_eq(runs[2], runs[1], RUNS_LEN);
		fs_inode_put(i);
		files_stop(&f);
		ck_assert(!done || nth > 4);
	}
}
END_TEST

/* ---- a disk that fills up ---- */

/* A small disk of our own, in a mount namespace of our own. False: not allowed here. */
static bool mount_small_disk(void)
{
	if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
		return false;
	return !mount("tmpfs", "/tmp", "tmpfs", 0, "size=256m");
}

static uint64_t free_bytes(void)
{
	struct statvfs v;

	ck_assert_int_eq(statvfs("/tmp", &v), 0);
	return (uint64_t)v.f_bavail * v.f_frsize;
}

static struct fs_inode *write_big(struct files *f, const char *name, unsigned mebibytes)
{
	static uint8_t text[1 << 20];
	struct fs_inode *i = files_make(f, f->root, name, S_IFREG | 0600);

	for (unsigned n = 0; n < mebibytes; n++) {
		memset(text, (int)n + 1, sizeof(text));
		files_write(f, i, (uint64_t)n << 20, text, sizeof(text));
	}
	files_sync(f);
	return i;
}

START_TEST(deleted_files_give_their_space_back)
{
	struct fs_inode *first, *second;
	uint64_t before, full;
	struct files f;
	size_t len;

	if (!mount_small_disk()) {
		printf("SKIP deleted_files_give_their_space_back: may not mount\n");
		return;
	}
	files_start(&f);
	files_sync(&f);
	before = free_bytes();
	first = write_big(&f, "first", 48);
	second = write_big(&f, "second", 8);
	full = free_bytes();
	ck_assert_uint_le(full + (UINT64_C(56) << 20), before);
	ck_assert_int_eq(fs_tree_unlink(f.root, "first", &f.who, NULL), 0);
	fs_inode_put(first);
	files_sync(&f);
	/* An eighth of the container stays for what comes next (punch_runs in fs/container_file.c), and short runs. */
	ck_assert_uint_ge(free_bytes(), full + (UINT64_C(40) << 20));
	ck_assert_int_eq(files_read(second, 7 << 20, got, 16, &len), 0);
	ck_assert_uint_eq(got[15], 8);
	ck_assert_int_eq(fs_tree_unlink(f.root, "second", &f.who, NULL), 0);
	fs_inode_put(second);
	files_sync(&f);
	ck_assert_uint_ge(free_bytes(), full + (UINT64_C(48) << 20));
	files_stop(&f);
	ck_assert_int_eq(umount2("/tmp", MNT_DETACH), 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("fs/records faults");
	TCase *tc = tcase_create("faults");
	SRunner *runner;
	int n;

	setvbuf(stdout, NULL, _IOLBF, 0);
	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, failed_commit_serves_what_the_disk_has);
	tcase_add_test(tc, dead_disk_serves_what_it_last_had);
	tcase_add_test(tc, killed_in_a_commit_leaves_old_or_new_runs);
	tcase_add_test(tc, deleted_files_give_their_space_back);
	suite_add_tcase(s, tc);
	runner = srunner_create(s);
	srunner_run_all(runner, CK_ENV);
	n = srunner_ntests_failed(runner);
	srunner_free(runner);
	return n ? EXIT_FAILURE : EXIT_SUCCESS;
}
