/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/container.h - a journal's container: a file of 4 KiB units for contents.
 *
 * Knows units and the free map, nothing of what they hold. Units are allocated
 * from free ones only, never over live data; units given back become free after
 * the group that gave them back is durable. Space is fallocated at reservation,
 * inside the operation, so that ENOSPC comes there. One mutex inside.
 *
 * Any thread may reserve, unreserve and read. Allocating, freeing, writing, and the
 * four that mark a group's end (dirty_pages, sync, committed, aborted) are the
 * committer's alone: "now" is therefore always the state of the closing group.
 */
#ifndef FS_CONTAINER_H
#define FS_CONTAINER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#define FS_UNIT 4096
#define FS_CONTAINER_PAGE_UNITS 32000 /* units covered by one FS_T_FREE record: 4,000 bytes */

struct fs_container;

/* Its file below VAULT/containers: ab/NAME. */
#define FS_CONTAINER_NAME 16
void fs_container_name(uint32_t journal, char name[static FS_CONTAINER_NAME]);

/* dirfd: VAULT/containers, open as long as the container is. Creates ab/NAME on demand (first reservation), not at open. */
int fs_container_open(int dirfd, uint32_t journal, struct fs_container **out);
void fs_container_close(struct fs_container *c);
/* Removes the file (journal removed while empty, purge). */
int fs_container_remove(int dirfd, uint32_t journal);

/*
 * Loads bitmap page n (a set bit = in use) as read from its FS_T_FREE record; before any other use.
 * Bits beyond len are clear. In ascending order of pages: what no record speaks of is not looked at,
 * however long the file. -EINVAL: n or len beyond what a container can have.
 */
int fs_container_load(struct fs_container *c, uint32_t page, const uint8_t *bits, size_t len);

/* Guarantees that `units` more can be allocated; -ENOSPC. Unreserve gives back what was not used. */
int fs_container_reserve(struct fs_container *c, uint64_t units);
void fs_container_unreserve(struct fs_container *c, uint64_t units);

/* units contiguous ones (1..256) out of the reserved; prefers the position after the last. -ENOSPC
 * when no contiguous run exists (the caller grows by another reserve, or takes fewer). */
int fs_container_alloc(struct fs_container *c, unsigned units, uint64_t *pos);
/* Not reusable until fs_container_committed. */
void fs_container_free(struct fs_container *c, uint64_t pos, unsigned units);
/*
 * Called by the committer after the commit that no longer refers to them. Long free stretches that
 * are not reserved go back to the disk: the file's end is cut off, elsewhere holes are punched.
 */
void fs_container_committed(struct fs_container *c);
/*
 * After a failed commit: what was allocated since the last committed() is free again (and reserved
 * again, for the next try), what was freed is in use again, no bitmap page is dirty.
 */
void fs_container_aborted(struct fs_container *c);

/*
 * Bitmap pages changed since the last call, for the group that is closing: calls fn for each, with
 * its state after this group. Trailing clear bytes are left out: 0 < len <= 4,000. When fn fails its
 * error is returned and all stay dirty.
 */
int fs_container_dirty_pages(struct fs_container *c,
			     int (*fn)(void *ctx, uint32_t page, const uint8_t *bits, size_t len),
			     void *ctx);

/* Counts bitmap page n among those, unchanged: its record is to be written anew. */
void fs_container_touch(struct fs_container *c, uint32_t page);

/* Whole-unit I/O; short reads are -EIO. */
int fs_container_read(struct fs_container *c, uint64_t pos, void *buf, size_t len);
int fs_container_writev(struct fs_container *c, uint64_t pos, struct iovec *iov, int n);
int fs_container_sync(struct fs_container *c); /* fdatasync; 0 at once when nothing was written */

/*
 * What was written since the last committed or aborted, copied, for a commit that carries it instead
 * of a sync. False: it was too much to keep (FS_CONTAINER_KEEP), or an earlier sync failed, so sync,
 * which tells. Valid until the next call
 * of writev, committed or aborted. Committer only.
 */
#define FS_CONTAINER_KEEP (256u << 10)
struct fs_container_piece {
	struct fs_container_piece *next;
	uint64_t at; /* bytes */
	size_t len;
	uint8_t data[];
};
bool fs_container_pieces(struct fs_container *c, const struct fs_container_piece **first);
/* Its file, for a sync by somebody else; the container's own, open until committed or aborted. */
int fs_container_fd(struct fs_container *c);
uint64_t fs_container_units_used(struct fs_container *c);

/*
 * Makes room for other descriptors where fd, just got, says that they are nearly used up (descriptors
 * are given out lowest first), or -1, that they are: containers not in use are closed. Any thread.
 */
void fs_container_spare(int fd);

#endif
