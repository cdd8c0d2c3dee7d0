/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/test_tools_notify.c - what the notify service trusts, and how it runs a program.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "tools/notify_conf.h"
#include "tools/notify_run.h"

static char said[PATH_MAX * 3];

/* main.c's, which tests do not link. */
int tools_fail(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(said, sizeof(said), fmt, ap);
	va_end(ap);
	return TOOL_FAILED;
}

/* Below a directory of nobody else's: /tmp is not one. */
static char dir[64];
static struct conf conf;
static struct notify_conf n;

static void setup(void)
{
	const char *base = getuid() ? getenv("HOME") : "/run";

	snprintf(dir, sizeof(dir), "%.40s/jft-notify.XXXXXX", base ? base : "/tmp");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	memset(&conf, 0, sizeof(conf));
	memset(&n, 0, sizeof(n));
	said[0] = '\0';
}

static void teardown(void)
{
	char command[128];

	tools_notify_conf_clear(&n);
	snprintf(command, sizeof(command), "rm -rf -- '%s'", dir);
	ck_assert_int_eq(system(command), 0);
}

static const char *in_dir(const char *name)
{
	static char path[4][128];
	static unsigned i;
	char *p = path[i++ % 4];

	snprintf(p, sizeof(path[0]), "%s/%s", dir, name);
	return p;
}

static void put(const char *name, const char *text, mode_t mode)
{
	int fd = open(in_dir(name), O_WRONLY | O_CREAT | O_TRUNC, 0600);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	ck_assert_int_eq(fchmod(fd, mode), 0);
	close(fd);
}

static int read_conf(const char *text)
{
	char whole[1024];

	whole[0] = '\0';
	for (const char *p = text; *p; p++) { /* @ is the directory */
		size_t len = strlen(whole);

		snprintf(whole + len, sizeof(whole) - len, *p == '@' ? "%s" : "%.1s", *p == '@' ? dir : p);
	}
	put("clinic.notify", whole, 0644);
	snprintf(conf.file, sizeof(conf.file), "%s/clinic.conf", dir);
	conf.alone = getuid() != 0; /* then what is the person's own is trusted */
	if (conf.alone) {
		ck_assert_int_eq(mkdir(in_dir("journalfs"), 0755) && errno != EEXIST, 0);
		put("journalfs/clinic.notify", whole, 0644);
		strcpy(conf.name, "clinic");
		ck_assert_int_eq(setenv("XDG_CONFIG_HOME", dir, 1), 0);
	}
	tools_notify_conf_clear(&n);
	return tools_notify_conf_read(&conf, &n);
}

#define PROGRAM "#!/bin/sh\nexit 0\n"

START_TEST(conf_gives_program_arguments_and_timeout)
{
	put("tell", PROGRAM, 0755);
	ck_assert_msg(read_conf("# who is told\n\nprogram = @/tell\nargument = a b\nargument =\n"
				"argument=c=d # no comment\n timeout = 7s \n") == TOOL_OK, "%s", said);
	ck_assert_str_eq(n.argv[0], in_dir("tell"));
	ck_assert_str_eq(n.argv[1], "a b");
	ck_assert_str_eq(n.argv[2], "");
	ck_assert_str_eq(n.argv[3], "c=d # no comment");
	ck_assert_ptr_null(n.argv[4]);
	ck_assert_uint_eq(n.timeout_s, 7);
	ck_assert_int_eq(read_conf("program = @/tell\n"), TOOL_OK);
	ck_assert_uint_eq(n.timeout_s, 30);
}
END_TEST

START_TEST(conf_of_wrong_form_is_refused_by_line)
{
	static const struct {
		const char *text, *word;
	} wrong[] = {
		{"program @/tell\n", ":1: expected `key = value`"},
		{"timeout = 3\n# @\n", "lacks `program`"},
		{"program = tell # @\n", "absolute path"},
		{"program = @/tell\nprogram = /bin/true\n", ":2: `program` stands here twice"},
		{"program = @/tell\ntimeout = 0\n", ":2: `timeout`"},
		{"program = @/tell\ntimeout = 101\n", ":2: `timeout`"},
		{"program = @/tell\ntimeout = 1h\n", ":2: `timeout`"},
		{"program = @/tell\nshell = yes\n", "unknown key `shell`"},
		{"program = @/none\n", "none: No such file"},
		{"program = @\n", "is no program"},
	};

	put("tell", PROGRAM, 0755);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		ck_assert_int_eq(read_conf(wrong[i].text), TOOL_FAILED);
		ck_assert_msg(strstr(said, wrong[i].word) != NULL, "%s", said);
	}
	put("tell", PROGRAM, 0644);
	ck_assert_int_eq(read_conf("program = @/tell\n"), TOOL_FAILED);
	ck_assert_msg(strstr(said, "is no program") != NULL, "%s", said);
}
END_TEST

START_TEST(conf_that_is_missing_is_named)
{
	snprintf(conf.file, sizeof(conf.file), "%s/other.conf", dir);
	ck_assert_int_eq(tools_notify_conf_read(&conf, &n), TOOL_FAILED);
	ck_assert_ptr_nonnull(strstr(said, "other.notify"));
}
END_TEST

START_TEST(what_others_can_write_is_refused)
{
	put("tell", PROGRAM, 0775);
	ck_assert_int_eq(read_conf("program = @/tell\n"), TOOL_FAILED);
	ck_assert_msg(strstr(said, "tell is not trusted") != NULL, "%s", said);
	put("tell", PROGRAM, 0757);
	ck_assert_int_eq(read_conf("program = @/tell\n"), TOOL_FAILED);
	put("tell", PROGRAM, 0755);
	ck_assert_int_eq(chmod(dir, 01777), 0);
	ck_assert_int_eq(read_conf("program = @/tell\n"), TOOL_FAILED);
	ck_assert_msg(strstr(said, dir) != NULL, "%s", said);
	ck_assert_int_eq(chmod(dir, 0755), 0);
	ck_assert_int_eq(read_conf("program = @/tell\n"), TOOL_OK);
}
END_TEST

START_TEST(path_is_trusted_only_as_a_whole)
{
	char bad[PATH_MAX];
	uid_t me = getuid();

	ck_assert_int_eq(tools_notify_trusted("/bin/sh", 0, bad), 0); /* through links of root's */
	ck_assert_int_eq(tools_notify_trusted("bin/sh", 0, bad), -EINVAL);
	ck_assert_int_eq(tools_notify_trusted("/tmp/x", me, bad), -EPERM);
	ck_assert_str_eq(bad, "/tmp");
	ck_assert_int_eq(mkdir(in_dir("open"), 0755), 0);
	ck_assert_int_eq(mkdir(in_dir("shut"), 0755), 0);
	put("open/tell", PROGRAM, 0755);
	ck_assert_int_eq(symlink("../open/tell", in_dir("shut/link")), 0);
	ck_assert_int_eq(symlink(in_dir("shut/link"), in_dir("twice")), 0);
	ck_assert_int_eq(tools_notify_trusted(in_dir("twice"), me, bad), 0);
	/* A directory on the way that others may write to, behind two links. */
	ck_assert_int_eq(chmod(in_dir("open"), 0777), 0);
	ck_assert_int_eq(tools_notify_trusted(in_dir("twice"), me, bad), -EPERM);
	ck_assert_int_eq(chmod(in_dir("open"), 0755), 0);
	/* The second link itself could be changed. */
	ck_assert_int_eq(chmod(in_dir("shut"), 0770), 0);
	ck_assert_int_eq(tools_notify_trusted(in_dir("twice"), me, bad), -EPERM);
	ck_assert_int_eq(symlink("self", in_dir("self")), 0);
	ck_assert_int_eq(tools_notify_trusted(in_dir("self"), me, bad), -ELOOP);
	if (me)
		return;
	/* In a clinic only root's will do, a link's owner counts too. */
	ck_assert_int_eq(chmod(in_dir("shut"), 0755), 0);
	ck_assert_int_eq(lchown(in_dir("twice"), 4001, 4001), 0);
	ck_assert_int_eq(tools_notify_trusted(in_dir("twice"), 0, bad), -EPERM);
	ck_assert_int_eq(tools_notify_trusted(in_dir("twice"), 4001, bad), 0); /* alone, the person's */
}
END_TEST

/* ---- running ---- */

static char why[200];

static int run(const char *script, unsigned timeout_s)
{
	char name[128];
	char *argv[] = {name, (char[]){"one two"}, NULL};

	put("tell", script, 0755);
	snprintf(name, sizeof(name), "%s", in_dir("tell"));
	why[0] = '\0';
	return tools_notify_run(argv, "{\"reason\":\"secret\"}", 19, timeout_s, why, sizeof(why));
}

static void expect_file(const char *name, const char *text)
{
	char got[4096] = "";
	int fd = open(in_dir(name), O_RDONLY);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_ge(read(fd, got, sizeof(got) - 1), 0);
	close(fd);
	ck_assert_str_eq(got, text);
}

START_TEST(program_gets_the_record_and_a_bare_environment)
{
	ck_assert_int_eq(setenv("LD_PRELOAD_SECRET", "x", 1), 0);
	ck_assert_int_eq(run("#!/bin/sh\nd=${0%/*}\ncat >\"$d/in\"\necho \"$# $1\" >\"$d/args\"\n"
			     "/usr/bin/env | grep -v '^PWD=\\|^_=\\|^SHLVL=\\|^OLDPWD=' >\"$d/env\"\n"
			     "ls /proc/self/fd | tr '\\n' ' ' >\"$d/fds\"\npwd >\"$d/cwd\"\n", 20), 0);
	expect_file("in", "{\"reason\":\"secret\"}");
	expect_file("args", "1 one two\n");
	expect_file("env", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n");
	expect_file("fds", "0 1 2 3 ");
	expect_file("cwd", "/\n");
}
END_TEST

START_TEST(failure_is_told_without_a_word_of_the_record)
{
	ck_assert_int_eq(run("#!/bin/sh\ncat >&2\nexit 3\n", 20), 1);
	ck_assert_str_eq(why, "the program ended with status 3");
	ck_assert_int_eq(run("#!/bin/sh\nkill -9 $$\n", 20), 1);
	ck_assert_str_eq(why, "the program was ended by signal 9");
	ck_assert_int_eq(run("#!/no/such/interpreter\n", 20), 1);
	ck_assert_ptr_nonnull(strstr(why, "could not be run"));
	ck_assert_int_eq(run("#!/bin/sh\nexec <&-\nexit 0\n", 20), 0); /* it need not read */
}
END_TEST

/* The daemon gets it as JSON, which takes nothing but UTF-8. */
START_TEST(failure_is_told_in_plain_letters)
{
	char name[200] = "/no/such/", *argv[] = {name, NULL};

	memset(name + 9, 'a', 110);
	memcpy(name + 119, "\xc3\xa9\xff", 4); /* 120 bytes end within a letter */
	why[0] = '\0';
	ck_assert_int_eq(tools_notify_run(argv, "x", 1, 20, why, sizeof(why)), 1);
	ck_assert_ptr_nonnull(strstr(why, "could not be run"));
	for (const char *p = why; *p; p++)
		ck_assert(*p >= 0x20 && *p <= 0x7e);
}
END_TEST

START_TEST(record_arrives_also_where_standard_input_was_closed)
{
	int kept = fcntl(0, F_DUPFD_CLOEXEC, 10);

	close(0);
	ck_assert_int_eq(run("#!/bin/sh\nd=${0%/*}\ncat >\"$d/in\"\n", 20), 0);
	if (kept >= 0)
		dup2(kept, 0);
	expect_file("in", "{\"reason\":\"secret\"}");
}
END_TEST

/* That process is gone; its number stands in the file. */
static void expect_gone(const char *name)
{
	char got[32] = "";
	int fd = open(in_dir(name), O_RDONLY);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_gt(read(fd, got, sizeof(got) - 1), 0);
	close(fd);
	/* A grandchild is reaped by init: until then it may be seen as dead. */
	for (int i = 0; i < 500; i++) {
		char path[64], state = 'Z';
		FILE *f;

		snprintf(path, sizeof(path), "/proc/%ld/stat", strtol(got, NULL, 10));
		f = fopen(path, "r");
		if (f && fscanf(f, "%*d (%*[^)]) %c", &state) != 1)
			state = 'Z';
		if (f)
			fclose(f);
		if (!f || state == 'Z')
			return;
		usleep(10000);
	}
	ck_abort_msg("process %s lives on", got);
}

START_TEST(program_that_hangs_is_stopped_with_all_that_it_began)
{
	ck_assert_int_eq(run("#!/bin/sh\nd=${0%/*}\nsleep 600 &\necho $! >\"$d/child\"\necho $$ >\"$d/pid\"\n"
			     "wait\n", 1), 1);
	ck_assert_str_eq(why, "the program did not end within 1 seconds and was stopped");
	expect_gone("child");
	expect_gone("pid");
}
END_TEST

START_TEST(program_that_ignores_the_first_signal_is_killed)
{
	ck_assert_int_eq(run("#!/bin/sh\ntrap '' TERM\necho $$ >\"${0%/*}/pid\"\n"
			     "while :; do sleep 600; done\n", 1), 1);
	expect_gone("pid");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("tools/notify");
	TCase *tc = tcase_create("notify");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, conf_gives_program_arguments_and_timeout);
	tcase_add_test(tc, conf_of_wrong_form_is_refused_by_line);
	tcase_add_test(tc, conf_that_is_missing_is_named);
	tcase_add_test(tc, what_others_can_write_is_refused);
	tcase_add_test(tc, path_is_trusted_only_as_a_whole);
	tcase_add_test(tc, program_gets_the_record_and_a_bare_environment);
	tcase_add_test(tc, failure_is_told_without_a_word_of_the_record);
	tcase_add_test(tc, failure_is_told_in_plain_letters);
	tcase_add_test(tc, record_arrives_also_where_standard_input_was_closed);
	tcase_add_test(tc, program_that_hangs_is_stopped_with_all_that_it_began);
	tcase_add_test(tc, program_that_ignores_the_first_signal_is_killed);
	suite_add_tcase(s, tc);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
