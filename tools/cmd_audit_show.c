/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tools/cmd_audit_show.c - audit show, audit usage, and list: what an auditor and a practitioner may see.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "audit_out.h"
#include "audit_source.h"
#include "client.h"
#include "cmd_audit.h"
#include "usage.h"

static int show_record(void *ctx, const struct policy_record *r)
{
	tools_audit_out_record(ctx, r);
	return 0;
}

int tools_cmd_audit_show(struct tool_options *o, int argc, char **argv)
{
	struct audit_source *s;
	struct audit_filter f;
	struct audit_out *out;
	int rc = tools_audit_filter(o, &f);

	(void)argc;
	(void)argv;
	if (rc)
		return rc;
	f.purpose = "audit show";
	s = tools_audit_open(o);
	/* After the passphrase was asked for: a pager would stand before the question. */
	out = s ? tools_audit_out_open(o, "The access log") : NULL;
	if (!out) {
		tools_audit_close(s);
		return TOOL_FAILED;
	}
	rc = tools_audit_read(s, &f, show_record, out);
	tools_audit_close(s);
	if (rc) {
		tools_audit_out_abort(out);
		return TOOL_FAILED;
	}
	return tools_audit_out_close(out);
}

static int add_use(void *ctx, const struct policy_record *r)
{
	return tools_usage_add(ctx, r);
}

int tools_cmd_audit_usage(struct tool_options *o, int argc, char **argv)
{
	struct audit_source *s = NULL;
	struct usage *u = NULL;
	struct audit_filter f;
	int rc = tools_audit_filter(o, &f);

	(void)argc;
	(void)argv;
	if (rc)
		return rc;
	f.purpose = "audit usage";
	s = tools_audit_open(o);
	if (!s)
		return TOOL_FAILED;
	u = tools_usage_new(f.since_ns / 1000000000);
	rc = u ? tools_audit_read(s, &f, add_use, u) : TOOL_FAILED;
	if (!rc)
		rc = tools_usage_print(u);
	tools_usage_free(u);
	tools_audit_close(s);
	return rc;
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
