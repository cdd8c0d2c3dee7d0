/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/alert.c - one datagram to the system's log (RFC 3164), without waiting.
 *
 * Owns the socket. Invariants: (1) nothing here blocks: the socket is non-blocking
 * and a datagram that is not taken is dropped; (2) what is sent is one line.
 * Locks: none, the descriptor does not change between open and close.
 */
#include "alert.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#define LINE_MAX_LEN 900u /* RFC 3164: 1,024 bytes with all that stands before */

int fs_alert_open(struct fs_alert *a, const char *path)
{
	const char *at = path ? path : "/dev/log";

	memset(a, 0, sizeof(*a));
	a->fd = -1;
	a->to.sun_family = AF_UNIX;
	if (strlen(at) >= sizeof(a->to.sun_path))
		return -ENAMETOOLONG;
	memcpy(a->to.sun_path, at, strlen(at) + 1);
	a->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	return a->fd < 0 ? -errno : 0;
}

void fs_alert_close(struct fs_alert *a)
{
	if (a->fd >= 0)
		close(a->fd);
	a->fd = -1;
}

/* "Nov 29 01:02:03", in the language of the protocol. */
static void stamp(char out[static 64])
{
	static const char months[][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
					 "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
	time_t now = time(NULL);
	struct tm tm;

	if (!localtime_r(&now, &tm))
		memset(&tm, 0, sizeof(tm));
	snprintf(out, 64, "%s %2d %02d:%02d:%02d", months[tm.tm_mon % 12], tm.tm_mday % 32,
		 tm.tm_hour % 24, tm.tm_min % 60, tm.tm_sec % 61);
}

bool fs_alert_say(const struct fs_alert *a, const char *text)
{
	char line[1024], when[64];
	ssize_t sent;
	int len;

	if (a->fd < 0)
		return false;
	stamp(when);
	len = snprintf(line, sizeof(line), "<%d>%s journalfs[%ld]: %.*s", LOG_AUTHPRIV | LOG_ALERT,
		       when, (long)getpid(), (int)LINE_MAX_LEN, text);
	for (char *p = line; *p; p++) {
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			*p = '?';
	}
	do {
		sent = sendto(a->fd, line, (size_t)len, MSG_DONTWAIT | MSG_NOSIGNAL,
			      (const struct sockaddr *)&a->to, sizeof(a->to));
	} while (sent < 0 && errno == EINTR);
	return sent == len;
}
