/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/sessions.c - log-in, unlock, lock, end.
 *
 * Proof first (login.c), then the keys: the index key out of the practitioner's
 * wrap, which opens policy when nobody else is logged in; then status under that
 * policy; then a record in the log; then the session. A session's signing key is
 * certified anew at each unlock, since locking destroyed the one before.
 *
 * Invariants: (1) a session is refused from the moment of lock_begin or end_begin
 * and wiped only after what it wrote is durable; (2) the last active session
 * takes the index key with it.
 */
#include <time.h>

#include "vault_impl.h"

#define CEILING_MAX_S 86400u
#define CEILING_S 43200u

/* ---- the list ---- */

size_t fs_sessions_all(struct fs_vault *v, struct fs_session ***out)
{
	size_t n = 0;

	pthread_rwlock_rdlock(&v->lock);
	*out = calloc(v->session_count + 1, sizeof(**out));
	for (; *out && n < v->session_count; n++)
		(*out)[n] = fs_session_get(v->sessions[n]);
	pthread_rwlock_unlock(&v->lock);
	return n;
}

void fs_sessions_put_all(struct fs_session **s, size_t n)
{
	while (n)
		fs_session_put(s[--n]);
	free(s);
}

void fs_vault_sessions(struct fs_vault *v, int (*fn)(void *ctx, struct fs_session *s), void *ctx)
{
	struct fs_session **all;
	size_t n = fs_sessions_all(v, &all);

	for (size_t i = 0; i < n; i++) {
		if (fn(ctx, all[i]))
			break;
	}
	fs_sessions_put_all(all, n);
}

struct fs_session *fs_vault_session_of(struct fs_vault *v, uid_t uid)
{
	struct fs_session *found = NULL;

	pthread_rwlock_rdlock(&v->lock);
	for (size_t i = v->session_count; i-- > 0 && !found;) {
		if (v->sessions[i]->uid == uid &&
		    fs_session_state(v->sessions[i]) != FS_SESSION_ENDED)
			found = fs_session_get(v->sessions[i]);
	}
	pthread_rwlock_unlock(&v->lock);
	return found;
}

bool fs_sessions_has(struct fs_vault *v, struct fs_session *s, uint32_t rights)
{
	struct policy_verdict verdict;

	return fs_session_state(s) == FS_SESSION_ACTIVE &&
	       !fs_vault_decide_vault(v, s, rights, &verdict, NULL, 0) &&
	       verdict.answer == POLICY_ALLOW;
}

struct fs_session *fs_sessions_with(struct fs_vault *v, uint32_t rights)
{
	for (size_t i = 0; i < v->session_count; i++) {
		if (fs_sessions_has(v, v->sessions[i], rights))
			return fs_session_get(v->sessions[i]);
	}
	return NULL;
}

/* Both under edit: whoever holds it may walk the list without the tables' lock. */
static int list_add(struct fs_vault *v, struct fs_session *s)
{
	struct fs_session **list;

	pthread_rwlock_wrlock(&v->lock);
	list = realloc(v->sessions, (v->session_count + 1) * sizeof(*list));
	if (list) {
		v->sessions = list;
		list[v->session_count++] = fs_session_get(s);
	}
	pthread_rwlock_unlock(&v->lock);
	return list ? 0 : -ENOMEM;
}

static bool list_remove(struct fs_vault *v, struct fs_session *s)
{
	bool found = false;

	pthread_rwlock_wrlock(&v->lock);
	for (size_t i = 0; i < v->session_count && !found; i++) {
		if (v->sessions[i] != s)
			continue;
		found = true;
		memmove(&v->sessions[i], &v->sessions[i + 1],
			(v->session_count - i - 1) * sizeof(*v->sessions));
		v->session_count--;
	}
	pthread_rwlock_unlock(&v->lock);
	if (found)
		fs_session_put(s);
	return found;
}

/* ---- keys into a session ---- */

static int put_cert(struct fs_vault *v, const struct keys_session_cert *cert)
{
	struct fs_key key = fs_key(0, 0, FS_T_SESSION_CERT);
	uint8_t bytes[KEYS_SESSION_CERT_LEN];
	struct fs_batch b;
	int rc;

	/* With nothing written, nothing is signed either. */
	if (v->cfg.read_only || fs_group_failed(fs_records_group(v->records)))
		return 0;
	fs_key_add_bytes(&key, cert->session, KEYS_SESSION_ID_LEN);
	keys_session_cert_encode(cert, bytes);
	fs_batch_init(&b, NULL);
	b.urgent = true; /* a full disk must not keep anybody from reading */
	fs_batch_put(&b, fs_records_vault(v->records), &key, bytes, sizeof(bytes));
	rc = fs_group_apply(fs_records_group(v->records), &b, NULL);
	fs_batch_clear(&b);
	return rc;
}

/* Was a second factor shown just now? A code is not asked for at an unlock. */
static uint64_t factor_shown(const struct fs_login_proof *proof)
{
	return proof->how[0] || proof->factor == FS_FACTOR_KEY_FILE ? fs_vault_boot_ns() : 0;
}

/* Takes over proof->secret when it succeeds. */
static int arm(struct fs_vault *v, struct fs_session *s, const struct fs_login_proof *proof,
	       const uint8_t *signer_id)
{
	struct keys_session_cert cert = {
		.pid = proof->id->pid,
		.enrolment = proof->id->enrolment,
		.from_s = (uint64_t)fs_vault_wall_s(),
		.until_s = s->ceiling_s,
	};
	uint8_t *sk = keys_guard_new(KEYS_SIGN_SK_LEN);
	struct fs_signer *signer = NULL;
	int rc = sk ? 0 : -ENOMEM;

	if (!rc) {
		memcpy(cert.vault, v->header.vault, sizeof(cert.vault));
		memcpy(cert.session, signer_id, sizeof(cert.session));
		keys_session_cert_new(&cert, proof->secret, sk);
		rc = fs_signer_new(&cert, sk, &signer);
	}
	if (!rc)
		rc = put_cert(v, &cert);
	keys_guard_free(sk);
	if (rc) {
		fs_signer_put(signer);
		return rc;
	}
	pthread_rwlock_wrlock(&s->lock);
	/* It may have been ended meanwhile, which is for good. */
	if (fs_session_state(s) == FS_SESSION_LOCKED) {
		s->secret = proof->secret;
		s->signer = signer;
		atomic_store(&s->signed_s, cert.from_s);
		atomic_store(&s->factor, proof->factor);
		atomic_store(&s->factor_ns, factor_shown(proof));
		atomic_store(&s->active_ns, fs_vault_boot_ns());
		atomic_store(&s->state, FS_SESSION_ACTIVE);
	} else {
		rc = -ENOKEY;
	}
	pthread_rwlock_unlock(&s->lock);
	if (rc) {
		fs_signer_put(signer);
		return rc;
	}
	fs_grants_retry(v);
	return 0;
}

static uint32_t ceiling_of(struct fs_vault *v)
{
	const struct policy_settings *set = policy_practice_settings(v->practice);

	if (!set->ceiling_s)
		return CEILING_S;
	return set->ceiling_s < CEILING_MAX_S ? set->ceiling_s : CEILING_MAX_S;
}

static struct fs_session *session_for(struct fs_vault *v, const struct fs_login *in,
				      const struct keys_identity *id)
{
	struct fs_session *s = fs_session_new();
	uint32_t ceiling;

	if (!s)
		return NULL;
	ceiling = ceiling_of(v);
	keys_random(s->id, sizeof(s->id));
	s->pid = id->pid;
	s->enrolment = id->enrolment;
	s->uid = in->uid;
	s->identity = *id;
	snprintf(s->who, sizeof(s->who), "%s", id->name);
	snprintf(s->origin, sizeof(s->origin), "%s", in->origin ? in->origin : "");
	s->since_s = (uint64_t)fs_vault_wall_s();
	s->ceiling_s = s->since_s + ceiling;
	s->ceiling_boot_ns = fs_vault_boot_ns() + (uint64_t)ceiling * 1000000000u;
	return s;
}

static int login_locked(struct fs_vault *v, const struct fs_login *in, struct fs_session **out,
			struct fs_say *say)
{
	struct fs_login_proof proof = {.secret = keys_guard_new(sizeof(*proof.secret))};
	struct fs_session *s = NULL;
	int rc = proof.secret ? fs_login_prove(v, in, NULL, &proof, say) : -ENOMEM;

	if (!rc) {
		s = session_for(v, in, proof.id);
		rc = s ? 0 : -ENOMEM;
	}
	if (!rc)
		rc = fs_vault_tell(v, s, POLICY_RECORD_LOGIN, 0, NULL, "log-in%s%s",
				   proof.how[0] ? ", second factor: " : "", proof.how);
	if (!rc)
		rc = arm(v, s, &proof, s->id);
	if (!rc) {
		proof.secret = NULL;
		rc = list_add(v, s);
	}
	keys_guard_free(proof.secret);
	if (rc) {
		fs_session_put(s);
		fs_policies_release(v);
		return rc;
	}
	*out = s;
	return 0;
}

int fs_vault_login(struct fs_vault *v, const struct fs_login *in, struct fs_session **out,
		   struct fs_say *say)
{
	int rc;

	pthread_mutex_lock(&v->edit);
	rc = login_locked(v, in, out, say);
	pthread_mutex_unlock(&v->edit);
	if (rc && say && !say->text[0])
		fs_say(say, "log-in failed: %s", strerror(-rc));
	return rc;
}

int fs_vault_unlock(struct fs_vault *v, struct fs_session *s, const struct fs_login *in,
		    struct fs_say *say)
{
	struct fs_login_proof proof = {.secret = keys_guard_new(sizeof(*proof.secret))};
	const struct fs_asker by = {in->uid, in->pid, in->origin};
	uint8_t signer_id[KEYS_SESSION_ID_LEN];
	int rc = proof.secret ? 0 : -ENOMEM;

	keys_random(signer_id, sizeof(signer_id));
	pthread_mutex_lock(&v->edit);
	if (!rc && fs_session_state(s) == FS_SESSION_ENDED) {
		fs_say(say, "the session has ended; log in again");
		rc = -ENOKEY;
	}
	if (!rc && fs_session_state(s) != FS_SESSION_LOCKED)
		rc = -EALREADY;
	if (!rc)
		rc = fs_login_prove(v, in, s, &proof, say);
	if (!rc)
		rc = fs_vault_tell_by(v, s, POLICY_RECORD_UNLOCK, &by, "unlock");
	if (!rc && fs_session_state(s) != FS_SESSION_LOCKED)
		rc = -ENOKEY;
	if (!rc)
		rc = arm(v, s, &proof, signer_id);
	if (rc) {
		keys_guard_free(proof.secret);
		fs_policies_release(v);
	}
	pthread_mutex_unlock(&v->edit);
	return rc == -EALREADY ? 0 : rc;
}

/* ---- lock and end ---- */

static bool move_state(struct fs_session *s, enum fs_session_state from, enum fs_session_state to)
{
	bool moved;

	pthread_rwlock_wrlock(&s->lock);
	moved = fs_session_state(s) == from;
	if (moved)
		atomic_store(&s->state, to);
	pthread_rwlock_unlock(&s->lock);
	return moved;
}

void fs_vault_lock_begin(struct fs_vault *v, struct fs_session *s)
{
	(void)v;
	(void)move_state(s, FS_SESSION_ACTIVE, FS_SESSION_DRAINING);
}

void fs_vault_end_begin(struct fs_vault *v, struct fs_session *s)
{
	(void)v;
	pthread_rwlock_wrlock(&s->lock);
	atomic_store(&s->state, FS_SESSION_ENDED);
	pthread_rwlock_unlock(&s->lock);
}

/* What the session wrote is made durable, then its keys go and with the last one the index. */
static int quiesce(struct fs_vault *v, struct fs_session *s)
{
	int rc = fs_group_sync(fs_records_group(v->records), 0);

	fs_session_wipe(s);
	return rc;
}

static void release(struct fs_vault *v)
{
	pthread_mutex_lock(&v->edit);
	fs_policies_release(v);
	pthread_mutex_unlock(&v->edit);
}

int fs_vault_lock_finish_by(struct fs_vault *v, struct fs_session *s, const struct fs_asker *by,
			    const char *why)
{
	int rc, rc2;

	if (fs_session_state(s) != FS_SESSION_DRAINING)
		return 0;
	rc = quiesce(v, s);
	rc2 = fs_vault_tell_by(v, s, POLICY_RECORD_LOCK, by, "%s", why);
	(void)move_state(s, FS_SESSION_DRAINING, FS_SESSION_LOCKED);
	release(v);
	return rc ? rc : rc2;
}

int fs_vault_lock_finish(struct fs_vault *v, struct fs_session *s, const char *why)
{
	return fs_vault_lock_finish_by(v, s, NULL, why);
}

int fs_vault_end_finish_by(struct fs_vault *v, struct fs_session *s, const struct fs_asker *by,
			   const char *why)
{
	bool listed;
	int rc, rc2;

	fs_vault_end_begin(v, s);
	rc = quiesce(v, s);
	pthread_mutex_lock(&v->edit);
	listed = list_remove(v, s);
	pthread_mutex_unlock(&v->edit);
	if (!listed)
		return rc;
	rc2 = fs_vault_tell_by(v, s, POLICY_RECORD_LOGOUT, by, "%s", why);
	release(v);
	return rc ? rc : rc2;
}

int fs_vault_end_finish(struct fs_vault *v, struct fs_session *s, const char *why)
{
	return fs_vault_end_finish_by(v, s, NULL, why);
}

/* ---- time and policy at work on sessions ---- */

static const char *over(struct fs_vault *v, struct fs_session *s)
{
	const struct policy_practitioner *p;
	const char *why = NULL;
	int64_t now = fs_vault_wall_s();

	if ((uint64_t)now >= s->ceiling_s || fs_vault_boot_ns() >= s->ceiling_boot_ns)
		return "the session reached its longest time";
	pthread_rwlock_rdlock(&v->lock);
	if (v->practice) {
		p = policy_practice_find(v->practice, s->who);
		why = fs_login_status(p, &s->identity, now);
	}
	pthread_rwlock_unlock(&v->lock);
	return why;
}

void fs_sessions_tick(struct fs_vault *v)
{
	struct fs_session **all;
	size_t n = fs_sessions_all(v, &all);

	for (size_t i = 0; i < n; i++) {
		const char *why = over(v, all[i]);

		/* Draining: its end, or a lock that will be over soon, is under way. */
		if (!why || fs_session_state(all[i]) == FS_SESSION_ENDED ||
		    fs_session_state(all[i]) == FS_SESSION_DRAINING)
			continue;
		/* What mappings hold unsaved was written while he might: it is still taken. */
		fs_vault_lock_begin(v, all[i]);
		if (v->cfg.session_over)
			v->cfg.session_over(v->cfg.ctx, all[i], why);
		else
			(void)fs_vault_end_finish(v, all[i], why);
	}
	fs_sessions_put_all(all, n);
	/* A full disk may have kept the index key from going with the last session. */
	release(v);
}

struct trim {
	struct fs_vault *v;
	struct fs_session *s;
};

static bool still_reads(void *ctx, uint32_t index)
{
	struct trim *t = ctx;
	struct policy_verdict verdict;

	return !fs_vault_decide(t->v, t->s, index, POLICY_READ, &verdict, NULL, 0) &&
	       verdict.answer == POLICY_ALLOW;
}

void fs_sessions_trim(struct fs_vault *v)
{
	struct fs_session **all;
	size_t n = fs_sessions_all(v, &all);

	for (size_t i = 0; i < n; i++) {
		struct trim t = {v, all[i]};

		fs_session_journals_drop(all[i], still_reads, &t);
	}
	fs_sessions_put_all(all, n);
}
