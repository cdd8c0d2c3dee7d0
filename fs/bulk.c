/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/bulk.c - ranges of bytes over chunks.
 *
 * Owns no state. Relies on two facts that fs_chunk keeps: nothing is stored beyond
 * a file's size, and an absent chunk is a hole.
 */
#include "bulk.h"

#include <errno.h>
#include "chunk.h"

#define FILL_CHUNKS 16u	  /* of zeros in one batch: they lie in memory until sealed */
#define ZERO_CHUNKS 1024u /* holes made in one batch */

struct part {
	uint32_t n, at, len;
};

static struct part part_at(uint64_t off, uint64_t len)
{
	struct part p = {.n = (uint32_t)(off / FS_CHUNK), .at = (uint32_t)(off % FS_CHUNK)};

	p.len = FS_CHUNK - p.at < len ? FS_CHUNK - p.at : (uint32_t)len;
	return p;
}

static uint32_t chunks_of(uint64_t size)
{
	return (uint32_t)((size + FS_CHUNK - 1) / FS_CHUNK);
}

/* Blocks that chunks [lo, hi) of a file of this size cover, were they all there. */
static uint64_t cover(uint32_t lo, uint32_t hi, uint64_t size)
{
	uint64_t from = (uint64_t)lo * FS_CHUNK, to = (uint64_t)hi * FS_CHUNK;

	if (to > size)
		to = size;
	return to <= from ? 0 : (to - from + 4095) / 4096 * 8;
}

/* The next run [*lo, *hi) of chunks that exist, at or after *lo and below end. -ENXIO: none. */
static int next_run(const struct fs_inode *i, uint32_t *lo, uint32_t end, uint32_t *hi)
{
	uint32_t at = 0, stop = 0;
	int rc = *lo < end ? fs_chunk_seek(i->journal, i->ino, *lo, end, true, &at) : -ENXIO;

	if (rc)
		return rc;
	rc = fs_chunk_seek(i->journal, i->ino, at, end, false, &stop);
	if (rc && rc != -ENXIO)
		return rc;
	*hi = rc ? end : stop;
	*lo = at;
	return 0;
}

/* Blocks that the existing chunks of [lo, hi) cover in a file of this size. */
static int count(const struct fs_inode *i, uint32_t lo, uint32_t hi, uint64_t size,
		 uint64_t *blocks)
{
	uint32_t stop = 0;
	uint64_t sum = 0;
	int rc;

	if (hi > chunks_of(i->size))
		hi = chunks_of(i->size);
	while (!(rc = next_run(i, &lo, hi, &stop))) {
		sum += cover(lo, stop, size);
		lo = stop;
	}
	if (rc != -ENXIO)
		return rc;
	*blocks = sum;
	return 0;
}

/* The difference that a change of size makes to the chunk that was the last, unless in [lo, hi). */
static int edge_change(const struct fs_inode *i, uint32_t lo, uint32_t hi, uint64_t size,
		       uint64_t *before, uint64_t *after)
{
	uint32_t last = chunks_of(i->size);
	int rc;

	*before = 0;
	*after = 0;
	if (!last || size == i->size || (last - 1 >= lo && last - 1 < hi))
		return 0;
	rc = count(i, last - 1, last, i->size, before);
	if (!rc && *before)
		*after = cover(last - 1, last, size);
	return rc;
}

int fs_bulk_read(struct fs_inode *i, uint64_t off, size_t len, struct fs_iov *out)
{
	int rc = 0;

	while (!rc && len) {
		struct part p = part_at(off, len);
		struct fs_buf *buf = NULL;

		rc = fs_chunk_get(i->journal, i->ino, p.n, &buf);
		if (!rc)
			rc = fs_iov_add(out, buf, buf->data, buf->len, p.at, p.len);
		else if (rc == -ENODATA)
			rc = fs_iov_add_zero(out, p.len);
		off += p.len;
		len -= p.len;
	}
	return rc;
}

static int put(struct fs_batch *b, const struct fs_inode *i, uint64_t off, const uint8_t *p,
	       size_t len)
{
	int rc = 0;

	while (!rc && len) {
		struct part part = part_at(off, len);

		rc = fs_chunk_write(i->journal, b, i->ino, part.n, part.at, p, part.len);
		off += part.len;
		p += part.len;
		len -= part.len;
	}
	return rc;
}

int fs_bulk_write(struct fs_batch *b, const struct fs_inode *i, struct fs_inode_attr *a,
		  uint64_t off, const uint8_t *p, size_t len, uint64_t size)
{
	uint32_t lo = (uint32_t)(off / FS_CHUNK), hi = chunks_of(off + len);
	uint64_t old = 0, before = 0, after = 0;
	int rc = count(i, lo, hi, i->size, &old);

	if (!rc)
		rc = edge_change(i, lo, hi, size, &before, &after);
	if (!rc)
		rc = put(b, i, off, p, len);
	if (!rc)
		a->blocks = a->blocks - old - before + after + cover(lo, hi, size);
	return rc;
}

int fs_bulk_write_first(struct fs_batch *b, const struct fs_inode *i, struct fs_inode_attr *a,
			uint64_t off, const uint8_t *p, size_t len, uint64_t size)
{
	int rc = put(b, i, off, p, len);

	if (!rc)
		a->blocks += cover((uint32_t)(off / FS_CHUNK), chunks_of(off + len), size);
	return rc;
}

int fs_bulk_cut(struct fs_batch *b, const struct fs_inode *i, struct fs_inode_attr *a,
		uint64_t size)
{
	uint32_t edge = (uint32_t)(size / FS_CHUNK), end = chunks_of(i->size);
	uint64_t old = 0, left = 0;
	int rc;

	if (size >= i->size) {
		rc = edge_change(i, 0, 0, size, &old, &left);
	} else if (!size) {
		old = a->blocks;
		rc = 0;
	} else {
		rc = count(i, edge, end, i->size, &old);
		if (!rc)
			rc = count(i, edge, edge + 1, size, &left);
	}
	if (!rc && size < i->size)
		rc = fs_chunk_truncate(i->journal, b, i->ino, size);
	if (!rc)
		a->blocks = a->blocks - old + left;
	return rc;
}

/* One part of an existing chunk becomes zero; end of file at i->size. */
static int zero_part(struct fs_batch *b, const struct fs_inode *i, struct fs_inode_attr *a,
		     struct part p)
{
	uint64_t start = (uint64_t)p.n * FS_CHUNK;

	if (p.at || (p.len < FS_CHUNK && start + p.len < i->size))
		return fs_chunk_write(i->journal, b, i->ino, p.n, p.at, fs_iov_zeros, p.len);
	a->blocks -= cover(p.n, p.n + 1, i->size);
	return fs_chunk_punch(i->journal, b, i->ino, p.n);
}

int fs_bulk_zero(struct fs_batch *b, const struct fs_inode *i, struct fs_inode_attr *a,
		 uint64_t off, uint64_t end, uint64_t *next)
{
	unsigned done = 0;
	int rc = 0;

	while (off < end && done < ZERO_CHUNKS) {
		uint32_t n = (uint32_t)(off / FS_CHUNK), found = 0;
		struct part p;

		rc = fs_chunk_seek(i->journal, i->ino, n, chunks_of(end), true, &found);
		if (rc)
			break;
		if (found > n)
			off = (uint64_t)found * FS_CHUNK;
		p = part_at(off, end - off);
		rc = zero_part(b, i, a, p);
		if (rc)
			return rc;
		off += p.len;
		done++;
	}
	if (rc == -ENXIO)
		off = end;
	else if (rc)
		return rc;
	*next = off;
	return 0;
}

int fs_bulk_fill(struct fs_batch *b, const struct fs_inode *i, struct fs_inode_attr *a,
		 uint64_t off, uint64_t end, uint64_t *next)
{
	uint32_t n = (uint32_t)(off / FS_CHUNK), stop = chunks_of(end), found = 0;
	unsigned done = 0;
	int rc = 0;

	for (; n < stop && done < FILL_CHUNKS; n++, done++) {
		struct part p;

		rc = fs_chunk_seek(i->journal, i->ino, n, stop, false, &found);
		if (rc)
			break;
		n = found;
		p = part_at((uint64_t)n * FS_CHUNK, i->size - (uint64_t)n * FS_CHUNK);
		rc = fs_chunk_write(i->journal, b, i->ino, n, 0, fs_iov_zeros, p.len);
		if (rc)
			return rc;
		a->blocks += cover(n, n + 1, i->size);
	}
	if (rc && rc != -ENXIO)
		return rc;
	*next = rc || n >= stop ? end : (uint64_t)n * FS_CHUNK;
	return 0;
}

int fs_bulk_seek(const struct fs_inode *i, uint64_t off, bool data, uint64_t *out)
{
	uint32_t found = 0;
	int rc;

	if (off >= i->size)
		return -ENXIO;
	rc = fs_chunk_seek(i->journal, i->ino, (uint32_t)(off / FS_CHUNK), chunks_of(i->size), data,
			   &found);
	if (rc == -ENXIO && !data) {
		*out = i->size;
		return 0;
	}
	if (rc)
		return rc;
	*out = (uint64_t)found * FS_CHUNK > off ? (uint64_t)found * FS_CHUNK : off;
	return 0;
}
