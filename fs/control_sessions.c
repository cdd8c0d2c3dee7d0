/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/control_sessions.c - verbs `sessions` and `session-end`: who is logged in, and ending it.
 *
 * One's own are those of one's account, on whatever terminal or host they began. A
 * steward sees everybody's, of others with the names of programs only, and never
 * the name of a file or journal: what has open files is told, not which.
 *
 * Invariants: (1) an id is compared with sessions of others only for who has the
 * policy right: to anybody else an id of others and one that nobody has are the
 * same; (2) an order of a steward is durable before the session is touched.
 *
 * Locks: c->lock for what is kept of log-ins, a leaf.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "control_impl.h"
#include "program.h"

#define PIECE 50 /* sessions in a frame: each has at most FS_OPENERS programs */
#define ID_TEXT (2 * KEYS_SESSION_ID_LEN + 1)
#define SECOND_NS INT64_C(1000000000)

const char *fs_control_state_text(const struct fs_session *s)
{
	static const char *const names[] = {"active", "locking", "locked", "ended"};

	return names[fs_session_state(s)];
}

struct fs_asker fs_control_asker(struct fs_control_request *rq,
				 char origin[static FS_CONTROL_ORIGIN])
{
	struct fs_control_agent *a;

	snprintf(origin, FS_CONTROL_ORIGIN, "%s", fs_control_text(rq, "origin"));
	a = origin[0] ? NULL : fs_control_agent_of_conn(rq->c, rq->conn);
	if (a)
		snprintf(origin, FS_CONTROL_ORIGIN, "%s", a->session->origin);
	fs_control_agent_put(a);
	return (struct fs_asker){rq->conn->uid, rq->conn->pid, origin};
}

static void id_text(const struct fs_session *s, char out[static ID_TEXT])
{
	for (size_t i = 0; i < KEYS_SESSION_ID_LEN; i++)
		snprintf(out + 2 * i, 3, "%02x", s->id[i]);
}

/* ---- programs ---- */

struct program {
	char name[32]; /* as the process claims; "" when it has ended */
	pid_t pid;
	uint32_t files;
};

/* The processes with open files; of one process the threads are one. At most FS_OPENERS. */
static size_t programs_of(struct fs_session *s, struct program *out, uint32_t *files)
{
	struct fs_opener opener[FS_OPENERS];
	size_t openers = fs_session_openers(s, opener, files), n = 0;

	for (size_t i = 0; i < openers; i++) {
		pid_t pid = fs_program_process(opener[i].tid);
		size_t k = 0;

		while (k < n && out[k].pid != pid)
			k++;
		if (k == n) {
			out[n] = (struct program){.pid = pid};
			fs_program_name_of(pid, s->uid, out[n].name, sizeof(out[n].name));
			n++;
		}
		out[k].files += opener[i].files;
	}
	return n;
}

/* Everybody's: [{name, processes, files}]; of others the names. */
static json_t *programs_json(struct fs_session *s, bool own, uint32_t *files)
{
	struct program *p = calloc(FS_OPENERS, sizeof(*p));
	size_t n = p ? programs_of(s, p, files) : 0;
	json_t *list = p ? json_array() : NULL;

	for (size_t i = 0; list && i < n; i++) {
		json_int_t processes = 1;
		bool first = true;
		json_t *one;

		for (size_t k = 0; k < n; k++) {
			if (k == i || strcmp(p[k].name, p[i].name))
				continue;
			first = first && k > i;
			processes++;
			if (k > i)
				p[i].files += p[k].files;
		}
		if (!first)
			continue;
		one = json_object();
		json_object_set_new(one, "name",
				    fs_control_json_text(p[i].name, strlen(p[i].name)));
		if (own) {
			json_object_set_new(one, "processes", json_integer(processes));
			json_object_set_new(one, "files", json_integer(p[i].files));
		}
		json_array_append_new(list, one);
	}
	free(p);
	return list;
}

/* ---- listing ---- */

struct listing {
	struct fs_control_request *rq;
	bool all; /* a steward's */
	json_t *list;
	int rc;
};

static int listing_begin(struct listing *l)
{
	l->list = json_array();
	return l->list && !json_object_set_new(l->rq->answer, "sessions", l->list) ? 0 : -ENOMEM;
}

/* The last OPEN, READ or WRITE, on the wall clock of now. */
static int64_t active_s(const struct fs_session *s)
{
	int64_t ago_ns = fs_control_now_ns() - (int64_t)atomic_load(&s->active_ns);

	return (fs_clock_wall_ns() - (ago_ns > 0 ? ago_ns : 0)) / SECOND_NS;
}

static json_t *session_json(struct listing *l, struct fs_session *s)
{
	bool own = s->uid == l->rq->conn->uid;
	uint32_t files = 0;
	char id[ID_TEXT];
	json_t *one, *programs = programs_json(s, own, &files);

	id_text(s, id);
	one = json_pack("{s:s, s:s, s:s, s:b, s:I, s:I, s:I, s:o}", "id", id, "who", s->who,
			"state", fs_control_state_text(s), "own", own, "since_s",
			(json_int_t)s->since_s, "active_s", (json_int_t)active_s(s), "ceiling_s",
			(json_int_t)s->ceiling_s, "programs", programs);
	if (one && (json_object_set_new(one, "origin",
					fs_control_json_text(s->origin, strlen(s->origin))) ||
		    (own && json_object_set_new(one, "files", json_integer(files))))) {
		json_decref(one);
		one = NULL;
	}
	return one;
}

static int list_one(void *ctx, struct fs_session *s)
{
	struct listing *l = ctx;
	json_t *one;

	if (fs_session_state(s) == FS_SESSION_ENDED || (!l->all && s->uid != l->rq->conn->uid))
		return 0;
	one = session_json(l, s);
	l->rc = !one || json_array_append_new(l->list, one) ? -ENOMEM : 0;
	if (!l->rc && json_array_size(l->list) >= PIECE) {
		l->rc = fs_control_more(l->rq);
		if (!l->rc)
			l->rc = listing_begin(l);
	}
	return l->rc != 0;
}

int fs_control_verb_sessions(struct fs_control_request *rq)
{
	struct listing l = {.rq = rq, .all = fs_control_may(rq, POLICY_POLICY)};

	l.rc = listing_begin(&l);
	if (!l.rc)
		fs_vault_sessions(rq->c->vault, list_one, &l);
	return l.rc;
}

/* ---- ending ---- */

struct search {
	const char *id;
	const uid_t *uid; /* NULL: everybody's */
	struct fs_session *found;
	unsigned n;
};

static int search_one(void *ctx, struct fs_session *s)
{
	struct search *look = ctx;
	char id[ID_TEXT];

	if (fs_session_state(s) == FS_SESSION_ENDED || (look->uid && s->uid != *look->uid))
		return 0;
	id_text(s, id);
	if (strncmp(id, look->id, strlen(look->id)))
		return 0;
	if (!look->n++)
		look->found = fs_session_get(s);
	return 0;
}

/* One's own, or for a steward anybody's; with a reference. */
static int find(struct fs_control_request *rq, const struct fs_asker *by, const char *id,
		struct fs_session **out)
{
	struct search look = {.id = id, .uid = &rq->conn->uid};

	fs_vault_sessions(rq->c->vault, search_one, &look);
	if (!look.n && !fs_control_may(rq, POLICY_POLICY))
		return fs_vault_end_refused(rq->c->vault, rq->session, by, id, &rq->say);
	if (!look.n) {
		look.uid = NULL;
		fs_vault_sessions(rq->c->vault, search_one, &look);
	}
	if (look.n == 1 && look.found) {
		*out = look.found;
		return 0;
	}
	fs_session_put(look.found);
	fs_say(&rq->say,
	       look.n ? "%s names several sessions; give more of its digits"
		      : "there is no session %s; `journalfs sessions` lists them",
	       id);
	return look.n ? -EEXIST : -ENOENT;
}

static void end_one(struct fs_control_request *rq, struct fs_session *s, const struct fs_asker *by,
		    const char *why)
{
	struct fs_control_agent *a = fs_control_agent_of(rq->c, s);

	if (a)
		fs_control_agent_end_now(rq->c, a, by, why);
	else /* between log-in and its agent */
		(void)fs_vault_end_finish_by(rq->c->vault, s, by, why);
	fs_control_agent_put(a);
}

int fs_control_verb_session_end(struct fs_control_request *rq)
{
	const char *id = fs_control_text(rq, "id"), *reason = fs_control_text(rq, "reason");
	char origin[FS_CONTROL_ORIGIN], why[2 * FS_CONTROL_ORIGIN];
	const struct fs_asker by = fs_control_asker(rq, origin);
	struct fs_session *s = NULL;
	int rc;

	if (strspn(id, "0123456789abcdef") != strlen(id)) {
		fs_say(&rq->say, "a session is named by the first digits of its id, as `journalfs "
				 "sessions` prints it");
		return -EINVAL;
	}
	rc = find(rq, &by, id, &s);
	if (rc)
		return rc;
	if (s->uid == rq->conn->uid) {
		snprintf(why, sizeof(why), "ended by its own account%s%s%s%s",
			 origin[0] ? " from " : "", origin, reason[0] ? ": " : "", reason);
		end_one(rq, s, &by, why);
	} else {
		rc = fs_vault_end_order(rq->c->vault, rq->session, &by, s, reason, &rq->say);
		snprintf(why, sizeof(why), "ended by the steward %s: %s", rq->session->who, reason);
		if (!rc)
			end_one(rq, s, NULL, why);
	}
	if (!rc && json_object_set_new(rq->answer, "who", json_string(s->who)))
		rc = -ENOMEM;
	fs_session_put(s);
	return rc;
}

/* ---- the last log-in ---- */

static struct fs_control_last *last_of(struct fs_control *c, uint32_t pid)
{
	struct fs_control_last *wider;

	for (size_t i = 0; i < c->lasts; i++) {
		if (c->last[i].pid == pid)
			return &c->last[i];
	}
	wider = reallocarray(c->last, c->lasts + 1, sizeof(*wider));
	if (!wider)
		return NULL;
	c->last = wider;
	c->last[c->lasts] = (struct fs_control_last){.pid = pid};
	return &c->last[c->lasts++];
}

int fs_control_last_login(struct fs_control_request *rq, const struct fs_session *s)
{
	struct fs_control_last before = {0}, *last;
	json_t *json;

	pthread_mutex_lock(&rq->c->lock);
	last = last_of(rq->c, s->pid);
	if (last) {
		before = *last;
		last->time_s = s->since_s;
		snprintf(last->origin, sizeof(last->origin), "%s", s->origin);
	}
	pthread_mutex_unlock(&rq->c->lock);
	if (!before.time_s)
		return 0;
	json = json_pack("{s:I}", "time_s", (json_int_t)before.time_s);
	if (!json ||
	    json_object_set_new(json, "origin",
				fs_control_json_text(before.origin, strlen(before.origin)))) {
		json_decref(json);
		return -ENOMEM;
	}
	return json_object_set_new(rq->answer, "last", json) ? -ENOMEM : 0;
}
