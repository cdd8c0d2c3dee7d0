/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/chunk_commit.c - the committer's part of contents: chunks into the container.
 *
 * For one journal of a closing group: settles the reservation for all its dirty
 * chunks, then inode by inode applies cuts and chunks to the map pages, sealing
 * every chunk once into a staging buffer that is written when it is full or its
 * units stop being contiguous. Freed and allocated units go into bitmap pages; at
 * the end the container is synced. On failure the caller takes all units back
 * (fs_container_aborted) and nothing else has changed.
 *
 * Committer thread only.
 */
#include <errno.h>
#include <stdlib.h>

#include "chunk_impl.h"

#define STAGE_LEN (1u << 20)
#define GROW_STEP 1024u /* units: growing the file until a contiguous run fits */

struct encode {
	struct fs_journal *j;
	struct fs_container *c;
	const struct fs_closing *closing;
	int (*put)(void *ctx, const struct fs_key *key, const void *p, size_t len);
	int (*del)(void *ctx, const struct fs_key *key);
	void *ctx;
	uint8_t *stage;
	size_t staged;
	uint64_t stage_pos; /* units */
};

/* The content entries of one inode. */
struct run {
	size_t first, end; /* FS_T_CHUNK entries in the closing group */
	uint64_t ino;
	uint64_t cut; /* committed chunks from here on go; UINT64_MAX: none */
};

static uint32_t chunk_no(const struct fs_group_entry *e)
{
	return (uint32_t)fs_key_sub(&e->key, 4);
}

/* ---- writing ---- */

static int flush(struct encode *x)
{
	struct iovec iov = {x->stage, x->staged};
	int rc = 0;

	if (x->staged)
		rc = fs_container_writev(x->c, x->stage_pos, &iov, 1);
	x->staged = 0;
	return rc;
}

/* Contiguous units; when the free ones lie scattered, the file grows until a run fits. */
static int alloc_units(struct encode *x, unsigned units, uint64_t *pos)
{
	uint64_t extra = 0, step = GROW_STEP;
	int rc = fs_container_alloc(x->c, units, pos);

	while (rc == -ENOSPC) {
		rc = fs_container_reserve(x->c, step);
		if (rc)
			break;
		extra += step;
		step += step / 8;
		rc = fs_container_alloc(x->c, units, pos);
	}
	fs_container_unreserve(x->c, extra);
	return rc;
}

/* Seals a dirty chunk into the stage and fills its map entry. */
static int place_chunk(struct encode *x, uint64_t ino, uint32_t n, const struct fs_buf *buf,
		       struct fs_map_entry *e)
{
	unsigned units = fs_chunk_units(buf->len);
	size_t len = (size_t)units * FS_UNIT;
	uint8_t ad[FS_CHUNK_AD_LEN], *at;
	uint64_t pos;
	int rc = alloc_units(x, units, &pos);

	if (rc)
		return rc;
	if (x->staged + len > STAGE_LEN || pos != x->stage_pos + x->staged / FS_UNIT) {
		rc = flush(x);
		if (rc)
			return rc;
		x->stage_pos = pos;
	}
	at = x->stage + x->staged;
	memcpy(at, buf->data, buf->len);
	memset(at + buf->len, 0, len - buf->len);
	x->staged += len;
	e->pos = pos;
	e->units = (uint8_t)units;
	fs_chunk_ad(x->j, ino, n, ad);
	return keys_seal_chunk(x->j->keys->chunk, (struct keys_span){ad, sizeof(ad)}, at, len, at,
			       &e->seal);
}

static void free_entry(struct encode *x, struct fs_map_entry *e)
{
	if (e->units)
		fs_container_free(x->c, e->pos, e->units);
	memset(e, 0, sizeof(*e));
}

/* ---- map pages ---- */

static int put_page(struct encode *x, uint64_t ino, uint32_t page_no,
		    const struct fs_map_page *page, bool existed)
{
	struct fs_key key = fs_key_n(x->j->index, ino, FS_T_MAP, page_no, 4);
	uint8_t bytes[FS_VALUE_MAX];
	size_t len = fs_chunk_map_encode(page, bytes);

	if (len)
		return x->put(x->ctx, &key, bytes, len);
	return existed ? x->del(x->ctx, &key) : 0;
}

static bool any_chunk(const struct fs_map_page *page)
{
	for (unsigned i = 0; i < FS_MAP_ENTRIES; i++) {
		if (page->e[i].units)
			return true;
	}
	return false;
}

/* One map page: the cut first, then the group's chunks first..end, all of this page. */
static int encode_page(struct encode *x, const struct run *r, uint32_t page_no, size_t first,
		       size_t end)
{
	uint64_t base = (uint64_t)page_no * FS_MAP_ENTRIES;
	struct fs_map_page page;
	bool existed, changed = false;
	int rc = fs_chunk_map_get(x->j, r->ino, page_no, &page);

	if (rc)
		return rc;
	existed = any_chunk(&page);
	for (unsigned i = 0; i < FS_MAP_ENTRIES; i++) {
		if (base + i < r->cut || !page.e[i].units)
			continue;
		free_entry(x, &page.e[i]);
		changed = true;
	}
	for (size_t i = first; !rc && i < end; i++) {
		const struct fs_group_entry *e = fs_closing_at(x->closing, i);
		struct fs_map_entry *m = &page.e[chunk_no(e) % FS_MAP_ENTRIES];

		changed |= m->units || (e->buf && e->buf->len);
		free_entry(x, m);
		if (e->buf && e->buf->len)
			rc = place_chunk(x, r->ino, chunk_no(e), e->buf, m);
	}
	return rc || !changed ? rc : put_page(x, r->ino, page_no, &page, existed);
}

struct cut_ctx {
	struct encode *x;
	const struct run *r;
};

/* True when the group has chunks of this page, which encode_page has dealt with. */
static bool page_in_group(const struct encode *x, const struct run *r, uint64_t page_no)
{
	size_t lo = r->first, hi = r->end;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		uint32_t at = chunk_no(fs_closing_at(x->closing, mid)) / FS_MAP_ENTRIES;

		if (at == page_no)
			return true;
		if (at < page_no)
			lo = mid + 1;
		else
			hi = mid;
	}
	return false;
}

/* A committed page that lies wholly beyond the cut. */
static int cut_page(void *ctx, const struct fs_key *key, struct fs_buf *buf)
{
	struct cut_ctx *c = ctx;
	struct fs_map_page page;
	int rc;

	if (page_in_group(c->x, c->r, fs_key_sub(key, 4)))
		return 0;
	rc = fs_chunk_map_decode(buf->data, buf->len, &page);
	if (rc)
		return rc;
	for (unsigned i = 0; i < FS_MAP_ENTRIES; i++)
		free_entry(c->x, &page.e[i]);
	return c->x->del(c->x->ctx, key);
}

static int encode_cut(struct encode *x, const struct run *r)
{
	uint64_t whole = (r->cut + FS_MAP_ENTRIES - 1) / FS_MAP_ENTRIES;
	uint32_t partial = (uint32_t)(r->cut / FS_MAP_ENTRIES);
	struct fs_key from = fs_key_n(x->j->index, r->ino, FS_T_MAP, whole, 4);
	struct fs_key to = fs_key(x->j->index, r->ino, FS_T_MAP + 1);
	struct cut_ctx ctx = {x, r};
	int rc = 0;

	if (whole != partial && !page_in_group(x, r, partial))
		rc = encode_page(x, r, partial, 0, 0);
	return rc ? rc : fs_record_scan(x->j, &from, &to, cut_page, &ctx);
}

static int encode_inode(struct encode *x, const struct run *r)
{
	size_t i = r->first, end;
	int rc = 0;

	for (; !rc && i < r->end; i = end) {
		uint32_t page_no = chunk_no(fs_closing_at(x->closing, i)) / FS_MAP_ENTRIES;

		for (end = i + 1; end < r->end; end++) {
			if (chunk_no(fs_closing_at(x->closing, end)) / FS_MAP_ENTRIES != page_no)
				break;
		}
		rc = encode_page(x, r, page_no, i, end);
	}
	if (!rc && r->cut != UINT64_MAX)
		rc = encode_cut(x, r);
	return rc;
}

/* ---- the journal ---- */

/*
 * All units that the group's chunks need are reserved before the first is taken. A chunk that is
 * dirty in the open group too may have relied on the reservation taken here: it gets its own.
 */
static int settle(struct encode *x, size_t first, size_t end)
{
	struct fs_group *g = x->j->records->group;
	uint64_t units = 0;

	for (size_t i = first; i < end; i++) {
		const struct fs_group_entry *e = fs_closing_at(x->closing, i);
		struct fs_buf *newer;

		if (fs_key_table(&e->key) != FS_T_CHUNK)
			continue;
		fs_chunk_space_take(x->j->space, fs_key_ino(&e->key), chunk_no(e));
		if (e->buf)
			units += fs_chunk_units(e->buf->len);
		if (!fs_group_has(g, &e->key) || fs_group_get(g, &e->key, &newer) != 1)
			continue;
		/* Without room the next commit asks again: the write was already taken. */
		fs_chunk_space_need(x->j->space, x->c, fs_key_ino(&e->key), chunk_no(e),
				    fs_chunk_units(newer->len));
		fs_buf_put(newer);
	}
	return fs_chunk_space_settle(x->j->space, x->c, units);
}

/* The next inode with contents at or after *at; false: none. Moves *at past it. */
static bool next_run(struct encode *x, size_t *at, size_t end, struct run *r)
{
	size_t i = *at;

	while (i < end && fs_key_table(&fs_closing_at(x->closing, i)->key) != FS_T_CHUNK &&
	       fs_key_table(&fs_closing_at(x->closing, i)->key) != FS_T_CUT)
		i++;
	if (i == end)
		return false;
	*r = (struct run){i, i, fs_key_ino(&fs_closing_at(x->closing, i)->key), UINT64_MAX};
	for (; i < end; i++) {
		const struct fs_group_entry *e = fs_closing_at(x->closing, i);

		if (fs_key_ino(&e->key) != r->ino)
			break;
		if (fs_key_table(&e->key) == FS_T_CHUNK)
			r->end = i + 1;
		else if (fs_key_table(&e->key) == FS_T_CUT && r->cut == UINT64_MAX)
			r->cut = chunk_no(e); /* in key order: the smallest */
	}
	*at = i;
	return true;
}

static int put_free_page(void *ctx, uint32_t page, const uint8_t *bits, size_t len)
{
	struct encode *x = ctx;
	struct fs_key key = fs_key_n(x->j->index, 0, FS_T_FREE, page, 4);

	return x->put(x->ctx, &key, bits, len);
}

int fs_chunk_encode(struct fs_journal *j, const struct fs_closing *closing, size_t first, size_t n,
		    int (*put)(void *ctx, const struct fs_key *key, const void *p, size_t len),
		    int (*del)(void *ctx, const struct fs_key *key), void *ctx)
{
	struct encode x = {.j = j, .closing = closing, .put = put, .del = del, .ctx = ctx};
	size_t at = first;
	struct run r;
	int rc = fs_journal_units(j, &x.c);

	if (rc)
		return rc;
	x.stage = calloc(1, STAGE_LEN);
	if (!x.stage)
		return -ENOMEM;
	rc = settle(&x, first, first + n);
	while (!rc && next_run(&x, &at, first + n, &r))
		rc = encode_inode(&x, &r);
	if (!rc)
		rc = flush(&x);
	if (!rc)
		rc = fs_container_dirty_pages(x.c, put_free_page, &x);
	if (!rc)
		rc = fs_container_sync(x.c);
	else
		keys_wipe(x.stage, STAGE_LEN); /* a chunk may stand there unsealed */
	free(x.stage);
	return rc;
}

void fs_chunk_committed(struct fs_records *r, const struct fs_key *key)
{
	uint32_t n = (uint32_t)fs_key_sub(key, 4);
	uint8_t table = fs_key_table(key);

	if (table == FS_T_CHUNK || table == FS_T_CUT)
		fs_chunk_cache_drop(r->chunks, fs_key_journal(key), fs_key_ino(key), n,
				    table == FS_T_CHUNK ? n : UINT32_MAX);
}
