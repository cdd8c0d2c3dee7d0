/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/alert.h - one line to the system's log, at once, and never a wait.
 *
 * syslog(3) may block on a full socket and takes locks of its own; this sends one
 * datagram or gives up. A log that is restarted is found again: the address goes with
 * each line. The socket is made before the daemon gives up what it does not need.
 */
#ifndef FS_ALERT_H
#define FS_ALERT_H

#include <stdbool.h>
#include <sys/un.h>

struct fs_alert {
	int fd; /* -1: there is none */
	struct sockaddr_un to;
};

/* path NULL: /dev/log. 0 or negative errno; afterwards fs_alert_say may be called in any case. */
int fs_alert_open(struct fs_alert *a, const char *path);
void fs_alert_close(struct fs_alert *a);
/*
 * Facility authpriv, priority alert; control characters are replaced. Any thread, no lock. False:
 * nobody listens, or who does is behind.
 */
bool fs_alert_say(const struct fs_alert *a, const char *text);

#endif
