/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/notes_amend.c - a draft that amends a final note, beside it.
 *
 * The draft is an ordinary note whose STATE says what it amends; the final note learns of it when
 * the draft is final. Its name follows the practice's pattern: %n the note's name without its
 * extension, %e the extension with its dot, %i the first number from 1 that is free.
 *
 * Invariant: the record is durable before the draft exists. Locks: none of its own.
 */
#include <sys/stat.h>

#include "notes_impl.h"

#define PATTERN "%n amendment %i%e"
#define NUMBERS 10000

static void expand(const char *pattern, const char *name, unsigned number, char *out, size_t cap)
{
	const char *dot = strrchr(name, '.');
	size_t n = 0, stem = dot && dot != name ? (size_t)(dot - name) : strlen(name);

	out[0] = '\0';
	for (; *pattern && n < cap; pattern++) {
		int k;

		if (*pattern != '%' || !strchr("nei", pattern[1]) || !pattern[1])
			k = snprintf(out + n, cap - n, "%c", *pattern);
		else if (*++pattern == 'n')
			k = snprintf(out + n, cap - n, "%.*s", (int)stem, name);
		else if (*pattern == 'e')
			k = snprintf(out + n, cap - n, "%s", name + stem);
		else
			k = snprintf(out + n, cap - n, "%u", number);
		n += (size_t)k;
	}
}

static int taken(struct fs_inode *dir, const char *name)
{
	struct fs_inode *i = NULL;
	int rc = fs_tree_lookup(dir, name, &i);

	fs_inode_put(i);
	return rc == -ENOENT ? 0 : rc ? rc : 1;
}

int fs_noting_free_name(struct fs_inode *dir, const char *pattern, const char *name,
			char out[static FS_NOTING_NAME])
{
	unsigned most = strstr(pattern, "%i") ? NUMBERS : 2;
	int rc = 1;

	for (unsigned n = 1; rc > 0 && n < most; n++) {
		expand(pattern, name, n, out, FS_NOTING_NAME);
		if (strlen(out) > 255)
			return -ENAMETOOLONG;
		rc = taken(dir, out);
	}
	return rc > 0 ? -EEXIST : rc;
}

/* The folder that the note lies in, and the length of its path with the slash. */
static int folder(const struct fs_noting *a, struct fs_inode **out, size_t *len)
{
	char path[KEYS_NOTE_PATH_MAX + 1];
	const char *slash = strrchr(a->path, '/');

	*len = slash ? (size_t)(slash - a->path) + 1 : 0;
	if (!slash)
		return fs_inode_get(a->j, FS_ROOT_INO, out);
	snprintf(path, sizeof(path), "%.*s", (int)*len - 1, a->path);
	return fs_final_lookup(a->j, path, out);
}

static int choose(const struct fs_noting *a, struct fs_inode *dir, const char *wanted, size_t len,
		  char out[static FS_NOTING_NAME])
{
	const char *pattern = policy_practice_settings(a->practice)->amendment;
	int rc;

	if (!wanted || !wanted[0]) {
		rc = fs_noting_free_name(dir, pattern ? pattern : PATTERN, a->path + len, out);
	} else if (strchr(wanted, '/')) {
		return fs_noting_no(a, -EINVAL,
				    "the amendment lies beside the note: a name without a "
				    "slash is wanted, not %s",
				    wanted);
	} else if (strlen(wanted) > 255) {
		rc = -ENAMETOOLONG;
	} else {
		snprintf(out, FS_NOTING_NAME, "%s", wanted);
		rc = taken(dir, out);
		rc = rc > 0 ? -EEXIST : rc;
	}
	if (rc == -EEXIST)
		return fs_noting_no(a, rc, "there is a %s already: give another name", out);
	if (rc == -ENAMETOOLONG || (!rc && len + strlen(out) > KEYS_NOTE_PATH_MAX))
		return fs_noting_no(a, -ENAMETOOLONG, "the amendment's name is too long");
	return rc;
}

static int tell(const struct fs_noting *a, const char *name, int failed)
{
	struct policy_record r;

	fs_noting_record(a, POLICY_RECORD_AMEND, &r);
	policy_record_copy(r.name2, sizeof(r.name2), name);
	if (failed) {
		r.outcome = 8;
		snprintf(r.detail, sizeof(r.detail), "it could not be made: %s", strerror(-failed));
	}
	return fs_log_write(a->v->log, &r) ? -EIO : 0;
}

int fs_noting_make(const struct fs_noting *a, struct fs_inode *dir, const char *name,
		   const struct fs_final_state *links, struct fs_inode **out)
{
	struct fs_actor who;
	struct fs_inode *made = NULL;
	int rc;

	fs_noting_actor(a, &who);
	rc = who.signer ? fs_tree_create(dir, name, S_IFREG | 0600, &who, &made) : -ENOKEY;
	if (!rc && links) {
		rc = fs_final_link(made, links, &who);
		if (rc)
			(void)fs_tree_unlink(dir, name, &who, NULL);
	}
	if (who.signer)
		fs_signer_put(who.signer);
	if (rc)
		fs_inode_put(made);
	else
		*out = made;
	return rc;
}

/* Out: the folder, 0 as long as nothing was made in it. */
static int amend(struct fs_noting *a, const char *wanted, uint64_t *in,
		 char path[static KEYS_NOTE_PATH_MAX + 1])
{
	struct fs_final_state links = {.amends = a->i->ino};
	struct fs_inode *dir = NULL, *made = NULL;
	char name[FS_NOTING_NAME];
	size_t len = 0;
	int rc = folder(a, &dir, &len);

	if (!rc)
		rc = choose(a, dir, wanted, len, name);
	if (!rc)
		rc = tell(a, name, 0);
	if (!rc) {
		rc = fs_noting_again(a);
		if (!rc)
			rc = fs_noting_make(a, dir, name, &links, &made);
		if (!rc)
			*in = fs_inode_nodeid(dir);
		if (!rc)
			rc = fs_noting_durable(a->j, 0);
		if (rc)
			(void)tell(a, name, rc);
	}
	if (!rc)
		snprintf(path, KEYS_NOTE_PATH_MAX + 1, "%.*s%s", (int)len, a->path, name);
	fs_inode_put(made);
	fs_inode_put(dir);
	return rc;
}

int fs_vault_note_amend(struct fs_vault *v, struct fs_session *s, const struct fs_note_place *at,
			const char *name, char path[static KEYS_NOTE_PATH_MAX + 1],
			struct fs_say *say)
{
	struct fs_noting a;
	uint64_t in = 0;
	int rc = fs_noting_begin(&a, v, s, at, "amending", say);

	if (!rc)
		rc = fs_noting_find(&a);
	if (!rc && !(a.attr.flags & FS_INODE_FINAL))
		rc = fs_noting_no(&a, -EPERM, "%s is a draft: change it as it is", a.path);
	if (!rc && !(a.rights & POLICY_WRITE) && !a.drafts_s)
		rc = fs_noting_refuse(&a, -EACCES, "you may not write in this journal");
	if (!rc)
		rc = amend(&a, name, &in, path);
	fs_noting_end(&a);
	if (in && at->folder)
		at->folder->fn(at->folder->ctx, in);
	return rc;
}
