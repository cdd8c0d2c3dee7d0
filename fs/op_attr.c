/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/op_attr.c - attributes: GETATTR, SETATTR, READLINK, STATFS, ACCESS, IOCTL.
 *
 * The viewer is shown as owner with the effective rights (fs_op_stat). Changing
 * the owner to oneself is no change; to anybody else EPERM.
 */
#include "op_table.h"

#include <endian.h>
#include <errno.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>
#include "history_tree.h"

#include "op_final.h"
#include "op_saves.h"

#define NAME_LONGEST 255
#define BLOCK 4096u

static void reply_attr(struct fs_op *op, struct fs_inode *i)
{
	struct stat st;

	fs_op_stat(op, i, &st);
	fuse_reply_attr(op->req, &st, fs_op_timeout(i->ino));
}

void fs_op_getattr(struct fs_op *op, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct fs_inode *i = NULL;
	struct stat st;
	int rc;

	(void)fi;
	if (ino == FS_NODE_ROOT || !op->pass.journal) {
		if (ino == FS_NODE_ROOT)
			fs_root_stat(op, &st);
		else
			fs_root_closed_stat(op, ino, &st);
		fuse_reply_attr(op->req, &st, FS_TIMEOUT_SHORT);
		return;
	}
	rc = fs_op_inode_fresh(op, ino, false, &i);
	if (!rc)
		rc = fs_op_cover(op, ino);
	if (rc)
		fs_op_err(op, rc);
	else
		reply_attr(op, i);
	fs_inode_put(i);
}

static int check_owner(const struct fs_op *op, const struct stat *attr, int to_set)
{
	if (to_set & FUSE_SET_ATTR_UID && attr->st_uid != op->m->session->uid)
		return -EPERM;
	if (to_set & FUSE_SET_ATTR_GID && attr->st_gid != op->m->gid)
		return -EPERM;
	return 0;
}

struct setting {
	struct fs_content_attr set;
	uint32_t mode;
	uint64_t size;
	struct timespec atime, mtime, ctime;
	char detail[64];
};

static void setting_of(const struct stat *attr, int to_set, const struct fs_actor *who,
		       struct setting *s)
{
	memset(s, 0, sizeof(*s));
	if (to_set & FUSE_SET_ATTR_MODE) {
		s->mode = attr->st_mode & 07777;
		s->set.mode = &s->mode;
		strcat(s->detail, "mode ");
	}
	/* chown(2) that names nobody asks for nothing, and is one all the same. */
	s->set.owner = !to_set || to_set & (FUSE_SET_ATTR_UID | FUSE_SET_ATTR_GID);
	if (s->set.owner)
		strcat(s->detail, "owner ");
	if (to_set & FUSE_SET_ATTR_SIZE) {
		s->size = (uint64_t)attr->st_size;
		s->set.size = &s->size;
		strcat(s->detail, "size ");
	}
	if (to_set & (FUSE_SET_ATTR_ATIME | FUSE_SET_ATTR_ATIME_NOW)) {
		s->atime = to_set & FUSE_SET_ATTR_ATIME_NOW ? who->now : attr->st_atim;
		s->set.atime = &s->atime;
		strcat(s->detail, "atime ");
	}
	if (to_set & (FUSE_SET_ATTR_MTIME | FUSE_SET_ATTR_MTIME_NOW)) {
		s->mtime = to_set & FUSE_SET_ATTR_MTIME_NOW ? who->now : attr->st_mtim;
		s->set.mtime = &s->mtime;
		strcat(s->detail, "mtime ");
	}
	if (to_set & FUSE_SET_ATTR_CTIME) {
		s->ctime = attr->st_ctim;
		s->set.ctime = &s->ctime;
	}
	if (s->detail[0])
		s->detail[strlen(s->detail) - 1] = '\0';
}

static int setattr_inode(struct fs_op *op, struct fs_inode *i, const struct stat *attr, int to_set)
{
	uint64_t nodeid = fs_inode_nodeid(i);
	struct fs_actor who = fs_op_actor_of(op, nodeid);
	bool cut = (to_set & FUSE_SET_ATTR_SIZE) != 0;
	bool shut = to_set & FUSE_SET_ATTR_MODE && !(attr->st_mode & S_IXUSR) &&
		    fs_op_type(i) == S_IFDIR;
	char name[256];
	struct setting s;
	int rc;

	setting_of(attr, to_set, &who, &s);
	fs_node_name(op->m, nodeid, name);
	rc = fs_op_act(op, cut ? POLICY_RECORD_WRITE : POLICY_RECORD_ATTRIBUTE, nodeid, name, NULL,
		       s.detail);
	if (!rc)
		rc = fs_op_final_refused(op, nodeid, fs_content_setattr(i, &s.set, &who));
	if (!rc && fs_op_type(i) == S_IFDIR)
		fs_share_dir(op->m, nodeid);
	else if (!rc)
		fs_share_changed(op->m, nodeid, cut, s.size);
	/* What is below must be looked up again, and is found no more. */
	if (!rc && shut) {
		fs_share_names(op->m, nodeid);
		fs_notify_names(op->m, 0);
	}
	return rc;
}

static bool writable(struct fs_inode *i)
{
	bool is;

	pthread_rwlock_rdlock(&i->lock);
	is = S_ISREG(i->mode) && i->mode & 0222;
	pthread_rwlock_unlock(&i->lock);
	return is;
}

/* A handle's owner saves when he closes; a path has no close. */
static void cut_saved(struct fs_op *op, struct fs_inode *i, const struct fuse_file_info *fi)
{
	struct fs_handle *h;

	if (!fi) {
		fs_op_saves_done(op->m, i);
		return;
	}
	h = fs_handle_get(op->m, fi->fh, fs_inode_nodeid(i), false);
	if (h)
		atomic_store(&h->unsaved, true);
	fs_handle_put(h);
}

void fs_op_setattr(struct fs_op *op, fuse_ino_t ino, struct stat *attr, int to_set,
		   struct fuse_file_info *fi)
{
	struct fs_inode *i = NULL;
	bool could = false;
	int rc = ino == FS_NODE_ROOT ? -EPERM : check_owner(op, attr, to_set);

	if (!rc && fi && to_set & FUSE_SET_ATTR_SIZE)
		rc = fs_lock_check(op->m, fi->fh, ino);
	if (!rc) {
		fs_op_throttle(op);
		rc = fs_op_inode(op, ino, &i);
	}
	if (!rc)
		rc = fs_op_cover(op, ino);
	if (!rc)
		rc = fs_op_final_check(op, i);
	/* Without a handle that was opened for it. */
	if (!rc && to_set & FUSE_SET_ATTR_SIZE && !fi)
		rc = fs_op_permit(op, i, W_OK);
	if (!rc) {
		could = writable(i);
		rc = setattr_inode(op, i, attr, to_set);
	}
	if (!rc && to_set & FUSE_SET_ATTR_SIZE)
		cut_saved(op, i, fi);
	if (!rc && could && !writable(i))
		rc = fs_op_final_read_only(op, i);
	if (rc)
		fs_op_err(op, rc);
	else
		reply_attr(op, i);
	fs_inode_put(i);
}

void fs_op_readlink(struct fs_op *op, fuse_ino_t ino)
{
	struct fs_inode *i = NULL;
	char target[4096];
	int rc = fs_op_inode(op, ino, &i);

	if (!rc)
		rc = fs_op_cover(op, ino);
	if (!rc)
		rc = fs_tree_readlink(i, target, sizeof(target));
	if (rc < 0)
		fs_op_err(op, rc);
	else
		fuse_reply_readlink(op->req, target);
	fs_inode_put(i);
}

void fs_op_statfs(struct fs_op *op, fuse_ino_t ino)
{
	struct fs_vault_status status;
	struct statvfs st = {.f_bsize = BLOCK, .f_frsize = BLOCK, .f_namemax = NAME_LONGEST};

	(void)ino;
	fs_vault_status(op->m->serve->vault, &status);
	st.f_bfree = status.free_bytes / BLOCK;
	st.f_bavail = st.f_bfree;
	st.f_blocks = (status.used_bytes + status.free_bytes) / BLOCK;
	/* Numbers never run out before space does; programs that look for inodes find some. */
	st.f_files = UINT32_MAX;
	st.f_ffree = UINT32_MAX;
	st.f_favail = UINT32_MAX;
	fuse_reply_statfs(op->req, &st);
}

void fs_op_access(struct fs_op *op, fuse_ino_t ino, int mask)
{
	struct fs_inode *i = NULL;
	struct stat st;
	int rc = 0;

	if (ino == FS_NODE_ROOT) {
		fs_root_stat(op, &st);
	} else if (!op->pass.journal) {
		fs_root_closed_stat(op, ino, &st);
	} else {
		rc = fs_op_inode(op, ino, &i);
		if (!rc)
			fs_op_stat(op, i, &st);
		if (!rc && mask & W_OK && fs_history_tree_is(i->ino))
			rc = -EROFS;
	}
	/* Nobody may ever: not for want of a right. */
	if (!rc && i && mask & W_OK && op->pass.rights & (POLICY_WRITE | POLICY_DRAFT) &&
	    fs_op_final_is(op, i))
		rc = -EPERM;
	if (!rc && (((mask & R_OK) && !(st.st_mode & S_IRUSR)) ||
		    ((mask & W_OK) && !(st.st_mode & S_IWUSR)) ||
		    ((mask & X_OK) && !(st.st_mode & S_IXUSR))))
		rc = -EACCES;
	fs_op_err(op, rc);
	fs_inode_put(i);
}

/* Whether lsattr shows `i`; names of final notes are light like others. */
static int immutable(struct fs_op *op, uint64_t nodeid, bool *is)
{
	struct fs_inode *i = NULL;
	int rc;

	*is = false;
	if (nodeid == FS_NODE_ROOT || !op->pass.journal)
		return 0;
	rc = fs_op_inode(op, nodeid, &i);
	if (!rc)
		rc = fs_op_cover(op, nodeid);
	if (!rc)
		*is = fs_op_type(i) == S_IFREG && fs_op_final_is(op, i);
	fs_inode_put(i);
	return rc;
}

static int refuse_flags(struct fs_op *op, uint64_t nodeid)
{
	struct fs_inode *i = NULL;
	int rc = nodeid == FS_NODE_ROOT || !op->pass.journal ? 0 : fs_op_inode(op, nodeid, &i);

	if (!rc && i)
		rc = fs_op_final_check(op, i);
	fs_inode_put(i);
	return rc ? rc : -EOPNOTSUPP;
}

void fs_op_ioctl(struct fs_op *op, fuse_ino_t ino, unsigned cmd, void *arg,
		 struct fuse_file_info *fi, unsigned flags, const void *in, size_t in_len,
		 size_t out_cap)
{
	uint64_t bits; /* 4 or 8 bytes of it, as the program asked */
	struct fsxattr extended = {0};
	bool is = false;
	int rc = 0;

	(void)arg;
	(void)fi;
	(void)flags;
	(void)in;
	(void)in_len;
	/* Commands carry the size of a long, the kernel asks for an int: compare without sizes. */
	switch (cmd & 0xffff) {
	case FS_IOC_GETFLAGS & 0xffff:
	case FS_IOC_FSGETXATTR & 0xffff:
		rc = immutable(op, ino, &is);
		break;
	case FS_IOC_SETFLAGS & 0xffff:
	case FS_IOC_FSSETXATTR & 0xffff:
		rc = refuse_flags(op, ino);
		break;
	default:
		rc = -ENOTTY;
	}
	bits = htole64(is ? FS_IMMUTABLE_FL : 0);
	extended.fsx_xflags = is ? FS_XFLAG_IMMUTABLE : 0;
	if (rc)
		fs_op_err(op, rc);
	else if ((cmd & 0xffff) == (FS_IOC_GETFLAGS & 0xffff))
		fuse_reply_ioctl(op->req, 0, &bits, out_cap < 8 ? out_cap : 8);
	else
		fuse_reply_ioctl(op->req, 0, &extended,
				 out_cap < sizeof(extended) ? out_cap : sizeof(extended));
}
