/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/mount/posix.c - what a file system owes programs and the differential test cannot see:
 * large directories under change, deep paths, huge sparse files, races, refusals.
 * Each subcommand exits 0 when what it checks holds and says on standard error what does not.
 */
#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

static int open_or_die(int dir, const char *path, int flags)
{
	int fd = openat(dir, path, flags | O_CLOEXEC, 0644);

	if (fd < 0)
		err(1, "%.60s", path);
	return fd;
}

static void wants(int errno_wanted, long rc, const char *what)
{
	if (rc >= 0)
		errx(1, "%s succeeded, instead of %s", what, strerrorname_np(errno_wanted));
	if (errno != errno_wanted)
		errx(1, "%s: %s instead of %s", what, strerrorname_np(errno), strerrorname_np(errno_wanted));
}

/* Another process makes and removes names in `dir` until it is told to stop. */
static pid_t churn(int dir)
{
	pid_t pid = fork();

	for (unsigned n = 0; !pid; n++) {
		char name[64];

		snprintf(name, sizeof(name), "passing-%u", n % 500);
		if (mknodat(dir, name, S_IFREG | 0600, 0) && errno == EEXIST)
			unlinkat(dir, name, 0);
	}
	return pid;
}

/* One pass over the directory: every stable name once; places remembered lead back to the same names. */
static void listing(const char *path, int total, bool seek)
{
	char *seen = calloc((size_t)total, 1);
	long *pos = calloc((size_t)total, sizeof(*pos));
	int *which = calloc((size_t)total, sizeof(*which)), n = 0, at;
	DIR *d = opendir(path);
	struct dirent *e;

	if (!d || !seen || !pos || !which)
		err(1, "%s", path);
	for (;;) {
		long here = telldir(d);

		e = readdir(d);
		if (!e)
			break;
		if (sscanf(e->d_name, "stable-%d", &at) != 1)
			continue;
		if (at < 0 || at >= total || seen[at]++)
			errx(1, "%s appeared twice", e->d_name);
		pos[n] = here;
		which[n++] = at;
	}
	if (n != total)
		errx(1, "%d of %d stable names appeared", n, total);
	for (int k = 0; seek && k < 200; k++) {
		int to = rand() % total, found = -1;

		seekdir(d, pos[to]);
		do {
			e = readdir(d);
		} while (e && sscanf(e->d_name, "stable-%d", &found) != 1);
		if (!e || found != which[to])
			errx(1, "seekdir led to %s instead of stable-%d", e ? e->d_name : "the end", which[to]);
	}
	closedir(d);
	free(seen);
	free(pos);
	free(which);
}

/* DIR N: N names listed and sought while another process changes the directory. */
static int cmd_bigdir(char **a)
{
	int dir, total = atoi(a[1]), status;
	char name[64];
	pid_t pid;

	if (mkdir(a[0], 0755) && errno != EEXIST)
		err(1, "%s", a[0]);
	dir = open_or_die(AT_FDCWD, a[0], O_RDONLY | O_DIRECTORY);
	for (int n = 0; n < total; n++) {
		snprintf(name, sizeof(name), "stable-%d", n);
		if (mknodat(dir, name, S_IFREG | 0600, 0) && errno != EEXIST)
			err(1, "%s", name);
	}
	pid = churn(dir);
	for (int n = 0; n < 4; n++)
		listing(a[0], total, n % 2);
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	return 0;
}

/* DIR: names of 255 bytes of anything; two Unicode forms of one letter are two names. */
static int cmd_names(char **a)
{
	int dir = open_or_die(AT_FDCWD, a[0], O_RDONLY | O_DIRECTORY), found = 0, wanted = 0;
	unsigned char name[257];
	struct dirent *e;
	struct stat st, other;
	DIR *d;

	for (int first = 1; first < 256; first += 5) {
		for (int k = 0; k < 255; k++)
			name[k] = (unsigned char)((first + k * 7) % 255 + 1);
		for (int k = 0; k < 255; k++)
			name[k] = name[k] == '/' ? '_' : name[k];
		name[0] = 'N';
		name[1] = (unsigned char)(first == '/' ? '_' : first);
		name[255] = '\0';
		close(open_or_die(dir, (char *)name, O_WRONLY | O_CREAT | O_EXCL));
		if (fstatat(dir, (char *)name, &st, 0))
			err(1, "a name of 255 bytes");
		wanted++;
	}
	memset(name, 'n', 256);
	name[256] = '\0';
	wants(ENAMETOOLONG, openat(dir, (char *)name, O_WRONLY | O_CREAT, 0644), "a name of 256 bytes");
	d = fdopendir(dup(dir));
	while (d && (e = readdir(d)) != NULL) {
		if (e->d_name[0] != 'N')
			continue;
		if (strlen(e->d_name) != 255 || fstatat(dir, e->d_name, &st, 0) || unlinkat(dir, e->d_name, 0))
			err(1, "a listed name of %zu bytes", strlen(e->d_name));
		found++;
	}
	if (found != wanted)
		errx(1, "%d of %d names were listed", found, wanted);
	close(open_or_die(dir, "\xc3\xa9", O_WRONLY | O_CREAT | O_EXCL));
	close(open_or_die(dir, "e\xcc\x81", O_WRONLY | O_CREAT | O_EXCL));
	close(open_or_die(dir, "\xc3\x89", O_WRONLY | O_CREAT | O_EXCL));
	if (fstatat(dir, "\xc3\xa9", &st, 0) || fstatat(dir, "e\xcc\x81", &other, 0) || st.st_ino == other.st_ino)
		errx(1, "two forms of a letter are one name");
	return 0;
}

/* DIR: far deeper than PATH_MAX, down and up again by descriptors. */
static int cmd_deep(char **a)
{
	enum { LEVELS = 200 };
	int fd[LEVELS + 1];
	char name[101], byte;
	int file;

	memset(name, 'd', 100);
	name[100] = '\0';
	fd[0] = open_or_die(AT_FDCWD, a[0], O_RDONLY | O_DIRECTORY);
	for (int n = 0; n < LEVELS; n++) {
		if (mkdirat(fd[n], name, 0755))
			err(1, "level %d", n);
		fd[n + 1] = open_or_die(fd[n], name, O_RDONLY | O_DIRECTORY);
	}
	file = open_or_die(fd[LEVELS], "bottom", O_RDWR | O_CREAT);
	if (write(file, "x", 1) != 1 || pread(file, &byte, 1, 0) != 1 || fsync(file) || fsync(fd[LEVELS]))
		err(1, "at the bottom");
	close(file);
	/* Moved as a whole, the open descriptors go along. */
	if (renameat(fd[0], name, fd[0], "moved") || faccessat(fd[LEVELS], "bottom", R_OK, 0))
		err(1, "after the top was renamed");
	if (renameat(fd[0], "moved", fd[0], name))
		err(1, "back");
	wants(EINVAL, renameat(fd[0], name, fd[LEVELS], "below"), "a directory below itself");
	if (unlinkat(fd[LEVELS], "bottom", 0))
		err(1, "bottom");
	for (int n = LEVELS; n > 0; n--) {
		if (n == LEVELS / 2)
			wants(ENOENT, openat(fd[n + 1], "new", O_WRONLY | O_CREAT, 0644), "a file in a removed directory");
		if (unlinkat(fd[n - 1], name, AT_REMOVEDIR))
			err(1, "level %d", n);
	}
	return 0;
}

/* FILE: a TiB with three islands. */
static int cmd_sparse(char **a)
{
	static const off_t at[] = {0, INT64_C(1) << 33, (INT64_C(1) << 40) - 5};
	int fd = open_or_die(AT_FDCWD, a[0], O_RDWR | O_CREAT | O_TRUNC);
	char back[6] = "";
	struct stat st;
	off_t pos = 0;

	for (int n = 0; n < 3; n++)
		if (pwrite(fd, "12345", 5, at[n]) != 5)
			err(1, "island %d", n);
	if (fsync(fd) || fstat(fd, &st) || st.st_size != INT64_C(1) << 40)
		errx(1, "the size is %lld", (long long)st.st_size);
	if (st.st_blocks > 3 * 256)
		errx(1, "%lld blocks for three islands", (long long)st.st_blocks);
	for (int n = 0; n < 3; n++) {
		off_t hole;

		pos = lseek(fd, pos, SEEK_DATA);
		hole = lseek(fd, pos, SEEK_HOLE);
		if (pos > at[n] || pos + 70000 < at[n] || hole < at[n] + 5 || hole > at[n] + 70000)
			errx(1, "island %d: data at %lld, hole at %lld", n, (long long)pos, (long long)hole);
		if (pread(fd, back, 5, at[n]) != 5 || strcmp(back, "12345") != 0)
			errx(1, "island %d has other contents", n);
		pos = hole;
	}
	if (pread(fd, back, 5, INT64_C(1) << 39) != 5 || memcmp(back, "\0\0\0\0\0", 5) != 0)
		errx(1, "a hole does not read as zero");
	wants(ENXIO, lseek(fd, pos, SEEK_DATA), "data beyond the last island");
	if (fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 4096, INT64_C(1) << 39) || fstat(fd, &st) ||
	    lseek(fd, 65536, SEEK_DATA) < at[2] - 70000) /* the first island has a chunk to itself */
		errx(1, "the second island is still there");
	if (ftruncate(fd, 3) || fstat(fd, &st) || st.st_size != 3 || lseek(fd, 0, SEEK_HOLE) != 3)
		err(1, "cut");
	return 0;
}

/* DIR: what is refused, and how. */
static int cmd_refusals(char **a)
{
	int dir = open_or_die(AT_FDCWD, a[0], O_RDONLY | O_DIRECTORY);
	int fd = open_or_die(dir, "refuses", O_RDWR | O_CREAT);
	static char value[65537];

	if (ftruncate(fd, 1 << 20))
		err(1, "ftruncate");
	wants(EOPNOTSUPP, fallocate(fd, FALLOC_FL_COLLAPSE_RANGE, 0, 65536), "collapse");
	wants(EOPNOTSUPP, fallocate(fd, FALLOC_FL_INSERT_RANGE, 0, 65536), "insert");
	wants(EPERM, mknodat(dir, "device", S_IFCHR | 0600, makedev(1, 3)), "a device");
	close(open_or_die(dir, "white", O_WRONLY | O_CREAT));
	if (renameat2(dir, "white", dir, "out", RENAME_WHITEOUT) == 0 || (errno != EINVAL && errno != EPERM))
		err(1, "a whiteout");
	wants(EPERM, fchown(fd, getuid() + 1, (gid_t)-1), "another owner");
	wants(EFBIG, pwrite(fd, "x", 1, INT64_C(1) << 44), "a file too large");
	if (fsetxattr(fd, "user.large", value, 65536, 0) || fgetxattr(fd, "user.large", NULL, 0) != 65536)
		err(1, "an attribute of 64 KiB");
	wants(E2BIG, fsetxattr(fd, "user.larger", value, 65537, 0), "an attribute larger than 64 KiB");
	wants(EOPNOTSUPP, fsetxattr(fd, "system.posix_acl_access", value, 4, 0), "an ACL");
	return 0;
}

/* DIR: a file without a name gets one, unless it was made for none. */
static int cmd_tmpfile(char **a)
{
	int dir = open_or_die(AT_FDCWD, a[0], O_RDONLY | O_DIRECTORY), fd, once;
	char proc[64], back[5];
	struct stat st;

	fd = openat(dir, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0640);
	if (fd < 0 && errno == EOPNOTSUPP) {
		puts("the kernel has no O_TMPFILE for FUSE");
		return 77;
	}
	if (fd < 0 || write(fd, "hello", 5) != 5 || fsync(fd) || fstat(fd, &st) || st.st_nlink != 0)
		err(1, "O_TMPFILE");
	snprintf(proc, sizeof(proc), "/proc/self/fd/%d", fd);
	if (linkat(AT_FDCWD, proc, dir, "named", AT_SYMLINK_FOLLOW) || fstat(fd, &st) || st.st_nlink != 1)
		err(1, "linkat");
	close(fd);
	fd = open_or_die(dir, "named", O_RDONLY);
	if (read(fd, back, 5) != 5 || memcmp(back, "hello", 5) != 0)
		errx(1, "other contents under the name");
	once = openat(dir, ".", O_TMPFILE | O_EXCL | O_RDWR | O_CLOEXEC, 0640);
	snprintf(proc, sizeof(proc), "/proc/self/fd/%d", once);
	wants(ENOENT, linkat(AT_FDCWD, proc, dir, "never", AT_SYMLINK_FOLLOW), "a name for O_EXCL");
	return 0;
}

/* FILE: times set while data waits stay, through write, flush, fsync and a second. */
static int cmd_times(char **a)
{
	const struct timespec t[2] = {{.tv_sec = 981173106, .tv_nsec = 123456789}, {.tv_sec = -5, .tv_nsec = 987654321}};
	int fd = open_or_die(AT_FDCWD, a[0], O_RDWR | O_CREAT | O_TRUNC);
	char data[100000];
	struct stat st;

	memset(data, 't', sizeof(data));
	if (write(fd, data, sizeof(data)) != (ssize_t)sizeof(data) || futimens(fd, t))
		err(1, "write");
	for (int n = 0; n < 4; n++) {
		if (n == 1 && fsync(fd))
			err(1, "fsync");
		if (n == 2)
			close(fd);
		if (n == 3)
			usleep(1300000);
		if (stat(a[0], &st))
			err(1, "stat");
		if (st.st_mtim.tv_sec != -5 || st.st_mtim.tv_nsec != 987654321 || st.st_atim.tv_sec != 981173106 ||
		    st.st_atim.tv_nsec != 123456789)
			errx(1, "after step %d mtime is %lld.%09ld", n, (long long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
	}
	return 0;
}

/* FILE WHO N open|fcntl: appends N records of many sizes, each whole or it is seen by `appended`. */
static int cmd_appends(char **a)
{
	bool late = !strcmp(a[3], "fcntl");
	int fd = open_or_die(AT_FDCWD, a[0], O_WRONLY | (late ? 0 : O_APPEND)), n = atoi(a[2]);
	static char rec[20000];

	if (late && fcntl(fd, F_SETFL, O_APPEND))
		err(1, "fcntl");

	for (int k = 0; k < n; k++) {
		size_t len = k % 50 == 0 ? 15000 : 40 + (size_t)(k * 37 % 900);

		memset(rec, a[1][0], len);
		len = (size_t)snprintf(rec, 40, "%s:%d:%zu:", a[1], k, len) < len ? len : len;
		rec[strlen(rec)] = a[1][0];
		rec[len - 1] = '\n';
		if (write(fd, rec, len) != (ssize_t)len)
			err(1, "write");
	}
	return 0;
}

/* FILE N WHO...: every record of each is there once, whole, in its order. */
static int cmd_appended(char **a)
{
	FILE *f = fopen(a[0], "r");
	static char line[20001];
	int n = atoi(a[1]), next[2] = {0}, k;
	size_t len;
	char who[16];

	if (!f)
		err(1, "%s", a[0]);
	while (fgets(line, sizeof(line), f)) {
		int w;

		if (sscanf(line, "%15[a-z]:%d:%zu:", who, &k, &len) != 3 || strlen(line) != len)
			errx(1, "a torn record: %.50s", line);
		w = !strcmp(who, a[2]) ? 0 : 1;
		if (k != next[w]++)
			errx(1, "%s: record %d where %d should be", who, k, next[w] - 1);
		for (const char *p = strrchr(line, ':') + 1; *p != '\n'; p++)
			if (*p != who[0])
				errx(1, "a record with other bytes");
	}
	if (next[0] != n || next[1] != n)
		errx(1, "%d and %d records of %d", next[0], next[1], n);
	return 0;
}

/* FILE: neighbors in one chunk written by several, the end moved by another: nothing of it is lost. */
static int cmd_race(char **a)
{
	enum { WRITERS = 3, ROUNDS = 300, PART = 3000 };
	int fd = open_or_die(AT_FDCWD, a[0], O_RDWR | O_CREAT | O_TRUNC), status;
	char block[PART], back[PART];
	pid_t pid[WRITERS + 1];

	for (int w = 0; w <= WRITERS; w++) {
		pid[w] = fork();
		for (int r = 0; !pid[w] && r < ROUNDS; r++) {
			memset(block, 'A' + r % 26, sizeof(block));
			if (w == WRITERS ? ftruncate(fd, WRITERS * PART + (r * 7919) % 150000)
					 : pwrite(fd, block, PART, w * PART) != PART)
				_exit(1);
			if (w < WRITERS && (pread(fd, back, PART, w * PART) != PART || memcmp(block, back, PART) != 0))
				_exit(2);
		}
		if (!pid[w])
			_exit(0);
	}
	for (int w = 0; w <= WRITERS; w++)
		if (waitpid(pid[w], &status, 0) < 0 || status)
			errx(1, "process %d: %#x", w, (unsigned)status);
	for (int w = 0; w < WRITERS; w++) {
		memset(block, 'A' + (ROUNDS - 1) % 26, sizeof(block));
		if (pread(fd, back, PART, w * PART) != PART || memcmp(block, back, PART) != 0)
			errx(1, "the part of writer %d is lost", w);
	}
	return 0;
}

/* DIR PROGRAM: who runs is not written, who is written does not run. */
static int cmd_textbusy(char **a)
{
	int dir = open_or_die(AT_FDCWD, a[0], O_RDONLY | O_DIRECTORY), from = open_or_die(AT_FDCWD, a[1], O_RDONLY);
	int fd = open_or_die(dir, "program", O_WRONLY | O_CREAT | O_TRUNC), status, ready[2];
	char word[] = "program", seconds[] = "5", *args[] = {word, seconds, NULL}, *env[] = {NULL}, byte;
	struct stat st;
	ssize_t n;
	pid_t pid;

	fstat(from, &st);
	do {
		n = copy_file_range(from, NULL, fd, NULL, 1 << 20, 0);
		if (n < 0 && errno == EXDEV) {
			static char buf[1 << 16];

			n = read(from, buf, sizeof(buf));
			if (n > 0 && write(fd, buf, (size_t)n) != n)
				err(1, "write");
		}
	} while (n > 0);
	if (n < 0 || fchmod(fd, 0755))
		err(1, "copy");
	wants(ETXTBSY, execveat(dir, "program", args, env, 0), "running what is open for writing");
	close(fd);
	if (pipe2(ready, O_CLOEXEC))
		err(1, "pipe");
	pid = fork();
	if (!pid) {
		execveat(dir, "program", args, env, 0);
		_exit(127);
	}
	close(ready[1]);
	/* The pipe closes when the program runs. */
	if (read(ready[0], &byte, 1) != 0)
		err(1, "pipe");
	wants(ETXTBSY, openat(dir, "program", O_WRONLY), "writing what runs");
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	if (!WIFSIGNALED(status))
		errx(1, "the program did not run: %#x", (unsigned)status);
	close(open_or_die(dir, "program", O_WRONLY));
	return 0;
}

/* FILE: holds it open without a name, prints "ready", and at the end of its input checks it. */
static int cmd_orphan(char **a)
{
	static char data[8 << 20], back[8 << 20];
	int fd = open_or_die(AT_FDCWD, a[0], O_RDWR | O_CREAT | O_TRUNC);
	struct stat st;
	char line[16];

	for (size_t k = 0; k < sizeof(data); k++)
		data[k] = (char)(k * 31 % 251);
	if (write(fd, data, sizeof(data)) != (ssize_t)sizeof(data) || fsync(fd))
		err(1, "write");
	if (!strcmp(a[1], "unlink") && unlink(a[0]))
		err(1, "unlink");
	if (fsync(fd))
		err(1, "fsync");
	puts("ready");
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin)) {
		if (pread(fd, back, sizeof(back), 0) != (ssize_t)sizeof(back) || memcmp(data, back, sizeof(back)) != 0)
			puts("other contents");
		else if (fstat(fd, &st) || st.st_nlink != 0)
			puts("it still has a name");
		else if (pwrite(fd, "\x00", 1, 0) != 1)
			puts("it can't be written");
		else
			puts("ok");
		fflush(stdout);
	}
	return 0;
}

/* DIR: a directory that may not be searched hides what is below, also names looked up before. */
static int cmd_closed(char **a)
{
	int dir = open_or_die(AT_FDCWD, a[0], O_RDONLY | O_DIRECTORY), fd, sub;
	struct stat st;

	if (mkdirat(dir, "shut", 0755))
		err(1, "shut");
	fd = open_or_die(dir, "shut/file", O_RDWR | O_CREAT);
	sub = open_or_die(dir, "shut", O_RDONLY | O_DIRECTORY);
	if (fstatat(dir, "shut/file", &st, 0) || fchmod(sub, 0))
		err(1, "before");
	wants(EACCES, fstatat(dir, "shut/file", &st, 0), "stat below");
	wants(EACCES, openat(dir, "shut/file", O_RDONLY), "open below");
	wants(EACCES, openat(dir, "shut/new", O_WRONLY | O_CREAT, 0644), "create below");
	wants(EACCES, unlinkat(dir, "shut/file", 0), "unlink below");
	wants(EACCES, openat(dir, "shut", O_RDONLY | O_DIRECTORY), "listing");
	wants(EACCES, fchdir(sub), "going there");
	/* Open descriptors stay what they were. */
	if (write(fd, "x", 1) != 1 || fchmod(sub, 0755) || fstatat(dir, "shut/file", &st, 0) || st.st_size != 1)
		err(1, "after it was opened again");
	return unlinkat(dir, "shut/file", 0) || unlinkat(dir, "shut", AT_REMOVEDIR);
}

static const struct {
	const char *name;
	int (*run)(char **args);
	int args;
} commands[] = {
	{"bigdir", cmd_bigdir, 2}, {"names", cmd_names, 1}, {"deep", cmd_deep, 1}, {"sparse", cmd_sparse, 1},
	{"refusals", cmd_refusals, 1}, {"times", cmd_times, 1}, {"appends", cmd_appends, 4},
	{"appended", cmd_appended, 4}, {"race", cmd_race, 1}, {"textbusy", cmd_textbusy, 2},
	{"orphan", cmd_orphan, 2}, {"closed", cmd_closed, 1}, {"tmpfile", cmd_tmpfile, 1},
};

int main(int argc, char **argv)
{
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (argc == commands[i].args + 2 && !strcmp(argv[1], commands[i].name))
			return commands[i].run(argv + 2);
	errx(2, "no such command");
}
