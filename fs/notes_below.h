/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/notes_below.h - the notes below a directory that are not final.
 */
#ifndef FS_NOTES_BELOW_H
#define FS_NOTES_BELOW_H

#include "notes.h"

#define FS_NOTES_BELOW_MAX 10000u /* entries that are looked at, of one request */

struct fs_note_below {
	const char
		*path; /* within the journal; cut where it is longer than a final note's may be */
	const char *without; /* NULL: a note; else why it is none that is finalized, for people */
	const char *cannot; /* NULL; else why it, or what is below this directory, can't be final */
};

/*
 * Walks the directory at `at` (path "": the journal's own) and what is below it. fn gets every
 * regular file that is not final; it is called without locks, may wait, and returns a negative
 * errno to fail. What the session learns so is durable in the log first. Needs `list` and `read`:
 * -EACCES, and -ENOENT where the journal is not to be seen, both logged; -ENOTDIR: it is no
 * directory, and nothing was logged; -E2BIG: more than FS_NOTES_BELOW_MAX entries, after fn had the
 * first of them.
 */
int fs_vault_notes_below(struct fs_vault *v, struct fs_session *s, const struct fs_note_place *at,
			 int (*fn)(void *ctx, const struct fs_note_below *note), void *ctx,
			 struct fs_say *say);

#endif
