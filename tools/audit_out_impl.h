/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tools/audit_out_impl.h - what the forms of audit_out share. Only for audit_out*.c and their
 * tests.
 */
#ifndef TOOLS_AUDIT_OUT_IMPL_H
#define TOOLS_AUDIT_OUT_IMPL_H

#include <stdio.h>

#include "audit_out.h"

#define AUDIT_COLUMNS 16 /* of a table, at most */

/* One form. Functions that are NULL leave the thing out. Texts come as they are: hostile. */
struct audit_form {
	void (*begin)(struct audit_out *out);
	void (*heading)(struct audit_out *out, const char *text);
	void (*say)(struct audit_out *out, const char *text);
	void (*table)(struct audit_out *out);
	void (*row)(struct audit_out *out, const struct audit_cell *cells);
	void (*table_end)(struct audit_out *out);
	void (*record)(struct audit_out *out, const struct policy_record *r);
	void (*records_end)(struct audit_out *out); /* something that is no record follows */
	void (*end)(struct audit_out *out);
	void (*clear)(struct audit_out *out); /* frees what out->own holds */
};
extern const struct audit_form tools_audit_form_text, tools_audit_form_csv, tools_audit_form_json,
	tools_audit_form_fhir, tools_audit_form_html;

struct audit_out {
	const struct audit_form *form;
	FILE *to;
	const char *title; /* the caller's */
	bool color, gone, failed;
	uint8_t vault[16]; /* zero: not known */
	char name[64];	   /* the table's */
	struct audit_column columns[AUDIT_COLUMNS];
	size_t ncolumns;
	bool in_table, in_records;
	char *scratch; /* of tools_audit_out_make */
	size_t scratch_cap;
	void *own; /* the form's */
};

/* A document on `to`, which stays the caller's. NULL when memory is short. */
struct audit_out *tools_audit_out_to(FILE *to, const struct audit_form *form, const char *title,
				     bool color);
/* Ends it; 0, or -1 when not all could be written. */
int tools_audit_out_end(struct audit_out *out);

/* What fn writes like snprintf, whole, in out's scratch; NULL (and out->failed) without memory. */
const char *tools_audit_out_make(struct audit_out *out,
				 size_t (*fn)(const void *of, char *to, size_t cap),
				 const void *of);
/* A cell as people read it, unescaped: local time, grouped by nothing, per cent. */
const char *tools_audit_cell_text(enum audit_column_kind kind, const struct audit_cell *cell,
				  char out[static 64]);
/* A cell as programs read it: UTC, plain numbers, a fraction. */
const char *tools_audit_cell_plain(enum audit_column_kind kind, const struct audit_cell *cell,
				   char out[static 64]);

#endif
