/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The verbs of the notify service on the control socket: its account and nobody else's, the wait,
 * forged answers, its own connections beside strangers', and a daemon alone that it does not keep.
 *
 * Peers of other accounts are threads that changed their own ids before they connected (root only,
 * else those tests say so).
 */
#include "test_fs_vault.h"

#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>

#include "fs/control.h"
#include "fs/wire.h"

#define NOBODY 65534
enum { TELLER = 4101, STRANGER };

static struct fs_control *control;
static struct fs_serve *served;
static pthread_t runner;
static bool running;
static char socket_path[108];
static struct fs_session *steward;

static void on_over(void *ctx, struct fs_session *s, const char *why)
{
	(void)ctx;
	fs_control_session_over(control, s, why);
}

static void *run(void *arg)
{
	ck_assert_int_eq(fs_control_run(arg), 0);
	return NULL;
}

static void start(bool alone)
{
	struct fs_control_config cfg = {.socket = socket_path,
					.alone = alone,
					.exit_when_idle = alone,
					.notifies = t.cfg.notifies,
					.notify_uid = t.cfg.notify_uid};

	ck_assert_int_eq(fs_serve_new(t.v, &served), 0);
	cfg.vault = t.v;
	cfg.serve = served;
	ck_assert_msg(fs_control_new(&cfg, &control, &t.say) == 0, "%s", t.say.text);
	ck_assert_int_eq(pthread_create(&runner, NULL, run, control), 0);
	running = true;
}

static void join(void)
{
	ck_assert_int_eq(pthread_join(runner, NULL), 0);
	running = false;
	fs_serve_free(served);
	fs_control_free(control);
	control = NULL;
}

static void setup(void)
{
	t_setup();
	t.cfg.session_over = on_over;
	t.cfg.notifies = true;
	t.cfg.notify_uid = TELLER;
	snprintf(socket_path, sizeof(socket_path), "%s/socket", t.base);
	ck_assert_int_eq(chmod(t.base, 0755), 0);
}

static void teardown(void)
{
	if (running) {
		fs_control_stop(control);
		join();
	}
	if (steward)
		fs_session_put(steward);
	steward = NULL;
	t_teardown();
}

static void start_clinic(void)
{
	char text[T_POLICY_MAX];

	steward = t_clinic();
	t_edit(text, "session ceiling 12h\n", "session ceiling 12h\nbreak-glass notify names\n");
	t_put(steward, "practice", text);
	start(false);
}

/* As if a grant of dan's had come to this. */
static void put(const char *event, uint8_t flags)
{
	const struct fs_grant g = {.number = 7,
				   .pid = steward->pid,
				   .enrolment = steward->enrolment,
				   .journal = 3,
				   .ground = FS_GLASS_ACUTE,
				   .from_s = 1800000000,
				   .until_s = 1800003600,
				   .due_s = 1800259200,
				   .flags = flags};

	pthread_mutex_lock(&t.v->edit);
	fs_notice_put(t.v, &g, event, "the patient bleeds", "Hansen \xff");
	pthread_mutex_unlock(&t.v->edit);
}

/* ---- peers ---- */

struct dialing {
	uid_t uid;
	int s;
};

static void *dial_thread(void *arg)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	struct dialing *d = arg;
	int s;

	/* The system call itself changes this one thread. */
	if (d->uid != getuid() && syscall(SYS_setresuid, d->uid, d->uid, d->uid))
		return NULL;
	s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	strcpy(to.sun_path, socket_path);
	if (!connect(s, (struct sockaddr *)&to, sizeof(to)))
		d->s = s;
	return NULL;
}

static struct fs_wire_message answer;

static int call_into(int s, const char *text, const void *blob, size_t len,
		     struct fs_wire_message *m)
{
	json_t *json = json_loads(text, 0, NULL);
	int rc;

	ck_assert_msg(json != NULL, "%s", text);
	rc = fs_wire_send(s, json, blob, len, -1);
	json_decref(json);
	if (rc)
		return rc;
	do {
		fs_wire_message_clear(m);
		rc = fs_wire_receive(s, m, 60000);
	} while (!rc && json_object_get(m->json, "event"));
	if (rc || json_is_true(json_object_get(m->json, "ok")))
		return rc;
	return -(int)json_integer_value(json_object_get(m->json, "errno"));
}

static int call(int s, const char *text, const void *blob, size_t len)
{
	return call_into(s, text, blob, len, &answer);
}

static int ask(int s, const char *text)
{
	return call(s, text, NULL, 0);
}

static int peer_as(uid_t uid)
{
	static const uint8_t nonce[KEYS_NONCE_LEN];
	struct dialing d = {uid, -1};
	pthread_t thread;

	ck_assert_int_eq(pthread_create(&thread, NULL, dial_thread, &d), 0);
	pthread_join(thread, NULL);
	ck_assert_int_ge(d.s, 0);
	return call(d.s, "{\"verb\":\"hello\",\"protocol\":1}", nonce, sizeof(nonce)) ? -1 : d.s;
}

static bool as_root(const char *test)
{
	if (getuid() == 0)
		return true;
	printf("SKIP %s: only root can act as other accounts\n", test);
	return false;
}

static const char *text_of(const char *name)
{
	const char *text =
		json_string_value(json_object_get(json_object_get(answer.json, "notice"), name));

	return text ? text : "";
}

static json_int_t number_of(const char *name)
{
	return json_integer_value(json_object_get(json_object_get(answer.json, "notice"), name));
}

#define NEXT "{\"verb\":\"notice-next\"}"
#define LISTEN "{\"verb\":\"notice-next\",\"wait_s\":30}"
#define DONE "{\"verb\":\"notice-done\",\"number\":1,\"delivered\":true}"

START_TEST(notify_account_gets_a_notice_and_answers)
{
	const json_t *flags;
	int s;

	if (!as_root("notify_account_gets_a_notice_and_answers"))
		return;
	start_clinic();
	s = peer_as(TELLER);
	ck_assert_int_eq(ask(s, NEXT), 0);
	ck_assert(json_is_null(json_object_get(answer.json, "notice")));
	put("opened", FS_GLASS_TOLD | FS_GLASS_PAST_BLOCK | FS_GLASS_SERIAL);
	ck_assert_int_eq(ask(s, NEXT), 0);
	ck_assert_int_eq(number_of("format"), 1);
	ck_assert_int_eq(number_of("notice"), 1);
	ck_assert_int_eq(number_of("grant"), 7);
	ck_assert_int_eq(number_of("journal"), 3);
	ck_assert_int_eq(number_of("uid"), DAN);
	ck_assert_uint_eq(strlen(text_of("vault")), 2 * KEYS_VAULT_ID_LEN);
	ck_assert_str_eq(text_of("event"), "opened");
	ck_assert_str_eq(text_of("who"), "dan");
	ck_assert_str_eq(text_of("role"), "steward");
	ck_assert_ptr_null(json_object_get(json_object_get(answer.json, "notice"), "unit"));
	ck_assert_str_eq(text_of("journal_name"), "Hansen \\xff");
	ck_assert_str_eq(text_of("ground"), "acute");
	ck_assert_str_eq(text_of("reason"), "the patient bleeds");
	ck_assert_str_eq(text_of("from"), "2027-01-15T08:00:00Z");
	ck_assert_str_eq(text_of("until"), "2027-01-15T09:00:00Z");
	ck_assert_str_eq(text_of("review_due"), "2027-01-18T08:00:00Z");
	ck_assert_ptr_null(json_object_get(json_object_get(answer.json, "notice"), "ended"));
	flags = json_object_get(json_object_get(answer.json, "notice"), "flags");
	ck_assert_uint_eq(json_array_size(flags), 2);
	ck_assert_str_eq(json_string_value(json_array_get(flags, 0)), "past-block");
	ck_assert_str_eq(json_string_value(json_array_get(flags, 1)), "serial");
	ck_assert_int_eq(ask(s, DONE), 0);
	ck_assert_int_eq(ask(s, DONE), -ENOENT);
	ck_assert_uint_eq(t_logged(POLICY_RECORD_NOTICE, "was delivered"), 1);
	close(s);
}
END_TEST

START_TEST(other_accounts_are_refused_and_logged)
{
	static const uid_t uids[] = {STRANGER, NOBODY, 0};

	if (!as_root("other_accounts_are_refused_and_logged"))
		return;
	start_clinic();
	put("opened", FS_GLASS_TOLD);
	for (size_t i = 0; i < 3; i++) {
		int s = peer_as(uids[i]);

		ck_assert_int_eq(ask(s, NEXT), -EACCES);
		ck_assert_int_eq(ask(s, LISTEN), -EACCES); /* at once */
		ck_assert_int_eq(ask(s, DONE), -EACCES);
		ck_assert_ptr_null(json_object_get(answer.json, "notice"));
		close(s);
	}
	ck_assert_uint_eq(t_logged(POLICY_RECORD_REFUSED, "not the notify account"), 9);
	ck_assert_uint_eq(t.v->notices.count, 1);
}
END_TEST

START_TEST(wrong_fields_are_refused)
{
	static const char *const texts[] = {
		"{\"verb\":\"notice-next\",\"wait_s\":31}",
		"{\"verb\":\"notice-next\",\"wait_s\":-1}",
		"{\"verb\":\"notice-next\",\"wait_s\":\"1\"}",
		"{\"verb\":\"notice-next\",\"fresh\":1}",
		"{\"verb\":\"notice-done\",\"delivered\":true}",
		"{\"verb\":\"notice-done\",\"number\":1}",
		"{\"verb\":\"notice-done\",\"number\":0,\"delivered\":true}",
		"{\"verb\":\"notice-done\",\"number\":4294967296,\"delivered\":true}",
		"{\"verb\":\"notice-done\",\"number\":1,\"delivered\":\"yes\"}",
		"{\"verb\":\"notice-done\",\"number\":1,\"delivered\":false,\"error\":7}",
	};
	int s;

	if (!as_root("wrong_fields_are_refused"))
		return;
	start_clinic();
	s = peer_as(TELLER);
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		ck_assert_msg(ask(s, texts[i]) == -EINVAL, "%s", texts[i]);
	close(s);
}
END_TEST

struct listening {
	int s, rc;
	char event[32];
};

static void *listen_thread(void *arg)
{
	struct listening *l = arg;
	struct fs_wire_message m;
	const char *event;

	fs_wire_message_init(&m);
	l->event[0] = '\0';
	l->rc = call_into(l->s, LISTEN, NULL, 0, &m);
	event = json_string_value(json_object_get(json_object_get(m.json, "notice"), "event"));
	if (event)
		snprintf(l->event, sizeof(l->event), "%s", event);
	fs_wire_message_clear(&m);
	return NULL;
}

START_TEST(service_that_waits_delays_nobody_and_hears_at_once)
{
	struct listening l;
	pthread_t thread;
	int other;

	if (!as_root("service_that_waits_delays_nobody_and_hears_at_once"))
		return;
	start_clinic();
	other = peer_as(STRANGER);
	l.s = peer_as(TELLER);
	ck_assert_int_eq(pthread_create(&thread, NULL, listen_thread, &l), 0);
	fs_vault_tick(t.v);
	put("expired", FS_GLASS_TOLD);
	pthread_join(thread, NULL);
	ck_assert_int_eq(l.rc, 0);
	ck_assert_str_eq(l.event, "expired");
	ck_assert_int_eq(ask(other, "{\"verb\":\"status\"}"), 0);
	ck_assert_ptr_null(json_object_get(answer.json, "notices")); /* not for strangers */
	close(l.s);
	close(other);
}
END_TEST

START_TEST(service_that_waits_does_not_keep_a_daemon_from_stopping)
{
	struct listening l;
	pthread_t thread;

	if (!as_root("service_that_waits_does_not_keep_a_daemon_from_stopping"))
		return;
	start_clinic();
	l.s = peer_as(TELLER);
	ck_assert_int_eq(pthread_create(&thread, NULL, listen_thread, &l), 0);
	fs_control_stop(control);
	join();
	pthread_join(thread, NULL);
	ck_assert_int_ne(l.rc, -ETIMEDOUT); /* an answer that there is none, or the end */
	close(l.s);
}
END_TEST

START_TEST(strangers_cannot_keep_the_service_out)
{
	int s[FD_SETSIZE], n = 0, mine[5];

	if (!as_root("strangers_cannot_keep_the_service_out"))
		return;
	start_clinic();
	for (uid_t uid = 5000; uid < 5006; uid++) {
		for (int i = 0; i < 16; i++)
			s[n++] = peer_as(uid);
	}
	ck_assert_int_eq(s[n - 1], -1); /* there is no room any more */
	for (int i = 0; i < 4; i++) {
		mine[i] = peer_as(TELLER);
		ck_assert_int_ge(mine[i], 0);
		ck_assert_int_eq(ask(mine[i], NEXT), 0);
	}
	mine[4] = peer_as(TELLER);
	ck_assert_int_eq(mine[4], -1); /* nor more for it than it needs */
	for (int i = 0; i < 4; i++)
		close(mine[i]);
	while (n--) {
		if (s[n] >= 0)
			close(s[n]);
	}
}
END_TEST

START_TEST(service_alone_is_the_person_and_keeps_no_daemon)
{
	struct listening l;
	uint8_t stretched[KEYS_LEN];
	pthread_t thread;
	int s;

	ck_assert_msg(t_init("anna", "anna", getuid()) == 0, "%s", t.say.text);
	t.cfg.notify_uid = getuid();
	t_open();
	start(true);
	l.s = peer_as(getuid());
	ck_assert_int_eq(ask(l.s, NEXT), 0);
	ck_assert_int_eq(pthread_create(&thread, NULL, listen_thread, &l), 0);
	s = peer_as(getuid());
	t_stretch("anna", stretched);
	ck_assert_int_eq(call(s, "{\"verb\":\"login\",\"who\":\"anna\",\"origin\":\"tty1\"}", stretched,
			      sizeof(stretched)), 0);
	close(s); /* the last session: the daemon ends though the service waits */
	join();
	pthread_join(thread, NULL);
	close(l.s);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("fs_control_notice");
	TCase *tc = tcase_create("all");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, notify_account_gets_a_notice_and_answers);
	tcase_add_test(tc, other_accounts_are_refused_and_logged);
	tcase_add_test(tc, wrong_fields_are_refused);
	tcase_add_test(tc, service_that_waits_delays_nobody_and_hears_at_once);
	tcase_add_test(tc, service_that_waits_does_not_keep_a_daemon_from_stopping);
	tcase_add_test(tc, strangers_cannot_keep_the_service_out);
	tcase_add_test(tc, service_alone_is_the_person_and_keeps_no_daemon);
	suite_add_tcase(suite, tc);
	sr = srunner_create(suite);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
