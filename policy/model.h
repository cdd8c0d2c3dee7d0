/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy/model.h - the parsed policies as the parsers build them and the decision reads them.
 * Only for this folder; everybody else sees practice.h and journal.h.
 *
 * Both objects are immutable once a parser has returned them, apart from their
 * reference counts, which are atomic: readers need no lock.
 */
#ifndef POLICY_MODEL_H
#define POLICY_MODEL_H

#include "journal.h"
#include "names.h"

/* A practitioner, with the hashes that entries are compared by. */
struct policy_person {
	struct policy_practitioner pub;
	uint32_t hash, role_hash, unit_hash; /* of the names; unit_hash is 0 without a unit */
};

struct policy_practice {
	_Atomic unsigned refs;
	struct policy_settings settings;
	struct policy_role *role;
	size_t role_count;
	struct policy_unit *unit;
	size_t unit_count;
	struct policy_person *person;
	size_t person_count;
	char (*denied)[16]; /* comm, cut as the kernel cuts it */
	size_t denied_count;
	struct policy_index roles, units, persons;
	char *pool; /* all names and texts */
};

enum policy_subject { POLICY_SUBJECT_USER, POLICY_SUBJECT_UNIT, POLICY_SUBJECT_ROLE };

enum { POLICY_PERM_R = 4, POLICY_PERM_W = 2, POLICY_PERM_X = 1 };

/* Days make it 24 bytes; the last day of `until` is included, so until_day is the day after. */
struct policy_entry {
	uint32_t hash;
	uint32_t name; /* offset in the journal's strings */
	uint32_t line;
	int32_t from_day, until_day; /* in force from <= day < until */
	uint8_t subject;
	uint8_t perms; /* 0 in a block */
	bool block;
	bool group; /* written as group:, for messages */
};

/* One allocation: the struct, the entries, the strings. */
struct policy_journal {
	_Atomic unsigned refs;
	uint32_t count;
	uint32_t name, unit; /* offsets in the strings */
	uint32_t unit_hash;  /* 0 without a unit */
	uint32_t unit_line;
	bool held;
	struct policy_entry entry[];
};

static inline const char *policy_journal_string(const struct policy_journal *j, uint32_t offset)
{
	return (const char *)&j->entry[j->count] + offset;
}

static inline bool policy_entry_in_force(const struct policy_entry *e, int32_t day)
{
	return e->from_day <= day && day < e->until_day;
}

const struct policy_person *policy_practice_person(const struct policy_practice *p,
						   const char *name);
void policy_practice_free(struct policy_practice *p);

/* The entry speaks of this person, whether in force or not. */
bool policy_entry_names(const struct policy_journal *j, const struct policy_entry *e,
			const struct policy_person *person);
/* "allow user:anna:rwx", "block unit:south". */
void policy_entry_text(const struct policy_journal *j, const struct policy_entry *e, char *out,
		       size_t cap);

/* What a role's rights and an entry's permissions give together inside a journal. */
uint32_t policy_decide_rights(uint32_t role, unsigned perms);

/* The rights by name, for the parser: NULL-terminated, in the order of their bits. */
extern const char *const policy_right_names[];
#define POLICY_RIGHT_COUNT 10

#endif
