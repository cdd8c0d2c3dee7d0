/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy/replay_decide.h - each decision in the log taken again, under the policy of its moment or
 * under a draft.
 *
 * Of every record that carries a decision: was its version known and in force; was its session
 * logged in and not locked; was its emergency grant open; does that policy, at that time, come to
 * the same answer, and on the same ground. Seconds around a change of any of these are told apart
 * (POLICY_REDO_EDGE): the daemon decides first and writes the record then.
 *
 * Pure; what it keeps is that of policy/replay.h and of policy/past.h. One thread.
 */
#ifndef POLICY_REPLAY_DECIDE_H
#define POLICY_REPLAY_DECIDE_H

#include "past.h"
#include "replay.h"

enum policy_redo_finding {
	POLICY_REDO_NONE,    /* the record carries no decision */
	POLICY_REDO_SAME,    /* the same answer */
	POLICY_REDO_EDGE,    /* the same answer within seconds of a change */
	POLICY_REDO_OTHER,   /* refused, for what policy does not decide */
	POLICY_REDO_UNKNOWN, /* that version, or that journal's policy, is not known */
	/* Differences: */
	POLICY_REDO_GROUND,  /* the same answer, but not for the reason that the record has */
	POLICY_REDO_REFUSED, /* refused then, and the policy allows it */
	POLICY_REDO_ALLOWED, /* allowed then, and the policy refuses it */
	POLICY_REDO_STALE,   /* allowed by a version that another had replaced, which refuses it */
	POLICY_REDO_GRANT,   /* done under an emergency grant that was not open */
	POLICY_REDO_SESSION, /* done by a session that was not logged in, or locked */
	POLICY_REDO_FINDINGS
};
/* "same", "allowed-against-policy", ...: for programs; and a sentence for people. */
const char *policy_redo_word(enum policy_redo_finding f);
const char *policy_redo_text(enum policy_redo_finding f);
/* Against the policy: whoever asks is to be alarmed. */
bool policy_redo_alarms(enum policy_redo_finding f);

struct policy_redo {
	enum policy_redo_finding finding;
	bool allowed;		       /* then */
	const char *other;	       /* OTHER: why; static */
	char rule[POLICY_RECORD_TEXT]; /* what decides now, "" where nothing was decided */
};

struct policy_redoing;

/* past is the caller's and has to live as long. -ENOMEM. */
int policy_redoing_new(struct policy_past *past, struct policy_redoing **out);
void policy_redoing_free(struct policy_redoing *d); /* NULL is legal */
/*
 * Records before the first that is to be judged: what they say of sessions and grants is taken in.
 * -ENOMEM.
 */
int policy_redoing_skip(struct policy_redoing *d, const struct policy_record *r);
/* The next record, judged. -ENOMEM. */
int policy_redoing_judge(struct policy_redoing *d, const struct policy_record *r,
			 struct policy_redo *out);
const struct policy_replay *policy_redoing_replay(const struct policy_redoing *d);

/* ---- a draft ---- */

/* What would be in force; what is NULL or not found stays as it was at the record's version. */
struct policy_redo_draft {
	const struct policy_practice *practice;
	/* The draft of a journal's policy by the name that the record has; NULL: it has none. */
	const struct policy_journal *(*journal)(void *ctx, const char *name);
	void *ctx;
};
enum policy_redo_change {
	POLICY_DRAFT_SAME,    /* as it was, or policy does not decide it */
	POLICY_DRAFT_REFUSES, /* it was done, and would have been refused */
	POLICY_DRAFT_ALLOWS,  /* it was refused by policy, and would have been allowed */
};
/*
 * Call after policy_redoing_judge or _skip of the same record. rule: what decides by the draft.
 * -ENOMEM.
 */
int policy_redoing_draft(struct policy_redoing *d, const struct policy_record *r,
			 const struct policy_redo_draft *draft, enum policy_redo_change *change,
			 char rule[static POLICY_RECORD_TEXT]);

#endif
