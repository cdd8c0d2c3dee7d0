/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/test_keys_minisign.c - detached signatures: certificate, both signatures, the texts,
 * and the program minisign itself.
 */
#include "test_keys_common.h"

#include <sodium.h>
#include <sys/wait.h>
#include <unistd.h>

#include "keys/bytes.h"
#include "keys/minisign.h"
#include "keys/note.h"

#define COMMENT "journalfs note 4711, 10240 bytes, statement 3 of journal 42, signed by anna"

static uint8_t note_pk[KEYS_LEN], note_sk[KEYS_SIGN_SK_LEN], vault[KEYS_VAULT_ID_LEN];

static struct keys_minisign_signer signer(void)
{
	struct keys_minisign_signer by = {.pid = 7, .enrolment = 2, .note_sk = note_sk};
	uint8_t seed[32];

	fill(seed, sizeof(seed), 15);
	crypto_sign_seed_keypair(note_pk, note_sk, seed);
	fill(vault, sizeof(vault), 1);
	memcpy(by.vault, vault, sizeof(vault));
	return by;
}

static void hash_of(const void *p, size_t len, uint8_t hash[static 64])
{
	crypto_generichash(hash, 64, p, len, NULL, 0);
}

static struct keys_minisign made(const char *text)
{
	struct keys_minisign_signer by = signer();
	struct keys_minisign m;
	uint8_t hash[64];

	hash_of(text, strlen(text), hash);
	ck_assert_int_eq(keys_minisign_sign(&by, hash, COMMENT, &m), 0);
	return m;
}

static int verify(const struct keys_minisign *m, const char *text, const char *comment)
{
	uint8_t hash[64];

	hash_of(text, strlen(text), hash);
	return keys_minisign_verify(m, vault, 7, 2, note_pk, hash, comment);
}

static bool accepts(const uint8_t *p, size_t len, const void *arg)
{
	struct keys_minisign m;

	return keys_minisign_decode(p, len, &m) == 0 && verify(&m, arg, COMMENT) == 0;
}

START_TEST(minisign_rejects_every_flip_and_length)
{
	struct keys_minisign m = made("a note");
	uint8_t b[KEYS_MINISIGN_LEN];

	keys_minisign_encode(&m, b);
	check_flips(accepts, b, sizeof(b), "a note");
	check_lengths(accepts, b, sizeof(b), "a note");
}
END_TEST

START_TEST(minisign_is_of_one_file_comment_vault_and_person)
{
	struct keys_minisign m = made("a note");
	uint8_t hash[64], other[KEYS_VAULT_ID_LEN];

	hash_of("a note", 6, hash);
	fill(other, sizeof(other), 2);
	ck_assert_int_eq(verify(&m, "a note", COMMENT), 0);
	ck_assert_int_eq(verify(&m, "a nota", COMMENT), -EBADMSG);
	ck_assert_int_eq(verify(&m, "a note", COMMENT "."), -EBADMSG);
	ck_assert_int_eq(keys_minisign_verify(&m, other, 7, 2, note_pk, hash, COMMENT), -EBADMSG);
	ck_assert_int_eq(keys_minisign_verify(&m, vault, 8, 2, note_pk, hash, COMMENT), -EBADMSG);
	ck_assert_int_eq(keys_minisign_verify(&m, vault, 7, 1, note_pk, hash, COMMENT), -EBADMSG);
	ck_assert_int_eq(keys_minisign_verify(&m, vault, 7, 2, m.pk, hash, COMMENT), -EBADMSG);
}
END_TEST

START_TEST(minisign_key_is_the_same_each_time_and_another_for_each_enrolment)
{
	struct keys_minisign a = made("one"), b = made("two"), c;
	struct keys_minisign_signer by = signer();
	uint8_t hash[64] = {0};

	ck_assert_mem_eq(a.pk, b.pk, sizeof(a.pk));
	ck_assert_mem_eq(a.cert, b.cert, sizeof(a.cert));
	ck_assert_mem_ne(a.pk, note_pk, sizeof(a.pk));
	by.enrolment++;
	ck_assert_int_eq(keys_minisign_sign(&by, hash, COMMENT, &c), 0);
	ck_assert_mem_ne(a.pk, c.pk, sizeof(a.pk));
}
END_TEST

START_TEST(minisign_comment_is_one_line_and_not_empty)
{
	static char longest[KEYS_MINISIGN_COMMENT + 2];
	static const char *const bad[] = {"", "a\nb", "a\rb", "a\tb", "\x1b[2J", "\x7f"};
	struct keys_minisign_signer by = signer();
	struct keys_minisign m;
	uint8_t hash[64] = {1};
	char out[8192];

	for (size_t i = 0; i < COUNT(bad); i++) {
		ck_assert_int_eq(keys_minisign_sign(&by, hash, bad[i], &m), -EINVAL);
		m = made("x");
		ck_assert_int_eq(keys_minisign_text(&m, "u", bad[i], out, sizeof(out)), -EINVAL);
		ck_assert_int_eq(keys_minisign_text(&m, bad[i], "t", out, sizeof(out)), -EINVAL);
		ck_assert_int_eq(keys_minisign_pub_text(&m, bad[i], out, sizeof(out)), -EINVAL);
	}
	memset(longest, 'c', KEYS_MINISIGN_COMMENT + 1);
	ck_assert_int_eq(keys_minisign_sign(&by, hash, longest, &m), -EINVAL);
	longest[KEYS_MINISIGN_COMMENT] = '\0';
	ck_assert_int_eq(keys_minisign_sign(&by, hash, longest, &m), 0);
	ck_assert_int_eq(keys_minisign_verify(&m, vault, 7, 2, note_pk, hash, longest), 0);
	ck_assert_int_eq(keys_minisign_text(&m, "u", longest, out, sizeof(out)), 0);
}
END_TEST

/* A file that holds what is hashed for a statement: its signature is no statement's. */
START_TEST(minisign_of_a_statements_input_signs_no_statement)
{
	struct keys_note n = {.kind = KEYS_NOTE_FINAL,
			      .journal = 42,
			      .ino = 1,
			      .number = 1,
			      .author = 7,
			      .pid = 7,
			      .enrolment = 2,
			      .path = "forged.md",
			      .author_name = "anna",
			      .who = "anna"};
	const char *label = keys_label_text(KEYS_LABEL_NOTE);
	uint8_t b[KEYS_NOTE_MAX], input[KEYS_NOTE_MAX + 64], hash[64];
	struct bytes_out o = bytes_out(input, sizeof(input));
	struct keys_minisign_signer by = signer();
	struct keys_minisign m;
	size_t len;

	ck_assert_int_eq(keys_note_encode(&n, b, sizeof(b), &len), 0);
	len -= KEYS_SIG_LEN;
	bytes_put_u64(&o, strlen(label));
	bytes_put(&o, label, strlen(label));
	bytes_put_u64(&o, len);
	bytes_put(&o, b, len);
	ck_assert(!o.bad);
	hash_of(input, o.len, hash);
	ck_assert_int_eq(keys_minisign_sign(&by, hash, COMMENT, &m), 0);
	memcpy(n.sig, m.sig, sizeof(n.sig));
	ck_assert_int_eq(keys_note_verify(&n, note_pk), -EBADMSG);
	memcpy(n.sig, m.global, sizeof(n.sig));
	ck_assert_int_eq(keys_note_verify(&n, note_pk), -EBADMSG);
	memcpy(n.sig, m.cert, sizeof(n.sig));
	ck_assert_int_eq(keys_note_verify(&n, note_pk), -EBADMSG);
}
END_TEST

START_TEST(minisign_texts_say_when_room_is_short)
{
	struct keys_minisign m = made("a note");
	char out[1024];
	size_t need;

	ck_assert_int_eq(keys_minisign_text(&m, "u", "t", out, sizeof(out)), 0);
	need = strlen(out) + 1;
	ck_assert_int_eq(keys_minisign_text(&m, "u", "t", out, need), 0);
	ck_assert_int_eq(keys_minisign_text(&m, "u", "t", out, need - 1), -ENOSPC);
	ck_assert_int_eq(keys_minisign_pub_text(&m, "u", out, sizeof(out)), 0);
	need = strlen(out) + 1;
	ck_assert_int_eq(keys_minisign_pub_text(&m, "u", out, need - 1), -ENOSPC);
}
END_TEST

/* ---- the program ---- */

static void write_file(const char *dir, const char *name, const char *text)
{
	char path[256];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "w");
	ck_assert_ptr_nonnull(f);
	ck_assert_int_ge(fputs(text, f), 0);
	ck_assert_int_eq(fclose(f), 0);
}

/* Exit code of minisign, 127 when there is no such program. */
static int run_minisign(const char *dir)
{
	pid_t pid = fork();
	int status;

	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		if (chdir(dir) || !freopen("out", "w", stdout) || !freopen("err", "w", stderr))
			_exit(126);
		execlp("minisign", "minisign", "-V", "-m", "note.md", "-p", "key.pub", "-x",
		       "note.minisig", (char *)NULL);
		_exit(127);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void remove_dir(const char *dir)
{
	static const char *const names[] = {"note.md", "key.pub", "note.minisig", "out", "err"};
	char path[256];

	for (size_t i = 0; i < COUNT(names); i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
		unlink(path);
	}
	ck_assert_int_eq(rmdir(dir), 0);
}

START_TEST(minisign_program_verifies_what_is_written_and_nothing_else)
{
	char dir[] = "/tmp/jf-minisign-XXXXXX", sig[8192], pub[512];
	struct keys_minisign m = made("Visit: cough, better.\n");
	int rc;

	ck_assert_ptr_nonnull(mkdtemp(dir));
	ck_assert_int_eq(keys_minisign_text(&m, "signature of a note", COMMENT, sig, sizeof(sig)),
			 0);
	ck_assert_int_eq(
		keys_minisign_pub_text(&m, "minisign public key of anna", pub, sizeof(pub)), 0);
	write_file(dir, "note.md", "Visit: cough, better.\n");
	write_file(dir, "note.minisig", sig);
	write_file(dir, "key.pub", pub);
	rc = run_minisign(dir);
	if (rc == 127) {
		remove_dir(dir);
		fprintf(stderr, "minisign is not installed: not compared with the program\n");
		return;
	}
	ck_assert_int_eq(rc, 0);
	write_file(dir, "note.md", "Visit: cough, worse.\n");
	ck_assert_int_ne(run_minisign(dir), 0);
	write_file(dir, "note.md", "Visit: cough, better.\n");
	ck_assert_int_eq(
		keys_minisign_text(&m, "signature of a note", COMMENT "!", sig, sizeof(sig)), 0);
	write_file(dir, "note.minisig", sig);
	ck_assert_int_ne(run_minisign(dir), 0);
	remove_dir(dir);
}
END_TEST

int main(void)
{
	const TTest *tests[] = {
		minisign_rejects_every_flip_and_length,
		minisign_is_of_one_file_comment_vault_and_person,
		minisign_key_is_the_same_each_time_and_another_for_each_enrolment,
		minisign_comment_is_one_line_and_not_empty,
		minisign_of_a_statements_input_signs_no_statement,
		minisign_texts_say_when_room_is_short,
		minisign_program_verifies_what_is_written_and_nothing_else,
	};

	return run_tests("keys/minisign", tests, COUNT(tests));
}
