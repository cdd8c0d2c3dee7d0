/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/log_source.c - the segments of a log as files of a directory, for verification and copies.
 *
 * Owns a descriptor of the directory. Invariant: nothing is read but regular files in it, by the
 * names that segments have. Any thread; no locks.
 */
#include "log_segment.h"
#include "log_verify.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define EXTRA_MAX ((off_t)64 << 20)

struct source_dir {
	int fd;
};

static int load_fd(int fd, off_t max, uint8_t **bytes, size_t *len)
{
	struct stat st;
	size_t done = 0;
	uint8_t *p;

	if (fstat(fd, &st))
		return -errno;
	if (!S_ISREG(st.st_mode) || st.st_size > max)
		return -EBADMSG;
	p = malloc((size_t)st.st_size + 1);
	if (!p)
		return -ENOMEM;
	while (done < (size_t)st.st_size) {
		ssize_t n = pread(fd, p + done, (size_t)st.st_size - done, (off_t)done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			free(p);
			return -EIO;
		}
		if (!n)
			break;
		done += (size_t)n;
	}
	p[done] = '\0';
	*bytes = p;
	*len = done;
	return 0;
}

static int load_name(const struct source_dir *d, const char *name, off_t max, uint8_t **bytes,
		     size_t *len)
{
	int fd = openat(d->fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	int rc;

	if (fd < 0)
		return errno == ELOOP ? -EBADMSG : -errno;
	rc = load_fd(fd, max, bytes, len);
	close(fd);
	return rc;
}

static int dir_list(void *ctx, uint64_t **numbers, size_t *n)
{
	const struct source_dir *d = ctx;

	return fs_log_segment_list(d->fd, numbers, n);
}

static int dir_load(void *ctx, uint64_t number, uint8_t **bytes, size_t *len)
{
	char name[FS_LOG_NAME];
	int rc;

	fs_log_segment_name(number, name);
	rc = load_name(ctx, name, (off_t)FS_LOG_SEGMENT_MAX, bytes, len);
	if (rc || *len)
		return rc;
	free(*bytes); /* made, and nothing was written yet */
	*bytes = NULL;
	return -ENODATA;
}

static int dir_extra(void *ctx, const char *name, uint8_t **bytes, size_t *len)
{
	return strchr(name, '/') ? -EINVAL : load_name(ctx, name, EXTRA_MAX, bytes, len);
}

int fs_log_source_dir(const char *dir, struct fs_log_source *source)
{
	struct source_dir *d = malloc(sizeof(*d));

	if (!d)
		return -ENOMEM;
	d->fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (d->fd < 0) {
		int rc = -errno;

		free(d);
		return rc;
	}
	*source = (struct fs_log_source){
		.list = dir_list, .load = dir_load, .extra = dir_extra, .ctx = d};
	return 0;
}

void fs_log_source_close(struct fs_log_source *source)
{
	struct source_dir *d = source->ctx;

	if (d)
		close(d->fd);
	free(d);
	memset(source, 0, sizeof(*source));
}
