/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tools/cmd_approve.c - approve: what another steward proposed and what takes two.
 *
 * Without a number it lists; with one it shows what would change and asks, unless
 * --yes says that somebody has looked. --reject takes the proposal away.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "client.h"
#include "prompt.h"

static int print_proposals(struct client *cl, json_int_t number)
{
	struct fs_wire_message m;
	const char *text;
	int rc;

	fs_wire_message_init(&m);
	rc = tools_client_call(cl,
			       json_pack("{s:s, s:I}", "verb", "proposals", "number", number), NULL,
			       0, -1, &m);
	if (!rc) {
		text = json_string_value(json_object_get(m.json, "text"));
		fputs(text && *text ? text : number ? "it changes nothing\n" : "nothing waits\n",
		      stdout);
	}
	fs_wire_message_clear(&m);
	return rc ? TOOL_FAILED : TOOL_OK;
}

static int approve(struct client *cl, json_int_t number)
{
	struct fs_wire_message m;
	int rc;

	fs_wire_message_init(&m);
	rc = tools_client_call(cl, json_pack("{s:s, s:I}", "verb", "approve", "number", number),
			       NULL, 0, -1, &m);
	if (!rc && m.blob_len) {
		printf("%.*s\n", (int)m.blob_len, (const char *)m.blob);
		fputs("This code makes the new identity, once, within 7 days. Give it to the person in "
		      "person.\n",
		      stderr);
	} else if (!rc) {
		printf("proposal %lld: approved and in force\n", (long long)number);
	}
	fs_wire_message_clear(&m);
	return rc ? TOOL_FAILED : TOOL_OK;
}

static int decide(struct client *cl, const struct tool_options *o, json_int_t number)
{
	if (o->reject) {
		if (tools_client_do(cl, json_pack("{s:s, s:I}", "verb", "reject", "number", number),
				    NULL, 0) != TOOL_OK)
			return TOOL_FAILED;
		printf("proposal %lld: rejected\n", (long long)number);
		return TOOL_OK;
	}
	if (!o->yes) {
		if (print_proposals(cl, number) != TOOL_OK)
			return TOOL_FAILED;
		if (!tools_prompt_yes("Agree to this?"))
			return tools_fail("not approved; --yes agrees without asking, --reject takes it "
					  "away");
	}
	return approve(cl, number);
}

int tools_cmd_approve(struct tool_options *o, int argc, char **argv)
{
	struct client cl = {.sock = -1};
	struct conf c;
	char *end = NULL;
	long number = argc ? strtol(argv[0], &end, 10) : 0;
	int rc;

	if (argc && (*end || number < 1 || number >= 1L << 31)) {
		tools_fail("%s is no number of a proposal; `journalfs approve` lists them", argv[0]);
		return TOOL_USAGE;
	}
	if (tools_client_find(o, &c, &cl))
		return TOOL_FAILED;
	rc = argc ? decide(&cl, o, number) : print_proposals(&cl, 0);
	tools_client_close(&cl);
	return rc;
}
