/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy/unusual_table.c - people, journals and their pairs, found again by number.
 *
 * Owns: the tables of struct policy_unusual. Invariants: a map is at most half full, its keys are
 * mixed, since numbers in a log may be chosen; nothing is ever taken out. Locks: none.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "unusual_impl.h"

#define BY_NAME (UINT64_C(1) << 63)

uint64_t unusual_mix(uint64_t x)
{
	x ^= x >> 30;
	x *= UINT64_C(0xbf58476d1ce4e5b9);
	x ^= x >> 27;
	x *= UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

static struct unusual_slot *probe(const struct unusual_map *m, uint64_t key)
{
	for (uint64_t i = unusual_mix(key);; i++) {
		struct unusual_slot *s = &m->slot[i & (m->size - 1)];

		if (!s->value || s->key == key)
			return s;
	}
}

static int map_grow(struct unusual_map *m)
{
	struct unusual_map bigger = {.size = m->size ? m->size * 2 : 64, .used = m->used};

	bigger.slot = calloc(bigger.size, sizeof(*bigger.slot));
	if (!bigger.slot)
		return -ENOMEM;
	for (uint32_t i = 0; i < m->size; i++)
		if (m->slot[i].value)
			*probe(&bigger, m->slot[i].key) = m->slot[i];
	free(m->slot);
	*m = bigger;
	return 0;
}

int unusual_map_at(struct unusual_map *m, uint64_t key, uint32_t **value)
{
	struct unusual_slot *s;
	int rc = m->used * 2 >= m->size ? map_grow(m) : 0;

	if (rc)
		return rc;
	s = probe(m, key);
	if (!s->value) {
		s->key = key;
		m->used++; /* the caller stores a value, or gives up altogether */
	}
	*value = &s->value;
	return 0;
}

void *unusual_grow(void *array, uint32_t count, size_t size)
{
	if (count && (count < 16 || count & (count - 1)))
		return array;
	return reallocarray(array, count < 16 ? 16 : (size_t)count * 2, size);
}

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
	array = unusual_grow(u->name, u->name_count, sizeof(*array));
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

	array = p ? unusual_grow(u->person, u->person_count, sizeof(struct unusual_person *)) : NULL;
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

int unusual_person(struct policy_unusual *u, const struct policy_record *r, uint32_t *out)
{
	uint64_t key = r->practitioner;
	struct unusual_person *p;
	uint32_t *value;
	int rc;

	for (const char *c = r->who; !r->practitioner && *c; c++)
		key = unusual_mix(key ^ (uint8_t)*c) | BY_NAME;
	rc = unusual_map_at(&u->persons, key, &value);
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

int unusual_journal(struct policy_unusual *u, const struct policy_record *r, uint32_t *out)
{
	struct unusual_journal *j;
	uint32_t *value;
	int rc = unusual_map_at(&u->journals, r->journal, &value);

	if (rc)
		return rc;
	if (!*value) {
		j = unusual_grow(u->journal, u->journal_count, sizeof(*j));
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
		free(j->name);
		j->name = name;
	}
	return 0;
}

int unusual_pair(struct policy_unusual *u, uint32_t person, uint32_t journal, uint32_t *out)
{
	struct unusual_pair *array;
	uint32_t *value;
	int rc = unusual_map_at(&u->pairs, (uint64_t)person << 32 | journal, &value);

	if (rc)
		return rc;
	if (!*value) {
		array = unusual_grow(u->pair, u->pair_count, sizeof(*array));
		if (!array)
			return -ENOMEM;
		u->pair = array;
		array[u->pair_count] =
			(struct unusual_pair){.person = person, .journal = journal};
		*value = ++u->pair_count;
	}
	*out = *value - 1;
	return 0;
}

void unusual_tally_add(struct unusual_tally *t, const struct policy_record *r)
{
	if (!t->count) {
		t->first_seq = r->seq;
		t->first_ns = r->time_ns;
	}
	t->last_seq = r->seq;
	t->last_ns = r->time_ns;
	t->count++;
}

bool unusual_set_has(const struct unusual_set *s, uint32_t journal)
{
	for (uint32_t i = 0; i < s->n; i++)
		if (s->journal[i] == journal)
			return true;
	return false;
}

bool unusual_set_add(struct unusual_set *s, uint32_t journal)
{
	if (s->n >= UNUSUAL_LIST || unusual_set_has(s, journal))
		return false;
	s->journal[s->n++] = journal;
	return true;
}

void unusual_tables_free(struct policy_unusual *u)
{
	for (uint32_t i = 0; i < u->person_count; i++)
		free(u->person[i]);
	for (uint32_t i = 0; i < u->journal_count; i++)
		free(u->journal[i].name);
	for (uint32_t i = 0; i < u->name_count; i++)
		free(u->name[i]);
	for (uint32_t i = 0; i < u->reason_count; i++)
		free(u->reason[i]);
	free(u->persons.slot);
	free(u->journals.slot);
	free(u->pairs.slot);
	free(u->reasons.slot);
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
