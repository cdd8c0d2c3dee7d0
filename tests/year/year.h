/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/year/year.h - the access log of a made-up clinic over a year, record by record.
 *
 * Twenty-five people in three units and their patients: appointments, calls, laboratory results,
 * bills, nights on call, leave, people who come and go, emergencies and their reviews. Kinds,
 * fields and texts are those that the daemon writes. Three misuses are planted and described, so
 * that a test can say whether they were found; four people who only look like them are named too.
 * Pure: the same bytes for the same seed; no clock, no I/O.
 */
#ifndef TESTS_YEAR_H
#define TESTS_YEAR_H

#include "policy/record.h"

#define YEAR_PEOPLE 25u
#define YEAR_PLANT_JOURNALS 64u

enum year_misuse {
	YEAR_SNOOPER, /* a secretary looks at neighbours and a celebrity, now and then, in her hours
		       */
	YEAR_SHARED, /* a nurse works under a physician's log-in at a second computer while he works
			at his */
	YEAR_HABIT,  /* a physician takes emergency access as the easy way, with copied reasons */
	YEAR_MISUSES
};

/* Innocent. */
enum year_alike {
	YEAR_FLOAT,   /* a nurse who stands in wherever one is missing, in all units */
	YEAR_ON_CALL, /* a physician with most of the nights and weekends */
	YEAR_BILLING, /* a secretary who opens every journal that had a visit */
	YEAR_ROOMS, /* a physician who moves to another room at noon, with the first session locked
		     */
	YEAR_ALIKES
};

struct year_config {
	uint64_t seed;
	unsigned clinics;	    /* of 25 people each, all in one log; 0: 1 */
	unsigned patients;	    /* of each clinic; 0: 3,000 */
	unsigned days;		    /* 0: 365 */
	bool without[YEAR_MISUSES]; /* not planted; all else stays as it is */
};

/* What was planted, in the first clinic; filled while the year runs. */
struct year_plant {
	bool planted;
	uint32_t practitioner;
	const char *who;
	uint64_t acts;			       /* journals looked at, or emergency accesses */
	int64_t first_ns, last_ns;	       /* of the first and the last of them */
	uint32_t journal[YEAR_PLANT_JOURNALS]; /* numbers, each once */
	size_t journals;
};

struct year_alike_person {
	uint32_t practitioner;
	const char *who, *why;
};

struct year;

int year_new(const struct year_config *cfg, struct year **out); /* -EINVAL, -ENOMEM */
void year_free(struct year *y);
/*
 * Every record in the order of its time, numbered from 1: those of the daemon's starts and stops
 * too. fn returns 0 to go on; else year_run ends with that. The record is the caller's until fn
 * returns. Once for a year.
 */
int year_run(struct year *y, int (*fn)(void *ctx, const struct policy_record *r), void *ctx);
/* Until year_free. */
const struct year_plant *year_plant(const struct year *y, enum year_misuse misuse);
struct year_alike_person year_alike(const struct year *y, enum year_alike alike);
/* The practice's policy in journalfs' own language; the length that was needed, as snprintf. */
size_t year_practice(const struct year *y, char *out, size_t cap);
/* Each patient's journal and its name. fn not 0 ends it, and is returned. */
int year_journals(const struct year *y, int (*fn)(void *ctx, uint32_t number, const char *name),
		  void *ctx);
/* Local time less UTC, seconds: central Europe. ctx is not looked at. */
int32_t year_offset_s(void *ctx, int64_t time_s);

#endif
