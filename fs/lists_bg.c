/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/lists_bg.c - the break-glass key: who holds it, and its renewal.
 *
 * The pair never passes through a steward: when the key list names none, the first live
 * session of somebody who may break the glass makes it, wraps the secret half for itself and for the
 * recovery key, and signs a list that differs in that entry alone. Clinicians who come
 * later get their wrap from a live session that holds one.
 *
 * Whoever may break the glass no longer (left, another role) loses the wrap at once, and the pair is made
 * anew: it has a turn, 0 at first. Each journal's break-glass wrap says of which turn it is (grants.c
 * wraps them anew); wraps of older turns are kept for those who may still use them until no
 * journal needs them, so that an emergency is possible at any moment in between. Implements fs/FORMAT.md,
 * "BG_WRAP".
 *
 * Invariants: (1) the new pair, everybody's wraps of it, the list and the turn are one change; (2) the record
 * in the log is durable before it.
 *
 * Locks: edit held by the caller, but for fs_bg_get and fs_bg_turn_of.
 */
#include "vault_impl.h"

static struct fs_key turn_key(void)
{
	return fs_key(0, 0, FS_T_BG_TURN);
}

/* The first pair's wraps came before there were turns. */
static struct fs_key wrap_key(uint32_t pid, uint32_t turn)
{
	struct fs_key key = fs_key_n(0, 0, FS_T_BG_WRAP, pid, 4);

	if (turn)
		fs_key_add(&key, turn, 4);
	return key;
}

int fs_bg_load(struct fs_vault *v)
{
	struct fs_key key = turn_key();
	struct fs_buf *buf = NULL;
	struct bytes_in in;
	int rc = fs_record_get(fs_records_vault(v->records), &key, &buf);

	if (rc)
		return rc == -ENOENT ? 0 : rc;
	in = bytes_in(buf->data, buf->len);
	atomic_store(&v->bg_turn, bytes_get_u32(&in));
	v->bg_oldest = bytes_get_u32(&in);
	v->bg_renew = bytes_get_u8(&in) != 0;
	rc = bytes_in_done(&in) && v->bg_oldest <= atomic_load(&v->bg_turn) ? 0 : -EBADMSG;
	fs_buf_put(buf);
	return rc;
}

static void put_turn(struct fs_edit *e, uint32_t turn, uint32_t oldest, bool renew)
{
	struct fs_key key = turn_key();
	uint8_t bytes[9];
	struct bytes_out out = bytes_out(bytes, sizeof(bytes));

	bytes_put_u32(&out, turn);
	bytes_put_u32(&out, oldest);
	bytes_put_u8(&out, renew);
	fs_batch_put(&e->b, fs_records_vault(e->v->records), &key, bytes, out.len);
}

int fs_bg_put(struct fs_edit *e, uint32_t pid, uint32_t enrolment, uint32_t turn,
	      const uint8_t bg_sk[static KEYS_LEN], const uint8_t box_pk[static KEYS_LEN])
{
	struct fs_vault *v = e->v;
	struct fs_key key = wrap_key(pid, turn);
	uint8_t bytes[4 + KEYS_BG_WRAP_LEN];
	struct bytes_out out = bytes_out(bytes, sizeof(bytes));
	int rc;

	bytes_put_u32(&out, enrolment);
	rc = keys_bg_wrap_seal(v->header.vault, pid, bg_sk, box_pk, v->host_secret, bytes + 4);
	if (!rc)
		fs_batch_put(&e->b, fs_records_vault(v->records), &key, bytes, sizeof(bytes));
	return rc;
}

int fs_bg_get(struct fs_vault *v, uint32_t pid, uint32_t enrolment, uint32_t turn,
	      const uint8_t box_sk[static KEYS_LEN], uint8_t bg_sk[static KEYS_LEN])
{
	struct fs_key key = wrap_key(pid, turn);
	struct fs_buf *buf = NULL;
	struct bytes_in in;
	int rc = fs_record_get(fs_records_vault(v->records), &key, &buf);

	if (rc)
		return rc == -ENOENT ? -EACCES : rc;
	in = bytes_in(buf->data, buf->len);
	if (bytes_get_u32(&in) != enrolment)
		rc = -EACCES;
	else
		rc = in.bad ? -EBADMSG
			    : keys_bg_wrap_open(v->header.vault, pid, in.p + in.off,
						in.len - in.off, box_sk, v->host_secret, bg_sk);
	fs_buf_put(buf);
	return rc;
}

int fs_bg_of_session(struct fs_vault *v, struct fs_session *s, uint32_t turn,
		     uint8_t bg_sk[static KEYS_LEN])
{
	int rc;

	pthread_rwlock_rdlock(&s->lock);
	rc = s->secret ? fs_bg_get(v, s->pid, s->enrolment, turn, s->secret->box_sk, bg_sk)
		       : -ENOKEY;
	pthread_rwlock_unlock(&s->lock);
	return rc;
}

/* Enrolment that this practitioner's wrap of a turn is for; 0 none. */
static uint32_t holds(struct fs_vault *v, uint32_t pid, uint32_t turn)
{
	struct fs_key key = wrap_key(pid, turn);
	struct fs_buf *buf = NULL;
	struct bytes_in in;
	uint32_t enrolment;

	if (fs_record_get(fs_records_vault(v->records), &key, &buf))
		return 0;
	in = bytes_in(buf->data, buf->len);
	enrolment = bytes_get_u32(&in);
	fs_buf_put(buf);
	return enrolment;
}

bool fs_bg_holds(struct fs_vault *v, uint32_t pid, uint32_t enrolment)
{
	for (uint32_t turn = v->bg_oldest; turn <= atomic_load(&v->bg_turn); turn++) {
		if (holds(v, pid, turn) == enrolment)
			return true;
	}
	return false;
}

/* ---- making and renewing the pair ---- */

/* The secret half for everybody who may use it and for the recovery key. by: among them in any case. */
static int wrap_for_all(struct fs_edit *e, struct fs_session *by, uint32_t turn,
			const uint8_t sk[static KEYS_LEN])
{
	struct fs_vault *v = e->v;
	const struct keys_list_entry *recovery = fs_lists_find(v, KEYS_LIST_RECOVERY, 0);
	int rc = recovery ? fs_bg_put(e, 0, 0, turn, sk, recovery->box_pk) : 0;

	for (size_t i = 0; i < v->people_count && !rc; i++) {
		const struct fs_person *p = v->people[i];
		const struct keys_identity *id = NULL;

		if (p->pid != by->pid && !fs_lists_has_right(v, p, POLICY_BREAK_GLASS))
			continue;
		rc = fs_people_identity(v, p->pid, p->enrolment, true, &id);
		if (!rc)
			rc = fs_bg_put(e, p->pid, p->enrolment, turn, sk, id->box_pk);
		else if (rc == -EBADMSG) /* nothing is given to it; give() says so again */
			rc = 0;
	}
	return rc;
}

/* The list with this break-glass key in it; its length, or 0 when it is full. */
static size_t list_with(const struct fs_vault *v, const uint8_t box_pk[static KEYS_LEN],
			struct keys_list_entry *out)
{
	size_t n = v->list_count, at = 0;

	memcpy(out, v->list, n * sizeof(*out));
	while (at < n && out[at].kind != KEYS_LIST_BREAK_GLASS)
		at++;
	if (at == KEYS_LIST_MAX)
		return 0;
	if (at == n)
		out[n++] = (struct keys_list_entry){.kind = KEYS_LIST_BREAK_GLASS};
	memcpy(out[at].box_pk, box_pk, KEYS_LEN);
	return n;
}

static int make(struct fs_vault *v, struct fs_session *by, uint32_t turn)
{
	struct keys_list_entry *list = calloc(KEYS_LIST_MAX + 1, sizeof(*list));
	uint8_t *sk = keys_guard_new(KEYS_LEN), pk[KEYS_LEN];
	struct fs_edit e;
	size_t n = 0;
	int rc = list && sk ? 0 : -ENOMEM;

	fs_vault_edit_begin(v, &e, NULL);
	if (!rc)
		rc = fs_vault_tell(v, by, POLICY_RECORD_KEYS, 0, NULL,
				   "the break-glass key is made%s, by the session of %s",
				   turn ? " anew, since somebody may use it no longer" : "", by->who);
	if (!rc) {
		keys_box_new(pk, sk);
		n = list_with(v, pk, list);
		rc = n ? wrap_for_all(&e, by, turn, sk) : -ENOSPC;
	}
	if (!rc && turn)
		put_turn(&e, turn, v->bg_oldest, false);
	if (!rc)
		rc = fs_lists_change(v, &e, by, list, n);
	if (!rc) {
		atomic_store(&v->bg_turn, turn);
		v->bg_renew = false;
		fs_grants_changed(v); /* every journal's key is to be wrapped for it */
	}
	fs_vault_edit_clear(&e);
	keys_guard_free(sk);
	free(list);
	return rc;
}

/* ---- who holds it ---- */

/* A live session's copy of the secret half of a turn. */
static int find(struct fs_vault *v, uint32_t turn, uint8_t *sk, struct fs_session **by)
{
	int rc = -EACCES;

	for (size_t i = 0; i < v->session_count && rc; i++) {
		struct fs_session *s = v->sessions[i];

		if (!fs_sessions_has(v, s, POLICY_BREAK_GLASS))
			continue;
		rc = fs_bg_of_session(v, s, turn, sk);
		if (!rc)
			*by = s;
	}
	return rc;
}

/* Wraps of every turn in use for one who may have them. 1: they wait for who could give them. */
static int give(struct fs_vault *v, const struct fs_person *p)
{
	uint8_t *sk = keys_guard_new(KEYS_LEN);
	const struct keys_identity *id = NULL;
	struct fs_session *by = NULL;
	struct fs_edit e;
	int rc = sk ? fs_people_identity(v, p->pid, p->enrolment, true, &id) : -ENOMEM;

	fs_vault_edit_begin(v, &e, NULL);
	for (uint32_t turn = v->bg_oldest; !rc && turn <= atomic_load(&v->bg_turn); turn++) {
		rc = find(v, turn, sk, &by);
		if (!rc)
			rc = fs_bg_put(&e, p->pid, p->enrolment, turn, sk, id->box_pk);
		/* Nobody here has that of an older turn: what it opens is renewed by who has it. */
		else if (rc == -EACCES && turn < atomic_load(&v->bg_turn))
			rc = 0;
	}
	if (!rc)
		rc = fs_vault_tell(v, by, POLICY_RECORD_KEYS, 0, NULL, "break-glass key given to %s",
				   p->name);
	if (!rc)
		rc = fs_vault_edit_commit(&e);
	fs_vault_edit_clear(&e);
	keys_guard_free(sk);
	return rc == -EACCES ? 1 : rc;
}

/* His wraps go, and the order to make the pair anew is kept with that. */
static int take(struct fs_vault *v, const struct fs_person *p)
{
	struct fs_edit e;
	int rc;

	fs_vault_edit_begin(v, &e, NULL);
	rc = fs_vault_tell(v, NULL, POLICY_RECORD_KEYS, 0, NULL,
			   "break-glass key taken from %s, and to be made anew", p->name);
	for (uint32_t turn = v->bg_oldest; turn <= atomic_load(&v->bg_turn); turn++) {
		struct fs_key key = wrap_key(p->pid, turn);

		fs_batch_del(&e.b, fs_records_vault(v->records), &key);
	}
	put_turn(&e, atomic_load(&v->bg_turn), v->bg_oldest, true);
	if (!rc)
		rc = fs_vault_edit_commit(&e);
	fs_vault_edit_clear(&e);
	if (!rc)
		v->bg_renew = true;
	return rc;
}

static int give_and_take(struct fs_vault *v)
{
	uint32_t turn = atomic_load(&v->bg_turn);
	int rc = 0;

	for (size_t i = 0; i < v->people_count && !rc; i++) {
		const struct fs_person *p = v->people[i];
		bool wanted = fs_lists_has_right(v, p, POLICY_BREAK_GLASS);
		uint32_t has = holds(v, p->pid, turn);

		if (!wanted && has)
			rc = take(v, p);
		else if (wanted && has != p->enrolment)
			rc = give(v, p);
		if (rc == 1) {
			v->lists_waiting++;
			rc = 0;
		}
	}
	return rc;
}

int fs_bg_tick(struct fs_vault *v)
{
	bool none = !fs_lists_find(v, KEYS_LIST_BREAK_GLASS, 0);
	struct fs_session *by = NULL;
	int rc = none ? 0 : give_and_take(v);

	if (rc || (!none && !v->bg_renew))
		return rc;
	by = fs_sessions_with(v, POLICY_BREAK_GLASS);
	if (by)
		rc = make(v, by, none ? 0 : atomic_load(&v->bg_turn) + 1);
	else if (!none)
		v->lists_waiting++;
	fs_session_put(by);
	if (!rc && none && by)
		rc = give_and_take(v);
	return rc;
}

void fs_bg_forget_older(struct fs_vault *v)
{
	uint32_t turn = atomic_load(&v->bg_turn);
	struct fs_edit e;

	if (v->bg_oldest == turn)
		return;
	fs_vault_edit_begin(v, &e, NULL);
	for (uint32_t old = v->bg_oldest; old < turn; old++) {
		for (size_t i = 0; i <= v->people_count; i++) {
			struct fs_key key = wrap_key(i ? v->people[i - 1]->pid : 0, old);

			fs_batch_del(&e.b, fs_records_vault(v->records), &key);
		}
	}
	put_turn(&e, turn, turn, v->bg_renew);
	/* What fails is tried again after the next round. */
	if (!fs_vault_edit_commit(&e))
		v->bg_oldest = turn;
	fs_vault_edit_clear(&e);
}
