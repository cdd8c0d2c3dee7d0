/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/op_file.c - open files: OPEN, CREATE, READ, WRITE, FLUSH, RELEASE, FSYNC,
 * FALLOCATE, COPY_FILE_RANGE, LSEEK.
 *
 * A handle carries what its OPEN was granted for; reading and writing go by it,
 * never by the caller's uid. READ replies under the inode's lock, so that no old
 * bytes can refill the kernel's cache after an invalidation. Handles that append,
 * and new ones on files that another mount is writing, bypass the page cache.
 */
#include "op_table.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "../keys/label.h"
#include "history_tree.h"
#include "op_final.h"
#include "op_saves.h"

#define NO_NAME "(without a name)" /* in the log */
#define COPY_BYTES (1u << 20)
#define COPY_MAX (16u << 20) /* a request; the caller goes on with the rest */

uint32_t fs_op_open_rights(int flags)
{
	int mode = flags & O_ACCMODE;
	uint32_t rights = 0;

	if (mode != O_WRONLY)
		rights |= POLICY_READ;
	if (mode != O_RDONLY || flags & O_TRUNC)
		rights |= POLICY_WRITE;
	return rights;
}

/* What an open asks of the file's own mode. */
static int open_may(int flags)
{
	int mode = flags & O_ACCMODE;

	return (mode != O_WRONLY ? R_OK : 0) | (mode != O_RDONLY || flags & O_TRUNC ? W_OK : 0);
}

/* The records that an open needs before its handle gives light; returns when they allow it. */
static int open_record(struct fs_op *op, uint64_t nodeid, int flags)
{
	char name[256];
	struct fs_gate_act act = {.kind = POLICY_RECORD_OPEN, .nodeid = nodeid, .name = name};
	int rc;

	fs_node_name(op->m, nodeid, name);
	act.action = (flags & O_ACCMODE) == O_RDONLY && !(flags & O_TRUNC) ? 'R' : 'U';
	rc = fs_gate_cover(op->m->gate, &op->rq, fs_nodeid_ino(nodeid), name);
	if (!rc)
		rc = fs_gate_record_open(op->m->gate, &op->pass, &op->rq, &act);
	return rc ? rc : fs_gate_again(op->m->gate, &op->rq, &op->pass);
}

/* A handle in fi, with the caching that suits it. */
static int handle_make(struct fs_op *op, uint64_t nodeid, struct fuse_file_info *fi, bool logged,
		       bool made)
{
	/* Without a record yet, reads must come to us, not be served from what is cached. */
	bool direct = !logged || fi->flags & O_APPEND;
	const struct fs_handle_request rq = {nodeid, fi->flags, false, op->rq.pid};
	struct fs_handle *h;
	uint64_t fh = 0;
	int rc = fs_handle_open(op->m, &rq, &fh);

	if (rc)
		return rc;
	/* Looked at when our own handle can be seen: of two who open at once, one notices. */
	direct = direct || fs_share_written(op->m, nodeid);
	h = fs_handle_get(op->m, fh, nodeid, false);
	if (h) {
		h->direct = direct;
		atomic_store(&h->logged, logged);
		/* Its creation says that it was written. */
		atomic_store(&h->wrote, made && h->writable);
		atomic_store(&h->unsaved, made || fi->flags & O_TRUNC);
	}
	fs_handle_put(h);
	fi->fh = fh;
	fi->direct_io = direct;
	/* Nobody tells a kernel what becomes of the newest version: at each open it reads anew. */
	fi->keep_cache = !direct && !fs_history_tree_is(fs_nodeid_ino(nodeid));
	return 0;
}

static void handle_drop(struct fs_op *op, uint64_t fh, uint64_t nodeid, bool dir)
{
	struct fs_handle *h = fs_handle_close(op->m, fh, nodeid, dir);

	if (h)
		fs_handle_free(op->m, h);
}

static int truncate_at_open(struct fs_op *op, struct fs_inode *i)
{
	uint64_t nodeid = fs_inode_nodeid(i);
	struct fs_actor who = fs_op_actor_of(op, nodeid);
	int rc = fs_op_final_refused(op, nodeid, fs_content_truncate(i, 0, &who));

	if (!rc)
		fs_share_changed(op->m, nodeid, true, 0);
	return rc;
}

/* made: by this request, whose record is the open's too. */
static int open_inode(struct fs_op *op, struct fs_inode *i, struct fuse_file_info *fi, bool made)
{
	uint64_t nodeid = fs_inode_nodeid(i);
	/* lsattr and chattr open with no flags at all, only to send an ioctl: READ would record it.
	 */
	bool logged = fi->flags != 0;
	int rc = 0;

	fs_notify_drain(op->m, nodeid);
	if (made)
		rc = fs_gate_again(op->m->gate, &op->rq, &op->pass);
	else if (logged)
		rc = open_record(op, nodeid, fi->flags);
	if (!rc && fi->flags & O_TRUNC)
		rc = truncate_at_open(op, i);
	return rc ? rc : handle_make(op, nodeid, fi, logged, made);
}

void fs_op_open(struct fs_op *op, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct fs_inode *i = NULL;
	int rc;

	if (fi->flags & O_TRUNC)
		fs_op_throttle(op);
	rc = fs_op_inode_fresh(op, ino, true, &i);
	/* lsattr's opens without flags ask for nothing. */
	if (!rc && fi->flags)
		rc = open_may(fi->flags) & W_OK ? fs_op_final_check(op, i) : 0;
	if (!rc && fi->flags)
		rc = fs_op_permit(op, i, open_may(fi->flags));
	if (!rc)
		rc = open_inode(op, i, fi, false);
	if (rc)
		fs_op_err(op, rc);
	else if (fuse_reply_open(op->req, fi) != 0)
		handle_drop(op, fi->fh, ino, false);
	fs_inode_put(i);
}

/* One record says that the note was made, opened and, where it may be, written. */
static int create_record(struct fs_op *op, uint64_t nodeid, const char *name, int flags)
{
	const struct fs_gate_act act = {
		.kind = POLICY_RECORD_CREATE,
		.nodeid = nodeid,
		.name = name,
		.detail = (flags & O_ACCMODE) == O_RDONLY ? "opened" : "opened to write",
	};

	return fs_gate_record_open(op->m->gate, &op->pass, &op->rq, &act);
}

/* A new file, or the one that somebody else has just made under this name. */
static int create_inode(struct fs_op *op, struct fs_inode *dir, const char *name, mode_t mode,
			int flags, struct fs_inode **out)
{
	struct fs_actor who = fs_op_actor(op);
	int rc;

	fs_op_saves_name(op->m, name ? name : "", &who);
	rc = name ? fs_tree_create(dir, name, S_IFREG | (mode & 07777), &who, out)
		  : fs_tree_nameless(dir, mode, &who, out);
	if (rc == -EEXIST && !(flags & O_EXCL)) {
		rc = fs_tree_lookup(dir, name, out);
		if (!rc && fs_op_type(*out) != S_IFREG) {
			fs_inode_put(*out);
			*out = NULL;
			rc = -EEXIST;
		}
		return rc ? rc : 1;
	}
	if (rc)
		return rc;
	rc = create_record(op, fs_inode_nodeid(*out), name ? name : NO_NAME, flags);
	fs_gate_created(op->m->gate, &op->pass, (*out)->ino, false);
	if (name)
		fs_share_dir(op->m, fs_inode_nodeid(dir));
	if (rc) {
		fs_inode_put(*out);
		*out = NULL;
	}
	return rc;
}

/* The file was there already: what CREATE asked for was not what opening it does. Refusals are logged. */
static int check_again(struct fs_op *op, struct fs_inode *i, int flags)
{
	int rc;

	op->rq.rights |= fs_op_open_rights(flags);
	rc = fs_gate_again(op->m->gate, &op->rq, &op->pass);
	if (!rc && open_may(flags) & W_OK && !fs_gate_draft(&op->pass, i))
		rc = fs_gate_refuse(op->m->gate, &op->rq, fs_nodeid_journal(op->rq.nodeid), -EACCES,
				    "emergency access: read, and new notes of one's own");
	if (!rc && open_may(flags) & W_OK)
		rc = fs_op_final_check(op, i);
	return rc ? rc : fs_op_permit(op, i, open_may(flags));
}

void fs_op_create(struct fs_op *op, fuse_ino_t parent, const char *name, mode_t mode,
		  struct fuse_file_info *fi)
{
	struct fs_inode *dir = NULL, *i = NULL;
	struct fuse_entry_param e;
	int rc = parent == FS_NODE_ROOT ? -EPERM : 0;
	bool made;

	/* O_TMPFILE (mount_device.c): the kernel gives such a file the one name that no file can have. */
	if (!strcmp(name, "/"))
		name = NULL;
	if (!rc) {
		fs_op_throttle(op);
		rc = fs_op_inode(op, parent, &dir);
	}
	if (!rc)
		rc = fs_op_permit(op, dir, W_OK | X_OK);
	if (!rc)
		rc = create_inode(op, dir, name, mode, fi->flags, &i);
	made = !rc;
	if (rc == 1)
		rc = check_again(op, i, fi->flags);
	else
		fi->flags &= ~O_TRUNC; /* nothing to cut, and the mode asked for stays */
	if (!rc)
		rc = fs_op_entry(op, i, name ? name : NO_NAME, &e);
	if (rc) {
		fs_op_err(op, rc);
		goto out;
	}
	rc = open_inode(op, i, fi, made);
	/* O_TRUNC may have changed it since. */
	fs_op_stat(op, i, &e.attr);
	if (rc) {
		fs_node_forget(op->m, e.ino, 1);
		fs_op_err(op, rc);
	} else if (fuse_reply_create(op->req, &e, fi) != 0) {
		handle_drop(op, fi->fh, e.ino, false);
		fs_node_forget(op->m, e.ino, 1);
	}
out:
	fs_inode_put(i);
	fs_inode_put(dir);
}

/* ---- reading and writing ---- */

/* The handle and its inode, both to be put; EBADF unless it was opened for this. */
static int handle_inode(struct fs_op *op, uint64_t fh, uint64_t nodeid, bool write,
			struct fs_handle **h, struct fs_inode **i)
{
	*h = fs_handle_get(op->m, fh, nodeid, false);
	if (!*h || !(write ? (*h)->writable : (*h)->readable))
		return -EBADF;
	if (atomic_load(&(*h)->lost))
		return -EIO;
	return fs_op_inode(op, nodeid, i);
}

struct reading {
	struct fs_op *op;
	bool replied;
	size_t len;
};

static int reply_read(void *ctx, const struct iovec *iov, int n, size_t len)
{
	struct reading *r = ctx;

	fuse_reply_iov(r->op->req, iov, n);
	r->replied = true;
	r->len = len;
	return 0;
}

void fs_op_read(struct fs_op *op, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi)
{
	struct reading r = {.op = op};
	struct fs_handle *h = NULL;
	struct fs_inode *i = NULL;
	int rc;

	h = fs_handle_get(op->m, fi->fh, ino, false);
	rc = h && off >= 0 ? fs_op_inode(op, ino, &i) : -EBADF;
	if (!rc && atomic_load(&h->lost))
		rc = -EIO;
	if (!rc && !atomic_load(&h->logged)) {
		rc = open_record(op, ino, h->flags);
		atomic_store(&h->logged, !rc);
	}
	if (!rc)
		rc = fs_content_read(i, (uint64_t)off, size, reply_read, &r);
	if (r.replied)
		atomic_fetch_add(&h->bytes_read, r.len);
	else if (rc)
		fs_op_err(op, rc);
	else
		fuse_reply_buf(op->req, NULL, 0);
	fs_inode_put(i);
	fs_handle_put(h);
}

/* The first WRITE of a handle is recorded, before its effect. */
static int write_record(struct fs_op *op, struct fs_handle *h, uint64_t nodeid)
{
	char name[256];
	int rc;

	if (atomic_load(&h->wrote))
		return 0;
	fs_node_name(op->m, nodeid, name);
	rc = fs_op_act(op, POLICY_RECORD_WRITE, nodeid, name, NULL, NULL);
	if (!rc)
		atomic_store(&h->wrote, true);
	return rc;
}

/* After contents changed from `at` on: the other mounts, and our own cache beside direct handles.
 */
static void wrote(struct fs_op *op, struct fs_handle *h, uint64_t nodeid, uint64_t at)
{
	atomic_store(&h->unsaved, true);
	fs_share_changed(op->m, nodeid, true, at);
	/* Kernels before 6.6 keep old pages of the same mount when a direct handle writes. */
	if (h->direct && !atomic_load(&op->m->epochs))
		fs_notify_inode(op->m, nodeid, true, at);
}

void fs_op_write(struct fs_op *op, fuse_ino_t ino, const char *buf, size_t size, off_t off,
		 struct fuse_file_info *fi)
{
	struct fs_actor who = fs_op_actor_of(op, ino);
	/* Flags may have changed since OPEN: the kernel sends those of now. */
	bool append = fi->flags & O_APPEND && !fi->writepage;
	struct fs_handle *h = NULL;
	struct fs_inode *i = NULL;
	uint64_t at = (uint64_t)off;
	int rc;

	fs_op_throttle(op);
	rc = off < 0 ? -EINVAL : handle_inode(op, fi->fh, ino, true, &h, &i);
	/* Mapped pages come with any handle; they may have been written under one that lost its lock. */
	if (!rc && fi->writepage && fs_node_lost(op->m, ino))
		rc = -EIO;
	if (!rc)
		rc = write_record(op, h, ino);
	if (!rc)
		rc = fs_op_final_refused(op, ino,
					 fs_content_write(i, (uint64_t)off, append,
							  (const uint8_t *)buf, size, &who, &at));
	fs_op_final_dropped(op, ino, fi->writepage, rc);
	if (!rc) {
		atomic_fetch_add(&h->bytes_written, size);
		wrote(op, h, ino, at);
		/* O_APPEND came by fcntl: the kernel has put the bytes where it took the end to be. */
		if (append && !h->direct && at != (uint64_t)off)
			fs_notify_inode(op->m, ino, true,
					at < (uint64_t)off ? at : (uint64_t)off);
		fuse_reply_write(op->req, size);
	} else {
		fs_op_err(op, rc);
	}
	fs_inode_put(i);
	fs_handle_put(h);
}

void fs_op_fallocate(struct fs_op *op, fuse_ino_t ino, int mode, off_t off, off_t len,
		     struct fuse_file_info *fi)
{
	struct fs_actor who = fs_op_actor_of(op, ino);
	struct fs_handle *h = NULL;
	struct fs_inode *i = NULL;
	int rc;

	fs_op_throttle(op);
	rc = off < 0 || len <= 0 ? -EINVAL : handle_inode(op, fi->fh, ino, true, &h, &i);
	if (!rc)
		rc = write_record(op, h, ino);
	if (!rc)
		rc = fs_op_final_refused(op, ino,
					 fs_content_allocate(i, mode, (uint64_t)off, (uint64_t)len,
							     &who));
	if (!rc)
		wrote(op, h, ino, (uint64_t)off);
	fs_op_err(op, rc);
	fs_inode_put(i);
	fs_handle_put(h);
}

static int seek_inode(struct fs_op *op, uint64_t fh, uint64_t nodeid, struct fs_handle **h,
		      struct fs_inode **i)
{
	*h = fs_handle_get(op->m, fh, nodeid, false);
	return *h ? fs_op_inode(op, nodeid, i) : -EBADF;
}

void fs_op_lseek(struct fs_op *op, fuse_ino_t ino, off_t off, int whence, struct fuse_file_info *fi)
{
	struct fs_handle *h = NULL;
	struct fs_inode *i = NULL;
	uint64_t out = 0;
	/* Where holes are is asked of handles for writing too. */
	int rc = seek_inode(op, fi->fh, ino, &h, &i);

	if (!rc && whence != SEEK_DATA && whence != SEEK_HOLE)
		rc = -EINVAL;
	if (!rc && off < 0)
		rc = -ENXIO;
	if (!rc)
		rc = fs_content_seek(i, (uint64_t)off, whence == SEEK_DATA, &out);
	if (rc)
		fs_op_err(op, rc);
	else
		fuse_reply_lseek(op->req, (off_t)out);
	fs_inode_put(i);
	fs_handle_put(h);
}

/* ---- copying within a journal ---- */

struct copying {
	uint8_t *to;
	size_t len;
};

static int copy_out(void *ctx, const struct iovec *iov, int n, size_t len)
{
	struct copying *c = ctx;
	size_t at = 0;

	for (int k = 0; k < n && at < len; k++) {
		memcpy(c->to + at, iov[k].iov_base, iov[k].iov_len);
		at += iov[k].iov_len;
	}
	c->len = len;
	return 0;
}

static int copy_range(struct fs_inode *from, uint64_t off, struct fs_inode *to, uint64_t off_to,
		      size_t len, struct fs_actor *who, size_t *done)
{
	struct copying c = {.to = malloc(COPY_BYTES)};
	int rc = c.to ? 0 : -ENOMEM;

	while (!rc && *done < len) {
		size_t want = len - *done < COPY_BYTES ? len - *done : COPY_BYTES;

		c.len = 0;
		rc = fs_content_read(from, off + *done, want, copy_out, &c);
		if (rc || !c.len)
			break;
		rc = fs_content_write(to, off_to + *done, false, c.to, c.len, who, NULL);
		if (!rc)
			*done += c.len;
	}
	if (c.to)
		keys_wipe(c.to, COPY_BYTES);
	free(c.to);
	return rc;
}

void fs_op_copy_file_range(struct fs_op *op, fuse_ino_t ino, off_t off, struct fuse_file_info *fi,
			   fuse_ino_t ino_out, off_t off_out, struct fuse_file_info *fi_out,
			   size_t len, int flags)
{
	struct fs_handle *h = NULL, *h_out = NULL;
	struct fs_inode *i = NULL, *i_out = NULL;
	struct fs_actor who = fs_op_actor_of(op, ino_out);
	size_t done = 0;
	int rc = flags || off < 0 || off_out < 0 ? -EINVAL : 0;

	fs_op_throttle(op);
	if (!rc)
		rc = handle_inode(op, fi->fh, ino, false, &h, &i);
	if (!rc)
		rc = handle_inode(op, fi_out->fh, ino_out, true, &h_out, &i_out);
	if (!rc && !atomic_load(&h->logged))
		rc = open_record(op, ino, h->flags);
	if (!rc)
		rc = write_record(op, h_out, ino_out);
	if (!rc)
		rc = copy_range(i, (uint64_t)off, i_out, (uint64_t)off_out,
				len < COPY_MAX ? len : COPY_MAX, &who, &done);
	rc = fs_op_final_refused(op, ino_out, rc);
	if (done) {
		atomic_fetch_add(&h->bytes_read, done);
		atomic_fetch_add(&h_out->bytes_written, done);
		wrote(op, h_out, ino_out, (uint64_t)off_out);
	}
	if (rc && !done)
		fs_op_err(op, rc);
	else
		fuse_reply_write(op->req, done);
	fs_inode_put(i_out);
	fs_inode_put(i);
	fs_handle_put(h_out);
	fs_handle_put(h);
}

/* ---- durability and the end of a handle ---- */

static bool durable_at_close(struct fs_op *op)
{
	struct policy_practice *p = fs_vault_practice(op->m->serve->vault);
	bool durable = p && policy_practice_settings(p)->durability_close;

	policy_practice_put(p);
	return durable;
}

void fs_op_flush(struct fs_op *op, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct fs_handle *h = fs_handle_get(op->m, fi->fh, ino, false);
	int rc = h ? 0 : -EBADF;

	if (!rc)
		fs_op_saves_flush(op, h, ino);
	if (!rc && atomic_load(&h->wrote)) {
		if (durable_at_close(op))
			rc = fs_op_sync(op, 0);
		else
			fs_group_hurry(fs_records_group(fs_vault_records(op->m->serve->vault)));
	}
	fs_op_err(op, rc);
	fs_handle_put(h);
}

void fs_op_fsync(struct fs_op *op, fuse_ino_t ino, int datasync, struct fuse_file_info *fi)
{
	(void)ino;
	(void)datasync;
	(void)fi;
	fs_op_err(op, fs_op_sync(op, 0));
}

/* What was done with the handle, for the log. Nobody waits, and nobody can be refused any more. */
static void close_record(struct fs_mount *m, const struct fs_handle *h, uint64_t nodeid)
{
	const struct fs_gate_request rq = {.op = "release", .nodeid = nodeid};
	char name[256];
	const struct fs_gate_act act = {
		.kind = POLICY_RECORD_CLOSE,
		.nodeid = nodeid,
		.name = name,
		.bytes_read = atomic_load(&h->bytes_read),
		.bytes_written = atomic_load(&h->bytes_written),
	};

	fs_node_name(m, nodeid, name);
	(void)fs_gate_record(m->gate, NULL, &rq, &act);
}

void fs_op_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct fs_mount *m = fuse_req_userdata(req);
	struct fs_handle *h = fs_handle_close(m, fi->fh, ino, false);

	if (h) {
		if (fs_nodeid_policy(ino))
			fs_op_policy_release(m, h);
		else if (atomic_load(&h->logged))
			close_record(m, h, ino);
		if (!fs_nodeid_policy(ino)) {
			fs_op_saves_release(m, h, ino);
			fs_op_final_release(m, h, ino);
		}
		fs_lock_released(m, h);
		fs_handle_free(m, h);
	}
	fuse_reply_err(req, 0);
}
