/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy/entry.h - entries: who (user, unit or role), what (permissions), from when until when.
 * Journals have them (allow, block, attend), and so have a practice's unit defaults. Only for
 * this folder.
 */
#ifndef POLICY_ENTRY_H
#define POLICY_ENTRY_H

#include "lexer.h"
#include "model.h"

/* What a line says, before it is packed. */
struct policy_entry_draft {
	struct policy_entry entry;
	const char *name; /* in the lexer's pool, as written; "" until read */
	unsigned name_column;
	int64_t from, until; /* minutes, from <= minute < until; open: POLICY_TIME_MIN, _MAX */
};

/* An entry of that kind on the current line, open at both ends. */
void policy_entry_draft_init(struct policy_entry_draft *d, const struct policy_lexer *lx,
			     enum policy_entry_kind kind);

/*
 * Takes the word KIND:NAME:PERMS (allow) or KIND:NAME (block, attend). Whether the name is known
 * is the caller's to check.
 */
bool policy_entry_parse(struct policy_lexer *lx, struct policy_entry_draft *d);

/* Takes `from`, `until` and `reason` to the end of the line; an attend line needs all three. */
bool policy_entry_clauses(struct policy_lexer *lx, struct policy_entry_draft *d);

/* They say the same of the same, for the same time. */
bool policy_entry_same(const struct policy_entry_draft *a, const struct policy_entry_draft *b);

/* The entry, whose subject is called name, speaks of this person, whether in force or not. */
bool policy_entry_speaks(const struct policy_entry *e, const char *name,
			 const struct policy_person *person);

/* "allow user:anna:rwx", "block unit:south", "attend user:eva". */
void policy_entry_write(const struct policy_entry *e, const char *name, char *out, size_t cap);

#endif
