/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tools/audit_out_html.c - an answer as one page (html.h), to be read, printed or given out.
 *
 * Invariants: tags balance whatever is said in which order; rows are written as they come, so that
 * a page of any length takes no memory.
 */
#include <string.h>

#include "audit_out_impl.h"
#include "html.h"

static void begin(struct audit_out *out)
{
	tools_html_begin(out->to, *out->title ? out->title : "Access log");
}

static void put(struct audit_out *out, const char *before, const char *text, const char *after)
{
	fputs(before, out->to);
	tools_html_text(out->to, text);
	fputs(after, out->to);
}

static void heading(struct audit_out *out, const char *text)
{
	put(out, "<h2>", text, "</h2>\n");
}

static void say(struct audit_out *out, const char *text)
{
	put(out, "<p>", text, "</p>\n");
}

static const char *class_of(enum audit_column_kind kind)
{
	return kind == AUDIT_NUMBER || kind == AUDIT_SHARE ? " class=\"n\"" : "";
}

static void table(struct audit_out *out)
{
	fputs("<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"", out->to);
	put(out, "", out->name, "\">\n<table>\n<thead>\n<tr>");
	for (size_t i = 0; i < out->ncolumns; i++) {
		fprintf(out->to, "<th scope=\"col\"%s>", class_of(out->columns[i].kind));
		put(out, "", out->columns[i].title, "</th>");
	}
	fputs("</tr>\n</thead>\n<tbody>\n", out->to);
}

static void row(struct audit_out *out, const struct audit_cell *cells)
{
	char text[64];

	fputs("<tr>", out->to);
	for (size_t i = 0; i < out->ncolumns; i++) {
		enum audit_column_kind kind = out->columns[i].kind;

		fprintf(out->to, "<td%s>", class_of(kind));
		if (kind == AUDIT_TIME)
			tools_html_time(out->to, cells[i].number, 0);
		else
			tools_html_text(out->to, tools_audit_cell_text(kind, &cells[i], text));
		fputs("</td>", out->to);
	}
	fputs("</tr>\n", out->to);
}

static void table_end(struct audit_out *out)
{
	fputs("</tbody>\n</table>\n</div>\n", out->to);
}

/* ---- records: a table of their own */

static const char *const record_columns[] = {"When", "Who", "What", "Journal", "Note", "Why"};

static void records_begin(struct audit_out *out)
{
	fputs("<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"records\">\n"
	      "<table>\n<thead>\n<tr>",
	      out->to);
	for (size_t i = 0; i < sizeof(record_columns) / sizeof(record_columns[0]); i++)
		fprintf(out->to, "<th scope=\"col\">%s</th>", record_columns[i]);
	fputs("</tr>\n</thead>\n<tbody>\n", out->to);
	out->own = out; /* a table is open */
}

/* Texts that are there, with a comma and a blank between. */
static void put_parts(struct audit_out *out, const char *const *parts, size_t n)
{
	bool some = false;

	for (size_t i = 0; i < n; i++) {
		if (!parts[i] || !*parts[i])
			continue;
		put(out, some ? ", " : "", parts[i], "");
		some = true;
	}
}

static void put_who(struct audit_out *out, const struct policy_record *r)
{
	const char *as[] = {r->role, r->unit};

	put(out, "<td>", r->who, "");
	if (r->role[0] || r->unit[0]) {
		fputs(" (", out->to);
		put_parts(out, as, 2);
		fputs(")", out->to);
	}
	fputs("</td>", out->to);
}

static void put_note(struct audit_out *out, const struct policy_record *r)
{
	put(out, "<td>", r->name, "");
	if (r->name2[0])
		put(out, " \xe2\x86\x92 ", r->name2, "");
	for (size_t i = 0; i < r->note_count; i++)
		put(out, i ? ", " : "", r->notes[i].name ? r->notes[i].name : "", "");
	fputs("</td>", out->to);
}

static void record(struct audit_out *out, const struct policy_record *r)
{
	const char *why[] = {r->purpose, r->rule, r->detail, r->reason};

	if (!out->own)
		records_begin(out);
	fputs("<tr><td>", out->to);
	tools_html_time(out->to, r->time_ns, 1);
	fputs("</td>", out->to);
	put_who(out, r);
	put(out, "<td>", policy_record_kind_text(r->kind),
	    r->outcome >= 8 && r->kind != POLICY_RECORD_ALARM ? " (failed)</td>" : "</td>");
	put(out, "<td>", r->journal_name, "</td>");
	put_note(out, r);
	fputs("<td>", out->to);
	put_parts(out, why, 4);
	fputs("</td></tr>\n", out->to);
}

static void records_end(struct audit_out *out)
{
	table_end(out);
	out->own = NULL;
}

static void end(struct audit_out *out)
{
	tools_html_end(out->to);
}

const struct audit_form tools_audit_form_html = {
	.begin = begin,
	.heading = heading,
	.say = say,
	.table = table,
	.row = row,
	.table_end = table_end,
	.record = record,
	.records_end = records_end,
	.end = end,
};
