/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whose signature under a journal's root is accepted when the journal is opened
 * again, around a change of policy.
 */
#include "test_fs_vault.h"

#define TEAM "journal \"p\"\nunit north\nallow user:anna:rwx\nallow user:bo:rwx\n"
#define WITHOUT_BO "journal \"p\"\nunit north\nallow user:anna:rwx\nallow user:bo:r-x\n"

static struct fs_session *dan, *anna, *bo;

static void clinic(void)
{
	t_setup();
	dan = t_clinic();
	t_enroll(dan, "anna", ANNA);
	t_enroll(dan, "bo", BO);
	anna = t_login("anna", ANNA);
	bo = t_login("bo", BO);
}

static void home(void)
{
	fs_session_put(bo);
	fs_session_put(anna);
	fs_session_put(dan);
	t_teardown();
}

/* A request of bo's that the gate let in: what it holds on its way. */
struct request {
	struct fs_journal *j;
	struct fs_inode *root;
	struct fs_actor who;
};

static void let_in(struct request *r, uint32_t index)
{
	*r = (struct request){ .who = { .pid = bo->pid, .now = { .tv_sec = 1 } } };
	ck_assert_int_eq(fs_vault_journal(t.v, bo, index, &r->j), 0);
	ck_assert_int_eq(fs_inode_get(r->j, FS_ROOT_INO, &r->root), 0);
	r->who.signer = fs_session_signer(bo);
}

static void carry_out(struct request *r, const char *name)
{
	struct fs_inode *note = NULL;

	ck_assert_int_eq(fs_tree_create(r->root, name, S_IFREG | 0600, &r->who, &note), 0);
	fs_inode_put(note);
	fs_inode_put(r->root);
	fs_signer_put(r->who.signer);
	fs_journal_put(r->j);
}

START_TEST(request_under_way_when_its_right_goes_locks_nobody_out)
{
	uint32_t index = t_make(anna, "p");
	struct request r;
	char text[256];

	ck_assert_int_eq(t_write(anna, index, "a", "text"), 0);
	t_put(dan, "p", TEAM);
	t_ticks();
	let_in(&r, index);
	t_put(dan, "p", WITHOUT_BO);
	t_put(dan, "practice", CLINIC_POLICY "# and one more version\n");
	ck_assert(!t_may(bo, index, POLICY_WRITE));
	carry_out(&r, "late");
	t_logout(bo);
	t_logout(anna);
	t_logout(dan);
	t_close();
	t_open();
	dan = t_login("dan", DAN);
	anna = t_login("anna", ANNA);
	bo = t_login("bo", BO);
	ck_assert_int_eq(t_read(anna, index, "a", text), 0);
	ck_assert_str_eq(text, "text");
}
END_TEST

START_TEST(signature_under_a_right_lost_before_the_session_is_refused)
{
	uint32_t index = t_make(anna, "p");
	struct request r;
	char text[256];

	ck_assert_int_eq(t_write(anna, index, "a", "text"), 0);
	t_put(dan, "p", TEAM);
	t_ticks();
	t_put(dan, "p", WITHOUT_BO);
	t_logout(bo);
	sleep(1); /* times in certificates and statements are whole seconds */
	bo = t_login("bo", BO);
	let_in(&r, index);
	carry_out(&r, "forged"); /* what no gate would let in */
	t_drop(anna);
	t_drop(bo);
	ck_assert_int_eq(t_read(anna, index, "a", text), -EBADMSG);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("fs/signers");
	TCase *c = tcase_create("signers");

	tcase_add_checked_fixture(c, clinic, home);
	tcase_set_timeout(c, 60);
	tcase_add_test(c, request_under_way_when_its_right_goes_locks_nobody_out);
	tcase_add_test(c, signature_under_a_right_lost_before_the_session_is_refused);
	suite_add_tcase(s, c);
	return t_run(s);
}
