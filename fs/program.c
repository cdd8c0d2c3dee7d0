/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/program.c - names of programs, from /proc.
 *
 * A program makes many requests in a row and each may be a record, so the files
 * of the threads seen last stay open: reading one again costs a tenth of opening
 * it. They follow an exec, and end with their thread: a number that is used again
 * can't be taken for the thread before.
 *
 * Lock: `lock`, a leaf, covers the table.
 */
#include "program.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define KEPT 16u /* a desktop's programs and their pools */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct {
	pid_t pid; /* 0: free */
	int fd;
	pid_t process; /* 0: not asked for yet; as long as the thread lives it is the same */
} kept[KEPT];
static unsigned next;

/* Reads the name of a thread whose file is open. *at is its place. */
static ssize_t read_kept(pid_t pid, char *out, size_t cap, unsigned *at)
{
	for (unsigned n = 0; n < KEPT; n++) {
		ssize_t got;

		if (kept[n].pid != pid)
			continue;
		*at = n;
		got = pread(kept[n].fd, out, cap, 0);
		if (got > 0)
			return got;
		close(kept[n].fd);
		kept[n].pid = 0;
	}
	return 0;
}

static ssize_t read_new(pid_t pid, char *out, size_t cap, unsigned *at)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%ld/comm", (long)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	*at = next++ % KEPT;
	if (kept[*at].pid)
		close(kept[*at].fd);
	kept[*at].pid = pid;
	kept[*at].fd = fd;
	kept[*at].process = 0;
	return pread(fd, out, cap, 0);
}

/* With the lock. False: no such thread, out is empty. */
static bool read_name(pid_t pid, char *out, size_t cap, unsigned *at)
{
	ssize_t got = 0;

	if (pid > 0) {
		got = read_kept(pid, out, cap - 1, at);
		if (got <= 0)
			got = read_new(pid, out, cap - 1, at);
	}
	out[got > 0 ? got : 0] = '\0';
	out[strcspn(out, "\n")] = '\0';
	return got > 0;
}

void fs_program_name(pid_t pid, char *out, size_t cap)
{
	unsigned at;

	pthread_mutex_lock(&lock);
	(void)read_name(pid, out, cap, &at);
	pthread_mutex_unlock(&lock);
}

void fs_program_names(pid_t tid, char thread[static FS_PROGRAM_NAME], char process[static FS_PROGRAM_NAME])
{
	unsigned at = 0;
	pid_t first = 0;

	process[0] = '\0';
	pthread_mutex_lock(&lock);
	if (read_name(tid, thread, FS_PROGRAM_NAME, &at)) {
		if (!kept[at].process)
			kept[at].process = fs_program_process(tid);
		first = kept[at].process;
	}
	if (first && first != tid)
		(void)read_name(first, process, FS_PROGRAM_NAME, &at);
	pthread_mutex_unlock(&lock);
}

void fs_program_name_of(pid_t pid, uid_t uid, char *out, size_t cap)
{
	char path[64], text[1024], *at;
	ssize_t got;
	int fd;

	out[0] = '\0';
	snprintf(path, sizeof(path), "/proc/%ld/status", (long)pid);
	fd = pid > 0 ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	if (fd < 0)
		return;
	got = read(fd, text, sizeof(text) - 1);
	close(fd);
	text[got > 0 ? got : 0] = '\0';
	at = strstr(text, "\nUid:");
	if (!at || strtoul(at + 5, NULL, 10) != uid || strncmp(text, "Name:\t", 6))
		return;
	snprintf(out, cap, "%.*s", (int)strcspn(text + 6, "\n"), text + 6);
}

pid_t fs_program_process(pid_t tid)
{
	char path[64], text[1024], *at;
	ssize_t got;
	int fd;

	if (tid <= 0)
		return 0;
	snprintf(path, sizeof(path), "/proc/%ld/status", (long)tid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return tid;
	got = read(fd, text, sizeof(text) - 1);
	close(fd);
	text[got > 0 ? got : 0] = '\0';
	at = strstr(text, "\nTgid:");
	return at ? (pid_t)strtol(at + 6, NULL, 10) : tid;
}
