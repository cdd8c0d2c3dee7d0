/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/dirent.c - buckets of directory entries: codec, search, change.
 *
 * Implements fs/FORMAT.md, "DIRENT". A bucket is never changed in place: a change makes
 * a new value, in the caller's batch, and looks at the batch before the records, so that
 * several changes of one batch add up.
 *
 * 1. The stretches of a directory's buckets never overlap and leave nothing out.
 * 2. Neighbors that together are small are joined by whatever made them so, as often as
 *    it takes: a directory without entries has no bucket.
 *
 * Owns nothing; no locks.
 */
#include "dirent.h"

#include <errno.h>
#include <sys/stat.h>
#include "../keys/bytes.h"
#include "../keys/seal.h"
#include "inode.h"

#define DIRENT_VERSION 2
#define INO_LEN 5
#define HEAD_LEN 4			      /* version, depth, count */
#define ENTRY_LEN (8 + 1 + INO_LEN + 1)	      /* cookie, type, inode, length of the name */
#define DEPTH_MAX (FS_DIRENT_COOKIE_BITS - 3) /* there all have one hash: eight at most, they fit  \
					       */
#define TYPICAL 80			      /* entries of a bucket: where a search begins */
#define JOINED_MAX 1800			      /* bytes up to which two become one */

int fs_dirent_check(const char *name)
{
	size_t len = strlen(name);

	if (!len)
		return -ENOENT;
	if (len > FS_NAME_MAX)
		return -ENAMETOOLONG;
	if (memchr(name, '/', len) || !strcmp(name, ".") || !strcmp(name, ".."))
		return -EINVAL;
	return 0;
}

/* ---- bytes ---- */

/* An entry where it lies. */
struct entry {
	uint64_t cookie, ino;
	uint32_t type;
	const uint8_t *name; /* no NUL behind it */
	size_t name_len;
	size_t size; /* in the record */
};

static bool sane_type(uint32_t type)
{
	return type == S_IFREG || type == S_IFDIR || type == S_IFLNK || type == S_IFIFO ||
	       type == S_IFSOCK;
}

/* False: it does not fit the record, or nobody could have written it. Its name is not looked at. */
static bool entry_get(const struct fs_buf *buf, size_t at, struct entry *e)
{
	struct bytes_in in = bytes_in(buf->data + at, buf->len - at);

	e->cookie = bytes_get_u64(&in);
	e->type = (uint32_t)bytes_get_u8(&in) << 12;
	e->ino = bytes_get_le(&in, INO_LEN);
	e->name_len = bytes_get_u8(&in);
	e->name = bytes_take(&in, e->name_len);
	e->size = ENTRY_LEN + e->name_len;
	return !in.bad && e->name_len && sane_type(e->type) && e->ino > FS_ROOT_INO &&
	       e->ino < FS_INO_HISTORY;
}

static void entry_put(struct bytes_out *out, const struct entry *e)
{
	bytes_put_u64(out, e->cookie);
	bytes_put_u8(out, (uint8_t)(e->type >> 12));
	bytes_put_le(out, e->ino, INO_LEN);
	bytes_put_u8(out, (uint8_t)e->name_len);
	bytes_put(out, e->name, e->name_len);
}

static size_t padded(size_t used)
{
	size_t n = keys_pad_len(used);

	return n < FS_PLAIN_MAX ? n : FS_PLAIN_MAX;
}

static uint64_t span(unsigned depth)
{
	return UINT64_C(1) << (FS_DIRENT_COOKIE_BITS - depth);
}

uint64_t fs_dirent_bucket_end(const struct fs_dirent_bucket *k)
{
	return k->first + span(k->depth);
}

/* Where the entry with this cookie, or the next one, lies; true: it is that one. */
static bool position(const struct fs_dirent_bucket *k, uint64_t cookie, size_t *at, struct entry *e)
{
	*at = HEAD_LEN;
	while (*at < k->used && entry_get(k->buf, *at, e)) {
		if (e->cookie >= cookie)
			return e->cookie == cookie;
		*at += e->size;
	}
	return false;
}

int fs_dirent_bucket_open(struct fs_buf *buf, uint64_t first, struct fs_dirent_bucket *out)
{
	struct bytes_in in = bytes_in(buf->data, buf->len);
	struct fs_dirent_bucket k = {.buf = buf, .first = first, .used = HEAD_LEN};
	uint64_t last = FS_DIRENT_SLOTS - 1;
	uint8_t version = bytes_get_u8(&in);
	struct entry e;

	k.depth = bytes_get_u8(&in);
	k.count = bytes_get_u16(&in);
	if (in.bad || version != DIRENT_VERSION || k.depth > DEPTH_MAX || buf->len > FS_PLAIN_MAX ||
	    first % span(k.depth) || first >= FS_DIRENT_COOKIE_MAX || (!k.depth && !k.count))
		return -EBADMSG;
	for (unsigned n = 0; n < k.count; n++) {
		if (!entry_get(buf, k.used, &e) || e.cookie <= last || e.cookie < first ||
		    e.cookie >= fs_dirent_bucket_end(&k))
			return -EBADMSG;
		last = e.cookie;
		k.used += e.size;
	}
	in = bytes_in(buf->data + k.used, buf->len - k.used);
	bytes_get_zero(&in, in.len);
	if (!bytes_in_done(&in) || buf->len != padded(k.used))
		return -EBADMSG;
	*out = k;
	return 0;
}

void fs_dirent_bucket_put(struct fs_dirent_bucket *k)
{
	fs_buf_put(k->buf);
	k->buf = NULL;
}

int fs_dirent_bucket_next(const struct fs_dirent_bucket *k, size_t *at, struct fs_dirent *e)
{
	struct entry v;

	if (*at < HEAD_LEN)
		*at = HEAD_LEN;
	if (*at >= k->used)
		return 0;
	if (!entry_get(k->buf, *at, &v) || memchr(v.name, 0, v.name_len))
		return -EBADMSG;
	e->cookie = v.cookie;
	e->ino = v.ino;
	e->type = v.type;
	memcpy(e->name, v.name, v.name_len);
	e->name[v.name_len] = '\0';
	if (fs_dirent_check(e->name))
		return -EBADMSG;
	*at += v.size;
	return 1;
}

/* ---- searching ---- */

static struct fs_key bucket_key(const struct fs_journal *j, uint64_t dir, uint64_t first)
{
	return fs_key_n(fs_journal_index(j), dir, FS_T_DIRENT, first, 8);
}

/* What a batch (may be NULL) does to a key last; NULL: nothing. */
static const struct fs_batch_entry *in_batch(const struct fs_batch *b, const struct fs_journal *j,
					     const struct fs_key *key)
{
	if (!b)
		return NULL;
	for (size_t n = b->n; n-- > 0;) {
		if (b->e[n].journal == j && !fs_key_cmp(&b->e[n].key, key))
			return &b->e[n];
	}
	return NULL;
}

/* As the batch leaves it. -ENOENT. */
static int bucket_at(const struct fs_batch *b, struct fs_journal *j, uint64_t dir, uint64_t first,
		     struct fs_dirent_bucket *out)
{
	struct fs_key key = bucket_key(j, dir, first);
	const struct fs_batch_entry *e = in_batch(b, j, &key);
	struct fs_buf *buf = NULL;
	int rc = 0;

	if (e && e->change == FS_DEL)
		return -ENOENT;
	if (e)
		buf = fs_buf_get(e->buf);
	else
		rc = fs_record_get(j, &key, &buf);
	if (rc)
		return rc;
	rc = fs_dirent_bucket_open(buf, first, out);
	if (rc)
		fs_buf_put(buf);
	return rc;
}

static unsigned likely_depth(uint64_t entries)
{
	unsigned depth = 0;

	while (depth < DEPTH_MAX && entries > TYPICAL) {
		entries /= 2;
		depth++;
	}
	return depth;
}

/*
 * At any depth, the stretch that cookie falls in either lies within one bucket, which begins there
 * or (then nothing does) before; or is divided, and its first bucket begins there.
 */
static int locate(const struct fs_batch *b, struct fs_journal *j, uint64_t dir, uint64_t entries,
		  uint64_t cookie, struct fs_dirent_bucket *out)
{
	int depth = (int)likely_depth(entries), divided = -1, within = (int)DEPTH_MAX + 1;
	struct fs_dirent_bucket k;

	while (depth > divided && depth < within) {
		int rc = bucket_at(b, j, dir, cookie & ~(span((unsigned)depth) - 1), &k);

		if (rc && rc != -ENOENT)
			return rc;
		if (!rc && cookie < fs_dirent_bucket_end(&k)) {
			*out = k;
			return 0;
		}
		if (!rc) {
			fs_dirent_bucket_put(&k);
			divided = depth++;
		} else {
			within = depth--;
		}
	}
	return divided < 0 ? -ENOENT : -EBADMSG;
}

int fs_dirent_bucket_get(struct fs_journal *j, uint64_t dir, uint64_t entries, uint64_t cookie,
			 struct fs_dirent_bucket *out)
{
	return locate(NULL, j, dir, entries, cookie, out);
}

int fs_dirent_find(struct fs_journal *j, uint64_t dir, uint64_t entries, const char *name,
		   struct fs_dirent *out, uint64_t *spare)
{
	uint64_t base = fs_dirent_hash(j, dir, name) * FS_DIRENT_SLOTS;
	struct fs_dirent_bucket k;
	struct fs_dirent found;
	struct entry e;
	unsigned taken = 0, slot = 0;
	size_t at;
	int rc = locate(NULL, j, dir, entries, base, &k);

	if (rc == -ENOENT)
		*spare = base;
	if (rc)
		return rc;
	position(&k, base, &at, &e);
	rc = -ENOENT;
	while (rc == -ENOENT && at < k.used) {
		int got = fs_dirent_bucket_next(&k, &at, &found);

		if (got != 1)
			rc = got < 0 ? got : -EBADMSG;
		else if (found.cookie >= base + FS_DIRENT_SLOTS)
			break;
		else if (!strcmp(found.name, name))
			rc = 0;
		else
			taken |= 1u << (found.cookie % FS_DIRENT_SLOTS);
	}
	fs_dirent_bucket_put(&k);
	while (slot < FS_DIRENT_SLOTS && taken >> slot & 1)
		slot++;
	if (!rc)
		*out = found;
	else if (rc == -ENOENT)
		*spare = slot < FS_DIRENT_SLOTS ? base + slot : 0;
	keys_wipe(&found, sizeof(found));
	return rc;
}

int fs_dirent_none(struct fs_journal *j, uint64_t dir)
{
	struct fs_dirent_bucket k;
	int rc = bucket_at(NULL, j, dir, 0, &k);

	if (rc)
		return rc == -ENOENT ? 0 : rc;
	fs_dirent_bucket_put(&k);
	return -ENOTEMPTY;
}

/* ---- changing ---- */

/* A stretch of bytes of another bucket. */
struct part {
	const uint8_t *p;
	size_t len;
};

/* A new bucket of the parts and e (NULL: none) between them, into b and, when asked for, *out. */
static int write_bucket(struct fs_batch *b, struct fs_journal *j, uint64_t dir,
			struct fs_dirent_bucket k, struct part before, const struct entry *e,
			struct part behind, struct fs_dirent_bucket *out)
{
	struct fs_key key = bucket_key(j, dir, k.first);
	struct bytes_out o;

	k.used = HEAD_LEN + before.len + (e ? ENTRY_LEN + e->name_len : 0) + behind.len;
	k.buf = fs_buf_raw(padded(k.used));
	if (!k.buf)
		return -ENOMEM;
	o = bytes_out(k.buf->data, k.buf->len);
	bytes_put_u8(&o, DIRENT_VERSION);
	bytes_put_u8(&o, (uint8_t)k.depth);
	bytes_put_u16(&o, (uint16_t)k.count);
	bytes_put(&o, before.p, before.len);
	if (e)
		entry_put(&o, e);
	bytes_put(&o, behind.p, behind.len);
	bytes_put_zero(&o, k.buf->len - o.len);
	fs_batch_put_buf(b, j, &key, out ? fs_buf_get(k.buf) : k.buf);
	if (out && b->rc)
		fs_buf_put(k.buf);
	else if (out)
		*out = k;
	return b->rc;
}

/* The two halves of a full bucket. */
static int split(struct fs_batch *b, struct fs_journal *j, uint64_t dir,
		 const struct fs_dirent_bucket *k)
{
	struct fs_dirent_bucket low = {.first = k->first, .depth = k->depth + 1}, high = low;
	size_t at = HEAD_LEN;
	struct part none = {NULL, 0}, a, z;
	struct entry e;
	int rc;

	if (k->depth >= DEPTH_MAX)
		return -ENOSPC;
	high.first += span(low.depth);
	for (; at < k->used && entry_get(k->buf, at, &e) && e.cookie < high.first; at += e.size)
		low.count++;
	high.count = k->count - low.count;
	a = (struct part){k->buf->data + HEAD_LEN, at - HEAD_LEN};
	z = (struct part){k->buf->data + at, k->used - at};
	rc = write_bucket(b, j, dir, low, a, NULL, none, NULL);
	return rc ? rc : write_bucket(b, j, dir, high, none, NULL, z, NULL);
}

/* Puts e into k, over the one with its cookie when there is one. -EFBIG: no room. */
static int insert(struct fs_batch *b, struct fs_journal *j, uint64_t dir,
		  const struct fs_dirent_bucket *k, const struct entry *e)
{
	struct fs_dirent_bucket now = *k;
	struct part before, behind;
	size_t at, from;
	struct entry old;
	bool over = position(k, e->cookie, &at, &old);

	from = over ? at + old.size : at;
	if (k->used - (from - at) + ENTRY_LEN + e->name_len > FS_PLAIN_MAX)
		return -EFBIG;
	now.count += over ? 0 : 1;
	before = (struct part){k->buf->data + HEAD_LEN, at - HEAD_LEN};
	behind = (struct part){k->buf->data + from, k->used - from};
	return write_bucket(b, j, dir, now, before, e, behind, NULL);
}

static int put(struct fs_batch *b, struct fs_journal *j, uint64_t dir, uint64_t entries,
	       const struct entry *e)
{
	struct part none = {NULL, 0};
	struct fs_dirent_bucket k;
	bool full;
	int rc;

	do {
		rc = locate(b, j, dir, entries, e->cookie, &k);
		if (rc == -ENOENT) {
			k = (struct fs_dirent_bucket){.count = 1};
			return write_bucket(b, j, dir, k, none, e, none, NULL);
		}
		if (rc)
			return rc;
		rc = insert(b, j, dir, &k, e);
		full = rc == -EFBIG;
		if (full)
			rc = split(b, j, dir, &k);
		fs_dirent_bucket_put(&k);
	} while (!rc && full);
	return rc;
}

/* Joins k, which the batch has, with its other half as long as both are small. Gives k back. */
static int join(struct fs_batch *b, struct fs_journal *j, uint64_t dir, struct fs_dirent_bucket *k)
{
	struct fs_dirent_bucket other, low, high, both;
	struct fs_key key;
	int rc = 0;

	while (!rc && k->depth && k->used <= JOINED_MAX) {
		rc = bucket_at(b, j, dir, k->first ^ span(k->depth), &other);
		if (rc)
			return rc == -ENOENT ? -EBADMSG : rc;
		if (other.depth != k->depth || k->used + other.used > JOINED_MAX) {
			fs_dirent_bucket_put(&other);
			break;
		}
		low = k->first < other.first ? *k : other;
		high = k->first < other.first ? other : *k;
		both = (struct fs_dirent_bucket){.first = low.first,
						 .depth = low.depth - 1,
						 .count = low.count + high.count};
		key = bucket_key(j, dir, high.first);
		fs_batch_del(b, j, &key);
		rc = write_bucket(
			b, j, dir, both,
			(struct part){low.buf->data + HEAD_LEN, low.used - HEAD_LEN}, NULL,
			(struct part){high.buf->data + HEAD_LEN, high.used - HEAD_LEN}, &both);
		fs_dirent_bucket_put(&other);
		if (!rc) {
			fs_dirent_bucket_put(k);
			*k = both;
		}
	}
	if (!rc && !k->depth && !k->count) {
		key = bucket_key(j, dir, 0);
		fs_batch_del(b, j, &key);
	}
	return rc;
}

static int del(struct fs_batch *b, struct fs_journal *j, uint64_t dir, uint64_t entries,
	       uint64_t cookie)
{
	struct fs_dirent_bucket k, now;
	struct part before, behind;
	struct entry e;
	size_t at;
	int rc = locate(b, j, dir, entries, cookie, &k);

	if (rc)
		return rc == -ENOENT ? -EBADMSG : rc;
	if (!position(&k, cookie, &at, &e)) {
		fs_dirent_bucket_put(&k);
		return -EBADMSG; /* the caller has just found it */
	}
	now = k;
	now.count--;
	now.buf = NULL;
	before = (struct part){k.buf->data + HEAD_LEN, at - HEAD_LEN};
	behind = (struct part){k.buf->data + at + e.size, k.used - at - e.size};
	rc = write_bucket(b, j, dir, now, before, NULL, behind, &now);
	fs_dirent_bucket_put(&k);
	if (!rc)
		rc = join(b, j, dir, &now);
	fs_dirent_bucket_put(&now);
	return rc;
}

void fs_dirent_put(struct fs_batch *b, struct fs_journal *j, uint64_t dir, uint64_t entries,
		   uint64_t cookie, const char *name, uint64_t ino, uint32_t mode)
{
	struct entry e = {.cookie = cookie,
			  .ino = ino,
			  .type = mode & S_IFMT,
			  .name = (const uint8_t *)name,
			  .name_len = strlen(name)};
	int rc = put(b, j, dir, entries, &e);

	if (rc && !b->rc)
		b->rc = rc;
}

void fs_dirent_del(struct fs_batch *b, struct fs_journal *j, uint64_t dir, uint64_t entries,
		   uint64_t cookie)
{
	int rc = del(b, j, dir, entries, cookie);

	if (rc && !b->rc)
		b->rc = rc;
}
