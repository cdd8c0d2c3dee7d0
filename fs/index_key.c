/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/index_key.c - the generations of the index key, and its renewal when somebody leaves.
 *
 * Names and policy lie under the newest generation. Whoever leaves knows the key,
 * so a steward's live session makes another one: its manifest follows the one
 * before, wraps go to everybody enrolled who has not left and to the recovery
 * key. From then on records are sealed under it; older ones are sealed again, a
 * few each tick, names under another hash as well. When a whole round meets
 * nothing older, wraps and manifests of the older generations go. Nothing but the
 * vault's records says how far that is, so it goes on after a restart. Implements
 * fs/FORMAT.md, "Generations of the index key".
 *
 * Invariants: (1) no record is sealed under a generation whose wraps are not in
 * the same commit or an earlier one; (2) who may open the index has a wrap of
 * every generation that there is; (3) a generation goes only when every record
 * was seen committed under the newest.
 *
 * Locks: edit held by the caller; `lock` where what readers see changes.
 */
#include "vault_impl.h"

#define BUDGET_NS 20000000u
#define PER_TURN 256 /* records sealed again in one tick */

static struct fs_key manifest_key(uint32_t generation)
{
	return fs_key_n(0, 0, FS_T_MANIFEST, generation, 4);
}

static bool has_left(const struct fs_vault *v, const struct fs_person *p)
{
	const struct policy_practitioner *line = policy_practice_find(v->practice, p->name);

	return !line || line->state == POLICY_LEFT;
}

/* ---- generations ---- */

struct present {
	uint32_t generation[FS_INDEX_KEYS];
	size_t n;
};

static int present_one(void *ctx, const struct fs_key *key, struct fs_buf *buf)
{
	struct present *p = ctx;

	(void)buf;
	if (p->n == FS_INDEX_KEYS)
		return -EBADMSG;
	p->generation[p->n++] = (uint32_t)fs_key_sub(key, 4);
	return 0;
}

/* The generations that there are, ascending: no gaps, the last one in force. */
static int present(struct fs_vault *v, struct present *p)
{
	struct fs_key from = fs_key(0, 0, FS_T_MANIFEST), to = fs_key(0, 0, FS_T_MANIFEST + 1);
	int rc;

	p->n = 0;
	rc = fs_record_scan(fs_records_vault(v->records), &from, &to, present_one, p);
	if (!rc && (!p->n || p->generation[p->n - 1] != v->counters.index_generation ||
		    p->generation[p->n - 1] - p->generation[0] != p->n - 1))
		rc = -EBADMSG;
	return rc;
}

int fs_index_unwrap(struct fs_vault *v, enum fs_wrap_kind kind, uint32_t pid, uint32_t enrolment,
		    const uint8_t box_sk[static KEYS_LEN], struct fs_index_keys *out)
{
	struct keys_manifest m;
	struct present p;
	int rc = present(v, &p);

	out->n = 0;
	/* The newest first: without its wrap he is simply not admitted. */
	for (size_t i = p.n; !rc && i-- > 0;) {
		struct fs_index_key *k = &out->k[i];

		k->generation = p.generation[i];
		rc = fs_journals_unwrap_one(v, 0, k->generation, kind, pid, enrolment, box_sk, &m,
					    k->key);
		if (rc == -EACCES && i + 1 < p.n)
			rc = -EBADMSG;
		if (!rc && i + 1 < p.n)
			rc = fs_journals_follows(v, 0, k->generation + 1, k->key);
	}
	if (rc)
		keys_wipe(out, sizeof(*out));
	else
		out->n = p.n;
	return rc;
}

int fs_index_from_invite(struct fs_vault *v, uint32_t generation,
			 const uint8_t key[static KEYS_LEN], struct fs_index_keys *out)
{
	struct keys_manifest m;
	struct present p;
	int rc = present(v, &p);

	if (!rc && (p.n != 1 || p.generation[0] != generation))
		rc = -ESTALE;
	if (!rc)
		rc = fs_journals_manifest(v, 0, generation, &m);
	if (!rc)
		rc = keys_manifest_check(&m, key);
	if (rc)
		return rc;
	out->n = 1;
	out->k[0].generation = generation;
	memcpy(out->k[0].key, key, KEYS_LEN);
	return 0;
}

int fs_index_set(struct fs_vault *v, const struct fs_index_keys *keys)
{
	uint8_t *slot[FS_INDEX_KEYS] = {NULL};
	size_t last = keys->n - 1;

	for (size_t i = 0; i < keys->n; i++) {
		slot[i] = keys_slab_get(v->slab);
		if (!slot[i]) {
			while (i)
				keys_slab_put(v->slab, slot[--i]);
			return -ENOMEM;
		}
		memcpy(slot[i], keys->k[i].key, KEYS_LEN);
	}
	pthread_rwlock_wrlock(&v->lock);
	for (size_t i = 0; i < last; i++)
		v->index_old[i] = (struct fs_index_old){keys->k[i].generation, slot[i]};
	v->index_old_count = last;
	v->index_key = slot[last];
	pthread_rwlock_unlock(&v->lock);
	for (size_t i = 0; i < keys->n; i++)
		fs_records_index_key(v->records, keys->k[i].generation, slot[i]);
	v->index_dirty = true;
	memset(&v->reseal, 0, sizeof(v->reseal));
	return 0;
}

static void forget_old(struct fs_vault *v)
{
	struct fs_index_old old[FS_INDEX_KEYS];
	size_t n;

	pthread_rwlock_wrlock(&v->lock);
	n = v->index_old_count;
	memcpy(old, v->index_old, sizeof(old));
	v->index_old_count = 0;
	pthread_rwlock_unlock(&v->lock);
	while (n)
		keys_slab_put(v->slab, old[--n].key);
}

void fs_index_forget(struct fs_vault *v)
{
	uint8_t *key;

	if (v->records)
		fs_records_index_key(v->records, 0, NULL);
	pthread_rwlock_wrlock(&v->lock);
	key = v->index_key;
	v->index_key = NULL;
	pthread_rwlock_unlock(&v->lock);
	keys_slab_put(v->slab, key);
	forget_old(v);
}

/* Its maker had the policy right; the root made the first. Needs the index open. */
static int check_maker(struct fs_vault *v, uint32_t generation)
{
	const struct keys_identity *id = NULL;
	struct keys_manifest m;
	int rc = fs_journals_manifest(v, 0, generation, &m);

	if (rc || !m.signer)
		return rc;
	rc = fs_people_identity(v, m.signer, m.enrolment, true, &id);
	if (!rc)
		rc = fs_policies_had(v, m.policy_version, id->name, POLICY_POLICY,
				     (int64_t)m.time_s);
	return rc == -ENOENT ? -EBADMSG : rc;
}

int fs_index_check(struct fs_vault *v)
{
	int rc = check_maker(v, v->counters.index_generation);

	for (size_t i = 0; i < v->index_old_count && !rc; i++)
		rc = check_maker(v, v->index_old[i].generation);
	return rc;
}

static int put_wrap(struct fs_vault *v, struct fs_batch *b, uint32_t generation, const uint8_t *key,
		    const struct keys_identity *id)
{
	struct keys_wrap_place place = {.journal = 0, .generation = generation};

	memcpy(place.vault, v->header.vault, sizeof(place.vault));
	return fs_journals_put_wrap(v, b, &place, FS_WRAP_PRACTITIONER, id->pid, id->enrolment, key,
				    id->box_pk);
}

int fs_index_put_wraps(struct fs_vault *v, struct fs_batch *b, const struct keys_identity *id)
{
	int rc = put_wrap(v, b, v->counters.index_generation, v->index_key, id);

	for (size_t i = 0; i < v->index_old_count && !rc; i++)
		rc = put_wrap(v, b, v->index_old[i].generation, v->index_old[i].key, id);
	return rc;
}

/* ---- renewal ---- */

struct renewal {
	struct fs_vault *v;
	struct fs_edit e;
	uint32_t generation;
	uint8_t *key; /* slot of the slab */
	char names[400];
};

static bool has_wrap(struct fs_vault *v, uint32_t generation, uint32_t pid)
{
	struct fs_key key = fs_journals_wrap_key(0, generation, FS_WRAP_PRACTITIONER, pid);
	struct fs_buf *buf = NULL;

	if (fs_record_get(fs_records_vault(v->records), &key, &buf))
		return false;
	fs_buf_put(buf);
	return true;
}

/* Who left and could open the newest generation; none: it need not be renewed. */
static bool who_left(struct renewal *r)
{
	struct fs_vault *v = r->v;

	for (size_t i = 0; i < v->people_count; i++) {
		const struct fs_person *p = v->people[i];
		size_t at = strlen(r->names);

		if (p->enrolment && has_left(v, p) &&
		    has_wrap(v, v->counters.index_generation, p->pid))
			snprintf(r->names + at, sizeof(r->names) - at, "%s%s", at ? ", " : "",
				 p->name);
	}
	return r->names[0];
}

static int sign(struct renewal *r, struct fs_session *by)
{
	struct fs_vault *v = r->v;
	struct fs_key at = manifest_key(r->generation);
	struct keys_manifest m = {
		.place = {.journal = 0, .generation = r->generation},
		.signer = by->pid,
		.enrolment = by->enrolment,
		.policy_version = v->counters.policy,
		.time_s = (uint64_t)fs_vault_wall_s(),
	};
	uint8_t bytes[KEYS_MANIFEST_LEN];
	int rc;

	memcpy(m.place.vault, v->header.vault, sizeof(m.place.vault));
	pthread_rwlock_rdlock(&by->lock);
	rc = by->secret ? 0 : -ENOKEY;
	if (!rc)
		keys_manifest_sign(&m, r->key, v->index_key, by->secret->statement_sk);
	pthread_rwlock_unlock(&by->lock);
	if (rc)
		return rc;
	keys_manifest_encode(&m, bytes);
	fs_batch_put(&r->e.b, fs_records_vault(v->records), &at, bytes, sizeof(bytes));
	return 0;
}

/* For whoever stays; who left keeps none of any generation. */
static int renew_wraps(struct renewal *r)
{
	struct fs_vault *v = r->v;
	int rc = 0;

	for (size_t i = 0; i < v->people_count && !rc; i++) {
		const struct fs_person *p = v->people[i];
		const struct keys_identity *id = NULL;

		if (!p->enrolment)
			continue;
		if (has_left(v, p)) {
			for (uint32_t g = r->generation - (uint32_t)v->index_old_count - 1;
			     g < r->generation; g++) {
				struct fs_key key =
					fs_journals_wrap_key(0, g, FS_WRAP_PRACTITIONER, p->pid);

				fs_batch_del(&r->e.b, fs_records_vault(v->records), &key);
			}
			continue;
		}
		rc = fs_people_identity(v, p->pid, p->enrolment, true, &id);
		if (rc == -EBADMSG) {
			fs_vault_alarm(v, 0,
				       "the identity of %s does not verify; the index key is not "
				       "given to it",
				       p->name);
			rc = 0;
			continue;
		}
		if (!rc)
			rc = put_wrap(v, &r->e.b, r->generation, r->key, id);
	}
	return rc;
}

static int renew_recovery(struct renewal *r)
{
	const struct keys_list_entry *k = fs_lists_find(r->v, KEYS_LIST_RECOVERY, 0);
	struct keys_wrap_place place = {.journal = 0, .generation = r->generation};

	if (!k)
		return -EBADMSG;
	memcpy(place.vault, r->v->header.vault, sizeof(place.vault));
	return fs_journals_put_wrap(r->v, &r->e.b, &place, FS_WRAP_RECOVERY, 0, 0, r->key,
				    k->box_pk);
}

/* Known to the records layer only now that a group has the wraps: no earlier one is sealed under it. */
static void in_force(struct renewal *r)
{
	struct fs_vault *v = r->v;

	pthread_rwlock_wrlock(&v->lock);
	v->index_old[v->index_old_count++] = (struct fs_index_old){r->generation - 1, v->index_key};
	v->index_key = r->key;
	pthread_rwlock_unlock(&v->lock);
	r->key = NULL;
	fs_records_index_key_since(v->records, r->generation, v->index_key, r->e.group);
	memset(&v->reseal, 0, sizeof(v->reseal));
}

static int renew(struct renewal *r, struct fs_session *by)
{
	struct fs_vault *v = r->v;
	int rc;

	r->generation = v->counters.index_generation + 1;
	r->key = keys_slab_get(v->slab);
	if (!r->key)
		return -ENOMEM;
	keys_random(r->key, KEYS_LEN);
	fs_vault_edit_begin(v, &r->e, NULL);
	r->e.c.index_generation = r->generation;
	rc = sign(r, by);
	if (!rc)
		rc = renew_wraps(r);
	if (!rc)
		rc = renew_recovery(r);
	if (!rc)
		rc = fs_vault_tell(v, by, POLICY_RECORD_KEYS, 0, NULL,
				   "index key %u is made, the index key taken from %s, who left",
				   r->generation, r->names);
	if (!rc)
		rc = fs_vault_edit_commit(&r->e);
	if (!rc)
		in_force(r);
	fs_vault_edit_clear(&r->e);
	keys_slab_put(v->slab, r->key);
	return rc;
}

static void renew_if_left(struct fs_vault *v)
{
	struct renewal r = {.v = v};
	struct fs_session *by;

	v->index_dirty = false;
	v->index_waiting = 0;
	if (!who_left(&r))
		return;
	/* There is room again when the oldest has gone. */
	if (v->index_old_count == FS_INDEX_KEYS - 1) {
		v->index_dirty = true;
		return;
	}
	by = fs_sessions_with(v, POLICY_POLICY);
	if (!by)
		v->index_waiting = 1;
	else if (renew(&r, by))
		v->index_waiting = 1; /* not each second: the next log-in tries again */
	fs_session_put(by);
}

/* ---- sealing again ---- */

struct resealing {
	struct fs_vault *v;
	struct fs_batch b;
	struct fs_key last;
	uint64_t end_ns;
	bool more;
};

static bool enough(struct resealing *r)
{
	return r->b.n >= PER_TURN || fs_vault_boot_ns() >= r->end_ns;
}

/*
 * Puts the value again when an older generation seals it. What is in a group may have been sealed
 * already under either: another round will tell.
 */
static int reseal_one(struct resealing *r, const struct fs_key *key, struct fs_buf *buf)
{
	struct fs_journal *vault = fs_records_vault(r->v->records);
	uint32_t generation = 0;
	int rc = fs_record_generation(vault, key, &generation);

	if (rc)
		return rc;
	if (generation == r->v->counters.index_generation)
		return 0;
	r->v->reseal.unclean = true;
	/* Names move to another hash; that is done journal by journal. */
	if (generation && fs_key_table(key) != FS_T_NAME)
		fs_batch_put(&r->b, vault, key, buf->data, buf->len);
	return 0;
}

static int reseal_next(void *ctx, const struct fs_key *key, struct fs_buf *buf)
{
	struct resealing *r = ctx;
	int rc = reseal_one(r, key, buf);

	r->last = *key;
	r->more = !rc && enough(r);
	return rc ? rc : r->more;
}

static int reseal_part(void *ctx, const struct fs_key *key, struct fs_buf *buf)
{
	return reseal_one(ctx, key, buf);
}

static void place_name(struct fs_vault *v, struct fs_entry *e, uint64_t hash, uint8_t slot)
{
	pthread_rwlock_wrlock(&v->lock);
	e->hash = hash;
	e->slot = slot;
	pthread_rwlock_unlock(&v->lock);
}

static int apply(struct resealing *r)
{
	int rc = r->b.n ? fs_group_apply(fs_records_group(r->v->records), &r->b, NULL) : 0;

	fs_batch_clear(&r->b);
	fs_batch_init(&r->b, NULL);
	return rc;
}

/* Who knew the key before could tell by a hash of it whether a name is there. */
static int reseal_journal(struct resealing *r, struct fs_entry *e)
{
	struct fs_vault *v = r->v;
	uint64_t hash = fs_catalog_hash(v->index_key, e->name), old_hash = e->hash;
	uint8_t slot, old_slot = e->slot;
	struct fs_key from = fs_key(e->index, 0, FS_T_JPOLICY);
	struct fs_key to = fs_key(e->index, 0, FS_T_JPOLICY + 1);
	struct fs_key old_name = fs_catalog_name_key(old_hash, old_slot);
	int rc = fs_record_scan(fs_records_vault(v->records), &from, &to, reseal_part, r);

	if (!rc && hash != old_hash) {
		rc = fs_catalog_slot(v, hash, &slot);
		if (!rc) {
			place_name(v, e, hash, slot);
			fs_catalog_put_name(v, &r->b, e);
			fs_batch_del(&r->b, fs_records_vault(v->records), &old_name);
		}
	}
	/* At once, so that the next name finds this slot taken. */
	if (!rc)
		rc = apply(r);
	if (rc && e->hash != old_hash)
		place_name(v, e, old_hash, old_slot);
	return rc;
}

static int reseal_journals(struct resealing *r)
{
	struct fs_vault *v = r->v;
	unsigned n = 0;
	int rc = 0;

	for (; !rc && v->reseal.journal < v->journals.cap; v->reseal.journal++) {
		struct fs_entry *e = v->journals.by_index[v->reseal.journal];

		if (++n > PER_TURN || enough(r)) {
			r->more = true;
			return 0;
		}
		if (e)
			rc = reseal_journal(r, e);
	}
	return rc;
}

/* Policy versions, the practice's policy, and a look at the names. */
static int reseal_vault(struct resealing *r)
{
	struct fs_vault *v = r->v;
	struct fs_key to = fs_key(0, 0, FS_T_NAME + 1);
	int rc;

	if (!v->reseal.from.len)
		v->reseal.from = fs_key(0, 0, FS_T_POLICY);
	rc = fs_record_scan(fs_records_vault(v->records), &v->reseal.from, &to, reseal_next, r);
	if (!rc)
		rc = apply(r);
	if (!rc && r->more) {
		v->reseal.from = r->last;
		fs_key_add(&v->reseal.from, 0, 1);
	}
	return rc;
}

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

/* Nothing is sealed under them any more. */
static int drop_old(struct fs_vault *v)
{
	struct fs_key from = fs_key_n(0, 0, FS_T_WRAP, 0, 4);
	struct fs_key to = fs_key_n(0, 0, FS_T_WRAP, v->counters.index_generation, 4);
	struct dropping d = {.v = v};
	int rc;

	fs_batch_init(&d.b, NULL);
	rc = fs_record_scan(fs_records_vault(v->records), &from, &to, drop_one, &d);
	from = manifest_key(0);
	to = manifest_key(v->counters.index_generation);
	if (!rc)
		rc = fs_record_scan(fs_records_vault(v->records), &from, &to, drop_one, &d);
	if (!rc)
		rc = fs_vault_tell(v, NULL, POLICY_RECORD_KEYS, 0, NULL,
				   "names and policy are sealed under index key %u alone",
				   v->counters.index_generation);
	if (!rc)
		rc = fs_group_apply(fs_records_group(v->records), &d.b, NULL);
	fs_batch_clear(&d.b);
	if (!rc)
		forget_old(v);
	return rc;
}

static void reseal(struct fs_vault *v)
{
	struct resealing r = {.v = v, .end_ns = fs_vault_boot_ns() + BUDGET_NS};
	int rc;

	fs_batch_init(&r.b, NULL);
	rc = reseal_journals(&r);
	if (!rc && !r.more)
		rc = reseal_vault(&r);
	fs_batch_clear(&r.b);
	/* Damage has been told; while it is there the older key may still be needed. */
	if (rc == -EBADMSG)
		v->reseal.stuck = true;
	if (rc)
		v->reseal.unclean = true;
	if (rc || r.more)
		return;
	if (!v->reseal.unclean && drop_old(v))
		return;
	memset(&v->reseal, 0, sizeof(v->reseal));
}

void fs_index_tick(struct fs_vault *v)
{
	if (v->index_dirty)
		renew_if_left(v);
	if (v->index_old_count && !v->reseal.stuck)
		reseal(v);
}

void fs_index_waiting(struct fs_vault *v, FILE *out)
{
	if (v->index_waiting)
		fprintf(out,
			"the index key waits to be renewed, since somebody left: a steward who "
			"logs in does it\n");
}
