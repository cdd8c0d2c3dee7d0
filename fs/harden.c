/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/harden.c - what the daemon takes away from itself: core dumps, new privileges, files, calls.
 *
 * Landlock limits which files can be reached, seccomp which system calls exist.
 * The list of calls is one of what serving needs; everything else answers EPERM,
 * so that a library that tries something new fails in its own way instead of
 * dying. clone3 answers ENOSYS, which makes the C library use clone, whose flags
 * a filter can see: no new namespaces.
 *
 * Both are inherited by threads started later and by children, never taken back. Landlock holds for
 * the calling thread and what it starts, seccomp for all threads. So files are restricted first,
 * then the vault is opened - whose database is walked by a child in seccomp's strict mode, which
 * can't be entered from under a filter - and calls last.
 */
#include "harden.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/landlock.h>
#include <pwd.h>
#include <sched.h>
#include <seccomp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <termios.h>
#include <unistd.h>

int fs_harden_early(void)
{
	static const struct rlimit none = {0, 0};

	umask(077);
	if (setrlimit(RLIMIT_CORE, &none) || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0))
		return -errno;
	return 0;
}

/* ---- Landlock ---- */

/* Of later kernels than the build's headers may know; the numbers are the kernel's interface. */
#define ACCESS_REFER (1ULL << 13)    /* version 2 */
#define ACCESS_TRUNCATE (1ULL << 14) /* version 3 */
#define NET_BIND_TCP (1ULL << 0)     /* version 4 */
#define NET_CONNECT_TCP (1ULL << 1)

struct ruleset { /* struct landlock_ruleset_attr as of version 4; older kernels take its beginning */
	uint64_t fs;
	uint64_t net;
};

#define ACCESS_FILE_READ LANDLOCK_ACCESS_FS_READ_FILE
#define ACCESS_FILE_WRITE (LANDLOCK_ACCESS_FS_WRITE_FILE | ACCESS_TRUNCATE)
#define ACCESS_DIR_READ LANDLOCK_ACCESS_FS_READ_DIR
#define ACCESS_DIR_WRITE                                                                           \
	(LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE |                          \
	 LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SOCK | \
	 LANDLOCK_ACCESS_FS_MAKE_SYM | ACCESS_REFER)
#define ACCESS_NEVER                                                                               \
	(LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_MAKE_CHAR |                               \
	 LANDLOCK_ACCESS_FS_MAKE_BLOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO)

/* All that this version of the kernel can restrict. */
static uint64_t access_known(int abi)
{
	uint64_t all = ACCESS_FILE_READ | ACCESS_FILE_WRITE | ACCESS_DIR_READ | ACCESS_DIR_WRITE |
		       ACCESS_NEVER;

	if (abi < 2)
		all &= ~ACCESS_REFER;
	if (abi < 3)
		all &= ~ACCESS_TRUNCATE;
	return all;
}

static int add_path(int ruleset, const char *path, uint64_t file, uint64_t dir)
{
	struct landlock_path_beneath_attr rule = {.allowed_access = file};
	struct stat st;
	int rc = 0, fd = open(path, O_PATH | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	rule.parent_fd = fd;
	if (fstat(fd, &st))
		rc = -errno;
	if (!rc && S_ISDIR(st.st_mode))
		rule.allowed_access |= dir;
	if (!rc && syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0))
		rc = -errno;
	close(fd);
	return rc;
}

static int restrict_files(const char *const *rw, size_t n_rw, const char *const *ro, size_t n_ro,
			  int abi)
{
	uint64_t known = access_known(abi);
	struct ruleset attr = {.fs = known, .net = NET_BIND_TCP | NET_CONNECT_TCP};
	size_t size = abi >= 4 ? sizeof(attr) : sizeof(attr.fs);
	int fd, rc = 0;

	fd = (int)syscall(SYS_landlock_create_ruleset, &attr, size, 0);
	if (fd < 0)
		return -errno;
	for (size_t i = 0; i < n_rw && !rc; i++)
		rc = add_path(fd, rw[i], (ACCESS_FILE_READ | ACCESS_FILE_WRITE) & known,
			      (ACCESS_DIR_READ | ACCESS_DIR_WRITE) & known);
	for (size_t i = 0; i < n_ro && !rc; i++) {
		rc = add_path(fd, ro[i], ACCESS_FILE_READ, ACCESS_DIR_READ);
		if (rc == -ENOENT) /* what is not there can't be read */
			rc = 0;
	}
	if (!rc && syscall(SYS_landlock_restrict_self, fd, 0))
		rc = -errno;
	close(fd);
	return rc;
}

/* ---- seccomp ---- */

static const char *const allowed[] = {
	/* files */
	"read", "write", "readv", "writev", "pread64", "pwrite64", "preadv", "pwritev", "preadv2",
	"pwritev2", "close", "close_range", "dup", "dup2", "dup3", "fcntl", "flock", "fsync",
	"fdatasync", "sync_file_range", "syncfs", "fallocate", "ftruncate", "truncate", "fadvise64",
	"lseek", "open", "openat", "openat2", "stat", "fstat", "lstat", "newfstatat", "statx",
	"statfs", "fstatfs", "access", "faccessat", "faccessat2", "getdents64", "readlink",
	"readlinkat", "rename", "renameat", "renameat2", "unlink", "unlinkat", "mkdir", "mkdirat",
	"rmdir", "link", "linkat", "chmod", "fchmod", "fchmodat", "utimensat", "getcwd", "umask",
	"getxattr", "fgetxattr", "copy_file_range", "sendfile", "splice", "vmsplice", "tee",
	/* memory */
	"mmap", "munmap", "mprotect", "mremap", "madvise", "mlock", "mlock2", "munlock", "msync",
	"mincore", "brk", "membarrier",
	/* threads and processes of ours */
	"clone", "fork", "futex", "futex_waitv", "set_robust_list", "get_robust_list", "rseq",
	"set_tid_address", "exit", "exit_group", "wait4", "waitid", "gettid", "getpid", "getppid",
	"getpgrp", "getpgid", "getsid", "getuid", "geteuid", "getgid", "getegid", "getgroups",
	"getresuid", "getresgid", "getrlimit", "getrusage", "getpriority", "sched_yield",
	"sched_getaffinity", "sched_getparam", "sched_getscheduler", "sched_get_priority_max",
	"sched_get_priority_min", "sysinfo", "uname", "times", "getcpu", "arch_prctl", "prlimit64",
	"setrlimit",
	/* signals and time */
	"rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "rt_sigpending", "rt_sigtimedwait",
	"rt_sigsuspend", "sigaltstack", "tgkill", "kill", "restart_syscall", "pause", "nanosleep",
	"clock_nanosleep", "clock_gettime", "clock_getres", "gettimeofday", "time",
	/* waiting */
	"timerfd_create", "timerfd_settime", "timerfd_gettime", "eventfd2", "signalfd4",
	"epoll_create1", "epoll_ctl", "epoll_wait", "epoll_pwait", "epoll_pwait2", "poll", "ppoll",
	"select", "pselect6", "pipe", "pipe2",
	/* local sockets; which ones may be made stands below */
	"socketpair", "bind", "listen", "accept", "accept4", "connect", "getsockopt", "setsockopt",
	"getsockname", "getpeername", "sendto", "sendmsg", "sendmmsg", "recvfrom", "recvmsg",
	"recvmmsg", "shutdown",
	/* the rest */
	"getrandom", "seccomp", "landlock_create_ruleset", "landlock_add_rule",
	"landlock_restrict_self",
};

static int allow_name(scmp_filter_ctx ctx, const char *name)
{
	int nr = seccomp_syscall_resolve_name(name);

	if (nr == __NR_SCMP_ERROR || nr < 0) /* not of this architecture or library */
		return 0;
	return strcmp(name, "clone") ? seccomp_rule_add(ctx, SCMP_ACT_ALLOW, nr, 0)
				     : seccomp_rule_add(ctx, SCMP_ACT_ALLOW, nr, 1,
							SCMP_A0(SCMP_CMP_MASKED_EQ,
								CLONE_NEWNS | CLONE_NEWUSER |
									CLONE_NEWPID | CLONE_NEWNET |
									CLONE_NEWIPC | CLONE_NEWUTS |
									CLONE_NEWCGROUP, 0));
}

/* Calls that are allowed for some values of one argument only. */
struct some {
	int nr;
	unsigned arg;
	uint64_t value;
};

static int allow_some(scmp_filter_ctx ctx)
{
	const struct some some[] = {
		{SCMP_SYS(socket), 0, AF_UNIX},
		{SCMP_SYS(ioctl), 1, _IOR(229, 0, uint32_t)}, /* FUSE_DEV_IOC_CLONE */
		{SCMP_SYS(ioctl), 1, TCGETS},		       /* isatty */
		{SCMP_SYS(ioctl), 1, FIONREAD},
		{SCMP_SYS(prctl), 0, PR_SET_NAME},
		{SCMP_SYS(prctl), 0, PR_GET_NAME},
		{SCMP_SYS(prctl), 0, PR_GET_DUMPABLE},
		{SCMP_SYS(prctl), 0, PR_SET_PDEATHSIG},
		{SCMP_SYS(prctl), 0, PR_SET_NO_NEW_PRIVS},
		{SCMP_SYS(prctl), 0, PR_GET_NO_NEW_PRIVS},
		{SCMP_SYS(prctl), 0, PR_SET_SECCOMP},
		{SCMP_SYS(prctl), 0, PR_GET_SECCOMP},
		{SCMP_SYS(prctl), 0, 0x53564d41}, /* PR_SET_VMA: the C library names its memory */
	};
	int rc = 0;

	for (size_t i = 0; i < sizeof(some) / sizeof(some[0]) && !rc; i++)
		rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, some[i].nr, 1,
				      SCMP_CMP64(some[i].arg, SCMP_CMP_EQ, some[i].value, 0));
	if (!rc)
		rc = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
	return rc;
}

static int restrict_calls(void)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	int rc = 0;

	if (!ctx)
		return -ENOMEM;
	for (size_t i = 0; i < sizeof(allowed) / sizeof(allowed[0]) && !rc; i++)
		rc = allow_name(ctx, allowed[i]);
	if (!rc)
		rc = allow_some(ctx);
	if (!rc)
		rc = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	if (!rc) /* threads that run already too */
		rc = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_TSYNC, 1);
	if (!rc)
		rc = seccomp_load(ctx);
	seccomp_release(ctx);
	return rc;
}

/* ---- both ---- */

/* What libraries open only when it is first needed, and could not any more. */
static int preload(void)
{
	struct passwd pw, *found = NULL;
	struct group gr, *group = NULL;
	char buf[16384];

	/* pthread_cancel and pthread_exit unwind with it; aborts the process when it is missing. */
	if (!dlopen("libgcc_s.so.1", RTLD_NOW | RTLD_GLOBAL))
		return -ENOENT;
	/* A number that nobody has asks every source of names, which loads them all. */
	getpwuid_r((uid_t)-2, &pw, buf, sizeof(buf), &found);
	getgrgid_r((gid_t)-2, &gr, buf, sizeof(buf), &group);
	return 0;
}

int fs_harden_files(const char *const *rw_dirs, size_t dirs, const char *const *ro_files,
		    size_t files, struct fs_harden_report *report)
{
	int rc, abi;

	rc = preload();
	if (rc)
		return rc;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return -errno;
	abi = (int)syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	if (abi > 0) {
		rc = restrict_files(rw_dirs, dirs, ro_files, files, abi);
		if (rc)
			return rc;
	}
	report->landlock = abi > 0;
	report->landlock_abi = abi > 0 ? abi : 0;
	return 0;
}

int fs_harden_calls(struct fs_harden_report *report)
{
	int rc = restrict_calls();

	if (rc && rc != -EINVAL && rc != -ENOSYS && rc != -EOPNOTSUPP)
		return rc;
	report->seccomp = !rc;
	return 0;
}

int fs_harden_serve(const char *const *rw_dirs, size_t dirs, const char *const *ro_files,
		    size_t files, struct fs_harden_report *report)
{
	struct fs_harden_report got = {0};
	int rc;

	rc = fs_harden_files(rw_dirs, dirs, ro_files, files, &got);
	if (!rc)
		rc = fs_harden_calls(&got);
	if (!rc)
		*report = got;
	return rc;
}
