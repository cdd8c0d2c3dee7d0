/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/test_policy_log.h - a log of records for tests of questions about it: one clock, one
 * number after the other. Times are days, hours and minutes after Monday 2026-01-05, UTC.
 */
#ifndef TEST_POLICY_LOG_H
#define TEST_POLICY_LOG_H

#include <check.h>
#include <stdio.h>
#include <string.h>

#include "policy/record.h"

#define T_NS INT64_C(1000000000)
#define T_MONDAY (INT64_C(1767571200) * T_NS) /* 2026-01-05T00:00Z */

static int64_t t_at(int day, int hour, int minute)
{
	return T_MONDAY + ((int64_t)day * 86400 + hour * 3600 + minute * 60) * T_NS;
}

/* A record of somebody (a number; the name is pNUMBER) in a journal (0: none). */
static struct policy_record t_record(enum policy_record_kind kind, unsigned who, unsigned journal,
				     int64_t at_ns)
{
	static uint64_t seq;
	struct policy_record r;

	policy_record_init(&r, kind);
	r.seq = ++seq;
	r.time_ns = at_ns;
	r.practitioner = who;
	if (who)
		snprintf(r.who, sizeof(r.who), "p%u", who);
	strcpy(r.role, "nurse");
	strcpy(r.unit, "north");
	strcpy(r.program, "soffice.bin");
	strcpy(r.origin, "ssh 10.0.0.1");
	r.session[0] = (uint8_t)who;
	r.session[15] = 1;
	r.journal = journal;
	if (journal)
		snprintf(r.journal_name, sizeof(r.journal_name), "journal %u", journal);
	if (journal && r.type == 110110) {
		r.note = 100 + journal;
		strcpy(r.name, "note.txt");
		strcpy(r.rule, "default unit north allow role:nurse:rwx (practice line 9)");
	}
	return r;
}

#endif
