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
 *the daemon's key. A raw signature over a text: no labelled message of journalfs (always 64 bytes)
 *is ever one (always longer), and both keys sign nothing else.
 */
#ifndef KEYS_CHECKPOINT_H
#define KEYS_CHECKPOINT_H

#include <stdbool.h>
#include "label.h"

#define KEYS_CHECKPOINT_MAX 2048  /* bytes of a text that we write or believe */
#define KEYS_CHECKPOINT_ORIGIN 43 /* "journalfs/" + 32 digits + NUL */
#define KEYS_CHECKPOINT_NAME 64
#define KEYS_CHECKPOINT_SIGNERS 8

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

/* A parsed signed note: spans point into the text that was given. */
struct keys_note_signature {
	char name[KEYS_CHECKPOINT_NAME];
	uint32_t key_id; /* big-endian in the text */
	uint8_t sig[KEYS_SIG_LEN];
	bool ed25519; /* its payload has an Ed25519 signature's length */
};
struct keys_signed_note {
	const char *text; /* what is signed, its last newline included */
	size_t text_len;
	struct keys_note_signature signature[KEYS_CHECKPOINT_SIGNERS];
	size_t count; /* those beyond are passed over */
};

/* ---- signed notes, for any origin (C2SP signed-note) ---- */
/* -EBADMSG: not a signed note (no UTF-8, control characters, no signature line, malformed). */
int keys_signed_note_parse(const char *p, size_t len, struct keys_signed_note *out);
/* Big-endian first 4 bytes of SHA-256(name || 0A || 01 || pk). */
uint32_t keys_note_key_id(const char *name, const uint8_t pk[static KEYS_LEN]);
/* 0; -ENOKEY: no line is by this name and key; -EBADMSG: one is and does not verify. */
int keys_signed_note_verify(const struct keys_signed_note *n, const char *name,
			    const uint8_t pk[static KEYS_LEN]);
/* The signature line for text, with newline, appended at out; its length, or 0: cap is too small.
 */
size_t keys_signed_note_sign(const char *text, size_t len, const char *name,
			     const uint8_t sk[static KEYS_SIGN_SK_LEN], char *out, size_t cap);
/* "NAME+xxxxxxxx+BASE64(01 || pk)": C2SP's verifier key, for a witness's configuration. */
size_t keys_note_vkey(const char *name, const uint8_t pk[static KEYS_LEN], char *out, size_t cap);
int keys_note_vkey_parse(const char *vkey, char name[static KEYS_CHECKPOINT_NAME],
			 uint8_t pk[static KEYS_LEN]);

/* ---- ours ---- */
void keys_checkpoint_origin(const uint8_t vault[static KEYS_VAULT_ID_LEN],
			    char out[static KEYS_CHECKPOINT_ORIGIN]);
/*
 * The note signed with the rotating key and (witness_sk not NULL) the stable one. out has
 * KEYS_CHECKPOINT_MAX bytes; NUL-terminated; the length.
 */
size_t keys_checkpoint_make(const struct keys_checkpoint *c,
			    const uint8_t sk[static KEYS_SIGN_SK_LEN], const uint8_t *witness_sk,
			    char *out);
/* The body of a parsed note as a checkpoint of ours; -EBADMSG. Signatures are not looked at. */
int keys_checkpoint_read(const struct keys_signed_note *n, struct keys_checkpoint *out);
/* 0, -ENOKEY, -EBADMSG as keys_signed_note_verify, under the origin's name (witness: with
 * /witness). */
int keys_checkpoint_verify(const struct keys_signed_note *n,
			   const uint8_t vault[static KEYS_VAULT_ID_LEN],
			   const uint8_t pk[static KEYS_LEN], bool witness);
/* The stable key, from the daemon's secret key by label CHECKPOINT_KEY. */
void keys_checkpoint_witness(const uint8_t daemon_sk[static KEYS_SIGN_SK_LEN],
			     uint8_t pk[static KEYS_LEN], uint8_t sk[static KEYS_SIGN_SK_LEN]);

/* ---- proofs as text ---- */
/*
 * C2SP tlog-proof: "c2sp.org/tlog-proof@v1\nindex N\n", a line of base64 for each hash, an empty
 * line, the checkpoint. Consistency, laid out as C2SP tlog-witness's add-checkpoint request: "old
 * N\n", hashes, an empty line, the checkpoint. NULL-terminated malloc'ed text; NULL: memory is
 * short.
 */
char *keys_proof_inclusion_text(uint64_t index, const uint8_t *proof, size_t n,
				const char *checkpoint);
char *keys_proof_consistency_text(uint64_t old_size, const uint8_t *proof, size_t n,
				  const char *checkpoint);
struct keys_proof {
	bool consistency;
	uint64_t number; /* index, or old size */
	uint8_t hash[2 * 63][KEYS_LEN];
	size_t count;
	const char *checkpoint; /* in the text */
	size_t checkpoint_len;
};
int keys_proof_parse(const char *p, size_t len, struct keys_proof *out); /* -EBADMSG */

#endif
