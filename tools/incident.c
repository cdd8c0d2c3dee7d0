/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tools/incident.c - adds up the records of an incident.
 *
 * Owns: the lists of struct incident. Invariant: the table of notes is at most half full.
 */
#include "incident.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../policy/basis.h"

static uint64_t mix(uint64_t x)
{
	x ^= x >> 30;
	x *= UINT64_C(0xbf58476d1ce4e5b9);
	x ^= x >> 27;
	x *= UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

static uint32_t *place(const struct incident *in, uint32_t journal, uint64_t note)
{
	for (uint64_t i = mix(note ^ mix(journal));; i++) {
		uint32_t *s = &in->slot[i & (in->slots - 1)];

		if (!*s || (in->note[*s - 1].journal == journal && in->note[*s - 1].note == note))
			return s;
	}
}

static int table_room(struct incident *in)
{
	size_t slots = in->slots ? in->slots * 2 : 256;
	uint32_t *old = in->slot;

	if (in->notes * 2 < in->slots)
		return 0;
	in->slot = calloc(slots, sizeof(*in->slot));
	if (!in->slot) {
		in->slot = old;
		return -ENOMEM;
	}
	in->slots = slots;
	for (size_t i = 0; i < in->notes; i++)
		*place(in, in->note[i].journal, in->note[i].note) = (uint32_t)i + 1;
	free(old);
	return 0;
}

static int text_set(char **to, const char *text)
{
	char *copy;

	if (!*text || (*to && !strcmp(*to, text)))
		return 0;
	copy = strdup(text);
	if (!copy)
		return -ENOMEM;
	free(*to);
	*to = copy;
	return 0;
}

static int note_of(struct incident *in, const struct policy_record *r, uint64_t note,
		   const char *name, struct incident_note **out)
{
	struct incident_note *array;
	uint32_t *s;

	if (table_room(in))
		return -ENOMEM;
	s = place(in, r->journal, note);
	if (!*s) {
		if (in->notes == in->note_cap) {
			size_t cap = in->note_cap ? in->note_cap * 2 : 64;

			array = reallocarray(in->note, cap, sizeof(*array));
			if (!array)
				return -ENOMEM;
			in->note = array;
			in->note_cap = cap;
		}
		in->note[in->notes] = (struct incident_note){
			.journal = r->journal, .note = note, .first_ns = r->time_ns};
		*s = (uint32_t)++in->notes;
	}
	*out = &in->note[*s - 1];
	(*out)->last_ns = r->time_ns;
	if (text_set(&(*out)->journal_name, r->journal_name))
		return -ENOMEM;
	return name && *name ? text_set(&(*out)->name, name) : 0;
}

static int notes_add(struct incident *in, const struct policy_record *r)
{
	enum policy_act act = policy_basis_act(r);
	struct incident_note *n;
	int rc = 0;

	if (act == POLICY_ACT_NONE && r->kind != POLICY_RECORD_CLOSE)
		return 0;
	for (size_t i = 0; r->kind == POLICY_RECORD_INTENT && !rc && i < r->note_count; i++) {
		rc = note_of(in, r, r->notes[i].note, r->notes[i].name, &n);
		if (!rc)
			n->could_read++;
	}
	if (rc || r->kind == POLICY_RECORD_INTENT)
		return rc;
	rc = note_of(in, r, act == POLICY_ACT_LOOK ? 0 : r->note, r->name, &n);
	if (rc)
		return rc;
	n->read += act == POLICY_ACT_READ && r->kind != POLICY_RECORD_EXPORT;
	n->exported += r->kind == POLICY_RECORD_EXPORT;
	n->written += act == POLICY_ACT_WRITE;
	n->refused += act == POLICY_ACT_REFUSED ? 1 + r->count : 0;
	return 0;
}

static int person_add(struct incident *in, const struct policy_record *r)
{
	struct incident_person *p = NULL, *array;

	if (!r->who[0])
		return 0;
	for (size_t i = 0; i < in->persons && !p; i++)
		if (in->person[i].number == r->practitioner && !strcmp(in->person[i].who, r->who))
			p = &in->person[i];
	if (!p) {
		array = reallocarray(in->person, in->persons + 1, sizeof(*array));
		if (!array)
			return -ENOMEM;
		in->person = array;
		p = &array[in->persons++];
		*p = (struct incident_person){.number = r->practitioner, .first_ns = r->time_ns};
	}
	p->last_ns = r->time_ns;
	p->records++;
	return text_set(&p->who, r->who) || text_set(&p->role, r->role) ||
			       text_set(&p->unit, r->unit)
		       ? -ENOMEM
		       : 0;
}

static int line_add(char ***list, size_t *n, const struct policy_record *r)
{
	size_t len = policy_record_text(r, NULL, 0) + 1;
	char **array, *line = malloc(len);

	if (!line)
		return -ENOMEM;
	policy_record_text(r, line, len);
	array = reallocarray(*list, *n + 1, sizeof(*array));
	if (!array) {
		free(line);
		return -ENOMEM;
	}
	*list = array;
	array[(*n)++] = line;
	return 0;
}

static int seq_add(struct incident *in, uint64_t seq)
{
	uint64_t *array;

	if (in->seqs == in->seq_cap) {
		size_t cap = in->seq_cap ? in->seq_cap * 2 : 1024;

		array = reallocarray(in->seq, cap, sizeof(*array));
		if (!array)
			return -ENOMEM;
		in->seq = array;
		in->seq_cap = cap;
	}
	in->seq[in->seqs++] = seq;
	return 0;
}

int tools_incident_add(struct incident *in, const struct policy_record *r)
{
	int rc = seq_add(in, r->seq);

	if (!in->first_ns)
		in->first_ns = r->time_ns;
	in->last_ns = r->time_ns;
	if (!rc)
		rc = person_add(in, r);
	if (!rc && r->journal)
		rc = notes_add(in, r);
	if (rc)
		return rc;
	switch (r->kind) {
	case POLICY_RECORD_EXPORT:
	case POLICY_RECORD_MOVE:
		return line_add(&in->left, &in->lefts, r);
	case POLICY_RECORD_BREAK_GLASS:
	case POLICY_RECORD_BREAK_GLASS_END:
	case POLICY_RECORD_GRANT_REVIEW:
	case POLICY_RECORD_ATTEND:
		return line_add(&in->grant, &in->grants, r);
	case POLICY_RECORD_LOGIN:
	case POLICY_RECORD_LOGOUT:
		return line_add(&in->session, &in->sessions, r);
	default:
		return 0;
	}
}

static void lines_clear(char **list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(list[i]);
	free(list);
}

void tools_incident_clear(struct incident *in)
{
	for (size_t i = 0; i < in->notes; i++) {
		free(in->note[i].journal_name);
		free(in->note[i].name);
	}
	for (size_t i = 0; i < in->persons; i++) {
		free(in->person[i].who);
		free(in->person[i].role);
		free(in->person[i].unit);
	}
	lines_clear(in->left, in->lefts);
	lines_clear(in->grant, in->grants);
	lines_clear(in->session, in->sessions);
	free(in->note);
	free(in->slot);
	free(in->person);
	free(in->seq);
	*in = (struct incident){0};
}

static int by_number(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

int tools_incident_journals(const struct incident *in, size_t *out)
{
	uint32_t *number = calloc(in->notes + 1, sizeof(*number));

	if (!number)
		return -ENOMEM;
	for (size_t i = 0; i < in->notes; i++)
		number[i] = in->note[i].journal;
	qsort(number, in->notes, sizeof(*number), by_number);
	*out = 0;
	for (size_t i = 0; i < in->notes; i++)
		*out += !i || number[i] != number[i - 1];
	free(number);
	return 0;
}
