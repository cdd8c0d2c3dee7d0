/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/control.c - the control side's threads: loop, clock and jobs; start and stop.
 *
 * Implements fs/FORMAT.md, "Control socket", with control_conn.c (frames and
 * limits), control_agent.c (sessions), control_verbs.c and its companions. Locks
 * and threads: control_impl.h.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "control_impl.h"
#include "memory.h"
#include "notes.h"

#define SECOND_NS INT64_C(1000000000)
#define REMEMBER_S 60
#define TRIM_S 5
/* epoll data; connections count on from 2 */
#define ID_LISTENER 0
#define ID_WAKE 1
#define AGE_FIRST_S 900 /* notes are locked by their age from then on: a clock that was wrong at start is right by then */
#define LONELY_S 60 /* alone: nobody ever logged in */

int64_t fs_control_now_ns(void)
{
	return fs_clock_boot_ns();
}

void fs_control_wake(struct fs_control *c)
{
	const uint64_t one = 1;

	/* A full counter wakes as well. */
	(void)!write(c->wake, &one, sizeof(one));
}

/* ---- jobs ---- */

struct job {
	struct fs_control *c;
	void (*fn)(struct fs_control *c, void *arg);
	void *arg;
};

static void *run_job(void *arg)
{
	struct job job = *(struct job *)arg;

	free(arg);
	job.fn(job.c, job.arg);
	pthread_mutex_lock(&job.c->lock);
	job.c->jobs--;
	/* Before the lock is let go: afterwards the control may be gone. */
	fs_control_wake(job.c);
	pthread_mutex_unlock(&job.c->lock);
	return NULL;
}

/* Without signals: they are for the thread that serves. */
static int start_thread(pthread_t *t, bool detached, void *(*fn)(void *), void *arg)
{
	pthread_attr_t attr;
	sigset_t all, old;
	int rc;

	rc = pthread_attr_init(&attr);
	if (rc)
		return -rc;
	if (detached)
		pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	rc = -pthread_create(t, &attr, fn, arg);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&attr);
	return rc;
}

int fs_control_job(struct fs_control *c, void (*fn)(struct fs_control *c, void *arg), void *arg)
{
	struct job *job = malloc(sizeof(*job));
	pthread_t t;

	if (!job)
		return -EAGAIN;
	*job = (struct job){c, fn, arg};
	pthread_mutex_lock(&c->lock);
	c->jobs++;
	pthread_mutex_unlock(&c->lock);
	if (!start_thread(&t, true, run_job, job))
		return 0;
	pthread_mutex_lock(&c->lock);
	c->jobs--;
	pthread_mutex_unlock(&c->lock);
	free(job);
	return -EAGAIN;
}

/* ---- the clock ---- */

#define TICK_MS 1000

/* Waits so many milliseconds, less when policy changed. False: stop. */
static bool next_tick(struct fs_control *c, unsigned ms, bool *recheck)
{
	struct timespec until;
	bool go;
	int rc = 0;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += (long)ms * 1000000;
	until.tv_sec += until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	pthread_mutex_lock(&c->lock);
	while (!c->clock_stop && !c->recheck && !rc)
		rc = pthread_cond_timedwait(&c->tick, &c->lock, &until);
	*recheck = c->recheck;
	c->recheck = false;
	go = !c->clock_stop;
	pthread_mutex_unlock(&c->lock);
	return go;
}

/* Policy counts in minutes of UTC: entries begin and end then without an edit. */
static int64_t minute(void)
{
	return fs_clock_wall_ns() / (60 * SECOND_NS);
}

static void stalled(void *control, struct fs_session *s)
{
	fs_control_session_over(control, s, "its mount did not let go of what policy took away");
}

/* Until the next tick is due, or policy changed, keys are renewed step by step. False: stop. */
static bool between_ticks(struct fs_control *c, bool *recheck)
{
	int64_t due = fs_control_now_ns() + TICK_MS * (SECOND_NS / 1000), left;
	bool go = true;

	*recheck = false;
	while (go && !*recheck && (left = due - fs_control_now_ns()) > 0) {
		unsigned ms = (unsigned)(left / (SECOND_NS / 1000)) + 1;
		unsigned more = fs_vault_renew_more(c->vault);

		go = next_tick(c, more && more < ms ? more : ms, recheck);
	}
	return go;
}

static void settle(void *ctx, uint64_t nodeid)
{
	fs_serve_settle(ctx, nodeid);
}

static void age_notes(struct fs_control *c, void *arg)
{
	const struct fs_note_settle all = {.fn = settle, .ctx = c->serve};

	(void)arg;
	fs_vault_note_tick(c->vault, c->serve ? &all : NULL);
	pthread_mutex_lock(&c->lock);
	c->aging = false;
	pthread_mutex_unlock(&c->lock);
}

/* `finalize after`: not by the clock itself, since mounts may have to be waited for. One at a time. */
static void age(struct fs_control *c)
{
	bool was;

	if (fs_control_now_ns() - c->started_ns < AGE_FIRST_S * SECOND_NS)
		return;
	pthread_mutex_lock(&c->lock);
	was = c->aging;
	c->aging = true;
	pthread_mutex_unlock(&c->lock);
	if (was || !fs_control_job(c, age_notes, NULL))
		return;
	pthread_mutex_lock(&c->lock);
	c->aging = false;
	pthread_mutex_unlock(&c->lock);
}

static void *run_clock(void *control)
{
	struct fs_control *c = control;
	int64_t remembered = fs_control_now_ns(), trimmed = remembered, last = minute();
	bool recheck;

	while (between_ticks(c, &recheck)) {
		fs_control_lock_slept(c);
		if (c->serve && (recheck || minute() != last))
			fs_serve_recheck(c->serve);
		if (minute() != last)
			age(c);
		last = minute();
		if (c->serve)
			fs_serve_watch(c->serve, stalled, c);
		fs_vault_tick(c->vault);
		fs_control_lock_idle(c);
		if (fs_control_now_ns() - trimmed >= TRIM_S * SECOND_NS) {
			fs_memory_trim();
			trimmed = fs_control_now_ns();
		}
		if (fs_control_now_ns() - remembered >= REMEMBER_S * SECOND_NS) {
			/* What can't be written now is tried again in a minute. */
			(void)fs_vault_remember(c->vault);
			remembered = fs_control_now_ns();
		}
	}
	return NULL;
}

void fs_control_policy_changed(struct fs_control *c)
{
	pthread_mutex_lock(&c->lock);
	c->recheck = true;
	pthread_cond_signal(&c->tick);
	pthread_mutex_unlock(&c->lock);
}

void fs_control_session_over(struct fs_control *c, struct fs_session *s, const char *why)
{
	struct fs_control_agent *a = fs_control_agent_of(c, s);

	if (a)
		fs_control_agent_end(c, a, why);
	else
		(void)fs_vault_end_finish(c->vault, s, why);
	fs_control_agent_put(a);
}

/* ---- the loop ---- */

/* Alone: nobody is left and nothing is under way. */
static bool lonely(struct fs_control *c)
{
	bool quiet;

	if (!c->exit_when_idle)
		return false;
	pthread_mutex_lock(&c->lock);
	/* The notify service waits on a connection of its own, with a job. */
	quiet = !c->agents && c->conns <= c->listening && c->jobs <= c->listening &&
		(c->had_session || fs_control_now_ns() - c->started_ns > LONELY_S * SECOND_NS);
	pthread_mutex_unlock(&c->lock);
	return quiet;
}

static void take_events(struct fs_control *c)
{
	struct epoll_event ev[64];
	uint64_t count;
	int n = epoll_wait(c->epoll, ev, 64, 1000);

	for (int i = 0; i < n; i++) {
		if (ev[i].data.u64 == ID_LISTENER)
			fs_control_conn_accept(c);
		else if (ev[i].data.u64 == ID_WAKE)
			(void)!read(c->wake, &count, sizeof(count));
		else
			fs_control_conn_ready(c, ev[i].data.u64, ev[i].events);
	}
}

static void remove_socket(struct fs_control *c)
{
	if (c->listener >= 0) {
		close(c->listener);
		c->listener = -1;
		unlink(c->path);
	}
}

/* Until requests that may still be under way have been answered or given up. */
static void wait_for_jobs(struct fs_control *c)
{
	for (;;) {
		bool some;

		fs_control_conn_serve_all(c);
		pthread_mutex_lock(&c->lock);
		some = c->jobs > 0;
		pthread_mutex_unlock(&c->lock);
		if (!some)
			break;
		take_events(c);
	}
	/* The last answers. */
	fs_control_conn_serve_all(c);
}

int fs_control_run(struct fs_control *c)
{
	pthread_t clock;
	int rc;

	rc = start_thread(&clock, false, run_clock, c);
	if (rc)
		return rc;
	while (!atomic_load(&c->stop) && !lonely(c)) {
		take_events(c);
		fs_control_conn_serve_all(c);
	}
	remove_socket(c);
	atomic_store(&c->stop, true);
	pthread_mutex_lock(&c->lock);
	c->clock_stop = true;
	pthread_cond_signal(&c->tick);
	pthread_mutex_unlock(&c->lock);
	pthread_join(clock, NULL);
	fs_control_agent_end_all(c);
	wait_for_jobs(c);
	/* A log-in that was under way may have made one more. */
	fs_control_agent_end_all(c);
	wait_for_jobs(c);
	fs_control_conn_close_all(c);
	return 0;
}

void fs_control_stop(struct fs_control *c)
{
	int saved = errno;

	atomic_store(&c->stop, true);
	fs_control_wake(c);
	errno = saved;
}

/* ---- new and free ---- */

static int watch(struct fs_control *c, int fd, uint64_t id)
{
	struct epoll_event ev = {.events = EPOLLIN, .data.u64 = id};

	return epoll_ctl(c->epoll, EPOLL_CTL_ADD, fd, &ev) ? -errno : 0;
}

static void init_locks(struct fs_control *c)
{
	pthread_condattr_t attr;

	pthread_mutex_init(&c->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&c->tick, &attr);
	pthread_condattr_destroy(&attr);
}

int fs_control_new(const struct fs_control_config *cfg, struct fs_control **out, struct fs_say *say)
{
	struct fs_control *c = calloc(1, sizeof(*c));
	int rc = -ENOMEM;

	if (!c)
		return -ENOMEM;
	init_locks(c);
	/* Seeds its hash tables once, before there are threads. */
	json_object_seed(0);
	c->vault = cfg->vault;
	c->serve = cfg->serve;
	c->alone = cfg->alone;
	c->exit_when_idle = cfg->exit_when_idle;
	c->notifies = cfg->notifies;
	c->notify_uid = cfg->notify_uid;
	c->forward = cfg->forward;
	c->listener = c->epoll = c->wake = -1;
	c->next_id = ID_WAKE + 1;
	c->started_ns = fs_control_now_ns();
	c->slept_ns = fs_clock_slept_ns();
	c->path = strdup(cfg->socket);
	if (!c->path)
		goto fail;
	rc = fs_control_socket_open(c->path, c->alone, &c->listener, say);
	if (rc)
		goto fail;
	c->epoll = epoll_create1(EPOLL_CLOEXEC);
	c->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	rc = c->epoll < 0 || c->wake < 0 ? -errno : watch(c, c->listener, ID_LISTENER);
	if (!rc)
		rc = watch(c, c->wake, ID_WAKE);
	if (rc)
		goto fail;
	if (c->serve)
		fs_serve_on_gone(c->serve, fs_control_agent_gone, c);
	*out = c;
	return 0;
fail:
	fs_control_free(c);
	return rc;
}

void fs_control_free(struct fs_control *c)
{
	if (!c)
		return;
	remove_socket(c);
	if (c->epoll >= 0)
		close(c->epoll);
	if (c->wake >= 0)
		close(c->wake);
	free(c->conn);
	free(c->agent);
	free(c->last);
	free(c->path);
	pthread_cond_destroy(&c->tick);
	pthread_mutex_destroy(&c->lock);
	free(c);
}

void fs_control_hardened(struct fs_control *c, const struct fs_harden_report *report)
{
	c->harden = *report;
}
