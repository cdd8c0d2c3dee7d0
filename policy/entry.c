/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy/entry.c - reads the words of an entry and says them again.
 *
 * A word KIND:NAME:PERMS is taken apart where it stands, in the lexer's pool, so that a name
 * costs no copy of its own.
 */
#include "entry.h"

#include <stdio.h>
#include <string.h>

#include "span.h"
#include "utf8.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

void policy_entry_draft_init(struct policy_entry_draft *d, const struct policy_lexer *lx,
			     enum policy_entry_kind kind)
{
	*d = (struct policy_entry_draft){.name = "",
					 .entry = {.line = lx->line, .kind = (uint8_t)kind},
					 .from = POLICY_TIME_MIN,
					 .until = POLICY_TIME_MAX};
	d->entry.from = POLICY_MINUTE_MIN;
	d->entry.until = POLICY_MINUTE_MAX;
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

static bool subject_parse(struct policy_lexer *lx, const char *word, unsigned column,
			  struct policy_entry *e)
{
	static const char *const words[] = {"user", "unit", "role", "group"};
	struct policy_suggest s;
	char nearest[128];

	for (unsigned i = 0; i < COUNT(words); i++) {
		if (strcmp(word, words[i]))
			continue;
		e->group = i == 3;
		e->subject = e->group ? POLICY_SUBJECT_UNIT : (uint8_t)i;
		return true;
	}
	policy_suggest_init(&s, word);
	for (unsigned i = 0; i < COUNT(words); i++)
		policy_suggest_try(&s, words[i]);
	if (s.best)
		return policy_lexer_error(lx, column, "unknown kind of entry `%.*s`%s", shown(word),
					  word, policy_suggest_text(&s, nearest));
	return policy_lexer_error(lx, column,
				  "unknown kind of entry `%.*s`: known are user, group, unit, role",
				  shown(word), word);
}

/* perms is NULL where the word has none; column is that of the first letter of them. */
static bool perms_take(struct policy_lexer *lx, struct policy_entry_draft *d, const char *kind,
		       const char *perms, unsigned column)
{
	const char *name = d->name;

	if (d->entry.kind == POLICY_ENTRY_BLOCK)
		return !perms ||
		       policy_lexer_error(lx, column - 1,
					  "a block takes no permissions, it refuses everything: "
					  "write `block %s:%s`",
					  kind, name);
	if (d->entry.kind == POLICY_ENTRY_ATTEND) {
		d->entry.perms = POLICY_PERM_R | POLICY_PERM_W | POLICY_PERM_X;
		return !perms ||
		       policy_lexer_error(lx, column - 1,
					  "`attend` takes no permissions, it gives what the role "
					  "may: write `attend %s:%s`",
					  kind, name);
	}
	if (!perms || !*perms)
		return policy_lexer_error(lx, column - 1,
					  "permissions are missing: write `allow %s:%s:rwx`", kind,
					  name);
	if (!perms_parse(perms, &d->entry.perms))
		return policy_lexer_error(lx, column,
					  "`%.*s` are no permissions: use r, w, x and -, as in r-x",
					  shown(perms), perms);
	if (!d->entry.perms)
		return policy_lexer_error(lx, column,
					  "this allows nothing; to refuse somebody write `block "
					  "%s:%s`",
					  kind, name);
	return true;
}

bool policy_entry_parse(struct policy_lexer *lx, struct policy_entry_draft *d)
{
	const char *form =
		d->entry.kind == POLICY_ENTRY_ALLOW ? "user:NAME:rwx" : "user:NAME";
	unsigned column = lx->token.column;
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
	d->name_column = column + (unsigned)strlen(kind) + 1;
	if (!subject_parse(lx, kind, column, &d->entry))
		return false;
	if (d->entry.kind == POLICY_ENTRY_ATTEND && d->entry.subject != POLICY_SUBJECT_USER)
		return policy_lexer_error(lx, column,
					  "a care relationship of one's own is one person's: write "
					  "`attend user:NAME`");
	if (!*name)
		return policy_lexer_error(lx, d->name_column, "a name is missing here: write %s",
					  form);
	if (!policy_name_check(name))
		return policy_lexer_error(lx, d->name_column,
					  "`%.*s` is not a name: use at most %d of a-z, 0-9, `.`, "
					  "`_` and `-`, and begin with a letter or digit",
					  shown(name), name, POLICY_NAME_MAX);
	d->name = name;
	d->entry.hash = policy_name_hash(name);
	return perms_take(lx, d, kind, perms, d->name_column + (unsigned)strlen(name) + 1);
}

/* What an attend line must say, in the order of the words below. */
static bool attend_check(struct policy_lexer *lx, const bool *seen)
{
	static const char *const missing[] = {
		"`from TIME` is missing: when the care relationship begins",
		"`until TIME` is missing: a care relationship of one's own ends by itself",
		"`reason \"...\"` is missing: why there is a care relationship"};

	for (unsigned i = 0; i < COUNT(missing); i++)
		if (!seen[i])
			return policy_lexer_error(lx, lx->token.column, "%s", missing[i]);
	return true;
}

bool policy_entry_clauses(struct policy_lexer *lx, struct policy_entry_draft *d)
{
	static const char *const words[] = {"from", "until", "reason"};
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
		if (i == 0)
			good = policy_lexer_time(lx, false, &d->from);
		else if (i == 1)
			good = policy_lexer_time(lx, true, &d->until);
		else
			good = policy_lexer_string(lx, "the reason", POLICY_STRING_MAX, &reason);
		if (!good || (i < 2 && !policy_lexer_span(lx, column, d->from, d->until)))
			return false;
	}
	d->entry.from = policy_span_minute_of(d->from);
	d->entry.until = policy_span_minute_of(d->until);
	return d->entry.kind != POLICY_ENTRY_ATTEND || attend_check(lx, seen);
}

bool policy_entry_same(const struct policy_entry_draft *a, const struct policy_entry_draft *b)
{
	return a->entry.hash == b->entry.hash && a->entry.kind == b->entry.kind &&
	       a->entry.subject == b->entry.subject && a->from == b->from && a->until == b->until &&
	       !strcmp(a->name, b->name);
}

bool policy_entry_speaks(const struct policy_entry *e, const char *name,
			 const struct policy_person *person)
{
	switch (e->subject) {
	case POLICY_SUBJECT_USER:
		return e->hash == person->hash && !strcmp(name, person->pub.name);
	case POLICY_SUBJECT_UNIT:
		return person->pub.unit && e->hash == person->unit_hash &&
		       !strcmp(name, person->pub.unit->name);
	case POLICY_SUBJECT_ROLE:
		return person->pub.role && e->hash == person->role_hash &&
		       !strcmp(name, person->pub.role->name);
	default:
		return false;
	}
}

void policy_entry_write(const struct policy_entry *e, const char *name, char *out, size_t cap)
{
	static const char *const subjects[] = {"user", "unit", "role"};
	const char *subject = e->group ? "group" : subjects[e->subject];

	switch ((enum policy_entry_kind)e->kind) {
	case POLICY_ENTRY_BLOCK:
		snprintf(out, cap, "block %s:%s", subject, name);
		return;
	case POLICY_ENTRY_ATTEND:
		snprintf(out, cap, "attend %s:%s", subject, name);
		return;
	case POLICY_ENTRY_ALLOW:
		break;
	}
	snprintf(out, cap, "allow %s:%s:%c%c%c", subject, name, e->perms & POLICY_PERM_R ? 'r' : '-',
		 e->perms & POLICY_PERM_W ? 'w' : '-', e->perms & POLICY_PERM_X ? 'x' : '-');
}
