/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy/practice_parse.c - reads a practice policy.
 *
 * Two passes: statements are taken line by line, so that every error is found; then
 * roles and units are resolved, so that they may be declared in any order. A
 * statement is a row of `statements`; those with clauses have a table of them. Each
 * setting remembers the line that gave it.
 */
#include "practice.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lexer.h"
#include "model.h"
#include "span.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define NAMED_MAX 4096 /* practitioners, roles, units: each */
#define DENIED_MAX 256

enum {
	SEEN_PRACTICE,
	SEEN_IDLE,
	SEEN_CEILING,
	SEEN_FACTOR,
	SEEN_AGE,
	SEEN_LIMIT,
	SEEN_REASON,
	SEEN_REVIEW,
	SEEN_NOTIFY,
	SEEN_AFTER,
	SEEN_ON,
	SEEN_RETENTION,
	SEEN_LOG,
	SEEN_DURABILITY,
	SEEN_SETTINGS, /* below: clauses of one practitioner line */
	SEEN_USER = SEEN_SETTINGS,
	SEEN_ROLE,
	SEEN_UNIT,
	SEEN_FROM,
	SEEN_UNTIL,
	SEEN_STATE,
	SEEN_COUNT
};

/* What a practitioner line says, until roles and units are known. */
struct pending {
	const char *name, *account, *role, *unit;
	unsigned line, name_column, account_column, role_column, unit_column;
	int32_t from_day, until_day;
	enum policy_state state;
};

struct parser {
	struct policy_lexer lx;
	struct policy_practice *p;
	struct pending *pending;
	size_t pending_count;
	struct pending *now; /* of the line being read */
	struct policy_index accounts;
	unsigned *unit_line;
	unsigned seen[SEEN_COUNT]; /* lines */
	unsigned column;	   /* of the statement's first word */
	bool short_of_memory;
};

struct clause {
	const char *word;
	bool (*parse)(struct parser *pr); /* the word has been taken */
	unsigned seen;
	enum policy_feature feature;
};

/* Room for one more of an array that holds count. */
static void *array_grow(struct parser *pr, void *array, size_t count, size_t size)
{
	void *bigger;

	if (count && (count < 8 || count & (count - 1)))
		return array;
	bigger = reallocarray(array, count < 8 ? 8 : count * 2, size);
	if (!bigger)
		pr->short_of_memory = true;
	return bigger;
}

static bool clauses_parse(struct parser *pr, const char *what, const struct clause *table,
			  size_t count)
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

static bool practice_parse(struct parser *pr)
{
	if (pr->seen[SEEN_PRACTICE])
		return policy_lexer_error(&pr->lx, pr->column,
					  "the practice was named on line %u already",
					  pr->seen[SEEN_PRACTICE]);
	if (!policy_lexer_string(&pr->lx, "the practice's name", &pr->p->settings.title) ||
	    !policy_lexer_end(&pr->lx))
		return false;
	pr->seen[SEEN_PRACTICE] = pr->lx.line;
	return true;
}

static bool idle_parse(struct parser *pr)
{
	return policy_lexer_duration(&pr->lx, "`idle`", 60, POLICY_DAY_S, "from 1m to 24h",
				     &pr->p->settings.idle_s);
}

static bool ceiling_parse(struct parser *pr)
{
	return policy_lexer_duration(&pr->lx, "`ceiling`", 60, POLICY_DAY_S, "from 1m to 24h",
				     &pr->p->settings.ceiling_s);
}

static bool factor_parse(struct parser *pr)
{
	pr->p->settings.second_factor = true;
	return policy_lexer_word(&pr->lx, "required");
}

static bool age_parse(struct parser *pr)
{
	return policy_lexer_duration(&pr->lx, "`passphrase-age`", POLICY_DAY_S,
				     3650u * POLICY_DAY_S, "from 1d to 10y",
				     &pr->p->settings.passphrase_age_s);
}

static bool session_parse(struct parser *pr)
{
	static const struct clause table[] = {
		{"idle", idle_parse, SEEN_IDLE, POLICY_FEATURE_SESSION_IDLE},
		{"ceiling", ceiling_parse, SEEN_CEILING, POLICY_FEATURE_SESSION_CEILING},
		{"second-factor", factor_parse, SEEN_FACTOR, POLICY_FEATURE_SECOND_FACTOR},
		{"passphrase-age", age_parse, SEEN_AGE, POLICY_FEATURE_PASSPHRASE_AGE},
	};

	return clauses_parse(pr, "session setting", table, COUNT(table));
}

static bool limit_parse(struct parser *pr)
{
	return policy_lexer_duration(&pr->lx, "`limit`", 60, POLICY_DAY_S, "from 1m to 24h",
				     &pr->p->settings.break_glass_limit_s);
}

static bool reason_parse(struct parser *pr)
{
	return policy_lexer_number(&pr->lx, "`reason`, in characters,", 20, 500,
				   &pr->p->settings.break_glass_reason);
}

static bool review_parse(struct parser *pr)
{
	return policy_lexer_duration(&pr->lx, "`review`", 3600, 90u * POLICY_DAY_S,
				     "from 1h to 90d", &pr->p->settings.break_glass_review_s);
}

static bool notify_parse(struct parser *pr)
{
	pr->p->settings.break_glass_notify = true;
	return true;
}

static bool break_glass_parse(struct parser *pr)
{
	static const struct clause table[] = {
		{"limit", limit_parse, SEEN_LIMIT, POLICY_FEATURE_ALWAYS},
		{"reason", reason_parse, SEEN_REASON, POLICY_FEATURE_ALWAYS},
		{"review", review_parse, SEEN_REVIEW, POLICY_FEATURE_ALWAYS},
		{"notify", notify_parse, SEEN_NOTIFY, POLICY_FEATURE_ALWAYS},
	};

	return clauses_parse(pr, "break-glass setting", table, COUNT(table)) &&
	       policy_lexer_feature(&pr->lx, pr->column, POLICY_FEATURE_BREAK_GLASS);
}

static bool after_parse(struct parser *pr)
{
	return policy_lexer_duration(&pr->lx, "`after`", POLICY_DAY_S, 3650u * POLICY_DAY_S,
				     "from 1d to 10y", &pr->p->settings.finalize_after_s);
}

static bool on_parse(struct parser *pr)
{
	pr->p->settings.finalize_on_read_only = true;
	return policy_lexer_word(&pr->lx, "read-only");
}

static bool finalize_parse(struct parser *pr)
{
	static const struct clause table[] = {
		{"after", after_parse, SEEN_AFTER, POLICY_FEATURE_FINALIZE_AFTER},
		{"on", on_parse, SEEN_ON, POLICY_FEATURE_FINALIZE_READ_ONLY},
	};

	return clauses_parse(pr, "finalize setting", table, COUNT(table));
}

/* A statement that may stand once and whose first word was taken: false when it stood before. */
static bool once(struct parser *pr, unsigned seen, const char *name)
{
	if (pr->seen[seen])
		return policy_lexer_error(&pr->lx, pr->column, "`%s` was given on line %u already",
					  name, pr->seen[seen]);
	pr->seen[seen] = pr->lx.line;
	return true;
}

static bool retention_parse(struct parser *pr)
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

static bool log_parse(struct parser *pr)
{
	pr->p->settings.log_strict = true;
	return policy_lexer_word(&pr->lx, "strict") && policy_lexer_end(&pr->lx) &&
	       once(pr, SEEN_LOG, "log") &&
	       policy_lexer_feature(&pr->lx, pr->column, POLICY_FEATURE_LOG_STRICT);
}

static bool durability_parse(struct parser *pr)
{
	pr->p->settings.durability_close = true;
	return policy_lexer_word(&pr->lx, "close") && policy_lexer_end(&pr->lx) &&
	       once(pr, SEEN_DURABILITY, "durability") &&
	       policy_lexer_feature(&pr->lx, pr->column, POLICY_FEATURE_DURABILITY_CLOSE);
}

/* Enters a name that is not taken. */
static bool name_put(struct parser *pr, struct policy_index *ix, const char *what, const char *name,
		     unsigned column, size_t number)
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

static bool taken(struct parser *pr, unsigned column, const char *what, const char *name,
		  unsigned line)
{
	return policy_lexer_error(&pr->lx, column, "%s `%s` was declared on line %u already", what,
				  name, line);
}

static bool rights_parse(struct parser *pr, struct policy_role *role)
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

static bool role_parse(struct parser *pr)
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
	array = array_grow(pr, p->role, p->role_count, sizeof(*array));
	if (!array)
		return false;
	p->role = array;
	if (!name_put(pr, &p->roles, "role", role.name, column, p->role_count))
		return false;
	p->role[p->role_count++] = role;
	return good;
}

static bool unit_parse(struct parser *pr)
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
	good = policy_lexer_string(&pr->lx, "the unit's title", &unit.title);
	if (good && policy_lexer_at(&pr->lx, "group")) {
		policy_lexer_next(&pr->lx);
		good = policy_lexer_name(&pr->lx, "a system group", &unit.group);
	}
	good = good && policy_lexer_end(&pr->lx);
	other = policy_index_find(&p->units, unit.name);
	if (other >= 0)
		return taken(pr, column, "unit", unit.name, pr->unit_line[other]);
	array = array_grow(pr, p->unit, p->unit_count, sizeof(*array));
	if (!array)
		return false;
	p->unit = array;
	lines = array_grow(pr, pr->unit_line, p->unit_count, sizeof(*lines));
	if (!lines)
		return false;
	pr->unit_line = lines;
	if (!name_put(pr, &p->units, "unit", unit.name, column, p->unit_count))
		return false;
	pr->unit_line[p->unit_count] = pr->lx.line;
	p->unit[p->unit_count++] = unit;
	return good;
}

static bool user_parse(struct parser *pr)
{
	pr->now->account_column = pr->lx.token.column;
	return policy_lexer_name(&pr->lx, "a system account", &pr->now->account);
}

static bool of_role_parse(struct parser *pr)
{
	pr->now->role_column = pr->lx.token.column;
	return policy_lexer_name(&pr->lx, "a role name", &pr->now->role);
}

static bool of_unit_parse(struct parser *pr)
{
	pr->now->unit_column = pr->lx.token.column;
	return policy_lexer_name(&pr->lx, "a unit name", &pr->now->unit);
}

static bool from_parse(struct parser *pr)
{
	return policy_lexer_date(&pr->lx, "a date", &pr->now->from_day);
}

static bool until_parse(struct parser *pr)
{
	unsigned column = pr->lx.token.column;

	if (!policy_lexer_date(&pr->lx, "a date", &pr->now->until_day))
		return false;
	pr->now->until_day++;
	if (pr->now->from_day >= pr->now->until_day)
		return policy_lexer_error(&pr->lx, column, "`until` lies before `from`");
	return true;
}

static bool leave_parse(struct parser *pr)
{
	pr->now->state = POLICY_ON_LEAVE;
	return policy_lexer_word(&pr->lx, "leave");
}

static bool left_parse(struct parser *pr)
{
	pr->now->state = POLICY_LEFT;
	return true;
}

static bool practitioner_parse(struct parser *pr)
{
	static const struct clause table[] = {
		{"user", user_parse, SEEN_USER, POLICY_FEATURE_ALWAYS},
		{"role", of_role_parse, SEEN_ROLE, POLICY_FEATURE_ALWAYS},
		{"unit", of_unit_parse, SEEN_UNIT, POLICY_FEATURE_ALWAYS},
		{"from", from_parse, SEEN_FROM, POLICY_FEATURE_ALWAYS},
		{"until", until_parse, SEEN_UNTIL, POLICY_FEATURE_ALWAYS},
		{"on", leave_parse, SEEN_STATE, POLICY_FEATURE_ALWAYS},
		{"left", left_parse, SEEN_STATE, POLICY_FEATURE_ALWAYS},
	};
	struct pending now = {.line = pr->lx.line,
			      .name_column = pr->lx.token.column,
			      .from_day = POLICY_DAY_MIN,
			      .until_day = POLICY_DAY_MAX};
	struct pending *array;
	int64_t other;
	bool good;

	if (!policy_lexer_name(&pr->lx, "a practitioner name", &now.name))
		return false;
	memset(pr->seen + SEEN_SETTINGS, 0, sizeof(pr->seen[0]) * (SEEN_COUNT - SEEN_SETTINGS));
	pr->now = &now;
	good = clauses_parse(pr, "practitioner clause", table, COUNT(table));
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
	array = array_grow(pr, pr->pending, pr->pending_count, sizeof(*array));
	if (!array)
		return false;
	pr->pending = array;
	if (!name_put(pr, &pr->p->persons, "practitioner", now.name, now.name_column,
		      pr->pending_count))
		return false;
	pr->pending[pr->pending_count++] = now;
	return good;
}

static bool program_parse(struct parser *pr)
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
		array = array_grow(pr, p->denied, p->denied_count, sizeof(*array));
		if (!array)
			return false;
		p->denied = array;
		snprintf(p->denied[p->denied_count++], sizeof(*array), "%.15s", lx->token.text);
		policy_lexer_next(lx);
	} while (lx->token.kind != POLICY_TOKEN_END);
	return policy_lexer_feature(lx, pr->column, POLICY_FEATURE_PROGRAM_DENY);
}

static const struct {
	const char *word;
	bool (*parse)(struct parser *pr);
} statements[] = {
	{"practice", practice_parse},
	{"session", session_parse},
	{"break-glass", break_glass_parse},
	{"finalize", finalize_parse},
	{"retention", retention_parse},
	{"log", log_parse},
	{"durability", durability_parse},
	{"role", role_parse},
	{"unit", unit_parse},
	{"practitioner", practitioner_parse},
	{"program", program_parse},
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

/* Reports at a line that was read before. */
static void error_at(struct parser *pr, unsigned line, unsigned column, const char *message)
{
	unsigned now = pr->lx.line;

	pr->lx.line = line;
	policy_lexer_error(&pr->lx, column, "%s", message);
	pr->lx.line = now;
}

static void unresolved(struct parser *pr, const struct pending *now, const char *what,
		       const char *name, unsigned column, const struct policy_index *ix)
{
	char message[512], nearest[128];
	struct policy_suggest s;

	policy_suggest_init(&s, name);
	for (uint32_t i = 0; i < ix->size && pr->lx.errors < POLICY_REPORT_MAX; i++)
		if (ix->slot[i].name)
			policy_suggest_try(&s, ix->slot[i].name);
	snprintf(message, sizeof(message), "unknown %s `%s`%s", what, name,
		 policy_suggest_text(&s, nearest));
	error_at(pr, now->line, column, message);
}

static void account_check(struct parser *pr, const struct pending *now, size_t number)
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

static void person_resolve(struct parser *pr, const struct pending *now,
			   struct policy_person *person)
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
static void duties_check(struct parser *pr)
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

static void resolve(struct parser *pr)
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
	struct parser pr = {.p = calloc(1, sizeof(*pr.p))};
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
	while (policy_lexer_line(&pr.lx))
		statement_parse(&pr);
	resolve(&pr);
	if (pr.short_of_memory)
		goto out;
	rc = -EINVAL;
	if (pr.lx.errors)
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
