/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tools/glass_words.h - the words of an emergency, as dialogs give them: lines `key=value` on
 * standard input.
 *
 * What stands in a command's arguments can be read by everybody on the host while it
 * runs (/proc/PID/cmdline). Names of patients and reasons don't belong there.
 */
#ifndef TOOLS_GLASS_WORDS_H
#define TOOLS_GLASS_WORDS_H

#include <stdbool.h>
#include <stddef.h>

#define TOOLS_GLASS_WORDS_MAX 8192 /* bytes of all lines */

/* In guarded memory. Values point into text; NULL: not given. */
struct tools_glass_words {
	const char *journal, *search, *ground, *reason;
	bool past_block;
	char text[TOOLS_GLASS_WORDS_MAX + 1];
};

/* Splits text[0..len). 0, or -EINVAL after saying which line is wrong, without its value. */
int tools_glass_words_parse(struct tools_glass_words *w, size_t len);
/* Reads fd to its end and splits that; says what is wrong. 0 or negative errno. The caller frees.
 */
int tools_glass_words_read(int fd, struct tools_glass_words **out);
void tools_glass_words_free(struct tools_glass_words *w); /* wipes; NULL is legal */

#endif
