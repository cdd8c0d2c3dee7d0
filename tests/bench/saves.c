/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/bench/saves.c - one save of a note as programs do it, timed.
 *
 *   saves DIR BLOCKS    each way of saving: BLOCKS blocks of twenty saves of "NAME.txt" and as many
 *                       of "NAME.off" in turn, a small edit between saves; a line "way KiB sync
 *                       on|off save|row microseconds" each
 *   saves edit DIR SUFFIX NOTES COUNT
 *                       NOTES texts of 10 KB, each saved COUNT times with a small edit; not timed
 *
 * The ways: "rewrite" opens with O_TRUNC, writes, closes; "rename" writes a temporary file and
 * renames it over the note; "append" adds a line. With sync, fsync comes before close. The edit is
 * not in the time of a save. A block is ten saves, each after the one before is durable; then ten
 * in a row with an fsync at the end, divided by ten: what is put off comes to light there, and
 * where a save waits for the one before.
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

struct run {
	const char *dir;
	enum way way;
	size_t size;
	int sync;
};

static void path_of(const struct run *r, const char *what, int off, char out[static 4096])
{
	snprintf(out, 4096, "%s/%s%s %zu %d.%s", r->dir, what, way_name[r->way], r->size, r->sync,
		 off ? "off" : "txt");
}

static void print(const struct run *r, int off, const char *what, double s)
{
	printf("%s %zu %d %s %s %.1f\n", way_name[r->way], r->size / 1024, r->sync,
	       off ? "off" : "on", what, s * 1e6);
}

static void settle(const char *path)
{
	int fd = open(path, O_RDONLY);

	if (fd < 0 || fsync(fd) || close(fd))
		err(1, "%s", path);
}

/* Ten saves: each after the one before is durable, as a person saves; or in a row, and durable at
 * the end. */
static void block(const struct run *r, int off, int row)
{
	char path[4096], tmp[4096];
	double begun, t;

	path_of(r, "", off, path);
	path_of(r, "new ", off, tmp);
	settle(path);
	begun = now();
	for (int i = 0; i < 10; i++) {
		edit(r->size);
		if (!row)
			settle(path);
		t = now();
		save(r->way, path, tmp, r->size, r->sync);
		if (!row)
			print(r, off, "save", now() - t);
	}
	settle(path);
	if (row)
		print(r, off, "row", (now() - begun) / 10);
}

static void timed(const struct run *r, int blocks)
{
	char path[4096];

	fill(text, r->size);
	for (int off = 0; off < 2; off++) {
		path_of(r, "", off, path);
		put(path, O_TRUNC, text, r->size, 1);
	}
	for (int b = 0; b < 2 * blocks; b++)
		for (int row = 0; row < 2; row++)
			block(r, (b + b / 2) % 2, row); /* on off off on: who comes first changes */
}

static void edited(const char *dir, const char *suffix, int notes, int count)
{
	char path[4096];

	for (int n = 0; n < notes; n++) {
		fill(text, 10240);
		for (int i = 0; i < count; i++) {
			snprintf(path, sizeof(path), "%s/note %d.%s", dir, n, suffix);
			put(path, O_TRUNC, text, 10240, i == count - 1);
			edit(10240);
		}
	}
}

int main(int argc, char **argv)
{
	static const size_t size[] = {10240, LARGEST};

	if (argc == 6 && !strcmp(argv[1], "edit")) {
		edited(argv[2], argv[3], atoi(argv[4]), atoi(argv[5]));
		return 0;
	}
	if (argc != 3)
		errx(2, "usage: saves DIR BLOCKS | saves edit DIR SUFFIX NOTES COUNT");
	for (int way = 0; way < WAYS; way++)
		for (int s = 0; s < 2; s++)
			for (int sync = 0; sync < 2; sync++)
				timed(&(struct run){argv[1], (enum way)way, size[s], sync},
				      atoi(argv[2]));
	return 0;
}
