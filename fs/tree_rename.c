/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/tree_rename.c - renaming within one journal.
 *
 * Up to four inodes change in one batch: two directories, what is moved, what is
 * replaced or had the name a moment ago. A replaced entry keeps its cookie and gets the moved inode, so that a
 * listing under way shows the name once, and there is no instant without it.
 *
 * Locks: a rename between directories holds the journal's rename mutex; only such
 * a rename changes a directory's parent, so under the mutex the chain of parents
 * stands still and can be walked before the inode locks are taken.
 */
#include "tree_change.h"

#include <errno.h>
#include <sys/stat.h>
#include "final.h"
#include "inode_recent.h"

#define DEPTH_MAX 100000 /* a chain longer than this is a loop: damage */

enum { DIR, NEWDIR, SRC, DST, PAST, COUNT }; /* PAST: who had newname a moment ago */

struct rename {
	struct fs_inode *i[COUNT]; /* DST and PAST may be NULL */
	const char *name, *newname;
	unsigned flags;
	struct fs_actor *who;
	const char *path; /* of newname, when it was looked up */
	bool took;
	/* read under the locks */
	struct fs_dirent from, to;
	uint64_t spare; /* cookie for newname when it is free */
	/* the state after */
	struct fs_inode_attr a[COUNT];
	enum fs_tree_fate fate;
	struct fs_batch b;
};

/* Is directory `dir` the inode ino or below it? 1, 0 or an error. Under the rename mutex. */
static int within(struct fs_inode *dir, uint64_t ino)
{
	struct fs_inode *i = fs_inode_ref(dir);
	int rc = 0;

	for (unsigned depth = 0; !rc && depth < DEPTH_MAX; depth++) {
		struct fs_inode *up = NULL;
		uint64_t parent;

		if (i->ino == ino)
			rc = 1;
		if (rc || i->ino == FS_ROOT_INO)
			break;
		pthread_rwlock_rdlock(&i->lock);
		parent = i->parent;
		pthread_rwlock_unlock(&i->lock);
		rc = fs_inode_get(i->journal, parent, &up);
		if (!rc) {
			fs_inode_put(i);
			i = up;
		}
	}
	if (!rc && i->ino != FS_ROOT_INO)
		rc = -EBADMSG;
	fs_inode_put(i);
	return rc;
}

/* No directory goes below itself. */
static int check_loop(const struct rename *r)
{
	int rc = 0;

	if (r->i[DIR] == r->i[NEWDIR])
		return 0;
	rc = within(r->i[NEWDIR], r->i[SRC]->ino);
	if (!rc && r->flags & FS_TREE_EXCHANGE && r->i[DST])
		rc = within(r->i[DIR], r->i[DST]->ino);
	return rc == 1 ? -EINVAL : rc;
}

/* What the names stand for, before the locks. */
static int peek(struct rename *r)
{
	int rc = fs_tree_lookup(r->i[DIR], r->name, &r->i[SRC]);

	if (rc)
		return rc;
	rc = fs_tree_lookup(r->i[NEWDIR], r->newname, &r->i[DST]);
	if (rc == -ENOENT) {
		if (!fs_history_aside(r->name, r->newname))
			r->i[PAST] = fs_history_past(r->i[NEWDIR], r->newname, r->who);
		rc = 0;
	}
	return rc;
}

static void drop_peeked(struct rename *r)
{
	fs_inode_put(r->i[SRC]);
	fs_inode_put(r->i[DST]);
	fs_inode_put(r->i[PAST]);
	r->i[SRC] = NULL;
	r->i[DST] = NULL;
	r->i[PAST] = NULL;
}

/* Do the names still stand for what is locked? 0; -EAGAIN: no; or an error. */
static int confirm(struct rename *r)
{
	struct fs_inode *dir = r->i[DIR], *newdir = r->i[NEWDIR];
	uint64_t unused;
	int rc = fs_tree_usable(dir);

	if (!rc)
		rc = fs_tree_usable(newdir);
	if (!rc)
		rc = fs_dirent_find(dir->journal, dir->ino, dir->size, r->name, &r->from, &unused);
	if (rc)
		return rc;
	rc = fs_dirent_find(newdir->journal, newdir->ino, newdir->size, r->newname, &r->to,
			    &r->spare);
	if (rc == -ENOENT) {
		r->to.ino = 0;
		rc = 0;
	}
	if (rc)
		return rc;
	return r->from.ino == r->i[SRC]->ino && r->to.ino == (r->i[DST] ? r->i[DST]->ino : 0)
		       ? 0
		       : -EAGAIN;
}

static int lock_all(struct rename *r)
{
	int rc;

	do {
		rc = peek(r);
		if (!rc)
			rc = check_loop(r);
		if (!rc) {
			fs_inode_lock_many(r->i, COUNT);
			rc = confirm(r);
			if (rc)
				fs_inode_unlock_many(r->i, COUNT);
		}
		if (rc)
			drop_peeked(r);
	} while (rc == -EAGAIN);
	return rc;
}

/* May this one lose its name or its place? */
static int check_final(const struct fs_inode *i, const struct fs_actor *who)
{
	return S_ISDIR(i->mode) ? fs_final_check_dir(i) : fs_final_check(i, who);
}

/* May newname be taken or given up? The same inode twice has been dealt with. */
static int check_target(const struct rename *r)
{
	struct fs_inode *src = r->i[SRC], *dst = r->i[DST];

	if (!dst) {
		if (r->flags & FS_TREE_EXCHANGE)
			return -ENOENT;
		return r->spare ? 0 : -ENOSPC;
	}
	if (r->flags & FS_TREE_NOREPLACE)
		return -EEXIST;
	if (r->flags & FS_TREE_EXCHANGE)
		return 0;
	if (S_ISDIR(src->mode) && !S_ISDIR(dst->mode))
		return -ENOTDIR;
	if (!S_ISDIR(src->mode) && S_ISDIR(dst->mode))
		return -EISDIR;
	return S_ISDIR(dst->mode) ? fs_dirent_none(dst->journal, dst->ino) : 0;
}

/* A directory's ".." counts as a link of the directory that it lies in. */
static void move_parent(struct rename *r, int what, struct fs_inode_attr *from,
			struct fs_inode_attr *to, const struct fs_inode *newdir)
{
	r->a[what].ctime = r->who->now;
	if (!S_ISDIR(r->a[what].mode))
		return;
	from->nlink--;
	to->nlink++;
	r->a[what].parent = newdir->ino;
}

/* Fills a[] and the batch. */
static int build(struct rename *r)
{
	struct fs_inode *dir = r->i[DIR], *newdir = r->i[NEWDIR];
	struct fs_inode_attr *da = &r->a[DIR], *na = dir == newdir ? da : &r->a[NEWDIR];
	struct fs_journal *j = dir->journal;
	bool exchange = r->flags & FS_TREE_EXCHANGE;
	uint64_t cookie = r->i[DST] ? r->to.cookie : r->spare;
	int rc = 0;

	move_parent(r, SRC, da, na, newdir);
	/* "note~" may say that it is none. */
	fs_history_named(&r->a[SRC], r->who, false,
			 exchange || fs_history_aside(r->name, r->newname));
	if (exchange) {
		fs_history_named(&r->a[DST], r->who, true, true);
		move_parent(r, DST, na, da, dir);
		fs_inode_store_attr(&r->b, r->i[DST], &r->a[DST]);
		fs_dirent_put(&r->b, j, dir->ino, dir->size, r->from.cookie, r->name,
			      r->i[DST]->ino, r->i[DST]->mode);
	} else {
		fs_dirent_del(&r->b, j, dir->ino, dir->size, r->from.cookie);
		da->size--;
		na->size += r->i[DST] ? 0 : 1;
	}
	if (r->i[DST] && !exchange) {
		struct fs_history_loss loss = {r->i[SRC], &r->a[SRC], r->path};

		if (fs_history_aside(r->name, r->newname))
			loss.heir = NULL;
		na->nlink -= S_ISDIR(r->i[DST]->mode) ? 1 : 0;
		rc = fs_tree_drop(&r->b, r->i[DST], &r->a[DST], r->who, &loss, &r->fate);
	}
	if (!rc && r->i[PAST])
		rc = fs_history_take(&r->b, r->i[SRC], &r->a[SRC], r->i[PAST], &r->a[PAST], r->who,
				     &r->took);
	fs_dirent_put(&r->b, j, newdir->ino, newdir->size, cookie, r->newname, r->i[SRC]->ino,
		      r->i[SRC]->mode);
	fs_inode_store_attr(&r->b, r->i[SRC], &r->a[SRC]);
	fs_tree_touch(da, r->who);
	if (na != da)
		fs_tree_touch(na, r->who);
	fs_inode_store_attr(&r->b, dir, da);
	if (na != da)
		fs_inode_store_attr(&r->b, newdir, na);
	return rc;
}

static void publish(struct rename *r)
{
	struct fs_inode_attr was = r->i[SRC]->attr;

	r->i[DIR]->attr = r->a[DIR];
	if (r->i[NEWDIR] != r->i[DIR])
		r->i[NEWDIR]->attr = r->a[NEWDIR];
	r->i[SRC]->attr = r->a[SRC];
	if (r->i[DST])
		fs_tree_dropped(r->i[DST], &r->a[DST], r->who, r->fate);
	if (r->took) {
		r->i[PAST]->attr = r->a[PAST];
		fs_inode_recent_forget(r->i[NEWDIR], r->newname);
	}
	if (r->i[DIR] == r->i[NEWDIR] && !(r->flags & FS_TREE_EXCHANGE))
		fs_history_moved(r->i[DIR], r->name, r->newname, r->i[SRC], &was, r->who);
}

/* All inodes are locked. */
static int rename_locked(struct rename *r)
{
	int rc;

	/* Two names of one file (or a name and itself): POSIX wants nothing done. */
	if (r->i[SRC] == r->i[DST])
		return r->flags & FS_TREE_NOREPLACE ? -EEXIST : 0;
	rc = fs_tree_own(r->i[SRC], r->who);
	if (!rc && r->i[DST])
		rc = fs_tree_own(r->i[DST], r->who);
	if (!rc)
		rc = check_final(r->i[SRC], r->who);
	if (!rc && r->i[DST])
		rc = check_final(r->i[DST], r->who);
	if (!rc)
		rc = check_target(r);
	if (rc)
		return rc;
	for (int n = 0; n < COUNT; n++) {
		if (r->i[n])
			r->a[n] = r->i[n]->attr;
	}
	r->fate = FS_TREE_LINKED;
	fs_batch_init(&r->b, r->who->signer);
	rc = build(r);
	rc = fs_tree_apply(r->i[DIR], &r->b, rc, r->who);
	if (!rc)
		publish(r);
	return rc;
}

static int rename_once(struct rename *r)
{
	int rc = lock_all(r);

	if (rc)
		return rc;
	rc = rename_locked(r);
	fs_inode_unlock_many(r->i, COUNT);
	return rc;
}

static int check_call(const struct rename *r)
{
	int rc = r->flags & FS_TREE_EXCHANGE ? fs_tree_may_make(r->i[DIR], r->name)
					     : fs_dirent_check(r->name);

	if (!rc && r->i[DIR]->ino >= FS_INO_HISTORY)
		rc = -EROFS;
	if (!rc)
		rc = fs_tree_may_make(r->i[NEWDIR], r->newname);
	if (rc)
		return rc;
	if (r->flags & ~(FS_TREE_NOREPLACE | FS_TREE_EXCHANGE) ||
	    r->flags == (FS_TREE_NOREPLACE | FS_TREE_EXCHANGE))
		return -EINVAL;
	return r->i[DIR]->journal == r->i[NEWDIR]->journal ? 0 : -EXDEV;
}

int fs_tree_rename(struct fs_inode *dir, const char *name, struct fs_inode *newdir,
		   const char *newname, unsigned flags, struct fs_actor *who,
		   struct fs_inode **moved, struct fs_inode **replaced)
{
	struct rename r = {
		.i = {dir, newdir}, .name = name, .newname = newname, .flags = flags, .who = who};
	char path[FS_HISTORY_PATH_MAX];
	int rc = check_call(&r);

	who->group = 0;
	if (rc)
		return rc;
	fs_inode_throttle(dir->journal);
	if (dir != newdir) {
		rc = fs_inode_rename_lock(dir->journal);
		if (rc)
			return rc;
	}
	rc = rename_once(&r);
	if (rc == -EXFULL) {
		drop_peeked(&r);
		fs_history_path(newdir, newname, path);
		r.path = path;
		rc = rename_once(&r);
	}
	if (dir != newdir)
		fs_inode_rename_unlock(dir->journal);
	if (!rc && moved)
		*moved = fs_inode_ref(r.i[SRC]);
	if (!rc && replaced)
		*replaced = r.i[DST] && r.i[DST] != r.i[SRC] ? fs_inode_ref(r.i[DST]) : NULL;
	drop_peeked(&r);
	if (r.path)
		keys_wipe(path, sizeof(path));
	keys_wipe(&r.from, sizeof(r.from));
	keys_wipe(&r.to, sizeof(r.to));
	return rc;
}
