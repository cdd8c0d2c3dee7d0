/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keys/checkpoint.h - checkpoints of the access log as signed notes.
 *
 * Text as C2SP tlog-checkpoint says, signed as C2SP signed-note says (Ed25519, key type 01), so
 * that anybody's tools check them. Body:
 *
 *	journalfs/<vault id, 32 hexadecimal digits>
 *	<size: records, decimal>
 *	<root hash, base64>
 *	vault <commit, decimal> <root of the vault's tag tree, base64>
 *	time <seconds since 1970, decimal>
 *	<mark: "running", "readers", "stop">
 *
 * then an empty line and one or more lines "\u2014 NAME BASE64(key id, signature)". The name is the
 * origin for the log's rotating key and "<origin>/witness" for the stable one that is derived from
 * the daemon's key. A raw signature over a text: no labelled message of journalfs (always 64 bytes)
 * is ever one (always longer), and both keys sign nothing else.
 */
#ifndef KEYS_CHECKPOINT_H
#define KEYS_CHECKPOINT_H

#include <stdbool.h>
#include "label.h"
#include "proof.h"
#include "signed_note.h"

#define KEYS_CHECKPOINT_MAX 2048  /* bytes of a text that we write or believe */
#define KEYS_CHECKPOINT_ORIGIN 43 /* "journalfs/" + 32 digits + NUL */

enum keys_checkpoint_mark {
	KEYS_CHECKPOINT_RUNNING = 1,
	KEYS_CHECKPOINT_READERS, /* a stream for other readers follows */
	KEYS_CHECKPOINT_STOP,	 /* clean end of a daemon */
};

struct keys_checkpoint {
	uint8_t vault[KEYS_VAULT_ID_LEN];
	uint64_t size;
	uint8_t root[KEYS_LEN];
	uint64_t commit; /* of the vault's root below */
	uint8_t vault_root[KEYS_LEN];
	uint64_t time_s;
	enum keys_checkpoint_mark mark;
};

void keys_checkpoint_origin(const uint8_t vault[static KEYS_VAULT_ID_LEN],
			    char out[static KEYS_CHECKPOINT_ORIGIN]);
/*
 * The note signed with the rotating key and (witness_sk not NULL) the stable one. out has
 * KEYS_CHECKPOINT_MAX bytes; NUL-terminated; the length.
 */
size_t keys_checkpoint_make(const struct keys_checkpoint *c,
			    const uint8_t sk[static KEYS_SIGN_SK_LEN], const uint8_t *witness_sk,
			    char *out);
/* The body of a parsed note as a checkpoint of ours, exactly as we write it; -EBADMSG. Signatures
 * are not looked at. */
int keys_checkpoint_read(const struct keys_signed_note *n, struct keys_checkpoint *out);
/* 0, -ENOKEY, -EBADMSG as keys_signed_note_verify, under the origin's name (witness: with
 * /witness). */
int keys_checkpoint_verify(const struct keys_signed_note *n,
			   const uint8_t vault[static KEYS_VAULT_ID_LEN],
			   const uint8_t pk[static KEYS_LEN], bool witness);
/* The stable key, from the daemon's secret key by label CHECKPOINT_KEY. */
void keys_checkpoint_witness(const uint8_t daemon_sk[static KEYS_SIGN_SK_LEN],
			     uint8_t pk[static KEYS_LEN], uint8_t sk[static KEYS_SIGN_SK_LEN]);

#endif
