/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/mount/attack.c - small hostile programs for the mount tests: what a practitioner who means
 * harm could run on the own mount. Each subcommand exits 0 when it did what it is for.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#ifdef __x86_64__
static void no_call(int sig)
{
	(void)sig;
	_exit(77);
}
#endif

/*
 * Opens with no flags at all, which only a 32-bit program can (a 64-bit one always sends
 * O_LARGEFILE) and which looks like lsattr to the daemon; then reads. Exits 77 where the kernel has
 * no 32-bit calls.
 */
static int cmd_open32(char **a)
{
#ifdef __x86_64__
	char *low = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT,
			 -1, 0);
	long fd;

	if (low == MAP_FAILED || strlen(a[0]) >= 4096)
		return 77;
	strcpy(low, a[0]);
	signal(SIGSEGV, no_call); /* what such a kernel may send instead of ENOSYS */
	__asm__ volatile("int $0x80"
			 : "=a"(fd)
			 : "a"(5L), "b"((long)low), "c"(0L), "d"(0L)
			 : "memory", "r8", "r9", "r10", "r11");
	signal(SIGSEGV, SIG_DFL);
	if (fd == -ENOSYS)
		return 77;
	if (fd < 0)
		errx(1, "open: %s", strerror((int)-fd));
	if (read((int)fd, low, 4096) <= 0)
		err(1, "read");
	return 0;
#else
	(void)a;
	return 77;
#endif
}

/* Writes through a shared mapping, syncs nothing, says "ready" and waits for a line. */
static int cmd_dirty(char **a)
{
	int fd = open(a[0], O_RDWR | O_CREAT, 0644);
	char line[16], *p;

	if (fd < 0 || ftruncate(fd, 4096))
		err(1, "%s", a[0]);
	p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED)
		err(1, "mmap");
	memcpy(p, "typed but not saved", 19);
	puts("ready");
	fflush(stdout);
	return fgets(line, sizeof(line), stdin) ? 0 : 1;
}

/* Opens and closes N times. */
static int cmd_opens(char **a)
{
	for (int i = atoi(a[1]); i > 0; i--) {
		int fd = open(a[0], O_RDONLY);

		if (fd < 0)
			err(1, "open");
		close(fd);
	}
	return 0;
}

/* Opens, says "ready", and after a line reads one page after the other, each by itself. */
static int cmd_pages(char **a)
{
	int fd = open(a[0], O_RDONLY);
	char line[16], page[4096];

	if (fd < 0 || posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM))
		err(1, "%s", a[0]);
	puts("ready");
	fflush(stdout);
	if (!fgets(line, sizeof(line), stdin))
		return 1;
	for (;;) {
		for (off_t at = 0; pread(fd, page, sizeof(page), at) > 0; at += sizeof(page))
			;
		/* Nothing was stolen, or it is over: once more, from the daemon. */
		if (posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) || pread(fd, page, 1, 0) < 0)
			return 0;
	}
}

/* Lists a directory into a page that is mapped from a file of the same mount; "ready" before. */
static int cmd_into(char **a)
{
	int dir = open(a[0], O_RDONLY | O_DIRECTORY), fd = open(a[1], O_RDWR);
	char line[16], *p;

	if (dir < 0 || fd < 0)
		err(1, "open");
	p = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED)
		err(1, "mmap");
	puts("ready");
	fflush(stdout);
	if (!fgets(line, sizeof(line), stdin))
		return 1;
	for (;;) {
		/* From the daemon each time: the page is fetched while the directory is being read. */
		if (posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) || madvise(p, 65536, MADV_DONTNEED) ||
		    lseek(dir, 0, SEEK_SET) < 0 || syscall(SYS_getdents64, dir, p, 65536) < 0)
			return 0;
	}
}

/* ---- in the place of fusermount3 ---- */

static void send_fd(int sock, int fd)
{
	char space[CMSG_SPACE(sizeof(int))] = {0}, byte = 0;
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = space,
			    .msg_controllen = sizeof(space) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	if (sendmsg(sock, &m, 0) < 0)
		err(1, "sendmsg");
}

static int receive_fd(int sock)
{
	char space[CMSG_SPACE(sizeof(int))], byte;
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = space,
			    .msg_controllen = sizeof(space) };
	int fd = -1;

	if (recvmsg(sock, &m, 0) > 0 && CMSG_FIRSTHDR(&m))
		memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof(fd));
	return fd;
}

#define OP_READ 15
#define OP_WRITE 16
#define DRIPS 12

/* So that the test knows: the daemon may have been quicker each time. */
static void say_stolen(void)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s/stolen", getenv("HOME"));
	close(open(path, O_WRONLY | O_CREAT, 0644));
}

/* Takes requests off the mount without ever answering, until it has enough of this kind; holds them. */
static void steal(int fd, uint32_t kind, int enough)
{
	static char buf[2 << 20];
	uint32_t opcode;

	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
	while (enough > 0 && read(fd, buf, sizeof(buf)) > 0) {
		memcpy(&opcode, buf + 4, sizeof(opcode));
		enough -= opcode == kind;
	}
	if (!enough)
		say_stolen();
	pause();
}

/* Takes READs of several files and answers one in a while: never so late that it counts as stalling. */
static void drip(int fd)
{
	static char buf[2 << 20];
	struct {
		uint32_t len;
		int32_t error;
		uint64_t unique;
	} answer = { .len = 16, .error = -EIO };
	uint64_t unique[DRIPS];
	uint32_t opcode;
	int n = 0;

	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
	while (n < DRIPS && read(fd, buf, sizeof(buf)) > 0) {
		memcpy(&opcode, buf + 4, sizeof(opcode));
		memcpy(&unique[n], buf + 8, sizeof(*unique));
		n += opcode == OP_READ;
	}
	if (n == DRIPS)
		say_stolen();
	for (int i = 0; i < n; i++) {
		usleep(900000);
		answer.unique = unique[i];
		if (write(fd, &answer, sizeof(answer)) < 0)
			break;
	}
	pause();
}

/*
 * MODE other: a device that nobody mounted is handed over. The others hand over the real one, but a
 * copy stays with a process that does its work when the file $HOME/steal appears: keep steals a READ,
 * swallow a WRITE, drip answers READs late; flags makes the copy's reads wait, from the beginning.
 */
static int cmd_fusermount(char **a)
{
	const char *mode = getenv("ATTACK"), *home = getenv("HOME"), *comm = getenv("_FUSE_COMMFD");
	int pair[2], fd, status;
	char number[16], go[4096];

	if (!comm || !mode) {
		execv("/usr/bin/fusermount3", a);
		err(1, "fusermount3");
	}
	if (!strcmp(mode, "other")) {
		send_fd(atoi(comm), open("/dev/fuse", O_RDWR));
		return 0;
	}
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair))
		err(1, "socketpair");
	if (fork() == 0) {
		snprintf(number, sizeof(number), "%d", pair[0]);
		setenv("_FUSE_COMMFD", number, 1);
		execv("/usr/bin/fusermount3", a);
		err(1, "fusermount3");
	}
	if (wait(&status) < 0 || status)
		return 1;
	fd = receive_fd(pair[1]);
	send_fd(atoi(comm), fd);
	if (fork() == 0) {
		setsid();
		close(atoi(comm));
		if (!strcmp(mode, "flags"))
			fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
		snprintf(go, sizeof(go), "%s/steal", home);
		while (access(go, F_OK))
			usleep(20000);
		if (!strcmp(mode, "drip"))
			drip(fd);
		steal(fd, strcmp(mode, "swallow") ? OP_READ : OP_WRITE, 1);
	}
	return 0;
}

/* ---- on the socket ---- */

static void frame(int s, const char *json, size_t blob)
{
	unsigned char buf[512] = {0};
	size_t len = strlen(json);

	buf[0] = (unsigned char)len;
	buf[4] = (unsigned char)blob;
	memcpy(buf + 8, json, len);
	if (send(s, buf, 8 + len + blob, MSG_NOSIGNAL) < 0)
		err(1, "send");
}

/*
 * Asks for the whole log and takes it at 80 KB a second, never so little that it counts as stuck;
 * "ready" when it flows.
 */
static int cmd_slow(char **a)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	int s = socket(AF_UNIX, SOCK_STREAM, 0), small = 2048;
	char buf[16000];

	snprintf(to.sun_path, sizeof(to.sun_path), "%s", a[0]);
	setsockopt(s, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	if (connect(s, (struct sockaddr *)&to, sizeof(to)))
		err(1, "connect");
	frame(s, "{\"verb\":\"hello\",\"protocol\":1}", 32);
	if (read(s, buf, sizeof(buf)) <= 0)
		err(1, "hello");
	frame(s, "{\"verb\":\"audit\"}", 0);
	for (int n = 0; read(s, buf, sizeof(buf)) > 0; n++) {
		if (n == 1) {
			puts("ready");
			fflush(stdout);
		}
		usleep(200000);
	}
	return 0;
}

static const struct {
	const char *name;
	int (*run)(char **args);
	int args;
} commands[] = {
	{ "open32", cmd_open32, 1 },
	{ "dirty", cmd_dirty, 1 },
	{ "opens", cmd_opens, 2 },
	{ "slow", cmd_slow, 1 },
	{ "pages", cmd_pages, 1 },
	{ "into", cmd_into, 2 },
};

int main(int argc, char **argv)
{
	/* Under the name of a program that the agent runs. */
	if (strstr(argv[0], "fusermount3"))
		return cmd_fusermount(argv);
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (argc == commands[i].args + 2 && !strcmp(argv[1], commands[i].name))
			return commands[i].run(argv + 2);
	errx(2, "no such attack");
}
