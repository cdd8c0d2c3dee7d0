/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/test_keys_frozen.c - version 1, frozen.
 *
 * The bytes in test_keys_frozen_data.h were made once, by version 1, from the
 * inputs below. What is deterministic must come out the same for ever; what holds
 * random nonces must open for ever. The hashes of the label table come from an
 * implementation of BLAKE2b other than libsodium's. A change that breaks this
 * test is a new format version, never a new expectation.
 */
#include "test_keys_common.h"

#include <sodium.h>

#include "keys/header.h"
#include "keys/identity.h"
#include "keys/invite.h"
#include "keys/minisign.h"
#include "keys/note.h"
#include "keys/ratchet.h"
#include "keys/recovery.h"
#include "keys/statement.h"
#include "keys/wrap.h"
#include "test_keys_frozen_data.h"

static struct {
	uint8_t vault[KEYS_VAULT_ID_LEN], stream[KEYS_STREAM_ID_LEN], session[KEYS_SESSION_ID_LEN];
	uint8_t key[KEYS_LEN], prev[KEYS_LEN], host[KEYS_LEN], stretched[KEYS_LEN];
	uint8_t shred[KEYS_SHRED_LEN], recovery[KEYS_RECOVERY_LEN], code[KEYS_CODE_LEN];
	uint8_t root_pk[KEYS_LEN], root_sk[KEYS_SIGN_SK_LEN];
	struct keys_identity_secret secret;
	struct keys_identity id;
	struct keys_wrap_place place;
} in;

static void sign_pair(unsigned seed_no, uint8_t *pk, uint8_t *sk)
{
	uint8_t seed[32];

	fill(seed, sizeof(seed), seed_no);
	crypto_sign_seed_keypair(pk, sk, seed);
}

static void inputs_make(void)
{
	uint8_t seed[32];

	fill(in.vault, sizeof(in.vault), 1);
	fill(in.stream, sizeof(in.stream), 2);
	fill(in.session, sizeof(in.session), 3);
	fill(in.key, sizeof(in.key), 4);
	fill(in.prev, sizeof(in.prev), 5);
	fill(in.host, sizeof(in.host), 6);
	fill(in.stretched, sizeof(in.stretched), 7);
	fill(in.shred, sizeof(in.shred), 8);
	fill(in.recovery, sizeof(in.recovery), 9);
	fill(in.code, sizeof(in.code), 10);
	sign_pair(11, in.root_pk, in.root_sk);
	memset(&in.id, 0, sizeof(in.id));
	fill(seed, sizeof(seed), 12);
	crypto_box_seed_keypair(in.id.box_pk, in.secret.box_sk, seed);
	sign_pair(13, in.id.statement_pk, in.secret.statement_sk);
	sign_pair(14, in.id.session_pk, in.secret.session_sk);
	sign_pair(15, in.id.note_pk, in.secret.note_sk);
	memcpy(in.id.vault, in.vault, sizeof(in.vault));
	fill(in.id.root_hash, sizeof(in.id.root_hash), 16);
	in.id.pid = 7;
	in.id.enrolment = 2;
	in.id.invite = 9;
	in.id.uid = 1000;
	in.id.made_s = 1800000000;
	strcpy(in.id.name, "anna");
	strcpy(in.id.account, "anna.h");
	memcpy(in.place.vault, in.vault, sizeof(in.vault));
	in.place.journal = 42;
	in.place.generation = 2;
}

static void header_make(uint8_t *b)
{
	struct keys_header h = {.version = 1, .suite = 1, .made_s = 1800000000};

	memcpy(h.vault, in.vault, sizeof(h.vault));
	memcpy(h.root_pk, in.root_pk, sizeof(h.root_pk));
	keys_header_encode(&h, in.root_sk, b);
}

static size_t identity_make(uint8_t *b)
{
	size_t len = 0;

	keys_identity_sign(&in.id, in.root_sk);
	ck_assert_int_eq(keys_identity_encode(&in.id, b, KEYS_IDENTITY_MAX, &len), 0);
	return len;
}

static struct keys_statement statement_make(void)
{
	struct keys_statement st = {.kind = KEYS_STATEMENT_POLICY,
				    .number = 2,
				    .signer = 7,
				    .enrolment = 2,
				    .time_s = 1800000000,
				    .body = {"practice \"Klinik Nord\"\n", 23}};

	memcpy(st.vault, in.vault, sizeof(st.vault));
	fill(st.prev, sizeof(st.prev), 17);
	keys_statement_sign(&st, in.secret.statement_sk);
	return st;
}

static size_t list_make(uint8_t *b, size_t cap)
{
	struct keys_list_entry e[] = {{.kind = KEYS_LIST_RECOVERY},
				      {.kind = KEYS_LIST_AUDITOR, .pid = 7}};
	size_t len = 0;

	fill(e[0].box_pk, KEYS_LEN, 18);
	fill(e[1].box_pk, KEYS_LEN, 19);
	ck_assert_int_eq(keys_list_encode(e, 2, b, cap, &len), 0);
	return len;
}

static void manifest_make(uint8_t *b)
{
	struct keys_manifest m = {.place = in.place,
				  .signer = 7,
				  .enrolment = 2,
				  .policy_version = 17,
				  .time_s = 1800000000};

	keys_manifest_sign(&m, in.key, in.prev, in.secret.statement_sk);
	keys_manifest_encode(&m, b);
}

static struct keys_ratchet ratchet_make(void)
{
	struct keys_ratchet r = {.next = 0};

	memcpy(r.vault, in.vault, sizeof(r.vault));
	memcpy(r.stream, in.stream, sizeof(r.stream));
	memcpy(r.key, in.key, sizeof(r.key));
	return r;
}

static struct keys_note note_make(void)
{
	struct keys_note n = {.kind = KEYS_NOTE_FINAL,
			      .journal = 42,
			      .ino = 4711,
			      .number = 3,
			      .amends = 1,
			      .size = 10240,
			      .time_s = 1800000000,
			      .author = 7,
			      .pid = 7,
			      .enrolment = 2,
			      .policy_version = 17,
			      .log_seq = 100,
			      .commit = 50,
			      .path = "2026/visit.md",
			      .author_name = "anna",
			      .who = "anna",
			      .role = "physician"};

	memcpy(n.vault, in.vault, sizeof(n.vault));
	fill(n.before, sizeof(n.before), 20);
	fill(n.sha256, sizeof(n.sha256), 21);
	fill(n.root, sizeof(n.root), 22);
	keys_note_sign(&n, in.secret.note_sk);
	return n;
}

START_TEST(labels_hash_as_frozen)
{
	const struct keys_span part = {"abc", 3};
	uint8_t hash[16];

	ck_assert_uint_eq(COUNT(frozen_labels), KEYS_LABEL_COUNT);
	for (int i = 0; i < KEYS_LABEL_COUNT; i++) {
		ck_assert_str_eq(keys_label_text((enum keys_label)i), frozen_labels[i].text);
		keys_label_hash((enum keys_label)i, &part, 1, hash, sizeof(hash));
		assert_hex(hash, sizeof(hash), frozen_labels[i].hash);
	}
}
END_TEST

START_TEST(header_and_root_hash_are_as_frozen)
{
	uint8_t b[KEYS_HEADER_LEN], hash[KEYS_LEN];

	header_make(b);
	assert_hex(b, sizeof(b), frozen_header);
	keys_header_root_hash(b, hash);
	assert_hex(hash, sizeof(hash), frozen_root_hash);
}
END_TEST

START_TEST(identity_statement_list_and_manifest_are_as_frozen)
{
	uint8_t b[KEYS_IDENTITY_MAX], hash[KEYS_LEN], manifest[KEYS_MANIFEST_LEN];
	struct keys_statement st = statement_make();
	size_t len;

	assert_hex(b, identity_make(b), frozen_identity);
	ck_assert_int_eq(keys_statement_encode(&st, b, sizeof(b), &len), 0);
	assert_hex(b, len, frozen_statement);
	keys_statement_hash(&st, hash);
	assert_hex(hash, sizeof(hash), frozen_statement_hash);
	assert_hex(b, list_make(b, sizeof(b)), frozen_list);
	manifest_make(manifest);
	assert_hex(manifest, sizeof(manifest), frozen_manifest);
}
END_TEST

START_TEST(note_statement_and_minisign_are_as_frozen)
{
	struct keys_minisign_signer by = {.pid = 7, .enrolment = 2, .note_sk = in.secret.note_sk};
	uint8_t b[KEYS_NOTE_MAX], hash[KEYS_LEN], file[64];
	struct keys_note n = note_make(), got;
	struct keys_minisign m;
	char text[1024];
	size_t len;

	ck_assert_int_eq(keys_note_encode(&n, b, sizeof(b), &len), 0);
	assert_hex(b, len, frozen_note);
	keys_note_hash(&n, hash);
	assert_hex(hash, sizeof(hash), frozen_note_hash);
	ck_assert_int_eq(keys_note_decode(b, from_hex(frozen_note, b, sizeof(b)), &got), 0);
	ck_assert_int_eq(keys_note_verify(&got, in.id.note_pk), 0);
	memcpy(by.vault, in.vault, sizeof(by.vault));
	fill(file, sizeof(file), 23);
	ck_assert_int_eq(keys_minisign_sign(&by, file, "frozen", &m), 0);
	keys_minisign_encode(&m, b);
	assert_hex(b, KEYS_MINISIGN_LEN, frozen_minisign);
	ck_assert_int_eq(keys_minisign_text(&m, "note", "frozen", text, sizeof(text)), 0);
	ck_assert_str_eq(text, frozen_minisign_text);
}
END_TEST

START_TEST(derived_keys_are_as_frozen)
{
	struct keys_ratchet r = ratchet_make();
	struct keys_journal j;
	uint8_t out[64], pk[KEYS_LEN], sk[KEYS_LEN];
	char text[KEYS_RECOVERY_TEXT_MAX];

	keys_journal_derive(&in.place, in.key, in.shred, &j);
	assert_hex(j.record, KEYS_LEN, frozen_record_key);
	assert_hex(j.chunk, KEYS_LEN, frozen_chunk_key);
	assert_hex(j.name, KEYS_LEN, frozen_name_key);
	keys_stretch_envelope(in.stretched, in.host, SPAN(in.prev), out);
	assert_hex(out, KEYS_LEN, frozen_envelope_key);
	keys_recovery_box(in.vault, in.recovery, pk, sk);
	assert_hex(pk, KEYS_LEN, frozen_recovery_pk);
	keys_recovery_print(in.recovery, text);
	ck_assert_str_eq(text, frozen_recovery_text);
	keys_daemon_certify(in.vault, in.id.note_pk, in.root_sk, out);
	assert_hex(out, KEYS_SIG_LEN, frozen_daemon_cert);
	keys_daemon_answer(in.vault, in.secret.note_sk, in.key, out);
	assert_hex(out, KEYS_SIG_LEN, frozen_daemon_answer);
	keys_ratchet_seal(&r, (struct keys_span){"", 0}, 0, out);
	assert_hex(r.key, KEYS_LEN, frozen_ratchet_next);
}
END_TEST

START_TEST(envelope_and_session_cert_open_as_frozen)
{
	uint8_t b[KEYS_ENVELOPE_LEN], key[KEYS_LEN];
	struct keys_identity_secret secret;
	struct keys_session_cert cert;
	struct keys_envelope env;

	from_hex(frozen_envelope, b, sizeof(b));
	ck_assert_int_eq(keys_envelope_decode(b, sizeof(b), &env), 0);
	keys_stretch_envelope(in.stretched, in.host, SPAN(in.prev), key);
	ck_assert_int_eq(keys_envelope_unseal(&env, &in.id, key, &secret), 0);
	ck_assert_mem_eq(&secret, &in.secret, sizeof(secret));
	ck_assert_int_eq(
		keys_session_cert_decode(b, from_hex(frozen_session_cert, b, sizeof(b)), &cert), 0);
	ck_assert_int_eq(keys_session_cert_verify(&cert, &in.id), 0);
	ck_assert_uint_eq(cert.until_s, 1800043200);
}
END_TEST

START_TEST(wraps_open_as_frozen)
{
	uint8_t b[KEYS_BG_WRAP_LEN], key[KEYS_LEN], root_sk[KEYS_SIGN_SK_LEN], host[KEYS_LEN];
	size_t len;

	len = from_hex(frozen_wrap, b, sizeof(b));
	ck_assert_int_eq(keys_wrap_open(&in.place, b, len, in.secret.box_sk, key), 0);
	ck_assert_mem_eq(key, in.key, sizeof(key));
	len = from_hex(frozen_bg_wrap, b, sizeof(b));
	ck_assert_int_eq(keys_bg_wrap_open(in.vault, 7, b, len, in.secret.box_sk, in.host, key), 0);
	ck_assert_mem_eq(key, in.prev, sizeof(key));
	len = from_hex(frozen_escrow, b, sizeof(b));
	ck_assert_int_eq(keys_escrow_open(in.vault, in.recovery, b, len, root_sk, host), 0);
	ck_assert_mem_eq(root_sk, in.root_sk, sizeof(root_sk));
	ck_assert_mem_eq(host, in.host, sizeof(host));
}
END_TEST

START_TEST(invite_opens_as_frozen)
{
	uint8_t b[KEYS_INVITE_MAX], sk[KEYS_SIGN_SK_LEN], index[KEYS_LEN];
	struct keys_invite inv;

	ck_assert_int_eq(keys_invite_decode(b, from_hex(frozen_invite, b, sizeof(b)), &inv), 0);
	ck_assert_str_eq(inv.role, "nurse");
	ck_assert_int_eq(keys_invite_open(&inv, in.vault, in.code, sk, index), 0);
	ck_assert_mem_eq(index, in.key, sizeof(index));
}
END_TEST

START_TEST(log_stream_opens_as_frozen)
{
	uint8_t b[KEYS_STREAM_WRAP_LEN], out[64];
	struct keys_ratchet r;
	size_t len;

	len = from_hex(frozen_stream_wrap, b, sizeof(b));
	ck_assert_int_eq(keys_ratchet_open(&r, in.vault, in.stream, b, len, in.secret.box_sk), 0);
	len = from_hex(frozen_log_record, b, sizeof(b));
	ck_assert_int_eq(keys_ratchet_unseal(&r, 1, (struct keys_span){b, len}, out, &len), 0);
	ck_assert_uint_eq(len, 13);
	ck_assert_mem_eq(out, "second record", 13);
}
END_TEST

/* The sizes that keys/FORMAT.md states. */
START_TEST(encoded_lengths_are_as_documented)
{
	ck_assert_uint_eq(KEYS_HEADER_LEN, 256);
	ck_assert_uint_eq(KEYS_ENVELOPE_LEN, 320);
	ck_assert_uint_eq(KEYS_SESSION_CERT_LEN, 192);
	ck_assert_uint_eq(KEYS_WRAP_LEN, 128);
	ck_assert_uint_eq(KEYS_BG_WRAP_LEN, 192);
	ck_assert_uint_eq(KEYS_MANIFEST_LEN, 256);
	ck_assert_uint_eq(KEYS_ESCROW_LEN, 160);
	ck_assert_uint_eq(KEYS_STREAM_WRAP_LEN, 136);
	ck_assert_uint_eq(KEYS_SEAL_OVERHEAD, 40);
	ck_assert_uint_eq(KEYS_MINISIGN_LEN, 240);
	ck_assert_uint_eq(strlen(frozen_note) / 2, 266 + 13 + 4 + 4 + 9);
	ck_assert_uint_eq(strlen(frozen_identity) / 2, 269 + 4 + 6);
	ck_assert_uint_eq(strlen(frozen_statement) / 2, 140 + 23);
	ck_assert_uint_eq(strlen(frozen_list) / 2, 3 + 2 * 37);
	ck_assert_uint_eq(strlen(frozen_invite) / 2, 131 + 2 + 2 + 5);
	ck_assert_uint_eq(strlen(frozen_log_record) / 2, keys_ratchet_sealed_len(13));
	ck_assert_uint_eq(strlen(frozen_recovery_text), 66);
}
END_TEST

static void start_frozen(void)
{
	start_keys();
	inputs_make();
}

int main(void)
{
	Suite *suite = suite_create("keys/frozen");
	TCase *tc = tcase_create("keys/frozen");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tc, start_frozen, NULL);
	tcase_add_test(tc, labels_hash_as_frozen);
	tcase_add_test(tc, header_and_root_hash_are_as_frozen);
	tcase_add_test(tc, identity_statement_list_and_manifest_are_as_frozen);
	tcase_add_test(tc, note_statement_and_minisign_are_as_frozen);
	tcase_add_test(tc, derived_keys_are_as_frozen);
	tcase_add_test(tc, envelope_and_session_cert_open_as_frozen);
	tcase_add_test(tc, wraps_open_as_frozen);
	tcase_add_test(tc, invite_opens_as_frozen);
	tcase_add_test(tc, log_stream_opens_as_frozen);
	tcase_add_test(tc, encoded_lengths_are_as_documented);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
