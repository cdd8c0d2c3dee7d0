/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy/practice_resolve.c - what can be known only when all of a practice policy has been read:
 * the roles and units of practitioners, whose account is whose, and that the duties are held.
 *
 * Lines that were read before are reported at their place, in their file.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "practice_parse.h"
#include "span.h"

/* What a file of the practice (as in p->file) is called in errors. */
static const char *file_shown(const struct policy_practice_parser *pr, const char *file,
			      char out[static POLICY_FILE_NAME + 8])
{
	if (file == pr->p->file[0])
		return pr->main;
	snprintf(out, POLICY_FILE_NAME + 8, "%s.policy", file);
	return out;
}

bool policy_practice_error_at(struct policy_practice_parser *pr, const char *file, unsigned line,
			      unsigned column, const char *fmt, ...)
{
	char message[1024], shown[POLICY_FILE_NAME + 8];
	const char *file_now = pr->lx.file;
	unsigned line_now = pr->lx.line;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(message, sizeof(message), fmt, ap);
	va_end(ap);
	pr->lx.file = file_shown(pr, file, shown);
	pr->lx.line = line;
	policy_lexer_error(&pr->lx, column, "%s", message);
	pr->lx.file = file_now;
	pr->lx.line = line_now;
	return false;
}

const char *policy_practice_place(const struct policy_practice_parser *pr, const char *file,
				  unsigned line, char out[static POLICY_PLACE_MAX])
{
	char shown[POLICY_FILE_NAME + 8];

	if (file == pr->file)
		snprintf(out, POLICY_PLACE_MAX, "line %u", line);
	else
		snprintf(out, POLICY_PLACE_MAX, "line %u of %.400s", line,
			 file_shown(pr, file, shown));
	return out;
}

bool policy_practice_unresolved(struct policy_practice_parser *pr, const char *file, unsigned line,
				unsigned column, const char *what, const char *name,
				const struct policy_index *ix)
{
	struct policy_suggest s;
	char nearest[128];

	policy_suggest_init(&s, name);
	for (uint32_t i = 0; i < ix->size && pr->lx.errors < POLICY_REPORT_MAX; i++)
		if (ix->slot[i].name)
			policy_suggest_try(&s, ix->slot[i].name);
	if (s.best)
		return policy_practice_error_at(pr, file, line, column, "unknown %s `%s`%s", what,
						name, policy_suggest_text(&s, nearest));
	return policy_practice_error_at(pr, file, line, column,
					"unknown %s `%s`: declare it on a `%s` line", what, name,
					what);
}

static void account_check(struct policy_practice_parser *pr,
			  const struct policy_practice_pending *now, size_t number)
{
	const struct policy_practice_pending *holder;
	char place[POLICY_PLACE_MAX];
	int64_t other;

	/* An account that somebody who left had may serve a new practitioner. */
	if (!now->account || now->state == POLICY_LEFT)
		return;
	other = policy_index_find(&pr->accounts, now->account);
	if (other >= 0) {
		holder = &pr->pending[other];
		pr->file = now->file;
		policy_practice_error_at(
			pr, now->file, now->line, now->account_column,
			"account `%s` is that of practitioner `%s` on %s already", now->account,
			holder->name, policy_practice_place(pr, holder->file, holder->line, place));
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
			.from_s = policy_span_time_seconds(now->from),
			.until_s = policy_span_time_seconds(now->until),
			.file = now->file,
			.line = now->line},
		.hash = policy_name_hash(now->name),
	};
	if (now->role) {
		person->pub.role = policy_practice_role(p, now->role);
		person->role_hash = policy_name_hash(now->role);
		if (!person->pub.role)
			policy_practice_unresolved(pr, now->file, now->line, now->role_column,
						   "role", now->role, &p->roles);
	}
	if (now->unit) {
		person->pub.unit = policy_practice_unit(p, now->unit);
		person->unit_hash = policy_name_hash(now->unit);
		if (!person->pub.unit)
			policy_practice_unresolved(pr, now->file, now->line, now->unit_column,
						   "unit", now->unit, &p->units);
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
		policy_practice_error_at(
			pr, pr->p->file[0], pr->main_line, 1,
			"no active practitioner may `policy`: nobody could change this file again");
	if (!(held & POLICY_AUDIT))
		policy_practice_error_at(
			pr, pr->p->file[0], pr->main_line, 1,
			"no active practitioner may `audit`: nobody could read the log");
}

void policy_practice_resolve(struct policy_practice_parser *pr)
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
	policy_practice_default_resolve(pr);
	policy_practice_countersign_resolve(pr);
	policy_practice_kin_resolve(pr);
	duties_check(pr);
	if (pr->seen[SEEN_IDLE] && s->idle_s > s->ceiling_s)
		policy_practice_error_at(
			pr, p->file[0], pr->seen[SEEN_IDLE], 1,
			"`idle` is longer than `ceiling`: it would never end a session");
}
