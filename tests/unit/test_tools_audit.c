/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/test_tools_audit.c - the policies beside a copied log, and the checkpoint that a
 * client keeps.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "keys/bytes.h"
#include "keys/slab.h"
#include "tools/audit_key_file.h"
#include "tools/audit_policies.h"
#include "tools/audit_source.h"
#include "tools/kept.h"

/* In place of main.c's, which is not linked. */
int tools_fail(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
	return TOOL_FAILED;
}

int tools_usage(const char *fmt, ...)
{
	(void)fmt;
	return TOOL_USAGE;
}

static char home[] = "/tmp/jf-tools-audit-XXXXXX";
static uint8_t vault[KEYS_VAULT_ID_LEN] = "sixteen bytes..", other[KEYS_VAULT_ID_LEN] = "other";

static void setup(void)
{
	ck_assert_int_eq(keys_init(), 0);
	strcpy(home + sizeof(home) - 7, "XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(home));
	setenv("XDG_STATE_HOME", home, 1);
}

static void teardown(void)
{
	char cmd[100];

	snprintf(cmd, sizeof(cmd), "rm -rf '%s'", home);
	ck_assert_int_eq(system(cmd), 0);
}

/* ---- policies ---- */

struct made {
	uint8_t *p;
	size_t len;
	struct keys_audit_key k;
};

static void make(struct made *m, unsigned streams, unsigned changes)
{
	struct audit_policies pol;

	memset(m, 0, sizeof(*m));
	memcpy(m->k.vault, vault, sizeof(vault));
	m->k.stream = keys_guard_new((streams + 1) * sizeof(*m->k.stream));
	m->k.streams = streams;
	tools_audit_policies_init(&pol, vault);
	for (unsigned i = 0; i < streams; i++) {
		uint8_t wrap[KEYS_AUDIT_WRAP_LEN];

		keys_random(m->k.stream[i].stream, KEYS_STREAM_ID_LEN);
		keys_random(m->k.stream[i].k0, KEYS_LEN);
		keys_audit_wrap(m->k.stream[i].k0, vault, m->k.stream[i].stream, pol.key, wrap);
		ck_assert_int_eq(tools_audit_policies_wrap(&pol, m->k.stream[i].stream, wrap), 0);
	}
	for (unsigned i = 1; i <= changes; i++) {
		const struct policy_past_change c = {
			.version = i, .text = "practice \"secret\"", .len = 17};
		uint8_t *frame = NULL;
		size_t n = 0;

		ck_assert_int_eq(fs_audit_change_encode(&c, &frame, &n), 0);
		ck_assert_int_eq(tools_audit_policies_add(&pol, frame + 4, n - 4), 0);
		free(frame);
	}
	ck_assert_int_eq(tools_audit_policies_seal(&pol, &m->p, &m->len), 0);
	tools_audit_policies_clear(&pol);
}

static void drop(struct made *m)
{
	free(m->p);
	keys_audit_key_clear(&m->k);
}

static int count(void *ctx, const struct policy_past_change *c)
{
	unsigned *n = ctx;

	ck_assert_uint_eq(c->version, *n + 1);
	ck_assert_str_eq(c->text, "practice \"secret\"");
	++*n;
	return 0;
}

static int opened(const struct made *m, const struct keys_audit_key *k, unsigned *n)
{
	*n = 0;
	return tools_audit_policies_open(m->p, m->len, k, count, n);
}

START_TEST(policies_open_with_any_stream_of_the_log)
{
	struct keys_audit_key one;
	struct made m;
	unsigned n;

	make(&m, 5, 2000);
	ck_assert_ptr_null(memmem(m.p, m.len, "secret", 6));
	ck_assert_int_eq(opened(&m, &m.k, &n), 0);
	ck_assert_uint_eq(n, 2000);
	for (unsigned i = 0; i < 5; i++) {
		one = m.k;
		one.stream = &m.k.stream[i];
		one.streams = 1;
		ck_assert_int_eq(opened(&m, &one, &n), 0);
		ck_assert_uint_eq(n, 2000);
	}
	one.streams = 0;
	ck_assert_int_eq(opened(&m, &one, &n), -EACCES);
	one = m.k;
	memcpy(one.vault, other, sizeof(other));
	ck_assert_int_eq(opened(&m, &one, &n), -EXDEV);
	drop(&m);
}
END_TEST

START_TEST(damage_at_each_byte_of_policies_is_told)
{
	struct made m;
	unsigned n;
	size_t len;

	make(&m, 2, 3);
	for (size_t i = 0; i < m.len; i++) {
		int rc;

		m.p[i] ^= 4;
		rc = opened(&m, &m.k, &n);
		ck_assert_int_lt(rc, 0);
		ck_assert_uint_eq(n, 0);
		m.p[i] ^= 4;
	}
	for (len = m.len; m.len-- > 0;)
		ck_assert_int_lt(opened(&m, &m.k, &n), 0);
	m.len = len;
	ck_assert_int_eq(opened(&m, &m.k, &n), 0);
	ck_assert_uint_eq(n, 3);
	drop(&m);
}
END_TEST

/* Who changes the file makes the checksum fit. */
START_TEST(forged_policies_do_not_open)
{
	struct made m;
	unsigned n;

	make(&m, 1, 3);
	for (size_t i = 12; i < m.len - KEYS_LEN; i++) {
		struct keys_span body = {m.p, m.len - KEYS_LEN};

		m.p[i] ^= 4;
		keys_sha256(&body, 1, m.p + m.len - KEYS_LEN);
		ck_assert_int_lt(opened(&m, &m.k, &n), 0);
		ck_assert_uint_eq(n, 0);
		m.p[i] ^= 4;
	}
	drop(&m);
}
END_TEST

/* ---- the kept checkpoint ---- */

static void checkpoint(uint64_t size, uint8_t root, uint64_t commit,
		       char out[static KEYS_CHECKPOINT_MAX])
{
	static const uint8_t daemon_sk[KEYS_SIGN_SK_LEN] = {1};
	struct keys_checkpoint c = {.size = size,
				    .commit = commit,
				    .time_s = 1700000000,
				    .mark = KEYS_CHECKPOINT_RUNNING};
	uint8_t pk[KEYS_LEN], sk[KEYS_SIGN_SK_LEN];

	memcpy(c.vault, vault, sizeof(vault));
	memset(c.root, root, sizeof(c.root));
	keys_checkpoint_witness(daemon_sk, pk, sk);
	ck_assert_uint_gt(keys_checkpoint_make(&c, sk, sk, out), 0);
}

START_TEST(kept_checkpoint_comes_back_and_only_grows)
{
	char a[KEYS_CHECKPOINT_MAX], b[KEYS_CHECKPOINT_MAX], got[KEYS_CHECKPOINT_MAX];

	checkpoint(10, 1, 5, a);
	checkpoint(20, 2, 6, b);
	ck_assert_int_eq(tools_kept_read(vault, got), -ENOENT);
	ck_assert_int_eq(tools_kept_write(vault, b, false), 0);
	ck_assert_int_eq(tools_kept_read(vault, got), 0);
	ck_assert_str_eq(got, b);
	ck_assert_int_eq(tools_kept_write(vault, a, false), 0);
	ck_assert_int_eq(tools_kept_read(vault, got), 0);
	ck_assert_str_eq(got, b);
	ck_assert_int_eq(tools_kept_write(vault, a, true), 0);
	ck_assert_int_eq(tools_kept_read(vault, got), 0);
	ck_assert_str_eq(got, a);
	ck_assert_int_eq(tools_kept_read(other, got), -ENOENT);
	ck_assert_int_eq(tools_kept_write(other, a, false), -EBADMSG);
	ck_assert_int_eq(tools_kept_write(vault, "no note", false), -EBADMSG);
}
END_TEST

START_TEST(what_contradicts_the_kept_one_is_named)
{
	char a[KEYS_CHECKPOINT_MAX], b[KEYS_CHECKPOINT_MAX];

	checkpoint(10, 1, 5, a);
	ck_assert_int_eq(tools_kept_compare(vault, a, a), TOOLS_KEPT_SAME);
	checkpoint(11, 9, 5, b);
	ck_assert_int_eq(tools_kept_compare(vault, a, b), TOOLS_KEPT_GROWN);
	checkpoint(9, 1, 5, b);
	ck_assert_int_eq(tools_kept_compare(vault, a, b), TOOLS_KEPT_SMALLER);
	checkpoint(10, 2, 5, b);
	ck_assert_int_eq(tools_kept_compare(vault, a, b), TOOLS_KEPT_FORKED);
	checkpoint(12, 1, 4, b);
	ck_assert_int_eq(tools_kept_compare(vault, a, b), TOOLS_KEPT_BEHIND);
	ck_assert_int_eq(tools_kept_compare(other, a, b), TOOLS_KEPT_BAD);
	ck_assert_int_eq(tools_kept_compare(vault, a, "rubbish"), TOOLS_KEPT_BAD);
}
END_TEST

START_TEST(damaged_kept_file_is_told)
{
	char a[KEYS_CHECKPOINT_MAX], got[KEYS_CHECKPOINT_MAX], path[PATH_MAX];
	struct stat st;
	FILE *f;

	checkpoint(10, 1, 5, a);
	ck_assert_int_eq(tools_kept_write(vault, a, false), 0);
	ck_assert_int_eq(tools_kept_path(vault, path, sizeof(path)), 0);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 0777, 0600);
	f = fopen(path, "w");
	ck_assert_ptr_nonnull(f);
	for (int i = 0; i < 3000; i++)
		fputc('x', f);
	fclose(f);
	ck_assert_int_eq(tools_kept_read(vault, got), -EBADMSG);
	/* What is damaged is replaced. */
	ck_assert_int_eq(tools_kept_write(vault, a, false), 0);
	ck_assert_int_eq(tools_kept_read(vault, got), 0);
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(symlink("/etc/passwd", path), 0);
	ck_assert_int_lt(tools_kept_read(vault, got), 0);
}
END_TEST

/* ---- what is asked for ---- */

START_TEST(no_time_that_can_be_typed_hides_records)
{
	static const struct {
		const char *since, *until;
		int64_t since_ns, until_ns; /* -1: anything above 2^62 */
	} of[] = {
		{"1960-01-01", NULL, 0, 0},
		{NULL, "2262-05-01", 0, 0},
		{NULL, "2600-01-01", 0, 0},
		{NULL, "9999-12-31", 0, 0},
		{"2300-01-01", NULL, -1, 0},
		{"2555-01-01", NULL, -1, 0},
		{"9999-12-31", NULL, -1, 0},
		{"1960-01-01", "9999-12-31", 0, 0},
		{NULL, "1970-01-01T00:01Z", 0, INT64_C(60000000000)},
	};
	static const char *const never[] = {"1960-01-01", "1970-01-01T00:00Z", "1969-12-31T23:59Z"};
	struct audit_filter f;

	for (size_t i = 0; i < sizeof(of) / sizeof(of[0]); i++) {
		struct tool_options o = {.since = of[i].since, .until = of[i].until};

		ck_assert_int_eq(tools_audit_filter(&o, &f), 0);
		if (of[i].since_ns < 0)
			ck_assert_int_gt(f.since_ns, INT64_MAX / 2);
		else
			ck_assert_int_eq(f.since_ns, of[i].since_ns);
		ck_assert_int_eq(f.until_ns, of[i].until_ns);
	}
	for (size_t i = 0; i < sizeof(never) / sizeof(never[0]); i++) {
		struct tool_options o = {.until = never[i]};

		ck_assert_int_eq(tools_audit_filter(&o, &f), TOOL_USAGE);
	}
}
END_TEST

/* Somebody else can have made any name that can be told before. */
START_TEST(written_file_was_nobodys_before)
{
	char path[PATH_MAX], planted[PATH_MAX + 8], text[8] = "";
	struct stat st;
	int fd;

	ck_assert_int_eq(tools_kept_path(vault, path, sizeof(path)), 0);
	snprintf(planted, sizeof(planted), "%s.new", path);
	fd = open(planted, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(fchmod(fd, 0666), 0);
	ck_assert_int_eq(tools_audit_file_write(path, (const uint8_t *)"secret", 6), 0);
	ck_assert_int_eq(pread(fd, text, sizeof(text), 0), 0);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0600);
	ck_assert_int_eq(st.st_size, 6);
	close(fd);
	ck_assert_int_eq(unlink(planted), 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("tools/audit");
	TCase *tc = tcase_create("all");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, policies_open_with_any_stream_of_the_log);
	tcase_add_test(tc, damage_at_each_byte_of_policies_is_told);
	tcase_add_test(tc, forged_policies_do_not_open);
	tcase_add_test(tc, kept_checkpoint_comes_back_and_only_grows);
	tcase_add_test(tc, what_contradicts_the_kept_one_is_named);
	tcase_add_test(tc, damaged_kept_file_is_told);
	tcase_add_test(tc, no_time_that_can_be_typed_hides_records);
	tcase_add_test(tc, written_file_was_nobodys_before);
	suite_add_tcase(s, tc);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
