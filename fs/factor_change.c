/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/factor_change.c - second factors as their owner asks for them: status, enrolled, removed.
 *
 * Implements the first half of fs/factor.h over the records of factor.c.
 *
 * Invariants: (1) passphrase, a code of the factor that is enrolled, and policy come first, as
 * at a log-in, with or without a session; (2) a change is in the log before it is in the vault,
 * and durable before it is answered; (3) a code that was right is used up, unless only the new
 * secret's code was mistyped.
 *
 * Locks: edit, taken here.
 */
#include "vault_impl.h"

/* ---- what there is ---- */

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
	return pid ? fs_factor_kind_of(v, pid, enrolment, out) : 0;
}

static int status_locked(struct fs_vault *v, const struct fs_person *p,
			 struct fs_factor_status *out)
{
	struct fs_factor_state st;
	struct keys_envelope env;
	struct keys_factor f;
	int rc = fs_factor_read(v, p->pid, p->enrolment, &f, NULL);

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
		rc = fs_factor_read_used(v, p, &f, &st);
	if (rc)
		return rc;
	out->kind = FS_FACTOR_TOTP;
	out->since_s = f.since_s;
	out->codes_left = fs_factor_left(&st);
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

/* ---- changes ---- */

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
	int rc = fs_vault_tell(v, NULL, POLICY_RECORD_KEYS, 0, NULL, "%s: %s, by uid %u", p->name,
			       what, (unsigned)in->uid);

	if (rc)
		return rc;
	if (keep) {
		memcpy(st.id, c->f.id, sizeof(st.id));
		fs_factor_put(v, &c->b, p->pid, &c->f, c->fs, c->secret);
		fs_factor_put_used(v, &c->b, p->pid, &st);
	} else {
		fs_factor_delete(v, &c->b, p->pid);
	}
	rc = fs_group_apply(fs_records_group(v->records), &c->b, NULL);
	if (rc)
		return rc;
	p->factor = st;
	for (size_t i = 0; i < v->session_count; i++) {
		if (v->sessions[i]->pid == p->pid)
			atomic_store(&v->sessions[i]->factor, keep ? FS_FACTOR_TOTP
							      : c->o.env.keyfile
								      ? FS_FACTOR_KEY_FILE
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
	if (!rc &&
	    keys_totp_check(next->secret, (uint64_t)fs_vault_wall_s(), 0, next->code, &step)) {
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
	struct keys_factor before = {0};
	struct change c;
	int rc;

	pthread_mutex_lock(&v->edit);
	rc = change_begin(v, in, &c, say);
	if (!rc)
		rc = none_enrolled(&c, say);
	if (!rc)
		rc = fs_factor_open(v, c.o.p, c.secret, &before, c.fs);
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
