/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attacks on earlier versions: making a note, its past or its author go away without a trace, by
 * second names, temporary names, exchanges, names taken over, and pruning.
 */
#include "test_fs_files.h"

#include "fs/history_impl.h"
#include "fs/history_link.h"

#define OTHER 4 /* another practitioner */

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

static void save_text(struct fs_inode *i, const char *text)
{
	tick(1);
	ck_assert_int_eq(fs_content_truncate(i, 0, &f.who), 0);
	files_write(&f, i, 0, text, strlen(text));
	ck_assert_int_eq(fs_history_saved(i, &f.who), 0);
}

static struct fs_inode *note(const char *name, const char *text)
{
	struct fs_inode *i = files_make(&f, f.root, name, S_IFREG | 0640);

	save_text(i, text);
	tick(1000);
	return i;
}

/* As rank 4 says it of the two names. */
static void names(bool keeps_old, bool keeps_new, bool whole_old, bool whole_new)
{
	f.who.gives = keeps_old;
	f.who.keeps = keeps_new;
	f.who.whole_from = whole_old;
	f.who.whole_to = whole_new;
}

static void plain(void)
{
	names(false, true, false, false);
}

static int rename_to(const char *name, const char *newname, unsigned flags)
{
	return fs_tree_rename(f.root, name, f.root, newname, flags, &f.who, NULL, NULL);
}

static int count(void *ctx, const struct fs_history_version *v)
{
	(void)v;
	++*(size_t *)ctx;
	return 0;
}

static size_t versions(struct fs_inode *i)
{
	size_t n = 0;

	ck_assert_int_eq(fs_history_list(i, count, &n), 0);
	return n;
}

static bool holds(struct fs_inode *i, uint32_t version, const char *text)
{
	struct fs_history_version v;
	struct fs_iov iov = {.n = 0};
	bool same;

	if (fs_history_find(i, version, &v) || v.size != strlen(text))
		return false;
	ck_assert_int_eq(fs_history_read(f.j, &v, 0, 4096, &iov), 0);
	same = iov.len == strlen(text) && iov.n == 1 && !memcmp(iov.v[0].iov_base, text, iov.len);
	fs_iov_clear(&iov);
	return same;
}

struct gone {
	uint64_t ino;
	bool found;
};

static int is_gone(void *ctx, const struct fs_history_removed *r)
{
	struct gone *g = ctx;

	g->found |= r->ino == g->ino;
	return 0;
}

static bool removed(uint64_t ino)
{
	struct gone g = {.ino = ino};

	ck_assert_int_eq(fs_history_removed(f.j, 0, is_gone, &g), 0);
	return g.found;
}

/* ---- names that keep nothing ---- */

START_TEST(second_name_then_removed)
{
	struct fs_inode *i = note("note", "text");
	uint64_t ino = i->ino;

	names(true, false, true, false);
	ck_assert_int_eq(fs_tree_link(i, f.root, ".note.swp", &f.who), 0);
	fs_inode_put(i);
	plain();
	ck_assert_int_eq(fs_tree_unlink(f.root, "note", &f.who, NULL), 0);
	f.who.keeps = false;
	ck_assert_int_eq(fs_tree_unlink(f.root, ".note.swp", &f.who, NULL), 0);
	ck_assert(removed(ino));
	ck_assert(files_has(&f, ino, FS_T_INODE));
}
END_TEST

START_TEST(exchanged_then_removed)
{
	struct fs_inode *i = note("note", "text"), *swp = note(".note.swp", "x");
	uint64_t ino = i->ino;

	swp->version = 0;
	fs_inode_put(swp);
	fs_inode_put(i);
	/* .note.swp <-> note */
	names(false, true, false, true);
	ck_assert_int_eq(rename_to(".note.swp", "note", FS_TREE_EXCHANGE), 0);
	f.who.keeps = false;
	ck_assert_int_eq(fs_tree_unlink(f.root, ".note.swp", &f.who, NULL), 0);
	ck_assert(removed(ino));
}
END_TEST

START_TEST(overwritten_under_a_temporary_name)
{
	struct fs_inode *i = note("note", "text");

	names(true, false, true, false);
	ck_assert_int_eq(rename_to("note", "note~", 0), 0);
	names(false, false, false, false);
	save_text(i, "nothing");
	ck_assert(holds(i, 1, "text"));
	fs_inode_put(i);
}
END_TEST

/* What was never a note goes on without versions. */
START_TEST(temporary_stays_temporary)
{
	struct fs_inode *i, *t;
	uint64_t ino;

	names(false, false, false, false);
	i = note(".a.swp", "one");
	t = note(".b.swp", "two");
	ino = i->ino;
	fs_inode_put(i);
	ck_assert_int_eq(rename_to(".b.swp", ".a.swp", 0), 0);
	ck_assert(!files_has(&f, ino, FS_T_INODE));
	save_text(t, "three");
	ck_assert_uint_eq(versions(t), 1);
	fs_inode_put(t);
}
END_TEST

/* What another has just written is a note. */
START_TEST(fresh_note_of_another_is_kept)
{
	struct fs_inode *i = files_make(&f, f.root, "note", S_IFREG | 0640);
	uint64_t ino = i->ino;

	save_text(i, "her text");
	fs_inode_put(i);
	f.who.pid = OTHER;
	names(true, false, true, false);
	ck_assert_int_eq(rename_to("note", ".z.swp", 0), 0);
	names(false, false, false, false);
	ck_assert_int_eq(fs_tree_unlink(f.root, ".z.swp", &f.who, NULL), 0);
	ck_assert(removed(ino));
}
END_TEST

/* Policy keeps nothing of "x.cache": what a program writes beside it and renames over it is no
 * note. */
START_TEST(kept_none_stays_none)
{
	struct fs_inode *t = NULL;

	for (int n = 0; n < 3; n++) {
		plain();
		t = files_make(&f, f.root, "x.cache.AbCdEf", S_IFREG | 0640);
		save_text(t, "more");
		names(true, false, true, false);
		ck_assert_int_eq(rename_to("x.cache.AbCdEf", "x.cache", 0), 0);
		tick(1000);
		if (n < 2)
			fs_inode_put(t);
	}
	ck_assert_uint_eq(versions(t), 1);
	save_text(t, "in place");
	ck_assert_uint_eq(versions(t), 1);
	fs_inode_put(t);
}
END_TEST

/* ---- a past that goes on ---- */

START_TEST(past_with_a_name_is_removed)
{
	struct fs_inode *old = note("note", "one"), *i;
	uint64_t ino = old->ino;

	names(true, true, false, false);
	ck_assert_int_eq(rename_to("note", "note-2025", 0), 0);
	plain();
	i = files_make(&f, f.root, "note", S_IFREG | 0640);
	ck_assert_uint_eq(i->before, ino);
	save_text(i, "new");
	tick(1000);
	save_text(old, "two");
	fs_inode_put(old);
	tick(1000);
	/* Only what it was when the other began is the other's. */
	ck_assert_int_eq(fs_tree_unlink(f.root, "note-2025", &f.who, NULL), 0);
	ck_assert(removed(ino));
	ck_assert_int_eq(fs_inode_get(f.j, ino, &old), 0);
	ck_assert(holds(old, 2, "two"));
	ck_assert(holds(i, 1, "one"));
	fs_inode_put(old);
	fs_inode_put(i);
}
END_TEST

START_TEST(past_is_saved_over_by_its_heir)
{
	struct fs_inode *old = note("note", "one"), *i;
	uint64_t ino = old->ino;

	names(true, true, false, false);
	ck_assert_int_eq(rename_to("note", "copy", 0), 0);
	plain();
	i = files_make(&f, f.root, "note", S_IFREG | 0640);
	save_text(i, "new");
	tick(1000);
	save_text(old, "two");
	fs_inode_put(old);
	ck_assert_int_eq(rename_to("note", "copy", 0), 0);
	ck_assert(removed(ino));
	fs_inode_put(i);
}
END_TEST

/* ---- whose ---- */

START_TEST(author_is_not_taken)
{
	struct fs_inode *i = note("anna.txt", "her text"), *own;

	f.who.pid = OTHER;
	own = note("mine", "x");
	ck_assert_int_eq(rename_to("anna.txt", "mine", 0), 0);
	ck_assert_uint_eq(i->author, 3);
	fs_inode_put(i);
	fs_inode_put(own);
}
END_TEST

START_TEST(name_of_another_is_not_taken_over)
{
	struct fs_inode *i = note("plan", "her text"), *own;
	uint64_t ino = i->ino;

	fs_inode_put(i);
	ck_assert_int_eq(fs_tree_unlink(f.root, "plan", &f.who, NULL), 0);
	f.who.pid = OTHER;
	own = files_make(&f, f.root, "plan", S_IFREG | 0640);
	ck_assert_uint_eq(own->author, OTHER);
	ck_assert_uint_eq(own->before, 0);
	ck_assert(removed(ino));
	fs_inode_put(own);
}
END_TEST

START_TEST(emergency_changes_no_past)
{
	struct fs_inode *i = note("plan", "text"), *own;
	uint64_t ino = i->ino;

	fs_inode_put(i);
	ck_assert_int_eq(fs_tree_unlink(f.root, "plan", &f.who, NULL), 0);
	f.who.own_s = f.who.now.tv_sec;
	own = files_make(&f, f.root, "plan", S_IFREG | 0640);
	ck_assert_uint_eq(own->before, 0);
	ck_assert(removed(ino));
	fs_inode_put(own);
}
END_TEST

/* ---- age ---- */

/* What is due stays due under a second name that is none of record content. */
START_TEST(second_name_gives_no_time)
{
	struct fs_inode *i = note("note.txt", "text");

	names(true, true, true, false);
	ck_assert_int_eq(fs_tree_link(i, f.root, "note.x", &f.who), 0);
	plain();
	tick(5000);
	f.who.whole_due_s = f.who.now.tv_sec - 1000;
	ck_assert_int_eq(fs_content_truncate(i, 0, &f.who), -EPERM);
	ck_assert_int_eq(fs_tree_unlink(f.root, "note.x", &f.who, NULL), -EPERM);
	f.who.whole_due_s = i->ctime.tv_sec - 1;
	ck_assert_int_eq(fs_content_truncate(i, 0, &f.who), 0);
	fs_inode_put(i);
}
END_TEST

/* ---- pruning ---- */

/* Record content under a second name of which policy keeps one version. */
START_TEST(prune_by_another_name)
{
	struct fs_inode *i = note("note.txt", "one");

	save_text(i, "two");
	save_text(i, "three");
	tick(1000);
	names(true, true, true, false);
	ck_assert_int_eq(fs_tree_link(i, f.root, "note.x", &f.who), 0);
	ck_assert_int_eq(fs_history_prune(i, 1, 0, &f.who), 0);
	ck_assert_uint_eq(versions(i), 3);
	fs_inode_put(i);
	i = note("other.txt", "one");
	save_text(i, "two");
	tick(1000);
	ck_assert_int_eq(rename_to("other.txt", "other.x", 0), 0);
	ck_assert_int_eq(fs_history_prune(i, 1, 0, &f.who), 0);
	ck_assert_uint_eq(versions(i), 2);
	fs_inode_put(i);
}
END_TEST

/* A file that a program has just written to be renamed to note.x is no record content. */
START_TEST(saves_are_pruned)
{
	struct fs_inode *i = note("note.x", "one"), *t;

	plain();
	fs_inode_put(i);
	for (int n = 0; n < 3; n++) {
		t = files_make(&f, f.root, "note.x.AbCdEf", S_IFREG | 0640);
		save_text(t, "more");
		names(true, true, true, false);
		ck_assert_int_eq(rename_to("note.x.AbCdEf", "note.x", 0), 0);
		plain();
		tick(1000);
		if (n < 2)
			fs_inode_put(t);
	}
	ck_assert_uint_eq(versions(t), 4);
	ck_assert_int_eq(fs_history_prune(t, 1, 0, &f.who), 0);
	ck_assert_uint_eq(versions(t), 2);
	fs_inode_put(t);
}
END_TEST

/* Two notes have one past: the one of which little is kept does not take it from the other. */
START_TEST(prune_of_a_shared_past)
{
	struct fs_inode *i = note("note.txt", "one"), *x, *t;

	plain();
	ck_assert_int_eq(fs_tree_link(i, f.root, "note.x", &f.who), 0);
	fs_inode_put(i);
	x = note("t", "x1");
	ck_assert_int_eq(rename_to("t", "note.x", 0), 0);
	tick(1000);
	t = note("t", "two");
	ck_assert_int_eq(rename_to("t", "note.txt", 0), 0);
	ck_assert_uint_eq(versions(t), 2);
	save_text(x, "x2");
	save_text(x, "x3");
	ck_assert_int_eq(fs_history_prune(x, 1, 0, &f.who), 0);
	ck_assert_uint_eq(versions(t), 2);
	ck_assert(holds(t, 1, "one"));
	fs_inode_put(x);
	fs_inode_put(t);
}
END_TEST

/* ---- numbers used again ---- */

#define BIG 100000u

static void save_big(struct fs_inode *i, uint8_t c)
{
	uint8_t *p = malloc(BIG);

	memset(p, c, BIG);
	tick(1);
	files_write(&f, i, 0, p, BIG);
	ck_assert_int_eq(fs_history_saved(i, &f.who), 0);
	files_sync(&f);
	free(p);
}

/* A program's file that was saved thrice becomes the note: its own numbers go, and come again at
 * once. */
START_TEST(number_comes_again)
{
	struct fs_inode *i = note("note", "text"), *t;
	struct fs_history_version v;
	struct fs_iov iov = {.n = 0};

	fs_inode_put(i);
	t = files_make(&f, f.root, "t", S_IFREG | 0640);
	save_big(t, 'a');
	save_big(t, 'b');
	save_big(t, 'c');
	ck_assert_int_eq(rename_to("t", "note", 0), 0);
	ck_assert_uint_eq(t->version, 2);
	files_write(&f, t, 0, (const uint8_t *)"d", 1);
	ck_assert_int_eq(fs_history_saved(t, &f.who), 0);
	files_sync(&f);
	ck_assert_uint_eq(versions(t), 3);
	ck_assert_int_eq(fs_history_find(t, 2, &v), 0);
	ck_assert_int_eq(fs_history_read(f.j, &v, 0, 4096, &iov), 0);
	for (size_t n = 0; n < 4096; n++)
		ck_assert_int_eq(((const char *)iov.v[0].iov_base)[n], 'c');
	fs_iov_clear(&iov);
	fs_inode_put(t);
}
END_TEST

/* What is cut of a sparse file asks for no more room than its chunks need. */
START_TEST(sparse_file_is_cut)
{
	struct fs_inode *i = files_make(&f, f.root, "image", S_IFREG | 0640);
	struct fs_history_version v;
	struct fs_iov iov = {.n = 0};

	files_write(&f, i, UINT64_C(1) << 42, (const uint8_t *)"end", 3);
	ck_assert_int_eq(fs_history_saved(i, &f.who), 0);
	files_sync(&f);
	tick(1000);
	ck_assert_int_eq(fs_content_truncate(i, 0, &f.who), 0);
	files_write(&f, i, 0, "x", 1);
	ck_assert_int_eq(fs_history_saved(i, &f.who), 0);
	files_sync(&f);
	ck_assert_int_eq(fs_history_find(i, 1, &v), 0);
	ck_assert_uint_eq(v.size, (UINT64_C(1) << 42) + 3);
	ck_assert_int_eq(fs_history_read(f.j, &v, UINT64_C(1) << 42, 4096, &iov), 0);
	ck_assert_uint_eq(iov.len, 3);
	ck_assert_int_eq(memcmp(iov.v[0].iov_base, "end", 3), 0);
	fs_iov_clear(&iov);
	fs_inode_put(i);
}
END_TEST

/* ---- the journal ---- */

START_TEST(journal_with_removed_notes_is_not_empty)
{
	struct fs_inode *i = note("note", "text");

	fs_inode_put(i);
	ck_assert_int_eq(fs_tree_unlink(f.root, "note", &f.who, NULL), 0);
	ck_assert_int_eq(fs_tree_empty(f.j), -ENOTEMPTY);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("fs/history attacks");
	TCase *t = tcase_create("all");
	int failed;
	SRunner *r;

	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, second_name_then_removed);
	tcase_add_test(t, exchanged_then_removed);
	tcase_add_test(t, overwritten_under_a_temporary_name);
	tcase_add_test(t, temporary_stays_temporary);
	tcase_add_test(t, fresh_note_of_another_is_kept);
	tcase_add_test(t, kept_none_stays_none);
	tcase_add_test(t, past_with_a_name_is_removed);
	tcase_add_test(t, past_is_saved_over_by_its_heir);
	tcase_add_test(t, author_is_not_taken);
	tcase_add_test(t, name_of_another_is_not_taken_over);
	tcase_add_test(t, emergency_changes_no_past);
	tcase_add_test(t, second_name_gives_no_time);
	tcase_add_test(t, prune_by_another_name);
	tcase_add_test(t, saves_are_pruned);
	tcase_add_test(t, prune_of_a_shared_past);
	tcase_add_test(t, number_comes_again);
	tcase_add_test(t, sparse_file_is_cut);
	tcase_add_test(t, journal_with_removed_notes_is_not_empty);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? 1 : 0;
}
