/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/test_fs_archive.h - a vault whose log has two segments from six years ago and one from
 * today.
 *
 * clock_gettime is defined here, before the C library's: years pass at once.
 */
#ifndef TEST_FS_ARCHIVE_H
#define TEST_FS_ARCHIVE_H

#include <sys/syscall.h>

#include "../../fs/archive.h"
#include "../../fs/log_age.h"
#include "../../fs/log_segment.h"
#include "../../fs/log_verify.h"
#include "../../keys/seal.h"
#include "test_fs_vault.h"

#define T_MAY __attribute__((unused))
#define YEARS(n) ((n)*INT64_C(31556952))

static int64_t skew_s;

int clock_gettime(clockid_t clock, struct timespec *out)
{
	int rc = (int)syscall(SYS_clock_gettime, clock, out);

	if (clock == CLOCK_REALTIME || clock == CLOCK_BOOTTIME)
		out->tv_sec += skew_s;
	return rc;
}

enum { RUT = 2101 };

T_MAY static void set_up(void)
{
	skew_s = 0;
	t_setup();
}

/* Records until another segment is begun. */
T_MAY static void fill_segment(void)
{
	struct fs_log_stat st;
	struct policy_record r;
	uint64_t before;

	fs_log_stat(t.v->log, &st);
	before = st.bytes / FS_LOG_SEGMENT_BYTES;
	while (st.bytes / FS_LOG_SEGMENT_BYTES == before) {
		for (int i = 0; i < 500; i++) {
			policy_record_init(&r, POLICY_RECORD_CLOSE);
			policy_record_copy(
				r.detail, sizeof(r.detail),
				"a line that is long enough to fill segments quickly: it holds "
				"what "
				"nobody will ever read, and says so at some length, which is all "
				"that "
				"it is for. It is sealed, padded and hashed like every other "
				"record, and "
				"its number is one more than that of the record before.");
			ck_assert_int_eq(fs_log_append(t.v->log, &r, NULL), 0);
		}
		ck_assert_int_eq(fs_log_wait(t.v->log, 0), 0);
		fs_log_stat(t.v->log, &st);
	}
}

/* Two full segments six years ago, a third that is written today. */
T_MAY static struct fs_session *grown(void)
{
	struct fs_session *dan;

	skew_s = -YEARS(6);
	dan = t_clinic();
	t_enroll(dan, "lis", LIS);
	fill_segment();
	fill_segment();
	ck_assert_int_eq(fs_vault_remember(t.v), 0);
	t_logout(dan);
	t_close();
	skew_s = 0;
	t_open();
	return t_login("dan", DAN);
}

T_MAY static int log_dir(void)
{
	char dir[160];
	int fd;

	snprintf(dir, sizeof(dir), "%s/log", t.vault);
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ck_assert_int_ge(fd, 0);
	return fd;
}

T_MAY static bool there(uint64_t number)
{
	char name[FS_LOG_NAME];
	int fd = log_dir();
	bool is;

	fs_log_segment_name(number, name);
	is = !faccessat(fd, name, F_OK, 0);
	close(fd);
	return is;
}

/* What copies would hash to. */
T_MAY static void digest_of(uint64_t first, uint64_t last, uint8_t digest[static KEYS_LEN])
{
	struct fs_log_archived a = {.first_segment = first, .last_segment = last};
	uint8_t *sums = NULL;
	int fd = log_dir();

	ck_assert_int_eq(fs_log_age_sums(fd, &a, &sums, digest), 0);
	free(sums);
	close(fd);
}

T_MAY static int archive(struct fs_session *by, uint64_t last, const uint8_t *digest)
{
	const struct fs_archive in = {
		.what = digest ? FS_LOG_ARCHIVE_KEPT : FS_LOG_ARCHIVE_REMOVED,
		.last_segment = last,
		.digest = digest,
	};
	uint64_t number;

	t.say.text[0] = '\0';
	return fs_vault_archive(t.v, by, &in, &number, &t.say);
}

T_MAY static struct fs_archive_plan plan_of(struct fs_session *by)
{
	struct fs_archive_plan p;
	int rc = fs_vault_archive_plan(t.v, by, 0, &p, &t.say);

	ck_assert_msg(!rc, "%d %s", rc, t.say.text);
	return p;
}

T_MAY static struct fs_log_archive statements(void)
{
	struct fs_log_archive a;
	int fd = log_dir();

	ck_assert_int_eq(fs_log_archive_load(fd, t.v->header.vault, &a), 0);
	close(fd);
	return a;
}

/* ---- reading ---- */

struct looked {
	unsigned archives, refused, bad;
	uint64_t first;
	char detail[1024], why[256];
};

T_MAY static int see(void *ctx, const struct policy_record *r)
{
	struct looked *k = ctx;

	if (!k->first)
		k->first = r->seq;
	k->archives += r->kind == POLICY_RECORD_ARCHIVE;
	k->refused += r->kind == POLICY_RECORD_REFUSED && strstr(r->detail, "archiving the log");
	if (r->kind == POLICY_RECORD_ARCHIVE)
		snprintf(k->detail, sizeof(k->detail), "%s", r->detail);
	return 0;
}

T_MAY static void see_bad(void *ctx, uint64_t seq, const char *why)
{
	struct looked *k = ctx;

	(void)seq;
	k->bad++;
	snprintf(k->why, sizeof(k->why), "%s", why);
}

T_MAY static struct looked read_log(void)
{
	uint8_t raw[KEYS_RECOVERY_LEN], pk[KEYS_LEN], sk[KEYS_LEN];
	struct looked k = {0};
	char dir[160];

	ck_assert_int_eq(fs_log_wait(t.v->log, 0), 0);
	ck_assert_int_eq(keys_recovery_parse(t.made.recovery, raw), 0);
	keys_recovery_box(t.v->header.vault, raw, pk, sk);
	snprintf(dir, sizeof(dir), "%s/log", t.vault);
	ck_assert_int_eq(fs_log_read(dir, t.v->header.vault, pk, sk, 0, see, see_bad, &k), 0);
	return k;
}

#endif
