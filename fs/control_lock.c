/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/control_lock.c - locking sessions: on request, when idle, when the computer has slept.
 *
 * The daemon locks by itself, whatever agents do: what an agent asks for, because
 * its desktop is idle, its screen locked or the computer about to sleep, can only
 * make it earlier. Nothing that an agent says makes it later: it is the
 * practitioner's own process, and any program of theirs may speak in its place.
 *
 * Invariants: (1) the clock never waits for a mount: it begins locks, jobs do
 * them; (2) after a sleep every session is refused before the first of them is
 * locked; (3) idleness is judged by the policy in force, also when an agent tells
 * of it.
 *
 * Locks: agent->lock while one session is locked.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../policy/features.h"
#include "clock.h"
#include "control_impl.h"

#define SECOND_NS INT64_C(1000000000)
#define SLEPT_NS (2 * SECOND_NS) /* less is the clocks' own unevenness */

/* Keys away; the mount stays and answers ENOKEY. */
static int lock_session(struct fs_control *c, struct fs_control_agent *a, const struct fs_asker *by,
			const char *why)
{
	enum fs_session_state state;
	struct fs_mount *m;
	int rc = 0, stalled = 0;
	bool locked = false;

	pthread_mutex_lock(&a->lock);
	state = fs_session_state(a->session);
	/* Draining: the clock has begun it, or an end that waits for us. */
	if (!a->ended && (state == FS_SESSION_ACTIVE || state == FS_SESSION_DRAINING)) {
		fs_vault_lock_begin(c->vault, a->session);
		m = fs_control_mount_of(a->session);
		if (m)
			stalled = fs_mount_lock(m);
		rc = fs_vault_lock_finish_by(c->vault, a->session, by, why);
		locked = true;
	}
	pthread_mutex_unlock(&a->lock);
	if (stalled) /* the mount has been aborted */
		fs_control_agent_end_now(c, a, NULL,
					 "its mount did not answer while it was being locked");
	else if (locked)
		fs_control_agent_tell(c, a, "locked", why);
	return rc;
}

/* ---- from the clock ---- */

static void lock_job(struct fs_control *c, void *arg)
{
	struct fs_control_agent *a = arg;
	const char *why = a->locking_why;

	/* First: whoever finds it set may trust that the session is still to be locked. */
	atomic_store(&a->locking, false);
	(void)lock_session(c, a, NULL, why);
	fs_control_agent_put(a);
}

/* Has a job lock it, unless one is on its way. -EAGAIN: no thread could be had. Takes no reference.
 */
static int lock_aside(struct fs_control *c, struct fs_control_agent *a, const char *why)
{
	if (atomic_exchange(&a->locking, true))
		return 0;
	a->locking_why = why;
	if (!fs_control_job(c, lock_job, fs_control_agent_get(a)))
		return 0;
	fs_control_agent_put(a);
	atomic_store(&a->locking, false);
	return -EAGAIN;
}

static bool is_idle(const struct fs_session *s, uint32_t idle_s)
{
	uint64_t last = atomic_load(&s->active_ns), now = (uint64_t)fs_control_now_ns();

	return fs_session_state(s) == FS_SESSION_ACTIVE && now > last &&
	       now - last > (uint64_t)idle_s * SECOND_NS;
}

/* The policy's, or 0 when nobody is logged in. */
static uint32_t idle_limit_s(struct fs_control *c)
{
	struct policy_practice *practice;
	uint32_t idle_s;

	/* As long as the language refuses to set it, its default is not forced on anybody. */
	practice = policy_feature_built(POLICY_FEATURE_SESSION_IDLE) ? fs_vault_practice(c->vault)
								     : NULL;
	if (!practice)
		return 0;
	idle_s = policy_practice_settings(practice)->idle_s;
	policy_practice_put(practice);
	return idle_s;
}

void fs_control_lock_idle(struct fs_control *c)
{
	struct fs_control_agent **all;
	uint32_t idle_s = idle_limit_s(c);
	size_t n, cap;

	pthread_mutex_lock(&c->lock);
	cap = c->agents;
	pthread_mutex_unlock(&c->lock);
	all = idle_s && cap ? calloc(cap, sizeof(struct fs_control_agent *)) : NULL;
	n = all ? fs_control_agents_of(c, NULL, all, cap) : 0;
	for (size_t i = 0; i < n; i++) {
		/* Without a thread for it, in a second again. */
		if (is_idle(all[i]->session, idle_s))
			(void)lock_aside(c, all[i], "idle for as long as the policy allows");
		fs_control_agent_put(all[i]);
	}
	free(all);
}

#define SLEPT "the computer was suspended"

static int refuse_one(void *ctx, struct fs_session *s)
{
	struct fs_control *c = ctx;

	fs_vault_lock_begin(c->vault, s);
	return 0;
}

static int lock_one(void *ctx, struct fs_session *s)
{
	struct fs_control *c = ctx;
	struct fs_control_agent *a = fs_control_agent_of(c, s);

	if (fs_session_state(s) != FS_SESSION_DRAINING)
		goto out;
	if (!a) /* between log-in and its agent: it has no mount yet */
		(void)fs_vault_lock_finish(c->vault, s, SLEPT);
	else if (lock_aside(c, a, SLEPT)) /* others wait, but it is done */
		(void)lock_session(c, a, NULL, SLEPT);
out:
	fs_control_agent_put(a);
	return 0;
}

void fs_control_lock_slept(struct fs_control *c)
{
	int64_t slept_ns = fs_clock_slept_ns(), before_ns = c->slept_ns;

	c->slept_ns = slept_ns;
	if (slept_ns - before_ns <= SLEPT_NS)
		return;
	fs_vault_sessions(c->vault, refuse_one, c);
	fs_vault_sessions(c->vault, lock_one, c);
}

/* ---- on request ---- */

/* What an agent may give as its reason, and what the log says then. */
static const char *because(const char *word)
{
	static const struct {
		const char *word, *why;
	} words[] = {
		{"", "locked on request"},
		{"sleep", "the computer goes to sleep"},
		{"screen", "the screen was locked"},
		{"idle", "the desktop was idle for as long as the policy allows"},
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (!strcmp(words[i].word, word))
			return words[i].why;
	}
	return NULL;
}

/* The sessions that a request is about, with references. */
static int asked_for(struct fs_control_request *rq, struct fs_control_agent **out, size_t *n)
{
	if (!fs_control_true(rq, "own")) {
		*n = fs_control_agents_of(rq->c, &rq->conn->uid, out, FS_CONTROL_MINE);
		return 0;
	}
	out[0] = fs_control_agent_of_conn(rq->c, rq->conn);
	*n = out[0] != NULL;
	if (*n)
		return 0;
	fs_say(&rq->say, "this connection is no session's: leave out `own`");
	return -EACCES;
}

int fs_control_verb_lock(struct fs_control_request *rq)
{
	const char *word = fs_control_text(rq, "because"), *why = because(word);
	char origin[FS_CONTROL_ORIGIN];
	const struct fs_asker by = fs_control_asker(rq, origin);
	struct fs_control_agent *mine[FS_CONTROL_MINE];
	uint32_t idle_s = idle_limit_s(rq->c);
	size_t n = 0;
	int rc;

	if (!why) {
		fs_say(&rq->say, "`because` is one of sleep, screen, idle");
		return -EINVAL;
	}
	/* An idle desktop counts by the policy's time, which the agent need not know. */
	if (!strcmp(word, "idle") && (!idle_s || fs_control_int(rq, "idle_s") < idle_s))
		return json_object_set_new(rq->answer, "locked", json_false()) ? -ENOMEM : 0;
	rc = asked_for(rq, mine, &n);
	for (size_t i = 0; i < n; i++) {
		int rc2 = lock_session(rq->c, mine[i], &by, why);

		rc = rc ? rc : rc2;
		fs_control_agent_put(mine[i]);
	}
	if (!rc && json_object_set_new(rq->answer, "locked", json_true()))
		rc = -ENOMEM;
	return rc;
}
