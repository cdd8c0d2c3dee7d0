/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/policies.c - policy versions: what is in force, and what was.
 *
 * Owns the index while it is open (practice policy, names and policies of all
 * journals) and the chain of policy statements. Every version is a signed
 * statement whose number is global; its body says which file it is, which version
 * it replaces and which practice version was in force, so that both the history
 * of a file and the state at any version are found without a search. Implements
 * fs/FORMAT.md, "POLICY", "PRACTICE", "JPOLICY", "NAME".
 *
 * Invariants: (1) the practice policy in force is what its statement says, signed
 * by somebody who had the policy right under the version before; (2) the index
 * key is forgotten only after the group that needs it is durable.
 */
#include "vault_impl.h"

#define FORMAT 1	 /* without a reason */
#define FORMAT_REASON 2 /* a text with the reason before the policy's text */
#define BODY_HEAD 13

/* ---- statements ---- */

static struct fs_key version_key(uint32_t number)
{
	return fs_key_n(0, 0, FS_T_POLICY, number, 4);
}

struct fs_key fs_policies_key(uint32_t file)
{
	return file ? fs_key(file, 0, FS_T_JPOLICY) : fs_key(0, 0, FS_T_PRACTICE);
}

void fs_policies_clear(struct fs_version *ver)
{
	if (ver->bytes)
		keys_wipe(ver->bytes, ver->st.body.len);
	free(ver->bytes);
	memset(ver, 0, sizeof(*ver));
}

static int version_decode(struct fs_vault *v, const uint8_t *p, size_t len, uint32_t number,
			  struct fs_version *out)
{
	struct bytes_in in;
	uint8_t format;

	if (keys_statement_decode(p, len, &out->st))
		return -EBADMSG;
	in = bytes_in(out->st.body.p, out->st.body.len);
	format = bytes_get_u8(&in);
	out->number = out->st.number;
	out->file = bytes_get_u32(&in);
	out->practice = bytes_get_u32(&in);
	out->before = bytes_get_u32(&in);
	if (format == FORMAT_REASON)
		bytes_get_text(&in, out->reason, sizeof(out->reason));
	out->signer = out->st.signer;
	out->enrolment = out->st.enrolment;
	out->time_s = out->st.time_s;
	if (in.bad || (format != FORMAT && format != FORMAT_REASON) || out->st.kind != KEYS_STATEMENT_POLICY ||
	    out->number != number || out->before >= number || out->practice >= number ||
	    memcmp(out->st.vault, v->header.vault, KEYS_VAULT_ID_LEN))
		return -EBADMSG;
	out->text = (const char *)in.p + in.off;
	out->len = in.len - in.off;
	keys_statement_hash(&out->st, out->hash);
	return 0;
}

int fs_policies_peek(struct fs_vault *v, uint32_t number, struct fs_version *out)
{
	struct fs_key prefix = version_key(number);
	size_t len;
	int rc;

	memset(out, 0, sizeof(*out));
	rc = fs_vault_parts_get(v, &prefix, &out->bytes, &len);
	if (!rc)
		rc = version_decode(v, out->bytes, len, number, out);
	if (rc)
		fs_policies_clear(out);
	return rc == -ENOENT ? -EBADMSG : rc;
}

int fs_policies_read(struct fs_vault *v, uint32_t number, struct fs_version *out)
{
	uint8_t pk[KEYS_LEN];
	int rc = fs_policies_peek(v, number, out);

	if (rc)
		return rc;
	rc = fs_people_signer_pk(v, out->signer, out->enrolment, false, pk);
	if (!rc)
		rc = keys_statement_verify(&out->st, pk);
	if (rc)
		fs_policies_clear(out);
	return rc == -ENOENT ? -EBADMSG : rc;
}

/* The text in force: version u32 | text, in parts. */
static void put_in_force(struct fs_edit *e, uint32_t file, const uint8_t *body, size_t len)
{
	struct fs_key prefix = fs_policies_key(file);

	fs_vault_parts_put(e->v, &e->b, &prefix, body, len);
}

int fs_policies_add(struct fs_edit *e, const struct fs_hand *by, uint32_t file, uint32_t before,
		    const char *text, size_t len)
{
	return fs_policies_add_because(e, by, file, before, text, len, "");
}

/* Without a reason in the first format, which earlier versions of this program read too. */
int fs_policies_add_because(struct fs_edit *e, const struct fs_hand *by, uint32_t file,
			    uint32_t before, const char *text, size_t len, const char *reason)
{
	size_t cap = BODY_HEAD + 2 + strlen(reason) + len;
	size_t room = cap + KEYS_STATEMENT_OVERHEAD, made = 0;
	uint8_t *body = malloc(cap), *bytes = malloc(room);
	struct bytes_out out;
	struct fs_key prefix;
	struct keys_statement st = {
		.kind = KEYS_STATEMENT_POLICY,
		.number = e->c.policy + 1,
		.signer = by->pid,
		.enrolment = by->enrolment,
		.time_s = (uint64_t)fs_vault_wall_s(),
	};
	int rc = -ENOMEM;

	if (!body || !bytes)
		goto out;
	out = bytes_out(body, cap);
	bytes_put_u8(&out, reason[0] ? FORMAT_REASON : FORMAT);
	bytes_put_u32(&out, file);
	bytes_put_u32(&out, e->c.practice);
	bytes_put_u32(&out, before);
	if (reason[0])
		bytes_put_text(&out, reason);
	bytes_put(&out, text, len);
	st.body = (struct keys_span){body, out.len};
	memcpy(st.vault, e->v->header.vault, sizeof(st.vault));
	memcpy(st.prev, e->policy_head, sizeof(st.prev));
	keys_statement_sign(&st, by->sk);
	rc = keys_statement_encode(&st, bytes, room, &made);
	if (rc)
		goto out;
	prefix = version_key(st.number);
	fs_vault_parts_put(e->v, &e->b, &prefix, bytes, made);
	out = bytes_out(bytes, room);
	bytes_put_u32(&out, st.number);
	bytes_put(&out, text, len);
	put_in_force(e, file, bytes, out.len);
	keys_statement_hash(&st, e->policy_head);
	e->c.policy = st.number;
	if (!file)
		e->c.practice = st.number;
out:
	if (bytes)
		keys_wipe(bytes, room);
	free(bytes);
	free(body);
	return rc;
}

int fs_policies_text(struct fs_vault *v, uint32_t file, char **text, size_t *len, uint32_t *version)
{
	struct fs_key prefix = fs_policies_key(file);
	struct bytes_in in;
	uint8_t *p = NULL;
	size_t n;
	int rc = fs_vault_parts_get(v, &prefix, &p, &n);

	if (rc)
		return rc;
	in = bytes_in(p, n);
	*version = bytes_get_u32(&in);
	if (in.bad) {
		free(p);
		return -EBADMSG;
	}
	memmove(p, p + in.off, n - in.off + 1);
	*len = n - in.off;
	*text = (char *)p;
	return 0;
}

/* ---- the index ---- */

/*
 * Between a daemon's start and the first log-in no policy can be read: whether records go on being forwarded is kept with
 * the host's state, but never that names may, which only the policy itself can say.
 */
void fs_policies_forward(struct fs_vault *v, const struct policy_practice *practice)
{
	const struct policy_settings *set = policy_practice_settings(practice);
	int how = !set->log_forward	      ? POLICY_FORWARD_OFF
		  : set->log_forward_names ? POLICY_FORWARD_NAMES
					      : POLICY_FORWARD_ON;

	atomic_store(&v->forward, how);
	if (v->cfg.forward)
		fs_state_forward_write(v, how != POLICY_FORWARD_OFF);
}

static int load_practice(struct fs_vault *v)
{
	struct policy_practice *practice = NULL;
	struct fs_version ver;
	uint32_t version = 0;
	char *text = NULL;
	size_t len = 0;
	int rc = fs_policies_text(v, 0, &text, &len, &version);

	if (rc)
		return rc == -ENOENT ? -EBADMSG : rc;
	rc = version == v->counters.practice ? fs_policies_read(v, version, &ver) : -EBADMSG;
	if (!rc) {
		if (ver.file || ver.len != len || memcmp(ver.text, text, len))
			rc = -EBADMSG;
		fs_policies_clear(&ver);
	}
	if (!rc)
		rc = fs_policies_parse_practice(text, len, &practice);
	free(text);
	if (rc)
		return rc;
	fs_policies_forward(v, practice);
	pthread_rwlock_wrlock(&v->lock);
	v->practice = practice;
	atomic_store(&v->denies, policy_practice_denies_programs(v->practice));
	pthread_rwlock_unlock(&v->lock);
	return 0;
}

/* The signer of the practice policy in force: his chain, and his right under the one before. */
static int check_practice(struct fs_vault *v)
{
	const struct keys_identity *id = NULL;
	struct fs_version ver;
	int rc = fs_policies_read(v, v->counters.practice, &ver);

	if (rc)
		return rc;
	if (ver.signer) {
		rc = fs_people_identity(v, ver.signer, ver.enrolment, true, &id);
		if (!rc)
			rc = fs_policies_had(v, ver.practice, id->name, POLICY_POLICY,
					     (int64_t)ver.time_s);
	}
	fs_policies_clear(&ver);
	return rc == -ENOENT ? -EBADMSG : rc;
}

static int load_head(struct fs_vault *v)
{
	struct fs_version ver;
	int rc = fs_policies_read(v, v->counters.policy, &ver);

	if (rc)
		return rc;
	memcpy(v->policy_head, ver.hash, KEYS_LEN);
	fs_policies_clear(&ver);
	return 0;
}

static int load_name(void *ctx, const struct fs_key *key, struct fs_buf *buf)
{
	struct fs_catalog *t = ctx;
	struct bytes_in in = bytes_in(buf->data, buf->len);
	uint32_t index = bytes_get_u32(&in);
	char name[256];
	struct fs_entry *e;
	int rc;

	bytes_get_text(&in, name, sizeof(name));
	if (!bytes_in_done(&in) || !index || index > FS_JOURNAL_MAX)
		return -EBADMSG;
	e = fs_catalog_new_entry(index, name);
	if (!e)
		return -ENOMEM;
	e->hash = fs_key_sub(key, 8);
	e->slot = (uint8_t)fs_key_be(key, 18, 1);
	rc = fs_catalog_insert(t, e);
	if (rc)
		free(e);
	return rc;
}

/* A journal whose policy is damaged stays listed for stewards and admits nobody. */
static int load_journal(struct fs_vault *v, struct fs_entry *e)
{
	char *text = NULL;
	size_t len = 0;
	int rc = fs_policies_text(v, e->index, &text, &len, &e->version);

	if (!rc)
		rc = fs_policies_parse_journal(text, len, e->name, &e->policy);
	if (!rc && strcmp(policy_journal_name(e->policy), e->name)) {
		policy_journal_put(e->policy);
		e->policy = NULL;
		rc = -EBADMSG;
	}
	free(text);
	if (rc == -EBADMSG || rc == -ENOENT) {
		fs_vault_alarm(v, e->index, "the policy of a journal does not verify");
		return 0;
	}
	return rc;
}

/* Every other journal of the catalog, from `at` on. */
struct loading {
	struct fs_vault *v;
	const struct fs_catalog *t;
	uint32_t at;
	int rc;
};

static void *load_every_other(void *arg)
{
	struct loading *l = arg;

	for (uint32_t i = l->at; i < l->t->cap && !l->rc; i += 2) {
		if (l->t->by_index[i])
			l->rc = load_journal(l->v, l->t->by_index[i]);
	}
	return NULL;
}

/* A first log-in waits for this: two threads halve it. They touch different entries. */
static int load_all(struct fs_vault *v, const struct fs_catalog *t)
{
	struct loading half[2] = {{v, t, 0, 0}, {v, t, 1, 0}};
	pthread_t other;
	bool two = t->count > 1000 && !pthread_create(&other, NULL, load_every_other, &half[1]);

	load_every_other(&half[0]);
	if (two)
		pthread_join(other, NULL);
	else
		load_every_other(&half[1]);
	return half[0].rc ? half[0].rc : half[1].rc;
}

static int load_journals(struct fs_vault *v)
{
	struct fs_key from = fs_key(0, 0, FS_T_NAME), to = fs_key(0, 0, FS_T_NAME + 1);
	struct fs_catalog t = {.bucket = calloc(FS_NAME_BUCKETS, sizeof(*t.bucket))}, old;
	int rc = t.bucket ? 0 : -ENOMEM;

	if (!rc)
		rc = fs_record_scan(fs_records_vault(v->records), &from, &to, load_name, &t);
	if (!rc)
		rc = load_all(v, &t);
	if (rc) {
		if (t.bucket)
			fs_catalog_clear(&t);
		free(t.by_index);
		free(t.bucket);
		return rc;
	}
	pthread_rwlock_wrlock(&v->lock);
	old = v->journals;
	v->journals = t;
	pthread_rwlock_unlock(&v->lock);
	fs_catalog_clear(&old);
	free(old.by_index);
	free(old.bucket);
	return 0;
}

int fs_policies_open_index(struct fs_vault *v, const struct fs_index_keys *keys)
{
	int rc;

	if (v->index_key)
		return keys_equal(v->index_key, keys->k[keys->n - 1].key, KEYS_LEN) ? 0 : -EBADMSG;
	rc = fs_index_set(v, keys);
	if (rc)
		return rc;
	rc = load_practice(v);
	if (!rc)
		rc = check_practice(v);
	if (!rc)
		rc = fs_index_check(v);
	if (!rc)
		rc = load_head(v);
	if (!rc)
		rc = load_journals(v);
	if (!rc)
		rc = fs_lists_check(v);
	if (rc) {
		if (rc == -EBADMSG)
			fs_vault_alarm(v, 0, "the policy in force does not verify");
		fs_policies_forget(v);
		return rc;
	}
	fs_grants_changed(v);
	return 0;
}

void fs_policies_forget(struct fs_vault *v)
{
	struct policy_practice *practice;

	fs_log_grants_stop(v);
	fs_index_forget(v);
	pthread_rwlock_wrlock(&v->lock);
	practice = v->practice;
	v->practice = NULL;
	fs_catalog_clear(&v->journals);
	pthread_rwlock_unlock(&v->lock);
	if (practice)
		policy_practice_put(practice);
	fs_policies_history_clear(v);
}

/*
 * The one place where a commit is waited for under edit: with nobody logged in there is nobody
 * to delay. A full disk keeps the group and so the key; the next tick tries again.
 */
void fs_policies_release(struct fs_vault *v)
{
	if (!v->index_key)
		return;
	for (size_t i = 0; i < v->session_count; i++) {
		enum fs_session_state state = fs_session_state(v->sessions[i]);

		if (state == FS_SESSION_ACTIVE || state == FS_SESSION_DRAINING)
			return;
	}
	if (fs_group_sync(fs_records_group(v->records), 0) != -ENOSPC)
		fs_policies_forget(v);
}

/*
 * Roots signed from now on carry the newest version. What was written under the version before
 * must be durable first, or a reader would judge it by rules that its writer was not subject to.
 */
int fs_policies_announce(struct fs_vault *v)
{
	uint32_t version;
	int rc;

	pthread_rwlock_rdlock(&v->lock);
	version = v->counters.policy;
	pthread_rwlock_unlock(&v->lock);
	rc = fs_group_sync(fs_records_group(v->records), 0);
	pthread_rwlock_wrlock(&v->lock);
	if (version > v->signed_version) {
		v->signed_version = version;
		fs_records_policy_version(v->records, version);
	}
	pthread_rwlock_unlock(&v->lock);
	return rc;
}

struct policy_practice *fs_vault_practice(struct fs_vault *v)
{
	struct policy_practice *p = NULL;

	pthread_rwlock_rdlock(&v->lock);
	if (v->practice)
		p = policy_practice_get(v->practice);
	pthread_rwlock_unlock(&v->lock);
	return p;
}

uint32_t fs_vault_policy_version(struct fs_vault *v)
{
	uint32_t version;

	pthread_rwlock_rdlock(&v->lock);
	version = v->counters.policy;
	pthread_rwlock_unlock(&v->lock);
	return version;
}
