/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the tests of records and chunks share: a vault in a temporary directory,
 * a signer, journals with random keys, and a back door to the stored bytes.
 * Everything is opened inside a test, after Check's fork.
 */
#ifndef TEST_FS_RECORDS_H
#define TEST_FS_RECORDS_H

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "fs/record_impl.h"

#define T_JOURNALS 4

static struct {
	char dir[64];
	uint8_t vault[KEYS_VAULT_ID_LEN], mac_key[KEYS_LEN], index_key[KEYS_LEN];
	struct keys_session_cert cert;
	uint8_t sk[KEYS_SIGN_SK_LEN];
	struct keys_journal keys[T_JOURNALS];
	struct fs_records *r;
	struct fs_signer *signer;
	struct fs_journal *j[T_JOURNALS]; /* [0] unused */
	atomic_int damaged;
	atomic_int failed;	    /* times that somebody was told */
	atomic_uint failed_journal; /* the last one */
	uint64_t seed;
} t;

static inline uint32_t t_rnd(uint32_t n)
{
	t.seed = t.seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(t.seed >> 33) % n;
}

static inline void t_damaged(void *ctx, uint32_t journal, uint64_t ino, uint8_t table)
{
	(void)ctx;
	(void)journal;
	(void)ino;
	(void)table;
	atomic_fetch_add(&t.damaged, 1);
}

static inline void t_failed(void *ctx, uint32_t journal)
{
	(void)ctx;
	atomic_store(&t.failed_journal, journal);
	atomic_fetch_add(&t.failed, 1);
}

static inline int t_signer_pk(void *ctx, uint32_t index, const struct fs_root_info *info,
			      uint8_t pk[static KEYS_LEN])
{
	(void)ctx;
	(void)index;
	if (memcmp(info->session, t.cert.session, KEYS_SESSION_ID_LEN))
		return -EBADMSG;
	memcpy(pk, t.cert.pk, KEYS_LEN);
	return 0;
}

static inline struct fs_records_config t_config(bool create)
{
	struct fs_records_config cfg = {
		.path = t.dir, .create = create, .damaged = t_damaged, .failed = t_failed};

	memcpy(cfg.vault, t.vault, sizeof(cfg.vault));
	memcpy(cfg.mac_key, t.mac_key, sizeof(cfg.mac_key));
	return cfg;
}

static inline int t_journal(uint32_t index, bool create)
{
	struct fs_journal_open o = {.index = index,
				    .generation = 1,
				    .keys = &t.keys[index],
				    .create = create,
				    .signer_pk = t_signer_pk};

	return fs_journal_open(t.r, &o, &t.j[index]);
}

static inline void t_open(bool create)
{
	struct fs_records_config cfg = t_config(create);

	ck_assert_int_eq(fs_records_open(&cfg, &t.r), 0);
	fs_records_index_key(t.r, 1, t.index_key);
	for (uint32_t i = 1; i < T_JOURNALS; i++) {
		int rc = t_journal(i, create);

		/* One that nothing was written to has left no trace. */
		if (rc == -ENOENT)
			rc = t_journal(i, true);
		ck_assert_int_eq(rc, 0);
	}
}

static inline int t_close(void)
{
	int rc;

	for (uint32_t i = 1; i < T_JOURNALS; i++) {
		fs_journal_put(t.j[i]);
		t.j[i] = NULL;
	}
	rc = fs_records_close(t.r);
	t.r = NULL;
	return rc;
}

static inline void t_reopen(void)
{
	ck_assert_int_eq(t_close(), 0);
	t_open(false);
}

static inline void t_set_up(void)
{
	struct keys_identity id = {.pid = 7, .enrolment = 1};
	struct keys_identity_secret *secret;

	ck_assert_int_eq(keys_init(), 0);
	memset(&t, 0, sizeof(t));
	t.seed = 1;
	strcpy(t.dir, "/tmp/journalfs-records-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(t.dir));
	keys_random(t.vault, sizeof(t.vault));
	keys_random(t.mac_key, sizeof(t.mac_key));
	keys_random(t.index_key, sizeof(t.index_key));
	keys_random(t.keys, sizeof(t.keys));
	secret = keys_guard_new(sizeof(*secret));
	ck_assert_ptr_nonnull(secret);
	keys_identity_new(&id, secret);
	t.cert.pid = 7;
	t.cert.enrolment = 1;
	keys_random(t.cert.session, sizeof(t.cert.session));
	keys_session_cert_new(&t.cert, secret, t.sk);
	keys_guard_free(secret);
	ck_assert_int_eq(fs_signer_new(&t.cert, t.sk, &t.signer), 0);
	t_open(true);
}

static inline void t_tear_down(void)
{
	char cmd[96];

	if (t.r)
		t_close();
	fs_signer_put(t.signer);
	snprintf(cmd, sizeof(cmd), "rm -rf %s", t.dir);
	ck_assert_int_eq(system(cmd), 0);
}

static inline void t_sync(void)
{
	ck_assert_int_eq(fs_group_sync(fs_records_group(t.r), 0), 0);
}

static inline void t_apply(struct fs_batch *b)
{
	ck_assert_int_eq(fs_group_apply(fs_records_group(t.r), b, NULL), 0);
	fs_batch_clear(b);
}

static inline void t_put(struct fs_journal *j, const struct fs_key *key, const void *p, size_t len)
{
	struct fs_batch b;

	fs_batch_init(&b, t.signer);
	fs_batch_put(&b, j, key, p, len);
	t_apply(&b);
}

static inline void t_del(struct fs_journal *j, const struct fs_key *key)
{
	struct fs_batch b;

	fs_batch_init(&b, t.signer);
	fs_batch_del(&b, j, key);
	t_apply(&b);
}

/* The result of a get; the value is dropped. */
static inline int t_get(struct fs_journal *j, const struct fs_key *key)
{
	struct fs_buf *buf = NULL;
	int rc = fs_record_get(j, key, &buf);

	if (!rc)
		fs_buf_put(buf);
	return rc;
}

/* ---- the back door: only while the committer is idle ---- */

struct t_raw {
	uint8_t p[FS_VALUE_MAX];
	size_t len; /* 0: absent */
};

static inline struct t_raw t_raw_get(const struct fs_key *key)
{
	struct t_raw raw = {.len = 0};
	struct fs_snap *snap;
	const uint8_t *val;
	size_t len;

	ck_assert_int_eq(fs_store_snap_begin(fs_records_store(t.r), &snap), 0);
	if (!fs_store_get(snap, key, &val, &len)) {
		memcpy(raw.p, val, len);
		raw.len = len;
	}
	fs_store_snap_end(snap);
	return raw;
}

static inline void t_raw_put(const struct fs_key *key, const struct t_raw *raw)
{
	struct fs_store_item item = {.key = *key, .val = raw->len ? raw->p : NULL, .len = raw->len};

	ck_assert_int_eq(fs_store_apply(fs_records_store(t.r), &item, 1), 0);
}

#define T_SHOT_MAX 20000
/* Every stored record with from <= key < to, to be put back later. */
struct t_shot {
	struct fs_key from, to;
	struct fs_key *key;
	struct t_raw *raw;
	size_t n;
};

static inline struct t_shot t_shot_take(struct fs_key from, struct fs_key to)
{
	struct t_shot s = {.from = from, .to = to};
	struct fs_key key = from;
	struct fs_snap *snap;
	const uint8_t *val;
	size_t len;

	s.key = calloc(T_SHOT_MAX, sizeof(*s.key));
	s.raw = calloc(T_SHOT_MAX, sizeof(*s.raw));
	ck_assert_ptr_nonnull(s.key);
	ck_assert_ptr_nonnull(s.raw);
	ck_assert_int_eq(fs_store_snap_begin(fs_records_store(t.r), &snap), 0);
	while (!fs_store_next(snap, &key, &key, &val, &len) && fs_key_cmp(&key, &to) < 0) {
		ck_assert_uint_lt(s.n, T_SHOT_MAX);
		s.key[s.n] = key;
		memcpy(s.raw[s.n].p, val, len);
		s.raw[s.n++].len = len;
		key.b[key.len++] = 0;
	}
	fs_store_snap_end(snap);
	return s;
}

static inline void t_shot_restore(struct t_shot *s)
{
	struct t_shot now = t_shot_take(s->from, s->to);
	struct t_raw none = {.len = 0};

	for (size_t i = 0; i < now.n; i++)
		t_raw_put(&now.key[i], &none);
	for (size_t i = 0; i < s->n; i++)
		t_raw_put(&s->key[i], &s->raw[i]);
	free(now.key);
	free(now.raw);
	free(s->key);
	free(s->raw);
}

#endif
