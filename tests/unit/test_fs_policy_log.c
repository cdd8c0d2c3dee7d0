/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Policy versions looked back at: by number, time and file, with reasons, and who may.
 */
#include "test_fs_vault.h"

static void put_because(struct fs_session *by, const char *file, const char *text,
			const char *reason)
{
	char *report = NULL;
	int rc;

	t.say.text[0] = '\0';
	rc = fs_vault_policy_put_because(t.v, by, file, text, strlen(text), t_version(file), reason,
					 &report, &t.say);
	ck_assert_msg(rc == 0, "put %s: %d %s\n%s", file, rc, t.say.text, report ? report : "");
}

static int at(struct fs_session *by, const char *file, uint32_t version, struct fs_policy_text *out)
{
	const struct fs_policy_when when = {.version = version};

	t.say.text[0] = '\0';
	return fs_vault_policy_at(t.v, by, file, &when, out, &t.say);
}

/* The text at a version must hold this. */
static void holds(struct fs_session *by, const char *file, uint32_t version, const char *piece)
{
	struct fs_policy_text text;
	int rc = at(by, file, version, &text);

	ck_assert_msg(rc == 0, "%s at %u: %d %s", file, version, rc, t.say.text);
	ck_assert_msg(strstr(text.text, piece) != NULL, "%s at %u lacks `%s`:\n%s", file, version,
		      piece, text.text);
	free(text.text);
}

struct listed {
	unsigned n;
	struct fs_policy_change c[64];
};

static int take(void *ctx, const struct fs_policy_change *c)
{
	struct listed *l = ctx;

	ck_assert_uint_lt(l->n, 64);
	l->c[l->n++] = *c;
	return 0;
}

static struct listed *list(struct fs_session *by, const char *file, uint32_t after)
{
	static struct listed l;

	l.n = 0;
	ck_assert_int_eq(fs_vault_policy_log(t.v, by, file, after, take, &l, &t.say), 0);
	return &l;
}

static const char p_anna[] = "journal \"p\"\nunit north\nallow user:anna:rwx\n";
static const char p_bo[] = "journal \"p\"\nunit north\n# for the holidays\nallow user:anna:rwx\n"
			   "allow user:bo:r-x until 2099-12-31 reason \"stands in\"\n";

START_TEST(reason_stays_with_the_version_and_stands_in_the_log)
{
	struct fs_session *dan = t_clinic(), *anna;
	struct fs_policy_text text;
	struct listed *l;

	t_enroll(dan, "anna", ANNA);
	anna = t_login("anna", ANNA);
	t_make(anna, "p");
	put_because(dan, "p", p_anna, "");
	put_because(dan, "p", p_bo, "anna is away; \"so it is\" \xc3\xa6");
	t_logout(anna);
	t_logout(dan);
	t_close();
	t_open();
	dan = t_login("dan", DAN);
	ck_assert_int_eq(at(dan, "p", 0, &text), 0);
	ck_assert_str_eq(text.text, p_bo);
	ck_assert_str_eq(text.who, "dan");
	ck_assert_str_eq(text.file, "p");
	ck_assert_str_eq(text.reason, "anna is away; \"so it is\" \xc3\xa6");
	ck_assert_uint_eq(text.version, fs_vault_policy_version(t.v));
	free(text.text);
	l = list(dan, "p", 0);
	ck_assert_uint_eq(l->n, 3);
	ck_assert_str_eq(l->c[0].reason, "anna is away; \"so it is\" \xc3\xa6");
	ck_assert_str_eq(l->c[0].who, "dan");
	ck_assert_uint_eq(l->c[0].added, 2);
	ck_assert_uint_eq(l->c[0].removed, 0);
	ck_assert_str_eq(l->c[0].summary,
			 "+ allow user:bo:r-x until 2099-12-31 reason \"stands in\"");
	ck_assert_int_eq(l->c[0].state, FS_POLICY_IN_FORCE);
	ck_assert_str_eq(l->c[1].reason, "");
	ck_assert_int_eq(l->c[1].state, FS_POLICY_REPLACED);
	ck_assert_str_eq(l->c[2].who, "anna");
	ck_assert_uint_eq(l->c[2].before, 0);
	t_logout(dan);
}
END_TEST

static int reason_in_record(void *ctx, const struct policy_record *r)
{
	unsigned *n = ctx;

	*n += r->kind == POLICY_RECORD_POLICY && !strcmp(r->reason, "why not");
	return 0;
}

START_TEST(reason_is_in_the_access_log)
{
	struct fs_session *dan = t_clinic();
	uint8_t key[KEYS_RECOVERY_LEN], pk[KEYS_LEN], sk[KEYS_LEN];
	char policy[T_POLICY_MAX], dir[100];
	unsigned n = 0;

	t_edit(policy, "Klinik Nord", "Klinik Syd");
	put_because(dan, "practice", policy, "why not");
	snprintf(dir, sizeof(dir), "%s/log", t.vault);
	ck_assert_int_eq(keys_recovery_parse(t.made.recovery, key), 0);
	keys_recovery_box(t.made.vault, key, pk, sk);
	ck_assert_int_eq(fs_log_read(dir, t.made.vault, pk, sk, 0, reason_in_record, NULL, &n), 0);
	ck_assert_uint_eq(n, 1);
	t_logout(dan);
}
END_TEST

START_TEST(reason_that_is_too_long_is_refused)
{
	struct fs_session *dan = t_clinic();
	char reason[FS_REASON_MAX + 2], *report = NULL;
	uint32_t version = fs_vault_policy_version(t.v);

	memset(reason, 'r', sizeof(reason));
	reason[FS_REASON_MAX + 1] = '\0';
	ck_assert_int_eq(fs_vault_policy_put_because(t.v, dan, "practice", CLINIC_POLICY,
						     strlen(CLINIC_POLICY), version, reason,
						     &report, &t.say),
			 -EINVAL);
	ck_assert_uint_eq(fs_vault_policy_version(t.v), version);
	reason[FS_REASON_MAX] = '\0';
	put_because(dan, "practice", CLINIC_POLICY "# one more\n", reason);
	t_logout(dan);
}
END_TEST

START_TEST(journal_is_found_by_the_name_it_had)
{
	struct fs_session *dan = t_clinic(), *anna;
	uint32_t first, renamed, second;
	struct fs_policy_text text;
	struct listed *l;

	t_enroll(dan, "anna", ANNA);
	anna = t_login("anna", ANNA);
	t_make(anna, "old \xc3\xa5name");
	first = fs_vault_policy_version(t.v);
	ck_assert_int_eq(fs_vault_journal_rename(t.v, anna, "old \xc3\xa5name", "new name"), 0);
	renamed = fs_vault_policy_version(t.v);
	t_put(dan, "new name", "journal \"new name\"\nallow user:anna:rwx\nallow user:bo:rwx\n");
	second = fs_vault_policy_version(t.v);

	holds(dan, "old \xc3\xa5name", first, "user:anna");
	holds(dan, "new name", renamed, "journal \"new name\"");
	holds(dan, "new name", second, "user:bo");
	holds(dan, "new name", 0, "user:bo");
	/* By the name of now, of a time when it had another. */
	ck_assert_int_eq(at(dan, "new name", first, &text), 0);
	ck_assert_str_eq(text.file, "old \xc3\xa5name");
	free(text.text);
	/* Nothing has the old name any more. */
	ck_assert_int_eq(at(dan, "old \xc3\xa5name", renamed, &text), -ENOENT);
	ck_assert_int_eq(at(dan, "old \xc3\xa5name", 0, &text), -ENOENT);
	ck_assert_int_eq(at(dan, "new name", first - 1, &text), -ENOENT);
	ck_assert_int_eq(at(dan, "no such name", second, &text), -ENOENT);
	l = list(dan, "old \xc3\xa5name", 0);
	ck_assert_uint_eq(l->n, 3);
	ck_assert_str_eq(l->c[0].file, "new name");
	ck_assert_str_eq(l->c[2].file, "old \xc3\xa5name");
	t_logout(anna);
	t_logout(dan);
}
END_TEST

/* A name may pass from one journal to the next: which of them had it goes by the version. */
START_TEST(name_that_passed_on_is_told_apart_by_version)
{
	struct fs_session *dan = t_clinic(), *anna;
	uint32_t one, two, index;
	struct fs_policy_text text;
	struct listed *l;

	t_enroll(dan, "anna", ANNA);
	anna = t_login("anna", ANNA);
	t_make(anna, "p");
	t_put(dan, "p", "journal \"p\"\nallow user:anna:rwx\n# the first\n");
	one = fs_vault_policy_version(t.v);
	ck_assert_int_eq(fs_vault_journal_remove(t.v, anna, "p"), 0);
	index = t_make(anna, "q");
	(void)index;
	ck_assert_int_eq(fs_vault_journal_rename(t.v, anna, "q", "p"), 0);
	t_put(dan, "p", "journal \"p\"\nallow user:anna:rwx\n# the second\n");
	two = fs_vault_policy_version(t.v);
	holds(dan, "p", one, "# the first");
	holds(dan, "p", two, "# the second");
	holds(dan, "q", two - 2, "user:anna");
	ck_assert_int_eq(at(dan, "q", two, &text), -ENOENT);
	/* And when it is gone at last, its versions can still be shown. */
	ck_assert_int_eq(fs_vault_journal_remove(t.v, anna, "p"), 0);
	holds(dan, "p", 0, "# the second");
	holds(dan, "p", one, "# the first");
	l = list(dan, "p", 0);
	ck_assert_uint_eq(l->n, 3);
	for (unsigned i = 0; i < l->n; i++)
		ck_assert_int_eq(l->c[i].state, FS_POLICY_GONE);
	t_logout(anna);
	t_logout(dan);
}
END_TEST

START_TEST(moment_finds_the_version_that_was_in_force)
{
	struct fs_session *dan = t_clinic();
	char policy[T_POLICY_MAX];
	struct fs_policy_when when = {0};
	struct fs_policy_text text;
	uint32_t before = fs_vault_policy_version(t.v);

	when.at_s = fs_vault_wall_s();
	while (fs_vault_wall_s() == when.at_s)
		usleep(20000);
	t_edit(policy, "Klinik Nord", "Klinik Syd");
	t_put(dan, "practice", policy);
	ck_assert_int_eq(fs_vault_policy_at(t.v, dan, "practice", &when, &text, &t.say), 0);
	ck_assert_uint_eq(text.version, before);
	ck_assert_ptr_nonnull(strstr(text.text, "Klinik Nord"));
	free(text.text);
	when.at_s = fs_vault_wall_s() + 100;
	ck_assert_int_eq(fs_vault_policy_at(t.v, dan, "practice", &when, &text, &t.say), 0);
	ck_assert_ptr_nonnull(strstr(text.text, "Klinik Syd"));
	free(text.text);
	when.at_s = 1000;
	ck_assert_int_eq(fs_vault_policy_at(t.v, dan, "practice", &when, &text, &t.say), -ENOENT);
	ck_assert_ptr_nonnull(strstr(t.say.text, "there was no policy \"practice\" then"));
	when.version = fs_vault_policy_version(t.v) + 1;
	ck_assert_int_eq(fs_vault_policy_at(t.v, dan, "practice", &when, &text, &t.say), -ENOENT);
	t_logout(dan);
}
END_TEST

START_TEST(log_of_all_files_names_who_made_each_version_also_who_left)
{
	struct fs_session *dan = t_clinic(), *anna;
	char policy[T_POLICY_MAX];
	struct listed *l;
	uint32_t after;

	t_enroll(dan, "anna", ANNA);
	anna = t_login("anna", ANNA);
	after = fs_vault_policy_version(t.v);
	t_make(anna, "p");
	t_logout(anna);
	t_edit(policy, "anna user anna role physician unit north",
	       "anna user anna role physician unit north left\n"
	       "default unit north allow user:bo:rwx");
	put_because(dan, "practice", policy, "anna moved away");
	l = list(dan, "", after);
	ck_assert_uint_eq(l->n, 2);
	ck_assert_str_eq(l->c[0].file, "practice");
	ck_assert_str_eq(l->c[0].who, "dan");
	ck_assert_uint_eq(l->c[0].added, 2);
	ck_assert_uint_eq(l->c[0].removed, 1);
	ck_assert_ptr_nonnull(strstr(l->c[0].summary, "unit north left"));
	ck_assert_str_eq(l->c[1].file, "p");
	ck_assert_str_eq(l->c[1].who, "anna");
	/* The first of all is the root's. */
	l = list(dan, "practice", 0);
	ck_assert_str_eq(l->c[l->n - 1].who, "");
	ck_assert_uint_eq(l->c[l->n - 1].number, 1);
	t_logout(dan);
}
END_TEST

START_TEST(looking_back_needs_a_right_and_refusals_tell_nothing)
{
	struct fs_session *dan = t_clinic(), *anna, *lis;
	struct fs_policy_text text;
	static struct listed l;
	char say[256];

	t_enroll(dan, "anna", ANNA);
	t_enroll(dan, "lis", LIS);
	anna = t_login("anna", ANNA);
	lis = t_login("lis", LIS);
	t_make(anna, "p");
	ck_assert_int_eq(at(anna, "p", 0, &text), -EACCES);
	snprintf(say, sizeof(say), "%s", t.say.text);
	ck_assert_int_eq(at(anna, "no such", 0, &text), -EACCES);
	ck_assert_str_eq(say, t.say.text);
	ck_assert_int_eq(at(anna, "practice", 1, &text), -EACCES);
	l.n = 0;
	ck_assert_int_eq(fs_vault_policy_log(t.v, anna, "", 0, take, &l, &t.say), -EACCES);
	ck_assert_int_eq(fs_vault_policy_log(t.v, anna, "p", 0, take, &l, &t.say), -EACCES);
	ck_assert_uint_eq(l.n, 0);
	ck_assert_uint_eq(t_logged(POLICY_RECORD_REFUSED, "reading earlier versions"), 5);
	holds(lis, "p", 0, "user:anna");
	ck_assert_uint_gt(list(lis, "", 0)->n, 1);
	t_logout(anna);
	t_logout(lis);
	t_logout(dan);
}
END_TEST

/* A version of the practice as it is stored, with parts. */
static void add_practice(struct fs_session *by, const char *text)
{
	struct fs_hand hand = {.pid = by->pid, .enrolment = by->enrolment};
	struct fs_edit e;

	pthread_mutex_lock(&t.v->edit);
	fs_vault_edit_begin(t.v, &e, NULL);
	pthread_rwlock_rdlock(&by->lock);
	hand.sk = by->secret->statement_sk;
	ck_assert_int_eq(fs_policies_add(&e, &hand, 0, t.v->counters.practice, text, strlen(text)),
			 0);
	pthread_rwlock_unlock(&by->lock);
	ck_assert_int_eq(fs_vault_edit_commit(&e), 0);
	fs_vault_edit_clear(&e);
	pthread_mutex_unlock(&t.v->edit);
}

START_TEST(part_of_the_practice_has_a_history_of_its_own)
{
	struct fs_session *dan = t_clinic();
	struct fs_policy_text text;
	struct listed *l;
	uint32_t n;

	add_practice(dan, CLINIC_POLICY "include practice.d\n%part south\nunit far \"Far\"\n");
	n = fs_vault_policy_version(t.v);
	add_practice(dan, CLINIC_POLICY "include practice.d\n# a comment\n%part south\nunit far \"Far\"\n");
	add_practice(dan, CLINIC_POLICY "include practice.d\n# a comment\n%part south\n"
					"unit far \"Far\"\nunit off \"Off\"\n");
	holds(dan, "practice.d/south", 0, "unit off");
	holds(dan, "practice.d/south", n + 1, "unit far");
	ck_assert_int_eq(at(dan, "practice.d/south", n + 1, &text), 0);
	ck_assert_str_eq(text.text, "unit far \"Far\"\n");
	ck_assert_str_eq(text.file, "practice.d/south");
	free(text.text);
	ck_assert_int_eq(at(dan, "practice.d/south", n - 1, &text), -ENOENT);
	ck_assert_int_eq(at(dan, "practice.d/north", 0, &text), -ENOENT);
	ck_assert_int_eq(at(dan, "practice", 0, &text), 0);
	ck_assert_ptr_null(strstr(text.text, "%part"));
	free(text.text);
	/* Only the versions that changed it. */
	l = list(dan, "practice.d/south", 0);
	ck_assert_uint_eq(l->n, 2);
	ck_assert_uint_eq(l->c[0].number, n + 2);
	ck_assert_str_eq(l->c[0].summary, "+ unit off \"Off\"");
	ck_assert_uint_eq(l->c[1].number, n);
	ck_assert_uint_eq(list(dan, "practice", n - 1)->n, 3);
	t_logout(dan);
}
END_TEST

/* A body that claims a reason longer than there are bytes, or format 3, is damage. */
START_TEST(forged_reason_is_damage)
{
	struct fs_session *dan = t_clinic();
	struct fs_key key = fs_key_n(0, 0, FS_T_POLICY, 0, 4);
	struct fs_version ver;
	struct fs_buf *buf;
	char policy[T_POLICY_MAX];
	uint8_t *bytes;
	uint32_t n;
	size_t len, at_reason;

	t_edit(policy, "Klinik Nord", "Klinik Syd");
	put_because(dan, "practice", policy, "because");
	n = fs_vault_policy_version(t.v);
	key = fs_key_n(0, 0, FS_T_POLICY, n, 4);
	fs_key_add(&key, 0, 2);
	buf = t_peek(&key);
	len = buf->len;
	bytes = malloc(len);
	memcpy(bytes, buf->data, len);
	fs_buf_put(buf);
	at_reason = (size_t)((uint8_t *)memmem(bytes, len, "because", 7) - bytes);
	bytes[at_reason - 1] = bytes[at_reason - 2] = 0xff;
	t_poke(&key, bytes, len);
	ck_assert_int_eq(fs_policies_read(t.v, n, &ver), -EBADMSG);
	bytes[at_reason - 1] = 0;
	bytes[at_reason - 2] = 7;
	/* As it was but for one letter: the signature says so, a peek does not. */
	bytes[at_reason] = 'B';
	t_poke(&key, bytes, len);
	ck_assert_int_eq(fs_policies_peek(t.v, n, &ver), 0);
	ck_assert_str_eq(ver.reason, "Because");
	fs_policies_clear(&ver);
	ck_assert_int_eq(fs_policies_read(t.v, n, &ver), -EBADMSG);
	free(bytes);
	t_logout(dan);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("fs/policy_log");
	TCase *tc = tcase_create("log");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, t_setup, t_teardown);
	tcase_add_test(tc, reason_stays_with_the_version_and_stands_in_the_log);
	tcase_add_test(tc, reason_is_in_the_access_log);
	tcase_add_test(tc, reason_that_is_too_long_is_refused);
	tcase_add_test(tc, journal_is_found_by_the_name_it_had);
	tcase_add_test(tc, name_that_passed_on_is_told_apart_by_version);
	tcase_add_test(tc, moment_finds_the_version_that_was_in_force);
	tcase_add_test(tc, log_of_all_files_names_who_made_each_version_also_who_left);
	tcase_add_test(tc, looking_back_needs_a_right_and_refusals_tell_nothing);
	tcase_add_test(tc, part_of_the_practice_has_a_history_of_its_own);
	tcase_add_test(tc, forged_reason_is_damage);
	suite_add_tcase(s, tc);
	return t_run(s);
}
