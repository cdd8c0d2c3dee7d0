/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/chunk.c - reading and changing the contents of larger files, chunk by chunk.
 *
 * What a chunk holds is decided in this order: an entry in the open group, one in
 * the closing group (a tombstone is a hole), a cut in either group (a hole), the
 * committed chunk map. The groups are asked first, the map after, so that a commit
 * in between hides nothing; the caller's inode lock keeps the chunk as it is.
 *
 * A hole is never an all-zero block: it is the absence of a map entry, which the
 * tag tree proves. Stored chunks are whole units, zero beyond the file's end.
 */
#include <errno.h>
#include <stdlib.h>

#include "chunk_impl.h"

/* ---- reading ---- */

/* Is chunk n, which no group holds, dropped by a cut? 1, 0 or an error. */
static int is_cut(struct fs_journal *j, uint64_t ino, uint32_t n)
{
	struct fs_key from = fs_key(j->index, ino, FS_T_CUT);
	struct fs_key to = n == UINT32_MAX ? fs_key(j->index, ino, FS_T_CUT + 1)
					   : fs_chunk_cut_key(j, ino, n + 1);
	struct fs_group_entry *e = NULL;
	size_t count = 0;
	int rc = fs_group_range(j->records->group, &from, &to, &e, &count);

	if (rc)
		return rc;
	fs_group_range_free(e, count);
	return count > 0;
}

static int read_sealed(struct fs_journal *j, uint64_t ino, uint32_t n, const struct fs_map_entry *e,
		       struct fs_buf **out)
{
	uint8_t ad[FS_CHUNK_AD_LEN];
	struct fs_container *c;
	struct fs_buf *buf;
	int rc = fs_journal_units(j, &c);

	if (rc)
		return rc;
	buf = fs_buf_new((size_t)e->units * FS_UNIT);
	if (!buf)
		return -ENOMEM;
	fs_chunk_ad(j, ino, n, ad);
	rc = fs_container_read(c, e->pos, buf->data, buf->len);
	if (!rc)
		rc = keys_unseal_chunk(j->keys->chunk, (struct keys_span){ad, sizeof(ad)},
				       buf->data, buf->len, buf->data, &e->seal);
	if (rc) {
		fs_buf_put(buf);
		return rc;
	}
	*out = buf;
	return 0;
}

static int read_committed(struct fs_journal *j, uint64_t ino, uint32_t n, struct fs_buf **out)
{
	struct fs_key key = fs_chunk_key(j, ino, n);
	struct fs_map_page page;
	int rc = fs_chunk_map_get(j, ino, n / FS_MAP_ENTRIES, &page);

	if (rc)
		return rc;
	if (!page.e[n % FS_MAP_ENTRIES].units)
		return -ENODATA;
	rc = read_sealed(j, ino, n, &page.e[n % FS_MAP_ENTRIES], out);
	if (rc == -EBADMSG)
		fs_record_report(j->records, &key);
	return rc;
}

int fs_chunk_get(struct fs_journal *j, uint64_t ino, uint32_t n, struct fs_buf **out)
{
	struct fs_records *r = j->records;
	struct fs_key key = fs_chunk_key(j, ino, n);
	struct fs_buf *buf;
	int rc;

	if (!j->keys)
		return -EINVAL;
	rc = fs_group_get(r->group, &key, out);
	if (rc)
		return rc == 1 ? 0 : rc == -ENOENT ? -ENODATA : rc;
	rc = is_cut(j, ino, n);
	if (rc)
		return rc == 1 ? -ENODATA : rc;
	buf = fs_chunk_cache_get(r->chunks, j->index, ino, n);
	if (!buf) {
		rc = read_committed(j, ino, n, &buf);
		if (rc)
			return rc;
		fs_chunk_cache_add(r->chunks, j->index, ino, n, buf);
	}
	*out = buf;
	return 0;
}

/* ---- changing ---- */

static int need_units(struct fs_journal *j, uint64_t ino, uint32_t n, size_t len)
{
	struct fs_container *c;
	int rc = fs_journal_units(j, &c);

	return rc ? rc : fs_chunk_space_need(j->space, c, ino, n, fs_chunk_units(len));
}

/* The batch's own last word on a key; NULL: none. */
static struct fs_batch_entry *in_batch(struct fs_batch *b, const struct fs_key *key)
{
	for (size_t i = b->n; i-- > 0;) {
		if (!fs_key_cmp(&b->e[i].key, key))
			return &b->e[i];
	}
	return NULL;
}

/* The open group's value with the batch's patches of it: a private copy. */
static int replay_patches(struct fs_journal *j, struct fs_batch *b, const struct fs_key *key,
			  struct fs_buf **out)
{
	struct fs_buf *old, *buf;
	size_t len;

	if (fs_group_get(j->records->group, key, &old) != 1)
		return -ENODATA;
	len = old->len;
	for (size_t i = 0; i < b->n; i++) {
		const struct fs_batch_entry *e = &b->e[i];

		if (!fs_key_cmp(&e->key, key) && e->patch_off + e->patch_len > len)
			len = e->patch_off + e->patch_len;
	}
	buf = fs_buf_new(len);
	if (buf)
		memcpy(buf->data, old->data, old->len);
	fs_buf_put(old);
	for (size_t i = 0; buf && i < b->n; i++) {
		const struct fs_batch_entry *e = &b->e[i];

		if (!fs_key_cmp(&e->key, key))
			memcpy(buf->data + e->patch_off, e->patch, e->patch_len);
	}
	*out = buf;
	return buf ? 0 : -ENOMEM;
}

/* What chunk n holds once the batch so far is applied: 0 and a reference, or -ENODATA. */
static int get_in_batch(struct fs_journal *j, struct fs_batch *b, uint64_t ino, uint32_t n,
			struct fs_buf **out)
{
	struct fs_key key = fs_chunk_key(j, ino, n);
	struct fs_batch_entry *e = in_batch(b, &key);

	if (!e)
		return fs_chunk_get(j, ino, n, out);
	if (e->change == FS_DEL)
		return -ENODATA;
	if (!e->buf)
		return replay_patches(j, b, &key, out);
	*out = fs_buf_get(e->buf);
	return 0;
}

/* A private copy of the chunk with room for len bytes, the rest zero. */
static int copy_chunk(struct fs_journal *j, struct fs_batch *b, uint64_t ino, uint32_t n,
		      size_t len, struct fs_buf **out)
{
	struct fs_buf *old = NULL, *buf;
	int rc = get_in_batch(j, b, ino, n, &old);

	if (rc && rc != -ENODATA)
		return rc;
	buf = fs_buf_new(old && old->len > len ? old->len : len);
	if (buf && old)
		memcpy(buf->data, old->data, old->len);
	fs_buf_put(old);
	if (!buf)
		return -ENOMEM;
	*out = buf;
	return 0;
}

/* The open group's value is changed in place. -EAGAIN: it has none that could be. */
static int patch_open(struct fs_journal *j, struct fs_batch *b, uint64_t ino, uint32_t n,
		      uint32_t off, const uint8_t *p, uint32_t len)
{
	struct fs_group *g = j->records->group;
	struct fs_key key = fs_chunk_key(j, ino, n);
	struct fs_batch_entry *e = in_batch(b, &key);
	struct fs_buf *buf;
	size_t end = off + len;
	int rc;

	if (e ? e->change != FS_PATCH : !fs_group_has(g, &key))
		return -EAGAIN;
	if (fs_group_get(g, &key, &buf) != 1)
		return -EAGAIN;
	if (buf->len > end)
		end = buf->len;
	rc = need_units(j, ino, n, end);
	if (rc)
		fs_buf_put(buf);
	else
		fs_batch_patch_seen(b, j, &key, off, p, len, buf);
	return rc;
}

int fs_chunk_write(struct fs_journal *j, struct fs_batch *b, uint64_t ino, uint32_t n, uint32_t off,
		   const uint8_t *p, uint32_t len)
{
	struct fs_key key = fs_chunk_key(j, ino, n);
	struct fs_buf *buf;
	int rc;

	if (!j->keys || off > FS_CHUNK || len > FS_CHUNK - off)
		return -EINVAL;
	if (!len)
		return 0;
	if (len < FS_CHUNK) {
		rc = patch_open(j, b, ino, n, off, p, len);
		if (rc != -EAGAIN)
			return rc;
		rc = copy_chunk(j, b, ino, n, off + len, &buf);
		if (rc)
			return rc;
	} else {
		buf = fs_buf_new(FS_CHUNK);
		if (!buf)
			return -ENOMEM;
	}
	memcpy(buf->data + off, p, len);
	rc = need_units(j, ino, n, buf->len);
	if (rc) {
		fs_buf_put(buf);
		return rc;
	}
	fs_batch_put_buf(b, j, &key, buf);
	return b->rc;
}

int fs_chunk_punch(struct fs_journal *j, struct fs_batch *b, uint64_t ino, uint32_t n)
{
	struct fs_key key = fs_chunk_key(j, ino, n);

	fs_batch_del(b, j, &key);
	return b->rc;
}

static bool all_zero(const uint8_t *p, size_t n)
{
	return !n || (!p[0] && !memcmp(p, p + 1, n - 1));
}

/* The chunk that holds the new end keeps only what lies before it. */
static int trim_edge(struct fs_journal *j, struct fs_batch *b, uint64_t ino, uint32_t n,
		     uint32_t len)
{
	struct fs_key key = fs_chunk_key(j, ino, n);
	struct fs_buf *old, *buf;
	int rc = get_in_batch(j, b, ino, n, &old);

	if (rc)
		return rc == -ENODATA ? 0 : rc;
	if (old->len <= len || all_zero(old->data + len, old->len - len)) {
		fs_buf_put(old);
		return 0;
	}
	buf = fs_buf_copy(old->data, len);
	fs_buf_put(old);
	if (!buf)
		return -ENOMEM;
	rc = need_units(j, ino, n, len);
	if (rc) {
		fs_buf_put(buf);
		return rc;
	}
	fs_batch_put_buf(b, j, &key, buf);
	return b->rc;
}

/* Tombstones for the chunks from n on that a group, or this batch, holds. */
static int drop_pending(struct fs_journal *j, struct fs_batch *b, uint64_t ino, uint32_t n)
{
	struct fs_key from = fs_chunk_key(j, ino, n), to = fs_key(j->index, ino, FS_T_CHUNK + 1);
	struct fs_group_entry *e = NULL;
	size_t count = 0, batched = b->n;
	int rc = fs_group_range(j->records->group, &from, &to, &e, &count);

	if (rc)
		return rc;
	for (size_t i = 0; i < count; i++) {
		if (e[i].buf)
			fs_batch_del(b, j, &e[i].key);
	}
	fs_group_range_free(e, count);
	for (size_t i = 0; i < batched; i++) {
		struct fs_key key = b->e[i].key;

		if (b->e[i].change != FS_DEL && fs_key_cmp(&key, &from) >= 0 &&
		    fs_key_cmp(&key, &to) < 0)
			fs_batch_del(b, j, &key);
	}
	return b->rc;
}

int fs_chunk_truncate(struct fs_journal *j, struct fs_batch *b, uint64_t ino, uint64_t size)
{
	uint64_t first = size / FS_CHUNK + (size % FS_CHUNK != 0);
	struct fs_key cut;
	int rc = 0;

	if (!j->keys)
		return -EINVAL;
	if (size % FS_CHUNK)
		rc = trim_edge(j, b, ino, (uint32_t)(first - 1), (uint32_t)(size % FS_CHUNK));
	if (rc || first > UINT32_MAX)
		return rc;
	rc = drop_pending(j, b, ino, (uint32_t)first);
	if (rc)
		return rc;
	cut = fs_chunk_cut_key(j, ino, (uint32_t)first);
	fs_batch_put(b, j, &cut, "", 1);
	return b->rc;
}

/* ---- seeking ---- */

/* The groups' word on the chunks of a range, taken before the map is read. */
struct pending {
	struct fs_group_entry *e;
	size_t n;
	uint32_t cut; /* committed chunks from here on are gone */
};

static int pending_get(struct fs_journal *j, uint64_t ino, uint32_t n, struct pending *p)
{
	struct fs_key from = fs_chunk_key(j, ino, n), mid = fs_key(j->index, ino, FS_T_CHUNK + 1);
	struct fs_key cuts = fs_key(j->index, ino, FS_T_CUT);
	struct fs_key to = fs_key(j->index, ino, FS_T_CUT + 1);
	struct fs_group_entry *e = NULL;
	size_t count = 0;
	int rc = fs_group_range(j->records->group, &from, &mid, &p->e, &p->n);

	if (!rc)
		rc = fs_group_range(j->records->group, &cuts, &to, &e, &count);
	p->cut = count ? (uint32_t)fs_key_sub(&e[0].key, 4) : UINT32_MAX;
	fs_group_range_free(e, count);
	return rc;
}

/* 1: data, 0: a hole, -1: the groups say nothing about chunk n. */
static int pending_state(const struct pending *p, uint32_t n)
{
	size_t lo = 0, hi = p->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		uint32_t at = (uint32_t)fs_key_sub(&p->e[mid].key, 4);

		if (at == n)
			return p->e[mid].buf != NULL;
		if (at < n)
			lo = mid + 1;
		else
			hi = mid;
	}
	return n >= p->cut ? 0 : -1;
}

/* The first chunk >= n in the groups that holds data; UINT64_MAX: none. */
static uint64_t pending_data(const struct pending *p, uint32_t n)
{
	for (size_t i = 0; i < p->n; i++) {
		uint32_t at = (uint32_t)fs_key_sub(&p->e[i].key, 4);

		if (at >= n && p->e[i].buf)
			return at;
	}
	return UINT64_MAX;
}

struct seek {
	const struct pending *p;
	uint32_t n, end;
	uint64_t found;
};

static int seek_page(void *ctx, const struct fs_key *key, struct fs_buf *buf)
{
	struct seek *s = ctx;
	uint64_t first = fs_key_sub(key, 4) * FS_MAP_ENTRIES;
	struct fs_map_page page;
	int rc = fs_chunk_map_decode(buf->data, buf->len, &page);

	for (unsigned i = 0; !rc && i < FS_MAP_ENTRIES; i++) {
		if (first + i >= s->end || first + i >= s->found)
			return 1;
		if (first + i < s->n || !page.e[i].units)
			continue;
		if (pending_state(s->p, (uint32_t)(first + i)) == -1) {
			s->found = first + i;
			return 1;
		}
	}
	return rc;
}

static int seek_data(struct fs_journal *j, uint64_t ino, const struct pending *p, uint32_t n,
		     uint32_t end, uint32_t *found)
{
	struct fs_key from = fs_key_n(j->index, ino, FS_T_MAP, n / FS_MAP_ENTRIES, 4);
	struct fs_key to = fs_key(j->index, ino, FS_T_MAP + 1);
	struct seek s = {p, n, end, pending_data(p, n)};
	int rc = fs_record_scan(j, &from, &to, seek_page, &s);

	if (rc)
		return rc;
	if (s.found >= end)
		return -ENXIO;
	*found = (uint32_t)s.found;
	return 0;
}

static int seek_hole(struct fs_journal *j, uint64_t ino, const struct pending *p, uint32_t n,
		     uint32_t end, uint32_t *found)
{
	struct fs_map_page page;
	uint64_t loaded = UINT64_MAX;

	for (; n < end; n++) {
		int state = pending_state(p, n);

		if (state == -1 && loaded != n / FS_MAP_ENTRIES) {
			int rc = fs_chunk_map_get(j, ino, n / FS_MAP_ENTRIES, &page);

			if (rc)
				return rc;
			loaded = n / FS_MAP_ENTRIES;
		}
		if (state == 0 || (state == -1 && !page.e[n % FS_MAP_ENTRIES].units)) {
			*found = n;
			return 0;
		}
	}
	return -ENXIO;
}

int fs_chunk_seek(struct fs_journal *j, uint64_t ino, uint32_t n, uint32_t end, bool data,
		  uint32_t *found)
{
	struct pending p = {.e = NULL};
	int rc;

	if (!j->keys)
		return -EINVAL;
	if (n >= end)
		return -ENXIO;
	rc = pending_get(j, ino, n, &p);
	if (!rc)
		rc = data ? seek_data(j, ino, &p, n, end, found)
			  : seek_hole(j, ino, &p, n, end, found);
	fs_group_range_free(p.e, p.n);
	return rc;
}
