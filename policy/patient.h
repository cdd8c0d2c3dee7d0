/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy/patient.h - the statement that a patient may get: who used the journal, when, as what, for
 * what.
 *
 * Records of one journal go in, oldest first; visits come out: all accesses of one practitioner on
 * one occasion. Memory grows with visits (about 1.5 KB each), of which a journal has few.
 */
#ifndef POLICY_PATIENT_H
#define POLICY_PATIENT_H

#include "record.h"

struct policy_patient_view {
	bool names;   /* of practitioners; else their units only */
	bool refused; /* refused attempts too */
	bool notes;   /* names of notes too */
};

struct policy_visit {
	int64_t first_ns, last_ns;
	uint64_t first_seq, last_seq;
	char by[POLICY_RECORD_TEXT]; /* the practitioner, or the unit; "" not known */
	char role[POLICY_RECORD_TEXT], unit[POLICY_RECORD_TEXT];
	char purpose[16];
	uint64_t grant; /* emergency access, 0: none */
	/* Of the emergency access, or the care relationship that was stated; NULL: none. */
	char *reason;
	char *note_list; /* "a.txt, b.txt and 3 more"; NULL without them */
	uint64_t looked, read, written, refused, exported; /* records */
	uint32_t practitioner;				   /* 0 without names */
	uint64_t note[16];				   /* which notes, for the list */
	uint32_t notes;
};

struct policy_patient;
int policy_patient_new(const struct policy_patient_view *view, struct policy_patient **out);
void policy_patient_free(struct policy_patient *p);				 /* NULL is legal */
int policy_patient_add(struct policy_patient *p, const struct policy_record *r); /* -ENOMEM */
/* By the time they began; they live until free. Once, after the last record. */
void policy_patient_finish(struct policy_patient *p, const struct policy_visit **out, size_t *n);

/* "read 3 notes, wrote", "refused", ...: what was done, in words. */
void policy_patient_did(const struct policy_visit *v, char *out, size_t cap);
/*
 * The record as it may leave with a statement: without what the view hides, without what tells of
 * machines. False: it is not part of a statement.
 */
bool policy_patient_record(const struct policy_patient_view *view, const struct policy_record *r,
			   struct policy_record *out);

#endif
