/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What takes two stewards: which changes do, that nothing is in force before the
 * second agrees, and what one steward might try instead.
 */
#include "test_fs_vault.h"

enum { RUT = 2101, ZOE };

/* The clinic's policy with `more` at its end. */
static void more_policy(char out[static T_POLICY_MAX], const char *more)
{
	snprintf(out, T_POLICY_MAX, "%spractitioner rut user rut role steward\n%s", CLINIC_POLICY,
		 more);
}

/* Two stewards, both enrolled, both logged in. */
static struct fs_session *two(struct fs_session **rut)
{
	struct fs_session *dan = t_clinic();
	char policy[T_POLICY_MAX];

	more_policy(policy, "");
	t_put(dan, "practice", policy);
	t_enroll(dan, "rut", RUT);
	*rut = t_login("rut", RUT);
	return dan;
}

static uint32_t only_proposal(struct fs_session *by)
{
	char *text = NULL;
	uint32_t number;

	ck_assert_int_eq(fs_vault_proposals(t.v, by, &text, &t.say), 0);
	ck_assert_msg(text[0], "no proposal");
	ck_assert_ptr_eq(strchr(text, '\n'), text + strlen(text) - 1);
	number = (uint32_t)strtoul(text, NULL, 10);
	free(text);
	return number;
}

static bool none_waits(struct fs_session *by)
{
	char *text = NULL;
	bool none;

	ck_assert_int_eq(fs_vault_proposals(t.v, by, &text, &t.say), 0);
	none = !text[0];
	free(text);
	return none;
}

static int approve(struct fs_session *by, uint32_t number, char code[static KEYS_CODE_TEXT_MAX])
{
	char *report = NULL;
	int rc;

	t.say.text[0] = '\0';
	rc = fs_vault_proposal_approve(t.v, by, number, code, &report, &t.say);
	free(report);
	return rc;
}

static int propose(struct fs_session *by, const char *policy)
{
	char *report = NULL;
	int rc = t_try_put(by, "practice", policy, &report);

	free(report);
	return rc;
}

static bool named(const char *name)
{
	struct policy_practice *p = fs_vault_practice(t.v);
	bool is = policy_practice_find(p, name) != NULL;

	policy_practice_put(p);
	return is;
}

#define ZOE_LINE "practitioner zoe user zoe role physician unit north\n"

START_TEST(one_steward_alone_is_alarmed_not_stopped)
{
	struct fs_session *dan = t_clinic();
	char policy[T_POLICY_MAX];
	unsigned alarms = t.alarms;

	more_policy(policy, ZOE_LINE);
	ck_assert_int_eq(propose(dan, policy), 0);
	ck_assert(named("zoe"));
	ck_assert_uint_gt(t.alarms, alarms);
	t_logout(dan);
}
END_TEST

START_TEST(second_steward_who_has_not_enrolled_does_not_count)
{
	struct fs_session *dan = t_clinic();
	char policy[T_POLICY_MAX];

	more_policy(policy, "");
	t_put(dan, "practice", policy);
	more_policy(policy, ZOE_LINE);
	ck_assert_int_eq(propose(dan, policy), 0);
	t_logout(dan);
}
END_TEST

START_TEST(new_clinician_waits_for_the_second_and_is_then_in_force)
{
	char policy[T_POLICY_MAX], code[KEYS_CODE_TEXT_MAX];
	struct fs_session *rut, *dan = two(&rut);
	uint32_t before = fs_vault_policy_version(t.v), number;
	char *diff = NULL;

	more_policy(policy, ZOE_LINE);
	ck_assert_int_eq(propose(dan, policy), -EINPROGRESS);
	ck_assert_ptr_nonnull(strstr(t.say.text, "zoe (physician)"));
	ck_assert(!named("zoe"));
	ck_assert_uint_eq(fs_vault_policy_version(t.v), before);
	ck_assert_uint_eq(t_logged(POLICY_RECORD_PROPOSAL, "+ practitioner zoe"), 1);
	number = only_proposal(rut);
	ck_assert_int_eq(fs_vault_proposal_diff(t.v, rut, number, &diff, &t.say), 0);
	ck_assert_ptr_nonnull(strstr(diff, "new powers: zoe (physician)"));
	ck_assert_ptr_nonnull(strstr(diff, "+" ZOE_LINE));
	free(diff);
	ck_assert_int_eq(approve(rut, number, code), 0);
	ck_assert_str_eq(code, "");
	ck_assert(named("zoe"));
	ck_assert(none_waits(dan));
	ck_assert_uint_eq(t_logged(POLICY_RECORD_POLICY, "as proposed by dan"), 1);
	ck_assert_int_eq(approve(rut, number, code), -ENOENT);
	t_logout(dan);
	t_logout(rut);
}
END_TEST

START_TEST(proposer_cannot_approve_and_others_cannot_see)
{
	char policy[T_POLICY_MAX], code[KEYS_CODE_TEXT_MAX], *text = NULL;
	struct fs_session *rut, *dan = two(&rut), *anna;
	uint32_t number;

	t_enroll(dan, "anna", ANNA);
	anna = t_login("anna", ANNA);
	more_policy(policy, ZOE_LINE);
	ck_assert_int_eq(propose(dan, policy), -EINPROGRESS);
	number = only_proposal(dan);
	ck_assert_int_eq(approve(dan, number, code), -EPERM);
	ck_assert_int_eq(approve(anna, number, code), -EACCES);
	ck_assert_int_eq(fs_vault_proposals(t.v, anna, &text, &t.say), -EACCES);
	ck_assert_int_eq(fs_vault_proposal_diff(t.v, anna, number, &text, &t.say), -EACCES);
	ck_assert_int_eq(fs_vault_proposal_reject(t.v, anna, number, &t.say), -EACCES);
	ck_assert_ptr_null(text);
	ck_assert(!named("zoe"));
	ck_assert_uint_eq(t_logged(POLICY_RECORD_REFUSED, "approving the own proposal"), 1);
	ck_assert_uint_eq(t_logged(POLICY_RECORD_REFUSED, "approving proposal"), 1);
	ck_assert_uint_eq(t_logged(POLICY_RECORD_REFUSED, "listing proposals"), 1);
	t_logout(anna);
	t_logout(dan);
	t_logout(rut);
}
END_TEST

/* What gives somebody power without a new line of theirs. */
START_TEST(every_way_to_new_powers_takes_two)
{
	static const char *const ways[][2] = {
		{"role secretary may list create", "role secretary may list read create"},
		{"role secretary may list create", "role secretary clinical may list create"},
		{"sue user sue role secretary", "sue user sue role nurse"},
		{"anna user anna role", "anna user mallory role"},
		{"role auditor may audit review", "role auditor may audit review policy"},
		{"role reader clinical may list read", "role reader clinical may list read attend"},
		{"dan user dan role steward", "dan user dan role physician unit north"},
		{"eva role reader", "eva role nurse"},
	};
	struct fs_session *rut, *dan = two(&rut);

	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		char edited[T_POLICY_MAX], policy[T_POLICY_MAX];

		t_edit(edited, ways[i][0], ways[i][1]);
		snprintf(policy, sizeof(policy), "%.4000spractitioner rut user rut role steward\n",
			 edited);
		ck_assert_msg(propose(dan, policy) == -EINPROGRESS, "%s was in force at once",
			      ways[i][1]);
	}
	t_logout(dan);
	t_logout(rut);
}
END_TEST

START_TEST(less_power_and_none_take_one)
{
	/* Each is a little less than the one before, so that none gives anything back. */
	static const char *const ends[] = {"", " on leave", " left"};
	struct fs_session *rut, *dan = two(&rut);
	char policy[T_POLICY_MAX], edited[T_POLICY_MAX];

	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		char line[128];

		snprintf(line, sizeof(line), "bo role reader unit north%s", ends[i]);
		t_edit(edited, "bo role nurse unit north", line);
		snprintf(policy, sizeof(policy),
			 "%.3900spractitioner rut user rut role steward\n"
			 "practitioner new user new role secretary\nprogram deny p%zu\n",
			 edited, i);
		ck_assert_int_eq(propose(dan, policy), 0);
	}
	ck_assert(named("new"));
	t_logout(dan);
	t_logout(rut);
}
END_TEST

/* The colleague is taken out of the way first. */
START_TEST(suspending_the_second_does_not_make_one_the_first)
{
	static const char *const ways[] = {" on leave", " left"};

	for (size_t i = 0; i < 2; i++) {
		char policy[T_POLICY_MAX];
		struct fs_session *rut, *dan = two(&rut);

		snprintf(policy, sizeof(policy), "%spractitioner rut user rut role steward%s\n",
			 CLINIC_POLICY, ways[i]);
		ck_assert_int_eq(propose(dan, policy), 0);
		snprintf(policy, sizeof(policy), "%spractitioner rut user rut role steward%s\n%s",
			 CLINIC_POLICY, ways[i], ZOE_LINE);
		ck_assert_int_eq(propose(dan, policy), -EINPROGRESS);
		ck_assert(!named("zoe"));
		t_logout(dan);
		fs_session_put(rut);
		t_close();
		t_teardown();
		t_setup();
	}
}
END_TEST

START_TEST(proposal_for_an_older_version_is_not_in_force)
{
	char policy[T_POLICY_MAX], code[KEYS_CODE_TEXT_MAX], *text = NULL;
	struct fs_session *rut, *dan = two(&rut);
	uint32_t number;

	more_policy(policy, ZOE_LINE);
	ck_assert_int_eq(propose(dan, policy), -EINPROGRESS);
	number = only_proposal(rut);
	more_policy(policy, "program deny updatedb\n");
	ck_assert_int_eq(propose(rut, policy), 0);
	ck_assert_int_eq(approve(rut, number, code), -ESTALE);
	ck_assert(!named("zoe"));
	ck_assert_int_eq(fs_vault_proposals(t.v, rut, &text, &t.say), 0);
	ck_assert_ptr_nonnull(strstr(text, "only to be rejected"));
	free(text);
	ck_assert_int_eq(fs_vault_proposal_reject(t.v, dan, number, &t.say), 0);
	ck_assert_uint_eq(t_logged(POLICY_RECORD_PROPOSAL, NULL), 2);
	ck_assert(none_waits(dan));
	ck_assert_int_eq(fs_vault_proposal_reject(t.v, dan, number, &t.say), -ENOENT);
	t_logout(dan);
	t_logout(rut);
}
END_TEST

START_TEST(new_identity_for_who_is_enrolled_takes_two)
{
	char code[KEYS_CODE_TEXT_MAX] = "";
	struct fs_session *rut, *dan = two(&rut), *anna;
	uint32_t number;

	t_enroll(dan, "anna", ANNA);
	ck_assert_int_eq(fs_vault_invite(t.v, dan, "anna", true, 0, code, &t.say), -EINPROGRESS);
	ck_assert_str_eq(code, "");
	number = only_proposal(dan);
	ck_assert_int_eq(approve(dan, number, code), -EPERM);
	ck_assert_str_eq(code, "");
	ck_assert_int_eq(approve(rut, number, code), 0);
	ck_assert_int_eq(t_try_enroll(code, "anna", ANNA, "another"), 0);
	ck_assert_int_eq(t_try_login("anna", ANNA, "another", &anna), 0);
	ck_assert_uint_eq(t_logged(POLICY_RECORD_INVITE, "as proposed by dan"), 1);
	t_logout(anna);
	t_logout(dan);
	t_logout(rut);
}
END_TEST

START_TEST(proposals_outlive_the_daemon)
{
	char policy[T_POLICY_MAX], code[KEYS_CODE_TEXT_MAX];
	struct fs_session *rut, *dan = two(&rut);

	more_policy(policy, ZOE_LINE);
	ck_assert_int_eq(propose(dan, policy), -EINPROGRESS);
	t_logout(dan);
	t_logout(rut);
	t_close();
	t_open();
	rut = t_login("rut", RUT);
	ck_assert_int_eq(approve(rut, only_proposal(rut), code), 0);
	ck_assert(named("zoe"));
	t_logout(rut);
}
END_TEST

START_TEST(proposals_are_bounded)
{
	char policy[T_POLICY_MAX];
	struct fs_session *rut, *dan = two(&rut);
	int rc = -EINPROGRESS;
	unsigned n = 0;

	more_policy(policy, ZOE_LINE);
	while (rc == -EINPROGRESS && n++ < 100)
		rc = propose(dan, policy);
	ck_assert_int_eq(rc, -ENOSPC);
	ck_assert_uint_eq(n, 17);
	t_logout(dan);
	t_logout(rut);
}
END_TEST

/* Who may write the vault's records moves a proposal, or puts another text under the signature. */
START_TEST(forged_proposal_is_not_approved)
{
	char policy[T_POLICY_MAX], code[KEYS_CODE_TEXT_MAX], *text = NULL;
	struct fs_session *rut, *dan = two(&rut);
	struct fs_key key, moved;
	struct fs_buf *buf;
	uint8_t bytes[FS_PLAIN_MAX];
	uint32_t number;

	more_policy(policy, ZOE_LINE);
	ck_assert_int_eq(propose(dan, policy), -EINPROGRESS);
	number = only_proposal(rut);
	key = fs_key_n(0, 0, FS_T_POLICY, 0x80000000u | number, 4);
	fs_key_add(&key, 0, 2);
	moved = fs_key_n(0, 0, FS_T_POLICY, 0x80000000u | (number + 5), 4);
	fs_key_add(&moved, 0, 2);
	buf = t_peek(&key);
	memcpy(bytes, buf->data, buf->len);
	t_poke(&moved, bytes, buf->len);
	ck_assert_int_eq(approve(rut, number + 5, code), -EBADMSG);
	bytes[buf->len - KEYS_SIG_LEN - 4] ^= 1;
	t_poke(&key, bytes, buf->len);
	fs_buf_put(buf);
	ck_assert_int_eq(approve(rut, number, code), -EBADMSG);
	ck_assert(!named("zoe"));
	ck_assert_int_eq(fs_vault_proposals(t.v, rut, &text, &t.say), 0);
	ck_assert_ptr_nonnull(strstr(text, "damaged or forged"));
	free(text);
	ck_assert_int_eq(fs_vault_proposal_reject(t.v, rut, number, &t.say), 0);
	ck_assert_int_eq(fs_vault_proposal_reject(t.v, rut, number + 5, &t.say), 0);
	t_logout(dan);
	t_logout(rut);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("fs/consent");
	TCase *tc = tcase_create("two stewards");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, t_setup, t_teardown);
	tcase_add_test(tc, one_steward_alone_is_alarmed_not_stopped);
	tcase_add_test(tc, second_steward_who_has_not_enrolled_does_not_count);
	tcase_add_test(tc, new_clinician_waits_for_the_second_and_is_then_in_force);
	tcase_add_test(tc, proposer_cannot_approve_and_others_cannot_see);
	tcase_add_test(tc, every_way_to_new_powers_takes_two);
	tcase_add_test(tc, less_power_and_none_take_one);
	tcase_add_test(tc, suspending_the_second_does_not_make_one_the_first);
	tcase_add_test(tc, proposal_for_an_older_version_is_not_in_force);
	tcase_add_test(tc, new_identity_for_who_is_enrolled_takes_two);
	tcase_add_test(tc, proposals_outlive_the_daemon);
	tcase_add_test(tc, proposals_are_bounded);
	tcase_add_test(tc, forged_proposal_is_not_approved);
	suite_add_tcase(s, tc);
	return t_run(s);
}
