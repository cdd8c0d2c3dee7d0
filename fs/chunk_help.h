/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/chunk_help.h - one thread that takes over half of a long read, or of sealing.
 *
 * Kernels read ahead one request at a time, so a single reader's speed is how long
 * one request takes: verifying and deciphering 128 KiB on two cores takes little
 * more than half of that. Who gives a job takes it back when the helper has not
 * begun by the time it is wanted, so nobody ever waits for a thread that does not run.
 * Lock: one mutex (leaf), not held while a job runs.
 */
#ifndef FS_CHUNK_HELP_H
#define FS_CHUNK_HELP_H

#include <stdbool.h>

struct fs_chunk_help;

enum fs_chunk_job_state { FS_CHUNK_JOB_NONE, FS_CHUNK_JOB_GIVEN, FS_CHUNK_JOB_BEGUN };

struct fs_chunk_job {
	void (*run)(struct fs_chunk_job *job);
	enum fs_chunk_job_state state; /* the helper's lock */
};

/* The thread starts with the first job. -ENOMEM. */
int fs_chunk_help_new(struct fs_chunk_help **out);
/* No job may be under way. NULL is legal. */
void fs_chunk_help_free(struct fs_chunk_help *h);
/* Offers the job; nothing happens when the helper is busy. Always followed by finish. */
void fs_chunk_help_give(struct fs_chunk_help *h, struct fs_chunk_job *job);
/* Returns when the job has been run, by the helper or here. */
void fs_chunk_help_finish(struct fs_chunk_help *h, struct fs_chunk_job *job);

#endif
