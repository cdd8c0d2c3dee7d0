/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/chunk_old.c - reading chunks as they were in an earlier version.
 *
 * Where a chunk lies is decided from what there is now back to the version: the
 * map first, then the OLD_MAP of each version in between, newest first; the last
 * word counts. In this order a commit between two looks hides nothing: what it takes from the map
 * is in an OLD_MAP that is looked at after. The groups are not asked: what is
 * pending is always of the newest contents (fs/history_save.c), and what it will replace is still
 * in the map.
 *
 * Units may move meanwhile (chunk_again.c): what can't be opened is looked up again.
 * Locks: the caller's shared one of the inode.
 */
#include <errno.h>

#include "chunk_impl.h"

#define TRIES 100

struct look {
	struct fs_journal *j;
	struct fs_container *c;
	uint64_t ino;
	const struct fs_chunk_step *steps;
	size_t n;
};

/* The page as the last step sees it. */
static int old_page(const struct look *l, uint32_t page_no, struct fs_map_page *page)
{
	uint64_t base = (uint64_t)page_no * FS_MAP_ENTRIES;
	int rc = fs_chunk_map_get(l->j, l->ino, page_no, page);

	for (size_t k = 0; !rc && k < l->n; k++) {
		const struct fs_chunk_step *s = &l->steps[k];
		struct fs_map_page own = {.e[0].used = false};

		if (s->chunks)
			rc = fs_chunk_old_get(l->j, l->ino, s->version, page_no, &own);
		for (unsigned i = 0; !rc && i < FS_MAP_ENTRIES; i++) {
			if (own.e[i].used || own.e[i].hole || base + i >= s->next)
				page->e[i] = own.e[i];
		}
	}
	return rc;
}

static int read_one(const struct look *l, uint32_t n, const struct fs_map_entry *e, uint8_t *out)
{
	const struct fs_journal_key *key = fs_journal_key(l->j, e->generation);
	struct keys_chunk_seal seal = e->seal;
	uint8_t ad[FS_CHUNK_AD_LEN];
	struct keys_chunk c = {{ad, sizeof(ad)}, out, out, &seal};
	struct keys_chunk_opener o;
	int rc;

	if (!key)
		return -EBADMSG;
	rc = fs_container_read(l->c, e->pos, out, FS_CHUNK);
	if (rc)
		return rc;
	fs_chunk_ad(l->j, l->ino, n, e->generation, ad);
	keys_chunk_opener_init(&o, key->keys->chunk);
	rc = keys_chunk_open(&o, &c, 1, FS_CHUNK);
	keys_chunk_opener_clear(&o);
	return rc;
}

/* Chunk n of page; looks again while what the maps say changes. */
static int read_chunk(const struct look *l, uint32_t n, struct fs_map_page *page, uint8_t *out)
{
	unsigned i = n % FS_MAP_ENTRIES;
	int rc = -EBADMSG;

	for (unsigned k = 0; k < TRIES; k++) {
		struct fs_map_entry e = page->e[i];

		if (!e.used) {
			memset(out, 0, FS_CHUNK);
			return 0;
		}
		rc = read_one(l, n, &e, out);
		if (rc != -EBADMSG && rc != -EIO)
			return rc;
		/* A page that was read lately may have come out of the cache. */
		fs_chunk_cache_drop(l->j->records->maps, l->j->index, l->ino, n / FS_MAP_ENTRIES,
				    n / FS_MAP_ENTRIES);
		if (old_page(l, n / FS_MAP_ENTRIES, page))
			return rc;
		if (page->e[i].pos == e.pos && !memcmp(&page->e[i].seal, &e.seal, sizeof(e.seal)))
			break;
	}
	return rc;
}

static int read_all(const struct look *l, uint32_t lo, uint32_t count, uint8_t *out)
{
	struct fs_map_page page;
	int rc = 0;

	for (uint32_t k = 0; !rc && k < count; k++) {
		uint32_t n = lo + k;

		if (!k || n % FS_MAP_ENTRIES == 0)
			rc = old_page(l, n / FS_MAP_ENTRIES, &page);
		if (!rc)
			rc = read_chunk(l, n, &page, out + (size_t)k * FS_CHUNK);
	}
	return rc;
}

int fs_chunk_read_old(struct fs_journal *j, uint64_t ino, const struct fs_chunk_step *steps,
		      size_t n, uint32_t lo, uint32_t count, struct fs_buf **out)
{
	struct look l = {.j = j, .ino = ino, .steps = steps, .n = n};
	struct fs_key key = fs_key(j->index, ino, FS_T_OLD_MAP);
	struct fs_buf *buf;
	int rc;

	if (!atomic_load(&j->newest))
		return -EINVAL;
	rc = fs_journal_units(j, &l.c);
	if (rc)
		return rc;
	buf = fs_buf_raw((size_t)count * FS_CHUNK);
	if (!buf)
		return -ENOMEM;
	rc = read_all(&l, lo, count, buf->data);
	if (rc == -EBADMSG)
		fs_record_report(j->records, &key);
	if (rc) {
		fs_buf_put(buf);
		return rc;
	}
	*out = buf;
	return 0;
}
