/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy/practice_settings.c - reads the statements of the practice policy that set something;
 * those about notes (finalize, history) are in practice_notes.c.
 *
 * A statement with clauses has a table of them. Each setting remembers the line that
 * gave it, so that a second one is an error.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "practice_parse.h"
#include "span.h"

#define DENIED_MAX 256

void *policy_practice_grow(struct policy_practice_parser *pr, void *array, size_t count,
			   size_t size)
{
	void *bigger;

	if (count && (count < 8 || count & (count - 1)))
		return array;
	bigger = reallocarray(array, count < 8 ? 8 : count * 2, size);
	if (!bigger)
		pr->short_of_memory = true;
	return bigger;
}

bool policy_practice_clauses(struct policy_practice_parser *pr, const char *what,
			     const struct policy_practice_clause *table, size_t count)
{
	struct policy_lexer *lx = &pr->lx;
	const char *words[8] = {NULL};
	bool good = true;

	for (size_t i = 0; i < count; i++)
		words[i] = table[i].word;
	do {
		unsigned column = lx->token.column;
		size_t i;

		for (i = 0; i < count && !policy_lexer_at(lx, words[i]); i++)
			;
		if (i == count)
			return policy_lexer_unknown(lx, what, words, count);
		if (pr->seen[table[i].seen])
			return policy_lexer_error(lx, column, "`%s` was given on line %u already",
						  words[i], pr->seen[table[i].seen]);
		policy_lexer_next(lx);
		if (!table[i].parse(pr))
			return false;
		pr->seen[table[i].seen] = lx->line;
		good = policy_lexer_feature(lx, column, table[i].feature) && good;
	} while (lx->token.kind != POLICY_TOKEN_END);
	return good;
}

bool policy_practice_title(struct policy_practice_parser *pr)
{
	if (pr->seen[SEEN_PRACTICE])
		return policy_lexer_error(&pr->lx, pr->column,
					  "the practice was named on line %u already",
					  pr->seen[SEEN_PRACTICE]);
	if (!policy_lexer_string(&pr->lx, "the practice's name", POLICY_STRING_MAX,
				 &pr->p->settings.title) ||
	    !policy_lexer_end(&pr->lx))
		return false;
	pr->seen[SEEN_PRACTICE] = pr->lx.line;
	return true;
}

static bool idle_parse(struct policy_practice_parser *pr)
{
	return policy_lexer_duration(&pr->lx, "`idle`", 60, POLICY_DAY_S, "from 1m to 24h",
				     &pr->p->settings.idle_s);
}

static bool ceiling_parse(struct policy_practice_parser *pr)
{
	return policy_lexer_duration(&pr->lx, "`ceiling`", 60, POLICY_DAY_S, "from 1m to 24h",
				     &pr->p->settings.ceiling_s);
}

static bool factor_parse(struct policy_practice_parser *pr)
{
	pr->p->settings.second_factor = true;
	return policy_lexer_word(&pr->lx, "required");
}

static bool age_parse(struct policy_practice_parser *pr)
{
	return policy_lexer_duration(&pr->lx, "`passphrase-age`", POLICY_DAY_S,
				     3650u * POLICY_DAY_S, "from 1d to 10y",
				     &pr->p->settings.passphrase_age_s);
}

bool policy_practice_session(struct policy_practice_parser *pr)
{
	static const struct policy_practice_clause table[] = {
		{"idle", idle_parse, SEEN_IDLE, POLICY_FEATURE_SESSION_IDLE},
		{"ceiling", ceiling_parse, SEEN_CEILING, POLICY_FEATURE_SESSION_CEILING},
		{"second-factor", factor_parse, SEEN_FACTOR, POLICY_FEATURE_SECOND_FACTOR},
		{"passphrase-age", age_parse, SEEN_AGE, POLICY_FEATURE_PASSPHRASE_AGE},
	};

	return policy_practice_clauses(pr, "session setting", table, COUNT(table));
}

static bool limit_parse(struct policy_practice_parser *pr)
{
	return policy_lexer_duration(&pr->lx, "`limit`", 60, POLICY_DAY_S, "from 1m to 24h",
				     &pr->p->settings.break_glass_limit_s);
}

static bool reason_parse(struct policy_practice_parser *pr)
{
	return policy_lexer_number(&pr->lx, "`reason`, in characters,", 20, 500,
				   &pr->p->settings.break_glass_reason);
}

static bool review_parse(struct policy_practice_parser *pr)
{
	return policy_lexer_duration(&pr->lx, "`review`", 3600, 90u * POLICY_DAY_S,
				     "from 1h to 90d", &pr->p->settings.break_glass_review_s);
}

static bool notify_parse(struct policy_practice_parser *pr)
{
	pr->p->settings.break_glass_notify = true;
	if (policy_lexer_at(&pr->lx, "names")) {
		pr->p->settings.break_glass_names = true;
		policy_lexer_next(&pr->lx);
	}
	return true;
}

static bool fresh_parse(struct policy_practice_parser *pr)
{
	return policy_lexer_duration(&pr->lx, "`fresh`", 60, POLICY_DAY_S, "from 1m to 24h",
				     &pr->p->settings.break_glass_fresh_s);
}

static bool at_once_parse(struct policy_practice_parser *pr)
{
	return policy_lexer_number(&pr->lx, "`at-once`, in grants,", 1, 20,
				   &pr->p->settings.break_glass_at_once);
}

static bool daily_parse(struct policy_practice_parser *pr)
{
	return policy_lexer_number(&pr->lx, "`daily`, in grants,", 1, 200,
				   &pr->p->settings.break_glass_daily);
}

bool policy_practice_break_glass(struct policy_practice_parser *pr)
{
	static const struct policy_practice_clause table[] = {
		{"limit", limit_parse, SEEN_LIMIT, POLICY_FEATURE_ALWAYS},
		{"reason", reason_parse, SEEN_REASON, POLICY_FEATURE_ALWAYS},
		{"review", review_parse, SEEN_REVIEW, POLICY_FEATURE_ALWAYS},
		{"notify", notify_parse, SEEN_NOTIFY, POLICY_FEATURE_ALWAYS},
		{"fresh", fresh_parse, SEEN_FRESH, POLICY_FEATURE_ALWAYS},
		{"at-once", at_once_parse, SEEN_AT_ONCE, POLICY_FEATURE_ALWAYS},
		{"daily", daily_parse, SEEN_DAILY, POLICY_FEATURE_ALWAYS},
	};

	return policy_practice_clauses(pr, "break-glass setting", table, COUNT(table)) &&
	       policy_lexer_feature(&pr->lx, pr->column, POLICY_FEATURE_BREAK_GLASS);
}

static bool attend_limit_parse(struct policy_practice_parser *pr)
{
	return policy_lexer_duration(&pr->lx, "`limit`", 60, 7u * POLICY_DAY_S, "from 1m to 7d",
				     &pr->p->settings.attend_limit_s);
}

static bool attend_reason_parse(struct policy_practice_parser *pr)
{
	return policy_lexer_number(&pr->lx, "`reason`, in characters,", 10, 500,
				   &pr->p->settings.attend_reason);
}

bool policy_practice_attend(struct policy_practice_parser *pr)
{
	static const struct policy_practice_clause table[] = {
		{"limit", attend_limit_parse, SEEN_ATTEND_LIMIT, POLICY_FEATURE_ALWAYS},
		{"reason", attend_reason_parse, SEEN_ATTEND_REASON, POLICY_FEATURE_ALWAYS},
	};

	return policy_practice_clauses(pr, "attend setting", table, COUNT(table));
}

/* A statement that may stand once and whose first word was taken: false when it stood before. */
static bool once(struct policy_practice_parser *pr, unsigned seen, const char *name)
{
	if (pr->seen[seen])
		return policy_lexer_error(&pr->lx, pr->column, "`%s` was given on line %u already",
					  name, pr->seen[seen]);
	pr->seen[seen] = pr->lx.line;
	return true;
}

bool policy_practice_retention(struct policy_practice_parser *pr)
{
	struct policy_lexer *lx = &pr->lx;

	if (lx->token.kind != POLICY_TOKEN_WORD ||
	    !policy_span_years(lx->token.text, &pr->p->settings.retention_years)) {
		if (lx->token.kind == POLICY_TOKEN_BAD)
			return false;
		return policy_lexer_error(lx, lx->token.column,
					  "retention is in years, from 1y to 1000y, as in 10y");
	}
	policy_lexer_next(lx);
	return policy_lexer_word(lx, "after") && policy_lexer_word(lx, "last-entry") &&
	       policy_lexer_end(lx) && once(pr, SEEN_RETENTION, "retention") &&
	       policy_lexer_feature(lx, pr->column, POLICY_FEATURE_RETENTION);
}

static bool log_strict_parse(struct policy_practice_parser *pr)
{
	pr->p->settings.log_strict = true;
	return true;
}

static bool log_keep_parse(struct policy_practice_parser *pr)
{
	struct policy_lexer *lx = &pr->lx;
	uint32_t years = 0;

	if (lx->token.kind == POLICY_TOKEN_BAD)
		return false;
	if (lx->token.kind != POLICY_TOKEN_WORD || !policy_span_years(lx->token.text, &years) ||
	    years < POLICY_LOG_YEARS)
		return policy_lexer_error(
			lx, lx->token.column,
			"`log keep` is in years, from 5y to 1000y: what is not five "
			"years old yet is never taken out of the log");
	pr->p->settings.log_keep_years = years;
	policy_lexer_next(lx);
	return true;
}

/* Behind `forward`: nothing, or `names`. */
static bool log_forward_parse(struct policy_practice_parser *pr)
{
	pr->p->settings.log_forward = true;
	pr->p->settings.log_forward_names = policy_lexer_at(&pr->lx, "names");
	if (pr->p->settings.log_forward_names)
		policy_lexer_next(&pr->lx);
	return true;
}

bool policy_practice_log(struct policy_practice_parser *pr)
{
	static const struct policy_practice_clause table[] = {
		{"strict", log_strict_parse, SEEN_LOG, POLICY_FEATURE_LOG_STRICT},
		{"keep", log_keep_parse, SEEN_LOG_KEEP, POLICY_FEATURE_ALWAYS},
		{"forward", log_forward_parse, SEEN_LOG_FORWARD, POLICY_FEATURE_ALWAYS},
	};

	return policy_practice_clauses(pr, "log setting", table, COUNT(table));
}

bool policy_practice_durability(struct policy_practice_parser *pr)
{
	pr->p->settings.durability_close = true;
	return policy_lexer_word(&pr->lx, "close") && policy_lexer_end(&pr->lx) &&
	       once(pr, SEEN_DURABILITY, "durability") &&
	       policy_lexer_feature(&pr->lx, pr->column, POLICY_FEATURE_DURABILITY_CLOSE);
}

bool policy_practice_blocks(struct policy_practice_parser *pr)
{
	static const char *const words[] = {"hidden", "shown"};

	if (!policy_lexer_at(&pr->lx, words[0]) && !policy_lexer_at(&pr->lx, words[1]))
		return policy_lexer_unknown(&pr->lx, "word", words, COUNT(words));
	pr->p->settings.blocks_shown = policy_lexer_at(&pr->lx, words[1]);
	policy_lexer_next(&pr->lx);
	return policy_lexer_end(&pr->lx) && once(pr, SEEN_BLOCKS, "blocks");
}

bool policy_practice_include(struct policy_practice_parser *pr)
{
	return policy_lexer_word(&pr->lx, "practice.d") && policy_lexer_end(&pr->lx) &&
	       once(pr, SEEN_INCLUDE, "include");
}

bool policy_practice_program(struct policy_practice_parser *pr)
{
	struct policy_lexer *lx = &pr->lx;
	struct policy_practice *p = pr->p;

	if (!policy_lexer_word(lx, "deny"))
		return false;
	do {
		char(*array)[16];

		if (lx->token.kind == POLICY_TOKEN_BAD)
			return false;
		if (lx->token.kind == POLICY_TOKEN_END || !lx->token.text[0])
			return policy_lexer_error(lx, lx->token.column,
						  "a program's name is missing here");
		if (strlen(lx->token.text) > POLICY_NAME_MAX)
			return policy_lexer_error(lx, lx->token.column,
						  "a program's name has at most %d bytes",
						  POLICY_NAME_MAX);
		if (p->denied_count >= DENIED_MAX)
			return policy_lexer_error(lx, lx->token.column,
						  "there are more than %d programs", DENIED_MAX);
		array = policy_practice_grow(pr, p->denied, p->denied_count, sizeof(*array));
		if (!array)
			return false;
		p->denied = array;
		snprintf(p->denied[p->denied_count++], sizeof(*array), "%.15s", lx->token.text);
		policy_lexer_next(lx);
	} while (lx->token.kind != POLICY_TOKEN_END);
	return policy_lexer_feature(lx, pr->column, POLICY_FEATURE_PROGRAM_DENY);
}
