/* SPDX-License-Identifier: Apache-2.0 */
/* listen PATH: a listener of datagrams at PATH, as a syslog daemon is one; each on a line of standard output. */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	char got[65536];
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (argc != 2 || fd < 0 || strlen(argv[1]) >= sizeof(at.sun_path))
		return 2;
	strcpy(at.sun_path, argv[1]);
	unlink(argv[1]);
	if (bind(fd, (struct sockaddr *)&at, sizeof(at)) || chmod(argv[1], 0666))
		return 1;
	for (;;) {
		ssize_t n = recv(fd, got, sizeof(got) - 1, 0);

		if (n < 0)
			return 1;
		got[n] = '\n';
		if (write(1, got, (size_t)n + 1) != n + 1)
			return 1;
	}
}
