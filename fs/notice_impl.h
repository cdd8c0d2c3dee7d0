/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/notice_impl.h - the queue of notices, as the vault's own files know it; outside: fs/notice.h.
 *
 * Locks: notices.lock is a leaf below the vault's; what is in the queue changes under
 * edit and notices.lock, so that either one suffices to walk it.
 */
#ifndef FS_NOTICE_IMPL_H
#define FS_NOTICE_IMPL_H

#include <pthread.h>

#include "notice.h"

/* Notices that wait, oldest first. */
#define FS_NOTICES_MOST 10000u
struct fs_waiting_notice {
	uint32_t number, grant, journal;
	bool opened;	 /* of a grant's beginning: the last to be given up for want of room */
	bool kept;	 /* stored, or on its way with a commit */
	bool handed;	 /* out, and not answered */
	bool told;	 /* delivered, but the log could not be written: not handed out again */
	uint64_t due_ns; /* not handed out before; of one that is out: it is taken back then. Boot
			    clock */
	uint32_t tries;
	uint32_t len;
	uint8_t *sealed; /* as it is stored */
};
struct fs_notices {
	pthread_mutex_t lock; /* a leaf */
	pthread_cond_t more;  /* one was queued */
	struct fs_waiting_notice *n;
	size_t count, cap, most;
	uint32_t last;	    /* number that was given out last */
	int64_t asked_s;    /* by the service */
	uint64_t stored_ns; /* only fs_notice_tick: when storing was tried again */
	char error[FS_NOTICE_ERROR_MAX + 1];
};

/* ---- notice.c ---- */
/*
 * Queues a notice of this grant for who is to be told, kept with the next commit, or (a disk that
 * takes nothing) in memory alone; and a line to the system's log. event: "opened", "closed",
 * "expired", "withdrawn", "overdue", "unjustified". journal_name may be NULL. Nothing, when the
 * policy does not say `notify`. edit held.
 */
void fs_notice_put(struct fs_vault *v, const struct fs_grant *g, const char *event,
		   const char *reason, const char *journal_name);
/* fs_vault_alarm, and a line to the system's log: so without a patient's name or a reason. */
void fs_notice_alarm(struct fs_vault *v, uint32_t journal, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
void fs_notice_init(struct fs_vault *v);
/*
 * What waits, out of the records, at open, with the log open. What another host sealed is dropped
 * with an alarm; damage is an alarm and keeps nobody from the vault.
 */
int fs_notice_load(struct fs_vault *v);
void fs_notice_clear(struct fs_vault *v);
/* Once a second: takes back what was not answered; what could not be stored or logged is tried
 * again. edit held. */
void fs_notice_tick(struct fs_vault *v);

/* For the files of notices. notices.lock held: */
struct fs_waiting_notice *fs_notice_find(struct fs_notices *q, uint32_t number); /* NULL: none */
int fs_notice_append(struct fs_notices *q,
		     const struct fs_waiting_notice *w); /* w->sealed is taken over */
/* edit held: */
void fs_notice_drop(struct fs_vault *v, uint32_t number);  /* out of memory and records */
void fs_notice_erase(struct fs_vault *v, uint32_t number); /* out of the records */
/* Counts the failure in n and fills the record that is to be logged before fs_notice_failed. */
void fs_notice_failure(struct fs_notice *n, const char *error, struct policy_record *r);
/* The record that is to be logged before a delivered one is dropped. */
void fs_notice_delivered(const struct fs_notice *n, struct policy_record *r);
/* Due again later, or given up with an alarm. */
void fs_notice_failed(struct fs_vault *v, const struct fs_notice *n);
void fs_notice_record(const struct fs_notice *n, const char *detail, uint8_t outcome,
		      struct policy_record *r);

/* ---- notice_record.c ---- */
#define FS_NOTICE_BYTES 3200u /* of a notice, encoded and sealed, at most */
struct fs_key fs_notice_key(uint32_t number);
/* Sealed under the host secret, bound to vault and number; *len. 0, -EMSGSIZE. */
int fs_notice_seal(const struct fs_vault *v, const struct fs_notice *n,
		   uint8_t out[static FS_NOTICE_BYTES], size_t *len);
/* n->number is given. -EBADMSG. */
int fs_notice_unseal(const struct fs_vault *v, struct keys_span sealed, struct fs_notice *n);
/* The plain bytes; fields that are not there are bad. */
int fs_notice_decode(const uint8_t *p, size_t len, struct fs_notice *n);

#endif
