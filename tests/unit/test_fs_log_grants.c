/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The log from before somebody became its reader: who opens it for him, and who
 * keeps nothing.
 */
#include "test_fs_vault.h"

static const struct fs_audit_query everything = {.who = "", .journal = ""};

/* Records of this kind as the auditor reads them; what he is told is in t.say. */
static unsigned audited(struct fs_session *by, uint8_t kind, const char *detail)
{
	struct t_counting c = {.kind = kind, .detail = detail};

	t.say.text[0] = '\0';
	ck_assert_msg(fs_vault_audit(t.v, by, &everything, t_count_one, &c, &t.say) == 0, "%s",
		      t.say.text);
	return c.n;
}

static int count_key(void *ctx, const struct fs_key *key, struct fs_buf *buf)
{
	unsigned *n = ctx;

	(void)buf;
	*n += key->len > 14; /* the mark has no stream */
	return 0;
}

static unsigned wraps_of(uint32_t pid)
{
	struct fs_key from = fs_key_n(0, 0, FS_T_LOG_WRAP, pid, 4);
	struct fs_key to = fs_key_n(0, 0, FS_T_LOG_WRAP, pid + 1, 4);
	unsigned n = 0;

	ck_assert_int_eq(fs_record_scan(fs_records_vault(t.v->records), &from, &to, count_key, &n),
			 0);
	return n;
}

/* A clinic whose auditor lis came after the first stretch, and some more stretches. */
static struct fs_session *clinic_with_lis(void)
{
	struct fs_session *dan = t_clinic();

	t_enroll(dan, "lis", LIS);
	t_ticks();
	for (int i = 0; i < 3; i++) {
		t_logout(dan);
		t_close();
		t_open();
		dan = t_login("dan", DAN);
	}
	return dan;
}

static void appoint_sue(struct fs_session *dan)
{
	char policy[T_POLICY_MAX];

	t_edit(policy, "sue role secretary unit north", "sue role auditor");
	t_put(dan, "practice", policy);
	t_enroll(dan, "sue", SUE);
	t_ticks();
}

START_TEST(recovered_auditor_reads_the_log_from_its_beginning)
{
	char code[KEYS_CODE_TEXT_MAX], cmd[200];
	uint8_t stretched[KEYS_LEN];
	struct fs_recover in = {
		.config = &t.cfg,
		.recovery = t.made.recovery,
		.who = "anna",
		.stretched = stretched,
		.salt = t_salt,
		.cost = &t_cost,
		.uid = ANNA,
	};
	struct fs_session *s = NULL;

	ck_assert_int_eq(t_init("anna", "anna", ANNA), 0);
	for (int i = 0; i < 3; i++) {
		t_open();
		t_logout(t_login("anna", ANNA));
		t_close();
	}
	snprintf(cmd, sizeof(cmd), "rm -rf '%s'", t.state);
	ck_assert_int_eq(system(cmd), 0);
	t_stretch("new", stretched);
	ck_assert_msg(fs_vault_recover(&in, code, &t.say) == 0, "%s", t.say.text);
	t_open();
	ck_assert_msg(t_try_login("", ANNA, "new", &s) == 0, "%s", t.say.text);
	ck_assert_uint_eq(audited(s, POLICY_RECORD_RECOVER, "anna"), 1);
	ck_assert_uint_eq(audited(s, POLICY_RECORD_LOGIN, NULL), 4);
	ck_assert_str_eq(t.say.text, "");
	/* One for the segment of before, one for that which the new daemon's key began. */
	ck_assert_uint_eq(audited(s, POLICY_RECORD_KEYS, "with the recovery key"), 2);
	t_logout(s);
	ck_assert_uint_eq(t.alarms, 1); /* that the recovery key was used */
}
END_TEST

START_TEST(first_auditor_is_told_of_what_he_cannot_open)
{
	struct fs_session *dan = clinic_with_lis(), *lis = t_login("lis", LIS);
	struct fs_vault_status status;

	t_ticks();
	ck_assert_uint_eq(audited(lis, POLICY_RECORD_LOGIN, NULL),
			  4); /* dan's first is not there */
	ck_assert_ptr_nonnull(strstr(t.say.text, "2 earlier stretches of the log wait"));
	ck_assert_uint_eq(wraps_of(lis->pid), 0);
	fs_vault_status(t.v, &status); /* nobody here could change that */
	ck_assert_uint_eq(status.grants_waiting, 0);
	t_logout(lis);
	t_logout(dan);
}
END_TEST

START_TEST(later_auditor_waits_for_another_and_then_reads_as_much)
{
	struct fs_session *dan = clinic_with_lis(), *lis, *sue;
	struct fs_vault_status status;
	unsigned seen, given, told;
	char *waiting;

	lis = t_login("lis", LIS);
	t_ticks();
	t_logout(lis);
	appoint_sue(dan);
	sue = t_login("sue", SUE);
	t_ticks();
	ck_assert_uint_eq(audited(sue, POLICY_RECORD_START, NULL), 0);
	ck_assert_ptr_nonnull(strstr(t.say.text, "earlier stretches of the log wait"));
	fs_vault_status(t.v, &status);
	ck_assert_uint_eq(status.grants_waiting, 1);
	waiting = fs_vault_waiting(t.v, dan);
	ck_assert_ptr_nonnull(strstr(waiting, "1 auditors wait"));
	free(waiting);
	lis = t_login("lis", LIS);
	t_ticks();
	fs_vault_status(t.v, &status);
	ck_assert_uint_eq(status.grants_waiting, 0);
	given = wraps_of(sue->pid);
	ck_assert_uint_ge(given, 4);
	/* A record for each turn in which some were given; one where the machine is quick. */
	told = t_logged(POLICY_RECORD_KEYS, "given to sue");
	ck_assert_uint_ge(told, 1);
	ck_assert_uint_le(told, given);
	seen = audited(lis, POLICY_RECORD_START, NULL);
	ck_assert_uint_eq(seen, 3);
	ck_assert_uint_eq(audited(sue, POLICY_RECORD_START, NULL), seen);
	ck_assert_ptr_nonnull(strstr(t.say.text, "2 earlier stretches of the log wait"));
	/* Once is enough: no second walk gives anything again. */
	t_ticks();
	ck_assert_uint_eq(t_logged(POLICY_RECORD_KEYS, "given to sue"), told);
	ck_assert_uint_eq(wraps_of(lis->pid), 0);
	t_logout(lis);
	t_logout(sue);
	t_logout(dan);
}
END_TEST

START_TEST(auditor_with_a_new_identity_gets_the_log_again)
{
	struct fs_session *dan = clinic_with_lis(), *lis, *sue = NULL;
	char code[KEYS_CODE_TEXT_MAX];
	unsigned seen;

	appoint_sue(dan);
	lis = t_login("lis", LIS);
	t_ticks();
	seen = audited(lis, POLICY_RECORD_START, NULL);
	ck_assert_int_eq(fs_vault_invite(t.v, dan, "sue", true, 0, code, &t.say), 0);
	ck_assert_int_eq(t_try_enroll(code, "sue", SUE, "fresh"), 0);
	t_ticks();
	ck_assert_int_eq(t_try_login("sue", SUE, "fresh", &sue), 0);
	ck_assert_uint_eq(audited(sue, POLICY_RECORD_START, NULL), seen);
	/* What she was given in turn gives the log to others. */
	t_logout(lis);
	ck_assert_int_eq(fs_vault_invite(t.v, dan, "lis", true, 0, code, &t.say), 0);
	ck_assert_int_eq(t_try_enroll(code, "lis", LIS, "fresh"), 0);
	t_ticks();
	ck_assert_int_eq(t_try_login("lis", LIS, "fresh", &lis), 0);
	ck_assert_uint_eq(audited(lis, POLICY_RECORD_START, NULL), seen);
	t_logout(lis);
	t_logout(sue);
	t_logout(dan);
}
END_TEST

START_TEST(auditor_who_left_keeps_no_key_of_the_log)
{
	struct fs_session *dan = clinic_with_lis(), *lis;
	char policy[T_POLICY_MAX];
	uint32_t pid;

	appoint_sue(dan);
	lis = t_login("lis", LIS);
	t_ticks();
	pid = fs_people_find(t.v, "sue")->pid;
	ck_assert_uint_ge(wraps_of(pid), 4);
	t_edit(policy, "sue role secretary unit north", "sue role auditor left");
	t_put(dan, "practice", policy);
	t_ticks();
	ck_assert_uint_eq(wraps_of(pid), 0);
	ck_assert_uint_eq(t_logged(POLICY_RECORD_KEYS, "keys of the log taken from sue"), 1);
	t_logout(lis);
	t_logout(dan);
}
END_TEST

struct two {
	struct fs_key key[2];
	unsigned n;
};

static int take_two(void *ctx, const struct fs_key *key, struct fs_buf *buf)
{
	struct two *t2 = ctx;

	(void)buf;
	if (key->len > 14)
		t2->key[t2->n++] = *key;
	return t2->n == 2;
}

START_TEST(wrap_of_another_stream_opens_nothing)
{
	struct fs_session *dan = clinic_with_lis(), *lis, *sue;
	struct two t2 = {.n = 0};
	struct fs_key from, to;
	struct fs_buf *buf;

	appoint_sue(dan);
	lis = t_login("lis", LIS);
	t_ticks();
	sue = t_login("sue", SUE);
	t.alarms = 0;
	(void)audited(sue, POLICY_RECORD_START, NULL);
	ck_assert_uint_eq(t.alarms, 0);
	from = fs_key_n(0, 0, FS_T_LOG_WRAP, sue->pid, 4);
	to = fs_key_n(0, 0, FS_T_LOG_WRAP, sue->pid + 1, 4);
	ck_assert_int_eq(fs_record_scan(fs_records_vault(t.v->records), &from, &to, take_two, &t2),
			 0);
	ck_assert_uint_eq(t2.n, 2);
	buf = t_peek(&t2.key[0]);
	t_poke(&t2.key[1], buf->data, buf->len);
	fs_buf_put(buf);
	(void)audited(sue, POLICY_RECORD_START, NULL);
	ck_assert_uint_eq(t.alarms, 1);
	ck_assert_ptr_nonnull(strstr(t.alarm, "not sealed to this reader"));
	t_logout(sue);
	t_logout(lis);
	t_logout(dan);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("fs/log_grants");
	TCase *c = tcase_create("log_grants");

	tcase_add_checked_fixture(c, t_setup, t_teardown);
	tcase_set_timeout(c, 60);
	tcase_add_test(c, recovered_auditor_reads_the_log_from_its_beginning);
	tcase_add_test(c, first_auditor_is_told_of_what_he_cannot_open);
	tcase_add_test(c, later_auditor_waits_for_another_and_then_reads_as_much);
	tcase_add_test(c, auditor_with_a_new_identity_gets_the_log_again);
	tcase_add_test(c, auditor_who_left_keeps_no_key_of_the_log);
	tcase_add_test(c, wrap_of_another_stream_opens_nothing);
	suite_add_tcase(s, c);
	return t_run(s);
}
