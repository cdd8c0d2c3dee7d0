/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/mount/differential/gen.c - operations out of a seed.
 *
 * Few names, so that operations meet; sizes and places around the edges that a store may have
 * (small notes, pages, chunks), now and then far away.
 */
#include "differential.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

uint64_t mix(uint64_t *state)
{
	uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

static uint64_t below(uint64_t *s, uint64_t n)
{
	return mix(s) % n;
}

static bool chance(uint64_t *s, unsigned percent)
{
	return below(s, 100) < percent;
}

static const char *const plain[] = {
	"a", "b", "c", "a", "b", "e", "d0", "d1", "d0/x", "d0/y", "d0/x", "d0/d2", "d0/d2/z", "d1/w",
	"d1/d3", "d1/d3/v", "d1/a", "s", "d0/s", "p", "\xc3\xa6 \xc3\xb8\n\xff\x01", "LONG", "d1/LONG",
};
static const char *const targets[] = {
	"a", "b", "d0", "d0/x", "s", "nowhere", "../a", "d1/", ".", "c", "s/", "d0/../b", "LONG", "LONGER",
};

static char *expand(const char *p)
{
	static const char *const marks[] = {"LONGER", "LONG"};
	char *out = calloc(1, strlen(p) + 300), *at = out;

	while (out && *p) {
		size_t n = 0, len = 0;

		while (n < 2 && strncmp(p, marks[n], strlen(marks[n])) != 0)
			n++;
		if (n == 2) {
			*at++ = *p++;
			continue;
		}
		p += strlen(marks[n]);
		len = n == 0 ? NAME_LONGEST + 1 : NAME_LONGEST;
		for (size_t k = 0; k < len; k++)
			*at++ = (char)(k % 5 ? 'l' : 0x80 + (int)(k % 100));
	}
	return out;
}

/* A path that is no plain name. `up` allows one that leaves the directory where paths begin. */
static char *odd_path(uint64_t *s, const char *base, bool up)
{
	static const char *const forms[] = {
		"%s/", "%s/.", "./%s", "d0/../%s", "%s/q", "LONGER", "", ".", "%s//", "d0/.", "d1/..", "%s/..", "..",
	};
	size_t n = below(s, sizeof(forms) / sizeof(forms[0]));
	char text[512], *long_path;

	if (chance(s, 4)) {
		long_path = malloc(5002);
		for (size_t k = 0; long_path && k < 5000; k += 2)
			memcpy(long_path + k, "./", 3);
		return long_path;
	}
	if (!up && n + 2 >= sizeof(forms) / sizeof(forms[0]))
		n = 0;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	snprintf(text, sizeof(text), forms[n], base);
#pragma GCC diagnostic pop
	return expand(text);
}

static char *path_make(uint64_t *s, bool up)
{
	const char *base = plain[below(s, sizeof(plain) / sizeof(plain[0]))];

	return chance(s, 8) ? odd_path(s, base, up) : expand(base);
}

static uint64_t place(uint64_t *s)
{
	static const uint64_t edges[] = {0, 3999, 4000, 4096, 8000, 12000, 15999, 16000, 16001, 16384, 65535, 65536,
					 65537, 131072, 196608, 262144};

	switch (below(s, 12)) {
	case 0: case 1: case 2: return below(s, 200);
	case 3: case 4: return below(s, 20000);
	case 5: case 6: return edges[below(s, 16)];
	case 7: return edges[below(s, 16)] + below(s, 4096);
	case 8: return below(s, 64) * 4096;
	case 9: return below(s, 400000);
	case 10: return chance(s, 70) ? below(s, 2000000) : (UINT64_C(1) << 40) - 70000 + below(s, 60000);
	default: return chance(s, 90) ? below(s, 5000) : chance(s, 50) ? UINT64_C(1) << 45 : UINT64_MAX - below(s, 3);
	}
}

static uint64_t length(uint64_t *s)
{
	switch (below(s, 9)) {
	case 0: return 0;
	case 1: case 2: return 1 + below(s, 60);
	case 3: return 4096;
	case 4: case 5: return below(s, 5000);
	case 6: return below(s, 20000);
	case 7: return 65536;
	default: return below(s, 150000);
	}
}

static int open_flags(uint64_t *s)
{
	static const int accesses[] = {O_RDONLY, O_RDWR, O_RDWR, O_WRONLY, O_RDWR, O_RDONLY};
	static const struct {
		int flag;
		unsigned percent;
	} extra[] = {
		{O_CREAT, 60}, {O_EXCL, 12}, {O_TRUNC, 12}, {O_APPEND, 12}, {O_NOFOLLOW, 8}, {O_DIRECTORY, 6},
		{O_SYNC, 4}, {O_DSYNC, 4}, {O_NOATIME, 5}, {O_PATH, 3}, {O_NOCTTY, 5},
	};
	int flags = chance(s, 2) ? O_ACCMODE : accesses[below(s, 6)];

	for (size_t n = 0; n < sizeof(extra) / sizeof(extra[0]); n++)
		if (chance(s, extra[n].percent))
			flags |= extra[n].flag;
	if (!(flags & O_APPEND) && chance(s, 4))
		flags |= O_DIRECT;
	if (able.tmpfile && chance(s, 4))
		flags = O_TMPFILE | (chance(s, 80) ? O_RDWR : O_WRONLY) | (chance(s, 20) ? O_EXCL : 0);
	return flags;
}

static int mode_make(uint64_t *s)
{
	static const int modes[] = {0644, 0600, 0755, 0640, 0777, 04755, 02755, 06711, 02644, 01777, 0666, 0700, 02770, 0744};
	static const int closed[] = {0444, 0, 0200, 0500, 0300, 0400, 0077, 04555};

	return chance(s, 10) ? closed[below(s, 8)] : modes[below(s, 14)];
}

static void pick(struct op *op, uint64_t *s)
{
	static const struct {
		enum kind kind;
		unsigned weight;
	} kinds[] = {
		{OP_OPEN, 14}, {OP_CLOSE, 3}, {OP_DUP, 1}, {OP_SETFL, 1}, {OP_READ, 3}, {OP_PREAD, 4}, {OP_READV, 2},
		{OP_WRITE, 5}, {OP_PWRITE, 7}, {OP_WRITEV, 3}, {OP_APPENDV, 1}, {OP_FTRUNCATE, 3}, {OP_TRUNCATE, 2},
		{OP_FALLOCATE, 5}, {OP_LSEEK, 3}, {OP_HOLES, 3}, {OP_COPY, 4}, {OP_MAP_SHARED, 4}, {OP_MAP_PRIVATE, 2},
		{OP_FSYNC, 1}, {OP_FDATASYNC, 1}, {OP_MKDIR, 5}, {OP_RMDIR, 3}, {OP_UNLINK, 4}, {OP_LINK, 4},
		{OP_LINK_OPEN, 1}, {OP_SYMLINK, 3}, {OP_READLINK, 2}, {OP_RENAME, 7}, {OP_MKNOD, 2}, {OP_CHMOD, 4},
		{OP_FCHMOD, 2}, {OP_CHOWN, 1}, {OP_UTIMENS, 3}, {OP_FUTIMENS, 2}, {OP_SETXATTR, 3}, {OP_FSETXATTR, 1},
		{OP_GETXATTR, 2}, {OP_LISTXATTR, 2}, {OP_REMOVEXATTR, 2}, {OP_LIST, 3}, {OP_ACCESS, 2}, {OP_STATX, 2},
	};
	unsigned total = 0, at;
	size_t n = 0;

	for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++)
		total += kinds[k].weight;
	at = (unsigned)below(s, total);
	while (at >= kinds[n].weight)
		at -= kinds[n++].weight;
	op->kind = kinds[n].kind;
}

static int flags_of(enum kind kind, uint64_t *s)
{
	static const int falloc[] = {0, FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
				     FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, FALLOC_FL_ZERO_RANGE,
				     FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE,
				     FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE};
	static const int nodes[] = {S_IFIFO, S_IFSOCK, S_IFREG, 0, S_IFIFO, S_IFSOCK, S_IFCHR, S_IFBLK, S_IFDIR};

	switch (kind) {
	case OP_OPEN: return open_flags(s);
	case OP_FALLOCATE: return falloc[below(s, 8)];
	case OP_MKNOD: return nodes[below(s, 9)];
	/* 1 NOREPLACE, 2 EXCHANGE */
	case OP_RENAME: return chance(s, 60) ? 0 : chance(s, 45) ? 1 : chance(s, 85) ? 2 : 3;
	default: return (int)below(s, 1 << 16);
	}
}

void op_make(struct op *op, uint64_t *s)
{
	memset(op, 0, sizeof(*op));
	pick(op, s);
	op->slot = (int)below(s, SLOTS);
	op->slot2 = (int)below(s, SLOTS);
	op->at = chance(s, 10);
	op->path = path_make(s, !op->at);
	if (op->kind == OP_SYMLINK)
		op->path2 = expand(targets[below(s, sizeof(targets) / sizeof(targets[0]))]);
	else
		op->path2 = path_make(s, !op->at);
	op->flags = flags_of(op->kind, s);
	op->mode = mode_make(s);
	op->off = place(s);
	op->off2 = place(s);
	op->len = length(s);
	op->seed = mix(s);
}

void op_free(struct op *op)
{
	free(op->path);
	free(op->path2);
	op->path = NULL;
	op->path2 = NULL;
}

static void print_path(FILE *f, const char *p)
{
	size_t len = strlen(p);

	fputs(" \"", f);
	for (size_t k = 0; k < len && k < 60; k++)
		fprintf(f, p[k] > 31 && p[k] < 127 ? "%c" : "\\x%02x", (unsigned char)p[k]);
	fputs("\"", f);
	if (len > 60)
		fprintf(f, "(%zu bytes)", len);
}

void op_print(FILE *f, const struct op *op)
{
	fprintf(f, "%s slot=%d slot2=%d%s", op_name(op->kind), op->slot, op->slot2, op->at ? " (base: slot2)" : "");
	print_path(f, op->path);
	print_path(f, op->path2);
	fprintf(f, " flags=%#o mode=%#o off=%llu off2=%llu len=%llu seed=%#llx", (unsigned)op->flags, (unsigned)op->mode,
		(unsigned long long)op->off, (unsigned long long)op->off2, (unsigned long long)op->len,
		(unsigned long long)op->seed);
}
