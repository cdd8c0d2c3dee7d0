/* SPDX-License-Identifier: Apache-2.0 */
/* tools/note_path.c - see note_path.h. */
#include <errno.h>
#include <mntent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "note_path.h"
#include "plain.h"
#include "tool.h"

#define MOUNTS "/proc/self/mounts"

/* Says it, with the name made fit for a terminal. */
static int fail_named(const char *name, const char *what)
{
	char *plain = tools_plain(name, 0);

	tools_fail("%s: %s", plain ? plain : "(a file)", what);
	free(plain);
	return TOOL_FAILED;
}

static int fail_errno(const char *name)
{
	if (errno == ENOKEY)
		return fail_named(name,
				  "your journals are locked; `journalfs unlock` opens them again");
	if (errno == ENOTCONN)
		return fail_named(name, "the mount is dead; log in again with `journalfs login`");
	return fail_named(name, strerror(errno));
}

/* Is path the directory or below it? What follows the directory's name, or NULL. */
static const char *below(const char *path, const char *dir)
{
	size_t len = strlen(dir);

	if (strncmp(path, dir, len) != 0)
		return NULL;
	if (len && dir[len - 1] == '/')
		return path + len;
	return path[len] == '/' ? path + len + 1 : path[len] ? NULL : path + len;
}

static bool is_own(const struct mntent *m)
{
	char user[40];
	const char *opt;
	size_t len;

	if (strcmp(m->mnt_type, "fuse.journalfs") != 0)
		return false;
	len = (size_t)snprintf(user, sizeof(user), "user_id=%u", (unsigned)geteuid());
	opt = strstr(m->mnt_opts, user);
	return opt && (opt[len] == ',' || !opt[len]);
}

/*
 * The mount that path lies in; path NULL: the n-th of the account's own. 0, -ENOENT (none), or the
 * errno of what could not be read.
 */
static int find_mount(const char *mounts, const char *path, unsigned n, struct note_path *out)
{
	FILE *f = setmntent(mounts, "re");
	struct mntent *m;
	size_t best = 0;
	int rc = -ENOENT;

	if (!f)
		return -errno;
	while ((m = getmntent(f)) != NULL) {
		if (!is_own(m) || strlen(m->mnt_dir) >= sizeof(out->mount) ||
		    strlen(m->mnt_fsname) >= sizeof(out->vault))
			continue;
		if (path ? !below(path, m->mnt_dir) || strlen(m->mnt_dir) < best : n-- != 0)
			continue;
		best = strlen(m->mnt_dir);
		strcpy(out->mount, m->mnt_dir);
		strcpy(out->vault, m->mnt_fsname);
		rc = 0;
		if (!path)
			break;
	}
	endmntent(f);
	return rc;
}

/*
 * The absolute name; what it leads to may be gone (*there), but the directory must be there. Names
 * that end in
 * '/', "." or ".." are directories: they must be there. 0 or negative errno.
 */
static int absolute(const char *file, char out[static PATH_MAX], bool *there)
{
	const char *slash = strrchr(file, '/'), *last = slash ? slash + 1 : file;
	char parent[PATH_MAX], found[PATH_MAX];
	size_t len;

	*there = realpath(file, out) != NULL;
	if (*there)
		return 0;
	if (errno != ENOENT || !*last || !strcmp(last, ".") || !strcmp(last, ".."))
		return -errno;
	len = slash ? (size_t)(slash - file) : 1;
	if (len >= sizeof(parent))
		return -ENAMETOOLONG;
	snprintf(parent, sizeof(parent), "%.*s", (int)len, slash ? file : ".");
	if (!realpath(len ? parent : "/", found))
		return -errno;
	if (snprintf(out, PATH_MAX, "%s/%s", strcmp(found, "/") ? found : "", last) >= PATH_MAX)
		return -ENAMETOOLONG;
	return 0;
}

/* Journal and path from the absolute name. */
static int split(const char *file, const char *path, bool want_note, struct note_path *out)
{
	const char *rest = below(path, out->mount), *slash;
	size_t len;

	slash = strchr(rest, '/');
	len = slash ? (size_t)(slash - rest) : strlen(rest);
	if (!len)
		return fail_named(
			file,
			"that is the directory of all journals; name one of them, or a note in it");
	if (len >= sizeof(out->journal))
		return fail_named(file, strerror(ENAMETOOLONG));
	snprintf(out->journal, sizeof(out->journal), "%.*s", (int)len, rest);
	snprintf(out->path, sizeof(out->path), "%s", slash ? slash + 1 : "");
	if (want_note && !out->path[0])
		return fail_named(file, "that is a journal; name a note in it");
	return TOOL_OK;
}

/* As JOURNAL/PATH below one of the account's mounts. 0 or -ENOENT. */
static int find_named(const char *mounts, const char *file, char path[static PATH_MAX],
		      struct note_path *out)
{
	char name[2 * PATH_MAX];
	int rc = file[0] && file[0] != '/' ? 0 : -ENOENT;

	for (unsigned n = 0; !rc; n++) {
		rc = find_mount(mounts, NULL, n, out);
		if (rc)
			break;
		snprintf(name, sizeof(name), "%s/%s", out->mount, file);
		if (strlen(name) < PATH_MAX && !absolute(name, path, &out->there) &&
		    below(path, out->mount))
			return 0;
	}
	return rc;
}

int tools_note_path_in(const char *mounts, const char *file, bool want_note, struct note_path *out)
{
	char path[PATH_MAX] = "", named[PATH_MAX];
	struct note_path other = {.there = false};
	int rc;

	memset(out, 0, sizeof(*out));
	rc = absolute(file, path, &out->there);
	if (!rc) {
		rc = find_mount(mounts, path, 0, out);
		/* Gone from here, if ever it was here; but a journal of that name, or a note in
		 * one, is there. */
		if (!rc && !out->there && !find_named(mounts, file, named, &other) && other.there) {
			*out = other;
			return split(file, named, want_note, out);
		}
		if (!rc)
			return split(file, path, want_note, out);
	}
	if (rc != -ENOENT) {
		errno = -rc;
		return fail_errno(file);
	}
	if (!find_named(mounts, file, path, out))
		return split(file, path, want_note, out);
	if (find_mount(mounts, NULL, 0, out))
		return fail_named(file,
				  "that is in no mounted vault, and none is mounted; log in with "
				  "`journalfs login`");
	return fail_named(file,
			  access(file, F_OK)
				  ? "there is no such note below your mounted journals"
				  : "that is in no mounted vault; name a note below your mounted "
				    "journals");
}

int tools_note_path(const char *file, bool want_note, struct note_path *out)
{
	return tools_note_path_in(MOUNTS, file, want_note, out);
}

bool tools_note_version(const char *file, char out[static PATH_MAX], uint32_t *version)
{
	const char *at = strrchr(file, '@');
	size_t digits = at ? strspn(at + 1, "0123456789") : 0;
	unsigned long number = digits && digits <= 10 ? strtoul(at + 1, NULL, 10) : 0;
	bool is = at && at != file && digits && !at[1 + digits] && number && number <= UINT32_MAX;

	snprintf(out, PATH_MAX, "%.*s", is ? (int)(at - file) : (int)strlen(file), file);
	if (is)
		*version = (uint32_t)number;
	return is;
}
