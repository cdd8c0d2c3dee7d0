/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/test_fs_final_model.c - several actors do whatever comes to mind in a journal while
 * notes become final.
 *
 * The model knows of each final note what it was when it became final: a digest of all its records
 * (without what is stated about it), attributes, contents and extended attributes, its path, and
 * the state that statements have led to. After each step every final note must still be exactly
 * that, in memory; and again from the disk each time the journal is opened anew. FINAL_SEED repeats
 * a run, FINAL_STEPS makes it longer.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <sys/xattr.h>

#include "keys/digest.h"
#include "fs/history.h"
#include "test_fs_final.h"

#define SEED UINT64_C(0x66696e616c)
#define STEPS 6000
#define STEPS_A_VAULT 600
#define FINAL_MAX 24
#define HANDLES 12
#define NAMES 7

static struct files f;
static uint64_t seed, state;
static unsigned step_no;

static struct final {
	struct fs_inode *handle; /* an open handle from before it was final; may be NULL */
	uint64_t ino;
	char path[KEYS_NOTE_PATH_MAX + 1];
	uint8_t digest[KEYS_LEN];
	struct fs_final_state state;
	bool wants;
	unsigned before; /* FS_INODE_BEFORE: it also is what another note was */
} finals[FINAL_MAX];
static unsigned n_finals;

static struct fs_inode *handles[HANDLES];
static uint8_t noise[60000];

/* Of each kind of step: how often it succeeded, and was refused with EPERM. */
static struct count {
	const char *what;
	unsigned done, eperm;
} counts[32];

static uint32_t rnd(uint32_t n)
{
	state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)(state >> 33) % n;
}

static const char *some_name(void)
{
	static const char *const names[NAMES] = {"a",	  "b",	    "c",  "note.txt",
						 "note~", ".#lock", "x y"};

	return names[rnd(NAMES)];
}

/* ---- what a final note is ---- */

static int digest_record(void *ctx, const struct fs_key *key, struct fs_buf *buf)
{
	struct fs_inode_attr a;
	uint8_t rec[FS_INODE_LEN];

	/* Maps of chunks are made when a group is committed; the contents are looked at. */
	if (fs_key_table(key) == FS_T_STATE || fs_key_table(key) == FS_T_MAP ||
	    fs_key_table(key) == FS_T_OLD_MAP)
		return 0;
	keys_digest_add(ctx, key->b, key->len);
	if (fs_key_table(key) != FS_T_INODE) {
		keys_digest_add(ctx, buf->data, buf->len);
		return 0;
	}
	ck_assert_int_eq(fs_inode_decode(buf->data, buf->len, &a), 0);
	ck_assert(a.flags & FS_INODE_FINAL);
	a.flags = 0;
	fs_inode_encode(&a, rec);
	keys_digest_add(ctx, rec, sizeof(rec));
	return 0;
}

static int digest_part(void *ctx, const struct iovec *iov, int n, size_t len)
{
	(void)len;
	for (int k = 0; k < n; k++)
		keys_digest_add(ctx, iov[k].iov_base, iov[k].iov_len);
	return 0;
}

static void digest_of(struct fs_inode *i, uint8_t out[static KEYS_LEN])
{
	struct fs_key from = fs_key(5, i->ino, 0), to = fs_key(5, i->ino + 1, 0);
	struct keys_digest *d = keys_digest_new();
	struct fs_inode_attr a = i->attr;
	uint8_t rec[FS_INODE_LEN], blake2b[64];

	ck_assert_ptr_nonnull(d);
	ck_assert_int_eq(fs_record_scan(f.j, &from, &to, digest_record, d), 0);
	a.flags = 0;
	fs_inode_encode(&a, rec);
	keys_digest_add(d, rec, sizeof(rec));
	ck_assert_int_eq(fs_content_read(i, 0, FS_CONTENT_READ_MAX, digest_part, d), 0);
	keys_digest_end(d, out, blake2b);
	keys_digest_free(d);
}

static unsigned flags_of(const struct final *n)
{
	return n->before | FS_INODE_FINAL | FS_INODE_STATE |
	       (n->state.signed_by ? FS_INODE_SIGNED : 0u) |
	       (n->state.error ? FS_INODE_ERROR : 0u) |
	       (n->state.amended_by ? FS_INODE_AMENDED : 0u) |
	       (n->state.amends ? FS_INODE_AMENDS : 0u) | (n->wants ? FS_INODE_WANTS : 0u);
}

static void check_one(const struct final *n, const char *after)
{
	struct fs_final_state s;
	struct fs_inode *i = NULL;
	uint8_t now[KEYS_LEN];
	int rc = fs_final_lookup(f.j, n->path, &i);

	ck_assert_msg(!rc && i->ino == n->ino, "seed %#" PRIx64 " step %u, %s: %s is gone (%d)",
		      seed, step_no, after, n->path, rc);
	digest_of(i, now);
	ck_assert_msg(!memcmp(now, n->digest, KEYS_LEN),
		      "seed %#" PRIx64 " step %u, %s: %s has changed", seed, step_no, after,
		      n->path);
	ck_assert_int_eq(fs_final_state(i, &s), 0);
	ck_assert_msg(!memcmp(&s, &n->state, sizeof(s)) && i->flags == flags_of(n),
		      "seed %#" PRIx64 " step %u, %s: %s: what is stated", seed, step_no, after,
		      n->path);
	fs_inode_put(i);
}

static void check_all(const char *after)
{
	for (unsigned n = 0; n < n_finals; n++)
		check_one(&finals[n], after);
}

static struct final *final_of(uint64_t ino)
{
	for (unsigned n = 0; n < n_finals; n++) {
		if (finals[n].ino == ino)
			return &finals[n];
	}
	return NULL;
}

/* ---- what a step is about ---- */

struct pick {
	struct fs_inode *dir, *i; /* references; i: what name stands for, or NULL */
	const char *name;
	char path[KEYS_NOTE_PATH_MAX + 1];
};

static void pick_start(struct pick *p)
{
	*p = (struct pick){.dir = fs_inode_ref(f.root)};
}

/* A walk down from the root, by names that may be there or not. */
static void pick(struct pick *p)
{
	pick_start(p);
	for (unsigned depth = 0;; depth++) {
		p->name = some_name();
		strcat(p->path, p->name);
		if (fs_tree_lookup(p->dir, p->name, &p->i))
			p->i = NULL;
		if (!p->i || !S_ISDIR(p->i->mode) || depth == 4 || rnd(3) == 0)
			return;
		fs_inode_put(p->dir);
		p->dir = p->i;
		p->i = NULL;
		strcat(p->path, "/");
	}
}

static void pick_clear(struct pick *p)
{
	fs_inode_put(p->dir);
	fs_inode_put(p->i);
}

/* A handle from before, or what a name leads to; a reference, or NULL. */
static struct fs_inode *some_inode(void)
{
	struct fs_inode *i;
	struct pick p;

	if (rnd(3) == 0 && handles[step_no % HANDLES])
		return fs_inode_ref(handles[step_no % HANDLES]);
	if (rnd(4) == 0 && n_finals) {
		i = finals[rnd(n_finals)].handle;
		if (i)
			return fs_inode_ref(i);
	}
	pick(&p);
	i = p.i ? fs_inode_ref(p.i) : NULL;
	pick_clear(&p);
	return i;
}

static struct fs_actor some_actor(void)
{
	struct fs_actor who = f.who;

	who.pid = 1 + rnd(3);
	who.now = NOW(1000 + (time_t)step_no);
	who.due_s = rnd(5) == 0 ? 1000 + (int64_t)rnd(step_no + 1) : 0;
	who.own_s = rnd(9) == 0 ? 1 : 0;
	who.keeps = rnd(2);
	return who;
}

static bool refused(const struct fs_inode *i, const struct fs_actor *who)
{
	return fs_final_check(i, who) == -EPERM;
}

/* ---- the steps ---- */

static int on_inode(int (*go)(struct fs_inode *i, struct fs_actor *who))
{
	struct fs_actor who = some_actor();
	struct fs_inode *i = some_inode();
	bool must;
	int rc;

	if (!i)
		return -ENOENT;
	must = refused(i, &who) && S_ISREG(i->mode) && !i->deleted;
	rc = go(i, &who);
	ck_assert_msg(!must || rc == -EPERM, "seed %#" PRIx64 " step %u: %d, not EPERM", seed,
		      step_no, rc);
	fs_inode_put(i);
	return rc;
}

/* What keeps or drops earlier versions says nothing of final notes, and does nothing to them. */
static int on_file(int (*go)(struct fs_inode *i, struct fs_actor *who))
{
	struct fs_actor who = some_actor();
	struct fs_inode *i = some_inode();
	int rc = i && S_ISREG(i->mode) ? go(i, &who) : -ENOENT;

	fs_inode_put(i);
	return rc;
}

static int go_write(struct fs_inode *i, struct fs_actor *who)
{
	return fs_content_write(i, rnd(30000), rnd(2), noise + rnd(1000),
				rnd(6) ? rnd(9000) : rnd(sizeof(noise) - 1000), who, NULL);
}
static int go_truncate(struct fs_inode *i, struct fs_actor *who)
{
	return fs_content_truncate(i, rnd(2) ? 0 : rnd(40000), who);
}
static int go_allocate(struct fs_inode *i, struct fs_actor *who)
{
	static const int modes[] = {0, FALLOC_FL_KEEP_SIZE,
				    FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
				    FALLOC_FL_ZERO_RANGE};

	return fs_content_allocate(i, modes[rnd(4)], rnd(20000), 1 + rnd(30000), who);
}
static int go_setattr(struct fs_inode *i, struct fs_actor *who)
{
	const uint32_t mode = rnd(512);
	const struct timespec at = NOW((time_t)rnd(90000));
	struct fs_content_attr set = {.owner = rnd(2)};

	set.mode = rnd(2) ? &mode : NULL;
	set.atime = rnd(2) ? &at : NULL;
	set.mtime = rnd(2) ? &at : NULL;
	set.ctime = rnd(4) ? NULL : &at;
	return fs_content_setattr(i, &set, who);
}
static int go_xattr_set(struct fs_inode *i, struct fs_actor *who)
{
	return fs_xattr_set(i, rnd(2) ? "user.a" : "user.b", noise, rnd(5000), 0, who);
}
static int go_xattr_remove(struct fs_inode *i, struct fs_actor *who)
{
	return fs_xattr_remove(i, rnd(2) ? "user.a" : "user.b", who);
}
static int go_amend(struct fs_inode *i, struct fs_actor *who)
{
	struct fs_final_state s = {.amends = n_finals ? finals[rnd(n_finals)].ino : 0};

	if (s.amends == i->ino)
		s.amends = 0;
	return fs_final_link(i, &s, who);
}

static int go_saved(struct fs_inode *i, struct fs_actor *who)
{
	return fs_history_saved(i, who);
}
static int go_prune(struct fs_inode *i, struct fs_actor *who)
{
	return fs_history_prune(i, 1 + rnd(2), 0, who);
}

static int step_write(void)
{
	return on_inode(go_write);
}
static int step_truncate(void)
{
	return on_inode(go_truncate);
}
static int step_allocate(void)
{
	return on_inode(go_allocate);
}
static int step_setattr(void)
{
	return on_inode(go_setattr);
}
static int step_xattr_set(void)
{
	return on_inode(go_xattr_set);
}
static int step_xattr_remove(void)
{
	return on_inode(go_xattr_remove);
}
static int step_saved(void)
{
	return on_file(go_saved);
}
static int step_prune(void)
{
	return on_file(go_prune);
}
static int step_amend(void)
{
	return on_inode(go_amend);
}

static int step_create(void)
{
	struct fs_actor who = some_actor();
	struct fs_inode *i = NULL;
	struct pick p;
	int rc;

	pick(&p);
	rc = fs_tree_create(p.dir, p.name, rnd(3) ? S_IFREG | 0600 : S_IFDIR | 0700, &who, &i);
	fs_inode_put(i);
	pick_clear(&p);
	return rc;
}

static int step_symlink(void)
{
	struct fs_actor who = some_actor();
	struct fs_inode *i = NULL;
	struct pick p;
	int rc;

	pick(&p);
	rc = fs_tree_symlink(p.dir, p.name, "a/b", &who, &i);
	fs_inode_put(i);
	pick_clear(&p);
	return rc;
}

static int step_link(void)
{
	struct fs_inode *i = some_inode();
	struct fs_actor who = some_actor();
	struct pick p;
	int rc;

	if (!i)
		return -ENOENT;
	pick(&p);
	rc = fs_tree_link(i, p.dir, p.name, &who);
	pick_clear(&p);
	fs_inode_put(i);
	return rc;
}

static int step_nameless(void)
{
	struct fs_actor who = some_actor();
	struct fs_inode *i = NULL;
	struct pick p;
	int rc;

	pick(&p);
	rc = fs_tree_nameless(p.dir, 0600, &who, &i);
	if (!rc)
		rc = fs_tree_link(i, p.dir, p.name, &who);
	fs_inode_put(i);
	pick_clear(&p);
	return rc;
}

static int step_unlink(void)
{
	struct fs_actor who = some_actor();
	struct pick p;
	bool must;
	int rc;

	pick(&p);
	must = p.i && S_ISREG(p.i->mode) && refused(p.i, &who);
	rc = fs_tree_unlink(p.dir, p.name, &who, NULL);
	ck_assert(!must || rc == -EPERM || (who.own_s && rc == -EACCES));
	pick_clear(&p);
	return rc;
}

static int step_rmdir(void)
{
	struct fs_actor who = some_actor();
	struct pick p;
	bool must;
	int rc;

	pick(&p);
	must = p.i && fs_final_check_dir(p.i);
	rc = fs_tree_rmdir(p.dir, p.name, &who, NULL);
	ck_assert(!must || rc == -EPERM || (who.own_s && rc == -EACCES));
	pick_clear(&p);
	return rc;
}

static int step_rename(void)
{
	static const unsigned flags[] = {0, 0, FS_TREE_NOREPLACE, FS_TREE_EXCHANGE};
	struct fs_actor who = some_actor();
	struct pick from, to;
	int rc;

	pick(&from);
	pick(&to);
	rc = fs_tree_rename(from.dir, from.name, to.dir, to.name, flags[rnd(4)], &who, NULL, NULL);
	pick_clear(&from);
	pick_clear(&to);
	return rc;
}

/* One more handle stays open, an older one is closed. */
static int step_open(void)
{
	struct fs_inode **at = &handles[rnd(HANDLES)], *was = *at;

	*at = some_inode();
	fs_inode_put(was);
	return *at ? 0 : -ENOENT;
}

static void remember(struct fs_inode *i, const char *path, bool wants)
{
	struct final *n = &finals[n_finals++], *old;

	*n = (struct final){.ino = i->ino, .wants = wants, .before = i->flags & FS_INODE_BEFORE};
	strcpy(n->path, path);
	n->handle = rnd(2) ? fs_inode_ref(i) : NULL;
	ck_assert_int_eq(fs_final_state(i, &n->state), 0);
	old = final_of(n->state.amends);
	if (old)
		old->state.amended_by = i->ino;
	digest_of(i, n->digest);
}

/* Somebody finalizes; sometimes with a path that leads elsewhere, sometimes he gives up. */
static int step_finalize(void)
{
	struct fs_final_statement s;
	struct fs_final_add add = {.s = &s, .wants = rnd(2)};
	struct fs_actor who = some_actor();
	struct final *old;
	struct fs_final_state st;
	struct pick p, q;
	int rc;

	pick(&p);
	rc = p.i ? fs_final_close(p.i) : -ENOENT;
	if (rc || n_finals == FINAL_MAX) {
		if (!rc)
			fs_final_open(p.i);
		pick_clear(&p);
		return rc ? rc : -ECANCELED;
	}
	add.i = p.i;
	final_statement(&f, p.i, p.path, rnd(2) ? KEYS_NOTE_LOCKED : KEYS_NOTE_FINAL, &s);
	ck_assert_int_eq(fs_final_state(p.i, &st), 0);
	old = final_of(st.amends);
	s.note.amends = old ? old->state.final : 0;
	pick(&q);
	if (rnd(4) == 0)
		strcpy(s.note.path, q.path);
	pick_clear(&q);
	rc = rnd(6) ? fs_final_add(&add, &who) : -ECANCELED;
	ck_assert(!rc || rc == -ECANCELED || strcmp(s.note.path, p.path));
	if (rc)
		fs_final_open(p.i);
	else
		remember(p.i, p.path, add.wants);
	pick_clear(&p);
	return rc;
}

static int step_state_more(void)
{
	uint8_t kind = (uint8_t)(KEYS_NOTE_SIGNED + rnd(3));
	struct final *n = n_finals ? &finals[rnd(n_finals)] : NULL;
	struct fs_inode *i;
	int rc;

	if (!n)
		return -ENOENT;
	ck_assert_int_eq(fs_final_lookup(f.j, n->path, &i), 0);
	rc = final_more(&f, i, n->path, kind);
	ck_assert(!rc || rc == -EEXIST);
	if (!rc) {
		uint32_t last;
		uint8_t hash[KEYS_LEN];

		ck_assert_int_eq(fs_final_last(f.j, &last, hash), 0);
		if (kind == KEYS_NOTE_SIGNED)
			n->state.signed_by = last;
		else if (kind == KEYS_NOTE_COUNTERSIGNED)
			n->state.countersigned = last, n->wants = false;
		else
			n->state.error = last;
	}
	fs_inode_put(i);
	return rc;
}

static int step_sync(void)
{
	if (rnd(4) == 0)
		files_sync(&f);
	else
		fs_group_hurry(fs_records_group(f.r));
	return 0;
}

static void drop_all(void)
{
	for (unsigned n = 0; n < HANDLES; n++) {
		fs_inode_put(handles[n]);
		handles[n] = NULL;
	}
	for (unsigned n = 0; n < n_finals; n++) {
		fs_inode_put(finals[n].handle);
		finals[n].handle = NULL;
	}
}

static int step_reopen(void)
{
	if (rnd(12))
		return -ECANCELED;
	drop_all();
	files_reopen(&f, false);
	return fs_inode_reap(f.j, f.signer);
}

static const struct {
	const char *what;
	unsigned weight;
	int (*go)(void);
	bool eperm; /* must be met */
} steps[] = {
	{"create", 12, step_create, false},
	{"symlink", 1, step_symlink, false},
	{"nameless", 2, step_nameless, false},
	{"write", 8, step_write, true},
	{"truncate", 4, step_truncate, true},
	{"allocate", 4, step_allocate, true},
	{"setattr", 4, step_setattr, true},
	{"set xattr", 4, step_xattr_set, true},
	{"remove xattr", 3, step_xattr_remove, true},
	{"amend", 4, step_amend, true},
	{"link", 3, step_link, true},
	{"unlink", 5, step_unlink, true},
	{"rmdir", 8, step_rmdir, true},
	{"rename", 10, step_rename, true},
	{"open", 5, step_open, false},
	{"finalize", 6, step_finalize, true},
	{"state more", 3, step_state_more, false},
	{"saved", 5, step_saved, false},
	{"prune", 2, step_prune, false},
	{"sync", 2, step_sync, false},
	{"reopen", 2, step_reopen, false},
};
#define STEP_KINDS (sizeof(steps) / sizeof(steps[0]))

static void one_step(void)
{
	unsigned total = 0, at;
	size_t n = 0;
	int rc;

	for (size_t k = 0; k < STEP_KINDS; k++)
		total += steps[k].weight;
	at = rnd(total);
	while (at >= steps[n].weight)
		at -= steps[n++].weight;
	rc = steps[n].go();
	counts[n].what = steps[n].what;
	counts[n].done += rc == 0;
	counts[n].eperm += rc == -EPERM;
	ck_assert_msg(rc != -EBADMSG && rc != -EIO && rc != -EROFS && rc != -ENOMEM,
		      "seed %#" PRIx64 " step %u, %s: %d", seed, step_no, steps[n].what, rc);
	check_all(steps[n].what);
}

static uint64_t environment(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);

	return text ? strtoull(text, NULL, 0) : otherwise;
}

START_TEST(final_notes_outlive_whatever_comes_to_mind)
{
	uint64_t all = environment("FINAL_STEPS", STEPS);

	seed = environment("FINAL_SEED", SEED);
	state = seed;
	for (size_t n = 0; n < sizeof(noise); n++)
		noise[n] = (uint8_t)rnd(256);
	printf("%" PRIu64 " steps, seed %#" PRIx64 "\n", all, seed);
	for (uint64_t done = 0; done < all; done += STEPS_A_VAULT) {
		files_start(&f);
		n_finals = 0;
		for (unsigned n = 0; n < STEPS_A_VAULT; n++, step_no++)
			one_step();
		drop_all();
		files_reopen(&f, false);
		check_all("opened again");
		files_stop(&f);
	}
	for (size_t n = 0; n < STEP_KINDS; n++) {
		printf("%-14s %5u done %5u EPERM\n", steps[n].what, counts[n].done,
		       counts[n].eperm);
		/* Other runs may by chance leave something out. */
		if (seed == SEED && all >= STEPS) {
			ck_assert_uint_gt(counts[n].done, 0);
			ck_assert(!steps[n].eperm || counts[n].eperm);
		}
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("fs_final_model");
	TCase *tc = tcase_create("model");
	SRunner *sr = srunner_create(s);
	int failed;

	setvbuf(stdout, NULL, _IOLBF, 0);
	tcase_set_timeout(tc, 600);
	tcase_add_test(tc, final_notes_outlive_whatever_comes_to_mind);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? 1 : 0;
}
