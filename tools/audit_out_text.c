/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tools/audit_out_text.c - an answer for people: paragraphs, aligned tables, one line a record.
 *
 * Owns: the first rows of a table, until the widths of its columns are known.
 * Invariants: nothing hostile reaches the terminal (plain.h, policy/FORMAT.md, The line for
 * people); a table of any length takes the memory of ROWS rows; longer ones go on in the widths
 * that the first ROWS had. Columns align in display width.
 */
#include <stdlib.h>
#include <string.h>

#include "audit_out_impl.h"
#include "plain.h"

#define ROWS 1000

struct text_form {
	bool some; /* something stands before */
	char **cells;
	size_t rows;
	size_t width[AUDIT_COLUMNS];
	bool flowing; /* the widths are settled, rows are written as they come */
};

#define BOLD "\033[1m"
#define RED "\033[31m"
#define RED_BOLD "\033[1;31m"
#define YELLOW "\033[33m"
#define PLAIN "\033[0m"

static void begin(struct audit_out *out)
{
	out->own = calloc(1, sizeof(struct text_form));
	out->failed = !out->own;
}

/* Blank lines stand between the parts of an answer. */
static struct text_form *part(struct audit_out *out)
{
	struct text_form *t = out->own;

	if (t && t->some)
		fputc('\n', out->to);
	if (t)
		t->some = true;
	return t;
}

static void in_color(struct audit_out *out, const char *color, const char *text)
{
	bool colored = out->color && *color && *text;

	if (colored)
		fputs(color, out->to);
	tools_plain_put(out->to, text, 0);
	if (colored)
		fputs(PLAIN, out->to);
}

static void heading(struct audit_out *out, const char *text)
{
	struct text_form *t = part(out);

	in_color(out, BOLD, text);
	fputc('\n', out->to);
	if (t)
		t->some = false; /* what it heads follows at once */
}

static void say(struct audit_out *out, const char *text)
{
	part(out);
	tools_plain_put(out->to, text, 1);
	fputc('\n', out->to);
}

/* ---- tables */

static bool right(const struct audit_out *out, size_t i)
{
	return out->columns[i].kind == AUDIT_NUMBER || out->columns[i].kind == AUDIT_SHARE;
}

static void put_cell(struct audit_out *out, size_t i, const char *text, bool bold)
{
	const struct text_form *t = out->own;
	size_t n = tools_plain_width(text), room = t->width[i] > n ? t->width[i] - n : 0;
	bool last = i + 1 == out->ncolumns;

	if (i)
		fputs("  ", out->to);
	if (right(out, i))
		fprintf(out->to, "%*s", (int)room, "");
	in_color(out, bold ? BOLD : "", text);
	if (!right(out, i) && !last)
		fprintf(out->to, "%*s", (int)room, "");
	if (last)
		fputc('\n', out->to);
}

static void table(struct audit_out *out)
{
	struct text_form *t = part(out);

	if (!t)
		return;
	t->rows = 0;
	t->flowing = false;
	for (size_t i = 0; i < out->ncolumns; i++)
		t->width[i] = tools_plain_width(out->columns[i].title);
}

static void forget(struct text_form *t, size_t ncolumns)
{
	for (size_t i = 0; i < t->rows * ncolumns; i++)
		free(t->cells[i]);
	free(t->cells);
	t->cells = NULL;
	t->rows = 0;
}

/* The head and the rows that waited. */
static void flow(struct audit_out *out)
{
	struct text_form *t = out->own;

	t->flowing = true;
	for (size_t i = 0; i < out->ncolumns; i++)
		put_cell(out, i, out->columns[i].title, true);
	for (size_t r = 0; r < t->rows; r++)
		for (size_t i = 0; i < out->ncolumns; i++)
			put_cell(out, i, t->cells[r * out->ncolumns + i], false);
	forget(t, out->ncolumns);
}

static bool keep(struct audit_out *out, const struct audit_cell *cells)
{
	struct text_form *t = out->own;
	char text[64];

	if (!t->cells)
		t->cells = calloc(ROWS * out->ncolumns, sizeof(*t->cells));
	if (!t->cells)
		return false;
	for (size_t i = 0; i < out->ncolumns; i++) {
		const char *said = tools_audit_cell_text(out->columns[i].kind, &cells[i], text);
		char **to = &t->cells[t->rows * out->ncolumns + i];
		size_t n = tools_plain_width(said);

		*to = strdup(said);
		if (!*to) {
			t->rows++; /* so that forget finds what there is of it */
			return false;
		}
		t->width[i] = n > t->width[i] ? n : t->width[i];
	}
	t->rows++;
	return true;
}

static void row(struct audit_out *out, const struct audit_cell *cells)
{
	struct text_form *t = out->own;
	char text[64];

	if (!t)
		return;
	if (!t->flowing) {
		if (!keep(out, cells))
			out->failed = true;
		else if (t->rows == ROWS)
			flow(out);
		return;
	}
	for (size_t i = 0; i < out->ncolumns; i++)
		put_cell(out, i, tools_audit_cell_text(out->columns[i].kind, &cells[i], text),
			 false);
}

static void table_end(struct audit_out *out)
{
	struct text_form *t = out->own;

	if (!t || t->flowing)
		return;
	if (out->failed)
		forget(t, out->ncolumns);
	else if (t->rows)
		flow(out);
	else
		fputs("(none)\n", out->to);
}

/* ---- records */

static size_t record_text(const void *of, char *to, size_t cap)
{
	return policy_record_text(of, to, cap);
}

static const char *color_of(const struct policy_record *r)
{
	if (r->kind == POLICY_RECORD_ALARM || r->outcome >= 8)
		return RED_BOLD;
	if (r->kind == POLICY_RECORD_REFUSED || r->outcome)
		return RED;
	if (r->kind == POLICY_RECORD_BREAK_GLASS || r->grant)
		return YELLOW;
	return NULL;
}

static void record(struct audit_out *out, const struct policy_record *r)
{
	const char *made = tools_audit_out_make(out, record_text, r);
	const char *color = out->color ? color_of(r) : NULL;
	struct text_form *t = out->own;

	if (!made || !t)
		return;
	t->some = true;
	fprintf(out->to, "%s%s%s\n", color ? color : "", made, color ? PLAIN : "");
}

static void clear(struct audit_out *out)
{
	struct text_form *t = out->own;

	if (t)
		forget(t, out->ncolumns);
	free(t);
}

const struct audit_form tools_audit_form_text = {
	.begin = begin,
	.heading = heading,
	.say = say,
	.table = table,
	.row = row,
	.table_end = table_end,
	.record = record,
	.clear = clear,
};
