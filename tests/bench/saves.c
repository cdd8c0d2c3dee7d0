/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/bench/saves.c - one save of a note as programs do it, timed.
 *
 *   saves DIR COUNT ROUND   each way of saving COUNT times, a small edit between saves; per save a
 * line "way size sync microseconds" on standard output saves edit DIR NOTES COUNT   NOTES texts of
 * 10 KB, each saved COUNT times in place with a small edit; nothing is timed
 *
 * The ways: "rewrite" opens with O_TRUNC, writes, closes; "rename" writes a temporary file and
 * renames it over the note; "append" adds a line. With sync, fsync comes before close. The edit is
 * not in the time.
 */
#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LARGEST (100 * 1024)
#define LINE 64

enum way { REWRITE, RENAME, APPEND, WAYS };
static const char *const way_name[] = {"rewrite", "rename", "append"};
static char text[LARGEST];
static unsigned int seed = 7;

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Words as a person writes them: zstd finds what it would find in notes. */
static void fill(char *to, size_t len)
{
	static const char *const words[] = {"patient ", "better ", "today ",   "pulse ",
					    "and ",	"is ",	   "seen ",    "without ",
					    "pain ",	"the ",	   "control ", "in\n"};
	size_t at = 0;

	while (at < len) {
		const char *w = words[(size_t)rand_r(&seed) % (sizeof(words) / sizeof(words[0]))];

		for (; *w && at < len; w++)
			to[at++] = rand_r(&seed) % 12 ? *w : (char)('a' + rand_r(&seed) % 26);
	}
}

/* A sentence changed somewhere. */
static void edit(size_t size)
{
	fill(text + (size_t)rand_r(&seed) % (size - LINE), LINE);
}

static void put(const char *path, int flags, const char *bytes, size_t len, int sync)
{
	int fd = open(path, O_WRONLY | O_CREAT | flags, 0600);

	if (fd < 0 || write(fd, bytes, len) != (ssize_t)len || (sync && fsync(fd)) || close(fd))
		err(1, "%s", path);
}

static void save(enum way way, const char *path, const char *tmp, size_t size, int sync)
{
	switch (way) {
	case REWRITE:
		put(path, O_TRUNC, text, size, sync);
		break;
	case RENAME:
		put(tmp, O_TRUNC, text, size, sync);
		if (rename(tmp, path))
			err(1, "%s", path);
		break;
	default:
		put(path, O_APPEND, text, LINE, sync);
	}
}

static void timed(const char *dir, enum way way, size_t size, int sync, int count,
		  const char *round)
{
	char path[4096], tmp[4096];

	snprintf(path, sizeof(path), "%s/%s %zu %d %s.txt", dir, way_name[way], size, sync, round);
	snprintf(tmp, sizeof(tmp), "%s/.new %s %zu.tmp", dir, way_name[way], size);
	fill(text, size);
	put(path, O_TRUNC, text, size, 1);
	for (int i = 0; i < count; i++) {
		double t;

		edit(size);
		t = now();
		save(way, path, tmp, size, sync);
		printf("%s %zu %d %.1f\n", way_name[way], size / 1024, sync, (now() - t) * 1e6);
	}
}

static void edited(const char *dir, int notes, int count)
{
	char path[4096];

	for (int n = 0; n < notes; n++) {
		fill(text, 10240);
		for (int i = 0; i < count; i++) {
			snprintf(path, sizeof(path), "%s/note %d.txt", dir, n);
			put(path, O_TRUNC, text, 10240, i == count - 1);
			edit(10240);
		}
	}
}

int main(int argc, char **argv)
{
	static const size_t size[] = {10240, LARGEST};

	if (argc == 5 && !strcmp(argv[1], "edit")) {
		edited(argv[2], atoi(argv[3]), atoi(argv[4]));
		return 0;
	}
	if (argc != 4)
		errx(2, "usage: saves DIR COUNT ROUND | saves edit DIR NOTES COUNT");
	for (int way = 0; way < WAYS; way++)
		for (int s = 0; s < 2; s++)
			for (int sync = 0; sync < 2; sync++)
				timed(argv[1], (enum way)way, size[s], sync, atoi(argv[2]),
				      argv[3]);
	return 0;
}
