/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy/shown.c - gathers the entries of one journal by the names that they speak of.
 */
#include "shown.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "model.h"
#include "span.h"

static struct policy_shown *place_of(struct policy_shown *list, size_t *n,
				     enum policy_edit_subject subject, const char *name)
{
	for (size_t i = 0; i < *n; i++) {
		if (list[i].subject == subject && !strcmp(list[i].name, name))
			return &list[i];
	}
	list[*n] = (struct policy_shown){.subject = subject, .name = name};
	return &list[(*n)++];
}

int policy_shown_list(const struct policy_journal *j, int64_t now_s, struct policy_shown **out,
		      size_t *count)
{
	struct policy_shown *list = calloc((size_t)j->count + 1, sizeof(*list)), *s;
	int32_t minute = policy_span_minute(now_s);
	size_t n = 0;

	if (!list)
		return -ENOMEM;
	for (uint32_t i = 0; i < j->count; i++) {
		const struct policy_entry *e = &j->entry[i];

		if (e->subject == POLICY_SUBJECT_ROLE || e->kind == POLICY_ENTRY_ATTEND ||
		    !policy_entry_in_force(e, minute))
			continue;
		s = place_of(list, &n,
			     e->subject == POLICY_SUBJECT_USER ? POLICY_EDIT_USER
							       : POLICY_EDIT_UNIT,
			     policy_journal_string(j, e->name));
		s->blocked |= e->kind == POLICY_ENTRY_BLOCK;
		s->perms = s->blocked ? 0 : s->perms | e->perms;
	}
	*out = list;
	*count = n;
	return 0;
}
