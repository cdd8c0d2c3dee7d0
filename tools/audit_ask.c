/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tools/audit_ask.c - opens and ends a question about the log.
 *
 * Owns: nothing beyond the struct.
 */
#include "audit_ask.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "audit_whole.h"
#include "when.h"

#define VERIFY_MOST (UINT64_C(256) << 20) /* bytes: about a second */

int32_t tools_audit_ask_offset(void *ctx, int64_t time_s)
{
	static int64_t quarter = INT64_MIN;
	static int32_t offset;
	time_t t = (time_t)time_s;
	struct tm tm;

	(void)ctx;
	/* Zones change at quarters of an hour. */
	if (time_s / 900 == quarter)
		return offset;
	if (!localtime_r(&t, &tm))
		return 0;
	quarter = time_s / 900;
	offset = (int32_t)tm.tm_gmtoff;
	return offset;
}

bool tools_audit_ask_named(const struct audit_ask *a)
{
	struct policy_past *past = tools_audit_past(a->s);
	size_t n = past ? policy_past_count(past) : 0;
	bool named = false;

	for (size_t i = 0; i < n && a->f.journal && !named; i++) {
		const struct policy_past_change *c = policy_past_at(past, i);

		named = c->journal && c->name && !strcmp(c->name, a->f.journal);
	}
	policy_past_free(past);
	return named;
}

int tools_audit_ask_open(struct tool_options *o, const char *purpose, const char *title,
			 struct audit_ask *a)
{
	int rc;

	memset(a, 0, sizeof(*a));
	rc = tools_audit_out_check(o);
	if (!rc)
		rc = tools_audit_filter(o, &a->f);
	if (rc)
		return rc;
	a->f.purpose = purpose;
	a->s = tools_audit_open(o);
	if (!a->s)
		return TOOL_FAILED;
	a->practice = tools_audit_practice(a->s);
	if (!title)
		return TOOL_OK;
	a->out = tools_audit_out_open(o, title);
	if (!a->out)
		return TOOL_FAILED;
	tools_audit_out_vault(a->out, tools_audit_vault(a->s));
	return TOOL_OK;
}

int tools_audit_ask_close(struct audit_ask *a, int rc)
{
	if (rc < 0)
		rc = TOOL_FAILED;
	if (a->out && rc)
		tools_audit_out_abort(a->out);
	else if (a->out)
		rc = tools_audit_out_close(a->out);
	a->out = NULL;
	policy_practice_put(a->practice);
	tools_audit_close(a->s);
	return rc;
}

struct reading {
	int (*fn)(void *ctx, const struct policy_record *r);
	void *ctx;
	int rc;
};

static int read_one(void *ctx, const struct policy_record *r)
{
	struct reading *x = ctx;

	x->rc = x->fn(x->ctx, r);
	return x->rc != 0;
}

int tools_audit_ask_read(struct audit_ask *a, const struct audit_filter *f,
			 int (*fn)(void *ctx, const struct policy_record *r), void *ctx)
{
	struct reading x = {.fn = fn, .ctx = ctx};
	int rc = tools_audit_read(a->s, f, read_one, &x);

	return x.rc < 0 ? tools_fail("memory is short") : rc;
}

void tools_audit_ask_period(const struct audit_ask *a, char *out, size_t cap)
{
	int64_t from = a->f.since_ns / 1000000000, until = a->f.until_ns / 1000000000;
	char since[32], to[32];

	tools_when_text(from, since);
	tools_when_text(until, to);
	if (from && until)
		snprintf(out, cap, "%s to %s", since, to);
	else if (from)
		snprintf(out, cap, "since %s", since);
	else if (until)
		snprintf(out, cap, "until %s", to);
	else
		snprintf(out, cap, "all that the access log holds");
}

void tools_audit_ask_unread(struct audit_ask *a)
{
	uint64_t n = tools_audit_unread(a->s);

	if (n)
		tools_audit_out_say(a->out,
				    "%" PRIu64 " records or stretches of the log could not be read "
				    "with this key or are damaged: what they say is missing here.",
				    n);
}

/* ---- integrity ---- */

struct integrity {
	char first[256]; /* what the first alarm says */
};

static void found(void *ctx, const struct fs_log_finding *f)
{
	struct integrity *in = ctx;

	if (f->kind < FS_LOG_NOTES && !in->first[0])
		snprintf(in->first, sizeof(in->first), "%s", f->text);
}

static int progress(void *ctx, uint64_t done, uint64_t total)
{
	(void)ctx;
	(void)done;
	return total > VERIFY_MOST;
}

static void say_whole(struct audit_ask *a, const struct fs_log_verified *v, int64_t when_s)
{
	char when[32];

	if (!v->resumed) {
		tools_audit_out_say(
			a->out,
			"The log was verified: %" PRIu64 " of its %" PRIu64
			" records are sealed by checkpoints and unchanged, none is missing.",
			v->sealed, v->records);
		return;
	}
	tools_audit_out_say(a->out,
			    "The log was verified whole by this account on %s. Verified now: what "
			    "came since, and the segment before it. Records %" PRIu64 " to %" PRIu64
			    " of %" PRIu64 " are sealed by checkpoints and unchanged, and go on "
			    "from there; no segment is missing. What is older was not read again: "
			    "`journalfs audit verify` does that.",
			    tools_when_text(when_s, when), v->first, v->sealed, v->last);
}

static void say_not_verified(struct audit_ask *a, const char *before, int64_t when_s)
{
	char when[32];

	if (before)
		tools_audit_out_say(
			a->out,
			"The log was verified whole by this account on %s. Whether what "
			"came since is whole was not verified for this: `journalfs "
			"audit verify` does that.",
			tools_when_text(when_s, when));
	else
		tools_audit_out_say(a->out, "Whether the log is whole was not verified for this: "
					    "`journalfs audit verify` does that.");
}

void tools_audit_ask_integrity(struct audit_ask *a)
{
	const struct fs_log_source *segments = tools_audit_segments(a->s);
	const uint8_t *vault = tools_audit_vault(a->s);
	struct integrity in = {.first = ""};
	struct audit_whole w = {.kept = 0};
	int64_t when_s = 0;
	char *before = vault ? tools_audit_whole_verified(vault, &when_s) : NULL;
	const char *const kept[] = {before};
	struct fs_log_verifying q = {
		.source = segments,
		.vault = vault,
		.root_pk = tools_audit_root(a->s),
		.kept = kept,
		.kept_count = before != NULL,
		.after = before,
		.least = tools_audit_least(a->s),
		.finding = found,
		.progress = progress,
		.ctx = &in,
	};
	int rc = segments ? fs_log_verify(&q, &w.v) : -EIO;

	if (rc)
		say_not_verified(a, before, when_s);
	else if (w.v.alarms)
		tools_audit_out_say(
			a->out,
			"THE LOG IS NOT WHOLE: %u findings of `journalfs audit verify`, "
			"first: %s",
			w.v.alarms, in.first);
	else
		say_whole(a, &w.v, when_s);
	/* What was remembered was compared with; when all was read, this is the newer one. */
	if (!rc && !w.v.resumed)
		tools_audit_whole_remember(&w);
	free(before);
}
