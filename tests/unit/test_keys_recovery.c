/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/test_keys_recovery.c - recovery key, escrow, the daemon's proof. */
#include "test_keys_common.h"

#include "keys/recovery.h"
#include "keys/wrap.h"

static const char alphabet[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

START_TEST(recovery_text_round_trip_and_errors_caught)
{
	uint8_t key[KEYS_RECOVERY_LEN], got[KEYS_RECOVERY_LEN];
	char text[KEYS_RECOVERY_TEXT_MAX], bad[KEYS_RECOVERY_TEXT_MAX];

	for (unsigned round = 0; round < 20; round++) {
		keys_recovery_new(key);
		keys_recovery_print(key, text);
		ck_assert_uint_eq(strlen(text), 53 + 13);
		ck_assert_int_eq(keys_recovery_parse(text, got), 0);
		ck_assert_mem_eq(key, got, sizeof(key));
		for (size_t i = 0; text[i]; i++) {
			size_t next = text[i + 1] == '-' ? i + 2 : i + 1;

			if (text[i] == '-')
				continue;
			for (size_t c = 0; c < 32; c++) {
				if (text[i] == alphabet[c])
					continue;
				strcpy(bad, text);
				bad[i] = alphabet[c];
				ck_assert_int_eq(keys_recovery_parse(bad, got), -EINVAL);
			}
			if (!text[next] || text[next] == text[i])
				continue;
			strcpy(bad, text);
			bad[i] = text[next];
			bad[next] = text[i];
			ck_assert_int_eq(keys_recovery_parse(bad, got), -EINVAL);
		}
	}
}
END_TEST

START_TEST(recovery_parse_rejects_a_code_and_rubbish)
{
	uint8_t got[KEYS_RECOVERY_LEN];

	ck_assert_int_eq(keys_recovery_parse("0000-0000-0000-0000-0000-0000-000", got), -EINVAL);
	ck_assert_int_eq(keys_recovery_parse("", got), -EINVAL);
	ck_assert_int_eq(keys_recovery_parse("recovery", got), -EINVAL);
}
END_TEST

START_TEST(recovery_box_opens_wraps_and_depends_on_vault)
{
	uint8_t key[KEYS_RECOVERY_LEN], pk[KEYS_LEN], sk[KEYS_LEN], pk2[KEYS_LEN], sk2[KEYS_LEN];
	struct keys_wrap_place place = {.journal = 3, .generation = 1};
	uint8_t wrap[KEYS_WRAP_LEN], journal[KEYS_LEN], got[KEYS_LEN];

	keys_recovery_new(key);
	keys_random(journal, sizeof(journal));
	keys_recovery_box(place.vault, key, pk, sk);
	ck_assert_int_eq(keys_wrap_seal(&place, journal, pk, wrap), 0);
	keys_recovery_box(place.vault, key, pk2, sk2);
	ck_assert_mem_eq(pk, pk2, sizeof(pk));
	ck_assert_int_eq(keys_wrap_open(&place, wrap, sizeof(wrap), sk2, got), 0);
	ck_assert_mem_eq(got, journal, sizeof(got));
	place.vault[0] ^= 1;
	keys_recovery_box(place.vault, key, pk2, sk2);
	ck_assert_mem_ne(pk, pk2, sizeof(pk));
}
END_TEST

struct escrow {
	uint8_t vault[KEYS_VAULT_ID_LEN], key[KEYS_RECOVERY_LEN];
	uint8_t root_pk[KEYS_LEN], root_sk[KEYS_SIGN_SK_LEN], host[KEYS_LEN];
	uint8_t sealed[KEYS_ESCROW_LEN];
};

static void escrow_make(struct escrow *e)
{
	fill(e->vault, sizeof(e->vault), 1);
	keys_recovery_new(e->key);
	keys_sign_new(e->root_pk, e->root_sk);
	keys_random(e->host, sizeof(e->host));
	keys_escrow_seal(e->vault, e->key, e->root_sk, e->host, e->sealed);
}

static bool escrow_accepts(const uint8_t *p, size_t len, const void *arg)
{
	const struct escrow *e = arg;
	uint8_t root_sk[KEYS_SIGN_SK_LEN] = {0}, host[KEYS_LEN] = {0};
	int rc = keys_escrow_open(e->vault, e->key, p, len, root_sk, host);

	ck_assert(rc == 0 || rc == -EKEYREJECTED);
	if (rc)
		ck_assert(all_zero(root_sk, sizeof(root_sk)) && all_zero(host, sizeof(host)));
	return rc == 0 && keys_equal(root_sk, e->root_sk, sizeof(root_sk)) &&
	       keys_equal(host, e->host, sizeof(host));
}

START_TEST(escrow_rejects_every_flip_length_key_and_vault)
{
	struct escrow e;

	escrow_make(&e);
	check_flips(escrow_accepts, e.sealed, sizeof(e.sealed), &e);
	check_lengths(escrow_accepts, e.sealed, sizeof(e.sealed), &e);
	e.key[0] ^= 1;
	ck_assert(!escrow_accepts(e.sealed, sizeof(e.sealed), &e));
	e.key[0] ^= 1;
	e.vault[0] ^= 1;
	ck_assert(!escrow_accepts(e.sealed, sizeof(e.sealed), &e));
}
END_TEST

struct proof {
	uint8_t vault[KEYS_VAULT_ID_LEN], root_pk[KEYS_LEN], daemon_pk[KEYS_LEN];
	uint8_t cert[KEYS_SIG_LEN], nonce[KEYS_NONCE_LEN], sig[KEYS_SIG_LEN];
};

static int proof_check(const struct proof *p)
{
	return keys_daemon_check(p->vault, p->root_pk, p->daemon_pk, p->cert, p->nonce, p->sig);
}

static void proof_make(struct proof *p)
{
	uint8_t root_sk[KEYS_SIGN_SK_LEN], daemon_sk[KEYS_SIGN_SK_LEN];

	fill(p->vault, sizeof(p->vault), 1);
	keys_sign_new(p->root_pk, root_sk);
	keys_sign_new(p->daemon_pk, daemon_sk);
	keys_random(p->nonce, sizeof(p->nonce));
	keys_daemon_certify(p->vault, p->daemon_pk, root_sk, p->cert);
	keys_daemon_answer(p->vault, daemon_sk, p->nonce, p->sig);
}

START_TEST(daemon_check_rejects_every_flip)
{
	uint8_t *at;
	struct proof p;

	proof_make(&p);
	ck_assert_int_eq(proof_check(&p), 0);
	at = (uint8_t *)&p;
	for (size_t bit = 0; bit < sizeof(p) * 8; bit++) {
		at[bit / 8] ^= (uint8_t)(1u << bit % 8);
		ck_assert_int_eq(proof_check(&p), -EBADMSG);
		at[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	ck_assert_int_eq(proof_check(&p), 0);
}
END_TEST

static bool certified(const uint8_t *b, size_t len, const void *arg)
{
	struct proof p;

	(void)arg;
	if (len != offsetof(struct proof, nonce))
		return false;
	memcpy(&p, b, len);
	return keys_daemon_certified(p.vault, p.root_pk, p.daemon_pk, p.cert) == 0;
}

START_TEST(daemon_certified_rejects_every_flip)
{
	struct proof p, other;

	proof_make(&p);
	proof_make(&other);
	check_flips(certified, (const uint8_t *)&p, offsetof(struct proof, nonce), NULL);
	ck_assert_int_eq(keys_daemon_certified(p.vault, p.root_pk, p.daemon_pk, other.cert),
			 -EBADMSG);
	/* It says nothing of an answer. */
	p.sig[0] ^= 1;
	ck_assert_int_eq(keys_daemon_certified(p.vault, p.root_pk, p.daemon_pk, p.cert), 0);
	ck_assert_int_eq(proof_check(&p), -EBADMSG);
}
END_TEST

/* Another daemon, certified by another root, cannot answer for this one. */
START_TEST(daemon_check_rejects_substituted_root_and_replay)
{
	struct proof p, other, mixed;

	proof_make(&p);
	proof_make(&other);
	mixed = other;
	memcpy(mixed.root_pk, p.root_pk, sizeof(mixed.root_pk));
	ck_assert_int_eq(proof_check(&mixed), -EBADMSG);
	memcpy(mixed.cert, p.cert, sizeof(mixed.cert));
	ck_assert_int_eq(proof_check(&mixed), -EBADMSG);
	mixed = p;
	keys_random(mixed.nonce, sizeof(mixed.nonce));
	ck_assert_int_eq(proof_check(&mixed), -EBADMSG);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		recovery_text_round_trip_and_errors_caught,
		recovery_parse_rejects_a_code_and_rubbish,
		recovery_box_opens_wraps_and_depends_on_vault,
		escrow_rejects_every_flip_length_key_and_vault,
		daemon_check_rejects_every_flip,
		daemon_certified_rejects_every_flip,
		daemon_check_rejects_substituted_root_and_replay,
	};

	return run_tests("keys/recovery", tests, COUNT(tests));
}
