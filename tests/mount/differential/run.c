/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/mount/differential/run.c - one operation on one side.
 *
 * What an operation may do depends on the operation and on the state of the slots alone, which is
 * the same on both sides as long as they agree. The intended differences (main.c prints the list)
 * are kept out here, each where it would show.
 */
#include "differential.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/xattr.h>
#include <unistd.h>

#define BUFFER (256u << 10)
#define OLD_TIMES 1600000000 /* times set by hand are before, so they can be told from the clock's */

static uint8_t buf[BUFFER] __attribute__((aligned(4096)));

const char *op_name(enum kind kind)
{
	static const char *const names[OP_KINDS] = {
		"open", "close", "dup", "setfl", "read", "pread", "readv", "write", "pwrite", "writev", "appendv",
		"ftruncate", "truncate", "fallocate", "lseek", "holes", "copy_file_range", "map-shared", "map-private",
		"fsync", "fdatasync", "mkdir", "rmdir", "unlink", "link", "link-open", "symlink", "readlink", "rename",
		"mknod", "chmod", "fchmod", "chown", "utimens", "futimens", "setxattr", "fsetxattr", "getxattr",
		"listxattr", "removexattr", "list", "access", "statx",
	};

	return names[kind];
}

static uint64_t hash_of(const void *p, size_t len, uint64_t h)
{
	const uint8_t *b = p;

	for (size_t k = 0; k < len; k++)
		h = (h ^ b[k]) * UINT64_C(0x100000001b3);
	return h;
}

static void fill(uint64_t seed, size_t len)
{
	for (size_t k = 0; k < len; k += 8) {
		uint64_t v = mix(&seed);

		memcpy(buf + k, &v, 8);
	}
}

static void done(struct answer *a, long ret)
{
	a->ret = ret;
	a->err = ret < 0 ? errno : 0;
}

/* Where the operation's paths begin. */
static int base_of(const struct op *op, const struct side *s)
{
	return op->at && s->fd[op->slot2] >= 0 ? s->fd[op->slot2] : s->root;
}

static bool is_direct(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	return flags >= 0 && flags & O_DIRECT;
}

/* O_DIRECT wants whole blocks on most local file systems; the journal takes any. */
static void align(int fd, uint64_t *off, uint64_t *len)
{
	if (is_direct(fd)) {
		*off &= ~UINT64_C(4095);
		*len &= ~UINT64_C(4095);
	}
}

static bool regular(int fd)
{
	struct stat st;

	return !fstat(fd, &st) && S_ISREG(st.st_mode);
}

/* ---- descriptors ---- */

static void run_open(const struct op *op, struct side *s, struct answer *a)
{
	int fd;

	if (s->fd[op->slot] >= 0 && !(op->at && op->slot == op->slot2))
		close(s->fd[op->slot]);
	fd = openat(base_of(op, s), op->path, op->flags | O_NONBLOCK | O_CLOEXEC, op->mode);
	if (s->fd[op->slot] >= 0 && op->at && op->slot == op->slot2)
		close(s->fd[op->slot]);
	s->fd[op->slot] = fd;
	s->appends[op->slot] = op->flags & O_APPEND;
	done(a, fd);
	if (fd >= 0)
		a->ret = 0;
}

static void run_dup(const struct op *op, struct side *s, struct answer *a)
{
	int fd = dup(s->fd[op->slot]);

	done(a, fd);
	if (fd < 0)
		return;
	a->ret = 0;
	if (s->fd[op->slot2] >= 0 && op->slot2 != op->slot)
		close(s->fd[op->slot2]);
	if (op->slot2 == op->slot)
		close(s->fd[op->slot]);
	s->fd[op->slot2] = fd;
	s->appends[op->slot2] = s->appends[op->slot];
}

static void run_read(const struct op *op, int fd, struct answer *a)
{
	uint64_t off = op->off, len = op->len;
	struct iovec v[3];
	ssize_t n;

	if (!regular(fd) && fcntl(fd, F_GETFL) >= 0 && !(fcntl(fd, F_GETFL) & (O_DIRECTORY | O_PATH)))
		return; /* a pipe's contents are the kernel's */
	memset(buf, 0, sizeof(buf));
	align(fd, &off, &len);
	if (op->kind == OP_READ && is_direct(fd))
		return;
	if (op->kind == OP_PREAD) {
		n = pread(fd, buf, len, (off_t)off);
	} else if (op->kind == OP_READ) {
		n = read(fd, buf, len);
	} else {
		size_t cut = len / 3 & ~(size_t)4095;

		v[0] = (struct iovec){buf, cut};
		v[1] = (struct iovec){buf + cut, 0};
		v[2] = (struct iovec){buf + cut, len - cut};
		n = preadv(fd, v, 3, (off_t)off);
	}
	done(a, n);
	a->hash = n > 0 ? hash_of(buf, (size_t)n, 1) : 0;
}

static void run_write(const struct op *op, int fd, struct answer *a)
{
	uint64_t off = op->off, len = op->len;
	struct iovec v[3];
	struct stat st;
	size_t cut;
	ssize_t n;

	if (!regular(fd))
		return;
	/*
	 * The kernel knows no limit of ours: it ends setuid, and past its cache shows a new time, before
	 * the write is refused.
	 */
	if (off >= UINT64_C(1) << 44 && (fcntl(fd, F_GETFL) & O_DIRECT ||
					 (!fstat(fd, &st) && st.st_mode & (S_ISUID | S_ISGID))))
		return;
	fill(op->seed, len);
	align(fd, &off, &len);
	/* The place is not ours to choose there. */
	if (is_direct(fd) && (op->kind == OP_WRITE || op->kind == OP_APPENDV))
		return;
	cut = len / 3 & ~(size_t)4095;
	v[0] = (struct iovec){buf, cut};
	v[1] = (struct iovec){buf + cut, 0};
	v[2] = (struct iovec){buf + cut, len - cut};
	if (op->kind == OP_PWRITE)
		n = pwrite(fd, buf, len, (off_t)off);
	else if (op->kind == OP_WRITE)
		n = write(fd, buf, len);
	else if (op->kind == OP_WRITEV)
		n = pwritev(fd, v, 3, (off_t)off);
	else
		n = pwritev2(fd, v, 3, 0, RWF_APPEND);
	done(a, n);
}

static void run_lseek(const struct op *op, int fd, struct answer *a)
{
	static const int whence[] = {SEEK_SET, SEEK_CUR, SEEK_END, 17};
	off_t off = (off_t)op->off;

	/* Directories have cookies of their own; how far a file reaches is each file system's. */
	if (!regular(fd) || op->off >= UINT64_C(1) << 41)
		return;
	if (op->flags & 16)
		off = -off;
	done(a, lseek(fd, off, whence[op->flags & 3]));
}

/* A walk over data and holes: the layout may differ, what it says must be true. */
static void run_holes(int fd, struct answer *a)
{
	off_t at = 0, was = lseek(fd, 0, SEEK_CUR);
	struct stat st;
	int n = 0;

	if (!regular(fd) || fstat(fd, &st))
		return;
	if (was < 0) {
		done(a, was); /* O_PATH */
		return;
	}
	while (at < st.st_size && n++ < 10000) {
		off_t data = lseek(fd, at, SEEK_DATA), hole;

		if (data < 0 && errno == ENXIO)
			break;
		hole = data < 0 ? -1 : lseek(fd, data, SEEK_HOLE);
		if (data < at || hole <= data || hole > st.st_size) {
			snprintf(a->note, sizeof(a->note), "holes: at %lld data %lld hole %lld size %lld: %s", (long long)at,
				 (long long)data, (long long)hole, (long long)st.st_size, strerror(errno));
			break;
		}
		at = hole;
	}
	if (lseek(fd, st.st_size, SEEK_DATA) != -1 || errno != ENXIO || lseek(fd, st.st_size, SEEK_HOLE) != -1 ||
	    errno != ENXIO || lseek(fd, -1, SEEK_DATA) != -1 || errno != ENXIO)
		snprintf(a->note, sizeof(a->note), "holes: something beyond the end: %s", strerror(errno));
	done(a, lseek(fd, was, SEEK_SET));
}

static void run_copy(const struct op *op, struct side *s, struct answer *a)
{
	int from = s->fd[op->slot], to = s->fd[op->slot2];
	loff_t off = (loff_t)op->off, off2 = (loff_t)op->off2;

	if (!regular(from) || !regular(to) || is_direct(from) || is_direct(to))
		return;
	/* The kernel knows no limit of a journal's file sizes: it does not say so when nothing is left to copy. */
	if (op->off2 >= UINT64_C(1) << 44)
		return;
	if (op->flags & 3)
		done(a, copy_file_range(from, &off, to, &off2, op->len, 0));
	else
		done(a, copy_file_range(from, NULL, to, NULL, op->len, op->flags & 4 ? 1 : 0));
}

static void run_map(const struct op *op, const struct side *s, struct answer *a)
{
	int fd = s->fd[op->slot];
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE), at, len;
	bool shared = op->kind == OP_MAP_SHARED;
	struct stat st;
	uint8_t *p;

	if (!regular(fd) || fstat(fd, &st) || !st.st_size)
		return;
	/* Handles that append bypass the page cache: no shared mapping of them. */
	if (s->appends[op->slot] || fcntl(fd, F_GETFL) & O_DIRECT)
		return;
	/* Local file systems leave setuid alone there. */
	if (shared && st.st_mode & (S_ISUID | S_ISGID))
		return;
	at = op->off % (uint64_t)st.st_size;
	len = (uint64_t)st.st_size - at;
	len = op->len % 40000 < len ? op->len % 40000 + 1 : len;
	if (at + len > (uint64_t)st.st_size)
		len = (uint64_t)st.st_size - at;
	p = mmap(NULL, at % page + len, PROT_READ | PROT_WRITE, shared ? MAP_SHARED : MAP_PRIVATE, fd,
		 (off_t)(at - at % page));
	done(a, p == MAP_FAILED ? -1 : 0);
	if (p == MAP_FAILED)
		return;
	a->hash = hash_of(p + at % page, len, 1);
	fill(op->seed, len);
	memcpy(p + at % page, buf, len);
	if (shared && msync(p, at % page + len, MS_SYNC))
		done(a, -1);
	munmap(p, at % page + len);
}

/* ---- names ---- */

static void run_rename(const struct op *op, const struct side *s, struct answer *a)
{
	int base = base_of(op, s);

	done(a, renameat2(base, op->path, op->flags & 4 ? s->root : base, op->path2, (unsigned)op->flags & 3));
}

static void run_link_open(const struct op *op, struct side *s, struct answer *a)
{
	char proc[64];
	int flags = fcntl(s->fd[op->slot], F_GETFL);

	/* A name for what never had one is O_TMPFILE's own; through /proc otherwise. */
	if (flags >= 0 && flags & O_PATH)
		return;
	snprintf(proc, sizeof(proc), "/proc/self/fd/%d", s->fd[op->slot]);
	done(a, linkat(AT_FDCWD, proc, s->root, op->path, AT_SYMLINK_FOLLOW));
}

static void run_readlink(const struct op *op, const struct side *s, struct answer *a)
{
	size_t cap = op->flags & 1 ? 4096 : op->flags & 2 ? 3 : 1;
	ssize_t n = readlinkat(base_of(op, s), op->path, (char *)buf, cap);

	done(a, n);
	a->hash = n > 0 ? hash_of(buf, (size_t)n, 1) : 0;
}

static void times_of(const struct op *op, struct timespec t[2])
{
	uint64_t x = op->seed;

	for (int n = 0; n < 2; n++) {
		uint64_t how = mix(&x) % 8;

		t[n].tv_sec = (time_t)(mix(&x) % OLD_TIMES) - (how == 3 ? OLD_TIMES / 2 : 0);
		t[n].tv_nsec = (long)(mix(&x) % 1000000000);
		if (how == 0)
			t[n].tv_nsec = UTIME_NOW;
		else if (how == 1)
			t[n].tv_nsec = UTIME_OMIT;
		else if (how == 2 && mix(&x) % 4 == 0)
			t[n].tv_nsec = 1000000000;
	}
}

static void run_times(const struct op *op, const struct side *s, struct answer *a)
{
	struct timespec t[2];
	bool none = (op->flags & 7) == 0;

	times_of(op, t);
	if (op->kind == OP_FUTIMENS)
		done(a, futimens(s->fd[op->slot], none ? NULL : t));
	else
		done(a, utimensat(base_of(op, s), op->path, none ? NULL : t, op->flags & 8 ? AT_SYMLINK_NOFOLLOW : 0));
}

/* ---- extended attributes ---- */

static const char *xname(const struct op *op)
{
	static char long_name[300];
	static const char *const names[] = {"user.x", "user.y", "user.\xc3\xa6\xff", "user.x", "user.y", "user.z", "trusted.x",
					    "nonsense", "security.x"};
	unsigned n = (unsigned)op->mode % 10;

	if (n < 9)
		return names[n];
	memset(long_name, 'n', sizeof(long_name));
	memcpy(long_name, "user.", 5);
	long_name[op->flags & 1 ? 255 : 256] = '\0';
	return long_name;
}

/* Attribute calls take paths or descriptors, never a base: the path is opened with O_PATH. */
static void xpath(const struct op *op, const struct side *s, char path[64], int *fd)
{
	*fd = openat(base_of(op, s), op->path, O_PATH | O_CLOEXEC | (op->flags & 8 ? O_NOFOLLOW : 0));
	snprintf(path, 64, "/proc/self/fd/%d", *fd);
}

static void run_xattr(const struct op *op, const struct side *s, struct answer *a)
{
	static const int how[] = {0, 0, 0, XATTR_CREATE, XATTR_REPLACE, 0, XATTR_CREATE, XATTR_REPLACE};
	size_t len = op->len % (able.xattr_max + 1), cap = op->flags & 64 ? 0 : op->flags & 128 ? 5 : 65536;
	char path[64];
	ssize_t n;
	int fd = -1;

	if (op->flags & 3)
		len %= 200;
	if ((op->flags & 0x700) == 0x700)
		len = 65537;
	fill(op->seed, len);
	if (op->kind == OP_FSETXATTR) {
		done(a, fsetxattr(s->fd[op->slot], xname(op), buf, len, how[op->flags >> 4 & 7]));
		return;
	}
	xpath(op, s, path, &fd);
	if (fd < 0)
		done(a, -1);
	else if (op->kind == OP_SETXATTR)
		done(a, setxattr(path, xname(op), buf, len, how[op->flags >> 4 & 7]));
	else if (op->kind == OP_REMOVEXATTR)
		done(a, removexattr(path, xname(op)));
	else {
		n = op->kind == OP_GETXATTR ? getxattr(path, xname(op), buf, cap) : listxattr(path, (char *)buf, cap);
		done(a, n);
		if (n > 0 && cap && op->kind == OP_GETXATTR)
			a->hash = hash_of(buf, (size_t)n, 1);
	}
	if (fd >= 0)
		close(fd);
}

/* ---- listing and asking ---- */

static int by_text(const void *x, const void *y)
{
	return strcmp(x, y);
}

struct seen {
	char name[300]; /* with the type behind */
	long pos;
};

/* Everything, then from a remembered place once more: the rest must be the same. */
static void list_stream(DIR *d, uint64_t seed, struct answer *a)
{
	struct seen *e = calloc(256, sizeof(*e));
	size_t n = 0, from, k;
	struct dirent *x;

	errno = 0;
	while (e && n < 256 && (x = readdir(d)) != NULL) {
		snprintf(e[n].name, sizeof(e[n].name), "%s/%d", x->d_name, x->d_type);
		e[n++].pos = telldir(d);
	}
	if (n) {
		from = seed % n;
		seekdir(d, e[from].pos);
		for (k = from + 1; k < n && (x = readdir(d)) != NULL; k++) {
			if (strncmp(x->d_name, e[k].name, strlen(x->d_name)) != 0)
				break;
		}
		if (k != n || readdir(d))
			snprintf(a->note, sizeof(a->note), "list: after seekdir to %zu of %zu, entry %zu differs", from, n, k);
		rewinddir(d);
		x = readdir(d);
		if (!x || strncmp(x->d_name, e[0].name, strlen(x->d_name)) != 0)
			snprintf(a->note, sizeof(a->note), "list: rewinddir does not begin anew");
		qsort(e, n, sizeof(*e), by_text);
	}
	for (k = 0; k < n; k++)
		a->hash = hash_of(e[k].name, strlen(e[k].name), a->hash * 31 + 1);
	a->ret = (long)n;
	free(e);
}

static void run_list(const struct op *op, const struct side *s, struct answer *a)
{
	int fd = op->flags & 3 ? openat(base_of(op, s), op->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
			       : openat(s->fd[op->slot], ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);

	done(a, d ? 0 : -1);
	if (!d)
		return;
	list_stream(d, op->seed, a);
	closedir(d);
}

static void run_statx(const struct op *op, const struct side *s, struct answer *a)
{
	struct statx x;
	int rc = statx(base_of(op, s), op->path, op->flags & 1 ? AT_SYMLINK_NOFOLLOW : op->flags & 2 ? AT_EMPTY_PATH : 0,
		       STATX_BASIC_STATS, &x);

	done(a, rc);
	if (!rc)
		a->hash = (uint64_t)x.stx_mode << 32 | x.stx_nlink;
	if (!rc && S_ISREG(x.stx_mode))
		a->hash ^= x.stx_size << 20;
}

/*
 * Directories keep their search bit: the kernel passes "." and ".." of one without it, and asks nobody.
 * What lies below is looked up, and refused: a test of its own. Fifos and sockets are opened without
 * asking anybody.
 */
static mode_t chmod_mode(const struct op *op, int fd)
{
	struct stat st = {.st_mode = op->kind == OP_MKDIR ? S_IFDIR : (mode_t)op->flags & S_IFMT};

	if (fd >= 0 && fstat(fd, &st))
		st.st_mode = S_IFREG;
	if (S_ISDIR(st.st_mode))
		return (mode_t)op->mode | S_IXUSR;
	return (mode_t)op->mode | (S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode) ? S_IRUSR | S_IWUSR : 0);
}

static void run_chmod(const struct op *op, const struct side *s, struct answer *a)
{
	int fd = openat(base_of(op, s), op->path, O_PATH | O_CLOEXEC);

	done(a, fchmodat(base_of(op, s), op->path, chmod_mode(op, fd), 0));
	if (fd >= 0)
		close(fd);
}

static void run_falloc(const struct op *op, int fd, struct answer *a)
{
	uint64_t len = op->len;

	if (!regular(fd))
		return;
	/* Room is finite on either side, and differs. */
	done(a, fallocate(fd, op->flags, (off_t)op->off, (off_t)len));
}

static void run_truncate(const struct op *op, const struct side *s, struct answer *a)
{
	/* There is no truncateat: from the base as working directory. */
	if (fchdir(base_of(op, s)))
		done(a, -1);
	else
		done(a, truncate(op->path, (off_t)op->off));
}

void op_run(const struct op *op, struct side *s, struct answer *a)
{
	int fd = s->fd[op->slot], base = base_of(op, s);

	memset(a, 0, sizeof(*a));
	switch (op->kind) {
	case OP_OPEN: run_open(op, s, a); break;
	case OP_CLOSE:
		done(a, close(fd));
		s->fd[op->slot] = -1;
		break;
	case OP_DUP: run_dup(op, s, a); break;
	case OP_SETFL:
		if (!is_direct(fd))
			done(a, fcntl(fd, F_SETFL, O_NONBLOCK | (op->flags & 1 ? O_APPEND : 0)));
		break;
	case OP_READ: case OP_PREAD: case OP_READV: run_read(op, fd, a); break;
	case OP_WRITE: case OP_PWRITE: case OP_WRITEV: case OP_APPENDV: run_write(op, fd, a); break;
	case OP_FTRUNCATE: done(a, ftruncate(fd, (off_t)op->off)); break;
	case OP_TRUNCATE: run_truncate(op, s, a); break;
	case OP_FALLOCATE: run_falloc(op, fd, a); break;
	case OP_LSEEK: run_lseek(op, fd, a); break;
	case OP_HOLES: run_holes(fd, a); break;
	case OP_COPY: run_copy(op, s, a); break;
	case OP_MAP_SHARED: case OP_MAP_PRIVATE: run_map(op, s, a); break;
	case OP_FSYNC: done(a, fsync(fd)); break;
	case OP_FDATASYNC: done(a, fdatasync(fd)); break;
	case OP_MKDIR: done(a, mkdirat(base, op->path, chmod_mode(op, -1))); break;
	case OP_RMDIR: done(a, unlinkat(base, op->path, AT_REMOVEDIR)); break;
	case OP_UNLINK: done(a, unlinkat(base, op->path, 0)); break;
	case OP_LINK:
		done(a, linkat(base, op->path, s->root, op->path2, op->flags & 1 ? AT_SYMLINK_FOLLOW : 0));
		break;
	case OP_LINK_OPEN: run_link_open(op, s, a); break;
	case OP_SYMLINK: done(a, symlinkat(op->path2, base, op->path)); break;
	case OP_READLINK: run_readlink(op, s, a); break;
	case OP_RENAME: run_rename(op, s, a); break;
	case OP_MKNOD: done(a, mknodat(base, op->path, (mode_t)op->flags | chmod_mode(op, -1), 0x103)); break;
	case OP_CHMOD: run_chmod(op, s, a); break;
	case OP_FCHMOD: done(a, fchmod(fd, chmod_mode(op, fd))); break;
	case OP_CHOWN:
		done(a, fchownat(base, op->path, op->flags & 1 ? getuid() : (uid_t)-1, op->flags & 2 ? getgid() : (gid_t)-1,
				 op->flags & 8 ? AT_SYMLINK_NOFOLLOW : 0));
		break;
	case OP_UTIMENS: case OP_FUTIMENS: run_times(op, s, a); break;
	case OP_SETXATTR: case OP_FSETXATTR: case OP_GETXATTR: case OP_LISTXATTR: case OP_REMOVEXATTR:
		run_xattr(op, s, a);
		break;
	case OP_LIST: run_list(op, s, a); break;
	case OP_ACCESS: done(a, faccessat(base, op->path, op->flags & 7, 0)); break;
	case OP_STATX: run_statx(op, s, a); break;
	case OP_KINDS: break;
	}
}
