/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tools/logind.h - what logind tells the agent: sleep, a locked screen, an idle desktop.
 *
 * By sd-bus of libsystemd, loaded by the agent when it begins to stay, never by the
 * daemon: it brings libraries that the process with the keys has no use for. Where
 * there is no library, bus or logind, nothing is told and nothing is an error. One
 * thread, which also polls.
 */
#ifndef TOOLS_LOGIND_H
#define TOOLS_LOGIND_H

#include <stdint.h>

struct logind;

#define LOGIND_SLEEP 1u /* about to sleep, and held back until tools_logind_let_sleep */
#define LOGIND_LOCK 2u	/* the login session's screen is being locked */

/* In the process that uses it (not before a fork). NULL: nothing to listen to. */
struct logind *tools_logind_open(void);
void tools_logind_close(struct logind *l);
/* What to poll for: descriptor, events; milliseconds after which to call process, -1 none. */
int tools_logind_fd(struct logind *l, short *events, int *timeout_ms);
/* Takes what has come: LOGIND_* in *what. Negative: the bus is lost, close it. */
int tools_logind_process(struct logind *l, unsigned *what);
/* Lets the computer sleep: what had to be done before is done. */
void tools_logind_let_sleep(struct logind *l);
/*
 * For how many seconds the desktop of this login session is idle; 0: it is not, or there is none.
 * A terminal's idleness is not asked for: a long command there is work. Waits 2 s at most.
 */
int64_t tools_logind_idle_s(struct logind *l);

#endif
