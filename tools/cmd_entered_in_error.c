/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tools/cmd_entered_in_error.c - entered-in-error: a final note is marked as one that should not be
 * there.
 *
 * It stays readable, with the reason. A draft is locked and signed first.
 */
#include "notes.h"

static int mark(struct notes *n, const char *file)
{
	char typed[TOOLS_NOTES_REASON + 2];
	struct fs_wire_message m;
	struct note_path at;
	const char *reason;
	int rc;

	if (tools_notes_find(n, file, true, &at))
		return TOOL_FAILED;
	reason = tools_notes_reason(n->o, "Why should this note not be there, in your own words?",
				    typed);
	if (!reason)
		return TOOL_FAILED;
	rc = tools_notes_ask(n, "note-error", &at, file, json_pack("{s:s}", "reason", reason), &m);
	if (!rc)
		tools_notes_print(stdout, "Marked as entered in error: %s/%s\n", at.journal,
				  at.path);
	fs_wire_message_clear(&m);
	return rc ? TOOL_FAILED : TOOL_OK;
}

int tools_cmd_entered_in_error(struct tool_options *o, int argc, char **argv)
{
	struct notes n = {.o = o, .cl = {.sock = -1}};
	int rc;

	(void)argc;
	rc = mark(&n, argv[0]);
	tools_notes_close(&n);
	return rc;
}
