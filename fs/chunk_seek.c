/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/chunk_seek.c - where a file has chunks and where holes.
 *
 * Goes map page by map page (chunk_pending.c says what of a page exists); pages that
 * neither the groups nor the database know of are skipped over at once, so that a
 * sparse file costs what it holds, not what it spans.
 */
#include <errno.h>

#include "chunk_impl.h"

static uint64_t page_end(uint64_t n, uint64_t end)
{
	uint64_t to = (n / FS_MAP_ENTRIES + 1) * FS_MAP_ENTRIES;

	return to < end ? to : end;
}

static int first_key(void *ctx, const struct fs_key *key, struct fs_buf *buf)
{
	(void)buf;
	*(uint64_t *)ctx = fs_key_sub(key, 4);
	return 1;
}

/* The first chunk >= n, n the first of a page, of which groups or map say anything; else end. */
static int next_known(struct fs_journal *j, uint64_t ino, uint64_t n, uint64_t end, uint64_t *out)
{
	struct fs_key from = fs_chunk_key(j, ino, (uint32_t)n);
	struct fs_key to = fs_chunk_key_end(j, ino, FS_T_CHUNK, end), key;
	uint64_t page = UINT64_MAX / FS_MAP_ENTRIES, best = end;
	int rc;

	if (fs_group_first(j->records->group, &from, &to, &key))
		best = fs_key_sub(&key, 4);
	from = fs_key_n(j->index, ino, FS_T_MAP, n / FS_MAP_ENTRIES, 4);
	to = fs_chunk_key_end(j, ino, FS_T_MAP, (best + FS_MAP_ENTRIES - 1) / FS_MAP_ENTRIES);
	rc = fs_record_scan(j, &from, &to, first_key, &page);
	if (!rc)
		*out = page * FS_MAP_ENTRIES < best ? page * FS_MAP_ENTRIES : best;
	return rc;
}

static int seek_data(struct fs_journal *j, uint64_t ino, uint64_t n, uint64_t end, uint64_t *found)
{
	while (n < end) {
		uint64_t stop = page_end(n, end), mask;
		int rc = fs_chunk_mask(j, ino, n, stop, &mask);

		if (rc)
			return rc;
		if (mask) {
			*found = n + (unsigned)__builtin_ctzll(mask);
			return 0;
		}
		n = stop;
		rc = n < end ? next_known(j, ino, n, end, &n) : 0;
		if (rc)
			return rc;
	}
	return -ENXIO;
}

static int seek_hole(struct fs_journal *j, uint64_t ino, uint64_t n, uint64_t end, uint64_t *found)
{
	while (n < end) {
		uint64_t stop = page_end(n, end), mask;
		int rc = fs_chunk_mask(j, ino, n, stop, &mask);

		if (rc)
			return rc;
		n += (unsigned)__builtin_ctzll(~mask); /* a page has fewer than 64 */
		if (n < stop) {
			*found = n;
			return 0;
		}
	}
	return -ENXIO;
}

int fs_chunk_seek(struct fs_journal *j, uint64_t ino, uint32_t n, uint32_t end, bool data,
		  uint32_t *found)
{
	uint64_t at = 0;
	int rc;

	if (!atomic_load(&j->newest))
		return -EINVAL;
	rc = data ? seek_data(j, ino, n, end, &at) : seek_hole(j, ino, n, end, &at);
	if (!rc)
		*found = (uint32_t)at;
	return rc;
}

int fs_chunk_count(struct fs_journal *j, uint64_t ino, uint64_t lo, uint64_t hi, uint64_t *n)
{
	uint64_t sum = 0;

	if (!atomic_load(&j->newest))
		return -EINVAL;
	while (lo < hi) {
		uint64_t stop = page_end(lo, hi), mask;
		int rc = fs_chunk_mask(j, ino, lo, stop, &mask);

		if (rc)
			return rc;
		sum += (unsigned)__builtin_popcountll(mask);
		lo = stop;
		rc = lo < hi && !mask ? next_known(j, ino, lo, hi, &lo) : 0;
		if (rc)
			return rc;
	}
	*n = sum;
	return 0;
}
