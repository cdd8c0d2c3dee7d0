/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy/practice_parse.h - what the parts of the practice policy's parser share: settings
 * (practice_settings.c), declarations (practice_parse.c), unit defaults (practice_default.c), and
 * what is looked up when all has been read (practice_resolve.c). Only for them.
 */
#ifndef POLICY_PRACTICE_PARSE_H
#define POLICY_PRACTICE_PARSE_H

#include "bundle.h"
#include "entry.h"
#include "lexer.h"
#include "model.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* Settings and clauses that may be given once: the index of the line that gave them. */
enum {
	SEEN_PRACTICE,
	SEEN_IDLE,
	SEEN_CEILING,
	SEEN_FACTOR,
	SEEN_AGE,
	SEEN_LIMIT,
	SEEN_REASON,
	SEEN_REVIEW,
	SEEN_NOTIFY,
	SEEN_FRESH,
	SEEN_AT_ONCE,
	SEEN_DAILY,
	SEEN_AFTER,
	SEEN_ON,
	SEEN_OTHERS,
	SEEN_COUNTERSIGN,
	SEEN_AMENDMENT,
	SEEN_HISTORY_OFF,
	SEEN_RETENTION,
	SEEN_LOG,
	SEEN_LOG_FORWARD,
	SEEN_LOG_KEEP,
	SEEN_DURABILITY,
	SEEN_ATTEND_LIMIT,
	SEEN_ATTEND_REASON,
	SEEN_BLOCKS,
	SEEN_INCLUDE,
	SEEN_STATEMENT,
	SEEN_COUNTRY,
	SEEN_STATEMENT_REFUSED,
	SEEN_SETTINGS, /* below: clauses of one practitioner line */
	SEEN_USER = SEEN_SETTINGS,
	SEEN_ROLE,
	SEEN_UNIT,
	SEEN_FROM,
	SEEN_UNTIL,
	SEEN_STATE,
	SEEN_COUNT
};

/* What a practitioner line says, until roles and units are known. */
struct policy_practice_pending {
	const char *name, *account, *role, *unit, *file;
	unsigned line, name_column, account_column, role_column, unit_column;
	int64_t from, until; /* minutes */
	enum policy_state state;
};

/* A role of `finalize countersign`, likewise. */
struct policy_practice_countersign {
	const char *role;
	unsigned line, column;
};

/* What a default line says, likewise. */
struct policy_practice_draft {
	struct policy_entry_draft d;
	const char *unit, *file;
	unsigned column, unit_column;
	uint32_t order; /* in the text */
	uint32_t number; /* of the unit */
};

struct policy_practice_parser {
	struct policy_lexer lx;
	struct policy_practice *p;
	const char *main;	 /* what the practice itself is called in errors */
	const char *file;	 /* of the line being read, as in p->file */
	unsigned main_line;	 /* the last one of the practice itself */
	char shown[POLICY_FILE_NAME + 8]; /* what the part being read is called in errors */
	struct policy_practice_draft *deflt;
	size_t default_count;
	struct policy_practice_pending *pending;
	size_t pending_count;
	struct policy_practice_pending *now; /* of the line being read */
	struct policy_practice_countersign countersign[POLICY_COUNTERSIGN_MAX];
	size_t countersign_count;
	struct policy_index accounts;
	unsigned seen[SEEN_COUNT]; /* lines */
	unsigned column;	   /* of the statement's first word */
	bool short_of_memory;
};

struct policy_practice_clause {
	const char *word;
	bool (*parse)(struct policy_practice_parser *pr); /* the word has been taken */
	unsigned seen;
	enum policy_feature feature;
};

/*
 * Room for one more in an array of count elements that has grown only here; NULL when memory is
 * short, which is noted, and then the array is as it was.
 */
void *policy_practice_grow(struct policy_practice_parser *pr, void *array, size_t count,
			   size_t size);

/* Takes clauses to the end of the line; `what` names one of them in errors. */
bool policy_practice_clauses(struct policy_practice_parser *pr, const char *what,
			     const struct policy_practice_clause *table, size_t count);

/*
 * Reports at a line that was read before, of a file as in p->file. Returns false.
 */
bool policy_practice_error_at(struct policy_practice_parser *pr, const char *file, unsigned line,
			      unsigned column, const char *fmt, ...)
	__attribute__((format(printf, 5, 6)));

/* "line 3", or "line 3 of practice.d/north.policy" when that is not the file being read. */
#define POLICY_PLACE_MAX 512
const char *policy_practice_place(const struct policy_practice_parser *pr, const char *file,
				  unsigned line, char out[static POLICY_PLACE_MAX]);

/* Reports at that line that the index has no such name: `what` is role, unit or practitioner. */
bool policy_practice_unresolved(struct policy_practice_parser *pr, const char *file, unsigned line,
				unsigned column, const char *what, const char *name,
				const struct policy_index *ix);

/* When every line has been read: roles and units of practitioners, duties, unit defaults. */
void policy_practice_resolve(struct policy_practice_parser *pr);
void policy_practice_countersign_resolve(struct policy_practice_parser *pr);
void policy_practice_default_resolve(struct policy_practice_parser *pr);

void policy_practice_kin_resolve(struct policy_practice_parser *pr);

/* Each reads the rest of its statement; the first word has been taken. */
bool policy_practice_title(struct policy_practice_parser *pr);
bool policy_practice_session(struct policy_practice_parser *pr);
bool policy_practice_break_glass(struct policy_practice_parser *pr);
bool policy_practice_attend(struct policy_practice_parser *pr);
bool policy_practice_blocks(struct policy_practice_parser *pr);
bool policy_practice_finalize(struct policy_practice_parser *pr);
bool policy_practice_history(struct policy_practice_parser *pr);
bool policy_practice_retention(struct policy_practice_parser *pr);
bool policy_practice_log(struct policy_practice_parser *pr);
bool policy_practice_durability(struct policy_practice_parser *pr);
bool policy_practice_include(struct policy_practice_parser *pr);
bool policy_practice_program(struct policy_practice_parser *pr);
bool policy_practice_default(struct policy_practice_parser *pr);
bool policy_practice_hours(struct policy_practice_parser *pr);
bool policy_practice_own(struct policy_practice_parser *pr);
bool policy_practice_relative(struct policy_practice_parser *pr);
bool policy_practice_statement(struct policy_practice_parser *pr);

#endif
