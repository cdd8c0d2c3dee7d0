/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/test_fs_final.c - final notes: how a note becomes one, and that nothing changes it afterwards.
 */
#include "test_fs_final.h"

static struct files f;

static void start(void)
{
	files_start(&f);
}
static void stop(void)
{
	files_stop(&f);
}

START_TEST(note_becomes_final_with_its_statement)
{
	struct fs_inode *dir = files_make(&f, f.root, "2026", S_IFDIR | 0700);
	struct fs_inode *i = files_make(&f, dir, "note.txt", S_IFREG | 0600);
	struct fs_final_statement s;
	struct fs_final_state state;
	uint8_t hash[KEYS_LEN], end[KEYS_LEN];
	uint32_t last;

	files_write(&f, i, 0, "seen", 4);
	ck_assert_int_eq(final_make(&f, i, "2026/note.txt", KEYS_NOTE_FINAL), 0);
	ck_assert_uint_ne(f.who.group, 0);
	ck_assert_uint_eq(i->flags, FS_INODE_FINAL | FS_INODE_SIGNED | FS_INODE_STATE);
	ck_assert(!i->closing);
	ck_assert_uint_eq(dir->flags, FS_INODE_HOLDS);
	ck_assert_uint_eq(f.root->flags, FS_INODE_HOLDS);
	fs_inode_put(i);
	fs_inode_put(dir);
	files_sync(&f);
	files_reopen(&f, false);
	ck_assert_int_eq(fs_final_lookup(f.j, "2026/note.txt", &i), 0);
	ck_assert_uint_eq(i->flags, FS_INODE_FINAL | FS_INODE_SIGNED | FS_INODE_STATE);
	ck_assert_int_eq(fs_final_state(i, &state), 0);
	ck_assert_uint_eq(state.final, 1);
	ck_assert_uint_eq(state.signed_by, 1);
	ck_assert_int_eq(fs_final_get(f.j, 1, &s), 0);
	ck_assert_uint_eq(s.note.ino, i->ino);
	ck_assert_uint_eq(s.logged, 42);
	ck_assert(s.has_minisign);
	ck_assert_str_eq(s.note.path, "2026/note.txt");
	keys_note_hash(&s.note, hash);
	ck_assert_int_eq(fs_final_last(f.j, &last, end), 0);
	ck_assert_uint_eq(last, 1);
	ck_assert_mem_eq(hash, end, KEYS_LEN);
	ck_assert_int_eq(fs_final_get(f.j, 2, &s), -ENOENT);
	fs_inode_put(i);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("fs_final");
	TCase *tc = tcase_create("final");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(tc, start, stop);
	tcase_add_test(tc, note_becomes_final_with_its_statement);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? 1 : 0;
}
