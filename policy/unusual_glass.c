/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy/unusual_glass.c - emergency accesses: more of them than colleagues need, and reasons that
 * are written once and given again.
 *
 * A share is emergency accesses against the journals opened (each day anew), compared with all
 * others of the role. A reason is compared without case, blanks and points; the same reason for
 * the same journal is one emergency that lasted longer.
 *
 * Locks: none.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "unusual_impl.h"

#define GRANTS_LEAST 5
#define COPIES_LEAST 3 /* journals for which one reason was given */
#define SAID_LEAST 8   /* letters that a reason has */

/* Letters (large ones small), digits and bytes beyond ASCII; 0 when it says nothing. */
static uint64_t reason_key(uint32_t person, const char *reason)
{
	uint64_t h = policy_map_mix(person + UINT64_C(0x9e3779b97f4a7c15));
	unsigned said = 0;

	for (const char *c = reason; *c; c++) {
		unsigned char b = (unsigned char)*c;

		if (b >= 'A' && b <= 'Z')
			b = (unsigned char)(b + 'a' - 'A');
		if (!(b >= 'a' && b <= 'z') && !(b >= '0' && b <= '9') && b < 0x80)
			continue;
		h = policy_map_mix(h ^ b);
		said++;
	}
	return said >= SAID_LEAST ? h | 1 : 0;
}

static int reason_put(struct policy_unusual *u, uint32_t person, uint32_t journal,
		      const struct policy_record *r)
{
	uint64_t key = reason_key(person, r->reason);
	struct unusual_reason *reason, **array;
	uint32_t *value;
	int rc;

	if (!key)
		return 0;
	rc = policy_map_at(&u->reasons, key, &value);
	if (rc)
		return rc;
	if (!*value) {
		reason = calloc(1, sizeof(*reason));
		array = reason ? policy_map_grow(u->reason, u->reason_count,
						 sizeof(struct unusual_reason *))
			       : NULL;
		if (!array) {
			free(reason);
			return -ENOMEM;
		}
		u->reason = array;
		reason->person = person;
		policy_record_copy(reason->text, sizeof(reason->text), r->reason);
		array[u->reason_count] = reason;
		*value = ++u->reason_count;
	}
	reason = u->reason[*value - 1];
	policy_unusual_tally_add(&reason->t, r);
	policy_unusual_set_add(&reason->journals, journal);
	return 0;
}

int policy_unusual_glass(struct policy_unusual *u, uint32_t person, uint32_t journal,
			 const struct policy_record *r)
{
	struct unusual_person *p = u->person[person];

	p->grants++;
	policy_unusual_tally_add(&p->glass, r);
	return reason_put(u, person, journal, r);
}

/* Those that all others of the role would have had in as many readings, in thousandths. */
static bool expected(const struct policy_unusual *u, uint32_t person, uint64_t *out)
{
	const struct unusual_person *p = u->person[person];
	uint64_t reads = 0, grants = 0, colleagues = 0;

	for (uint32_t i = 0; i < u->person_count; i++) {
		const struct unusual_person *o = u->person[i];

		if (i == person || o->role != p->role || !o->reads)
			continue;
		colleagues++;
		reads += o->reads;
		grants += o->grants;
	}
	if (colleagues < 2 || !reads)
		return false;
	*out = (p->reads + p->grants) * (1000 * grants + 500) / (reads + grants);
	return true;
}

static int share_found(struct policy_unusual *u, uint32_t person)
{
	const struct unusual_person *p = u->person[person];
	uint64_t e, n = p->grants * 1000, ratio;

	/* Five standard deviations of chance above what colleagues need, and three times as many.
	 */
	if (p->grants < GRANTS_LEAST || !expected(u, person, &e) || n < 3 * e ||
	    (n - e) * (n - e) < 25 * 1000 * (e + 1000))
		return 0;
	ratio = n / (e + 500);
	return policy_unusual_found(
		u, POLICY_UNUSUAL_BREAK_GLASS,
		500 + (unsigned)(ratio > 30 ? 30 : ratio) * 8 +
			(unsigned)(p->grants > 50 ? 50 : p->grants) * 3,
		person, -1, &p->glass,
		"%llu emergency accesses where colleagues of the role (%s) would have "
		"had %llu.%llu",
		(unsigned long long)p->grants, p->role ? policy_unusual_name(u, p->role) : "none",
		(unsigned long long)(e / 1000), (unsigned long long)(e % 1000 / 100));
}

static int copied_found(struct policy_unusual *u, const struct unusual_reason *c)
{
	uint32_t n = c->journals.n;
	char journals[32];

	if (n < COPIES_LEAST)
		return 0;
	return policy_unusual_found(
		u, POLICY_UNUSUAL_COPIED_REASON, 350 + (n > 40 ? 40 : n) * 10, c->person, -1, &c->t,
		"one reason word for word for %llu emergency accesses to %s: \"%s\"",
		(unsigned long long)c->t.count, policy_unusual_journals(n, journals), c->text);
}

int policy_unusual_glass_end(struct policy_unusual *u)
{
	int rc = 0;

	for (uint32_t i = 0; !rc && i < u->person_count; i++)
		rc = share_found(u, i);
	for (uint32_t i = 0; !rc && i < u->reason_count; i++)
		rc = copied_found(u, u->reason[i]);
	return rc;
}
