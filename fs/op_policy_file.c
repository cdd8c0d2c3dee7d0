/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/op_policy_file.c - under .policy: open files. OPEN, CREATE, READ, WRITE, FLUSH,
 * FSYNC, RELEASE, locks.
 *
 * Every handle is direct: what it reads is answered here, so that two handles may
 * show two versions of one file. Opening a policy file is recorded. A FLUSH or
 * FSYNC that saves waits for the vault, as a worker that lets a spare one run.
 */
#include "op_table.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "../keys/label.h"
#include "op_policy.h"

#define READ_MOST (1u << 20)

static int open_record(struct fs_op *op, uint64_t ino, int flags)
{
	char path[FS_POLICY_PATH];
	const struct fs_gate_act act = {
		.kind = POLICY_RECORD_OPEN,
		.nodeid = ino,
		.name = path,
		.action = (flags & O_ACCMODE) == O_RDONLY && !(flags & O_TRUNC) ? 'R' : 'U',
	};

	/* What editors put beside it is theirs alone. */
	if (!fs_policy_files_is_policy(ino, op->m->policy))
		return 0;
	fs_policy_files_path(op->m->policy, ino, path);
	return fs_gate_record_open(op->m->gate, &op->pass, &op->rq, &act);
}

static void drop(struct fs_op *op, uint64_t ino, uint64_t fh)
{
	struct fs_handle *h = fs_handle_close(op->m, fh, ino, false);
	const struct fs_policy_caller by = fs_op_policy_caller(op);
	struct fs_policy_outcome out = {.refused = false};

	fs_serve_block_begin();
	fs_policy_files_close(op->m->policy, &by, fh, &out);
	fs_serve_block_end();
	if (h)
		fs_handle_free(op->m, h);
}

static int open_file(struct fs_op *op, uint64_t ino, struct fuse_file_info *fi, bool made)
{
	const struct fs_policy_caller by = fs_op_policy_caller(op);
	const struct fs_handle_request rq = {ino, fi->flags, false, op->rq.pid};
	struct fs_handle *h;
	int rc = fi->flags ? open_record(op, ino, fi->flags) : 0;

	if (!rc)
		rc = fs_handle_open(op->m, &rq, &fi->fh);
	if (rc)
		return rc;
	rc = fs_policy_files_open(op->m->policy, &by, ino, fi->flags, made, fi->fh);
	fi->direct_io = 1;
	fi->keep_cache = 0;
	if (!rc)
		return 0;
	h = fs_handle_close(op->m, fi->fh, ino, false);
	if (h)
		fs_handle_free(op->m, h);
	return rc;
}

void fs_op_policy_open(struct fs_op *op, fuse_ino_t ino, struct fuse_file_info *fi)
{
	int rc = open_file(op, ino, fi, false);

	if (rc)
		fs_op_err(op, rc);
	else if (fuse_reply_open(op->req, fi) != 0)
		drop(op, ino, fi->fh);
}

void fs_op_policy_create(struct fs_op *op, fuse_ino_t parent, const char *name, mode_t mode,
			 struct fuse_file_info *fi)
{
	const struct fs_policy_caller by = fs_op_policy_caller(op);
	struct fs_policy_outcome out = {.refused = false};
	struct fuse_entry_param e;
	struct stat st;
	uint64_t ino = 0;
	bool made;
	/* O_TMPFILE (mount_device.c): a file without a name is nobody's temporary one here. */
	int rc = !strcmp(name, "/") ? -EOPNOTSUPP : 0;

	if (!rc)
		rc = fs_policy_files_create(op->m->policy, &by, parent, name, fi->flags, mode, &ino,
					    &out);
	rc = fs_op_policy_tell(op->m, &op->rq, &out, rc);
	made = !rc;
	if (rc >= 0)
		rc = open_file(op, ino, fi, made);
	if (rc < 0) {
		fs_op_err(op, rc);
		return;
	}
	rc = fs_policy_files_stat(op->m->policy, &by, ino, fi->fh, &st);
	if (!rc)
		rc = fs_op_policy_entry(op, name, &st, &e);
	if (rc) {
		drop(op, ino, fi->fh);
		fs_op_err(op, rc);
	} else if (fuse_reply_create(op->req, &e, fi) != 0) {
		drop(op, ino, fi->fh);
		fs_node_forget(op->m, ino, 1);
	}
}

/* The mount's part of a handle: -EBADF when it is none, -EIO when a lock was lost under it. */
static int check_handle(struct fs_op *op, uint64_t ino, uint64_t fh)
{
	struct fs_handle *h = fs_handle_get(op->m, fh, ino, false);
	int rc = h ? 0 : -EBADF;

	fs_handle_put(h);
	return rc ? rc : fs_lock_check(op->m, fh, ino);
}

void fs_op_policy_read(struct fs_op *op, fuse_ino_t ino, size_t size, off_t off,
		       struct fuse_file_info *fi)
{
	const struct fs_policy_caller by = fs_op_policy_caller(op);
	size_t got = 0, cap = size < READ_MOST ? size : READ_MOST;
	char *buf = NULL;
	int rc = off < 0 ? -EINVAL : check_handle(op, ino, fi->fh);

	if (!rc) {
		buf = malloc(cap ? cap : 1);
		rc = buf ? 0 : -ENOMEM;
	}
	if (!rc)
		rc = fs_policy_files_read(op->m->policy, &by, fi->fh, (uint64_t)off, cap, buf,
					  &got);
	if (rc)
		fs_op_err(op, rc);
	else
		fuse_reply_buf(op->req, buf, got);
	if (buf)
		keys_wipe(buf, cap);
	free(buf);
}

void fs_op_policy_write(struct fs_op *op, fuse_ino_t ino, const char *buf, size_t size, off_t off,
			struct fuse_file_info *fi)
{
	int rc = off < 0 ? -EINVAL : check_handle(op, ino, fi->fh);

	if (!rc)
		rc = fs_policy_files_write(op->m->policy, fi->fh, (uint64_t)off,
					   (fi->flags & O_APPEND) != 0, buf, size);
	if (rc)
		fs_op_err(op, rc);
	else
		fuse_reply_write(op->req, size);
}

static void save(struct fs_op *op, uint64_t ino, uint64_t fh, enum fs_policy_save how)
{
	const struct fs_policy_caller by = fs_op_policy_caller(op);
	struct fs_policy_outcome out = {.refused = false};
	int rc = check_handle(op, ino, fh);

	if (!rc) {
		fs_serve_block_begin();
		rc = fs_policy_files_save(op->m->policy, &by, fh, how, &out);
		fs_serve_block_end();
		rc = fs_op_policy_tell(op->m, &op->rq, &out, rc);
	}
	fs_op_err(op, rc);
}

void fs_op_policy_flush(struct fs_op *op, fuse_ino_t ino, struct fuse_file_info *fi)
{
	save(op, ino, fi->fh, FS_POLICY_FLUSH);
}

void fs_op_policy_fsync(struct fs_op *op, fuse_ino_t ino, int datasync, struct fuse_file_info *fi)
{
	(void)datasync;
	save(op, ino, fi->fh, FS_POLICY_SYNC);
}

/* Nobody waits for the answer, and nobody asks whether the session still may: the vault does. */
void fs_op_policy_release(struct fs_mount *m, struct fs_handle *h)
{
	const struct fs_gate_request rq = {.op = "release", .nodeid = h->node->nodeid};
	const struct fs_policy_caller by = {.now_ns = fs_op_policy_now_ns()};
	struct fs_policy_outcome out = {.refused = false};

	fs_serve_block_begin();
	fs_policy_files_close(m->policy, &by, h->fh, &out);
	fs_serve_block_end();
	(void)fs_op_policy_tell(m, &rq, &out, 0);
}

void fs_op_policy_lseek(struct fs_op *op, fuse_ino_t ino, off_t off, int whence,
			struct fuse_file_info *fi)
{
	uint64_t len = 0;
	int rc = check_handle(op, ino, fi->fh);

	if (!rc && whence != SEEK_DATA && whence != SEEK_HOLE)
		rc = -EINVAL;
	if (!rc)
		rc = fs_policy_files_length(op->m->policy, fi->fh, &len);
	if (!rc && (off < 0 || (uint64_t)off >= len))
		rc = -ENXIO;
	if (rc)
		fs_op_err(op, rc);
	else
		fuse_reply_lseek(op->req, whence == SEEK_DATA ? off : (off_t)len);
}

void fs_op_policy_fallocate(struct fs_op *op, fuse_ino_t ino, int mode, off_t off, off_t len,
			    struct fuse_file_info *fi)
{
	(void)ino;
	(void)mode;
	(void)off;
	(void)len;
	(void)fi;
	fs_op_err(op, -EOPNOTSUPP);
}

/* The kernel then copies by reading and writing. */
void fs_op_policy_copy_file_range(struct fs_op *op, fuse_ino_t ino, off_t off,
				  struct fuse_file_info *fi, fuse_ino_t ino_out, off_t off_out,
				  struct fuse_file_info *fi_out, size_t len, int flags)
{
	(void)ino;
	(void)off;
	(void)fi;
	(void)ino_out;
	(void)off_out;
	(void)fi_out;
	(void)len;
	(void)flags;
	fs_op_err(op, -EXDEV);
}

/* ---- locks: of all mounts, as in journals; numbers of scratch files are no other mount's ---- */

void fs_op_policy_getlk(struct fs_op *op, fuse_ino_t ino, struct fuse_file_info *fi,
			struct flock *lock)
{
	fs_op_getlk(op, ino, fi, lock);
}

void fs_op_policy_setlk(struct fs_op *op, fuse_ino_t ino, struct fuse_file_info *fi,
			struct flock *lock, int sleep)
{
	fs_op_setlk(op, ino, fi, lock, sleep);
}

void fs_op_policy_flock(struct fs_op *op, fuse_ino_t ino, struct fuse_file_info *fi, int how)
{
	fs_op_flock(op, ino, fi, how);
}
