/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of fs/forward: what is a target, what arrives, and that nobody is waited for: what is not
 * taken is counted.
 */
#include "../../fs/forward.h"

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static char path[64], target[96];
static struct fs_forward f;
static struct policy_record record;

static void setup(void)
{
	snprintf(path, sizeof(path), "/tmp/journalfs-forward-%ld", (long)getpid());
	snprintf(target, sizeof(target), "unix:%s", path);
	unlink(path);
	policy_record_init(&record, POLICY_RECORD_OPEN);
	strcpy(record.who, "anna");
	strcpy(record.journal_name, "Hansen");
	record.journal = 17;
}

static void teardown(void)
{
	fs_forward_close(&f);
	unlink(path);
}

static int listener(void)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	ck_assert_int_ge(fd, 0);
	strcpy(at.sun_path, path);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	return fd;
}

static const char *next(int fd)
{
	static char got[POLICY_SYSLOG_MAX + 2];
	ssize_t n = recv(fd, got, sizeof(got) - 1, 0);

	if (n < 0)
		return NULL;
	got[n] = '\0';
	return got;
}

START_TEST(target_is_a_path_or_an_address_in_numbers)
{
	static const char *const good[] = {"unix:/run/x", "udp:127.0.0.1:514", "udp:[::1]:514"};
	static const char *const bad[] = {"",
					  "unix:",
					  "unix:run/x",
					  "udp:127.0.0.1",
					  "udp:127.0.0.1:",
					  "udp:127.0.0.1:0",
					  "udp:127.0.0.1:65536",
					  "udp:localhost:514",
					  "udp:::1:514",
					  "udp:[::1]",
					  "udp:127.0.0.1:5x",
					  "udp:127.0.0.1:-5",
					  "tcp:127.0.0.1:514",
					  "/run/x",
					  "udp::514",
					  "udp:[]:514"};
	char lengthy[256];

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		ck_assert_msg(!fs_forward_open(&f, good[i], 0), "%s", good[i]);
		ck_assert_int_ge(f.fd, 0);
		fs_forward_close(&f);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		ck_assert_msg(fs_forward_open(&f, bad[i], 0) == -EINVAL, "%s", bad[i]);
		ck_assert_int_eq(f.fd, -1);
		fs_forward_send(&f, &record, POLICY_FORWARD_ON);
		ck_assert_uint_eq(f.sent + f.lost, 0);
	}
	snprintf(lengthy, sizeof(lengthy), "unix:/%0200d", 1);
	ck_assert_int_eq(fs_forward_open(&f, lengthy, 0), -EINVAL);
	ck_assert_int_eq(fs_forward_open(&f, NULL, 0), 0);
	ck_assert_int_eq(f.fd, -1);
}
END_TEST

START_TEST(record_arrives_as_one_message_as_policy_says)
{
	int fd = listener();
	const char *got;

	ck_assert_int_eq(fs_forward_open(&f, target, 99999), 0);
	fs_forward_send(&f, &record, POLICY_FORWARD_OFF);
	ck_assert_ptr_null(next(fd));
	fs_forward_send(&f, &record, POLICY_FORWARD_ON);
	got = next(fd);
	ck_assert_ptr_nonnull(got);
	ck_assert_ptr_nonnull(strstr(got, "[journalfs@99999 "));
	ck_assert_ptr_nonnull(strstr(got, "journal=\"17\""));
	ck_assert_ptr_null(strstr(got, "Hansen"));
	fs_forward_send(&f, &record, POLICY_FORWARD_NAMES);
	got = next(fd);
	ck_assert_ptr_nonnull(got);
	ck_assert_ptr_nonnull(strstr(got, "Hansen"));
	ck_assert_ptr_null(next(fd));
	ck_assert_uint_eq(f.sent, 2);
	ck_assert_uint_eq(f.lost, 0);
	close(fd);
}
END_TEST

/* Ten thousand to somebody who does not read: this test would hang if anything waited. */
START_TEST(listener_that_sleeps_or_is_gone_holds_nobody_up)
{
	unsigned read = 0;
	int fd;

	ck_assert_int_eq(fs_forward_open(&f, target, 0), 0);
	fs_forward_send(&f, &record, POLICY_FORWARD_ON);
	ck_assert_uint_eq(f.lost, 1);
	fd = listener();
	for (unsigned i = 0; i < 10000; i++)
		fs_forward_send(&f, &record, POLICY_FORWARD_ON);
	ck_assert_uint_gt(f.sent, 0);
	ck_assert_uint_gt(f.lost, 1);
	ck_assert_uint_eq(f.sent + f.lost, 10001);
	while (next(fd))
		read++;
	ck_assert_uint_eq(read, f.sent);
	/* It reads again: the next one arrives. */
	fs_forward_send(&f, &record, POLICY_FORWARD_ON);
	ck_assert_ptr_nonnull(next(fd));
	close(fd);
	unlink(path);
	/* Restarted: found again by its path. */
	fd = listener();
	fs_forward_send(&f, &record, POLICY_FORWARD_ON);
	ck_assert_ptr_nonnull(next(fd));
	close(fd);
}
END_TEST

START_TEST(udp_arrives_and_nobody_there_is_no_failure)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(at);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct timeval most = {.tv_sec = 10};
	char to[64];

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&at, len), 0);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&at, &len), 0);
	ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &most, sizeof(most)), 0);
	snprintf(to, sizeof(to), "udp:127.0.0.1:%u", ntohs(at.sin_port));
	ck_assert_int_eq(fs_forward_open(&f, to, 0), 0);
	fs_forward_send(&f, &record, POLICY_FORWARD_ON);
	ck_assert_ptr_nonnull(next(fd));
	close(fd);
	for (unsigned i = 0; i < 100; i++)
		fs_forward_send(&f, &record, POLICY_FORWARD_ON);
	ck_assert_uint_eq(f.sent + f.lost, 101);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("fs_forward");
	TCase *t = tcase_create("forward");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, target_is_a_path_or_an_address_in_numbers);
	tcase_add_test(t, record_arrives_as_one_message_as_policy_says);
	tcase_add_test(t, listener_that_sleeps_or_is_gone_holds_nobody_up);
	tcase_add_test(t, udp_arrives_and_nobody_there_is_no_failure);
	suite_add_tcase(s, t);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
