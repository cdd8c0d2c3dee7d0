/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tools/cmd_verify.c - verify: are final notes what was signed?
 *
 * Of a FILE its own statements, of a directory those of the notes below it (the journal's whole
 * chain is checked for that), of a journal or --all everything. What is well is a line only for a
 * FILE; everything else always is. Progress goes to a terminal's standard error.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "note_text.h"
#include "notes.h"

struct verify {
	struct notes n;
	json_t *checks; /* all */
	bool shown;	/* progress stands on the terminal */
	bool failed;
};

static const char *text(const json_t *j, const char *key)
{
	const char *s = json_string_value(json_object_get(j, key));

	return s ? s : "";
}

static void progress(struct verify *v, const json_t *piece)
{
	const json_t *of = json_object_get(piece, "of");

	if (!of || v->n.o->json || !isatty(STDERR_FILENO))
		return;
	fprintf(stderr, "\r\033[K%lld of %lld",
		(long long)json_integer_value(json_object_get(piece, "done")),
		(long long)json_integer_value(of));
	v->shown = true;
}

static void progress_over(struct verify *v)
{
	if (v->shown)
		fputs("\r\033[K", stderr);
	v->shown = false;
}

/* below: "", or the directory with a slash, whose notes alone are wanted; a broken chain
 * always is. */
static int take(struct verify *v, const json_t *piece, const char *below, bool all)
{
	json_t *one;
	size_t i;

	json_array_foreach(json_object_get(piece, "checks"), i, one)
	{
		if (!tools_note_about(one, below))
			continue;
		if (json_array_append(v->checks, one))
			return tools_fail("out of memory");
		if (!tools_note_fine(text(one, "finding")))
			v->failed = true;
		if (v->n.o->json || (!all && tools_note_fine(text(one, "finding"))))
			continue;
		progress_over(v);
		tools_note_print_check(stdout, one);
	}
	return TOOL_OK;
}

static int ask(struct verify *v, const struct note_path *at, const char *what, const char *below,
	       bool all)
{
	struct fs_wire_message m;
	int rc = tools_notes_ask(&v->n, "note-verify", at, what, NULL, &m);

	while (!rc) {
		rc = take(v, m.json, below, all);
		if (rc || !json_is_true(json_object_get(m.json, "more")))
			break;
		progress(v, m.json);
		fs_wire_message_clear(&m);
		rc = tools_client_next(&v->n.cl, &m);
	}
	progress_over(v);
	fs_wire_message_clear(&m);
	return rc ? TOOL_FAILED : TOOL_OK;
}

static bool is_directory(const struct note_path *at)
{
	char name[3 * PATH_MAX];
	struct stat st;

	snprintf(name, sizeof(name), "%s/%s/%s", at->mount, at->journal, at->path);
	return *at->path && !lstat(name, &st) && S_ISDIR(st.st_mode);
}

static int verify_named(struct verify *v, const char *file)
{
	char below[PATH_MAX + 1] = "";
	struct note_path at;
	bool all;

	if (tools_notes_find(&v->n, file, false, &at))
		return TOOL_FAILED;
	/* Within a journal the bare name of another one is no file there. */
	if (!at.there && !strchr(file, '/') && strlen(file) < sizeof(at.journal)) {
		strcpy(at.journal, file);
		at.path[0] = '\0';
	}
	all = *at.path != '\0';
	if (is_directory(&at)) {
		snprintf(below, sizeof(below), "%s/", at.path);
		at.path[0] = '\0';
		all = false;
	}
	return ask(v, &at, file, below, all);
}

static int verify_all(struct verify *v)
{
	static const struct note_path everything;

	if (tools_notes_connect(&v->n, ""))
		return TOOL_FAILED;
	return ask(v, &everything, "all journals", "", false);
}

int tools_cmd_verify(struct tool_options *o, int argc, char **argv)
{
	struct verify v = {.n = {.o = o, .cl = {.sock = -1}}, .checks = json_array()};

	if (o->all == (argc > 0)) {
		json_decref(v.checks);
		return tools_usage(
			argc ? "--all takes no names: it verifies every journal that you may read"
			     : "name a note or a journal, or --all: journalfs verify "
			       "FILE|JOURNAL...");
	}
	if (!v.checks)
		return tools_fail("out of memory");
	if (o->all && verify_all(&v))
		v.failed = true;
	for (int i = 0; i < argc; i++) {
		if (verify_named(&v, argv[i]))
			v.failed = true;
	}
	if (o->json) {
		json_dumpf(v.checks, stdout, JSON_INDENT(2) | JSON_SORT_KEYS);
		putchar('\n');
	} else {
		tools_note_print_sum(stdout, v.checks);
	}
	if (fflush(stdout))
		v.failed = true;
	json_decref(v.checks);
	tools_notes_close(&v.n);
	return v.failed ? TOOL_FAILED : TOOL_OK;
}
