/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy/replay_asked.h - which decision a record carries: what was asked of policy, and what came
 * of it.
 *
 * A record says what was done or refused, not which rights were asked for. They follow from the
 * kind, the action and, of refusals, the words of `detail`; where several are possible all are
 * given, and `rule` tells which it was. The tables follow fs/op_table.h and the refusals of fs/.
 */
#ifndef POLICY_REPLAY_ASKED_H
#define POLICY_REPLAY_ASKED_H

#include "practice.h"
#include "record.h"

#define POLICY_ASKED_MOST 24

enum policy_asked_what {
	POLICY_ASKED_NOTHING, /* the record carries no decision */
	POLICY_ASKED_STATUS,  /* only an account that is active: log-in, the list of journals */
	POLICY_ASKED_VAULT,   /* a right of the role */
	POLICY_ASKED_JOURNAL, /* rights in the journal; 0: that it is shown */
};

struct policy_asked {
	enum policy_asked_what what;
	bool allowed;	   /* it was done, not refused */
	bool either;	   /* of `rights` one is enough; else it is not known which was asked */
	bool past_block;   /* BREAK_GLASS: the block was passed */
	const char *other; /* refused for what policy does not decide: why, in words; else NULL */
	const char
		*rule; /* the verdict's words as the record has them, in the record; NULL: none */
	uint32_t rights[POLICY_ASKED_MOST];
	size_t n;
};

void policy_asked_of(const struct policy_record *r, struct policy_asked *out);

#endif
