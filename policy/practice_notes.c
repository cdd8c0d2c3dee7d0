/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy/practice_notes.c - the statements of the practice policy about notes: `finalize` and
 * `history`, and what they say of a role and of a file's name.
 *
 * Owns: nothing; texts lie in the parser's pool, lists in the practice.
 * Invariants: patterns are tried in the order of the text, the first that fits counts; the match
 * is bounded by the product of both lengths. Locks: none.
 */
#include <string.h>

#include "practice_parse.h"
#include "span.h"

#define AMENDMENT_MAX 100
#define KEEP_MAX 10000

/* Clauses of a `finalize` line: what ends a list of roles. */
static const char *const clause_words[] = {"after", "on", "others", "countersign", "amendment"};

static bool after_parse(struct policy_practice_parser *pr)
{
	return policy_lexer_duration(&pr->lx, "`after`", POLICY_DAY_S, 3650u * POLICY_DAY_S,
				     "from 1d to 10y", &pr->p->settings.finalize_after_s);
}

static bool on_parse(struct policy_practice_parser *pr)
{
	pr->p->settings.finalize_on_read_only = true;
	return policy_lexer_word(&pr->lx, "read-only");
}

static bool others_parse(struct policy_practice_parser *pr)
{
	pr->p->settings.finalize_others = true;
	return true;
}

static bool at_clause(const struct policy_lexer *lx)
{
	for (size_t i = 0; i < COUNT(clause_words); i++)
		if (policy_lexer_at(lx, clause_words[i]))
			return true;
	return false;
}

/* One role and more, to the end of the line or the next clause; known when all has been read. */
static bool countersign_parse(struct policy_practice_parser *pr)
{
	struct policy_lexer *lx = &pr->lx;

	do {
		struct policy_practice_countersign now = {.line = lx->line,
							  .column = lx->token.column};

		if (!policy_lexer_name(lx, "a role name", &now.role))
			return false;
		for (size_t i = 0; i < pr->countersign_count; i++)
			if (!strcmp(pr->countersign[i].role, now.role))
				return policy_lexer_error(lx, now.column, "role `%s` stands twice",
							  now.role);
		if (pr->countersign_count == COUNT(pr->countersign))
			return policy_lexer_error(lx, now.column,
						  "`countersign` has at most %d roles",
						  POLICY_COUNTERSIGN_MAX);
		pr->countersign[pr->countersign_count++] = now;
	} while (lx->token.kind != POLICY_TOKEN_END && !at_clause(lx));
	return true;
}

/* NULL, or what is wrong with the pattern of an amendment's name. */
static const char *amendment_wrong(const char *text)
{
	bool name = false, more = false;

	for (const char *c = text; *c; c++) {
		if (*c == '/')
			return "has no `/` in it: an amendment stands beside its note";
		if (*c != '%') {
			more = true;
			continue;
		}
		c++;
		if (*c != 'n' && *c != 'e' && *c != 'i')
			return "knows `%n` (name), `%e` (extension) and `%i` (number), and no "
			       "other `%`";
		name = name || *c == 'n';
		more = more || *c == 'i';
	}
	if (!name)
		return "needs `%n`, the note's name, as in \"%n amendment %i%e\"";
	return more ? NULL : "needs a word or `%i`: this is the name of the note itself";
}

static bool amendment_parse(struct policy_practice_parser *pr)
{
	unsigned column = pr->lx.token.column;
	const char *wrong;

	if (!policy_lexer_string(&pr->lx, "the pattern of an amendment's name", AMENDMENT_MAX,
				 &pr->p->settings.amendment))
		return false;
	wrong = amendment_wrong(pr->p->settings.amendment);
	return wrong ? policy_lexer_error(&pr->lx, column, "`amendment` %s", wrong) : true;
}

bool policy_practice_finalize(struct policy_practice_parser *pr)
{
	static const struct policy_practice_clause table[] = {
		{"after", after_parse, SEEN_AFTER, POLICY_FEATURE_FINALIZE_AFTER},
		{"on", on_parse, SEEN_ON, POLICY_FEATURE_FINALIZE_READ_ONLY},
		{"others", others_parse, SEEN_OTHERS, POLICY_FEATURE_ALWAYS},
		{"countersign", countersign_parse, SEEN_COUNTERSIGN, POLICY_FEATURE_ALWAYS},
		{"amendment", amendment_parse, SEEN_AMENDMENT, POLICY_FEATURE_ALWAYS},
	};

	return policy_practice_clauses(pr, "finalize setting", table, COUNT(table));
}

/* Somebody clinical who may write and finalize, not of a role whose notes want a second one. */
static bool countersigner(const struct policy_practice *p)
{
	const uint32_t both = POLICY_WRITE | POLICY_FINALIZE;

	for (size_t i = 0; i < p->role_count; i++)
		if (p->role[i].clinical && (p->role[i].rights & both) == both &&
		    !policy_practice_countersigns(p, p->role[i].name))
			return true;
	return false;
}

void policy_practice_countersign_resolve(struct policy_practice_parser *pr)
{
	struct policy_practice *p = pr->p;
	const char *file = p->file[0];
	bool known = true;

	for (size_t i = 0; i < pr->countersign_count; i++) {
		const struct policy_practice_countersign *now = &pr->countersign[i];
		const struct policy_role *role = policy_practice_role(p, now->role);

		if (role)
			p->countersign[p->countersign_count++] = role;
		else
			known = policy_practice_unresolved(pr, file, now->line, now->column, "role",
							   now->role, &p->roles);
	}
	if (known && pr->countersign_count && !countersigner(p))
		policy_practice_error_at(pr, file, pr->countersign[0].line,
					 pr->countersign[0].column,
					 "nobody could countersign: that takes a clinical role "
					 "with `write` and `finalize` which is not named here");
}

bool policy_practice_countersigns(const struct policy_practice *p, const char *role)
{
	for (size_t i = 0; i < p->countersign_count; i++)
		if (!strcmp(p->countersign[i]->name, role))
			return true;
	return false;
}

static bool digits(const char *text)
{
	return *text && strspn(text, "0123456789") == strlen(text);
}

static bool counted(const char *text)
{
	uint32_t span;

	return digits(text) || policy_span_duration(text, &span);
}

/* The rest of a `history for` line: `keep N`, `keep D`, `keep none`. */
static bool keep_parse(struct policy_practice_parser *pr, struct policy_keep *keep)
{
	struct policy_lexer *lx = &pr->lx;

	if (!policy_lexer_word(lx, "keep"))
		return false;
	if (lx->token.kind == POLICY_TOKEN_BAD)
		return false;
	if (policy_lexer_at(lx, "none")) {
		keep->none = true;
		policy_lexer_next(lx);
		return policy_lexer_end(lx);
	}
	if (lx->token.kind != POLICY_TOKEN_WORD || !counted(lx->token.text))
		return policy_lexer_error(lx, lx->token.column,
					  "`keep` takes a number of versions, as 5, a duration, as "
					  "30d, or `none`");
	if (digits(lx->token.text))
		return policy_lexer_number(lx, "`keep`, in versions,", 1, KEEP_MAX, &keep->count) &&
		       policy_lexer_end(lx);
	return policy_lexer_duration(lx, "`keep`", 3600, 3650u * POLICY_DAY_S, "from 1h to 10y",
				     &keep->span_s) &&
	       policy_lexer_end(lx);
}

static bool pattern_check(struct policy_practice_parser *pr, const char *pattern, unsigned column)
{
	if (strchr(pattern, '/'))
		return policy_lexer_error(&pr->lx, column,
					  "a pattern is for a file's name alone: `%s` has a `/`",
					  pattern);
	for (size_t i = 0; i < pr->p->history_count; i++)
		if (!strcmp(pr->p->history[i].pattern, pattern))
			return policy_lexer_error(&pr->lx, column, "pattern `%s` stands twice",
						  pattern);
	if (pr->p->history_count == POLICY_HISTORY_MAX)
		return policy_lexer_error(&pr->lx, column,
					  "there are more than %d patterns of `history for`",
					  POLICY_HISTORY_MAX);
	return true;
}

static bool history_for(struct policy_practice_parser *pr)
{
	struct policy_lexer *lx = &pr->lx;
	struct policy_practice *p = pr->p;
	struct policy_keep keep = {.record = false};
	size_t first = p->history_count;

	do {
		unsigned column = lx->token.column;
		const char *pattern;

		if (!policy_lexer_string(lx, "a pattern of file names (\"*.tmp\")",
					 POLICY_STRING_MAX, &pattern) ||
		    !pattern_check(pr, pattern, column))
			return false;
		p->history[p->history_count++].pattern = pattern;
	} while (lx->token.kind == POLICY_TOKEN_STRING);
	if (!keep_parse(pr, &keep))
		return false;
	for (size_t i = first; i < p->history_count; i++)
		p->history[i].keep = keep;
	return true;
}

bool policy_practice_history(struct policy_practice_parser *pr)
{
	static const char *const words[] = {"off", "for"};
	struct policy_lexer *lx = &pr->lx;

	if (policy_lexer_at(lx, words[1])) {
		policy_lexer_next(lx);
		return history_for(pr);
	}
	if (!policy_lexer_at(lx, words[0]))
		return policy_lexer_unknown(lx, "history setting", words, COUNT(words));
	if (pr->seen[SEEN_HISTORY_OFF])
		return policy_lexer_error(lx, lx->token.column,
					  "`off` was given on line %u already",
					  pr->seen[SEEN_HISTORY_OFF]);
	policy_lexer_next(lx);
	pr->seen[SEEN_HISTORY_OFF] = lx->line;
	pr->p->settings.history_off = true;
	return policy_lexer_end(lx);
}

/* Behind one character of UTF-8; a byte that begins none is one. */
static const char *character(const char *at)
{
	at++;
	for (unsigned n = 0; n < 3 && ((unsigned char)*at & 0xc0) == 0x80; n++)
		at++;
	return at;
}

/*
 * Only the last `*` need be tried again: what an earlier one took is the shortest that lets the
 * text up to the later one fit.
 */
bool policy_keep_match(const char *pattern, const char *name)
{
	const char *star = NULL, *again = NULL;

	while (*name) {
		if (*pattern == '*') {
			star = ++pattern;
			again = name;
		} else if (*pattern == '?') {
			pattern++;
			name = character(name);
		} else if (*pattern == *name) {
			pattern++;
			name++;
		} else if (star) {
			pattern = star;
			again = character(again);
			name = again;
		} else {
			return false;
		}
	}
	while (*pattern == '*')
		pattern++;
	return !*pattern;
}

void policy_practice_keep(const struct policy_practice *p, const char *name,
			  struct policy_keep *out)
{
	*out = (struct policy_keep){.record = true};
	for (size_t i = 0; i < p->history_count; i++) {
		if (!policy_keep_match(p->history[i].pattern, name))
			continue;
		*out = p->history[i].keep;
		break;
	}
	if (p->settings.history_off) {
		out->none = true;
		out->count = 0;
		out->span_s = 0;
	}
}
