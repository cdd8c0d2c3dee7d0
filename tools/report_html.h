/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tools/report_html.h - the report on the access log as one page (html.h), for a manager who has
 * ten minutes and for paper.
 */
#ifndef TOOLS_REPORT_HTML_H
#define TOOLS_REPORT_HTML_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "../fs/log_verify.h"
#include "../policy/tally.h"
#include "../policy/unusual.h"

#define REPORT_FINDINGS 50 /* of the verification, that are shown */

struct report_integrity {
	int rc; /* of fs_log_verify; not 0: it could not be run */
	struct fs_log_verified verified;
	struct {
		bool alarm;
		char text[400];
	} findings[REPORT_FINDINGS];
	size_t finding_count; /* kept */
};

/* Everything stays the caller's. */
struct report_html {
	const struct policy_tally_view *tally;
	const struct policy_finding *findings; /* ranked */
	size_t finding_count;
	const struct report_integrity *integrity;
	int64_t since_ns, until_ns, made_ns; /* 0: open */
	const char *practice;		     /* its title; "": not known */
	const char *by, *host;		     /* the account that made it, and where */
	const char *source;		     /* "the daemon", or the folder of the copy */
	uint64_t unread;		     /* records or stretches that could not be read */
	uint64_t review_h; /* hours in which an emergency access is to be judged */
	bool hours_known;  /* the practice's policy was at hand */
};

/* Errors of the stream are the caller's to look at. */
void tools_report_html(FILE *to, const struct report_html *r);

/* ---- its parts (report_chart.c, report_table.c) */

/* "12 345", as <data>. */
void tools_report_number(FILE *to, uint64_t n);
void tools_report_timeline(FILE *to, const struct policy_tally_view *v);
void tools_report_heat(FILE *to, const struct policy_tally_view *v);
void tools_report_grants(FILE *to, const struct report_html *r);
void tools_report_findings(FILE *to, const struct report_html *r);
void tools_report_refusals(FILE *to, const struct policy_tally_view *v);
void tools_report_people(FILE *to, const struct policy_tally_view *v);
void tools_report_journals(FILE *to, const struct policy_tally_view *v);
void tools_report_events(FILE *to, const struct policy_tally_view *v);

#endif
