/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy/unusual.h - accesses that somebody should ask about, ranked, each with its reason in
 * words.
 *
 * Records go in once, oldest first; what is explained (the practitioner's own entry, a stated care
 * relationship, care that colleagues of the same unit give at the same time) stays out. Memory
 * grows with pairs of practitioner and journal (about 80 bytes each), journals (120) and
 * practitioners (9 KB), not with records: 200 people over a year of 8 clinics take 42 MB, 100,000
 * journals each opened by 20 people 200 MB. Pure: no clock; local time comes from the caller.
 * FORMAT.md, Unusual accesses, says what explains an access and how each score comes about.
 */
#ifndef POLICY_UNUSUAL_H
#define POLICY_UNUSUAL_H

#include "record.h"

enum policy_unusual_reason {
	POLICY_UNUSUAL_NO_RELATIONSHIP =
		1,	    /* opened without a relationship that anything in the log explains */
	POLICY_UNUSUAL_OWN, /* his own journal, where policy names it */
	POLICY_UNUSUAL_RELATIVE,    /* a relative's */
	POLICY_UNUSUAL_MANY,	    /* many journals in a short time, against his own habit */
	POLICY_UNUSUAL_BREAK_GLASS, /* a large share of break-glass against colleagues of his role
				     */
	POLICY_UNUSUAL_COPIED_REASON,
	POLICY_UNUSUAL_HOURS,	/* hours that he never worked before */
	POLICY_UNUSUAL_CRAWL,	/* an indexer's steady walk: a program, not a person */
	POLICY_UNUSUAL_SHARED,	/* one account in two places at once: shared */
	POLICY_UNUSUAL_REFUSED, /* many refusals: somebody tries doors */
	POLICY_UNUSUAL_REASON_COUNT
};
const char *policy_unusual_reason_text(enum policy_unusual_reason r); /* "no relationship", ... */

struct policy_finding {
	enum policy_unusual_reason reason;
	unsigned score; /* 1..1000, for ranking; FORMAT.md says how it comes about */
	char who[POLICY_RECORD_TEXT];
	uint32_t practitioner;
	char journal[POLICY_RECORD_TEXT]; /* "" where it is not about one */
	uint32_t journal_number;
	uint64_t first_seq, last_seq, count;
	int64_t first_ns, last_ns;
	char text[512]; /* why, in words with numbers */
};

struct policy_practice;
struct policy_unusual;
struct policy_unusual_settings {
	const struct policy_practice
		*practice; /* own and relatives' journals, working hours; may be NULL */
	int32_t (*offset_s)(void *ctx, int64_t time_s); /* local time minus UTC; NULL: UTC */
	void *ctx;
};
int policy_unusual_new(const struct policy_unusual_settings *set, struct policy_unusual **out);
void policy_unusual_free(struct policy_unusual *u);
int policy_unusual_add(struct policy_unusual *u, const struct policy_record *r); /* -ENOMEM */
/* Ranked, highest first; lives until free. Once, after the last record. */
int policy_unusual_finish(struct policy_unusual *u, const struct policy_finding **out, size_t *n);

#endif
