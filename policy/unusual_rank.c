/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy/unusual_rank.c - findings: their words, and their order.
 *
 * Owns: the list of findings. Locks: none.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "unusual_impl.h"

const char *policy_unusual_reason_text(enum policy_unusual_reason r)
{
	static const char *const text[POLICY_UNUSUAL_REASON_COUNT] = {
		[POLICY_UNUSUAL_NO_RELATIONSHIP] = "no relationship",
		[POLICY_UNUSUAL_OWN] = "own journal",
		[POLICY_UNUSUAL_RELATIVE] = "a relative's journal",
		[POLICY_UNUSUAL_MANY] = "many journals",
		[POLICY_UNUSUAL_BREAK_GLASS] = "emergency accesses",
		[POLICY_UNUSUAL_COPIED_REASON] = "copied reason",
		[POLICY_UNUSUAL_HOURS] = "unusual hours",
		[POLICY_UNUSUAL_CRAWL] = "a program's walk",
		[POLICY_UNUSUAL_SHARED] = "shared account",
		[POLICY_UNUSUAL_REFUSED] = "refusals",
	};

	if ((unsigned)r >= POLICY_UNUSUAL_REASON_COUNT || !text[r])
		return "unknown";
	return text[r];
}

const char *policy_unusual_name(const struct policy_unusual *u, uint32_t name)
{
	return name && name <= u->name_count ? u->name[name - 1] : "";
}

const char *policy_unusual_journals(uint32_t n, char out[static 32])
{
	snprintf(out, 32, "%u %s", n, n == 1 ? "journal" : "journals");
	return out;
}

int policy_unusual_found(struct policy_unusual *u, enum policy_unusual_reason reason,
			 unsigned score, uint32_t person, int64_t journal,
			 const struct unusual_tally *t, const char *fmt, ...)
{
	const struct unusual_journal *j = journal < 0 ? NULL : &u->journal[journal];
	struct unusual_findings *f = &u->found;
	struct policy_finding *at;
	char text[2048];
	va_list ap;

	if (f->n == f->cap) {
		size_t cap = f->cap ? f->cap * 2 : 64;

		at = reallocarray(f->at, cap, sizeof(*at));
		if (!at)
			return -ENOMEM;
		f->at = at;
		f->cap = cap;
	}
	at = &f->at[f->n++];
	*at = (struct policy_finding){
		.reason = reason,
		.score = score < 1	? 1
			 : score > 1000 ? 1000
					: score,
		.practitioner = u->person[person]->number,
		.journal_number = j ? j->number : 0,
		.first_seq = t->first_seq,
		.last_seq = t->last_seq,
		.count = t->count,
		.first_ns = t->first_ns,
		.last_ns = t->last_ns,
	};
	policy_record_copy(at->who, sizeof(at->who), u->person[person]->who);
	policy_record_copy(at->journal, sizeof(at->journal), j && j->name ? j->name : "");
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	policy_record_copy(at->text, sizeof(at->text), text);
	return 0;
}

static int by_score(const void *a, const void *b)
{
	const struct policy_finding *x = a, *y = b;

	if (x->score != y->score)
		return x->score < y->score ? 1 : -1;
	if (x->first_seq != y->first_seq)
		return x->first_seq < y->first_seq ? -1 : 1;
	return (int)x->reason - (int)y->reason;
}

int policy_unusual_finish(struct policy_unusual *u, const struct policy_finding **out, size_t *n)
{
	int rc = 0;

	for (uint32_t i = 0; !rc && i < u->person_count; i++) {
		rc = policy_unusual_place_end(u, i);
		if (!rc)
			rc = policy_unusual_habit_end(u, i);
	}
	if (!rc)
		rc = policy_unusual_care_end(u);
	if (!rc)
		rc = policy_unusual_glass_end(u);
	if (rc)
		return rc;
	if (u->found.n)
		qsort(u->found.at, u->found.n, sizeof(*u->found.at), by_score);
	*out = u->found.at;
	*n = u->found.n;
	return 0;
}
