/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Questions about decisions: who may ask what, that what is hidden is answered like what is not
 * there, the policies of then, and expected decisions against drafts.
 */
#include "fs/break_glass.h"
#include "test_fs_vault.h"

#define P_POLICY "journal \"p\"\nunit north\nallow user:anna:rwx\n"

static int explain_at(struct fs_session *by, const char *who, const char *journal,
		      const char *action, int64_t at_s, char **text)
{
	const struct fs_explain in = {
		.who = who, .journal = journal, .note = "", .action = action, .at_s = at_s};

	t.say.text[0] = '\0';
	*text = NULL;
	return fs_vault_explain(t.v, by, &in, text, &t.say);
}

/* The explanation holds this. */
static void says(struct fs_session *by, const char *who, const char *journal, const char *action,
		 const char *piece)
{
	char *text;
	int rc = explain_at(by, who, journal, action, 0, &text);

	ck_assert_msg(rc == 0, "%s in %s: %d %s", who, journal, rc, t.say.text);
	ck_assert_msg(strstr(text, piece) != NULL, "`%s` is not in:\n%s", piece, text);
	free(text);
}

static int refusal(struct fs_session *by, const char *who, const char *journal, int64_t at_s)
{
	char *text;
	int rc = explain_at(by, who, journal, "", at_s, &text);

	ck_assert_ptr_null(text);
	return rc;
}

static struct fs_session *clinic(struct fs_session **anna, struct fs_session **bo)
{
	struct fs_session *dan = t_clinic();

	t_enroll(dan, "anna", ANNA);
	t_enroll(dan, "bo", BO);
	*anna = t_login("anna", ANNA);
	*bo = t_login("bo", BO);
	t_make(*anna, "p");
	t_put(dan, "p", P_POLICY "allow user:bo:r-x\n");
	return dan;
}

START_TEST(steward_is_told_rule_and_missing_condition)
{
	struct fs_session *anna, *bo, *dan = clinic(&anna, &bo);

	says(dan, "anna", "p", "read,write", "allow user:anna:rwx (line 3)");
	says(dan, "bo", "p", "write", "allow user:bo:r-x (line 4)");
	says(dan, "eva", "p", "", "eva");
	says(dan, "lis", "", "audit", "role auditor");
	says(dan, "nobody", "p", "", "nobody");
	ck_assert_uint_eq(t_logged(POLICY_RECORD_REVIEW, "the access of bo was explained: write"),
			  1);
	t_logout(anna);
	t_logout(bo);
	t_logout(dan);
}
END_TEST

/* What the decision does not know is told beside it. */
START_TEST(missing_identity_and_missing_key_are_told)
{
	struct fs_session *anna, *bo, *dan = clinic(&anna, &bo);

	t_put(dan, "p", P_POLICY "allow user:bo:r-x\nallow user:eva:r-x\n");
	says(dan, "eva", "p", "", "has no identity in this vault yet: journalfs invite eva");
	t_logout(anna);
	t_logout(bo);
	t_put(dan, "p", P_POLICY "allow user:bo:r-x\nallow user:eva:r-x\nallow user:max:r-x\n");
	t_enroll(dan, "max", MAX);
	t_ticks();
	says(dan, "max", "p", "", "key has not been given to max yet");
	anna = t_login("anna", ANNA);
	t_ticks();
	{
		char *text;

		ck_assert_int_eq(explain_at(dan, "max", "p", "", 0, &text), 0);
		ck_assert_ptr_null(strstr(text, "has not been given"));
		free(text);
	}
	t_logout(anna);
	t_logout(dan);
}
END_TEST

START_TEST(auditor_may_ask_about_anybody_and_practitioners_about_themselves)
{
	struct fs_session *anna, *bo, *lis, *dan = clinic(&anna, &bo);
	char say[sizeof(t.say.text)];

	t_enroll(dan, "lis", LIS);
	lis = t_login("lis", LIS);
	says(lis, "bo", "p", "", "user:bo:r-x");
	says(bo, "", "p", "", "user:bo:r-x");
	says(bo, "bo", "p", "", "user:bo:r-x");
	ck_assert_int_eq(refusal(bo, "anna", "p", 0), -EACCES);
	snprintf(say, sizeof(say), "%s", t.say.text);
	/* Neither whether there is such a person nor such a journal. */
	ck_assert_int_eq(refusal(bo, "nobody", "p", 0), -EACCES);
	ck_assert_str_eq(say, t.say.text);
	ck_assert_int_eq(refusal(bo, "anna", "no such", 0), -EACCES);
	ck_assert_str_eq(say, t.say.text);
	ck_assert_uint_eq(t_logged(POLICY_RECORD_REFUSED, "explaining the access of anna"), 2);
	ck_assert_uint_eq(t_logged(POLICY_RECORD_REFUSED, "explaining the access of nobody"), 1);
	t_logout(lis);
	t_logout(anna);
	t_logout(bo);
	t_logout(dan);
}
END_TEST

/* Each way of not seeing a journal is answered by the same words as one that is not there. */
START_TEST(hidden_is_answered_like_not_there)
{
	struct fs_session *anna, *bo, *max, *dan = clinic(&anna, &bo);
	char none[sizeof(t.say.text)];
	int64_t seen_s;

	t_enroll(dan, "max", MAX);
	max = t_login("max", MAX);
	ck_assert_int_eq(refusal(max, "", "q", 0), -ENOENT);
	snprintf(none, sizeof(none), "%s", t.say.text);
	for (char *at = strchr(none, 'q'); at; at = NULL)
		*at = 'p';
	ck_assert_int_eq(refusal(max, "", "p", 0), -ENOENT);
	ck_assert_str_eq(t.say.text, none);
	ck_assert_uint_eq(t_logged(POLICY_RECORD_REFUSED, "explaining the access of max"), 2);
	/* A block, now and when asked about a time before it. */
	seen_s = fs_vault_wall_s();
	while (fs_vault_wall_s() == seen_s)
		usleep(20000);
	t_put(dan, "p", P_POLICY "allow user:bo:r-x\nblock user:bo\n");
	ck_assert_int_eq(refusal(bo, "", "p", 0), -ENOENT);
	ck_assert_str_eq(t.say.text, none);
	ck_assert_int_eq(refusal(bo, "", "p", seen_s), -ENOENT);
	ck_assert_str_eq(t.say.text, none);
	/* Younger than the time asked about. */
	ck_assert_int_eq(refusal(bo, "", "p", 1000), -ENOENT);
	says(dan, "bo", "p", "", "block user:bo (line 5)");
	/* Lifted: he may ask again, and not about when he was blocked. */
	seen_s = fs_vault_wall_s();
	while (fs_vault_wall_s() == seen_s)
		usleep(20000);
	t_put(dan, "p", P_POLICY "allow user:bo:r-x\n");
	says(bo, "", "p", "", "user:bo:r-x");
	ck_assert_int_eq(refusal(bo, "", "p", seen_s), -ENOENT);
	ck_assert_str_eq(t.say.text, none);
	t_logout(max);
	t_logout(anna);
	t_logout(bo);
	t_logout(dan);
}
END_TEST

/* Where blocks are shown, so is their explanation. */
START_TEST(shown_block_is_explained_to_whom_it_refuses)
{
	struct fs_session *anna, *bo, *dan = clinic(&anna, &bo);
	char policy[T_POLICY_MAX];

	t_edit(policy, "session ceiling 12h\n", "session ceiling 12h\nblocks shown\n");
	t_put(dan, "practice", policy);
	t_put(dan, "p", P_POLICY "allow user:bo:r-x\nblock user:bo\n");
	says(bo, "", "p", "", "block user:bo (line 5)");
	t_logout(anna);
	t_logout(bo);
	t_logout(dan);
}
END_TEST

START_TEST(time_asked_about_has_its_own_practice_and_journal)
{
	struct fs_session *anna, *bo, *dan = clinic(&anna, &bo);
	int64_t then_s = fs_vault_wall_s();
	char policy[T_POLICY_MAX], *text;

	while (fs_vault_wall_s() == then_s)
		usleep(20000);
	t_edit(policy, "role nurse clinical may list read write", "role nurse clinical may list");
	t_put(dan, "practice", policy);
	ck_assert_int_eq(fs_vault_journal_rename(t.v, anna, "p", "renamed"), 0);
	t_put(dan, "renamed", "journal \"renamed\"\nallow user:anna:rwx\n");
	ck_assert_int_eq(explain_at(dan, "bo", "p", "read", then_s, &text), 0);
	ck_assert_ptr_nonnull(strstr(text, "(of the journal \"p\""));
	ck_assert_ptr_nonnull(strstr(text, "allow user:bo:r-x (line 4)"));
	free(text);
	ck_assert_int_eq(explain_at(dan, "bo", "renamed", "read", 0, &text), 0);
	ck_assert_ptr_null(strstr(text, "user:bo:r-x (line"));
	free(text);
	ck_assert_int_eq(refusal(dan, "bo", "p", 0), -ENOENT);
	ck_assert_int_eq(refusal(dan, "bo", "", 1000), -ENOENT);
	/* Removed: the rules that it had, and said so. */
	ck_assert_int_eq(fs_vault_journal_remove(t.v, anna, "renamed"), 0);
	says(dan, "anna", "renamed", "", "The journal is not there any more");
	t_logout(anna);
	t_logout(bo);
	t_logout(dan);
}
END_TEST

START_TEST(action_that_is_none_is_refused_with_those_there_are)
{
	struct fs_session *dan = t_clinic();
	char *text;

	ck_assert_int_eq(explain_at(dan, "anna", "", "read,fly", 0, &text), -EINVAL);
	ck_assert_ptr_nonnull(strstr(t.say.text, "`fly` is no action"));
	ck_assert_ptr_nonnull(strstr(t.say.text, "break-glass"));
	t_logout(dan);
}
END_TEST

/* ---- emergency access ---- */

#define GLASS_ADVICE "journalfs break-glass"

/* Physicians may break the glass, nurses may not. max is a physician of another unit. */
static struct fs_session *glass_clinic(struct fs_session **anna, struct fs_session **bo,
				       struct fs_session **max)
{
	struct fs_session *dan = clinic(anna, bo);
	char policy[T_POLICY_MAX];

	t_edit(policy, "role physician clinical may list read write create",
	       "role physician clinical may list read write create break-glass");
	t_put(dan, "practice", policy);
	t_enroll(dan, "max", MAX);
	*max = t_login("max", MAX);
	return dan;
}

static int glass(struct fs_session *s, bool pass_block)
{
	const struct fs_glass_open in = {.journal = "p",
					 .ground = FS_GLASS_ACUTE,
					 .reason = "found unconscious, needs the medication list",
					 .pass_block = pass_block,
					 .code = ""};
	struct fs_grant g;

	return fs_vault_glass_open(t.v, s, &in, &g, &t.say);
}

static void says_not(struct fs_session *by, const char *who, const char *piece)
{
	char *text;

	ck_assert_int_eq(explain_at(by, who, "p", "", 0, &text), 0);
	ck_assert_msg(!strstr(text, piece), "`%s` is in:\n%s", piece, text);
	free(text);
}

START_TEST(emergency_access_is_told_to_whose_role_has_it_and_to_nobody_else)
{
	struct fs_session *anna, *bo, *max, *dan = glass_clinic(&anna, &bo, &max);
	char none[sizeof(t.say.text)];

	/* Asked by a steward, of others. */
	says(dan, "max", "p", "", GLASS_ADVICE);
	t_put(dan, "p", "journal \"p\"\nunit north\nallow user:anna:rwx\nblock user:bo\n");
	says_not(dan, "bo", GLASS_ADVICE);
	says_not(dan, "bo", "mergency");
	says_not(dan, "anna", GLASS_ADVICE);
	/* Of themselves: hidden and not there are one and the same. */
	ck_assert_int_eq(refusal(max, "", "p", 0), -ENOENT);
	ck_assert_ptr_nonnull(strstr(t.say.text, GLASS_ADVICE));
	snprintf(none, sizeof(none), "%s", t.say.text);
	ck_assert_int_eq(refusal(max, "", "q", 0), -ENOENT);
	*strchr(t.say.text, 'q') = 'p';
	ck_assert_str_eq(t.say.text, none);
	ck_assert_int_eq(refusal(bo, "", "p", 0), -ENOENT);
	ck_assert_ptr_null(strstr(t.say.text, GLASS_ADVICE));
	ck_assert_int_eq(refusal(max, "", "p", 1000), -ENOENT);
	ck_assert_ptr_null(strstr(t.say.text, GLASS_ADVICE));
	t_logout(max);
	t_logout(anna);
	t_logout(bo);
	t_logout(dan);
}
END_TEST

START_TEST(own_open_grant_is_explained_to_who_has_it_alone)
{
	struct fs_session *anna, *bo, *max, *dan = glass_clinic(&anna, &bo, &max);
	int64_t before_s = fs_vault_wall_s();

	while (fs_vault_wall_s() == before_s)
		usleep(20000);
	ck_assert_int_eq(refusal(max, "", "p", 0), -ENOENT);
	ck_assert_int_eq(glass(max, false), 0);
	says(max, "", "p", "", "Allowed: emergency access, grant 1.");
	says(max, "max", "p", "write", "does not give write");
	says_not(max, "", "key has not been given");
	says_not(max, "", GLASS_ADVICE);
	/* Of a time before it: as if there were none. Of others: that is for who reviews grants. */
	ck_assert_int_eq(refusal(max, "", "p", before_s), -ENOENT);
	says_not(dan, "max", "grant 1");
	says(dan, "max", "p", "", "Denied: ");
	ck_assert_int_eq(refusal(max, "", "no such", 0), -ENOENT);
	/* It ends, and with it what can be asked. */
	ck_assert_int_eq(fs_vault_glass_close(t.v, max, "p", &t.say), 0);
	ck_assert_int_eq(refusal(max, "", "p", 0), -ENOENT);
	t_logout(max);
	t_logout(anna);
	t_logout(bo);
	t_logout(dan);
}
END_TEST

/* A block that was not passed hides the journal from its own grant too. */
START_TEST(grant_explains_no_block_that_it_did_not_pass)
{
	struct fs_session *anna, *bo, *max, *dan = glass_clinic(&anna, &bo, &max);

	ck_assert_int_eq(glass(max, false), 0);
	says(max, "", "p", "", "grant 1");
	t_put(dan, "p", P_POLICY "block user:max\n");
	ck_assert_int_eq(refusal(max, "", "p", 0), -ENOENT);
	/* It is no access any more: another one is asked for, which is to pass the block. */
	ck_assert_int_eq(glass(max, false), -EDOTDOT);
	ck_assert_int_eq(glass(max, true), 0);
	ck_assert_int_eq(glass(max, true), -EEXIST);
	says(max, "", "p", "", "Allowed: emergency access, grant 2, past the patient's block.");
	t_logout(max);
	t_logout(anna);
	t_logout(bo);
	t_logout(dan);
}
END_TEST

/* The second step is asked for where the role is a ground before the block, too. */
START_TEST(block_is_a_step_of_its_own_for_a_role_that_may_not_read)
{
	struct fs_session *anna, *bo, *max, *dan = glass_clinic(&anna, &bo, &max);
	struct fs_glass_preview seen;
	char policy[T_POLICY_MAX];

	t_edit(policy, "practitioner max user max role physician",
	       "role guard clinical may break-glass\npractitioner max user max role guard");
	t_put(dan, "practice", policy);
	t_put(dan, "p", P_POLICY "block user:max\n");
	ck_assert_int_eq(fs_vault_glass_ask(t.v, max, "p", &seen, &t.say), 0);
	ck_assert(seen.blocked);
	ck_assert_int_eq(glass(max, false), -EDOTDOT);
	ck_assert_int_eq(glass(max, true), 0);
	ck_assert(t_may(max, 1, POLICY_READ) && !t_may(max, 1, POLICY_WRITE));
	t_logout(max);
	t_logout(anna);
	t_logout(bo);
	t_logout(dan);
}
END_TEST

/* ---- test ---- */

static struct {
	char text[4096];
	unsigned n;
} failures;

static int take(void *ctx, const char *line)
{
	(void)ctx;
	failures.n++;
	strncat(failures.text, line, sizeof(failures.text) - strlen(failures.text) - 2);
	strcat(failures.text, "\n");
	return 0;
}

static int try(struct fs_session *by, const char *text, const struct fs_policy_draft *draft,
	       size_t drafts, struct fs_policy_tested *out, char **report)
{
	const struct fs_policy_test in = {
		.draft = draft,
		.drafts = drafts,
		.name = "expect",
		.text = text,
		.len = strlen(text),
		.at_s = 1764547200, /* 2025-12-01 */
	};

	memset(&failures, 0, sizeof(failures));
	t.say.text[0] = '\0';
	*report = NULL;
	return fs_vault_policy_test(t.v, by, &in, take, NULL, out, report, &t.say);
}

static struct fs_policy_draft draft_of(const char *file, const char *text)
{
	return (struct fs_policy_draft){file, text, strlen(text)};
}

START_TEST(expectations_are_judged_by_what_is_in_force)
{
	struct fs_session *anna, *bo, *dan = clinic(&anna, &bo);
	struct fs_policy_tested out;
	char *report;

	ck_assert_int_eq(try(dan,
			     "expect anna read,write \"p\" allow\n"
			     "expect bo write \"p\" allow\n"
			     "expect bo read \"p\" allow\n"
			     "expect bo read \"no such\" deny\n"
			     "expect dan policy allow\n",
			     NULL, 0, &out, &report),
			 0);
	ck_assert_uint_eq(out.total, 5);
	ck_assert_uint_eq(out.failed, 2);
	ck_assert_uint_eq(failures.n, 2);
	ck_assert_ptr_nonnull(strstr(failures.text, "expect:2"));
	ck_assert_ptr_nonnull(strstr(failures.text, "no such"));
	t_logout(anna);
	t_logout(bo);
	t_logout(dan);
}
END_TEST

START_TEST(drafts_are_laid_over_and_change_nothing)
{
	struct fs_session *anna, *bo, *dan = clinic(&anna, &bo);
	uint32_t version = fs_vault_policy_version(t.v);
	struct fs_policy_draft draft[3];
	struct fs_policy_tested out;
	char policy[T_POLICY_MAX], *report;
	static const char expect[] = "expect zoe read \"p\" allow\n"
				     "expect zoe read \"new\" allow\n"
				     "expect anna read \"p\" deny\n";

	t_edit(policy, "practitioner bo", "include practice.d\npractitioner bo");
	draft[0] = draft_of("practice", policy);
	draft[1] = draft_of("practice.d/more", "practitioner zoe user zoe role nurse unit north\n");
	draft[2] = draft_of("p", "journal \"p\"\nallow user:zoe:r-x\n");
	ck_assert_int_eq(try(dan, expect, draft, 3, &out, &report), 0);
	ck_assert_uint_eq(out.failed, 1);
	ck_assert_ptr_nonnull(strstr(failures.text, "expect:2"));
	ck_assert_uint_eq(fs_vault_policy_version(t.v), version);
	ck_assert(!t_may(bo, 1, POLICY_WRITE) && t_may(anna, 1, POLICY_WRITE));
	/* Nobody of the last trial is known to the next. */
	ck_assert_int_eq(try(dan, expect, draft + 2, 1, &out, &report), -EINVAL);
	ck_assert_ptr_nonnull(strstr(report, "p:2:"));
	free(report);
	ck_assert_int_eq(try(dan, "expect nonsense\n", NULL, 0, &out, &report), -EINVAL);
	ck_assert_ptr_nonnull(strstr(report, "expect:1:"));
	free(report);
	draft[0] = draft_of("q", P_POLICY);
	ck_assert_int_eq(try(dan, "expect anna read \"p\" allow\n", draft, 1, &out, &report),
			 -EINVAL);
	ck_assert_ptr_nonnull(strstr(report, "journal \"p\""));
	free(report);
	t_logout(anna);
	t_logout(bo);
	t_logout(dan);
}
END_TEST

START_TEST(trying_is_for_stewards)
{
	struct fs_session *anna, *bo, *dan = clinic(&anna, &bo);
	struct fs_policy_tested out;
	char *report;

	ck_assert_int_eq(try(anna, "expect anna read \"p\" allow\n", NULL, 0, &out, &report),
			 -EACCES);
	ck_assert_uint_eq(out.total, 0);
	ck_assert_uint_eq(t_logged(POLICY_RECORD_REFUSED, "trying a policy"), 1);
	t_logout(anna);
	t_logout(bo);
	t_logout(dan);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("fs/policy_ask");
	TCase *tc = tcase_create("ask");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, t_setup, t_teardown);
	tcase_add_test(tc, steward_is_told_rule_and_missing_condition);
	tcase_add_test(tc, missing_identity_and_missing_key_are_told);
	tcase_add_test(tc, auditor_may_ask_about_anybody_and_practitioners_about_themselves);
	tcase_add_test(tc, hidden_is_answered_like_not_there);
	tcase_add_test(tc, shown_block_is_explained_to_whom_it_refuses);
	tcase_add_test(tc, time_asked_about_has_its_own_practice_and_journal);
	tcase_add_test(tc, action_that_is_none_is_refused_with_those_there_are);
	tcase_add_test(tc, emergency_access_is_told_to_whose_role_has_it_and_to_nobody_else);
	tcase_add_test(tc, own_open_grant_is_explained_to_who_has_it_alone);
	tcase_add_test(tc, grant_explains_no_block_that_it_did_not_pass);
	tcase_add_test(tc, block_is_a_step_of_its_own_for_a_role_that_may_not_read);
	tcase_add_test(tc, expectations_are_judged_by_what_is_in_force);
	tcase_add_test(tc, drafts_are_laid_over_and_change_nothing);
	tcase_add_test(tc, trying_is_for_stewards);
	suite_add_tcase(s, tc);
	return t_run(s);
}
