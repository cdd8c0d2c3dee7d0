/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tools/pager.h - the program through which long answers are read on a terminal.
 *
 * One at a time in a process. While it is open, an interrupt waits for the pager before it ends
 * the process, and writing to a pager that was left is an error of the stream, not a signal.
 */
#ifndef TOOLS_PAGER_H
#define TOOLS_PAGER_H

#include <stdbool.h>
#include <stdio.h>

/*
 * $PAGER, or `less -FRX` where less is installed. NULL: there is none (PAGER empty or "cat"), or it
 * could not be started; write to standard output then. *color: whether it shows colours.
 */
FILE *tools_pager_open(bool *color);
/* Closes the stream and waits. 0, or -1 after a message: the pager could not be run. */
int tools_pager_close(FILE *to);

#endif
