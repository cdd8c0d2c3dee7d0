/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tools/cmd_open.c - serve, and open: the daemon when there is none, log-in, mount in one.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "../fs/control.h"
#include "agent.h"

#define START_TIMEOUT_MS 60000

/* The account that gets notices. Its programs must not reach what the daemon's own account does. */
static int notify_account(const struct tool_options *o, struct fs_daemon_config *cfg)
{
	struct passwd *pw = o->notify_account ? getpwnam(o->notify_account) : NULL;

	if (!o->notify_account)
		return TOOL_OK;
	if (!pw)
		return tools_fail("--notify-account: there is no account `%s` on this computer",
				  o->notify_account);
	if (!o->alone && (pw->pw_uid == geteuid() || pw->pw_uid == 0))
		return tools_fail("--notify-account: %s %s: the service's programs could read all that "
				  "the daemon can; give it an account of its own", o->notify_account,
				  pw->pw_uid ? "is the daemon's own account" : "is root");
	cfg->notifies = true;
	cfg->notify_uid = pw->pw_uid;
	return TOOL_OK;
}

int tools_cmd_serve(struct tool_options *o, int argc, char **argv)
{
	struct fs_daemon_config cfg = { .foreground = !o->daemon, .alone = o->alone,
					.exit_when_idle = o->exit_when_idle,
					.ready_fd = o->ready_fd };
	char path[PATH_MAX], socket_path[PATH_MAX], state[PATH_MAX];
	struct conf c;

	(void)argc;
	if (notify_account(o, &cfg))
		return TOOL_FAILED;
	if (!realpath(argv[0], path))
		return tools_fail("%s: %s", argv[0], strerror(errno));
	if (!o->state || !o->socket) {
		if (tools_conf_find_alone(path, &c) && !o->state)
			return tools_fail("give --state DIR (what `journalfs init` made) and --socket "
					 "PATH");
		snprintf(state, sizeof(state), "%s", c.state);
		snprintf(socket_path, sizeof(socket_path), "%s", c.socket);
	}
	cfg.syslog = o->syslog;
	cfg.syslog_enterprise = (uint32_t)o->syslog_enterprise;
	cfg.vault = path;
	cfg.state.dir = o->state ? o->state : state;
	cfg.state.host_secret = o->host_secret;
	cfg.socket = o->socket ? o->socket : socket_path;
	return fs_daemon_run(&cfg) ? TOOL_FAILED : TOOL_OK;
}

/* In the child: becomes the daemon of this vault. */
static void become_daemon(const struct conf *c, const struct tool_options *o, int ready)
{
	struct fs_daemon_config cfg = {
		.vault = c->vault,
		.state = { .dir = c->state, .host_secret = o->host_secret },
		.socket = c->socket,
		.alone = true,
		.foreground = false,
		.exit_when_idle = true,
		.ready_fd = ready,
	};
	int null = open("/dev/null", O_RDWR);

	setsid();
	for (int fd = 0; null >= 0 && fd < 3; fd++)
		dup2(null, fd);
	_exit(fs_daemon_run(&cfg) ? 1 : 0);
}

/* Starts the daemon and waits until it serves or says why not. */
static int start_daemon(const struct conf *c, const struct tool_options *o)
{
	struct pollfd p;
	char text[2300];
	size_t got = 0;
	int pair[2];
	pid_t pid;

	if (pipe2(pair, O_CLOEXEC))
		return tools_fail("no pipe: %s", strerror(errno));
	pid = fork();
	if (pid == 0) {
		close(pair[0]);
		become_daemon(c, o, pair[1]);
	}
	close(pair[1]);
	p = (struct pollfd){ .fd = pair[0], .events = POLLIN };
	while (pid > 0 && got < sizeof(text) - 1 && poll(&p, 1, START_TIMEOUT_MS) > 0) {
		ssize_t n = read(pair[0], text + got, sizeof(text) - 1 - got);

		if (n <= 0)
			break;
		got += (size_t)n;
		if (text[0] == 'R')
			break;
	}
	close(pair[0]);
	text[got] = '\0';
	if (got && text[0] == 'R')
		return TOOL_OK;
	if (pid > 0)
		waitpid(pid, NULL, WNOHANG);
	return tools_fail("%s", got ? text : "the daemon did not start");
}

int tools_cmd_open(struct tool_options *o, int argc, char **argv)
{
	struct client cl = { .sock = -1 };
	struct conf c;
	int rc;

	if (tools_conf_find_alone(argv[0], &c))
		return TOOL_FAILED;
	if (o->socket)
		snprintf(c.socket, sizeof(c.socket), "%s", o->socket);
	rc = tools_client_connect(&c, true, &cl);
	if (rc == -ECONNREFUSED) {
		if (start_daemon(&c, o))
			return TOOL_FAILED;
		rc = tools_client_connect(&c, false, &cl);
	}
	if (rc)
		return TOOL_FAILED;
	rc = tools_agent_login(&cl, &c, o, argc > 1 ? argv[1] : NULL);
	tools_client_close(&cl);
	return rc;
}
