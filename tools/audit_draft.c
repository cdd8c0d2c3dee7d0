/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tools/audit_draft.c - audit replay --policy: which accesses a draft would have refused, and which
 * refusals it would have allowed.
 *
 * The draft is a practice policy, one journal's, or a directory of both (policy_dir.h); what it
 * does not hold is as it was. Nothing is put in force.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "../policy/replay_decide.h"
#include "../policy/replay_groups.h"
#include "../policy/which.h"
#include "audit_replay.h"
#include "plain.h"
#include "policy_dir.h"
#include "policy_text.h"

struct drafting {
	const struct audit_span *span;
	struct policy_redoing *redoing;
	struct policy_groups *groups;
	struct policy_dir *dir;
	struct policy_practice *practice; /* of a file */
	struct policy_journal *journal;
	struct policy_redo_draft draft;
	uint64_t judged, refused, allowed;
	int rc;
};

static const struct audit_column group_columns[] = {
	{"Draft", "draft", AUDIT_TEXT},	    {"Who", "who", AUDIT_TEXT},
	{"Journal", "journal", AUDIT_TEXT}, {"Act", "act", AUDIT_TEXT},
	{"Times", "count", AUDIT_NUMBER},   {"First", "first", AUDIT_TIME},
	{"Last", "last", AUDIT_TIME},	    {"For example", "seq", AUDIT_NUMBER},
	{"Because", "reason", AUDIT_TEXT},
};
#define GROUP_COLUMNS (sizeof(group_columns) / sizeof(group_columns[0]))

/* ---- the draft ---- */

static const struct policy_journal *journal_of(void *ctx, const char *name)
{
	const struct drafting *d = ctx;

	if (d->dir)
		return tools_policy_dir_journal(d->dir, name);
	return d->journal && !strcmp(policy_journal_name(d->journal), name) ? d->journal : NULL;
}

static int parse(struct drafting *d, const char *path, const char *text)
{
	char name[POLICY_JOURNAL_NAME_MAX + 1], *errors;
	struct policy_report *report = NULL;
	int rc = policy_report_new(&report);

	if (!rc && policy_which_journal(text, strlen(text), name))
		rc = policy_journal_parse(text, strlen(text), path, NULL, report, &d->journal);
	else if (!rc)
		rc = policy_practice_parse(text, strlen(text), path, report, &d->practice);
	errors = rc ? policy_report_text(report) : NULL;
	if (errors)
		tools_plain_put(stderr, errors, 1);
	free(errors);
	policy_report_free(report);
	return rc ? tools_fail(
			    "%s is no policy that could be put in force; a practice with parts is "
			    "given as a directory",
			    path)
		  : TOOL_OK;
}

static int read_draft(struct drafting *d, const char *path)
{
	struct stat st;
	char *text;
	int rc;

	if (stat(path, &st))
		return tools_fail("%s: %s", path, strerror(errno));
	if (S_ISDIR(st.st_mode)) {
		if (tools_policy_dir_read(path, &d->dir))
			return TOOL_FAILED;
		d->draft.practice = tools_policy_dir_parsed(d->dir);
	} else {
		text = tools_policy_text_read(path);
		rc = text ? parse(d, path, text) : TOOL_FAILED;
		free(text);
		if (rc != TOOL_OK)
			return rc;
		d->draft.practice = d->practice;
	}
	d->draft.journal = journal_of;
	d->draft.ctx = d;
	return TOOL_OK;
}

/* ---- the log ---- */

static int judge(void *ctx, const struct policy_record *r)
{
	struct drafting *d = ctx;
	enum policy_redo_change change;
	char rule[POLICY_RECORD_TEXT];

	d->rc = policy_redoing_skip(d->redoing, r);
	if (d->rc || !tools_audit_asked(d->span, r))
		return d->rc != 0;
	d->rc = policy_redoing_draft(d->redoing, r, &d->draft, &change, rule);
	d->judged++;
	d->refused += change == POLICY_DRAFT_REFUSES;
	d->allowed += change == POLICY_DRAFT_ALLOWS;
	if (!d->rc && change != POLICY_DRAFT_SAME)
		d->rc = policy_groups_add(d->groups, r, (int)change, rule);
	return d->rc != 0;
}

static void put_groups(const struct drafting *d, struct audit_out *out)
{
	size_t n = policy_groups_end(d->groups);

	if (n)
		tools_audit_out_table(out, "draft-change", group_columns, GROUP_COLUMNS);
	for (size_t i = 0; i < n; i++) {
		const struct policy_group *g = policy_groups_at(d->groups, i);
		const struct audit_cell cells[] = {
			{.text = g->change == POLICY_DRAFT_REFUSES ? "would refuse"
								   : "would allow"},
			{.text = g->who},
			{.text = g->journal},
			{.text = g->what},
			{.number = (int64_t)g->count},
			{.number = g->first_ns},
			{.number = g->last_ns},
			{.number = (int64_t)g->first_seq},
			{.text = g->rule},
		};

		tools_audit_out_row(out, cells);
	}
}

static const struct audit_column sum_columns[] = {
	{"Records", "records", AUDIT_NUMBER},
	{"Would refuse", "refuses", AUDIT_NUMBER},
	{"Would allow", "allows", AUDIT_NUMBER},
};

static void put_all(struct audit_source *s, const struct drafting *d, struct audit_out *out)
{
	const struct audit_cell sum[] = {
		{.number = (int64_t)d->judged},
		{.number = (int64_t)d->refused},
		{.number = (int64_t)d->allowed},
	};

	put_groups(d, out);
	tools_audit_out_table(out, "draft-sum", sum_columns,
			      sizeof(sum_columns) / sizeof(sum_columns[0]));
	tools_audit_out_row(out, sum);
	tools_audit_out_say(out,
			    "What the draft would have refused was done, and what it would have "
			    "allowed was refused. Nothing was put in force.");
	tools_audit_say_unread(s, out);
}

static void clear(struct drafting *d)
{
	policy_redoing_free(d->redoing);
	policy_groups_free(d->groups);
	tools_policy_dir_free(d->dir);
	policy_practice_put(d->practice);
	policy_journal_put(d->journal);
}

int tools_audit_draft(struct audit_source *s, const struct audit_span *span, const char *path,
		      struct audit_out *out)
{
	struct drafting d = {.span = span};
	struct policy_past *past = NULL;
	int rc = read_draft(&d, path);

	if (rc == TOOL_OK) {
		past = tools_audit_past(s);
		rc = past ? TOOL_OK : TOOL_FAILED;
	}
	if (rc == TOOL_OK && (policy_redoing_new(past, &d.redoing) || policy_groups_new(&d.groups)))
		rc = tools_fail("out of memory");
	if (rc == TOOL_OK)
		rc = tools_audit_read(s, &span->read, judge, &d);
	if (d.rc)
		rc = tools_fail("out of memory");
	if (rc == TOOL_OK)
		put_all(s, &d, out);
	clear(&d);
	policy_past_free(past);
	return rc;
}
