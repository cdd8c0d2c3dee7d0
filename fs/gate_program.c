/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/gate_program.c - programs that the practice keeps out (`program deny NAME...`).
 *
 * Owns a session's table of programs that were refused, and how often. Invariants:
 * (1) the first refusal of a program is durable before it is answered; (2) from then
 * on it has one record an hour at most, with the number of refusals, and one more
 * when the session ends; (3) such a record names no journal and no note: none was
 * looked at. Names are what programs call themselves: this keeps noise out, nobody
 * who wants in. What is open stays open, and `.policy` is not asked here, so that a
 * steward can always take the line back.
 *
 * Locks: fs_gate.lock for the table; never held across vault or log calls.
 */
#include "gate_impl.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "../keys/label.h"

#define HOUR_NS (3600 * INT64_C(1000000000))
#define LAST (FS_GATE_PROGRAMS - 1) /* shared by all that find no other slot */

/*
 * Does it list, open or change anything? A lookup is answered as anybody's: refusing one makes the kernel
 * forget the name for all programs of the mount, so that a shell standing there would lose its directory. Names
 * come from lists, which a denied program doesn't get.
 */
static bool is_asked(const struct fs_gate_request *rq)
{
	if (rq->by_handle || !strcmp(rq->op, "lookup"))
		return false;
	return fs_nodeid_journal(rq->nodeid) || rq->reveals || rq->entries;
}

/* The slot of this program, or the one that it is to have. With the lock. */
static struct fs_gate_program *slot_of(struct fs_gate *g, const char *name)
{
	struct fs_gate_program *empty = NULL;

	for (unsigned n = 0; n < LAST; n++) {
		struct fs_gate_program *p = &g->program[n];

		if (!strcmp(p->name, name))
			return p;
		if (!p->name[0] && !empty)
			empty = p;
	}
	return empty ? empty : &g->program[LAST];
}

/*
 * NULL: it was counted, for its first one is in the log. Else its slot: this refusal has a record of its own, also
 * where another thread still waits for the first.
 */
static struct fs_gate_program *count(struct fs_gate *g, const char *name,
				     char slot[static FS_PROGRAM_NAME])
{
	struct fs_gate_program *p;

	pthread_mutex_lock(&g->lock);
	p = slot_of(g, name);
	if (p->record) {
		p->count++;
		p = NULL;
	} else if (!p->name[0]) {
		snprintf(p->name, sizeof(p->name), "%s",
			 p == &g->program[LAST] ? "(others)" : name);
		p->since_ns = fs_gate_clock_ns(CLOCK_BOOTTIME);
	}
	if (p)
		snprintf(slot, FS_PROGRAM_NAME, "%s", p->name);
	pthread_mutex_unlock(&g->lock);
	return p;
}

/*
 * Those to come look like this record, the first that was written; NULL: it could not be, the next one is to be. The
 * slot may be another program's meanwhile, when all who wrote for it failed.
 */
static void settle(struct fs_gate *g, struct fs_gate_program *p, const char *name,
		   const struct policy_record *r)
{
	pthread_mutex_lock(&g->lock);
	if (!p->record && !strcmp(p->name, name)) {
		if (r)
			p->record = malloc(sizeof(*p->record));
		if (p->record)
			*p->record = *r;
		else
			*p = (struct fs_gate_program){.count = 0};
	}
	pthread_mutex_unlock(&g->lock);
}

static int refuse(struct fs_gate *g, const struct fs_gate_request *rq, const char *name)
{
	char slot[FS_PROGRAM_NAME];
	struct fs_gate_program *p = count(g, name, slot);
	struct policy_record r;
	uint64_t seq = 0;
	int rc;

	if (!p)
		return -EACCES;
	fs_gate_fill(g, POLICY_RECORD_REFUSED, rq, 0, &r);
	snprintf(r.rule, sizeof(r.rule), "program deny %.15s", slot);
	snprintf(r.detail, sizeof(r.detail), "%s: EACCES", rq->op);
	rc = fs_log_append(fs_vault_log(g->vault), &r, &seq);
	if (!rc)
		rc = fs_gate_wait(g, seq);
	settle(g, p, slot, rc ? NULL : &r);
	keys_wipe(&r, sizeof(r));
	return rc ? -EIO : -EACCES;
}

int fs_gate_program(struct fs_gate *g, const struct fs_gate_request *rq)
{
	char name[FS_PROGRAM_NAME];

	if (!is_asked(rq) || !fs_vault_denies_program(g->vault, rq->pid, name))
		return 0;
	return refuse(g, rq, name);
}

/* Takes the number that is to be written into r; an hour without refusals frees the slot. With the lock. */
static bool take(struct fs_gate_program *p, int64_t now, bool end, struct policy_record *r)
{
	bool due = p->record && p->count;

	if (due) {
		*r = *p->record;
		r->count = p->count;
		p->count = 0;
		p->since_ns = now;
	}
	if (p->record && (end || !due)) {
		keys_wipe(p->record, sizeof(*p->record));
		free(p->record);
		*p = (struct fs_gate_program){.count = 0};
	}
	return due;
}

/* It could not be written: for the next time, unless the session is over. */
static void put_back(struct fs_gate *g, struct fs_gate_program *p, const struct policy_record *r)
{
	pthread_mutex_lock(&g->lock);
	if (p->record)
		p->count += r->count;
	pthread_mutex_unlock(&g->lock);
}

void fs_gate_programs_flush(struct fs_gate *g, bool end)
{
	int64_t now = fs_gate_clock_ns(CLOCK_BOOTTIME);
	struct policy_record r;

	for (unsigned n = 0; n < FS_GATE_PROGRAMS; n++) {
		struct fs_gate_program *p = &g->program[n];
		bool due = false;

		pthread_mutex_lock(&g->lock);
		if (end || (p->record && now - p->since_ns >= HOUR_NS))
			due = take(p, now, end, &r);
		pthread_mutex_unlock(&g->lock);
		if (!due)
			continue;
		if (fs_log_append(fs_vault_log(g->vault), &r, NULL))
			put_back(g, p, &r);
		keys_wipe(&r, sizeof(r));
	}
}
