/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tools/cmd_audit_sample.c - audit sample: a random sample of accesses for the systematic review,
 * which anybody can draw again; --sign-off records what was sampled and what was found.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "../keys/label.h"
#include "../policy/basis.h"
#include "../policy/sample.h"
#include "audit_ask.h"
#include "cmd_audit.h"

static const struct audit_column columns[] = {
	{"Record", "seq", AUDIT_NUMBER},    {"When", "time", AUDIT_TIME},
	{"Who", "who", AUDIT_TEXT},	    {"As", "role", AUDIT_TEXT},
	{"Unit", "unit", AUDIT_TEXT},	    {"What", "what", AUDIT_TEXT},
	{"Journal", "journal", AUDIT_TEXT}, {"Note", "note", AUDIT_TEXT},
	{"For", "purpose", AUDIT_TEXT},	    {"Basis", "basis", AUDIT_TEXT},
	{"Rule", "rule", AUDIT_TEXT},	    {"Reason", "reason", AUDIT_TEXT},
	{"From", "origin", AUDIT_TEXT},	    {"Program", "program", AUDIT_TEXT},
};
#define COLUMNS (sizeof(columns) / sizeof(columns[0]))

struct drawing {
	struct policy_sample sample;
	struct audit_ask ask;
	uint64_t accesses, taken, first, last;
	bool records; /* --fhir: as they are */
};

static void row(struct audit_out *out, const struct policy_record *r)
{
	const struct audit_cell cells[COLUMNS] = {
		{NULL, (int64_t)r->seq},
		{NULL, r->time_ns},
		{r->who, 0},
		{r->role, 0},
		{r->unit, 0},
		{policy_record_kind_text(r->kind), 0},
		{r->journal_name, 0},
		{r->name, 0},
		{policy_basis_purpose(r->purpose), 0},
		{policy_basis_text(policy_basis_of(r)), 0},
		{r->rule, 0},
		{r->reason, 0},
		{r->origin, 0},
		{r->program, 0},
	};

	tools_audit_out_row(out, cells);
}

static int draw(void *ctx, const struct policy_record *r)
{
	struct drawing *d = ctx;

	if (!policy_sample_is_access(r))
		return 0;
	if (!d->accesses++)
		d->first = r->seq;
	d->last = r->seq;
	if (!policy_sample_takes(&d->sample, r->seq))
		return 0;
	d->taken++;
	if (d->records)
		tools_audit_out_record(d->ask.out, r);
	else
		row(d->ask.out, r);
	return tools_audit_out_gone(d->ask.out);
}

/* A seed that nobody chose; printed, so that the sample can be drawn again. */
static void seed_make(char out[static 17])
{
	uint8_t bytes[8];

	keys_random(bytes, sizeof(bytes));
	for (size_t i = 0; i < sizeof(bytes); i++)
		snprintf(out + 2 * i, 3, "%02x", bytes[i]);
}

static int sign_off(struct drawing *d, const struct tool_options *o, const char *seed)
{
	char what[400], period[128];

	if (!d->taken)
		return tools_fail(
			"nothing was drawn, so there is nothing to sign off: take a longer "
			"period or a larger share");
	tools_audit_ask_period(&d->ask, period, sizeof(period));
	snprintf(what, sizeof(what),
		 "sample of %" PRIu64 " of %" PRIu64 " accesses, records %" PRIu64 " to %" PRIu64
		 ", %d per thousand, seed %.64s, %s",
		 d->taken, d->accesses, d->first, d->last, o->per_thousand, seed, period);
	return tools_audit_sign_off(d->ask.s, what, o->sign_off);
}

static int run(struct drawing *d, struct tool_options *o, const char *seed)
{
	int rc;

	tools_audit_out_say(d->ask.out,
			    "Seed %s, %d of 1,000 accesses. The same seed, share and "
			    "log give the same sample.",
			    seed, o->per_thousand);
	if (!d->records)
		tools_audit_out_table(d->ask.out, "access", columns, COLUMNS);
	rc = tools_audit_ask_read(&d->ask, &d->ask.f, draw, d);
	if (rc)
		return rc;
	tools_audit_out_say(
		d->ask.out,
		"%" PRIu64 " of %" PRIu64 " accesses (records %" PRIu64 " to %" PRIu64
		"). Ask of each: did this person take part in this patient's care then?",
		d->taken, d->accesses, d->first, d->last);
	tools_audit_ask_unread(&d->ask);
	return o->sign_off ? sign_off(d, o, seed) : TOOL_OK;
}

int tools_cmd_audit_sample(struct tool_options *o, int argc, char **argv)
{
	struct drawing d = {.records = o->fhir};
	char made[17];
	int rc;

	(void)argc;
	(void)argv;
	if (!o->per_thousand)
		return tools_usage(
			"how large a sample? --per-thousand N, from 1 to 1000: 10 is one "
			"access in a hundred");
	if (o->sign_off && !o->seed)
		return tools_usage("--sign-off needs the --seed of the sample that was looked at");
	if (o->seed && (!*o->seed || strlen(o->seed) > 64))
		return tools_usage("a seed has 1 to 64 bytes");
	if (!o->seed)
		seed_make(made);
	policy_sample_init(&d.sample, o->seed ? o->seed : made, (uint32_t)o->per_thousand);
	rc = tools_audit_ask_open(o, "audit sample", "A sample of accesses", &d.ask);
	if (!rc)
		rc = run(&d, o, o->seed ? o->seed : made);
	return tools_audit_ask_close(&d.ask, rc);
}
