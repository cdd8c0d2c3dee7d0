/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/control_break_glass.c - verbs of emergency access: ask, search, open, close.
 *
 * Rights, order and records are the vault's (fs/break_glass.h).
 */
#include <errno.h>
#include <string.h>

#include "break_glass.h"
#include "control_impl.h"

int fs_control_verb_glass_ask(struct fs_control_request *rq)
{
	struct fs_glass_preview p;
	int rc = fs_vault_glass_ask(rq->c->vault, rq->session, fs_control_text(rq, "journal"), &p,
				    &rq->say);
	json_t *more;

	if (rc)
		return rc;
	more = json_pack("{s:b, s:b, s:b, s:b, s:b, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "blocked",
			 p.blocked, "needs_code", p.needs_code, "key_file", p.key_file, "again",
			 p.again, "serial", p.serial, "limit_s", (json_int_t)p.limit_s, "reason",
			 (json_int_t)p.reason, "review_s", (json_int_t)p.review_s, "open",
			 (json_int_t)p.open, "at_once", (json_int_t)p.at_once, "today",
			 (json_int_t)p.today, "daily", (json_int_t)p.daily);
	if (!more || json_object_update(rq->answer, more) ||
	    json_object_set_new(rq->answer, "journal",
				fs_control_json_text(p.journal, strlen(p.journal))))
		rc = -ENOMEM;
	json_decref(more);
	return rc;
}

static int add_name(void *ctx, const char *name)
{
	return json_array_append_new(ctx, fs_control_json_text(name, strlen(name))) ? -ENOMEM : 0;
}

int fs_control_verb_glass_search(struct fs_control_request *rq)
{
	json_t *names = json_array();
	bool more = false;
	int rc = names ? 0 : -ENOMEM;

	if (!rc)
		rc = fs_vault_glass_search(rq->c->vault, rq->session, fs_control_text(rq, "part"),
					   add_name, names, &more, &rq->say);
	if (!rc && (json_object_set(rq->answer, "journals", names) ||
		    json_object_set_new(rq->answer, "others", json_boolean(more))))
		rc = -ENOMEM;
	json_decref(names);
	return rc;
}

int fs_control_verb_glass(struct fs_control_request *rq)
{
	const uint8_t *blob = rq->m.blob;
	const struct fs_glass_open in = {
		.journal = fs_control_text(rq, "journal"),
		.ground = fs_glass_ground_of(fs_control_text(rq, "ground")),
		.reason = fs_control_text(rq, "reason"),
		.pass_block = fs_control_true(rq, "pass_block"),
		.code = fs_control_text(rq, "code"),
		.stretched = rq->m.blob_len ? blob : NULL,
		.keyfile = {rq->m.blob_len ? blob + KEYS_LEN : NULL,
			    rq->m.blob_len ? rq->m.blob_len - KEYS_LEN : 0},
	};
	struct fs_grant g;
	int rc = fs_vault_glass_open(rq->c->vault, rq->session, &in, &g, &rq->say);

	if (!rc && (json_object_set_new(rq->answer, "number", json_integer(g.number)) ||
		    json_object_set_new(rq->answer, "until_s", json_integer(g.until_s)) ||
		    json_object_set_new(rq->answer, "flags", json_integer(g.flags))))
		rc = -ENOMEM;
	return rc;
}

int fs_control_verb_glass_close(struct fs_control_request *rq)
{
	return fs_vault_glass_close(rq->c->vault, rq->session, fs_control_text(rq, "journal"),
				    &rq->say);
}
