/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/year/year_impl.h - inside the generator: people, patients, and what happens on a day.
 *
 * A day is made clinic by clinic and person by person as small items in any order, sorted by time,
 * and only then written out as records: whatever depends on order (numbers, policy versions,
 * grants) is given out there.
 */
#ifndef TESTS_YEAR_IMPL_H
#define TESTS_YEAR_IMPL_H

#include "year.h"

#define YEAR_NS INT64_C(1000000000)
#define YEAR_DAY_S 86400
#define YEAR_NOBODY UINT32_MAX
#define YEAR_ATTENDS 4u

enum year_unit { YEAR_GENERAL, YEAR_HEART, YEAR_MIND, YEAR_OFFICE };
enum year_role {
	YEAR_PHYSICIAN,
	YEAR_NURSE,
	YEAR_RELIEF,
	YEAR_PSYCHOLOGIST,
	YEAR_SECRETARY,
	YEAR_BILLER,
	YEAR_STEWARD,
	YEAR_AUDITOR
};

/* The people by their places in every clinic. */
enum {
	YEAR_EVA = 2,
	YEAR_HENRIK = 3,
	YEAR_SOLVEIG = 4,
	YEAR_BO = 6,
	YEAR_PER = 10,
	YEAR_RAGNA = 11,
	YEAR_GRETA = 12,
	YEAR_FRIDA = 13,
	YEAR_RASMUS = 14,
	YEAR_SIGRID = 15,
	YEAR_INGRID = 23,
	YEAR_KIRSTEN = 24,
};

struct year_person {
	const char *given;
	char name[32];
	uint32_t number, place; /* number: the practitioner's in the vault */
	enum year_role role;
	enum year_unit unit;
	int from, until;	/* days of the year; until is the first not there */
	int leave[2], weeks[2]; /* first days of the holidays, and their lengths in days */
	int sick_until;
	uint32_t panel[2000]; /* patients who are this person's own */
	uint32_t panel_count;
};

/* What decided. */
enum year_rule {
	YEAR_RULE_NONE,
	YEAR_RULE_OWN,
	YEAR_RULE_ATTEND,
	YEAR_RULE_DEFAULT,
	YEAR_RULE_GRANT,
	YEAR_RULE_NO_ENTRY,
	YEAR_RULE_NO_WRITE,
	YEAR_RULE_PROGRAM,
};

enum year_kind { YEAR_CONSULTATION, YEAR_PHONE, YEAR_LAB, YEAR_LETTER };

struct year_note {
	int16_t day; /* of the year; negative: before */
	uint8_t kind;
};

struct year_patient {
	uint32_t number; /* the journal's */
	char name[48];
	enum year_unit unit;
	uint32_t owner;	 /* place of a person */
	uint32_t weight; /* how often something is the matter */
	struct year_note *note;
	uint32_t notes, cap;
	struct {
		uint32_t place;
		int until;
		bool entry; /* a steward's line, not his own statement */
	} attend[YEAR_ATTENDS];
};

struct year_session {
	uint8_t id[16];
	char origin[32];
};

struct year_visit {
	uint32_t patient, place;
	int day; /* not before */
	uint64_t grant;
	bool read, copied; /* only laboratory results to look at; an emergency's reason is an
			      earlier one */
};

/* A list that grows. */
struct year_list {
	struct year_visit *v;
	size_t n, cap;
};

struct year_clinic {
	struct year *y;
	unsigned number;
	uint64_t random, plant_random[YEAR_MISUSES];
	struct year_person person[YEAR_PEOPLE];
	struct year_patient *patient;
	unsigned patients;
	uint32_t *by_weight; /* patients, as often as they weigh */
	size_t weighed;
	struct year_list *due; /* by day: who is booked with whom */
	struct year_list
		*results; /* by day: laboratory results that arrive, for this place's patient */
	struct year_list
		recent[2];	  /* visits that were held: on the working day before, and today */
	struct year_list reviews; /* emergencies to be judged */
	uint32_t neighbour[16];	  /* of the snooper; the first is well known from television */
	struct year_session *session[YEAR_PEOPLE]; /* today's, of whom is in */
	uint32_t statements;
};

struct year_item {
	int64_t ns;
	uint32_t order;
	uint8_t kind, rule, outcome;
	char action;
	struct year_clinic *c;
	const struct year_person *who; /* NULL: the daemon */
	const struct year_session *s;
	const struct year_person
		*subject; /* whose entry or grant the rule or the detail names, if another's */
	struct year_patient *p;
	uint32_t note, notes; /* number, 0 none; for an intent: how many there were */
	const char *name, *program, *purpose, *reason, *detail;
	uint64_t read, written, count, grant;
	int64_t until_ns;
};

struct year_chunk {
	struct year_chunk *next;
	size_t used, cap;
	uint8_t p[];
};

struct year {
	struct year_config cfg;
	struct year_clinic *clinic;
	struct year_plant plant[YEAR_MISUSES];
	int64_t first_day; /* since 1970 */
	struct year_item *item;
	size_t items, cap;
	uint32_t order;
	struct year_chunk *texts[2]; /* of today, of yesterday */
	bool failed;		     /* memory was short */
	uint64_t seq, grants;
	uint32_t policy_version;
	int64_t boot_ns;
};

/* Who does something to whose journal, from where, and why he may. */
struct year_hand {
	struct year_clinic *c;
	const struct year_person *who;
	const struct year_session *s;
	struct year_patient *p;
	enum year_rule rule;
	uint64_t grant;
	const char *program, *purpose;
};

/* year_calendar.c: days of the year from 0 */
struct year_date {
	int year, month, day, weekday; /* 0: Monday */
};
struct year_date year_date(int64_t days);
bool year_closed(int64_t days);			     /* a weekend or a holiday of the practice */
int64_t year_local_ns(int64_t days, int64_t second); /* local time of that day, as UTC */

/* year_people.c */
int year_people_fill(struct year *y, struct year_clinic *c);
void year_people_clear(struct year_clinic *c);
const char *year_unit_text(enum year_unit u);
const char *year_role_text(enum year_role r);
bool year_present(struct year_clinic *c, struct year_person *p, int day);
/* Lines of the practice's policy that rules name. */
unsigned year_default_line(enum year_unit u, enum year_role r);

/* year_random.c */
uint64_t year_random(uint64_t *state);
uint32_t year_below(uint64_t *state, uint32_t n);
bool year_chance(uint64_t *state, uint32_t per_thousand);
uint32_t year_weighed(struct year_clinic *c);
void *year_keep(struct year *y, size_t len); /* zeroed, until the day after; NULL: failed is set */
const char *year_format(struct year *y, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void year_list_add(struct year *y, struct year_list *l, struct year_visit v);

/* year_acts.c: what is done to a journal; each returns the time when it is over */
struct year_hand year_hand(struct year_clinic *c, const struct year_person *who,
			   const struct year_session *s, uint32_t patient, int day);
/* NULL: memory is short, which year_run tells. */
struct year_item *year_item(const struct year_hand *h, int64_t ns, enum policy_record_kind kind);
int64_t year_look(const struct year_hand *h, int64_t ns, int day, unsigned most, uint64_t *random);
int64_t year_write(const struct year_hand *h, int64_t ns, int day, enum year_kind kind, bool sign,
		   uint64_t *random);
/* The whole of an emergency access; reviewed later by the auditor. */
int64_t year_emergency(struct year_hand h, int64_t ns, int day, const char *reason, bool copied,
		       uint64_t *random);
/* A colleague's patient: refused at first, now and then; then he states why. */
int64_t year_cover(struct year_hand *h, int64_t ns, int day, const char *reason);
/* origin NULL: the person's own computer. */
struct year_session *year_login(struct year_clinic *c, const struct year_person *who, int64_t ns,
				const char *origin, uint64_t *random);
struct year_item *year_say(struct year_clinic *c, const struct year_person *who,
			   const struct year_session *s, int64_t ns, enum policy_record_kind kind,
			   const char *detail);

/* year_day.c: a clinic's day */
void year_day(struct year_clinic *c, int day);
/* year_work.c: one person's day, from one time to another */
void year_work(struct year_clinic *c, struct year_person *who, int day);
/* The first open day from `day` on. */
int year_open_day(const struct year *y, int day);
void year_book(struct year_clinic *c, int day, struct year_visit v);
/* year_office.c: nights, the steward, the auditor, the computers themselves */
void year_on_call(struct year_clinic *c, int day);
void year_office(struct year_clinic *c, int day);
void year_machines(struct year_clinic *c, int day);
/* year_plants.c */
void year_misuse(struct year_clinic *c, int day);
const char *year_emergency_reason(struct year_clinic *c, uint64_t *random);
void year_plant_add(struct year *y, enum year_misuse m, const struct year_person *who,
		    uint32_t journal, int64_t ns);
/* year_write.c */
void year_record(struct year *y, const struct year_item *it, struct policy_record *r,
		 struct policy_record_note *notes, char (*names)[64]);

#endif
