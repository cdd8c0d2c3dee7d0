/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/clock.h - the clocks that sessions are judged by.
 *
 * Wall clock and boot-time clock (which goes on while the computer sleeps) judge
 * how long a session may live and how long it was idle; how long the computer has
 * slept since it was started tells that it slept. Any thread.
 */
#ifndef FS_CLOCK_H
#define FS_CLOCK_H

#include <stdint.h>

int64_t fs_clock_wall_ns(void); /* since 1970 */
int64_t fs_clock_boot_ns(void); /* CLOCK_BOOTTIME */
/* CLOCK_BOOTTIME less CLOCK_MONOTONIC: time spent suspended since the start. Never less than 0. */
int64_t fs_clock_slept_ns(void);

/* For unit tests only (lint looks): clocks of their own; members that are NULL are the kernel's. */
struct fs_clock_source {
	int64_t (*wall_ns)(void);
	int64_t (*boot_ns)(void);
	int64_t (*slept_ns)(void);
};
/* NULL: the kernel's again. Before there are threads; the source must outlive its use. */
void fs_clock_pretend(const struct fs_clock_source *source);

#endif
