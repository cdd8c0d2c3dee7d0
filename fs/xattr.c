/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/xattr.c - user.* extended attributes. Implements fs/FORMAT.md, "XATTR".
 *
 * An attribute is pieces keyed (keyed hash of its name with a collision slot,
 * piece); the first says name and length, the rest carry bytes only. The inode
 * counts its attributes, so that the many questions for absent ones cost nothing.
 * Setting and removing change all pieces and the inode in one batch.
 */
#include "xattr.h"

#include <errno.h>
#include <sys/xattr.h>
#include "../keys/bytes.h"
#include "../keys/seal.h"
#include "content_change.h"

#define XATTR_VERSION 1
#define VALUE_MAX 65536u
#define COUNT_MAX 240u /* the names of all still fit one listxattr */
#define FIRST 3500u    /* bytes of the value in the first piece, beside the longest name */
#define REST 4000u     /* in every other */
#define SLOTS 8u

struct found {
	const char *name;
	uint64_t at; /* hash and slot */
	uint32_t len;
	struct fs_buf *buf; /* the first piece */
	const uint8_t *data;
	bool hit;
	unsigned taken;
};

static int name_check(const char *name)
{
	if (strncmp(name, "user.", 5) != 0 || !name[5])
		return -EOPNOTSUPP;
	return strlen(name) > FS_XATTR_NAME_MAX ? -ERANGE : 0;
}

static uint64_t name_hash(const struct fs_inode *i, const char *name)
{
	uint8_t place[8], hash[16];
	struct bytes_out out = bytes_out(place, sizeof(place));
	struct bytes_in in = bytes_in(hash, sizeof(hash));
	struct keys_span parts[3] = {{place, sizeof(place)}, {name, strlen(name)}, {"x", 1}};

	bytes_put_u64(&out, i->ino);
	keys_label_derive(KEYS_LABEL_NAME_HASH, fs_journal_name_key(i->journal), parts, 3, hash,
			  sizeof(hash));
	return bytes_get_u64(&in) & ~(uint64_t)(SLOTS - 1);
}

static struct fs_key piece_key(const struct fs_inode *i, uint64_t at, unsigned piece)
{
	struct fs_key key = fs_key_n(fs_journal_index(i->journal), i->ino, FS_T_XATTR, at, 8);

	fs_key_add(&key, piece, 2);
	return key;
}

static unsigned pieces_of(uint32_t len)
{
	return len <= FIRST ? 1 : 1 + (len - FIRST + REST - 1) / REST;
}

/* version, total length, name, then the first bytes of the value, then zeros. */
int fs_xattr_decode(const struct fs_buf *buf, char name[static FS_XATTR_NAME_MAX + 1],
		    uint32_t *len, const uint8_t **data)
{
	struct bytes_in in = bytes_in(buf->data, buf->len);
	const uint8_t *at;
	uint32_t n;

	if (bytes_get_u8(&in) != XATTR_VERSION)
		in.bad = true;
	n = bytes_get_u32(&in);
	bytes_get_text(&in, name, FS_XATTR_NAME_MAX + 1);
	at = bytes_take(&in, n < FIRST ? n : FIRST);
	bytes_get_zero(&in, in.len - in.off);
	if (!bytes_in_done(&in) || n > VALUE_MAX || name_check(name))
		return -EBADMSG;
	*len = n;
	*data = at;
	return 0;
}

static struct fs_buf *padded(size_t len)
{
	size_t n = keys_pad_len(len);

	return fs_buf_new(n > FS_PLAIN_MAX ? FS_PLAIN_MAX : n);
}

static int pieces_put(struct fs_batch *b, const struct fs_inode *i, uint64_t at, const char *name,
		      const uint8_t *p, uint32_t len)
{
	uint32_t take = len < FIRST ? len : FIRST, left = len - take;
	struct fs_key key = piece_key(i, at, 0);
	struct fs_buf *buf = padded(1 + 4 + 2 + strlen(name) + take);
	struct bytes_out out;

	if (!buf)
		return -ENOMEM;
	out = bytes_out(buf->data, buf->len);
	bytes_put_u8(&out, XATTR_VERSION);
	bytes_put_u32(&out, len);
	bytes_put_text(&out, name);
	bytes_put(&out, p, take);
	fs_batch_put_buf(b, i->journal, &key, buf);
	for (unsigned n = 1; n < pieces_of(len); n++) {
		p += take;
		take = left < REST ? left : REST;
		left -= take;
		buf = padded(take);
		if (!buf)
			return -ENOMEM;
		memcpy(buf->data, p, take);
		key = piece_key(i, at, n);
		fs_batch_put_buf(b, i->journal, &key, buf);
	}
	return 0;
}

static int probe(void *ctx, const struct fs_key *key, struct fs_buf *buf)
{
	char name[FS_XATTR_NAME_MAX + 1];
	struct found *f = ctx;
	const uint8_t *data = NULL;
	uint32_t len = 0;
	int rc;

	if (fs_key_be(key, 18, 2) != 0)
		return 0;
	rc = fs_xattr_decode(buf, name, &len, &data);
	if (rc)
		return rc;
	f->taken |= 1u << (fs_key_sub(key, 8) % SLOTS);
	if (strcmp(name, f->name) != 0)
		return 0;
	f->at = fs_key_sub(key, 8);
	f->len = len;
	f->data = data;
	f->buf = fs_buf_get(buf);
	f->hit = true;
	return 1;
}

/* 0, the first piece held in f; or -ENODATA, f->at where it would go (all slots taken: nowhere). */
static int find(const struct fs_inode *i, const char *name, struct found *f)
{
	uint64_t base = name_hash(i, name);
	struct fs_key from = piece_key(i, base, 0);
	struct fs_key to = piece_key(i, base + SLOTS - 1, UINT16_MAX);
	unsigned slot = 0;
	int rc = 0;

	*f = (struct found){.name = name};
	if (i->xattrs)
		rc = fs_record_scan(i->journal, &from, &to, probe, f);
	if (rc || f->hit)
		return rc;
	while (slot < SLOTS - 1 && f->taken >> slot & 1)
		slot++;
	f->at = base + slot;
	return -ENODATA;
}

/* The pieces after the first, behind the first one's bytes. */
static int value_copy(const struct fs_inode *i, const struct found *f, uint8_t *out)
{
	uint32_t done = f->len < FIRST ? f->len : FIRST;
	int rc = 0;

	memcpy(out, f->data, done);
	for (unsigned n = 1; !rc && n < pieces_of(f->len); n++) {
		uint32_t take = f->len - done < REST ? f->len - done : REST;
		struct fs_key key = piece_key(i, f->at, n);
		struct fs_buf *buf = NULL;

		rc = fs_record_get(i->journal, &key, &buf);
		if (!rc && buf->len < take)
			rc = -EBADMSG;
		if (!rc)
			memcpy(out + done, buf->data, take);
		fs_buf_put(buf);
		done += take;
		rc = rc == -ENOENT ? -EBADMSG : rc;
	}
	return rc;
}

int fs_xattr_get(struct fs_inode *i, const char *name, void *out, size_t cap, size_t *len)
{
	struct found f = {.buf = NULL};
	int rc = name_check(name);

	if (rc)
		return rc;
	pthread_rwlock_rdlock(&i->lock);
	rc = i->deleted ? -ENODATA : find(i, name, &f);
	if (!rc && cap && cap < f.len)
		rc = -ERANGE;
	if (!rc && cap)
		rc = value_copy(i, &f, out);
	pthread_rwlock_unlock(&i->lock);
	fs_buf_put(f.buf);
	if (!rc)
		*len = f.len;
	return rc;
}

static void pieces_del(struct fs_batch *b, const struct fs_inode *i, uint64_t at, unsigned from,
		       unsigned to)
{
	for (unsigned n = from; n < to; n++) {
		struct fs_key key = piece_key(i, at, n);

		fs_batch_del(b, i->journal, &key);
	}
}

static int set(struct fs_content_change *c, const char *name, const void *p, uint32_t len,
	       int flags)
{
	struct found f;
	int rc = find(c->i, name, &f);
	bool had = rc == 0;

	if (rc && rc != -ENODATA)
		return rc;
	if (had && flags & XATTR_CREATE)
		rc = -EEXIST;
	else if (!had && flags & XATTR_REPLACE)
		rc = -ENODATA;
	else if (!had && (c->a.xattrs >= COUNT_MAX || f.taken == (1u << SLOTS) - 1))
		rc = -ENOSPC;
	else
		rc = pieces_put(&c->b, c->i, f.at, name, p, len);
	if (!rc && had)
		pieces_del(&c->b, c->i, f.at, pieces_of(len), pieces_of(f.len));
	if (!rc && !had)
		c->a.xattrs++;
	fs_buf_put(f.buf);
	return rc;
}

int fs_xattr_set(struct fs_inode *i, const char *name, const void *p, size_t len, int flags,
		 struct fs_actor *who)
{
	struct fs_content_change c;
	int rc = name_check(name);

	if (rc)
		return rc;
	if (len > VALUE_MAX)
		return -E2BIG;
	if (flags & ~(XATTR_CREATE | XATTR_REPLACE))
		return -EINVAL;
	rc = fs_content_begin(&c, i, who);
	if (!rc)
		rc = set(&c, name, p, (uint32_t)len, flags);
	c.a.ctime = who->now;
	return fs_content_end(&c, rc);
}

int fs_xattr_remove(struct fs_inode *i, const char *name, struct fs_actor *who)
{
	struct fs_content_change c;
	struct found f = {.buf = NULL};
	int rc = name_check(name);

	if (rc)
		return rc;
	rc = fs_content_begin(&c, i, who);
	if (!rc)
		rc = find(i, name, &f);
	if (!rc) {
		pieces_del(&c.b, i, f.at, 0, pieces_of(f.len));
		c.a.xattrs--;
		c.a.ctime = who->now;
	}
	fs_buf_put(f.buf);
	return fs_content_end(&c, rc);
}

struct list {
	char *out;
	size_t cap, len;
};

static int list_name(void *ctx, const struct fs_key *key, struct fs_buf *buf)
{
	char name[FS_XATTR_NAME_MAX + 1];
	struct list *l = ctx;
	const uint8_t *data = NULL;
	uint32_t len = 0;
	size_t n;
	int rc;

	if (fs_key_be(key, 18, 2) != 0)
		return 0;
	rc = fs_xattr_decode(buf, name, &len, &data);
	if (rc)
		return rc;
	n = strlen(name) + 1;
	if (l->cap && n > l->cap - l->len)
		return -ERANGE;
	if (l->cap)
		memcpy(l->out + l->len, name, n);
	l->len += n;
	return 0;
}

int fs_xattr_list(struct fs_inode *i, char *out, size_t cap, size_t *len)
{
	uint32_t index = fs_journal_index(i->journal);
	struct fs_key from = fs_key(index, i->ino, FS_T_XATTR);
	struct fs_key to = fs_key(index, i->ino, FS_T_XATTR + 1);
	struct list l = {.out = out, .cap = cap};
	int rc = 0;

	pthread_rwlock_rdlock(&i->lock);
	if (i->xattrs && !i->deleted)
		rc = fs_record_scan(i->journal, &from, &to, list_name, &l);
	pthread_rwlock_unlock(&i->lock);
	if (!rc)
		*len = l.len;
	return rc;
}
