/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tools/cmd_show.c - show: an earlier version of a note, or how it differs from what the note holds
 * now.
 *
 * Versions are read below the mount, in `.history`, so that the gate decides and logs as for every
 * other program; no copy is made outside. The program diff gets both files by their descriptors.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../keys/label.h"
#include "note_path.h"
#include "plain.h"
#include "tool.h"

#define DIFF "diff"

struct showing {
	struct note_path at;
	const char *file; /* as it was named */
	uint32_t version;
	char label[PATH_MAX + 16]; /* "plan.txt@3" */
};

/* Says what is wrong with a file, its name made fit for a terminal. */
static int fail(const char *name, const char *what)
{
	char *plain = tools_plain(name, 0);

	tools_fail("%s: %s", plain ? plain : "(a file)", what);
	free(plain);
	return TOOL_FAILED;
}

static int fail_version(const struct showing *s, int error)
{
	if (error == ENOENT || error == ENOTDIR)
		return fail(s->label, "there is no such version, or policy does not let you read "
				      "earlier versions; "
				      "`journalfs history FILE` lists them, and says under which "
				      "name a removed note is kept");
	if (error == ENOKEY)
		return fail(s->label,
			    "your journals are locked; `journalfs unlock` opens them again");
	return fail(s->label, strerror(error));
}

/* The version, for reading; -1: said why. */
static int open_version(const struct showing *s)
{
	size_t cap = 2 * PATH_MAX + 512;
	char *path = malloc(cap);
	int fd = -1, error = ENOMEM;

	if (path) {
		snprintf(path, cap, "%s/%s/.history/%s/%u", s->at.mount, s->at.journal, s->at.path,
			 s->version);
		fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
		error = errno;
	}
	free(path);
	if (fd < 0)
		fail_version(s, error);
	return fd;
}

static int open_now(const char *name)
{
	struct stat st;
	int fd = open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK), error = errno;

	if (fd >= 0 && (fstat(fd, &st) || !S_ISREG(st.st_mode))) {
		close(fd);
		fd = -1;
		error = EINVAL;
	}
	if (fd < 0)
		fail(name, error == EINVAL ? "that is no note" : strerror(error));
	return fd;
}

static int write_all(const char *p, size_t len)
{
	while (len) {
		ssize_t n = write(STDOUT_FILENO, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return -1;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

static int copy_out(const char *label, int fd)
{
	char buf[65536];
	ssize_t n;
	int rc = TOOL_OK;

	while ((n = read(fd, buf, sizeof(buf))) != 0 && rc == TOOL_OK) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			rc = fail(label, strerror(errno));
		else if (write_all(buf, (size_t)n))
			rc = tools_fail("the output could not be written: %s", strerror(errno));
	}
	keys_wipe(buf, sizeof(buf));
	return rc;
}

static void run_diff(const char *old_name, int old, const char *now_name, int now)
{
	char old_fd[32], now_fd[32];
	const char *argv[] = {DIFF,	"-u", "--label", old_name, "--label",
			      now_name, "--", old_fd,	 now_fd,   NULL};

	snprintf(old_fd, sizeof(old_fd), "/dev/fd/%d", old);
	snprintf(now_fd, sizeof(now_fd), "/dev/fd/%d", now);
	fcntl(old, F_SETFD, 0);
	fcntl(now, F_SETFD, 0);
	/* execvp changes neither the array nor the strings. */
	execvp(DIFF, (char *const *)(uintptr_t)argv);
	fprintf(stderr,
		"journalfs: " DIFF " can't be started (%s); install the package diffutils\n",
		strerror(errno));
	_exit(127);
}

/* 0 and 1 are diff's answers, equal or not; what else went wrong it has said itself. */
static int diff(const struct showing *s, int old, int now)
{
	char *old_name = tools_plain(s->label, 0), *now_name = tools_plain(s->file, 0);
	int status = -1, rc = TOOL_FAILED;
	pid_t pid = old_name && now_name ? fork() : -1;

	if (pid == 0)
		run_diff(old_name, old, now_name, now);
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (pid < 0)
		rc = tools_fail(DIFF " can't be started: %s", strerror(errno));
	else if (WIFEXITED(status) && WEXITSTATUS(status) <= 1)
		rc = TOOL_OK;
	free(old_name);
	free(now_name);
	return rc;
}

/* A note that really is called so: what it holds is shown, and how to get at the other. */
static int show_named(const char *name, const char *file, uint32_t version)
{
	char *plain = tools_plain(file, 0);
	int fd, rc = TOOL_FAILED;

	tools_fail("there is a note of just this name, and it is shown; version %u of %s is in "
		   ".history, at the top of "
		   "its journal",
		   version, plain ? plain : "the other");
	free(plain);
	fd = open_now(name);
	if (fd >= 0) {
		rc = copy_out(name, fd);
		close(fd);
	}
	return rc;
}

int tools_cmd_show(struct tool_options *o, int argc, char **argv)
{
	struct showing s = {.version = 0};
	char file[PATH_MAX];
	struct stat st;
	int old, now = -1, rc = TOOL_FAILED;

	(void)argc;
	if (!tools_note_version(argv[0], file, &s.version))
		return tools_usage(
			"name a version: `journalfs show FILE@3`; `journalfs history FILE` lists "
			"them");
	if (!o->diff && !lstat(argv[0], &st) && S_ISREG(st.st_mode))
		return show_named(argv[0], file, s.version);
	if (tools_note_path(file, true, &s.at))
		return TOOL_FAILED;
	s.file = file;
	snprintf(s.label, sizeof(s.label), "%s@%u", file, s.version);
	old = open_version(&s);
	if (old >= 0 && o->diff)
		now = open_now(file);
	if (old >= 0 && !o->diff)
		rc = copy_out(s.label, old);
	else if (now >= 0)
		rc = diff(&s, old, now);
	if (now >= 0)
		close(now);
	if (old >= 0)
		close(old);
	return rc;
}
