/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy/report.h - what is wrong with a policy text, for a person to mend it.
 *
 * Every error is kept (up to POLICY_REPORT_MAX, then a count) and printed as
 * "file:line:column: message" with the likely fix.
 */
#ifndef POLICY_REPORT_H
#define POLICY_REPORT_H

#include <stddef.h>

#define POLICY_REPORT_MAX 100

struct policy_report;

int policy_report_new(struct policy_report **out);
void policy_report_free(struct policy_report *r);
/* Errors found, also those beyond POLICY_REPORT_MAX. */
size_t policy_report_count(const struct policy_report *r);
/* The n-th as one line without newline; NULL beyond the kept ones. */
const char *policy_report_line(const struct policy_report *r, size_t n);
/* All lines with newlines in one string that the caller frees; NULL when memory is short. */
char *policy_report_text(const struct policy_report *r);

/* Used by the parsers: line and column count from 1. */
void policy_report_add(struct policy_report *r, const char *file, unsigned line, unsigned column,
		       const char *fmt, ...) __attribute__((format(printf, 5, 6)));

#endif
