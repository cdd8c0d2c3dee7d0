/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/reserve.c - VAULT/reserve; see reserve.h.
 *
 * Its size is its state: shortening it is giving space away, so a crash needs no
 * repair. `lock` guards size and file.
 */
#include "reserve.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

struct fs_reserve {
	pthread_mutex_t lock;
	int fd;
	uint64_t size;
};

int fs_reserve_open(int dirfd, bool create, struct fs_reserve **out)
{
	struct fs_reserve *r;
	struct stat st;
	int fd, rc;

	fd = openat(dirfd, "reserve", O_RDWR | O_CLOEXEC | O_NOFOLLOW | (create ? O_CREAT : 0),
		    0600);
	if (fd < 0)
		return -errno;
	rc = fstat(fd, &st) ? -errno : 0;
	r = rc ? NULL : calloc(1, sizeof(*r));
	if (!r) {
		close(fd);
		return rc ? rc : -ENOMEM;
	}
	pthread_mutex_init(&r->lock, NULL);
	r->fd = fd;
	r->size = (uint64_t)st.st_size;
	fs_reserve_restore(r);
	*out = r;
	return 0;
}

void fs_reserve_close(struct fs_reserve *r)
{
	if (!r)
		return;
	close(r->fd);
	pthread_mutex_destroy(&r->lock);
	free(r);
}

int fs_reserve_release(struct fs_reserve *r, uint64_t bytes)
{
	uint64_t size;
	int rc = -ENOSPC;

	pthread_mutex_lock(&r->lock);
	if (r->size) {
		size = bytes < r->size ? r->size - bytes : 0;
		rc = ftruncate(r->fd, (off_t)size) ? -errno : 0;
		if (!rc)
			r->size = size;
	}
	pthread_mutex_unlock(&r->lock);
	return rc;
}

bool fs_reserve_restore(struct fs_reserve *r)
{
	struct statvfs v;
	uint64_t need;
	bool whole;

	pthread_mutex_lock(&r->lock);
	if (r->size < FS_RESERVE_BYTES && !fstatvfs(r->fd, &v)) {
		need = FS_RESERVE_BYTES - r->size;
		if ((uint64_t)v.f_bavail * v.f_frsize >= need + FS_RESERVE_BYTES &&
		    !posix_fallocate(r->fd, (off_t)r->size, (off_t)need))
			r->size = FS_RESERVE_BYTES;
	}
	whole = r->size >= FS_RESERVE_BYTES;
	pthread_mutex_unlock(&r->lock);
	return whole;
}

uint64_t fs_reserve_size(struct fs_reserve *r)
{
	uint64_t n;

	pthread_mutex_lock(&r->lock);
	n = r->size;
	pthread_mutex_unlock(&r->lock);
	return n;
}
