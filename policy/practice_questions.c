/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy/practice_questions.c - the statements of the practice policy that only questions about the
 * access log look at: working hours, whose own and whose relatives' journals there are, and what a
 * patient's statement says. No decision depends on them.
 *
 * Owns: nothing; texts lie in the parser's pool, lists in the practice.
 * Invariants: own and relatives' journals are sorted by practitioner, then journal. Locks: none.
 */
#include <stdlib.h>
#include <string.h>

#include "practice_parse.h"
#include "span.h"

#define DAY_MINUTES 1440
#define KIN_MAX 4096

/* ---- hours ---- */

static const char *const day_words[] = {"mon", "tue", "wed", "thu", "fri", "sat", "sun"};

static int day_of(const char *text, size_t len)
{
	for (int i = 0; i < 7; i++)
		if (len == 3 && !memcmp(day_words[i], text, 3))
			return i;
	return -1;
}

/* "mon", "mon-fri", "sat-mon": bits from Monday on. */
static bool days_of(const char *text, unsigned *days)
{
	size_t len = strcspn(text, "-");
	int first = day_of(text, len), last = first;

	if (text[len] == '-')
		last = day_of(text + len + 1, strlen(text + len + 1));
	if (first < 0 || last < 0)
		return false;
	for (int i = first;; i = (i + 1) % 7) {
		*days |= 1u << i;
		if (i == last)
			return true;
	}
}

/* "07:00", to "24:00", in len bytes. */
static bool clock_of(const char *c, size_t len, unsigned *minute)
{
	unsigned v[4], n = 0;

	if (len != 5 || c[2] != ':')
		return false;
	for (unsigned i = 0; i < 5; i++) {
		if (i == 2)
			continue;
		if (c[i] < '0' || c[i] > '9')
			return false;
		v[n++] = (unsigned)(c[i] - '0');
	}
	*minute = (v[0] * 10 + v[1]) * 60 + v[2] * 10 + v[3];
	return v[2] < 6 && *minute <= DAY_MINUTES;
}

static bool range_of(const char *text, unsigned *from, unsigned *until)
{
	size_t len = strcspn(text, "-");

	return text[len] == '-' && clock_of(text, len, from) &&
	       clock_of(text + len + 1, strlen(text + len + 1), until) && *from != *until &&
	       *from < DAY_MINUTES;
}

static void hours_put(struct policy_practice *p, unsigned days, unsigned from, unsigned until)
{
	/* Over midnight: the rest belongs to the next day. */
	unsigned length = until > from ? until - from : until + DAY_MINUTES - from;

	for (unsigned d = 0; d < 7; d++) {
		if (!(days & 1u << d))
			continue;
		for (unsigned i = 0; i < length; i++) {
			unsigned at = (d * DAY_MINUTES + from + i) % (7 * DAY_MINUTES);

			p->hours[at / 8] |= (uint8_t)(1u << at % 8);
		}
	}
	p->has_hours = true;
}

bool policy_practice_hours(struct policy_practice_parser *pr)
{
	struct policy_lexer *lx = &pr->lx;
	unsigned days = 0, from, until;

	while (lx->token.kind == POLICY_TOKEN_WORD && days_of(lx->token.text, &days))
		policy_lexer_next(lx);
	if (!days) {
		if (lx->token.kind == POLICY_TOKEN_BAD)
			return false;
		return policy_lexer_error(
			lx, lx->token.column,
			"days are missing here: mon, tue, wed, thu, fri, sat, sun, "
			"or a range as in mon-fri");
	}
	do {
		if (lx->token.kind == POLICY_TOKEN_BAD)
			return false;
		if (lx->token.kind != POLICY_TOKEN_WORD || !range_of(lx->token.text, &from, &until))
			return policy_lexer_error(lx, lx->token.column,
						  "hours are from and until, as in 07:00-17:00; "
						  "22:00-06:00 goes on into the next day");
		hours_put(pr->p, days, from, until);
		policy_lexer_next(lx);
	} while (lx->token.kind != POLICY_TOKEN_END);
	return true;
}

bool policy_practice_has_hours(const struct policy_practice *p)
{
	return p->has_hours;
}

bool policy_practice_works(const struct policy_practice *p, unsigned weekday, unsigned minute)
{
	unsigned at = (weekday % 7) * DAY_MINUTES + minute % DAY_MINUTES;

	return p->hours[at / 8] >> at % 8 & 1;
}

/* ---- own and relatives' journals ---- */

static bool kin_parse(struct policy_practice_parser *pr, enum policy_kin kin)
{
	struct policy_practice_kin now = {
		.kin = kin, .file = pr->file, .line = pr->lx.line, .column = pr->lx.token.column};
	struct policy_practice *p = pr->p;
	struct policy_lexer *lx = &pr->lx;

	if (!policy_lexer_name(lx, "a practitioner name", &now.who))
		return false;
	do {
		unsigned column = lx->token.column;
		struct policy_practice_kin *array;

		if (!policy_lexer_string(lx, "a journal's name", POLICY_STRING_MAX, &now.journal))
			return false;
		if (!policy_journal_name_form(now.journal))
			return policy_lexer_error(lx, column,
						  "no journal can be called so: name it as its "
						  "directory is named");
		if (p->kin_count >= KIN_MAX)
			return policy_lexer_error(lx, column,
						  "there are more than %d own and relatives' "
						  "journals",
						  KIN_MAX);
		array = policy_practice_grow(pr, p->kin, p->kin_count, sizeof(*array));
		if (!array)
			return false;
		p->kin = array;
		p->kin[p->kin_count++] = now;
	} while (lx->token.kind != POLICY_TOKEN_END);
	return true;
}

bool policy_practice_own(struct policy_practice_parser *pr)
{
	return kin_parse(pr, POLICY_KIN_OWN);
}

bool policy_practice_relative(struct policy_practice_parser *pr)
{
	return kin_parse(pr, POLICY_KIN_RELATIVE);
}

static int by_kin(const void *a, const void *b)
{
	const struct policy_practice_kin *x = a, *y = b;
	int c = strcmp(x->who, y->who);

	if (!c)
		c = strcmp(x->journal, y->journal);
	/* Of two that say the same the later line is the one too many. */
	if (!c && x->line != y->line)
		c = x->line < y->line ? -1 : 1;
	return c;
}

void policy_practice_kin_resolve(struct policy_practice_parser *pr)
{
	struct policy_practice *p = pr->p;

	for (size_t i = 0; i < p->kin_count; i++) {
		const struct policy_practice_kin *k = &p->kin[i];

		if (policy_index_find(&p->persons, k->who) < 0)
			policy_practice_unresolved(pr, k->file, k->line, k->column, "practitioner",
						   k->who, &p->persons);
	}
	if (p->kin_count)
		qsort(p->kin, p->kin_count, sizeof(*p->kin), by_kin);
	for (size_t i = 1; i < p->kin_count; i++) {
		const struct policy_practice_kin *a = &p->kin[i - 1], *b = &p->kin[i];
		char place[POLICY_PLACE_MAX];

		if (strcmp(a->who, b->who) != 0 || strcmp(a->journal, b->journal) != 0)
			continue;
		pr->file = b->file;
		policy_practice_error_at(pr, b->file, b->line, b->column,
					 "this journal of `%s` stands on %s already", b->who,
					 policy_practice_place(pr, a->file, a->line, place));
	}
}

enum policy_kin policy_practice_kin(const struct policy_practice *p, const char *who,
				    const char *journal)
{
	size_t low = 0, high = p->kin_count;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		int c = strcmp(who, p->kin[mid].who);

		if (!c)
			c = strcmp(journal, p->kin[mid].journal);
		if (!c)
			return p->kin[mid].kin;
		if (c < 0)
			high = mid;
		else
			low = mid + 1;
	}
	return POLICY_KIN_NONE;
}

/* ---- statement ---- */

static bool names_parse(struct policy_practice_parser *pr)
{
	pr->p->settings.statement_names = true;
	return true;
}

static bool units_parse(struct policy_practice_parser *pr)
{
	pr->p->settings.statement_names = false;
	return true;
}

static bool refused_parse(struct policy_practice_parser *pr)
{
	pr->p->settings.statement_refused = true;
	return true;
}

/* What patients are used to there; a line with `names` or `units` says otherwise. */
static bool country_parse(struct policy_practice_parser *pr)
{
	static const char *const words[] = {"DK", "SE", "NO"};
	static const bool names[] = {true, false, true};

	for (size_t i = 0; i < COUNT(words); i++) {
		if (!policy_lexer_at(&pr->lx, words[i]))
			continue;
		memcpy(pr->p->settings.country, words[i], 3);
		if (!pr->seen[SEEN_STATEMENT])
			pr->p->settings.statement_names = names[i];
		policy_lexer_next(&pr->lx);
		return true;
	}
	return policy_lexer_unknown(&pr->lx, "country", words, COUNT(words));
}

bool policy_practice_statement(struct policy_practice_parser *pr)
{
	static const struct policy_practice_clause table[] = {
		{"names", names_parse, SEEN_STATEMENT, POLICY_FEATURE_ALWAYS},
		{"units", units_parse, SEEN_STATEMENT, POLICY_FEATURE_ALWAYS},
		{"country", country_parse, SEEN_COUNTRY, POLICY_FEATURE_ALWAYS},
		{"refused", refused_parse, SEEN_STATEMENT_REFUSED, POLICY_FEATURE_ALWAYS},
	};

	return policy_practice_clauses(pr, "statement setting", table, COUNT(table));
}
