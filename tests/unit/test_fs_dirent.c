/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/test_fs_dirent.c - entry records, and names that collide: this program links its own
 * hash, under which names that begin with 'c' all have the same one.
 */
#include "test_fs_files.h"

uint64_t fs_dirent_hash(struct fs_journal *j, uint64_t dir, const char *name)
{
	uint64_t h = 1469598103934665603u ^ dir;

	(void)j;
	if (name[0] == 'c')
		return 4711;
	for (; *name; name++)
		h = (h ^ (uint8_t)*name) * 1099511628211u;
	h >>= 5;
	return h ? h : 1;
}

START_TEST(dirent_record_comes_back_whole)
{
	struct fs_dirent e = {.ino = 77, .type = S_IFDIR, .name = "x"}, back = {.cookie = 9};
	uint8_t rec[FS_DIRENT_MAX];
	size_t len, last = 0;

	for (size_t n = 1; n <= FS_NAME_MAX; n++) {
		memset(e.name, 0xff, n);
		e.name[n] = '\0';
		len = fs_dirent_encode(&e, rec);
		ck_assert_uint_eq(len % 32, 0);
		ck_assert_uint_ge(len, last);
		last = len;
		ck_assert_int_eq(fs_dirent_decode(rec, len, &back), 0);
		ck_assert_str_eq(back.name, e.name);
		ck_assert_uint_eq(back.ino, 77);
		ck_assert_uint_eq(back.type, S_IFDIR);
		ck_assert_uint_eq(back.cookie, 9);
	}
	ck_assert_uint_le(last, FS_DIRENT_MAX);
}
END_TEST

START_TEST(dirent_decode_refuses_nonsense)
{
	struct fs_dirent e = {.ino = 77, .type = S_IFREG, .name = "note.txt"}, back;
	uint8_t rec[FS_DIRENT_MAX], bad[FS_DIRENT_MAX];
	size_t len = fs_dirent_encode(&e, rec);
	static const size_t places[] = {0, 1, 2, 7, 8}; /* version, type, ino (0 then), length */

	for (size_t n = 0; n < len; n++)
		ck_assert_int_eq(fs_dirent_decode(rec, n, &back), -EBADMSG);
	for (size_t n = 0; n < sizeof(places) / sizeof(places[0]); n++) {
		memcpy(bad, rec, len);
		bad[places[n]] = places[n] == 2 ? 0 : 0x99;
		ck_assert_int_eq(fs_dirent_decode(bad, len, &back), -EBADMSG);
	}
	memcpy(bad, rec, len);
	bad[9] = '/';
	ck_assert_int_eq(fs_dirent_decode(bad, len, &back), -EBADMSG);
	bad[9] = 0;
	ck_assert_int_eq(fs_dirent_decode(bad, len, &back), -EBADMSG);
	memcpy(bad, rec, len);
	bad[len - 1] = 1;
	ck_assert_int_eq(fs_dirent_decode(bad, len, &back), -EBADMSG);
}
END_TEST

static uint64_t ino_of(struct files *f, const char *name)
{
	struct fs_inode *i = NULL;
	uint64_t ino;

	if (fs_tree_lookup(f->root, name, &i))
		return 0;
	ino = i->ino;
	fs_inode_put(i);
	return ino;
}

struct seen {
	uint64_t cookies[16];
	size_t n;
};

static int see(void *ctx, const struct fs_tree_entry *e)
{
	struct seen *s = ctx;

	ck_assert_uint_lt(s->n, 16);
	ck_assert_uint_ge(e->cookie, 8);
	ck_assert_uint_lt(e->cookie, FS_DIRENT_COOKIE_MAX);
	ck_assert(!s->n || e->cookie > s->cookies[s->n - 1]);
	s->cookies[s->n++] = e->cookie;
	return 0;
}

START_TEST(colliding_names_live_side_by_side)
{
	struct seen seen = {.n = 0};
	struct fs_inode *i = NULL;
	uint64_t ino[9], size;
	struct files f;
	char name[8];

	files_start(&f);
	for (int n = 0; n < 8; n++) {
		snprintf(name, sizeof(name), "c%d", n);
		i = files_make(&f, f.root, name, S_IFREG | 0600);
		ino[n] = i->ino;
		fs_inode_put(i);
	}
	/* The ninth finds no slot, and nothing has changed. */
	size = f.root->size;
	ck_assert_int_eq(fs_tree_create(f.root, "c8", S_IFREG | 0600, &f.who, &i), -ENOSPC);
	ck_assert_uint_eq(f.root->size, size);
	ck_assert_int_eq(fs_tree_create(f.root, "c7", S_IFREG | 0600, &f.who, &i), -EEXIST);
	files_reopen(&f, false);
	for (int n = 0; n < 8; n++) {
		snprintf(name, sizeof(name), "c%d", n);
		ck_assert_uint_eq(ino_of(&f, name), ino[n]);
	}
	ck_assert_int_eq(fs_tree_list(f.root, 0, see, &seen), 0);
	ck_assert_uint_eq(seen.n, 8);
	/* A gap in the probing order hides nothing, and is used again. */
	ck_assert_int_eq(fs_tree_unlink(f.root, "c0", &f.who, NULL), 0);
	ck_assert_int_eq(fs_tree_unlink(f.root, "c3", &f.who, NULL), 0);
	ck_assert_uint_eq(ino_of(&f, "c0"), 0);
	ck_assert_uint_eq(ino_of(&f, "c7"), ino[7]);
	i = files_make(&f, f.root, "c9", S_IFREG | 0600);
	fs_inode_put(i);
	ck_assert_int_eq(fs_tree_rename(f.root, "c7", f.root, "c0", 0, &f.who, NULL, NULL), 0);
	ck_assert_uint_eq(ino_of(&f, "c0"), ino[7]);
	ck_assert_uint_eq(ino_of(&f, "c7"), 0);
	files_reopen(&f, false);
	ck_assert_uint_eq(ino_of(&f, "c0"), ino[7]);
	ck_assert_uint_eq(ino_of(&f, "c6"), ino[6]);
	ck_assert_uint_ne(ino_of(&f, "c9"), 0);
	files_stop(&f);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("fs_dirent");
	TCase *tc = tcase_create("all");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, dirent_record_comes_back_whole);
	tcase_add_test(tc, dirent_decode_refuses_nonsense);
	tcase_add_test(tc, colliding_names_live_side_by_side);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
