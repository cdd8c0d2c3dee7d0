/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/test_fs_group.c - batches and groups over a real store, with hooks that seal nothing.
 *
 * The hooks can hold the committer inside encode (a closing group then stays visible) and make it
 * fail. Journals and signers are counters of what holds them.
 */
#include "fs/group.h"
#include "fs/record.h"

#include <check.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct fs_journal {
	atomic_int held;
};

static char base[64], dir[80];
static struct fs_store *store;
static struct fs_group *group;
static struct fs_journal journals[2];
static struct fs_signer signers[2];

static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t gate_cond = PTHREAD_COND_INITIALIZER;
static bool shut;		/* encode waits */
static unsigned waiting;	/* it does */
static atomic_int encode_fails; /* with this, while it is set */
static atomic_int encoded, done_ok, done_space, done_lost;
static struct fs_signer *last_signer;
static struct fs_journal *refused, *drop_at_settled;
static int settled_rc = 1, settled_n;
static struct fs_store_item *items;

struct fs_signer *fs_signer_get(struct fs_signer *s)
{
	atomic_fetch_add(&s->refs, 1);
	return s;
}

void fs_signer_put(struct fs_signer *s)
{
	atomic_fetch_sub(&s->refs, 1);
}

/* ---- hooks ---- */

static pthread_t encoder; /* who encoded last */

static int encode(void *ctx, struct fs_closing *c, struct fs_store_commit *out)
{
	size_t count = fs_closing_count(c);

	(void)ctx;
	pthread_mutex_lock(&gate);
	encoded++;
	waiting++;
	pthread_cond_broadcast(&gate_cond);
	while (shut)
		pthread_cond_wait(&gate_cond, &gate);
	waiting--;
	pthread_mutex_unlock(&gate);
	encoder = pthread_self();
	if (encode_fails)
		return encode_fails;
	last_signer = fs_closing_signer(c, &journals[0]);
	items = calloc(count, sizeof(*items));
	if (!items)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		const struct fs_group_entry *e = fs_closing_at(c, i);

		items[i].key = e->key;
		items[i].val = e->buf ? e->buf->data : NULL;
		items[i].len = e->buf ? e->buf->len : 0;
		if (items[i].len > FS_VALUE_MAX) /* a test's own, too long for a record */
			items[i].len = FS_VALUE_MAX;
	}
	*out = (struct fs_store_commit){.items = items, .n = count, .direct = true};
	return 0;
}

static void done(void *ctx, struct fs_closing *c, int rc)
{
	(void)ctx;
	(void)c;
	free(items);
	items = NULL;
	if (!rc)
		done_ok++;
	else if (rc == -ENOSPC)
		done_space++;
	else
		done_lost++;
}

static void hold(void *ctx, struct fs_journal *j)
{
	(void)ctx;
	j->held++;
}

static void release(void *ctx, struct fs_journal *j)
{
	(void)ctx;
	j->held--;
}

static void signer_get(void *ctx, struct fs_signer *s)
{
	(void)ctx;
	fs_signer_get(s);
}

static void signer_put(void *ctx, struct fs_signer *s)
{
	(void)ctx;
	fs_signer_put(s);
}

static int check(void *ctx, const struct fs_journal *j)
{
	(void)ctx;
	return j == refused ? -EIO : 0;
}

/* After the group that brings it down, a journal takes no more and what it has is dropped. */
static void settled(void *ctx, int rc)
{
	(void)ctx;
	settled_rc = rc;
	settled_n++;
	if (drop_at_settled) {
		refused = drop_at_settled;
		fs_group_drop(group, drop_at_settled);
		drop_at_settled = NULL;
	}
}

static const struct fs_group_hooks hooks = {
	.encode = encode,
	.done = done,
	.hold = hold,
	.release = release,
	.signer_get = signer_get,
	.signer_put = signer_put,
	.check = check,
	.settled = settled,
};

static void set_up(void)
{
	strcpy(base, "/tmp/journalfs-group-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(base));
	snprintf(dir, sizeof(dir), "%s/db", base);
	ck_assert_int_eq(fs_store_open(dir, FS_STORE_CREATE, &store), 0);
	ck_assert_int_eq(fs_group_new(store, &hooks, &group), 0);
}

static void tear_down(void)
{
	char path[96];

	fs_group_free(group);
	fs_store_close(store);
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(journals[i].held, 0);
		ck_assert_uint_eq(signers[i].refs, 0);
	}
	snprintf(path, sizeof(path), "%s/data.mdb", dir);
	unlink(path);
	snprintf(path, sizeof(path), "%s/lock.mdb", dir);
	unlink(path);
	rmdir(dir);
	ck_assert_int_eq(rmdir(base), 0);
}

/* ---- steps ---- */

static struct fs_key numbered(uint32_t n)
{
	return fs_key_n(1, 7, FS_T_PIECE, n, 4);
}

static int put(uint32_t n, const char *text, uint64_t *number)
{
	struct fs_key key = numbered(n);
	struct fs_batch b;
	int rc;

	fs_batch_init(&b, &signers[0]);
	fs_batch_put(&b, &journals[0], &key, text, strlen(text));
	rc = fs_group_apply(group, &b, number);
	fs_batch_clear(&b);
	return rc;
}

static int del(uint32_t n)
{
	struct fs_key key = numbered(n);
	struct fs_batch b;
	int rc;

	fs_batch_init(&b, NULL);
	fs_batch_del(&b, &journals[0], &key);
	rc = fs_group_apply(group, &b, NULL);
	fs_batch_clear(&b);
	return rc;
}

static int patch(uint32_t n, uint32_t off, const char *text, const char *with)
{
	struct fs_key key = numbered(n);
	struct fs_batch b;
	int rc;

	fs_batch_init(&b, NULL);
	fs_batch_patch(&b, &journals[0], &key, off, (const uint8_t *)text, (uint32_t)strlen(text),
		       with ? fs_buf_copy(with, strlen(with)) : NULL);
	rc = fs_group_apply(group, &b, NULL);
	fs_batch_clear(&b);
	return rc;
}

/* The text in the groups; "-": deleted there; NULL: not there. */
static void expect(uint32_t n, const char *text)
{
	struct fs_key key = numbered(n);
	struct fs_buf *buf = NULL;
	int rc = fs_group_get(group, &key, &buf);

	if (!text) {
		ck_assert_int_eq(rc, 0);
	} else if (!strcmp(text, "-")) {
		ck_assert_int_eq(rc, -ENOENT);
	} else {
		ck_assert_int_eq(rc, 1);
		ck_assert_uint_eq(buf->len, strlen(text));
		ck_assert_mem_eq(buf->data, text, buf->len);
		fs_buf_put(buf);
	}
}

static void expect_stored(uint32_t n, const char *text)
{
	struct fs_key key = numbered(n);
	struct fs_snap *snap;
	const uint8_t *val;
	size_t len;
	int rc;

	ck_assert_int_eq(fs_store_snap_begin(store, &snap), 0);
	rc = fs_store_get(snap, &key, &val, &len);
	ck_assert_int_eq(rc, text ? 0 : -ENOENT);
	if (text) {
		ck_assert_uint_eq(len, strlen(text));
		ck_assert_mem_eq(val, text, len);
	}
	fs_store_snap_end(snap);
}

static void shut_gate(void)
{
	pthread_mutex_lock(&gate);
	shut = true;
	pthread_mutex_unlock(&gate);
}

static void wait_at_gate(void)
{
	pthread_mutex_lock(&gate);
	while (!waiting)
		pthread_cond_wait(&gate_cond, &gate);
	pthread_mutex_unlock(&gate);
}

static void open_gate(void)
{
	pthread_mutex_lock(&gate);
	shut = false;
	pthread_cond_broadcast(&gate_cond);
	pthread_mutex_unlock(&gate);
}

/* Puts what is open into a closing group that stays. */
static void close_and_keep(void)
{
	shut_gate();
	fs_group_hurry(group);
	wait_at_gate();
}

/* ---- batches ---- */

START_TEST(apply_shows_at_once_and_sync_makes_durable)
{
	uint64_t number = 0;

	ck_assert_int_eq(put(1, "one", &number), 0);
	ck_assert_uint_eq(number, 1);
	expect(1, "one");
	ck_assert_int_eq(fs_group_sync(group, number), 0);
	ck_assert_int_eq(journals[0].held, 0);
	expect(1, NULL);
	expect_stored(1, "one");
	ck_assert_int_eq(fs_group_sync(group, number), 0);
	ck_assert_int_eq(fs_group_sync(group, 0), 0);
	ck_assert_int_eq(encoded, 1);
}
END_TEST

static void put_fresh(uint32_t n, const char *text)
{
	struct fs_key key = numbered(n);
	struct fs_batch b;

	fs_batch_init(&b, NULL);
	fs_batch_put_fresh(&b, &journals[0], &key, fs_buf_copy(text, strlen(text)));
	ck_assert_int_eq(fs_group_apply(group, &b, NULL), 0);
	fs_batch_clear(&b);
}

/* What was never stored leaves nothing to commit; a deletion that is needed stays. */
START_TEST(fresh_values_that_are_deleted_leave_nothing)
{
	struct fs_group_stat before, after;

	ck_assert_int_eq(put(1, "other", NULL), 0);
	fs_group_stat(group, &before);
	put_fresh(2, "never stored");
	expect(2, "never stored");
	ck_assert_int_eq(del(2), 0);
	expect(2, NULL);
	fs_group_stat(group, &after);
	ck_assert_uint_eq(after.entries, before.entries);
	ck_assert_uint_eq(after.bytes, before.bytes);
	/* Closing meanwhile: the deletion is one. */
	put_fresh(3, "closing");
	close_and_keep();
	ck_assert_int_eq(del(3), 0);
	expect(3, "-");
	/* And on top of a deletion it is no fresh one. */
	put_fresh(3, "again");
	ck_assert_int_eq(del(3), 0);
	expect(3, "-");
	open_gate();
	ck_assert_int_eq(fs_group_sync(group, 0), 0);
	expect_stored(3, NULL);
	/* Written over before it goes. */
	put_fresh(4, "one");
	ck_assert_int_eq(put(4, "two", NULL), 0);
	ck_assert_int_eq(del(4), 0);
	expect(4, NULL);
}
END_TEST

START_TEST(apply_of_several_changes_keeps_their_order)
{
	struct fs_key a = numbered(1), b = numbered(2), c = numbered(3), d = numbered(4);
	struct fs_batch batch;

	fs_batch_init(&batch, NULL);
	fs_batch_put(&batch, &journals[0], &a, "x", 1);
	fs_batch_put(&batch, &journals[0], &a, "first", 5);
	fs_batch_del(&batch, &journals[0], &b);
	fs_batch_put(&batch, &journals[0], &b, "again", 5);
	fs_batch_put(&batch, &journals[0], &c, "gone", 4);
	fs_batch_del(&batch, &journals[0], &c);
	fs_batch_put(&batch, &journals[0], &d, "patched", 7);
	fs_batch_patch(&batch, &journals[0], &d, 5, (const uint8_t *)"EST!", 4, NULL);
	fs_batch_patch(&batch, &journals[0], &d, 0, (const uint8_t *)"P", 1, NULL);
	ck_assert_int_eq(fs_group_apply(group, &batch, NULL), 0);
	fs_batch_clear(&batch);
	expect(1, "first");
	expect(2, "again");
	expect(3, "-");
	expect(4, "PatchEST!");
	ck_assert_int_eq(fs_group_sync(group, 0), 0);
	expect_stored(1, "first");
	expect_stored(2, "again");
	expect_stored(3, NULL);
	expect_stored(4, "PatchEST!");
}
END_TEST

START_TEST(apply_of_an_empty_batch_waits_for_what_was_before)
{
	struct fs_batch b;
	uint64_t before = 0, number = 99;

	ck_assert_int_eq(put(1, "one", &before), 0);
	ck_assert_int_eq(fs_group_sync(group, 0), 0);
	fs_batch_init(&b, NULL);
	ck_assert_int_eq(fs_group_apply(group, &b, &number), 0);
	fs_batch_clear(&b);
	ck_assert_uint_eq(number, before);
	ck_assert_int_eq(fs_group_sync(group, number), 0);
}
END_TEST

START_TEST(apply_of_a_batch_that_lacked_memory_changes_nothing)
{
	struct fs_key key = numbered(1);
	struct fs_batch b;

	fs_batch_init(&b, NULL);
	fs_batch_put(&b, &journals[0], &key, "one", 3);
	fs_batch_put_buf(&b, &journals[0], &key, NULL);
	ck_assert_int_eq(b.rc, -ENOMEM);
	ck_assert_int_eq(fs_group_apply(group, &b, NULL), -ENOMEM);
	fs_batch_clear(&b);
	expect(1, NULL);
}
END_TEST

START_TEST(last_signer_of_the_group_signs)
{
	struct fs_key key = numbered(1);
	struct fs_batch b;

	ck_assert_int_eq(put(1, "one", NULL), 0);
	fs_batch_init(&b, &signers[1]);
	fs_batch_put(&b, &journals[0], &key, "two", 3);
	ck_assert_int_eq(fs_group_apply(group, &b, NULL), 0);
	fs_batch_clear(&b);
	ck_assert_int_eq(del(9), 0); /* without a signer */
	ck_assert_int_eq(journals[0].held, 1);
	ck_assert_int_eq(fs_group_sync(group, 0), 0);
	ck_assert_ptr_eq(last_signer, &signers[1]);
}
END_TEST

/* ---- patches ---- */

START_TEST(patch_changes_the_open_value)
{
	struct fs_key key = numbered(1);
	struct fs_buf *reader = NULL;

	ck_assert(!fs_group_has(group, &key));
	ck_assert_int_eq(patch(1, 2, "LL", "heLLo"), 0);
	ck_assert(fs_group_has(group, &key));
	ck_assert_int_eq(patch(1, 0, "H", NULL), 0);
	expect(1, "HeLLo");
	/* What a reader holds does not change under it. */
	ck_assert_int_eq(fs_group_get(group, &key, &reader), 1);
	ck_assert_int_eq(patch(1, 4, "O, world", NULL), 0);
	ck_assert_mem_eq(reader->data, "HeLLo", 5);
	ck_assert_uint_eq(reader->len, 5);
	fs_buf_put(reader);
	expect(1, "HeLLO, world");
	ck_assert_int_eq(fs_group_sync(group, 0), 0);
	expect_stored(1, "HeLLO, world");
}
END_TEST

START_TEST(patch_prefers_the_open_value_to_its_base)
{
	ck_assert_int_eq(put(1, "abcdef", NULL), 0);
	ck_assert_int_eq(patch(1, 1, "X", "aXzzzz"), 0);
	expect(1, "aXcdef");
}
END_TEST

START_TEST(patch_beyond_the_end_leaves_zeros_between)
{
	struct fs_key key = numbered(1);
	struct fs_buf *buf = fs_buf_copy("secret-secret", 13);
	struct fs_batch b;

	/* A value cut short, with its old bytes still behind the end. */
	buf->len = 2;
	fs_batch_init(&b, NULL);
	fs_batch_put_buf(&b, &journals[0], &key, buf);
	ck_assert_int_eq(fs_group_apply(group, &b, NULL), 0);
	fs_batch_clear(&b);
	ck_assert_int_eq(patch(1, 6, "x", NULL), 0);
	ck_assert_int_eq(fs_group_get(group, &key, &buf), 1);
	ck_assert_uint_eq(buf->len, 7);
	ck_assert_mem_eq(buf->data, "se\0\0\0\0x", 7);
	fs_buf_put(buf);
}
END_TEST

START_TEST(patch_without_base_copies_from_the_closing_group)
{
	ck_assert_int_eq(put(1, "abcdef", NULL), 0);
	close_and_keep();
	ck_assert_int_eq(patch(1, 1, "X", NULL), 0);
	expect(1, "aXcdef");
	open_gate();
	ck_assert_int_eq(fs_group_sync(group, 1), 0);
	expect_stored(1, "abcdef");
	ck_assert_int_eq(fs_group_sync(group, 0), 0);
	expect_stored(1, "aXcdef");
}
END_TEST

START_TEST(patch_without_base_of_a_committed_value_asks_again)
{
	struct fs_key other = numbered(2), key = numbered(1);
	struct fs_batch b;

	ck_assert_int_eq(put(1, "abcdef", NULL), 0);
	ck_assert_int_eq(fs_group_sync(group, 0), 0);
	fs_batch_init(&b, NULL);
	fs_batch_put(&b, &journals[0], &other, "x", 1);
	fs_batch_patch(&b, &journals[0], &key, 1, (const uint8_t *)"X", 1, NULL);
	ck_assert_int_eq(fs_group_apply(group, &b, NULL), -EAGAIN);
	fs_batch_clear(&b);
	expect(1, NULL);
	expect(2, NULL);
	ck_assert_int_eq(patch(1, 1, "X", "aXcdef"), 0);
	expect(1, "aXcdef");
}
END_TEST

START_TEST(patch_of_a_value_seen_never_asks_again)
{
	struct fs_key key = numbered(1);
	struct fs_buf *seen, *again;
	const uint8_t *was;
	struct fs_batch b;

	ck_assert_int_eq(put(1, "abcdef", NULL), 0);
	/* In place, although the batch holds it too: twice. */
	fs_batch_init(&b, NULL);
	for (uint32_t i = 0; i < 2; i++) {
		ck_assert_int_eq(fs_group_get(group, &key, &seen), 1);
		was = seen->data;
		fs_batch_patch_seen(&b, &journals[0], &key, i, (const uint8_t *)"XY" + i, 1, seen);
	}
	ck_assert_int_eq(fs_group_apply(group, &b, NULL), 0);
	fs_batch_clear(&b);
	expect(1, "XYcdef");
	ck_assert_int_eq(fs_group_get(group, &key, &again), 1);
	ck_assert_ptr_eq(again->data, was);
	/* Copied, when a reader holds it. */
	ck_assert_int_eq(fs_group_get(group, &key, &seen), 1);
	fs_batch_init(&b, NULL);
	fs_batch_patch_seen(&b, &journals[0], &key, 2, (const uint8_t *)"Z", 1, seen);
	ck_assert_int_eq(fs_group_apply(group, &b, NULL), 0);
	fs_batch_clear(&b);
	ck_assert_mem_eq(again->data, "XYcdef", 6);
	fs_buf_put(again);
	expect(1, "XYZdef");
	/* Committed meanwhile. */
	ck_assert_int_eq(fs_group_get(group, &key, &seen), 1);
	fs_batch_init(&b, NULL);
	fs_batch_patch_seen(&b, &journals[0], &key, 3, (const uint8_t *)"!", 1, seen);
	ck_assert_int_eq(fs_group_sync(group, 0), 0);
	expect(1, NULL);
	ck_assert_int_eq(fs_group_apply(group, &b, NULL), 0);
	fs_batch_clear(&b);
	expect(1, "XYZ!ef");
}
END_TEST

START_TEST(patches_grow_a_value_to_any_size)
{
	struct fs_key key = numbered(1);
	uint8_t block[4096];
	struct fs_buf *buf;

	ck_assert_int_eq(put(1, "", NULL), 0);
	for (uint32_t i = 0; i < 40; i++) {
		struct fs_batch b;

		memset(block, (int)i + 1, sizeof(block));
		fs_batch_init(&b, NULL);
		fs_batch_patch(&b, &journals[0], &key, i * 4096, block, 4096, NULL);
		ck_assert_int_eq(fs_group_apply(group, &b, NULL), 0);
		fs_batch_clear(&b);
	}
	ck_assert_int_eq(fs_group_get(group, &key, &buf), 1);
	ck_assert_uint_eq(buf->len, 40 * 4096);
	for (uint32_t i = 0; i < buf->len; i++)
		ck_assert_uint_eq(buf->data[i], i / 4096 + 1);
	fs_buf_put(buf);
	ck_assert_int_eq(put(1, "", NULL), 0);
}
END_TEST

/* ---- two groups ---- */

START_TEST(newest_group_wins_and_deletions_hide)
{
	struct fs_key from = numbered(0), to = numbered(4);
	struct fs_group_entry *e;
	size_t n;

	ck_assert_int_eq(put(1, "one", NULL), 0);
	ck_assert_int_eq(put(2, "two", NULL), 0);
	ck_assert_int_eq(put(4, "four", NULL), 0);
	close_and_keep();
	ck_assert_int_eq(del(1), 0);
	ck_assert_int_eq(put(3, "three", NULL), 0);
	expect(1, "-");
	expect(2, "two");
	expect(3, "three");
	ck_assert_int_eq(fs_group_range(group, &from, &to, &e, &n), 0);
	ck_assert_uint_eq(n, 3);
	ck_assert_uint_eq(fs_key_sub(&e[0].key, 4), 1);
	ck_assert_ptr_null(e[0].buf);
	ck_assert_mem_eq(e[1].buf->data, "two", 3);
	ck_assert_mem_eq(e[2].buf->data, "three", 5);
	open_gate();
	ck_assert_int_eq(fs_group_sync(group, 0), 0);
	ck_assert_mem_eq(e[1].buf->data, "two", 3); /* ours still */
	fs_group_range_free(e, n);
	expect_stored(1, NULL);
	expect_stored(2, "two");
	ck_assert_int_eq(fs_group_range(group, &from, &to, &e, &n), 0);
	ck_assert_uint_eq(n, 0);
	fs_group_range_free(e, n);
}
END_TEST

static void *sync_all(void *arg)
{
	(void)arg;
	return (void *)(intptr_t)fs_group_sync(group, 0);
}

START_TEST(concurrent_syncs_share_a_commit)
{
	pthread_t t[8];
	void *rc;

	ck_assert_int_eq(put(1, "one", NULL), 0);
	close_and_keep();
	ck_assert_int_eq(put(2, "two", NULL), 0);
	for (int i = 0; i < 8; i++)
		ck_assert_int_eq(pthread_create(&t[i], NULL, sync_all, NULL), 0);
	open_gate();
	for (int i = 0; i < 8; i++) {
		pthread_join(t[i], &rc);
		ck_assert_ptr_null(rc);
	}
	ck_assert_int_eq(encoded, 2);
	ck_assert_int_eq(done_ok, 2);
}
END_TEST

START_TEST(group_closes_by_itself)
{
	struct fs_group_stat st;

	ck_assert_int_eq(put(1, "one", NULL), 0);
	pthread_mutex_lock(&gate);
	while (!encoded)
		pthread_cond_wait(&gate_cond, &gate);
	pthread_mutex_unlock(&gate);
	ck_assert_int_eq(fs_group_sync(group, 1), 0);
	fs_group_stat(group, &st);
	ck_assert_uint_eq(st.commits, 1);
	ck_assert_uint_eq(st.entries, 0);
	ck_assert_uint_eq(st.bytes, 0);
}
END_TEST

START_TEST(commit_is_made_by_whoever_waits_for_it)
{
	uint64_t number;

	ck_assert_int_eq(put(1, "one", &number), 0);
	ck_assert_int_eq(fs_group_commit(group, number), 0);
	ck_assert(pthread_equal(encoder, pthread_self()));
	expect_stored(1, "one");
	ck_assert_int_eq(put(2, "two", NULL), 0);
	ck_assert_int_eq(fs_group_sync(group, 0), 0);
	ck_assert(!pthread_equal(encoder, pthread_self()));
	expect_stored(2, "two");
	ck_assert_int_eq(fs_group_commit(group, 0), 0); /* nothing is left to do */
	ck_assert_int_eq(done_ok, 2);
}
END_TEST

START_TEST(commit_that_finds_no_room_is_left_to_the_committer)
{
	ck_assert_int_eq(put(1, "one", NULL), 0);
	encode_fails = -ENOSPC;
	ck_assert_int_eq(fs_group_commit(group, 0), -ENOSPC);
	encode_fails = 0;
	ck_assert_int_eq(fs_group_sync(group, 0), 0);
	ck_assert(!pthread_equal(encoder, pthread_self()));
	expect_stored(1, "one");
}
END_TEST

static void *put_and_commit(void *arg)
{
	uint32_t first = *(const uint32_t *)arg;

	for (uint32_t i = first; i < first + 200; i++) {
		uint64_t number;

		if (put(i, "mine", &number) || fs_group_commit(group, number))
			return (void *)"failed";
	}
	return NULL;
}

START_TEST(commits_of_many_threads_lose_nothing)
{
	uint32_t first[4] = {0, 1000, 2000, 3000};
	pthread_t t[4];
	void *bad;

	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(pthread_create(&t[i], NULL, put_and_commit, &first[i]), 0);
	for (int i = 0; i < 4; i++) {
		pthread_join(t[i], &bad);
		ck_assert_ptr_null(bad);
	}
	for (int i = 0; i < 4; i++) {
		for (uint32_t n = first[i]; n < first[i] + 200; n++)
			expect_stored(n, "mine");
	}
}
END_TEST

START_TEST(free_commits_what_is_open)
{
	ck_assert_int_eq(put(1, "one", NULL), 0);
	ck_assert_int_eq(fs_group_free(group), 0);
	group = NULL;
	expect_stored(1, "one");
}
END_TEST

START_TEST(large_group_closes_and_throttle_lets_through)
{
	static uint8_t block[60000];

	for (uint32_t i = 0; i < 1000; i++) {
		struct fs_key key = numbered(i);
		struct fs_batch b;

		fs_batch_init(&b, NULL);
		fs_batch_put(&b, &journals[0], &key, block, 1000);
		key = fs_key_n(1, 7, FS_T_CHUNK, i % 7, 4);
		fs_batch_put(&b, &journals[1], &key, block, 3000);
		fs_group_throttle(group);
		ck_assert_int_eq(fs_group_apply(group, &b, NULL), 0);
		fs_batch_clear(&b);
	}
	for (uint32_t i = 0; i < 12000; i++) {
		fs_group_throttle(group);
		ck_assert_int_eq(put(i, "x", NULL), 0);
	}
	/* More than 4,096 pages: some of it went without anybody asking. */
	ck_assert_int_eq(fs_group_sync(group, 0), 0);
	ck_assert_int_ge(done_ok, 2);
}
END_TEST

/* Chunks of 64 KiB until this signer would wait; how many. */
static unsigned write_until_over(struct fs_signer *signer, uint64_t ino, unsigned most)
{
	static uint8_t block[65536];
	unsigned n = 0;

	for (; n < most && !fs_group_over_writer(group, signer); n++) {
		struct fs_key key = fs_key_n(1, ino, FS_T_CHUNK, n, 4);
		struct fs_batch b;

		fs_batch_init(&b, signer);
		fs_batch_put(&b, &journals[1], &key, block, sizeof(block));
		ck_assert_int_eq(fs_group_apply(group, &b, NULL), 0);
		fs_batch_clear(&b);
	}
	return n;
}

START_TEST(greedy_writer_waits_and_leaves_room_to_others)
{
	unsigned n;

	ck_assert_int_eq(put(1, "one", NULL), 0);
	close_and_keep();
	n = write_until_over(&signers[0], 8, 2000);
	ck_assert_uint_ge(n, 100);
	ck_assert_uint_lt(n, 2000);
	ck_assert(!fs_group_over_writer(group, &signers[1]));
	ck_assert(!fs_group_over_writer(group, NULL));
	ck_assert_uint_eq(write_until_over(&signers[1], 9, n / 4), n / 4);
	ck_assert(fs_group_over_writer(group, &signers[0]));
	open_gate();
	fs_group_throttle_writer(group, &signers[0]);
	ck_assert_int_eq(fs_group_sync(group, 0), 0);
	ck_assert(!fs_group_over_writer(group, &signers[0]));
}
END_TEST

/* ---- failures ---- */

START_TEST(full_disk_keeps_the_group_and_tries_again)
{
	struct fs_group_stat st;
	uint64_t number;

	encode_fails = -ENOSPC;
	ck_assert_int_eq(put(1, "one", &number), 0);
	ck_assert_int_eq(fs_group_sync(group, number), -ENOSPC);
	expect(1, "one");
	fs_group_stat(group, &st);
	ck_assert(st.waiting_for_space);
	ck_assert_int_eq(put(2, "two", NULL), -ENOSPC);
	fs_group_throttle(group);
	encode_fails = 0;
	ck_assert_int_eq(fs_group_sync(group, number), 0);
	expect_stored(1, "one");
	ck_assert_int_eq(put(2, "two", NULL), 0);
	ck_assert_int_eq(fs_group_sync(group, 0), 0);
	ck_assert_int_ge(done_space, 1);
	ck_assert_int_eq(done_lost, 0);
}
END_TEST

/* A cut whose chunks become an earlier version's writes pages of it: without room for them it is refused now. */
START_TEST(cut_that_keeps_much_asks_for_room)
{
	struct fs_key key = fs_key_n(1, 9, FS_T_CUT, 3, 4);
	uint8_t pages[4] = {0x7f, 0xff, 0xff, 0xff};
	struct fs_batch b;

	fs_batch_init(&b, NULL);
	fs_batch_put(&b, &journals[0], &key, pages, sizeof(pages));
	ck_assert_int_eq(fs_group_apply(group, &b, NULL), -ENOSPC);
	fs_batch_clear(&b);
	memset(pages, 0, sizeof(pages));
	fs_batch_init(&b, NULL);
	fs_batch_put(&b, &journals[0], &key, pages, sizeof(pages));
	ck_assert_int_eq(fs_group_apply(group, &b, NULL), 0);
	fs_batch_clear(&b);
}
END_TEST

START_TEST(full_disk_at_the_end_is_reported)
{
	encode_fails = -ENOSPC;
	ck_assert_int_eq(put(1, "one", NULL), 0);
	ck_assert_int_eq(fs_group_free(group), -ENOSPC);
	group = NULL;
	ck_assert_int_eq(done_lost, 1);
	expect_stored(1, NULL);
}
END_TEST

START_TEST(failure_drops_both_groups_for_good)
{
	ck_assert_int_eq(put(1, "one", NULL), 0);
	ck_assert_int_eq(fs_group_sync(group, 0), 0);
	ck_assert_int_eq(put(1, "uno", NULL), 0);
	close_and_keep();
	ck_assert_int_eq(put(2, "two", NULL), 0);
	encode_fails = -EIO;
	open_gate();
	ck_assert_int_eq(fs_group_sync(group, 3), -EIO);
	encode_fails = 0;
	expect(1, NULL);
	expect(2, NULL);
	expect_stored(1, "one");
	ck_assert_int_eq(put(3, "three", NULL), -EROFS);
	ck_assert_int_eq(fs_group_failed(group), -EIO);
	ck_assert_int_eq(fs_group_sync(group, 0), -EIO);
	ck_assert_int_eq(fs_group_sync(group, 1), 0); /* that one was durable */
	fs_group_throttle(group);
	fs_group_hurry(group);
	ck_assert_int_eq(done_lost, 1);
	ck_assert_int_eq(fs_group_free(group), -EIO);
	group = NULL;
}
END_TEST

START_TEST(dropped_journal_takes_nothing_and_leaves_the_rest)
{
	struct fs_key mine = fs_key_n(1, 7, FS_T_DIRENT, 1, 8);
	uint64_t number;
	struct fs_batch b;

	ck_assert_int_eq(put(1, "one", NULL), 0);
	close_and_keep();
	ck_assert_int_eq(put(2, "two", NULL), 0);
	fs_batch_init(&b, NULL);
	fs_batch_put(&b, &journals[1], &mine, "mine", 4);
	ck_assert_int_eq(fs_group_apply(group, &b, &number), 0);
	drop_at_settled = &journals[1];
	open_gate();
	ck_assert_int_eq(fs_group_sync(group, number), 0);
	expect_stored(1, "one");
	expect_stored(2, "two");
	ck_assert_int_eq(fs_group_apply(group, &b, NULL), -EIO);
	fs_batch_clear(&b);
	ck_assert(!fs_group_has(group, &mine));
	ck_assert_int_eq(put(3, "three", NULL), 0);
	ck_assert_int_eq(fs_group_sync(group, 0), 0);
	ck_assert_int_eq(fs_group_free(group), 0); /* so that what follows is read after the last */
	group = NULL;
	ck_assert_int_eq(settled_n, 3);
	ck_assert_int_eq(settled_rc, 0);
}
END_TEST

static void *sync_second(void *arg)
{
	(void)arg;
	return (void *)(intptr_t)fs_group_sync(group, 2);
}

START_TEST(group_emptied_by_a_drop_still_ends_waits)
{
	struct fs_key mine = fs_key_n(1, 7, FS_T_DIRENT, 1, 8);
	uint64_t number;
	struct fs_batch b;
	pthread_t t;
	void *rc;

	ck_assert_int_eq(put(1, "one", NULL), 0);
	close_and_keep();
	fs_batch_init(&b, NULL);
	fs_batch_put(&b, &journals[1], &mine, "mine", 4);
	ck_assert_int_eq(fs_group_apply(group, &b, &number), 0);
	fs_batch_clear(&b);
	ck_assert_uint_eq(number, 2);
	drop_at_settled = &journals[1];
	ck_assert_int_eq(pthread_create(&t, NULL, sync_second, NULL), 0);
	usleep(50000); /* it waits by now, or finds all done: both must end */
	open_gate();
	pthread_join(t, &rc);
	ck_assert_ptr_null(rc);
}
END_TEST

/* ---- many threads ---- */

#define WRITERS 4
#define WRITES 500

static void *writer(void *arg)
{
	uint32_t me = (uint32_t)(uintptr_t)arg;

	for (uint32_t i = 0; i < WRITES; i++) {
		struct fs_key key = numbered(me), count = numbered(100 + me);
		struct fs_batch b;
		struct fs_buf *buf;
		uint64_t number;
		int rc;

		fs_batch_init(&b, &signers[me % 2]);
		fs_batch_put(&b, &journals[me % 2], &count, &i, sizeof(i));
		fs_batch_patch(&b, &journals[me % 2], &key, 0, (const uint8_t *)&i, sizeof(i),
			       fs_buf_copy(&i, sizeof(i)));
		rc = fs_group_apply(group, &b, &number);
		fs_batch_clear(&b);
		if (rc)
			return (void *)"apply";
		if (fs_group_get(group, &key, &buf) == 1) {
			rc = memcmp(buf->data, &i, sizeof(i));
			fs_buf_put(buf);
			if (rc)
				return (void *)"an older value";
		}
		if (i % 16 == me && fs_group_sync(group, number))
			return (void *)"sync";
	}
	return NULL;
}

START_TEST(many_writers_see_their_own_latest)
{
	pthread_t t[WRITERS];
	void *problem;

	for (uintptr_t i = 0; i < WRITERS; i++)
		ck_assert_int_eq(pthread_create(&t[i], NULL, writer, (void *)i), 0);
	for (int i = 0; i < WRITERS; i++) {
		pthread_join(t[i], &problem);
		ck_assert_ptr_null(problem);
	}
	ck_assert_int_eq(fs_group_sync(group, 0), 0);
	for (uint32_t i = 0; i < WRITERS; i++) {
		struct fs_key a = numbered(i), b = numbered(100 + i);
		uint32_t last = WRITES - 1;
		struct fs_snap *snap;
		const uint8_t *x, *y;
		size_t len;

		ck_assert_int_eq(fs_store_snap_begin(store, &snap), 0);
		ck_assert_int_eq(fs_store_get(snap, &a, &x, &len), 0);
		ck_assert_int_eq(fs_store_get(snap, &b, &y, &len), 0);
		ck_assert_mem_eq(x, &last, sizeof(last));
		ck_assert_mem_eq(y, &last, sizeof(last));
		fs_store_snap_end(snap);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("fs/group");
	TCase *tc = tcase_create("group");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, apply_shows_at_once_and_sync_makes_durable);
	tcase_add_test(tc, fresh_values_that_are_deleted_leave_nothing);
	tcase_add_test(tc, apply_of_several_changes_keeps_their_order);
	tcase_add_test(tc, apply_of_an_empty_batch_waits_for_what_was_before);
	tcase_add_test(tc, apply_of_a_batch_that_lacked_memory_changes_nothing);
	tcase_add_test(tc, last_signer_of_the_group_signs);
	tcase_add_test(tc, greedy_writer_waits_and_leaves_room_to_others);
	tcase_add_test(tc, patch_changes_the_open_value);
	tcase_add_test(tc, patch_prefers_the_open_value_to_its_base);
	tcase_add_test(tc, patch_beyond_the_end_leaves_zeros_between);
	tcase_add_test(tc, patch_without_base_copies_from_the_closing_group);
	tcase_add_test(tc, patch_without_base_of_a_committed_value_asks_again);
	tcase_add_test(tc, patch_of_a_value_seen_never_asks_again);
	tcase_add_test(tc, patches_grow_a_value_to_any_size);
	tcase_add_test(tc, newest_group_wins_and_deletions_hide);
	tcase_add_test(tc, concurrent_syncs_share_a_commit);
	tcase_add_test(tc, group_closes_by_itself);
	tcase_add_test(tc, commit_is_made_by_whoever_waits_for_it);
	tcase_add_test(tc, commit_that_finds_no_room_is_left_to_the_committer);
	tcase_add_test(tc, commits_of_many_threads_lose_nothing);
	tcase_add_test(tc, free_commits_what_is_open);
	tcase_add_test(tc, large_group_closes_and_throttle_lets_through);
	tcase_add_test(tc, full_disk_keeps_the_group_and_tries_again);
	tcase_add_test(tc, cut_that_keeps_much_asks_for_room);
	tcase_add_test(tc, full_disk_at_the_end_is_reported);
	tcase_add_test(tc, failure_drops_both_groups_for_good);
	tcase_add_test(tc, dropped_journal_takes_nothing_and_leaves_the_rest);
	tcase_add_test(tc, group_emptied_by_a_drop_still_ends_waits);
	tcase_add_test(tc, many_writers_see_their_own_latest);
	suite_add_tcase(s, tc);
	runner = srunner_create(s);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
