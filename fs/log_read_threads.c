/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/log_read_threads.c - segments of the log decrypted side by side.
 *
 * Workers take segments in their order; the reading takes what they made in the same order. A place
 * in the ring is used again once its job was taken and the next one asked for, so that at most as
 * many segments are in memory as there are workers, and one.
 *
 * Locks: `lock` around all of the pool that changes; a leaf lock. A job in a place belongs to the
 * worker while its state is TAKEN, to the reading when it is DONE.
 */
#include "log_read_impl.h"

#include <signal.h>
#include <stdlib.h>

#define THREADS_MAX 64

enum place_state { FREE, TAKEN, DONE };

struct place {
	struct fs_log_job job;
	enum place_state state;
};

struct fs_log_pool {
	struct fs_log_shared *shared;
	const uint64_t *list;
	size_t n;
	pthread_t thread[THREADS_MAX];
	unsigned threads;

	pthread_mutex_t lock;
	pthread_cond_t work; /* a place became free, or stop */
	pthread_cond_t done; /* a job was done */
	bool stop;
	size_t taken; /* segments that workers have begun */
	size_t given; /* segments that the reading was given */
	size_t places;
	struct place *place; /* segment i is in place i % places */
};

static void *work(void *pool)
{
	struct fs_log_pool *p = pool;

	pthread_mutex_lock(&p->lock);
	while (!p->stop && p->taken < p->n) {
		struct place *at = &p->place[p->taken % p->places];
		size_t i = p->taken;
		int rc;

		if (at->state != FREE) {
			pthread_cond_wait(&p->work, &p->lock);
			continue;
		}
		p->taken++;
		at->state = TAKEN;
		pthread_mutex_unlock(&p->lock);
		fs_log_job_init(&at->job, p->shared, p->list[i], i + 2 >= p->n);
		rc = fs_log_job_run(&at->job, SIZE_MAX);
		if (rc)
			at->job.rc = rc;
		pthread_mutex_lock(&p->lock);
		at->state = DONE;
		pthread_cond_broadcast(&p->done);
	}
	pthread_mutex_unlock(&p->lock);
	return NULL;
}

static void start(struct fs_log_pool *p, unsigned threads)
{
	sigset_t all, old;

	/* Signals are for the thread that called. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	while (p->threads < threads && !pthread_create(&p->thread[p->threads], NULL, work, p))
		p->threads++;
	pthread_sigmask(SIG_SETMASK, &old, NULL);
}

struct fs_log_pool *fs_log_pool_new(struct fs_log_shared *shared, const uint64_t *list, size_t n,
				    unsigned threads)
{
	struct fs_log_pool *p;

	if (threads > THREADS_MAX)
		threads = THREADS_MAX;
	if (threads > n)
		threads = (unsigned)n;
	if (threads < 2)
		return NULL;
	p = calloc(1, sizeof(*p));
	if (!p)
		return NULL;
	p->place = calloc(threads + 1, sizeof(*p->place));
	if (!p->place) {
		free(p);
		return NULL;
	}
	p->shared = shared;
	p->list = list;
	p->n = n;
	p->places = threads + 1;
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->work, NULL);
	pthread_cond_init(&p->done, NULL);
	start(p, threads);
	if (p->threads)
		return p;
	fs_log_pool_free(p);
	return NULL;
}

struct fs_log_job *fs_log_pool_next(struct fs_log_pool *p)
{
	struct place *at;

	pthread_mutex_lock(&p->lock);
	if (p->given) {
		at = &p->place[(p->given - 1) % p->places];
		fs_log_job_clear(&at->job);
		at->state = FREE;
		pthread_cond_broadcast(&p->work);
	}
	at = &p->place[p->given++ % p->places];
	while (at->state != DONE)
		pthread_cond_wait(&p->done, &p->lock);
	pthread_mutex_unlock(&p->lock);
	return &at->job;
}

void fs_log_pool_free(struct fs_log_pool *p)
{
	if (!p)
		return;
	pthread_mutex_lock(&p->lock);
	p->stop = true;
	pthread_cond_broadcast(&p->work);
	pthread_mutex_unlock(&p->lock);
	for (unsigned i = 0; i < p->threads; i++)
		pthread_join(p->thread[i], NULL);
	for (size_t i = 0; i < p->places; i++) {
		if (p->place[i].state == DONE)
			fs_log_job_clear(&p->place[i].job);
	}
	pthread_cond_destroy(&p->work);
	pthread_cond_destroy(&p->done);
	pthread_mutex_destroy(&p->lock);
	free(p->place);
	free(p);
}
