/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tools/cmd_move_note.c - move-note: a note that was written in the wrong patient's journal.
 *
 * It is copied to where it belongs, with where it comes from, and stays where it was, marked as
 * entered in error. Both patients' names are shown before it is asked for.
 */
#include <stdlib.h>
#include <string.h>

#include "notes.h"

/* A journal's name, or its directory. */
static int journal_of(const char *text, char out[static 256])
{
	struct note_path to;

	if (!strchr(text, '/')) {
		snprintf(out, 256, "%s", text);
		return strlen(text) < 256
			       ? TOOL_OK
			       : tools_notes_fail("%s: no journal has so long a name", text);
	}
	if (tools_note_path(text, false, &to))
		return TOOL_FAILED;
	if (*to.path)
		return tools_notes_fail(
			"%s is not a journal: name the journal that the note belongs in", text);
	snprintf(out, 256, "%s", to.journal);
	return TOOL_OK;
}

static int consent(const struct notes *n, const struct note_path *at, const char *to)
{
	char *question = tools_notes_text(
		"The note     %s\nis copied from \"%s\"\n        into   \"%s\",\nand stays in the "
		"first, marked as entered in error: wrong patient.\nThat can't be undone. Move it?",
		at->path, at->journal, to);
	int rc = question ? tools_notes_consent(n->o, question, "nothing was moved")
			  : tools_fail("out of memory");

	free(question);
	return rc;
}

static int move(struct notes *n, const char *file, const char *journal)
{
	char to[256], typed[TOOLS_NOTES_REASON + 2];
	struct fs_wire_message m;
	struct note_path at;
	const char *reason, *path;
	int rc;

	if (tools_notes_find(n, file, true, &at) || journal_of(journal, to))
		return TOOL_FAILED;
	if (!strcmp(to, at.journal))
		return tools_notes_fail("%s is in that journal already", file);
	reason = tools_notes_reason(n->o,
				    "Why does the note belong in the other journal, in your own "
				    "words?",
				    typed);
	if (!reason || consent(n, &at, to))
		return TOOL_FAILED;
	rc = tools_notes_ask(n, "note-move", &at, file,
			     json_pack("{s:s, s:s}", "to", to, "reason", reason), &m);
	path = rc ? NULL : json_string_value(json_object_get(m.json, "path"));
	if (path)
		tools_notes_print(
			stdout,
			"The note is in \"%s\" now: %s\nIn \"%s\" it is marked as entered "
			"in error.\n",
			to, path, at.journal);
	fs_wire_message_clear(&m);
	return rc ? TOOL_FAILED : TOOL_OK;
}

int tools_cmd_move_note(struct tool_options *o, int argc, char **argv)
{
	struct notes n = {.o = o, .cl = {.sock = -1}};
	int rc;

	(void)argc;
	rc = move(&n, argv[0], argv[1]);
	tools_notes_close(&n);
	return rc;
}
