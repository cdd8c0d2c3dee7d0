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

#include "lexer.h"
#include "model.h"
#include "span.h"
#include "utf8.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define ENTRY_MAX 1024

struct draft {
	struct policy_entry entry;
	const char *name;
};

struct parser {
	struct policy_lexer lx;
	const struct policy_practice *practice; /* may be NULL */
	const char *name, *unit;
	unsigned name_line, unit_line, held_line;
	unsigned column; /* of the statement's first word */
	struct draft *draft;
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
	if (!policy_journal_name_check(name))
		return policy_lexer_error(&pr->lx, column,
					  "a journal is a directory and cannot be called \"%s\": "
					  "leave out `/`, and do not use `.`, `..` or `.policy`",
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

/* "rwx", "r-x", "r": each letter at most once. */
static bool perms_parse(const char *text, uint8_t *perms)
{
	uint8_t v = 0;
	size_t n = strlen(text);

	if (n < 1 || n > 3)
		return false;
	for (size_t i = 0; i < n; i++) {
		uint8_t bit = text[i] == 'r'   ? POLICY_PERM_R
			      : text[i] == 'w' ? POLICY_PERM_W
			      : text[i] == 'x' ? POLICY_PERM_X
					       : 0;

		if ((!bit && text[i] != '-') || v & bit)
			return false;
		v |= bit;
	}
	*perms = v;
	return true;
}

/* How many bytes of the user's word go into a message. */
static int shown(const char *word)
{
	return (int)policy_utf8_cut(word, strlen(word), 64);
}

static bool subject_parse(struct parser *pr, const char *word, unsigned column,
			  struct policy_entry *e)
{
	static const char *const words[] = {"user", "unit", "role", "group"};
	struct policy_suggest s;
	char nearest[128];

	policy_suggest_init(&s, word);
	for (unsigned i = 0; i < COUNT(words); i++) {
		policy_suggest_try(&s, words[i]);
		if (strcmp(word, words[i]))
			continue;
		e->group = i == 3;
		e->subject = e->group ? POLICY_SUBJECT_UNIT : (uint8_t)i;
		return true;
	}
	if (s.best)
		return policy_lexer_error(&pr->lx, column, "unknown kind of entry `%.*s`%s",
					  shown(word), word, policy_suggest_text(&s, nearest));
	return policy_lexer_error(&pr->lx, column,
				  "unknown kind of entry `%.*s`: known are user, group, unit, role",
				  shown(word), word);
}

/* Takes the word KIND:NAME:PERMS (allow) or KIND:NAME (block) apart, in the pool. */
static bool entry_parse(struct parser *pr, struct draft *d)
{
	struct policy_lexer *lx = &pr->lx;
	unsigned column = lx->token.column, name_column, perms_column;
	const char *form = d->entry.block ? "user:NAME" : "user:NAME:rwx";
	char *kind, *name, *perms;

	if (lx->token.kind == POLICY_TOKEN_BAD)
		return false;
	if (lx->token.kind != POLICY_TOKEN_WORD)
		return policy_lexer_error(lx, column, "%s: write %s",
					  lx->token.kind == POLICY_TOKEN_STRING
						  ? "an entry stands without quotes"
						  : "an entry is missing here",
					  form);
	/* The pool is this parser's own and writable. */
	kind = lx->pool + (lx->token.text - lx->pool);
	policy_lexer_next(lx);
	name = strchr(kind, ':');
	if (!name)
		return policy_lexer_error(lx, column, "`%.*s` is not an entry: write %s",
					  shown(kind), kind, form);
	*name++ = '\0';
	perms = strchr(name, ':');
	if (perms)
		*perms++ = '\0';
	name_column = column + (unsigned)strlen(kind) + 1;
	perms_column = name_column + (unsigned)strlen(name) + 1;
	if (!subject_parse(pr, kind, column, &d->entry))
		return false;
	if (!*name)
		return policy_lexer_error(lx, name_column, "a name is missing here: write %s",
					  form);
	if (!policy_name_check(name))
		return policy_lexer_error(lx, name_column,
					  "`%.*s` is not a name: use at most %d of a-z, 0-9, `.`, "
					  "`_` and `-`, and begin with a letter or digit",
					  shown(name), name, POLICY_NAME_MAX);
	if (d->entry.block && perms)
		return policy_lexer_error(lx, perms_column - 1,
					  "a block takes no permissions, it refuses everything: "
					  "write `block %s:%s`",
					  kind, name);
	if (!d->entry.block && (!perms || !*perms))
		return policy_lexer_error(lx, perms_column - 1,
					  "permissions are missing: write `allow %s:%s:rwx`", kind,
					  name);
	if (perms && !perms_parse(perms, &d->entry.perms))
		return policy_lexer_error(lx, perms_column,
					  "`%.*s` are no permissions: use r, w, x and -, as in r-x",
					  shown(perms), perms);
	if (perms && !d->entry.perms)
		return policy_lexer_error(lx, perms_column,
					  "this allows nothing; to refuse somebody write `block "
					  "%s:%s`",
					  kind, name);
	d->name = name;
	d->entry.hash = policy_name_hash(name);
	return known(pr, d->entry.subject, name, name_column);
}

static bool validity_parse(struct parser *pr, struct policy_entry *e)
{
	static const char *const words[] = {"from", "until", "reason"};
	struct policy_lexer *lx = &pr->lx;
	bool seen[COUNT(words)] = {false};

	while (lx->token.kind != POLICY_TOKEN_END) {
		unsigned column = lx->token.column, i;
		const char *reason;
		bool good;

		for (i = 0; i < COUNT(words) && !policy_lexer_at(lx, words[i]); i++)
			;
		if (i == COUNT(words))
			return policy_lexer_unknown(lx, "word", words, COUNT(words));
		if (seen[i])
			return policy_lexer_error(lx, column, "`%s` is given twice", words[i]);
		seen[i] = true;
		policy_lexer_next(lx);
		if (i == 0) {
			good = policy_lexer_date(lx, "a date", &e->from_day);
		} else if (i == 1) {
			good = policy_lexer_date(lx, "a date", &e->until_day);
			/* until holds to the end of its day. */
			e->until_day += good;
		} else {
			good = policy_lexer_string(lx, "the reason", POLICY_STRING_MAX, &reason);
		}
		if (!good)
			return false;
		if (i < 2 && e->from_day >= e->until_day)
			return policy_lexer_error(lx, column, "`until` lies before `from`");
	}
	return true;
}

static bool same(const struct draft *a, const struct draft *b)
{
	return a->entry.hash == b->entry.hash && a->entry.block == b->entry.block &&
	       a->entry.subject == b->entry.subject && a->entry.from_day == b->entry.from_day &&
	       a->entry.until_day == b->entry.until_day && !strcmp(a->name, b->name);
}

static bool draft_add(struct parser *pr, const struct draft *d)
{
	for (uint32_t i = 0; i < pr->count; i++)
		if (same(&pr->draft[i], d))
			return policy_lexer_error(
				&pr->lx, pr->column,
				"line %u says this already: remove one of the two",
				pr->draft[i].entry.line);
	if (pr->count >= ENTRY_MAX)
		return policy_lexer_error(&pr->lx, pr->column,
					  "there are more than %d entries: use units or roles",
					  ENTRY_MAX);
	if (!(pr->count & (pr->count - 1)) && (!pr->count || pr->count >= 8)) {
		struct draft *bigger =
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

static bool allow_parse(struct parser *pr)
{
	struct draft d = {.name = "",
			  .entry = {.line = pr->lx.line,
				    .from_day = POLICY_DAY_MIN,
				    .until_day = POLICY_DAY_MAX}};

	return entry_parse(pr, &d) && validity_parse(pr, &d.entry) && draft_add(pr, &d);
}

static bool block_parse(struct parser *pr)
{
	struct draft d = {.name = "",
			  .entry = {.line = pr->lx.line,
				    .block = true,
				    .from_day = POLICY_DAY_MIN,
				    .until_day = POLICY_DAY_MAX}};

	return entry_parse(pr, &d) && policy_lexer_end(&pr->lx) && draft_add(pr, &d);
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
	{"block", block_parse},		 {"hold", hold_parse},
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

/* Does it let an active practitioner in, at some time? There is no clock here. */
static bool admits(const struct policy_journal *j, const struct policy_person *who)
{
	unsigned perms = 0;

	if (who->pub.state != POLICY_ACTIVE)
		return false;
	for (uint32_t i = 0; i < j->count; i++) {
		if (!policy_entry_names(j, &j->entry[i], who))
			continue;
		if (j->entry[i].block)
			return false;
		perms |= j->entry[i].perms;
	}
	return policy_decide_rights(who->pub.role->rights, perms) &
	       (POLICY_LIST | POLICY_READ | POLICY_WRITE);
}

static void admission_check(struct parser *pr, const struct policy_journal *j)
{
	for (size_t i = 0; i < pr->practice->person_count; i++)
		if (admits(j, &pr->practice->person[i]))
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
