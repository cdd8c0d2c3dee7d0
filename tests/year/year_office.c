/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/year/year_office.c - nights on call, emergencies, the steward, the auditor, and the
 * computers themselves.
 *
 * Owns nothing.
 */
#include "year_impl.h"

#define AT(h, m) (((h)*60 + (m)) * 60)

static int64_t at(struct year_clinic *c, int day, int from_s, int until_s)
{
	return year_local_ns(c->y->first_day + day,
			     from_s + (int)year_below(&c->random, (uint32_t)(until_s - from_s)));
}

/* ---- on call ---- */

static bool away(const struct year_person *p, int day)
{
	int of_year = day % 365;

	for (unsigned i = 0; i < 2; i++) {
		if (of_year >= p->leave[i] && of_year < p->leave[i] + p->weeks[i])
			return true;
	}
	return day < p->from || day >= p->until;
}

/* Six weeks of ten are Henrik's; the others take turns. */
static struct year_person *on_call(struct year_clinic *c, int day)
{
	unsigned week = (unsigned)day / 7;
	struct year_person *p = &c->person[week % 10 < 6 ? YEAR_HENRIK : week % 5];

	for (unsigned i = 0; i < 6 && away(p, day); i++)
		p = &c->person[(week + i) % 6];
	return away(p, day) ? NULL : p;
}

const char *year_emergency_reason(struct year_clinic *c, uint64_t *random)
{
	static const char *const what[] = {"chest pain",
					   "short of breath",
					   "a fall with a head wound",
					   "fever and confusion",
					   "an allergic reaction",
					   "palpitations",
					   "severe abdominal pain",
					   "a seizure",
					   "fainted at home",
					   "very low blood sugar",
					   "a swollen leg",
					   "vomiting blood"};
	static const char *const how[] = {"the ambulance calls for his medicines",
					  "the hospital asks for earlier findings",
					  "the daughter calls, no list of medicines at hand",
					  "walked in, nobody of his own is here",
					  "the home nurse is with the patient and asks",
					  "the pharmacy holds a prescription and asks",
					  "the emergency ward wants the last laboratory results"};

	return year_format(c->y, "%s since %u:%02u, %s; age %u",
			   what[year_below(random, sizeof(what) / sizeof(what[0]))],
			   year_below(random, 12) + 6, 5 * year_below(random, 12),
			   how[year_below(random, sizeof(how) / sizeof(how[0]))],
			   2 + year_below(random, 93));
}

static void contact(struct year_clinic *c, const struct year_person *who, int day, int64_t ns)
{
	struct year_session *s;
	struct year_hand h;
	uint32_t patient = year_weighed(c);

	for (unsigned tries = 0; tries < 20 && c->patient[patient].unit == YEAR_MIND; tries++)
		patient = year_weighed(c);
	s = year_login(c, who, ns, year_format(c->y, "ssh 192.0.2.%u", who->place + 10),
		       &c->random);
	if (!s)
		return;
	ns += 40 * YEAR_NS;
	h = year_hand(c, who, s, patient, day);
	if (h.rule == YEAR_RULE_NO_ENTRY && year_chance(&c->random, 60)) {
		ns = year_emergency(h, ns, day, year_emergency_reason(c, &c->random), false,
				    &c->random);
	} else {
		ns = year_cover(&h, ns, day,
				year_format(c->y, "on call, the patient rang at %s",
					    day % 2 ? "night" : "home"));
		ns = year_look(&h, ns, day, 3, &c->random);
		ns = year_write(&h, ns + 300 * YEAR_NS, day, YEAR_CONSULTATION,
				year_chance(&c->random, 700), &c->random);
	}
	year_list_add(c->y, &c->recent[1],
		      (struct year_visit){.patient = patient, .place = who->place});
	year_say(c, who, s, ns + 3700 * YEAR_NS, POLICY_RECORD_LOGOUT, "logged out");
}

void year_on_call(struct year_clinic *c, int day)
{
	struct year_person *evening = on_call(c, day), *night = on_call(c, day ? day - 1 : 0);
	bool closed = year_closed(c->y->first_day + day);

	for (uint32_t n = year_below(&c->random, 2); night && n; n--)
		contact(c, night, day, at(c, day, 0, AT(6, 0)));
	for (uint32_t n = closed ? 1 + year_below(&c->random, 4) : 0; evening && n; n--)
		contact(c, evening, day, at(c, day, AT(9, 0), AT(17, 0)));
	for (uint32_t n = 1 + year_below(&c->random, 2); evening && n; n--)
		contact(c, evening, day, at(c, day, AT(18, 0), AT(22, 0)));
}

/* ---- the office ---- */

static void reviews(struct year_clinic *c, const struct year_session *s, int day, int64_t ns)
{
	size_t kept = 0;

	for (size_t i = 0; i < c->reviews.n; i++) {
		struct year_visit v = c->reviews.v[i];
		struct year_hand h = {.c = c,
				      .who = &c->person[YEAR_KIRSTEN],
				      .s = s,
				      .p = &c->patient[v.patient],
				      .grant = v.grant};
		struct year_item *it;

		if (v.day > day) {
			c->reviews.v[kept++] = v;
			continue;
		}
		it = year_item(&h, ns, POLICY_RECORD_GRANT_REVIEW);
		if (it) {
			it->reason = v.copied ? "as told by the physician"
					      : "called back, it was as the reason says";
			it->detail = year_format(c->y, "emergency access of %s: justified",
						 c->person[v.place].name);
		}
		ns += 90 * YEAR_NS;
	}
	c->reviews.n = kept;
}

/* Comes in on Tuesdays and Fridays, reads the log, judges emergencies; once in a quarter who may
 * see what. */
static void auditor(struct year_clinic *c, int day)
{
	struct year_person *who = &c->person[YEAR_KIRSTEN];
	int weekday = year_date(c->y->first_day + day).weekday;
	int64_t ns = at(c, day, AT(9, 0), AT(9, 40));
	struct year_session *s;

	if (weekday != 1 && weekday != 4)
		return;
	s = year_login(c, who, ns, NULL, &c->random);
	if (!s)
		return;
	year_say(c, who, s, ns + 120 * YEAR_NS, POLICY_RECORD_AUDIT, "the log was read");
	reviews(c, s, day, ns + 600 * YEAR_NS);
	if (day % 91 < 4)
		year_say(c, who, s, ns + 7200 * YEAR_NS, POLICY_RECORD_REVIEW,
			 "an access review is made");
	year_say(c, who, s, ns + 10000 * YEAR_NS, POLICY_RECORD_LOGOUT, "logged out");
}

/* A second opinion: a heart physician may read a patient of the general practice for a year. */
static void admit(struct year_clinic *c, const struct year_session *s, int64_t ns, int day)
{
	struct year_patient *p = &c->patient[year_weighed(c)];
	const struct year_person *guest = &c->person[YEAR_RASMUS + year_below(&c->random, 3)];
	struct year_hand h = {.c = c, .who = &c->person[YEAR_INGRID], .s = s, .p = p};
	struct year_item *it;

	if (p->unit != YEAR_GENERAL)
		return;
	p->attend[YEAR_ATTENDS - 1].place = guest->place;
	p->attend[YEAR_ATTENDS - 1].until = day + 365;
	p->attend[YEAR_ATTENDS - 1].entry = true;
	it = year_item(&h, ns, POLICY_RECORD_POLICY);
	if (!it)
		return;
	it->reason = year_format(c->y, "%s asks for a second opinion", c->person[p->owner].name);
	it->subject = guest;
}

static void steward(struct year_clinic *c, int day)
{
	struct year_person *who = &c->person[YEAR_INGRID];
	int64_t ns = at(c, day, AT(8, 30), AT(9, 30));
	struct year_session *s;

	if (!year_chance(&c->random, 400))
		return;
	s = year_login(c, who, ns, NULL, &c->random);
	if (!s)
		return;
	for (uint32_t n = year_below(&c->random, 4); n; n--)
		admit(c, s, ns += 200 * YEAR_NS, day);
	year_say(c, who, s, ns + 1200 * YEAR_NS, POLICY_RECORD_LOGOUT, "logged out");
}

/* Emergencies by day, each with a story of its own. */
static void emergency(struct year_clinic *c, int day)
{
	static const uint32_t places[] = {0, 1, 2, 4, YEAR_BO, 7, YEAR_RASMUS, YEAR_SIGRID, 16, 17};
	uint32_t place = places[year_below(&c->random, sizeof(places) / sizeof(places[0]))];
	uint32_t patient = year_weighed(c);
	struct year_hand h;

	if (!c->session[place])
		return;
	h = year_hand(c, &c->person[place], c->session[place], patient, day);
	if (h.rule == YEAR_RULE_NO_ENTRY)
		year_emergency(h, at(c, day, AT(9, 0), AT(15, 0)), day,
			       year_emergency_reason(c, &c->random), false, &c->random);
}

/* A program that walks through all files meets the policy's list of programs: at the first door, then it is counted. */
static void indexer(struct year_clinic *c, int day)
{
	struct year_person *who = &c->person[year_below(&c->random, YEAR_INGRID)];
	int64_t ns = at(c, day, AT(9, 0), AT(11, 0));

	if (!c->session[who->place])
		return;
	for (unsigned i = 0; i < 2; i++) {
		struct year_hand h = {.c = c,
				      .who = who,
				      .s = c->session[who->place],
				      .rule = YEAR_RULE_PROGRAM,
				      .program = "tracker-miner-f"};
		struct year_item *it = year_item(&h, ns, POLICY_RECORD_REFUSED);

		if (it) {
			it->outcome = 4;
			it->detail = "opendir: EACCES";
			it->count = i ? who->panel_count : 0;
		}
		ns += 3600 * YEAR_NS;
	}
}

/* Curiosity that ends at the door, and wrong clicks. */
static void refusals(struct year_clinic *c, int day)
{
	for (uint32_t n = year_below(&c->random, 3); n; n--) {
		struct year_person *who = &c->person[year_below(&c->random, YEAR_INGRID)];
		struct year_hand h;
		struct year_item *it;

		if (!c->session[who->place])
			continue;
		h = year_hand(c, who, c->session[who->place], year_weighed(c), day);
		if (h.rule != YEAR_RULE_NO_ENTRY)
			continue;
		it = year_item(&h, at(c, day, AT(8, 30), AT(15, 30)), POLICY_RECORD_REFUSED);
		if (it) {
			it->note = 1;
			it->outcome = 4;
			it->detail = "opendir: EACCES";
		}
	}
}

static void export_one(struct year_clinic *c, int day)
{
	struct year_person *who = &c->person[year_below(&c->random, 5)];
	struct year_hand h;
	struct year_item *it;
	uint32_t patient;

	if (!c->session[who->place] || !who->panel_count)
		return;
	patient = who->panel[year_below(&c->random, who->panel_count)];
	h = year_hand(c, who, c->session[who->place], patient, day);
	h.program = NULL;
	h.rule = YEAR_RULE_NONE;
	if (!h.p->notes)
		return;
	it = year_item(&h, at(c, day, AT(14, 0), AT(15, 30)), POLICY_RECORD_EXPORT);
	if (!it)
		return;
	it->note = 2;
	it->count = 1 + year_below(&c->random, 5000);
	it->detail = year_format(c->y, "signature of %s, for minisign", who->name);
}

void year_office(struct year_clinic *c, int day)
{
	auditor(c, day);
	steward(c, day);
	refusals(c, day);
	if (year_chance(&c->random, 450))
		emergency(c, day);
	if (year_chance(&c->random, 60))
		indexer(c, day);
	if (year_chance(&c->random, 120))
		export_one(c, day);
}

/* Updates, at night, about once a month. */
void year_machines(struct year_clinic *c, int day)
{
	struct year_date d = year_date(c->y->first_day + day);
	int64_t ns = year_local_ns(c->y->first_day + day, AT(3, 10));

	if (d.weekday != 2 || d.day > 7)
		return;
	year_say(c, NULL, NULL, ns, POLICY_RECORD_STOP, NULL);
	year_say(c, NULL, NULL, ns + 95 * YEAR_NS, POLICY_RECORD_START, NULL);
}
