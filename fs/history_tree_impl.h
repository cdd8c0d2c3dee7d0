/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/history_tree_impl.h - inside `.history`: only for history_tree*.c.
 */
#ifndef FS_HISTORY_TREE_IMPL_H
#define FS_HISTORY_TREE_IMPL_H

#include "history.h"
#include "history_tree.h"

enum fs_history_kind {
	FS_HISTORY_MIRROR = 1, /* ino: a directory of the journal */
	FS_HISTORY_NOTE,       /* ino: a note, also a removed one; its versions are files in it */
	FS_HISTORY_VERSION,    /* ino: the inode that holds it */
};

#define FS_HISTORY_EXT 11 /* with its end: longer ones are left out */

/* What a number stands for. 32 bytes each: they stay for as long as the journal is open. */
struct fs_history_node {
	uint64_t ino;
	uint32_t version; /* FS_HISTORY_NOTE: a hash of place and name; FS_HISTORY_MIRROR: 0 */
	uint32_t up;	  /* place of the directory above in the table; 0: the journal's own */
	uint32_t next;	  /* of the bucket */
	uint8_t kind;
	char ext[FS_HISTORY_EXT]; /* FS_HISTORY_NOTE: ".txt", or "" */
};

/* ---- history_tree_table.c ---- */
/* The number of what node says in its first fields (up and ext may change). -ENOMEM; -ENFILE: all
 * are given out. */
int fs_history_number(struct fs_journal *j, const struct fs_history_node *node, uint64_t *number);
/* What it stands for; *parent (may be NULL) the number of the directory above. -ESTALE. */
int fs_history_node(struct fs_journal *j, uint64_t number, struct fs_history_node *out,
		    uint64_t *parent);
/* For `up` of what lies in the directory of that number. */
uint32_t fs_history_place(uint64_t number);

/* ---- history_tree_names.c ---- */
/* ".txt" of a note's name, "" when it has none or a long one. */
void fs_history_ext(const char *name, char out[static FS_HISTORY_EXT]);
/* "3 2026-11-29T05.01 anna.txt" */
void fs_history_name(const struct fs_history_version *v, const char *ext, char out[static 256]);
/* The number that a name of a version begins with; *plain: it is that alone (3, @3). False: it is
 * none. */
bool fs_history_name_version(const char *name, uint32_t *version, bool *plain);

/* Notes of a journal that were removed and are kept. */
struct fs_history_gone {
	uint64_t ino, dir; /* dir: the deepest directory of its path that still is */
	int64_t when_s;
	uint32_t pid;
	unsigned nth; /* of those of the same directory, name and minute: 1, 2 ... */
	char *path;   /* where it was */
	size_t rest;  /* in it: where the part begins that is no directory any more, or its name */
	char *name;   /* that part, '/' as '_' */
};
struct fs_history_gones {
	struct fs_history_gone *gone;
	size_t n, cap;
};
/* By inode number. -ENOMEM, and what reading records may say. */
int fs_history_gones_get(struct fs_journal *j, struct fs_history_gones *out);
void fs_history_gones_clear(struct fs_history_gones *g);
/* "plan.txt (removed 2026-11-29T05.01)" */
void fs_history_gone_name(const struct fs_history_gone *g, char out[static 256]);

#endif
