/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tools/cmd_history.c - history: what became of a note, or what was removed from a journal.
 */
#include <stdio.h>
#include <string.h>

#include "client.h"
#include "note_path.h"
#include "plain.h"
#include "when.h"

#define WHO_WIDTH 16

static const char *text(const json_t *j, const char *key)
{
	const char *s = json_string_value(json_object_get(j, key));

	return s ? s : "";
}

static json_int_t number(const json_t *j, const char *key)
{
	return json_integer_value(json_object_get(j, key));
}

static bool is_kind(const json_t *e, const char *kind)
{
	return !strcmp(text(e, "kind"), kind);
}

/* Everything in one object: state, author, events. NULL: said why. */
static json_t *fetch(struct client *cl, const struct note_path *p)
{
	json_t *all = json_array(), *out;
	struct fs_wire_message m;
	bool more = true;
	int rc;

	fs_wire_message_init(&m);
	rc = tools_client_call(cl,
			       json_pack("{s:s, s:s, s:s}", "verb", "note-history", "journal",
					 p->journal, "path", p->path),
			       NULL, 0, -1, &m);
	while (!rc && all && more) {
		json_array_extend(all, json_object_get(m.json, "events"));
		more = json_is_true(json_object_get(m.json, "more"));
		if (more)
			rc = tools_client_next(cl, &m);
	}
	out = rc || !all ? NULL
			 : json_pack("{s:s, s:s, s:s, s:s, s:O}", "journal", p->journal, "path",
				     p->path, "state", text(m.json, "state"), "author",
				     text(m.json, "author"), "events", all);
	if (out && *text(m.json, "notice"))
		tools_fail("%s", text(m.json, "notice"));
	fs_wire_message_clear(&m);
	json_decref(all);
	return out;
}

/* Number, time, who, size. */
static void print_columns(const json_t *e, bool numbered)
{
	char when[32] = "", version[24] = "";

	if (numbered)
		snprintf(version, sizeof(version), "%lld", (long long)number(e, "version"));
	if (number(e, "time_s"))
		tools_when_text(number(e, "time_s"), when);
	printf("%5s  %-16s  ", version, when);
	tools_plain_pad(stdout, text(e, "who"), WHO_WIDTH);
	if (numbered || is_kind(e, "removed"))
		printf("  %10lld", (long long)number(e, "size"));
	else
		printf("  %10s", "");
}

static void print_statement(const json_t *e)
{
	static const struct {
		const char *kind, *words;
	} what[] = {
		{"final", "final, signed"},
		{"locked", "final, not signed"},
		{"signed", "signed"},
		{"countersigned", "countersigned"},
		{"error", "entered in error"},
		{"amends", "amends"},
		{"amended-by", "amended by"},
		{"moved-to", "moved to"},
		{"moved-from", "moved here from"},
	};

	for (size_t i = 0; i < sizeof(what) / sizeof(what[0]); i++) {
		if (is_kind(e, what[i].kind))
			fputs(what[i].words, stdout);
	}
	if (*text(e, "path")) {
		putchar(' ');
		tools_plain_put(stdout, text(e, "path"), 0);
	} else if (is_kind(e, "amends") || is_kind(e, "amended-by")) {
		fputs(" another note", stdout);
	} else if (is_kind(e, "moved-to") || is_kind(e, "moved-from")) {
		fputs(" another journal", stdout);
	}
	if (*text(e, "reason")) {
		fputs(": ", stdout);
		tools_plain_put(stdout, text(e, "reason"), 0);
	}
	if (number(e, "number"))
		printf(" (statement %lld)", (long long)number(e, "number"));
}

static void print_event(const json_t *e)
{
	bool version = is_kind(e, "version");

	print_columns(e, version);
	if (is_kind(e, "removed")) {
		fputs("  removed; kept as ", stdout);
		tools_plain_put(stdout, text(e, "path"), 0);
	} else if (!version) {
		fputs("  ", stdout);
		print_statement(e);
	} else if (json_is_true(json_object_get(e, "now"))) {
		fputs("  as it is now", stdout);
	}
	putchar('\n');
}

static void print_head(const json_t *all)
{
	bool whole = !*text(all, "path");

	tools_plain_put(stdout, whole ? text(all, "journal") : text(all, "path"), 0);
	if (*text(all, "state"))
		printf(": %s", text(all, "state"));
	else
		fputs(": notes that were removed", stdout);
	if (*text(all, "author")) {
		fputs(", written by ", stdout);
		tools_plain_put(stdout, text(all, "author"), 0);
	}
	putchar('\n');
}

static void print(const json_t *all)
{
	const json_t *events = json_object_get(all, "events");
	json_t *e;
	size_t i;

	print_head(all);
	if (json_array_size(events))
		printf("%5s  %-16s  %-*s  %10s\n", "no", "changed", WHO_WIDTH, "by", "bytes");
	json_array_foreach(events, i, e) print_event(e);
	if (!json_array_size(events))
		puts("nothing is kept");
}

int tools_cmd_history(struct tool_options *o, int argc, char **argv)
{
	struct client cl = {.sock = -1};
	struct note_path p;
	struct conf c;
	json_t *all;
	int rc = TOOL_FAILED;

	(void)argc;
	if (tools_note_path(argv[0], false, &p))
		return TOOL_FAILED;
	if (!o->vault)
		o->vault = p.vault;
	if (tools_client_find(o, &c, &cl))
		return TOOL_FAILED;
	all = fetch(&cl, &p);
	if (all && o->json) {
		rc = json_dumpf(all, stdout, JSON_INDENT(2) | JSON_SORT_KEYS) ? TOOL_FAILED
									      : TOOL_OK;
		putchar('\n');
	} else if (all) {
		print(all);
		rc = TOOL_OK;
	}
	if (all && (fflush(stdout) || ferror(stdout)))
		rc = tools_fail("the output could not be written");
	json_decref(all);
	tools_client_close(&cl);
	return rc;
}
