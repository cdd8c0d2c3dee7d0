/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tools/audit_out.h - what an `audit` command says, in the form that was asked for.
 *
 * People (colour and a pager on a terminal), --json (one object a line), --csv (RFC 4180), --fhir
 * (R4 Bundle of AuditEvents; records only), --html (one page; what `audit patient` gives out). A
 * command says headings, paragraphs, tables and records once; this knows the forms. Names from the
 * log are hostile: each form escapes as it must (terminal controls, CSV formulas, HTML).
 */
#ifndef TOOLS_AUDIT_OUT_H
#define TOOLS_AUDIT_OUT_H

#include <stdbool.h>
#include <stdint.h>

#include "../policy/record.h"
#include "tool.h"

struct audit_out;

enum audit_column_kind {
	AUDIT_TEXT,
	AUDIT_NUMBER,
	AUDIT_TIME /* ns since 1970, 0: none */,
	AUDIT_SHARE /* per mille */
};
struct audit_column {
	const char *title; /* for people */
	const char *key;   /* in JSON and CSV */
	enum audit_column_kind kind;
};
struct audit_cell {	  /* by the column's kind */
	const char *text; /* NULL: empty */
	int64_t number;
};

/* Two forms at once are wrong usage (--html too). TOOL_OK, TOOL_USAGE after a message. Asked once
 * for all `audit` commands, before they run. */
int tools_audit_out_check(const struct tool_options *o);
/*
 * The form by o's options. People's goes through a pager on a terminal; --html FILE is written
 * beside the file and takes its place at close ("-": standard output). A reader that goes away (a
 * pager that was left, `| head`) is no failure. One at a time in a process. NULL after a message.
 */
struct audit_out *tools_audit_out_open(const struct tool_options *o, const char *title);
void tools_audit_out_heading(struct audit_out *out, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* A paragraph; in JSON {"note": ...}, in CSV left out, on standard error. */
void tools_audit_out_say(struct audit_out *out, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* A table begins; name: the object's "kind" in JSON. Rows follow until the next call that is no
 * row. */
void tools_audit_out_table(struct audit_out *out, const char *name,
			   const struct audit_column *columns, size_t n);
void tools_audit_out_row(struct audit_out *out, const struct audit_cell *cells);
/* One record of the log, in any form. */
void tools_audit_out_record(struct audit_out *out, const struct policy_record *r);
/* Whether nobody reads any more: a command may stop early. */
bool tools_audit_out_gone(const struct audit_out *out);
/* The vault's id (16 bytes), which --fhir puts into each source; before the first record. */
void tools_audit_out_vault(struct audit_out *out, const uint8_t *id);
/* Ends the document without the file of --html: for a command that failed. NULL is legal. */
void tools_audit_out_abort(struct audit_out *out);
/* Ends the document. TOOL_OK, or TOOL_FAILED: it could not all be written (said). */
int tools_audit_out_close(struct audit_out *out);

#endif
