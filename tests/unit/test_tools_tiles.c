/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of tools/tiles.c against C2SP tlog-tiles: names, which tiles a tree of some size has, what
 * they hold, and what is never done to them.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/tiles.h"

static char dir[64], bad[TILES_PATH];
static struct tiles *tiles;

static void setup(void)
{
	ck_assert_int_eq(keys_init(), 0);
	strcpy(dir, "/tmp/journalfs-tiles-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	tiles = calloc(1, sizeof(*tiles));
	ck_assert_ptr_nonnull(tiles);
	tiles->dir = dir;
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *f)
{
	(void)st;
	(void)flag;
	(void)f;
	return remove(path);
}

static void teardown(void)
{
	free(tiles);
	nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void leaf_of(uint64_t i, uint8_t out[static KEYS_LEN])
{
	keys_tree_leaf(&i, sizeof(i), out);
}

static int build(uint64_t size)
{
	uint8_t leaf[KEYS_LEN];
	int rc = 0;

	memset(tiles, 0, sizeof(*tiles));
	tiles->dir = dir;
	for (uint64_t i = 0; i < size && !rc; i++) {
		leaf_of(i, leaf);
		rc = tools_tiles_add(tiles, leaf, bad);
	}
	return rc ? rc : tools_tiles_end(tiles, bad);
}

static long size_of(const char *name)
{
	char path[300];
	struct stat st;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return stat(path, &st) ? -1 : (long)st.st_size;
}

static void path_is(unsigned level, uint64_t number, unsigned width, const char *want)
{
	char got[TILES_PATH];

	tools_tiles_path(level, number, width, got);
	ck_assert_str_eq(got, want);
}

START_TEST(paths_are_the_specifications)
{
	path_is(0, 1234067, 256, "tile/0/x001/x234/067");
	path_is(0, 0, 256, "tile/0/000");
	path_is(2, 999, 256, "tile/2/999");
	path_is(1, 1000, 17, "tile/1/x001/000.p/17");
	path_is(63, 5, 1, "tile/63/005.p/1");
	path_is(0, UINT64_C(123456789012), 255, "tile/0/x123/x456/x789/012.p/255");
}
END_TEST

static unsigned files;

static int count_file(const char *path, const struct stat *st, int flag, struct FTW *f)
{
	(void)path;
	(void)st;
	(void)f;
	files += flag == FTW_F;
	return 0;
}

/* The specification's own example. */
START_TEST(tree_of_70000_has_the_specifications_tiles)
{
	ck_assert_int_eq(build(70000), 0);
	ck_assert_int_eq(size_of("tile/0/000"), 8192);
	ck_assert_int_eq(size_of("tile/0/272"), 8192);
	ck_assert_int_eq(size_of("tile/0/273.p/112"), 112 * 32);
	ck_assert_int_eq(size_of("tile/1/000"), 8192);
	ck_assert_int_eq(size_of("tile/1/001.p/17"), 17 * 32);
	ck_assert_int_eq(size_of("tile/2/000.p/1"), 32);
	files = 0;
	nftw(dir, count_file, 8, FTW_PHYS);
	ck_assert_uint_eq(files, 273 + 1 + 1 + 1 + 1);
	ck_assert_uint_eq(tiles->written, files);
}
END_TEST

START_TEST(tree_of_256_has_a_full_tile_and_one_hash_above)
{
	struct keys_tree t;
	uint8_t leaf[KEYS_LEN], root[KEYS_LEN], got[KEYS_LEN];
	char path[300];
	int fd;

	ck_assert_int_eq(build(256), 0);
	ck_assert_int_eq(size_of("tile/0/000"), 8192);
	ck_assert_int_eq(size_of("tile/1/000.p/1"), 32);
	keys_tree_init(&t);
	for (uint64_t i = 0; i < 256; i++) {
		leaf_of(i, leaf);
		keys_tree_add(&t, leaf);
	}
	keys_tree_root(&t, root);
	snprintf(path, sizeof(path), "%s/tile/1/000.p/1", dir);
	fd = open(path, O_RDONLY);
	ck_assert_int_eq(read(fd, got, sizeof(got)), sizeof(got));
	close(fd);
	ck_assert_mem_eq(got, root, KEYS_LEN);
}
END_TEST

START_TEST(growing_writes_what_is_new_and_drops_partial_tiles_that_filled)
{
	ck_assert_int_eq(build(300), 0);
	ck_assert_int_eq(size_of("tile/0/001.p/44"), 44 * 32);
	ck_assert_int_eq(build(300), 0);
	ck_assert_uint_eq(tiles->written, 0);
	ck_assert_int_eq(build(400), 0);
	ck_assert_uint_eq(tiles->written, 1);
	ck_assert_int_eq(size_of("tile/0/001.p/44"),
			 44 * 32); /* of a checkpoint that was given out */
	ck_assert_int_eq(size_of("tile/0/001.p/144"), 144 * 32);
	ck_assert_int_eq(build(600), 0);
	ck_assert_int_eq(size_of("tile/0/001"), 8192);
	ck_assert_int_eq(size_of("tile/0/001.p"), -1);
	ck_assert_int_eq(size_of("tile/0/002.p/88"), 88 * 32);
}
END_TEST

START_TEST(tile_that_says_otherwise_is_told_and_left)
{
	char path[300];
	int fd;

	ck_assert_int_eq(build(600), 0);
	snprintf(path, sizeof(path), "%s/tile/0/001", dir);
	fd = open(path, O_WRONLY);
	ck_assert_int_eq(pwrite(fd, "x", 1, 100), 1);
	close(fd);
	ck_assert_int_eq(build(700), -EUCLEAN);
	ck_assert_str_eq(bad, "tile/0/001");
	ck_assert_int_eq(size_of("tile/0/002.p/188"), -1);
	/* One that was cut short too. */
	ck_assert_int_eq(truncate(path, 8000), 0);
	ck_assert_int_eq(build(700), -EUCLEAN);
}
END_TEST

static void grow(struct keys_tree *t, uint64_t size)
{
	uint8_t leaf[KEYS_LEN];

	while (t->size < size) {
		leaf_of(t->size, leaf);
		keys_tree_add(t, leaf);
	}
}

/* Behind leaves that are gone: the same files as with all of them. */
START_TEST(publishing_goes_on_from_the_tiles_that_are_there)
{
	static const uint64_t gone[] = {1, 255, 256, 300, 65536, 66000};
	struct keys_tree t;
	uint8_t leaf[KEYS_LEN];

	for (size_t i = 0; i < sizeof(gone) / sizeof(gone[0]); i++) {
		keys_tree_init(&t);
		grow(&t, gone[i]);
		ck_assert_int_eq(build(gone[i] + 30), 0);
		memset(tiles, 0, sizeof(*tiles));
		tiles->dir = dir;
		ck_assert_int_eq(tools_tiles_resume(tiles, &t, bad), 0);
		for (uint64_t k = gone[i]; k < gone[i] + 700; k++) {
			leaf_of(k, leaf);
			ck_assert_int_eq(tools_tiles_add(tiles, leaf, bad), 0);
		}
		ck_assert_int_eq(tools_tiles_end(tiles, bad), 0);
		/* Every tile is compared with what all leaves give. */
		ck_assert_int_eq(build(gone[i] + 700), 0);
		ck_assert_uint_eq(tiles->written, 0);
	}
	memset(tiles, 0, sizeof(*tiles));
	tiles->dir = dir;
	t.hash[0][0] ^= 1;
	ck_assert_int_eq(tools_tiles_resume(tiles, &t, bad), -EUCLEAN);
	tiles->dir = "/nowhere";
	ck_assert_int_eq(tools_tiles_resume(tiles, &t, bad), -ENOENT);
}
END_TEST

START_TEST(place_that_is_a_link_is_not_followed)
{
	char path[300], target[300];

	ck_assert_int_eq(build(10), 0);
	snprintf(path, sizeof(path), "%s/tile/0/000.p/20", dir);
	snprintf(target, sizeof(target), "%s/elsewhere", dir);
	ck_assert_int_eq(symlink(target, path), 0);
	ck_assert_int_lt(build(20), 0);
	ck_assert_int_eq(access(target, F_OK), -1);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("tools/tiles");
	TCase *t = tcase_create("tiles");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 120);
	tcase_add_test(t, paths_are_the_specifications);
	tcase_add_test(t, tree_of_70000_has_the_specifications_tiles);
	tcase_add_test(t, tree_of_256_has_a_full_tile_and_one_hash_above);
	tcase_add_test(t, growing_writes_what_is_new_and_drops_partial_tiles_that_filled);
	tcase_add_test(t, tile_that_says_otherwise_is_told_and_left);
	tcase_add_test(t, publishing_goes_on_from_the_tiles_that_are_there);
	tcase_add_test(t, place_that_is_a_link_is_not_followed);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
