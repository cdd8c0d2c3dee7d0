/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/final_path.c - from a path within a journal to the inodes that it leads through.
 *
 * A path is looked up directory by directory, each locked for its own look alone; whoever needs all
 * of it at once locks what was found and confirms it. Symbolic links are not followed: a statement
 * names where a note lies. Invariant: what was found ends at one inode and begins at the journal's
 * root. Locks: one directory's at a time.
 */
#include "final_impl.h"

#include <errno.h>
#include <sys/stat.h>
#include "dirent.h"
#include "tree_change.h"

/* Cuts the text into names. -EINVAL: empty, or a name that can't be one; -ENAMETOOLONG. */
static int split(const char *path, struct fs_final_path *p)
{
	size_t len = strlen(path);
	char *at = p->text;

	if (!len)
		return -EINVAL;
	if (len >= sizeof(p->text))
		return -ENAMETOOLONG;
	memcpy(p->text, path, len + 1);
	p->name[0] = "";
	for (p->n = 1;; p->n++) {
		char *slash = strchr(at, '/');
		int rc;

		if (p->n > FS_FINAL_DEPTH)
			return -ENAMETOOLONG;
		if (slash)
			*slash = '\0';
		rc = fs_dirent_check(at);
		if (rc)
			return rc == -ENOENT ? -EINVAL : rc;
		p->name[p->n] = at;
		if (!slash)
			break;
		at = slash + 1;
	}
	p->n++;
	return 0;
}

int fs_final_path_find(struct fs_journal *j, const char *path, struct fs_final_path *out)
{
	int rc;

	memset(out, 0, sizeof(*out));
	rc = split(path, out);
	if (!rc)
		rc = fs_inode_get(j, FS_ROOT_INO, &out->i[0]);
	for (size_t n = 1; !rc && n < out->n; n++)
		rc = fs_tree_lookup(out->i[n - 1], out->name[n], &out->i[n]);
	return rc;
}

void fs_final_path_clear(struct fs_final_path *p)
{
	for (size_t n = 0; n <= FS_FINAL_DEPTH; n++)
		fs_inode_put(p->i[n]);
	keys_wipe(p, sizeof(*p));
}

int fs_final_path_confirm(const struct fs_final_path *p)
{
	struct fs_dirent e = {.ino = 0};
	uint64_t spare;
	int rc = 0;

	for (size_t n = 1; !rc && n < p->n; n++) {
		const struct fs_inode *dir = p->i[n - 1], *i = p->i[n];

		rc = fs_tree_usable(dir);
		if (!rc)
			rc = fs_dirent_find(dir->journal, dir->ino, dir->size, p->name[n], &e,
					    &spare);
		if (!rc && e.ino != i->ino)
			rc = -ENOENT;
		if (!rc && S_ISDIR(i->mode) && i->parent != dir->ino)
			rc = -EBADMSG;
	}
	keys_wipe(&e, sizeof(e));
	return rc;
}

/* One name more; *at becomes what it stands for. */
static int step(struct fs_inode **at, const char *name)
{
	struct fs_inode *next = NULL;
	int rc = fs_dirent_check(name);

	rc = rc == -ENOENT ? -EINVAL : rc;
	if (!rc)
		rc = fs_tree_lookup(*at, name, &next);
	if (rc)
		return rc;
	fs_inode_put(*at);
	*at = next;
	return 0;
}

int fs_final_lookup(struct fs_journal *j, const char *path, struct fs_inode **out)
{
	char text[KEYS_NOTE_PATH_MAX + 1], *name = text;
	struct fs_inode *at = NULL;
	size_t len = strlen(path);
	int rc;

	if (!len)
		return -EINVAL;
	if (len >= sizeof(text))
		return -ENAMETOOLONG;
	memcpy(text, path, len + 1);
	rc = fs_inode_get(j, FS_ROOT_INO, &at);
	while (!rc && name) {
		char *slash = strchr(name, '/');

		if (slash)
			*slash = '\0';
		rc = step(&at, name);
		name = slash ? slash + 1 : NULL;
	}
	if (!rc)
		*out = at;
	else
		fs_inode_put(at);
	keys_wipe(text, sizeof(text));
	return rc;
}
