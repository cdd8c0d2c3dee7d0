/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/chunk_help.c - one thread that takes over half of the work on many chunks; see chunk_help.h.
 */
#include "chunk_help.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

struct fs_chunk_help {
	pthread_mutex_t lock; /* all below, and the jobs' states */
	pthread_cond_t work, news;
	pthread_t thread;
	bool started, stop;
	struct fs_chunk_job *job; /* given or begun */
};

int fs_chunk_help_new(struct fs_chunk_help **out)
{
	struct fs_chunk_help *h = calloc(1, sizeof(*h));

	if (!h)
		return -ENOMEM;
	pthread_mutex_init(&h->lock, NULL);
	pthread_cond_init(&h->work, NULL);
	pthread_cond_init(&h->news, NULL);
	*out = h;
	return 0;
}

void fs_chunk_help_free(struct fs_chunk_help *h)
{
	if (!h)
		return;
	pthread_mutex_lock(&h->lock);
	h->stop = true;
	pthread_cond_signal(&h->work);
	pthread_mutex_unlock(&h->lock);
	if (h->started)
		pthread_join(h->thread, NULL);
	pthread_cond_destroy(&h->work);
	pthread_cond_destroy(&h->news);
	pthread_mutex_destroy(&h->lock);
	free(h);
}

static void *helper(void *arg)
{
	struct fs_chunk_help *h = arg;

	pthread_mutex_lock(&h->lock);
	while (!h->stop) {
		struct fs_chunk_job *job = h->job;

		if (!job || job->state != FS_CHUNK_JOB_GIVEN) {
			pthread_cond_wait(&h->work, &h->lock);
			continue;
		}
		job->state = FS_CHUNK_JOB_BEGUN;
		pthread_mutex_unlock(&h->lock);
		job->run(job);
		pthread_mutex_lock(&h->lock);
		job->state = FS_CHUNK_JOB_NONE;
		h->job = NULL;
		pthread_cond_broadcast(&h->news);
	}
	pthread_mutex_unlock(&h->lock);
	return NULL;
}

/* Lock held. Signals are for other threads, but for those that this one causes itself. */
static bool start(struct fs_chunk_help *h)
{
	sigset_t all, before;

	if (h->started)
		return true;
	sigfillset(&all);
	sigdelset(&all, SIGBUS);
	sigdelset(&all, SIGSEGV);
	sigdelset(&all, SIGILL);
	sigdelset(&all, SIGFPE);
	sigdelset(&all, SIGABRT);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	h->started = !pthread_create(&h->thread, NULL, helper, h);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (h->started)
		pthread_setname_np(h->thread, "chunk-helper");
	return h->started;
}

void fs_chunk_help_give(struct fs_chunk_help *h, struct fs_chunk_job *job)
{
	pthread_mutex_lock(&h->lock);
	job->state = FS_CHUNK_JOB_GIVEN;
	if (!h->job && start(h)) {
		h->job = job;
		pthread_cond_signal(&h->work);
	}
	pthread_mutex_unlock(&h->lock);
}

void fs_chunk_help_finish(struct fs_chunk_help *h, struct fs_chunk_job *job)
{
	bool mine;

	pthread_mutex_lock(&h->lock);
	mine = job->state == FS_CHUNK_JOB_GIVEN;
	if (mine && h->job == job)
		h->job = NULL;
	while (job->state == FS_CHUNK_JOB_BEGUN)
		pthread_cond_wait(&h->news, &h->lock);
	pthread_mutex_unlock(&h->lock);
	if (mine)
		job->run(job);
}
