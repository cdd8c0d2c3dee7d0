/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/break_glass_impl.h - what the files of emergency access share with each other and with the rest of the
 * vault: grants, the break-glass key; a part of vault_impl.h.
 */
#ifndef FS_BREAK_GLASS_IMPL_H
#define FS_BREAK_GLASS_IMPL_H

#include "break_glass.h"
#include "vault_impl.h"

/* ---- break_glass_grants.c ---- */
int fs_glass_load(struct fs_vault *v); /* at open */
void fs_glass_clear(struct fs_vault *v);
/*
 * The open grant of this practitioner for this journal, on both clocks; false: none. edit or lock
 * held. A grant whose identity was replaced is none.
 */
bool fs_glass_find(const struct fs_vault *v, uint32_t pid, uint32_t enrolment, uint32_t journal,
		   struct policy_grant *out);
/* Did a grant let this practitioner write new notes there at some time between the two? Any thread. */
bool fs_glass_wrote(struct fs_vault *v, uint32_t pid, uint32_t enrolment, uint32_t journal,
		    int64_t from_s, int64_t until_s);
/*
 * Takes g into the table (or in place of the one of its number) and stores it, durable with the next commit. What
 * can't be stored is an alarm and, of a grant that is open, no failure. edit held.
 */
int fs_glass_put(struct fs_vault *v, const struct fs_grant *g, const struct fs_grant_text *text);
/* The texts of a grant; those that an earlier host sealed are said to be lost. 0, -ENOENT, -EBADMSG. */
int fs_glass_text(struct fs_vault *v, uint32_t number, struct fs_grant_text *out);
/* Is this grant over, on either clock? */
bool fs_glass_over(const struct fs_vault *v, const struct fs_grant *g);
/* Ends an open grant: logged, stored; access is refused from then on. edit held. */
int fs_glass_end(struct fs_vault *v, struct fs_session *by, uint32_t number, enum fs_glass_end how,
		 const char *why);
/* Once a second: ends what is over. True: somebody lost access, mounts are to be cut. edit not held. */
bool fs_glass_tick(struct fs_vault *v);

/* ---- break_glass_look.c ---- */
/* The grant with the names that go with it, its texts left out; false: there is no such number. Takes lock. */
bool fs_glass_item(struct fs_vault *v, uint32_t number, struct fs_glass_item *out);
/* The same into a cleared item, edit or lock held. */
bool fs_glass_item_locked(struct fs_vault *v, uint32_t number, struct fs_glass_item *out);
/* Is it over, not judged, and its time for that past? */
bool fs_glass_overdue(const struct fs_vault *v, const struct fs_grant *g);
/* Could this grant be judged by somebody whom the practice names? edit or lock held. */
bool fs_glass_judge(struct fs_vault *v, const struct fs_grant *g);
#define FS_GLASS_NOBODY                                                                                     \
	"the practice policy names nobody else with the review right: a steward gives it to a "    \
	"second person (a colleague, a data protection officer from outside) and invites them"
/* How many were opened since then. */
uint32_t fs_glass_since(struct fs_vault *v, int64_t time_s);
/* ---- break_glass_review.c ---- */
/* Once a minute: whose review is overdue is told, once each. edit not held. */
void fs_glass_remind(struct fs_vault *v);

/* ---- break_glass_key.c ---- */
/*
 * All keys of a journal out of its break-glass wraps, with the break-glass key as this session holds it. The record
 * of this use is the caller's, durable before. -EACCES: he has none, or the journal has no such wraps.
 */
int fs_glass_keys(struct fs_vault *v, struct fs_session *s, uint32_t index,
		  struct fs_journal_chain *out);
/*
 * All keys of a journal out of its break-glass wraps, for a session with an open grant: the record of this
 * use is durable first. -EACCES: no grant, or the break-glass key waits for him.
 */
int fs_glass_unwrap(struct fs_vault *v, struct fs_session *s, uint32_t index,
		    struct fs_journal_chain *out);

/* ---- lists_bg.c: the break-glass pair has a turn, 0 for the first ---- */
int fs_bg_load(struct fs_vault *v);
/* pid 0, enrolment 0: the recovery key. */
int fs_bg_put(struct fs_edit *e, uint32_t pid, uint32_t enrolment, uint32_t turn,
	      const uint8_t bg_sk[static KEYS_LEN], const uint8_t box_pk[static KEYS_LEN]);
/* The secret half of a turn, out of somebody's wrap. -EACCES: he has none. No lock needed. */
int fs_bg_get(struct fs_vault *v, uint32_t pid, uint32_t enrolment, uint32_t turn,
	      const uint8_t box_sk[static KEYS_LEN], uint8_t bg_sk[static KEYS_LEN]);
/* Has he a wrap of a turn that is in use? */
bool fs_bg_holds(struct fs_vault *v, uint32_t pid, uint32_t enrolment);
int fs_bg_of_session(struct fs_vault *v, struct fs_session *s, uint32_t turn,
		     uint8_t bg_sk[static KEYS_LEN]);
/* Makes the pair, gives and takes wraps, makes it anew. */
int fs_bg_tick(struct fs_vault *v);
/* No journal has a wrap of an older turn any more: nobody needs those. */
void fs_bg_forget_older(struct fs_vault *v);

#endif
