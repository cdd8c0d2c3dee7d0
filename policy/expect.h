/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy/expect.h - expected decisions as a text, and what comes of each: unit tests for access.
 *
 *     expect anna read,write "Hansen, Anna" allow
 *     expect eva - "Hansen, Anna" hidden at 2026-10-31
 *     expect dan policy allow
 *
 * A steward keeps such a file beside the policies and has a draft judged by it before it is in
 * force. The form of lines is that of the language (LANGUAGE.md).
 */
#ifndef POLICY_EXPECT_H
#define POLICY_EXPECT_H

#include "decide.h"

struct policy_expect;

enum policy_expect_want {
	POLICY_EXPECT_ALLOW,
	POLICY_EXPECT_DENY,
	POLICY_EXPECT_SEEN,
	POLICY_EXPECT_HIDDEN
};

/* Names live as long as the file they come from. */
struct policy_expectation {
	const char *who;
	const char *journal; /* NULL: a right of the vault */
	uint32_t rights;     /* 0 for seen and hidden */
	enum policy_expect_want want;
	bool timed;
	int64_t now_s; /* when timed: the first second of that date or minute */
	unsigned line;
};

/*
 * As policy_practice_parse: 0 and *out, or -EINVAL with errors in report, or -ENOMEM. A text that
 * expects nothing is an error. `file` is copied.
 */
int policy_expect_parse(const char *text, size_t len, const char *file,
			struct policy_report *report, struct policy_expect **out);
void policy_expect_free(struct policy_expect *e);
size_t policy_expect_count(const struct policy_expect *e);
const struct policy_expectation *policy_expect_at(const struct policy_expect *e, size_t n);

/*
 * Judges the n-th by these policies, at now_s when it names no time. journal is the one that it
 * names; NULL says that there is none of that name. *line is NULL when all is as expected, else
 * one line without newline that the caller frees: what was expected and what is, or that there is
 * no such journal or practitioner (also where a denial was expected: nobody tests a typing error).
 * -ENOMEM, -ENOENT when there is no n-th.
 */
int policy_expect_judge(const struct policy_expect *e, size_t n,
			const struct policy_practice *practice,
			const struct policy_journal *journal, int64_t now_s, char **line);

#endif
