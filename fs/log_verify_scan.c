/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/log_verify_scan.c - all segments in order, several read and hashed at once.
 *
 * Workers take the next number and leave what they found in its slot; the caller's thread takes the
 * slots in order and is at most WINDOW behind. The newest TAIL segments are read by the caller
 * alone, at the end and from the newest back: a segment is complete once one behind it is in use,
 * so that a log which is written meanwhile never shows a hole. What looks wrong among them may be
 * half written and is read again a few times.
 *
 * Locks: `lock` (leaf), for all of struct crew below it.
 */
#include "log_verify_impl.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define THREADS_MAX 8
#define WINDOW 16 /* segments read and not yet judged */
#define TAIL 3
#define RETRIES 5
#define RETRY_MS 10

/* ---- several at once ---- */

struct crew {
	const struct fs_log_scan *s;
	size_t n; /* segments for workers */
	pthread_mutex_t lock;
	pthread_cond_t room, ready;
	size_t next, judged;
	bool stop;
	int rc; /* of a worker */
	struct fs_log_part **slot;
};

/* The next segment to read; SIZE_MAX: there is none. */
static size_t take(struct crew *c)
{
	size_t i = SIZE_MAX;

	pthread_mutex_lock(&c->lock);
	while (!c->stop && c->next < c->n && c->next >= c->judged + WINDOW)
		pthread_cond_wait(&c->room, &c->lock);
	if (!c->stop && c->next < c->n)
		i = c->next++;
	pthread_mutex_unlock(&c->lock);
	return i;
}

static void *work(void *arg)
{
	struct crew *c = arg;
	size_t i;

	while ((i = take(c)) != SIZE_MAX) {
		struct fs_log_part *part = NULL;
		int rc = fs_log_part_read(&c->s->part, c->s->numbers[i], &part);

		pthread_mutex_lock(&c->lock);
		c->slot[i] = part;
		if (rc) {
			c->rc = rc;
			c->stop = true;
		}
		pthread_cond_broadcast(&c->ready);
		pthread_mutex_unlock(&c->lock);
	}
	return NULL;
}

struct done {
	uint64_t bytes;
	size_t segments;
};

static int judge_one(const struct fs_log_scan *s, struct fs_log_part *part, struct done *d)
{
	int rc = s->fn(s->ctx, part);

	d->bytes += part->bytes;
	d->segments++;
	/* Sizes are known of what was read; the rest is taken to be alike. */
	if (!rc && s->progress &&
	    s->progress(s->progress_ctx, d->bytes, d->bytes / d->segments * s->n))
		rc = -ECANCELED;
	return rc;
}

/* Waits for slot i; NULL: a worker failed. */
static struct fs_log_part *wait_for(struct crew *c, size_t i)
{
	struct fs_log_part *part;

	pthread_mutex_lock(&c->lock);
	while (!c->slot[i] && !c->stop)
		pthread_cond_wait(&c->ready, &c->lock);
	part = c->slot[i];
	c->slot[i] = NULL;
	c->judged = i + 1;
	pthread_cond_broadcast(&c->room);
	pthread_mutex_unlock(&c->lock);
	return part;
}

static int judge_all(struct crew *c, struct done *d)
{
	int rc = 0;

	for (size_t i = 0; i < c->n && !rc; i++) {
		struct fs_log_part *part = wait_for(c, i);

		rc = part ? judge_one(c->s, part, d) : c->rc;
		fs_log_part_free(part);
	}
	return rc;
}

static unsigned thread_count(const struct fs_log_scan *s, size_t n)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	unsigned want = s->threads ? s->threads : cpus > 0 ? (unsigned)cpus : 1;

	if (want > THREADS_MAX)
		want = THREADS_MAX;
	return want > n ? (unsigned)n : want;
}

static int scan_early(const struct fs_log_scan *s, size_t n, struct done *d)
{
	struct crew c = {.s = s, .n = n};
	pthread_t thread[THREADS_MAX];
	unsigned want = thread_count(s, n), runs = 0;
	int rc = 0;

	if (!n)
		return 0;
	c.slot = calloc(n, sizeof(struct fs_log_part *));
	if (!c.slot)
		return -ENOMEM;
	pthread_mutex_init(&c.lock, NULL);
	pthread_cond_init(&c.room, NULL);
	pthread_cond_init(&c.ready, NULL);
	while (runs < want && !rc) {
		rc = -pthread_create(&thread[runs], NULL, work, &c);
		runs += !rc;
	}
	/* Fewer do as well. */
	rc = runs ? judge_all(&c, d) : rc;
	pthread_mutex_lock(&c.lock);
	c.stop = true;
	pthread_cond_broadcast(&c.room);
	pthread_mutex_unlock(&c.lock);
	while (runs > 0)
		pthread_join(thread[--runs], NULL);
	for (size_t i = 0; i < n; i++)
		fs_log_part_free(c.slot[i]);
	free(c.slot);
	pthread_cond_destroy(&c.ready);
	pthread_cond_destroy(&c.room);
	pthread_mutex_destroy(&c.lock);
	return rc;
}

/* ---- the newest ---- */

static int read_newest(const struct fs_log_scan *s, uint64_t number, struct fs_log_part **out)
{
	const struct timespec pause = {.tv_nsec = RETRY_MS * 1000000L};
	struct fs_log_part *part = NULL;
	int tries = s->part.source->still ? 0 : RETRIES;
	int rc = fs_log_part_read(&s->part, number, &part);

	for (int i = 0; !rc && i < tries && fs_log_part_odd(part); i++) {
		fs_log_part_free(part);
		part = NULL;
		nanosleep(&pause, NULL);
		rc = fs_log_part_read(&s->part, number, &part);
	}
	if (!rc)
		*out = part;
	return rc;
}

static int scan_newest(const struct fs_log_scan *s, size_t from, struct done *d)
{
	struct fs_log_part *part[TAIL] = {NULL};
	int rc = 0;

	for (size_t i = s->n; i > from && !rc; i--)
		rc = read_newest(s, s->numbers[i - 1], &part[i - 1 - from]);
	for (size_t i = from; i < s->n && !rc; i++)
		rc = judge_one(s, part[i - from], d);
	for (size_t i = 0; i < TAIL; i++)
		fs_log_part_free(part[i]);
	return rc;
}

int fs_log_scan_run(const struct fs_log_scan *s)
{
	size_t early = s->n > TAIL ? s->n - TAIL : 0;
	struct done d = {0};
	int rc = scan_early(s, early, &d);

	return rc ? rc : scan_newest(s, early, &d);
}

/* ---- which vault ---- */

static bool vault_of(const uint8_t *p, size_t len, uint64_t number, uint8_t *vault)
{
	struct fs_log_walk w;
	struct fs_log_frame f;
	struct fs_log_head h;

	if (len < FS_LOG_HEADER)
		return false;
	fs_log_walk_init(&w, NULL, p, len);
	while (fs_log_walk_next(&w, &f)) {
		if (f.kind != FS_LOG_STREAM || fs_log_head_decode(f.body, f.len, number, &h))
			continue;
		memcpy(vault, h.vault, KEYS_VAULT_ID_LEN);
		return true;
	}
	return false;
}

int fs_log_scan_vault(const struct fs_log_source *source, const uint64_t *numbers, size_t n,
		      uint8_t vault[static KEYS_VAULT_ID_LEN])
{
	for (size_t i = 0; i < n; i++) {
		uint8_t *bytes = NULL;
		size_t len = 0;
		int rc = source->load(source->ctx, numbers[i], &bytes, &len);
		bool found = !rc && vault_of(bytes, len, numbers[i], vault);

		free(bytes);
		if (found)
			return 0;
		if (rc == -ENOMEM)
			return rc;
	}
	return -ENODATA;
}
