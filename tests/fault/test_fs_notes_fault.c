/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/fault/test_fs_notes_fault.c - no record, no final note: when the log, the disk or the
 * daemon fails.
 */
#include "inject.h"

#include <sys/wait.h>

#include "../unit/test_fs_notes.h"

#define SEGMENT "00000001.seg"
#define CONTAINER "/00000001" /* of the first journal */
#define DEATHS 60 /* writes and syncs of finalizing are fewer */

static void clinic(void)
{
	n_clinic(NOTES_POLICY(""));
	ck_assert_int_eq(t_write(anna, p, "visit.md", "text"), 0);
	ck_assert_int_eq(t_write(anna, p, "locked.md", "text"), 0);
	ck_assert_int_eq(n_finalize_as(anna, "locked.md", FS_NOTE_ATTRIBUTE), 0);
	ck_assert_int_eq(fs_group_sync(fs_records_group(t.v->records), 0), 0);
	ck_assert_int_eq(fs_log_wait(t.v->log, 0), 0);
}

static void everybody_out(void)
{
	struct fs_session *all[] = {max, eva, tim, bo, anna, dan};

	for (size_t k = 0; k < sizeof(all) / sizeof(all[0]); k++)
		fs_session_put(all[k]);
	max = eva = tim = bo = anna = dan = NULL;
}

static void tear_down(void)
{
	inject_stop();
	/* A log that failed says so when it is closed. */
	if (t.v)
		(void)fs_vault_close(t.v);
	t.v = NULL;
	t_teardown();
}

static uint32_t last(void)
{
	struct fs_journal *j = NULL;
	uint8_t hash[KEYS_LEN];
	uint32_t number = 0;

	ck_assert_int_eq(fs_vault_journal(t.v, anna, p, &j), 0);
	ck_assert_int_eq(fs_final_last(j, &number, hash), 0);
	fs_journal_put(j);
	return number;
}

/* A draft still, which takes changes. */
static void still_a_draft(const char *name)
{
	struct fs_journal *j;
	struct fs_inode *i = n_inode(anna, p, name, &j);
	struct fs_actor who = {
		.signer = fs_session_signer(anna), .pid = anna->pid, .now = {.tv_sec = 9}};

	ck_assert_uint_eq(i->flags & FS_INODE_FINAL, 0);
	ck_assert_int_eq(fs_content_write(i, 0, true, (const uint8_t *)"!", 1, &who, NULL), 0);
	fs_signer_put(who.signer);
	fs_inode_put(i);
	fs_journal_put(j);
}

START_TEST(without_its_record_nothing_becomes_final_or_signed)
{
	char path[KEYS_NOTE_PATH_MAX + 1];
	struct fs_note_place at = n_at("locked.md");

	clinic();
	inject_fail_file(SEGMENT, 1000000, EIO);
	ck_assert_int_eq(n_finalize(anna, "visit.md"), -EIO);
	ck_assert(inject_stop());
	ck_assert_int_eq(n_sign(anna, "locked.md"), -EIO);
	ck_assert_int_eq(n_error(anna, "locked.md"), -EIO);
	ck_assert_int_eq(fs_vault_note_amend(t.v, anna, &at, "", path, &t.say), -EIO);
	ck_assert_int_eq(
		fs_vault_note_move(t.v, anna, &at, "q", "wrong patient", NULL, path, &t.say), -EIO);
	ck_assert_uint_eq(last(), 1);
	still_a_draft("visit.md");
	everybody_out();
}
END_TEST

START_TEST(without_its_record_no_refusal_and_nothing_is_verified)
{
	struct n_found f;

	clinic();
	inject_fail_file(SEGMENT, 1000000, EIO);
	/* Whoever is refused does not learn it before it is known. */
	ck_assert_int_eq(n_finalize(eva, "visit.md"), -EIO);
	ck_assert_str_eq(t.say.text, "");
	ck_assert_int_eq(n_verify(eva, NULL, &f), -EIO);
	ck_assert_uint_eq(f.n, 0);
	ck_assert(inject_stop());
	everybody_out();
}
END_TEST

/* A full disk keeps what was done until there is room: the log does not take it back. */
START_TEST(full_disk_delays_and_takes_nothing_back)
{
	char text[60001];

	clinic();
	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	while (!fs_reserve_release(t.v->reserve, FS_RESERVE_BYTES))
		;
	ck_assert_uint_eq(p, 1);
	inject_fail_file(CONTAINER, 1000000, ENOSPC);
	ck_assert_int_eq(n_write_now(anna, p, "large.md", text), 0);
	ck_assert_int_eq(n_finalize(anna, "large.md"), -ENOSPC);
	ck_assert_ptr_nonnull(strstr(t.say.text, "as soon as there is"));
	ck_assert(inject_stop());
	ck_assert_int_eq(fs_group_sync(fs_records_group(t.v->records), 0), 0);
	ck_assert(n_status(anna, p, "large.md").flags & FS_INODE_FINAL);
	ck_assert_uint_eq(t_logged(POLICY_RECORD_FINAL, "could not be stored"), 0);
	ck_assert_uint_eq(last(), 2);
	n_all_well(anna, 1, 1);
	n_out();
}
END_TEST

/* What the killed daemon's vault says: a final note only with its record, and nothing half. */
static bool check_after_death(const char *name)
{
	bool final;

	t_open();
	anna = t_login("anna", ANNA);
	final = n_status(anna, p, name).flags & FS_INODE_FINAL;
	ck_assert_uint_ge(t_logged(POLICY_RECORD_FINAL, "signed"), last());
	n_all_well(anna, last() - 1, 1);
	if (!final)
		still_a_draft(name);
	t_logout(anna);
	anna = NULL;
	t_close();
	return final;
}

/* In a process of its own, which dies at its n-th write or sync. */
static void finalize_until(unsigned n, const char *name)
{
	t_open();
	anna = t_login("anna", ANNA);
	inject_die(n);
	(void)n_finalize(anna, name);
	_exit(0);
}

START_TEST(killed_while_finalizing_leaves_a_draft_or_a_logged_final_note)
{
	unsigned deaths = 0, final = 0;
	bool survived = false;

	clinic();
	n_out();
	t_close();
	for (unsigned n = 1; n <= DEATHS && !survived; n++) {
		char name[16];
		int status;
		pid_t pid;

		snprintf(name, sizeof(name), "%u.md", n);
		t_open();
		anna = t_login("anna", ANNA);
		ck_assert_int_eq(t_write(anna, p, name, "text"), 0);
		t_logout(anna);
		anna = NULL;
		t_close();
		pid = fork();
		ck_assert_int_ge(pid, 0);
		if (!pid)
			finalize_until(n, name);
		ck_assert_int_eq(waitpid(pid, &status, 0), pid);
		survived = !WIFSIGNALED(status);
		deaths += !survived;
		final += check_after_death(name);
	}
	/* It died before the record, between record and note, and after both; at last it lived. */
	ck_assert(survived);
	ck_assert_uint_gt(deaths, 2);
	ck_assert_uint_ge(final, 1);
	ck_assert_uint_lt(final, deaths);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("fs/notes faults");
	TCase *tc = tcase_create("faults");

	tcase_add_checked_fixture(tc, t_setup, tear_down);
	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, without_its_record_nothing_becomes_final_or_signed);
	tcase_add_test(tc, without_its_record_no_refusal_and_nothing_is_verified);
	tcase_add_test(tc, full_disk_delays_and_takes_nothing_back);
	tcase_add_test(tc, killed_while_finalizing_leaves_a_draft_or_a_logged_final_note);
	suite_add_tcase(s, tc);
	return t_run(s);
}
