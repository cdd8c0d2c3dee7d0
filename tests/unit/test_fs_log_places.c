/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of fs/log_read_places.c: an index that its segment's own key signed, and that lies all the
 * same about where records stand.
 */
#include "test_fs_log_forge.h"

#include "../../fs/log.h"
#include "../../fs/log_index.h"
#include "../../policy/record.h"

#include <check.h>
#include <ftw.h>
#include <sys/resource.h>
#include <sys/stat.h>

#define JOURNAL 7
#define SEGMENT_BYTES (512u << 10)

static char dir[64];
static struct forge forge;
static struct fs_log_index *x;

static struct {
	uint64_t seq[64];
	unsigned count, bad;
} seen;

static void setup(void)
{
	ck_assert_int_eq(keys_init(), 0);
	strcpy(dir, "/tmp/journalfs-places-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	forge_init(&forge, dir, SEGMENT_BYTES);
	forge_segment(&forge);
	ck_assert_int_eq(fs_log_index_new(forge.vault, &x), 0);
	ck_assert_int_eq(fs_log_index_stream(x, &forge.ratchet, 1, 1, FS_LOG_HEADER), 0);
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *f)
{
	(void)st;
	(void)flag;
	(void)f;
	return remove(path);
}

static void teardown(void)
{
	fs_log_index_free(x);
	free(forge.p);
	nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static struct policy_record record_of(uint64_t seq, uint32_t journal)
{
	struct policy_record r;

	policy_record_init(&r, POLICY_RECORD_OPEN);
	r.seq = seq;
	r.journal = journal;
	r.practitioner = 1;
	r.time_ns = INT64_C(1700000000000000000);
	return r;
}

/* A record in the segment; its place. */
static uint64_t put_record(uint32_t journal)
{
	static uint8_t plain[POLICY_RECORD_MAX], sealed[POLICY_RECORD_MAX + 8192];
	struct policy_record r = record_of(forge.seq, journal);
	uint64_t off = forge.end;
	size_t len = 0;

	ck_assert_int_eq(policy_record_encode(&r, plain, sizeof(plain), &len), 0);
	keys_ratchet_seal(&forge.ratchet, (struct keys_span){plain, len}, 0, sealed);
	forge_frame(&forge, FS_LOG_RECORD, forge.seq++, sealed, keys_ratchet_sealed_len(len));
	return off;
}

/* What the index says of it. */
static void tell(uint64_t seq, uint32_t journal, uint64_t off, const struct keys_ratchet *k)
{
	struct policy_record r = record_of(seq, journal);

	ck_assert_int_eq(fs_log_index_add(x, &r, off, k), 0);
}

/* The segment, its index so many times, signed with this key, and segments behind it. */
static void finish_with(const uint8_t *sk, unsigned times)
{
	int dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	uint8_t *p = NULL;
	size_t len = 0;

	fs_log_index_key(x, sk);
	ck_assert_int_eq(fs_log_index_seal(x, &p, &len), 0);
	for (unsigned i = 0; i < times; i++)
		ck_assert_int_eq(fs_log_index_store(dirfd, 1, p, len), 0);
	close(dirfd);
	free(p);
	/* The newest two are read again and again where they look unfinished. */
	for (unsigned i = 0; i < 3; i++)
		forge_segment(&forge);
	forge_write(&forge);
}

static void finish(void)
{
	finish_with(forge.key_sk[forge.key], 1);
}

static int see(void *ctx, const struct policy_record *r)
{
	(void)ctx;
	ck_assert_uint_eq(r->journal, JOURNAL);
	ck_assert_uint_lt(seen.count, 64);
	seen.seq[seen.count++] = r->seq;
	return 0;
}

static void see_bad(void *ctx, uint64_t seq, const char *why)
{
	(void)ctx;
	(void)seq;
	(void)why;
	seen.bad++;
}

static void read_log(void)
{
	static const uint32_t journal = JOURNAL;
	const struct fs_log_reading q = {
		.dir = dir,
		.vault = forge.vault,
		.box_pk = forge.reader.box_pk,
		.box_sk = forge.reader_sk,
		.journals = &journal,
		.journal_count = 1,
		.fn = see,
		.bad = see_bad,
	};

	memset(&seen, 0, sizeof(seen));
	ck_assert_int_eq(fs_log_read_as(&q), 0);
}

/*
 * Two of the journal, among others, one of which is damaged: a reading that goes straight to the
 * two does not meet that. The index says of the second that it stands `wrong` further, or with
 * `hide` that it is another's.
 */
static void two(int64_t wrong, bool hide)
{
	for (uint64_t seq = 1; seq <= 200; seq++) {
		uint32_t journal = seq % 70 == 0 ? JOURNAL : 2;
		uint64_t off = put_record(journal);

		tell(seq, hide && seq == 140 ? 2 : journal,
		     seq == 140 ? off + (uint64_t)wrong : off, &forge.ratchet);
		if (seq == 10)
			forge.p[off] ^= 1;
	}
}

static void check_two(bool by_index)
{
	read_log();
	ck_assert_int_eq(seen.bad == 0, by_index);
	ck_assert_uint_eq(seen.count, 2);
	ck_assert_uint_eq(seen.seq[0], 70);
	ck_assert_uint_eq(seen.seq[1], 140);
}

START_TEST(records_are_read_at_their_places)
{
	two(0, false);
	finish();
	check_two(true);
}
END_TEST

/* And nothing else that such an index says is believed. */
START_TEST(record_that_is_not_at_its_place_is_found_all_the_same)
{
	int64_t wrong = 8 * (_i - 3);

	two(wrong, false);
	finish();
	check_two(!wrong);
}
END_TEST

/*
 * Who has an auditor's keys and the daemon's puts another tree frame where the segment's was, with
 * a key of his own, and an index that hides a record. The frame of the segment behind does not
 * follow his. With the key that was the segment's, while it was there, he could have: fs/FORMAT.md
 * says so.
 */
START_TEST(index_with_a_tree_frame_of_its_own_is_not_believed)
{
	struct fs_log_tree t = {.key_number = 1};
	struct fs_log_walk w;
	struct fs_log_frame f;
	struct fs_log_header h;
	uint8_t body[FS_LOG_TREE_MAX];
	size_t len;

	two(0, true);
	if (!_i) {
		finish();
		read_log();
		ck_assert_uint_eq(seen.count, 1);
		return;
	}
	keys_tree_init(&t.tree);
	memcpy(t.pk, forge.key_pk[9], KEYS_LEN);
	memcpy(t.daemon_pk, forge.daemon_pk, KEYS_LEN);
	memcpy(t.witness_pk, forge.witness_pk, KEYS_LEN);
	memcpy(t.root_pk, forge.root_pk, KEYS_LEN);
	memcpy(t.cert, forge.cert, KEYS_SIG_LEN);
	len = fs_log_tree_make(&t, 1, NULL, forge.daemon_sk, body);
	ck_assert_int_eq(fs_log_header_decode(forge.p, &h), 0);
	fs_log_walk_init(&w, &h, forge.p, SEGMENT_BYTES);
	do {
		ck_assert(fs_log_walk_next(&w, &f));
	} while (f.kind != FS_LOG_TREE);
	ck_assert_uint_eq(f.len, len);
	memcpy(forge.p + f.off + FS_LOG_FRAME, body, len);
	finish_with(forge.key_sk[9], 1);
	check_two(false);
}
END_TEST

/* The same part again and again: each names heads that were named before. */
START_TEST(part_that_is_repeated_costs_no_memory)
{
	struct rusage before, after;

	two(0, false);
	finish_with(forge.key_sk[forge.key], 3000);
	getrusage(RUSAGE_SELF, &before);
	check_two(false);
	getrusage(RUSAGE_SELF, &after);
	/* KiB; but for the index itself, which is brought in whole. */
	ck_assert_int_lt(after.ru_maxrss - before.ru_maxrss, 24 << 10);
}
END_TEST

/* Frames in each other, each with a body as long as may be: no more is kept than the segment has.
 */
START_TEST(places_that_overlap_cost_no_memory)
{
	enum { FRAMES = 500, BODY = 250 << 10 };
	struct keys_ratchet any = forge.ratchet;
	struct rusage before, after;

	for (uint64_t seq = 1; seq <= FRAMES; seq++) {
		ck_assert_uint_lt(forge.end + FS_LOG_FRAME + BODY, SEGMENT_BYTES);
		fs_log_frame_encode(FS_LOG_RECORD, seq, BODY, forge.p + forge.end);
		any.next = seq;
		tell(seq, JOURNAL, forge.end, &any);
		forge.end += FS_LOG_FRAME;
	}
	forge.seq = FRAMES + 1;
	finish();
	getrusage(RUSAGE_SELF, &before);
	read_log();
	getrusage(RUSAGE_SELF, &after);
	ck_assert_uint_eq(seen.count, 0);
	ck_assert_uint_gt(seen.bad, 0);
	ck_assert_int_lt(after.ru_maxrss - before.ru_maxrss, 32 << 10); /* KiB */
}
END_TEST

/* One head named again and again, with no record of it: one key in guarded memory, not each. */
START_TEST(head_named_many_times_costs_no_memory)
{
	enum { TIMES = 5000 };
	struct keys_ratchet first = forge.ratchet;
	struct rusage before, after;

	for (unsigned i = 0; i < TIMES; i++)
		ck_assert_int_eq(fs_log_index_stream(x, &first, 1, 1, FS_LOG_HEADER), 0);
	for (unsigned i = 0; i < 80; i++)
		put_record(i == 70 ? JOURNAL : 2);
	finish();
	getrusage(RUSAGE_SELF, &before);
	read_log();
	getrusage(RUSAGE_SELF, &after);
	ck_assert_uint_eq(seen.count, 1);
	ck_assert_uint_eq(seen.seq[0], 71);
	ck_assert_int_lt(after.ru_maxrss - before.ru_maxrss, 16 << 10);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("fs/log_read_places");
	TCase *tc = tcase_create("all");
	SRunner *r;
	int failed;

	tcase_set_timeout(tc, 120);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, records_are_read_at_their_places);
	tcase_add_loop_test(tc, record_that_is_not_at_its_place_is_found_all_the_same, 0, 7);
	tcase_add_loop_test(tc, index_with_a_tree_frame_of_its_own_is_not_believed, 0, 2);
	tcase_add_test(tc, part_that_is_repeated_costs_no_memory);
	tcase_add_test(tc, places_that_overlap_cost_no_memory);
	tcase_add_test(tc, head_named_many_times_costs_no_memory);
	suite_add_tcase(s, tc);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
