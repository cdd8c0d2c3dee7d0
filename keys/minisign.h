/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keys/minisign.h - detached signatures that the minisign program checks.
 *
 * minisign's prehashed form signs 64 bytes, the BLAKE2b hash of the file: so does a note
 * statement's signature, over bytes that a file could equal. Therefore a key of its own signs here,
 * derived from the note key, which certifies it (keys/FORMAT.md, "minisign"). File formats:
 * https://jedisct1.github.io/minisign/, "Signature format", "Public key format".
 */
#ifndef KEYS_MINISIGN_H
#define KEYS_MINISIGN_H

#include <stdbool.h>
#include "label.h"

#define KEYS_MINISIGN_ID_LEN 8
#define KEYS_MINISIGN_LEN 240	   /* the stored form, below */
#define KEYS_MINISIGN_COMMENT 3000 /* bytes of a trusted comment, at most; one line */

/* Made when a note is signed, kept with its statement, exported at any later time. */
struct keys_minisign {
	uint8_t pk[KEYS_LEN];		  /* of the minisign key */
	uint8_t id[KEYS_MINISIGN_ID_LEN]; /* key id: the first bytes of a hash of pk */
	uint8_t cert[KEYS_SIG_LEN];	  /* note key's signature over vault, pid, enrolment, pk */
	uint8_t sig[KEYS_SIG_LEN];	  /* over the BLAKE2b-512 hash of the file */
	uint8_t global[KEYS_SIG_LEN];	  /* over sig and the trusted comment */
};

struct keys_minisign_signer {
	uint8_t vault[KEYS_VAULT_ID_LEN];
	uint32_t pid, enrolment;
	const uint8_t *note_sk; /* KEYS_SIGN_SK_LEN */
};

/* hash: unkeyed BLAKE2b-512 of the file, 64 bytes. comment: NUL-terminated, no newline. -EINVAL. */
int keys_minisign_sign(const struct keys_minisign_signer *by, const uint8_t hash[static 64],
		       const char *comment, struct keys_minisign *out);
/* The key's certificate, both signatures. -EBADMSG. */
int keys_minisign_verify(const struct keys_minisign *m,
			 const uint8_t vault[static KEYS_VAULT_ID_LEN], uint32_t pid,
			 uint32_t enrolment, const uint8_t note_pk[static KEYS_LEN],
			 const uint8_t hash[static 64], const char *comment);

void keys_minisign_encode(const struct keys_minisign *m, uint8_t out[static KEYS_MINISIGN_LEN]);
int keys_minisign_decode(const uint8_t *p, size_t len, struct keys_minisign *m);

/* The text of FILE.minisig and of the public key's file; -ENOSPC, -EINVAL (a comment). */
int keys_minisign_text(const struct keys_minisign *m, const char *untrusted, const char *comment,
		       char *out, size_t cap);
int keys_minisign_pub_text(const struct keys_minisign *m, const char *untrusted, char *out,
			   size_t cap);

#endif
