/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tools/grant_text.h - emergency accesses as people read them: a table, one in full, what is
 * proposed.
 *
 * All take what the daemon answered; texts of others are made fit for a terminal.
 */
#ifndef TOOLS_GRANT_TEXT_H
#define TOOLS_GRANT_TEXT_H

#include <jansson.h>
#include <stdint.h>
#include <stdio.h>

/* Those that are not done with, overdue ones first; all: the others too. Says so when there is
 * none. */
void tools_grant_table(const json_t *list, int all, FILE *to);
/* One: who, where, why, how it ended, how it was judged. */
void tools_grant_print(const json_t *grant, FILE *to);
/* What was done under it, note by note, and on the way to it. */
int tools_grant_acts(const json_t *acts, FILE *to);
/*
 * What may be proposed for a pair: comments, and unless the policy admits already or a block stands
 * in the way, one line for the journal's policy, which holds from now_s on.
 */
void tools_grant_proposal(const json_t *pair, int64_t now_s, FILE *to);

#endif
