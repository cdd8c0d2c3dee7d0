/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/test_fs_inode.c - the inode record, the table in memory, numbers, orphans. */
#include "fs/chunk.h"
#include "test_fs_files.h"

static struct fs_inode_attr sample(void)
{
	return (struct fs_inode_attr){.mode = S_IFREG | 0640,
				      .nlink = 1,
				      .size = 9000,
				      .atime = NOW(-1),
				      .mtime = NOW(2),
				      .ctime = NOW(3),
				      .btime = NOW(4),
				      .author = 8,
				      .writer = 9,
				      .form = FS_FORM_INLINE,
				      .pieces = 5,
				      .change = 77,
				      .blocks = 18,
				      .xattrs = 3,
				      .flags = FS_INODE_FINAL | FS_INODE_STATE | FS_INODE_WANTS};
}

static int recode(const struct fs_inode_attr *a)
{
	struct fs_inode_attr back;
	uint8_t rec[FS_INODE_LEN];

	fs_inode_encode(a, rec);
	return fs_inode_decode(rec, sizeof(rec), &back);
}

START_TEST(inode_record_comes_back_whole)
{
	struct fs_inode_attr a = sample(), b = {0};
	uint8_t rec[FS_INODE_LEN], again[FS_INODE_LEN];

	fs_inode_encode(&a, rec);
	ck_assert_int_eq(fs_inode_decode(rec, sizeof(rec), &b), 0);
	fs_inode_encode(&b, again);
	ck_assert_mem_eq(rec, again, sizeof(rec));
	ck_assert_uint_eq(b.size, 9000);
	ck_assert_uint_eq(b.pieces, 5);
	ck_assert_int_eq(b.atime.tv_sec, -1);
	ck_assert_int_eq(b.btime.tv_nsec, 7);
	ck_assert_uint_eq(b.writer, 9);
	ck_assert_uint_eq(b.xattrs, 3);
}
END_TEST

START_TEST(inode_decode_refuses_nonsense)
{
	struct fs_inode_attr a = sample(), bad;
	uint8_t rec[FS_INODE_LEN + 1] = {0};

	fs_inode_encode(&a, rec);
	for (size_t len = 0; len <= sizeof(rec); len++)
		ck_assert_int_eq(fs_inode_decode(rec, len, &bad),
				 len == FS_INODE_LEN ? 0 : -EBADMSG);
	rec[0] = 2;
	ck_assert_int_eq(fs_inode_decode(rec, FS_INODE_LEN, &bad), -EBADMSG);
	rec[0] = 1;
	rec[FS_INODE_LEN - 1] = 1;
	ck_assert_int_eq(fs_inode_decode(rec, FS_INODE_LEN, &bad), -EBADMSG);
	for (unsigned flag = FS_INODE_FLAGS + 1; flag <= 32768; flag *= 2) {
		bad = a, bad.flags |= (uint16_t)flag;
		ck_assert_int_eq(recode(&bad), -EBADMSG);
	}
	bad = a, bad.flags = FS_INODE_FINAL;
	ck_assert_int_eq(recode(&bad), -EBADMSG);
	bad = a, bad.flags = FS_INODE_STATE | FS_INODE_WANTS;
	ck_assert_int_eq(recode(&bad), -EBADMSG);
	bad = a, bad.flags |= FS_INODE_HOLDS;
	ck_assert_int_eq(recode(&bad), -EBADMSG);
	bad = a, bad.flags |= FS_INODE_REMOVED;
	ck_assert_int_eq(recode(&bad), -EBADMSG);
	bad = a, bad.flags |= FS_INODE_BEFORE;
	ck_assert_int_eq(recode(&bad), 0);
	bad = a, bad.nlink = 2;
	ck_assert_int_eq(recode(&bad), -EBADMSG);
	bad = a, bad.nlink = 0;
	ck_assert_int_eq(recode(&bad), -EBADMSG);
	bad = a, bad.before_version = 1;
	ck_assert_int_eq(recode(&bad), -EBADMSG);
	bad = a, bad.before = FS_INO_HISTORY;
	ck_assert_int_eq(recode(&bad), -EBADMSG);
	bad = a, bad.mode = S_IFCHR | 0600;
	ck_assert_int_eq(recode(&bad), -EBADMSG);
	bad = a, bad.mtime.tv_nsec = 1000000000;
	ck_assert_int_eq(recode(&bad), -EBADMSG);
	bad = a, bad.form = 3;
	ck_assert_int_eq(recode(&bad), -EBADMSG);
	bad = a, bad.pieces = 16;
	ck_assert_int_eq(recode(&bad), -EBADMSG);
	bad = a, bad.form = FS_FORM_CHUNKS;
	ck_assert_int_eq(recode(&bad), -EBADMSG);
	bad = a, bad.size = FS_SIZE_MAX + 1;
	ck_assert_int_eq(recode(&bad), -EBADMSG);
	bad = a, bad.parent = 1;
	ck_assert_int_eq(recode(&bad), -EBADMSG);
	bad = a, bad.mode = S_IFDIR | 0700;
	ck_assert_int_eq(recode(&bad), -EBADMSG);
}
END_TEST

START_TEST(inode_get_gives_one_object_while_referenced)
{
	struct fs_inode *a, *b = NULL, *c = NULL;
	struct files f;
	uint64_t ino;

	files_start(&f);
	a = files_make(&f, f.root, "n", S_IFREG | 0600);
	ino = a->ino;
	ck_assert_int_eq(fs_inode_get(f.j, ino, &b), 0);
	ck_assert_ptr_eq(a, b);
	c = fs_inode_find(f.j, ino);
	ck_assert_ptr_eq(a, c);
	ck_assert_uint_eq(fs_inode_nodeid(a), (uint64_t)5 << 40 | ino);
	fs_inode_put(a);
	fs_inode_put(b);
	fs_inode_put(c);
	ck_assert_ptr_null(fs_inode_find(f.j, ino));
	ck_assert_int_eq(fs_inode_get(f.j, ino, &a), 0);
	ck_assert_uint_eq(a->mode, S_IFREG | 0600);
	ck_assert_uint_eq(a->author, 3);
	fs_inode_put(a);
	ck_assert_int_eq(fs_inode_get(f.j, ino + 1, &a), -ENOENT);
	ck_assert_int_eq(fs_inode_get(f.j, 0, &a), -ENOENT);
	ck_assert_int_eq(fs_inode_get(f.j, FS_INO_MAX + 1, &a), -ENOENT);
	files_stop(&f);
}
END_TEST

START_TEST(inode_numbers_are_never_used_again)
{
	struct fs_inode *i;
	uint64_t last = FS_ROOT_INO;
	struct files f;

	files_start(&f);
	for (int round = 0; round < 3; round++) {
		for (int n = 0; n < 5; n++) {
			i = files_make(&f, f.root, "n", S_IFREG | 0600);
			ck_assert_uint_gt(i->ino, last);
			last = i->ino;
			ck_assert_int_eq(fs_tree_unlink(f.root, "n", &f.who, NULL), 0);
			fs_inode_put(i);
		}
		files_reopen(&f, false);
	}
	files_stop(&f);
}
END_TEST

START_TEST(inode_numbers_are_never_used_again_after_crash)
{
	struct fs_inode *i;
	struct files f, g;
	char copy[64];
	uint64_t last;

	files_start(&f);
	i = files_make(&f, f.root, "seen", S_IFREG | 0600);
	fs_inode_put(i);
	files_sync(&f);
	for (int n = 0; n < 1500; n++) {
		char name[16];

		snprintf(name, sizeof(name), "%d", n);
		i = files_make(&f, f.root, name, S_IFREG | 0600);
		last = i->ino;
		fs_inode_put(i);
	}
	files_sync(&f);
	files_crash(&f, copy);
	g = f;
	files_close(&f);
	files_open(&g, copy, false, false);
	i = files_make(&g, g.root, "new", S_IFREG | 0600);
	ck_assert_uint_gt(i->ino, last);
	fs_inode_put(i);
	files_close(&g);
	files_rm(copy);
	files_open(&f, f.dir, false, false);
	files_stop(&f);
}
END_TEST

static struct fs_inode *pair[2];

static void *lock_pair(void *arg)
{
	bool turned = arg;
	struct fs_inode *mine[4] = {pair[turned], NULL, pair[!turned], pair[turned]};

	for (int n = 0; n < 20000; n++) {
		fs_inode_lock_many(mine, 4);
		pair[0]->change++;
		pair[1]->change++;
		fs_inode_unlock_many(mine, 4);
	}
	return NULL;
}

START_TEST(inode_lock_many_orders_and_skips)
{
	struct files f;
	pthread_t t;

	files_start(&f);
	pair[0] = files_make(&f, f.root, "a", S_IFREG | 0600);
	pair[1] = files_make(&f, f.root, "b", S_IFREG | 0600);
	ck_assert_int_eq(pthread_create(&t, NULL, lock_pair, &f), 0);
	lock_pair(NULL);
	pthread_join(t, NULL);
	ck_assert_uint_eq(pair[0]->change, 40000);
	ck_assert_uint_eq(pair[1]->change, 40000);
	fs_inode_put(pair[0]);
	fs_inode_put(pair[1]);
	files_stop(&f);
}
END_TEST

static struct files *shared;
static uint64_t shared_ino;

static void *get_and_put(void *arg)
{
	(void)arg;
	for (int n = 0; n < 3000; n++) {
		struct fs_inode *i;

		ck_assert_int_eq(fs_inode_get(shared->j, shared_ino, &i), 0);
		pthread_rwlock_rdlock(&i->lock);
		ck_assert_uint_eq(i->ino, shared_ino);
		ck_assert(S_ISREG(i->mode));
		pthread_rwlock_unlock(&i->lock);
		fs_inode_put(i);
	}
	return NULL;
}

static void *get_and_change(void *arg)
{
	(void)arg;
	for (int n = 0; n < 1000; n++) {
		struct fs_actor who = shared->who;
		struct fs_inode *i;

		ck_assert_int_eq(fs_inode_get(shared->j, shared_ino, &i), 0);
		ck_assert_int_eq(fs_content_write(i, 0, true, (const uint8_t *)"x", 1, &who, NULL),
				 0);
		fs_inode_put(i);
	}
	return NULL;
}

START_TEST(inode_get_never_loads_a_stale_record_beside_a_change)
{
	struct fs_inode *i;
	pthread_t t[4];
	struct files f;

	files_start(&f);
	i = files_make(&f, f.root, "n", S_IFREG | 0600);
	shared = &f;
	shared_ino = i->ino;
	fs_inode_put(i);
	for (int n = 0; n < 4; n++)
		ck_assert_int_eq(
			pthread_create(&t[n], NULL, n < 2 ? get_and_put : get_and_change, NULL), 0);
	for (int n = 0; n < 4; n++)
		pthread_join(t[n], NULL);
	ck_assert_int_eq(fs_inode_get(f.j, shared_ino, &i), 0);
	ck_assert_uint_eq(i->size, 2000);
	fs_inode_put(i);
	files_stop(&f);
}
END_TEST

static void fill_orphan(struct files *f, struct fs_inode *i)
{
	static uint8_t big[200000];

	memset(big, 'o', sizeof(big));
	files_write(f, i, 0, big, sizeof(big));
	ck_assert_int_eq(fs_xattr_set(i, "user.note", big, 5000, 0, &f->who), 0);
}

START_TEST(orphan_stays_readable_until_last_reference)
{
	uint8_t got[10];
	struct fs_inode *i, *lost = NULL;
	struct files f;
	uint64_t ino;
	size_t len;

	files_start(&f);
	i = files_make(&f, f.root, "n", S_IFREG | 0600);
	fill_orphan(&f, i);
	ino = i->ino;
	ck_assert_int_eq(fs_tree_unlink(f.root, "n", &f.who, &lost), 0);
	ck_assert_ptr_eq(lost, i);
	ck_assert(i->gone && !i->deleted);
	ck_assert_uint_eq(i->nlink, 0);
	ck_assert(files_has(&f, 0, FS_T_ORPHAN));
	files_write(&f, i, 100, "after", 5);
	ck_assert_int_eq(files_read(i, 99, got, 7, &len), 0);
	ck_assert_mem_eq(got, "oaftero", 7);
	ck_assert_int_eq(fs_tree_link(i, f.root, "back", &f.who), -ENOENT);
	fs_inode_put(lost);
	ck_assert(files_has(&f, ino, FS_T_INODE));
	fs_inode_put(i);
	ck_assert(!files_has(&f, 0, FS_T_ORPHAN));
	ck_assert(!files_has(&f, ino, FS_T_INODE));
	ck_assert(!files_has(&f, ino, FS_T_MAP));
	ck_assert(!files_has(&f, ino, FS_T_XATTR));
	ck_assert_int_eq(fs_inode_get(f.j, ino, &i), -ENOENT);
	ck_assert_uint_eq(fs_container_units_used(fs_journal_container(f.j)), 0);
	files_stop(&f);
}
END_TEST

/* Noticed at the commit it would stop the vault for everybody. */
START_TEST(change_without_a_signer_is_refused_at_once)
{
	struct fs_actor nobody = {.pid = 3, .now = NOW(1000)};
	struct fs_inode *i = NULL;
	struct files f;

	files_start(&f);
	ck_assert_int_eq(fs_tree_create(f.root, "n", S_IFREG | 0600, &nobody, &i), -EACCES);
	files_sync(&f);
	fs_inode_put(files_make(&f, f.root, "n", S_IFREG | 0600));
	files_sync(&f);
	files_stop(&f);
}
END_TEST

/* Signed by somebody who may no longer write, the root would lock everybody out of the journal. */
START_TEST(orphan_is_left_to_reap_when_policy_changed)
{
	struct fs_inode *i;
	struct files f;
	uint64_t ino;

	files_start(&f);
	fs_records_policy_version(f.r, 5);
	i = files_make(&f, f.root, "n", S_IFREG | 0600);
	fill_orphan(&f, i);
	ino = i->ino;
	ck_assert_int_eq(fs_tree_unlink(f.root, "n", &f.who, NULL), 0);
	files_sync(&f);
	fs_records_policy_version(f.r, 6);
	fs_inode_put(i);
	ck_assert(files_has(&f, 0, FS_T_ORPHAN));
	ck_assert(files_has(&f, ino, FS_T_INODE));
	ck_assert_int_eq(fs_inode_reap(f.j, f.signer), 0);
	ck_assert(!files_has(&f, 0, FS_T_ORPHAN));
	ck_assert(!files_has(&f, ino, FS_T_INODE));
	files_stop(&f);
}
END_TEST

/* A handle that outlived a lock may be a reader's: its last reference signs nothing. */
START_TEST(orphan_unparked_is_left_to_reap)
{
	struct fs_signer *signers[2] = {NULL};
	struct fs_inode *i;
	struct files f;
	uint64_t ino;

	files_start(&f);
	signers[1] = f.signer;
	i = files_make(&f, f.root, "n", S_IFREG | 0600);
	fill_orphan(&f, i);
	ino = i->ino;
	ck_assert_int_eq(fs_tree_unlink(f.root, "n", &f.who, NULL), 0);
	fs_inode_park(i);
	for (int n = 0; n < 2; n++) {
		ck_assert_int_eq(fs_inode_unpark(f.j, ino, signers[n], &i), 0);
		ck_assert(i->gone);
		fs_inode_put(i);
		files_sync(&f); /* without a signer the commit would fail for all */
		ck_assert(files_has(&f, ino, FS_T_INODE));
	}
	ck_assert_int_eq(fs_inode_reap(f.j, f.signer), 0);
	ck_assert(!files_has(&f, ino, FS_T_INODE));
	files_stop(&f);
}
END_TEST

static uint64_t parked_nodeid;

static bool is_parked(void *ctx, uint64_t nodeid)
{
	(void)ctx;
	return nodeid == parked_nodeid;
}

/* Open in a session that is locked: others unlink it, one without and one with a reference of their own. */
START_TEST(unlinked_while_parked_stays_for_its_handles)
{
	struct fs_inode *i, *other;
	struct files f;
	uint64_t ino;

	files_start(&f);
	fs_inode_on_parked(is_parked, NULL);
	for (int referenced = 0; referenced < 2; referenced++) {
		i = files_make(&f, f.root, "n", S_IFREG | 0600);
		fill_orphan(&f, i);
		ino = i->ino;
		parked_nodeid = fs_inode_nodeid(i);
		other = referenced ? fs_inode_ref(i) : NULL;
		fs_inode_park(i);
		ck_assert_int_eq(fs_tree_unlink(f.root, "n", &f.who, NULL), 0);
		fs_inode_put(other);
		files_sync(&f);
		ck_assert(files_has(&f, ino, FS_T_INODE));
		ck_assert_int_eq(fs_inode_unpark(f.j, ino, f.signer, &i), 0);
		ck_assert(i->gone);
		fs_inode_put(i);
	}
	parked_nodeid = 0;
	ck_assert_int_eq(fs_inode_reap(f.j, f.signer), 0);
	ck_assert(!files_has(&f, ino, FS_T_INODE));
	fs_inode_on_parked(NULL, NULL);
	files_stop(&f);
}
END_TEST

START_TEST(orphan_survives_crash_and_is_reaped)
{
	struct fs_inode *i, *small;
	struct files f, g;
	char copy[64];
	uint64_t ino;

	files_start(&f);
	i = files_make(&f, f.root, "n", S_IFREG | 0600);
	small = files_make(&f, f.root, "s", S_IFREG | 0600);
	fill_orphan(&f, i);
	files_write(&f, small, 0, "small", 5);
	ino = i->ino;
	ck_assert_int_eq(fs_tree_unlink(f.root, "n", &f.who, NULL), 0);
	ck_assert_int_eq(fs_tree_unlink(f.root, "s", &f.who, NULL), 0);
	files_sync(&f);
	/* A reap while they are in use leaves them alone. */
	ck_assert_int_eq(fs_inode_reap(f.j, f.signer), 0);
	ck_assert(files_has(&f, ino, FS_T_INODE));
	files_crash(&f, copy);
	g = f;
	fs_inode_put(small);
	fs_inode_put(i);
	files_close(&f);

	files_open(&g, copy, false, false);
	ck_assert_int_eq(fs_inode_get(g.j, ino, &i), -ENOENT);
	ck_assert(files_has(&g, ino, FS_T_MAP));
	ck_assert_int_eq(fs_inode_reap(g.j, g.signer), 0);
	ck_assert(!files_has(&g, 0, FS_T_ORPHAN));
	for (uint8_t t = FS_T_INODE; t <= FS_T_XATTR; t++) {
		ck_assert(!files_has(&g, ino, t));
		ck_assert(!files_has(&g, ino + 1, t));
	}
	ck_assert_uint_eq(fs_container_units_used(fs_journal_container(g.j)), 0);
	ck_assert_int_eq(fs_inode_reap(g.j, g.signer), 0);
	files_close(&g);
	files_rm(copy);
	files_open(&f, f.dir, false, false);
	files_stop(&f);
}
END_TEST

START_TEST(unlink_of_unreferenced_deletes_in_one_batch)
{
	struct fs_inode *i, *lost = NULL;
	struct files f;
	uint64_t ino;
	size_t len;
	char c;

	files_start(&f);
	i = files_make(&f, f.root, "n", S_IFREG | 0600);
	fill_orphan(&f, i);
	ino = i->ino;
	fs_inode_put(i);
	ck_assert_int_eq(fs_tree_unlink(f.root, "n", &f.who, &lost), 0);
	ck_assert(lost->gone && lost->deleted);
	ck_assert(!files_has(&f, 0, FS_T_ORPHAN));
	ck_assert(!files_has(&f, ino, FS_T_INODE));
	/* Nothing can be stored for it any more. */
	ck_assert_int_eq(fs_content_write(lost, 0, false, (const uint8_t *)"x", 1, &f.who, NULL),
			 -ESTALE);
	ck_assert_int_eq(files_read(lost, 0, &c, 1, &len), -ESTALE);
	ck_assert_int_eq(fs_xattr_set(lost, "user.a", "x", 1, 0, &f.who), -ESTALE);
	fs_inode_put(lost);
	files_stop(&f);
}
END_TEST

/* Spoils a stored record; only while the committer is idle. */
static void spoil(struct files *f, const struct fs_key *key)
{
	struct fs_store_item item = {.key = *key};
	uint8_t bytes[FS_VALUE_MAX];
	struct fs_snap *snap;
	const uint8_t *val;

	ck_assert_int_eq(fs_store_snap_begin(fs_records_store(f->r), &snap), 0);
	ck_assert_int_eq(fs_store_get(snap, key, &val, &item.len), 0);
	memcpy(bytes, val, item.len);
	fs_store_snap_end(snap);
	bytes[item.len - 1] ^= 1;
	item.val = bytes;
	ck_assert_int_eq(fs_store_apply(fs_records_store(f->r), &item, 1), 0);
}

START_TEST(inodes_follow_when_a_commit_meets_damage)
{
	static uint8_t text[32 * FS_CHUNK], got[64];
	struct fs_inode *big, *small, *never;
	struct fs_key map;
	struct files f;
	size_t len;

	files_start(&f);
	memset(text, 'a', sizeof(text));
	big = files_make(&f, f.root, "big", S_IFREG | 0600);
	small = files_make(&f, f.root, "small", S_IFREG | 0600);
	files_write(&f, big, 0, text, 32 * FS_CHUNK);
	files_write(&f, small, 0, "before", 6);
	files_sync(&f);
	map = fs_key_n(5, big->ino, FS_T_MAP, 0, 4);
	spoil(&f, &map);
	ck_assert_int_eq(fs_tree_unlink(f.root, "big", &f.who, NULL), 0);
	fs_inode_put(big); /* its chunks go, for which the map is read */
	files_write(&f, small, 0, "after that", 10);
	never = files_make(&f, f.root, "never", S_IFREG | 0600);
	files_sync(&f);
	ck_assert_int_eq(fs_journal_check(f.j), -EIO);
	ck_assert_int_eq(fs_tree_lookup(f.root, "big", &big), 0);
	ck_assert_uint_eq(big->size, 32 * FS_CHUNK);
	ck_assert_int_eq(files_read(small, 0, got, sizeof(got), &len), 0);
	ck_assert_uint_eq(len, 6);
	ck_assert_mem_eq(got, "before", 6);
	ck_assert(never->deleted);
	ck_assert_int_eq(fs_content_write(small, 0, false, (const uint8_t *)"x", 1, &f.who, NULL),
			 -EIO);
	fs_inode_put(never);
	ck_assert_int_eq(fs_tree_lookup(f.root, "never", &never), -ENOENT);
	fs_inode_put(small);
	fs_inode_put(big);
	files_stop(&f);
}
END_TEST

START_TEST(revert_gives_back_the_committed_state)
{
	struct fs_inode *i, *never = NULL;
	struct files f;
	uint8_t got[4];
	size_t len;

	files_start(&f);
	i = files_make(&f, f.root, "n", S_IFREG | 0600);
	files_write(&f, i, 0, "text", 4);
	files_sync(&f);
	ck_assert_int_eq(fs_inode_new(f.j, f.signer, S_IFREG | 0600, 3, &never), 0);
	i->size = 99999;
	i->form = FS_FORM_CHUNKS;
	i->nlink = 0;
	i->gone = true;
	ck_assert_int_eq(fs_inode_revert(f.j), 0);
	ck_assert_uint_eq(i->size, 4);
	ck_assert_uint_eq(i->nlink, 1);
	ck_assert(!i->gone && !i->deleted);
	ck_assert_int_eq(files_read(i, 0, got, 4, &len), 0);
	ck_assert_mem_eq(got, "text", 4);
	ck_assert(never->gone && never->deleted);
	ck_assert(!f.root->gone);
	fs_inode_put(never);
	fs_inode_put(i);
	files_stop(&f);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("fs_inode");
	TCase *tc = tcase_create("all");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, inode_record_comes_back_whole);
	tcase_add_test(tc, inode_decode_refuses_nonsense);
	tcase_add_test(tc, inode_get_gives_one_object_while_referenced);
	tcase_add_test(tc, inode_numbers_are_never_used_again);
	tcase_add_test(tc, inode_numbers_are_never_used_again_after_crash);
	tcase_add_test(tc, inode_lock_many_orders_and_skips);
	tcase_add_test(tc, inode_get_never_loads_a_stale_record_beside_a_change);
	tcase_add_test(tc, orphan_stays_readable_until_last_reference);
	tcase_add_test(tc, change_without_a_signer_is_refused_at_once);
	tcase_add_test(tc, orphan_is_left_to_reap_when_policy_changed);
	tcase_add_test(tc, orphan_unparked_is_left_to_reap);
	tcase_add_test(tc, unlinked_while_parked_stays_for_its_handles);
	tcase_add_test(tc, orphan_survives_crash_and_is_reaped);
	tcase_add_test(tc, unlink_of_unreferenced_deletes_in_one_batch);
	tcase_add_test(tc, revert_gives_back_the_committed_state);
	tcase_add_test(tc, inodes_follow_when_a_commit_meets_damage);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
