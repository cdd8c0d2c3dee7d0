/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/chunk_map.c - chunk map records: where the chunks of a file lie.
 *
 * A page covers FS_MAP_ENTRIES chunks; entries after the last chunk are left
 * out, a page without chunks is not stored. A hole is an entry of zeros or no
 * entry, authenticated as part of the record (or by its proved absence).
 * Format: fs/FORMAT.md, "Chunk map".
 */
#include <errno.h>

#include "../keys/bytes.h"
#include "chunk_impl.h"

#define POS_MAX (UINT64_C(1) << 40)

static bool decode_entry(struct bytes_in *in, struct fs_map_entry *e)
{
	static const uint8_t zeros[FS_MAP_ENTRY_LEN];
	const uint8_t *at = in->p + in->off;

	e->pos = bytes_get_le(in, 5);
	e->units = bytes_get_u8(in);
	if (bytes_get_u16(in))
		in->bad = true;
	bytes_get(in, e->seal.nonce, KEYS_SEAL_NONCE_LEN);
	bytes_get(in, e->seal.tag, KEYS_SEAL_TAG_LEN);
	bytes_get(in, e->seal.digest, KEYS_DIGEST_LEN);
	if (in->bad || e->units > FS_CHUNK_UNITS || e->pos > POS_MAX - FS_CHUNK_UNITS)
		return false;
	return e->units || !memcmp(at, zeros, FS_MAP_ENTRY_LEN);
}

int fs_chunk_map_decode(const uint8_t *p, size_t len, struct fs_map_page *page)
{
	struct bytes_in in = bytes_in(p, len);

	memset(page, 0, sizeof(*page));
	if (!len || len % FS_MAP_ENTRY_LEN || len / FS_MAP_ENTRY_LEN > FS_MAP_ENTRIES)
		return -EBADMSG;
	for (size_t i = 0; i < len / FS_MAP_ENTRY_LEN; i++) {
		if (!decode_entry(&in, &page->e[i]))
			return -EBADMSG;
	}
	return bytes_in_done(&in) ? 0 : -EBADMSG;
}

size_t fs_chunk_map_encode(const struct fs_map_page *page, uint8_t *p)
{
	struct bytes_out out = bytes_out(p, FS_VALUE_MAX);
	size_t n = FS_MAP_ENTRIES;

	while (n && !page->e[n - 1].units)
		n--;
	for (size_t i = 0; i < n; i++) {
		const struct fs_map_entry *e = &page->e[i];

		bytes_put_le(&out, e->pos, 5);
		bytes_put_u8(&out, e->units);
		bytes_put_u16(&out, 0);
		bytes_put(&out, e->seal.nonce, KEYS_SEAL_NONCE_LEN);
		bytes_put(&out, e->seal.tag, KEYS_SEAL_TAG_LEN);
		bytes_put(&out, e->seal.digest, KEYS_DIGEST_LEN);
	}
	return out.len;
}

int fs_chunk_map_get(struct fs_journal *j, uint64_t ino, uint32_t page_no, struct fs_map_page *page)
{
	struct fs_key key = fs_key_n(j->index, ino, FS_T_MAP, page_no, 4);
	struct fs_buf *buf;
	int rc = fs_record_committed(j, &key, &buf);

	if (rc == -ENOENT) {
		memset(page, 0, sizeof(*page));
		return 0;
	}
	if (rc)
		return rc;
	rc = fs_chunk_map_decode(buf->data, buf->len, page);
	fs_buf_put(buf);
	if (rc)
		fs_record_report(j->records, &key);
	return rc;
}

void fs_chunk_ad(struct fs_journal *j, uint64_t ino, uint32_t n, uint8_t ad[static FS_CHUNK_AD_LEN])
{
	struct bytes_out out = bytes_out(ad, FS_CHUNK_AD_LEN);

	bytes_put(&out, j->records->vault_id, KEYS_VAULT_ID_LEN);
	bytes_put_u32(&out, j->index);
	bytes_put_u64(&out, ino);
	bytes_put_u32(&out, n);
	bytes_put_u32(&out, j->generation);
}
