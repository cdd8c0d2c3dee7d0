/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/wire_fd.h - letting go of connections, and of descriptors that came over them.
 */
#ifndef FS_WIRE_FD_H
#define FS_WIRE_FD_H

#include <sys/types.h>

/* Closes it, soon, and never waits for that. fd may be -1. Any thread; takes a leaf lock. */
void fs_wire_fd_drop(uid_t uid, int fd);

#endif
