/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy/practice_parse.c - reads a practice policy.
 *
 * Two passes: statements are taken line by line, so that every error is found; then
 * roles and units are resolved, so that they may be declared in any order. A
 * statement is a row of `statements`; those that only set something are read in
 * practice_settings.c.
 */
#include "practice.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "practice_parse.h"
#include "span.h"

#define NAMED_MAX 4096 /* practitioners, roles, units: each */

/* Enters a name that is not taken. */
static bool name_put(struct policy_practice_parser *pr, struct policy_index *ix, const char *what,
		     const char *name, unsigned column, size_t number)
{
	int rc;

	if (number >= NAMED_MAX)
		return policy_lexer_error(&pr->lx, column, "there are more than %d %ss", NAMED_MAX,
					  what);
	rc = policy_index_put(ix, name, (uint32_t)number);
	if (rc == -ENOMEM)
		pr->short_of_memory = true;
	return !rc;
}

static bool taken(struct policy_practice_parser *pr, unsigned column, const char *what,
		  const char *name, unsigned line)
{
	return policy_lexer_error(&pr->lx, column, "%s `%s` was declared on line %u already", what,
				  name, line);
}

static bool rights_parse(struct policy_practice_parser *pr, struct policy_role *role)
{
	struct policy_lexer *lx = &pr->lx;

	do {
		unsigned column = lx->token.column, i;

		for (i = 0; i < POLICY_RIGHT_COUNT; i++)
			if (policy_lexer_at(lx, policy_right_names[i]))
				break;
		if (i == POLICY_RIGHT_COUNT)
			return policy_lexer_unknown(lx, "right", policy_right_names,
						    POLICY_RIGHT_COUNT);
		if (role->rights & 1u << i)
			return policy_lexer_error(lx, column, "`%s` is named twice",
						  policy_right_names[i]);
		if (1u << i == POLICY_BREAK_GLASS && !role->clinical)
			policy_lexer_error(lx, column,
					   "role `%s` is not clinical and can never break the "
					   "glass: remove `break-glass`, or write `clinical` "
					   "before `may`",
					   role->name);
		role->rights |= 1u << i;
		policy_lexer_next(lx);
	} while (lx->token.kind != POLICY_TOKEN_END);
	return true;
}

static bool role_parse(struct policy_practice_parser *pr)
{
	static const char *const words[] = {"clinical", "may"};
	struct policy_role role = {.line = pr->lx.line};
	unsigned column = pr->lx.token.column;
	struct policy_practice *p = pr->p;
	struct policy_role *array;
	int64_t other;
	bool good;

	if (!policy_lexer_name(&pr->lx, "a role name", &role.name))
		return false;
	if (policy_lexer_at(&pr->lx, "clinical")) {
		role.clinical = true;
		policy_lexer_next(&pr->lx);
	}
	if (policy_lexer_at(&pr->lx, "may")) {
		policy_lexer_next(&pr->lx);
		good = rights_parse(pr, &role);
	} else {
		good = policy_lexer_unknown(&pr->lx, "word", words + role.clinical,
					    2 - role.clinical);
	}
	/* The name counts as declared also when its rights are wrong: one error, not twenty. */
	other = policy_index_find(&p->roles, role.name);
	if (other >= 0)
		return taken(pr, column, "role", role.name, p->role[other].line);
	array = policy_practice_grow(pr, p->role, p->role_count, sizeof(*array));
	if (!array)
		return false;
	p->role = array;
	if (!name_put(pr, &p->roles, "role", role.name, column, p->role_count))
		return false;
	p->role[p->role_count++] = role;
	return good;
}

static bool unit_parse(struct policy_practice_parser *pr)
{
	unsigned column = pr->lx.token.column;
	struct policy_practice *p = pr->p;
	struct policy_unit unit = {.title = ""};
	struct policy_unit *array;
	unsigned *lines;
	int64_t other;
	bool good;

	if (!policy_lexer_name(&pr->lx, "a unit name", &unit.name))
		return false;
	good = policy_lexer_string(&pr->lx, "the unit's title", POLICY_STRING_MAX, &unit.title);
	if (good && policy_lexer_at(&pr->lx, "group")) {
		policy_lexer_next(&pr->lx);
		good = policy_lexer_name(&pr->lx, "a system group", &unit.group);
	}
	good = good && policy_lexer_end(&pr->lx);
	other = policy_index_find(&p->units, unit.name);
	if (other >= 0)
		return taken(pr, column, "unit", unit.name, pr->unit_line[other]);
	array = policy_practice_grow(pr, p->unit, p->unit_count, sizeof(*array));
	if (!array)
		return false;
	p->unit = array;
	lines = policy_practice_grow(pr, pr->unit_line, p->unit_count, sizeof(*lines));
	if (!lines)
		return false;
	pr->unit_line = lines;
	if (!name_put(pr, &p->units, "unit", unit.name, column, p->unit_count))
		return false;
	pr->unit_line[p->unit_count] = pr->lx.line;
	p->unit[p->unit_count++] = unit;
	return good;
}

static bool user_parse(struct policy_practice_parser *pr)
{
	pr->now->account_column = pr->lx.token.column;
	return policy_lexer_name(&pr->lx, "a system account", &pr->now->account);
}

static bool of_role_parse(struct policy_practice_parser *pr)
{
	pr->now->role_column = pr->lx.token.column;
	return policy_lexer_name(&pr->lx, "a role name", &pr->now->role);
}

static bool of_unit_parse(struct policy_practice_parser *pr)
{
	pr->now->unit_column = pr->lx.token.column;
	return policy_lexer_name(&pr->lx, "a unit name", &pr->now->unit);
}

static bool from_parse(struct policy_practice_parser *pr)
{
	return policy_lexer_date(&pr->lx, "a date", &pr->now->from_day);
}

static bool until_parse(struct policy_practice_parser *pr)
{
	unsigned column = pr->lx.token.column;

	if (!policy_lexer_date(&pr->lx, "a date", &pr->now->until_day))
		return false;
	pr->now->until_day++;
	if (pr->now->from_day >= pr->now->until_day)
		return policy_lexer_error(&pr->lx, column, "`until` lies before `from`");
	return true;
}

static bool leave_parse(struct policy_practice_parser *pr)
{
	pr->now->state = POLICY_ON_LEAVE;
	return policy_lexer_word(&pr->lx, "leave");
}

static bool left_parse(struct policy_practice_parser *pr)
{
	pr->now->state = POLICY_LEFT;
	return true;
}

static bool practitioner_parse(struct policy_practice_parser *pr)
{
	static const struct policy_practice_clause table[] = {
		{"user", user_parse, SEEN_USER, POLICY_FEATURE_ALWAYS},
		{"role", of_role_parse, SEEN_ROLE, POLICY_FEATURE_ALWAYS},
		{"unit", of_unit_parse, SEEN_UNIT, POLICY_FEATURE_ALWAYS},
		{"from", from_parse, SEEN_FROM, POLICY_FEATURE_ALWAYS},
		{"until", until_parse, SEEN_UNTIL, POLICY_FEATURE_ALWAYS},
		{"on", leave_parse, SEEN_STATE, POLICY_FEATURE_ALWAYS},
		{"left", left_parse, SEEN_STATE, POLICY_FEATURE_ALWAYS},
	};
	struct policy_practice_pending now = {.line = pr->lx.line,
					      .name_column = pr->lx.token.column,
					      .from_day = POLICY_DAY_MIN,
					      .until_day = POLICY_DAY_MAX};
	struct policy_practice_pending *array;
	int64_t other;
	bool good;

	if (!policy_lexer_name(&pr->lx, "a practitioner name", &now.name))
		return false;
	memset(pr->seen + SEEN_SETTINGS, 0, sizeof(pr->seen[0]) * (SEEN_COUNT - SEEN_SETTINGS));
	pr->now = &now;
	good = policy_practice_clauses(pr, "practitioner clause", table, COUNT(table));
	if (good && now.from_day >= now.until_day)
		good = policy_lexer_error(&pr->lx, now.name_column, "`until` lies before `from`");
	if (good && !now.account)
		good = policy_lexer_error(&pr->lx, pr->lx.token.column,
					  "`user ACCOUNT` is missing: the system account of `%s`",
					  now.name);
	if (good && !now.role)
		good = policy_lexer_error(&pr->lx, pr->lx.token.column,
					  "`role ROLE` is missing: what `%s` may do", now.name);
	pr->now = NULL;
	other = policy_index_find(&pr->p->persons, now.name);
	if (other >= 0)
		return taken(pr, now.name_column, "practitioner", now.name,
			     pr->pending[other].line);
	array = policy_practice_grow(pr, pr->pending, pr->pending_count, sizeof(*array));
	if (!array)
		return false;
	pr->pending = array;
	if (!name_put(pr, &pr->p->persons, "practitioner", now.name, now.name_column,
		      pr->pending_count))
		return false;
	pr->pending[pr->pending_count++] = now;
	return good;
}

static const struct {
	const char *word;
	bool (*parse)(struct policy_practice_parser *pr);
} statements[] = {
	{"practice", policy_practice_title},
	{"session", policy_practice_session},
	{"break-glass", policy_practice_break_glass},
	{"finalize", policy_practice_finalize},
	{"retention", policy_practice_retention},
	{"log", policy_practice_log},
	{"durability", policy_practice_durability},
	{"role", role_parse},
	{"unit", unit_parse},
	{"practitioner", practitioner_parse},
	{"program", policy_practice_program},
};

static void statement_parse(struct policy_practice_parser *pr)
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

/* Reports at a line that was read before. */
static void error_at(struct policy_practice_parser *pr, unsigned line, unsigned column,
		     const char *message)
{
	unsigned now = pr->lx.line;

	pr->lx.line = line;
	policy_lexer_error(&pr->lx, column, "%s", message);
	pr->lx.line = now;
}

static void unresolved(struct policy_practice_parser *pr, const struct policy_practice_pending *now,
		       const char *what, const char *name, unsigned column,
		       const struct policy_index *ix)
{
	char message[512], nearest[128];
	struct policy_suggest s;

	policy_suggest_init(&s, name);
	for (uint32_t i = 0; i < ix->size && pr->lx.errors < POLICY_REPORT_MAX; i++)
		if (ix->slot[i].name)
			policy_suggest_try(&s, ix->slot[i].name);
	if (s.best)
		snprintf(message, sizeof(message), "unknown %s `%s`%s", what, name,
			 policy_suggest_text(&s, nearest));
	else
		snprintf(message, sizeof(message), "unknown %s `%s`: declare it on a `%s` line",
			 what, name, what);
	error_at(pr, now->line, column, message);
}

static void account_check(struct policy_practice_parser *pr,
			  const struct policy_practice_pending *now, size_t number)
{
	char message[256];
	int64_t other;

	/* An account that somebody who left had may serve a new practitioner. */
	if (!now->account || now->state == POLICY_LEFT)
		return;
	other = policy_index_find(&pr->accounts, now->account);
	if (other >= 0) {
		snprintf(message, sizeof(message),
			 "account `%s` is that of practitioner `%s` on line %u already",
			 now->account, pr->pending[other].name, pr->pending[other].line);
		error_at(pr, now->line, now->account_column, message);
		return;
	}
	if (policy_index_put(&pr->accounts, now->account, (uint32_t)number))
		pr->short_of_memory = true;
}

static void person_resolve(struct policy_practice_parser *pr,
			   const struct policy_practice_pending *now, struct policy_person *person)
{
	struct policy_practice *p = pr->p;

	*person = (struct policy_person){
		.pub = {.name = now->name,
			.account = now->account,
			.state = now->state,
			.from_s = policy_span_seconds(now->from_day),
			.until_s = policy_span_seconds(now->until_day),
			.line = now->line},
		.hash = policy_name_hash(now->name),
	};
	if (now->role) {
		person->pub.role = policy_practice_role(p, now->role);
		person->role_hash = policy_name_hash(now->role);
		if (!person->pub.role)
			unresolved(pr, now, "role", now->role, now->role_column, &p->roles);
	}
	if (now->unit) {
		person->pub.unit = policy_practice_unit(p, now->unit);
		person->unit_hash = policy_name_hash(now->unit);
		if (!person->pub.unit)
			unresolved(pr, now, "unit", now->unit, now->unit_column, &p->units);
	}
}

/* Somebody must be able to change the policy, and somebody to read the log. */
static void duties_check(struct policy_practice_parser *pr)
{
	uint32_t held = 0;

	for (size_t i = 0; i < pr->p->person_count; i++) {
		const struct policy_practitioner *who = &pr->p->person[i].pub;

		/* One whose role is unknown has an error of their own and may hold either. */
		if (who->state == POLICY_ACTIVE)
			held |= who->role ? who->role->rights : POLICY_POLICY | POLICY_AUDIT;
	}
	if (!(held & POLICY_POLICY))
		error_at(
			pr, pr->lx.line ? pr->lx.line : 1, 1,
			"no active practitioner may `policy`: nobody could change this file again");
	if (!(held & POLICY_AUDIT))
		error_at(pr, pr->lx.line ? pr->lx.line : 1, 1,
			 "no active practitioner may `audit`: nobody could read the log");
}

static void resolve(struct policy_practice_parser *pr)
{
	struct policy_practice *p = pr->p;
	struct policy_settings *s = &p->settings;

	p->person = calloc(pr->pending_count ? pr->pending_count : 1, sizeof(*p->person));
	if (!p->person) {
		pr->short_of_memory = true;
		return;
	}
	for (size_t i = 0; i < pr->pending_count; i++) {
		person_resolve(pr, &pr->pending[i], &p->person[i]);
		account_check(pr, &pr->pending[i], i);
	}
	p->person_count = pr->pending_count;
	duties_check(pr);
	if (pr->seen[SEEN_IDLE] && s->idle_s > s->ceiling_s)
		error_at(pr, pr->seen[SEEN_IDLE], 1,
			 "`idle` is longer than `ceiling`: it would never end a session");
}

int policy_practice_parse(const char *text, size_t len, const char *file,
			  struct policy_report *report, struct policy_practice **out)
{
	struct policy_practice_parser pr = {.p = calloc(1, sizeof(*pr.p))};
	int rc = -ENOMEM;

	if (!pr.p)
		return -ENOMEM;
	atomic_init(&pr.p->refs, 1);
	pr.p->settings = (struct policy_settings){
		.title = "",
		.idle_s = 15 * 60,
		.ceiling_s = 12 * 3600,
		.passphrase_age_s = 90u * POLICY_DAY_S,
		.break_glass_limit_s = 60 * 60,
		.break_glass_reason = 20,
		.break_glass_review_s = 72 * 3600,
		.finalize_after_s = 14u * POLICY_DAY_S,
		.retention_years = 10,
	};
	if (policy_lexer_init(&pr.lx, text, len, file, report))
		goto out;
	rc = -EINVAL;
	if (pr.lx.errors)
		goto out;
	while (policy_lexer_line(&pr.lx))
		statement_parse(&pr);
	resolve(&pr);
	if (pr.short_of_memory)
		rc = -ENOMEM;
	if (pr.short_of_memory || pr.lx.errors)
		goto out;
	pr.p->pool = policy_lexer_take_pool(&pr.lx);
	*out = pr.p;
	pr.p = NULL;
	rc = 0;
out:
	policy_lexer_clear(&pr.lx);
	policy_index_clear(&pr.accounts);
	free(pr.unit_line);
	free(pr.pending);
	policy_practice_free(pr.p);
	return rc;
}
