/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Records against a model, and against everybody who can write to the vault:
 * nothing swapped, dropped, slipped in or rolled back passes.
 */
#include <pthread.h>

#include "test_fs_records.h"

static struct fs_key inode_key(uint32_t journal, uint64_t ino)
{
	return fs_key(journal, ino, FS_T_INODE);
}

/* ---- against a model ---- */

#define INOS 60
#define SUBS 12

static struct { /* [journal][ino][sub]: length + 1, 0 = absent, and the first byte */
	uint16_t len[T_JOURNALS][INOS][SUBS];
	uint8_t byte[T_JOURNALS][INOS][SUBS];
} model;

/* Journal 0: vault records about that many things. */
static struct fs_key model_key(uint32_t j, uint32_t ino, uint32_t sub)
{
	if (!j)
		return fs_key_n(0, 0, sub % 2 ? FS_T_IDENTITY : FS_T_NAME, ino * SUBS + sub, 8);
	if (ino == 0)
		return fs_key_n(j, 0, sub % 2 ? FS_T_WRAP : FS_T_JPOLICY, sub, 5);
	return fs_key_n(j, ino, sub % 3 ? FS_T_DIRENT : FS_T_XATTR, sub, 8);
}

static struct fs_journal *model_owner(uint32_t j, uint32_t ino)
{
	return j && ino ? t.j[j] : fs_records_vault(t.r);
}

static void model_random_batch(void)
{
	static uint8_t value[FS_PLAIN_MAX];
	struct fs_batch b;
	uint32_t n = 1 + t_rnd(12);

	fs_batch_init(&b, t.signer);
	for (uint32_t i = 0; i < n; i++) {
		uint32_t j = t_rnd(T_JOURNALS), ino = t_rnd(INOS), sub = t_rnd(SUBS);
		struct fs_key key = model_key(j, ino, sub);

		if (t_rnd(3) == 0) {
			fs_batch_del(&b, model_owner(j, ino), &key);
			model.len[j][ino][sub] = 0;
		} else {
			uint32_t len = t_rnd(20) ? t_rnd(200) : t_rnd(FS_PLAIN_MAX + 1);

			memset(value, (uint8_t)(len + n), len);
			fs_batch_put(&b, model_owner(j, ino), &key, value, len);
			model.len[j][ino][sub] = (uint16_t)(len + 1);
			model.byte[j][ino][sub] = (uint8_t)(len + n);
		}
	}
	t_apply(&b);
}

static void model_check_gets(void)
{
	for (uint32_t j = 0; j < T_JOURNALS; j++) {
		for (uint32_t ino = 0; ino < INOS; ino++) {
			for (uint32_t sub = 0; sub < SUBS; sub++) {
				struct fs_key key = model_key(j, ino, sub);
				uint16_t len = model.len[j][ino][sub];
				struct fs_buf *buf;
				int rc = fs_record_get(model_owner(j, ino), &key, &buf);

				ck_assert_int_eq(rc, len ? 0 : -ENOENT);
				if (rc)
					continue;
				ck_assert_uint_eq(buf->len + 1u, len);
				if (buf->len)
					ck_assert_uint_eq(buf->data[buf->len - 1],
							  model.byte[j][ino][sub]);
				fs_buf_put(buf);
			}
		}
	}
}

struct count {
	size_t n;
	struct fs_key last;
	size_t stop_at;
};

static int count_records(void *ctx, const struct fs_key *key, struct fs_buf *buf)
{
	struct count *c = ctx;

	ck_assert_ptr_nonnull(buf);
	if (c->n)
		ck_assert_int_lt(fs_key_cmp(&c->last, key), 0);
	c->last = *key;
	c->n++;
	return c->stop_at && c->n == c->stop_at;
}

static void model_check_scans(void)
{
	for (uint32_t j = 1; j < T_JOURNALS; j++) {
		struct fs_key from = fs_key(j, 1, 0), to = fs_key(j + 1, 0, 0);
		struct count c = {.n = 0};
		size_t n = 0;

		for (uint32_t ino = 1; ino < INOS; ino++) {
			for (uint32_t sub = 0; sub < SUBS; sub++)
				n += model.len[j][ino][sub] != 0;
		}
		ck_assert_int_eq(fs_record_scan(t.j[j], &from, &to, count_records, &c), 0);
		ck_assert_uint_eq(c.n, n);
	}
}

START_TEST(records_random_changes_match_model_across_reopen)
{
	memset(&model, 0, sizeof(model));
	for (int round = 0; round < 1500; round++) {
		model_random_batch();
		if (t_rnd(40) == 0)
			t_sync();
		if (t_rnd(300) == 0)
			t_reopen();
		if (round % 100 == 0) {
			model_check_gets();
			model_check_scans();
		}
	}
	t_sync();
	model_check_gets();
	t_reopen();
	model_check_gets();
	model_check_scans();
	ck_assert_int_eq(atomic_load(&t.damaged), 0);
}
END_TEST

START_TEST(scan_stops_when_told_and_spans_pages)
{
	struct fs_key from = fs_key(1, 5, FS_T_DIRENT), to = fs_key(1, 5, FS_T_DIRENT + 1);
	struct count c = {.n = 0}, some = {.stop_at = 100};
	struct fs_batch b;

	fs_batch_init(&b, t.signer);
	for (uint32_t i = 0; i < 1000; i++) {
		struct fs_key key = fs_key_n(1, 5, FS_T_DIRENT, i, 8);

		fs_batch_put(&b, t.j[1], &key, &i, sizeof(i));
	}
	t_apply(&b);
	t_sync();
	for (uint32_t i = 0; i < 1000; i += 10) { /* some of it only in the group */
		struct fs_key key = fs_key_n(1, 5, FS_T_DIRENT, i, 8);

		t_del(t.j[1], &key);
	}
	ck_assert_int_eq(fs_record_scan(t.j[1], &from, &to, count_records, &c), 0);
	ck_assert_uint_eq(c.n, 900);
	ck_assert_int_eq(fs_record_scan(t.j[1], &from, &to, count_records, &some), 0);
	ck_assert_uint_eq(some.n, 100);
}
END_TEST

static int fail_with(void *ctx, const struct fs_key *key, struct fs_buf *buf)
{
	(void)ctx;
	(void)key;
	(void)buf;
	return -EDOM;
}

START_TEST(scan_callback_error_is_returned)
{
	struct fs_key key = inode_key(1, 3), to = fs_key(2, 0, 0);

	t_put(t.j[1], &key, "x", 1);
	ck_assert_int_eq(fs_record_scan(t.j[1], &key, &to, fail_with, NULL), -EDOM);
	t_sync();
	ck_assert_int_eq(fs_record_scan(t.j[1], &key, &to, fail_with, NULL), -EDOM);
}
END_TEST

/* ---- against somebody who writes to the database ---- */

START_TEST(get_swapped_records_refuses)
{
	struct fs_key a = inode_key(1, 10), b = inode_key(1, 11);
	struct t_raw ra, rb;

	t_put(t.j[1], &a, "first", 5);
	t_put(t.j[1], &b, "other", 5);
	t_sync();
	ra = t_raw_get(&a);
	rb = t_raw_get(&b);
	t_raw_put(&a, &rb);
	t_raw_put(&b, &ra);
	ck_assert_int_eq(t_get(t.j[1], &a), -EBADMSG);
	ck_assert_int_eq(t_get(t.j[1], &b), -EBADMSG);
	t_raw_put(&a, &ra);
	ck_assert_int_eq(t_get(t.j[1], &a), 0);
}
END_TEST

START_TEST(get_rolled_back_record_refuses)
{
	struct fs_key key = inode_key(1, 10);
	struct t_raw v1;

	t_put(t.j[1], &key, "version 1", 9);
	t_sync();
	v1 = t_raw_get(&key);
	t_put(t.j[1], &key, "version 2", 9);
	t_sync();
	t_raw_put(&key, &v1);
	ck_assert_int_eq(t_get(t.j[1], &key), -EBADMSG);
	t_reopen();
	ck_assert_int_eq(t_get(t.j[1], &key), -EBADMSG);
}
END_TEST

START_TEST(get_dropped_record_refuses)
{
	struct fs_key key = inode_key(1, 10), other = inode_key(1, 9);
	struct t_raw none = {.len = 0};

	t_put(t.j[1], &key, "here", 4);
	t_sync();
	t_raw_put(&key, &none);
	ck_assert_int_eq(t_get(t.j[1], &key), -EBADMSG);
	ck_assert_int_eq(t_get(t.j[1], &other), -ENOENT);
}
END_TEST

START_TEST(scan_dropped_record_refuses_after_what_came_before)
{
	struct fs_key from = fs_key(1, 1, 0), to = fs_key(2, 0, 0), key = inode_key(1, 20);
	struct t_raw none = {.len = 0};
	struct count c = {.n = 0};

	for (uint64_t ino = 15; ino < 25; ino++) {
		struct fs_key k = inode_key(1, ino);

		t_put(t.j[1], &k, "x", 1);
	}
	t_sync();
	t_raw_put(&key, &none);
	ck_assert_int_eq(fs_record_scan(t.j[1], &from, &to, count_records, &c), -EBADMSG);
	ck_assert_uint_eq(c.n, 5);
}
END_TEST

START_TEST(get_resurrected_record_refuses)
{
	struct fs_key key = inode_key(1, 10);
	struct t_raw old;

	t_put(t.j[1], &key, "gone", 4);
	t_sync();
	old = t_raw_get(&key);
	t_del(t.j[1], &key);
	t_sync();
	ck_assert_int_eq(t_get(t.j[1], &key), -ENOENT);
	t_raw_put(&key, &old);
	ck_assert_int_eq(t_get(t.j[1], &key), -EBADMSG);
}
END_TEST

START_TEST(get_flipped_bit_anywhere_refuses)
{
	struct fs_key key = inode_key(1, 10);
	struct t_raw raw;

	t_put(t.j[1], &key, "some bytes of a record", 22);
	t_sync();
	raw = t_raw_get(&key);
	for (size_t i = 0; i < raw.len; i++) {
		raw.p[i] ^= 0x10;
		t_raw_put(&key, &raw);
		ck_assert_int_eq(t_get(t.j[1], &key), -EBADMSG);
		raw.p[i] ^= 0x10;
	}
	t_raw_put(&key, &raw);
	ck_assert_int_eq(t_get(t.j[1], &key), 0);
	ck_assert_int_eq(atomic_load(&t.damaged), 1); /* told once */
}
END_TEST

START_TEST(get_tampered_node_refuses)
{
	struct fs_key key = inode_key(1, 10), node = fs_key_n(1, 0, FS_T_NODE, 1, 4);
	struct t_raw raw;

	t_put(t.j[1], &key, "x", 1);
	t_sync();
	raw = t_raw_get(&node);
	ck_assert_uint_gt(raw.len, 0);
	raw.p[raw.len - 1] ^= 1;
	t_raw_put(&node, &raw);
	ck_assert_int_eq(t_get(t.j[1], &key), 0); /* the node is in memory */
	t_reopen();
	ck_assert_int_eq(t_get(t.j[1], &key), -EBADMSG);
}
END_TEST

START_TEST(root_rolled_back_refuses_running_and_after_reopen)
{
	struct fs_key key = inode_key(1, 10), other = inode_key(2, 10), rkey = fs_root_key(1);
	struct t_raw v1;

	t_put(t.j[1], &key, "version 1", 9);
	t_put(t.j[2], &other, "x", 1);
	t_sync();
	v1 = t_raw_get(&rkey);
	t_put(t.j[1], &key, "version 2", 9);
	t_sync();
	t_raw_put(&rkey, &v1);
	ck_assert_int_eq(t_get(t.j[1], &key), -EBADMSG);
	ck_assert_int_eq(t_get(t.j[2], &other), 0);
	ck_assert_int_eq(t_close(), 0);
	{
		struct fs_records_config cfg = t_config(false);

		ck_assert_int_eq(fs_records_open(&cfg, &t.r), 0);
		ck_assert_int_eq(t_journal(1, false), -EBADMSG);
		ck_assert_int_eq(t_journal(2, false), 0);
	}
}
END_TEST

START_TEST(journal_range_rolled_back_refuses)
{
	struct fs_key key = inode_key(1, 10);
	struct t_shot shot;

	t_put(t.j[1], &key, "version 1", 9);
	t_sync();
	shot = t_shot_take(fs_key(1, 0, 0), fs_key(2, 0, 0));
	t_put(t.j[1], &key, "version 2", 9);
	t_sync();
	t_shot_restore(&shot);
	ck_assert_int_eq(t_get(t.j[1], &key), -EBADMSG);
	ck_assert_int_eq(t_close(), 0);
	{
		struct fs_records_config cfg = t_config(false);

		ck_assert_int_eq(fs_records_open(&cfg, &t.r), 0);
		ck_assert_int_eq(t_journal(1, false), -EBADMSG);
	}
}
END_TEST

/* Else it would bring an older database forward again. */
static void drop_redo(void)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/db/redo", t.dir);
	ck_assert_int_eq(unlink(path), 0);
}

START_TEST(older_database_is_brought_forward_by_the_redo_file)
{
	struct fs_key key = inode_key(1, 10), end = {.len = FS_KEY_MAX};
	struct fs_records_config cfg;
	uint8_t root[KEYS_LEN];
	struct fs_buf *buf;
	struct t_shot shot;
	uint64_t commit;

	t_put(t.j[1], &key, "version 1", 9);
	t_sync();
	memset(end.b, 0xff, sizeof(end.b));
	shot = t_shot_take((struct fs_key){.len = 0}, end);
	t_put(t.j[1], &key, "version 2", 9);
	t_sync();
	fs_records_head(t.r, &commit, root);
	t_shot_restore(&shot);
	ck_assert_int_eq(t_close(), 0);
	cfg = t_config(false);
	cfg.least_commit = commit;
	ck_assert_int_eq(fs_records_open(&cfg, &t.r), 0);
	ck_assert_int_eq(t_journal(1, false), 0);
	ck_assert_int_eq(fs_record_get(t.j[1], &key, &buf), 0);
	ck_assert_uint_eq(buf->len, 9);
	ck_assert_mem_eq(buf->data, "version 2", 9);
	fs_buf_put(buf);
}
END_TEST

START_TEST(whole_vault_rolled_back_is_stale_by_outside_knowledge)
{
	struct fs_key key = inode_key(1, 10), end = {.len = FS_KEY_MAX};
	struct fs_records_config cfg;
	uint8_t root[KEYS_LEN];
	struct t_shot shot;
	uint64_t commit;

	t_put(t.j[1], &key, "version 1", 9);
	t_sync();
	memset(end.b, 0xff, sizeof(end.b));
	shot = t_shot_take((struct fs_key){.len = 0}, end);
	t_put(t.j[1], &key, "version 2", 9);
	t_sync();
	fs_records_head(t.r, &commit, root);
	t_shot_restore(&shot);
	ck_assert_int_eq(t_get(t.j[1], &key), -EBADMSG); /* the running daemon sees it */
	ck_assert_int_eq(t_close(), 0);
	drop_redo();
	cfg = t_config(false);
	cfg.least_commit = commit;
	ck_assert_int_eq(fs_records_open(&cfg, &t.r), -ESTALE);
	cfg.least_commit = commit - 1; /* an accepted restore */
	ck_assert_int_eq(fs_records_open(&cfg, &t.r), 0);
	ck_assert_int_eq(t_journal(1, false), 0);
	ck_assert_int_eq(t_get(t.j[1], &key), 0);
}
END_TEST

START_TEST(vault_root_alone_rolled_back_refuses)
{
	struct fs_key key = fs_key_n(0, 0, FS_T_IDENTITY, 1, 8), rkey = fs_root_key(0);
	struct fs_records_config cfg = t_config(false);
	struct t_raw v1;

	t_put(fs_records_vault(t.r), &key, "anna", 4);
	t_sync();
	v1 = t_raw_get(&rkey);
	t_put(fs_records_vault(t.r), &key, "berta", 5);
	t_sync();
	t_raw_put(&rkey, &v1);
	ck_assert_int_eq(t_get(fs_records_vault(t.r), &key), -EBADMSG);
	ck_assert_int_eq(t_close(), 0);
	drop_redo();
	ck_assert_int_eq(fs_records_open(&cfg, &t.r), 0); /* its MAC is right */
	ck_assert_int_eq(t_get(fs_records_vault(t.r), &key), -EBADMSG);
}
END_TEST

START_TEST(vault_root_damaged_or_missing_refuses)
{
	struct fs_key rkey = fs_root_key(0);
	struct fs_records_config cfg = t_config(false);
	struct fs_records *r;
	struct t_raw raw, none = {.len = 0};

	raw = t_raw_get(&rkey);
	raw.p[raw.len / 2] ^= 1;
	t_raw_put(&rkey, &raw);
	ck_assert_int_eq(t_close(), 0);
	ck_assert_int_eq(fs_records_open(&cfg, &r), -EBADMSG);

	cfg.adopt = true;
	ck_assert_int_eq(fs_records_open(&cfg, &t.r), 0);
	t_raw_put(&rkey, &none);
	ck_assert_int_eq(fs_records_close(t.r), 0);
	t.r = NULL;
	ck_assert_int_eq(fs_records_open(&cfg, &r), -EBADMSG);
}
END_TEST

START_TEST(open_with_other_mac_key_refuses_unless_adopted)
{
	struct fs_key key = inode_key(1, 10);
	struct fs_records_config cfg;

	t_put(t.j[1], &key, "kept", 4);
	ck_assert_int_eq(t_close(), 0);
	keys_random(t.mac_key, sizeof(t.mac_key));
	cfg = t_config(false);
	ck_assert_int_eq(fs_records_open(&cfg, &t.r), -EBADMSG);
	cfg.adopt = true;
	ck_assert_int_eq(fs_records_open(&cfg, &t.r), 0);
	ck_assert_int_eq(t_journal(1, false), 0);
	t_put(t.j[1], &key, "adopted", 7);
	ck_assert_int_eq(t_close(), 0);
	t_open(false); /* under the new key, no longer adopting */
	ck_assert_int_eq(t_get(t.j[1], &key), 0);
}
END_TEST

START_TEST(open_create_over_a_vault_refuses)
{
	struct fs_records_config cfg = t_config(true);

	ck_assert_int_eq(t_close(), 0);
	ck_assert_int_eq(fs_records_open(&cfg, &t.r), -EEXIST);
	t_open(false);
	ck_assert_ptr_nonnull(t.r);
}
END_TEST

/* ---- keys and signers ---- */

START_TEST(get_under_wrong_journal_key_refuses)
{
	struct fs_key key = inode_key(1, 10);

	t_put(t.j[1], &key, "secret", 6);
	ck_assert_int_eq(t_close(), 0);
	keys_random(&t.keys[1], sizeof(t.keys[1]));
	t_open(false);
	ck_assert_int_eq(t_get(t.j[1], &key), -EBADMSG);
}
END_TEST

START_TEST(get_by_another_journal_refuses)
{
	struct fs_key key = inode_key(1, 10);

	t_put(t.j[1], &key, "secret", 6);
	t_sync();
	ck_assert_int_eq(t_get(t.j[2], &key), -EINVAL);
	ck_assert_int_eq(t_get(fs_records_vault(t.r), &key), -EINVAL);
	key = fs_key_n(1, 0, FS_T_NODE, 1, 4);
	ck_assert_int_eq(t_get(t.j[1], &key), -EINVAL);
}
END_TEST

START_TEST(stored_record_shows_no_plaintext)
{
	struct fs_key key = inode_key(1, 10), policy = fs_key_n(1, 0, FS_T_JPOLICY, 1, 4);
	struct t_raw raw;

	t_put(t.j[1], &key, "Hansen, Anna", 12);
	t_put(fs_records_vault(t.r), &policy, "Hansen, Anna", 12);
	t_sync();
	raw = t_raw_get(&key);
	ck_assert_uint_eq(raw.len, 12 + FS_RECORD_OVERHEAD);
	ck_assert_ptr_null(memmem(raw.p, raw.len, "Hansen", 6));
	raw = t_raw_get(&policy);
	ck_assert_uint_eq(raw.len, 12 + FS_RECORD_OVERHEAD);
	ck_assert_ptr_null(memmem(raw.p, raw.len, "Hansen", 6));
}
END_TEST

START_TEST(index_records_need_the_index_key_of_their_generation)
{
	struct fs_key key = fs_key_n(0, 0, FS_T_NAME, 5, 8), next = fs_key_n(0, 0, FS_T_NAME, 6, 8);
	struct fs_journal *vault = fs_records_vault(t.r);
	uint8_t other[KEYS_LEN];

	t_put(vault, &key, "Hansen", 6);
	t_sync();
	ck_assert_int_eq(t_get(vault, &key), 0);
	keys_random(other, sizeof(other));
	fs_records_index_key(t.r, 2, other);
	ck_assert_int_eq(t_get(vault, &key), 0); /* generation 1 is still known */
	t_put(vault, &next, "Jensen", 6);
	t_sync();
	fs_records_index_key(t.r, 0, NULL);
	ck_assert_int_eq(t_get(vault, &key), -ENOKEY);
	fs_records_index_key(t.r, 2, other);
	ck_assert_int_eq(t_get(vault, &next), 0);
	ck_assert_int_eq(t_get(vault, &key), -ENOKEY);
	fs_records_index_key(t.r, 1, other);
	ck_assert_int_eq(t_get(vault, &key), -EBADMSG);
}
END_TEST

START_TEST(open_journal_forged_without_the_signer_refuses)
{
	struct fs_key key = inode_key(1, 10);
	uint8_t pk[KEYS_LEN], sk[KEYS_SIGN_SK_LEN];
	struct fs_signer *honest = t.signer;

	t_put(t.j[1], &key, "written by anna", 15);
	t_sync();
	/* Mallory holds the journal key and even the vault's MAC key, but not anna's session key:
	 * he changes the record, rebuilds both trees, and signs as well as he can in her name. */
	keys_sign_new(pk, sk);
	ck_assert_int_eq(fs_signer_new(&t.cert, sk, &t.signer), 0);
	t_put(t.j[1], &key, "forged", 6);
	ck_assert_int_eq(t_close(), 0);
	fs_signer_put(t.signer);
	t.signer = honest;
	{
		struct fs_records_config cfg = t_config(false);

		ck_assert_int_eq(fs_records_open(&cfg, &t.r), 0);
		ck_assert_int_eq(t_journal(1, false), -EBADMSG);
		ck_assert_int_ge(atomic_load(&t.damaged), 1);
	}
}
END_TEST

START_TEST(open_journal_unknown_signer_refuses)
{
	struct fs_key key = inode_key(1, 10);

	t_put(t.j[1], &key, "x", 1);
	ck_assert_int_eq(t_close(), 0);
	t.cert.session[0] ^= 1; /* the vault no longer accepts that session */
	{
		struct fs_records_config cfg = t_config(false);

		ck_assert_int_eq(fs_records_open(&cfg, &t.r), 0);
		ck_assert_int_eq(t_journal(1, false), -EBADMSG);
	}
}
END_TEST

START_TEST(change_without_a_signer_never_becomes_durable)
{
	struct fs_key key = inode_key(1, 10);
	struct fs_batch b;

	fs_batch_init(&b, NULL);
	fs_batch_put(&b, t.j[1], &key, "x", 1);
	t_apply(&b);
	ck_assert_int_eq(fs_group_sync(fs_records_group(t.r), 0), -EIO);
	ck_assert_int_eq(t_get(t.j[1], &key), -ENOENT);
	ck_assert_int_ne(t_close(), 0);
	t_open(false);
	ck_assert_int_eq(t_get(t.j[1], &key), -ENOENT);
}
END_TEST

START_TEST(root_info_names_the_last_writer)
{
	struct fs_key key = inode_key(1, 10), rkey = fs_root_key(1);
	struct fs_root root;
	struct t_raw raw;
	uint64_t commit;
	uint8_t hash[KEYS_LEN];

	fs_records_policy_version(t.r, 42);
	t_put(t.j[1], &key, "x", 1);
	t_sync();
	raw = t_raw_get(&rkey);
	ck_assert_int_eq(fs_root_decode(1, raw.p, raw.len, &root), 0);
	fs_records_head(t.r, &commit, hash);
	ck_assert_uint_eq(root.info.commit, commit);
	ck_assert_uint_eq(root.info.policy_version, 42);
	ck_assert_uint_eq(root.info.pid, 7);
	ck_assert_mem_eq(root.info.session, t.cert.session, KEYS_SESSION_ID_LEN);
	ck_assert_int_eq(fs_root_verify(t.vault, &root, t.cert.pk), 0);
	for (size_t i = 0; i < raw.len; i++) {
		raw.p[i] ^= 1;
		ck_assert(fs_root_decode(1, raw.p, raw.len, &root) == -EBADMSG ||
			  fs_root_verify(t.vault, &root, t.cert.pk) == -EBADMSG);
		raw.p[i] ^= 1;
	}
	ck_assert_int_eq(fs_root_decode(1, raw.p, raw.len - 1, &root), -EBADMSG);
	ck_assert_int_eq(fs_root_decode(2, raw.p, raw.len, &root), 0);
	ck_assert_int_eq(fs_root_verify(t.vault, &root, t.cert.pk), -EBADMSG);
}
END_TEST

/* ---- journals ---- */

static int inodes_freed;
static void free_inodes(struct fs_inodes *i)
{
	(void)i;
	inodes_freed++;
}

START_TEST(journal_is_shared_and_wiped_with_the_last_reference)
{
	struct fs_journal *first = t.j[1], *again;
	struct fs_key key = inode_key(1, 10);
	struct keys_journal right = t.keys[1];

	ck_assert_int_eq(t_journal(1, false), 0);
	ck_assert_ptr_eq(t.j[1], first);
	fs_journal_attach(first, (struct fs_inodes *)&inodes_freed, free_inodes, NULL);
	t.keys[1].record[0] ^= 1;
	ck_assert_int_eq(t_journal(1, false), -EBADMSG); /* other keys for an open journal */
	t.keys[1] = right;
	again = fs_journal_find(t.r, 1);
	ck_assert_ptr_eq(again, first);
	t_put(first, &key, "x", 1);
	fs_journal_put(first);
	fs_journal_put(first);
	fs_journal_put(again);
	t.j[1] = NULL;
	again = fs_journal_find(t.r, 1); /* the group holds it */
	ck_assert_ptr_eq(again, first);
	fs_journal_put(again);
	t_sync();
	for (int i = 0; i < 2000 && (again = fs_journal_find(t.r, 1)); i++) {
		fs_journal_put(again); /* the committer lets go right after */
		usleep(1000);
	}
	ck_assert_ptr_null(fs_journal_find(t.r, 1));
	ck_assert_int_eq(inodes_freed, 1);
	ck_assert_uint_eq(keys_slab_used(t.r->slab), T_JOURNALS - 2 + 1); /* and the index key */
	ck_assert_int_eq(t_journal(1, false), 0);
	ck_assert_int_eq(t_get(t.j[1], &key), 0);
}
END_TEST

START_TEST(open_journal_missing_or_existing_is_told_apart)
{
	struct fs_key key = inode_key(1, 10);

	t_put(t.j[1], &key, "x", 1);
	t_reopen();
	fs_journal_put(t.j[1]);
	fs_journal_put(t.j[2]);
	t.j[1] = t.j[2] = NULL;
	ck_assert_int_eq(t_journal(1, true), -EEXIST);
	ck_assert_int_eq(t_journal(2, false), -ENOENT);
	ck_assert_int_eq(t_journal(2, true), 0);
	ck_assert_int_eq(t_journal(1, false), 0);
}
END_TEST

START_TEST(journal_removed_through_the_vault_leaves_nothing)
{
	struct fs_key wrap = fs_key_n(1, 0, FS_T_WRAP, 1, 8), root = fs_root_key(1), key;
	struct t_shot shot;
	struct fs_batch b;

	for (uint64_t ino = 1; ino < 500; ino++) {
		key = inode_key(1, ino);
		t_put(t.j[1], &key, "x", 1);
	}
	key = inode_key(2, 3);
	t_put(t.j[2], &key, "x", 1);
	t_put(fs_records_vault(t.r), &wrap, "w", 1);
	t_sync();
	fs_batch_init(&b, NULL);
	fs_batch_del(&b, fs_records_vault(t.r), &root);
	t_apply(&b);
	t_sync();
	shot = t_shot_take(fs_key(1, 0, 0), fs_key(2, 0, 0));
	ck_assert_uint_eq(shot.n, 0);
	free(shot.key);
	free(shot.raw);
	ck_assert_int_eq(t_get(fs_records_vault(t.r), &wrap), -ENOENT);
	ck_assert_int_eq(t_get(t.j[2], &key), 0);
	key = inode_key(1, 3);
	ck_assert_int_eq(t_get(t.j[1], &key), -ENOENT);
	fs_journal_put(t.j[1]);
	t.j[1] = NULL;
	ck_assert_int_eq(t_journal(1, false), -ENOENT);
	ck_assert_int_eq(atomic_load(&t.damaged), 0);
}
END_TEST

/* ---- damage that a commit meets ---- */

static int try_put(struct fs_journal *j, const struct fs_key *key)
{
	struct fs_batch b;
	int rc;

	fs_batch_init(&b, t.signer);
	fs_batch_put(&b, j, key, "new", 3);
	rc = fs_group_apply(fs_records_group(t.r), &b, NULL);
	fs_batch_clear(&b);
	return rc;
}

static void check_value(struct fs_journal *j, const struct fs_key *key, const char *want)
{
	struct fs_buf *buf;

	ck_assert_int_eq(fs_record_get(j, key, &buf), 0);
	ck_assert_uint_eq(buf->len, strlen(want));
	ck_assert_mem_eq(buf->data, want, buf->len);
	fs_buf_put(buf);
}

START_TEST(damage_met_by_a_commit_costs_only_that_journal)
{
	struct fs_key node = fs_key_n(1, 0, FS_T_NODE, 1, 4),
		      wrap = fs_key_n(1, 0, FS_T_WRAP, 1, 8);
	struct fs_key one = inode_key(1, 10), more = inode_key(1, 11), two = inode_key(2, 10);
	struct t_raw raw;

	t_put(t.j[1], &one, "a", 1);
	t_put(t.j[2], &two, "b", 1);
	t_sync();
	raw = t_raw_get(&node);
	raw.p[raw.len - 1] ^= 1;
	t_raw_put(&node, &raw);
	t_reopen();
	ck_assert_int_eq(try_put(t.j[1], &more), 0);
	ck_assert_int_eq(try_put(t.j[2], &two), 0);
	ck_assert_int_eq(try_put(fs_records_vault(t.r), &wrap), 0);
	t_sync();
	ck_assert_int_eq(fs_journal_check(t.j[1]), -EIO);
	ck_assert_int_eq(fs_journal_check(t.j[2]), 0);
	ck_assert_int_eq(atomic_load(&t.damaged), 1);
	ck_assert_int_eq(atomic_load(&t.failed), 1);
	ck_assert_uint_eq(atomic_load(&t.failed_journal), 1);
	ck_assert_int_eq(fs_group_failed(fs_records_group(t.r)), 0);
	ck_assert_int_eq(t_get(t.j[1], &more), -EBADMSG); /* it was there, in the group */
	ck_assert_int_eq(try_put(t.j[1], &more), -EIO);
	/* Closing and opening it again does not make it whole. */
	fs_journal_put(t.j[1]);
	ck_assert_int_eq(t_journal(1, false), 0);
	ck_assert_int_eq(try_put(t.j[1], &more), -EIO);
	t_reopen();
	ck_assert_int_eq(t_get(t.j[1], &one), -EBADMSG);
	ck_assert_int_eq(t_get(fs_records_vault(t.r), &wrap), 0);
	check_value(t.j[2], &two, "new");
}
END_TEST

START_TEST(journal_removed_while_open_takes_no_more)
{
	struct fs_key key = inode_key(1, 10), root = fs_root_key(1);
	struct t_shot shot;
	struct fs_batch b;

	t_put(t.j[1], &key, "x", 1);
	t_sync();
	fs_batch_init(&b, NULL);
	fs_batch_del(&b, fs_records_vault(t.r), &root);
	t_apply(&b);
	ck_assert_int_eq(try_put(t.j[1], &key), 0); /* goes with it */
	t_sync();
	ck_assert_int_eq(fs_journal_check(t.j[1]), -ESTALE);
	ck_assert_int_eq(try_put(t.j[1], &key), -ESTALE);
	ck_assert_int_eq(t_get(t.j[1], &key), -ENOENT);
	t_sync();
	shot = t_shot_take(fs_key(1, 0, 0), fs_key(2, 0, 0));
	ck_assert_uint_eq(shot.n, 0);
	free(shot.key);
	free(shot.raw);
	ck_assert_int_eq(atomic_load(&t.failed), 0);
}
END_TEST

/* ---- readers and committer at once ---- */

static atomic_bool stop;
static atomic_ulong reads;
static atomic_int bad;

static void *reader(void *arg)
{
	uint32_t i = (uint32_t)(uintptr_t)arg;

	while (!atomic_load(&stop)) {
		struct fs_key key = inode_key(1 + i % 3, 1 + i % 50);
		struct fs_buf *buf;

		i = i * 1664525u + 1013904223u;
		if (fs_record_get(t.j[fs_key_journal(&key)], &key, &buf)) {
			atomic_fetch_add(&bad, 1);
			continue;
		}
		/* Each value says which key it belongs to. */
		if (buf->len != 12 || memcmp(buf->data, key.b, 8))
			atomic_fetch_add(&bad, 1);
		fs_buf_put(buf);
		atomic_fetch_add(&reads, 1);
	}
	return NULL;
}

static void *scanner(void *arg)
{
	(void)arg;
	while (!atomic_load(&stop)) {
		struct fs_key from = fs_key(2, 1, 0), to = fs_key(3, 0, 0);
		struct count c = {.n = 0};

		if (fs_record_scan(t.j[2], &from, &to, count_records, &c) || c.n != 50)
			atomic_fetch_add(&bad, 1);
	}
	return NULL;
}

static void put_all(uint32_t round)
{
	for (uint32_t j = 1; j <= 3; j++) {
		struct fs_batch b;

		fs_batch_init(&b, t.signer);
		for (uint32_t ino = 1; ino <= 50; ino++) {
			struct fs_key key = inode_key(j, ino);
			uint8_t value[12];

			memcpy(value, key.b, 8);
			memcpy(value + 8, &round, 4);
			fs_batch_put(&b, t.j[j], &key, value, sizeof(value));
		}
		t_apply(&b);
	}
}

START_TEST(readers_never_see_damage_while_committing)
{
	pthread_t th[3];

	put_all(0);
	t_sync();
	atomic_store(&stop, false);
	for (uintptr_t i = 0; i < 2; i++)
		ck_assert_int_eq(pthread_create(&th[i], NULL, reader, (void *)(i + 1)), 0);
	ck_assert_int_eq(pthread_create(&th[2], NULL, scanner, NULL), 0);
	for (uint32_t round = 1; round < 150; round++) {
		put_all(round);
		t_sync();
	}
	atomic_store(&stop, true);
	for (int i = 0; i < 3; i++)
		pthread_join(th[i], NULL);
	ck_assert_int_eq(atomic_load(&bad), 0);
	ck_assert_int_eq(atomic_load(&t.damaged), 0);
	ck_assert_uint_gt(atomic_load(&reads), 0);
}
END_TEST

static int reading_signer_pk(void *ctx, uint32_t index, const struct fs_root_info *info,
			     uint8_t pk[static KEYS_LEN])
{
	struct fs_key key = fs_key_n(0, 0, FS_T_IDENTITY, 1, 8);

	/* As the vault does: the certificate is a record, too. */
	return t_get(fs_records_vault(t.r), &key) ? -EBADMSG : t_signer_pk(ctx, index, info, pk);
}

static void *opener(void *arg)
{
	struct fs_key key = inode_key(1, 10);
	struct fs_journal_open o = {
		.index = 1, .generation = 1, .keys = &t.keys[1], .signer_pk = reading_signer_pk};

	(void)arg;
	for (int i = 0; i < 300; i++) {
		struct fs_journal *j = NULL;

		if (fs_journal_open(t.r, &o, &j) || t_get(j, &key) || !fs_journal_container(j))
			atomic_fetch_add(&bad, 1);
		fs_journal_put(j);
	}
	return NULL;
}

START_TEST(journal_opened_and_closed_by_many_threads_stays_sound)
{
	struct fs_key key = inode_key(1, 10), id = fs_key_n(0, 0, FS_T_IDENTITY, 1, 8);
	pthread_t th[4];

	t_put(t.j[1], &key, "x", 1);
	t_put(fs_records_vault(t.r), &id, "anna", 4);
	t_reopen();
	fs_journal_put(t.j[1]);
	t.j[1] = NULL;
	atomic_store(&bad, 0);
	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(pthread_create(&th[i], NULL, opener, NULL), 0);
	for (int i = 0; i < 4; i++)
		pthread_join(th[i], NULL);
	ck_assert_int_eq(atomic_load(&bad), 0);
	ck_assert_ptr_null(fs_journal_find(t.r, 1));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("fs_record");
	TCase *tc = tcase_create("records");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, t_set_up, t_tear_down);
	tcase_set_timeout(tc, 180);
	tcase_add_test(tc, records_random_changes_match_model_across_reopen);
	tcase_add_test(tc, scan_stops_when_told_and_spans_pages);
	tcase_add_test(tc, scan_callback_error_is_returned);
	tcase_add_test(tc, get_swapped_records_refuses);
	tcase_add_test(tc, get_rolled_back_record_refuses);
	tcase_add_test(tc, get_dropped_record_refuses);
	tcase_add_test(tc, scan_dropped_record_refuses_after_what_came_before);
	tcase_add_test(tc, get_resurrected_record_refuses);
	tcase_add_test(tc, get_flipped_bit_anywhere_refuses);
	tcase_add_test(tc, get_tampered_node_refuses);
	tcase_add_test(tc, root_rolled_back_refuses_running_and_after_reopen);
	tcase_add_test(tc, journal_range_rolled_back_refuses);
	tcase_add_test(tc, older_database_is_brought_forward_by_the_redo_file);
	tcase_add_test(tc, whole_vault_rolled_back_is_stale_by_outside_knowledge);
	tcase_add_test(tc, vault_root_alone_rolled_back_refuses);
	tcase_add_test(tc, vault_root_damaged_or_missing_refuses);
	tcase_add_test(tc, open_with_other_mac_key_refuses_unless_adopted);
	tcase_add_test(tc, open_create_over_a_vault_refuses);
	tcase_add_test(tc, get_under_wrong_journal_key_refuses);
	tcase_add_test(tc, get_by_another_journal_refuses);
	tcase_add_test(tc, stored_record_shows_no_plaintext);
	tcase_add_test(tc, index_records_need_the_index_key_of_their_generation);
	tcase_add_test(tc, open_journal_forged_without_the_signer_refuses);
	tcase_add_test(tc, open_journal_unknown_signer_refuses);
	tcase_add_test(tc, change_without_a_signer_never_becomes_durable);
	tcase_add_test(tc, root_info_names_the_last_writer);
	tcase_add_test(tc, journal_is_shared_and_wiped_with_the_last_reference);
	tcase_add_test(tc, open_journal_missing_or_existing_is_told_apart);
	tcase_add_test(tc, journal_removed_through_the_vault_leaves_nothing);
	tcase_add_test(tc, damage_met_by_a_commit_costs_only_that_journal);
	tcase_add_test(tc, journal_removed_while_open_takes_no_more);
	tcase_add_test(tc, readers_never_see_damage_while_committing);
	tcase_add_test(tc, journal_opened_and_closed_by_many_threads_stays_sound);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
