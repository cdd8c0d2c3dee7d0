/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A journal's policy as an access list: who is in it under which number, and what a
 * changed list makes of the text.
 */
#include <pwd.h>

#include "fs/vault_acl.h"
#include "test_fs_vault.h"

static struct fs_acl acl;

static const char text[] = "journal \"p\" # of anna\n"
			   "unit north\n"
			   "allow   user:anna:rwx  reason \"treating\"\n"
			   "  allow unit:north:r-x\t# ward\n"
			   "allow   user:max:r-x\n"
			   "block   user:sue\n";

/* dan, anna and sue are enrolled, max is the system's account `daemon`, north the group `bin`. */
static struct fs_session *clinic(uint32_t *index)
{
	struct fs_session *dan = t_clinic(), *anna;
	char policy[T_POLICY_MAX];

	t_edit(policy, "max user max", "max user daemon");
	t_put(dan, "practice", policy);
	t_enroll(dan, "anna", ANNA);
	t_enroll(dan, "sue", SUE);
	anna = t_login("anna", ANNA);
	*index = t_make(anna, "p");
	t_logout(anna);
	t_put(dan, "p", text);
	return dan;
}

static void groups(struct fs_session *dan, const char *of_north, const char *of_south)
{
	char policy[T_POLICY_MAX], units[256];

	snprintf(units, sizeof(units), "unit north \"Nord\" %s\nunit south \"Syd\" %s\n", of_north,
		 of_south);
	t_edit(policy, "unit north \"Nord\"\nunit south \"Syd\"\n", units);
	memcpy(strstr(policy, "max user max"), "max user bin", 12);
	t_put(dan, "practice", policy);
}

static uint32_t account(const char *name)
{
	const struct passwd *pw = getpwnam(name);

	ck_assert_ptr_nonnull(pw);
	return pw->pw_uid;
}

/* rwx as a number, or -1. */
static int shown(uint32_t index, bool group, uint32_t id)
{
	ck_assert_int_eq(fs_vault_acl(t.v, index, &acl), 0);
	for (size_t i = 0; i < acl.count; i++) {
		if (acl.entry[i].group == group && acl.entry[i].id == id)
			return (int)acl.entry[i].perms;
	}
	return -1;
}

/* The list that is shown with one entry changed, added, or (-1) left out. */
static int put(struct fs_session *by, uint32_t index, bool group, uint32_t id, int perms)
{
	size_t i = 0;

	ck_assert_int_eq(fs_vault_acl(t.v, index, &acl), 0);
	while (i < acl.count && (acl.entry[i].group != group || acl.entry[i].id != id))
		i++;
	if (perms >= 0) {
		acl.entry[i] = (struct fs_acl_entry){group, id, (unsigned)perms};
		acl.count += i == acl.count;
	} else {
		ck_assert_uint_lt(i, acl.count);
		acl.entry[i] = acl.entry[--acl.count];
	}
	return fs_vault_acl_put(t.v, by, index, &acl);
}

static void expect(struct fs_session *dan, const char *want)
{
	uint32_t version;
	char *now = NULL;
	size_t len;

	ck_assert_int_eq(fs_vault_policy_show(t.v, dan, "p", &now, &len, &version, &t.say), 0);
	ck_assert_str_eq(now, want);
	free(now);
}

static void refused(struct fs_session *dan, int rc, const char *why)
{
	static unsigned before;
	unsigned now = t_logged(POLICY_RECORD_REFUSED, "setfacl: ");

	ck_assert_int_eq(rc, -EINVAL);
	ck_assert_msg(t_logged(POLICY_RECORD_REFUSED, why) >= 1, "%s", why);
	ck_assert_uint_gt(now, before);
	before = now;
	expect(dan, text);
}

START_TEST(list_names_enrolled_accounts_system_accounts_and_groups)
{
	uint32_t index;
	struct fs_session *dan = clinic(&index);

	/* north has no group yet */
	ck_assert_int_eq(shown(index, false, ANNA), 7);
	ck_assert_uint_eq(acl.count, 3);
	ck_assert_int_eq(shown(index, false, account("daemon")), 5);
	ck_assert_int_eq(shown(index, false, SUE), 0);
	groups(dan, "group bin", "");
	ck_assert_int_eq(shown(index, true, account("bin")), 5);
	ck_assert_int_eq(shown(index, false, account("bin")), 5);
	ck_assert_uint_eq(acl.count, 4);
	ck_assert_int_eq(fs_vault_acl(t.v, 77, &acl), -ENOENT);
	t_logout(dan);
	ck_assert_int_eq(fs_vault_acl(t.v, index, &acl), -ENOKEY);
}
END_TEST

START_TEST(who_left_and_whom_the_host_does_not_know_are_not_in_the_list)
{
	uint32_t index;
	struct fs_session *dan = clinic(&index);
	char policy[T_POLICY_MAX];

	t_edit(policy, "anna user anna role physician unit north",
	       "anna user anna role physician unit north left");
	t_put(dan, "practice", policy); /* max is an account that there is not, again */
	ck_assert_int_eq(shown(index, false, SUE), 0);
	ck_assert_uint_eq(acl.count, 1);
	refused(dan, put(dan, index, false, ANNA, 7), "no practitioner's");
	/* An identity for another account than policy names now is not hers. */
	t_edit(policy, "anna user anna role", "anna user games role");
	t_put(dan, "practice", policy);
	ck_assert_int_eq(shown(index, false, ANNA), -1);
	ck_assert_int_eq(shown(index, false, account("games")), 7);
	t_logout(dan);
}
END_TEST

START_TEST(changed_list_changes_the_lines_that_differ)
{
	uint32_t index;
	struct fs_session *dan = clinic(&index);
	uint32_t before = fs_vault_policy_version(t.v);

	ck_assert_int_eq(fs_vault_acl(t.v, index, &acl), 0);
	ck_assert_int_eq(fs_vault_acl_put(t.v, dan, index, &acl), 0);
	ck_assert_uint_eq(fs_vault_policy_version(t.v), before);
	ck_assert_int_eq(put(dan, index, false, ANNA, 5), 0);
	ck_assert_uint_eq(fs_vault_policy_version(t.v), before + 1);
	ck_assert_int_eq(put(dan, index, false, account("daemon"), -1), 0);
	ck_assert_int_eq(put(dan, index, false, DAN, 1), 0);
	expect(dan, "journal \"p\" # of anna\nunit north\n"
		    "allow   user:anna:r-x  reason \"treating\"\n"
		    "  allow unit:north:r-x\t# ward\n"
		    "  allow user:dan:--x\n"
		    "block   user:sue\n");
	ck_assert_uint_eq(t_logged(POLICY_RECORD_POLICY, "user:dan:--x"), 1);
	t_logout(dan);
}
END_TEST

START_TEST(list_that_lines_can_not_say_is_refused_with_the_reason_in_the_log)
{
	uint32_t index;
	struct fs_session *dan = clinic(&index);

	refused(dan, put(dan, index, false, 4242, 5), "account 4242 is no practitioner's");
	refused(dan, put(dan, index, true, 4242, 5), "group 4242 is no unit's group");
	refused(dan, put(dan, index, false, SUE, 5), "sue is blocked");
	refused(dan, put(dan, index, false, SUE, -1), "sue is blocked");
	refused(dan, put(dan, index, false, DAN, 0), "write `block user:dan`");
	refused(dan, put(dan, index, false, ANNA, 0), "lets anna in");
	t_logout(dan);
}
END_TEST

START_TEST(group_of_two_units_is_clear_only_where_one_has_an_entry)
{
	static const char both[] = "journal \"p\"\nallow user:anna:rwx\nallow unit:north:r-x\n"
				   "allow unit:south:-wx\n",
			  none[] = "journal \"p\"\nallow user:anna:rwx\n";
	uint32_t index;
	struct fs_session *dan = clinic(&index);

	groups(dan, "group bin", "group bin");
	ck_assert_int_eq(put(dan, index, true, account("bin"), 7), 0);
	ck_assert_int_eq(shown(index, true, account("bin")), 7);
	t_put(dan, "p", both);
	ck_assert_int_eq(shown(index, true, account("bin")), 7);
	ck_assert_int_eq(put(dan, index, true, account("bin"), -1), -EINVAL);
	ck_assert_uint_eq(t_logged(POLICY_RECORD_REFUSED, "not the only one"), 1);
	expect(dan, both);
	t_put(dan, "p", none);
	ck_assert_int_eq(put(dan, index, true, account("bin"), 5), -EINVAL);
	ck_assert_uint_eq(t_logged(POLICY_RECORD_REFUSED, "that of several"), 1);
	expect(dan, none);
	t_logout(dan);
}
END_TEST

START_TEST(list_that_lets_nobody_in_is_refused_by_the_parser)
{
	static const char alone[] = "journal \"p\"\nallow user:anna:rwx\n";
	uint32_t index;
	struct fs_session *dan = clinic(&index);

	t_put(dan, "p", alone);
	ck_assert_int_eq(put(dan, index, false, ANNA, -1), -EINVAL);
	expect(dan, alone);
	ck_assert_uint_eq(t_logged(POLICY_RECORD_REFUSED, "setfacl: p:1:1: "), 1);
	t_logout(dan);
}
END_TEST

START_TEST(list_without_the_policy_right_is_refused_and_logged)
{
	uint32_t index;
	struct fs_session *dan = clinic(&index), *anna = t_login("anna", ANNA);

	ck_assert_int_eq(put(anna, index, false, DAN, 5), -EACCES);
	ck_assert_uint_eq(t_logged(POLICY_RECORD_REFUSED, "changing the policy of a journal"), 1);
	expect(dan, text);
	t_logout(anna);
	t_logout(dan);
}
END_TEST

/* ---- two at once ---- */

static struct fs_session *steward;
static uint32_t journal;

static void *toggle(void *arg)
{
	uint32_t uid = *(uint32_t *)arg;
	static __thread struct fs_acl mine;

	for (int i = 0; i < 15; i++) {
		int rc = -EBUSY;

		while (rc == -EBUSY) {
			size_t k = 0;

			ck_assert_int_eq(fs_vault_acl(t.v, journal, &mine), 0);
			while (k < mine.count && mine.entry[k].id != uid)
				k++;
			mine.entry[k] = (struct fs_acl_entry){false, uid, i % 2 ? 5 : 1};
			mine.count += k == mine.count;
			rc = fs_vault_acl_put(t.v, steward, journal, &mine);
		}
		ck_assert_int_eq(rc, 0);
	}
	return NULL;
}

START_TEST(changes_by_two_at_once_go_one_after_the_other)
{
	uint32_t uids[2] = {DAN, account("daemon")};
	pthread_t threads[2];
	uint32_t before;

	steward = clinic(&journal);
	before = fs_vault_policy_version(t.v);
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, toggle, &uids[i]), 0);
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	/*
	 * Which of two lists was read first is theirs to know, and one that was read before the other's change may
	 * take that back; nothing is doubled, and who comes alone afterwards finds all in order.
	 */
	ck_assert_int_eq(shown(journal, false, ANNA), 7);
	ck_assert_uint_le(acl.count, 4);
	for (int i = 0; i < 2; i++)
		toggle(&uids[i]);
	ck_assert_int_gt(shown(journal, false, DAN), 0);
	ck_assert_int_gt(shown(journal, false, account("daemon")), 0);
	ck_assert_int_eq(shown(journal, false, ANNA), 7);
	ck_assert_uint_eq(acl.count, 4);
	ck_assert_uint_ge(fs_vault_policy_version(t.v), before + 15);
	t_logout(steward);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("fs_vault_acl");
	TCase *tc = tcase_create("acl");

	tcase_add_checked_fixture(tc, t_setup, t_teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, list_names_enrolled_accounts_system_accounts_and_groups);
	tcase_add_test(tc, who_left_and_whom_the_host_does_not_know_are_not_in_the_list);
	tcase_add_test(tc, changed_list_changes_the_lines_that_differ);
	tcase_add_test(tc, list_that_lines_can_not_say_is_refused_with_the_reason_in_the_log);
	tcase_add_test(tc, group_of_two_units_is_clear_only_where_one_has_an_entry);
	tcase_add_test(tc, list_that_lets_nobody_in_is_refused_by_the_parser);
	tcase_add_test(tc, list_without_the_policy_right_is_refused_and_logged);
	tcase_add_test(tc, changes_by_two_at_once_go_one_after_the_other);
	suite_add_tcase(s, tc);
	return t_run(s);
}
