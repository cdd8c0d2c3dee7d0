/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keys/base32.h - secrets as text that people read, print and type.
 *
 * Crockford's base32 alphabet (no I, L, O, U) in groups of four, closed by one
 * check character from the same alphabet that catches every single wrong
 * character and every swap of two neighbors. Used by codes and the recovery key.
 * Format: keys/FORMAT.md, "Codes as text".
 */
#ifndef KEYS_BASE32_H
#define KEYS_BASE32_H

#include "label.h"

#define KEYS_BASE32_MAX 32 /* bytes encoded at most */

/* Characters that len bytes print as, with check character, hyphens and NUL. */
#define KEYS_BASE32_TEXT_LEN(len) (((len)*8 + 4) / 5 + 1 + (((len)*8 + 4) / 5 + 1 - 1) / 4 + 1)

/* text has room for KEYS_BASE32_TEXT_LEN(len); len at most KEYS_BASE32_MAX. */
void keys_base32_print(const uint8_t *p, size_t len, char *text);

/*
 * Exactly len bytes. Forgives case, white space, hyphens, O for 0, I and L for 1. -EINVAL:
 * length, alphabet, unused bits or check character; out is then untouched.
 */
int keys_base32_parse(const char *text, size_t len, uint8_t *out);

#endif
