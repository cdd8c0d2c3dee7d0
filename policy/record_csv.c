/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy/record_csv.c - a record as a line of CSV (RFC 4180; FORMAT.md, CSV).
 *
 * Invariants: every line has the same number of cells; no cell holds a line's end, a tab or another
 * control; no text begins a formula in any cell that a spreadsheet could make of it, whatever
 * separator its language has.
 */
#include "record_csv.h"

#include <string.h>

#include "record_fields.h"
#include "span.h"
#include "utf8.h"
#include "writer.h"

/* A cell that is being written: whether a spreadsheet could take the next character for the first
 * one of a cell. */
struct cell {
	struct policy_writer *w;
	bool first;
};

static bool begins_formula(uint32_t point)
{
	return point == '=' || point == '+' || point == '-' || point == '@' || point == 0xff1d ||
	       point == 0xff0b || point == 0xff0d || point == 0xff20;
}

static bool separates(uint32_t point)
{
	return point == ',' || point == ';' || point == '|' || point == '"' || point == '\t' ||
	       point == '\n' || point == '\r';
}

static void put_point(struct cell *c, const char *p, unsigned n, uint32_t point)
{
	if (c->first && (begins_formula(point) || point == '\''))
		policy_writer_text(c->w, "'");
	if (point == '"' || point == '\\')
		policy_writer_put(c->w, p, n);
	policy_writer_put(c->w, p, n);
	c->first =
		separates(point) ||
		(c->first && (point == ' ' || point == 0xa0 || point == 0x3000 || point == '\''));
}

static void cell_add(struct cell *c, const char *text)
{
	size_t len = strlen(text);

	for (size_t i = 0; i < len;) {
		uint32_t point = 0;
		unsigned n = policy_utf8_get(text + i, len - i, &point);

		if (n && !policy_utf8_control(point)) {
			put_point(c, text + i, n, point);
		} else {
			n = n ? n : 1;
			for (unsigned k = 0; k < n; k++)
				policy_writer_format(c->w, "\\x%02x", (unsigned char)text[i + k]);
			c->first = c->first || separates(point);
		}
		i += n;
	}
}

static void put_cell(struct policy_writer *w, const char *text)
{
	struct cell c = {.w = w, .first = true};

	if (!*text)
		return;
	policy_writer_text(w, "\"");
	cell_add(&c, text);
	policy_writer_text(w, "\"");
}

size_t policy_csv_cell(const char *text, char *out, size_t cap)
{
	struct policy_writer w = {.out = out, .cap = cap};

	put_cell(&w, text);
	return policy_writer_end(&w);
}

size_t policy_record_csv_head(char *out, size_t cap)
{
	struct policy_writer w = {.out = out, .cap = cap};

	policy_writer_text(&w, "kind,lifecycle");
	for (size_t i = 0; i < policy_record_field_count; i++)
		policy_writer_format(&w, ",%s", policy_record_fields[i].json);
	policy_writer_text(&w, ",notes");
	return policy_writer_end(&w);
}

static void put_session(struct policy_writer *w, const uint8_t *session)
{
	static const uint8_t none[16];

	if (!memcmp(session, none, sizeof(none)))
		return;
	for (size_t i = 0; i < sizeof(none); i++)
		policy_writer_format(w, "%02x", session[i]);
}

static void put_field(struct policy_writer *w, const struct policy_record *r,
		      const struct policy_field *f)
{
	uint64_t v = policy_record_integer(r, f);
	char text[48];

	switch (f->type) {
	case POLICY_FIELD_TEXT:
		put_cell(w, (const char *)r + f->offset);
		return;
	case POLICY_FIELD_SESSION:
		put_session(w, r->session);
		return;
	case POLICY_FIELD_LETTER:
		if (v)
			policy_writer_format(w, "%c", (char)v);
		return;
	case POLICY_FIELD_TIME:
		if (!v)
			return;
		policy_span_text((int64_t)v, 'T', 9, text);
		policy_writer_text(w, text);
		return;
	default:
		if (v || f->offset == offsetof(struct policy_record, outcome))
			policy_writer_format(w, "%llu", (unsigned long long)v);
	}
}

/* "9 a.txt; 12 b.txt" */
static void put_notes(struct policy_writer *w, const struct policy_record *r)
{
	struct cell c = {.w = w, .first = true};
	char number[32];

	if (!r->note_count)
		return;
	policy_writer_text(w, "\"");
	for (size_t i = 0; i < r->note_count; i++) {
		struct policy_writer n = {.out = number, .cap = sizeof(number)};

		policy_writer_format(&n, "%s%llu ", i ? "; " : "",
				     (unsigned long long)r->notes[i].note);
		policy_writer_end(&n);
		cell_add(&c, number);
		cell_add(&c, r->notes[i].name ? r->notes[i].name : "");
	}
	policy_writer_text(w, "\"");
}

size_t policy_record_csv(const struct policy_record *r, char *out, size_t cap)
{
	struct policy_writer w = {.out = out, .cap = cap};
	const char *kind = policy_record_kind_text(r->kind);

	if (!strcmp(kind, "unknown"))
		policy_writer_format(&w, "%u", r->kind);
	else
		policy_writer_text(&w, kind);
	policy_writer_format(&w, ",%s", policy_record_lifecycle(r));
	for (size_t i = 0; i < policy_record_field_count; i++) {
		policy_writer_text(&w, ",");
		put_field(&w, r, &policy_record_fields[i]);
	}
	policy_writer_text(&w, ",");
	put_notes(&w, r);
	return policy_writer_end(&w);
}
