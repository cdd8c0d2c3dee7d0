/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/gate.c - the one door: who asks, may they, is it logged.
 *
 * Invariants: (1) every path out of fs_gate_begin that is not a plain success has
 * released what the pass held; (2) a note is marked covered only after the record
 * that names it is durable; (3) after every wait for the log the decision is taken
 * again; (4) a log that can't be written refuses (-EIO).
 *
 * A locked or ended session's requests answer ENOKEY without a record: a desktop
 * that polls a locked mount tells an auditor nothing, and the lock itself is
 * logged. All other refusals are logged; identical ones within REPEAT_NS are
 * counted and written once, with their number.
 *
 * Locks: the gate's mutex (leaf) protects journals, repeats and the quota. Never
 * held across vault, log or tree calls.
 */
#include "gate.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "../keys/label.h"
#include "cover.h"

#define BUCKETS 64u
#define REPEATS 16u
#define REPEAT_NS (60 * INT64_C(1000000000))
#define INTENT_NS (3600 * INT64_C(1000000000))
#define QUOTA_RATE 100u /* refusals and lists a second that a session may log */
#define QUOTA_BURST 400u
#define QUOTA_DELAY_NS 20000000 /* beyond it each waits this long: slowed, never dropped */

struct gate_journal {
	struct gate_journal *next;
	uint32_t index;
	uint32_t rights; /* when first seen or last rechecked: what the kernel was shown */
	bool seen, visible;
	struct fs_cover cover;
};

/* An act that may repeat: its record is kept from the first repeat on. */
struct repeat {
	const char *op; /* NULL: free */
	enum policy_record_kind kind;
	uint64_t nodeid, name_hash;
	int rc;
	int64_t first_ns; /* boot time */
	uint64_t count;	  /* repeats not yet written */
	struct policy_record *record;
};

struct fs_gate {
	struct fs_vault *vault;
	struct fs_session *session; /* reference */
	pthread_mutex_t lock;
	struct gate_journal *bucket[BUCKETS];
	struct repeat repeat[REPEATS];
	int64_t quota_ns; /* boot time at which the bucket was filled last */
	double quota;
};

static void (*block_begin)(void);
static void (*block_end)(void);

void fs_gate_blocking(void (*begin)(void), void (*end)(void))
{
	block_begin = begin;
	block_end = end;
}

static int64_t clock_ns(clockid_t id)
{
	struct timespec t;

	clock_gettime(id, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int log_wait(struct fs_gate *g, uint64_t seq)
{
	int rc;

	if (block_begin)
		block_begin();
	rc = fs_log_wait(fs_vault_log(g->vault), seq);
	if (block_end)
		block_end();
	return rc ? -EIO : 0;
}

int fs_gate_new(struct fs_vault *v, struct fs_session *s, struct fs_gate **out)
{
	struct fs_gate *g = calloc(1, sizeof(*g));

	if (!g)
		return -ENOMEM;
	g->vault = v;
	g->session = fs_session_get(s);
	g->quota = QUOTA_BURST;
	pthread_mutex_init(&g->lock, NULL);
	*out = g;
	return 0;
}

/* ---- journals ---- */

static struct gate_journal *journal_of(struct fs_gate *g, uint32_t index, bool make)
{
	struct gate_journal **at = &g->bucket[index % BUCKETS];
	struct gate_journal *gj;

	for (gj = *at; gj; gj = gj->next) {
		if (gj->index == index)
			return gj;
	}
	if (!make)
		return NULL;
	gj = calloc(1, sizeof(*gj));
	if (!gj)
		return NULL;
	gj->index = index;
	gj->next = *at;
	*at = gj;
	return gj;
}

/* The set of what is covered in this journal, emptied when its intents have expired. */
static struct fs_cover *cover_of(struct fs_gate *g, uint32_t index)
{
	struct gate_journal *gj = journal_of(g, index, true);
	int64_t now, ceiling;

	if (!gj)
		return NULL;
	now = clock_ns(CLOCK_REALTIME);
	if (gj->cover.until_ns &&
	    (now >= gj->cover.until_ns || now < gj->cover.until_ns - INTENT_NS))
		fs_cover_clear(&gj->cover);
	if (!gj->cover.until_ns) {
		ceiling = g->session->ceiling_s > INT64_MAX / 1000000000
				  ? INT64_MAX
				  : (int64_t)g->session->ceiling_s * 1000000000;
		gj->cover.until_ns = now + INTENT_NS;
		if (ceiling && ceiling < gj->cover.until_ns)
			gj->cover.until_ns = ceiling;
	}
	return &gj->cover;
}

static void saw_rights(struct fs_gate *g, uint32_t index, const struct policy_verdict *v)
{
	struct gate_journal *gj;

	pthread_mutex_lock(&g->lock);
	gj = journal_of(g, index, true);
	if (gj && !gj->seen) {
		gj->seen = true;
		gj->rights = v->rights;
		gj->visible = v->visible;
	}
	pthread_mutex_unlock(&g->lock);
}

size_t fs_gate_changed(struct fs_gate *g, uint32_t *journals, size_t cap)
{
	struct seen {
		uint32_t index, rights;
		bool visible;
	} *seen = NULL;
	size_t n = 0, found = 0;

	pthread_mutex_lock(&g->lock);
	for (unsigned b = 0; b < BUCKETS; b++) {
		for (struct gate_journal *gj = g->bucket[b]; gj; gj = gj->next)
			n++;
	}
	seen = calloc(n ? n : 1, sizeof(*seen));
	n = 0;
	for (unsigned b = 0; seen && b < BUCKETS; b++) {
		for (struct gate_journal *gj = g->bucket[b]; gj; gj = gj->next)
			if (gj->seen)
				seen[n++] = (struct seen){gj->index, gj->rights, gj->visible};
	}
	pthread_mutex_unlock(&g->lock);
	for (size_t k = 0; seen && k < n && found < cap; k++) {
		struct policy_verdict v = {.answer = POLICY_DENY};
		int rc = fs_vault_decide(g->vault, g->session, seen[k].index, 0, &v, NULL, 0);
		struct gate_journal *gj;

		if (rc)
			v = (struct policy_verdict){.answer = POLICY_DENY};
		if (seen[k].rights == v.rights && seen[k].visible == v.visible)
			continue;
		journals[found++] = seen[k].index;
		pthread_mutex_lock(&g->lock);
		gj = journal_of(g, seen[k].index, false);
		if (gj) {
			gj->rights = v.rights;
			gj->visible = v.visible;
			fs_cover_clear(&gj->cover);
		}
		pthread_mutex_unlock(&g->lock);
	}
	free(seen);
	return found;
}

/* ---- records ---- */

static void text_copy(char out[static POLICY_RECORD_TEXT], const char *text)
{
	if (text)
		snprintf(out, POLICY_RECORD_TEXT, "%s", text);
}

static void fill(struct fs_gate *g, enum policy_record_kind kind, const struct fs_gate_request *rq,
		 uint32_t journal, struct policy_record *r)
{
	policy_record_init(r, kind);
	fs_vault_record(g->vault, g->session, rq ? rq->pid : 0, r);
	r->journal = journal;
	if (journal)
		fs_vault_journal_name(g->vault, journal, r->journal_name);
}

/* What decided, in words: only for records, since it takes longer than deciding. */
static void rule_of(struct fs_gate *g, const struct fs_gate_request *rq, uint32_t journal,
		    char rule[static POLICY_RECORD_TEXT])
{
	struct policy_verdict v;

	(void)fs_vault_decide(g->vault, g->session, journal, rq->rights, &v, rule,
			      POLICY_RECORD_TEXT);
}

/* Refusals and lists come as fast as somebody likes to ask: beyond the quota each is slowed. */
static void quota_take(struct fs_gate *g)
{
	struct timespec delay = {.tv_nsec = QUOTA_DELAY_NS};
	int64_t now = clock_ns(CLOCK_BOOTTIME);
	bool over;

	pthread_mutex_lock(&g->lock);
	g->quota += (double)(now - g->quota_ns) / 1e9 * QUOTA_RATE;
	if (g->quota > QUOTA_BURST)
		g->quota = QUOTA_BURST;
	g->quota_ns = now;
	over = g->quota < 1;
	if (!over)
		g->quota -= 1;
	pthread_mutex_unlock(&g->lock);
	if (!over)
		return;
	if (block_begin)
		block_begin();
	nanosleep(&delay, NULL);
	if (block_end)
		block_end();
}

static uint64_t name_hash(const char *name, uint64_t h)
{
	for (; name && *name; name++)
		h = (h ^ (uint8_t)*name) * UINT64_C(0x100000001b3);
	return h;
}

/* Takes the slot's counted record, to be written by the caller; the slot is free then. */
static struct policy_record *repeat_take(struct repeat *p)
{
	struct policy_record *r = p->record;

	if (r)
		r->count = p->count;
	*p = (struct repeat){.op = NULL};
	return r;
}

static void repeat_write(struct fs_gate *g, struct policy_record *r)
{
	if (!r)
		return;
	if (r->count)
		fs_log_append(fs_vault_log(g->vault), r, NULL);
	keys_wipe(r, sizeof(*r));
	free(r);
}

/*
 * True: the same act was recorded within a minute, so it is only counted. Otherwise it is
 * remembered, and r must be written.
 */
static bool repeated(struct fs_gate *g, const struct fs_gate_request *rq,
		     const struct policy_record *r, uint64_t nodeid, int rc)
{
	uint64_t h = name_hash(rq->name2, name_hash(rq->name, UINT64_C(0xcbf29ce484222325)));
	int64_t now = clock_ns(CLOCK_BOOTTIME);
	struct policy_record *old = NULL;
	struct repeat *use = NULL;
	bool same = false;

	pthread_mutex_lock(&g->lock);
	for (unsigned n = 0; n < REPEATS && !same; n++) {
		struct repeat *p = &g->repeat[n];

		if (!use || !p->op || (use->op && p->first_ns < use->first_ns))
			use = p;
		if (!p->op || strcmp(p->op, rq->op) != 0 || p->kind != r->kind ||
		    p->nodeid != nodeid || p->name_hash != h || p->rc != rc)
			continue;
		use = p;
		same = now - p->first_ns < REPEAT_NS;
		break;
	}
	if (same && !use->record) {
		use->record = malloc(sizeof(*use->record));
		same = use->record != NULL;
		if (same)
			*use->record = *r;
	}
	if (same) {
		use->count++;
	} else {
		old = repeat_take(use);
		*use = (struct repeat){.op = rq->op,
				       .kind = (enum policy_record_kind)r->kind,
				       .nodeid = nodeid,
				       .name_hash = h,
				       .rc = rc,
				       .first_ns = now};
	}
	pthread_mutex_unlock(&g->lock);
	repeat_write(g, old);
	return same;
}

static void repeats_flush(struct fs_gate *g, int64_t older_ns)
{
	struct policy_record *due[REPEATS] = {NULL};
	int64_t now = clock_ns(CLOCK_BOOTTIME);

	pthread_mutex_lock(&g->lock);
	for (unsigned n = 0; n < REPEATS; n++) {
		if (g->repeat[n].op && now - g->repeat[n].first_ns >= older_ns)
			due[n] = repeat_take(&g->repeat[n]);
	}
	pthread_mutex_unlock(&g->lock);
	for (unsigned n = 0; n < REPEATS; n++)
		repeat_write(g, due[n]);
}

void fs_gate_tick(struct fs_gate *g)
{
	repeats_flush(g, REPEAT_NS);
}

int fs_gate_refuse(struct fs_gate *g, const struct fs_gate_request *rq, uint32_t journal, int rc,
		   const char *rule)
{
	struct policy_record r;
	int log_rc = 0;

	quota_take(g);
	fill(g, POLICY_RECORD_REFUSED, rq, journal, &r);
	r.note = journal ? fs_nodeid_ino(rq->nodeid) : 0;
	text_copy(r.name, rq->name);
	text_copy(r.name2, rq->name2);
	text_copy(r.rule, rule);
	snprintf(r.detail, sizeof(r.detail), "%s: %s", rq->op, strerrorname_np(-rc));
	if (!repeated(g, rq, &r, rq->nodeid, rc)) {
		uint64_t seq = 0;

		log_rc = fs_log_append(fs_vault_log(g->vault), &r, &seq);
		if (!log_rc)
			log_rc = log_wait(g, seq);
	}
	keys_wipe(&r, sizeof(r));
	return log_rc ? -EIO : rc;
}

static int record(struct fs_gate *g, const struct fs_gate_pass *pass,
		  const struct fs_gate_request *rq, const struct fs_gate_act *act, bool wait)
{
	uint32_t journal = fs_nodeid_journal(act->nodeid ? act->nodeid : rq->nodeid);
	struct policy_record r;
	uint64_t seq = 0;
	int rc = 0;

	fill(g, act->kind, rq, journal, &r);
	r.note = journal ? fs_nodeid_ino(act->nodeid) : 0;
	text_copy(r.name, act->name);
	text_copy(r.name2, act->name2);
	if (pass && journal)
		rule_of(g, rq, journal, r.rule);
	if (act->detail)
		snprintf(r.detail, sizeof(r.detail), "%s", act->detail);
	if (act->action)
		r.action = act->action;
	r.bytes_read = act->bytes_read;
	r.bytes_written = act->bytes_written;
	if ((act->kind != POLICY_RECORD_LIST && act->kind != POLICY_RECORD_ATTRIBUTE) ||
	    !repeated(g, rq, &r, act->nodeid, 0))
		rc = fs_log_append(fs_vault_log(g->vault), &r, &seq);
	if (!rc && wait && seq)
		rc = log_wait(g, seq);
	keys_wipe(&r, sizeof(r));
	return rc ? -EIO : 0;
}

int fs_gate_record(struct fs_gate *g, const struct fs_gate_pass *pass,
		   const struct fs_gate_request *rq, const struct fs_gate_act *act)
{
	return record(g, pass, rq, act, false);
}

int fs_gate_record_open(struct fs_gate *g, const struct fs_gate_pass *pass,
			const struct fs_gate_request *rq, const struct fs_gate_act *act)
{
	struct policy_practice *p = fs_vault_practice(g->vault);
	bool strict = !p || policy_practice_settings(p)->log_strict;

	policy_practice_put(p);
	return record(g, pass, rq, act, strict);
}

/* ---- log before light ---- */

/* One INTENT record for these notes, queued; *seq to wait for. */
static int intent_append(struct fs_gate *g, const struct fs_gate_request *rq, uint64_t dir,
			 const struct policy_record_note *note, size_t n, int64_t until_ns,
			 uint64_t *seq)
{
	struct policy_record r;
	int rc;

	fill(g, POLICY_RECORD_INTENT, rq, fs_nodeid_journal(rq->nodeid), &r);
	r.note = dir;
	r.until_ns = until_ns;
	r.notes = note;
	r.note_count = n;
	rule_of(g, rq, r.journal, r.rule);
	rc = fs_log_append(fs_vault_log(g->vault), &r, seq);
	keys_wipe(&r, sizeof(r));
	return rc ? -EIO : 0;
}

static int covered_add(struct fs_gate *g, uint32_t index, uint64_t dir,
		       const struct policy_record_note *note, size_t n)
{
	struct fs_cover *c;
	int rc;

	pthread_mutex_lock(&g->lock);
	c = cover_of(g, index);
	rc = c ? 0 : -ENOMEM;
	for (size_t k = 0; !rc && k < n; k++)
		rc = fs_cover_add(c, note[k].note);
	if (!rc && dir)
		rc = fs_cover_add_dir(c, dir);
	pthread_mutex_unlock(&g->lock);
	return rc;
}

/* Whether dir (or, without one, note) is covered now; *until_ns for a record that is to cover it.
 */
static int covered_has(struct fs_gate *g, uint32_t index, uint64_t dir, uint64_t note, bool *has,
		       int64_t *until_ns)
{
	struct fs_cover *c;

	pthread_mutex_lock(&g->lock);
	c = cover_of(g, index);
	if (c) {
		*has = dir ? fs_cover_has_dir(c, dir) : fs_cover_has(c, note);
		*until_ns = c->until_ns;
	}
	pthread_mutex_unlock(&g->lock);
	return c ? 0 : -ENOMEM;
}

/* Names every note of the directory in durable INTENT records. */
static int cover_dir(struct fs_gate *g, const struct fs_gate_pass *pass,
		     const struct fs_gate_request *rq, int64_t until_ns)
{
	struct fs_cover_notes notes = {.note = NULL};
	uint64_t seq = 0;
	size_t part;
	int rc = fs_cover_list(pass->journal, rq->dir, &notes);

	if (rc)
		return rc;
	if (!notes.n)
		rc = intent_append(g, rq, rq->dir, NULL, 0, until_ns, &seq);
	for (size_t at = 0; !rc && at < notes.n; at += part) {
		part = fs_cover_part(&notes, at);
		rc = intent_append(g, rq, rq->dir, notes.note + at, part, until_ns, &seq);
	}
	if (!rc)
		rc = log_wait(g, seq);
	if (!rc)
		rc = covered_add(g, fs_nodeid_journal(rq->nodeid), rq->dir, notes.note, notes.n);
	fs_cover_notes_free(&notes);
	return rc;
}

int fs_gate_cover(struct fs_gate *g, const struct fs_gate_request *rq, uint64_t ino,
		  const char *name)
{
	struct policy_record_note note = {.note = ino, .name = name ? name : ""};
	uint32_t index = fs_nodeid_journal(rq->nodeid);
	int64_t until_ns = 0;
	uint64_t seq = 0;
	bool has = false;
	int rc = covered_has(g, index, 0, ino, &has, &until_ns);

	if (rc || has)
		return rc;
	rc = intent_append(g, rq, 0, &note, 1, until_ns, &seq);
	if (!rc)
		rc = log_wait(g, seq);
	if (!rc)
		rc = covered_add(g, index, 0, &note, 1);
	return rc;
}

void fs_gate_created(struct fs_gate *g, const struct fs_gate_pass *pass, uint64_t ino, bool dir)
{
	struct policy_record_note note = {.note = ino};

	/* Short of memory it stays uncovered: the next look writes one more record. */
	(void)covered_add(g, fs_journal_index(pass->journal), dir ? ino : 0, &note, 1);
}

/* ---- the door ---- */

static int check_session(const struct fs_gate *g, const struct fs_gate_request *rq)
{
	const struct fs_session *s = g->session;
	enum fs_session_state state = fs_session_state(s);

	if (state == FS_SESSION_DRAINING)
		return rq->drain && rq->by_handle ? 0 : -ENOKEY;
	if (state != FS_SESSION_ACTIVE)
		return -ENOKEY;
	if ((s->ceiling_boot_ns && (uint64_t)clock_ns(CLOCK_BOOTTIME) >= s->ceiling_boot_ns) ||
	    (s->ceiling_s && (uint64_t)time(NULL) >= s->ceiling_s))
		return -ENOKEY;
	return 0;
}

/* The policy's answer, now. Refusals are logged here. */
static int check_policy(struct fs_gate *g, const struct fs_gate_request *rq,
			struct fs_gate_pass *pass)
{
	uint32_t index = fs_nodeid_journal(rq->nodeid);
	struct policy_verdict v = {.answer = POLICY_DENY};
	char rule[POLICY_RECORD_TEXT] = "";
	int rc = fs_vault_decide(g->vault, g->session, index, rq->rights, &v, NULL, 0);

	if (rc)
		return rc == -ENOENT || rc == -ENOKEY ? rc : -EACCES;
	if (!v.visible || (v.rights & rq->rights) != rq->rights ||
	    (rq->rights && v.answer != POLICY_ALLOW)) {
		rule_of(g, rq, index, rule);
		return fs_gate_refuse(g, rq, index, -EACCES, rule);
	}
	pass->rights = v.rights;
	saw_rights(g, index, &v);
	return 0;
}

static int open_journal(struct fs_gate *g, const struct fs_gate_request *rq,
			struct fs_gate_pass *pass)
{
	uint32_t index = fs_nodeid_journal(rq->nodeid);
	int rc;

	if (!(pass->rights & POLICY_LIST))
		return 0;
	rc = fs_vault_journal(g->vault, g->session, index, &pass->journal);
	if (!rc)
		return 0;
	pass->journal = NULL;
	if (rc != -EACCES)
		return rc;
	pass->rights = 0;
	return rq->rights ? fs_gate_refuse(g, rq, index, -EACCES, "its key still waits") : 0;
}

int fs_gate_again(struct fs_gate *g, const struct fs_gate_request *rq, struct fs_gate_pass *pass)
{
	int rc = check_session(g, rq);

	return rc ? rc : check_policy(g, rq, pass);
}

static int reveal(struct fs_gate *g, const struct fs_gate_request *rq, struct fs_gate_pass *pass)
{
	int64_t until_ns = 0;
	bool has = false;
	int rc = covered_has(g, fs_nodeid_journal(rq->nodeid), rq->dir, 0, &has, &until_ns);

	if (rc || has)
		return rc;
	rc = cover_dir(g, pass, rq, until_ns);
	return rc ? rc : fs_gate_again(g, rq, pass);
}

static int begin(struct fs_gate *g, const struct fs_gate_request *rq, struct fs_gate_pass *pass)
{
	uint32_t index = fs_nodeid_journal(rq->nodeid);
	int rc = check_session(g, rq);

	if (rc)
		return rc;
	if (!rq->by_handle && rq->uid != g->session->uid)
		return fs_gate_refuse(g, rq, index, -EACCES, "another account than the session's");
	if (rq->activity)
		atomic_store(&g->session->active_ns, (uint64_t)clock_ns(CLOCK_BOOTTIME));
	if (rq->nodeid2 && fs_nodeid_journal(rq->nodeid2) != index)
		return -EXDEV;
	if (!index)
		return 0;
	rc = check_policy(g, rq, pass);
	if (!rc)
		rc = open_journal(g, rq, pass);
	if (!rc && rq->rights & POLICY_WRITE) {
		pass->signer = fs_session_signer(g->session);
		if (!pass->signer)
			rc = -ENOKEY;
	}
	if (!rc && rq->reveals && rq->dir && pass->journal)
		rc = reveal(g, rq, pass);
	return rc;
}

int fs_gate_begin(struct fs_gate *g, const struct fs_gate_request *rq, struct fs_gate_pass *pass)
{
	int rc;

	pass->session = g->session;
	pass->journal = NULL;
	pass->signer = NULL;
	pass->rights = 0;
	rc = begin(g, rq, pass);
	if (rc)
		fs_gate_end(pass);
	return rc == -EBADMSG ? -EIO : rc;
}

void fs_gate_end(struct fs_gate_pass *pass)
{
	if (pass->journal)
		fs_journal_put(pass->journal);
	if (pass->signer)
		fs_signer_put(pass->signer);
	pass->journal = NULL;
	pass->signer = NULL;
}

void fs_gate_reset(struct fs_gate *g)
{
	repeats_flush(g, 0);
	pthread_mutex_lock(&g->lock);
	for (unsigned b = 0; b < BUCKETS; b++) {
		while (g->bucket[b]) {
			struct gate_journal *gj = g->bucket[b];

			g->bucket[b] = gj->next;
			fs_cover_clear(&gj->cover);
			free(gj);
		}
	}
	pthread_mutex_unlock(&g->lock);
}

void fs_gate_free(struct fs_gate *g)
{
	if (!g)
		return;
	fs_gate_reset(g);
	pthread_mutex_destroy(&g->lock);
	fs_session_put(g->session);
	free(g);
}
