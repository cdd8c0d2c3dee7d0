/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/save_names.h - the names of editors' temporary, swap, lock and backup files.
 *
 * Of such files no versions are kept, and `finalize after` leaves them alone. Known by name alone,
 * and strictly: a file that is taken for a note costs a version too many, a note that is taken for
 * a swap file would lose its earlier texts. Each rule was seen on the program it is for
 * (tests/apps/SAVES.md).
 */
#ifndef FS_SAVE_NAMES_H
#define FS_SAVE_NAMES_H

#include <stdbool.h>

/* Is this such a name? One component of a path, any bytes; case counts. Calls nothing, keeps
 * nothing, no locks. */
bool fs_save_names_temporary(const char *name);

#endif
