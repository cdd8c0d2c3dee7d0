/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keys/label.h - labelled hashing, derivation and signing.
 *
 * Every hash, derived key and signature in journalfs goes through these calls,
 * with one label per use (the table stands in keys/FORMAT.md), so that bytes
 * made for one purpose are never valid for another. The parts are hashed with
 * their lengths in front: ("ab","c") and ("a","bc") differ.
 */
#ifndef KEYS_LABEL_H
#define KEYS_LABEL_H

#include <stddef.h>
#include <stdint.h>

#define KEYS_LEN 32		/* symmetric keys, public keys, long hashes */
#define KEYS_SIG_LEN 64		/* Ed25519 */
#define KEYS_SIGN_SK_LEN 64
#define KEYS_VAULT_ID_LEN 16
#define KEYS_AUTH_LEN 16 /* Poly1305 */

struct keys_span {
	const void *p;
	size_t len;
};

enum keys_label {
	KEYS_LABEL_HEADER,	   /* signature of the header by the root key */
	KEYS_LABEL_ROOT_HASH,	   /* hash of the header that clients pin */
	KEYS_LABEL_STATEMENT,	   /* signature of a statement */
	KEYS_LABEL_STATEMENT_HASH, /* chain of statements */
	KEYS_LABEL_IDENTITY,	   /* signature of an identity by its enrolment key */
	KEYS_LABEL_ENVELOPE,	   /* envelope key from stretched key, host secret, key file */
	KEYS_LABEL_INVITE_SIGN,	   /* enrolment signing seed from the code */
	KEYS_LABEL_INVITE_SEAL,	   /* key that seals the index key in an invitation */
	KEYS_LABEL_SESSION_CERT,   /* session certificate */
	KEYS_LABEL_JOURNAL_ROOT,   /* signature of a journal root by a session */
	KEYS_LABEL_VAULT_ROOT,	   /* MAC of the vault root under the host secret */
	KEYS_LABEL_VAULT_MAC_KEY,  /* that MAC's key from the host secret */
	KEYS_LABEL_MANIFEST,	   /* signature of a manifest */
	KEYS_LABEL_COMMITMENT,	   /* commitment to a journal or index key */
	KEYS_LABEL_SUCCESSION,	   /* MAC of a manifest under the generation before */
	KEYS_LABEL_EFFECTIVE,	   /* effective journal key from K and the shred slot */
	KEYS_LABEL_RECORD_KEY,	   /* record sealing key from an effective key */
	KEYS_LABEL_CHUNK_KEY,	   /* chunk sealing key from an effective key */
	KEYS_LABEL_NAME_KEY,	   /* name hash key from an effective key */
	KEYS_LABEL_NAME_HASH,	   /* keyed hash of a directory entry's name */
	KEYS_LABEL_TAG,		   /* tag of a stored record in the tag tree */
	KEYS_LABEL_NODE,	   /* hash of a tag tree node */
	KEYS_LABEL_BG_HOST,	   /* key from the host secret around break-glass wraps */
	KEYS_LABEL_RECOVERY_BOX,   /* X25519 seed from the recovery key */
	KEYS_LABEL_RECOVERY_SEAL,  /* key that seals root secret and host secret escrow */
	KEYS_LABEL_DAEMON_CERT,	   /* root's signature over the daemon's key */
	KEYS_LABEL_DAEMON_HELLO,   /* daemon's signature over a client's nonce */
	KEYS_LABEL_LOG_NEXT,	   /* ratchet step */
	KEYS_LABEL_LOG_STREAM,	   /* signature over a log stream's head */
	KEYS_LABEL_NOTE,	   /* note signature (finalizing) */
	KEYS_LABEL_REDO,	   /* MAC of a redo record under the host secret */
	KEYS_LABEL_GRANT,	   /* key from the host secret that seals the texts of emergency grants */
	KEYS_LABEL_NOTICE,	   /* the same for notices that wait to be delivered */
	KEYS_LABEL_FACTOR,	   /* key that seals a second factor */
	KEYS_LABEL_RECOVERY_CODE,  /* hash of a second factor's recovery code */
	KEYS_LABEL_PASSPHRASE,	   /* verifier of an earlier passphrase under the host secret */
	KEYS_LABEL_NOTE_HASH,	   /* chain of note statements */
	KEYS_LABEL_MINISIGN_KEY,   /* minisign key's seed from the note key */
	KEYS_LABEL_MINISIGN_CERT,  /* note key's signature over the minisign key */
	KEYS_LABEL_LOG_KEY,	   /* signatures over a tree frame: checkpoint key, tree */
	KEYS_LABEL_CHECKPOINT_KEY, /* stable checkpoint key's seed from the daemon's key */
	KEYS_LABEL_LOG_INDEX,	   /* key of a segment's index from a stream's k(0) */
	KEYS_LABEL_LOG_ARCHIVE,	   /* signature and chain of statements about archived segments */
	KEYS_LABEL_AUDIT_KEY,	   /* key that seals an auditor's key file, from its passphrase */
	KEYS_LABEL_LOG_COPY,	   /* key that opens a copied log's policies, from a stream's k(0) */
	KEYS_LABEL_COUNT
};

/* Must be called once before anything else in keys/; -EIO when libsodium fails to start. */
int keys_init(void);

/* The label's text as hashed, for the format document and its test. */
const char *keys_label_text(enum keys_label label);

/*
 * SHA-256 over label and parts, framed as for BLAKE2b, its first out_len <= 32 bytes: for what is
 * hashed by the megabyte. All parts but the last together with the label fit 128 bytes.
 */
void keys_label_digest(enum keys_label label, const struct keys_span *parts, size_t n, uint8_t *out,
		       size_t out_len);

/* BLAKE2b over label and parts; out_len 16..64. */
void keys_label_hash(enum keys_label label, const struct keys_span *parts, size_t n, uint8_t *out,
		     size_t out_len);

/* Keyed BLAKE2b over label and parts: a subkey or a MAC; out_len 16..64. */
void keys_label_derive(enum keys_label label, const uint8_t key[static KEYS_LEN],
		       const struct keys_span *parts, size_t n, uint8_t *out, size_t out_len);

/*
 * A MAC of many bytes, much faster: Poly1305 over the parts, each preceded by its length
 * and padded to 16 bytes, under a key derived from label, key and nonce. A nonce never comes twice.
 */
void keys_label_auth(enum keys_label label, const uint8_t key[static KEYS_LEN],
		     struct keys_span nonce, const struct keys_span *parts, size_t n,
		     uint8_t mac[static KEYS_AUTH_LEN]);

/* Ed25519 over the 64-byte labelled hash of the parts. */
void keys_label_sign(enum keys_label label, const uint8_t sk[static KEYS_SIGN_SK_LEN],
		     const struct keys_span *parts, size_t n, uint8_t sig[static KEYS_SIG_LEN]);

/* 0 or -EBADMSG. */
int keys_label_verify(enum keys_label label, const uint8_t pk[static KEYS_LEN],
		      const struct keys_span *parts, size_t n,
		      const uint8_t sig[static KEYS_SIG_LEN]);

/* Constant-time equality of n bytes. */
int keys_equal(const void *a, const void *b, size_t n);

void keys_wipe(void *p, size_t n);

/* Random bytes from the kernel's generator through libsodium. */
void keys_random(void *p, size_t n);

#endif
