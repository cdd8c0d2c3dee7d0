/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of fs/wire.c: frames go through whole, hostile ones end the connection and leave nothing open. */
#include "../../fs/wire.h"
#include "../../keys/bytes.h"
#include "../../keys/label.h"

#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int sock[2];
static struct fs_wire_in *in;
static struct fs_wire_message msg;

static void setup(void)
{
	ck_assert_int_eq(keys_init(), 0);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, sock), 0);
	ck_assert_int_eq(fs_wire_in_new(&in), 0);
	fs_wire_message_init(&msg);
}

static void teardown(void)
{
	fs_wire_message_clear(&msg);
	fs_wire_in_free(in);
	close(sock[0]);
	if (sock[1] >= 0)
		close(sock[1]);
}

static unsigned open_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	unsigned n = 0;

	ck_assert_ptr_nonnull(d);
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

static void send_bytes(const void *p, size_t len)
{
	ck_assert_int_eq(send(sock[1], p, len, MSG_NOSIGNAL), (int)len);
}

static void send_frame(uint32_t json_len, uint32_t blob_len, const char *text, const void *blob)
{
	uint8_t buf[4096];
	struct bytes_out b = bytes_out(buf, sizeof(buf));

	bytes_put_u32(&b, json_len);
	bytes_put_u32(&b, blob_len);
	bytes_put(&b, text, strlen(text));
	if (blob)
		bytes_put(&b, blob, blob_len);
	ck_assert(!b.bad);
	send_bytes(buf, b.len);
}

static void send_with_fds(const void *p, size_t len, const int *fds, size_t n)
{
	union {
		char bytes[CMSG_SPACE(64 * sizeof(int))];
		struct cmsghdr align;
	} control = {{0}};
	struct iovec iov = {.iov_base = (void *)(uintptr_t)p, .iov_len = len};
	struct msghdr m = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = CMSG_SPACE(n * sizeof(int)),
	};
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(n * sizeof(int));
	memcpy(CMSG_DATA(c), fds, n * sizeof(int));
	ck_assert_int_eq(sendmsg(sock[1], &m, 0), (int)len);
}

START_TEST(message_with_blob_and_descriptor_arrives_whole)
{
	json_t *json = json_pack("{s:s, s:i}", "verb", "hello", "protocol", 1);
	unsigned before = open_fds();
	int fd = open("/dev/null", O_RDONLY);

	ck_assert_int_eq(fs_wire_send(sock[1], json, "secret", 6, fd), 0);
	close(fd);
	ck_assert_int_eq(fs_wire_receive(sock[0], &msg, 1000), 0);
	ck_assert(json_equal(msg.json, json));
	ck_assert_uint_eq(msg.blob_len, 6);
	ck_assert_mem_eq(msg.blob, "secret", 6);
	ck_assert_int_ge(msg.fd, 0);
	ck_assert_int_eq(fcntl(msg.fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	fs_wire_message_clear(&msg);
	ck_assert_uint_eq(open_fds(), before);
	json_decref(json);
}
END_TEST

START_TEST(messages_back_to_back_keep_their_own_descriptor)
{
	json_t *a = json_pack("{s:i}", "n", 1), *b = json_pack("{s:i}", "n", 2);

	ck_assert_int_eq(fs_wire_send(sock[1], a, NULL, 0, -1), 0);
	ck_assert_int_eq(fs_wire_send(sock[1], b, "x", 1, sock[0]), 0);
	ck_assert_int_eq(fs_wire_in_feed(in, sock[0], &msg), 1);
	ck_assert(json_equal(msg.json, a));
	ck_assert_int_eq(msg.fd, -1);
	ck_assert_ptr_null(msg.blob);
	fs_wire_message_clear(&msg);
	ck_assert_int_eq(fs_wire_in_feed(in, sock[0], &msg), 1);
	ck_assert(json_equal(msg.json, b));
	ck_assert_int_ge(msg.fd, 0);
	ck_assert_int_eq(fs_wire_in_feed(in, sock[0], &msg), 0);
	json_decref(a);
	json_decref(b);
}
END_TEST

START_TEST(message_in_single_bytes_arrives_whole)
{
	static const char text[] = "{\"verb\":\"status\"}";
	uint8_t buf[64];
	struct bytes_out b = bytes_out(buf, sizeof(buf));
	int rc = 0;

	bytes_put_u32(&b, sizeof(text) - 1);
	bytes_put_u32(&b, 3);
	bytes_put(&b, text, sizeof(text) - 1);
	bytes_put(&b, "abc", 3);
	for (size_t i = 0; i < b.len; i++) {
		ck_assert_int_eq(rc, 0);
		send_bytes(buf + i, 1);
		rc = fs_wire_in_feed(in, sock[0], &msg);
	}
	ck_assert_int_eq(rc, 1);
	ck_assert_mem_eq(msg.blob, "abc", 3);
	ck_assert_str_eq(json_string_value(json_object_get(msg.json, "verb")), "status");
}
END_TEST

START_TEST(lengths_too_large_are_refused_before_the_body)
{
	send_frame(FS_WIRE_JSON_MAX + 1, 0, "", NULL);
	ck_assert_int_eq(fs_wire_in_feed(in, sock[0], &msg), -EMSGSIZE);
	ck_assert_ptr_null(msg.json);
}
END_TEST

START_TEST(blob_too_large_is_refused)
{
	send_frame(2, FS_WIRE_BLOB_MAX + 1, "{}", NULL);
	ck_assert_int_eq(fs_wire_in_feed(in, sock[0], &msg), -EMSGSIZE);
}
END_TEST

START_TEST(lengths_near_overflow_are_refused)
{
	send_frame(UINT32_MAX, UINT32_MAX, "", NULL);
	ck_assert_int_eq(fs_wire_in_feed(in, sock[0], &msg), -EMSGSIZE);
}
END_TEST

static const char *const not_messages[] = {
	"[1,2]",
	"\"text\"",
	"12",
	"null",
	"{\"verb\":",
	"{\"verb\":\"a\",\"verb\":\"b\"}",
	"{\"verb\":\"\xff\xfe\"}",
	"{\"verb\":\"a\\u0000b\"}",
	"{} {}",
	"nonsense",
};

START_TEST(text_that_is_no_object_is_refused)
{
	send_frame((uint32_t)strlen(not_messages[_i]), 0, not_messages[_i], NULL);
	ck_assert_int_eq(fs_wire_in_feed(in, sock[0], &msg), -EPROTO);
	ck_assert_ptr_null(msg.json);
}
END_TEST

START_TEST(text_of_length_zero_is_refused)
{
	send_frame(0, 4, "", "abcd");
	ck_assert_int_eq(fs_wire_in_feed(in, sock[0], &msg), -EPROTO);
}
END_TEST

static void *send_deep(void *arg)
{
	static char buf[FS_WIRE_JSON_MAX + 8];
	struct bytes_out b = bytes_out(buf, 8);

	(void)arg;
	bytes_put_u32(&b, FS_WIRE_JSON_MAX);
	bytes_put_u32(&b, 0);
	memset(buf + 8, '[', FS_WIRE_JSON_MAX);
	memcpy(buf + 8, "{\"a\":", 5);
	send_bytes(buf, sizeof(buf));
	return NULL;
}

START_TEST(nesting_a_million_deep_is_refused)
{
	pthread_t t;

	ck_assert_int_eq(pthread_create(&t, NULL, send_deep, NULL), 0);
	ck_assert_int_eq(fs_wire_receive(sock[0], &msg, 60000), -EPROTO);
	pthread_join(t, NULL);
}
END_TEST

START_TEST(descriptors_too_many_are_all_closed)
{
	static const char frame[] = "\x02\0\0\0\0\0\0\0{}";
	unsigned before = open_fds();
	int fds[60];

	for (size_t i = 0; i < 60; i++)
		fds[i] = sock[0];
	send_with_fds(frame, sizeof(frame) - 1, fds, 60);
	ck_assert_int_eq(fs_wire_in_feed(in, sock[0], &msg), -EPROTO);
	fs_wire_in_free(in);
	in = NULL;
	ck_assert_uint_eq(open_fds(), before);
}
END_TEST

START_TEST(descriptor_behind_the_first_byte_is_refused)
{
	unsigned before = open_fds();

	send_bytes("\x02", 1);
	ck_assert_int_eq(fs_wire_in_feed(in, sock[0], &msg), 0);
	send_with_fds("\0\0\0\0\0\0\0{}", 9, &sock[0], 1);
	ck_assert_int_eq(fs_wire_in_feed(in, sock[0], &msg), -EPROTO);
	ck_assert_uint_eq(open_fds(), before);
}
END_TEST

START_TEST(descriptor_of_an_unfinished_frame_is_closed)
{
	unsigned before = open_fds();

	send_with_fds("\x20", 1, &sock[0], 1);
	ck_assert_int_eq(fs_wire_in_feed(in, sock[0], &msg), 0);
	ck_assert_uint_eq(open_fds(), before + 1);
	fs_wire_in_free(in);
	in = NULL;
	ck_assert_uint_eq(open_fds(), before);
}
END_TEST

START_TEST(peer_gone_is_told_from_a_frame_cut_short)
{
	send_bytes("\x20\0\0", 3);
	ck_assert_int_eq(fs_wire_in_feed(in, sock[0], &msg), 0);
	close(sock[1]);
	sock[1] = -1;
	ck_assert_int_eq(fs_wire_in_feed(in, sock[0], &msg), -EPROTO);
	fs_wire_in_free(in);
	ck_assert_int_eq(fs_wire_in_new(&in), 0);
	ck_assert_int_eq(fs_wire_in_feed(in, sock[0], &msg), -EPIPE);
}
END_TEST

START_TEST(receive_gives_up_after_its_time)
{
	ck_assert_int_eq(fs_wire_receive(sock[0], &msg, 20), -ETIMEDOUT);
	send_bytes("\x20", 1);
	ck_assert_int_eq(fs_wire_receive(sock[0], &msg, 20), -ETIMEDOUT);
}
END_TEST

START_TEST(queue_is_bounded_and_drains_in_order)
{
	char *big = malloc(900001);
	struct fs_wire_out *o = NULL;
	json_t *json;
	int n = 0, rc;

	memset(big, 'x', 900000);
	big[900000] = '\0';
	json = json_pack("{s:s}", "text", big);
	ck_assert_int_eq(fs_wire_out_new(&o), 0);
	while (!(rc = fs_wire_out_queue(o, json, "b", 1)))
		n++;
	ck_assert_int_eq(rc, -ENOBUFS);
	ck_assert_int_eq(n, 4);
	ck_assert_uint_gt(fs_wire_out_queued(o), 3600000);
	for (int got = 0; got < n;) {
		ck_assert_int_ge(fs_wire_out_flush(o, sock[1]), 0);
		rc = fs_wire_in_feed(in, sock[0], &msg);
		ck_assert_int_ge(rc, 0);
		if (rc) {
			ck_assert(json_equal(msg.json, json));
			fs_wire_message_clear(&msg);
			got++;
		}
	}
	ck_assert_uint_eq(fs_wire_out_queued(o), 0);
	ck_assert_int_eq(fs_wire_out_flush(o, sock[1]), 0);
	fs_wire_out_free(o);
	json_decref(json);
	free(big);
}
END_TEST

START_TEST(send_to_a_closed_peer_fails_without_a_signal)
{
	json_t *json = json_pack("{}");
	struct fs_wire_out *o = NULL;

	close(sock[0]);
	ck_assert_int_eq(fs_wire_send(sock[1], json, NULL, 0, -1), -EPIPE);
	ck_assert_int_eq(fs_wire_out_new(&o), 0);
	ck_assert_int_eq(fs_wire_out_queue(o, json, NULL, 0), 0);
	ck_assert_int_eq(fs_wire_out_flush(o, sock[1]), -EPIPE);
	fs_wire_out_free(o);
	json_decref(json);
}
END_TEST

START_TEST(send_refuses_what_no_peer_would_take)
{
	uint8_t blob[FS_WIRE_BLOB_MAX + 1] = {0};
	json_t *json = json_pack("{}");

	ck_assert_int_eq(fs_wire_send(sock[1], json, blob, sizeof(blob), -1), -EMSGSIZE);
	json_decref(json);
}
END_TEST

START_TEST(peer_is_this_process)
{
	uid_t uid = 77;
	gid_t gid = 77;
	pid_t pid = 0;

	ck_assert_int_eq(fs_wire_peer(sock[0], &uid, &gid, &pid), 0);
	ck_assert_uint_eq(uid, getuid());
	ck_assert_uint_eq(gid, getgid());
	ck_assert_int_gt(pid, 0);
	ck_assert_int_eq(fs_wire_peer(sock[0], NULL, NULL, NULL), 0);
	ck_assert_int_eq(fs_wire_peer(0x7fff, &uid, &gid, &pid), -EBADF);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("fs_wire");
	TCase *t = tcase_create("all");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 120);
	tcase_add_test(t, message_with_blob_and_descriptor_arrives_whole);
	tcase_add_test(t, messages_back_to_back_keep_their_own_descriptor);
	tcase_add_test(t, message_in_single_bytes_arrives_whole);
	tcase_add_test(t, lengths_too_large_are_refused_before_the_body);
	tcase_add_test(t, blob_too_large_is_refused);
	tcase_add_test(t, lengths_near_overflow_are_refused);
	tcase_add_loop_test(t, text_that_is_no_object_is_refused, 0,
			    (int)(sizeof(not_messages) / sizeof(not_messages[0])));
	tcase_add_test(t, text_of_length_zero_is_refused);
	tcase_add_test(t, nesting_a_million_deep_is_refused);
	tcase_add_test(t, descriptors_too_many_are_all_closed);
	tcase_add_test(t, descriptor_behind_the_first_byte_is_refused);
	tcase_add_test(t, descriptor_of_an_unfinished_frame_is_closed);
	tcase_add_test(t, peer_gone_is_told_from_a_frame_cut_short);
	tcase_add_test(t, receive_gives_up_after_its_time);
	tcase_add_test(t, queue_is_bounded_and_drains_in_order);
	tcase_add_test(t, send_to_a_closed_peer_fails_without_a_signal);
	tcase_add_test(t, send_refuses_what_no_peer_would_take);
	tcase_add_test(t, peer_is_this_process);
	suite_add_tcase(s, t);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
