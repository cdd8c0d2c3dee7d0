/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/log_queue.c - bytes on their way to the disk, and the thread that brings them there.
 *
 * A batch is everything queued, written with one pwritev2(RWF_DSYNC) a segment;
 * what is queued meanwhile is the next. Who waits for a record writes the batch
 * itself when nobody else is writing: waking another thread and being woken by it
 * takes as long as the disk. What nobody waits for is left FLUSH_MS for more to
 * join it, and then the writer's.
 *
 * Invariants: (1) `durable` moves only after the write that covers it returned
 * success; (2) after a failed write nothing more is written and every call fails,
 * because nobody knows what reached the disk; only a new open finds out; (3) runs are written in
 * the order in which they were queued, each once the one before is on disk.
 *
 * Locks: fs_log.lock. Never held over file I/O.
 */
#include "log_impl.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define FLUSH_MS 80		 /* leaves time to write within 100 ms */
#define BATCH_BYTES (256u << 10) /* so much is written without waiting for the time */

/* ---- the queue ---- */

struct fs_log_run *fs_log_run_add(struct fs_log *l, int fd, uint64_t off)
{
	struct fs_log_run *run = calloc(1, sizeof(*run));

	if (!run)
		return NULL;
	run->fd = fd;
	run->off = off;
	if (!l->first) {
		clock_gettime(CLOCK_MONOTONIC, &l->deadline);
		l->deadline.tv_nsec += FLUSH_MS * 1000000L;
		if (l->deadline.tv_nsec >= 1000000000L) {
			l->deadline.tv_nsec -= 1000000000L;
			l->deadline.tv_sec++;
		}
		l->first = run;
		pthread_cond_signal(&l->work);
	} else {
		l->tail->next = run;
	}
	l->tail = run;
	return run;
}

void fs_log_runs_free(struct fs_log_run *run)
{
	while (run) {
		struct fs_log_run *next = run->next;

		if (run->last)
			close(run->fd);
		free(run->sealed);
		free(run->p);
		free(run);
		run = next;
	}
}

bool fs_log_run_reserve(struct fs_log_run *run, size_t len)
{
	size_t cap = run->cap ? run->cap : 8192;
	uint8_t *p;

	while (cap - run->len < len)
		cap *= 2;
	if (cap == run->cap)
		return true;
	p = realloc(run->p, cap);
	if (!p)
		return false;
	run->p = p;
	run->cap = cap;
	return true;
}

uint8_t *fs_log_queue(struct fs_log *l, size_t len)
{
	struct fs_log_run *run = l->tail;
	uint8_t *at;

	if (!l->first || run->fd != l->fd || run->last || run->closed ||
	    run->off + run->len != l->end)
		run = fs_log_run_add(l, l->fd, l->end);
	if (!run || !fs_log_run_reserve(run, len))
		return NULL;
	at = run->p + run->len;
	memset(at, 0, len);
	run->len += len;
	l->queued += len;
	l->end += len;
	if (l->queued >= BATCH_BYTES)
		pthread_cond_signal(&l->work);
	return at;
}

/* ---- the writer ---- */

/* One durable write: in one system call where the kernel and the file system know how. */
static ssize_t write_durably(int fd, struct iovec *iov, uint64_t off)
{
	ssize_t got = pwritev2(fd, iov, 1, (off_t)off, RWF_DSYNC);

	if (got >= 0 || (errno != EOPNOTSUPP && errno != ENOSYS))
		return got;
	got = pwritev(fd, iov, 1, (off_t)off);
	if (got > 0 && fdatasync(fd))
		return -1;
	return got;
}

static int write_run(const struct fs_log_run *run)
{
	size_t done = 0;

	while (done < run->len) {
		struct iovec iov = {.iov_base = run->p + done, .iov_len = run->len - done};
		ssize_t got = write_durably(run->fd, &iov, run->off + done);

		if (got > 0)
			done += (size_t)got;
		else if (got == 0)
			return -EIO;
		else if (errno != EINTR)
			return -errno;
	}
	return 0;
}

static int write_runs(struct fs_log_run *run, uint64_t *syncs)
{
	int rc = 0;

	for (; run && !rc; run = run->next) {
		rc = write_run(run);
		*syncs += run->len > 0;
	}
	return rc;
}

/* Whether the writer should leave what is queued a little longer, for more to join it. */
static bool may_wait(const struct fs_log *l)
{
	struct timespec now;

	if (l->stop || l->hurry || l->queued >= BATCH_BYTES)
		return false;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec < l->deadline.tv_sec ||
	       (now.tv_sec == l->deadline.tv_sec && now.tv_nsec < l->deadline.tv_nsec);
}

/* The newest checkpoint of these runs, and whether a tree frame is among them. */
static bool take_sealed(struct fs_log_run *run, struct fs_log_sealed **out)
{
	bool introduces = false;

	for (; run; run = run->next) {
		introduces |= run->introduces;
		if (!run->sealed)
			continue;
		free(*out);
		*out = run->sealed;
		run->sealed = NULL;
	}
	return introduces;
}

void fs_log_write_batch(struct fs_log *l)
{
	struct fs_log_run *batch = l->first;
	uint64_t last = l->next_seq - 1, syncs = 0;
	struct fs_log_sealed *sealed = NULL;
	bool introduces;
	int rc;

	l->first = l->tail = NULL;
	l->queued = 0;
	l->hurry = false;
	l->writing = true;
	pthread_mutex_unlock(&l->lock);
	rc = write_runs(batch, &syncs);
	introduces = take_sealed(batch, &sealed);
	fs_log_runs_free(batch);
	pthread_mutex_lock(&l->lock);
	l->writing = false;
	l->syncs += syncs;
	if (rc) {
		l->failed = rc;
		free(sealed);
		pthread_cond_signal(&l->want); /* the preparer may wait for what will not come */
	} else {
		l->durable = last;
		fs_log_seal_written(l, introduces, sealed);
	}
	pthread_cond_broadcast(&l->done);
	pthread_cond_broadcast(&l->space);
	/* The writer has not looked at what came meanwhile. */
	if (l->first || l->stop)
		pthread_cond_signal(&l->work);
}

void *fs_log_writer(void *log)
{
	struct fs_log *l = log;

	pthread_mutex_lock(&l->lock);
	while (!l->failed) {
		if (!l->first && l->stop && !l->writing)
			break;
		if (!l->first || l->writing)
			pthread_cond_wait(&l->work, &l->lock);
		else if (may_wait(l))
			pthread_cond_timedwait(&l->work, &l->lock, &l->deadline);
		else
			fs_log_write_batch(l);
	}
	pthread_mutex_unlock(&l->lock);
	return NULL;
}
