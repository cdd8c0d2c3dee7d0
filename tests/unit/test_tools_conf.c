/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/test_tools_conf.c - finding a vault and what is pinned of it. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "tools/conf.h"

/* main.c's, which tests do not link. */
int tools_fail(const char *fmt, ...)
{
	(void)fmt;
	return TOOL_FAILED;
}

static char dir[] = "/tmp/journalfs-conf.XXXXXX";
static char file[256];

static void setup(void)
{
	strcpy(dir + strlen(dir) - 6, "XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(file, sizeof(file), "%s/clinic.conf", dir);
}

static void teardown(void)
{
	unlink(file);
	rmdir(dir);
}

static void write_file(const char *text, mode_t mode)
{
	int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC, mode);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	ck_assert_int_eq(fchmod(fd, mode), 0);
	close(fd);
}

#define ROOT_HEX "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

START_TEST(unhex_accepts_exactly_hex)
{
	uint8_t out[2];

	ck_assert_int_eq(tools_conf_unhex("0aFf", out, 2), 0);
	ck_assert_int_eq(out[0], 0x0a);
	ck_assert_int_eq(out[1], 0xff);
	ck_assert_int_eq(tools_conf_unhex("0aF", out, 2), -EINVAL);
	ck_assert_int_eq(tools_conf_unhex("0aFff", out, 2), -EINVAL);
	ck_assert_int_eq(tools_conf_unhex("0aFg", out, 2), -EINVAL);
	ck_assert_int_eq(tools_conf_unhex(" aFf", out, 2), -EINVAL);
	ck_assert_int_eq(tools_conf_unhex("0x0f", out, 2), -EINVAL);
}
END_TEST

START_TEST(find_reads_a_whole_file)
{
	struct tool_options o = { .vault = file };
	struct conf c;

	write_file("# a comment\nsocket = /run/x/socket # behind\n account=root\nroot = " ROOT_HEX "\n",
		   0644);
	ck_assert_int_eq(tools_conf_find(&o, &c), TOOL_OK);
	ck_assert_str_eq(c.socket, "/run/x/socket");
	ck_assert_str_eq(c.name, "clinic");
	ck_assert_uint_eq(c.daemon_uid, 0);
	ck_assert_uint_eq(c.root_hash[1], 0x11);
	ck_assert(!c.alone);
}
END_TEST

START_TEST(find_takes_the_socket_option)
{
	struct tool_options o = { .vault = file, .socket = "/other" };
	struct conf c;

	write_file("socket = /run/x/socket\naccount = root\nroot = " ROOT_HEX "\n", 0644);
	ck_assert_int_eq(tools_conf_find(&o, &c), TOOL_OK);
	ck_assert_str_eq(c.socket, "/other");
}
END_TEST

static const struct {
	const char *text;
	mode_t mode;
} refused[] = {
	{ "socket = /s\naccount = root\nroot = " ROOT_HEX "\n", 0664 }, /* group may write */
	{ "socket = /s\naccount = root\nroot = " ROOT_HEX "\n", 0646 }, /* others may write */
	{ "account = root\nroot = " ROOT_HEX "\n", 0644 },
	{ "socket = /s\naccount = root\n", 0644 },
	{ "socket = /s\nroot = " ROOT_HEX "\n", 0644 },
	{ "socket = /s\naccount = root\nroot = 1234\n", 0644 },
	{ "socket = /s\naccount = no-such-account-here\nroot = " ROOT_HEX "\n", 0644 },
	{ "socket = /s\naccount = root\nroot = " ROOT_HEX "\nsurprise = 1\n", 0644 },
	{ "socket\naccount = root\nroot = " ROOT_HEX "\n", 0644 },
};

START_TEST(find_refuses_what_it_cannot_trust)
{
	struct tool_options o = { .vault = file };
	struct conf c;

	write_file(refused[_i].text, refused[_i].mode);
	ck_assert_int_eq(tools_conf_find(&o, &c), TOOL_FAILED);
}
END_TEST

START_TEST(header_of_something_else_is_refused)
{
	uint8_t raw[KEYS_HEADER_LEN];
	struct keys_header h;

	ck_assert_int_eq(tools_conf_read_header(dir, &h, raw), TOOL_FAILED);
	snprintf(file, sizeof(file), "%s/header", dir);
	write_file("certainly no header", 0600);
	ck_assert_int_eq(tools_conf_read_header(dir, &h, raw), TOOL_FAILED);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("tools_conf");
	TCase *t = tcase_create("conf");
	SRunner *sr;
	int bad;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, unhex_accepts_exactly_hex);
	tcase_add_test(t, find_reads_a_whole_file);
	tcase_add_test(t, find_takes_the_socket_option);
	tcase_add_loop_test(t, find_refuses_what_it_cannot_trust, 0,
			    (int)(sizeof(refused) / sizeof(refused[0])));
	tcase_add_test(t, header_of_something_else_is_refused);
	suite_add_tcase(s, t);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	bad = srunner_ntests_failed(sr);
	srunner_free(sr);
	return bad ? EXIT_FAILURE : EXIT_SUCCESS;
}
