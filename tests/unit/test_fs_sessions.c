/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Many at once: log-ins, policy changes, journals, decisions and ticks in threads.
 * What they did must be there afterwards; under a thread sanitizer also: no race, no
 * lock taken in another order.
 */
#include "test_fs_vault.h"

#define ROUNDS 12

static struct fs_session *dan;
static uint32_t shared;
static atomic_bool done;
static atomic_uint failed, written;

static const char team[] =
	"journal \"shared\"\nunit north\nallow user:anna:rwx\nallow user:bo:rwx\n";
static const char alone[] = "journal \"shared\"\nunit north\nallow user:anna:rwx\n";

static int login(const char *who, uid_t uid, struct fs_session **s)
{
	struct fs_say say = {""};
	uint8_t stretched[KEYS_LEN];
	struct fs_login in = {.uid = uid, .who = who, .origin = "tty", .stretched = stretched};

	t_stretch(who, stretched);
	return fs_vault_login(t.v, &in, s, &say);
}

/* Logs in and out, locks and unlocks, and writes whenever policy lets him. */
static void *practitioner(void *arg)
{
	const char *who = arg;
	uid_t uid = strcmp(who, "anna") ? BO : ANNA;
	uint8_t stretched[KEYS_LEN];
	struct fs_login in = {.uid = uid, .who = who, .origin = "tty", .stretched = stretched};

	t_stretch(who, stretched);
	for (unsigned i = 0; i < ROUNDS; i++) {
		struct fs_session *s = NULL;
		char name[32];

		if (login(who, uid, &s)) {
			atomic_fetch_add(&failed, 1);
			continue;
		}
		snprintf(name, sizeof(name), "%s-%u", who, i);
		if (t_may(s, shared, POLICY_WRITE) && !t_write(s, shared, name, name))
			atomic_fetch_add(&written, 1);
		if (i % 3 == 0) {
			fs_vault_lock_begin(t.v, s);
			if (fs_vault_lock_finish(t.v, s, "test") ||
			    fs_vault_unlock(t.v, s, &in, NULL))
				atomic_fetch_add(&failed, 1);
		}
		fs_vault_end_begin(t.v, s);
		if (fs_vault_end_finish(t.v, s, "test"))
			atomic_fetch_add(&failed, 1);
		fs_session_put(s);
	}
	return NULL;
}

static void *steward(void *arg)
{
	(void)arg;
	for (unsigned i = 0; i < ROUNDS; i++) {
		const char *text = i % 2 ? team : alone;
		uint32_t version;
		char *old = NULL;
		size_t len;

		if (fs_vault_policy_show(t.v, dan, "shared", &old, &len, &version, NULL) ||
		    fs_vault_policy_put(t.v, dan, "shared", text, strlen(text), version, NULL,
					NULL))
			atomic_fetch_add(&failed, 1);
		free(old);
	}
	return NULL;
}

static int count_names(void *ctx, uint32_t index, const char *name, uint64_t cookie)
{
	(void)index;
	(void)name;
	(void)cookie;
	++*(unsigned *)ctx;
	return 0;
}

static void *control(void *arg)
{
	(void)arg;
	while (!atomic_load(&done)) {
		struct fs_vault_status status;
		unsigned n = 0;
		char *waiting;

		fs_vault_tick(t.v);
		fs_vault_status(t.v, &status);
		waiting = fs_vault_waiting(t.v, dan);
		free(waiting);
		if (fs_vault_list(t.v, dan, count_names, 0, &n) || n != 1 || fs_vault_remember(t.v))
			atomic_fetch_add(&failed, 1);
	}
	return NULL;
}

START_TEST(sessions_policy_and_journals_change_at_once)
{
	struct fs_session *anna;
	pthread_t thread[4];
	unsigned found = 0;

	dan = t_clinic();
	t_enroll(dan, "anna", ANNA);
	t_enroll(dan, "bo", BO);
	anna = t_login("anna", ANNA);
	shared = t_make(anna, "shared");
	t_put(dan, "shared", team);
	t_ticks();
	t_logout(anna);
	t.alarms = 0;
	ck_assert_int_eq(pthread_create(&thread[0], NULL, control, NULL), 0);
	ck_assert_int_eq(pthread_create(&thread[1], NULL, practitioner, (void *)(uintptr_t) "anna"),
			 0);
	ck_assert_int_eq(pthread_create(&thread[2], NULL, practitioner, (void *)(uintptr_t) "bo"),
			 0);
	ck_assert_int_eq(pthread_create(&thread[3], NULL, steward, NULL), 0);
	for (unsigned i = 1; i < 4; i++)
		pthread_join(thread[i], NULL);
	atomic_store(&done, true);
	pthread_join(thread[0], NULL);
	ck_assert_uint_eq(atomic_load(&failed), 0);
	ck_assert_uint_ge(atomic_load(&written), ROUNDS); /* anna always may */
	t_logout(dan);
	t_close();
	t_open();
	anna = t_login("anna", ANNA);
	for (unsigned i = 0; i < 2 * ROUNDS; i++) {
		char name[32], text[256];

		snprintf(name, sizeof(name), "%s-%u", i < ROUNDS ? "anna" : "bo", i % ROUNDS);
		if (!t_read(anna, shared, name, text)) {
			ck_assert_str_eq(text, name);
			found++;
		}
	}
	ck_assert_uint_eq(found, atomic_load(&written));
	ck_assert_uint_eq(t.alarms, 0);
	t_logout(anna);
}
END_TEST

START_TEST(session_of_finds_the_newest_and_lists_all)
{
	struct fs_session *a, *b, *found;

	ck_assert_int_eq(t_init("anna", "anna", ANNA), 0);
	t_open();
	ck_assert_ptr_null(fs_vault_session_of(t.v, ANNA));
	a = t_login("anna", ANNA);
	b = t_login("anna", ANNA);
	found = fs_vault_session_of(t.v, ANNA);
	ck_assert_ptr_eq(found, b);
	fs_session_put(found);
	t_logout(b);
	ck_assert_ptr_nonnull(t.v->index_key);
	found = fs_vault_session_of(t.v, ANNA);
	ck_assert_ptr_eq(found, a);
	fs_session_put(found);
	t_logout(a);
	ck_assert_ptr_null(t.v->index_key);
}
END_TEST

START_TEST(journal_cache_of_a_session_keeps_what_fits)
{
	struct fs_session *s;
	struct fs_journal *j = NULL;
	char name[32];
	uint32_t index = 0;

	ck_assert_int_eq(t_init("anna", "anna", ANNA), 0);
	t_open();
	s = t_login("anna", ANNA);
	for (unsigned i = 0; i < 64 * 5; i++) {
		snprintf(name, sizeof(name), "%u", i);
		index = t_make(s, name);
	}
	t_drop(s);
	for (uint32_t i = 1; i <= index; i++) {
		ck_assert_int_eq(fs_vault_journal(t.v, s, i, &j), 0);
		fs_journal_put(j);
	}
	j = fs_session_journal_find(s, index);
	ck_assert_ptr_nonnull(j);
	fs_journal_put(j);
	/* Five of the same set: the first was let go, and its key with it. */
	ck_assert_ptr_null(fs_session_journal_find(s, 1));
	ck_assert_ptr_null(fs_journal_find(t.v->records, 1));
	t_logout(s);
	ck_assert_ptr_null(fs_journal_find(t.v->records, index));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("fs/sessions");
	TCase *c = tcase_create("sessions");

	tcase_add_checked_fixture(c, t_setup, t_teardown);
	tcase_set_timeout(c, 120);
	tcase_add_test(c, sessions_policy_and_journals_change_at_once);
	tcase_add_test(c, session_of_finds_the_newest_and_lists_all);
	tcase_add_test(c, journal_cache_of_a_session_keeps_what_fits);
	suite_add_tcase(s, c);
	return t_run(s);
}
