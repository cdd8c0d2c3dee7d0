/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/gate_log.c - the gate's records: refusals, acts, repeats that are only counted.
 *
 * The first of several identical refusals or lists within REPEAT_NS is written at
 * once; the others are counted and written as one record with their number. What
 * comes faster than the quota is slowed, never dropped. Locks: fs_gate.lock.
 */
#include "gate_impl.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "../keys/label.h"
#include "history_tree.h"

#define REPEAT_NS (60 * INT64_C(1000000000))
#define TYPE_SECURITY 110113 /* DICOM: security alert, as all of policy */
#define REFUSAL_DELAY_NS 20000000
#define ACT_DELAY_NS 5000000 /* a large copy goes on, slowly */

static void (*block_begin)(void);
static void (*block_end)(void);

void fs_gate_blocking(void (*begin)(void), void (*end)(void))
{
	block_begin = begin;
	block_end = end;
}

int fs_gate_wait(struct fs_gate *g, uint64_t seq)
{
	int rc;

	if (block_begin)
		block_begin();
	rc = fs_log_wait(fs_vault_log(g->vault), seq);
	if (block_end)
		block_end();
	return rc ? -EIO : 0;
}

static void text_copy(char out[static POLICY_RECORD_TEXT], const char *text)
{
	if (text)
		snprintf(out, POLICY_RECORD_TEXT, "%s", text);
}

uint64_t fs_gate_note(struct fs_gate *g, uint64_t nodeid)
{
	uint64_t ino = fs_nodeid_ino(nodeid);
	struct fs_journal *j;

	if (ino < FS_INO_HISTORY)
		return ino;
	j = fs_journal_find(fs_vault_records(g->vault), fs_nodeid_journal(nodeid));
	ino = j ? fs_history_tree_real(j, ino) : 0;
	fs_journal_put(j);
	return ino;
}

void fs_gate_fill(struct fs_gate *g, enum policy_record_kind kind, const struct fs_gate_request *rq,
		  uint32_t journal, struct policy_record *r)
{
	int64_t since_s;

	policy_record_init(r, kind);
	fs_vault_record(g->vault, g->session, rq ? rq->pid : 0, r);
	r->journal = journal;
	if (!journal)
		return;
	fs_vault_journal_name(g->vault, journal, r->journal_name);
	if (fs_vault_grant(g->vault, g->session, journal, &r->grant, &since_s) &&
	    !strcmp(r->purpose, "TREAT"))
		snprintf(r->purpose, sizeof(r->purpose), "BTG");
}

/* What decided, in words: only for records, since it takes longer than deciding. */
void fs_gate_rule(struct fs_gate *g, const struct fs_gate_request *rq, uint32_t journal,
		  char rule[static POLICY_RECORD_TEXT])
{
	struct policy_verdict v;

	(void)fs_vault_decide(g->vault, g->session, journal, rq->rights, &v, rule,
			      POLICY_RECORD_TEXT);
}

/* Records come as fast as somebody likes to ask: beyond the quota each is slowed. */
static void quota_take(struct fs_gate *g, struct fs_gate_quota *q, unsigned most, unsigned rate,
		       long delay_ns)
{
	struct timespec delay = {.tv_nsec = delay_ns};
	int64_t now = fs_gate_clock_ns(CLOCK_BOOTTIME);
	bool over;

	pthread_mutex_lock(&g->lock);
	q->left += (double)(now - q->filled_ns) / 1e9 * rate;
	if (q->left > most)
		q->left = most;
	q->filled_ns = now;
	over = q->left < 1;
	if (!over)
		q->left -= 1;
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
static struct policy_record *repeat_take(struct fs_gate_repeat *p)
{
	struct policy_record *r = p->record;

	if (r)
		r->count = p->count;
	*p = (struct fs_gate_repeat){.op = NULL};
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

/* The record that stands for this act could not be written: the next like it is written, not counted. */
static void repeat_forget(struct fs_gate *g, const struct fs_gate_request *rq,
			  const struct policy_record *r, uint64_t nodeid, int rc)
{
	uint64_t h = name_hash(rq->name2, name_hash(rq->name, UINT64_C(0xcbf29ce484222325)));
	struct policy_record *old = NULL;

	pthread_mutex_lock(&g->lock);
	for (unsigned n = 0; n < FS_GATE_REPEATS && !old; n++) {
		struct fs_gate_repeat *p = &g->repeat[n];

		if (p->op && !strcmp(p->op, rq->op) && p->kind == r->kind && p->nodeid == nodeid &&
		    p->name_hash == h && p->rc == rc)
			old = repeat_take(p);
	}
	pthread_mutex_unlock(&g->lock);
	/* Those that were counted meanwhile. */
	repeat_write(g, old);
}

/*
 * True: the same act was recorded within a minute, so it is only counted. Otherwise it is
 * remembered, and r must be written.
 */
static bool repeated(struct fs_gate *g, const struct fs_gate_request *rq,
		     const struct policy_record *r, uint64_t nodeid, int rc)
{
	uint64_t h = name_hash(rq->name2, name_hash(rq->name, UINT64_C(0xcbf29ce484222325)));
	int64_t now = fs_gate_clock_ns(CLOCK_BOOTTIME);
	struct policy_record *old = NULL;
	struct fs_gate_repeat *use = NULL;
	bool same = false;

	pthread_mutex_lock(&g->lock);
	for (unsigned n = 0; n < FS_GATE_REPEATS && !same; n++) {
		struct fs_gate_repeat *p = &g->repeat[n];

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
		*use = (struct fs_gate_repeat){.op = rq->op,
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

void fs_gate_flush(struct fs_gate *g, int64_t older_ns)
{
	struct policy_record *due[FS_GATE_REPEATS] = {NULL};
	int64_t now = fs_gate_clock_ns(CLOCK_BOOTTIME);

	pthread_mutex_lock(&g->lock);
	for (unsigned n = 0; n < FS_GATE_REPEATS; n++) {
		if (g->repeat[n].op && now - g->repeat[n].first_ns >= older_ns)
			due[n] = repeat_take(&g->repeat[n]);
	}
	pthread_mutex_unlock(&g->lock);
	for (unsigned n = 0; n < FS_GATE_REPEATS; n++)
		repeat_write(g, due[n]);
}

void fs_gate_tick(struct fs_gate *g)
{
	fs_gate_flush(g, REPEAT_NS);
	fs_gate_programs_flush(g, false);
}

int fs_gate_refuse(struct fs_gate *g, const struct fs_gate_request *rq, uint32_t journal, int rc,
		   const char *rule)
{
	struct policy_record r;
	int log_rc = 0;

	quota_take(g, &g->refusals, FS_GATE_REFUSALS, FS_GATE_REFUSALS_RATE, REFUSAL_DELAY_NS);
	fs_gate_fill(g, POLICY_RECORD_REFUSED, rq, journal, &r);
	r.note = journal ? fs_gate_note(g, rq->nodeid) : 0;
	text_copy(r.name, rq->name);
	text_copy(r.name2, rq->name2);
	text_copy(r.rule, rule);
	snprintf(r.detail, sizeof(r.detail), "%s: %s", rq->op, strerrorname_np(-rc));
	if (!repeated(g, rq, &r, rq->nodeid, rc)) {
		uint64_t seq = 0;

		log_rc = fs_log_append(fs_vault_log(g->vault), &r, &seq);
		if (!log_rc)
			log_rc = fs_gate_wait(g, seq);
		if (log_rc)
			repeat_forget(g, rq, &r, rq->nodeid, rc);
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

	quota_take(g, &g->acts, FS_GATE_ACTS, FS_GATE_ACTS_RATE, ACT_DELAY_NS);
	fs_gate_fill(g, act->kind, rq, journal, &r);
	r.note = journal ? fs_gate_note(g, act->nodeid) : 0;
	text_copy(r.name, act->name);
	text_copy(r.name2, act->name2);
	if (pass && journal)
		fs_gate_rule(g, rq, journal, r.rule);
	if (act->detail)
		snprintf(r.detail, sizeof(r.detail), "%s", act->detail);
	if (act->action)
		r.action = act->action;
	/* A steward's look at a policy treats nobody, and is no patient's record. */
	if (fs_nodeid_policy(act->nodeid)) {
		snprintf(r.purpose, sizeof(r.purpose), "HSYSADMIN");
		r.type = TYPE_SECURITY;
	}
	r.bytes_read = act->bytes_read;
	r.bytes_written = act->bytes_written;
	if ((act->kind != POLICY_RECORD_LIST && act->kind != POLICY_RECORD_ATTRIBUTE) ||
	    !repeated(g, rq, &r, act->nodeid, 0))
		rc = fs_log_append(fs_vault_log(g->vault), &r, &seq);
	if (rc)
		repeat_forget(g, rq, &r, act->nodeid, 0);
	if (!rc && wait && seq)
		rc = fs_gate_wait(g, seq);
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
