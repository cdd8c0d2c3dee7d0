/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tools/audit_source.c - where an auditor's records come from: the daemon, or a copied log.
 *
 * Owns the choice between the two and what both share; audit_source_log.c and
 * audit_source_daemon.c do the rest.
 */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audit_source_impl.h"
#include "when.h"

#define TIME_MAX_S (INT64_MAX / 1000000000)

/*
 * Segments come and go by the hundred: memory that the allocator keeps need not be given out and cleared by the kernel
 * each time: asking for the busiest journal of 10 million records took 10.6 s of processor time, 3.7 s with this.
 */
static void keep_memory(void)
{
	(void)mallopt(M_MMAP_THRESHOLD, 64 << 20);
	(void)mallopt(M_TRIM_THRESHOLD, 512 << 20);
}

struct audit_source *tools_audit_open(const struct tool_options *o)
{
	struct audit_source *s = calloc(1, sizeof(*s));
	int rc;

	if (!s) {
		tools_fail("out of memory");
		return NULL;
	}
	keep_memory();
	s->cl.sock = -1;
	s->live = !o->log;
	pthread_mutex_init(&s->lock, NULL);
	if (!o->log && o->key) {
		tools_usage("--key opens a copied log: name its directory with --log DIR");
		rc = TOOL_USAGE;
	} else {
		rc = s->live ? tools_audit_daemon_open(s, o) : tools_audit_log_open(s, o);
	}
	if (!rc)
		return s;
	tools_audit_close(s);
	return NULL;
}

void tools_audit_close(struct audit_source *s)
{
	if (!s)
		return;
	if (s->live)
		tools_audit_daemon_close(s);
	else
		tools_audit_log_close(s);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

int tools_audit_read(struct audit_source *s, const struct audit_filter *f,
		     int (*fn)(void *ctx, const struct policy_record *r), void *ctx)
{
	s->unread = 0;
	return s->live ? tools_audit_daemon_read(s, f, fn, ctx)
		       : tools_audit_log_read(s, f, fn, ctx);
}

uint64_t tools_audit_unread(const struct audit_source *s)
{
	return s->unread;
}

struct policy_past *tools_audit_past(struct audit_source *s)
{
	return s->live ? tools_audit_daemon_past(s) : tools_audit_log_past(s);
}

/* The newest practice policy of some. */
static struct policy_practice *newest(struct policy_past *past)
{
	size_t n = past ? policy_past_count(past) : 0;
	struct policy_practice *practice = NULL;
	struct policy_journal *journal = NULL;

	if (n &&
	    policy_past_get(past, policy_past_at(past, n - 1)->version, 0, &practice, &journal))
		practice = NULL;
	if (journal)
		policy_journal_put(journal);
	return practice;
}

struct policy_practice *tools_audit_practice(struct audit_source *s)
{
	struct policy_past *past = NULL;
	struct policy_practice *p;

	if (!s->live)
		return newest(tools_audit_log_past_kept(s));
	past = tools_audit_daemon_practice(s);
	p = newest(past);
	policy_past_free(past);
	return p;
}

const struct fs_log_source *tools_audit_segments(struct audit_source *s)
{
	if (!s->has_segments &&
	    (s->live ? tools_audit_daemon_segments(s) : tools_audit_log_segments(s)))
		return NULL;
	s->has_segments = true;
	return &s->segments;
}

const uint8_t *tools_audit_vault(const struct audit_source *s)
{
	return s->has_vault ? s->vault : NULL;
}

const uint8_t *tools_audit_root(const struct audit_source *s)
{
	return s->has_root ? s->root_pk : NULL;
}

uint64_t tools_audit_least(const struct audit_source *s)
{
	return s->least;
}

bool tools_audit_live(const struct audit_source *s)
{
	return s->live;
}

int tools_audit_sign_off(struct audit_source *s, const char *what, const char *findings)
{
	if (!s->live)
		return tools_fail("a review is signed off where the log is: log in, and leave out "
				  "--log");
	return tools_audit_daemon_sign_off(s, what, findings);
}

int tools_audit_filter(const struct tool_options *o, struct audit_filter *out)
{
	int64_t since_s = 0, until_s = 0;

	if ((o->since && tools_when_parse(o->since, &since_s)) ||
	    (o->until && tools_when_parse(o->until, &until_s)))
		return tools_usage("a time is " TOOLS_WHEN_FORMS);
	/* Times of records end in 2262: until after that is no end, and before 1970 there is none.
	 */
	if (since_s < 0)
		since_s = 0;
	if (since_s > TIME_MAX_S)
		since_s = TIME_MAX_S;
	if (o->until && until_s <= 0)
		return tools_usage("--until %s lies before the first record there can be",
				   o->until);
	if (until_s > TIME_MAX_S)
		until_s = 0;
	*out = (struct audit_filter){
		.who = o->who ? o->who : "",
		.journal = o->journal ? o->journal : "",
		.since_ns = since_s * 1000000000,
		.until_ns = until_s * 1000000000,
		.grant = (uint64_t)o->grant,
		.purpose = "",
	};
	return TOOL_OK;
}
