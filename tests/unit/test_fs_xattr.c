/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/test_fs_xattr.c - extended attributes. */
#include "test_fs_files.h"

#include <sys/xattr.h>

static struct files f;
static struct fs_inode *file;

static void start(void)
{
	files_start(&f);
	file = files_make(&f, f.root, "note", S_IFREG | 0640);
}

static void stop(void)
{
	fs_inode_put(file);
	files_stop(&f);
}

static void reopen(void)
{
	fs_inode_put(file);
	files_reopen(&f, false);
	ck_assert_int_eq(fs_tree_lookup(f.root, "note", &file), 0);
}

static uint8_t value[70000], got[70000];

static int set(const char *name, size_t len, int flags)
{
	return fs_xattr_set(file, name, value, len, flags, &f.who);
}

static void check_value(const char *name, size_t len)
{
	size_t n = 0;

	ck_assert_int_eq(fs_xattr_get(file, name, NULL, 0, &n), 0);
	ck_assert_uint_eq(n, len);
	if (len > 1)
		ck_assert_int_eq(fs_xattr_get(file, name, got, len - 1, &n), -ERANGE);
	ck_assert_int_eq(fs_xattr_get(file, name, got, sizeof(got), &n), 0);
	ck_assert_uint_eq(n, len);
	ck_assert_mem_eq(got, value, len);
}

START_TEST(value_of_every_length_comes_back)
{
	static const size_t lens[] = {0, 1, 3499, 3500, 3501, 7500, 7501, 65536, 20, 40000, 11};

	for (size_t n = 0; n < sizeof(value); n++)
		value[n] = (uint8_t)(n * 13 + n / 251);
	for (size_t n = 0; n < sizeof(lens) / sizeof(lens[0]); n++) {
		ck_assert_int_eq(set("user.a", lens[n], 0), 0);
		check_value("user.a", lens[n]);
		ck_assert_uint_eq(file->xattrs, 1);
		if (n % 3 == 0)
			reopen();
		check_value("user.a", lens[n]);
	}
	ck_assert_int_eq(set("user.a", 65537, 0), -E2BIG);
	check_value("user.a", 11);
	ck_assert_int_eq(fs_xattr_remove(file, "user.a", &f.who), 0);
	ck_assert_uint_eq(file->xattrs, 0);
	ck_assert(!files_has(&f, file->ino, FS_T_XATTR));
}
END_TEST

START_TEST(shorter_value_leaves_no_piece_behind)
{
	struct fs_key key;
	struct fs_snap *snap;
	struct fs_key found;
	const uint8_t *val;
	unsigned pieces = 0;
	size_t len;

	ck_assert_int_eq(set("user.a", 60000, 0), 0);
	files_sync(&f);
	ck_assert_int_eq(set("user.a", 5, 0), 0);
	files_sync(&f);
	key = fs_key(5, file->ino, FS_T_XATTR);
	ck_assert_int_eq(fs_store_snap_begin(fs_records_store(f.r), &snap), 0);
	while (!fs_store_next(snap, &key, &found, &val, &len) && fs_key_ino(&found) == file->ino &&
	       fs_key_table(&found) == FS_T_XATTR) {
		pieces++;
		key = found;
		fs_key_add(&key, 0, 1);
	}
	fs_store_snap_end(snap);
	ck_assert_uint_eq(pieces, 1);
}
END_TEST

START_TEST(flags_and_names_are_checked)
{
	char name[300];
	size_t len;

	ck_assert_int_eq(set("user.a", 3, XATTR_REPLACE), -ENODATA);
	ck_assert_int_eq(set("user.a", 3, XATTR_CREATE), 0);
	ck_assert_int_eq(set("user.a", 4, XATTR_CREATE), -EEXIST);
	ck_assert_int_eq(set("user.a", 4, XATTR_REPLACE), 0);
	ck_assert_int_eq(set("user.a", 4, 8), -EINVAL);
	ck_assert_int_eq(set("trusted.a", 4, 0), -EOPNOTSUPP);
	ck_assert_int_eq(set("user.", 4, 0), -EOPNOTSUPP);
	ck_assert_int_eq(set("security.capability", 4, 0), -EOPNOTSUPP);
	memset(name, 'n', sizeof(name));
	memcpy(name, "user.", 5);
	name[256] = '\0';
	ck_assert_int_eq(set(name, 4, 0), -ERANGE);
	name[255] = '\0';
	ck_assert_int_eq(set(name, 4, 0), 0);
	ck_assert_int_eq(fs_xattr_get(file, name, NULL, 0, &len), 0);
	ck_assert_int_eq(fs_xattr_get(file, "user.b", NULL, 0, &len), -ENODATA);
	ck_assert_int_eq(fs_xattr_remove(file, "user.b", &f.who), -ENODATA);
	ck_assert_uint_eq(file->xattrs, 2);
}
END_TEST

START_TEST(list_gives_every_name_once)
{
	char name[32], out[4096];
	unsigned found = 0, k;
	size_t len = 0, n = 0;

	ck_assert_int_eq(fs_xattr_list(file, out, sizeof(out), &len), 0);
	ck_assert_uint_eq(len, 0);
	for (k = 0; k < 100; k++) {
		snprintf(name, sizeof(name), "user.key%u", k);
		ck_assert_int_eq(set(name, k * 100, 0), 0);
	}
	ck_assert_int_eq(fs_xattr_list(file, NULL, 0, &len), 0);
	ck_assert_int_eq(fs_xattr_list(file, out, len - 1, &n), -ERANGE);
	ck_assert_int_eq(fs_xattr_list(file, out, len, &n), 0);
	ck_assert_uint_eq(n, len);
	for (const char *at = out; at < out + len; at += strlen(at) + 1) {
		ck_assert_int_eq(sscanf(at, "user.key%u", &k), 1);
		ck_assert_uint_lt(k, 100);
		found++;
	}
	ck_assert_uint_eq(found, 100);
	ck_assert_uint_eq(file->xattrs, 100);
}
END_TEST

START_TEST(too_many_are_refused_and_change_nothing)
{
	char name[32], *out = malloc(65536);
	size_t len;
	int rc = 0;
	unsigned k;

	ck_assert_ptr_nonnull(out);
	for (k = 0; !rc && k < 1000; k++) {
		snprintf(name, sizeof(name), "user.%u", k);
		rc = set(name, 1, 0);
	}
	ck_assert_int_eq(rc, -ENOSPC);
	ck_assert_uint_eq(file->xattrs, k - 1);
	ck_assert_int_eq(set("user.0", 2, 0), 0);
	ck_assert_int_eq(fs_xattr_list(file, out, 65536, &len), 0);
	free(out);
}
END_TEST

START_TEST(attributes_go_with_their_file)
{
	struct fs_inode *d = files_make(&f, f.root, "d", S_IFDIR | 0700);
	uint64_t ino = file->ino, dir = d->ino;

	f.who.now = NOW(7000);
	ck_assert_int_eq(set("user.a", 30000, 0), 0);
	ck_assert_int_eq(file->ctime.tv_sec, 7000);
	ck_assert_int_eq(file->mtime.tv_sec, 1000);
	ck_assert_int_eq(fs_xattr_set(d, "user.a", "d", 1, 0, &f.who), 0);
	fs_inode_put(d);
	ck_assert_int_eq(fs_tree_rmdir(f.root, "d", &f.who, NULL), 0);
	ck_assert(!files_has(&f, dir, FS_T_XATTR));
	fs_inode_put(file);
	ck_assert_int_eq(fs_tree_unlink(f.root, "note", &f.who, NULL), 0);
	ck_assert(!files_has(&f, ino, FS_T_XATTR));
	file = files_make(&f, f.root, "note", S_IFREG | 0600);
}
END_TEST

START_TEST(missing_piece_is_damage)
{
	struct fs_key from = fs_key(5, file->ino, FS_T_XATTR), found;
	struct fs_snap *snap;
	struct fs_batch b;
	const uint8_t *val;
	size_t len;

	ck_assert_int_eq(set("user.a", 9000, 0), 0);
	files_sync(&f);
	ck_assert_int_eq(fs_store_snap_begin(fs_records_store(f.r), &snap), 0);
	ck_assert_int_eq(fs_store_next(snap, &from, &found, &val, &len), 0);
	fs_store_snap_end(snap);
	found.b[found.len - 1] = 1; /* its second piece */
	fs_batch_init(&b, f.signer);
	fs_batch_del(&b, f.j, &found);
	ck_assert_int_eq(fs_inode_apply(f.j, &b, NULL), 0);
	ck_assert_int_eq(fs_xattr_get(file, "user.a", got, sizeof(got), &len), -EBADMSG);
	ck_assert_int_eq(set("user.a", 10, 0), 0);
	check_value("user.a", 10);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("fs_xattr");
	TCase *tc = tcase_create("all");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, start, stop);
	tcase_add_test(tc, value_of_every_length_comes_back);
	tcase_add_test(tc, shorter_value_leaves_no_piece_behind);
	tcase_add_test(tc, flags_and_names_are_checked);
	tcase_add_test(tc, list_gives_every_name_once);
	tcase_add_test(tc, too_many_are_refused_and_change_nothing);
	tcase_add_test(tc, attributes_go_with_their_file);
	tcase_add_test(tc, missing_piece_is_damage);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
