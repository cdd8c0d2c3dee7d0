/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/history_page.c - pages of earlier versions. Implements fs/FORMAT.md, "VERSION".
 *
 * A page is changed as its plain bytes: entries are only appended, and only the
 * last is ever taken away or replaced (fs/history_prune.c writes pages anew). Its
 * key says that no entry is lower, so dropping the first entry leaves the key.
 * Invariant: entries ascend. Padding makes the stored length one of a few. No locks of its own.
 */
#include "history_impl.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include "../keys/bytes.h"
#include "../keys/seal.h"

#define PAGE_VERSION 1
#define PAGE_HEAD 3 /* version, count of entries */

void fs_history_page_new(struct fs_history_page *p, uint32_t first)
{
	memset(p, 0, sizeof(*p));
	p->first = first;
	p->len = PAGE_HEAD;
	p->data[0] = PAGE_VERSION;
}

static unsigned count_of(const struct fs_history_page *p)
{
	return p->data[1] | (unsigned)p->data[2] << 8;
}

static void set_count(struct fs_history_page *p, unsigned n)
{
	p->data[1] = (uint8_t)n;
	p->data[2] = (uint8_t)(n >> 8);
}

static void get_time(struct bytes_in *in, struct timespec *t)
{
	t->tv_sec = (time_t)bytes_get_u64(in);
	t->tv_nsec = (long)bytes_get_u32(in);
	if (t->tv_nsec >= 1000000000L)
		in->bad = true;
}

static bool sane(const struct fs_history_entry *e)
{
	if (!e->version || e->mode & ~(uint32_t)07777 || !e->size || e->size > FS_SIZE_MAX)
		return false;
	if (e->pieces >> FS_HISTORY_PIECES || (e->pieces && e->kind != FS_HISTORY_WHOLE))
		return false;
	if (e->kind != FS_HISTORY_CHUNKS && e->size > FS_INLINE_MAX)
		return false;
	return e->kind >= FS_HISTORY_WHOLE && e->kind <= FS_HISTORY_CHUNKS &&
	       (e->len != 0) == (e->kind == FS_HISTORY_DELTA);
}

static bool get_entry(struct bytes_in *in, struct fs_history_entry *e)
{
	e->version = bytes_get_u32(in);
	e->kind = bytes_get_u8(in);
	e->pieces = bytes_get_u8(in);
	e->mode = bytes_get_u16(in);
	e->size = bytes_get_u64(in);
	e->blocks = bytes_get_u64(in);
	get_time(in, &e->mtime);
	get_time(in, &e->ctime);
	e->writer = bytes_get_u32(in);
	e->len = bytes_get_u16(in);
	bytes_get_zero(in, 2);
	e->data = bytes_take(in, e->len);
	return !in->bad && sane(e);
}

static void put_entry(struct bytes_out *out, const struct fs_history_entry *e)
{
	bytes_put_u32(out, e->version);
	bytes_put_u8(out, e->kind);
	bytes_put_u8(out, e->pieces);
	bytes_put_u16(out, (uint16_t)e->mode);
	bytes_put_u64(out, e->size);
	bytes_put_u64(out, e->blocks);
	bytes_put_u64(out, (uint64_t)e->mtime.tv_sec);
	bytes_put_u32(out, (uint32_t)e->mtime.tv_nsec);
	bytes_put_u64(out, (uint64_t)e->ctime.tv_sec);
	bytes_put_u32(out, (uint32_t)e->ctime.tv_nsec);
	bytes_put_u32(out, e->writer);
	bytes_put_u16(out, e->len);
	bytes_put_zero(out, 2);
	bytes_put(out, e->data, e->len);
}

int fs_history_page_decode(const uint8_t *p, size_t len, struct fs_history_page *page)
{
	struct bytes_in in = bytes_in(p, len);
	uint32_t before = page->first ? page->first - 1 : 0;
	struct fs_history_entry e;
	unsigned n;

	if (len > FS_PLAIN_MAX || bytes_get_u8(&in) != PAGE_VERSION)
		return -EBADMSG;
	n = bytes_get_u16(&in);
	if (!n)
		return -EBADMSG;
	for (; n; n--) {
		if (!get_entry(&in, &e) || e.version <= before)
			return -EBADMSG;
		before = e.version;
	}
	page->len = in.off;
	bytes_get_zero(&in, in.len - in.off);
	if (!bytes_in_done(&in))
		return -EBADMSG;
	memcpy(page->data, p, len);
	memset(page->data + len, 0, sizeof(page->data) - len);
	return 0;
}

bool fs_history_page_next(const struct fs_history_page *p, size_t *at, struct fs_history_entry *e)
{
	struct bytes_in in = bytes_in(p->data, p->len);

	in.off = *at ? *at : PAGE_HEAD;
	if (in.off >= p->len || !get_entry(&in, e))
		return false;
	*at = in.off;
	return true;
}

bool fs_history_page_last(const struct fs_history_page *p, struct fs_history_entry *e)
{
	bool any = false;

	for (size_t at = 0; fs_history_page_next(p, &at, e);)
		any = true;
	return any;
}

int fs_history_page_add(struct fs_history_page *p, const struct fs_history_entry *e)
{
	struct bytes_out out = bytes_out(p->data, sizeof(p->data));

	if (sizeof(p->data) - p->len < FS_HISTORY_ENTRY_LEN + (size_t)e->len)
		return -ENOSPC;
	out.len = p->len;
	put_entry(&out, e);
	p->len = out.len;
	set_count(p, count_of(p) + 1);
	return 0;
}

void fs_history_page_cut(struct fs_history_page *p)
{
	size_t at = 0, last = PAGE_HEAD, next = PAGE_HEAD;
	struct fs_history_entry e;

	while (fs_history_page_next(p, &at, &e)) {
		last = next;
		next = at;
	}
	if (next == PAGE_HEAD)
		return;
	memset(p->data + last, 0, p->len - last);
	p->len = last;
	set_count(p, count_of(p) - 1);
}

int fs_history_page_store(struct fs_batch *b, struct fs_journal *j, uint64_t ino,
			  const struct fs_history_page *p)
{
	struct fs_key key = fs_key_n(fs_journal_index(j), ino, FS_T_VERSION, p->first, 4);
	size_t len = keys_pad_len(p->len);

	if (count_of(p))
		fs_batch_put(b, j, &key, p->data, len > FS_PLAIN_MAX ? FS_PLAIN_MAX : len);
	else
		fs_batch_del(b, j, &key);
	return b->rc;
}

int fs_history_page_get(struct fs_journal *j, uint64_t ino, uint32_t first,
			struct fs_history_page *p)
{
	struct fs_key key = fs_key_n(fs_journal_index(j), ino, FS_T_VERSION, first, 4);
	struct fs_buf *buf = NULL;
	int rc = fs_record_get(j, &key, &buf);

	if (rc)
		return rc == -ENOENT ? -EBADMSG : rc;
	p->first = first;
	rc = fs_history_page_decode(buf->data, buf->len, p);
	fs_buf_put(buf);
	return rc;
}

/* ---- all of an inode ---- */

static int add_entries(struct fs_history_all *all, const struct fs_history_page *p)
{
	struct fs_history_entry *more;
	size_t at = 0;

	more = reallocarray(all->e, all->n + count_of(p), sizeof(*more));
	if (!more)
		return -ENOMEM;
	all->e = more;
	if (all->n && all->e[all->n - 1].version >= p->first)
		return -EBADMSG;
	while (fs_history_page_next(p, &at, &all->e[all->n]))
		all->n++;
	return 0;
}

static int add_page(void *ctx, const struct fs_key *key, struct fs_buf *buf)
{
	struct fs_history_all *all = ctx;
	struct fs_history_page **more, *p = calloc(1, sizeof(*p));
	int rc;

	more = p ? reallocarray(all->page, all->pages + 1, sizeof(*more)) : NULL;
	if (!more) {
		free(p);
		return -ENOMEM;
	}
	all->page = more;
	all->page[all->pages++] = p;
	p->first = (uint32_t)fs_key_sub(key, 4);
	rc = fs_history_page_decode(buf->data, buf->len, p);
	return rc ? rc : add_entries(all, p);
}

int fs_history_all_get(struct fs_journal *j, uint64_t ino, struct fs_history_all *all)
{
	uint32_t index = fs_journal_index(j);
	struct fs_key from = fs_key(index, ino, FS_T_VERSION);
	struct fs_key to = fs_key(index, ino, FS_T_VERSION + 1);
	int rc;

	memset(all, 0, sizeof(*all));
	rc = fs_record_scan(j, &from, &to, add_page, all);
	if (rc)
		fs_history_all_clear(all);
	return rc;
}

/* Entries of at most this many versions fit into a page, and numbers follow each other. */
#define NEAR (FS_PLAIN_MAX / FS_HISTORY_ENTRY_LEN + 1)

int fs_history_near_get(struct fs_journal *j, uint64_t ino, uint32_t version,
			struct fs_history_all *all)
{
	uint32_t index = fs_journal_index(j), first = version > NEAR ? version - NEAR : 0;
	struct fs_key from = fs_key_n(index, ino, FS_T_VERSION, first, 4);
	struct fs_key to = fs_key(index, ino, FS_T_VERSION + 1);
	int rc;

	if (version < UINT32_MAX)
		to = fs_key_n(index, ino, FS_T_VERSION, version + 1, 4);
	memset(all, 0, sizeof(*all));
	rc = fs_record_scan(j, &from, &to, add_page, all);
	if (!rc && fs_history_all_find(all, version) < all->n)
		return 0;
	fs_history_all_clear(all);
	return rc ? rc : fs_history_all_get(j, ino, all);
}

void fs_history_all_clear(struct fs_history_all *all)
{
	for (size_t n = 0; n < all->pages; n++) {
		keys_wipe(all->page[n], sizeof(*all->page[n]));
		free(all->page[n]);
	}
	free(all->page);
	free(all->e);
	memset(all, 0, sizeof(*all));
}

size_t fs_history_all_find(const struct fs_history_all *all, uint32_t version)
{
	for (size_t n = 0; n < all->n; n++) {
		if (all->e[n].version == version)
			return n;
	}
	return all->n;
}
