/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/year/year_write.c - an item as the record that the daemon would have written.
 *
 * Owns nothing. Texts as in fs/gate_log.c, fs/gate_program.c, fs/audit.c, fs/break_glass.c, policy/decide.c.
 */
#include "year_impl.h"

#include <stdio.h>
#include <string.h>

#define INTENT_NOTES 8u /* the newest */

static void note_name(const struct year *y, const struct year_note *n, char out[static 64])
{
	static const char *const kinds[] = {"consultation.md", "phone.md", "lab.txt", "letter.odt"};
	struct year_date d = year_date(y->first_day + n->day);

	snprintf(out, 64, "%04d-%02d-%02d %s", d.year, d.month, d.day, kinds[n->kind % 4]);
}

static void rule(const struct year_item *it, char out[static POLICY_RECORD_TEXT])
{
	const struct year_person *who = it->who;
	const char *unit = it->p ? year_unit_text(it->p->unit) : "";

	switch ((enum year_rule)it->rule) {
	case YEAR_RULE_NONE:
		return;
	case YEAR_RULE_OWN:
		snprintf(out, POLICY_RECORD_TEXT, "allow user:%s:rwx (line 3)", who->name);
		return;
	case YEAR_RULE_ATTEND:
		snprintf(out, POLICY_RECORD_TEXT, "attend user:%s (line 4)", who->name);
		return;
	case YEAR_RULE_DEFAULT:
		snprintf(out, POLICY_RECORD_TEXT,
			 "default unit %s allow role:%s:%s (practice.policy line %u)", unit,
			 year_role_text(who->role),
			 who->role == YEAR_BILLER || it->p->unit == YEAR_MIND ? "r-x" : "rwx",
			 year_default_line(it->p->unit, who->role));
		return;
	case YEAR_RULE_GRANT:
		snprintf(out, POLICY_RECORD_TEXT, "emergency access, grant %llu",
			 (unsigned long long)it->grant);
		return;
	case YEAR_RULE_NO_ENTRY:
	case YEAR_RULE_NO_WRITE:
		snprintf(out, POLICY_RECORD_TEXT, "no entry admits %s", who->name);
		return;
	case YEAR_RULE_PROGRAM:
		snprintf(out, POLICY_RECORD_TEXT, "program deny tracker-miner-f");
		return;
	}
}

static void intent(const struct year *y, const struct year_item *it, struct policy_record *r,
		   struct policy_record_note *notes, char (*names)[64])
{
	uint32_t n = it->notes < INTENT_NOTES ? it->notes : INTENT_NOTES;

	for (uint32_t i = 0; i < n; i++) {
		uint32_t at = it->notes - n + i;

		note_name(y, &it->p->note[at], names[i]);
		notes[i] = (struct policy_record_note){.note = at + 2, .name = names[i]};
	}
	r->notes = notes;
	r->note_count = r->note_total = n;
}

static void person(const struct year_item *it, struct policy_record *r)
{
	const struct year_person *who = it->who;

	r->practitioner = who->number;
	snprintf(r->who, sizeof(r->who), "%s", who->name);
	if (!it->s)
		return;
	r->uid = 20000 + who->number;
	snprintf(r->role, sizeof(r->role), "%s", year_role_text(who->role));
	snprintf(r->unit, sizeof(r->unit), "%s", year_unit_text(who->unit));
	memcpy(r->session, it->s->id, sizeof(r->session));
	snprintf(r->origin, sizeof(r->origin), "%s", it->s->origin);
}

/* What counts up with each change of the policy is given here, in the order of time. */
static void change(struct year *y, const struct year_item *it, struct policy_record *r)
{
	r->policy_version = y->policy_version;
	if (it->kind == POLICY_RECORD_ATTEND)
		snprintf(r->detail, sizeof(r->detail), "version %u", ++y->policy_version);
	else if (it->kind == POLICY_RECORD_POLICY)
		snprintf(r->detail, sizeof(r->detail),
			 "version %u:\n+allow   user:%s:r-x  reason \"second opinion\"",
			 ++y->policy_version, it->subject->name);
	else if (it->kind == POLICY_RECORD_JOURNAL)
		y->policy_version++;
}

static void text(char *out, size_t cap, const char *in)
{
	if (in)
		snprintf(out, cap, "%s", in);
}

void year_record(struct year *y, const struct year_item *it, struct policy_record *r,
		 struct policy_record_note *notes, char (*names)[64])
{
	policy_record_init(r, (enum policy_record_kind)it->kind);
	r->seq = ++y->seq;
	r->time_ns = it->ns;
	r->boot_ns = (uint64_t)(it->ns - y->boot_ns);
	if (it->who)
		person(it, r);
	if (it->p) {
		r->journal = it->p->number;
		text(r->journal_name, sizeof(r->journal_name), it->p->name);
	}
	r->note = it->note;
	if (it->name)
		text(r->name, sizeof(r->name), it->name);
	else if (it->note > 1)
		note_name(y, &it->p->note[it->note - 2], r->name);
	if (it->program) {
		text(r->program, sizeof(r->program), it->program);
		r->pid = 3000 + it->order % 29000;
	}
	if (it->action)
		r->action = it->action;
	if (it->outcome)
		r->outcome = it->outcome;
	if (it->purpose && !strcmp(r->purpose, "TREAT"))
		text(r->purpose, sizeof(r->purpose), it->purpose);
	text(r->reason, sizeof(r->reason), it->reason);
	text(r->detail, sizeof(r->detail), it->detail);
	rule(it, r->rule);
	r->bytes_read = it->read;
	r->bytes_written = it->written;
	r->count = it->count;
	r->grant = it->grant;
	r->until_ns = it->until_ns;
	change(y, it, r);
	if (it->kind == POLICY_RECORD_INTENT)
		intent(y, it, r, notes, names);
	if (it->kind == POLICY_RECORD_START || it->kind == POLICY_RECORD_STOP)
		r->policy_version = 0;
}
