/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/test_fs_final.c - final notes: how a note becomes one, and that nothing changes it
 * afterwards.
 */
#include <sched.h>

#include "keys/digest.h"
#include "fs/history.h"
#include "fs/history_tree.h"
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

/* ---- closing ---- */

START_TEST(only_a_named_file_can_be_closed)
{
	struct fs_inode *i = files_make(&f, f.root, "note", S_IFREG | 0600);
	struct fs_inode *dir = files_make(&f, f.root, "dir", S_IFDIR | 0700);
	struct fs_inode *fifo = files_make(&f, f.root, "fifo", S_IFIFO | 0600);
	struct fs_inode *sym = NULL, *tmp = NULL;

	ck_assert_int_eq(fs_tree_symlink(f.root, "sym", "note", &f.who, &sym), 0);
	ck_assert_int_eq(fs_tree_nameless(f.root, 0600, &f.who, &tmp), 0);
	ck_assert_int_eq(fs_final_close(dir), -EINVAL);
	ck_assert_int_eq(fs_final_close(fifo), -EINVAL);
	ck_assert_int_eq(fs_final_close(sym), -EINVAL);
	ck_assert_int_eq(fs_final_close(f.root), -EINVAL);
	ck_assert_int_eq(fs_final_close(tmp), -ENOENT);
	ck_assert_int_eq(fs_tree_link(i, f.root, "second", &f.who), 0);
	ck_assert_int_eq(fs_final_close(i), -EMLINK);
	ck_assert_int_eq(fs_tree_unlink(f.root, "note", &f.who, NULL), 0);
	ck_assert_int_eq(fs_final_close(i), 0);
	ck_assert_int_eq(fs_final_close(i), -EBUSY);
	fs_final_open(i);
	ck_assert_int_eq(fs_tree_unlink(f.root, "second", &f.who, NULL), 0);
	ck_assert(i->gone);
	ck_assert_int_eq(fs_final_close(i), -ENOENT);
	/* An orphan still is its holder's. */
	files_write(&f, i, 0, "x", 1);
	/* A nameless one that got a name is a note as any other. */
	ck_assert_int_eq(fs_tree_link(tmp, f.root, "saved", &f.who), 0);
	ck_assert_int_eq(final_make(&f, tmp, "saved", KEYS_NOTE_LOCKED), 0);
	ck_assert_int_eq(fs_final_close(tmp), -EPERM);
	fs_inode_put(tmp);
	fs_inode_put(sym);
	fs_inode_put(fifo);
	fs_inode_put(dir);
	fs_inode_put(i);
}
END_TEST

START_TEST(hash_is_that_of_other_programs)
{
	static const size_t sizes[] = {0, 3, 16000, 3000001};
	static uint8_t text[3000001];
	struct fs_inode *i = files_make(&f, f.root, "note", S_IFREG | 0600);
	uint8_t sha[KEYS_LEN], b2[64], want[KEYS_LEN], want2[64];
	uint64_t size = 9;

	for (size_t n = 0; n < sizeof(text); n++)
		text[n] = (uint8_t)(n * 7 >> 5);
	ck_assert_int_eq(fs_final_hash(i, sha, b2, &size), -EINVAL);
	for (size_t n = 0; n < sizeof(sizes) / sizeof(sizes[0]); n++) {
		struct keys_digest *d = keys_digest_new();

		for (size_t off = 0; off < sizes[n]; off += 500000) {
			size_t len = sizes[n] - off < 500000 ? sizes[n] - off : 500000;

			files_write(&f, i, off, text + off, len);
		}
		keys_digest_add(d, text, sizes[n]);
		keys_digest_end(d, want, want2);
		keys_digest_free(d);
		ck_assert_int_eq(fs_final_close(i), 0);
		ck_assert_int_eq(fs_final_hash(i, sha, b2, &size), 0);
		fs_final_open(i);
		ck_assert_uint_eq(size, sizes[n]);
		ck_assert_mem_eq(sha, want, sizeof(sha));
		ck_assert_mem_eq(b2, want2, sizeof(b2));
	}
	fs_inode_put(i);
}
END_TEST

/* ---- what a statement must say ---- */

/* A closed note "note" and the sound statement about it. */
static struct fs_inode *closed_note(struct fs_final_statement *s)
{
	struct fs_inode *i = files_make(&f, f.root, "note", S_IFREG | 0600);

	files_write(&f, i, 0, "seen", 4);
	ck_assert_int_eq(fs_final_close(i), 0);
	final_statement(&f, i, "note", KEYS_NOTE_FINAL, s);
	return i;
}

static void add_fails(struct fs_inode *i, const struct fs_final_statement *s, int want)
{
	struct fs_final_add add = {.i = i, .s = s};
	uint8_t hash[KEYS_LEN];
	uint32_t last;

	f.who.group = 7;
	ck_assert_int_eq(fs_final_add(&add, &f.who), want);
	ck_assert_uint_eq(f.who.group, 0);
	ck_assert_uint_eq(i->flags, 0);
	ck_assert_uint_eq(f.root->flags, 0);
	ck_assert(i->closing);
	ck_assert_int_eq(fs_final_last(f.j, &last, hash), 0);
	ck_assert_uint_eq(last, 0);
}

START_TEST(statement_about_something_else_is_refused)
{
	struct fs_final_statement good, s;
	struct fs_inode *i = closed_note(&good);
	struct fs_final_add moved = {.i = i, .s = &good, .moved_to = 6, .moved_to_ino = 9};

	s = good, s.note.ino++;
	add_fails(i, &s, -EINVAL);
	s = good, s.note.journal++;
	add_fails(i, &s, -EINVAL);
	s = good, s.note.vault[3] ^= 1;
	add_fails(i, &s, -EINVAL);
	s = good, s.note.kind = 0;
	add_fails(i, &s, -EINVAL);
	s = good, s.note.kind = KEYS_NOTE_ERROR + 1;
	add_fails(i, &s, -EINVAL);
	s = good, s.note.of = 1;
	add_fails(i, &s, -EINVAL);
	s = good, s.note.amends = 1;
	add_fails(i, &s, -EINVAL);
	s = good, s.note.author = 0;
	add_fails(i, &s, -EINVAL);
	s = good, s.note.number = 2;
	add_fails(i, &s, -ESTALE);
	s = good, s.note.before[0] = 1;
	add_fails(i, &s, -ESTALE);
	s = good, s.note.size++;
	add_fails(i, &s, -ESTALE);
	s = good, strcpy(s.note.path, "other");
	add_fails(i, &s, -ENOENT);
	s = good, strcpy(s.note.path, "/note");
	add_fails(i, &s, -EINVAL);
	s = good, strcpy(s.note.path, "note/");
	add_fails(i, &s, -EINVAL);
	s = good, strcpy(s.note.path, "./note");
	add_fails(i, &s, -EINVAL);
	s = good, s.note.path[0] = '\0';
	add_fails(i, &s, -EINVAL);
	for (uint8_t kind = KEYS_NOTE_SIGNED; kind <= KEYS_NOTE_ERROR; kind++) {
		s = good, s.note.kind = kind;
		add_fails(i, &s, -EPERM);
	}
	ck_assert_int_eq(fs_final_add(&moved, &f.who), -EINVAL);
	fs_final_open(i);
	moved = (struct fs_final_add){.i = i, .s = &good};
	ck_assert_int_eq(fs_final_add(&moved, &f.who), -EINVAL);
	ck_assert_int_eq(fs_final_close(i), 0);
	ck_assert_int_eq(fs_final_add(&moved, &f.who), 0);
	ck_assert_int_eq(fs_final_add(&moved, &f.who), -ESTALE);
	fs_inode_put(i);
}
END_TEST

/* Its directory was renamed after it was closed: the statement would name a place where it is not.
 */
START_TEST(path_must_lead_there_when_it_is_stored)
{
	struct fs_inode *dir = files_make(&f, f.root, "dir", S_IFDIR | 0700);
	struct fs_inode *i = files_make(&f, dir, "note", S_IFREG | 0600), *twin;
	struct fs_final_statement s;
	struct fs_final_add add = {.i = i, .s = &s};

	ck_assert_int_eq(fs_final_close(i), 0);
	final_statement(&f, i, "dir/note", KEYS_NOTE_LOCKED, &s);
	ck_assert_int_eq(fs_tree_rename(f.root, "dir", f.root, "moved", 0, &f.who, NULL, NULL), 0);
	ck_assert_int_eq(fs_final_add(&add, &f.who), -ENOENT);
	/* Another note lies there now. */
	fs_inode_put(dir);
	dir = files_make(&f, f.root, "dir", S_IFDIR | 0700);
	twin = files_make(&f, dir, "note", S_IFREG | 0600);
	ck_assert_int_eq(fs_final_add(&add, &f.who), -ENOENT);
	ck_assert_uint_eq(twin->flags | dir->flags | i->flags | f.root->flags, 0);
	strcpy(s.note.path, "moved/note");
	ck_assert_int_eq(fs_final_add(&add, &f.who), 0);
	ck_assert_uint_eq(dir->flags, 0);
	fs_inode_put(twin);
	fs_inode_put(dir);
	fs_inode_put(i);
}
END_TEST

START_TEST(depth_is_bounded)
{
	struct fs_inode *d[FS_FINAL_DEPTH + 2] = {fs_inode_ref(f.root)}, *i, *found;
	char path[400] = "";
	unsigned n;

	for (n = 0; n < FS_FINAL_DEPTH; n++)
		d[n + 1] = files_make(&f, d[n], "d", S_IFDIR | 0700);
	/* In 64 directories, the journal's own among them. */
	for (n = 1; n < FS_FINAL_DEPTH; n++)
		strcat(path, "d/");
	i = files_make(&f, d[FS_FINAL_DEPTH - 1], "note", S_IFREG | 0600);
	strcat(path, "note");
	ck_assert_int_eq(final_make(&f, i, path, KEYS_NOTE_LOCKED), 0);
	for (n = 0; n < FS_FINAL_DEPTH; n++)
		ck_assert_uint_eq(d[n]->flags, FS_INODE_HOLDS);
	ck_assert_uint_eq(d[FS_FINAL_DEPTH]->flags, 0);
	fs_inode_put(i);
	i = files_make(&f, d[FS_FINAL_DEPTH], "note", S_IFREG | 0600);
	strcpy(path + 2 * (FS_FINAL_DEPTH - 1), "d/note");
	ck_assert_int_eq(final_make(&f, i, path, KEYS_NOTE_LOCKED), -ENAMETOOLONG);
	ck_assert(!i->closing);
	files_write(&f, i, 0, "still a draft", 13);
	/* It can be found all the same. */
	ck_assert_int_eq(fs_final_lookup(f.j, path, &found), 0);
	ck_assert_ptr_eq(found, i);
	fs_inode_put(found);
	fs_inode_put(i);
	for (n = 0; n <= FS_FINAL_DEPTH; n++)
		fs_inode_put(d[n]);
}
END_TEST

START_TEST(lookup_takes_no_odd_paths)
{
	static const struct {
		const char *path;
		int want;
	} odd[] = {{"", -EINVAL},
		   {"/", -EINVAL},
		   {"/a/n", -EINVAL},
		   {"a//n", -EINVAL},
		   {"a/n/", -EINVAL},
		   {"a/../a/n", -EINVAL},
		   {"./a/n", -EINVAL},
		   {"..", -EINVAL},
		   {"a/x", -ENOENT},
		   {"x/n", -ENOENT},
		   {"a/n/more", -ENOTDIR},
		   {"s", 0},
		   {"s/more", -ENOTDIR},
		   {"a", 0},
		   {"a/n", 0}};
	struct fs_inode *a = files_make(&f, f.root, "a", S_IFDIR | 0700), *s = NULL, *out;
	char longer[KEYS_NOTE_PATH_MAX + 2];

	fs_inode_put(files_make(&f, a, "n", S_IFREG | 0600));
	ck_assert_int_eq(fs_tree_symlink(f.root, "s", "a", &f.who, &s), 0);
	for (size_t n = 0; n < sizeof(odd) / sizeof(odd[0]); n++) {
		int rc = fs_final_lookup(f.j, odd[n].path, &out);

		ck_assert_msg(rc == odd[n].want, "%s: %d", odd[n].path, rc);
		if (!rc)
			fs_inode_put(out);
	}
	memset(longer, 'x', sizeof(longer));
	longer[sizeof(longer) - 1] = '\0';
	ck_assert_int_eq(fs_final_lookup(f.j, longer, &out), -ENAMETOOLONG);
	longer[300] = '\0';
	ck_assert_int_eq(fs_final_lookup(f.j, longer, &out), -ENAMETOOLONG);
	fs_inode_put(s);
	fs_inode_put(a);
}
END_TEST

/* ---- later statements ---- */

static void state_is(struct fs_inode *i, unsigned flags, uint32_t final, uint32_t signed_by,
		     uint32_t counter, uint32_t error)
{
	struct fs_final_state s;

	ck_assert_int_eq(fs_final_state(i, &s), 0);
	ck_assert_uint_eq(i->flags, flags | FS_INODE_FINAL | FS_INODE_STATE);
	ck_assert_uint_eq(s.final, final);
	ck_assert_uint_eq(s.signed_by, signed_by);
	ck_assert_uint_eq(s.countersigned, counter);
	ck_assert_uint_eq(s.error, error);
}

START_TEST(later_statements_gather_in_state)
{
	struct fs_inode *i = files_make(&f, f.root, "a", S_IFREG | 0600);
	struct fs_inode *k = files_make(&f, f.root, "b", S_IFREG | 0600);
	struct fs_final_statement s;
	struct fs_final_state state;
	struct fs_final_add add = {.i = i, .s = &s, .wants = true};

	ck_assert_int_eq(final_make(&f, i, "a", KEYS_NOTE_LOCKED), 0);
	state_is(i, 0, 1, 0, 0, 0);
	ck_assert_int_eq(final_make(&f, k, "b", KEYS_NOTE_FINAL), 0);
	state_is(k, FS_INODE_SIGNED, 2, 2, 0, 0);
	ck_assert_int_eq(final_more(&f, k, "b", KEYS_NOTE_SIGNED), -EEXIST);
	/* Signed by somebody whose notes want a second signature. */
	final_statement(&f, i, "a", KEYS_NOTE_SIGNED, &s);
	s.note.of = 2;
	ck_assert_int_eq(fs_final_add(&add, &f.who), -EINVAL);
	s.note.of = 1;
	s.note.amends = 2;
	ck_assert_int_eq(fs_final_add(&add, &f.who), -EINVAL);
	s.note.amends = 0;
	ck_assert_int_eq(fs_final_add(&add, &f.who), 0);
	state_is(i, FS_INODE_SIGNED | FS_INODE_WANTS, 1, 3, 0, 0);
	ck_assert_int_eq(final_more(&f, i, "b", KEYS_NOTE_COUNTERSIGNED), -ENOENT);
	ck_assert_int_eq(final_more(&f, i, "a", KEYS_NOTE_COUNTERSIGNED), 0);
	state_is(i, FS_INODE_SIGNED, 1, 3, 4, 0);
	ck_assert_int_eq(final_more(&f, i, "a", KEYS_NOTE_COUNTERSIGNED), -EEXIST);
	/* In error, moved elsewhere; what was countersigned is not wanted again. */
	final_statement(&f, i, "a", KEYS_NOTE_ERROR, &s);
	s.note.of = 1;
	strcpy(s.note.reason, "wrong patient");
	add.moved_to = 9;
	ck_assert_int_eq(fs_final_add(&add, &f.who), -EINVAL);
	add.moved_to_ino = 77;
	ck_assert_int_eq(fs_final_add(&add, &f.who), 0);
	state_is(i, FS_INODE_SIGNED | FS_INODE_ERROR, 1, 3, 4, 5);
	ck_assert_int_eq(final_more(&f, i, "a", KEYS_NOTE_ERROR), -EEXIST);
	ck_assert_int_eq(final_make(&f, i, "a", KEYS_NOTE_LOCKED), -EPERM);
	fs_inode_put(k);
	fs_inode_put(i);
	files_sync(&f);
	files_reopen(&f, false);
	ck_assert_int_eq(fs_final_lookup(f.j, "a", &i), 0);
	state_is(i, FS_INODE_SIGNED | FS_INODE_ERROR, 1, 3, 4, 5);
	ck_assert_int_eq(fs_final_state(i, &state), 0);
	ck_assert_uint_eq(state.moved_to, 9);
	ck_assert_uint_eq(state.moved_to_ino, 77);
	fs_inode_put(i);
}
END_TEST

START_TEST(amended_note_is_marked_and_nothing_else)
{
	struct fs_inode *old = files_make(&f, f.root, "old", S_IFREG | 0640);
	struct fs_inode *dir = files_make(&f, f.root, "dir", S_IFDIR | 0700);
	struct fs_inode *new = files_make(&f, dir, "new", S_IFREG | 0600);
	struct fs_final_state link = {.amends = old->ino}, s;
	struct fs_inode_attr was;

	files_write(&f, old, 0, "told", 4);
	ck_assert_int_eq(final_make(&f, old, "old", KEYS_NOTE_FINAL), 0);
	was = old->attr;
	ck_assert_int_eq(fs_final_link(new, &link, &f.who), 0);
	ck_assert_uint_eq(new->flags, FS_INODE_AMENDS | FS_INODE_STATE);
	ck_assert_uint_eq(old->flags, was.flags);
	f.who.now = NOW(5000);
	files_write(&f, new, 0, "better told", 11);
	ck_assert_int_eq(final_make(&f, new, "dir/new", KEYS_NOTE_FINAL), 0);
	ck_assert_uint_eq(new->flags,
			  FS_INODE_FINAL | FS_INODE_SIGNED | FS_INODE_AMENDS | FS_INODE_STATE);
	was.flags |= FS_INODE_AMENDED;
	ck_assert_mem_eq(&was, &old->attr, sizeof(was));
	ck_assert_int_eq(fs_final_state(old, &s), 0);
	ck_assert_uint_eq(s.amended_by, new->ino);
	ck_assert_int_eq(fs_final_state(new, &s), 0);
	ck_assert_uint_eq(s.amends, old->ino);
	ck_assert_uint_eq(s.final, 2);
	fs_inode_put(old);
	fs_inode_put(new);
	fs_inode_put(dir);
}
END_TEST

START_TEST(amendment_names_a_final_note_and_its_statement)
{
	struct fs_inode *old = files_make(&f, f.root, "old", S_IFREG | 0640);
	struct fs_inode *new = files_make(&f, f.root, "new", S_IFREG | 0600);
	struct fs_final_state link = {.amends = old->ino};
	struct fs_final_statement s;
	struct fs_final_add add = {.i = new, .s = &s};

	ck_assert_int_eq(fs_final_link(new, &link, &f.who), 0);
	ck_assert_int_eq(fs_final_close(new), 0);
	final_statement(&f, new, "new", KEYS_NOTE_FINAL, &s);
	ck_assert_int_eq(fs_final_add(&add, &f.who), -EINVAL); /* what it amends is a draft */
	ck_assert_int_eq(final_make(&f, old, "old", KEYS_NOTE_LOCKED), 0);
	final_statement(&f, new, "new", KEYS_NOTE_FINAL, &s);
	ck_assert_int_eq(fs_final_add(&add, &f.who), -EINVAL); /* the statement does not say so */
	s.note.amends = 1;
	ck_assert_int_eq(fs_final_add(&add, &f.who), 0);
	fs_inode_put(old);
	fs_inode_put(new);
}
END_TEST

START_TEST(links_are_for_drafts)
{
	struct fs_inode *i = files_make(&f, f.root, "note", S_IFREG | 0600);
	struct fs_inode *dir = files_make(&f, f.root, "dir", S_IFDIR | 0700);
	struct fs_final_state s = {.moved_from = 8, .moved_from_ino = 12}, got, bad;
	uint64_t ino = i->ino;

	memset(s.moved_from_sha256, 5, KEYS_LEN);
	ck_assert_int_eq(fs_final_link(dir, &s, &f.who), -EINVAL);
	bad = s, bad.final = 1;
	ck_assert_int_eq(fs_final_link(i, &bad, &f.who), -EINVAL);
	bad = s, bad.amended_by = 9;
	ck_assert_int_eq(fs_final_link(i, &bad, &f.who), -EINVAL);
	bad = s, bad.amends = i->ino;
	ck_assert_int_eq(fs_final_link(i, &bad, &f.who), -EINVAL);
	bad = s, bad.moved_from_ino = 0;
	ck_assert_int_eq(fs_final_link(i, &bad, &f.who), -EINVAL);
	ck_assert(!files_has(&f, ino, FS_T_STATE));
	ck_assert_int_eq(fs_final_link(i, &s, &f.who), 0);
	ck_assert_int_eq(fs_final_state(i, &got), 0);
	ck_assert_mem_eq(&got, &s, sizeof(s));
	ck_assert_uint_eq(i->flags, FS_INODE_STATE);
	ck_assert(files_has(&f, ino, FS_T_STATE));
	ck_assert_int_eq(fs_final_link(i, &(struct fs_final_state){.final = 0}, &f.who), 0);
	ck_assert_uint_eq(i->flags, 0);
	ck_assert(!files_has(&f, ino, FS_T_STATE));
	/* It goes with the note. */
	ck_assert_int_eq(fs_final_link(i, &s, &f.who), 0);
	ck_assert_int_eq(fs_tree_unlink(f.root, "note", &f.who, NULL), 0);
	ck_assert(files_has(&f, ino, FS_T_STATE));
	fs_inode_put(i);
	ck_assert(!files_has(&f, ino, FS_T_STATE));
	ck_assert(!files_has(&f, ino, FS_T_INODE));
	fs_inode_put(dir);
}
END_TEST

START_TEST(links_go_over_to_what_takes_the_place)
{
	struct fs_inode *old = files_make(&f, f.root, "old", S_IFREG | 0600);
	struct fs_inode *new = files_make(&f, f.root, "new", S_IFREG | 0600);
	struct fs_inode *own = files_make(&f, f.root, "own", S_IFREG | 0600);
	struct fs_final_state s = {.amends = 1000}, mine = {.amends = 2000}, got;
	struct fs_inode_attr a = new->attr, b = own->attr;
	struct fs_batch batch;

	ck_assert_int_eq(fs_final_link(old, &s, &f.who), 0);
	ck_assert_int_eq(fs_final_link(own, &mine, &f.who), 0);
	b = own->attr;
	fs_batch_init(&batch, f.signer);
	ck_assert_int_eq(fs_final_inherit(&batch, new, own, &b), 0);
	ck_assert_int_eq(fs_final_inherit(&batch, old, own, &b), 0);
	ck_assert_uint_eq(batch.n, 0);
	ck_assert_int_eq(fs_final_inherit(&batch, old, new, &a), 0);
	fs_inode_store_attr(&batch, new, &a);
	ck_assert_int_eq(fs_inode_apply(f.j, &batch, NULL), 0);
	new->attr = a;
	ck_assert_int_eq(fs_final_state(new, &got), 0);
	ck_assert_uint_eq(got.amends, 1000);
	ck_assert_int_eq(fs_final_state(own, &got), 0);
	ck_assert_uint_eq(got.amends, 2000);
	fs_inode_put(old);
	fs_inode_put(new);
	fs_inode_put(own);
}
END_TEST

/* What lies below `.history` is no note. */
START_TEST(earlier_versions_become_no_final_notes)
{
	struct fs_inode *i = files_make(&f, f.root, "note", S_IFREG | 0600), *v = NULL;
	struct fs_inode *all = NULL, *dir = NULL, *found;
	struct fs_actor who = f.who;
	struct fs_final_state s;

	who.keeps = true;
	ck_assert_int_eq(fs_content_write(i, 0, false, (const uint8_t *)"one", 3, &who, NULL), 0);
	ck_assert_int_eq(fs_history_saved(i, &who), 0);
	ck_assert_int_eq(fs_content_write(i, 0, false, (const uint8_t *)"two", 3, &who, NULL), 0);
	ck_assert_int_eq(fs_history_saved(i, &who), 0);
	ck_assert_int_eq(fs_final_lookup(f.j, ".history/note", &found), -ENOENT);
	ck_assert_int_eq(fs_history_tree_root(f.j, &all), 0);
	ck_assert_int_eq(fs_tree_lookup(all, "note", &dir), 0);
	ck_assert_int_eq(fs_tree_lookup(dir, "1", &v), 0);
	ck_assert_int_eq(fs_final_close(v), -EROFS);
	ck_assert_int_eq(fs_final_close(dir), -EROFS);
	ck_assert_int_eq(final_make(&f, v, ".history/note/1", KEYS_NOTE_LOCKED), -EROFS);
	ck_assert_int_eq(fs_final_link(v, &(struct fs_final_state){.amends = i->ino}, &who),
			 -EROFS);
	ck_assert_int_eq(fs_final_state(v, &s), 0);
	ck_assert_uint_eq(s.final | s.amends, 0);
	ck_assert_uint_eq(f.root->flags, 0);
	/* The note itself can, and its versions stay. */
	ck_assert_int_eq(final_make(&f, i, "note", KEYS_NOTE_LOCKED), 0);
	fs_inode_put(v);
	ck_assert_int_eq(fs_tree_lookup(dir, "1", &v), 0);
	fs_inode_put(v);
	fs_inode_put(dir);
	fs_inode_put(all);
	fs_inode_put(i);
}
END_TEST

/* ---- without a name ---- */

/* A draft with a STATE record that was removed while open, in a process that died. */
START_TEST(state_goes_with_an_orphan_that_is_reaped)
{
	struct fs_inode *i = files_make(&f, f.root, "note", S_IFREG | 0600);
	struct fs_final_state s = {.moved_from = 8, .moved_from_ino = 12};
	uint64_t ino = i->ino;
	char copy[64], was[64];

	files_write(&f, i, 0, "x", 1);
	ck_assert_int_eq(fs_final_link(i, &s, &f.who), 0);
	ck_assert_int_eq(fs_tree_unlink(f.root, "note", &f.who, NULL), 0);
	files_sync(&f);
	files_crash(&f, copy);
	fs_inode_put(i);
	files_close(&f);
	strcpy(was, f.dir);
	strcpy(f.dir, copy);
	files_open(&f, f.dir, false, false);
	ck_assert(files_has(&f, ino, FS_T_STATE));
	ck_assert_int_eq(fs_inode_reap(f.j, f.signer), 0);
	ck_assert(!files_has(&f, ino, FS_T_STATE));
	ck_assert(!files_has(&f, ino, FS_T_INODE));
	files_rm(was);
}
END_TEST

/* ---- at the same time ---- */

static atomic_bool over;

struct racer {
	pthread_t thread;
	struct fs_actor who;
	struct fs_inode *dir, *note;
	unsigned done;
};

/* Writes whole blocks of one byte each, so that a torn or later write would show in the hash. */
static void *race_write(void *ctx)
{
	struct racer *r = ctx;
	uint8_t block[6000];

	while (!atomic_load(&over)) {
		memset(block, (int)(r->done & 255), sizeof(block));
		r->done +=
			!fs_content_write(r->note, 0, false, block, sizeof(block), &r->who, NULL);
	}
	return NULL;
}

static void *race_rename(void *ctx)
{
	struct racer *r = ctx;

	while (!atomic_load(&over)) {
		r->done += !fs_tree_rename(f.root, "dir", f.root, "moved", 0, &r->who, NULL, NULL);
		r->done += !fs_tree_rename(f.root, "moved", f.root, "dir", 0, &r->who, NULL, NULL);
		r->done += !fs_tree_rename(r->dir, "note", f.root, "note", 0, &r->who, NULL, NULL);
		r->done += !fs_tree_rename(f.root, "note", r->dir, "note", 0, &r->who, NULL, NULL);
	}
	return NULL;
}

/* While others write and rename: final where and what the statement says. */
START_TEST(what_was_stated_is_what_is_there_whoever_races)
{
	void *(*const run[])(void *) = {race_write, race_write, race_rename, race_rename};
	struct fs_inode *dir = files_make(&f, f.root, "dir", S_IFDIR | 0700), *found;
	struct fs_inode *i = files_make(&f, dir, "note", S_IFREG | 0600);
	struct racer r[4];
	struct fs_final_statement s;
	uint8_t sha[KEYS_LEN], b2[64];
	uint64_t size;
	int rc = -ENOENT;

	atomic_store(&over, false);
	for (unsigned n = 0; n < 4; n++) {
		r[n] = (struct racer){.who = f.who, .dir = dir, .note = i};
		ck_assert_int_eq(pthread_create(&r[n].thread, NULL, run[n], &r[n]), 0);
	}
	while (rc) {
		rc = final_make(&f, i, "dir/note", KEYS_NOTE_LOCKED);
		ck_assert(!rc || rc == -ENOENT);
	}
	for (unsigned n = 0; n < 200; n++)
		sched_yield();
	atomic_store(&over, true);
	for (unsigned n = 0; n < 4; n++)
		pthread_join(r[n].thread, NULL);
	ck_assert_int_eq(fs_final_get(f.j, 1, &s), 0);
	ck_assert_int_eq(fs_final_hash(i, sha, b2, &size), 0);
	ck_assert_mem_eq(sha, s.note.sha256, KEYS_LEN);
	ck_assert_uint_eq(size, s.note.size);
	ck_assert_int_eq(fs_final_lookup(f.j, "dir/note", &found), 0);
	ck_assert_ptr_eq(found, i);
	fs_inode_put(found);
	fs_inode_put(i);
	fs_inode_put(dir);
}
END_TEST

/* Whatever forgot to ask: the record of a final note does not take it. */
START_TEST(store_is_the_last_line)
{
	struct fs_inode *dir = files_make(&f, f.root, "dir", S_IFDIR | 0700);
	struct fs_inode *i = files_make(&f, dir, "note", S_IFREG | 0600);
	struct fs_inode_attr a;
	struct fs_batch b;

	ck_assert_int_eq(final_make(&f, i, "dir/note", KEYS_NOTE_LOCKED), 0);
	for (int n = 0; n < 7; n++) {
		struct fs_inode *of = n < 5 ? i : dir;

		a = of->attr;
		a.mode ^= n == 0 ? 1u : 0;
		a.mtime.tv_sec += n == 1;
		a.size += n == 2;
		a.flags &= n == 3 || n == 5 ? (uint16_t) ~(FS_INODE_FINAL | FS_INODE_HOLDS) : 1023;
		a.nlink += n == 4;
		a.parent += n == 6;
		fs_batch_init(&b, f.signer);
		fs_inode_store_attr(&b, of, &a);
		ck_assert_int_eq(fs_inode_apply(f.j, &b, NULL), -EPERM);
	}
	fs_batch_init(&b, f.signer);
	ck_assert_int_eq(fs_inode_purge(&b, f.j, i->ino, &i->attr), -EPERM);
	ck_assert_int_eq(fs_inode_purge(&b, f.j, dir->ino, &dir->attr), -EPERM);
	ck_assert_uint_eq(b.n, 0);
	fs_batch_clear(&b);
	fs_inode_put(i);
	fs_inode_put(dir);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("fs_final");
	TCase *tc = tcase_create("final");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, start, stop);
	tcase_add_test(tc, note_becomes_final_with_its_statement);
	tcase_add_test(tc, only_a_named_file_can_be_closed);
	tcase_add_test(tc, hash_is_that_of_other_programs);
	tcase_add_test(tc, statement_about_something_else_is_refused);
	tcase_add_test(tc, path_must_lead_there_when_it_is_stored);
	tcase_add_test(tc, depth_is_bounded);
	tcase_add_test(tc, lookup_takes_no_odd_paths);
	tcase_add_test(tc, later_statements_gather_in_state);
	tcase_add_test(tc, amended_note_is_marked_and_nothing_else);
	tcase_add_test(tc, amendment_names_a_final_note_and_its_statement);
	tcase_add_test(tc, links_are_for_drafts);
	tcase_add_test(tc, links_go_over_to_what_takes_the_place);
	tcase_add_test(tc, earlier_versions_become_no_final_notes);
	tcase_add_test(tc, state_goes_with_an_orphan_that_is_reaped);
	tcase_add_test(tc, what_was_stated_is_what_is_there_whoever_races);
	tcase_add_test(tc, store_is_the_last_line);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? 1 : 0;
}
