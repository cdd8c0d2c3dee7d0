/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/fault/test_fs_log_memory.c - reading the log with memory short at each allocation: all is
 * told, or it fails and says so; nothing is told twice, nothing is called damaged, no file stays
 * open.
 */
#include "../../fs/log.h"
#include "../unit/test_fs_log_look.h"
#include "memory.h"

#define TRIES 400

static struct {
	uint64_t last;
	unsigned count, bad;
	bool twice;
} seen;

static int see(void *ctx, const struct policy_record *r)
{
	(void)ctx;
	seen.twice |= r->seq <= seen.last;
	seen.last = r->seq;
	seen.count++;
	return 0;
}

static void see_bad(void *ctx, uint64_t seq, const char *why)
{
	(void)ctx;
	(void)seq;
	(void)why;
	seen.bad++;
}

static unsigned open_files(void)
{
	unsigned n = 0;

	for (int fd = 3; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static int read_log(unsigned threads, uint32_t journal)
{
	const struct fs_log_reading q = {
		.dir = dir,
		.vault = vault,
		.box_pk = reader[0].box_pk,
		.box_sk = reader_sk[0],
		.fn = see,
		.bad = see_bad,
		.threads = threads,
		.journals = &journal,
		.journal_count = journal != 0,
	};

	memset(&seen, 0, sizeof(seen));
	return fs_log_read_as(&q);
}

/* The number of allocations that were tried. */
static unsigned every_failure(unsigned threads, uint32_t journal)
{
	unsigned whole, files = open_files(), n = 0;
	bool failed;

	ck_assert_int_eq(read_log(threads, journal), 0);
	whole = seen.count;
	ck_assert_uint_gt(whole, 100);
	do {
		int rc;

		ck_assert_uint_lt(++n, TRIES);
		memory_fail(n);
		rc = read_log(threads, journal);
		failed = memory_stop();
		ck_assert(rc == 0 || (rc == -ENOMEM && failed));
		ck_assert_msg(!seen.twice && !seen.bad, "allocation %u: %s", n,
			      seen.bad ? "damage" : "twice");
		ck_assert_msg(rc || seen.count == whole, "allocation %u: %u of %u", n, seen.count,
			      whole);
		ck_assert_uint_eq(open_files(), files);
	} while (failed);
	return n;
}

START_TEST(reading_by_index_with_memory_short_tells_all_or_fails)
{
	session(3 * MANY);
	for (unsigned threads = 0; threads < 4; threads += 3)
		ck_assert_uint_gt(every_failure(threads, 3), 20);
}
END_TEST

START_TEST(reading_all_with_memory_short_tells_all_or_fails)
{
	session(3 * MANY);
	for (unsigned threads = 0; threads < 4; threads += 3)
		ck_assert_uint_gt(every_failure(threads, 0), 10);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("fs/log memory");
	TCase *tc = tcase_create("all");
	SRunner *r;
	int failed;

	tcase_set_timeout(tc, 300);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, reading_by_index_with_memory_short_tells_all_or_fails);
	tcase_add_test(tc, reading_all_with_memory_short_tells_all_or_fails);
	suite_add_tcase(s, tc);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
