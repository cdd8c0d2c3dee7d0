/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/mount_settle.c - before a note becomes final, and after: every mount hands over, and drops,
 * what it holds of it.
 *
 * An invalidation makes the kernel write out pages that a mapping made dirty, take them out of all
 * mappings and ask for attributes again. It is queued in every mount first and then waited for,
 * with one limit for all: mounts work side by side, and one that is stalled on purpose costs the
 * others a second. What such a mount hands over later meets a final note and is refused.
 *
 * The mount through which the request came is among them: its notifier and another of its workers
 * do the work meanwhile, so the waiting worker says that it waits. Locks: those of mount_share.c;
 * none while waiting.
 */
#include "mount_impl.h"

#include <stdlib.h>
#include <time.h>

void fs_serve_settle(struct fs_serve *sv, uint64_t nodeid)
{
	struct fs_mount **all = NULL;
	size_t n = fs_serve_others(sv, NULL, fs_nodeid_journal(nodeid), &all);
	struct timespec until;

	for (size_t k = 0; k < n; k++)
		fs_notify_inode(all[k], nodeid, true, 0);
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += FS_STALL_NS / 1000000000;
	for (size_t k = 0; k < n; k++) {
		fs_notify_drain_until(all[k], nodeid, &until);
		fs_mount_put(all[k]);
	}
	free(all);
}
