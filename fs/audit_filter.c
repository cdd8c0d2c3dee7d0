/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/audit_filter.c - which records of the log an auditor asks for.
 *
 * Invariant: a record is let through or not by what it says and by the names alone, never by how
 * it was found: with and without index files the same ones come.
 */
#include "audit_filter.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int fs_audit_names_add(struct fs_audit_names *names, uint32_t number, bool last)
{
	for (size_t i = 0; i < names->n; i++) {
		if (names->at[i].number != number)
			continue;
		names->at[i].last |= last;
		return 0;
	}
	if (names->n == names->cap) {
		size_t cap = names->cap ? 2 * names->cap : 8;
		struct fs_audit_name *more = reallocarray(names->at, cap, sizeof(*more));

		if (!more)
			return -ENOMEM;
		names->at = more;
		names->cap = cap;
	}
	names->at[names->n++] = (struct fs_audit_name){number, last};
	return 0;
}

void fs_audit_names_clear(struct fs_audit_names *names)
{
	free(names->at);
	memset(names, 0, sizeof(*names));
}

static bool journal_fits(const struct fs_audit_filter *f, const struct policy_record *r)
{
	bool named = !strcmp(f->journal, r->journal_name);

	if (f->own && !r->journal)
		return false;
	if (!f->names || !f->names->n || !r->journal)
		return named;
	for (size_t i = 0; i < f->names->n; i++) {
		if (f->names->at[i].number == r->journal)
			return named || f->names->at[i].last;
	}
	return false;
}

int fs_audit_numbers(const struct fs_audit_filter *f, uint32_t **out, size_t *n)
{
	*out = NULL;
	*n = 0;
	if (!f->journal || !f->journal[0] || !f->names || !f->names->n)
		return 0;
	*out = calloc(f->names->n + 1, sizeof(**out));
	if (!*out)
		return -ENOMEM;
	for (; *n < f->names->n; (*n)++)
		(*out)[*n] = f->names->at[*n].number;
	if (!f->own)
		(*n)++;
	return 0;
}

bool fs_audit_lets(const struct fs_audit_filter *f, const struct policy_record *r)
{
	if (f->since_ns && r->time_ns < f->since_ns)
		return false;
	if (f->until_ns && r->time_ns >= f->until_ns)
		return false;
	if (f->grant && f->grant != r->grant)
		return false;
	if (f->who && f->who[0] && strcmp(f->who, r->who))
		return false;
	return !f->journal || !f->journal[0] || journal_fits(f, r);
}
