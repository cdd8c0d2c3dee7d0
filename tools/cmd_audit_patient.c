/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tools/cmd_audit_patient.c - audit patient: the statement that a patient may get.
 *
 * Whether it names people or units, and whether it has refused attempts, the practice policy says
 * (`statement`). Names of notes only with --all. Prints well as --html; PDF through the browser.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../policy/basis.h"
#include "../policy/patient.h"
#include "audit_ask.h"
#include "cmd_audit.h"
#include "when.h"

struct statement {
	struct audit_ask ask;
	struct policy_patient_view view;
	struct policy_patient *p;
	bool fhir;
};

static int add(void *ctx, const struct policy_record *r)
{
	struct statement *st = ctx;
	struct policy_record *shown;

	if (!st->fhir)
		return policy_patient_add(st->p, r);
	shown = malloc(sizeof(*shown));
	if (!shown)
		return -1;
	if (policy_patient_record(&st->view, r, shown))
		tools_audit_out_record(st->ask.out, shown);
	free(shown);
	return 0;
}

static const char *title_of(const struct statement *st)
{
	const struct policy_practice *p = st->ask.practice;

	return p && policy_practice_settings(p)->title[0] ? policy_practice_settings(p)->title
							  : "the practice";
}

/* A unit by its title, as patients know it. */
static const char *by(const struct statement *st, const struct policy_visit *v)
{
	const struct policy_unit *unit = !st->view.names && st->ask.practice
						 ? policy_practice_unit(st->ask.practice, v->by)
						 : NULL;

	if (unit && unit->title[0])
		return unit->title;
	return v->by[0] ? v->by : title_of(st);
}

static void row(const struct statement *st, const struct policy_visit *v)
{
	char did[128], emergency[64];
	struct audit_cell cells[9] = {
		{NULL, v->first_ns},
		{NULL, v->last_ns},
		{by(st, v), 0},
		{v->role, 0},
		{policy_basis_purpose(v->purpose), 0},
		{did, 0},
		{v->reason, 0},
		{emergency, 0},
		{v->note_list, 0},
	};

	policy_patient_did(v, did, sizeof(did));
	snprintf(emergency, sizeof(emergency), "%s", v->grant ? "EMERGENCY" : "");
	tools_audit_out_row(st->ask.out, cells);
}

static void begin(struct statement *st, const char *journal)
{
	char period[128], now[32];

	tools_audit_ask_period(&st->ask, period, sizeof(period));
	tools_audit_out_say(st->ask.out, "Journal: %s", journal);
	tools_audit_out_say(st->ask.out, "Period: %s. Made %s by %s.", period,
			    tools_when_text((int64_t)time(NULL), now), title_of(st));
	tools_audit_out_say(
		st->ask.out,
		"Each line is one occasion on which somebody used this journal: from when "
		"to when, by %s, as what, for what, and what was done. EMERGENCY marks "
		"access that was taken past the usual rules; each of these is reviewed.",
		st->view.names ? "whom" : "which unit");
	if (!st->view.refused)
		tools_audit_out_say(st->ask.out,
				    "Attempts that were refused opened nothing and are left out.");
}

static void end(struct statement *st, size_t n)
{
	if (!n && !tools_audit_ask_named(&st->ask))
		tools_audit_out_say(st->ask.out,
				    "NO JOURNAL OF THAT NAME IS KNOWN, now or before: look at how "
				    "it is spelled. This is no statement.");
	else if (!n)
		tools_audit_out_say(st->ask.out, "Nobody used this journal in the period.");
	tools_audit_ask_unread(&st->ask);
	tools_audit_ask_integrity(&st->ask);
	tools_audit_out_say(
		st->ask.out,
		"Whoever wants to know more about a line, or thinks that somebody should "
		"not have been there, asks %s and names the line's time.",
		title_of(st));
}

static void tell(struct statement *st, const char *journal)
{
	static const struct audit_column columns[] = {
		{"From", "from", AUDIT_TIME},	  {"Until", "until", AUDIT_TIME},
		{"By", "by", AUDIT_TEXT},	  {"As", "role", AUDIT_TEXT},
		{"For", "purpose", AUDIT_TEXT},	  {"What", "what", AUDIT_TEXT},
		{"Reason", "reason", AUDIT_TEXT}, {"Emergency", "emergency", AUDIT_TEXT},
		{"Notes", "notes", AUDIT_TEXT},
	};
	const struct policy_visit *v;
	size_t n;

	policy_patient_finish(st->p, &v, &n);
	begin(st, journal);
	if (n)
		tools_audit_out_table(st->ask.out, "visit", columns, st->view.notes ? 9 : 8);
	for (size_t i = 0; i < n; i++)
		row(st, &v[i]);
	end(st, n);
}

static void view_of(struct statement *st, const struct tool_options *o)
{
	const struct policy_settings *s =
		st->ask.practice ? policy_practice_settings(st->ask.practice) : NULL;

	st->view.names = s && s->statement_names;
	st->view.refused = s && s->statement_refused;
	st->view.notes = o->all;
}

int tools_cmd_audit_patient(struct tool_options *o, int argc, char **argv)
{
	struct statement st = {.fhir = o->fhir};
	int rc;

	(void)argc;
	if (o->journal || o->who)
		return tools_usage("a statement is of one journal, and of all who used it: "
				   "journalfs audit patient JOURNAL [--since TIME] [--until TIME]");
	o->journal = argv[1];
	rc = tools_audit_ask_open(o, "audit patient", "Who has used the journal", &st.ask);
	if (rc)
		return tools_audit_ask_close(&st.ask, rc);
	st.ask.f.own = true; /* who asked about a journal did not use it */
	view_of(&st, o);
	if (policy_patient_new(&st.view, &st.p))
		rc = tools_fail("memory is short");
	if (!rc)
		rc = tools_audit_ask_read(&st.ask, &st.ask.f, add, &st);
	if (!rc && !st.fhir)
		tell(&st, o->journal);
	policy_patient_free(st.p);
	return tools_audit_ask_close(&st.ask, rc);
}
