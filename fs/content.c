/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/content.c - reading and changing the contents of one file.
 *
 * Chooses the form: nothing (empty), pieces (fs/inline) up to FS_INLINE_MAX bytes,
 * chunks (fs/bulk) above; a file that once had chunks keeps them until it is
 * truncated to nothing, so that a size around the threshold does not copy to and
 * fro. Every change is struct change: the inode is locked exclusively from before
 * the first look at its size until the change is applied and published, which is
 * what makes appends and read-modify-writes whole.
 */
#include "content.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include "bulk.h"
#include "chunk.h"
#include "content_change.h"
#include "final.h"
#include "history.h"
#include "history_tree.h"
#include "inline.h"

static int file_only(const struct fs_inode *i)
{
	return S_ISREG(i->mode) ? 0 : S_ISDIR(i->mode) ? -EISDIR : -EINVAL;
}

int fs_content_begin(struct fs_content_change *c, struct fs_inode *i, struct fs_actor *who)
{
	*c = (struct fs_content_change){.i = i, .who = who};
	who->group = 0;
	fs_inode_throttle(i->journal);
	pthread_rwlock_wrlock(&i->lock);
	fs_batch_init(&c->b, who->signer);
	c->a = i->attr;
	c->history = i->history;
	if (fs_history_tree_is(i->ino))
		return -EROFS;
	return i->deleted ? -ESTALE : fs_final_check(i, who);
}

int fs_content_end(struct fs_content_change *c, int rc)
{
	uint64_t group = 0;

	if (!rc) {
		fs_inode_store_attr(&c->b, c->i, &c->a);
		rc = fs_inode_apply(c->i->journal, &c->b, &group);
	} else {
		fs_batch_clear(&c->b);
	}
	if (!rc) {
		c->i->attr = c->a;
		c->i->history = c->history;
		c->who->group = group;
	}
	pthread_rwlock_unlock(&c->i->lock);
	if (c->scratch)
		keys_wipe(c->scratch, c->scratch_len);
	free(c->scratch);
	return rc;
}

/*
 * A file that changes may not stay setuid, nor setgid where the group may execute. Some kernels ask for
 * that themselves, but not at O_TRUNC, and not for handles past their cache.
 */
static void end_setuid(struct fs_inode_attr *a)
{
	if (!S_ISDIR(a->mode))
		a->mode &= ~(uint32_t)(S_ISUID | (a->mode & S_IXGRP ? S_ISGID : 0));
}

/* Contents have changed. */
static void touch(struct fs_content_change *c)
{
	end_setuid(&c->a);
	c->a.mtime = c->who->now;
	c->a.ctime = c->who->now;
	c->a.writer = c->who->pid;
	c->a.change++;
}

/*
 * From pieces to chunks, with len bytes at off written in passing: a chunk may be changed only once
 * in a batch, so old and new bytes of the chunks that the pieces become meet in scratch first.
 */
static int convert(struct fs_content_change *c, uint64_t off, const uint8_t *p, size_t len)
{
	struct fs_inode *i = c->i;
	size_t had = i->pieces ? (size_t)i->size : 0, n = had;
	size_t room = (had + FS_CHUNK - 1) / FS_CHUNK * FS_CHUNK;
	size_t first = off >= room ? 0 : len < room - off ? len : (size_t)(room - off);
	int rc;

	rc = fs_inline_cut(&c->b, i, &c->a, 0);
	c->a.form = FS_FORM_CHUNKS;
	c->a.blocks = 0;
	if (!rc && had) {
		c->scratch = calloc(1, room);
		c->scratch_len = room;
		rc = c->scratch ? fs_inline_copy(i, c->scratch, had) : -ENOMEM;
		if (!rc && first) {
			memcpy(c->scratch + off, p, first);
			n = off + first > n ? (size_t)off + first : n;
		}
		if (!rc)
			rc = fs_bulk_write_first(&c->b, i, &c->a, 0, c->scratch, n);
		p = first ? p + first : p;
		off += first;
		len -= first;
	}
	if (!rc && len)
		rc = fs_bulk_write_first(&c->b, i, &c->a, off, p, len);
	return rc;
}

static int write_at(struct fs_content_change *c, uint64_t off, const uint8_t *p, size_t len)
{
	struct fs_inode *i = c->i;
	uint64_t size = off + len > i->size ? off + len : i->size;
	int rc;

	if (i->form == FS_FORM_CHUNKS) {
		rc = fs_bulk_write(&c->b, i, &c->a, off, p, len);
	} else if (size > FS_INLINE_MAX) {
		rc = convert(c, off, p, len);
	} else {
		c->a.form = FS_FORM_INLINE;
		rc = fs_inline_write(&c->b, i, &c->a, off, p, len);
	}
	c->a.size = size;
	if (c->a.form == FS_FORM_INLINE)
		c->a.blocks = fs_inline_blocks(&c->a);
	return rc;
}

/*
 * A batch that changes a chunk of the open group in place can't be applied when that group closed and
 * was committed in between (-EAGAIN from fs_group_apply): nothing has happened then, and the change is
 * built again.
 */
static int write_once(struct fs_inode *i, uint64_t off, bool append, const uint8_t *p, size_t len,
		      struct fs_actor *who, uint64_t *at)
{
	struct fs_content_change c;
	int rc = fs_content_begin(&c, i, who);

	if (!rc)
		rc = file_only(i);
	if (!rc && append)
		off = i->size;
	if (!rc && len && (off >= FS_SIZE_MAX || len > FS_SIZE_MAX - off))
		rc = -EFBIG;
	if (!rc && len)
		rc = fs_history_begin(&c);
	if (!rc && len) {
		rc = write_at(&c, off, p, len);
		touch(&c);
	}
	if (!rc && !len) {
		fs_content_end(&c, -ECANCELED); /* nothing to store, nothing to report */
	} else {
		rc = fs_content_end(&c, rc);
	}
	if (!rc && at)
		*at = off;
	return rc;
}

int fs_content_write(struct fs_inode *i, uint64_t off, bool append, const uint8_t *p, size_t len,
		     struct fs_actor *who, uint64_t *at)
{
	int rc;

	do
		rc = write_once(i, off, append, p, len, who, at);
	while (fs_history_again(i, &rc));
	return rc;
}

/* The file ends at size; times are the caller's. */
static int resize(struct fs_content_change *c, uint64_t size)
{
	struct fs_inode *i = c->i;
	int rc = 0;

	if (size > FS_SIZE_MAX)
		return -EFBIG;
	if (i->form == FS_FORM_CHUNKS) {
		rc = fs_bulk_cut(&c->b, i, &c->a, size);
	} else if (size > FS_INLINE_MAX) {
		rc = convert(c, 0, NULL, 0);
	} else {
		rc = size < i->size ? fs_inline_cut(&c->b, i, &c->a, size) : 0;
		c->a.form = FS_FORM_INLINE;
	}
	c->a.size = size;
	if (!size)
		c->a.form = FS_FORM_NONE;
	if (c->a.form != FS_FORM_CHUNKS)
		c->a.blocks = fs_inline_blocks(&c->a);
	return rc;
}

int fs_content_truncate(struct fs_inode *i, uint64_t size, struct fs_actor *who)
{
	struct fs_content_attr set = {.size = &size};

	return fs_content_setattr(i, &set, who);
}

static int setattr_once(struct fs_inode *i, const struct fs_content_attr *set, struct fs_actor *who)
{
	struct fs_content_change c;
	int rc = fs_content_begin(&c, i, who);

	if (!rc && set->size) {
		rc = file_only(i);
		if (!rc && *set->size != i->size)
			rc = fs_history_begin(&c);
		if (!rc)
			rc = resize(&c, *set->size);
		touch(&c);
	}
	if (set->owner)
		end_setuid(&c.a);
	if (set->mode)
		c.a.mode = (c.a.mode & S_IFMT) | (*set->mode & 07777);
	if (set->atime)
		c.a.atime = *set->atime;
	if (set->mtime)
		c.a.mtime = *set->mtime;
	c.a.ctime = set->ctime ? *set->ctime : who->now;
	return fs_content_end(&c, rc);
}

int fs_content_setattr(struct fs_inode *i, const struct fs_content_attr *set, struct fs_actor *who)
{
	bool settled = false;
	int rc;

	do {
		rc = setattr_once(i, set, who);
		if (rc != -ENOSPC || !set->size || settled)
			continue;
		/* As for removals: a full disk must let itself be emptied (tree_remove.c). */
		settled = true;
		if (!fs_group_sync(fs_records_group(fs_journal_records(i->journal)), 0))
			rc = -EAGAIN;
	} while (fs_history_again(i, &rc));
	return rc;
}

static int read_parts(struct fs_inode *i, uint64_t off, size_t len, struct fs_iov *iov)
{
	if (len > FS_CONTENT_READ_MAX)
		len = FS_CONTENT_READ_MAX;
	if (off >= i->size)
		return 0;
	if (len > i->size - off)
		len = (size_t)(i->size - off);
	if (i->form == FS_FORM_CHUNKS)
		return fs_bulk_read(i, off, len, iov);
	return fs_inline_read(i, off, len, iov);
}

int fs_content_read(struct fs_inode *i, uint64_t off, size_t len,
		    int (*fn)(void *ctx, const struct iovec *iov, int n, size_t len), void *ctx)
{
	struct fs_iov iov = {.n = 0};
	int rc;

	if (fs_history_tree_is(i->ino))
		return fs_history_tree_read(i, off, len, fn, ctx);
	pthread_rwlock_rdlock(&i->lock);
	rc = i->deleted ? -ESTALE : file_only(i);
	if (!rc)
		rc = read_parts(i, off, len, &iov);
	if (!rc)
		rc = fn(ctx, iov.v, iov.n, iov.len);
	pthread_rwlock_unlock(&i->lock);
	fs_iov_clear(&iov);
	return rc;
}

int fs_content_seek(struct fs_inode *i, uint64_t off, bool data, uint64_t *out)
{
	int rc;

	if (fs_history_tree_is(i->ino))
		return fs_history_tree_seek(i, off, data, out);
	pthread_rwlock_rdlock(&i->lock);
	rc = file_only(i);
	if (!rc && i->form == FS_FORM_CHUNKS)
		rc = fs_bulk_seek(i, off, data, out);
	else if (!rc)
		rc = fs_inline_seek(i, off, data, out);
	pthread_rwlock_unlock(&i->lock);
	return rc;
}

void fs_content_stat(struct fs_inode *i, struct stat *st)
{
	memset(st, 0, sizeof(*st));
	if (fs_history_tree_is(i->ino))
		fs_history_tree_refresh(i);
	pthread_rwlock_rdlock(&i->lock);
	st->st_ino = fs_inode_nodeid(i);
	st->st_mode = i->mode;
	st->st_nlink = i->nlink;
	st->st_size = (off_t)i->size;
	st->st_blocks = (blkcnt_t)i->blocks;
	st->st_blksize = FS_CONTENT_BLKSIZE;
	st->st_atim = i->atime;
	st->st_mtim = i->mtime;
	st->st_ctim = i->ctime;
	pthread_rwlock_unlock(&i->lock);
}

/* ---- allocate ---- */

enum range_act { RANGE_ZERO, RANGE_FILL };

/* Room for what filling may need, before the first of several batches. */
static int check_room(struct fs_inode *i, uint64_t len)
{
	struct fs_container *c = fs_journal_container(i->journal);
	uint64_t units = len / FS_UNIT + 2;
	int rc;

	if (len <= FS_INLINE_MAX)
		return 0;
	if (!c)
		return -EIO;
	rc = fs_container_reserve(c, units);
	if (!rc)
		fs_container_unreserve(c, units);
	return rc;
}

/* One batch of zeroing or filling [*off, end) below the end of file; moves *off on. */
static int range_once(struct fs_inode *i, enum range_act act, uint64_t *off, uint64_t end,
		      struct fs_actor *who)
{
	struct fs_content_change c;
	int rc = fs_content_begin(&c, i, who);
	uint64_t stop = end < i->size ? end : i->size, next = end;

	if (!rc && *off < stop)
		rc = fs_history_begin(&c);
	if (!rc && *off < stop && i->form == FS_FORM_CHUNKS) {
		rc = act == RANGE_ZERO ? fs_bulk_zero(&c.b, i, &c.a, *off, stop, &next)
				       : fs_bulk_fill(&c.b, i, &c.a, *off, stop, &next);
		next = next == stop ? end : next;
	} else if (!rc && *off < stop) {
		rc = act == RANGE_ZERO ? fs_inline_zero(&c.b, i, &c.a, *off, stop - *off)
				       : fs_inline_fill(&c.b, i, &c.a, *off, stop - *off);
		c.a.blocks = fs_inline_blocks(&c.a);
	}
	touch(&c);
	rc = fs_content_end(&c, rc);
	if (!rc)
		*off = next;
	return rc;
}

static int range_step(struct fs_inode *i, enum range_act act, uint64_t *off, uint64_t end,
		      struct fs_actor *who)
{
	int rc;

	do
		rc = range_once(i, act, off, end, who);
	while (fs_history_again(i, &rc));
	return rc;
}

/* The file grows to at least size; decided under the lock. */
static int grow_once(struct fs_inode *i, uint64_t size, struct fs_actor *who)
{
	struct fs_content_change c;
	int rc = fs_content_begin(&c, i, who);

	if (!rc && size > i->size) {
		rc = fs_history_begin(&c);
		if (!rc)
			rc = resize(&c, size);
		touch(&c);
	}
	return fs_content_end(&c, rc);
}

static int grow(struct fs_inode *i, uint64_t size, struct fs_actor *who)
{
	int rc;

	do
		rc = grow_once(i, size, who);
	while (fs_history_again(i, &rc));
	return rc;
}

int fs_content_allocate(struct fs_inode *i, int mode, uint64_t off, uint64_t len,
			struct fs_actor *who)
{
	enum range_act act = mode & ~FALLOC_FL_KEEP_SIZE ? RANGE_ZERO : RANGE_FILL;
	uint64_t end = off + len;
	int rc;

	if (mode & ~(FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE) ||
	    mode == FALLOC_FL_PUNCH_HOLE ||
	    (mode & FALLOC_FL_PUNCH_HOLE && mode & FALLOC_FL_ZERO_RANGE))
		return -EOPNOTSUPP;
	pthread_rwlock_rdlock(&i->lock);
	rc = file_only(i);
	pthread_rwlock_unlock(&i->lock);
	if (rc)
		return rc;
	if (!len)
		return -EINVAL;
	if (end < off || end > FS_SIZE_MAX)
		return -EFBIG;
	if (act == RANGE_FILL)
		rc = check_room(i, len);
	if (!rc && !(mode & FALLOC_FL_KEEP_SIZE))
		rc = grow(i, end, who);
	while (!rc && off < end)
		rc = range_step(i, act, &off, end, who);
	return rc;
}
