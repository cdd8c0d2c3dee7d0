/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy/practice_default.c - unit defaults of the practice policy: entries that hold in every
 * journal of a unit.
 *
 * They are kept sorted by unit, so that a decision finds those of a journal's unit with one
 * lookup and nothing is copied into journals.
 */
#include <stdlib.h>
#include <string.h>

#include "practice_parse.h"

#define DEFAULT_MAX 1024 /* together */
#define DEFAULT_UNIT 64	 /* of one unit: each decision about its journals looks at them */

static bool draft_add(struct policy_practice_parser *pr, const struct policy_practice_draft *d)
{
	struct policy_practice_draft *array;
	char place[POLICY_PLACE_MAX];

	for (size_t i = 0; i < pr->default_count; i++)
		if (!strcmp(pr->deflt[i].unit, d->unit) &&
		    policy_entry_same(&pr->deflt[i].d, &d->d))
			return policy_lexer_error(
				&pr->lx, pr->column, "%s says this already: remove one of the two",
				policy_practice_place(pr, pr->deflt[i].file,
						      pr->deflt[i].d.entry.line, place));
	if (pr->default_count >= DEFAULT_MAX)
		return policy_lexer_error(&pr->lx, pr->column,
					  "there are more than %d defaults: use roles", DEFAULT_MAX);
	array = policy_practice_grow(pr, pr->deflt, pr->default_count, sizeof(*array));
	if (!array)
		return false;
	pr->deflt = array;
	pr->deflt[pr->default_count++] = *d;
	return true;
}

bool policy_practice_default(struct policy_practice_parser *pr)
{
	struct policy_practice_draft d = {
		.file = pr->file, .column = pr->column, .order = (uint32_t)pr->default_count};
	struct policy_lexer *lx = &pr->lx;

	policy_entry_draft_init(&d.d, lx, POLICY_ENTRY_ALLOW);
	if (!policy_lexer_word(lx, "unit"))
		return false;
	d.unit_column = lx->token.column;
	if (!policy_lexer_name(lx, "a unit name", &d.unit))
		return false;
	if (policy_lexer_at(lx, "block"))
		return policy_lexer_error(lx, lx->token.column,
					  "a default only allows: write `block` into the journals "
					  "themselves, it is the patient's own");
	return policy_lexer_word(lx, "allow") && policy_entry_parse(lx, &d.d) &&
	       policy_entry_clauses(lx, &d.d) && draft_add(pr, &d);
}

static int by_unit(const void *a, const void *b)
{
	const struct policy_practice_draft *x = a, *y = b;

	if (x->number != y->number)
		return x->number < y->number ? -1 : 1;
	return x->order < y->order ? -1 : x->order > y->order;
}

/* Are unit and subject there? Sets the number of the unit. */
static void draft_resolve(struct policy_practice_parser *pr, struct policy_practice_draft *d)
{
	static const char *const whats[] = {"practitioner", "unit", "role"};
	const struct policy_entry *e = &d->d.entry;
	struct policy_practice *p = pr->p;
	int64_t n = policy_index_find(&p->units, d->unit);
	const struct policy_index *ix = e->subject == POLICY_SUBJECT_USER   ? &p->persons
					: e->subject == POLICY_SUBJECT_UNIT ? &p->units
									    : &p->roles;

	if (n < 0)
		policy_practice_unresolved(pr, d->file, e->line, d->unit_column, "unit", d->unit,
					   &p->units);
	else
		d->number = (uint32_t)n;
	if (policy_index_find(ix, d->d.name) < 0)
		policy_practice_unresolved(pr, d->file, e->line, d->d.name_column,
					   whats[e->subject], d->d.name, ix);
}

void policy_practice_default_resolve(struct policy_practice_parser *pr)
{
	struct policy_practice *p = pr->p;
	size_t n = pr->default_count, of_unit = 0;

	for (size_t i = 0; i < n; i++)
		draft_resolve(pr, &pr->deflt[i]);
	if (!n || pr->lx.errors)
		return;
	p->deflt = calloc(n, sizeof(*p->deflt));
	p->default_first = calloc(p->unit_count + 1, sizeof(*p->default_first));
	if (!p->deflt || !p->default_first) {
		pr->short_of_memory = true;
		return;
	}
	qsort(pr->deflt, n, sizeof(*pr->deflt), by_unit);
	for (size_t i = 0; i < n; i++) {
		const struct policy_practice_draft *d = &pr->deflt[i];

		of_unit = i && pr->deflt[i - 1].number == d->number ? of_unit + 1 : 1;
		if (of_unit > DEFAULT_UNIT)
			policy_practice_error_at(pr, d->file, d->d.entry.line, d->column,
						 "unit `%s` has more than %d defaults: use roles",
						 d->unit, DEFAULT_UNIT);
		p->deflt[i] = (struct policy_default){
			.entry = d->d.entry, .name = d->d.name, .unit = d->unit, .file = d->file};
		p->default_first[d->number + 1] = (uint32_t)i + 1;
	}
	/* Units without defaults begin where the ones before them end. */
	for (size_t u = 1; u <= p->unit_count; u++)
		if (p->default_first[u] < p->default_first[u - 1])
			p->default_first[u] = p->default_first[u - 1];
	p->default_count = n;
}
