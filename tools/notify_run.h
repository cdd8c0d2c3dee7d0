/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tools/notify_run.h - runs the program that tells people, once.
 */
#ifndef TOOLS_NOTIFY_RUN_H
#define TOOLS_NOTIFY_RUN_H

#include <stdbool.h>
#include <stddef.h>

/*
 * In a process group and with an environment of its own (PATH alone), text on standard input, what
 * it prints thrown away. 0: it ended with status 0. Else 1, and why says what happened, without a
 * word of the text. After timeout_s seconds SIGTERM, five seconds later SIGKILL, to the group.
 * Ends this process as a signal to end would, when SIGTERM, SIGINT or SIGHUP comes meanwhile: the
 * group is ended first.
 */
int tools_notify_run(char *const argv[], const char *text, size_t len, unsigned timeout_s,
		     char *why, size_t cap);

#endif
