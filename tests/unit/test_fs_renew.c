/* SPDX-License-Identifier: Apache-2.0 */
/*
 * New keys for journals: who may ask, who carries it out, what one who left still knows, how it goes
 * on after a restart, and keys that somebody tries to slip in.
 */
#include <unistd.h>

#include "fs/final.h"
#include "test_fs_vault.h"

#define TEAM "journal \"p\"\nunit north\nallow user:anna:rwx\nallow user:bo:rwx\nallow user:eva:r-x\n"

static struct fs_session *dan, *anna, *bo, *eva;
static uint32_t p;

static void clinic(void)
{
	t_setup();
	dan = t_clinic();
	t_enroll(dan, "anna", ANNA);
	t_enroll(dan, "bo", BO);
	t_enroll(dan, "eva", EVA);
	anna = t_login("anna", ANNA);
	bo = t_login("bo", BO);
	eva = t_login("eva", EVA);
	p = t_make(anna, "p");
	t_put(dan, "p", TEAM);
	t_ticks();
	t.alarms = 0;
}

static void home(void)
{
	fs_session_put(eva);
	fs_session_put(bo);
	fs_session_put(anna);
	fs_session_put(dan);
	t_teardown();
}

static int count_state(void *ctx, const struct fs_renew_one *one)
{
	snprintf(ctx, 100, "%s", one->what);
	return 0;
}

/* Orders for this journal ("": all) that are not done; what: the last one's state. */
static uint32_t left(const char *journal, char what[static 100])
{
	struct fs_renew_progress now;
	uint32_t n = 0, waiting = 0;

	what[0] = '\0';
	ck_assert_int_eq(fs_vault_renew_status(t.v, dan, journal, "", count_state, what, &n,
					       &waiting, &now),
			 0);
	ck_assert_uint_le(waiting, n);
	return n;
}

static int ask(struct fs_session *by, const char *journal, const char *who, uint32_t *n)
{
	t.say.text[0] = '\0';
	*n = 0;
	return fs_vault_renew(t.v, by, journal, who, n, &t.say);
}

static void step(void)
{
	(void)fs_vault_renew_more(t.v);
	ck_assert_int_eq(fs_group_sync(fs_records_group(t.v->records), 0), 0);
	usleep(1000);
}

static void finish(void)
{
	char what[100];

	for (int i = 0; i < 5000 && left("", what); i++)
		step();
	ck_assert_msg(!left("", what), "%s", what);
	ck_assert_int_eq(fs_group_sync(fs_records_group(t.v->records), 0), 0);
}

static uint32_t oldest(uint32_t index)
{
	struct fs_journals_present g;

	ck_assert_int_eq(fs_journals_present(t.v, index, &g), 0);
	return g.generation[0];
}

static uint32_t newest(uint32_t index)
{
	struct fs_journals_present g;

	ck_assert_int_eq(fs_journals_present(t.v, index, &g), 0);
	return g.generation[g.n - 1];
}

static bool has_wrap(uint32_t index, uint32_t generation, uint32_t pid)
{
	struct fs_key key = fs_journals_wrap_key(index, generation, FS_WRAP_PRACTITIONER, pid);
	struct fs_buf *buf = NULL;

	if (fs_record_get(fs_records_vault(t.v->records), &key, &buf))
		return false;
	fs_buf_put(buf);
	return true;
}

static char big[60001];

static void fill(unsigned notes)
{
	char name[20], text[40];

	memset(big, 'b', sizeof(big) - 1);
	for (unsigned i = 0; i < notes; i++) {
		snprintf(name, sizeof(name), "note %u", i);
		snprintf(text, sizeof(text), "this is note %u", i);
		ck_assert_int_eq(t_write(anna, p, name, text), 0);
	}
	ck_assert_int_eq(t_write(anna, p, "big", big), 0);
}

static void check(struct fs_session *s, unsigned notes)
{
	char name[20], text[40], got[256];

	for (unsigned i = 0; i < notes; i++) {
		snprintf(name, sizeof(name), "note %u", i);
		snprintf(text, sizeof(text), "this is note %u", i);
		ck_assert_int_eq(t_read(s, p, name, got), 0);
		ck_assert_str_eq(got, text);
	}
	ck_assert_int_eq(t_read(s, p, "big", got), 0);
	big[255] = '\0';
	ck_assert_str_eq(got, big);
	big[255] = 'b';
}

static void bo_leaves(void)
{
	char policy[T_POLICY_MAX];

	t_edit(policy, "bo role nurse unit north", "bo role nurse unit north left");
	t_put(dan, "practice", policy);
	t_ticks();
}

static void drop_all(void)
{
	t_drop(anna);
	t_drop(bo);
	t_drop(eva);
}

START_TEST(renewal_seals_everything_under_a_new_key_and_drops_the_old_one)
{
	uint32_t n;

	fill(20);
	ck_assert_int_eq(ask(dan, "p", "", &n), 0);
	ck_assert_uint_eq(n, 1);
	finish();
	ck_assert_uint_eq(oldest(p), 2);
	ck_assert_uint_eq(newest(p), 2);
	ck_assert(has_wrap(p, 2, anna->pid) && has_wrap(p, 2, bo->pid) && has_wrap(p, 2, eva->pid));
	ck_assert(!has_wrap(p, 1, anna->pid) && !has_wrap(p, 1, bo->pid));
	ck_assert(!has_wrap(p, 2, dan->pid));
	check(anna, 20);
	check(bo, 20);
	check(eva, 20);
	drop_all();
	check(anna, 20);
	ck_assert_int_eq(t_write(bo, p, "later", "x"), 0);
	drop_all();
	check(eva, 20);
	ck_assert_uint_eq(t.alarms, 0);
	ck_assert_uint_eq(t_logged(POLICY_RECORD_KEYS, "asked for a new key of this journal"), 1);
	ck_assert_uint_eq(t_logged(POLICY_RECORD_KEYS,
				   "key 2 of this journal is made, asked for by dan"),
			  1);
	ck_assert_uint_eq(t_logged(POLICY_RECORD_KEYS, "sealed under key 2 alone"), 1);
}
END_TEST

START_TEST(renewal_after_renewal_and_all_over_again_after_a_restart)
{
	uint32_t n;

	fill(5);
	for (uint32_t i = 0; i < 10; i++) {
		ck_assert_int_eq(ask(bo, "p", "", &n), 0);
		finish();
		ck_assert_uint_eq(oldest(p), i + 2);
	}
	t_logout(anna);
	t_logout(bo);
	t_logout(eva);
	t_logout(dan);
	t_close();
	t_open();
	dan = t_login("dan", DAN);
	anna = t_login("anna", ANNA);
	bo = t_login("bo", BO);
	eva = t_login("eva", EVA);
	check(bo, 5);
	ck_assert_int_eq(t_write(anna, p, "later", "x"), 0);
	check(eva, 5);
	ck_assert_uint_eq(t.alarms, 0);
}
END_TEST

START_TEST(who_may_ask)
{
	uint32_t n;

	ck_assert_int_eq(ask(eva, "p", "", &n), -EACCES); /* reads only */
	ck_assert_int_eq(ask(bo, "", "anna", &n), -EACCES);
	ck_assert_int_eq(ask(dan, "q", "", &n), -ENOENT);
	ck_assert_int_eq(ask(dan, "", "nobody", &n), -ENOENT);
	ck_assert_int_eq(ask(dan, "", "", &n), -EINVAL);
	ck_assert_uint_eq(t_logged(POLICY_RECORD_REFUSED, "renewing keys"), 3);
	ck_assert_int_eq(ask(bo, "p", "", &n), 0);
	ck_assert_uint_eq(n, 1);
	finish();
}
END_TEST

START_TEST(order_waits_for_somebody_who_may_write)
{
	char what[100];
	uint32_t n;

	fill(3);
	t_logout(anna);
	t_logout(bo);
	ck_assert_int_eq(ask(dan, "p", "", &n), 0);
	for (int i = 0; i < 10; i++)
		step();
	ck_assert_uint_eq(left("p", what), 1);
	ck_assert_ptr_nonnull(strstr(what, "waits for somebody"));
	ck_assert_uint_eq(newest(p), 1);
	t_logout(eva);
	t_logout(dan);
	t_close();
	t_open();
	dan = t_login("dan", DAN);
	bo = t_login("bo", BO);
	finish();
	ck_assert_uint_eq(oldest(p), 2);
	anna = t_login("anna", ANNA);
	eva = t_login("eva", EVA);
	check(anna, 3);
}
END_TEST

START_TEST(renewal_goes_on_with_another_session_and_after_a_restart)
{
	char what[100];
	uint32_t n;

	fill(600);
	ck_assert_int_eq(ask(dan, "p", "", &n), 0);
	for (int i = 0; i < 5000 && newest(p) == 1; i++)
		step();
	for (int i = 0; i < 6; i++)
		step();
	ck_assert_uint_eq(newest(p), 2);
	ck_assert_uint_eq(oldest(p), 1);
	t_logout(anna);
	step();
	check(eva, 600);
	t_logout(bo);
	t_logout(eva);
	for (int i = 0; i < 5; i++)
		step();
	ck_assert_uint_eq(left("p", what), 1);
	t_logout(dan);
	t_close();
	t_open();
	dan = t_login("dan", DAN);
	anna = t_login("anna", ANNA);
	bo = t_login("bo", BO);
	eva = t_login("eva", EVA);
	check(eva, 600);
	finish();
	ck_assert_uint_eq(oldest(p), 2);
	drop_all();
	check(bo, 600);
	ck_assert_uint_eq(t.alarms, 0);
}
END_TEST

START_TEST(locked_session_pauses_it)
{
	char what[100];
	uint32_t n;

	fill(3);
	ck_assert_int_eq(ask(dan, "p", "", &n), 0);
	fs_vault_lock_begin(t.v, anna);
	ck_assert_int_eq(fs_vault_lock_finish(t.v, anna, "test"), 0);
	fs_vault_lock_begin(t.v, bo);
	ck_assert_int_eq(fs_vault_lock_finish(t.v, bo, "test"), 0);
	for (int i = 0; i < 20; i++)
		step();
	ck_assert_uint_eq(left("p", what), 1);
	ck_assert_uint_eq(newest(p), 1);
	t_logout(bo);
	bo = t_login("bo", BO);
	finish();
	check(bo, 3);
}
END_TEST

START_TEST(all_of_one_who_left_renews_what_he_knew_and_nothing_else)
{
	uint32_t q = t_make(anna, "q"), r = t_make(anna, "r"), n = 0;
	char *waiting, got[256];

	t_put(dan, "r", "journal \"r\"\nunit north\nallow user:anna:rwx\nallow user:bo:rwx\n");
	t_ticks();
	fill(5);
	ck_assert_int_eq(t_write(anna, q, "a", "q"), 0);
	bo_leaves();
	ck_assert(!has_wrap(p, 1, 3) && !has_wrap(p, 1, bo->pid));
	waiting = fs_vault_waiting(t.v, dan);
	ck_assert_ptr_nonnull(
		strstr(waiting, "bo left: 2 journals he could read still have the keys that he "
				"knew; `journalfs keys renew --all-of bo`"));
	free(waiting);
	ck_assert_int_eq(ask(dan, "", "bo", &n), 0);
	ck_assert_uint_eq(n, 2);
	waiting = fs_vault_waiting(t.v, dan);
	ck_assert_ptr_null(strstr(waiting, "bo left"));
	ck_assert_ptr_nonnull(strstr(waiting, "new keys for 2 journals"));
	free(waiting);
	finish();
	ck_assert_uint_eq(oldest(p), 2);
	ck_assert_uint_eq(oldest(r), 2);
	ck_assert_uint_eq(oldest(q), 1);
	ck_assert(!has_wrap(p, 2, bo->pid) && !has_wrap(r, 2, bo->pid));
	check(anna, 5);
	ck_assert_int_eq(t_read(anna, q, "a", got), 0);
	(void)fs_vault_renew_more(t.v);
	waiting = fs_vault_waiting(t.v, dan);
	ck_assert_ptr_null(strstr(waiting, "bo left"));
	free(waiting);
	ck_assert_uint_eq(
		t_logged(POLICY_RECORD_KEYS, "asked for by dan, on account of bo"), 2);
	/* The log still knows his name, and so does the vault. */
	ck_assert_uint_ge(t_logged(POLICY_RECORD_KEYS, "key taken from bo"), 2);
	ck_assert_int_eq(ask(dan, "", "bo", &n), 0);
	ck_assert_uint_eq(n, 0);
}
END_TEST

START_TEST(left_is_left_at_once)
{
	struct fs_session *s = NULL;
	struct fs_journal *j = NULL;
	char policy[T_POLICY_MAX], got[256];

	fill(1);
	ck_assert_int_eq(t_read(bo, p, "note 0", got), 0);
	t_edit(policy, "bo role nurse unit north", "bo role nurse unit north left");
	t_put(dan, "practice", policy);
	ck_assert(!t_may(bo, p, POLICY_READ));
	fs_vault_tick(t.v);
	ck_assert_int_eq(fs_session_state(bo), FS_SESSION_ENDED);
	ck_assert_int_eq(fs_vault_journal(t.v, bo, p, &j), -ENOKEY);
	ck_assert_int_eq(t_try_login("bo", BO, "bo", &s), -EACCES);
	ck_assert_int_eq(t_try_login("bo", BO, "wrong", &s), -EKEYREJECTED);
	t_ticks();
	ck_assert(!has_wrap(p, 1, bo->pid));
	ck_assert(!has_wrap(0, t.v->counters.index_generation, bo->pid));
	ck_assert_ptr_nonnull(fs_people_by_pid(t.v, bo->pid));
	ck_assert_str_eq(fs_people_by_pid(t.v, bo->pid)->name, "bo");
}
END_TEST

START_TEST(newcomer_gets_every_generation_there_is)
{
	uint32_t n;

	fill(600);
	t_put(dan, "p", "journal \"p\"\nunit north\nallow user:anna:rwx\nallow user:bo:rwx\n");
	ck_assert_int_eq(ask(dan, "p", "", &n), 0);
	for (int i = 0; i < 5000 && newest(p) == 1; i++)
		step();
	for (int i = 0; i < 4; i++)
		step();
	ck_assert_uint_eq(oldest(p), 1);
	ck_assert(!has_wrap(p, 2, eva->pid));
	t_put(dan, "p", TEAM);
	t_ticks();
	ck_assert(has_wrap(p, 2, eva->pid));
	t_drop(eva);
	check(eva, 600);
	finish();
	drop_all();
	check(eva, 600);
	ck_assert_uint_eq(t.alarms, 0);
}
END_TEST

/* Before the next look at wraps: he has the newest key's alone, and that is no damage. */
START_TEST(admitted_just_before_a_renewal_waits_for_older_keys)
{
	uint32_t q = t_make(anna, "q"), n;
	char got[256], what[100];

	ck_assert_int_eq(t_write(anna, q, "note", "text"), 0);
	t_put(dan, "q",
	      "journal \"q\"\nunit north\nallow user:anna:rwx\nallow user:bo:rwx\n");
	ck_assert_int_eq(ask(anna, "q", "", &n), 0);
	for (int i = 0; i < 5000 && newest(q) == 1; i++)
		step();
	ck_assert(has_wrap(q, 2, bo->pid) && !has_wrap(q, 1, bo->pid));
	ck_assert_int_eq(t_read(bo, q, "note", got), -EACCES);
	ck_assert_uint_eq(t.alarms, 0);
	/* Nor is he an obstacle when the one who began is gone. */
	t_logout(anna);
	step();
	step();
	ck_assert_uint_eq(left("q", what), 1);
	ck_assert_ptr_nonnull(strstr(what, "waits for somebody"));
	anna = t_login("anna", ANNA);
	t_ticks();
	finish();
	ck_assert_int_eq(t_read(bo, q, "note", got), 0);
	ck_assert_uint_eq(t.alarms, 0);
}
END_TEST

/* "note 0" of p becomes final, as by the vault itself. */
static void make_final(struct fs_journal *j)
{
	struct fs_actor who = {.pid = anna->pid, .now = {.tv_sec = 1}};
	struct fs_final_statement st = {.note = {.kind = KEYS_NOTE_LOCKED,
						 .journal = p,
						 .number = 1,
						 .author = anna->pid,
						 .path = "note 0",
						 .author_name = "anna"}};
	struct fs_final_add add = {.s = &st};
	uint8_t blake2b[64];

	who.signer = fs_session_signer(anna);
	ck_assert_int_eq(fs_final_lookup(j, "note 0", &add.i), 0);
	ck_assert_int_eq(fs_final_close(add.i), 0);
	memcpy(st.note.vault, fs_vault_id(t.v), KEYS_VAULT_ID_LEN);
	st.note.ino = add.i->ino;
	ck_assert_int_eq(fs_final_hash(add.i, st.note.sha256, blake2b, &st.note.size), 0);
	ck_assert_int_eq(fs_final_add(&add, &who), 0);
	fs_inode_put(add.i);
	fs_signer_put(who.signer);
}

/* What is stated of final notes lies under the new key too, and says what it said. */
START_TEST(final_notes_and_their_statements_are_sealed_again)
{
	struct fs_journal *j = NULL;
	struct fs_inode *i = NULL;
	struct fs_final_statement st;
	struct fs_final_state state;
	uint32_t n, generation = 0;
	struct fs_key key;

	fill(3);
	ck_assert_int_eq(fs_vault_journal(t.v, anna, p, &j), 0);
	make_final(j);
	fs_journal_put(j);
	ck_assert_int_eq(ask(dan, "p", "", &n), 0);
	finish();
	ck_assert_uint_eq(oldest(p), 2);
	drop_all();
	check(anna, 3);
	ck_assert_int_eq(fs_vault_journal(t.v, anna, p, &j), 0);
	ck_assert_int_eq(fs_final_lookup(j, "note 0", &i), 0);
	ck_assert_uint_eq(i->flags, FS_INODE_FINAL | FS_INODE_STATE);
	ck_assert_int_eq(fs_final_state(i, &state), 0);
	ck_assert_uint_eq(state.final, 1);
	ck_assert_int_eq(fs_final_get(j, 1, &st), 0);
	key = fs_key(p, i->ino, FS_T_STATE);
	ck_assert_int_eq(fs_record_generation(j, &key, &generation), 0);
	ck_assert_uint_eq(generation, 2);
	key = fs_key_n(p, 0, FS_T_FINAL, 1, 4);
	ck_assert_int_eq(fs_record_generation(j, &key, &generation), 0);
	ck_assert_uint_eq(generation, 2);
	fs_inode_put(i);
	fs_journal_put(j);
	ck_assert_uint_eq(t.alarms, 0);
}
END_TEST

/*
 * As after a commit that met damage: what it had of the journal is gone, of the vault it is there. Once
 * that is mended, the older key must not go before the key of names is kept.
 */
START_TEST(first_key_does_not_go_before_the_key_of_names_is_kept)
{
	struct fs_key names = fs_key_n(p, 0, FS_T_HEAD, 2, 1);
	struct fs_signer *signer = fs_session_signer(anna);
	struct fs_journal *j = NULL;
	struct fs_batch b;
	uint32_t n;

	fill(5);
	ck_assert_int_eq(ask(dan, "p", "", &n), 0);
	for (int i = 0; i < 5000 && newest(p) == 1; i++)
		step();
	ck_assert_uint_eq(oldest(p), 1);
	ck_assert_int_eq(fs_vault_journal(t.v, anna, p, &j), 0);
	fs_batch_init(&b, signer);
	fs_batch_del(&b, j, &names);
	ck_assert_int_eq(fs_group_apply(fs_records_group(t.v->records), &b, NULL), 0);
	fs_batch_clear(&b);
	fs_signer_put(signer);
	fs_journal_put(j);
	finish();
	ck_assert_uint_eq(oldest(p), 2);
	drop_all();
	check(anna, 5);
	ck_assert_uint_eq(t.alarms, 0);
}
END_TEST

START_TEST(journal_removed_meanwhile_takes_its_order_along)
{
	char what[100];
	uint32_t n;

	ck_assert_int_eq(ask(dan, "p", "", &n), 0);
	ck_assert_int_eq(fs_vault_journal_remove(t.v, anna, "p"), 0);
	step();
	ck_assert_uint_eq(left("", what), 0);
	for (int i = 0; i < 5; i++)
		step();
	ck_assert_uint_eq(t.alarms, 0);
}
END_TEST

START_TEST(recovery_key_opens_every_generation)
{
	uint8_t stretched[KEYS_LEN];
	char code[KEYS_CODE_TEXT_MAX];
	struct fs_recover in = {
		.config = &t.cfg,
		.recovery = t.made.recovery,
		.who = "eva",
		.uid = EVA,
		.stretched = stretched,
		.salt = t_salt,
		.cost = &t_cost,
	};
	uint32_t n;

	fill(600);
	ck_assert_int_eq(ask(dan, "p", "", &n), 0);
	for (int i = 0; i < 5000 && newest(p) == 1; i++)
		step();
	for (int i = 0; i < 4; i++)
		step();
	ck_assert_uint_eq(oldest(p), 1);
	t_logout(anna);
	t_logout(bo);
	t_logout(eva);
	t_logout(dan);
	t_close();
	t_stretch("eva", stretched);
	ck_assert_msg(fs_vault_recover(&in, code, &t.say) == 0, "%s", t.say.text);
	t_open();
	eva = t_login("eva", EVA);
	check(eva, 600);
	dan = t_login("dan", DAN);
	anna = t_login("anna", ANNA);
	bo = t_login("bo", BO);
	finish();
	drop_all();
	check(eva, 600);
}
END_TEST

START_TEST(damage_is_stuck_and_costs_nothing_else)
{
	struct fs_key note = {.len = 0};
	char path[200], what[100], unit[4096], got[256];
	uint32_t generation = 0, n;
	struct fs_journal *j = NULL;
	FILE *f;

	fill(30);
	drop_all();
	snprintf(path, sizeof(path), "%s/containers/%02x/%08x", t.vault, p & 255, p);
	f = fopen(path, "r+");
	ck_assert_ptr_nonnull(f);
	memset(unit, 'x', sizeof(unit));
	ck_assert_uint_eq(fwrite(unit, 1, sizeof(unit), f), sizeof(unit));
	fclose(f);
	ck_assert_int_eq(ask(dan, "p", "", &n), 0);
	for (int i = 0; i < 2000 && (left("p", what), !strstr(what, "stuck")); i++)
		step();
	ck_assert_ptr_nonnull(strstr(what, "stuck"));
	ck_assert_uint_eq(oldest(p), 1);
	ck_assert_uint_eq(newest(p), 2);
	ck_assert_uint_ge(t.alarms, 1);
	ck_assert_int_eq(t_write(bo, p, "later", "x"), 0);
	ck_assert_int_eq(t_read(eva, p, "later", got), 0);
	/* All but the damaged chunk went on. */
	ck_assert_int_eq(fs_vault_journal(t.v, anna, p, &j), 0);
	note = fs_key_n(p, 2, FS_T_PIECE, 0, 2);
	ck_assert_int_eq(fs_record_generation(j, &note, &generation), 0);
	ck_assert_uint_eq(generation, 2);
	fs_journal_put(j);
}
END_TEST

/* ---- Mallory ---- */

/* Generation 2 with a key of by's own, after the right one or not, for everybody he likes. */
static void slip_in(struct fs_session *by, const uint8_t *before)
{
	struct fs_key at = fs_key_n(p, 0, FS_T_MANIFEST, 2, 4);
	struct keys_manifest m = {
		.place = {.journal = p, .generation = 2},
		.signer = by->pid,
		.enrolment = by->enrolment,
		.policy_version = t.v->counters.policy,
		.time_s = (uint64_t)fs_vault_wall_s(),
	};
	uint8_t mine[KEYS_LEN], bytes[KEYS_MANIFEST_LEN];
	struct fs_batch b;

	keys_random(mine, sizeof(mine));
	memcpy(m.place.vault, t.v->header.vault, sizeof(m.place.vault));
	keys_manifest_sign(&m, mine, before, by->secret->statement_sk);
	keys_manifest_encode(&m, bytes);
	fs_batch_init(&b, NULL);
	fs_batch_put(&b, fs_records_vault(t.v->records), &at, bytes, sizeof(bytes));
	ck_assert_int_eq(fs_journals_put_wrap(t.v, &b, &m.place, FS_WRAP_PRACTITIONER, anna->pid,
					      anna->enrolment, mine, anna->identity.box_pk),
			 0);
	ck_assert_int_eq(fs_group_apply(fs_records_group(t.v->records), &b, NULL), 0);
	fs_batch_clear(&b);
}

static void key_of_anna(uint8_t key[static KEYS_LEN])
{
	struct fs_journal_chain chain;

	ck_assert_int_eq(fs_journals_unwrap(t.v, p, FS_WRAP_PRACTITIONER, anna->pid,
					    anna->enrolment, anna->secret->box_sk, &chain),
			 0);
	memcpy(key, chain.key[0], KEYS_LEN);
}

START_TEST(key_by_one_who_only_reads_is_refused)
{
	struct fs_journal *j = NULL;
	uint8_t key[KEYS_LEN];

	key_of_anna(key);
	drop_all();
	slip_in(eva, key); /* she knows the key, so it follows */
	ck_assert_int_eq(fs_vault_journal(t.v, anna, p, &j), -EBADMSG);
	ck_assert_uint_ge(t.alarms, 1);
}
END_TEST

START_TEST(key_that_does_not_follow_is_refused)
{
	struct fs_journal *j = NULL;
	uint8_t other[KEYS_LEN];

	keys_random(other, sizeof(other));
	drop_all();
	slip_in(anna, other);
	ck_assert_int_eq(fs_vault_journal(t.v, anna, p, &j), -EBADMSG);
	ck_assert_uint_ge(t.alarms, 1);
}
END_TEST

/* The manifest of the new key, and its wraps, are taken away again: what it seals tells. */
START_TEST(going_back_to_the_older_key_is_noticed)
{
	struct fs_key manifest = fs_key_n(p, 0, FS_T_MANIFEST, 2, 4);
	struct fs_key wrap = fs_journals_wrap_key(p, 2, FS_WRAP_PRACTITIONER, anna->pid);
	struct fs_journal *j = NULL;
	uint32_t n;

	fill(600);
	ck_assert_int_eq(ask(dan, "p", "", &n), 0);
	for (int i = 0; i < 5000 && newest(p) == 1; i++)
		step();
	for (int i = 0; i < 6; i++)
		step();
	ck_assert_uint_eq(oldest(p), 1);
	drop_all();
	t_poke(&manifest, NULL, 0);
	t_poke(&wrap, NULL, 0);
	ck_assert_int_eq(fs_vault_journal(t.v, anna, p, &j), -EBADMSG);
	ck_assert_uint_ge(t.alarms, 1);
}
END_TEST

START_TEST(malformed_orders_are_refused_and_cost_nothing_else)
{
	struct fs_key key = fs_key_n(0, 0, FS_T_RENEWAL, p, 4);
	uint8_t bytes[33] = {1, 0, 0, 0, 1};
	char got[256];

	fill(1);
	for (size_t len = 0; len <= sizeof(bytes); len++) {
		if (len == 32)
			continue;
		t_poke(&key, bytes, len);
		ck_assert_int_eq(fs_renew_load(t.v), -EBADMSG);
	}
	bytes[0] = 2;
	t_poke(&key, bytes, 32);
	ck_assert_int_eq(fs_renew_load(t.v), -EBADMSG);
	bytes[0] = 1;
	bytes[31] = 1;
	t_poke(&key, bytes, 32);
	ck_assert_int_eq(fs_renew_load(t.v), -EBADMSG);
	t_ticks();
	step();
	ck_assert_int_eq(t_read(anna, p, "note 0", got), 0);
	bytes[31] = 0;
	t_poke(&key, bytes, 32);
	finish();
	ck_assert_uint_eq(oldest(p), 2);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("fs/renew");
	TCase *c = tcase_create("renew");

	tcase_add_checked_fixture(c, clinic, home);
	tcase_set_timeout(c, 120);
	tcase_add_test(c, renewal_seals_everything_under_a_new_key_and_drops_the_old_one);
	tcase_add_test(c, renewal_after_renewal_and_all_over_again_after_a_restart);
	tcase_add_test(c, who_may_ask);
	tcase_add_test(c, order_waits_for_somebody_who_may_write);
	tcase_add_test(c, renewal_goes_on_with_another_session_and_after_a_restart);
	tcase_add_test(c, locked_session_pauses_it);
	tcase_add_test(c, all_of_one_who_left_renews_what_he_knew_and_nothing_else);
	tcase_add_test(c, left_is_left_at_once);
	tcase_add_test(c, newcomer_gets_every_generation_there_is);
	tcase_add_test(c, admitted_just_before_a_renewal_waits_for_older_keys);
	tcase_add_test(c, final_notes_and_their_statements_are_sealed_again);
	tcase_add_test(c, first_key_does_not_go_before_the_key_of_names_is_kept);
	tcase_add_test(c, journal_removed_meanwhile_takes_its_order_along);
	tcase_add_test(c, recovery_key_opens_every_generation);
	tcase_add_test(c, damage_is_stuck_and_costs_nothing_else);
	tcase_add_test(c, key_by_one_who_only_reads_is_refused);
	tcase_add_test(c, key_that_does_not_follow_is_refused);
	tcase_add_test(c, going_back_to_the_older_key_is_noticed);
	tcase_add_test(c, malformed_orders_are_refused_and_cost_nothing_else);
	suite_add_tcase(s, c);
	return t_run(s);
}
