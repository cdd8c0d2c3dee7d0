/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/head.h - the HEAD records of a journal: its name and its inode counter.
 *
 * Two records, so that a rename of the journal and a reservation of numbers never
 * write the same one. Format: fs/FORMAT.md, "HEAD".
 */
#ifndef FS_HEAD_H
#define FS_HEAD_H

#include "record.h"

#define FS_HEAD_NAME_MAX 255 /* bytes; the vault allows a journal 242 */

/* Adds the name to b. -EINVAL: empty or too long. */
int fs_head_put_name(struct fs_batch *b, struct fs_journal *j, const char *name);
/* out has room for FS_HEAD_NAME_MAX + 1. -ENOENT, -EBADMSG and what fs_record_get says. */
int fs_head_get_name(struct fs_journal *j, char *out);

/* The first inode number that was never reserved. */
void fs_head_put_next(struct fs_batch *b, struct fs_journal *j, uint64_t next);
int fs_head_get_next(struct fs_journal *j, uint64_t *next);

#endif
