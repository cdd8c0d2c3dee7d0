/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tools/cmd_sign.c - sign: the author's signature under a locked note, a second practitioner's
 * under another's.
 *
 * Which of the two it is, and whether it may be, the daemon decides.
 */
#include <string.h>

#include "notes.h"

static int sign_one(struct notes *n, const char *file)
{
	struct fs_wire_message m;
	struct note_path at;
	const char *kind;
	int rc;

	if (tools_notes_find(n, file, true, &at))
		return TOOL_FAILED;
	rc = tools_notes_ask(n, "note-sign", &at, file, NULL, &m);
	if (!rc) {
		kind = json_string_value(json_object_get(m.json, "kind"));
		tools_notes_print(stdout, "%s: %s/%s (statement %lld)\n",
				  kind && !strcmp(kind, "countersigned") ? "Countersigned"
									 : "Signed",
				  at.journal, at.path,
				  (long long)json_integer_value(json_object_get(m.json, "number")));
	}
	fs_wire_message_clear(&m);
	return rc ? TOOL_FAILED : TOOL_OK;
}

int tools_cmd_sign(struct tool_options *o, int argc, char **argv)
{
	struct notes n = {.o = o, .cl = {.sock = -1}};
	int rc = TOOL_OK;

	for (int i = 0; i < argc; i++) {
		if (sign_one(&n, argv[i]))
			rc = TOOL_FAILED;
	}
	tools_notes_close(&n);
	return rc;
}
