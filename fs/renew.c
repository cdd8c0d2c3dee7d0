/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/renew.c - new keys for journals, and sealing again what older ones seal, in the background.
 *
 * One journal at a time, with the session of somebody who may read and write there:
 *
 *	order --> next generation --> count --> mark --> ... --> count: nothing left --> older ones go
 *	           (one commit)         ^________________|
 *
 * The next generation is one batch: its manifest, signed by that practitioner with the
 * succession under the generation before, and wraps for everybody whom policy admits
 * now, break-glass and recovery. From that group on everything is sealed under it. Then
 * marks are put into groups, a few each step (reseal.c), and the commits seal those
 * records and chunks again. When a walk over everything finds nothing older, the
 * manifests and wraps of older generations go, and the order with them. Nothing but the
 * vault's records says how far it is. Implements fs/FORMAT.md, "Generations of a
 * journal's key".
 *
 * Invariants: (1) no record is sealed under a generation whose wraps are not in the same
 * commit or an earlier one (journal_keys.c); (2) who may open a journal has a wrap of every
 * generation that there is; (3) a generation goes only when every record was seen
 * committed under the newest, in a walk that began after a group which began with it was
 * durable, and HEAD has the key of names; (4) marks enter a group only while the session is active, so that its lock or
 * end waits for them.
 *
 * It steps back: one step at a time, none before the one before is durable and as long
 * again has passed, none while groups are filling up, none on a disk that is nearly full.
 *
 * Locks: edit held by the caller; the session's while a batch enters.
 */
#include "reseal.h"
#include "vault_impl.h"

#define STEP_RECORDS 256
#define STEP_BYTES (UINT64_C(2) << 20)
#define STEP_NS 10000000u
#define SEARCH_NS 5000000u
#define REST_NS_MOST UINT64_C(500000000)
#define SPACE_LEAST (UINT64_C(24) << 20)
#define BUSY_BYTES (4u << 20)
#define BUSY_NS UINT64_C(1000000000) /* after that a step is taken all the same */
#define MS UINT64_C(1000000)
#define IN_VAIN_MOST 3
#define AGAIN_NS (600 * UINT64_C(1000000000)) /* what is damaged may have been restored */

/* The one under way. */
struct fs_renewing {
	uint32_t journal;
	struct fs_session *by; /* a reference */
	bool marking;	       /* the walk puts marks; else it counts */
	bool counted;	       /* the totals are known */
	struct fs_reseal walk;
	uint64_t left;		 /* records under older keys at the last count */
	unsigned in_vain;	 /* rounds that changed nothing of that */
	uint64_t records, bytes; /* totals; done is what of them was marked */
	uint64_t records_done, bytes_done;
	uint64_t group;	    /* to be durable before the next step; 0: none */
	uint64_t stepped_ns; /* when the last one entered it */
	uint64_t rest_ns;    /* no step before */
};

struct step {
	struct fs_vault *v;
	struct fs_renewing *now;
	struct fs_renewal *order;
	struct fs_entry *entry;
	struct fs_journal *j;
	struct fs_signer *signer;
};

static void set_state(struct fs_vault *v, struct fs_renewal *order, enum fs_renewal_state state)
{
	if (order->state == state)
		return;
	pthread_rwlock_wrlock(&v->lock);
	order->state = (uint8_t)state;
	pthread_rwlock_unlock(&v->lock);
}

void fs_renew_stop(struct fs_vault *v)
{
	if (v->renewing)
		fs_session_put(v->renewing->by);
	free(v->renewing);
	v->renewing = NULL;
}

bool fs_renew_progress(struct fs_vault *v, uint32_t journal, struct fs_renew_progress *out)
{
	const struct fs_renewing *now = v->renewing;

	if (!now || now->journal != journal)
		return false;
	*out = (struct fs_renew_progress){
		.counting = !now->counted,
		.records = now->records_done,
		.records_total = now->counted ? now->records : now->walk.records,
		.bytes = now->bytes_done,
		.bytes_total = now->counted ? now->bytes : now->walk.bytes,
	};
	return true;
}

/* ---- whose session does it ---- */

static bool may(struct fs_vault *v, const struct fs_entry *e, const struct fs_session *s,
		uint32_t rights)
{
	struct policy_verdict verdict;

	fs_catalog_verdict(v, e, s->who, rights, fs_vault_wall_s(), &verdict);
	return verdict.answer == POLICY_ALLOW;
}

/* Reads there, and may sign the journal's root. */
static bool serves(struct fs_vault *v, const struct fs_entry *e, const struct fs_session *s)
{
	return fs_session_state(s) == FS_SESSION_ACTIVE && may(v, e, s, POLICY_READ) &&
	       (may(v, e, s, POLICY_WRITE) || may(v, NULL, s, POLICY_CREATE));
}

/* -EACCES: nobody is there; other errors: damage. *j has a reference. */
static int find_server(struct fs_vault *v, const struct fs_entry *e, struct fs_session **by,
		       struct fs_journal **j)
{
	int rc = -EACCES;

	for (size_t i = 0; i < v->session_count && (rc == -EACCES || rc == -ENOKEY); i++) {
		struct fs_session *s = v->sessions[i];

		if (!serves(v, e, s))
			continue;
		rc = fs_vault_journal(v, s, e->index, j);
		if (!rc)
			*by = s;
	}
	return rc;
}

/* ---- entering a group ---- */

/*
 * While the session is active: whoever ends or locks it makes durable afterwards what was entered, and
 * only then lets go of its keys.
 */
static int enter(struct step *st, struct fs_batch *b, uint64_t *number)
{
	struct fs_session *s = st->now->by;
	int rc = -ENOKEY;

	pthread_rwlock_rdlock(&s->lock);
	if (fs_session_state(s) == FS_SESSION_ACTIVE)
		rc = fs_group_apply(fs_records_group(st->v->records), b, number);
	pthread_rwlock_unlock(&s->lock);
	return rc;
}

/* The next step waits for this group. */
static void entered(struct step *st, uint64_t number)
{
	st->now->group = number;
	st->now->stepped_ns = fs_vault_boot_ns();
	fs_group_push(fs_records_group(st->v->records));
}

/* ---- the next generation ---- */

struct next {
	struct step *st;
	struct fs_journal_chain *chain; /* guarded */
	uint8_t *key;			/* guarded */
	struct keys_wrap_place place;
	struct fs_batch b;
	bool self; /* whose session it is is among those who get it */
};

static int wrap_for(void *ctx, const struct keys_identity *id)
{
	struct next *n = ctx;

	if (id->pid == n->st->now->by->pid && id->enrolment == n->st->now->by->enrolment)
		n->self = true;
	return fs_journals_put_wrap(n->st->v, &n->b, &n->place, FS_WRAP_PRACTITIONER, id->pid,
				    id->enrolment, n->key, id->box_pk);
}

static int wrap_for_vault(struct next *n, enum keys_list_kind list, enum fs_wrap_kind kind)
{
	const struct keys_list_entry *k = fs_lists_find(n->st->v, list, 0);
	uint32_t turn = kind == FS_WRAP_BREAK_GLASS ? atomic_load(&n->st->v->bg_turn) : 0;

	if (!k)
		return kind == FS_WRAP_RECOVERY ? -EBADMSG : 0;
	return fs_journals_put_wrap(n->st->v, &n->b, &n->place, kind, 0, turn, n->key, k->box_pk);
}

static int put_wraps(struct next *n)
{
	struct fs_vault *v = n->st->v;
	int rc = fs_grants_recipients(v, v->practice, n->st->entry->policy, 0, wrap_for, n);

	/* He could not finish what he begins. */
	if (!rc && !n->self)
		rc = -EACCES;
	if (!rc)
		rc = wrap_for_vault(n, KEYS_LIST_BREAK_GLASS, FS_WRAP_BREAK_GLASS);
	if (!rc)
		rc = wrap_for_vault(n, KEYS_LIST_RECOVERY, FS_WRAP_RECOVERY);
	return rc;
}

static int put_manifest(struct next *n)
{
	struct fs_session *by = n->st->now->by;
	struct fs_vault *v = n->st->v;
	struct fs_key at = fs_key_n(n->place.journal, 0, FS_T_MANIFEST, n->place.generation, 4);
	struct keys_manifest m = {
		.place = n->place,
		.signer = by->pid,
		.enrolment = by->enrolment,
		.policy_version = v->counters.policy,
		.time_s = (uint64_t)fs_vault_wall_s(),
	};
	uint8_t bytes[KEYS_MANIFEST_LEN];
	int rc;

	pthread_rwlock_rdlock(&by->lock);
	rc = by->secret ? 0 : -ENOKEY;
	if (!rc)
		keys_manifest_sign(&m, n->key, n->chain->key[n->chain->n - 1],
				   by->secret->statement_sk);
	pthread_rwlock_unlock(&by->lock);
	if (rc)
		return rc;
	keys_manifest_encode(&m, bytes);
	fs_batch_put(&n->b, fs_records_vault(v->records), &at, bytes, sizeof(bytes));
	return 0;
}

static int unwrap(struct next *n)
{
	struct fs_session *by = n->st->now->by;
	int rc;

	pthread_rwlock_rdlock(&by->lock);
	rc = !by->secret ? -ENOKEY
			 : fs_journals_unwrap(n->st->v, n->st->entry->index, FS_WRAP_PRACTITIONER,
					      by->pid, by->enrolment, by->secret->box_sk, n->chain);
	pthread_rwlock_unlock(&by->lock);
	if (!rc && n->chain->generation[n->chain->n - 1] != fs_journal_generation(n->st->j))
		rc = -EBADMSG;
	return rc;
}

/* What the records layer needs of it, made before anything is stored. */
static int prepare(struct next *n, struct fs_journal_key **out)
{
	struct keys_journal *keys = keys_guard_new(sizeof(*keys));
	uint32_t index = n->st->entry->index;
	int rc = keys ? unwrap(n) : -ENOMEM;

	if (!rc) {
		fs_journals_place(n->st->v, index, n->chain->generation[n->chain->n - 1] + 1,
				  &n->place);
		keys_random(n->key, KEYS_LEN);
		rc = fs_journals_derive(n->st->v, index, n->place.generation, n->key, keys);
	}
	if (!rc)
		rc = fs_journal_key_new(n->st->j, n->place.generation, keys, out);
	keys_guard_free(keys);
	return rc;
}

static int tell_next(struct next *n)
{
	const struct fs_renewal *order = n->st->order;
	const struct fs_person *by = fs_people_by_pid(n->st->v, order->by);
	const struct fs_person *why =
		order->because ? fs_people_by_pid(n->st->v, order->because) : NULL;

	return fs_vault_tell(n->st->v, n->st->now->by, POLICY_RECORD_KEYS, n->st->entry->index,
			     n->st->entry->name,
			     "key %u of this journal is made, asked for by %s%s%s; what older ones "
			     "seal is sealed again",
			     n->place.generation, by ? by->name : "somebody unknown",
			     why ? ", on account of " : "", why ? why->name : "");
}

static int make_next(struct step *st)
{
	struct next n = {.st = st};
	struct fs_journal_key *k = NULL;
	uint64_t number = 0;
	int rc = -ENOMEM;

	fs_batch_init(&n.b, st->signer);
	n.chain = keys_guard_new(sizeof(*n.chain));
	n.key = keys_guard_new(KEYS_LEN);
	if (n.chain && n.key)
		rc = prepare(&n, &k);
	if (!rc)
		rc = put_manifest(&n);
	if (!rc)
		rc = put_wraps(&n);
	if (!rc) {
		fs_journal_keep_names(st->j, &n.b);
		rc = tell_next(&n);
	}
	if (!rc)
		rc = enter(st, &n.b, &number);
	if (!rc) {
		fs_journal_key_link(st->j, k, number);
		k = NULL;
		entered(st, number);
	}
	fs_journal_key_free(st->j, k);
	fs_batch_clear(&n.b);
	keys_guard_free(n.key);
	keys_guard_free(n.chain);
	return rc;
}

/* ---- the end ---- */

struct dropping {
	struct fs_vault *v;
	struct fs_batch b;
};

static int drop_one(void *ctx, const struct fs_key *key, struct fs_buf *buf)
{
	struct dropping *d = ctx;

	(void)buf;
	fs_batch_del(&d->b, fs_records_vault(d->v->records), key);
	return 0;
}

static int drop_range(struct dropping *d, uint32_t journal, enum fs_table table, uint32_t newest)
{
	struct fs_key from = fs_key_n(journal, 0, table, 0, 4);
	struct fs_key to = fs_key_n(journal, 0, table, newest, 4);

	return fs_record_scan(fs_records_vault(d->v->records), &from, &to, drop_one, d);
}

/* Nothing is sealed under older generations: they go, and the order if the newest satisfies it. */
static int drop_older(struct step *st, bool satisfied)
{
	uint32_t newest = fs_journal_generation(st->j), journal = st->entry->index;
	struct dropping d = {.v = st->v};
	int rc;

	fs_batch_init(&d.b, NULL);
	rc = drop_range(&d, journal, FS_T_MANIFEST, newest);
	if (!rc)
		rc = drop_range(&d, journal, FS_T_WRAP, newest);
	if (satisfied)
		fs_renew_order_del(st->v, &d.b, journal);
	fs_renew_known_del(st->v, &d.b, journal, newest - 1);
	if (!rc)
		rc = fs_vault_tell(st->v, st->now->by, POLICY_RECORD_KEYS, journal, st->entry->name,
				   "this journal is sealed under key %u alone", newest);
	if (!rc)
		rc = fs_group_apply(fs_records_group(st->v->records), &d.b, NULL);
	fs_batch_clear(&d.b);
	if (!rc && satisfied)
		fs_renew_remove(st->v, journal);
	return rc;
}

/* ---- one step ---- */

static void begin_walk(struct fs_renewing *now, bool marking)
{
	memset(&now->walk, 0, sizeof(now->walk));
	now->marking = marking;
}

/*
 * A commit that meets damage in a journal drops what it had of it, the kept key of names too, while the
 * wraps stand in the vault. Without that key the journal is lost with its first generation.
 */
static int keep_names(struct step *st)
{
	struct fs_batch b;
	uint64_t number;
	int rc;

	fs_batch_init(&b, st->signer);
	fs_journal_keep_names(st->j, &b);
	rc = enter(st, &b, &number);
	if (!rc)
		entered(st, number);
	fs_batch_clear(&b);
	begin_walk(st->now, false);
	return rc;
}

/* A walk came to its end. 1: the journal is done. */
static int walked(struct step *st, bool satisfied)
{
	struct fs_renewing *now = st->now;
	int rc;

	if (now->marking) {
		begin_walk(now, false);
		return 0;
	}
	if (!now->counted) {
		now->records = now->left = now->walk.records;
		now->bytes = now->walk.bytes;
		now->counted = true;
	} else if (now->walk.records >= now->left) {
		now->in_vain++;
	}
	now->left = now->walk.records;
	/* What can be sealed again is, also beside damage. */
	if (now->walk.records && now->in_vain < IN_VAIN_MOST) {
		begin_walk(now, true);
		return 0;
	}
	if (now->walk.records || now->walk.damaged)
		return -EBADMSG;
	rc = fs_journal_names_kept(st->j);
	if (rc)
		return rc == -ENOENT ? keep_names(st) : rc;
	rc = drop_older(st, satisfied);
	return rc ? rc : 1;
}

static int walk_on(struct step *st, bool satisfied)
{
	struct fs_renewing *now = st->now;
	uint64_t records = now->walk.records, bytes = now->walk.bytes, number;
	struct fs_batch b = {.n = 0};
	struct fs_reseal_step how = {
		.marks = now->marking ? &b : NULL,
		.records = now->marking ? STEP_RECORDS : UINT32_MAX,
		.bytes = now->marking ? STEP_BYTES : UINT64_MAX,
		.until_ns = fs_vault_boot_ns() + STEP_NS,
	};
	struct fs_reseal before = now->walk;
	int rc;

	fs_batch_init(&b, st->signer);
	rc = fs_reseal_walk(st->j, &now->walk, &how);
	if (!rc && b.n) {
		rc = enter(st, &b, &number);
		if (!rc)
			entered(st, number);
		else
			now->walk = before;
	}
	fs_batch_clear(&b);
	if (!rc && now->marking) {
		now->records_done += now->walk.records - records;
		now->bytes_done += now->walk.bytes - bytes;
		/* What was written meanwhile may have been counted and not met, or the other way round. */
		if (now->records_done > now->records)
			now->records_done = now->records;
		if (now->bytes_done > now->bytes)
			now->bytes_done = now->bytes;
	}
	return !rc && now->walk.done ? walked(st, satisfied) : rc;
}

/* Is it too early for a step? Then *ms says how long. */
static bool must_wait(struct step *st, unsigned *ms)
{
	struct fs_group *group = fs_records_group(st->v->records);
	struct fs_renewing *now = st->now;
	uint64_t t = fs_vault_boot_ns(), space = 0;
	struct fs_group_stat stat;

	*ms = 5;
	if (now->group && !fs_group_durable(group, now->group))
		return true;
	if (now->group) {
		uint64_t spent = t - now->stepped_ns;

		now->group = 0;
		now->rest_ns = t + (spent < REST_NS_MOST ? spent : REST_NS_MOST);
	}
	if (t < now->rest_ns) {
		*ms = (unsigned)((now->rest_ns - t) / MS) + 1;
		return true;
	}
	fs_group_stat(group, &stat);
	if (fs_store_disk_free(fs_records_store(st->v->records), &space) || space < SPACE_LEAST ||
	    stat.waiting_for_space) {
		set_state(st->v, st->order, FS_RENEWAL_SPACE);
		*ms = 0;
		return true;
	}
	*ms = 20;
	return stat.bytes > BUSY_BYTES && t - now->stepped_ns < BUSY_NS;
}

/* 1: done with it; 0: there is more; negative: not now. *ms as for fs_renew_tick. */
static int take_step(struct step *st, unsigned *ms)
{
	uint32_t newest = fs_journal_generation(st->j);
	bool satisfied = newest > st->order->from, full;
	struct fs_journals_present p;
	int rc = fs_journal_check(st->j);

	if (rc)
		return -EBADMSG;
	if (must_wait(st, ms))
		return 0;
	set_state(st->v, st->order, FS_RENEWAL_RUNNING);
	*ms = 1;
	rc = fs_journals_present(st->v, st->entry->index, &p);
	if (rc)
		return rc;
	/* There is room for another when the older ones have gone. */
	full = p.n == FS_JOURNAL_KEYS;
	return satisfied || full ? walk_on(st, satisfied) : make_next(st);
}

/* What a step's failure means for the order. */
static enum fs_renewal_state state_of(int rc)
{
	if (rc == -ENOSPC)
		return FS_RENEWAL_SPACE;
	return rc == -EBADMSG || rc == -EIO ? FS_RENEWAL_DAMAGED : FS_RENEWAL_WAITING;
}

static void give_up(struct fs_vault *v, struct fs_renewal *order, int rc)
{
	set_state(v, order, state_of(rc));
	if (order->state == FS_RENEWAL_DAMAGED)
		order->again_ns = fs_vault_boot_ns() + AGAIN_NS;
}

/* The journal under way goes on, or is over or given up for now. */
static unsigned go_on(struct fs_vault *v)
{
	struct step st = {.v = v, .now = v->renewing};
	unsigned ms = 1;
	int rc = -EACCES;

	st.order = fs_renew_find(v, st.now->journal);
	st.entry = fs_catalog_by_index(v, st.now->journal);
	if (!st.order || !st.entry) {
		fs_renew_stop(v);
		return ms;
	}
	if (serves(v, st.entry, st.now->by))
		rc = fs_vault_journal(v, st.now->by, st.entry->index, &st.j);
	st.signer = rc ? NULL : fs_session_signer(st.now->by);
	if (!rc)
		rc = st.signer ? take_step(&st, &ms) : -ENOKEY;
	if (st.j)
		fs_journal_put(st.j);
	fs_signer_put(st.signer);
	if (rc < 0) {
		give_up(v, st.order, rc);
		ms = rc == -ENOSPC ? 0 : 1;
	}
	if (rc)
		fs_renew_stop(v);
	return ms;
}

/* ---- which journal ---- */

static void drop_order(struct fs_vault *v, uint32_t journal)
{
	struct fs_batch b;

	fs_batch_init(&b, NULL);
	fs_renew_order_del(v, &b, journal);
	if (!fs_group_apply(fs_records_group(v->records), &b, NULL))
		fs_renew_remove(v, journal);
	fs_batch_clear(&b);
}

/* The number of the last group that may have been sealed without what is known now. */
static int closing_group(struct fs_vault *v, uint64_t *number)
{
	struct fs_batch b;
	int rc;

	fs_batch_init(&b, NULL);
	rc = fs_group_apply(fs_records_group(v->records), &b, number);
	fs_batch_clear(&b);
	return rc;
}

/* True: it is under way now. */
static bool begin(struct fs_vault *v, struct fs_renewal *order)
{
	struct fs_entry *e = fs_catalog_by_index(v, order->journal);
	struct fs_session *by = NULL;
	struct fs_journal *j = NULL;
	uint64_t closing = 0;
	int rc;

	if (!e) {
		drop_order(v, order->journal);
		return false;
	}
	rc = find_server(v, e, &by, &j);
	if (j)
		fs_journal_put(j); /* the session keeps it */
	if (!rc)
		rc = closing_group(v, &closing);
	if (!rc) {
		v->renewing = calloc(1, sizeof(*v->renewing));
		rc = v->renewing ? 0 : -ENOMEM;
	}
	if (rc) {
		give_up(v, order, rc);
		return false;
	}
	v->renewing->journal = order->journal;
	v->renewing->by = fs_session_get(by);
	v->renewing->group = closing;
	v->renewing->stepped_ns = fs_vault_boot_ns();
	fs_group_push(fs_records_group(v->records));
	return true;
}

unsigned fs_renew_tick(struct fs_vault *v)
{
	uint64_t end = fs_vault_boot_ns() + SEARCH_NS;

	if (v->renew_dirty)
		(void)fs_renew_load(v);
	if (fs_group_failed(fs_records_group(v->records))) {
		fs_renew_stop(v);
		return 0;
	}
	if (v->renewing)
		return go_on(v);
	for (size_t tries = v->renewal_count; tries && v->renewal_count; tries--) {
		struct fs_renewal *order;

		if (v->renew_cursor >= v->renewal_count)
			v->renew_cursor = 0;
		order = &v->renewals[v->renew_cursor++];
		if (fs_vault_boot_ns() >= order->again_ns && begin(v, order))
			return 1;
		if (fs_vault_boot_ns() >= end)
			break;
	}
	return 0;
}
