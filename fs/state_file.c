/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/state_file.c - small files of the host's state.
 *
 * Invariant: a file that is put holds its old bytes or its new ones, whenever the power goes.
 */
#include "state_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#include "../keys/label.h"

static int write_all(int fd, const uint8_t *p, size_t len)
{
	while (len) {
		ssize_t n = write(fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -EIO;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

int fs_state_put_file(int dirfd, const char *name, const void *p, size_t len, unsigned mode)
{
	char temp[80];
	int fd, rc;

	if ((size_t)snprintf(temp, sizeof(temp), ".%s.new", name) >= sizeof(temp))
		return -ENAMETOOLONG;
	(void)unlinkat(dirfd, temp, 0);
	fd = openat(dirfd, temp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
	if (fd < 0)
		return -errno;
	rc = write_all(fd, p, len);
	if (!rc && fsync(fd))
		rc = -errno;
	if (close(fd) && !rc)
		rc = -errno;
	if (!rc && renameat(dirfd, temp, dirfd, name))
		rc = -errno;
	if (!rc && fsync(dirfd))
		rc = -errno;
	if (rc)
		(void)unlinkat(dirfd, temp, 0);
	return rc;
}

int fs_state_overwrite_file(int dirfd, const char *name, const void *p, size_t len)
{
	int fd = openat(dirfd, name, O_WRONLY | O_NOFOLLOW | O_CLOEXEC);
	int rc;

	if (fd < 0)
		return -errno;
	rc = write_all(fd, p, len);
	if (!rc && fsync(fd))
		rc = -errno;
	if (close(fd) && !rc)
		rc = -errno;
	return rc;
}

/* One byte more makes the file too long. */
int fs_state_read_fd(int fd, void *out, size_t len)
{
	size_t got = 0;
	uint8_t more;

	while (got < len) {
		ssize_t n = read(fd, (uint8_t *)out + got, len - got);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (!n)
			return -EBADMSG;
		got += (size_t)n;
	}
	return read(fd, &more, 1) == 0 ? 0 : -EBADMSG;
}

int fs_state_get_file(int dirfd, const char *name, void *out, size_t len)
{
	int fd = openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	int rc;

	if (fd < 0)
		return -errno;
	rc = fs_state_read_fd(fd, out, len);
	close(fd);
	if (rc)
		keys_wipe(out, len);
	return rc;
}
