/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy/unusual.c - takes records apart for those who look for what is unusual.
 *
 * Owns: struct policy_unusual. Invariants: records come oldest first; one that fails (-ENOMEM)
 * leaves the object fit only to be freed. Locks: none.
 */
#include "unusual.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "unusual_impl.h"

#define LAST_NS (INT64_C(4000000000) * UNUSUAL_NS) /* no clock says so: sums stay in range */

int policy_unusual_new(const struct policy_unusual_settings *set, struct policy_unusual **out)
{
	struct policy_unusual *u = calloc(1, sizeof(*u));

	if (!u)
		return -ENOMEM;
	if (set)
		u->set = *set;
	*out = u;
	return 0;
}

void policy_unusual_free(struct policy_unusual *u)
{
	if (!u)
		return;
	policy_unusual_tables_free(u);
	free(u);
}

/*
 * What explains no reading: times and modes of a note, which anybody's `touch` changes, and files
 * that programs make beside a note that is opened (".~lock.a.odt#", ".a.txt.swp", "~$a.docx").
 */
static bool is_idle(const struct policy_record *r)
{
	return r->kind == POLICY_RECORD_ATTRIBUTE || r->name[0] == '.' ||
	       !strncmp(r->name, "~$", 2);
}

static int act_add(struct policy_unusual *u, uint32_t person, uint32_t journal, enum policy_act act,
		   const struct policy_record *r)
{
	bool crawl = false;
	int rc = policy_unusual_place_act(u, person, journal, act, r, &crawl);

	if (!rc && act != POLICY_ACT_REFUSED)
		rc = policy_unusual_kin_act(u, person, journal, act == POLICY_ACT_WRITE, r);
	if (rc || crawl || (act == POLICY_ACT_WRITE && is_idle(r)))
		return rc;
	if (act == POLICY_ACT_READ)
		rc = policy_unusual_read(u, person, journal, r);
	else if (act == POLICY_ACT_WRITE)
		rc = policy_unusual_work(u, person, journal, r);
	return rc ? rc : policy_unusual_habit_act(u, person, journal, act, r);
}

static int journal_made(struct policy_unusual *u, uint32_t journal, const struct policy_record *r)
{
	if (r->action == 'C' && r->time_ns > 0)
		u->journal[journal].made_minute = (uint32_t)(r->time_ns / UNUSUAL_MINUTE_NS);
	return 0;
}

static int journal_add(struct policy_unusual *u, uint32_t person, const struct policy_record *r)
{
	enum policy_act act = policy_basis_act(r);
	uint32_t journal;
	int rc = policy_unusual_journal(u, r, &journal);

	if (rc)
		return rc;
	switch (r->kind) {
	case POLICY_RECORD_JOURNAL:
		return journal_made(u, journal, r);
	case POLICY_RECORD_ATTEND:
		return policy_unusual_attend(u, person, journal, r);
	case POLICY_RECORD_BREAK_GLASS:
		return policy_unusual_glass(u, person, journal, r);
	default:
		return act == POLICY_ACT_NONE ? 0 : act_add(u, person, journal, act, r);
	}
}

/* A refused program (`program deny`) is an indexer that was kept out, not a person at a door. */
static bool is_noise(const struct policy_record *r)
{
	return r->kind == POLICY_RECORD_REFUSED && !strncmp(r->rule, "program deny ", 13);
}

int policy_unusual_add(struct policy_unusual *u, const struct policy_record *r)
{
	static const uint8_t none[sizeof(r->session)];
	uint32_t person;
	int rc;

	if (r->time_ns < 0 || r->time_ns > LAST_NS)
		return 0;
	if (r->time_ns > u->now_ns)
		u->now_ns = r->time_ns;
	rc = policy_unusual_settle(u, false);
	if (rc || (!r->practitioner && !r->who[0]) || is_noise(r))
		return rc;
	rc = policy_unusual_person(u, r, &person);
	if (rc)
		return rc;
	if (r->journal)
		return journal_add(u, person, r);
	if (r->kind == POLICY_RECORD_REFUSED && !memcmp(r->session, none, sizeof(none)))
		policy_unusual_habit_login_refused(u, person, r);
	return 0;
}
