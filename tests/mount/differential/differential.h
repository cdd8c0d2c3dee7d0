/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/mount/differential/differential.h - the same operations on two directories.
 *
 * A sequence is a list of operations made from a seed alone, never from what happened, so
 * that any part of it can be run again: that is how a failing one is cut down to what matters.
 * Side 0 is the local file system, side 1 the journal.
 */
#ifndef DIFFERENTIAL_H
#define DIFFERENTIAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define SLOTS 10
#define NAME_LONGEST 255

enum kind {
	OP_OPEN, OP_CLOSE, OP_DUP, OP_SETFL,
	OP_READ, OP_PREAD, OP_READV, OP_WRITE, OP_PWRITE, OP_WRITEV, OP_APPENDV,
	OP_FTRUNCATE, OP_TRUNCATE, OP_FALLOCATE, OP_LSEEK, OP_HOLES, OP_COPY, OP_MAP_SHARED,
	OP_MAP_PRIVATE, OP_FSYNC, OP_FDATASYNC,
	OP_MKDIR, OP_RMDIR, OP_UNLINK, OP_LINK, OP_LINK_OPEN, OP_SYMLINK, OP_READLINK, OP_RENAME,
	OP_MKNOD, OP_CHMOD, OP_FCHMOD, OP_CHOWN, OP_UTIMENS, OP_FUTIMENS,
	OP_SETXATTR, OP_FSETXATTR, OP_GETXATTR, OP_LISTXATTR, OP_REMOVEXATTR,
	OP_LIST, OP_ACCESS, OP_STATX, OP_KINDS
};

struct op {
	enum kind kind;
	int slot, slot2; /* open files; base of the paths: slot2 when `at` */
	bool at;
	char *path, *path2;
	int flags, mode;
	uint64_t off, off2, len;
	uint64_t seed; /* of the bytes written, and of smaller choices */
};

/* What one side answered. */
struct answer {
	long ret;
	int err;
	uint64_t hash; /* of what was read */
	char note[160];
};

struct side {
	int top;	/* the sequence's own directory: compared */
	int root;	/* some way below it: where paths begin */
	int fd[SLOTS];
	bool appends[SLOTS]; /* opened so, whatever its flags are now */
};

struct abilities {
	bool tmpfile;	  /* the journal's library has O_TMPFILE */
	bool noatime;	  /* reads don't change atime on side 0 */
	bool fine_times;  /* two changes in one tick of the clock differ */
	size_t xattr_max; /* what side 0 can hold */
};
extern struct abilities able;

/* gen.c */
uint64_t mix(uint64_t *state);
void op_make(struct op *op, uint64_t *state);
void op_free(struct op *op);
void op_print(FILE *f, const struct op *op);

/* run.c: no operation is left undone because of what another side did. */
void op_run(const struct op *op, struct side *s, struct answer *a);
const char *op_name(enum kind kind);

/* tree.c: 0 when both sides are alike; 1 and a line in why. */
struct known;
struct known *known_new(void);
void known_free(struct known *k);
int tree_compare(const struct side *s, struct known *k, bool contents, char *why, size_t cap);
void tree_remove(int dir, const char *name);
uint64_t content_hash(int fd, int *err);

#endif
