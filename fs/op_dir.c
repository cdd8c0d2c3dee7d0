/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/op_dir.c - names: LOOKUP, MKNOD, MKDIR, SYMLINK, LINK, UNLINK, RMDIR, RENAME,
 * and listing directories.
 *
 * Requests on the mount's own directory go to op_root.c. A listing is collected
 * first and answered after: the directory's lock is not held while its children
 * are looked at. Entries that no intent names yet (made since) are covered before
 * the answer leaves.
 */
#include "op_table.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "../keys/label.h"
#include "dirent.h"
#include "history_tree.h"
#include "op_final.h"
#include "op_saves.h"

#define CHANGE (W_OK | X_OK) /* what changing entries asks of a directory's mode */

/* The directory that a request acts in, when its mode lets one. -EACCES, -ENOENT, -ENOTDIR. */
static int dir_of(struct fs_op *op, uint64_t nodeid, int may, struct fs_inode **dir)
{
	int rc = fs_op_inode(op, nodeid, dir);

	if (rc)
		return rc;
	rc = fs_op_type(*dir) == S_IFDIR ? fs_op_permit(op, *dir, may) : -ENOTDIR;
	if (rc) {
		fs_inode_put(*dir);
		*dir = NULL;
	}
	return rc;
}

/* What the log calls an entry: of a version, the note's name and its number, as `journalfs show` takes it. */
static const char *entry_name(struct fs_op *op, uint64_t parent, struct fs_inode *i,
			      const char *name, char out[static FS_NAME_MAX + 16])
{
	char note[256];
	uint32_t version;

	if (!fs_history_tree_is(i->ino) || fs_op_type(i) != S_IFREG)
		return name;
	fs_node_name(op->m, parent, note);
	pthread_rwlock_rdlock(&i->lock);
	version = i->version;
	pthread_rwlock_unlock(&i->lock);
	snprintf(out, FS_NAME_MAX + 16, "%.*s@%u", FS_NAME_MAX - 11, note, version);
	return out;
}

static int history_root(struct fs_op *op, struct fs_inode **out)
{
	int rc = fs_gate_history(op->m->gate, &op->rq, &op->pass);

	return rc ? rc : fs_history_tree_root(op->pass.journal, out);
}

void fs_op_lookup(struct fs_op *op, fuse_ino_t parent, const char *name)
{
	struct fs_inode *dir = NULL, *i = NULL;
	char called[FS_NAME_MAX + 16];
	int rc;

	if (parent == FS_NODE_ROOT) {
		fs_root_lookup(op, name);
		return;
	}
	rc = dir_of(op, parent, X_OK, &dir);
	if (!rc)
		rc = fs_tree_lookup(dir, name, &i);
	/* An entry of the journal that has the name since before it was one of ours comes first. */
	if (rc == -ENOENT && dir && fs_history_tree_reserved(dir, name))
		rc = history_root(op, &i);
	if (!rc)
		name = entry_name(op, parent, i, name, called);
	if (!rc)
		rc = fs_gate_cover(op->m->gate, &op->rq, i->ino, name);
	if (rc) {
		/* The repetition of a call that was answered ESTALE may end here. */
		fs_node_settled(op->m, op->rq.pid);
		fs_op_err(op, rc);
	} else {
		fs_op_reply_entry(op, i, name);
	}
	fs_inode_put(i);
	fs_inode_put(dir);
}

/* ---- making ---- */

/* After `dir` got a new entry for i: recorded, covered, told to the other mounts. */
static int made(struct fs_op *op, struct fs_inode *dir, struct fs_inode *i, const char *name,
		const char *detail)
{
	uint64_t nodeid = fs_inode_nodeid(i);
	int rc = fs_op_act(op, POLICY_RECORD_CREATE, nodeid, name, NULL, detail);

	fs_gate_created(op->m->gate, &op->pass, i->ino, fs_op_type(i) == S_IFDIR);
	fs_share_dir(op->m, fs_inode_nodeid(dir));
	fs_share_changed(op->m, nodeid, false, 0);
	return rc;
}

static void make(struct fs_op *op, uint64_t parent, const char *name, mode_t mode,
		 const char *target)
{
	struct fs_inode *dir = NULL, *i = NULL;
	struct fs_actor who = fs_op_actor(op);
	int rc = parent == FS_NODE_ROOT ? -EPERM : 0;

	if (!rc) {
		fs_op_throttle(op);
		rc = dir_of(op, parent, CHANGE, &dir);
	}
	if (!rc)
		fs_op_saves_name(op->m, name, &who);
	if (!rc)
		rc = target ? fs_tree_symlink(dir, name, target, &who, &i)
			    : fs_tree_create(dir, name, mode, &who, &i);
	if (!rc)
		rc = made(op, dir, i, name, target ? "symbolic link" : NULL);
	if (rc)
		fs_op_err(op, rc);
	else
		fs_op_reply_entry(op, i, name);
	fs_inode_put(i);
	fs_inode_put(dir);
}

void fs_op_mknod(struct fs_op *op, fuse_ino_t parent, const char *name, mode_t mode, dev_t rdev)
{
	(void)rdev;
	/* Devices are no documents, and the mount is nodev anyway. */
	if (!S_ISREG(mode) && !S_ISFIFO(mode) && !S_ISSOCK(mode))
		fs_op_err(op, -EPERM);
	else
		make(op, parent, name, mode, NULL);
}

void fs_op_mkdir(struct fs_op *op, fuse_ino_t parent, const char *name, mode_t mode)
{
	if (parent == FS_NODE_ROOT)
		fs_root_mkdir(op, name);
	else
		make(op, parent, name, S_IFDIR | (mode & 07777), NULL);
}

void fs_op_symlink(struct fs_op *op, const char *target, fuse_ino_t parent, const char *name)
{
	make(op, parent, name, S_IFLNK | 0777, target);
}

/* What an emergency grant does not give away is a refusal like any other: logged. */
static int not_own(struct fs_op *op, int rc)
{
	if (rc != -EACCES || !op->pass.drafts_s)
		return rc;
	return fs_gate_refuse(op->m->gate, &op->rq, fs_nodeid_journal(op->rq.nodeid), rc,
			      "emergency access: read, and new notes of one's own");
}

void fs_op_link(struct fs_op *op, fuse_ino_t ino, fuse_ino_t newparent, const char *newname)
{
	struct fs_inode *dir = NULL, *i = NULL;
	struct fs_actor who = fs_op_actor(op);
	int rc = newparent == FS_NODE_ROOT ? -EPERM : 0;
	char note[256];

	fs_node_name(op->m, ino, note);
	if (!rc) {
		fs_op_throttle(op);
		rc = dir_of(op, newparent, CHANGE, &dir);
	}
	if (!rc)
		rc = fs_op_inode(op, ino, &i);
	if (!rc)
		rc = fs_op_cover(op, ino);
	if (!rc && fs_op_type(i) != S_IFDIR)
		rc = fs_op_final_check(op, i);
	if (!rc) {
		fs_op_saves_rename(op->m, note, newname, &who);
		rc = not_own(op, fs_tree_link(i, dir, newname, &who));
	}
	if (!rc)
		rc = made(op, dir, i, newname, "another name");
	if (rc)
		fs_op_err(op, rc);
	else
		fs_op_reply_entry(op, i, newname);
	fs_inode_put(i);
	fs_inode_put(dir);
}

/* ---- removing and renaming ---- */

static void take_away(struct fs_op *op, uint64_t parent, const char *name, bool is_dir)
{
	struct fs_inode *dir = NULL, *i = NULL;
	struct fs_actor who = fs_op_actor(op);
	int rc;

	fs_op_throttle(op);
	rc = dir_of(op, parent, CHANGE, &dir);
	if (!rc) {
		fs_op_saves_name(op->m, name, &who);
		rc = is_dir ? fs_tree_rmdir(dir, name, &who, &i)
			    : fs_tree_unlink(dir, name, &who, &i);
		rc = fs_op_final_kept(op, not_own(op, rc));
	}
	/* Who sees it is told that it can't be taken away. */
	if (rc == -ENOENT && dir && fs_history_tree_reserved(dir, name) && op->pass.rights & POLICY_HISTORY)
		rc = -EROFS;
	if (!rc) {
		uint64_t nodeid = fs_inode_nodeid(i);

		rc = fs_op_act(op, POLICY_RECORD_DELETE, nodeid, name, NULL, NULL);
		fs_share_dir(op->m, parent);
		fs_share_names(op->m, nodeid);
	}
	fs_op_err(op, rc);
	fs_inode_put(i);
	fs_inode_put(dir);
}

void fs_op_unlink(struct fs_op *op, fuse_ino_t parent, const char *name)
{
	/* The mount's own directory holds nothing but journals. */
	if (parent == FS_NODE_ROOT)
		fs_op_err(op, -EISDIR);
	else
		take_away(op, parent, name, false);
}

void fs_op_rmdir(struct fs_op *op, fuse_ino_t parent, const char *name)
{
	if (parent == FS_NODE_ROOT)
		fs_root_rmdir(op, name);
	else
		take_away(op, parent, name, true);
}

/* A directory that gets another parent changes itself: its "..". */
static int may_move(struct fs_op *op, struct fs_inode *dir, const char *name)
{
	struct fs_inode *i = NULL;
	int rc = fs_tree_lookup(dir, name, &i);

	if (!rc && fs_op_type(i) == S_IFDIR)
		rc = fs_op_permit(op, i, W_OK);
	fs_inode_put(i);
	return rc;
}

static int renamed(struct fs_op *op, uint64_t parent, const char *name, uint64_t newparent,
		   const char *newname, bool exchange, struct fs_inode *moved,
		   struct fs_inode *replaced)
{
	uint64_t nodeid = fs_inode_nodeid(moved);
	int rc = fs_op_act(op, POLICY_RECORD_RENAME, nodeid, name, newname, NULL);

	fs_node_rename(op->m, nodeid, newname);
	fs_share_dir(op->m, parent);
	if (newparent != parent)
		fs_share_dir(op->m, newparent);
	fs_share_names(op->m, nodeid);
	if (replaced && exchange)
		fs_node_rename(op->m, fs_inode_nodeid(replaced), name);
	if (replaced)
		fs_share_names(op->m, fs_inode_nodeid(replaced));
	return rc;
}

void fs_op_rename(struct fs_op *op, fuse_ino_t parent, const char *name, fuse_ino_t newparent,
		  const char *newname, unsigned flags)
{
	struct fs_inode *dir = NULL, *newdir = NULL, *moved = NULL, *replaced = NULL;
	struct fs_actor who = fs_op_actor(op);
	unsigned how = 0;
	int rc;

	if (parent == FS_NODE_ROOT) {
		fs_root_rename(op, name, newname, flags);
		return;
	}
	how |= flags & RENAME_NOREPLACE ? FS_TREE_NOREPLACE : 0;
	how |= flags & RENAME_EXCHANGE ? FS_TREE_EXCHANGE : 0;
	rc = flags & ~(unsigned)(RENAME_NOREPLACE | RENAME_EXCHANGE) ? -EINVAL : 0;
	if (!rc) {
		fs_op_throttle(op);
		rc = dir_of(op, parent, CHANGE, &dir);
	}
	if (!rc)
		rc = dir_of(op, newparent, CHANGE, &newdir);
	if (!rc && parent != newparent)
		rc = may_move(op, dir, name);
	if (!rc && parent != newparent && how & FS_TREE_EXCHANGE)
		rc = may_move(op, newdir, newname);
	if (!rc) {
		fs_op_saves_rename(op->m, name, newname, &who);
		rc = not_own(op, fs_tree_rename(dir, name, newdir, newname, how, &who, &moved,
						&replaced));
		if (!fs_history_tree_reserved(newdir, newname))
			rc = fs_op_final_kept(op, rc);
	}
	if (rc == -ENOENT && dir && fs_history_tree_reserved(dir, name) && op->pass.rights & POLICY_HISTORY)
		rc = -EROFS;
	if (!rc && moved)
		rc = renamed(op, parent, name, newparent, newname, how & FS_TREE_EXCHANGE, moved,
			     replaced);
	fs_op_err(op, rc);
	fs_inode_put(moved);
	fs_inode_put(replaced);
	fs_inode_put(newdir);
	fs_inode_put(dir);
}

/* ---- listing ---- */

void fs_op_opendir(struct fs_op *op, fuse_ino_t ino, struct fuse_file_info *fi)
{
	const struct fs_handle_request handle = {ino, fi->flags, true, op->rq.pid};
	struct fs_inode *dir = NULL;
	char name[256];
	int rc = 0;

	fs_notify_drain(op->m, ino);
	if (ino != FS_NODE_ROOT)
		rc = dir_of(op, ino, R_OK, &dir);
	fs_node_name(op->m, ino, name);
	/* lsattr opens with no flags at all, only to send an ioctl. */
	if (!rc && fi->flags)
		rc = fs_op_act(op, POLICY_RECORD_LIST, ino, name, NULL, NULL);
	if (!rc)
		rc = fs_handle_open(op->m, &handle, &fi->fh);
	/* Invalidated like contents; which journals there are, policy may change at any time. */
	fi->cache_readdir = ino != FS_NODE_ROOT && !fs_history_tree_is(fs_nodeid_ino(ino));
	fi->keep_cache = fi->cache_readdir;
	if (rc) {
		fs_op_err(op, rc);
	} else if (fuse_reply_open(op->req, fi) != 0) {
		struct fs_handle *h = fs_handle_close(op->m, fi->fh, ino, true);

		if (h)
			fs_handle_free(op->m, h);
	}
	fs_inode_put(dir);
}

/* Entries of one answer. */
struct listed {
	uint64_t cookie, ino;
	uint32_t mode;
	const char *name;
};

struct listing {
	struct listed *entry;
	size_t n, cap;
	char *names; /* as large as the answer can be */
	size_t names_len;
	size_t bytes, size; /* of the answer: so far, at most */
	size_t each;	    /* bytes of an entry without its name */
	int rc;
};

static int collect(void *ctx, const struct fs_tree_entry *e)
{
	struct listing *l = ctx;
	size_t len = strlen(e->name);
	size_t bytes = l->each + ((len + 7) & ~(size_t)7);

	if (l->bytes + bytes > l->size)
		return 1;
	if (l->n == l->cap) {
		size_t cap = l->cap ? l->cap * 2 : 64;
		struct listed *wider = realloc(l->entry, cap * sizeof(*wider));

		if (!wider) {
			l->rc = -ENOMEM;
			return 1;
		}
		l->entry = wider;
		l->cap = cap;
	}
	memcpy(l->names + l->names_len, e->name, len + 1);
	l->entry[l->n++] = (struct listed){.cookie = e->cookie,
					   .ino = e->ino,
					   .mode = e->mode,
					   .name = l->names + l->names_len};
	l->names_len += len + 1;
	l->bytes += bytes;
	return 0;
}

/* "." and ".." of a directory within a journal. */
static int collect_dots(struct listing *l, struct fs_inode *dir, uint64_t off)
{
	struct fs_tree_entry e = {.cookie = 1, .ino = dir->ino, .mode = S_IFDIR, .name = "."};
	int stop = 0;

	if (off < 1)
		stop = collect(l, &e);
	e.cookie = 2;
	e.name = "..";
	pthread_rwlock_rdlock(&dir->lock);
	e.ino = dir->ino == FS_ROOT_INO ? 0 : dir->parent;
	pthread_rwlock_unlock(&dir->lock);
	if (!stop && off < 2)
		stop = collect(l, &e);
	return stop;
}

static int cover_listed(struct fs_op *op, const struct listing *l)
{
	int rc = 0;

	for (size_t k = 0; !rc && k < l->n; k++) {
		if (l->entry[k].cookie > 2)
			rc = fs_gate_cover(op->m->gate, &op->rq, l->entry[k].ino, l->entry[k].name);
	}
	return rc;
}

/* Attributes and a lookup for READDIRPLUS; without them the kernel asks when it needs them. */
static void entry_of(struct fs_op *op, const struct listed *x, bool plus,
		     struct fuse_entry_param *e)
{
	uint32_t journal = fs_nodeid_journal(op->rq.nodeid);
	struct fs_inode *i = NULL;
	char called[FS_NAME_MAX + 16];

	*e = (struct fuse_entry_param){.ino = 0};
	e->attr.st_ino = x->ino ? fs_nodeid(journal, x->ino) : FS_NODE_ROOT;
	e->attr.st_mode = x->mode & S_IFMT;
	if (!plus || x->cookie <= 2 || fs_inode_get(op->pass.journal, x->ino, &i) != 0)
		return;
	if (fs_op_entry(op, i, entry_name(op, op->rq.nodeid, i, x->name, called), e) != 0)
		e->ino = 0;
	fs_inode_put(i);
}

static void reply_listing(struct fs_op *op, const struct listing *l, bool plus, size_t size)
{
	char *buf = malloc(size);
	uint64_t *given = calloc(l->n ? l->n : 1, sizeof(*given));
	size_t len = 0, k = 0;

	for (; buf && given && k < l->n; k++) {
		const struct listed *x = &l->entry[k];
		struct fuse_entry_param e;
		size_t need;

		entry_of(op, x, plus, &e);
		given[k] = e.ino;
		need = plus ? fuse_add_direntry_plus(op->req, buf + len, size - len, x->name, &e,
						     (off_t)x->cookie)
			    : fuse_add_direntry(op->req, buf + len, size - len, x->name, &e.attr,
						(off_t)x->cookie);
		if (need > size - len) {
			if (e.ino)
				fs_node_forget(op->m, e.ino, 1);
			break;
		}
		len += need;
	}
	if (!buf || !given) {
		fs_op_err(op, -ENOMEM);
	} else if (fuse_reply_buf(op->req, buf, len) != 0) {
		while (k-- > 0) {
			if (given[k])
				fs_node_forget(op->m, given[k], 1);
		}
	}
	if (buf)
		keys_wipe(buf, size);
	free(buf);
	free(given);
}

static void list(struct fs_op *op, uint64_t ino, size_t size, uint64_t off, uint64_t fh, bool plus)
{
	struct listing l = {.size = size, .each = plus ? 152 : 24};
	struct fs_handle *h = fs_handle_get(op->m, fh, ino, true);
	struct fs_inode *dir = NULL;
	int rc = h ? 0 : -EBADF;

	if (!rc && ino == FS_NODE_ROOT) {
		fs_root_readdir(op, size, off, plus);
		goto out;
	}
	if (!rc)
		rc = dir_of(op, ino, 0, &dir);
	if (!rc) {
		l.names = malloc(size + 256);
		rc = l.names ? 0 : -ENOMEM;
	}
	if (!rc && collect_dots(&l, dir, off) == 0)
		rc = fs_tree_list(dir, off <= 2 ? 0 : off, collect, &l);
	if (!rc)
		rc = l.rc;
	if (!rc)
		rc = cover_listed(op, &l);
	if (rc)
		fs_op_err(op, rc);
	else
		reply_listing(op, &l, plus, size);
out:
	if (l.names)
		keys_wipe(l.names, l.names_len);
	free(l.names);
	free(l.entry);
	fs_inode_put(dir);
	fs_handle_put(h);
}

void fs_op_readdir(struct fs_op *op, fuse_ino_t ino, size_t size, off_t off,
		   struct fuse_file_info *fi)
{
	list(op, ino, size, (uint64_t)off, fi->fh, false);
}

void fs_op_readdirplus(struct fs_op *op, fuse_ino_t ino, size_t size, off_t off,
		       struct fuse_file_info *fi)
{
	fs_notify_listing(op->m, true);
	list(op, ino, size, (uint64_t)off, fi->fh, true);
	fs_notify_listing(op->m, false);
}

void fs_op_fsyncdir(struct fs_op *op, fuse_ino_t ino, int datasync, struct fuse_file_info *fi)
{
	(void)ino;
	(void)datasync;
	(void)fi;
	fs_op_err(op, fs_op_sync(op, 0));
}

void fs_op_releasedir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct fs_mount *m = fuse_req_userdata(req);
	struct fs_handle *h = fs_handle_close(m, fi->fh, ino, true);

	if (h)
		fs_handle_free(m, h);
	fuse_reply_err(req, 0);
}
