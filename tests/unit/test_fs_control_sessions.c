/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sessions over the control socket: listed, locked, ended, by who may and by who may not; clocks
 * that are set, and a computer that sleeps.
 *
 * dan is the steward and this process's own account; anna and bo have others, so most tests need
 * root.
 */
#include "test_fs_control.h"

#include "fs/control_impl.h"

/* ---- who is there ---- */

static void start_ward(void)
{
	struct fs_session *steward;

	ck_assert_msg(t_init("dan", NULL, getuid()) == 0, "%s", t.say.text);
	t_open();
	ck_assert_msg(t_try_enroll(t.made.code, "dan", getuid(), "dan") == 0, "%s", t.say.text);
	steward = t_login("dan", getuid());
	t_put(steward, "practice", CLINIC_POLICY);
	t_enroll(steward, "anna", ANNA);
	t_enroll(steward, "bo", BO);
	t_logout(steward);
	start(false, false);
}

static int peer_as(uid_t uid)
{
	int s = dial_as(uid);

	ck_assert_int_ge(s, 0);
	ck_assert_int_eq(greet(s), 0);
	return s;
}

static int agent_as(const char *who, uid_t uid, const char *origin)
{
	uint8_t stretched[KEYS_LEN];
	char text[200];
	int s = uid == getuid() ? peer() : peer_as(uid);

	t_stretch(who, stretched);
	snprintf(text, sizeof(text), "{\"verb\":\"login\",\"who\":\"%s\",\"origin\":\"%s\"}", who,
		 origin);
	ck_assert_int_eq(call(s, text, stretched, sizeof(stretched), -1), 0);
	return s;
}

/* The id that log-in has just answered. */
static void id_of(char out[static 33])
{
	ck_assert_uint_eq(strlen(text_of("session")), 32);
	strcpy(out, text_of("session"));
}

static int end(int s, const char *id, const char *reason)
{
	json_t *json = json_pack("{s:s, s:s, s:s, s:s}", "verb", "session-end", "id", id, "reason",
				 reason, "origin", "ssh 192.0.2.7");

	ck_assert_int_eq(fs_wire_send(s, json, NULL, 0, -1), 0);
	json_decref(json);
	ck_assert_int_eq(next(s, false), 0);
	return result();
}

/* The sessions that s may see; borrowed from the answer. */
static json_t *seen(int s)
{
	ck_assert_int_eq(ask(s, "{\"verb\":\"sessions\"}"), 0);
	return json_object_get(answer.json, "sessions");
}

static const char *of(const json_t *one, const char *name)
{
	const char *text = json_string_value(json_object_get(one, name));

	return text ? text : "";
}

/* Lines of the log, as an auditor reads them, with all of these words. */
struct lines {
	const char *word[4];
	unsigned n;
};

static int line_one(void *ctx, const struct policy_record *r)
{
	struct lines *l = ctx;
	char line[4096];

	policy_record_text(r, line, sizeof(line));
	for (int i = 0; i < 4 && l->word[i]; i++) {
		if (!strstr(line, l->word[i]))
			return 0;
	}
	l->n++;
	return 0;
}

static unsigned lines(const char *a, const char *b, const char *c, const char *d)
{
	struct lines l = {.word = {a, b, c, d}};
	uint8_t key[KEYS_RECOVERY_LEN], pk[KEYS_LEN], sk[KEYS_LEN];
	char dir[100];

	snprintf(dir, sizeof(dir), "%s/log", t.vault);
	ck_assert_int_eq(fs_log_wait(fs_vault_log(t.v), 0), 0);
	ck_assert_int_eq(keys_recovery_parse(t.made.recovery, key), 0);
	keys_recovery_box(t.made.vault, key, pk, sk);
	ck_assert_int_eq(fs_log_read(dir, t.made.vault, pk, sk, 0, line_one, NULL, &l), 0);
	return l.n;
}

/* ---- listing ---- */

START_TEST(own_sessions_are_seen_whole_those_of_others_by_a_steward_alone)
{
	int dan, anna, anna2;
	json_t *list, *one;
	char id[33];

	if (!as_root("own_sessions_are_seen_whole_those_of_others_by_a_steward_alone"))
		return;
	start_ward();
	dan = agent_as("dan", getuid(), "tty1");
	anna = agent_as("anna", ANNA, "tty2");
	id_of(id);
	anna2 = agent_as("anna", ANNA, "ssh 192.0.2.1");
	list = seen(anna);
	ck_assert_uint_eq(json_array_size(list), 2);
	one = json_array_get(list, 0);
	ck_assert_str_eq(of(one, "id"), id);
	ck_assert_str_eq(of(one, "who"), "anna");
	ck_assert_str_eq(of(one, "state"), "active");
	ck_assert_str_eq(of(one, "origin"), "tty2");
	ck_assert(json_is_true(json_object_get(one, "own")));
	ck_assert(json_is_integer(json_object_get(one, "files")));
	ck_assert_int_ge(json_integer_value(json_object_get(one, "active_s")),
			 json_integer_value(json_object_get(one, "since_s")) - 1);
	ck_assert_str_eq(of(json_array_get(list, 1), "origin"), "ssh 192.0.2.1");
	list = seen(dan);
	ck_assert_uint_eq(json_array_size(list), 3);
	ck_assert(json_is_true(json_object_get(json_array_get(list, 0), "own")));
	one = json_array_get(list, 1);
	ck_assert(json_is_false(json_object_get(one, "own")));
	ck_assert(json_is_array(json_object_get(one, "programs")));
	ck_assert_ptr_null(json_object_get(one, "files"));
	/* A locked steward is one like others. */
	ck_assert_int_eq(ask(dan, "{\"verb\":\"lock\"}"), 0);
	ck_assert_uint_eq(json_array_size(seen(dan)), 1);
	close(dan);
	close(anna);
	close(anna2);
}
END_TEST

START_TEST(stranger_sees_no_session)
{
	int s, anna;

	if (!as_root("stranger_sees_no_session"))
		return;
	start_ward();
	anna = agent_as("anna", ANNA, "tty2");
	s = peer_as(4001);
	ck_assert_uint_eq(json_array_size(seen(s)), 0);
	close(s);
	s = peer_as(BO);
	ck_assert_uint_eq(json_array_size(seen(s)), 0);
	close(s);
	close(anna);
}
END_TEST

START_TEST(login_tells_of_the_one_before)
{
	int s;

	start_alone();
	s = agent_as("anna", getuid(), "tty1");
	ck_assert_ptr_null(json_object_get(answer.json, "last"));
	close(s);
	s = agent_as("anna", getuid(), "ssh 192.0.2.9");
	ck_assert_str_eq(of(json_object_get(answer.json, "last"), "origin"), "tty1");
	close(s);
	s = agent_as("anna", getuid(), "tty1");
	ck_assert_str_eq(of(json_object_get(answer.json, "last"), "origin"), "ssh 192.0.2.9");
	ck_assert_int_gt(
		json_integer_value(json_object_get(json_object_get(answer.json, "last"), "time_s")),
		0);
	close(s);
}
END_TEST

/* ---- ending ---- */

START_TEST(own_session_elsewhere_is_ended_with_the_origin_of_who_asks)
{
	char id[33], short_id[9];
	int here, there, s;

	start_alone();
	there = agent_as("anna", getuid(), "ssh 192.0.2.1");
	id_of(id);
	here = agent_as("anna", getuid(), "tty1");
	s = peer();
	snprintf(short_id, sizeof(short_id), "%.8s", id);
	ck_assert_int_eq(end(s, short_id, ""), 0);
	ck_assert_str_eq(text_of("who"), "anna");
	expect_event(there, "ended");
	ck_assert_ptr_nonnull(strstr(text_of("why"), "ssh 192.0.2.7"));
	expect_closed(there);
	ck_assert_uint_eq(json_array_size(seen(s)), 1);
	ck_assert_uint_eq(
		lines("logged out", "ended by its own account", "from ssh 192.0.2.7", NULL), 1);
	/* The id is nobody's any more: ending it again ends nothing. */
	ck_assert_int_eq(end(s, id, ""), -ENOENT);
	ck_assert_int_eq(ask(here, "{\"verb\":\"list\"}"), 0);
	close(s);
	close(here);
}
END_TEST

START_TEST(steward_ends_with_a_reason_that_is_logged_first_and_told)
{
	int dan, anna, bo;
	char id[33];

	if (!as_root("steward_ends_with_a_reason_that_is_logged_first_and_told"))
		return;
	start_ward();
	dan = agent_as("dan", getuid(), "tty1");
	anna = agent_as("anna", ANNA, "tty2");
	id_of(id);
	bo = agent_as("bo", BO, "tty3");
	ck_assert_int_eq(end(dan, id, ""), -EINVAL);
	ck_assert_ptr_nonnull(strstr(text_of("say"), "--reason"));
	ck_assert_int_eq(end(dan, id, " \t"), -EINVAL);
	ck_assert_int_eq(ask(anna, "{\"verb\":\"list\"}"), 0);
	ck_assert_int_eq(end(dan, id, "left unattended"), 0);
	ck_assert_str_eq(text_of("who"), "anna");
	expect_event(anna, "ended");
	ck_assert_str_eq(text_of("why"), "ended by the steward dan: left unattended");
	expect_closed(anna);
	id[8] = '\0';
	ck_assert_uint_eq(lines("dan", "ended a session", id, "left unattended"), 1);
	ck_assert_uint_eq(lines("ended a session", "of anna", "tty2", "ssh 192.0.2.7"), 1);
	ck_assert_uint_eq(lines("anna", "logged out", "ended by the steward dan", NULL), 1);
	ck_assert_int_eq(ask(bo, "{\"verb\":\"list\"}"), 0);
	ck_assert_int_eq(end(dan, id, "again"), -ENOENT);
	close(dan);
	close(bo);
}
END_TEST

START_TEST(who_is_no_steward_learns_nothing_by_guessing_ids)
{
	char dans[33], say[sizeof(t.say.text)];
	int dan, anna, bo, stranger;

	if (!as_root("who_is_no_steward_learns_nothing_by_guessing_ids"))
		return;
	start_ward();
	dan = agent_as("dan", getuid(), "tty1");
	id_of(dans);
	anna = agent_as("anna", ANNA, "tty2");
	bo = peer_as(BO);
	stranger = peer_as(4001);
	ck_assert_int_eq(end(anna, dans, "I want it"), -EACCES);
	snprintf(say, sizeof(say), "%s", strstr(text_of("say"), "; "));
	ck_assert_int_eq(end(anna, "00000000", "I want it"), -EACCES);
	/* All but the id, which is the asker's own word. */
	ck_assert_str_eq(say, strstr(text_of("say"), "; "));
	ck_assert_int_eq(end(bo, dans, ""), -EACCES);
	ck_assert_int_eq(end(stranger, dans, ""), -EACCES);
	ck_assert_uint_eq(lines("REFUSED", "ending session", "which is not of this account", NULL),
			  4);
	ck_assert_uint_eq(lines("REFUSED", "ending session", dans, "ssh 192.0.2.7"), 3);
	ck_assert_int_eq(ask(dan, "{\"verb\":\"list\"}"), 0);
	/* A steward who has locked has not the right either. */
	ck_assert_int_eq(ask(dan, "{\"verb\":\"lock\"}"), 0);
	ck_assert_int_eq(end(dan, "00000000", "r"), -EACCES);
	close(dan);
	close(anna);
	close(bo);
	close(stranger);
}
END_TEST

START_TEST(ids_that_are_none_are_refused)
{
	static const char *const ids[] = {
		"",	     "000",    "ABCDEF01",
		"../../..",  "%s%s%n", "0000000g",
		"0000 0000", "*",      "000000000000000000000000000000000",
	};
	char huge[8192];
	int s;

	start_alone();
	s = agent_as("anna", getuid(), "tty1");
	for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++)
		ck_assert_msg(end(s, ids[i], "") == -EINVAL, "%s", ids[i]);
	memset(huge, '0', sizeof(huge) - 1);
	huge[sizeof(huge) - 1] = '\0';
	ck_assert_int_eq(end(s, huge, ""), -EINVAL);
	ck_assert_int_eq(end(s, "0000", huge), -EINVAL);
	ck_assert_int_eq(ask(s, "{\"verb\":\"session-end\",\"id\":[\"00000000\"]}"), -EINVAL);
	ck_assert_int_eq(ask(s, "{\"verb\":\"session-end\",\"id\":1e300}"), -EINVAL);
	ck_assert_int_eq(ask(s, "{\"verb\":\"list\"}"), 0);
	close(s);
}
END_TEST

START_TEST(refused_guesses_are_limited)
{
	int anna, n = 0, rc = 0;
	uint64_t before;

	if (!as_root("refused_guesses_are_limited"))
		return;
	start_ward();
	anna = agent_as("anna", ANNA, "tty2");
	while (n++ < 100 && rc != -EAGAIN)
		rc = end(anna, "0000", "");
	ck_assert_int_eq(rc, -EAGAIN);
	before = t_logged(POLICY_RECORD_REFUSED, NULL);
	ck_assert_int_eq(end(anna, "0000", ""), -EAGAIN);
	ck_assert_uint_eq(t_logged(POLICY_RECORD_REFUSED, NULL), before);
	close(anna);
}
END_TEST

START_TEST(eight_sessions_are_the_bound_and_an_ended_one_makes_room)
{
	char id[33], first[33];
	json_t *json;
	int s[9];

	start_alone();
	for (int i = 0; i < 8; i++) {
		s[i] = agent_as("anna", getuid(), "tty1");
		id_of(id);
		if (!i)
			strcpy(first, id);
	}
	s[8] = peer();
	ck_assert_int_eq(try_login(s[8], "", "anna"), -EBUSY);
	ck_assert_uint_eq(json_array_size(seen(s[8])), 8);
	ck_assert_int_eq(end(s[8], first, ""), 0);
	expect_event(s[0], "ended");
	expect_closed(s[0]);
	ck_assert_int_eq(try_login(s[8], "", "anna"), 0);
	id_of(id);
	ck_assert_str_ne(id, first);
	json = seen(s[8]);
	ck_assert_uint_eq(json_array_size(json), 8);
	for (size_t i = 0; i < 8; i++)
		ck_assert_str_ne(of(json_array_get(json, i), "id"), first);
	for (int i = 1; i < 9; i++)
		close(s[i]);
}
END_TEST

static atomic_bool over;
static atomic_uint looks;

static void *look_on(void *arg)
{
	struct fs_wire_message m;
	int s = *(int *)arg;
	json_t *json = json_pack("{s:s}", "verb", "sessions");

	fs_wire_message_init(&m);
	while (!atomic_load(&over)) {
		if (fs_wire_send(s, json, NULL, 0, -1) || fs_wire_receive(s, &m, 60000) ||
		    !json_is_array(json_object_get(m.json, "sessions")))
			break;
		atomic_fetch_add(&looks, 1);
		fs_wire_message_clear(&m);
	}
	fs_wire_message_clear(&m);
	json_decref(json);
	return NULL;
}

START_TEST(listing_goes_on_while_sessions_come_and_go)
{
	pthread_t thread[2];
	unsigned before;
	char id[33];
	int s[2];

	start_alone();
	for (int i = 0; i < 2; i++) {
		s[i] = peer();
		ck_assert_int_eq(pthread_create(&thread[i], NULL, look_on, &s[i]), 0);
	}
	for (int i = 0; i < 24; i++) {
		int a = agent_as("anna", getuid(), "tty1"), b;

		id_of(id);
		if (i % 3 == 0)
			ck_assert_int_eq(ask(a, "{\"verb\":\"lock\"}"), 0);
		if (i % 2) {
			b = peer();
			ck_assert_int_eq(end(b, id, ""), 0);
			close(b);
		}
		close(a);
		/* At least one more look before the next. */
		before = atomic_load(&looks);
		while (atomic_load(&looks) == before)
			usleep(100);
	}
	atomic_store(&over, true);
	for (int i = 0; i < 2; i++) {
		pthread_join(thread[i], NULL);
		close(s[i]);
	}
	ck_assert_uint_ge(atomic_load(&looks), 24);
}
END_TEST

/* ---- locking ---- */

START_TEST(locks_and_unlocks_have_the_origin_of_who_asks)
{
	uint8_t stretched[KEYS_LEN];
	int a, s;

	start_alone();
	a = agent_as("anna", getuid(), "tty1");
	s = peer();
	ck_assert_int_eq(ask(s, "{\"verb\":\"lock\",\"origin\":\"ssh 192.0.2.7\"}"), 0);
	ck_assert(json_is_true(json_object_get(answer.json, "locked")));
	expect_event(a, "locked");
	t_stretch("anna", stretched);
	ck_assert_int_eq(call(s, "{\"verb\":\"unlock\",\"origin\":\"ssh 192.0.2.8\"}", stretched,
			      sizeof(stretched), -1),
			 0);
	expect_event(a, "unlocked");
	ck_assert_uint_eq(lines(" locked", "on request", "ssh 192.0.2.7", NULL), 1);
	ck_assert_uint_eq(lines("unlocked", "ssh 192.0.2.8", NULL, NULL), 1);
	/* An agent that names none speaks from where its session is. */
	ck_assert_int_eq(ask(a, "{\"verb\":\"lock\",\"own\":true,\"because\":\"screen\"}"), 0);
	ck_assert_uint_eq(lines(" locked", "the screen was locked", "tty1", NULL), 1);
	ck_assert_int_eq(ask(s, "{\"verb\":\"logout\",\"origin\":\"ssh 192.0.2.9\"}"), 0);
	ck_assert_uint_eq(lines("logged out", "ssh 192.0.2.9", NULL, NULL), 1);
	close(s);
	close(a);
}
END_TEST

START_TEST(agent_locks_its_own_session_only)
{
	int a, b, s;

	start_alone();
	a = agent_as("anna", getuid(), "tty1");
	b = agent_as("anna", getuid(), "tty2");
	s = peer();
	ck_assert_int_eq(ask(s, "{\"verb\":\"lock\",\"own\":true}"), -EACCES);
	ck_assert_int_eq(ask(a, "{\"verb\":\"lock\",\"because\":\"boredom\"}"), -EINVAL);
	ck_assert_int_eq(ask(a, "{\"verb\":\"list\"}"), 0);
	ck_assert_int_eq(ask(a, "{\"verb\":\"lock\",\"own\":true,\"because\":\"sleep\"}"), 0);
	ck_assert_int_eq(ask(a, "{\"verb\":\"list\"}"), -ENOKEY);
	ck_assert_int_eq(ask(b, "{\"verb\":\"list\"}"), 0);
	ck_assert_uint_eq(lines(" locked", "goes to sleep", NULL, NULL), 1);
	close(a);
	close(b);
	close(s);
}
END_TEST

START_TEST(idle_desktop_counts_by_the_policys_time)
{
	int a;

	start_alone();
	a = agent_as("anna", getuid(), "tty1");
	ck_assert_int_eq(
		ask(a, "{\"verb\":\"lock\",\"own\":true,\"because\":\"idle\",\"idle_s\":899}"), 0);
	ck_assert(json_is_false(json_object_get(answer.json, "locked")));
	ck_assert_int_eq(ask(a, "{\"verb\":\"lock\",\"own\":true,\"because\":\"idle\"}"), 0);
	ck_assert(json_is_false(json_object_get(answer.json, "locked")));
	ck_assert_int_eq(ask(a, "{\"verb\":\"list\"}"), 0);
	ck_assert_int_eq(
		ask(a, "{\"verb\":\"lock\",\"own\":true,\"because\":\"idle\",\"idle_s\":900}"), 0);
	ck_assert_int_eq(ask(a, "{\"verb\":\"list\"}"), -ENOKEY);
	close(a);
}
END_TEST

/* A session that is used locks by the policy's time, whatever an agent says or does not say. */
START_TEST(idle_session_is_locked_by_the_time_of_the_policy)
{
	struct fs_session *steward;
	char policy[T_POLICY_MAX];
	int s;

	ck_assert_msg(t_init("dan", NULL, getuid()) == 0, "%s", t.say.text);
	t_open();
	ck_assert_msg(t_try_enroll(t.made.code, "dan", getuid(), "dan") == 0, "%s", t.say.text);
	steward = t_login("dan", getuid());
	t_edit(policy, "session ceiling 12h", "session idle 40m ceiling 12h");
	t_put(steward, "practice", policy);
	t_logout(steward);
	start(false, false);
	s = agent("dan");
	skew_s = 39 * 60;
	fs_control_lock_idle(control);
	ck_assert_int_eq(ask(s, "{\"verb\":\"list\"}"), 0);
	skew_s = 41 * 60;
	expect_event(s, "locked");
	ck_assert_int_eq(ask(s, "{\"verb\":\"list\"}"), -ENOKEY);
	ck_assert_uint_eq(lines(" locked", "idle", NULL, NULL), 1);
	close(s);
}
END_TEST

START_TEST(idle_session_is_locked_after_fifteen_minutes_where_policy_is_silent)
{
	struct fs_session *mine;
	int s;

	start_clinic();
	s = agent("dan");
	mine = fs_vault_session_of(t.v, getuid());
	skew_s = 14 * 60;
	fs_control_lock_idle(control);
	ck_assert_int_eq(fs_session_state(mine), FS_SESSION_ACTIVE);
	/* Reading and writing on the mount is what counts. */
	atomic_store(&mine->active_ns, (uint64_t)fs_control_now_ns());
	skew_s = 28 * 60;
	fs_control_lock_idle(control);
	ck_assert_int_eq(fs_session_state(mine), FS_SESSION_ACTIVE);
	skew_s = 30 * 60;
	expect_event(s, "locked");
	ck_assert_int_eq(ask(s, "{\"verb\":\"list\"}"), -ENOKEY);
	fs_session_put(mine);
	close(s);
}
END_TEST

START_TEST(computer_that_slept_finds_all_sessions_locked)
{
	int dan, anna;

	if (!as_root("computer_that_slept_finds_all_sessions_locked"))
		return;
	start_ward();
	dan = agent_as("dan", getuid(), "tty1");
	anna = agent_as("anna", ANNA, "tty2");
	slept_s = 3;
	expect_event(dan, "locked");
	ck_assert_str_eq(text_of("why"), "the computer was suspended");
	expect_event(anna, "locked");
	ck_assert_int_eq(ask(dan, "{\"verb\":\"list\"}"), -ENOKEY);
	ck_assert_int_eq(ask(anna, "{\"verb\":\"list\"}"), -ENOKEY);
	ck_assert_uint_eq(lines(" locked", "the computer was suspended", NULL, NULL), 2);
	close(dan);
	close(anna);
}
END_TEST

/* Without threads: what the clock does, step by step, also to a session that has no agent yet. */
START_TEST(sleep_is_a_growth_of_more_than_two_seconds)
{
	struct fs_control_config cfg = {.socket = socket_path, .alone = true};
	struct fs_session *s;

	ck_assert_msg(t_init("anna", "anna", getuid()) == 0, "%s", t.say.text);
	t_open();
	s = t_login("anna", getuid());
	slept_s = 1000;
	cfg.vault = t.v;
	ck_assert_int_eq(fs_control_new(&cfg, &control, &t.say), 0);
	fs_control_lock_slept(control);
	ck_assert_int_eq(fs_session_state(s), FS_SESSION_ACTIVE);
	slept_s = 1002;
	fs_control_lock_slept(control);
	ck_assert_int_eq(fs_session_state(s), FS_SESSION_ACTIVE);
	slept_s = 1004;
	fs_control_lock_slept(control);
	ck_assert_int_eq(fs_session_state(s), FS_SESSION_ACTIVE);
	slept_s = 1007;
	fs_control_lock_slept(control);
	ck_assert_int_eq(fs_session_state(s), FS_SESSION_LOCKED);
	ck_assert_ptr_null(s->secret);
	fs_control_free(control);
	control = NULL;
	t_logout(s);
}
END_TEST

START_TEST(agent_that_neither_reads_nor_answers_is_locked_and_ended_all_the_same)
{
	int deaf, s;
	char id[33];

	start_alone();
	deaf = agent_as("anna", getuid(), "tty1"); /* nothing is read from it before the end */
	id_of(id);
	s = peer();
	for (int i = 0; i < 5; i++) {
		uint8_t stretched[KEYS_LEN];

		ck_assert_int_eq(ask(s, "{\"verb\":\"lock\"}"), 0);
		ck_assert_str_eq(of(json_array_get(seen(s), 0), "state"), "locked");
		t_stretch("anna", stretched);
		ck_assert_int_eq(call(s, "{\"verb\":\"unlock\"}", stretched, sizeof(stretched), -1),
				 0);
	}
	slept_s = 60;
	while (strcmp(of(json_array_get(seen(s), 0), "state"), "locked") != 0)
		usleep(1000);
	ck_assert_int_eq(end(s, id, ""), 0);
	ck_assert_uint_eq(json_array_size(seen(s)), 0);
	expect_closed(deaf);
	close(s);
}
END_TEST

/* ---- the longest time ---- */

static void expect_end(int s, const char *why)
{
	do {
		ck_assert_int_eq(next(s, true), 0);
	} while (strcmp(text_of("event"), "ended") != 0);
	ck_assert_ptr_nonnull(strstr(text_of("why"), why));
	expect_closed(s);
}

START_TEST(session_at_its_ceiling_is_ended)
{
	int s;

	start_clinic();
	s = agent("dan");
	skew_s = 12 * 3600 + 1;
	expect_end(s, "longest time");
}
END_TEST

START_TEST(wall_clock_set_forward_ends_it_too)
{
	int s;

	start_clinic();
	s = agent("dan");
	wall_s = 12 * 3600 + 1;
	expect_end(s, "longest time");
}
END_TEST

START_TEST(wall_clock_set_back_does_not_make_it_longer)
{
	int s;

	start_clinic();
	s = agent("dan");
	wall_s = -48 * 3600;
	ck_assert_int_eq(ask(s, "{\"verb\":\"list\"}"), 0);
	skew_s = 12 * 3600 + 1;
	expect_end(s, "longest time");
}
END_TEST

START_TEST(locked_session_ends_at_the_ceiling)
{
	int s;

	start_clinic();
	s = agent("dan");
	ck_assert_int_eq(ask(s, "{\"verb\":\"lock\"}"), 0);
	skew_s = 12 * 3600 + 1;
	expect_end(s, "longest time");
	ck_assert_uint_eq(t_logged(POLICY_RECORD_LOGOUT, "longest time"), 1);
}
END_TEST

START_TEST(ceiling_is_twelve_hours_unless_the_policy_says_otherwise)
{
	struct fs_session *s;
	char policy[T_POLICY_MAX];
	int rc;

	start_clinic();
	stop();
	s = t_login("dan", getuid());
	ck_assert_uint_eq(s->ceiling_s - s->since_s, 43200);
	ck_assert_uint_le(s->ceiling_boot_ns - (uint64_t)fs_clock_boot_ns(),
			  UINT64_C(43200000000000));
	t_edit(policy, "session ceiling 12h", "session ceiling 25h");
	rc = t_try_put(s, "practice", policy, NULL);
	ck_assert_int_eq(rc, -EINVAL);
	t_edit(policy, "session ceiling 12h", "session ceiling 24h");
	t_put(s, "practice", policy);
	t_logout(s);
	s = t_login("dan", getuid());
	ck_assert_uint_eq(s->ceiling_s - s->since_s, 86400);
	t_logout(s);
}
END_TEST

static void add_sessions(TCase *tc)
{
	tcase_add_test(tc, own_sessions_are_seen_whole_those_of_others_by_a_steward_alone);
	tcase_add_test(tc, stranger_sees_no_session);
	tcase_add_test(tc, login_tells_of_the_one_before);
	tcase_add_test(tc, own_session_elsewhere_is_ended_with_the_origin_of_who_asks);
	tcase_add_test(tc, steward_ends_with_a_reason_that_is_logged_first_and_told);
	tcase_add_test(tc, who_is_no_steward_learns_nothing_by_guessing_ids);
	tcase_add_test(tc, ids_that_are_none_are_refused);
	tcase_add_test(tc, refused_guesses_are_limited);
	tcase_add_test(tc, eight_sessions_are_the_bound_and_an_ended_one_makes_room);
	tcase_add_test(tc, listing_goes_on_while_sessions_come_and_go);
}

int main(void)
{
	Suite *suite = suite_create("fs_control_sessions");
	TCase *tc = tcase_create("all");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 120);
	add_sessions(tc);
	tcase_add_test(tc, locks_and_unlocks_have_the_origin_of_who_asks);
	tcase_add_test(tc, agent_locks_its_own_session_only);
	tcase_add_test(tc, idle_desktop_counts_by_the_policys_time);
	tcase_add_test(tc, idle_session_is_locked_by_the_time_of_the_policy);
	tcase_add_test(tc, idle_session_is_locked_after_fifteen_minutes_where_policy_is_silent);
	tcase_add_test(tc, computer_that_slept_finds_all_sessions_locked);
	tcase_add_test(tc, sleep_is_a_growth_of_more_than_two_seconds);
	tcase_add_test(tc, agent_that_neither_reads_nor_answers_is_locked_and_ended_all_the_same);
	tcase_add_test(tc, session_at_its_ceiling_is_ended);
	tcase_add_test(tc, wall_clock_set_forward_ends_it_too);
	tcase_add_test(tc, wall_clock_set_back_does_not_make_it_longer);
	tcase_add_test(tc, locked_session_ends_at_the_ceiling);
	tcase_add_test(tc, ceiling_is_twelve_hours_unless_the_policy_says_otherwise);
	suite_add_tcase(suite, tc);
	return t_run(suite);
}
