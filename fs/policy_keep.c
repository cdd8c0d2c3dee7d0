/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/policy_keep.c - what a new practice policy must keep: everybody who is enrolled, and for each journal
 * somebody who can open it.
 *
 * A journal that nobody could open before may stay so, or a steward could not change anything any more. Who
 * is on leave counts as somebody: a leave ends, and `on leave` is what stops a person at once, so nothing may
 * stand in its way.
 *
 * Locks: edit held by the caller; the catalog is read under it.
 */
#include "vault_impl.h"

#define NAMED 20 /* journals that are named, the rest is counted */

/* An identity must remain resolvable. */
static void keep_people(struct fs_vault *v, const struct policy_practice *next,
			struct policy_report *lines)
{
	for (size_t i = 0; i < v->people_count; i++) {
		const struct fs_person *p = v->people[i];

		if (p->enrolment && !policy_practice_find(next, p->name))
			policy_report_add(
				lines, "practice.policy", 1, 1,
				"practitioner `%s` is enrolled and cannot be taken out: keep the "
				"line and write `left` at its end",
				p->name);
	}
}

static void keep_journals(struct fs_vault *v, const struct policy_practice *next,
			  struct policy_report *lines)
{
	size_t locked = 0;

	for (uint32_t i = 0; i < v->journals.cap; i++) {
		const struct fs_entry *e = v->journals.by_index[i];
		const char *unit;

		if (!e || !e->policy || policy_journal_admits(e->policy, next, true) ||
		    !policy_journal_admits(e->policy, v->practice, true) || ++locked > NAMED)
			continue;
		unit = policy_journal_unit(e->policy);
		policy_report_add(lines, "practice.policy", 1, 1,
				  "nobody could open journal \"%s\" any more: let somebody else in "
				  "first, or in the same save with `default unit %s allow "
				  "user:NAME:rwx` (`on leave` stops a person at once meanwhile)",
				  e->name, *unit ? unit : "UNIT");
	}
	if (locked > NAMED)
		policy_report_add(lines, "practice.policy", 1, 1,
				  "and %zu more journals that nobody could open any more",
				  locked - NAMED);
}

int fs_policies_keep(struct fs_vault *v, const struct policy_practice *next, char **report)
{
	struct policy_report *lines = NULL;
	int rc = policy_report_new(&lines);

	if (rc)
		return rc;
	keep_people(v, next, lines);
	keep_journals(v, next, lines);
	if (policy_report_count(lines)) {
		rc = -EINVAL;
		if (report)
			*report = policy_report_text(lines);
	}
	policy_report_free(lines);
	return rc;
}
