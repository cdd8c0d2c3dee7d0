/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/audit.h - what an auditor's session takes out of a vault: records, segments, keys, policies.
 */
#ifndef FS_AUDIT_H
#define FS_AUDIT_H

#include "../keys/checkpoint.h"
#include "audit_filter.h"
#include "audit_wire.h"
#include "vault.h"

/*
 * Whoever calls has a right that is named below; who has not is refused, durable in the log first.
 * What is taken is durable in the log before the first byte is given out. fn gives 0 to go on, not
 * 0 to end early, which is no error. No lock held.
 */
#define FS_AUDIT_BAD 20
struct fs_audit_result {
	uint64_t unread;  /* records or stretches that were left out */
	uint64_t durable; /* the newest record on disk when it began */
	unsigned bad;	  /* texts below */
	char text[FS_AUDIT_BAD][200];
};
struct fs_audit_query {
	const char *who, *journal;  /* fs/audit_filter.h says what a journal's name means */
	int64_t since_ns, until_ns; /* 0: open */
	uint64_t grant;		    /* an emergency access, 0: all */
	bool own;		    /* of the journal: nothing that only speaks of it */
	const char *purpose;	    /* which command reads, for the record; NULL or "": not known */
	struct fs_audit_result *result; /* NULL: nobody asks */
};
/*
 * Reads the log for an auditor's session: the audit right. Text filters may be "". On success say
 * tells of stretches of the log that this auditor cannot open yet, and is empty when there are
 * none. -ENOKEY: the session was locked or ended meanwhile.
 */
int fs_vault_audit(struct fs_vault *v, struct fs_session *by, const struct fs_audit_query *q,
		   int (*fn)(void *ctx, const struct policy_record *r), void *ctx,
		   struct fs_say *say);

/* The sealed segments, to be verified or copied: the audit, the review or the policy right. */
struct fs_audit_segment {
	uint64_t number, bytes;
	bool index; /* there is an index file */
};
int fs_vault_audit_segments(struct fs_vault *v, struct fs_session *by, const char *purpose,
			    int (*fn)(void *ctx, const struct fs_audit_segment *s), void *ctx,
			    uint64_t *durable, struct fs_say *say);
enum fs_audit_part { FS_AUDIT_SEGMENT, FS_AUDIT_INDEX, FS_AUDIT_ARCHIVE };
/*
 * The file itself, open for reading; number 0 for the archive. Logged unless the list was taken, or
 * another file, within ten minutes. -ENOENT.
 */
int fs_vault_audit_segment(struct fs_vault *v, struct fs_session *by, uint64_t number,
			   enum fs_audit_part part, int *fd, struct fs_say *say);

/*
 * k(0) of the streams that this auditor can open, oldest first, that hold anything of since_s <=
 * time < until_s (0: open): the audit right, logged as an export. With seal (KEYS_LEN) no key is
 * given out, but seal sealed under each of them (keys_audit_wrap).
 */
struct fs_audit_streams {
	int64_t since_s, until_s;
	const uint8_t *seal;
	/* What is known besides; filled in before the first call of fn. daemon: the caller frees.
	 */
	uint8_t root_pk[KEYS_LEN];
	char practice[256];
	uint8_t (*daemon)[KEYS_LEN];
	size_t daemons;
	unsigned shut; /* streams that this auditor cannot open */
};
int fs_vault_audit_streams(struct fs_vault *v, struct fs_session *by, struct fs_audit_streams *q,
			   int (*fn)(void *ctx, const struct fs_audit_key *k), void *ctx,
			   struct fs_say *say);

/* Every version of every policy, oldest first: the audit, the review or the policy right. */
int fs_vault_audit_policies(struct fs_vault *v, struct fs_session *by,
			    int (*fn)(void *ctx, const struct policy_past_change *c), void *ctx,
			    struct fs_audit_result *result, struct fs_say *say);

/* The practice's policy in force alone, the same way: whoever asks about people and units needs no
 * more. -ENOENT: there is none. */
int fs_vault_audit_practice(struct fs_vault *v, struct fs_session *by,
			    int (*fn)(void *ctx, const struct policy_past_change *c), void *ctx,
			    struct fs_audit_result *result, struct fs_say *say);

/* Signs off a review of the log, durable: the audit or the review right. -EINVAL: nothing was said.
 */
int fs_vault_audit_sign_off(struct fs_vault *v, struct fs_session *by, const char *what,
			    const char *findings, struct fs_say *say);

/*
 * The newest checkpoint of the log that is on disk, and the verifier key of its stable signature
 * (keys_note_vkey); both NUL-terminated. -ENOENT: there is none yet.
 */
#define FS_VKEY_MAX 160
int fs_vault_log_checkpoint(struct fs_vault *v, char text[static KEYS_CHECKPOINT_MAX],
			    char vkey[static FS_VKEY_MAX]);

#endif
