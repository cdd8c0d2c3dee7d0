/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/op_policy.c - under .policy: names, attributes, and what can't be done there.
 *
 * The bodies of FS_OPS for nodes under .policy. The gate has asked for the policy
 * right; what a file is and what a save means, policy_files.h knows. Nothing here is
 * cached by a kernel: timeouts are 0 and files are read directly, so that a version
 * accepted elsewhere is seen at the next look.
 */
#include "op_table.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "../keys/label.h"
#include "op_policy.h"
#include "program.h"

struct fs_policy_caller fs_op_policy_caller(struct fs_op *op)
{
	return (struct fs_policy_caller){.pid = fs_program_process(op->rq.pid),
					 .now_ns = fs_op_policy_now_ns()};
}

int64_t fs_op_policy_now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_BOOTTIME, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* Who only looks need not be known: listings with attributes ask very often. */
static struct fs_policy_caller looker(void)
{
	return (struct fs_policy_caller){.now_ns = fs_op_policy_now_ns()};
}

int fs_op_policy_tell(struct fs_mount *m, const struct fs_gate_request *rq,
		      const struct fs_policy_outcome *out, int rc)
{
	struct fs_gate_request told = *rq;

	if (!out->refused)
		return rc;
	told.name = out->path;
	told.name2 = NULL;
	/* Of a journal's policy the record names the journal; there is no note. */
	told.nodeid = fs_nodeid(out->journal, 0);
	return fs_gate_refuse(m->gate, &told, out->journal, rc ? rc : -EINVAL, out->reason);
}

void fs_op_policy_stat(struct fs_op *op, struct stat *st)
{
	st->st_uid = op->m->session->uid;
	st->st_gid = op->m->gid;
}

/* Counts the lookup and fills e from what st says. */
int fs_op_policy_entry(struct fs_op *op, const char *name, const struct stat *st,
		       struct fuse_entry_param *e)
{
	*e = (struct fuse_entry_param){.ino = st->st_ino, .generation = 1, .attr = *st};
	fs_op_policy_stat(op, &e->attr);
	return fs_node_looked_up(op->m, e->ino, NULL, name);
}

static void reply_entry(struct fs_op *op, const char *name, const struct stat *st)
{
	struct fuse_entry_param e;
	int rc = fs_op_policy_entry(op, name, st, &e);

	if (rc)
		fs_op_err(op, rc);
	else if (fuse_reply_entry(op->req, &e) != 0)
		fs_node_forget(op->m, e.ino, 1);
}

void fs_op_policy_root(struct fs_op *op)
{
	const struct fs_policy_caller by = looker();
	struct stat st;
	int rc = fs_policy_files_stat(op->m->policy, &by, FS_POLICY_TOP, 0, &st);

	if (rc)
		fs_op_err(op, rc);
	else
		reply_entry(op, FS_GATE_POLICY_DIR, &st);
}

void fs_op_policy_lookup(struct fs_op *op, fuse_ino_t parent, const char *name)
{
	const struct fs_policy_caller by = looker();
	struct stat st;
	int rc = fs_policy_files_lookup(op->m->policy, &by, parent, name, &st);

	if (rc)
		fs_op_err(op, rc);
	else
		reply_entry(op, name, &st);
}

void fs_op_policy_getattr(struct fs_op *op, fuse_ino_t ino, struct fuse_file_info *fi)
{
	const struct fs_policy_caller by = looker();
	struct fs_handle *h = fi ? fs_handle_get(op->m, fi->fh, ino, false) : NULL;
	struct stat st;
	int rc = fs_policy_files_stat(op->m->policy, &by, ino, h ? fi->fh : 0, &st);

	fs_handle_put(h);
	if (rc) {
		fs_op_err(op, rc);
		return;
	}
	fs_op_policy_stat(op, &st);
	fuse_reply_attr(op->req, &st, 0);
}

static int check_owner(const struct fs_op *op, const struct stat *attr, int to_set)
{
	if ((to_set & FUSE_SET_ATTR_UID && attr->st_uid != op->m->session->uid) ||
	    (to_set & FUSE_SET_ATTR_GID && attr->st_gid != op->m->gid))
		return -EPERM;
	return 0;
}

void fs_op_policy_setattr(struct fs_op *op, fuse_ino_t ino, struct stat *attr, int to_set,
			  struct fuse_file_info *fi)
{
	const struct fs_policy_caller by = fs_op_policy_caller(op);
	struct fs_policy_outcome out = {.refused = false};
	struct timespec now, *mtime = NULL;
	struct stat st;
	int rc = check_owner(op, attr, to_set);

	clock_gettime(CLOCK_REALTIME, &now);
	if (to_set & FUSE_SET_ATTR_MTIME_NOW)
		mtime = &now;
	else if (to_set & FUSE_SET_ATTR_MTIME)
		mtime = &attr->st_mtim;
	if (!rc && to_set & FUSE_SET_ATTR_SIZE) {
		fs_serve_block_begin();
		rc = fi ? fs_lock_check(op->m, fi->fh, ino) : 0;
		if (!rc)
			rc = fs_policy_files_resize(op->m->policy, &by, ino, fi ? fi->fh : 0,
						    (uint64_t)attr->st_size, &out);
		fs_serve_block_end();
		rc = fs_op_policy_tell(op->m, &op->rq, &out, rc);
	}
	if (!rc)
		rc = fs_policy_files_set(op->m->policy, ino,
					 to_set & FUSE_SET_ATTR_MODE ? &attr->st_mode : NULL,
					 mtime);
	if (!rc)
		rc = fs_policy_files_stat(op->m->policy, &by, ino, fi ? fi->fh : 0, &st);
	if (rc) {
		fs_op_err(op, rc);
		return;
	}
	fs_op_policy_stat(op, &st);
	fuse_reply_attr(op->req, &st, 0);
}

void fs_op_policy_access(struct fs_op *op, fuse_ino_t ino, int mask)
{
	const struct fs_policy_caller by = looker();
	struct stat st;
	int rc = fs_policy_files_stat(op->m->policy, &by, ino, 0, &st);

	/* Scratch files have the mode that was set; the rest their reader's own. */
	if (!rc && (((mask & R_OK) && !(st.st_mode & S_IRUSR)) ||
		    ((mask & W_OK) && !(st.st_mode & S_IWUSR)) ||
		    ((mask & X_OK) && !(st.st_mode & S_IXUSR))))
		rc = -EACCES;
	fs_op_err(op, rc);
}

/* ---- renaming and removing ---- */

void fs_op_policy_rename(struct fs_op *op, fuse_ino_t parent, const char *name,
			 fuse_ino_t newparent, const char *newname, unsigned flags)
{
	const struct fs_policy_caller by = fs_op_policy_caller(op);
	struct fs_policy_outcome out = {.refused = false};
	int rc;

	if (parent == FS_NODE_ROOT || newparent == FS_NODE_ROOT) {
		fs_op_err(op, -EPERM);
		return;
	}
	fs_serve_block_begin();
	rc = fs_policy_files_rename(op->m->policy, &by, parent, name, newparent, newname, flags,
				    &out);
	fs_serve_block_end();
	fs_op_err(op, fs_op_policy_tell(op->m, &op->rq, &out, rc));
}

void fs_op_policy_unlink(struct fs_op *op, fuse_ino_t parent, const char *name)
{
	const struct fs_policy_caller by = fs_op_policy_caller(op);
	struct fs_policy_outcome out = {.refused = false};
	int rc;

	fs_serve_block_begin();
	rc = fs_policy_files_unlink(op->m->policy, &by, parent, name, &out);
	fs_serve_block_end();
	fs_op_err(op, fs_op_policy_tell(op->m, &op->rq, &out, rc));
}

/* ---- listing ---- */

void fs_op_policy_opendir(struct fs_op *op, fuse_ino_t ino, struct fuse_file_info *fi)
{
	const struct fs_handle_request handle = {ino, fi->flags, true, op->rq.pid};
	char path[FS_POLICY_PATH];
	int rc = ino >= FS_POLICY_TOP && ino <= FS_POLICY_JOURNALS ? 0 : -ENOTDIR;

	fs_policy_files_path(op->m->policy, ino, path);
	if (!rc && fi->flags)
		rc = fs_op_act(op, POLICY_RECORD_LIST, ino, path, NULL, NULL);
	if (!rc)
		rc = fs_handle_open(op->m, &handle, &fi->fh);
	fi->cache_readdir = false;
	fi->keep_cache = false;
	if (rc) {
		fs_op_err(op, rc);
	} else if (fuse_reply_open(op->req, fi) != 0) {
		struct fs_handle *h = fs_handle_close(op->m, fi->fh, ino, true);

		if (h)
			fs_handle_free(op->m, h);
	}
}

struct answer {
	struct fs_op *op;
	char *buf;
	size_t len, size;
	bool plus;
};

static int add(void *ctx, const char *name, uint64_t ino, mode_t type, uint64_t cookie)
{
	struct answer *a = ctx;
	struct fuse_entry_param e = {.ino = 0};
	size_t left = a->size - a->len, need;

	/* Without a nodeid the kernel takes the name alone and looks it up when asked. */
	e.attr.st_ino = ino;
	e.attr.st_mode = type;
	need = a->plus ? fuse_add_direntry_plus(a->op->req, a->buf + a->len, left, name, &e,
						(off_t)cookie)
		       : fuse_add_direntry(a->op->req, a->buf + a->len, left, name, &e.attr,
					   (off_t)cookie);
	if (need > left)
		return 1;
	a->len += need;
	return 0;
}

static void list(struct fs_op *op, uint64_t ino, size_t size, uint64_t off, uint64_t fh, bool plus)
{
	const struct fs_policy_caller by = looker();
	struct fs_handle *h = fs_handle_get(op->m, fh, ino, true);
	struct answer a = {.op = op, .buf = malloc(size), .size = size, .plus = plus};
	int rc = !h ? -EBADF : a.buf ? 0 : -ENOMEM;
	int full = 0;

	if (!rc && off < 1)
		full = add(&a, ".", ino, S_IFDIR, 1);
	if (!rc && !full && off < 2)
		full = add(&a, "..", ino == FS_POLICY_TOP ? FS_NODE_ROOT : FS_POLICY_TOP, S_IFDIR,
			   2);
	if (!rc && !full)
		rc = fs_policy_files_list(op->m->policy, &by, ino, off <= 2 ? 0 : off, add, &a);
	if (rc)
		fs_op_err(op, rc);
	else
		fuse_reply_buf(op->req, a.buf, a.len);
	if (a.buf)
		keys_wipe(a.buf, size);
	free(a.buf);
	fs_handle_put(h);
}

void fs_op_policy_readdir(struct fs_op *op, fuse_ino_t ino, size_t size, off_t off,
			  struct fuse_file_info *fi)
{
	list(op, ino, size, (uint64_t)off, fi->fh, false);
}

void fs_op_policy_readdirplus(struct fs_op *op, fuse_ino_t ino, size_t size, off_t off,
			      struct fuse_file_info *fi)
{
	list(op, ino, size, (uint64_t)off, fi->fh, true);
}

void fs_op_policy_fsyncdir(struct fs_op *op, fuse_ino_t ino, int datasync,
			   struct fuse_file_info *fi)
{
	(void)ino;
	(void)datasync;
	(void)fi;
	fs_op_err(op, 0);
}

/* ---- what there is not under .policy ---- */

void fs_op_policy_readlink(struct fs_op *op, fuse_ino_t ino)
{
	(void)ino;
	fs_op_err(op, -EINVAL);
}

void fs_op_policy_mknod(struct fs_op *op, fuse_ino_t parent, const char *name, mode_t mode,
			dev_t rdev)
{
	(void)parent;
	(void)name;
	(void)mode;
	(void)rdev;
	fs_op_err(op, -EPERM);
}

void fs_op_policy_mkdir(struct fs_op *op, fuse_ino_t parent, const char *name, mode_t mode)
{
	(void)parent;
	(void)name;
	(void)mode;
	fs_op_err(op, -EPERM);
}

void fs_op_policy_rmdir(struct fs_op *op, fuse_ino_t parent, const char *name)
{
	(void)parent;
	(void)name;
	fs_op_err(op, -EPERM);
}

void fs_op_policy_symlink(struct fs_op *op, const char *target, fuse_ino_t parent, const char *name)
{
	(void)target;
	(void)parent;
	(void)name;
	fs_op_err(op, -EPERM);
}

void fs_op_policy_link(struct fs_op *op, fuse_ino_t ino, fuse_ino_t newparent, const char *newname)
{
	(void)ino;
	(void)newparent;
	(void)newname;
	fs_op_err(op, -EPERM);
}

void fs_op_policy_statfs(struct fs_op *op, fuse_ino_t ino)
{
	fs_op_statfs(op, ino);
}

/* Attributes and ACLs of policy files: none, and none are taken. */
void fs_op_policy_getxattr(struct fs_op *op, fuse_ino_t ino, const char *name, size_t size)
{
	(void)ino;
	(void)size;
	fs_op_err(op, !strncmp(name, "system.", 7) ? -EOPNOTSUPP : -ENODATA);
}

void fs_op_policy_listxattr(struct fs_op *op, fuse_ino_t ino, size_t size)
{
	(void)ino;
	if (size)
		fuse_reply_buf(op->req, NULL, 0);
	else
		fuse_reply_xattr(op->req, 0);
}

void fs_op_policy_setxattr(struct fs_op *op, fuse_ino_t ino, const char *name, const char *value,
			   size_t size, int flags)
{
	(void)ino;
	(void)name;
	(void)value;
	(void)size;
	(void)flags;
	fs_op_err(op, -EOPNOTSUPP);
}

void fs_op_policy_removexattr(struct fs_op *op, fuse_ino_t ino, const char *name)
{
	(void)ino;
	(void)name;
	fs_op_err(op, -EOPNOTSUPP);
}

void fs_op_policy_ioctl(struct fs_op *op, fuse_ino_t ino, unsigned cmd, void *arg,
			struct fuse_file_info *fi, unsigned flags, const void *in, size_t in_len,
			size_t out_cap)
{
	fs_op_ioctl(op, ino, cmd, arg, fi, flags, in, in_len, out_cap);
}
