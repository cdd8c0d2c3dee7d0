/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy/explain_impl.h - what the two halves of an explanation share: the steps (explain.c) and
 * what is missing (explain_missing.c). Only for them.
 */
#ifndef POLICY_EXPLAIN_IMPL_H
#define POLICY_EXPLAIN_IMPL_H

#include "decide.h"
#include "entry.h"
#include "model.h"

/* Rights that are decided journal by journal. */
#define EXPLAIN_JOURNAL_RIGHTS                                                                     \
	(POLICY_LIST | POLICY_READ | POLICY_WRITE | POLICY_FINALIZE | POLICY_EXPORT |              \
	 POLICY_HISTORY)

/* An entry that speaks of the practitioner, with its words and place. */
struct policy_explain_entry {
	const struct policy_entry *e;
	char text[400]; /* "allow user:eva:r-x (line 4)" */
	enum { EXPLAIN_IN_FORCE, EXPLAIN_NOT_YET, EXPLAIN_ENDED, EXPLAIN_IDLE } state;
};

struct policy_explanation {
	const struct policy_question *q;
	const struct policy_person *who;
	struct policy_verdict v;
	int32_t minute;
	char *text; /* NULL: memory was short */
	size_t len, cap;
};

void policy_explain_put(struct policy_explanation *x, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* "list, read"; out has room for 192 bytes. */
const char *policy_explain_rights(uint32_t rights, char out[static 192]);

/* "2026-11-01" or "2026-11-01T14:30Z": when something begins. */
const char *policy_explain_begin(int64_t minute, char out[static 64]);
/* "with 2026-12-31" or "at 2026-11-01T14:30Z": when something ends. */
const char *policy_explain_end(int64_t minute, char out[static 64]);

/*
 * The entries that speak of the practitioner, allow and attend (or, asked for, blocks): those of
 * the journal, then its unit's defaults. *at begins at 0. False when there are no more.
 */
bool policy_explain_next(const struct policy_explanation *x, bool blocks, size_t *at,
			 struct policy_explain_entry *out);

/* "What is missing:" and a line for each thing, after a refusal. */
void policy_explain_missing(struct policy_explanation *x);

#endif
