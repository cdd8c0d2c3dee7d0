/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/test_fs_tree.c - names: make, look up, link, rename, remove, list. */
#include "test_fs_files.h"

#include <stdatomic.h>

#define FILE_MODE (S_IFREG | 0640)
#define DIR_MODE (S_IFDIR | 0750)

static struct files f;

static void start(void)
{
	files_start(&f);
}

static void stop(void)
{
	files_stop(&f);
}

static void touch(struct fs_inode *dir, const char *name)
{
	fs_inode_put(files_make(&f, dir, name, FILE_MODE));
}

static uint64_t ino_of(struct fs_inode *dir, const char *name)
{
	struct fs_inode *i = NULL;
	uint64_t ino;

	if (fs_tree_lookup(dir, name, &i))
		return 0;
	ino = i->ino;
	fs_inode_put(i);
	return ino;
}

static int rename_to(struct fs_inode *dir, const char *name, struct fs_inode *newdir,
		     const char *newname, unsigned flags)
{
	return fs_tree_rename(dir, name, newdir, newname, flags, &f.who, NULL, NULL);
}

START_TEST(create_makes_what_lookup_finds)
{
	struct fs_inode *i, *got = NULL;

	f.who.now = NOW(2000);
	i = files_make(&f, f.root, "note.txt", FILE_MODE);
	ck_assert_uint_ne(f.who.group, 0);
	ck_assert_int_eq(fs_tree_lookup(f.root, "note.txt", &got), 0);
	ck_assert_ptr_eq(got, i);
	ck_assert_uint_eq(i->mode, FILE_MODE);
	ck_assert_uint_eq(i->nlink, 1);
	ck_assert_uint_eq(i->author, 3);
	ck_assert_int_eq(i->btime.tv_sec, 2000);
	ck_assert_int_eq(f.root->mtime.tv_sec, 2000);
	ck_assert_int_eq(f.root->ctime.tv_sec, 2000);
	ck_assert_int_eq(f.root->btime.tv_sec, 1000);
	fs_inode_put(got);
	fs_inode_put(i);
	ck_assert_int_eq(fs_tree_create(f.root, "note.txt", FILE_MODE, &f.who, &i), -EEXIST);
	ck_assert_uint_eq(f.who.group, 0);
	ck_assert_int_eq(fs_tree_create(f.root, "dev", S_IFCHR | 0600, &f.who, &i), -EPERM);
	ck_assert_int_eq(fs_tree_lookup(f.root, "other", &i), -ENOENT);
	files_reopen(&f, false);
	ck_assert_uint_ne(ino_of(f.root, "note.txt"), 0);
}
END_TEST

START_TEST(names_are_any_255_bytes)
{
	char name[FS_NAME_MAX + 2];
	struct fs_inode *i;

	memset(name, 0xfe, sizeof(name));
	name[FS_NAME_MAX + 1] = '\0';
	ck_assert_int_eq(fs_tree_create(f.root, name, FILE_MODE, &f.who, &i), -ENAMETOOLONG);
	ck_assert_int_eq(fs_tree_lookup(f.root, name, &i), -ENAMETOOLONG);
	name[FS_NAME_MAX] = '\0';
	touch(f.root, name);
	ck_assert_uint_ne(ino_of(f.root, name), 0);
	for (int c = 1; c < 256; c++) {
		char one[3] = {(char)c, 'x', '\0'};

		if (c != '/')
			touch(f.root, one);
	}
	/* The two Unicode forms of one name are two names, as everywhere on Linux. */
	touch(f.root, "caf\xc3\xa9");
	touch(f.root, "cafe\xcc\x81");
	touch(f.root, "Caf\xc3\xa9");
	ck_assert_uint_ne(ino_of(f.root, "caf\xc3\xa9"), ino_of(f.root, "cafe\xcc\x81"));
	ck_assert_int_eq(fs_tree_create(f.root, "", FILE_MODE, &f.who, &i), -ENOENT);
	ck_assert_int_eq(fs_tree_create(f.root, ".", FILE_MODE, &f.who, &i), -EINVAL);
	ck_assert_int_eq(fs_tree_create(f.root, "..", FILE_MODE, &f.who, &i), -EINVAL);
	ck_assert_int_eq(fs_tree_create(f.root, "a/b", FILE_MODE, &f.who, &i), -EINVAL);
	ck_assert_int_eq(rename_to(f.root, name, f.root, "..", 0), -EINVAL);
}
END_TEST

START_TEST(journal_name_is_kept_and_changed)
{
	char name[256];
	struct fs_batch b;

	ck_assert_int_eq(fs_tree_journal_name(f.j, name), 0);
	ck_assert_str_eq(name, "010190-1234 Hansen, Anna");
	ck_assert_int_eq(fs_tree_empty(f.j), 0);
	fs_batch_init(&b, f.signer);
	ck_assert_int_eq(fs_tree_set_journal_name(f.j, &b, ""), -EINVAL);
	ck_assert_int_eq(fs_tree_set_journal_name(f.j, &b, "010190-1234 Jensen, Anna"), 0);
	ck_assert_int_eq(fs_inode_apply(f.j, &b, NULL), 0);
	touch(f.root, "n");
	ck_assert_int_eq(fs_tree_empty(f.j), -ENOTEMPTY);
	files_reopen(&f, false);
	ck_assert_int_eq(fs_tree_journal_name(f.j, name), 0);
	ck_assert_str_eq(name, "010190-1234 Jensen, Anna");
}
END_TEST

START_TEST(directories_count_their_links)
{
	struct fs_inode *a = files_make(&f, f.root, "a", DIR_MODE);
	struct fs_inode *b = files_make(&f, a, "b", DIR_MODE), *i;

	ck_assert_uint_eq(f.root->nlink, 3);
	ck_assert_uint_eq(a->nlink, 3);
	ck_assert_uint_eq(b->nlink, 2);
	ck_assert_uint_eq(b->parent, a->ino);
	ck_assert_int_eq(fs_tree_rmdir(f.root, "a", &f.who, NULL), -ENOTEMPTY);
	ck_assert_int_eq(fs_tree_unlink(f.root, "a", &f.who, NULL), -EISDIR);
	ck_assert_int_eq(fs_tree_rmdir(f.root, "none", &f.who, NULL), -ENOENT);
	touch(a, "file");
	ck_assert_int_eq(fs_tree_rmdir(a, "file", &f.who, NULL), -ENOTDIR);
	ck_assert_int_eq(rename_to(a, "b", f.root, "c", 0), 0);
	ck_assert_uint_eq(f.root->nlink, 4);
	ck_assert_uint_eq(a->nlink, 2);
	ck_assert_uint_eq(b->parent, FS_ROOT_INO);
	ck_assert_int_eq(fs_tree_rmdir(f.root, "c", &f.who, NULL), 0);
	ck_assert_uint_eq(f.root->nlink, 3);
	ck_assert_uint_eq(b->nlink, 0);
	/* A removed directory takes no entries. */
	ck_assert_int_eq(fs_tree_create(b, "late", FILE_MODE, &f.who, &i), -ENOENT);
	ck_assert_int_eq(rename_to(a, "file", b, "late", 0), -ENOENT);
	ck_assert_int_eq(fs_tree_lookup(b, "x", &i), -ENOENT);
	fs_inode_put(b);
	fs_inode_put(a);
}
END_TEST

START_TEST(hard_links_are_one_file)
{
	struct fs_inode *i = files_make(&f, f.root, "a", FILE_MODE), *d;

	d = files_make(&f, f.root, "d", DIR_MODE);
	f.who.now = NOW(3000);
	ck_assert_int_eq(fs_tree_link(i, d, "b", &f.who), 0);
	ck_assert_uint_eq(i->nlink, 2);
	ck_assert_int_eq(i->ctime.tv_sec, 3000);
	ck_assert_int_eq(i->mtime.tv_sec, 1000);
	ck_assert_uint_eq(ino_of(d, "b"), i->ino);
	ck_assert_int_eq(fs_tree_link(i, d, "b", &f.who), -EEXIST);
	ck_assert_int_eq(fs_tree_link(d, f.root, "dd", &f.who), -EPERM);
	/* Renaming one name of a file onto another does nothing. */
	ck_assert_int_eq(rename_to(f.root, "a", d, "b", 0), 0);
	ck_assert_uint_eq(f.who.group, 0);
	ck_assert_uint_eq(ino_of(f.root, "a"), i->ino);
	ck_assert_int_eq(rename_to(f.root, "a", f.root, "a", 0), 0);
	ck_assert_int_eq(rename_to(f.root, "a", f.root, "a", FS_TREE_NOREPLACE), -EEXIST);
	f.who.now = NOW(4000);
	ck_assert_int_eq(fs_tree_unlink(f.root, "a", &f.who, NULL), 0);
	ck_assert_uint_eq(i->nlink, 1);
	ck_assert(!i->gone);
	ck_assert_int_eq(i->ctime.tv_sec, 4000);
	i->nlink = FS_LINK_MAX;
	ck_assert_int_eq(fs_tree_link(i, d, "c", &f.who), -EMLINK);
	i->nlink = 1;
	fs_inode_put(i);
	fs_inode_put(d);
	files_reopen(&f, false);
	ck_assert_int_eq(fs_tree_lookup(f.root, "d", &d), 0);
	ck_assert_uint_ne(ino_of(d, "b"), 0);
	fs_inode_put(d);
}
END_TEST

START_TEST(nameless_file_gets_a_name_once_or_goes)
{
	struct fs_inode *named = NULL, *lost = NULL, *again = NULL;
	uint64_t size = f.root->size, mtime = (uint64_t)f.root->mtime.tv_sec, gone;

	f.who.now = NOW(3000);
	ck_assert_int_eq(fs_tree_nameless(f.root, 0640, &f.who, &named), 0);
	ck_assert_int_eq(fs_tree_nameless(f.root, 0640, &f.who, &lost), 0);
	ck_assert_uint_eq(named->nlink, 0);
	ck_assert_uint_eq(f.root->size, size);
	ck_assert_uint_eq((uint64_t)f.root->mtime.tv_sec, mtime);
	gone = lost->ino;
	ck_assert_int_eq(fs_tree_link(named, f.root, "named", &f.who), 0);
	ck_assert_uint_eq(named->nlink, 1);
	ck_assert(!named->gone);
	/* Once named and unlinked it is gone as any other. */
	ck_assert_int_eq(fs_tree_unlink(f.root, "named", &f.who, NULL), 0);
	ck_assert_int_eq(fs_tree_link(named, f.root, "named", &f.who), -ENOENT);
	fs_inode_put(named);
	ck_assert_int_eq(fs_tree_nameless(f.root, 0640, &f.who, &named), 0);
	ck_assert_int_eq(fs_tree_link(named, f.root, "kept", &f.who), 0);
	fs_inode_put(named);
	fs_inode_put(lost);
	ck_assert_int_eq(fs_inode_get(f.root->journal, gone, &again), -ENOENT);
	files_reopen(&f, true);
	ck_assert_int_eq(fs_inode_reap(f.root->journal, f.who.signer), 0);
	ck_assert_uint_ne(ino_of(f.root, "kept"), 0);
	ck_assert_int_eq(fs_inode_get(f.root->journal, gone, &again), -ENOENT);
}
END_TEST

START_TEST(symlink_keeps_its_target)
{
	char target[4096], got[4096];
	struct fs_inode *i = NULL;

	memset(target, 't', sizeof(target));
	ck_assert_int_eq(fs_tree_symlink(f.root, "s", "", &f.who, &i), -ENOENT);
	target[4095] = '\0';
	ck_assert_int_eq(fs_tree_symlink(f.root, "s", target, &f.who, &i), 0);
	ck_assert_uint_eq(i->size, 4095);
	fs_inode_put(i);
	files_reopen(&f, false);
	ck_assert_int_eq(fs_tree_lookup(f.root, "s", &i), 0);
	ck_assert(S_ISLNK(i->mode));
	ck_assert_int_eq(fs_tree_readlink(i, got, sizeof(got)), 0);
	ck_assert_str_eq(got, target);
	ck_assert_int_eq(fs_tree_readlink(i, got, 100), -ENAMETOOLONG);
	ck_assert_int_eq(fs_tree_readlink(f.root, got, sizeof(got)), -EINVAL);
	ck_assert_int_eq(fs_content_write(i, 0, false, (const uint8_t *)"x", 1, &f.who, NULL),
			 -EINVAL);
	fs_inode_put(i);
	ck_assert_int_eq(fs_tree_unlink(f.root, "s", &f.who, NULL), 0);
}
END_TEST

START_TEST(rename_replaces_as_posix_says)
{
	struct fs_inode *a = files_make(&f, f.root, "a", FILE_MODE);
	struct fs_inode *b = files_make(&f, f.root, "b", FILE_MODE);
	struct fs_inode *d = files_make(&f, f.root, "d", DIR_MODE);
	struct fs_inode *e = files_make(&f, f.root, "e", DIR_MODE);
	struct fs_inode *moved = NULL, *lost = NULL;

	f.who.now = NOW(5000);
	ck_assert_int_eq(rename_to(f.root, "none", f.root, "x", 0), -ENOENT);
	ck_assert_int_eq(rename_to(f.root, "a", f.root, "b", FS_TREE_NOREPLACE), -EEXIST);
	ck_assert_int_eq(rename_to(f.root, "a", f.root, "b", 4), -EINVAL);
	ck_assert_int_eq(rename_to(f.root, "a", f.root, "b", 3), -EINVAL);
	ck_assert_int_eq(rename_to(f.root, "a", f.root, "d", 0), -EISDIR);
	ck_assert_int_eq(rename_to(f.root, "d", f.root, "a", 0), -ENOTDIR);
	ck_assert_int_eq(rename_to(f.root, "a", b, "x", 0), -ENOTDIR);
	ck_assert_int_eq(fs_tree_rename(f.root, "a", f.root, "b", 0, &f.who, &moved, &lost), 0);
	ck_assert_ptr_eq(moved, a);
	ck_assert_ptr_eq(lost, b);
	ck_assert(b->gone);
	ck_assert_uint_eq(f.root->size, 3);
	ck_assert_uint_eq(ino_of(f.root, "b"), a->ino);
	ck_assert_uint_eq(ino_of(f.root, "a"), 0);
	ck_assert_int_eq(a->ctime.tv_sec, 5000);
	ck_assert_int_eq(a->mtime.tv_sec, 1000);
	ck_assert_int_eq(f.root->mtime.tv_sec, 5000);
	fs_inode_put(moved);
	fs_inode_put(lost);
	touch(e, "full");
	ck_assert_int_eq(rename_to(f.root, "d", f.root, "e", 0), -ENOTEMPTY);
	ck_assert_int_eq(rename_to(f.root, "e", f.root, "d", 0), 0);
	ck_assert(d->gone);
	ck_assert_uint_eq(f.root->nlink, 3);
	ck_assert_uint_eq(ino_of(f.root, "d"), e->ino);
	fs_inode_put(a);
	fs_inode_put(b);
	fs_inode_put(d);
	fs_inode_put(e);
	files_reopen(&f, false);
	ck_assert_int_eq(fs_tree_lookup(f.root, "d", &d), 0);
	ck_assert_uint_ne(ino_of(d, "full"), 0);
	fs_inode_put(d);
}
END_TEST

START_TEST(rename_refuses_a_directory_into_itself)
{
	struct fs_inode *a = files_make(&f, f.root, "a", DIR_MODE);
	struct fs_inode *b = files_make(&f, a, "b", DIR_MODE);
	struct fs_inode *c = files_make(&f, b, "c", DIR_MODE);

	ck_assert_int_eq(rename_to(f.root, "a", a, "x", 0), -EINVAL);
	ck_assert_int_eq(rename_to(f.root, "a", c, "x", 0), -EINVAL);
	ck_assert_int_eq(rename_to(f.root, "a", b, "c", 0), -EINVAL);
	ck_assert_int_eq(rename_to(f.root, "a", b, "c", FS_TREE_EXCHANGE), -EINVAL);
	ck_assert_int_eq(rename_to(b, "c", f.root, "a", FS_TREE_EXCHANGE), -EINVAL);
	ck_assert_int_eq(rename_to(b, "c", f.root, "a", 0), -ENOTEMPTY);
	ck_assert_int_eq(rename_to(b, "c", a, "c", 0), 0);
	ck_assert_uint_eq(a->nlink, 4);
	ck_assert_uint_eq(b->nlink, 2);
	fs_inode_put(a);
	fs_inode_put(b);
	fs_inode_put(c);
}
END_TEST

START_TEST(rename_exchange_swaps_a_file_and_a_directory)
{
	struct fs_inode *d = files_make(&f, f.root, "d", DIR_MODE);
	struct fs_inode *sub = files_make(&f, d, "sub", DIR_MODE);
	struct fs_inode *file = files_make(&f, f.root, "file", FILE_MODE), *lost = NULL;

	ck_assert_int_eq(rename_to(f.root, "file", d, "none", FS_TREE_EXCHANGE), -ENOENT);
	ck_assert_int_eq(
		fs_tree_rename(f.root, "file", d, "sub", FS_TREE_EXCHANGE, &f.who, NULL, &lost), 0);
	ck_assert_ptr_eq(lost, sub);
	ck_assert(!sub->gone);
	fs_inode_put(lost);
	ck_assert_uint_eq(ino_of(f.root, "file"), sub->ino);
	ck_assert_uint_eq(ino_of(d, "sub"), file->ino);
	ck_assert_uint_eq(sub->parent, FS_ROOT_INO);
	ck_assert_uint_eq(d->nlink, 2);
	ck_assert_uint_eq(f.root->nlink, 4);
	ck_assert_uint_eq(d->size, 1);
	fs_inode_put(file);
	fs_inode_put(sub);
	fs_inode_put(d);
	files_reopen(&f, false);
	ck_assert_uint_ne(ino_of(f.root, "file"), 0);
}
END_TEST

/* ---- listing ---- */

struct listed {
	uint64_t last;
	unsigned seen[3000];
	size_t n, stop;
	bool churn;
};

static int list_one(void *ctx, const struct fs_tree_entry *e)
{
	struct listed *l = ctx;
	unsigned k;

	ck_assert_uint_gt(e->cookie, l->last);
	ck_assert_uint_ge(e->cookie, 8);
	ck_assert_uint_lt(e->cookie, UINT64_C(1) << 63);
	l->last = e->cookie;
	if (sscanf(e->name, "stable%u", &k) == 1) {
		ck_assert_uint_eq(e->mode, S_IFREG);
		ck_assert_uint_lt(k, 3000);
		l->seen[k]++;
	}
	l->n++;
	/* No lock is held: the directory may be changed from here. */
	if (l->churn && l->n % 7 == 0) {
		char name[32];

		snprintf(name, sizeof(name), "new%zu", l->n);
		touch(f.root, name);
		snprintf(name, sizeof(name), "old%zu", l->n / 7);
		fs_tree_unlink(f.root, name, &f.who, NULL);
	}
	return l->stop && l->n % l->stop == 0;
}

START_TEST(list_shows_every_stable_entry_once)
{
	static struct listed l;
	char name[32];

	for (unsigned k = 0; k < 600; k++) {
		snprintf(name, sizeof(name), "stable%u", k);
		touch(f.root, name);
		if (k % 2 == 0) {
			snprintf(name, sizeof(name), "old%u", k);
			touch(f.root, name);
		}
		if (k == 300)
			files_sync(&f);
	}
	l = (struct listed){.churn = true};
	ck_assert_int_eq(fs_tree_list(f.root, 0, list_one, &l), 0);
	for (unsigned k = 0; k < 600; k++)
		ck_assert_uint_eq(l.seen[k], 1);
	/* In small steps by cookie, as readdir comes. */
	memset(&l, 0, sizeof(l));
	l.stop = 13;
	for (size_t before = 1; before != l.n;) {
		before = l.n;
		ck_assert_int_eq(fs_tree_list(f.root, l.last, list_one, &l), 0);
	}
	for (unsigned k = 0; k < 600; k++)
		ck_assert_uint_eq(l.seen[k], 1);
	ck_assert_uint_eq(l.n, f.root->size);
}
END_TEST

static int fail_list(void *ctx, const struct fs_tree_entry *e)
{
	(void)ctx;
	(void)e;
	return -EINTR;
}

START_TEST(list_returns_the_callers_error)
{
	struct fs_inode *i = files_make(&f, f.root, "n", FILE_MODE);

	ck_assert_int_eq(fs_tree_list(f.root, 0, fail_list, NULL), -EINTR);
	ck_assert_int_eq(fs_tree_list(i, 0, fail_list, NULL), -ENOTDIR);
	fs_inode_put(i);
}
END_TEST

/* ---- several at once ---- */

static atomic_bool done;

static void *replace_for_ever(void *arg)
{
	struct fs_actor who = f.who;

	(void)arg;
	for (int n = 0; n < 400; n++) {
		struct fs_inode *i = NULL;

		ck_assert_int_eq(fs_tree_create(f.root, "tmp", FILE_MODE, &who, &i), 0);
		fs_inode_put(i);
		ck_assert_int_eq(fs_tree_rename(f.root, "tmp", f.root, "doc", 0, &who, NULL, NULL),
				 0);
	}
	atomic_store(&done, true);
	return NULL;
}

START_TEST(rename_over_never_leaves_a_moment_without_the_name)
{
	unsigned long looks = 0;
	pthread_t t;

	touch(f.root, "doc");
	atomic_store(&done, false);
	ck_assert_int_eq(pthread_create(&t, NULL, replace_for_ever, NULL), 0);
	while (!atomic_load(&done)) {
		struct fs_inode *i = NULL;

		ck_assert_int_eq(fs_tree_lookup(f.root, "doc", &i), 0);
		fs_inode_put(i);
		looks++;
	}
	pthread_join(t, NULL);
	ck_assert_uint_gt(looks, 0);
	ck_assert_uint_eq(f.root->size, 1);
	/* Nothing but root and the last file is left. */
	ck_assert(!files_has(&f, 0, FS_T_ORPHAN));
}
END_TEST

static struct fs_inode *dirs[3];

static void *shuffle(void *arg)
{
	unsigned seed = (unsigned)(uintptr_t)arg;
	struct fs_actor who = f.who;
	static const char *const names[] = {"a", "b", "c", "sub"};

	for (int n = 0; n < 1500; n++) {
		struct fs_inode *from = dirs[rand_r(&seed) % 3], *to = dirs[rand_r(&seed) % 3];
		const char *name = names[rand_r(&seed) % 4], *newname = names[rand_r(&seed) % 4];
		unsigned flags = (unsigned)rand_r(&seed) % 3;
		struct fs_inode *i = NULL;
		int rc;

		switch (rand_r(&seed) % 4) {
		case 0:
			rc = fs_tree_create(from, name, strcmp(name, "sub") ? FILE_MODE : DIR_MODE,
					    &who, &i);
			if (!rc)
				fs_inode_put(i);
			break;
		case 1:
			rc = fs_tree_unlink(from, name, &who, NULL);
			break;
		default:
			rc = fs_tree_rename(from, name, to, newname, flags, &who, NULL, NULL);
		}
		ck_assert(rc == 0 || rc == -ENOENT || rc == -EEXIST || rc == -EISDIR ||
			  rc == -ENOTDIR || rc == -ENOTEMPTY || rc == -EINVAL);
	}
	return NULL;
}

struct counted {
	uint64_t entries, dirs;
	struct fs_inode *dir;
};

static int count_one(void *ctx, const struct fs_tree_entry *e)
{
	struct counted *c = ctx;
	struct fs_inode *i = NULL;

	ck_assert_int_eq(fs_tree_lookup(c->dir, e->name, &i), 0);
	ck_assert_uint_eq(i->ino, e->ino);
	ck_assert_uint_eq(i->mode & S_IFMT, e->mode);
	if (S_ISDIR(i->mode))
		ck_assert_uint_eq(i->parent, c->dir->ino);
	else
		ck_assert_uint_eq(i->nlink, 1);
	c->entries++;
	c->dirs += S_ISDIR(e->mode);
	fs_inode_put(i);
	return 0;
}

START_TEST(changes_from_many_threads_leave_a_whole_tree)
{
	pthread_t t[4];

	dirs[0] = files_make(&f, f.root, "one", DIR_MODE);
	dirs[1] = files_make(&f, f.root, "two", DIR_MODE);
	dirs[2] = files_make(&f, dirs[0], "three", DIR_MODE);
	for (uintptr_t n = 0; n < 4; n++)
		ck_assert_int_eq(pthread_create(&t[n], NULL, shuffle, (void *)(n + 1)), 0);
	for (int n = 0; n < 4; n++)
		pthread_join(t[n], NULL);
	for (int n = 0; n < 3; n++) {
		struct counted c = {.dir = dirs[n]};

		ck_assert_int_eq(fs_tree_list(dirs[n], 0, count_one, &c), 0);
		ck_assert_uint_eq(c.entries, dirs[n]->size);
		ck_assert_uint_eq(c.dirs + 2, dirs[n]->nlink);
		fs_inode_put(dirs[n]);
	}
	ck_assert(!files_has(&f, 0, FS_T_ORPHAN));
}
END_TEST

START_TEST(failed_apply_leaves_memory_as_it_was)
{
	struct fs_inode *a = files_make(&f, f.root, "a", FILE_MODE), *d, *i;
	struct fs_inode_attr root, attr, dattr;

	files_write(&f, a, 0, "text", 4);
	fs_inode_put(a);
	fs_inode_put(files_make(&f, f.root, "d", DIR_MODE));
	touch(f.root, "b");
	files_reopen(&f, true);
	ck_assert_int_eq(fs_tree_lookup(f.root, "a", &a), 0);
	ck_assert_int_eq(fs_tree_lookup(f.root, "d", &d), 0);
	root = f.root->attr;
	attr = a->attr;
	dattr = d->attr;
	f.who.now = NOW(9000);
	ck_assert_int_eq(fs_tree_create(f.root, "c", FILE_MODE, &f.who, &i), -EROFS);
	ck_assert_int_eq(fs_tree_symlink(f.root, "c", "t", &f.who, &i), -EROFS);
	ck_assert_int_eq(fs_tree_link(a, d, "c", &f.who), -EROFS);
	ck_assert_int_eq(fs_tree_unlink(f.root, "a", &f.who, NULL), -EROFS);
	ck_assert_int_eq(fs_tree_rmdir(f.root, "d", &f.who, NULL), -EROFS);
	ck_assert_int_eq(rename_to(f.root, "a", d, "a", 0), -EROFS);
	ck_assert_int_eq(rename_to(f.root, "a", f.root, "b", 0), -EROFS);
	ck_assert_int_eq(rename_to(f.root, "a", f.root, "d", FS_TREE_EXCHANGE), -EROFS);
	ck_assert_int_eq(fs_content_write(a, 0, false, (const uint8_t *)"TEXT", 4, &f.who, NULL),
			 -EROFS);
	ck_assert_int_eq(fs_content_truncate(a, 0, &f.who), -EROFS);
	ck_assert_int_eq(fs_content_allocate(a, 0, 0, 9000, &f.who), -EROFS);
	ck_assert_int_eq(fs_xattr_set(a, "user.x", "v", 1, 0, &f.who), -EROFS);
	ck_assert_mem_eq(&root, &f.root->attr, sizeof(root));
	ck_assert_mem_eq(&attr, &a->attr, sizeof(attr));
	ck_assert_mem_eq(&dattr, &d->attr, sizeof(dattr));
	ck_assert(!a->gone && !d->gone);
	ck_assert_uint_eq(f.who.group, 0);
	fs_inode_put(a);
	fs_inode_put(d);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("fs_tree");
	TCase *tc = tcase_create("all");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_set_timeout(tc, 120);
	tcase_add_checked_fixture(tc, start, stop);
	tcase_add_test(tc, create_makes_what_lookup_finds);
	tcase_add_test(tc, names_are_any_255_bytes);
	tcase_add_test(tc, journal_name_is_kept_and_changed);
	tcase_add_test(tc, directories_count_their_links);
	tcase_add_test(tc, hard_links_are_one_file);
	tcase_add_test(tc, nameless_file_gets_a_name_once_or_goes);
	tcase_add_test(tc, symlink_keeps_its_target);
	tcase_add_test(tc, rename_replaces_as_posix_says);
	tcase_add_test(tc, rename_refuses_a_directory_into_itself);
	tcase_add_test(tc, rename_exchange_swaps_a_file_and_a_directory);
	tcase_add_test(tc, list_shows_every_stable_entry_once);
	tcase_add_test(tc, list_returns_the_callers_error);
	tcase_add_test(tc, rename_over_never_leaves_a_moment_without_the_name);
	tcase_add_test(tc, changes_from_many_threads_leave_a_whole_tree);
	tcase_add_test(tc, failed_apply_leaves_memory_as_it_was);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
