/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/mount/revoke.c - everything that programs may have under way when access is taken away.
 *
 * `hold DIR NAME` makes files NAME.* in DIR, starts programs that write, read, list and map without
 * pause, holds descriptors, mappings and the directory itself, says "ready", and at a line on
 * standard input tries every way to what it held: one line "readable: WAY" for each that still gives
 * plaintext, "writable: WAY" for each that still changes something, then "end". `steady FILE` is
 * the colleague who must not notice: writes, reads back and syncs until a line comes, then says how
 * often; at the first error it says which.
 */
#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGES 16
#define PAGE 4096
#define LOOPS 4

static const char *dir, *name;
static sigjmp_buf bus;

static void on_bus(int sig)
{
	(void)sig;
	siglongjmp(bus, 1);
}

static char *path_of(const char *suffix)
{
	static char path[4][4096];
	static unsigned next;
	char *p = path[next++ % 4];

	snprintf(p, 4096, "%s/%s.%s", dir, name, suffix);
	return p;
}

static int open_or_die(const char *path, int flags)
{
	int fd = open(path, flags, 0644);

	if (fd < 0)
		err(1, "%s", path);
	return fd;
}

static void fill(const char *path, size_t len)
{
	int fd = open_or_die(path, O_RDWR | O_CREAT | O_TRUNC);
	char page[PAGE];

	memset(page, 'p', sizeof(page));
	for (size_t at = 0; at < len; at += sizeof(page))
		if (write(fd, page, sizeof(page)) != (ssize_t)sizeof(page))
			err(1, "write %s", path);
	close(fd);
}

/* ---- programs without pause: each ends at its first error ---- */

static int loop_write(void)
{
	int fd = open_or_die(path_of("written"), O_RDWR | O_CREAT);
	char block[PAGE] = "a block";

	for (off_t at = 0;; at = (at + PAGE) % (64 * PAGE))
		if (pwrite(fd, block, sizeof(block), at) < 0)
			return errno;
}

static int loop_read(void)
{
	char block[PAGE];

	for (;;) {
		int fd = open(path_of("read"), O_RDONLY);

		if (fd < 0 || pread(fd, block, sizeof(block), 0) < 0)
			return errno;
		close(fd);
	}
}

static int loop_list(void)
{
	for (;;) {
		DIR *d = opendir(dir);
		struct dirent *e;

		if (!d)
			return errno;
		errno = 0;
		while ((e = readdir(d)))
			;
		if (errno)
			return errno;
		closedir(d);
	}
}

/* Dirties one page after the other, without end, of a file of its own. */
static int loop_map(void)
{
	int fd = open_or_die(path_of("dirtied"), O_RDWR);
	volatile char *p = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (p == MAP_FAILED)
		return errno;
	signal(SIGBUS, on_bus);
	if (sigsetjmp(bus, 1))
		return EFAULT;
	for (unsigned n = 0;; n++)
		p[n % PAGES * PAGE]++;
}

static int (*const loops[LOOPS])(void) = {loop_write, loop_read, loop_list, loop_map};
static const char *const loop_names[LOOPS] = {"the write loop", "the read loop", "the list loop",
					      "the map loop"};
static pid_t loop_pid[LOOPS];

/* ---- what is held ---- */

static struct {
	int read_fd, write_fd, dir_fd, path_fd, dirty_fd;
	char *read_map, *dirty_map, *private_map;
} h;

static char *map_or_die(int fd, size_t len, int prot, int flags)
{
	char *p = mmap(NULL, len, prot, flags, fd, 0);

	if (p == MAP_FAILED)
		err(1, "mmap");
	return p;
}

static void take_hold(void)
{
	char page[PAGE];

	h.read_fd = open_or_die(path_of("read"), O_RDONLY);
	if (pread(h.read_fd, page, sizeof(page), 0) != PAGE)
		err(1, "read");
	h.write_fd = open_or_die(path_of("held"), O_RDWR);
	h.dir_fd = open_or_die(dir, O_RDONLY | O_DIRECTORY);
	h.path_fd = open_or_die(path_of("read"), O_PATH);
	h.read_map = map_or_die(h.read_fd, PAGES * PAGE, PROT_READ, MAP_SHARED);
	h.private_map = map_or_die(h.read_fd, PAGES * PAGE, PROT_READ, MAP_PRIVATE);
	(void)*(volatile char *)h.read_map;
	(void)*(volatile char *)h.private_map;
	if (chdir(dir))
		err(1, "chdir");
	/* What is typed but not saved: a page each, nothing synced. */
	h.dirty_fd = open_or_die(path_of("typed"), O_RDWR);
	h.dirty_map = map_or_die(h.dirty_fd, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED);
	for (int n = 0; n < PAGES; n++)
		snprintf(h.dirty_map + n * PAGE, 64, "typed but not saved, page %d\n", n);
}

/* ---- every way to it ---- */

static bool reads(int fd)
{
	char byte;

	return fd >= 0 && pread(fd, &byte, 1, 0) == 1;
}

static bool touches(volatile char *p, bool write)
{
	if (sigsetjmp(bus, 1))
		return false;
	if (write)
		p[0] = 'x';
	return p[0] || true;
}

static bool lists(int fd)
{
	char buf[4096];

	return fd >= 0 && (lseek(fd, 0, SEEK_SET), syscall(SYS_getdents64, fd, buf, sizeof(buf)) > 0);
}

static bool reopened(int fd)
{
	char link[64];

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	return reads(open(link, O_RDONLY));
}

static bool maps_anew(int fd)
{
	char *p = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);

	return p != MAP_FAILED && touches(p, false);
}

static bool sends(int fd)
{
	int out = memfd_create("out", 0);
	off_t at = 0;

	return sendfile(out, fd, &at, 16) > 0;
}

static bool splices(int fd)
{
	int p[2];
	off_t at = 0;

	return !pipe(p) && splice(fd, &at, p[1], NULL, 16, 0) > 0;
}

static bool cached_pages(void)
{
	struct stat st;
	char small[128];

	snprintf(small, sizeof(small), "%s.read", name);
	return !fstatat(h.dir_fd, small, &st, 0) && st.st_size > 0;
}

static void say(bool still, const char *what, const char *way)
{
	if (still)
		printf("%s: %s\n", what, way);
}

static void check_reading(void)
{
	char small[128];

	snprintf(small, sizeof(small), "%s.read", name);
	say(reads(h.read_fd), "readable", "a descriptor");
	say(reads(h.write_fd), "readable", "a descriptor for writing too");
	say(reads(h.dirty_fd), "readable", "the descriptor under a mapping");
	say(touches(h.read_map, false), "readable", "a shared mapping");
	say(touches(h.read_map + PAGE, false), "readable", "a page of a mapping not touched before");
	say(touches(h.private_map, false), "readable", "a private mapping");
	say(touches(h.dirty_map, false), "readable", "a dirty mapping");
	say(maps_anew(h.read_fd), "readable", "a mapping made afterwards");
	say(sends(h.read_fd), "readable", "sendfile");
	say(splices(h.read_fd), "readable", "splice");
	say(reopened(h.read_fd), "readable", "a descriptor opened again");
	say(reopened(h.path_fd), "readable", "an O_PATH descriptor opened again");
	say(reads(openat(h.dir_fd, small, O_RDONLY)), "readable", "a name in a held directory");
	say(reads(open(small, O_RDONLY)), "readable", "a name in the working directory");
	say(reads(open(path_of("read"), O_RDONLY)), "readable", "a path");
	say(lists(h.dir_fd), "readable", "listing a held directory");
	say(lists(open(".", O_RDONLY | O_DIRECTORY)), "readable", "listing the working directory");
	say(lists(open(dir, O_RDONLY | O_DIRECTORY)), "readable", "listing by path");
	say(cached_pages(), "readable", "attributes of a cached name");
}

static void check_writing(void)
{
	say(pwrite(h.write_fd, "x", 1, 0) == 1, "writable", "a descriptor");
	say(touches(h.dirty_map, true) && !msync(h.dirty_map, PAGE, MS_SYNC), "writable", "a mapping");
	say(!ftruncate(h.write_fd, 1), "writable", "truncating");
	say(open(path_of("new"), O_WRONLY | O_CREAT, 0644) >= 0, "writable", "making a file");
	say(!unlink(path_of("held")), "writable", "deleting a file");
}

/* Loops that have not met an error five seconds after the question. */
static void check_loops(bool may_read)
{
	for (int n = 0; n < LOOPS; n++) {
		/* What it changes in its own pages where it may read does not arrive; the script looks. */
		bool ended = may_read && n > 0;
		int status;

		for (int wait = 0; wait < 100 && !ended; wait++) {
			ended = waitpid(loop_pid[n], &status, WNOHANG) == loop_pid[n];
			if (!ended)
				usleep(50000);
		}
		say(!ended, n == 1 || n == 2 ? "readable" : "writable", loop_names[n]);
		kill(loop_pid[n], SIGKILL);
	}
}

static int cmd_hold(char **a)
{
	char line[16];

	dir = a[0];
	name = a[1];
	fill(path_of("read"), PAGES * PAGE);
	fill(path_of("held"), PAGE);
	fill(path_of("typed"), PAGES * PAGE);
	fill(path_of("dirtied"), PAGES * PAGE);
	take_hold();
	for (int n = 0; n < LOOPS; n++) {
		loop_pid[n] = fork();
		if (loop_pid[n] == 0)
			_exit(loops[n]());
	}
	usleep(200000);
	puts("ready");
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin)) {
		signal(SIGBUS, on_bus);
		check_writing();
		if (line[0] != 'w') /* only writing was taken away */
			check_reading();
		check_loops(line[0] == 'w');
		puts("end");
		fflush(stdout);
	}
	for (int n = 0; n < LOOPS; n++)
		kill(loop_pid[n], SIGKILL);
	return 0;
}

/* ---- the colleague ---- */

static int cmd_steady(char **a)
{
	struct pollfd p = {.fd = 0, .events = POLLIN};
	int fd = open_or_die(a[0], O_RDWR | O_CREAT);
	char out[64], back[64], line[16];
	unsigned long n;

	puts("ready");
	fflush(stdout);
	for (n = 0;; n++) {
		int len = snprintf(out, sizeof(out), "entry number %lu\n", n);

		if (pwrite(fd, out, (size_t)len, 0) != len || fdatasync(fd) ||
		    pread(fd, back, (size_t)len, 0) != len || memcmp(out, back, (size_t)len)) {
			printf("failed at %lu: %s\n", n, strerror(errno));
			fflush(stdout);
			return 1;
		}
		if (poll(&p, 1, 0) == 1 && fgets(line, sizeof(line), stdin)) {
			printf("%lu\n", n);
			fflush(stdout);
			if (line[0] == 'q')
				return 0;
		} else if (p.revents & POLLHUP) {
			return 0;
		}
	}
}

int main(int argc, char **argv)
{
	if (argc == 4 && !strcmp(argv[1], "hold"))
		return cmd_hold(argv + 2);
	if (argc == 3 && !strcmp(argv[1], "steady"))
		return cmd_steady(argv + 2);
	errx(2, "hold DIR NAME, or steady FILE");
}
