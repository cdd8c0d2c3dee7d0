/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/reserve.h - VAULT/reserve: space kept for when the disk is full.
 *
 * A file of FS_RESERVE_BYTES allocated bytes that mean nothing. Only the log, the
 * database's own commits and break-glass may have it shortened; it grows back when
 * there is room again. Format: fs/FORMAT.md, "Reserve". Lock: internal, leaf.
 */
#ifndef FS_RESERVE_H
#define FS_RESERVE_H

#include <stdbool.h>
#include <stdint.h>

#define FS_RESERVE_BYTES (UINT64_C(8) << 20)

struct fs_reserve;

/* dirfd: VAULT. create: makes the file when it is missing. A disk too full to fill it is no error.
 */
int fs_reserve_open(int dirfd, bool create, struct fs_reserve **out);
void fs_reserve_close(struct fs_reserve *r); /* NULL is legal */

/* Gives at least `bytes` back to the disk, or all that is left: 0; -ENOSPC: nothing is left. */
int fs_reserve_release(struct fs_reserve *r, uint64_t bytes);
/* Fills it again when that leaves as much free besides. True when it is whole. Cheap when it is. */
bool fs_reserve_restore(struct fs_reserve *r);
uint64_t fs_reserve_size(struct fs_reserve *r);

#endif
