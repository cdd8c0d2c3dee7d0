/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/log_impl.h - the log's inside, shared by log.c (append and wait), log_queue.c (the writer),
 * log_space.c (finding the end at open, keeping a spare segment), log_seal.c (tree and checkpoints),
 * log_key.c (their keys, host state) and log_start.c (the tree at open). Nobody else includes it.
 */
#ifndef FS_LOG_IMPL_H
#define FS_LOG_IMPL_H

#include <pthread.h>
#include "log.h"
#include "log_index.h"
#include "log_segment.h"
#include "log_tree.h"

/* A key that signs checkpoints. */
struct fs_log_key {
	uint64_t number; /* 0: none */
	uint8_t sk[KEYS_SIGN_SK_LEN];
};
/* An Ed25519 secret key is its seed and the public key. */
static inline const uint8_t *fs_log_pk(const uint8_t sk[static KEYS_SIGN_SK_LEN])
{
	return sk + KEYS_SIGN_SK_LEN - KEYS_LEN;
}
/* now: introduced by a tree frame; next: in the host's state, not in the log yet. */
struct fs_log_keys { /* guarded */
	struct fs_log_key now, next;
};

/* A checkpoint, and the tree that it was made of. */
struct fs_log_sealed {
	uint64_t key_number;
	struct keys_tree tree;
	size_t len;
	char text[KEYS_CHECKPOINT_MAX]; /* NUL-terminated */
};

/* Bytes on their way to one segment: contiguous, ciphertext and stream heads only. */
struct fs_log_run {
	struct fs_log_run *next;
	int fd;
	uint64_t off;
	size_t len, cap;
	bool last; /* nothing more comes for this segment: it owns fd */
	bool closed;	 /* nothing joins it: what follows is written after it */
	bool introduces; /* the tree frame in it introduces the key in force */
	struct fs_log_sealed *sealed; /* the checkpoint in it; owned */
	uint8_t *p;
};

struct fs_log {
	/* Set at open, never changed after. */
	int dirfd;
	uint8_t vault[KEYS_VAULT_ID_LEN];
	uint8_t *sign_sk; /* guarded */
	void (*told)(void *ctx, const struct policy_record *r); /* NULL: nobody asks */
	void *told_ctx;
	uint64_t segment_bytes;
	int statefd; /* -1: none */
	uint8_t root_pk[KEYS_LEN], witness_pk[KEYS_LEN], daemon_cert[KEYS_SIG_LEN];
	uint8_t *witness_sk; /* guarded */
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
	bool fresh;    /* at open: a new segment is to be begun */
	bool tree_due; /* the segment has no tree frame yet */

	struct fs_log_keys *keys; /* guarded */
	bool introducing;	  /* keys->now is in a tree frame that is not on disk yet */
	bool lost;		  /* the key before the next is lost */
	uint64_t key_number;	  /* of the newest key that a tree frame introduced; 0: none */
	struct keys_tree tree;	  /* of all records that have a number */
	uint64_t sealed;	  /* size at the last checkpoint that was queued */
	uint64_t commit;	  /* of the vault, and its root, as told last */
	uint8_t root[KEYS_LEN];
	struct fs_log_sealed *newest; /* on disk; NULL: none since the start */
	bool last_wanted;	      /* it is to be kept in the host's state */
	uint64_t changed; /* at open: records up to here are not what the host's state says; 0: all well */

	int spare_fd; /* segment number + 1, full of zeros; -1: none yet */
	bool spare_wanted;
	uint64_t spare_attempts;
	int spare_rc; /* of the last attempt */

	/* Help for readers; NULL: there is none of this segment. The second is of the one before, to be written. */
	struct fs_log_index *index, *index_full;
	uint64_t index_segment; /* of index_full */

	struct fs_log_run *first, *tail; /* queued */
	size_t queued;
	struct timespec deadline; /* of the oldest that is queued, monotonic clock */
	bool writing;		  /* somebody writes a batch, without the lock */
	bool hurry;		  /* what is queued is to be written now */
	uint64_t durable;	  /* all up to here are on disk */
	uint64_t syncs;
	int failed; /* sticky */
};

/* Can the next segment be begun at once? Its file and its key are there. Lock held. */
bool fs_log_ready(const struct fs_log *l);
/* What of the last segment is kept: see kept_from. */
uint64_t fs_log_kept(const struct fs_log *l);
/* Makes the next segment the one that is appended to; ready holds. Lock held. */
int fs_log_switch(struct fs_log *l);

/* ---- log_space.c ---- */
/*
 * Finds the end of the log and opens it there (fd, number, end, next_seq, prev, tree_due), or sets
 * fresh: to be begun behind what is there.
 */
int fs_log_find_end(struct fs_log *l);
/* Begins the segment behind the newest, with the spare that was left when there is one. */
int fs_log_begin_fresh(struct fs_log *l);
/* Takes over the spare that an earlier run left. */
void fs_log_adopt_spare(struct fs_log *l);
/* What is in the index of the segment, appended to its file. Without the lock. */
void fs_log_keep_index(struct fs_log *l, struct fs_log_index *x, uint64_t segment);
/* Thread: makes keys and spare segments when they are wanted, keeps what the host is to remember. */
void *fs_log_prepare(void *log);
/* Reads a segment whole; the caller frees. */
int fs_log_load(struct fs_log *l, uint64_t number, uint8_t **p, size_t *len);
/* Queues the header of segment number at its beginning. Lock held. */
int fs_log_begin_segment(struct fs_log *l, int fd, uint64_t number);

/* ---- log_queue.c ---- */
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

/* ---- log_seal.c: lock held ---- */
/* Another record's stored bytes, number next_seq. */
void fs_log_seal_add(struct fs_log *l, const uint8_t *p, size_t len);
/* Queues the tree frame of the segment just begun: the next key is the one in force from here on. */
int fs_log_seal_segment(struct fs_log *l);
/* Queues a checkpoint, or leaves it for want of room. */
int fs_log_seal_put(struct fs_log *l, enum keys_checkpoint_mark mark);
/* A tree frame, a checkpoint (NULL: none; taken over) are on disk now. */
void fs_log_seal_written(struct fs_log *l, bool introduces, struct fs_log_sealed *sealed);

/* ---- log_key.c: host state; no lock, but for whoever may use keys meanwhile ---- */
/* Both are zero when the file is missing or damaged. -errno of reading alone. */
int fs_log_keys_load(struct fs_log *l, struct fs_log_keys *out);
int fs_log_keys_put(struct fs_log *l, const struct fs_log_keys *keys);
/* A new key with this number. */
void fs_log_key_new(struct fs_log_key *k, uint64_t number);
/* What was durable last. -ENOENT: nothing that can be believed. */
struct fs_log_last {
	uint64_t key_number;
	struct keys_tree tree;
};
int fs_log_last_load(struct fs_log *l, struct fs_log_last *out);
int fs_log_last_put(struct fs_log *l, const struct fs_log_last *last);

/* ---- log_start.c ---- */
/*
 * The tree over all that find_end found, and whose key seals it; sets tree, keys, lost, key_number,
 * changed, and fresh where a new segment must be begun for it. -ESTALE: records that the host's
 * state speaks of are not there.
 */
int fs_log_start(struct fs_log *l);

#endif
