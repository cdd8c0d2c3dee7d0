/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/mount_device.c - the FUSE device of a mount: whose it is, and libfuse upon it.
 *
 * Reading and writing go through here, so that one flag can be agreed on that
 * libfuse 3.14 does not know: with FUSE_HANDLE_KILLPRIV_V2 the kernel does not
 * ask for security.capability before each write, which is half of what a small
 * write costs. In return setuid and setgid bits are ours to clear when contents,
 * size or owner change (content.c does, whoever writes).
 */
#include "mount_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define FUSE_MAJOR 10
#define FUSE_MINOR 229
#define DEV_CLONE _IOR(FUSE_MINOR, 0, uint32_t) /* FUSE_DEV_IOC_CLONE */

int fs_device_check(int fd)
{
	struct statx st;

	/* What is known of it here: a file of somebody's own file system is not asked for, which could
	 * wait for him for ever. */
	if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE, &st) != 0)
		return -errno;
	return S_ISCHR(st.stx_mode) && st.stx_rdev_major == FUSE_MAJOR &&
			       st.stx_rdev_minor == FUSE_MINOR
		       ? 0
		       : -EINVAL;
}

int fs_device_own(int fd)
{
	uint32_t master = (uint32_t)fd;
	int own = open("/dev/fuse", O_RDWR | O_CLOEXEC | O_NONBLOCK);
	int flags;

	if (own >= 0 && ioctl(own, DEV_CLONE, &master) == 0) {
		close(fd);
		return own;
	}
	if (own >= 0) {
		/* Not mounted; and a device whose flags he can change could keep a worker waiting. */
		close(own);
		close(fd);
		return -EINVAL;
	}
	flags = fcntl(fd, F_GETFL);
	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0 ||
	    fcntl(fd, F_SETFD, FD_CLOEXEC) != 0) {
		int rc = -errno;

		close(fd);
		return rc;
	}
	return fd;
}

/* What the kernel offers in its first request. */
static void note_init(struct fs_mount *m, const void *p, size_t len)
{
	const struct fuse_in_header *h = p;
	const struct fuse_init_in *in = (const struct fuse_init_in *)(h + 1);

	if (len < sizeof(*h) + 16 || h->opcode != FUSE_INIT)
		return;
	if (in->flags & FUSE_HANDLE_KILLPRIV_V2)
		m->init_unique = h->unique;
}

/*
 * O_TMPFILE is CREATE under the name "/", which the kernel gives no other file. libfuse before 3.17 knows
 * no such request and would refuse it.
 */
static void take_tmpfile(void *p, size_t len)
{
	struct fuse_in_header *h = p;
	const char *name = (const char *)p + sizeof(*h) + sizeof(struct fuse_create_in);

	if (len == sizeof(*h) + sizeof(struct fuse_create_in) + 2 && h->opcode == FUSE_TMPFILE &&
	    name[0] == '/' && !name[1])
		h->opcode = FUSE_CREATE;
}

static ssize_t device_read(int fd, void *p, size_t len, void *userdata)
{
	ssize_t got = read(fd, p, len);

	if (got > 0) {
		note_init(userdata, p, (size_t)got);
		take_tmpfile(p, (size_t)got);
	}
	return got;
}

static ssize_t device_writev(int fd, struct iovec *iov, int n, void *userdata)
{
	struct fs_mount *m = userdata;
	const struct fuse_out_header *h = iov[0].iov_base;
	struct fuse_init_out *out = n > 1 ? iov[1].iov_base : NULL;

	if (m->init_unique && h->unique == m->init_unique && !h->error && out &&
	    iov[1].iov_len >= sizeof(out->major) * 4) {
		out->flags |= FUSE_HANDLE_KILLPRIV_V2;
		m->init_unique = 0;
	}
	return writev(fd, iov, n);
}

int fs_device_open(struct fs_mount *m)
{
	static const struct fuse_custom_io io = {.writev = device_writev, .read = device_read};
	char name[] = "journalfs";
	char *argv[] = {name, NULL};
	struct fuse_args args = FUSE_ARGS_INIT(1, argv);

	m->fuse = fuse_session_new(&args, &fs_op_table, sizeof(fs_op_table), m);
	fuse_opt_free_args(&args);
	if (!m->fuse)
		return -ENOMEM;
	if (fuse_session_custom_io(m->fuse, &io, m->fd) == 0)
		return 0;
	fuse_session_destroy(m->fuse);
	m->fuse = NULL;
	return -EINVAL;
}
