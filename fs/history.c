/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/history.c - listing and reading earlier versions.
 *
 * A note's versions are, newest first: what it holds, its VERSION entries, then the
 * same of the inode that it was before. Everything of one inode is read under its lock,
 * shared, so that no save begins meanwhile; callbacks run without.
 *
 * A small version leans on the next one, that on the next: from the nearest that stands alone
 * one goes back. Chunks are read by fs/chunk_old.c.
 */
#include "history_impl.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include "bulk.h"
#include "chunk.h"
#include "inline.h"

/* ---- small versions ---- */

static int whole_bytes(struct fs_inode *i, const struct fs_history_entry *e, uint8_t *out)
{
	int rc = 0;

	memset(out, 0, (size_t)e->size);
	for (unsigned n = 0; !rc && n < FS_HISTORY_PIECES; n++) {
		struct fs_key key = fs_history_piece_key(i->journal, i->ino, e->version, n);
		const uint8_t *data;
		struct fs_buf *buf;
		size_t len;

		if (!(e->pieces >> n & 1))
			continue;
		rc = fs_record_get(i->journal, &key, &buf);
		if (rc)
			return rc == -ENOENT ? -EBADMSG : rc;
		rc = fs_inline_decode(buf->data, buf->len, &data, &len);
		if (!rc && (size_t)n * FS_PIECE + len > e->size)
			rc = -EBADMSG;
		if (!rc)
			memcpy(out + (size_t)n * FS_PIECE, data, len);
		fs_buf_put(buf);
	}
	return rc;
}

/* Which contents entry `at` leans on: another entry, or all->n: those of now; SIZE_MAX: none. */
static int leans_on(struct fs_inode *i, const struct fs_history_all *all, size_t at, size_t *on)
{
	const struct fs_history_entry *e = &all->e[at];
	size_t base = 0;
	int rc = e->kind == FS_HISTORY_DELTA ? fs_history_delta_base(e->data, e->len, &base) : 0;

	*on = SIZE_MAX;
	if (rc || !base)
		return rc;
	*on = at + 1;
	if (at + 1 == all->n)
		return fs_history_version_of(&i->attr) == e->version + 1 &&
				       i->form != FS_FORM_CHUNKS && i->size == base
			       ? 0
			       : -EBADMSG;
	return e[1].version == e->version + 1 && e[1].kind != FS_HISTORY_CHUNKS && e[1].size == base
		       ? 0
		       : -EBADMSG;
}

/* Of an entry that leans on base, or on nothing. */
static int one_step(struct fs_inode *i, const struct fs_history_entry *e, const uint8_t *base,
		    size_t base_len, uint8_t *out)
{
	return e->kind == FS_HISTORY_WHOLE ? whole_bytes(i, e, out)
					   : fs_history_delta_apply(e->data, e->len, base, base_len,
								    out, (size_t)e->size);
}

int fs_history_bytes(struct fs_inode *i, const struct fs_history_all *all, size_t at, uint8_t *out)
{
	struct fs_buf *have, *next, *swap;
	size_t top = at, on = at, len = 0;
	int rc;

	if (all->e[at].kind == FS_HISTORY_WHOLE)
		return whole_bytes(i, &all->e[at], out);
	have = fs_buf_raw(FS_INLINE_MAX);
	next = fs_buf_raw(FS_INLINE_MAX);
	rc = have && next ? 0 : -ENOMEM;
	while (!rc && on != SIZE_MAX && on < all->n) {
		top = on;
		rc = leans_on(i, all, top, &on);
	}
	if (!rc && on == all->n) {
		len = (size_t)i->size;
		rc = fs_inline_copy(i, have->data, len);
	}
	for (size_t n = top + 1; !rc && n-- > at;) {
		rc = one_step(i, &all->e[n], have->data, len, next->data);
		len = (size_t)all->e[n].size;
		swap = have;
		have = next;
		next = swap;
	}
	if (!rc)
		memcpy(out, have->data, len);
	fs_buf_put(have);
	fs_buf_put(next);
	return rc;
}

/* ---- listing ---- */

/* What one inode has, newest first. */
struct part {
	struct fs_history_version *v;
	size_t n;
	uint64_t before;
	uint32_t before_version;
};

static void add_version(struct part *p, const struct fs_inode *i, const struct fs_history_entry *e)
{
	p->v[p->n++] = (struct fs_history_version){.ino = i->ino,
						   .version = e->version,
						   .size = e->size,
						   .mtime = e->mtime,
						   .author = i->author,
						   .writer = e->writer};
}

/* Those up to number `most`; UINT32_MAX: i is the note as it is now. */
static int gather_locked(struct fs_inode *i, uint32_t most, struct part *p)
{
	struct fs_history_all all = {.n = 0};
	struct fs_history_entry now = {.version = fs_history_version_of(&i->attr),
				       .size = i->size,
				       .mtime = i->mtime,
				       .writer = i->writer};
	bool is_now = most == UINT32_MAX;
	int rc = 0;

	if (i->deleted)
		return -ESTALE;
	if (!S_ISREG(i->mode))
		return -EINVAL;
	if (i->before && i->before_version >= now.version)
		return -EBADMSG;
	p->before = i->before;
	p->before_version = i->before_version;
	if (now.version > 1)
		rc = fs_history_all_get(i->journal, i->ino, &all);
	if (rc)
		return rc;
	p->v = calloc(all.n + 1, sizeof(*p->v));
	if (!p->v)
		rc = -ENOMEM;
	/* An inode that is only another's past may hold nothing. */
	if (!rc && now.version <= most && (i->size || is_now)) {
		add_version(p, i, &now);
		p->v[0].now = is_now;
	}
	for (size_t n = all.n; !rc && n-- > 0;) {
		if (all.e[n].version <= most && all.e[n].version < now.version)
			add_version(p, i, &all.e[n]);
	}
	fs_history_all_clear(&all);
	return rc;
}

static int gather(struct fs_inode *i, uint32_t most, struct part *p)
{
	int rc;

	memset(p, 0, sizeof(*p));
	pthread_rwlock_rdlock(&i->lock);
	rc = gather_locked(i, most, p);
	pthread_rwlock_unlock(&i->lock);
	return rc;
}

/* 1: fn has had enough. */
static int give(struct fs_inode *i, uint32_t most, struct part *p,
		int (*fn)(void *ctx, const struct fs_history_version *v), void *ctx)
{
	int rc = gather(i, most, p);

	for (size_t n = 0; !rc && n < p->n; n++)
		rc = fn(ctx, &p->v[n]);
	free(p->v);
	return rc;
}

int fs_history_list(struct fs_inode *i, int (*fn)(void *ctx, const struct fs_history_version *v),
		    void *ctx)
{
	struct fs_journal *j = i->journal;
	uint32_t most = UINT32_MAX;
	struct part p;
	int rc;

	fs_inode_ref(i);
	do {
		struct fs_inode *before = NULL;

		rc = give(i, most, &p, fn, ctx);
		if (rc || !p.before)
			break;
		most = p.before_version;
		rc = fs_inode_get(j, p.before, &before);
		fs_inode_put(i);
		i = before;
	} while (!rc);
	fs_inode_put(i);
	/* -ENOENT: dropped through another note that had it as its past. Damage is never that. */
	return rc == 1 || rc == -ENOENT ? 0 : rc;
}

/* Version `version` of i itself, up to number `most` as in gather_locked; *before and *most for the
 * next. -ENOENT. */
static int find_locked(struct fs_inode *i, uint32_t version, uint32_t *most, uint64_t *before,
		       struct fs_history_version *out)
{
	struct part p = {.v = out};
	struct fs_history_all all = {.n = 0};
	uint32_t now = fs_history_version_of(&i->attr);
	bool is_now = *most == UINT32_MAX;
	size_t at;
	int rc;

	if (i->deleted)
		return -ESTALE;
	if (!S_ISREG(i->mode))
		return -EINVAL;
	if (i->before && i->before_version >= now)
		return -EBADMSG;
	*before = version <= i->before_version ? i->before : 0;
	if (version > *most || version > now || version <= i->before_version ||
	    (version == now && !i->size && !is_now)) {
		*most = i->before_version;
		return -ENOENT;
	}
	if (version == now) {
		*out = (struct fs_history_version){.ino = i->ino,
						   .version = now,
						   .now = is_now,
						   .size = i->size,
						   .mtime = i->mtime,
						   .author = i->author,
						   .writer = i->writer};
		return 0;
	}
	rc = fs_history_near_get(i->journal, i->ino, version, &all);
	at = rc ? 0 : fs_history_all_find(&all, version);
	if (!rc && at == all.n)
		rc = -ENOENT;
	if (!rc)
		add_version(&p, i, &all.e[at]);
	fs_history_all_clear(&all);
	return rc;
}

/* As the list has it, without making one. */
int fs_history_find(struct fs_inode *i, uint32_t version, struct fs_history_version *out)
{
	struct fs_journal *j = i->journal;
	uint32_t most = UINT32_MAX;
	uint64_t before;
	int rc;

	fs_inode_ref(i);
	do {
		struct fs_inode *next = NULL;

		before = 0;
		pthread_rwlock_rdlock(&i->lock);
		rc = find_locked(i, version, &most, &before, out);
		pthread_rwlock_unlock(&i->lock);
		if (rc != -ENOENT || !before)
			break;
		rc = fs_inode_get(j, before, &next);
		if (!rc) {
			fs_inode_put(i);
			i = next;
		}
	} while (!rc);
	fs_inode_put(i);
	return rc;
}

/* ---- one version ---- */

/* The inode that holds v, locked shared, and its entries (one: but for v's they may be missing);
 * *at: all.n for what it holds now. */
static int open_version(struct fs_journal *j, const struct fs_history_version *v, bool one,
			struct fs_inode **out, struct fs_history_all *all, size_t *at)
{
	struct fs_inode *i;
	int rc = fs_inode_get(j, v->ino, &i);

	memset(all, 0, sizeof(*all));
	if (rc)
		return rc;
	pthread_rwlock_rdlock(&i->lock);
	if (i->deleted || !S_ISREG(i->mode))
		rc = -ESTALE;
	if (!rc && fs_history_version_of(&i->attr) != v->version) {
		rc = one ? fs_history_near_get(j, v->ino, v->version, all)
			 : fs_history_all_get(j, v->ino, all);
		*at = fs_history_all_find(all, v->version);
		if (!rc && *at == all->n)
			rc = -ENOENT;
	} else {
		*at = 0;
	}
	if (rc) {
		fs_history_all_clear(all);
		pthread_rwlock_unlock(&i->lock);
		fs_inode_put(i);
		return rc;
	}
	*out = i;
	return 0;
}

static void close_version(struct fs_inode *i, struct fs_history_all *all)
{
	pthread_rwlock_unlock(&i->lock);
	fs_history_all_clear(all);
	fs_inode_put(i);
}

int fs_history_attr(struct fs_journal *j, const struct fs_history_version *v,
		    struct fs_inode_attr *out)
{
	struct fs_history_all all;
	struct fs_inode *i;
	size_t at;
	int rc = open_version(j, v, true, &i, &all, &at);

	if (rc)
		return rc;
	*out = i->attr;
	if (all.n) {
		const struct fs_history_entry *e = &all.e[at];

		out->mode = (i->mode & S_IFMT) | e->mode;
		out->size = e->size;
		out->blocks = e->blocks;
		out->mtime = e->mtime;
		out->ctime = e->ctime;
		out->writer = e->writer;
		out->version = e->version;
		out->form = e->kind == FS_HISTORY_CHUNKS ? FS_FORM_CHUNKS : FS_FORM_INLINE;
		out->pieces = e->pieces;
	}
	close_version(i, &all);
	return 0;
}

static int read_small(struct fs_inode *i, const struct fs_history_all *all, size_t at, uint64_t off,
		      size_t len, struct fs_iov *out)
{
	struct fs_buf *buf = fs_buf_raw((size_t)all->e[at].size);
	int rc = buf ? fs_history_bytes(i, all, at, buf->data) : -ENOMEM;

	if (rc) {
		fs_buf_put(buf);
		return rc;
	}
	return fs_iov_add(out, buf, buf->data, buf->len, (size_t)off, len);
}

/* Newest first: what lies between what the inode has now and entry at. */
static int read_chunks(struct fs_inode *i, const struct fs_history_all *all, size_t at,
		       uint64_t off, size_t len, struct fs_iov *out)
{
	struct fs_chunk_step *step = calloc(all->n - at, sizeof(*step));
	uint32_t lo = (uint32_t)(off / FS_CHUNK);
	uint32_t hi = (uint32_t)((off + len + FS_CHUNK - 1) / FS_CHUNK);
	struct fs_buf *buf = NULL;
	size_t n = 0;
	int rc;

	if (!step)
		return -ENOMEM;
	for (size_t k = all->n; k-- > at; n++) {
		bool chunks = k + 1 < all->n && all->e[k + 1].kind == FS_HISTORY_CHUNKS;

		step[n].version = all->e[k].version;
		step[n].chunks = all->e[k].kind == FS_HISTORY_CHUNKS;
		step[n].next = k + 1 == all->n ? UINT64_MAX
			       : chunks	       ? (all->e[k + 1].size + FS_CHUNK - 1) / FS_CHUNK
					       : 0;
	}
	rc = fs_chunk_read_old(i->journal, i->ino, step, n, lo, hi - lo, &buf);
	free(step);
	if (rc)
		return rc;
	return fs_iov_add(out, buf, buf->data, buf->len, (size_t)(off % FS_CHUNK), len);
}

int fs_history_read(struct fs_journal *j, const struct fs_history_version *v, uint64_t off,
		    size_t len, struct fs_iov *out)
{
	struct fs_history_all all;
	struct fs_inode *i;
	uint64_t size;
	size_t at;
	int rc = open_version(j, v, false, &i, &all, &at);

	if (rc)
		return rc;
	size = all.n ? all.e[at].size : i->size;
	if (len > FS_CONTENT_READ_MAX)
		len = FS_CONTENT_READ_MAX;
	if (off < size && len > size - off)
		len = (size_t)(size - off);
	if (off >= size || !len)
		rc = 0;
	else if (!all.n)
		rc = i->form == FS_FORM_CHUNKS ? fs_bulk_read(i, off, len, out)
					       : fs_inline_read(i, off, len, out);
	else if (all.e[at].kind == FS_HISTORY_CHUNKS)
		rc = read_chunks(i, &all, at, off, len, out);
	else
		rc = read_small(i, &all, at, off, len, out);
	close_version(i, &all);
	return rc;
}
