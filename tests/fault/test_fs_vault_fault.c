/* SPDX-License-Identifier: Apache-2.0 */
/* tests/fault/test_fs_vault_fault.c - a vault that closes over a full disk. */
#include "inject.h"

#include "../unit/test_fs_vault.h"

#define ANNA 1000

static void set_up(void)
{
	t_setup();
}

static void tear_down(void)
{
	inject_stop();
	t_teardown();
}

START_TEST(close_seals_policy_when_space_comes_at_the_last_moment)
{
	static char text[200000];
	struct fs_session *anna;
	char got[256];
	uint32_t index;

	memset(text, 'a', sizeof(text) - 1);
	ck_assert_int_eq(t_init("anna", "anna", ANNA), 0);
	t_open();
	anna = t_login("anna", ANNA);
	index = t_make(anna, "first");
	ck_assert_int_eq(fs_group_sync(fs_records_group(t.v->records), 0), 0);
	/* Sealed under the index key, in one group with contents that find no room: three tries,
	 * while the session ends and after, and then the last. */
	while (!fs_reserve_release(t.v->reserve, FS_RESERVE_BYTES))
		;
	inject_fail_file("/00000001", 3, ENOSPC);
	ck_assert_int_eq(fs_vault_journal_rename(t.v, anna, "first", "second"), 0);
	ck_assert_int_eq(t_write(anna, index, "scan", text), 0);
	fs_session_put(anna);
	ck_assert_int_eq(fs_vault_close(t.v), 0);
	t.v = NULL;
	ck_assert(inject_stop());
	t_open();
	anna = t_login("anna", ANNA);
	ck_assert_int_eq(fs_vault_journal_by_name(t.v, "second", &index), 0);
	ck_assert_int_eq(t_read(anna, index, "scan", got), 0);
	ck_assert_str_eq(got + 250, "aaaaa");
	ck_assert_uint_eq(t.alarms, 0);
	t_logout(anna);
	t_close();
}
END_TEST

int main(void)
{
	Suite *s = suite_create("fs/vault faults");
	TCase *tc = tcase_create("faults");

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, close_seals_policy_when_space_comes_at_the_last_moment);
	suite_add_tcase(s, tc);
	return t_run(s);
}
