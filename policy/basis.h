/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy/basis.h - what a record did to a journal, and on what basis, as the record itself says.
 *
 * For questions about the past: they have the log, and the policy of today would say something
 * else. Pure; nothing is allocated.
 */
#ifndef POLICY_BASIS_H
#define POLICY_BASIS_H

#include "record.h"

enum policy_act {
	POLICY_ACT_NONE,    /* not about a journal's notes */
	POLICY_ACT_LOOK,    /* listed, or notes that could then be read (an intent) */
	POLICY_ACT_READ,    /* a note was opened, or left the vault */
	POLICY_ACT_WRITE,   /* notes were made, changed, signed, marked, removed */
	POLICY_ACT_REFUSED, /* somebody was kept out of this journal */
};
/* A steward's look at a policy is none of them, nor is a journal's making or a grant's. */
enum policy_act policy_basis_act(const struct policy_record *r);

enum policy_basis {
	POLICY_BASIS_UNKNOWN, /* the record does not say */
	POLICY_BASIS_OWN,     /* an entry of the practitioner's own */
	POLICY_BASIS_ATTEND,  /* a care relationship of his own statement */
	POLICY_BASIS_GRANT,   /* emergency access */
	POLICY_BASIS_UNIT,    /* an entry for his unit in this journal */
	POLICY_BASIS_ROLE,    /* an entry for his role in this journal */
	POLICY_BASIS_DEFAULT, /* the practice's default for the journal's unit */
	POLICY_BASIS_COUNT
};
enum policy_basis policy_basis_of(const struct policy_record *r);
/* "own entry", "stated relationship", ...: for a table; "not said" for unknown. */
const char *policy_basis_text(enum policy_basis b);
/* HL7 purposes in plain words: "treatment"; the code itself when it is not known. */
const char *policy_basis_purpose(const char *code);

/*
 * Where the record came from, as far as it tells places apart: a remote host; all terminals of the
 * vault's own machine are one place, "". In out, cut to cap.
 */
void policy_basis_place(const struct policy_record *r, char *out, size_t cap);

#endif
