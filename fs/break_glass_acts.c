/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/break_glass_acts.c - what was done under an emergency grant, and pairs that come again and
 * again.
 *
 * The access log says what was done: records carry the number of the grant that held.
 * It is read with the key of whoever asks, an auditor or a reviewer (lists.c); a
 * reviewer is shown nothing of it but this.
 *
 * Invariant: nothing is shown of the log but records of the grant asked for, and what
 * the same practitioner searched, asked or was refused on the way to it.
 *
 * Locks: none while records are read or told; lock to gather pairs.
 */
#include "vault_impl.h"

#define BEFORE_S 3600
/* Descriptors that were open when it ended are closed a moment later. */
#define AFTER_S 120

struct acts {
	struct fs_grant g;
	unsigned shut;	 /* streams that can't be opened */
	unsigned before; /* of them, from before it began: they hold nothing that was done under it
			  */
	int (*fn)(void *ctx, const struct policy_record *r, bool before);
	void *ctx;
};

static bool begins(const char *text, const char *with)
{
	return !strncmp(text, with, strlen(with));
}

/* On the way to it (fs/break_glass.c writes these). */
static bool is_before(const struct fs_grant *g, const struct policy_record *r)
{
	int64_t at_s = r->time_ns / 1000000000;

	if (r->practitioner != g->pid || at_s > g->from_s || at_s < g->from_s - BEFORE_S)
		return false;
	if (r->kind == POLICY_RECORD_LIST)
		return (!r->journal && begins(r->detail, "emergency search")) ||
		       (r->journal == g->journal && begins(r->detail, "asked what emergency"));
	return r->kind == POLICY_RECORD_REFUSED && begins(r->detail, "break-glass: ") &&
	       (!r->journal || r->journal == g->journal);
}

static bool is_after(const struct fs_grant *g, const struct policy_record *r)
{
	int64_t at_s = r->time_ns / 1000000000;

	return r->kind == POLICY_RECORD_CLOSE && !r->grant && r->practitioner == g->pid &&
	       r->journal == g->journal && g->end != FS_GLASS_OPEN && at_s >= g->ended_s &&
	       at_s <= g->ended_s + AFTER_S;
}

static int act_one(void *ctx, const struct policy_record *r)
{
	struct acts *a = ctx;

	if (r->kind == POLICY_RECORD_BREAK_GLASS && r->grant == a->g.number)
		a->before = a->shut;
	if (r->grant == a->g.number || is_after(&a->g, r))
		return a->fn(a->ctx, r, false);
	return is_before(&a->g, r) ? a->fn(a->ctx, r, true) : 0;
}

int fs_vault_glass_acts(struct fs_vault *v, struct fs_session *by, uint32_t number,
			int (*fn)(void *ctx, const struct policy_record *r, bool before), void *ctx,
			struct fs_say *say)
{
	struct acts a = {.fn = fn, .ctx = ctx};
	struct fs_glass_item item;
	unsigned shut;
	int rc;

	if (fs_session_state(by) != FS_SESSION_ACTIVE)
		return -ENOKEY;
	if (!fs_glass_item(v, number, &item))
		return -ENOENT;
	if (!fs_sessions_has(v, by, POLICY_REVIEW) && !fs_sessions_has(v, by, POLICY_AUDIT)) {
		fs_say(say, "what was done under it stands in the access log, which reviewers and "
			    "auditors read");
		return 1;
	}
	a.g = item.g;
	rc = fs_log_wait(v->log, 0);
	if (!rc)
		rc = fs_vault_log_read(v, by, act_one, &a, &a.shut);
	shut = a.shut - a.before;
	if (!rc && shut)
		fs_say(say,
		       "%u %s of the log cannot be opened with your key: if this may lie there, "
		       "ask an auditor: journalfs audit show --grant %u",
		       shut, shut == 1 ? "stretch" : "stretches", number);
	return rc;
}

/* ---- pairs ---- */

static int by_pair(const void *x, const void *y)
{
	const struct fs_grant *a = x, *b = y;

	if (a->pid != b->pid)
		return a->pid < b->pid ? -1 : 1;
	if (a->journal != b->journal)
		return a->journal < b->journal ? -1 : 1;
	return a->number < b->number ? -1 : a->number > b->number;
}

/* Copies of the last grants, pair by pair; the caller frees. */
static int gather(struct fs_vault *v, struct fs_grant **out, size_t *n)
{
	int64_t since_s = fs_vault_wall_s() - FS_GLASS_PAIR_S;
	struct fs_grant *all;

	*n = 0;
	pthread_rwlock_rdlock(&v->lock);
	all = calloc(v->grant_count + 1, sizeof(*all));
	for (uint32_t i = 0; all && i < v->grant_count; i++) {
		if (v->grants[i].from_s > since_s)
			all[(*n)++] = v->grants[i];
	}
	pthread_rwlock_unlock(&v->lock);
	if (!all)
		return -ENOMEM;
	qsort(all, *n, sizeof(*all), by_pair);
	*out = all;
	return 0;
}

/* What may be proposed of these grants of one pair; false: nothing. */
static bool fill_pair(struct fs_vault *v, const struct fs_grant *g, size_t n,
		      struct fs_glass_pair *out)
{
	const struct policy_practitioner *line = NULL;
	const struct fs_person *p;
	const struct fs_entry *e;
	struct policy_verdict verdict;

	*out = (struct fs_glass_pair){
		.count = (uint32_t)n, .first_s = g[0].from_s, .last_s = g[n - 1].from_s};
	for (size_t i = 0; i < n; i++)
		out->unjustified +=
			g[i].review == FS_GLASS_UNJUSTIFIED || g[i].review == FS_GLASS_SETTLED;
	pthread_rwlock_rdlock(&v->lock);
	p = fs_people_by_pid(v, g->pid);
	e = v->practice ? fs_catalog_by_index(v, g->journal) : NULL;
	if (p && e)
		line = policy_practice_find(v->practice, p->name);
	if (line && line->state != POLICY_LEFT) {
		snprintf(out->who, sizeof(out->who), "%s", p->name);
		snprintf(out->journal, sizeof(out->journal), "%s", e->name);
		fs_catalog_verdict(v, e, p->name, POLICY_READ, fs_vault_wall_s(), &verdict);
		out->admitted = verdict.answer == POLICY_ALLOW;
		out->blocked = verdict.ground == POLICY_GROUND_BLOCK;
	}
	pthread_rwlock_unlock(&v->lock);
	return out->who[0] != '\0';
}

static int tell_pairs(struct fs_vault *v, struct fs_session *by, struct fs_say *say)
{
	int rc;

	if (fs_sessions_has(v, by, POLICY_REVIEW) || fs_sessions_has(v, by, POLICY_AUDIT) ||
	    fs_sessions_has(v, by, POLICY_POLICY))
		return fs_vault_tell(v, by, POLICY_RECORD_AUDIT, 0, NULL,
				     "emergency accesses that recur were listed");
	fs_say(say,
	       "emergency accesses of others are shown to whom the practice policy gives the "
	       "review, audit or policy right, which %s does not have",
	       by->who);
	rc = fs_vault_tell(v, by, POLICY_RECORD_REFUSED, 0, NULL,
			   "looking at emergency accesses that recur");
	return rc ? rc : -EACCES;
}

int fs_vault_glass_pairs(struct fs_vault *v, struct fs_session *by,
			 int (*fn)(void *ctx, const struct fs_glass_pair *pair), void *ctx,
			 struct fs_say *say)
{
	struct fs_grant *all = NULL;
	struct fs_glass_pair pair;
	size_t n = 0, end;
	int rc;

	if (fs_session_state(by) != FS_SESSION_ACTIVE)
		return -ENOKEY;
	rc = tell_pairs(v, by, say);
	if (!rc)
		rc = gather(v, &all, &n);
	for (size_t i = 0; !rc && i < n; i = end) {
		for (end = i + 1;
		     end < n && all[end].pid == all[i].pid && all[end].journal == all[i].journal;)
			end++;
		if (end - i >= FS_GLASS_PAIR_LEAST && fill_pair(v, &all[i], end - i, &pair))
			rc = fn(ctx, &pair);
	}
	free(all);
	return rc < 0 ? rc : 0;
}
