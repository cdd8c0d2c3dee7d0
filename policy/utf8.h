/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy/utf8.h - the UTF-8 that policy texts must be and that log lines are made of.
 */
#ifndef POLICY_UTF8_H
#define POLICY_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The code point at p (len bytes are there): returns the bytes it takes, 1 to 4, or 0 when they
 * are no UTF-8 (truncated, overlong, a surrogate, above U+10FFFF), and then leaves *point alone.
 */
unsigned policy_utf8_get(const char *p, size_t len, uint32_t *point);

/* Controls (C0, DEL, C1), line separators and the marks that turn the direction of text. */
bool policy_utf8_control(uint32_t point);

/* Characters of a line of plain text; 0 when it is no UTF-8 or has a control in it. */
size_t policy_utf8_characters(const char *text);
/* Bytes of it that say something: blanks, points, hyphens and underscores do not. */
size_t policy_utf8_said(const char *text);

/* The longest start of p, at most max bytes, that does not end inside a character. */
size_t policy_utf8_cut(const char *p, size_t len, size_t max);

#endif
