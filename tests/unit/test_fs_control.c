/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The control socket, driven by peers: honest ones from log-in to log-out, hostile ones with wrong
 * lengths, types and descriptors, slow ones, and too many.
 *
 * What serves and who asks: test_fs_control.h. Sessions: test_fs_control_sessions.c.
 */
#include "test_fs_control.h"

/* ---- greeting ---- */

START_TEST(hello_proves_the_daemon)
{
	const uint8_t *pk, *cert, *sig;
	struct keys_header h;
	int s;

	start_alone();
	s = peer();
	ck_assert_uint_eq(answer.blob_len, KEYS_HEADER_LEN + KEYS_LEN + 2 * KEYS_SIG_LEN);
	ck_assert_int_eq(keys_header_decode(answer.blob, KEYS_HEADER_LEN, &h), 0);
	pk = answer.blob + KEYS_HEADER_LEN;
	cert = pk + KEYS_LEN;
	sig = cert + KEYS_SIG_LEN;
	ck_assert_int_eq(keys_daemon_check(h.vault, h.root_pk, pk, cert, nonce, sig), 0);
	ck_assert(json_is_true(json_object_get(answer.json, "alone")));
	ck_assert_uint_eq(strlen(text_of("vault")), 2 * KEYS_VAULT_ID_LEN);
	close(s);
}
END_TEST

START_TEST(hello_of_another_protocol_is_refused)
{
	int s;

	start_alone();
	s = dial();
	ck_assert_int_eq(call(s, "{\"verb\":\"hello\",\"protocol\":2}", nonce, sizeof(nonce), -1),
			 -EPROTONOSUPPORT);
	ck_assert_int_eq(ask(s, "{\"verb\":\"status\"}"), -EPROTO);
	ck_assert_int_eq(greet(s), 0);
	ck_assert_int_eq(ask(s, "{\"verb\":\"status\"}"), 0);
	close(s);
}
END_TEST

/* A request of every verb that is right in form. */
static const struct {
	const char *name, *text;
	size_t blob;
	bool session;
} verbs[] = {
	{"hello", "{\"verb\":\"hello\",\"protocol\":1}", 32, false},
	{"salt", "{\"verb\":\"salt\",\"who\":\"anna\"}", 0, false},
	{"login", "{\"verb\":\"login\",\"who\":\"x\",\"origin\":\"tty1\"}", 32, false},
	{"mount", "{\"verb\":\"mount\"}", 0, false},
	{"unlock", "{\"verb\":\"unlock\",\"who\":\"x\"}", 32, false},
	{"lock", "{\"verb\":\"lock\",\"own\":false,\"because\":\"\",\"idle_s\":0,\"origin\":\"tty1\"}", 0, false},
	{"logout", "{\"verb\":\"logout\",\"origin\":\"tty1\"}", 0, false},
	{"enroll", "{\"verb\":\"enroll\",\"origin\":\"t\",\"passes\":1,\"memory_kib\":8192}", 64,
	 false},
	{"invite", "{\"verb\":\"invite\",\"name\":\"bo\",\"again\":false,\"days\":7}", 0, true},
	{"passwd", "{\"verb\":\"passwd\",\"passes\":1,\"memory_kib\":8192,\"olds\":1}", 112, true},
	{"status", "{\"verb\":\"status\"}", 0, false},
	{"policy-show", "{\"verb\":\"policy-show\",\"file\":\"practice\"}", 0, true},
	{"policy-check", "{\"verb\":\"policy-check\",\"file\":\"practice\",\"text\":\"\"}", 0, true},
	{"policy-put", "{\"verb\":\"policy-put\",\"file\":\"practice\",\"text\":\"\",\"base\":1}", 0,
	 true},
	{"passphrases", "{\"verb\":\"passphrases\",\"who\":\"x\"}", 0, false},
	{"factor-status", "{\"verb\":\"factor-status\",\"who\":\"x\"}", 0, false},
	{"factor-enroll", "{\"verb\":\"factor-enroll\",\"who\":\"x\",\"code\":\"\",\"new_code\":\"1\"}", 142,
	 false},
	{"factor-codes", "{\"verb\":\"factor-codes\",\"who\":\"x\",\"code\":\"1\"}", 122, false},
	{"factor-remove", "{\"verb\":\"factor-remove\",\"who\":\"x\",\"code\":\"1\"}", 32, false},
	{"policy-at", "{\"verb\":\"policy-at\",\"file\":\"practice\",\"version\":1,\"at_s\":0}", 0, true},
	{"policy-log", "{\"verb\":\"policy-log\",\"file\":\"practice\",\"after\":0}", 0, true},
	{"policy-explain", "{\"verb\":\"policy-explain\",\"who\":\"anna\",\"journal\":\"\",\"note\":\"\","
			   "\"action\":\"policy\",\"at_s\":0}", 0, true},
	{"policy-test", "{\"verb\":\"policy-test\",\"name\":\"e\",\"text\":\"expect anna policy allow\"}", 0,
	 true},
	{"policy-status", "{\"verb\":\"policy-status\",\"days\":30}", 0, true},
	{"policy-review", "{\"verb\":\"policy-review\",\"unit\":\"\"}", 0, true},
	{"policy-sign-off",
	 "{\"verb\":\"policy-sign-off\",\"practice\":1,\"version\":1,\"text\":\"t\",\"unit\":\"\",\"digest\":"
	 "\"0000000000000000000000000000000000000000000000000000000000000000\"}", 0, true},
	{"grants", "{\"verb\":\"grants\",\"number\":0,\"state\":\"\"}", 0, true},
	{"grant-show", "{\"verb\":\"grant-show\",\"number\":1}", 0, true},
	{"grant-judge", "{\"verb\":\"grant-judge\",\"number\":1,\"verdict\":\"justified\",\"note\":\"n\"}",
	 0, true},
	{"grant-pairs", "{\"verb\":\"grant-pairs\"}", 0, true},
	{"list", "{\"verb\":\"list\"}", 0, true},
	{"audit", "{\"verb\":\"audit\",\"who\":\"\",\"journal\":\"\",\"since_ns\":0,\"until_ns\":0,"
		  "\"format\":\"text\"}", 0, true},
	{"sessions", "{\"verb\":\"sessions\"}", 0, false},
	{"session-end", "{\"verb\":\"session-end\",\"id\":\"00000000\",\"reason\":\"\",\"origin\":\"tty1\"}", 0,
	 false},
};
#define VERBS (int)(sizeof(verbs) / sizeof(verbs[0]))
static const uint8_t zeros[256];

START_TEST(verbs_before_hello_are_refused)
{
	int s;

	start_alone();
	for (int i = 1; i < VERBS; i++) {
		s = dial();
		ck_assert_int_eq(call(s, verbs[i].text, zeros, verbs[i].blob, -1), -EPROTO);
		close(s);
	}
}
END_TEST

START_TEST(verbs_without_a_session_are_refused)
{
	int s, n = 0;

	start_alone();
	s = peer();
	for (int i = 0; i < VERBS; i++) {
		if (!verbs[i].session)
			continue;
		ck_assert_int_eq(call(s, verbs[i].text, zeros, verbs[i].blob, -1), -ENOKEY);
		n++;
	}
	ck_assert_int_eq(n, 18);
	ck_assert_int_eq(call(s, "{\"verb\":\"mount\"}", NULL, 0, s), -EACCES);
	ck_assert_int_eq(call(s, "{\"verb\":\"unlock\"}", zeros, 32, -1), -ENOKEY);
	ck_assert_int_eq(ask(s, "{\"verb\":\"lock\"}"), 0);
	ck_assert_int_eq(ask(s, "{\"verb\":\"logout\"}"), 0);
	close(s);
}
END_TEST

START_TEST(verb_unknown_or_no_text_is_refused)
{
	static const char *const texts[] = {
		"{\"verb\":\"shutdown\"}", "{\"verb\":\"\"}",	"{\"verb\":7}", "{}",
		"{\"verb\":[\"hello\"]}",  "{\"verb\":\"HELLO\"}",
	};
	int s;

	start_alone();
	s = peer();
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		ck_assert_int_eq(ask(s, texts[i]), -EOPNOTSUPP);
	ck_assert_int_eq(ask(s, "{\"verb\":\"status\"}"), 0);
	close(s);
}
END_TEST

/* ---- wrong in form ---- */

static int call_json(int s, json_t *json, size_t blob)
{
	ck_assert_int_eq(fs_wire_send(s, json, zeros, blob, -1), 0);
	ck_assert_int_eq(next(s, false), 0);
	return result();
}

START_TEST(fields_of_wrong_type_are_refused_by_every_verb)
{
	json_t *bad[] = {
		json_null(), json_array(), json_object(), json_real(1.5), json_integer(-1),
		json_integer(INT64_MAX), json_string("a\nvery long text"),
	};
	const char *key;
	json_t *value;
	int s, tried = 0;

	start_alone();
	s = agent("anna");
	for (int i = 0; i < VERBS; i++) {
		json_t *good = json_loads(verbs[i].text, 0, NULL);

		json_object_foreach(good, key, value) {
			if (!strcmp(key, "verb"))
				continue;
			for (size_t k = 0; k < sizeof(bad) / sizeof(bad[0]); k++) {
				json_t *json;

				/* A text for a text and a large number for a time are in order. */
				if (json_typeof(bad[k]) == json_typeof(value) &&
				    (json_is_string(value) || strstr(key, "_ns")))
					continue;
				json = json_deep_copy(good);
				json_object_set(json, key, bad[k]);
				ck_assert_msg(call_json(s, json, verbs[i].blob) == -EINVAL,
					      "%s %s %zu", verbs[i].name, key, k);
				json_decref(json);
				tried++;
			}
		}
		json_decref(good);
	}
	ck_assert_int_gt(tried, 100);
	ck_assert_int_eq(ask(s, "{\"verb\":\"status\"}"), 0);
	for (size_t k = 0; k < sizeof(bad) / sizeof(bad[0]); k++)
		json_decref(bad[k]);
	close(s);
}
END_TEST

START_TEST(fields_required_are_missed)
{
	static const char *const texts[] = {
		"{\"verb\":\"hello\"}", "{\"verb\":\"enroll\",\"origin\":\"t\",\"passes\":1}",
		"{\"verb\":\"invite\"}", "{\"verb\":\"passwd\",\"memory_kib\":8192}",
		"{\"verb\":\"policy-show\"}", "{\"verb\":\"policy-check\",\"file\":\"practice\"}",
		"{\"verb\":\"policy-put\",\"file\":\"practice\",\"text\":\"\"}",
		"{\"verb\":\"policy-at\"}", "{\"verb\":\"policy-test\",\"name\":\"e\"}",
		"{\"verb\":\"policy-sign-off\",\"practice\":1,\"version\":1,\"text\":\"t\"}",
	};
	static const size_t blobs[] = {32, 64, 0, 80, 0, 0, 0, 0, 0, 0};
	int s;

	start_alone();
	s = agent("anna");
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		ck_assert_int_eq(call(s, texts[i], zeros, blobs[i], -1), -EINVAL);
	close(s);
}
END_TEST

START_TEST(drafts_of_another_form_are_refused)
{
	static const char *const drafts[] = {
		"7", "\"p\"", "{}", "[7]", "[{}]", "[{\"file\":\"practice\"}]", "[{\"text\":\"t\"}]",
		"[{\"file\":7,\"text\":\"t\"}]", "[[\"practice\",\"t\"]]",
	};
	char text[512];
	int s;

	start_alone();
	s = agent("anna");
	for (size_t i = 0; i < sizeof(drafts) / sizeof(drafts[0]); i++) {
		snprintf(text, sizeof(text),
			 "{\"verb\":\"policy-test\",\"name\":\"e\",\"text\":\"expect anna policy allow\","
			 "\"drafts\":%s}",
			 drafts[i]);
		ck_assert_int_eq(ask(s, text), -EINVAL);
	}
	close(s);
}
END_TEST

START_TEST(secrets_of_wrong_length_are_refused_by_every_verb)
{
	int s;

	start_alone();
	s = agent("anna");
	for (int i = 0; i < VERBS; i++) {
		ck_assert_int_eq(call(s, verbs[i].text, zeros, verbs[i].blob + 1, -1), -EINVAL);
		if (verbs[i].blob)
			ck_assert_int_eq(call(s, verbs[i].text, zeros, verbs[i].blob - 1, -1),
					 -EINVAL);
		if (verbs[i].blob)
			ck_assert_int_eq(call(s, verbs[i].text, NULL, 0, -1), -EINVAL);
	}
	close(s);
}
END_TEST

START_TEST(descriptors_are_taken_by_mount_alone)
{
	int s;

	start_alone();
	s = agent("anna");
	for (int i = 0; i < VERBS; i++) {
		if (strcmp(verbs[i].name, "mount"))
			ck_assert_int_eq(call(s, verbs[i].text, zeros, verbs[i].blob, s), -EINVAL);
	}
	ck_assert_int_eq(ask(s, "{\"verb\":\"mount\"}"), -EINVAL);
	close(s);
}
END_TEST

START_TEST(mount_of_what_is_no_fuse_device_is_refused)
{
	int s, fd[2];

	start_alone();
	s = agent("anna");
	fd[0] = open("/dev/null", O_RDWR | O_CLOEXEC);
	fd[1] = open(t.base, O_RDONLY | O_CLOEXEC);
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(call(s, "{\"verb\":\"mount\"}", NULL, 0, fd[i]), -EINVAL);
		ck_assert_ptr_nonnull(strstr(text_of("say"), "FUSE"));
		close(fd[i]);
	}
	ck_assert_int_eq(call(s, "{\"verb\":\"mount\"}", NULL, 0, s), -EINVAL);
	ck_assert_int_eq(ask(s, "{\"verb\":\"list\"}"), 0);
	close(s);
}
END_TEST

START_TEST(frames_that_are_none_end_their_connection_only)
{
	static const char *const bytes[] = {
		"\xff\xff\xff\xff\0\0\0\0", "\x02\0\0\0\xff\xff\0\0", "\0\0\0\0\0\0\0\0",
		"\x02\0\0\0\0\0\0\0[]",	    "\x04\0\0\0\0\0\0\0{{{{",
	};
	static const size_t lens[] = {8, 8, 8, 10, 12};
	int good, s;

	start_alone();
	good = agent("anna");
	for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
		s = peer();
		ck_assert_int_eq(send(s, bytes[i], lens[i], MSG_NOSIGNAL), (int)lens[i]);
		expect_closed(s);
	}
	ck_assert_int_eq(ask(good, "{\"verb\":\"list\"}"), 0);
	close(good);
}
END_TEST

START_TEST(requests_in_one_go_are_answered_in_order)
{
	json_t *json = json_pack("{s:s}", "verb", "status");
	json_t *list = json_pack("{s:s}", "verb", "list");
	int s;

	start_alone();
	s = agent("anna");
	for (int i = 0; i < 20; i++)
		ck_assert_int_eq(fs_wire_send(s, i % 2 ? list : json, NULL, 0, -1), 0);
	for (int i = 0; i < 20; i++) {
		ck_assert_int_eq(next(s, false), 0);
		ck_assert(json_is_object(json_object_get(answer.json, i % 2 ? "none" : "log")) ==
			  !(i % 2));
		ck_assert(json_is_array(json_object_get(answer.json, i % 2 ? "journals" : "none")) ==
			  (i % 2 == 1));
	}
	json_decref(json);
	json_decref(list);
	close(s);
}
END_TEST

/* ---- slow, silent, many ---- */

START_TEST(frame_never_finished_is_given_up)
{
	int s, good;

	start_alone();
	good = agent("anna");
	s = peer();
	ck_assert_int_eq(send(s, "\x20\0", 2, MSG_NOSIGNAL), 2);
	ck_assert_int_eq(ask(good, "{\"verb\":\"status\"}"), 0);
	usleep(50000); /* so that the loop has seen the half frame */
	skew_s = 11;
	expect_closed(s);
	ck_assert_int_eq(ask(good, "{\"verb\":\"list\"}"), 0);
	close(good);
}
END_TEST

START_TEST(peer_that_never_greets_is_let_go)
{
	int s, good;

	start_alone();
	good = agent("anna");
	s = dial();
	usleep(50000);
	skew_s = 11;
	expect_closed(s);
	ck_assert_int_eq(ask(good, "{\"verb\":\"list\"}"), 0);
	close(good);
}
END_TEST

START_TEST(connections_are_limited_and_sessions_go_on)
{
	json_t *nothing = json_object();
	int good, s[100], refused = 0;

	start_alone();
	good = agent("anna");
	for (int i = 0; i < 100; i++) {
		s[i] = dial();
		ck_assert_int_ge(s[i], 0);
	}
	for (int i = 0; i < 100; i++) {
		json_t *json = json_pack("{s:s, s:i}", "verb", "hello", "protocol", 1);

		if (fs_wire_send(s[i], json, nonce, sizeof(nonce), -1) || next(s[i], false))
			refused++;
		json_decref(json);
	}
	ck_assert_int_eq(refused, 84); /* 16 of one account */
	ck_assert_int_eq(ask(good, "{\"verb\":\"list\"}"), 0);
	for (int i = 0; i < 100; i++)
		close(s[i]);
	do { /* when the loop has noticed, there is room again */
		s[0] = dial();
		s[1] = fs_wire_send(s[0], nothing, NULL, 0, -1) || next(s[0], false);
		close(s[0]);
	} while (s[1]);
	json_decref(nothing);
	ck_assert_int_eq(ask(good, "{\"verb\":\"list\"}"), 0);
	close(good);
}
END_TEST

START_TEST(accounts_cannot_use_up_each_others_connections)
{
	int s[40], theirs;

	if (!as_root("accounts_cannot_use_up_each_others_connections"))
		return;
	start_clinic();
	for (int i = 0; i < 40; i++)
		s[i] = dial_as(4001);
	theirs = dial_as(4002);
	ck_assert_int_eq(greet(theirs), 0);
	for (int i = 0; i < 40; i++)
		close(s[i]);
	close(theirs);
}
END_TEST

static void fill_log(unsigned n)
{
	struct policy_record r;

	for (unsigned i = 0; i < n; i++) {
		policy_record_init(&r, POLICY_RECORD_OPEN);
		snprintf(r.name, sizeof(r.name), "note %u %0200u", i, i);
		ck_assert_int_eq(fs_log_append(fs_vault_log(t.v), &r, NULL), 0);
	}
}

/* Has the daemon let go of all of them, though nothing was read? */
static bool all_gone(const int *s, int n)
{
	for (int i = 0; i < n; i++) {
		struct pollfd p = {.fd = s[i], .events = POLLRDHUP};

		if (poll(&p, 1, 0) < 1 || !(p.revents & (POLLRDHUP | POLLHUP)))
			return false;
	}
	return true;
}

START_TEST(reader_of_a_long_answer_who_stops_delays_nobody)
{
	json_t *audit = json_pack("{s:s}", "verb", "audit");
	int slow[4], good;

	start_alone();
	good = agent("anna");
	fill_log(20000);
	for (int i = 0; i < 4; i++) {
		slow[i] = peer();
		ck_assert_int_eq(fs_wire_send(slow[i], audit, NULL, 0, -1), 0);
	}
	for (int i = 0; i < 20; i++)
		ck_assert_int_eq(ask(good, "{\"verb\":\"list\"}"), 0);
	/* However long it takes until they are stuck: then they have as long as any. */
	for (int round = 0; round < 50 && !all_gone(slow, 4); round++) {
		usleep(1100000);
		skew_s += 11;
	}
	ck_assert(all_gone(slow, 4));
	for (int i = 0; i < 4; i++) {
		int rc;

		do {
			rc = next(slow[i], false);
		} while (!rc && json_is_true(json_object_get(answer.json, "more")));
		ck_assert_int_lt(rc, 0);
		close(slow[i]);
	}
	ck_assert_int_eq(ask(good, "{\"verb\":\"list\"}"), 0);
	json_decref(audit);
	close(good);
}
END_TEST

/* ---- sessions ---- */

START_TEST(session_from_login_to_logout)
{
	uint8_t stretched[KEYS_LEN];
	int s, other;

	start_alone();
	s = peer();
	ck_assert_int_eq(ask(s, "{\"verb\":\"salt\"}"), 0);
	ck_assert_str_eq(text_of("who"), "anna");
	ck_assert_mem_eq(answer.blob, t_salt, KEYS_SALT_LEN);
	ck_assert_int_eq(number_of("passes"), t_cost.passes);
	ck_assert_int_eq(try_login(s, "", "wrong"), -EKEYREJECTED);
	ck_assert_int_eq(try_login(s, "", "anna"), 0);
	ck_assert_str_eq(text_of("who"), "anna");
	ck_assert_str_eq(text_of("practice"), "Klinik Nord");
	ck_assert_uint_eq(strlen(text_of("session")), 32);
	ck_assert_int_gt(number_of("ceiling_s"), 0);
	ck_assert_int_eq(try_login(s, "", "anna"), -EBUSY);

	other = peer();
	ck_assert_int_eq(ask(other, "{\"verb\":\"lock\"}"), 0);
	expect_event(s, "locked");
	ck_assert_int_eq(ask(other, "{\"verb\":\"list\"}"), -ENOKEY);
	ck_assert_int_eq(ask(other, "{\"verb\":\"status\"}"), 0);
	ck_assert_str_eq(json_string_value(json_object_get(json_object_get(answer.json, "me"),
							   "state")), "locked");
	ck_assert_str_eq(text_of("practice"), "");
	t_stretch("wrong", stretched);
	ck_assert_int_eq(call(other, "{\"verb\":\"unlock\"}", stretched, KEYS_LEN, -1),
			 -EKEYREJECTED);
	t_stretch("anna", stretched);
	ck_assert_int_eq(call(other, "{\"verb\":\"unlock\"}", stretched, KEYS_LEN, -1), 0);
	expect_event(s, "unlocked");
	ck_assert_int_eq(ask(other, "{\"verb\":\"list\"}"), 0);

	ck_assert_int_eq(ask(other, "{\"verb\":\"logout\"}"), 0);
	expect_event(s, "ended");
	expect_closed(s);
	ck_assert_int_eq(ask(other, "{\"verb\":\"list\"}"), -ENOKEY);
	ck_assert_uint_eq(t_logged(POLICY_RECORD_LOGOUT, "logged out"), 1);
	close(other);
}
END_TEST

START_TEST(logout_on_the_agents_own_connection_is_answered)
{
	int s;

	start_alone();
	s = agent("anna");
	ck_assert_int_eq(ask(s, "{\"verb\":\"logout\"}"), 0);
	expect_closed(s);
}
END_TEST

static bool nobody_logged_in(int s)
{
	ck_assert_int_eq(ask(s, "{\"verb\":\"status\"}"), 0);
	return json_array_size(json_object_get(answer.json, "sessions")) == 0;
}

START_TEST(agent_lost_ends_the_session)
{
	int s, other;

	start_alone();
	s = agent("anna");
	other = peer();
	ck_assert(!nobody_logged_in(other));
	close(s);
	while (!nobody_logged_in(other))
		usleep(1000);
	ck_assert_uint_eq(t_logged(POLICY_RECORD_LOGOUT, "agent"), 1);
	close(other);
}
END_TEST

START_TEST(agent_lost_while_logging_in_leaves_no_session)
{
	uint8_t stretched[KEYS_LEN];
	int other;

	start_alone();
	other = peer();
	t_stretch("anna", stretched);
	for (int i = 0; i < 30; i++) {
		json_t *json = json_pack("{s:s}", "verb", "login");
		int s = peer();

		ck_assert_int_eq(fs_wire_send(s, json, stretched, sizeof(stretched), -1), 0);
		if (i % 3 == 1)
			usleep(300);
		close(s);
		json_decref(json);
	}
	/* The last log-in may be under way still. */
	usleep(100000);
	while (!nobody_logged_in(other))
		usleep(1000);
	close(other);
}
END_TEST

START_TEST(refusals_of_an_account_are_limited_and_logged_no_more)
{
	uint64_t before;
	int s, rc = 0, n = 0;

	start_alone();
	s = peer();
	while (n < 100 && rc != -EAGAIN) {
		rc = try_login(s, "nobody", "x");
		n++;
	}
	ck_assert_int_eq(rc, -EAGAIN);
	ck_assert_int_gt(n, 15);
	before = t_logged(POLICY_RECORD_REFUSED, NULL);
	for (int i = 0; i < 5; i++)
		ck_assert_int_eq(try_login(s, "nobody", "x"), -EAGAIN);
	ck_assert_uint_eq(t_logged(POLICY_RECORD_REFUSED, NULL), before);
	skew_s = 30;
	ck_assert_int_eq(try_login(s, "", "anna"), 0);
	close(s);
}
END_TEST

START_TEST(sessions_of_an_account_are_limited)
{
	int s[9];

	start_alone();
	for (int i = 0; i < 8; i++)
		s[i] = agent("anna");
	s[8] = peer();
	ck_assert_int_eq(try_login(s[8], "", "anna"), -EBUSY);
	ck_assert_int_eq(ask(s[8], "{\"verb\":\"logout\"}"), 0);
	ck_assert(nobody_logged_in(s[8]));
	ck_assert_int_eq(try_login(s[8], "", "anna"), 0);
	for (int i = 0; i < 9; i++)
		close(s[i]);
}
END_TEST

START_TEST(stopping_ends_sessions_and_tells_agents)
{
	int s;

	start_alone();
	s = agent("anna");
	stop();
	expect_event(s, "ended");
	expect_closed(s);
	ck_assert_int_eq(access(socket_path, F_OK), -1);
	ck_assert_uint_eq(t_logged(POLICY_RECORD_LOGOUT, "daemon stops"), 1);
	t_close();
}
END_TEST

START_TEST(daemon_alone_ends_after_the_last_session)
{
	int s, other;

	ck_assert_msg(t_init("anna", "anna", getuid()) == 0, "%s", t.say.text);
	t_open();
	start(true, true);
	other = peer();
	s = agent("anna");
	ck_assert_int_eq(ask(other, "{\"verb\":\"logout\"}"), 0);
	close(other);
	close(s);
	join();
}
END_TEST

/* ---- who may see what ---- */

START_TEST(alone_other_accounts_are_turned_away)
{
	int s;

	if (!as_root("alone_other_accounts_are_turned_away"))
		return;
	start_alone();
	ck_assert_int_eq(chmod(socket_path, 0666), 0);
	s = dial_as(4001);
	if (s >= 0)
		expect_closed(s);
	s = peer();
	close(s);
}
END_TEST

START_TEST(stranger_learns_no_names)
{
	json_t *sessions;
	int s, dan;

	if (!as_root("stranger_learns_no_names"))
		return;
	start_clinic();
	dan = agent("dan");
	s = dial_as(4001);
	ck_assert_int_eq(greet(s), 0);
	ck_assert_int_eq(ask(s, "{\"verb\":\"status\"}"), 0);
	sessions = json_object_get(answer.json, "sessions");
	ck_assert_uint_eq(json_array_size(sessions), 1);
	ck_assert_ptr_null(json_object_get(json_array_get(sessions, 0), "who"));
	ck_assert_ptr_null(json_object_get(json_array_get(sessions, 0), "origin"));
	ck_assert_str_eq(text_of("practice"), "");
	ck_assert_ptr_null(json_object_get(answer.json, "waiting"));
	ck_assert(json_is_null(json_object_get(answer.json, "me")));
	/* He acts on his own sessions only, and has none. */
	ck_assert_int_eq(ask(s, "{\"verb\":\"lock\"}"), 0);
	ck_assert_int_eq(ask(s, "{\"verb\":\"logout\"}"), 0);
	ck_assert_int_eq(ask(s, "{\"verb\":\"list\"}"), -ENOKEY);
	ck_assert_int_eq(try_login(s, "dan", "dan"), -EPERM);
	ck_assert_int_eq(ask(dan, "{\"verb\":\"list\"}"), 0);
	ck_assert_int_eq(ask(dan, "{\"verb\":\"status\"}"), 0);
	sessions = json_object_get(answer.json, "sessions");
	ck_assert_str_eq(json_string_value(json_object_get(json_array_get(sessions, 0), "who")),
			 "dan");
	ck_assert(json_is_string(json_object_get(answer.json, "waiting")));
	ck_assert(json_is_true(json_object_get(answer.json, "seccomp")));
	close(s);
	close(dan);
}
END_TEST

START_TEST(invitation_is_answered_by_its_account_over_the_socket)
{
	uint8_t blob[KEYS_CODE_LEN + KEYS_SALT_LEN + KEYS_LEN];
	char policy[T_POLICY_MAX], code[KEYS_CODE_TEXT_MAX] = "";
	struct fs_session *steward;
	int s, dan;

	if (!as_root("invitation_is_answered_by_its_account_over_the_socket"))
		return;
	ck_assert_msg(t_init("dan", NULL, 0) == 0, "%s", t.say.text);
	t_open();
	ck_assert_msg(t_try_enroll(t.made.code, "dan", 0, "dan") == 0, "%s", t.say.text);
	steward = t_login("dan", 0);
	/* Account `daemon`, number 1, is on every host. */
	t_edit(policy, "user anna role", "user daemon role");
	t_put(steward, "practice", policy);
	t_logout(steward);
	start(false, false);
	dan = agent("dan");
	ck_assert_int_eq(ask(dan, "{\"verb\":\"invite\",\"name\":\"anna\",\"days\":3}"), 0);
	ck_assert_uint_lt(answer.blob_len, sizeof(code));
	memcpy(code, answer.blob, answer.blob_len);
	ck_assert_int_eq(keys_code_parse(code, blob), 0);
	memcpy(blob + KEYS_CODE_LEN, t_salt, KEYS_SALT_LEN);
	t_stretch("anna", blob + KEYS_CODE_LEN + KEYS_SALT_LEN);
	s = dial_as(4001); /* an account that the host does not know */
	ck_assert_int_eq(greet(s), 0);
	ck_assert_int_eq(call(s, verbs[7].text, blob, sizeof(blob), -1), -EPERM);
	close(s);
	s = dial_as(1);
	ck_assert_int_eq(greet(s), 0);
	ck_assert_int_eq(call(s, verbs[7].text, blob, sizeof(blob), -1), 0);
	ck_assert_str_eq(text_of("who"), "anna");
	ck_assert_int_eq(call(s, verbs[7].text, blob, sizeof(blob), -1), -EKEYREJECTED);
	ck_assert_int_eq(try_login(s, "", "anna"), 0);
	ck_assert_int_eq(ask(s, "{\"verb\":\"invite\",\"name\":\"bo\"}"), -EACCES);
	close(s);
	close(dan);
}
END_TEST

START_TEST(passphrase_is_changed_over_the_socket)
{
	uint8_t blob[3 * KEYS_LEN + KEYS_SALT_LEN];
	int s, other;

	start_alone();
	s = agent("anna");
	t_stretch("not hers", blob);
	keys_random(blob + KEYS_LEN, KEYS_SALT_LEN);
	t_stretch("new", blob + KEYS_LEN + KEYS_SALT_LEN);
	t_stretch("new", blob + 2 * KEYS_LEN + KEYS_SALT_LEN);
	ck_assert_int_eq(call(s, verbs[9].text, blob, sizeof(blob), -1), -EKEYREJECTED);
	t_stretch("anna", blob);
	/* Without what compares it with the one in force. */
	ck_assert_int_eq(call(s, "{\"verb\":\"passwd\",\"passes\":1,\"memory_kib\":8192}", blob,
			      sizeof(blob) - KEYS_LEN, -1),
			 -EINVAL);
	ck_assert_int_eq(call(s, verbs[9].text, blob, sizeof(blob), -1), 0);
	other = peer();
	ck_assert_int_eq(try_login(other, "", "anna"), -EKEYREJECTED);
	ck_assert_int_eq(try_login(other, "", "new"), 0);
	close(other);
	close(s);
}
END_TEST

/* Whatever is said of its pieces, a log-in's blob is read within its bounds. */
START_TEST(login_with_pieces_that_do_not_fit_is_refused)
{
	const size_t head = 2 * KEYS_LEN + KEYS_SALT_LEN;
	uint8_t blob[12 * KEYS_LEN] = {0};
	char text[160];
	int s;

	start_alone();
	s = peer();
	for (size_t len = 0; len < sizeof(blob); len += KEYS_SALT_LEN / 2) {
		for (unsigned olds = 0; olds <= 7; olds++) {
			size_t all = head + olds * KEYS_LEN;
			int rc;

			if (olds <= 6 && (len == all || len == all + KEYS_LEN))
				continue;
			snprintf(text, sizeof(text),
				 "{\"verb\":\"login\",\"who\":\"anna\",\"renew\":true,\"olds\":%u,"
				 "\"passes\":1,\"memory_kib\":8192}",
				 olds);
			/* Too many refusals in a row get another answer. */
			rc = call(s, text, blob, len, -1);
			ck_assert_msg(rc == -EINVAL || rc == -EAGAIN, "%zu bytes, %u olds: %d", len,
				      olds, rc);
		}
	}
	close(s);
}
END_TEST

START_TEST(passphrase_is_renewed_in_a_login)
{
	static const char text[] = "{\"verb\":\"login\",\"who\":\"\",\"renew\":true,\"olds\":1,"
				   "\"passes\":1,\"memory_kib\":8192}";
	uint8_t blob[3 * KEYS_LEN + KEYS_SALT_LEN];
	int s;

	start_alone();
	s = peer();
	t_stretch("anna", blob);
	keys_random(blob + KEYS_LEN, KEYS_SALT_LEN);
	t_stretch("new", blob + KEYS_LEN + KEYS_SALT_LEN);
	t_stretch("new", blob + 2 * KEYS_LEN + KEYS_SALT_LEN);
	ck_assert_int_eq(call(s, text, blob, sizeof(blob), -1), 0);
	close(s);
	s = peer();
	ck_assert_int_eq(try_login(s, "", "anna"), -EKEYREJECTED);
	ck_assert_int_eq(try_login(s, "", "new"), 0);
	close(s);
}
END_TEST

/* A second factor over the socket: enrolled, asked for, told to nobody else. */
START_TEST(second_factor_goes_over_the_socket)
{
	uint8_t blob[KEYS_LEN + KEYS_TOTP_SECRET_LEN + KEYS_FACTOR_CODES * KEYS_FACTOR_CODE_LEN];
	char code[7], text[256], recovery[KEYS_FACTOR_CODE_TEXT];
	int s;

	start_alone();
	s = peer();
	t_stretch("anna", blob);
	keys_random(blob + KEYS_LEN, sizeof(blob) - KEYS_LEN);
	ck_assert_int_eq(keys_totp_code(blob + KEYS_LEN,
					(uint64_t)fs_vault_wall_s() / KEYS_TOTP_STEP_S, code),
			 0);
	snprintf(text, sizeof(text), "{\"verb\":\"factor-enroll\",\"new_code\":\"%s\"}", code);
	ck_assert_int_eq(call(s, text, blob, sizeof(blob), -1), 0);
	ck_assert_int_eq(call(s, "{\"verb\":\"factor-status\"}", NULL, 0, -1), 0);
	ck_assert_int_eq(call(s, "{\"verb\":\"factor-status\",\"who\":\"dan\"}", NULL, 0, -1), -EPERM);
	ck_assert_int_eq(call(s, "{\"verb\":\"passphrases\",\"who\":\"dan\"}", NULL, 0, -1), -EPERM);
	ck_assert_int_eq(try_login(s, "", "anna"), -EKEYREJECTED);
	snprintf(text, sizeof(text), "{\"verb\":\"login\",\"code\":\"%s\"}", code);
	ck_assert_int_eq(call(s, text, blob, KEYS_LEN, -1), -EKEYREJECTED);
	keys_base32_print(blob + KEYS_LEN + KEYS_TOTP_SECRET_LEN, KEYS_FACTOR_CODE_LEN, recovery);
	snprintf(text, sizeof(text), "{\"verb\":\"login\",\"code\":\"%s\"}", recovery);
	ck_assert_int_eq(call(s, text, blob, KEYS_LEN, -1), 0);
	close(s);
}
END_TEST

/* ---- policy, list, audit ---- */

static int put_policy(int s, const char *text, json_int_t base)
{
	json_t *json = json_pack("{s:s, s:s, s:s, s:I}", "verb", "policy-put", "file", "practice",
				 "text", text, "base", base);
	int rc = call_json(s, json, 0);

	json_decref(json);
	return rc;
}

START_TEST(policy_is_shown_checked_and_put)
{
	char policy[T_POLICY_MAX];
	json_int_t version;
	json_t *json;
	int s;

	start_clinic();
	s = agent("dan");
	ck_assert_int_eq(ask(s, "{\"verb\":\"policy-show\",\"file\":\"practice\"}"), 0);
	ck_assert_str_eq(text_of("text"), CLINIC_POLICY);
	version = number_of("version");
	json = json_pack("{s:s, s:s, s:s}", "verb", "policy-check", "file", "practice", "text",
			 "practice \"x\"\nrolle physician\n");
	ck_assert_int_eq(call_json(s, json, 0), -EINVAL);
	ck_assert_ptr_nonnull(strstr(text_of("report"), ":2:"));
	json_decref(json);
	json = json_pack("{s:s, s:s, s:s}", "verb", "policy-check", "file", "practice", "text",
			 CLINIC_POLICY);
	ck_assert_int_eq(call_json(s, json, 0), 0);
	json_decref(json);
	t_edit(policy, "ceiling 12h", "ceiling 11h");
	ck_assert_int_eq(put_policy(s, "nonsense", version), -EINVAL);
	ck_assert_int_eq(put_policy(s, policy, version), 0);
	ck_assert_int_gt(number_of("version"), version);
	ck_assert_int_eq(put_policy(s, CLINIC_POLICY, version), -ESTALE);
	ck_assert_int_eq(ask(s, "{\"verb\":\"policy-show\",\"file\":\"no such journal\"}"), -ENOENT);
	close(s);
}
END_TEST

/* Reads a stream of texts to its end; how many there were. */
static size_t stream(int s, const char *name, unsigned *pieces)
{
	size_t n = 0;

	*pieces = 0;
	for (;;) {
		json_t *list = json_object_get(answer.json, name);

		ck_assert(json_is_array(list));
		n += json_array_size(list);
		++*pieces;
		if (!json_is_true(json_object_get(answer.json, "more")))
			return n;
		ck_assert_int_eq(next(s, false), 0);
		ck_assert_int_eq(result(), 0);
	}
}

START_TEST(log_is_streamed_in_both_formats)
{
	unsigned pieces;
	size_t n;
	int s;

	start_alone();
	s = agent("anna");
	fill_log(3000);
	ck_assert_int_eq(fs_log_wait(fs_vault_log(t.v), 0), 0);
	ck_assert_int_eq(ask(s, "{\"verb\":\"audit\",\"format\":\"text\"}"), 0);
	n = stream(s, "lines", &pieces);
	ck_assert_uint_gt(n, 3000);
	ck_assert_uint_gt(pieces, 4);
	ck_assert_int_eq(ask(s, "{\"verb\":\"audit\",\"format\":\"json\"}"), 0);
	ck_assert_uint_gt(stream(s, "lines", &pieces), n);
	ck_assert_int_eq(ask(s, "{\"verb\":\"audit\",\"format\":\"xml\"}"), -EINVAL);
	ck_assert_int_eq(ask(s, "{\"verb\":\"audit\",\"until_ns\":1}"), 0);
	ck_assert_uint_eq(stream(s, "lines", &pieces), 0);
	close(s);
}
END_TEST

START_TEST(log_is_refused_without_the_audit_right)
{
	int s;

	start_clinic();
	s = agent("dan");
	ck_assert_int_eq(ask(s, "{\"verb\":\"audit\"}"), -EACCES);
	ck_assert_str_ne(text_of("say"), "");
	close(s);
}
END_TEST

START_TEST(journals_are_listed_sorted)
{
	struct fs_session *anna;
	unsigned pieces;
	int s;

	start_alone();
	s = agent("anna");
	anna = fs_vault_session_of(t.v, getuid());
	t_make(anna, "b");
	t_make(anna, "a");
	t_make(anna, "010190-1234 Ærø");
	fs_session_put(anna);
	ck_assert_int_eq(ask(s, "{\"verb\":\"list\"}"), 0);
	ck_assert_str_eq(json_string_value(json_array_get(json_object_get(answer.json, "journals"),
							  0)), "010190-1234 Ærø");
	ck_assert_str_eq(json_string_value(json_array_get(json_object_get(answer.json, "journals"),
							  2)), "b");
	ck_assert_uint_eq(stream(s, "journals", &pieces), 3);
	close(s);
}
END_TEST

/* ---- the socket's place ---- */

static int try_socket(const char *path)
{
	struct fs_control_config cfg = {.socket = path};
	struct fs_control *c = NULL;
	int rc;

	t.say.text[0] = '\0';
	rc = fs_control_new(&cfg, &c, &t.say);
	fs_control_free(c);
	return rc;
}

START_TEST(socket_in_an_unsafe_place_is_refused_with_a_remedy)
{
	char path[128], dir[100];
	int fd;

	ck_assert_int_eq(try_socket("relative/socket"), -EINVAL);
	ck_assert_int_eq(try_socket("/nonexistent/dir/socket"), -ENOENT);
	snprintf(dir, sizeof(dir), "%s/open", t.base);
	ck_assert_int_eq(mkdir(dir, 0755), 0);
	ck_assert_int_eq(chmod(dir, 0775), 0);
	snprintf(path, sizeof(path), "%s/socket", dir);
	ck_assert_int_eq(try_socket(path), -EPERM);
	ck_assert_ptr_nonnull(strstr(t.say.text, "chmod"));
	ck_assert_int_eq(chmod(dir, 0755), 0);
	fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	ck_assert_int_ge(fd, 0);
	close(fd);
	ck_assert_int_eq(try_socket(path), -EEXIST);
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(try_socket(path), 0);
	if (getuid() == 0) {
		ck_assert_int_eq(chown(dir, 4001, 4001), 0);
		ck_assert_int_eq(try_socket(path), -EPERM);
	}
	memset(path, 'x', sizeof(path) - 1);
	path[0] = '/';
	path[127] = '\0';
	ck_assert_int_eq(try_socket(path), -ENAMETOOLONG);
}
END_TEST

START_TEST(socket_left_behind_is_replaced_one_in_use_is_not)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	int s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	strcpy(to.sun_path, socket_path);
	ck_assert_int_eq(bind(s, (struct sockaddr *)&to, sizeof(to)), 0);
	ck_assert_int_eq(listen(s, 1), 0);
	ck_assert_int_eq(try_socket(socket_path), -EADDRINUSE);
	close(s);
	ck_assert_int_eq(access(socket_path, F_OK), 0);
	ck_assert_int_eq(try_socket(socket_path), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("fs_control");
	TCase *tc = tcase_create("all");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, hello_proves_the_daemon);
	tcase_add_test(tc, hello_of_another_protocol_is_refused);
	tcase_add_test(tc, verbs_before_hello_are_refused);
	tcase_add_test(tc, verbs_without_a_session_are_refused);
	tcase_add_test(tc, verb_unknown_or_no_text_is_refused);
	tcase_add_test(tc, fields_of_wrong_type_are_refused_by_every_verb);
	tcase_add_test(tc, fields_required_are_missed);
	tcase_add_test(tc, drafts_of_another_form_are_refused);
	tcase_add_test(tc, secrets_of_wrong_length_are_refused_by_every_verb);
	tcase_add_test(tc, descriptors_are_taken_by_mount_alone);
	tcase_add_test(tc, mount_of_what_is_no_fuse_device_is_refused);
	tcase_add_test(tc, frames_that_are_none_end_their_connection_only);
	tcase_add_test(tc, requests_in_one_go_are_answered_in_order);
	tcase_add_test(tc, frame_never_finished_is_given_up);
	tcase_add_test(tc, peer_that_never_greets_is_let_go);
	tcase_add_test(tc, connections_are_limited_and_sessions_go_on);
	tcase_add_test(tc, accounts_cannot_use_up_each_others_connections);
	tcase_add_test(tc, reader_of_a_long_answer_who_stops_delays_nobody);
	tcase_add_test(tc, session_from_login_to_logout);
	tcase_add_test(tc, logout_on_the_agents_own_connection_is_answered);
	tcase_add_test(tc, agent_lost_ends_the_session);
	tcase_add_test(tc, agent_lost_while_logging_in_leaves_no_session);
	tcase_add_test(tc, refusals_of_an_account_are_limited_and_logged_no_more);
	tcase_add_test(tc, sessions_of_an_account_are_limited);
	tcase_add_test(tc, stopping_ends_sessions_and_tells_agents);
	tcase_add_test(tc, daemon_alone_ends_after_the_last_session);
	tcase_add_test(tc, alone_other_accounts_are_turned_away);
	tcase_add_test(tc, stranger_learns_no_names);
	tcase_add_test(tc, invitation_is_answered_by_its_account_over_the_socket);
	tcase_add_test(tc, passphrase_is_changed_over_the_socket);
	tcase_add_test(tc, login_with_pieces_that_do_not_fit_is_refused);
	tcase_add_test(tc, passphrase_is_renewed_in_a_login);
	tcase_add_test(tc, second_factor_goes_over_the_socket);
	tcase_add_test(tc, policy_is_shown_checked_and_put);
	tcase_add_test(tc, log_is_streamed_in_both_formats);
	tcase_add_test(tc, log_is_refused_without_the_audit_right);
	tcase_add_test(tc, journals_are_listed_sorted);
	tcase_add_test(tc, socket_in_an_unsafe_place_is_refused_with_a_remedy);
	tcase_add_test(tc, socket_left_behind_is_replaced_one_in_use_is_not);
	suite_add_tcase(suite, tc);
	sr = srunner_create(suite);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
