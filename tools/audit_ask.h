/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tools/audit_ask.h - what the `audit` commands that answer questions share: the source, the
 * period, the practice of today, local time, and what a report says of the log itself.
 */
#ifndef TOOLS_AUDIT_ASK_H
#define TOOLS_AUDIT_ASK_H

#include "../policy/practice.h"
#include "audit_out.h"
#include "audit_source.h"

struct audit_ask {
	struct audit_source *s;
	struct audit_filter f;
	struct policy_practice *practice; /* in force now; NULL: not known, which has been said */
	struct audit_out *out;
};

/*
 * Opens the source and the period of the options; `purpose` is the command, for the log. The
 * document is opened with the title, unless that is NULL. TOOL_OK, or another exit after a message;
 * close in any case.
 */
int tools_audit_ask_open(struct tool_options *o, const char *purpose, const char *title,
			 struct audit_ask *a);
/* Whether a journal has or had the name that is asked for, as far as policies tell; reads them all. */
bool tools_audit_ask_named(const struct audit_ask *a);
/* Ends the document: rc as it was, or TOOL_FAILED when it could not be written. */
int tools_audit_ask_close(struct audit_ask *a, int rc);

/*
 * As tools_audit_read; a negative answer of fn ends it with TOOL_FAILED and a message (memory is
 * short: half an answer is none), a positive one with TOOL_OK.
 */
int tools_audit_ask_read(struct audit_ask *a, const struct audit_filter *f,
			 int (*fn)(void *ctx, const struct policy_record *r), void *ctx);

/* "2026-01-01 to 2026-06-30", "since ...", "until ...", "all that the log holds". */
void tools_audit_ask_period(const struct audit_ask *a, char *out, size_t cap);
/* Says which records could not be read, if any. */
void tools_audit_ask_unread(struct audit_ask *a);
/*
 * Verifies the log where that takes no longer than a moment, and says what came of it, or that it
 * was not done. Where this account has verified the log before (audit verify), only what came since
 * is read, and it says so.
 */
void tools_audit_ask_integrity(struct audit_ask *a);

/* Local time less UTC, for policy/; ctx is not looked at. Not for several threads. */
int32_t tools_audit_ask_offset(void *ctx, int64_t time_s);

#endif
