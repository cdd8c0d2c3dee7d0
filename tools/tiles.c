/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tools/tiles.c - see tiles.h.
 *
 * Invariants: (1) a file appears whole or not at all: written beside its place, then renamed; (2) a
 * full tile that is there is compared and never replaced; (3) partial tiles of a tile go away once
 * the full one is there, as the specification allows. Whoever calls makes all of it durable before
 * the checkpoint is.
 */
#include "tiles.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void tools_tiles_path(unsigned level, uint64_t number, unsigned width, char out[static TILES_PATH])
{
	char digits[64] = "";
	uint64_t n = number / 1000;

	snprintf(digits, sizeof(digits), "%03" PRIu64, number % 1000);
	for (; n; n /= 1000) {
		char more[64];

		snprintf(more, sizeof(more), "x%03" PRIu64 "/%.40s", n % 1000, digits);
		memcpy(digits, more, sizeof(digits));
	}
	if (width && width < TILES_WIDTH)
		snprintf(out, TILES_PATH, "tile/%u/%s.p/%u", level, digits, width);
	else
		snprintf(out, TILES_PATH, "tile/%u/%s", level, digits);
}

/* Whether the file holds these bytes; -ENOENT: there is none; -EUCLEAN: others. */
static int compare(const char *path, const void *p, size_t len)
{
	uint8_t have[TILES_WIDTH * KEYS_LEN + 1];
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	ssize_t n;

	if (fd < 0)
		return errno == ENOENT ? -ENOENT : -errno;
	n = read(fd, have, sizeof(have));
	close(fd);
	if (n < 0)
		return -EIO;
	return (size_t)n == len && !memcmp(have, p, len) ? 0 : -EUCLEAN;
}

static int make_parents(char *path, size_t base)
{
	for (char *p = path + base; (p = strchr(p, '/')); *p++ = '/') {
		*p = '\0';
		if (mkdir(path, 0755) && errno != EEXIST) {
			int rc = -errno;

			*p = '/';
			return rc;
		}
	}
	return 0;
}

static int write_whole(const char *path, const void *p, size_t len)
{
	char temporary[PATH_MAX + 8];
	ssize_t n;
	int fd, rc = 0;

	snprintf(temporary, sizeof(temporary), "%s.new", path);
	fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (fd < 0)
		return -errno;
	n = write(fd, p, len);
	if (n != (ssize_t)len)
		rc = n < 0 ? -errno : -ENOSPC;
	if (close(fd) && !rc)
		rc = -errno;
	if (!rc && rename(temporary, path))
		rc = -errno;
	if (rc)
		unlink(temporary);
	return rc;
}

/* The partial tiles that a full one replaces. */
static void drop_partial(const char *full)
{
	char dir[PATH_MAX + 8];
	struct dirent *e;
	DIR *d;

	snprintf(dir, sizeof(dir), "%s.p", full);
	d = opendir(dir);
	if (!d)
		return;
	while ((e = readdir(d))) {
		if (e->d_name[0] != '.')
			(void)unlinkat(dirfd(d), e->d_name, 0);
	}
	closedir(d);
	rmdir(dir);
}

/* Writes the tile at hand, full or partial. */
static int put(struct tiles *t, unsigned level, char bad[static TILES_PATH])
{
	const struct tiles_level *l = &t->level[level];
	size_t base = strlen(t->dir) + 1, len = (size_t)l->width * KEYS_LEN;
	char path[PATH_MAX];
	int rc;

	tools_tiles_path(level, l->number, l->width, bad);
	if ((size_t)snprintf(path, sizeof(path), "%s/%s", t->dir, bad) >= sizeof(path))
		return -ENAMETOOLONG;
	rc = compare(path, l->hash, len);
	if (!rc)
		t->there++;
	if (rc != -ENOENT)
		return rc;
	rc = make_parents(path, base);
	if (!rc)
		rc = write_whole(path, l->hash, len);
	if (rc)
		return rc;
	t->written++;
	if (l->width == TILES_WIDTH)
		drop_partial(path);
	return 0;
}

static void root_of(const struct tiles_level *l, uint8_t out[static KEYS_LEN])
{
	struct keys_tree tree;

	keys_tree_init(&tree);
	for (unsigned i = 0; i < l->width; i++)
		keys_tree_add(&tree, l->hash[i]);
	keys_tree_root(&tree, out);
}

int tools_tiles_add(struct tiles *t, const uint8_t leaf[static KEYS_LEN],
		    char bad[static TILES_PATH])
{
	uint8_t hash[KEYS_LEN];

	memcpy(hash, leaf, sizeof(hash));
	for (unsigned i = 0; i < TILES_LEVELS; i++) {
		struct tiles_level *l = &t->level[i];
		int rc;

		memcpy(l->hash[l->width++], hash, KEYS_LEN);
		if (l->width < TILES_WIDTH)
			return 0;
		rc = put(t, i, bad);
		if (rc)
			return rc;
		root_of(l, hash);
		l->width = 0;
		l->number++;
	}
	return -EFBIG;
}

/* ---- going on ---- */

/* The first hashes of a tile, from the full one or a partial one that is wide enough. */
static int read_tile(const struct tiles *t, unsigned level, struct tiles_level *l,
		     char bad[static TILES_PATH])
{
	char path[PATH_MAX];
	int fd = -1;
	size_t len = (size_t)l->width * KEYS_LEN;
	ssize_t n;

	for (unsigned w = TILES_WIDTH; fd < 0 && w >= l->width; w--) {
		tools_tiles_path(level, l->number, w, bad);
		if ((size_t)snprintf(path, sizeof(path), "%s/%s", t->dir, bad) >= sizeof(path))
			return -ENAMETOOLONG;
		fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
		if (fd < 0 && errno != ENOENT && errno != ENOTDIR)
			return -errno;
	}
	if (fd < 0)
		return -ENOENT;
	n = read(fd, l->hash, len);
	close(fd);
	return n < 0 ? -EIO : (size_t)n == len ? 0 : -EUCLEAN;
}

int tools_tiles_resume(struct tiles *t, const struct keys_tree *before, char bad[static TILES_PATH])
{
	unsigned at = 0;

	for (unsigned i = TILES_LEVELS; i > 0; i--) {
		struct tiles_level *l = &t->level[i - 1];
		uint64_t hashes = before->size >> (8 * (i - 1));
		struct keys_tree tree;
		int rc;

		l->number = hashes / TILES_WIDTH;
		l->width = (unsigned)(hashes % TILES_WIDTH);
		rc = l->width ? read_tile(t, i - 1, l, bad) : 0;
		if (rc)
			return rc;
		keys_tree_init(&tree);
		for (unsigned k = 0; k < l->width; k++)
			keys_tree_add(&tree, l->hash[k]);
		/* The tree's compact range is that of the highest level's last tile, then the
		 * next's. */
		if (at + tree.count > before->count ||
		    memcmp(tree.hash, before->hash[at], (size_t)tree.count * KEYS_LEN))
			return -EUCLEAN;
		at += tree.count;
	}
	return at == before->count ? 0 : -EUCLEAN;
}

int tools_tiles_end(struct tiles *t, char bad[static TILES_PATH])
{
	int rc = 0;

	for (unsigned i = 0; i < TILES_LEVELS && !rc; i++) {
		if (t->level[i].width)
			rc = put(t, i, bad);
	}
	return rc;
}
