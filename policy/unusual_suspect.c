/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy/unusual_suspect.c - what is worth a question of the readings that nothing explains.
 *
 * Two questions: has somebody more of them than others of the role, and is one journal strange
 * enough by itself (far from working hours, another unit's patient, nobody's work for months, again
 * and again)? FORMAT.md, Unusual accesses, gives the scores.
 *
 * Locks: none.
 */
#include <errno.h>
#include <stdlib.h>

#include "unusual_impl.h"

#define PER_PERSON 3  /* suspect journals of somebody who does not stand out */
#define PER_STRANGE 8 /* of somebody who does */
#define POOL_LEAST 20 /* journals of somebody whose share counts for others */
#define WORTH 350     /* score of a journal below which nobody is asked */

static int kin_found(struct policy_unusual *u, const struct unusual_kin *k)
{
	const struct unusual_pair *pair = &u->pair[k->pair];
	bool own = k->kin == POLICY_KIN_OWN;
	unsigned score = (own ? 600 : 650) + (k->wrote ? 150 : 0);

	return policy_unusual_found(u, own ? POLICY_UNUSUAL_OWN : POLICY_UNUSUAL_RELATIVE, score,
				    pair->person, pair->journal, &k->t,
				    "%llu times in %s journal (the practice policy names it)%s",
				    (unsigned long long)k->t.count, own ? "an own" : "a relative's",
				    k->wrote ? ", and wrote in it" : "");
}

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
			policy_unusual_tally_join(&s->t, &s->across);
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
				rates[n++] =
					(uint32_t)(UINT64_C(100000) * o->unexplained / o->journals);
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
	score = (quiet(p) ? 350 : 500) + (ratio > 20 ? 20 : ratio) * 10 +
		(off * 2 > p->unexplained ? 80 : 0) + (strange * 2 > p->unexplained ? 80 : 0) +
		(p->unexplained > 20 ? 100 : p->unexplained * 5);
	return policy_unusual_found(
		u, POLICY_UNUSUAL_NO_RELATIONSHIP, score, person, -1, &t,
		"%s of %u opened without anything that explains it; %llu.%llu would be usual for "
		"%s; %u outside of working hours, %u that nobody of the unit worked in%s",
		policy_unusual_journals(p->unexplained, journals), p->journals,
		(unsigned long long)(e / 1000), (unsigned long long)(e % 1000 / 100),
		p->role ? policy_unusual_name(u, p->role) : "the practice", off, strange,
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

	return policy_unusual_found(
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

int policy_unusual_care_end(struct policy_unusual *u)
{
	uint8_t *strange = calloc(u->person_count + 1, 1);
	uint32_t *told = calloc(u->person_count + 1, sizeof(*told));
	int rc = strange && told ? policy_unusual_settle(u, true) : -ENOMEM;

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
