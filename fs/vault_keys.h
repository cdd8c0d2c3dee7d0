/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/vault_keys.h - what the files that give, renew and take keys share: wraps that wait, the index key,
 * renewal of journals' keys, the log's streams, the key list; a part of vault_impl.h.
 */
#ifndef FS_VAULT_KEYS_H
#define FS_VAULT_KEYS_H

#include "vault_impl.h"

/* ---- grants.c ---- */
void fs_grants_tick(struct fs_vault *v);
void fs_grants_changed(struct fs_vault *v); /* everybody's; edit held */
/* This journal's policy or name; edit held. */
void fs_grants_journal_changed(struct fs_vault *v, struct fs_entry *e);
void fs_grants_retry(struct fs_vault *v);   /* a new session may serve; edit held */
/*
 * The wraps of this journal now, if some session can make them; else, for s alone and if his role may
 * break the glass, with the break-glass key, told first. 0: s had one; 1: it was given one; negative: it
 * waits. edit held.
 */
int fs_grants_serve(struct fs_vault *v, struct fs_entry *e, struct fs_session *s);
/* Who is to have a wrap: calls fn for every enrolled practitioner who may read. edit held. */
int fs_grants_recipients(struct fs_vault *v, const struct policy_practice *practice,
			 const struct policy_journal *policy, uint32_t always,
			 int (*fn)(void *ctx, const struct keys_identity *id), void *ctx);

/* ---- index_key.c: edit held ---- */
/* All generations out of their wraps; each follows the one before. -EACCES: no wrap. */
int fs_index_unwrap(struct fs_vault *v, enum fs_wrap_kind kind, uint32_t pid, uint32_t enrolment,
		    const uint8_t box_sk[static KEYS_LEN], struct fs_index_keys *out);
/* What an invitation carries, checked. -ESTALE: that alone does not open the index any more. */
int fs_index_from_invite(struct fs_vault *v, uint32_t generation,
			 const uint8_t key[static KEYS_LEN], struct fs_index_keys *out);
int fs_index_set(struct fs_vault *v, const struct fs_index_keys *keys);
void fs_index_forget(struct fs_vault *v);
int fs_index_check(struct fs_vault *v); /* with policy open: had its makers the right? */
/* Every generation for this identity. */
int fs_index_put_wraps(struct fs_vault *v, struct fs_batch *b, const struct keys_identity *id);
void fs_index_tick(struct fs_vault *v);
/* A line on what waits; edit or lock held. */
void fs_index_waiting(struct fs_vault *v, FILE *out);

/* ---- renew.c: edit held ---- */
/* Milliseconds until there is more to do; 0: not before the next tick. */
unsigned fs_renew_tick(struct fs_vault *v);
/* How far the journal under way is; false: it is another one, or none. edit held. */
bool fs_renew_progress(struct fs_vault *v, uint32_t journal, struct fs_renew_progress *out);
void fs_renew_stop(struct fs_vault *v);

/* ---- renew_order.c: edit held ---- */
int fs_renew_load(struct fs_vault *v); /* orders and counts, out of the records */
struct fs_renewal *fs_renew_find(struct fs_vault *v, uint32_t journal); /* edit or lock held */
/* Takes the order out of memory; its record is the caller's. */
void fs_renew_remove(struct fs_vault *v, uint32_t journal);
void fs_renew_order_del(struct fs_vault *v, struct fs_batch *b, uint32_t journal);
/* The journal goes: with it what speaks of it. */
void fs_renew_forget(struct fs_vault *v, struct fs_batch *b, uint32_t journal);
/* One who leaves had this generation's key. */
void fs_renew_known_put(struct fs_vault *v, struct fs_batch *b, uint32_t pid, uint32_t journal,
			uint32_t generation);
/* Whoever knew no later generation than this knows nothing any more. */
void fs_renew_known_del(struct fs_vault *v, struct fs_batch *b, uint32_t journal,
			uint32_t generation);
/* Lines on what waits; edit or lock held. */
void fs_renew_waiting(struct fs_vault *v, FILE *out);

/* ---- log_grants.c: edit held ---- */
void fs_log_grants_tick(struct fs_vault *v);
void fs_log_grants_stop(struct fs_vault *v);
/* Every stream for every auditor of the list; the index is open. */
int fs_log_grants_by_recovery(struct fs_vault *v, const uint8_t box_pk[static KEYS_LEN],
			      const uint8_t box_sk[static KEYS_LEN]);
/* The wrap that was made later for this reader; -ENOENT. No lock needed. */
int fs_log_grants_get(struct fs_vault *v, uint32_t pid, uint32_t enrolment,
		      const uint8_t stream[static KEYS_STREAM_ID_LEN],
		      uint8_t wrap[static KEYS_STREAM_WRAP_LEN]);
/* Lines on what waits; edit or lock held. */
void fs_log_grants_waiting(struct fs_vault *v, FILE *out);

/* ---- lists.c ---- */
int fs_lists_load(struct fs_vault *v);
int fs_lists_check(struct fs_vault *v); /* with the index open: had its signer the right? */
int fs_lists_add(struct fs_edit *e, const struct fs_hand *by, const struct keys_list_entry *list,
		 size_t n);
const struct keys_list_entry *fs_lists_find(struct fs_vault *v, enum keys_list_kind kind,
					    uint32_t pid); /* edit or lock held */
size_t fs_lists_readers(const struct keys_list_entry *list, size_t n, struct keys_list_entry *out);
/* The list that policy asks for (room for KEYS_LIST_MAX); index open, edit held. */
int fs_lists_wanted(struct fs_vault *v, struct keys_list_entry *out, size_t *n);
void fs_lists_tick(struct fs_vault *v); /* edit held */
/* A new list signed by the root, in force at once (init, recovery). The index is open. */
int fs_lists_by_root(struct fs_vault *v, const uint8_t root_sk[static KEYS_SIGN_SK_LEN],
		     const struct keys_list_entry *list, size_t n);
/* A list as a session signs it, stored and in force; clears nothing. */
int fs_lists_change(struct fs_vault *v, struct fs_edit *e, struct fs_session *by,
		    const struct keys_list_entry *list, size_t n);
/* Enrolled, not left, and his role has this right. */
bool fs_lists_has_right(struct fs_vault *v, const struct fs_person *p, uint32_t right);
/* Lines on what the key list waits for; edit or lock held. */
void fs_lists_waiting(struct fs_vault *v, FILE *out);

#endif
