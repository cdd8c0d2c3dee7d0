/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/clock.c - the clocks that sessions are judged by, and the place where tests put theirs.
 *
 * Owns nothing but the pointer to a test's source; no lock: it is set before there
 * are threads. The two clocks of fs_clock_slept_ns are read one after the other:
 * what passes in between makes it look smaller or larger by microseconds, which is
 * why whoever compares leaves room.
 */
#include "clock.h"

#include <stddef.h>
#include <time.h>

static const struct fs_clock_source *pretended;

static int64_t now_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

int64_t fs_clock_wall_ns(void)
{
	return pretended && pretended->wall_ns ? pretended->wall_ns() : now_ns(CLOCK_REALTIME);
}

int64_t fs_clock_boot_ns(void)
{
	return pretended && pretended->boot_ns ? pretended->boot_ns() : now_ns(CLOCK_BOOTTIME);
}

int64_t fs_clock_slept_ns(void)
{
	int64_t awake, all;

	if (pretended && pretended->slept_ns)
		return pretended->slept_ns();
	awake = now_ns(CLOCK_MONOTONIC);
	all = now_ns(CLOCK_BOOTTIME);
	return all > awake ? all - awake : 0;
}

void fs_clock_pretend(const struct fs_clock_source *source)
{
	pretended = source;
}
