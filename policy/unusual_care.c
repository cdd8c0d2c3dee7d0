/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy/unusual_care.c - what explains that somebody opened a journal, and what does not.
 *
 * Explained at once: an entry of his own, a relationship that he stated, emergency access (which is
 * reviewed by itself), own work in the journal within a year, work of his unit in the last month, a
 * journal made lately. What is not waits three weeks, since work often follows a reading: then his
 * own or his unit's work, or a statement, explains it. The rest is suspect; work of another unit
 * explains it for those who always read across units.
 *
 * Invariants: waiting readings lie in a ring in the order of time, their ids ascend; a link to an
 * id below the ring's first is the end of a list. Locks: none.
 */
#include <errno.h>
#include <stdlib.h>

#include "unusual_impl.h"

#define OWN_WORK_MIN (365 * 1440)
#define BEFORE_MIN (30 * 1440) /* work of the unit that a reading may follow */
#define AFTER_MIN (21 * 1440)  /* and that it may prepare: a visit is booked weeks ahead */
#define WAIT_NS (22 * UNUSUAL_DAY_NS)
#define NEW_MIN (30 * 1440)
#define DORMANT_MIN (90 * 1440)
#define EPISODE_NS (12 * UNUSUAL_HOUR_NS)
#define RECENT_NS UNUSUAL_DAY_NS

static uint32_t minute_of(int64_t ns)
{
	int64_t m = ns / UNUSUAL_MINUTE_NS;

	return m < 1 ? 1 : m > UINT32_MAX ? UINT32_MAX : (uint32_t)m;
}

static bool lately(uint32_t then, uint32_t now, uint32_t within)
{
	return then && (then >= now || now - then <= within);
}

static struct unusual_pending *pending_at(const struct policy_unusual *u, uint32_t id)
{
	if (!id || id < u->pending_first || id - u->pending_first >= u->pending_count)
		return NULL;
	return &u->pending[id & (u->pending_cap - 1)];
}

static int pending_room(struct policy_unusual *u)
{
	uint32_t cap = u->pending_cap ? u->pending_cap * 2 : 64;
	struct unusual_pending *bigger;

	if (u->pending_count < u->pending_cap)
		return 0;
	bigger = calloc(cap, sizeof(*bigger));
	if (!bigger)
		return -ENOMEM;
	for (uint32_t i = 0; i < u->pending_count; i++) {
		uint32_t id = u->pending_first + i;

		bigger[id & (cap - 1)] = u->pending[id & (u->pending_cap - 1)];
	}
	free(u->pending);
	u->pending = bigger;
	u->pending_cap = cap;
	if (!u->pending_first)
		u->pending_first = 1;
	return 0;
}

/* Whoever has no unit works for all. */
static bool same_unit(const struct unusual_person *p, uint32_t unit)
{
	return !p->unit || p->unit == unit;
}

/* p NULL: any unit. */
static bool unit_worked(const struct unusual_person *p, const struct unusual_journal *j,
			uint32_t now, uint32_t within)
{
	for (unsigned i = 0; i < 4; i++)
		if ((!p || same_unit(p, j->care[i].unit)) && lately(j->care[i].minute, now, within))
			return true;
	return false;
}

static bool explained(const struct policy_unusual *u, const struct unusual_pair *pair,
		      const struct policy_record *r)
{
	const struct unusual_person *p = u->person[pair->person];
	const struct unusual_journal *j = &u->journal[pair->journal];
	enum policy_basis basis = policy_basis_of(r);
	uint32_t now = minute_of(r->time_ns);

	if (basis == POLICY_BASIS_OWN || basis == POLICY_BASIS_ATTEND || r->grant)
		return true;
	return pair->attend_minute > now || lately(pair->wrote_minute, now, OWN_WORK_MIN) ||
	       lately(j->made_minute, now, NEW_MIN) || unit_worked(p, j, now, BEFORE_MIN);
}

static int wait_for(struct policy_unusual *u, uint32_t index, const struct policy_record *r)
{
	struct unusual_pair *pair = &u->pair[index];
	struct unusual_journal *j = &u->journal[pair->journal];
	struct unusual_pending *p = pending_at(u, pair->pending);
	uint32_t id;

	if (p && r->time_ns - p->t.first_ns < EPISODE_NS) {
		policy_unusual_tally_add(&p->t, r);
		return 0;
	}
	if (pending_room(u))
		return -ENOMEM;
	id = u->pending_first + u->pending_count++;
	p = &u->pending[id & (u->pending_cap - 1)];
	*p = (struct unusual_pending){
		.pair = index,
		.next = j->pending,
		.cross = unit_worked(NULL, j, minute_of(r->time_ns), BEFORE_MIN),
		.off_hours = policy_unusual_off_hours(u, u->person[pair->person], r->time_ns),
	};
	policy_unusual_tally_add(&p->t, r);
	j->pending = pair->pending = id;
	return 0;
}

int policy_unusual_read(struct policy_unusual *u, uint32_t person, uint32_t journal,
			const struct policy_record *r)
{
	uint32_t day = minute_of(r->time_ns) / 1440 + 1, index;
	struct unusual_pair *pair;
	int rc = policy_unusual_pair(u, person, journal, &index);

	if (rc)
		return rc;
	pair = &u->pair[index];
	if (!pair->read_day)
		u->person[person]->journals++;
	if (pair->read_day != day)
		u->person[person]->reads++;
	pair->read_day = day;
	return explained(u, pair, r) ? 0 : wait_for(u, index, r);
}

/* What waits of this journal is explained by what has happened now. */
static void explain_waiting(struct policy_unusual *u, uint32_t person, uint32_t journal,
			    bool unit_too, int64_t now_ns)
{
	struct unusual_pending *p = pending_at(u, u->journal[journal].pending);

	for (; p; p = pending_at(u, p->next)) {
		const struct unusual_person *reader = u->person[u->pair[p->pair].person];

		if (now_ns - p->t.last_ns > AFTER_MIN * UNUSUAL_MINUTE_NS)
			continue;
		if (u->pair[p->pair].person == person ||
		    (unit_too && same_unit(reader, u->person[person]->unit)))
			p->explained = true;
		else if (unit_too)
			p->cross = true;
	}
}

static void care_put(struct unusual_journal *j, uint32_t unit, uint32_t now)
{
	struct unusual_care *use = &j->care[0];

	for (unsigned i = 0; i < 4; i++) {
		if (j->care[i].minute && j->care[i].unit == unit) {
			use = &j->care[i];
			break;
		}
		if (j->care[i].minute < use->minute)
			use = &j->care[i];
	}
	*use = (struct unusual_care){.unit = unit, .minute = now};
}

int policy_unusual_work(struct policy_unusual *u, uint32_t person, uint32_t journal,
			const struct policy_record *r)
{
	uint32_t index, now = minute_of(r->time_ns);
	int rc = policy_unusual_pair(u, person, journal, &index);

	if (rc)
		return rc;
	u->pair[index].wrote_minute = now;
	u->person[person]->works++;
	care_put(&u->journal[journal], u->person[person]->unit, now);
	explain_waiting(u, person, journal, true, r->time_ns);
	return 0;
}

int policy_unusual_attend(struct policy_unusual *u, uint32_t person, uint32_t journal,
			  const struct policy_record *r)
{
	uint32_t index;
	int rc = policy_unusual_pair(u, person, journal, &index);

	if (rc)
		return rc;
	if (r->until_ns)
		u->pair[index].attend_minute = minute_of(r->until_ns);
	explain_waiting(u, person, journal, false, r->time_ns);
	return 0;
}

static bool foreign(const struct unusual_person *p, const struct unusual_journal *j)
{
	bool some = false;

	for (unsigned i = 0; i < 4; i++) {
		if (!j->care[i].minute)
			continue;
		if (same_unit(p, j->care[i].unit))
			return false;
		some = true;
	}
	return some;
}

static bool dormant(const struct unusual_journal *j, uint32_t now)
{
	for (unsigned i = 0; i < 4; i++)
		if (lately(j->care[i].minute, now, DORMANT_MIN))
			return false;
	return true;
}

static struct unusual_suspect *suspect_of(struct policy_unusual *u, uint32_t index)
{
	struct unusual_pair *pair = &u->pair[index];
	struct unusual_suspect *array;

	if (!pair->suspect) {
		array = policy_map_grow(u->suspect, u->suspect_count, sizeof(*array));
		if (!array)
			return NULL;
		u->suspect = array;
		array[u->suspect_count] = (struct unusual_suspect){.pair = index, .recent = true};
		pair->suspect = ++u->suspect_count;
	}
	return &u->suspect[pair->suspect - 1];
}

static int suspect_put(struct policy_unusual *u, const struct unusual_pending *p, bool recent)
{
	struct unusual_suspect *s = suspect_of(u, p->pair);
	struct unusual_person *person;
	struct unusual_journal *j;

	if (!s)
		return -ENOMEM;
	person = u->person[u->pair[p->pair].person];
	j = &u->journal[u->pair[p->pair].journal];
	if (p->cross) {
		policy_unusual_tally_join(&s->across, &p->t);
		s->cross++;
		person->cross++;
		return 0;
	}
	policy_unusual_tally_join(&s->t, &p->t);
	s->episodes++;
	s->off_hours += p->off_hours;
	s->foreign = s->foreign || foreign(person, j);
	s->dormant = s->dormant || dormant(j, minute_of(p->t.first_ns));
	s->recent = s->recent && recent;
	return 0;
}

int policy_unusual_settle(struct policy_unusual *u, bool all)
{
	while (u->pending_count) {
		struct unusual_pending *p = pending_at(u, u->pending_first);
		int rc = 0;

		if (!all && u->now_ns - p->t.first_ns <= WAIT_NS)
			break;
		if (!p->explained)
			rc = suspect_put(u, p, all && u->now_ns - p->t.last_ns < RECENT_NS);
		if (rc)
			return rc;
		u->pending_first++;
		u->pending_count--;
	}
	return 0;
}

void policy_unusual_forget(struct policy_unusual *u, uint32_t person, int64_t since_ns)
{
	for (uint32_t i = u->pending_count; i > 0; i--) {
		struct unusual_pending *p = pending_at(u, u->pending_first + i - 1);

		if (p->t.first_ns < since_ns)
			break;
		if (u->pair[p->pair].person == person)
			p->explained = true;
	}
}

/* ---- own and relatives' journals ---- */

static int kin_new(struct policy_unusual *u, uint32_t index)
{
	struct unusual_pair *pair = &u->pair[index];
	const char *name = u->journal[pair->journal].name;
	enum policy_kin kin = policy_practice_kin(u->set.practice, u->person[pair->person]->who,
						  name ? name : "");
	struct unusual_kin *array;

	pair->kin = UNUSUAL_NO_KIN;
	if (kin == POLICY_KIN_NONE)
		return 0;
	array = policy_map_grow(u->kin, u->kin_count, sizeof(*array));
	if (!array)
		return -ENOMEM;
	u->kin = array;
	array[u->kin_count] = (struct unusual_kin){.pair = index, .kin = kin};
	pair->kin = ++u->kin_count;
	return 0;
}

int policy_unusual_kin_act(struct policy_unusual *u, uint32_t person, uint32_t journal, bool wrote,
			   const struct policy_record *r)
{
	struct unusual_kin *k;
	uint32_t index;
	int rc;

	if (!u->set.practice)
		return 0;
	rc = policy_unusual_pair(u, person, journal, &index);
	if (!rc && !u->pair[index].kin)
		rc = kin_new(u, index);
	if (rc || u->pair[index].kin == UNUSUAL_NO_KIN)
		return rc;
	k = &u->kin[u->pair[index].kin - 1];
	policy_unusual_tally_add(&k->t, r);
	k->wrote += wrote;
	return 0;
}
