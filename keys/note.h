/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keys/note.h - statements about final notes, their signatures and the chain of them.
 *
 * A journal's statements are numbered from 1 without a gap; each carries the hash of the one
 * before. One is made when a note becomes final (FINAL: with its author's signature;
 * LOCKED: without), when somebody signs later (SIGNED, COUNTERSIGNED), and when a final note
 * is marked as entered in error (ERROR). Formats and labels: keys/FORMAT.md, "Note
 * statement". Whether the signer might sign is the caller's (rank 3 of fs/).
 */
#ifndef KEYS_NOTE_H
#define KEYS_NOTE_H

#include "identity.h"

#define KEYS_NOTE_PATH_MAX 2000 /* bytes of the note's path within its journal */
#define KEYS_NOTE_REASON_MAX 255
#define KEYS_NOTE_MAX 3400 /* encoded, signature included */

enum keys_note_kind {
	KEYS_NOTE_LOCKED = 1,
	KEYS_NOTE_FINAL,
	KEYS_NOTE_SIGNED,
	KEYS_NOTE_COUNTERSIGNED,
	KEYS_NOTE_ERROR,
};

struct keys_note {
	uint8_t kind; /* enum keys_note_kind */
	uint8_t vault[KEYS_VAULT_ID_LEN];
	uint32_t journal;
	uint64_t ino;
	uint32_t number;	  /* in the journal's chain, from 1 */
	uint8_t before[KEYS_LEN]; /* hash of the statement before it; zeros in number 1 */
	uint32_t of;	 /* SIGNED, COUNTERSIGNED, ERROR: the LOCKED or FINAL statement of the same
			    note; else 0 */
	uint32_t amends; /* LOCKED, FINAL: the statement of the note that this one amends; 0 none */
	uint8_t sha256[KEYS_LEN]; /* of the contents */
	uint64_t size;
	uint64_t time_s;
	uint32_t author;	 /* practitioner number of who wrote the first version */
	uint32_t pid, enrolment; /* who makes the statement; 0, 0: the vault itself (LOCKED only) */
	uint32_t policy_version; /* in force then */
	uint64_t log_seq,
		commit;		/* checkpoint: last durable record of the access log, last commit */
	uint8_t root[KEYS_LEN]; /* and the hash of the vault's root then */
	char path[KEYS_NOTE_PATH_MAX + 1]; /* within the journal, no leading slash */
	char author_name[KEYS_NAME_MAX + 1];
	char who[KEYS_NAME_MAX + 1]; /* name of pid; "" for the vault itself */
	char role[KEYS_NAME_MAX + 1];
	char reason[KEYS_NOTE_REASON_MAX + 1]; /* ERROR: why; LOCKED: by what; else "" */
	uint8_t sig[KEYS_SIG_LEN]; /* all but LOCKED: by the note key of (pid, enrolment); LOCKED:
				      zeros */
};

/* Signs (all kinds but LOCKED, whose sig becomes zeros). sk: note_sk of n->pid's identity. */
void keys_note_sign(struct keys_note *n, const uint8_t sk[static KEYS_SIGN_SK_LEN]);
/* -EBADMSG: not signed by this key, or of a kind that has no signature. */
int keys_note_verify(const struct keys_note *n, const uint8_t pk[static KEYS_LEN]);
/* Hash that the next statement carries: over all of it, signature included. */
void keys_note_hash(const struct keys_note *n, uint8_t out[static KEYS_LEN]);

/* *len receives the length. -ENOSPC; -EINVAL: what decode would refuse (a number, a name or a path is missing ...). */
int keys_note_encode(const struct keys_note *n, uint8_t *out, size_t cap, size_t *len);
/* -EBADMSG: anything but what encode makes. */
int keys_note_decode(const uint8_t *p, size_t len, struct keys_note *n);

#endif
