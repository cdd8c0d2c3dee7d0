/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tools/strength.h - whether a new passphrase is one that nobody guesses in a few tries.
 */
#ifndef TOOLS_STRENGTH_H
#define TOOLS_STRENGTH_H

#include <stddef.h>

#define STRENGTH_MIN 12 /* characters */

/*
 * NULL, or what is wrong with it and what to do: too short, one character or a short piece again and
 * again, a run of letters, digits or keys, one of the commonest, or too short once these names (n of
 * them, NULL and "" are skipped, case does not matter) are taken out of it.
 */
const char *tools_strength_wrong(const char *text, size_t len, const char *const names[], size_t n);

#endif
