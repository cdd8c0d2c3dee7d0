/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy/practitioner_use.c - adds up what one practitioner did.
 *
 * Owns: journals and sessions, by number and by id. Locks: none.
 */
#include "practitioner_use.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "map.h"

struct policy_use {
	struct policy_use_settings set;
	struct policy_map journals, sessions;
	struct policy_use_journal *journal;
	struct policy_use_session *session;
	uint32_t journal_count, session_count;
	struct policy_use_total total;
};

int policy_use_new(const struct policy_use_settings *set, struct policy_use **out)
{
	struct policy_use *u = calloc(1, sizeof(*u));

	if (!u)
		return -ENOMEM;
	if (set)
		u->set = *set;
	*out = u;
	return 0;
}

void policy_use_free(struct policy_use *u)
{
	if (!u)
		return;
	for (uint32_t i = 0; i < u->journal_count; i++)
		free(u->journal[i].name);
	free(u->journal);
	free(u->session);
	policy_map_clear(&u->journals);
	policy_map_clear(&u->sessions);
	free(u);
}

static bool off_hours(const struct policy_use *u, int64_t time_ns)
{
	int64_t s = time_ns / 1000000000, day;
	unsigned weekday, minute;

	if (u->set.offset_s)
		s += u->set.offset_s(u->set.ctx, s);
	day = s / 86400 - (s % 86400 < 0);
	weekday = (unsigned)(((day + 3) % 7 + 7) % 7);
	minute = (unsigned)((s - day * 86400) / 60);
	if (u->set.practice && policy_practice_has_hours(u->set.practice))
		return !policy_practice_works(u->set.practice, weekday, minute);
	return weekday >= 5 || minute < 7 * 60 || minute >= 18 * 60;
}

static int name_set(struct policy_use *u, struct policy_use_journal *j,
		    const struct policy_record *r)
{
	char *name;

	if (!r->journal_name[0] || (j->name && !strcmp(j->name, r->journal_name)))
		return 0;
	name = strdup(r->journal_name);
	if (!name)
		return -ENOMEM;
	free(j->name);
	j->name = name;
	if (u->set.practice && j->kin == POLICY_KIN_NONE)
		j->kin = policy_practice_kin(u->set.practice, r->who, name);
	return 0;
}

static int journal_of(struct policy_use *u, const struct policy_record *r,
		      struct policy_use_journal **out)
{
	struct policy_use_journal *array;
	uint32_t *value;
	int rc = policy_map_at(&u->journals, r->journal, &value);

	if (rc)
		return rc;
	if (!*value) {
		array = policy_map_grow(u->journal, u->journal_count, sizeof(*array));
		if (!array)
			return -ENOMEM;
		u->journal = array;
		array[u->journal_count] =
			(struct policy_use_journal){.number = r->journal, .first_ns = r->time_ns};
		*value = ++u->journal_count;
	}
	*out = &u->journal[*value - 1];
	(*out)->last_ns = r->time_ns;
	return name_set(u, *out, r);
}

static int session_add(struct policy_use *u, const struct policy_record *r)
{
	static const uint8_t none[sizeof(r->session)];
	struct policy_use_session *s;
	uint64_t half[2];
	uint32_t *value;
	int rc;

	memcpy(half, r->session, sizeof(half));
	if (!memcmp(r->session, none, sizeof(none)))
		return 0;
	rc = policy_map_at(&u->sessions, half[0] ^ policy_map_mix(half[1]), &value);
	if (rc)
		return rc;
	if (!*value) {
		s = policy_map_grow(u->session, u->session_count, sizeof(*s));
		if (!s)
			return -ENOMEM;
		u->session = s;
		s += u->session_count;
		*s = (struct policy_use_session){.first_ns = r->time_ns};
		memcpy(s->id, r->session, sizeof(s->id));
		*value = ++u->session_count;
	}
	s = &u->session[*value - 1];
	if (r->origin[0] && !s->origin[0])
		policy_record_copy(s->origin, sizeof(s->origin), r->origin);
	s->last_ns = r->time_ns;
	s->acts++;
	s->ended = s->ended || r->kind == POLICY_RECORD_LOGOUT;
	return 0;
}

static void count(struct policy_use_counts *n, enum policy_act act, bool off,
		  const struct policy_record *r)
{
	n->looked += act == POLICY_ACT_LOOK;
	n->exported += r->kind == POLICY_RECORD_EXPORT;
	n->read += act == POLICY_ACT_READ;
	n->written += act == POLICY_ACT_WRITE;
	n->refused += act == POLICY_ACT_REFUSED ? 1 + r->count : 0;
	n->off_hours += off && (act == POLICY_ACT_READ || act == POLICY_ACT_WRITE);
	if (act == POLICY_ACT_READ)
		n->basis[policy_basis_of(r)]++;
}

static int journal_add(struct policy_use *u, const struct policy_record *r)
{
	enum policy_act act = policy_basis_act(r);
	bool glass = r->kind == POLICY_RECORD_BREAK_GLASS, attend = r->kind == POLICY_RECORD_ATTEND;
	enum policy_basis basis = policy_basis_of(r);
	bool off = off_hours(u, r->time_ns);
	struct policy_use_journal *j;
	int rc;

	if (act == POLICY_ACT_NONE && !glass && !attend)
		return 0;
	rc = journal_of(u, r, &j);
	if (rc)
		return rc;
	count(&j->n, act, off, r);
	count(&u->total.n, act, off, r);
	j->grants += glass;
	u->total.grants += glass;
	u->total.attends += attend;
	j->related = j->related || attend || act == POLICY_ACT_WRITE ||
		     (act == POLICY_ACT_READ &&
		      (basis == POLICY_BASIS_OWN || basis == POLICY_BASIS_ATTEND));
	return 0;
}

int policy_use_add(struct policy_use *u, const struct policy_record *r)
{
	struct policy_use_total *t = &u->total;
	int rc = session_add(u, r);

	if (rc)
		return rc;
	if (!t->first_ns)
		t->first_ns = r->time_ns;
	t->last_ns = r->time_ns;
	if (r->role[0])
		policy_record_copy(t->role, sizeof(t->role), r->role);
	if (r->unit[0])
		policy_record_copy(t->unit, sizeof(t->unit), r->unit);
	if (r->journal)
		return journal_add(u, r);
	t->logins_refused += r->kind == POLICY_RECORD_REFUSED;
	return 0;
}

/* What a reader has to ask about comes first. */
static unsigned rank(const struct policy_use_journal *j)
{
	if (j->kin != POLICY_KIN_NONE)
		return 0;
	return j->related || !j->n.read ? 2 : 1;
}

static int by_readings(const void *a, const void *b)
{
	const struct policy_use_journal *x = a, *y = b;

	if (rank(x) != rank(y))
		return rank(x) < rank(y) ? -1 : 1;
	if (x->n.read != y->n.read)
		return x->n.read < y->n.read ? 1 : -1;
	return x->number < y->number ? -1 : x->number > y->number;
}

const struct policy_use_journal *policy_use_journals(struct policy_use *u, size_t *n)
{
	/* Positions change: nothing is added from here on. */
	policy_map_clear(&u->journals);
	if (u->journal_count)
		qsort(u->journal, u->journal_count, sizeof(*u->journal), by_readings);
	*n = u->journal_count;
	return u->journal;
}

const struct policy_use_session *policy_use_sessions(struct policy_use *u, size_t *n)
{
	*n = u->session_count;
	return u->session;
}

const struct policy_use_total *policy_use_total(const struct policy_use *u)
{
	return &u->total;
}
