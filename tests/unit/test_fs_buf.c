/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/test_fs_buf.c - buffers in slabs, and the thread that helps with chunks. */
#include <check.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fs/buf.h"
#include "fs/chunk_help.h"

#define MANY 2000u

START_TEST(buffers_of_a_page_never_overlap)
{
	static struct fs_buf *buf[MANY];
	unsigned seed = 1;

	for (unsigned round = 0; round < 20000; round++) {
		unsigned i = (seed = seed * 1103515245u + 12345u) / 65536 % MANY;

		if (buf[i]) {
			for (unsigned k = 0; k < buf[i]->len; k += 97)
				ck_assert_uint_eq(buf[i]->data[k], (uint8_t)i);
			fs_buf_put(buf[i]);
			buf[i] = NULL;
		} else {
			buf[i] = fs_buf_raw(2000 + seed % 2097);
			ck_assert_ptr_nonnull(buf[i]);
			ck_assert_uint_ge(buf[i]->cap, buf[i]->len);
			memset(buf[i]->data, (int)i, buf[i]->len);
		}
	}
	for (unsigned i = 0; i < MANY; i++)
		fs_buf_put(buf[i]);
}
END_TEST

START_TEST(buffer_made_anew_shows_nothing_of_the_last)
{
	struct fs_buf *many[64];
	struct fs_buf_gone gone = {.n = 0};

	ck_assert_int_eq(fs_buf_raw_many(4096, many, 64), 0);
	for (unsigned i = 0; i < 64; i++) {
		memset(many[i]->data, 's', 4096);
		fs_buf_put_later(many[i], &gone);
	}
	fs_buf_flush(&gone);
	ck_assert_int_eq(fs_buf_raw_many(4096, many, 64), 0);
	for (unsigned i = 0; i < 64; i++) {
		ck_assert_ptr_null(memchr(many[i]->data, 's', 4096));
		fs_buf_put(many[i]);
	}
}
END_TEST

START_TEST(buffer_lives_until_its_last_reference)
{
	struct fs_buf *b = fs_buf_copy("text", 4);
	struct fs_buf_gone gone = {.n = 0};

	fs_buf_get(b);
	fs_buf_put_later(b, &gone);
	ck_assert_mem_eq(b->data, "text", 4);
	ck_assert_uint_eq(gone.n, 0);
	fs_buf_put(b);
}
END_TEST

/* ---- the helper ---- */

struct sum {
	struct fs_chunk_job job; /* first */
	unsigned times, slow;
};

static void add(struct fs_chunk_job *job)
{
	struct sum *s = (struct sum *)job;

	if (s->slow)
		usleep(s->slow);
	s->times++;
}

static void *give_many(void *arg)
{
	struct fs_chunk_help *h = arg;

	for (unsigned i = 0; i < 3000; i++) {
		struct sum s = {.job.run = add, .slow = i % 100 ? 0 : 200};

		fs_chunk_help_give(h, &s.job);
		if (i % 7 == 0)
			usleep(50); /* the helper has time to begin */
		fs_chunk_help_finish(h, &s.job);
		if (s.times != 1)
			return h;
	}
	return NULL;
}

START_TEST(every_job_runs_once_whoever_gives_it)
{
	struct fs_chunk_help *h;
	pthread_t th[3];
	void *bad;

	ck_assert_int_eq(fs_chunk_help_new(&h), 0);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(pthread_create(&th[i], NULL, give_many, h), 0);
	for (int i = 0; i < 3; i++) {
		pthread_join(th[i], &bad);
		ck_assert_ptr_null(bad);
	}
	fs_chunk_help_free(h);
}
END_TEST

START_TEST(helper_without_a_job_ends)
{
	struct fs_chunk_help *h;

	ck_assert_int_eq(fs_chunk_help_new(&h), 0);
	fs_chunk_help_free(h);
	fs_chunk_help_free(NULL);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("fs_buf");
	TCase *tc = tcase_create("buf");
	SRunner *sr;
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, buffers_of_a_page_never_overlap);
	tcase_add_test(tc, buffer_made_anew_shows_nothing_of_the_last);
	tcase_add_test(tc, buffer_lives_until_its_last_reference);
	tcase_add_test(tc, every_job_runs_once_whoever_gives_it);
	tcase_add_test(tc, helper_without_a_job_ends);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
