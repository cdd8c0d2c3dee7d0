/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy/which.h - which policy a text is, by its own words.
 */
#ifndef POLICY_WHICH_H
#define POLICY_WHICH_H

#include "journal.h"

/*
 * The name in the first `journal "NAME"` statement of a text that may otherwise hold anything.
 * False: it has none (then it is the practice's, or a part of it), or memory is short.
 */
bool policy_which_journal(const char *text, size_t len,
			  char name[static POLICY_JOURNAL_NAME_MAX + 1]);

#endif
