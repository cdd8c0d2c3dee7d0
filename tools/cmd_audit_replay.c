/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tools/cmd_audit_replay.c - audit replay: the log told as a story, or judged again.
 *
 * A person gets paragraphs, one for each stretch of a session (policy/replay_story.h), in local
 * time; a program the records. --decisions and --policy are in files of their own.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../policy/replay_story.h"
#include "audit_replay.h"
#include "cmd_audit.h"

#define PAUSE_MOST_S 5.0

int tools_audit_span(const struct tool_options *o, const char *purpose, struct audit_span *out)
{
	int rc;

	memset(out, 0, sizeof(*out));
	rc = tools_audit_filter(o, &out->asked);
	if (rc != TOOL_OK)
		return rc;
	out->read = (struct audit_filter){.since_ns = out->asked.since_ns,
					  .until_ns = out->asked.until_ns,
					  .purpose = purpose};
	if (out->read.since_ns)
		out->read.since_ns -= AUDIT_LEAD_NS;
	return TOOL_OK;
}

static bool named(const char *asked, const char *is)
{
	return !asked || !asked[0] || !strcmp(asked, is);
}

bool tools_audit_asked(const struct audit_span *s, const struct policy_record *r)
{
	return named(s->asked.who, r->who) && named(s->asked.journal, r->journal_name) &&
	       (!s->asked.grant || s->asked.grant == r->grant) &&
	       (!s->asked.since_ns || r->time_ns >= s->asked.since_ns);
}

void tools_audit_say_unread(const struct audit_source *s, struct audit_out *out)
{
	uint64_t n = tools_audit_unread(s);

	if (n)
		tools_audit_out_say(
			out,
			"%llu record%s or stretches of the log could not be read: what %s "
			"is missing here.",
			(unsigned long long)n, n == 1 ? "" : "s", n == 1 ? "it says" : "they say");
}

/* ---- the story ---- */

struct telling {
	const struct audit_span *span;
	struct audit_out *out;
	struct policy_story *story;
	double speed; /* 0: at once */
	int64_t last_ns;
	char *text; /* the paragraph so far */
	size_t len, cap;
	int rc;
};

static void clock_text(int64_t time_ns, char out[static 16])
{
	time_t t = (time_t)(time_ns / 1000000000);
	struct tm tm;

	if (!localtime_r(&t, &tm) || !strftime(out, 16, "%H:%M", &tm))
		snprintf(out, 16, "?");
}

static void day_text(int64_t time_ns, char out[static 64])
{
	time_t t = (time_t)(time_ns / 1000000000);
	struct tm tm;

	if (!localtime_r(&t, &tm) || !strftime(out, 64, "%A %d %B %Y (%Z)", &tm))
		snprintf(out, 64, "?");
}

/* As long as it took then, N times as fast; nobody waits for a night. */
static void keep_pace(struct telling *t, int64_t time_ns)
{
	double s = t->speed > 0 && t->last_ns ? (double)(time_ns - t->last_ns) / 1e9 / t->speed : 0;
	struct timespec left;

	t->last_ns = time_ns;
	if (!(s > 0))
		return;
	if (s > PAUSE_MOST_S)
		s = PAUSE_MOST_S;
	(void)fflush(stdout);
	left.tv_sec = (time_t)s;
	left.tv_nsec = (long)((s - (double)left.tv_sec) * 1e9);
	while (nanosleep(&left, &left) && errno == EINTR)
		;
}

static void flush(struct telling *t)
{
	if (t->len)
		tools_audit_out_say(t->out, "%s", t->text);
	t->len = 0;
}

static int append(struct telling *t, const char *text)
{
	size_t n = strlen(text);

	if (t->len + n + 2 > t->cap) {
		size_t cap = 2 * (t->len + n + 2);
		char *more = realloc(t->text, cap);

		if (!more)
			return -ENOMEM;
		t->text = more;
		t->cap = cap;
	}
	if (t->len)
		t->text[t->len++] = '\n';
	memcpy(t->text + t->len, text, n + 1);
	t->len += n;
	return 0;
}

static int one_line(void *ctx, enum policy_story_kind kind, int64_t time_ns, const char *text)
{
	struct telling *t = ctx;

	if (kind != POLICY_STORY_WHERE && kind != POLICY_STORY_WHAT) {
		flush(t);
		keep_pace(t, time_ns);
	}
	if (tools_audit_out_gone(t->out))
		return -EPIPE;
	if (kind != POLICY_STORY_DAY)
		return append(t, text);
	tools_audit_out_heading(t->out, "%s", text);
	return 0;
}

static bool is_shown(void *ctx, const struct policy_record *r)
{
	const struct telling *t = ctx;

	/* When the daemon ran is told whoever is asked for. */
	if (r->kind == POLICY_RECORD_START || r->kind == POLICY_RECORD_STOP)
		return r->time_ns >= t->span->asked.since_ns;
	return tools_audit_asked(t->span, r);
}

static int tell_record(void *ctx, const struct policy_record *r)
{
	struct telling *t = ctx;

	t->rc = policy_story_step(t->story, r);
	return t->rc != 0;
}

/* 0, or what kept it from being told. */
static int tell_story(struct audit_source *s, struct telling *t)
{
	const struct policy_story_out out = {.line = one_line,
					     .shown = is_shown,
					     .clock = clock_text,
					     .day = day_text,
					     .ctx = t};
	int rc = policy_story_new(&out, &t->story);

	if (rc)
		return tools_fail("out of memory");
	rc = tools_audit_read(s, &t->span->read, tell_record, t);
	if (!t->rc && rc == TOOL_OK)
		t->rc = policy_story_end(t->story);
	flush(t);
	policy_story_free(t->story);
	free(t->text);
	if (t->rc == -ENOMEM)
		return tools_fail("out of memory");
	if (rc == TOOL_OK)
		tools_audit_say_unread(s, t->out);
	return rc;
}

/* ---- the records ---- */

static int put_record(void *ctx, const struct policy_record *r)
{
	struct telling *t = ctx;

	if (!tools_audit_asked(t->span, r))
		return 0;
	keep_pace(t, r->time_ns);
	tools_audit_out_record(t->out, r);
	return tools_audit_out_gone(t->out);
}

/* ---- the command ---- */

static int speed_of(const char *text, double *out)
{
	char *end = NULL;

	*out = 0;
	if (!text)
		return TOOL_OK;
	*out = strtod(text, &end);
	if (end == text || *end || !isfinite(*out) || *out <= 0)
		return tools_usage("--speed takes how many times as fast as it was: 1, 60, 0.5");
	return TOOL_OK;
}

static int check(const struct tool_options *o, double *speed)
{
	if (o->decisions && o->policy)
		return tools_usage(
			"--decisions judges by the policies that were in force, --policy by "
			"a draft: one of them");
	if (o->speed && (o->decisions || o->policy))
		return tools_usage(
			"--speed is for the story; --decisions and --policy tell at once");
	return speed_of(o->speed, speed);
}

static const char *title_of(const struct tool_options *o)
{
	if (o->decisions)
		return "The log's decisions, taken again";
	return o->policy ? "What a draft policy would have decided" : "Replay of the access log";
}

static int run(const struct tool_options *o, struct audit_source *s, const struct audit_span *span,
	       double speed, struct audit_out *out)
{
	struct telling t = {.span = span, .out = out, .speed = speed};

	if (o->decisions)
		return tools_audit_decisions(s, span, out);
	if (o->policy)
		return tools_audit_draft(s, span, o->policy, out);
	if (o->json || o->csv || o->fhir)
		return tools_audit_read(s, &span->read, put_record, &t);
	return tell_story(s, &t);
}

int tools_cmd_audit_replay(struct tool_options *o, int argc, char **argv)
{
	struct audit_source *s = NULL;
	struct audit_out *out = NULL;
	struct audit_span span;
	double speed = 0;
	int rc = check(o, &speed);

	(void)argc;
	(void)argv;
	if (rc == TOOL_OK)
		rc = tools_audit_span(o, "replay", &span);
	if (rc != TOOL_OK)
		return rc;
	/* A pager would hold back what is to come at its time. */
	o->no_pager = o->no_pager || speed > 0;
	s = tools_audit_open(o);
	if (!s)
		return TOOL_FAILED;
	out = tools_audit_out_open(o, title_of(o));
	if (!out) {
		tools_audit_close(s);
		return TOOL_FAILED;
	}
	tools_audit_out_vault(out, tools_audit_vault(s));
	rc = run(o, s, &span, speed, out);
	tools_audit_close(s);
	if (rc != TOOL_OK && !o->decisions) {
		tools_audit_out_abort(out);
		return rc;
	}
	return tools_audit_out_close(out) != TOOL_OK ? TOOL_FAILED : rc;
}
