/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of fs/log_archive.c: statements about segments that were taken out of the log. What is read
 * was signed and follows what came before; every bit counts; none can be left out, put in, or
 * brought from elsewhere.
 */
#include "../../fs/log_archive.h"
#include "../../keys/recovery.h"
#include "../../keys/wrap.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static uint8_t vault[KEYS_VAULT_ID_LEN] = "a test vault id";
static uint8_t root_pk[KEYS_LEN], root_sk[KEYS_SIGN_SK_LEN], daemon_pk[KEYS_LEN];
static uint8_t daemon_sk[KEYS_SIGN_SK_LEN], cert[KEYS_SIG_LEN], by_pk[KEYS_LEN];
static uint8_t by_sk[KEYS_SIGN_SK_LEN], sums[8][KEYS_LEN];

static void setup(void)
{
	ck_assert_int_eq(keys_init(), 0);
	keys_sign_new(root_pk, root_sk);
	keys_sign_new(daemon_pk, daemon_sk);
	keys_sign_new(by_pk, by_sk);
	keys_daemon_certify(vault, daemon_pk, root_sk, cert);
	for (unsigned i = 0; i < 8; i++)
		memset(sums[i], (int)i + 1, KEYS_LEN);
}

/* Segments first to last with 10 records each. */
static struct fs_log_archived statement(uint64_t number, uint64_t first, uint64_t last)
{
	struct fs_log_archived a = {
		.what = FS_LOG_ARCHIVE_KEPT,
		.number = number,
		.first_segment = first,
		.last_segment = last,
		.first_seq = (first - 1) * 10 + 1,
		.last_seq = last * 10,
		.time_s = 2000000000,
		.newest_s = 1800000000,
		.keep_years = 5,
		.by = {.pid = 3, .enrolment = 1, .who = "dan"},
		.sha256 = sums[0],
	};
	uint8_t leaf[KEYS_LEN] = {0};

	keys_tree_init(&a.tree);
	for (uint64_t i = 0; i < a.last_seq; i++)
		keys_tree_add(&a.tree, leaf);
	memcpy(a.by_pk, by_pk, KEYS_LEN);
	memcpy(a.daemon_pk, daemon_pk, KEYS_LEN);
	memcpy(a.root_pk, root_pk, KEYS_LEN);
	memcpy(a.cert, cert, KEYS_SIG_LEN);
	return a;
}

static uint8_t *made(const struct fs_log_archived *a, size_t *len)
{
	uint8_t *p = NULL;

	ck_assert_int_eq(fs_log_archive_make(a, vault, by_sk, daemon_sk, &p, len), 0);
	return p;
}

/* Three statements about segments 1 to 2, 3, 4 to 7; p has room. */
static size_t three(uint8_t *p, size_t at[static 4])
{
	static const uint64_t last[] = {0, 2, 3, 7};
	struct fs_log_archive a = {0};
	size_t len = 0;

	for (unsigned i = 1; i < 4; i++) {
		struct fs_log_archived s = statement(i, last[i - 1] + 1, last[i]);
		size_t n;
		uint8_t *one;

		if (i == 2) {
			s.what = FS_LOG_ARCHIVE_REMOVED;
			s.agreed = (struct fs_log_archive_person){
				.pid = 4, .enrolment = 2, .who = "eva"};
		}
		if (a.n)
			memcpy(s.prev, fs_log_archive_end(&a)->hash, KEYS_LEN);
		one = made(&s, &n);
		memcpy(p + len, one, n);
		free(one);
		at[i - 1] = len;
		len += n;
		fs_log_archive_clear(&a);
		ck_assert_int_eq(fs_log_archive_read(p, len, vault, &a), 0);
		ck_assert_uint_eq(a.n, i);
	}
	at[3] = len;
	fs_log_archive_clear(&a);
	return len;
}

START_TEST(statements_read_as_they_were_made)
{
	static uint8_t p[8192];
	struct fs_log_archive a;
	size_t at[4], len = three(p, at);
	const struct fs_log_archived *s;

	ck_assert_int_eq(fs_log_archive_read(p, len, vault, &a), 0);
	s = fs_log_archive_segment(&a, 3);
	ck_assert_ptr_eq(s, &a.statement[1]);
	ck_assert_int_eq(s->what, FS_LOG_ARCHIVE_REMOVED);
	ck_assert_str_eq(s->by.who, "dan");
	ck_assert_str_eq(s->agreed.who, "eva");
	ck_assert_uint_eq(s->agreed.pid, 4);
	ck_assert_uint_eq(s->newest_s, 1800000000);
	ck_assert_uint_eq(s->tree.size, 30);
	ck_assert_mem_eq(s->sha256, sums[0], KEYS_LEN);
	ck_assert_ptr_eq(fs_log_archive_record(&a, 31), &a.statement[2]);
	ck_assert_ptr_eq(fs_log_archive_record(&a, 70), &a.statement[2]);
	ck_assert_ptr_null(fs_log_archive_record(&a, 71));
	ck_assert_ptr_null(fs_log_archive_segment(&a, 8));
	ck_assert_ptr_null(fs_log_archive_segment(&a, 0));
	ck_assert_ptr_eq(fs_log_archive_end(&a), &a.statement[2]);
	fs_log_archive_clear(&a);
	ck_assert_int_eq(fs_log_archive_read(p, len, NULL, &a), 0);
	fs_log_archive_clear(&a);
}
END_TEST

START_TEST(every_bit_and_every_byte_counts)
{
	static uint8_t p[8192];
	struct fs_log_archive a;
	size_t at[4], len = three(p, at);

	for (size_t i = 0; i < len; i++) {
		p[i] ^= 0x04;
		ck_assert_int_eq(fs_log_archive_read(p, len, vault, &a), -EBADMSG);
		p[i] ^= 0x04;
	}
	for (size_t i = 0; i < len; i++) {
		if (i == at[1] || i == at[2])
			continue; /* what ends between two is a shorter file: nothing else tells */
		ck_assert_int_eq(fs_log_archive_read(p, i, vault, &a), -EBADMSG);
	}
	p[len] = 0;
	ck_assert_int_eq(fs_log_archive_read(p, len + 1, vault, &a), -EBADMSG);
	vault[0] ^= 1;
	ck_assert_int_eq(fs_log_archive_read(p, len, vault, &a), -EBADMSG);
	vault[0] ^= 1;
}
END_TEST

START_TEST(statement_left_out_swapped_or_twice_is_refused)
{
	static uint8_t p[8192], q[8192];
	struct fs_log_archive a;
	size_t at[4], one, two, len = three(p, at);

	one = at[1];
	two = at[2] - at[1];
	memcpy(q, p, one); /* without the second */
	memcpy(q + one, p + at[2], len - at[2]);
	ck_assert_int_eq(fs_log_archive_read(q, len - two, vault, &a), -EBADMSG);
	ck_assert_int_eq(fs_log_archive_read(p + at[1], len - one, vault, &a), -EBADMSG);
	memcpy(q, p + at[1], two); /* the second first */
	memcpy(q + two, p, one);
	ck_assert_int_eq(fs_log_archive_read(q, one + two, vault, &a), -EBADMSG);
	memcpy(q, p, one);
	memcpy(q + one, p, one);
	ck_assert_int_eq(fs_log_archive_read(q, 2 * one, vault, &a), -EBADMSG);
}
END_TEST

START_TEST(forged_statement_is_refused)
{
	uint8_t pk[KEYS_LEN], sk[KEYS_SIGN_SK_LEN], *p = NULL;
	struct fs_log_archived s = statement(1, 1, 2);
	struct fs_log_archive a;
	size_t len;

	keys_sign_new(pk, sk);
	/* By somebody who is not the daemon that the certificate names, */
	ck_assert_int_eq(fs_log_archive_make(&s, vault, by_sk, sk, &p, &len), 0);
	ck_assert_int_eq(fs_log_archive_read(p, len, vault, &a), -EBADMSG);
	free(p);
	/* by a daemon alone, */
	ck_assert_int_eq(fs_log_archive_make(&s, vault, sk, daemon_sk, &p, &len), 0);
	ck_assert_int_eq(fs_log_archive_read(p, len, vault, &a), -EBADMSG);
	free(p);
	/* with a daemon's key that the root never certified, */
	memcpy(s.daemon_pk, pk, KEYS_LEN);
	ck_assert_int_eq(fs_log_archive_make(&s, vault, by_sk, sk, &p, &len), 0);
	ck_assert_int_eq(fs_log_archive_read(p, len, vault, &a), -EBADMSG);
	free(p);
	/* and what can't be true. */
	s = statement(1, 1, 2);
	s.last_seq++;
	ck_assert_int_eq(fs_log_archive_make(&s, vault, by_sk, daemon_sk, &p, &len), -EINVAL);
	s = statement(1, 3, 2);
	ck_assert_int_eq(fs_log_archive_make(&s, vault, by_sk, daemon_sk, &p, &len), -EINVAL);
	s = statement(1, 1, 2);
	s.by.pid = 0;
	ck_assert_int_eq(fs_log_archive_make(&s, vault, by_sk, daemon_sk, &p, &len), -EINVAL);
}
END_TEST

START_TEST(file_grows_by_whole_statements)
{
	char dir[] = "/tmp/journalfs-archive-XXXXXX", path[64];
	struct fs_log_archived s = statement(1, 1, 2);
	struct fs_log_archive a;
	struct stat st;
	uint8_t *p;
	size_t len;
	int fd;

	ck_assert_ptr_nonnull(mkdtemp(dir));
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ck_assert_int_eq(fs_log_archive_load(fd, vault, &a), 0);
	ck_assert_uint_eq(a.n, 0);
	ck_assert_ptr_null(fs_log_archive_end(&a));
	p = made(&s, &len);
	ck_assert_uint_eq(len, 416 + 2 + 3 + 2 + 2 * 32 + 2 * 32 + 128);
	ck_assert_int_eq(fs_log_archive_append(fd, &a, p, len), 0);
	free(p);
	ck_assert_int_eq(fs_log_archive_load(fd, vault, &a), 0);
	ck_assert_uint_eq(a.n, 1);
	s = statement(2, 3, 4);
	memcpy(s.prev, fs_log_archive_end(&a)->hash, KEYS_LEN);
	p = made(&s, &len);
	ck_assert_int_eq(fs_log_archive_append(fd, &a, p, len), 0);
	free(p);
	fs_log_archive_clear(&a);
	ck_assert_int_eq(fs_log_archive_load(fd, vault, &a), 0);
	ck_assert_uint_eq(a.n, 2);
	ck_assert_uint_eq(fs_log_archive_end(&a)->last_segment, 4);
	fs_log_archive_clear(&a);
	ck_assert_int_eq(fstatat(fd, "archive", &st, 0), 0);
	ck_assert_uint_eq(st.st_mode & 0777, 0600);
	close(fd);
	snprintf(path, sizeof(path), "%s/archive", dir);
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(rmdir(dir), 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("fs/log_archive");
	TCase *tc = tcase_create("all");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, statements_read_as_they_were_made);
	tcase_add_test(tc, every_bit_and_every_byte_counts);
	tcase_add_test(tc, statement_left_out_swapped_or_twice_is_refused);
	tcase_add_test(tc, forged_statement_is_refused);
	tcase_add_test(tc, file_grows_by_whole_statements);
	suite_add_tcase(s, tc);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
