/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/test_keys_checkpoint.c - signed notes, checkpoints of the log, proofs as text.
 *
 * The note of "PeterNeumann" and its key are the example of Go's golang.org/x/mod/sumdb/note, the
 * note of "example.com/foo" that of the C2SP signed-note specification.
 */
#include "test_keys_common.h"

#include <sodium.h>

#include "keys/checkpoint.h"
#include "keys/merkle.h"

#define DASH "\xe2\x80\x94"
#define GO_VKEY "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
#define GO_SEED "810a1402d5146c8d84f2443330f54080ebf98ee17d9c74f6252fc5d5c7283173"
#define GO_TEXT                                                                                    \
	"If you think cryptography is the answer to your problem,\n"                               \
	"then you don't know what your problem is.\n"
#define GO_LINE                                                                                    \
	DASH " PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqf"  \
	     "qdngotpRZb6KE6RyyBwJnAM=\n"
#define SPEC_VKEY "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
#define SPEC_NOTE                                                                                  \
	"This is an example message.\n\n" DASH                                                     \
	" example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mF"  \
	"XmRKuwHjG1Yu72IneyaQM=\n"

struct known {
	char name[KEYS_CHECKPOINT_NAME];
	uint8_t pk[KEYS_LEN];
};

static struct known known(const char *vkey)
{
	struct known k;

	ck_assert_int_eq(keys_note_vkey_parse(vkey, k.name, k.pk), 0);
	return k;
}

static int check(const char *note, size_t len, const struct known *k)
{
	struct keys_signed_note n;
	int rc = keys_signed_note_parse(note, len, &n);

	return rc ? rc : keys_signed_note_verify(&n, k->name, k->pk);
}

START_TEST(note_examples_of_others_verify)
{
	const char *go = GO_TEXT "\n" GO_LINE;
	struct known peter = known(GO_VKEY), foo = known(SPEC_VKEY);
	struct keys_signed_note n;

	ck_assert_str_eq(peter.name, "PeterNeumann");
	ck_assert_uint_eq(keys_note_key_id(peter.name, peter.pk), 0xc74f20a3);
	ck_assert_int_eq(check(go, strlen(go), &peter), 0);
	ck_assert_int_eq(check(SPEC_NOTE, strlen(SPEC_NOTE), &foo), 0);
	ck_assert_int_eq(check(go, strlen(go), &foo), -ENOKEY);
	ck_assert_int_eq(keys_signed_note_parse(go, strlen(go), &n), 0);
	ck_assert_uint_eq(n.text_len, strlen(GO_TEXT));
	ck_assert_uint_eq(n.count, 1);
	ck_assert(n.signature[0].ed25519);
}
END_TEST

START_TEST(note_sign_makes_the_known_line)
{
	uint8_t seed[32], pk[KEYS_LEN], sk[KEYS_SIGN_SK_LEN];
	char line[256], vkey[128];

	from_hex(GO_SEED, seed, sizeof(seed));
	crypto_sign_seed_keypair(pk, sk, seed);
	ck_assert_uint_eq(keys_note_vkey("PeterNeumann", pk, vkey, sizeof(vkey)), strlen(GO_VKEY));
	ck_assert_str_eq(vkey, GO_VKEY);
	ck_assert_uint_eq(keys_signed_note_sign(GO_TEXT, strlen(GO_TEXT), "PeterNeumann", sk, line,
						sizeof(line)),
			  strlen(GO_LINE));
	ck_assert_str_eq(line, GO_LINE);
	ck_assert_uint_eq(keys_signed_note_sign(GO_TEXT, strlen(GO_TEXT), "PeterNeumann", sk, line,
						strlen(GO_LINE)),
			  0);
	ck_assert_uint_eq(keys_note_vkey("PeterNeumann", pk, vkey, strlen(GO_VKEY)), 0);
}
END_TEST

START_TEST(note_sign_rejects_what_no_note_can_hold)
{
	static const char *const texts[] = {"", "no end", "bell\a\n", "nul\xff\n", "\xc0\x80\n"};
	static const char *const names[] = {"",	    "a b",  "a+b",	     "a\nb",
					    "\xff", "a\tb", "a\xe2\x80\x83", "a\xc2\xa0"};
	uint8_t seed[32] = {1}, pk[KEYS_LEN], sk[KEYS_SIGN_SK_LEN];
	char out[256];

	crypto_sign_seed_keypair(pk, sk, seed);
	for (size_t i = 0; i < COUNT(texts); i++)
		ck_assert_uint_eq(keys_signed_note_sign(texts[i], strlen(texts[i]), "a", sk, out,
							sizeof(out)),
				  0);
	for (size_t i = 0; i < COUNT(names); i++) {
		ck_assert_uint_eq(keys_signed_note_sign("a\n", 2, names[i], sk, out, sizeof(out)),
				  0);
		ck_assert_uint_eq(keys_note_vkey(names[i], pk, out, sizeof(out)), 0);
	}
	ck_assert_uint_gt(
		keys_signed_note_sign("\xc3\xa5\n", 3, "\xc3\xa5/b", sk, out, sizeof(out)), 0);
}
END_TEST

static bool go_accepts(const uint8_t *p, size_t len, const void *arg)
{
	return check((const char *)p, len, arg) == 0;
}

/* Bits of the name or id make it another's line: not accepted either. */
START_TEST(note_rejects_every_flip_and_cut)
{
	const char *go = GO_TEXT "\n" GO_LINE;
	struct known peter = known(GO_VKEY);

	check_flips(go_accepts, (const uint8_t *)go, strlen(go), &peter);
	check_lengths(go_accepts, (const uint8_t *)go, strlen(go), &peter);
}
END_TEST

START_TEST(note_parse_rejects_malformed_notes)
{
	static const char *const bad[] = {
		"",
		"\n",
		"\n\n",
		"a\n",
		"a\n\n",
		"\n\n" GO_LINE,
		GO_TEXT,
		GO_TEXT GO_LINE,
		GO_TEXT "\n" GO_LINE "\n",
		GO_TEXT "\n" GO_LINE "x",
		GO_TEXT "\n" GO_LINE DASH,
		GO_TEXT "\n" GO_LINE DASH " \n",
		GO_TEXT "\n" GO_LINE DASH " a\n",
		GO_TEXT "\n" GO_LINE DASH " a \n",
		GO_TEXT "\n" GO_LINE DASH " a AAAA\n",	   /* no more than a part of a key id */
		GO_TEXT "\n" GO_LINE DASH " a AAAAAA==\n", /* a key id alone */
		GO_TEXT "\n" GO_LINE DASH " a AAAAAAAA=\n",
		GO_TEXT "\n" GO_LINE DASH " a AAAAAAB=\n",
		GO_TEXT "\n" GO_LINE DASH " a AAAA AAAA\n",
		GO_TEXT "\n" GO_LINE DASH " a+b AAAAAAAA\n",
		GO_TEXT "\n" GO_LINE DASH "  AAAAAAAA\n",
		GO_TEXT "\n" GO_LINE DASH " a\xe2\x80\x83 AAAAAAAA\n",
		GO_TEXT "\n" GO_LINE "- a AAAAAAAA\n",
		GO_TEXT "\n" GO_LINE "\xe2\x80\x93 a AAAAAAAA\n",
		"tab\t\n\n" GO_LINE,
		"\r\n\n" GO_LINE,
		"\x80\n\n" GO_LINE,
		"\xed\xa0\x80\n\n" GO_LINE,
		"\xf4\x90\x80\x80\n\n" GO_LINE,
		"\xe0\x80\x80\n\n" GO_LINE,
		"\xc3\n\n" GO_LINE,
	};
	struct keys_signed_note n;

	for (size_t i = 0; i < COUNT(bad); i++)
		ck_assert_msg(keys_signed_note_parse(bad[i], strlen(bad[i]), &n) == -EBADMSG,
			      "%zu was accepted", i);
	ck_assert_int_eq(keys_signed_note_parse("a\0b\n\n" GO_LINE, 5 + strlen(GO_LINE), &n),
			 -EBADMSG);
}
END_TEST

/* The text ends at the last empty line, so none of it is outside the signature. */
START_TEST(note_with_empty_lines_is_covered_whole)
{
	const char *more = "more\n\n" GO_TEXT "\n" GO_LINE;
	uint8_t seed[32] = {1}, pk[KEYS_LEN], sk[KEYS_SIGN_SK_LEN];
	struct known peter = known(GO_VKEY), me = {.name = "me"};
	char note[512] = "one\n\ntwo\n\n";

	ck_assert_int_eq(check(more, strlen(more), &peter), -EBADMSG);
	crypto_sign_seed_keypair(pk, sk, seed);
	memcpy(me.pk, pk, sizeof(pk));
	ck_assert_uint_gt(keys_signed_note_sign(note, 9, "me", sk, note + 10, sizeof(note) - 10),
			  0);
	ck_assert_int_eq(check(note, strlen(note), &me), 0);
}
END_TEST

/* Others' lines, of any kind, do no harm; a bad one by a known key spoils the note. */
START_TEST(note_with_lines_of_others)
{
	struct known peter = known(GO_VKEY);
	struct keys_signed_note n;
	char note[KEYS_SIGNED_NOTE_MAX + 64] = GO_TEXT "\n";
	size_t start = strlen(note), len;

	strcat(note, DASH " a AAAAAAAA\n");
	strcat(note, DASH " PeterNeumann AAAAAAAA\n"); /* another key id */
	strcat(note, DASH " a-name-much-longer-than-the-room-that-we-have-for-those-names-of-others"
			  " AAAAAAAA\n");
	strcat(note, GO_LINE);
	ck_assert_int_eq(check(note, strlen(note), &peter), 0);
	ck_assert_int_eq(keys_signed_note_parse(note, strlen(note), &n), 0);
	ck_assert_uint_eq(n.count, 3);
	ck_assert(!n.signature[0].ed25519 && n.signature[2].ed25519);
	strcat(note, GO_LINE);
	ck_assert_int_eq(check(note, strlen(note), &peter), 0);
	strcat(note, DASH " PeterNeumann x08gowAA\n"); /* his key id, no signature */
	ck_assert_int_eq(check(note, strlen(note), &peter), -EBADMSG);

	len = start;
	for (unsigned i = 0; i < 100; i++)
		len += (size_t)sprintf(note + len, DASH " n%u AAAAAAAA\n", i);
	ck_assert_int_eq(keys_signed_note_parse(note, len, &n), 0);
	ck_assert_uint_eq(n.count, KEYS_CHECKPOINT_SIGNERS);
	len += (size_t)sprintf(note + len, DASH " one AAAAAAAA\n");
	ck_assert_int_eq(keys_signed_note_parse(note, len, &n), -EBADMSG);
	memset(note, 'a', sizeof(note));
	strcpy(note + KEYS_SIGNED_NOTE_MAX + 1 - 2 - strlen(GO_LINE), "\n\n" GO_LINE);
	ck_assert_int_eq(keys_signed_note_parse(note + 1, KEYS_SIGNED_NOTE_MAX, &n), 0);
	ck_assert_int_eq(keys_signed_note_parse(note, KEYS_SIGNED_NOTE_MAX + 1, &n), -EBADMSG);
}
END_TEST

static bool vkey_accepts(const uint8_t *p, size_t len, const void *arg)
{
	char text[256], name[KEYS_CHECKPOINT_NAME];
	uint8_t pk[KEYS_LEN];

	(void)arg;
	if (len >= sizeof(text))
		return false;
	memcpy(text, p, len);
	text[len] = '\0';
	return strlen(text) == len && keys_note_vkey_parse(text, name, pk) == 0;
}

START_TEST(vkey_rejects_every_flip_and_cut)
{
	static const char *const bad[] = {
		"",
		"+",
		"++",
		"a+00000000+",
		"+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
		"PeterNeumann+C74F20A3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
		"PeterNeumann+c74f20a3+Ahpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
		"PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TWAAAA",
		"Peter Neumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
	};

	check_flips(vkey_accepts, (const uint8_t *)GO_VKEY, strlen(GO_VKEY), NULL);
	check_lengths(vkey_accepts, (const uint8_t *)GO_VKEY, strlen(GO_VKEY), NULL);
	for (size_t i = 0; i < COUNT(bad); i++)
		ck_assert(!vkey_accepts((const uint8_t *)bad[i], strlen(bad[i]), NULL));
}
END_TEST

/* ---- checkpoints ---- */

struct log_keys {
	uint8_t pk[KEYS_LEN], sk[KEYS_SIGN_SK_LEN];
	uint8_t witness_pk[KEYS_LEN], witness_sk[KEYS_SIGN_SK_LEN];
};

static struct log_keys log_keys(void)
{
	uint8_t seed[32], daemon_pk[KEYS_LEN], daemon_sk[KEYS_SIGN_SK_LEN];
	struct log_keys k;

	fill(seed, sizeof(seed), 1);
	crypto_sign_seed_keypair(k.pk, k.sk, seed);
	fill(seed, sizeof(seed), 2);
	crypto_sign_seed_keypair(daemon_pk, daemon_sk, seed);
	keys_checkpoint_witness(daemon_sk, k.witness_pk, k.witness_sk);
	return k;
}

static struct keys_checkpoint sample(void)
{
	struct keys_checkpoint c = {.size = 4711, .commit = 99, .time_s = 1800000000};

	fill(c.vault, sizeof(c.vault), 1);
	fill(c.root, sizeof(c.root), 3);
	fill(c.vault_root, sizeof(c.vault_root), 4);
	c.mark = KEYS_CHECKPOINT_READERS;
	return c;
}

/* Made once with Python's hashlib and an Ed25519 of its own, from the inputs of sample. */
static const char frozen[] =
	"journalfs/25303b46515c67727d88939ea9b4bfca\n"
	"4711\n"
	"b3qFkJumsbzH0t3o8/4JFB8qNUBLVmFsd4KNmKOuucQ=\n"
	"vault 99 lJ+qtcDL1uHs9wINGCMuOURPWmVwe4aRnKeyvcjT3uk=\n"
	"time 1800000000\n"
	"readers\n"
	"\n" DASH " journalfs/25303b46515c67727d88939ea9b4bfca "
	"2wOWxFYxEUqAzlE2eYvvgWuIpd7SZoPfT/KTvJLpndWJ5Ovag8xLR8fVyyFfH16BKe+M5MtVwl9+2rKaoRqH9fWt/"
	"gc=\n" DASH " journalfs/25303b46515c67727d88939ea9b4bfca/witness "
	"PeyNgMY/Cx6z7pLtGMB9RmTxmj4jJQKtKPhEB1LFQTXg7D/"
	"c3uCer1bSBweN3z5eRCQFIH3N50uaQiZ2BKN2owt8sQE=\n";

static struct keys_signed_note parsed(const char *text)
{
	struct keys_signed_note n;

	ck_assert_int_eq(keys_signed_note_parse(text, strlen(text), &n), 0);
	return n;
}

START_TEST(checkpoint_is_as_frozen)
{
	struct keys_checkpoint c = sample();
	struct log_keys k = log_keys();
	char text[KEYS_CHECKPOINT_MAX];
	size_t len = keys_checkpoint_make(&c, k.sk, k.witness_sk, text);

	ck_assert_str_eq(text, frozen);
	ck_assert_uint_eq(len, strlen(frozen));
}
END_TEST

START_TEST(checkpoint_round_trip_and_both_keys)
{
	struct keys_checkpoint c = sample(), got;
	struct log_keys k = log_keys();
	char text[KEYS_CHECKPOINT_MAX];
	struct keys_signed_note n;

	for (unsigned mark = KEYS_CHECKPOINT_RUNNING; mark <= KEYS_CHECKPOINT_STOP; mark++) {
		c.mark = (enum keys_checkpoint_mark)mark;
		c.size = mark == KEYS_CHECKPOINT_STOP ? INT64_MAX : mark - 1;
		c.commit = mark == KEYS_CHECKPOINT_STOP ? UINT64_MAX : 0;
		c.time_s = c.commit;
		ck_assert_uint_gt(keys_checkpoint_make(&c, k.sk, k.witness_sk, text), 0);
		n = parsed(text);
		memset(&got, 0, sizeof(got));
		ck_assert_int_eq(keys_checkpoint_read(&n, &got), 0);
		ck_assert_mem_eq(&got, &c, sizeof(c));
		ck_assert_int_eq(keys_checkpoint_verify(&n, c.vault, k.pk, false), 0);
		ck_assert_int_eq(keys_checkpoint_verify(&n, c.vault, k.witness_pk, true), 0);
		ck_assert_int_eq(keys_checkpoint_verify(&n, c.vault, k.witness_pk, false), -ENOKEY);
		ck_assert_int_eq(keys_checkpoint_verify(&n, c.vault, k.pk, true), -ENOKEY);
	}
	ck_assert_uint_gt(keys_checkpoint_make(&c, k.sk, NULL, text), 0);
	n = parsed(text);
	ck_assert_uint_eq(n.count, 1);
	ck_assert_int_eq(keys_checkpoint_verify(&n, c.vault, k.witness_pk, true), -ENOKEY);
	c.vault[0] ^= 1;
	ck_assert_int_eq(keys_checkpoint_verify(&n, c.vault, k.pk, false), -ENOKEY);
}
END_TEST

static bool checkpoint_accepts(const uint8_t *p, size_t len, const void *arg)
{
	const struct log_keys *k = arg;
	struct keys_checkpoint want = sample(), got;
	struct keys_signed_note n;

	return keys_signed_note_parse((const char *)p, len, &n) == 0 &&
	       keys_checkpoint_read(&n, &got) == 0 &&
	       keys_checkpoint_verify(&n, want.vault, k->pk, false) == 0 &&
	       keys_checkpoint_verify(&n, want.vault, k->witness_pk, true) == 0;
}

START_TEST(checkpoint_rejects_every_flip_and_cut)
{
	struct log_keys k = log_keys();

	check_flips(checkpoint_accepts, (const uint8_t *)frozen, strlen(frozen), &k);
	check_lengths(checkpoint_accepts, (const uint8_t *)frozen, strlen(frozen), &k);
}
END_TEST

#define ROOT "b3qFkJumsbzH0t3o8/4JFB8qNUBLVmFsd4KNmKOuucQ="
#define ORIGIN "journalfs/25303b46515c67727d88939ea9b4bfca\n"
#define END "vault 99 " ROOT "\ntime 5\nstop\n"

/* Signed well, but not as we write: two texts must never mean the same. */
START_TEST(checkpoint_read_rejects_other_spellings)
{
	static const char *const good = ORIGIN "7\n" ROOT "\n" END;
	static const char *const bad[] = {
		"journalfs/25303B46515c67727d88939ea9b4bfca\n7\n" ROOT "\n" END,
		"journalfs/25303b46515c67727d88939ea9b4bf\n7\n" ROOT "\n" END,
		ORIGIN "07\n" ROOT "\n" END,
		ORIGIN "\n" ROOT "\n" END,
		ORIGIN "-7\n" ROOT "\n" END,
		ORIGIN "9223372036854775808\n" ROOT "\n" END,
		ORIGIN "18446744073709551623\n" ROOT "\n" END,
		ORIGIN "7\nb3qFkJumsbzH0t3o8/4JFB8qNUBLVmFsd4KNmKOuucR=\n" END,
		ORIGIN "7\nb3qFkJumsbzH0t3o8/4JFB8qNUBLVmFsd4KNmKOuuc==\n" END,
		ORIGIN "7\n" ROOT "\n" END "more\n",
		ORIGIN "7\n" ROOT "\nvault 99  " ROOT "\ntime 5\nstop\n",
		ORIGIN "7\n" ROOT "\nvault 99 " ROOT "\ntime 05\nstop\n",
		ORIGIN "7\n" ROOT "\nvault 99 " ROOT "\ntime 18446744073709551616\nstop\n",
		ORIGIN "7\n" ROOT "\nvault 99 " ROOT "\ntime 5\nstopped\n",
		ORIGIN "7\n" ROOT "\nvault 99 " ROOT "\ntime 5\n\n",
		ORIGIN "7\n" ROOT "\nvault 99 " ROOT "\n",
		ORIGIN "7\n" ROOT "\n",
		"go.sum database tree\n7\n" ROOT "\n",
	};
	struct keys_checkpoint c = {.size = 77};
	struct keys_signed_note n = {.text = good, .text_len = strlen(good)};

	ck_assert_int_eq(keys_checkpoint_read(&n, &c), 0);
	for (size_t i = 0; i < COUNT(bad); i++) {
		n = (struct keys_signed_note){.text = bad[i], .text_len = strlen(bad[i])};
		c.size = 77;
		ck_assert_msg(keys_checkpoint_read(&n, &c) == -EBADMSG, "%zu was accepted", i);
		ck_assert_uint_eq(c.size, 77);
	}
}
END_TEST

START_TEST(checkpoint_make_rejects_what_is_none)
{
	struct log_keys k = log_keys();
	struct keys_checkpoint c = sample();
	char text[KEYS_CHECKPOINT_MAX];

	c.mark = (enum keys_checkpoint_mark)0;
	ck_assert_uint_eq(keys_checkpoint_make(&c, k.sk, NULL, text), 0);
	c.mark = (enum keys_checkpoint_mark)4;
	ck_assert_uint_eq(keys_checkpoint_make(&c, k.sk, NULL, text), 0);
	c = sample();
	c.size = (uint64_t)INT64_MAX + 1;
	ck_assert_uint_eq(keys_checkpoint_make(&c, k.sk, NULL, text), 0);
}
END_TEST

/* The stable key is not the daemon's own, and each daemon has another. */
START_TEST(checkpoint_witness_is_a_key_of_its_own)
{
	uint8_t seed[32] = {1}, daemon_pk[KEYS_LEN], daemon_sk[KEYS_SIGN_SK_LEN];
	uint8_t pk[KEYS_LEN], again[KEYS_LEN], sk[KEYS_SIGN_SK_LEN];

	crypto_sign_seed_keypair(daemon_pk, daemon_sk, seed);
	keys_checkpoint_witness(daemon_sk, pk, sk);
	ck_assert_mem_ne(pk, daemon_pk, sizeof(pk));
	keys_checkpoint_witness(daemon_sk, again, sk);
	ck_assert_mem_eq(pk, again, sizeof(pk));
	seed[0]++;
	crypto_sign_seed_keypair(daemon_pk, daemon_sk, seed);
	keys_checkpoint_witness(daemon_sk, again, sk);
	ck_assert_mem_ne(pk, again, sizeof(pk));
}
END_TEST

/* ---- proofs as text ---- */

START_TEST(proof_texts_round_trip)
{
	uint8_t hashes[KEYS_PROOF_HASHES + 1][KEYS_LEN];
	static const size_t counts[] = {0, 1, 3, KEYS_PROOF_HASHES};
	struct keys_proof p;
	char *text;

	fill(hashes, sizeof(hashes), 5);
	for (size_t i = 0; i < COUNT(counts); i++) {
		for (unsigned consistency = 0; consistency < 2; consistency++) {
			uint64_t number = i ? i * 1000 : UINT64_MAX;

			text = (consistency ? keys_proof_consistency_text
					    : keys_proof_inclusion_text)(number, hashes[0],
									 counts[i], frozen);
			ck_assert_ptr_nonnull(text);
			ck_assert_int_eq(keys_proof_parse(text, strlen(text), &p), 0);
			ck_assert_uint_eq(p.consistency, consistency);
			ck_assert_uint_eq(p.number, number);
			ck_assert_uint_eq(p.count, counts[i]);
			ck_assert_mem_eq(p.hash, hashes, counts[i] * KEYS_LEN);
			ck_assert_uint_eq(p.checkpoint_len, strlen(frozen));
			ck_assert_str_eq(p.checkpoint, frozen);
			free(text);
		}
	}
	ck_assert_ptr_null(keys_proof_inclusion_text(1, hashes[0], KEYS_PROOF_HASHES + 1, frozen));
}
END_TEST

START_TEST(proof_text_is_laid_out_as_c2sp_says)
{
	uint8_t hashes[2][KEYS_LEN] = {{1}, {2}};
	char *text = keys_proof_inclusion_text(6, hashes[0], 2, "checkpoint\n");

	ck_assert_str_eq(text, "c2sp.org/tlog-proof@v1\nindex 6\n"
			       "AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n"
			       "AgAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n\ncheckpoint\n");
	free(text);
	text = keys_proof_consistency_text(6, hashes[0], 1, "checkpoint\n");
	ck_assert_str_eq(text,
			 "old 6\nAQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n\ncheckpoint\n");
	free(text);
}
END_TEST

#define HASH "AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n"

START_TEST(proof_parse_rejects_malformed_texts)
{
	static const char *const bad[] = {
		"",
		"old",
		"old ",
		"old \n\nc\n",
		"old 6",
		"old 6\n",
		"old 6\n\n",
		"old 06\n\nc\n",
		"old +6\n\nc\n",
		"old 18446744073709551616\n\nc\n",
		"old 99999999999999999999999\n\nc\n",
		"old 6 \n\nc\n",
		"Old 6\n\nc\n",
		"index 6\n\nc\n",
		"c2sp.org/tlog-proof@v2\nindex 6\n\nc\n",
		"c2sp.org/tlog-proof@v1\nindex 6\n" HASH,
		"c2sp.org/tlog-proof@v1\nindex 6\n" HASH "\n",
		"c2sp.org/tlog-proof@v1\nindex 6\nAQ==\n\nc\n",
		"c2sp.org/tlog-proof@v1\nindex "
		"6\nAQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB=\n\nc\n",
		"c2sp.org/tlog-proof@v1\nindex "
		"6\nAQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n\nc\n",
		"c2sp.org/tlog-proof@v1\nindex 6\nAQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA= "
		"\n\nc\n",
		"c2sp.org/tlog-proof@v1\nindex 6\n" HASH "x" HASH "\nc\n",
		"old 6\nAQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\277\276\276\276AAAAAAA=\n\nc\n",
	};
	uint8_t hashes[KEYS_PROOF_HASHES][KEYS_LEN] = {{1}};
	struct keys_proof p;
	char *text, *longer;

	for (size_t i = 0; i < COUNT(bad); i++)
		ck_assert_msg(keys_proof_parse(bad[i], strlen(bad[i]), &p) == -EBADMSG,
			      "%zu was accepted", i);
	text = keys_proof_consistency_text(1, hashes[0], KEYS_PROOF_HASHES, "c\n");
	ck_assert_ptr_nonnull(text);
	ck_assert_int_gt(asprintf(&longer, "old 1\n" HASH "%s", text + strlen("old 1\n")), 0);
	ck_assert_int_eq(keys_proof_parse(text, strlen(text), &p), 0);
	ck_assert_int_eq(keys_proof_parse(longer, strlen(longer), &p), -EBADMSG);
	free(text);
	free(longer);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		note_examples_of_others_verify,
		note_sign_makes_the_known_line,
		note_sign_rejects_what_no_note_can_hold,
		note_rejects_every_flip_and_cut,
		note_parse_rejects_malformed_notes,
		note_with_empty_lines_is_covered_whole,
		note_with_lines_of_others,
		vkey_rejects_every_flip_and_cut,
		checkpoint_is_as_frozen,
		checkpoint_round_trip_and_both_keys,
		checkpoint_rejects_every_flip_and_cut,
		checkpoint_read_rejects_other_spellings,
		checkpoint_make_rejects_what_is_none,
		checkpoint_witness_is_a_key_of_its_own,
		proof_texts_round_trip,
		proof_text_is_laid_out_as_c2sp_says,
		proof_parse_rejects_malformed_texts,
	};

	return run_tests("keys/checkpoint", tests, COUNT(tests));
}
