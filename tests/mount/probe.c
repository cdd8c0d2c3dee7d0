/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/mount/probe.c - small programs for the mount tests: what a shell cannot do by itself.
 * Each subcommand exits 0 when what it checks holds and says on standard error what does not.
 */
#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static int open_or_die(const char *path, int flags)
{
	int fd = open(path, flags, 0644);

	if (fd < 0)
		err(1, "%s", path);
	return fd;
}

/* A mapping written, synced and read back through read(). */
static int cmd_mmap(char **a)
{
	int fd = open_or_die(a[0], O_RDWR | O_CREAT | O_TRUNC);
	char back[5000], *p;

	if (ftruncate(fd, sizeof(back)))
		err(1, "ftruncate");
	p = mmap(NULL, sizeof(back), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED)
		err(1, "mmap");
	memset(p, 'm', sizeof(back));
	if (msync(p, sizeof(back), MS_SYNC))
		err(1, "msync");
	if (pread(fd, back, sizeof(back), 0) != sizeof(back))
		err(1, "pread");
	for (size_t i = 0; i < sizeof(back); i++)
		if (back[i] != 'm')
			errx(1, "byte %zu is not what was mapped", i);
	return 0;
}

/* A file unlinked while open keeps its contents, also for writing, until closed. */
static int cmd_unlinked(char **a)
{
	int fd = open_or_die(a[0], O_RDWR | O_CREAT | O_TRUNC);
	char back[6];
	struct stat st;

	if (write(fd, "hello ", 6) != 6 || unlink(a[0]))
		err(1, "unlink");
	if (write(fd, "again", 5) != 5 || pread(fd, back, 5, 6) != 5 || memcmp(back, "again", 5))
		err(1, "an unlinked file lost its contents");
	if (fstat(fd, &st) || st.st_nlink != 0 || st.st_size != 11)
		errx(1, "fstat of an unlinked file is wrong");
	if (!access(a[0], F_OK))
		errx(1, "the name is still there");
	return 0;
}

/* N processes append L lines each: every line is whole and none is lost. */
static int cmd_append(char **a)
{
	int procs = atoi(a[1]), lines = atoi(a[2]), status, total = 0;
	char line[64];
	FILE *f;

	close(open_or_die(a[0], O_WRONLY | O_CREAT | O_TRUNC));
	for (int p = 0; p < procs; p++)
		if (fork() == 0) {
			int fd = open_or_die(a[0], O_WRONLY | O_APPEND);

			for (int i = 0; i < lines; i++) {
				int n = snprintf(line, sizeof(line), "process %d line %06d\n", p, i);

				if (write(fd, line, (size_t)n) != n)
					_exit(1);
			}
			_exit(0);
		}
	for (int p = 0; p < procs; p++)
		if (wait(&status) < 0 || status)
			errx(1, "a writer failed");
	f = fopen(a[0], "r");
	while (f && fgets(line, sizeof(line), f)) {
		int p, i;

		if (sscanf(line, "process %d line %6d", &p, &i) != 2)
			errx(1, "a broken line: %s", line);
		total++;
	}
	if (total != procs * lines)
		errx(1, "%d lines of %d", total, procs * lines);
	return 0;
}

/* Holds a file open (r or w), prints "ready", and at each line on stdin tries to read; prints the errno name. */
static int cmd_hold(char **a)
{
	int fd = open_or_die(a[0], strcmp(a[1], "w") ? O_RDONLY : O_RDWR);
	char line[16], byte;

	puts("ready");
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin)) {
		ssize_t n = line[0] == 'w' ? pwrite(fd, "x", 1, 0) : pread(fd, &byte, 1, 0);

		puts(n == 1 ? "ok" : n == 0 ? "eof" : strerrorname_np(errno));
		fflush(stdout);
	}
	return 0;
}

static sigjmp_buf bus;
static void on_bus(int sig)
{
	siglongjmp(bus, sig);
}

/* Maps a file; at each line on stdin touches it; prints "ok" or "SIGBUS". */
static int cmd_holdmap(char **a)
{
	int fd = open_or_die(a[0], O_RDONLY);
	volatile char *p = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
	char line[16];

	if (p == MAP_FAILED)
		err(1, "mmap");
	signal(SIGBUS, on_bus);
	(void)p[0];
	puts("ready");
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin)) {
		if (sigsetjmp(bus, 1)) {
			puts("SIGBUS");
		} else {
			(void)p[0];
			puts("ok");
		}
		fflush(stdout);
	}
	return 0;
}

/* Entries of a directory of N names each seen exactly once while others come and go. */
static int cmd_readdir(char **a)
{
	int n = atoi(a[1]), seen = 0, step = 0;
	char path[4096];
	struct dirent *e;
	DIR *d;

	for (int i = 0; i < n; i++) {
		snprintf(path, sizeof(path), "%s/stable-%05d", a[0], i);
		close(open_or_die(path, O_WRONLY | O_CREAT));
	}
	d = opendir(a[0]);
	while (d && (e = readdir(d))) {
		if (!strncmp(e->d_name, "stable-", 7))
			seen++;
		snprintf(path, sizeof(path), "%s/passing-%05d", a[0], step++);
		close(open_or_die(path, O_WRONLY | O_CREAT));
		if (step % 3 == 0)
			unlink(path);
	}
	if (seen != n)
		errx(1, "%d of %d stable names seen", seen, n);
	return 0;
}

/* write, fsync, print a number, until killed: FILE.N for N = 1, 2, ... */
static int cmd_fsyncs(char **a)
{
	char path[4096], text[64];

	for (int i = 1;; i++) {
		int fd, n;

		snprintf(path, sizeof(path), "%s.%d", a[0], i);
		fd = open(path, O_WRONLY | O_CREAT, 0644);
		n = snprintf(text, sizeof(text), "contents of number %d\n", i);
		if (fd < 0 || write(fd, text, (size_t)n) != n || fsync(fd))
			return 0;
		close(fd);
		printf("%d\n", i);
		fflush(stdout);
	}
}

/* Connects to a UNIX socket, sends bytes of stdin, then waits for the end (or SECONDS). */
static int cmd_peer(char **a)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	int s = socket(AF_UNIX, SOCK_STREAM, 0);
	char buf[4096];
	ssize_t n;

	snprintf(to.sun_path, sizeof(to.sun_path), "%s", a[0]);
	if (connect(s, (struct sockaddr *)&to, sizeof(to)))
		err(1, "connect");
	alarm((unsigned)atoi(a[1]));
	while ((n = read(0, buf, sizeof(buf))) > 0)
		if (send(s, buf, (size_t)n, MSG_NOSIGNAL) < 0)
			break;
	while (read(s, buf, sizeof(buf)) > 0)
		;
	return 0;
}

static const struct {
	const char *name;
	int (*run)(char **args);
	int args;
} commands[] = {
	{ "mmap", cmd_mmap, 1 },       { "unlinked", cmd_unlinked, 1 }, { "append", cmd_append, 3 },
	{ "hold", cmd_hold, 2 },       { "holdmap", cmd_holdmap, 1 },	{ "readdir", cmd_readdir, 2 },
	{ "fsyncs", cmd_fsyncs, 1 },   { "peer", cmd_peer, 2 },
};

int main(int argc, char **argv)
{
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (argc == commands[i].args + 2 && !strcmp(argv[1], commands[i].name))
			return commands[i].run(argv + 2);
	errx(2, "no such probe");
}
