/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tools/notes.h - what the verbs about final notes share: FILEs, connections, asking.
 *
 * A FILE is found below the mount of the account's session (note_path.h), which also says which
 * vault it lies in, unless --vault does. FILEs of several vaults may be named together.
 */
#ifndef TOOLS_NOTES_H
#define TOOLS_NOTES_H

#include "client.h"
#include "note_path.h"

/* The connection that was used last; begin with {.cl.sock = -1}. */
struct notes {
	const struct tool_options *o;
	struct client cl;
	char vault[PATH_MAX]; /* that it leads to */
};
void tools_notes_close(struct notes *n);

/* Where FILE is, and a connection to its vault. TOOL_OK or TOOL_FAILED, which has said why. */
int tools_notes_find(struct notes *n, const char *file, bool want_note, struct note_path *at);
/* A connection to the vault of this name, "" for what --vault says or the only one. */
int tools_notes_connect(struct notes *n, const char *vault);

/*
 * One request about a note: verb, journal, path and what `more` (taken over, may be NULL) has. A
 * refusal is said with `file` before it. 0 and *answer (to be cleared), or a negative errno.
 */
int tools_notes_ask(struct notes *n, const char *verb, const struct note_path *at, const char *file,
		    json_t *more, struct fs_wire_message *answer);
/* All objects of a stream that began with m, one array that the caller lets go of; NULL after
 * saying why. */
json_t *tools_notes_gather(struct notes *n, struct fs_wire_message *m, const char *name);

/*
 * Writes printf's text so that names in it do nothing to a terminal, and make no line of their own: lines end where
 * the format says. The text itself, to be freed; NULL: no memory.
 */
char *tools_notes_text(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void tools_notes_print(FILE *to, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* "journalfs: " and so a line on standard error. Returns TOOL_FAILED. */
int tools_notes_fail(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/*
 * FILEs from standard input, one a line, or each ended by NUL where there is one: arguments can be
 * read by everybody on the host. *list and what it points to go with one free(*list) and
 * free(**list). TOOL_OK or TOOL_FAILED.
 */
#define TOOLS_NOTES_STDIN (1u << 20) /* bytes, at most */
int tools_notes_stdin(int fd, char ***list, int *n);

/* --reason, or asked for at the terminal; typed has room for it. NULL after saying that it is
 * wanted. */
#define TOOLS_NOTES_REASON 255
const char *tools_notes_reason(const struct tool_options *o, const char *question,
			       char typed[static TOOLS_NOTES_REASON + 2]);
/*
 * Asks once at the terminal, "QUESTION [y/N]"; --yes answers. TOOL_FAILED: no was said, or there is
 * no terminal: said, with `nothing` ("nothing was locked").
 */
int tools_notes_consent(const struct tool_options *o, const char *question, const char *nothing);
/*
 * The same by a program (found as a shell finds it, no arguments): text on its standard input, exit
 * status 0 says yes. Its output is standard error's.
 */
int tools_notes_consent_by(const char *program, const char *text, size_t len, const char *nothing);

#endif
