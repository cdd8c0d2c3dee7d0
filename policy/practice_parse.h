/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy/practice_parse.h - what the two halves of the practice policy's parser share: settings
 * (practice_settings.c) and declarations (practice_parse.c). Only for them.
 */
#ifndef POLICY_PRACTICE_PARSE_H
#define POLICY_PRACTICE_PARSE_H

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
	SEEN_AFTER,
	SEEN_ON,
	SEEN_RETENTION,
	SEEN_LOG,
	SEEN_DURABILITY,
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
	const char *name, *account, *role, *unit;
	unsigned line, name_column, account_column, role_column, unit_column;
	int32_t from_day, until_day;
	enum policy_state state;
};

struct policy_practice_parser {
	struct policy_lexer lx;
	struct policy_practice *p;
	struct policy_practice_pending *pending;
	size_t pending_count;
	struct policy_practice_pending *now; /* of the line being read */
	struct policy_index accounts;
	unsigned *unit_line;
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

/* Each reads the rest of its statement; the first word has been taken. */
bool policy_practice_title(struct policy_practice_parser *pr);
bool policy_practice_session(struct policy_practice_parser *pr);
bool policy_practice_break_glass(struct policy_practice_parser *pr);
bool policy_practice_finalize(struct policy_practice_parser *pr);
bool policy_practice_retention(struct policy_practice_parser *pr);
bool policy_practice_log(struct policy_practice_parser *pr);
bool policy_practice_durability(struct policy_practice_parser *pr);
bool policy_practice_program(struct policy_practice_parser *pr);

#endif
