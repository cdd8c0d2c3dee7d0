/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tools/audit_source_daemon.c - an auditor's source with a daemon behind it.
 *
 * What is long comes over a stream of its own: one end of a socket pair goes to the daemon with the
 * request, frames come back (fs/audit_wire.h), the answer on the control socket follows when the
 * stream has ended. So a log of any size passes through a buffer of fixed size.
 *
 * Locks: `lock`, one request at a time.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../fs/audit_wire.h"
#include "../fs/log_segment.h"
#include "audit_source_impl.h"
#include "audit_stream.h"
#include "plain.h"

#define NOTES_MAX (POLICY_RECORD_MAX / 8)

int tools_audit_daemon_open(struct audit_source *s, const struct tool_options *o)
{
	if (tools_client_find(o, &s->conf, &s->cl))
		return TOOL_FAILED;
	memcpy(s->vault, s->cl.vault, sizeof(s->vault));
	memcpy(s->root_pk, s->cl.root_pk, sizeof(s->root_pk));
	s->has_vault = s->has_root = true;
	return TOOL_OK;
}

void tools_audit_daemon_close(struct audit_source *s)
{
	tools_client_close(&s->cl);
}

/* ---- records ---- */

struct record_reading {
	struct policy_record *r;
	struct policy_record_note *notes;
	int (*fn)(void *ctx, const struct policy_record *r);
	void *ctx;
};

static int take_record(void *ctx, const uint8_t *p, size_t len)
{
	struct record_reading *a = ctx;

	if (policy_record_decode(p, len, a->r, a->notes, NOTES_MAX))
		return -EBADMSG;
	return a->fn(a->ctx, a->r) ? 1 : 0;
}

/* What the daemon could not read, as it says it. */
static void say_unread(struct audit_source *s, const json_t *answer)
{
	const char *notice = json_string_value(json_object_get(answer, "notice"));
	const json_t *bad = json_object_get(answer, "bad"), *one;
	size_t i;

	json_array_foreach(bad, i, one)
	{
		fputs("journalfs: ", stderr);
		tools_plain_put(stderr, json_string_value(one) ? json_string_value(one) : "", 0);
		fputc('\n', stderr);
	}
	if (notice) {
		fputs("journalfs: ", stderr);
		tools_plain_put(stderr, notice, 0);
		fputc('\n', stderr);
	}
	s->unread += (uint64_t)json_integer_value(json_object_get(answer, "unread"));
	s->least = (uint64_t)json_integer_value(json_object_get(answer, "durable"));
}

int tools_audit_daemon_read(struct audit_source *s, const struct audit_filter *f,
			    int (*fn)(void *ctx, const struct policy_record *r), void *ctx)
{
	struct record_reading a = {
		.r = malloc(sizeof(*a.r)),
		.notes = calloc(NOTES_MAX, sizeof(*a.notes)),
		.fn = fn,
		.ctx = ctx,
	};
	struct fs_wire_message m;
	json_t *json =
		json_pack("{s:s, s:s, s:s, s:I, s:I, s:I, s:b, s:s}", "verb", "audit-records", "who",
			  f->who ? f->who : "", "journal", f->journal ? f->journal : "", "since_ns",
			  (json_int_t)f->since_ns, "until_ns", (json_int_t)f->until_ns, "grant",
			  (json_int_t)f->grant, "own", f->own, "purpose", f->purpose ? f->purpose : "");
	int rc = TOOL_FAILED;

	fs_wire_message_init(&m);
	if (a.r && a.notes) {
		rc = tools_audit_stream(s, json, NULL, 0, take_record, &a, &m);
		if (!rc)
			say_unread(s, m.json);
	} else {
		json_decref(json);
		tools_fail("out of memory");
	}
	fs_wire_message_clear(&m);
	if (a.r)
		keys_wipe(a.r, sizeof(*a.r));
	free(a.r);
	free(a.notes);
	return rc ? TOOL_FAILED : TOOL_OK;
}

/* ---- policies ---- */

static int take_change(void *ctx, const uint8_t *p, size_t len)
{
	struct policy_past_change c;
	char *store = NULL;
	int rc = fs_audit_change_decode(p, len, &c, &store);

	if (!rc)
		rc = policy_past_add(ctx, &c);
	free(store);
	return rc;
}

/* Takes the request. */
static struct policy_past *ask_policies(struct audit_source *s, json_t *request)
{
	struct policy_past *past = NULL;
	struct fs_wire_message m;
	int rc = policy_past_new(&past);

	if (rc) {
		json_decref(request);
		tools_fail("out of memory");
		return NULL;
	}
	fs_wire_message_init(&m);
	rc = tools_audit_stream(s, request, NULL, 0, take_change, past, &m);
	if (!rc)
		say_unread(s, m.json);
	fs_wire_message_clear(&m);
	if (!rc)
		return past;
	policy_past_free(past);
	return NULL;
}

struct policy_past *tools_audit_daemon_past(struct audit_source *s)
{
	return ask_policies(s, json_pack("{s:s}", "verb", "audit-policies"));
}

struct policy_past *tools_audit_daemon_practice(struct audit_source *s)
{
	return ask_policies(s, json_pack("{s:s, s:b}", "verb", "audit-policies", "practice", 1));
}

/* ---- segments ---- */

static int list_segments(void *ctx, uint64_t **numbers, size_t *n)
{
	struct audit_source *s = ctx;
	struct fs_wire_message m;
	uint64_t *list = NULL;
	size_t count = 0;
	int rc;

	fs_wire_message_init(&m);
	pthread_mutex_lock(&s->lock);
	rc = tools_client_call(&s->cl, json_pack("{s:s}", "verb", "audit-segments"), NULL, 0, -1,
			       &m);
	while (!rc) {
		json_t *segments = json_object_get(m.json, "segments"), *one;
		uint64_t *more =
			reallocarray(list, count + json_array_size(segments) + 1, sizeof(*more));
		size_t i;

		if (!more) {
			rc = -ENOMEM;
			break;
		}
		list = more;
		json_array_foreach(segments, i, one) list[count++] =
			(uint64_t)json_integer_value(json_object_get(one, "number"));
		s->least = (uint64_t)json_integer_value(json_object_get(m.json, "durable"));
		if (!json_is_true(json_object_get(m.json, "more")))
			break;
		rc = tools_client_next(&s->cl, &m);
	}
	pthread_mutex_unlock(&s->lock);
	fs_wire_message_clear(&m);
	if (rc) {
		free(list);
		return rc;
	}
	*numbers = list;
	*n = count;
	return 0;
}

struct gathering {
	uint8_t *bytes;
	size_t len, cap;
};

static int take_bytes(void *ctx, const uint8_t *p, size_t len)
{
	struct gathering *g = ctx;

	if (len > FS_LOG_SEGMENT_MAX - g->len)
		return -EFBIG;
	if (len > g->cap - g->len) {
		size_t cap = g->cap ? 2 * g->cap : FS_LOG_SEGMENT_BYTES + 1;
		uint8_t *more;

		while (cap - g->len < len + 1)
			cap *= 2;
		more = realloc(g->bytes, cap);
		if (!more)
			return -ENOMEM;
		g->bytes = more;
		g->cap = cap;
	}
	memcpy(g->bytes + g->len, p, len);
	g->len += len;
	return 0;
}

static int load_part(struct audit_source *s, uint64_t number, const char *part, uint8_t **bytes,
		     size_t *len)
{
	struct gathering g = {0};
	struct fs_wire_message m;
	int rc;

	fs_wire_message_init(&m);
	rc = tools_audit_stream_quiet(s,
				      json_pack("{s:s, s:I, s:s}", "verb", "audit-segment",
						"number", (json_int_t)number, "part", part),
				      NULL, 0, take_bytes, &g, &m);
	if (!rc && !g.bytes)
		g.bytes = malloc(1);
	if (!rc && !g.bytes)
		rc = -ENOMEM;
	fs_wire_message_clear(&m);
	if (rc) {
		free(g.bytes);
		return rc;
	}
	if (g.cap > g.len)
		g.bytes[g.len] = '\0';
	*bytes = g.bytes;
	*len = g.len;
	return 0;
}

static int load_segment(void *ctx, uint64_t number, uint8_t **bytes, size_t *len)
{
	return load_part(ctx, number, "seg", bytes, len);
}

static int load_extra(void *ctx, const char *name, uint8_t **bytes, size_t *len)
{
	return strcmp(name, "archive") ? -ENOENT : load_part(ctx, 0, name, bytes, len);
}

/* So that all that is there now, our own asking included, stands under a checkpoint. */
static void seal_now(struct audit_source *s)
{
	struct fs_wire_message m;

	fs_wire_message_init(&m);
	(void)tools_client_ask(&s->cl, json_pack("{s:s}", "verb", "log-checkpoint"), &m);
	fs_wire_message_clear(&m);
}

int tools_audit_daemon_segments(struct audit_source *s)
{
	uint64_t *numbers = NULL;
	size_t n = 0;

	/* Once now, so that a refusal is said once and the newest record is known. */
	if (list_segments(s, &numbers, &n))
		return TOOL_FAILED;
	free(numbers);
	seal_now(s);
	s->segments = (struct fs_log_source){
		.list = list_segments, .load = load_segment, .extra = load_extra, .ctx = s};
	return TOOL_OK;
}

int tools_audit_daemon_sign_off(struct audit_source *s, const char *what, const char *findings)
{
	return tools_client_do(&s->cl,
			       json_pack("{s:s, s:s, s:s}", "verb", "audit-sign-off", "what", what,
					 "findings", findings),
			       NULL, 0);
}
