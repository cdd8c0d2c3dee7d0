/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tag tree against a model, and against a hostile database.
 *
 * The model is a sorted array; the tree lives in a store of its own. The store is
 * opened after Check's fork.
 */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "fs/tagtree_impl.h"

#define JOURNAL 7

static char dir[64];
static struct fs_store *store;
static struct fs_tagtree_cache *cache;
static struct fs_tagtree_root root;
static uint64_t seed;

static uint32_t rnd(uint32_t n)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(seed >> 33) % n;
}

static void set_up(void)
{
	char db[80];

	ck_assert_int_eq(keys_init(), 0);
	strcpy(dir, "/tmp/journalfs-tagtree-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(db, sizeof(db), "%s/db", dir);
	ck_assert_int_eq(fs_store_open(db, FS_STORE_CREATE, &store), 0);
	ck_assert_int_eq(fs_tagtree_cache_new(1 << 20, &cache), 0);
	root = (struct fs_tagtree_root){.journal = JOURNAL};
	seed = 1;
}

static void tear_down(void)
{
	char cmd[96];

	fs_tagtree_cache_free(cache);
	fs_store_close(store);
	snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
	ck_assert_int_eq(system(cmd), 0);
}

static void forget(void)
{
	fs_tagtree_cache_drop(cache, root.journal);
}

static struct fs_snap *snap_begin(void)
{
	struct fs_snap *snap;

	ck_assert_int_eq(fs_store_snap_begin(store, &snap), 0);
	return snap;
}

static struct fs_key key_of(uint32_t n)
{
	return fs_key_n(JOURNAL, n / 8, FS_T_DIRENT, n, 8);
}

static struct fs_tagtree_change change_of(uint32_t n, uint8_t value)
{
	struct fs_tagtree_change c = {.key = key_of(n)};

	memset(c.tag, value, sizeof(c.tag));
	return c;
}

static int cmp_item(const void *a, const void *b)
{
	const struct fs_store_item *x = a, *y = b;

	return fs_key_cmp(&x->key, &y->key);
}

static void apply_out(struct fs_tagtree_out *out)
{
	if (out->n)
		qsort(out->items, out->n, sizeof(*out->items), cmp_item);
	for (size_t i = 1; i < out->n; i++)
		ck_assert_int_lt(fs_key_cmp(&out->items[i - 1].key, &out->items[i].key), 0);
	for (size_t i = 0; i < out->n; i++)
		ck_assert_uint_le(out->items[i].len, FS_VALUE_MAX);
	if (out->n)
		ck_assert_int_eq(fs_store_apply(store, out->items, out->n), 0);
	fs_tagtree_out_clear(out);
}

static void update(const struct fs_tagtree_change *c, size_t n)
{
	struct fs_tagtree_out out = {.n = 0};
	struct fs_snap *snap = snap_begin();

	ck_assert_int_eq(fs_tagtree_update(cache, snap, &root, c, n, &out), 0);
	fs_store_snap_end(snap);
	apply_out(&out);
}

static int get(uint32_t n, uint8_t tag[static FS_TAG_LEN])
{
	struct fs_key key = key_of(n);
	struct fs_snap *snap = snap_begin();
	int rc = fs_tagtree_get(cache, snap, &root, &key, tag);

	fs_store_snap_end(snap);
	return rc;
}

/* Fills keys 0, step, 2 step, ... below n in one update. */
static void fill(uint32_t n, uint32_t step)
{
	struct fs_tagtree_change *c = calloc(n / step + 1, sizeof(*c));
	size_t count = 0;

	for (uint32_t i = 0; i < n; i += step)
		c[count++] = change_of(i, (uint8_t)(i % 251));
	update(c, count);
	free(c);
}

static size_t node_count(void)
{
	struct fs_key key = fs_key(JOURNAL, 0, FS_T_NODE);
	struct fs_snap *snap = snap_begin();
	const uint8_t *val;
	size_t len, n = 0;

	while (!fs_store_next(snap, &key, &key, &val, &len) && fs_key_table(&key) == FS_T_NODE) {
		n++;
		key.b[key.len++] = 0;
	}
	fs_store_snap_end(snap);
	return n;
}

#define SPACE 3000

static void check_model(const int16_t *model)
{
	struct fs_key from = fs_key(JOURNAL, 0, 0), found;
	uint8_t tag[FS_TAG_LEN];
	struct fs_snap *snap = snap_begin();
	int rc;

	for (uint32_t i = 0; i < SPACE; i++) {
		struct fs_key key = key_of(i);

		rc = fs_tagtree_get(cache, snap, &root, &key, tag);
		ck_assert_int_eq(rc, model[i] < 0 ? -ENOENT : 0);
		if (!rc)
			ck_assert_int_eq(tag[5], model[i]);
		if (model[i] < 0)
			continue;
		ck_assert_int_eq(fs_tagtree_next(cache, snap, &root, &from, &found, tag), 0);
		ck_assert_int_eq(fs_key_cmp(&found, &key), 0);
		ck_assert_int_eq(tag[0], model[i]);
		from = found;
		from.b[from.len++] = 0;
	}
	ck_assert_int_eq(fs_tagtree_next(cache, snap, &root, &from, &found, tag), -ENOENT);
	fs_store_snap_end(snap);
}

/* Up to 200 sorted random changes; deletions in dels of 10 cases. */
static size_t random_changes(struct fs_tagtree_change *c, int16_t *model, uint32_t dels)
{
	uint32_t at = rnd(SPACE), step = 1 + rnd(40);
	size_t n = 0;

	for (; at < SPACE && n < 200; at += 1 + rnd(step)) {
		uint8_t value = (uint8_t)rnd(200);

		c[n] = change_of(at, value);
		c[n].del = rnd(10) < dels;
		model[at] = c[n].del ? -1 : value;
		n++;
	}
	return n;
}

START_TEST(update_random_changes_match_model)
{
	struct fs_tagtree_change c[200];
	int16_t model[SPACE];

	memset(model, 0xff, sizeof(model));
	for (int round = 0; round < 400; round++) {
		uint32_t dels = round / 100 == 2 ? 8 : 3;

		update(c, random_changes(c, model, dels));
		if (round % 10 == 0)
			forget();
		if (round % 20 == 0)
			check_model(model);
	}
	forget();
	check_model(model);
}
END_TEST

START_TEST(update_deleting_all_leaves_no_node)
{
	struct fs_tagtree_change *c = calloc(5000, sizeof(*c));

	fill(5000, 1);
	ck_assert_uint_gt(root.height, 1);
	for (uint32_t i = 0; i < 5000; i++) {
		c[i] = change_of(i, 0);
		c[i].del = true;
	}
	for (uint32_t i = 0; i < 5000; i += 50)
		update(c + i, 50);
	free(c);
	ck_assert_uint_eq(root.node, 0);
	ck_assert_uint_eq(root.height, 0);
	ck_assert_uint_eq(node_count(), 0);
}
END_TEST

START_TEST(update_deleting_absent_keys_changes_nothing)
{
	struct fs_tagtree_root before;
	struct fs_tagtree_change c[2] = {change_of(1, 0), change_of(9001, 0)};

	fill(2000, 2);
	before = root;
	c[0].del = c[1].del = true;
	update(c, 2);
	ck_assert_mem_eq(root.hash, before.hash, KEYS_LEN);
	ck_assert_uint_eq(root.node, before.node);
}
END_TEST

START_TEST(update_ascending_inserts_fill_nodes)
{
	size_t packed, nodes;

	fill(20000, 1);
	packed = node_count();
	tear_down();
	set_up();
	for (uint32_t i = 0; i < 20000; i += 20) {
		struct fs_tagtree_change c[20];

		for (uint32_t k = 0; k < 20; k++)
			c[k] = change_of(i + k, 1);
		update(c, 20);
	}
	nodes = node_count();
	ck_assert_uint_le(nodes, packed + packed / 5 + 2);
}
END_TEST

START_TEST(update_random_inserts_stay_compact)
{
	struct fs_tagtree_change c;
	size_t packed;

	for (uint32_t i = 0; i < 4000; i++) {
		c = change_of(rnd(100000), 1);
		update(&c, 1);
	}
	/* 4,000 entries of at most 36 bytes: nodes are on average at least a third full. */
	packed = 4000 * 36 / FS_TAGTREE_NODE_MAX + 1;
	ck_assert_uint_le(node_count(), 3 * packed + 4);
}
END_TEST

START_TEST(get_missing_or_altered_node_refuses)
{
	uint8_t tag[FS_TAG_LEN], bytes[FS_VALUE_MAX];
	struct fs_store_item item = {.key = fs_key_n(JOURNAL, 0, FS_T_NODE, 1, 4)};
	struct fs_snap *snap;
	const uint8_t *val;

	fill(3000, 1);
	snap = snap_begin();
	ck_assert_int_eq(fs_store_get(snap, &item.key, &val, &item.len), 0);
	memcpy(bytes, val, item.len);
	fs_store_snap_end(snap);
	ck_assert_int_eq(get(0, tag), 0);

	bytes[item.len - 1] ^= 1;
	item.val = bytes;
	ck_assert_int_eq(fs_store_apply(store, &item, 1), 0);
	ck_assert_int_eq(get(0, tag), 0); /* from memory */
	forget();
	ck_assert_int_eq(get(0, tag), -EBADMSG);

	item.val = NULL;
	ck_assert_int_eq(fs_store_apply(store, &item, 1), 0);
	ck_assert_int_eq(get(0, tag), -EBADMSG);
	ck_assert_int_eq(get(2999, tag), 0);
}
END_TEST

START_TEST(get_rolled_back_node_refuses)
{
	uint8_t tag[FS_TAG_LEN], old[FS_VALUE_MAX];
	struct fs_store_item item = {.key = fs_key_n(JOURNAL, 0, FS_T_NODE, 1, 4), .val = old};
	struct fs_tagtree_change c = change_of(0, 99);
	struct fs_snap *snap;
	const uint8_t *val;

	fill(3000, 1);
	snap = snap_begin();
	ck_assert_int_eq(fs_store_get(snap, &item.key, &val, &item.len), 0);
	memcpy(old, val, item.len);
	fs_store_snap_end(snap);
	update(&c, 1);
	ck_assert_int_eq(fs_store_apply(store, &item, 1), 0);
	forget();
	ck_assert_int_eq(get(0, tag), -EBADMSG);
}
END_TEST

/* Makes entries the whole tree, with honest hashes, as a hostile writer could. */
static void forge(const struct fs_tagtree_entry *e, size_t n, unsigned height, uint32_t num)
{
	uint8_t bytes[FS_TAGTREE_NODE_MAX];
	struct fs_store_item item = {.key = fs_key_n(JOURNAL, 0, FS_T_NODE, num, 4), .val = bytes};

	item.len = fs_tagtree_node_encode(e, n, height, bytes);
	ck_assert_int_eq(fs_store_apply(store, &item, 1), 0);
	root = (struct fs_tagtree_root){
		.journal = JOURNAL, .node = num, .height = (uint8_t)height, .next = 100};
	fs_tagtree_node_hash(JOURNAL, num, bytes, item.len, root.hash);
}

/* A parent over the tree as it stands, with its child under `first`. */
static void forge_parent(uint32_t first, unsigned height)
{
	struct fs_tagtree_entry e = {.key = key_of(first)};

	e.pay[0] = (uint8_t)root.node;
	memcpy(e.pay + 4, root.hash, KEYS_LEN);
	forge(&e, 1, height, root.node + 1);
}

START_TEST(get_signed_nonsense_refuses)
{
	struct fs_tagtree_entry e[3] = {{.key = key_of(1)}, {.key = key_of(3)}, {.key = key_of(2)}};
	struct fs_tagtree_entry twice[2] = {{.key = key_of(1)}, {.key = key_of(1)}};
	struct fs_tagtree_entry other = {.key = fs_key_n(JOURNAL + 1, 1, FS_T_DIRENT, 1, 8)};
	uint8_t tag[FS_TAG_LEN];

	forge(e, 2, 1, 1);
	ck_assert_int_eq(get(1, tag), 0);
	forge(e, 3, 1, 2); /* out of order */
	ck_assert_int_eq(get(1, tag), -EBADMSG);
	forge(twice, 2, 1, 3);
	ck_assert_int_eq(get(1, tag), -EBADMSG);
	forge(&other, 1, 1, 4); /* of another journal */
	ck_assert_int_eq(get(1, tag), -EBADMSG);
	forge(e, 0, 1, 5); /* empty */
	ck_assert_int_eq(get(1, tag), -EBADMSG);

	forge(e, 2, 1, 6);
	forge_parent(1, 2);
	ck_assert_int_eq(get(3, tag), 0);
	forge(e, 2, 1, 8);
	forge_parent(0, 2); /* not the child's first key */
	ck_assert_int_eq(get(3, tag), -EBADMSG);
	forge(e, 2, 1, 10);
	forge_parent(1, 3); /* a level is missing */
	ck_assert_int_eq(get(3, tag), -EBADMSG);
	root.height = 200;
	ck_assert_int_eq(get(3, tag), -EBADMSG);
	root.height = 0;
	ck_assert_int_eq(get(3, tag), -EBADMSG);
}
END_TEST

START_TEST(get_every_bit_flip_in_a_node_refuses)
{
	uint8_t tag[FS_TAG_LEN], bytes[FS_VALUE_MAX];
	struct fs_store_item item = {.key = fs_key_n(JOURNAL, 0, FS_T_NODE, 1, 4), .val = bytes};
	struct fs_snap *snap;
	const uint8_t *val;

	fill(20, 1);
	snap = snap_begin();
	ck_assert_int_eq(fs_store_get(snap, &item.key, &val, &item.len), 0);
	memcpy(bytes, val, item.len);
	fs_store_snap_end(snap);
	for (size_t bit = 0; bit < 8 * item.len; bit += 13) {
		bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
		ck_assert_int_eq(fs_store_apply(store, &item, 1), 0);
		forget();
		ck_assert_int_eq(get(0, tag), -EBADMSG);
		bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	ck_assert_int_eq(fs_store_apply(store, &item, 1), 0);
	ck_assert_int_eq(get(0, tag), 0);
}
END_TEST

START_TEST(decode_random_bytes_never_passes_as_given)
{
	uint8_t bytes[300], tag[FS_TAG_LEN];
	struct fs_store_item item = {.key = fs_key_n(JOURNAL, 0, FS_T_NODE, 1, 4), .val = bytes};
	int refused = 0;

	for (int i = 0; i < 2000; i++) {
		item.len = 1 + rnd(sizeof(bytes));
		for (size_t k = 0; k < item.len; k++)
			bytes[k] = (uint8_t)rnd(256);
		bytes[0] = (uint8_t)(1 + rnd(2));
		if (item.len > 2) {
			bytes[1] = (uint8_t)(1 + rnd(4));
			bytes[2] = 0;
		}
		root = (struct fs_tagtree_root){
			.journal = JOURNAL, .node = 1, .height = bytes[0], .next = 2};
		fs_tagtree_node_hash(JOURNAL, 1, bytes, item.len, root.hash);
		ck_assert_int_eq(fs_store_apply(store, &item, 1), 0);
		refused += get(1, tag) == -EBADMSG;
	}
	ck_assert_int_eq(refused, 2000);
}
END_TEST

START_TEST(tag_differs_by_key_and_bytes)
{
	struct fs_key a = key_of(1), b = key_of(2);
	uint8_t x[FS_TAG_LEN], y[FS_TAG_LEN];

	fs_tagtree_tag(&a, "abc", 3, x);
	fs_tagtree_tag(&b, "abc", 3, y);
	ck_assert_mem_ne(x, y, FS_TAG_LEN);
	fs_tagtree_tag(&a, "abd", 3, y);
	ck_assert_mem_ne(x, y, FS_TAG_LEN);
	fs_tagtree_tag(&a, "abc", 3, y);
	ck_assert_mem_eq(x, y, FS_TAG_LEN);
}
END_TEST

START_TEST(cache_too_small_for_anything_still_answers)
{
	struct fs_tagtree_change c[200];
	int16_t model[SPACE];

	fs_tagtree_cache_free(cache);
	ck_assert_int_eq(fs_tagtree_cache_new(1, &cache), 0);
	memset(model, 0xff, sizeof(model));
	for (int round = 0; round < 60; round++)
		update(c, random_changes(c, model, 3));
	check_model(model);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("fs_tagtree");
	TCase *t = tcase_create("tree");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_set_timeout(t, 120);
	tcase_add_test(t, update_random_changes_match_model);
	tcase_add_test(t, update_deleting_all_leaves_no_node);
	tcase_add_test(t, update_deleting_absent_keys_changes_nothing);
	tcase_add_test(t, update_ascending_inserts_fill_nodes);
	tcase_add_test(t, update_random_inserts_stay_compact);
	tcase_add_test(t, get_missing_or_altered_node_refuses);
	tcase_add_test(t, get_rolled_back_node_refuses);
	tcase_add_test(t, get_signed_nonsense_refuses);
	tcase_add_test(t, get_every_bit_flip_in_a_node_refuses);
	tcase_add_test(t, decode_random_bytes_never_passes_as_given);
	tcase_add_test(t, tag_differs_by_key_and_bytes);
	tcase_add_test(t, cache_too_small_for_anything_still_answers);
	suite_add_tcase(s, t);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
