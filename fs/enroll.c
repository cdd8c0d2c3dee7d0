/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/enroll.c - invitations and new identities.
 *
 * A steward's invitation certifies a key that the one-time code seeds; the person
 * who knows the code makes an identity signed by it. Implements fs/FORMAT.md,
 * "INVITE", "IDENTITY", "ENVELOPE".
 *
 * Invariants: (1) a code makes one identity; (2) only the newest invitation of a
 * practitioner counts; (3) a second identity of somebody raises an alarm; (4) an
 * answer of success means that identity or envelope are durable.
 */
#include "vault_impl.h"

#define DAYS 7
#define DAYS_MAX 90

/* ---- building blocks ---- */

int fs_enroll_invite(struct fs_edit *e, const struct fs_invite_request *rq,
		     const uint8_t index_key[static KEYS_LEN],
		     const uint8_t code[static KEYS_CODE_LEN],
		     uint8_t bytes[static FS_INVITE_BYTES], size_t *len, uint32_t *number)
{
	struct fs_vault *v = e->v;
	const struct fs_person *p = fs_people_find(v, rq->name);
	uint8_t body[KEYS_INVITE_MAX + 4];
	struct bytes_out out = bytes_out(body, 4);
	struct keys_invite inv = {
		.pid = p ? p->pid : e->c.pid + 1,
		.enrolment = p ? p->enrolment + 1 : 1,
		.expires_s = (uint64_t)fs_vault_wall_s() + (uint64_t)rq->days * 86400,
		.index_generation = e->c.index_generation,
	};
	struct keys_statement st = {
		.kind = KEYS_STATEMENT_INVITE,
		.number = e->c.invite + 1,
		.signer = rq->by.pid,
		.enrolment = rq->by.enrolment,
		.time_s = (uint64_t)fs_vault_wall_s(),
	};
	struct fs_key key = fs_key_n(0, 0, FS_T_INVITE, st.number, 4);
	size_t n;
	int rc;

	snprintf(inv.name, sizeof(inv.name), "%s", rq->name);
	snprintf(inv.account, sizeof(inv.account), "%s", rq->account);
	snprintf(inv.role, sizeof(inv.role), "%s", rq->role);
	keys_invite_fill(&inv, v->header.vault, code, index_key);
	bytes_put_u32(&out, e->c.policy);
	rc = keys_invite_encode(&inv, body + 4, sizeof(body) - 4, &n);
	if (rc)
		return rc;
	memcpy(st.vault, v->header.vault, sizeof(st.vault));
	memcpy(st.prev, e->invite_head, sizeof(st.prev));
	st.body = (struct keys_span){body, n + 4};
	keys_statement_sign(&st, rq->by.sk);
	rc = keys_statement_encode(&st, bytes, FS_INVITE_BYTES, len);
	if (rc)
		return rc;
	fs_batch_put(&e->b, fs_records_vault(v->records), &key, bytes, *len);
	keys_statement_hash(&st, e->invite_head);
	e->c.invite = st.number;
	if (inv.pid > e->c.pid)
		e->c.pid = inv.pid;
	*number = st.number;
	return 0;
}

void fs_enroll_seal(struct fs_vault *v, const struct keys_identity *id,
		    const struct keys_identity_secret *secret, const struct fs_newcomer *who,
		    struct keys_envelope *env)
{
	uint8_t key[KEYS_LEN];

	memset(env, 0, sizeof(*env));
	memcpy(env->salt, who->salt, sizeof(env->salt));
	env->cost = *who->cost;
	env->keyfile = who->keyfile.len != 0;
	env->set_s = (uint64_t)fs_vault_wall_s();
	keys_stretch_envelope(who->stretched, v->host_secret, who->keyfile, key);
	keys_envelope_seal(env, id, secret, key);
	keys_wipe(key, sizeof(key));
}

void fs_enroll_put_envelope(struct fs_vault *v, struct fs_batch *b, uint32_t pid,
			    const struct keys_envelope *env)
{
	struct fs_key key = fs_key_n(0, 0, FS_T_ENVELOPE, pid, 4);
	uint8_t bytes[KEYS_ENVELOPE_LEN];

	keys_envelope_encode(env, bytes);
	fs_batch_put(b, fs_records_vault(v->records), &key, bytes, sizeof(bytes));
}

int fs_enroll_person(struct fs_edit *e, const struct keys_invite *inv, uint32_t number,
		     const uint8_t enrol_sk[static KEYS_SIGN_SK_LEN], const struct fs_newcomer *who,
		     struct keys_identity *id, struct keys_identity_secret *secret)
{
	struct fs_vault *v = e->v;
	struct fs_key key = fs_key_n(0, 0, FS_T_IDENTITY, inv->pid, 4);
	uint8_t bytes[KEYS_IDENTITY_MAX];
	struct keys_envelope env;
	size_t len;
	int rc = keys_stretch_check(who->cost);

	if (rc)
		return rc;
	memset(id, 0, sizeof(*id));
	memcpy(id->vault, v->header.vault, sizeof(id->vault));
	memcpy(id->root_hash, v->root_hash, sizeof(id->root_hash));
	id->pid = inv->pid;
	id->enrolment = inv->enrolment;
	id->invite = number;
	id->uid = who->uid;
	id->made_s = (uint64_t)fs_vault_wall_s();
	memcpy(id->name, inv->name, sizeof(id->name));
	memcpy(id->account, inv->account, sizeof(id->account));
	keys_identity_new(id, secret);
	keys_identity_sign(id, enrol_sk);
	rc = keys_identity_encode(id, bytes, sizeof(bytes), &len);
	if (rc)
		return rc;
	fs_key_add(&key, id->enrolment, 4);
	fs_batch_put(&e->b, fs_records_vault(v->records), &key, bytes, len);
	fs_enroll_seal(v, id, secret, who, &env);
	fs_enroll_put_envelope(v, &e->b, id->pid, &env);
	return fs_index_put_wraps(v, &e->b, id);
}

int fs_enroll_by_root(struct fs_vault *v, struct fs_invite_request *rq,
		      const struct fs_newcomer *who, const uint8_t index_key[static KEYS_LEN],
		      struct keys_identity *id)
{
	struct keys_identity_secret *secret = keys_guard_new(sizeof(*secret));
	uint8_t code[KEYS_CODE_LEN], bytes[FS_INVITE_BYTES], sk[KEYS_SIGN_SK_LEN], same[KEYS_LEN];
	const struct keys_invite *inv;
	struct fs_edit e;
	uint32_t number = 0;
	size_t len;
	int rc = secret ? 0 : -ENOMEM;

	keys_code_new(code);
	fs_vault_edit_begin(v, &e, NULL);
	if (!rc)
		rc = fs_enroll_invite(&e, rq, index_key, code, bytes, &len, &number);
	if (!rc)
		rc = fs_vault_edit_commit(&e);
	if (!rc)
		rc = fs_people_add_invite(v, number, bytes, len);
	fs_vault_edit_clear(&e);
	fs_vault_edit_begin(v, &e, NULL);
	if (!rc) {
		inv = &fs_people_invite(v, number)->inv;
		rc = keys_invite_open(inv, v->header.vault, code, sk, same);
	}
	if (!rc)
		rc = fs_enroll_person(&e, inv, number, sk, who, id, secret);
	if (!rc)
		rc = fs_vault_edit_commit(&e);
	if (!rc)
		rc = fs_people_add_identity(v, id);
	fs_vault_edit_clear(&e);
	keys_wipe(code, sizeof(code));
	keys_wipe(sk, sizeof(sk));
	keys_wipe(same, sizeof(same));
	keys_guard_free(secret);
	return rc;
}

/* ---- inviting ---- */

static int check_invite(struct fs_vault *v, struct fs_session *by, const char *name, bool again,
			const struct policy_practitioner **out, struct fs_say *say)
{
	const struct fs_person *person;
	int rc;

	if (!fs_sessions_has(v, by, POLICY_POLICY)) {
		fs_say(say, "inviting needs the policy right, which %s does not have", by->who);
		rc = fs_vault_tell(v, by, POLICY_RECORD_REFUSED, 0, NULL, "inviting %s", name);
		return rc ? rc : -EACCES;
	}
	*out = policy_practice_find(v->practice, name);
	if (!*out || (*out)->state == POLICY_LEFT) {
		fs_say(say,
		       "the practice policy %s practitioner `%s`; add or change the line first",
		       *out ? "says `left` of" : "does not name a", name);
		return -ENOENT;
	}
	person = fs_people_find(v, name);
	if (person && person->enrolment && !again) {
		fs_say(say,
		       "%s is enrolled already; a new identity replaces the old one and raises an "
		       "alarm: "
		       "say so with --again",
		       name);
		return -EEXIST;
	}
	return 0;
}

/* A new identity in place of one that is enrolled: with two stewards it takes both. */
static int propose(struct fs_vault *v, struct fs_session *by, const char *name, struct fs_say *say)
{
	struct fs_proposal p = {.what = FS_PROPOSAL_INVITE, .text = name, .len = strlen(name)};
	char detail[KEYS_NAME_MAX + 64];
	int rc = fs_consent_two(v, by);

	if (rc <= 0)
		return rc;
	snprintf(detail, sizeof(detail), "a new identity for %s", name);
	rc = fs_consent_keep(v, by, &p, detail, say);
	if (rc)
		return rc;
	fs_say(say,
	       "whoever has the code becomes %s, which takes two stewards: another one gets the code "
	       "with `journalfs approve %u`",
	       name, p.number);
	return -EINPROGRESS;
}

static int invite_locked(struct fs_vault *v, struct fs_session *by, const char *name, bool again,
			 uint32_t days, const struct fs_proposal *agreed,
			 char code[static KEYS_CODE_TEXT_MAX], struct fs_say *say)
{
	const struct fs_person *person;
	const struct policy_practitioner *p = NULL;
	struct fs_invite_request rq = {.name = name, .days = days};
	uint8_t raw[KEYS_CODE_LEN], bytes[FS_INVITE_BYTES];
	struct fs_edit e;
	uint32_t number;
	size_t len;
	int rc = check_invite(v, by, name, again, &p, say);

	if (rc)
		return rc;
	person = fs_people_find(v, name);
	if (person && person->enrolment && !agreed)
		rc = propose(v, by, name, say);
	if (rc)
		return rc;
	rq.account = p->account;
	rq.role = p->role->name;
	rc = fs_vault_tell(v, by, POLICY_RECORD_INVITE, 0, NULL,
			   "%s (account %s, role %s)%s%s%s", name, p->account, p->role->name,
			   again ? ", again" : "", agreed ? ", as proposed by " : "",
			   agreed ? agreed->who : "");
	if (!rc && again)
		rc = fs_vault_tell(v, by, POLICY_RECORD_ALARM, 0, NULL,
				   "%s is invited again: whoever holds the code becomes %s", name,
				   name);
	if (rc)
		return rc;
	keys_code_new(raw);
	fs_vault_edit_begin(v, &e, NULL);
	pthread_rwlock_rdlock(&by->lock);
	rc = by->secret ? 0 : -ENOKEY;
	if (!rc) {
		rq.by = (struct fs_hand){by->pid, by->enrolment, by->secret->statement_sk};
		rc = fs_enroll_invite(&e, &rq, v->index_key, raw, bytes, &len, &number);
	}
	pthread_rwlock_unlock(&by->lock);
	if (agreed)
		fs_consent_drop(&e, agreed->number);
	if (!rc)
		rc = fs_vault_edit_commit(&e);
	if (!rc)
		rc = fs_people_add_invite(v, number, bytes, len);
	if (!rc)
		keys_code_print(raw, code);
	fs_vault_edit_clear(&e);
	keys_wipe(raw, sizeof(raw));
	return rc;
}

int fs_vault_invite(struct fs_vault *v, struct fs_session *by, const char *name, bool again,
		    uint32_t days, char code[static KEYS_CODE_TEXT_MAX], struct fs_say *say)
{
	int rc;

	if (fs_session_state(by) != FS_SESSION_ACTIVE)
		return -ENOKEY;
	if (!days)
		days = DAYS;
	if (days > DAYS_MAX) {
		fs_say(say, "an invitation holds for at most %d days", DAYS_MAX);
		return -EINVAL;
	}
	pthread_mutex_lock(&v->edit);
	rc = invite_locked(v, by, name, again, days, NULL, code, say);
	pthread_mutex_unlock(&v->edit);
	if ((!rc || rc == -EINPROGRESS) && fs_group_sync(fs_records_group(v->records), 0))
		rc = -EIO;
	if (rc)
		keys_wipe(code, KEYS_CODE_TEXT_MAX);
	return rc;
}

int fs_enroll_invite_agreed(struct fs_vault *v, struct fs_session *by, const char *name,
			    const struct fs_proposal *p, char code[static KEYS_CODE_TEXT_MAX],
			    struct fs_say *say)
{
	return invite_locked(v, by, name, true, DAYS, p, code, say);
}

/* ---- enrolling ---- */

static int refused(struct fs_vault *v, const struct fs_enroll *in, const char *who, int rc,
		   const char *why, struct fs_say *say)
{
	int rc2 = fs_vault_tell_refused(v, in->uid, in->pid, who, in->origin, "enrolling: %s", why);

	fs_say(say, "%s", why);
	return rc2 ? rc2 : rc;
}

struct opened {
	struct fs_known_invite *k;
	uint8_t sk[KEYS_SIGN_SK_LEN];
	uint8_t index_key[KEYS_LEN];
};

/* The invitation that the code opens, newest first. */
static int find_invite(struct fs_vault *v, const uint8_t *code, struct opened *o)
{
	for (uint32_t i = v->invite_count; i > 0; i--) {
		struct fs_known_invite *k = v->invites[i - 1];

		if (k && !keys_invite_open(&k->inv, v->header.vault, code, o->sk, o->index_key)) {
			o->k = k;
			return 0;
		}
	}
	return -EKEYREJECTED;
}

static int check_code(struct fs_vault *v, const struct fs_enroll *in, const struct opened *o,
		      struct fs_say *say)
{
	const struct keys_invite *inv = &o->k->inv;
	const struct fs_person *p = fs_people_by_pid(v, inv->pid);
	uint8_t pk[KEYS_LEN];
	int rc;

	if (inv->enrolment <= p->enrolment) {
		fs_vault_alarm(v, 0, "the invitation code of %s was used a second time, by uid %u",
			       inv->name, (unsigned)in->uid);
		return refused(v, in, inv->name, -EKEYREJECTED,
			       "this code was used already; if not by you, tell a steward at once",
			       say);
	}
	if (p->invite != o->k->number)
		return refused(v, in, inv->name, -EKEYREJECTED,
			       "a newer invitation replaced this code; use that one", say);
	if ((uint64_t)fs_vault_wall_s() >= inv->expires_s)
		return refused(v, in, inv->name, -EKEYREJECTED,
			       "this code has expired; a steward can invite again", say);
	if (strcmp(inv->account, in->account))
		return refused(v, in, inv->name, -EPERM, "this code is for another system account",
			       say);
	rc = fs_people_signer_pk(v, o->k->st.signer, o->k->st.enrolment, false, pk);
	if (!rc)
		rc = keys_statement_verify(&o->k->st, pk);
	return rc;
}

/*
 * The code opens the index by itself as long as the index key is the one of the invitation. Once it
 * was renewed somebody has to be there who holds it.
 */
static int open_index(struct fs_vault *v, const struct fs_enroll *in, const struct opened *o,
		      struct fs_say *say)
{
	struct fs_index_keys keys;
	int rc;

	if (v->index_key)
		return 0;
	rc = fs_index_from_invite(v, o->k->inv.index_generation, o->index_key, &keys);
	if (rc == -ESTALE)
		return refused(v, in, o->k->inv.name, -EKEYREJECTED,
			       "somebody left since this invitation was made and the vault's keys "
			       "were renewed: enrol while a colleague is logged in, or have a "
			       "steward invite again",
			       say);
	if (!rc)
		rc = fs_policies_open_index(v, &keys);
	keys_wipe(&keys, sizeof(keys));
	return rc;
}

/* With the index open: is the person still wanted, as what the invitation says? */
static int check_policy(struct fs_vault *v, const struct fs_enroll *in, const struct opened *o,
			struct fs_say *say)
{
	const struct policy_practitioner *p = policy_practice_find(v->practice, o->k->inv.name);
	const struct keys_identity *issuer = NULL;
	int rc = 0;

	if (!p || p->state == POLICY_LEFT)
		return refused(v, in, o->k->inv.name, -EKEYREJECTED,
			       "the policy does not want this practitioner any more", say);
	if (strcmp(p->account, o->k->inv.account) || strcmp(p->role->name, o->k->inv.role))
		return refused(
			v, in, o->k->inv.name, -EKEYREJECTED,
			"the policy gave this practitioner another role or account meanwhile; a "
			"steward must invite again",
			say);
	if (o->k->st.signer) {
		rc = fs_people_identity(v, o->k->st.signer, o->k->st.enrolment, true, &issuer);
		if (!rc)
			rc = fs_policies_had(v, o->k->policy, issuer->name, POLICY_POLICY,
					     (int64_t)o->k->st.time_s);
	}
	return rc;
}

static int make_person(struct fs_vault *v, const struct fs_enroll *in, struct opened *o)
{
	const struct fs_newcomer who = {in->uid, in->salt, in->stretched, in->cost, in->keyfile};
	struct keys_identity_secret *secret = keys_guard_new(sizeof(*secret));
	struct keys_identity id;
	struct fs_edit e;
	int rc = secret ? 0 : -ENOMEM;

	if (!rc)
		rc = fs_vault_tell(v, NULL, POLICY_RECORD_ENROLL, 0, NULL,
				   "%s enrols as uid %u (account %s), identity %u, invitation %u",
				   o->k->inv.name, (unsigned)in->uid, in->account,
				   o->k->inv.enrolment, o->k->number);
	if (!rc && o->k->inv.enrolment > 1)
		rc = fs_vault_tell(v, NULL, POLICY_RECORD_ALARM, 0, NULL,
				   "%s has a new identity, the old one holds no more",
				   o->k->inv.name);
	fs_vault_edit_begin(v, &e, NULL);
	if (!rc)
		rc = fs_enroll_person(&e, &o->k->inv, o->k->number, o->sk, &who, &id, secret);
	if (!rc)
		rc = fs_vault_edit_commit(&e);
	if (!rc)
		rc = fs_people_add_identity(v, &id);
	fs_vault_edit_clear(&e);
	keys_guard_free(secret);
	if (!rc) {
		v->lists_dirty = true;
		fs_grants_changed(v);
	}
	return rc;
}

static int enroll_locked(struct fs_vault *v, const struct fs_enroll *in,
			 char name[static KEYS_NAME_MAX + 1], struct fs_say *say)
{
	struct opened o = {.k = NULL};
	int rc = fs_login_backoff_check(v, in->uid, 0, say);

	if (rc)
		return rc;
	if (find_invite(v, in->code, &o)) {
		fs_login_backoff_failed(v, in->uid, 0);
		return refused(v, in, "", -EKEYREJECTED,
			       "this code opens no invitation of this vault", say);
	}
	rc = check_code(v, in, &o, say);
	if (!rc)
		rc = open_index(v, in, &o, say);
	if (!rc)
		rc = check_policy(v, in, &o, say);
	if (!rc)
		rc = make_person(v, in, &o);
	if (!rc) {
		fs_login_backoff_clear(v, in->uid, 0);
		snprintf(name, KEYS_NAME_MAX + 1, "%s", o.k->inv.name);
	}
	if (rc == -EBADMSG)
		fs_vault_alarm(v, 0, "the invitation of %s does not verify", o.k->inv.name);
	keys_wipe(&o, sizeof(o));
	fs_policies_release(v);
	return rc;
}

int fs_vault_enroll(struct fs_vault *v, const struct fs_enroll *in,
		    char name[static KEYS_NAME_MAX + 1], struct fs_say *say)
{
	int rc = keys_stretch_check(in->cost);

	if (rc) {
		fs_say(say, "the passphrase was stretched with a cost that is not accepted");
		return rc;
	}
	pthread_mutex_lock(&v->edit);
	rc = enroll_locked(v, in, name, say);
	pthread_mutex_unlock(&v->edit);
	if (!rc)
		rc = fs_group_sync(fs_records_group(v->records), 0);
	return rc;
}
