/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tools/cmd_audit_show.c - audit show, audit usage, and list: what an auditor and a practitioner may see.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "client.h"
#include "cmd_audit.h"
#include "usage.h"
#include "when.h"

/* The filters as the daemon takes them; NULL after saying what a time is. */
static json_t *query(const struct tool_options *o, bool json)
{
	int64_t since = 0, until = 0;

	if ((o->since && tools_when_parse(o->since, &since)) ||
	    (o->until && tools_when_parse(o->until, &until))) {
		tools_usage("a time is " TOOLS_WHEN_FORMS);
		return NULL;
	}
	return json_pack("{s:s, s:s, s:s, s:I, s:I, s:I, s:s}", "verb", "audit", "who",
			 o->who ? o->who : "", "journal", o->journal ? o->journal : "", "since_ns",
			 (json_int_t)since * 1000000000, "until_ns", (json_int_t)until * 1000000000,
			 "grant", (json_int_t)o->grant, "format", json ? "json" : "text");
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

static int ask(struct tool_options *o, bool usage)
{
	struct client cl = { .sock = -1 };
	struct fs_wire_message m;
	struct conf c;
	json_t *json = query(o, usage || o->json);
	int rc;

	if (!json)
		return TOOL_USAGE;
	if (tools_client_find(o, &c, &cl)) {
		json_decref(json);
		return TOOL_FAILED;
	}
	fs_wire_message_init(&m);
	rc = tools_client_call(&cl, json, NULL, 0, -1, &m);
	if (rc)
		rc = TOOL_FAILED;
	else
		rc = usage ? tools_usage_print(o, &cl, &m) : print_stream(&cl, &m, "lines");
	fs_wire_message_clear(&m);
	tools_client_close(&cl);
	return rc;
}

int tools_cmd_audit_show(struct tool_options *o, int argc, char **argv)
{
	(void)argc;
	(void)argv;
	return ask(o, false);
}

int tools_cmd_audit_usage(struct tool_options *o, int argc, char **argv)
{
	(void)argc;
	(void)argv;
	return ask(o, true);
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
