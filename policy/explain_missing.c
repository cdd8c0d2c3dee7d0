/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy/explain_missing.c - after a refusal: everything that is missing, and who can give it.
 *
 * Each function looks at one step and says what of it stands in the way, as a line that begins
 * with "- ". All of them are said: one alone may not be enough.
 */
#include "explain_impl.h"
#include "features.h"
#include "span.h"

static bool status_missing(struct policy_explanation *x)
{
	const struct policy_practitioner *who = &x->who->pub;
	char when[64];

	if (who->state == POLICY_ON_LEAVE)
		policy_explain_put(x,
				   "- the end of the leave: a steward can remove `on leave` (%s "
				   "line %u)\n",
				   who->file, who->line);
	else if (who->state == POLICY_LEFT)
		policy_explain_put(x,
				   "- %s has left (%s line %u): a steward can remove `left` for "
				   "somebody who comes back\n",
				   who->name, who->file, who->line);
	else if (x->q->now_s < who->from_s)
		policy_explain_put(
			x,
			"- %s, when %s begins; a steward can write an earlier `from` (%s "
			"line %u)\n",
			policy_explain_begin(who->from_s / 60, when), who->name, who->file,
			who->line);
	else if (x->q->now_s >= who->until_s)
		policy_explain_put(x,
				   "- a later `until` for %s, whose time ended %s: a steward can "
				   "write it (%s line %u)\n",
				   who->name, policy_explain_end(who->until_s / 60, when),
				   who->file, who->line);
	else
		return false;
	return true;
}

/* The rights that the role would need for this, and has not. */
static uint32_t role_lacks(const struct policy_explanation *x)
{
	uint32_t role = x->who->pub.role->rights, lacks = x->q->rights & ~role;

	if (x->q->rights & (POLICY_EXPORT | POLICY_HISTORY))
		lacks |= POLICY_READ & ~role;
	if (x->q->journal && !(role & (POLICY_LIST | POLICY_POLICY)))
		lacks |= POLICY_LIST;
	return lacks;
}

static bool role_missing(struct policy_explanation *x)
{
	const struct policy_role *role = x->who->pub.role;
	uint32_t lacks = role_lacks(x);
	char rights[192];

	if (!lacks)
		return false;
	policy_explain_put(x,
			   "- %s in role %s (%s line %u): a steward can write it there, or give "
			   "%s another role",
			   policy_explain_rights(lacks, rights), role->name, role->file, role->line,
			   x->who->pub.name);
	if (!role->clinical && lacks & (POLICY_BREAK_GLASS | POLICY_ATTEND))
		policy_explain_put(x, "; only a clinical role may have %s",
				   policy_explain_rights(
					   lacks & (POLICY_BREAK_GLASS | POLICY_ATTEND), rights));
	policy_explain_put(x, "\n");
	return true;
}

/* May they open a journal by emergency? Of others nobody is told that there is such a way. */
static bool breaks_glass(const struct policy_explanation *x)
{
	return x->who->pub.role->clinical && x->who->pub.role->rights & POLICY_BREAK_GLASS &&
	       policy_feature_built(POLICY_FEATURE_BREAK_GLASS);
}

static bool block_missing(struct policy_explanation *x)
{
	struct policy_explain_entry one;
	bool any = false;
	size_t at = 0;

	while (policy_explain_next(x, true, &at, &one)) {
		any = true;
		policy_explain_put(x,
				   "- the removal of %s: it is the patient's own restriction; no "
				   "`allow`, `attend` or default passes it, and only a steward can "
				   "remove its line%s\n",
				   one.text,
				   breaks_glass(x)
					   ? "; emergency access passes it, in a step of its own"
					   : "");
	}
	return any;
}

/* The permissions that an entry must give for what is asked. */
static unsigned perms_needed(uint32_t rights)
{
	unsigned perms = 0;

	if (rights & EXPLAIN_JOURNAL_RIGHTS)
		perms |= POLICY_PERM_X;
	if (rights & (POLICY_READ | POLICY_EXPORT | POLICY_HISTORY))
		perms |= POLICY_PERM_R;
	if (rights & (POLICY_WRITE | POLICY_FINALIZE))
		perms |= POLICY_PERM_W;
	return perms;
}

/* What entries give now; says of those that would give more at another time. */
static unsigned perms_now(struct policy_explanation *x, unsigned needed, bool say)
{
	struct policy_explain_entry one;
	unsigned perms = 0;
	char when[64];
	size_t at = 0;

	while (policy_explain_next(x, false, &at, &one)) {
		if (one.state == EXPLAIN_IN_FORCE)
			perms |= one.e->perms;
		if (!say || !(one.e->perms & needed))
			continue;
		if (one.state == EXPLAIN_NOT_YET)
			policy_explain_put(x, "- %s, when %s begins%s\n",
					   policy_explain_begin(one.e->from, when), one.text,
					   one.e->kind == POLICY_ENTRY_ALLOW
						   ? "; a steward can write an earlier `from`"
						   : "");
		else if (one.state == EXPLAIN_ENDED && one.e->kind == POLICY_ENTRY_ALLOW)
			policy_explain_put(x,
					   "- a later `until` in %s, which ended %s: a steward can "
					   "write it\n",
					   one.text, policy_explain_end(one.e->until, when));
	}
	return perms;
}

static void entry_advice(struct policy_explanation *x, unsigned needed, bool attend)
{
	const char *who = x->who->pub.name;

	policy_explain_put(x,
			   "- an entry in force that gives %s%s%sx: a steward can add `allow "
			   "user:%s:%c%cx` to the journal's policy",
			   needed & POLICY_PERM_R ? "r" : "", needed & POLICY_PERM_W ? "w" : "",
			   needed == POLICY_PERM_X ? "" : " and ", who,
			   needed & POLICY_PERM_R ? 'r' : '-', needed & POLICY_PERM_W ? 'w' : '-');
	if (attend)
		policy_explain_put(x,
				   "; or %s, whose role may attend, can state a care relationship "
				   "with `journalfs attend`",
				   who);
	policy_explain_put(x, "\n");
}

static void care_missing(struct policy_explanation *x, bool attend)
{
	const struct policy_practitioner *who = &x->who->pub;
	unsigned needed = perms_needed(x->q->rights);
	unsigned lacks = needed & ~perms_now(x, needed, false);

	if (!needed) {
		/* Only to be seen, for which the unit is enough; a grant does not count there. */
		if ((x->v.visible && x->v.ground != POLICY_GROUND_GRANT) ||
		    who->role->rights & POLICY_POLICY ||
		    (who->unit && x->q->journal->unit_hash == x->who->unit_hash))
			return;
		needed = lacks = POLICY_PERM_X;
	}
	if (!lacks)
		return;
	perms_now(x, lacks, true);
	entry_advice(x, needed, attend);
}

/* Was anything refused? To see a journal that a block closes is not to open it. */
static bool refused(const struct policy_explanation *x)
{
	if (!x->who || x->v.ground == POLICY_GROUND_STATUS)
		return true;
	if (x->q->rights)
		return x->v.answer == POLICY_DENY;
	return x->q->journal && (!x->v.visible || x->v.ground == POLICY_GROUND_BLOCK);
}

static void journal_missing(struct policy_explanation *x)
{
	uint32_t rights = x->q->rights & EXPLAIN_JOURNAL_RIGHTS & ~(uint32_t)POLICY_LIST;
	char words[192];

	if (rights)
		policy_explain_put(x,
				   "- the journal: whether somebody may %s is decided journal by "
				   "journal\n",
				   policy_explain_rights(rights, words));
}

/* The way past the policy, for whom the role gives it and where it would give what was asked. */
static void emergency_missing(struct policy_explanation *x)
{
	const struct policy_role *role = x->who->pub.role;
	uint32_t gives = POLICY_LIST | POLICY_READ | (role->rights & POLICY_WRITE);
	unsigned minutes = x->q->practice->settings.break_glass_limit_s / 60;

	/* What is open to reading already, by policy or by a grant, is not opened by emergency. */
	if (!breaks_glass(x) || x->q->rights & ~gives || x->v.rights & POLICY_READ)
		return;
	policy_explain_put(
		x,
		"- or, in an emergency: %s, whose role may break the glass, can open it with "
		"`journalfs break-glass`, to read%s, for %u minute%s; that is logged, told to "
		"others and reviewed\n",
		x->who->pub.name, role->rights & POLICY_WRITE ? " and to write new notes" : "",
		minutes, minutes == 1 ? "" : "s");
}

void policy_explain_missing(struct policy_explanation *x)
{
	bool status, role, block;

	if (!refused(x))
		return;
	policy_explain_put(x, "What is missing:\n");
	if (!x->who) {
		policy_explain_put(x, "- a `practitioner` line: a steward can write it\n");
		return;
	}
	status = status_missing(x);
	role = role_missing(x);
	if (!x->q->journal) {
		journal_missing(x);
		return;
	}
	block = block_missing(x);
	care_missing(x, !status && !role && !block && policy_role_attends(x->who->pub.role));
	if (!status)
		emergency_missing(x);
}
