/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/chunk_keep.c - the committer's part of earlier versions: what goes from a chunk map stays in
 * OLD_MAP.
 *
 * With a KEEP in the group, map entries that the group replaces or cuts move to the
 * page of that version, as they are: a unit's seal names inode and number, which stay. What the
 * version has there already came first and is right; a chunk written into what was
 * a hole leaves a mark of that. A DROP frees what a version alone has. Implements
 * fs/FORMAT.md, "OLD_MAP". Committer only, but for the two that add to a batch.
 */
#include <errno.h>

#include "../keys/bytes.h"
#include "chunk_impl.h"

#define KEEP_LEN 17u

static void put_keep(struct fs_journal *j, struct fs_batch *b, uint64_t ino, uint32_t version,
		     uint64_t chunks, uint64_t used, bool drop)
{
	struct fs_key key = fs_key_n(j->index, ino, FS_T_KEEP, version, 4);
	uint8_t rec[KEEP_LEN];
	struct bytes_out out = bytes_out(rec, sizeof(rec));

	bytes_put_u64(&out, chunks);
	bytes_put_u64(&out, used);
	bytes_put_u8(&out, drop);
	fs_batch_put(b, j, &key, rec, sizeof(rec));
}

void fs_chunk_keep(struct fs_journal *j, struct fs_batch *b, uint64_t ino, uint32_t version,
		   uint64_t chunks, uint64_t used)
{
	put_keep(j, b, ino, version, chunks, used, false);
}

void fs_chunk_drop(struct fs_journal *j, struct fs_batch *b, uint64_t ino, uint32_t version)
{
	put_keep(j, b, ino, version, 0, 0, true);
}

bool fs_chunk_keep_entry(const struct fs_group_entry *e, struct fs_chunk_keep *k)
{
	struct bytes_in in;

	*k = (struct fs_chunk_keep){.version = (uint32_t)fs_key_sub(&e->key, 4)};
	if (!e->buf)
		return false;
	in = bytes_in(e->buf->data, e->buf->len);
	k->chunks = bytes_get_u64(&in);
	k->used = bytes_get_u64(&in);
	k->drop = bytes_get_u8(&in);
	return !in.bad;
}

struct fs_key fs_chunk_old_key(const struct fs_journal *j, uint64_t ino, uint32_t version,
			       uint32_t page_no)
{
	struct fs_key key = fs_key_n(j->index, ino, FS_T_OLD_MAP, version, 4);

	fs_key_add(&key, page_no, 4);
	return key;
}

int fs_chunk_old_get(struct fs_journal *j, uint64_t ino, uint32_t version, uint32_t page_no,
		     struct fs_map_page *page)
{
	struct fs_key key = fs_chunk_old_key(j, ino, version, page_no);
	struct fs_buf *buf = NULL;
	int rc = fs_record_committed(j, &key, &buf);

	if (rc) {
		memset(page, 0, sizeof(*page));
		return rc == -ENOENT ? 0 : rc;
	}
	rc = fs_chunk_old_decode(buf->data, buf->len, page);
	if (rc)
		fs_record_report(j->records, &key);
	fs_buf_put(buf);
	return rc;
}

int fs_chunk_old_load(struct fs_journal *j, uint64_t ino, const struct fs_chunk_keep *keep,
		      uint32_t page_no, struct fs_chunk_old *old)
{
	uint64_t base = (uint64_t)page_no * FS_MAP_ENTRIES;

	old->changed = false;
	old->key = fs_chunk_old_key(j, ino, keep->version, page_no);
	old->most = keep->chunks > base ? keep->chunks - base : 0;
	return old->most ? fs_chunk_old_get(j, ino, keep->version, page_no, &old->page) : 0;
}

/* Has the version no word of its own on entry i yet? */
static bool lacks(const struct fs_chunk_old *old, unsigned i)
{
	return i < old->most && !old->page.e[i].used && !old->page.e[i].hole;
}

bool fs_chunk_old_take(struct fs_chunk_old *old, unsigned i, struct fs_map_entry *e)
{
	if (!e->used || !lacks(old, i))
		return false;
	old->page.e[i] = *e;
	old->changed = true;
	memset(e, 0, sizeof(*e));
	return true;
}

void fs_chunk_old_hole(struct fs_chunk_old *old, unsigned i)
{
	if (!lacks(old, i))
		return;
	old->page.e[i].hole = true;
	old->changed = true;
}

int fs_chunk_old_put(const struct fs_chunk_old *old,
		     int (*put)(void *ctx, const struct fs_key *key, const void *p, size_t len),
		     void *ctx)
{
	uint8_t bytes[FS_VALUE_MAX];
	size_t len;

	if (!old->changed)
		return 0;
	len = fs_chunk_map_encode(&old->page, bytes);
	return put(ctx, &old->key, bytes, len);
}
