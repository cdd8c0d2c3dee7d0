/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/recover.c - what the printed recovery key gives back.
 *
 * It opens the escrow (root secret and host secret) and the recovery wraps (index
 * key, journal keys, break-glass). From these the host's state is made anew, a
 * vault older than this host remembers is accepted, and a practitioner who lost
 * passphrase or invitation gets a new one. A practitioner recovered with a new
 * passphrase gets every key that policy grants him at once, since in a practice
 * of one nobody else could give it; an invited one waits for colleagues. Auditors
 * get the log's earlier streams, of which the recovery key opens every one.
 *
 * Invariants: (1) nothing is changed before the recovery key opened the escrow;
 * (2) the host secret is the one from init, so that passphrases, break-glass wraps
 * and the vault's root stay good; (3) every recovery is in the log, with an alarm.
 */
#include "vault_impl.h"

#define DAYS 7
#define WRAPS_PER_BATCH 256

struct recover {
	const struct fs_recover *in;
	struct fs_vault *v;
	struct secrets {
		uint8_t key[KEYS_RECOVERY_LEN];
		uint8_t box_sk[KEYS_LEN];
		uint8_t root_sk[KEYS_SIGN_SK_LEN];
		uint8_t index_key[KEYS_LEN]; /* the newest */
		struct fs_index_keys index;
		struct fs_journal_chain journal;
	} * secret; /* guarded */
	uint8_t box_pk[KEYS_LEN];
};

/* ---- the escrow ---- */

/* Read before the root's MAC can be judged: that takes the host secret inside it. */
static int read_escrow(struct recover *r, uint8_t out[static KEYS_ESCROW_LEN])
{
	struct fs_records_config cfg = {.path = r->v->path, .read_only = true, .adopt = true};
	struct fs_key key = fs_key(0, 0, FS_T_ESCROW);
	struct fs_records *records = NULL;
	struct fs_buf *buf = NULL;
	int rc;

	memcpy(cfg.vault, r->v->header.vault, sizeof(cfg.vault));
	rc = fs_records_open(&cfg, &records);
	if (rc)
		return rc;
	rc = fs_record_get(fs_records_vault(records), &key, &buf);
	if (!rc && buf->len != KEYS_ESCROW_LEN)
		rc = -EBADMSG;
	if (!rc)
		memcpy(out, buf->data, KEYS_ESCROW_LEN);
	if (buf)
		fs_buf_put(buf);
	(void)fs_records_close(records);
	return rc == -ENOENT ? -EBADMSG : rc;
}

static int check_db(struct fs_vault *v, struct fs_say *say)
{
	char dir[4096];
	int rc;

	if ((size_t)snprintf(dir, sizeof(dir), "%s/db", v->path) >= sizeof(dir))
		return -ENAMETOOLONG;
	rc = fs_store_check(dir);
	if (rc)
		fs_say(say, "the database in %s %s; restore the vault from a backup first", dir,
		       rc == -EUCLEAN ? "is damaged" : strerror(-rc));
	return rc;
}

static int open_escrow(struct recover *r, struct fs_say *say)
{
	uint8_t bytes[KEYS_ESCROW_LEN];
	int rc = keys_recovery_parse(r->in->recovery, r->secret->key);

	if (rc) {
		fs_say(say, "that is no recovery key: a group is missing or mistyped");
		return rc;
	}
	rc = check_db(r->v, say);
	if (rc)
		return rc;
	rc = read_escrow(r, bytes);
	if (rc) {
		fs_say(say,
		       "the vault's escrow cannot be read (%s); restore the vault from a backup "
		       "first",
		       strerror(-rc));
		return rc;
	}
	rc = keys_escrow_open(r->v->header.vault, r->secret->key, bytes, sizeof(bytes),
			      r->secret->root_sk, r->v->host_secret);
	if (rc)
		fs_say(say, "this is not the recovery key of the vault %s", r->v->path);
	keys_recovery_box(r->v->header.vault, r->secret->key, r->box_pk, r->secret->box_sk);
	return rc;
}

/* ---- the vault, opened by the root ---- */

static void remember_daemon(struct fs_vault *v)
{
	pthread_rwlock_wrlock(&v->lock);
	if (v->daemon_count == FS_DAEMONS_MAX)
		memmove(v->daemons[0], v->daemons[1], (--v->daemon_count) * KEYS_LEN);
	memcpy(v->daemons[v->daemon_count++], v->daemon_pk, KEYS_LEN);
	pthread_rwlock_unlock(&v->lock);
}

static int open_vault(struct recover *r, struct fs_say *say)
{
	struct fs_vault *v = r->v;
	int rc = fs_state_open(v, true, say);

	if (!rc)
		rc = fs_state_make(v, r->secret->root_sk, true, say);
	if (!rc)
		rc = fs_vault_run(v, NULL, say);
	if (rc)
		return rc;
	rc = fs_vault_tell(
		v, NULL, POLICY_RECORD_RECOVER, 0, NULL,
		"the recovery key was used: host state made anew, vault accepted as it is%s%s",
		r->in->who ? ", for " : "", r->in->who ? r->in->who : "");
	if (rc)
		return rc;
	fs_vault_alarm(v, 0, "the recovery key was used");
	rc = fs_index_unwrap(v, FS_WRAP_RECOVERY, 0, 0, r->secret->box_sk, &r->secret->index);
	if (!rc) {
		memcpy(r->secret->index_key, r->secret->index.k[r->secret->index.n - 1].key,
		       KEYS_LEN);
		rc = fs_policies_open_index(v, &r->secret->index);
	}
	if (rc)
		fs_say(say,
		       "the vault's policy does not verify; restore the vault from a backup first");
	return rc;
}

/* ---- a practitioner ---- */

static int invite(struct recover *r, struct fs_invite_request *rq,
		  char code[static KEYS_CODE_TEXT_MAX])
{
	uint8_t raw[KEYS_CODE_LEN], bytes[FS_INVITE_BYTES];
	struct fs_edit e;
	uint32_t number;
	size_t len;
	int rc;

	keys_code_new(raw);
	fs_vault_edit_begin(r->v, &e, NULL);
	rc = fs_enroll_invite(&e, rq, r->secret->index_key, raw, bytes, &len, &number);
	if (!rc)
		rc = fs_vault_edit_commit(&e);
	if (!rc)
		rc = fs_people_add_invite(r->v, number, bytes, len);
	fs_vault_edit_clear(&e);
	if (!rc)
		keys_code_print(raw, code);
	keys_wipe(raw, sizeof(raw));
	return rc;
}

/* One journal's key out of the recovery wrap, wrapped for the new identity. */
static int give_journal(struct recover *r, const struct keys_identity *id, struct fs_entry *e,
			struct fs_batch *b)
{
	struct fs_journal_chain *chain = &r->secret->journal;
	struct policy_verdict verdict;
	struct keys_wrap_place place;
	int rc;

	fs_catalog_verdict(r->v, e, id->name, POLICY_READ, fs_vault_wall_s(), &verdict);
	if (verdict.answer != POLICY_ALLOW)
		return 0;
	rc = fs_journals_unwrap(r->v, e->index, FS_WRAP_RECOVERY, 0, 0, r->secret->box_sk, chain);
	for (size_t i = 0; !rc && i < chain->n; i++) {
		fs_journals_place(r->v, e->index, chain->generation[i], &place);
		rc = fs_journals_put_wrap(r->v, b, &place, FS_WRAP_PRACTITIONER, id->pid,
					  id->enrolment, chain->key[i], id->box_pk);
	}
	/* One damaged journal must not keep the others from their owner. */
	if (rc == -EBADMSG || rc == -EACCES) {
		fs_vault_alarm(r->v, e->index, "the recovery key does not open this journal");
		rc = 0;
	}
	return rc;
}

static int give_journals(struct recover *r, const struct keys_identity *id)
{
	struct fs_group *group = fs_records_group(r->v->records);
	struct fs_batch b;
	int rc = 0;

	fs_batch_init(&b, NULL);
	for (uint32_t i = 0; i < r->v->journals.cap && !rc; i++) {
		if (r->v->journals.by_index[i])
			rc = give_journal(r, id, r->v->journals.by_index[i], &b);
		if (rc || b.n < WRAPS_PER_BATCH)
			continue;
		rc = fs_group_apply(group, &b, NULL);
		fs_batch_clear(&b);
		fs_batch_init(&b, NULL);
		fs_group_throttle(group);
	}
	if (!rc && b.n)
		rc = fs_group_apply(group, &b, NULL);
	fs_batch_clear(&b);
	return rc;
}

static int give_break_glass(struct recover *r, const struct keys_identity *id,
			    const struct policy_practitioner *p)
{
	uint8_t *bg = keys_guard_new(KEYS_LEN);
	struct fs_edit e;
	int rc = bg ? 0 : -ENOMEM;

	if (!rc && !(p->role->rights & POLICY_BREAK_GLASS))
		rc = -EACCES;
	fs_vault_edit_begin(r->v, &e, NULL);
	for (uint32_t turn = r->v->bg_oldest; !rc && turn <= atomic_load(&r->v->bg_turn); turn++) {
		rc = fs_bg_get(r->v, 0, 0, turn, r->secret->box_sk, bg);
		if (!rc)
			rc = fs_bg_put(&e, id->pid, id->enrolment, turn, bg, id->box_pk);
	}
	if (!rc)
		rc = fs_vault_edit_commit(&e);
	fs_vault_edit_clear(&e);
	keys_guard_free(bg);
	return rc == -EACCES ? 0 : rc; /* no right, or nobody has made that key yet */
}

static int enroll(struct recover *r, struct fs_invite_request *rq,
		  const struct policy_practitioner *p)
{
	const struct fs_newcomer who = {
		.uid = r->in->uid,
		.salt = r->in->salt,
		.stretched = r->in->stretched,
		.cost = r->in->cost,
		.keyfile = r->in->keyfile,
	};
	struct keys_identity id;
	int rc = keys_stretch_check(r->in->cost);

	if (!rc)
		rc = fs_vault_tell(r->v, NULL, POLICY_RECORD_ENROLL, 0, NULL,
				   "%s enrols as uid %u (account %s) with the recovery key",
				   rq->name, (unsigned)who.uid, rq->account);
	if (!rc)
		rc = fs_enroll_by_root(r->v, rq, &who, r->secret->index_key, &id);
	if (!rc)
		rc = give_break_glass(r, &id, p);
	if (!rc)
		rc = give_journals(r, &id);
	return rc;
}

static int help_person(struct recover *r, char code[static KEYS_CODE_TEXT_MAX], struct fs_say *say)
{
	const struct policy_practitioner *p = policy_practice_find(r->v->practice, r->in->who);
	struct fs_invite_request rq = {.days = DAYS, .by = {.sk = r->secret->root_sk}};
	int rc;

	if (!p || p->state == POLICY_LEFT) {
		fs_say(say, "the practice policy %s practitioner `%s`",
		       p ? "says `left` of" : "does not name a", r->in->who);
		return -ENOENT;
	}
	rq.name = p->name;
	rq.account = p->account;
	rq.role = p->role->name;
	if (r->in->stretched)
		return enroll(r, &rq, p);
	rc = fs_vault_tell(r->v, NULL, POLICY_RECORD_INVITE, 0, NULL,
			   "%s (account %s, role %s), with the recovery key", rq.name, rq.account,
			   rq.role);
	return rc ? rc : invite(r, &rq, code);
}

/* The daemon's new key, and with a new identity also who reads the log, signed by the root. */
static int renew_list(struct recover *r)
{
	struct keys_list_entry *list = calloc(2 * KEYS_LIST_MAX, sizeof(*list));
	size_t n = 0;
	int rc = list ? fs_lists_wanted(r->v, list, &n) : -ENOMEM;

	remember_daemon(r->v);
	if (!rc)
		rc = fs_lists_by_root(r->v, r->secret->root_sk, list, n);
	if (!rc)
		rc = fs_log_readers(r->v->log, list + KEYS_LIST_MAX,
				    fs_lists_readers(list, n, list + KEYS_LIST_MAX));
	free(list);
	/* Last, so that nobody of the list lacks a stream that began before it was in force. */
	if (!rc)
		rc = fs_log_grants_by_recovery(r->v, r->box_pk, r->secret->box_sk);
	return rc;
}

int fs_vault_recover(const struct fs_recover *in, char code[static KEYS_CODE_TEXT_MAX],
		     struct fs_say *say)
{
	struct recover r = {.in = in};
	int rc = fs_vault_begin(in->config, &r.v, say), rc2;

	if (rc)
		return rc;
	code[0] = '\0';
	r.secret = keys_guard_new(sizeof(*r.secret));
	rc = r.secret ? open_escrow(&r, say) : -ENOMEM;
	if (!rc)
		rc = open_vault(&r, say);
	if (!rc && in->who)
		rc = help_person(&r, code, say);
	if (!rc)
		rc = renew_list(&r);
	keys_guard_free(r.secret);
	if (rc && say && !say->text[0])
		fs_say(say, "recovering failed: %s", strerror(-rc));
	if (!r.v->records || !r.v->log) {
		(void)fs_vault_free(r.v);
		return rc;
	}
	rc2 = fs_vault_close(r.v);
	if (rc || rc2)
		keys_wipe(code, KEYS_CODE_TEXT_MAX);
	return rc ? rc : rc2;
}
