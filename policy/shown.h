/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy/shown.h - what an access control list can say of a journal's policy: the practitioners and
 * units that entries in force speak of by name.
 *
 * It is what the lines say, not what a practitioner may do: the role, the account's
 * status and other entries count too (policy/decide.h). Entries for roles, stated
 * care relationships and what the practice gives to a unit by default are no lines
 * that a list could change, and are left out.
 */
#ifndef POLICY_SHOWN_H
#define POLICY_SHOWN_H

#include "edit.h"
#include "journal.h"

struct policy_shown {
	enum policy_edit_subject subject;
	const char *name; /* lives as long as the journal */
	unsigned perms;	  /* r 4, w 2, x 1, of all `allow` entries of that name together */
	bool blocked;	  /* a `block` speaks of the name: then perms is 0 */
};

/*
 * Those at now_s (wall clock), each name once, in the order of their first lines. The caller frees
 * *out. -ENOMEM.
 */
int policy_shown_list(const struct policy_journal *j, int64_t now_s, struct policy_shown **out,
		      size_t *count);

#endif
