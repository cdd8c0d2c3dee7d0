/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/test_keys_wrap.c - wraps, manifests, journal subkeys, break-glass wraps. */
#include "test_keys_common.h"

#include "keys/seal.h"
#include "keys/wrap.h"

struct setting {
	struct keys_wrap_place place;
	uint8_t key[KEYS_LEN], prev[KEYS_LEN], host[KEYS_LEN];
	uint8_t box_pk[KEYS_LEN], box_sk[KEYS_LEN];
	uint8_t sign_pk[KEYS_LEN], sign_sk[KEYS_SIGN_SK_LEN];
};

static void setting_make(struct setting *s)
{
	memset(s, 0, sizeof(*s));
	fill(s->place.vault, sizeof(s->place.vault), 1);
	s->place.journal = 42;
	s->place.generation = 2;
	keys_random(s->key, sizeof(s->key));
	keys_random(s->prev, sizeof(s->prev));
	keys_random(s->host, sizeof(s->host));
	keys_box_new(s->box_pk, s->box_sk);
	keys_sign_new(s->sign_pk, s->sign_sk);
}

static bool wrap_accepts(const uint8_t *p, size_t len, const void *arg)
{
	const struct setting *s = arg;
	uint8_t key[KEYS_LEN] = {0};
	int rc = keys_wrap_open(&s->place, p, len, s->box_sk, key);

	ck_assert(rc == 0 || rc == -EBADMSG);
	ck_assert_int_eq(rc == 0, !all_zero(key, sizeof(key)));
	return rc == 0 && keys_equal(key, s->key, sizeof(key));
}

START_TEST(wrap_open_rejects_every_flip_and_length)
{
	uint8_t wrap[KEYS_WRAP_LEN];
	struct setting s;

	setting_make(&s);
	ck_assert_int_eq(keys_wrap_seal(&s.place, s.key, s.box_pk, wrap), 0);
	check_flips(wrap_accepts, wrap, sizeof(wrap), &s);
	check_lengths(wrap_accepts, wrap, sizeof(wrap), &s);
}
END_TEST

START_TEST(wrap_open_rejects_wrong_recipient)
{
	uint8_t wrap[KEYS_WRAP_LEN];
	struct setting s;

	setting_make(&s);
	ck_assert_int_eq(keys_wrap_seal(&s.place, s.key, s.box_pk, wrap), 0);
	keys_box_new(s.box_pk, s.box_sk);
	ck_assert(!wrap_accepts(wrap, sizeof(wrap), &s));
}
END_TEST

START_TEST(wrap_open_rejects_wrong_place)
{
	uint8_t wrap[KEYS_WRAP_LEN];
	struct setting s, other;

	setting_make(&s);
	ck_assert_int_eq(keys_wrap_seal(&s.place, s.key, s.box_pk, wrap), 0);
	other = s;
	other.place.vault[15] ^= 1;
	ck_assert(!wrap_accepts(wrap, sizeof(wrap), &other));
	other = s;
	other.place.journal = 0;
	ck_assert(!wrap_accepts(wrap, sizeof(wrap), &other));
	other = s;
	other.place.generation++;
	ck_assert(!wrap_accepts(wrap, sizeof(wrap), &other));
	ck_assert(wrap_accepts(wrap, sizeof(wrap), &s));
}
END_TEST

START_TEST(wrap_seal_differs_each_time)
{
	uint8_t a[KEYS_WRAP_LEN], b[KEYS_WRAP_LEN];
	struct setting s;

	setting_make(&s);
	ck_assert_int_eq(keys_wrap_seal(&s.place, s.key, s.box_pk, a), 0);
	ck_assert_int_eq(keys_wrap_seal(&s.place, s.key, s.box_pk, b), 0);
	ck_assert_mem_ne(a, b, 32);
	ck_assert_mem_ne(a + 48, b + 48, 32);
}
END_TEST

START_TEST(wrap_seal_to_small_order_point_is_refused)
{
	uint8_t wrap[KEYS_WRAP_LEN], bg[KEYS_BG_WRAP_LEN];
	const uint8_t low[KEYS_LEN] = {0};
	struct setting s;

	setting_make(&s);
	memset(wrap, 0xaa, sizeof(wrap));
	ck_assert_int_eq(keys_wrap_seal(&s.place, s.key, low, wrap), -EINVAL);
	ck_assert(all_zero(wrap, sizeof(wrap)));
	memset(bg, 0xaa, sizeof(bg));
	ck_assert_int_eq(keys_bg_wrap_seal(s.place.vault, 1, s.key, low, s.host, bg), -EINVAL);
	ck_assert(all_zero(bg, sizeof(bg)));
}
END_TEST

static struct keys_manifest manifest_make(const struct setting *s)
{
	struct keys_manifest m = {.place = s->place,
				  .signer = 3,
				  .enrolment = 1,
				  .policy_version = 17,
				  .time_s = 1800000000};

	keys_manifest_sign(&m, s->key, s->place.generation > 1 ? s->prev : NULL, s->sign_sk);
	return m;
}

static bool manifest_accepts(const uint8_t *p, size_t len, const void *arg)
{
	const struct setting *s = arg;
	struct keys_manifest m;

	return keys_manifest_decode(p, len, &m) == 0 && keys_manifest_verify(&m, s->sign_pk) == 0;
}

START_TEST(manifest_round_trip_keeps_fields)
{
	uint8_t b[KEYS_MANIFEST_LEN], again[KEYS_MANIFEST_LEN];
	struct keys_manifest m, got;
	struct setting s;

	setting_make(&s);
	m = manifest_make(&s);
	keys_manifest_encode(&m, b);
	ck_assert_int_eq(keys_manifest_decode(b, sizeof(b), &got), 0);
	ck_assert_uint_eq(got.place.journal, 42);
	ck_assert_uint_eq(got.place.generation, 2);
	ck_assert_mem_eq(got.place.vault, s.place.vault, sizeof(got.place.vault));
	ck_assert_uint_eq(got.signer, 3);
	ck_assert_uint_eq(got.enrolment, 1);
	ck_assert_uint_eq(got.policy_version, 17);
	ck_assert_uint_eq(got.time_s, 1800000000);
	ck_assert_int_eq(keys_manifest_verify(&got, s.sign_pk), 0);
	ck_assert_int_eq(keys_manifest_check(&got, s.key), 0);
	ck_assert_int_eq(keys_manifest_follows(&got, s.prev), 0);
	keys_manifest_encode(&got, again);
	ck_assert_mem_eq(b, again, sizeof(b));
}
END_TEST

START_TEST(manifest_rejects_every_flip_length_and_other_signer)
{
	uint8_t b[KEYS_MANIFEST_LEN];
	struct keys_manifest m;
	struct setting s;

	setting_make(&s);
	m = manifest_make(&s);
	keys_manifest_encode(&m, b);
	check_flips(manifest_accepts, b, sizeof(b), &s);
	check_lengths(manifest_accepts, b, sizeof(b), &s);
	keys_sign_new(s.sign_pk, s.sign_sk);
	ck_assert(!manifest_accepts(b, sizeof(b), &s));
}
END_TEST

/* Anyone may seal a box to anyone: a key of the attacker's own opens, and is then refused. */
START_TEST(manifest_check_rejects_planted_key)
{
	uint8_t planted[KEYS_LEN], wrap[KEYS_WRAP_LEN], key[KEYS_LEN];
	struct keys_manifest m;
	struct setting s;

	setting_make(&s);
	m = manifest_make(&s);
	keys_random(planted, sizeof(planted));
	ck_assert_int_eq(keys_wrap_seal(&s.place, planted, s.box_pk, wrap), 0);
	ck_assert_int_eq(keys_wrap_open(&s.place, wrap, sizeof(wrap), s.box_sk, key), 0);
	ck_assert_int_eq(keys_manifest_check(&m, key), -EBADMSG);
	ck_assert_int_eq(keys_manifest_check(&m, s.key), 0);
}
END_TEST

START_TEST(manifest_commitment_is_bound_to_its_place)
{
	struct keys_manifest m;
	struct setting s;

	setting_make(&s);
	m = manifest_make(&s);
	m.place.journal++;
	ck_assert_int_eq(keys_manifest_check(&m, s.key), -EBADMSG);
	ck_assert_int_eq(keys_manifest_follows(&m, s.prev), -EBADMSG);
	m.place.journal--;
	m.place.generation++;
	ck_assert_int_eq(keys_manifest_check(&m, s.key), -EBADMSG);
	m.place.generation--;
	m.place.vault[0] ^= 1;
	ck_assert_int_eq(keys_manifest_check(&m, s.key), -EBADMSG);
	m.place.vault[0] ^= 1;
	ck_assert_int_eq(keys_manifest_check(&m, s.key), 0);
}
END_TEST

/* A signer who does not hold generation n cannot make generation n + 1. */
START_TEST(manifest_follows_rejects_other_predecessor)
{
	uint8_t stranger[KEYS_LEN];
	struct keys_manifest m;
	struct setting s;

	setting_make(&s);
	m = manifest_make(&s);
	keys_random(stranger, sizeof(stranger));
	ck_assert_int_eq(keys_manifest_follows(&m, stranger), -EBADMSG);
	keys_manifest_sign(&m, s.key, stranger, s.sign_sk);
	ck_assert_int_eq(keys_manifest_verify(&m, s.sign_pk), 0);
	ck_assert_int_eq(keys_manifest_follows(&m, s.prev), -EBADMSG);
	keys_manifest_sign(&m, s.key, NULL, s.sign_sk);
	ck_assert_int_eq(keys_manifest_follows(&m, s.prev), -EBADMSG);
}
END_TEST

START_TEST(manifest_of_first_generation_follows_nothing)
{
	uint8_t b[KEYS_MANIFEST_LEN];
	struct keys_manifest m;
	struct setting s;

	setting_make(&s);
	s.place.generation = 1;
	m = manifest_make(&s);
	ck_assert(all_zero(m.succession, sizeof(m.succession)));
	ck_assert_int_eq(keys_manifest_follows(&m, s.prev), -EBADMSG);
	keys_manifest_encode(&m, b);
	ck_assert(manifest_accepts(b, sizeof(b), &s));
	m.succession[0] = 1;
	keys_manifest_encode(&m, b);
	ck_assert_int_eq(keys_manifest_decode(b, sizeof(b), &m), -EBADMSG);
	m.place.generation = 0;
	keys_manifest_encode(&m, b);
	ck_assert_int_eq(keys_manifest_decode(b, sizeof(b), &m), -EBADMSG);
}
END_TEST

START_TEST(journal_derive_depends_on_key_place_and_shred_slot)
{
	struct keys_wrap_place place;
	struct keys_journal base, got;
	uint8_t shred[KEYS_SHRED_LEN], key[KEYS_LEN];
	struct setting s;

	setting_make(&s);
	fill(shred, sizeof(shred), 6);
	keys_journal_derive(&s.place, s.key, shred, &base);
	ck_assert_mem_ne(base.record, base.chunk, KEYS_LEN);
	ck_assert_mem_ne(base.record, base.name, KEYS_LEN);
	ck_assert_mem_ne(base.chunk, base.name, KEYS_LEN);
	keys_journal_derive(&s.place, s.key, shred, &got);
	ck_assert_mem_eq(&base, &got, sizeof(got));
	for (int c = 0; c < 5; c++) {
		place = s.place;
		memcpy(key, s.key, sizeof(key));
		fill(shred, sizeof(shred), 6);
		if (c == 0)
			place.vault[0] ^= 1;
		if (c == 1)
			place.journal ^= 1;
		if (c == 2)
			place.generation ^= 1;
		if (c == 3)
			key[31] ^= 1;
		if (c == 4)
			memset(shred, 0, sizeof(shred)); /* purged */
		keys_journal_derive(&place, key, shred, &got);
		ck_assert_mem_ne(base.record, got.record, KEYS_LEN);
		ck_assert_mem_ne(base.chunk, got.chunk, KEYS_LEN);
		ck_assert_mem_ne(base.name, got.name, KEYS_LEN);
	}
}
END_TEST

static bool bg_accepts(const uint8_t *p, size_t len, const void *arg)
{
	const struct setting *s = arg;
	uint8_t key[KEYS_LEN] = {0};

	return keys_bg_wrap_open(s->place.vault, 5, p, len, s->box_sk, s->host, key) == 0 &&
	       keys_equal(key, s->key, sizeof(key));
}

START_TEST(bg_wrap_rejects_every_flip_and_length)
{
	uint8_t wrap[KEYS_BG_WRAP_LEN];
	struct setting s;

	setting_make(&s);
	ck_assert_int_eq(keys_bg_wrap_seal(s.place.vault, 5, s.key, s.box_pk, s.host, wrap), 0);
	check_flips(bg_accepts, wrap, sizeof(wrap), &s);
	check_lengths(bg_accepts, wrap, sizeof(wrap), &s);
}
END_TEST

START_TEST(bg_wrap_needs_host_secret_recipient_vault_and_person)
{
	uint8_t wrap[KEYS_BG_WRAP_LEN], key[KEYS_LEN] = {0};
	struct setting s, other;

	setting_make(&s);
	ck_assert_int_eq(keys_bg_wrap_seal(s.place.vault, 5, s.key, s.box_pk, s.host, wrap), 0);
	other = s;
	other.host[0] ^= 1;
	ck_assert(!bg_accepts(wrap, sizeof(wrap), &other));
	other = s;
	keys_box_new(other.box_pk, other.box_sk);
	ck_assert(!bg_accepts(wrap, sizeof(wrap), &other));
	other = s;
	other.place.vault[0] ^= 1;
	ck_assert(!bg_accepts(wrap, sizeof(wrap), &other));
	ck_assert_int_eq(
		keys_bg_wrap_open(s.place.vault, 6, wrap, sizeof(wrap), s.box_sk, s.host, key),
		-EBADMSG);
	ck_assert(all_zero(key, sizeof(key)));
}
END_TEST

/* The box inside names its purpose: a journal wrap is no break-glass secret. */
START_TEST(bg_wrap_rejects_journal_wrap_inside)
{
	uint8_t wrap[KEYS_BG_WRAP_LEN] = {0}, box[KEYS_WRAP_LEN], outer[KEYS_LEN], key[KEYS_LEN];
	uint8_t ad[KEYS_VAULT_ID_LEN + 4] = {0};
	struct keys_span vault_part;
	struct setting s;

	setting_make(&s);
	vault_part = (struct keys_span){s.place.vault, sizeof(s.place.vault)};
	s.place.journal = 5;
	s.place.generation = 0;
	ck_assert_int_eq(keys_wrap_seal(&s.place, s.key, s.box_pk, box), 0);
	keys_label_derive(KEYS_LABEL_BG_HOST, s.host, &vault_part, 1, outer, sizeof(outer));
	memcpy(ad, s.place.vault, KEYS_VAULT_ID_LEN);
	ad[KEYS_VAULT_ID_LEN] = 5;
	keys_seal(outer, SPAN(ad), SPAN(box), wrap);
	ck_assert_int_eq(
		keys_bg_wrap_open(s.place.vault, 5, wrap, sizeof(wrap), s.box_sk, s.host, key),
		-EBADMSG);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		wrap_open_rejects_every_flip_and_length,
		wrap_open_rejects_wrong_recipient,
		wrap_open_rejects_wrong_place,
		wrap_seal_differs_each_time,
		wrap_seal_to_small_order_point_is_refused,
		manifest_round_trip_keeps_fields,
		manifest_rejects_every_flip_length_and_other_signer,
		manifest_check_rejects_planted_key,
		manifest_commitment_is_bound_to_its_place,
		manifest_follows_rejects_other_predecessor,
		manifest_of_first_generation_follows_nothing,
		journal_derive_depends_on_key_place_and_shred_slot,
		bg_wrap_rejects_every_flip_and_length,
		bg_wrap_needs_host_secret_recipient_vault_and_person,
		bg_wrap_rejects_journal_wrap_inside,
	};

	return run_tests("keys/wrap", tests, COUNT(tests));
}
