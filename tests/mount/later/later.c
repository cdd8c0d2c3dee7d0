/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/mount/later/later.c - preloaded into the daemon: the wall clock runs LATER_S seconds ahead, so that a
 * test need not wait for a passphrase to grow old.
 */
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static long later_s(void)
{
	static long s = -1;
	const char *text;

	if (s < 0) {
		text = getenv("LATER_S");
		s = text ? atol(text) : 0;
	}
	return s;
}

int clock_gettime(clockid_t clock, struct timespec *ts)
{
	int rc = (int)syscall(SYS_clock_gettime, clock, ts);

	if (!rc && clock == CLOCK_REALTIME)
		ts->tv_sec += later_s();
	return rc;
}

time_t time(time_t *out)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	if (out)
		*out = ts.tv_sec;
	return ts.tv_sec;
}
