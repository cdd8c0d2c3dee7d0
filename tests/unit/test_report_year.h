/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/test_report_year.h - a made year of a clinic for tests of the report: 25 people, 400
 * journals, working hours, emergency accesses in every state, refusals, alarms, hostile names.
 * Always the same.
 */
#ifndef TEST_REPORT_YEAR_H
#define TEST_REPORT_YEAR_H

#include <stdio.h>
#include <string.h>

#include "policy/record.h"

#define YEAR_S INT64_C(1767571200) /* Monday 2026-01-05 00:00 UTC */
#define YEAR_NS (YEAR_S * INT64_C(1000000000))
#define YEAR_DAYS 364
#define YEAR_HOSTILE "<script>alert(1)</script>\033[2J\"'&\xe2\x80\xae"

struct year {
	uint64_t random, seq;
	int (*fn)(void *ctx, const struct policy_record *r);
	void *ctx;
	int rc;
};

static unsigned year_roll(struct year *y, unsigned below)
{
	y->random = y->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (unsigned)((y->random >> 33) % below);
}

static struct policy_record year_record(struct year *y, int kind, int64_t s, unsigned person,
					unsigned journal)
{
	static const char *const names[] = {"anna", "bjarne", "cecilie", "dorte", "erik", "freja"};
	static const char *const roles[] = {"physician", "nurse", "secretary"};
	struct policy_record r;

	policy_record_init(&r, (enum policy_record_kind)kind);
	r.seq = ++y->seq;
	r.time_ns = s * 1000000000 + year_roll(y, 1000) * 1000000;
	r.practitioner = person;
	r.journal = journal;
	if (person)
		snprintf(r.who, sizeof(r.who), "%s.%u", names[person % 6], person);
	if (person == 13)
		strcpy(r.who, YEAR_HOSTILE);
	if (person) {
		strcpy(r.role, roles[person % 3]);
		strcpy(r.unit, person % 2 ? "north" : "south");
		strcpy(r.origin, "/dev/tty1");
		strcpy(r.program, "soffice.bin");
		r.session[0] = (uint8_t)person;
	}
	if (journal)
		snprintf(r.journal_name, sizeof(r.journal_name), "%02u%02u%02u-%04u Patient %u",
			 1 + journal % 28, 1 + journal % 12, 40 + journal % 60, 1000 + journal * 7,
			 journal);
	if (journal == 17)
		strcpy(r.journal_name, YEAR_HOSTILE);
	return r;
}

static void year_give(struct year *y, const struct policy_record *r)
{
	if (!y->rc)
		y->rc = y->fn(y->ctx, r);
}

/* Notes opened and changed by one person on one day. */
static void year_work(struct year *y, int day, unsigned person, unsigned many)
{
	for (unsigned i = 0; i < many; i++) {
		unsigned journal = 1 + (person * 16 + year_roll(y, 24)) % 400;
		int64_t s = YEAR_S + day * INT64_C(86400) + 7 * 3600 + i * 30600 / many;
		struct policy_record r = year_record(
			y, i % 3 ? POLICY_RECORD_OPEN : POLICY_RECORD_WRITE, s, person, journal);

		strcpy(r.rule, year_roll(y, 3) ? "allow user:x:rwx (line 3)"
					       : "default unit north allow role:nurse:rwx");
		strcpy(r.name, "note.txt");
		r.note = 9;
		year_give(y, &r);
	}
}

static void year_refusals(struct year *y, int day)
{
	unsigned many = day % 11 == 0 ? 1 + year_roll(y, 6) : 0;

	for (unsigned i = 0; i < many; i++) {
		struct policy_record r = year_record(y, POLICY_RECORD_REFUSED,
						     YEAR_S + day * INT64_C(86400) + 64000 + i,
						     1 + day % 5, 1 + day % 23);

		strcpy(r.rule, "no line of the journal's policy allows it");
		strcpy(r.detail, "open to read");
		year_give(y, &r);
	}
}

/* One emergency access, used, ended and judged, as its number says. */
static void year_grant(struct year *y, int day, unsigned number)
{
	static const char *const verdicts[] = {"emergency access of x: justified",
					       "emergency access of x: UNJUSTIFIED, deviation 2",
					       NULL};
	int64_t s = YEAR_S + day * INT64_C(86400) + 75600;
	struct policy_record r =
		year_record(y, POLICY_RECORD_BREAK_GLASS, s, 2 + number % 7, 1 + number * 31 % 400);

	r.grant = number;
	r.until_ns = (s + 3600) * 1000000000;
	strcpy(r.detail, number % 4 ? "danger to life or health"
				    : "on call; PAST THE PATIENT'S BLOCK; again within 24 hours");
	strcpy(r.reason, number % 5 ? "Admitted unconscious, medication list needed before surgery"
				    : "Patient phoned with chest pain; " YEAR_HOSTILE);
	year_give(y, &r);
	r = year_record(y, POLICY_RECORD_OPEN, s + 60, 2 + number % 7, 1 + number * 31 % 400);
	r.grant = number;
	strcpy(r.purpose, "BTG");
	strcpy(r.rule, "emergency access");
	year_give(y, &r);
	r = year_record(y, POLICY_RECORD_BREAK_GLASS_END, s + 3600, 2 + number % 7,
			1 + number * 31 % 400);
	r.grant = number;
	strcpy(r.detail, "its time is over");
	year_give(y, &r);
	if (!verdicts[number % 3])
		return;
	r = year_record(y, POLICY_RECORD_GRANT_REVIEW, s + 86400 - 76000 + 3600, 25, 0);
	r.grant = number;
	strcpy(r.detail, verdicts[number % 3]);
	strcpy(r.reason, "checked with the ward");
	year_give(y, &r);
}

static int year_walk(int (*fn)(void *ctx, const struct policy_record *r), void *ctx)
{
	struct year y = {.random = 7, .fn = fn, .ctx = ctx};
	unsigned number = 0;

	for (int day = 0; day < YEAR_DAYS && !y.rc; day++) {
		bool free_day = day % 7 > 4 || (day > 170 && day < 190);

		for (unsigned person = 1; person <= 25; person++)
			year_work(&y, day, person,
				  free_day ? person % 9 == 0 : 3 + year_roll(&y, 9));
		year_refusals(&y, day);
		if (day % 17 == 3)
			year_grant(&y, day, ++number);
	}
	for (int i = 0; i < 2; i++) {
		struct policy_record r = year_record(&y, POLICY_RECORD_ALARM,
						     YEAR_S + (100 + i) * INT64_C(86400), 0, 0);

		strcpy(r.detail, "the code of a second factor was used twice " YEAR_HOSTILE);
		year_give(&y, &r);
	}
	return y.rc;
}

#endif
