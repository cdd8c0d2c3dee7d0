/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Invitations, identities, their chains, and what the key list says of them.
 */
#include "test_fs_vault.h"

START_TEST(clinic_steward_holds_no_break_glass_and_reads_nothing)
{
	struct fs_session *dan = t_clinic(), *anna;
	uint32_t index;
	struct fs_journal *j = NULL;

	t_enroll(dan, "anna", ANNA);
	anna = t_login("anna", ANNA);
	index = t_make(anna, "p");
	t_ticks();
	ck_assert(!t_may(dan, index, POLICY_READ));
	ck_assert_int_eq(fs_vault_journal(t.v, dan, index, &j), -EACCES);
	ck_assert_ptr_null(fs_lists_find(t.v, KEYS_LIST_BREAK_GLASS, 0));
	t_logout(anna);
	t_logout(dan);
}
END_TEST

START_TEST(invite_needs_the_right_and_a_line_in_policy)
{
	struct fs_session *dan = t_clinic(), *anna;
	char code[KEYS_CODE_TEXT_MAX];

	t_enroll(dan, "anna", ANNA);
	anna = t_login("anna", ANNA);
	ck_assert_int_eq(fs_vault_invite(t.v, anna, "bo", false, 0, code, &t.say), -EACCES);
	ck_assert_uint_eq(t_logged(POLICY_RECORD_REFUSED, "inviting bo"), 1);
	ck_assert_int_eq(fs_vault_invite(t.v, dan, "ghost", false, 0, code, &t.say), -ENOENT);
	ck_assert_int_eq(fs_vault_invite(t.v, dan, "anna", false, 0, code, &t.say), -EEXIST);
	ck_assert_int_eq(fs_vault_invite(t.v, dan, "bo", false, 1000, code, &t.say), -EINVAL);
	t_logout(anna);
	t_logout(dan);
}
END_TEST

START_TEST(code_makes_one_identity)
{
	struct fs_session *dan = t_clinic();
	char code[KEYS_CODE_TEXT_MAX];
	unsigned alarms;

	ck_assert_int_eq(fs_vault_invite(t.v, dan, "anna", false, 0, code, &t.say), 0);
	ck_assert_int_eq(t_try_enroll(code, "bo", BO, "x"), -EPERM);
	ck_assert_int_eq(t_try_enroll(code, "anna", ANNA, "anna"), 0);
	alarms = t.alarms;
	ck_assert_int_eq(t_try_enroll(code, "anna", ANNA, "anna"), -EKEYREJECTED);
	ck_assert_ptr_nonnull(strstr(t.say.text, "used already"));
	ck_assert_uint_eq(t.alarms, alarms + 1);
	ck_assert_uint_eq(t_logged(POLICY_RECORD_ALARM, "second time"), 1);
	t_logout(t_login("anna", ANNA));
	t_logout(dan);
}
END_TEST

START_TEST(code_that_opens_nothing_is_refused)
{
	uint8_t raw[KEYS_CODE_LEN];
	char code[KEYS_CODE_TEXT_MAX];
	struct fs_session *dan = t_clinic();

	keys_code_new(raw);
	keys_code_print(raw, code);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(t_try_enroll(code, "anna", ANNA, "x"), -EKEYREJECTED);
	ck_assert_int_eq(t_try_enroll(code, "anna", ANNA, "x"), -EAGAIN);
	t_logout(dan);
}
END_TEST

START_TEST(code_expired_or_replaced_is_refused)
{
	struct fs_session *dan = t_clinic();
	char first[KEYS_CODE_TEXT_MAX], second[KEYS_CODE_TEXT_MAX];

	ck_assert_int_eq(fs_vault_invite(t.v, dan, "anna", false, 0, first, &t.say), 0);
	ck_assert_int_eq(fs_vault_invite(t.v, dan, "anna", false, 0, second, &t.say), 0);
	ck_assert_int_eq(t_try_enroll(first, "anna", ANNA, "x"), -EKEYREJECTED);
	ck_assert_ptr_nonnull(strstr(t.say.text, "newer"));
	t.v->invites[t.v->invite_count - 1]->inv.expires_s = (uint64_t)fs_vault_wall_s();
	ck_assert_int_eq(t_try_enroll(second, "anna", ANNA, "x"), -EKEYREJECTED);
	ck_assert_ptr_nonnull(strstr(t.say.text, "expired"));
	t_logout(dan);
}
END_TEST

START_TEST(code_for_a_role_that_changed_is_refused)
{
	struct fs_session *dan = t_clinic();
	char code[KEYS_CODE_TEXT_MAX], policy[T_POLICY_MAX];

	ck_assert_int_eq(fs_vault_invite(t.v, dan, "bo", false, 0, code, &t.say), 0);
	t_edit(policy, "practitioner bo user bo role nurse", "practitioner bo user bo role reader");
	t_put(dan, "practice", policy);
	ck_assert_int_eq(t_try_enroll(code, "bo", BO, "bo"), -EKEYREJECTED);
	ck_assert_ptr_nonnull(strstr(t.say.text, "another role"));
	t_logout(dan);
}
END_TEST

START_TEST(identity_made_again_replaces_the_first)
{
	struct fs_session *dan = t_clinic(), *anna, *s = NULL;
	char code[KEYS_CODE_TEXT_MAX], text[256];
	uint32_t index;
	struct fs_journal *j = NULL;

	t_enroll(dan, "anna", ANNA);
	t_enroll(dan, "bo", BO);
	anna = t_login("anna", ANNA);
	index = t_make(anna, "p");
	ck_assert_int_eq(t_write(anna, index, "a", "old hand"), 0);
	t_logout(anna);
	ck_assert_int_eq(fs_vault_invite(t.v, dan, "anna", true, 0, code, &t.say), 0);
	ck_assert_uint_ge(t_logged(POLICY_RECORD_ALARM, "invited again"), 1);
	ck_assert_int_eq(t_try_enroll(code, "anna", ANNA, "fresh"), 0);
	ck_assert_int_eq(t_try_login("anna", ANNA, "anna", &s), -EKEYREJECTED);
	ck_assert_int_eq(t_try_login("anna", ANNA, "fresh", &s), 0);
	ck_assert_uint_eq(s->enrolment, 2);
	/* The wraps were for the first identity: nobody gives new ones unasked, the old ones are
	 * void. */
	ck_assert_int_eq(fs_vault_journal(t.v, s, index, &j), -EACCES);
	t_logout(s);
	t_logout(dan);
	t_close();
	t_open();
	ck_assert_int_eq(t_try_login("anna", ANNA, "fresh", &s), 0);
	ck_assert_int_eq(t_read(s, index, "a", text), -EACCES);
	t_logout(s);
}
END_TEST

START_TEST(forged_identity_is_refused_at_login)
{
	struct fs_session *dan = t_clinic(), *s = NULL;
	struct keys_identity id;
	struct keys_identity_secret *secret = keys_guard_new(sizeof(*secret));
	struct fs_key key;
	uint8_t bytes[KEYS_IDENTITY_MAX], env_bytes[KEYS_ENVELOPE_LEN], sk[KEYS_SIGN_SK_LEN],
		pk[KEYS_LEN];
	uint8_t stretched[KEYS_LEN];
	struct fs_newcomer who = {ANNA, t_salt, stretched, &t_cost, {NULL, 0}};
	struct keys_envelope env;
	size_t len;

	t_enroll(dan, "anna", ANNA);
	/* Somebody with the host's tools puts keys of his own under anna's name. */
	id = t.v->people[1]->ids[0]->id;
	ck_assert_str_eq(id.name, "anna");
	keys_identity_new(&id, secret);
	keys_sign_new(pk, sk);
	keys_identity_sign(&id, sk);
	ck_assert_int_eq(keys_identity_encode(&id, bytes, sizeof(bytes), &len), 0);
	key = fs_key_n(0, 0, FS_T_IDENTITY, id.pid, 4);
	fs_key_add(&key, id.enrolment, 4);
	t_poke(&key, bytes, len);
	t_stretch("mallory", stretched);
	fs_enroll_seal(t.v, &id, secret, &who, &env);
	keys_envelope_encode(&env, env_bytes);
	key = fs_key_n(0, 0, FS_T_ENVELOPE, id.pid, 4);
	t_poke(&key, env_bytes, sizeof(env_bytes));
	t_logout(dan);
	t_close();
	t_open();
	ck_assert_int_eq(t_try_login("anna", ANNA, "mallory", &s), -EBADMSG);
	ck_assert_uint_ge(t.alarms, 1);
	keys_guard_free(secret);
}
END_TEST

START_TEST(invitation_by_somebody_without_the_right_is_refused)
{
	struct fs_session *dan = t_clinic(), *anna, *s = NULL;
	struct fs_invite_request rq = {.name = "bo", .account = "bo", .role = "nurse", .days = 7};
	uint8_t code[KEYS_CODE_LEN], bytes[FS_INVITE_BYTES];
	char text[KEYS_CODE_TEXT_MAX];
	struct fs_edit e;
	uint32_t number;
	size_t len;

	t_enroll(dan, "anna", ANNA);
	anna = t_login("anna", ANNA);
	/* anna, no steward, signs one herself and gets it into the database. */
	rq.by = (struct fs_hand){anna->pid, anna->enrolment, anna->secret->statement_sk};
	keys_code_new(code);
	keys_code_print(code, text);
	fs_vault_edit_begin(t.v, &e, NULL);
	ck_assert_int_eq(fs_enroll_invite(&e, &rq, t.v->index_key, code, bytes, &len, &number), 0);
	ck_assert_int_eq(fs_vault_edit_commit(&e), 0);
	ck_assert_int_eq(fs_people_add_invite(t.v, number, bytes, len), 0);
	fs_vault_edit_clear(&e);
	ck_assert_int_eq(t_try_enroll(text, "bo", BO, "bo"), -EBADMSG);
	ck_assert_uint_ge(t.alarms, 1);
	ck_assert_int_eq(t_try_login("bo", BO, "bo", &s), -ENOENT);
	t_logout(anna);
	t_logout(dan);
}
END_TEST

START_TEST(auditor_enters_the_key_list_and_reads_from_then_on)
{
	struct fs_session *dan = t_clinic(), *lis;
	struct fs_audit_query q = {.who = ""};
	struct t_counting c = {.kind = POLICY_RECORD_LOGIN};
	uint32_t list = t.v->counters.list;

	ck_assert_int_eq(fs_vault_audit(t.v, dan, &q, t_count_one, &c, &t.say), -EACCES);
	t_enroll(dan, "lis", LIS);
	t_ticks();
	ck_assert_uint_gt(t.v->counters.list, list);
	ck_assert_ptr_nonnull(
		fs_lists_find(t.v, KEYS_LIST_AUDITOR, fs_people_find(t.v, "lis")->pid));
	lis = t_login("lis", LIS);
	ck_assert_int_eq(fs_vault_audit(t.v, lis, &q, t_count_one, &c, &t.say), 0);
	ck_assert_uint_eq(c.n, 1); /* dan's was before the list named lis */
	t_logout(lis);
	t_logout(dan);
	t_close();
	t_open();
	lis = t_login("lis", LIS);
	c.n = 0;
	ck_assert_int_eq(fs_vault_audit(t.v, lis, &q, t_count_one, &c, &t.say), 0);
	ck_assert_uint_eq(c.n, 2);
	t_logout(lis);
}
END_TEST

START_TEST(auditor_waits_for_a_steward)
{
	struct fs_session *dan = t_clinic(), *anna, *by;
	char code[KEYS_CODE_TEXT_MAX], *waiting;
	struct fs_vault_status status;

	t_enroll(dan, "anna", ANNA);
	ck_assert_int_eq(fs_vault_invite(t.v, dan, "lis", false, 0, code, &t.say), 0);
	t_ticks();
	t_logout(dan);
	anna = t_login("anna", ANNA);
	ck_assert_int_eq(t_try_enroll(code, "lis", LIS, "lis"), 0);
	t_ticks();
	fs_vault_status(t.v, &status);
	ck_assert_uint_eq(status.grants_waiting, 1);
	ck_assert_uint_eq(status.enrolments_waiting, 4); /* bo, eva, sue, max */
	by = t_login("dan", DAN);
	waiting = fs_vault_waiting(t.v, by);
	ck_assert_ptr_nonnull(strstr(waiting, "bo has not been invited"));
	free(waiting);
	waiting = fs_vault_waiting(t.v, anna);
	ck_assert_str_eq(waiting, "");
	free(waiting);
	t_ticks();
	fs_vault_status(t.v, &status);
	ck_assert_uint_eq(status.grants_waiting, 0);
	t_logout(by);
	t_logout(anna);
}
END_TEST

START_TEST(forged_key_list_keeps_the_vault_shut)
{
	struct fs_session *dan = t_clinic();
	struct keys_list_entry mine[2];
	uint8_t sk[KEYS_SIGN_SK_LEN], pk[KEYS_LEN], box[KEYS_LEN];
	struct fs_hand root;
	struct fs_edit e;

	/* Mallory's own auditor, signed with some key in the root's name. */
	keys_sign_new(pk, sk);
	root = (struct fs_hand){0, 0, sk};
	mine[0] = t.v->list[0];
	mine[1] = (struct keys_list_entry){.kind = KEYS_LIST_AUDITOR, .pid = 1};
	keys_box_new(mine[1].box_pk, box);
	fs_vault_edit_begin(t.v, &e, NULL);
	ck_assert_int_eq(fs_lists_add(&e, &root, mine, 2), 0);
	ck_assert_int_eq(fs_vault_edit_commit(&e), 0);
	fs_vault_edit_clear(&e);
	t_logout(dan);
	t_close();
	ck_assert_int_eq(t_try_open(), -EBADMSG);
	ck_assert_ptr_nonnull(strstr(t.say.text, "do not verify"));
}
END_TEST

START_TEST(key_list_by_a_clinician_is_refused)
{
	struct fs_session *dan = t_clinic(), *anna, *s = NULL;
	struct keys_list_entry mine[2];
	uint8_t box[KEYS_LEN];
	struct fs_hand hand;
	struct fs_edit e;

	t_enroll(dan, "anna", ANNA);
	anna = t_login("anna", ANNA);
	hand = (struct fs_hand){anna->pid, anna->enrolment, anna->secret->statement_sk};
	mine[0] = t.v->list[0];
	mine[1] = (struct keys_list_entry){.kind = KEYS_LIST_AUDITOR, .pid = anna->pid};
	keys_box_new(mine[1].box_pk, box);
	fs_vault_edit_begin(t.v, &e, NULL);
	ck_assert_int_eq(fs_lists_add(&e, &hand, mine, 2), 0);
	ck_assert_int_eq(fs_vault_edit_commit(&e), 0);
	fs_vault_edit_clear(&e);
	t_logout(anna);
	t_logout(dan);
	t_close();
	t_open();
	ck_assert_int_eq(t_try_login("dan", DAN, "dan", &s), -EBADMSG);
	ck_assert_ptr_null(t.v->index_key);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("fs/people");
	TCase *c = tcase_create("people");

	tcase_add_checked_fixture(c, t_setup, t_teardown);
	tcase_set_timeout(c, 60);
	tcase_add_test(c, clinic_steward_holds_no_break_glass_and_reads_nothing);
	tcase_add_test(c, invite_needs_the_right_and_a_line_in_policy);
	tcase_add_test(c, code_makes_one_identity);
	tcase_add_test(c, code_that_opens_nothing_is_refused);
	tcase_add_test(c, code_expired_or_replaced_is_refused);
	tcase_add_test(c, code_for_a_role_that_changed_is_refused);
	tcase_add_test(c, identity_made_again_replaces_the_first);
	tcase_add_test(c, forged_identity_is_refused_at_login);
	tcase_add_test(c, invitation_by_somebody_without_the_right_is_refused);
	tcase_add_test(c, auditor_enters_the_key_list_and_reads_from_then_on);
	tcase_add_test(c, auditor_waits_for_a_steward);
	tcase_add_test(c, forged_key_list_keeps_the_vault_shut);
	tcase_add_test(c, key_list_by_a_clinician_is_refused);
	suite_add_tcase(s, c);
	return t_run(s);
}
