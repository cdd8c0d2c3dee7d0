/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/bench/ops.c - what programs do with notes, timed: microseconds per operation on standard output.
 *
 *   ops make DIR FIRST N   makes N directories named "journal %06d"
 *   ops create DIR N       creates N notes of 2,000 bytes, no fsync
 *   ops save DIR N         saves one note N times: write a temporary file, fsync, rename over it
 *   ops read DIR N         opens, reads and closes the notes that create made
 *   ops stat DIR N         stats them
 *   ops remove DIR N       removes them
 */
#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define NOTE 2000

static char text[NOTE];

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void write_note(const char *path, int flags, int sync)
{
	int fd = open(path, O_WRONLY | O_CREAT | flags, 0600);

	if (fd < 0 || write(fd, text, NOTE) != NOTE || (sync && fsync(fd)) || close(fd))
		err(1, "%s", path);
}

static void one(const char *what, const char *dir, int n)
{
	char path[4096], tmp[4096];
	struct stat st;
	int fd;

	snprintf(path, sizeof(path), "%s/note %06d.md", dir, n);
	if (!strcmp(what, "make")) {
		snprintf(path, sizeof(path), "%s/journal %06d", dir, n);
		if (mkdir(path, 0700))
			err(1, "%s", path);
	} else if (!strcmp(what, "create")) {
		write_note(path, O_EXCL, 0);
	} else if (!strcmp(what, "save")) {
		snprintf(tmp, sizeof(tmp), "%s/saved.tmp", dir);
		snprintf(path, sizeof(path), "%s/saved.md", dir);
		write_note(tmp, O_TRUNC, 1);
		if (rename(tmp, path))
			err(1, "%s", path);
	} else if (!strcmp(what, "read")) {
		fd = open(path, O_RDONLY);
		if (fd < 0 || read(fd, text, NOTE) != NOTE || close(fd))
			err(1, "%s", path);
	} else if (!strcmp(what, "stat")) {
		if (stat(path, &st))
			err(1, "%s", path);
	} else if (!strcmp(what, "remove")) {
		if (unlink(path))
			err(1, "%s", path);
	} else {
		errx(2, "there is no operation %s", what);
	}
}

int main(int argc, char **argv)
{
	int first = argc > 4 ? atoi(argv[3]) : 0;
	int n = argc > 3 ? atoi(argv[argc - 1]) : 0;
	double t;

	if (argc < 4 || n <= 0)
		errx(2, "usage: ops OPERATION DIR [FIRST] N");
	memset(text, 'n', sizeof(text));
	t = now();
	for (int k = first; k < first + n; k++)
		one(argv[1], argv[2], k);
	printf("%.1f\n", (now() - t) / n * 1e6);
	return 0;
}
