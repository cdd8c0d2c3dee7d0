/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy/unusual_habit.c - what somebody does against his own habit: hours, many journals in an
 * hour, many doors tried in a day.
 *
 * Hours: how many days he was active in each hour of the day, apart for weekends; an hour is new
 * when neither it nor its neighbors had any. An hour of reading begins with its first; what he also
 * wrote in then was work. The habit is how often his hours had how many journals.
 *
 * Invariants: a window is counted once, when something after its end comes or at the end of all.
 * Locks: none.
 */
#include <string.h>

#include "unusual_impl.h"

#define KNOWN_DAYS 20 /* of activity, before anything is said about hours */
#define EPISODE_NS (6 * UNUSUAL_HOUR_NS)
#define COLLEAGUE_DAYS 5 /* on that many days a colleague worked at that hour: so it is one */
#define MANY_LEAST 12
#define DOORS_LEAST 5
#define LOGINS_LEAST 10
#define UNKNOWN_USUAL 20 /* journals in an hour, where the log is too short to tell */

struct unusual_local policy_unusual_local(const struct policy_unusual *u, int64_t time_ns)
{
	int64_t s = time_ns / UNUSUAL_NS, day;
	struct unusual_local l;

	if (u->set.offset_s)
		s += u->set.offset_s(u->set.ctx, s);
	day = s / 86400 - (s % 86400 < 0);
	l.day = (int32_t)day;
	l.weekday = (unsigned)(((day + 3) % 7 + 7) % 7);
	l.minute = (unsigned)((s - day * 86400) / 60);
	l.hour = l.minute / 60;
	return l;
}

static bool worked_then(const struct unusual_person *p, unsigned kind, unsigned hour)
{
	for (unsigned i = 23; i <= 25; i++)
		if (p->hour_days[kind][(hour + i) % 24])
			return true;
	return false;
}

bool policy_unusual_off_hours(const struct policy_unusual *u, const struct unusual_person *p,
			      int64_t time_ns)
{
	struct unusual_local l = policy_unusual_local(u, time_ns);
	unsigned kind = l.weekday >= 5, days;

	if (u->set.practice && policy_practice_has_hours(u->set.practice))
		return !policy_practice_works(u->set.practice, l.weekday, l.minute);
	days = p->hour_days[kind][l.hour];
	return p->active_days >= KNOWN_DAYS && days * 20 < p->active_days;
}

/* Others of the role work at that hour: a shift that is new to him only. */
static bool colleagues_work(const struct policy_unusual *u, uint32_t person, unsigned kind,
			    unsigned hour)
{
	const struct unusual_person *p = u->person[person];
	unsigned n = 0;

	for (uint32_t i = 0; i < u->person_count && n < 2; i++)
		n += i != person && u->person[i]->role == p->role &&
		     u->person[i]->hour_days[kind][hour] >= COLLEAGUE_DAYS;
	return n >= 2;
}

static int odd_end(struct policy_unusual *u, uint32_t person)
{
	struct unusual_person *p = u->person[person];
	struct unusual_tally t = p->odd;
	uint32_t n = p->odd_journals.n;
	struct unusual_local from;
	char journals[32];

	p->odd = (struct unusual_tally){0};
	p->odd_journals.n = 0;
	if (!t.count || p->odd_work || !n)
		return 0;
	from = policy_unusual_local(u, t.first_ns);
	return policy_unusual_found(
		u, POLICY_UNUSUAL_HOURS, 300 + (n > 20 ? 20 : n) * 15, person, -1, &t,
		"%s opened from %02u:%02u on a %s, hours that were never worked in %u "
		"days before; nothing was written",
		policy_unusual_journals(n, journals), from.hour, from.minute % 60,
		from.weekday >= 5 ? "weekend" : "weekday", p->active_days);
}

static bool odd_hour(const struct policy_unusual *u, uint32_t person, const struct unusual_local *l)
{
	const struct unusual_person *p = u->person[person];
	unsigned kind = l->weekday >= 5;

	if (p->active_days < KNOWN_DAYS || worked_then(p, kind, l->hour))
		return false;
	if (u->set.practice && policy_practice_has_hours(u->set.practice) &&
	    policy_practice_works(u->set.practice, l->weekday, l->minute))
		return false;
	return !colleagues_work(u, person, kind, l->hour);
}

static int hours_act(struct policy_unusual *u, uint32_t person, uint32_t journal,
		     enum policy_act act, const struct policy_record *r)
{
	struct unusual_local l = policy_unusual_local(u, r->time_ns);
	struct unusual_person *p = u->person[person];
	bool goes_on = p->odd.count && r->time_ns - p->odd.last_ns < EPISODE_NS;
	unsigned kind = l.weekday >= 5;
	int rc = 0;

	if (p->odd.count && !goes_on)
		rc = odd_end(u, person);
	if (rc)
		return rc;
	/* An episode goes on: its own hours count as worked from its end on only. */
	if (goes_on || odd_hour(u, person, &l)) {
		if (!p->odd.count)
			p->odd_work = false;
		policy_unusual_tally_add(&p->odd, r);
		p->odd_work = p->odd_work || act == POLICY_ACT_WRITE || r->grant;
		if (act == POLICY_ACT_READ)
			policy_unusual_set_add(&p->odd_journals, journal);
	}
	if (p->last_day != l.day) {
		p->active_days++;
		p->last_day = l.day;
	}
	if (p->hour_last[kind][l.hour] != l.day + 1 && p->hour_days[kind][l.hour] < UINT16_MAX)
		p->hour_days[kind][l.hour]++;
	p->hour_last[kind][l.hour] = l.day + 1;
	return 0;
}

/* ---- windows ---- */

static void habit_put(struct unusual_habit *h, const struct unusual_tally *t, uint32_t n)
{
	unsigned at = UNUSUAL_TOP;

	h->windows++;
	h->by_n[n < 63 ? n : 63]++;
	while (at > 0 && h->top[at - 1].n < n)
		at--;
	if (at == UNUSUAL_TOP)
		return;
	memmove(&h->top[at + 1], &h->top[at], (UNUSUAL_TOP - 1 - at) * sizeof(h->top[0]));
	h->top[at] = (struct unusual_window){.t = *t, .n = n};
}

uint32_t policy_unusual_habit_usual(const struct unusual_habit *h, unsigned per_mille,
				    unsigned without)
{
	uint64_t all = h->windows > without ? h->windows - without : 0, below = 0;

	for (uint32_t n = 0; n < 64; n++) {
		below += h->by_n[n];
		if (below * 1000 >= all * per_mille)
			return n;
	}
	return 63;
}

static void hour_end(struct unusual_person *p)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < p->hour_read.n; i++)
		n += !policy_unusual_set_has(&p->hour_wrote, p->hour_read.journal[i]);
	if (p->hour.count && !p->hour_crawl)
		habit_put(&p->many, &p->hour, n);
	p->hour = (struct unusual_tally){0};
	p->hour_read.n = p->hour_wrote.n = 0;
	p->hour_crawl = false;
}

static void refused_end(struct unusual_person *p)
{
	if (p->refused.count)
		habit_put(&p->doors, &p->refused, p->refused_journals.n);
	p->refused = (struct unusual_tally){0};
	p->refused_journals.n = 0;
}

static void many_act(struct unusual_person *p, uint32_t journal, enum policy_act act,
		     const struct policy_record *r)
{
	if (p->hour.count && r->time_ns - p->hour.first_ns >= UNUSUAL_HOUR_NS)
		hour_end(p);
	policy_unusual_tally_add(&p->hour, r);
	policy_unusual_set_add(act == POLICY_ACT_READ ? &p->hour_read : &p->hour_wrote, journal);
}

int policy_unusual_habit_act(struct policy_unusual *u, uint32_t person, uint32_t journal,
			     enum policy_act act, const struct policy_record *r)
{
	struct unusual_person *p = u->person[person];

	if (act == POLICY_ACT_REFUSED) {
		if (p->refused.count && r->time_ns - p->refused.first_ns >= UNUSUAL_DAY_NS)
			refused_end(p);
		policy_unusual_tally_add(&p->refused, r);
		policy_unusual_set_add(&p->refused_journals, journal);
		return 0;
	}
	if (act == POLICY_ACT_READ || act == POLICY_ACT_WRITE) {
		/* A door that opened after all, as when a relationship was stated then. */
		policy_unusual_set_remove(&p->refused_journals, journal);
		many_act(p, journal, act, r);
	}
	return hours_act(u, person, journal, act, r);
}

void policy_unusual_habit_login_refused(struct policy_unusual *u, uint32_t person,
					const struct policy_record *r)
{
	struct unusual_person *p = u->person[person];

	if (p->logins.count && r->time_ns - p->logins.first_ns >= UNUSUAL_DAY_NS)
		p->logins = (struct unusual_tally){0};
	policy_unusual_tally_add(&p->logins, r);
	if (p->logins.count > p->worst_logins.count)
		p->worst_logins = p->logins;
}

/* ---- findings ---- */

/* What an hour (a day) of his usually has: his own habit, or that of his role while it is short. */
static uint32_t usual(const struct policy_unusual *u, uint32_t person, bool doors)
{
	const struct unusual_person *p = u->person[person];
	const struct unusual_habit *own = doors ? &p->doors : &p->many;
	struct unusual_habit all = {.windows = 0};
	uint32_t mine;

	mine = policy_unusual_habit_usual(own, 950, UNUSUAL_TOP);
	if (own->windows >= 20)
		return mine;
	for (uint32_t i = 0; i < u->person_count; i++) {
		const struct unusual_habit *h = doors ? &u->person[i]->doors : &u->person[i]->many;

		if (i == person || u->person[i]->role != p->role)
			continue;
		all.windows += h->windows;
		for (unsigned n = 0; n < 64; n++)
			all.by_n[n] += h->by_n[n];
	}
	if (all.windows >= 20)
		return policy_unusual_habit_usual(&all, 990, 0);
	return doors ? 0 : UNKNOWN_USUAL;
}

static int many_found(struct policy_unusual *u, uint32_t person)
{
	const struct unusual_person *p = u->person[person];
	uint32_t normal = usual(u, person, false);
	char journals[32];
	int rc = 0;

	for (unsigned i = 0; !rc && i < UNUSUAL_TOP; i++) {
		const struct unusual_window *w = &p->many.top[i];
		unsigned ratio = w->n * 10 / (normal + 1);

		if (w->n < MANY_LEAST || w->n < 3 * normal + 3)
			continue;
		rc = policy_unusual_found(
			u, POLICY_UNUSUAL_MANY, 350 + (ratio > 200 ? 200 : ratio) * 2, person, -1,
			&w->t,
			"%s%s opened within an hour and nothing written in them; an hour "
			"usually has up to %u",
			policy_unusual_journals(w->n, journals),
			w->n >= UNUSUAL_LIST ? " or more" : "", normal);
	}
	return rc;
}

static int doors_found(struct policy_unusual *u, uint32_t person)
{
	const struct unusual_person *p = u->person[person];
	uint32_t normal = usual(u, person, true);
	char journals[32];
	int rc = 0;

	for (unsigned i = 0; !rc && i < UNUSUAL_TOP; i++) {
		const struct unusual_window *w = &p->doors.top[i];

		if (w->n < DOORS_LEAST || w->n < 3 * normal + 2)
			continue;
		rc = policy_unusual_found(
			u, POLICY_UNUSUAL_REFUSED, 300 + (w->n > 30 ? 30 : w->n) * 15, person, -1,
			&w->t,
			"refused %llu times at %s within a day; a day with refusals has "
			"%u usually",
			(unsigned long long)w->t.count, policy_unusual_journals(w->n, journals),
			normal);
	}
	if (!rc && p->worst_logins.count >= LOGINS_LEAST) {
		uint64_t n = p->worst_logins.count > 50 ? 50 : p->worst_logins.count;

		rc = policy_unusual_found(u, POLICY_UNUSUAL_REFUSED, 300 + (unsigned)n * 8, person,
					  -1, &p->worst_logins,
					  "%llu log-ins were refused within a day",
					  (unsigned long long)p->worst_logins.count);
	}
	return rc;
}

int policy_unusual_habit_end(struct policy_unusual *u, uint32_t person)
{
	int rc;

	hour_end(u->person[person]);
	refused_end(u->person[person]);
	rc = odd_end(u, person);
	if (!rc)
		rc = many_found(u, person);
	return rc ? rc : doors_found(u, person);
}
