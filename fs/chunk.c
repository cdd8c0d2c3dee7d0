/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/chunk.c - reading and changing the contents of larger files, by runs of chunks.
 *
 * A read looks once at what the groups hold of its range (chunk_pending.c), then
 * fetches what is committed in runs of neighboring units, straight into the buffer
 * that is handed out, and opens each chunk there. What is written whole is never
 * read before.
 *
 * A hole is never an all-zero block: it is the absence of a map entry, which the
 * tag tree proves. Stored chunks are whole units, zero beyond the file's end.
 */
#include <errno.h>
#include <stdlib.h>

#include "../keys/bytes.h"
#include "chunk_impl.h"

#define RUN_MAX 64u	/* units fetched at once */
#define SPLIT_LEAST 16u /* of them are worth a second thread */

/* ---- reading ---- */

struct reader {
	struct fs_journal *j;
	uint64_t ino;
	struct fs_container *c;
	struct keys_chunk_opener opener;
	uint32_t opener_of; /* its generation */
	uint8_t *out;	    /* of chunk `base` */
	uint32_t base;
	struct fs_buf *page; /* of the chunk map; NULL: none yet */
	uint32_t page_no;
	/* Chunks first.. that are not fetched yet, in neighboring units from pos on, of one key. */
	uint32_t first;
	unsigned n;
	uint64_t pos;
	const struct fs_journal_key *key;
	struct keys_chunk_seal seal[RUN_MAX];
};

static int reader_init(struct reader *r, struct fs_journal *j, uint64_t ino, uint32_t base,
		       uint8_t *out)
{
	r->j = j;
	r->ino = ino;
	r->base = base;
	r->out = out;
	r->page = NULL;
	r->n = 0;
	r->key = atomic_load(&j->newest);
	r->opener_of = r->key->generation;
	keys_chunk_opener_init(&r->opener, r->key->keys->chunk);
	return fs_journal_units(j, &r->c);
}

static void reader_clear(struct reader *r)
{
	fs_buf_put(r->page);
	keys_chunk_opener_clear(&r->opener);
}

/* Damage is told once a file: it may have a million chunks. */
static void report(struct fs_journal *j, uint64_t ino)
{
	struct fs_key key = fs_key(j->index, ino, FS_T_CHUNK);

	fs_record_report(j->records, &key);
}

/* Chunks from..to-1 of the run, which have been read, are opened. */
static int open_part(struct reader *r, struct keys_chunk_opener *o, unsigned from, unsigned to)
{
	uint8_t *at = r->out + (size_t)(r->first - r->base + from) * FS_CHUNK;
	uint8_t ad[RUN_MAX][FS_CHUNK_AD_LEN];
	struct keys_chunk c[RUN_MAX];

	for (unsigned i = from; i < to; i++, at += FS_CHUNK) {
		fs_chunk_ad(r->j, r->ino, r->first + i, r->key->generation, ad[i]);
		c[i] = (struct keys_chunk){{ad[i], FS_CHUNK_AD_LEN}, at, at, &r->seal[i]};
	}
	return keys_chunk_open(o, c + from, to - from, FS_CHUNK);
}

/* The second half of a run, for the helper. */
struct half {
	struct fs_chunk_job job; /* first */
	struct reader *r;
	int rc;
};

static void run_half(struct fs_chunk_job *job)
{
	struct half *half = (struct half *)job;
	struct keys_chunk_opener o;

	keys_chunk_opener_init(&o, half->r->key->keys->chunk);
	half->rc = open_part(half->r, &o, half->r->n / 2, half->r->n);
	keys_chunk_opener_clear(&o);
}

static int fetch_run(struct reader *r)
{
	struct half half = {.job.run = run_half, .r = r};
	struct fs_chunk_help *help = r->j->records->help;
	int rc;

	if (r->opener_of != r->key->generation) {
		keys_chunk_opener_clear(&r->opener);
		keys_chunk_opener_init(&r->opener, r->key->keys->chunk);
		r->opener_of = r->key->generation;
	}
	rc = fs_container_read(r->c, r->pos, r->out + (size_t)(r->first - r->base) * FS_CHUNK,
			       (size_t)r->n * FS_CHUNK);
	if (!rc && r->n < SPLIT_LEAST) {
		rc = open_part(r, &r->opener, 0, r->n);
	} else if (!rc) {
		fs_chunk_help_give(help, &half.job);
		rc = open_part(r, &r->opener, 0, r->n / 2);
		fs_chunk_help_finish(help, &half.job);
		rc = rc ? rc : half.rc;
	}
	return rc;
}

static int load_page(struct reader *r, uint32_t page_no)
{
	if (r->page && r->page_no == page_no)
		return 0;
	fs_buf_put(r->page);
	r->page = NULL;
	r->page_no = page_no;
	return fs_chunk_map_find(r->j, r->ino, page_no, &r->page);
}

/* The run begins with this entry of chunk n. -EBADMSG: nobody has such a key. */
static int begin_run(struct reader *r, uint32_t n, const struct fs_map_entry *e)
{
	r->key = fs_journal_key(r->j, e->generation);
	if (!r->key)
		return -EBADMSG;
	r->first = n;
	r->pos = e->pos;
	r->seal[0] = e->seal;
	r->n = 1;
	return 0;
}

#define MOVES_MOST 100 /* of one chunk, while it is read once */

/*
 * A chunk that is sealed again moves without the inode's lock, and what was its unit may be
 * another's when we read there: what the map says now decides. The same as before: it is damaged.
 */
static int fetch_moved(struct reader *r, uint32_t n, struct fs_map_entry e)
{
	int rc = -EBADMSG;

	for (unsigned i = 0; i < MOVES_MOST && (rc == -EBADMSG || rc == -EIO); i++) {
		uint32_t page_no = n / FS_MAP_ENTRIES;
		struct fs_map_entry now;
		int rc2;

		r->page_no = page_no + 1; /* not what we have */
		rc2 = load_page(r, page_no);
		if (!rc2 && !fs_chunk_map_entry(r->page, n % FS_MAP_ENTRIES, &now))
			rc2 = -EBADMSG;
		if (rc2)
			return rc2;
		if (i && now.pos == e.pos && !memcmp(&now.seal, &e.seal, sizeof(e.seal)))
			break;
		e = now;
		rc = begin_run(r, n, &e);
		if (!rc)
			rc = fetch_run(r);
	}
	return rc;
}

/* Chunk by chunk what could not be had in one go. */
static int fetch_again(struct reader *r)
{
	uint32_t first = r->first;
	unsigned n = r->n;
	int rc = 0;

	for (unsigned i = 0; i < n && !rc; i++) {
		struct fs_map_entry e = {.pos = UINT64_MAX};

		rc = fetch_moved(r, first + i, e);
	}
	return rc;
}

static int fetch(struct reader *r)
{
	int rc = r->n ? fetch_run(r) : 0;

	if (rc == -EBADMSG || rc == -EIO)
		rc = fetch_again(r);
	r->n = 0;
	if (rc == -EBADMSG)
		report(r->j, r->ino);
	return rc;
}

/* Chunk n, which no group holds, joins the run. -ENODATA: it is a hole. */
static int add_committed(struct reader *r, uint32_t n)
{
	struct fs_map_entry e;
	int rc = load_page(r, n / FS_MAP_ENTRIES);

	if (rc)
		return rc;
	if (!fs_chunk_map_entry(r->page, n % FS_MAP_ENTRIES, &e))
		return -ENODATA;
	if (r->n && (r->n == RUN_MAX || n != r->first + r->n || e.pos != r->pos + r->n ||
		     e.generation != r->key->generation))
		rc = fetch(r);
	if (rc)
		return rc;
	if (r->n)
		r->seal[r->n++] = e.seal;
	else
		rc = begin_run(r, n, &e);
	if (rc == -EBADMSG)
		report(r->j, r->ino);
	return rc;
}

static int read_chunks(struct reader *r, const struct fs_chunk_pending *p, uint32_t count)
{
	bool any = false;
	int rc = 0;

	for (uint32_t i = 0; !rc && i < count; i++) {
		uint8_t *at = r->out + (size_t)i * FS_CHUNK;
		struct fs_buf *dirty;
		size_t have = 0;

		switch (fs_chunk_pending_state(p, (uint64_t)r->base + i, &dirty)) {
		case FS_CHUNK_COMMITTED:
			rc = add_committed(r, r->base + i);
			break;
		case FS_CHUNK_DATA:
			have = dirty->len;
			memcpy(at, dirty->data, have);
			memset(at + have, 0, FS_CHUNK - have);
			break;
		case FS_CHUNK_HOLE:
			rc = -ENODATA;
			break;
		}
		any |= !rc;
		if (rc == -ENODATA) {
			memset(at, 0, FS_CHUNK);
			rc = 0;
		}
	}
	if (!rc)
		rc = fetch(r);
	return rc ? rc : any ? 0 : -ENODATA;
}

int fs_chunk_read(struct fs_journal *j, uint64_t ino, uint32_t n, uint32_t count,
		  struct fs_buf **out)
{
	struct fs_chunk_pending p;
	struct fs_buf *buf;
	struct reader r;
	int rc;

	if (!atomic_load(&j->newest))
		return -EINVAL;
	rc = fs_chunk_pending_get(j, ino, n, (uint64_t)n + count, &p);
	if (rc)
		return rc;
	buf = fs_buf_raw((size_t)count * FS_CHUNK);
	rc = buf ? reader_init(&r, j, ino, n, buf->data) : -ENOMEM;
	if (!rc)
		rc = read_chunks(&r, &p, count);
	if (buf)
		reader_clear(&r);
	fs_chunk_pending_clear(&p);
	if (rc) {
		fs_buf_put(buf);
		return rc;
	}
	*out = buf;
	return 0;
}

static int read_committed(struct fs_journal *j, uint64_t ino, uint32_t n, struct fs_buf **out)
{
	struct fs_buf *buf = fs_buf_raw(FS_CHUNK);
	struct reader r;
	int rc;

	if (!buf)
		return -ENOMEM;
	rc = reader_init(&r, j, ino, n, buf->data);
	if (!rc)
		rc = add_committed(&r, n);
	if (!rc)
		rc = fetch(&r);
	reader_clear(&r);
	if (rc) {
		fs_buf_put(buf);
		return rc;
	}
	*out = buf;
	return 0;
}

int fs_chunk_get(struct fs_journal *j, uint64_t ino, uint32_t n, struct fs_buf **out)
{
	struct fs_key key = fs_chunk_key(j, ino, n), cut;
	struct fs_key from = fs_key(j->index, ino, FS_T_CUT);
	struct fs_key to = fs_chunk_key_end(j, ino, FS_T_CUT, (uint64_t)n + 1);
	struct fs_records *r = j->records;
	struct fs_buf *buf;
	uint64_t age;
	int rc;

	if (!atomic_load(&j->newest))
		return -EINVAL;
	rc = fs_group_get(r->group, &key, out);
	if (rc)
		return rc == 1 ? 0 : rc == -ENOENT ? -ENODATA : rc;
	if (fs_group_first(r->group, &from, &to, &cut))
		return -ENODATA;
	buf = fs_chunk_cache_get(r->chunks, j->index, ino, n, &age);
	if (!buf) {
		rc = read_committed(j, ino, n, &buf);
		if (rc)
			return rc;
		fs_chunk_cache_add(r->chunks, j->index, ino, n, buf, age);
	}
	*out = buf;
	return 0;
}

/* ---- changing ---- */

static int need_units(struct fs_journal *j, uint64_t ino, uint32_t n, uint32_t count)
{
	struct fs_container *c;
	int rc = fs_journal_units(j, &c);

	return rc ? rc : fs_chunk_space_need(j->space, c, ino, n, count);
}

/* The batch's own last word on a key; NULL: none. */
static struct fs_batch_entry *in_batch(struct fs_batch *b, const struct fs_key *key)
{
	for (size_t i = b->n; i-- > 0;) {
		if (!fs_key_cmp(&b->e[i].key, key))
			return &b->e[i];
	}
	return NULL;
}

/* The open group's value with the batch's patches of it: a private copy. */
static int replay_patches(struct fs_journal *j, struct fs_batch *b, const struct fs_key *key,
			  struct fs_buf **out)
{
	struct fs_buf *old, *buf;
	size_t len;

	if (fs_group_get(j->records->group, key, &old) != 1)
		return -ENODATA;
	len = old->len;
	for (size_t i = 0; i < b->n; i++) {
		const struct fs_batch_entry *e = &b->e[i];

		if (!fs_key_cmp(&e->key, key) && e->patch_off + e->patch_len > len)
			len = e->patch_off + e->patch_len;
	}
	buf = fs_buf_new(len);
	if (buf)
		memcpy(buf->data, old->data, old->len);
	fs_buf_put(old);
	for (size_t i = 0; buf && i < b->n; i++) {
		const struct fs_batch_entry *e = &b->e[i];

		if (!fs_key_cmp(&e->key, key))
			memcpy(buf->data + e->patch_off, e->patch, e->patch_len);
	}
	*out = buf;
	return buf ? 0 : -ENOMEM;
}

/* What chunk n holds once the batch so far is applied: 0 and a reference, or -ENODATA. */
static int get_in_batch(struct fs_journal *j, struct fs_batch *b, uint64_t ino, uint32_t n,
			struct fs_buf **out)
{
	struct fs_key key = fs_chunk_key(j, ino, n);
	struct fs_batch_entry *e = in_batch(b, &key);

	if (!e)
		return fs_chunk_get(j, ino, n, out);
	if (e->change == FS_DEL)
		return -ENODATA;
	if (!e->buf)
		return replay_patches(j, b, &key, out);
	*out = fs_buf_get(e->buf);
	return 0;
}

/* A private copy of the chunk with room for len bytes, the rest zero. */
static int copy_chunk(struct fs_journal *j, struct fs_batch *b, uint64_t ino, uint32_t n,
		      size_t len, struct fs_buf **out)
{
	struct fs_buf *old = NULL, *buf;
	int rc = get_in_batch(j, b, ino, n, &old);

	if (rc && rc != -ENODATA)
		return rc;
	buf = fs_buf_new(old && old->len > len ? old->len : len);
	if (buf && old)
		memcpy(buf->data, old->data, old->len);
	fs_buf_put(old);
	if (!buf)
		return -ENOMEM;
	*out = buf;
	return 0;
}

/* The open group's value is changed in place. -EAGAIN: it has none that could be. */
static int patch_open(struct fs_journal *j, struct fs_batch *b, uint64_t ino, uint32_t n,
		      uint32_t off, const uint8_t *p, uint32_t len)
{
	struct fs_group *g = j->records->group;
	struct fs_key key = fs_chunk_key(j, ino, n);
	struct fs_batch_entry *e = in_batch(b, &key);
	struct fs_buf *buf;

	if (e ? e->change != FS_PATCH : !fs_group_has(g, &key))
		return -EAGAIN;
	if (fs_group_get(g, &key, &buf) != 1)
		return -EAGAIN;
	fs_batch_patch_seen(b, j, &key, off, p, len, buf);
	return 0;
}

/* A part of one chunk. */
static int write_part(struct fs_journal *j, struct fs_batch *b, uint64_t ino, uint32_t n,
		      uint32_t off, const uint8_t *p, uint32_t len)
{
	struct fs_key key = fs_chunk_key(j, ino, n);
	struct fs_buf *buf;
	int rc = patch_open(j, b, ino, n, off, p, len);

	if (rc != -EAGAIN)
		return rc;
	rc = copy_chunk(j, b, ino, n, off + len, &buf);
	if (rc)
		return rc;
	memcpy(buf->data + off, p, len);
	fs_batch_put_buf(b, j, &key, buf);
	return 0;
}

/* `count` whole chunks from n on. */
static int write_whole(struct fs_journal *j, struct fs_batch *b, uint64_t ino, uint32_t n,
		       uint32_t count, const uint8_t *p)
{
	struct fs_buf *buf[RUN_MAX];

	while (count) {
		unsigned part = count < RUN_MAX ? count : RUN_MAX;
		int rc = fs_buf_raw_many(FS_CHUNK, buf, part);

		if (rc)
			return rc;
		for (unsigned i = 0; i < part; i++, n++, p += FS_CHUNK) {
			struct fs_key key = fs_chunk_key(j, ino, n);

			memcpy(buf[i]->data, p, FS_CHUNK);
			fs_batch_put_buf(b, j, &key, buf[i]);
		}
		count -= part;
	}
	return 0;
}

int fs_chunk_write(struct fs_journal *j, struct fs_batch *b, uint64_t ino, uint32_t n, uint32_t off,
		   const uint8_t *p, size_t len)
{
	uint64_t end = (uint64_t)n * FS_CHUNK + off + len;
	int rc;

	if (!atomic_load(&j->newest) || off >= FS_CHUNK || (end - 1) / FS_CHUNK > UINT32_MAX)
		return -EINVAL;
	if (!len)
		return 0;
	rc = need_units(j, ino, n, (uint32_t)((end - 1) / FS_CHUNK - n + 1));
	while (!rc && len) {
		size_t part = FS_CHUNK - off < len ? FS_CHUNK - off : len;

		if (part < FS_CHUNK) {
			rc = write_part(j, b, ino, n, off, p, (uint32_t)part);
		} else {
			part = len / FS_CHUNK * FS_CHUNK;
			rc = write_whole(j, b, ino, n, (uint32_t)(part / FS_CHUNK), p);
		}
		p += part;
		len -= part;
		n += (uint32_t)((off + part) / FS_CHUNK);
		off = 0;
	}
	return rc ? rc : b->rc;
}

int fs_chunk_punch(struct fs_journal *j, struct fs_batch *b, uint64_t ino, uint64_t lo, uint64_t hi,
		   unsigned most, uint64_t *next, uint64_t *gone)
{
	uint64_t n = 0;

	if (!atomic_load(&j->newest))
		return -EINVAL;
	while (lo < hi && n < most) {
		uint64_t end = (lo / FS_MAP_ENTRIES + 1) * FS_MAP_ENTRIES, mask;
		bool empty;
		uint32_t found;
		int rc;

		if (end > hi)
			end = hi;
		rc = fs_chunk_mask(j, ino, lo, end, &mask);
		if (rc)
			return rc;
		empty = !mask;
		for (; lo < end && n < most; lo++, mask >>= 1) {
			struct fs_key key = fs_chunk_key(j, ino, (uint32_t)lo);

			if (!(mask & 1))
				continue;
			fs_batch_del(b, j, &key);
			n++;
		}
		if (!empty || lo == hi)
			continue;
		rc = fs_chunk_seek(j, ino, (uint32_t)lo, (uint32_t)hi, true, &found);
		if (rc && rc != -ENXIO)
			return rc;
		lo = rc ? hi : found;
	}
	*next = lo;
	*gone = n;
	return b->rc;
}

static bool all_zero(const uint8_t *p, size_t n)
{
	return !n || (!p[0] && !memcmp(p, p + 1, n - 1));
}

/* The chunk that holds the new end keeps only what lies before it. */
static int trim_edge(struct fs_journal *j, struct fs_batch *b, uint64_t ino, uint32_t n,
		     uint32_t len)
{
	struct fs_key key = fs_chunk_key(j, ino, n);
	struct fs_buf *old, *buf;
	int rc = get_in_batch(j, b, ino, n, &old);

	if (rc)
		return rc == -ENODATA ? 0 : rc;
	if (old->len <= len || all_zero(old->data + len, old->len - len)) {
		fs_buf_put(old);
		return 0;
	}
	buf = fs_buf_copy(old->data, len);
	fs_buf_put(old);
	if (!buf)
		return -ENOMEM;
	rc = need_units(j, ino, n, 1);
	if (rc) {
		fs_buf_put(buf);
		return rc;
	}
	fs_batch_put_buf(b, j, &key, buf);
	return b->rc;
}

/* Tombstones for the chunks from n on that a group, or this batch, holds. */
static int drop_pending(struct fs_journal *j, struct fs_batch *b, uint64_t ino, uint32_t n)
{
	struct fs_key from = fs_chunk_key(j, ino, n), to = fs_key(j->index, ino, FS_T_CHUNK + 1);
	struct fs_group_entry *e = NULL;
	size_t count = 0, batched = b->n;
	int rc = fs_group_range(j->records->group, &from, &to, &e, &count);

	if (rc)
		return rc;
	for (size_t i = 0; i < count; i++) {
		if (e[i].buf)
			fs_batch_del(b, j, &e[i].key);
	}
	fs_group_range_free(e, count);
	for (size_t i = 0; i < batched; i++) {
		struct fs_key key = b->e[i].key;

		if (b->e[i].change != FS_DEL && fs_key_cmp(&key, &from) >= 0 &&
		    fs_key_cmp(&key, &to) < 0)
			fs_batch_del(b, j, &key);
	}
	return b->rc;
}

/* How many pages of an earlier version the committer may write for a cut here: its KEEP is in the
 * batch. */
static uint32_t kept_pages(const struct fs_batch *b, uint64_t ino, uint64_t first)
{
	uint64_t pages = 0;

	for (size_t i = 0; i < b->n; i++) {
		struct fs_group_entry e = {.key = b->e[i].key, .buf = b->e[i].buf};
		struct fs_chunk_keep k;

		if (fs_key_table(&e.key) == FS_T_KEEP && fs_key_ino(&e.key) == ino &&
		    fs_chunk_keep_entry(&e, &k) && !k.drop && k.chunks > first) {
			pages = (k.chunks - first) / FS_MAP_ENTRIES + 1;
			pages = pages < k.used ? pages : k.used;
		}
	}
	return (uint32_t)pages;
}

int fs_chunk_truncate(struct fs_journal *j, struct fs_batch *b, uint64_t ino, uint64_t size)
{
	uint64_t first = size / FS_CHUNK + (size % FS_CHUNK != 0);
	uint8_t pages[4];
	struct bytes_out out = bytes_out(pages, sizeof(pages));
	struct fs_key cut;
	int rc = 0;

	if (!atomic_load(&j->newest))
		return -EINVAL;
	if (size % FS_CHUNK)
		rc = trim_edge(j, b, ino, (uint32_t)(first - 1), (uint32_t)(size % FS_CHUNK));
	if (rc || first > UINT32_MAX)
		return rc;
	rc = drop_pending(j, b, ino, (uint32_t)first);
	if (rc)
		return rc;
	cut = fs_chunk_cut_key(j, ino, (uint32_t)first);
	/* So that a full disk is noticed now (fs/groupmap.c), and not by the commit. */
	bytes_put_u32(&out, kept_pages(b, ino, first));
	fs_batch_put(b, j, &cut, pages, sizeof(pages));
	return b->rc;
}
