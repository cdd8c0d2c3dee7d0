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

#define FILL_CHUNKS 256u  /* of zeros in one batch: they lie in memory until sealed */
#define ZERO_CHUNKS 4096u /* holes made in one batch */
#define CHUNK_BLOCKS (FS_CHUNK / 512)

static uint32_t chunk_at(uint64_t off)
{
	return (uint32_t)(off / FS_CHUNK);
}

/* Chunks that a file, or a range up to here, reaches into. */
static uint32_t chunks_of(uint64_t size)
{
	return (uint32_t)((size + FS_CHUNK - 1) / FS_CHUNK);
}

/* Chunks of [lo, hi) that exist; none do beyond the file's end. */
static int count(const struct fs_inode *i, uint32_t lo, uint32_t hi, uint64_t *n)
{
	if (hi > chunks_of(i->size))
		hi = chunks_of(i->size);
	*n = 0;
	return lo < hi ? fs_chunk_count(i->journal, i->ino, lo, hi, n) : 0;
}

static int read_holes(size_t len, struct fs_iov *out)
{
	int rc = 0;

	while (!rc && len) {
		size_t n = len < FS_IOV_ZEROS ? len : FS_IOV_ZEROS;

		rc = fs_iov_add_zero(out, n);
		len -= n;
	}
	return rc;
}

int fs_bulk_read(struct fs_inode *i, uint64_t off, size_t len, struct fs_iov *out)
{
	uint32_t lo = chunk_at(off), hi = chunks_of(off + len);
	struct fs_buf *buf = NULL;
	int rc;

	if (!len)
		return 0;
	/* A part of one chunk: its neighbors in it are likely to be asked for next. */
	if (hi - lo == 1 && len < FS_CHUNK)
		rc = fs_chunk_get(i->journal, i->ino, lo, &buf);
	else
		rc = fs_chunk_read(i->journal, i->ino, lo, hi - lo, &buf);
	if (rc)
		return rc == -ENODATA ? read_holes(len, out) : rc;
	return fs_iov_add(out, buf, buf->data, buf->len, (size_t)(off % FS_CHUNK), len);
}

int fs_bulk_write(struct fs_batch *b, const struct fs_inode *i, struct fs_inode_attr *a,
		  uint64_t off, const uint8_t *p, size_t len)
{
	uint32_t lo = chunk_at(off), hi = chunks_of(off + len);
	uint64_t old = 0;
	int rc = count(i, lo, hi, &old);

	if (!rc)
		rc = fs_bulk_write_first(b, i, a, off, p, len);
	if (!rc)
		a->blocks -= old * CHUNK_BLOCKS;
	return rc;
}

int fs_bulk_write_first(struct fs_batch *b, const struct fs_inode *i, struct fs_inode_attr *a,
			uint64_t off, const uint8_t *p, size_t len)
{
	uint32_t lo = chunk_at(off), hi = chunks_of(off + len);
	int rc = fs_chunk_write(i->journal, b, i->ino, lo, (uint32_t)(off % FS_CHUNK), p, len);

	if (!rc)
		a->blocks += (uint64_t)(hi - lo) * CHUNK_BLOCKS;
	return rc;
}

int fs_bulk_cut(struct fs_batch *b, const struct fs_inode *i, struct fs_inode_attr *a,
		uint64_t size)
{
	uint64_t gone = a->blocks / CHUNK_BLOCKS;
	int rc = 0;

	if (size >= i->size)
		return 0;
	if (size)
		rc = count(i, chunks_of(size), chunks_of(i->size), &gone);
	if (!rc)
		rc = fs_chunk_truncate(i->journal, b, i->ino, size);
	if (!rc)
		a->blocks -= gone * CHUNK_BLOCKS;
	return rc;
}

/* The part of an existing chunk from off on, up to end at most, becomes zero. */
static int zero_part(struct fs_batch *b, const struct fs_inode *i, uint64_t off, uint64_t end)
{
	uint64_t there;
	int rc = count(i, chunk_at(off), chunk_at(off) + 1, &there);

	if (rc || !there)
		return rc;
	return fs_chunk_write(i->journal, b, i->ino, chunk_at(off), (uint32_t)(off % FS_CHUNK),
			      fs_iov_zeros, (size_t)(end - off));
}

int fs_bulk_zero(struct fs_batch *b, const struct fs_inode *i, struct fs_inode_attr *a,
		 uint64_t off, uint64_t end, uint64_t *next)
{
	uint64_t first = chunks_of(off), last = chunk_at(end), at, gone = 0;
	int rc = 0;

	if (end >= i->size) /* what the last chunk has beyond the end of file is zero already */
		last = chunks_of(end);
	if (first > last || (first == last && off % FS_CHUNK)) {
		/* within one chunk, or only the beginning of the range is in a chunk that stays */
		at = off % FS_CHUNK && first * FS_CHUNK < end ? first * FS_CHUNK : end;
		*next = at;
		return zero_part(b, i, off, at);
	}
	if (off % FS_CHUNK)
		rc = zero_part(b, i, off, first * FS_CHUNK);
	at = first;
	if (!rc && first < last)
		rc = fs_chunk_punch(i->journal, b, i->ino, first, last, ZERO_CHUNKS, &at, &gone);
	if (rc)
		return rc;
	a->blocks -= gone * CHUNK_BLOCKS;
	if (at < last) {
		*next = at * FS_CHUNK;
		return 0;
	}
	*next = end;
	return last * FS_CHUNK < end ? zero_part(b, i, last * FS_CHUNK, end) : 0;
}

int fs_bulk_fill(struct fs_batch *b, const struct fs_inode *i, struct fs_inode_attr *a,
		 uint64_t off, uint64_t end, uint64_t *next)
{
	uint32_t n = chunk_at(off), stop = chunks_of(end), hole = 0, data = 0;
	unsigned done = 0;
	int rc = 0;

	while (n < stop && done < FILL_CHUNKS) {
		uint64_t from, to;

		rc = fs_chunk_seek(i->journal, i->ino, n, stop, false, &hole);
		if (rc)
			break;
		if (stop - hole > FILL_CHUNKS - done)
			data = hole + (FILL_CHUNKS - done);
		else
			data = stop;
		rc = fs_chunk_seek(i->journal, i->ino, hole, data, true, &data);
		if (rc && rc != -ENXIO)
			return rc;
		if (data - hole > FS_IOV_ZEROS / FS_CHUNK)
			data = hole + FS_IOV_ZEROS / FS_CHUNK;
		from = (uint64_t)hole * FS_CHUNK;
		to = (uint64_t)data * FS_CHUNK < i->size ? (uint64_t)data * FS_CHUNK : i->size;
		rc = fs_bulk_write_first(b, i, a, from, fs_iov_zeros, (size_t)(to - from));
		if (rc)
			return rc;
		done += data - hole;
		n = data;
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
	rc = fs_chunk_seek(i->journal, i->ino, chunk_at(off), chunks_of(i->size), data, &found);
	if (rc == -ENXIO && !data) {
		*out = i->size;
		return 0;
	}
	if (rc)
		return rc;
	*out = (uint64_t)found * FS_CHUNK > off ? (uint64_t)found * FS_CHUNK : off;
	return 0;
}
