/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/wire_fd.h - letting go of connections, and of descriptors that came over them.
 */
#ifndef FS_WIRE_FD_H
#define FS_WIRE_FD_H

#include <stddef.h>
#include <sys/types.h>

/* Closes it, soon, and never waits for that. fd may be -1. Any thread; takes a leaf lock. */
void fs_wire_fd_drop(uid_t uid, int fd);
/* Descriptors of this account that still wait to be closed. More than FS_WIRE_FD_MANY: it means to use ours up. */
size_t fs_wire_fd_waiting(uid_t uid);
#define FS_WIRE_FD_MANY 512

#endif
