/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy/edit.h - changes of one line in a journal's policy text, made by a program for a person.
 *
 * Everything else in the text stays as it was, byte for byte: comments, order,
 * spacing. What can't be said by changing one line is refused, and is for an
 * editor. A result need not be a policy that is accepted: who changes a text has
 * it parsed (policy/journal.h).
 */
#ifndef POLICY_EDIT_H
#define POLICY_EDIT_H

#include <stddef.h>

enum policy_edit_subject { POLICY_EDIT_USER, POLICY_EDIT_UNIT };

struct policy_edit {
	enum policy_edit_subject subject;
	const char *name;  /* of a practitioner or a unit */
	const char *perms; /* "rwx", "r-x" */
	/* For a new line: a date or point in time as the language writes it, a text; NULL: none. */
	const char *from, *until;
	const char *reason; /* not quoted; 1 to 255 bytes */
};

/*
 * All of them: len bytes of text become *out, with a NUL behind, that the caller frees. -EINVAL:
 * the text is none that the language reads, or the request can't be written in it; -ENOMEM. On
 * failure *out is left alone.
 */

/*
 * NAME gets these permissions: the one `allow` line for it gets others in place; where there is
 * none, a line is put behind the last `allow` line (or at the end), spaced like that one. `unit:`
 * and `group:` are the same. -EEXIST: two `allow` lines or a `block` line speak of NAME by name.
 */
int policy_edit_set(const char *text, size_t len, const struct policy_edit *edit, char **out);

/* The `allow` line of NAME goes, with the comment on it. -ENOENT: none, -EEXIST: as above. */
int policy_edit_remove(const char *text, size_t len, const struct policy_edit *edit, char **out);

/*
 * `attend user:NAME from FROM until UNTIL reason "..."` (all three are wanted) instead of the last
 * such line of NAME, whose other ones go; where there is none, at the end.
 */
int policy_edit_attend(const char *text, size_t len, const struct policy_edit *edit, char **out);

#endif
