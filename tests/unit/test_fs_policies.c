/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Policy versions: who may change them, from which base, what they take away, and
 * that a forged one is found.
 */
#include "policy/features.h"
#include "test_fs_vault.h"

static const char ann_policy[] = "journal \"p\"\n"
				 "unit north\n"
				 "allow user:anna:rwx reason \"treating\"\n";

START_TEST(put_by_steward_is_in_force_and_logged_with_a_diff)
{
	struct fs_session *dan = t_clinic();
	char policy[T_POLICY_MAX], *text = NULL;
	struct policy_practice *practice;
	uint32_t version, before = fs_vault_policy_version(t.v);
	unsigned changed = t.changed;
	size_t len;

	t_edit(policy, "bo role nurse", "bo role physician");
	t_put(dan, "practice", policy);
	ck_assert_uint_eq(fs_vault_policy_version(t.v), before + 1);
	ck_assert_uint_eq(t.changed, changed + 1);
	practice = fs_vault_practice(t.v);
	ck_assert_str_eq(policy_practice_find(practice, "bo")->role->name, "physician");
	policy_practice_put(practice);
	ck_assert_int_eq(fs_vault_policy_show(t.v, dan, "practice", &text, &len, &version, &t.say),
			 0);
	ck_assert_str_eq(text, policy);
	ck_assert_uint_eq(version, before + 1);
	free(text);
	ck_assert_uint_eq(
		t_logged(POLICY_RECORD_POLICY, "+ practitioner bo user bo role physician"), 1);
	t_logout(dan);
	t_close();
	t_open();
	dan = t_login("dan", DAN);
	ck_assert_uint_eq(fs_vault_policy_version(t.v), before + 1);
	t_logout(dan);
}
END_TEST

START_TEST(put_by_anybody_else_is_refused_and_logged)
{
	struct fs_session *dan = t_clinic(), *anna;
	char *report = NULL, *text = NULL;
	uint32_t version = fs_vault_policy_version(t.v);
	size_t len;

	t_enroll(dan, "anna", ANNA);
	anna = t_login("anna", ANNA);
	ck_assert_int_eq(t_try_put(anna, "practice", CLINIC_POLICY, &report), -EACCES);
	ck_assert_uint_eq(fs_vault_policy_version(t.v), version);
	ck_assert_uint_eq(t_logged(POLICY_RECORD_REFUSED, "changing the policy"), 1);
	ck_assert_int_eq(fs_vault_policy_show(t.v, anna, "practice", &text, &len, &version, &t.say),
			 -EACCES);
	ck_assert_ptr_null(text);
	t_make(anna, "p");
	ck_assert_int_eq(t_try_put(anna, "p", ann_policy, &report), -EACCES);
	ck_assert_int_eq(fs_vault_policy_show(t.v, anna, "p", &text, &len, &version, &t.say), 0);
	ck_assert_ptr_nonnull(strstr(text, "user:anna:rwx"));
	free(text);
	ck_assert_ptr_null(report);
	t_logout(anna);
	t_logout(dan);
}
END_TEST

START_TEST(check_by_anybody_else_is_refused_and_tells_no_names)
{
	struct fs_session *dan = t_clinic(), *anna;
	char *report = NULL, policy[T_POLICY_MAX];

	t_enroll(dan, "anna", ANNA);
	anna = t_login("anna", ANNA);
	t_edit(policy, "role nurse unit", "role nurze unit");
	for (int i = 0; i < 3; i++) {
		static const char *const files[] = {"practice", "p", "no such journal"};

		if (i == 1)
			t_make(anna, "p");
		ck_assert_int_eq(fs_vault_policy_check(t.v, anna, files[i], policy, strlen(policy),
						       &report, &t.say),
				 -EACCES);
		ck_assert_ptr_null(report);
		ck_assert_str_eq(t.say.text, "checking a policy needs the policy right, which anna "
					     "does not have");
	}
	ck_assert_uint_eq(t_logged(POLICY_RECORD_REFUSED, "checking a policy"), 3);
	t_logout(anna);
	t_logout(dan);
}
END_TEST

START_TEST(put_from_an_old_base_says_who_was_first)
{
	struct fs_session *dan = t_clinic();
	uint32_t base = t_version("practice");
	char *report = NULL, policy[T_POLICY_MAX];

	t_edit(policy, "Klinik Nord", "Klinik Syd");
	t_put(dan, "practice", policy);
	ck_assert_int_eq(fs_vault_policy_put(t.v, dan, "practice", CLINIC_POLICY,
					     strlen(CLINIC_POLICY), base, &report, &t.say),
			 -ESTALE);
	ck_assert_ptr_nonnull(strstr(t.say.text, "dan replaced it"));
	t_logout(dan);
}
END_TEST

START_TEST(put_of_a_bad_text_reports_and_changes_nothing)
{
	struct fs_session *dan = t_clinic();
	uint32_t version = fs_vault_policy_version(t.v);
	char *report = NULL, policy[T_POLICY_MAX], *big;

	t_edit(policy, "role nurse unit", "role nurze unit");
	ck_assert_int_eq(t_try_put(dan, "practice", policy, &report), -EINVAL);
	ck_assert_ptr_nonnull(strstr(report, "nurse"));
	free(report);
	report = NULL;
	/* dan is enrolled: his line may say `left`, it may not go. */
	t_edit(policy, "practitioner dan user dan", "practitioner don user don");
	ck_assert_int_eq(t_try_put(dan, "practice", policy, &report), -EINVAL);
	ck_assert_ptr_nonnull(strstr(report, "`dan` is enrolled"));
	free(report);
	report = NULL;
	ck_assert_int_eq(fs_vault_policy_check(t.v, dan, "practice", policy, strlen(policy),
					       &report, &t.say),
			 -EINVAL);
	free(report);
	report = NULL;
	big = malloc(FS_POLICY_TEXT_MAX + 2);
	memset(big, '\n', FS_POLICY_TEXT_MAX + 1);
	big[FS_POLICY_TEXT_MAX + 1] = '\0';
	ck_assert_int_eq(t_try_put(dan, "practice", big, &report), -EINVAL);
	ck_assert_ptr_nonnull(strstr(report, "longer"));
	free(report);
	free(big);
	ck_assert_uint_eq(fs_vault_policy_version(t.v), version);
	ck_assert_int_eq(t_try_put(dan, "practice", CLINIC_POLICY, &report), 0);
	t_logout(dan);
}
END_TEST

START_TEST(put_of_a_long_text_spans_records_and_shrinks_again)
{
	struct fs_session *dan = t_clinic();
	char *long_text = malloc(FS_POLICY_TEXT_MAX), *text = NULL;
	size_t n = strlen(CLINIC_POLICY), len;
	uint32_t version;
	struct fs_key part = fs_key_n(0, 0, FS_T_PRACTICE, 20, 2);
	struct fs_buf *buf = NULL;

	memcpy(long_text, CLINIC_POLICY, n);
	while (n < 200000)
		n += (size_t)sprintf(long_text + n, "# comment %zu\n", n);
	t_put(dan, "practice", long_text);
	ck_assert_int_eq(fs_vault_policy_show(t.v, dan, "practice", &text, &len, &version, &t.say),
			 0);
	ck_assert_uint_eq(len, n);
	ck_assert_mem_eq(text, long_text, n);
	free(text);
	buf = t_peek(&part);
	fs_buf_put(buf);
	t_put(dan, "practice", CLINIC_POLICY);
	ck_assert_int_eq(fs_record_get(fs_records_vault(t.v->records), &part, &buf), -ENOENT);
	t_logout(dan);
	t_close();
	t_open();
	dan = t_login("dan", DAN);
	ck_assert_int_eq(fs_vault_policy_show(t.v, dan, "practice", &text, &len, &version, &t.say),
			 0);
	ck_assert_str_eq(text, CLINIC_POLICY);
	free(text);
	free(long_text);
	t_logout(dan);
}
END_TEST

START_TEST(parts_cut_in_another_way_are_refused)
{
	static const uint8_t first[] = {4, 0, 0, 0, 'a', 'b'}, rest[] = {'c', 'd'};
	static const uint8_t whole[] = {4, 0, 0, 0, 'a', 'b', 'c', 'd'};
	struct fs_key prefix = fs_key_n(0, 0, FS_T_KEY_LIST, 99, 4), key[2] = {prefix, prefix};
	uint8_t *got = NULL;
	size_t len = 0;
	struct fs_session *dan = t_clinic();

	fs_key_add(&key[0], 0, 2);
	fs_key_add(&key[1], 1, 2);
	t_poke(&key[0], first, sizeof(first));
	t_poke(&key[1], rest, sizeof(rest));
	ck_assert_int_eq(fs_vault_parts_get(t.v, &prefix, &got, &len), -EBADMSG);
	t_poke(&key[0], whole, sizeof(whole));
	t_poke(&key[1], rest, 0); /* an empty one more */
	ck_assert_int_eq(fs_vault_parts_get(t.v, &prefix, &got, &len), -EBADMSG);
	t_poke(&key[1], NULL, 0);
	ck_assert_int_eq(fs_vault_parts_get(t.v, &prefix, &got, &len), 0);
	ck_assert_uint_eq(len, 4);
	ck_assert_mem_eq(got, "abcd", 4);
	free(got);
	t_logout(dan);
}
END_TEST

START_TEST(history_tells_what_was_in_force)
{
	struct fs_session *dan = t_clinic(), *anna;
	struct policy_practice *then = NULL;
	struct policy_journal *journal = NULL;
	char policy[T_POLICY_MAX];
	uint32_t index, first, second;

	t_enroll(dan, "anna", ANNA);
	anna = t_login("anna", ANNA);
	first = fs_vault_policy_version(t.v);
	index = t_make(anna, "p");
	t_edit(policy, "eva role reader", "eva role nurse");
	t_put(dan, "practice", policy);
	second = fs_vault_policy_version(t.v);
	t_put(dan, "p", "journal \"p\"\nunit south\nallow user:max:rwx\n");
	for (uint32_t v = first; v < second; v++) {
		ck_assert_int_eq(fs_policies_at(t.v, v, &then), 0);
		ck_assert_str_eq(policy_practice_find(then, "eva")->role->name, "reader");
		policy_practice_put(then);
	}
	ck_assert_int_eq(fs_policies_at(t.v, second + 1, &then), 0);
	ck_assert_str_eq(policy_practice_find(then, "eva")->role->name, "nurse");
	policy_practice_put(then);
	for (uint32_t v = first; v <= second; v++) {
		ck_assert_int_eq(fs_policies_journal_at(t.v, index, v, &journal), 0);
		ck_assert_str_eq(policy_journal_unit(journal), "north");
		policy_journal_put(journal);
	}
	ck_assert_int_eq(fs_policies_journal_at(t.v, index, second + 1, &journal), 0);
	ck_assert_str_eq(policy_journal_unit(journal), "south");
	policy_journal_put(journal);
	t_logout(anna);
	t_logout(dan);
}
END_TEST

START_TEST(practitioner_on_leave_loses_the_session_and_gets_none)
{
	struct fs_session *dan = t_clinic(), *anna, *s = NULL;
	char policy[T_POLICY_MAX];
	uint32_t index;

	t_enroll(dan, "anna", ANNA);
	anna = t_login("anna", ANNA);
	index = t_make(anna, "p");
	t_edit(policy, "physician unit north", "physician unit north on leave");
	t_put(dan, "practice", policy);
	ck_assert(!t_may(anna, index, POLICY_READ));
	t_ticks();
	ck_assert_int_eq(fs_session_state(anna), FS_SESSION_ENDED);
	fs_session_put(anna);
	ck_assert_int_eq(t_try_login("anna", ANNA, "anna", &s), -EACCES);
	ck_assert_ptr_nonnull(strstr(t.say.text, "on leave"));
	t_put(dan, "practice", CLINIC_POLICY);
	t_logout(t_login("anna", ANNA));
	t_logout(dan);
}
END_TEST

START_TEST(new_powers_raise_an_alarm)
{
	struct fs_session *dan = t_clinic();
	char policy[T_POLICY_MAX];

	t_edit(policy, "sue role secretary", "sue role physician");
	t_put(dan, "practice", policy);
	ck_assert_uint_eq(
		t_logged(POLICY_RECORD_ALARM, "sue gets the role physician, which is clinical"), 1);
	t_logout(dan);
}
END_TEST

START_TEST(practice_policy_signed_without_the_right_shuts_everybody_out)
{
	struct fs_session *dan = t_clinic(), *anna, *s = NULL;
	struct fs_hand hand;
	char policy[T_POLICY_MAX];
	struct fs_edit e;

	t_enroll(dan, "anna", ANNA);
	anna = t_login("anna", ANNA);
	/* anna makes herself a steward: the text gives the right, the version before it did not. */
	t_edit(policy, "anna user anna role physician", "anna user anna role steward");
	hand = (struct fs_hand){anna->pid, anna->enrolment, anna->secret->statement_sk};
	fs_vault_edit_begin(t.v, &e, NULL);
	ck_assert_int_eq(
		fs_policies_add(&e, &hand, 0, t.v->counters.practice, policy, strlen(policy)), 0);
	ck_assert_int_eq(fs_vault_edit_commit(&e), 0);
	fs_vault_edit_clear(&e);
	t_logout(anna);
	t_logout(dan);
	ck_assert_int_eq(t_try_login("anna", ANNA, "anna", &s), -EBADMSG);
	ck_assert_int_eq(t_try_login("dan", DAN, "dan", &s), -EBADMSG);
	ck_assert_uint_ge(t.alarms, 1);
	ck_assert_ptr_null(t.v->index_key);
}
END_TEST

START_TEST(text_in_force_that_is_not_its_statement_is_found)
{
	struct fs_session *dan = t_clinic(), *s = NULL;
	struct fs_key key = fs_key_n(0, 0, FS_T_PRACTICE, 0, 2);
	struct fs_buf *buf = t_peek(&key);
	uint8_t bytes[FS_PART];
	size_t len = buf->len;
	char *at;

	memcpy(bytes, buf->data, len);
	at = memmem(bytes, len, "sue role secretary", 18);
	ck_assert_ptr_nonnull(at);
	memcpy(at, "sue role physician", 18);
	t_poke(&key, bytes, len);
	fs_buf_put(buf);
	t_logout(dan);
	ck_assert_int_eq(t_try_login("dan", DAN, "dan", &s), -EBADMSG);
}
END_TEST

START_TEST(break_glass_key_is_made_by_clinicians_among_themselves)
{
	struct fs_session *dan, *anna, *bo;
	char policy[T_POLICY_MAX];
	const struct keys_list_entry *entry;
	uint8_t a[KEYS_LEN], b[KEYS_LEN];
	struct fs_key key;
	struct fs_buf *buf;
	uint32_t index;

	ck_assert(policy_feature_set("break-glass", true));
	dan = t_clinic();
	t_edit(policy, "read write create\nrole nurse clinical may list read write",
	       "read write create break-glass\nrole nurse clinical may list read write "
	       "break-glass");
	t_put(dan, "practice", policy);
	t_enroll(dan, "anna", ANNA);
	t_enroll(dan, "bo", BO);
	t_ticks();
	ck_assert_ptr_null(fs_lists_find(t.v, KEYS_LIST_BREAK_GLASS, 0));
	anna = t_login("anna", ANNA);
	index = t_make(anna, "p");
	t_ticks();
	entry = fs_lists_find(t.v, KEYS_LIST_BREAK_GLASS, 0);
	ck_assert_ptr_nonnull(entry);
	key = fs_journals_wrap_key(index, 1, FS_WRAP_BREAK_GLASS, 0);
	buf = t_peek(&key);
	fs_buf_put(buf);
	ck_assert_int_eq(fs_bg_get(t.v, dan->pid, dan->enrolment, 0, dan->secret->box_sk, a),
			 -EACCES);
	ck_assert_int_eq(fs_bg_get(t.v, anna->pid, anna->enrolment, 0, anna->secret->box_sk, a),
			 0);
	bo = t_login("bo", BO);
	ck_assert_int_eq(fs_bg_get(t.v, bo->pid, bo->enrolment, 0, bo->secret->box_sk, b), 0);
	ck_assert_mem_eq(a, b, sizeof(a));
	t_logout(anna);
	t_logout(bo);
	t_logout(dan);
	t_close();
	t_open();
	t_logout(t_login("bo", BO));
}
END_TEST

/* The only one who could open a journal is not taken away from it unnoticed. */
START_TEST(practice_that_locks_everybody_out_of_a_journal_is_refused)
{
	struct fs_session *dan = t_clinic(), *anna;
	char policy[T_POLICY_MAX], *report = NULL;
	uint32_t version;

	t_enroll(dan, "anna", ANNA);
	anna = t_login("anna", ANNA);
	t_make(anna, "hers");
	t_make(anna, "also hers");
	t_make(anna, "shared");
	t_put(dan, "shared", "journal \"shared\"\nallow user:anna:rwx\nallow user:bo:r-x\n");
	version = fs_vault_policy_version(t.v);
	t_edit(policy, "anna role physician unit north", "anna role physician unit north left");
	ck_assert_int_eq(t_try_put(dan, "practice", policy, &report), -EINVAL);
	ck_assert_ptr_nonnull(strstr(report, "journal \"hers\" any more"));
	ck_assert_ptr_nonnull(strstr(report, "journal \"also hers\" any more"));
	ck_assert_ptr_nonnull(strstr(report, "default unit north allow"));
	ck_assert_ptr_null(strstr(report, "shared"));
	ck_assert_uint_eq(fs_vault_policy_version(t.v), version);
	free(report);
	report = NULL;
	/* What stops her at once, and the remedy that the message names. */
	t_edit(policy, "anna role physician unit north", "anna role physician unit north on leave");
	ck_assert_int_eq(t_try_put(dan, "practice", policy, &report), 0);
	ck_assert(!t_may(anna, 1, POLICY_READ));
	t_edit(policy, "anna role physician unit north", "anna role physician unit north left");
	strcat(policy, "default unit north allow user:bo:r-x\n");
	ck_assert_int_eq(t_try_put(dan, "practice", policy, &report), 0);
	ck_assert_int_eq(fs_session_state(anna), FS_SESSION_ACTIVE);
	fs_vault_tick(t.v);
	ck_assert_int_eq(fs_session_state(anna), FS_SESSION_ENDED);
	fs_session_put(anna);
	t_logout(dan);
}
END_TEST

/* Lines move between the files of the practice only in one version. */
START_TEST(practice_and_its_parts_are_put_at_once)
{
	struct fs_session *dan = t_clinic();
	char whole[2 * T_POLICY_MAX], *report = NULL, *text = NULL;
	const char *at = strstr(CLINIC_POLICY, "practitioner anna");
	uint32_t version;
	size_t len;

	t_enroll(dan, "anna", ANNA);
	snprintf(whole, sizeof(whole), "%.*sinclude practice.d\n%%part doctors\n%s",
		 (int)(at - CLINIC_POLICY), CLINIC_POLICY, at);
	ck_assert_int_eq(t_try_put(dan, "practice.d/*", whole, &report), 0);
	ck_assert_int_eq(fs_vault_policy_show(t.v, dan, "practice.d/doctors", &text, &len, &version,
					      &t.say),
			 0);
	ck_assert_str_eq(text, at);
	free(text);
	ck_assert_int_eq(fs_vault_policy_show(t.v, dan, "practice.d/*", &text, &len, &version,
					      &t.say),
			 0);
	ck_assert_str_eq(text, whole);
	free(text);
	/* Out of order, and none at all. */
	snprintf(whole, sizeof(whole), "%.*sinclude practice.d\n%%part b\n%s%%part a\n",
		 (int)(at - CLINIC_POLICY), CLINIC_POLICY, at);
	ck_assert_int_eq(t_try_put(dan, "practice.d/*", whole, &report), -EINVAL);
	ck_assert_ptr_nonnull(strstr(report, "in the order of the names"));
	free(report);
	report = NULL;
	ck_assert_int_eq(fs_vault_policy_remove(t.v, dan, "practice.d/*", version, &report, &t.say),
			 -EINVAL);
	free(report);
	ck_assert_uint_eq(fs_vault_policy_version(t.v), version);
	t_logout(dan);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("fs/policies");
	TCase *c = tcase_create("policies");

	tcase_add_checked_fixture(c, t_setup, t_teardown);
	tcase_set_timeout(c, 60);
	tcase_add_test(c, practice_that_locks_everybody_out_of_a_journal_is_refused);
	tcase_add_test(c, practice_and_its_parts_are_put_at_once);
	tcase_add_test(c, put_by_steward_is_in_force_and_logged_with_a_diff);
	tcase_add_test(c, put_by_anybody_else_is_refused_and_logged);
	tcase_add_test(c, check_by_anybody_else_is_refused_and_tells_no_names);
	tcase_add_test(c, put_from_an_old_base_says_who_was_first);
	tcase_add_test(c, put_of_a_bad_text_reports_and_changes_nothing);
	tcase_add_test(c, put_of_a_long_text_spans_records_and_shrinks_again);
	tcase_add_test(c, parts_cut_in_another_way_are_refused);
	tcase_add_test(c, history_tells_what_was_in_force);
	tcase_add_test(c, practitioner_on_leave_loses_the_session_and_gets_none);
	tcase_add_test(c, new_powers_raise_an_alarm);
	tcase_add_test(c, practice_policy_signed_without_the_right_shuts_everybody_out);
	tcase_add_test(c, text_in_force_that_is_not_its_statement_is_found);
	tcase_add_test(c, break_glass_key_is_made_by_clinicians_among_themselves);
	suite_add_tcase(s, c);
	return t_run(s);
}
