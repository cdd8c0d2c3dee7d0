/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/test_fs_dirent.c - buckets of entries, and names that collide: this program links its
 * own hash, under which names that begin with 'c' all have the same one.
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

/* A bucket as put makes it: n entries of one name length each. */
static struct fs_buf *bucket_make(unsigned n, size_t name_len)
{
	struct fs_batch b;
	struct fs_buf *buf;
	char name[FS_NAME_MAX + 1];
	struct files f;

	files_start(&f);
	fs_batch_init(&b, f.who.signer);
	for (unsigned k = 0; k < n; k++) {
		memset(name, 'a' + (int)(k % 26), name_len);
		name[name_len] = '\0';
		fs_dirent_put(&b, f.root->journal, 4711, 0, 64 + 8 * k, name, 77 + k, S_IFREG);
	}
	ck_assert_int_eq(b.rc, 0);
	ck_assert_uint_eq(b.n, n);
	buf = fs_buf_copy(b.e[n - 1].buf->data, b.e[n - 1].buf->len);
	fs_batch_clear(&b);
	files_stop(&f);
	ck_assert_ptr_nonnull(buf);
	return buf;
}

START_TEST(bucket_comes_back_whole)
{
	struct fs_dirent_bucket k;
	struct fs_dirent e;

	for (size_t len = 1; len <= FS_NAME_MAX; len += 127) {
		struct fs_buf *buf = bucket_make(3, len);
		size_t at = 0;

		ck_assert_int_eq(fs_dirent_bucket_open(buf, 0, &k), 0);
		ck_assert_uint_eq(k.count, 3);
		ck_assert_uint_eq(fs_dirent_bucket_end(&k), FS_DIRENT_COOKIE_MAX);
		for (unsigned n = 0; n < 3; n++) {
			ck_assert_int_eq(fs_dirent_bucket_next(&k, &at, &e), 1);
			ck_assert_uint_eq(e.cookie, 64 + 8 * n);
			ck_assert_uint_eq(e.ino, 77 + n);
			ck_assert_uint_eq(e.type, S_IFREG);
			ck_assert_uint_eq(strlen(e.name), len);
		}
		ck_assert_int_eq(fs_dirent_bucket_next(&k, &at, &e), 0);
		fs_dirent_bucket_put(&k);
	}
}
END_TEST

static int open_copy(const struct fs_buf *from, size_t len, size_t place, int value, uint64_t first)
{
	struct fs_buf *buf = fs_buf_copy(from->data, len);
	struct fs_dirent_bucket k;
	struct fs_dirent e;
	size_t at = 0;
	int rc;

	if (value >= 0)
		buf->data[place] = (uint8_t)value;
	rc = fs_dirent_bucket_open(buf, first, &k);
	if (rc) {
		fs_buf_put(buf);
		return rc;
	}
	while ((rc = fs_dirent_bucket_next(&k, &at, &e)) == 1)
		;
	fs_dirent_bucket_put(&k);
	return rc;
}

START_TEST(bucket_of_nonsense_is_refused)
{
	struct fs_buf *buf = bucket_make(2, 8);
	/* version, depth, count; cookie, type, inode (0 then), length, name */
	static const struct {
		size_t place;
		int value;
	} bad[] = {{0, 1},	  {1, 60},	 {2, 3},	{2, 1},	    {2, 0},
		   {3, 1},	  {4 + 0, 7},	 {4 + 8, 0x99}, {4 + 9, 0}, {4 + 14, 0},
		   {4 + 14, 255}, {4 + 15, '/'}, {4 + 15, 0},	{27, 64}};

	ck_assert_int_eq(open_copy(buf, buf->len, 0, -1, 0), 0);
	ck_assert_int_eq(open_copy(buf, buf->len, 0, -1, 8),
			 -EBADMSG); /* no stretch begins there */
	ck_assert_int_eq(open_copy(buf, buf->len, 0, -1, FS_DIRENT_COOKIE_MAX), -EBADMSG);
	for (size_t n = 0; n < buf->len; n++)
		ck_assert_int_eq(open_copy(buf, n, 0, -1, 0), -EBADMSG);
	for (size_t n = 0; n < sizeof(bad) / sizeof(bad[0]); n++)
		ck_assert_msg(open_copy(buf, buf->len, bad[n].place, bad[n].value, 0) == -EBADMSG,
			      "%zu", n);
	fs_buf_put(buf);
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

#define MANY 3000

static int count(void *ctx, const struct fs_tree_entry *e)
{
	uint64_t *last = ctx;

	ck_assert_uint_gt(e->cookie, last[1]);
	last[0]++;
	last[1] = e->cookie;
	return 0;
}

static size_t records_of(struct files *f)
{
	struct fs_dirent_bucket k;
	uint64_t cookie = 8;
	size_t n = 0;

	while (cookie < FS_DIRENT_COOKIE_MAX &&
	       !fs_dirent_bucket_get(f->root->journal, f->root->ino, f->root->size, cookie, &k)) {
		ck_assert_uint_le(k.first, cookie);
		cookie = fs_dirent_bucket_end(&k);
		fs_dirent_bucket_put(&k);
		n++;
	}
	return n;
}

/* Grows through many splits, is found whatever the hint, and shrinks to nothing. */
START_TEST(buckets_split_and_join)
{
	struct fs_dirent e;
	uint64_t spare;
	struct files f;
	char name[64];

	files_start(&f);
	for (int n = 0; n < MANY; n++) {
		snprintf(name, sizeof(name), "a note with a name of some length %d", n);
		fs_inode_put(files_make(&f, f.root, name, S_IFREG | 0600));
	}
	files_reopen(&f, false);
	ck_assert_uint_ge(records_of(&f), MANY / 80);
	ck_assert_uint_le(records_of(&f), MANY / 10); /* our hash is no good one */
	for (uint64_t hint = 0; hint < 40; hint++) {
		snprintf(name, sizeof(name), "a note with a name of some length %d",
			 (int)hint * 70);
		ck_assert_int_eq(fs_dirent_find(f.root->journal, f.root->ino, UINT64_C(1) << hint,
						name, &e, &spare),
				 0);
		ck_assert_int_eq(fs_dirent_find(f.root->journal, f.root->ino, UINT64_C(1) << hint,
						"b", &e, &spare),
				 -ENOENT);
	}
	for (int n = 0; n < MANY; n++) {
		uint64_t seen[2] = {0, 0};

		if (n % 500 == 0) {
			ck_assert_int_eq(fs_tree_list(f.root, 0, count, seen), 0);
			ck_assert_uint_eq(seen[0], MANY - n);
			ck_assert_int_eq(fs_dirent_none(f.root->journal, f.root->ino), -ENOTEMPTY);
		}
		snprintf(name, sizeof(name), "a note with a name of some length %d", n * 7 % MANY);
		ck_assert_int_eq(fs_tree_unlink(f.root, name, &f.who, NULL), 0);
	}
	ck_assert_uint_eq(records_of(&f), 0);
	ck_assert_int_eq(fs_dirent_none(f.root->journal, f.root->ino), 0);
	files_stop(&f);
}
END_TEST

/* Both changes of a rename may meet one bucket, also one that the first of them splits or joins. */
START_TEST(rename_within_a_bucket_keeps_all_others)
{
	uint64_t seen[2] = {0, 0};
	char name[FS_NAME_MAX + 1], to[FS_NAME_MAX + 1];
	struct files f;

	files_start(&f);
	for (int n = 0; n < 40; n++) {
		snprintf(name, sizeof(name), "short %d", n);
		fs_inode_put(files_make(&f, f.root, name, S_IFREG | 0600));
	}
	for (int round = 0; round < 2; round++) {
		for (int n = 0; n < 40; n++) {
			snprintf(name, sizeof(name), "short %d", n);
			memset(to, 'l', sizeof(to) - 1);
			snprintf(to + 240, sizeof(to) - 240, "%d", n);
			ck_assert_int_eq(fs_tree_rename(f.root, round ? to : name, f.root,
							round ? name : to, 0, &f.who, NULL, NULL),
					 0);
			ck_assert_uint_ne(ino_of(&f, round ? name : to), 0);
			ck_assert_uint_eq(ino_of(&f, round ? to : name), 0);
		}
		seen[0] = seen[1] = 0;
		ck_assert_int_eq(fs_tree_list(f.root, 0, count, seen), 0);
		ck_assert_uint_eq(seen[0], 40);
	}
	ck_assert_int_eq(fs_tree_rename(f.root, "short 1", f.root, "short 2", FS_TREE_EXCHANGE,
					&f.who, NULL, NULL),
			 0);
	files_reopen(&f, false);
	seen[0] = seen[1] = 0;
	ck_assert_int_eq(fs_tree_list(f.root, 0, count, seen), 0);
	ck_assert_uint_eq(seen[0], 40);
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
	tcase_add_test(tc, bucket_comes_back_whole);
	tcase_add_test(tc, bucket_of_nonsense_is_refused);
	tcase_add_test(tc, buckets_split_and_join);
	tcase_add_test(tc, rename_within_a_bucket_keeps_all_others);
	tcase_add_test(tc, colliding_names_live_side_by_side);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
