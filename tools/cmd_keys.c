/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tools/cmd_keys.c - keys renew, status: new keys for journals, and how far they are.
 *
 * The daemon does the work, whether anybody watches or not; this asks it twice a
 * second and draws a bar on a terminal, or a line now and then elsewhere. What
 * waits for somebody to log in is said, and not waited for.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>
#include "client.h"

#define BAR 24
#define PAUSE_NS 500000000
#define LINE_EVERY 10 /* questions, where there is no terminal */
#define SETTLED 4     /* of them after which nobody is expected to come */

static volatile sig_atomic_t interrupted;

static void on_interrupt(int number)
{
	(void)number;
	interrupted = 1;
}

static json_int_t number(const json_t *j, const char *key)
{
	return json_integer_value(json_object_get(j, key));
}

static const char *text(const json_t *j, const char *key)
{
	const char *s = json_string_value(json_object_get(j, key));

	return s ? s : "";
}

static int ask_status(struct client *cl, const char *journal, const char *who,
		      struct fs_wire_message *m)
{
	return tools_client_call(cl,
				 json_pack("{s:s, s:s, s:s}", "verb", "keys-status", "journal",
					   journal, "who", who),
				 NULL, 0, -1, m);
}

/* ---- drawing ---- */

static double mib(json_int_t bytes)
{
	return (double)bytes / (1 << 20);
}

/* Of all that was asked for: journals done, and of the one under way its share. */
static double share(const json_t *now, json_int_t total, json_int_t left)
{
	double one = 0;

	if (json_is_object(now) && number(now, "bytes_total") > 0 &&
	    !json_is_true(json_object_get(now, "counting")))
		one = (double)number(now, "bytes") / (double)number(now, "bytes_total");
	return total > 0 ? ((double)(total - left) + one) / (double)total : 1;
}

static void describe(const json_t *m, json_int_t total, char *out, size_t cap)
{
	const json_t *now = json_object_get(m, "now"), *first;
	json_int_t left = number(m, "left");
	int at = snprintf(out, cap, "%lld of %lld journals", (long long)(total - left),
			  (long long)total);

	first = json_array_get(json_object_get(m, "renewals"), 0);
	if (at < 0 || (size_t)at >= cap)
		return;
	if (json_is_object(now) && json_is_true(json_object_get(now, "counting")))
		snprintf(out + at, cap - (size_t)at, "; \"%s\": looking", text(now, "journal"));
	else if (json_is_object(now))
		snprintf(out + at, cap - (size_t)at,
			 "; \"%s\": %lld of %lld records, %.1f of %.1f MiB", text(now, "journal"),
			 (long long)number(now, "records"), (long long)number(now, "records_total"),
			 mib(number(now, "bytes")), mib(number(now, "bytes_total")));
	else if (left)
		snprintf(out + at, cap - (size_t)at, "; \"%s\": %s", text(first, "journal"),
			 text(first, "what"));
}

static void draw(const json_t *m, json_int_t total)
{
	char line[512], bar[BAR + 1];
	struct winsize ws = {.ws_col = 80};
	double part = share(json_object_get(m, "now"), total, number(m, "left"));
	int width;

	for (int i = 0; i < BAR; i++)
		bar[i] = i < (int)(part * BAR) ? '#' : '.';
	bar[BAR] = '\0';
	describe(m, total, line, sizeof(line));
	(void)ioctl(STDOUT_FILENO, TIOCGWINSZ, &ws);
	width = ws.ws_col > BAR + 4 ? ws.ws_col - BAR - 4 : 20;
	printf("\r[%s] %.*s\033[K", bar, width, line);
	fflush(stdout);
}

static void say_line(const json_t *m, json_int_t total)
{
	char line[512];

	describe(m, total, line, sizeof(line));
	puts(line);
	fflush(stdout);
}

/* ---- renew ---- */

enum outcome { GO_ON, DONE, WAITS, STUCK };

static enum outcome look(const json_t *m, unsigned *idle)
{
	json_int_t left = number(m, "left");
	json_t *one;
	size_t i, damaged = 0;

	if (!left)
		return DONE;
	json_array_foreach(json_object_get(m, "renewals"), i, one)
		damaged += !strcmp(text(one, "state"), "damaged");
	if (json_is_object(json_object_get(m, "now")) ||
	    (json_int_t)damaged + number(m, "waiting") < left) {
		*idle = 0;
		return GO_ON;
	}
	if (++*idle < SETTLED)
		return GO_ON;
	return damaged ? STUCK : WAITS;
}

static int told(enum outcome end, json_int_t total, json_int_t left)
{
	switch (end) {
	case DONE:
		printf("%lld %s sealed under new keys\n", (long long)total,
		       total == 1 ? "journal is" : "journals are");
		return TOOL_OK;
	case WAITS:
		printf("%lld of %lld journals wait for somebody who may write there to log in; it "
		       "goes on by itself then (`journalfs keys status`)\n",
		       (long long)left, (long long)total);
		return TOOL_OK;
	case STUCK:
		return tools_fail("%lld of %lld journals keep their older keys, since something "
				  "stored of them is damaged or they wait for somebody to log in: "
				  "`journalfs keys status`",
				  (long long)left, (long long)total);
	default:
		puts("it goes on in the background; `journalfs keys status` says how far it is");
		return TOOL_OK;
	}
}

static int watch(struct client *cl, const char *journal, const char *who, json_int_t total)
{
	const struct timespec pause = {.tv_nsec = PAUSE_NS};
	struct sigaction stop = {.sa_handler = on_interrupt};
	bool terminal = isatty(STDOUT_FILENO);
	enum outcome end = GO_ON;
	json_int_t left = total;
	unsigned idle = 0;

	sigaction(SIGINT, &stop, NULL);
	for (unsigned n = 0; end == GO_ON && !interrupted; n++) {
		struct fs_wire_message m;
		int rc;

		fs_wire_message_init(&m);
		rc = ask_status(cl, journal, who, &m);
		if (!rc) {
			left = number(m.json, "left");
			end = look(m.json, &idle);
			if (terminal)
				draw(m.json, total);
			else if (end == GO_ON && n % LINE_EVERY == LINE_EVERY - 1)
				say_line(m.json, total);
		}
		fs_wire_message_clear(&m);
		if (rc && !interrupted)
			return tools_fail("it goes on in the background whenever somebody who may "
					  "write there is logged in");
		if (end == GO_ON)
			nanosleep(&pause, NULL);
	}
	if (terminal)
		putchar('\n');
	return told(end, total, left);
}

static int renew(struct client *cl, const struct tool_options *o, const char *journal)
{
	const char *who = o->all_of ? o->all_of : "";
	struct fs_wire_message m;
	json_int_t total = 0;
	int rc;

	fs_wire_message_init(&m);
	rc = tools_client_call(cl,
			       json_pack("{s:s, s:s, s:s}", "verb", "keys-renew", "journal", journal,
					 "who", who),
			       NULL, 0, -1, &m);
	if (!rc)
		total = number(m.json, "journals");
	fs_wire_message_clear(&m);
	if (rc)
		return TOOL_FAILED;
	if (!total) {
		printf("%s knows no key that a journal still has\n", who);
		return TOOL_OK;
	}
	if (o->no_wait)
		return told(GO_ON, total, total);
	return watch(cl, journal, who, total);
}

/* ---- status ---- */

static void print_renewals(const json_t *m)
{
	const json_t *now = json_object_get(m, "now");
	json_int_t left = number(m, "left");
	json_t *list = json_object_get(m, "renewals"), *one;
	size_t i;

	if (!left)
		puts("no journal waits for a new key");
	json_array_foreach(list, i, one) {
		time_t since = (time_t)number(one, "since_s");
		char when[32] = "";
		struct tm tm;

		if (localtime_r(&since, &tm))
			strftime(when, sizeof(when), "%Y-%m-%d %H:%M", &tm);
		printf("\"%s\": %s (asked for by %s, %s%s%s)\n", text(one, "journal"),
		       text(one, "what"), text(one, "by"), when,
		       *text(one, "because") ? ", on account of " : "", text(one, "because"));
	}
	if (left > (json_int_t)json_array_size(list))
		printf("and %lld more\n", (long long)(left - (json_int_t)json_array_size(list)));
	if (json_is_object(now))
		say_line(m, left);
}

static int status(struct client *cl, const struct tool_options *o)
{
	struct fs_wire_message m;
	int rc;

	fs_wire_message_init(&m);
	rc = ask_status(cl, "", "", &m);
	if (!rc && o->json) {
		json_dumpf(m.json, stdout, JSON_INDENT(2) | JSON_SORT_KEYS);
		putchar('\n');
	} else if (!rc) {
		print_renewals(m.json);
	}
	fs_wire_message_clear(&m);
	return rc ? TOOL_FAILED : TOOL_OK;
}

static int usage(void)
{
	fputs("usage: journalfs keys renew JOURNAL | keys renew --all-of NAME | keys status\n",
	      stderr);
	return TOOL_USAGE;
}

int tools_cmd_keys(struct tool_options *o, int argc, char **argv)
{
	bool renews = !strcmp(argv[0], "renew");
	struct client cl = { .sock = -1 };
	struct conf c;
	int rc;

	if (renews ? (argc == 2) == (o->all_of != NULL)
		   : strcmp(argv[0], "status") != 0 || argc != 1 || o->all_of)
		return usage();
	if (tools_client_find(o, &c, &cl))
		return TOOL_FAILED;
	rc = renews ? renew(&cl, o, argc == 2 ? argv[1] : "") : status(&cl, o);
	tools_client_close(&cl);
	return rc;
}
