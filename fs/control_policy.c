/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/control_policy.c - verbs that show: status, policy, list.
 *
 * Rights are the vault's to judge; here only status leaves
 * out what its reader may not know.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control_impl.h"
#include "forward.h"

/* ---- status ---- */

bool fs_control_may(struct fs_control_request *rq, uint32_t rights)
{
	struct policy_verdict verdict;
	char rule[8];

	return rq->session && fs_session_state(rq->session) == FS_SESSION_ACTIVE &&
	       !fs_vault_decide_vault(rq->c->vault, rq->session, rights, &verdict, rule,
				      sizeof(rule)) &&
	       verdict.answer == POLICY_ALLOW;
}

struct sessions {
	struct fs_control_request *rq;
	bool all; /* the policy right */
	json_t *list;
};

static int add_session(void *ctx, struct fs_session *s)
{
	struct sessions *to = ctx;
	json_t *one = json_pack("{s:I}", "since_s", (json_int_t)s->since_s);

	if (one && (to->all || s->uid == to->rq->conn->uid)) {
		json_object_set_new(one, "who", json_string(s->who));
		json_object_set_new(one, "own", json_boolean(s->uid == to->rq->conn->uid));
		json_object_set_new(one, "state", json_string(fs_control_state_text(s)));
		json_object_set_new(one, "origin",
				    fs_control_json_text(s->origin, strlen(s->origin)));
	}
	if (one)
		json_array_append_new(to->list, one);
	return 0;
}

static json_t *log_status(const struct fs_log_stat *log)
{
	return json_pack("{s:I, s:I, s:I, s:I, s:i}", "records", (json_int_t)log->records, "bytes",
			 (json_int_t)log->bytes, "syncs", (json_int_t)log->syncs, "free_bytes",
			 (json_int_t)log->free_bytes, "failed", log->failed);
}

static json_t *me(struct fs_vault *v, struct fs_session *s)
{
	uint64_t until = 0;

	if (!s || fs_session_state(s) == FS_SESSION_ENDED)
		return json_null();
	/* Locked, nobody may know the policy; 0 says nothing. */
	if (fs_session_state(s) != FS_SESSION_ACTIVE || fs_vault_passphrase_until(v, s, &until))
		until = 0;
	return json_pack("{s:s, s:s, s:I, s:s, s:I}", "who", s->who, "state", fs_control_state_text(s),
			 "ceiling_s", (json_int_t)s->ceiling_s, "factor",
			 fs_control_factor_text((enum fs_factor_kind)atomic_load(&s->factor)),
			 "passphrase_until_s", (json_int_t)until);
}

/* Where records are forwarded to, and whether what was sent arrived as far as this end can tell; null: nowhere. */
static json_t *forward_status(const struct fs_control_request *rq)
{
	static const char *const says[] = {"off", "on", "names"};
	struct fs_forward *f = rq->c->forward;
	enum policy_forward how = fs_vault_forwards(rq->c->vault);

	if (!f || f->fd < 0)
		return json_null();
	return json_pack("{s:s, s:s, s:I, s:I}", "target", f->target, "policy", says[how], "sent",
			 (json_int_t)f->sent, "lost", (json_int_t)f->lost);
}

static int put_numbers(json_t *to, const struct fs_vault_status *st)
{
	const struct {
		const char *name;
		json_int_t n;
	} numbers[] = {
		{"journals", st->journals},
		{"practitioners", st->practitioners},
		{"grants_waiting", st->grants_waiting},
		{"enrolments_waiting", st->enrolments_waiting},
		{"policy_version", st->policy_version},
		{"commit", (json_int_t)st->commit},
		{"free_bytes", (json_int_t)st->free_bytes},
		{"used_bytes", (json_int_t)st->used_bytes},
		{"failed", st->failed},
	};
	int rc = 0;

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		rc |= json_object_set_new(to, numbers[i].name, json_integer(numbers[i].n));
	rc |= json_object_set_new(to, "keys_locked", json_boolean(st->keys_locked));
	rc |= json_object_set_new(to, "waiting_for_space", json_boolean(st->waiting_for_space));
	return rc;
}

int fs_control_verb_status(struct fs_control_request *rq)
{
	struct sessions sessions = {rq, fs_control_may(rq, POLICY_POLICY), json_array()};
	struct fs_vault_status st = {0};
	char *waiting = NULL;
	int rc = 0;

	if (!sessions.list)
		return -ENOMEM;
	fs_vault_status(rq->c->vault, &st);
	fs_vault_sessions(rq->c->vault, add_session, &sessions);
	rc |= put_numbers(rq->answer, &st);
	rc |= json_object_set_new(rq->answer, "sessions", sessions.list);
	/* The practice's name is under the index key: for those who hold it. */
	if (!rq->session || fs_session_state(rq->session) != FS_SESSION_ACTIVE)
		st.title[0] = '\0';
	rc |= json_object_set_new(rq->answer, "practice",
				  fs_control_json_text(st.title, strlen(st.title)));
	if (sessions.all) {
		waiting = fs_vault_waiting(rq->c->vault, rq->session);
		rc |= json_object_set_new(rq->answer, "waiting",
					  fs_control_json_text(waiting ? waiting : "",
							       waiting ? strlen(waiting) : 0));
		free(waiting);
	}
	rc |= fs_control_notice_status(rq);
	rc |= json_object_set_new(
		rq->answer, "emergency",
		fs_control_emergencies(rq, sessions.all || fs_control_may(rq, POLICY_REVIEW) ||
						   fs_control_may(rq, POLICY_AUDIT)));
	rc |= json_object_set_new(rq->answer, "log", log_status(&st.log));
	rc |= json_object_set_new(rq->answer, "forward", forward_status(rq));
	rc |= json_object_set_new(rq->answer, "landlock", json_boolean(rq->c->harden.landlock));
	rc |= json_object_set_new(rq->answer, "seccomp", json_boolean(rq->c->harden.seccomp));
	rc |= json_object_set_new(rq->answer, "me", me(rq->c->vault, rq->session));
	return rc ? -ENOMEM : 0;
}

/* ---- policy ---- */

int fs_control_verb_policy_show(struct fs_control_request *rq)
{
	char *text = NULL;
	uint32_t version = 0;
	size_t len = 0;
	int rc;

	rc = fs_vault_policy_show(rq->c->vault, rq->session, fs_control_text(rq, "file"), &text,
				  &len, &version, &rq->say);
	if (rc)
		return rc;
	rc = json_object_set_new(rq->answer, "text", json_stringn(text, len)) ||
			     json_object_set_new(rq->answer, "version", json_integer(version))
		     ? -ENOMEM
		     : 0;
	free(text);
	return rc;
}

int fs_control_verb_policy_check(struct fs_control_request *rq)
{
	const json_t *text = json_object_get(rq->m.json, "text");

	return fs_vault_policy_check(rq->c->vault, rq->session, fs_control_text(rq, "file"),
				     json_string_value(text), json_string_length(text), &rq->report,
				     &rq->say);
}

int fs_control_verb_policy_put(struct fs_control_request *rq)
{
	const json_t *text = json_object_get(rq->m.json, "text");
	int rc;

	rc = fs_vault_policy_put_because(
		rq->c->vault, rq->session, fs_control_text(rq, "file"), json_string_value(text),
		json_string_length(text), (uint32_t)fs_control_int(rq, "base"),
		fs_control_text(rq, "reason"), &rq->report, &rq->say);
	if (!rc && json_object_set_new(rq->answer, "version",
				       json_integer(fs_vault_policy_version(rq->c->vault))))
		rc = -ENOMEM;
	return rc;
}

/* ---- long answers ---- */

struct names {
	char **name;
	size_t n, cap;
	int rc;
};

static int add_name(void *ctx, uint32_t index, const char *name, uint64_t cookie)
{
	struct names *to = ctx;
	char *copy = strdup(name);

	(void)index;
	(void)cookie;
	if (copy && to->n == to->cap) {
		size_t cap = to->cap ? 2 * to->cap : 256;
		char **more = reallocarray(to->name, cap, sizeof(*more));

		if (more) {
			to->name = more;
			to->cap = cap;
		}
	}
	if (!copy || to->n == to->cap) {
		free(copy);
		to->rc = -ENOMEM;
		return 1;
	}
	to->name[to->n++] = copy;
	return 0;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

int fs_control_verb_list(struct fs_control_request *rq)
{
	struct fs_control_texts to = {.rq = rq, .name = "journals"};
	struct names names = {0};
	int rc;

	rc = fs_vault_list(rq->c->vault, rq->session, add_name, 0, &names);
	if (!rc)
		rc = names.rc;
	if (!rc)
		rc = fs_control_texts_begin(&to);
	if (!rc && names.n)
		qsort(names.name, names.n, sizeof(*names.name), by_name);
	for (size_t i = 0; i < names.n; i++) {
		if (!rc)
			rc = fs_control_texts_put(&to, names.name[i], strlen(names.name[i]));
		free(names.name[i]);
	}
	free(names.name);
	return rc;
}
