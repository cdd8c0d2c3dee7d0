/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/mount/lock.c - file locks for the mount tests.
 *
 * `lock hold FILE r|w|rw` says "ready" and then answers one line for each line of its standard
 * input with "ok", the name of an errno, or what was asked for. The other subcommands exit 0 when
 * what they check holds.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static int open_or_die(const char *path, const char *mode)
{
	int flags = !strcmp(mode, "r") ? O_RDONLY : !strcmp(mode, "w") ? O_WRONLY : O_RDWR;
	int fd = open(path, flags | O_CLOEXEC);

	if (fd < 0)
		err(1, "%s", path);
	return fd;
}

static void nothing(int sig)
{
	(void)sig;
}

static int range(int fd, int cmd, short type, long start, long len)
{
	struct flock l = { .l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = len };

	return fcntl(fd, cmd, &l);
}

/* "free", or what is in the way: "w START LEN PID". */
static void test_lock(int fd, int cmd, short type, long start, long len)
{
	struct flock l = { .l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = len };

	if (fcntl(fd, cmd, &l))
		puts(strerrorname_np(errno));
	else if (l.l_type == F_UNLCK)
		puts("free");
	else
		printf("%c %ld %ld %d\n", l.l_type == F_WRLCK ? 'w' : 'r', (long)l.l_start,
		       (long)l.l_len, (int)l.l_pid);
}

static const struct {
	const char *word;
	int cmd;
	short type;
} words[] = {
	{ "r", F_SETLK, F_RDLCK },	{ "w", F_SETLK, F_WRLCK },
	{ "u", F_SETLK, F_UNLCK },	{ "R", F_SETLKW, F_RDLCK },
	{ "W", F_SETLKW, F_WRLCK },	{ "or", F_OFD_SETLK, F_RDLCK },
	{ "ow", F_OFD_SETLK, F_WRLCK }, { "ou", F_OFD_SETLK, F_UNLCK },
	{ "OR", F_OFD_SETLKW, F_RDLCK }, { "OW", F_OFD_SETLKW, F_WRLCK },
}, flocks[] = {
	{ "sh", LOCK_SH | LOCK_NB, 0 }, { "ex", LOCK_EX | LOCK_NB, 0 }, { "un", LOCK_UN, 0 },
	{ "SH", LOCK_SH, 0 },		{ "EX", LOCK_EX, 0 },
};

/* 1: no such word. */
static int lock_word(int fd, const char *word, long start, long len)
{
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (!strcmp(word, words[i].word))
			return range(fd, words[i].cmd, words[i].type, start, len);
	for (size_t i = 0; i < sizeof(flocks) / sizeof(flocks[0]); i++)
		if (!strcmp(word, flocks[i].word))
			return flock(fd, flocks[i].cmd);
	return 1;
}

static char *map;

/* What is no lock: contents, other descriptors, the clock. 1: no such word. */
static int other_word(const char *path, int *fd, const char *word, const char *mode, long number)
{
	char byte = 'y';

	if (!strcmp(word, "read"))
		return pread(*fd, &byte, 1, number) < 0 ? -1 : 0;
	if (!strcmp(word, "write"))
		return pwrite(*fd, &byte, 1, number) < 0 ? -1 : 0;
	if (!strcmp(word, "truncate"))
		return ftruncate(*fd, number);
	if (!strcmp(word, "reopen"))
		return close(*fd) ? -1 : (*fd = open_or_die(path, mode), 0);
	if (!strcmp(word, "touch")) /* another descriptor of the file, opened and closed */
		return close(open_or_die(path, "r"));
	if (!strcmp(word, "alarm"))
		return alarm((unsigned)number), 0;
	if (!strcmp(word, "map")) {
		map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, *fd, 0);
		return map == MAP_FAILED ? -1 : 0;
	}
	if (!strcmp(word, "close")) {
		int twin = dup(*fd);

		/* POSIX locks go, what belongs to the open file stays. */
		close(*fd);
		*fd = twin;
		return 0;
	}
	return 1;
}

static int cmd_hold(char **a)
{
	struct sigaction act = { .sa_handler = nothing }; /* no SA_RESTART */
	int fd = open_or_die(a[0], a[1]);
	char line[128], word[32];
	long start, len;

	sigaction(SIGALRM, &act, NULL);
	printf("ready %d\n", (int)getpid());
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin)) {
		int rc;

		start = len = 0;
		if (sscanf(line, "%31s %ld %ld", word, &start, &len) < 1)
			continue;
		if (!strcmp(word, "quit"))
			break;
		if (!strcmp(word, "g") || !strcmp(word, "gr") || !strcmp(word, "og")) {
			test_lock(fd, word[0] == 'o' ? F_OFD_GETLK : F_GETLK,
				  word[1] == 'r' ? F_RDLCK : F_WRLCK, start, len);
		} else {
			rc = lock_word(fd, word, start, len);
			if (rc == 1)
				rc = other_word(a[0], &fd, word, a[1], start);
			puts(rc == 1 ? "what?" : rc ? strerrorname_np(errno) : "ok");
		}
		fflush(stdout);
	}
	return 0;
}

/* N times: lock, read a number, write the next one, unlock. HOW: fcntl, ofd or flock. */
static int cmd_count(char **a)
{
	int fd = open_or_die(a[0], "rw"), n = atoi(a[2]);
	char text[16];

	for (int i = 0; i < n; i++) {
		if (!strcmp(a[1], "flock") ? flock(fd, LOCK_EX)
					   : range(fd, !strcmp(a[1], "ofd") ? F_OFD_SETLKW : F_SETLKW,
						   F_WRLCK, 0, 0))
			err(1, "lock");
		memset(text, 0, sizeof(text));
		if (pread(fd, text, 15, 0) < 0)
			err(1, "read");
		snprintf(text, sizeof(text), "%d", atoi(text) + 1);
		if (pwrite(fd, text, strlen(text), 0) < 0)
			err(1, "write");
		if (!strcmp(a[1], "flock") ? flock(fd, LOCK_UN)
					   : range(fd, !strcmp(a[1], "ofd") ? F_OFD_SETLK : F_SETLK,
						   F_UNLCK, 0, 0))
			err(1, "unlock");
	}
	return 0;
}

/* N waits for the lock, interrupted every now and then; what was given is given back. Both happened. */
static int cmd_storm(char **a)
{
	struct sigaction act = { .sa_handler = nothing };
	struct itimerval often = { { 0, 700 }, { 0, 700 } };
	int fd = open_or_die(a[0], "rw"), n = atoi(a[1]), got = 0, interrupted = 0;

	sigaction(SIGALRM, &act, NULL);
	setitimer(ITIMER_REAL, &often, NULL);
	for (int i = 0; i < n; i++) {
		if (range(fd, F_SETLKW, F_WRLCK, 0, 0)) {
			if (errno != EINTR)
				err(1, "lock");
			interrupted++;
			continue;
		}
		got++;
		for (volatile int k = 0; k < 20000; k++)
			;
		while (range(fd, F_SETLK, F_UNLCK, 0, 0))
			if (errno != EINTR)
				err(1, "unlock");
	}
	fprintf(stderr, "%d locked, %d interrupted\n", got, interrupted);
	return !got || !interrupted;
}

/* Asks for N single bytes with gaps; says how many it got and why not more; holds them until a line comes. */
static int cmd_ranges(char **a)
{
	int fd = open_or_die(a[0], "rw"), error = 0;
	long n = atol(a[1]), got = 0;
	char line[16];

	for (long i = 0; i < n; i++) {
		if (range(fd, F_SETLK, F_WRLCK, 1000 + 2 * i, 1))
			error = errno;
		else
			got++;
	}
	printf("%ld %s\n", got, error ? strerrorname_np(error) : "ok");
	fflush(stdout);
	return !fgets(line, sizeof(line), stdin);
}

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static long refused, granted, failed;

static void *wait_one(void *arg)
{
	int rc = range(*(int *)arg, F_SETLKW, F_WRLCK, 0, 1) ? errno : 0;

	pthread_mutex_lock(&mutex);
	if (rc == ENOLCK)
		refused++;
	else if (rc)
		failed++;
	else
		granted++;
	pthread_mutex_unlock(&mutex);
	return NULL;
}

/* N threads wait for the first byte. Says how many were refused once nobody is any more; at each line how many came in. */
static int cmd_waiters(char **a)
{
	static int fd;
	int n = atoi(a[1]);
	pthread_attr_t attr;
	char line[16];
	long before = -1, now = 0;

	fd = open_or_die(a[0], "rw");
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attr, 32768);
	for (int i = 0; i < n; i++) {
		pthread_t t;

		while (pthread_create(&t, &attr, wait_one, &fd))
			usleep(10000);
	}
	while (now != before || now == 0) {
		usleep(300000);
		before = now;
		pthread_mutex_lock(&mutex);
		now = refused;
		pthread_mutex_unlock(&mutex);
	}
	printf("%ld\n", now);
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin) && strcmp(line, "quit\n")) {
		pthread_mutex_lock(&mutex);
		printf("%ld %ld\n", granted, failed);
		pthread_mutex_unlock(&mutex);
		fflush(stdout);
	}
	return 0;
}

static const struct {
	const char *name;
	int (*run)(char **args);
	int args;
} commands[] = {
	{ "hold", cmd_hold, 2 },
	{ "count", cmd_count, 3 },
	{ "storm", cmd_storm, 2 },
	{ "ranges", cmd_ranges, 2 },
	{ "waiters", cmd_waiters, 2 },
};

int main(int argc, char **argv)
{
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (argc == commands[i].args + 2 && !strcmp(argv[1], commands[i].name))
			return commands[i].run(argv + 2);
	errx(2, "no such probe");
}
