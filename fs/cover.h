/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/cover.h - which notes of one journal a durable log record covers for one session.
 *
 * A set of inode numbers (notes that an INTENT, CREATE or OPEN record names, and
 * directories whose notes an INTENT has named as a whole), valid until the intents
 * expire. Callers serialize.
 */
#ifndef FS_COVER_H
#define FS_COVER_H

#include "../policy/record.h"
#include "tree.h"

struct fs_cover {
	uint64_t *slot; /* open addressing; 0 is free */
	size_t size, used;
	int64_t until_ns; /* wall clock at which all of it expires; 0: empty */
};

void fs_cover_clear(struct fs_cover *c);
bool fs_cover_has(const struct fs_cover *c, uint64_t ino);
bool fs_cover_has_dir(const struct fs_cover *c, uint64_t ino);
/* 0 or -ENOMEM. */
int fs_cover_add(struct fs_cover *c, uint64_t ino);
int fs_cover_add_dir(struct fs_cover *c, uint64_t ino);

/* The notes of a directory, in as many parts as records of bounded size need. */
struct fs_cover_notes {
	struct policy_record_note *note;
	size_t n, cap;
	char *names; /* arena that the notes' names point into once complete */
	size_t names_len, names_cap;
};
#define FS_COVER_RECORD_BYTES 32768 /* names and numbers in one INTENT record */

/* Lists directory `dir` of j. 0, -ENOMEM, or what reading the directory says. */
int fs_cover_list(struct fs_journal *j, uint64_t dir, struct fs_cover_notes *out);
/* How many notes from `at` on fit one record; at least 1 while at < n. */
size_t fs_cover_part(const struct fs_cover_notes *notes, size_t at);
/* Wipes the names. */
void fs_cover_notes_free(struct fs_cover_notes *notes);

#endif
