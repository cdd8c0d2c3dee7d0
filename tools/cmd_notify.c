/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tools/cmd_notify.c - notify: the service that tells somebody of an emergency access at once.
 *
 * Asks the daemon for the next notice, runs the configured program with it, says how
 * it went; for ever. It runs under an account of its own, to which the daemon gives
 * notices and nothing else.
 *
 * Invariants: (1) what it prints never holds anything of a notice but its number;
 * (2) configuration and program are checked again before each notice; (3) a daemon
 * that is away is waited for.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "client.h"
#include "notify_conf.h"
#include "notify_run.h"

#define WAIT_S 25	/* for a notice, in one request */
#define PAUSE_MOST_S 15 /* between attempts to reach the daemon */

struct service {
	struct conf conf;
	struct client cl;
	unsigned pause_s;
	bool begun; /* the daemon has been asked once */
	bool away;  /* it was said that the daemon is */
};

static void pause_for(unsigned s)
{
	struct timespec t = {.tv_sec = (time_t)s};

	nanosleep(&t, NULL);
}

static void hang_up(struct service *sv)
{
	tools_client_close(&sv->cl);
}

/* 0 or, for what waiting does not mend, a negative errno that has been said. */
static int reach(struct service *sv)
{
	while (sv->cl.sock < 0) {
		int rc = tools_client_connect(&sv->conf, true, &sv->cl);

		if (!rc) {
			if (sv->away)
				fprintf(stderr, "journalfs: the daemon of %s is back\n",
					sv->conf.name);
			sv->away = false;
			sv->pause_s = 1;
			return 0;
		}
		sv->cl.sock = -1;
		if (rc == -EPERM || rc == -EBADMSG)
			return rc;
		if (!sv->away)
			fprintf(stderr, "journalfs: the daemon of %s is away; notices wait there\n",
				sv->conf.name);
		sv->away = true;
		pause_for(sv->pause_s);
		sv->pause_s = sv->pause_s * 2 < PAUSE_MOST_S ? sv->pause_s * 2 : PAUSE_MOST_S;
	}
	return 0;
}

/* The daemon's answer, once more on a new connection if need be. */
static int ask(struct service *sv, json_t *json, struct fs_wire_message *m)
{
	int rc = -EPIPE;

	for (int i = 0; i < 2 && rc == -EPIPE; i++) {
		rc = reach(sv);
		if (!rc)
			rc = tools_client_ask(&sv->cl, json_incref(json), m);
		/* An answer that is no refusal of the daemon's, but none at all. */
		if (rc && !m->json) {
			hang_up(sv);
			rc = rc == -EPERM || rc == -EBADMSG ? rc : -EPIPE;
		}
	}
	json_decref(json);
	return rc;
}

static int tell(struct service *sv, json_t *notice, char *why, size_t cap)
{
	struct notify_conf n;
	char *text;
	int rc;

	if (tools_notify_conf_read(&sv->conf, &n)) {
		snprintf(why, cap,
			 "the configuration of the notify service is not usable; its own messages "
			 "say why");
		return 1;
	}
	if (json_object_set_new(notice, "vault_name", json_string(sv->conf.name)))
		text = NULL;
	else
		text = json_dumps(notice, JSON_INDENT(2));
	if (text) {
		rc = tools_notify_run(n.argv, text, strlen(text), n.timeout_s, why, cap);
		keys_wipe(text, strlen(text));
	} else {
		snprintf(why, cap, "out of memory");
		rc = 1;
	}
	free(text);
	tools_notify_conf_clear(&n);
	return rc;
}

static int serve_one(struct service *sv, json_t *notice)
{
	json_int_t number = json_integer_value(json_object_get(notice, "notice"));
	struct fs_wire_message m;
	char why[200] = "";
	int failed = tell(sv, notice, why, sizeof(why)), rc;

	if (failed)
		tools_fail("notice %lld was not delivered: %s", (long long)number, why);
	else
		fprintf(stderr, "journalfs: notice %lld was delivered\n", (long long)number);
	fs_wire_message_init(&m);
	rc = ask(sv,
		 json_pack("{s:s, s:I, s:b, s:s}", "verb", "notice-done", "number", number,
			   "delivered", !failed, "error", why),
		 &m);
	if (rc)
		(void)tools_client_refused(&m);
	fs_wire_message_clear(&m);
	/* One that was taken back meanwhile comes again. */
	return rc == -ENOENT ? 0 : rc;
}

/* One request and what follows. 0: go on. */
static int turn(struct service *sv)
{
	struct fs_wire_message m;
	json_t *notice;
	int rc;

	fs_wire_message_init(&m);
	rc = ask(sv,
		 json_pack("{s:s, s:i, s:b}", "verb", "notice-next", "wait_s", WAIT_S, "fresh",
			   !sv->begun),
		 &m);
	sv->begun = sv->begun || !rc;
	if (rc && m.json)
		(void)tools_client_refused(&m);
	notice = rc ? NULL : json_incref(json_object_get(m.json, "notice"));
	fs_wire_message_clear(&m);
	if (json_is_object(notice))
		rc = serve_one(sv, notice);
	json_decref(notice);
	return rc;
}

int tools_cmd_notify(struct tool_options *o, int argc, char **argv)
{
	struct service sv = {.cl = {.sock = -1}, .pause_s = 1};
	struct notify_conf n;
	int rc = 0;

	(void)argc;
	(void)argv;
	if (tools_conf_find(o, &sv.conf) || tools_notify_conf_read(&sv.conf, &n))
		return TOOL_FAILED;
	tools_notify_conf_clear(&n);
	while (rc != -EACCES && rc != -EPERM && rc != -EBADMSG && rc != -EOPNOTSUPP) {
		rc = turn(&sv);
		/* The log, the disk or the daemon's memory: it may come right. */
		if (rc)
			pause_for(PAUSE_MOST_S);
	}
	hang_up(&sv);
	return TOOL_FAILED;
}
