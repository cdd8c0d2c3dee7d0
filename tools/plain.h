/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tools/plain.h - texts that others wrote, made fit for a terminal.
 */
#ifndef TOOLS_PLAIN_H
#define TOOLS_PLAIN_H

#include <stddef.h>
#include <stdio.h>

/*
 * The text with everything escaped as \xNN that a terminal might obey or that would show as
 * something else: controls (also those of U+0080 to U+009F), marks that turn the direction of
 * writing, bytes that are no UTF-8. Newlines stay where `lines` is set, tabs always. The caller
 * frees; NULL when memory is short.
 */
char *tools_plain(const char *text, int lines);
/* Writes it so. 0 or -1. */
int tools_plain_put(FILE *to, const char *text, int lines);
/* How many columns it takes on a terminal; of wide and of combining characters too. */
size_t tools_plain_width(const char *text);
/* Writes it, cut nowhere, and blanks up to that width. */
int tools_plain_pad(FILE *to, const char *text, size_t width);

#endif
