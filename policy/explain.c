/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy/explain.c - the steps of a decision, in words.
 *
 * Every step is told, also behind one that denies: who mends one thing must know of the next. The
 * verdict is asked of policy_decide, never computed here.
 */
#include "explain.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "explain_impl.h"
#include "span.h"

void policy_explain_put(struct policy_explanation *x, const char *fmt, ...)
{
	char *bigger;
	va_list ap;
	int n;

	if (!x->text)
		return;
	va_start(ap, fmt);
	n = vsnprintf(x->text + x->len, x->cap - x->len, fmt, ap);
	va_end(ap);
	if (n < 0)
		return;
	if ((size_t)n >= x->cap - x->len) {
		x->cap = x->cap * 2 + (size_t)n;
		bigger = realloc(x->text, x->cap);
		if (!bigger) {
			free(x->text);
			x->text = NULL;
			return;
		}
		x->text = bigger;
		va_start(ap, fmt);
		n = vsnprintf(x->text + x->len, x->cap - x->len, fmt, ap);
		va_end(ap);
	}
	x->len += (size_t)n;
}

const char *policy_explain_rights(uint32_t rights, char out[static 192])
{
	size_t n = 0;

	snprintf(out, 192, "nothing");
	for (unsigned i = 0; i < POLICY_RIGHT_COUNT; i++)
		if (rights & 1u << i)
			n += (size_t)snprintf(out + n, 192 - n, "%s%s", n ? ", " : "",
					      policy_right_names[i]);
	return out;
}

const char *policy_explain_begin(int64_t minute, char out[static 64])
{
	if (minute % 1440)
		policy_span_minute_text(minute, out);
	else
		policy_span_date_text((int32_t)(minute / 1440), out);
	return out;
}

const char *policy_explain_end(int64_t minute, char out[static 64])
{
	char text[24];

	if (minute % 1440)
		policy_span_minute_text(minute, text);
	else
		policy_span_date_text((int32_t)(minute / 1440 - 1), text);
	snprintf(out, 64, "%s %s", minute % 1440 ? "at" : "with", text);
	return out;
}

static void state_set(const struct policy_explanation *x, struct policy_explain_entry *out)
{
	const struct policy_entry *e = out->e;

	if (x->minute < e->from)
		out->state = EXPLAIN_NOT_YET;
	else if (x->minute >= e->until)
		out->state = EXPLAIN_ENDED;
	else if (e->kind == POLICY_ENTRY_ATTEND && !policy_role_attends(x->who->pub.role))
		out->state = EXPLAIN_IDLE;
	else
		out->state = EXPLAIN_IN_FORCE;
}

bool policy_explain_next(const struct policy_explanation *x, bool blocks, size_t *at,
			 struct policy_explain_entry *out)
{
	const struct policy_journal *j = x->q->journal;
	const struct policy_default *d;
	char words[160];
	size_t count;

	for (; *at < j->count; (*at)++) {
		out->e = &j->entry[*at];
		if ((out->e->kind == POLICY_ENTRY_BLOCK) != blocks ||
		    !policy_entry_names(j, out->e, x->who))
			continue;
		policy_entry_text(j, out->e, words, sizeof(words));
		snprintf(out->text, sizeof(out->text), "%s (line %u)", words, out->e->line);
		state_set(x, out);
		(*at)++;
		return true;
	}
	d = policy_practice_defaults(x->q->practice, policy_journal_unit(j), &count);
	for (; !blocks && *at - j->count < count; (*at)++) {
		const struct policy_default *one = d + (*at - j->count);

		out->e = &one->entry;
		if (!policy_entry_speaks(out->e, one->name, x->who))
			continue;
		policy_entry_write(out->e, one->name, words, sizeof(words));
		snprintf(out->text, sizeof(out->text), "default unit %s %s (%s line %u)", one->unit,
			 words, one->file, out->e->line);
		state_set(x, out);
		(*at)++;
		return true;
	}
	return false;
}

static void question(struct policy_explanation *x)
{
	const struct policy_question *q = x->q;
	const char *who = q->who && policy_name_check(q->who) ? q->who : "somebody";
	const char *journal = q->journal ? policy_journal_name(q->journal) : "";
	char rights[192], at[24], where[POLICY_JOURNAL_NAME_MAX + 16] = "this journal";

	policy_span_minute_text(x->minute, at);
	policy_explain_rights(q->rights, rights);
	if (*journal)
		snprintf(where, sizeof(where), "journal \"%s\"", journal);
	if (!q->journal && q->rights)
		policy_explain_put(x, "May %s %s, at %s?\n\n", who, rights, at);
	else if (!q->journal)
		policy_explain_put(x, "What may %s do in the vault, at %s?\n\n", who, at);
	else if (q->rights)
		policy_explain_put(x, "May %s %s in %s, at %s?\n\n", who, rights, where, at);
	else
		policy_explain_put(x, "Does %s see %s in a listing, at %s?\n\n", who, where, at);
}

static void status_step(struct policy_explanation *x)
{
	const struct policy_practitioner *who = &x->who->pub;
	char begin[64], end[64];
	const char *comma = "";

	policy_explain_put(x, "1. Account status: ");
	if (who->state == POLICY_ON_LEAVE)
		policy_explain_put(x, "%s is on leave", who->name);
	else if (who->state == POLICY_LEFT)
		policy_explain_put(x, "%s has left", who->name);
	else if (x->q->now_s < who->from_s)
		policy_explain_put(x, "%s is not valid yet", who->name);
	else if (x->q->now_s >= who->until_s)
		policy_explain_put(x, "%s is not valid any more", who->name);
	else
		policy_explain_put(x, "%s is active", who->name);
	policy_explain_put(x, " (%s line %u)", who->file, who->line);
	if (who->from_s != INT64_MIN) {
		policy_explain_put(x, "; valid from %s",
				   policy_explain_begin(who->from_s / 60, begin));
		comma = ",";
	}
	if (who->until_s != INT64_MAX)
		policy_explain_put(x, "%s validity ends %s", *comma ? comma : ";",
				   policy_explain_end(who->until_s / 60, end));
	policy_explain_put(x, ".\n");
}

static void role_step(struct policy_explanation *x)
{
	const struct policy_role *role = x->who->pub.role;
	uint32_t lacks = x->q->rights & ~role->rights;
	char has[192], not [192];

	policy_explain_put(x, "2. Role: %s%s may %s (%s line %u)", role->name,
			   role->clinical ? ", clinical," : "",
			   policy_explain_rights(role->rights, has), role->file, role->line);
	if (lacks)
		policy_explain_put(x, "; not %s", policy_explain_rights(lacks, not ));
	if (x->q->journal && !(role->rights & (POLICY_LIST | POLICY_POLICY)))
		policy_explain_put(x, "; without `list` nothing is seen or reached in a journal");
	policy_explain_put(x, ".\n");
}

static void unit_step(struct policy_explanation *x)
{
	const struct policy_journal *j = x->q->journal;
	const struct policy_practitioner *who = &x->who->pub;
	const char *unit = policy_journal_unit(j);

	policy_explain_put(x, "3. Unit: ");
	if (!*unit)
		policy_explain_put(x, "the journal is of no unit.\n");
	else if (!who->unit)
		policy_explain_put(x, "the journal is of unit %s (line %u), %s of none.\n", unit,
				   j->unit_line, who->name);
	else if (strcmp(unit, who->unit->name))
		policy_explain_put(x, "the journal is of unit %s (line %u), %s of unit %s.\n", unit,
				   j->unit_line, who->name, who->unit->name);
	else
		policy_explain_put(x,
				   "the journal is of unit %s (line %u), and so is %s: that shows "
				   "it in a listing%s, and no more.\n",
				   unit, j->unit_line, who->name,
				   who->role->rights & POLICY_LIST ? "" : " to a role with `list`");
}

static void entry_line(struct policy_explanation *x, const struct policy_explain_entry *one)
{
	char when[64];

	policy_explain_put(x, "   - %s ", one->text);
	if (one->state == EXPLAIN_NOT_YET)
		policy_explain_put(x, "is not in force yet: it begins %s",
				   policy_explain_begin(one->e->from, when));
	else if (one->state == EXPLAIN_ENDED)
		policy_explain_put(x, "is not in force any more: it ended %s",
				   policy_explain_end(one->e->until, when));
	else if (one->state == EXPLAIN_IDLE)
		policy_explain_put(x, "gives nothing: role %s may not attend",
				   x->who->pub.role->name);
	else if (one->e->until != POLICY_MINUTE_MAX)
		policy_explain_put(x, "is in force; it ends %s",
				   policy_explain_end(one->e->until, when));
	else
		policy_explain_put(x, "is in force");
	policy_explain_put(x, "\n");
}

static void care_step(struct policy_explanation *x)
{
	const struct policy_role *role = x->who->pub.role;
	struct policy_explain_entry one;
	unsigned perms = 0;
	char rights[192];
	size_t at = 0;

	if (!policy_explain_next(x, false, &at, &one)) {
		policy_explain_put(x, "4. Care relationship: no entry speaks of %s.\n",
				   x->who->pub.name);
		return;
	}
	policy_explain_put(x, "4. Care relationship: these entries speak of %s:\n",
			   x->who->pub.name);
	do {
		entry_line(x, &one);
		if (one.state == EXPLAIN_IN_FORCE)
			perms |= one.e->perms;
	} while (policy_explain_next(x, false, &at, &one));
	policy_explain_put(
		x, "   As far as role %s goes, they now give %s.\n", role->name,
		policy_explain_rights(policy_decide_rights(role->rights, perms), rights));
}

static void block_step(struct policy_explanation *x)
{
	struct policy_explain_entry one;
	size_t at = 0;

	if (!policy_explain_next(x, true, &at, &one)) {
		policy_explain_put(x, "5. Block: none speaks of %s.\n", x->who->pub.name);
		return;
	}
	policy_explain_put(x, "5. Block: %s refuses everything in this journal%s.\n", one.text,
			   x->q->practice->settings.blocks_shown
				   ? "; that there is a block is shown (`blocks shown`)"
				   : " and hides it");
}

/* Why the grant gives nothing now, or NULL. */
static const char *grant_idle(const struct policy_explanation *x)
{
	const struct policy_grant *g = x->q->grant;
	const struct policy_role *role = x->who->pub.role;

	if (!role->clinical || !(role->rights & POLICY_BREAK_GLASS))
		return "the role may not break the glass";
	if (x->v.ground == POLICY_GROUND_STATUS)
		return "the account is not active";
	if (x->q->now_s < g->from_s)
		return "it has not begun";
	if (x->q->now_s >= g->until_s)
		return "its time is over";
	if (x->v.blocked && !g->past_block)
		return "it did not pass the patient's block";
	return NULL;
}

/* Beside the policy, and told only to who has a grant. */
static void grant_step(struct policy_explanation *x)
{
	const struct policy_grant *g = x->q->grant;
	const char *idle = g ? grant_idle(x) : NULL;
	char until[64];

	if (!g)
		return;
	policy_explain_put(x, "   Emergency access: %s has grant %" PRIu64, x->who->pub.name,
			   g->number);
	if (idle)
		policy_explain_put(x, ", which gives nothing: %s.\n", idle);
	else
		policy_explain_put(
			x, ": to list and read%s until %s%s, whatever the steps before say.\n",
			x->who->pub.role->rights & POLICY_WRITE ? ", and to write new notes," : "",
			policy_explain_begin(g->until_s / 60, until),
			x->v.blocked ? ", past the patient's block" : "");
}

static void validity_step(struct policy_explanation *x)
{
	char when[64];

	if (x->v.until_s == INT64_MAX)
		policy_explain_put(x, "6. Validity: no date ahead changes this.\n");
	else
		policy_explain_put(x, "6. Validity: the next date that can change this is %s.\n",
				   policy_explain_begin(x->v.until_s / 60, when));
}

static void verdict(struct policy_explanation *x)
{
	const char *word;
	char text[512], rights[192];

	policy_verdict_text(x->q, &x->v, text, sizeof(text));
	if (!x->q->journal && !x->q->rights && x->who && x->v.ground != POLICY_GROUND_STATUS) {
		policy_explain_put(x, "\nIn the vault: %s.\n",
				   policy_explain_rights(x->v.rights, rights));
		return;
	}
	if (x->q->rights || !x->q->journal)
		word = x->v.answer == POLICY_ALLOW ? "Allowed" : "Denied";
	else if (x->v.visible)
		word = x->v.ground == POLICY_GROUND_BLOCK ? "Seen, but closed" : "Seen";
	else
		word = "Hidden";
	/* Without a journal nobody may read: that is not the role's doing. */
	if (!x->q->journal && x->who && x->v.ground == POLICY_GROUND_ROLE &&
	    !(x->q->rights & ~x->who->pub.role->rights))
		snprintf(text, sizeof(text), "this is decided journal by journal");
	policy_explain_put(x, "\n%s: %s.\n", word, text);
}

static void unknown(struct policy_explanation *x)
{
	const struct policy_index *ix = &x->q->practice->persons;
	struct policy_suggest s;
	char nearest[128];

	policy_suggest_init(&s, x->q->who ? x->q->who : "");
	for (uint32_t i = 0; i < ix->size; i++)
		if (ix->slot[i].name)
			policy_suggest_try(&s, ix->slot[i].name);
	policy_explain_put(x,
			   "1. Account status: the practice policy has no practitioner of this "
			   "name%s\n",
			   s.best ? policy_suggest_text(&s, nearest) : ".");
}

int policy_explain(const struct policy_question *q, char **text)
{
	struct policy_explanation x = {.q = q, .cap = 2048};

	x.text = malloc(x.cap);
	if (!x.text)
		return -ENOMEM;
	policy_decide(q, &x.v);
	x.who = q->who ? policy_practice_person(q->practice, q->who) : NULL;
	x.minute = policy_span_minute(q->now_s);
	question(&x);
	if (!x.who) {
		unknown(&x);
	} else {
		status_step(&x);
		role_step(&x);
	}
	if (x.who && q->journal) {
		unit_step(&x);
		care_step(&x);
		block_step(&x);
		grant_step(&x);
	} else if (x.who) {
		policy_explain_put(&x, "3. to 5. Unit, care relationship, block: the question is "
				       "about no journal.\n");
	}
	if (x.who)
		validity_step(&x);
	verdict(&x);
	policy_explain_missing(&x);
	if (!x.text)
		return -ENOMEM;
	*text = x.text;
	return 0;
}
