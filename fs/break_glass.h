/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/break_glass.h - emergency access: ask, search, open, close, list, review.
 *
 * A grant lets one practitioner into one journal for a time: to read, and to make new
 * notes. It belongs to the practitioner, not to a session, and survives the daemon with
 * the time that is left. It ends by itself on the wall clock or on the boot-time clock,
 * whichever comes first. Words and states as the field has them: open -> expired |
 * closed -> pending review -> justified | unjustified -> deviation -> closed.
 *
 * The record in the access log is durable before anything opens. Every refusal is
 * durable before it is answered. Texts for people go to the fs_say buffer.
 *
 * Locks: all inside; callers hold none.
 */
#ifndef FS_BREAK_GLASS_H
#define FS_BREAK_GLASS_H

#include "vault.h"

#define FS_GLASS_TEXT_MAX 1000u /* bytes of a reason or of a reviewer's note */
#define FS_GLASS_SEARCH_MIN 3u	/* characters */
#define FS_GLASS_SEARCH_MOST 20u

enum fs_glass_ground {
	FS_GLASS_DANGER = 1, /* danger to life or health */
	FS_GLASS_ACUTE,	     /* acute treatment, who treats the patient can't be reached */
	FS_GLASS_DUTY,	     /* on call */
	FS_GLASS_OTHER,
	FS_GLASS_GROUNDS
};
/* "danger", and the same for people; NULL: no such ground. */
const char *fs_glass_ground_word(enum fs_glass_ground ground);
const char *fs_glass_ground_text(enum fs_glass_ground ground);
/* 0: no such word. */
enum fs_glass_ground fs_glass_ground_of(const char *word);

enum fs_glass_end { FS_GLASS_OPEN, FS_GLASS_EXPIRED, FS_GLASS_CLOSED, FS_GLASS_WITHDRAWN };
enum fs_glass_review {
	FS_GLASS_PENDING,
	FS_GLASS_JUSTIFIED,
	FS_GLASS_UNJUSTIFIED, /* a deviation is open */
	FS_GLASS_SETTLED,     /* and has been closed */
};
enum fs_glass_flag {
	FS_GLASS_PAST_BLOCK = 1, /* the patient's block was passed */
	FS_GLASS_REPEATED = 2,	 /* the reason is word for word an earlier one of his */
	FS_GLASS_AGAIN = 4,	 /* he had this journal open by emergency within 24 hours */
	FS_GLASS_SERIAL = 8,	 /* the third or later in 24 hours: escalated */
	FS_GLASS_RECURRING = 16, /* the third or later of this pair in 90 days */
	FS_GLASS_REMINDED = 32,	 /* somebody was told that its review is overdue */
	FS_GLASS_TOLD = 64,	 /* somebody is told of it, as the policy said when it was opened */
};
#define FS_GLASS_PAIR_S (90 * 86400) /* recurring: so often in this time */
#define FS_GLASS_PAIR_LEAST 3u

/* What a grant's record keeps in clear; no name, no text. */
struct fs_grant {
	uint32_t number; /* from 1 */
	uint32_t pid, enrolment, journal;
	int64_t from_s, until_s; /* wall clock */
	uint32_t limit_s, used_s; /* used: at the last minute that was noted */
	uint8_t boot[16];	  /* of which boot: */
	uint64_t from_boot_ns;
	uint64_t until_boot_ns; /* on this boot's clock; not stored */
	uint8_t ground;		/* enum fs_glass_ground */
	uint8_t flags;		/* enum fs_glass_flag */
	uint8_t end;		/* enum fs_glass_end */
	int64_t ended_s;
	int64_t due_s; /* review by then */
	uint8_t review; /* enum fs_glass_review */
	uint32_t reviewer;
	int64_t reviewed_s;
	uint32_t deviation; /* its number; 0: none */
	uint32_t policy;    /* version in force when it was opened */
	uint8_t reason_hash[KEYS_LEN];
	bool unkept; /* what is here could not be stored yet; not stored */
};

/* Its texts, sealed under the host secret. */
struct fs_grant_text {
	char reason[FS_GLASS_TEXT_MAX + 1];
	char note[FS_GLASS_TEXT_MAX + 1];    /* the reviewer's */
	char settled[FS_GLASS_TEXT_MAX + 1]; /* how the deviation was closed */
};

/* ---- for who needs it ---- */
struct fs_glass_preview {
	char journal[256];
	bool blocked;	 /* a second explicit step is needed */
	bool needs_code; /* a second factor has to be given */
	bool key_file;	 /* namely passphrase and key file, not a code */
	bool again, serial;
	uint32_t limit_s, reason, review_s; /* seconds, characters, seconds */
	uint32_t open, at_once, today, daily;
};
/*
 * What would happen. -EACCES: this role, or not now (say tells why); -ENOENT: no such journal;
 * -EEXIST: it is open already, by policy or by a grant; -EBUSY: at-once or daily is reached.
 */
int fs_vault_glass_ask(struct fs_vault *v, struct fs_session *s, const char *journal,
		       struct fs_glass_preview *out, struct fs_say *say);
/*
 * Names of journals with this part, letters' case ignored (ASCII), at most FS_GLASS_SEARCH_MOST;
 * *more: there are others. The search is logged, durable, before it is answered.
 */
int fs_vault_glass_search(struct fs_vault *v, struct fs_session *s, const char *part,
			  int (*fn)(void *ctx, const char *name), void *ctx, bool *more,
			  struct fs_say *say);
struct fs_glass_open {
	const char *journal; /* exactly as it is called */
	enum fs_glass_ground ground;
	const char *reason; /* in own words */
	bool pass_block;    /* the second step was taken */
	const char *code;   /* "" not given */
	const uint8_t *stretched; /* NULL: not given; with the key file */
	struct keys_span keyfile;
};
/*
 * The grant; its number and end. Errors as ask, and -EINVAL (ground, reason), -EKEYREJECTED (code),
 * -ENODATA (a code is missing), -EDOTDOT (blocked and the step was not taken), -EIO/-ENOSPC (can't be
 * logged).
 */
int fs_vault_glass_open(struct fs_vault *v, struct fs_session *s, const struct fs_glass_open *in,
			struct fs_grant *out, struct fs_say *say);
/* Ends one's own open grant of this journal. -ENOENT. */
int fs_vault_glass_close(struct fs_vault *v, struct fs_session *s, const char *journal,
			 struct fs_say *say);

/* ---- for who reviews, and for one's own (break_glass_look.c, _review.c, _acts.c) ---- */
/*
 * Where a grant stands, in the field's words: "open", "pending-review", "justified", "deviation" (unjustified,
 * and not closed yet), "closed".
 */
const char *fs_glass_state_word(const struct fs_grant *g);
/* How it ended: "open", "expired", "closed", "withdrawn". */
const char *fs_glass_end_word(const struct fs_grant *g);
/* The n-th flag that is set, from 0, in a word and for people; NULL: no more. */
const char *fs_glass_flag_word(uint8_t flags, unsigned n, const char **text);

struct fs_glass_item {
	struct fs_grant g;
	struct fs_grant_text text;
	char who[KEYS_NAME_MAX + 1];
	char reviewer[KEYS_NAME_MAX + 1]; /* "" none */
	char journal[256];		  /* "" removed since, or not to be shown */
	char role[KEYS_NAME_MAX + 1], unit[KEYS_NAME_MAX + 1]; /* as they were then; of one alone, else "" */
	bool overdue; /* over, not judged, and its time for that is past */
	bool mine;    /* the asker used it: never his to judge */
};
/*
 * All grants, oldest first, for the review and the audit right; else one's own. number: that one alone, 0
 * all. fn returns 1 to stop, a negative errno to fail; it is called without locks and may wait. -ENOENT: no
 * such grant, or somebody else's. Logged, durable, before the first is told; on success say may tell that
 * nobody can judge some of them, and what to do.
 */
int fs_vault_glass_list(struct fs_vault *v, struct fs_session *by, uint32_t number,
			int (*fn)(void *ctx, const struct fs_glass_item *item), void *ctx,
			struct fs_say *say);
/*
 * What stands in the access log of one grant: records made under it, and (before: true) searches, questions
 * and refusals of that practitioner in the hour before. For the review and the audit right; for others it is
 * withheld (1), and say tells where it stands. Call after fs_vault_glass_list, which logs it. say also tells
 * of stretches of the log that by cannot open.
 */
int fs_vault_glass_acts(struct fs_vault *v, struct fs_session *by, uint32_t number,
			int (*fn)(void *ctx, const struct policy_record *r, bool before), void *ctx,
			struct fs_say *say);
struct fs_glass_counts {
	uint32_t open, pending, overdue, deviations; /* pending: over, not judged */
	uint32_t mine_open;
	int64_t overdue_s; /* since when the one that is overdue longest is; 0: none is */
};
/* For `status`: of everybody. by may be NULL. */
void fs_vault_glass_counts(struct fs_vault *v, struct fs_session *by, struct fs_glass_counts *out);
struct fs_glass_mine {
	uint32_t number;
	const char *journal; /* "": removed */
	int64_t until_s;     /* wall clock */
	int64_t left_s;	     /* on the clock that ends it first */
};
/* One's own open grants. fn returns 1 to stop, a negative errno to fail. */
int fs_vault_glass_mine(struct fs_vault *v, struct fs_session *s,
			int (*fn)(void *ctx, const struct fs_glass_mine *one), void *ctx);
/*
 * A verdict: FS_GLASS_JUSTIFIED or FS_GLASS_UNJUSTIFIED on one that is over and pending, FS_GLASS_SETTLED on
 * one with an open deviation. For the review right (-EACCES), never by the person or the account that used it
 * (-EPERM). note: one line of 1 to FS_GLASS_TEXT_MAX bytes of plain text (-EINVAL). *deviation: its number, 0
 * none. -EALREADY: judged before; -EBUSY: not over yet; -ENOENT. Durable in the log, then kept; refusals are
 * logged before they are answered.
 */
int fs_vault_glass_review(struct fs_vault *v, struct fs_session *by, uint32_t number,
			  enum fs_glass_review verdict, const char *note, uint32_t *deviation,
			  struct fs_say *say);
/* Somebody who gets at the same journal by emergency again and again. */
struct fs_glass_pair {
	char who[KEYS_NAME_MAX + 1];
	char journal[256];
	uint32_t count, unjustified; /* of the last FS_GLASS_PAIR_S */
	int64_t first_s, last_s;
	bool admitted; /* policy lets them read it by now */
	bool blocked;  /* the patient's block stands in the way of an entry */
};
/*
 * Pairs with FS_GLASS_PAIR_LEAST or more, whose practitioner and journal are still there. For the review, the
 * audit and the policy right (-EACCES). Logged.
 */
int fs_vault_glass_pairs(struct fs_vault *v, struct fs_session *by,
			 int (*fn)(void *ctx, const struct fs_glass_pair *pair), void *ctx,
			 struct fs_say *say);

#endif
