/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/notice.h - notices of emergency access: who is to be told is told, or it is said why not.
 *
 * A notice waits in the vault, sealed under the host secret, until the notify service
 * has delivered it. The service is one account's (fs_vault_config.notify_uid); to
 * nobody else is anything handed out. It gets the oldest that is due, says how it went,
 * and can delay nothing: what it does not answer for two minutes is due again.
 * Delivered at least once: a crash between delivery and answer delivers again.
 *
 * Locks: all inside; callers hold none.
 */
#ifndef FS_NOTICE_H
#define FS_NOTICE_H

#include "break_glass.h"

#define FS_NOTICE_ERROR_MAX 200u

/* What is handed out; wiped by who got it. */
struct fs_notice {
	uint32_t number; /* from 1 */
	uint32_t grant, uid, journal;
	char event[16]; /* "opened", "closed", "expired", "withdrawn", "overdue", "unjustified" */
	char who[KEYS_NAME_MAX + 1];
	char role[256], unit[256], origin[256]; /* "" not known */
	char journal_name[256];			/* "" the policy does not say `notify names` */
	uint8_t ground;				/* enum fs_glass_ground */
	uint8_t flags;				/* enum fs_glass_flag */
	char reason[FS_GLASS_TEXT_MAX + 1];
	int64_t from_s, until_s, ended_s; /* ended: 0 while open */
	int64_t review_s;		  /* to be reviewed by then */
	int64_t queued_s;
	uint32_t tries;			     /* that failed */
	char error[FS_NOTICE_ERROR_MAX + 1]; /* of the last one; "" none */
};

/* Who asks. */
struct fs_notice_peer {
	uid_t uid;
	pid_t pid;
};
/*
 * The oldest notice that is due. fresh: the service has just begun, so what was handed out before
 * is a try that failed, due again (at once the first time). Takes edit. -EAGAIN: none is; -EACCES:
 * the peer is not the notify account, logged.
 */
int fs_vault_notice_next(struct fs_vault *v, const struct fs_notice_peer *peer, bool fresh,
			 struct fs_notice *out, struct fs_say *say);
/* Waits until one may be due, so many milliseconds at most. */
void fs_vault_notice_wait(struct fs_vault *v, unsigned ms);
/*
 * The answer for one that was handed out: delivered (logged, then removed), or not (error: why, for
 * people; logged, and due again later). -ENOENT: none of that number is handed out, logged; -EACCES
 * as above; or the log's error.
 */
int fs_vault_notice_done(struct fs_vault *v, const struct fs_notice_peer *peer, uint32_t number,
			 bool delivered, const char *error, struct fs_say *say);

struct fs_notice_stat {
	uint32_t waiting;
	int64_t oldest_s; /* when the oldest was queued; 0 none */
	int64_t asked_s;  /* when the service asked last; 0 not since the start */
	char error[FS_NOTICE_ERROR_MAX + 1]; /* of the last try that failed, of those that wait */
};
/* For the policy, the review or the audit right (-EACCES); nothing of contents. */
int fs_vault_notice_stat(struct fs_vault *v, struct fs_session *by, struct fs_notice_stat *out);

#endif
