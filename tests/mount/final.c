/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Everything that a program can do to a final note, done: nothing may succeed.
 *
 *   final try PATH [any]   by its path, and by descriptors that are opened now
 *   final hold PATH        opens it while it is a draft, writes through the descriptor and through a
 *                          mapping that it leaves dirty, says "ready", and on a line of input tries
 *                          again with what it holds
 *   final hold-fd PATH     the same without a mapping
 *   final dirty PATH       maps it while it is a draft, says "ready", on a line of input stores into
 *                          the mapping, says "dirty" and leaves it so until another line
 *   final list PATH        the names of its attributes, as a program that is not getfattr gets them
 *   final read-only PATH   takes all w bits through a descriptor, writes another line, closes
 *
 * Prints what succeeded, or failed with another errno than it should (`any`: whichever); exit 1 then.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/xattr.h>
#include <unistd.h>
#include <utime.h>

#define PATH_LEN 4096

static bool any;
static int bad;
static sigjmp_buf fault;

/* Each call must have failed; besides EPERM with what stands in `also` (0: nothing else). */
static void failed(const char *what, long rc, int also)
{
	if (rc >= 0) {
		printf("succeeded: %s\n", what);
		bad = 1;
	} else if (!any && errno != EPERM && errno != also) {
		printf("%s: %s\n", what, strerror(errno));
		bad = 1;
	}
	errno = 0;
}
#define FAILED(call, also) failed(#call, (long)(call), also)

static void on_fault(int sig)
{
	(void)sig;
	siglongjmp(fault, 1);
}

static void beside(char out[PATH_LEN], const char *path, const char *name)
{
	const char *slash = strrchr(path, '/');

	snprintf(out, PATH_LEN, "%.*s/%s", (int)(slash - path), path, name);
}

static int scratch(const char *path, const char *text)
{
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd >= 0 && write(fd, text, strlen(text)) < 0)
		perror(path);
	return fd;
}

/* ---- by its path ---- */

static void try_opening(const char *p)
{
	FAILED(open(p, O_WRONLY), 0);
	FAILED(open(p, O_RDWR), 0);
	FAILED(open(p, O_RDONLY | O_TRUNC), 0);
	FAILED(open(p, O_WRONLY | O_TRUNC), 0);
	FAILED(open(p, O_WRONLY | O_APPEND), 0);
	FAILED(open(p, O_WRONLY | O_CREAT, 0644), 0);
	FAILED(open(p, O_WRONLY | O_CREAT | O_TRUNC, 0644), 0);
	FAILED(creat(p, 0644), 0);
	FAILED(open(p, O_WRONLY | O_CREAT | O_EXCL, 0644), EEXIST);
	FAILED(open(p, O_RDWR | O_DIRECT), 0);
	FAILED(truncate(p, 0), 0);
	FAILED(truncate(p, 1 << 20), 0);
	FAILED(access(p, W_OK), 0);
	FAILED(access(p, R_OK | W_OK), 0);
	FAILED(faccessat(AT_FDCWD, p, W_OK, AT_EACCESS), 0);
}

static void try_attributes(const char *p)
{
	static const struct timespec times[2] = {{1, 0}, {1, 0}},
				     access_only[2] = {{1, 0}, {0, UTIME_OMIT}};
	static const char acl[] = {2, 0, 0,  0,	 1,  0,	 6,  0, -1, -1, -1, -1, 4,  0,
				   4, 0, -1, -1, -1, -1, 32, 0, 4,  0,	-1, -1, -1, -1};

	FAILED(chmod(p, 0600), 0);
	FAILED(chmod(p, 0444), 0);
	FAILED(chmod(p, 04777), 0);
	FAILED(fchmodat(AT_FDCWD, p, 0666, 0), 0);
	FAILED(chown(p, getuid(), getgid()), 0);
	FAILED(lchown(p, (uid_t)-1, getgid()), 0);
	FAILED(utimensat(AT_FDCWD, p, times, 0), 0);
	FAILED(utimensat(AT_FDCWD, p, access_only, 0), 0);
	FAILED(utimensat(AT_FDCWD, p, NULL, 0), 0);
	FAILED(utimes(p, NULL), 0);
	FAILED(utime(p, NULL), 0);
	FAILED(setxattr(p, "user.finding", "x", 1, 0), 0);
	FAILED(setxattr(p, "user.kept", "x", 1, XATTR_REPLACE), 0);
	FAILED(removexattr(p, "user.kept"), 0);
	FAILED(lsetxattr(p, "user.new", "x", 1, XATTR_CREATE), 0);
	FAILED(setxattr(p, "user.journalfs.state", "draft", 5, 0), 0);
	FAILED(setxattr(p, "user.journalfs.state", "final", 5, 0), 0);
	FAILED(setxattr(p, "user.journalfs.author", "x", 1, 0), 0);
	FAILED(setxattr(p, "user.journalfs.sha256", "x", 1, 0), 0);
	FAILED(removexattr(p, "user.journalfs.state"), 0);
	FAILED(setxattr(p, "security.x", "x", 1, 0), EOPNOTSUPP);
	FAILED(setxattr(p, "trusted.x", "x", 1, 0), EOPNOTSUPP);
	FAILED(setxattr(p, "system.posix_acl_access", acl, sizeof(acl), 0), EOPNOTSUPP);
	FAILED(removexattr(p, "system.posix_acl_access"), EOPNOTSUPP);
}

static void try_names(const char *p)
{
	char other[PATH_LEN], dir[PATH_LEN], moved[PATH_LEN], parent[PATH_LEN], up[PATH_LEN],
		proc[64];
	int fd, nameless;

	beside(other, p, "another");
	beside(dir, p, "directory");
	beside(moved, p, "moved");
	fd = scratch(other, "another");
	if (mkdir(dir, 0700) && errno != EEXIST && !any)
		perror(dir);
	FAILED(unlink(p), 0);
	FAILED(unlinkat(AT_FDCWD, p, AT_REMOVEDIR), ENOTDIR);
	FAILED(remove(p), 0);
	FAILED(rmdir(p), ENOTDIR);
	FAILED(rename(p, moved), 0);
	FAILED(rename(other, p), 0);
	FAILED(renameat2(AT_FDCWD, p, AT_FDCWD, moved, RENAME_NOREPLACE), 0);
	FAILED(renameat2(AT_FDCWD, other, AT_FDCWD, p, RENAME_NOREPLACE), EEXIST);
	FAILED(renameat2(AT_FDCWD, p, AT_FDCWD, other, RENAME_EXCHANGE), 0);
	FAILED(renameat2(AT_FDCWD, other, AT_FDCWD, p, RENAME_EXCHANGE), 0);
	FAILED(renameat2(AT_FDCWD, dir, AT_FDCWD, p, RENAME_EXCHANGE), 0);
	FAILED(renameat2(AT_FDCWD, p, AT_FDCWD, moved, RENAME_WHITEOUT), EINVAL);
	FAILED(rename(dir, p), ENOTDIR);
	snprintf(moved, sizeof(moved), "%.2000s/in", dir);
	FAILED(rename(p, moved), 0);
	FAILED(link(p, moved), 0);
	FAILED(link(other, p), EEXIST);
	FAILED(symlink(other, p), EEXIST);
	FAILED(mkdir(p, 0700), EEXIST);
	FAILED(mknod(p, S_IFREG | 0600, 0), EEXIST);
	/* Descriptors lead to it as paths do. */
	fd = fd >= 0 ? (close(fd), open(p, O_RDONLY)) : -1;
	snprintf(proc, sizeof(proc), "/proc/self/fd/%d", fd);
	FAILED(linkat(AT_FDCWD, proc, AT_FDCWD, moved, AT_SYMLINK_FOLLOW), 0);
	FAILED(open(proc, O_WRONLY), 0);
	FAILED(truncate(proc, 0), 0);
	FAILED(chmod(proc, 0600), 0);
	if (fd >= 0)
		close(fd);
	beside(parent, p, ".");
	nameless = open(parent, O_TMPFILE | O_WRONLY, 0600);
	if (nameless >= 0) {
		snprintf(proc, sizeof(proc), "/proc/self/fd/%d", nameless);
		FAILED(linkat(AT_FDCWD, proc, AT_FDCWD, p, AT_SYMLINK_FOLLOW), EEXIST);
		close(nameless);
	}
	/* The directory that it lies in. */
	snprintf(parent, sizeof(parent), "%.*s", (int)(strrchr(p, '/') - p), p);
	beside(up, parent, "elsewhere");
	FAILED(rename(parent, up), 0);
	FAILED(rmdir(parent), ENOTEMPTY);
	mkdir(up, 0700);
	FAILED(renameat2(AT_FDCWD, parent, AT_FDCWD, up, RENAME_EXCHANGE), 0);
	FAILED(renameat2(AT_FDCWD, up, AT_FDCWD, parent, RENAME_EXCHANGE), 0);
	FAILED(rename(up, parent), ENOTEMPTY);
	rmdir(up);
	rmdir(dir);
	unlink(other);
}

/* ---- by a descriptor; writable: it was opened for writing when that was allowed ---- */

static void try_pipe(int fd)
{
	int pipes[2];

	if (pipe(pipes))
		return;
	if (write(pipes[1], "spliced", 7) == 7)
		FAILED(splice(pipes[0], NULL, fd, NULL, 7, 0), EBADF);
	close(pipes[0]);
	close(pipes[1]);
}

static void try_writing(int fd, int also)
{
	static const char text[] = "changed";
	struct iovec iov = {(void *)(uintptr_t)text, 7};

	FAILED(write(fd, text, 7), also);
	FAILED(pwrite(fd, text, 7, 0), also);
	FAILED(writev(fd, &iov, 1), also);
	FAILED(pwritev(fd, &iov, 1, 3), also);
	FAILED(pwritev2(fd, &iov, 1, 0, RWF_APPEND), also);
	FAILED(pwritev2(fd, &iov, 1, 0, RWF_DSYNC), also);
	FAILED(ftruncate(fd, 0), also ? EINVAL : 0);
	FAILED(ftruncate(fd, 1 << 20), also ? EINVAL : 0);
	FAILED(fallocate(fd, 0, 0, 1 << 20), also);
	FAILED(fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 1 << 20), also);
	FAILED(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096), also);
	FAILED(fallocate(fd, FALLOC_FL_ZERO_RANGE, 0, 4096), also);
	FAILED(fallocate(fd, FALLOC_FL_COLLAPSE_RANGE, 0, 4096), also ? also : EOPNOTSUPP);
}

/* What an appending descriptor takes from nobody. */
static void try_copying(int fd, const char *p, int also)
{
	char other[PATH_LEN];
	int from;

	beside(other, p, "source");
	from = scratch(other, "from elsewhere");
	if (from >= 0) {
		loff_t off = 0, to = 0;
		off_t at = 0;

		FAILED(copy_file_range(from, &off, fd, &to, 14, 0), also);
		FAILED(sendfile(fd, from, &at, 14), also);
		FAILED(ioctl(fd, FICLONE, from), also ? also : EOPNOTSUPP);
		close(from);
		unlink(other);
	}
	try_pipe(fd);
}

static void try_descriptor(int fd)
{
	struct fsxattr extended = {0};
	int flags = 0;

	if (ioctl(fd, FS_IOC_GETFLAGS, &flags) || !(flags & FS_IMMUTABLE_FL)) {
		printf("its flags do not say that it is immutable\n");
		bad = 1;
	}
	if (ioctl(fd, FS_IOC_FSGETXATTR, &extended) ||
	    !(extended.fsx_xflags & FS_XFLAG_IMMUTABLE)) {
		printf("its extended flags do not say that it is immutable\n");
		bad = 1;
	}
	FAILED(ioctl(fd, FS_IOC_SETFLAGS, &flags), 0);
	flags |= FS_NOATIME_FL;
	FAILED(ioctl(fd, FS_IOC_SETFLAGS, &flags), 0);
	flags = 0;
	FAILED(ioctl(fd, FS_IOC_SETFLAGS, &flags), 0);
	FAILED(ioctl(fd, FS_IOC_FSSETXATTR, &extended), 0);
	extended.fsx_xflags = 0;
	FAILED(ioctl(fd, FS_IOC_FSSETXATTR, &extended), 0);
	FAILED(fchmod(fd, 0600), 0);
	FAILED(fchown(fd, getuid(), getgid()), 0);
	FAILED(futimens(fd, NULL), 0);
	FAILED(fsetxattr(fd, "user.finding", "x", 1, 0), 0);
	FAILED(fremovexattr(fd, "user.kept"), 0);
	FAILED(fsetxattr(fd, "user.journalfs.state", "draft", 5, 0), 0);
}

static void try_path(const char *p)
{
	int fd = open(p, O_RDONLY | O_CLOEXEC);

	try_opening(p);
	try_attributes(p);
	try_names(p);
	if (fd < 0) {
		if (!any) {
			perror(p);
			bad = 1;
		}
		return;
	}
	try_writing(fd, EBADF);
	try_copying(fd, p, EBADF);
	try_descriptor(fd);
	if (mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) != MAP_FAILED) {
		printf("succeeded: a writable mapping\n");
		bad = 1;
	}
	close(fd);
}

/* ---- what was opened before ---- */

/* A store into a mapping: the fault kills, or the page is refused when it is handed over. */
static void try_mapping(char *map)
{
	signal(SIGBUS, on_fault);
	if (sigsetjmp(fault, 1) == 0) {
		map[0] = 'X';
		map[7] = 'Y';
		FAILED(msync(map, 4096, MS_SYNC), EIO);
	}
	signal(SIGBUS, SIG_DFL);
}

static int hold(const char *p, bool mapped)
{
	int fd = open(p, O_RDWR | O_CLOEXEC), append = open(p, O_WRONLY | O_APPEND | O_CLOEXEC);
	char *map = MAP_FAILED;
	char line[16];

	if (fd < 0 || append < 0 || write(append, "written\n", 8) != 8)
		return perror(p), 2;
	if (mapped) {
		map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		if (map == MAP_FAILED)
			return perror("mmap"), 2;
		memcpy(map, "mapped", 6);
	}
	printf("ready\n");
	fflush(stdout);
	if (!fgets(line, sizeof(line), stdin))
		return 2;
	try_writing(fd, 0);
	try_copying(fd, p, 0);
	try_writing(append, 0);
	try_descriptor(fd);
	if (mapped)
		try_mapping(map);
	try_writing(fd, 0);
	try_copying(fd, p, 0);
	printf(bad ? "broken\n" : "kept\n");
	fflush(stdout);
	return bad;
}

static int dirty(const char *p)
{
	int fd = open(p, O_RDWR | O_CLOEXEC);
	char *map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	char line[16];

	if (map == MAP_FAILED)
		return perror(p), 2;
	printf("ready\n");
	if (!fgets(line, sizeof(line), stdin))
		return 2;
	signal(SIGBUS, on_fault);
	if (sigsetjmp(fault, 1) == 0)
		memcpy(map, "too late", 8);
	printf("dirty\n");
	return fgets(line, sizeof(line), stdin) ? 0 : 2;
}

static int list(const char *p)
{
	char names[4096];
	ssize_t n = listxattr(p, names, sizeof(names));

	for (ssize_t at = 0; at < n; at += (ssize_t)strlen(names + at) + 1)
		printf("%s\n", names + at);
	return n < 0;
}

static int read_only(const char *p)
{
	int fd = open(p, O_WRONLY | O_APPEND | O_CLOEXEC);

	if (fd < 0 || fchmod(fd, 0444) || write(fd, "the end\n", 8) != 8 || close(fd))
		return perror(p), 1;
	return 0;
}

int main(int argc, char **argv)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc == 4 && !strcmp(argv[3], "any"))
		any = true;
	if (argc >= 3 && !strcmp(argv[1], "try"))
		try_path(argv[2]);
	else if (argc == 3 && !strcmp(argv[1], "hold"))
		return hold(argv[2], true);
	else if (argc == 3 && !strcmp(argv[1], "hold-fd"))
		return hold(argv[2], false);
	else if (argc == 3 && !strcmp(argv[1], "dirty"))
		return dirty(argv[2]);
	else if (argc == 3 && !strcmp(argv[1], "list"))
		return list(argv[2]);
	else if (argc == 3 && !strcmp(argv[1], "read-only"))
		return read_only(argv[2]);
	else
		return 2;
	return bad;
}
