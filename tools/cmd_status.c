/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tools/cmd_status.c - status: what is served, who is logged in, space, log, what waits.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "client.h"
#include "plain.h"
#include "when.h"

#define WARN_S (14 * 86400)

static json_int_t number(const json_t *j, const char *key)
{
	return json_integer_value(json_object_get(j, key));
}

static const char *text(const json_t *j, const char *key)
{
	const char *s = json_string_value(json_object_get(j, key));

	return s ? s : "";
}

static void print_bytes(const char *label, json_int_t n)
{
	printf("%-14s %.1f MiB\n", label, (double)n / (1 << 20));
}

static void print_sessions(const json_t *sessions)
{
	json_t *s;
	size_t i;

	json_array_foreach(sessions, i, s) {
		time_t since = (time_t)number(s, "since_s");
		char when[32] = "";
		struct tm tm;

		if (since && localtime_r(&since, &tm))
			strftime(when, sizeof(when), " since %Y-%m-%d %H:%M", &tm);
		printf("  %-16s %-8s%s%s%s\n", text(s, "who"), text(s, "state"), when,
		       *text(s, "origin") ? " from " : "", text(s, "origin"));
	}
}

/* Emergency accesses: one's own that are open, and how all of them stand for whom that concerns. */
static void print_emergencies(const json_t *e)
{
	const json_t *one;
	char when[32];
	size_t i;

	json_array_foreach(json_object_get(e, "mine"), i, one) {
		printf("%-14s \"", "EMERGENCY");
		tools_plain_put(stdout, text(one, "journal"), 0);
		printf("\" is open to you for %lld min more, until %s\n",
		       (long long)(number(one, "left_s") + 59) / 60,
		       tools_when_text(number(one, "until_s"), when));
	}
	if (!json_object_get(e, "open"))
		return;
	printf("%-14s %lld open, %lld to be judged, ", "emergencies", (long long)number(e, "open"),
	       (long long)number(e, "pending"));
	if (number(e, "overdue"))
		printf("%lld OVERDUE (since %s), ", (long long)number(e, "overdue"),
		       tools_when_text(number(e, "overdue_s"), when));
	printf("%lld deviations open%s\n", (long long)number(e, "deviations"),
	       number(e, "pending") || number(e, "deviations") ? ": journalfs review" : "");
}

/* Sessions of one's own that did not begin at this terminal: somebody else's, maybe. */
static void print_elsewhere(const json_t *sessions)
{
	const json_t *newest = NULL;
	char origin[256], when[32];
	json_t *s;
	size_t i, n = 0;

	tools_client_origin(origin);
	json_array_foreach(sessions, i, s) {
		if (!json_is_true(json_object_get(s, "own")) || !strcmp(text(s, "origin"), origin))
			continue;
		n++;
		if (!newest || number(s, "since_s") >= number(newest, "since_s"))
			newest = s;
	}
	if (!n)
		return;
	printf("%-14s %zu session%s of yours, the newest since %s from ", "elsewhere", n,
	       n == 1 ? "" : "s", tools_when_text(number(newest, "since_s"), when));
	tools_plain_put(stdout, *text(newest, "origin") ? text(newest, "origin") : "an unknown place", 0);
	puts("; `journalfs sessions` shows more, `sessions end` ends them");
}

/* A passphrase that will be too old within two weeks. */
static void print_expiry(const json_t *me)
{
	time_t until = (time_t)number(me, "passphrase_until_s"), now = time(NULL);
	char when[32] = "";
	struct tm tm;

	if (!until || until - now > WARN_S)
		return;
	if (localtime_r(&until, &tm))
		strftime(when, sizeof(when), "%Y-%m-%d", &tm);
	if (until <= now)
		puts("PASSPHRASE     yours is too old: the next log-in asks for a new one; `journalfs "
		     "passwd` changes it now");
	else
		printf("PASSPHRASE     yours holds until %s: `journalfs passwd` changes it\n", when);
}

/* Notices of emergency access: only for those whom the daemon tells. */
static void print_notices(const json_t *n)
{
	time_t oldest = (time_t)number(n, "oldest_s");
	long long age = oldest ? (long long)(time(NULL) - oldest) : 0;

	if (!json_is_object(n))
		return;
	printf("%-14s %lld waiting", "notices", (long long)number(n, "waiting"));
	if (oldest)
		printf(", the oldest for %lld min", age > 0 ? age / 60 : 0);
	if (!json_is_true(json_object_get(n, "service")))
		fputs("; NO ACCOUNT may fetch them (journalfs serve --notify-account)", stdout);
	else if (!number(n, "asked_s"))
		fputs("; the notify service has not asked since the daemon started", stdout);
	else if (time(NULL) - (time_t)number(n, "asked_s") > 300)
		printf("; the notify service asked last %lld min ago",
		       (long long)(time(NULL) - (time_t)number(n, "asked_s")) / 60);
	putchar('\n');
	if (*text(n, "last_error"))
		printf("%-14s %s\n", "", text(n, "last_error"));
}

static void print_forward(const json_t *f)
{
	if (!json_is_object(f))
		return;
	printf("%-14s %s: ", "forwarded to", text(f, "target"));
	if (!strcmp(text(f, "policy"), "off"))
		fputs("nothing, the practice policy does not say `log forward`; ", stdout);
	printf("%lld records sent, %lld lost%s\n", (long long)number(f, "sent"), (long long)number(f, "lost"),
	       number(f, "lost") ? ": nobody listened, or who does was behind" : "");
}

static void print_text(const json_t *j, const struct conf *c)
{
	const json_t *log = json_object_get(j, "log"), *me = json_object_get(j, "me");

	printf("%-14s %s\n", "vault", c->name);
	if (*text(j, "practice"))
		printf("%-14s %s\n", "practice", text(j, "practice"));
	if (json_is_object(me))
		printf("%-14s %s (%s)\n", "you", text(me, "who"), text(me, "state"));
	else
		printf("%-14s not logged in\n", "you");
	print_expiry(me);
	printf("%-14s %lld\n", "logged in", (long long)json_array_size(json_object_get(j, "sessions")));
	print_sessions(json_object_get(j, "sessions"));
	print_elsewhere(json_object_get(j, "sessions"));
	printf("%-14s %lld\n", "journals", (long long)number(j, "journals"));
	printf("%-14s %lld\n", "policy", (long long)number(j, "policy_version"));
	print_emergencies(json_object_get(j, "emergency"));
	print_bytes("used", number(j, "used_bytes"));
	print_bytes("free", number(j, "free_bytes"));
	if (json_is_true(json_object_get(j, "waiting_for_space")))
		puts("DISK FULL      changes wait in memory for space: free some at once");
	if (number(j, "failed"))
		printf("READ-ONLY      the disk failed (%s): nothing is written any more; look at the "
		       "system's log\n", strerror((int)llabs(number(j, "failed"))));
	printf("%-14s %lld records, %lld syncs%s\n", "access log", (long long)number(log, "records"),
	       (long long)number(log, "syncs"),
	       number(log, "failed") ? ", FAILED: nothing is read until it can be written" : "");
	print_forward(json_object_get(j, "forward"));
	printf("%-14s keys %s, landlock %s, seccomp %s\n", "protection",
	       json_is_true(json_object_get(j, "keys_locked")) ? "locked in memory"
							       : "NOT locked in memory",
	       json_is_true(json_object_get(j, "landlock")) ? "on" : "not in this kernel",
	       json_is_true(json_object_get(j, "seccomp")) ? "on" : "off");
	printf("%-14s %lld key grants, %lld enrolments\n", "waiting",
	       (long long)number(j, "grants_waiting"), (long long)number(j, "enrolments_waiting"));
	fputs(text(j, "waiting"), stdout);
	print_notices(json_object_get(j, "notices"));
}

int tools_cmd_status(struct tool_options *o, int argc, char **argv)
{
	struct client cl = { .sock = -1 };
	struct fs_wire_message m;
	struct conf c;
	int rc;

	(void)argc;
	(void)argv;
	if (tools_client_find(o, &c, &cl))
		return TOOL_FAILED;
	fs_wire_message_init(&m);
	rc = tools_client_call(&cl, json_pack("{s:s}", "verb", "status"), NULL, 0, -1, &m);
	if (!rc && o->json) {
		json_dumpf(m.json, stdout, JSON_INDENT(2) | JSON_SORT_KEYS);
		putchar('\n');
	} else if (!rc) {
		print_text(m.json, &c);
	}
	fs_wire_message_clear(&m);
	tools_client_close(&cl);
	return rc ? TOOL_FAILED : TOOL_OK;
}
