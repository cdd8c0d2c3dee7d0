/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tools/cmd_audit_unusual.c - audit unusual: accesses that somebody should ask about, ranked.
 */
#include <string.h>

#include "../policy/unusual.h"
#include "audit_ask.h"
#include "cmd_audit.h"

static const struct audit_column columns[] = {
	{"Score", "score", AUDIT_NUMBER},
	{"Reason", "reason", AUDIT_TEXT},
	{"Who", "who", AUDIT_TEXT},
	{"Journal", "journal", AUDIT_TEXT},
	{"First", "first", AUDIT_TIME},
	{"Last", "last", AUDIT_TIME},
	{"Records", "records", AUDIT_NUMBER},
	{"From record", "first_seq", AUDIT_NUMBER},
	{"To record", "last_seq", AUDIT_NUMBER},
	{"Why", "text", AUDIT_TEXT},
};
#define COLUMNS (sizeof(columns) / sizeof(columns[0]))

static int add(void *ctx, const struct policy_record *r)
{
	return policy_unusual_add(ctx, r);
}

static void row(struct audit_out *out, const struct policy_finding *f)
{
	const struct audit_cell cells[COLUMNS] = {
		{NULL, f->score},
		{policy_unusual_reason_text(f->reason), 0},
		{f->who, 0},
		{f->journal, 0},
		{NULL, f->first_ns},
		{NULL, f->last_ns},
		{NULL, (int64_t)f->count},
		{NULL, (int64_t)f->first_seq},
		{NULL, (int64_t)f->last_seq},
		{f->text, 0},
	};

	tools_audit_out_row(out, cells);
}

static bool shown(const struct tool_options *o, const struct policy_finding *f)
{
	return (!o->who || !strcmp(o->who, f->who)) &&
	       (!o->journal || !f->journal[0] || !strcmp(o->journal, f->journal));
}

static void tell(struct audit_ask *a, const struct tool_options *o, const struct policy_finding *f,
		 size_t n)
{
	char period[128];
	size_t told = 0;

	tools_audit_ask_period(a, period, sizeof(period));
	tools_audit_out_say(a->out,
			    "Period: %s. What the log explains is left out: entries of one's own, "
			    "stated relationships, work of the unit around the time.",
			    period);
	if (!a->practice || !policy_practice_has_hours(a->practice))
		tools_audit_out_say(a->out, "The practice policy says no working hours (`hours`): "
					    "each practitioner's own habit stands for them.");
	tools_audit_ask_unread(a);
	tools_audit_out_table(a->out, "finding", columns, COLUMNS);
	for (size_t i = 0; i < n; i++) {
		if (!shown(o, &f[i]))
			continue;
		row(a->out, &f[i]);
		told++;
	}
	tools_audit_out_say(a->out,
			    "%zu findings. Each is a question, not a verdict: ask, and look at the "
			    "records with `journalfs audit show`.",
			    told);
}

int tools_cmd_audit_unusual(struct tool_options *o, int argc, char **argv)
{
	struct policy_unusual_settings set = {.offset_s = tools_audit_ask_offset};
	const struct policy_finding *f;
	struct policy_unusual *u = NULL;
	struct audit_filter all;
	struct audit_ask a;
	size_t n;
	int rc;

	(void)argc;
	(void)argv;
	if (o->fhir)
		return tools_usage("`audit unusual` has no --fhir: a finding is no record");
	rc = tools_audit_ask_open(o, "audit unusual", "Unusual accesses", &a);
	if (rc)
		return tools_audit_ask_close(&a, rc);
	/* What somebody does is unusual against what all others do: names only choose what is told.
	 */
	all = a.f;
	all.who = all.journal = "";
	set.practice = a.practice;
	if (policy_unusual_new(&set, &u))
		rc = tools_fail("memory is short");
	if (!rc)
		rc = tools_audit_ask_read(&a, &all, add, u);
	if (!rc && policy_unusual_finish(u, &f, &n))
		rc = tools_fail("memory is short");
	if (!rc)
		tell(&a, o, f, n);
	policy_unusual_free(u);
	return tools_audit_ask_close(&a, rc);
}
