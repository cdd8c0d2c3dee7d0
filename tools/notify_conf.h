/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tools/notify_conf.h - which program tells people of an emergency access.
 *
 * NAME.notify beside a clinic's NAME.conf, alone ~/.config/journalfs/NAME.notify:
 *     program  = /usr/local/lib/journalfs/notify-mail
 *     argument = chief@example.org      (one line each, in order; no shell)
 *     timeout  = 30                     (seconds, 1 to 100)
 * Whoever could change file or program would read every notice, so both and all
 * directories above belong to root and can be written by nobody else; alone they may
 * belong to the person.
 */
#ifndef TOOLS_NOTIFY_CONF_H
#define TOOLS_NOTIFY_CONF_H

#include "conf.h"

#define NOTIFY_ARGS 32

struct notify_conf {
	char file[PATH_MAX];
	char program[PATH_MAX];
	char *argv[NOTIFY_ARGS + 2]; /* program first, NULL last; owned */
	unsigned timeout_s;
};

/*
 * Does this path, with every directory and link on the way, belong to root (or to `also`) and can
 * nobody else write there? 0; -EPERM with the part that can in bad (PATH_MAX); or why it can't be
 * looked at, with bad set.
 */
int tools_notify_trusted(const char *path, uid_t also, char *bad);
/* Reads and checks the vault's file. TOOL_OK or TOOL_FAILED, which has been said. */
int tools_notify_conf_read(const struct conf *c, struct notify_conf *out);
void tools_notify_conf_clear(struct notify_conf *n);

#endif
