/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/login.c - who somebody is: passphrase, host secret, back-off, status.
 *
 * Owns the proof that both log-in and unlock ask for, the salts that clients
 * stretch with, and the back-off after failures. Codes are factor.c's, new passphrases
 * passphrase.c's. Failures are counted by account
 * AND practitioner, so that a stranger who guesses delays only himself.
 *
 * Invariants: (1) every refusal is durable in the log before it is answered;
 * (2) nothing is told apart that would let names be probed through the salt;
 * (3) an identity whose chain does not verify is refused though the passphrase
 * is right; (4) a code is used up last, when nothing else can refuse the log-in any more.
 */
#include "vault_impl.h"

#define FREE_FAILURES 3
#define DELAY_MAX_S 60

/* ---- back-off ---- */

/* Under side: the entry of this pair; make takes the least recently used one. */
static struct fs_backoff *backoff_of(struct fs_vault *v, uid_t uid, uint32_t pid, bool make)
{
	struct fs_backoff *oldest = &v->backoff[0];

	for (unsigned i = 0; i < FS_BACKOFF; i++) {
		struct fs_backoff *b = &v->backoff[i];

		if (b->failures && b->uid == uid && b->pid == pid)
			return b;
		if (b->used_ns < oldest->used_ns)
			oldest = b;
	}
	if (!make)
		return NULL;
	*oldest = (struct fs_backoff){.uid = uid, .pid = pid};
	return oldest;
}

int fs_login_backoff_check(struct fs_vault *v, uid_t uid, uint32_t pid, struct fs_say *say)
{
	uint64_t now = fs_vault_boot_ns(), wait = 0;
	const struct fs_backoff *b;

	pthread_mutex_lock(&v->side);
	b = backoff_of(v, uid, pid, false);
	if (b && b->until_ns > now)
		wait = (b->until_ns - now) / 1000000000u + 1;
	pthread_mutex_unlock(&v->side);
	if (!wait)
		return 0;
	fs_say(say, "too many wrong tries; try again in %llu s", (unsigned long long)wait);
	return -EAGAIN;
}

void fs_login_backoff_failed(struct fs_vault *v, uid_t uid, uint32_t pid)
{
	uint64_t now = fs_vault_boot_ns(), delay = 0;
	struct fs_backoff *b;

	pthread_mutex_lock(&v->side);
	b = backoff_of(v, uid, pid, true);
	b->failures++;
	if (b->failures >= FREE_FAILURES) {
		unsigned step = b->failures - FREE_FAILURES;

		delay = step < 6 ? (uint64_t)1 << step : DELAY_MAX_S;
		delay = delay < DELAY_MAX_S ? delay : DELAY_MAX_S;
	}
	b->used_ns = now;
	b->until_ns = now + delay * 1000000000u;
	pthread_mutex_unlock(&v->side);
}

void fs_login_backoff_clear(struct fs_vault *v, uid_t uid, uint32_t pid)
{
	struct fs_backoff *b;

	pthread_mutex_lock(&v->side);
	b = backoff_of(v, uid, pid, false);
	if (b)
		*b = (struct fs_backoff){.uid = 0};
	pthread_mutex_unlock(&v->side);
}

/* ---- salts ---- */

int fs_login_envelope(struct fs_vault *v, uint32_t pid, struct keys_envelope *env)
{
	struct fs_key key = fs_key_n(0, 0, FS_T_ENVELOPE, pid, 4);
	struct fs_buf *buf = NULL;
	int rc = fs_record_get(fs_records_vault(v->records), &key, &buf);

	if (rc)
		return rc == -ENOENT ? -EBADMSG : rc;
	rc = keys_envelope_decode(buf->data, buf->len, env);
	fs_buf_put(buf);
	return rc;
}

/* The same answer each time, that nobody without the host secret can tell from a stored salt. */
static void fake_salt(const struct fs_vault *v, uid_t uid, const char *who,
		      uint8_t salt[static KEYS_SALT_LEN])
{
	const struct keys_span parts[] = {
		{"salt", 4},
		{who, strlen(who)},
		{&uid, who[0] ? 0 : sizeof(uid)},
	};

	keys_label_derive(KEYS_LABEL_ENVELOPE, v->host_secret, parts, 3, salt, KEYS_SALT_LEN);
}

int fs_vault_salt(struct fs_vault *v, uid_t uid, const char *who,
		  uint8_t salt[static KEYS_SALT_LEN], struct keys_stretch_cost *cost,
		  char who_out[static KEYS_NAME_MAX + 1])
{
	const struct fs_person *p;
	struct keys_envelope env;
	uint32_t pid = 0;
	int rc;

	pthread_rwlock_rdlock(&v->lock);
	p = who[0] ? fs_people_find(v, who) : fs_people_by_uid(v, uid);
	if (p && p->enrolment) {
		pid = p->pid;
		who = p->name;
	}
	snprintf(who_out, KEYS_NAME_MAX + 1, "%s", who);
	pthread_rwlock_unlock(&v->lock);
	if (!pid) {
		fake_salt(v, uid, who, salt);
		*cost = keys_stretch_default;
		return 0;
	}
	rc = fs_login_envelope(v, pid, &env);
	if (!rc) {
		memcpy(salt, env.salt, KEYS_SALT_LEN);
		*cost = env.cost;
	}
	return rc;
}

/* ---- proof ---- */

int fs_login_unseal(struct fs_vault *v, const struct fs_person *p, const uint8_t *stretched,
		    struct keys_span keyfile, struct keys_identity_secret *secret,
		    struct keys_envelope *env)
{
	uint8_t key[KEYS_LEN];
	int rc = fs_login_envelope(v, p->pid, env);

	if (rc)
		return rc;
	keys_stretch_envelope(stretched, v->host_secret, keyfile, key);
	rc = keys_envelope_unseal(env, &p->ids[p->enrolment - 1]->id, key, secret);
	keys_wipe(key, sizeof(key));
	return rc;
}

const char *fs_login_status(const struct policy_practitioner *p, const struct keys_identity *id,
			    int64_t now_s)
{
	if (!p)
		return "the policy no longer knows this practitioner";
	if (p->state == POLICY_LEFT)
		return "the practitioner has left";
	if (p->state == POLICY_ON_LEAVE)
		return "the practitioner is on leave";
	if (now_s < p->from_s)
		return "the practitioner's time here has not begun";
	if (now_s >= p->until_s)
		return "the practitioner's time here is over";
	if (strcmp(p->account, id->account))
		return "the policy names another system account for this practitioner; a steward "
		       "must "
		       "invite again";
	return NULL;
}

int fs_login_refused(struct fs_vault *v, const struct fs_login *in, const char *who, int rc,
		     const char *why, const char *say_as, struct fs_say *say)
{
	int rc2 = fs_vault_tell_refused(v, in->uid, in->pid, who, in->origin, "%s", why);

	fs_say(say, "%s", say_as);
	return rc2 ? rc2 : rc;
}

static int refused(struct fs_vault *v, const struct fs_login *in, const char *who, int rc,
		   const char *why, struct fs_say *say)
{
	return fs_login_refused(v, in, who, rc, why, why, say);
}

struct fs_person *fs_login_own(struct fs_vault *v, uid_t uid, const char *who)
{
	struct fs_person *p = who[0] ? fs_people_find(v, who) : fs_people_by_uid(v, uid);

	return p && p->enrolment && p->ids[p->enrolment - 1]->id.uid == uid ? p : NULL;
}

/* Whose identity it is to be, and that this account may ask at all. */
static int find_person(struct fs_vault *v, const struct fs_login *in, const struct fs_session *s,
		       struct fs_person **out, struct fs_say *say)
{
	const char *who = s ? s->who : in->who ? in->who : "";
	struct fs_person *p = who[0] ? fs_people_find(v, who) : fs_people_by_uid(v, in->uid);

	if (!p || !p->enrolment)
		return refused(
			v, in, who, -ENOENT,
			"no practitioner of that name is enrolled here; a steward's invitation "
			"and `journalfs enroll` come first",
			say);
	if (p->ids[p->enrolment - 1]->id.uid != in->uid || (s && s->uid != in->uid))
		return refused(v, in, p->name, -EPERM,
			       "that identity belongs to another system account", say);
	*out = p;
	return 0;
}

/* Passphrase and code are told apart in the log only: whoever guesses learns of neither alone. */
static int wrong(struct fs_vault *v, const struct fs_login *in, const struct fs_login_opened *o,
		 const char *why, struct fs_say *say)
{
	char text[128];

	fs_login_backoff_failed(v, in->uid, o->p->pid);
	snprintf(text, sizeof(text), "%s%s", o->doing, why);
	return fs_login_refused(v, in, o->p->name, -EKEYREJECTED, text,
				o->use ? "wrong passphrase or code" : "wrong passphrase", say);
}

int fs_login_open(struct fs_vault *v, const struct fs_login *in, const struct fs_session *s,
		  struct fs_login_opened *o, struct keys_identity_secret *secret,
		  struct fs_say *say)
{
	int rc = find_person(v, in, s, &o->p, say);

	if (!rc)
		rc = fs_login_backoff_check(v, in->uid, o->p->pid, say);
	if (rc)
		return rc;
	rc = fs_login_unseal(v, o->p, in->stretched, in->keyfile, secret, &o->env);
	if (rc == -EKEYREJECTED)
		return wrong(v, in, o, "wrong passphrase", say);
	if (!rc && o->use)
		rc = fs_factor_check(v, o->p, &o->env, secret, in->code, o->use);
	if (rc == -EKEYREJECTED)
		return wrong(v, in, o, o->use->why, say);
	if (!rc)
		fs_login_backoff_clear(v, in->uid, o->p->pid);
	return rc;
}

/* The index key out of his wrap; the policy that it opens must admit him. */
static int open_policy(struct fs_vault *v, const struct fs_login *in,
		       const struct keys_identity *id, const struct keys_identity_secret *secret,
		       struct fs_say *say)
{
	const struct keys_identity *same = NULL;
	struct fs_index_keys keys;
	const char *why;
	int rc = fs_index_unwrap(v, FS_WRAP_PRACTITIONER, id->pid, id->enrolment, secret->box_sk,
				 &keys);

	if (!rc)
		rc = fs_policies_open_index(v, &keys);
	keys_wipe(&keys, sizeof(keys));
	if (!rc)
		rc = fs_people_identity(v, id->pid, id->enrolment, true, &same);
	if (rc == -EACCES)
		return refused(v, in, id->name, rc, "the practitioner has left", say);
	if (rc)
		return rc;
	why = fs_login_status(policy_practice_find(v->practice, id->name), id, fs_vault_wall_s());
	return why ? refused(v, in, id->name, -EACCES, why, say) : 0;
}

int fs_login_admit(struct fs_vault *v, const struct fs_login *in, const struct fs_person *p,
		   const struct keys_identity_secret *secret, const struct keys_identity **id,
		   struct fs_say *say)
{
	int rc = fs_people_identity(v, p->pid, p->enrolment, false, id);

	return rc ? rc : open_policy(v, in, *id, secret, say);
}

/* The passphrase is too old; *in brings another one: that and the code's use in one batch. */
static int renew(struct fs_vault *v, const struct fs_login *in, struct fs_login_opened *o,
		 const struct keys_identity_secret *secret, struct fs_say *say)
{
	struct fs_group *g = fs_records_group(v->records);
	uint64_t number = 0;
	struct fs_batch b;
	int rc = keys_stretch_check(in->renew->cost);

	if (!rc)
		rc = fs_passphrase_check(v, o->p, &o->env, in->stretched, in->renew, say);
	if (!rc)
		rc = fs_vault_tell(v, NULL, POLICY_RECORD_KEYS, 0, NULL,
				   "%s: passphrase changed at log-in, by uid %u", o->p->name,
				   (unsigned)in->uid);
	if (rc)
		return rc;
	fs_batch_init(&b, NULL);
	b.urgent = true; /* a full disk must not keep anybody from reading */
	rc = fs_passphrase_put(v, &b, o->p, &o->env, in->stretched, in->renew, secret);
	if (!rc) {
		fs_factor_put_use(v, &b, o->p, o->use);
		rc = fs_group_apply(g, &b, &number);
	}
	if (!rc)
		rc = fs_group_sync(g, number);
	fs_batch_clear(&b);
	return rc;
}

/* What policy asks of a log-in besides; the last step: it uses up the code. */
static int satisfy(struct fs_vault *v, const struct fs_login *in, struct fs_login_opened *o,
		   const struct keys_identity_secret *secret, struct fs_say *say)
{
	const struct policy_settings *set = policy_practice_settings(v->practice);

	if (o->use->kind == FS_FACTOR_NONE && set->second_factor)
		return refused(v, in, o->p->name, -EACCES,
			       "the practice requires a second factor and you have none: "
			       "`journalfs factor enroll`",
			       say);
	if (in->renew)
		return renew(v, in, o, secret, say);
	if (fs_passphrase_old(v, &o->env)) {
		char why[160];

		snprintf(
			why, sizeof(why),
			"the passphrase is older than the %u days that the practice allows: log in "
			"with a new one",
			set->passphrase_age_s / 86400);
		return refused(v, in, o->p->name, -EKEYEXPIRED, why, say);
	}
	return fs_factor_use_up(v, o->p, o->use);
}

/* At an unlock no code is asked for; a key file was there, or the envelope would not have opened.
 */
static enum fs_factor_kind kind_of(const struct fs_session *s, const struct fs_login_opened *o)
{
	if (!s)
		return o->use->kind;
	if (atomic_load(&s->factor) == FS_FACTOR_TOTP)
		return FS_FACTOR_TOTP;
	return o->env.keyfile ? FS_FACTOR_KEY_FILE : FS_FACTOR_NONE;
}

int fs_login_prove(struct fs_vault *v, const struct fs_login *in, const struct fs_session *s,
		   struct fs_login_proof *out, struct fs_say *say)
{
	struct fs_factor_use use = {.kind = FS_FACTOR_NONE};
	struct fs_login_opened o = {.use = s ? NULL : &use, .doing = ""};
	int rc = fs_login_open(v, in, s, &o, out->secret, say);

	/* A session goes on under the identity that it began with. */
	if (!rc && s && s->enrolment != o.p->enrolment)
		rc = refused(v, in, o.p->name, -EACCES,
			     "the identity was replaced meanwhile; log in again", say);
	if (!rc)
		rc = fs_login_admit(v, in, o.p, out->secret, &out->id, say);
	if (!rc && !s)
		rc = satisfy(v, in, &o, out->secret, say);
	if (rc == -EBADMSG) {
		fs_vault_alarm(v, 0,
			       "the identity, key, second factor or policy of %s does not verify",
			       o.p ? o.p->name : "somebody");
		fs_say(say, "the vault's keys or policy do not verify: somebody changed its files; "
			    "restore it from a backup");
	}
	if (rc) {
		fs_policies_release(v);
		return rc;
	}
	out->factor = kind_of(s, &o);
	fs_factor_how(&use, out->how);
	return 0;
}
