/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Earlier versions: every way of saving, what is listed and read, what removal keeps, and
 * what all of it costs; random changes against a model that has every version's bytes.
 */
#include "test_fs_files.h"

#include "fs/history_impl.h"
#include "fs/history_link.h"
#include "fs/record_impl.h"
#include "fs/chunk_impl.h"

#define BIG 300000u /* contents in chunks */

static struct files f;

static void set_up(void)
{
	files_start(&f);
	f.who.keeps = true;
}

static void tear_down(void)
{
	files_stop(&f);
}

static void tick(int64_t s)
{
	f.who.now.tv_sec += s;
}

static void saved(struct fs_inode *i)
{
	ck_assert_int_eq(fs_history_saved(i, &f.who), 0);
}

/* As an editor that writes in place: O_TRUNC, write, close. */
static void save(struct fs_inode *i, const void *p, size_t len)
{
	tick(1);
	ck_assert_int_eq(fs_content_truncate(i, 0, &f.who), 0);
	files_write(&f, i, 0, p, len);
	saved(i);
}

static void save_text(struct fs_inode *i, const char *text)
{
	save(i, text, strlen(text));
}

struct list {
	struct fs_history_version v[400];
	size_t n;
};

static int add(void *ctx, const struct fs_history_version *v)
{
	struct list *l = ctx;

	ck_assert_uint_lt(l->n, 400);
	l->v[l->n++] = *v;
	return 0;
}

static struct list list(struct fs_inode *i)
{
	struct list l = {.n = 0};

	ck_assert_int_eq(fs_history_list(i, add, &l), 0);
	ck_assert_uint_ge(l.n, 1);
	ck_assert(l.v[0].now);
	for (size_t n = 1; n < l.n; n++) {
		ck_assert(!l.v[n].now);
		ck_assert_uint_lt(l.v[n].version, l.v[n - 1].version);
	}
	return l;
}

/* All of a version, in reads of odd lengths. */
static size_t read_version(const struct fs_history_version *v, uint8_t *out, size_t cap)
{
	size_t at = 0, step = 70001;

	while (at < v->size) {
		struct fs_iov iov = {.n = 0};

		ck_assert_int_eq(fs_history_read(f.j, v, at, step, &iov), 0);
		ck_assert_uint_gt(iov.len, 0);
		ck_assert_uint_le(at + iov.len, cap);
		for (int n = 0; n < iov.n; n++) {
			memcpy(out + at, iov.v[n].iov_base, iov.v[n].iov_len);
			at += iov.v[n].iov_len;
		}
		fs_iov_clear(&iov);
	}
	return at;
}

static void check_bytes(const struct fs_history_version *v, const void *p, size_t len)
{
	uint8_t *out = malloc(len + 70001);

	ck_assert_uint_eq(v->size, len);
	ck_assert_uint_eq(read_version(v, out, len + 70001), len);
	ck_assert_int_eq(memcmp(out, p, len), 0);
	free(out);
}

static void check_text(const struct fs_history_version *v, const char *text)
{
	check_bytes(v, text, strlen(text));
}

static size_t removed_count;
static struct fs_history_removed removed_last;
static char removed_path[FS_HISTORY_PATH_MAX];

static int count_removed(void *ctx, const struct fs_history_removed *r)
{
	(void)ctx;
	removed_count++;
	removed_last = *r;
	snprintf(removed_path, sizeof(removed_path), "%s", r->path);
	return 0;
}

static size_t removed(void)
{
	removed_count = 0;
	ck_assert_int_eq(fs_history_removed(f.j, 0, count_removed, NULL), 0);
	return removed_count;
}

/* ---- in place ---- */

START_TEST(in_place)
{
	struct fs_inode *i = files_make(&f, f.root, "note.txt", S_IFREG | 0640);
	struct fs_history_version v;
	struct fs_inode_attr a;
	struct list l;

	files_write(&f, i, 0, "first", 5);
	files_write(&f, i, 5, " version", 8);
	saved(i);
	l = list(i);
	ck_assert_uint_eq(l.n, 1);
	ck_assert_uint_eq(l.v[0].version, 1);
	save_text(i, "the second version, longer");
	save_text(i, "third");
	l = list(i);
	ck_assert_uint_eq(l.n, 3);
	ck_assert_uint_eq(l.v[0].version, 3);
	check_text(&l.v[0], "third");
	check_text(&l.v[1], "the second version, longer");
	check_text(&l.v[2], "first version");
	ck_assert_int_eq(l.v[2].mtime.tv_sec, 1000);
	ck_assert_int_eq(l.v[1].mtime.tv_sec, 1001);
	ck_assert_int_eq(fs_history_find(i, 2, &v), 0);
	ck_assert_int_eq(fs_history_attr(f.j, &v, &a), 0);
	ck_assert_uint_eq(a.size, 26);
	ck_assert_uint_eq(a.mode, S_IFREG | 0640);
	ck_assert_int_eq(a.mtime.tv_sec, 1001);
	ck_assert_int_eq(fs_history_find(i, 4, &v), -ENOENT);
	files_sync(&f);
	fs_inode_put(i);
	files_reopen(&f, false);
	ck_assert_int_eq(fs_tree_lookup(f.root, "note.txt", &i), 0);
	l = list(i);
	ck_assert_uint_eq(l.n, 3);
	check_text(&l.v[2], "first version");
	/* A restart in the middle of a save: the next change begins another. */
	files_write(&f, i, 0, "T", 1);
	fs_inode_put(i);
	files_reopen(&f, false);
	ck_assert_int_eq(fs_tree_lookup(f.root, "note.txt", &i), 0);
	files_write(&f, i, 1, "H", 1);
	saved(i);
	l = list(i);
	ck_assert_uint_eq(l.n, 5);
	check_text(&l.v[0], "THird");
	check_text(&l.v[1], "Third");
	check_text(&l.v[2], "third");
	check_text(&l.v[4], "first version");
	fs_inode_put(i);
}
END_TEST

START_TEST(who_does_not_keep)
{
	struct fs_inode *i = files_make(&f, f.root, "note.txt", S_IFREG | 0640);

	f.who.keeps = false;
	save_text(i, "one");
	save_text(i, "two");
	ck_assert_uint_eq(list(i).n, 1);
	ck_assert_uint_eq(i->version, 0);
	ck_assert(!files_has(&f, i->ino, FS_T_VERSION));
	/* What has versions keeps always: they lean on what there is now. */
	f.who.keeps = true;
	save_text(i, "three");
	f.who.keeps = false;
	save_text(i, "four");
	ck_assert_uint_eq(list(i).n, 3);
	check_text(&list(i).v[2], "two");
	fs_inode_put(i);
}
END_TEST

START_TEST(nothing_changed)
{
	struct fs_inode *i = files_make(&f, f.root, "note.txt", S_IFREG | 0640);

	save_text(i, "the same");
	save_text(i, "the same");
	ck_assert_uint_eq(list(i).n, 1);
	ck_assert_uint_eq(list(i).v[0].version, 1);
	ck_assert(!files_has(&f, i->ino, FS_T_VERSION));
	ck_assert(!files_has(&f, i->ino, FS_T_OLD_PIECE));
	save_text(i, "another");
	save_text(i, "another");
	ck_assert_uint_eq(list(i).n, 2);
	check_text(&list(i).v[1], "the same");
	/* Attributes alone make no version. */
	ck_assert_int_eq(fs_content_setattr(i, &(struct fs_content_attr){.mtime = &NOW(5)}, &f.who),
			 0);
	saved(i);
	ck_assert_uint_eq(list(i).n, 2);
	fs_inode_put(i);
}
END_TEST

/* Without anybody who signs, a version stays whole until the next save. */
START_TEST(packed_later)
{
	struct fs_inode *i = files_make(&f, f.root, "note.txt", S_IFREG | 0640);
	struct fs_actor nobody = {.pid = 3, .now = NOW(2000)};
	char text[9000];

	for (size_t n = 0; n < sizeof(text); n++)
		text[n] = (char)('a' + n * n % 26);
	save(i, text, sizeof(text));
	tick(1);
	text[100] = '!';
	files_write(&f, i, 0, text, sizeof(text));
	ck_assert_int_eq(fs_history_saved(i, &nobody), 0);
	ck_assert(files_has(&f, i->ino, FS_T_OLD_PIECE));
	text[200] = '!';
	save(i, text, sizeof(text));
	ck_assert(!files_has(&f, i->ino, FS_T_OLD_PIECE));
	ck_assert_uint_eq(list(i).n, 3);
	text[200] = (char)('a' + 200 * 200 % 26);
	check_bytes(&list(i).v[1], text, sizeof(text));
	text[100] = (char)('a' + 100 * 100 % 26);
	check_bytes(&list(i).v[2], text, sizeof(text));
	fs_inode_put(i);
}
END_TEST

/* ---- by names ---- */

/* Temporary file, renamed over the note. */
static void save_over(const char *name, const char *text)
{
	struct fs_inode *i;

	tick(1);
	f.who.keeps = false;
	i = files_make(&f, f.root, ".tmp-1", S_IFREG | 0600);
	files_write(&f, i, 0, text, strlen(text));
	saved(i);
	f.who.keeps = true;
	ck_assert_int_eq(fs_tree_rename(f.root, ".tmp-1", f.root, name, 0, &f.who, NULL, NULL), 0);
	fs_inode_put(i);
}

static struct fs_inode *look(const char *name)
{
	struct fs_inode *i = NULL;

	ck_assert_int_eq(fs_tree_lookup(f.root, name, &i), 0);
	return i;
}

START_TEST(rename_over)
{
	struct fs_inode *i = files_make(&f, f.root, "note.txt", S_IFREG | 0640), *old;
	struct list l;

	i->author = 9;
	save_text(i, "one");
	save_text(i, "two");
	old = i;
	save_over("note.txt", "three");
	save_over("note.txt", "four");
	i = look("note.txt");
	ck_assert_uint_eq(i->author, 9);
	l = list(i);
	ck_assert_uint_eq(l.n, 4);
	check_text(&l.v[0], "four");
	check_text(&l.v[1], "three");
	check_text(&l.v[2], "two");
	check_text(&l.v[3], "one");
	ck_assert_uint_eq(l.v[0].version, 4);
	ck_assert_uint_eq(l.v[2].ino, old->ino);
	/* Whoever has it open may go on; that is no version of the note. */
	files_write(&f, old, 0, "TWO!", 4);
	fs_inode_put(old);
	l = list(i);
	ck_assert_uint_eq(l.n, 4);
	check_text(&l.v[2], "two");
	save_text(i, "five");
	l = list(i);
	ck_assert_uint_eq(l.n, 5);
	check_text(&l.v[1], "four");
	fs_inode_put(i);
	files_reopen(&f, false);
	i = look("note.txt");
	l = list(i);
	ck_assert_uint_eq(l.n, 5);
	check_text(&l.v[3], "two");
	ck_assert_uint_eq(removed(), 0);
	fs_inode_put(i);
}
END_TEST

START_TEST(rename_over_unkept)
{
	struct fs_inode *i = files_make(&f, f.root, "note.txt", S_IFREG | 0640);
	uint64_t ino = i->ino;

	i->author = 9;
	f.who.keeps = false;
	save_text(i, "one");
	fs_inode_put(i);
	i = files_make(&f, f.root, "tmp", S_IFREG | 0600);
	save_text(i, "two");
	ck_assert_int_eq(fs_tree_rename(f.root, "tmp", f.root, "note.txt", 0, &f.who, NULL, NULL), 0);
	ck_assert_uint_eq(list(i).n, 1);
	ck_assert_uint_eq(i->author, 9);
	ck_assert_uint_eq(i->before, 0);
	ck_assert_uint_eq(i->version, 2);
	ck_assert(!files_has(&f, ino, FS_T_INODE));
	fs_inode_put(i);
}
END_TEST

/* vim: note -> note~, a new note, note~ removed. emacs leaves it. */
START_TEST(moved_away)
{
	struct fs_inode *i = files_make(&f, f.root, "note.txt", S_IFREG | 0640), *old;

	i->author = 9;
	save_text(i, "one");
	old = i;
	tick(1000);
	ck_assert_int_eq(fs_tree_rename(f.root, "note.txt", f.root, "note.txt~", 0, &f.who, NULL,
					NULL),
			 0);
	tick(1);
	i = files_make(&f, f.root, "note.txt", S_IFREG | 0640);
	ck_assert_uint_eq(i->author, 9);
	save_text(i, "two");
	check_text(&list(i).v[1], "one");
	ck_assert_uint_eq(list(i).n, 2);
	fs_inode_put(old);
	old = look("note.txt~");
	ck_assert_uint_eq(old->nlink, 1);
	fs_inode_put(old);
	ck_assert_int_eq(fs_tree_unlink(f.root, "note.txt~", &f.who, NULL), 0);
	ck_assert_uint_eq(removed(), 0);
	check_text(&list(i).v[1], "one");
	fs_inode_put(i);
	files_reopen(&f, false);
	i = look("note.txt");
	check_text(&list(i).v[1], "one");
	/* Too late: another note. */
	ck_assert_int_eq(fs_tree_rename(f.root, "note.txt", f.root, "x", 0, &f.who, NULL, NULL), 0);
	tick(61);
	old = files_make(&f, f.root, "note.txt", S_IFREG | 0640);
	ck_assert_uint_eq(old->before, 0);
	ck_assert_uint_eq(list(old).n, 1);
	ck_assert_uint_eq(list(i).n, 2);
	fs_inode_put(old);
	fs_inode_put(i);
}
END_TEST

/* The new file is written first, and the note makes room for it. */
START_TEST(moved_then_renamed)
{
	struct fs_inode *i = files_make(&f, f.root, "note.txt", S_IFREG | 0640), *tmp;

	save_text(i, "one");
	tick(1000);
	tmp = files_make(&f, f.root, "tmp", S_IFREG | 0640);
	files_write(&f, tmp, 0, "t", 1);
	saved(tmp);
	save_text(tmp, "two");
	ck_assert_uint_eq(list(tmp).n, 2);
	ck_assert_int_eq(fs_tree_unlink(f.root, "note.txt", &f.who, NULL), 0);
	ck_assert_uint_eq(removed(), 1);
	ck_assert_int_eq(fs_tree_rename(f.root, "tmp", f.root, "note.txt", 0, &f.who, NULL, NULL), 0);
	/* It is no removed note any more, and what the program made on its way is no version. */
	ck_assert_uint_eq(removed(), 0);
	ck_assert_uint_eq(list(tmp).n, 2);
	check_text(&list(tmp).v[1], "one");
	check_text(&list(tmp).v[0], "two");
	fs_inode_put(i);
	fs_inode_put(tmp);
	/* The name that a file had while it was written is nobody's past. */
	tmp = files_make(&f, f.root, "tmp", S_IFREG | 0640);
	ck_assert_uint_eq(tmp->before, 0);
	fs_inode_put(tmp);
}
END_TEST

/* A save that fails: the note gets its name again. */
START_TEST(moved_and_back)
{
	struct fs_inode *i = files_make(&f, f.root, "note.txt", S_IFREG | 0640), *fresh;
	uint64_t ino;

	save_text(i, "one");
	tick(1000);
	ck_assert_int_eq(fs_tree_rename(f.root, "note.txt", f.root, "note.txt~", 0, &f.who, NULL,
					NULL),
			 0);
	fresh = files_make(&f, f.root, "note.txt", S_IFREG | 0640);
	ino = fresh->ino;
	fs_inode_put(fresh);
	ck_assert_int_eq(fs_tree_rename(f.root, "note.txt~", f.root, "note.txt", 0, &f.who, NULL,
					NULL),
			 0);
	ck_assert_uint_eq(removed(), 0);
	ck_assert(!files_has(&f, ino, FS_T_INODE));
	ck_assert_uint_eq(i->flags, 0);
	ck_assert_uint_eq(list(i).n, 1);
	fs_inode_put(i);
}
END_TEST

/* Two notes with a past each: the one that is replaced is a removed note. */
START_TEST(note_over_note)
{
	struct fs_inode *a = files_make(&f, f.root, "a", S_IFREG | 0640);
	struct fs_inode *b = files_make(&f, f.root, "b", S_IFREG | 0640), *got;

	save_text(a, "a1");
	save_text(a, "a2");
	save_text(b, "b1");
	save_text(b, "b2");
	tick(1000);
	ck_assert_int_eq(fs_tree_rename(f.root, "a", f.root, "b", 0, &f.who, NULL, NULL), 0);
	ck_assert_uint_eq(list(a).n, 2);
	check_text(&list(a).v[1], "a1");
	ck_assert_uint_eq(removed(), 1);
	ck_assert_uint_eq(removed_last.ino, b->ino);
	ck_assert_str_eq(removed_path, "b");
	fs_inode_put(a);
	fs_inode_put(b);
	ck_assert_int_eq(fs_inode_get(f.j, removed_last.ino, &got), 0);
	check_text(&list(got).v[1], "b1");
	fs_inode_put(got);
}
END_TEST

START_TEST(removal)
{
	struct fs_inode *dir = files_make(&f, f.root, "letters", S_IFDIR | 0700);
	struct fs_inode *sub = files_make(&f, dir, "2026", S_IFDIR | 0700);
	struct fs_inode *i = files_make(&f, sub, "note.txt", S_IFREG | 0640);
	struct fs_inode *empty = files_make(&f, f.root, "empty", S_IFREG | 0640);
	uint64_t ino = i->ino, none = empty->ino;

	save_text(i, "one");
	save_text(i, "two");
	fs_inode_put(i);
	fs_inode_put(empty);
	tick(100);
	ck_assert_int_eq(fs_tree_unlink(sub, "note.txt", &f.who, NULL), 0);
	ck_assert_int_eq(fs_tree_unlink(f.root, "empty", &f.who, NULL), 0);
	ck_assert(!files_has(&f, none, FS_T_INODE));
	ck_assert_int_eq(fs_tree_rmdir(dir, "2026", &f.who, NULL), 0);
	fs_inode_put(sub);
	fs_inode_put(dir);
	for (int n = 0; n < 2; n++) {
		ck_assert_uint_eq(removed(), 1);
		ck_assert_uint_eq(removed_last.ino, ino);
		ck_assert_str_eq(removed_path, "letters/2026/note.txt");
		ck_assert_int_eq(removed_last.when.tv_sec, f.who.now.tv_sec);
		ck_assert_uint_eq(removed_last.pid, 3);
		ck_assert_int_eq(fs_inode_get(f.j, ino, &i), 0);
		ck_assert_uint_eq(i->nlink, 0);
		check_text(&list(i).v[0], "two");
		check_text(&list(i).v[1], "one");
		/* It gets no name again by a link. */
		ck_assert_int_eq(fs_tree_link(i, f.root, "again", &f.who), -ENOENT);
		fs_inode_put(i);
		ck_assert_int_eq(fs_inode_reap(f.j, f.signer), 0);
		files_reopen(&f, false);
	}
}
END_TEST

/* ---- chunks ---- */

static void fill(uint8_t *p, size_t len, unsigned seed)
{
	for (size_t n = 0; n < len; n++)
		p[n] = (uint8_t)((seed = seed * 1103515245u + 12345u) >> 16);
}

START_TEST(in_chunks)
{
	struct fs_inode *i = files_make(&f, f.root, "scan.pdf", S_IFREG | 0640);
	uint8_t *v1 = malloc(BIG), *v2 = malloc(BIG), *v3 = malloc(2 * BIG);
	struct list l;

	fill(v1, BIG, 1);
	save(i, v1, BIG);
	/* A small change: what both share is stored once. */
	memcpy(v2, v1, BIG);
	memcpy(v2 + 50000, "changed", 7);
	tick(1);
	files_write(&f, i, 50000, "changed", 7);
	saved(i);
	l = list(i);
	ck_assert_uint_eq(l.n, 2);
	check_bytes(&l.v[1], v1, BIG);
	files_sync(&f);
	check_bytes(&list(i).v[1], v1, BIG);
	check_bytes(&list(i).v[0], v2, BIG);
	/* Truncated to nothing, written anew, longer. */
	fill(v3, 2 * BIG, 3);
	save(i, v3, 2 * BIG);
	for (int n = 0; n < 2; n++) {
		l = list(i);
		ck_assert_uint_eq(l.n, 3);
		check_bytes(&l.v[0], v3, 2 * BIG);
		check_bytes(&l.v[1], v2, BIG);
		check_bytes(&l.v[2], v1, BIG);
		files_sync(&f);
	}
	/* And small: another form. */
	save_text(i, "small");
	save_text(i, "smaller");
	save(i, v1, BIG);
	fs_inode_put(i);
	files_reopen(&f, false);
	i = look("scan.pdf");
	l = list(i);
	ck_assert_uint_eq(l.n, 6);
	check_bytes(&l.v[0], v1, BIG);
	check_text(&l.v[1], "smaller");
	check_text(&l.v[2], "small");
	check_bytes(&l.v[3], v3, 2 * BIG);
	check_bytes(&l.v[4], v2, BIG);
	check_bytes(&l.v[5], v1, BIG);
	fs_inode_put(i);
	free(v1);
	free(v2);
	free(v3);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("fs/history");
	TCase *tc = tcase_create("history");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, in_place);
	tcase_add_test(tc, who_does_not_keep);
	tcase_add_test(tc, nothing_changed);
	tcase_add_test(tc, packed_later);
	tcase_add_test(tc, rename_over);
	tcase_add_test(tc, rename_over_unkept);
	tcase_add_test(tc, moved_away);
	tcase_add_test(tc, moved_then_renamed);
	tcase_add_test(tc, moved_and_back);
	tcase_add_test(tc, note_over_note);
	tcase_add_test(tc, removal);
	tcase_add_test(tc, in_chunks);
	suite_add_tcase(s, tc);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
