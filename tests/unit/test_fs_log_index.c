/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of fs/log_index.c: an index says what the records said, to those who may read them, and
 * nobody but the daemon can have made it.
 */
#include "../../fs/log_index_impl.h"
#include "../../keys/seal.h"
#include "../../keys/slab.h"
#include "../../keys/wrap.h"
#include "test_keys_common.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define SEGMENT 7
#define STREAMS 3

static uint8_t vault[KEYS_VAULT_ID_LEN] = "a test vault id";
static uint8_t pk[KEYS_LEN], sk[KEYS_SIGN_SK_LEN];
static struct keys_ratchet ratchet[STREAMS]; /* at record 0 */

static void make_keys(void)
{
	keys_sign_new(pk, sk);
	for (unsigned i = 0; i < STREAMS; i++)
		keys_ratchet_new(&ratchet[i], vault);
}

static struct policy_record record_of(uint64_t seq)
{
	struct policy_record r;

	policy_record_init(&r, seq % 3 ? POLICY_RECORD_OPEN : POLICY_RECORD_REFUSED);
	r.seq = seq;
	r.journal = (uint32_t)(seq * 2654435761u);
	r.practitioner = seq % 5 ? (uint32_t)seq % 25 : UINT32_MAX;
	r.outcome = seq % 3 ? 0 : 4;
	r.time_ns = INT64_C(1800000000123456789) + (int64_t)seq * 977 * 1000000000;
	if (seq % 7 == 0)
		r.time_ns -= INT64_C(900000) * 1000000000; /* clocks are set back */
	return r;
}

static struct fs_log_index *index_new(void)
{
	struct fs_log_index *x = NULL;

	ck_assert_int_eq(fs_log_index_new(vault, &x), 0);
	return x;
}

/* Where the frame of a record stands; here and there the next one is further than an entry can say.
 */
static uint64_t place_of(uint64_t seq)
{
	return 4096 + seq * 408 + seq / 5 * 96 + seq / 3000 * UINT64_C(8) * 70000;
}

/* The writer's ratchet when record number seq of the stream was sealed. */
static struct keys_ratchet sealed_to(unsigned stream, uint64_t index)
{
	struct keys_ratchet r = ratchet[stream];
	uint8_t out[128];

	while (r.next <= index)
		keys_ratchet_seal(&r, (struct keys_span){"x", 1}, 0, out);
	return r;
}

static void add(struct fs_log_index *x, unsigned stream, uint64_t from, uint64_t to)
{
	struct keys_ratchet k = ratchet[stream];
	uint8_t out[128];

	for (uint64_t seq = from; seq < to; seq++) {
		struct policy_record r = record_of(seq);

		keys_ratchet_seal(&k, (struct keys_span){"x", 1}, 0, out);
		ck_assert_int_eq(fs_log_index_add(x, &r, place_of(seq), &k), 0);
	}
}

/* One that is none of the stream's next. */
static int add_wrong(struct fs_log_index *x, const struct policy_record *r)
{
	return fs_log_index_add(x, r, place_of(r->seq), &ratchet[0]);
}

static int seal_part(struct fs_log_index *x, uint8_t **p, size_t *len)
{
	fs_log_index_key(x, sk);
	return fs_log_index_seal(x, p, len);
}

/* A part: stream i has the records from first[i] up to first[i + 1]. */
static uint8_t *part(unsigned first_stream, unsigned n, const uint64_t *first, size_t *len)
{
	struct fs_log_index *x = index_new();
	uint8_t *p = NULL;

	for (unsigned i = 0; i < n; i++) {
		ck_assert_int_eq(fs_log_index_stream(x, &ratchet[first_stream + i], SEGMENT,
						     first[i], place_of(first[i]) - 400),
				 0);
		add(x, first_stream + i, first[i], first[i + 1]);
	}
	ck_assert_int_eq(seal_part(x, &p, len), 0);
	fs_log_index_free(x);
	return p;
}

/* ---- a reader ---- */

struct reader {
	unsigned has; /* bit i: the key of stream i */
	uint64_t seen, next, least, places;
	bool wrong;
};

static int key(void *ctx, const struct fs_log_index_stream_of *s, uint8_t k0[static KEYS_LEN])
{
	struct reader *r = ctx;

	for (unsigned i = 0; i < STREAMS; i++) {
		if (memcmp(s->stream, ratchet[i].stream, sizeof(s->stream)) == 0 &&
		    r->has & 1u << i) {
			memcpy(k0, ratchet[i].key, KEYS_LEN);
			return 0;
		}
	}
	return -ENOENT;
}

static void entry(void *ctx, const struct fs_log_index_entry *e)
{
	struct reader *r = ctx;
	struct policy_record want = record_of(e->seq);
	int64_t s = want.time_ns / 1000000000;

	if (!r->seen++)
		r->least = e->seq;
	else
		r->wrong |= e->seq < r->next;
	r->next = e->seq + 1;
	if (e->off)
		r->places++;
	r->wrong |= e->off && e->off != place_of(e->seq);
	r->wrong |= e->journal != want.journal || e->practitioner != want.practitioner ||
		    e->kind != want.kind || e->outcome != want.outcome || e->time_s != s;
}

static int read_index(struct reader *r, const uint8_t *p, size_t len, bool *partial)
{
	const struct fs_log_index_query q = {
		.vault = vault,
		.segment = SEGMENT,
		.pk = pk,
		.key = key,
		.fn = entry,
		.ctx = r,
	};

	return fs_log_index_read(&q, p, len, partial);
}

START_TEST(index_says_what_the_records_said)
{
	static const uint64_t first[] = {41, 41 + FS_LOG_INDEX_BLOCK, 9000, 20000};
	struct reader r = {.has = 7};
	bool partial = true;
	uint8_t *p;
	size_t len = 0;

	make_keys();
	p = part(0, 3, first, &len);
	ck_assert_int_eq(read_index(&r, p, len, &partial), 0);
	ck_assert(!partial && !r.wrong);
	ck_assert_uint_eq(r.seen, 20000 - 41);
	ck_assert_uint_eq(r.least, 41);
	ck_assert_uint_eq(r.next, 20000);
	/* Places are known in each stream until one is too far from the one before. */
	ck_assert_uint_eq(r.places, 3000 - 41 + (6000 - 41 - FS_LOG_INDEX_BLOCK) + 12000 - 9000);
	ck_assert_uint_lt(len, r.seen * (FS_LOG_INDEX_ENTRY + 2) + 1024);
	free(p);
}
END_TEST

START_TEST(index_opens_for_those_who_have_the_keys)
{
	static const uint64_t first[] = {1, 10, 300, 5000};
	static const uint64_t want[] = {0, 9, 290, 299, 4700, 4709, 4990, 4999};
	bool partial;
	uint8_t *p;
	size_t len = 0;

	make_keys();
	p = part(0, 3, first, &len);
	for (unsigned has = 0; has < 8; has++) {
		struct reader r = {.has = has};

		ck_assert_int_eq(read_index(&r, p, len, &partial), 0);
		ck_assert_uint_eq(r.seen, want[has]);
		ck_assert_int_eq(partial, has != 7);
		ck_assert(!r.wrong);
	}
	free(p);
}
END_TEST

START_TEST(index_has_a_part_for_each_run_and_one_cut_short_does_no_harm)
{
	static const uint64_t first[] = {1, 100}, second[] = {100, 150, 300};
	char dir[] = "/tmp/journalfs-index-XXXXXX", path[64];
	struct reader r = {.has = 7};
	uint8_t *a, *b, *all = NULL;
	size_t a_len = 0, b_len = 0, len = 0;
	bool partial;
	int dirfd;

	make_keys();
	ck_assert_ptr_nonnull(mkdtemp(dir));
	dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ck_assert_int_ge(dirfd, 0);
	ck_assert_int_eq(fs_log_index_load(dirfd, SEGMENT, &all, &len), -ENOENT);
	a = part(0, 1, first, &a_len);
	b = part(1, 2, second, &b_len);
	ck_assert_int_eq(fs_log_index_store(dirfd, SEGMENT, a, a_len), 0);
	ck_assert_int_eq(fs_log_index_store(dirfd, SEGMENT, b, b_len), 0);
	ck_assert_int_eq(fs_log_index_load(dirfd, SEGMENT, &all, &len), 0);
	ck_assert_uint_eq(len, a_len + b_len);
	ck_assert_int_eq(read_index(&r, all, len, &partial), 0);
	ck_assert(!partial && !r.wrong);
	ck_assert_uint_eq(r.seen, 299);
	for (size_t cut = 0; cut < len; cut++) {
		r = (struct reader){.has = 7};
		ck_assert_int_eq(read_index(&r, all, cut, &partial), cut < a_len ? -EBADMSG : 0);
		ck_assert_uint_eq(r.seen, cut < a_len ? 0 : 99);
		ck_assert_int_eq(partial, cut > a_len);
	}
	free(all);
	snprintf(path, sizeof(path), "%s/00000007.idx", dir);
	ck_assert_int_eq(truncate(path, 0), 0);
	ck_assert_int_eq(fs_log_index_load(dirfd, SEGMENT, &all, &len), -EBADMSG);
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(symlink("/etc/passwd", path), 0);
	ck_assert_int_eq(fs_log_index_load(dirfd, SEGMENT, &all, &len), -ELOOP);
	ck_assert_int_eq(fs_log_index_store(dirfd, SEGMENT, a, a_len), -ELOOP);
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(mkfifo(path, 0600), 0);
	ck_assert_int_eq(fs_log_index_load(dirfd, SEGMENT, &all, &len), -EBADMSG);
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(rmdir(dir), 0);
	close(dirfd);
	free(a);
	free(b);
}
END_TEST

static bool accepts(const uint8_t *p, size_t len, const void *arg)
{
	struct reader r = {.has = 7};
	bool partial;

	(void)arg;
	return read_index(&r, p, len, &partial) == 0 && !partial;
}

START_TEST(index_rejects_every_flip_and_length)
{
	static const uint64_t first[] = {1, 6, 9};
	uint8_t *p;
	size_t len = 0;

	make_keys();
	p = part(0, 2, first, &len);
	check_flips(accepts, p, len, NULL);
	check_lengths(accepts, p, len, NULL);
	free(p);
}
END_TEST

START_TEST(index_of_another_segment_vault_or_daemon_is_refused)
{
	static const uint64_t first[] = {1, 6};
	struct reader r = {.has = 7};
	struct fs_log_index_query q = {.key = key, .fn = entry, .ctx = &r};
	uint8_t other_vault[KEYS_VAULT_ID_LEN] = "another vault i", other_pk[KEYS_LEN];
	uint8_t other_sk[KEYS_SIGN_SK_LEN], *p;
	bool partial;
	size_t len = 0;

	make_keys();
	keys_sign_new(other_pk, other_sk);
	p = part(0, 1, first, &len);
	for (unsigned wrong = 0; wrong < 4; wrong++) {
		q.vault = wrong == 1 ? other_vault : vault;
		q.segment = wrong == 2 ? SEGMENT + 1 : SEGMENT;
		q.pk = wrong == 3 ? other_pk : pk;
		ck_assert_int_eq(fs_log_index_read(&q, p, len, &partial), wrong ? -EBADMSG : 0);
	}
	ck_assert_uint_eq(r.seen, 5);
	free(p);
}
END_TEST

/* Who may read a stream has its k(0), and with it the index's keys; but not the daemon's. */
START_TEST(index_can_not_be_forged_by_a_reader)
{
	static const uint64_t first[] = {1, 6};
	uint8_t daemon_sk[KEYS_SIGN_SK_LEN], auditor_pk[KEYS_LEN], *p;
	struct reader r = {.has = 7};
	bool partial = false;
	size_t len = 0;

	make_keys();
	memcpy(daemon_sk, sk, sizeof(sk));
	keys_sign_new(auditor_pk, sk);
	p = part(0, 1, first, &len); /* sealed well, signed by himself */
	ck_assert_int_eq(read_index(&r, p, len, &partial), -EBADMSG);
	/* With the segment's name, but not its signature. */
	memcpy(p + 40, pk, KEYS_LEN);
	ck_assert_int_eq(read_index(&r, p, len, &partial), -EBADMSG);
	ck_assert_uint_eq(r.seen, 0);
	free(p);
	/* A part of the daemon's own, but sealed under a key that is not the stream's. */
	memcpy(sk, daemon_sk, sizeof(sk));
	p = part(0, 1, first, &len);
	ratchet[0].key[0] ^= 1;
	ck_assert_int_eq(read_index(&r, p, len, &partial), -EBADMSG);
	free(p);
}
END_TEST

/* A gap, a clock that jumps by a century, no stream: no index rather than a wrong one. */
START_TEST(index_that_went_wrong_is_not_sealed)
{
	struct policy_record r = record_of(6);
	struct fs_log_index *x = index_new();
	uint8_t *p = NULL;
	size_t len = 0;

	make_keys();
	ck_assert_int_eq(seal_part(x, &p, &len), -ENODATA);
	ck_assert_int_eq(add_wrong(x, &r), -EINVAL);
	ck_assert_int_eq(seal_part(x, &p, &len), -ENODATA);
	ck_assert_int_eq(fs_log_index_stream(x, &ratchet[0], SEGMENT, 1, 128), 0);
	add(x, 0, 1, 5);
	ck_assert_int_eq(add_wrong(x, &r), -EINVAL); /* 5 was left out */
	ck_assert_int_eq(fs_log_index_stream(x, &ratchet[1], SEGMENT, 7, 128), -ENODATA);
	ck_assert_int_eq(add_wrong(x, &r), -ENODATA);
	ck_assert_int_eq(seal_part(x, &p, &len), -ENODATA);
	/* Afterwards it is as new. */
	ck_assert_int_eq(fs_log_index_stream(x, &ratchet[0], SEGMENT, 1, 128), 0);
	add(x, 0, 1, 5);
	r = record_of(5);
	r.time_ns = INT64_MIN;
	ck_assert_int_eq(add_wrong(x, &r), -ERANGE);
	ck_assert_int_eq(seal_part(x, &p, &len), -ENODATA);
	ck_assert_int_eq(fs_log_index_stream(x, &ratchet[0], SEGMENT, 1, 128), 0);
	ck_assert_int_eq(fs_log_index_stream(x, &ratchet[1], SEGMENT + 1, 1, 128), -EINVAL);
	ck_assert_int_eq(seal_part(x, &p, &len), -ENODATA);
	/* Nobody gave a key to sign with. */
	ck_assert_int_eq(fs_log_index_stream(x, &ratchet[0], SEGMENT, 1, 128), 0);
	add(x, 0, 1, 5);
	ck_assert_int_eq(fs_log_index_seal(x, &p, &len), -ENODATA);
	/* A ratchet that is not where the records are. */
	ck_assert_int_eq(fs_log_index_stream(x, &ratchet[0], SEGMENT, 1, 128), 0);
	add(x, 0, 1, FS_LOG_INDEX_STRIDE);
	r = record_of(FS_LOG_INDEX_STRIDE);
	ck_assert_int_eq(add_wrong(x, &r), -EINVAL);
	ck_assert_int_eq(seal_part(x, &p, &len), -ENODATA);
	ck_assert_ptr_null(p);
	fs_log_index_free(x);
	fs_log_index_free(NULL);
}
END_TEST

/* What was sealed shows neither journals nor people, and equal entries not that they are. */
START_TEST(index_shows_nothing_in_clear)
{
	struct fs_log_index *x = index_new();
	struct keys_ratchet k;
	uint8_t *p = NULL, out[128];
	size_t len = 0, zeros = 0;

	make_keys();
	ck_assert_int_eq(fs_log_index_stream(x, &ratchet[0], SEGMENT, 1, 128), 0);
	k = ratchet[0];
	for (uint64_t seq = 1; seq <= 2 * FS_LOG_INDEX_BLOCK; seq++) {
		struct policy_record r = record_of(1);

		r.seq = seq;
		keys_ratchet_seal(&k, (struct keys_span){"x", 1}, 0, out);
		ck_assert_int_eq(fs_log_index_add(x, &r, 128 + 8 * seq, &k), 0);
	}
	ck_assert_int_eq(seal_part(x, &p, &len), 0);
	for (size_t i = 128; i + 16 < len; i++) {
		zeros += all_zero(p + i, 7);
		ck_assert(i + 2 * FS_LOG_INDEX_ENTRY > len ||
			  memcmp(p + i, p + i + FS_LOG_INDEX_ENTRY, FS_LOG_INDEX_ENTRY) != 0);
	}
	ck_assert_uint_eq(zeros, 0);
	fs_log_index_free(x);
	free(p);
}
END_TEST

/* ---- the way to a record ---- */

struct way {
	struct reader r;
	struct fs_log_index_query q;
	struct fs_log_index_steps steps[STREAMS];
	unsigned n;
};

static int way_key(void *ctx, const struct fs_log_index_stream_of *s, uint8_t k0[static KEYS_LEN])
{
	struct way *w = ctx;
	int rc = key(&w->r, s, k0);

	if (!rc)
		fs_log_index_steps_init(&w->steps[w->n++], &w->q, s, k0);
	return rc;
}

static void way_entry(void *ctx, const struct fs_log_index_entry *e)
{
	entry(&((struct way *)ctx)->r, e);
}

static void way_open(struct way *w, const uint8_t *p, size_t len)
{
	bool partial;

	*w = (struct way){.r = {.has = 7}};
	w->q = (struct fs_log_index_query){.vault = vault,
					   .segment = SEGMENT,
					   .pk = pk,
					   .key = way_key,
					   .fn = way_entry,
					   .ctx = w};
	ck_assert_int_eq(fs_log_index_read(&w->q, p, len, &partial), 0);
}

/* To each of a few records, in one go and one after the other: the key there is the stream's. */
START_TEST(index_leads_to_a_record)
{
	static const uint64_t first[] = {41, 41 + 300, 41 + 300 + FS_LOG_INDEX_STRIDE, 20000};
	static const uint64_t at[] = {0, 1, 63, 64, 65, 127, 128, 299};
	struct way w;
	uint8_t *p;
	size_t len = 0;

	make_keys();
	p = part(0, 3, first, &len);
	for (unsigned i = 0; i < COUNT(at); i++) {
		struct keys_ratchet r = ratchet[0], want = sealed_to(0, at[i]);

		way_open(&w, p, len);
		ck_assert_uint_eq(w.n, 3);
		ck_assert_int_eq(fs_log_index_step(&w.steps[0], &r, at[i]), 0);
		ck_assert_uint_eq(r.next, at[i] / FS_LOG_INDEX_STRIDE * FS_LOG_INDEX_STRIDE);
		for (uint8_t out[128]; r.next <= at[i];)
			keys_ratchet_seal(&r, (struct keys_span){"x", 1}, 0, out);
		ck_assert_mem_eq(r.key, want.key, KEYS_LEN);
	}
	way_open(&w, p, len);
	for (unsigned i = 0; i < COUNT(at); i++) {
		struct keys_ratchet r = sealed_to(0, i ? at[i - 1] : 0), want = sealed_to(0, at[i]);
		uint64_t before;

		if (!i)
			r = ratchet[0];
		before = r.next;
		ck_assert_int_eq(fs_log_index_step(&w.steps[0], &r, at[i]), 0);
		ck_assert_uint_ge(r.next, before);
		ck_assert_uint_lt(at[i] - r.next, FS_LOG_INDEX_STRIDE);
		for (uint8_t out[128]; r.next <= at[i];)
			keys_ratchet_seal(&r, (struct keys_span){"x", 1}, 0, out);
		ck_assert_mem_eq(r.key, want.key, KEYS_LEN);
	}
	free(p);
}
END_TEST

/* Beyond the index, behind what was passed, by another stream's keys: refused, not wrong. */
START_TEST(index_leads_nowhere_else)
{
	static const uint64_t first[] = {1, 301, 601};
	struct keys_ratchet r;
	struct way w;
	uint8_t *p;
	size_t len = 0;

	make_keys();
	p = part(0, 2, first, &len);
	way_open(&w, p, len);
	r = ratchet[0];
	ck_assert_int_eq(fs_log_index_step(&w.steps[0], &r, 300), -EINVAL);
	ck_assert_int_eq(fs_log_index_step(&w.steps[0], &r, UINT64_MAX), -EINVAL);
	ck_assert_int_eq(fs_log_index_step(&w.steps[0], &r, 299), 0);
	ck_assert_uint_eq(r.next, 256);
	ck_assert_int_eq(fs_log_index_step(&w.steps[0], &r, 255), -EINVAL);
	r = ratchet[0];
	ck_assert_int_eq(fs_log_index_step(&w.steps[0], &r, 200), -EINVAL); /* passed by */
	/* What holds for the second stream is no key of the first. */
	w.steps[1].stream = w.steps[0].stream;
	r = ratchet[0];
	ck_assert_int_eq(fs_log_index_step(&w.steps[1], &r, 64), -EBADMSG);
	free(p);
}
END_TEST

/* Key n of the first stream in the index, with this key of the chain. */
static bool opens_key(const struct way *w, unsigned n, const uint8_t *chain_key, uint8_t *out)
{
	const struct fs_log_index_stream_of *of = &w->steps[0].stream;
	uint8_t ad[FS_LOG_INDEX_AD];

	fs_log_index_ad(vault, SEGMENT, of->stream,
			of->first_seq + (n + UINT64_C(1)) * FS_LOG_INDEX_STRIDE, ad);
	return !keys_unseal(
		chain_key, (struct keys_span){ad, sizeof(ad)},
		(struct keys_span){of->keys + n * (size_t)FS_LOG_INDEX_KEY, FS_LOG_INDEX_KEY}, out);
}

/*
 * Who takes the daemon's memory right after a record was sealed has the keys that seal what
 * follows. With none of them, nor with any that can be made of them, does he open a key of the
 * stream that stands in the index already.
 */
START_TEST(index_keys_open_nothing_that_was_sealed_before)
{
	static const uint64_t first[] = {1, 301};
	const unsigned keys = 300 / FS_LOG_INDEX_STRIDE, written_keys = 2;
	struct keys_ratchet k;
	uint8_t chain[KEYS_LEN], block[KEYS_LEN], out[128];
	struct way w;
	uint8_t *p;
	size_t len = 0;

	make_keys();
	p = part(0, 1, first, &len);
	way_open(&w, p, len);
	/* As a reader: key after key, each the stream's. */
	memcpy(chain, w.steps[0].key, KEYS_LEN);
	for (unsigned n = 0; n < keys; n++) {
		k = sealed_to(0, (n + UINT64_C(1)) * FS_LOG_INDEX_STRIDE - 1);
		ck_assert(opens_key(&w, n, chain, out));
		ck_assert_mem_eq(out, k.key, KEYS_LEN);
		fs_log_index_next_key(chain);
	}
	/* What the daemon holds when 131 records are sealed: the ratchet, the chain, the block's
	 * key. */
	k = sealed_to(0, 130);
	memcpy(chain, w.steps[0].key, KEYS_LEN);
	for (unsigned n = 0; n < written_keys; n++)
		fs_log_index_next_key(chain);
	fs_log_index_first_key(FS_LOG_INDEX_BLOCKS, vault, ratchet[0].stream, SEGMENT,
			       ratchet[0].key, block);
	ck_assert(opens_key(&w, written_keys, chain, out));
	for (unsigned i = 0; i < 300; i++) {
		for (unsigned n = 0; n < written_keys; n++) {
			ck_assert(!opens_key(&w, n, k.key, out));
			ck_assert(!opens_key(&w, n, chain, out));
			ck_assert(!opens_key(&w, n, block, out));
		}
		keys_ratchet_seal(&k, (struct keys_span){"x", 1}, 0, out);
		fs_log_index_next_key(chain);
		fs_log_index_next_key(block);
	}
	free(p);
}
END_TEST

/* Nobody reads it: whoever stores would wait for ever, and the log with him. */
START_TEST(index_is_not_written_to_what_is_no_file)
{
	char dir[] = "/tmp/journalfs-index-XXXXXX", path[64];
	uint8_t *p = NULL;
	size_t len = 0;
	int fd;

	ck_assert_ptr_nonnull(mkdtemp(dir));
	fd = open(dir, O_RDONLY | O_DIRECTORY);
	ck_assert_int_ge(fd, 0);
	snprintf(path, sizeof(path), "%s/00000007.idx", dir);
	ck_assert_int_eq(mkfifo(path, 0600), 0);
	ck_assert_int_ne(fs_log_index_store(fd, 7, (const uint8_t *)"x", 1), 0);
	ck_assert_int_ne(fs_log_index_load(fd, 7, &p, &len), 0);
	ck_assert_int_eq(unlink(path), 0);
	close(fd);
	ck_assert_int_eq(rmdir(dir), 0);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		index_says_what_the_records_said,
		index_opens_for_those_who_have_the_keys,
		index_has_a_part_for_each_run_and_one_cut_short_does_no_harm,
		index_rejects_every_flip_and_length,
		index_of_another_segment_vault_or_daemon_is_refused,
		index_can_not_be_forged_by_a_reader,
		index_that_went_wrong_is_not_sealed,
		index_shows_nothing_in_clear,
		index_leads_to_a_record,
		index_leads_nowhere_else,
		index_keys_open_nothing_that_was_sealed_before,
		index_is_not_written_to_what_is_no_file,
	};

	return run_tests("fs/log_index", tests, COUNT(tests));
}
