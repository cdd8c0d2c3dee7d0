/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy/unusual_table.c - people, journals and their pairs, found again by number.
 *
 * Owns: the tables of struct policy_unusual. Invariant: nothing is ever taken out. Locks: none.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "unusual_impl.h"

#define BY_NAME (UINT64_C(1) << 63)

/* Roles and units: few, compared one by one. 0: none. */
static int name_at(struct policy_unusual *u, const char *text, uint32_t known, uint32_t *out)
{
	char **array;

	*out = 0;
	if (!*text)
		return 0;
	if (known && !strcmp(u->name[known - 1], text)) {
		*out = known;
		return 0;
	}
	for (uint32_t i = 0; i < u->name_count; i++) {
		if (!strcmp(u->name[i], text)) {
			*out = i + 1;
			return 0;
		}
	}
	array = policy_map_grow(u->name, u->name_count, sizeof(*array));
	if (!array)
		return -ENOMEM;
	u->name = array;
	array[u->name_count] = strdup(text);
	if (!array[u->name_count])
		return -ENOMEM;
	*out = ++u->name_count;
	return 0;
}

static int person_new(struct policy_unusual *u, const struct policy_record *r, uint32_t *value)
{
	struct unusual_person **array, *p = calloc(1, sizeof(*p));

	array = p ? policy_map_grow(u->person, u->person_count, sizeof(struct unusual_person *))
		  : NULL;
	if (!array) {
		free(p);
		return -ENOMEM;
	}
	u->person = array;
	p->number = r->practitioner;
	p->last_day = p->switch_day = INT32_MIN;
	array[u->person_count] = p;
	*value = ++u->person_count;
	return 0;
}

int policy_unusual_person(struct policy_unusual *u, const struct policy_record *r, uint32_t *out)
{
	uint64_t key = r->practitioner;
	struct unusual_person *p;
	uint32_t *value;
	int rc;

	for (const char *c = r->who; !r->practitioner && *c; c++)
		key = policy_map_mix(key ^ (uint8_t)*c) | BY_NAME;
	rc = policy_map_at(&u->persons, key, &value);
	if (!rc && !*value)
		rc = person_new(u, r, value);
	if (rc)
		return rc;
	*out = *value - 1;
	p = u->person[*out];
	if (strcmp(p->who, r->who) != 0)
		policy_record_copy(p->who, sizeof(p->who), r->who);
	if (r->role[0])
		rc = name_at(u, r->role, p->role, &p->role);
	if (!rc && r->unit[0])
		rc = name_at(u, r->unit, p->unit, &p->unit);
	return rc;
}

int policy_unusual_journal(struct policy_unusual *u, const struct policy_record *r, uint32_t *out)
{
	struct unusual_journal *j;
	uint32_t *value;
	int rc = policy_map_at(&u->journals, r->journal, &value);

	if (rc)
		return rc;
	if (!*value) {
		j = policy_map_grow(u->journal, u->journal_count, sizeof(*j));
		if (!j)
			return -ENOMEM;
		u->journal = j;
		j[u->journal_count] = (struct unusual_journal){.number = r->journal};
		*value = ++u->journal_count;
	}
	*out = *value - 1;
	j = &u->journal[*out];
	if (r->journal_name[0] && (!j->name || strcmp(j->name, r->journal_name) != 0)) {
		char *name = strdup(r->journal_name);

		if (!name)
			return -ENOMEM;
		/* `own` and `relative` name it as it is called: who had nothing to do with the old name may with this. */
		for (uint32_t i = 0; j->name && i < u->pair_count; i++) {
			if (u->pair[i].journal == *out && u->pair[i].kin == UNUSUAL_NO_KIN)
				u->pair[i].kin = 0;
		}
		free(j->name);
		j->name = name;
	}
	return 0;
}

int policy_unusual_pair(struct policy_unusual *u, uint32_t person, uint32_t journal, uint32_t *out)
{
	struct unusual_pair *array;
	uint32_t *value;
	int rc = policy_map_at(&u->pairs, (uint64_t)person << 32 | journal, &value);

	if (rc)
		return rc;
	if (!*value) {
		array = policy_map_grow(u->pair, u->pair_count, sizeof(*array));
		if (!array)
			return -ENOMEM;
		u->pair = array;
		array[u->pair_count] = (struct unusual_pair){.person = person, .journal = journal};
		*value = ++u->pair_count;
	}
	*out = *value - 1;
	return 0;
}

void policy_unusual_tally_add(struct unusual_tally *t, const struct policy_record *r)
{
	if (!t->count) {
		t->first_seq = r->seq;
		t->first_ns = r->time_ns;
	}
	t->last_seq = r->seq;
	t->last_ns = r->time_ns;
	t->count++;
}

void policy_unusual_tally_join(struct unusual_tally *t, const struct unusual_tally *more)
{
	uint64_t count = t->count + more->count;

	if (!more->count)
		return;
	if (!t->count) {
		*t = *more;
		return;
	}
	if (more->first_seq < t->first_seq) {
		t->first_seq = more->first_seq;
		t->first_ns = more->first_ns;
	}
	if (more->last_seq > t->last_seq) {
		t->last_seq = more->last_seq;
		t->last_ns = more->last_ns;
	}
	t->count = count;
}

bool policy_unusual_set_has(const struct unusual_set *s, uint32_t journal)
{
	for (uint32_t i = 0; i < s->n; i++)
		if (s->journal[i] == journal)
			return true;
	return false;
}

bool policy_unusual_set_add(struct unusual_set *s, uint32_t journal)
{
	if (s->n >= UNUSUAL_LIST || policy_unusual_set_has(s, journal))
		return false;
	s->journal[s->n++] = journal;
	return true;
}

void policy_unusual_set_remove(struct unusual_set *s, uint32_t journal)
{
	for (uint32_t i = 0; i < s->n; i++) {
		if (s->journal[i] == journal) {
			s->journal[i] = s->journal[--s->n];
			return;
		}
	}
}

void policy_unusual_tables_free(struct policy_unusual *u)
{
	for (uint32_t i = 0; i < u->person_count; i++)
		free(u->person[i]);
	for (uint32_t i = 0; i < u->journal_count; i++)
		free(u->journal[i].name);
	for (uint32_t i = 0; i < u->name_count; i++)
		free(u->name[i]);
	for (uint32_t i = 0; i < u->reason_count; i++)
		free(u->reason[i]);
	policy_map_clear(&u->persons);
	policy_map_clear(&u->journals);
	policy_map_clear(&u->pairs);
	policy_map_clear(&u->reasons);
	free(u->person);
	free(u->journal);
	free(u->pair);
	free(u->name);
	free(u->pending);
	free(u->suspect);
	free(u->kin);
	free(u->reason);
	free(u->found.at);
}
