/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy/tally.h - the numbers of a report on the access log: how much, when, by whom, on what
 * basis, and how every emergency access stands.
 *
 * Records go in once, oldest first, all that the log has: only those of the period are counted,
 * those before and behind it say how the emergency accesses of the period stand. Memory grows with
 * days and with pairs of practitioner and journal, not with records. Pure: no clock; local time
 * comes from the caller.
 */
#ifndef POLICY_TALLY_H
#define POLICY_TALLY_H

#include "basis.h"
#include "record.h"

/* An access: a note was opened, changed or exported (policy_basis_act READ and WRITE, but for the
 * closing of a note, which is part of its opening). */
struct policy_tally_day {
	int64_t day; /* days since 1970-01-01, local time */
	uint32_t accesses, refused, grants;
};

/* On what basis accesses were, gathered: an own entry or a stated relationship; an entry or a
 * default of unit or role; emergency; not said. */
enum policy_tally_basis {
	POLICY_TALLY_OWN,
	POLICY_TALLY_SHARED,
	POLICY_TALLY_EMERGENCY,
	POLICY_TALLY_NOT_SAID,
	POLICY_TALLY_BASES
};

struct policy_tally_person {
	uint32_t practitioner;
	char who[POLICY_RECORD_TEXT];
	uint64_t reads, writes, looks, refused, grants;
	uint64_t basis[POLICY_TALLY_BASES]; /* of reads and writes */
	uint32_t journals;		    /* different ones, read or written */
	uint32_t refused_at;		    /* different journals that refused him */
	int64_t refused_ns;		    /* the last refusal */
	char refused_why[256];
};
struct policy_tally_journal {
	uint32_t journal;
	char name[POLICY_RECORD_TEXT]; /* the newest */
	uint64_t reads, writes, looks, refused, grants;
	uint64_t basis[POLICY_TALLY_BASES];
	uint32_t people; /* different ones */
};

enum policy_tally_state {
	POLICY_TALLY_OPEN,    /* still in use */
	POLICY_TALLY_PENDING, /* over, to be judged */
	POLICY_TALLY_OVERDUE, /* the same, and its time for that is over */
	POLICY_TALLY_JUSTIFIED,
	POLICY_TALLY_UNJUSTIFIED, /* a deviation is open */
	POLICY_TALLY_SETTLED,	  /* and has been closed */
	POLICY_TALLY_STATES
};
const char *policy_tally_state_text(enum policy_tally_state s); /* "open", "waits for review" ... */

struct policy_tally_grant {
	uint64_t number;
	char who[POLICY_RECORD_TEXT], journal[POLICY_RECORD_TEXT];
	uint32_t practitioner;
	int64_t from_ns, until_ns;
	int64_t ended_ns; /* 0: no record of its end */
	char ended[128];  /* why it ended: "its time is over", ... */
	char ground[256]; /* and what was unusual about it, as the log says */
	char reason[1024];
	uint64_t acts; /* what was done under it */
	enum policy_tally_state state;
	bool told_failed; /* the notice about it could not be delivered */
	char reviewer[POLICY_RECORD_TEXT];
	int64_t review_ns;
	char note[512]; /* the reviewer's */
};

/* Refusals of one practitioner at one journal (0: at none). */
struct policy_tally_refusal {
	uint32_t practitioner, journal;
	char who[POLICY_RECORD_TEXT], name[POLICY_RECORD_TEXT];
	uint64_t count;
	int64_t first_ns, last_ns;
	char why[256]; /* the last one's */
};

/* An alarm of the period, or a sign-off of a review of the log. */
struct policy_tally_event {
	uint64_t seq;
	int64_t time_ns;
	char who[POLICY_RECORD_TEXT];
	char text[512];
};
#define POLICY_TALLY_EVENTS 200 /* that are kept; the numbers count all */

struct policy_tally_view {
	uint64_t records; /* of the period */
	uint64_t first_seq, last_seq;
	int64_t first_ns, last_ns;
	uint64_t reads, writes, looks, refused, alarms, logins, exports, log_reads, signed_off;
	uint64_t basis[POLICY_TALLY_BASES];
	uint64_t hours[7][24]; /* accesses; Monday is 0, local time */
	uint64_t grants_at[POLICY_TALLY_STATES];
	const struct policy_tally_day *days; /* ascending; those with something on them */
	size_t day_count;
	const struct policy_tally_person *people; /* most accesses first */
	size_t people_count;
	const struct policy_tally_journal *journals; /* most accesses first */
	size_t journal_count;
	const struct policy_tally_grant *grants; /* that began in the period, oldest first */
	size_t grant_count;
	const struct policy_tally_refusal *refusals; /* most first */
	size_t refusal_count;
	const struct policy_tally_event *alarm_list, *sign_offs; /* oldest first */
	size_t alarm_count, sign_off_count;
};

struct policy_tally_settings {
	int64_t since_ns, until_ns; /* since <= time < until; 0: open */
	int64_t now_ns;		    /* what is open or overdue by now */
	int64_t review_s;	    /* an emergency access is to be judged in that time; 0: 72 h */
	int32_t (*offset_s)(void *ctx, int64_t time_s); /* local time minus UTC; NULL: UTC */
	void *ctx;
};

struct policy_tally;
int policy_tally_new(const struct policy_tally_settings *set, struct policy_tally **out);
void policy_tally_free(struct policy_tally *t);				     /* NULL is legal */
int policy_tally_add(struct policy_tally *t, const struct policy_record *r); /* -ENOMEM */
/* Once, after the last record; lives until free. */
const struct policy_tally_view *policy_tally_finish(struct policy_tally *t);

#endif
