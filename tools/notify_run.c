/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tools/notify_run.c - see notify_run.h.
 *
 * Invariant: nothing of the group is left when this returns for want of an answer in time.
 */
#include "notify_run.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define GRACE_S 5
#define NO_PROGRAM 127

/* In the child. */
static _Noreturn void become(char *const argv[], int in)
{
	static char path[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
	char *env[] = {path, NULL};
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	struct sigaction plain = {.sa_handler = SIG_DFL};
	sigset_t none;

	setpgid(0, 0);
	for (int i = 1; i < NSIG; i++)
		sigaction(i, &plain, NULL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	/* Out of the way of the three that it gets, should one of these have been closed here. */
	in = fcntl(in, F_DUPFD_CLOEXEC, 3);
	null = null < 0 ? null : fcntl(null, F_DUPFD_CLOEXEC, 3);
	if (in < 0 || null < 0 || dup2(in, 0) < 0 || dup2(null, 1) < 0 || dup2(null, 2) < 0 || chdir("/"))
		_exit(NO_PROGRAM);
	(void)close_range(3, ~0u, 0);
	execve(argv[0], argv, env);
	_exit(NO_PROGRAM);
}

/* What the program reads; it may not read it at all. -1. */
static int text_fd(const char *text, size_t len)
{
	int pair[2];
	ssize_t n;

	if (pipe2(pair, O_CLOEXEC))
		return -1;
	/* Far below what a pipe holds: it does not wait, and would rather fail. */
	if (fcntl(pair[1], F_SETFL, O_NONBLOCK)) {
		close(pair[0]);
		close(pair[1]);
		return -1;
	}
	n = write(pair[1], text, len);
	close(pair[1]);
	if (n == (ssize_t)len)
		return pair[0];
	close(pair[0]);
	return -1;
}

static long long now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (long long)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Until the child has ended (true), or so many seconds are over. *signal: one to end came; 0 none.
 */
static bool wait_child(pid_t pid, unsigned seconds, const sigset_t *set, int *status, int *signal)
{
	long long until = now_ms() + 1000LL * seconds, left;

	*signal = 0;
	for (;;) {
		struct timespec t;
		int got;

		if (waitpid(pid, status, WNOHANG) == pid)
			return true;
		left = until - now_ms();
		if (left <= 0)
			return false;
		t = (struct timespec){left / 1000, left % 1000 * 1000000};
		got = sigtimedwait(set, NULL, &t);
		if (got > 0 && got != SIGCHLD) {
			*signal = got;
			return false;
		}
	}
}

static void end_group(pid_t pid, const sigset_t *set)
{
	int status, ignored;

	kill(-pid, SIGTERM);
	if (!wait_child(pid, GRACE_S, set, &status, &ignored)) {
		kill(-pid, SIGKILL);
		while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
			;
	}
	kill(-pid, SIGKILL); /* those that the program left behind */
}

static int verdict(int status, const char *program, char *why, size_t cap)
{
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	if (WIFSIGNALED(status))
		snprintf(why, cap, "the program was ended by signal %d", WTERMSIG(status));
	else if (WEXITSTATUS(status) == NO_PROGRAM)
		snprintf(why, cap, "%.120s could not be run (status %d)", program, NO_PROGRAM);
	else
		snprintf(why, cap, "the program ended with status %d", WEXITSTATUS(status));
	return 1;
}

static int watch(pid_t pid, const char *program, unsigned timeout_s, const sigset_t *set, char *why,
		 size_t cap)
{
	int status = 0, signal = 0;

	if (wait_child(pid, timeout_s, set, &status, &signal))
		return verdict(status, program, why, cap);
	end_group(pid, set);
	if (signal) {
		struct sigaction plain = {.sa_handler = SIG_DFL};

		sigaction(signal, &plain, NULL);
		raise(signal); /* taken when the mask is the old one again */
	}
	snprintf(why, cap, "the program did not end within %u seconds and was stopped", timeout_s);
	return 1;
}

int tools_notify_run(char *const argv[], const char *text, size_t len, unsigned timeout_s,
		     char *why, size_t cap)
{
	sigset_t set, old;
	int rc = 1, in = text_fd(text, len);
	pid_t pid;

	if (in < 0) {
		snprintf(why, cap, "no pipe: %s", strerror(errno));
		return 1;
	}
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, &old);
	pid = fork();
	if (!pid)
		become(argv, in);
	close(in);
	if (pid < 0) {
		snprintf(why, cap, "no process: %s", strerror(errno));
	} else {
		setpgid(pid, pid); /* whoever is first */
		rc = watch(pid, argv[0], timeout_s, &set, why, cap);
	}
	sigprocmask(SIG_SETMASK, &old, NULL);
	/* It goes on as JSON: a path may be no UTF-8, or be cut within a letter. */
	for (char *p = why; *p; p++) {
		if ((unsigned char)*p < 0x20 || (unsigned char)*p > 0x7e)
			*p = '?';
	}
	return rc;
}
