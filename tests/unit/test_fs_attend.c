/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A care relationship of one's own: who may state one, what it gives and for how
 * long, what it never passes, and what stands in the log.
 */
#include "test_fs_vault.h"

#define REASON "covering for Anna this weekend"

static uint32_t p;
static struct fs_session *dan, *anna, *eva;

/* Anna's journal p; eva (who may attend, of the same unit) enrolled and logged in. */
static void clinic(const char *from, const char *to)
{
	char policy[T_POLICY_MAX], more[T_POLICY_MAX];
	char *at;

	dan = t_clinic();
	t_edit(policy, "role reader clinical may list read",
	       "role reader clinical may list read attend");
	at = from ? strstr(policy, from) : NULL;
	if (from) {
		ck_assert_ptr_nonnull(at);
		snprintf(more, sizeof(more), "%.*s%s%s", (int)(at - policy), policy, to,
			 at + strlen(from));
		t_put(dan, "practice", more);
	} else {
		t_put(dan, "practice", policy);
	}
	t_enroll(dan, "anna", ANNA);
	t_enroll(dan, "eva", EVA);
	anna = t_login("anna", ANNA);
	p = t_make(anna, "p");
	t_write(anna, p, "note", "what anna wrote");
	eva = t_login("eva", EVA);
	t_ticks();
}

static int attend(struct fs_session *s, const char *journal, const char *reason, uint32_t seconds,
		  int64_t *until_s)
{
	const struct fs_attend in = {journal, reason, seconds};

	t.say.text[0] = '\0';
	return fs_vault_attend(t.v, s, &in, until_s, &t.say);
}

static char *text_of(const char *journal)
{
	uint32_t which = 0, version;
	char *text = NULL;
	size_t len;

	ck_assert_int_eq(fs_policies_file(t.v, journal, &which), 0);
	ck_assert_int_eq(fs_policies_text(t.v, which, &text, &len, &version), 0);
	return text;
}

static void everybody_out(void)
{
	t_logout(eva);
	t_logout(anna);
	t_logout(dan);
}

START_TEST(attending_opens_the_journal_and_is_logged_with_its_reason)
{
	int64_t until_s = 0, now = fs_vault_wall_s();
	char got[256], *text;

	clinic(NULL, NULL);
	t_put(dan, "p", "journal \"p\"\n# kept\nunit north\nallow   user:anna:rwx  # treats\n");
	ck_assert(!t_may(eva, p, POLICY_READ));
	ck_assert_int_eq(attend(eva, "p", REASON, 2 * 3600, &until_s), 0);
	ck_assert_str_eq(t.say.text, "");
	ck_assert_int_ge(until_s, now + 2 * 3600 - 60);
	ck_assert_int_le(until_s, now + 2 * 3600 + 60);
	ck_assert(t_may(eva, p, POLICY_READ));
	ck_assert(!t_may(eva, p, POLICY_WRITE));
	t_read(eva, p, "note", got);
	ck_assert_str_eq(got, "what anna wrote");
	text = text_of("p");
	ck_assert_ptr_nonnull(strstr(text, "# kept\nunit north\nallow   user:anna:rwx  # treats\n"));
	ck_assert_ptr_nonnull(strstr(text, "user:eva"));
	ck_assert_ptr_nonnull(strstr(text, "\"" REASON "\""));
	free(text);
	ck_assert_uint_eq(t_logged(POLICY_RECORD_ATTEND, "version"), 1);
	everybody_out();
}
END_TEST

START_TEST(stated_relationship_ends_by_itself)
{
	struct policy_verdict v;
	int64_t until_s = 0;

	clinic(NULL, NULL);
	ck_assert_int_eq(attend(eva, "p", REASON, 0, &until_s), 0);
	fs_catalog_verdict(t.v, fs_catalog_by_index(t.v, p), "eva", POLICY_READ, until_s - 1, &v);
	ck_assert_int_eq(v.answer, POLICY_ALLOW);
	ck_assert_int_eq(v.until_s, until_s);
	fs_catalog_verdict(t.v, fs_catalog_by_index(t.v, p), "eva", POLICY_READ, until_s, &v);
	ck_assert_int_eq(v.answer, POLICY_DENY);
	everybody_out();
}
END_TEST

START_TEST(steward_who_takes_the_line_out_ends_it)
{
	int64_t until_s;

	clinic(NULL, NULL);
	ck_assert_int_eq(attend(eva, "p", REASON, 0, &until_s), 0);
	t_put(dan, "p", "journal \"p\"\nunit north\nallow user:anna:rwx\n");
	ck_assert(!t_may(eva, p, POLICY_READ));
	everybody_out();
}
END_TEST

START_TEST(again_replaces_the_line_instead_of_adding_one)
{
	int64_t first, second;
	char *text, *at;

	clinic(NULL, NULL);
	ck_assert_int_eq(attend(eva, "p", REASON, 3600, &first), 0);
	ck_assert_int_eq(attend(eva, "p", REASON, 1800, &second), -EEXIST);
	ck_assert_ptr_nonnull(strstr(t.say.text, "already"));
	ck_assert_int_eq(attend(eva, "p", "still covering for Anna", 7200, &second), 0);
	ck_assert_int_eq(second, first + 3600);
	text = text_of("p");
	at = strstr(text, "attend");
	ck_assert_ptr_nonnull(at);
	ck_assert_ptr_null(strstr(at + 1, "attend"));
	ck_assert_ptr_nonnull(strstr(text, "still covering"));
	free(text);
	everybody_out();
}
END_TEST

static void same_as_no_journal(const char *journal)
{
	int64_t until_s = 0;
	char said[sizeof(t.say.text)];

	ck_assert_int_eq(attend(eva, "no such journal", REASON, 0, &until_s), -ENOENT);
	memcpy(said, t.say.text, sizeof(said));
	ck_assert_int_eq(attend(eva, journal, REASON, 0, &until_s), -ENOENT);
	ck_assert_str_eq(t.say.text, said);
	ck_assert_int_eq(until_s, 0);
}

START_TEST(block_is_not_passed_and_not_told_of)
{
	uint32_t version;

	clinic(NULL, NULL);
	t_put(dan, "p", "journal \"p\"\nunit north\nallow user:anna:rwx\nblock user:eva\n");
	version = fs_vault_policy_version(t.v);
	same_as_no_journal("p");
	t_put(dan, "p", "journal \"p\"\nunit south\nallow user:anna:rwx\nblock unit:north\n"
			"allow user:max:rwx\n");
	same_as_no_journal("p");
	ck_assert_uint_eq(fs_vault_policy_version(t.v), version + 1);
	ck_assert(!t_may(eva, p, POLICY_READ));
	ck_assert_uint_eq(t_logged(POLICY_RECORD_REFUSED, "attending: a block"), 2);
	ck_assert_uint_eq(t_logged(POLICY_RECORD_ATTEND, NULL), 0);
	everybody_out();
}
END_TEST

START_TEST(block_is_told_of_where_the_practice_says_so)
{
	int64_t until_s;

	clinic("unit north \"Nord\"\n", "unit north \"Nord\"\nblocks shown\n");
	t_put(dan, "p", "journal \"p\"\nunit north\nallow user:anna:rwx\nblock user:eva\n");
	ck_assert_int_eq(attend(eva, "p", REASON, 0, &until_s), -EACCES);
	ck_assert_ptr_nonnull(strstr(t.say.text, "blocked"));
	ck_assert(!t_may(eva, p, POLICY_READ));
	everybody_out();
}
END_TEST

START_TEST(roles_that_may_not_attend_are_refused_and_logged)
{
	struct fs_session *bo, *sue;
	int64_t until_s;

	clinic(NULL, NULL);
	t_enroll(dan, "bo", BO);
	t_enroll(dan, "sue", SUE);
	bo = t_login("bo", BO);
	sue = t_login("sue", SUE);
	ck_assert_int_eq(attend(bo, "p", REASON, 0, &until_s), -EACCES);
	ck_assert_int_eq(attend(sue, "p", REASON, 0, &until_s), -EACCES);
	ck_assert_int_eq(attend(dan, "p", REASON, 0, &until_s), -EACCES);
	/* Nor do they learn which names there are. */
	ck_assert_int_eq(attend(sue, "no such journal", REASON, 0, &until_s), -EACCES);
	ck_assert_uint_eq(t_logged(POLICY_RECORD_REFUSED, "attending: the role"), 4);
	ck_assert(!t_may(bo, p, POLICY_READ) && !t_may(sue, p, POLICY_READ) &&
		  !t_may(dan, p, POLICY_READ));
	t_logout(bo);
	t_logout(sue);
	everybody_out();
}
END_TEST

START_TEST(reason_and_time_have_bounds)
{
	char longest[400];
	int64_t until_s;

	clinic("unit north \"Nord\"\n", "unit north \"Nord\"\nattend limit 8h reason 20\n");
	memset(longest, 'a', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	ck_assert_int_eq(attend(eva, "p", "", 0, &until_s), -EINVAL);
	ck_assert_int_eq(attend(eva, "p", "nineteen characters", 0, &until_s), -EINVAL);
	ck_assert_ptr_nonnull(strstr(t.say.text, "20 characters"));
	ck_assert_int_eq(attend(eva, "p", "                              ", 0, &until_s), -EINVAL);
	ck_assert_int_eq(attend(eva, "p", "a line\nblock user:anna in the text", 0, &until_s),
			 -EINVAL);
	ck_assert_int_eq(attend(eva, "p", longest, 0, &until_s), -EINVAL);
	ck_assert_int_eq(attend(eva, "p", "not UTF-8 \xff\xfe at all, this reason", 0, &until_s),
			 -EINVAL);
	ck_assert_int_eq(attend(eva, "p", "twenty characters of words", 8 * 3600 + 60, &until_s),
			 -EINVAL);
	ck_assert_ptr_nonnull(strstr(t.say.text, "480 minutes"));
	ck_assert(!t_may(eva, p, POLICY_READ));
	ck_assert_int_eq(attend(eva, "p", "says \"hello\" and \\ as well", 0, &until_s), 0);
	ck_assert(t_may(eva, p, POLICY_READ));
	everybody_out();
}
END_TEST

START_TEST(key_waits_for_somebody_who_holds_it)
{
	int64_t until_s;
	char got[256];

	clinic(NULL, NULL);
	t_logout(anna);
	ck_assert_int_eq(attend(eva, "p", REASON, 0, &until_s), 0);
	ck_assert_ptr_nonnull(strstr(t.say.text, "Nobody who holds"));
	ck_assert(t_may(eva, p, POLICY_READ));
	anna = t_login("anna", ANNA);
	t_ticks();
	t_read(eva, p, "note", got);
	ck_assert_str_eq(got, "what anna wrote");
	everybody_out();
}
END_TEST

START_TEST(break_glass_key_serves_who_may_break_the_glass_and_is_told)
{
	int64_t until_s;
	char got[256];

	clinic("may list read attend", "may list read attend break-glass");
	t_ticks();
	t_logout(anna);
	ck_assert_int_eq(attend(eva, "p", REASON, 0, &until_s), 0);
	ck_assert_str_eq(t.say.text, "");
	t_read(eva, p, "note", got);
	ck_assert_str_eq(got, "what anna wrote");
	ck_assert_uint_eq(t_logged(POLICY_RECORD_KEYS, "with the break-glass key"), 1);
	anna = t_login("anna", ANNA);
	everybody_out();
}
END_TEST

START_TEST(break_glass_key_serves_every_generation_of_a_key_that_is_renewed)
{
	struct fs_journals_present g = {.n = 1};
	int64_t until_s;
	uint32_t n = 0;
	char got[256];

	clinic("may list read attend", "may list read attend break-glass");
	t_ticks();
	ck_assert_int_eq(fs_vault_renew(t.v, dan, "p", "", &n, &t.say), 0);
	for (int i = 0; i < 200 && g.n == 1; i++) {
		(void)fs_vault_renew_more(t.v);
		ck_assert_int_eq(fs_group_sync(fs_records_group(t.v->records), 0), 0);
		ck_assert_int_eq(fs_journals_present(t.v, p, &g), 0);
	}
	ck_assert_uint_eq(g.n, 2);
	t_logout(anna);
	ck_assert_int_eq(attend(eva, "p", REASON, 0, &until_s), 0);
	t_read(eva, p, "note", got);
	ck_assert_str_eq(got, "what anna wrote");
	ck_assert_uint_eq(t_logged(POLICY_RECORD_KEYS, "with the break-glass key"), 1);
	anna = t_login("anna", ANNA);
	everybody_out();
}
END_TEST

/* Whoever holds the key may have left: an admitted clinician asks for it, which is told. */
START_TEST(admitted_clinician_whose_key_waits_asks_for_it)
{
	int64_t until_s;
	char got[256];

	clinic("may list read attend", "may list read attend break-glass");
	t_ticks();
	t_logout(anna);
	t_put(dan, "p", "journal \"p\"\nunit north\nallow user:anna:rwx\nallow user:eva:r-x\n");
	t_ticks();
	ck_assert_uint_eq(t_logged(POLICY_RECORD_KEYS, "with the break-glass key"), 0);
	ck_assert_int_eq(attend(eva, "p", REASON, 0, &until_s), 0);
	ck_assert_ptr_nonnull(strstr(t.say.text, "admitted already"));
	t_read(eva, p, "note", got);
	ck_assert_str_eq(got, "what anna wrote");
	ck_assert_uint_eq(t_logged(POLICY_RECORD_KEYS, "with the break-glass key"), 1);
	ck_assert_int_eq(attend(eva, "p", REASON, 0, &until_s), -EEXIST);
	anna = t_login("anna", ANNA);
	everybody_out();
}
END_TEST

/* What an attending clinician wrote is believed afterwards, by whoever opens the journal. */
START_TEST(notes_written_while_attending_verify_later)
{
	int64_t until_s;
	char got[256];

	clinic("role reader clinical may list read attend", "role reader clinical may list read write attend");
	ck_assert_int_eq(attend(eva, "p", REASON, 0, &until_s), 0);
	t_write(eva, p, "hers", "what eva wrote");
	t_logout(eva);
	t_put(dan, "p", "journal \"p\"\nunit north\nallow user:anna:rwx\n");
	t_logout(anna);
	t_logout(dan);
	t_close();
	t_open();
	anna = t_login("anna", ANNA);
	t_read(anna, p, "hers", got);
	ck_assert_str_eq(got, "what eva wrote");
	t_logout(anna);
}
END_TEST

/* A text that has grown beyond what a steward may save could not be changed by anybody. */
START_TEST(policy_that_is_full_is_not_filled_further)
{
	static char text[FS_JOURNAL_TEXT_MAX + 1];
	int64_t until_s;
	size_t len = (size_t)snprintf(text, sizeof(text),
				      "journal \"p\"\nunit north\nallow user:anna:rwx\n");

	clinic(NULL, NULL);
	while (len + 64 < FS_JOURNAL_TEXT_MAX)
		len += (size_t)snprintf(text + len, sizeof(text) - len,
					"# a line of what was agreed with the patient, and when\n");
	t_put(dan, "p", text);
	ck_assert_int_eq(attend(eva, "p", REASON, 0, &until_s), -EFBIG);
	ck_assert_uint_eq(t_logged(POLICY_RECORD_REFUSED, "policy is full"), 1);
	ck_assert(!t_may(eva, p, POLICY_READ));
	t_put(dan, "p", "journal \"p\"\nunit north\nallow user:anna:rwx\n");
	ck_assert_int_eq(attend(eva, "p", REASON, 0, &until_s), 0);
	everybody_out();
}
END_TEST

START_TEST(locked_session_states_nothing)
{
	int64_t until_s;

	clinic(NULL, NULL);
	fs_vault_lock_begin(t.v, eva);
	ck_assert_int_eq(fs_vault_lock_finish(t.v, eva, "test"), 0);
	ck_assert_int_eq(attend(eva, "p", REASON, 0, &until_s), -ENOKEY);
	everybody_out();
}
END_TEST

int main(void)
{
	Suite *s = suite_create("fs/attend");
	TCase *tc = tcase_create("attend");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, t_setup, t_teardown);
	tcase_add_test(tc, attending_opens_the_journal_and_is_logged_with_its_reason);
	tcase_add_test(tc, stated_relationship_ends_by_itself);
	tcase_add_test(tc, steward_who_takes_the_line_out_ends_it);
	tcase_add_test(tc, again_replaces_the_line_instead_of_adding_one);
	tcase_add_test(tc, block_is_not_passed_and_not_told_of);
	tcase_add_test(tc, block_is_told_of_where_the_practice_says_so);
	tcase_add_test(tc, roles_that_may_not_attend_are_refused_and_logged);
	tcase_add_test(tc, reason_and_time_have_bounds);
	tcase_add_test(tc, key_waits_for_somebody_who_holds_it);
	tcase_add_test(tc, break_glass_key_serves_who_may_break_the_glass_and_is_told);
	tcase_add_test(tc,
		       break_glass_key_serves_every_generation_of_a_key_that_is_renewed);
	tcase_add_test(tc, admitted_clinician_whose_key_waits_asks_for_it);
	tcase_add_test(tc, notes_written_while_attending_verify_later);
	tcase_add_test(tc, policy_that_is_full_is_not_filled_further);
	tcase_add_test(tc, locked_session_states_nothing);
	suite_add_tcase(s, tc);
	return t_run(s);
}
