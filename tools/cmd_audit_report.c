/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tools/cmd_audit_report.c - audit report: one page on the access log of a period.
 *
 * The whole log is read, whatever the period: how an emergency access of the period stands was
 * written later, and what is unusual for somebody is told by what he did before.
 *
 * Owns: the tallies, and the unfinished file until all of it is written.
 */
#include <errno.h>
#include <limits.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../policy/practice.h"
#include "audit_source.h"
#include "cmd_audit.h"
#include "new_file.h"
#include "report_html.h"

struct making {
	struct audit_source *source;
	struct audit_filter period;
	struct policy_practice *practice; /* in force now; NULL: not known */
	struct policy_tally *tally;
	struct policy_unusual *unusual;
	struct report_integrity integrity;
	struct policy_finding *findings; /* those of the period */
	struct report_html page;
	char host[256], by[256];
};

/* Zones change at quarters of an hour. */
static int32_t offset_s(void *ctx, int64_t time_s)
{
	static int64_t quarter = INT64_MIN;
	static int32_t offset;
	time_t t = (time_t)time_s;
	struct tm tm;

	(void)ctx;
	if (time_s / 900 == quarter)
		return offset;
	if (!localtime_r(&t, &tm))
		return 0;
	quarter = time_s / 900;
	offset = (int32_t)tm.tm_gmtoff;
	return offset;
}

/* ---- what is read */

static void practice_find(struct making *m)
{
	struct policy_past *past = tools_audit_past(m->source);
	size_t n = past ? policy_past_count(past) : 0;
	struct policy_journal *journal = NULL;

	if (n && policy_past_get(past, policy_past_at(past, n - 1)->version, 0, &m->practice,
				 &journal))
		m->practice = NULL;
	if (journal)
		policy_journal_put(journal);
	policy_past_free(past);
}

static int add(void *ctx, const struct policy_record *r)
{
	struct making *m = ctx;
	int rc = policy_tally_add(m->tally, r);

	return rc ? rc : policy_unusual_add(m->unusual, r);
}

static int read_records(struct making *m)
{
	const struct policy_practice *p = m->practice;
	const struct policy_tally_settings set = {
		.since_ns = m->period.since_ns,
		.until_ns = m->period.until_ns,
		.now_ns = m->page.made_ns,
		.review_s = p ? policy_practice_settings(p)->break_glass_review_s : 0,
		.offset_s = offset_s};
	const struct policy_unusual_settings how = {.practice = p, .offset_s = offset_s};
	const struct audit_filter all = {.purpose = "audit report"};

	if (policy_tally_new(&set, &m->tally) || policy_unusual_new(&how, &m->unusual))
		return tools_fail("memory is short");
	m->page.review_h = (uint64_t)(set.review_s ? set.review_s : 72 * 3600) / 3600;
	return tools_audit_read(m->source, &all, add, m);
}

static bool of_period(const struct making *m, const struct policy_finding *f)
{
	return f->last_ns >= m->period.since_ns &&
	       (!m->period.until_ns || f->first_ns < m->period.until_ns);
}

static int gather(struct making *m)
{
	const struct policy_finding *all;
	size_t n;

	if (policy_unusual_finish(m->unusual, &all, &n))
		return tools_fail("memory is short");
	m->findings = calloc(n + 1, sizeof(*m->findings));
	if (!m->findings)
		return tools_fail("memory is short");
	for (size_t i = 0; i < n; i++)
		if (of_period(m, &all[i]))
			m->findings[m->page.finding_count++] = all[i];
	m->page.findings = m->findings;
	m->page.tally = policy_tally_finish(m->tally);
	m->page.unread = tools_audit_unread(m->source);
	return TOOL_OK;
}

/* ---- is it whole? */

static void found(void *ctx, const struct fs_log_finding *f)
{
	struct report_integrity *i = ctx;

	if (i->finding_count == REPORT_FINDINGS)
		return;
	i->findings[i->finding_count].alarm = f->kind < FS_LOG_NOTES;
	policy_record_copy(i->findings[i->finding_count].text, sizeof(i->findings[0].text),
			   f->text);
	i->finding_count++;
}

static void verify(struct making *m)
{
	const struct fs_log_verifying q = {.source = tools_audit_segments(m->source),
					   .vault = tools_audit_vault(m->source),
					   .root_pk = tools_audit_root(m->source),
					   .least = tools_audit_least(m->source),
					   .finding = found,
					   .ctx = &m->integrity};

	/* The page says that it could not be checked. */
	m->integrity.rc = q.source ? fs_log_verify(&q, &m->integrity.verified) : -EIO;
	m->page.integrity = &m->integrity;
}

/* ---- the page */

static void name_maker(const struct tool_options *o, struct making *m)
{
	const struct passwd *pw = getpwuid(getuid());

	if (pw)
		snprintf(m->by, sizeof(m->by), "%s", pw->pw_name);
	else
		snprintf(m->by, sizeof(m->by), "account %u", (unsigned)getuid());
	if (gethostname(m->host, sizeof(m->host) - 1))
		snprintf(m->host, sizeof(m->host), "this machine");
	m->page.by = m->by;
	m->page.host = m->host;
	m->page.source = tools_audit_live(m->source) ? "the running vault" : o->log;
	m->page.hours_known = m->practice != NULL;
}

static int print(const struct making *m, const char *path, struct tools_new_file *file)
{
	if (!file->to) {
		tools_report_html(stdout, &m->page);
		return fflush(stdout) || ferror(stdout)
			       ? tools_fail("the report could not be written")
			       : TOOL_OK;
	}
	tools_report_html(file->to, &m->page);
	if (tools_new_file_commit(file))
		return TOOL_FAILED;
	fprintf(stderr, "journalfs: %s: %llu records, %zu findings to ask about%s\n", path,
		(unsigned long long)m->page.tally->records, m->page.finding_count,
		m->integrity.rc			    ? "; the log could not be checked"
		: m->integrity.verified.alarms ? "; the log is NOT whole"
					       : "; the log is whole");
	return TOOL_OK;
}

static int make(struct making *m, const struct tool_options *o, struct tools_new_file *file)
{
	int rc;

	practice_find(m);
	rc = read_records(m);
	if (!rc)
		rc = gather(m);
	if (rc)
		return rc;
	verify(m);
	name_maker(o, m);
	return print(m, o->html, file);
}

static void clear(struct making *m)
{
	policy_tally_free(m->tally);
	policy_unusual_free(m->unusual);
	free(m->findings);
	policy_practice_put(m->practice);
	tools_audit_close(m->source);
	free(m);
}

static int check(const struct tool_options *o, struct audit_filter *period)
{
	if (!o->html)
		return tools_usage("a report is a page: --html FILE (\"-\": standard output)");
	if (o->who || o->journal || o->grant)
		return tools_usage("a report is on all of a period: --since and --until alone");
	return tools_audit_filter(o, period);
}

int tools_cmd_audit_report(struct tool_options *o, int argc, char **argv)
{
	struct tools_new_file file = {0};
	struct making *m = calloc(1, sizeof(*m));
	int rc;

	(void)argc;
	(void)argv;
	if (!m)
		return tools_fail("memory is short");
	rc = check(o, &m->period);
	m->page.since_ns = m->period.since_ns;
	m->page.until_ns = m->period.until_ns;
	m->page.made_ns = (int64_t)time(NULL) * 1000000000;
	/* Before all the reading, which takes a while and is logged. */
	if (!rc && strcmp(o->html, "-"))
		rc = tools_new_file_open(&file, o->html);
	if (!rc) {
		m->source = tools_audit_open(o);
		rc = m->source ? make(m, o, &file) : TOOL_FAILED;
	}
	tools_new_file_abort(&file);
	clear(m);
	return rc;
}
