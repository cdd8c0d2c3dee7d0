/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/inline.c - small notes as pieces. Implements fs/FORMAT.md, "PIECE".
 *
 * A changed piece is stored whole: it is one sealed record anyway. Padding makes
 * the stored length one of a few, so that it says little of the text.
 */
#include "inline.h"

#include <errno.h>
#include "../keys/bytes.h"
#include "../keys/seal.h"

#define PIECES (FS_INLINE_MAX / FS_PIECE)

struct piece {
	size_t len;
	uint8_t data[FS_PIECE];
};

/* The part of [off, off+len) that lies in piece n. */
struct part {
	unsigned n;
	size_t at, len;
};

static struct part part_at(uint64_t off, uint64_t len)
{
	struct part p = {.n = (unsigned)(off / FS_PIECE), .at = (size_t)(off % FS_PIECE)};

	p.len = FS_PIECE - p.at < len ? FS_PIECE - p.at : (size_t)len;
	return p;
}

static struct fs_key piece_key(const struct fs_inode *i, unsigned n)
{
	return fs_key_n(fs_journal_index(i->journal), i->ino, FS_T_PIECE, n, 2);
}

struct fs_buf *fs_inline_encode(const uint8_t *p, size_t len)
{
	size_t padded = keys_pad_len(2 + len);
	struct fs_buf *buf = fs_buf_new(padded > FS_PLAIN_MAX ? FS_PLAIN_MAX : padded);
	struct bytes_out out;

	if (!buf)
		return NULL;
	out = bytes_out(buf->data, buf->len);
	bytes_put_u16(&out, (uint16_t)len);
	bytes_put(&out, p, len);
	return buf;
}

int fs_inline_decode(const uint8_t *p, size_t len, const uint8_t **data, size_t *data_len)
{
	struct bytes_in in = bytes_in(p, len);
	size_t n = bytes_get_u16(&in);
	const uint8_t *at = bytes_take(&in, n);

	bytes_get_zero(&in, in.len - in.off);
	if (!bytes_in_done(&in) || !n || n > FS_PIECE)
		return -EBADMSG;
	*data = at;
	*data_len = n;
	return 0;
}

/* 0 and the record with its data; -ENODATA: a hole. */
static int piece_get(const struct fs_inode *i, unsigned n, struct fs_buf **buf,
		     const uint8_t **data, size_t *len)
{
	struct fs_key key = piece_key(i, n);
	struct fs_buf *got = NULL;
	int rc;

	if (!(i->pieces >> n & 1))
		return -ENODATA;
	rc = fs_record_get(i->journal, &key, &got);
	if (rc)
		return rc == -ENOENT ? -EBADMSG : rc; /* the inode says that it exists */
	rc = fs_inline_decode(got->data, got->len, data, len);
	if (rc)
		fs_buf_put(got);
	else
		*buf = got;
	return rc;
}

static int piece_load(const struct fs_inode *i, unsigned n, struct piece *p)
{
	const uint8_t *data = NULL;
	struct fs_buf *buf = NULL;
	int rc = piece_get(i, n, &buf, &data, &p->len);

	if (rc == -ENODATA) {
		p->len = 0;
		rc = 0;
	} else if (!rc) {
		memcpy(p->data, data, p->len);
		fs_buf_put(buf);
	}
	memset(p->data + p->len, 0, sizeof(p->data) - p->len);
	return rc;
}

static int piece_store(struct fs_batch *b, const struct fs_inode *i, struct fs_inode_attr *a,
		       unsigned n, const struct piece *p)
{
	struct fs_key key = piece_key(i, n);
	struct fs_buf *buf;

	if (!p->len) {
		if (a->pieces >> n & 1)
			fs_batch_del(b, i->journal, &key);
		a->pieces &= (uint8_t) ~(1u << n);
		return 0;
	}
	buf = fs_inline_encode(p->data, p->len);
	if (!buf)
		return -ENOMEM;
	fs_batch_put_buf(b, i->journal, &key, buf);
	a->pieces |= (uint8_t)(1u << n);
	return 0;
}

int fs_inline_read(struct fs_inode *i, uint64_t off, size_t len, struct fs_iov *out)
{
	int rc = 0;

	while (!rc && len) {
		struct part part = part_at(off, len);
		const uint8_t *data = NULL;
		struct fs_buf *buf = NULL;
		size_t have = 0;

		rc = piece_get(i, part.n, &buf, &data, &have);
		if (!rc)
			rc = fs_iov_add(out, buf, data, have, part.at, part.len);
		else if (rc == -ENODATA)
			rc = fs_iov_add_zero(out, part.len);
		off += part.len;
		len -= part.len;
	}
	return rc;
}

int fs_inline_copy(struct fs_inode *i, uint8_t *out, size_t len)
{
	struct fs_iov iov = {.n = 0};
	int rc = fs_inline_read(i, 0, len, &iov);

	for (int n = 0; !rc && n < iov.n; n++) {
		memcpy(out, iov.v[n].iov_base, iov.v[n].iov_len);
		out += iov.v[n].iov_len;
	}
	fs_iov_clear(&iov);
	return rc;
}

int fs_inline_write(struct fs_batch *b, const struct fs_inode *i, struct fs_inode_attr *a,
		    uint64_t off, const uint8_t *p, size_t len)
{
	struct piece piece;
	int rc = 0;

	while (!rc && len) {
		struct part part = part_at(off, len);

		rc = piece_load(i, part.n, &piece);
		if (rc)
			break;
		memcpy(piece.data + part.at, p, part.len);
		if (piece.len < part.at + part.len)
			piece.len = part.at + part.len;
		rc = piece_store(b, i, a, part.n, &piece);
		off += part.len;
		p += part.len;
		len -= part.len;
	}
	keys_wipe(&piece, sizeof(piece));
	return rc;
}

int fs_inline_zero(struct fs_batch *b, const struct fs_inode *i, struct fs_inode_attr *a,
		   uint64_t off, uint64_t len)
{
	struct piece piece;
	int rc = 0;

	while (!rc && len && off < FS_INLINE_MAX) {
		struct part part = part_at(off, len);

		rc = piece_load(i, part.n, &piece);
		if (!rc && part.at < piece.len) {
			if (part.at + part.len >= piece.len)
				piece.len = part.at;
			else
				memset(piece.data + part.at, 0, part.len);
			rc = piece_store(b, i, a, part.n, &piece);
		}
		off += part.len;
		len -= part.len;
	}
	keys_wipe(&piece, sizeof(piece));
	return rc;
}

int fs_inline_fill(struct fs_batch *b, const struct fs_inode *i, struct fs_inode_attr *a,
		   uint64_t off, uint64_t len)
{
	struct piece zeros = {.len = 0};
	uint64_t end = off + len < a->size ? off + len : a->size;
	int rc = 0;

	for (unsigned n = (unsigned)(off / FS_PIECE); !rc && (uint64_t)n * FS_PIECE < end; n++) {
		uint64_t left = a->size - (uint64_t)n * FS_PIECE;

		zeros.len = left < FS_PIECE ? (size_t)left : FS_PIECE;
		if (!(i->pieces >> n & 1))
			rc = piece_store(b, i, a, n, &zeros);
	}
	return rc;
}

int fs_inline_cut(struct fs_batch *b, const struct fs_inode *i, struct fs_inode_attr *a,
		  uint64_t size)
{
	struct piece piece;
	int rc = 0;

	for (unsigned n = (unsigned)(size / FS_PIECE); !rc && n < PIECES; n++) {
		uint64_t start = (uint64_t)n * FS_PIECE;

		piece.len = 0;
		if (start < size)
			rc = piece_load(i, n, &piece);
		if (rc)
			break;
		/* The edge falls into this piece, and may leave it as it is. */
		if (start < size && piece.len <= size - start)
			continue;
		if (start < size)
			piece.len = (size_t)(size - start);
		rc = piece_store(b, i, a, n, &piece);
	}
	keys_wipe(&piece, sizeof(piece));
	return rc;
}

int fs_inline_seek(const struct fs_inode *i, uint64_t off, bool data, uint64_t *out)
{
	if (off >= i->size)
		return -ENXIO;
	for (uint64_t n = off / FS_PIECE; n * FS_PIECE < i->size; n++) {
		if ((i->pieces >> n & 1) == data) {
			*out = n * FS_PIECE > off ? n * FS_PIECE : off;
			return 0;
		}
	}
	if (data)
		return -ENXIO;
	*out = i->size;
	return 0;
}

uint64_t fs_inline_blocks(const struct fs_inode_attr *a)
{
	uint64_t blocks = 0;

	for (unsigned n = 0; n < PIECES && (uint64_t)n * FS_PIECE < a->size; n++) {
		uint64_t left = a->size - (uint64_t)n * FS_PIECE;

		if (a->pieces >> n & 1)
			blocks += ((left < FS_PIECE ? left : FS_PIECE) + 511) / 512;
	}
	return blocks;
}
