/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/state_file.h - small files of the host's state: put, read, written over.
 *
 * What they hold is the business of state.c (the vault's) and log_key.c (the log's). Waits for the
 * disk; locks nothing. Format: fs/FORMAT.md, "Host state".
 */
#ifndef FS_STATE_FILE_H
#define FS_STATE_FILE_H

#include <stddef.h>

/* name in dirfd becomes these bytes: temporary file, fsync, rename, fsync of the directory. */
int fs_state_put_file(int dirfd, const char *name, const void *p, size_t len, unsigned mode);
/* Over the bytes that are there: takes no space. Whole or not at all only within one sector. */
int fs_state_overwrite_file(int dirfd, const char *name, const void *p, size_t len);
/* Exactly len bytes or -EBADMSG; out is wiped then. */
int fs_state_get_file(int dirfd, const char *name, void *out, size_t len);
/* The same from a descriptor at its beginning; out is not wiped. */
int fs_state_read_fd(int fd, void *out, size_t len);

#endif
