/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy/grounds.h - on what grounds somebody has access to a journal: for reviews.
 *
 * A decision says whether; a review has to say why, and until when. Pure, no
 * allocation, one pass over the entries: it is asked for every practitioner and
 * every journal of a practice.
 */
#ifndef POLICY_GROUNDS_H
#define POLICY_GROUNDS_H

#include "decide.h"
#include "names.h"

/* From the strongest to the weakest: what a review counts a journal under. */
enum policy_access {
	POLICY_ACCESS_OWN,	/* an entry of this practitioner's own */
	POLICY_ACCESS_ATTEND,	/* a care relationship that he stated himself */
	POLICY_ACCESS_UNIT,	/* an entry of his unit in this journal */
	POLICY_ACCESS_ROLE,	/* an entry of his role in this journal */
	POLICY_ACCESS_DEFAULT,	/* the practice's default for the journal's unit */
	POLICY_ACCESS_COUNT,
	POLICY_ACCESS_NONE = POLICY_ACCESS_COUNT
};
/* "own entry", "attend", "unit entry", "role entry", "unit default". */
const char *policy_access_text(enum policy_access a);

#define POLICY_ENTRY_TEXT 96 /* room for "attend user:NAME", "allow unit:NAME:rwx" */

struct policy_grounds {
	uint32_t rights; /* list, read, write, finalize, export that hold in the journal now */
	enum policy_access access; /* the strongest ground in force that gives any of them */
	int64_t until_s;	   /* when its last entry ends; INT64_MAX: open */
	bool named;		   /* an entry of his own is in force, whether it gives anything or not */
	bool blocked;		   /* a block in force speaks of him, whatever the rest says */
	char block[POLICY_ENTRY_TEXT];
};
/* For q->who in q->journal at q->now_s; q->rights is not looked at. Unknown people have nothing. */
void policy_grounds(const struct policy_question *q, struct policy_grounds *out);

/* One line of a journal, or of the defaults of a practice. */
struct policy_relation {
	char text[POLICY_ENTRY_TEXT]; /* "allow user:eva:r-x" */
	char who[POLICY_NAME_MAX + 1]; /* the name in it: of a practitioner, unit or role */
	bool user, attend, block;
	int64_t from_s, until_s; /* INT64_MIN, INT64_MAX: open */
	unsigned line;
};
/* The n-th entry of a journal, from 0. False: there are no more. */
bool policy_grounds_entry(const struct policy_journal *j, size_t n, struct policy_relation *out);
/* When any entry ends between the two (from_s <= end < until_s); cheap. */
bool policy_grounds_ends(const struct policy_journal *j, int64_t from_s, int64_t until_s);
/* An attend line is in force. */
bool policy_grounds_attended(const struct policy_journal *j, int64_t now_s);
/* The n-th unit default of a practice, with the name of its unit. */
bool policy_grounds_default(const struct policy_practice *p, size_t n, struct policy_relation *out,
			    const char **unit);

#endif
