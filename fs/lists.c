/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/lists.c - the key list: who reads the log, recovers, reviews, and the break-glass key.
 *
 * The log is sealed to auditors, and to reviewers, who are shown of it only what was done under
 * emergency grants: nobody judges what he can't see.
 * The list is a chain of statements. The root signs the first (and those of a
 * recovery); later a steward's live session puts auditors and reviewers in as
 * policy says, and a clinician's the break-glass key (lists_bg.c). Implements fs/FORMAT.md,
 * "KEY_LIST".
 *
 * Invariants: (1) only a steward, the root, or for the break-glass entry alone a
 * clinician with the right may change the list; (2) the log is sealed to a new
 * auditor only after the list that names him is stored.
 *
 * Locks: edit held by the caller.
 */
#include "vault_impl.h"

#define BODY_MAX (5 + FS_DAEMONS_MAX * KEYS_LEN + 16 + KEYS_LIST_MAX * 40)

const struct keys_list_entry *fs_lists_find(struct fs_vault *v, enum keys_list_kind kind,
					    uint32_t pid)
{
	for (size_t i = 0; i < v->list_count; i++) {
		if (v->list[i].kind == kind && v->list[i].pid == pid)
			return &v->list[i];
	}
	return NULL;
}

size_t fs_lists_readers(const struct keys_list_entry *list, size_t n, struct keys_list_entry *out)
{
	size_t count = 0;

	for (size_t i = 0; i < n; i++) {
		bool reads = list[i].kind == KEYS_LIST_RECOVERY ||
			     list[i].kind == KEYS_LIST_AUDITOR ||
			     list[i].kind == KEYS_LIST_REVIEWER;

		/* Who is both stands in the list twice. */
		for (size_t k = 0; k < count && reads; k++)
			reads = list[i].pid == 0 || out[k].pid != list[i].pid;
		if (reads)
			out[count++] = list[i];
	}
	return count;
}

/* ---- statements ---- */

struct listed {
	struct keys_statement st;
	uint32_t policy;
	uint8_t daemons[FS_DAEMONS_MAX][KEYS_LEN];
	size_t daemon_count;
	struct keys_list_entry list[KEYS_LIST_MAX];
	size_t count;
	uint8_t *bytes;
};

static struct fs_key list_key(uint32_t number)
{
	return fs_key_n(0, 0, FS_T_KEY_LIST, number, 4);
}

static void listed_free(struct listed *l)
{
	if (l)
		free(l->bytes);
	free(l);
}

/* Body: policy version u32 | daemon keys u8, 32 each | keys_list. */
static int listed_decode(struct fs_vault *v, struct listed *l, size_t len, uint32_t number)
{
	struct bytes_in in;

	if (keys_statement_decode(l->bytes, len, &l->st) || l->st.kind != KEYS_STATEMENT_KEY_LIST ||
	    l->st.number != number || memcmp(l->st.vault, v->header.vault, KEYS_VAULT_ID_LEN))
		return -EBADMSG;
	in = bytes_in(l->st.body.p, l->st.body.len);
	l->policy = bytes_get_u32(&in);
	l->daemon_count = bytes_get_u8(&in);
	if (l->daemon_count > FS_DAEMONS_MAX)
		return -EBADMSG;
	bytes_get(&in, l->daemons, l->daemon_count * KEYS_LEN);
	if (in.bad)
		return -EBADMSG;
	return keys_list_decode(in.p + in.off, in.len - in.off, l->list, KEYS_LIST_MAX, &l->count);
}

/* Decoded, signature and the signer's chain verified. */
static int listed_read(struct fs_vault *v, uint32_t number, struct listed **out)
{
	struct listed *l = calloc(1, sizeof(*l));
	struct fs_key prefix = list_key(number);
	uint8_t pk[KEYS_LEN];
	size_t len;
	int rc = l ? fs_vault_parts_get(v, &prefix, &l->bytes, &len) : -ENOMEM;

	if (!rc)
		rc = listed_decode(v, l, len, number);
	if (!rc)
		rc = fs_people_signer_pk(v, l->st.signer, l->st.enrolment, false, pk);
	if (!rc)
		rc = keys_statement_verify(&l->st, pk);
	if (rc) {
		listed_free(l);
		return rc == -ENOENT ? -EBADMSG : rc;
	}
	*out = l;
	return 0;
}

int fs_lists_load(struct fs_vault *v)
{
	struct listed *l = NULL;
	int rc = listed_read(v, v->counters.list, &l);

	if (rc)
		return rc;
	pthread_rwlock_wrlock(&v->lock);
	memcpy(v->list, l->list, sizeof(v->list));
	memcpy(v->daemons, l->daemons, sizeof(v->daemons));
	v->list_count = l->count;
	v->daemon_count = l->daemon_count;
	pthread_rwlock_unlock(&v->lock);
	keys_statement_hash(&l->st, v->list_head);
	listed_free(l);
	return fs_bg_load(v);
}

static bool same_entry(const struct keys_list_entry *a, const struct keys_list_entry *b)
{
	return a->kind == b->kind && a->pid == b->pid && !memcmp(a->box_pk, b->box_pk, KEYS_LEN);
}

/* True when next is the list before it and one break-glass entry more, or another one in its place. */
static bool changes_break_glass(const struct listed *next, const struct listed *before)
{
	size_t changed = 0;

	if ((next->count != before->count && next->count != before->count + 1) ||
	    memcmp(next->daemons, before->daemons, sizeof(next->daemons)) != 0)
		return false;
	for (size_t i = 0; i < before->count; i++) {
		if (same_entry(&next->list[i], &before->list[i]))
			continue;
		if (next->list[i].kind != KEYS_LIST_BREAK_GLASS ||
		    before->list[i].kind != KEYS_LIST_BREAK_GLASS)
			return false;
		changed++;
	}
	if (next->count == before->count)
		return changed == 1;
	return !changed && next->list[before->count].kind == KEYS_LIST_BREAK_GLASS;
}

int fs_lists_check(struct fs_vault *v)
{
	struct listed *l = NULL, *before = NULL;
	const struct keys_identity *id = NULL;
	uint32_t right = POLICY_POLICY;
	int rc = listed_read(v, v->counters.list, &l);

	if (!rc && l->st.signer) {
		rc = fs_people_identity(v, l->st.signer, l->st.enrolment, true, &id);
		if (!rc && l->st.number > 1)
			rc = listed_read(v, l->st.number - 1, &before);
		if (!rc && before && changes_break_glass(l, before))
			right = POLICY_BREAK_GLASS;
		if (!rc)
			rc = fs_policies_had(v, l->policy, id->name, right, (int64_t)l->st.time_s);
	}
	listed_free(before);
	listed_free(l);
	return rc == -ENOENT ? -EBADMSG : rc;
}

int fs_lists_add(struct fs_edit *e, const struct fs_hand *by, const struct keys_list_entry *list,
		 size_t n)
{
	struct fs_vault *v = e->v;
	uint8_t *body = malloc(BODY_MAX), *bytes = malloc(BODY_MAX + KEYS_STATEMENT_OVERHEAD);
	struct keys_statement st = {
		.kind = KEYS_STATEMENT_KEY_LIST,
		.number = e->c.list + 1,
		.signer = by->pid,
		.enrolment = by->enrolment,
		.time_s = (uint64_t)fs_vault_wall_s(),
	};
	struct fs_key prefix = list_key(st.number);
	struct bytes_out out;
	size_t len;
	int rc = -ENOMEM;

	if (!body || !bytes)
		goto out;
	out = bytes_out(body, BODY_MAX);
	bytes_put_u32(&out, e->c.policy);
	bytes_put_u8(&out, (uint8_t)v->daemon_count);
	bytes_put(&out, v->daemons, v->daemon_count * KEYS_LEN);
	rc = keys_list_encode(list, n, body + out.len, BODY_MAX - out.len, &len);
	if (rc)
		goto out;
	st.body = (struct keys_span){body, out.len + len};
	memcpy(st.vault, v->header.vault, sizeof(st.vault));
	memcpy(st.prev, e->list_head, sizeof(st.prev));
	keys_statement_sign(&st, by->sk);
	rc = keys_statement_encode(&st, bytes, BODY_MAX + KEYS_STATEMENT_OVERHEAD, &len);
	if (rc)
		goto out;
	fs_vault_parts_put(v, &e->b, &prefix, bytes, len);
	keys_statement_hash(&st, e->list_head);
	e->c.list = st.number;
out:
	free(body);
	free(bytes);
	return rc;
}

/* The list as a session signs it, stored and in force. */
int fs_lists_change(struct fs_vault *v, struct fs_edit *e, struct fs_session *by,
		    const struct keys_list_entry *list, size_t n)
{
	struct fs_hand hand = {.pid = by->pid, .enrolment = by->enrolment};
	int rc;

	pthread_rwlock_rdlock(&by->lock);
	rc = by->secret ? 0 : -ENOKEY;
	if (!rc) {
		hand.sk = by->secret->statement_sk;
		rc = fs_lists_add(e, &hand, list, n);
	}
	pthread_rwlock_unlock(&by->lock);
	if (!rc)
		rc = fs_vault_edit_commit(e);
	if (rc)
		return rc;
	pthread_rwlock_wrlock(&v->lock);
	memcpy(v->list, list, n * sizeof(*list));
	v->list_count = n;
	pthread_rwlock_unlock(&v->lock);
	v->log_dirty = true;
	return 0;
}

int fs_lists_by_root(struct fs_vault *v, const uint8_t root_sk[static KEYS_SIGN_SK_LEN],
		     const struct keys_list_entry *list, size_t n)
{
	const struct fs_hand root = {.sk = root_sk};
	struct fs_edit e;
	int rc;

	fs_vault_edit_begin(v, &e, NULL);
	rc = fs_lists_add(&e, &root, list, n);
	if (!rc)
		rc = fs_vault_edit_commit(&e);
	fs_vault_edit_clear(&e);
	if (rc)
		return rc;
	pthread_rwlock_wrlock(&v->lock);
	memmove(v->list, list, n * sizeof(*list));
	v->list_count = n;
	pthread_rwlock_unlock(&v->lock);
	return 0;
}

/* ---- what policy wants ---- */

bool fs_lists_has_right(struct fs_vault *v, const struct fs_person *p, uint32_t right)
{
	const struct policy_practitioner *line = policy_practice_find(v->practice, p->name);

	return p->enrolment && line && line->state != POLICY_LEFT && (line->role->rights & right);
}

int fs_lists_wanted(struct fs_vault *v, struct keys_list_entry *out, size_t *n)
{
	static const struct {
		enum keys_list_kind kind;
		uint32_t right;
	} roles[] = {{KEYS_LIST_AUDITOR, POLICY_AUDIT}, {KEYS_LIST_REVIEWER, POLICY_REVIEW}};

	*n = 0;
	for (size_t i = 0; i < v->list_count; i++) {
		if (v->list[i].kind == KEYS_LIST_RECOVERY ||
		    v->list[i].kind == KEYS_LIST_BREAK_GLASS)
			out[(*n)++] = v->list[i];
	}
	for (size_t r = 0; r < 2; r++) {
		for (size_t i = 0; i < v->people_count; i++) {
			const struct fs_person *p = v->people[i];
			const struct keys_identity *id = NULL;
			int rc;

			if (!fs_lists_has_right(v, p, roles[r].right))
				continue;
			rc = fs_people_identity(v, p->pid, p->enrolment, true, &id);
			if (rc == -EBADMSG)
				continue;
			if (rc || *n == KEYS_LIST_MAX)
				return rc ? rc : -ENOSPC;
			out[*n].kind = (uint8_t)roles[r].kind;
			out[*n].pid = p->pid;
			memcpy(out[(*n)++].box_pk, id->box_pk, KEYS_LEN);
		}
	}
	return 0;
}

/* The same keys, in whatever order. */
static bool same_list(const struct keys_list_entry *a, size_t n, const struct keys_list_entry *b,
		      size_t m)
{
	size_t found = 0;

	for (size_t i = 0; i < n; i++) {
		for (size_t k = 0; k < m; k++)
			found += same_entry(&a[i], &b[k]);
	}
	return n == m && found == n;
}

static int refresh_list(struct fs_vault *v)
{
	struct keys_list_entry *list = calloc(2 * KEYS_LIST_MAX, sizeof(*list));
	struct keys_list_entry *readers = list ? list + KEYS_LIST_MAX : NULL;
	struct fs_session *by = NULL;
	struct fs_edit e;
	size_t n = 0;
	int rc = list ? fs_lists_wanted(v, list, &n) : -ENOMEM;

	if (rc || same_list(list, n, v->list, v->list_count)) {
		free(list);
		return rc;
	}
	by = fs_sessions_with(v, POLICY_POLICY);
	if (!by) {
		v->lists_waiting++;
		free(list);
		return 0;
	}
	fs_vault_edit_begin(v, &e, NULL);
	rc = fs_vault_tell(v, by, POLICY_RECORD_KEYS, 0, NULL,
			   "key list %u: who reads the log or reviews has changed", e.c.list + 1);
	if (!rc)
		rc = fs_lists_change(v, &e, by, list, n);
	if (!rc)
		rc = fs_log_readers(v->log, readers, fs_lists_readers(list, n, readers));
	fs_vault_edit_clear(&e);
	fs_session_put(by);
	free(list);
	return rc;
}

void fs_lists_tick(struct fs_vault *v)
{
	int rc;

	if (!v->lists_dirty)
		return;
	v->lists_waiting = 0;
	rc = refresh_list(v);
	if (!rc)
		rc = fs_bg_tick(v);
	/* A new session sets it again: until then nobody can do what waits. */
	v->lists_dirty = rc != 0;
}

void fs_lists_waiting(struct fs_vault *v, FILE *out)
{
	if (v->lists_waiting)
		fprintf(out,
			"%u changes of the key list or the break-glass key wait for somebody with "
			"the "
			"right to make them\n",
			v->lists_waiting);
}
