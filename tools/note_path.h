/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tools/note_path.h - which note a FILE on the command line is: vault, journal, path within it.
 *
 * The daemon knows notes by journal and path; people name files below the mount of their session,
 * also relative to where they stand, also when the file itself is gone. What lies in no mount of
 * theirs, but is there under a mount when read as JOURNAL/PATH, is taken so.
 */
#ifndef TOOLS_NOTE_PATH_H
#define TOOLS_NOTE_PATH_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

struct note_path {
	char vault[64];	      /* as --vault takes it: the name that the mount bears */
	char mount[PATH_MAX]; /* where it is mounted */
	char journal[256];
	char path[PATH_MAX]; /* within the journal, without a leading '/'; "" is the journal itself
			      */
	bool there;	     /* something of that name is there now */
};

/*
 * Only the account's own mounts count. TOOL_OK or TOOL_FAILED, after saying what is wrong: no such
 * file, in no mount, the mount itself, locked or ended. `want_note`: the journal alone is refused
 * too.
 */
int tools_note_path(const char *file, bool want_note, struct note_path *out);
/* The same with another list of mounts than /proc/self/mounts (tests). */
int tools_note_path_in(const char *mounts, const char *file, bool want_note, struct note_path *out);

/*
 * "plan.txt@3": 3 and the name without it. The last '@' followed by digits to the end counts; false
 * when there is none (out is then the whole name), or the number is none of 1..2^32-1.
 */
bool tools_note_version(const char *file, char out[static PATH_MAX], uint32_t *version);

#endif
