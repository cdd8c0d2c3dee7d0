/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/year/year_people.c - who works in the clinic and who is ill: people, patients, and the
 * policy that says so.
 *
 * Owns the patients, their notes and the lists of a clinic.
 */
#include "year_impl.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	const char *given;
	enum year_role role;
	enum year_unit unit;
	int from, until; /* days of the year; 0: the whole year */
} staff[YEAR_PEOPLE] = {
	{"anna", YEAR_PHYSICIAN, YEAR_GENERAL, 0, 0},
	{"bjorn", YEAR_PHYSICIAN, YEAR_GENERAL, 0, 0},
	{"eva", YEAR_PHYSICIAN, YEAR_GENERAL, 0, 0},
	{"henrik", YEAR_PHYSICIAN, YEAR_GENERAL, 0, 0},
	{"solveig", YEAR_PHYSICIAN, YEAR_GENERAL, 0, 0},
	{"mikkel", YEAR_PHYSICIAN, YEAR_GENERAL, 243, 0},
	{"bo", YEAR_NURSE, YEAR_GENERAL, 0, 0},
	{"dorte", YEAR_NURSE, YEAR_GENERAL, 0, 0},
	{"lars", YEAR_NURSE, YEAR_GENERAL, 0, 181},
	{"fatima", YEAR_NURSE, YEAR_GENERAL, 187, 0},
	{"per", YEAR_SECRETARY, YEAR_GENERAL, 0, 0},
	{"ragna", YEAR_SECRETARY, YEAR_GENERAL, 0, 0},
	{"greta", YEAR_BILLER, YEAR_OFFICE, 0, 0},
	{"frida", YEAR_RELIEF, YEAR_GENERAL, 0, 0},
	{"rasmus", YEAR_PHYSICIAN, YEAR_HEART, 0, 0},
	{"sigrid", YEAR_PHYSICIAN, YEAR_HEART, 0, 0},
	{"jonas", YEAR_PHYSICIAN, YEAR_HEART, 0, 0},
	{"karla", YEAR_NURSE, YEAR_HEART, 0, 0},
	{"ole", YEAR_NURSE, YEAR_HEART, 0, 0},
	{"tove", YEAR_SECRETARY, YEAR_HEART, 0, 0},
	{"ulla", YEAR_PSYCHOLOGIST, YEAR_MIND, 0, 0},
	{"viggo", YEAR_PSYCHOLOGIST, YEAR_MIND, 0, 0},
	{"wenche", YEAR_SECRETARY, YEAR_MIND, 0, 0},
	{"ingrid", YEAR_STEWARD, YEAR_OFFICE, 0, 0},
	{"kirsten", YEAR_AUDITOR, YEAR_OFFICE, 0, 0},
};

static const char *const units[] = {"general", "heart", "mind", ""};
static const char *const roles[] = {"physician", "nurse",   "relief",  "psychologist",
				    "secretary", "billing", "steward", "auditor"};

const char *year_unit_text(enum year_unit u)
{
	return units[u];
}

const char *year_role_text(enum year_role r)
{
	return roles[r];
}

/* ---- the policy ---- */

static const char head[] =
	"practice     \"Lægehuset ved Havnen\"\n"
	"session      ceiling 12h  idle 15m\n"
	"log          strict\n"
	"attend       limit 7d  reason 15\n"
	"break-glass  limit 60m  reason 20  review 72h  notify\n"
	"\n"
	"role  physician     clinical  may list read write create finalize export history "
	"break-glass attend\n"
	"role  nurse         clinical  may list read write finalize break-glass\n"
	"role  relief        clinical  may list read write finalize\n"
	"role  psychologist  clinical  may list read write create finalize history\n"
	"role  secretary     clinical  may list read write create\n"
	"role  billing       clinical  may list read\n"
	"role  steward                 may policy\n"
	"role  auditor                 may audit review\n"
	"\n"
	"unit  general  \"Almen praksis\"\n"
	"unit  heart    \"Hjerteklinik\"\n"
	"unit  mind     \"Psykologi\"\n"
	"\n";

#define DEFAULT_LINE                                                                               \
	20u /* of the first default below, counted from the top of the practice's policy */

static const struct {
	enum year_unit unit;
	enum year_role role;
	const char *perms;
} defaults[] = {
	{YEAR_GENERAL, YEAR_NURSE, "rwx"},     {YEAR_GENERAL, YEAR_RELIEF, "rwx"},
	{YEAR_GENERAL, YEAR_SECRETARY, "rwx"}, {YEAR_GENERAL, YEAR_BILLER, "r-x"},
	{YEAR_HEART, YEAR_NURSE, "rwx"},       {YEAR_HEART, YEAR_RELIEF, "rwx"},
	{YEAR_HEART, YEAR_SECRETARY, "rwx"},   {YEAR_HEART, YEAR_BILLER, "r-x"},
	{YEAR_MIND, YEAR_RELIEF, "r-x"},       {YEAR_MIND, YEAR_SECRETARY, "r-x"},
	{YEAR_MIND, YEAR_BILLER, "r-x"},
};
#define DEFAULTS (sizeof(defaults) / sizeof(defaults[0]))

unsigned year_default_line(enum year_unit u, enum year_role r)
{
	for (unsigned i = 0; i < DEFAULTS; i++) {
		if (defaults[i].unit == u && defaults[i].role == r)
			return DEFAULT_LINE + i;
	}
	return 0;
}

static size_t add(char *out, size_t cap, size_t at, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
static size_t add(char *out, size_t cap, size_t at, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(at < cap ? out + at : NULL, at < cap ? cap - at : 0, fmt, ap);
	va_end(ap);
	return at + (n > 0 ? (size_t)n : 0);
}

static size_t person_line(const struct year *y, const struct year_person *p, char *out, size_t cap,
			  size_t at)
{
	struct year_date from = year_date(y->first_day + p->from),
			 until = year_date(y->first_day + p->until);

	at = add(out, cap, at, "practitioner %s  user lh-%s  role %s", p->name, p->name,
		 roles[p->role]);
	if (p->unit != YEAR_OFFICE)
		at = add(out, cap, at, "  unit %s", units[p->unit]);
	if (p->from > 0)
		at = add(out, cap, at, "  from %04d-%02d-%02d", from.year, from.month, from.day);
	if (p->until < INT32_MAX)
		at = add(out, cap, at, "  until %04d-%02d-%02d", until.year, until.month,
			 until.day);
	return add(out, cap, at, "\n");
}

size_t year_practice(const struct year *y, char *out, size_t cap)
{
	size_t at = add(out, cap, 0, "%s", head);

	for (unsigned i = 0; i < DEFAULTS; i++)
		at = add(out, cap, at, "default  unit %s  allow  role:%s:%s\n",
			 units[defaults[i].unit], roles[defaults[i].role], defaults[i].perms);
	at = add(out, cap, at, "\n");
	for (unsigned c = 0; c < y->cfg.clinics; c++) {
		for (unsigned i = 0; i < YEAR_PEOPLE; i++)
			at = person_line(y, &y->clinic[c].person[i], out, cap, at);
	}
	return add(out, cap, at, "\nprogram deny tracker-miner-fs baloo_file updatedb plocate\n");
}

/* ---- people ---- */

static void hire(struct year_clinic *c, unsigned i)
{
	struct year_person *p = &c->person[i];

	p->given = staff[i].given;
	if (c->number)
		snprintf(p->name, sizeof(p->name), "%s%u", p->given, c->number + 1);
	else
		snprintf(p->name, sizeof(p->name), "%s", p->given);
	p->place = i;
	p->number = c->number * YEAR_PEOPLE + i + 1;
	p->role = staff[i].role;
	p->unit = staff[i].unit;
	p->from = staff[i].from;
	p->until = staff[i].until ? staff[i].until : INT32_MAX;
	/* Three weeks in summer, one in autumn or winter. */
	p->leave[0] = 173 + 7 * (int)year_below(&c->random, 6);
	p->weeks[0] = 21;
	p->leave[1] = year_chance(&c->random, 500) ? 40 + 7 * (int)year_below(&c->random, 2)
						   : 283 + 7 * (int)year_below(&c->random, 3);
	p->weeks[1] = 7;
	p->sick_until = -1;
}

bool year_present(struct year_clinic *c, struct year_person *p, int day)
{
	int of_year = day % 365;

	if (day < p->from || day >= p->until)
		return false;
	for (unsigned i = 0; i < 2; i++) {
		if (of_year >= p->leave[i] && of_year < p->leave[i] + p->weeks[i])
			return false;
	}
	/* About seven days a year, in twos and threes. */
	if (day > p->sick_until && year_chance(&c->random, 13))
		p->sick_until = day + 1 + (int)year_below(&c->random, 3);
	return day >= p->sick_until;
}

/* ---- patients ---- */

static const char *const family[] = {"Aas",  "Beck",	"Carlsen", "Dam",     "Eide",  "Friis",
				     "Gade", "Hauge",	"Juhl",	   "Jensen",  "Kaas",  "Lie",
				     "Moe",  "Nygaard", "Olesen",  "Paulsen", "Quist", "Ravn",
				     "Sand", "Toft",	"Urdal",   "Vik",     "Wold",  "Ytre"};
static const char *const given[] = {"Agnes", "Birk", "Clara", "David", "Elin", "Finn",
				    "Gerda", "Hugo", "Inga",  "Jon",   "Kaja", "Leo",
				    "Mia",   "Noah", "Olga",  "Per",   "Rosa", "Sten",
				    "Tora",  "Ulf",  "Vera",  "Will",  "Ylva"};

static enum year_unit unit_of(struct year_clinic *c)
{
	uint32_t n = year_below(&c->random, 100);

	return n < 62 ? YEAR_GENERAL : n < 87 ? YEAR_HEART : YEAR_MIND;
}

/* A physician or psychologist of the unit who was there before the year. */
static uint32_t owner_of(struct year_clinic *c, enum year_unit u)
{
	static const uint32_t first[] = {0, YEAR_RASMUS, 20}, count[] = {5, 3, 2};

	return first[u] + year_below(&c->random, count[u]);
}

static bool old_notes(struct year_clinic *c, struct year_patient *p)
{
	uint32_t n = 2 + year_below(&c->random, p->weight ? 18 : 6);

	/* Some are new: their journal is made at their first visit. */
	if (p->weight == 1 && year_chance(&c->random, 50))
		n = 0;
	p->note = calloc(n + 8, sizeof(*p->note));
	if (!p->note)
		return false;
	p->cap = n + 8;
	p->notes = n;
	for (uint32_t i = 0; i < n; i++)
		p->note[i] = (struct year_note){.day = (int16_t)(-1000 + (int)(i * 960 / n) +
								 (int)year_below(&c->random, 30)),
						.kind = (uint8_t)year_below(&c->random, 4)};
	return true;
}

static bool admit(struct year_clinic *c, uint32_t i)
{
	struct year_patient *p = &c->patient[i];
	uint32_t health = year_below(&c->random, 100);
	struct year_person *owner;

	p->number = c->number * c->patients + i + 1;
	/* Days that do not exist: the numbers are nobody's. */
	snprintf(p->name, sizeof(p->name), "99%02u%02u-%04u %s, %s", year_below(&c->random, 12) + 1,
		 p->number / 10000 % 100, p->number % 10000,
		 family[year_below(&c->random, sizeof(family) / sizeof(family[0]))],
		 given[year_below(&c->random, sizeof(given) / sizeof(given[0]))]);
	p->unit = unit_of(c);
	p->owner = owner_of(c, p->unit);
	/* A quarter does not come in a year, some are chronically ill. */
	p->weight = health < 27 ? 0 : health < 75 ? 1 : 4;
	for (unsigned a = 0; a < YEAR_ATTENDS; a++)
		p->attend[a].place = YEAR_NOBODY;
	owner = &c->person[p->owner];
	if (owner->panel_count < sizeof(owner->panel) / sizeof(owner->panel[0]))
		owner->panel[owner->panel_count++] = i;
	return old_notes(c, p);
}

static int weigh(struct year_clinic *c)
{
	size_t n = 0;

	for (uint32_t i = 0; i < c->patients; i++)
		n += c->patient[i].weight;
	c->by_weight = calloc(n + 1, sizeof(*c->by_weight));
	if (!c->by_weight || !n)
		return -ENOMEM;
	for (uint32_t i = 0; i < c->patients; i++) {
		for (uint32_t w = 0; w < c->patient[i].weight; w++)
			c->by_weight[c->weighed++] = i;
	}
	return 0;
}

/* Whom the snooper is curious about: people who are hardly ever here. */
static void neighbours(struct year_clinic *c)
{
	uint64_t *random = &c->plant_random[YEAR_SNOOPER];

	for (unsigned n = 0; n < 16; n++) {
		uint32_t i = year_below(random, c->patients);

		while (c->patient[i].weight || c->patient[i].unit != YEAR_GENERAL)
			i = (i + 1) % c->patients;
		c->neighbour[n] = i;
	}
}

int year_people_fill(struct year *y, struct year_clinic *c)
{
	int rc;

	c->patient = calloc(c->patients, sizeof(*c->patient));
	c->due = calloc(y->cfg.days + 400, sizeof(*c->due));
	c->results = calloc(y->cfg.days + 400, sizeof(*c->results));
	if (!c->patient || !c->due || !c->results)
		return -ENOMEM;
	for (unsigned i = 0; i < YEAR_PEOPLE; i++)
		hire(c, i);
	for (uint32_t i = 0; i < c->patients; i++) {
		if (!admit(c, i))
			return -ENOMEM;
	}
	rc = weigh(c);
	if (!rc)
		neighbours(c);
	return rc;
}

void year_people_clear(struct year_clinic *c)
{
	for (uint32_t i = 0; c->patient && i < c->patients; i++)
		free(c->patient[i].note);
	for (unsigned d = 0; c->due && c->results && d < c->y->cfg.days + 400; d++) {
		free(c->due[d].v);
		free(c->results[d].v);
	}
	free(c->reviews.v);
	free(c->recent[0].v);
	free(c->recent[1].v);
	free(c->patient);
	free(c->by_weight);
	free(c->due);
	free(c->results);
}
