/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/test_fs_history_tree.c - `.history`: virtual inodes, their names, what reading and
 * changing them says. */
#include "test_fs_files.h"

#include <fcntl.h>
#include <stdatomic.h>

#include "fs/head.h"
#include "fs/history.h"
#include "fs/history_tree_impl.h"

#define FILE_MODE (S_IFREG | 0640)
#define DIR_MODE (S_IFDIR | 0750)
#define DAY 86400

static struct files f;

static int name_of(void *ctx, uint32_t pid, char *out, size_t cap)
{
	(void)ctx;
	if (pid != 3)
		return -ENOENT;
	snprintf(out, cap, "anna/b\n");
	return 0;
}

static void start(void)
{
	files_start(&f);
	f.who.keeps = true;
	f.who.now = NOW(1790000000); /* 2026-09-21T14:13:20Z */
	fs_history_tree_on_name(name_of, NULL);
}

static void stop(void)
{
	fs_history_tree_on_name(NULL, NULL);
	files_stop(&f);
}

static struct fs_inode *at(const char *path)
{
	struct fs_inode *i = NULL, *next = NULL;
	char text[512], *rest = text, *name;

	snprintf(text, sizeof(text), "%s", path);
	ck_assert_int_eq(fs_history_tree_root(f.j, &i), 0);
	while ((name = strsep(&rest, "|")) && *name) {
		int rc = fs_tree_lookup(i, name, &next);

		fs_inode_put(i);
		if (rc) {
			errno = -rc;
			return NULL;
		}
		i = next;
	}
	return i;
}

static void missing(const char *path, int rc)
{
	ck_assert_ptr_null(at(path));
	ck_assert_int_eq(errno, -rc);
}

/* A save as a program does it: written, closed. */
static void save(struct fs_inode *i, const char *text, int64_t s)
{
	f.who.now = NOW(s);
	ck_assert_int_eq(fs_content_truncate(i, 0, &f.who), 0);
	files_write(&f, i, 0, text, strlen(text));
	ck_assert_int_eq(fs_history_saved(i, &f.who), 0);
}

static void holds(const char *path, const char *text)
{
	struct fs_inode *i = at(path);
	char buf[256] = "";
	size_t got = 0;

	ck_assert_msg(i != NULL, "%s is not there", path);
	ck_assert_int_eq(files_read(i, 0, buf, sizeof(buf), &got), 0);
	ck_assert_uint_eq(got, strlen(text));
	ck_assert_mem_eq(buf, text, got);
	fs_inode_put(i);
}

static struct fs_inode *note(struct fs_inode *dir, const char *name)
{
	struct fs_inode *i = files_make(&f, dir, name, FILE_MODE);

	save(i, "first", 1790000000);
	save(i, "second one", 1790000000 + DAY);
	return i;
}

struct listed {
	char text[2048];
	uint64_t last;
	unsigned n, most;
};

static int list_one(void *ctx, const struct fs_tree_entry *e)
{
	struct listed *l = ctx;
	size_t len = strlen(l->text);

	ck_assert_uint_gt(e->cookie, 3);
	ck_assert_uint_gt(e->cookie, l->last);
	ck_assert_uint_ge(e->ino, FS_INO_HISTORY);
	ck_assert_uint_le(e->ino, FS_INO_MAX);
	if (l->n == l->most)
		return 1;
	l->n++;
	l->last = e->cookie;
	snprintf(l->text + len, sizeof(l->text) - len, "%s%c\n", e->name,
		 S_ISDIR(e->mode) ? '/' : ' ');
	return 0;
}

static void lists(const char *path, const char *text)
{
	struct listed whole = {.most = 100}, parts = {.most = 0};
	struct fs_inode *i = at(path);

	ck_assert_msg(i != NULL, "%s is not there", path);
	ck_assert_int_eq(fs_tree_list(i, 0, list_one, &whole), 0);
	ck_assert_str_eq(whole.text, text);
	/* One at a time, each going on behind the last. */
	while (parts.most++ < whole.n)
		ck_assert_int_eq(fs_tree_list(i, parts.last, list_one, &parts), 0);
	ck_assert_str_eq(parts.text, text);
	fs_inode_put(i);
}

START_TEST(note_is_a_directory_of_its_versions)
{
	struct fs_inode *dir = files_make(&f, f.root, "sub", DIR_MODE);

	fs_inode_put(note(dir, "plan.txt"));
	lists("", "sub/\n");
	lists("sub", "plan.txt/\n");
	lists("sub|plan.txt", "1 2026-09-21T14.13 anna_b_.txt \n2 2026-09-22T14.13 anna_b_.txt \n");
	holds("sub|plan.txt|1 2026-09-21T14.13 anna_b_.txt", "first");
	holds("sub|plan.txt|1", "first");
	holds("sub|plan.txt|@1", "first");
	holds("sub|plan.txt|@2", "second one");
	missing("sub|plan.txt|3", -ENOENT);
	missing("sub|plan.txt|0", -ENOENT);
	missing("sub|plan.txt|01", -ENOENT);
	missing("sub|plan.txt|1 2026-09-21T14.14 anna_b_.txt", -ENOENT);
	missing("sub|plan.txt|@1 2026-09-21T14.13 anna_b_.txt", -ENOENT);
	missing("sub|plan.txt|99999999999", -ENOENT);
	missing("sub|none", -ENOENT);
	missing("sub|plan.txt|1|x", -ENOTDIR);
	/* No name of the journal leads there. */
	ck_assert_int_eq(fs_tree_lookup(f.root, ".history", &dir), -ENOENT);
	fs_inode_put(at("sub"));
	fs_inode_put(dir);
}
END_TEST

START_TEST(other_than_notes_and_directories_is_not_mirrored)
{
	struct fs_inode *i = NULL;

	ck_assert_int_eq(fs_tree_symlink(f.root, "link", "/etc/passwd", &f.who, &i), 0);
	fs_inode_put(i);
	fs_inode_put(files_make(&f, f.root, "pipe", S_IFIFO | 0600));
	lists("", "");
	missing("link", -ENOENT);
	missing("pipe", -ENOENT);
}
END_TEST

START_TEST(attributes_are_the_versions_own_and_without_write_bits)
{
	struct fs_inode *i;
	struct stat st;

	fs_inode_put(note(f.root, "a.md"));
	i = at("a.md|1");
	ck_assert_ptr_nonnull(i);
	fs_content_stat(i, &st);
	ck_assert_uint_eq(st.st_mode, S_IFREG | 0400);
	ck_assert_uint_eq(st.st_nlink, 1);
	ck_assert_int_eq(st.st_size, 5);
	ck_assert_int_eq(st.st_mtim.tv_sec, 1790000000);
	ck_assert_uint_eq(fs_nodeid_ino(st.st_ino), i->ino);
	ck_assert_uint_eq(i->version, 1);
	fs_inode_put(i);
	i = at("a.md");
	fs_content_stat(i, &st);
	ck_assert_uint_eq(st.st_mode, S_IFDIR | 0500);
	ck_assert_uint_ge(fs_history_tree_real(f.j, i->ino), 2);
	ck_assert_uint_lt(fs_history_tree_real(f.j, i->ino), FS_INO_HISTORY);
	fs_inode_put(i);
}
END_TEST

START_TEST(note_with_two_names_is_two_directories)
{
	struct fs_inode *i = note(f.root, "a.md"), *a, *b;

	ck_assert_int_eq(fs_tree_link(i, f.root, "b.txt", &f.who), 0);
	a = at("a.md");
	b = at("b.txt");
	ck_assert_uint_ne(a->ino, b->ino);
	ck_assert_uint_eq(fs_history_tree_real(f.j, a->ino), i->ino);
	ck_assert_uint_eq(fs_history_tree_real(f.j, b->ino), i->ino);
	lists("a.md", "1 2026-09-21T14.13 anna_b_.md \n2 2026-09-22T14.13 anna_b_.md \n");
	lists("b.txt", "1 2026-09-21T14.13 anna_b_.txt \n2 2026-09-22T14.13 anna_b_.txt \n");
	/* A rename leaves the old number good for who holds it. */
	ck_assert_int_eq(fs_tree_rename(f.root, "a.md", f.root, "c.md", 0, &f.who, NULL, NULL), 0);
	missing("a.md", -ENOENT);
	holds("c.md|1", "first");
	ck_assert_int_eq(fs_tree_list(a, 0, list_one, &(struct listed){.most = 9}), 0);
	fs_inode_put(a);
	fs_inode_put(b);
	fs_inode_put(i);
}
END_TEST

START_TEST(newest_version_follows_the_note)
{
	struct fs_inode *i = note(f.root, "a.md"), *now = at("a.md|2");
	struct stat st;

	ck_assert_ptr_nonnull(now);
	save(i, "and a third", 1790000000 + 2 * DAY);
	/* The number was for version 2, and stays so. */
	holds("a.md|2", "second one");
	holds("a.md|3", "and a third");
	fs_content_stat(now, &st);
	ck_assert_int_eq(st.st_size, 10);
	fs_inode_put(now);
	fs_inode_put(i);
}
END_TEST

START_TEST(every_change_is_erofs)
{
	struct fs_inode *i = note(f.root, "a.md"), *v = at("a.md|1"), *dir = at(""), *other = NULL;
	struct fs_content_attr set = {.owner = true};
	uint64_t next, after;

	ck_assert_int_eq(fs_content_write(v, 0, false, (const uint8_t *)"x", 1, &f.who, NULL),
			 -EROFS);
	ck_assert_int_eq(fs_content_write(v, 0, true, (const uint8_t *)"x", 1, &f.who, NULL),
			 -EROFS);
	ck_assert_int_eq(fs_content_truncate(v, 0, &f.who), -EROFS);
	ck_assert_int_eq(fs_content_allocate(v, 0, 0, 4096, &f.who), -EROFS);
	ck_assert_int_eq(
		fs_content_allocate(v, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 2, &f.who),
		-EROFS);
	ck_assert_int_eq(fs_content_setattr(v, &set, &f.who), -EROFS);
	ck_assert_int_eq(fs_content_setattr(dir, &set, &f.who), -EROFS);
	ck_assert_int_eq(fs_xattr_set(v, "user.a", "b", 1, 0, &f.who), -EROFS);
	ck_assert_int_eq(fs_xattr_remove(v, "user.a", &f.who), -EROFS);
	ck_assert_int_eq(fs_tree_create(dir, "new", FILE_MODE, &f.who, &other), -EROFS);
	ck_assert_int_eq(fs_tree_create(dir, "new", DIR_MODE, &f.who, &other), -EROFS);
	ck_assert_int_eq(fs_tree_nameless(dir, FILE_MODE, &f.who, &other), -EROFS);
	ck_assert_int_eq(fs_tree_symlink(dir, "new", "t", &f.who, &other), -EROFS);
	ck_assert_int_eq(fs_tree_link(v, f.root, "new", &f.who), -EROFS);
	ck_assert_int_eq(fs_tree_link(i, dir, "new", &f.who), -EROFS);
	ck_assert_int_eq(fs_tree_unlink(dir, "a.md", &f.who, NULL), -EROFS);
	ck_assert_int_eq(fs_tree_rmdir(dir, "a.md", &f.who, NULL), -EROFS);
	ck_assert_int_eq(fs_tree_rename(dir, "a.md", f.root, "b", 0, &f.who, NULL, NULL), -EROFS);
	ck_assert_int_eq(fs_tree_rename(f.root, "a.md", dir, "b", 0, &f.who, NULL, NULL), -EROFS);
	ck_assert_int_eq(
		fs_tree_rename(f.root, "a.md", dir, "a.md", FS_TREE_EXCHANGE, &f.who, NULL, NULL),
		-EROFS);
	holds("a.md|1", "first");
	/* Numbers of stored inodes went on as before. */
	other = files_make(&f, f.root, "n1", FILE_MODE);
	next = other->ino;
	fs_inode_put(other);
	other = files_make(&f, f.root, "n2", FILE_MODE);
	after = other->ino;
	fs_inode_put(other);
	ck_assert_uint_eq(after, next + 1);
	fs_inode_put(dir);
	fs_inode_put(v);
	fs_inode_put(i);
}
END_TEST

START_TEST(nothing_virtual_is_ever_stored)
{
	struct fs_inode *i = note(f.root, "a.md"), *v = at("a.md|1"), *dir = at("");
	struct fs_batch b;

	for (int k = 0; k < 2; k++) {
		struct fs_inode *what = k ? dir : v;

		fs_batch_init(&b, f.signer);
		fs_inode_store(&b, what);
		ck_assert_int_eq(b.rc, -EROFS);
		ck_assert_int_eq(fs_inode_apply(f.j, &b, NULL), -EROFS);
		ck_assert(!files_has(&f, what->ino, FS_T_INODE));
	}
	fs_inode_put(dir);
	fs_inode_put(v);
	fs_inode_put(i);
}
END_TEST

START_TEST(revert_and_park_leave_them_as_they_are)
{
	struct fs_inode *i = note(f.root, "a.md"), *v = at("a.md|1"), *again = NULL;
	char buf[16];
	size_t got;

	files_sync(&f);
	ck_assert_int_eq(fs_inode_revert(f.j), 0);
	ck_assert(!v->deleted);
	ck_assert(!v->gone);
	ck_assert_int_eq(files_read(v, 0, buf, sizeof(buf), &got), 0);
	ck_assert_uint_eq(got, 5);
	again = fs_inode_find(f.j, v->ino);
	ck_assert_ptr_eq(again, v);
	fs_inode_park(again);
	ck_assert_int_eq(fs_inode_unpark(f.j, v->ino, NULL, &again), 0);
	ck_assert_ptr_eq(again, v);
	fs_inode_put(again);
	ck_assert_int_eq(fs_inode_reap(f.j, f.signer), 0);
	holds("a.md|1", "first");
	fs_inode_put(v);
	fs_inode_put(i);
}
END_TEST

START_TEST(numbers_are_stable_while_open_and_never_another_s_afterwards)
{
	struct fs_inode *i = note(f.root, "a.md"), *v = at("a.md|1"), *again = NULL;
	uint64_t number = v->ino;

	fs_inode_put(v);
	v = at("a.md|1");
	ck_assert_uint_eq(v->ino, number);
	fs_inode_put(v);
	fs_inode_put(i);
	files_reopen(&f, false);
	ck_assert_int_eq(fs_inode_get(f.j, number, &again), -ESTALE);
	v = at("a.md|1");
	ck_assert_ptr_nonnull(v);
	ck_assert_uint_ne(v->ino, number);
	fs_inode_put(v);
	ck_assert_int_eq(fs_inode_get(f.j, number, &again), -ESTALE);
	ck_assert_int_eq(fs_inode_get(f.j, FS_INO_MAX, &again), -ESTALE);
	ck_assert_int_eq(fs_inode_get(f.j, FS_INO_HISTORY, &again), -ESTALE);
	ck_assert_uint_eq(fs_history_tree_real(f.j, number), 0);
	ck_assert_uint_eq(fs_history_tree_real(f.j, 7), 7);
}
END_TEST

START_TEST(unlinked_files_that_wait_for_their_close_are_not_reached)
{
	struct fs_inode *i = NULL, *dir = NULL, *v = NULL, *out = NULL;
	char buf[16];
	size_t got;

	f.who.keeps = false;
	i = files_make(&f, f.root, "tmp", FILE_MODE);
	save(i, "first", 1790000000);
	dir = at("tmp");
	v = at("tmp|1");
	ck_assert_ptr_nonnull(v);
	ck_assert_int_eq(fs_tree_unlink(f.root, "tmp", &f.who, NULL), 0);
	ck_assert_int_eq(fs_tree_lookup(dir, "1", &out), -ESTALE);
	ck_assert_int_eq(files_read(v, 0, buf, sizeof(buf), &got), -ESTALE);
	missing("tmp", -ENOENT);
	fs_inode_put(v);
	fs_inode_put(dir);
	fs_inode_put(i);
}
END_TEST

START_TEST(removed_notes_stand_beside_with_what_they_held)
{
	struct fs_inode *dir = files_make(&f, f.root, "sub", DIR_MODE);

	fs_inode_put(note(dir, "plan.txt"));
	f.who.now = NOW(1790000000 + 3 * DAY);
	ck_assert_int_eq(fs_tree_unlink(dir, "plan.txt", &f.who, NULL), 0);
	lists("sub", "plan.txt (removed 2026-09-24T14.13)/\n");
	lists("sub|plan.txt (removed 2026-09-24T14.13)",
	      "1 2026-09-21T14.13 anna_b_.txt \n2 2026-09-22T14.13 anna_b_.txt \n");
	holds("sub|plan.txt (removed 2026-09-24T14.13)|1", "first");
	holds("sub|plan.txt (removed 2026-09-24T14.13)|2", "second one");
	missing("sub|plan.txt", -ENOENT);
	missing("sub|plan.txt (removed 2026-09-24T14.14)", -ENOENT);
	/* A note of just that name does not hide it. */
	fs_inode_put(files_make(&f, dir, "plan.txt (removed 2026-09-24T14.13)", FILE_MODE));
	holds("sub|plan.txt (removed 2026-09-24T14.13)|1", "first");
	ck_assert_int_eq(fs_tree_unlink(dir, "plan.txt (removed 2026-09-24T14.13)", &f.who, NULL),
			 0);
	/* Its directory goes too: it is found in the one above. */
	ck_assert_int_eq(fs_tree_rmdir(f.root, "sub", &f.who, NULL), 0);
	holds("sub_plan.txt (removed 2026-09-24T14.13)|2", "second one");
	files_sync(&f);
	fs_inode_put(dir);
	files_reopen(&f, false);
	holds("sub_plan.txt (removed 2026-09-24T14.13)|1", "first");
}
END_TEST

START_TEST(removed_twice_in_a_minute_have_two_names)
{
	for (int k = 0; k < 3; k++) {
		fs_inode_put(note(f.root, "a.md"));
		f.who.now = NOW(1790000000 + 3 * DAY + 10 * k);
		ck_assert_int_eq(fs_tree_unlink(f.root, "a.md", &f.who, NULL), 0);
		/* Not the same note again. */
		fs_inode_put(files_make(&f, f.root, "other", FILE_MODE));
		f.who.now = NOW(1790000000 + 4 * DAY);
		ck_assert_int_eq(fs_tree_unlink(f.root, "other", &f.who, NULL), 0);
	}
	lists("", "a.md (removed 2026-09-24T14.13)/\na.md (removed 2026-09-24T14.13, 2)/\n"
		  "a.md (removed 2026-09-24T14.13, 3)/\n");
	holds("a.md (removed 2026-09-24T14.13, 3)|1", "first");
	missing("a.md (removed 2026-09-24T14.13, 4)", -ENOENT);
}
END_TEST

START_TEST(history_can_be_made_by_nobody_but_an_old_entry_stays)
{
	struct fs_inode *i = NULL, *sub = files_make(&f, f.root, "sub", DIR_MODE);

	ck_assert_int_eq(fs_tree_create(f.root, ".history", FILE_MODE, &f.who, &i), -EPERM);
	ck_assert_int_eq(fs_tree_create(f.root, ".history", DIR_MODE, &f.who, &i), -EPERM);
	ck_assert_int_eq(fs_tree_create(f.root, ".history", S_IFIFO | 0600, &f.who, &i), -EPERM);
	ck_assert_int_eq(fs_tree_symlink(f.root, ".history", "x", &f.who, &i), -EPERM);
	i = files_make(&f, f.root, "a", FILE_MODE);
	ck_assert_int_eq(fs_tree_link(i, f.root, ".history", &f.who), -EPERM);
	fs_inode_put(i);
	ck_assert_int_eq(fs_tree_rename(f.root, "a", f.root, ".history", 0, &f.who, NULL, NULL),
			 -EPERM);
	ck_assert_int_eq(fs_tree_rename(f.root, "sub", f.root, ".history", FS_TREE_EXCHANGE, &f.who,
					NULL, NULL),
			 -EPERM);
	ck_assert_int_eq(fs_tree_rename(f.root, ".history", f.root, "a", FS_TREE_EXCHANGE, &f.who,
					NULL, NULL),
			 -EPERM);
	/* Elsewhere it is a name like others. */
	i = files_make(&f, sub, ".history", FILE_MODE);
	fs_inode_put(i);
	ck_assert_int_eq(fs_tree_rename(sub, ".history", sub, "b", 0, &f.who, NULL, NULL), 0);
	fs_inode_put(sub);
}
END_TEST

START_TEST(entry_of_that_name_from_before_comes_first_and_can_be_moved_away)
{
	struct fs_inode *i = note(f.root, "a.md"), *got = NULL;
	struct fs_inode_attr da = f.root->attr;
	struct fs_batch b;
	struct fs_dirent e;
	uint64_t spare = 0;

	ck_assert_int_eq(fs_dirent_find(f.j, FS_ROOT_INO, 1, ".history", &e, &spare), -ENOENT);
	fs_batch_init(&b, f.signer);
	fs_dirent_put(&b, f.j, FS_ROOT_INO, 1, spare, ".history", i->ino, S_IFREG);
	da.size++;
	fs_inode_store_attr(&b, f.root, &da);
	ck_assert_int_eq(fs_inode_apply(f.j, &b, NULL), 0);
	f.root->attr = da;
	ck_assert_int_eq(fs_tree_lookup(f.root, ".history", &got), 0);
	ck_assert_ptr_eq(got, i);
	fs_inode_put(got);
	ck_assert_int_eq(fs_tree_rename(f.root, ".history", f.root, "old", 0, &f.who, NULL, NULL), 0);
	ck_assert_int_eq(fs_tree_lookup(f.root, ".history", &got), -ENOENT);
	fs_inode_put(i);
}
END_TEST

#define SAVES 120

static atomic_uint saved;

static void *read_on(void *ctx)
{
	unsigned seed = (unsigned)(uintptr_t)ctx, n;

	while ((n = atomic_load(&saved)) < SAVES) {
		char path[32], want[32], buf[64] = "";
		struct listed l = {.most = 1000};
		struct fs_inode *i;
		size_t got = 0;
		unsigned v;

		seed = seed * 1103515245 + 12345;
		v = n ? seed / 65536 % n + 1 : 0;
		if (!v)
			continue;
		snprintf(path, sizeof(path), "a.md|%u", v);
		snprintf(want, sizeof(want), "save %u", v);
		i = at(path);
		ck_assert_msg(i != NULL, "%s of %u: %s", path, n, strerror(errno));
		ck_assert_int_eq(files_read(i, 0, buf, sizeof(buf) - 1, &got), 0);
		/* The newest may be in the midst of the next save. */
		if (v < n)
			ck_assert_str_eq(buf, want);
		fs_inode_put(i);
		i = at("a.md");
		ck_assert_int_eq(fs_tree_list(i, 0, list_one, &l), 0);
		ck_assert_uint_ge(l.n, n);
		fs_inode_put(i);
	}
	return NULL;
}

START_TEST(versions_are_read_while_others_save)
{
	struct fs_inode *i = files_make(&f, f.root, "a.md", FILE_MODE);
	pthread_t reader[2];

	atomic_store(&saved, 0);
	for (uintptr_t k = 0; k < 2; k++)
		ck_assert_int_eq(pthread_create(&reader[k], NULL, read_on, (void *)(k + 1)), 0);
	for (unsigned n = 1; n <= SAVES; n++) {
		char text[32];

		snprintf(text, sizeof(text), "save %u", n);
		save(i, text, 1790000000 + n);
		atomic_store(&saved, n);
		if (n % 16 == 0)
			files_sync(&f);
	}
	for (int k = 0; k < 2; k++)
		pthread_join(reader[k], NULL);
	fs_inode_put(i);
}
END_TEST

START_TEST(numbers_of_stored_inodes_end_before_them)
{
	struct fs_inode *i = NULL;
	struct fs_batch b;

	/* A journal that has used up nearly all. */
	fs_batch_init(&b, f.signer);
	fs_head_put_next(&b, f.j, FS_INO_HISTORY - 1);
	ck_assert_int_eq(fs_inode_apply(f.j, &b, NULL), 0);
	files_sync(&f);
	files_reopen(&f, false);
	ck_assert_int_eq(fs_tree_create(f.root, "one more", FILE_MODE, &f.who, &i), -ENOSPC);
}
END_TEST

START_TEST(entry_with_a_virtual_number_is_damage)
{
	struct fs_inode *i = NULL;
	struct fs_batch b;
	struct fs_dirent e;
	uint64_t spare = 0;

	/* Whoever may write in the journal could store one, past the operations. */
	ck_assert_int_eq(fs_dirent_find(f.j, FS_ROOT_INO, 0, "trap", &e, &spare), -ENOENT);
	fs_batch_init(&b, f.signer);
	fs_dirent_put(&b, f.j, FS_ROOT_INO, 0, spare, "trap", FS_INO_HISTORY + 1, S_IFREG);
	ck_assert_int_eq(fs_inode_apply(f.j, &b, NULL), 0);
	ck_assert_int_eq(fs_tree_lookup(f.root, "trap", &i), -EBADMSG);
}
END_TEST

START_TEST(long_names_fit)
{
	struct fs_history_version v = {
		.version = UINT32_MAX, .writer = 77, .mtime = {.tv_sec = INT64_MAX}};
	char name[256], ext[FS_HISTORY_EXT];
	struct fs_history_gone g = {.nth = 2, .when_s = 1790000000, .name = name};
	char out[256];

	fs_history_ext("a.markdown", ext);
	ck_assert_str_eq(ext, ".markdown");
	fs_history_name(&v, ext, out);
	ck_assert_str_eq(out, "4294967295 0000-00-00T00.00 p77.markdown");
	fs_history_ext("a.longerthanthat", ext);
	ck_assert_str_eq(ext, "");
	fs_history_ext(".profile", ext);
	ck_assert_str_eq(ext, "");
	fs_history_ext("a.", ext);
	ck_assert_str_eq(ext, "");
	memset(name, 'n', 255);
	name[255] = '\0';
	fs_history_gone_name(&g, out);
	ck_assert_uint_eq(strlen(out), 255);
	ck_assert_str_eq(out + 255 - 30, " (removed 2026-09-21T14.13, 2)");
}
END_TEST

START_TEST(many_numbers_are_told_apart)
{
	uint64_t a[3000], b;

	for (uint32_t k = 0; k < 3000; k++) {
		struct fs_history_node x = {
			.ino = 2 + k % 1000, .version = k / 1000, .kind = FS_HISTORY_VERSION};

		ck_assert_int_eq(fs_history_number(f.j, &x, &a[k]), 0);
		ck_assert(fs_history_tree_is(a[k]));
	}
	for (uint32_t k = 0; k < 3000; k++) {
		struct fs_history_node x = {
			.ino = 2 + k % 1000, .version = k / 1000, .kind = FS_HISTORY_VERSION};
		struct fs_history_node got;

		ck_assert_int_eq(fs_history_number(f.j, &x, &b), 0);
		ck_assert_uint_eq(a[k], b);
		ck_assert_int_eq(fs_history_node(f.j, b, &got, NULL), 0);
		ck_assert_uint_eq(got.ino, x.ino);
		ck_assert_uint_eq(got.version, x.version);
	}
	ck_assert_uint_eq(sizeof(struct fs_history_node), 32);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("fs_history_tree");
	TCase *tc = tcase_create("tree");
	SRunner *runner = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(tc, start, stop);
	tcase_add_test(tc, note_is_a_directory_of_its_versions);
	tcase_add_test(tc, other_than_notes_and_directories_is_not_mirrored);
	tcase_add_test(tc, attributes_are_the_versions_own_and_without_write_bits);
	tcase_add_test(tc, note_with_two_names_is_two_directories);
	tcase_add_test(tc, newest_version_follows_the_note);
	tcase_add_test(tc, every_change_is_erofs);
	tcase_add_test(tc, nothing_virtual_is_ever_stored);
	tcase_add_test(tc, revert_and_park_leave_them_as_they_are);
	tcase_add_test(tc, numbers_are_stable_while_open_and_never_another_s_afterwards);
	tcase_add_test(tc, unlinked_files_that_wait_for_their_close_are_not_reached);
	tcase_add_test(tc, removed_notes_stand_beside_with_what_they_held);
	tcase_add_test(tc, removed_twice_in_a_minute_have_two_names);
	tcase_add_test(tc, history_can_be_made_by_nobody_but_an_old_entry_stays);
	tcase_add_test(tc, entry_of_that_name_from_before_comes_first_and_can_be_moved_away);
	tcase_add_test(tc, versions_are_read_while_others_save);
	tcase_add_test(tc, numbers_of_stored_inodes_end_before_them);
	tcase_add_test(tc, entry_with_a_virtual_number_is_damage);
	tcase_add_test(tc, long_names_fit);
	tcase_add_test(tc, many_numbers_are_told_apart);
	suite_add_tcase(s, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
