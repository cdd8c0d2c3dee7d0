/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/year/year_plants.c - the three misuses. They draw from states of their own: without one,
 * all else stays as it is.
 *
 * Owns what the plants say of themselves.
 */
#include "year_impl.h"

#define AT(h, m) (((h)*60 + (m)) * 60)

void year_plant_add(struct year *y, enum year_misuse m, const struct year_person *who,
		    uint32_t journal, int64_t ns)
{
	struct year_plant *p = &y->plant[m];

	p->planted = true;
	p->practitioner = who->number;
	p->who = who->name;
	if (!p->acts++ || ns < p->first_ns)
		p->first_ns = ns;
	if (ns > p->last_ns)
		p->last_ns = ns;
	for (size_t i = 0; i < p->journals; i++) {
		if (p->journal[i] == journal)
			return;
	}
	if (p->journals < YEAR_PLANT_JOURNALS)
		p->journal[p->journals++] = journal;
}

static int64_t at(struct year_clinic *c, enum year_misuse m, int day, int from_s, int until_s)
{
	uint32_t s = year_below(&c->plant_random[m], (uint32_t)(until_s - from_s));

	return year_local_ns(c->y->first_day + day, from_s + (int)s);
}

/* Over lunch or towards the end of her day: a neighbour, or again the one whom everybody knows from
 * television. */
static void snoop(struct year_clinic *c, int day)
{
	uint64_t *random = &c->plant_random[YEAR_SNOOPER];
	const struct year_person *who = &c->person[YEAR_RAGNA];
	bool lunch = year_chance(random, 500);
	uint32_t patient = c->neighbour[year_chance(random, 250) ? 0 : year_below(random, 16)];
	int64_t ns = lunch ? at(c, YEAR_SNOOPER, day, AT(12, 55), AT(13, 20))
			   : at(c, YEAR_SNOOPER, day, AT(14, 50), AT(15, 30));
	struct year_hand h;

	if (!year_chance(random, 280) || !c->session[who->place])
		return;
	h = year_hand(c, who, c->session[who->place], patient, day);
	year_look(&h, ns, day, 3, random);
	year_plant_add(c->y, YEAR_SNOOPER, who, h.p->number, ns);
}

/* At the nurses' computer, while the physician herself sees patients in her room. */
static void share(struct year_clinic *c, int day)
{
	uint64_t *random = &c->plant_random[YEAR_SHARED];
	const struct year_person *who = &c->person[YEAR_EVA];
	int64_t ns = at(c, YEAR_SHARED, day, AT(9, 15), AT(10, 0));
	unsigned contacts = 3 + year_below(random, 3);
	struct year_session *s;

	if (day < 60 || !year_chance(random, 300) || !c->session[who->place] ||
	    !c->session[YEAR_BO])
		return;
	s = year_login(c, who, ns, "ssh 10.0.1.41", random);
	for (unsigned i = 0; s && i < contacts; i++) {
		uint32_t patient = who->panel[year_below(random, who->panel_count)];
		struct year_hand h = year_hand(c, who, s, patient, day);

		/* What there is to do came from somewhere: an appointment with her own nurse. */
		ns = year_look(&h, ns + (int64_t)(120 + year_below(random, 600)) * YEAR_NS, day, 2,
			       random);
		year_plant_add(c->y, YEAR_SHARED, who, h.p->number, ns);
		ns += (int64_t)(300 + year_below(random, 900)) * YEAR_NS;
	}
	if (s)
		year_say(c, who, s, ns + 120 * YEAR_NS, POLICY_RECORD_LOGOUT, "logged out");
}

/* A colleague's patient for whom a stated relationship would have done. */
static void break_glass(struct year_clinic *c, int day)
{
	static const char *const reasons[] = {"acute, the patient is here and cannot wait",
					      "needs a quick look before the visit"};
	uint64_t *random = &c->plant_random[YEAR_HABIT];
	const struct year_person *who = &c->person[YEAR_RASMUS];
	int64_t ns = at(c, YEAR_HABIT, day, AT(8, 45), AT(15, 0));
	uint32_t patient = c->by_weight[year_below(random, (uint32_t)c->weighed)];
	const char *reason = reasons[year_chance(random, 250)];
	struct year_hand h;

	if (!year_chance(random, 550) || !c->session[who->place])
		return;
	for (unsigned tries = 0; tries < 40 && c->patient[patient].unit != YEAR_HEART; tries++)
		patient = c->by_weight[year_below(random, (uint32_t)c->weighed)];
	h = year_hand(c, who, c->session[who->place], patient, day);
	if (h.rule != YEAR_RULE_NO_ENTRY)
		return;
	year_emergency(h, ns, day, reason, c->y->plant[YEAR_HABIT].acts > 1, random);
	year_plant_add(c->y, YEAR_HABIT, who, h.p->number, ns);
}

void year_misuse(struct year_clinic *c, int day)
{
	static void (*const acts[YEAR_MISUSES])(struct year_clinic * c, int day) = {snoop, share,
										    break_glass};

	for (unsigned m = 0; m < YEAR_MISUSES; m++) {
		if (!c->y->cfg.without[m])
			acts[m](c, day);
	}
}
