/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy/past.h - every policy that was in force, and decisions as they would have been then.
 *
 * Versions count over practice and journals together (as a record's policy_version does): each
 * changes one file. Pure: texts come in oldest first, parsed when first asked for, and a bounded
 * number of parsed ones is kept. One thread.
 */
#ifndef POLICY_PAST_H
#define POLICY_PAST_H

#include "decide.h"

struct policy_past;

struct policy_past_change {
	uint32_t version;
	int64_t time_s;
	uint32_t journal;   /* number; 0: the practice (its bundle's whole text) */
	const char *name;   /* the journal's name from this version on; NULL for the practice */
	const char *who;    /* who signed it, "" the vault's root */
	const char *reason; /* "" none */
	const char *text;   /* NULL: the journal's policy ended (it was removed) */
	size_t len;
};
int policy_past_new(struct policy_past **out); /* -ENOMEM */
void policy_past_free(struct policy_past *p);  /* NULL is legal */
/* Copies. Versions ascend; -EINVAL else. -ENOMEM. */
int policy_past_add(struct policy_past *p, const struct policy_past_change *c);
size_t policy_past_count(const struct policy_past *p);
const struct policy_past_change *policy_past_at(const struct policy_past *p, size_t i);
/* The newest version at or before the time; 0: none. */
uint32_t policy_past_version(const struct policy_past *p, int64_t time_s);
/*
 * The practice, and the journal's policy, in force at `version`; a reference each
 * (policy_practice_put, policy_journal_put). journal NULL where it had none. -ENOENT: no practice
 * then. -EINVAL: a text that does not parse.
 */
int policy_past_get(struct policy_past *p, uint32_t version, uint32_t journal,
		    struct policy_practice **practice, struct policy_journal **policy);
/* The journal's name at `version`, as long as p lives and nothing is added; NULL: it was not there.
 */
const char *policy_past_journal(struct policy_past *p, uint32_t version, uint32_t journal);

#endif
