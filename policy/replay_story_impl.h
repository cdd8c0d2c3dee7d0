/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy/replay_story_impl.h - inside the story: only for replay_story.c, replay_words.c,
 * replay_stretch.c, replay_cover.c.
 */
#ifndef POLICY_REPLAY_STORY_IMPL_H
#define POLICY_REPLAY_STORY_IMPL_H

#include "replay_story.h"
#include "writer.h"

#define POLICY_STORY_LINE 4096 /* a line is cut there */

/* ---- replay_words.c: one record in words ---- */

struct policy_story_words {
	const char *verb; /* "opens": what follows is a list of names; NULL: `text` says all */
	const char *text; /* escaped; in `room` */
	bool where;	  /* it belongs to a journal, as far as one is named */
	char room[POLICY_STORY_LINE];
};
void policy_story_words(const struct policy_record *r,
			void (*clock)(int64_t time_ns, char out[static 16]),
			struct policy_story_words *out);
/* "anna (physician, north)" */
void policy_story_who(struct policy_writer *w, const char *who, const char *role, const char *unit);
/* "in "Hansen, Anna" (allow user:anna:rwx (line 3))", or by which emergency access. */
void policy_story_where(struct policy_writer *w, const struct policy_record *r);
/* "12.3 kB" */
void policy_story_bytes(struct policy_writer *w, uint64_t bytes);
/* "8 h 12 min" */
void policy_story_span(struct policy_writer *w, int64_t ns);

/* ---- replay_stretch.c: what one session did, merged ---- */

struct policy_stretch_act;
struct policy_stretch_where;

struct policy_stretch {
	struct policy_stretch *next;
	enum policy_story_kind kind; /* WHO; of nobody: VAULT, ALARM */
	char *who;		     /* escaped */
	int64_t from_ns, to_ns;
	struct policy_stretch_act *act;
	size_t acts, act_cap;
	struct policy_stretch_where *where;
	size_t wheres;
};

struct policy_stretch *policy_stretch_new(enum policy_story_kind kind, int64_t time_ns,
					  const char *who);
void policy_stretch_free(struct policy_stretch *t); /* NULL is legal */
/* One more act; the same again is counted. words->verb has to be static. -ENOMEM. */
int policy_stretch_add(struct policy_stretch *t, const struct policy_record *r,
		       const struct policy_story_words *words);
/* All its lines. What a line returned. */
int policy_stretch_tell(const struct policy_stretch *t, const struct policy_story_out *out);

/* ---- replay_cover.c: what a session was let read, and has not been seen to open ---- */

struct policy_story_cover;

int policy_story_cover_new(struct policy_story_cover **out);
void policy_story_cover_free(struct policy_story_cover *c);
/* The notes of an INTENT. -ENOMEM. Beyond the most they are only counted. */
int policy_story_cover_add(struct policy_story_cover *c, const struct policy_record *r);
void policy_story_cover_opened(struct policy_story_cover *c, uint32_t journal, uint64_t note);
/*
 * Each journal in which something was covered at that time, with its notes in one line. fn not 0
 * stops.
 */
int policy_story_cover_tell(struct policy_story_cover *c, int64_t time_ns,
			    int (*fn)(void *ctx, const char *text), void *ctx);

#endif
