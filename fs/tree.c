/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/tree.c - names within one journal: the root, look up, make, link, list.
 *
 * Removing stands in tree_remove.c, renaming in tree_rename.c. A change locks the
 * directory exclusively, looks the name up, builds one batch (entry, directory,
 * inode), applies it, and only then changes the inodes in memory.
 */
#include "tree_change.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include "final.h"
#include "head.h"
#include "history_tree.h"
#include "inline.h"
#include "inode_recent.h"

#define TARGET_MAX 4095

int fs_tree_make_root(struct fs_journal *j, struct fs_batch *b, const char *name,
		      const struct fs_actor *who)
{
	struct fs_key key = fs_key(fs_journal_index(j), FS_ROOT_INO, FS_T_INODE);
	struct fs_inode_attr a = {.mode = S_IFDIR | 0700,
				  .nlink = 2,
				  .parent = FS_ROOT_INO,
				  .atime = who->now,
				  .mtime = who->now,
				  .ctime = who->now,
				  .btime = who->now,
				  .author = who->pid,
				  .writer = who->pid};
	uint8_t rec[FS_INODE_LEN];
	int rc = fs_head_put_name(b, j, name);

	if (rc)
		return rc;
	fs_head_put_next(b, j, FS_ROOT_INO + 1);
	fs_inode_encode(&a, rec);
	fs_batch_put(b, j, &key, rec, sizeof(rec));
	return b->rc;
}

int fs_tree_journal_name(struct fs_journal *j, char *out)
{
	return fs_head_get_name(j, out);
}

int fs_tree_set_journal_name(struct fs_journal *j, struct fs_batch *b, const char *name)
{
	int rc = fs_head_put_name(b, j, name);

	return rc ? rc : b->rc;
}

static int is_kept(void *ctx, const struct fs_history_removed *r)
{
	(void)ctx;
	(void)r;
	return -ENOTEMPTY;
}

int fs_tree_empty(struct fs_journal *j)
{
	int rc = fs_dirent_none(j, FS_ROOT_INO);

	if (!rc)
		rc = fs_history_removed(j, 0, is_kept, NULL);
	return rc;
}

int fs_tree_usable(const struct fs_inode *dir)
{
	return !S_ISDIR(dir->mode) ? -ENOTDIR : dir->gone ? -ENOENT : 0;
}

int fs_tree_may_make(const struct fs_inode *dir, const char *name)
{
	int rc = fs_dirent_check(name);

	if (!rc && fs_history_tree_is(dir->ino))
		rc = -EROFS;
	return !rc && fs_history_tree_reserved(dir, name) ? -EPERM : rc;
}

void fs_tree_touch(struct fs_inode_attr *dir, const struct fs_actor *who)
{
	dir->mtime = who->now;
	dir->ctime = who->now;
	dir->change++;
}

int fs_tree_apply(struct fs_inode *dir, struct fs_batch *b, int rc, struct fs_actor *who)
{
	uint64_t group = 0;

	if (rc) {
		fs_batch_clear(b);
		return rc;
	}
	rc = fs_inode_apply(dir->journal, b, &group);
	if (!rc)
		who->group = group;
	return rc;
}

int fs_tree_child(struct fs_inode *dir, const struct fs_dirent *e, struct fs_inode **out)
{
	int rc = fs_inode_get(dir->journal, e->ino, out);

	return rc == -ENOENT ? -EBADMSG : rc;
}

int fs_tree_lookup(struct fs_inode *dir, const char *name, struct fs_inode **out)
{
	struct fs_dirent e;
	uint64_t spare;
	int rc = fs_dirent_check(name);

	if (rc)
		return rc;
	if (fs_history_tree_is(dir->ino))
		return fs_history_tree_lookup(dir, name, out);
	pthread_rwlock_rdlock(&dir->lock);
	rc = fs_tree_usable(dir);
	if (!rc)
		rc = fs_dirent_find(dir->journal, dir->ino, dir->size, name, &e, &spare);
	if (!rc)
		rc = fs_tree_child(dir, &e, out);
	pthread_rwlock_unlock(&dir->lock);
	keys_wipe(&e, sizeof(e));
	return rc;
}

/* Where a new entry goes; dir is locked. -EEXIST; -ENOSPC: eight names share the hash. */
static int find_spare(struct fs_inode *dir, const char *name, uint64_t *spare)
{
	struct fs_dirent e;
	int rc = fs_tree_usable(dir);

	if (rc)
		return rc;
	rc = fs_dirent_find(dir->journal, dir->ino, dir->size, name, &e, spare);
	keys_wipe(&e, sizeof(e));
	if (rc == -ENOENT)
		return *spare ? 0 : -ENOSPC;
	return rc ? rc : -EEXIST;
}

struct past {
	struct fs_inode *i;
	struct fs_inode_attr a; /* its state after */
	bool took;
};

/* The new inode's fields and records. past, locked, had its name a moment ago; NULL: nobody. Nobody
 * else can reach it before the batch is applied. */
static int fill(struct fs_batch *b, struct fs_inode *dir, struct fs_inode *i, const char *target,
		struct past *past, const struct fs_actor *who)
{
	int rc = 0;

	i->atime = i->mtime = i->ctime = i->btime = who->now;
	if (S_ISDIR(i->mode))
		i->parent = dir->ino;
	if (target) {
		i->size = strlen(target);
		i->form = FS_FORM_INLINE;
		rc = fs_inline_write(b, i, &i->attr, 0, (const uint8_t *)target, i->size);
		i->blocks = fs_inline_blocks(&i->attr);
	}
	if (past && past->i)
		rc = fs_history_take(b, i, &i->attr, past->i, &past->a, who, &past->took);
	fs_inode_store(b, i);
	return rc;
}

/* dir and past are locked exclusively. */
static int make_locked(struct fs_inode *dir, const char *name, uint32_t mode, const char *target,
		       struct past *past, struct fs_actor *who, struct fs_inode **out)
{
	struct fs_inode_attr da = dir->attr;
	struct fs_inode *i = NULL;
	struct fs_batch b;
	uint64_t spare = 0;
	int rc = find_spare(dir, name, &spare);

	/* As everywhere: directories below one with the bit have it too. */
	if (S_ISDIR(mode))
		mode |= dir->mode & S_ISGID;
	if (!rc)
		rc = fs_inode_new(dir->journal, who->signer, mode, who->pid, &i);
	if (rc)
		return rc;
	fs_batch_init(&b, who->signer);
	rc = fill(&b, dir, i, target, past, who);
	fs_tree_touch(&da, who);
	da.size++;
	da.nlink += S_ISDIR(mode) ? 1 : 0;
	fs_inode_store_attr(&b, dir, &da);
	fs_dirent_put(&b, dir->journal, dir->ino, dir->size, spare, name, i->ino, mode);
	rc = fs_tree_apply(dir, &b, rc, who);
	if (rc) {
		fs_inode_put(i);
		return rc;
	}
	dir->attr = da;
	if (past->took) {
		past->i->attr = past->a;
		fs_inode_recent_forget(dir, name);
	}
	*out = i;
	return 0;
}

static int make(struct fs_inode *dir, const char *name, uint32_t mode, const char *target,
		struct fs_actor *who, struct fs_inode **out)
{
	struct past past = {.i = NULL};
	struct fs_inode *both[2] = {dir, NULL};
	int rc = fs_tree_may_make(dir, name);

	who->group = 0;
	if (rc)
		return rc;
	fs_inode_throttle(dir->journal);
	past.i = S_ISREG(mode) ? fs_history_past(dir, name, who) : NULL;
	both[1] = past.i;
	fs_inode_lock_many(both, 2);
	rc = make_locked(dir, name, mode, target, &past, who, out);
	fs_inode_unlock_many(both, 2);
	fs_inode_put(past.i);
	return rc;
}

int fs_tree_create(struct fs_inode *dir, const char *name, uint32_t mode, struct fs_actor *who,
		   struct fs_inode **out)
{
	if (!S_ISREG(mode) && !S_ISDIR(mode) && !S_ISFIFO(mode) && !S_ISSOCK(mode))
		return -EPERM;
	return make(dir, name, mode & (S_IFMT | 07777), NULL, who, out);
}

int fs_tree_nameless(struct fs_inode *dir, uint32_t mode, struct fs_actor *who,
		     struct fs_inode **out)
{
	struct fs_inode *i = NULL;
	struct fs_batch b;
	int rc;

	who->group = 0;
	if (fs_history_tree_is(dir->ino))
		return -EROFS;
	fs_inode_throttle(dir->journal);
	pthread_rwlock_rdlock(&dir->lock);
	rc = fs_tree_usable(dir);
	pthread_rwlock_unlock(&dir->lock);
	if (!rc)
		rc = fs_inode_new(dir->journal, who->signer, S_IFREG | (mode & 07777), who->pid,
				  &i);
	if (rc)
		return rc;
	i->nlink = 0;
	fs_batch_init(&b, who->signer);
	rc = fill(&b, dir, i, NULL, NULL, who);
	fs_inode_orphan(&b, dir->journal, i->ino);
	rc = fs_tree_apply(dir, &b, rc, who);
	if (rc) {
		fs_inode_put(i);
		return rc;
	}
	fs_tree_orphaned(i, who);
	i->nameless = true;
	*out = i;
	return 0;
}

int fs_tree_symlink(struct fs_inode *dir, const char *name, const char *target,
		    struct fs_actor *who, struct fs_inode **out)
{
	size_t len = strlen(target);

	if (!len)
		return -ENOENT;
	if (len > TARGET_MAX)
		return -ENAMETOOLONG;
	return make(dir, name, S_IFLNK | 0777, target, who, out);
}

int fs_tree_readlink(struct fs_inode *i, char *out, size_t cap)
{
	int rc = 0;

	pthread_rwlock_rdlock(&i->lock);
	if (!S_ISLNK(i->mode) || i->deleted)
		rc = -EINVAL;
	else if (i->size >= cap || i->size > TARGET_MAX)
		rc = -ENAMETOOLONG;
	else
		rc = fs_inline_copy(i, (uint8_t *)out, (size_t)i->size);
	if (!rc)
		out[i->size] = '\0';
	pthread_rwlock_unlock(&i->lock);
	return rc;
}

/* i and dir are locked exclusively. */
static int link_locked(struct fs_inode *i, struct fs_inode *dir, const char *name,
		       struct fs_actor *who)
{
	struct fs_inode_attr da = dir->attr, ia = i->attr;
	struct fs_batch b;
	uint64_t spare = 0;
	int rc;

	if (S_ISDIR(i->mode))
		return -EPERM;
	if (i->deleted || (!i->nlink && !i->nameless))
		return -ENOENT;
	if (i->nlink >= FS_LINK_MAX)
		return -EMLINK;
	rc = find_spare(dir, name, &spare);
	if (rc)
		return rc;
	fs_tree_touch(&da, who);
	da.size++;
	ia.nlink++;
	ia.ctime = who->now;
	if (!i->nameless)
		fs_history_named(&ia, who, false, true);
	if (who->whole_to && !who->whole_from && S_ISREG(ia.mode))
		ia.flags |= FS_INODE_WHOLE; /* under both names */
	fs_batch_init(&b, who->signer);
	fs_inode_store_attr(&b, dir, &da);
	fs_inode_store_attr(&b, i, &ia);
	fs_dirent_put(&b, dir->journal, dir->ino, dir->size, spare, name, i->ino, i->mode);
	if (i->nameless)
		fs_inode_adopt(&b, dir->journal, i->ino);
	rc = fs_tree_apply(dir, &b, 0, who);
	if (!rc) {
		dir->attr = da;
		i->attr = ia;
		i->gone = false;
		i->nameless = false;
	}
	return rc;
}

int fs_tree_link(struct fs_inode *i, struct fs_inode *dir, const char *name, struct fs_actor *who)
{
	struct fs_inode *both[2] = {i, dir};
	int rc = fs_tree_may_make(dir, name);

	who->group = 0;
	if (rc)
		return rc;
	if (fs_history_tree_is(i->ino))
		return -EROFS;
	if (i->journal != dir->journal)
		return -EXDEV;
	fs_inode_throttle(dir->journal);
	fs_inode_lock_many(both, 2);
	rc = fs_tree_own(i, who);
	if (!rc)
		rc = fs_final_check(i, who);
	if (!rc)
		rc = link_locked(i, dir, name, who);
	fs_inode_unlock_many(both, 2);
	return rc;
}

/* Gives the entries of one bucket behind `after`. 1: fn has had enough. */
static int give_bucket(const struct fs_dirent_bucket *k, uint64_t after,
		       int (*fn)(void *ctx, const struct fs_tree_entry *e), void *ctx)
{
	struct fs_dirent d;
	size_t at = 0;
	int rc = 0, got = 1;

	while (!rc && (got = fs_dirent_bucket_next(k, &at, &d)) == 1) {
		struct fs_tree_entry e = {
			.cookie = d.cookie, .ino = d.ino, .mode = d.type, .name = d.name};

		if (d.cookie > after)
			rc = fn(ctx, &e);
	}
	keys_wipe(&d, sizeof(d));
	return got < 0 ? got : rc;
}

int fs_tree_list(struct fs_inode *dir, uint64_t after,
		 int (*fn)(void *ctx, const struct fs_tree_entry *e), void *ctx)
{
	struct fs_dirent_bucket k;
	int rc = 0;

	if (fs_history_tree_is(dir->ino))
		return fs_history_tree_list(dir, after, fn, ctx);
	/* A bucket is read under the lock and given without it: fn may take its time. */
	while (!rc && after < FS_DIRENT_COOKIE_MAX - 1) {
		pthread_rwlock_rdlock(&dir->lock);
		rc = !S_ISDIR(dir->mode) ? -ENOTDIR : dir->gone ? -ENOENT : 0;
		if (!rc)
			rc = fs_dirent_bucket_get(dir->journal, dir->ino, dir->size, after + 1, &k);
		pthread_rwlock_unlock(&dir->lock);
		if (rc)
			break;
		rc = give_bucket(&k, after, fn, ctx);
		after = fs_dirent_bucket_end(&k) - 1;
		fs_dirent_bucket_put(&k);
	}
	return rc < 0 && rc != -ENOENT ? rc : 0;
}
