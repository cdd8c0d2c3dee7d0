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
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../policy/practice.h"
#include "audit_ask.h"
#include "audit_whole.h"
#include "cmd_audit.h"
#include "new_file.h"
#include "report_html.h"

struct making {
	struct audit_ask ask; /* its document stays shut: the page is ours */
	struct policy_tally *tally;
	struct policy_unusual *unusual;
	struct report_integrity integrity;
	struct policy_finding *findings; /* those of the period */
	struct report_html page;
	char host[256], by[256];
};

/* ---- what is read */

static int add(void *ctx, const struct policy_record *r)
{
	struct making *m = ctx;
	int rc = policy_tally_add(m->tally, r);

	return rc ? rc : policy_unusual_add(m->unusual, r);
}

static int read_records(struct making *m)
{
	const struct policy_practice *p = m->ask.practice;
	const struct policy_tally_settings set = {
		.since_ns = m->ask.f.since_ns,
		.until_ns = m->ask.f.until_ns,
		.now_ns = m->page.made_ns,
		.review_s = p ? policy_practice_settings(p)->break_glass_review_s : 0,
		.offset_s = tools_audit_ask_offset};
	const struct policy_unusual_settings how = {.practice = p,
						    .offset_s = tools_audit_ask_offset};
	const struct audit_filter all = {.purpose = m->ask.f.purpose};

	if (policy_tally_new(&set, &m->tally) || policy_unusual_new(&how, &m->unusual))
		return tools_fail("memory is short");
	m->page.since_ns = m->ask.f.since_ns;
	m->page.until_ns = m->ask.f.until_ns;
	m->page.review_h = (uint64_t)(set.review_s ? set.review_s : 72 * 3600) / 3600;
	return tools_audit_read(m->ask.s, &all, add, m);
}

static bool of_period(const struct making *m, const struct policy_finding *f)
{
	return f->last_ns >= m->ask.f.since_ns &&
	       (!m->ask.f.until_ns || f->first_ns < m->ask.f.until_ns);
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
	m->page.unread = tools_audit_unread(m->ask.s);
	return TOOL_OK;
}

/* ---- is it whole? */

static void keep_finding(struct report_integrity *i, const struct fs_log_finding *f)
{
	/* Notes leave half of the room to alarms. */
	if (i->finding_count == REPORT_FINDINGS ||
	    (f->kind >= FS_LOG_NOTES && i->finding_count >= REPORT_FINDINGS / 2))
		return;
	i->findings[i->finding_count].alarm = f->kind < FS_LOG_NOTES;
	policy_record_copy(i->findings[i->finding_count].text, sizeof(i->findings[0].text),
			   f->text);
	i->finding_count++;
}

/* As `audit verify`, against all that this account keeps. The page says when it could not be
 * checked. */
static void verify(struct making *m, const struct tool_options *o)
{
	struct audit_whole w;

	m->integrity.rc = tools_audit_whole(m->ask.s, o, &w) ? -EIO : 0;
	m->integrity.verified = w.v;
	for (size_t i = 0; i < w.findings; i++) {
		if (w.finding[i].f.text)
			keep_finding(&m->integrity, &w.finding[i].f);
	}
	if (!m->integrity.rc)
		tools_audit_whole_remember(&w);
	tools_audit_whole_clear(&w);
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
	if (m->ask.practice)
		m->page.practice = policy_practice_settings(m->ask.practice)->title;
	if (!m->page.practice)
		m->page.practice = "";
	m->page.by = m->by;
	m->page.host = m->host;
	m->page.source = tools_audit_live(m->ask.s) ? "the running vault" : o->log;
	m->page.hours_known = m->ask.practice != NULL;
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
		m->integrity.rc		       ? "; the log could not be checked"
		: m->integrity.verified.alarms ? "; the log is NOT whole"
					       : "; the log is whole");
	return TOOL_OK;
}

static int make(struct making *m, const struct tool_options *o, struct tools_new_file *file)
{
	int rc;

	rc = read_records(m);
	if (!rc)
		rc = gather(m);
	if (rc)
		return rc;
	verify(m, o);
	name_maker(o, m);
	return print(m, o->html, file);
}

static void clear(struct making *m)
{
	policy_tally_free(m->tally);
	policy_unusual_free(m->unusual);
	free(m->findings);
	free(m);
}

static int check(const struct tool_options *o)
{
	if (!o->html)
		return tools_usage("a report is a page: --html FILE (\"-\": standard output)");
	if (o->who || o->journal || o->grant)
		return tools_usage("a report is on all of a period: --since and --until alone");
	return TOOL_OK;
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
	rc = check(o);
	m->page.made_ns = (int64_t)time(NULL) * 1000000000;
	/* Before all the reading, which takes a while and is logged. */
	if (!rc && strcmp(o->html, "-"))
		rc = tools_new_file_open(&file, o->html);
	if (!rc)
		rc = tools_audit_ask_open(o, "audit report", NULL, &m->ask);
	if (!rc)
		rc = make(m, o, &file);
	tools_new_file_abort(&file);
	rc = tools_audit_ask_close(&m->ask, rc);
	clear(m);
	return rc;
}
