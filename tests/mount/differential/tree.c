/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/mount/differential/tree.c - are two directories alike?
 *
 * Names, types, modes, link counts, sizes, targets, attributes, contents; which names are one file;
 * which times have changed since the last look. Every object is a pair of inode numbers: one that a
 * file system uses again makes a new pair, so a new file is never taken for an old one.
 */
#include "differential.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#define OBJECTS 1024
#define OLD_TIMES 1600000000

struct pair {
	ino_t ino[2];
	struct timespec mtime[2], ctime[2];
};

struct known {
	struct pair pair[OBJECTS];
	size_t n;
};

struct look {
	const struct side *s;
	struct known *before, now;
	bool contents;
	char *why;
	size_t cap;
	char path[2048];
};

struct known *known_new(void)
{
	return calloc(1, sizeof(struct known));
}

void known_free(struct known *k)
{
	free(k);
}

static int differs(struct look *l, const char *what, long long a, long long b)
{
	size_t n = (size_t)snprintf(l->why, l->cap, "\"");

	for (const char *p = l->path; *p && n + 8 < l->cap; p++)
		n += (size_t)snprintf(l->why + n, l->cap - n, *p > 31 && *p < 127 ? "%c" : "\\x%02x", (unsigned char)*p);
	snprintf(l->why + n, l->cap - n, "\": %s: local %lld, journal %lld", what, a, b);
	return 1;
}

static bool same_time(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

/* Times set by hand are old ones, and kept to the nanosecond. */
static int compare_time(struct look *l, const char *what, const struct timespec t[2])
{
	if (t[0].tv_sec >= OLD_TIMES && t[1].tv_sec >= OLD_TIMES)
		return 0;
	return same_time(&t[0], &t[1]) ? 0 : differs(l, what, t[0].tv_sec, t[1].tv_sec);
}

static int compare_changes(struct look *l, const struct pair *was, const struct pair *is)
{
	for (int n = 0; n < 2; n++) {
		const struct timespec *old = n ? was->ctime : was->mtime, *new = n ? is->ctime : is->mtime;
		bool a = !same_time(&old[0], &new[0]), b = !same_time(&old[1], &new[1]);

		if (a != b)
			return differs(l, n ? "ctime changed" : "mtime changed", a, b);
		if (n && (old[1].tv_sec > new[1].tv_sec))
			return differs(l, "ctime went back", 0, 1);
	}
	return 0;
}

/* Every number stands for one object on the other side too. */
static int compare_identity(struct look *l, const struct stat st[2])
{
	struct pair p = {.ino = {st[0].st_ino, st[1].st_ino},
			 .mtime = {st[0].st_mtim, st[1].st_mtim},
			 .ctime = {st[0].st_ctim, st[1].st_ctim}};
	struct timespec atime[2] = {st[0].st_atim, st[1].st_atim};
	int rc = compare_time(l, "mtime", p.mtime);

	if (!rc && able.noatime)
		rc = compare_time(l, "atime", atime);
	if (rc)
		return rc;
	for (size_t n = 0; n < l->now.n; n++) {
		const struct pair *o = &l->now.pair[n];

		if ((o->ino[0] == p.ino[0]) != (o->ino[1] == p.ino[1]))
			return differs(l, "is another name's file", o->ino[0] == p.ino[0], o->ino[1] == p.ino[1]);
		if (o->ino[0] == p.ino[0])
			return 0;
	}
	for (size_t n = 0; n < l->before->n; n++) {
		const struct pair *o = &l->before->pair[n];

		if (o->ino[0] == p.ino[0] && o->ino[1] == p.ino[1] && compare_changes(l, o, &p))
			return 1;
	}
	if (l->now.n < OBJECTS)
		l->now.pair[l->now.n++] = p;
	return 0;
}

static int compare_stat(struct look *l, const struct stat st[2])
{
	if (st[0].st_mode != st[1].st_mode)
		return differs(l, "mode", st[0].st_mode, st[1].st_mode);
	if (st[0].st_nlink != st[1].st_nlink)
		return differs(l, "links", (long long)st[0].st_nlink, (long long)st[1].st_nlink);
	if (!S_ISDIR(st[0].st_mode) && st[0].st_size != st[1].st_size)
		return differs(l, "size", st[0].st_size, st[1].st_size);
	if (st[0].st_uid != st[1].st_uid || st[0].st_gid != st[1].st_gid)
		return differs(l, "owner", st[0].st_uid, st[1].st_uid);
	return compare_identity(l, st);
}

/* The same for equal contents, whatever the holes: blocks of zeros don't count. */
uint64_t content_hash(int fd, int *err)
{
	static uint8_t block[65536], zero[65536];
	uint64_t h = 0;
	off_t at = 0;

	*err = 0;
	for (;;) {
		ssize_t n;

		at = lseek(fd, at, SEEK_DATA);
		if (at < 0) {
			*err = errno == ENXIO ? 0 : errno;
			return h;
		}
		at -= at % (off_t)sizeof(block);
		n = pread(fd, block, sizeof(block), at);
		if (n <= 0) {
			*err = n < 0 ? errno : 0;
			return h;
		}
		if (memcmp(block, zero, (size_t)n) != 0) {
			uint64_t x = (uint64_t)at + 1;
			size_t end = (size_t)n;

			while (end && !block[end - 1])
				end--;
			for (size_t k = 0; k < end; k++)
				x = (x ^ block[k]) * UINT64_C(0x100000001b3);
			h += x;
		}
		at += (off_t)sizeof(block);
	}
}

/* Values and names in any order: sums. */
static uint64_t xattr_hash(int fd)
{
	static char names[65536], value[65536];
	char path[64];
	uint64_t h = 0;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	n = listxattr(path, names, sizeof(names));
	if (n < 0)
		return (uint64_t)errno;
	for (char *p = names; p < names + n; p += strlen(p) + 1) {
		ssize_t len;
		uint64_t x = 1;

		if (strncmp(p, "user.", 5) != 0)
			continue;
		len = getxattr(path, p, value, sizeof(value));
		for (const char *q = p; *q; q++)
			x = (x ^ (uint8_t)*q) * UINT64_C(0x100000001b3);
		for (ssize_t k = 0; k < len; k++)
			x = (x ^ (uint8_t)value[k]) * UINT64_C(0x100000001b3);
		h += x + (uint64_t)(len < 0 ? errno : len);
	}
	return h;
}

static int compare_inside(struct look *l, const int dir[2], const char *name, mode_t type)
{
	char target[2][4097] = {{0}};
	uint64_t h[2] = {0}, x[2] = {0};
	int err[2] = {0};

	for (int n = 0; n < 2; n++) {
		int fd = openat(dir[n], name, O_PATH | O_NOFOLLOW | O_CLOEXEC);

		x[n] = xattr_hash(fd);
		close(fd);
		if (type == S_IFLNK && readlinkat(dir[n], name, target[n], 4096) < 0)
			err[n] = errno;
		if (type != S_IFREG)
			continue;
		fd = openat(dir[n], name, O_RDONLY | O_NOATIME | O_NOFOLLOW | O_CLOEXEC);
		if (fd < 0) {
			err[n] = errno;
			continue;
		}
		h[n] = content_hash(fd, &err[n]);
		close(fd);
	}
	if (x[0] != x[1])
		return differs(l, "extended attributes", (long long)x[0], (long long)x[1]);
	if (err[0] != err[1])
		return differs(l, "errno of reading", err[0], err[1]);
	if (strcmp(target[0], target[1]) != 0)
		return differs(l, "target", (long long)strlen(target[0]), (long long)strlen(target[1]));
	return h[0] == h[1] ? 0 : differs(l, "contents", (long long)h[0], (long long)h[1]);
}

struct names {
	char name[256][NAME_LONGEST + 1];
	int n, err;
};

static int by_text(const void *a, const void *b)
{
	return strcmp(a, b);
}

static struct names *names_of(int dir)
{
	struct names *out = calloc(1, sizeof(*out));
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_NOATIME | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;

	out->err = d ? 0 : errno;
	while (d && out->n < 256 && (e = readdir(d)) != NULL) {
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			memcpy(out->name[out->n++], e->d_name, strlen(e->d_name) + 1);
	}
	if (d)
		closedir(d);
	qsort(out->name, (size_t)out->n, sizeof(out->name[0]), by_text);
	return out;
}

static int compare_dir(struct look *l, const int dir[2], int depth);

static int compare_entry(struct look *l, const int dir[2], const char *name, int depth)
{
	struct stat st[2];
	int err[2] = {0}, rc;

	for (int n = 0; n < 2; n++)
		if (fstatat(dir[n], name, &st[n], AT_SYMLINK_NOFOLLOW))
			err[n] = errno;
	if (err[0] || err[1])
		return err[0] == err[1] ? 0 : differs(l, "errno of lstat", err[0], err[1]);
	rc = compare_stat(l, st);
	if (!rc && l->contents)
		rc = compare_inside(l, dir, name, st[0].st_mode & S_IFMT);
	if (!rc && S_ISDIR(st[0].st_mode)) {
		int sub[2];

		for (int n = 0; n < 2; n++) {
			sub[n] = openat(dir[n], name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_NOATIME | O_CLOEXEC);
			err[n] = sub[n] < 0 ? errno : 0;
		}
		if (err[0] != err[1])
			rc = differs(l, "errno of opening", err[0], err[1]);
		else if (!err[0])
			rc = compare_dir(l, sub, depth + 1);
		close(sub[0]);
		close(sub[1]);
	}
	return rc;
}

static int compare_dir(struct look *l, const int dir[2], int depth)
{
	struct names *a = names_of(dir[0]), *b = names_of(dir[1]);
	size_t len = strlen(l->path);
	int rc = 0;

	if (a->err != b->err)
		rc = differs(l, "errno of listing", a->err, b->err);
	else if (a->n != b->n)
		rc = differs(l, "entries", a->n, b->n);
	for (int n = 0; !rc && n < a->n && depth < 12; n++) {
		if (strcmp(a->name[n], b->name[n]) != 0) {
			rc = differs(l, "names", n, n);
			break;
		}
		snprintf(l->path + len, sizeof(l->path) - len, "/%s", a->name[n]);
		rc = compare_entry(l, dir, a->name[n], depth);
		if (!rc)
			l->path[len] = '\0';
	}
	free(a);
	free(b);
	return rc;
}

/* What is open: also files that have no name any more. */
static int compare_slots(struct look *l)
{
	int rc = 0;

	for (int n = 0; !rc && n < SLOTS; n++) {
		int a = l->s[0].fd[n], b = l->s[1].fd[n];
		struct stat st[2];

		snprintf(l->path, sizeof(l->path), "slot %d", n);
		if ((a < 0) != (b < 0))
			return differs(l, "open", a, b);
		if (a < 0)
			continue;
		if (fstat(a, &st[0]) || fstat(b, &st[1]))
			return differs(l, "fstat", 0, errno);
		rc = compare_stat(l, st);
		if (!rc && S_ISREG(st[0].st_mode)) {
			off_t at = lseek(a, 0, SEEK_CUR), there = lseek(b, 0, SEEK_CUR);

			if (at != there)
				rc = differs(l, "position", at, there);
		}
		/* Contents without a name can be seen from here alone. */
		if (!rc && S_ISREG(st[0].st_mode) && l->contents && !st[0].st_nlink &&
		    (fcntl(a, F_GETFL) & (O_ACCMODE | O_DIRECT | O_PATH)) == O_RDWR) {
			off_t at = lseek(a, 0, SEEK_CUR);
			int err[2];
			uint64_t h = content_hash(a, &err[0]), there = content_hash(b, &err[1]);

			if (h != there || err[0] != err[1])
				rc = differs(l, "contents without a name", err[0], err[1]);
			lseek(a, at, SEEK_SET);
			lseek(b, at, SEEK_SET);
		}
	}
	return rc;
}

int tree_compare(const struct side *s, struct known *k, bool contents, char *why, size_t cap)
{
	struct look *l = calloc(1, sizeof(*l));
	int top[2] = {s[0].top, s[1].top};
	int rc;

	l->s = s;
	l->before = k;
	l->contents = contents;
	l->why = why;
	l->cap = cap;
	rc = compare_dir(l, top, 0);
	if (!rc)
		rc = compare_slots(l);
	if (!rc)
		*k = l->now;
	free(l);
	return rc;
}

void tree_remove(int dir, const char *name)
{
	int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct names *all;

	if (fd < 0 && errno == EACCES && !fchmodat(dir, name, 0700, 0))
		fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0) {
		unlinkat(dir, name, 0);
		return;
	}
	fchmod(fd, 0700);
	do {
		all = names_of(fd);
		for (int n = 0; n < all->n; n++)
			tree_remove(fd, all->name[n]);
	} while (all->n == 256 && (free(all), true));
	free(all);
	close(fd);
	unlinkat(dir, name, AT_REMOVEDIR);
}
