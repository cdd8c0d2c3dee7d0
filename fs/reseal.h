/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/reseal.h - a walk over a journal's committed records that older keys seal.
 *
 * In steps, so that other work goes on in between. A step either counts, or puts
 * marks into a batch, upon which the commit seals the records again under the
 * newest key (chunk_again.c, commit.c). What is committed under the newest key
 * never goes back, so a walk that met nothing older proves that there is nothing,
 * whatever was written meanwhile: once a group that began with the newest key was
 * durable before the walk. Locks: none held by the caller.
 */
#ifndef FS_RESEAL_H
#define FS_RESEAL_H

#include "record.h"

struct fs_reseal {
	struct fs_key from; /* where it goes on; len 0: at the beginning */
	bool done;	    /* it is at the end */
	uint64_t records;   /* met so far under older keys */
	uint64_t bytes;	    /* the same, with the contents of chunks */
	uint64_t damaged;   /* records that can't be read, and so not be sealed again */
};

struct fs_reseal_step {
	struct fs_batch *marks; /* NULL: only counts */
	unsigned records;	/* met under older keys, at most so many */
	uint64_t bytes;		/* and about so many bytes of them */
	uint64_t until_ns;	/* boot-time clock */
};
/* -EBADMSG: the tree itself is damaged, nothing behind it can be reached. */
int fs_reseal_walk(struct fs_journal *j, struct fs_reseal *walk, const struct fs_reseal_step *step);

#endif
