/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy/unusual_care.c - what explains that somebody opened a journal, and what does not.
 *
 * Explained at once: an entry of his own, a relationship that he stated, emergency access (which is
 * reviewed by itself), own work in the journal within a year, work of his unit in the last month, a
 * journal made lately. What is not waits three weeks, since work often follows a reading: then his
 * own or his unit's work, or a statement, explains it. The rest is suspect; work of another unit
 * explains it for those who always read across units.
 *
 * Invariants: waiting readings lie in a ring in the order of time, their ids ascend; a link to an
 * id below the ring's first is the end of a list. Locks: none.
 */
#include <errno.h>
#include <stdlib.h>

#include "unusual_impl.h"

#define OWN_WORK_MIN (365 * 1440)
#define BEFORE_MIN (30 * 1440) /* work of the unit that a reading may follow */
#define AFTER_MIN (21 * 1440)  /* and that it may prepare: a visit is booked weeks ahead */
#define WAIT_NS (22 * UNUSUAL_DAY_NS)
#define NEW_MIN (30 * 1440)
#define DORMANT_MIN (90 * 1440)
#define EPISODE_NS (12 * UNUSUAL_HOUR_NS)
#define NO_KIN UINT32_MAX
#define RECENT_NS UNUSUAL_DAY_NS
#define PER_PERSON 3  /* suspect journals of somebody who does not stand out */
#define PER_STRANGE 8 /* of somebody who does */
#define POOL_LEAST 20 /* journals of somebody whose share counts for others */
#define WORTH 350     /* score of a journal below which nobody is asked */

static uint32_t minute_of(int64_t ns)
{
	int64_t m = ns / UNUSUAL_MINUTE_NS;

	return m < 1 ? 1 : m > UINT32_MAX ? UINT32_MAX : (uint32_t)m;
}

static bool lately(uint32_t then, uint32_t now, uint32_t within)
{
	return then && (then >= now || now - then <= within);
}

static struct unusual_pending *pending_at(const struct policy_unusual *u, uint32_t id)
{
	if (!id || id < u->pending_first || id - u->pending_first >= u->pending_count)
		return NULL;
	return &u->pending[id & (u->pending_cap - 1)];
}

static int pending_room(struct policy_unusual *u)
{
	uint32_t cap = u->pending_cap ? u->pending_cap * 2 : 64;
	struct unusual_pending *bigger;

	if (u->pending_count < u->pending_cap)
		return 0;
	bigger = calloc(cap, sizeof(*bigger));
	if (!bigger)
		return -ENOMEM;
	for (uint32_t i = 0; i < u->pending_count; i++) {
		uint32_t id = u->pending_first + i;

		bigger[id & (cap - 1)] = u->pending[id & (u->pending_cap - 1)];
	}
	free(u->pending);
	u->pending = bigger;
	u->pending_cap = cap;
	if (!u->pending_first)
		u->pending_first = 1;
	return 0;
}

/* Whoever has no unit works for all. */
static bool same_unit(const struct unusual_person *p, uint32_t unit)
{
	return !p->unit || p->unit == unit;
}

/* p NULL: any unit. */
static bool unit_worked(const struct unusual_person *p, const struct unusual_journal *j,
			uint32_t now, uint32_t within)
{
	for (unsigned i = 0; i < 4; i++)
		if ((!p || same_unit(p, j->care[i].unit)) && lately(j->care[i].minute, now, within))
			return true;
	return false;
}

static bool explained(const struct policy_unusual *u, const struct unusual_pair *pair,
		      const struct policy_record *r)
{
	const struct unusual_person *p = u->person[pair->person];
	const struct unusual_journal *j = &u->journal[pair->journal];
	enum policy_basis basis = policy_basis_of(r);
	uint32_t now = minute_of(r->time_ns);

	if (basis == POLICY_BASIS_OWN || basis == POLICY_BASIS_ATTEND || r->grant)
		return true;
	return pair->attend_minute > now || lately(pair->wrote_minute, now, OWN_WORK_MIN) ||
	       lately(j->made_minute, now, NEW_MIN) || unit_worked(p, j, now, BEFORE_MIN);
}

static int wait_for(struct policy_unusual *u, uint32_t index, const struct policy_record *r)
{
	struct unusual_pair *pair = &u->pair[index];
	struct unusual_journal *j = &u->journal[pair->journal];
	struct unusual_pending *p = pending_at(u, pair->pending);
	uint32_t id;

	if (p && r->time_ns - p->t.first_ns < EPISODE_NS) {
		unusual_tally_add(&p->t, r);
		return 0;
	}
	if (pending_room(u))
		return -ENOMEM;
	id = u->pending_first + u->pending_count++;
	p = &u->pending[id & (u->pending_cap - 1)];
	*p = (struct unusual_pending){
		.pair = index,
		.next = j->pending,
		.cross = unit_worked(NULL, j, minute_of(r->time_ns), BEFORE_MIN),
		.off_hours = unusual_off_hours(u, u->person[pair->person], r->time_ns),
	};
	unusual_tally_add(&p->t, r);
	j->pending = pair->pending = id;
	return 0;
}

int unusual_read(struct policy_unusual *u, uint32_t person, uint32_t journal,
		 const struct policy_record *r)
{
	uint32_t day = minute_of(r->time_ns) / 1440 + 1, index;
	struct unusual_pair *pair;
	int rc = unusual_pair(u, person, journal, &index);

	if (rc)
		return rc;
	pair = &u->pair[index];
	if (!pair->read_day)
		u->person[person]->journals++;
	if (pair->read_day != day)
		u->person[person]->reads++;
	pair->read_day = day;
	return explained(u, pair, r) ? 0 : wait_for(u, index, r);
}

/* What waits of this journal is explained by what has happened now. */
static void explain_waiting(struct policy_unusual *u, uint32_t person, uint32_t journal,
			    bool unit_too, int64_t now_ns)
{
	struct unusual_pending *p = pending_at(u, u->journal[journal].pending);

	for (; p; p = pending_at(u, p->next)) {
		const struct unusual_person *reader = u->person[u->pair[p->pair].person];

		if (now_ns - p->t.last_ns > AFTER_MIN * UNUSUAL_MINUTE_NS)
			continue;
		if (u->pair[p->pair].person == person ||
		    (unit_too && same_unit(reader, u->person[person]->unit)))
			p->explained = true;
		else if (unit_too)
			p->cross = true;
	}
}

static void care_put(struct unusual_journal *j, uint32_t unit, uint32_t now)
{
	struct unusual_care *use = &j->care[0];

	for (unsigned i = 0; i < 4; i++) {
		if (j->care[i].minute && j->care[i].unit == unit) {
			use = &j->care[i];
			break;
		}
		if (j->care[i].minute < use->minute)
			use = &j->care[i];
	}
	*use = (struct unusual_care){.unit = unit, .minute = now};
}

int unusual_work(struct policy_unusual *u, uint32_t person, uint32_t journal,
		 const struct policy_record *r)
{
	uint32_t index, now = minute_of(r->time_ns);
	int rc = unusual_pair(u, person, journal, &index);

	if (rc)
		return rc;
	u->pair[index].wrote_minute = now;
	u->person[person]->works++;
	care_put(&u->journal[journal], u->person[person]->unit, now);
	explain_waiting(u, person, journal, true, r->time_ns);
	return 0;
}

int unusual_attend(struct policy_unusual *u, uint32_t person, uint32_t journal,
		   const struct policy_record *r)
{
	uint32_t index;
	int rc = unusual_pair(u, person, journal, &index);

	if (rc)
		return rc;
	if (r->until_ns)
		u->pair[index].attend_minute = minute_of(r->until_ns);
	explain_waiting(u, person, journal, false, r->time_ns);
	return 0;
}

static bool foreign(const struct unusual_person *p, const struct unusual_journal *j)
{
	bool some = false;

	for (unsigned i = 0; i < 4; i++) {
		if (!j->care[i].minute)
			continue;
		if (same_unit(p, j->care[i].unit))
			return false;
		some = true;
	}
	return some;
}

static bool dormant(const struct unusual_journal *j, uint32_t now)
{
	for (unsigned i = 0; i < 4; i++)
		if (lately(j->care[i].minute, now, DORMANT_MIN))
			return false;
	return true;
}

static void tally_join(struct unusual_tally *t, const struct unusual_tally *more)
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

static struct unusual_suspect *suspect_of(struct policy_unusual *u, uint32_t index)
{
	struct unusual_pair *pair = &u->pair[index];
	struct unusual_suspect *array;

	if (!pair->suspect) {
		array = policy_map_grow(u->suspect, u->suspect_count, sizeof(*array));
		if (!array)
			return NULL;
		u->suspect = array;
		array[u->suspect_count] = (struct unusual_suspect){.pair = index, .recent = true};
		pair->suspect = ++u->suspect_count;
	}
	return &u->suspect[pair->suspect - 1];
}

static int suspect_put(struct policy_unusual *u, const struct unusual_pending *p, bool recent)
{
	struct unusual_suspect *s = suspect_of(u, p->pair);
	struct unusual_person *person;
	struct unusual_journal *j;

	if (!s)
		return -ENOMEM;
	person = u->person[u->pair[p->pair].person];
	j = &u->journal[u->pair[p->pair].journal];
	if (p->cross) {
		tally_join(&s->across, &p->t);
		s->cross++;
		person->cross++;
		return 0;
	}
	tally_join(&s->t, &p->t);
	s->episodes++;
	s->off_hours += p->off_hours;
	s->foreign = s->foreign || foreign(person, j);
	s->dormant = s->dormant || dormant(j, minute_of(p->t.first_ns));
	s->recent = s->recent && recent;
	return 0;
}

int unusual_settle(struct policy_unusual *u, bool all)
{
	while (u->pending_count) {
		struct unusual_pending *p = pending_at(u, u->pending_first);
		int rc = 0;

		if (!all && u->now_ns - p->t.first_ns <= WAIT_NS)
			break;
		if (!p->explained)
			rc = suspect_put(u, p, all && u->now_ns - p->t.last_ns < RECENT_NS);
		if (rc)
			return rc;
		u->pending_first++;
		u->pending_count--;
	}
	return 0;
}

void unusual_forget(struct policy_unusual *u, uint32_t person, int64_t since_ns)
{
	for (uint32_t i = u->pending_count; i > 0; i--) {
		struct unusual_pending *p = pending_at(u, u->pending_first + i - 1);

		if (p->t.first_ns < since_ns)
			break;
		if (u->pair[p->pair].person == person)
			p->explained = true;
	}
}

/* ---- own and relatives' journals ---- */

static int kin_new(struct policy_unusual *u, uint32_t index)
{
	struct unusual_pair *pair = &u->pair[index];
	const char *name = u->journal[pair->journal].name;
	enum policy_kin kin = policy_practice_kin(u->set.practice, u->person[pair->person]->who,
						  name ? name : "");
	struct unusual_kin *array;

	pair->kin = NO_KIN;
	if (kin == POLICY_KIN_NONE)
		return 0;
	array = policy_map_grow(u->kin, u->kin_count, sizeof(*array));
	if (!array)
		return -ENOMEM;
	u->kin = array;
	array[u->kin_count] = (struct unusual_kin){.pair = index, .kin = kin};
	pair->kin = ++u->kin_count;
	return 0;
}

int unusual_kin_act(struct policy_unusual *u, uint32_t person, uint32_t journal, bool wrote,
		    const struct policy_record *r)
{
	struct unusual_kin *k;
	uint32_t index;
	int rc;

	if (!u->set.practice)
		return 0;
	rc = unusual_pair(u, person, journal, &index);
	if (!rc && !u->pair[index].kin)
		rc = kin_new(u, index);
	if (rc || u->pair[index].kin == NO_KIN)
		return rc;
	k = &u->kin[u->pair[index].kin - 1];
	unusual_tally_add(&k->t, r);
	k->wrote += wrote;
	return 0;
}

static int kin_found(struct policy_unusual *u, const struct unusual_kin *k)
{
	const struct unusual_pair *pair = &u->pair[k->pair];
	bool own = k->kin == POLICY_KIN_OWN;
	unsigned score = (own ? 600 : 650) + (k->wrote ? 150 : 0);

	return unusual_found(u, own ? POLICY_UNUSUAL_OWN : POLICY_UNUSUAL_RELATIVE, score,
			     pair->person, pair->journal, &k->t,
			     "%llu times in %s journal (the practice policy names it)%s",
			     (unsigned long long)k->t.count, own ? "an own" : "a relative's",
			     k->wrote ? ", and wrote in it" : "");
}

/* ---- findings ---- */

/* Who reads across units again and again, or whose role does, has that for work. */
static bool reads_across(const struct policy_unusual *u, uint32_t person)
{
	const struct unusual_person *p = u->person[person];
	uint64_t reads = 0, cross = 0;

	for (uint32_t i = 0; i < u->person_count; i++) {
		if (i == person || u->person[i]->role != p->role)
			continue;
		reads += u->person[i]->reads;
		cross += u->person[i]->cross;
	}
	return p->cross * 5 >= p->reads || (reads >= 100 && cross * 20 >= reads);
}

/* Counts what is suspect of each, now that it is known who reads across units. */
static void suspects_count(struct policy_unusual *u, const uint8_t *across)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < u->suspect_count; i++) {
		struct unusual_suspect *s = &u->suspect[i];
		uint32_t who = u->pair[s->pair].person;

		if (!across[who] && s->cross) {
			tally_join(&s->t, &s->across);
			s->episodes += s->cross;
			s->foreign = true;
			s->recent = false;
		}
		if (!s->episodes)
			continue;
		u->person[who]->unexplained++;
		u->suspect[kept++] = *s;
	}
	u->suspect_count = kept;
}

static int by_rate(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

/*
 * How many of a hundred thousand journals are unexplained with others of the role (or, where these
 * are few, with all others): the lower median, so that one of them does not hide another.
 */
static int pools(struct policy_unusual *u)
{
	uint32_t *rates = calloc(u->person_count + 1, sizeof(*rates));

	if (!rates)
		return -ENOMEM;
	for (uint32_t who = 0; who < u->person_count; who++) {
		for (unsigned any = 0; any < 2; any++) {
			uint32_t n = 0;

			for (uint32_t i = 0; i < u->person_count; i++) {
				const struct unusual_person *o = u->person[i];

				if (i == who || o->journals < POOL_LEAST ||
				    (!any && o->role != u->person[who]->role))
					continue;
				rates[n++] = (uint32_t)(UINT64_C(100000) * o->unexplained /
							o->journals);
			}
			if (n < 2 && !any)
				continue;
			if (n > 1)
				qsort(rates, n, sizeof(*rates), by_rate);
			u->person[who]->pool = n ? rates[(n - 1) / 2] : 0;
			break;
		}
	}
	free(rates);
	return 0;
}

/* What is to be expected of somebody as the others are, in thousandths of a journal. */
static uint64_t expected(const struct policy_unusual *u, uint32_t person)
{
	const struct unusual_person *p = u->person[person];

	return (uint64_t)p->journals * p->pool / 100 + 500;
}

static bool stands_out(const struct policy_unusual *u, uint32_t person)
{
	uint64_t e = expected(u, person), n = (uint64_t)u->person[person]->unexplained * 1000;

	/* Four standard deviations of chance above, and twice as many. */
	return n >= 4000 && n >= 2 * e && (n - e) * (n - e) >= 16 * 1000 * (e + 1000);
}

/* Somebody whose work is reading: bookings, bills. */
static bool quiet(const struct unusual_person *p)
{
	return p->works * 10 < p->reads;
}

static int person_found(struct policy_unusual *u, uint32_t person)
{
	const struct unusual_person *p = u->person[person];
	uint64_t e = expected(u, person);
	struct unusual_tally t = {0};
	uint32_t off = 0, strange = 0;
	unsigned ratio, score;
	char journals[32];

	for (uint32_t i = 0; i < u->suspect_count; i++) {
		const struct unusual_suspect *s = &u->suspect[i];

		if (u->pair[s->pair].person != person)
			continue;
		if (!t.count || s->t.first_ns < t.first_ns) {
			t.first_ns = s->t.first_ns;
			t.first_seq = s->t.first_seq;
		}
		if (s->t.last_ns >= t.last_ns) {
			t.last_ns = s->t.last_ns;
			t.last_seq = s->t.last_seq;
		}
		t.count += s->t.count;
		off += s->off_hours != 0;
		strange += s->foreign || s->dormant;
	}
	ratio = (unsigned)((uint64_t)p->unexplained * 1000 / (e + 500));
	score = (quiet(p) ? 350 : 500) + (ratio > 20 ? 20 : ratio) * 10 + (off * 2 > p->unexplained ? 80 : 0) +
		(strange * 2 > p->unexplained ? 80 : 0) +
		(p->unexplained > 20 ? 100 : p->unexplained * 5);
	return unusual_found(
		u, POLICY_UNUSUAL_NO_RELATIONSHIP, score, person, -1, &t,
		"%s of %u opened without anything that explains it; %llu.%llu would be usual for "
		"%s; %u outside of working hours, %u that nobody of the unit worked in%s",
		unusual_journals(p->unexplained, journals), p->journals,
		(unsigned long long)(e / 1000), (unsigned long long)(e % 1000 / 100),
		p->role ? unusual_name(u, p->role) : "the practice", off, strange,
		quiet(p) ? "; whoever seldom writes leaves little that explains" : "");
}

static unsigned weight(const struct policy_unusual *u, const struct unusual_suspect *s)
{
	const struct unusual_person *p = u->person[u->pair[s->pair].person];
	unsigned own = (unsigned)((uint64_t)p->unexplained * 1000 / (p->journals + 20));
	unsigned w = 200 + (s->off_hours ? 150 : 0) + (s->foreign ? 100 : 0) +
		     (s->dormant ? 100 : 0) + 30 * (s->episodes > 11 ? 10 : s->episodes - 1);

	/* Of somebody with whom much is unexplained each journal says less. */
	w -= w * (own > 400 ? 400 : own) / 800;
	return s->recent ? w / 2 : w;
}

static int by_weight(const void *a, const void *b)
{
	const struct unusual_suspect *x = a, *y = b;

	if (x->weight != y->weight)
		return x->weight < y->weight ? 1 : -1;
	return x->t.first_seq < y->t.first_seq ? -1 : x->t.first_seq > y->t.first_seq;
}

static int suspect_found(struct policy_unusual *u, const struct unusual_suspect *s)
{
	const struct unusual_pair *pair = &u->pair[s->pair];

	return unusual_found(
		u, POLICY_UNUSUAL_NO_RELATIONSHIP, s->weight, pair->person, pair->journal, &s->t,
		"opened on %u %s without an entry, a stated relationship or work of the unit "
		"around it%s%s%s%s",
		s->episodes, s->episodes == 1 ? "day" : "days",
		s->off_hours ? "; outside of working hours" : "",
		s->foreign ? "; another unit's patient" : "",
		s->dormant ? "; nobody worked in it for 90 days" : "",
		s->recent ? "; work may still follow" : "");
}

static int suspects_found(struct policy_unusual *u, const uint8_t *strange, uint32_t *told)
{
	int rc = 0;

	for (uint32_t i = 0; !rc && i < u->suspect_count; i++) {
		struct unusual_suspect *s = &u->suspect[i];
		uint32_t who = u->pair[s->pair].person;
		bool all = strange[who] && !quiet(u->person[who]);

		if (told[who] >= (all ? PER_STRANGE : PER_PERSON) || (!all && s->weight < WORTH))
			continue;
		told[who]++;
		rc = suspect_found(u, s);
	}
	return rc;
}

int unusual_care_end(struct policy_unusual *u)
{
	uint8_t *strange = calloc(u->person_count + 1, 1);
	uint32_t *told = calloc(u->person_count + 1, sizeof(*told));
	int rc = strange && told ? unusual_settle(u, true) : -ENOMEM;

	for (uint32_t i = 0; !rc && i < u->person_count; i++)
		strange[i] = reads_across(u, i);
	if (!rc)
		suspects_count(u, strange);
	if (!rc)
		rc = pools(u);
	for (uint32_t i = 0; !rc && i < u->suspect_count; i++)
		u->suspect[i].weight = weight(u, &u->suspect[i]);
	if (!rc && u->suspect_count)
		qsort(u->suspect, u->suspect_count, sizeof(*u->suspect), by_weight);
	for (uint32_t i = 0; !rc && i < u->person_count; i++) {
		strange[i] = stands_out(u, i);
		if (strange[i])
			rc = person_found(u, i);
	}
	if (!rc)
		rc = suspects_found(u, strange, told);
	for (uint32_t i = 0; !rc && i < u->kin_count; i++)
		rc = kin_found(u, &u->kin[i]);
	free(strange);
	free(told);
	return rc;
}
