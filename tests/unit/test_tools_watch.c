/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an agent asks for, and when, with a logind, a daemon and a clock of the test's own.
 *
 * The functions of tools/logind.h are defined here, before the library's. The agent runs in a
 * thread, in which poll never waits: with nothing there it puts the clock forward by as long as it
 * would have waited, and so a minute passes in no time.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "keys/slab.h"
#include "tools/logind.h"
#include "tools/watch.h"

static _Thread_local bool in_agent;
static atomic_llong ahead_ms;
static atomic_uint opened, closed, let_sleep, looked, what;
static atomic_llong idle_s;
static atomic_bool none, lost;
static int bell[2]; /* what the agent polls for of logind's */

int clock_gettime(clockid_t clock, struct timespec *out)
{
	int rc = (int)syscall(SYS_clock_gettime, clock, out);

	if (in_agent) {
		out->tv_nsec += (ahead_ms % 1000) * 1000000;
		out->tv_sec += ahead_ms / 1000 + out->tv_nsec / 1000000000;
		out->tv_nsec %= 1000000000;
	}
	return rc;
}

int poll(struct pollfd *p, nfds_t n, int ms)
{
	const struct timespec now = {0}, until = {ms / 1000, (ms % 1000) * 1000000L};
	int rc = (int)syscall(SYS_ppoll, p, n,
			      in_agent || ms >= 0 ? in_agent ? &now : &until : NULL, NULL, 0);

	if (in_agent && !rc && ms > 0) {
		/* Time goes by in steps, so that the test can act in between. */
		ahead_ms += ms < 1000 ? ms : 1000;
		usleep(100);
	}
	return rc;
}

/* ---- a logind ---- */

struct logind {
	int unused;
};
static struct logind only;

struct logind *tools_logind_open(void)
{
	atomic_fetch_add(&opened, 1);
	return atomic_load(&none) ? NULL : &only;
}

void tools_logind_close(struct logind *l)
{
	if (l)
		atomic_fetch_add(&closed, 1);
}

int tools_logind_fd(struct logind *l, short *events, int *timeout_ms)
{
	(void)l;
	*events = POLLIN;
	*timeout_ms = -1;
	return bell[0];
}

int tools_logind_process(struct logind *l, unsigned *out)
{
	char c;

	(void)l;
	(void)!read(bell[0], &c, 1);
	*out = atomic_exchange(&what, 0);
	return atomic_exchange(&lost, false) ? -EPIPE : 0;
}

void tools_logind_let_sleep(struct logind *l)
{
	(void)l;
	atomic_fetch_add(&let_sleep, 1);
}

int64_t tools_logind_idle_s(struct logind *l)
{
	(void)l;
	atomic_fetch_add(&looked, 1);
	return idle_s;
}

/* ---- the agent, and the daemon's end ---- */

static struct client client;
static int daemon_end, signals[2];
static pthread_t agent;
static struct fs_wire_message heard;

static void *run(void *arg)
{
	(void)arg;
	in_agent = true;
	tools_watch(&client, signals[0], false);
	return NULL;
}

static void start(void)
{
	int pair[2];

	ck_assert_int_eq(keys_init(), 0);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	ck_assert_int_eq(pipe2(bell, O_CLOEXEC | O_NONBLOCK), 0);
	ck_assert_int_eq(pipe2(signals, O_CLOEXEC), 0);
	client.sock = pair[0];
	daemon_end = pair[1];
	fs_wire_message_init(&heard);
	ck_assert_int_eq(pthread_create(&agent, NULL, run, NULL), 0);
}

static void send_text(const char *text)
{
	json_t *json = json_loads(text, 0, NULL);

	ck_assert_ptr_nonnull(json);
	ck_assert_int_eq(fs_wire_send(daemon_end, json, NULL, 0, -1), 0);
	json_decref(json);
}

/* The agent leaves when its session is over. */
static void finish(void)
{
	send_text("{\"event\":\"ended\",\"why\":\"test\"}");
	ck_assert_int_eq(pthread_join(agent, NULL), 0);
	fs_wire_message_clear(&heard);
}

static void ring(unsigned bits)
{
	atomic_fetch_or(&what, bits);
	ck_assert_int_eq((int)write(bell[1], "x", 1), 1);
}

static void expect_lock(const char *because)
{
	fs_wire_message_clear(&heard);
	ck_assert_int_eq(fs_wire_receive(daemon_end, &heard, 20000), 0);
	ck_assert_str_eq(json_string_value(json_object_get(heard.json, "verb")), "lock");
	ck_assert(json_is_true(json_object_get(heard.json, "own")));
	ck_assert_str_eq(json_string_value(json_object_get(heard.json, "because")), because);
}

static void until(atomic_uint *counter, unsigned n)
{
	while (atomic_load(counter) < n)
		usleep(100);
}

START_TEST(sleep_waits_for_the_answer_and_no_longer)
{
	start();
	ring(LOGIND_SLEEP);
	expect_lock("sleep");
	send_text("{\"event\":\"locked\",\"why\":\"sleep\"}"); /* an event is no answer */
	send_text("{\"event\":\"unlocked\",\"why\":\"who knows\"}");
	until(&looked, atomic_load(&looked) + 1);
	ck_assert_uint_eq(atomic_load(&let_sleep), 0);
	send_text("{\"ok\":true,\"locked\":true}");
	until(&let_sleep, 1);
	finish();
}
END_TEST

START_TEST(sleep_is_let_go_by_the_last_answer_also_a_refusal)
{
	start();
	ring(LOGIND_LOCK);
	expect_lock("screen");
	ring(LOGIND_SLEEP);
	expect_lock("sleep");
	send_text("{\"ok\":true,\"locked\":true}");
	until(&looked, atomic_load(&looked) + 1);
	ck_assert_uint_eq(atomic_load(&let_sleep), 0);
	send_text("{\"ok\":false,\"errno\":5,\"error\":\"EIO\",\"say\":\"\"}");
	until(&let_sleep, 1);
	finish();
}
END_TEST

START_TEST(locked_screen_keeps_the_hold_on_sleep)
{
	start();
	ring(LOGIND_LOCK);
	expect_lock("screen");
	send_text("{\"ok\":true,\"locked\":true}");
	/* The next request is sent after that answer was heard. */
	until(&looked, atomic_load(&looked) + 2);
	ck_assert_uint_eq(atomic_load(&let_sleep), 0);
	finish();
}
END_TEST

START_TEST(daemon_that_never_answers_stops_nothing_else)
{
	start();
	ring(LOGIND_SLEEP);
	expect_lock("sleep");
	for (int i = 0; i < 3; i++) {
		ring(LOGIND_LOCK);
		expect_lock("screen");
	}
	finish();
	ck_assert_uint_eq(atomic_load(&closed), 1);
}
END_TEST

START_TEST(idle_desktop_is_told_once_a_minute_and_counts_from_log_in)
{
	json_int_t told, before = 0;

	atomic_store(&idle_s, 1000000);
	start();
	for (int i = 0; i < 5; i++) {
		expect_lock("idle");
		told = json_integer_value(json_object_get(heard.json, "idle_s"));
		/* The desktop is idle for days, the session is minutes old. */
		ck_assert_int_ge(told, before + 60);
		ck_assert_int_le(told, 60 * (i + 1) + 30);
		before = told;
		send_text("{\"ok\":true,\"locked\":false}");
	}
	/* From an unlock it counts anew. */
	send_text("{\"event\":\"locked\",\"why\":\"w\"}");
	send_text("{\"event\":\"unlocked\",\"why\":\"w\"}");
	do {
		expect_lock("idle");
	} while ((told = json_integer_value(json_object_get(heard.json, "idle_s"))) > before);
	ck_assert_int_le(told, 90);
	finish();
}
END_TEST

START_TEST(locked_session_does_not_ask_for_the_desktop)
{
	unsigned n;
	long long then;

	atomic_store(&idle_s, 1000000);
	start();
	expect_lock("idle");
	send_text("{\"event\":\"locked\",\"why\":\"w\"}");
	ring(LOGIND_LOCK); /* its answer tells that the event was heard before */
	do {
		fs_wire_message_clear(&heard);
		ck_assert_int_eq(fs_wire_receive(daemon_end, &heard, 20000), 0);
	} while (strcmp(json_string_value(json_object_get(heard.json, "because")), "screen") != 0);
	n = atomic_load(&looked);
	then = ahead_ms;
	while (ahead_ms < then + 300000)
		usleep(100);
	ck_assert_uint_le(atomic_load(&looked), n);
	finish();
}
END_TEST

START_TEST(active_desktop_and_none_at_all_ask_for_nothing)
{
	long long then;
	char byte;

	start();
	until(&looked, 3);
	ck_assert_int_eq((int)recv(daemon_end, &byte, 1, MSG_DONTWAIT), -1);
	/* A lost bus is closed, and tried again within a minute or two. */
	atomic_store(&none, true);
	atomic_store(&lost, true);
	ring(0);
	until(&closed, 1);
	until(&opened, 3);
	then = ahead_ms;
	while (ahead_ms < then + 300000)
		usleep(100);
	ck_assert_int_eq((int)recv(daemon_end, &byte, 1, MSG_DONTWAIT), -1);
	finish();
}
END_TEST

START_TEST(signal_or_lost_daemon_ends_the_watch)
{
	start();
	ck_assert_int_eq((int)write(signals[1], "x", 1), 1);
	ck_assert_int_eq(pthread_join(agent, NULL), 0);
	start();
	close(daemon_end);
	ck_assert_int_eq(pthread_join(agent, NULL), 0);
	ck_assert_uint_eq(atomic_load(&closed), 2);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("tools/watch");
	TCase *c = tcase_create("watch");
	SRunner *r;
	int failed;

	tcase_set_timeout(c, 120);
	tcase_add_test(c, sleep_waits_for_the_answer_and_no_longer);
	tcase_add_test(c, sleep_is_let_go_by_the_last_answer_also_a_refusal);
	tcase_add_test(c, locked_screen_keeps_the_hold_on_sleep);
	tcase_add_test(c, daemon_that_never_answers_stops_nothing_else);
	tcase_add_test(c, idle_desktop_is_told_once_a_minute_and_counts_from_log_in);
	tcase_add_test(c, locked_session_does_not_ask_for_the_desktop);
	tcase_add_test(c, active_desktop_and_none_at_all_ask_for_nothing);
	tcase_add_test(c, signal_or_lost_daemon_ends_the_watch);
	suite_add_tcase(s, c);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
