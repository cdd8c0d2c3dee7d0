/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/year/year_work.c - one person's day at work: visits, calls, results, bills.
 *
 * Owns nothing. Who is in logs in, is locked over lunch, works through what is booked, and logs
 * out.
 */
#include "year_impl.h"

#define AT(h, m) (((h)*60 + (m)) * 60)

static int64_t minutes(struct year_clinic *c, uint32_t least, uint32_t most)
{
	return (int64_t)(least * 60 + year_below(&c->random, (most - least) * 60 + 1)) * YEAR_NS;
}

int year_open_day(const struct year *y, int day)
{
	while (year_closed(y->first_day + day))
		day++;
	return day;
}

void year_book(struct year_clinic *c, int day, struct year_visit v)
{
	day = year_open_day(c->y, day);
	if (day < (int)c->y->cfg.days + 390)
		year_list_add(c->y, &c->due[day], v);
}

/* ---- clinicians ---- */

static uint32_t nurse_of(struct year_clinic *c, enum year_unit u, int day)
{
	uint32_t place = u == YEAR_HEART ? 17 + year_below(&c->random, 2)
					 : YEAR_BO + year_below(&c->random, 4);

	if (c->person[place].until <= day)
		place = 9;
	return c->person[place].from > day ? YEAR_BO : place;
}

static void follow(struct year_clinic *c, const struct year_person *who, uint32_t patient, int day)
{
	struct year_patient *p = &c->patient[patient];
	bool treats = who->role == YEAR_PHYSICIAN || who->role == YEAR_PSYCHOLOGIST;

	if (who->role == YEAR_PSYCHOLOGIST && year_chance(&c->random, 920))
		year_book(c, day + 7, (struct year_visit){.patient = patient, .place = who->place});
	if (who->role == YEAR_PHYSICIAN && year_chance(&c->random, 380))
		year_book(c, day + 7 + (int)year_below(&c->random, p->weight > 1 ? 25 : 50),
			  (struct year_visit){.patient = patient, .place = who->place});
	if (p->unit == YEAR_MIND)
		return;
	if (year_chance(&c->random, treats ? 220 : 150))
		year_book(c, day + 1 + (int)year_below(&c->random, 20),
			  (struct year_visit){.patient = patient,
					      .place = nurse_of(c, p->unit, day)});
	if (year_chance(&c->random, 280))
		year_list_add(
			c->y,
			&c->results[year_open_day(c->y, day + 1 + (int)year_below(&c->random, 2))],
			(struct year_visit){.patient = patient, .place = p->owner});
}

static const char *cover_reason(struct year_clinic *c, const struct year_patient *p)
{
	static const char *const why[] = {"is on leave", "is ill today", "has no room this week",
					  "asked me to take over"};

	return year_format(c->y, "stands in for %s, who %s", c->person[p->owner].name,
			   why[year_below(&c->random, sizeof(why) / sizeof(why[0]))]);
}

static int64_t visit(struct year_clinic *c, const struct year_person *who, struct year_visit v,
		     int64_t ns, int day)
{
	struct year_hand h = year_hand(c, who, c->session[who->place], v.patient, day);
	bool treats = who->role == YEAR_PHYSICIAN || who->role == YEAR_PSYCHOLOGIST;

	ns = year_cover(&h, ns, day, cover_reason(c, h.p));
	ns = year_look(&h, ns, day, treats ? 3 : 2, &c->random);
	if (v.read) {
		if (year_chance(&c->random, 250))
			ns = year_write(&h, ns, day, YEAR_PHONE, true, &c->random);
		return ns;
	}
	ns += minutes(c, treats ? 6 : 4, treats ? 16 : 10);
	ns = year_write(&h, ns, day, YEAR_CONSULTATION, treats && year_chance(&c->random, 800),
			&c->random);
	if (treats && year_chance(&c->random, 80))
		ns = year_write(&h, ns, day, YEAR_LETTER, false, &c->random);
	follow(c, who, v.patient, day);
	year_list_add(c->y, &c->recent[1],
		      (struct year_visit){.patient = v.patient, .place = who->place});
	return ns;
}

/* One of his own patients, or of a colleague who is away, with something that cannot wait. */
static struct year_visit acute(struct year_clinic *c, const struct year_person *who)
{
	struct year_visit v = {.place = who->place};
	unsigned tries = 12;

	do {
		v.patient = year_weighed(c);
	} while (c->patient[v.patient].unit != who->unit && --tries);
	if (who->panel_count && year_chance(&c->random, 850)) {
		for (tries = 12; tries; tries--) {
			v.patient = who->panel[year_below(&c->random, who->panel_count)];
			if (c->patient[v.patient].weight)
				break;
		}
	}
	return v;
}

/* What is not reached is booked for the day after, unless there are more hours. */
static void clinician(struct year_clinic *c, const struct year_person *who, int day, int64_t from,
		      int64_t lunch, int64_t until, bool more)
{
	bool physician = who->role == YEAR_PHYSICIAN, eaten = false;
	unsigned most_acute = physician ? 1 + year_below(&c->random, 3) : 0;
	struct year_list *due = &c->due[day];
	int64_t ns = from + minutes(c, 10, 30);

	/* The list may grow on the way: what follows the same day is at its end. */
	for (size_t i = 0; i < due->n || most_acute; i++) {
		struct year_visit v;

		if (i < due->n && due->v[i].place != who->place)
			continue;
		if (i < due->n)
			v = due->v[i];
		else
			v = acute(c, who), most_acute--;
		if (ns > until - 20 * 60 * YEAR_NS && (more || i >= due->n))
			break;
		if (i < due->n)
			due->v[i].place = YEAR_NOBODY;
		if (ns > until - 20 * 60 * YEAR_NS) {
			year_book(c, day + 1, v);
			continue;
		}
		if (!eaten && ns >= lunch) {
			ns = lunch + 45 * 60 * YEAR_NS;
			eaten = true;
		}
		ns = visit(c, who, v, ns, day) + minutes(c, 2, physician ? 12 : 15);
	}
}

/* ---- secretaries ---- */

/* Why somebody opens a journal at the desk. */
enum call { CALL_BOOK, CALL_APPOINTMENT, CALL_RECENT, CALL_PRESCRIPTION, CALL_OTHER };

static enum call why(struct year_clinic *c, enum year_unit u)
{
	uint32_t n = year_below(&c->random, 1000);

	/* In psychology the desk keeps appointments, and little else. */
	if (u == YEAR_MIND)
		return n < 15	 ? CALL_BOOK
		       : n < 600 ? CALL_APPOINTMENT
		       : n < 997 ? CALL_RECENT
				 : CALL_OTHER;
	return n < 350	 ? CALL_BOOK
	       : n < 600 ? CALL_APPOINTMENT
	       : n < 780 ? CALL_RECENT
	       : n < 980 ? CALL_PRESCRIPTION
			 : CALL_OTHER;
}

/* One of a list who is the unit's; YEAR_NOBODY: none was met. */
static uint32_t one_of(struct year_clinic *c, const struct year_list *l, enum year_unit u)
{
	for (unsigned tries = 0; l->n && tries < 30; tries++) {
		uint32_t i = l->v[year_below(&c->random, (uint32_t)l->n)].patient;

		if (c->patient[i].unit == u)
			return i;
	}
	return YEAR_NOBODY;
}

static uint32_t caller(struct year_clinic *c, enum year_unit u, enum call what, int day)
{
	uint32_t i = YEAR_NOBODY;

	if (what == CALL_RECENT)
		i = one_of(c, &c->recent[0], u);
	else if (what == CALL_APPOINTMENT)
		i = one_of(c, &c->due[year_open_day(c->y, day + 1)], u);
	if (u == YEAR_MIND && what != CALL_BOOK && what != CALL_OTHER)
		return i;
	for (unsigned tries = 0; i == YEAR_NOBODY && tries < 60; tries++) {
		i = what == CALL_OTHER ? year_below(&c->random, c->patients) : year_weighed(c);
		if (c->patient[i].unit != u)
			i = YEAR_NOBODY;
	}
	return i;
}

static void call(struct year_clinic *c, const struct year_person *who, int64_t ns, int day)
{
	enum call what = why(c, who->unit);
	uint32_t patient = caller(c, who->unit, what, day);
	struct year_hand h;

	if (patient == YEAR_NOBODY)
		return;
	h = year_hand(c, who, c->session[who->place], patient, day);
	ns = year_look(&h, ns, day, 1, &c->random);
	if (what == CALL_BOOK)
		year_book(c, day + (int)year_below(&c->random, who->unit == YEAR_MIND ? 2 : 15) + 1,
			  (struct year_visit){.patient = patient, .place = h.p->owner});
	if (who->unit != YEAR_MIND && what != CALL_OTHER && year_chance(&c->random, 850))
		year_write(&h, ns, day, YEAR_PHONE, false, &c->random);
}

static void results(struct year_clinic *c, const struct year_person *who, int64_t ns, int day)
{
	struct year_list *arrived = &c->results[day];
	unsigned share = who->unit == YEAR_GENERAL ? 2 : 1;

	for (size_t i = 0; i < arrived->n; i++) {
		struct year_visit v = arrived->v[i];
		struct year_hand h = year_hand(c, who, c->session[who->place], v.patient, day);

		/* Two in the general practice share them; what is left comes up on the next day. */
		if (v.copied || h.p->unit != who->unit || (share == 2 && i % 2 != who->place % 2))
			continue;
		arrived->v[i].copied = true;
		ns = year_look(&h, ns, day, 1, &c->random);
		ns = year_write(&h, ns, day, YEAR_LAB, false, &c->random) + minutes(c, 0, 1);
		v.read = true;
		year_book(c, day, v);
	}
}

static void secretary(struct year_clinic *c, const struct year_person *who, int day, int64_t from,
		      int64_t until)
{
	unsigned calls = (who->unit == YEAR_GENERAL ? 24
			  : who->unit == YEAR_HEART ? 16
						    : 9) +
			 year_below(&c->random, 6);
	uint64_t span = (uint64_t)(until - from) / YEAR_NS;

	if (who->unit != YEAR_MIND)
		results(c, who, from + minutes(c, 20, 60), day);
	for (unsigned i = 0; i < calls; i++) {
		int64_t ns = from + (int64_t)year_below(&c->random, (uint32_t)span - 600) * YEAR_NS;
		int64_t of_day = ns - year_local_ns(c->y->first_day + day, 0);

		if (of_day / YEAR_NS >= AT(12, 0) && of_day / YEAR_NS < AT(12, 40))
			ns += 45 * 60 * YEAR_NS;
		call(c, who, ns, day);
	}
}

/* Every visit of the working day before, one after the other. */
static void bills(struct year_clinic *c, const struct year_person *who, int day, int64_t ns)
{
	for (size_t i = 0; i < c->recent[0].n; i++) {
		struct year_hand h =
			year_hand(c, who, c->session[who->place], c->recent[0].v[i].patient, day);

		h.purpose = "HPAYMT";
		ns = year_look(&h, ns, day, 1, &c->random) + minutes(c, 0, 2);
	}
}

/* ---- a day ---- */

/* Another room after lunch: a log-in of its own, while the first stays locked. */
static struct year_session *moves(struct year_clinic *c, const struct year_person *who, int64_t ns)
{
	const char *room = year_format(c->y, "ssh 10.0.%u.%u", c->number + 1, 60 + who->place);

	return year_login(c, who, ns, room, &c->random);
}

static void hours(struct year_clinic *c, struct year_person *who, int64_t from, int64_t lunch,
		  int64_t until, int day)
{
	switch (who->role) {
	case YEAR_SECRETARY:
		secretary(c, who, day, from, until);
		break;
	case YEAR_BILLER:
		bills(c, who, day, lunch + minutes(c, 45, 60));
		break;
	default:
		clinician(c, who, day, from, lunch, until, false);
	}
}

void year_work(struct year_clinic *c, struct year_person *who, int day)
{
	int64_t days = c->y->first_day + day,
		from = year_local_ns(days, AT(7, 40)) + minutes(c, 0, 30);
	int64_t lunch = year_local_ns(days, AT(12, 0)) + minutes(c, 0, 10), until;
	bool late = who->role == YEAR_PHYSICIAN && year_date(days).weekday == 3;
	bool room = who->place == YEAR_SOLVEIG && year_chance(&c->random, 300);
	struct year_session *first;

	until = year_local_ns(days, late ? AT(18, 0) : AT(15, 40)) + minutes(c, 0, 30);
	first = c->session[who->place] = year_login(c, who, from, NULL, &c->random);
	if (!first)
		return;
	year_say(c, who, first, lunch + 15 * 60 * YEAR_NS, POLICY_RECORD_LOCK,
		 "idle for as long as the policy allows");
	if (!room) {
		year_say(c, who, first, lunch + 40 * 60 * YEAR_NS, POLICY_RECORD_UNLOCK, "unlock");
		hours(c, who, from, lunch, until, day);
	} else {
		clinician(c, who, day, from, lunch, lunch, true);
		c->session[who->place] = moves(c, who, lunch + 42 * 60 * YEAR_NS);
		if (!c->session[who->place])
			return;
		clinician(c, who, day, lunch + 43 * 60 * YEAR_NS, until, until, false);
		year_say(c, who, first, until + 3 * 60 * YEAR_NS, POLICY_RECORD_LOGOUT,
			 "logged out");
	}
	year_say(c, who, c->session[who->place], until + 4 * 60 * YEAR_NS, POLICY_RECORD_LOGOUT,
		 "logged out");
}
