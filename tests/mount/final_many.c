/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Many notes made final at once, each with pages that only a mapping holds yet.
 *
 *   final_many DIR N
 *
 * N threads write a note through a mapping each, and lock it by its attribute; who is told that too many are at it
 * (EBUSY) tries again. Every page must be in its note then. Prints what is not so; exit 1.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/xattr.h>
#include <unistd.h>

#define MOST 64
#define SIZE 65536
#define PAGE 4096

static const char *dir;
static pthread_barrier_t all;
static atomic_int bad;

static int complain(const char *what, const char *why)
{
	printf("%s: %s\n", what, why);
	atomic_store(&bad, 1);
	return -1;
}

static int lock(const char *path)
{
	while (setxattr(path, "user.journalfs.state", "final", 5, 0)) {
		if (errno != EBUSY)
			return complain(path, strerror(errno));
		sched_yield();
	}
	return 0;
}

static void check(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char got;

	for (off_t at = 0; at < SIZE; at += PAGE) {
		if (pread(fd, &got, 1, at) != 1 || got != 'y') {
			complain(path, "a page is not in it");
			break;
		}
	}
	close(fd);
}

static void *one(void *arg)
{
	char path[4096], *map;
	int fd;

	snprintf(path, sizeof(path), "%s/many-%d.md", dir, *(const int *)arg);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	map = fd < 0 || ftruncate(fd, SIZE)
		      ? MAP_FAILED
		      : mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	pthread_barrier_wait(&all);
	if (map == MAP_FAILED) {
		complain(path, strerror(errno));
		return NULL;
	}
	memset(map, 'y', SIZE);
	if (!lock(path))
		check(path);
	munmap(map, SIZE);
	close(fd);
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_t thread[MOST];
	int number[MOST], n = argc == 3 ? atoi(argv[2]) : 0;

	if (n < 1 || n > MOST)
		return 2;
	dir = argv[1];
	if (pthread_barrier_init(&all, NULL, (unsigned)n))
		return 2;
	for (int k = 0; k < n; k++) {
		number[k] = k;
		if (pthread_create(&thread[k], NULL, one, &number[k]))
			return 2;
	}
	for (int k = 0; k < n; k++)
		pthread_join(thread[k], NULL);
	return atomic_load(&bad);
}
