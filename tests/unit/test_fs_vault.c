/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The life of a vault: made, opened, logged in to, locked, closed, rolled back,
 * taken to another host, recovered.
 */
#include "test_fs_vault.h"

static struct fs_login login_of(uid_t uid, const char *pass, uint8_t stretched[static KEYS_LEN])
{
	struct fs_login in = {.uid = uid, .who = "", .origin = "tty1", .stretched = stretched};

	t_stretch(pass, stretched);
	return in;
}

static void copy_tree(const char *from, const char *to)
{
	char cmd[300];

	snprintf(cmd, sizeof(cmd), "rm -rf '%s' && cp -a '%s' '%s'", to, from, to);
	ck_assert_int_eq(system(cmd), 0);
}

START_TEST(vault_alone_keeps_notes_over_reopen)
{
	struct fs_session *s;
	char text[256];
	uint32_t index;

	ck_assert_msg(t_init("anna", "anna", ANNA) == 0, "%s", t.say.text);
	ck_assert_str_ne(t.made.recovery, "");
	ck_assert_str_eq(t.made.code, "");
	t_open();
	ck_assert_ptr_null(fs_vault_practice(t.v));
	s = t_login("anna", ANNA);
	index = t_make(s, "010190-1234 Hansen, Anna");
	ck_assert_int_eq(t_write(s, index, "note.txt", "plain words"), 0);
	t_logout(s);
	ck_assert_ptr_null(t.v->index_key);
	t_close();
	t_open();
	s = t_login("anna", ANNA);
	ck_assert_int_eq(fs_vault_journal_by_name(t.v, "010190-1234 Hansen, Anna", &index), 0);
	ck_assert_int_eq(t_read(s, index, "note.txt", text), 0);
	ck_assert_str_eq(text, "plain words");
	ck_assert_uint_eq(t.alarms, 0);
	t_logout(s);
	ck_assert_uint_eq(t_logged(POLICY_RECORD_LOGIN, NULL), 2);
	ck_assert_uint_eq(t_logged(POLICY_RECORD_LOGOUT, NULL), 2);
	ck_assert_uint_eq(t_logged(POLICY_RECORD_JOURNAL, "made"), 1);
}
END_TEST

START_TEST(init_failing_leaves_nothing_behind)
{
	char path[100];

	ck_assert_int_eq(mkdir(t.state, 0700), 0);
	snprintf(path, sizeof(path), "%s/daemon.key", t.state);
	ck_assert_int_eq(close(open(path, O_CREAT | O_WRONLY, 0600)), 0);
	ck_assert_int_eq(t_init("anna", "anna", ANNA), -EEXIST);
	ck_assert_ptr_nonnull(strstr(t.say.text, "another vault"));
	ck_assert_int_ne(access(t.vault, F_OK), 0);
	ck_assert_int_eq(access(path, F_OK), 0);
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_ne(t_init("an/na", "anna", ANNA), 0);
	ck_assert_int_ne(access(t.vault, F_OK), 0);
	ck_assert_int_eq(rmdir(t.state), 0);
	ck_assert_int_eq(mkdir(t.vault, 0700), 0);
	snprintf(path, sizeof(path), "%s/mine", t.vault);
	ck_assert_int_eq(close(open(path, O_CREAT | O_WRONLY, 0600)), 0);
	ck_assert_int_eq(t_init("anna", "anna", ANNA), -ENOTEMPTY);
	ck_assert_int_eq(access(path, F_OK), 0);
}
END_TEST

static void damage(const char *file, off_t at)
{
	char path[120];
	uint8_t byte;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", t.vault, file);
	fd = open(path, O_RDWR);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(pread(fd, &byte, 1, at), 1);
	byte ^= 1;
	ck_assert_int_eq(pwrite(fd, &byte, 1, at), 1);
	close(fd);
}

START_TEST(open_says_what_is_wrong)
{
	char path[120];
	struct fs_vault *second = NULL;

	ck_assert_int_eq(t_init("anna", "anna", ANNA), 0);
	t_open();
	ck_assert_int_eq(fs_vault_open(&t.cfg, &second, &t.say), -EBUSY);
	ck_assert_ptr_nonnull(strstr(t.say.text, "in use by process"));
	t_close();
	ck_assert_int_eq(chmod(t.vault, 0755), 0);
	ck_assert_int_eq(t_try_open(), -EPERM);
	ck_assert_ptr_nonnull(strstr(t.say.text, "chmod 0700"));
	ck_assert_int_eq(chmod(t.vault, 0700), 0);
	damage("header", 40);
	ck_assert_int_eq(t_try_open(), -EBADMSG);
	damage("header", 40);
	snprintf(path, sizeof(path), "%s/host-secret", t.state);
	ck_assert_int_eq(chmod(path, 0644), 0);
	ck_assert_int_eq(t_try_open(), -EPERM);
	ck_assert_int_eq(chmod(path, 0600), 0);
	t.cfg.state.dir = "/nonexistent/state";
	ck_assert_int_eq(t_try_open(), -ENOENT);
	ck_assert_ptr_nonnull(strstr(t.say.text, "recover"));
	t.cfg.state.dir = t.state;
	t.cfg.path = t.base;
	ck_assert_int_eq(t_try_open(), -EMEDIUMTYPE);
	t.cfg.path = t.vault;
	t_open();
}
END_TEST

START_TEST(substituted_header_is_refused)
{
	char other[90], cmd[300];

	ck_assert_int_eq(t_init("anna", "anna", ANNA), 0);
	snprintf(other, sizeof(other), "%s/first", t.base);
	ck_assert_int_eq(rename(t.vault, other), 0);
	snprintf(cmd, sizeof(cmd), "mv '%s' '%s/first-state'", t.state, t.base);
	ck_assert_int_eq(system(cmd), 0);
	ck_assert_int_eq(t_init("anna", "anna", ANNA), 0);
	snprintf(cmd, sizeof(cmd), "cp '%s/header' '%s/header'", other, t.vault);
	ck_assert_int_eq(system(cmd), 0);
	ck_assert_int_eq(t_try_open(), -EBADMSG);
}
END_TEST

START_TEST(copied_vault_with_passphrase_but_other_host_secret_is_refused)
{
	char path[120];
	uint8_t other[KEYS_LEN];
	int fd;

	ck_assert_int_eq(t_init("anna", "anna", ANNA), 0);
	snprintf(path, sizeof(path), "%s/host-secret", t.state);
	fd = open(path, O_WRONLY);
	keys_random(other, sizeof(other));
	ck_assert_int_eq(write(fd, other, sizeof(other)), sizeof(other));
	close(fd);
	ck_assert_int_eq(t_try_open(), -EBADMSG);
	ck_assert_ptr_nonnull(strstr(t.say.text, "host secret"));
}
END_TEST

START_TEST(envelope_needs_the_host_secret)
{
	struct fs_session *s = NULL;

	ck_assert_int_eq(t_init("anna", "anna", ANNA), 0);
	t_open();
	t.v->host_secret[0] ^= 1;
	ck_assert_int_eq(t_try_login("anna", ANNA, "anna", &s), -EKEYREJECTED);
	t.v->host_secret[0] ^= 1;
	ck_assert_int_eq(t_try_login("anna", ANNA, "anna", &s), 0);
	fs_session_put(s);
}
END_TEST

START_TEST(rolled_back_vault_is_refused_until_recovered)
{
	char old[90], code[KEYS_CODE_TEXT_MAX];
	struct fs_session *s;
	const struct fs_recover in = {.config = &t.cfg, .recovery = t.made.recovery};

	ck_assert_int_eq(t_init("anna", "anna", ANNA), 0);
	snprintf(old, sizeof(old), "%s/old", t.base);
	t_open();
	s = t_login("anna", ANNA);
	t_make(s, "first");
	t_logout(s);
	t_close();
	copy_tree(t.vault, old);
	t_open();
	s = t_login("anna", ANNA);
	t_make(s, "second");
	t_logout(s);
	t_close();
	copy_tree(old, t.vault);
	ck_assert_int_eq(t_try_open(), -ESTALE);
	ck_assert_ptr_nonnull(strstr(t.say.text, "rolled back"));
	ck_assert_msg(fs_vault_recover(&in, code, &t.say) == 0, "%s", t.say.text);
	ck_assert_str_eq(code, "");
	t_open();
	s = t_login("anna", ANNA);
	ck_assert_int_eq(fs_vault_journal_by_name(t.v, "second", &(uint32_t){0}), -ENOENT);
	ck_assert_int_eq(fs_vault_journal_by_name(t.v, "first", &(uint32_t){0}), 0);
	t_logout(s);
	ck_assert_uint_eq(t_logged(POLICY_RECORD_RECOVER, NULL), 1);
}
END_TEST

START_TEST(log_cut_off_is_refused_until_recovered)
{
	char old[90], log[100], code[KEYS_CODE_TEXT_MAX];
	struct fs_session *s;
	const struct fs_recover in = {.config = &t.cfg, .recovery = t.made.recovery};

	ck_assert_int_eq(t_init("anna", "anna", ANNA), 0);
	snprintf(old, sizeof(old), "%s/old", t.base);
	snprintf(log, sizeof(log), "%s/log", t.vault);
	t_open();
	t_close();
	copy_tree(log, old);
	t_open();
	s = t_login("anna", ANNA);
	t_make(s, "first");
	t_logout(s);
	t_close();
	copy_tree(old, log); /* the records of that session are gone */
	ck_assert_int_eq(t_try_open(), -ESTALE);
	ck_assert_ptr_nonnull(strstr(t.say.text, "log"));
	ck_assert_int_eq(t_try_open(), -ESTALE);
	ck_assert_msg(fs_vault_recover(&in, code, &t.say) == 0, "%s", t.say.text);
	t_open();
	s = t_login("anna", ANNA);
	ck_assert_int_eq(fs_vault_journal_by_name(t.v, "first", &(uint32_t){0}), 0);
	t_logout(s);
}
END_TEST

START_TEST(login_wrong_passphrase_backs_off)
{
	struct fs_session *s = NULL;

	ck_assert_int_eq(t_init("anna", "anna", ANNA), 0);
	t_open();
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(t_try_login("anna", ANNA, "wrong", &s), -EKEYREJECTED);
	ck_assert_int_eq(t_try_login("anna", ANNA, "anna", &s), -EAGAIN);
	ck_assert_ptr_nonnull(strstr(t.say.text, "try again in"));
	ck_assert_uint_eq(t_logged(POLICY_RECORD_REFUSED, "wrong passphrase"), 3);
	ck_assert_ptr_null(t.v->index_key);
}
END_TEST

START_TEST(login_of_stranger_is_refused_and_delays_nobody)
{
	struct fs_session *s = NULL;

	ck_assert_int_eq(t_init("anna", "anna", ANNA), 0);
	t_open();
	for (int i = 0; i < 5; i++)
		ck_assert_int_eq(t_try_login("anna", BO, "anna", &s), -EPERM);
	ck_assert_int_eq(t_try_login("nobody", BO, "x", &s), -ENOENT);
	ck_assert_int_eq(t_try_login("", BO, "x", &s), -ENOENT);
	s = t_login("anna", ANNA);
	t_logout(s);
	ck_assert_uint_eq(t_logged(POLICY_RECORD_REFUSED, NULL), 7);
}
END_TEST

START_TEST(salt_of_unknown_name_is_stable_and_looks_real)
{
	uint8_t a[KEYS_SALT_LEN], b[KEYS_SALT_LEN], zero[KEYS_SALT_LEN] = {0};
	char who[KEYS_NAME_MAX + 1];
	struct keys_stretch_cost cost;

	ck_assert_int_eq(t_init("anna", "anna", ANNA), 0);
	t_open();
	ck_assert_int_eq(fs_vault_salt(t.v, ANNA, "", a, &cost, who), 0);
	ck_assert_str_eq(who, "anna");
	ck_assert_mem_eq(a, t_salt, sizeof(a));
	ck_assert_uint_eq(cost.memory_kib, t_cost.memory_kib);
	ck_assert_int_eq(fs_vault_salt(t.v, BO, "ghost", a, &cost, who), 0);
	ck_assert_int_eq(fs_vault_salt(t.v, EVA, "ghost", b, &cost, who), 0);
	ck_assert_str_eq(who, "ghost");
	ck_assert_mem_eq(a, b, sizeof(a));
	ck_assert_mem_ne(a, zero, sizeof(a));
	ck_assert_int_eq(fs_vault_salt(t.v, BO, "other", b, &cost, who), 0);
	ck_assert_mem_ne(a, b, sizeof(a));
}
END_TEST

START_TEST(locked_session_holds_no_key_and_unlocks)
{
	uint8_t stretched[KEYS_LEN];
	struct fs_login in = login_of(ANNA, "wrong", stretched);
	struct fs_session *s;
	struct policy_verdict verdict;
	struct fs_journal *j = NULL;
	char text[256];
	uint32_t index;

	ck_assert_int_eq(t_init("anna", "anna", ANNA), 0);
	t_open();
	s = t_login("anna", ANNA);
	index = t_make(s, "p");
	ck_assert_int_eq(t_write(s, index, "a", "one"), 0);
	fs_vault_lock_begin(t.v, s);
	ck_assert_int_eq(fs_session_state(s), FS_SESSION_DRAINING);
	ck_assert_int_eq(t_write(s, index, "b", "two"), 0);
	ck_assert_int_eq(fs_vault_lock_finish(t.v, s, "idle"), 0);
	ck_assert_int_eq(fs_session_state(s), FS_SESSION_LOCKED);
	ck_assert_ptr_null(s->secret);
	ck_assert_ptr_null(fs_session_signer(s));
	ck_assert_ptr_null(t.v->index_key);
	ck_assert_ptr_null(fs_journal_find(t.v->records, index));
	ck_assert_int_eq(fs_vault_decide(t.v, s, index, POLICY_READ, &verdict, NULL, 0), -ENOKEY);
	ck_assert_int_eq(fs_vault_journal(t.v, s, index, &j), -ENOKEY);
	ck_assert_int_eq(fs_vault_unlock(t.v, s, &in, &t.say), -EKEYREJECTED);
	in = login_of(ANNA, "anna", stretched);
	ck_assert_int_eq(fs_vault_unlock(t.v, s, &in, &t.say), 0);
	ck_assert_int_eq(t_read(s, index, "b", text), 0);
	ck_assert_str_eq(text, "two");
	ck_assert_int_eq(t_write(s, index, "c", "three"), 0);
	t_drop(s);
	ck_assert_int_eq(t_read(s, index, "c", text), 0);
	t_logout(s);
	ck_assert_uint_eq(t_logged(POLICY_RECORD_LOCK, "idle"), 1);
	ck_assert_uint_eq(t_logged(POLICY_RECORD_UNLOCK, NULL), 1);
}
END_TEST

START_TEST(session_past_its_ceiling_is_ended)
{
	struct fs_session *s;

	ck_assert_int_eq(t_init("anna", "anna", ANNA), 0);
	t_open();
	s = t_login("anna", ANNA);
	ck_assert_uint_eq(s->ceiling_s - s->since_s, 12 * 3600);
	fs_vault_tick(t.v);
	ck_assert_int_eq(fs_session_state(s), FS_SESSION_ACTIVE);
	s->ceiling_boot_ns = fs_vault_boot_ns();
	fs_vault_tick(t.v);
	ck_assert_int_eq(fs_session_state(s), FS_SESSION_ENDED);
	ck_assert_ptr_null(t.v->index_key);
	ck_assert_ptr_null(fs_vault_session_of(t.v, ANNA));
	fs_session_put(s);
}
END_TEST

START_TEST(passphrase_change_needs_the_old_one)
{
	uint8_t old[KEYS_LEN], next[KEYS_LEN];
	static const uint8_t salt[KEYS_SALT_LEN] = "another salt...";
	struct fs_login in = login_of(ANNA, "wrong", old);
	const struct fs_passphrase to = {
		.salt = salt, .stretched = next, .cost = &t_cost, .olds = next, .n_olds = 1};
	struct fs_session *s, *again = NULL;

	ck_assert_int_eq(t_init("anna", "anna", ANNA), 0);
	t_open();
	s = t_login("anna", ANNA);
	t_stretch("next", next);
	ck_assert_int_eq(fs_vault_passwd(t.v, s, &in, &to, &t.say), -EKEYREJECTED);
	in = login_of(ANNA, "anna", old);
	ck_assert_int_eq(fs_vault_passwd(t.v, s, &in, &to, &t.say), 0);
	t_logout(s);
	ck_assert_int_eq(t_try_login("", ANNA, "anna", &again), -EKEYREJECTED);
	ck_assert_int_eq(t_try_login("", ANNA, "next", &again), 0);
	fs_session_put(again);
}
END_TEST

START_TEST(recover_with_new_passphrase_gives_back_journals)
{
	char code[KEYS_CODE_TEXT_MAX], text[256], cmd[200];
	uint8_t stretched[KEYS_LEN];
	struct fs_recover in = {
		.config = &t.cfg,
		.recovery = t.made.recovery,
		.who = "anna",
		.stretched = stretched,
		.salt = t_salt,
		.cost = &t_cost,
		.uid = ANNA,
	};
	struct fs_session *s = NULL;
	uint32_t index;

	ck_assert_int_eq(t_init("anna", "anna", ANNA), 0);
	t_open();
	s = t_login("anna", ANNA);
	index = t_make(s, "p");
	ck_assert_int_eq(t_write(s, index, "a", "kept"), 0);
	t_logout(s);
	t_close();
	/* The host burned down; the vault came from a backup. */
	snprintf(cmd, sizeof(cmd), "rm -rf '%s'", t.state);
	ck_assert_int_eq(system(cmd), 0);
	t_stretch("new", stretched);
	ck_assert_msg(fs_vault_recover(&in, code, &t.say) == 0, "%s", t.say.text);
	t_open();
	ck_assert_int_eq(t_try_login("", ANNA, "anna", &s), -EKEYREJECTED);
	ck_assert_msg(t_try_login("", ANNA, "new", &s) == 0, "%s", t.say.text);
	ck_assert_int_eq(t_read(s, index, "a", text), 0);
	ck_assert_str_eq(text, "kept");
	ck_assert_int_eq(t_write(s, index, "b", "more"), 0);
	t_drop(s);
	ck_assert_int_eq(t_read(s, index, "b", text), 0);
	t_logout(s);
	ck_assert_uint_eq(t_logged(POLICY_RECORD_RECOVER, "anna"), 1);
}
END_TEST

START_TEST(recover_with_another_key_changes_nothing)
{
	char code[KEYS_CODE_TEXT_MAX], other[KEYS_RECOVERY_TEXT_MAX];
	uint8_t key[KEYS_RECOVERY_LEN];
	struct fs_recover in = {.config = &t.cfg, .recovery = other, .who = "anna"};
	struct fs_session *s;

	ck_assert_int_eq(t_init("anna", "anna", ANNA), 0);
	keys_recovery_new(key);
	keys_recovery_print(key, other);
	ck_assert_int_eq(fs_vault_recover(&in, code, &t.say), -EKEYREJECTED);
	in.recovery = "nonsense";
	ck_assert_int_eq(fs_vault_recover(&in, code, &t.say), -EINVAL);
	t_open();
	s = t_login("anna", ANNA);
	t_logout(s);
}
END_TEST

START_TEST(daemon_proves_itself_by_the_root)
{
	uint8_t nonce[KEYS_NONCE_LEN];
	struct fs_vault_proof proof;
	struct keys_header header;

	ck_assert_int_eq(t_init("anna", "anna", ANNA), 0);
	t_open();
	keys_random(nonce, sizeof(nonce));
	fs_vault_prove(t.v, nonce, &proof);
	ck_assert_int_eq(keys_header_decode(proof.header, sizeof(proof.header), &header), 0);
	ck_assert_mem_eq(fs_vault_root_hash(t.v), t.made.root_hash, KEYS_LEN);
	ck_assert_int_eq(keys_daemon_check(header.vault, header.root_pk, proof.daemon_pk,
					   proof.cert, nonce, proof.answer),
			 0);
	nonce[0] ^= 1;
	ck_assert_int_eq(keys_daemon_check(header.vault, header.root_pk, proof.daemon_pk,
					   proof.cert, nonce, proof.answer),
			 -EBADMSG);
}
END_TEST

struct found {
	unsigned n;
	char who[64];
};

static int find_record(void *ctx, const struct policy_record *r)
{
	struct found *f = ctx;

	f->n++;
	snprintf(f->who, sizeof(f->who), "%.60s", r->who);
	return 0;
}

START_TEST(audit_is_logged_and_needs_the_right)
{
	struct fs_audit_query q = {.who = "anna"};
	struct found f = {.n = 0};
	struct fs_vault_status status;
	struct fs_session *s;

	ck_assert_int_eq(t_init("anna", "anna", ANNA), 0);
	t_open();
	s = t_login("anna", ANNA);
	ck_assert_int_eq(fs_vault_audit(t.v, s, &q, find_record, &f, &t.say), 0);
	ck_assert_uint_ge(f.n, 2); /* log-in, audit */
	ck_assert_str_eq(f.who, "anna");
	ck_assert_uint_eq(t_logged(POLICY_RECORD_AUDIT, NULL), 1);
	fs_vault_status(t.v, &status);
	ck_assert_str_eq(status.title, "Klinik Nord");
	ck_assert_uint_eq(status.sessions, 1);
	ck_assert_uint_eq(status.practitioners, 1);
	ck_assert_uint_eq(status.grants_waiting, 0);
	t_logout(s);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("fs/vault");
	TCase *c = tcase_create("vault");

	tcase_add_checked_fixture(c, t_setup, t_teardown);
	tcase_set_timeout(c, 60);
	tcase_add_test(c, vault_alone_keeps_notes_over_reopen);
	tcase_add_test(c, init_failing_leaves_nothing_behind);
	tcase_add_test(c, open_says_what_is_wrong);
	tcase_add_test(c, substituted_header_is_refused);
	tcase_add_test(c, copied_vault_with_passphrase_but_other_host_secret_is_refused);
	tcase_add_test(c, envelope_needs_the_host_secret);
	tcase_add_test(c, rolled_back_vault_is_refused_until_recovered);
	tcase_add_test(c, log_cut_off_is_refused_until_recovered);
	tcase_add_test(c, login_wrong_passphrase_backs_off);
	tcase_add_test(c, login_of_stranger_is_refused_and_delays_nobody);
	tcase_add_test(c, salt_of_unknown_name_is_stable_and_looks_real);
	tcase_add_test(c, locked_session_holds_no_key_and_unlocks);
	tcase_add_test(c, session_past_its_ceiling_is_ended);
	tcase_add_test(c, passphrase_change_needs_the_old_one);
	tcase_add_test(c, recover_with_new_passphrase_gives_back_journals);
	tcase_add_test(c, recover_with_another_key_changes_nothing);
	tcase_add_test(c, daemon_proves_itself_by_the_root);
	tcase_add_test(c, audit_is_logged_and_needs_the_right);
	suite_add_tcase(s, c);
	return t_run(s);
}
