/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/log_impl.h - the log's inside, shared by log.c (append and wait), log_queue.c (the writer) and
 * log_space.c (finding the end at open, keeping a spare segment). Nobody else includes it.
 */
#ifndef FS_LOG_IMPL_H
#define FS_LOG_IMPL_H

#include <pthread.h>
#include "log.h"
#include "log_segment.h"

/* Bytes on their way to one segment: contiguous, ciphertext and stream heads only. */
struct fs_log_run {
	struct fs_log_run *next;
	int fd;
	uint64_t off;
	size_t len, cap;
	bool last; /* nothing more comes for this segment: it owns fd */
	uint8_t *p;
};

struct fs_log {
	/* Set at open, never changed after. */
	int dirfd;
	uint8_t vault[KEYS_VAULT_ID_LEN];
	uint8_t *sign_sk; /* guarded */
	uint64_t segment_bytes;
	pthread_t writer, preparer;
	bool writer_runs, preparer_runs;

	pthread_mutex_t lock; /* all below; a leaf lock */
	pthread_cond_t work;  /* to the writer: something to write, somebody waits, or stop */
	pthread_cond_t done;  /* from the writer: durable moved, the queue emptied, or failed */
	pthread_cond_t want;  /* to the preparer */
	pthread_cond_t space; /* from the preparer: an attempt ended */
	bool stop;

	struct keys_list_entry *readers;
	size_t reader_count;
	struct keys_ratchet *ratchet; /* guarded */
	uint8_t *plain;		      /* guarded: the record being sealed, POLICY_RECORD_MAX */
	uint8_t prev[KEYS_SIG_LEN];   /* signature of the newest stream head */

	uint64_t next_seq; /* number of the next record */
	uint64_t number;   /* the segment that is appended to */
	int fd;
	uint64_t size; /* of that segment */
	uint64_t end; /* where the next frame goes, queued ones counted */
	uint64_t older_bytes; /* in the segments before */

	int spare_fd; /* segment number + 1, full of zeros; -1: none yet */
	bool spare_wanted;
	uint64_t spare_attempts;
	int spare_rc; /* of the last attempt */

	struct fs_log_run *first, *tail; /* queued */
	size_t queued;
	struct timespec deadline; /* of the oldest that is queued, monotonic clock */
	bool writing;		  /* somebody writes a batch, without the lock */
	bool hurry;		  /* what is queued is to be written now */
	uint64_t durable;	  /* all up to here are on disk */
	uint64_t syncs;
	int failed; /* sticky */
};

/* Finds the end of the log and opens it there (fd, number, end, next_seq, prev), or begins a new one. */
int fs_log_find_end(struct fs_log *l);
/* Thread: makes a spare segment whenever one is wanted. */
void *fs_log_prepare(void *log);
/* Queues the header of segment number at its beginning. Lock held. */
int fs_log_begin_segment(struct fs_log *l, int fd, uint64_t number);
/* Writes all that is queued. Lock held on entry and return, not between; l->first is set, l->writing
 * not. */
void fs_log_write_batch(struct fs_log *l);
/* Thread: writes what nobody waits for, until stop or failure. */
void *fs_log_writer(void *log);
/* A new run at the end of the queue; NULL when memory is short. Lock held. */
struct fs_log_run *fs_log_run_add(struct fs_log *l, int fd, uint64_t off);
bool fs_log_run_reserve(struct fs_log_run *run, size_t len);
void fs_log_runs_free(struct fs_log_run *run);
/* Queues room for len bytes at the end of the current segment: at once contiguous with what is queued
 * there. NULL: memory is short. Lock held. */
uint8_t *fs_log_queue(struct fs_log *l, size_t len);

#endif
