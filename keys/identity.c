/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keys/identity.c - identities, envelopes and session certificates as bytes.
 *
 * Implements keys/FORMAT.md, "Identity", "Envelope" and "Session certificate".
 *
 * Invariants: 1. an opened envelope's secret keys always belong to the public
 * keys of the identity it was opened for; 2. a session certificate verifies only
 * for the vault, practitioner and enrolment of the identity that it is held to.
 */
#include "identity.h"

#include <errno.h>
#include <sodium.h>

#include "bytes.h"
#include "seal.h"

#define FORMAT 1
#define SECRET_LEN (KEYS_LEN + 3 * KEYS_SIGN_SK_LEN)
#define SEALED_LEN (SECRET_LEN + KEYS_SEAL_OVERHEAD)
#define ENVELOPE_AD_LEN 92
#define CERT_SIGNED_LEN (KEYS_SESSION_CERT_LEN - KEYS_SIG_LEN)

_Static_assert(sizeof(struct keys_identity_secret) == SECRET_LEN, "secret length");
_Static_assert(sizeof(((struct keys_envelope *)0)->sealed) == SEALED_LEN, "sealed length");
_Static_assert(KEYS_ENVELOPE_LEN == 40 + SEALED_LEN + 16, "envelope length");

void keys_identity_new(struct keys_identity *id, struct keys_identity_secret *secret)
{
	crypto_box_keypair(id->box_pk, secret->box_sk);
	crypto_sign_keypair(id->statement_pk, secret->statement_sk);
	crypto_sign_keypair(id->session_pk, secret->session_sk);
	crypto_sign_keypair(id->note_pk, secret->note_sk);
}

/* All that the enrolment key signs. */
static void identity_put(struct bytes_out *b, const struct keys_identity *id)
{
	bytes_put_u8(b, FORMAT);
	bytes_put(b, id->vault, sizeof(id->vault));
	bytes_put(b, id->root_hash, sizeof(id->root_hash));
	bytes_put_u32(b, id->pid);
	bytes_put_u32(b, id->enrolment);
	bytes_put_u32(b, id->invite);
	bytes_put_u32(b, id->uid);
	bytes_put_u64(b, id->made_s);
	bytes_put(b, id->box_pk, sizeof(id->box_pk));
	bytes_put(b, id->statement_pk, sizeof(id->statement_pk));
	bytes_put(b, id->session_pk, sizeof(id->session_pk));
	bytes_put(b, id->note_pk, sizeof(id->note_pk));
	bytes_put_text(b, id->name);
	bytes_put_text(b, id->account);
}

void keys_identity_sign(struct keys_identity *id, const uint8_t enrol_sk[static KEYS_SIGN_SK_LEN])
{
	uint8_t body[KEYS_IDENTITY_MAX];
	struct bytes_out b = bytes_out(body, sizeof(body));

	identity_put(&b, id);
	keys_label_sign(KEYS_LABEL_IDENTITY, enrol_sk, &(struct keys_span){body, b.len}, 1,
			id->sig);
}

int keys_identity_verify(const struct keys_identity *id, const uint8_t enrol_pk[static KEYS_LEN])
{
	uint8_t body[KEYS_IDENTITY_MAX];
	struct bytes_out b = bytes_out(body, sizeof(body));

	identity_put(&b, id);
	return keys_label_verify(KEYS_LABEL_IDENTITY, enrol_pk, &(struct keys_span){body, b.len}, 1,
				 id->sig);
}

int keys_identity_encode(const struct keys_identity *id, uint8_t *out, size_t cap, size_t *len)
{
	struct bytes_out b = bytes_out(out, cap);

	identity_put(&b, id);
	bytes_put(&b, id->sig, sizeof(id->sig));
	if (b.bad)
		return -ENOSPC;
	*len = b.len;
	return 0;
}

int keys_identity_decode(const uint8_t *p, size_t len, struct keys_identity *id)
{
	struct bytes_in in = bytes_in(p, len);
	struct keys_identity got = {0};
	uint8_t format;

	format = bytes_get_u8(&in);
	bytes_get(&in, got.vault, sizeof(got.vault));
	bytes_get(&in, got.root_hash, sizeof(got.root_hash));
	got.pid = bytes_get_u32(&in);
	got.enrolment = bytes_get_u32(&in);
	got.invite = bytes_get_u32(&in);
	got.uid = bytes_get_u32(&in);
	got.made_s = bytes_get_u64(&in);
	bytes_get(&in, got.box_pk, sizeof(got.box_pk));
	bytes_get(&in, got.statement_pk, sizeof(got.statement_pk));
	bytes_get(&in, got.session_pk, sizeof(got.session_pk));
	bytes_get(&in, got.note_pk, sizeof(got.note_pk));
	bytes_get_text(&in, got.name, sizeof(got.name));
	bytes_get_text(&in, got.account, sizeof(got.account));
	bytes_get(&in, got.sig, sizeof(got.sig));
	if (!bytes_in_done(&in) || format != FORMAT || got.pid == 0 || got.enrolment == 0)
		return -EBADMSG;
	*id = got;
	return 0;
}

static void envelope_ad(const struct keys_envelope *env, const struct keys_identity *id,
			uint8_t ad[static ENVELOPE_AD_LEN])
{
	struct bytes_out b = bytes_out(ad, ENVELOPE_AD_LEN);

	bytes_put_u8(&b, FORMAT);
	bytes_put_u8(&b, env->keyfile);
	bytes_put_zero(&b, 2);
	bytes_put(&b, id->vault, sizeof(id->vault));
	bytes_put(&b, id->root_hash, sizeof(id->root_hash));
	bytes_put_u32(&b, id->pid);
	bytes_put_u32(&b, id->enrolment);
	bytes_put_u32(&b, env->cost.passes);
	bytes_put_u32(&b, env->cost.memory_kib);
	bytes_put_u64(&b, env->set_s);
	bytes_put(&b, env->salt, sizeof(env->salt));
}

void keys_envelope_seal(struct keys_envelope *env, const struct keys_identity *id,
			const struct keys_identity_secret *secret,
			const uint8_t key[static KEYS_LEN])
{
	uint8_t ad[ENVELOPE_AD_LEN], plain[SECRET_LEN];
	struct bytes_out b = bytes_out(plain, sizeof(plain));

	bytes_put(&b, secret->box_sk, sizeof(secret->box_sk));
	bytes_put(&b, secret->statement_sk, sizeof(secret->statement_sk));
	bytes_put(&b, secret->session_sk, sizeof(secret->session_sk));
	bytes_put(&b, secret->note_sk, sizeof(secret->note_sk));
	envelope_ad(env, id, ad);
	keys_seal(key, (struct keys_span){ad, sizeof(ad)}, (struct keys_span){plain, sizeof(plain)},
		  env->sealed);
	sodium_memzero(plain, sizeof(plain));
}

/* Whether sk is the whole secret key that pk belongs to; its own copy of pk proves nothing. */
static bool sign_key_belongs(const uint8_t *sk, const uint8_t *pk)
{
	uint8_t seed[crypto_sign_SEEDBYTES], made_pk[KEYS_LEN], made_sk[KEYS_SIGN_SK_LEN];
	bool ok;

	crypto_sign_ed25519_sk_to_seed(seed, sk);
	crypto_sign_seed_keypair(made_pk, made_sk, seed);
	ok = keys_equal(made_pk, pk, KEYS_LEN) && keys_equal(made_sk, sk, KEYS_SIGN_SK_LEN);
	sodium_memzero(seed, sizeof(seed));
	sodium_memzero(made_sk, sizeof(made_sk));
	return ok;
}

static bool secret_belongs(const struct keys_identity_secret *s, const struct keys_identity *id)
{
	uint8_t pk[KEYS_LEN];

	return crypto_scalarmult_base(pk, s->box_sk) == 0 &&
	       keys_equal(pk, id->box_pk, sizeof(pk)) &&
	       sign_key_belongs(s->statement_sk, id->statement_pk) &&
	       sign_key_belongs(s->session_sk, id->session_pk) &&
	       sign_key_belongs(s->note_sk, id->note_pk);
}

int keys_envelope_unseal(const struct keys_envelope *env, const struct keys_identity *id,
			 const uint8_t key[static KEYS_LEN], struct keys_identity_secret *secret)
{
	uint8_t ad[ENVELOPE_AD_LEN], plain[SECRET_LEN];
	struct bytes_in in = bytes_in(plain, sizeof(plain));
	struct keys_identity_secret got;
	int rc = -EKEYREJECTED;

	envelope_ad(env, id, ad);
	if (keys_unseal(key, (struct keys_span){ad, sizeof(ad)},
			(struct keys_span){env->sealed, sizeof(env->sealed)}, plain))
		return rc;
	bytes_get(&in, got.box_sk, sizeof(got.box_sk));
	bytes_get(&in, got.statement_sk, sizeof(got.statement_sk));
	bytes_get(&in, got.session_sk, sizeof(got.session_sk));
	bytes_get(&in, got.note_sk, sizeof(got.note_sk));
	if (secret_belongs(&got, id)) {
		*secret = got;
		rc = 0;
	}
	sodium_memzero(plain, sizeof(plain));
	sodium_memzero(&got, sizeof(got));
	return rc;
}

void keys_envelope_encode(const struct keys_envelope *env, uint8_t out[static KEYS_ENVELOPE_LEN])
{
	struct bytes_out b = bytes_out(out, KEYS_ENVELOPE_LEN);

	bytes_put_u8(&b, FORMAT);
	bytes_put_u8(&b, env->keyfile);
	bytes_put_zero(&b, 2);
	bytes_put_u32(&b, env->cost.passes);
	bytes_put_u32(&b, env->cost.memory_kib);
	bytes_put_zero(&b, 4);
	bytes_put_u64(&b, env->set_s);
	bytes_put(&b, env->salt, sizeof(env->salt));
	bytes_put(&b, env->sealed, sizeof(env->sealed));
	bytes_put_zero(&b, 16);
}

int keys_envelope_decode(const uint8_t *p, size_t len, struct keys_envelope *env)
{
	struct bytes_in in = bytes_in(p, len);
	struct keys_envelope got;
	uint8_t format;

	format = bytes_get_u8(&in);
	got.keyfile = bytes_get_u8(&in);
	bytes_get_zero(&in, 2);
	got.cost.passes = bytes_get_u32(&in);
	got.cost.memory_kib = bytes_get_u32(&in);
	bytes_get_zero(&in, 4);
	got.set_s = bytes_get_u64(&in);
	bytes_get(&in, got.salt, sizeof(got.salt));
	bytes_get(&in, got.sealed, sizeof(got.sealed));
	bytes_get_zero(&in, 16);
	if (!bytes_in_done(&in) || format != FORMAT || got.keyfile > 1 ||
	    keys_stretch_check(&got.cost))
		return -EBADMSG;
	*env = got;
	return 0;
}

static void cert_put(const struct keys_session_cert *cert, uint8_t *out)
{
	struct bytes_out b = bytes_out(out, CERT_SIGNED_LEN);

	bytes_put_u8(&b, FORMAT);
	bytes_put_zero(&b, 3);
	bytes_put_u32(&b, cert->pid);
	bytes_put_u32(&b, cert->enrolment);
	bytes_put_zero(&b, 4);
	bytes_put(&b, cert->vault, sizeof(cert->vault));
	bytes_put(&b, cert->session, sizeof(cert->session));
	bytes_put_u64(&b, cert->from_s);
	bytes_put_u64(&b, cert->until_s);
	bytes_put(&b, cert->pk, sizeof(cert->pk));
	bytes_put_zero(&b, 32);
}

void keys_session_cert_new(struct keys_session_cert *cert,
			   const struct keys_identity_secret *secret,
			   uint8_t sk_out[static KEYS_SIGN_SK_LEN])
{
	uint8_t body[CERT_SIGNED_LEN];

	crypto_sign_keypair(cert->pk, sk_out);
	cert_put(cert, body);
	keys_label_sign(KEYS_LABEL_SESSION_CERT, secret->session_sk,
			&(struct keys_span){body, sizeof(body)}, 1, cert->sig);
}

int keys_session_cert_verify(const struct keys_session_cert *cert, const struct keys_identity *id)
{
	uint8_t body[CERT_SIGNED_LEN];

	if (cert->pid != id->pid || cert->enrolment != id->enrolment ||
	    !keys_equal(cert->vault, id->vault, sizeof(id->vault)))
		return -EBADMSG;
	cert_put(cert, body);
	return keys_label_verify(KEYS_LABEL_SESSION_CERT, id->session_pk,
				 &(struct keys_span){body, sizeof(body)}, 1, cert->sig);
}

void keys_session_cert_encode(const struct keys_session_cert *cert,
			      uint8_t out[static KEYS_SESSION_CERT_LEN])
{
	cert_put(cert, out);
	memcpy(out + CERT_SIGNED_LEN, cert->sig, sizeof(cert->sig));
}

int keys_session_cert_decode(const uint8_t *p, size_t len, struct keys_session_cert *cert)
{
	struct bytes_in in = bytes_in(p, len);
	struct keys_session_cert got;
	uint8_t format;

	format = bytes_get_u8(&in);
	bytes_get_zero(&in, 3);
	got.pid = bytes_get_u32(&in);
	got.enrolment = bytes_get_u32(&in);
	bytes_get_zero(&in, 4);
	bytes_get(&in, got.vault, sizeof(got.vault));
	bytes_get(&in, got.session, sizeof(got.session));
	got.from_s = bytes_get_u64(&in);
	got.until_s = bytes_get_u64(&in);
	bytes_get(&in, got.pk, sizeof(got.pk));
	bytes_get_zero(&in, 32);
	bytes_get(&in, got.sig, sizeof(got.sig));
	if (!bytes_in_done(&in) || format != FORMAT || got.pid == 0 || got.enrolment == 0)
		return -EBADMSG;
	*cert = got;
	return 0;
}
