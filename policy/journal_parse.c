/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy/journal_parse.c - reads the policy of one journal.
 *
 * Statements are taken into a growing array first and packed into one allocation at
 * the end: a vault keeps 100,000 of them in memory.
 */
#include "journal.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "entry.h"
#include "lexer.h"
#include "model.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define ENTRY_MAX 1024

struct parser {
	struct policy_lexer lx;
	const struct policy_practice *practice; /* may be NULL */
	const char *name, *unit;
	unsigned name_line, unit_line, held_line;
	unsigned column; /* of the statement's first word */
	struct policy_entry_draft *draft;
	uint32_t count;
	bool short_of_memory;
};

static bool journal_name_parse(struct parser *pr)
{
	unsigned column = pr->lx.token.column;
	const char *name;

	if (pr->name_line)
		return policy_lexer_error(&pr->lx, pr->column,
					  "the journal was named on line %u already",
					  pr->name_line);
	if (!policy_lexer_string(&pr->lx, "the journal's name", POLICY_JOURNAL_NAME_MAX, &name) ||
	    !policy_lexer_end(&pr->lx))
		return false;
	pr->name_line = pr->lx.line;
	if (!policy_journal_name_form(name))
		return policy_lexer_error(&pr->lx, column,
					  "a journal is a directory and cannot be called \"%s\": "
					  "leave out `/`, and do not use `.`, `..` or `.policy`",
					  name);
	/* A journal of that name may be there from before: its text must still be read. */
	if (pr->practice && !policy_journal_name_check(name))
		return policy_lexer_error(&pr->lx, column,
					  "\"%s\" is what the practice policy is called: give the "
					  "journal another name",
					  name);
	pr->name = name;
	return true;
}

/* Reports a name that the practice policy does not have, with the nearest one. */
static bool known(struct parser *pr, enum policy_subject subject, const char *name, unsigned column)
{
	static const char *const whats[] = {"practitioner", "unit", "role"};
	const struct policy_practice *p = pr->practice;
	const struct policy_index *ix;
	struct policy_suggest s;
	char nearest[128];

	if (!p)
		return true;
	ix = subject == POLICY_SUBJECT_USER   ? &p->persons
	     : subject == POLICY_SUBJECT_UNIT ? &p->units
					      : &p->roles;
	if (policy_index_find(ix, name) >= 0)
		return true;
	policy_suggest_init(&s, name);
	for (uint32_t i = 0; i < ix->size && pr->lx.errors < POLICY_REPORT_MAX; i++)
		if (ix->slot[i].name)
			policy_suggest_try(&s, ix->slot[i].name);
	if (!s.best)
		return policy_lexer_error(
			&pr->lx, column,
			"unknown %s `%s`: the practice policy has none of that name",
			whats[subject], name);
	return policy_lexer_error(&pr->lx, column, "unknown %s `%s`%s", whats[subject], name,
				  policy_suggest_text(&s, nearest));
}

static bool unit_parse(struct parser *pr)
{
	unsigned column = pr->lx.token.column;
	const char *unit;

	if (pr->unit_line)
		return policy_lexer_error(&pr->lx, pr->column,
					  "`unit` was given on line %u already", pr->unit_line);
	if (!policy_lexer_name(&pr->lx, "a unit name", &unit) || !policy_lexer_end(&pr->lx))
		return false;
	pr->unit_line = pr->lx.line;
	pr->unit = unit;
	return known(pr, POLICY_SUBJECT_UNIT, unit, column);
}

static bool draft_add(struct parser *pr, const struct policy_entry_draft *d)
{
	for (uint32_t i = 0; i < pr->count; i++)
		if (policy_entry_same(&pr->draft[i], d))
			return policy_lexer_error(
				&pr->lx, pr->column,
				"line %u says this already: remove one of the two",
				pr->draft[i].entry.line);
	if (pr->count >= ENTRY_MAX)
		return policy_lexer_error(&pr->lx, pr->column,
					  "there are more than %d entries: use units or roles",
					  ENTRY_MAX);
	if (!(pr->count & (pr->count - 1)) && (!pr->count || pr->count >= 8)) {
		struct policy_entry_draft *bigger =
			reallocarray(pr->draft, pr->count ? pr->count * 2 : 8, sizeof(*bigger));

		if (!bigger) {
			pr->short_of_memory = true;
			return false;
		}
		pr->draft = bigger;
	}
	pr->draft[pr->count++] = *d;
	return true;
}

static bool entry_parse(struct parser *pr, enum policy_entry_kind kind)
{
	struct policy_entry_draft d;

	policy_entry_draft_init(&d, &pr->lx, kind);
	if (!policy_entry_parse(&pr->lx, &d) ||
	    !known(pr, d.entry.subject, d.name, d.name_column))
		return false;
	if (kind == POLICY_ENTRY_BLOCK ? !policy_lexer_end(&pr->lx)
				       : !policy_entry_clauses(&pr->lx, &d))
		return false;
	return draft_add(pr, &d);
}

static bool allow_parse(struct parser *pr)
{
	return entry_parse(pr, POLICY_ENTRY_ALLOW);
}

static bool block_parse(struct parser *pr)
{
	return entry_parse(pr, POLICY_ENTRY_BLOCK);
}

static bool attend_parse(struct parser *pr)
{
	return entry_parse(pr, POLICY_ENTRY_ATTEND);
}

static bool hold_parse(struct parser *pr)
{
	const char *what;

	if (!policy_lexer_string(&pr->lx, "what the journal is held for", POLICY_STRING_MAX,
				 &what) ||
	    !policy_lexer_end(&pr->lx))
		return false;
	if (pr->held_line)
		return policy_lexer_error(&pr->lx, pr->column,
					  "`hold` was given on line %u already", pr->held_line);
	pr->held_line = pr->lx.line;
	return policy_lexer_feature(&pr->lx, pr->column, POLICY_FEATURE_HOLD);
}

static const struct {
	const char *word;
	bool (*parse)(struct parser *pr);
} statements[] = {
	{"journal", journal_name_parse}, {"unit", unit_parse}, {"allow", allow_parse},
	{"block", block_parse},		 {"attend", attend_parse}, {"hold", hold_parse},
};

static void statement_parse(struct parser *pr)
{
	const char *words[COUNT(statements)];

	pr->column = pr->lx.token.column;
	for (size_t i = 0; i < COUNT(statements); i++) {
		words[i] = statements[i].word;
		if (!policy_lexer_at(&pr->lx, words[i]))
			continue;
		policy_lexer_next(&pr->lx);
		statements[i].parse(pr);
		return;
	}
	policy_lexer_unknown(&pr->lx, "statement", words, COUNT(words));
}

static struct policy_journal *pack(const struct parser *pr)
{
	const char *name = pr->name ? pr->name : "", *unit = pr->unit ? pr->unit : "";
	size_t strings = strlen(name) + 1 + strlen(unit) + 1;
	struct policy_journal *j;
	uint32_t at = 0;
	char *base;

	for (uint32_t i = 0; i < pr->count; i++)
		strings += strlen(pr->draft[i].name) + 1;
	j = malloc(sizeof(*j) + pr->count * sizeof(j->entry[0]) + strings);
	if (!j)
		return NULL;
	atomic_init(&j->refs, 1);
	j->count = pr->count;
	base = (char *)&j->entry[pr->count];
	j->name = at;
	at += (uint32_t)(stpcpy(base + at, name) - (base + at)) + 1;
	j->unit = at;
	at += (uint32_t)(stpcpy(base + at, unit) - (base + at)) + 1;
	for (uint32_t i = 0; i < pr->count; i++) {
		j->entry[i] = pr->draft[i].entry;
		j->entry[i].name = at;
		at += (uint32_t)(stpcpy(base + at, pr->draft[i].name) - (base + at)) + 1;
	}
	j->unit_hash = pr->unit ? policy_name_hash(unit) : 0;
	j->unit_line = pr->unit_line;
	j->held = pr->held_line != 0;
	return j;
}

/* What the entry gives this person, whenever it holds; false when it keeps them out. */
static bool admits_by(const struct policy_entry *e, const char *name,
		      const struct policy_person *who, unsigned *perms)
{
	if (!policy_entry_speaks(e, name, who))
		return true;
	if (e->kind == POLICY_ENTRY_BLOCK)
		return false;
	if (e->kind != POLICY_ENTRY_ATTEND || policy_role_attends(who->pub.role))
		*perms |= e->perms;
	return true;
}

/* Does it let this practitioner in, at some time? There is no clock here. */
static bool admits(const struct policy_practice *practice, const struct policy_journal *j,
		   const struct policy_person *who, bool away)
{
	const struct policy_default *d;
	unsigned perms = 0;
	size_t count;

	if (who->pub.state == POLICY_LEFT || (who->pub.state == POLICY_ON_LEAVE && !away))
		return false;
	for (uint32_t i = 0; i < j->count; i++)
		if (!admits_by(&j->entry[i], policy_journal_string(j, j->entry[i].name), who,
			       &perms))
			return false;
	d = policy_practice_defaults(practice, policy_journal_unit(j), &count);
	for (size_t i = 0; i < count; i++)
		admits_by(&d[i].entry, d[i].name, who, &perms);
	return policy_decide_rights(who->pub.role->rights, perms) &
	       (POLICY_LIST | POLICY_READ | POLICY_WRITE);
}

bool policy_journal_admits(const struct policy_journal *j, const struct policy_practice *practice,
			   bool away)
{
	for (size_t i = 0; i < practice->person_count; i++)
		if (admits(practice, j, &practice->person[i], away))
			return true;
	return false;
}

static void admission_check(struct parser *pr, const struct policy_journal *j)
{
	if (policy_journal_admits(j, pr->practice, false))
		return;
	if (!pr->lx.line)
		pr->lx.line = 1;
	policy_lexer_error(
		&pr->lx, 1,
		"nobody who is active could open this journal: add a line such as `allow "
		"user:NAME:rwx` for somebody whose role may read or write");
}

int policy_journal_parse(const char *text, size_t len, const char *file,
			 const struct policy_practice *practice, struct policy_report *report,
			 struct policy_journal **out)
{
	struct parser pr = {.practice = practice};
	struct policy_journal *j = NULL;
	int rc = -ENOMEM;

	if (policy_lexer_init(&pr.lx, text, len, file, report))
		goto out;
	rc = -EINVAL;
	if (pr.lx.errors)
		goto out;
	while (policy_lexer_line(&pr.lx))
		statement_parse(&pr);
	if (pr.short_of_memory)
		rc = -ENOMEM;
	if (pr.short_of_memory || pr.lx.errors)
		goto out;
	j = pack(&pr);
	if (!j) {
		rc = -ENOMEM;
		goto out;
	}
	if (practice)
		admission_check(&pr, j);
	if (pr.lx.errors)
		goto out;
	*out = j;
	j = NULL;
	rc = 0;
out:
	policy_lexer_clear(&pr.lx);
	free(pr.draft);
	policy_journal_put(j);
	return rc;
}
