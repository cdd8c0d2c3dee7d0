/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/policy_review.c - the yearly access review: everybody, what they may reach, on what ground.
 *
 * Practitioner by practitioner, so that nothing has to be gathered: for each of
 * them the catalog is walked in pages, and what concerns them is noted under the
 * lock with a reference to the journal's policy and told without it. What stays in
 * memory is six bytes a journal: how many read it, and who.
 * A sign-off is durable in the access log before it is kept in the vault, where a
 * steward, who cannot read the log, finds the last one. Implements fs/FORMAT.md,
 * "REVIEW".
 *
 * Locks: `lock` for a page or a single look-up; `edit` to keep a sign-off.
 */
#include "../policy/grounds.h"
#include "vault_impl.h"

#define PAGE 256
#define CHANGED_PAGE 2048
#define DETAIL_DIGEST (2 * FS_REVIEW_DIGEST + 1)

/* ---- sign-offs ---- */

static int last_one(void *ctx, const struct fs_key *key, struct fs_buf *buf)
{
	struct fs_review_sign_off *out = ctx;
	struct bytes_in in = bytes_in(buf->data, buf->len);

	out->number = (uint32_t)fs_key_sub(key, 4);
	out->time_s = (int64_t)bytes_get_u64(&in);
	out->pid = bytes_get_u32(&in);
	out->enrolment = bytes_get_u32(&in);
	out->practice = bytes_get_u32(&in);
	out->version = bytes_get_u32(&in);
	out->practitioners = bytes_get_u32(&in);
	bytes_get(&in, out->digest, sizeof(out->digest));
	return bytes_in_done(&in) ? 0 : -EBADMSG;
}

/* number 0: there was none. */
static int read_last(struct fs_vault *v, struct fs_review_sign_off *out)
{
	struct fs_key from = fs_key(0, 0, FS_T_REVIEW), to = fs_key(0, 0, FS_T_REVIEW + 1);
	const struct keys_identity *id = NULL;
	int rc;

	memset(out, 0, sizeof(*out));
	rc = fs_record_scan(fs_records_vault(v->records), &from, &to, last_one, out);
	if (!rc && out->pid && !fs_people_identity(v, out->pid, out->enrolment, false, &id))
		snprintf(out->who, sizeof(out->who), "%s", id->name);
	return rc;
}

static int keep_sign_off(struct fs_vault *v, const struct fs_review_sign_off *r)
{
	struct fs_key key = fs_key_n(0, 0, FS_T_REVIEW, r->number, 4);
	uint8_t bytes[8 + 5 * 4 + FS_REVIEW_DIGEST];
	struct bytes_out out = bytes_out(bytes, sizeof(bytes));
	struct fs_edit e;
	int rc;

	bytes_put_u64(&out, (uint64_t)r->time_s);
	bytes_put_u32(&out, r->pid);
	bytes_put_u32(&out, r->enrolment);
	bytes_put_u32(&out, r->practice);
	bytes_put_u32(&out, r->version);
	bytes_put_u32(&out, r->practitioners);
	bytes_put(&out, r->digest, sizeof(r->digest));
	fs_vault_edit_begin(v, &e, NULL);
	fs_batch_put(&e.b, fs_records_vault(v->records), &key, bytes, out.len);
	rc = fs_vault_edit_commit(&e);
	fs_vault_edit_clear(&e);
	return rc;
}

static bool may_review(struct fs_vault *v, struct fs_session *by)
{
	return fs_sessions_has(v, by, POLICY_POLICY) || fs_sessions_has(v, by, POLICY_REVIEW);
}

static int refuse(struct fs_vault *v, struct fs_session *by, const char *what, struct fs_say *say)
{
	int rc = fs_vault_tell(v, by, POLICY_RECORD_REFUSED, 0, NULL, "%s", what);

	fs_say(say, "%s needs the policy or the review right, which %s does not have", what,
	       by->who);
	return rc ? rc : -EACCES;
}

static void hex(const uint8_t *p, size_t len, char *out)
{
	for (size_t i = 0; i < len; i++)
		snprintf(out + 2 * i, 3, "%02x", p[i]);
}

/* Under edit. */
static int sign_off_locked(struct fs_vault *v, struct fs_session *by,
			   const struct fs_review_request *rq, struct fs_say *say)
{
	struct fs_review_sign_off last, r = {.pid = by->pid, .enrolment = by->enrolment};
	char digest[DETAIL_DIGEST];
	int rc;

	if (!v->practice)
		return -ENOKEY;
	if (rq->unit[0] && !policy_practice_unit(v->practice, rq->unit)) {
		fs_say(say, "the practice policy has no unit `%s`", rq->unit);
		return -ENOENT;
	}
	r.practice = v->counters.practice;
	r.version = rq->version;
	r.practitioners = (uint32_t)policy_practice_count(v->practice);
	r.time_s = fs_vault_wall_s();
	memcpy(r.digest, rq->digest, sizeof(r.digest));
	if (rq->practice != r.practice || rq->version > v->counters.policy) {
		fs_say(say,
		       "the practice policy has changed since the review was made (version %u is in "
		       "force): make the review again",
		       r.practice);
		return -ESTALE;
	}
	rc = read_last(v, &last);
	if (rc)
		return rc;
	r.number = last.number + 1;
	hex(r.digest, sizeof(r.digest), digest);
	rc = fs_vault_tell_because(v, by, POLICY_RECORD_REVIEW, 0, NULL, rq->text,
				   "access review %u signed off%s%s: practice version %u, policy "
				   "version %u, %u practitioners, SHA-256 of the report %s",
				   r.number, rq->unit[0] ? ", unit " : "", rq->unit, r.practice,
				   r.version, r.practitioners, digest);
	return rc ? rc : keep_sign_off(v, &r);
}

int fs_vault_review_sign_off(struct fs_vault *v, struct fs_session *by,
			     const struct fs_review_request *rq, struct fs_say *say)
{
	int rc;

	if (fs_session_state(by) != FS_SESSION_ACTIVE)
		return -ENOKEY;
	if (!may_review(v, by))
		return refuse(v, by, "signing off an access review", say);
	if (!rq->text[0] || strlen(rq->text) > FS_REASON_MAX) {
		fs_say(say, "a sign-off says in 1 to %u bytes what was reviewed and found",
		       FS_REASON_MAX);
		return -EINVAL;
	}
	pthread_mutex_lock(&v->edit);
	rc = sign_off_locked(v, by, rq, say);
	pthread_mutex_unlock(&v->edit);
	return rc ? rc : fs_group_sync(fs_records_group(v->records), 0);
}

/* ---- the review ---- */

struct review {
	struct fs_vault *v;
	struct policy_practice *practice;
	const char *unit;
	int64_t now_s;
	const struct fs_review_to *to;
	void *ctx;
	/* By journal, for who reads alone. */
	uint32_t cap;
	uint16_t *readers;
	uint32_t *reader; /* place of the last practitioner who reads it */
};

struct noted {
	uint32_t index;
	struct policy_journal *policy; /* a reference */
	struct policy_grounds g;
};

/* The next journals that concern who, with references. *index moves behind what was looked at. */
static size_t note_page(struct review *r, uint32_t person, const char *who, uint32_t *index,
			struct noted *page, struct fs_review_total *t, bool *end)
{
	struct fs_vault *v = r->v;
	struct policy_question q = {.practice = r->practice, .who = who, .now_s = r->now_s};
	uint32_t stop = *index + PAGE;
	size_t n = 0;

	pthread_rwlock_rdlock(&v->lock);
	for (; *index < v->journals.cap && *index < stop; (*index)++) {
		const struct fs_entry *e = v->journals.by_index[*index];
		struct policy_grounds *g = &page[n].g;

		if (!e || !e->policy)
			continue;
		q.journal = e->policy;
		policy_grounds(&q, g);
		t->named += g->named;
		t->by[g->access]++;
		t->read += (g->rights & POLICY_READ) != 0;
		t->write += (g->rights & POLICY_WRITE) != 0;
		t->blocked += g->blocked;
		if (g->rights & POLICY_READ && *index < r->cap) {
			r->readers[*index] += r->readers[*index] < UINT16_MAX;
			r->reader[*index] = person;
		}
		if (!g->blocked && g->access > POLICY_ACCESS_ATTEND)
			continue;
		page[n].index = *index;
		page[n++].policy = policy_journal_get(e->policy);
	}
	*end = *index >= v->journals.cap;
	pthread_rwlock_unlock(&v->lock);
	return n;
}

static int tell_one(const struct review *r, const char *who, const struct noted *one)
{
	const struct fs_review_access a = {
		.who = who,
		.journal = policy_journal_name(one->policy),
		.index = one->index,
		.access = one->g.access,
		.rights = one->g.rights,
		.until_s = one->g.until_s,
		.block = one->g.blocked ? one->g.block : NULL,
	};

	return r->to->access(r->ctx, &a);
}

static int person_journals(struct review *r, uint32_t person, const char *who,
			   struct fs_review_total *t)
{
	struct noted *page = calloc(PAGE, sizeof(*page));
	uint32_t index = 1;
	bool end = false;
	int rc = page ? 0 : -ENOMEM;

	while (!rc && !end) {
		size_t n = note_page(r, person, who, &index, page, t, &end);

		for (size_t i = 0; i < n; i++) {
			if (!rc)
				rc = tell_one(r, who, &page[i]);
			policy_journal_put(page[i].policy);
		}
	}
	free(page);
	return rc;
}

static bool enrolled(struct fs_vault *v, const char *name)
{
	const struct fs_person *p;
	bool yes;

	pthread_rwlock_rdlock(&v->lock);
	p = fs_people_find(v, name);
	yes = p && p->enrolment;
	pthread_rwlock_unlock(&v->lock);
	return yes;
}

static bool in_unit(const struct review *r, const struct policy_practitioner *p)
{
	return !r->unit[0] || (p->unit && !strcmp(p->unit->name, r->unit));
}

static int people(struct review *r)
{
	int rc = 0;

	for (size_t i = 0; i < policy_practice_count(r->practice) && !rc; i++) {
		const struct policy_practitioner *p = policy_practice_at(r->practice, i);
		struct fs_review_total t = {.who = p->name};

		if (!in_unit(r, p))
			continue;
		rc = r->to->person(r->ctx, p, enrolled(r->v, p->name));
		if (!rc)
			rc = person_journals(r, (uint32_t)i, p->name, &t);
		if (!rc)
			rc = r->to->total(r->ctx, &t);
	}
	return rc;
}

/* Journals that one practitioner alone reads: nobody stands in for them. */
static int alone(struct review *r)
{
	size_t n = policy_practice_count(r->practice);
	uint32_t *count = calloc(n ? n : 1, sizeof(*count));
	int rc = count ? 0 : -ENOMEM;

	for (uint32_t i = 0; i < r->cap && !rc; i++) {
		if (r->readers[i] == 1)
			count[r->reader[i]]++;
	}
	for (size_t i = 0; i < n && !rc; i++) {
		if (count[i])
			rc = r->to->alone(r->ctx, policy_practice_at(r->practice, i)->name, count[i]);
	}
	free(count);
	return rc;
}

/* Journals whose policy in force is younger than this version. */
static uint32_t count_changed(struct review *r, uint32_t version)
{
	struct fs_vault *v = r->v;
	uint32_t index = 0, n = 0;

	while (index < r->cap) {
		uint32_t stop = index + CHANGED_PAGE;

		pthread_rwlock_rdlock(&v->lock);
		for (; index < r->cap && index < v->journals.cap && index < stop; index++)
			n += v->journals.by_index[index] &&
			     v->journals.by_index[index]->version > version;
		pthread_rwlock_unlock(&v->lock);
		index = stop;
	}
	return n;
}

static int head(struct review *r)
{
	struct fs_review_head h = {.time_s = r->now_s};
	struct fs_vault *v = r->v;
	struct fs_glass_counts glass;
	int rc = read_last(v, &h.last);

	if (rc)
		return rc;
	fs_vault_glass_counts(v, NULL, &glass);
	h.glass = fs_glass_since(v, h.last.time_s);
	h.glass_pending = glass.pending;
	h.glass_overdue = glass.overdue;
	h.glass_deviations = glass.deviations;
	pthread_rwlock_rdlock(&v->lock);
	h.practice = v->counters.practice;
	h.version = v->counters.policy;
	h.journals = v->journals.count;
	r->cap = v->journals.cap;
	r->practice = v->practice ? policy_practice_get(v->practice) : NULL;
	pthread_rwlock_unlock(&v->lock);
	if (!r->practice)
		return -ENOKEY;
	if (r->unit[0] && !policy_practice_unit(r->practice, r->unit))
		return -ENOENT;
	h.practitioners = (uint32_t)policy_practice_count(r->practice);
	h.changed = count_changed(r, h.last.version);
	h.title = policy_practice_settings(r->practice)->title;
	r->readers = calloc(r->cap ? r->cap : 1, sizeof(*r->readers));
	r->reader = calloc(r->cap ? r->cap : 1, sizeof(*r->reader));
	return r->readers && r->reader ? r->to->head(r->ctx, &h) : -ENOMEM;
}

int fs_vault_review(struct fs_vault *v, struct fs_session *by, const char *unit,
		    const struct fs_review_to *to, void *ctx, struct fs_say *say)
{
	struct review r = {.v = v, .unit = unit, .to = to, .ctx = ctx, .now_s = fs_vault_wall_s()};
	int rc;

	if (fs_session_state(by) != FS_SESSION_ACTIVE)
		return -ENOKEY;
	if (!may_review(v, by))
		return refuse(v, by, "making an access review", say);
	rc = fs_vault_tell(v, by, POLICY_RECORD_REVIEW, 0, NULL, "an access review is made%s%s",
			   unit[0] ? ", unit " : "", unit);
	if (!rc)
		rc = head(&r);
	if (rc == -ENOENT)
		fs_say(say, "the practice policy has no unit `%s`", unit);
	if (!rc)
		rc = people(&r);
	/* With a part of the people nobody can be said to be alone. */
	if (!rc && !unit[0])
		rc = alone(&r);
	free(r.readers);
	free(r.reader);
	if (r.practice)
		policy_practice_put(r.practice);
	return rc < 0 ? rc : 0;
}
