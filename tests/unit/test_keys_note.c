/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/test_keys_note.c - statements about final notes: bytes, signatures, chain. */
#include "test_keys_common.h"

#include <sodium.h>

#include "keys/bytes.h"
#include "keys/note.h"

static uint8_t pk[KEYS_LEN], sk[KEYS_SIGN_SK_LEN];

static struct keys_note make(uint32_t number, enum keys_note_kind kind)
{
	struct keys_note n = {.kind = (uint8_t)kind,
			      .journal = 42,
			      .ino = 4711,
			      .number = number,
			      .of = kind > KEYS_NOTE_FINAL ? number - 1 : 0,
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

	fill(n.vault, sizeof(n.vault), 1);
	fill(n.sha256, sizeof(n.sha256), 2);
	fill(n.root, sizeof(n.root), 3);
	if (number > 1)
		fill(n.before, sizeof(n.before), 4);
	return n;
}

static size_t encode(const struct keys_note *n, uint8_t *b)
{
	size_t len = 0;

	ck_assert_int_eq(keys_note_encode(n, b, KEYS_NOTE_MAX, &len), 0);
	return len;
}

static bool accepts(const uint8_t *p, size_t len, const void *arg)
{
	struct keys_note n;

	return keys_note_decode(p, len, &n) == 0 && keys_note_verify(&n, arg) == 0;
}

static bool decodes(const uint8_t *p, size_t len, const void *arg)
{
	struct keys_note n;

	(void)arg;
	return keys_note_decode(p, len, &n) == 0;
}

static void keys_make(void)
{
	uint8_t seed[32];

	fill(seed, sizeof(seed), 9);
	crypto_sign_seed_keypair(pk, sk, seed);
}

START_TEST(note_round_trip_keeps_fields)
{
	struct keys_note n = make(3, KEYS_NOTE_COUNTERSIGNED), got;
	uint8_t b[KEYS_NOTE_MAX];
	size_t len;

	keys_make();
	n.pid = 9;
	strcpy(n.who, "bo");
	strcpy(n.reason, "seen with the student");
	keys_note_sign(&n, sk);
	len = encode(&n, b);
	ck_assert_uint_eq(len, 266 + 13 + 4 + 2 + 9 + 21);
	memset(&got, 0xff, sizeof(got));
	ck_assert_int_eq(keys_note_decode(b, len, &got), 0);
	ck_assert_mem_eq(got.vault, n.vault, sizeof(n.vault));
	ck_assert_mem_eq(got.before, n.before, sizeof(n.before));
	ck_assert_mem_eq(got.sha256, n.sha256, sizeof(n.sha256));
	ck_assert_mem_eq(got.root, n.root, sizeof(n.root));
	ck_assert_mem_eq(got.sig, n.sig, sizeof(n.sig));
	ck_assert_uint_eq(got.kind, KEYS_NOTE_COUNTERSIGNED);
	ck_assert_uint_eq(got.journal, 42);
	ck_assert_uint_eq(got.ino, 4711);
	ck_assert_uint_eq(got.number, 3);
	ck_assert_uint_eq(got.of, 2);
	ck_assert_uint_eq(got.amends, 0);
	ck_assert_uint_eq(got.size, 10240);
	ck_assert_uint_eq(got.time_s, 1800000000);
	ck_assert_uint_eq(got.author, 7);
	ck_assert_uint_eq(got.pid, 9);
	ck_assert_uint_eq(got.enrolment, 2);
	ck_assert_uint_eq(got.policy_version, 17);
	ck_assert_uint_eq(got.log_seq, 100);
	ck_assert_uint_eq(got.commit, 50);
	ck_assert_str_eq(got.path, n.path);
	ck_assert_str_eq(got.author_name, "anna");
	ck_assert_str_eq(got.who, "bo");
	ck_assert_str_eq(got.role, "physician");
	ck_assert_str_eq(got.reason, n.reason);
	ck_assert_int_eq(keys_note_verify(&got, pk), 0);
}
END_TEST

START_TEST(note_rejects_every_flip_length_and_other_signer)
{
	struct keys_note n = make(2, KEYS_NOTE_FINAL);
	uint8_t b[KEYS_NOTE_MAX], other_pk[KEYS_LEN], other_sk[KEYS_SIGN_SK_LEN];
	size_t len;

	keys_make();
	crypto_sign_keypair(other_pk, other_sk);
	keys_note_sign(&n, sk);
	len = encode(&n, b);
	check_flips(accepts, b, len, pk);
	check_lengths(accepts, b, len, pk);
	ck_assert(!accepts(b, len, other_pk));
}
END_TEST

/* Nothing signs it: what holds it is the hash in the next one, and the chain's end. */
START_TEST(locked_note_has_no_signature_and_hash_covers_every_byte)
{
	struct keys_note n = make(1, KEYS_NOTE_LOCKED), got;
	uint8_t b[KEYS_NOTE_MAX], hash[KEYS_LEN], other[KEYS_LEN];
	size_t len;

	keys_make();
	memset(n.sig, 0xff, sizeof(n.sig));
	keys_note_sign(&n, sk);
	ck_assert(all_zero(n.sig, sizeof(n.sig)));
	ck_assert_int_eq(keys_note_verify(&n, pk), -EBADMSG);
	len = encode(&n, b);
	check_lengths(decodes, b, len, NULL);
	keys_note_hash(&n, hash);
	for (size_t bit = 0; bit < len * 8; bit++) {
		b[bit / 8] ^= (uint8_t)(1u << bit % 8);
		if (keys_note_decode(b, len, &got) == 0) {
			keys_note_hash(&got, other);
			ck_assert_mem_ne(hash, other, sizeof(hash));
		}
		b[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
}
END_TEST

START_TEST(note_chain_breaks_at_any_change)
{
	struct keys_note one = make(1, KEYS_NOTE_FINAL), two = make(2, KEYS_NOTE_FINAL);
	uint8_t hash[KEYS_LEN];

	keys_make();
	keys_note_sign(&one, sk);
	keys_note_hash(&one, two.before);
	keys_note_sign(&two, sk);
	ck_assert_int_eq(keys_note_verify(&two, pk), 0);
	one.size++;
	keys_note_hash(&one, hash);
	ck_assert_mem_ne(hash, two.before, sizeof(hash));
	one.size--;
	one.sig[0] ^= 1;
	keys_note_hash(&one, hash);
	ck_assert_mem_ne(hash, two.before, sizeof(hash));
	one.sig[0] ^= 1;
	keys_note_hash(&one, hash);
	ck_assert_mem_eq(hash, two.before, sizeof(hash));
}
END_TEST

/* One thing wrong with an otherwise sound statement, by number; false: there are no more. */
static bool unsound(struct keys_note *n, unsigned what)
{
	*n = make(5, KEYS_NOTE_FINAL);
	switch (what) {
	case 0:
		n->kind = 0;
		break;
	case 1:
		n->kind = KEYS_NOTE_ERROR + 1;
		break;
	case 2:
		n->number = 0;
		break;
	case 3:
		n->journal = 0;
		break;
	case 4:
		n->ino = 0;
		break;
	case 5:
		n->author = 0;
		break;
	case 6:
		n->author_name[0] = '\0';
		break;
	case 7:
		n->path[0] = '\0';
		break;
	case 8:
		strcpy(n->path, "/visit.md");
		break;
	case 9:
		n->pid = n->enrolment = 0;
		break; /* only a lock is the vault's */
	case 10:
		n->enrolment = 0;
		break;
	case 11:
		n->who[0] = '\0';
		break;
	case 12:
		n->of = 1;
		break; /* speaks of itself */
	case 13:
		n->amends = 5;
		break;
	case 14:
		n->kind = KEYS_NOTE_SIGNED;
		break; /* of nothing */
	case 15:
		n->kind = KEYS_NOTE_SIGNED;
		n->of = 5;
		break;
	case 16:
		n->kind = KEYS_NOTE_ERROR;
		n->of = 4;
		n->amends = 1;
		break;
	case 17:
		*n = make(1, KEYS_NOTE_FINAL);
		n->before[31] = 1;
		break;
	case 18:
		n->kind = KEYS_NOTE_LOCKED;
		n->sig[63] = 1;
		break;
	case 19:
		n->kind = KEYS_NOTE_LOCKED;
		n->pid = n->enrolment = 0;
		break; /* but has a name */
	default:
		return false;
	}
	return true;
}

/* The same bytes written out without encode's checks: number, kind and so on at their offsets. */
static void put(uint8_t *b, size_t off, uint32_t v)
{
	for (int i = 0; i < 4; i++)
		b[off + i] = (uint8_t)(v >> (8 * i));
}

START_TEST(note_encode_and_decode_refuse_what_contradicts_itself)
{
	struct keys_note n, got;
	uint8_t b[KEYS_NOTE_MAX];
	size_t len = 99;
	unsigned what;

	for (what = 0; unsound(&n, what); what++)
		ck_assert_msg(keys_note_encode(&n, b, sizeof(b), &len) == -EINVAL, "case %u", what);
	ck_assert_uint_eq(what, 20);
	ck_assert_uint_eq(len, 99);

	n = make(5, KEYS_NOTE_FINAL);
	for (what = 0; what < 6; what++) {
		static const struct {
			size_t off;
			uint32_t v;
		} at[] = {{4, 0}, {32, 0}, {36, 1}, {120, 5}, {124, 0}, {128, 0}};

		len = encode(&n, b);
		ck_assert_int_eq(keys_note_decode(b, len, &got), 0);
		put(b, at[what].off, at[what].v);
		ck_assert_msg(keys_note_decode(b, len, &got) == -EBADMSG, "offset %zu",
			      at[what].off);
	}
}
END_TEST

START_TEST(note_encode_says_when_room_is_short)
{
	struct keys_note n = make(1, KEYS_NOTE_FINAL);
	uint8_t b[KEYS_NOTE_MAX];
	size_t whole = encode(&n, b), len = 99;

	for (size_t cap = 0; cap < whole; cap++)
		ck_assert_int_eq(keys_note_encode(&n, b, cap, &len), -ENOSPC);
	ck_assert_uint_eq(len, 99);
}
END_TEST

START_TEST(longest_note_fits)
{
	struct keys_note n = make(2, KEYS_NOTE_ERROR), got;
	uint8_t b[KEYS_NOTE_MAX];
	size_t len;

	keys_make();
	memset(n.path, 'p', KEYS_NOTE_PATH_MAX);
	memset(n.author_name, 'a', KEYS_NAME_MAX);
	memset(n.who, 'w', KEYS_NAME_MAX);
	memset(n.role, 'r', KEYS_NAME_MAX);
	memset(n.reason, 'x', KEYS_NOTE_REASON_MAX);
	keys_note_sign(&n, sk);
	len = encode(&n, b);
	ck_assert_uint_eq(len, 266 + 2000 + 3 * 64 + 255);
	ck_assert_int_eq(keys_note_decode(b, len, &got), 0);
	ck_assert_int_eq(keys_note_verify(&got, pk), 0);
}
END_TEST

/*
 * Who can make the note key sign a file's bytes under another label, or bare, has no statement; a
 * file that holds exactly what is hashed for a statement gives none when it is signed as a file.
 */
START_TEST(note_signature_is_none_of_another_use)
{
	struct keys_note n = make(1, KEYS_NOTE_FINAL);
	uint8_t b[KEYS_NOTE_MAX], input[KEYS_NOTE_MAX + 64], hash[64];
	const char *label = keys_label_text(KEYS_LABEL_NOTE);
	struct bytes_out o = bytes_out(input, sizeof(input));
	size_t len;

	keys_make();
	len = encode(&n, b) - KEYS_SIG_LEN;
	keys_label_sign(KEYS_LABEL_STATEMENT, sk, &(struct keys_span){b, len}, 1, n.sig);
	ck_assert_int_eq(keys_note_verify(&n, pk), -EBADMSG);
	crypto_sign_detached(n.sig, NULL, b, len, sk);
	ck_assert_int_eq(keys_note_verify(&n, pk), -EBADMSG);
	bytes_put_u64(&o, strlen(label));
	bytes_put(&o, label, strlen(label));
	bytes_put_u64(&o, len);
	bytes_put(&o, b, len);
	ck_assert(!o.bad);
	crypto_generichash(hash, sizeof(hash), input, o.len, NULL, 0);
	/* That is the danger: a bare prehashed signature by the note key would be a statement. */
	crypto_sign_detached(n.sig, NULL, hash, sizeof(hash), sk);
	ck_assert_int_eq(keys_note_verify(&n, pk), 0);
	/* Therefore minisign's signatures come from another key: test_keys_minisign.c. */
}
END_TEST

int main(void)
{
	const TTest *tests[] = {
		note_round_trip_keeps_fields,
		note_rejects_every_flip_length_and_other_signer,
		locked_note_has_no_signature_and_hash_covers_every_byte,
		note_chain_breaks_at_any_change,
		note_encode_and_decode_refuse_what_contradicts_itself,
		note_encode_says_when_room_is_short,
		longest_note_fits,
		note_signature_is_none_of_another_use,
	};

	return run_tests("keys/note", tests, COUNT(tests));
}
