/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy/bundle.h - the practice policy as one text made of several files.
 *
 * A large practice keeps parts of its policy in files of their own (`include
 * practice.d`). They are one policy all the same: one version, one signature, in
 * force together. So they are kept as one text: that of the practice itself, then
 * for each part, in the order of their names, a line "%part NAME" and its text.
 * No policy text has such a line of its own (policy_bundle_check). A text without
 * parts is itself.
 */
#ifndef POLICY_BUNDLE_H
#define POLICY_BUNDLE_H

#include <stdbool.h>
#include <stddef.h>

#include "names.h"

#define POLICY_BUNDLE_PARTS 256

struct policy_bundle_part {
	char name[POLICY_NAME_MAX + 1]; /* "" is the practice itself */
	const char *text;		/* in the bundle, not terminated */
	size_t len;
};

/*
 * The part at *at, which begins at 0; moves *at behind it. The first is the practice itself, always
 * there. False when there is no more, or what follows is no part (a damaged bundle).
 */
bool policy_bundle_next(const char *bundle, size_t len, size_t *at, struct policy_bundle_part *out);

/* The text of one part (name "": the practice itself). False when there is none. */
bool policy_bundle_find(const char *bundle, size_t len, const char *name,
			struct policy_bundle_part *out);

/* Can all of it be read as the practice and its parts, each name once and in order? */
bool policy_bundle_whole(const char *bundle, size_t len);

/* May this be the text of a part: no line of it begins with "%part". */
bool policy_bundle_check(const char *text, size_t len);

/*
 * The bundle with this part put in or replaced, or (text NULL) taken out. A text that does not end
 * with a newline gets one when a part follows. The caller frees; NULL with errno EINVAL (the name is
 * none, the text is no part's), ENOSPC (too many parts), ENOENT (nothing to take out), ENOMEM.
 */
char *policy_bundle_put(const char *bundle, size_t len, const char *name, const char *text,
			size_t text_len, size_t *out_len);

#endif
