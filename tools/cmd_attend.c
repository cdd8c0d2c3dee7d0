/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tools/cmd_attend.c - attend: a clinician states a care relationship of their own.
 *
 * The reason is in the person's own words: asked for at the terminal when --reason
 * does not give it. Who may, for how long and how long the reason must be is the
 * practice policy's, judged by the daemon.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "../policy/span.h"
#include "client.h"

#define REASON_MAX 255

/* The line that was typed, without its newline. */
static int ask_reason(const char *journal, char out[static REASON_MAX + 2])
{
	if (!isatty(STDIN_FILENO))
		return tools_fail("say why with --reason \"...\": it stands in the journal's policy and "
				  "in the log");
	fprintf(stderr, "Why do you take part in the care of %s, in your own words?\n> ", journal);
	if (!fgets(out, REASON_MAX + 2, stdin))
		return tools_fail("no reason was given; nothing was changed");
	out[strcspn(out, "\n")] = '\0';
	return TOOL_OK;
}

int tools_cmd_attend(struct tool_options *o, int argc, char **argv)
{
	char typed[REASON_MAX + 2], until[48];
	const char *reason = o->reason;
	struct client cl = {.sock = -1};
	struct fs_wire_message m;
	uint32_t seconds = 0;
	struct conf c;
	int rc;

	(void)argc;
	if (o->span && !policy_span_duration(o->span, &seconds)) {
		tools_fail("%s is not a duration: write a number and m, h or d, as in 8h", o->span);
		return TOOL_USAGE;
	}
	if (!reason && ask_reason(argv[0], typed) != TOOL_OK)
		return TOOL_FAILED;
	if (!reason)
		reason = typed;
	if (tools_client_find(o, &c, &cl))
		return TOOL_FAILED;
	fs_wire_message_init(&m);
	rc = tools_client_call(&cl,
			       json_pack("{s:s, s:s, s:s, s:I}", "verb", "attend", "journal",
					 argv[0], "reason", reason, "seconds", (json_int_t)seconds),
			       NULL, 0, -1, &m);
	if (!rc) {
		json_int_t end = json_integer_value(json_object_get(m.json, "until_s"));
		const char *notice = json_string_value(json_object_get(m.json, "notice"));

		if (end < POLICY_DAY_S * INT64_C(100000))
			policy_span_text(end * 1000000000, ' ', 0, until);
		else
			strcpy(until, "a steward changes that");
		printf("You take part in the care of \"%s\" until %s. It stands in the log, and the "
		       "steward sees it.\n",
		       argv[0], until);
		if (notice && *notice)
			printf("%s\n", notice);
	}
	fs_wire_message_clear(&m);
	tools_client_close(&cl);
	return rc ? TOOL_FAILED : TOOL_OK;
}
