/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/fault/test_fs_renew_fault.c - a journal's key is renewed, and the process dies at any write or
 * sync on the way: the vault opens, every note and every chunk is there, and the renewal goes on.
 */
#include <sys/wait.h>
#include <unistd.h>

#include "inject.h"

#include "../unit/test_fs_vault.h"

#define ANNA_UID 1000
#define NOTES 200
#define LARGE 300000
#define DEATHS 80

static char large[LARGE + 1];
static uint32_t index_p;

static void set_up(void)
{
	t_setup();
}

static void tear_down(void)
{
	inject_stop();
	t_teardown();
}

/* The whole contents of a note, as a hash of its own kind: t_read stops at 255 bytes. */
static void check_large(struct fs_session *s)
{
	static char got[LARGE + 1];
	struct fs_journal *j = NULL;
	struct fs_inode *root = NULL, *note = NULL;

	memset(got, 0, sizeof(got));
	ck_assert_int_eq(fs_vault_journal(t.v, s, index_p, &j), 0);
	ck_assert_int_eq(fs_inode_get(j, FS_ROOT_INO, &root), 0);
	ck_assert_int_eq(fs_tree_lookup(root, "large", &note), 0);
	ck_assert_int_eq(fs_content_read(note, 0, LARGE, t_take, got), 0);
	ck_assert_mem_eq(got, large, LARGE);
	fs_inode_put(note);
	fs_inode_put(root);
	fs_journal_put(j);
}

static void check_all(struct fs_session *s)
{
	char name[20], text[40], got[256];

	for (unsigned i = 0; i < NOTES; i++) {
		snprintf(name, sizeof(name), "note %u", i);
		snprintf(text, sizeof(text), "this is note %u", i);
		ck_assert_int_eq(t_read(s, index_p, name, got), 0);
		ck_assert_str_eq(got, text);
	}
	check_large(s);
}

static void make_all(void)
{
	struct fs_session *anna;
	char name[20], text[40];

	for (size_t i = 0; i < LARGE; i++)
		large[i] = (char)('a' + i / 4096 * 7 % 26);
	ck_assert_int_eq(t_init("anna", "anna", ANNA_UID), 0);
	t_open();
	anna = t_login("anna", ANNA_UID);
	index_p = t_make(anna, "p");
	for (unsigned i = 0; i < NOTES; i++) {
		snprintf(name, sizeof(name), "note %u", i);
		snprintf(text, sizeof(text), "this is note %u", i);
		ck_assert_int_eq(t_write(anna, index_p, name, text), 0);
	}
	ck_assert_int_eq(t_write(anna, index_p, "large", large), 0);
	t_logout(anna);
	t_close();
}

static int ignore_one(void *ctx, const struct fs_renew_one *one)
{
	(void)ctx;
	(void)one;
	return 0;
}

/* Until nothing is left to do. False: it did not come to an end. */
static bool finish(struct fs_session *s)
{
	struct fs_renew_progress now;
	uint32_t left = 1, waiting;

	for (int i = 0; left && i < 20000; i++) {
		(void)fs_vault_renew_more(t.v);
		(void)fs_group_sync(fs_records_group(t.v->records), 0);
		usleep(200);
		if (fs_vault_renew_status(t.v, s, "", "", ignore_one, NULL, &left, &waiting, &now))
			return false;
	}
	return !left;
}

/* In a process of its own, which dies at its n-th write or sync. Exit 0: it came to the end. */
static int renew_and_die(unsigned nth)
{
	struct fs_session *anna = NULL;
	uint32_t n = 0;

	if (t_try_open() || t_try_login("anna", ANNA_UID, "anna", &anna))
		return 3;
	inject_die(nth);
	if (fs_vault_renew(t.v, anna, "p", "", &n, &t.say) || !finish(anna))
		return 4;
	inject_stop();
	t_logout(anna);
	return fs_vault_close(t.v) ? 5 : 0;
}

/* The vault as it was left: nothing is lost, and the renewal goes on. */
static void go_on_after(unsigned nth)
{
	struct fs_session *anna;
	struct fs_journals_present g;

	t_open();
	anna = t_login("anna", ANNA_UID);
	check_all(anna);
	ck_assert_msg(finish(anna), "after death %u it does not end", nth);
	check_all(anna);
	ck_assert_int_eq(fs_journals_present(t.v, index_p, &g), 0);
	ck_assert_uint_eq(g.n, 1);
	t_drop(anna);
	check_all(anna);
	ck_assert_uint_eq(t.alarms, 0);
	t_logout(anna);
	t_close();
}

START_TEST(death_at_any_write_loses_nothing)
{
	bool whole = false;
	unsigned died = 0;

	make_all();
	for (unsigned i = 0; i < DEATHS && !whole; i++) {
		unsigned nth = i + 1;
		int status = 0;
		pid_t pid = fork();

		ck_assert_int_ge(pid, 0);
		if (!pid)
			_exit(renew_and_die(nth));
		ck_assert_int_eq(waitpid(pid, &status, 0), pid);
		whole = WIFEXITED(status);
		ck_assert_msg(!whole || !WEXITSTATUS(status), "exit %d", WEXITSTATUS(status));
		died += !whole;
		go_on_after(nth);
	}
	ck_assert(whole);
	ck_assert_uint_ge(died, 15);
}
END_TEST

/* Writes to the container fail while it goes on: with room again it comes to its end. */
START_TEST(full_disk_costs_nothing)
{
	struct fs_session *anna;
	uint32_t n = 0;

	make_all();
	t_open();
	anna = t_login("anna", ANNA_UID);
	ck_assert_int_eq(fs_vault_renew(t.v, anna, "p", "", &n, &t.say), 0);
	while (!fs_reserve_release(t.v->reserve, FS_RESERVE_BYTES))
		;
	inject_fail_file("/00000001", 3, ENOSPC);
	for (int i = 0; i < 200; i++) {
		(void)fs_vault_renew_more(t.v);
		usleep(10000);
	}
	ck_assert(inject_stop());
	check_all(anna);
	ck_assert(finish(anna));
	check_all(anna);
	t_drop(anna);
	check_all(anna);
	ck_assert_uint_eq(t.alarms, 0);
	t_logout(anna);
	t_close();
}
END_TEST

int main(void)
{
	Suite *s = suite_create("fs/renew faults");
	TCase *tc = tcase_create("faults");

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_set_timeout(tc, 240);
	tcase_add_test(tc, death_at_any_write_loses_nothing);
	tcase_add_test(tc, full_disk_costs_nothing);
	suite_add_tcase(s, tc);
	return t_run(s);
}
