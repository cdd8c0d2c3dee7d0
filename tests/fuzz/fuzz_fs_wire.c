/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzzes the daemon's receiving end: any bytes of a peer, in pieces, with and without descriptors. */
#include "../../fs/wire.h"
#include "../../keys/label.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	return keys_init();
}

static void send_piece(int sock, const uint8_t *p, size_t len, bool with_fd)
{
	union {
		char bytes[CMSG_SPACE(2 * sizeof(int))];
		struct cmsghdr align;
	} control = {{0}};
	int fds[2] = {sock, sock};
	struct iovec iov = {.iov_base = (void *)(uintptr_t)p, .iov_len = len};
	struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};

	if (with_fd) {
		size_t n = len % 2 + 1;

		m.msg_control = control.bytes;
		m.msg_controllen = CMSG_SPACE(n * sizeof(int));
		control.align.cmsg_level = SOL_SOCKET;
		control.align.cmsg_type = SCM_RIGHTS;
		control.align.cmsg_len = CMSG_LEN(n * sizeof(int));
		memcpy(CMSG_DATA(&control.align), fds, n * sizeof(int));
	}
	(void)sendmsg(sock, &m, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* The first byte says how large the pieces are and whether descriptors ride on them. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fs_wire_message m;
	struct fs_wire_in *in = NULL;
	size_t piece, off = 1;
	int sock[2], rc = 0;

	if (size < 2 || socketpair(AF_UNIX, SOCK_STREAM, 0, sock))
		return 0;
	piece = (size_t)(data[0] & 0x7f) + 1;
	rc = fs_wire_in_new(&in);
	while (!rc && off < size) {
		size_t len = size - off < piece ? size - off : piece;

		send_piece(sock[1], data + off, len, data[0] & 0x80);
		off += len;
		while ((rc = fs_wire_in_feed(in, sock[0], &m)) == 1) {
			assert(json_is_object(m.json));
			assert(m.blob_len <= FS_WIRE_BLOB_MAX);
			fs_wire_message_clear(&m);
		}
	}
	fs_wire_in_free(in);
	close(sock[0]);
	close(sock[1]);
	return 0;
}
