/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/log.c - the log's writing end: records are numbered, sealed, queued and made durable.
 *
 * Appending takes one mutex: the number, the two clocks, the seal under the
 * stream's ratchet and the place in the queue come in one order. The writer
 * thread takes everything queued, writes it with one pwritev2(RWF_DSYNC) a
 * segment and wakes who waits; what is queued meanwhile is the next batch.
 *
 * Invariants: (1) `durable` moves only after the write that covers it returned
 * success; (2) a number once given is in the queue: nothing can fail between;
 * (3) after a failed write nothing more is written and every call fails, because
 * nobody knows what reached the disk; only a new open finds out; (4) the key of
 * a sealed record is gone before the mutex is released.
 *
 * Locks: `lock` (leaf). Never held over file I/O.
 */
#include "log_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "../keys/slab.h"

#define FLUSH_MS 80		    /* unwaited records: leaves time to write within 100 ms */
#define BATCH_BYTES (256u << 10)    /* so much is written without waiting for the time */
#define QUEUE_BYTES_MAX (4u << 20)  /* appending waits for the writer beyond this */
#define SPARE_NONE (-1)

static int64_t clock_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* ---- the queue ---- */

static struct fs_log_run *run_add(struct fs_log *l, int fd, uint64_t off)
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

static void runs_free(struct fs_log_run *run)
{
	while (run) {
		struct fs_log_run *next = run->next;

		if (run->last)
			close(run->fd);
		free(run->p);
		free(run);
		run = next;
	}
}

static bool run_reserve(struct fs_log_run *run, size_t len)
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

	if (!l->first || run->fd != l->fd || run->last || run->off + run->len != l->end)
		run = run_add(l, l->fd, l->end);
	if (!run || !run_reserve(run, len))
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

/* The last run of a segment that is full; its descriptor is closed once it is written. */
static int end_segment(struct fs_log *l)
{
	struct fs_log_run *run = l->tail;

	if (l->fd < 0)
		return 0;
	if (!l->first || run->fd != l->fd)
		run = run_add(l, l->fd, l->end);
	if (!run)
		return -ENOMEM;
	run->last = true;
	return 0;
}

/* ---- streams and segments ---- */

/* Queues the head of a new stream for these readers; the ratchet is replaced only when that worked. */
static int begin_stream(struct fs_log *l, const struct keys_list_entry *readers, size_t n)
{
	struct fs_log_head head = {
		.first_seq = l->next_seq,
		.time_s = (uint64_t)(clock_ns(CLOCK_REALTIME) / 1000000000),
	};
	struct keys_ratchet *ratchet = keys_guard_new(sizeof(*ratchet));
	uint8_t *body = malloc(FS_LOG_HEAD_MAX), *at;
	size_t len = 0;
	int rc = -ENOMEM;

	if (!ratchet || !body)
		goto out;
	keys_ratchet_new(ratchet, l->vault);
	memcpy(head.prev, l->prev, sizeof(head.prev));
	rc = fs_log_head_make(&head, ratchet, readers, n, l->number, l->sign_sk, body, &len);
	if (rc)
		goto out;
	rc = -ENOMEM;
	at = fs_log_queue(l, fs_log_frame_size(len));
	if (!at)
		goto out;
	fs_log_frame_encode(FS_LOG_STREAM, head.first_seq, len, at);
	memcpy(at + FS_LOG_FRAME, body, len);
	memcpy(l->prev, head.sig, sizeof(l->prev));
	keys_guard_free(l->ratchet);
	l->ratchet = ratchet;
	ratchet = NULL;
	rc = 0;
out:
	keys_guard_free(ratchet);
	free(body);
	return rc;
}

int fs_log_begin_segment(struct fs_log *l, int fd, uint64_t number)
{
	struct fs_log_header h = {
		.number = number, .first_seq = l->next_seq, .bytes = l->segment_bytes};
	struct fs_log_run *run = NULL;

	memcpy(h.vault, l->vault, sizeof(h.vault));
	/* A run of its own: the header is durable before anything that follows it is written. */
	run = run_add(l, fd, 0);
	if (!run || !run_reserve(run, FS_LOG_HEADER))
		return -ENOMEM;
	fs_log_header_encode(&h, run->p);
	run->len = FS_LOG_HEADER;
	l->queued += FS_LOG_HEADER;
	l->fd = fd;
	l->number = number;
	l->size = l->segment_bytes;
	l->end = FS_LOG_HEADER;
	return 0;
}

static void want_spare(struct fs_log *l)
{
	if (l->spare_fd != SPARE_NONE)
		return;
	l->spare_wanted = true;
	pthread_cond_signal(&l->want);
}

static int switch_segment(struct fs_log *l)
{
	int rc, fd = l->spare_fd;

	rc = end_segment(l);
	if (rc)
		return rc;
	l->fd = -1; /* its last run's now */
	l->older_bytes += l->size;
	rc = fs_log_begin_segment(l, fd, l->number + 1);
	if (!rc) {
		l->spare_fd = SPARE_NONE;
		rc = begin_stream(l, l->readers, l->reader_count);
	}
	/* Half done can't be undone: what is queued would follow a segment without a head. */
	if (rc)
		l->failed = rc;
	want_spare(l);
	return rc;
}

/*
 * Makes sure that need bytes fit behind the end. 0; 1: they do now, but the lock was let go or the
 * stream changed, so the record must be encoded again; negative: refuse.
 */
static int make_room(struct fs_log *l, size_t need)
{
	uint64_t attempt = l->spare_attempts;

	if (l->failed)
		return l->failed;
	if (l->queued >= QUEUE_BYTES_MAX) {
		pthread_cond_wait(&l->done, &l->lock);
		return 1;
	}
	if (l->end + need <= l->size)
		return 0;
	if (l->spare_fd == SPARE_NONE) {
		want_spare(l);
		while (l->spare_fd == SPARE_NONE && l->spare_attempts == attempt && !l->failed)
			pthread_cond_wait(&l->space, &l->lock);
		return l->spare_fd != SPARE_NONE || !l->spare_rc ? 1 : l->spare_rc;
	}
	return switch_segment(l) ? l->failed : 1;
}

/* ---- appending ---- */

static int encode(struct fs_log *l, struct policy_record *r, size_t *len)
{
	int rc;

	r->seq = l->next_seq;
	r->time_ns = clock_ns(CLOCK_REALTIME);
	r->boot_ns = (uint64_t)clock_ns(CLOCK_BOOTTIME);
	rc = policy_record_encode(r, l->plain, POLICY_RECORD_MAX, len);
	return rc == -ENOSPC ? -EMSGSIZE : rc;
}

static int append_locked(struct fs_log *l, struct policy_record *r)
{
	size_t len = 0, sealed;
	uint8_t *at;
	int rc;

	do {
		rc = encode(l, r, &len);
		if (rc)
			return rc;
		sealed = keys_ratchet_sealed_len(len);
		rc = make_room(l, fs_log_frame_size(sealed));
	} while (rc > 0);
	if (rc)
		return rc;
	at = fs_log_queue(l, fs_log_frame_size(sealed));
	if (!at)
		return -ENOMEM;
	fs_log_frame_encode(FS_LOG_RECORD, r->seq, sealed, at);
	keys_ratchet_seal(l->ratchet, (struct keys_span){l->plain, len}, at + FS_LOG_FRAME);
	l->next_seq++;
	return 0;
}

int fs_log_append(struct fs_log *l, struct policy_record *r, uint64_t *seq)
{
	int rc;

	pthread_mutex_lock(&l->lock);
	rc = append_locked(l, r);
	keys_wipe(l->plain, POLICY_RECORD_MAX);
	if (!rc && seq)
		*seq = r->seq;
	pthread_mutex_unlock(&l->lock);
	return rc;
}

static int wait_locked(struct fs_log *l, uint64_t seq)
{
	/* A number that was never given would be waited for for ever. */
	if (!seq || seq >= l->next_seq)
		seq = l->next_seq - 1;
	if (l->durable < seq && l->wanted < seq) {
		l->wanted = seq;
		pthread_cond_signal(&l->work);
	}
	while (l->durable < seq && !l->failed)
		pthread_cond_wait(&l->done, &l->lock);
	return l->durable >= seq ? 0 : l->failed;
}

int fs_log_wait(struct fs_log *l, uint64_t seq)
{
	int rc;

	pthread_mutex_lock(&l->lock);
	rc = wait_locked(l, seq);
	pthread_mutex_unlock(&l->lock);
	return rc;
}

int fs_log_write(struct fs_log *l, struct policy_record *r)
{
	uint64_t seq = 0;
	int rc = fs_log_append(l, r, &seq);

	return rc ? rc : fs_log_wait(l, seq);
}

void fs_log_stat(struct fs_log *l, struct fs_log_stat *out)
{
	pthread_mutex_lock(&l->lock);
	out->records = l->next_seq - 1;
	out->durable = l->durable;
	out->bytes = l->older_bytes + l->end;
	out->syncs = l->syncs;
	out->free_bytes = l->end < l->size ? l->size - l->end : 0;
	if (l->spare_fd != SPARE_NONE)
		out->free_bytes += l->segment_bytes;
	/* Short of space counts only once appends are refused for it. */
	out->failed = l->failed ? l->failed : out->free_bytes < 65536 ? l->spare_rc : 0;
	pthread_mutex_unlock(&l->lock);
}

int fs_log_readers(struct fs_log *l, const struct keys_list_entry *readers, size_t n)
{
	struct keys_list_entry *copy;
	int rc;

	if (!n || n > FS_LOG_READERS_MAX)
		return -EINVAL;
	copy = calloc(n, sizeof(*copy));
	if (!copy)
		return -ENOMEM;
	memcpy(copy, readers, n * sizeof(*copy));
	pthread_mutex_lock(&l->lock);
	do {
		rc = make_room(l, fs_log_frame_size(FS_LOG_HEAD_MAX));
	} while (rc > 0);
	if (!rc)
		rc = begin_stream(l, copy, n);
	if (!rc) {
		struct keys_list_entry *old = l->readers;

		l->readers = copy;
		l->reader_count = n;
		copy = old;
	}
	pthread_mutex_unlock(&l->lock);
	free(copy);
	return rc;
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

	if (l->stop || l->wanted > l->durable || l->queued >= BATCH_BYTES)
		return false;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec < l->deadline.tv_sec ||
	       (now.tv_sec == l->deadline.tv_sec && now.tv_nsec < l->deadline.tv_nsec);
}

/* Writes one batch. Lock held on entry and return, not between. */
static void write_batch(struct fs_log *l)
{
	struct fs_log_run *batch = l->first;
	uint64_t last = l->next_seq - 1, syncs = 0;
	int rc;

	l->first = l->tail = NULL;
	l->queued = 0;
	pthread_mutex_unlock(&l->lock);
	rc = write_runs(batch, &syncs);
	runs_free(batch);
	pthread_mutex_lock(&l->lock);
	l->syncs += syncs;
	if (rc)
		l->failed = rc;
	else
		l->durable = last;
	pthread_cond_broadcast(&l->done);
	pthread_cond_broadcast(&l->space);
}

static void *writer(void *log)
{
	struct fs_log *l = log;

	pthread_mutex_lock(&l->lock);
	while (!l->failed) {
		if (!l->first && l->stop)
			break;
		if (!l->first)
			pthread_cond_wait(&l->work, &l->lock);
		else if (may_wait(l))
			pthread_cond_timedwait(&l->work, &l->lock, &l->deadline);
		else
			write_batch(l);
	}
	pthread_mutex_unlock(&l->lock);
	return NULL;
}

/* ---- open and close ---- */

static int start_thread(pthread_t *t, void *(*fn)(void *), struct fs_log *l, bool *runs)
{
	sigset_t all, old;
	int rc;

	/* Signals are for the thread that serves. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	rc = -pthread_create(t, NULL, fn, l);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	*runs = !rc;
	return rc;
}

static void stop_threads(struct fs_log *l)
{
	pthread_mutex_lock(&l->lock);
	l->stop = true;
	pthread_cond_broadcast(&l->work);
	pthread_cond_broadcast(&l->want);
	pthread_mutex_unlock(&l->lock);
	if (l->writer_runs)
		pthread_join(l->writer, NULL);
	if (l->preparer_runs)
		pthread_join(l->preparer, NULL);
}

static void log_free(struct fs_log *l)
{
	stop_threads(l);
	runs_free(l->first);
	if (l->fd >= 0)
		close(l->fd);
	if (l->spare_fd >= 0)
		close(l->spare_fd);
	if (l->dirfd >= 0)
		close(l->dirfd);
	free(l->readers);
	keys_guard_free(l->ratchet);
	keys_guard_free(l->plain);
	keys_guard_free(l->sign_sk);
	pthread_cond_destroy(&l->work);
	pthread_cond_destroy(&l->done);
	pthread_cond_destroy(&l->want);
	pthread_cond_destroy(&l->space);
	pthread_mutex_destroy(&l->lock);
	free(l);
}

static struct fs_log *log_new(const struct fs_log_config *cfg)
{
	struct fs_log *l = calloc(1, sizeof(*l));
	pthread_condattr_t attr;

	if (!l)
		return NULL;
	l->dirfd = l->fd = l->spare_fd = -1;
	l->next_seq = 1;
	l->segment_bytes = cfg->segment_bytes ? cfg->segment_bytes : FS_LOG_SEGMENT_BYTES;
	memcpy(l->vault, cfg->vault, sizeof(l->vault));
	pthread_mutex_init(&l->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&l->work, &attr);
	pthread_condattr_destroy(&attr);
	pthread_cond_init(&l->done, NULL);
	pthread_cond_init(&l->want, NULL);
	pthread_cond_init(&l->space, NULL);
	l->sign_sk = keys_guard_new(KEYS_SIGN_SK_LEN);
	l->plain = keys_guard_new(POLICY_RECORD_MAX);
	l->readers = calloc(cfg->reader_count, sizeof(*l->readers));
	if (!l->sign_sk || !l->plain || !l->readers) {
		log_free(l);
		return NULL;
	}
	memcpy(l->sign_sk, cfg->sign_sk, KEYS_SIGN_SK_LEN);
	memcpy(l->readers, cfg->readers, cfg->reader_count * sizeof(*l->readers));
	l->reader_count = cfg->reader_count;
	return l;
}

/* From here on the writer runs; the stream's head and START are the first that it writes. */
static int begin(struct fs_log *l)
{
	struct policy_record start;
	int rc;

	pthread_mutex_lock(&l->lock);
	l->durable = l->next_seq - 1;
	want_spare(l);
	do {
		rc = make_room(l, fs_log_frame_size(FS_LOG_HEAD_MAX));
	} while (rc > 0);
	/* A segment just begun by make_room has its stream already. */
	if (!rc && !l->ratchet)
		rc = begin_stream(l, l->readers, l->reader_count);
	pthread_mutex_unlock(&l->lock);
	if (rc)
		return rc;
	policy_record_init(&start, POLICY_RECORD_START);
	return fs_log_write(l, &start);
}

int fs_log_open(const struct fs_log_config *cfg, struct fs_log **out)
{
	struct fs_log *l = NULL;
	int rc;

	if (!cfg->reader_count || cfg->reader_count > FS_LOG_READERS_MAX ||
	    (cfg->segment_bytes && (cfg->segment_bytes < FS_LOG_SEGMENT_MIN ||
				    cfg->segment_bytes > FS_LOG_SEGMENT_MAX ||
				    cfg->segment_bytes % 4096)))
		return -EINVAL;
	l = log_new(cfg);
	if (!l)
		return -ENOMEM;
	l->dirfd = open(cfg->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	rc = l->dirfd < 0 ? -errno : fs_log_find_end(l);
	if (!rc && l->next_seq - 1 < cfg->least_seq)
		rc = -ESTALE;
	if (!rc)
		rc = start_thread(&l->writer, writer, l, &l->writer_runs);
	if (!rc)
		rc = start_thread(&l->preparer, fs_log_prepare, l, &l->preparer_runs);
	if (!rc)
		rc = begin(l);
	if (rc) {
		log_free(l);
		return rc;
	}
	*out = l;
	return 0;
}

int fs_log_close(struct fs_log *l)
{
	struct policy_record stop;
	int rc;

	if (!l)
		return 0;
	policy_record_init(&stop, POLICY_RECORD_STOP);
	rc = fs_log_write(l, &stop);
	log_free(l);
	return rc;
}
