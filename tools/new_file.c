/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tools/new_file.c - see new_file.h.
 *
 * Owns: the unfinished file beside the named one.
 */
#include "new_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tool.h"

static void clear(struct tools_new_file *f)
{
	free(f->path);
	free(f->temporary);
	memset(f, 0, sizeof(*f));
}

int tools_new_file_open(struct tools_new_file *f, const char *path)
{
	struct stat st;
	int fd;

	memset(f, 0, sizeof(*f));
	if (!lstat(path, &st) && !S_ISREG(st.st_mode))
		return tools_fail("%s is no regular file; name another one", path);
	f->path = strdup(path);
	if (!f->path || asprintf(&f->temporary, "%s.XXXXXX", path) < 0) {
		f->temporary = NULL;
		clear(f);
		return tools_fail("memory is short");
	}
	fd = mkostemp(f->temporary, O_CLOEXEC); /* 0600 */
	if (fd < 0) {
		tools_fail("%s cannot be written: %s; name another place", path, strerror(errno));
		clear(f);
		return TOOL_FAILED;
	}
	f->to = fdopen(fd, "w");
	if (!f->to) {
		close(fd);
		tools_new_file_abort(f);
		return tools_fail("memory is short");
	}
	return TOOL_OK;
}

/* The directory knows the new name. */
static int sync_place(const char *path)
{
	const char *slash = strrchr(path, '/');
	char *dir = slash ? strndup(path, slash == path ? 1 : (size_t)(slash - path)) : strdup(".");
	int fd = dir ? open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	int rc = fd < 0 || fsync(fd) ? -1 : 0;

	if (fd >= 0)
		close(fd);
	free(dir);
	return rc;
}

int tools_new_file_commit(struct tools_new_file *f)
{
	int rc = fflush(f->to) || ferror(f->to) || fsync(fileno(f->to)) ? -1 : 0;

	if (fclose(f->to))
		rc = -1;
	f->to = NULL;
	if (!rc && (rename(f->temporary, f->path) || sync_place(f->path)))
		rc = -1;
	if (rc) {
		tools_fail("%s could not be written: %s", f->path, strerror(errno));
		tools_new_file_abort(f);
		return TOOL_FAILED;
	}
	clear(f);
	return TOOL_OK;
}

void tools_new_file_abort(struct tools_new_file *f)
{
	if (f->to)
		fclose(f->to);
	if (f->temporary)
		unlink(f->temporary);
	clear(f);
}
