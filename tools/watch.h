/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tools/watch.h - what the agent waits for: its session's end, and reasons to lock it.
 */
#ifndef TOOLS_WATCH_H
#define TOOLS_WATCH_H

#include <stdbool.h>
#include "client.h"

/*
 * Returns when the session is over, from whichever side, or a signal came. Asks the daemon to lock the
 * session before the computer sleeps, with the screen, and when the desktop has long been idle.
 * aloud: says on standard error why the session has ended.
 */
void tools_watch(struct client *cl, int signals, bool aloud);

#endif
