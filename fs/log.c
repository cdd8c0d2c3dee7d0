/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/log.c - the log's writing end: records are numbered, sealed, queued and waited for.
 *
 * Appending takes one mutex: the number, the two clocks, the seal under the
 * stream's ratchet and the place in the queue (log_queue.c) come in one order.
 *
 * Invariants: (1) a number once given is in the queue and the tree: nothing can fail
 * between; (2) the key of a sealed record is gone before the mutex is released; (3) a
 * segment's header, stream head and tree frame are queued before its first record.
 *
 * Locks: `lock` (leaf). Never held over file I/O.
 */
#include "log_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "../keys/recovery.h"
#include "../keys/slab.h"
#include "clock.h"

#define KEPT_BYTES (UINT64_C(1) << 20) /* at the end of the last segment: see kept_from */
#define QUEUE_BYTES_MAX (4u << 20)  /* appending waits for the writer beyond this */
#define SPARE_NONE (-1)
/* A stream's beginning at most: a checkpoint, a head, a tree frame. */
#define HEAD_ROOM                                                                                  \
	(fs_log_frame_size(KEYS_CHECKPOINT_MAX) + fs_log_frame_size(FS_LOG_HEAD_MAX) +             \
	 fs_log_frame_size(FS_LOG_TREE_MAX))

/* ---- streams and segments ---- */

/* The last run of a segment that is full; its descriptor is closed once it is written. */
static int end_segment(struct fs_log *l)
{
	struct fs_log_run *run = l->tail;

	if (l->fd < 0)
		return 0;
	if (!l->first || run->fd != l->fd)
		run = fs_log_run_add(l, l->fd, l->end);
	if (!run)
		return -ENOMEM;
	run->last = true;
	return 0;
}

/* Queues the head of a new stream for these readers; the ratchet is replaced only when that worked. */
static int begin_stream(struct fs_log *l, const struct keys_list_entry *readers, size_t n)
{
	struct fs_log_head head = {
		.first_seq = l->next_seq,
		.time_s = (uint64_t)(fs_clock_wall_ns() / 1000000000),
	};
	struct keys_ratchet *ratchet = keys_guard_new(sizeof(*ratchet));
	uint8_t *body = malloc(FS_LOG_HEAD_MAX), *at;
	uint64_t off = l->end;
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
	if (l->index)
		(void)fs_log_index_stream(l->index, ratchet, l->number, head.first_seq, off);
	ratchet = NULL;
	rc = l->tree_due ? fs_log_seal_segment(l) : 0;
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
	/* The header is durable before anything that follows it is written. */
	run = fs_log_run_add(l, fd, 0);
	if (!run || !fs_log_run_reserve(run, FS_LOG_HEADER))
		return -ENOMEM;
	fs_log_header_encode(&h, run->p);
	run->len = FS_LOG_HEADER;
	run->closed = true;
	l->queued += FS_LOG_HEADER;
	l->fd = fd;
	l->number = number;
	l->size = l->segment_bytes;
	l->end = FS_LOG_HEADER;
	l->tree_due = true;
	return 0;
}

bool fs_log_ready(const struct fs_log *l)
{
	return l->spare_fd != SPARE_NONE && l->keys->next.number;
}

static void want_spare(struct fs_log *l)
{
	if (fs_log_ready(l))
		return;
	l->spare_wanted = true;
	pthread_cond_signal(&l->want);
}

/*
 * The full segment's index is the preparer's, and with it the key that signs no more checkpoints, until he has sealed it.
 * Where memory is short, or he is behind, there is none.
 */
static void switch_index(struct fs_log *l)
{
	if (l->index && l->keys->now.number)
		fs_log_index_key(l->index, l->keys->now.sk);
	if (l->index_full) {
		fs_log_index_free(l->index);
	} else {
		l->index_full = l->index;
		l->index_segment = l->number;
	}
	l->index = NULL;
	(void)fs_log_index_new(l->vault, &l->index);
}

int fs_log_switch(struct fs_log *l)
{
	int rc, fd = l->spare_fd;

	rc = end_segment(l);
	if (rc)
		return rc;
	l->fd = -1; /* its last run's now */
	switch_index(l);
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

uint64_t fs_log_kept(const struct fs_log *l)
{
	return l->segment_bytes / 8 < KEPT_BYTES ? l->segment_bytes / 8 : KEPT_BYTES;
}

/*
 * What of the last segment a record leaves to others, on a disk that has no room for a next one: emergency
 * access can always be logged, and so can getting in and out, for a while after all else is refused.
 */
static uint64_t kept_from(const struct fs_log *l, const struct policy_record *r)
{
	uint64_t kept = fs_log_kept(l);

	/* What is done under one emergency does not take the room in which the next one is told. */
	switch (r->kind) {
	case POLICY_RECORD_KEYS:
		return r->grant ? 0 : kept;
	case POLICY_RECORD_STOP:
	case POLICY_RECORD_BREAK_GLASS:
	case POLICY_RECORD_BREAK_GLASS_END:
		return 0;
	case POLICY_RECORD_LOGIN:
	case POLICY_RECORD_LOGOUT:
	case POLICY_RECORD_LOCK:
	case POLICY_RECORD_UNLOCK:
	case POLICY_RECORD_ALARM:
	case POLICY_RECORD_NOTICE: /* though it speaks of one: a service may fail and fail */
		return kept / 2;
	default:
		return r->grant ? kept / 4 : kept;
	}
}

/*
 * Makes sure that need bytes fit behind the end, and (when nothing can follow this segment) kept more. 0; 1: they do now, but the lock was let go or the
 * stream changed, so the record must be encoded again; negative: refuse.
 */
static int make_room(struct fs_log *l, size_t need, uint64_t kept)
{
	uint64_t attempt = l->spare_attempts;
	int rc;

	if (l->failed)
		return l->failed;
	if (l->queued >= QUEUE_BYTES_MAX) {
		pthread_cond_wait(&l->done, &l->lock);
		return 1;
	}
	if (l->end + need + (fs_log_ready(l) ? 0 : kept) <= l->size)
		return 0;
	if (!fs_log_ready(l)) {
		want_spare(l);
		while (!fs_log_ready(l) && l->spare_attempts == attempt && !l->failed)
			pthread_cond_wait(&l->space, &l->lock);
		return fs_log_ready(l) || !l->spare_rc ? 1 : l->spare_rc;
	}
	rc = fs_log_switch(l);
	return rc ? rc : 1;
}

/* ---- appending ---- */

static int encode(struct fs_log *l, struct policy_record *r, size_t *len)
{
	int rc;

	r->seq = l->next_seq;
	r->time_ns = fs_clock_wall_ns();
	r->boot_ns = (uint64_t)fs_clock_boot_ns();
	rc = policy_record_encode(r, l->plain, POLICY_RECORD_MAX, len);
	return rc == -ENOSPC ? -EMSGSIZE : rc;
}

/* *used: so much of the plain record's place was written to. */
static int append_locked(struct fs_log *l, struct policy_record *r, size_t *used)
{
	size_t len = 0, sealed;
	uint64_t off;
	uint8_t *at;
	int rc;

	do {
		rc = encode(l, r, &len);
		if (rc)
			return rc;
		*used = len > *used ? len : *used;
		sealed = keys_ratchet_sealed_len(len);
		rc = make_room(l, fs_log_frame_size(sealed), kept_from(l, r));
	} while (rc > 0);
	if (rc)
		return rc;
	off = l->end;
	at = fs_log_queue(l, fs_log_frame_size(sealed));
	if (!at)
		return -ENOMEM;
	fs_log_frame_encode(FS_LOG_RECORD, r->seq, sealed, at);
	keys_ratchet_seal(l->ratchet, (struct keys_span){l->plain, len},
			  (uint64_t)r->time_ns, at + FS_LOG_FRAME);
	fs_log_seal_add(l, at + FS_LOG_FRAME, sealed);
	if (l->index)
		(void)fs_log_index_add(l->index, r, off, l->ratchet);
	l->next_seq++;
	return 0;
}

int fs_log_append(struct fs_log *l, struct policy_record *r, uint64_t *seq)
{
	size_t used = 0;
	int rc;

	pthread_mutex_lock(&l->lock);
	rc = append_locked(l, r, &used);
	/* The whole of it takes longer than all else here together. */
	keys_wipe(l->plain, rc ? POLICY_RECORD_MAX : used);
	if (!rc && seq)
		*seq = r->seq;
	pthread_mutex_unlock(&l->lock);
	if (!rc && l->told)
		l->told(l->told_ctx, r);
	return rc;
}

static int wait_locked(struct fs_log *l, uint64_t seq)
{
	/* A number that was never given would be waited for for ever. */
	if (!seq || seq >= l->next_seq)
		seq = l->next_seq - 1;
	while (l->durable < seq && !l->failed) {
		if (l->first && !l->writing)
			fs_log_write_batch(l);
		else
			pthread_cond_wait(&l->done, &l->lock);
	}
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

uint64_t fs_log_ask(struct fs_log *l)
{
	uint64_t seq;

	pthread_mutex_lock(&l->lock);
	seq = l->next_seq - 1;
	if (l->first && !l->writing && !l->hurry) {
		l->hurry = true;
		pthread_cond_signal(&l->work);
	}
	if (l->durable >= seq)
		seq = 0;
	pthread_mutex_unlock(&l->lock);
	return seq;
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
	out->changed = l->changed;
	out->free_bytes = l->end < l->size ? l->size - l->end : 0;
	if (fs_log_ready(l))
		out->free_bytes += l->segment_bytes;
	else
		out->free_bytes -= out->free_bytes < fs_log_kept(l) ? out->free_bytes : fs_log_kept(l);
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
		rc = make_room(l, HEAD_ROOM, 0);
	} while (rc > 0);
	if (!rc)
		rc = fs_log_seal_put(l, KEYS_CHECKPOINT_READERS);
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
	l->writer_runs = l->preparer_runs = false;
}

static void log_free(struct fs_log *l)
{
	stop_threads(l);
	fs_log_runs_free(l->first);
	if (l->fd >= 0)
		close(l->fd);
	if (l->spare_fd >= 0)
		close(l->spare_fd);
	if (l->dirfd >= 0)
		close(l->dirfd);
	if (l->statefd >= 0)
		close(l->statefd);
	free(l->readers);
	free(l->newest);
	fs_log_index_free(l->index);
	fs_log_index_free(l->index_full);
	keys_guard_free(l->keys);
	keys_guard_free(l->witness_sk);
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

/* Whose log it is, as tree frames say. Without a root (tests) the daemon's key vouches for itself. */
static void take_identity(struct fs_log *l, const struct fs_log_config *cfg)
{
	const uint8_t *daemon_pk = fs_log_pk(l->sign_sk);

	memcpy(l->sign_sk, cfg->sign_sk, KEYS_SIGN_SK_LEN);
	keys_checkpoint_witness(l->sign_sk, l->witness_pk, l->witness_sk);
	if (cfg->root_pk && cfg->daemon_cert) {
		memcpy(l->root_pk, cfg->root_pk, sizeof(l->root_pk));
		memcpy(l->daemon_cert, cfg->daemon_cert, sizeof(l->daemon_cert));
		return;
	}
	memcpy(l->root_pk, daemon_pk, sizeof(l->root_pk));
	keys_daemon_certify(l->vault, daemon_pk, l->sign_sk, l->daemon_cert);
}

static struct fs_log *log_new(const struct fs_log_config *cfg)
{
	struct fs_log *l = calloc(1, sizeof(*l));
	pthread_condattr_t attr;

	if (!l)
		return NULL;
	l->dirfd = l->fd = l->spare_fd = l->statefd = -1;
	l->next_seq = 1;
	l->segment_bytes = cfg->segment_bytes ? cfg->segment_bytes : FS_LOG_SEGMENT_BYTES;
	memcpy(l->vault, cfg->vault, sizeof(l->vault));
	l->told = cfg->told;
	l->told_ctx = cfg->told_ctx;
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
	l->keys = keys_guard_new(sizeof(*l->keys));
	l->witness_sk = keys_guard_new(KEYS_SIGN_SK_LEN);
	l->readers = calloc(cfg->reader_count, sizeof(*l->readers));
	if (!l->sign_sk || !l->plain || !l->keys || !l->witness_sk || !l->readers) {
		log_free(l);
		return NULL;
	}
	take_identity(l, cfg);
	(void)fs_log_index_new(l->vault, &l->index);
	memcpy(l->readers, cfg->readers, cfg->reader_count * sizeof(*l->readers));
	l->reader_count = cfg->reader_count;
	return l;
}

/* What this host saw sealed is not what there is now: verification says where. */
static int tell_changed(struct fs_log *l)
{
	struct policy_record r;

	policy_record_init(&r, POLICY_RECORD_ALARM);
	snprintf(r.detail, sizeof(r.detail),
		 "the access log was changed: its first %llu records are not those that this host "
		 "saw; `journalfs audit verify` says which",
		 (unsigned long long)l->changed);
	return fs_log_write(l, &r);
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
		rc = make_room(l, HEAD_ROOM, 0);
	} while (rc > 0);
	/* A segment just begun by make_room has its stream already. */
	if (!rc && !l->ratchet)
		rc = begin_stream(l, l->readers, l->reader_count);
	pthread_mutex_unlock(&l->lock);
	if (rc)
		return rc;
	policy_record_init(&start, POLICY_RECORD_START);
	rc = fs_log_write(l, &start);
	return rc || !l->changed ? rc : tell_changed(l);
}

/* Everything that must be known before the first byte is written. */
static int find_place(struct fs_log *l, const struct fs_log_config *cfg)
{
	int rc;

	l->dirfd = open(cfg->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (l->dirfd < 0)
		return -errno;
	if (cfg->statefd) {
		l->statefd = fcntl(*cfg->statefd, F_DUPFD_CLOEXEC, 0);
		if (l->statefd < 0)
			return -errno;
	}
	rc = fs_log_find_end(l);
	if (!rc && l->next_seq - 1 < cfg->least_seq)
		rc = -ESTALE;
	if (!rc)
		rc = fs_log_start(l);
	if (!rc && l->fresh)
		rc = fs_log_begin_fresh(l);
	if (!rc)
		fs_log_adopt_spare(l);
	return rc;
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
	rc = find_place(l, cfg);
	if (!rc)
		rc = start_thread(&l->writer, fs_log_writer, l, &l->writer_runs);
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

/* The last checkpoint, behind STOP, and all that is queued to disk. */
static int seal_end(struct fs_log *l)
{
	int rc;

	pthread_mutex_lock(&l->lock);
	rc = fs_log_seal_put(l, KEYS_CHECKPOINT_STOP);
	while (!l->failed && (l->first || l->writing)) {
		if (l->first && !l->writing)
			fs_log_write_batch(l);
		else
			pthread_cond_wait(&l->done, &l->lock);
	}
	if (l->failed)
		rc = l->failed;
	pthread_mutex_unlock(&l->lock);
	return rc;
}

int fs_log_close(struct fs_log *l)
{
	struct policy_record stop;
	int rc;

	if (!l)
		return 0;
	policy_record_init(&stop, POLICY_RECORD_STOP);
	rc = fs_log_write(l, &stop);
	if (!rc)
		rc = seal_end(l);
	stop_threads(l);
	if (!rc && l->index && l->keys->now.number) {
		fs_log_index_key(l->index, l->keys->now.sk);
		fs_log_keep_index(l, l->index, l->number);
	}
	log_free(l);
	return rc;
}
