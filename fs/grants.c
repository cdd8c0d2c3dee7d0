/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/grants.c - wraps that wait: policy admits somebody whose wrap nobody made yet.
 *
 * Every journal remembers the epoch at which all its wraps were looked at; what
 * wraps follow from (policy, people) moves the epoch on. Each tick looks at the
 * next journals for some milliseconds. Missing wraps are made by an active session
 * that holds the journal's keys; what nobody can serve is counted and looked at
 * again when somebody logs in. Wraps of practitioners who left are removed; that they had one is
 * kept (KNOWN) until the journal's key is another (renew.c). Whom a date lets in later is looked at
 * again then.
 *
 * Invariants: (1) a key is wrapped only for an identity whose chain and issuers
 * were verified and whom policy admits now; (2) the record in the log is durable
 * before the wrap is stored.
 *
 * Locks: edit held by the caller; session locks while a key is unwrapped.
 */
#include "vault_impl.h"

#define BUDGET_NS 20000000u

void fs_grants_changed(struct fs_vault *v)
{
	v->epoch++;
	v->grants_idle = false;
	v->lists_dirty = true;
	v->log_dirty = true;
	v->index_dirty = true;
}

void fs_grants_retry(struct fs_vault *v)
{
	for (uint32_t i = 0; i < v->journals.cap; i++) {
		if (v->journals.by_index[i] && v->journals.by_index[i]->waiting)
			v->journals.by_index[i]->checked = 0;
	}
	v->grants_idle = false;
	v->lists_dirty = true;
	v->log_dirty = true;
	v->index_dirty = true;
}

/*
 * May this person have the key of a journal with this policy? always: his number in any case. Refused,
 * *due_s becomes the time when that may change by itself, if it is earlier.
 */
static bool admitted(const struct policy_practice *practice, const struct policy_journal *policy,
		     const struct fs_person *p, uint32_t always, int64_t *due_s)
{
	const struct policy_practitioner *line = policy_practice_find(practice, p->name);
	struct policy_question q = {practice, policy, p->name, POLICY_READ, fs_vault_wall_s(), NULL};
	struct policy_verdict verdict;

	if (!p->enrolment || !line || line->state == POLICY_LEFT)
		return false;
	if (p->pid == always)
		return true;
	if (!policy)
		return false;
	policy_decide(&q, &verdict);
	if (verdict.answer != POLICY_ALLOW && verdict.until_s < *due_s)
		*due_s = verdict.until_s;
	return verdict.answer == POLICY_ALLOW;
}

int fs_grants_recipients(struct fs_vault *v, const struct policy_practice *practice,
			 const struct policy_journal *policy, uint32_t always,
			 int (*fn)(void *ctx, const struct keys_identity *id), void *ctx)
{
	int64_t due_s = INT64_MAX;
	int rc = 0;

	for (size_t i = 0; i < v->people_count && !rc; i++) {
		const struct fs_person *p = v->people[i];
		const struct keys_identity *id = NULL;

		if (!admitted(practice, policy, p, always, &due_s))
			continue;
		rc = fs_people_identity(v, p->pid, p->enrolment, true, &id);
		if (rc == -EBADMSG) {
			fs_vault_alarm(v, 0,
				       "the identity of %s does not verify; no key is given to it",
				       p->name);
			rc = 0;
			continue;
		}
		if (!rc)
			rc = fn(ctx, id);
	}
	return rc;
}

/* ---- one journal ---- */

/* What one person has of a journal: the enrolment that the wrap of each generation is for, 0 none. */
struct holds {
	uint32_t enrolment[FS_JOURNAL_KEYS];
};

struct look {
	struct fs_vault *v;
	struct fs_entry *entry;
	uint32_t generation[FS_JOURNAL_KEYS]; /* those that have a manifest, ascending */
	size_t generations;
	struct holds *holds; /* by place in v->people */
	struct holds break_glass, recovery; /* 1: there is one; break-glass: its turn and 1 */
	size_t missing, left;
	int64_t due_s;
	struct fs_journal_chain *chain; /* guarded */
	struct fs_batch b;
	char names[600];
};

static struct holds *holds_of(struct look *l, unsigned kind, uint32_t pid)
{
	if (kind == FS_WRAP_BREAK_GLASS)
		return &l->break_glass;
	if (kind == FS_WRAP_RECOVERY)
		return &l->recovery;
	for (size_t i = 0; kind == FS_WRAP_PRACTITIONER && i < l->v->people_count; i++) {
		if (l->v->people[i]->pid == pid)
			return &l->holds[i];
	}
	return NULL;
}

/* Manifests come before wraps. */
static int look_wrap(void *ctx, const struct fs_key *key, struct fs_buf *buf)
{
	struct look *l = ctx;
	struct bytes_in in = bytes_in(buf->data, buf->len);
	uint32_t generation = (uint32_t)fs_key_sub(key, 4), pid = (uint32_t)fs_key_be(key, 15, 4);
	unsigned kind = (unsigned)fs_key_be(key, 14, 1);
	struct holds *h;

	if (fs_key_table(key) == FS_T_MANIFEST) {
		if (l->generations == FS_JOURNAL_KEYS)
			return -EBADMSG;
		l->generation[l->generations++] = generation;
		return 0;
	}
	h = holds_of(l, kind, pid);
	for (size_t g = 0; h && g < l->generations; g++) {
		if (l->generation[g] == generation)
			h->enrolment[g] = kind == FS_WRAP_RECOVERY ? 1
					  : bytes_get_u32(&in) + (kind == FS_WRAP_BREAK_GLASS);
	}
	return 0;
}

static int look_wraps(struct look *l)
{
	struct fs_key from = fs_key(l->entry->index, 0, FS_T_MANIFEST);
	struct fs_key to = fs_key(l->entry->index, 0, FS_T_WRAP + 1);
	int rc;

	memset(l->holds, 0, l->v->people_count * sizeof(*l->holds));
	memset(&l->break_glass, 0, sizeof(l->break_glass));
	memset(&l->recovery, 0, sizeof(l->recovery));
	l->generations = 0;
	rc = fs_record_scan(fs_records_vault(l->v->records), &from, &to, look_wrap, l);
	return !rc && !l->generations ? -EBADMSG : rc;
}

static bool holds_any(const struct look *l, const struct holds *h)
{
	for (size_t g = 0; g < l->generations; g++) {
		if (h->enrolment[g])
			return true;
	}
	return false;
}

static bool holds_all(const struct look *l, const struct holds *h, uint32_t enrolment)
{
	for (size_t g = 0; g < l->generations; g++) {
		if (h->enrolment[g] != enrolment)
			return false;
	}
	return true;
}

static bool has_left(const struct fs_vault *v, const struct fs_person *p)
{
	const struct policy_practitioner *line = policy_practice_find(v->practice, p->name);

	return !line || line->state == POLICY_LEFT;
}

static void add_name(struct look *l, const char *name)
{
	size_t at = strlen(l->names);

	snprintf(l->names + at, sizeof(l->names) - at, "%s%s", at ? ", " : "", name);
}

static void count(struct look *l)
{
	l->missing = l->left = 0;
	l->due_s = INT64_MAX;
	for (size_t i = 0; i < l->v->people_count; i++) {
		const struct fs_person *p = l->v->people[i];

		if (holds_any(l, &l->holds[i]) && has_left(l->v, p))
			l->left++;
		if (!holds_all(l, &l->holds[i], p->enrolment) &&
		    admitted(l->v->practice, l->entry->policy, p, 0, &l->due_s))
			l->missing++;
	}
	if (fs_lists_find(l->v, KEYS_LIST_BREAK_GLASS, 0) &&
	    !holds_all(l, &l->break_glass, atomic_load(&l->v->bg_turn) + 1))
		l->missing++;
	if (!holds_all(l, &l->recovery, 1))
		l->missing++;
}

/* All wraps of one who left go; the newest generation that he had is remembered. */
static void drop_wraps(struct look *l, const struct fs_person *p, const struct holds *h)
{
	struct fs_journal *vault = fs_records_vault(l->v->records);
	uint32_t newest = 0;

	for (size_t g = 0; g < l->generations; g++) {
		struct fs_key key = fs_journals_wrap_key(l->entry->index, l->generation[g],
							 FS_WRAP_PRACTITIONER, p->pid);

		if (!h->enrolment[g])
			continue;
		fs_batch_del(&l->b, vault, &key);
		newest = l->generation[g];
	}
	fs_renew_known_put(l->v, &l->b, p->pid, l->entry->index, newest);
}

static int drop_left(struct look *l)
{
	struct fs_vault *v = l->v;
	int rc;

	l->names[0] = '\0';
	for (size_t i = 0; i < v->people_count; i++) {
		if (!holds_any(l, &l->holds[i]) || !has_left(v, v->people[i]))
			continue;
		drop_wraps(l, v->people[i], &l->holds[i]);
		add_name(l, v->people[i]->name);
	}
	rc = fs_vault_tell(v, NULL, POLICY_RECORD_KEYS, l->entry->index, l->entry->name,
			   "key taken from %s, who left", l->names);
	return rc ? rc : fs_group_apply(fs_records_group(v->records), &l->b, NULL);
}

/* The keys out of the wraps of some active session; -EACCES when none has them. */
static int find_key(struct look *l, struct fs_session **by)
{
	struct fs_vault *v = l->v;
	int rc = -EACCES;

	for (size_t i = 0; i < v->session_count && rc; i++) {
		struct fs_session *s = v->sessions[i];
		bool holds = false;

		for (size_t k = 0; k < v->people_count; k++)
			holds = holds || (v->people[k]->pid == s->pid &&
					  holds_all(l, &l->holds[k], s->enrolment));
		if (!holds || fs_session_state(s) != FS_SESSION_ACTIVE)
			continue;
		pthread_rwlock_rdlock(&s->lock);
		rc = !s->secret
			     ? -EACCES
			     : fs_journals_unwrap(v, l->entry->index, FS_WRAP_PRACTITIONER, s->pid,
						  s->enrolment, s->secret->box_sk, l->chain);
		pthread_rwlock_unlock(&s->lock);
		if (!rc) {
			*by = s;
		} else if (rc == -EBADMSG) {
			fs_vault_alarm(v, l->entry->index, "the key of a journal does not verify");
		}
	}
	return rc;
}

/* What is missing of one holder. */
static int serve_holder(struct look *l, const struct holds *h, enum fs_wrap_kind kind, uint32_t pid,
			uint32_t enrolment, const uint8_t *box_pk)
{
	uint32_t want = kind == FS_WRAP_PRACTITIONER ? enrolment : enrolment + 1;
	struct keys_wrap_place place;
	int rc = 0;

	for (size_t i = 0; i < l->chain->n && !rc; i++) {
		size_t g = 0;

		while (g < l->generations && l->generation[g] != l->chain->generation[i])
			g++;
		if (g == l->generations)
			return -EAGAIN; /* looked at in between: the next tick sees them all */
		if (h->enrolment[g] == want)
			continue;
		fs_journals_place(l->v, l->entry->index, l->generation[g], &place);
		rc = fs_journals_put_wrap(l->v, &l->b, &place, kind, pid, enrolment,
					  l->chain->key[i], box_pk);
	}
	return rc;
}

static int serve_one(void *ctx, const struct keys_identity *id)
{
	struct look *l = ctx;
	const struct holds *h = holds_of(l, FS_WRAP_PRACTITIONER, id->pid);

	if (!h || holds_all(l, h, id->enrolment))
		return 0;
	add_name(l, id->name);
	return serve_holder(l, h, FS_WRAP_PRACTITIONER, id->pid, id->enrolment, id->box_pk);
}

static int serve_vault(struct look *l, enum keys_list_kind list, enum fs_wrap_kind kind,
		       const char *name)
{
	const struct keys_list_entry *k = fs_lists_find(l->v, list, 0);
	const struct holds *h = holds_of(l, kind, 0);
	uint32_t turn = kind == FS_WRAP_BREAK_GLASS ? atomic_load(&l->v->bg_turn) : 0;

	if (!k || holds_all(l, h, turn + 1))
		return 0;
	add_name(l, name);
	return serve_holder(l, h, kind, 0, turn, k->box_pk);
}

static int serve(struct look *l, struct fs_session *by)
{
	struct fs_vault *v = l->v;
	int rc;

	l->names[0] = '\0';
	rc = fs_grants_recipients(v, v->practice, l->entry->policy, 0, serve_one, l);
	if (!rc)
		rc = serve_vault(l, KEYS_LIST_BREAK_GLASS, FS_WRAP_BREAK_GLASS, "break-glass");
	if (!rc)
		rc = serve_vault(l, KEYS_LIST_RECOVERY, FS_WRAP_RECOVERY, "recovery");
	if (rc || !l->b.n)
		return rc;
	rc = fs_vault_tell(v, by, POLICY_RECORD_KEYS, l->entry->index, l->entry->name,
			   "key given to %s", l->names);
	return rc ? rc : fs_group_apply(fs_records_group(v->records), &l->b, NULL);
}

/* Has it break-glass wraps, all of an older turn's pair? */
static bool older_turn(const struct look *l)
{
	uint32_t turn = atomic_load(&l->v->bg_turn);

	for (uint32_t old = l->v->bg_oldest; old < turn; old++) {
		if (holds_all(l, &l->break_glass, old + 1))
			return true;
	}
	return false;
}

/*
 * Nobody who holds the journal's key is here, but a clinician with the break-glass key of the turn before is:
 * the wraps are made anew for the pair in use, and for nobody else. Told before the key is used.
 */
static int renew_break_glass(struct look *l)
{
	struct fs_vault *v = l->v;
	struct fs_session *by = fs_sessions_with(v, POLICY_BREAK_GLASS);
	int rc;

	if (!by)
		return 0;
	l->names[0] = '\0';
	rc = fs_vault_tell(v, by, POLICY_RECORD_KEYS, l->entry->index, l->entry->name,
			   "the break-glass key before opens the journal's keys, to give them to the "
			   "new one");
	if (!rc)
		rc = fs_glass_keys(v, by, l->entry->index, l->chain);
	fs_batch_init(&l->b, NULL);
	if (!rc)
		rc = serve_vault(l, KEYS_LIST_BREAK_GLASS, FS_WRAP_BREAK_GLASS, "break-glass");
	if (!rc && l->b.n)
		rc = fs_group_apply(fs_records_group(v->records), &l->b, NULL);
	fs_batch_clear(&l->b);
	keys_wipe(l->chain, sizeof(*l->chain));
	fs_session_put(by);
	return rc == -EACCES ? 0 : rc;
}

/* 0 also when somebody still waits; negative: try again at the next tick. */
static int look_at(struct look *l)
{
	struct fs_session *by = NULL;
	int rc = look_wraps(l);

	if (rc)
		return rc;
	count(l);
	if (l->left) {
		fs_batch_init(&l->b, NULL);
		rc = drop_left(l);
		fs_batch_clear(&l->b);
		if (rc)
			return rc;
	}
	if (l->missing && !find_key(l, &by)) {
		fs_batch_init(&l->b, NULL);
		rc = serve(l, by);
		fs_batch_clear(&l->b);
		keys_wipe(l->chain, sizeof(*l->chain));
	} else if (l->missing && older_turn(l)) {
		rc = renew_break_glass(l);
	} else {
		return 0;
	}
	if (!rc)
		rc = look_wraps(l);
	if (!rc)
		count(l);
	return rc;
}

/* ---- one that cannot wait ---- */

/* All keys out of the break-glass wraps, for one session's practitioner. */
static int put_from_break_glass(struct look *l, struct fs_session *s)
{
	struct fs_vault *v = l->v;
	struct keys_wrap_place place;
	int rc = fs_glass_keys(v, s, l->entry->index, l->chain);

	for (size_t i = 0; !rc && i < l->chain->n; i++) {
		fs_journals_place(v, l->entry->index, l->chain->generation[i], &place);
		rc = fs_journals_put_wrap(v, &l->b, &place, FS_WRAP_PRACTITIONER, s->pid,
					  s->enrolment, l->chain->key[i], s->identity.box_pk);
	}
	keys_wipe(l->chain, sizeof(*l->chain));
	return rc;
}

/* The record first: no use of the break-glass key without it. */
static int break_glass_key(struct look *l, struct fs_session *s)
{
	struct fs_vault *v = l->v;
	int rc = fs_vault_tell(v, s, POLICY_RECORD_KEYS, l->entry->index, l->entry->name,
			       "key given to %s with the break-glass key, since nobody who holds it is "
			       "logged in",
			       s->who);

	fs_batch_init(&l->b, NULL);
	if (!rc)
		rc = put_from_break_glass(l, s);
	if (!rc)
		rc = fs_group_apply(fs_records_group(v->records), &l->b, NULL);
	fs_batch_clear(&l->b);
	return rc;
}

static bool holds(const struct look *l, const struct fs_session *s)
{
	for (size_t i = 0; i < l->v->people_count; i++) {
		if (l->v->people[i]->pid == s->pid)
			return holds_all(l, &l->holds[i], s->enrolment);
	}
	return false;
}

int fs_grants_serve(struct fs_vault *v, struct fs_entry *e, struct fs_session *s)
{
	struct look l = {.v = v, .entry = e};
	bool had = false;
	int rc = -ENOMEM;

	l.holds = calloc(v->people_count + 1, sizeof(*l.holds));
	l.chain = keys_guard_new(sizeof(*l.chain));
	if (l.holds && l.chain)
		rc = look_wraps(&l);
	if (!rc) {
		had = holds(&l, s);
		rc = had ? 0 : look_at(&l);
	}
	if (!rc && !had && !holds(&l, s)) {
		rc = -EACCES;
		if (fs_sessions_has(v, s, POLICY_BREAK_GLASS))
			rc = break_glass_key(&l, s);
	}
	if (!rc)
		rc = had ? 0 : 1;
	keys_guard_free(l.chain);
	free(l.holds);
	return rc;
}

/* ---- the tick ---- */

/* Journals whose policy lets somebody in since a date that has come are looked at again. */
static void come_due(struct fs_vault *v)
{
	int64_t now_s = fs_vault_wall_s();

	if (!v->grants_due_s || now_s < v->grants_due_s)
		return;
	v->grants_due_s = 0;
	for (uint32_t i = 0; i < v->journals.cap; i++) {
		struct fs_entry *e = v->journals.by_index[i];

		if (!e || !e->due_s)
			continue;
		if (e->due_s <= now_s) {
			e->checked = 0;
			v->grants_idle = false;
		} else if (!v->grants_due_s || e->due_s < v->grants_due_s) {
			v->grants_due_s = e->due_s;
		}
	}
}

static void note_due(struct fs_vault *v, struct fs_entry *e, int64_t due_s)
{
	e->due_s = due_s == INT64_MAX ? 0 : due_s;
	if (e->due_s && (!v->grants_due_s || e->due_s < v->grants_due_s))
		v->grants_due_s = e->due_s;
}

void fs_grants_journal_changed(struct fs_vault *v, struct fs_entry *e)
{
	e->checked = 0;
	if (v->grants_changed_count < FS_GRANTS_CHANGED)
		v->grants_changed[v->grants_changed_count++] = e->index;
	else
		v->grants_idle = false;
}

static void look_once(struct look *l, struct fs_entry *e)
{
	struct fs_vault *v = l->v;
	int rc;

	l->entry = e;
	rc = look_at(l);
	if (!rc)
		note_due(v, e, l->due_s);
	pthread_rwlock_wrlock(&v->lock);
	if (!rc)
		e->waiting = (uint32_t)l->missing;
	/* Damage is not looked at for ever. */
	if (!rc || rc == -EBADMSG)
		e->checked = v->epoch;
	else
		v->grants_again = true;
	pthread_rwlock_unlock(&v->lock);
}

/* Those whose own policy changed: not the whole vault is looked through for one journal. */
static void look_at_changed(struct look *l, uint64_t end)
{
	struct fs_vault *v = l->v;

	while (v->grants_changed_count && fs_vault_boot_ns() < end) {
		struct fs_entry *e =
			fs_catalog_by_index(v, v->grants_changed[--v->grants_changed_count]);

		if (!e || e->checked == v->epoch)
			continue;
		look_once(l, e);
		if (e->checked != v->epoch)
			v->grants_idle = false; /* it failed: the next round tries again */
	}
}

/* Then every journal has break-glass wraps of the pair in use. */
static bool none_waits(const struct fs_vault *v)
{
	for (uint32_t i = 0; i < v->journals.cap; i++) {
		if (v->journals.by_index[i] && v->journals.by_index[i]->waiting)
			return false;
	}
	return true;
}

/* The next journals of the round. */
static void look_on(struct look *l, uint64_t end)
{
	struct fs_vault *v = l->v;
	uint32_t at;

	for (at = v->cursor; at < v->journals.cap; at++) {
		struct fs_entry *e = v->journals.by_index[at];

		if (!e || e->checked == v->epoch)
			continue;
		if (fs_vault_boot_ns() >= end)
			break;
		look_once(l, e);
	}
	v->cursor = at;
	if (at >= v->journals.cap) {
		if (!v->grants_again && none_waits(v))
			fs_bg_forget_older(v);
		v->cursor = 0;
		v->grants_idle = !v->grants_again;
		v->grants_again = false;
	}
}

void fs_grants_tick(struct fs_vault *v)
{
	struct look l = {.v = v};
	uint64_t end = fs_vault_boot_ns() + BUDGET_NS;

	come_due(v);
	if ((v->grants_idle && !v->grants_changed_count) || !v->journals.cap)
		return;
	l.holds = calloc(v->people_count + 1, sizeof(*l.holds));
	l.chain = keys_guard_new(sizeof(*l.chain));
	if (l.holds && l.chain) {
		look_at_changed(&l, end);
		if (!v->grants_idle)
			look_on(&l, end);
	}
	keys_guard_free(l.chain);
	free(l.holds);
}
