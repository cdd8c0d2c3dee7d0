/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/tree_remove.c - taking names away.
 *
 * The child must be locked with its directory, in ascending order, but is known
 * only from the directory: so the entry is read, both are locked, and the entry
 * is read again; when it has changed meanwhile, once more from the start.
 */
#include "tree_change.h"

#include <errno.h>
#include <sys/stat.h>
#include "final.h"

int fs_tree_own(const struct fs_inode *i, const struct fs_actor *who)
{
	bool own = i->author == who->pid && i->writer == who->pid &&
		   i->btime.tv_sec >= who->own_s;

	return !who->own_s || own ? 0 : -EACCES;
}

int fs_tree_drop(struct fs_batch *b, struct fs_inode *i, struct fs_inode_attr *a,
		 const struct fs_actor *who, const struct fs_history_loss *loss,
		 enum fs_tree_fate *fate)
{
	bool kept;
	int rc;

	*a = i->attr;
	a->ctime = who->now;
	a->nlink = S_ISDIR(a->mode) ? 0 : a->nlink - 1;
	rc = fs_history_lose(b, i, a, who, loss, &kept);
	if (rc)
		return rc;
	if (a->nlink || kept) {
		*fate = kept ? FS_TREE_KEPT : FS_TREE_LINKED;
		fs_inode_store_attr(b, i, a);
		return 0;
	}
	/*
	 * One reference is the operation's own. Others can only come by number, not by name, since
	 * the last name's directory is locked: they find the inode deleted and say so. A locked session
	 * refers to nothing, but its open descriptors shall work again.
	 */
	if (atomic_load(&i->refs) > 1 || fs_inode_parked(i)) {
		*fate = FS_TREE_ORPHAN;
		fs_inode_store_attr(b, i, a);
		fs_inode_orphan(b, i->journal, i->ino);
		return 0;
	}
	*fate = FS_TREE_DELETED;
	return fs_inode_purge(b, i->journal, i->ino, &i->attr);
}

void fs_tree_orphaned(struct fs_inode *i, const struct fs_actor *who)
{
	struct fs_signer *before = i->signer;

	i->signer = who->signer ? fs_signer_get(who->signer) : NULL;
	i->removed_under = fs_records_policy_now(fs_journal_records(i->journal));
	i->gone = true;
	if (before)
		fs_signer_put(before);
}

void fs_tree_dropped(struct fs_inode *i, const struct fs_inode_attr *a, const struct fs_actor *who,
		     enum fs_tree_fate fate)
{
	i->attr = *a;
	if (fate == FS_TREE_LINKED || fate == FS_TREE_KEPT)
		return;
	if (fate == FS_TREE_ORPHAN) {
		fs_tree_orphaned(i, who);
		return;
	}
	i->gone = true;
	i->deleted = true;
	i->size = 0;
	i->blocks = 0;
	i->form = FS_FORM_NONE;
	i->pieces = 0;
	i->xattrs = 0;
}

/* Both locked, the entry read under the locks; or an error and nothing locked. */
static int lock_child(struct fs_inode *dir, const char *name, struct fs_dirent *e,
		      struct fs_inode **child)
{
	struct fs_inode *both[2] = {dir, NULL};
	uint64_t spare;
	int rc;

	for (;;) {
		rc = fs_tree_lookup(dir, name, &both[1]);
		if (rc)
			return rc;
		fs_inode_lock_many(both, 2);
		rc = fs_tree_usable(dir);
		if (!rc)
			rc = fs_dirent_find(dir->journal, dir->ino, dir->size, name, e, &spare);
		if (!rc && e->ino == both[1]->ino) {
			*child = both[1];
			return 0;
		}
		fs_inode_unlock_many(both, 2);
		fs_inode_put(both[1]);
		if (rc)
			return rc;
	}
}

static int removable(struct fs_inode *i, bool want_dir, const struct fs_actor *who)
{
	if (!want_dir)
		return S_ISDIR(i->mode) ? -EISDIR : fs_final_check(i, who);
	if (!S_ISDIR(i->mode))
		return -ENOTDIR;
	return fs_final_check_dir(i) ? -EPERM : fs_dirent_none(i->journal, i->ino);
}

/* dir and i are locked exclusively. */
static int remove_locked(struct fs_inode *dir, struct fs_inode *i, const struct fs_dirent *e,
			 const char *path, struct fs_actor *who)
{
	struct fs_history_loss loss = {.path = path};
	struct fs_inode_attr da = dir->attr, ia;
	enum fs_tree_fate fate;
	struct fs_batch b;
	int rc;

	fs_batch_init(&b, who->signer);
	rc = fs_tree_drop(&b, i, &ia, who, &loss, &fate);
	fs_dirent_del(&b, dir->journal, dir->ino, dir->size, e->cookie);
	fs_tree_touch(&da, who);
	da.size--;
	da.nlink -= S_ISDIR(i->mode) ? 1 : 0;
	fs_inode_store_attr(&b, dir, &da);
	rc = fs_tree_apply(dir, &b, rc, who);
	if (!rc) {
		dir->attr = da;
		fs_tree_dropped(i, &ia, who, fate);
		if (fate == FS_TREE_KEPT || fate == FS_TREE_LINKED)
			fs_history_gave_up(dir, e->name, i, who);
	}
	return rc;
}

/* -EXFULL: a path is needed (fs_history_lose). */
static int remove_once(struct fs_inode *dir, const char *name, bool want_dir, const char *path,
		       struct fs_actor *who, struct fs_inode **out)
{
	struct fs_inode *both[2] = {dir, NULL};
	struct fs_dirent e;
	int rc;

	who->group = 0;
	if (dir->ino >= FS_INO_HISTORY)
		return -EROFS;
	fs_inode_throttle(dir->journal);
	rc = lock_child(dir, name, &e, &both[1]);
	if (rc)
		return rc;
	rc = fs_tree_own(both[1], who);
	if (!rc)
		rc = removable(both[1], want_dir, who);
	if (!rc)
		rc = remove_locked(dir, both[1], &e, path, who);
	fs_inode_unlock_many(both, 2);
	keys_wipe(&e, sizeof(e));
	if (!rc && out)
		*out = both[1];
	else
		fs_inode_put(both[1]);
	return rc;
}

static int remove_name(struct fs_inode *dir, const char *name, bool want_dir, struct fs_actor *who,
		       struct fs_inode **out)
{
	char path[FS_HISTORY_PATH_MAX];
	int rc = remove_once(dir, name, want_dir, NULL, who, out);

	if (rc != -EXFULL)
		return rc;
	fs_history_path(dir, name, path);
	rc = remove_once(dir, name, want_dir, path, who, out);
	keys_wipe(path, sizeof(path));
	return rc;
}

/*
 * A full disk must let itself be emptied. What waits for its commit is counted at its worst; once it is
 * committed the removal fits, for which the reserve is there. No lock is held here.
 */
static int remove_on_full_disk(struct fs_inode *dir, const char *name, bool directory,
			       struct fs_actor *who, struct fs_inode **out)
{
	int rc = remove_name(dir, name, directory, who, out);

	if (rc != -ENOSPC)
		return rc;
	(void)fs_group_sync(fs_records_group(fs_journal_records(dir->journal)), 0);
	return remove_name(dir, name, directory, who, out);
}

int fs_tree_unlink(struct fs_inode *dir, const char *name, struct fs_actor *who,
		   struct fs_inode **out)
{
	return remove_on_full_disk(dir, name, false, who, out);
}

int fs_tree_rmdir(struct fs_inode *dir, const char *name, struct fs_actor *who,
		  struct fs_inode **out)
{
	return remove_on_full_disk(dir, name, true, who, out);
}
