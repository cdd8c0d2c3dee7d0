/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tools/cmd_policy_status.c - policy status: what waits for a steward, and what to do about it.
 */
#include <stdio.h>
#include <string.h>

#include "cmd_policy.h"
#include "plain.h"
#include "policy_text.h"

/* Headings, in the order in which the daemon tells of each kind. */
static const struct {
	const char *kind, *heading;
} headings[] = {
	{ "proposal", "What a second steward has to agree to" },
	{ "review", "Emergency accesses that nobody has judged in time" },
	{ "enrolment", "Practitioners without an identity" },
	{ "leave", "On leave" },
	{ "validity", "Practitioners whose time ends" },
	{ "keys", "Keys that wait" },
	{ "ends", "Relationships that end" },
	{ "attend", "Care relationships that practitioners stated themselves" },
	{ "grant", "Journals whose key waits for somebody" },
	{ "damaged", "Journals whose policy is damaged" },
};
#define KINDS (sizeof(headings) / sizeof(headings[0]))

static void print_item(const json_t *item)
{
	fputs("  ", stdout);
	if (*tools_policy_text_of(item, "journal")) {
		fputs("journal \"", stdout);
		tools_plain_put(stdout, tools_policy_text_of(item, "journal"), 0);
		fputs("\": ", stdout);
	}
	tools_plain_put(stdout, tools_policy_text_of(item, "text"), 0);
	putchar('\n');
	if (*tools_policy_text_of(item, "next")) {
		fputs("      -> ", stdout);
		tools_plain_put(stdout, tools_policy_text_of(item, "next"), 0);
		putchar('\n');
	}
}

/* Items of one kind under one heading; the kinds of journals come mixed. */
static void print_text(const json_t *all)
{
	bool any = false;

	for (size_t k = 0; k < KINDS; k++) {
		const json_t *item;
		bool head = false;
		size_t i;

		json_array_foreach((json_t *)all, i, item) {
			if (strcmp(tools_policy_text_of(item, "kind"), headings[k].kind))
				continue;
			if (!head)
				printf("%s%s\n", any ? "\n" : "", headings[k].heading);
			head = any = true;
			print_item(item);
		}
	}
	if (!any)
		puts("Nothing waits.");
}

static void print_json(const json_t *all)
{
	const json_t *item;
	size_t i;

	json_array_foreach((json_t *)all, i, item) {
		json_dumpf(item, stdout, JSON_COMPACT);
		putchar('\n');
	}
}

int tools_policy_status(struct tool_options *o, struct client *cl, int argc, char **argv)
{
	json_t *all = json_array();
	struct fs_wire_message m;
	int rc;

	(void)argc;
	(void)argv;
	fs_wire_message_init(&m);
	rc = tools_client_call(cl,
			       json_pack("{s:s, s:i}", "verb", "policy-status", "days",
					 o->days ? o->days : 30),
			       NULL, 0, -1, &m);
	while (!rc) {
		json_array_extend(all, json_object_get(m.json, "items"));
		if (!json_is_true(json_object_get(m.json, "more")))
			break;
		rc = tools_client_next(cl, &m);
	}
	if (!rc && o->json)
		print_json(all);
	else if (!rc)
		print_text(all);
	if (!rc && fflush(stdout))
		rc = tools_fail("the output could not be written");
	json_decref(all);
	fs_wire_message_clear(&m);
	return rc ? TOOL_FAILED : TOOL_OK;
}
