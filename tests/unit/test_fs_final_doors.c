/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/test_fs_final_doors.c - every way to change a note, a name or an attribute, and what
 * it says of a final note: EPERM, and not a bit has changed. The list of ways is compared with the
 * headers, so that none is forgotten when one is added.
 */
#include <fcntl.h>
#include <sys/xattr.h>

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

/* ---- all that there is of an inode ---- */

#define SHOT_MAX 64

struct shot {
	struct {
		struct fs_key key;
		uint32_t len;
		uint8_t bytes[FS_PLAIN_MAX];
	} r[SHOT_MAX];
	size_t n;
	struct fs_inode_attr attr;
	bool closing, gone, deleted;
	size_t len;
	uint8_t text[200000];
};

static int shot_one(void *ctx, const struct fs_key *key, struct fs_buf *buf)
{
	struct shot *s = ctx;

	/* Maps of chunks are made when a group is committed, at any time; the contents are looked
	 * at. */
	if (fs_key_table(key) == FS_T_MAP)
		return 0;
	ck_assert_uint_lt(s->n, SHOT_MAX);
	s->r[s->n].key = *key;
	s->r[s->n].len = buf->len;
	memcpy(s->r[s->n++].bytes, buf->data, buf->len);
	return 0;
}

static struct shot *shot_take(struct fs_inode *i)
{
	struct shot *s = calloc(1, sizeof(*s));
	struct fs_key from = fs_key(5, i->ino, 0), to = fs_key(5, i->ino + 1, 0);

	ck_assert_ptr_nonnull(s);
	ck_assert_int_eq(fs_record_scan(f.j, &from, &to, shot_one, s), 0);
	s->attr = i->attr;
	s->closing = i->closing;
	s->gone = i->gone;
	s->deleted = i->deleted;
	if (S_ISREG(i->mode))
		ck_assert_int_eq(files_read(i, 0, s->text, sizeof(s->text), &s->len), 0);
	return s;
}

/* Is all of i as it was? Frees the shot. */
static void shot_same(struct shot *was, struct fs_inode *i, const char *after)
{
	struct shot *now = shot_take(i);
	uint8_t a[FS_INODE_LEN], b[FS_INODE_LEN];

	ck_assert_msg(now->n == was->n, "%s: %zu records were %zu", after, now->n, was->n);
	for (size_t n = 0; n < now->n; n++) {
		ck_assert_msg(!fs_key_cmp(&now->r[n].key, &was->r[n].key), "%s: another record",
			      after);
		ck_assert_msg(now->r[n].len == was->r[n].len &&
				      !memcmp(now->r[n].bytes, was->r[n].bytes, now->r[n].len),
			      "%s: table %02x has changed", after, fs_key_table(&now->r[n].key));
	}
	fs_inode_encode(&now->attr, a);
	fs_inode_encode(&was->attr, b);
	ck_assert_msg(!memcmp(a, b, sizeof(a)), "%s: attributes in memory", after);
	ck_assert(now->closing == was->closing && now->gone == was->gone &&
		  now->deleted == was->deleted);
	ck_assert_msg(now->len == was->len && !memcmp(now->text, was->text, now->len),
		      "%s: contents", after);
	free(now);
	free(was);
}

/* ---- the doors ---- */

struct place {
	struct fs_inode *dir, *note; /* note is dir's "note" */
	struct fs_inode *other;	     /* another directory, with drafts "draft" and "more" */
	struct fs_actor who;
};

static const uint8_t some[] = "some bytes";

static int setattr(struct place *p, struct fs_content_attr set)
{
	return fs_content_setattr(p->note, &set, &p->who);
}
static int write_first(struct place *p)
{
	return fs_content_write(p->note, 0, false, some, sizeof(some), &p->who, NULL);
}
static int write_far(struct place *p)
{
	return fs_content_write(p->note, 1 << 20, false, some, sizeof(some), &p->who, NULL);
}
static int write_append(struct place *p)
{
	return fs_content_write(p->note, 0, true, some, sizeof(some), &p->who, NULL);
}
static int write_nothing(struct place *p)
{
	return fs_content_write(p->note, 0, false, some, 0, &p->who, NULL);
}
static int truncate_all(struct place *p)
{
	return fs_content_truncate(p->note, 0, &p->who);
}
static int truncate_same(struct place *p)
{
	return fs_content_truncate(p->note, p->note->size, &p->who);
}
static int truncate_longer(struct place *p)
{
	return fs_content_truncate(p->note, 500000, &p->who);
}
static int allocate(struct place *p)
{
	return fs_content_allocate(p->note, 0, 0, 300000, &p->who);
}
static int allocate_keep(struct place *p)
{
	return fs_content_allocate(p->note, FALLOC_FL_KEEP_SIZE, 0, 10, &p->who);
}
static int allocate_punch(struct place *p)
{
	return fs_content_allocate(p->note, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 8192,
				   &p->who);
}
static int allocate_zero(struct place *p)
{
	return fs_content_allocate(p->note, FALLOC_FL_ZERO_RANGE, 0, 8192, &p->who);
}
static int set_mode(struct place *p)
{
	const uint32_t mode = 0777;

	return setattr(p, (struct fs_content_attr){.mode = &mode});
}
static int set_size(struct place *p)
{
	const uint64_t size = 1;

	return setattr(p, (struct fs_content_attr){.size = &size});
}
static int set_atime(struct place *p)
{
	return setattr(p, (struct fs_content_attr){.atime = &NOW(5)});
}
static int set_mtime(struct place *p)
{
	return setattr(p, (struct fs_content_attr){.mtime = &NOW(5)});
}
static int set_ctime(struct place *p)
{
	return setattr(p, (struct fs_content_attr){.ctime = &NOW(900000)});
}
static int set_owner(struct place *p)
{
	return setattr(p, (struct fs_content_attr){.owner = true});
}
static int set_nothing(struct place *p)
{
	return setattr(p, (struct fs_content_attr){.owner = false});
}
static int xattr_new(struct place *p)
{
	return fs_xattr_set(p->note, "user.new", some, sizeof(some), 0, &p->who);
}
static int xattr_replace(struct place *p)
{
	return fs_xattr_set(p->note, "user.old", some, 3, XATTR_REPLACE, &p->who);
}
static int xattr_remove(struct place *p)
{
	return fs_xattr_remove(p->note, "user.old", &p->who);
}
static int xattr_remove_absent(struct place *p)
{
	return fs_xattr_remove(p->note, "user.none", &p->who);
}
static int link_here(struct place *p)
{
	return fs_tree_link(p->note, p->dir, "second", &p->who);
}
static int link_there(struct place *p)
{
	return fs_tree_link(p->note, p->other, "second", &p->who);
}
static int unlink_it(struct place *p)
{
	return fs_tree_unlink(p->dir, "note", &p->who, NULL);
}
static int move(struct place *p, struct fs_inode *from, const char *name, struct fs_inode *to,
		const char *newname, unsigned flags)
{
	return fs_tree_rename(from, name, to, newname, flags, &p->who, NULL, NULL);
}
static int rename_here(struct place *p)
{
	return move(p, p->dir, "note", p->dir, "second", 0);
}
static int rename_there(struct place *p)
{
	return move(p, p->dir, "note", p->other, "second", 0);
}
static int rename_noreplace(struct place *p)
{
	return move(p, p->dir, "note", p->other, "second", FS_TREE_NOREPLACE);
}
static int rename_over_draft(struct place *p)
{
	return move(p, p->dir, "note", p->other, "draft", 0);
}
static int rename_draft_over(struct place *p)
{
	return move(p, p->other, "draft", p->dir, "note", 0);
}
static int exchange_from(struct place *p)
{
	return move(p, p->dir, "note", p->other, "draft", FS_TREE_EXCHANGE);
}
static int exchange_to(struct place *p)
{
	return move(p, p->other, "draft", p->dir, "note", FS_TREE_EXCHANGE);
}
static int exchange_dir(struct place *p)
{
	return move(p, p->other, "empty", p->dir, "note", FS_TREE_EXCHANGE);
}
static int link_state(struct place *p)
{
	return fs_final_link(p->note, &(struct fs_final_state){.amends = 77}, &p->who);
}
static int unlink_state(struct place *p)
{
	return fs_final_link(p->note, &(struct fs_final_state){.amends = 0}, &p->who);
}
static int check(struct place *p)
{
	return fs_final_check(p->note, &p->who);
}

static const struct door {
	const char *fn, *what;
	int (*go)(struct place *p);
} doors[] = {
	{"fs_content_write", "write", write_first},
	{"fs_content_write", "write beyond the end", write_far},
	{"fs_content_write", "append", write_append},
	{"fs_content_write", "write of nothing", write_nothing},
	{"fs_content_truncate", "truncate to nothing", truncate_all},
	{"fs_content_truncate", "truncate to its size", truncate_same},
	{"fs_content_truncate", "truncate to more", truncate_longer},
	{"fs_content_allocate", "allocate", allocate},
	{"fs_content_allocate", "allocate, keep size", allocate_keep},
	{"fs_content_allocate", "punch", allocate_punch},
	{"fs_content_allocate", "zero", allocate_zero},
	{"fs_content_setattr", "mode", set_mode},
	{"fs_content_setattr", "size", set_size},
	{"fs_content_setattr", "atime", set_atime},
	{"fs_content_setattr", "mtime", set_mtime},
	{"fs_content_setattr", "ctime", set_ctime},
	{"fs_content_setattr", "owner", set_owner},
	{"fs_content_setattr", "nothing", set_nothing},
	{"fs_xattr_set", "a new attribute", xattr_new},
	{"fs_xattr_set", "another value", xattr_replace},
	{"fs_xattr_remove", "an attribute goes", xattr_remove},
	{"fs_xattr_remove", "an absent one goes", xattr_remove_absent},
	{"fs_tree_link", "link beside", link_here},
	{"fs_tree_link", "link elsewhere", link_there},
	{"fs_tree_unlink", "unlink", unlink_it},
	{"fs_tree_rename", "rename", rename_here},
	{"fs_tree_rename", "move", rename_there},
	{"fs_tree_rename", "move, no replacing", rename_noreplace},
	{"fs_tree_rename", "over a draft", rename_over_draft},
	{"fs_tree_rename", "a draft over it", rename_draft_over},
	{"fs_tree_rename", "exchange from", exchange_from},
	{"fs_tree_rename", "exchange to", exchange_to},
	{"fs_tree_rename", "exchange with a directory", exchange_dir},
	{"fs_final_link", "what it amends", link_state},
	{"fs_final_link", "that it amends nothing", unlink_state},
	{"fs_final_check", "the question itself", check},
};
#define DOORS (sizeof(doors) / sizeof(doors[0]))

/* What takes an actor and needs no door here, and why. */
static const struct {
	const char *fn, *why;
} exempt[] = {
	{"fs_tree_make_root", "the first records of a new journal"},
	{"fs_tree_create", "a new inode under a free name (names_taken_stay_taken)"},
	{"fs_tree_symlink", "the same"},
	{"fs_tree_nameless", "a new inode without a name"},
	{"fs_tree_rmdir", "directories: directories_keep_their_places"},
	{"fs_final_add", "what makes a note final: test_fs_final.c"},
	{"fs_history_saved", "keeps what was there before; the note itself stays"},
	{"fs_history_pack", "keeps what was there before, smaller; the note itself stays"},
	{"fs_history_prune", "drops earlier versions; the note itself stays"},
};

static struct place place_of(struct fs_inode *note, struct fs_inode *dir)
{
	struct place p = {.dir = dir, .note = note, .who = f.who};

	p.who.now = NOW(2000);
	p.other = files_make(&f, f.root, "other", S_IFDIR | 0700);
	fs_inode_put(files_make(&f, p.other, "draft", S_IFREG | 0600));
	fs_inode_put(files_make(&f, p.other, "more", S_IFREG | 0600));
	fs_inode_put(files_make(&f, p.other, "empty", S_IFDIR | 0700));
	return p;
}

static void name_stays(struct place *p, const char *after)
{
	struct fs_inode *i = NULL;

	ck_assert_msg(fs_tree_lookup(p->dir, "note", &i) == 0 && i == p->note, "%s: the name",
		      after);
	fs_inode_put(i);
	ck_assert_msg(fs_tree_lookup(p->dir, "second", &i) == -ENOENT, "%s: a name", after);
	ck_assert_msg(fs_tree_lookup(p->other, "second", &i) == -ENOENT, "%s: a name", after);
	ck_assert_msg(fs_tree_lookup(p->other, "draft", &i) == 0 && i != p->note, "%s: draft",
		      after);
	fs_inode_put(i);
}

static void try_all(struct place *p)
{
	for (size_t n = 0; n < DOORS; n++) {
		struct shot *note = shot_take(p->note), *dir = shot_take(p->dir);
		struct shot *other = shot_take(p->other);
		int rc;

		p->who.group = 7;
		rc = doors[n].go(p);
		ck_assert_msg(rc == -EPERM, "%s (%s) gave %d", doors[n].fn, doors[n].what, rc);
		shot_same(note, p->note, doors[n].what);
		shot_same(dir, p->dir, doors[n].what);
		shot_same(other, p->other, doors[n].what);
		name_stays(p, doors[n].what);
	}
}

/* A note of this many bytes with an attribute, in a directory. */
static struct fs_inode *make_note(size_t len, struct fs_inode **dir)
{
	static uint8_t text[150000];
	struct fs_inode *i;

	for (size_t n = 0; n < sizeof(text); n++)
		text[n] = (uint8_t)(n * 31 >> 3);
	*dir = files_make(&f, f.root, "2026", S_IFDIR | 0700);
	i = files_make(&f, *dir, "note", S_IFREG | 0640);
	if (len)
		files_write(&f, i, 0, text, len);
	ck_assert_int_eq(fs_xattr_set(i, "user.old", "value", 5, 0, &f.who), 0);
	return i;
}

static const size_t lengths[] = {0, 11, 9000, 16000, 100000};

/* Each length; committed before, in the closing group, or not at all; by its author or somebody
 * else. */
START_TEST(final_note_refuses_every_change)
{
	struct fs_inode *dir, *i = make_note(lengths[_i], &dir);
	struct place p = place_of(i, dir);

	ck_assert_int_eq(final_make(&f, i, "2026/note", KEYS_NOTE_LOCKED), 0);
	try_all(&p);
	files_sync(&f);
	try_all(&p);
	p.who.pid = 99;
	try_all(&p);
	fs_inode_put(i);
	fs_inode_put(dir);
	fs_inode_put(p.other);
	files_sync(&f);
	files_reopen(&f, false);
	ck_assert_int_eq(fs_tree_lookup(f.root, "2026", &p.dir), 0);
	ck_assert_int_eq(fs_tree_lookup(f.root, "other", &p.other), 0);
	ck_assert_int_eq(fs_tree_lookup(p.dir, "note", &p.note), 0);
	p.who.signer = f.signer;
	try_all(&p);
	fs_inode_put(p.note);
	fs_inode_put(p.dir);
	fs_inode_put(p.other);
}
END_TEST

START_TEST(closed_note_refuses_every_change_until_it_is_opened)
{
	struct fs_inode *dir, *i = make_note(lengths[_i], &dir);
	struct place p = place_of(i, dir);

	ck_assert_int_eq(fs_final_close(i), 0);
	try_all(&p);
	fs_final_open(i);
	ck_assert_int_eq(write_first(&p), 0);
	ck_assert_int_eq(set_mode(&p), 0);
	ck_assert_int_eq(xattr_new(&p), 0);
	ck_assert_int_eq(rename_here(&p), 0);
	fs_inode_put(i);
	fs_inode_put(dir);
	fs_inode_put(p.other);
}
END_TEST

/* `finalize after`: exact, by the last change. */
START_TEST(due_note_refuses_every_change)
{
	struct fs_inode *dir, *i = make_note(lengths[_i], &dir);
	struct place p = place_of(i, dir);

	p.who.due_s = i->ctime.tv_sec;
	try_all(&p);
	p.who.due_s = i->ctime.tv_sec - 1;
	ck_assert_int_eq(write_first(&p), 0);
	ck_assert_int_gt(i->ctime.tv_sec, p.who.due_s + 1);
	/* Directories are never due. */
	p.who.due_s = 100000;
	ck_assert_int_eq(fs_tree_rename(f.root, "2026", f.root, "2027", 0, &p.who, NULL, NULL), 0);
	ck_assert_int_eq(write_first(&p), -EPERM);
	fs_inode_put(i);
	fs_inode_put(dir);
	fs_inode_put(p.other);
}
END_TEST

/* Whoever makes a new thing finds the name taken. */
START_TEST(names_taken_stay_taken)
{
	struct fs_inode *dir, *i = make_note(11, &dir), *new = NULL;
	struct place p = place_of(i, dir);

	ck_assert_int_eq(final_make(&f, i, "2026/note", KEYS_NOTE_LOCKED), 0);
	ck_assert_int_eq(fs_tree_create(dir, "note", S_IFREG | 0600, &f.who, &new), -EEXIST);
	ck_assert_int_eq(fs_tree_create(dir, "note", S_IFDIR | 0700, &f.who, &new), -EEXIST);
	ck_assert_int_eq(fs_tree_symlink(dir, "note", "x", &f.who, &new), -EEXIST);
	ck_assert_int_eq(fs_tree_nameless(dir, 0600, &f.who, &new), 0);
	ck_assert_int_eq(fs_tree_link(new, dir, "note", &f.who), -EEXIST);
	fs_inode_put(new);
	new = NULL;
	/* Renamed onto itself nothing happens, and that is no failure. */
	ck_assert_int_eq(move(&p, dir, "note", dir, "note", 0), 0);
	name_stays(&p, "all that");
	/* Life goes on beside it. */
	fs_inode_put(files_make(&f, dir, "next", S_IFREG | 0600));
	ck_assert_int_eq(fs_tree_unlink(dir, "next", &f.who, NULL), 0);
	ck_assert_int_eq(fs_xattr_set(dir, "user.color", "red", 3, 0, &f.who), 0);
	fs_inode_put(i);
	fs_inode_put(dir);
	fs_inode_put(p.other);
}
END_TEST

/* ---- directories ---- */

#define LEVELS 6

START_TEST(directories_keep_their_places)
{
	struct fs_inode *d[LEVELS + 1] = {f.root}, *spare, *i, *full;
	char path[64] = "";
	const char *names[LEVELS] = {"a", "b", "c", "d", "e", "f"};

	for (unsigned n = 0; n < LEVELS; n++) {
		d[n + 1] = files_make(&f, d[n], names[n], S_IFDIR | 0700);
		strcat(strcat(path, names[n]), "/");
	}
	i = files_make(&f, d[LEVELS], "note", S_IFREG | 0600);
	strcat(path, "note");
	spare = files_make(&f, f.root, "spare", S_IFDIR | 0700);
	fs_inode_put(files_make(&f, spare, "sub", S_IFDIR | 0700));
	fs_inode_put(files_make(&f, spare, "file", S_IFREG | 0600));
	ck_assert_int_eq(final_make(&f, i, path, KEYS_NOTE_LOCKED), 0);
	for (unsigned n = 0; n < LEVELS; n++) {
		struct shot *was = shot_take(d[n + 1]), *up = shot_take(d[n]);

		ck_assert_int_eq(fs_tree_rmdir(d[n], names[n], &f.who, NULL), -EPERM);
		ck_assert_int_eq(fs_tree_unlink(d[n], names[n], &f.who, NULL), -EISDIR);
		ck_assert_int_eq(fs_tree_rename(d[n], names[n], d[n], "z", 0, &f.who, NULL, NULL),
				 -EPERM);
		ck_assert_int_eq(fs_tree_rename(d[n], names[n], spare, "z", 0, &f.who, NULL, NULL),
				 -EPERM);
		ck_assert_int_eq(
			fs_tree_rename(spare, "sub", d[n], names[n], 0, &f.who, NULL, NULL),
			-EPERM);
		ck_assert_int_eq(fs_tree_rename(spare, "sub", d[n], names[n], FS_TREE_EXCHANGE,
						&f.who, NULL, NULL),
				 -EPERM);
		ck_assert_int_eq(fs_tree_rename(d[n], names[n], spare, "file", FS_TREE_EXCHANGE,
						&f.who, NULL, NULL),
				 -EPERM);
		shot_same(was, d[n + 1], names[n]);
		shot_same(up, d[n], names[n]);
	}
	/* A directory without any may come, go and be moved, also within those. */
	full = files_make(&f, d[3], "full", S_IFDIR | 0700);
	ck_assert_int_eq(fs_tree_rename(d[3], "full", spare, "full", 0, &f.who, NULL, NULL), 0);
	ck_assert_int_eq(fs_tree_rename(spare, "full", d[LEVELS], "full", 0, &f.who, NULL, NULL),
			 0);
	ck_assert_int_eq(fs_tree_rmdir(d[LEVELS], "full", &f.who, NULL), 0);
	fs_inode_put(full);
	fs_inode_put(i);
	fs_inode_put(spare);
	for (unsigned n = LEVELS; n; n--)
		fs_inode_put(d[n]);
}
END_TEST

/* ---- the list is whole ---- */

static bool listed(const char *fn)
{
	for (size_t n = 0; n < DOORS; n++) {
		if (!strcmp(doors[n].fn, fn))
			return true;
	}
	for (size_t n = 0; n < sizeof(exempt) / sizeof(exempt[0]); n++) {
		if (!strcmp(exempt[n].fn, fn))
			return true;
	}
	return false;
}

static char *read_header(const char *path)
{
	FILE *in = fopen(path, "r");
	char *text = calloc(1, 100000), *at = text, *c;
	size_t len;

	ck_assert_msg(in != NULL, "%s: run this test in the project's folder", path);
	ck_assert_ptr_nonnull(text);
	len = fread(text, 1, 99999, in);
	fclose(in);
	ck_assert_uint_gt(len, 0);
	while ((c = strstr(at, "/*")) != NULL) {
		char *end = strstr(c, "*/");

		ck_assert_ptr_nonnull(end);
		memset(c, ' ', (size_t)(end + 2 - c));
		at = end;
	}
	return text;
}

/* Every function of the header that takes an actor. How many. */
static unsigned each_declared(const char *path)
{
	char *text = read_header(path), *rest = text, *decl;
	unsigned n = 0;

	while ((decl = strsep(&rest, ";")) != NULL) {
		char *open = strchr(decl, '('), name[64];
		size_t len = 0;

		if (!open || !strstr(open, "struct fs_actor *"))
			continue;
		while (open - len > decl &&
		       (open[-1 - (long)len] == '_' ||
			(open[-1 - (long)len] >= 'a' && open[-1 - (long)len] <= 'z')))
			len++;
		ck_assert_uint_lt(len, sizeof(name));
		snprintf(name, sizeof(name), "%.*s", (int)len, open - len);
		ck_assert_msg(listed(name), "%s: %s is not in the list of doors", path, name);
		n++;
	}
	free(text);
	return n;
}

START_TEST(list_of_doors_is_whole)
{
	ck_assert_uint_eq(each_declared("fs/content.h"), 4);
	ck_assert_uint_eq(each_declared("fs/xattr.h"), 2);
	ck_assert_uint_ge(each_declared("fs/tree.h"), 8);
	ck_assert_uint_ge(each_declared("fs/final.h"), 3);
	(void)each_declared("fs/history.h");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("fs_final_doors");
	TCase *tc = tcase_create("doors");
	SRunner *sr = srunner_create(s);
	int failed, n = sizeof(lengths) / sizeof(lengths[0]);

	tcase_add_checked_fixture(tc, start, stop);
	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, final_note_refuses_every_change, 0, n);
	tcase_add_loop_test(tc, closed_note_refuses_every_change_until_it_is_opened, 0, n);
	tcase_add_loop_test(tc, due_note_refuses_every_change, 0, n);
	tcase_add_test(tc, names_taken_stay_taken);
	tcase_add_test(tc, directories_keep_their_places);
	tcase_add_test(tc, list_of_doors_is_whole);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? 1 : 0;
}
