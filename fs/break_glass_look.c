/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/break_glass_look.c - emergency grants looked at: their words, lists, counts.
 *
 * Invariants: (1) that somebody looks is durable in the log before the first grant is
 * told; (2) none is told after the session of who looks was locked: the policy may be
 * forgotten in the middle of a list.
 *
 * Locks: lock for one grant at a time; none while items are told.
 */
#include "vault_impl.h"

/* ---- words ---- */

const char *fs_glass_end_word(const struct fs_grant *g)
{
	static const char *const words[] = {"open", "expired", "closed", "withdrawn"};

	return words[g->end <= FS_GLASS_WITHDRAWN ? g->end : FS_GLASS_OPEN];
}

const char *fs_glass_state_word(const struct fs_grant *g)
{
	static const char *const words[] = {"pending-review", "justified", "deviation", "closed"};

	if (g->review == FS_GLASS_PENDING && g->end == FS_GLASS_OPEN)
		return "open";
	return words[g->review <= FS_GLASS_SETTLED ? g->review : FS_GLASS_PENDING];
}

const char *fs_glass_flag_word(uint8_t flags, unsigned n, const char **text)
{
	static const struct {
		uint8_t flag;
		const char *word, *text;
	} all[] = {
		{FS_GLASS_PAST_BLOCK, "past-block", "past the patient's block"},
		{FS_GLASS_REPEATED, "repeated", "the reason is word for word an earlier one"},
		{FS_GLASS_AGAIN, "again", "the same journal again within 24 hours"},
		{FS_GLASS_SERIAL, "serial", "one of many within 24 hours"},
		{FS_GLASS_RECURRING, "recurring", "the same journal again and again in 90 days"},
	};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		if (!(flags & all[i].flag) || n--)
			continue;
		*text = all[i].text;
		return all[i].word;
	}
	return NULL;
}

bool fs_glass_overdue(const struct fs_vault *v, const struct fs_grant *g)
{
	return g->review == FS_GLASS_PENDING && fs_glass_over(v, g) &&
	       fs_vault_wall_s() >= g->due_s;
}

bool fs_glass_judge(struct fs_vault *v, const struct fs_grant *g)
{
	const struct fs_person *user = fs_people_by_pid(v, g->pid);
	const struct policy_practitioner *line;
	int64_t now_s = fs_vault_wall_s();

	if (!v->practice)
		return false;
	line = user ? policy_practice_find(v->practice, user->name) : NULL;
	for (size_t i = 0; i < policy_practice_count(v->practice); i++) {
		const struct policy_practitioner *p = policy_practice_at(v->practice, i);

		if (p->state == POLICY_ACTIVE && p->from_s <= now_s && now_s < p->until_s &&
		    p->role->rights & POLICY_REVIEW && !(user && !strcmp(p->name, user->name)) &&
		    !(line && !strcmp(p->account, line->account)))
			return true;
	}
	return false;
}

/* ---- looking ---- */

bool fs_glass_item_locked(struct fs_vault *v, uint32_t number, struct fs_glass_item *out)
{
	const struct fs_person *p;
	const struct fs_entry *e;

	if (!number || number > v->grant_count)
		return false;
	out->g = v->grants[number - 1];
	p = fs_people_by_pid(v, out->g.pid);
	snprintf(out->who, sizeof(out->who), "%s", p ? p->name : "");
	p = out->g.reviewer ? fs_people_by_pid(v, out->g.reviewer) : NULL;
	snprintf(out->reviewer, sizeof(out->reviewer), "%s", p ? p->name : "");
	e = v->practice ? fs_catalog_by_index(v, out->g.journal) : NULL;
	snprintf(out->journal, sizeof(out->journal), "%s", e ? e->name : "");
	out->overdue = fs_glass_overdue(v, &out->g);
	return true;
}

bool fs_glass_item(struct fs_vault *v, uint32_t number, struct fs_glass_item *out)
{
	bool found;

	memset(out, 0, sizeof(*out));
	pthread_rwlock_rdlock(&v->lock);
	found = fs_glass_item_locked(v, number, out);
	pthread_rwlock_unlock(&v->lock);
	return found;
}

/* What the practitioner was when the grant was opened; "" when that can't be read any more. */
static void fill_role(struct fs_vault *v, struct fs_glass_item *item)
{
	const struct policy_practitioner *p;
	struct policy_practice *then = NULL;

	pthread_mutex_lock(&v->edit);
	if (!fs_policies_at(v, item->g.policy, &then)) {
		p = policy_practice_find(then, item->who);
		snprintf(item->role, sizeof(item->role), "%s", p ? p->role->name : "");
		snprintf(item->unit, sizeof(item->unit), "%s", p && p->unit ? p->unit->name : "");
		policy_practice_put(then);
	}
	pthread_mutex_unlock(&v->edit);
}

struct listing {
	struct fs_vault *v;
	struct fs_session *by;
	uint32_t number; /* this one alone; 0: all */
	bool all, names;
	uint32_t stuck; /* nobody can judge them */
	int (*fn)(void *ctx, const struct fs_glass_item *item);
	void *ctx;
};

static int list_one(struct listing *l, uint32_t number, struct fs_glass_item *item)
{
	int rc;

	/* A long list is told slowly: whoever was locked meanwhile is told no more. */
	if (fs_session_state(l->by) != FS_SESSION_ACTIVE)
		return -ENOKEY;
	if (!fs_glass_item(l->v, number, item))
		return -ENOENT;
	item->mine = item->g.pid == l->by->pid;
	if (!l->all && !item->mine)
		return l->number ? -ENOENT : 0;
	/* Whoever may break the glass finds every name by a search; others have seen it under
	 * another one. */
	if (!l->names)
		item->journal[0] = '\0';
	/* One that is damaged hides no other. */
	if (fs_glass_text(l->v, number, &item->text))
		snprintf(item->text.reason, sizeof(item->text.reason),
			 "(its record is damaged: the access log has it)");
	pthread_rwlock_rdlock(&l->v->lock);
	l->stuck += item->g.review == FS_GLASS_PENDING && !fs_glass_judge(l->v, &item->g);
	pthread_rwlock_unlock(&l->v->lock);
	if (l->number)
		fill_role(l->v, item);
	rc = l->fn(l->ctx, item);
	keys_wipe(&item->text, sizeof(item->text));
	return rc;
}

static int tell_look(const struct listing *l)
{
	struct fs_glass_item item;

	if (!l->number)
		return fs_vault_tell(l->v, l->by, POLICY_RECORD_AUDIT, 0, NULL,
				     "%s emergency accesses were listed", l->all ? "all" : "own");
	if (fs_glass_item(l->v, l->number, &item) && (l->all || item.g.pid == l->by->pid))
		return fs_vault_tell(l->v, l->by, POLICY_RECORD_AUDIT, item.g.journal, item.journal,
				     "emergency access %u of %s was shown", l->number, item.who);
	return fs_vault_tell(l->v, l->by, POLICY_RECORD_REFUSED, 0, NULL,
			     "looking at emergency access %u: not there, or another's", l->number);
}

int fs_vault_glass_list(struct fs_vault *v, struct fs_session *by, uint32_t number,
			int (*fn)(void *ctx, const struct fs_glass_item *item), void *ctx,
			struct fs_say *say)
{
	struct listing l = {.v = v, .by = by, .number = number, .fn = fn, .ctx = ctx};
	struct fs_glass_item *item;
	uint32_t last;
	int rc;

	if (fs_session_state(by) != FS_SESSION_ACTIVE)
		return -ENOKEY;
	l.all = fs_sessions_has(v, by, POLICY_REVIEW) || fs_sessions_has(v, by, POLICY_AUDIT);
	l.names = l.all || fs_sessions_has(v, by, POLICY_BREAK_GLASS);
	item = calloc(1, sizeof(*item));
	rc = item ? tell_look(&l) : -ENOMEM;
	pthread_rwlock_rdlock(&v->lock);
	last = number ? number : v->grant_count;
	pthread_rwlock_unlock(&v->lock);
	for (uint32_t n = number ? number : 1; !rc && n <= last; n++) {
		rc = list_one(&l, n, item);
		if (n == UINT32_MAX)
			break;
	}
	free(item);
	if (rc == -ENOENT)
		fs_say(say, "there is no emergency access %u, or it is not yours to see", number);
	else if (rc >= 0 && l.stuck)
		fs_say(say, "%u of these can be judged by nobody: " FS_GLASS_NOBODY, l.stuck);
	else if (rc >= 0 && !l.all && !number)
		fs_say(say, "only your own are shown: all are, with the review or the audit right");
	return rc < 0 ? rc : 0;
}

/* ---- counting ---- */

void fs_vault_glass_counts(struct fs_vault *v, struct fs_session *by, struct fs_glass_counts *out)
{
	memset(out, 0, sizeof(*out));
	pthread_rwlock_rdlock(&v->lock);
	for (uint32_t i = 0; i < v->grant_count; i++) {
		const struct fs_grant *g = &v->grants[i];
		bool over = fs_glass_over(v, g);

		out->open += !over;
		out->mine_open += !over && by && g->pid == by->pid && g->enrolment == by->enrolment;
		out->pending += over && g->review == FS_GLASS_PENDING;
		out->deviations += g->review == FS_GLASS_UNJUSTIFIED;
		if (!fs_glass_overdue(v, g))
			continue;
		out->overdue++;
		if (!out->overdue_s || g->due_s < out->overdue_s)
			out->overdue_s = g->due_s;
	}
	pthread_rwlock_unlock(&v->lock);
}

uint32_t fs_glass_since(struct fs_vault *v, int64_t time_s)
{
	uint32_t n = 0;

	pthread_rwlock_rdlock(&v->lock);
	for (uint32_t i = 0; i < v->grant_count; i++)
		n += v->grants[i].from_s >= time_s;
	pthread_rwlock_unlock(&v->lock);
	return n;
}

int fs_vault_glass_mine(struct fs_vault *v, struct fs_session *s,
			int (*fn)(void *ctx, const struct fs_glass_mine *one), void *ctx)
{
	struct fs_glass_item item;
	int rc = 0;

	if (fs_session_state(s) != FS_SESSION_ACTIVE)
		return -ENOKEY;
	for (uint32_t n = 1; !rc && fs_glass_item(v, n, &item); n++) {
		struct fs_glass_mine one = {n, item.journal, item.g.until_s, 0};
		uint64_t now = fs_vault_boot_ns();
		int64_t boot = item.g.until_boot_ns > now
				       ? (int64_t)((item.g.until_boot_ns - now) / 1000000000u)
				       : 0;

		if (item.g.pid != s->pid || item.g.enrolment != s->enrolment ||
		    fs_glass_over(v, &item.g))
			continue;
		one.left_s = one.until_s - fs_vault_wall_s();
		if (boot < one.left_s)
			one.left_s = boot;
		rc = fn(ctx, &one);
	}
	return rc < 0 ? rc : 0;
}
