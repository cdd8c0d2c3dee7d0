/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy/replay_groups.h - what a draft would have changed, counted by practitioner, journal and
 * reason.
 */
#ifndef POLICY_REPLAY_GROUPS_H
#define POLICY_REPLAY_GROUPS_H

#include "record.h"

#define POLICY_GROUPS_MOST 50000u /* what comes beyond is counted by practitioner alone */

struct policy_group {
	char *who, *journal; /* journal "": none; beyond the most, "*" */
	char *what;	     /* the kind of record, of a refusal the words of its detail */
	char *rule;	     /* what decides by the draft */
	int change;	     /* the caller's */
	uint64_t count, first_seq, last_seq;
	int64_t first_ns, last_ns;
};

struct policy_groups;

int policy_groups_new(struct policy_groups **out); /* -ENOMEM */
void policy_groups_free(struct policy_groups *g);  /* NULL is legal */
/* -ENOMEM. */
int policy_groups_add(struct policy_groups *g, const struct policy_record *r, int change,
		      const char *rule);
/* Sorts: by change, practitioner, journal, then the most first. After that nothing may be added. */
size_t policy_groups_end(struct policy_groups *g);
const struct policy_group *policy_groups_at(const struct policy_groups *g, size_t i);

#endif
