/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/log_grants.c - the log from before somebody became its reader.
 *
 * A stream's key k(0) is sealed to those who were auditors or reviewers when it began. For who
 * comes later (a new one, or one with a new identity) it is sealed again by
 * somebody who can open the stream: a live session of one of them, some streams a
 * tick, or the recovery key, all at once. Such wraps are records of the vault, so
 * its tree covers them; what a stream's own head says is signed by the daemon and
 * comes first. Implements fs/FORMAT.md, "LOG_WRAP".
 *
 * The log is walked once for each new reader and each auditor who logs in while
 * somebody still lacks streams. How many stay shut is kept in a mark for each
 * reader, so that a complete one costs nothing.
 *
 * Invariants: (1) k(0) is sealed only to an identity whose chain was verified,
 * whom the key list names and who has the audit or the review right now; (2) the record in the
 * log is durable before the wraps are stored; (3) who left keeps none.
 *
 * Locks: edit held by the caller; session locks while a stream is opened.
 */
#include "log_segment.h"
#include "vault_impl.h"

#define BUDGET_NS 20000000u
#define PER_BATCH 256
#define WRAP_RECORD (4 + KEYS_STREAM_WRAP_LEN)
#define UNKNOWN UINT32_MAX /* nobody walked the log for this reader yet */

struct reader {
	uint32_t pid, enrolment;
	const char *name;
	uint8_t box_pk[KEYS_LEN];
	uint32_t shut; /* streams that nobody at hand can open for him */
	bool given;    /* something in the batch at hand is his */
};

struct fs_log_grants {
	struct fs_vault *v;
	uint64_t helpers; /* who can open streams, and for which list */
	struct reader *reader;
	size_t n;
	uint64_t segment;
	size_t skip; /* heads of that segment that are done */
	size_t met;
	uint64_t end_ns; /* of this turn; 0: without end */
	struct fs_batch b;
	struct fs_session *by;
	const uint8_t *box_pk, *box_sk; /* the recovery key; NULL: live auditors */
	struct keys_ratchet *ratchet;	/* guarded */
};

/* ---- records ---- */

static struct fs_key wrap_key(uint32_t pid, const uint8_t stream[static KEYS_STREAM_ID_LEN])
{
	struct fs_key key = fs_key_n(0, 0, FS_T_LOG_WRAP, pid, 4);

	fs_key_add_bytes(&key, stream, KEYS_STREAM_ID_LEN);
	return key;
}

int fs_log_grants_get(struct fs_vault *v, uint32_t pid, uint32_t enrolment,
		      const uint8_t stream[static KEYS_STREAM_ID_LEN],
		      uint8_t wrap[static KEYS_STREAM_WRAP_LEN])
{
	struct fs_key key = wrap_key(pid, stream);
	struct fs_buf *buf = NULL;
	struct bytes_in in;
	int rc = fs_record_get(fs_records_vault(v->records), &key, &buf);

	if (rc)
		return rc;
	in = bytes_in(buf->data, buf->len);
	/* A wrap for an identity that was replaced is as good as none. */
	if (bytes_get_u32(&in) != enrolment)
		rc = -ENOENT;
	else if (buf->len != WRAP_RECORD)
		rc = -EBADMSG;
	else
		bytes_get(&in, wrap, KEYS_STREAM_WRAP_LEN);
	fs_buf_put(buf);
	return rc;
}

/* How many streams are shut to this reader, as the last walk found. */
static uint32_t read_mark(struct fs_vault *v, uint32_t pid, uint32_t enrolment)
{
	struct fs_key key = fs_key_n(0, 0, FS_T_LOG_WRAP, pid, 4);
	struct fs_buf *buf = NULL;
	uint32_t shut = UNKNOWN;
	struct bytes_in in;

	if (fs_record_get(fs_records_vault(v->records), &key, &buf))
		return UNKNOWN;
	in = bytes_in(buf->data, buf->len);
	if (bytes_get_u32(&in) == enrolment)
		shut = bytes_get_u32(&in);
	fs_buf_put(buf);
	return in.bad ? UNKNOWN : shut;
}

static void put_mark(struct fs_vault *v, struct fs_batch *b, const struct reader *r)
{
	struct fs_key key = fs_key_n(0, 0, FS_T_LOG_WRAP, r->pid, 4);
	uint8_t bytes[8];
	struct bytes_out out = bytes_out(bytes, sizeof(bytes));

	bytes_put_u32(&out, r->enrolment);
	bytes_put_u32(&out, r->shut);
	fs_batch_put(b, fs_records_vault(v->records), &key, bytes, sizeof(bytes));
}

/* ---- who reads ---- */

/* Is this entry of the key list somebody who may have the log now? */
static bool reader_of(struct fs_vault *v, const struct keys_list_entry *k, struct reader *out)
{
	const struct fs_person *p = fs_people_by_pid(v, k->pid);
	const struct policy_practitioner *line =
		p ? policy_practice_find(v->practice, p->name) : NULL;
	uint32_t right = k->kind == KEYS_LIST_AUDITOR ? POLICY_AUDIT : POLICY_REVIEW;
	const struct keys_identity *id = NULL;

	if ((k->kind != KEYS_LIST_AUDITOR && k->kind != KEYS_LIST_REVIEWER) || !line ||
	    line->state == POLICY_LEFT || !(line->role->rights & right))
		return false;
	/* Who is both stands in the list twice. */
	if (k->kind == KEYS_LIST_REVIEWER && fs_lists_find(v, KEYS_LIST_AUDITOR, k->pid))
		return false;
	/* With another key the list is about to be renewed. */
	if (fs_people_identity(v, p->pid, p->enrolment, true, &id) ||
	    memcmp(id->box_pk, k->box_pk, KEYS_LEN) != 0)
		return false;
	*out = (struct reader){.pid = p->pid, .enrolment = p->enrolment, .name = p->name};
	memcpy(out->box_pk, id->box_pk, KEYS_LEN);
	return true;
}

static bool reads_log(struct fs_vault *v, struct fs_session *s)
{
	return fs_sessions_has(v, s, POLICY_AUDIT) || fs_sessions_has(v, s, POLICY_REVIEW);
}

/* Those who lack streams, or of whom it is not known. */
static size_t lacking(struct fs_vault *v, struct reader *out)
{
	size_t n = 0;

	for (size_t i = 0; i < v->list_count; i++) {
		if (reader_of(v, &v->list[i], &out[n]) &&
		    read_mark(v, out[n].pid, out[n].enrolment))
			n++;
	}
	return n;
}

/* Readers who lack what another one can open. */
static unsigned count_waiting(struct fs_vault *v)
{
	uint32_t least = UNKNOWN;
	unsigned waiting = 0;
	struct reader r;

	for (int pass = 0; pass < 2; pass++) {
		for (size_t i = 0; i < v->list_count; i++) {
			uint32_t shut;

			if (!reader_of(v, &v->list[i], &r))
				continue;
			shut = read_mark(v, r.pid, r.enrolment);
			if (!pass && shut < least)
				least = shut;
			else if (pass && shut > least)
				waiting++;
		}
	}
	return waiting;
}

/* Changes when another auditor's session begins, and with the list. 0: no auditor is there. */
static uint64_t helpers(struct fs_vault *v)
{
	uint64_t sum = 0;
	bool any = false;

	for (size_t i = 0; i < v->session_count; i++) {
		uint64_t id;

		if (!reads_log(v, v->sessions[i]))
			continue;
		memcpy(&id, v->sessions[i]->id, sizeof(id));
		sum ^= id;
		any = true;
	}
	sum += (uint64_t)v->counters.list * UINT64_C(0x9e3779b97f4a7c15);
	return any ? sum | 1 : 0;
}

/* ---- the walk ---- */

static bool believed(struct fs_vault *v, const uint8_t pk[static KEYS_LEN])
{
	for (size_t i = 0; i < v->daemon_count; i++) {
		if (!memcmp(v->daemons[i], pk, KEYS_LEN))
			return true;
	}
	return false;
}

static int open_with(struct fs_log_grants *w, const struct fs_log_head *h, const uint8_t *wrap,
		     const uint8_t *box_sk)
{
	return keys_ratchet_open(w->ratchet, w->v->header.vault, h->stream, wrap,
				 KEYS_STREAM_WRAP_LEN, box_sk);
}

/* The stream's key with what some auditor's session holds. */
static int open_by_session(struct fs_log_grants *w, const struct fs_log_head *h)
{
	uint8_t later[KEYS_STREAM_WRAP_LEN];
	int rc = -EACCES;

	for (size_t i = 0; i < w->v->session_count && rc; i++) {
		struct fs_session *s = w->v->sessions[i];
		const uint8_t *wrap = fs_log_head_wrap(h, s->identity.box_pk);

		if (!reads_log(w->v, s))
			continue;
		if (!wrap && !fs_log_grants_get(w->v, s->pid, s->enrolment, h->stream, later))
			wrap = later;
		if (!wrap)
			continue;
		pthread_rwlock_rdlock(&s->lock);
		if (s->secret)
			rc = open_with(w, h, wrap, s->secret->box_sk);
		pthread_rwlock_unlock(&s->lock);
		if (!rc)
			w->by = s;
	}
	return rc;
}

static int open_stream(struct fs_log_grants *w, const struct fs_log_head *h)
{
	const uint8_t *wrap;

	if (!w->box_sk)
		return open_by_session(w, h);
	wrap = fs_log_head_wrap(h, w->box_pk);
	return wrap ? open_with(w, h, wrap, w->box_sk) : -EACCES;
}

static int give(struct fs_log_grants *w, const struct fs_log_head *h, struct reader *r)
{
	struct fs_key key = wrap_key(r->pid, h->stream);
	uint8_t bytes[WRAP_RECORD];
	struct bytes_out out = bytes_out(bytes, sizeof(bytes));
	int rc;

	bytes_put_u32(&out, r->enrolment);
	rc = keys_ratchet_wrap(w->ratchet, r->box_pk, bytes_room(&out, KEYS_STREAM_WRAP_LEN));
	if (rc)
		return rc;
	fs_batch_put(&w->b, fs_records_vault(w->v->records), &key, bytes, sizeof(bytes));
	r->given = true;
	return 0;
}

/* 1: enough for this turn. */
static int look_at(void *ctx, const struct fs_log_head *h)
{
	struct fs_log_grants *w = ctx;
	uint8_t later[KEYS_STREAM_WRAP_LEN];
	bool opened = false, shut = false;

	if (w->met++ < w->skip)
		return 0;
	w->skip = w->met;
	if (!believed(w->v, h->pk))
		return 0;
	for (size_t i = 0; i < w->n; i++) {
		struct reader *r = &w->reader[i];

		if (fs_log_head_wrap(h, r->box_pk) ||
		    !fs_log_grants_get(w->v, r->pid, r->enrolment, h->stream, later))
			continue;
		if (!opened && !shut) {
			opened = !open_stream(w, h);
			shut = !opened;
		}
		if (shut || give(w, h, r))
			r->shut++;
	}
	keys_wipe(w->ratchet, sizeof(*w->ratchet));
	return w->b.n >= PER_BATCH || (w->end_ns && fs_vault_boot_ns() >= w->end_ns);
}

static int store(struct fs_log_grants *w)
{
	struct fs_vault *v = w->v;
	char names[400] = "";
	int rc;

	if (!w->b.n)
		return 0;
	for (size_t i = 0; i < w->n; i++) {
		size_t at = strlen(names);

		if (w->reader[i].given)
			snprintf(names + at, sizeof(names) - at, "%s%s", at ? ", " : "",
				 w->reader[i].name);
		w->reader[i].given = false;
	}
	rc = fs_vault_tell(v, w->by, POLICY_RECORD_KEYS, 0, NULL,
			   "%zu keys of earlier stretches of the log given to %s%s", w->b.n, names,
			   w->box_sk ? ", with the recovery key" : "");
	if (!rc)
		rc = fs_group_apply(fs_records_group(v->records), &w->b, NULL);
	fs_batch_clear(&w->b);
	fs_batch_init(&w->b, NULL);
	return rc;
}

static int store_marks(struct fs_log_grants *w)
{
	int rc;

	for (size_t i = 0; i < w->n; i++)
		put_mark(w->v, &w->b, &w->reader[i]);
	rc = fs_group_apply(fs_records_group(w->v->records), &w->b, NULL);
	fs_batch_clear(&w->b);
	fs_batch_init(&w->b, NULL);
	return rc;
}

/* One segment or a part of it. -ENOENT: the walk is over. */
static int turn(struct fs_log_grants *w)
{
	char dir[4096];
	int rc, rc2;

	if ((size_t)snprintf(dir, sizeof(dir), "%s/log", w->v->path) >= sizeof(dir))
		return -ENAMETOOLONG;
	w->met = 0;
	rc = fs_log_streams(dir, w->v->header.vault, &w->segment, look_at, w);
	if (rc <= 0)
		w->skip = 0;
	/* A damaged segment holds no stream that could be opened; the reader is told of it. */
	if (rc == 1 || rc == -EBADMSG || rc == -EIO)
		rc = 0;
	rc2 = store(w);
	return rc2 ? rc2 : rc;
}

void fs_log_grants_stop(struct fs_vault *v)
{
	struct fs_log_grants *w = v->log_walk;

	v->log_walk = NULL;
	if (!w)
		return;
	fs_batch_clear(&w->b);
	keys_guard_free(w->ratchet);
	free(w->reader);
	free(w);
}

/* A walk for everybody who lacks something; *out NULL when nobody does. */
static int begin(struct fs_vault *v, struct fs_log_grants **out)
{
	struct fs_log_grants *w = calloc(1, sizeof(*w));
	int rc = -ENOMEM;

	*out = NULL;
	if (!w)
		return rc;
	w->v = v;
	fs_batch_init(&w->b, NULL);
	w->reader = calloc(KEYS_LIST_MAX + 1, sizeof(*w->reader));
	w->ratchet = keys_guard_new(sizeof(*w->ratchet));
	v->log_walk = w;
	if (w->reader && w->ratchet) {
		w->n = lacking(v, w->reader);
		/* Streams that began later are sealed to the readers of the list in any case. */
		rc = w->n ? fs_log_wait(v->log, 0) : 0;
	}
	if (rc || !w->n)
		fs_log_grants_stop(v);
	*out = v->log_walk;
	return rc;
}

int fs_log_grants_by_recovery(struct fs_vault *v, const uint8_t box_pk[static KEYS_LEN],
			      const uint8_t box_sk[static KEYS_LEN])
{
	struct fs_log_grants *w = NULL;
	int rc = begin(v, &w);

	if (rc || !w)
		return rc;
	w->box_pk = box_pk;
	w->box_sk = box_sk;
	while (!rc) {
		rc = turn(w);
		fs_group_throttle(fs_records_group(v->records));
	}
	rc = rc == -ENOENT ? store_marks(w) : rc;
	fs_log_grants_stop(v);
	return rc;
}

/* ---- what is taken back ---- */

struct taking {
	struct fs_vault *v;
	struct fs_batch b;
};

static int take_one(void *ctx, const struct fs_key *key, struct fs_buf *buf)
{
	struct taking *t = ctx;

	(void)buf;
	fs_batch_del(&t->b, fs_records_vault(t->v->records), key);
	return t->b.n >= PER_BATCH;
}

/* Some of the wraps of somebody who left; 1 when there may be more. */
static int take_from(struct fs_vault *v, const struct fs_person *p)
{
	struct fs_key from = fs_key_n(0, 0, FS_T_LOG_WRAP, p->pid, 4);
	struct fs_key to = fs_key_n(0, 0, FS_T_LOG_WRAP, (uint64_t)p->pid + 1, 4);
	struct taking t = {.v = v};
	int rc, more;

	fs_batch_init(&t.b, NULL);
	rc = fs_record_scan(fs_records_vault(v->records), &from, &to, take_one, &t);
	more = t.b.n >= PER_BATCH;
	if (!rc && t.b.n)
		rc = fs_vault_tell(v, NULL, POLICY_RECORD_KEYS, 0, NULL,
				   "keys of the log taken from %s, who left", p->name);
	if (!rc && t.b.n)
		rc = fs_group_apply(fs_records_group(v->records), &t.b, NULL);
	fs_batch_clear(&t.b);
	return rc ? rc : more;
}

/* Who is no reader any more has streams to come that his mark does not know of. */
static int drop_mark(struct fs_vault *v, const struct fs_person *p)
{
	struct fs_key key = fs_key_n(0, 0, FS_T_LOG_WRAP, p->pid, 4);
	struct fs_batch b;
	int rc;

	if (fs_lists_find(v, KEYS_LIST_AUDITOR, p->pid) ||
	    fs_lists_find(v, KEYS_LIST_REVIEWER, p->pid) ||
	    read_mark(v, p->pid, p->enrolment) == UNKNOWN)
		return 0;
	fs_batch_init(&b, NULL);
	fs_batch_del(&b, fs_records_vault(v->records), &key);
	rc = fs_group_apply(fs_records_group(v->records), &b, NULL);
	fs_batch_clear(&b);
	return rc;
}

static int take_back(struct fs_vault *v)
{
	int rc = 0;

	for (size_t i = 0; i < v->people_count && !rc; i++) {
		const struct fs_person *p = v->people[i];
		const struct policy_practitioner *line = policy_practice_find(v->practice, p->name);

		if (p->enrolment)
			rc = !line || line->state == POLICY_LEFT ? take_from(v, p)
								 : drop_mark(v, p);
	}
	return rc;
}

/* ---- the tick ---- */

/* Something that follows from policy, people or sessions changed. */
static void look_again(struct fs_vault *v)
{
	uint64_t now = helpers(v);
	struct fs_log_grants *w = v->log_walk;

	v->log_dirty = take_back(v) != 0;
	v->log_waiting = count_waiting(v);
	if (w && w->helpers == now)
		return;
	fs_log_grants_stop(v);
	if (!now || now == v->log_walked)
		return;
	if (begin(v, &w))
		v->log_dirty = true;
	else if (w)
		w->helpers = now;
	else
		v->log_walked = now;
}

void fs_log_grants_tick(struct fs_vault *v)
{
	struct fs_log_grants *w;
	int rc;

	if (v->log_dirty)
		look_again(v);
	w = v->log_walk;
	if (!w)
		return;
	w->end_ns = fs_vault_boot_ns() + BUDGET_NS;
	rc = turn(w);
	w->by = NULL; /* sessions may end before the next turn */
	if (!rc)
		return;
	if (rc == -ENOENT)
		rc = store_marks(w);
	if (!rc)
		v->log_walked = w->helpers;
	else
		v->log_dirty = true;
	fs_log_grants_stop(v);
	v->log_waiting = count_waiting(v);
}

void fs_log_grants_waiting(struct fs_vault *v, FILE *out)
{
	if (v->log_waiting)
		fprintf(out,
			"%u auditors wait for earlier stretches of the log: another auditor who "
			"logs "
			"in opens them\n",
			v->log_waiting);
}
