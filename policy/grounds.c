/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy/grounds.c - on what grounds somebody has access to a journal.
 *
 * Invariant: there is a ground exactly when the decision gives any right inside
 * the journal; what holds is the decision's to say, never this file's.
 */
#include "grounds.h"

#include <stdio.h>
#include <string.h>

#include "entry.h"
#include "model.h"
#include "span.h"

#define IN_JOURNAL                                                                                 \
	(POLICY_LIST | POLICY_READ | POLICY_WRITE | POLICY_FINALIZE | POLICY_EXPORT |              \
	 POLICY_HISTORY)

const char *policy_access_text(enum policy_access a)
{
	static const char *const names[] = {"own entry", "attend", "unit entry", "role entry",
					    "unit default", "none"};

	return names[a <= POLICY_ACCESS_NONE ? a : POLICY_ACCESS_NONE];
}

struct look {
	const struct policy_person *who;
	int32_t now;
	struct policy_grounds *out;
};

static enum policy_access access_of(const struct policy_entry *e, bool by_default)
{
	static const enum policy_access of[] = {POLICY_ACCESS_OWN, POLICY_ACCESS_UNIT,
						POLICY_ACCESS_ROLE};

	if (by_default)
		return POLICY_ACCESS_DEFAULT;
	return e->kind == POLICY_ENTRY_ATTEND ? POLICY_ACCESS_ATTEND : of[e->subject];
}

/* One entry that speaks of this practitioner. */
static void look_at(struct look *l, const struct policy_entry *e, const char *name, bool by_default)
{
	const struct policy_role *role = l->who->pub.role;
	struct policy_grounds *out = l->out;
	enum policy_access access = access_of(e, by_default);
	int64_t until_s = policy_span_minute_seconds(e->until);

	if (!policy_entry_in_force(e, l->now))
		return;
	if (e->kind == POLICY_ENTRY_BLOCK) {
		if (!out->blocked)
			policy_entry_write(e, name, out->block, sizeof(out->block));
		out->blocked = true;
		return;
	}
	out->named = out->named || (!by_default && e->subject == POLICY_SUBJECT_USER);
	if (e->kind == POLICY_ENTRY_ATTEND && !policy_role_attends(role))
		return;
	if (!(policy_decide_rights(role->rights, e->perms) & IN_JOURNAL) || access > out->access)
		return;
	if (access < out->access || until_s > out->until_s)
		out->until_s = until_s;
	out->access = access;
}

void policy_grounds(const struct policy_question *q, struct policy_grounds *out)
{
	struct policy_question ask = *q;
	const struct policy_default *d;
	struct policy_verdict verdict;
	struct look l = {.out = out, .now = policy_span_minute(q->now_s)};
	size_t count = 0;

	*out = (struct policy_grounds){.access = POLICY_ACCESS_NONE, .until_s = INT64_MAX};
	l.who = q->practice && q->who ? policy_practice_person(q->practice, q->who) : NULL;
	if (!l.who || !q->journal)
		return;
	for (uint32_t i = 0; i < q->journal->count; i++) {
		const struct policy_entry *e = &q->journal->entry[i];

		if (policy_entry_names(q->journal, e, l.who))
			look_at(&l, e, policy_journal_string(q->journal, e->name), false);
	}
	d = policy_practice_defaults(q->practice, policy_journal_unit(q->journal), &count);
	for (size_t i = 0; i < count; i++) {
		if (policy_entry_speaks(&d[i].entry, d[i].name, l.who))
			look_at(&l, &d[i].entry, d[i].name, true);
	}
	if (out->access == POLICY_ACCESS_NONE)
		return;
	ask.rights = 0;
	policy_decide(&ask, &verdict);
	out->rights = verdict.rights & IN_JOURNAL;
	if (!out->rights) {
		out->access = POLICY_ACCESS_NONE;
		out->until_s = INT64_MAX;
	}
}

static void relation(const struct policy_entry *e, const char *name, struct policy_relation *out)
{
	policy_entry_write(e, name, out->text, sizeof(out->text));
	snprintf(out->who, sizeof(out->who), "%s", name);
	out->user = e->subject == POLICY_SUBJECT_USER;
	out->attend = e->kind == POLICY_ENTRY_ATTEND;
	out->block = e->kind == POLICY_ENTRY_BLOCK;
	out->from_s = policy_span_minute_seconds(e->from);
	out->until_s = policy_span_minute_seconds(e->until);
	out->line = e->line;
}

bool policy_grounds_entry(const struct policy_journal *j, size_t n, struct policy_relation *out)
{
	if (n >= j->count)
		return false;
	relation(&j->entry[n], policy_journal_string(j, j->entry[n].name), out);
	return true;
}

bool policy_grounds_ends(const struct policy_journal *j, int64_t from_s, int64_t until_s)
{
	for (uint32_t i = 0; i < j->count; i++) {
		int64_t end = policy_span_minute_seconds(j->entry[i].until);

		if (end != INT64_MAX && from_s <= end && end < until_s)
			return true;
	}
	return false;
}

bool policy_grounds_attended(const struct policy_journal *j, int64_t now_s)
{
	int32_t now = policy_span_minute(now_s);

	for (uint32_t i = 0; i < j->count; i++) {
		if (j->entry[i].kind == POLICY_ENTRY_ATTEND &&
		    policy_entry_in_force(&j->entry[i], now))
			return true;
	}
	return false;
}

bool policy_grounds_default(const struct policy_practice *p, size_t n, struct policy_relation *out,
			    const char **unit)
{
	if (n >= p->default_count)
		return false;
	relation(&p->deflt[n].entry, p->deflt[n].name, out);
	*unit = p->deflt[n].unit;
	return true;
}
