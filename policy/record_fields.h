/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy/record_fields.h - the one table of a record's fields: tag, place, type and name in JSON.
 * Only for record.c, record_json.c and record_csv.c. Tags are for ever (FORMAT.md).
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

#endif
