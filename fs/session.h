/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/session.h - one practitioner's log-in: who, until when, unlocked keys, state.
 *
 * States: active -> draining -> locked -> active, any -> ended. Draining (at most
 * 1 s) admits only WRITE and FLUSH on handles already open for writing. A locked
 * session keeps its mount and its agent but holds no key: every request answers
 * ENOKEY until it is unlocked.
 *
 * Locks: `lock` protects secret, signer and the journals; state is atomic and
 * changes only under it. Reference-counted: the vault, the mount, requests.
 */
#ifndef FS_SESSION_H
#define FS_SESSION_H

#include <pthread.h>
#include <sys/types.h>
#include "record.h"

enum fs_session_state {
	FS_SESSION_ACTIVE,
	FS_SESSION_DRAINING,
	FS_SESSION_LOCKED,
	FS_SESSION_ENDED,
};

/* What a practitioner shows besides the passphrase. */
enum fs_factor_kind { FS_FACTOR_NONE, FS_FACTOR_TOTP, FS_FACTOR_KEY_FILE };

struct fs_session {
	atomic_uint refs;
	uint8_t id[KEYS_SESSION_ID_LEN];
	uint32_t pid; /* practitioner number */
	uint32_t enrolment;
	uid_t uid;
	char who[KEYS_NAME_MAX + 1];
	char origin[256];	     /* tty or remote host, as the client claims */
	uint64_t since_s, ceiling_s; /* wall clock of log-in; end at the latest */
	uint64_t ceiling_boot_ns;    /* the same on the boot-time clock; the earlier wins */
	atomic_ullong signed_s;	     /* wall clock: since when its signing key is certified */
	atomic_ullong active_ns;     /* boot time of the last OPEN, READ or WRITE */
	atomic_int factor;	     /* enum fs_factor_kind: what is enrolled */
	atomic_ullong factor_ns;     /* boot time of the last proof of it; 0: none since log-in or unlock */
	atomic_ullong taking_ns;     /* boot time when its taking of the log's segments was logged; 0: never */
	atomic_int state;
	pthread_rwlock_t lock;
	struct keys_identity identity;
	struct keys_identity_secret *secret;  /* guarded; NULL unless active or draining */
	struct fs_signer *signer;	      /* NULL unless active or draining */
	struct fs_session_journals *journals; /* journals that this session has open (vault's) */
	struct fs_mount *mount;		      /* set by the mount layer under lock; NULL: none */
};

struct fs_session *fs_session_get(struct fs_session *s);
void fs_session_put(struct fs_session *s);
static inline enum fs_session_state fs_session_state(const struct fs_session *s)
{
	return (enum fs_session_state)atomic_load(&s->state);
}
/* A new reference to the signer, or NULL when locked. */
struct fs_signer *fs_session_signer(struct fs_session *s);

#endif
