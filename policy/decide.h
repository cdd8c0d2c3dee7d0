/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy/decide.h - the decision: may this practitioner do this to this journal, now?
 *
 * Pure, no allocation, microseconds. Default deny; deny overrides; every failure
 * to decide denies. The order is account status, role, unit, care relationship
 * (allow), block, validity; policy/LANGUAGE.md gives a worked example for each
 * step. What the role may do and what the entry allows are intersected.
 */
#ifndef POLICY_DECIDE_H
#define POLICY_DECIDE_H

#include "journal.h"

enum policy_answer { POLICY_DENY = 0, POLICY_ALLOW = 1 };

enum policy_ground {
	POLICY_GROUND_NONE, /* nothing admits */
	POLICY_GROUND_UNKNOWN, /* no such practitioner */
	POLICY_GROUND_STATUS, /* on leave, left, before from, after until */
	POLICY_GROUND_ROLE, /* the role lacks the right */
	POLICY_GROUND_ENTRY, /* an allow entry */
	POLICY_GROUND_BLOCK, /* the patient's restriction */
	POLICY_GROUND_RIGHT, /* a vault-level right of the role (policy, audit, create, ...) */
	POLICY_GROUND_UNIT, /* same unit: listing */
	POLICY_GROUND_GRANT, /* an emergency grant */
};

/* Break-glass: one practitioner's emergency access to one journal, as the caller has found it. */
struct policy_grant {
	uint64_t number;
	int64_t from_s, until_s; /* wall clock: from <= now < until */
	bool past_block;	 /* the patient's block was passed, in a step of its own */
};

struct policy_verdict {
	enum policy_answer answer; /* for the rights asked */
	uint32_t rights; /* everything that holds in this journal now; 0 when not visible, or blocked */
	bool visible; /* appears in a listing of the root */
	bool blocked; /* a block in the journal speaks of the practitioner, whatever the ground */
	enum policy_ground ground;
	unsigned line; /* of the deciding line in the journal's policy; 0: none. Status, role: in the practice's */
	unsigned unit_default; /* not 0: that line is the practice's, this `default unit` (from 1) */
	int64_t until_s; /* the verdict holds until then at most (next from/until edge), INT64_MAX: open */
};

struct policy_question {
	const struct policy_practice *practice;
	const struct policy_journal *journal; /* NULL: a vault-level right (create, policy, audit, review, attend) */
	const char *who;
	uint32_t rights; /* all of these are asked for; 0: only fill rights and visible */
	int64_t now_s;	 /* wall clock */
	const struct policy_grant *grant; /* of this practitioner, for this journal; NULL: none */
};

/*
 * Within a journal: entry r gives READ (with x), w gives WRITE (notes: write drafts, make and
 * remove files and folders) and FINALIZE where the role has it, x gives LIST of the directory and
 * entering; EXPORT needs READ. Without x nothing in the journal is reached. Listing the root shows
 * a journal to whom `list` and (same unit or an entry that is in force) apply, or `policy`; a block
 * refuses, and hides unless the practice has `blocks shown`. Entries are those of the journal's
 * text, then the practice's defaults for its unit; an attend line gives rwx where the role is
 * clinical and has `attend`, and nothing elsewhere.
 *
 * A grant shows the journal and gives LIST, READ and (where the role has `write`) DRAFT, for its
 * time, where the role is clinical and has `break-glass` (whether it has `list` and `read` or not);
 * through a block only if it passed the block. It takes nothing away from what entries give, and it
 * gives nothing else: no EXPORT for its READ, none of the role's rights in the vault.
 *
 * The answer is ALLOW exactly when something was asked and all of it is in `rights`. CREATE,
 * BREAK_GLASS, POLICY, AUDIT, REVIEW and ATTEND are the role's; asked with a journal they hold
 * while it is visible without a grant, and not blocked. Without a journal `rights` holds those and
 * LIST. Denied with ground NONE, `line` is that of an entry which speaks of the practitioner but is
 * not in force or gives too little, or 0.
 */
void policy_decide(const struct policy_question *q, struct policy_verdict *out);

/* One line in plain words for the log's `rule` field: "allow user:anna:rwx (line 3)". */
void policy_verdict_text(const struct policy_question *q, const struct policy_verdict *v, char *out,
			 size_t cap);

#endif
