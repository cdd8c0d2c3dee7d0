/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/passphrase.c - a new passphrase: how old one may be, and which may not come again.
 *
 * Owns the record PASSPHRASES: salt, cost and a verifier, keyed with the host secret, of each
 * of the last passphrases. Only the envelope is sealed again; nothing else depends on a
 * passphrase. Whether the client has stretched the same passphrase each time the daemon
 * can't see: a client of one's own can repeat one. Implements fs/FORMAT.md, "PASSPHRASES".
 *
 * Invariants: (1) envelope and record change in one batch; (2) an answer of success means that
 * both are durable.
 *
 * Locks: edit held by the callers of what login.h declares.
 */
#include "vault_impl.h"

#define FORMAT 1
#define ONE_LEN (KEYS_SALT_LEN + 8 + KEYS_LEN)
#define BYTES_MAX (4 + FS_PASSPHRASES_KEPT * ONE_LEN)

struct earlier {
	size_t n; /* newest first */
	struct {
		struct fs_passphrase_salt by;
		uint8_t verifier[KEYS_LEN];
	} one[FS_PASSPHRASES_KEPT];
};

/* ---- the record ---- */

static struct fs_key key_of(uint32_t pid)
{
	return fs_key_n(0, 0, FS_T_PASSPHRASES, pid, 4);
}

static int decode(const uint8_t *p, size_t len, struct earlier *out)
{
	struct bytes_in in = bytes_in(p, len);
	uint8_t format = bytes_get_u8(&in);

	out->n = bytes_get_u8(&in);
	bytes_get_zero(&in, 2);
	if (format != FORMAT || out->n > FS_PASSPHRASES_KEPT)
		return -EBADMSG;
	for (size_t i = 0; i < out->n; i++) {
		struct fs_passphrase_salt *by = &out->one[i].by;

		bytes_get(&in, by->salt, sizeof(by->salt));
		by->cost.passes = bytes_get_u32(&in);
		by->cost.memory_kib = bytes_get_u32(&in);
		bytes_get(&in, out->one[i].verifier, KEYS_LEN);
		if (in.bad || keys_stretch_check(&by->cost))
			return -EBADMSG;
	}
	return bytes_in_done(&in) ? 0 : -EBADMSG;
}

static int read_earlier(struct fs_vault *v, uint32_t pid, struct earlier *out)
{
	struct fs_key key = key_of(pid);
	struct fs_buf *buf = NULL;
	int rc = fs_record_get(fs_records_vault(v->records), &key, &buf);

	out->n = 0;
	if (rc)
		return rc == -ENOENT ? 0 : rc;
	rc = decode(buf->data, buf->len, out);
	fs_buf_put(buf);
	return rc;
}

static void put_earlier(struct fs_vault *v, struct fs_batch *b, uint32_t pid,
			const struct earlier *e)
{
	struct fs_key key = key_of(pid);
	uint8_t bytes[BYTES_MAX];
	struct bytes_out out = bytes_out(bytes, sizeof(bytes));

	bytes_put_u8(&out, FORMAT);
	bytes_put_u8(&out, (uint8_t)e->n);
	bytes_put_zero(&out, 2);
	for (size_t i = 0; i < e->n; i++) {
		bytes_put(&out, e->one[i].by.salt, KEYS_SALT_LEN);
		bytes_put_u32(&out, e->one[i].by.cost.passes);
		bytes_put_u32(&out, e->one[i].by.cost.memory_kib);
		bytes_put(&out, e->one[i].verifier, KEYS_LEN);
	}
	fs_batch_put(b, fs_records_vault(v->records), &key, bytes, out.len);
}

static void verifier_of(const struct fs_vault *v, uint32_t pid, const uint8_t *stretched,
			uint8_t out[static KEYS_LEN])
{
	uint8_t number[4];
	struct bytes_out b = bytes_out(number, sizeof(number));
	const struct keys_span parts[] = {
		{v->header.vault, sizeof(v->header.vault)},
		{number, sizeof(number)},
		{stretched, KEYS_LEN},
	};

	bytes_put_u32(&b, pid);
	keys_label_derive(KEYS_LABEL_PASSPHRASE, v->host_secret, parts, 3, out, KEYS_LEN);
}

/* ---- rules ---- */

bool fs_passphrase_old(struct fs_vault *v, const struct keys_envelope *env)
{
	uint32_t age = policy_practice_settings(v->practice)->passphrase_age_s;
	uint64_t now = (uint64_t)fs_vault_wall_s();

	/* Where nothing can be written any more, nobody can choose another one either. */
	if (!age || v->cfg.read_only || fs_group_failed(fs_records_group(v->records)))
		return false;
	return now >= env->set_s && now - env->set_s >= age;
}

int fs_passphrase_check(struct fs_vault *v, const struct fs_person *p,
			const struct keys_envelope *env, const uint8_t *now,
			const struct fs_passphrase *next, struct fs_say *say)
{
	uint8_t verifier[KEYS_LEN];
	struct earlier e;
	bool same;
	int rc = read_earlier(v, p->pid, &e);

	if (rc)
		return rc;
	/* The salts may have changed since the client asked for them. */
	if (next->n_olds != e.n + 1) {
		fs_say(say, "the new passphrase did not come with what compares it with the last "
			    "ones; try again, or update the journalfs command");
		return -EINVAL;
	}
	/* The salt in force again would let the same passphrase through unseen. */
	same = keys_equal(next->olds, now, KEYS_LEN) ||
	       keys_equal(next->salt, env->salt, KEYS_SALT_LEN);
	for (size_t i = 0; i < e.n; i++) {
		verifier_of(v, p->pid, next->olds + (i + 1) * KEYS_LEN, verifier);
		same = keys_equal(verifier, e.one[i].verifier, KEYS_LEN) || same;
	}
	keys_wipe(verifier, sizeof(verifier));
	if (!same)
		return 0;
	fs_say(say,
	       "that passphrase is your present one or one of the %u before it: choose another",
	       FS_PASSPHRASES_KEPT);
	return -EINVAL;
}

int fs_passphrase_put(struct fs_vault *v, struct fs_batch *b, const struct fs_person *p,
		      const struct keys_envelope *env, const uint8_t *now,
		      const struct fs_passphrase *next, const struct keys_identity_secret *secret)
{
	const struct fs_newcomer who = {0, next->salt, next->stretched, next->cost, next->keyfile};
	struct keys_envelope sealed;
	struct earlier e;
	int rc = read_earlier(v, p->pid, &e);

	if (rc)
		return rc;
	if (e.n == FS_PASSPHRASES_KEPT)
		e.n--;
	memmove(&e.one[1], &e.one[0], e.n * sizeof(e.one[0]));
	memcpy(e.one[0].by.salt, env->salt, KEYS_SALT_LEN);
	e.one[0].by.cost = env->cost;
	verifier_of(v, p->pid, now, e.one[0].verifier);
	e.n++;
	put_earlier(v, b, p->pid, &e);
	fs_enroll_seal(v, &p->ids[p->enrolment - 1]->id, secret, &who, &sealed);
	fs_enroll_put_envelope(v, b, p->pid, &sealed);
	return 0;
}

/* ---- what the practitioner asks for ---- */

int fs_vault_passphrases(struct fs_vault *v, uid_t uid, const char *who,
			 struct fs_passphrase_salt out[static FS_PASSPHRASES_MAX], size_t *n)
{
	struct keys_envelope env;
	const struct fs_person *p;
	struct earlier e;
	int rc = -EPERM;

	pthread_mutex_lock(&v->edit);
	p = fs_login_own(v, uid, who);
	if (p)
		rc = fs_login_envelope(v, p->pid, &env);
	if (!rc)
		rc = read_earlier(v, p->pid, &e);
	pthread_mutex_unlock(&v->edit);
	if (rc)
		return rc;
	memcpy(out[0].salt, env.salt, KEYS_SALT_LEN);
	out[0].cost = env.cost;
	for (size_t i = 0; i < e.n; i++)
		out[i + 1] = e.one[i].by;
	*n = e.n + 1;
	return 0;
}

int fs_vault_passphrase_until(struct fs_vault *v, struct fs_session *s, uint64_t *until_s)
{
	struct policy_practice *practice = fs_vault_practice(v);
	struct keys_envelope env;
	uint32_t age = practice ? policy_practice_settings(practice)->passphrase_age_s : 0;
	int rc = practice ? fs_login_envelope(v, s->pid, &env) : -ENOKEY;

	policy_practice_put(practice);
	if (!rc)
		*until_s = age ? env.set_s + age : 0;
	return rc;
}

static int passwd_locked(struct fs_vault *v, struct fs_session *s, const struct fs_login *old,
			 const struct fs_passphrase *next, struct fs_say *say)
{
	struct keys_identity_secret *secret = keys_guard_new(sizeof(*secret));
	const struct fs_person *p = fs_people_by_pid(v, s->pid);
	struct keys_envelope env;
	struct fs_batch b;
	int rc = !secret ? -ENOMEM : !p || p->enrolment != s->enrolment ? -ENOKEY : 0;

	fs_batch_init(&b, NULL);
	if (!rc)
		rc = fs_login_backoff_check(v, s->uid, s->pid, say);
	if (!rc)
		rc = fs_login_unseal(v, p, old->stretched, old->keyfile, secret, &env);
	if (rc == -EKEYREJECTED) {
		int rc2 = fs_vault_tell(v, s, POLICY_RECORD_REFUSED, 0, NULL,
					"changing the passphrase: the old one was wrong");

		fs_login_backoff_failed(v, s->uid, s->pid);
		fs_say(say, "the old passphrase is wrong");
		rc = rc2 ? rc2 : rc;
	}
	if (!rc)
		rc = fs_passphrase_check(v, p, &env, old->stretched, next, say);
	if (!rc)
		rc = fs_vault_tell(v, s, POLICY_RECORD_KEYS, 0, NULL, "passphrase changed");
	if (!rc)
		rc = fs_passphrase_put(v, &b, p, &env, old->stretched, next, secret);
	if (!rc)
		rc = fs_group_apply(fs_records_group(v->records), &b, NULL);
	fs_batch_clear(&b);
	keys_guard_free(secret);
	return rc;
}

int fs_vault_passwd(struct fs_vault *v, struct fs_session *s, const struct fs_login *old,
		    const struct fs_passphrase *next, struct fs_say *say)
{
	int rc = keys_stretch_check(next->cost);

	if (rc)
		return rc;
	if (fs_session_state(s) != FS_SESSION_ACTIVE)
		return -ENOKEY;
	pthread_mutex_lock(&v->edit);
	rc = passwd_locked(v, s, old, next, say);
	pthread_mutex_unlock(&v->edit);
	if (!rc)
		rc = fs_group_sync(fs_records_group(v->records), 0);
	return rc;
}
