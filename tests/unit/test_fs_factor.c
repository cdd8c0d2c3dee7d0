/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Second factors: enrolled, asked for, used once whatever happens, void with a new identity, theirs alone;
 * and passphrases that grow old or come again.
 *
 * Only codes of this half minute and the next are used, in that order, so that none is too old when a test is
 * slow; where more are wanted, recovery codes.
 */
#include "test_fs_vault.h"

static char enrolled_with[7]; /* the code that enroll used up */
static uint8_t secret[KEYS_TOTP_SECRET_LEN], codes[KEYS_FACTOR_CODES][KEYS_FACTOR_CODE_LEN];

static void code_at(const uint8_t *of, int later, char out[static 7])
{
	uint64_t step = (uint64_t)fs_vault_wall_s() / KEYS_TOTP_STEP_S;

	ck_assert_int_eq(keys_totp_code(of, step + (uint64_t)later, out), 0);
}

static const char *recovery(unsigned n)
{
	static char text[KEYS_FACTOR_CODE_TEXT];

	keys_base32_print(codes[n], sizeof(codes[n]), text);
	return text;
}

/* Six digits that none of the three valid steps has. */
static const char *wrong_code(void)
{
	static char text[7];
	char right[7];
	bool clash = true;

	for (unsigned n = 0; clash; n++) {
		snprintf(text, sizeof(text), "%06u", n);
		clash = false;
		for (int i = -2; i <= 2; i++) {
			code_at(secret, i, right);
			clash = clash || !strcmp(text, right);
		}
	}
	return text;
}

struct who {
	const char *name, *pass;
	uid_t uid;
	struct keys_span keyfile;
};
static const struct who anna = {"anna", "anna", ANNA, {NULL, 0}};
static const struct who bo = {"bo", "bo", BO, {NULL, 0}};

static struct fs_login login_as(const struct who *w, const char *code, uint8_t *stretched)
{
	t_stretch(w->pass, stretched);
	t.say.text[0] = '\0';
	return (struct fs_login){.uid = w->uid,
				 .who = w->name,
				 .origin = "tty1",
				 .stretched = stretched,
				 .keyfile = w->keyfile,
				 .code = code};
}

static int try(const struct who *w, const char *code, struct fs_session **s)
{
	uint8_t stretched[KEYS_LEN];
	struct fs_login in = login_as(w, code, stretched);

	return fs_vault_login(t.v, &in, s, &t.say);
}

static struct fs_session *in_with(const struct who *w, const char *code)
{
	struct fs_session *s = NULL;
	int rc = try(w, code, &s);

	ck_assert_msg(rc == 0, "log-in of %s: %d %s", w->name, rc, t.say.text);
	return s;
}

static void is_refused(const struct who *w, const char *code, int rc)
{
	struct fs_session *s = NULL;

	ck_assert_int_eq(try(w, code, &s), rc);
	ck_assert_ptr_null(s);
	/* One after the other, without the delay that the third brings. */
	fs_login_backoff_clear(t.v, w->uid, fs_people_find(t.v, w->name)->pid);
}

static int try_enroll(const struct who *w, const char *current, const uint8_t *sec,
		      const char *code)
{
	uint8_t stretched[KEYS_LEN];
	struct fs_login in = login_as(w, current, stretched);
	const struct fs_factor_new next = {sec, codes[0], code};

	return fs_vault_factor_enroll(t.v, &in, &next, &t.say);
}

static void enroll(const struct who *w)
{
	int rc;

	keys_random(secret, sizeof(secret));
	keys_random(codes, sizeof(codes));
	code_at(secret, 0, enrolled_with);
	rc = try_enroll(w, "", secret, enrolled_with);
	ck_assert_msg(rc == 0, "enrolling: %d %s", rc, t.say.text);
}

/* A clinic with anna and bo, and dan logged in. */
static struct fs_session *clinic(void)
{
	struct fs_session *dan = t_clinic();

	t_enroll(dan, "anna", ANNA);
	t_enroll(dan, "bo", BO);
	return dan;
}

static uint32_t pid_of(const char *name)
{
	return fs_people_find(t.v, name)->pid;
}

static struct fs_factor_status status_of(const struct who *w)
{
	struct fs_factor_status st;

	ck_assert_int_eq(fs_vault_factor_status(t.v, w->uid, "", &st), 0);
	return st;
}

/* ---- log-in ---- */

START_TEST(login_takes_passphrase_and_code)
{
	static const struct who guess = {"anna", "guess", ANNA, {NULL, 0}};
	struct fs_session *dan = clinic(), *s;
	enum fs_factor_kind kind;
	char code[7], said[sizeof(t.say.text)];

	ck_assert_int_eq(status_of(&anna).kind, FS_FACTOR_NONE);
	enroll(&anna);
	ck_assert_int_eq(fs_vault_factor_of(t.v, ANNA, "", &kind), 0);
	ck_assert_int_eq(kind, FS_FACTOR_TOTP);
	is_refused(&anna, NULL, -EKEYREJECTED);
	is_refused(&anna, "", -EKEYREJECTED);
	is_refused(&anna, wrong_code(), -EKEYREJECTED);
	strcpy(said, t.say.text);
	code_at(secret, 1, code);
	is_refused(&guess, code, -EKEYREJECTED);
	ck_assert_str_eq(said, t.say.text);
	ck_assert_uint_eq(t_logged(POLICY_RECORD_REFUSED, "wrong code"), 1);
	ck_assert_uint_eq(t_logged(POLICY_RECORD_REFUSED, "no code"), 2);
	ck_assert_uint_eq(t_logged(POLICY_RECORD_REFUSED, "wrong passphrase"), 1);
	s = in_with(&anna, code);
	ck_assert_int_eq(atomic_load(&s->factor), FS_FACTOR_TOTP);
	ck_assert_uint_gt(atomic_load(&s->factor_ns), 0);
	ck_assert_uint_eq(t_logged(POLICY_RECORD_LOGIN, "second factor: totp"), 1);
	t_logout(s);
	t_logout(dan);
}
END_TEST

START_TEST(code_given_though_none_is_enrolled_is_ignored)
{
	struct fs_session *dan = clinic(), *s = in_with(&anna, "123456");

	ck_assert_int_eq(atomic_load(&s->factor), FS_FACTOR_NONE);
	ck_assert_uint_eq(atomic_load(&s->factor_ns), 0);
	t_logout(s);
	t_logout(dan);
}
END_TEST

START_TEST(code_is_used_once_also_after_a_restart)
{
	struct fs_session *dan = clinic();
	char code[7];

	enroll(&anna);
	is_refused(&anna, enrolled_with, -EKEYREJECTED);
	code_at(secret, 1, code);
	t_logout(in_with(&anna, code));
	is_refused(&anna, code, -EKEYREJECTED);
	is_refused(&anna, enrolled_with, -EKEYREJECTED);
	t_logout(dan);
	t_close();
	t_open();
	is_refused(&anna, code, -EKEYREJECTED);
	is_refused(&anna, enrolled_with, -EKEYREJECTED);
	t_logout(in_with(&anna, recovery(0)));
}
END_TEST

/* What is durable before the answer survives a daemon that never closes. */
START_TEST(used_code_is_durable_before_the_answer)
{
	struct fs_session *dan = clinic(), *s;
	uint64_t before, after;
	uint8_t root[KEYS_LEN];
	char code[7];

	enroll(&anna);
	fs_records_head(t.v->records, &before, root);
	code_at(secret, 1, code);
	s = in_with(&anna, code);
	fs_records_head(t.v->records, &after, root);
	ck_assert_uint_gt(after, before);
	t_logout(s);
	t_logout(dan);
}
END_TEST

START_TEST(memory_alone_keeps_a_code_used)
{
	struct fs_key key;
	struct fs_buf *old;
	struct fs_session *dan = clinic();
	char code[7];

	enroll(&anna);
	key = fs_key_n(0, 0, FS_T_FACTOR_USED, pid_of("anna"), 4);
	old = t_peek(&key);
	code_at(secret, 1, code);
	t_logout(in_with(&anna, code));
	t_logout(in_with(&anna, recovery(2)));
	t_poke(&key, old->data, old->len);
	fs_buf_put(old);
	is_refused(&anna, code, -EKEYREJECTED);
	is_refused(&anna, recovery(2), -EKEYREJECTED);
	/* The store takes nothing any more: memory must do. */
	t.v->cfg.read_only = true;
	t_logout(in_with(&anna, recovery(3)));
	is_refused(&anna, recovery(3), -EKEYREJECTED);
	t.v->cfg.read_only = false;
	t_logout(dan);
}
END_TEST

START_TEST(recovery_code_is_used_once)
{
	struct fs_session *dan = clinic();
	char lower[KEYS_FACTOR_CODE_TEXT];

	enroll(&anna);
	ck_assert_uint_eq(status_of(&anna).codes_left, 10);
	strcpy(lower, recovery(7));
	for (char *c = lower; *c; c++)
		*c = (char)(*c >= 'A' && *c <= 'Z' ? *c + 32 : *c == '-' ? ' ' : *c);
	t_logout(in_with(&anna, lower));
	ck_assert_uint_eq(status_of(&anna).codes_left, 9);
	ck_assert_uint_eq(t_logged(POLICY_RECORD_LOGIN, "recovery code, 9 left"), 1);
	is_refused(&anna, recovery(7), -EKEYREJECTED);
	t_logout(dan);
	t_close();
	t_open();
	is_refused(&anna, recovery(7), -EKEYREJECTED);
	t_logout(in_with(&anna, recovery(8)));
	ck_assert_uint_eq(status_of(&anna).codes_left, 8);
}
END_TEST

START_TEST(wrong_codes_and_passphrases_count_together)
{
	static const struct who guess = {"anna", "guess", ANNA, {NULL, 0}};
	struct fs_session *dan = clinic(), *s = NULL;

	enroll(&anna);
	ck_assert_int_eq(try(&anna, wrong_code(), &s), -EKEYREJECTED);
	ck_assert_int_eq(try(&guess, recovery(0), &s), -EKEYREJECTED);
	ck_assert_int_eq(try(&anna, wrong_code(), &s), -EKEYREJECTED);
	ck_assert_int_eq(try(&anna, recovery(0), &s), -EAGAIN);
	ck_assert_ptr_nonnull(strstr(t.say.text, "too many wrong tries"));
	fs_login_backoff_clear(t.v, ANNA, pid_of("anna"));
	t_logout(in_with(&anna, recovery(0)));
	t_logout(dan);
}
END_TEST

/* ---- records that somebody changed ---- */

START_TEST(changed_records_let_nobody_in)
{
	struct fs_session *dan = clinic();
	struct fs_key factor, used, of_bo;
	struct fs_buf *buf;
	uint8_t bytes[KEYS_FACTOR_LEN];

	enroll(&anna);
	factor = fs_key_n(0, 0, FS_T_FACTOR, pid_of("anna"), 4);
	used = fs_key_n(0, 0, FS_T_FACTOR_USED, pid_of("anna"), 4);
	of_bo = fs_key_n(0, 0, FS_T_FACTOR, pid_of("bo"), 4);
	buf = t_peek(&factor);
	ck_assert_uint_eq(buf->len, sizeof(bytes));
	memcpy(bytes, buf->data, sizeof(bytes));
	fs_buf_put(buf);
	/* Another practitioner's factor in one's own place. */
	t_poke(&of_bo, bytes, sizeof(bytes));
	is_refused(&bo, recovery(0), -EBADMSG);
	t_poke(&of_bo, NULL, 0);
	bytes[100] ^= 1;
	t_poke(&factor, bytes, sizeof(bytes));
	is_refused(&anna, recovery(0), -EBADMSG);
	bytes[100] ^= 1;
	t_poke(&factor, bytes, sizeof(bytes));
	/* Without the record of what was used. */
	buf = t_peek(&used);
	t_poke(&used, NULL, 0);
	is_refused(&anna, recovery(0), -EBADMSG);
	ck_assert_uint_ge(t.alarms, 3);
	t_poke(&used, buf->data, buf->len);
	fs_buf_put(buf);
	t_logout(in_with(&anna, recovery(0)));
	t_logout(dan);
}
END_TEST

START_TEST(new_identity_makes_the_factor_void)
{
	struct fs_session *dan = clinic(), *s;
	char code[KEYS_CODE_TEXT_MAX];

	enroll(&anna);
	ck_assert_int_eq(fs_vault_invite(t.v, dan, "anna", true, 0, code, &t.say), 0);
	ck_assert_int_eq(t_try_enroll(code, "anna", ANNA, "anna"), 0);
	ck_assert_int_eq(status_of(&anna).kind, FS_FACTOR_NONE);
	s = in_with(&anna, NULL);
	ck_assert_int_eq(atomic_load(&s->factor), FS_FACTOR_NONE);
	t_logout(s);
	/* And another one may be enrolled without a code of it. */
	enroll(&anna);
	is_refused(&anna, NULL, -EKEYREJECTED);
	t_logout(dan);
}
END_TEST

/* ---- changing it ---- */

START_TEST(enrolling_needs_passphrase_and_the_new_code)
{
	static const struct who guess = {"anna", "guess", ANNA, {NULL, 0}};
	struct fs_session *dan = clinic();
	char code[7];

	keys_random(secret, sizeof(secret));
	code_at(secret, 0, code);
	ck_assert_int_eq(try_enroll(&guess, "", secret, code), -EKEYREJECTED);
	ck_assert_int_eq(try_enroll(&anna, "", secret, wrong_code()), -EINVAL);
	ck_assert_int_eq(status_of(&anna).kind, FS_FACTOR_NONE);
	ck_assert_int_eq(try_enroll(&anna, "", secret, code), 0);
	ck_assert_int_eq(status_of(&anna).kind, FS_FACTOR_TOTP);
	ck_assert_uint_eq(t_logged(POLICY_RECORD_KEYS, "second factor enrolled"), 1);
	t_logout(dan);
}
END_TEST

START_TEST(enrolling_again_takes_a_code_of_the_first)
{
	struct fs_session *dan = clinic();
	uint8_t other[KEYS_TOTP_SECRET_LEN];
	char code[7], first[7];

	enroll(&anna);
	keys_random(other, sizeof(other));
	code_at(other, 0, code);
	ck_assert_int_eq(try_enroll(&anna, "", other, code), -EKEYREJECTED);
	ck_assert_int_eq(try_enroll(&anna, wrong_code(), other, code), -EKEYREJECTED);
	fs_login_backoff_clear(t.v, ANNA, pid_of("anna"));
	code_at(secret, 1, first);
	/* A mistyped new code does not cost the old one. */
	ck_assert_int_eq(try_enroll(&anna, first, other, "12345"), -EINVAL);
	ck_assert_int_eq(try_enroll(&anna, first, other, code), 0);
	code_at(other, 1, code);
	t_logout(in_with(&anna, code));
	code_at(secret, 1, code);
	is_refused(&anna, code, -EKEYREJECTED);
	t_logout(dan);
}
END_TEST

START_TEST(new_recovery_codes_replace_all)
{
	uint8_t before[sizeof(codes)], stretched[KEYS_LEN];
	struct fs_session *dan = clinic();
	struct fs_login in;
	char code[7];

	enroll(&anna);
	memcpy(before, codes, sizeof(codes));
	in = login_as(&anna, wrong_code(), stretched);
	ck_assert_int_eq(fs_vault_factor_codes(t.v, &in, codes[0], &t.say), -EKEYREJECTED);
	code_at(secret, 1, code);
	in = login_as(&anna, code, stretched);
	keys_random(codes, sizeof(codes));
	ck_assert_int_eq(fs_vault_factor_codes(t.v, &in, codes[0], &t.say), 0);
	is_refused(&anna, code, -EKEYREJECTED);
	t_logout(in_with(&anna, recovery(1)));
	memcpy(codes, before, sizeof(codes));
	is_refused(&anna, recovery(1), -EKEYREJECTED);
	is_refused(&anna, recovery(2), -EKEYREJECTED);
	in = login_as(&bo, "", stretched);
	ck_assert_int_eq(fs_vault_factor_codes(t.v, &in, codes[0], &t.say), -ENOENT);
	t_logout(dan);
}
END_TEST

START_TEST(factor_of_another_account_is_out_of_reach)
{
	static const struct who mallory = {"anna", "anna", BO, {NULL, 0}};
	struct fs_session *dan = clinic();
	uint8_t stretched[KEYS_LEN];
	struct fs_factor_status st;
	struct fs_passphrase_salt salt[FS_PASSPHRASES_MAX];
	enum fs_factor_kind kind;
	struct fs_login in;
	size_t n;
	char code[7];

	enroll(&anna);
	code_at(secret, 1, code);
	ck_assert_int_eq(fs_vault_factor_of(t.v, BO, "anna", &kind), 0);
	ck_assert_int_eq(kind, FS_FACTOR_NONE);
	ck_assert_int_eq(fs_vault_factor_status(t.v, BO, "anna", &st), -EPERM);
	ck_assert_int_eq(fs_vault_factor_status(t.v, BO, "nobody", &st), -EPERM);
	ck_assert_int_eq(fs_vault_passphrases(t.v, BO, "anna", salt, &n), -EPERM);
	ck_assert_int_eq(fs_vault_passphrases(t.v, BO, "nobody", salt, &n), -EPERM);
	ck_assert_int_eq(try_enroll(&mallory, code, secret, code), -EPERM);
	in = login_as(&mallory, code, stretched);
	ck_assert_int_eq(fs_vault_factor_remove(t.v, &in, &t.say), -EPERM);
	ck_assert_int_eq(fs_vault_factor_codes(t.v, &in, codes[0], &t.say), -EPERM);
	t_logout(in_with(&anna, code));
	t_logout(dan);
}
END_TEST

START_TEST(removed_factor_is_asked_for_no_more)
{
	struct fs_session *dan = clinic(), *s;
	uint8_t stretched[KEYS_LEN];
	struct fs_login in;

	enroll(&anna);
	in = login_as(&anna, "", stretched);
	ck_assert_int_eq(fs_vault_factor_remove(t.v, &in, &t.say), -EKEYREJECTED);
	in = login_as(&anna, recovery(0), stretched);
	ck_assert_int_eq(fs_vault_factor_remove(t.v, &in, &t.say), 0);
	s = in_with(&anna, NULL);
	ck_assert_int_eq(status_of(&anna).kind, FS_FACTOR_NONE);
	ck_assert_uint_eq(t_logged(POLICY_RECORD_KEYS, "second factor removed"), 1);
	t_logout(s);
	t_logout(dan);
}
END_TEST

/* ---- policy ---- */

static void require(struct fs_session *dan, const char *settings)
{
	char policy[T_POLICY_MAX], line[128];

	snprintf(line, sizeof(line), "session ceiling 12h %s\n", settings);
	t_edit(policy, "session ceiling 12h\n", line);
	t_put(dan, "practice", policy);
}

START_TEST(policy_that_requires_one_refuses_who_has_none)
{
	struct fs_session *dan = clinic();
	uint8_t stretched[KEYS_LEN];
	struct fs_login in;

	require(dan, "second-factor required");
	is_refused(&anna, NULL, -EACCES);
	ck_assert_ptr_nonnull(strstr(t.say.text, "journalfs factor enroll"));
	ck_assert_uint_eq(t_logged(POLICY_RECORD_REFUSED, "requires a second factor"), 1);
	enroll(&anna);
	t_logout(in_with(&anna, recovery(0)));
	in = login_as(&anna, recovery(1), stretched);
	ck_assert_int_eq(fs_vault_factor_remove(t.v, &in, &t.say), -EACCES);
	ck_assert_uint_eq(t_logged(POLICY_RECORD_REFUSED, "removing the second factor"), 1);
	t_logout(in_with(&anna, recovery(2)));
	t_logout(dan);
}
END_TEST

/* An identity that was sealed with a key file. */
static void with_key_file(struct fs_session *dan, struct who *w)
{
	static const uint8_t file[KEYS_LEN] = "the hash of a file of her own";
	uint8_t raw[KEYS_CODE_LEN], stretched[KEYS_LEN];
	char code[KEYS_CODE_TEXT_MAX], name[KEYS_NAME_MAX + 1];
	struct fs_enroll in = {.uid = EVA,
			       .account = "eva",
			       .origin = "tty1",
			       .code = raw,
			       .salt = t_salt,
			       .cost = &t_cost,
			       .stretched = stretched,
			       .keyfile = {file, sizeof(file)}};

	ck_assert_int_eq(fs_vault_invite(t.v, dan, "eva", false, 0, code, &t.say), 0);
	ck_assert_int_eq(keys_code_parse(code, raw), 0);
	t_stretch("eva", stretched);
	ck_assert_int_eq(fs_vault_enroll(t.v, &in, name, &t.say), 0);
	*w = (struct who){"eva", "eva", EVA, {file, sizeof(file)}};
}

START_TEST(key_file_counts_as_second_factor)
{
	struct fs_session *dan = t_clinic(), *s;
	struct fs_proof proof = {.code = "123456"};
	uint8_t stretched[KEYS_LEN];
	struct who eva, without;

	with_key_file(dan, &eva);
	without = eva;
	without.keyfile = (struct keys_span){NULL, 0};
	require(dan, "second-factor required");
	is_refused(&without, NULL, -EKEYREJECTED);
	s = in_with(&eva, NULL);
	ck_assert_int_eq(atomic_load(&s->factor), FS_FACTOR_KEY_FILE);
	ck_assert_uint_gt(atomic_load(&s->factor_ns), 0);
	ck_assert_int_eq(status_of(&eva).kind, FS_FACTOR_KEY_FILE);
	ck_assert_uint_eq(t_logged(POLICY_RECORD_LOGIN, "second factor: key file"), 1);
	/* In the session: passphrase and key file once more. */
	pthread_mutex_lock(&t.v->edit);
	ck_assert_int_eq(fs_factor_prove(t.v, s, NULL, 3600, &t.say), 0);
	atomic_store(&s->factor_ns, 0);
	ck_assert_int_eq(fs_factor_prove(t.v, s, &proof, 3600, &t.say), -ENODATA);
	t_stretch("eva", stretched);
	proof.stretched = stretched;
	ck_assert_int_eq(fs_factor_prove(t.v, s, &proof, 3600, &t.say), -ENODATA);
	proof.keyfile = eva.keyfile;
	ck_assert_int_eq(fs_factor_prove(t.v, s, &proof, 3600, &t.say), 0);
	atomic_store(&s->factor_ns, 0);
	stretched[0] ^= 1;
	ck_assert_int_eq(fs_factor_prove(t.v, s, &proof, 3600, &t.say), -EKEYREJECTED);
	pthread_mutex_unlock(&t.v->edit);
	t_logout(s);
	t_logout(dan);
}
END_TEST

/* ---- in a session ---- */

static int prove(struct fs_session *s, const char *code, uint32_t fresh_s)
{
	const struct fs_proof p = {.code = code};
	int rc;

	pthread_mutex_lock(&t.v->edit);
	rc = fs_factor_prove(t.v, s, &p, fresh_s, &t.say);
	pthread_mutex_unlock(&t.v->edit);
	return rc;
}

START_TEST(proof_in_a_session_is_fresh_or_given)
{
	struct fs_session *dan = clinic(), *s;
	char code[7];

	enroll(&anna);
	s = in_with(&anna, recovery(0));
	ck_assert_int_eq(prove(s, "", 3600), 0);
	atomic_store(&s->factor_ns, 0);
	ck_assert_int_eq(prove(s, "", 3600), -ENODATA);
	ck_assert_int_eq(prove(s, NULL, 3600), -ENODATA);
	code_at(secret, 1, code);
	ck_assert_int_eq(prove(s, wrong_code(), 3600), -EKEYREJECTED);
	ck_assert_uint_eq(t_logged(POLICY_RECORD_REFUSED, "second factor: wrong code"), 1);
	ck_assert_int_eq(prove(s, code, 3600), 0);
	ck_assert_int_eq(prove(s, "", 3600), 0);
	atomic_store(&s->factor_ns, 0);
	ck_assert_int_eq(prove(s, code, 3600), -EKEYREJECTED);
	/* What was used here is used at log-in too. */
	is_refused(&anna, code, -EKEYREJECTED);
	ck_assert_int_eq(prove(s, recovery(1), 3600), 0);
	ck_assert_uint_eq(t_logged(POLICY_RECORD_KEYS, "a recovery code was used, 8 left"), 1);
	atomic_store(&s->factor_ns, 0);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(prove(s, recovery(1), 3600), -EKEYREJECTED);
	ck_assert_int_eq(prove(s, recovery(2), 3600), -EAGAIN);
	t_logout(s);
	t_logout(dan);
}
END_TEST

START_TEST(proof_without_a_factor_is_what_policy_wants)
{
	struct fs_session *dan = clinic(), *s = in_with(&anna, NULL);

	ck_assert_int_eq(prove(s, "", 60), 0);
	require(dan, "second-factor required");
	ck_assert_int_eq(prove(s, "123456", 60), -EACCES);
	enroll(&anna);
	ck_assert_int_eq(atomic_load(&s->factor), FS_FACTOR_TOTP);
	ck_assert_int_eq(prove(s, "", 60), -ENODATA);
	ck_assert_int_eq(prove(s, recovery(0), 60), 0);
	t_logout(s);
	t_logout(dan);
}
END_TEST

START_TEST(unlock_takes_no_code_and_is_no_proof)
{
	struct fs_session *dan = clinic(), *s;
	uint8_t stretched[KEYS_LEN];
	struct fs_login in;

	enroll(&anna);
	s = in_with(&anna, recovery(0));
	fs_vault_lock_begin(t.v, s);
	ck_assert_int_eq(fs_vault_lock_finish(t.v, s, "test"), 0);
	ck_assert_uint_eq(atomic_load(&s->factor_ns), 0);
	ck_assert_int_eq(prove(s, recovery(1), 60), -ENOKEY);
	in = login_as(&anna, NULL, stretched);
	ck_assert_int_eq(fs_vault_unlock(t.v, s, &in, &t.say), 0);
	ck_assert_int_eq(atomic_load(&s->factor), FS_FACTOR_TOTP);
	ck_assert_int_eq(prove(s, "", 3600), -ENODATA);
	ck_assert_int_eq(prove(s, recovery(1), 3600), 0);
	t_logout(s);
	t_logout(dan);
}
END_TEST

/* ---- emergency access ---- */

static int emergency(struct fs_session *s, const char *code)
{
	const struct fs_glass_open in = {.journal = "p",
					 .ground = FS_GLASS_DANGER,
					 .reason = "unconscious, brought in by ambulance",
					 .code = code};
	struct fs_grant g;

	t.say.text[0] = '\0';
	return fs_vault_glass_open(t.v, s, &in, &g, &t.say);
}

START_TEST(emergency_access_takes_a_fresh_code)
{
	static const struct who max = {"max", "max", MAX, {NULL, 0}};
	struct fs_session *dan = t_clinic(), *a, *s;
	struct fs_glass_preview seen;
	char policy[T_POLICY_MAX];

	t_edit(policy, "role physician clinical may list read write create",
	       "role physician clinical may list read write create break-glass");
	t_put(dan, "practice", policy);
	t_enroll(dan, "anna", ANNA);
	t_enroll(dan, "max", MAX);
	a = t_login("anna", ANNA);
	t_make(a, "p");
	enroll(&max);
	s = in_with(&max, recovery(0));
	t_ticks();
	ck_assert_int_eq(fs_vault_glass_ask(t.v, s, "p", &seen, &t.say), 0);
	ck_assert(!seen.needs_code);
	atomic_store(&s->factor_ns, 0);
	ck_assert_int_eq(fs_vault_glass_ask(t.v, s, "p", &seen, &t.say), 0);
	ck_assert(seen.needs_code && !seen.key_file);
	ck_assert_int_eq(emergency(s, ""), -ENODATA);
	ck_assert_int_eq(emergency(s, recovery(0)), -EKEYREJECTED);
	ck_assert_int_eq(emergency(s, wrong_code()), -EKEYREJECTED);
	ck_assert_uint_eq(t_logged(POLICY_RECORD_BREAK_GLASS, NULL), 0);
	ck_assert_int_eq(emergency(s, recovery(1)), 0);
	ck_assert_uint_eq(t_logged(POLICY_RECORD_BREAK_GLASS, "danger to life"), 1);
	t_logout(s);
	t_logout(a);
	t_logout(dan);
}
END_TEST

/* ---- passphrases ---- */

/* Its envelope says that the passphrase was set so many days ago. */
static void age(const struct who *w, unsigned days)
{
	struct keys_identity_secret *sk = keys_guard_new(sizeof(*sk));
	const struct fs_person *p = fs_people_find(t.v, w->name);
	struct fs_key at = fs_key_n(0, 0, FS_T_ENVELOPE, p->pid, 4);
	uint8_t stretched[KEYS_LEN], key[KEYS_LEN], bytes[KEYS_ENVELOPE_LEN];
	struct keys_envelope env;

	t_stretch(w->pass, stretched);
	ck_assert_int_eq(fs_login_unseal(t.v, p, stretched, w->keyfile, sk, &env), 0);
	keys_stretch_envelope(stretched, t.v->host_secret, w->keyfile, key);
	env.set_s -= (uint64_t)days * 86400;
	keys_envelope_seal(&env, &p->ids[p->enrolment - 1]->id, sk, key);
	keys_envelope_encode(&env, bytes);
	t_poke(&at, bytes, sizeof(bytes));
	keys_guard_free(sk);
}

/* A change as the client sends it; the fake stretch knows no salt, so all olds are alike. */
struct change {
	uint8_t salt[KEYS_SALT_LEN], stretched[KEYS_LEN], olds[FS_PASSPHRASES_MAX * KEYS_LEN];
	struct fs_passphrase next;
};

static const struct fs_passphrase *change_to(struct change *c, const struct who *w, const char *pass)
{
	struct fs_passphrase_salt salt[FS_PASSPHRASES_MAX];
	size_t n = 0;

	ck_assert_int_eq(fs_vault_passphrases(t.v, w->uid, "", salt, &n), 0);
	keys_random(c->salt, sizeof(c->salt));
	t_stretch(pass, c->stretched);
	for (size_t i = 0; i < n; i++)
		t_stretch(pass, c->olds + i * KEYS_LEN);
	c->next = (struct fs_passphrase){.salt = c->salt,
					 .stretched = c->stretched,
					 .cost = &t_cost,
					 .keyfile = w->keyfile,
					 .olds = c->olds,
					 .n_olds = n};
	return &c->next;
}

static int try_renew(const struct who *w, const char *code, const char *pass, struct fs_session **s)
{
	uint8_t stretched[KEYS_LEN];
	struct fs_login in = login_as(w, code, stretched);
	struct change c;

	in.renew = change_to(&c, w, pass);
	return fs_vault_login(t.v, &in, s, &t.say);
}

START_TEST(old_passphrase_is_replaced_at_login)
{
	static const struct who later = {"anna", "second", ANNA, {NULL, 0}};
	struct fs_session *dan = clinic(), *s = NULL;
	char code[7];

	enroll(&anna);
	require(dan, "passphrase-age 90d");
	age(&anna, 89);
	t_logout(in_with(&anna, recovery(0)));
	age(&anna, 1);
	code_at(secret, 1, code);
	/* Only who has both right learns that it is too old, and the code is not used up by it. */
	is_refused(&anna, wrong_code(), -EKEYREJECTED);
	is_refused(&anna, code, -EKEYEXPIRED);
	ck_assert_ptr_nonnull(strstr(t.say.text, "90 days"));
	ck_assert_int_eq(try_renew(&anna, code, "anna", &s), -EINVAL);
	ck_assert_int_eq(try_renew(&anna, wrong_code(), "second", &s), -EKEYREJECTED);
	ck_assert_int_eq(try_renew(&anna, code, "second", &s), 0);
	ck_assert_uint_eq(t_logged(POLICY_RECORD_KEYS, "passphrase changed at log-in"), 1);
	t_logout(s);
	is_refused(&later, code, -EKEYREJECTED);
	is_refused(&anna, recovery(1), -EKEYREJECTED);
	t_logout(dan);
	t_close();
	t_open();
	is_refused(&later, code, -EKEYREJECTED);
	t_logout(in_with(&later, recovery(1)));
}
END_TEST

START_TEST(passphrase_without_an_age_never_grows_old)
{
	struct fs_session *dan = clinic(), *s;
	uint64_t until = 1;

	age(&anna, 100);
	s = in_with(&anna, NULL);
	ck_assert_int_eq(fs_vault_passphrase_until(t.v, s, &until), 0);
	ck_assert_uint_eq(until, 0);
	require(dan, "passphrase-age 101d");
	t_logout(s);
	ck_assert_int_eq(fs_vault_passphrase_until(t.v, dan, &until), 0);
	ck_assert_uint_gt(until, (uint64_t)fs_vault_wall_s());
	require(dan, "passphrase-age 30d");
	is_refused(&anna, NULL, -EKEYEXPIRED);
	/* Where the store has failed nobody could choose another one. */
	t.v->cfg.read_only = true;
	t_logout(in_with(&anna, NULL));
	t.v->cfg.read_only = false;
	t_logout(dan);
}
END_TEST

static int passwd(struct fs_session *s, const char *old, const char *pass, int more)
{
	uint8_t stretched[KEYS_LEN];
	const struct who w = {"anna", old, ANNA, {NULL, 0}};
	struct fs_login in = login_as(&w, NULL, stretched);
	struct change c;

	change_to(&c, &w, pass);
	c.next.n_olds = (size_t)((int)c.next.n_olds + more);
	return fs_vault_passwd(t.v, s, &in, &c.next, &t.say);
}

START_TEST(last_passphrases_may_not_come_again)
{
	static const char *const chain[] = {"anna", "one", "two", "three", "four", "five", "six"};
	struct fs_session *dan = clinic(), *s = in_with(&anna, NULL);

	for (unsigned i = 1; i < 7; i++) {
		ck_assert_int_eq(passwd(s, chain[i - 1], chain[i - 1], 0), -EINVAL);
		ck_assert_int_eq(passwd(s, chain[i - 1], chain[i], 0), 0);
		/* Five before it, and it itself. */
		for (unsigned k = i > 5 ? i - 5 : 0; k <= i; k++)
			ck_assert_int_eq(passwd(s, chain[i], chain[k], 0), -EINVAL);
	}
	/* A client that leaves the comparison out gets nowhere. */
	ck_assert_int_eq(passwd(s, "six", "seven", -1), -EINVAL);
	ck_assert_int_eq(passwd(s, "six", "seven", -6), -EINVAL);
	ck_assert_int_eq(passwd(s, "wrong", "seven", 0), -EKEYREJECTED);
	ck_assert_int_eq(passwd(s, "six", "anna", 0), 0);
	t_logout(s);
	t_logout(dan);
	t_close();
	t_open();
	s = in_with(&anna, NULL);
	ck_assert_int_eq(passwd(s, "anna", "two", 0), -EINVAL);
	ck_assert_int_eq(passwd(s, "anna", "one", 0), 0);
	t_logout(s);
}
END_TEST

START_TEST(salt_in_force_is_not_taken_again)
{
	struct fs_session *dan = clinic(), *s = in_with(&anna, NULL);
	uint8_t stretched[KEYS_LEN];
	struct fs_login in = login_as(&anna, NULL, stretched);
	struct change c;

	change_to(&c, &anna, "second");
	memcpy(c.salt, t_salt, sizeof(c.salt));
	ck_assert_int_eq(fs_vault_passwd(t.v, s, &in, &c.next, &t.say), -EINVAL);
	t_logout(s);
	t_logout(dan);
}
END_TEST

START_TEST(damaged_record_of_earlier_passphrases_is_noticed)
{
	struct fs_session *dan = clinic(), *s = in_with(&anna, NULL);
	struct fs_key key = fs_key_n(0, 0, FS_T_PASSPHRASES, pid_of("anna"), 4);
	struct fs_passphrase_salt salt[FS_PASSPHRASES_MAX];
	struct fs_buf *buf;
	uint8_t bytes[64];
	size_t n;

	ck_assert_int_eq(passwd(s, "anna", "one", 0), 0);
	buf = t_peek(&key);
	ck_assert_uint_eq(buf->len, 60);
	memcpy(bytes, buf->data, 60);
	fs_buf_put(buf);
	for (unsigned len = 0; len < 60; len++) {
		t_poke(&key, bytes, len);
		ck_assert_int_eq(fs_vault_passphrases(t.v, ANNA, "", salt, &n), -EBADMSG);
	}
	bytes[1] = 6;
	t_poke(&key, bytes, 60);
	ck_assert_int_eq(fs_vault_passphrases(t.v, ANNA, "", salt, &n), -EBADMSG);
	bytes[1] = 1;
	t_poke(&key, bytes, 60);
	ck_assert_int_eq(fs_vault_passphrases(t.v, ANNA, "", salt, &n), 0);
	ck_assert_uint_eq(n, 2);
	t_logout(s);
	t_logout(dan);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("fs/factor");
	TCase *c = tcase_create("factor");

	tcase_add_checked_fixture(c, t_setup, t_teardown);
	tcase_set_timeout(c, 120);
	tcase_add_test(c, login_takes_passphrase_and_code);
	tcase_add_test(c, code_given_though_none_is_enrolled_is_ignored);
	tcase_add_test(c, code_is_used_once_also_after_a_restart);
	tcase_add_test(c, used_code_is_durable_before_the_answer);
	tcase_add_test(c, memory_alone_keeps_a_code_used);
	tcase_add_test(c, recovery_code_is_used_once);
	tcase_add_test(c, wrong_codes_and_passphrases_count_together);
	tcase_add_test(c, changed_records_let_nobody_in);
	tcase_add_test(c, new_identity_makes_the_factor_void);
	tcase_add_test(c, enrolling_needs_passphrase_and_the_new_code);
	tcase_add_test(c, enrolling_again_takes_a_code_of_the_first);
	tcase_add_test(c, new_recovery_codes_replace_all);
	tcase_add_test(c, factor_of_another_account_is_out_of_reach);
	tcase_add_test(c, removed_factor_is_asked_for_no_more);
	tcase_add_test(c, policy_that_requires_one_refuses_who_has_none);
	tcase_add_test(c, key_file_counts_as_second_factor);
	tcase_add_test(c, proof_in_a_session_is_fresh_or_given);
	tcase_add_test(c, proof_without_a_factor_is_what_policy_wants);
	tcase_add_test(c, unlock_takes_no_code_and_is_no_proof);
	tcase_add_test(c, emergency_access_takes_a_fresh_code);
	tcase_add_test(c, old_passphrase_is_replaced_at_login);
	tcase_add_test(c, passphrase_without_an_age_never_grows_old);
	tcase_add_test(c, last_passphrases_may_not_come_again);
	tcase_add_test(c, salt_in_force_is_not_taken_again);
	tcase_add_test(c, damaged_record_of_earlier_passphrases_is_noticed);
	suite_add_tcase(s, c);
	return t_run(s);
}
