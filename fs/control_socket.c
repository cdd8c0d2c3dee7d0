/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/control_socket.c - the place of the control socket: who could have put something else there.
 *
 * A client trusts the socket's directory to lead to the daemon (and then asks
 * the daemon for proof). So the directory must belong to us or to root and must
 * not be writable by anybody else. A socket that nobody serves any more is
 * replaced; anything else at that path is left alone.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "control_impl.h"

#define BACKLOG 64

static int split(const char *path, char dir[static 4096], struct sockaddr_un *to,
		 struct fs_say *say)
{
	const char *slash = strrchr(path, '/');
	size_t len = slash ? (size_t)(slash - path) : 0;

	if (path[0] != '/' || !slash[1]) {
		fs_say(say, "the socket's path must be absolute, and `%s` is not", path);
		return -EINVAL;
	}
	if (strlen(path) >= sizeof(to->sun_path)) {
		fs_say(say, "the socket's path has more than %zu bytes: choose a shorter one with "
			    "--socket", sizeof(to->sun_path) - 1);
		return -ENAMETOOLONG;
	}
	memcpy(dir, path, len);
	dir[len] = '\0';
	if (!len)
		strcpy(dir, "/");
	to->sun_family = AF_UNIX;
	strcpy(to->sun_path, path);
	return 0;
}

static int check_dir(const char *dir, bool alone, struct fs_say *say)
{
	struct stat st;

	if (mkdir(dir, 0700) == 0 && !alone && chmod(dir, 0755))
		return -errno;
	if (lstat(dir, &st)) {
		int rc = -errno;

		fs_say(say, "the socket's directory %s can't be used: %s; make it, owned by the "
			    "daemon's account", dir, strerror(-rc));
		return rc;
	}
	if (!S_ISDIR(st.st_mode)) {
		fs_say(say, "%s, where the socket should be, is no directory", dir);
		return -ENOTDIR;
	}
	if (st.st_uid != geteuid() && st.st_uid != 0) {
		fs_say(say, "the socket's directory %s belongs to account %u: it must belong to the "
			    "daemon's account or to root", dir, (unsigned)st.st_uid);
		return -EPERM;
	}
	if (st.st_mode & 022) {
		fs_say(say, "others can write in the socket's directory %s: `chmod go-w` it, or choose "
			    "another place with --socket", dir);
		return -EPERM;
	}
	return 0;
}

/* Removes a socket that nobody serves. */
static int clear_path(const struct sockaddr_un *to, struct fs_say *say)
{
	struct stat st;
	int fd, served;

	if (lstat(to->sun_path, &st))
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(st.st_mode)) {
		fs_say(say, "%s exists and is no socket: move it away", to->sun_path);
		return -EEXIST;
	}
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	served = connect(fd, (const struct sockaddr *)to, sizeof(*to)) == 0 ||
		 errno != ECONNREFUSED;
	close(fd);
	if (served) {
		fs_say(say, "another daemon serves on %s: stop it, or choose another socket",
		       to->sun_path);
		return -EADDRINUSE;
	}
	return unlink(to->sun_path) ? -errno : 0;
}

int fs_control_socket_open(const char *path, bool alone, int *fd, struct fs_say *say)
{
	struct sockaddr_un to = {0};
	char dir[4096];
	int rc, s = -1;

	rc = split(path, dir, &to, say);
	if (!rc)
		rc = check_dir(dir, alone, say);
	if (!rc)
		rc = clear_path(&to, say);
	if (rc)
		goto out;
	s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	/* Peers are judged by account and keys, not by the socket's mode. */
	if (s < 0 || bind(s, (struct sockaddr *)&to, sizeof(to)) ||
	    chmod(path, alone ? 0600 : 0666) || listen(s, BACKLOG))
		rc = -errno;
out:
	if (rc) {
		if (!say->text[0])
			fs_say(say, "the socket %s can't be made: %s", path, strerror(-rc));
		if (s >= 0)
			close(s);
		return rc;
	}
	*fd = s;
	return 0;
}
