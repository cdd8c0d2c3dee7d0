/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tools/audit_reach.c - who could see what at a moment, and on what ground.
 *
 * Journals are gone through once, practitioners for each of them, so that each journal's policy is
 * parsed once. What holds is policy/decide's to say, why is policy/grounds's.
 */
#include "audit_reach.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../policy/grounds.h"

int tools_audit_removed_add(struct audit_removed *r, uint32_t journal)
{
	if (r->n == r->cap) {
		size_t cap = r->cap ? 2 * r->cap : 16;
		uint32_t *more = reallocarray(r->journal, cap, sizeof(*more));

		if (!more)
			return -ENOMEM;
		r->journal = more;
		r->cap = cap;
	}
	r->journal[r->n++] = journal;
	return 0;
}

static bool is_removed(const struct audit_removed *r, uint32_t journal)
{
	for (size_t i = 0; i < r->n; i++) {
		if (r->journal[i] == journal)
			return true;
	}
	return false;
}

/* ---- the journals ---- */

static int ascending(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

/* Those that were there at the version, each once, in the order of their numbers. */
static int journals(const struct audit_reach *a, uint32_t **out, size_t *count)
{
	size_t all = policy_past_count(a->past), n = 0, kept = 0;
	uint32_t *list = calloc(all + 1, sizeof(*list));

	if (!list)
		return -ENOMEM;
	for (size_t i = 0; i < all; i++) {
		const struct policy_past_change *c = policy_past_at(a->past, i);

		if (c->journal && c->version <= a->version)
			list[n++] = c->journal;
	}
	qsort(list, n, sizeof(*list), ascending);
	for (size_t i = 0; i < n; i++) {
		if ((kept && list[kept - 1] == list[i]) || is_removed(a->removed, list[i]) ||
		    !policy_past_journal(a->past, a->version, list[i]))
			continue;
		list[kept++] = list[i];
	}
	*out = list;
	*count = kept;
	return 0;
}

/* ---- one practitioner in one journal ---- */

struct sight {
	struct policy_grounds grounds;
	bool visible; /* listed, at least */
	uint64_t grant;
	uint32_t rights;
};

static const struct policy_replay_grant *open_grant(const struct audit_reach *a, const char *who,
						    uint32_t journal)
{
	for (size_t i = a->opens; i-- > 0;) {
		if (a->open[i]->journal == journal && !strcmp(a->open[i]->who, who))
			return a->open[i];
	}
	return NULL;
}

/* The few that are open then, out of all that were: each look goes through them. */
static int find_open(struct audit_reach *a)
{
	size_t n = policy_replay_grants(a->replay);

	a->open = calloc(n + 1, sizeof(*a->open));
	if (!a->open)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		const struct policy_replay_grant *g = policy_replay_grant_at(a->replay, i);

		if (policy_replay_grant_open(g, a->at_s * 1000000000))
			a->open[a->opens++] = g;
	}
	return 0;
}

static void look(const struct audit_reach *a, const struct policy_practice *practice,
		 const struct policy_journal *policy, uint32_t journal, const char *who,
		 struct sight *out)
{
	const struct policy_replay_grant *g = open_grant(a, who, journal);
	struct policy_grant grant = {0};
	struct policy_question q = {
		.practice = practice, .journal = policy, .who = who, .now_s = a->at_s};
	struct policy_verdict v;

	memset(out, 0, sizeof(*out));
	policy_grounds(&q, &out->grounds);
	if (g) {
		grant = (struct policy_grant){.number = g->number,
					      .from_s = INT64_MIN,
					      .until_s = g->until_ns / 1000000000,
					      .past_block = g->past_block};
		q.grant = &grant;
	}
	policy_decide(&q, &v);
	out->visible = v.visible;
	out->rights = v.rights & (POLICY_LIST | POLICY_READ | POLICY_WRITE | POLICY_FINALIZE |
				  POLICY_EXPORT | POLICY_DRAFT);
	if (g && out->rights & POLICY_READ && out->grounds.access == POLICY_ACCESS_NONE)
		out->grant = g->number;
}

static const char *state_of(const struct policy_practitioner *p, int64_t at_s)
{
	if (p->state == POLICY_LEFT)
		return "left";
	if (p->state == POLICY_ON_LEAVE)
		return "on leave";
	if (at_s < p->from_s)
		return "not valid yet";
	return at_s < p->until_s ? "active" : "not valid any more";
}

/* ---- all practitioners ---- */

struct tally {
	uint64_t by[POLICY_ACCESS_COUNT];
	uint64_t grant, listed, blocked;
};

static const struct audit_column people_columns[] = {
	{"Who", "who", AUDIT_TEXT},
	{"Role", "role", AUDIT_TEXT},
	{"Unit", "unit", AUDIT_TEXT},
	{"State", "state", AUDIT_TEXT},
	{"Opens", "journals", AUDIT_NUMBER},
	{"own entry", "own", AUDIT_NUMBER},
	{"attend", "attend", AUDIT_NUMBER},
	{"unit entry", "unit_entry", AUDIT_NUMBER},
	{"role entry", "role_entry", AUDIT_NUMBER},
	{"unit default", "unit_default", AUDIT_NUMBER},
	{"emergency", "emergency", AUDIT_NUMBER},
	{"name only", "listed", AUDIT_NUMBER},
	{"blocked", "blocked", AUDIT_NUMBER},
};

static void count(const struct sight *s, struct tally *t)
{
	if (s->grant)
		t->grant++;
	else if (s->grounds.access < POLICY_ACCESS_COUNT)
		t->by[s->grounds.access]++;
	else if (s->visible)
		t->listed++;
	t->blocked += s->grounds.blocked;
}

static void put_person(const struct audit_reach *a, const struct policy_practitioner *p,
		       const struct tally *t)
{
	uint64_t opens = t->grant;

	for (unsigned i = 0; i < POLICY_ACCESS_COUNT; i++)
		opens += t->by[i];
	tools_audit_out_row(a->out, (const struct audit_cell[]){
					    {.text = p->name},
					    {.text = p->role->name},
					    {.text = p->unit ? p->unit->name : ""},
					    {.text = state_of(p, a->at_s)},
					    {.number = (int64_t)opens},
					    {.number = (int64_t)t->by[POLICY_ACCESS_OWN]},
					    {.number = (int64_t)t->by[POLICY_ACCESS_ATTEND]},
					    {.number = (int64_t)t->by[POLICY_ACCESS_UNIT]},
					    {.number = (int64_t)t->by[POLICY_ACCESS_ROLE]},
					    {.number = (int64_t)t->by[POLICY_ACCESS_DEFAULT]},
					    {.number = (int64_t)t->grant},
					    {.number = (int64_t)t->listed},
					    {.number = (int64_t)t->blocked},
				    });
}

/* Every practitioner in each journal. */
static int tally_all(const struct audit_reach *a, const uint32_t *list, size_t n,
		     const struct policy_practice *practice, struct tally *tally)
{
	size_t people = policy_practice_count(practice);

	for (size_t i = 0; i < n; i++) {
		struct policy_practice *same = NULL;
		struct policy_journal *policy = NULL;
		struct sight s;
		int rc = policy_past_get(a->past, a->version, list[i], &same, &policy);

		if (rc)
			return rc;
		for (size_t k = 0; policy && k < people; k++) {
			look(a, practice, policy, list[i], policy_practice_at(practice, k)->name,
			     &s);
			count(&s, &tally[k]);
		}
		policy_practice_put(same);
		policy_journal_put(policy);
	}
	return 0;
}

static int put_people(const struct audit_reach *a, const uint32_t *list, size_t n,
		      const struct policy_practice *practice)
{
	size_t people = policy_practice_count(practice);
	struct tally *tally = calloc(people + 1, sizeof(*tally));
	int rc = tally ? tally_all(a, list, n, practice, tally) : -ENOMEM;

	if (!rc) {
		tools_audit_out_heading(a->out, "Who could see what: %zu journal%s", n,
					n == 1 ? "" : "s");
		tools_audit_out_table(a->out, "practitioner", people_columns,
				      sizeof(people_columns) / sizeof(people_columns[0]));
		for (size_t k = 0; k < people; k++)
			put_person(a, policy_practice_at(practice, k), &tally[k]);
	}
	free(tally);
	return rc;
}

/* ---- one journal, or one practitioner ---- */

static const struct audit_column sight_columns[] = {
	{"Journal", "journal", AUDIT_TEXT}, {"Who", "who", AUDIT_TEXT},
	{"State", "state", AUDIT_TEXT},	    {"Ground", "ground", AUDIT_TEXT},
	{"May", "rights", AUDIT_TEXT},	    {"Until", "until", AUDIT_TIME},
	{"Block", "block", AUDIT_TEXT},
};

static void put_sight(const struct audit_reach *a, uint32_t journal,
		      const struct policy_practitioner *p, const struct sight *s)
{
	char rights[128], ground[64];
	int64_t until_s = s->grounds.until_s;

	if (!s->visible && !s->rights && !s->grounds.blocked)
		return;
	if (s->grant)
		snprintf(ground, sizeof(ground), "emergency access, grant %llu",
			 (unsigned long long)s->grant);
	else
		snprintf(ground, sizeof(ground), "%s",
			 s->grounds.access == POLICY_ACCESS_NONE
				 ? s->visible ? "sees the name" : "none"
				 : policy_access_text(s->grounds.access));
	tools_audit_out_row(a->out,
			    (const struct audit_cell[]){
				    {.text = policy_past_journal(a->past, a->version, journal)},
				    {.text = p->name},
				    {.text = state_of(p, a->at_s)},
				    {.text = ground},
				    {.text = policy_right_text(s->rights, rights)},
				    {.number = until_s == INT64_MAX ? 0 : until_s * 1000000000},
				    {.text = s->grounds.block},
			    });
}

/* who or journal NULL: all. */
static int put_sights(const struct audit_reach *a, const uint32_t *list, size_t n,
		      const struct policy_practice *practice, const char *who, const char *journal)
{
	tools_audit_out_heading(a->out, "Who could see what");
	tools_audit_out_table(a->out, "access", sight_columns,
			      sizeof(sight_columns) / sizeof(sight_columns[0]));
	for (size_t i = 0; i < n; i++) {
		struct policy_practice *same = NULL;
		struct policy_journal *policy = NULL;
		int rc;

		if (journal &&
		    strcmp(policy_past_journal(a->past, a->version, list[i]), journal) != 0)
			continue;
		rc = policy_past_get(a->past, a->version, list[i], &same, &policy);
		if (rc)
			return rc;
		for (size_t k = 0; policy && k < policy_practice_count(practice); k++) {
			const struct policy_practitioner *p = policy_practice_at(practice, k);
			struct sight s;

			if (who && strcmp(p->name, who) != 0)
				continue;
			look(a, practice, policy, list[i], p->name, &s);
			put_sight(a, list[i], p, &s);
		}
		policy_practice_put(same);
		policy_journal_put(policy);
	}
	return 0;
}

static bool has_journal(const struct audit_reach *a, const uint32_t *list, size_t n,
			const char *name)
{
	for (size_t i = 0; i < n; i++) {
		if (!strcmp(policy_past_journal(a->past, a->version, list[i]), name))
			return true;
	}
	return false;
}

static int put(const struct audit_reach *a, const struct policy_practice *practice, const char *who,
	       const char *journal)
{
	uint32_t *list = NULL;
	size_t n = 0;
	int rc = journals(a, &list, &n);

	if (!rc && who && !policy_practice_find(practice, who))
		rc = tools_fail("there was no practitioner %s then", who);
	else if (!rc && journal && !has_journal(a, list, n, journal))
		rc = tools_fail("there was no journal \"%s\" then; its name is written as it was",
				journal);
	else if (!rc && (who || journal))
		rc = put_sights(a, list, n, practice, who, journal);
	else if (!rc)
		rc = put_people(a, list, n, practice);
	free(list);
	return rc;
}

int tools_audit_reach(struct audit_reach *a, const char *who, const char *journal)
{
	struct policy_practice *practice = NULL;
	struct policy_journal *none = NULL;
	int rc = policy_past_get(a->past, a->version, 0, &practice, &none);

	if (rc == -ENOENT) {
		tools_audit_out_say(a->out, "There was no policy then: nobody could see anything.");
		return TOOL_OK;
	}
	if (!rc)
		rc = find_open(a);
	if (!rc)
		rc = put(a, practice, who && who[0] ? who : NULL,
			 journal && journal[0] ? journal : NULL);
	policy_practice_put(practice);
	free(a->open);
	a->open = NULL;
	a->opens = 0;
	if (rc < 0)
		rc = tools_fail("%s", rc == -ENOMEM ? "out of memory"
						    : "a policy that was in force can't be read");
	return rc;
}
