/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy/unusual_place.c - two things that one person cannot do: be in two places at once, and walk
 * through journals as evenly or as quickly as a program.
 *
 * Places: acts that belong to different sessions from different places follow each other more
 * quickly than anybody walks, several times in a day; or they alternate many times within an hour.
 * Runs: accesses of one program without a pause. A quick run has more accesses over more journals
 * than a person opens; a slow one goes on for long with pauses that are all alike.
 *
 * Invariants: a listing never counts as presence, since programs that were left open list by
 * themselves. Locks: none.
 */
#include <stdio.h>
#include <string.h>

#include "names.h"
#include "unusual_impl.h"

#define TIGHT_NS (60 * UNUSUAL_NS)
#define TIGHT_LEAST 3	/* such changes in a day */
#define CHANGES_LEAST 8 /* changes within an hour; as many as the ring holds */
#define SAME_NS UNUSUAL_HOUR_NS

/* quick, slow: the longest pause of a run, and what makes it a crawl */
static const struct {
	int64_t pause_ns;
	uint32_t least, journals;
	double least_s, mean_s; /* the mean pause: above, at most */
	double even;		/* square of deviation over mean, at most; 0: any */
} runs[2] = {
	{5 * UNUSUAL_NS, 80, 8, -1.0, 3.0, 0},
	{180 * UNUSUAL_NS, 120, 40, 3.0, 180.0, 0.1},
};

/* ---- programs ---- */

static int run_end(struct policy_unusual *u, uint32_t person, struct unusual_run *run)
{
	struct unusual_tally t = run->t;
	uint32_t n = run->journals.n;
	double mean = t.count > 1 ? run->gap_s / (double)(t.count - 1) : 0;
	bool crawl = run->crawl;
	char journals[32];

	run->crawl = false;
	run->t = (struct unusual_tally){0};
	run->journals.n = 0;
	run->gap_s = run->gap2_s = 0;
	if (!crawl)
		return 0;
	return policy_unusual_found(
		u, POLICY_UNUSUAL_CRAWL, 400 + (n > 200 ? 200 : n), person, -1, &t,
		"program %s went through %s%s, %llu accesses, one every %.1f s: a "
		"program's walk, as an indexer makes; `program deny` keeps it out",
		run->program[0] ? run->program : "(no name)", policy_unusual_journals(n, journals),
		n >= UNUSUAL_LIST ? " or more" : "", (unsigned long long)t.count, mean);
}

static bool is_crawl(const struct unusual_run *run, unsigned kind)
{
	double n = (double)run->t.count - 1, mean = run->gap_s / n;
	double variance = run->gap2_s / n - mean * mean;

	if (run->t.count < runs[kind].least || run->journals.n < runs[kind].journals ||
	    mean <= runs[kind].least_s || mean > runs[kind].mean_s)
		return false;
	return runs[kind].even <= 0 || variance <= runs[kind].even * mean * mean;
}

static int run_act(struct policy_unusual *u, uint32_t person, uint32_t journal, unsigned kind,
		   const struct policy_record *r, bool *crawl)
{
	struct unusual_run *run = &u->person[person]->run[kind];
	double gap = (double)(r->time_ns - run->t.last_ns) / UNUSUAL_NS;
	int rc = 0;

	if (run->t.count && (r->time_ns - run->t.last_ns > runs[kind].pause_ns || gap < 0 ||
			     strcmp(run->program, r->program) != 0))
		rc = run_end(u, person, run);
	if (rc)
		return rc;
	if (run->t.count) {
		run->gap_s += gap;
		run->gap2_s += gap * gap;
	} else {
		policy_record_copy(run->program, sizeof(run->program), r->program);
	}
	policy_unusual_tally_add(&run->t, r);
	policy_unusual_set_add(&run->journals, journal);
	if (!run->crawl && is_crawl(run, kind)) {
		run->crawl = true;
		policy_unusual_forget(u, person, run->t.first_ns);
	}
	if (run->crawl)
		*crawl = u->person[person]->hour_crawl = true;
	return 0;
}

/* ---- places ---- */

static void shared_day(struct unusual_person *p, int32_t day)
{
	if (p->switch_day == day)
		return;
	p->switch_day = day;
	p->tight_today = 0;
	p->shared_today = false;
	p->shared_now = (struct unusual_tally){0};
}

static void shared_put(struct unusual_person *p, const struct policy_record *r, const char *now,
		       const char *before)
{
	if (!p->shared_today) {
		p->shared_today = true;
		p->shared_days++;
	}
	p->shared_switches++;
	if (!p->shared.count)
		p->shared = p->shared_now;
	else
		policy_unusual_tally_add(&p->shared, r);
	policy_record_copy(p->place_a, sizeof(p->place_a), before);
	policy_record_copy(p->place_b, sizeof(p->place_b), now);
}

static void place_change(struct policy_unusual *u, struct unusual_person *p, const char *now,
			 const struct policy_record *r)
{
	int64_t oldest = p->changes_ns[p->changes % CHANGES_LEAST];
	bool full = p->changes >= CHANGES_LEAST;

	shared_day(p, policy_unusual_local(u, r->time_ns).day);
	policy_unusual_tally_add(&p->shared_now, r);
	p->changes_ns[p->changes++ % CHANGES_LEAST] = r->time_ns;
	p->tight_today += r->time_ns - p->place_ns <= TIGHT_NS;
	if (p->tight_today >= TIGHT_LEAST || (full && r->time_ns - oldest <= UNUSUAL_HOUR_NS))
		shared_put(p, r, now, p->place_name);
}

static void place_act(struct policy_unusual *u, struct unusual_person *p,
		      const struct policy_record *r)
{
	char place[sizeof(p->place_name)];
	uint32_t hash;

	policy_basis_place(r, place, sizeof(place));
	hash = policy_name_hash(place);
	if (p->place_ns && hash != p->place && r->time_ns - p->place_ns < SAME_NS &&
	    memcmp(p->session, r->session, sizeof(p->session)) != 0)
		place_change(u, p, place, r);
	p->place = hash;
	p->place_ns = r->time_ns;
	memcpy(p->session, r->session, sizeof(p->session));
	memcpy(p->place_name, place, sizeof(p->place_name));
}

static int shared_found(struct policy_unusual *u, uint32_t person)
{
	const struct unusual_person *p = u->person[person];
	unsigned days = p->shared_days > 10 ? 10 : p->shared_days;
	unsigned times = p->shared_switches > 50 ? 50 : p->shared_switches;

	if (!p->shared_days)
		return 0;
	return policy_unusual_found(
		u, POLICY_UNUSUAL_SHARED, 380 + 40 * days + 4 * times, person, -1, &p->shared,
		"at work in two places at once on %u %s (lately %s and %s): the account is used by "
		"more than one",
		p->shared_days, p->shared_days == 1 ? "day" : "days",
		p->place_a[0] ? p->place_a : "the vault's machine",
		p->place_b[0] ? p->place_b : "the vault's machine");
}

int policy_unusual_place_act(struct policy_unusual *u, uint32_t person, uint32_t journal,
			     enum policy_act act, const struct policy_record *r, bool *crawl)
{
	int rc = 0;

	*crawl = false;
	if (act == POLICY_ACT_READ || act == POLICY_ACT_LOOK) {
		rc = run_act(u, person, journal, 0, r, crawl);
		if (!rc)
			rc = run_act(u, person, journal, 1, r, crawl);
	}
	if (!rc && !*crawl && (act == POLICY_ACT_READ || act == POLICY_ACT_WRITE))
		place_act(u, u->person[person], r);
	return rc;
}

int policy_unusual_place_end(struct policy_unusual *u, uint32_t person)
{
	int rc = run_end(u, person, &u->person[person]->run[0]);

	if (!rc)
		rc = run_end(u, person, &u->person[person]->run[1]);
	return rc ? rc : shared_found(u, person);
}
