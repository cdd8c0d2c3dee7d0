/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keys/minisign.c - detached signatures in minisign's format.
 *
 * Implements keys/FORMAT.md, "minisign".
 *
 * Invariants: 1. the note key never signs anything that minisign would verify: the key
 * here is derived from it, and certified by it under a label; 2. a global signature covers at least
 * one byte besides the signature (the comment is never empty), so it is never one over 64 bytes.
 */
#include "minisign.h"

#include <errno.h>
#include <stdio.h>
#include <sodium.h>

#include "base64.h"
#include "bytes.h"

#define FORMAT 1
#define HASH_LEN 64

_Static_assert(1 + 7 + KEYS_LEN + KEYS_MINISIGN_ID_LEN + 3 * KEYS_SIG_LEN == KEYS_MINISIGN_LEN,
	       "minisign length");

/* One line of printable bytes or UTF-8, not empty. */
static bool comment_sound(const char *comment)
{
	size_t len = strnlen(comment, KEYS_MINISIGN_COMMENT + 1);

	if (!len || len > KEYS_MINISIGN_COMMENT)
		return false;
	for (size_t i = 0; i < len; i++) {
		if ((unsigned char)comment[i] < ' ' || comment[i] == 0x7f)
			return false;
	}
	return true;
}

static void key_id(const uint8_t pk[static KEYS_LEN], uint8_t id[static KEYS_MINISIGN_ID_LEN])
{
	uint8_t hash[crypto_hash_sha256_BYTES];

	crypto_hash_sha256(hash, pk, KEYS_LEN);
	memcpy(id, hash, KEYS_MINISIGN_ID_LEN);
}

struct owner {
	uint8_t bytes[KEYS_VAULT_ID_LEN + 4 + 4];
};

static struct owner owner_of(const uint8_t vault[static KEYS_VAULT_ID_LEN], uint32_t pid,
			     uint32_t enrolment)
{
	struct owner o = {{0}};
	struct bytes_out b = bytes_out(o.bytes, sizeof(o.bytes));

	bytes_put(&b, vault, KEYS_VAULT_ID_LEN);
	bytes_put_u32(&b, pid);
	bytes_put_u32(&b, enrolment);
	return o;
}

/* sig and comment, as minisign's global signature covers them. */
static size_t global_message(const uint8_t sig[static KEYS_SIG_LEN], const char *comment,
			     uint8_t out[static KEYS_SIG_LEN + KEYS_MINISIGN_COMMENT])
{
	size_t len = strlen(comment);

	memcpy(out, sig, KEYS_SIG_LEN);
	memcpy(out + KEYS_SIG_LEN, comment, len);
	return KEYS_SIG_LEN + len;
}

int keys_minisign_sign(const struct keys_minisign_signer *by, const uint8_t hash[static 64],
		       const char *comment, struct keys_minisign *out)
{
	struct owner o = owner_of(by->vault, by->pid, by->enrolment);
	struct keys_span owner = {o.bytes, sizeof(o.bytes)};
	uint8_t seed[KEYS_LEN], sk[KEYS_SIGN_SK_LEN], msg[KEYS_SIG_LEN + KEYS_MINISIGN_COMMENT];
	struct keys_minisign m = {0};

	if (!comment_sound(comment))
		return -EINVAL;
	/* The first half of an Ed25519 secret key is its seed. */
	keys_label_derive(KEYS_LABEL_MINISIGN_KEY, by->note_sk, &owner, 1, seed, sizeof(seed));
	crypto_sign_seed_keypair(m.pk, sk, seed);
	key_id(m.pk, m.id);
	keys_label_sign(KEYS_LABEL_MINISIGN_CERT, by->note_sk,
			(struct keys_span[]){owner, {m.pk, sizeof(m.pk)}}, 2, m.cert);
	crypto_sign_detached(m.sig, NULL, hash, HASH_LEN, sk);
	crypto_sign_detached(m.global, NULL, msg, global_message(m.sig, comment, msg), sk);
	sodium_memzero(seed, sizeof(seed));
	sodium_memzero(sk, sizeof(sk));
	*out = m;
	return 0;
}

int keys_minisign_verify(const struct keys_minisign *m,
			 const uint8_t vault[static KEYS_VAULT_ID_LEN], uint32_t pid,
			 uint32_t enrolment, const uint8_t note_pk[static KEYS_LEN],
			 const uint8_t hash[static 64], const char *comment)
{
	struct owner o = owner_of(vault, pid, enrolment);
	const struct keys_span parts[] = {{o.bytes, sizeof(o.bytes)}, {m->pk, sizeof(m->pk)}};
	uint8_t id[KEYS_MINISIGN_ID_LEN], msg[KEYS_SIG_LEN + KEYS_MINISIGN_COMMENT];

	if (!comment_sound(comment))
		return -EBADMSG;
	key_id(m->pk, id);
	if (!keys_equal(id, m->id, sizeof(id)) ||
	    keys_label_verify(KEYS_LABEL_MINISIGN_CERT, note_pk, parts, 2, m->cert) ||
	    crypto_sign_verify_detached(m->sig, hash, HASH_LEN, m->pk) ||
	    crypto_sign_verify_detached(m->global, msg, global_message(m->sig, comment, msg),
					m->pk))
		return -EBADMSG;
	return 0;
}

void keys_minisign_encode(const struct keys_minisign *m, uint8_t out[static KEYS_MINISIGN_LEN])
{
	struct bytes_out b = bytes_out(out, KEYS_MINISIGN_LEN);

	bytes_put_u8(&b, FORMAT);
	bytes_put_zero(&b, 7);
	bytes_put(&b, m->pk, sizeof(m->pk));
	bytes_put(&b, m->id, sizeof(m->id));
	bytes_put(&b, m->cert, sizeof(m->cert));
	bytes_put(&b, m->sig, sizeof(m->sig));
	bytes_put(&b, m->global, sizeof(m->global));
}

int keys_minisign_decode(const uint8_t *p, size_t len, struct keys_minisign *m)
{
	struct bytes_in in = bytes_in(p, len);
	struct keys_minisign got = {.pk = {0}};
	uint8_t format = bytes_get_u8(&in);

	bytes_get_zero(&in, 7);
	bytes_get(&in, got.pk, sizeof(got.pk));
	bytes_get(&in, got.id, sizeof(got.id));
	bytes_get(&in, got.cert, sizeof(got.cert));
	bytes_get(&in, got.sig, sizeof(got.sig));
	bytes_get(&in, got.global, sizeof(got.global));
	if (!bytes_in_done(&in) || format != FORMAT)
		return -EBADMSG;
	*m = got;
	return 0;
}

/* algorithm 2 | key id 8 | bytes, in base64. */
static void line(const char alg[static 2], const struct keys_minisign *m, const uint8_t *p,
		 size_t len, char *out, size_t cap)
{
	uint8_t bin[2 + KEYS_MINISIGN_ID_LEN + KEYS_SIG_LEN];
	struct bytes_out b = bytes_out(bin, sizeof(bin));

	bytes_put(&b, alg, 2);
	bytes_put(&b, m->id, sizeof(m->id));
	bytes_put(&b, p, len);
	(void)keys_base64(bin, b.len, out, cap);
}

int keys_minisign_text(const struct keys_minisign *m, const char *untrusted, const char *comment,
		       char *out, size_t cap)
{
	char sig[128], global[128];
	int n;

	if (!comment_sound(comment) || !comment_sound(untrusted))
		return -EINVAL;
	line("ED", m, m->sig, sizeof(m->sig), sig, sizeof(sig));
	(void)keys_base64(m->global, sizeof(m->global), global, sizeof(global));
	n = snprintf(out, cap, "untrusted comment: %s\n%s\ntrusted comment: %s\n%s\n", untrusted,
		     sig, comment, global);
	return n < 0 || (size_t)n >= cap ? -ENOSPC : 0;
}

int keys_minisign_pub_text(const struct keys_minisign *m, const char *untrusted, char *out,
			   size_t cap)
{
	char key[128];
	int n;

	if (!comment_sound(untrusted))
		return -EINVAL;
	line("Ed", m, m->pk, sizeof(m->pk), key, sizeof(key));
	n = snprintf(out, cap, "untrusted comment: %s\n%s\n", untrusted, key);
	return n < 0 || (size_t)n >= cap ? -ENOSPC : 0;
}
