/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy/diff.h - what changed between two versions of a policy text, as a unified diff.
 */
#ifndef POLICY_DIFF_H
#define POLICY_DIFF_H

#include <stddef.h>

/*
 * The unified diff of two texts (NULL with length 0: none) with three lines of context, as diff -u
 * writes it, under the heads "--- NAME" and "+++ NAME"; "" when they are equal. The result has at
 * most cap bytes (0: as many as it takes): a longer one ends before a whole line, with "(and N more
 * lines)" instead of the rest; a cap too small for that line gets it all the same. The caller
 * frees; NULL only when memory is short.
 *
 * Right for any bytes, in bounded time and memory (a few dozen bytes a line): texts that have
 * little in common get one large change instead of the shortest one. Bytes are passed on as they
 * are: a text that was never parsed may have controls in it.
 */
char *policy_diff(const char *old, size_t old_len, const char *next, size_t next_len,
		  const char *name, size_t cap);

#endif
