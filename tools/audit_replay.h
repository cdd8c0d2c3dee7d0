/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tools/audit_replay.h - what the files behind `journalfs audit replay` and `audit state` share.
 */
#ifndef TOOLS_AUDIT_REPLAY_H
#define TOOLS_AUDIT_REPLAY_H

#include "audit_out.h"
#include "audit_source.h"

#define AUDIT_LEAD_NS                                                                              \
	(INT64_C(86400) * 1000000000) /* no session and no emergency access is longer */

/*
 * What is asked for, and what has to be read for it: sessions and emergency accesses that began
 * before matter, and so does what others did.
 */
struct audit_span {
	struct audit_filter asked; /* the options' */
	struct audit_filter read;  /* for the source */
};
/* TOOL_OK, TOOL_USAGE after a message. */
int tools_audit_span(const struct tool_options *o, const char *purpose, struct audit_span *out);
bool tools_audit_asked(const struct audit_span *s, const struct policy_record *r);
/* Says on `out` what could not be read, if anything: what is missing can't be judged. */
void tools_audit_say_unread(const struct audit_source *s, struct audit_out *out);

/* --decisions (audit_decisions.c). */
int tools_audit_decisions(struct audit_source *s, const struct audit_span *span,
			  struct audit_out *out);
/* --policy FILE|DIR (audit_draft.c). */
int tools_audit_draft(struct audit_source *s, const struct audit_span *span, const char *path,
		      struct audit_out *out);

#endif
