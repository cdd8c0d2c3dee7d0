/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Earlier versions under random changes, saves, commits and restarts, against a model that has
 * every version's bytes; no unit is used twice or lost.
 */
#include "test_fs_history.h"

/* ---- random changes ---- */

#define NOTES 3
#define VERSIONS 64
#define SIZE_MOST 700000u
#define STEPS 6000

struct bytes {
	uint32_t version;
	size_t len;
	uint8_t *p;
};

struct note {
	char name[16];
	struct fs_inode *i;
	struct bytes now;
	struct bytes old[VERSIONS]; /* oldest first */
	size_t n;
	bool saving;
};

static struct note notes[NOTES];

static void drop_first(struct note *n)
{
	free(n->old[0].p);
	memmove(n->old, n->old + 1, --n->n * sizeof(n->old[0]));
}

static void keep_version(struct note *n)
{
	struct bytes *o = &n->old[n->n++];

	ck_assert_uint_lt(n->n, VERSIONS);
	*o = n->now;
	o->p = malloc(o->len);
	memcpy(o->p, n->now.p, o->len);
	n->now.version++;
}

/* A change is about to come. */
static void model_begin(struct note *n)
{
	if (!n->saving && n->now.len)
		keep_version(n);
	n->saving = true;
}

static void model_resize(struct note *n, size_t len)
{
	if (len > n->now.len)
		memset(n->now.p + n->now.len, 0, len - n->now.len);
	n->now.len = len;
}

static void model_saved(struct note *n)
{
	struct bytes *last = n->n ? &n->old[n->n - 1] : NULL;

	n->saving = false;
	/* One that nothing was changed in is dropped, which the model does not foresee. */
	if (fs_history_version_of(&n->i->attr) == n->now.version)
		return;
	ck_assert_ptr_nonnull(last);
	ck_assert_uint_eq(fs_history_version_of(&n->i->attr), last->version);
	ck_assert_uint_eq(last->len, n->now.len);
	ck_assert_mem_eq(last->p, n->now.p, last->len);
	free(last->p);
	n->n--;
	n->now.version--;
}

static size_t some_size(void)
{
	switch (rnd(4)) {
	case 0:
		return rnd(300);
	case 1:
		return rnd(FS_INLINE_MAX + 1);
	case 2:
		return rnd(60000);
	default:
		return rnd(SIZE_MOST);
	}
}

static void do_write(struct note *n)
{
	size_t len = 1 + rnd(rnd(3) ? 3000 : 70000),
	       off = rnd(3) ? rnd((unsigned)n->now.len + 1) : some_size();
	uint8_t *p = malloc(len);

	if (off + len > SIZE_MOST)
		off = 0;
	if (rnd(4))
		fill(p, len, rnd(1000000));
	else
		memset(p, 'x', len);
	model_begin(n);
	if (off > n->now.len)
		model_resize(n, off);
	if (off + len > n->now.len)
		n->now.len = off + len;
	memcpy(n->now.p + off, p, len);
	ck_assert_int_eq(fs_content_write(n->i, off, false, p, len, &f.who, NULL), 0);
	free(p);
}

static void do_truncate(struct note *n)
{
	size_t len = rnd(3) ? some_size() : 0;

	if (len != n->now.len)
		model_begin(n);
	model_resize(n, len);
	ck_assert_int_eq(fs_content_truncate(n->i, len, &f.who), 0);
}

static void do_punch(struct note *n)
{
	size_t off = rnd((unsigned)n->now.len + 1), len = 1 + rnd(40000), end = off + len;

	if (end > n->now.len)
		end = n->now.len;
	if (off < end) {
		model_begin(n);
		memset(n->now.p + off, 0, end - off);
	}
	ck_assert_int_eq(fs_content_allocate(n->i, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, off,
					     len, &f.who),
			 0);
}

static void do_allocate(struct note *n)
{
	size_t off = some_size(), len = 1 + rnd(40000), end = off + len;

	if (end > SIZE_MOST)
		return;
	/* Room below the end of file becomes stored zeros: a change, though not of a byte. */
	if (off < n->now.len || end > n->now.len)
		model_begin(n);
	if (end > n->now.len)
		model_resize(n, end);
	ck_assert_int_eq(fs_content_allocate(n->i, 0, off, len, &f.who), 0);
}

/* A new file with other contents takes the name. */
static void do_replace(struct note *n, bool move)
{
	struct fs_inode *old = n->i;
	size_t len = 1 + some_size();
	uint8_t *p = malloc(len);

	tick(100);
	fill(p, len, rnd(1000000));
	if (move) {
		f.who.keeps = true;
		ck_assert_int_eq(
			fs_tree_rename(f.root, n->name, f.root, "away", 0, &f.who, NULL, NULL), 0);
		n->i = files_make(&f, f.root, n->name, S_IFREG | 0600);
		ck_assert_int_eq(fs_tree_unlink(f.root, "away", &f.who, NULL), 0);
	} else {
		f.who.keeps = false;
		n->i = files_make(&f, f.root, "temporary", S_IFREG | 0600);
	}
	files_write(&f, n->i, 0, p, len);
	saved(n->i);
	f.who.keeps = true;
	if (!move)
		ck_assert_int_eq(
			fs_tree_rename(f.root, "temporary", f.root, n->name, 0, &f.who, NULL, NULL),
			0);
	if (n->now.len)
		keep_version(n);
	memcpy(n->now.p, p, len);
	n->now.len = len;
	n->saving = false;
	free(p);
	fs_inode_put(old);
}

static void do_saved(struct note *n)
{
	saved(n->i);
	model_saved(n);
}

static void do_prune(struct note *n)
{
	uint32_t keep = 5 + rnd(20);

	ck_assert_int_eq(fs_history_prune(n->i, keep, 0, &f.who), 0);
	while (n->n > keep)
		drop_first(n);
}

static void do_reopen(void)
{
	for (int k = 0; k < NOTES; k++)
		fs_inode_put(notes[k].i);
	files_reopen(&f, false);
	for (int k = 0; k < NOTES; k++) {
		notes[k].i = look(notes[k].name);
		notes[k].saving = false;
	}
}

static void check_version(const struct fs_history_version *v, const struct bytes *b)
{
	ck_assert_uint_eq(v->version, b->version);
	check_bytes(v, b->p, b->len);
}

/* One version, or all of them. */
static void check_note(struct note *n, bool all)
{
	struct list l = list(n->i);

	ck_assert_uint_eq(l.n, n->n + 1);
	check_version(&l.v[0], &n->now);
	for (size_t k = 0; k < n->n; k++) {
		ck_assert_uint_eq(l.v[n->n - k].version, n->old[k].version);
		if (all || !rnd((unsigned)n->n))
			check_version(&l.v[n->n - k], &n->old[k]);
	}
	if (all)
		check_found(n->i);
}

static void step(struct note *n)
{
	switch (rnd(24)) {
	case 0:
		files_sync(&f);
		break;
	case 1:
		do_truncate(n);
		break;
	case 2:
		do_punch(n);
		break;
	case 3:
		do_allocate(n);
		break;
	case 4:
		do_replace(n, rnd(2));
		break;
	case 5:
	case 6:
	case 7:
	case 8:
	case 9:
	case 10:
		do_saved(n);
		break;
	default:
		do_write(n);
	}
}

static void random_steps(unsigned from)
{
	seed = from;
	for (int k = 0; k < NOTES; k++) {
		snprintf(notes[k].name, sizeof(notes[k].name), "note-%d", k);
		notes[k].i = files_make(&f, f.root, notes[k].name, S_IFREG | 0640);
		notes[k].now = (struct bytes){1, 0, calloc(1, 2 * SIZE_MOST)};
	}
	for (int k = 0; k < STEPS; k++) {
		struct note *n = &notes[rnd(NOTES)];

		tick(1);
		step(n);
		if (n->n > 30)
			do_prune(n);
		if (k % 10 == 0)
			check_note(n, false);
		if (k % 150 == 0)
			do_reopen();
		if (k % 300 == 0) {
			for (int m = 0; m < NOTES; m++)
				check_note(&notes[m], true);
			check_units();
		}
	}
	do_reopen();
	for (int k = 0; k < NOTES; k++) {
		check_note(&notes[k], true);
		fs_inode_put(notes[k].i);
		while (notes[k].n)
			drop_first(&notes[k]);
		free(notes[k].now.p);
	}
	check_units();
}

START_TEST(random_changes)
{
	random_steps((unsigned)_i + 1);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("fs/history model");
	TCase *tc = tcase_create("history");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, random_changes, 0, 2);
	suite_add_tcase(s, tc);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
