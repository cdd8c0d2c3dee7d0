/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/chunk_pending.c - which chunks of a range exist: the groups' word first, then the map's.
 *
 * What a chunk holds is decided in this order: an entry in the open group, one in
 * the closing group (a tombstone is a hole), a cut in either group (a hole), the
 * committed chunk map. The groups are asked first, the map after, so that a commit
 * in between hides nothing; the caller's inode lock keeps the chunks as they are.
 */
#include <errno.h>

#include "chunk_impl.h"

int fs_chunk_pending_get(struct fs_journal *j, uint64_t ino, uint64_t lo, uint64_t hi,
			 struct fs_chunk_pending *p)
{
	struct fs_key from = fs_chunk_key(j, ino, (uint32_t)lo);
	struct fs_key to = fs_chunk_key_end(j, ino, FS_T_CHUNK, hi);
	struct fs_key cuts = fs_key(j->index, ino, FS_T_CUT);
	struct fs_key cuts_end = fs_chunk_key_end(j, ino, FS_T_CUT, hi);
	struct fs_key cut;
	int rc;

	*p = (struct fs_chunk_pending){.cut = UINT64_MAX};
	rc = fs_group_range(j->records->group, &from, &to, &p->e, &p->n);
	if (!rc && fs_group_first(j->records->group, &cuts, &cuts_end, &cut))
		p->cut = fs_key_sub(&cut, 4);
	return rc;
}

void fs_chunk_pending_clear(struct fs_chunk_pending *p)
{
	fs_group_range_free(p->e, p->n);
	*p = (struct fs_chunk_pending){.cut = UINT64_MAX};
}

enum fs_chunk_state fs_chunk_pending_state(const struct fs_chunk_pending *p, uint64_t n,
					   struct fs_buf **buf)
{
	size_t lo = 0, hi = p->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		uint64_t at = fs_key_sub(&p->e[mid].key, 4);

		if (at == n) {
			if (buf)
				*buf = p->e[mid].buf;
			return p->e[mid].buf ? FS_CHUNK_DATA : FS_CHUNK_HOLE;
		}
		if (at < n)
			lo = mid + 1;
		else
			hi = mid;
	}
	return n >= p->cut ? FS_CHUNK_HOLE : FS_CHUNK_COMMITTED;
}

int fs_chunk_mask(struct fs_journal *j, uint64_t ino, uint64_t lo, uint64_t hi, uint64_t *mask)
{
	uint64_t found = 0, ask = 0, committed;
	struct fs_chunk_pending p;
	struct fs_buf *page;
	int rc = fs_chunk_pending_get(j, ino, lo, hi, &p);

	if (rc)
		return rc;
	for (uint64_t n = lo; n < hi; n++) {
		enum fs_chunk_state state = fs_chunk_pending_state(&p, n, NULL);

		found |= (uint64_t)(state == FS_CHUNK_DATA) << (n - lo);
		ask |= (uint64_t)(state == FS_CHUNK_COMMITTED) << (n - lo);
	}
	fs_chunk_pending_clear(&p);
	if (ask) {
		rc = fs_chunk_map_find(j, ino, (uint32_t)(lo / FS_MAP_ENTRIES), &page);
		if (rc)
			return rc;
		committed = fs_chunk_map_mask(page) >> lo % FS_MAP_ENTRIES;
		fs_buf_put(page);
		found |= committed & ask;
	}
	*mask = found;
	return 0;
}
