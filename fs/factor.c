/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/factor.c - second factors: enrolled, checked, used up, taken away.
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
static int read_factor(struct fs_vault *v, uint32_t pid, uint32_t enrolment, struct keys_factor *f,
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

static void put_used(struct fs_vault *v, struct fs_batch *b, uint32_t pid,
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

static int read_used(struct fs_vault *v, const struct fs_person *p, const struct keys_factor *f,
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

static void put_factor(struct fs_vault *v, struct fs_batch *b, uint32_t pid,
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
static int open_factor(struct fs_vault *v, const struct fs_person *p,
		       const struct keys_identity_secret *secret, struct keys_factor *f,
		       struct keys_factor_secret *fs)
{
	struct keys_factor_place place = place_of(v, p->pid);
	struct fs_buf *buf = NULL;
	uint8_t key[KEYS_LEN];
	int rc = read_factor(v, p->pid, p->enrolment, f, &buf);

	if (rc)
		return rc;
	keys_factor_key(&place, f->enrolment, secret, v->host_secret, key);
	rc = keys_factor_unseal(buf->data, buf->len, &place, key, fs);
	keys_wipe(key, sizeof(key));
	fs_buf_put(buf);
	return rc;
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
	int rc = read_used(v, p, f, &use->after);

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
	int rc = fs ? open_factor(v, p, secret, &f, fs) : -ENOMEM;

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
	put_used(v, b, p->pid, &use->after);
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

static unsigned left_of(const struct fs_factor_state *st)
{
	return KEYS_FACTOR_CODES - (unsigned)__builtin_popcount(st->codes);
}

void fs_factor_how(const struct fs_factor_use *use, char out[static 64])
{
	out[0] = '\0';
	if (use->kind == FS_FACTOR_KEY_FILE)
		snprintf(out, 64, "key file");
	else if (use->kind == FS_FACTOR_TOTP && use->recovery)
		snprintf(out, 64, "recovery code, %u left", left_of(&use->after));
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
	fs_say(say, kind == FS_FACTOR_TOTP
			    ? "this needs a code of your second factor"
			    : "this needs your passphrase and key file once more (--key-file FILE)");
	return -ENODATA;
}

/* The kind that person has, by the records alone. */
static int kind_of(struct fs_vault *v, uint32_t pid, uint32_t enrolment, enum fs_factor_kind *out)
{
	struct keys_envelope env;
	struct keys_factor f;
	int rc = read_factor(v, pid, enrolment, &f, NULL);

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
	fs_say(say, "the second factor was not accepted: a wrong code, or one that was used before");
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
				   "a recovery code was used, %u left", left_of(&use.after));
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
	int rc = kind_of(v, s->pid, s->enrolment, &kind);

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
	rc = kind_of(v, person->pid, person->enrolment, &kind);
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

/* ---- what the practitioner asks for ---- */

int fs_vault_factor_of(struct fs_vault *v, uid_t uid, const char *who, enum fs_factor_kind *out)
{
	const struct fs_person *p;
	uint32_t pid = 0, enrolment = 0;

	pthread_rwlock_rdlock(&v->lock);
	p = fs_login_own(v, uid, who);
	if (p) {
		pid = p->pid;
		enrolment = p->enrolment;
	}
	pthread_rwlock_unlock(&v->lock);
	*out = FS_FACTOR_NONE;
	return pid ? kind_of(v, pid, enrolment, out) : 0;
}

static int status_locked(struct fs_vault *v, const struct fs_person *p,
			 struct fs_factor_status *out)
{
	struct fs_factor_state st;
	struct keys_envelope env;
	struct keys_factor f;
	int rc = read_factor(v, p->pid, p->enrolment, &f, NULL);

	*out = (struct fs_factor_status){.kind = FS_FACTOR_NONE};
	if (rc == -ENOENT) {
		rc = fs_login_envelope(v, p->pid, &env);
		if (!rc && env.keyfile) {
			out->kind = FS_FACTOR_KEY_FILE;
			out->since_s = env.set_s;
		}
		return rc;
	}
	if (!rc)
		rc = read_used(v, p, &f, &st);
	if (rc)
		return rc;
	out->kind = FS_FACTOR_TOTP;
	out->since_s = f.since_s;
	out->codes_left = left_of(&st);
	return 0;
}

int fs_vault_factor_status(struct fs_vault *v, uid_t uid, const char *who,
			   struct fs_factor_status *out)
{
	const struct fs_person *p;
	int rc = -EPERM;

	pthread_mutex_lock(&v->edit);
	p = fs_login_own(v, uid, who);
	if (p)
		rc = status_locked(v, p, out);
	pthread_mutex_unlock(&v->edit);
	return rc;
}

/* One change: what is opened and who he is. */
struct change {
	struct fs_login_opened o;
	struct fs_factor_use use;
	struct keys_identity_secret *secret; /* guarded */
	struct keys_factor_secret *fs;	     /* guarded: what will be */
	struct keys_factor f;		     /* the same */
	struct fs_batch b;
};

/* Passphrase, code and policy; edit held. The index is released by change_end. */
static int change_begin(struct fs_vault *v, const struct fs_login *in, struct change *c,
			struct fs_say *say)
{
	const struct keys_identity *id = NULL;
	int rc;

	memset(c, 0, sizeof(*c));
	fs_batch_init(&c->b, NULL);
	c->o.use = &c->use;
	c->o.doing = "the second factor: ";
	c->secret = keys_guard_new(sizeof(*c->secret));
	c->fs = keys_guard_new(sizeof(*c->fs));
	if (!c->secret || !c->fs)
		return -ENOMEM;
	rc = fs_login_open(v, in, NULL, &c->o, c->secret, say);
	return rc ? rc : fs_login_admit(v, in, c->o.p, c->secret, &id, say);
}

/* The new secret's head, and the hashes of its recovery codes. */
static void change_fill(struct change *c, uint64_t since_s, const uint8_t *codes)
{
	c->f.kind = KEYS_FACTOR_TOTP;
	c->f.enrolment = c->o.p->enrolment;
	c->f.since_s = since_s;
	keys_random(c->f.id, sizeof(c->f.id));
	for (unsigned i = 0; i < KEYS_FACTOR_CODES; i++)
		keys_factor_code_hash(&c->f, codes + (size_t)i * KEYS_FACTOR_CODE_LEN,
				      c->fs->code[i]);
}

/* Told first. Writes factor and what is used of it, or removes both. */
static int change_apply(struct fs_vault *v, const struct fs_login *in, struct change *c,
			uint64_t step, bool keep, const char *what)
{
	struct fs_person *p = c->o.p;
	struct fs_factor_state st = {.step = step};
	struct fs_key a = factor_key(p->pid), b = used_key(p->pid);
	int rc = fs_vault_tell(v, NULL, POLICY_RECORD_KEYS, 0, NULL, "%s: %s, by uid %u", p->name,
			       what, (unsigned)in->uid);

	if (rc)
		return rc;
	if (keep) {
		memcpy(st.id, c->f.id, sizeof(st.id));
		put_factor(v, &c->b, p->pid, &c->f, c->fs, c->secret);
		put_used(v, &c->b, p->pid, &st);
	} else {
		fs_batch_del(&c->b, fs_records_vault(v->records), &a);
		fs_batch_del(&c->b, fs_records_vault(v->records), &b);
	}
	rc = fs_group_apply(fs_records_group(v->records), &c->b, NULL);
	if (rc)
		return rc;
	p->factor = st;
	for (size_t i = 0; i < v->session_count; i++) {
		if (v->sessions[i]->pid == p->pid)
			atomic_store(&v->sessions[i]->factor,
				     keep		? FS_FACTOR_TOTP
				     : c->o.env.keyfile ? FS_FACTOR_KEY_FILE
							: FS_FACTOR_NONE);
	}
	return 0;
}

static int change_end(struct fs_vault *v, struct change *c, int rc, struct fs_say *say)
{
	/* A code that was right is used up, whatever came of it. */
	if (rc && rc != -EINVAL && c->o.p)
		(void)fs_factor_use_up(v, c->o.p, &c->use);
	if (rc == -EBADMSG)
		fs_vault_alarm(v, 0, "the second factor or the keys of %s do not verify",
			       c->o.p ? c->o.p->name : "somebody");
	fs_batch_clear(&c->b);
	keys_guard_free(c->secret);
	keys_guard_free(c->fs);
	fs_policies_release(v);
	pthread_mutex_unlock(&v->edit);
	if (!rc)
		rc = fs_group_sync(fs_records_group(v->records), 0);
	if (rc && say && !say->text[0])
		fs_say(say, "the second factor could not be changed: %s", strerror(-rc));
	return rc;
}

int fs_vault_factor_enroll(struct fs_vault *v, const struct fs_login *in,
			   const struct fs_factor_new *next, struct fs_say *say)
{
	struct change c;
	uint64_t step = 0;
	int rc;

	pthread_mutex_lock(&v->edit);
	rc = change_begin(v, in, &c, say);
	if (!rc && keys_totp_check(next->secret, (uint64_t)fs_vault_wall_s(), 0, next->code,
				   &step)) {
		fs_say(say, "that is not the code of the new secret: is the clock of the telephone "
			    "right? Nothing was changed");
		rc = -EINVAL;
	}
	if (!rc) {
		bool again = c.use.kind == FS_FACTOR_TOTP;

		memcpy(c.fs->totp, next->secret, sizeof(c.fs->totp));
		change_fill(&c, (uint64_t)fs_vault_wall_s(), next->codes);
		rc = change_apply(v, in, &c, step, true,
				  again ? "another second factor enrolled (totp)"
					: "second factor enrolled (totp)");
	}
	return change_end(v, &c, rc, say);
}

static int none_enrolled(const struct change *c, struct fs_say *say)
{
	if (c->use.kind == FS_FACTOR_TOTP)
		return 0;
	fs_say(say, c->use.kind == FS_FACTOR_KEY_FILE
			    ? "your second factor is a key file; no authenticator app is enrolled"
			    : "no second factor is enrolled; `journalfs factor enroll` does it");
	return -ENOENT;
}

int fs_vault_factor_codes(struct fs_vault *v, const struct fs_login *in, const uint8_t *codes,
			  struct fs_say *say)
{
	struct keys_factor before;
	struct change c;
	int rc;

	pthread_mutex_lock(&v->edit);
	rc = change_begin(v, in, &c, say);
	if (!rc)
		rc = none_enrolled(&c, say);
	if (!rc)
		rc = open_factor(v, c.o.p, c.secret, &before, c.fs);
	if (!rc) {
		change_fill(&c, before.since_s, codes);
		rc = change_apply(v, in, &c, c.use.after.step, true,
				  "new recovery codes for the second factor");
	}
	return change_end(v, &c, rc, say);
}

int fs_vault_factor_remove(struct fs_vault *v, const struct fs_login *in, struct fs_say *say)
{
	struct change c;
	int rc;

	pthread_mutex_lock(&v->edit);
	rc = change_begin(v, in, &c, say);
	if (!rc)
		rc = none_enrolled(&c, say);
	if (!rc && policy_practice_settings(v->practice)->second_factor && !c.o.env.keyfile)
		rc = fs_login_refused(v, in, c.o.p->name, -EACCES,
				      "removing the second factor: the policy requires one",
				      "the practice requires a second factor: `journalfs factor "
				      "enroll` replaces it by another",
				      say);
	if (!rc)
		rc = change_apply(v, in, &c, 0, false, "second factor removed");
	return change_end(v, &c, rc, say);
}
