/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/sigbus.h - a fault of a mapped file becomes an error instead of the end.
 *
 * A thread that is about to touch a mapping of a file enters the guard, and leaves
 * it afterwards; a SIGBUS in between resumes at the entry. Code inside must not
 * need undoing (no lock held, nothing allocated), or give up what it holds.
 * Not nested. A function that enters must leave before it returns.
 */
#ifndef FS_SIGBUS_H
#define FS_SIGBUS_H

#include <setjmp.h>
#include <stddef.h>

extern _Thread_local sigjmp_buf *volatile fs_sigbus_guard;

/* Once per process or more often; keeps whatever handler was there for faults of others. */
void fs_sigbus_install(void);

/* True when a fault came: what ran since is abandoned; leave. */
#define fs_sigbus_enter(env) (fs_sigbus_guard = &(env), sigsetjmp(env, 0) != 0)

static inline void fs_sigbus_leave(void)
{
	fs_sigbus_guard = NULL;
}

#endif
