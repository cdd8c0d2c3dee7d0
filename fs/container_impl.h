/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/container_impl.h - shared by container.c (the free map) and container_file.c (the file) only.
 *
 * The bitmaps, a bit a unit:
 *   committed  what the committed chunk maps refer to,
 *   now        what those of the closing group will refer to,
 *   hollow     free, but the file may have no space of the disk there,
 *   busy       committed, or allocated since, or hollow; only a clear bit may be allocated.
 * Invariants: free = clear bits of busy below capacity; reserved <= free; hollow and now share no
 * bit. Whatever is free has its space on the disk.
 */
#ifndef FS_CONTAINER_IMPL_H
#define FS_CONTAINER_IMPL_H

#include "container.h"

#include <pthread.h>
#include <stdatomic.h>

#define PAGE_WORDS (FS_CONTAINER_PAGE_UNITS / 64)
#define PAGE_BYTES (FS_CONTAINER_PAGE_UNITS / 8)
#define PAGES_MAX (1u << 20) /* 128 TiB */

struct fs_container {
	int dirfd;
	char name[FS_CONTAINER_NAME]; /* ab/NAME */

	pthread_mutex_t lock;
	int fd;	     /* -1: not opened yet, or closed meanwhile */
	bool lent;   /* fs_container_fd gave it out: stays open to the group's end */
	unsigned io; /* reads, writes and syncs under way, which use fd without the lock */
	bool recent; /* used since the ring's hand came by */
	struct fs_container *ring_next, *ring_prev; /* of those with a descriptor: container_fd.c */
	bool exists;
	uint64_t file_units; /* length of the file; >= capacity, but where somebody cut it */
	uint64_t capacity;   /* units that the bitmaps speak of */
	uint64_t free, reserved;
	uint64_t n_hollow;  /* set bits of hollow */
	uint64_t used;	    /* set bits of now */
	uint64_t allocated; /* since the last committed() */
	uint64_t next;	    /* where the last allocation ended */
	uint64_t *committed, *now, *busy, *hollow;
	uint8_t *dirty; /* a byte a page: changed since dirty_pages() | since committed() */
	uint32_t pages;
	bool no_punch; /* the file system can't */

	/* committer only: what was written since the last committed or aborted, newest first */
	struct fs_container_piece *pieces;
	size_t kept; /* bytes of them; more than FS_CONTAINER_KEEP: they are gone */

	atomic_bool wrote;
	atomic_int failed; /* a sync failed */
};

/* ---- container.c; lock held ---- */
void fs_container_set_bits(uint64_t *map, uint64_t from, uint64_t n, bool value);
uint64_t fs_container_count_bits(const uint64_t *map, uint64_t from, uint64_t to);
/* The first bit with this value in [from, to), else to. */
uint64_t fs_container_find_bit(const uint64_t *map, uint64_t from, uint64_t to, bool value);
/* The bitmaps cover at least `units`. -ENOMEM, -EFBIG. */
int fs_container_cover(struct fs_container *c, uint64_t units);
/* Units that have their space are added. */
int fs_container_set_capacity(struct fs_container *c, uint64_t units);

/* ---- container_fd.c; lock held ---- */
#define FS_CONTAINER_OPEN 256u /* descriptors of all containers, and no more than a quarter of ours */
#define FS_CONTAINER_SPARE 8u  /* so many are closed when the process has no more */
/* fd was just opened: others are closed when there are too many. */
void fs_container_fd_opened(struct fs_container *c);
/* After an open failed with `error`: true when another try may succeed. */
bool fs_container_fd_short(struct fs_container *c, int error);
/* For good; nobody else uses c. Without the lock. */
void fs_container_fd_close(struct fs_container *c);

/* ---- container_file.c; lock held ---- */
/* At least `need` units more are free. -ENOSPC. */
int fs_container_grow(struct fs_container *c, uint64_t need);
/* The copies of what was written go. */
void fs_container_forget_pieces(struct fs_container *c);
/* After a durable commit: space that is not needed goes back to the disk. */
void fs_container_give_back(struct fs_container *c);

#endif
