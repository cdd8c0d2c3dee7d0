/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tools/cmd_finalize.c - finalize: locks notes for ever and signs them.
 *
 * First everything that is named is looked at, and shown with whose it is; then it is asked for
 * once; then notes are locked one after another, each only if it is still what was shown. One that
 * is refused is said, and the others go on. With
 * --stdin the FILEs come from standard input, as file managers' scripts give them; --confirm
 * PROGRAM asks by a program instead of at the terminal. --ask only shows.
 */
#include <stdlib.h>
#include <string.h>

#include "note_text.h"
#include "notes.h"

/* What was named, and what is there to lock. */
struct group {
	struct note_path at;
	json_t *notes; /* as `note-look` gave them; NULL: it was refused */
};

struct finalize {
	struct notes n;
	struct group *group;
	int groups;
	size_t yes, no, locked;
	bool failed;
};

static int look(struct finalize *f, const char *file, struct group *g)
{
	struct fs_wire_message m;

	if (tools_notes_find(&f->n, file, false, &g->at))
		return TOOL_FAILED;
	if (!tools_notes_ask(&f->n, "note-look", &g->at, file, NULL, &m))
		g->notes = tools_notes_gather(&f->n, &m, "notes");
	fs_wire_message_clear(&m);
	return g->notes ? TOOL_OK : TOOL_FAILED;
}

static void show(const struct finalize *f, FILE *others, FILE *list)
{
	for (int i = 0; i < f->groups; i++)
		tools_note_print_others(others, f->group[i].at.journal, f->group[i].notes);
	if (f->yes)
		fprintf(list, "Will be locked and signed:\n");
	for (int i = 0; i < f->groups; i++)
		tools_note_print_list(list, f->group[i].at.journal, f->group[i].notes);
	fflush(list);
}

/* In a window, say: --confirm PROGRAM. */
static int consent_by(const struct finalize *f)
{
	char *text = NULL;
	size_t len = 0;
	FILE *to = open_memstream(&text, &len);
	int rc = TOOL_FAILED;

	if (to)
		show(f, to, to);
	if (to && !fclose(to))
		rc = tools_notes_consent_by(f->n.o->confirm, text, len, "nothing was locked");
	else
		tools_fail("out of memory");
	free(text);
	return rc;
}

static int consent(const struct finalize *f)
{
	char question[128];

	if (f->n.o->confirm)
		return consent_by(f);
	if (f->yes == 1)
		snprintf(question, sizeof(question), "Lock and sign this note for ever?");
	else
		snprintf(question, sizeof(question), "Lock and sign these %zu notes for ever?",
			 f->yes);
	return tools_notes_consent(f->n.o, question, "nothing was locked");
}

static int lock_one(struct finalize *f, const struct note_path *in, const char *path,
		    const char *stamp)
{
	struct note_path at = *in;
	struct fs_wire_message m;
	char name[256 + PATH_MAX];
	int rc;

	snprintf(at.path, sizeof(at.path), "%s", path);
	snprintf(name, sizeof(name), "%s/%s", at.journal, at.path);
	rc = tools_notes_ask(&f->n, "note-finalize", &at, name,
			     json_pack("{s:s}", "stamp", stamp ? stamp : ""), &m);
	if (!rc) {
		f->locked++;
		tools_notes_print(stdout, "Locked and signed: %s\n", name);
		if (json_is_true(json_object_get(m.json, "wants")))
			tools_notes_print(stdout,
					  "  It wants the signature of a second practitioner: "
					  "journalfs sign FILE\n");
	}
	fs_wire_message_clear(&m);
	return rc ? TOOL_FAILED : TOOL_OK;
}

static void lock_all(struct finalize *f)
{
	for (int g = 0; g < f->groups; g++) {
		json_t *one;
		size_t i;

		if (f->group[g].notes && tools_notes_connect(&f->n, f->group[g].at.vault)) {
			f->failed = true;
			continue;
		}
		json_array_foreach(f->group[g].notes, i, one)
		{
			const char *may = json_string_value(json_object_get(one, "may"));
			const char *path = json_string_value(json_object_get(one, "path"));

			if (may && path && !strcmp(may, "yes") &&
			    lock_one(f, &f->group[g].at, path,
				     json_string_value(json_object_get(one, "stamp"))))
				f->failed = true;
		}
	}
}

/* A note that was named twice, or by itself and by its directory, is one. */
static bool named_before(const struct finalize *f, const struct group *g, const char *path)
{
	for (const struct group *b = f->group; b < g; b++) {
		json_t *one;
		size_t i;

		if (strcmp(b->at.vault, g->at.vault) || strcmp(b->at.journal, g->at.journal))
			continue;
		json_array_foreach(b->notes, i, one)
		{
			const char *other = json_string_value(json_object_get(one, "path"));

			if (other && !strcmp(other, path))
				return true;
		}
	}
	return false;
}

static void drop_repeats(struct finalize *f, struct group *g)
{
	for (size_t i = json_array_size(g->notes); i-- > 0;) {
		const json_t *one = json_array_get(g->notes, i);
		const char *path = json_string_value(json_object_get(one, "path"));

		if (path && named_before(f, g, path))
			json_array_remove(g->notes, i);
	}
}

static int finalize(struct finalize *f, int argc, char **argv)
{
	f->group = calloc((size_t)argc, sizeof(*f->group));
	if (!f->group)
		return tools_fail("out of memory");
	for (f->groups = 0; f->groups < argc; f->groups++)
		if (look(f, argv[f->groups], &f->group[f->groups]))
			f->failed = true;
	for (int i = 0; i < f->groups; i++) {
		drop_repeats(f, &f->group[i]);
		f->yes += tools_note_count(f->group[i].notes, "yes");
		f->no += tools_note_count(f->group[i].notes, "no");
	}
	show(f, stderr, stdout);
	if (!f->yes)
		return f->failed || f->no ? TOOL_FAILED : tools_fail("there is no note to lock");
	if (f->n.o->ask)
		return f->failed || f->no ? TOOL_FAILED : TOOL_OK;
	if (consent(f))
		return TOOL_FAILED;
	lock_all(f);
	if (f->yes > 1)
		printf("%zu of %zu notes are locked and signed.\n", f->locked, f->yes);
	return f->failed || f->no ? TOOL_FAILED : TOOL_OK;
}

int tools_cmd_finalize(struct tool_options *o, int argc, char **argv)
{
	struct finalize f = {.n = {.o = o, .cl = {.sock = -1}}};
	char **names = NULL;
	int rc;

	if (o->confirm && (o->yes || o->ask))
		return tools_usage("--confirm asks: it does not go with --yes or --ask");
	if (o->from_stdin == (argc > 0))
		return tools_usage(
			argc ? "with --stdin all files are named on standard input, none by "
			       "arguments"
			     : "name the notes, or directories of notes, that are finished: "
			       "journalfs finalize FILE...");
	if (o->from_stdin && tools_notes_stdin(0, &names, &argc))
		return TOOL_FAILED;
	rc = finalize(&f, argc, names ? names : argv);
	for (int i = 0; i < f.groups; i++)
		json_decref(f.group[i].notes);
	free(f.group);
	if (names)
		free(names[0]);
	free(names);
	tools_notes_close(&f.n);
	return rc;
}
