/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tools/audit_decisions.c - audit replay --decisions: each decision in the log taken again under
 * the policy of its moment, and every difference.
 *
 * Differences stand in one table as they are found, what was counted in a second one, and the
 * refusals that policy does not decide in a third, by reason. The exit status says whether the
 * daemon decided against the policy.
 */
#include <stdio.h>
#include <string.h>

#include "../policy/replay_decide.h"
#include "audit_replay.h"

#define OTHERS 32 /* different reasons, all constant texts of policy/replay_asked.c */

struct deciding {
	const struct audit_span *span;
	struct audit_out *out;
	struct policy_redoing *redoing;
	uint64_t count[POLICY_REDO_FINDINGS];
	struct {
		const char *why;
		uint64_t count;
	} other[OTHERS];
	bool table; /* of the differences was begun */
	int rc;
};

static const struct audit_column difference_columns[] = {
	{"Finding", "finding", AUDIT_TEXT},    {"Time", "time", AUDIT_TIME},
	{"Record", "seq", AUDIT_NUMBER},       {"Who", "who", AUDIT_TEXT},
	{"Did", "kind", AUDIT_TEXT},	       {"Journal", "journal", AUDIT_TEXT},
	{"Policy", "version", AUDIT_NUMBER},   {"As recorded", "rule", AUDIT_TEXT},
	{"As decided now", "now", AUDIT_TEXT},
};
#define DIFFERENCE_COLUMNS (sizeof(difference_columns) / sizeof(difference_columns[0]))

static const struct audit_column count_columns[] = {
	{"Decisions", "count", AUDIT_NUMBER},
	{"", "finding", AUDIT_TEXT},
	{"", "meaning", AUDIT_TEXT},
};
static const struct audit_column other_columns[] = {
	{"Refusals", "count", AUDIT_NUMBER},
	{"Why", "reason", AUDIT_TEXT},
};

/* A refusal's own words, where it has no rule. */
static const char *recorded(const struct policy_record *r)
{
	return r->rule[0] ? r->rule : r->detail;
}

static void put_difference(struct deciding *d, const struct policy_record *r,
			   const struct policy_redo *redo)
{
	const struct audit_cell cells[] = {
		{.text = policy_redo_word(redo->finding)},
		{.number = r->time_ns},
		{.number = (int64_t)r->seq},
		{.text = r->who},
		{.text = policy_record_kind_text(r->kind)},
		{.text = r->journal_name},
		{.number = r->policy_version},
		{.text = recorded(r)},
		{.text = redo->rule},
	};

	if (!d->table)
		tools_audit_out_table(d->out, "difference", difference_columns, DIFFERENCE_COLUMNS);
	d->table = true;
	tools_audit_out_row(d->out, cells);
}

static void count_other(struct deciding *d, const char *why)
{
	size_t i = 0;

	while (i < OTHERS - 1 && d->other[i].why && strcmp(d->other[i].why, why) != 0)
		i++;
	d->other[i].why = why;
	d->other[i].count++;
}

static bool is_difference(enum policy_redo_finding f)
{
	return f == POLICY_REDO_UNKNOWN || f >= POLICY_REDO_GROUND;
}

static int judge(void *ctx, const struct policy_record *r)
{
	struct deciding *d = ctx;
	struct policy_redo redo;

	if (!tools_audit_asked(d->span, r)) {
		d->rc = policy_redoing_skip(d->redoing, r);
		return d->rc != 0;
	}
	d->rc = policy_redoing_judge(d->redoing, r, &redo);
	if (d->rc)
		return 1;
	d->count[redo.finding]++;
	if (redo.finding == POLICY_REDO_OTHER)
		count_other(d, redo.other);
	if (is_difference(redo.finding))
		put_difference(d, r, &redo);
	return tools_audit_out_gone(d->out);
}

static void put_counts(const struct deciding *d)
{
	tools_audit_out_table(d->out, "count", count_columns,
			      sizeof(count_columns) / sizeof(count_columns[0]));
	for (unsigned f = POLICY_REDO_SAME; f < POLICY_REDO_FINDINGS; f++) {
		const struct audit_cell cells[] = {
			{.number = (int64_t)d->count[f]},
			{.text = policy_redo_word(f)},
			{.text = policy_redo_text(f)},
		};

		if (d->count[f] || f == POLICY_REDO_SAME)
			tools_audit_out_row(d->out, cells);
	}
	if (!d->other[0].why)
		return;
	tools_audit_out_table(d->out, "other-reason", other_columns,
			      sizeof(other_columns) / sizeof(other_columns[0]));
	for (size_t i = 0; i < OTHERS && d->other[i].why; i++) {
		const struct audit_cell cells[] = {
			{.number = (int64_t)d->other[i].count},
			{.text = d->other[i].why},
		};

		tools_audit_out_row(d->out, cells);
	}
}

static uint64_t alarms(const struct deciding *d)
{
	uint64_t n = 0;

	for (unsigned f = 0; f < POLICY_REDO_FINDINGS; f++)
		n += policy_redo_alarms(f) ? d->count[f] : 0;
	return n;
}

static int sum_up(struct audit_source *s, const struct deciding *d)
{
	uint64_t bad = alarms(d);

	put_counts(d);
	tools_audit_say_unread(s, d->out);
	if (!bad) {
		tools_audit_out_say(d->out, "Nothing was decided against the policy.");
		return TOOL_OK;
	}
	tools_audit_out_say(
		d->out,
		"ALARM: %llu time%s the daemon did not decide as the policy says that it "
		"names. Keep the log and the vault as they are, and verify the log.",
		(unsigned long long)bad, bad == 1 ? "" : "s");
	return TOOL_FAILED;
}

int tools_audit_decisions(struct audit_source *s, const struct audit_span *span,
			  struct audit_out *out)
{
	struct deciding d = {.span = span, .out = out};
	struct policy_past *past = tools_audit_past(s);
	int rc;

	if (!past)
		return TOOL_FAILED;
	if (policy_redoing_new(past, &d.redoing)) {
		policy_past_free(past);
		return tools_fail("out of memory");
	}
	rc = tools_audit_read(s, &span->read, judge, &d);
	if (d.rc)
		rc = tools_fail("out of memory");
	if (rc == TOOL_OK)
		rc = sum_up(s, &d);
	policy_redoing_free(d.redoing);
	policy_past_free(past);
	return rc;
}
