/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/mount_share.c - coherence between mounts: what one changes, the others drop.
 *
 * After a change through one mount the inode is queued for invalidation in every
 * other mount whose kernel knows it; OPEN and OPENDIR there wait for that queue
 * (close to open). Before a removal or renaming is answered, the others' kernels
 * are told to look names up again. Where the kernel lacks epochs, names live a
 * second at most (FS_TIMEOUT_SHORT).
 *
 * Locks: fs_serve.lock, then fs_mount.lock of one mount at a time.
 */
#include "mount_impl.h"

#include <stdlib.h>

void fs_share_changed(struct fs_mount *from, uint64_t nodeid, bool data, uint64_t off)
{
	struct fs_mount **others = NULL;
	size_t n = fs_serve_others(from->serve, from, fs_nodeid_journal(nodeid), &others);

	for (size_t k = 0; k < n; k++) {
		fs_notify_inode(others[k], nodeid, data, off);
		fs_mount_put(others[k]);
	}
	free(others);
}

void fs_share_names(struct fs_mount *from, uint64_t gone)
{
	struct fs_mount **others = NULL;
	size_t n = fs_serve_others(from->serve, from, fs_nodeid_journal(gone), &others);

	for (size_t k = 0; k < n; k++) {
		fs_notify_names(others[k], gone);
		fs_notify_inode(others[k], gone, false, 0);
		fs_mount_put(others[k]);
	}
	free(others);
}

/*
 * Kernels keep listings and compare them by the directory's time, which programs may set back
 * (rsync, tar): so what they keep of it goes, whatever changed.
 */
void fs_share_dir(struct fs_mount *from, uint64_t nodeid)
{
	fs_share_changed(from, nodeid, true, 0);
}

bool fs_share_written(struct fs_mount *from, uint64_t nodeid)
{
	struct fs_mount **others = NULL;
	size_t n = fs_serve_others(from->serve, from, fs_nodeid_journal(nodeid), &others);
	bool written = false;

	for (size_t k = 0; k < n; k++) {
		struct fs_node *node;

		pthread_mutex_lock(&others[k]->lock);
		node = fs_node_find_locked(others[k], nodeid);
		written |= node && node->writers;
		pthread_mutex_unlock(&others[k]->lock);
		fs_mount_put(others[k]);
	}
	free(others);
	return written;
}
