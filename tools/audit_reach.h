/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tools/audit_reach.h - who could see what at a moment, and on what ground. For audit state.
 */
#ifndef TOOLS_AUDIT_REACH_H
#define TOOLS_AUDIT_REACH_H

#include "../policy/replay.h"
#include "audit_replay.h"

/* Journals that were removed by then: the policy's versions do not say so. */
struct audit_removed {
	uint32_t *journal;
	size_t n, cap;
};
int tools_audit_removed_add(struct audit_removed *r, uint32_t journal); /* -ENOMEM */

struct audit_reach {
	struct policy_past *past;
	const struct policy_replay *replay; /* for emergency accesses */
	const struct audit_removed *removed;
	struct audit_out *out;
	uint32_t version;
	int64_t at_s;
	/* inside: */
	const struct policy_replay_grant **open;
	size_t opens;
};
/*
 * who: that practitioner's journals; journal: who could open it; neither (NULL or ""): how many
 * journals each practitioner could see, by ground. TOOL_OK, TOOL_FAILED after a message.
 */
int tools_audit_reach(struct audit_reach *a, const char *who, const char *journal);

#endif
