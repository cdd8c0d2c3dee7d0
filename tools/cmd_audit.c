/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tools/cmd_audit.c - audit show, and list: what an auditor and a practitioner may see.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include "client.h"

/* "2026-11-21", "2026-11-21 14:30", "2026-11-21T14:30:00" (local time), "-2h", "-3d" (from now). */
static int parse_time(const char *text, json_int_t *out)
{
	static const char *const forms[] = { "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S",
					     "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M", "%Y-%m-%d" };
	unsigned n;
	char unit, rest;

	if (sscanf(text, "-%u%c%c", &n, &unit, &rest) == 2 && strchr("mhd", unit)) {
		json_int_t step = unit == 'm' ? 60 : unit == 'h' ? 3600 : 86400;

		*out = ((json_int_t)time(NULL) - (json_int_t)n * step) * 1000000000;
		return 0;
	}
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		struct tm tm = { .tm_isdst = -1 };
		const char *end = strptime(text, forms[i], &tm);

		if (end && !*end) {
			*out = (json_int_t)mktime(&tm) * 1000000000;
			return 0;
		}
	}
	return -EINVAL;
}

/* Prints the strings of the array `key`, over all messages of the answer. */
static int print_stream(struct client *cl, struct fs_wire_message *m, const char *key)
{
	for (;;) {
		json_t *lines = json_object_get(m->json, key), *line;
		const char *notice = json_string_value(json_object_get(m->json, "notice"));
		size_t i;

		json_array_foreach(lines, i, line)
			puts(json_string_value(line));
		/* Not among the records, which programs may read. */
		if (notice)
			fprintf(stderr, "journalfs: %s\n", notice);
		if (!json_is_true(json_object_get(m->json, "more")))
			return fflush(stdout) ? tools_fail("the output could not be written") : TOOL_OK;
		if (tools_client_next(cl, m))
			return TOOL_FAILED;
	}
}

int tools_cmd_audit(struct tool_options *o, int argc, char **argv)
{
	struct client cl = { .sock = -1 };
	json_int_t since = 0, until = 0;
	struct fs_wire_message m;
	struct conf c;
	int rc;

	(void)argc;
	if (strcmp(argv[0], "show"))
		return tools_fail("`audit %s` is not known; there is show", argv[0]);
	if ((o->since && parse_time(o->since, &since)) || (o->until && parse_time(o->until, &until)))
		return tools_fail("a time is 2026-11-21, \"2026-11-21 14:30\" or -2h, -30m, -7d from now");
	if (tools_client_find(o, &c, &cl))
		return TOOL_FAILED;
	fs_wire_message_init(&m);
	rc = tools_client_call(&cl,
			 json_pack("{s:s, s:s, s:s, s:I, s:I, s:s}", "verb", "audit", "who",
				   o->who ? o->who : "", "journal", o->journal ? o->journal : "",
				   "since_ns", since, "until_ns", until, "format",
				   o->json ? "json" : "text"),
			 NULL, 0, -1, &m);
	rc = rc ? TOOL_FAILED : print_stream(&cl, &m, "lines");
	fs_wire_message_clear(&m);
	tools_client_close(&cl);
	return rc;
}

int tools_cmd_list(struct tool_options *o, int argc, char **argv)
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
	rc = tools_client_call(&cl, json_pack("{s:s}", "verb", "list"), NULL, 0, -1, &m);
	rc = rc ? TOOL_FAILED : print_stream(&cl, &m, "journals");
	fs_wire_message_clear(&m);
	tools_client_close(&cl);
	return rc;
}
