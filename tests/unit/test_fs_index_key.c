/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The index key when somebody leaves: renewed, everything sealed again, the older
 * generation gone; and what is tried with generations that nobody made.
 */
#include "test_fs_vault.h"

static struct fs_session *dan, *anna;

/* dan the steward and anna are logged in; sue has an identity and so the index key. */
static void clinic(void)
{
	t_setup();
	dan = t_clinic();
	t_enroll(dan, "anna", ANNA);
	t_enroll(dan, "sue", SUE);
	anna = t_login("anna", ANNA);
}

static void sue_leaves(void)
{
	char policy[T_POLICY_MAX];

	t_edit(policy, "sue role secretary unit north", "sue role secretary unit north left");
	t_put(dan, "practice", policy);
}

static void everybody_out(void)
{
	t_logout(anna);
	t_logout(dan);
}

static void finish(void)
{
	for (int i = 0; i < 50 && t.v->index_old_count; i++) {
		ck_assert_int_eq(fs_group_sync(fs_records_group(t.v->records), 0), 0);
		fs_vault_tick(t.v);
	}
	ck_assert_uint_eq(t.v->index_old_count, 0);
	ck_assert_int_eq(fs_group_sync(fs_records_group(t.v->records), 0), 0);
}

static int count_one(void *ctx, const struct fs_key *key, struct fs_buf *buf)
{
	(void)key;
	(void)buf;
	++*(unsigned *)ctx;
	return 0;
}

static unsigned count(struct fs_key from, struct fs_key to)
{
	unsigned n = 0;

	ck_assert_int_eq(fs_record_scan(fs_records_vault(t.v->records), &from, &to, count_one, &n),
			 0);
	return n;
}

static unsigned manifests(void)
{
	return count(fs_key(0, 0, FS_T_MANIFEST), fs_key(0, 0, FS_T_MANIFEST + 1));
}

static unsigned wraps(uint32_t generation)
{
	return count(fs_key_n(0, 0, FS_T_WRAP, generation, 4),
		     fs_key_n(0, 0, FS_T_WRAP, generation + 1, 4));
}

static int check_sealed(void *ctx, const struct fs_key *key, struct fs_buf *buf)
{
	uint32_t generation = 0;

	(void)buf;
	ck_assert_int_eq(fs_record_generation(fs_records_vault(t.v->records), key, &generation), 0);
	ck_assert_uint_eq(generation, *(uint32_t *)ctx);
	return 0;
}

/* Everything that the index key seals is under this generation, on disk. */
static void all_under(uint32_t generation, uint32_t journals)
{
	for (uint32_t i = 0; i <= journals; i++) {
		struct fs_key from = fs_key(i, 0, i ? FS_T_JPOLICY : FS_T_POLICY);
		struct fs_key to = fs_key(i, 0, i ? FS_T_JPOLICY + 1 : FS_T_NAME + 1);

		ck_assert_uint_ge(count(from, to), 1);
		ck_assert_int_eq(fs_record_scan(fs_records_vault(t.v->records), &from, &to,
						check_sealed, &generation),
				 0);
	}
}

START_TEST(leaving_renews_the_index_key_and_seals_everything_again)
{
	struct fs_session *s = NULL;
	uint8_t old[KEYS_LEN];
	struct fs_key name;
	char text[256];
	uint32_t p, index, number;
	struct policy_practice *then = NULL;

	p = t_make(anna, "p");
	t_make(anna, "q");
	ck_assert_int_eq(t_write(anna, p, "a", "words"), 0);
	ck_assert_int_eq(fs_group_sync(fs_records_group(t.v->records), 0), 0);
	all_under(1, 2);
	memcpy(old, t.v->index_key, KEYS_LEN);
	name = fs_catalog_name_key(fs_catalog_hash(old, "p"), 0);
	fs_buf_put(t_peek(&name));
	number = fs_vault_policy_version(t.v);
	sue_leaves();
	fs_vault_tick(t.v);
	ck_assert_uint_eq(t.v->counters.index_generation, 2);
	ck_assert_mem_ne(t.v->index_key, old, KEYS_LEN);
	ck_assert_uint_eq(wraps(1), 3); /* dan, anna, recovery */
	ck_assert_uint_eq(wraps(2), 3);
	finish();
	all_under(2, 2);
	ck_assert_uint_eq(wraps(1), 0);
	ck_assert_uint_eq(manifests(), 1);
	ck_assert_uint_eq(count(name, fs_catalog_name_key(fs_catalog_hash(old, "p"), 1)), 0);
	ck_assert_uint_eq(t_logged(POLICY_RECORD_KEYS, "taken from sue, who left"), 1);
	t_make(anna, "r");
	everybody_out();
	t_close();
	t_open();
	anna = t_login("anna", ANNA);
	ck_assert_int_eq(fs_vault_journal_by_name(t.v, "r", &index), 0);
	ck_assert_int_eq(fs_vault_journal_by_name(t.v, "p", &index), 0);
	ck_assert_int_eq(t_read(anna, index, "a", text), 0);
	ck_assert_str_eq(text, "words");
	ck_assert_int_eq(fs_policies_at(t.v, number, &then), 0);
	ck_assert_int_eq(policy_practice_find(then, "sue")->state, POLICY_ACTIVE);
	policy_practice_put(then);
	ck_assert_int_eq(t_try_login("sue", SUE, "sue", &s), -EACCES);
	dan = t_login("dan", DAN);
	t_ticks();
	ck_assert_uint_eq(t.v->counters.index_generation, 2);
	everybody_out();
}
END_TEST

START_TEST(renewal_goes_on_after_a_restart)
{
	char name[16];
	uint32_t index;

	for (int i = 0; i < 400; i++) {
		snprintf(name, sizeof(name), "j%d", i);
		t_make(anna, name);
	}
	sue_leaves();
	fs_vault_tick(t.v);
	ck_assert_uint_eq(manifests(), 2);
	everybody_out();
	t_close();
	t_open();
	ck_assert_uint_eq(manifests(), 2);
	anna = t_login("anna", ANNA);
	ck_assert_uint_eq(t.v->index_old_count, 1);
	ck_assert_int_eq(fs_vault_journal_by_name(t.v, "j0", &index), 0);
	ck_assert_int_eq(fs_vault_journal_by_name(t.v, "j399", &index), 0);
	t_make(anna, "new");
	finish();
	all_under(2, 401);
	ck_assert_uint_eq(manifests(), 1);
	dan = t_login("dan", DAN);
	everybody_out();
	t_close();
	t_open();
	anna = t_login("anna", ANNA);
	ck_assert_int_eq(fs_vault_journal_by_name(t.v, "j399", &index), 0);
	ck_assert_uint_eq(t.v->journals.count, 401);
	t_logout(anna);
	dan = anna = NULL;
}
END_TEST

START_TEST(renewal_waits_for_a_steward)
{
	struct fs_vault_status status;
	char *waiting;

	sue_leaves();
	t_logout(dan);
	t_ticks();
	ck_assert_uint_eq(t.v->counters.index_generation, 1);
	fs_vault_status(t.v, &status);
	ck_assert_uint_eq(status.grants_waiting, 1);
	dan = t_login("dan", DAN);
	waiting = fs_vault_waiting(t.v, dan);
	ck_assert_ptr_nonnull(strstr(waiting, "the index key waits"));
	free(waiting);
	t_ticks();
	ck_assert_uint_eq(t.v->counters.index_generation, 2);
	fs_vault_status(t.v, &status);
	ck_assert_uint_eq(status.grants_waiting, 0);
	everybody_out();
}
END_TEST

START_TEST(code_from_before_works_only_while_a_colleague_is_there)
{
	char code[KEYS_CODE_TEXT_MAX];
	struct fs_session *bo;
	bool again;

	/* Also while the older generation is still needed, with an invitation of the newest. */
	ck_assert_int_eq(fs_vault_invite(t.v, dan, "bo", false, 0, code, &t.say), 0);
	sue_leaves();
	fs_vault_tick(t.v);
	again = t.v->index_old_count != 0;
	ck_assert(again);
	everybody_out();
	ck_assert_ptr_null(t.v->index_key);
	ck_assert_int_eq(t_try_enroll(code, "bo", BO, "bo"), -EKEYREJECTED);
	ck_assert_ptr_nonnull(strstr(t.say.text, "invite again"));
	ck_assert_ptr_null(t.v->index_key);
	dan = t_login("dan", DAN);
	ck_assert_msg(t_try_enroll(code, "bo", BO, "bo") == 0, "%s", t.say.text);
	anna = t_login("anna", ANNA);
	everybody_out();
	bo = t_login("bo", BO); /* both generations were wrapped for him */
	finish();
	t_logout(bo);
	dan = t_login("dan", DAN);
	ck_assert_int_eq(fs_vault_invite(t.v, dan, "eva", false, 0, code, &t.say), 0);
	t_logout(dan);
	ck_assert_msg(t_try_enroll(code, "eva", EVA, "eva") == 0, "%s", t.say.text);
	t_logout(t_login("eva", EVA));
	dan = anna = NULL;
}
END_TEST

START_TEST(recovery_key_opens_every_generation)
{
	char code[KEYS_CODE_TEXT_MAX];
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
	uint32_t index;

	t_make(anna, "p");
	sue_leaves();
	fs_vault_tick(t.v);
	everybody_out();
	t_close();
	t_stretch("new", stretched);
	ck_assert_msg(fs_vault_recover(&in, code, &t.say) == 0, "%s", t.say.text);
	t_open();
	ck_assert_msg(t_try_login("anna", ANNA, "new", &anna) == 0, "%s", t.say.text);
	ck_assert_int_eq(fs_vault_journal_by_name(t.v, "p", &index), 0);
	finish();
	t_logout(anna);
	dan = anna = NULL;
}
END_TEST

/* ---- Mallory ---- */

/* Generation 2 of journal `index` (0: the index key), with a key of by's own, for by. */
static void slip_in(struct fs_session *by, uint32_t index, const uint8_t *before)
{
	struct fs_key at = fs_key_n(index, 0, FS_T_MANIFEST, 2, 4);
	struct keys_manifest m = {
		.place = {.journal = index, .generation = 2},
		.signer = by->pid,
		.enrolment = by->enrolment,
		.policy_version = t.v->counters.policy,
		.time_s = (uint64_t)fs_vault_wall_s(),
	};
	uint8_t mine[KEYS_LEN], bytes[KEYS_MANIFEST_LEN];
	struct fs_edit e;

	keys_random(mine, sizeof(mine));
	memcpy(m.place.vault, t.v->header.vault, sizeof(m.place.vault));
	keys_manifest_sign(&m, mine, before, by->secret->statement_sk);
	keys_manifest_encode(&m, bytes);
	fs_vault_edit_begin(t.v, &e, NULL);
	if (!index)
		e.c.index_generation = 2;
	fs_batch_put(&e.b, fs_records_vault(t.v->records), &at, bytes, sizeof(bytes));
	ck_assert_int_eq(fs_journals_put_wrap(t.v, &e.b, &m.place, FS_WRAP_PRACTITIONER, by->pid,
					      by->enrolment, mine, by->identity.box_pk),
			 0);
	ck_assert_int_eq(fs_vault_edit_commit(&e), 0);
	fs_vault_edit_clear(&e);
}

START_TEST(generation_by_somebody_without_the_right_is_refused)
{
	uint8_t before[KEYS_LEN];
	struct fs_session *s = NULL;

	memcpy(before, t.v->index_key, KEYS_LEN);
	slip_in(anna, 0, before);
	everybody_out();
	t.alarms = 0;
	ck_assert_int_eq(t_try_login("anna", ANNA, "anna", &s), -EBADMSG);
	ck_assert_uint_ge(t.alarms, 1);
	ck_assert_ptr_null(t.v->index_key);
	dan = anna = NULL;
}
END_TEST

START_TEST(generation_that_does_not_follow_is_refused)
{
	uint8_t other[KEYS_LEN];
	struct fs_session *s = NULL;

	keys_random(other, sizeof(other));
	slip_in(dan, 0, other);
	everybody_out();
	ck_assert_int_eq(t_try_login("dan", DAN, "dan", &s), -EBADMSG);
	ck_assert_ptr_null(t.v->index_key);
	dan = anna = NULL;
}
END_TEST

START_TEST(journal_key_that_does_not_follow_is_refused)
{
	struct fs_journal_chain chain;
	uint8_t other[KEYS_LEN];
	struct fs_journal *j = NULL;
	uint32_t index = t_make(anna, "p");

	ck_assert_int_eq(fs_journals_unwrap(t.v, index, FS_WRAP_PRACTITIONER, anna->pid,
					    anna->enrolment, anna->secret->box_sk, &chain),
			 0);
	t_drop(anna);
	keys_random(other, sizeof(other));
	slip_in(anna, index, other);
	ck_assert_int_eq(fs_vault_journal(t.v, anna, index, &j), -EBADMSG);
	slip_in(anna, index, chain.key[0]);
	ck_assert_int_eq(fs_journals_unwrap(t.v, index, FS_WRAP_PRACTITIONER, anna->pid,
					    anna->enrolment, anna->secret->box_sk, &chain),
			 0);
	ck_assert_uint_eq(chain.n, 2);
	ck_assert_uint_eq(chain.generation[1], 2);
	everybody_out();
}
END_TEST

int main(void)
{
	Suite *s = suite_create("fs/index_key");
	TCase *c = tcase_create("index_key");

	tcase_add_checked_fixture(c, clinic, t_teardown);
	tcase_set_timeout(c, 60);
	tcase_add_test(c, leaving_renews_the_index_key_and_seals_everything_again);
	tcase_add_test(c, renewal_goes_on_after_a_restart);
	tcase_add_test(c, renewal_waits_for_a_steward);
	tcase_add_test(c, code_from_before_works_only_while_a_colleague_is_there);
	tcase_add_test(c, recovery_key_opens_every_generation);
	tcase_add_test(c, generation_by_somebody_without_the_right_is_refused);
	tcase_add_test(c, generation_that_does_not_follow_is_refused);
	tcase_add_test(c, journal_key_that_does_not_follow_is_refused);
	suite_add_tcase(s, c);
	return t_run(s);
}
