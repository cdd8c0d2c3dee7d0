/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/control_keys.c - verbs on journals' keys: renew them, and how far that is.
 *
 * Rights are the vault's to judge. An answer names at most LIST_MOST journals.
 */
#include <errno.h>
#include <string.h>

#include "control_impl.h"

#define LIST_MOST 200

int fs_control_verb_keys_renew(struct fs_control_request *rq)
{
	const char *journal = fs_control_text(rq, "journal"), *who = fs_control_text(rq, "who");
	uint32_t n = 0;
	int rc;

	if (!journal[0] == !who[0]) {
		fs_say(&rq->say, "`keys-renew` takes a journal or a practitioner");
		return -EINVAL;
	}
	rc = fs_vault_renew(rq->c->vault, rq->session, journal, who, &n, &rq->say);
	if (!rc && json_object_set_new(rq->answer, "journals", json_integer(n)))
		rc = -ENOMEM;
	return rc;
}

struct listing {
	json_t *list;
	int rc;
};

static int add_one(void *ctx, const struct fs_renew_one *one)
{
	struct listing *to = ctx;
	json_t *json = json_pack("{s:s, s:s, s:s, s:s, s:I}", "state", one->state, "what",
				 one->what, "by", one->by, "because", one->because, "since_s",
				 (json_int_t)one->since_s);

	if (!json || json_object_set_new(json, "journal",
					 fs_control_json_text(one->journal, strlen(one->journal))) ||
	    json_array_append_new(to->list, json))
		to->rc = -ENOMEM;
	return to->rc || json_array_size(to->list) >= LIST_MOST;
}

static json_t *progress(const struct fs_renew_progress *now)
{
	json_t *json;

	if (!now->journal[0])
		return json_null();
	json = json_pack("{s:b, s:I, s:I, s:I, s:I}", "counting", now->counting, "records",
			 (json_int_t)now->records, "records_total", (json_int_t)now->records_total,
			 "bytes", (json_int_t)now->bytes, "bytes_total",
			 (json_int_t)now->bytes_total);
	if (json)
		json_object_set_new(json, "journal",
				    fs_control_json_text(now->journal, strlen(now->journal)));
	return json;
}

int fs_control_verb_keys_status(struct fs_control_request *rq)
{
	struct listing to = {.list = json_array()};
	struct fs_renew_progress now;
	uint32_t left = 0, waiting = 0;
	int rc;

	if (!to.list || json_object_set_new(rq->answer, "renewals", to.list))
		return -ENOMEM;
	rc = fs_vault_renew_status(rq->c->vault, rq->session, fs_control_text(rq, "journal"),
				   fs_control_text(rq, "who"), add_one, &to, &left, &waiting, &now);
	if (!rc)
		rc = to.rc;
	if (!rc && (json_object_set_new(rq->answer, "left", json_integer(left)) ||
		    json_object_set_new(rq->answer, "waiting", json_integer(waiting)) ||
		    json_object_set_new(rq->answer, "now", progress(&now))))
		rc = -ENOMEM;
	if (rc == -ENOENT)
		fs_say(&rq->say, "there is no practitioner `%s` here", fs_control_text(rq, "who"));
	return rc;
}
