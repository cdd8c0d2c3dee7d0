/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tools/cmd_sessions.c - sessions: who is logged in, from where, with what open; and ending it.
 *
 * "Here" are the sessions that began at the terminal or remote host where the command
 * runs. --all-others keeps these, and asks to be told names where there are none: it must
 * not end the one that somebody works in.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "client.h"
#include "plain.h"
#include "when.h"

#define SHORT 8

static const char *text(const json_t *j, const char *key)
{
	const char *s = json_string_value(json_object_get(j, key));

	return s ? s : "";
}

static json_int_t number(const json_t *j, const char *key)
{
	return json_integer_value(json_object_get(j, key));
}

static bool is_own(const json_t *s)
{
	return json_is_true(json_object_get(s, "own"));
}

/* All that we may see, as one array, or NULL. */
static json_t *fetch(struct client *cl)
{
	json_t *all = json_array();
	struct fs_wire_message m;
	bool more;
	int rc;

	fs_wire_message_init(&m);
	rc = tools_client_call(cl, json_pack("{s:s}", "verb", "sessions"), NULL, 0, -1, &m);
	while (!rc && all) {
		json_array_extend(all, json_object_get(m.json, "sessions"));
		more = json_is_true(json_object_get(m.json, "more"));
		fs_wire_message_clear(&m);
		if (!more)
			return all;
		rc = tools_client_next(cl, &m);
	}
	fs_wire_message_clear(&m);
	json_decref(all);
	return NULL;
}

static void print_programs(const json_t *s)
{
	const json_t *list = json_object_get(s, "programs");
	json_t *p;
	size_t i;

	json_array_foreach(list, i, p)
	{
		fputs(i ? ", " : "          open in ", stdout);
		tools_plain_put(stdout, *text(p, "name") ? text(p, "name") : "(ended)", 0);
		if (number(p, "processes") > 1)
			printf(" x%lld", (long long)number(p, "processes"));
		if (number(p, "files"))
			printf(" (%lld)", (long long)number(p, "files"));
	}
	if (json_array_size(list))
		putchar('\n');
}

static void print_session(const json_t *s, const char *origin)
{
	char since[32], last[32], until[32];

	printf("%.*s  ", SHORT, text(s, "id"));
	tools_plain_pad(stdout, text(s, "who"), 12);
	printf(" %-8s since %s, used %s, until %s, from ", text(s, "state"),
	       tools_when_text(number(s, "since_s"), since),
	       tools_when_text(number(s, "active_s"), last),
	       tools_when_text(number(s, "ceiling_s"), until));
	tools_plain_put(stdout, *text(s, "origin") ? text(s, "origin") : "an unknown place", 0);
	puts(is_own(s) && !strcmp(text(s, "origin"), origin) ? " (here)" : "");
	print_programs(s);
}

static int list(struct client *cl, const struct tool_options *o)
{
	char origin[256];
	json_t *all = fetch(cl), *s;
	size_t i;

	if (!all)
		return TOOL_FAILED;
	tools_client_origin(origin);
	if (o->json) {
		json_dumpf(all, stdout, JSON_INDENT(2) | JSON_SORT_KEYS);
		putchar('\n');
	} else {
		json_array_foreach(all, i, s) print_session(s, origin);
		if (!i)
			puts("nobody is logged in that you may see");
	}
	json_decref(all);
	return TOOL_OK;
}

static int end_one(struct client *cl, const struct tool_options *o, const char *id)
{
	struct fs_wire_message m;
	char origin[256];
	int rc;

	fs_wire_message_init(&m);
	rc = tools_client_call(cl,
			       json_pack("{s:s, s:s, s:s, s:s}", "verb", "session-end", "id", id,
					 "reason", o->reason ? o->reason : "", "origin",
					 tools_client_origin(origin)),
			       NULL, 0, -1, &m);
	if (!rc) {
		printf("ended %.*s of ", SHORT, id);
		tools_plain_put(stdout, text(m.json, "who"), 0);
		putchar('\n');
	}
	fs_wire_message_clear(&m);
	return rc ? TOOL_FAILED : TOOL_OK;
}

static int end_others(struct client *cl, const struct tool_options *o)
{
	json_t *all = fetch(cl), *s;
	int rc = TOOL_OK;
	char origin[256];
	bool here = false;
	size_t i, n = 0;

	if (!all)
		return TOOL_FAILED;
	tools_client_origin(origin);
	json_array_foreach(all, i, s) here =
		here || (is_own(s) && !strcmp(text(s, "origin"), origin));
	if (!here) {
		json_decref(all);
		return tools_fail(
			"none of your sessions began here (%s), so it is not plain which are the "
			"others: name them, `journalfs sessions end ID...`",
			origin);
	}
	json_array_foreach(all, i, s)
	{
		if (!is_own(s) || !strcmp(text(s, "origin"), origin))
			continue;
		n++;
		if (end_one(cl, o, text(s, "id")) != TOOL_OK)
			rc = TOOL_FAILED;
	}
	json_decref(all);
	if (!n)
		puts("there are no others");
	return rc;
}

static int end(struct client *cl, const struct tool_options *o, int argc, char **argv)
{
	int rc = TOOL_OK;

	if (o->all_others)
		return end_others(cl, o);
	for (int i = 0; i < argc; i++) {
		if (end_one(cl, o, argv[i]) != TOOL_OK)
			rc = TOOL_FAILED;
	}
	return rc;
}

int tools_cmd_sessions(struct tool_options *o, int argc, char **argv)
{
	struct client cl = {.sock = -1};
	bool ends = argc && !strcmp(argv[0], "end");
	struct conf c;
	int rc;

	if (argc && !ends)
		return tools_usage("`sessions` lists, `sessions end ID...` ends: what is %s?",
				   argv[0]);
	if (ends && (argc == 1) != o->all_others)
		return tools_usage(
			"`sessions end` takes ids, as `journalfs sessions` prints them, or "
			"--all-others");
	if (tools_client_find(o, &c, &cl))
		return TOOL_FAILED;
	rc = ends ? end(&cl, o, argc - 1, argv + 1) : list(&cl, o);
	tools_client_close(&cl);
	return rc;
}
