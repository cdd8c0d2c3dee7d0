/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy/replay_story.h - the log told as a story: who came, what they did, what was refused, and
 * when nobody could do anything.
 *
 * What one session does within a stretch of time is told together, indented below one line that
 * says who; what repeats is counted. Stretches come in the order in which they began. Pure: the
 * caller writes the lines, and knows the time zone.
 *
 * What is kept is bounded by the sessions that are logged in: half an hour of each, merged, and at
 * most POLICY_STORY_COVERED notes that it was let read and has not been seen to open.
 */
#ifndef POLICY_REPLAY_STORY_H
#define POLICY_REPLAY_STORY_H

#include "replay.h"

#define POLICY_STORY_COVERED 2048u

enum policy_story_kind {
	POLICY_STORY_DAY,   /* a day begins */
	POLICY_STORY_WHO,   /* a stretch of a session begins: who */
	POLICY_STORY_WHERE, /* in which journal, and why that was allowed */
	POLICY_STORY_WHAT,  /* what was done */
	POLICY_STORY_VAULT, /* of the daemon and of nobody's session */
	POLICY_STORY_ALARM
};

struct policy_story_out {
	/*
	 * One line, without newline. Names in it are escaped (policy/record.h); long ones are not
	 * broken. Not 0 stops the story and is returned.
	 */
	int (*line)(void *ctx, enum policy_story_kind kind, int64_t time_ns, const char *text);
	/* Whether this record is told; what is not still counts for what is known. NULL: all are.
	 */
	bool (*shown)(void *ctx, const struct policy_record *r);
	void (*clock)(int64_t time_ns, char out[static 16]); /* "09:02" */
	void (*day)(int64_t time_ns, char out[static 64]);   /* "Monday 16 November 2026" */
	void *ctx;
};

struct policy_story;

int policy_story_new(const struct policy_story_out *out, struct policy_story **story); /* -ENOMEM */
void policy_story_free(struct policy_story *s); /* NULL is legal */
/* The next record. -ENOMEM, or what a line returned. */
int policy_story_step(struct policy_story *s, const struct policy_record *r);
/* What is still open is told. */
int policy_story_end(struct policy_story *s);

#endif
