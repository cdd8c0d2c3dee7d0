/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/factor.c - second factors: their records, checked, used up, proved in a session.
 *
 * Owns the records FACTOR (sealed under identity and host secret, keys/factor.h) and
 * FACTOR_USED (the last step and the recovery codes that were used), which stands apart
 * so that using a code needs no key. Implements fs/FORMAT.md, "FACTOR" and "FACTOR_USED".
 *
 * Invariants: (1) a code that was accepted is used up in memory at once and on disk
 * before anything is given for it; memory alone holds it where the store has failed or is
 * full; (2) a factor counts only for the identity that it was enrolled with; (3) both
 * records are written together, so one that lacks the other is damage, not absence.
 *
 * Locks: edit held by the callers of what login.h declares, and kept across the commit
 * here: a code must not be tried twice meanwhile.
 */
#include <ctype.h>

#include "vault_impl.h"

#define FORMAT 1
#define USED_LEN 40

static struct fs_key factor_key(uint32_t pid)
{
	return fs_key_n(0, 0, FS_T_FACTOR, pid, 4);
}

static struct fs_key used_key(uint32_t pid)
{
	return fs_key_n(0, 0, FS_T_FACTOR_USED, pid, 4);
}

/* ---- records ---- */

/* The factor of this identity; -ENOENT: none, or an earlier identity's. */
int fs_factor_read(struct fs_vault *v, uint32_t pid, uint32_t enrolment, struct keys_factor *f,
		   struct fs_buf **out)
{
	struct fs_key key = factor_key(pid);
	struct fs_buf *buf = NULL;
	int rc = fs_record_get(fs_records_vault(v->records), &key, &buf);

	if (rc)
		return rc;
	rc = keys_factor_decode(buf->data, buf->len, f);
	if (!rc && f->enrolment != enrolment)
		rc = -ENOENT;
	if (rc || !out)
		fs_buf_put(buf);
	else
		*out = buf;
	return rc;
}

void fs_factor_put_used(struct fs_vault *v, struct fs_batch *b, uint32_t pid,
			const struct fs_factor_state *st)
{
	struct fs_key key = used_key(pid);
	uint8_t bytes[USED_LEN];
	struct bytes_out out = bytes_out(bytes, sizeof(bytes));

	bytes_put_u8(&out, FORMAT);
	bytes_put_zero(&out, 7);
	bytes_put(&out, st->id, sizeof(st->id));
	bytes_put_u64(&out, st->step);
	bytes_put_u16(&out, st->codes);
	bytes_put_zero(&out, 6);
	fs_batch_put(b, fs_records_vault(v->records), &key, bytes, sizeof(bytes));
}

int fs_factor_read_used(struct fs_vault *v, const struct fs_person *p, const struct keys_factor *f,
			struct fs_factor_state *st)
{
	struct fs_key key = used_key(p->pid);
	struct fs_buf *buf = NULL;
	struct bytes_in in;
	uint8_t format;
	int rc = fs_record_get(fs_records_vault(v->records), &key, &buf);

	if (rc)
		return rc == -ENOENT ? -EBADMSG : rc;
	in = bytes_in(buf->data, buf->len);
	format = bytes_get_u8(&in);
	bytes_get_zero(&in, 7);
	bytes_get(&in, st->id, sizeof(st->id));
	st->step = bytes_get_u64(&in);
	st->codes = bytes_get_u16(&in);
	bytes_get_zero(&in, 6);
	if (!bytes_in_done(&in) || format != FORMAT || st->codes >> KEYS_FACTOR_CODES ||
	    !keys_equal(st->id, f->id, sizeof(f->id)))
		rc = -EBADMSG;
	fs_buf_put(buf);
	/* What could not be written is known here. */
	if (!rc && keys_equal(p->factor.id, f->id, sizeof(f->id))) {
		st->step = st->step > p->factor.step ? st->step : p->factor.step;
		st->codes |= p->factor.codes;
	}
	return rc;
}

static struct keys_factor_place place_of(const struct fs_vault *v, uint32_t pid)
{
	struct keys_factor_place place = {.pid = pid};

	memcpy(place.vault, v->header.vault, sizeof(place.vault));
	return place;
}

void fs_factor_put(struct fs_vault *v, struct fs_batch *b, uint32_t pid,
		   const struct keys_factor *f, const struct keys_factor_secret *fs,
		   const struct keys_identity_secret *secret)
{
	struct keys_factor_place place = place_of(v, pid);
	struct fs_key at = factor_key(pid);
	uint8_t bytes[KEYS_FACTOR_LEN], key[KEYS_LEN];

	keys_factor_key(&place, f->enrolment, secret, v->host_secret, key);
	keys_factor_seal(f, &place, fs, key, bytes);
	keys_wipe(key, sizeof(key));
	fs_batch_put(b, fs_records_vault(v->records), &at, bytes, sizeof(bytes));
}

/* fs is guarded memory. */
int fs_factor_open(struct fs_vault *v, const struct fs_person *p,
		   const struct keys_identity_secret *secret, struct keys_factor *f,
		   struct keys_factor_secret *fs)
{
	struct keys_factor_place place = place_of(v, p->pid);
	struct fs_buf *buf = NULL;
	uint8_t key[KEYS_LEN];
	int rc = fs_factor_read(v, p->pid, p->enrolment, f, &buf);

	if (rc)
		return rc;
	keys_factor_key(&place, f->enrolment, secret, v->host_secret, key);
	rc = keys_factor_unseal(buf->data, buf->len, &place, key, fs);
	keys_wipe(key, sizeof(key));
	fs_buf_put(buf);
	return rc;
}

void fs_factor_delete(struct fs_vault *v, struct fs_batch *b, uint32_t pid)
{
	struct fs_key factor = factor_key(pid), used = used_key(pid);

	fs_batch_del(b, fs_records_vault(v->records), &factor);
	fs_batch_del(b, fs_records_vault(v->records), &used);
}

/* ---- checking ---- */

/* Six digits as people type them, else "". */
static void digits_of(const char *code, char out[static KEYS_TOTP_DIGITS + 1])
{
	size_t n = 0;

	for (; *code; code++) {
		if (*code == ' ' || *code == '-')
			continue;
		if (!isdigit((unsigned char)*code) || n == KEYS_TOTP_DIGITS) {
			n = 0;
			break;
		}
		out[n++] = *code;
	}
	out[n == KEYS_TOTP_DIGITS ? n : 0] = '\0';
}

static int check_totp(const struct keys_factor_secret *fs, const char *code,
		      struct fs_factor_use *use)
{
	int rc = keys_totp_check(fs->totp, (uint64_t)fs_vault_wall_s(), use->after.step, code,
				 &use->after.step);

	if (rc)
		use->why = rc == -EALREADY ? "the code was used before" : "wrong code";
	return rc == -EALREADY ? -EKEYREJECTED : rc;
}

static int check_recovery(const struct keys_factor *f, const struct keys_factor_secret *fs,
			  const char *code, struct fs_factor_use *use)
{
	uint8_t raw[KEYS_FACTOR_CODE_LEN];
	unsigned which = 0;
	int rc = -EKEYREJECTED;

	if (!keys_base32_parse(code, sizeof(raw), raw))
		rc = keys_factor_code_find(f, fs, raw, &which);
	keys_wipe(raw, sizeof(raw));
	if (rc) {
		use->why = "wrong code";
		return rc;
	}
	if (use->after.codes >> which & 1u) {
		use->why = "the recovery code was used before";
		return -EKEYREJECTED;
	}
	use->after.codes |= (uint16_t)(1u << which);
	use->recovery = true;
	return 0;
}

/* With the secrets at hand; on success use says what is used up. */
static int check_code(struct fs_vault *v, const struct fs_person *p, const struct keys_factor *f,
		      const struct keys_factor_secret *fs, const char *code,
		      struct fs_factor_use *use)
{
	char digits[KEYS_TOTP_DIGITS + 1];
	int rc = fs_factor_read_used(v, p, f, &use->after);

	if (rc)
		return rc;
	if (!code || !code[0]) {
		use->why = "no code was given";
		return -EKEYREJECTED;
	}
	digits_of(code, digits);
	rc = digits[0] ? check_totp(fs, digits, use) : check_recovery(f, fs, code, use);
	keys_wipe(digits, sizeof(digits));
	return rc;
}

int fs_factor_check(struct fs_vault *v, struct fs_person *p, const struct keys_envelope *env,
		    const struct keys_identity_secret *secret, const char *code,
		    struct fs_factor_use *use)
{
	struct keys_factor_secret *fs = keys_guard_new(sizeof(*fs));
	struct keys_factor f;
	int rc = fs ? fs_factor_open(v, p, secret, &f, fs) : -ENOMEM;

	*use = (struct fs_factor_use){.kind = FS_FACTOR_TOTP};
	if (rc == -ENOENT) {
		use->kind = env->keyfile ? FS_FACTOR_KEY_FILE : FS_FACTOR_NONE;
		rc = 0;
	} else if (!rc) {
		rc = check_code(v, p, &f, fs, code, use);
		use->right = !rc;
	}
	keys_guard_free(fs);
	return rc;
}

/* ---- using up ---- */

void fs_factor_put_use(struct fs_vault *v, struct fs_batch *b, struct fs_person *p,
		       const struct fs_factor_use *use)
{
	if (!use->right)
		return;
	p->factor = use->after;
	fs_factor_put_used(v, b, p->pid, &use->after);
}

int fs_factor_durable(struct fs_vault *v, struct fs_batch *b)
{
	struct fs_group *g = fs_records_group(v->records);
	uint64_t number = 0;
	int rc;

	if (v->cfg.read_only || fs_group_failed(g))
		return 0;
	b->urgent = true; /* a full disk must not keep anybody from reading */
	rc = fs_group_apply(g, b, &number);
	if (!rc)
		rc = fs_group_sync(g, number);
	return rc == -ENOSPC || fs_group_failed(g) ? 0 : rc;
}

int fs_factor_use_up(struct fs_vault *v, struct fs_person *p, const struct fs_factor_use *use)
{
	struct fs_batch b;
	int rc;

	if (!use->right)
		return 0;
	fs_batch_init(&b, NULL);
	fs_factor_put_use(v, &b, p, use);
	rc = fs_factor_durable(v, &b);
	fs_batch_clear(&b);
	return rc;
}

unsigned fs_factor_left(const struct fs_factor_state *st)
{
	return KEYS_FACTOR_CODES - (unsigned)__builtin_popcount(st->codes);
}

void fs_factor_how(const struct fs_factor_use *use, char out[static 64])
{
	out[0] = '\0';
	if (use->kind == FS_FACTOR_KEY_FILE)
		snprintf(out, 64, "key file");
	else if (use->kind == FS_FACTOR_TOTP && use->recovery)
		snprintf(out, 64, "recovery code, %u left", fs_factor_left(&use->after));
	else if (use->kind == FS_FACTOR_TOTP)
		snprintf(out, 64, "totp");
}

/* ---- in a session ---- */

static int session_secret(struct fs_session *s, struct keys_identity_secret *out)
{
	int rc = -ENOKEY;

	pthread_rwlock_rdlock(&s->lock);
	if (s->secret) {
		*out = *s->secret;
		rc = 0;
	}
	pthread_rwlock_unlock(&s->lock);
	return rc;
}

/* Was it given at all? */
static int given(enum fs_factor_kind kind, const struct fs_proof *p, struct fs_say *say)
{
	if (kind == FS_FACTOR_TOTP && p && p->code && p->code[0])
		return 0;
	if (kind == FS_FACTOR_KEY_FILE && p && p->stretched && p->keyfile.len)
		return 0;
	fs_say(say,
	       kind == FS_FACTOR_TOTP
		       ? "this needs a code of your second factor"
		       : "this needs your passphrase and key file once more (--key-file FILE)");
	return -ENODATA;
}

/* The kind that person has, by the records alone. */
int fs_factor_kind_of(struct fs_vault *v, uint32_t pid, uint32_t enrolment,
		      enum fs_factor_kind *out)
{
	struct keys_envelope env;
	struct keys_factor f;
	int rc = fs_factor_read(v, pid, enrolment, &f, NULL);

	if (!rc)
		*out = FS_FACTOR_TOTP;
	if (rc != -ENOENT)
		return rc;
	rc = fs_login_envelope(v, pid, &env);
	if (!rc)
		*out = env.keyfile ? FS_FACTOR_KEY_FILE : FS_FACTOR_NONE;
	return rc;
}

/* With something given; *use as fs_factor_check leaves it. */
static int prove_now(struct fs_vault *v, struct fs_session *s, struct fs_person *person,
		     const struct fs_proof *p, enum fs_factor_kind kind, struct fs_factor_use *use)
{
	struct keys_identity_secret *secret = keys_guard_new(sizeof(*secret));
	struct keys_envelope env = {.keyfile = 0};
	int rc = secret ? 0 : -ENOMEM;

	use->why = "wrong passphrase or key file";
	if (!rc && kind == FS_FACTOR_KEY_FILE)
		rc = fs_login_unseal(v, person, p->stretched, p->keyfile, secret, &env);
	else if (!rc)
		rc = session_secret(s, secret);
	if (!rc)
		rc = fs_factor_check(v, person, &env, secret, p->code, use);
	keys_guard_free(secret);
	return rc;
}

static int prove_refused(struct fs_vault *v, struct fs_session *s, const char *why,
			 struct fs_say *say)
{
	int rc = fs_vault_tell(v, s, POLICY_RECORD_REFUSED, 0, NULL, "second factor: %s", why);

	fs_login_backoff_failed(v, s->uid, s->pid);
	fs_say(say,
	       "the second factor was not accepted: a wrong code, or one that was used before");
	return rc ? rc : -EKEYREJECTED;
}

static int prove_given(struct fs_vault *v, struct fs_session *s, struct fs_person *person,
		       const struct fs_proof *p, enum fs_factor_kind kind, struct fs_say *say)
{
	struct fs_factor_use use = {.why = ""};
	int rc = fs_login_backoff_check(v, s->uid, s->pid, say);

	if (rc)
		return rc;
	rc = prove_now(v, s, person, p, kind, &use);
	if (rc == -EKEYREJECTED)
		return prove_refused(v, s, use.why, say);
	if (rc == -EBADMSG)
		fs_vault_alarm(v, 0, "the second factor of %s does not verify", s->who);
	if (rc)
		return rc;
	fs_login_backoff_clear(v, s->uid, s->pid);
	rc = fs_factor_use_up(v, person, &use);
	if (!rc && use.recovery)
		rc = fs_vault_tell(v, s, POLICY_RECORD_KEYS, 0, NULL,
				   "a recovery code was used, %u left", fs_factor_left(&use.after));
	if (!rc)
		atomic_store(&s->factor_ns, fs_vault_boot_ns());
	return rc;
}

static bool is_fresh(const struct fs_session *s, uint32_t fresh_s)
{
	uint64_t last = atomic_load(&s->factor_ns), now = fs_vault_boot_ns();

	return last && now - last <= (uint64_t)fresh_s * 1000000000u;
}

void fs_factor_wanted(struct fs_vault *v, struct fs_session *s, uint32_t fresh_s, bool *wanted,
		      bool *key_file)
{
	enum fs_factor_kind kind = FS_FACTOR_NONE;
	int rc = fs_factor_kind_of(v, s->pid, s->enrolment, &kind);

	*wanted = rc || (kind != FS_FACTOR_NONE && !is_fresh(s, fresh_s));
	*key_file = !rc && kind == FS_FACTOR_KEY_FILE;
}

int fs_factor_prove(struct fs_vault *v, struct fs_session *s, const struct fs_proof *p,
		    uint32_t fresh_s, struct fs_say *say)
{
	struct fs_person *person = fs_people_by_pid(v, s->pid);
	enum fs_factor_kind kind = FS_FACTOR_NONE;
	int rc;

	if (fs_session_state(s) != FS_SESSION_ACTIVE || !person || !v->practice ||
	    person->enrolment != s->enrolment)
		return -ENOKEY;
	rc = fs_factor_kind_of(v, person->pid, person->enrolment, &kind);
	if (rc)
		return rc;
	atomic_store(&s->factor, kind);
	if (kind == FS_FACTOR_NONE && policy_practice_settings(v->practice)->second_factor) {
		fs_say(say, "the practice requires a second factor and you have none: "
			    "`journalfs factor enroll`");
		return -EACCES;
	}
	if (kind == FS_FACTOR_NONE || is_fresh(s, fresh_s))
		return 0;
	rc = given(kind, p, say);
	return rc ? rc : prove_given(v, s, person, p, kind, say);
}
