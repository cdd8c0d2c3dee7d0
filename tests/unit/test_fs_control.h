/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A whole vault served from a thread, and peers that speak to its socket.
 *
 * clock_gettime is defined here, before the C library's, so that the boot-time
 * clock can be put forward (skew_s) instead of waiting; wall clock (wall_s) and
 * time slept (slept_s) by fs/clock. Peers of other accounts are threads that changed
 * their own ids before they connected (root only, else those tests say so).
 */
#ifndef TEST_FS_CONTROL_H
#define TEST_FS_CONTROL_H

#include "test_fs_vault.h"

#include <poll.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "fs/clock.h"
#include "fs/control.h"
#include "fs/harden.h"
#include "fs/wire.h"
#include "policy/features.h"

static atomic_llong skew_s, wall_s, slept_s;

int clock_gettime(clockid_t clock, struct timespec *out)
{
	int rc = (int)syscall(SYS_clock_gettime, clock, out);

	if (clock == CLOCK_BOOTTIME)
		out->tv_sec += skew_s;
	return rc;
}

static int64_t pretended_wall_ns(void)
{
	struct timespec now;

	syscall(SYS_clock_gettime, CLOCK_REALTIME, &now);
	return ((int64_t)now.tv_sec + wall_s) * 1000000000 + now.tv_nsec;
}

static int64_t pretended_slept_ns(void)
{
	return slept_s * INT64_C(1000000000);
}

static const struct fs_clock_source pretended = {.wall_ns = pretended_wall_ns,
						 .slept_ns = pretended_slept_ns};

/* ---- a daemon in a thread ---- */

static struct fs_serve *served;
static struct fs_control *control;
static pthread_t runner;
static bool running;
static char socket_path[108];

static __attribute__((unused)) void on_change(void *ctx)
{
	(void)ctx;
	if (control)
		fs_control_policy_changed(control);
}

static __attribute__((unused)) void on_over(void *ctx, struct fs_session *s, const char *why)
{
	(void)ctx;
	fs_control_session_over(control, s, why);
}

static __attribute__((unused)) void *run(void *arg)
{
	ck_assert_int_eq(fs_control_run(arg), 0);
	return NULL;
}

static __attribute__((unused)) void start(bool alone, bool exit_when_idle)
{
	struct fs_harden_report report = {.seccomp = true};
	struct fs_control_config cfg = {
		.socket = socket_path, .alone = alone, .exit_when_idle = exit_when_idle};

	ck_assert_int_eq(fs_serve_new(t.v, &served), 0);
	cfg.vault = t.v;
	cfg.serve = served;
	ck_assert_msg(fs_control_new(&cfg, &control, &t.say) == 0, "%s", t.say.text);
	fs_control_hardened(control, &report);
	ck_assert_int_eq(pthread_create(&runner, NULL, run, control), 0);
	running = true;
}

static __attribute__((unused)) void join(void)
{
	ck_assert_int_eq(pthread_join(runner, NULL), 0);
	running = false;
	fs_serve_free(served);
	served = NULL;
	fs_control_free(control);
	control = NULL;
}

static __attribute__((unused)) void stop(void)
{
	fs_control_stop(control);
	join();
}

static __attribute__((unused)) void setup(void)
{
	t_setup();
	t.cfg.policy_changed = on_change;
	t.cfg.session_over = on_over;
	skew_s = wall_s = slept_s = 0;
	fs_clock_pretend(&pretended);
	snprintf(socket_path, sizeof(socket_path), "%s/socket", t.base);
	ck_assert_int_eq(chmod(t.base, 0755), 0);
}

static __attribute__((unused)) void teardown(void)
{
	if (running)
		stop();
	t_teardown();
}

static __attribute__((unused)) void start_alone(void)
{
	ck_assert_msg(t_init("anna", "anna", getuid()) == 0, "%s", t.say.text);
	t_open();
	start(true, false);
}

/* A steward who is also this process's account. */
static __attribute__((unused)) void start_clinic(void)
{
	struct fs_session *steward;

	ck_assert_msg(t_init("dan", NULL, getuid()) == 0, "%s", t.say.text);
	t_open();
	ck_assert_msg(t_try_enroll(t.made.code, "dan", getuid(), "dan") == 0, "%s", t.say.text);
	steward = t_login("dan", getuid());
	t_put(steward, "practice", CLINIC_POLICY);
	t_logout(steward);
	start(false, false);
}

/* ---- peers ---- */

static __attribute__((unused)) int dial(void)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	int s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	strcpy(to.sun_path, socket_path);
	ck_assert_int_ge(s, 0);
	if (!connect(s, (struct sockaddr *)&to, sizeof(to)))
		return s;
	close(s);
	return -1;
}

struct dialing {
	uid_t uid;
	int s;
};

static __attribute__((unused)) void *dial_thread(void *arg)
{
	struct dialing *d = arg;

	/* The system call itself changes this one thread. */
	if (!syscall(SYS_setresuid, d->uid, d->uid, d->uid))
		d->s = dial();
	return NULL;
}

static __attribute__((unused)) int dial_as(uid_t uid)
{
	struct dialing d = {uid, -1};
	pthread_t thread;

	ck_assert_int_eq(pthread_create(&thread, NULL, dial_thread, &d), 0);
	pthread_join(thread, NULL);
	return d.s;
}

static struct fs_wire_message answer;

/* The next message that is (event) or is not an event; 0 or what fs_wire_receive says. */
static __attribute__((unused)) int next(int s, bool event)
{
	int rc;

	do {
		fs_wire_message_clear(&answer);
		rc = fs_wire_receive(s, &answer, 60000);
	} while (!rc && !event && json_object_get(answer.json, "event"));
	return rc;
}

static __attribute__((unused)) int result(void)
{
	if (json_is_true(json_object_get(answer.json, "ok")))
		return 0;
	/* Every refusal says what, by name, and in words. */
	ck_assert(json_is_string(json_object_get(answer.json, "error")));
	ck_assert(json_is_string(json_object_get(answer.json, "say")));
	ck_assert_int_gt(json_integer_value(json_object_get(answer.json, "errno")), 0);
	return -(int)json_integer_value(json_object_get(answer.json, "errno"));
}

static __attribute__((unused)) int call(int s, const char *text, const void *blob, size_t len, int fd)
{
	json_t *json = json_loads(text, 0, NULL);
	int rc;

	ck_assert_msg(json != NULL, "%s", text);
	ck_assert_int_eq(fs_wire_send(s, json, blob, len, fd), 0);
	json_decref(json);
	rc = next(s, false);
	ck_assert_msg(rc == 0, "%s: %d", text, rc);
	return result();
}

static __attribute__((unused)) int ask(int s, const char *text)
{
	return call(s, text, NULL, 0, -1);
}

static const uint8_t nonce[KEYS_NONCE_LEN] = "thirty-two bytes from the client";

static __attribute__((unused)) int greet(int s)
{
	return call(s, "{\"verb\":\"hello\",\"protocol\":1}", nonce, sizeof(nonce), -1);
}

static __attribute__((unused)) int peer(void)
{
	int s = dial();

	ck_assert_int_ge(s, 0);
	ck_assert_int_eq(greet(s), 0);
	return s;
}

static __attribute__((unused)) int try_login(int s, const char *who, const char *pass)
{
	uint8_t stretched[KEYS_LEN];
	char text[200];

	t_stretch(pass, stretched);
	snprintf(text, sizeof(text), "{\"verb\":\"login\",\"who\":\"%s\",\"origin\":\"tty1\"}", who);
	return call(s, text, stretched, sizeof(stretched), -1);
}

static __attribute__((unused)) int agent(const char *who)
{
	int s = peer();

	ck_assert_int_eq(try_login(s, who, who), 0);
	return s;
}

static __attribute__((unused)) const char *text_of(const char *name)
{
	const char *text = json_string_value(json_object_get(answer.json, name));

	return text ? text : "";
}

static __attribute__((unused)) json_int_t number_of(const char *name)
{
	return json_integer_value(json_object_get(answer.json, name));
}

/* Until the peer is let go; other messages on the way are passed over. */
static __attribute__((unused)) void expect_closed(int s)
{
	int rc;

	do {
		fs_wire_message_clear(&answer);
		rc = fs_wire_receive(s, &answer, 60000);
	} while (!rc);
	ck_assert_int_eq(rc, -EPIPE);
	close(s);
}

static __attribute__((unused)) void expect_event(int s, const char *event)
{
	ck_assert_int_eq(next(s, true), 0);
	ck_assert_str_eq(text_of("event"), event);
	ck_assert_str_ne(text_of("why"), "");
}

static __attribute__((unused)) bool as_root(const char *test)
{
	if (getuid() == 0)
		return true;
	printf("SKIP %s: only root can act as other accounts\n", test);
	return false;
}

#endif
