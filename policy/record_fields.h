/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy/record_fields.h - the one table of a record's fields: tag, place, type and name in JSON.
 * Only for record*.c, and of it the writer for replay_story*.c. Tags are for ever (FORMAT.md).
 */
#ifndef POLICY_RECORD_FIELDS_H
#define POLICY_RECORD_FIELDS_H

#include "record.h"

enum policy_field_type {
	POLICY_FIELD_U8,
	POLICY_FIELD_U32,
	POLICY_FIELD_U64,
	POLICY_FIELD_ID,     /* u64; a string in JSON, for readers whose numbers have 53 bits */
	POLICY_FIELD_TIME,   /* i64, ns since 1970 */
	POLICY_FIELD_LETTER, /* one ASCII character */
	POLICY_FIELD_TEXT,
	POLICY_FIELD_SESSION, /* 16 bytes; hexadecimal in JSON */
};

enum { POLICY_TAG_END = 0, POLICY_TAG_NOTE = 64 };

struct policy_field {
	uint8_t tag;
	uint8_t type;	 /* enum policy_field_type */
	uint16_t offset; /* in struct policy_record */
	uint16_t size;
	const char *json;
};

extern const struct policy_field policy_record_fields[];
extern const size_t policy_record_field_count;

/* The value of an integer field, whatever its width. */
uint64_t policy_record_integer(const struct policy_record *r, const struct policy_field *f);

/* Appends to out like snprintf: needed counts on beyond cap, out is always terminated. */
struct policy_writer {
	char *out;
	size_t cap;
	size_t needed;
};

void policy_writer_put(struct policy_writer *w, const char *p, size_t len);
void policy_writer_format(struct policy_writer *w, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* text without anything that a terminal could act on; quote is escaped too where it is not 0. */
void policy_writer_escaped(struct policy_writer *w, const char *text, char quote);
void policy_writer_quoted(struct policy_writer *w, const char *text);
/* A name, in quotes only where it needs them. */
void policy_writer_name(struct policy_writer *w, const char *name);
/* Terminates; returns the length needed. */
size_t policy_writer_end(struct policy_writer *w);

#endif
