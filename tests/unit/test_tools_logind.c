/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The agent's ears on a system bus of the test's own, with the logind of the mount tests
 * (tests/mount/logind.c) and with somebody who only claims to be one.
 */
#include <check.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tools/logind.h"

static char base[64], address[96], *programs;
static pid_t bus = -1, other = -1;
static FILE *to, *from;

static const char conf[] =
	"<!DOCTYPE busconfig PUBLIC \"-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN\"\n"
	" \"http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd\">\n"
	"<busconfig><listen>%s</listen><auth>EXTERNAL</auth>\n"
	"<policy context=\"default\"><allow user=\"*\"/><allow own=\"*\"/>\n"
	"<allow send_destination=\"*\"/><allow send_type=\"signal\"/>\n"
	"<allow receive_type=\"signal\"/><allow receive_type=\"method_return\"/>\n"
	"<allow receive_type=\"method_call\"/><allow "
	"receive_type=\"error\"/></policy></busconfig>\n";

static pid_t spawn(char *const argv[], int in, int out)
{
	pid_t pid = fork();

	ck_assert_int_ge(pid, 0);
	if (!pid) {
		if (in >= 0)
			dup2(in, 0);
		if (out >= 0)
			dup2(out, 1);
		execvp(argv[0], argv);
		_exit(127);
	}
	return pid;
}

/* What the logind of the tests answers to a line. */
static const char *tell(const char *line)
{
	static char answer[128];

	fprintf(to, "%s\n", line);
	fflush(to);
	ck_assert_ptr_nonnull(fgets(answer, sizeof(answer), from));
	answer[strcspn(answer, "\n")] = '\0';
	return answer;
}

static void start_logind(void)
{
	char path[512], line[64];
	char *const argv[] = {path, NULL};
	int in[2], out[2];

	snprintf(path, sizeof(path), "%s/mount/logind", programs);
	ck_assert_int_eq(access(path, X_OK), 0);
	ck_assert_int_eq(pipe2(in, O_CLOEXEC) | pipe2(out, O_CLOEXEC), 0);
	other = spawn(argv, in[0], out[1]);
	close(in[0]);
	close(out[1]);
	to = fdopen(in[1], "w");
	from = fdopen(out[0], "r");
	ck_assert_ptr_nonnull(fgets(line, sizeof(line), from));
	ck_assert_str_eq(line, "ready\n");
}

static void start_bus(void)
{
	char path[96], option[128], daemon[] = "dbus-daemon";
	char stay[] = "--nofork", no_pid[] = "--nopidfile";
	char *const argv[] = {daemon, option, stay, no_pid, NULL};
	FILE *f;

	snprintf(path, sizeof(path), "%s/conf", base);
	snprintf(option, sizeof(option), "--config-file=%s", path);
	f = fopen(path, "w");
	ck_assert_ptr_nonnull(f);
	fprintf(f, conf, address);
	fclose(f);
	bus = spawn(argv, -1, -1);
	snprintf(path, sizeof(path), "%s/socket", base);
	while (access(path, F_OK)) {
		ck_assert_int_eq(waitpid(bus, NULL, WNOHANG), 0);
		usleep(1000);
	}
}

static void setup(void)
{
	strcpy(base, "/tmp/jf-bus-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(base));
	snprintf(address, sizeof(address), "unix:path=%s/socket", base);
	setenv("DBUS_SYSTEM_BUS_ADDRESS", address, 1);
}

static void stop(pid_t *pid)
{
	if (*pid > 0) {
		kill(*pid, SIGTERM);
		waitpid(*pid, NULL, 0);
	}
	*pid = -1;
}

static void teardown(void)
{
	char path[96];

	stop(&other);
	stop(&bus);
	snprintf(path, sizeof(path), "%s/conf", base);
	unlink(path);
	snprintf(path, sizeof(path), "%s/socket", base);
	unlink(path);
	rmdir(base);
}

/* Serves the bus until something is told. */
static unsigned told(struct logind *l)
{
	unsigned what = 0;

	while (!what) {
		struct pollfd p = {0};
		int ms;

		p.fd = tools_logind_fd(l, &p.events, &ms);
		(void)poll(&p, 1, ms < 0 || ms > 100 ? 100 : ms);
		ck_assert_int_ge(tools_logind_process(l, &what), 0);
	}
	return what;
}

START_TEST(sleep_is_held_back_until_it_is_let_go)
{
	struct logind *l;

	start_bus();
	start_logind();
	l = tools_logind_open();
	ck_assert_ptr_nonnull(l);
	ck_assert_str_eq(tell("holders"), "1");
	fputs("sleep\n", to);
	fflush(to);
	ck_assert_uint_eq(told(l), LOGIND_SLEEP);
	tools_logind_let_sleep(l);
	{
		char line[64];

		ck_assert_ptr_nonnull(fgets(line, sizeof(line), from));
		ck_assert_str_eq(line, "released\n");
	}
	/* Awake again, the next one is held back too. */
	tell("wake");
	tell("lock");
	ck_assert_uint_eq(told(l), LOGIND_LOCK);
	ck_assert_str_eq(tell("holders"), "1");
	tools_logind_close(l);
	ck_assert_str_eq(tell("holders"), "0");
}
END_TEST

/* dbus-send, as somebody who is not logind; to is NULL for everybody. */
static void forge(const char *dest, const char *path, const char *member, const char *value)
{
	char program[] = "dbus-send", system[] = "--system", type[] = "--type=signal", to_whom[96];
	char *argv[8] = {program, system, type};
	int n = 3, status = -1;

	snprintf(to_whom, sizeof(to_whom), "--dest=%s", dest ? dest : "");
	if (dest)
		argv[n++] = to_whom;
	argv[n++] = (char *)(uintptr_t)path;
	argv[n++] = (char *)(uintptr_t)member;
	if (value)
		argv[n++] = (char *)(uintptr_t)value;
	ck_assert_int_eq(waitpid(spawn(argv, -1, -1), &status, 0) > 0 ? status : -1, 0);
}

START_TEST(signals_of_others_tell_nothing)
{
	struct logind *l;
	char who[128];

	start_bus();
	start_logind();
	l = tools_logind_open();
	ck_assert_ptr_nonnull(l);
	snprintf(who, sizeof(who), "%s", tell("who"));
	for (int i = 0; i < 2; i++) {
		const char *dest = i ? who : NULL;

		forge(dest, "/org/freedesktop/login1",
		      "org.freedesktop.login1.Manager.PrepareForSleep", "boolean:true");
		forge(dest, "/org/freedesktop/login1/session/_31",
		      "org.freedesktop.login1.Session.Lock", NULL);
	}
	/* What logind itself says after them is all that is told. */
	tell("type wayland");
	fputs("sleep\n", to);
	fflush(to);
	ck_assert_uint_eq(told(l), LOGIND_SLEEP);
	tools_logind_close(l);
}
END_TEST

START_TEST(idleness_of_the_desktop_is_known_in_seconds)
{
	struct logind *l;
	int64_t s;

	start_bus();
	start_logind();
	l = tools_logind_open();
	ck_assert_ptr_nonnull(l);
	ck_assert_int_eq(tools_logind_idle_s(l), 0);
	tell("idle 100");
	s = tools_logind_idle_s(l);
	ck_assert_int_ge(s, 99);
	tell("type tty");
	ck_assert_int_eq(tools_logind_idle_s(l), 0);
	tell("type x11");
	ck_assert_int_ge(tools_logind_idle_s(l), s);
	tell("active");
	ck_assert_int_eq(tools_logind_idle_s(l), 0);
	tools_logind_close(l);
}
END_TEST

START_TEST(no_bus_and_no_logind_are_no_error)
{
	struct logind *l = tools_logind_open();
	unsigned what = 0;

	/* Without a bus it may open, since connecting is not waited for, but never tells anything.
	 */
	if (l)
		(void)tools_logind_process(l, &what);
	ck_assert_uint_eq(what, 0);
	tools_logind_close(l);
	start_bus();
	l = tools_logind_open();
	ck_assert_ptr_nonnull(l);
	ck_assert_int_eq(tools_logind_idle_s(l), 0);
	ck_assert_int_ge(tools_logind_process(l, &what), 0);
	ck_assert_uint_eq(what, 0);
	tools_logind_let_sleep(l);
	tools_logind_close(l);
	tools_logind_close(NULL);
}
END_TEST

START_TEST(bus_that_goes_is_told_of)
{
	struct logind *l;
	unsigned what = 0;
	int rc = 0;

	start_bus();
	start_logind();
	l = tools_logind_open();
	ck_assert_ptr_nonnull(l);
	stop(&bus);
	for (int i = 0; i < 1000 && rc >= 0; i++) {
		rc = tools_logind_process(l, &what);
		usleep(1000);
	}
	ck_assert_int_lt(rc, 0);
	ck_assert_uint_eq(what, 0);
	tools_logind_close(l);
}
END_TEST

int main(int argc, char **argv)
{
	Suite *s = suite_create("tools/logind");
	TCase *c = tcase_create("logind");
	SRunner *r;
	int failed;

	(void)argc;
	programs = strdup(argv[0]);
	if (programs && strrchr(programs, '/'))
		*strrchr(programs, '/') = '\0';
	signal(SIGPIPE, SIG_IGN);
	tcase_add_checked_fixture(c, setup, teardown);
	tcase_set_timeout(c, 60);
	tcase_add_test(c, sleep_is_held_back_until_it_is_let_go);
	tcase_add_test(c, signals_of_others_tell_nothing);
	tcase_add_test(c, idleness_of_the_desktop_is_known_in_seconds);
	tcase_add_test(c, no_bus_and_no_logind_are_no_error);
	tcase_add_test(c, bus_that_goes_is_told_of);
	suite_add_tcase(s, c);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	free(programs);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
