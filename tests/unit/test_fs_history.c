/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Earlier versions: every way of saving, what is listed and read, what removal keeps, and
 * what all of it costs.
 */
#include "test_fs_history.h"

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

/* Earlier versions that are damaged are told, and take nothing else with them. */
START_TEST(damage)
{
	struct fs_inode *i = files_make(&f, f.root, "note.txt", S_IFREG | 0640);
	struct fs_inode *other = files_make(&f, f.root, "other.txt", S_IFREG | 0640);
	struct fs_key key = fs_key_n(5, i->ino, FS_T_VERSION, 1, 4);
	uint8_t junk[FS_VALUE_MAX], text[8];
	struct fs_store_item item = {.key = key, .val = junk};
	struct fs_snap *snap;
	const uint8_t *val;
	struct list l = {.n = 0};
	size_t len;

	save_text(i, "one");
	save_text(i, "two");
	save_text(other, "one");
	save_text(other, "two");
	files_sync(&f);
	ck_assert_int_eq(fs_store_snap_begin(fs_records_store(f.r), &snap), 0);
	ck_assert_int_eq(fs_store_get(snap, &key, &val, &item.len), 0);
	memcpy(junk, val, item.len);
	fs_store_snap_end(snap);
	junk[item.len - 1] ^= 1;
	ck_assert_int_eq(fs_store_apply(fs_records_store(f.r), &item, 1), 0);
	ck_assert_int_eq(fs_history_list(i, add, &l), -EBADMSG);
	ck_assert_int_eq(files_read(i, 0, text, sizeof(text), &len), 0);
	ck_assert_uint_eq(len, 3);
	ck_assert_mem_eq(text, "two", 3);
	ck_assert_uint_eq(list(other).n, 2);
	/* Nothing is written over what can't be kept. */
	ck_assert_int_eq(fs_content_truncate(i, 0, &f.who), -EBADMSG);
	ck_assert_int_eq(files_read(i, 0, text, sizeof(text), &len), 0);
	ck_assert_uint_eq(len, 3);
	fs_inode_put(other);
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

/* A draft that amends a final note goes on to do so, however it is saved. */
START_TEST(link_goes_over)
{
	struct fs_inode *note = files_make(&f, f.root, "final.txt", S_IFREG | 0640);
	struct fs_inode *i = files_make(&f, f.root, "draft.txt", S_IFREG | 0640);
	struct fs_final_state state = {.amends = note->ino}, got;

	save_text(i, "one");
	ck_assert_int_eq(fs_final_link(i, &state, &f.who), 0);
	fs_inode_put(i);
	for (int keeps = 0; keeps < 2; keeps++) {
		tick(1000);
		save_over("draft.txt", keeps ? "two" : "three");
		i = look("draft.txt");
		ck_assert_int_eq(fs_final_state(i, &got), 0);
		ck_assert_uint_eq(got.amends, note->ino);
		ck_assert(i->flags & FS_INODE_AMENDS);
		fs_inode_put(i);
	}
	ck_assert_int_eq(fs_tree_unlink(f.root, "draft.txt", &f.who, NULL), 0);
	i = files_make(&f, f.root, "draft.txt", S_IFREG | 0640);
	ck_assert_int_eq(fs_final_state(i, &got), 0);
	ck_assert_uint_eq(got.amends, note->ino);
	fs_inode_put(i);
	fs_inode_put(note);
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
	ck_assert_int_eq(fs_tree_rename(f.root, "tmp", f.root, "note.txt", 0, &f.who, NULL, NULL),
			 0);
	ck_assert_uint_eq(list(i).n, 1);
	ck_assert_uint_eq(i->author, 9);
	ck_assert_uint_eq(i->before, 0);
	ck_assert_uint_eq(i->version, 0); /* versions are counted from the first that is kept */
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
	ck_assert_int_eq(
		fs_tree_rename(f.root, "note.txt", f.root, "note.txt~", 0, &f.who, NULL, NULL), 0);
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
	ck_assert_int_eq(fs_tree_rename(f.root, "tmp", f.root, "note.txt", 0, &f.who, NULL, NULL),
			 0);
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

/* An older backup has nothing to say of the note that takes its name: not its author, not its
 * versions. */
START_TEST(backup_is_no_past)
{
	struct fs_inode *backup = files_make(&f, f.root, "note~", S_IFREG | 0640);
	struct fs_inode *i = files_make(&f, f.root, "note", S_IFREG | 0640);

	backup->author = 8;
	i->author = 9;
	save_text(backup, "somebody's");
	save_text(i, "one");
	fs_inode_put(backup);
	tick(1000);
	ck_assert_int_eq(fs_tree_rename(f.root, "note", f.root, "note~", 0, &f.who, NULL, NULL), 0);
	ck_assert_uint_eq(i->author, 9);
	ck_assert_uint_eq(list(i).n, 1);
	ck_assert_uint_eq(removed(), 1);
	ck_assert_str_eq(removed_path, "note~");
	fs_inode_put(i);
	i = files_make(&f, f.root, "note", S_IFREG | 0640);
	ck_assert_uint_eq(i->author, 9);
	save_text(i, "two");
	ck_assert_uint_eq(list(i).n, 2);
	check_text(&list(i).v[1], "one");
	fs_inode_put(i);
}
END_TEST

/* What emacs leaves as note~ may become final, and stays what the note was before. */
START_TEST(past_may_be_final)
{
	struct fs_inode *old = files_make(&f, f.root, "note", S_IFREG | 0640), *i;
	struct fs_inode_attr a;
	uint8_t rec[FS_INODE_LEN];

	save_text(old, "one");
	ck_assert_int_eq(fs_tree_rename(f.root, "note", f.root, "note~", 0, &f.who, NULL, NULL), 0);
	i = files_make(&f, f.root, "note", S_IFREG | 0640);
	save_text(i, "two");
	a = old->attr;
	ck_assert_uint_eq(a.flags, FS_INODE_BEFORE);
	a.flags |= FS_INODE_FINAL | FS_INODE_STATE;
	fs_inode_encode(&a, rec);
	ck_assert_int_eq(fs_inode_decode(rec, sizeof(rec), &a), 0);
	old->flags |= FS_INODE_FINAL;
	ck_assert_int_eq(fs_history_prune(i, 0, f.who.now.tv_sec + 1000, &f.who), 0);
	check_text(&list(i).v[1], "one");
	ck_assert_uint_eq(list(i).n, 2);
	old->flags &= (uint16_t)~FS_INODE_FINAL;
	fs_inode_put(i);
	fs_inode_put(old);
}
END_TEST

/* A save that fails: the note gets its name again. */
START_TEST(moved_and_back)
{
	struct fs_inode *i = files_make(&f, f.root, "note.txt", S_IFREG | 0640), *fresh;
	uint64_t ino;

	save_text(i, "one");
	tick(1000);
	ck_assert_int_eq(
		fs_tree_rename(f.root, "note.txt", f.root, "note.txt~", 0, &f.who, NULL, NULL), 0);
	fresh = files_make(&f, f.root, "note.txt", S_IFREG | 0640);
	ino = fresh->ino;
	fs_inode_put(fresh);
	ck_assert_int_eq(
		fs_tree_rename(f.root, "note.txt~", f.root, "note.txt", 0, &f.who, NULL, NULL), 0);
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

static int no_record(void *ctx, const struct fs_key *key, struct fs_buf *buf)
{
	(void)buf;
	ck_assert_msg(fs_key_ino(key) == FS_ROOT_INO, "left: %u of %u", fs_key_table(key),
		      (unsigned)fs_key_ino(key));
	++*(size_t *)ctx;
	return 0;
}

/* Without anybody who keeps, removing what has no past leaves nothing. */
START_TEST(purge_frees)
{
	struct fs_key from = fs_key(5, 1, 0), to = fs_key(5, FS_INO_MAX, FS_T_NODE);
	uint8_t *p = malloc(2 * BIG);
	struct fs_inode *i;
	struct fs_batch b;
	size_t n = 0;

	fill(p, 2 * BIG, 7);
	for (int pending = 0; pending < 2; pending++) {
		i = files_make(&f, f.root, "scan.pdf", S_IFREG | 0640);
		save(i, p, 2 * BIG);
		save(i, p + 1000, BIG);
		save_text(i, "small");
		save(i, p, 15000);
		save(i, p, 2 * BIG);
		files_sync(&f);
		files_write(&f, i, 5000, p, 5000);
		if (!pending)
			ck_assert_uint_gt(check_units(), 3 * BIG / FS_CHUNK);
		/* As its retention's end will do it. */
		ck_assert_int_eq(fs_tree_unlink(f.root, "scan.pdf", &f.who, NULL), 0);
		fs_batch_init(&b, f.signer);
		fs_history_del_removed(&b, f.j, i->ino);
		ck_assert_int_eq(fs_inode_purge(&b, f.j, i->ino, &i->attr), 0);
		ck_assert_int_eq(fs_inode_apply(f.j, &b, NULL), 0);
		i->deleted = true;
		fs_inode_put(i);
		ck_assert_uint_eq(check_units(), 0);
		ck_assert_int_eq(fs_record_scan(f.j, &from, &to, no_record, &n), 0);
		ck_assert_uint_eq(removed(), 0);
	}
	free(p);
}
END_TEST

/* ---- a new key ---- */

/* Walks and seals again until nothing older is left; how often. */
static unsigned seal_all_again(void)
{
	unsigned walks = 0;
	uint64_t met;

	do {
		struct fs_reseal w = {.done = false};

		while (!w.done) {
			struct fs_batch b;
			struct fs_reseal_step step = {&b, 32, 64 * FS_CHUNK, UINT64_MAX};

			fs_batch_init(&b, f.signer);
			ck_assert_int_eq(fs_reseal_walk(f.j, &w, &step), 0);
			ck_assert_int_eq(fs_inode_apply(f.j, &b, NULL), 0);
			files_sync(&f);
		}
		ck_assert_uint_eq(w.damaged, 0);
		met = w.records;
		ck_assert_uint_lt(++walks, 10);
	} while (met);
	return walks;
}

/* With the newest key alone. */
static void open_with(const struct keys_journal *keys)
{
	struct fs_journal_open o = {
		.index = 5, .generation = 2, .keys = keys, .signer_pk = files_signer_pk, .ctx = &f};

	f.cfg.create = false;
	ck_assert_int_eq(fs_records_open(&f.cfg, &f.r), 0);
	ck_assert_int_eq(fs_journal_open(f.r, &o, &f.j), 0);
	ck_assert_int_eq(fs_inode_get(f.j, FS_ROOT_INO, &f.root), 0);
}

START_TEST(renewal)
{
	struct fs_inode *i = files_make(&f, f.root, "scan.pdf", S_IFREG | 0640);
	uint8_t *v1 = malloc(BIG), *v2 = malloc(BIG), *v3 = malloc(BIG);
	struct fs_journal_key *k = NULL;
	struct keys_journal second;
	uint64_t units;
	struct fs_batch b;
	struct list l;

	fill(v1, BIG, 1);
	fill(v2, BIG, 2);
	save(i, v1, BIG);
	tick(1);
	memcpy(v2, v1, 100000);
	files_write(&f, i, 100000, v2 + 100000, BIG - 100000);
	saved(i);
	save_text(i, "small");
	save_text(i, "small too");
	fill(v3, BIG, 3);
	save(i, v3, BIG);
	files_sync(&f);
	/* A save is under way: pages of its version change beside the sealing. */
	files_write(&f, i, 0, "begun", 5);
	units = check_units();
	keys_random(&second, sizeof(second));
	ck_assert_int_eq(fs_journal_key_new(f.j, 2, &second, &k), 0);
	fs_journal_key_link(f.j, k, 0);
	fs_batch_init(&b, f.signer);
	fs_journal_keep_names(f.j, &b);
	ck_assert_int_eq(fs_inode_apply(f.j, &b, NULL), 0);
	files_write(&f, i, 150000, "and goes on", 11);
	ck_assert_uint_ge(seal_all_again(), 2);
	saved(i);
	ck_assert_uint_eq(check_units(), units + 1);
	fs_inode_put(i);
	files_close(&f);
	open_with(&second);
	i = look("scan.pdf");
	l = list(i);
	ck_assert_uint_eq(l.n, 6);
	check_bytes(&l.v[1], v3, BIG);
	memcpy(v3, "begun", 5);
	memcpy(v3 + 150000, "and goes on", 11);
	check_bytes(&l.v[0], v3, BIG);
	check_text(&l.v[2], "small too");
	check_text(&l.v[3], "small");
	check_bytes(&l.v[4], v2, BIG);
	check_bytes(&l.v[5], v1, BIG);
	fs_inode_put(i);
	free(v1);
	free(v2);
	free(v3);
}
END_TEST

/* ---- pruning ---- */

START_TEST(prune)
{
	struct fs_inode *i = files_make(&f, f.root, "note.txt", S_IFREG | 0640);
	uint8_t *p = malloc(BIG);
	struct list l;
	char text[32];
	uint64_t units;

	fill(p, BIG, 7);
	save(i, p, BIG);
	save(i, p + 1, BIG - 1);
	fs_inode_put(i);
	for (int n = 0; n < 3; n++) {
		snprintf(text, sizeof(text), "over %d", n);
		save_over("note.txt", text);
	}
	i = look("note.txt");
	save_text(i, "in place 1");
	save_text(i, "in place 2");
	l = list(i);
	ck_assert_uint_eq(l.n, 7);
	units = check_units();
	/* Nothing to drop. */
	ck_assert_int_eq(fs_history_prune(i, 6, 0, &f.who), 0);
	ck_assert_uint_eq(f.who.group, 0);
	ck_assert_uint_eq(list(i).n, 7);
	/* One of the first inode's two. */
	ck_assert_int_eq(fs_history_prune(i, 5, 0, &f.who), 0);
	ck_assert_uint_eq(list(i).n, 6);
	check_bytes(&list(i).v[5], p + 1, BIG - 1);
	ck_assert_uint_lt(check_units(), units);
	/* By age: what was replaced before then. */
	ck_assert_int_eq(fs_history_prune(i, 0, list(i).v[3].mtime.tv_sec + 1, &f.who), 0);
	ck_assert_uint_eq(list(i).n, 4);
	ck_assert_uint_eq(check_units(), 0);
	check_text(&list(i).v[2], "over 2");
	check_text(&list(i).v[3], "over 1");
	ck_assert_int_eq(fs_history_prune(i, 1, 0, &f.who), 0);
	ck_assert_uint_eq(list(i).n, 2);
	check_text(&list(i).v[1], "in place 1");
	ck_assert_uint_eq(i->before, 0);
	save_text(i, "in place 3");
	ck_assert_uint_eq(list(i).n, 3);
	fs_inode_put(i);
	files_reopen(&f, false);
	i = look("note.txt");
	check_text(&list(i).v[2], "in place 1");
	/* A final note's stay. */
	i->flags |= FS_INODE_FINAL;
	ck_assert_int_eq(fs_history_prune(i, 1, 0, &f.who), 0);
	ck_assert_uint_eq(list(i).n, 3);
	fs_inode_put(i);
	free(p);
}
END_TEST

/* ---- what it costs ---- */

struct sum {
	size_t records, bytes;
};

static struct sum stored(uint64_t ino)
{
	struct fs_key from = fs_key(5, ino, FS_T_VERSION), to = fs_key(5, ino, FS_T_OLD_MAP + 1);
	struct fs_key key = from;
	struct sum s = {0, 0};
	struct fs_snap *snap;
	const uint8_t *val;
	size_t len;

	files_sync(&f);
	ck_assert_int_eq(fs_store_snap_begin(fs_records_store(f.r), &snap), 0);
	while (!fs_store_next(snap, &key, &key, &val, &len) && fs_key_cmp(&key, &to) < 0) {
		s.records++;
		s.bytes += key.len + len;
		key.b[key.len++] = 0;
	}
	fs_store_snap_end(snap);
	return s;
}

static const char *const words[] = {"patient", "reports",  "pain",	 "in",	      "the",
				    "left",    "shoulder", "since",	 "three",     "weeks",
				    "denies",  "fever",	   "prescribed", "ibuprofen", "400",
				    "mg",      "control",  "on",	 "monday"};

static size_t add_words(char *text, size_t at, size_t cap)
{
	while (at + 16 < cap)
		at += (size_t)sprintf(text + at, "%s ", words[rnd(19)]);
	return at;
}

START_TEST(storage)
{
	struct fs_inode *i = files_make(&f, f.root, "note.txt", S_IFREG | 0640);
	char text[12000], *was[101];
	size_t size = add_words(text, 0, 10000), len[101];
	struct sum s;

	for (int n = 0; n < 101; n++) {
		size_t at = rnd((unsigned)size - 100), more;

		/* A word here, and a line at the end. */
		memcpy(text + at, "note", 4);
		more = n % 5 ? 0
			     : (size_t)sprintf(text + size, "%s %s.\n", words[rnd(19)],
					       words[rnd(19)]);
		size += more;
		save(i, text, size);
		was[n] = malloc(size);
		memcpy(was[n], text, size);
		len[n] = size;
	}
	s = stored(i->ino);
	printf("100 earlier versions of %zu bytes: %zu records, %zu bytes stored\n", size,
	       s.records, s.bytes);
	ck_assert_uint_lt(s.bytes, 3 * 10000);
	ck_assert_uint_eq(list(i).n, 101);
	for (int n = 0; n < 101; n++) {
		check_bytes(&list(i).v[100 - n], was[n], len[n]);
		free(was[n]);
	}
	fs_inode_put(i);
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
	tcase_add_test(tc, damage);
	tcase_add_test(tc, rename_over);
	tcase_add_test(tc, rename_over_unkept);
	tcase_add_test(tc, link_goes_over);
	tcase_add_test(tc, moved_away);
	tcase_add_test(tc, moved_then_renamed);
	tcase_add_test(tc, moved_and_back);
	tcase_add_test(tc, past_may_be_final);
	tcase_add_test(tc, backup_is_no_past);
	tcase_add_test(tc, note_over_note);
	tcase_add_test(tc, removal);
	tcase_add_test(tc, in_chunks);
	tcase_add_test(tc, purge_frees);
	tcase_add_test(tc, renewal);
	tcase_add_test(tc, prune);
	tcase_add_test(tc, storage);
	suite_add_tcase(s, tc);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
