/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/control_notice.c - verbs of the notify service: the next notice, and how it went.
 *
 * Who may, what is handed out and what is logged is the vault's (fs/notice.h). Here
 * is the wait, in the request's own thread and bounded, and the notice as JSON:
 * fs/FORMAT.md, "Control socket"; journalfs(1) for who writes a program.
 */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "control_impl.h"
#include "notice.h"

#define STEP_MS 1000u /* between looks whether anybody still waits for the answer */

static int put_text(json_t *to, const char *name, const char *text)
{
	return json_object_set_new(to, name, fs_control_json_text(text, strlen(text)));
}

/* What is not known is left out. */
static int put_known(json_t *to, const char *name, const char *text)
{
	return *text ? put_text(to, name, text) : 0;
}

static int put_time(json_t *to, const char *name, int64_t s)
{
	char text[32];
	time_t t = (time_t)s;
	struct tm tm;

	if (!s)
		return 0;
	if (!gmtime_r(&t, &tm) || !strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm))
		return -1;
	return json_object_set_new(to, name, json_string(text));
}

static json_t *flags(uint8_t set)
{
	static const struct {
		uint8_t flag;
		const char *word;
	} words[] = {
		{FS_GLASS_PAST_BLOCK, "past-block"}, {FS_GLASS_REPEATED, "repeated-reason"},
		{FS_GLASS_AGAIN, "again"},	     {FS_GLASS_SERIAL, "serial"},
		{FS_GLASS_RECURRING, "recurring"},
	};
	json_t *list = json_array();

	for (size_t i = 0; list && i < sizeof(words) / sizeof(words[0]); i++) {
		if ((set & words[i].flag) &&
		    json_array_append_new(list, json_string(words[i].word))) {
			json_decref(list);
			list = NULL;
		}
	}
	return list;
}

static json_t *notice_json(const struct fs_control *c, const struct fs_notice *n)
{
	char id[2 * KEYS_VAULT_ID_LEN + 1];
	const uint8_t *vault = fs_vault_id(c->vault);
	json_t *to = json_object();
	int rc = 0;

	for (size_t i = 0; i < KEYS_VAULT_ID_LEN; i++)
		snprintf(id + 2 * i, 3, "%02x", vault[i]);
	rc |= json_object_set_new(to, "format", json_integer(1));
	rc |= json_object_set_new(to, "vault", json_string(id));
	rc |= json_object_set_new(to, "notice", json_integer(n->number));
	rc |= json_object_set_new(to, "event", json_string(n->event));
	rc |= json_object_set_new(to, "grant", json_integer(n->grant));
	rc |= put_text(to, "who", n->who);
	rc |= put_known(to, "role", n->role);
	rc |= put_known(to, "unit", n->unit);
	rc |= json_object_set_new(to, "uid", json_integer(n->uid));
	rc |= put_known(to, "origin", n->origin);
	rc |= json_object_set_new(to, "journal", json_integer(n->journal));
	rc |= put_known(to, "journal_name", n->journal_name);
	rc |= json_object_set_new(to, "ground", json_string(fs_glass_ground_word(n->ground)));
	rc |= json_object_set_new(to, "ground_text", json_string(fs_glass_ground_text(n->ground)));
	rc |= put_text(to, "reason", n->reason);
	rc |= json_object_set_new(to, "flags", flags(n->flags));
	rc |= put_time(to, "from", n->from_s) | put_time(to, "until", n->until_s) |
	      put_time(to, "ended", n->ended_s) | put_time(to, "review_due", n->review_s) |
	      put_time(to, "queued", n->queued_s);
	rc |= json_object_set_new(to, "tries", json_integer(n->tries));
	rc |= put_known(to, "last_error", n->error);
	if (rc) {
		json_decref(to);
		return NULL;
	}
	return to;
}

/* The service is not what keeps a daemon that is alone from ending. */
static void count_waiting(struct fs_control *c, int by)
{
	pthread_mutex_lock(&c->lock);
	c->listening = by > 0 ? c->listening + 1 : c->listening - 1;
	pthread_mutex_unlock(&c->lock);
}

static bool still_there(struct fs_control_request *rq)
{
	bool gone;

	pthread_mutex_lock(&rq->conn->lock);
	gone = rq->conn->gone;
	pthread_mutex_unlock(&rq->conn->lock);
	return !gone && !atomic_load(&rq->c->stop);
}

static int next(struct fs_control_request *rq, struct fs_notice *n)
{
	const struct fs_notice_peer peer = {rq->conn->uid, rq->conn->pid};
	int64_t until = fs_control_now_ns() + fs_control_int(rq, "wait_s") * INT64_C(1000000000);
	int rc = fs_vault_notice_next(rq->c->vault, &peer, fs_control_true(rq, "fresh"), n,
				      &rq->say);

	while (rc == -EAGAIN && fs_control_now_ns() < until && still_there(rq)) {
		fs_vault_notice_wait(rq->c->vault, STEP_MS);
		/* Handed to a connection that is gone it would be late by two minutes. */
		if (still_there(rq))
			rc = fs_vault_notice_next(rq->c->vault, &peer, false, n, &rq->say);
	}
	return rc;
}

int fs_control_verb_notice_next(struct fs_control_request *rq)
{
	struct fs_notice n;
	json_t *json = NULL;
	int rc;

	memset(&n, 0, sizeof(n));
	count_waiting(rq->c, 1);
	rc = next(rq, &n);
	count_waiting(rq->c, -1);
	if (!rc)
		json = notice_json(rq->c, &n);
	else if (rc == -EAGAIN)
		json = json_null();
	keys_wipe(&n, sizeof(n));
	if (rc && rc != -EAGAIN)
		return rc;
	return json_object_set_new(rq->answer, "notice", json) ? -ENOMEM : 0;
}

int fs_control_verb_notice_done(struct fs_control_request *rq)
{
	const struct fs_notice_peer peer = {rq->conn->uid, rq->conn->pid};

	return fs_vault_notice_done(rq->c->vault, &peer, (uint32_t)fs_control_int(rq, "number"),
				    fs_control_true(rq, "delivered"), fs_control_text(rq, "error"),
				    &rq->say);
}

int fs_control_notice_status(struct fs_control_request *rq)
{
	struct fs_notice_stat st;
	json_t *json;
	int rc = fs_vault_notice_stat(rq->c->vault, rq->session, &st);

	if (rc == -EACCES) /* not for this asker */
		return 0;
	if (rc)
		return rc;
	json = json_pack("{s:I, s:I, s:I, s:b}", "waiting", (json_int_t)st.waiting, "oldest_s",
			 (json_int_t)st.oldest_s, "asked_s", (json_int_t)st.asked_s, "service",
			 rq->c->notifies);
	if (!json || put_known(json, "last_error", st.error) ||
	    json_object_set(rq->answer, "notices", json))
		rc = -ENOMEM;
	json_decref(json);
	return rc;
}
