/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy/practitioner_use.h - what one practitioner did: which journals, in and out of working
 * hours, on what basis, in which sessions.
 *
 * Records of one practitioner go in, oldest first. Memory grows with journals (about 120 bytes and
 * the name) and sessions (about 350 bytes), not with records. Pure: local time comes from the
 * caller.
 */
#ifndef POLICY_PRACTITIONER_USE_H
#define POLICY_PRACTITIONER_USE_H

#include "basis.h"
#include "practice.h"

struct policy_use_counts {
	uint64_t looked, read, written, refused, exported;
	uint64_t off_hours;		    /* readings and work outside of working hours */
	uint64_t basis[POLICY_BASIS_COUNT]; /* of readings */
};
struct policy_use_journal {
	uint32_t number;
	char *name;
	int64_t first_ns, last_ns;
	struct policy_use_counts n;
	uint64_t grants;
	enum policy_kin kin;
	bool related; /* an entry of the practitioner's own, a stated relationship, or own work */
};
struct policy_use_session {
	uint8_t id[16];
	char origin[POLICY_RECORD_TEXT];
	int64_t first_ns, last_ns;
	uint64_t acts;
	bool ended; /* a log-out is in the log */
};
struct policy_use_total {
	char role[POLICY_RECORD_TEXT], unit[POLICY_RECORD_TEXT]; /* the last known */
	int64_t first_ns, last_ns;
	struct policy_use_counts n;
	uint64_t grants, attends, logins_refused;
};

struct policy_use_settings {
	/* Working hours, own and relatives' journals; NULL, or without hours: Monday to Friday,
	 * 07:00 to 18:00. */
	const struct policy_practice *practice;
	int32_t (*offset_s)(void *ctx, int64_t time_s); /* local time minus UTC; NULL: UTC */
	void *ctx;
};
struct policy_use;
int policy_use_new(const struct policy_use_settings *set, struct policy_use **out);
void policy_use_free(struct policy_use *u);				 /* NULL is legal */
int policy_use_add(struct policy_use *u, const struct policy_record *r); /* -ENOMEM */
/* Own and relatives' first, then those read without a relationship, then the rest; each with most
 * readings first. Sessions by time. They live until free; nothing is
 * added after that. */
const struct policy_use_journal *policy_use_journals(struct policy_use *u, size_t *n);
const struct policy_use_session *policy_use_sessions(struct policy_use *u, size_t *n);
const struct policy_use_total *policy_use_total(const struct policy_use *u);

#endif
