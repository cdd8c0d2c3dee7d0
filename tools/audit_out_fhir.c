/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tools/audit_out_fhir.c - records as one FHIR R4 Bundle (type collection) of AuditEvents.
 *
 * Invariants: the bundle is written as it comes, one entry a line, so that ten million records take
 * no memory; without records there is no "entry" (FHIR knows no empty arrays). What is no record
 * cannot stand in it: that is said on standard error, once for each table.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../policy/record_fhir.h"
#include "../policy/span.h"
#include "audit_out_impl.h"
#include "plain.h"

struct event {
	const struct policy_record *record;
	const uint8_t *vault;
};

static void begin(struct audit_out *out)
{
	char now[48];

	policy_span_text((int64_t)time(NULL) * 1000000000, 'T', 0, now);
	fprintf(out->to,
		"{\"resourceType\":\"Bundle\",\"type\":\"collection\",\"timestamp\":\"%s\"", now);
}

static void say(struct audit_out *out, const char *text)
{
	(void)out;
	fputs("journalfs: ", stderr);
	tools_plain_put(stderr, text, 1);
	fputc('\n', stderr);
}

static void table(struct audit_out *out)
{
	fprintf(stderr, "journalfs: --fhir holds records; the table \"%s\" is left out of it\n",
		out->name);
}

static size_t event_json(const void *of, char *to, size_t cap)
{
	const struct event *e = of;

	return policy_record_fhir(e->record, e->vault, to, cap);
}

static void record(struct audit_out *out, const struct policy_record *r)
{
	const struct event e = {.record = r, .vault = out->vault};
	const char *made = tools_audit_out_make(out, event_json, &e);
	char url[48];

	if (!made)
		return;
	policy_record_fhir_url(r, url);
	fprintf(out->to, "%s{\"fullUrl\":\"%s\",\"resource\":%s}",
		out->own ? ",\n" : ",\"entry\":[\n", url, made);
	out->own = out; /* an entry stands before */
}

static void end(struct audit_out *out)
{
	fputs(out->own ? "\n]}\n" : "}\n", out->to);
}

const struct audit_form tools_audit_form_fhir = {
	.begin = begin,
	.say = say,
	.table = table,
	.record = record,
	.end = end,
};
