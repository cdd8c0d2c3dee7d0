/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy/record_json.c - a record as one JSON object (RFC 8259; FORMAT.md, JSON).
 *
 * Invariant: the output is valid UTF-8 whatever the record holds: a byte that is no
 * UTF-8 becomes \ufffd, controls and marks that turn text around become \u escapes.
 */
#include "record.h"

#include <string.h>

#include "record_fields.h"
#include "span.h"
#include "writer.h"

static void put(struct policy_writer *w, const char *text)
{
	policy_writer_text(w, text);
}

static void put_string(struct policy_writer *w, const char *text)
{
	policy_writer_json(w, text);
}

static void put_value(struct policy_writer *w, const struct policy_record *r,
		      const struct policy_field *f)
{
	const char *at = (const char *)r + f->offset;
	unsigned long long v = policy_record_integer(r, f);
	char text[48] = "";

	switch (f->type) {
	case POLICY_FIELD_TEXT:
		put_string(w, at);
		break;
	case POLICY_FIELD_SESSION:
		put(w, "\"");
		for (unsigned i = 0; i < f->size; i++)
			policy_writer_format(w, "%02x", (unsigned char)at[i]);
		put(w, "\"");
		break;
	case POLICY_FIELD_TIME:
		policy_span_text((int64_t)v, 'T', 9, text);
		put_string(w, text);
		break;
	case POLICY_FIELD_LETTER:
		text[0] = (char)v;
		put_string(w, text);
		break;
	case POLICY_FIELD_ID:
		policy_writer_format(w, "\"%llu\"", v);
		break;
	default:
		policy_writer_format(w, "%llu", v);
	}
}

static bool is_set(const struct policy_record *r, const struct policy_field *f)
{
	static const uint8_t none[16];
	const char *at = (const char *)r + f->offset;

	if (f->type == POLICY_FIELD_TEXT)
		return at[0] != '\0';
	if (f->type == POLICY_FIELD_SESSION)
		return memcmp(at, none, sizeof(none)) != 0;
	return policy_record_integer(r, f) != 0;
}

static void put_notes(struct policy_writer *w, const struct policy_record *r)
{
	put(w, ",\"notes\":[");
	for (size_t i = 0; i < r->note_count; i++) {
		policy_writer_format(w, "%s{\"note\":\"%llu\",\"name\":", i ? "," : "",
				     (unsigned long long)r->notes[i].note);
		put_string(w, r->notes[i].name ? r->notes[i].name : "");
		put(w, "}");
	}
	put(w, "]");
}

size_t policy_record_json(const struct policy_record *r, char *out, size_t cap)
{
	struct policy_writer w = {.out = out, .cap = cap};

	policy_writer_format(&w, "{\"kind\":\"%s\"", policy_record_kind_text(r->kind));
	if (!strcmp(policy_record_kind_text(r->kind), "unknown"))
		policy_writer_format(&w, ",\"kind_code\":%u", r->kind);
	if (*policy_record_lifecycle(r))
		policy_writer_format(&w, ",\"lifecycle\":\"%s\"", policy_record_lifecycle(r));
	for (size_t i = 0; i < policy_record_field_count; i++) {
		const struct policy_field *f = &policy_record_fields[i];

		/* A reader wants these two to be there whatever their value. */
		if (!is_set(r, f) && strcmp(f->json, "outcome") && strcmp(f->json, "time"))
			continue;
		policy_writer_format(&w, ",\"%s\":", f->json);
		put_value(&w, r, f);
	}
	if (r->note_count)
		put_notes(&w, r);
	put(&w, "}");
	return policy_writer_end(&w);
}
