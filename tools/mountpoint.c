/* SPDX-License-Identifier: Apache-2.0 */
/* tools/mountpoint.c - see mountpoint.h. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <mntent.h>
#include <stdint.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>
#include "mountpoint.h"
#include "tool.h"

#define FUSERMOUNT "fusermount3"
#define MNT_ID_UNIQUE 0x4000U /* STATX_MNT_ID_UNIQUE, Linux 6.8 */

static int default_dir(char *out, size_t cap)
{
	const char *home = getenv("HOME");
	struct passwd *pw = getpwuid(geteuid());

	if (!home || home[0] != '/')
		home = pw ? pw->pw_dir : NULL;
	if (!home || snprintf(out, cap, "%s/Journals", home) >= (int)cap)
		return tools_fail("there is no home directory for ~/Journals; name a directory");
	if (mkdir(out, 0700) && errno != EEXIST)
		return tools_fail("%s can't be made: %s", out, strerror(errno));
	return TOOL_OK;
}

/* Runs fusermount3; comm_fd (or -1) is handed to it as _FUSE_COMMFD. Its exit status. */
static int run_fusermount(const char *const argv[], int comm_fd, int quiet)
{
	int status;
	pid_t pid = fork();

	if (pid < 0)
		return -1;
	if (pid == 0) {
		char number[16];
		int null = quiet ? open("/dev/null", O_WRONLY) : -1;

		if (null >= 0)
			dup2(null, 2);
		if (comm_fd >= 0) {
			snprintf(number, sizeof(number), "%d", comm_fd);
			setenv("_FUSE_COMMFD", number, 1);
			fcntl(comm_fd, F_SETFD, 0);
		}
		/* execvp changes neither the array nor the strings. */
		execvp(FUSERMOUNT, (char *const *)(uintptr_t)argv);
		fprintf(stderr, "journalfs: " FUSERMOUNT " can't be started (%s); install the package "
				"fuse3\n", strerror(errno));
		_exit(127);
	}
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void lazy_unmount(const char *path)
{
	const char *argv[] = { FUSERMOUNT, "-u", "-z", "-q", "--", path, NULL };

	run_fusermount(argv, -1, 1);
}

/*
 * What a daemon or an agent that was killed left behind answers ENOTCONN; not always to stat, which
 * the kernel may still know the answer to.
 */
static int is_dead(const char *dir)
{
	struct statfs fs;
	struct stat st;

	return (stat(dir, &st) || statfs(dir, &fs)) && errno == ENOTCONN;
}

/*
 * The number of the mount at path; 0: unknown. Nothing of it stays open, which would keep the mount alive.
 * Linux 6.8 and later never give a number twice, older ones may.
 */
static uint64_t mount_at(const char *path)
{
	struct statx st;

	if (statx(AT_FDCWD, path, AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT, MNT_ID_UNIQUE, &st) == 0 &&
	    st.stx_mask & MNT_ID_UNIQUE)
		return st.stx_mnt_id;
	if (statx(AT_FDCWD, path, AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT, STATX_MNT_ID, &st) == 0 &&
	    st.stx_mask & STATX_MNT_ID)
		return st.stx_mnt_id;
	return 0;
}

static int check_empty(const char *path, int fd)
{
	struct dirent *e;
	int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = copy >= 0 ? fdopendir(copy) : NULL;
	int rc = TOOL_OK;

	if (!d) {
		if (copy >= 0)
			close(copy);
		return tools_fail("%s can't be read: %s", path, strerror(errno));
	}
	while (rc == TOOL_OK && (e = readdir(d)))
		if (strcmp(e->d_name, ".") && strcmp(e->d_name, ".."))
			rc = tools_fail("%s is not empty (%s is in it): move its contents away, they "
				       "are not encrypted, or name another directory", path,
				       e->d_name);
	closedir(d);
	return rc;
}

int tools_mountpoint_prepare(const char *dir, struct mountpoint *mp)
{
	char chosen[PATH_MAX];
	struct stat st, up;
	char above[PATH_MAX + 4];

	mp->dir_fd = -1;
	mp->mount = 0;
	if (!dir && default_dir(chosen, sizeof(chosen)))
		return TOOL_FAILED;
	if (!dir)
		dir = chosen;
	if (is_dead(dir))
		lazy_unmount(dir);
	if (!realpath(dir, mp->path))
		return tools_fail("%s: %s; make the directory or name another", dir, strerror(errno));
	mp->dir_fd = open(mp->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (mp->dir_fd < 0 || fstat(mp->dir_fd, &st))
		return tools_fail("%s can't be opened as a directory: %s", mp->path, strerror(errno));
	snprintf(above, sizeof(above), "%s/..", mp->path);
	if (st.st_uid != geteuid())
		return tools_fail("%s is not yours; journals are mounted on a directory of your own",
				 mp->path);
	if (!stat(above, &up) && up.st_dev != st.st_dev)
		return tools_fail("%s has something mounted on it already; `journalfs logout` first",
				 mp->path);
	return check_empty(mp->path, mp->dir_fd);
}

static int receive_fd(int sock)
{
	char byte, space[CMSG_SPACE(sizeof(int))];
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = space,
			      .msg_controllen = sizeof(space) };
	struct cmsghdr *c;
	int fd = -1;

	if (recvmsg(sock, &msg, MSG_CMSG_CLOEXEC) <= 0)
		return -1;
	c = CMSG_FIRSTHDR(&msg);
	if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS &&
	    c->cmsg_len == CMSG_LEN(sizeof(int)))
		memcpy(&fd, CMSG_DATA(c), sizeof(fd));
	return fd;
}

int tools_mountpoint_mount(struct mountpoint *mp, const char *name, int *fuse_fd)
{
	char options[160];
	const char *argv[] = { FUSERMOUNT, "-o", options, "--", mp->path, NULL };
	int pair[2], status, fd;

	snprintf(options, sizeof(options), "nosuid,nodev,noatime,fsname=%.64s,subtype=journalfs",
		 name);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
		return tools_fail("no socket pair: %s", strerror(errno));
	if (fchmod(mp->dir_fd, 0700)) {
		close(pair[0]);
		close(pair[1]);
		return tools_fail("%s: %s", mp->path, strerror(errno));
	}
	status = run_fusermount(argv, pair[0], 0);
	close(pair[0]);
	fd = status == 0 ? receive_fd(pair[1]) : -1;
	close(pair[1]);
	/* From here on, and after the mount has gone, nothing can be written in its place. */
	fchmod(mp->dir_fd, 0500);
	if (fd < 0)
		return tools_fail("%s could not be mounted; `journalfs doctor` looks for the reason "
				 "(/dev/fuse, fusermount3)", mp->path);
	mp->mount = mount_at(mp->path);
	*fuse_fd = fd;
	return TOOL_OK;
}

void tools_mountpoint_unmount(struct mountpoint *mp)
{
	uint64_t there = mount_at(mp->path);

	/* While this process was stopped the practitioner may have logged in anew. */
	if (!mp->mount || !there || there == mp->mount)
		lazy_unmount(mp->path);
}

void tools_mountpoint_close(struct mountpoint *mp)
{
	if (mp->dir_fd >= 0)
		close(mp->dir_fd);
	mp->dir_fd = -1;
}

int tools_mountpoint_present(const char *name)
{
	struct mntent *m;
	FILE *f = setmntent("/proc/self/mounts", "re");
	char user[40];
	int found = 0;

	snprintf(user, sizeof(user), "user_id=%u", (unsigned)geteuid());
	while (f && !found && (m = getmntent(f)))
		found = !strcmp(m->mnt_type, "fuse.journalfs") && !strcmp(m->mnt_fsname, name) &&
			strstr(m->mnt_opts, user);
	if (f)
		endmntent(f);
	return found;
}
