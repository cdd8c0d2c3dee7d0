/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keys/signed_note.h - signed notes as C2SP signed-note says, with Ed25519 keys (type 01).
 *
 * A text, an empty line, and lines "\u2014 NAME BASE64(key id, signature)". Other people's
 * witnesses and monitors make and check the same. Not to be mixed up with notes in journals
 * (keys/note.h).
 */
#ifndef KEYS_SIGNED_NOTE_H
#define KEYS_SIGNED_NOTE_H

#include <stdbool.h>
#include "label.h"

#define KEYS_CHECKPOINT_NAME 64
#define KEYS_CHECKPOINT_SIGNERS 8
#define KEYS_SIGNED_NOTE_MAX (16u << 10) /* bytes of a note that is looked at */

struct keys_note_signature {
	char name[KEYS_CHECKPOINT_NAME];
	uint32_t key_id; /* big-endian in the text */
	uint8_t sig[KEYS_SIG_LEN];
	bool ed25519; /* its payload has an Ed25519 signature's length */
};

/* A parsed signed note: spans point into the text that was given. */
struct keys_signed_note {
	const char *text; /* what is signed, its last newline included */
	size_t text_len;
	struct keys_note_signature signature[KEYS_CHECKPOINT_SIGNERS];
	size_t count; /* those beyond, and those with longer names, are passed over */
};

/* -EBADMSG: not a signed note (no UTF-8, control characters, no signature line, malformed). */
int keys_signed_note_parse(const char *p, size_t len, struct keys_signed_note *out);
/* Big-endian first 4 bytes of SHA-256(name || 0A || 01 || pk). */
uint32_t keys_note_key_id(const char *name, const uint8_t pk[static KEYS_LEN]);
/* 0; -ENOKEY: no line is by this name and key; -EBADMSG: one is and does not verify. */
int keys_signed_note_verify(const struct keys_signed_note *n, const char *name,
			    const uint8_t pk[static KEYS_LEN]);
/*
 * The signature line for text, with newline and NUL, put at out; its length. 0: cap is too small,
 * or name or text can't stand in a note (an empty text, one that does not end its last line).
 */
size_t keys_signed_note_sign(const char *text, size_t len, const char *name,
			     const uint8_t sk[static KEYS_SIGN_SK_LEN], char *out, size_t cap);
/* "NAME+xxxxxxxx+BASE64(01 || pk)": C2SP's verifier key, for a witness's configuration. Its
 * length; 0: cap is too small. */
size_t keys_note_vkey(const char *name, const uint8_t pk[static KEYS_LEN], char *out, size_t cap);
/* -EBADMSG: malformed, another kind of key, or its id is not that of name and key. */
int keys_note_vkey_parse(const char *vkey, char name[static KEYS_CHECKPOINT_NAME],
			 uint8_t pk[static KEYS_LEN]);

#endif
