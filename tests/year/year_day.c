/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/year/year_day.c - a clinic's day: who is in, who stands in for whom, and in which order the
 * day is made.
 *
 * Owns nothing. Secretaries come first: what they book or receive is there for the others.
 */
#include "year_impl.h"

#include <string.h>

static uint32_t colleague(struct year_clinic *c, uint32_t place, const bool in[static YEAR_PEOPLE])
{
	const struct year_person *away = &c->person[place];
	uint32_t at = year_below(&c->random, YEAR_PEOPLE);

	/* The nurse who stands in for all comes before the others. */
	if (away->role == YEAR_NURSE && in[YEAR_FRIDA])
		return YEAR_FRIDA;
	for (uint32_t i = 0; i < YEAR_PEOPLE; i++) {
		const struct year_person *p = &c->person[(at + i) % YEAR_PEOPLE];

		if (in[p->place] && p->unit == away->unit && p->role == away->role)
			return p->place;
	}
	return YEAR_NOBODY;
}

/* Of what was booked with somebody who is away, some cannot wait. Psychologists do not stand in for
 * one another. */
static void stand_in(struct year_clinic *c, int day, const bool in[static YEAR_PEOPLE])
{
	struct year_list *due = &c->due[day];
	unsigned week = (unsigned)(day / 7) % 2;

	for (size_t i = 0, n = due->n; i < n; i++) {
		struct year_visit *v = &due->v[i];
		const struct year_person *with;
		bool gone;

		if (v->place == YEAR_NOBODY)
			continue;
		with = &c->person[v->place];
		gone = with->until <= day;
		if (in[v->place]) {
			/* A week in one unit, a week in the other. */
			if (with->role == YEAR_NURSE && in[YEAR_FRIDA] &&
			    with->unit == (week ? YEAR_HEART : YEAR_GENERAL) &&
			    year_chance(&c->random, 300))
				v->place = YEAR_FRIDA;
			continue;
		}
		if (gone ||
		    (with->unit != YEAR_MIND && year_chance(&c->random, v->read ? 900 : 400)))
			v->place = colleague(c, v->place, in);
		else
			v->place = YEAR_NOBODY;
		if (v->place == YEAR_NOBODY) {
			struct year_visit later = {
				.patient = v->patient, .place = with->place, .read = v->read};

			year_book(c, day + 2 + (int)year_below(&c->random, 8), later);
		}
	}
}

static void leftover(struct year_clinic *c, int day)
{
	struct year_list *arrived = &c->results[day],
			 *next = &c->results[year_open_day(c->y, day + 1)];

	for (size_t i = 0; i < arrived->n; i++) {
		if (!arrived->v[i].copied && c->patient[arrived->v[i].patient].unit != YEAR_MIND)
			year_list_add(c->y, next, arrived->v[i]);
	}
}

static void open_day(struct year_clinic *c, int day)
{
	bool in[YEAR_PEOPLE];
	struct year_list before = c->recent[0];

	c->recent[0] = c->recent[1];
	before.n = 0;
	c->recent[1] = before;
	for (unsigned i = 0; i < YEAR_PEOPLE; i++)
		in[i] = year_present(c, &c->person[i], day);
	stand_in(c, day, in);
	for (unsigned i = 0; i < YEAR_PEOPLE; i++) {
		if (in[i] && c->person[i].role == YEAR_SECRETARY)
			year_work(c, &c->person[i], day);
	}
	/* Results that are to be read by somebody who is away. */
	stand_in(c, day, in);
	for (unsigned i = 0; i < YEAR_INGRID; i++) {
		if (in[i] && c->person[i].role != YEAR_SECRETARY)
			year_work(c, &c->person[i], day);
	}
	leftover(c, day);
	if (in[YEAR_INGRID] || in[YEAR_KIRSTEN])
		year_office(c, day);
}

void year_day(struct year_clinic *c, int day)
{
	memset(c->session, 0, sizeof(c->session));
	if (!year_closed(c->y->first_day + day))
		open_day(c, day);
	year_on_call(c, day);
	if (!c->number) {
		year_misuse(c, day);
		year_machines(c, day);
	}
}
