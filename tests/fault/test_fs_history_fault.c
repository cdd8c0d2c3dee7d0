/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/fault/test_fs_history_fault.c - earlier versions over a disk that fails: current contents
 * and versions are those from before the commit or those from after it, and no unit is used twice
 * or lost.
 */
#include "inject.h"

#include <fcntl.h>
#include <sys/wait.h>

#include "../unit/test_fs_files.h"
#include "fs/chunk_impl.h"
#include "fs/history_impl.h"

#define BIG (150u * FS_CHUNK)
#define UNITS_MAX 65536

static uint8_t first[BIG], second[BIG], got[BIG + FS_CHUNK];

/* ---- units ---- */

static uint8_t used[UNITS_MAX];
static uint64_t in_maps;

static int count_map(void *ctx, const struct fs_key *key, struct fs_buf *buf)
{
	bool old = fs_key_table(key) == FS_T_OLD_MAP;
	struct fs_map_page page;

	(void)ctx;
	if (!old && fs_key_table(key) != FS_T_MAP)
		return 0;
	ck_assert_int_eq(old ? fs_chunk_old_decode(buf->data, buf->len, &page)
			     : fs_chunk_map_decode(buf->data, buf->len, &page),
			 0);
	for (unsigned k = 0; k < FS_MAP_ENTRIES; k++) {
		if (!page.e[k].used)
			continue;
		ck_assert_uint_lt(page.e[k].pos, UNITS_MAX);
		ck_assert(!used[page.e[k].pos]);
		used[page.e[k].pos] = 1;
		in_maps++;
	}
	return 0;
}

static void check_units(struct files *f)
{
	struct fs_key from = fs_key(5, 1, 0), to = fs_key(5, FS_INO_MAX, FS_T_NODE);

	memset(used, 0, sizeof(used));
	in_maps = 0;
	ck_assert_int_eq(fs_record_scan(f->j, &from, &to, count_map, NULL), 0);
	ck_assert_uint_eq(fs_container_units_used(fs_journal_container(f->j)), in_maps);
}

/* ---- the two states ---- */

struct list {
	struct fs_history_version v[8];
	size_t n;
};

static int add(void *ctx, const struct fs_history_version *v)
{
	struct list *l = ctx;

	ck_assert_uint_lt(l->n, 8);
	l->v[l->n++] = *v;
	return 0;
}

static struct list list(struct fs_inode *i)
{
	struct list l = {.n = 0};

	ck_assert_int_eq(fs_history_list(i, add, &l), 0);
	return l;
}

static void check(struct files *f, const struct fs_history_version *v, const void *p, size_t len)
{
	size_t at = 0;

	ck_assert_uint_eq(v->size, len);
	while (at < len) {
		struct fs_iov iov = {.n = 0};

		ck_assert_int_eq(fs_history_read(f->j, v, at, 100000, &iov), 0);
		for (int n = 0; n < iov.n; n++) {
			memcpy(got + at, iov.v[n].iov_base, iov.v[n].iov_len);
			at += iov.v[n].iov_len;
		}
		fs_iov_clear(&iov);
	}
	ck_assert_uint_eq(at, len);
	ck_assert(!memcmp(got, p, len));
}

static struct fs_inode *look(struct files *f, const char *name)
{
	struct fs_inode *i = NULL;

	ck_assert_int_eq(fs_tree_lookup(f->root, name, &i), 0);
	return i;
}

static void fill(void)
{
	for (size_t n = 0; n < BIG; n++) {
		first[n] = (uint8_t)(n * 31 >> 4);
		second[n] = (uint8_t)(n * 17 >> 3);
	}
	memcpy(second + 90000, first + 90000, 200000);
}

static void saved(struct files *f, struct fs_inode *i)
{
	ck_assert_int_eq(fs_history_saved(i, &f->who), 0);
}

/* What is committed before: two versions of a note, one of a scan, and one that will be replaced.
 */
static void before(struct files *f)
{
	struct fs_inode *i = files_make(f, f->root, "note", S_IFREG | 0600);

	files_write(f, i, 0, "note one", 8);
	saved(f, i);
	files_write(f, i, 5, "two", 3);
	saved(f, i);
	fs_inode_put(i);
	i = files_make(f, f->root, "scan", S_IFREG | 0600);
	files_write(f, i, 0, first, BIG);
	saved(f, i);
	fs_inode_put(i);
	i = files_make(f, f->root, "draft", S_IFREG | 0600);
	files_write(f, i, 0, "draft one", 9);
	saved(f, i);
	fs_inode_put(i);
	i = files_make(f, f->root, "old", S_IFREG | 0600);
	files_write(f, i, 0, "old", 3);
	saved(f, i);
	fs_inode_put(i);
}

/* One group: a save of each kind, and a removal. */
static void change(struct files *f)
{
	struct fs_inode *i = look(f, "note");

	ck_assert_int_eq(fs_content_truncate(i, 0, &f->who), 0);
	files_write(f, i, 0, "note three", 10);
	saved(f, i);
	fs_inode_put(i);
	i = look(f, "scan");
	ck_assert_int_eq(fs_content_truncate(i, 300000, &f->who), 0);
	files_write(f, i, 0, second, 90000);
	files_write(f, i, 290000, second + 290000, BIG - 290000);
	saved(f, i);
	fs_inode_put(i);
	f->who.keeps = false;
	i = files_make(f, f->root, "tmp", S_IFREG | 0600);
	f->who.keeps = true;
	files_write(f, i, 0, "draft two", 9);
	ck_assert_int_eq(fs_tree_rename(f->root, "tmp", f->root, "draft", 0, &f->who, NULL, NULL),
			 0);
	fs_inode_put(i);
	ck_assert_int_eq(fs_tree_unlink(f->root, "old", &f->who, NULL), 0);
}

static int count(void *ctx, const struct fs_history_removed *r)
{
	ck_assert_str_eq(r->path, "old");
	++*(int *)ctx;
	return 0;
}

/* Old (false) or new, all of it. */
static bool state(struct files *f)
{
	struct fs_inode *note = look(f, "note"), *scan = look(f, "scan"), *draft = look(f, "draft");
	struct fs_inode *old = NULL;
	struct list l = list(note);
	bool is = l.n == 3;
	int removed = 0;

	ck_assert_uint_eq(l.n, is ? 3 : 2);
	if (is)
		check(f, &l.v[0], "note three", 10);
	check(f, &l.v[is], "note two", 8);
	check(f, &l.v[1 + is], "note one", 8);
	l = list(scan);
	ck_assert_uint_eq(l.n, is ? 2 : 1);
	if (is)
		check(f, &l.v[0], second, BIG);
	check(f, &l.v[is], first, BIG);
	l = list(draft);
	ck_assert_uint_eq(l.n, is ? 2 : 1);
	if (is)
		check(f, &l.v[0], "draft two", 9);
	check(f, &l.v[is], "draft one", 9);
	ck_assert_int_eq(fs_history_removed(f->j, 0, count, &removed), 0);
	ck_assert_int_eq(removed, is);
	ck_assert_int_eq(fs_tree_lookup(f->root, "old", &old), is ? -ENOENT : 0);
	fs_inode_put(old);
	fs_inode_put(draft);
	fs_inode_put(scan);
	fs_inode_put(note);
	return is;
}

/* ---- a commit that fails ---- */

static bool fail_round(unsigned nth, bool on)
{
	struct files f;
	bool hit, is;
	int rc;

	files_start(&f);
	f.who.keeps = true;
	before(&f);
	files_sync(&f);
	change(&f);
	inject_fail(nth, EIO, on);
	rc = fs_group_sync(fs_records_group(f.r), 0);
	if (!rc)
		(void)fs_store_checkpoint(fs_records_store(f.r));
	hit = inject_stop();
	is = state(&f);
	ck_assert(rc || is);
	fs_inode_put(f.root);
	fs_journal_put(f.j);
	ck_assert_int_eq(fs_records_close(f.r), rc);
	files_open(&f, f.dir, false, false);
	ck_assert(state(&f) == is);
	check_units(&f);
	files_stop(&f);
	return hit;
}

START_TEST(failed_commit)
{
	unsigned nth = 1;

	fill();
	while (fail_round(nth, _i))
		nth++;
	ck_assert_uint_gt(nth, 4);
}
END_TEST

/* ---- killed ---- */

static void die(struct files *f, unsigned nth)
{
	files_open(f, f->dir, false, false);
	change(f);
	inject_die(nth);
	files_sync(f);
	inject_stop();
	_exit(0);
}

START_TEST(killed)
{
	bool done = false;
	struct files f;

	fill();
	for (unsigned nth = 1; !done; nth++) {
		bool is;
		int status;
		pid_t pid;

		files_start(&f);
		f.who.keeps = true;
		before(&f);
		files_close(&f);
		pid = fork();
		ck_assert_int_ge(pid, 0);
		if (!pid)
			die(&f, nth);
		ck_assert_int_eq(waitpid(pid, &status, 0), pid);
		done = WIFEXITED(status) && !WEXITSTATUS(status);
		ck_assert(done || WIFSIGNALED(status));
		files_open(&f, f.dir, false, false);
		is = state(&f);
		ck_assert(is || !done);
		check_units(&f);
		/* It goes on. */
		if (!is)
			change(&f);
		files_sync(&f);
		ck_assert(state(&f));
		check_units(&f);
		files_stop(&f);
		ck_assert(!done || nth > 4);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("fs/history faults");
	TCase *tc = tcase_create("faults");
	SRunner *r;
	int failed;

	tcase_set_timeout(tc, 300);
	tcase_add_loop_test(tc, failed_commit, 0, 2);
	tcase_add_test(tc, killed);
	suite_add_tcase(s, tc);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
