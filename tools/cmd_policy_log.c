/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tools/cmd_policy_log.c - policy log and policy diff: what changed, who did it, when and why.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../policy/diff.h"
#include "cmd_policy.h"
#include "plain.h"
#include "policy_text.h"
#include "when.h"

/* ---- log ---- */

static void print_version(const json_t *v)
{
	char when[32];
	const char *who = tools_policy_text_of(v, "who");
	const char *reason = tools_policy_text_of(v, "reason");
	const char *state = tools_policy_text_of(v, "state");

	printf("version %-6lld %s  ", (long long)tools_policy_number_of(v, "version"),
	       tools_when_text(tools_policy_number_of(v, "time_s"), when));
	tools_plain_pad(stdout, *who ? who : "(the vault's root)", 12);
	fputs("  ", stdout);
	tools_plain_put(stdout, tools_policy_text_of(v, "file"), 0);
	if (!tools_policy_number_of(v, "replaces"))
		fputs("  (first)", stdout);
	if (strcmp(state, "replaced"))
		printf("  (%s)", !strcmp(state, "gone") ? "its journal is gone" : state);
	printf("\n    +%lld -%lld", (long long)tools_policy_number_of(v, "added"),
	       (long long)tools_policy_number_of(v, "removed"));
	if (*tools_policy_text_of(v, "summary")) {
		fputs(": ", stdout);
		tools_plain_put(stdout, tools_policy_text_of(v, "summary"), 0);
	}
	if (*reason) {
		fputs("\n    why: ", stdout);
		tools_plain_put(stdout, reason, 0);
	}
	putchar('\n');
}

int tools_policy_log(struct tool_options *o, struct client *cl, int argc, char **argv)
{
	struct fs_wire_message m;
	int rc;

	fs_wire_message_init(&m);
	rc = tools_client_call(cl,
			       json_pack("{s:s, s:s}", "verb", "policy-log", "file",
					 argc ? argv[0] : ""),
			       NULL, 0, -1, &m);
	while (!rc) {
		json_t *v;
		size_t i;

		json_array_foreach(json_object_get(m.json, "versions"), i, v) {
			if (o->json && !json_dumpf(v, stdout, JSON_COMPACT))
				putchar('\n');
			else if (!o->json)
				print_version(v);
		}
		if (!json_is_true(json_object_get(m.json, "more")))
			break;
		rc = ferror(stdout) ? TOOL_FAILED : tools_client_next(cl, &m);
	}
	fs_wire_message_clear(&m);
	if (!rc && fflush(stdout))
		rc = tools_fail("the output could not be written");
	return rc ? TOOL_FAILED : TOOL_OK;
}

/* ---- diff ---- */

static int print_diff(const char *old, const char *next, const char *name)
{
	char *diff = policy_diff(old, strlen(old), next, strlen(next), name, 0);
	int rc = diff ? tools_plain_put(stdout, diff, 1) : -1;

	free(diff);
	return rc ? tools_fail("the difference could not be written") : TOOL_OK;
}

static char *text_at(struct client *cl, const char *file, json_int_t version)
{
	struct fs_wire_message m;
	char *text = NULL;

	fs_wire_message_init(&m);
	if (!tools_policy_text_at(cl, file, version, 0, &m))
		text = strdup(tools_policy_text_of(m.json, "text"));
	fs_wire_message_clear(&m);
	return text;
}

/* The same of a version that may not have had the file (0, or a part that came later): "". */
static char *text_before(struct client *cl, const char *file, json_int_t version)
{
	struct fs_wire_message m;
	char *text = NULL;
	int rc = version ? 0 : -ENOENT;

	fs_wire_message_init(&m);
	if (!rc)
		rc = tools_client_ask(cl,
				      json_pack("{s:s, s:s, s:I}", "verb", "policy-at", "file", file,
						"version", version),
				      &m);
	if (!rc || rc == -ENOENT)
		text = strdup(rc ? "" : tools_policy_text_of(m.json, "text"));
	else
		tools_client_refused(&m);
	fs_wire_message_clear(&m);
	return text;
}

/* What the newest version changed. */
static int diff_last(struct client *cl, const char *file)
{
	struct fs_wire_message m;
	char *old = NULL;
	json_int_t replaced;
	int rc = TOOL_FAILED;

	fs_wire_message_init(&m);
	if (!tools_client_call(cl, json_pack("{s:s, s:s}", "verb", "policy-log", "file", file), NULL, 0,
			       -1, &m)) {
		const json_t *v = json_array_get(json_object_get(m.json, "versions"), 0);
		char *next;

		replaced = tools_policy_number_of(v, "replaces");
		/* The connection is needed again: the rest of a long list is taken and not looked at. */
		while (json_is_true(json_object_get(m.json, "more")) && !tools_client_next(cl, &m))
			;
		next = text_at(cl, file, 0);
		old = text_before(cl, file, replaced);
		if (old && next)
			rc = print_diff(old, next, file);
		free(next);
	}
	free(old);
	fs_wire_message_clear(&m);
	return rc;
}

static int diff_versions(struct client *cl, const char *file, json_int_t from, json_int_t to)
{
	char *old = text_at(cl, file, from), *next = old ? text_at(cl, file, to) : NULL;
	int rc = old && next ? print_diff(old, next, file) : TOOL_FAILED;

	free(old);
	free(next);
	return rc;
}

static int diff_file(struct client *cl, const char *file, const char *path)
{
	char *next = tools_policy_text_read(path), *old = NULL;
	json_int_t version;
	int rc = TOOL_FAILED;

	if (next)
		old = tools_policy_text_begin(cl, file, &version);
	if (old)
		rc = print_diff(old, next, file);
	free(old);
	free(next);
	return rc;
}

int tools_policy_diff(struct tool_options *o, struct client *cl, int argc, char **argv)
{
	json_int_t from, to;

	if (tools_policy_version(o->from, &from) || tools_policy_version(o->to, &to))
		return TOOL_USAGE;
	if ((argc == 2 && o->from) || (o->to && !o->from))
		return tools_usage("`policy diff` compares what is in force with a FILE, or version --from "
				   "with version --to");
	if (argc == 2)
		return diff_file(cl, argv[0], argv[1]);
	return o->from ? diff_versions(cl, argv[0], from, to) : diff_last(cl, argv[0]);
}
