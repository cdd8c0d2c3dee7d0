/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/test_keys_identity.c - identities, envelopes, session certificates. */
#include "test_keys_common.h"

#include "keys/identity.h"
#include "keys/wrap.h"

struct person {
	struct keys_identity id;
	struct keys_identity_secret secret;
	uint8_t enrol_pk[KEYS_LEN];
	uint8_t enrol_sk[KEYS_SIGN_SK_LEN];
};

static void person_make(struct person *p)
{
	memset(p, 0, sizeof(*p));
	fill(p->id.vault, sizeof(p->id.vault), 1);
	fill(p->id.root_hash, sizeof(p->id.root_hash), 2);
	p->id.pid = 7;
	p->id.enrolment = 2;
	p->id.invite = 9;
	p->id.uid = 1000;
	p->id.made_s = 1800000000;
	strcpy(p->id.name, "anna");
	strcpy(p->id.account, "anna.h");
	keys_sign_new(p->enrol_pk, p->enrol_sk);
	keys_identity_new(&p->id, &p->secret);
	keys_identity_sign(&p->id, p->enrol_sk);
}

static bool identity_accepts(const uint8_t *b, size_t len, const void *arg)
{
	const struct person *p = arg;
	struct keys_identity id;

	return keys_identity_decode(b, len, &id) == 0 &&
	       keys_identity_verify(&id, p->enrol_pk) == 0;
}

START_TEST(identity_round_trip_keeps_fields)
{
	uint8_t b[KEYS_IDENTITY_MAX], again[KEYS_IDENTITY_MAX];
	struct keys_identity id;
	struct person p;
	size_t len = 0, len2 = 0;

	person_make(&p);
	ck_assert_int_eq(keys_identity_encode(&p.id, b, sizeof(b), &len), 0);
	ck_assert_uint_eq(len, 269 + 4 + 6);
	ck_assert_int_eq(keys_identity_decode(b, len, &id), 0);
	ck_assert_uint_eq(id.pid, 7);
	ck_assert_uint_eq(id.enrolment, 2);
	ck_assert_uint_eq(id.invite, 9);
	ck_assert_uint_eq(id.uid, 1000);
	ck_assert_str_eq(id.name, "anna");
	ck_assert_str_eq(id.account, "anna.h");
	ck_assert_int_eq(keys_identity_verify(&id, p.enrol_pk), 0);
	ck_assert_int_eq(keys_identity_encode(&id, again, sizeof(again), &len2), 0);
	ck_assert_uint_eq(len, len2);
	ck_assert_mem_eq(b, again, len);
}
END_TEST

START_TEST(identity_with_longest_names_fits_and_small_room_does_not)
{
	uint8_t b[KEYS_IDENTITY_MAX];
	struct person p;
	size_t len = 99;

	person_make(&p);
	memset(p.id.name, 'n', KEYS_NAME_MAX);
	memset(p.id.account, 'a', KEYS_NAME_MAX);
	keys_identity_sign(&p.id, p.enrol_sk);
	ck_assert_int_eq(keys_identity_encode(&p.id, b, 396, &len), -ENOSPC);
	ck_assert_uint_eq(len, 99);
	ck_assert_int_eq(keys_identity_encode(&p.id, b, sizeof(b), &len), 0);
	ck_assert_uint_eq(len, 269 + 64 + 64);
	ck_assert(identity_accepts(b, len, &p));
}
END_TEST

START_TEST(identity_rejects_every_flip_length_and_other_signer)
{
	uint8_t b[KEYS_IDENTITY_MAX];
	struct person p, other;
	size_t len;

	person_make(&p);
	person_make(&other);
	ck_assert_int_eq(keys_identity_encode(&p.id, b, sizeof(b), &len), 0);
	check_flips(identity_accepts, b, len, &p);
	check_lengths(identity_accepts, b, len, &p);
	ck_assert(!identity_accepts(b, len, &other));
}
END_TEST

START_TEST(identity_decode_rejects_number_zero)
{
	uint8_t b[KEYS_IDENTITY_MAX];
	struct keys_identity id;
	struct person p;
	size_t len;

	person_make(&p);
	p.id.pid = 0;
	ck_assert_int_eq(keys_identity_encode(&p.id, b, sizeof(b), &len), 0);
	ck_assert_int_eq(keys_identity_decode(b, len, &id), -EBADMSG);
	p.id.pid = 1;
	p.id.enrolment = 0;
	ck_assert_int_eq(keys_identity_encode(&p.id, b, sizeof(b), &len), 0);
	ck_assert_int_eq(keys_identity_decode(b, len, &id), -EBADMSG);
}
END_TEST

struct locked {
	struct person p;
	struct keys_envelope env;
	uint8_t stretched[KEYS_LEN], host[KEYS_LEN], keyfile[64], key[KEYS_LEN];
};

static void lock_make(struct locked *l)
{
	memset(l, 0, sizeof(*l));
	person_make(&l->p);
	fill(l->stretched, sizeof(l->stretched), 1);
	fill(l->host, sizeof(l->host), 2);
	fill(l->keyfile, sizeof(l->keyfile), 3);
	keys_random(l->env.salt, sizeof(l->env.salt));
	l->env.cost = keys_stretch_default;
	l->env.keyfile = 1;
	l->env.set_s = 1800000001;
	keys_stretch_envelope(l->stretched, l->host, SPAN(l->keyfile), l->key);
	keys_envelope_seal(&l->env, &l->p.id, &l->p.secret, l->key);
}

static bool envelope_accepts(const uint8_t *b, size_t len, const void *arg)
{
	const struct locked *l = arg;
	struct keys_identity_secret secret;
	struct keys_envelope env;

	return keys_envelope_decode(b, len, &env) == 0 &&
	       keys_envelope_unseal(&env, &l->p.id, l->key, &secret) == 0;
}

START_TEST(envelope_round_trip_gives_back_the_secret)
{
	struct keys_identity_secret secret;
	uint8_t b[KEYS_ENVELOPE_LEN];
	struct keys_envelope env;
	struct locked l;

	lock_make(&l);
	keys_envelope_encode(&l.env, b);
	ck_assert_int_eq(keys_envelope_decode(b, sizeof(b), &env), 0);
	ck_assert_uint_eq(env.cost.passes, 3);
	ck_assert_uint_eq(env.cost.memory_kib, 262144);
	ck_assert_uint_eq(env.keyfile, 1);
	ck_assert_uint_eq(env.set_s, 1800000001);
	ck_assert_int_eq(keys_envelope_unseal(&env, &l.p.id, l.key, &secret), 0);
	ck_assert_mem_eq(&secret, &l.p.secret, sizeof(secret));
}
END_TEST

START_TEST(envelope_rejects_every_flip_and_length)
{
	uint8_t b[KEYS_ENVELOPE_LEN];
	struct locked l;

	lock_make(&l);
	keys_envelope_encode(&l.env, b);
	check_flips(envelope_accepts, b, sizeof(b), &l);
	check_lengths(envelope_accepts, b, sizeof(b), &l);
}
END_TEST

static void refuse(const struct keys_envelope *env, const struct keys_identity *id,
		   const uint8_t *key)
{
	struct keys_identity_secret secret = {0};

	ck_assert_int_eq(keys_envelope_unseal(env, id, key, &secret), -EKEYREJECTED);
	ck_assert(all_zero(&secret, sizeof(secret)));
}

START_TEST(envelope_rejects_wrong_host_secret_key_file_and_passphrase)
{
	uint8_t key[KEYS_LEN];
	struct locked l;

	lock_make(&l);
	l.host[31] ^= 1;
	keys_stretch_envelope(l.stretched, l.host, SPAN(l.keyfile), key);
	refuse(&l.env, &l.p.id, key);
	l.host[31] ^= 1;
	l.keyfile[0] ^= 1;
	keys_stretch_envelope(l.stretched, l.host, SPAN(l.keyfile), key);
	refuse(&l.env, &l.p.id, key);
	keys_stretch_envelope(l.stretched, l.host, (struct keys_span){NULL, 0}, key);
	refuse(&l.env, &l.p.id, key);
	l.keyfile[0] ^= 1;
	l.stretched[5] ^= 1;
	keys_stretch_envelope(l.stretched, l.host, SPAN(l.keyfile), key);
	refuse(&l.env, &l.p.id, key);
}
END_TEST

START_TEST(envelope_is_bound_to_salt_cost_root_and_person)
{
	struct keys_identity id;
	struct keys_envelope env;
	struct locked l;

	lock_make(&l);
	env = l.env;
	env.salt[0] ^= 1;
	refuse(&env, &l.p.id, l.key);
	env = l.env;
	env.cost.passes--;
	refuse(&env, &l.p.id, l.key);
	env = l.env;
	env.cost.memory_kib /= 2;
	refuse(&env, &l.p.id, l.key);
	env = l.env;
	env.keyfile = 0;
	refuse(&env, &l.p.id, l.key);
	env = l.env;
	env.set_s++;
	refuse(&env, &l.p.id, l.key);
	id = l.p.id;
	id.root_hash[0] ^= 1;
	refuse(&l.env, &id, l.key);
	id = l.p.id;
	id.vault[0] ^= 1;
	refuse(&l.env, &id, l.key);
	id = l.p.id;
	id.pid++;
	refuse(&l.env, &id, l.key);
	id = l.p.id;
	id.enrolment++;
	refuse(&l.env, &id, l.key);
}
END_TEST

START_TEST(envelope_rejects_secret_of_other_public_keys)
{
	struct keys_identity id;
	struct locked l;
	uint8_t *pks[] = {id.box_pk, id.statement_pk, id.session_pk, id.note_pk};

	lock_make(&l);
	for (size_t i = 0; i < COUNT(pks); i++) {
		id = l.p.id;
		pks[i][3] ^= 4;
		refuse(&l.env, &id, l.key);
	}
	/* A secret key whose own copy of the public half lies about its seed. */
	l.p.secret.note_sk[0] ^= 1;
	keys_envelope_seal(&l.env, &l.p.id, &l.p.secret, l.key);
	refuse(&l.env, &l.p.id, l.key);
}
END_TEST

START_TEST(envelope_decode_rejects_absurd_cost)
{
	uint8_t b[KEYS_ENVELOPE_LEN];
	struct keys_envelope env;
	struct locked l;

	lock_make(&l);
	l.env.cost.memory_kib = UINT32_MAX;
	keys_envelope_encode(&l.env, b);
	ck_assert_int_eq(keys_envelope_decode(b, sizeof(b), &env), -EBADMSG);
	l.env.cost = keys_stretch_default;
	l.env.keyfile = 2;
	keys_envelope_encode(&l.env, b);
	ck_assert_int_eq(keys_envelope_decode(b, sizeof(b), &env), -EBADMSG);
}
END_TEST

static void cert_make(struct keys_session_cert *cert, const struct person *p, uint8_t *sk)
{
	memset(cert, 0, sizeof(*cert));
	memcpy(cert->vault, p->id.vault, sizeof(cert->vault));
	fill(cert->session, sizeof(cert->session), 8);
	cert->pid = p->id.pid;
	cert->enrolment = p->id.enrolment;
	cert->from_s = 1800000000;
	cert->until_s = 1800043200;
	keys_session_cert_new(cert, &p->secret, sk);
}

static bool cert_accepts(const uint8_t *b, size_t len, const void *arg)
{
	const struct person *p = arg;
	struct keys_session_cert cert;

	return keys_session_cert_decode(b, len, &cert) == 0 &&
	       keys_session_cert_verify(&cert, &p->id) == 0;
}

START_TEST(session_cert_round_trip_certifies_a_working_key)
{
	uint8_t b[KEYS_SESSION_CERT_LEN], sk[KEYS_SIGN_SK_LEN], sig[KEYS_SIG_LEN];
	const struct keys_span part = {"root", 4};
	struct keys_session_cert cert, got;
	struct person p;

	person_make(&p);
	cert_make(&cert, &p, sk);
	keys_session_cert_encode(&cert, b);
	ck_assert_int_eq(keys_session_cert_decode(b, sizeof(b), &got), 0);
	ck_assert_int_eq(keys_session_cert_verify(&got, &p.id), 0);
	ck_assert_uint_eq(got.from_s, cert.from_s);
	ck_assert_uint_eq(got.until_s, cert.until_s);
	ck_assert_mem_eq(got.session, cert.session, sizeof(got.session));
	keys_label_sign(KEYS_LABEL_JOURNAL_ROOT, sk, &part, 1, sig);
	ck_assert_int_eq(keys_label_verify(KEYS_LABEL_JOURNAL_ROOT, got.pk, &part, 1, sig), 0);
}
END_TEST

START_TEST(session_cert_rejects_every_flip_length_and_other_person)
{
	uint8_t b[KEYS_SESSION_CERT_LEN], sk[KEYS_SIGN_SK_LEN];
	struct keys_session_cert cert;
	struct person p, other;

	person_make(&p);
	person_make(&other);
	cert_make(&cert, &p, sk);
	keys_session_cert_encode(&cert, b);
	check_flips(cert_accepts, b, sizeof(b), &p);
	check_lengths(cert_accepts, b, sizeof(b), &p);
	ck_assert(!cert_accepts(b, sizeof(b), &other));
}
END_TEST

/* Signed by the right key, but for a number that this identity does not carry. */
START_TEST(session_cert_verify_rejects_other_place)
{
	struct keys_session_cert cert;
	uint8_t sk[KEYS_SIGN_SK_LEN];
	struct person p;

	person_make(&p);
	cert_make(&cert, &p, sk);
	p.id.pid++;
	ck_assert_int_eq(keys_session_cert_verify(&cert, &p.id), -EBADMSG);
	p.id.pid--;
	p.id.enrolment++;
	ck_assert_int_eq(keys_session_cert_verify(&cert, &p.id), -EBADMSG);
	p.id.enrolment--;
	p.id.vault[3] ^= 1;
	ck_assert_int_eq(keys_session_cert_verify(&cert, &p.id), -EBADMSG);
	p.id.vault[3] ^= 1;
	ck_assert_int_eq(keys_session_cert_verify(&cert, &p.id), 0);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		identity_round_trip_keeps_fields,
		identity_with_longest_names_fits_and_small_room_does_not,
		identity_rejects_every_flip_length_and_other_signer,
		identity_decode_rejects_number_zero,
		envelope_round_trip_gives_back_the_secret,
		envelope_rejects_every_flip_and_length,
		envelope_rejects_wrong_host_secret_key_file_and_passphrase,
		envelope_is_bound_to_salt_cost_root_and_person,
		envelope_rejects_secret_of_other_public_keys,
		envelope_decode_rejects_absurd_cost,
		session_cert_round_trip_certifies_a_working_key,
		session_cert_rejects_every_flip_length_and_other_person,
		session_cert_verify_rejects_other_place,
	};

	return run_tests("keys/identity", tests, COUNT(tests));
}
