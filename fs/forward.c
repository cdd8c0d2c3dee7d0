/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/forward.c - one datagram a record, sent or lost, counted.
 *
 * Owns the socket and the two counters. Invariants: (1) nothing here blocks: the socket is
 * non-blocking and the address goes with each datagram, so that a listener who comes back is found
 * again; (2) a record that is to be forwarded is counted once, as sent or as lost. Locks: none;
 * all but the counters is set at open.
 */
#include "forward.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../keys/label.h"

static int local(struct fs_forward *f, const char *path)
{
	size_t len = strlen(path);

	if (path[0] != '/' || len >= sizeof(f->to.local.sun_path))
		return -EINVAL;
	f->to.local.sun_family = AF_UNIX;
	memcpy(f->to.local.sun_path, path, len + 1);
	f->to_len = sizeof(f->to.local);
	return 0;
}

static int port_of(const char *text, in_port_t *out)
{
	char *end;
	long n = strtol(text, &end, 10);

	if (*text < '0' || *text > '9' || *end || n < 1 || n > 65535)
		return -EINVAL;
	*out = htons((uint16_t)n);
	return 0;
}

static int remote(struct fs_forward *f, const char *text)
{
	const char *colon = strrchr(text, ':');
	char address[INET6_ADDRSTRLEN + 2];
	size_t len = colon ? (size_t)(colon - text) : 0;

	if (!len || len >= sizeof(address))
		return -EINVAL;
	memcpy(address, text, len);
	address[len] = '\0';
	if (address[0] == '[' && address[len - 1] == ']') {
		address[len - 1] = '\0';
		f->to.v6.sin6_family = AF_INET6;
		f->to_len = sizeof(f->to.v6);
		return inet_pton(AF_INET6, address + 1, &f->to.v6.sin6_addr) == 1
			       ? port_of(colon + 1, &f->to.v6.sin6_port)
			       : -EINVAL;
	}
	f->to.v4.sin_family = AF_INET;
	f->to_len = sizeof(f->to.v4);
	return inet_pton(AF_INET, address, &f->to.v4.sin_addr) == 1
		       ? port_of(colon + 1, &f->to.v4.sin_port)
		       : -EINVAL;
}

int fs_forward_open(struct fs_forward *f, const char *target, uint32_t enterprise)
{
	int rc = -EINVAL;

	memset(f, 0, sizeof(*f));
	f->fd = -1;
	if (!target)
		return 0;
	f->enterprise = enterprise ? enterprise : FS_FORWARD_ENTERPRISE;
	if (strlen(target) >= sizeof(f->target))
		return -EINVAL;
	memcpy(f->target, target, strlen(target) + 1);
	if (!strncmp(target, "unix:", 5))
		rc = local(f, target + 5);
	else if (!strncmp(target, "udp:", 4))
		rc = remote(f, target + 4);
	if (rc)
		return rc;
	if (gethostname(f->host, sizeof(f->host) - 1))
		f->host[0] = '\0';
	f->fd = socket(f->to.any.sa_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	return f->fd < 0 ? -errno : 0;
}

void fs_forward_close(struct fs_forward *f)
{
	if (f->fd >= 0)
		close(f->fd);
	f->fd = -1;
}

void fs_forward_send(struct fs_forward *f, const struct policy_record *r, enum policy_forward how)
{
	const struct policy_syslog as = {.host = f->host,
					 .pid = (uint32_t)getpid(),
					 .enterprise = f->enterprise,
					 .names = how == POLICY_FORWARD_NAMES};
	char message[POLICY_SYSLOG_MAX + 1];
	ssize_t sent;
	size_t len;

	if (f->fd < 0 || how == POLICY_FORWARD_OFF)
		return;
	len = policy_syslog_format(r, &as, message);
	do {
		sent = sendto(f->fd, message, len, MSG_DONTWAIT | MSG_NOSIGNAL, &f->to.any,
			      f->to_len);
	} while (sent < 0 && errno == EINTR);
	/* UDP tells of the one before that nobody took it: this one was not sent yet. */
	if (sent < 0 && errno == ECONNREFUSED && f->to.any.sa_family != AF_UNIX)
		sent = sendto(f->fd, message, len, MSG_DONTWAIT | MSG_NOSIGNAL, &f->to.any,
			      f->to_len);
	keys_wipe(message, sizeof(message));
	if (sent == (ssize_t)len)
		f->sent++;
	else
		f->lost++;
}
