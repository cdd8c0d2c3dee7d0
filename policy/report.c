/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy/report.c - the errors of one parse, in the order in which they were found.
 *
 * Invariant: count is the number of errors found, kept the number of lines that
 * are stored (at most POLICY_REPORT_MAX; fewer when memory was short). No locks: a
 * report belongs to one thread.
 */
#include "report.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct policy_report {
	size_t count;
	size_t kept;
	char *line[POLICY_REPORT_MAX];
};

int policy_report_new(struct policy_report **out)
{
	struct policy_report *r = calloc(1, sizeof(*r));

	if (!r)
		return -ENOMEM;
	*out = r;
	return 0;
}

void policy_report_free(struct policy_report *r)
{
	if (!r)
		return;
	for (size_t i = 0; i < r->kept; i++)
		free(r->line[i]);
	free(r);
}

size_t policy_report_count(const struct policy_report *r)
{
	return r->count;
}

const char *policy_report_line(const struct policy_report *r, size_t n)
{
	return n < r->kept ? r->line[n] : NULL;
}

char *policy_report_text(const struct policy_report *r)
{
	char more[64] = "";
	size_t len = 0, at = 0;
	char *text;

	if (r->count > r->kept)
		snprintf(more, sizeof(more), "and %zu more errors\n", r->count - r->kept);
	for (size_t i = 0; i < r->kept; i++)
		len += strlen(r->line[i]) + 1;
	len += strlen(more);
	text = malloc(len + 1);
	if (!text)
		return NULL;
	for (size_t i = 0; i < r->kept; i++) {
		size_t n = strlen(r->line[i]);

		memcpy(text + at, r->line[i], n);
		text[at + n] = '\n';
		at += n + 1;
	}
	memcpy(text + at, more, strlen(more) + 1);
	return text;
}

void policy_report_add(struct policy_report *r, const char *file, unsigned line, unsigned column,
		       const char *fmt, ...)
{
	char *message = NULL, *full = NULL;
	va_list ap;

	if (!r || ++r->count > POLICY_REPORT_MAX)
		return;
	va_start(ap, fmt);
	if (vasprintf(&message, fmt, ap) < 0)
		message = NULL;
	va_end(ap);
	if (message && asprintf(&full, "%s:%u:%u: %s", file, line, column, message) >= 0)
		r->line[r->kept++] = full;
	free(message);
}
