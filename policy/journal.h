/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy/journal.h - one journal's policy: its name, unit, allow, block, attend, hold.
 *
 * Immutable with a reference count, and compact: a vault holds 100,000 of them.
 * Entries name practitioners, units and roles by name and are resolved against a
 * practice when a decision is taken, so that a new practice policy does not
 * re-parse every journal. The language: policy/LANGUAGE.md.
 */
#ifndef POLICY_JOURNAL_H
#define POLICY_JOURNAL_H

#include "practice.h"

#define POLICY_JOURNAL_NAME_MAX 242

struct policy_journal;

/*
 * As policy_practice_parse. practice may be NULL: then names are not checked (a stored version
 * that was accepted under an older practice policy); else unknown names are errors with a
 * did-you-mean, and so is a policy that admits no active practitioner to the journal.
 */
int policy_journal_parse(const char *text, size_t len, const char *file,
			 const struct policy_practice *practice, struct policy_report *report,
			 struct policy_journal **out);
/* Could somebody who is active (or, away, on leave) read or write in it? Dates are not looked at. */
bool policy_journal_admits(const struct policy_journal *j, const struct policy_practice *practice,
			   bool away);
struct policy_journal *policy_journal_get(struct policy_journal *j);
void policy_journal_put(struct policy_journal *j);

/*
 * May a journal bear this name? 1 to 242 bytes of UTF-8 without controls and `/`; not ".", "..",
 * ".policy", nor "practice", which names the practice policy where policies are listed.
 */
bool policy_journal_name_check(const char *name);

const char *policy_journal_name(const struct policy_journal *j); /* "" when the text names none */
const char *policy_journal_unit(const struct policy_journal *j); /* "" when none */
bool policy_journal_held(const struct policy_journal *j);

/*
 * The policy that mkdir gives a journal: creator's unit, allow for the creator. Caller frees.
 * NULL with errno EINVAL when the name is no journal name (policy_journal_name_check), or ENOMEM.
 */
char *policy_journal_initial(const char *name, const struct policy_practitioner *creator);
/* The same text under another journal name, comments kept (renaming a journal). Caller frees;
 * NULL as above. */
char *policy_journal_renamed(const char *text, size_t len, const char *name);

#endif
