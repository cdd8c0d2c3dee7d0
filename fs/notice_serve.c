/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/notice_serve.c - notices as the notify service gets them: handed out, answered; and counted.
 *
 * Invariants: (1) nothing is handed out to any account but the one that the daemon was
 * told; (2) that a notice was delivered is durable in the log before it leaves the
 * queue; (3) what the service does not answer is taken back (fs_notice_tick).
 *
 * Locks: edit for what leaves the queue; notices.lock for what is handed out.
 */
#include <time.h>

#include "vault_impl.h"

#define SECOND_NS UINT64_C(1000000000)
#define OUT_NS (120 * SECOND_NS) /* handed out and not answered */

static int check_peer(struct fs_vault *v, const struct fs_notice_peer *peer, struct fs_say *say)
{
	int rc;

	if (v->cfg.notifies && peer->uid == v->cfg.notify_uid)
		return 0;
	fs_say(say, "notices are for the notify service alone, whose account the daemon was told "
		    "(--notify-account)");
	rc = fs_vault_tell_refused(v, peer->uid, peer->pid, "", "",
				   "notices of emergency access: not the notify account");
	return rc ? rc : -EACCES;
}

/* One that is out, taken back; false: none is. */
static bool take_one_back(struct fs_vault *v, struct fs_notice *n)
{
	struct fs_notices *q = &v->notices;
	bool found = false;

	pthread_mutex_lock(&q->lock);
	for (size_t i = 0; i < q->count && !found; i++) {
		struct fs_waiting_notice *w = &q->n[i];

		if (!w->handed)
			continue;
		w->handed = false;
		n->number = w->number;
		found = !fs_notice_unseal(v, (struct keys_span){w->sealed, w->len}, n);
	}
	pthread_mutex_unlock(&q->lock);
	return found;
}

static void make_due(struct fs_notices *q, uint32_t number)
{
	struct fs_waiting_notice *w;

	pthread_mutex_lock(&q->lock);
	w = fs_notice_find(q, number);
	if (w)
		w->due_ns = 0;
	pthread_mutex_unlock(&q->lock);
}

/*
 * The service has begun anew. What was out is due at once, but only once: what takes the service
 * down whenever it is told is a try that failed, or people would be told every few seconds.
 */
static void take_back(struct fs_vault *v)
{
	struct fs_notice n = {0};
	struct policy_record r;

	pthread_mutex_lock(&v->edit);
	while (take_one_back(v, &n)) {
		fs_notice_failure(&n, "the notify service began anew without an answer", &r);
		(void)fs_log_append(v->log, &r, NULL);
		fs_notice_failed(v, &n);
		if (n.tries == 1)
			make_due(&v->notices, n.number);
	}
	pthread_mutex_unlock(&v->edit);
	keys_wipe(&n, sizeof(n));
}

int fs_vault_notice_next(struct fs_vault *v, const struct fs_notice_peer *peer, bool fresh,
			 struct fs_notice *out, struct fs_say *say)
{
	struct fs_notices *q = &v->notices;
	uint64_t now = fs_vault_boot_ns();
	int rc = check_peer(v, peer, say);

	if (rc)
		return rc;
	if (fresh)
		take_back(v);
	rc = -EAGAIN;
	pthread_mutex_lock(&q->lock);
	q->asked_s = fs_vault_wall_s();
	for (size_t i = 0; i < q->count && rc == -EAGAIN; i++) {
		struct fs_waiting_notice *w = &q->n[i];

		if (w->handed || w->told || w->due_ns > now)
			continue;
		w->handed = true;
		w->due_ns = now + OUT_NS;
		out->number = w->number;
		rc = fs_notice_unseal(v, (struct keys_span){w->sealed, w->len}, out);
	}
	pthread_mutex_unlock(&q->lock);
	return rc;
}

void fs_vault_notice_wait(struct fs_vault *v, unsigned ms)
{
	struct fs_notices *q = &v->notices;
	uint64_t now = fs_vault_boot_ns(), most = ms * (SECOND_NS / 1000);
	struct timespec until;

	pthread_mutex_lock(&q->lock);
	for (size_t i = 0; i < q->count; i++) {
		const struct fs_waiting_notice *w = &q->n[i];

		if (!w->handed && !w->told && w->due_ns < now + most)
			most = w->due_ns > now ? w->due_ns - now : 0;
	}
	clock_gettime(CLOCK_MONOTONIC, &until);
	most += (uint64_t)until.tv_nsec;
	until.tv_sec += (time_t)(most / SECOND_NS);
	until.tv_nsec = (long)(most % SECOND_NS);
	(void)pthread_cond_timedwait(&q->more, &q->lock, &until);
	pthread_mutex_unlock(&q->lock);
}

/* The notice that an answer is for; a second answer finds none. */
static int answered(struct fs_vault *v, uint32_t number, struct fs_notice *n)
{
	struct fs_notices *q = &v->notices;
	struct fs_waiting_notice *w;
	int rc = -ENOENT;

	pthread_mutex_lock(&q->lock);
	w = fs_notice_find(q, number);
	if (w && w->handed) {
		w->handed = false;
		w->due_ns = fs_vault_boot_ns() + OUT_NS; /* if the log can't be written */
		n->number = number;
		rc = fs_notice_unseal(v, (struct keys_span){w->sealed, w->len}, n);
	}
	pthread_mutex_unlock(&q->lock);
	return rc;
}

/* Nobody is told twice because the log is full: it stays until it can be logged (fs_notice_tick).
 */
static void keep_told(struct fs_notices *q, uint32_t number)
{
	struct fs_waiting_notice *w;

	pthread_mutex_lock(&q->lock);
	w = fs_notice_find(q, number);
	if (w)
		w->told = true;
	pthread_mutex_unlock(&q->lock);
}

static int answer(struct fs_vault *v, struct fs_notice *n, bool delivered, const char *error)
{
	struct policy_record r;
	int rc;

	if (delivered)
		fs_notice_delivered(n, &r);
	else
		fs_notice_failure(n, error, &r);
	rc = fs_log_write(v->log, &r);
	pthread_mutex_lock(&v->edit);
	if (!delivered)
		fs_notice_failed(v, n);
	else if (!rc)
		fs_notice_drop(v, n->number);
	else
		keep_told(&v->notices, n->number);
	pthread_mutex_unlock(&v->edit);
	return delivered ? 0 : rc;
}

int fs_vault_notice_done(struct fs_vault *v, const struct fs_notice_peer *peer, uint32_t number,
			 bool delivered, const char *error, struct fs_say *say)
{
	struct fs_notice n = {0};
	int rc = check_peer(v, peer, say), rc2;

	if (rc)
		return rc;
	rc = answered(v, number, &n);
	if (rc == -ENOENT) {
		fs_say(say, "notice %u is not handed out: it was answered, or taken back", number);
		rc2 = fs_vault_tell_refused(v, peer->uid, peer->pid, "", "",
					    "an answer for notice %u, which is not handed out",
					    number);
		return rc2 ? rc2 : rc;
	}
	if (!rc)
		rc = answer(v, &n, delivered, error);
	keys_wipe(&n, sizeof(n));
	return rc;
}

int fs_vault_notice_stat(struct fs_vault *v, struct fs_session *by, struct fs_notice_stat *out)
{
	struct fs_notices *q = &v->notices;
	struct fs_notice n = {0};
	int rc = 0;

	if (!by ||
	    (!fs_sessions_has(v, by, POLICY_POLICY) && !fs_sessions_has(v, by, POLICY_REVIEW) &&
	     !fs_sessions_has(v, by, POLICY_AUDIT)))
		return -EACCES;
	memset(out, 0, sizeof(*out));
	pthread_mutex_lock(&q->lock);
	out->waiting = (uint32_t)q->count;
	out->asked_s = q->asked_s;
	memcpy(out->error, q->error, sizeof(out->error));
	if (q->count) {
		n.number = q->n[0].number;
		rc = fs_notice_unseal(v, (struct keys_span){q->n[0].sealed, q->n[0].len}, &n);
		out->oldest_s = rc ? 0 : n.queued_s;
		keys_wipe(&n, sizeof(n));
	}
	pthread_mutex_unlock(&q->lock);
	return rc;
}
