/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/control_audit.c - verbs for auditors.
 *
 * Rights, and what is logged before anything is shown, are the vault's to judge (fs/audit.c).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "control_impl.h"

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
		char *line = realloc(a->line, len + 1);

		if (!line) {
			a->to.rc = -ENOMEM;
			return 1;
		}
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
	free(a.line);
	return rc;
}
