/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/control_audit.c - verbs for auditors: records, segments, keys, policies, checkpoints.
 *
 * What is long goes as frames (fs/audit_wire.h) over the descriptor that comes with the request.
 * Rights, and what is logged before anything is shown, are the vault's to judge (fs/audit.h).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "audit.h"
#include "control_impl.h"
#include "control_sink.h"

#define READ_AT_ONCE ((size_t)256 << 10)

/* ---- records as lines of text ---- */

struct auditing {
	struct fs_control_texts to;
	bool json;
	char *line;
	size_t cap;
};

static int add_record(void *ctx, const struct policy_record *r)
{
	struct auditing *a = ctx;
	size_t (*format)(const struct policy_record *r, char *out, size_t cap) =
		a->json ? policy_record_json : policy_record_text;
	size_t len = format(r, a->line, a->cap);

	if (len >= a->cap) {
		char *line = malloc(len + 1);

		if (!line) {
			a->to.rc = -ENOMEM;
			return 1;
		}
		keys_wipe(a->line, a->cap);
		free(a->line);
		a->line = line;
		a->cap = len + 1;
		len = format(r, a->line, a->cap);
	}
	return fs_control_texts_put(&a->to, a->line, len) ? 1 : 0;
}

int fs_control_verb_audit(struct fs_control_request *rq)
{
	const char *format = fs_control_text(rq, "format");
	struct auditing a = {
		.to = {.rq = rq, .name = "lines"},
		.json = !strcmp(format, "json"),
		.cap = 4096,
	};
	struct fs_audit_query q = {
		.who = fs_control_text(rq, "who"),
		.journal = fs_control_text(rq, "journal"),
		.since_ns = fs_control_int(rq, "since_ns"),
		.until_ns = fs_control_int(rq, "until_ns"),
		.grant = (uint64_t)fs_control_int(rq, "grant"),
	};
	int rc;

	if (!a.json && format[0] && strcmp(format, "text")) {
		fs_say(&rq->say, "the format of `audit` is text or json");
		return -EINVAL;
	}
	a.line = malloc(a.cap);
	rc = a.line ? fs_control_texts_begin(&a.to) : -ENOMEM;
	if (!rc)
		rc = fs_vault_audit(rq->c->vault, rq->session, &q, add_record, &a, &rq->say);
	if (!rc)
		rc = a.to.rc;
	if (!rc && rq->say.text[0] &&
	    json_object_set_new(rq->answer, "notice",
				fs_control_json_text(rq->say.text, strlen(rq->say.text))))
		rc = -ENOMEM;
	if (a.line)
		keys_wipe(a.line, a.cap);
	free(a.line);
	return rc;
}

/* ---- what the last answer says of a stream ---- */

static int put_result(struct fs_control_request *rq, const struct fs_audit_result *res)
{
	json_t *bad = json_array();
	int rc = bad ? json_object_set_new(rq->answer, "bad", bad) : -1;

	for (unsigned i = 0; i < res->bad && !rc; i++)
		rc = json_array_append_new(
			bad, fs_control_json_text(res->text[i], strlen(res->text[i])));
	rc |= json_object_set_new(rq->answer, "unread", json_integer((json_int_t)res->unread));
	rc |= json_object_set_new(rq->answer, "durable", json_integer((json_int_t)res->durable));
	if (rq->say.text[0])
		rc |= json_object_set_new(rq->answer, "notice",
					  fs_control_json_text(rq->say.text, strlen(rq->say.text)));
	return rc ? -ENOMEM : 0;
}

/* ---- records ---- */

struct records {
	struct fs_control_sink sink;
	uint8_t *bytes; /* POLICY_RECORD_MAX */
	struct fs_audit_result result;
};

static int send_record(void *ctx, const struct policy_record *r)
{
	struct records *a = ctx;
	size_t len = 0;
	int rc = policy_record_encode(r, a->bytes, POLICY_RECORD_MAX, &len);

	if (rc)
		a->sink.rc = rc;
	return fs_control_sink_frame(&a->sink, a->bytes, len);
}

static int run_records(struct fs_control_request *rq, struct records *a)
{
	const struct fs_audit_query q = {
		.who = fs_control_text(rq, "who"),
		.journal = fs_control_text(rq, "journal"),
		.since_ns = fs_control_int(rq, "since_ns"),
		.until_ns = fs_control_int(rq, "until_ns"),
		.grant = (uint64_t)fs_control_int(rq, "grant"),
		.own = fs_control_true(rq, "own"),
		.purpose = fs_control_text(rq, "purpose"),
		.result = &a->result,
	};
	int rc = fs_control_sink_open(&a->sink, rq);

	if (!rc) {
		rc = fs_vault_audit(rq->c->vault, rq->session, &q, send_record, a, &rq->say);
		rc = fs_control_sink_end(&a->sink, rc);
	}
	fs_control_sink_close(&a->sink);
	return rc ? rc : put_result(rq, &a->result);
}

int fs_control_verb_audit_records(struct fs_control_request *rq)
{
	struct records *a = calloc(1, sizeof(*a));
	int rc = -ENOMEM;

	if (a)
		a->bytes = malloc(POLICY_RECORD_MAX);
	if (a && a->bytes)
		rc = run_records(rq, a);
	if (a && a->bytes)
		keys_wipe(a->bytes, POLICY_RECORD_MAX);
	if (a)
		free(a->bytes);
	free(a);
	return rc;
}

/* ---- segments ---- */

static int add_segment(void *ctx, const struct fs_audit_segment *s)
{
	return fs_control_objects_put(ctx,
				      json_pack("{s:I, s:I, s:b}", "number", (json_int_t)s->number,
						"bytes", (json_int_t)s->bytes, "index", s->index));
}

int fs_control_verb_audit_segments(struct fs_control_request *rq)
{
	struct fs_control_objects to = {.rq = rq, .name = "segments"};
	uint64_t durable = 0;
	int rc = fs_control_objects_begin(&to);

	if (!rc)
		rc = fs_vault_audit_segments(rq->c->vault, rq->session,
					     fs_control_text(rq, "purpose"), add_segment, &to,
					     &durable, &rq->say);
	if (!rc && json_object_set_new(rq->answer, "durable", json_integer((json_int_t)durable)))
		rc = -ENOMEM;
	return rc;
}

static int part_of(struct fs_control_request *rq, enum fs_audit_part *out)
{
	static const char *const names[] = {[FS_AUDIT_SEGMENT] = "seg",
					    [FS_AUDIT_INDEX] = "idx",
					    [FS_AUDIT_ARCHIVE] = "archive"};

	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		*out = (enum fs_audit_part)i;
		if (!strcmp(names[i], fs_control_text(rq, "part")))
			return 0;
	}
	fs_say(&rq->say, "a part of the log is seg, idx or archive");
	return -EINVAL;
}

/* The file's bytes, as they are on disk at this moment. */
static int send_file(struct fs_control_sink *sink, int fd, uint64_t *bytes)
{
	uint8_t *p = malloc(READ_AT_ONCE);
	int rc = p ? 0 : -ENOMEM;

	while (!rc) {
		ssize_t n = pread(fd, p, READ_AT_ONCE, (off_t)*bytes);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			rc = n ? -errno : 0;
			break;
		}
		*bytes += (uint64_t)n;
		rc = fs_control_sink_frame(sink, p, (size_t)n);
	}
	free(p);
	return rc;
}

int fs_control_verb_audit_segment(struct fs_control_request *rq)
{
	struct fs_control_sink sink;
	enum fs_audit_part part;
	uint64_t bytes = 0;
	int fd = -1, rc = part_of(rq, &part);

	if (rc)
		return rc;
	rc = fs_control_sink_open(&sink, rq);
	if (!rc)
		rc = fs_vault_audit_segment(rq->c->vault, rq->session,
					    (uint64_t)fs_control_int(rq, "number"), part, &fd,
					    &rq->say);
	if (!rc) {
		rc = fs_control_sink_end(&sink, send_file(&sink, fd, &bytes));
		close(fd);
	}
	fs_control_sink_close(&sink);
	if (!rc && json_object_set_new(rq->answer, "bytes", json_integer((json_int_t)bytes)))
		rc = -ENOMEM;
	return rc;
}

/* ---- keys ---- */

static int send_key(void *ctx, const struct fs_audit_key *k)
{
	uint8_t bytes[FS_AUDIT_KEY_MAX];
	size_t len = fs_audit_key_encode(k, bytes);
	int rc = len ? fs_control_sink_put(ctx, bytes, len) : -EINVAL;

	keys_wipe(bytes, sizeof(bytes));
	return rc;
}

/* Public keys of the vault's daemons: frames of the length of one, before those of streams. */
static int send_daemons(struct fs_control_sink *sink, const struct fs_audit_streams *q)
{
	int rc = 0;

	for (size_t i = 0; i < q->daemons && !rc; i++)
		rc = fs_control_sink_frame(sink, q->daemon[i], KEYS_LEN);
	return rc;
}

struct keys_stream {
	struct fs_control_sink sink;
	struct fs_audit_streams q;
	bool begun;
};

static int send_stream(void *ctx, const struct fs_audit_key *k)
{
	struct keys_stream *a = ctx;
	int rc = a->begun ? 0 : send_daemons(&a->sink, &a->q);

	a->begun = true;
	return rc ? rc : send_key(&a->sink, k);
}

int fs_control_verb_audit_streams(struct fs_control_request *rq)
{
	struct keys_stream a = {.q = {.since_s = fs_control_int(rq, "since_s"),
				      .until_s = fs_control_int(rq, "until_s"),
				      .seal = rq->m.blob_len ? rq->m.blob : NULL}};
	int rc = fs_control_sink_open(&a.sink, rq);

	if (!rc) {
		rc = fs_vault_audit_streams(rq->c->vault, rq->session, &a.q, send_stream, &a,
					    &rq->say);
		if (!rc && !a.begun)
			rc = send_daemons(&a.sink, &a.q);
		rc = fs_control_sink_end(&a.sink, rc);
	}
	fs_control_sink_close(&a.sink);
	if (!rc)
		rc = json_object_set_new(
			     rq->answer, "practice",
			     fs_control_json_text(a.q.practice, strlen(a.q.practice))) ||
				     json_object_set_new(rq->answer, "shut",
							 json_integer(a.q.shut)) ||
				     json_object_set_new(rq->answer, "who",
							 json_string(rq->session->who))
			     ? -ENOMEM
			     : 0;
	free(a.q.daemon);
	return rc;
}

/* ---- policies ---- */

static int send_change(void *ctx, const struct policy_past_change *c)
{
	uint8_t *bytes = NULL;
	size_t len = 0;
	int rc = fs_audit_change_encode(c, &bytes, &len);

	if (!rc) {
		rc = fs_control_sink_put(ctx, bytes, len);
		keys_wipe(bytes, len);
	}
	free(bytes);
	return rc;
}

int fs_control_verb_audit_policies(struct fs_control_request *rq)
{
	struct fs_audit_result *res = calloc(1, sizeof(*res));
	bool practice = json_is_true(json_object_get(rq->m.json, "practice"));
	struct fs_control_sink sink;
	int rc;

	if (!res)
		return -ENOMEM;
	rc = fs_control_sink_open(&sink, rq);
	if (!rc)
		rc = fs_control_sink_end(
			&sink,
			(practice ? fs_vault_audit_practice : fs_vault_audit_policies)(
				rq->c->vault, rq->session, send_change, &sink, res, &rq->say));
	fs_control_sink_close(&sink);
	if (!rc)
		rc = put_result(rq, res);
	free(res);
	return rc;
}

/* ---- checkpoints and reviews ---- */

int fs_control_verb_log_checkpoint(struct fs_control_request *rq)
{
	char text[KEYS_CHECKPOINT_MAX], vkey[FS_VKEY_MAX];
	int rc = fs_vault_log_checkpoint(rq->c->vault, text, vkey);

	if (rc == -ENOENT)
		fs_say(&rq->say, "the log has no checkpoint yet: it gets one within a minute");
	if (rc)
		return rc;
	return json_object_set_new(rq->answer, "checkpoint", json_string(text)) ||
			       json_object_set_new(rq->answer, "vkey", json_string(vkey))
		       ? -ENOMEM
		       : 0;
}

int fs_control_verb_audit_sign_off(struct fs_control_request *rq)
{
	return fs_vault_audit_sign_off(rq->c->vault, rq->session, fs_control_text(rq, "what"),
				       fs_control_text(rq, "findings"), &rq->say);
}
