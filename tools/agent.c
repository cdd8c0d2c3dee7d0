/* SPDX-License-Identifier: Apache-2.0 */
/* tools/agent.c - see agent.h. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>
#include "../keys/slab.h"
#include "agent.h"
#include "factor.h"
#include "kept.h"
#include "mountpoint.h"
#include "newpass.h"
#include "plain.h"
#include "watch.h"
#include "when.h"

#define CODE_FRESH_S 20

/* So that somebody notices a log-in that was not theirs. */
static void say_last(const json_t *last)
{
	const char *origin = json_string_value(json_object_get(last, "origin"));
	char when[32];

	if (!last)
		return;
	printf("last log-in: %s from ",
	       tools_when_text(json_integer_value(json_object_get(last, "time_s")), when));
	tools_plain_put(stdout, origin && *origin ? origin : "an unknown place", 0);
	putchar('\n');
}

/* One try; blob is what proves it, and with np what is new. 0 or the daemon's errno, negated. */
static int try_login(struct client *cl, const struct tool_options *o,
		     const struct client_credentials *cr, const struct newpass *np,
		     struct fs_wire_message *answer)
{
	uint8_t *blob = keys_guard_new(KEYS_LEN + NEWPASS_MAX);
	size_t len = cr->len;
	char origin[256];
	json_t *json = json_pack("{s:s, s:s, s:s, s:s}", "verb", "login", "who", o->as ? o->as : "",
				 "origin", tools_client_origin(origin), "code", cr->code);
	int rc;

	if (!blob) {
		json_decref(json);
		return -ENOMEM;
	}
	memcpy(blob, cr->bytes, cr->len);
	if (np) {
		len = KEYS_LEN + tools_newpass_put(np, blob + KEYS_LEN);
		json_object_set_new(json, "renew", json_true());
		json_object_set_new(json, "olds", json_integer((json_int_t)np->n_olds));
		json_object_set_new(json, "passes", json_integer(keys_stretch_default.passes));
		json_object_set_new(json, "memory_kib",
				    json_integer(keys_stretch_default.memory_kib));
	}
	rc = tools_client_call(cl, json, blob, len, -1, answer);
	keys_guard_free(blob);
	return rc;
}

/* The passphrase is too old: a new one, and the log-in again with it. */
static int renew(struct client *cl, const struct tool_options *o, struct client_credentials *cr,
		 struct fs_wire_message *answer)
{
	struct newpass *np = keys_guard_new(sizeof(*np));
	time_t asked = time(NULL);
	int rc = np ? tools_newpass_make(np, cl, o, o->new_passphrase_fd, cr->who) : -ENOMEM;

	/* The code was not used up, but its time may be over by now. */
	if (!rc && o->code_fd < 0 && time(NULL) - asked > CODE_FRESH_S)
		rc = tools_factor_credentials(o, cr);
	fs_wire_message_clear(answer);
	if (!rc)
		rc = try_login(cl, o, cr, np, answer);
	keys_guard_free(np);
	if (!rc)
		puts("The passphrase is changed.");
	return rc;
}

static int log_in(struct client *cl, const struct tool_options *o, char practice[static 256],
		  char who[static 65])
{
	struct client_credentials *cr = NULL;
	struct fs_wire_message m;
	const char *text;
	int rc;

	fs_wire_message_init(&m);
	rc = tools_client_credentials_new(cl, o, &cr);
	if (!rc)
		rc = tools_factor_credentials(o, cr);
	if (!rc)
		rc = try_login(cl, o, cr, NULL, &m);
	if (rc == -EKEYEXPIRED)
		rc = renew(cl, o, cr, &m);
	tools_client_credentials_free(cr);
	if (!rc) {
		text = json_string_value(json_object_get(m.json, "practice"));
		snprintf(practice, 256, "%s", text ? text : "");
		text = json_string_value(json_object_get(m.json, "who"));
		snprintf(who, 65, "%s", text ? text : "");
		say_last(json_object_get(m.json, "last"));
		tools_kept_check(cl);
	}
	fs_wire_message_clear(&m);
	return rc ? TOOL_FAILED : TOOL_OK;
}

static int hand_over(struct client *cl, int fuse_fd)
{
	struct fs_wire_message m;
	int rc;

	fs_wire_message_init(&m);
	rc = tools_client_call(cl, json_pack("{s:s}", "verb", "mount"), NULL, 0, fuse_fd, &m);
	fs_wire_message_clear(&m);
	return rc ? TOOL_FAILED : TOOL_OK;
}

static int signal_fd(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC);
}

/* The agent proper. */
static int stay(struct client *cl, struct mountpoint *mp, bool foreground)
{
	int signals = signal_fd();

	prctl(PR_SET_NAME, "journalfs-agent");
	if (!foreground) {
		int null = open("/dev/null", O_RDWR);

		setsid();
		if (chdir("/"))
			return TOOL_FAILED;
		for (int fd = 0; null >= 0 && fd < 3; fd++)
			dup2(null, fd);
		if (null > 2)
			close(null);
	}
	tools_watch(cl, signals, foreground);
	/* First the session, so that nothing is readable while the mount lingers. */
	tools_client_close(cl);
	tools_mountpoint_unmount(mp);
	tools_mountpoint_close(mp);
	return TOOL_OK;
}

int tools_agent_login(struct client *cl, const struct conf *c, const struct tool_options *o,
		const char *dir)
{
	char practice[256], who[65];
	struct mountpoint mp = { .dir_fd = -1 };
	int fuse_fd = -1;
	pid_t pid;

	if (tools_mountpoint_prepare(dir, &mp))
		goto fail;
	if (log_in(cl, o, practice, who))
		goto fail;
	if (tools_mountpoint_mount(&mp, c->name, &fuse_fd))
		goto fail;
	if (hand_over(cl, fuse_fd)) {
		close(fuse_fd);
		tools_mountpoint_unmount(&mp);
		goto fail;
	}
	close(fuse_fd);
	printf("%s, %s: your journals are in %s\n", practice, who, mp.path);
	fflush(stdout);
	if (o->foreground)
		return stay(cl, &mp, true);
	pid = fork();
	if (pid == 0)
		_exit(stay(cl, &mp, false));
	if (pid < 0) {
		tools_fail("no agent process could be started: %s", strerror(errno));
		tools_mountpoint_unmount(&mp);
		goto fail;
	}
	tools_mountpoint_close(&mp);
	return TOOL_OK;
fail:
	tools_mountpoint_close(&mp);
	return TOOL_FAILED;
}
