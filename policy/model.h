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

/* Roles of `finalize countersign`, patterns of all `history for` lines. */
#define POLICY_COUNTERSIGN_MAX 16
#define POLICY_HISTORY_MAX 32

/* One pattern of a `history for` line; the first that matches a name counts. */
struct policy_history {
	const char *pattern;
	struct policy_keep keep;
};

/* What an `own` or a `relative` line says. */
struct policy_practice_kin {
	const char *who, *journal, *file;
	unsigned line, column;
	enum policy_kin kin;
};

/* "practice.d/" and a name. */
#define POLICY_FILE_NAME (POLICY_NAME_MAX + 12)

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
	const struct policy_role *countersign[POLICY_COUNTERSIGN_MAX];
	size_t countersign_count;
	struct policy_history history[POLICY_HISTORY_MAX];
	size_t history_count;
	struct policy_default *deflt; /* by unit, in the order of the text */
	size_t default_count;
	struct policy_practice_kin *kin; /* by practitioner, then journal */
	size_t kin_count;
	bool has_hours;
	uint8_t hours[7 * 1440 / 8]; /* a bit for each minute of the week, from Monday on */
	uint32_t *default_first; /* of each unit, and one more; NULL without defaults */
	char (*file)[POLICY_FILE_NAME]; /* "practice", "practice.d/north", ... */
	struct policy_index roles, units, persons;
	char *pool; /* all names and texts */
};

enum policy_subject { POLICY_SUBJECT_USER, POLICY_SUBJECT_UNIT, POLICY_SUBJECT_ROLE };

enum { POLICY_PERM_R = 4, POLICY_PERM_W = 2, POLICY_PERM_X = 1 };

enum policy_entry_kind { POLICY_ENTRY_ALLOW, POLICY_ENTRY_BLOCK, POLICY_ENTRY_ATTEND };

/* Minutes of 32 bits make it 24 bytes: 100,000 journals have ten of them each, in memory. */
struct policy_entry {
	uint32_t hash;
	uint32_t name; /* offset in the journal's strings */
	uint32_t line;
	int32_t from, until; /* in force from <= minute < until, since 1970 */
	uint8_t kind;	     /* enum policy_entry_kind */
	uint8_t subject;     /* enum policy_subject */
	uint8_t perms;	     /* 0 in a block, all in an attend line */
	bool group;	     /* written as group:, for messages */
};

/* An entry that holds in every journal of a unit (`default unit`). */
struct policy_default {
	struct policy_entry entry; /* its name offset is not used */
	const char *name, *unit, *file;
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

static inline bool policy_entry_in_force(const struct policy_entry *e, int32_t minute)
{
	return e->from <= minute && minute < e->until;
}

/* May they state a care relationship of their own? Else an attend line gives them nothing. */
static inline bool policy_role_attends(const struct policy_role *role)
{
	return role->clinical && role->rights & POLICY_ATTEND;
}

const struct policy_person *policy_practice_person(const struct policy_practice *p,
						   const char *name);
/* The defaults of a unit, by name; *count may be 0. Numbers of defaults count from p->deflt. */
const struct policy_default *policy_practice_defaults(const struct policy_practice *p,
						      const char *unit, size_t *count);
void policy_practice_free(struct policy_practice *p);

/*
 * Does the shell-like pattern fit the whole name? `*` is any text, `?` one character; all else is
 * itself. Takes at most the product of both lengths in steps, whatever they hold.
 */
bool policy_keep_match(const char *pattern, const char *name);

/*
 * As policy_journal_name_check, but takes `practice` too: journals of that name were made before
 * it meant the practice policy.
 */
bool policy_journal_name_form(const char *name);

/* The entry speaks of this person, whether in force or not. */
bool policy_entry_names(const struct policy_journal *j, const struct policy_entry *e,
			const struct policy_person *person);
/* As policy_entry_write, for an entry of a journal. */
void policy_entry_text(const struct policy_journal *j, const struct policy_entry *e, char *out,
		       size_t cap);

/* What a role's rights and an entry's permissions give together inside a journal. */
uint32_t policy_decide_rights(uint32_t role, unsigned perms);

/* The rights by name, for the parser: NULL-terminated, in the order of their bits. */
extern const char *const policy_right_names[];
#define POLICY_RIGHT_COUNT 12

#endif
