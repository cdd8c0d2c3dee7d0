/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tools/cmd_audit_practitioner.c - audit practitioner: what somebody did, in and out of working
 * hours, with and without a care relationship.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../policy/practitioner_use.h"
#include "audit_ask.h"
#include "cmd_audit.h"
#include "when.h"

static int add(void *ctx, const struct policy_record *r)
{
	return policy_use_add(ctx, r);
}

static void total_tell(struct audit_ask *a, const char *who, const struct policy_use_total *t,
		       size_t journals, size_t sessions)
{
	static const struct audit_column columns[] = {{"What", "what", AUDIT_TEXT},
						      {"How often", "count", AUDIT_NUMBER}};
	const struct {
		const char *what;
		uint64_t n;
	} rows[] = {
		{"journals", journals},
		{"notes opened", t->n.read},
		{"changes, signatures", t->n.written},
		{"opened or changed outside of working hours", t->n.off_hours},
		{"exports", t->n.exported},
		{"refusals", t->n.refused + t->logins_refused},
		{"emergency accesses", t->grants},
		{"stated care relationships", t->attends},
		{"sessions", sessions},
	};

	tools_audit_out_say(a->out, "%s%s%s%s%s", who, t->role[0] ? ", " : "", t->role,
			    t->unit[0] ? ", " : "", t->unit);
	tools_audit_out_table(a->out, "total", columns, 2);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct audit_cell cells[2] = {{rows[i].what, 0}, {NULL, (int64_t)rows[i].n}};

		tools_audit_out_row(a->out, cells);
	}
}

static void basis_tell(struct audit_ask *a, const struct policy_use_total *t)
{
	static const struct audit_column columns[] = {{"Basis", "basis", AUDIT_TEXT},
						      {"Notes opened", "count", AUDIT_NUMBER},
						      {"Share", "share", AUDIT_SHARE}};

	tools_audit_out_heading(a->out, "On what basis");
	tools_audit_out_table(a->out, "basis", columns, 3);
	for (unsigned b = 0; b < POLICY_BASIS_COUNT; b++) {
		uint64_t n = t->n.basis[b];
		const struct audit_cell cells[3] = {
			{policy_basis_text((enum policy_basis)b), 0},
			{NULL, (int64_t)n},
			{NULL, t->n.read ? (int64_t)(n * 1000 / t->n.read) : 0}};

		if (n)
			tools_audit_out_row(a->out, cells);
	}
}

static const char *relationship(const struct policy_use_journal *j)
{
	if (j->kin == POLICY_KIN_OWN)
		return "OWN JOURNAL";
	if (j->kin == POLICY_KIN_RELATIVE)
		return "A RELATIVE'S";
	if (j->related)
		return "yes";
	if (j->grants || j->n.basis[POLICY_BASIS_GRANT])
		return "emergency";
	return j->n.read ? "none in the log" : "";
}

static void journals_tell(struct audit_ask *a, const struct policy_use_journal *j, size_t n)
{
	static const struct audit_column columns[] = {
		{"Journal", "journal", AUDIT_TEXT},    {"First", "first", AUDIT_TIME},
		{"Last", "last", AUDIT_TIME},	       {"Opened", "read", AUDIT_NUMBER},
		{"Changed", "written", AUDIT_NUMBER},  {"Outside hours", "off_hours", AUDIT_NUMBER},
		{"Refused", "refused", AUDIT_NUMBER},  {"Exported", "exported", AUDIT_NUMBER},
		{"Emergency", "grants", AUDIT_NUMBER}, {"Relationship", "relationship", AUDIT_TEXT},
	};

	tools_audit_out_heading(a->out, "Journals");
	tools_audit_out_table(a->out, "journal", columns, 10);
	for (size_t i = 0; i < n; i++) {
		const struct audit_cell cells[10] = {
			{j[i].name, 0},
			{NULL, j[i].first_ns},
			{NULL, j[i].last_ns},
			{NULL, (int64_t)j[i].n.read},
			{NULL, (int64_t)j[i].n.written},
			{NULL, (int64_t)j[i].n.off_hours},
			{NULL, (int64_t)j[i].n.refused},
			{NULL, (int64_t)j[i].n.exported},
			{NULL, (int64_t)j[i].grants},
			{relationship(&j[i]), 0},
		};

		tools_audit_out_row(a->out, cells);
	}
}

static void sessions_tell(struct audit_ask *a, const struct policy_use_session *s, size_t n)
{
	static const struct audit_column columns[] = {
		{"Session", "session", AUDIT_TEXT},   {"From", "origin", AUDIT_TEXT},
		{"First", "first", AUDIT_TIME},	      {"Last", "last", AUDIT_TIME},
		{"Records", "records", AUDIT_NUMBER}, {"Ended", "ended", AUDIT_TEXT},
	};

	tools_audit_out_heading(a->out, "Sessions");
	tools_audit_out_table(a->out, "session", columns, 6);
	for (size_t i = 0; i < n; i++) {
		char id[33];
		const struct audit_cell cells[6] = {
			{id, 0},
			{s[i].origin, 0},
			{NULL, s[i].first_ns},
			{NULL, s[i].last_ns},
			{NULL, (int64_t)s[i].acts},
			{s[i].ended ? "yes" : "not in the log", 0},
		};

		for (size_t k = 0; k < sizeof(s[i].id); k++)
			snprintf(id + 2 * k, 3, "%02x", s[i].id[k]);
		tools_audit_out_row(a->out, cells);
	}
}

static int tell(struct audit_ask *a, const char *who, struct policy_use *u)
{
	const struct policy_use_total *t = policy_use_total(u);
	const struct policy_use_session *s;
	const struct policy_use_journal *j;
	size_t journals, sessions;
	char period[128];

	if (!t->first_ns && (!a->practice || !policy_practice_find(a->practice, who)))
		return tools_fail(
			"there is no practitioner %s in the policy, and nothing of one in "
			"this period of the log",
			who);
	j = policy_use_journals(u, &journals);
	s = policy_use_sessions(u, &sessions);
	tools_audit_ask_period(a, period, sizeof(period));
	tools_audit_out_say(a->out, "Period: %s. Working hours: %s.", period,
			    a->practice && policy_practice_has_hours(a->practice)
				    ? "those of the practice policy"
				    : "Monday to Friday, 07:00 to 18:00 (the practice policy says "
				      "none)");
	total_tell(a, who, t, journals, sessions);
	if (t->n.read)
		basis_tell(a, t);
	if (journals)
		journals_tell(a, j, journals);
	if (sessions)
		sessions_tell(a, s, sessions);
	tools_audit_out_say(a->out,
			    "A relationship is an entry of the practitioner's own, one that "
			    "was stated, or own work in the journal.");
	tools_audit_ask_unread(a);
	return TOOL_OK;
}

int tools_cmd_audit_practitioner(struct tool_options *o, int argc, char **argv)
{
	struct policy_use_settings set = {.offset_s = tools_audit_ask_offset};
	struct policy_use *u = NULL;
	struct audit_ask a;
	int rc;

	(void)argc;
	if (o->who)
		return tools_usage("one practitioner at a time: journalfs audit practitioner NAME");
	if (o->fhir)
		return tools_usage("`audit practitioner` has no --fhir: records come from "
				   "`journalfs audit show --who %s --fhir`",
				   argv[1]);
	o->who = argv[1];
	rc = tools_audit_ask_open(o, "audit practitioner", "What a practitioner did", &a);
	if (rc)
		return tools_audit_ask_close(&a, rc);
	set.practice = a.practice;
	if (policy_use_new(&set, &u))
		rc = tools_fail("memory is short");
	if (!rc)
		rc = tools_audit_ask_read(&a, &a.f, add, u);
	if (!rc)
		rc = tell(&a, o->who, u);
	policy_use_free(u);
	return tools_audit_ask_close(&a, rc);
}
