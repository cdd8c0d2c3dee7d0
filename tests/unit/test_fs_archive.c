/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Old segments leave the access log: who may, what is old enough, what is told and stated first,
 * two stewards, and that an interrupted run is gone on with.
 */
#include "test_fs_archive.h"

/* ---- what may go ---- */

START_TEST(nothing_young_may_go)
{
	struct fs_session *dan;
	uint8_t digest[KEYS_LEN];
	struct fs_archive_plan p;

	skew_s = -YEARS(6);
	dan = t_clinic();
	fill_segment();
	fill_segment();
	skew_s = -YEARS(6) + 5 * 365 * 86400; /* a day and a half short of five years */
	t_logout(dan);
	dan = t_login("dan", DAN);
	p = plan_of(dan);
	ck_assert_uint_eq(p.last_segment, 0);
	ck_assert_uint_eq(p.keep_years, 5);
	digest_of(1, 1, digest);
	ck_assert_int_eq(archive(dan, 1, digest), -EPERM);
	ck_assert_int_eq(archive(dan, 1, NULL), -EPERM);
	ck_assert_ptr_nonnull(strstr(t.say.text, "kept 5 years"));
	ck_assert(there(1));
	ck_assert_uint_eq(read_log().refused, 2);
	t_logout(dan);
}
END_TEST

START_TEST(policys_term_holds)
{
	struct fs_session *dan = grown();
	char policy[T_POLICY_MAX];

	t_edit(policy, "session ceiling 12h\n", "session ceiling 12h\nlog keep 7y\n");
	t_put(dan, "practice", policy);
	ck_assert_uint_eq(plan_of(dan).last_segment, 0);
	ck_assert_uint_eq(plan_of(dan).keep_years, 7);
	ck_assert_int_eq(archive(dan, 1, NULL), -EPERM);
	ck_assert(there(1));
	t_logout(dan);
}
END_TEST

START_TEST(old_segments_are_told_stated_and_gone)
{
	struct fs_session *dan = grown();
	struct fs_archive_plan p = plan_of(dan);
	uint8_t digest[KEYS_LEN];
	struct fs_log_archive a;
	struct looked k;
	unsigned before;

	/* The second is as old, but the third goes on from it today. */
	ck_assert_uint_eq(p.first_segment, 1);
	ck_assert_uint_eq(p.last_segment, 2);
	ck_assert_uint_eq(p.first_seq, 1);
	ck_assert_uint_eq(p.bytes, 2 * FS_LOG_SEGMENT_BYTES);
	ck_assert_int_lt(p.newest_s, fs_vault_wall_s() - YEARS(5));
	digest_of(1, 2, digest);
	ck_assert_msg(archive(dan, 2, digest) == 0, "%s", t.say.text);
	ck_assert(!there(1) && !there(2) && there(3));
	a = statements();
	ck_assert_uint_eq(a.n, 1);
	ck_assert_uint_eq(a.statement[0].last_seq, p.last_seq);
	ck_assert_str_eq(a.statement[0].by.who, "dan");
	ck_assert_uint_eq(a.statement[0].agreed.pid, 0);
	ck_assert_mem_eq(a.statement[0].root_pk, t.v->header.root_pk, KEYS_LEN);
	fs_log_archive_clear(&a);
	k = read_log();
	ck_assert_uint_eq(k.archives, 1);
	ck_assert_ptr_nonnull(strstr(k.detail, "segments 1 to 2"));
	ck_assert_ptr_nonnull(strstr(k.detail, "are archived: statement 1"));
	ck_assert_uint_eq(k.first, p.last_seq + 1);
	/* It goes on, also over a restart. */
	t_logout(dan);
	t_close();
	before = t.alarms;
	t_open();
	dan = t_login("dan", DAN);
	ck_assert_uint_eq(plan_of(dan).last_segment, 0);
	ck_assert_msg(t.alarms == before, "%s", t.alarm);
	t_logout(dan);
}
END_TEST

START_TEST(readers_miss_nothing_that_was_archived)
{
	struct fs_session *dan = grown();
	struct looked k;

	ck_assert_int_eq(archive(dan, 1, NULL), 0);
	k = read_log();
	ck_assert_msg(!k.bad, "%s", k.why);
	ck_assert_uint_gt(k.first, 1);
	t_logout(dan);
}
END_TEST

static void no_finding(void *ctx, const struct fs_log_finding *f)
{
	struct looked *k = ctx;

	k->bad += f->kind < FS_LOG_NOTES;
	k->archives += f->kind == FS_LOG_ARCHIVED;
	if (f->kind < FS_LOG_NOTES)
		snprintf(k->why, sizeof(k->why), "%s: %s", fs_log_finding_text(f->kind), f->text);
}

START_TEST(what_is_left_verifies)
{
	struct fs_session *dan = grown();
	struct fs_log_source source;
	struct fs_log_verified done;
	struct looked k = {0};
	struct fs_log_verifying q = {
		.source = &source,
		.vault = t.v->header.vault,
		.root_pk = t.v->header.root_pk,
		.finding = no_finding,
		.ctx = &k,
	};
	char dir[160];

	ck_assert_int_eq(archive(dan, 1, NULL), 0);
	ck_assert_int_eq(archive(dan, 2, NULL), 0);
	ck_assert_int_eq(fs_vault_remember(t.v), 0);
	ck_assert_int_eq(fs_log_wait(t.v->log, 0), 0);
	snprintf(dir, sizeof(dir), "%s/log", t.vault);
	ck_assert_int_eq(fs_log_source_dir(dir, &source), 0);
	ck_assert_int_eq(fs_log_verify(&q, &done), 0);
	ck_assert_msg(!k.bad && !done.alarms, "%s", k.why);
	ck_assert_uint_ge(k.archives, 1);
	fs_log_source_close(&source);
	t_logout(dan);
}
END_TEST

START_TEST(copies_that_differ_take_nothing)
{
	struct fs_session *dan = grown();
	uint8_t digest[KEYS_LEN];

	digest_of(1, 2, digest);
	digest[5] ^= 1;
	ck_assert_int_eq(archive(dan, 2, digest), -EBADMSG);
	ck_assert_ptr_nonnull(strstr(t.say.text, "not what the log holds"));
	ck_assert(there(1) && there(2));
	ck_assert_uint_eq(statements().n, 0);
	ck_assert_uint_eq(read_log().archives, 0);
	t_logout(dan);
}
END_TEST

START_TEST(only_who_may_policy_may_archive)
{
	struct fs_session *dan = grown(), *lis = t_login("lis", LIS);
	struct fs_archive_plan p;

	ck_assert_int_eq(fs_vault_archive_plan(t.v, lis, 0, &p, &t.say), -EACCES);
	ck_assert_int_eq(archive(lis, 1, NULL), -EACCES);
	ck_assert(there(1));
	ck_assert_uint_eq(read_log().refused, 2);
	t_logout(lis);
	t_logout(dan);
}
END_TEST

/* ---- two stewards ---- */

static struct fs_session *with_rut(struct fs_session *dan)
{
	char policy[T_POLICY_MAX];

	t_edit(policy, "practitioner anna",
	       "practitioner rut user rut role steward\npractitioner anna");
	t_put(dan, "practice", policy);
	t_enroll(dan, "rut", RUT);
	return t_login("rut", RUT);
}

static int approve(struct fs_session *by, uint32_t number)
{
	char code[KEYS_CODE_TEXT_MAX], *report = NULL;
	int rc;

	t.say.text[0] = '\0';
	rc = fs_vault_proposal_approve(t.v, by, number, code, &report, &t.say);
	free(report);
	return rc;
}

static uint32_t proposal(struct fs_session *by, char **text)
{
	uint32_t number;

	ck_assert_int_eq(fs_vault_proposals(t.v, by, text, &t.say), 0);
	number = (uint32_t)strtoul(*text, NULL, 10);
	return number;
}

START_TEST(second_steward_agrees_before_anything_goes)
{
	struct fs_session *dan = grown(), *rut = with_rut(dan);
	uint8_t digest[KEYS_LEN];
	struct fs_log_archive a;
	char *text = NULL;
	uint32_t number;

	digest_of(1, 2, digest);
	ck_assert_int_eq(archive(dan, 2, digest), -EINPROGRESS);
	ck_assert(there(1) && there(2));
	ck_assert_uint_eq(read_log().archives, 0);
	number = proposal(rut, &text);
	ck_assert_ptr_nonnull(strstr(text, "segments to 2 are to be archived"));
	free(text);
	ck_assert_int_eq(fs_vault_proposal_diff(t.v, rut, number, &text, &t.say), 0);
	ck_assert_ptr_nonnull(strstr(text, "dan wants"));
	free(text);
	ck_assert_int_eq(approve(dan, number), -EPERM);
	ck_assert(there(1));
	ck_assert_msg(approve(rut, number) == 0, "%s", t.say.text);
	ck_assert(!there(1) && !there(2) && there(3));
	a = statements();
	ck_assert_uint_eq(a.n, 1);
	ck_assert_int_eq(a.statement[0].what, FS_LOG_ARCHIVE_KEPT);
	ck_assert_str_eq(a.statement[0].by.who, "rut");
	ck_assert_str_eq(a.statement[0].agreed.who, "dan");
	fs_log_archive_clear(&a);
	ck_assert_ptr_nonnull(strstr(read_log().detail, "as proposed by dan"));
	number = proposal(rut, &text);
	ck_assert_str_eq(text, "");
	free(text);
	t_logout(rut);
	t_logout(dan);
}
END_TEST

START_TEST(what_changed_since_it_was_proposed_stays)
{
	struct fs_session *dan = grown(), *rut = with_rut(dan);
	char *text = NULL;
	uint32_t number;
	int fd;

	ck_assert_int_eq(archive(dan, 2, NULL), -EINPROGRESS);
	fd = log_dir();
	{
		int seg = openat(fd, "00000001.seg", O_WRONLY | O_CLOEXEC);

		ck_assert_int_eq(pwrite(seg, "x", 1, 1 << 20), 1);
		close(seg);
	}
	close(fd);
	number = proposal(rut, &text);
	free(text);
	ck_assert_int_eq(approve(rut, number), -ESTALE);
	ck_assert(there(1) && there(2));
	ck_assert_uint_eq(read_log().archives, 0);
	ck_assert_int_eq(fs_vault_proposal_reject(t.v, rut, number, &t.say), 0);
	t_logout(rut);
	t_logout(dan);
}
END_TEST

/* ---- interrupted ---- */

static void run(const char *first, const char *between, const char *last)
{
	char cmd[512];

	snprintf(cmd, sizeof(cmd), "%s%s%s%s%s", first, t.vault, between, t.base, last);
	ck_assert_int_eq(system(cmd), 0);
}

START_TEST(interrupted_run_is_gone_on_with)
{
	struct fs_session *dan = grown();

	/* Stated, and killed before the files went. */
	run("cp -a ", "/log ", "");
	ck_assert_int_eq(archive(dan, 2, NULL), 0);
	run("cd ", "/log && cp -a ", "/log/00000001.seg .");
	ck_assert_uint_eq(plan_of(dan).left, 1);
	ck_assert_uint_eq(plan_of(dan).last_segment, 0);
	ck_assert_int_eq(archive(dan, 0, NULL), 0);
	ck_assert(!there(1));
	ck_assert_uint_eq(plan_of(dan).left, 0);
	ck_assert_uint_eq(read_log().archives, 1); /* told once */
	t_logout(dan);
}
END_TEST

START_TEST(changed_statements_are_an_alarm_and_nothing_goes)
{
	struct fs_session *dan = grown();
	int fd;

	ck_assert_int_eq(archive(dan, 1, NULL), 0);
	run("printf x | dd of=", "/log/archive bs=1 seek=90 conv=notrunc 2>", "/dd");
	ck_assert_int_eq(archive(dan, 2, NULL), -EBADMSG);
	ck_assert_ptr_nonnull(strstr(t.say.text, "log/archive"));
	ck_assert(there(2));
	ck_assert_uint_ge(t.alarms, 1);
	fd = log_dir();
	ck_assert_int_eq(unlinkat(fd, "archive", 0), 0);
	close(fd);
	/* Without them segment 1 is missing, and so nothing behind it goes. */
	ck_assert_int_lt(archive(dan, 2, NULL), 0);
	ck_assert(there(2));
	t_logout(dan);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("fs/archive");
	TCase *tc = tcase_create("all");

	tcase_add_checked_fixture(tc, set_up, t_teardown);
	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, nothing_young_may_go);
	tcase_add_test(tc, policys_term_holds);
	tcase_add_test(tc, old_segments_are_told_stated_and_gone);
	tcase_add_test(tc, readers_miss_nothing_that_was_archived);
	tcase_add_test(tc, what_is_left_verifies);
	tcase_add_test(tc, copies_that_differ_take_nothing);
	tcase_add_test(tc, only_who_may_policy_may_archive);
	tcase_add_test(tc, second_steward_agrees_before_anything_goes);
	tcase_add_test(tc, what_changed_since_it_was_proposed_stays);
	tcase_add_test(tc, interrupted_run_is_gone_on_with);
	tcase_add_test(tc, changed_statements_are_an_alarm_and_nothing_goes);
	suite_add_tcase(s, tc);
	return t_run(s);
}
