/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/chunk_map.c - chunk map records: where the chunks of a file lie.
 *
 * A page covers FS_MAP_ENTRIES chunks; entries after the last chunk are left
 * out, a page without chunks is not stored. A hole is an entry of zeros or no
 * entry, authenticated as part of the record (or by its proved absence).
 * Pages that were read lately stay as their bytes, checked once, in a cache of
 * their own; an absent page is an empty one there.
 * Format: fs/FORMAT.md, "Chunk map".
 */
#include <errno.h>

#include "../keys/bytes.h"
#include "chunk_impl.h"

#define POS_MAX (UINT64_C(1) << 40)

enum { UNUSED = 0, USED = 1, HOLE = 2 };

static bool decode_entry(struct bytes_in *in, bool old, struct fs_map_entry *e)
{
	const uint8_t *at = in->p + in->off;
	uint8_t used, rest = 0;

	e->pos = bytes_get_le(in, 5);
	used = bytes_get_u8(in);
	e->used = used == USED;
	e->hole = used == HOLE;
	e->generation = 1u + bytes_get_u16(in);
	bytes_get(in, e->seal.nonce, KEYS_SEAL_NONCE_LEN);
	bytes_get(in, e->seal.digest, KEYS_DIGEST_LEN);
	if (in->bad || used > (old ? HOLE : USED) || e->pos >= POS_MAX)
		return false;
	for (unsigned i = 0; !e->used && i < FS_MAP_ENTRY_LEN; i++)
		rest |= i == FS_MAP_USED_AT ? 0 : at[i];
	return !rest;
}

static int decode(const uint8_t *p, size_t len, bool old, struct fs_map_page *page)
{
	struct bytes_in in = bytes_in(p, len);

	memset(page, 0, sizeof(*page));
	if (!len || len % FS_MAP_ENTRY_LEN || len / FS_MAP_ENTRY_LEN > FS_MAP_ENTRIES)
		return -EBADMSG;
	for (size_t i = 0; i < len / FS_MAP_ENTRY_LEN; i++) {
		if (!decode_entry(&in, old, &page->e[i]))
			return -EBADMSG;
	}
	return bytes_in_done(&in) ? 0 : -EBADMSG;
}

int fs_chunk_map_decode(const uint8_t *p, size_t len, struct fs_map_page *page)
{
	return decode(p, len, false, page);
}

int fs_chunk_old_decode(const uint8_t *p, size_t len, struct fs_map_page *page)
{
	return decode(p, len, true, page);
}

size_t fs_chunk_map_encode(const struct fs_map_page *page, uint8_t *p)
{
	struct bytes_out out = bytes_out(p, FS_VALUE_MAX);
	size_t n = FS_MAP_ENTRIES;

	while (n && !page->e[n - 1].used && !page->e[n - 1].hole)
		n--;
	for (size_t i = 0; i < n; i++) {
		const struct fs_map_entry *e = &page->e[i];

		bytes_put_le(&out, e->pos, 5);
		bytes_put_u8(&out, e->used ? USED : e->hole ? HOLE : UNUSED);
		bytes_put_u16(&out, (uint16_t)(e->used ? e->generation - 1 : 0));
		bytes_put(&out, e->seal.nonce, KEYS_SEAL_NONCE_LEN);
		bytes_put(&out, e->seal.digest, KEYS_DIGEST_LEN);
	}
	return out.len;
}

/* ---- reading ---- */

int fs_chunk_map_find(struct fs_journal *j, uint64_t ino, uint32_t page_no, struct fs_buf **out)
{
	struct fs_key key = fs_key_n(j->index, ino, FS_T_MAP, page_no, 4);
	struct fs_chunk_cache *cache = j->records->maps;
	struct fs_map_page page;
	uint64_t age;
	int rc = 0;

	*out = fs_chunk_cache_get(cache, j->index, ino, page_no, &age);
	if (*out)
		return 0;
	rc = fs_record_committed(j, &key, out);
	if (rc == -ENOENT) {
		*out = fs_buf_raw(0);
		rc = *out ? 0 : -ENOMEM;
	} else if (!rc) {
		rc = fs_chunk_map_decode((*out)->data, (*out)->len, &page);
		if (rc) {
			fs_record_report(j->records, &key);
			fs_buf_put(*out);
			*out = NULL; /* some callers keep it where they clean up */
		}
	}
	if (!rc)
		fs_chunk_cache_add(cache, j->index, ino, page_no, *out, age);
	return rc;
}

bool fs_chunk_map_entry(const struct fs_buf *page, unsigned i, struct fs_map_entry *e)
{
	struct bytes_in in = bytes_in(page->data, page->len);

	if (((size_t)i + 1) * FS_MAP_ENTRY_LEN > page->len)
		return false;
	bytes_take(&in, (size_t)i * FS_MAP_ENTRY_LEN);
	return decode_entry(&in, false, e) && e->used;
}

uint64_t fs_chunk_map_mask(const struct fs_buf *page)
{
	uint64_t mask = 0;

	for (size_t i = 0; i < page->len / FS_MAP_ENTRY_LEN; i++) {
		if (page->data[i * FS_MAP_ENTRY_LEN + FS_MAP_USED_AT])
			mask |= UINT64_C(1) << i;
	}
	return mask;
}

uint64_t fs_chunk_map_older(const struct fs_buf *page, uint32_t generation)
{
	uint64_t mask = 0;

	for (size_t i = 0; i < page->len / FS_MAP_ENTRY_LEN; i++) {
		const uint8_t *at = page->data + i * FS_MAP_ENTRY_LEN;
		struct bytes_in in = bytes_in(at + FS_MAP_GENERATION_AT, 2);

		if (at[FS_MAP_USED_AT] == USED && 1u + bytes_get_u16(&in) < generation)
			mask |= UINT64_C(1) << i;
	}
	return mask;
}

int fs_chunk_map_get(struct fs_journal *j, uint64_t ino, uint32_t page_no, struct fs_map_page *page)
{
	struct fs_buf *buf;
	int rc = fs_chunk_map_find(j, ino, page_no, &buf);

	if (rc)
		return rc;
	if (buf->len)
		rc = fs_chunk_map_decode(buf->data, buf->len, page);
	else
		memset(page, 0, sizeof(*page));
	fs_buf_put(buf);
	return rc;
}

void fs_chunk_ad(struct fs_journal *j, uint64_t ino, uint32_t n, uint32_t generation,
		 uint8_t ad[static FS_CHUNK_AD_LEN])
{
	struct bytes_out out = bytes_out(ad, FS_CHUNK_AD_LEN);

	bytes_put(&out, j->records->vault_id, KEYS_VAULT_ID_LEN);
	bytes_put_u32(&out, j->index);
	bytes_put_u64(&out, ino);
	bytes_put_u32(&out, n);
	bytes_put_u32(&out, generation);
}
