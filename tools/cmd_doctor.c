/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tools/cmd_doctor.c - what on this machine stops journalfs or makes it unsafe.
 *
 * A table of checks; each prints one line: ok, warn (unsafe) or stop (will not
 * work), with the remedy. Exit status 1 when anything stops.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>
#include "conf.h"

enum finding { FINDING_OK, FINDING_WARN, FINDING_STOP };

static enum finding line(enum finding f, const char *what, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
static enum finding line(enum finding f, const char *what, const char *fmt, ...)
{
	static const char *const words[] = { "ok  ", "WARN", "STOP" };
	va_list ap;

	printf("%s  %-16s ", words[f], what);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
	return f;
}

static enum finding check_fuse(const char *vault)
{
	struct stat st;

	(void)vault;
	if (stat("/dev/fuse", &st))
		return line(FINDING_STOP, "/dev/fuse", "is missing; `modprobe fuse` as root");
	if (!S_ISCHR(st.st_mode) || st.st_rdev != makedev(10, 229))
		return line(FINDING_STOP, "/dev/fuse", "is not the FUSE device (10:229)");
	if ((st.st_mode & 0666) != 0666)
		return line(FINDING_STOP, "/dev/fuse",
			    "has mode %04o, so practitioners can't mount; `chmod 0666 /dev/fuse` (udev "
			    "does it where it runs)", st.st_mode & 07777);
	return line(FINDING_OK, "/dev/fuse", "is there for everyone");
}

static bool in_path(const char *program, struct stat *st)
{
	const char *path = getenv("PATH");
	char file[PATH_MAX];

	for (const char *p = path ? path : "/usr/bin:/bin"; *p;) {
		size_t n = strcspn(p, ":");

		snprintf(file, sizeof(file), "%.*s/%s", (int)n, p, program);
		if (!stat(file, st))
			return true;
		p += n + (p[n] == ':');
	}
	return false;
}

static enum finding check_fusermount(const char *vault)
{
	struct stat st;

	(void)vault;
	if (!in_path("fusermount3", &st))
		return line(FINDING_STOP, "fusermount3", "is missing; `apt-get install fuse3`");
	if (st.st_uid != 0 || !(st.st_mode & S_ISUID))
		return line(FINDING_STOP, "fusermount3",
			    "is not setuid root; reinstall the package fuse3");
	return line(FINDING_OK, "fusermount3", "is installed");
}

/* A swap device is encrypted when it is a device-mapper crypt target. */
static bool swap_encrypted(const char *device)
{
	char path[PATH_MAX], uuid[64] = "", real[PATH_MAX];
	FILE *f;

	if (!strncmp(device, "/dev/zram", 9))
		return true;
	if (!realpath(device, real) || strncmp(real, "/dev/", 5))
		return false;
	snprintf(path, sizeof(path), "/sys/class/block/%.64s/dm/uuid", real + 5);
	f = fopen(path, "re");
	if (f) {
		if (!fgets(uuid, sizeof(uuid), f))
			uuid[0] = '\0';
		fclose(f);
	}
	return !strncmp(uuid, "CRYPT-", 6);
}

static enum finding check_swap(const char *vault)
{
	char text[PATH_MAX + 128], device[PATH_MAX];
	FILE *f = fopen("/proc/swaps", "re");
	enum finding worst = FINDING_OK;
	bool any = false;

	(void)vault;
	if (f && !fgets(text, sizeof(text), f))
		text[0] = '\0';
	while (f && fgets(text, sizeof(text), f)) {
		text[strcspn(text, " \t\n")] = '\0';
		snprintf(device, sizeof(device), "%.*s", PATH_MAX - 1, text);
		any = true;
		if (!swap_encrypted(device))
			worst = line(FINDING_WARN, "swap",
				     "%s is not encrypted: desktop programs' memory with notes in it may "
				     "be written there; encrypt it or `swapoff`", device);
	}
	if (f)
		fclose(f);
	if (worst == FINDING_OK)
		line(FINDING_OK, "swap", any ? "is encrypted" : "there is none");
	return worst;
}

static enum finding check_memlock(const char *vault)
{
	const rlim_t need = (rlim_t)2 << 20;
	struct rlimit r;

	(void)vault;
	if (getrlimit(RLIMIT_MEMLOCK, &r))
		return line(FINDING_WARN, "memory lock", "can't be read: %s", strerror(errno));
	if (r.rlim_cur != RLIM_INFINITY && r.rlim_cur < need)
		return line(FINDING_WARN, "memory lock",
			    "only %lu KiB may be locked: keys could reach the swap; set "
			    "LimitMEMLOCK=8M or `ulimit -l 8192`", (unsigned long)r.rlim_cur / 1024);
	return line(FINDING_OK, "memory lock", "suffices for the keys");
}

static enum finding check_core(const char *vault)
{
	char pattern[256] = "";
	FILE *f = fopen("/proc/sys/kernel/core_pattern", "re");

	(void)vault;
	if (f && !fgets(pattern, sizeof(pattern), f))
		pattern[0] = '\0';
	if (f)
		fclose(f);
	pattern[strcspn(pattern, "\n")] = '\0';
	/* journalfs itself never dumps; the programs that show notes may. */
	if (pattern[0])
		return line(FINDING_WARN, "core dumps",
			    "go to `%s`: a crashed editor leaves its notes there; journalfs itself "
			    "never dumps", pattern);
	return line(FINDING_OK, "core dumps", "are off");
}

static enum finding check_thumbnails(const char *vault)
{
	const char *home = getenv("HOME");
	char path[PATH_MAX];

	(void)vault;
	snprintf(path, sizeof(path), "%s/.cache/thumbnails", home ? home : "");
	if (home && !access(path, F_OK))
		return line(FINDING_WARN, "thumbnails",
			    "%s keeps previews of attachments in clear; switch previews off for "
			    "~/Journals", path);
	return line(FINDING_OK, "thumbnails", "none are kept");
}

/* "Always create backup copy" puts each document there as it was, in clear (tests/apps/SAVES.md). */
static enum finding check_backups(const char *vault)
{
	const char *home = getenv("HOME");
	struct dirent *e;
	char path[PATH_MAX];
	bool any = false;
	DIR *dir;

	(void)vault;
	snprintf(path, sizeof(path), "%s/.config/libreoffice/4/user/backup", home ? home : "");
	dir = home ? opendir(path) : NULL;
	while (dir && !any && (e = readdir(dir)))
		any = e->d_name[0] != '.';
	if (dir)
		closedir(dir);
	if (any)
		return line(FINDING_WARN, "backup copies",
			    "LibreOffice keeps documents in clear in %s: switch \"Always create "
			    "backup copy\" off (Load/Save, General) and remove them", path);
	return line(FINDING_OK, "backup copies", "LibreOffice keeps none");
}

static enum finding check_vault(const char *vault)
{
	struct stat st;

	if (!vault)
		return FINDING_OK;
	if (stat(vault, &st))
		return line(FINDING_STOP, "vault", "%s: %s", vault, strerror(errno));
	if (!S_ISDIR(st.st_mode))
		return line(FINDING_STOP, "vault", "%s is not a directory", vault);
	if (st.st_mode & 077)
		return line(FINDING_STOP, "vault",
			    "%s may be entered by others (mode %04o): `chmod 0700 %s`", vault,
			    st.st_mode & 07777, vault);
	return line(FINDING_OK, "vault", "%s is closed to others", vault);
}

static enum finding check_space(const char *vault)
{
	struct statvfs sv;
	unsigned long long mib;

	if (!vault || statvfs(vault, &sv))
		return FINDING_OK;
	if (sv.f_flag & ST_RDONLY)
		return line(FINDING_STOP, "disk", "%s lies on a read-only file system", vault);
	mib = (unsigned long long)sv.f_bavail * sv.f_frsize >> 20;
	if (mib < 256)
		return line(FINDING_WARN, "disk", "only %llu MiB are free for %s", mib, vault);
	return line(FINDING_OK, "disk", "%llu MiB free for %s", mib, vault);
}

static enum finding check_directory(const char *vault)
{
	const char *home = getenv("HOME");
	char path[PATH_MAX];
	struct stat st;

	(void)vault;
	snprintf(path, sizeof(path), "%s/Journals", home ? home : "");
	if (!home || (stat(path, &st) && errno == ENOENT))
		return line(FINDING_OK, "~/Journals", "will be made at the first log-in");
	if (errno == ENOTCONN)
		return line(FINDING_WARN, "~/Journals",
			    "holds a dead mount; the next log-in cleans it, or `fusermount3 -u -z %s`",
			    path);
	if (st.st_uid != geteuid())
		return line(FINDING_STOP, "~/Journals", "%s is not yours", path);
	return line(FINDING_OK, "~/Journals", "is yours");
}

int tools_cmd_doctor(struct tool_options *o, int argc, char **argv)
{
	static enum finding (*const checks[])(const char *vault) = {
		check_fuse, check_fusermount, check_memlock, check_swap, check_core,
		check_thumbnails, check_backups, check_directory, check_vault, check_space,
	};
	const char *vault = argc ? argv[0] : o->vault;
	enum finding worst = FINDING_OK;

	for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++) {
		enum finding f;

		errno = 0;
		f = checks[i](vault);
		if (f > worst)
			worst = f;
	}
	return worst == FINDING_STOP ? TOOL_FAILED : TOOL_OK;
}
