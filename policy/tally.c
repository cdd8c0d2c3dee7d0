/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy/tally.c - see tally.h: what is counted, and in which order it comes out.
 *
 * Owns: the tables of a tally (people, journals, their pairs, days, refusals, grants, events).
 * Invariants: a record outside the period changes nothing but the state of grants; the sums over
 * people, over hours and over days of accesses are those of the whole, but for accesses without a
 * practitioner, which are nobody's.
 */
#include "tally.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tally_table.h"

#define REVIEW_S (72 * 3600)
#define DAY_S 86400

struct policy_tally {
	struct policy_tally_settings set;
	struct policy_tally_view view;
	struct policy_table days, people, journals, pairs, grants, refusals, alarms, sign_offs;
};

int policy_tally_new(const struct policy_tally_settings *set, struct policy_tally **out)
{
	struct policy_tally *t = calloc(1, sizeof(*t));

	if (!t)
		return -ENOMEM;
	t->set = *set;
	if (!t->set.review_s)
		t->set.review_s = REVIEW_S;
	t->days.size = sizeof(struct policy_tally_day);
	t->people.size = sizeof(struct policy_tally_person);
	t->journals.size = sizeof(struct policy_tally_journal);
	t->pairs.size = 1;
	t->grants.size = sizeof(struct policy_tally_grant);
	t->refusals.size = sizeof(struct policy_tally_refusal);
	t->alarms.size = t->sign_offs.size = sizeof(struct policy_tally_event);
	*out = t;
	return 0;
}

void policy_tally_free(struct policy_tally *t)
{
	if (!t)
		return;
	policy_table_clear(&t->days);
	policy_table_clear(&t->people);
	policy_table_clear(&t->journals);
	policy_table_clear(&t->pairs);
	policy_table_clear(&t->grants);
	policy_table_clear(&t->refusals);
	policy_table_clear(&t->alarms);
	policy_table_clear(&t->sign_offs);
	free(t);
}

static bool in_period(const struct policy_tally *t, int64_t time_ns)
{
	return time_ns >= t->set.since_ns && (!t->set.until_ns || time_ns < t->set.until_ns);
}

/* The closing of a note tells how much was read and written; it is part of its opening. */
static enum policy_act act_of(const struct policy_record *r)
{
	return r->kind == POLICY_RECORD_CLOSE ? POLICY_ACT_NONE : policy_basis_act(r);
}

static enum policy_tally_basis basis_of(const struct policy_record *r)
{
	switch (policy_basis_of(r)) {
	case POLICY_BASIS_OWN:
	case POLICY_BASIS_ATTEND:
		return POLICY_TALLY_OWN;
	case POLICY_BASIS_UNIT:
	case POLICY_BASIS_ROLE:
	case POLICY_BASIS_DEFAULT:
		return POLICY_TALLY_SHARED;
	case POLICY_BASIS_GRANT:
		return POLICY_TALLY_EMERGENCY;
	default:
		return POLICY_TALLY_NOT_SAID;
	}
}

/* ---- when */

static int64_t floor_div(int64_t a, int64_t b)
{
	return a / b - (a % b < 0);
}

static int64_t local_s(const struct policy_tally *t, int64_t time_ns)
{
	int64_t s = floor_div(time_ns, 1000000000);

	return s + (t->set.offset_s ? t->set.offset_s(t->set.ctx, s) : 0);
}

static int add_time(struct policy_tally *t, const struct policy_record *r, bool access)
{
	int64_t local = local_s(t, r->time_ns), day = floor_div(local, DAY_S);
	struct policy_tally_day *d = policy_table_get(&t->days, (uint64_t)day, 0);

	if (!d)
		return -ENOMEM;
	d->day = day;
	if (access) {
		int64_t weekday = ((day + 3) % 7 + 7) % 7; /* 1970-01-01 was a Thursday */

		d->accesses++;
		t->view.hours[weekday][(local - day * DAY_S) / 3600]++;
	}
	d->refused += r->kind == POLICY_RECORD_REFUSED;
	d->grants += r->kind == POLICY_RECORD_BREAK_GLASS;
	return 0;
}

/* ---- who and what */

/* First time that the two meet? -ENOMEM. */
static int meet(struct policy_tally *t, const struct policy_record *r)
{
	uint8_t *met = policy_table_get(&t->pairs, r->practitioner, r->journal);
	int first;

	if (!met)
		return -ENOMEM;
	first = !*met;
	*met = 1;
	return first;
}

static int add_person(struct policy_tally *t, const struct policy_record *r, enum policy_act act,
		      int first)
{
	struct policy_tally_person *p = policy_table_get(&t->people, r->practitioner, 0);

	if (!p)
		return -ENOMEM;
	p->practitioner = r->practitioner;
	if (r->who[0])
		policy_record_copy(p->who, sizeof(p->who), r->who);
	p->reads += act == POLICY_ACT_READ;
	p->writes += act == POLICY_ACT_WRITE;
	p->looks += act == POLICY_ACT_LOOK;
	p->refused += r->kind == POLICY_RECORD_REFUSED;
	p->grants += r->kind == POLICY_RECORD_BREAK_GLASS;
	if (act == POLICY_ACT_READ || act == POLICY_ACT_WRITE)
		p->basis[basis_of(r)]++;
	p->journals += first > 0;
	return 0;
}

static int add_journal(struct policy_tally *t, const struct policy_record *r, enum policy_act act,
		       int first)
{
	struct policy_tally_journal *j = policy_table_get(&t->journals, r->journal, 0);

	if (!j)
		return -ENOMEM;
	j->journal = r->journal;
	if (r->journal_name[0])
		policy_record_copy(j->name, sizeof(j->name), r->journal_name);
	j->reads += act == POLICY_ACT_READ;
	j->writes += act == POLICY_ACT_WRITE;
	j->looks += act == POLICY_ACT_LOOK;
	j->refused += act == POLICY_ACT_REFUSED;
	j->grants += r->kind == POLICY_RECORD_BREAK_GLASS;
	if (act == POLICY_ACT_READ || act == POLICY_ACT_WRITE)
		j->basis[basis_of(r)]++;
	j->people += first > 0;
	return 0;
}

static void refuse_person(struct policy_tally *t, const struct policy_tally_refusal *f)
{
	struct policy_tally_person *p = policy_table_find(&t->people, f->practitioner, 0);

	if (!p)
		return;
	p->refused_at += f->journal && f->count == 1;
	p->refused_ns = f->last_ns;
	policy_record_copy(p->refused_why, sizeof(p->refused_why), f->why);
}

/* After the person's own numbers. */
static int add_refusal(struct policy_tally *t, const struct policy_record *r)
{
	struct policy_tally_refusal *f =
		policy_table_get(&t->refusals, r->practitioner, r->journal);

	if (!f)
		return -ENOMEM;
	if (!f->count++)
		f->first_ns = r->time_ns;
	f->practitioner = r->practitioner;
	f->journal = r->journal;
	f->last_ns = r->time_ns;
	policy_record_copy(f->who, sizeof(f->who), r->who);
	if (r->journal_name[0])
		policy_record_copy(f->name, sizeof(f->name), r->journal_name);
	policy_record_copy(f->why, sizeof(f->why), r->rule[0] ? r->rule : r->detail);
	refuse_person(t, f);
	return 0;
}

static int add_event(struct policy_table *to, const struct policy_record *r)
{
	struct policy_tally_event *e;

	if (to->count >= POLICY_TALLY_EVENTS)
		return 0;
	e = policy_table_get(to, r->seq, (uint64_t)r->time_ns);
	if (!e)
		return -ENOMEM;
	e->seq = r->seq;
	e->time_ns = r->time_ns;
	policy_record_copy(e->who, sizeof(e->who), r->who);
	policy_record_copy(e->text, sizeof(e->text), r->detail[0] ? r->detail : r->reason);
	return 0;
}

/* ---- emergency accesses */

/* The words behind the name in a verdict's detail (fs/break_glass_review.c). */
static void judge(struct policy_tally_grant *g, const struct policy_record *r)
{
	const char *said = strrchr(r->detail, ':');

	if (!said)
		return;
	if (!strcmp(said, ": justified"))
		g->state = POLICY_TALLY_JUSTIFIED;
	else if (!strncmp(said, ": UNJUSTIFIED", 13))
		g->state = POLICY_TALLY_UNJUSTIFIED;
	else if (strstr(said, "is closed"))
		g->state = POLICY_TALLY_SETTLED;
	else
		return;
	g->review_ns = r->time_ns;
	policy_record_copy(g->reviewer, sizeof(g->reviewer), r->who);
	policy_record_copy(g->note, sizeof(g->note), r->reason);
}

static int begin_grant(struct policy_tally *t, const struct policy_record *r)
{
	struct policy_tally_grant *g = policy_table_get(&t->grants, r->grant, 0);

	if (!g)
		return -ENOMEM;
	if (g->from_ns) /* told twice */
		return 0;
	g->number = r->grant;
	g->practitioner = r->practitioner;
	g->from_ns = r->time_ns;
	g->until_ns = r->until_ns;
	policy_record_copy(g->who, sizeof(g->who), r->who);
	policy_record_copy(g->journal, sizeof(g->journal), r->journal_name);
	policy_record_copy(g->ground, sizeof(g->ground), r->detail);
	policy_record_copy(g->reason, sizeof(g->reason), r->reason);
	return 0;
}

static int add_grant(struct policy_tally *t, const struct policy_record *r)
{
	struct policy_tally_grant *g;

	if (r->kind == POLICY_RECORD_BREAK_GLASS)
		return in_period(t, r->time_ns) ? begin_grant(t, r) : 0;
	g = policy_table_find(&t->grants, r->grant, 0);
	if (!g)
		return 0;
	if (r->kind == POLICY_RECORD_BREAK_GLASS_END) {
		g->ended_ns = r->time_ns;
		policy_record_copy(g->ended, sizeof(g->ended), r->detail);
	} else if (r->kind == POLICY_RECORD_GRANT_REVIEW) {
		judge(g, r);
	} else if (r->kind == POLICY_RECORD_NOTICE) {
		g->told_failed = r->outcome != 0;
	} else if (act_of(r) != POLICY_ACT_NONE) {
		g->acts++;
	}
	return 0;
}

static void settle(struct policy_tally *t, struct policy_tally_grant *g)
{
	if (g->state == POLICY_TALLY_OPEN) {
		bool over = g->ended_ns || g->until_ns <= t->set.now_ns;
		int64_t due = g->from_ns + t->set.review_s * 1000000000;

		if (over)
			g->state =
				due <= t->set.now_ns ? POLICY_TALLY_OVERDUE : POLICY_TALLY_PENDING;
	}
	t->view.grants_at[g->state]++;
}

/* ---- all of it */

static void count(struct policy_tally *t, const struct policy_record *r, enum policy_act act)
{
	struct policy_tally_view *v = &t->view;

	if (!v->records++) {
		v->first_seq = r->seq;
		v->first_ns = r->time_ns;
	}
	v->last_seq = r->seq;
	v->last_ns = r->time_ns > v->last_ns ? r->time_ns : v->last_ns;
	v->reads += act == POLICY_ACT_READ;
	v->writes += act == POLICY_ACT_WRITE;
	v->looks += act == POLICY_ACT_LOOK;
	v->refused += r->kind == POLICY_RECORD_REFUSED;
	v->alarms += r->kind == POLICY_RECORD_ALARM;
	v->logins += r->kind == POLICY_RECORD_LOGIN && !r->outcome;
	v->exports += r->kind == POLICY_RECORD_EXPORT;
	v->log_reads += r->kind == POLICY_RECORD_AUDIT;
	v->signed_off += r->kind == POLICY_RECORD_LOG_REVIEW;
	if (act == POLICY_ACT_READ || act == POLICY_ACT_WRITE)
		v->basis[basis_of(r)]++;
}

static int add_counted(struct policy_tally *t, const struct policy_record *r)
{
	enum policy_act act = act_of(r);
	bool access = act == POLICY_ACT_READ || act == POLICY_ACT_WRITE;
	bool told = access || act == POLICY_ACT_LOOK || r->kind == POLICY_RECORD_REFUSED ||
		    r->kind == POLICY_RECORD_BREAK_GLASS;
	int first = 0, rc = 0;

	count(t, r, act);
	if (access && r->practitioner)
		first = meet(t, r);
	if (first < 0)
		return first;
	if (told)
		rc = add_time(t, r, access);
	if (!rc && told && r->practitioner)
		rc = add_person(t, r, act, first);
	if (!rc && told && r->journal)
		rc = add_journal(t, r, act, first);
	if (!rc && r->kind == POLICY_RECORD_REFUSED)
		rc = add_refusal(t, r);
	if (!rc && r->kind == POLICY_RECORD_ALARM)
		rc = add_event(&t->alarms, r);
	if (!rc && r->kind == POLICY_RECORD_LOG_REVIEW)
		rc = add_event(&t->sign_offs, r);
	return rc;
}

int policy_tally_add(struct policy_tally *t, const struct policy_record *r)
{
	int rc = r->grant ? add_grant(t, r) : 0;

	if (!rc && in_period(t, r->time_ns))
		rc = add_counted(t, r);
	return rc;
}

/* ---- order: what weighs most comes first, then what has the smaller number */

static int more(uint64_t a, uint64_t b, uint64_t a_number, uint64_t b_number)
{
	if (a != b)
		return a > b ? -1 : 1;
	return a_number < b_number ? -1 : a_number > b_number;
}

static int by_person(const void *a, const void *b)
{
	const struct policy_tally_person *p = a, *q = b;

	return more(p->reads + p->writes, q->reads + q->writes, p->practitioner, q->practitioner);
}

static int by_journal(const void *a, const void *b)
{
	const struct policy_tally_journal *p = a, *q = b;

	return more(p->reads + p->writes, q->reads + q->writes, p->journal, q->journal);
}

static int by_refusals(const void *a, const void *b)
{
	const struct policy_tally_refusal *p = a, *q = b;

	return more(p->count, q->count, (uint64_t)p->first_ns, (uint64_t)q->first_ns);
}

static int by_day(const void *a, const void *b)
{
	const struct policy_tally_day *p = a, *q = b;

	return p->day < q->day ? -1 : p->day > q->day;
}

const struct policy_tally_view *policy_tally_finish(struct policy_tally *t)
{
	struct policy_tally_view *v = &t->view;

	for (size_t i = 0; i < t->grants.count; i++)
		settle(t, policy_table_at(&t->grants, i));
	v->days = policy_table_sort(&t->days, by_day, &v->day_count);
	v->people = policy_table_sort(&t->people, by_person, &v->people_count);
	v->journals = policy_table_sort(&t->journals, by_journal, &v->journal_count);
	v->refusals = policy_table_sort(&t->refusals, by_refusals, &v->refusal_count);
	v->grants = policy_table_sort(&t->grants, NULL, &v->grant_count);
	v->alarm_list = policy_table_sort(&t->alarms, NULL, &v->alarm_count);
	v->sign_offs = policy_table_sort(&t->sign_offs, NULL, &v->sign_off_count);
	return v;
}

const char *policy_tally_state_text(enum policy_tally_state s)
{
	static const char *const text[POLICY_TALLY_STATES] = {
		[POLICY_TALLY_OPEN] = "open",
		[POLICY_TALLY_PENDING] = "waits for review",
		[POLICY_TALLY_OVERDUE] = "review overdue",
		[POLICY_TALLY_JUSTIFIED] = "justified",
		[POLICY_TALLY_UNJUSTIFIED] = "unjustified",
		[POLICY_TALLY_SETTLED] = "deviation closed",
	};

	return s < POLICY_TALLY_STATES ? text[s] : "";
}
