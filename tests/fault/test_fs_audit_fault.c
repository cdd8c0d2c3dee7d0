/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/fault/test_fs_audit_fault.c - no record, nothing for the auditor: when the log can't be
 * written, no record, key, policy or segment is given out and no refusal is answered as if it stood
 * in the log.
 */
#include "inject.h"

#include "../unit/test_fs_vault.h"

#define SEGMENT ".seg"

static unsigned given;

static int give_record(void *ctx, const struct policy_record *r)
{
	(void)ctx;
	(void)r;
	given++;
	return 0;
}

static int give_key(void *ctx, const struct fs_audit_key *k)
{
	(void)ctx;
	(void)k;
	given++;
	return 0;
}

static int give_change(void *ctx, const struct policy_past_change *c)
{
	(void)ctx;
	(void)c;
	given++;
	return 0;
}

static int give_segment(void *ctx, const struct fs_audit_segment *s)
{
	(void)ctx;
	(void)s;
	given++;
	return 0;
}

static int take_records(struct fs_session *by)
{
	const struct fs_audit_query q = {.who = "", .journal = ""};

	return fs_vault_audit(t.v, by, &q, give_record, NULL, &t.say);
}

static int take_keys(struct fs_session *by)
{
	struct fs_audit_streams q = {0};
	int rc = fs_vault_audit_streams(t.v, by, &q, give_key, NULL, &t.say);

	free(q.daemon);
	return rc;
}

static int take_wraps(struct fs_session *by)
{
	static const uint8_t seal[KEYS_LEN];
	struct fs_audit_streams q = {.seal = seal};
	int rc = fs_vault_audit_streams(t.v, by, &q, give_key, NULL, &t.say);

	free(q.daemon);
	return rc;
}

static int take_policies(struct fs_session *by)
{
	struct fs_audit_result res = {0};

	return fs_vault_audit_policies(t.v, by, give_change, NULL, &res, &t.say);
}

static int take_segments(struct fs_session *by)
{
	uint64_t durable;

	return fs_vault_audit_segments(t.v, by, "", give_segment, NULL, &durable, &t.say);
}

static int sign_off(struct fs_session *by)
{
	return fs_vault_audit_sign_off(t.v, by, "all of it", "nothing", &t.say);
}

static int (*const ways[])(struct fs_session *by) = {take_records,  take_keys,	   take_wraps,
						     take_policies, take_segments, sign_off};
#define WAYS (int)(sizeof(ways) / sizeof(ways[0]))

static struct fs_session *dan, *lis, *anna;

static void set_up(void)
{
	t_setup();
	dan = t_clinic();
	t_enroll(dan, "lis", LIS);
	t_enroll(dan, "anna", ANNA);
	t_ticks();
	lis = t_login("lis", LIS);
	anna = t_login("anna", ANNA);
	ck_assert_int_eq(fs_group_sync(fs_records_group(t.v->records), 0), 0);
	ck_assert_int_eq(fs_log_wait(t.v->log, 0), 0);
	given = 0;
}

static void tear_down(void)
{
	inject_stop();
	fs_session_put(anna);
	fs_session_put(lis);
	fs_session_put(dan);
	/* A log that failed says so when it is closed. */
	if (t.v)
		(void)fs_vault_close(t.v);
	t.v = NULL;
	t_teardown();
}

START_TEST(with_a_log_that_works_each_way_gives)
{
	ck_assert_int_eq(ways[_i](lis), 0);
	ck_assert(given > 0 || ways[_i] == sign_off);
}
END_TEST

START_TEST(without_its_record_nothing_is_given)
{
	inject_fail_file(SEGMENT, 1000000, EIO);
	ck_assert_int_eq(ways[_i](lis), -EIO);
	ck_assert(inject_stop());
	ck_assert_uint_eq(given, 0);
	/* It stays failed. */
	for (int i = 0; i < WAYS; i++)
		ck_assert_int_eq(ways[i](lis), -EIO);
	ck_assert_uint_eq(given, 0);
}
END_TEST

START_TEST(refusal_that_cannot_be_logged_is_said_so)
{
	inject_fail_file(SEGMENT, 1000000, EIO);
	ck_assert_int_eq(ways[_i](anna), -EIO);
	ck_assert(inject_stop());
	ck_assert_uint_eq(given, 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("fs/audit faults");
	TCase *tc = tcase_create("faults");

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, with_a_log_that_works_each_way_gives, 0, WAYS);
	tcase_add_loop_test(tc, without_its_record_nothing_is_given, 0, WAYS);
	tcase_add_loop_test(tc, refusal_that_cannot_be_logged_is_said_so, 0, WAYS);
	suite_add_tcase(s, tc);
	return t_run(s);
}
