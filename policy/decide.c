/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy/decide.c - the decision.
 *
 * Invariants:
 *  1. An answer is ALLOW exactly when something was asked and all of it is in `rights`.
 *  2. Whoever is unknown, not active, or blocked has no rights in a journal and does
 *     not see it; with `blocks shown` the blocked see what they would see else.
 *  3. Nothing is seen or done in a journal without the role's `list` (or `policy`).
 *  4. Between now and until_s the verdict does not change by itself.
 *  5. A grant gives nothing to who is not active, not clinical or without `break-glass`, nothing
 *     outside its time, and never anything but LIST, READ and DRAFT.
 * Nothing is allocated and nothing is locked; the cost is two hash lookups and one
 * pass over the journal's entries and the defaults of its unit.
 */
#include "decide.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "entry.h"
#include "model.h"
#include "span.h"

/* What a role has in the whole vault, whatever a journal's policy says. */
#define VAULT_RIGHTS                                                                               \
	(POLICY_CREATE | POLICY_BREAK_GLASS | POLICY_POLICY | POLICY_AUDIT | POLICY_REVIEW |       \
	 POLICY_ATTEND)

/* Where an entry stands: see struct policy_verdict. */
struct place {
	unsigned line, unit_default;
};

/* What one pass over the entries found out. */
struct tally {
	unsigned perms; /* of all entries in force, together */
	struct place block;
	struct place allow;   /* the entry in force that decided: see better() */
	unsigned allow_gives; /* how many of the asked rights it gives */
	struct place idle;    /* the first that speaks of this practitioner without effect */
	bool any;	      /* some entry is in force */
};

uint32_t policy_decide_rights(uint32_t role, unsigned perms)
{
	uint32_t rights = 0;

	if (!(role & (POLICY_LIST | POLICY_POLICY)) || !(perms & POLICY_PERM_X))
		return 0;
	rights |= role & POLICY_LIST;
	if (perms & POLICY_PERM_R)
		rights |= role & POLICY_READ;
	if (perms & POLICY_PERM_W)
		rights |= role & (POLICY_WRITE | POLICY_FINALIZE);
	if (rights & POLICY_READ)
		rights |= role & (POLICY_EXPORT | POLICY_HISTORY);
	return rights;
}

/* The verdict ends no later than an edge that lies ahead. */
static void edge(struct policy_verdict *v, int64_t at_s, int64_t now_s)
{
	if (at_s > now_s && at_s < v->until_s)
		v->until_s = at_s;
}

static void status(const struct policy_practitioner *who, int64_t now_s, struct policy_verdict *v)
{
	bool valid = who->from_s <= now_s && now_s < who->until_s;

	if (who->state == POLICY_ACTIVE) {
		edge(v, who->from_s, now_s);
		edge(v, who->until_s, now_s);
		if (valid)
			return;
	}
	v->ground = POLICY_GROUND_STATUS;
	v->line = who->line;
}

/* Keeps the first of the entries that give most of what was asked. */
static void better(struct tally *t, const struct policy_entry *e, struct place at, uint32_t role,
		   uint32_t asked)
{
	unsigned gives =
		(unsigned)__builtin_popcount(policy_decide_rights(role, e->perms) & asked) + 1;

	if (gives <= t->allow_gives)
		return;
	t->allow_gives = gives;
	t->allow = at;
}

/* One entry that speaks of this practitioner. */
static void entry(const struct policy_question *q, const struct policy_role *role,
		  const struct policy_entry *e, struct place at, struct tally *t,
		  struct policy_verdict *v)
{
	edge(v, policy_span_minute_seconds(e->from), q->now_s);
	edge(v, policy_span_minute_seconds(e->until), q->now_s);
	if (!policy_entry_in_force(e, policy_span_minute(q->now_s)) ||
	    (e->kind == POLICY_ENTRY_ATTEND && !policy_role_attends(role))) {
		if (!t->idle.line)
			t->idle = at;
	} else if (e->kind == POLICY_ENTRY_BLOCK) {
		if (!t->block.line)
			t->block = at;
	} else {
		t->any = true;
		t->perms |= e->perms;
		better(t, e, at, role->rights, q->rights);
	}
}

static void entries(const struct policy_question *q, const struct policy_person *who,
		    struct tally *t, struct policy_verdict *v)
{
	const struct policy_journal *j = q->journal;
	const struct policy_default *d;
	size_t count;

	for (uint32_t i = 0; i < j->count; i++)
		if (policy_entry_names(j, &j->entry[i], who))
			entry(q, who->pub.role, &j->entry[i], (struct place){j->entry[i].line, 0},
			      t, v);
	d = policy_practice_defaults(q->practice, policy_journal_unit(j), &count);
	for (size_t i = 0; i < count; i++)
		if (policy_entry_speaks(&d[i].entry, d[i].name, who))
			entry(q, who->pub.role, &d[i].entry,
			      (struct place){d[i].entry.line,
					     (unsigned)(d + i - q->practice->deflt) + 1},
			      t, v);
}

static void vault(const struct policy_question *q, const struct policy_role *role,
		  struct policy_verdict *v)
{
	v->rights = role->rights & (VAULT_RIGHTS | POLICY_LIST);
	if (q->rights && !(q->rights & ~v->rights))
		v->answer = POLICY_ALLOW;
	v->ground = v->answer == POLICY_ALLOW ? POLICY_GROUND_RIGHT : POLICY_GROUND_ROLE;
	v->line = role->line;
}

static void ground(struct policy_verdict *v, enum policy_ground g, unsigned line)
{
	v->ground = g;
	v->line = line;
}

static void ground_at(struct policy_verdict *v, enum policy_ground g, struct place at)
{
	ground(v, g, at.line);
	v->unit_default = at.unit_default;
}

static bool same_unit(const struct policy_journal *j, const struct policy_person *who)
{
	return j->unit_hash && who->pub.unit && j->unit_hash == who->unit_hash &&
	       !strcmp(policy_journal_unit(j), who->pub.unit->name);
}

/* Does the emergency grant hold for this role, now, and in spite of a block? */
static bool granted(const struct policy_question *q, const struct policy_role *role,
		    struct policy_verdict *v)
{
	const struct policy_grant *g = q->grant;

	if (!g || !role->clinical || !(role->rights & POLICY_BREAK_GLASS))
		return false;
	edge(v, g->from_s, q->now_s);
	edge(v, g->until_s, q->now_s);
	return g->from_s <= q->now_s && q->now_s < g->until_s && (!v->blocked || g->past_block);
}

/* LIST, READ and DRAFT; what the role may in the whole vault stays as it was without the grant. */
static void emergency(const struct policy_question *q, const struct policy_role *role,
		      bool *by_grant, struct policy_verdict *v)
{
	uint32_t more = POLICY_LIST | POLICY_READ;

	if (role->rights & POLICY_WRITE)
		more |= POLICY_DRAFT;
	*by_grant = v->blocked || !v->visible ||
		    (q->rights & ~v->rights && !(q->rights & ~(v->rights | more)));
	v->visible = true;
	v->rights |= more;
}

/* Why the rights are as they are: the first of these that says it. */
static void journal_ground(const struct policy_question *q, const struct policy_person *who,
			   const struct tally *t, bool by_grant, struct policy_verdict *v)
{
	const struct policy_role *role = who->pub.role;
	uint32_t most =
		policy_decide_rights(role->rights, POLICY_PERM_R | POLICY_PERM_W | POLICY_PERM_X) |
		(role->rights & VAULT_RIGHTS);
	bool lists = role->rights & POLICY_LIST;

	if (q->rights & ~(most | v->rights) ||
	    (!by_grant && !(role->rights & (POLICY_LIST | POLICY_POLICY))))
		ground(v, POLICY_GROUND_ROLE, role->line);
	else if (by_grant)
		ground(v, POLICY_GROUND_GRANT, 0);
	else if (v->blocked)
		ground_at(v, POLICY_GROUND_BLOCK, t->block);
	else if (v->answer == POLICY_ALLOW && !(q->rights & ~VAULT_RIGHTS))
		ground(v, POLICY_GROUND_RIGHT, role->line);
	else if (v->answer == POLICY_ALLOW || (!q->rights && lists && t->any))
		ground_at(v, POLICY_GROUND_ENTRY, t->allow);
	else if (!q->rights && lists && same_unit(q->journal, who))
		ground(v, POLICY_GROUND_UNIT, q->journal->unit_line);
	else if (!q->rights && v->visible)
		ground(v, POLICY_GROUND_RIGHT, role->line);
	else
		ground_at(v, POLICY_GROUND_NONE, t->any ? t->allow : t->idle);
}

static void journal(const struct policy_question *q, const struct policy_person *who,
		    struct policy_verdict *v)
{
	const struct policy_role *role = who->pub.role;
	struct tally t = {0};
	bool by_grant = false;

	entries(q, who, &t, v);
	v->blocked = t.block.line != 0;
	v->visible = (!v->blocked || q->practice->settings.blocks_shown) &&
		     ((role->rights & POLICY_LIST && (t.any || same_unit(q->journal, who))) ||
		      role->rights & POLICY_POLICY);
	if (v->visible && !v->blocked)
		v->rights =
			policy_decide_rights(role->rights, t.perms) | (role->rights & VAULT_RIGHTS);
	if (granted(q, role, v))
		emergency(q, role, &by_grant, v);
	if (q->rights && !(q->rights & ~v->rights))
		v->answer = POLICY_ALLOW;
	journal_ground(q, who, &t, by_grant, v);
}

void policy_decide(const struct policy_question *q, struct policy_verdict *out)
{
	struct policy_verdict v = {.answer = POLICY_DENY, .until_s = INT64_MAX};
	const struct policy_person *who =
		q->practice && q->who ? policy_practice_person(q->practice, q->who) : NULL;

	if (!who) {
		v.ground = POLICY_GROUND_UNKNOWN;
		*out = v;
		return;
	}
	status(&who->pub, q->now_s, &v);
	if (v.ground != POLICY_GROUND_STATUS) {
		if (q->journal)
			journal(q, who, &v);
		else
			vault(q, who->pub.role, &v);
	}
	*out = v;
}

/* The entry that the verdict speaks of, with its words and its place; NULL when there is none. */
static const struct policy_entry *entry_at(const struct policy_question *q,
					   const struct policy_verdict *v, char out[static 400])
{
	const struct policy_journal *j = q->journal;
	const struct policy_default *d;
	char text[160];

	if (j && v->unit_default && v->unit_default <= q->practice->default_count) {
		d = &q->practice->deflt[v->unit_default - 1];
		policy_entry_write(&d->entry, d->name, text, sizeof(text));
		snprintf(out, 400, "default unit %s %s (%s line %u)", d->unit, text, d->file,
			 d->entry.line);
		return &d->entry;
	}
	for (uint32_t i = 0; j && v->line && i < j->count; i++) {
		if (j->entry[i].line != v->line)
			continue;
		policy_entry_text(j, &j->entry[i], text, sizeof(text));
		snprintf(out, 400, "%s (line %u)", text, v->line);
		return &j->entry[i];
	}
	return NULL;
}

static void status_text(const struct policy_question *q, const struct policy_practitioner *who,
			char *out, size_t cap)
{
	const char *why = "is not valid any more";

	if (who->state == POLICY_ON_LEAVE)
		why = "is on leave";
	else if (who->state == POLICY_LEFT)
		why = "has left";
	else if (q->now_s < who->from_s)
		why = "is not valid yet";
	snprintf(out, cap, "%s %s (%s line %u)", who->name, why, who->file, who->line);
}

static void role_text(const struct policy_question *q, const struct policy_verdict *v,
		      const struct policy_role *role, char *out, size_t cap)
{
	uint32_t lacks = q->rights & ~(role->rights | v->rights);
	char rights[128];

	if (v->ground == POLICY_GROUND_RIGHT)
		lacks = q->rights ? q->rights : POLICY_POLICY;
	else if (!lacks && q->rights & (POLICY_EXPORT | POLICY_HISTORY) &&
		 !(role->rights & POLICY_READ))
		lacks = POLICY_READ;
	else if (!lacks)
		lacks = role->rights & POLICY_LIST ? q->rights : POLICY_LIST;
	policy_right_text(lacks, rights);
	snprintf(out, cap, "role %s may%s %s (%s line %u)", role->name,
		 v->ground == POLICY_GROUND_RIGHT ? "" : " not", rights[0] ? rights : "do that",
		 role->file, role->line);
}

static void grant_text(const struct policy_question *q, const struct policy_verdict *v, char *out,
		       size_t cap)
{
	uint32_t lacks = q->rights & ~v->rights;
	char rights[128];

	/* Whether the block was passed is said where there is one. */
	snprintf(out, cap, "emergency access, grant %" PRIu64 "%s%s%s", q->grant->number,
		 v->blocked ? ", past the patient's block" : "", lacks ? ", does not give " : "",
		 lacks ? policy_right_text(lacks, rights) : "");
}

static void none_text(const struct policy_question *q, const struct policy_verdict *v,
		      const struct policy_role *role, char *out, size_t cap)
{
	int32_t minute = policy_span_minute(q->now_s);
	char text[400], rights[128];
	const struct policy_entry *e = entry_at(q, v, text);

	if (!e)
		snprintf(out, cap, "no entry admits %s", q->who);
	else if (minute < e->from)
		snprintf(out, cap, "%s is not in force yet", text);
	else if (minute >= e->until)
		snprintf(out, cap, "%s is not in force any more", text);
	else if (e->kind == POLICY_ENTRY_ATTEND && !policy_role_attends(role))
		snprintf(out, cap, "%s gives nothing: role %s may not attend (%s line %u)", text,
			 role->name, role->file, role->line);
	else
		snprintf(out, cap, "%s does not give %s", text,
			 policy_right_text(q->rights & ~v->rights, rights));
}

void policy_verdict_text(const struct policy_question *q, const struct policy_verdict *v, char *out,
			 size_t cap)
{
	const struct policy_practitioner *who =
		q->practice && q->who ? policy_practice_find(q->practice, q->who) : NULL;
	char text[400];

	if (!cap)
		return;
	if (!who) {
		snprintf(out, cap, "no practitioner %.64s", q->who ? q->who : "");
		return;
	}
	switch (v->ground) {
	case POLICY_GROUND_STATUS:
		status_text(q, who, out, cap);
		return;
	case POLICY_GROUND_ROLE:
	case POLICY_GROUND_RIGHT:
		role_text(q, v, who->role, out, cap);
		return;
	case POLICY_GROUND_ENTRY:
	case POLICY_GROUND_BLOCK:
		if (!entry_at(q, v, text))
			break;
		snprintf(out, cap, "%s", text);
		return;
	case POLICY_GROUND_UNIT:
		if (!q->journal)
			break;
		snprintf(out, cap, "unit %s (line %u)", policy_journal_unit(q->journal), v->line);
		return;
	case POLICY_GROUND_GRANT:
		if (!q->grant)
			break;
		grant_text(q, v, out, cap);
		return;
	case POLICY_GROUND_NONE:
	case POLICY_GROUND_UNKNOWN:
		break;
	}
	none_text(q, v, who->role, out, cap);
}
