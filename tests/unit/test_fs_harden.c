/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of fs/harden.c, each in a child (what is taken away stays away): what serving needs works
 * on, what an intruder would want does not.
 */
#include "../../fs/alert.h"
#include "../../fs/harden.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <pwd.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static char dir[64];
static struct fs_harden_report report;

static void setup(void)
{
	strcpy(dir, "/tmp/journalfs-harden-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
}

static void teardown(void)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/b", dir);
	unlink(path);
	rmdir(dir);
}

/* In the hardened child, where Check can't work any more: says what failed and ends. */
#define MUST(what)                                                                                 \
	do {                                                                                       \
		if (!(what)) {                                                                     \
			dprintf(2, "%s:%d: %s: %s\n", __FILE__, __LINE__, #what, strerror(errno));  \
			_exit(1);                                                                  \
		}                                                                                  \
	} while (0)
#define REFUSED(call) MUST((errno = 0, (call) == -1) && errno == EPERM)

/* Runs fn in a child of its own and passes when that ends well. */
static void in_child(void (*fn)(void))
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		fn();
		_exit(0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status));
	ck_assert_int_eq(WEXITSTATUS(status), 0);
}

static void harden(void)
{
	const char *rw[] = {dir};
	const char *ro[] = {"/proc", "/etc/passwd", "/nonexistent"};

	MUST(fs_harden_early() == 0);
	MUST(fs_harden_serve(rw, 1, ro, 3, &report) == 0);
}

static void look_early(void)
{
	struct rlimit core;

	MUST(fs_harden_early() == 0);
	MUST(getrlimit(RLIMIT_CORE, &core) == 0);
	MUST(core.rlim_max == 0);
	MUST(prctl(PR_GET_DUMPABLE) == 0);
	MUST(umask(0) == 077);
}

START_TEST(early_leaves_no_core_and_no_onlooker)
{
	in_child(look_early);
}
END_TEST

static void run_programs(void)
{
	char *argv[] = {(char *)(uintptr_t)"true", NULL};

	harden();
	MUST(report.seccomp);
	MUST(execv("/bin/true", argv) == -1);
	MUST(errno == EPERM);
	MUST(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1);
}

START_TEST(programs_cannot_be_run)
{
	in_child(run_programs);
}
END_TEST

static void intrude(void)
{
	harden();
	REFUSED(socket(AF_INET, SOCK_STREAM, 0));
	REFUSED(socket(AF_INET6, SOCK_DGRAM, 0));
	REFUSED(socket(AF_NETLINK, SOCK_RAW, 0));
	REFUSED((int)ptrace(PTRACE_TRACEME, 0, NULL, NULL));
	REFUSED(mount("none", dir, "tmpfs", 0, NULL));
	REFUSED(umount(dir));
	REFUSED(unshare(CLONE_NEWUSER));
	REFUSED((int)syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0));
	REFUSED((int)syscall(SYS_process_vm_readv, getpid(), NULL, 0, NULL, 0, 0));
	REFUSED((int)syscall(SYS_bpf, 0, NULL, 0));
	REFUSED((int)syscall(SYS_io_uring_setup, 1, NULL));
	REFUSED((int)syscall(SYS_keyctl, 0, 0, 0, 0, 0));
	REFUSED((int)syscall(SYS_userfaultfd, 0));
	REFUSED((int)syscall(SYS_setns, 0, 0));
	REFUSED(setuid(1));
	REFUSED(ioctl(0, TIOCSTI, "x"));
	REFUSED(prctl(PR_SET_DUMPABLE, 1, 0, 0, 0));
}

START_TEST(calls_of_an_intruder_are_refused)
{
	in_child(intrude);
}
END_TEST

/* A socket as the system's log has it, with room for few. */
static int system_log(const char *path)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	int s = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);

	strcpy(at.sun_path, path);
	MUST(s >= 0);
	MUST(bind(s, (struct sockaddr *)&at, sizeof(at)) == 0);
	return s;
}

static char outside[80]; /* a system log's socket that the daemon's files do not cover, as /dev/log */

static void alert_outside(void)
{
	char path[128], got[1200] = "";
	struct fs_alert a, far;
	int log, said = 0, there = system_log(outside);

	snprintf(path, sizeof(path), "%s/b", dir);
	MUST(fs_alert_open(&a, path) == 0);
	MUST(fs_alert_open(&far, outside) == 0);
	harden();
	MUST(fs_alert_say(&far, "out of reach of files"));
	MUST(recv(there, got, sizeof(got) - 1, 0) > 0);
	MUST(strstr(got, "out of reach of files") != NULL);
	MUST(!fs_alert_say(&a, "nobody listens"));
	log = system_log(path);
	MUST(fs_alert_say(&a, "one\nline, \x1b[2J"));
	MUST(recv(log, got, sizeof(got) - 1, 0) > 0);
	MUST(strncmp(got, "<81>", 4) == 0); /* authpriv, alert */
	MUST(strstr(got, " journalfs[") != NULL);
	MUST(strstr(got, "]: one?line, ?[2J") != NULL);
	/* One that takes nothing more is not waited for; the alarm would end this. */
	alarm(20);
	while (fs_alert_say(&a, "again") && said < 1000000)
		said++;
	MUST(said > 0 && said < 1000000);
	/* One that was started anew is found. */
	close(log);
	MUST(!fs_alert_say(&a, "gone"));
	MUST(unlink(path) == 0);
	log = system_log(path);
	MUST(fs_alert_say(&a, "back"));
	fs_alert_close(&a);
	MUST(!fs_alert_say(&a, "closed"));
}

START_TEST(alerts_reach_the_system_log_and_never_wait_for_it)
{
	char longest[200], other[] = "/tmp/journalfs-alert-XXXXXX";
	struct fs_alert a;

	ck_assert_ptr_nonnull(mkdtemp(other));
	snprintf(outside, sizeof(outside), "%s/log", other);
	memset(longest, 'x', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	ck_assert_int_eq(fs_alert_open(&a, longest), -ENAMETOOLONG);
	ck_assert(!fs_alert_say(&a, "no socket"));
	in_child(alert_outside);
	ck_assert_int_eq(unlink(outside), 0);
	ck_assert_int_eq(rmdir(other), 0);
}
END_TEST

static void look_outside(void)
{
	int fd;

	harden();
	if (!report.landlock) {
		printf("SKIP files_outside_are_out_of_reach: this kernel has no Landlock\n");
		MUST(report.landlock_abi == 0);
		fflush(stdout);
		return;
	}
	fd = open("/etc/hostname", O_RDONLY);
	MUST(fd == -1);
	MUST(errno == EACCES);
	MUST(open("/tmp/journalfs-outside", O_CREAT | O_WRONLY, 0600) == -1);
	MUST(open("/etc/passwd", O_WRONLY) == -1);
}

START_TEST(files_outside_are_out_of_reach)
{
	in_child(look_outside);
}
END_TEST

static void *answer(void *arg)
{
	return arg;
}

static void *sleeper(void *arg)
{
	pause(); /* until canceled */
	return arg;
}

static void run_threads(void)
{
	pthread_t t;
	void *got = NULL;
	pid_t pid;
	int status;

	harden();
	MUST(pthread_create(&t, NULL, answer, dir) == 0);
	MUST(pthread_join(t, &got) == 0);
	MUST(got == dir);
	MUST(pthread_create(&t, NULL, sleeper, NULL) == 0);
	MUST(pthread_cancel(t) == 0);
	MUST(pthread_join(t, &got) == 0);
	MUST(got == PTHREAD_CANCELED);
	pid = fork();
	if (!pid)
		_exit(7);
	MUST(waitpid(pid, &status, 0) == pid);
	MUST(WEXITSTATUS(status) == 7);
}

START_TEST(threads_start_end_and_cancel)
{
	in_child(run_threads);
}
END_TEST

static void serve_files(void)
{
	char a[128], b[128];
	struct iovec iov = {.iov_base = a, .iov_len = 10};
	int fd;

	harden();
	snprintf(a, sizeof(a), "%s/a", dir);
	snprintf(b, sizeof(b), "%s/b", dir);
	fd = open(a, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	MUST(fd >= 0);
	MUST(flock(fd, LOCK_EX | LOCK_NB) == 0);
	MUST(posix_fallocate(fd, 0, 65536) == 0);
	MUST(pwritev2(fd, &iov, 1, 0, RWF_DSYNC) == 10);
	MUST(fdatasync(fd) == 0);
	MUST(ftruncate(fd, 4096) == 0);
	MUST(mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0) != MAP_FAILED);
	MUST(rename(a, b) == 0);
	MUST(close(fd) == 0);
}

START_TEST(files_of_the_vault_can_be_served)
{
	in_child(serve_files);
}
END_TEST

static void use_sockets(void)
{
	struct passwd pw, *found = NULL;
	char buf[4096];
	int fd;

	harden();
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	MUST(fd >= 0);
	MUST(epoll_create1(EPOLL_CLOEXEC) >= 0);
	MUST(eventfd(0, EFD_CLOEXEC) >= 0);
	MUST(timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC) >= 0);
	MUST(getpwuid_r(0, &pw, buf, sizeof(buf), &found) == 0);
	MUST(found != NULL);
	fd = open("/proc/self/comm", O_RDONLY);
	MUST(fd >= 0);
	MUST(read(fd, buf, sizeof(buf)) > 0);
}

START_TEST(sockets_timers_and_accounts_work)
{
	in_child(use_sockets);
}
END_TEST

static int started[2], told[2];

static void *try_inet(void *arg)
{
	char byte;

	(void)arg;
	MUST(write(started[1], "x", 1) == 1);
	MUST(read(told[0], &byte, 1) == 1);
	REFUSED(socket(AF_INET, SOCK_STREAM, 0));
	return NULL;
}

static void restrict_running_thread(void)
{
	pthread_t t;
	char byte;

	MUST(pipe(started) == 0 && pipe(told) == 0);
	MUST(fs_harden_files(NULL, 0, NULL, 0, &report) == 0);
	MUST(pthread_create(&t, NULL, try_inet, NULL) == 0);
	MUST(read(started[0], &byte, 1) == 1);
	MUST(fs_harden_calls(&report) == 0 && report.seccomp);
	MUST(write(told[1], "x", 1) == 1);
	MUST(pthread_join(t, NULL) == 0);
}

START_TEST(calls_are_refused_to_threads_that_run_already)
{
	in_child(restrict_running_thread);
}
END_TEST

static void miss_directory(void)
{
	const char *rw[] = {"/nonexistent/vault"};
	bool landlock = syscall(SYS_landlock_create_ruleset, NULL, 0, 1) > 0;
	int rc = fs_harden_serve(rw, 1, NULL, 0, &report);

	/* Without Landlock nobody looks at the directories. */
	MUST(rc == (landlock ? -ENOENT : 0));
}

START_TEST(directory_that_is_missing_fails)
{
	in_child(miss_directory);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("fs_harden");
	TCase *t = tcase_create("all");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, early_leaves_no_core_and_no_onlooker);
	tcase_add_test(t, programs_cannot_be_run);
	tcase_add_test(t, calls_of_an_intruder_are_refused);
	tcase_add_test(t, alerts_reach_the_system_log_and_never_wait_for_it);
	tcase_add_test(t, files_outside_are_out_of_reach);
	tcase_add_test(t, threads_start_end_and_cancel);
	tcase_add_test(t, files_of_the_vault_can_be_served);
	tcase_add_test(t, sockets_timers_and_accounts_work);
	tcase_add_test(t, calls_are_refused_to_threads_that_run_already);
	tcase_add_test(t, directory_that_is_missing_fails);
	suite_add_tcase(s, t);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
