/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/control_agent.c - sessions as the control side sees them: agent, mount, unlock, end.
 *
 * An agent is the connection that logged in. Its session ends when the
 * connection is lost, the kernel lets go of the mount, the practitioner logs out,
 * policy or the clock says so, or the daemon stops; whichever comes first, once.
 *
 * Invariants: (1) a session is refused before anybody waits for anything, all but
 * what its mappings hold unsaved (fs_vault_lock_begin), and then that too; (2)
 * under agent->lock one of mount, lock, unlock and end is done at a time, so that
 * a mount is neither attached to an ended session nor ended twice; (3) locking (control_lock.c) and
 * ending never run in the loop or the clock: a practitioner's stalled mount delays nobody else.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control_impl.h"

/* ---- the table ---- */

struct fs_control_agent *fs_control_agent_get(struct fs_control_agent *a)
{
	atomic_fetch_add(&a->refs, 1);
	return a;
}

void fs_control_agent_put(struct fs_control_agent *a)
{
	if (!a || atomic_fetch_sub(&a->refs, 1) != 1)
		return;
	fs_session_put(a->session);
	pthread_mutex_destroy(&a->lock);
	free(a);
}

static bool list_add(struct fs_control *c, struct fs_control_agent *a)
{
	if (c->agents == c->agent_cap) {
		size_t cap = c->agent_cap ? 2 * c->agent_cap : 16;
		struct fs_control_agent **list = reallocarray(c->agent, cap, sizeof(*list));

		if (!list)
			return false;
		c->agent = list;
		c->agent_cap = cap;
	}
	c->agent[c->agents++] = fs_control_agent_get(a);
	return true;
}

/*
 * Joins session and connection; the references are taken here. -EPIPE: the connection is lost.
 * -EBUSY: others that logged in at the same moment have taken the places.
 */
static int agent_new(struct fs_control *c, struct fs_control_conn *conn, struct fs_session *s,
		     struct fs_control_agent **out)
{
	struct fs_control_agent *a = calloc(1, sizeof(*a));
	size_t same = 0;
	bool gone;
	int rc = 0;

	if (!a)
		return -ENOMEM;
	atomic_init(&a->refs, 1);
	pthread_mutex_init(&a->lock, NULL);
	a->session = fs_session_get(s);
	pthread_mutex_lock(&c->lock);
	pthread_mutex_lock(&conn->lock);
	gone = conn->gone;
	pthread_mutex_unlock(&conn->lock);
	for (size_t i = 0; i < c->agents; i++)
		same += c->agent[i]->session->uid == s->uid;
	if (gone)
		rc = -EPIPE;
	else if (same >= FS_CONTROL_MINE)
		rc = -EBUSY;
	else if (!list_add(c, a))
		rc = -ENOMEM;
	if (!rc) {
		a->conn = fs_control_conn_get(conn);
		conn->agent = fs_control_agent_get(a);
		c->had_session = true;
	}
	pthread_mutex_unlock(&c->lock);
	if (rc) {
		fs_control_agent_put(a);
		return rc;
	}
	*out = a;
	return 0;
}

struct fs_control_agent *fs_control_agent_of(struct fs_control *c, const struct fs_session *s)
{
	struct fs_control_agent *a = NULL;

	pthread_mutex_lock(&c->lock);
	for (size_t i = 0; i < c->agents && !a; i++) {
		if (c->agent[i]->session == s)
			a = fs_control_agent_get(c->agent[i]);
	}
	pthread_mutex_unlock(&c->lock);
	return a;
}

struct fs_control_agent *fs_control_agent_of_conn(struct fs_control *c,
						  struct fs_control_conn *conn)
{
	struct fs_control_agent *a;

	pthread_mutex_lock(&c->lock);
	a = conn->agent ? fs_control_agent_get(conn->agent) : NULL;
	pthread_mutex_unlock(&c->lock);
	return a;
}

size_t fs_control_agents_of(struct fs_control *c, const uid_t *uid, struct fs_control_agent **out,
			    size_t cap)
{
	size_t n = 0;

	pthread_mutex_lock(&c->lock);
	for (size_t i = 0; i < c->agents && n < cap; i++) {
		if (!uid || c->agent[i]->session->uid == *uid)
			out[n++] = fs_control_agent_get(c->agent[i]);
	}
	pthread_mutex_unlock(&c->lock);
	return n;
}

static size_t sessions_of(struct fs_control *c, uid_t uid)
{
	size_t n = 0;

	pthread_mutex_lock(&c->lock);
	for (size_t i = 0; i < c->agents; i++)
		n += c->agent[i]->session->uid == uid;
	pthread_mutex_unlock(&c->lock);
	return n;
}

/* Takes it out of the table; its connection, with a reference, or NULL. */
static struct fs_control_conn *list_remove(struct fs_control *c, struct fs_control_agent *a)
{
	struct fs_control_conn *conn;

	pthread_mutex_lock(&c->lock);
	for (size_t i = 0; i < c->agents; i++) {
		if (c->agent[i] != a)
			continue;
		c->agent[i] = c->agent[--c->agents];
		fs_control_agent_put(a); /* the caller has another */
		break;
	}
	conn = a->conn;
	a->conn = NULL;
	if (conn && conn->agent == a) {
		conn->agent = NULL;
		fs_control_agent_put(a);
	}
	pthread_mutex_unlock(&c->lock);
	return conn;
}

static void tell(struct fs_control *c, struct fs_control_conn *conn, const char *event,
		 const char *why)
{
	json_t *json = json_pack("{s:s, s:s}", "event", event, "why", why);

	if (json && conn)
		(void)fs_control_conn_send(c, conn, json, NULL, 0);
	json_decref(json);
}

void fs_control_agent_tell(struct fs_control *c, struct fs_control_agent *a, const char *event,
			   const char *why)
{
	struct fs_control_conn *conn;

	pthread_mutex_lock(&c->lock);
	conn = a->conn ? fs_control_conn_get(a->conn) : NULL;
	pthread_mutex_unlock(&c->lock);
	tell(c, conn, event, why);
	fs_control_conn_put(conn);
}

/* ---- ending and locking ---- */

struct fs_mount *fs_control_mount_of(struct fs_session *s)
{
	struct fs_mount *m;

	pthread_rwlock_rdlock(&s->lock);
	m = s->mount;
	pthread_rwlock_unlock(&s->lock);
	return m;
}

void fs_control_agent_end_now(struct fs_control *c, struct fs_control_agent *a,
			      const struct fs_asker *by, const char *why)
{
	struct fs_control_conn *conn = NULL;
	struct fs_mount *m;
	bool mine;

	fs_vault_lock_begin(c->vault, a->session);
	pthread_mutex_lock(&a->lock);
	mine = !a->ended;
	a->ended = true;
	if (mine) {
		m = fs_control_mount_of(a->session);
		/* The practitioner's work, as when locking; whoever stalls the mount loses it. */
		if (m && fs_session_state(a->session) == FS_SESSION_DRAINING)
			(void)fs_mount_lock(m);
		fs_vault_end_begin(c->vault, a->session);
		if (m)
			fs_mount_end(m);
		/* What can't be logged now was refused before; the keys are gone all the same. */
		(void)fs_vault_end_finish_by(c->vault, a->session, by, why);
	}
	pthread_mutex_unlock(&a->lock);
	if (!mine)
		return;
	conn = list_remove(c, a);
	if (!conn)
		return;
	tell(c, conn, "ended", why);
	atomic_store(&conn->finish, true);
	fs_control_conn_put(conn);
}

struct end {
	struct fs_control_agent *agent; /* a reference */
	char why[128];
};

static void end_job(struct fs_control *c, void *arg)
{
	struct end *end = arg;

	fs_control_agent_end_now(c, end->agent, NULL, end->why);
	fs_control_agent_put(end->agent);
	free(end);
}

void fs_control_agent_end(struct fs_control *c, struct fs_control_agent *a, const char *why)
{
	struct end *end = calloc(1, sizeof(*end));

	fs_vault_lock_begin(c->vault, a->session);
	if (end) {
		end->agent = fs_control_agent_get(a);
		strncpy(end->why, why, sizeof(end->why) - 1);
		if (!fs_control_job(c, end_job, end))
			return;
		fs_control_agent_put(a);
		free(end);
	}
	/* No memory or thread to do it aside: others wait, but it is done. */
	fs_control_agent_end_now(c, a, NULL, why);
}

void fs_control_agent_end_all(struct fs_control *c)
{
	struct fs_control_agent *some[64];
	size_t n;

	do {
		n = fs_control_agents_of(c, NULL, some, 64);
		for (size_t i = 0; i < n; i++)
			fs_vault_lock_begin(c->vault, some[i]->session);
		for (size_t i = 0; i < n; i++) {
			fs_control_agent_end_now(c, some[i], NULL, "the daemon stops");
			fs_control_agent_put(some[i]);
		}
	} while (n);
}

void fs_control_agent_gone(void *control, struct fs_session *s)
{
	struct fs_control *c = control;
	struct fs_control_agent *a = fs_control_agent_of(c, s);

	if (a)
		fs_control_agent_end(c, a, "its directory was unmounted");
	fs_control_agent_put(a);
}

/* ---- verbs ---- */

static int fill_login(struct fs_control_request *rq, struct fs_session *s)
{
	struct policy_practice *practice = fs_vault_practice(rq->c->vault);
	char id[2 * KEYS_SESSION_ID_LEN + 1];
	const char *title = practice ? policy_practice_settings(practice)->title : "";
	int rc;

	for (size_t i = 0; i < KEYS_SESSION_ID_LEN; i++)
		snprintf(id + 2 * i, 3, "%02x", s->id[i]);
	rc = json_object_set_new(rq->answer, "session", json_string(id)) ||
	     json_object_set_new(rq->answer, "who", json_string(s->who)) ||
	     json_object_set_new(rq->answer, "ceiling_s", json_integer((json_int_t)s->ceiling_s)) ||
	     json_object_set_new(rq->answer, "practice",
				 fs_control_json_text(title ? title : "", strlen(title ? title : "")));
	policy_practice_put(practice);
	return rc ? -ENOMEM : fs_control_last_login(rq, s);
}

int fs_control_verb_login(struct fs_control_request *rq)
{
	struct fs_control *c = rq->c;
	struct keys_stretch_cost cost;
	struct fs_passphrase next;
	struct fs_login in;
	struct fs_control_agent *a = fs_control_agent_of_conn(c, rq->conn);
	struct fs_session *s = NULL;
	int rc = fs_control_credentials_renew(rq, &in, &next, &cost);

	if (a && !rc) {
		fs_say(&rq->say, "this connection has logged in already");
		rc = -EBUSY;
	}
	fs_control_agent_put(a);
	a = NULL;
	if (rc)
		return rc;
	if (sessions_of(c, rq->conn->uid) >= FS_CONTROL_MINE) {
		fs_say(&rq->say, "your account has %d sessions already; `journalfs logout` ends them",
		       FS_CONTROL_MINE);
		return -EBUSY;
	}
	rc = fs_vault_login(c->vault, &in, &s, &rq->say);
	if (rc)
		return rc;
	rc = fill_login(rq, s);
	if (!rc)
		rc = agent_new(c, rq->conn, s, &a);
	if (rc)
		(void)fs_vault_end_finish(c->vault, s, "it could not be handed to an agent");
	/* The daemon may have begun to stop, or the session to end, in between. */
	else if (atomic_load(&c->stop) || fs_session_state(s) == FS_SESSION_ENDED)
		fs_control_agent_end(c, a, "ended while logging in");
	fs_control_agent_put(a);
	fs_session_put(s);
	return rc;
}

int fs_control_verb_mount(struct fs_control_request *rq)
{
	struct fs_control_agent *a = fs_control_agent_of_conn(rq->c, rq->conn);
	struct fs_mount *m = NULL;
	int rc, fd = rq->m.fd;

	if (!a) {
		fs_say(&rq->say, "a mount is handed over on the connection that logged in");
		return -EACCES;
	}
	/* Before the agent's lock, and closed as what a client sent: a file that makes us wait must not
	 * keep the session from ending. */
	if (fs_device_check(fd)) {
		fs_control_agent_put(a);
		fs_say(&rq->say, "what was handed over is no FUSE device");
		return -EINVAL;
	}
	rq->m.fd = -1; /* taken over by the mount layer in any case */
	pthread_mutex_lock(&a->lock);
	if (!rq->c->serve) {
		rc = -ENOSYS;
	} else if (a->ended || fs_session_state(a->session) == FS_SESSION_ENDED) {
		rc = -ENOKEY;
		fs_say(&rq->say, "the session has ended; log in again");
	} else {
		rc = fs_mount_attach(rq->c->serve, a->session, fd, &m);
		fd = -1;
	}
	pthread_mutex_unlock(&a->lock);
	if (fd >= 0)
		close(fd);
	fs_control_agent_put(a);
	if (rc == -EINVAL)
		fs_say(&rq->say, "what was handed over is no FUSE device");
	else if (rc == -EBUSY)
		fs_say(&rq->say, "this session has a mount already");
	else if (rc == -EAGAIN)
		fs_say(&rq->say, "earlier mounts of yours have ended and are held by some program of "
				 "yours: end it first");
	return rc;
}

static int unlock_one(struct fs_control_request *rq, struct fs_control_agent *a,
		      const struct fs_login *in)
{
	int rc;

	pthread_mutex_lock(&a->lock);
	rc = a->ended ? -ENOKEY : fs_vault_unlock(rq->c->vault, a->session, in, &rq->say);
	pthread_mutex_unlock(&a->lock);
	if (!rc)
		fs_control_agent_tell(rq->c, a, "unlocked", "the passphrase was given");
	return rc;
}

int fs_control_verb_unlock(struct fs_control_request *rq)
{
	struct fs_login in = fs_control_credentials(rq, KEYS_LEN, rq->m.blob_len - KEYS_LEN);
	struct fs_control_agent *mine[FS_CONTROL_MINE];
	size_t n = fs_control_agents_of(rq->c, &rq->conn->uid, mine, FS_CONTROL_MINE);
	int rc = -ENOKEY;

	for (size_t i = 0; i < n; i++) {
		/* One wrong passphrase is one try, however many sessions there are. */
		if (rc != -EKEYREJECTED &&
		    (!in.who[0] || !strcmp(in.who, mine[i]->session->who)))
			rc = unlock_one(rq, mine[i], &in);
		fs_control_agent_put(mine[i]);
	}
	if (rc == -ENOKEY && !rq->say.text[0])
		fs_say(&rq->say, "there is no session to unlock; `journalfs login` begins one");
	return rc;
}

int fs_control_verb_logout(struct fs_control_request *rq)
{
	char origin[FS_CONTROL_ORIGIN];
	const struct fs_asker by = fs_control_asker(rq, origin);
	struct fs_control_agent *mine[FS_CONTROL_MINE];
	size_t n = fs_control_agents_of(rq->c, &rq->conn->uid, mine, FS_CONTROL_MINE);

	for (size_t i = 0; i < n; i++) {
		/* Here, not in another job: the answer says that it is done. */
		fs_control_agent_end_now(rq->c, mine[i], &by, "logged out");
		fs_control_agent_put(mine[i]);
	}
	return 0;
}
