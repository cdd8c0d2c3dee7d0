/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy/practice.h - the practice policy: settings, roles, units, practitioners.
 *
 * Parsed once into an immutable object with a reference count; lookups by name
 * are by hash. The language: policy/LANGUAGE.md.
 */
#ifndef POLICY_PRACTICE_H
#define POLICY_PRACTICE_H

#include <stdbool.h>
#include <stdint.h>
#include "report.h"

enum policy_right {
	POLICY_LIST = 1 << 0,
	POLICY_READ = 1 << 1,
	POLICY_WRITE = 1 << 2,
	POLICY_CREATE = 1 << 3,
	POLICY_FINALIZE = 1 << 4,
	POLICY_EXPORT = 1 << 5,
	POLICY_BREAK_GLASS = 1 << 6,
	POLICY_POLICY = 1 << 7,
	POLICY_AUDIT = 1 << 8,
	POLICY_REVIEW = 1 << 9,
	POLICY_ATTEND = 1 << 10,
	POLICY_HISTORY = 1 << 11, /* read earlier versions of notes, where they may be read */
	/* No word of the language: an emergency grant's. Make new notes, change those made under it. */
	POLICY_DRAFT = 1 << 12,
};
/* "read write", for messages; out has room for 128 bytes. */
const char *policy_right_text(uint32_t rights, char out[static 128]);

enum policy_state { POLICY_ACTIVE, POLICY_ON_LEAVE, POLICY_LEFT };

/* `file` and `line` are where it was declared: "practice" or "practice.d/NAME". */
struct policy_role {
	const char *name;
	bool clinical;
	uint32_t rights; /* enum policy_right */
	const char *file;
	unsigned line;
};

struct policy_unit {
	const char *name;
	const char *title;
	const char *group; /* system group shown by getfacl, or NULL */
	const char *file;
	unsigned line;
};

struct policy_practitioner {
	const char *name;
	const char *account; /* system account ("user" in the text) */
	const struct policy_role *role;
	const struct policy_unit *unit; /* NULL: none */
	enum policy_state state;
	int64_t from_s, until_s; /* validity, wall clock; INT64_MIN / INT64_MAX: open */
	const char *file;
	unsigned line;
};

#define POLICY_LOG_YEARS 5 /* the least; where nothing is said */
struct policy_settings {
	const char *title; /* practice "..." */
	uint32_t idle_s;
	uint32_t ceiling_s;
	bool second_factor;
	uint32_t passphrase_age_s;
	uint32_t break_glass_limit_s;
	uint32_t break_glass_reason; /* characters */
	uint32_t break_glass_review_s;
	bool break_glass_notify;
	bool break_glass_names;	       /* who is notified learns the journal's name */
	uint32_t break_glass_fresh_s;  /* a second factor proved that lately need not be given again */
	uint32_t break_glass_at_once;  /* grants of one practitioner that may be open together */
	uint32_t break_glass_daily;    /* and that may be opened in 24 hours */
	uint32_t attend_limit_s; /* a care relationship of one's own holds at most that long */
	uint32_t attend_reason;	 /* characters */
	bool blocks_shown;	 /* whoever a block refuses learns that it is there */
	uint32_t finalize_after_s; /* 0: never */
	bool finalize_on_read_only;
	bool finalize_others; /* who may finalize may lock and sign another's draft too */
	const char *amendment; /* pattern of an amendment's name: %n name, %e extension with its dot, %i number */
	bool history_off; /* no versions are kept */
	uint32_t retention_years;
	bool log_strict;
	bool log_forward, log_forward_names; /* records go to the practice's monitoring too (syslog.h) */
	uint32_t log_keep_years; /* of the access log, POLICY_LOG_YEARS or more */
	bool durability_close;
	bool statement_names;	/* a patient's statement names people; else their units only */
	bool statement_refused; /* and says who was refused */
	char country[3];	/* "DK", "SE", "NO"; "" not said */
};

/* Whose journal it is, as far as the policy says. */
enum policy_kin { POLICY_KIN_NONE, POLICY_KIN_OWN, POLICY_KIN_RELATIVE };

struct policy_practice;

/*
 * Parses len bytes of text (not NUL-terminated, may hold anything): the practice policy, alone or
 * as a bundle with its parts (bundle.h). `file` names the practice itself in errors; a part is
 * "practice.d/NAME.policy" there.
 * 0 and *out (one reference), or -EINVAL with at least one error in report, or -ENOMEM.
 * Also refused: break-glass or attend for a role that is not clinical, parts that are not
 * included, settings in a part, no practitioner with the policy right, none with the audit right
 * (each counted over practitioners who are active and not `left`).
 */
int policy_practice_parse(const char *text, size_t len, const char *file,
			  struct policy_report *report, struct policy_practice **out);
struct policy_practice *policy_practice_get(struct policy_practice *p);
void policy_practice_put(struct policy_practice *p);

const struct policy_settings *policy_practice_settings(const struct policy_practice *p);
size_t policy_practice_count(const struct policy_practice *p);
const struct policy_practitioner *policy_practice_at(const struct policy_practice *p, size_t n);
/* By policy name, or NULL. Practitioner and account names are at most 64 bytes. */
const struct policy_practitioner *policy_practice_find(const struct policy_practice *p,
						       const char *name);
/* Units in the order of the text; NULL behind the last. */
size_t policy_practice_unit_count(const struct policy_practice *p);
const struct policy_unit *policy_practice_unit_at(const struct policy_practice *p, size_t n);
const struct policy_unit *policy_practice_unit(const struct policy_practice *p, const char *name);
const struct policy_role *policy_practice_role(const struct policy_practice *p, const char *name);
/* Notes that this role finalizes want a second practitioner's signature (`finalize countersign`). */
bool policy_practice_countersigns(const struct policy_practice *p, const char *role);
/* What is kept of earlier versions of a file with this name (its last component; `history` lines). */
struct policy_keep {
	bool record; /* record content: no `history for` line fits; `finalize after` locks it */
	bool none;   /* no version at all: `keep none`, or `history off` (which leaves `record`) */
	uint32_t count; /* else at most so many; 0: as many as there are */
	uint32_t span_s; /* and none that was replaced longer ago; 0: any */
};
/* No allocation; a name that no pattern fits is record content, of which every version is kept. */
void policy_practice_keep(const struct policy_practice *p, const char *name,
			  struct policy_keep *out);
/* There is a `program deny` line at all: names need not be asked for without one. */
bool policy_practice_denies_programs(const struct policy_practice *p);
/* True when a `program deny` line names this (kernel-truncated, 15 bytes) comm. */
bool policy_practice_denies_program(const struct policy_practice *p, const char *comm);

/* The journal of that name is the practitioner's own, or a relative's (`own`, `relative` lines). */
enum policy_kin policy_practice_kin(const struct policy_practice *p, const char *who,
				    const char *journal);
/* Working hours are said (`hours` lines); and whether that minute is one: Monday is 0, local time.
 */
bool policy_practice_has_hours(const struct policy_practice *p);
bool policy_practice_works(const struct policy_practice *p, unsigned weekday, unsigned minute);

/*
 * The practice policy that `init` writes. who is practitioner and account name. alone: one role
 * with all rights; else a steward, and roles as the example of LANGUAGE.md. The caller frees.
 * NULL with errno EINVAL when the title or a name cannot be said in the language, or ENOMEM.
 */
char *policy_practice_initial(const char *title, const char *who, const char *account, bool alone);

#endif
