/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tools/audit_out.c - which form an answer has, where it goes, and what no form does by itself.
 *
 * Owns: the pager, the file of --html, the scratch for a record's text.
 * Invariant: a form sees tables and records in whole stretches: table, row..., table_end;
 * record..., records_end; it never sees one inside another.
 */
#include "audit_out_impl.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../policy/span.h"
#include "new_file.h"
#include "pager.h"

/* Where the one document of a process goes. */
static struct {
	struct tools_new_file file;
	FILE *pager;
} place;

int tools_audit_out_check(const struct tool_options *o)
{
	int forms = o->json + o->csv + o->fhir + (o->html != NULL);

	if (forms > 1)
		return tools_usage("one form at a time: --json, --csv, --fhir or --html");
	return TOOL_OK;
}

/* ---- a document on a stream */

struct audit_out *tools_audit_out_to(FILE *to, const struct audit_form *form, const char *title,
				     bool color)
{
	struct audit_out *out = calloc(1, sizeof(*out));

	if (!out)
		return NULL;
	out->to = to;
	out->form = form;
	out->title = title ? title : "";
	out->color = color;
	if (form->begin)
		form->begin(out);
	return out;
}

/* Ends the stretch that is open, but one of records where records follow. */
static void settle(struct audit_out *out, bool records)
{
	if (out->in_table && out->form->table_end)
		out->form->table_end(out);
	out->in_table = false;
	if (records)
		return;
	if (out->in_records && out->form->records_end)
		out->form->records_end(out);
	out->in_records = false;
}

static void look(struct audit_out *out)
{
	if (!ferror(out->to))
		return;
	if (errno == EPIPE)
		out->gone = true;
	else
		out->failed = true;
}

int tools_audit_out_end(struct audit_out *out)
{
	int rc;

	settle(out, false);
	if (out->form->end)
		out->form->end(out);
	errno = 0;
	if (!out->gone && fflush(out->to))
		look(out);
	if (ferror(out->to) && !out->gone)
		out->failed = true;
	rc = out->failed ? -1 : 0;
	if (out->form->clear)
		out->form->clear(out);
	free(out->scratch);
	free(out);
	return rc;
}

bool tools_audit_out_gone(const struct audit_out *out)
{
	return out->gone || out->failed;
}

void tools_audit_out_vault(struct audit_out *out, const uint8_t *id)
{
	if (id)
		memcpy(out->vault, id, sizeof(out->vault));
}

/* ---- what is said */

__attribute__((format(printf, 3, 0))) static void say(struct audit_out *out,
						      void (*fn)(struct audit_out *, const char *),
						      const char *fmt, va_list ap)
{
	char *text = NULL;

	settle(out, false);
	if (!fn || out->gone)
		return;
	if (vasprintf(&text, fmt, ap) < 0) {
		out->failed = true;
		return;
	}
	errno = 0;
	fn(out, text);
	look(out);
	free(text);
}

void tools_audit_out_heading(struct audit_out *out, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(out, out->form->heading, fmt, ap);
	va_end(ap);
}

void tools_audit_out_say(struct audit_out *out, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(out, out->form->say, fmt, ap);
	va_end(ap);
}

void tools_audit_out_table(struct audit_out *out, const char *name,
			   const struct audit_column *columns, size_t n)
{
	settle(out, false);
	out->ncolumns = n < AUDIT_COLUMNS ? n : AUDIT_COLUMNS;
	memcpy(out->columns, columns, out->ncolumns * sizeof(*columns));
	snprintf(out->name, sizeof(out->name), "%s", name);
	out->in_table = true;
	errno = 0;
	if (out->form->table && !out->gone)
		out->form->table(out);
	look(out);
}

void tools_audit_out_row(struct audit_out *out, const struct audit_cell *cells)
{
	if (out->gone || !out->form->row)
		return;
	errno = 0;
	out->form->row(out, cells);
	look(out);
}

void tools_audit_out_record(struct audit_out *out, const struct policy_record *r)
{
	settle(out, true);
	out->in_records = true;
	if (out->gone)
		return;
	errno = 0;
	out->form->record(out, r);
	look(out);
}

/* ---- for the forms */

const char *tools_audit_out_make(struct audit_out *out,
				 size_t (*fn)(const void *of, char *to, size_t cap), const void *of)
{
	size_t n = fn(of, out->scratch, out->scratch_cap);
	char *grown;

	if (n < out->scratch_cap)
		return out->scratch;
	grown = realloc(out->scratch, n + 1024);
	if (!grown) {
		out->failed = true;
		return NULL;
	}
	out->scratch = grown;
	out->scratch_cap = n + 1024;
	fn(of, out->scratch, out->scratch_cap);
	return out->scratch;
}

const char *tools_audit_cell_text(enum audit_column_kind kind, const struct audit_cell *cell,
				  char out[static 64])
{
	time_t t = (time_t)(cell->number / 1000000000);
	struct tm tm;

	switch (kind) {
	case AUDIT_TEXT:
		return cell->text ? cell->text : "";
	case AUDIT_NUMBER:
		snprintf(out, 64, "%" PRId64, cell->number);
		return out;
	case AUDIT_SHARE:
		snprintf(out, 64, "%" PRId64 ".%" PRId64 " %%", cell->number / 10,
			 cell->number % 10);
		return out;
	case AUDIT_TIME:
		break;
	}
	if (!cell->number || !localtime_r(&t, &tm) || !strftime(out, 64, "%Y-%m-%d %H:%M:%S", &tm))
		return "";
	return out;
}

const char *tools_audit_cell_plain(enum audit_column_kind kind, const struct audit_cell *cell,
				   char out[static 64])
{
	switch (kind) {
	case AUDIT_TEXT:
		return cell->text ? cell->text : "";
	case AUDIT_NUMBER:
		snprintf(out, 64, "%" PRId64, cell->number);
		return out;
	case AUDIT_SHARE:
		snprintf(out, 64, "%" PRId64 ".%03" PRId64, cell->number / 1000,
			 cell->number % 1000);
		return out;
	case AUDIT_TIME:
		break;
	}
	if (!cell->number)
		return "";
	policy_span_text(cell->number, 'T', 9, out);
	return out;
}

/* ---- the document of a command */

static const struct audit_form *chosen(const struct tool_options *o)
{
	if (o->json)
		return &tools_audit_form_json;
	if (o->csv)
		return &tools_audit_form_csv;
	if (o->fhir)
		return &tools_audit_form_fhir;
	return o->html ? &tools_audit_form_html : &tools_audit_form_text;
}

static bool wants_color(void)
{
	const char *no = getenv("NO_COLOR"), *term = getenv("TERM");

	return isatty(STDOUT_FILENO) && !(no && *no) && term && strcmp(term, "dumb");
}

/* The stream; NULL after a message. */
static FILE *opened(const struct tool_options *o, const struct audit_form *form, bool *color)
{
	bool shown = true;

	if (form == &tools_audit_form_html && strcmp(o->html, "-"))
		return tools_new_file_open(&place.file, o->html) ? NULL : place.file.to;
	signal(SIGPIPE, SIG_IGN);
	if (form != &tools_audit_form_text || !isatty(STDOUT_FILENO))
		return stdout;
	*color = wants_color();
	if (!o->no_pager)
		place.pager = tools_pager_open(&shown);
	*color = *color && shown;
	return place.pager ? place.pager : stdout;
}

struct audit_out *tools_audit_out_open(const struct tool_options *o, const char *title)
{
	const struct audit_form *form = chosen(o);
	struct audit_out *out;
	bool color = false;
	FILE *to;

	if (tools_audit_out_check(o))
		return NULL;
	to = opened(o, form, &color);
	if (!to)
		return NULL;
	out = tools_audit_out_to(to, form, title, color);
	if (!out) {
		tools_new_file_abort(&place.file);
		if (place.pager)
			tools_pager_close(place.pager);
		place.pager = NULL;
		tools_fail("memory is short");
	}
	return out;
}

static int finish(struct audit_out *out, bool keep)
{
	int rc = tools_audit_out_end(out) ? TOOL_FAILED : TOOL_OK;

	if (place.pager && tools_pager_close(place.pager))
		rc = TOOL_FAILED;
	place.pager = NULL;
	if (rc && keep)
		tools_fail("the output could not be written");
	if (!place.file.path)
		return rc;
	if (!rc && keep)
		return tools_new_file_commit(&place.file);
	tools_new_file_abort(&place.file);
	return rc;
}

void tools_audit_out_abort(struct audit_out *out)
{
	if (out)
		finish(out, false);
}

int tools_audit_out_close(struct audit_out *out)
{
	return finish(out, true);
}
