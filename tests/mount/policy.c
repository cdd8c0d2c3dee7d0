/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/mount/policy.c - what the tests of `.policy` need and a shell can't do: calls one by one,
 * each with the errno that it got.
 */
#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

static const char *answer(int rc)
{
	return rc < 0 ? strerrorname_np(errno) : "ok";
}

/* Text of stdin to a file: "open ok", "write ok", "fsync ...", "close ...". */
static int put(const char *path, int flags, int sync)
{
	static char buf[1 << 20];
	size_t len = fread(buf, 1, sizeof(buf), stdin);
	int fd = open(path, flags, 0600), rc = 0;

	if (fd < 0) {
		printf("open %s\n", answer(fd));
		return 1;
	}
	if (len && write(fd, buf, len) != (ssize_t)len) {
		printf("write %s\n", answer(-1));
		rc = 1;
	}
	if (sync && fsync(fd)) {
		printf("fsync %s\n", answer(-1));
		rc = 1;
	}
	if (close(fd)) {
		printf("close %s\n", answer(-1));
		rc = 1;
	}
	if (!rc)
		puts("ok");
	return rc;
}

static int by_rename(const char *path)
{
	char temp[4096];
	int rc;

	snprintf(temp, sizeof(temp), "%s.new", path);
	if (put(temp, O_WRONLY | O_CREAT | O_EXCL, 1))
		return 1;
	rc = rename(temp, path);
	printf("rename %s\n", answer(rc));
	if (rc)
		unlink(temp);
	return rc ? 1 : 0;
}

/* How: close, fsync, rename, append. */
static int cmd_save(char **a)
{
	if (!strcmp(a[0], "rename"))
		return by_rename(a[1]);
	if (!strcmp(a[0], "append"))
		return put(a[1], O_WRONLY | O_APPEND, 0);
	return put(a[1], O_WRONLY | O_CREAT | O_TRUNC, !strcmp(a[0], "fsync"));
}

static int try_open(const char *path, int flags)
{
	int fd = open(path, flags, 0600);

	if (fd >= 0)
		close(fd);
	return fd;
}

static int try_map(const char *path)
{
	int fd = open(path, O_RDONLY);
	void *p;

	if (fd < 0)
		return fd;
	p = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
	close(fd);
	return p == MAP_FAILED ? -1 : 0;
}

static int try_list(const char *path)
{
	DIR *d = opendir(path);

	if (!d)
		return -1;
	closedir(d);
	return 0;
}

static int try(const char *what, const char *path, const char *other)
{
	struct stat st;
	char buf[64];

	if (!strcmp(what, "stat"))
		return stat(path, &st);
	if (!strcmp(what, "read"))
		return try_open(path, O_RDONLY);
	if (!strcmp(what, "write"))
		return try_open(path, O_WRONLY);
	if (!strcmp(what, "cut"))
		return try_open(path, O_WRONLY | O_TRUNC);
	if (!strcmp(what, "create"))
		return try_open(path, O_WRONLY | O_CREAT | O_EXCL);
	if (!strcmp(what, "mmap"))
		return try_map(path);
	if (!strcmp(what, "list"))
		return try_list(path);
	if (!strcmp(what, "mkdir"))
		return mkdir(path, 0700);
	if (!strcmp(what, "unlink"))
		return unlink(path);
	if (!strcmp(what, "truncate"))
		return truncate(path, 3);
	if (!strcmp(what, "chmod"))
		return chmod(path, 0644);
	if (!strcmp(what, "chown"))
		return chown(path, getuid(), getgid());
	if (!strcmp(what, "utimens"))
		return utimensat(AT_FDCWD, path, NULL, 0);
	if (!strcmp(what, "rename"))
		return rename(path, other);
	if (!strcmp(what, "link"))
		return link(path, other);
	if (!strcmp(what, "symlink"))
		return symlink("x", path);
	if (!strcmp(what, "mkfifo"))
		return mkfifo(path, 0600);
	if (!strcmp(what, "setxattr"))
		return setxattr(path, "user.x", "y", 1, 0);
	if (!strcmp(what, "getxattr"))
		return (int)getxattr(path, "user.x", buf, sizeof(buf));
	errx(2, "no such call: %s", what);
}

/* CALL PATH OTHER: its errno, or "ok". */
static int cmd_try(char **a)
{
	puts(answer(try(a[0], a[1], a[2])));
	return 0;
}

/*
 * Opens (r or w) and does what each line says: r reads from the start, w writes at it, s syncs, c
 * closes and ends; prints the first line read, or the errno.
 */
static int cmd_hold(char **a)
{
	int fd = open(a[0], *a[1] == 'w' ? O_RDWR : O_RDONLY);
	char line[16], text[256];

	if (fd < 0)
		err(1, "%s", a[0]);
	puts("ready");
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin)) {
		ssize_t n = 0;

		memset(text, 0, sizeof(text));
		if (*line == 'r')
			n = pread(fd, text, sizeof(text) - 1, 0);
		else if (*line == 'w')
			n = pwrite(fd, "#", 1, 0);
		else if (*line == 's')
			n = fsync(fd);
		else
			n = close(fd);
		text[strcspn(text, "\n")] = '\0';
		puts(n < 0 ? answer(-1) : *text ? text : "ok");
		fflush(stdout);
		if (*line == 'c')
			break;
	}
	return 0;
}

/* Reads FILE whole again and again while STOP is not there: each must be one text. */
static int cmd_whole(char **a)
{
	static char buf[1 << 18];
	int n = 0;

	while (access(a[1], F_OK)) {
		int fd = open(a[0], O_RDONLY), first = -1, last = -2;
		size_t len = 0;
		ssize_t got;
		char *end;

		if (fd < 0)
			err(1, "%s", a[0]);
		/* Small reads, so that a version may come between them. */
		while ((got = read(fd, buf + len, 97)) > 0)
			len += (size_t)got;
		if (got < 0)
			err(1, "read");
		close(fd);
		buf[len] = '\0';
		sscanf(buf, "# save %d", &first);
		end = strstr(buf, "# end ");
		if (end)
			sscanf(end, "# end %d", &last);
		if (first != last || buf[len - 1] != '\n')
			errx(1, "a mixed text: begins with %d, ends with %d", first, last);
		n++;
	}
	printf("%d\n", n);
	return n ? 0 : 1;
}

/* fcntl and flock locks can be taken and given back. */
static int cmd_lock(char **a)
{
	struct flock l = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	int fd = open(a[0], O_RDWR);

	if (fd < 0 || fcntl(fd, F_SETLK, &l) || flock(fd, LOCK_EX | LOCK_NB))
		err(1, "%s", a[0]);
	l.l_type = F_UNLCK;
	if (fcntl(fd, F_SETLK, &l) || flock(fd, LOCK_UN) || close(fd))
		err(1, "unlock");
	return 0;
}

static const struct {
	const char *name;
	int (*run)(char **args);
	int args;
} commands[] = {
	{"save", cmd_save, 2}, {"try", cmd_try, 3},   {"hold", cmd_hold, 2},
	{"whole", cmd_whole, 2}, {"lock", cmd_lock, 1},
};

int main(int argc, char **argv)
{
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (argc == commands[i].args + 2 && !strcmp(argv[1], commands[i].name))
			return commands[i].run(argv + 2);
	errx(2, "no such probe");
}
