/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/control_steward.c - verbs for who looks after policy: versions, and what to look at.
 *
 * Answers that grow with the vault are arrays of objects, sent in pieces of
 * OBJECTS, each of which is bounded by the sizes of the vault's own texts: a piece
 * fits in a frame. Rights are the vault's to judge.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "control_impl.h"

/* ---- objects on their way ---- */

static int put_text(json_t *to, const char *name, const char *text)
{
	return json_object_set_new(to, name, fs_control_json_text(text, strlen(text)));
}

/* ---- versions ---- */

static struct fs_policy_when when_of(const struct fs_control_request *rq)
{
	return (struct fs_policy_when){
		.version = (uint32_t)fs_control_int(rq, "version"),
		.at_s = fs_control_int(rq, "at_s"),
	};
}

int fs_control_verb_policy_at(struct fs_control_request *rq)
{
	const struct fs_policy_when when = when_of(rq);
	struct fs_policy_text text;
	int rc;

	rc = fs_vault_policy_at(rq->c->vault, rq->session, fs_control_text(rq, "file"), &when,
				&text, &rq->say);
	if (rc)
		return rc;
	rc = put_text(rq->answer, "file", text.file) || put_text(rq->answer, "who", text.who) ||
			     put_text(rq->answer, "reason", text.reason) ||
			     json_object_set_new(rq->answer, "text",
						 fs_control_json_text(text.text, text.len)) ||
			     json_object_set_new(rq->answer, "version",
						 json_integer(text.version)) ||
			     json_object_set_new(rq->answer, "time_s", json_integer(text.time_s))
		     ? -ENOMEM
		     : 0;
	free(text.text);
	return rc;
}

static int add_change(void *ctx, const struct fs_policy_change *c)
{
	static const char *const states[] = {"in force", "replaced", "gone"};
	json_t *one = json_pack("{s:I, s:I, s:I, s:s, s:I, s:I}", "version", (json_int_t)c->number,
				"replaces", (json_int_t)c->before, "time_s", (json_int_t)c->time_s,
				"state", states[c->state], "added", (json_int_t)c->added,
				"removed", (json_int_t)c->removed);

	if (one && (put_text(one, "file", c->file) || put_text(one, "who", c->who) ||
		    put_text(one, "reason", c->reason) || put_text(one, "summary", c->summary))) {
		json_decref(one);
		one = NULL;
	}
	return fs_control_objects_put(ctx, one);
}

int fs_control_verb_policy_log(struct fs_control_request *rq)
{
	struct fs_control_objects to = {.rq = rq, .name = "versions"};
	int rc = fs_control_objects_begin(&to);

	return rc ? rc
		  : fs_vault_policy_log(rq->c->vault, rq->session, fs_control_text(rq, "file"),
					(uint32_t)fs_control_int(rq, "after"), add_change, &to,
					&rq->say);
}

/* ---- what to look at ---- */

static json_t *time_or_null(int64_t s)
{
	return s == INT64_MAX || s == INT64_MIN ? json_null() : json_integer(s);
}

static int add_item(void *ctx, const struct fs_policy_item *item)
{
	json_t *one = json_pack("{s:s}", "kind", item->kind);

	if (one && (put_text(one, "who", item->who ? item->who : "") ||
		    put_text(one, "journal", item->journal ? item->journal : "") ||
		    json_object_set_new(one, "until_s",
					time_or_null(item->until_s ? item->until_s : INT64_MAX)) ||
		    put_text(one, "text", item->text) || put_text(one, "next", item->next))) {
		json_decref(one);
		one = NULL;
	}
	return fs_control_objects_put(ctx, one);
}

int fs_control_verb_policy_status(struct fs_control_request *rq)
{
	struct fs_control_objects to = {.rq = rq, .name = "items"};
	int64_t days = fs_control_int(rq, "days");
	int rc = fs_control_objects_begin(&to);

	return rc ? rc
		  : fs_vault_policy_status(rq->c->vault, rq->session, days ? (uint32_t)days : 30,
					   add_item, &to, &rq->say);
}

/* ---- the access review ---- */

/* The names of these rights as a list. */
static json_t *rights_list(uint32_t rights)
{
	json_t *list = json_array();
	char text[128], *rest = NULL;

	policy_right_text(rights, text);
	for (char *word = strtok_r(text, " ", &rest); list && word; word = strtok_r(NULL, " ", &rest))
		json_array_append_new(list, json_string(word));
	return list;
}

static void hex_text(const uint8_t *p, size_t len, char *out)
{
	for (size_t i = 0; i < len; i++)
		snprintf(out + 2 * i, 3, "%02x", p[i]);
}

static json_t *last_sign_off(const struct fs_review_sign_off *r)
{
	char digest[2 * FS_REVIEW_DIGEST + 1];

	if (!r->number)
		return json_null();
	hex_text(r->digest, sizeof(r->digest), digest);
	return json_pack("{s:I, s:I, s:s, s:I, s:I, s:I, s:s}", "number", (json_int_t)r->number,
			 "time_s", (json_int_t)r->time_s, "who", r->who, "practice",
			 (json_int_t)r->practice, "version", (json_int_t)r->version,
			 "practitioners", (json_int_t)r->practitioners, "digest", digest);
}

static int add_head(void *ctx, const struct fs_review_head *h)
{
	json_t *glass = json_pack("{s:I, s:I, s:I, s:I}", "since", (json_int_t)h->glass, "pending",
				  (json_int_t)h->glass_pending, "overdue",
				  (json_int_t)h->glass_overdue, "deviations",
				  (json_int_t)h->glass_deviations);

	return fs_control_objects_put(
		ctx, json_pack("{s:s, s:I, s:s, s:I, s:I, s:I, s:I, s:I, s:o, s:o}", "item", "head",
			       "time_s",
			       (json_int_t)h->time_s, "title", h->title, "practice",
			       (json_int_t)h->practice, "version", (json_int_t)h->version,
			       "practitioners", (json_int_t)h->practitioners, "journals",
			       (json_int_t)h->journals, "changed",
			       (json_int_t)h->changed, "last", last_sign_off(&h->last),
			       "emergency", glass));
}

static int add_person(void *ctx, const struct policy_practitioner *p, bool enrolled)
{
	static const char *const states[] = {"active", "on leave", "left"};

	return fs_control_objects_put(
		ctx, json_pack("{s:s, s:s, s:s, s:s, s:b, s:o, s:s, s:s, s:o, s:o, s:b}", "item",
			       "person", "who", p->name, "account", p->account, "role",
			       p->role->name, "clinical", p->role->clinical, "rights",
			       rights_list(p->role->rights), "unit", p->unit ? p->unit->name : "",
			       "state", states[p->state], "from_s", time_or_null(p->from_s),
			       "until_s", time_or_null(p->until_s), "enrolled", enrolled));
}

static int add_access(void *ctx, const struct fs_review_access *a)
{
	if (a->block)
		return fs_control_objects_put(ctx, json_pack("{s:s, s:s, s:s, s:I, s:s}", "item", "block",
						  "who", a->who, "journal", a->journal, "index",
						  (json_int_t)a->index, "entry", a->block));
	return fs_control_objects_put(ctx, json_pack("{s:s, s:s, s:s, s:I, s:s, s:o, s:o}", "item", "access",
					  "who", a->who, "journal", a->journal, "index",
					  (json_int_t)a->index, "ground",
					  policy_access_text(a->access), "rights",
					  rights_list(a->rights), "until_s",
					  time_or_null(a->until_s)));
}

static int add_total(void *ctx, const struct fs_review_total *t)
{
	return fs_control_objects_put(
		ctx,
		json_pack("{s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "item", "total",
			  "who", t->who, "own", (json_int_t)t->by[POLICY_ACCESS_OWN], "attend",
			  (json_int_t)t->by[POLICY_ACCESS_ATTEND], "unit",
			  (json_int_t)t->by[POLICY_ACCESS_UNIT], "role",
			  (json_int_t)t->by[POLICY_ACCESS_ROLE], "default",
			  (json_int_t)t->by[POLICY_ACCESS_DEFAULT], "read", (json_int_t)t->read,
			  "write", (json_int_t)t->write, "blocked", (json_int_t)t->blocked, "named",
			  (json_int_t)t->named));
}

static int add_alone(void *ctx, const char *who, uint32_t journals)
{
	return fs_control_objects_put(ctx, json_pack("{s:s, s:s, s:I}", "item", "alone", "who", who,
					  "journals", (json_int_t)journals));
}

int fs_control_verb_policy_review(struct fs_control_request *rq)
{
	static const struct fs_review_to to_objects = {
		.head = add_head,
		.person = add_person,
		.access = add_access,
		.total = add_total,
		.alone = add_alone,
	};
	struct fs_control_objects to = {.rq = rq, .name = "items"};
	int rc = fs_control_objects_begin(&to);

	return rc ? rc
		  : fs_vault_review(rq->c->vault, rq->session, fs_control_text(rq, "unit"),
				    &to_objects, &to, &rq->say);
}

static bool unhex(const char *text, uint8_t *out, size_t len)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < 2 * len; i++) {
		const char *at = text[i] ? strchr(digits, text[i]) : NULL;

		if (!at)
			return false;
		out[i / 2] = (uint8_t)(i % 2 ? out[i / 2] << 4 | (at - digits) : at - digits);
	}
	return true;
}

int fs_control_verb_policy_sign_off(struct fs_control_request *rq)
{
	struct fs_review_request in = {
		.practice = (uint32_t)fs_control_int(rq, "practice"),
		.version = (uint32_t)fs_control_int(rq, "version"),
		.unit = fs_control_text(rq, "unit"),
		.text = fs_control_text(rq, "text"),
	};

	if (!unhex(fs_control_text(rq, "digest"), in.digest, sizeof(in.digest))) {
		fs_say(&rq->say, "the digest of a report is 64 hexadecimal digits");
		return -EINVAL;
	}
	return fs_vault_review_sign_off(rq->c->vault, rq->session, &in, &rq->say);
}

/* ---- questions about decisions ---- */

int fs_control_verb_policy_explain(struct fs_control_request *rq)
{
	const struct fs_explain in = {
		.who = fs_control_text(rq, "who"),
		.journal = fs_control_text(rq, "journal"),
		.note = fs_control_text(rq, "note"),
		.action = fs_control_text(rq, "action"),
		.at_s = fs_control_int(rq, "at_s"),
	};
	char *text = NULL;
	int rc = fs_vault_explain(rq->c->vault, rq->session, &in, &text, &rq->say);

	if (!rc && put_text(rq->answer, "text", text))
		rc = -ENOMEM;
	free(text);
	return rc;
}

static int add_line(void *ctx, const char *line)
{
	return fs_control_objects_put(ctx, fs_control_json_text(line, strlen(line)));
}

/* [{file, text}] as an array that the caller frees; its texts are the request's. */
static int drafts_of(struct fs_control_request *rq, struct fs_policy_draft **out, size_t *n)
{
	const json_t *list = json_object_get(rq->m.json, "drafts"), *one;
	struct fs_policy_draft *draft;
	size_t i;

	*n = json_array_size(list);
	draft = calloc(*n ? *n : 1, sizeof(*draft));
	if (!draft)
		return -ENOMEM;
	json_array_foreach(list, i, one) {
		draft[i].file = json_string_value(json_object_get(one, "file"));
		draft[i].text = json_string_value(json_object_get(one, "text"));
		draft[i].len = json_string_length(json_object_get(one, "text"));
		if (!draft[i].file || !draft[i].text || strlen(draft[i].file) > 255) {
			fs_say(&rq->say, "a draft of `policy-test` has a file and a text");
			free(draft);
			return -EINVAL;
		}
	}
	*out = draft;
	return 0;
}

int fs_control_verb_policy_test(struct fs_control_request *rq)
{
	const json_t *text = json_object_get(rq->m.json, "text");
	struct fs_control_objects to = {.rq = rq, .name = "failures"};
	struct fs_policy_draft *draft = NULL;
	struct fs_policy_test in = {
		.name = fs_control_text(rq, "name"),
		.text = json_string_value(text),
		.len = json_string_length(text),
		.at_s = fs_control_int(rq, "at_s"),
	};
	struct fs_policy_tested tested;
	int rc = drafts_of(rq, &draft, &in.drafts);

	in.draft = draft;
	if (!rc)
		rc = fs_control_objects_begin(&to);
	if (!rc)
		rc = fs_vault_policy_test(rq->c->vault, rq->session, &in, add_line, &to, &tested,
					  &rq->report, &rq->say);
	if (!rc && (json_object_set_new(rq->answer, "total", json_integer(tested.total)) ||
		    json_object_set_new(rq->answer, "failed", json_integer(tested.failed))))
		rc = -ENOMEM;
	free(draft);
	return rc;
}
