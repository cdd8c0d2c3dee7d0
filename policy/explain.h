/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy/explain.h - a decision in plain words: what each step of it found, and what is missing.
 *
 * For the steward who is asked "why can't I open this?". The verdict is that of
 * policy_decide for the same question; the steps are those of LANGUAGE.md.
 */
#ifndef POLICY_EXPLAIN_H
#define POLICY_EXPLAIN_H

#include "decide.h"

/*
 * Several lines, each ended, that say: the question, each step with its outcome, the verdict, and
 * after a refusal what is missing and who can give it. q->practice is not NULL; without a journal
 * the question is about a right of the vault. *text is the caller's to free. -ENOMEM.
 */
int policy_explain(const struct policy_question *q, char **text);

#endif
