/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tools/pager.c - see pager.h.
 *
 * Owns: the process of the pager and its pipe.
 * Invariant: the terminal is the pager's until it has ended; nothing of this process goes before.
 */
#include "pager.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tool.h"

extern char **environ;

static volatile sig_atomic_t pipe_fd = -1;
static volatile pid_t pager;

/* Leaves the terminal to the pager until it is done with it. */
static void interrupted(int sig)
{
	close(pipe_fd);
	while (waitpid(pager, NULL, 0) < 0 && errno == EINTR)
		;
	_exit(128 + sig);
}

static bool installed(const char *name)
{
	const char *path = getenv("PATH");
	char file[4096];

	while (path && *path) {
		size_t n = strcspn(path, ":");

		if (n &&
		    snprintf(file, sizeof(file), "%.*s/%s", (int)n, path, name) <
			    (int)sizeof(file) &&
		    !access(file, X_OK))
			return true;
		path += n + (path[n] == ':');
	}
	return false;
}

static const char *command(void)
{
	const char *named = getenv("PAGER");

	if (!named)
		return installed("less") ? "less -FRX" : NULL;
	return *named && strcmp(named, "cat") ? named : NULL;
}

/* The writing end of the pipe to it, or -1. */
static int start(const char *line)
{
	static char shell[] = "sh", command_option[] = "-c";
	char *argv[] = {shell, command_option, (char *)(uintptr_t)line, NULL};
	posix_spawn_file_actions_t actions;
	int pair[2], rc;
	pid_t pid;

	if (pipe2(pair, O_CLOEXEC))
		return -1;
	if (posix_spawn_file_actions_init(&actions)) {
		close(pair[0]);
		close(pair[1]);
		return -1;
	}
	rc = posix_spawn_file_actions_adddup2(&actions, pair[0], STDIN_FILENO);
	if (!rc)
		rc = posix_spawn_file_actions_addclosefrom_np(&actions, 3);
	if (!rc)
		rc = posix_spawn(&pid, "/bin/sh", &actions, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	close(pair[0]);
	if (rc) {
		close(pair[1]);
		return -1;
	}
	pager = pid;
	pipe_fd = pair[1];
	return pair[1];
}

FILE *tools_pager_open(bool *color)
{
	const char *line = command();
	struct sigaction on_interrupt = {.sa_handler = interrupted};
	int fd;
	FILE *to;

	if (!line)
		return NULL;
	*color = !strncmp(line, "less", 4);
	fd = start(line);
	if (fd < 0)
		return NULL;
	signal(SIGPIPE, SIG_IGN);
	sigaction(SIGINT, &on_interrupt, NULL);
	to = fdopen(fd, "w");
	if (!to)
		close(fd);
	return to;
}

int tools_pager_close(FILE *to)
{
	int status = 0;

	fclose(to);
	pipe_fd = -1;
	while (waitpid(pager, &status, 0) < 0 && errno == EINTR)
		;
	signal(SIGINT, SIG_DFL);
	if (WIFEXITED(status) && (WEXITSTATUS(status) == 127 || WEXITSTATUS(status) == 126)) {
		tools_fail("the pager (PAGER) could not be run; --no-pager does without");
		return -1;
	}
	return 0;
}
