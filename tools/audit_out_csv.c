/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tools/audit_out_csv.c - tables and records as CSV (RFC 4180): CR LF, a head line, quoted texts.
 *
 * Invariants: the lines of one table have the same number of cells; a table behind another is set
 * off by an empty line and has a head of its own; what is not of a table goes to standard error.
 * Formulas: policy/record_csv.h.
 */
#include <string.h>

#include "../policy/record_csv.h"
#include "audit_out_impl.h"
#include "plain.h"

static void say(struct audit_out *out, const char *text)
{
	(void)out;
	fputs("journalfs: ", stderr);
	tools_plain_put(stderr, text, 1);
	fputc('\n', stderr);
}

/* own marks that a table stands before. */
static void part(struct audit_out *out)
{
	if (out->own)
		fputs("\r\n", out->to);
	out->own = out;
}

static void table(struct audit_out *out)
{
	part(out);
	for (size_t i = 0; i < out->ncolumns; i++)
		fprintf(out->to, "%s%s", i ? "," : "", out->columns[i].key);
	fputs("\r\n", out->to);
}

static size_t cell(const void *of, char *to, size_t cap)
{
	return policy_csv_cell(of, to, cap);
}

static void row(struct audit_out *out, const struct audit_cell *cells)
{
	char plain[64];

	for (size_t i = 0; i < out->ncolumns; i++) {
		enum audit_column_kind kind = out->columns[i].kind;
		const char *text = tools_audit_cell_plain(kind, &cells[i], plain);

		if (kind == AUDIT_TEXT)
			text = tools_audit_out_make(out, cell, text);
		fprintf(out->to, "%s%s", i ? "," : "", text ? text : "");
	}
	fputs("\r\n", out->to);
}

static size_t head_csv(const void *of, char *to, size_t cap)
{
	(void)of;
	return policy_record_csv_head(to, cap);
}

static size_t record_csv(const void *of, char *to, size_t cap)
{
	return policy_record_csv(of, to, cap);
}

static void record(struct audit_out *out, const struct policy_record *r)
{
	const char *made;

	if (!out->ncolumns) { /* the head stands where ncolumns is not 0 */
		part(out);
		made = tools_audit_out_make(out, head_csv, NULL);
		fprintf(out->to, "%s\r\n", made ? made : "");
		out->ncolumns = 1;
	}
	made = tools_audit_out_make(out, record_csv, r);
	if (made)
		fprintf(out->to, "%s\r\n", made);
}

static void records_end(struct audit_out *out)
{
	out->ncolumns = 0;
}

const struct audit_form tools_audit_form_csv = {
	.say = say,
	.table = table,
	.row = row,
	.table_end = records_end,
	.record = record,
	.records_end = records_end,
};
