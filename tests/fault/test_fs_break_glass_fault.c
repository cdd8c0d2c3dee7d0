/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/fault/test_fs_break_glass_fault.c - no record, no access: the break-glass key when the log, the disk or the
 * daemon fails.
 */
#include "inject.h"

#include <sys/wait.h>

#include "../unit/test_fs_vault.h"

#define REASON "unconscious, brought in by ambulance"
#define SEGMENT "00000001.seg"
#define ROUNDS 8
#define DEATHS 40 /* writes and syncs of an emergency are fewer */

static uint32_t p;
static struct fs_session *dan, *anna, *max;

static void clinic(void)
{
	char text[T_POLICY_MAX];

	dan = t_clinic();
	t_edit(text, "role physician clinical may list read write create",
	       "role physician clinical may list read write create break-glass");
	snprintf(text + strlen(text), sizeof(text) - strlen(text), "break-glass at-once 20 daily 200\n");
	t_put(dan, "practice", text);
	t_enroll(dan, "anna", ANNA);
	t_enroll(dan, "max", MAX);
	anna = t_login("anna", ANNA);
	p = t_make(anna, "p");
	ck_assert_int_eq(t_write(anna, p, "note", "what anna wrote"), 0);
	max = t_login("max", MAX);
	t_ticks();
	ck_assert_int_eq(fs_group_sync(fs_records_group(t.v->records), 0), 0);
	ck_assert_int_eq(fs_log_wait(t.v->log, 0), 0);
}

static void everybody_out(void)
{
	fs_session_put(max);
	fs_session_put(anna);
	fs_session_put(dan);
}

static int glass(struct fs_grant *g)
{
	const struct fs_glass_open in = {
		.journal = "p", .ground = FS_GLASS_DANGER, .reason = REASON, .code = ""};

	return fs_vault_glass_open(t.v, max, &in, g, &t.say);
}

static int opens(void)
{
	struct fs_journal *j = NULL;
	int rc = fs_vault_journal(t.v, max, p, &j);

	if (!rc)
		fs_journal_put(j);
	return rc;
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

START_TEST(without_its_record_no_grant)
{
	struct fs_grant g;

	clinic();
	inject_fail_file(SEGMENT, 1000000, EIO);
	ck_assert_int_eq(glass(&g), -EIO);
	ck_assert(inject_stop());
	ck_assert_uint_eq(t.v->grant_count, 0);
	ck_assert_int_eq(opens(), -EACCES);
	everybody_out();
}
END_TEST

START_TEST(without_the_record_of_its_use_the_key_is_not_touched)
{
	struct fs_journal_chain chain = {.n = 0};
	struct fs_grant g;

	clinic();
	ck_assert_int_eq(glass(&g), 0);
	inject_fail_file(SEGMENT, 1000000, EIO);
	ck_assert_int_eq(opens(), -EIO);
	ck_assert_int_eq(fs_glass_unwrap(t.v, max, p, &chain), -EIO);
	ck_assert_uint_eq(chain.n, 0);
	ck_assert(inject_stop());
	/* The log stays failed: access stays shut. */
	ck_assert_int_eq(opens(), -EIO);
	everybody_out();
	(void)fs_vault_close(t.v);
	t.v = NULL;
	ck_assert_uint_eq(t_logged(POLICY_RECORD_KEYS, "the break-glass key opens"), 0);
}
END_TEST

START_TEST(pending_grant_without_its_record_is_not_served)
{
	struct fs_entry *e;

	clinic();
	fs_vault_end_begin(t.v, anna);
	ck_assert_int_eq(fs_vault_end_finish(t.v, anna, "test"), 0);
	t_put(dan, "p", "journal \"p\"\nunit north\nallow user:anna:rwx\nallow user:max:r-x\n");
	inject_fail_file(SEGMENT, 1000000, EIO);
	pthread_mutex_lock(&t.v->edit);
	e = fs_catalog_by_name(t.v, "p");
	ck_assert_int_lt(fs_grants_serve(t.v, e, max), 0);
	pthread_mutex_unlock(&t.v->edit);
	ck_assert(inject_stop());
	ck_assert_int_eq(opens(), -EACCES);
	everybody_out();
}
END_TEST

START_TEST(disk_that_takes_nothing_does_not_keep_anybody_from_an_emergency)
{
	struct fs_grant g;
	char got[256];

	clinic();
	while (!fs_reserve_release(t.v->reserve, FS_RESERVE_BYTES))
		;
	/* The log has its space in advance; the database and its redo file have none. */
	inject_fail_file("redo", 1000000, ENOSPC);
	ck_assert_int_eq(glass(&g), 0);
	ck_assert_int_eq(t_read(max, p, "note", got), 0);
	ck_assert_str_eq(got, "what anna wrote");
	ck_assert_uint_eq(t_logged(POLICY_RECORD_BREAK_GLASS, NULL), 1);
	inject_stop();
	everybody_out();
}
END_TEST

START_TEST(end_that_could_not_be_stored_is_stored_later)
{
	struct fs_grant g;

	clinic();
	ck_assert_int_eq(glass(&g), 0);
	ck_assert_int_eq(fs_group_sync(fs_records_group(t.v->records), 0), 0);
	/* As when the disk and the reserve are full, or memory is. */
	t.v->grants[0].unkept = true;
	t.v->grants[0].end = FS_GLASS_CLOSED;
	atomic_store(&t.v->grants_open, 0);
	atomic_store(&t.v->grants_unkept, 1);
	fs_vault_tick(t.v);
	ck_assert(!t.v->grants[0].unkept);
	ck_assert_uint_eq(t.v->grants_unkept, 0);
	everybody_out();
	ck_assert_int_eq(fs_vault_close(t.v), 0);
	t.v = NULL;
	t_open();
	ck_assert_uint_eq(t.v->grants[0].end, FS_GLASS_CLOSED);
}
END_TEST

/* What the killed daemon's vault says: a grant only with its record, access only with a grant. */
static void check_after_death(uint32_t before)
{
	unsigned records = t_logged(POLICY_RECORD_BREAK_GLASS, NULL);
	bool granted;

	t_open();
	granted = t.v->grant_count > before;
	ck_assert_uint_ge(records, t.v->grant_count);
	max = t_login("max", MAX);
	ck_assert_int_eq(opens(), granted ? 0 : -EACCES);
	/* The next one begins without a grant. */
	if (granted)
		ck_assert_int_eq(fs_vault_glass_close(t.v, max, "p", &t.say), 0);
	t_logout(max);
	t_close();
}

/* In a process of its own, which dies at its n-th write or sync. */
static void emergency_until(unsigned n)
{
	struct fs_grant g;

	t_open();
	max = t_login("max", MAX);
	inject_die(n);
	if (!glass(&g))
		(void)opens();
	(void)fs_group_sync(fs_records_group(t.v->records), 0);
	_exit(0);
}

/* Dies at the first write, the second ...: until it lives. Counts deaths, and those that left a grant. */
static void die_at_each(unsigned *deaths, unsigned *granted)
{
	bool survived = false;

	for (unsigned n = 1; n <= DEATHS && !survived; n++) {
		uint32_t before;
		int status;
		pid_t pid;

		t_open();
		before = t.v->grant_count;
		t_close();
		pid = fork();
		ck_assert_int_ge(pid, 0);
		if (!pid)
			emergency_until(n);
		ck_assert_int_eq(waitpid(pid, &status, 0), pid);
		survived = !WIFSIGNALED(status);
		check_after_death(before);
		t_open();
		*deaths += !survived;
		*granted += !survived && t.v->grant_count > before;
		t_close();
	}
	ck_assert(survived);
}

START_TEST(killed_between_record_and_access_gives_no_unlogged_access)
{
	unsigned deaths = 0, granted = 0;

	clinic();
	t_logout(max);
	t_logout(anna);
	t_logout(dan);
	t_close();
	/*
	 * It dies before the record, between record and grant, and after both. The last is not met each time: what
	 * the log's own threads write meanwhile counts too.
	 */
	for (unsigned n = 0; n < ROUNDS && !granted; n++)
		die_at_each(&deaths, &granted);
	ck_assert_uint_gt(deaths, 2);
	ck_assert_uint_ge(granted, 1);
	ck_assert_uint_lt(granted, deaths);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("fs/break_glass faults");
	TCase *tc = tcase_create("faults");

	tcase_add_checked_fixture(tc, t_setup, tear_down);
	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, without_its_record_no_grant);
	tcase_add_test(tc, without_the_record_of_its_use_the_key_is_not_touched);
	tcase_add_test(tc, pending_grant_without_its_record_is_not_served);
	tcase_add_test(tc, disk_that_takes_nothing_does_not_keep_anybody_from_an_emergency);
	tcase_add_test(tc, end_that_could_not_be_stored_is_stored_later);
	tcase_add_test(tc, killed_between_record_and_access_gives_no_unlogged_access);
	suite_add_tcase(s, tc);
	return t_run(s);
}
