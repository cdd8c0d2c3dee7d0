/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tools/mountpoint.h - the practitioner's own directory and fusermount3.
 *
 * The directory must be ours and empty, and is unwritable (0500) beneath the mount and after it: a
 * program that outlives the mount would else save patients' notes in clear into it. (The first design would
 * make it writable again at unmount; then just that happens after every log-out.) fusermount3 refuses
 * a directory of mode 0500, so it is held open and made writable for the moment of mounting.
 */
#ifndef TOOLS_MOUNTPOINT_H
#define TOOLS_MOUNTPOINT_H

#include <limits.h>
#include <stdint.h>

struct mountpoint {
	char path[PATH_MAX]; /* absolute */
	int dir_fd;	     /* the directory under the mount */
	uint64_t mount;	     /* number of the mount, so that no later one is taken for it; 0: unknown */
};

/* dir NULL: ~/Journals, made when missing. Cleans a dead mount. Says what is wrong. */
int tools_mountpoint_prepare(const char *dir, struct mountpoint *mp);
/* Mounts; *fuse_fd is the /dev/fuse descriptor, to be handed on and closed. Says what is wrong. */
int tools_mountpoint_mount(struct mountpoint *mp, const char *name, int *fuse_fd);
/* Lazily unmounts, unless it is no longer ours that is mounted there; no error when nothing is. */
void tools_mountpoint_unmount(struct mountpoint *mp);
void tools_mountpoint_close(struct mountpoint *mp);
/* Whether this account has a journalfs mount of `name` (logout waits for its end). */
int tools_mountpoint_present(const char *name);

#endif
