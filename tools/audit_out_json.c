/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tools/audit_out_json.c - one JSON object a line (RFC 8259).
 *
 * Invariant: each line is an object with a "kind". A row has its table's name and the columns'
 * keys: times in UTC, shares as fractions, empty texts and times left out. Records as
 * policy/FORMAT.md, JSON.
 */
#include <string.h>

#include "../policy/writer.h"
#include "audit_out_impl.h"

static size_t string(const void *of, char *to, size_t cap)
{
	struct policy_writer w = {.out = to, .cap = cap};

	policy_writer_json(&w, of);
	return policy_writer_end(&w);
}

static void put_string(struct audit_out *out, const char *text)
{
	const char *made = tools_audit_out_make(out, string, text);

	if (made)
		fputs(made, out->to);
}

static void put_line(struct audit_out *out, const char *kind, const char *key, const char *text)
{
	fprintf(out->to, "{\"kind\":\"%s\",\"%s\":", kind, key);
	put_string(out, text);
	fputs("}\n", out->to);
}

static void heading(struct audit_out *out, const char *text)
{
	put_line(out, "heading", "heading", text);
}

static void say(struct audit_out *out, const char *text)
{
	put_line(out, "note", "note", text);
}

static void row(struct audit_out *out, const struct audit_cell *cells)
{
	char plain[64];

	fputs("{\"kind\":", out->to);
	put_string(out, out->name);
	for (size_t i = 0; i < out->ncolumns; i++) {
		const struct audit_column *c = &out->columns[i];
		const char *text = tools_audit_cell_plain(c->kind, &cells[i], plain);

		if (!*text)
			continue;
		fprintf(out->to, ",\"%s\":", c->key);
		if (c->kind == AUDIT_NUMBER || c->kind == AUDIT_SHARE)
			fputs(text, out->to);
		else
			put_string(out, text);
	}
	fputs("}\n", out->to);
}

static size_t record_json(const void *of, char *to, size_t cap)
{
	return policy_record_json(of, to, cap);
}

static void record(struct audit_out *out, const struct policy_record *r)
{
	const char *made = tools_audit_out_make(out, record_json, r);

	if (made)
		fprintf(out->to, "%s\n", made);
}

const struct audit_form tools_audit_form_json = {
	.heading = heading,
	.say = say,
	.row = row,
	.record = record,
};
