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
 * logged. All other refusals are logged; identical ones within a minute are
 * counted and written once, with their number (gate_log.c). Which notes records
 * cover: gate_cover.c. Programs that are kept out: gate_program.c.
 *
 * Locks: the gate's mutex (leaf) protects journals, repeats and the quota. Never
 * held across vault, log or tree calls.
 */
#include "gate_impl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "clock.h"

#define MAY_WRITE (POLICY_WRITE | POLICY_DRAFT)

int64_t fs_gate_clock_ns(clockid_t id)
{
	return id == CLOCK_BOOTTIME ? fs_clock_boot_ns() : fs_clock_wall_ns();
}

int fs_gate_new(struct fs_vault *v, struct fs_session *s, struct fs_gate **out)
{
	struct fs_gate *g = calloc(1, sizeof(*g));

	if (!g)
		return -ENOMEM;
	g->vault = v;
	g->session = fs_session_get(s);
	g->refusals.left = FS_GATE_REFUSALS;
	g->acts.left = FS_GATE_ACTS;
	pthread_mutex_init(&g->lock, NULL);
	*out = g;
	return 0;
}

/* ---- journals ---- */

static struct fs_gate_journal *journal_of(struct fs_gate *g, uint32_t index, bool make)
{
	struct fs_gate_journal **at = &g->bucket[index % FS_GATE_BUCKETS];
	struct fs_gate_journal *gj;

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
struct fs_cover *fs_gate_cover_of(struct fs_gate *g, uint32_t index)
{
	struct fs_gate_journal *gj = journal_of(g, index, true);
	int64_t now, ceiling;

	if (!gj)
		return NULL;
	now = fs_gate_clock_ns(CLOCK_REALTIME);
	if (gj->cover.until_ns &&
	    (now >= gj->cover.until_ns || now < gj->cover.until_ns - FS_GATE_INTENT_NS))
		fs_cover_clear(&gj->cover);
	if (!gj->cover.until_ns) {
		ceiling = g->session->ceiling_s > INT64_MAX / 1000000000
				  ? INT64_MAX
				  : (int64_t)g->session->ceiling_s * 1000000000;
		gj->cover.until_ns = now + FS_GATE_INTENT_NS;
		if (ceiling && ceiling < gj->cover.until_ns)
			gj->cover.until_ns = ceiling;
	}
	return &gj->cover;
}

static void saw_rights(struct fs_gate *g, uint32_t index, const struct policy_verdict *v)
{
	struct fs_gate_journal *gj;

	pthread_mutex_lock(&g->lock);
	gj = journal_of(g, index, true);
	if (gj && !gj->seen) {
		gj->seen = true;
		gj->rights = v->rights;
		gj->visible = v->visible;
	}
	pthread_mutex_unlock(&g->lock);
}

/* The right to write goes: pages that mappings hold are awaited for a moment. With the lock. */
static void drain_begin(struct fs_gate_journal *gj)
{
	if (!gj->drain_until_ns)
		gj->drain_until_ns = fs_gate_clock_ns(CLOCK_BOOTTIME) + FS_GATE_DRAIN_NS;
}

static void rights_now(struct fs_gate_journal *gj, const struct policy_verdict *v)
{
	if (gj->rights & ~v->rights & MAY_WRITE)
		drain_begin(gj);
	else if (v->rights & MAY_WRITE)
		gj->drain_until_ns = 0;
	gj->rights = v->rights;
	gj->visible = v->visible;
	fs_cover_clear(&gj->cover);
}

void fs_gate_drained(struct fs_gate *g, uint32_t journal)
{
	struct fs_gate_journal *gj;

	pthread_mutex_lock(&g->lock);
	gj = journal_of(g, journal, false);
	if (gj && !(gj->rights & MAY_WRITE))
		gj->drain_until_ns = 0;
	pthread_mutex_unlock(&g->lock);
}

/* Whether policy took the right to write away so lately that a mapping's page is still taken. */
static bool draining(struct fs_gate *g, uint32_t index)
{
	struct fs_gate_journal *gj;
	bool is = false;

	pthread_mutex_lock(&g->lock);
	gj = journal_of(g, index, false);
	if (gj && gj->seen && gj->rights & MAY_WRITE)
		drain_begin(gj); /* before the recheck has come to it */
	if (gj && gj->drain_until_ns)
		is = fs_gate_clock_ns(CLOCK_BOOTTIME) < gj->drain_until_ns;
	pthread_mutex_unlock(&g->lock);
	return is;
}

size_t fs_gate_changed(struct fs_gate *g, uint32_t *journals, size_t cap)
{
	struct seen {
		uint32_t index, rights;
		bool visible;
	} *seen = NULL;
	size_t n = 0, found = 0;

	pthread_mutex_lock(&g->lock);
	for (unsigned b = 0; b < FS_GATE_BUCKETS; b++) {
		for (struct fs_gate_journal *gj = g->bucket[b]; gj; gj = gj->next)
			n++;
	}
	seen = calloc(n ? n : 1, sizeof(*seen));
	n = 0;
	for (unsigned b = 0; seen && b < FS_GATE_BUCKETS; b++) {
		for (struct fs_gate_journal *gj = g->bucket[b]; gj; gj = gj->next)
			if (gj->seen)
				seen[n++] = (struct seen){gj->index, gj->rights, gj->visible};
	}
	pthread_mutex_unlock(&g->lock);
	for (size_t k = 0; seen && k < n && found < cap; k++) {
		struct policy_verdict v = {.answer = POLICY_DENY};
		int rc = fs_vault_decide(g->vault, g->session, seen[k].index, 0, &v, NULL, 0);
		struct fs_gate_journal *gj;

		if (rc)
			v = (struct policy_verdict){.answer = POLICY_DENY};
		if (seen[k].rights == v.rights && seen[k].visible == v.visible)
			continue;
		journals[found++] = seen[k].index;
		pthread_mutex_lock(&g->lock);
		gj = journal_of(g, seen[k].index, false);
		if (gj)
			rights_now(gj, &v);
		pthread_mutex_unlock(&g->lock);
	}
	free(seen);
	return found;
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
	if ((s->ceiling_boot_ns &&
	     (uint64_t)fs_gate_clock_ns(CLOCK_BOOTTIME) >= s->ceiling_boot_ns) ||
	    (s->ceiling_s && (uint64_t)(fs_clock_wall_ns() / 1000000000) >= s->ceiling_s))
		return -ENOKEY;
	return 0;
}

static bool is_history(uint64_t nodeid)
{
	return fs_nodeid_journal(nodeid) && fs_nodeid_ino(nodeid) >= FS_INO_HISTORY;
}

static bool at_history(const struct fs_gate_request *rq)
{
	return is_history(rq->nodeid) || (rq->nodeid2 && is_history(rq->nodeid2));
}

/* Would it change something under .history? Of two handles (copy_file_range) only the second is written to. */
static bool changes_history(const struct fs_gate_request *rq)
{
	bool copies = rq->by_handle && rq->nodeid2;

	return rq->rights & (POLICY_WRITE | POLICY_CREATE | POLICY_FINALIZE) &&
	       ((is_history(rq->nodeid) && !copies) || (rq->nodeid2 && is_history(rq->nodeid2)));
}

/* What policy is asked for. What only closes is let through, as with notes. */
static uint32_t needs(const struct fs_gate_request *rq)
{
	uint32_t rights = rq->rights;

	if (!at_history(rq) || (rq->drain && rq->by_handle && !rights))
		return rights;
	if (changes_history(rq))
		rights &= ~(uint32_t)(POLICY_WRITE | POLICY_CREATE | POLICY_FINALIZE);
	return rights | POLICY_HISTORY;
}

int fs_gate_history(struct fs_gate *g, const struct fs_gate_request *rq,
		    const struct fs_gate_pass *pass)
{
	uint32_t index = fs_nodeid_journal(rq->nodeid);
	struct fs_gate_request asked = *rq;
	char rule[POLICY_RECORD_TEXT] = "";

	if (pass->rights & POLICY_HISTORY)
		return 0;
	asked.rights |= POLICY_HISTORY;
	fs_gate_rule(g, &asked, index, rule);
	return fs_gate_refuse(g, rq, index, -ENOENT, rule);
}

/* The answer to who is refused, and what the log gets as the rule. */
static int refuse(struct fs_gate *g, const struct fs_gate_request *rq, uint32_t rights,
		  const struct policy_verdict *v)
{
	uint32_t index = fs_nodeid_journal(rq->nodeid);
	struct fs_gate_request asked = *rq;
	char rule[POLICY_RECORD_TEXT] = "";
	bool hidden = rights & ~v->rights & POLICY_HISTORY && !rq->by_handle;

	asked.rights = rights;
	fs_gate_rule(g, &asked, index, rule);
	return fs_gate_refuse(g, rq, index, hidden ? -ENOENT : -EACCES, rule);
}

/* The policy's answer, now. Refusals are logged here. */
static int check_policy(struct fs_gate *g, const struct fs_gate_request *rq,
			struct fs_gate_pass *pass)
{
	uint32_t index = fs_nodeid_journal(rq->nodeid);
	struct policy_verdict v = {.answer = POLICY_DENY};
	uint32_t rights = needs(rq);
	int rc = fs_vault_decide(g->vault, g->session, index, rights, &v, NULL, 0);

	if (rc)
		return rc == -ENOENT || rc == -ENOKEY ? rc : -EACCES;
	pass->drafts_s = 0;
	/* An emergency lets make new notes: which these are is looked at when the journal is open. */
	if (v.visible && (v.rights & MAY_WRITE) == POLICY_DRAFT && rights & POLICY_WRITE &&
	    !(rights & ~(v.rights | POLICY_WRITE)) &&
	    fs_vault_drafts(g->vault, g->session, index, &pass->drafts_s)) {
		pass->rights = v.rights;
		saw_rights(g, index, &v);
		return 0;
	}
	if (!v.visible || (v.rights & rights) != rights ||
	    (rights && v.answer != POLICY_ALLOW)) {
		if (rq->mapped && draining(g, index)) {
			pass->rights = POLICY_WRITE;
			return 0;
		}
		return refuse(g, rq, rights, &v);
	}
	pass->rights = v.rights;
	saw_rights(g, index, &v);
	return 0;
}

/* Does the request name anything under .policy? */
static bool at_policy(const struct fs_gate_request *rq)
{
	if (fs_nodeid_policy(rq->nodeid) || (rq->nodeid2 && fs_nodeid_policy(rq->nodeid2)))
		return true;
	/* The name is looked up before anything else can be done with it. */
	return rq->nodeid == FS_ROOT_INO && rq->reveals && rq->name &&
	       !strcmp(rq->name, FS_GATE_POLICY_DIR);
}

/* A steward's own: the policy right, now. Refusals are logged here. */
static int check_steward(struct fs_gate *g, const struct fs_gate_request *rq,
			 struct fs_gate_pass *pass)
{
	struct policy_verdict v = {.answer = POLICY_DENY};
	char rule[POLICY_RECORD_TEXT] = "";
	int rc = fs_vault_decide_vault(g->vault, g->session, POLICY_POLICY, &v, rule, sizeof(rule));

	if (rc == -ENOKEY)
		return rc;
	if (rc || v.answer != POLICY_ALLOW)
		return fs_gate_refuse(g, rq, 0, -EACCES, rule);
	pass->rights = POLICY_POLICY;
	pthread_mutex_lock(&g->lock);
	g->policy = true;
	pthread_mutex_unlock(&g->lock);
	return 0;
}

bool fs_gate_policy_lost(struct fs_gate *g)
{
	struct policy_verdict v = {.answer = POLICY_DENY};
	bool had;

	pthread_mutex_lock(&g->lock);
	had = g->policy;
	pthread_mutex_unlock(&g->lock);
	if (!had || (!fs_vault_decide_vault(g->vault, g->session, POLICY_POLICY, &v, NULL, 0) &&
		     v.answer == POLICY_ALLOW))
		return false;
	pthread_mutex_lock(&g->lock);
	g->policy = false;
	pthread_mutex_unlock(&g->lock);
	return true;
}

static int open_journal(struct fs_gate *g, const struct fs_gate_request *rq,
			struct fs_gate_pass *pass)
{
	uint32_t index = fs_nodeid_journal(rq->nodeid);
	int rc;

	if (rq->mapped && pass->rights == POLICY_WRITE) {
		/* Its key is no longer this session's to open; the open file holds the journal. */
		pass->journal = fs_journal_find(fs_vault_records(g->vault), index);
		return pass->journal ? 0 : -EACCES;
	}
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

bool fs_gate_draft(const struct fs_gate_pass *pass, struct fs_inode *i)
{
	bool own;

	if (!pass->drafts_s)
		return true;
	pthread_rwlock_rdlock(&i->lock);
	own = i->author == pass->session->pid && i->writer == pass->session->pid &&
	      i->btime.tv_sec >= pass->drafts_s;
	pthread_rwlock_unlock(&i->lock);
	return own;
}

/* Of an inode that is to be changed itself; what becomes of directories' entries is the tree's to see. */
static int check_draft(struct fs_gate *g, const struct fs_gate_request *rq,
		       const struct fs_gate_pass *pass)
{
	uint64_t nodeid = rq->nodeid2 ? rq->nodeid2 : rq->nodeid;
	uint32_t index = fs_nodeid_journal(nodeid);
	struct fs_inode *i = NULL;
	bool own = false;

	if (!pass->drafts_s || rq->entries)
		return 0;
	if (pass->journal)
		(void)fs_inode_get(pass->journal, fs_nodeid_ino(nodeid), &i);
	if (i)
		own = fs_gate_draft(pass, i);
	fs_inode_put(i);
	return own ? 0
		   : fs_gate_refuse(g, rq, index, -EACCES,
				    "emergency access: read, and new notes of one's own");
}

int fs_gate_again(struct fs_gate *g, const struct fs_gate_request *rq, struct fs_gate_pass *pass)
{
	int rc = check_session(g, rq);

	if (!rc)
		rc = at_policy(rq) ? check_steward(g, rq, pass) : check_policy(g, rq, pass);
	return rc ? rc : check_draft(g, rq, pass);
}

static int reveal(struct fs_gate *g, const struct fs_gate_request *rq, struct fs_gate_pass *pass)
{
	int64_t until_ns = 0;
	bool has = false;
	int rc = fs_gate_covered(g, fs_nodeid_journal(rq->nodeid), rq->dir, 0, &has, &until_ns);

	if (rc || has)
		return rc;
	rc = fs_gate_cover_dir(g, pass, rq, until_ns);
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
	/* Before anything that such a program does keeps the session awake or is looked at. */
	rc = at_policy(rq) ? 0 : fs_gate_program(g, rq);
	if (rc)
		return rc;
	if (rq->activity)
		atomic_store(&g->session->active_ns, (uint64_t)fs_gate_clock_ns(CLOCK_BOOTTIME));
	if (rq->nodeid2 && fs_nodeid_journal(rq->nodeid2) != index)
		return -EXDEV;
	if (at_policy(rq))
		return check_steward(g, rq, pass);
	if (!index)
		return 0;
	rc = check_policy(g, rq, pass);
	if (!rc && changes_history(rq))
		rc = -EROFS;
	if (!rc)
		rc = open_journal(g, rq, pass);
	if (!rc)
		rc = check_draft(g, rq, pass);
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
	pass->drafts_s = 0;
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
	fs_gate_flush(g, 0);
	pthread_mutex_lock(&g->lock);
	for (unsigned b = 0; b < FS_GATE_BUCKETS; b++) {
		while (g->bucket[b]) {
			struct fs_gate_journal *gj = g->bucket[b];

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
	fs_gate_programs_flush(g, true);
	pthread_mutex_destroy(&g->lock);
	fs_session_put(g->session);
	free(g);
}
