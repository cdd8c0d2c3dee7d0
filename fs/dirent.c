/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/dirent.c - directory entry records: codec, probing, paging.
 *
 * Implements fs/FORMAT.md, "DIRENT". Owns nothing; no locks.
 */
#include "dirent.h"

#include <errno.h>
#include <sys/stat.h>
#include "../keys/bytes.h"

#define DIRENT_VERSION 1
#define DIRENT_PAD 32u
#define INO_LEN 5

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

static bool sane_type(uint32_t type)
{
	return type == S_IFREG || type == S_IFDIR || type == S_IFLNK || type == S_IFIFO ||
	       type == S_IFSOCK;
}

size_t fs_dirent_encode(const struct fs_dirent *e, uint8_t out[static FS_DIRENT_MAX])
{
	struct bytes_out o = bytes_out(out, FS_DIRENT_MAX);

	bytes_put_u8(&o, DIRENT_VERSION);
	bytes_put_u8(&o, (uint8_t)(e->type >> 12));
	bytes_put_le(&o, e->ino, INO_LEN);
	bytes_put_text(&o, e->name);
	bytes_put_zero(&o, (DIRENT_PAD - o.len % DIRENT_PAD) % DIRENT_PAD);
	return o.len;
}

int fs_dirent_decode(const uint8_t *p, size_t len, struct fs_dirent *e)
{
	struct bytes_in in = bytes_in(p, len);
	struct fs_dirent v = {.cookie = e->cookie};

	if (bytes_get_u8(&in) != DIRENT_VERSION)
		in.bad = true;
	v.type = (uint32_t)bytes_get_u8(&in) << 12;
	v.ino = bytes_get_le(&in, INO_LEN);
	bytes_get_text(&in, v.name, sizeof(v.name));
	bytes_get_zero(&in, in.len - in.off);
	if (!bytes_in_done(&in) || len % DIRENT_PAD || len > FS_DIRENT_MAX || !sane_type(v.type) ||
	    v.ino <= FS_ROOT_INO || fs_dirent_check(v.name))
		return -EBADMSG;
	*e = v;
	return 0;
}

static struct fs_key dirent_key(const struct fs_journal *j, uint64_t dir, uint64_t cookie)
{
	return fs_key_n(fs_journal_index(j), dir, FS_T_DIRENT, cookie, 8);
}

struct probe {
	const char *name;
	struct fs_dirent *out;
	bool found;
	unsigned taken; /* slots, as bits */
};

static int probe_slot(void *ctx, const struct fs_key *key, struct fs_buf *buf)
{
	struct fs_dirent e = {.cookie = fs_key_sub(key, 8)};
	struct probe *p = ctx;
	int rc = fs_dirent_decode(buf->data, buf->len, &e);

	if (rc)
		return rc;
	p->taken |= 1u << (e.cookie % FS_DIRENT_SLOTS);
	if (strcmp(e.name, p->name) != 0)
		return 0;
	*p->out = e;
	p->found = true;
	return 1;
}

int fs_dirent_find(struct fs_journal *j, uint64_t dir, const char *name, struct fs_dirent *out,
		   uint64_t *spare)
{
	uint64_t base = fs_dirent_hash(j, dir, name) * FS_DIRENT_SLOTS;
	struct fs_key from = dirent_key(j, dir, base);
	struct fs_key to = dirent_key(j, dir, base + FS_DIRENT_SLOTS);
	struct probe p = {.name = name, .out = out};
	struct fs_buf *buf = NULL;
	unsigned slot = 0;
	int rc;

	/* Nearly every entry lies in slot 0: one record. */
	rc = fs_record_get(j, &from, &buf);
	if (!rc) {
		rc = probe_slot(&p, &from, buf);
		fs_buf_put(buf);
		if (rc)
			return rc < 0 ? rc : 0;
	} else if (rc != -ENOENT) {
		return rc;
	}
	rc = fs_record_scan(j, &from, &to, probe_slot, &p);
	if (rc || p.found)
		return rc;
	while (slot < FS_DIRENT_SLOTS && p.taken >> slot & 1)
		slot++;
	*spare = slot < FS_DIRENT_SLOTS ? base + slot : 0;
	return -ENOENT;
}

void fs_dirent_put(struct fs_batch *b, struct fs_journal *j, uint64_t dir, uint64_t cookie,
		   const char *name, uint64_t ino, uint32_t mode)
{
	struct fs_key key = dirent_key(j, dir, cookie);
	struct fs_dirent e = {.ino = ino, .type = mode & S_IFMT};
	uint8_t rec[FS_DIRENT_MAX];
	size_t len = strlen(name);

	memcpy(e.name, name, len + 1);
	len = fs_dirent_encode(&e, rec);
	fs_batch_put(b, j, &key, rec, len);
	keys_wipe(rec, sizeof(rec));
	keys_wipe(&e, sizeof(e));
}

void fs_dirent_del(struct fs_batch *b, struct fs_journal *j, uint64_t dir, uint64_t cookie)
{
	struct fs_key key = dirent_key(j, dir, cookie);

	fs_batch_del(b, j, &key);
}

struct page {
	struct fs_dirent *out;
	size_t cap, n;
};

static int page_entry(void *ctx, const struct fs_key *key, struct fs_buf *buf)
{
	struct page *p = ctx;
	struct fs_dirent *e = &p->out[p->n];
	int rc;

	e->cookie = fs_key_sub(key, 8);
	rc = fs_dirent_decode(buf->data, buf->len, e);
	if (rc)
		return rc;
	return ++p->n == p->cap;
}

int fs_dirent_page(struct fs_journal *j, uint64_t dir, uint64_t after, struct fs_dirent *out,
		   size_t cap, size_t *n)
{
	struct fs_key from = dirent_key(j, dir, after + 1);
	struct fs_key to = dirent_key(j, dir, FS_DIRENT_COOKIE_MAX);
	struct page p = {.out = out, .cap = cap};
	int rc = 0;

	if (after < FS_DIRENT_COOKIE_MAX - 1)
		rc = fs_record_scan(j, &from, &to, page_entry, &p);
	if (!rc)
		*n = p.n;
	return rc;
}

static int any_entry(void *ctx, const struct fs_key *key, struct fs_buf *buf)
{
	(void)key;
	(void)buf;
	*(bool *)ctx = true;
	return 1;
}

int fs_dirent_none(struct fs_journal *j, uint64_t dir)
{
	struct fs_key from = dirent_key(j, dir, 0);
	struct fs_key to = dirent_key(j, dir, FS_DIRENT_COOKIE_MAX);
	bool any = false;
	int rc = fs_record_scan(j, &from, &to, any_entry, &any);

	return rc ? rc : any ? -ENOTEMPTY : 0;
}
