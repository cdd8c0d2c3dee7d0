/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy/basis.c - reads the act and its basis out of a record.
 *
 * The rule of a record is what policy_verdict_text wrote (decide.c); its first words say which sort
 * of line decided. Owns: nothing. Locks: none.
 */
#include "basis.h"

#include <stdio.h>
#include <string.h>

#define SECURITY 110113 /* the type of a steward's look at a policy */

static bool begins(const char *text, const char *with)
{
	return !strncmp(text, with, strlen(with));
}

enum policy_act policy_basis_act(const struct policy_record *r)
{
	if (!r->journal || r->type == SECURITY)
		return POLICY_ACT_NONE;
	switch (r->kind) {
	case POLICY_RECORD_REFUSED:
		return POLICY_ACT_REFUSED;
	case POLICY_RECORD_INTENT:
		return POLICY_ACT_LOOK;
	case POLICY_RECORD_LIST: /* whoever asked what emergency access would give saw nothing */
		return begins(r->detail, "asked what emergency") ? POLICY_ACT_NONE
								 : POLICY_ACT_LOOK;
	case POLICY_RECORD_OPEN:
	case POLICY_RECORD_EXPORT:
		return POLICY_ACT_READ;
	case POLICY_RECORD_CLOSE:
		return r->bytes_written ? POLICY_ACT_WRITE : POLICY_ACT_NONE;
	case POLICY_RECORD_CREATE:
	case POLICY_RECORD_WRITE:
	case POLICY_RECORD_DELETE:
	case POLICY_RECORD_RENAME:
	case POLICY_RECORD_ATTRIBUTE:
	case POLICY_RECORD_FINAL:
	case POLICY_RECORD_SIGN:
	case POLICY_RECORD_ERROR:
	case POLICY_RECORD_AMEND:
	case POLICY_RECORD_MOVE:
		return POLICY_ACT_WRITE;
	default:
		return POLICY_ACT_NONE;
	}
}

enum policy_basis policy_basis_of(const struct policy_record *r)
{
	static const struct {
		const char *rule;
		enum policy_basis basis;
	} rules[] = {
		{"emergency access", POLICY_BASIS_GRANT}, {"allow user:", POLICY_BASIS_OWN},
		{"attend ", POLICY_BASIS_ATTEND},	  {"allow unit:", POLICY_BASIS_UNIT},
		{"allow group:", POLICY_BASIS_UNIT},	  {"allow role:", POLICY_BASIS_ROLE},
		{"default ", POLICY_BASIS_DEFAULT},
	};

	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
		if (begins(r->rule, rules[i].rule))
			return rules[i].basis;
	return r->grant ? POLICY_BASIS_GRANT : POLICY_BASIS_UNKNOWN;
}

const char *policy_basis_text(enum policy_basis b)
{
	static const char *const text[POLICY_BASIS_COUNT] = {
		[POLICY_BASIS_UNKNOWN] = "not said",
		[POLICY_BASIS_OWN] = "own entry",
		[POLICY_BASIS_ATTEND] = "stated relationship",
		[POLICY_BASIS_GRANT] = "emergency access",
		[POLICY_BASIS_UNIT] = "unit entry",
		[POLICY_BASIS_ROLE] = "role entry",
		[POLICY_BASIS_DEFAULT] = "unit default",
	};

	return b < POLICY_BASIS_COUNT ? text[b] : "not said";
}

const char *policy_basis_purpose(const char *code)
{
	static const struct {
		const char *code, *text;
	} purposes[] = {
		{"TREAT", "treatment"},
		{"COC", "coordination of care"},
		{"BTG", "emergency access"},
		{"ETREAT", "emergency treatment"},
		{"PATRQT", "the patient's request"},
		{"PATADMIN", "administration"},
		{"HPAYMT", "payment"},
		{"HQUALIMP", "quality improvement"},
		{"PATSFTY", "patient safety"},
		{"HLEGAL", "a legal matter"},
		{"HCOMPL", "supervision"},
		{"RECORDMGT", "keeping of records"},
		{"HSYSADMIN", "system administration"},
		{"TRAIN", "training"},
		{"HTEST", "a test"},
	};

	for (size_t i = 0; i < sizeof(purposes) / sizeof(purposes[0]); i++)
		if (!strcmp(purposes[i].code, code))
			return purposes[i].text;
	return code;
}

void policy_basis_place(const struct policy_record *r, char *out, size_t cap)
{
	const char *o = r->origin;

	/* A terminal ("/dev/pts/3", "tty1", ":0", "no terminal") is at the vault's own machine. */
	if (o[0] == '/' || o[0] == ':' || begins(o, "tty") || begins(o, "pts/") ||
	    begins(o, "no terminal"))
		o = "";
	snprintf(out, cap, "%s", o);
}
