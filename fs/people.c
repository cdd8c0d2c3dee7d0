/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/people.c - identities, invitations, and their chains up to the root.
 *
 * Owns the table of practitioners in memory, loaded when the vault opens (all of
 * it is stored in clear) and added to by enroll.c. Implements fs/FORMAT.md,
 * "IDENTITY" and "INVITE".
 *
 * Invariants: (1) nothing is done with an identity's keys before its chain was
 * verified: enrolment key <- invitation <- issuer's identity <- ... <- root;
 * (2) with the index open also every issuer's right to issue, under the policy
 * that was in force when he signed; (3) records in the table are never freed
 * while the vault is open, so that pointers to identities stay good.
 */
#include "vault_impl.h"

#define CHAIN_MAX 64 /* issuers between an identity and the root */

/* ---- the table ---- */

struct fs_person *fs_people_find(struct fs_vault *v, const char *name)
{
	for (size_t i = 0; i < v->people_count; i++) {
		if (!strcmp(v->people[i]->name, name))
			return v->people[i];
	}
	return NULL;
}

struct fs_person *fs_people_by_pid(struct fs_vault *v, uint32_t pid)
{
	for (size_t i = 0; i < v->people_count; i++) {
		if (v->people[i]->pid == pid)
			return v->people[i];
	}
	return NULL;
}

int fs_vault_pid_name(void *vault, uint32_t pid, char *out, size_t cap)
{
	struct fs_vault *v = vault;
	const struct fs_person *p;
	int rc = -ENOENT;

	pthread_rwlock_rdlock(&v->lock);
	p = fs_people_by_pid(v, pid);
	if (p)
		rc = strlen(p->name) < cap ? (strcpy(out, p->name), 0) : -ERANGE;
	pthread_rwlock_unlock(&v->lock);
	return rc;
}

struct fs_person *fs_people_by_uid(struct fs_vault *v, uid_t uid)
{
	for (size_t i = 0; i < v->people_count; i++) {
		const struct fs_person *p = v->people[i];

		if (p->enrolment && p->ids[p->enrolment - 1] &&
		    p->ids[p->enrolment - 1]->id.uid == uid)
			return v->people[i];
	}
	return NULL;
}

struct fs_known_invite *fs_people_invite(struct fs_vault *v, uint32_t number)
{
	return number && number <= v->invite_count ? v->invites[number - 1] : NULL;
}

static struct fs_person *person_new(struct fs_vault *v, uint32_t pid, const char *name)
{
	struct fs_person *p = calloc(1, sizeof(*p));
	struct fs_person **people = realloc(v->people, (v->people_count + 1) * sizeof(*v->people));

	if (people)
		v->people = people;
	if (!p || !people) {
		free(p);
		return NULL;
	}
	p->pid = pid;
	memcpy(p->name, name, sizeof(p->name));
	people[v->people_count++] = p;
	return p;
}

static int identity_add(struct fs_vault *v, const struct keys_identity *id)
{
	struct fs_person *p = fs_people_by_pid(v, id->pid);
	struct fs_known_identity *known;
	struct fs_known_identity **ids;

	if (!p)
		p = person_new(v, id->pid, id->name);
	if (!p)
		return -ENOMEM;
	if (strcmp(p->name, id->name) || id->enrolment > p->id_count + CHAIN_MAX)
		return -EBADMSG;
	known = calloc(1, sizeof(*known));
	if (!known)
		return -ENOMEM;
	known->id = *id;
	if (id->enrolment > p->id_count) {
		ids = calloc(id->enrolment, sizeof(*ids));
		if (!ids) {
			free(known);
			return -ENOMEM;
		}
		if (p->id_count)
			memcpy(ids, p->ids, p->id_count * sizeof(*ids));
		free(p->ids);
		p->ids = ids;
		p->id_count = id->enrolment;
	}
	free(p->ids[id->enrolment - 1]);
	p->ids[id->enrolment - 1] = known;
	if (id->enrolment > p->enrolment)
		p->enrolment = id->enrolment;
	return 0;
}

int fs_people_add_identity(struct fs_vault *v, const struct keys_identity *id)
{
	int rc;

	pthread_rwlock_wrlock(&v->lock);
	rc = identity_add(v, id);
	pthread_rwlock_unlock(&v->lock);
	return rc;
}

/* Body of an invitation: policy version u32 | keys_invite. */
static int invite_decode(const uint8_t *p, size_t len, struct fs_known_invite *k)
{
	struct bytes_in in;

	if (keys_statement_decode(p, len, &k->st) || k->st.kind != KEYS_STATEMENT_INVITE)
		return -EBADMSG;
	in = bytes_in(k->st.body.p, k->st.body.len);
	k->number = k->st.number;
	k->policy = bytes_get_u32(&in);
	if (in.bad)
		return -EBADMSG;
	return keys_invite_decode(in.p + in.off, in.len - in.off, &k->inv);
}

static int invite_place(struct fs_vault *v, struct fs_known_invite *k)
{
	struct fs_person *p = fs_people_by_pid(v, k->inv.pid);
	struct fs_known_invite **list = realloc(v->invites, k->number * sizeof(*list));

	if (!list)
		return -ENOMEM;
	v->invites = list;
	if (!p)
		p = person_new(v, k->inv.pid, k->inv.name);
	if (!p)
		return -ENOMEM;
	if (strcmp(p->name, k->inv.name))
		return -EBADMSG;
	while (v->invite_count < k->number)
		list[v->invite_count++] = NULL;
	list[k->number - 1] = k;
	p->invite = k->number;
	return 0;
}

static int invite_add(struct fs_vault *v, uint32_t number, const uint8_t *p, size_t len)
{
	struct fs_known_invite *k = calloc(1, sizeof(*k));
	int rc = -ENOMEM;

	if (k)
		k->bytes = malloc(len);
	if (!k || !k->bytes)
		goto out;
	memcpy(k->bytes, p, len);
	rc = invite_decode(k->bytes, len, k);
	if (!rc && (k->number != number || number != v->invite_count + 1 ||
		    memcmp(k->st.vault, v->header.vault, KEYS_VAULT_ID_LEN) ||
		    memcmp(k->st.prev, v->invite_head, KEYS_LEN)))
		rc = -EBADMSG;
	if (!rc)
		rc = invite_place(v, k);
	if (!rc)
		keys_statement_hash(&k->st, v->invite_head);
out:
	if (rc && k) {
		free(k->bytes);
		free(k);
	}
	return rc;
}

int fs_people_add_invite(struct fs_vault *v, uint32_t number, const uint8_t *p, size_t len)
{
	uint8_t head[KEYS_LEN];
	int rc;

	/* The edit's commit has published the new head already; the check needs the one before. */
	memcpy(head, v->invite_head, KEYS_LEN);
	if (v->invite_count)
		keys_statement_hash(&v->invites[v->invite_count - 1]->st, v->invite_head);
	else
		memset(v->invite_head, 0, KEYS_LEN);
	pthread_rwlock_wrlock(&v->lock);
	rc = invite_add(v, number, p, len);
	pthread_rwlock_unlock(&v->lock);
	if (rc)
		memcpy(v->invite_head, head, KEYS_LEN);
	return rc;
}

static int load_identity(void *ctx, const struct fs_key *key, struct fs_buf *buf)
{
	struct fs_vault *v = ctx;
	struct keys_identity id;
	int rc = keys_identity_decode(buf->data, buf->len, &id);

	if (!rc && (id.pid != (uint32_t)fs_key_sub(key, 4) || id.pid > v->counters.pid ||
		    memcmp(id.vault, v->header.vault, sizeof(id.vault)) ||
		    !keys_equal(id.root_hash, v->root_hash, sizeof(id.root_hash))))
		rc = -EBADMSG;
	return rc ? rc : identity_add(v, &id);
}

static int load_invite(void *ctx, const struct fs_key *key, struct fs_buf *buf)
{
	struct fs_vault *v = ctx;

	return invite_add(v, (uint32_t)fs_key_sub(key, 4), buf->data, buf->len);
}

int fs_people_load(struct fs_vault *v)
{
	struct fs_journal *vault = fs_records_vault(v->records);
	struct fs_key from = fs_key(0, 0, FS_T_INVITE), to = fs_key(0, 0, FS_T_INVITE + 1);
	int rc = fs_record_scan(vault, &from, &to, load_invite, v);

	if (!rc && v->invite_count != v->counters.invite)
		rc = -EBADMSG;
	if (rc)
		return rc;
	from = fs_key(0, 0, FS_T_IDENTITY);
	to = fs_key(0, 0, FS_T_IDENTITY + 1);
	return fs_record_scan(vault, &from, &to, load_identity, v);
}

void fs_people_clear(struct fs_vault *v)
{
	for (size_t i = 0; i < v->people_count; i++) {
		for (uint32_t k = 0; k < v->people[i]->id_count; k++)
			free(v->people[i]->ids[k]);
		free(v->people[i]->ids);
		free(v->people[i]);
	}
	for (uint32_t i = 0; i < v->invite_count; i++) {
		if (v->invites[i])
			free(v->invites[i]->bytes);
		free(v->invites[i]);
	}
	free(v->people);
	free(v->invites);
	v->people = NULL;
	v->invites = NULL;
	v->people_count = 0;
	v->invite_count = 0;
}

/* ---- chains ---- */

static struct fs_known_identity *known_identity(struct fs_vault *v, uint32_t pid,
						uint32_t enrolment, struct fs_known_invite **inv)
{
	struct fs_known_identity *known = NULL;
	struct fs_person *p;

	pthread_rwlock_rdlock(&v->lock);
	p = fs_people_by_pid(v, pid);
	if (p && enrolment && enrolment <= p->id_count)
		known = p->ids[enrolment - 1];
	*inv = known ? fs_people_invite(v, known->id.invite) : NULL;
	pthread_rwlock_unlock(&v->lock);
	return known;
}

/* Does the identity answer this invitation, in everything that the invitation says? */
static bool answers(const struct keys_identity *id, const struct fs_known_invite *k)
{
	return k->inv.pid == id->pid && k->inv.enrolment == id->enrolment &&
	       !strcmp(k->inv.name, id->name) && !strcmp(k->inv.account, id->account) &&
	       keys_identity_verify(id, k->inv.enrol_pk) == 0;
}

static int chain_walk(struct fs_vault *v, uint32_t pid, uint32_t enrolment, bool rights,
		      unsigned depth, struct fs_known_identity **out);

/* The issuer's key, after his own chain. */
static int issuer_pk(struct fs_vault *v, const struct fs_known_invite *k, bool rights,
		     unsigned depth, uint8_t pk[static KEYS_LEN])
{
	struct fs_known_identity *issuer = NULL;
	int rc;

	if (!k->st.signer) {
		memcpy(pk, v->header.root_pk, KEYS_LEN);
		return 0;
	}
	rc = chain_walk(v, k->st.signer, k->st.enrolment, rights, depth + 1, &issuer);
	if (rc)
		return rc == -ENOENT ? -EBADMSG : rc;
	if (rights)
		rc = fs_policies_had(v, k->policy, issuer->id.name, POLICY_POLICY,
				     (int64_t)k->st.time_s);
	if (!rc)
		memcpy(pk, issuer->id.statement_pk, KEYS_LEN);
	return rc;
}

static int chain_walk(struct fs_vault *v, uint32_t pid, uint32_t enrolment, bool rights,
		      unsigned depth, struct fs_known_identity **out)
{
	struct fs_known_invite *k;
	struct fs_known_identity *known = known_identity(v, pid, enrolment, &k);
	uint8_t pk[KEYS_LEN];
	atomic_int *mark;
	int rc;

	if (!known)
		return -ENOENT;
	mark = rights ? &known->rights : &known->chain;
	if (atomic_load(mark) > 0) {
		*out = known;
		return 0;
	}
	if (atomic_load(mark) < 0 || depth > CHAIN_MAX || !k || !answers(&known->id, k))
		return -EBADMSG;
	rc = issuer_pk(v, k, rights, depth, pk);
	if (!rc)
		rc = keys_statement_verify(&k->st, pk);
	/* What could not be judged (no index, no memory) is not remembered. */
	if (!rc || rc == -EBADMSG)
		atomic_store(mark, rc ? -1 : 1);
	if (!rc)
		*out = known;
	return rc;
}

int fs_people_identity(struct fs_vault *v, uint32_t pid, uint32_t enrolment, bool rights,
		       const struct keys_identity **out)
{
	struct fs_known_identity *known = NULL;
	int rc = chain_walk(v, pid, enrolment, rights, 0, &known);

	if (!rc)
		*out = &known->id;
	return rc;
}

int fs_people_signer_pk(struct fs_vault *v, uint32_t pid, uint32_t enrolment, bool rights,
			uint8_t pk[static KEYS_LEN])
{
	const struct keys_identity *id = NULL;
	int rc;

	if (!pid && !enrolment) {
		memcpy(pk, v->header.root_pk, KEYS_LEN);
		return 0;
	}
	rc = fs_people_identity(v, pid, enrolment, rights, &id);
	if (!rc)
		memcpy(pk, id->statement_pk, KEYS_LEN);
	return rc == -ENOENT ? -EBADMSG : rc;
}
