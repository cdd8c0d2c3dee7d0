/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tools/incident.h - what the 72-hour pack of `audit incident` adds up: who, which journals and
 * notes, what left the vault. Only for cmd_audit_incident.c and incident.c.
 */
#ifndef TOOLS_INCIDENT_H
#define TOOLS_INCIDENT_H

#include "../policy/record.h"

struct incident_note { /* of a journal; note 0: the journal itself */
	uint32_t journal;
	uint64_t note;
	char *journal_name, *name;
	int64_t first_ns, last_ns;
	uint64_t could_read, read, written, exported, refused;
};

struct incident_person {
	uint32_t number;
	char *who, *role, *unit;
	int64_t first_ns, last_ns;
	uint64_t records;
};

struct incident {
	struct incident_note *note;
	size_t notes, note_cap;
	uint32_t *slot; /* of notes, by journal and number; + 1 */
	size_t slots;
	struct incident_person *person;
	size_t persons;
	uint64_t *seq; /* of all records */
	size_t seqs, seq_cap;
	char **left, **grant, **session; /* lines for people */
	size_t lefts, grants, sessions;
	int64_t first_ns, last_ns;
};

int tools_incident_add(struct incident *in, const struct policy_record *r); /* -ENOMEM */
void tools_incident_clear(struct incident *in);
/* How many journals there are among the notes. -ENOMEM. */
int tools_incident_journals(const struct incident *in, size_t *out);

#endif
