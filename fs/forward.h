/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/forward.h - records of the access log, to the practice's own monitoring, without ever waiting.
 *
 * The operator says where to (serve --syslog), the practice policy says whether and with what names
 * (`log forward [names]`). One record is one datagram of RFC 5424 (policy/syslog.h). What is not
 * taken at once is lost, and counted: the log itself is whole, and the numbers in what did arrive
 * show the gap. The socket is made before the daemon gives up what it does not need.
 */
#ifndef FS_FORWARD_H
#define FS_FORWARD_H

#include <netinet/in.h>
#include <stdatomic.h>
#include <sys/un.h>

#include "../policy/syslog.h"

#define FS_FORWARD_ENTERPRISE 32473u /* of documentation (RFC 5612): until a practice has its own  \
				      */

struct fs_forward {
	int fd; /* -1: nothing is forwarded */
	union {
		struct sockaddr any;
		struct sockaddr_un local;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} to;
	socklen_t to_len;
	char target[160], host[256];
	uint32_t enterprise;
	_Atomic uint64_t sent, lost;
};

/*
 * target: unix:/PATH, udp:ADDRESS:PORT (an IPv4 address, or an IPv6 one in brackets: names are not
 * looked up), or NULL: nothing is forwarded. enterprise 0: that of documentation. Nobody needs to
 * listen yet. 0; -EINVAL: not a target; -errno. In any case the others may be called afterwards.
 */
int fs_forward_open(struct fs_forward *f, const char *target, uint32_t enterprise);
void fs_forward_close(struct fs_forward *f);
/* Any thread, no lock, never waits. Counted as lost where nobody listens, or who does is behind. */
void fs_forward_send(struct fs_forward *f, const struct policy_record *r, enum policy_forward how);

#endif
