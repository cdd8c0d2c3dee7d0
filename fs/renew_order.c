/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/renew_order.c - which journals' keys are to be renewed, and what one who left knew.
 *
 * A steward has no journal's key, so what he asks for is a record of the vault, and
 * whoever can carries it out (renew.c). What somebody who left knew is exactly what
 * he had wraps of: when grants.c takes those away it leaves a record of it in the
 * same batch, which goes when the journal has another key. Implements fs/FORMAT.md,
 * "RENEWAL" and "KNOWN".
 *
 * Invariants: (1) the record in the log is durable before an order is stored, and the order before
 * the asker hears of it; (2) what is in memory says what a group has taken.
 *
 * Locks: edit held by the caller, but for the calls of vault.h; `lock` to change what it guards.
 */
#include "vault_impl.h"

#define FORMAT 1
#define ORDER_LEN 32
#define KNOWN_LEN 8
#define PER_BATCH 256

static struct fs_key order_key(uint32_t journal)
{
	return fs_key_n(0, 0, FS_T_RENEWAL, journal, 4);
}

static struct fs_key known_key(uint32_t pid, uint32_t journal)
{
	struct fs_key key = fs_key_n(0, 0, FS_T_KNOWN, pid, 4);

	fs_key_add(&key, journal, 4);
	return key;
}

/* ---- records ---- */

static int decode_order(const struct fs_key *key, const struct fs_buf *buf, struct fs_renewal *out)
{
	struct bytes_in in = bytes_in(buf->data, buf->len);
	struct fs_renewal r = {.journal = (uint32_t)fs_key_sub(key, 4)};
	bool right = bytes_get_u8(&in) == FORMAT;

	bytes_get_zero(&in, 3);
	r.from = bytes_get_u32(&in);
	r.by = bytes_get_u32(&in);
	r.because = bytes_get_u32(&in);
	r.time_s = bytes_get_u64(&in);
	bytes_get_zero(&in, 8);
	if (!right || !bytes_in_done(&in) || !r.from || !r.journal || key->len != FS_KEY_PLACE + 4)
		return -EBADMSG;
	*out = r;
	return 0;
}

static void put_order(struct fs_vault *v, struct fs_batch *b, const struct fs_renewal *r)
{
	struct fs_key key = order_key(r->journal);
	uint8_t bytes[ORDER_LEN];
	struct bytes_out out = bytes_out(bytes, sizeof(bytes));

	bytes_put_u8(&out, FORMAT);
	bytes_put_zero(&out, 3);
	bytes_put_u32(&out, r->from);
	bytes_put_u32(&out, r->by);
	bytes_put_u32(&out, r->because);
	bytes_put_u64(&out, r->time_s);
	bytes_put_zero(&out, 8);
	fs_batch_put(b, fs_records_vault(v->records), &key, bytes, sizeof(bytes));
}

static int decode_known(const struct fs_key *key, const struct fs_buf *buf, uint32_t *generation)
{
	struct bytes_in in = bytes_in(buf->data, buf->len);
	bool right = bytes_get_u8(&in) == FORMAT;

	bytes_get_zero(&in, 3);
	*generation = bytes_get_u32(&in);
	return right && bytes_in_done(&in) && *generation && key->len == FS_KEY_PLACE + 8
		       ? 0
		       : -EBADMSG;
}

void fs_renew_order_del(struct fs_vault *v, struct fs_batch *b, uint32_t journal)
{
	struct fs_key key = order_key(journal);

	fs_batch_del(b, fs_records_vault(v->records), &key);
}

void fs_renew_known_put(struct fs_vault *v, struct fs_batch *b, uint32_t pid, uint32_t journal,
			uint32_t generation)
{
	struct fs_key key = known_key(pid, journal);
	uint8_t bytes[KNOWN_LEN];
	struct bytes_out out = bytes_out(bytes, sizeof(bytes));

	bytes_put_u8(&out, FORMAT);
	bytes_put_zero(&out, 3);
	bytes_put_u32(&out, generation);
	fs_batch_put(b, fs_records_vault(v->records), &key, bytes, sizeof(bytes));
	v->renew_dirty = true;
}

/* The generation of this journal that he knew; 0: none, or damage, which is told elsewhere. */
static uint32_t known_generation(struct fs_vault *v, uint32_t pid, uint32_t journal)
{
	struct fs_key key = known_key(pid, journal);
	struct fs_buf *buf = NULL;
	uint32_t generation = 0;

	if (fs_record_get(fs_records_vault(v->records), &key, &buf))
		return 0;
	if (decode_known(&key, buf, &generation))
		generation = 0;
	fs_buf_put(buf);
	return generation;
}

void fs_renew_known_del(struct fs_vault *v, struct fs_batch *b, uint32_t journal,
			uint32_t generation)
{
	for (size_t i = 0; i < v->people_count; i++) {
		uint32_t pid = v->people[i]->pid, known = 0;
		struct fs_key key = known_key(pid, journal);

		if (v->people[i]->known)
			known = known_generation(v, pid, journal);
		if (!known || known > generation)
			continue;
		fs_batch_del(b, fs_records_vault(v->records), &key);
		v->renew_dirty = true;
	}
}

void fs_renew_forget(struct fs_vault *v, struct fs_batch *b, uint32_t journal)
{
	if (fs_renew_find(v, journal))
		fs_renew_order_del(v, b, journal);
	fs_renew_known_del(v, b, journal, UINT32_MAX);
	v->renew_dirty = true;
}

/* ---- in memory ---- */

static size_t place_of(const struct fs_vault *v, uint32_t journal)
{
	size_t lo = 0, hi = v->renewal_count;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (v->renewals[mid].journal < journal)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

struct fs_renewal *fs_renew_find(struct fs_vault *v, uint32_t journal)
{
	size_t at = place_of(v, journal);

	return at < v->renewal_count && v->renewals[at].journal == journal ? &v->renewals[at]
									   : NULL;
}

void fs_renew_remove(struct fs_vault *v, uint32_t journal)
{
	struct fs_renewal *r = fs_renew_find(v, journal);

	if (!r)
		return;
	pthread_rwlock_wrlock(&v->lock);
	memmove(r, r + 1, (size_t)(v->renewals + v->renewal_count - (r + 1)) * sizeof(*r));
	v->renewal_count--;
	pthread_rwlock_unlock(&v->lock);
}

struct loading {
	struct fs_vault *v;
	struct fs_renewal *r;
	size_t n, cap;
};

static int load_order(void *ctx, const struct fs_key *key, struct fs_buf *buf)
{
	struct loading *l = ctx;
	const struct fs_renewal *was;
	int rc;

	if (l->n == l->cap) {
		size_t cap = l->cap ? 2 * l->cap : 16;
		struct fs_renewal *more = reallocarray(l->r, cap, sizeof(*more));

		if (!more)
			return -ENOMEM;
		l->r = more;
		l->cap = cap;
	}
	rc = decode_order(key, buf, &l->r[l->n]);
	if (rc)
		return rc;
	was = fs_renew_find(l->v, l->r[l->n].journal);
	if (was) {
		l->r[l->n].state = was->state;
		l->r[l->n].again_ns = was->again_ns;
	}
	l->n++;
	return 0;
}

static int count_known(void *ctx, const struct fs_key *key, struct fs_buf *buf)
{
	struct loading *l = ctx;
	struct fs_person *p = fs_people_by_pid(l->v, (uint32_t)fs_key_sub(key, 4));
	uint32_t generation;
	int rc = decode_known(key, buf, &generation);

	if (!rc && p)
		p->known++;
	return rc;
}

int fs_renew_load(struct fs_vault *v)
{
	struct fs_key from = fs_key(0, 0, FS_T_RENEWAL), to = fs_key(0, 0, FS_T_RENEWAL + 1);
	struct loading l = {.v = v};
	int rc = fs_record_scan(fs_records_vault(v->records), &from, &to, load_order, &l);

	if (rc) {
		free(l.r);
		return rc;
	}
	pthread_rwlock_wrlock(&v->lock);
	free(v->renewals);
	v->renewals = l.r;
	v->renewal_count = l.n;
	pthread_rwlock_unlock(&v->lock);
	for (size_t i = 0; i < v->people_count; i++)
		v->people[i]->known = 0;
	from = fs_key(0, 0, FS_T_KNOWN);
	to = fs_key(0, 0, FS_T_KNOWN + 1);
	rc = fs_record_scan(fs_records_vault(v->records), &from, &to, count_known, &l);
	v->renew_dirty = rc != 0;
	return rc;
}

/* ---- asking ---- */

struct asking {
	struct fs_vault *v;
	struct fs_session *by;
	const struct fs_person *because; /* NULL: one journal */
	struct fs_batch b;
	uint32_t n;
	uint64_t group;
};

/* The newest generation that has a manifest; 0: none. */
static uint32_t newest(struct fs_vault *v, uint32_t journal)
{
	struct fs_journals_present p;

	return fs_journals_present(v, journal, &p) ? 0 : p.generation[p.n - 1];
}

static int flush(struct asking *a)
{
	int rc = a->b.n ? fs_group_apply(fs_records_group(a->v->records), &a->b, &a->group) : 0;

	fs_batch_clear(&a->b);
	fs_batch_init(&a->b, NULL);
	return rc;
}

static int order(struct asking *a, uint32_t journal)
{
	struct fs_renewal r = {
		.journal = journal,
		.from = newest(a->v, journal),
		.by = a->by->pid,
		.because = a->because ? a->because->pid : 0,
		.time_s = (uint64_t)fs_vault_wall_s(),
	};

	if (!r.from)
		return -EBADMSG;
	if (r.from >= FS_GENERATION_MAX)
		return -EOVERFLOW;
	put_order(a->v, &a->b, &r);
	a->n++;
	return a->b.n < PER_BATCH ? 0 : flush(a);
}

/* Does he have a wrap of this journal's newest key, or did he when he left? */
static bool knew(struct fs_vault *v, const struct fs_person *p, uint32_t journal)
{
	struct fs_key wrap = fs_journals_wrap_key(journal, newest(v, journal), FS_WRAP_PRACTITIONER,
						  p->pid);
	struct fs_buf *buf = NULL;

	if (p->known && known_generation(v, p->pid, journal))
		return true;
	if (fs_record_get(fs_records_vault(v->records), &wrap, &buf))
		return false;
	fs_buf_put(buf);
	return true;
}

static int order_all(struct asking *a)
{
	struct fs_vault *v = a->v;
	int rc = 0;

	for (uint32_t i = 0; i < v->journals.cap && !rc; i++) {
		if (v->journals.by_index[i] && knew(v, a->because, i))
			rc = order(a, i);
		/* One that is damaged keeps no other from its new key. */
		if (rc == -EBADMSG || rc == -EOVERFLOW)
			rc = 0;
	}
	return rc;
}

static int refused(struct asking *a, uint32_t journal, const char *name, int rc, struct fs_say *say)
{
	int rc2 = fs_vault_tell(a->v, a->by, POLICY_RECORD_REFUSED, journal, name,
				"renewing keys");

	if (rc == -EACCES)
		fs_say(say, "new keys are asked for by a steward, or for one journal by who may "
			    "write there");
	else
		fs_say(say, "there is no journal `%s`", name);
	return rc2 ? rc2 : rc;
}

static int ask_journal(struct asking *a, const char *name, bool steward, struct fs_say *say)
{
	struct fs_entry *e = fs_catalog_by_name(a->v, name);
	struct policy_verdict verdict = {.answer = POLICY_DENY};
	int rc;

	if (e)
		fs_catalog_verdict(a->v, e, a->by->who, POLICY_READ | POLICY_WRITE,
				   fs_vault_wall_s(), &verdict);
	if (!e || (!steward && !verdict.visible))
		return refused(a, e ? e->index : 0, name, -ENOENT, say);
	if (!steward && verdict.answer != POLICY_ALLOW)
		return refused(a, e->index, name, -EACCES, say);
	rc = fs_vault_tell(a->v, a->by, POLICY_RECORD_KEYS, e->index, e->name,
			   "asked for a new key of this journal");
	return rc ? rc : order(a, e->index);
}

static int ask_all(struct asking *a, const char *who, bool steward, struct fs_say *say)
{
	int rc;

	if (!steward)
		return refused(a, 0, NULL, -EACCES, say);
	a->because = fs_people_find(a->v, who);
	if (!a->because || !a->because->enrolment) {
		fs_say(say, "no practitioner `%s` ever had a key here", who);
		return -ENOENT;
	}
	rc = fs_vault_tell(a->v, a->by, POLICY_RECORD_KEYS, 0, NULL,
			   "asked for new keys of all journals whose keys %s knew",
			   a->because->name);
	return rc ? rc : order_all(a);
}

int fs_vault_renew(struct fs_vault *v, struct fs_session *by, const char *journal, const char *who,
		   uint32_t *n, struct fs_say *say)
{
	struct asking a = {.v = v, .by = by};
	bool steward = fs_sessions_has(v, by, POLICY_POLICY);
	int rc, rc2;

	if (fs_session_state(by) != FS_SESSION_ACTIVE)
		return -ENOKEY;
	if (!journal[0] == !who[0])
		return -EINVAL;
	fs_batch_init(&a.b, NULL);
	pthread_mutex_lock(&v->edit);
	rc = v->index_key ? 0 : -ENOKEY;
	if (!rc)
		rc = journal[0] ? ask_journal(&a, journal, steward, say)
				: ask_all(&a, who, steward, say);
	if (!rc)
		rc = flush(&a);
	rc2 = fs_renew_load(v);
	pthread_mutex_unlock(&v->edit);
	fs_batch_clear(&a.b);
	if (!rc)
		rc = rc2;
	if (!rc)
		rc = fs_group_sync(fs_records_group(v->records), a.group);
	if (rc == -EBADMSG)
		fs_say(say, "what is stored of this journal's keys does not verify");
	if (rc == -EOVERFLOW)
		fs_say(say, "this journal has had %u keys, which is the most", FS_GENERATION_MAX);
	if (!rc)
		*n = a.n;
	return rc;
}

/* ---- telling ---- */

static const struct {
	const char *name, *text;
} states[] = {
	[FS_RENEWAL_QUEUED] = {"queued", "its turn comes"},
	[FS_RENEWAL_WAITING] = {"waiting", "waits for somebody who may write there to log in"},
	[FS_RENEWAL_RUNNING] = {"running", "under way"},
	[FS_RENEWAL_SPACE] = {"space", "waits, the disk is nearly full"},
	[FS_RENEWAL_DAMAGED] = {"damaged", "stuck: something of it can't be read or moved, as the "
					   "alarms in the log say; it is tried again"},
};

static const char *name_of(struct fs_vault *v, uint32_t pid)
{
	const struct fs_person *p = pid ? fs_people_by_pid(v, pid) : NULL;

	return p ? p->name : "";
}

/* May this session know that there is this journal? */
static bool sees(struct fs_vault *v, struct fs_session *by, bool steward, const struct fs_entry *e)
{
	struct policy_verdict verdict;

	if (steward)
		return true;
	fs_catalog_verdict(v, e, by->who, 0, fs_vault_wall_s(), &verdict);
	return verdict.visible;
}

int fs_vault_renew_status(struct fs_vault *v, struct fs_session *by, const char *journal,
			  const char *who, int (*fn)(void *ctx, const struct fs_renew_one *one),
			  void *ctx, uint32_t *left, uint32_t *waiting,
			  struct fs_renew_progress *now)
{
	bool steward = fs_sessions_has(v, by, POLICY_POLICY), stop = false;
	const struct fs_person *p = NULL;
	int rc = 0;

	*left = *waiting = 0;
	memset(now, 0, sizeof(*now));
	pthread_mutex_lock(&v->edit);
	if (v->renew_dirty)
		(void)fs_renew_load(v);
	if (who[0])
		p = fs_people_find(v, who);
	if (!v->index_key)
		rc = -ENOKEY;
	else if (who[0] && !p)
		rc = -ENOENT;
	for (size_t i = 0; !rc && i < v->renewal_count; i++) {
		const struct fs_renewal *r = &v->renewals[i];
		const struct fs_entry *e = fs_catalog_by_index(v, r->journal);
		struct fs_renew_one one;

		if (!e || (p && r->because != p->pid) || !sees(v, by, steward, e) ||
		    (journal[0] && strcmp(e->name, journal) != 0))
			continue;
		++*left;
		*waiting += r->state == FS_RENEWAL_WAITING;
		one = (struct fs_renew_one){e->name, name_of(v, r->by), name_of(v, r->because),
					    states[r->state].name, states[r->state].text,
					    r->time_s};
		stop = stop || fn(ctx, &one);
		if (fs_renew_progress(v, r->journal, now))
			snprintf(now->journal, sizeof(now->journal), "%s", e->name);
	}
	pthread_mutex_unlock(&v->edit);
	return rc;
}

static size_t count_because(const struct fs_vault *v, uint32_t pid)
{
	size_t n = 0;

	for (size_t i = 0; i < v->renewal_count; i++)
		n += v->renewals[i].because == pid;
	return n;
}

void fs_renew_waiting(struct fs_vault *v, FILE *out)
{
	size_t state[FS_RENEWAL_DAMAGED + 1] = {0};

	for (size_t i = 0; i < v->people_count; i++) {
		const struct fs_person *p = v->people[i];
		const struct policy_practitioner *line = policy_practice_find(v->practice, p->name);

		if (!p->known || (line && line->state != POLICY_LEFT) || count_because(v, p->pid))
			continue;
		fprintf(out,
			"%s left: %u %s he could read still %s the %s that he knew; `journalfs "
			"keys renew --all-of %s`\n",
			p->name, p->known, p->known == 1 ? "journal" : "journals",
			p->known == 1 ? "has" : "have", p->known == 1 ? "key" : "keys", p->name);
	}
	for (size_t i = 0; i < v->renewal_count; i++)
		state[v->renewals[i].state]++;
	if (v->renewal_count)
		fprintf(out,
			"new keys for %zu %s: %zu wait for somebody who may write there to log in, "
			"%zu for space, %zu stuck; `journalfs keys status`\n",
			v->renewal_count, v->renewal_count == 1 ? "journal" : "journals",
			state[FS_RENEWAL_WAITING], state[FS_RENEWAL_SPACE],
			state[FS_RENEWAL_DAMAGED]);
}
