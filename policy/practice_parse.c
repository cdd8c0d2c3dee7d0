/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy/practice_parse.c - reads a practice policy.
 *
 * Two passes: statements are taken line by line, so that every error is found, first those of the
 * practice itself, then those of its parts; then roles and units are resolved
 * (practice_resolve.c), so that they may be declared in any order. A statement is a row of
 * `statements`; those that only set something are read in practice_settings.c.
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
		  const char *name, const char *file, unsigned line)
{
	char place[POLICY_PLACE_MAX];

	return policy_lexer_error(&pr->lx, column, "%s `%s` was declared on %s already", what, name,
				  policy_practice_place(pr, file, line, place));
}

static void clinical_check(struct policy_practice_parser *pr, const struct policy_role *role,
			   uint32_t right, unsigned column)
{
	if (role->clinical || !(right & (POLICY_BREAK_GLASS | POLICY_ATTEND)))
		return;
	policy_lexer_error(&pr->lx, column,
			   "role `%s` is not clinical and can never %s: remove `%s`, or write "
			   "`clinical` before `may`",
			   role->name,
			   right == POLICY_ATTEND ? "state a care relationship" : "break the glass",
			   right == POLICY_ATTEND ? "attend" : "break-glass");
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
		clinical_check(pr, role, 1u << i, column);
		role->rights |= 1u << i;
		policy_lexer_next(lx);
	} while (lx->token.kind != POLICY_TOKEN_END);
	return true;
}

static bool role_parse(struct policy_practice_parser *pr)
{
	static const char *const words[] = {"clinical", "may"};
	struct policy_role role = {.file = pr->file, .line = pr->lx.line};
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
		return taken(pr, column, "role", role.name, p->role[other].file,
			     p->role[other].line);
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
	struct policy_unit unit = {.title = "", .file = pr->file, .line = pr->lx.line};
	struct policy_unit *array;
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
		return taken(pr, column, "unit", unit.name, p->unit[other].file,
			     p->unit[other].line);
	array = policy_practice_grow(pr, p->unit, p->unit_count, sizeof(*array));
	if (!array)
		return false;
	p->unit = array;
	if (!name_put(pr, &p->units, "unit", unit.name, column, p->unit_count))
		return false;
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
	return policy_lexer_time(&pr->lx, false, &pr->now->from);
}

static bool until_parse(struct policy_practice_parser *pr)
{
	unsigned column = pr->lx.token.column;

	return policy_lexer_time(&pr->lx, true, &pr->now->until) &&
	       policy_lexer_span(&pr->lx, column, pr->now->from, pr->now->until);
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
	struct policy_practice_pending now = {.file = pr->file,
					      .line = pr->lx.line,
					      .name_column = pr->lx.token.column,
					      .from = POLICY_TIME_MIN,
					      .until = POLICY_TIME_MAX};
	struct policy_practice_pending *array;
	int64_t other;
	bool good;

	if (!policy_lexer_name(&pr->lx, "a practitioner name", &now.name))
		return false;
	memset(pr->seen + SEEN_SETTINGS, 0, sizeof(pr->seen[0]) * (SEEN_COUNT - SEEN_SETTINGS));
	pr->now = &now;
	good = policy_practice_clauses(pr, "practitioner clause", table, COUNT(table));
	good = good && policy_lexer_span(&pr->lx, now.name_column, now.from, now.until);
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
		return taken(pr, now.name_column, "practitioner", now.name, pr->pending[other].file,
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
	bool part; /* may stand in a part */
} statements[] = {
	{"practice", policy_practice_title, false},
	{"session", policy_practice_session, false},
	{"break-glass", policy_practice_break_glass, false},
	{"attend", policy_practice_attend, false},
	{"blocks", policy_practice_blocks, false},
	{"finalize", policy_practice_finalize, false},
	{"history", policy_practice_history, false},
	{"retention", policy_practice_retention, false},
	{"log", policy_practice_log, false},
	{"durability", policy_practice_durability, false},
	{"include", policy_practice_include, false},
	{"hours", policy_practice_hours, false},
	{"statement", policy_practice_statement, false},
	{"role", role_parse, true},
	{"unit", unit_parse, true},
	{"default", policy_practice_default, true},
	{"practitioner", practitioner_parse, true},
	{"program", policy_practice_program, true},
	{"own", policy_practice_own, true},
	{"relative", policy_practice_relative, true},
};

static void statement_parse(struct policy_practice_parser *pr)
{
	const char *words[COUNT(statements)];
	bool part = pr->file != pr->p->file[0];
	size_t known = 0;

	pr->column = pr->lx.token.column;
	for (size_t i = 0; i < COUNT(statements); i++) {
		if (statements[i].part || !part)
			words[known++] = statements[i].word;
		if (!policy_lexer_at(&pr->lx, statements[i].word))
			continue;
		if (part && !statements[i].part) {
			policy_lexer_error(&pr->lx, pr->column,
					   "`%s` is for the whole practice: move the line to "
					   "practice.policy",
					   statements[i].word);
			return;
		}
		policy_lexer_next(&pr->lx);
		statements[i].parse(pr);
		return;
	}
	policy_lexer_unknown(&pr->lx, "statement", words, known);
}

static void file_parse(struct policy_practice_parser *pr, const struct policy_bundle_part *part,
		       size_t number)
{
	char *name = pr->p->file[number];

	if (number) {
		snprintf(name, POLICY_FILE_NAME, "practice.d/%s", part->name);
		snprintf(pr->shown, sizeof(pr->shown), "%s.policy", name);
	} else {
		strcpy(name, "practice");
	}
	pr->file = name;
	policy_lexer_part(&pr->lx, part->text, part->len, number ? pr->shown : pr->main);
	/* The parts of a bundle stand in order: what stands twice would be seen once. */
	if (number > 1 && strcmp(pr->p->file[number - 1], name) >= 0) {
		pr->lx.line = 1;
		policy_lexer_error(&pr->lx, 1,
				   "this part stands twice, or not in the order of names: put its "
				   "file back");
		pr->lx.line = 0;
	}
	while (policy_lexer_line(&pr->lx))
		statement_parse(pr);
	if (!number)
		pr->main_line = pr->lx.line ? pr->lx.line : 1;
}

/* The practice itself and its parts, each with lines and columns of its own. */
static void files_parse(struct policy_practice_parser *pr, const char *text, size_t len)
{
	struct policy_bundle_part part = {.text = text};
	size_t at = 0, count = 0;

	while (count <= POLICY_BUNDLE_PARTS && policy_bundle_next(text, len, &at, &part))
		count++;
	pr->p->file = calloc(count, sizeof(pr->p->file[0]));
	if (!pr->p->file) {
		pr->short_of_memory = true;
		return;
	}
	at = 0;
	for (size_t i = 0; i < count && policy_bundle_next(text, len, &at, &part); i++)
		file_parse(pr, &part, i);
	/* A line that only looks like the mark of a part ends the bundle. */
	if (part.text + part.len != text + len) {
		pr->lx.line++;
		if (count > POLICY_BUNDLE_PARTS)
			policy_lexer_error(&pr->lx, 1, "there are more than %d parts",
					   POLICY_BUNDLE_PARTS);
		else
			policy_lexer_error(
				&pr->lx, 1,
				"`%%part` begins no line of a policy: remove the line");
	}
	if (count > 1 && !pr->seen[SEEN_INCLUDE])
		policy_practice_error_at(pr, pr->p->file[0], pr->main_line, 1,
					 "%s.policy is there, but nothing includes it: add the "
					 "line `include practice.d`, or remove the file",
					 pr->p->file[1]);
	pr->file = pr->p->file[0];
}

int policy_practice_parse(const char *text, size_t len, const char *file,
			  struct policy_report *report, struct policy_practice **out)
{
	struct policy_practice_parser pr = {.p = calloc(1, sizeof(*pr.p)), .main = file};
	int rc = -ENOMEM;

	if (!pr.p)
		return -ENOMEM;
	atomic_init(&pr.p->refs, 1);
	pr.p->settings = (struct policy_settings){
		.title = "",
		.idle_s = 15 * 60,
		.ceiling_s = 12 * 3600,
		.break_glass_limit_s = 60 * 60,
		.break_glass_reason = 20,
		.break_glass_review_s = 72 * 3600,
		.break_glass_fresh_s = 5 * 60,
		.break_glass_at_once = 3,
		.break_glass_daily = 10,
		.attend_limit_s = POLICY_DAY_S,
		.attend_reason = 10,
		.amendment = "%n amendment %i%e",
		.retention_years = 10,
		.log_keep_years = POLICY_LOG_YEARS,
	};
	if (policy_lexer_init(&pr.lx, text, len, file, report))
		goto out;
	rc = -EINVAL;
	if (pr.lx.errors)
		goto out;
	files_parse(&pr, text, len);
	if (!pr.short_of_memory)
		policy_practice_resolve(&pr);
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
	free(pr.deflt);
	free(pr.pending);
	policy_practice_free(pr.p);
	return rc;
}
