/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/chunk_commit.c - the committer's part of contents: chunks into the container.
 *
 * For one journal of a closing group: settles the reservation for all its dirty
 * chunks, then inode by inode applies cuts and chunks to the map pages. Units are
 * taken in runs as long as the free map has them, whatever files the chunks belong
 * to; every chunk is sealed once, into a staging buffer that is written when it is
 * full or its units stop being contiguous. Freed and allocated units go into bitmap
 * pages. Making the container's bytes durable is the commit's part (commit_carry.c).
 * What a mark asks to be sealed again (chunk_again.c) is moved to units of its own under
 * the key of this group; where there is no room for that it stays as it is.
 * On failure the caller takes all units back (fs_container_aborted) and nothing else
 * has changed.
 *
 * Committer only.
 */
#include <errno.h>
#include <stdlib.h>

#include "chunk_impl.h"

#define STAGE_LEN (1u << 20)
#define AT_ONCE 32u			/* chunks sealed at once, half of them by the helper */
#define RUN_MOST (STAGE_LEN / FS_CHUNK) /* units taken at once */

struct encode {
	struct fs_journal *j;
	struct fs_container *c;
	const struct fs_closing *closing;
	const struct fs_journal_key *key;
	struct fs_chunk_again again;
	int (*put)(void *ctx, const struct fs_key *key, const void *p, size_t len);
	int (*del)(void *ctx, const struct fs_key *key);
	void *ctx;
	struct keys_chunk_sealer sealer;
	struct keys_chunk todo[AT_ONCE]; /* placed, not sealed yet */
	uint8_t ad[AT_ONCE][FS_CHUNK_AD_LEN];
	unsigned n_todo;
	uint64_t left; /* chunks still to be placed */
	uint64_t pos;  /* units taken, not used yet */
	unsigned n_taken;
	unsigned run_most; /* longer runs were not found */
	uint64_t gone_pos; /* units to be freed */
	unsigned n_gone;
	uint8_t *stage;
	size_t stage_len, staged;
	uint64_t stage_pos; /* units */
};

/* The content entries of one inode. */
struct run {
	size_t first, end; /* FS_T_CHUNK entries in the closing group */
	uint64_t ino;
	uint64_t cut; /* committed chunks from here on go; UINT64_MAX: none */
	size_t keeps, keeps_end;   /* FS_T_KEEP entries */
	struct fs_chunk_keep keep; /* whose are those that go; .chunks 0: nobody's */
};

static uint32_t chunk_no(const struct fs_group_entry *e)
{
	return (uint32_t)fs_key_sub(&e->key, 4);
}

/* ---- writing ---- */

/* The second half of what waits to be sealed, for the helper: a run, and nonces, of its own. */
struct half {
	struct fs_chunk_job job; /* first */
	struct encode *x;
	unsigned from;
	int rc;
};

static void seal_half(struct fs_chunk_job *job)
{
	struct half *half = (struct half *)job;
	struct encode *x = half->x;
	struct keys_chunk_sealer sealer;

	keys_chunk_sealer_init(&sealer, x->key->keys->chunk);
	half->rc = keys_chunk_seal(&sealer, x->todo + half->from, x->n_todo - half->from, FS_CHUNK);
	keys_chunk_sealer_clear(&sealer);
}

static int seal_todo(struct encode *x)
{
	struct half half = {.job.run = seal_half, .x = x, .from = x->n_todo / 2};
	struct fs_chunk_help *help = x->j->records->help;
	int rc;

	if (x->n_todo < AT_ONCE / 2) {
		rc = keys_chunk_seal(&x->sealer, x->todo, x->n_todo, FS_CHUNK);
	} else {
		fs_chunk_help_give(help, &half.job);
		rc = keys_chunk_seal(&x->sealer, x->todo, half.from, FS_CHUNK);
		fs_chunk_help_finish(help, &half.job);
		rc = rc ? rc : half.rc;
	}
	x->n_todo = 0;
	return rc;
}

static int flush(struct encode *x)
{
	struct iovec iov = {x->stage, x->staged};
	int rc = seal_todo(x);

	if (!rc && x->staged)
		rc = fs_container_writev(x->c, x->stage_pos, &iov, 1);
	x->staged = 0;
	return rc;
}

/*
 * The next unit. They are taken in runs, so that neighbors in a file are neighbors on the disk, and
 * scattered chunks one write: the longest run first, half of it when there is none.
 */
static int next_unit(struct encode *x, uint64_t *pos)
{
	int rc = 0;

	while (!x->n_taken) {
		unsigned want = x->left < x->run_most ? (unsigned)x->left : x->run_most;

		rc = fs_container_alloc(x->c, want, &x->pos);
		if (!rc)
			x->n_taken = want;
		else if (rc != -ENOSPC || want <= 1)
			return rc;
		else
			x->run_most = want / 2;
	}
	*pos = x->pos++;
	x->n_taken--;
	x->left--;
	return 0;
}

/* A chunk goes to the stage; its map entry is whole after seal_todo. */
static int place_chunk(struct encode *x, uint64_t ino, uint32_t n, const uint8_t *from, size_t len,
		       struct fs_map_entry *e)
{
	uint64_t pos;
	uint8_t *at;
	int rc = next_unit(x, &pos);

	if (rc)
		return rc;
	if (x->staged + FS_CHUNK > x->stage_len || pos != x->stage_pos + x->staged / FS_UNIT) {
		rc = flush(x);
		if (rc)
			return rc;
		x->stage_pos = pos;
	}
	at = x->stage + x->staged;
	if (len < FS_CHUNK) {
		memcpy(at, from, len);
		memset(at + len, 0, FS_CHUNK - len);
		from = at;
	}
	x->staged += FS_CHUNK;
	e->pos = pos;
	e->used = true;
	e->generation = x->key->generation;
	fs_chunk_ad(x->j, ino, n, e->generation, x->ad[x->n_todo]);
	x->todo[x->n_todo] =
		(struct keys_chunk){{x->ad[x->n_todo], FS_CHUNK_AD_LEN}, from, at, &e->seal};
	return ++x->n_todo == AT_ONCE ? seal_todo(x) : 0;
}

static void free_gone(struct encode *x)
{
	fs_container_free(x->c, x->gone_pos, x->n_gone);
	x->n_gone = 0;
}

/* Frees the entry's unit, if it has one, and clears it. */
static void free_entry(struct encode *x, struct fs_map_entry *e)
{
	if (e->used && x->n_gone && (e->pos != x->gone_pos + x->n_gone || x->n_gone == RUN_MOST))
		free_gone(x);
	if (e->used && !x->n_gone++)
		x->gone_pos = e->pos;
	memset(e, 0, sizeof(*e));
}

/* ---- map pages ---- */

static int put_page(struct encode *x, uint64_t ino, uint32_t page_no,
		    const struct fs_map_page *page, bool existed)
{
	struct fs_key key = fs_key_n(x->j->index, ino, FS_T_MAP, page_no, 4);
	uint8_t bytes[FS_VALUE_MAX];
	size_t len = fs_chunk_map_encode(page, bytes);

	if (len)
		return x->put(x->ctx, &key, bytes, len);
	return existed ? x->del(x->ctx, &key) : 0;
}

static bool any_entry(const struct fs_map_page *page)
{
	for (unsigned i = 0; i < FS_MAP_ENTRIES; i++) {
		if (page->e[i].used || page->e[i].hole)
			return true;
	}
	return false;
}

/* What is left of a page under older keys, to units of its own under the group's. */
static int seal_again(struct encode *x, uint64_t ino, uint32_t page_no, struct fs_map_page *page,
		      bool *changed)
{
	uint64_t mask = 0;
	int rc = 0;

	for (unsigned i = 0; i < FS_MAP_ENTRIES; i++) {
		if (page->e[i].used && page->e[i].generation < x->key->generation)
			mask |= UINT64_C(1) << i;
	}
	if (!mask)
		return 0;
	mask = fs_chunk_again_open(&x->again, ino, page_no, page, mask);
	for (unsigned i = 0; !rc && i < FS_MAP_ENTRIES; i++) {
		if (!(mask >> i & 1))
			continue;
		free_entry(x, &page->e[i]);
		rc = place_chunk(x, ino, page_no * FS_MAP_ENTRIES + i,
				 x->again.plain + (size_t)i * FS_CHUNK, FS_CHUNK, &page->e[i]);
		*changed = true;
	}
	/* The next page's come to the same place. */
	return rc ? rc : seal_todo(x);
}

/* What is replaced or cut at place i of a page: kept, or freed. A hole that is filled leaves its mark. */
static void let_go(struct encode *x, struct fs_chunk_old *old, unsigned i, struct fs_map_entry *e)
{
	if (!e->used)
		fs_chunk_old_hole(old, i);
	else if (!fs_chunk_old_take(old, i, e))
		free_entry(x, e);
}

/*
 * One map page: the cut first, then the group's chunks first..end, all of this page, then what is
 * to be sealed again.
 */
static int encode_page(struct encode *x, const struct run *r, uint32_t page_no, size_t first,
		       size_t end)
{
	uint64_t base = (uint64_t)page_no * FS_MAP_ENTRIES;
	struct fs_map_page page;
	struct fs_chunk_old old;
	bool existed, changed = false, asked = fs_chunk_again_asked(&x->again, r->ino, page_no);
	int rc = fs_chunk_map_get(x->j, r->ino, page_no, &page);

	if (!rc)
		rc = fs_chunk_old_load(x->j, r->ino, &r->keep, page_no, &old);
	if (rc)
		return rc;
	existed = any_entry(&page);
	for (unsigned i = 0; i < FS_MAP_ENTRIES; i++) {
		if (base + i < r->cut || !page.e[i].used)
			continue;
		let_go(x, &old, i, &page.e[i]);
		changed = true;
	}
	for (size_t i = first; !rc && i < end; i++) {
		const struct fs_group_entry *e = fs_closing_at(x->closing, i);
		unsigned at = chunk_no(e) % FS_MAP_ENTRIES;
		struct fs_map_entry *m = &page.e[at];

		changed |= m->used || (e->buf && e->buf->len);
		let_go(x, &old, at, m);
		if (e->buf && e->buf->len)
			rc = place_chunk(x, r->ino, chunk_no(e), e->buf->data, e->buf->len, m);
	}
	if (!rc && asked)
		rc = seal_again(x, r->ino, page_no, &page, &changed);
	if (!rc)
		rc = seal_todo(x);
	if (!rc)
		rc = fs_chunk_old_put(&old, x->put, x->ctx);
	return rc || !changed ? rc : put_page(x, r->ino, page_no, &page, existed);
}

struct cut_ctx {
	struct encode *x;
	const struct run *r;
};

/* True when the group has chunks of this page, which encode_page has dealt with. */
static bool page_in_group(const struct encode *x, const struct run *r, uint64_t page_no)
{
	size_t lo = r->first, hi = r->end;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		uint32_t at = chunk_no(fs_closing_at(x->closing, mid)) / FS_MAP_ENTRIES;

		if (at == page_no)
			return true;
		if (at < page_no)
			lo = mid + 1;
		else
			hi = mid;
	}
	return false;
}

/* A committed page that lies wholly beyond the cut. */
static int cut_page(void *ctx, const struct fs_key *key, struct fs_buf *buf)
{
	struct cut_ctx *c = ctx;
	struct fs_map_page page;
	struct fs_chunk_old old;
	int rc;

	if (page_in_group(c->x, c->r, fs_key_sub(key, 4)))
		return 0;
	rc = fs_chunk_map_decode(buf->data, buf->len, &page);
	if (!rc)
		rc = fs_chunk_old_load(c->x->j, c->r->ino, &c->r->keep,
				       (uint32_t)fs_key_sub(key, 4), &old);
	if (rc)
		return rc;
	for (unsigned i = 0; i < FS_MAP_ENTRIES; i++) {
		if (page.e[i].used)
			let_go(c->x, &old, i, &page.e[i]);
	}
	rc = fs_chunk_old_put(&old, c->x->put, c->x->ctx);
	return rc ? rc : c->x->del(c->x->ctx, key);
}

static int encode_cut(struct encode *x, const struct run *r)
{
	uint64_t whole = (r->cut + FS_MAP_ENTRIES - 1) / FS_MAP_ENTRIES;
	uint32_t partial = (uint32_t)(r->cut / FS_MAP_ENTRIES);
	struct fs_key from = fs_key_n(x->j->index, r->ino, FS_T_MAP, whole, 4);
	struct fs_key to = fs_key(x->j->index, r->ino, FS_T_MAP + 1);
	struct cut_ctx ctx = {x, r};
	int rc = 0;

	if (whole != partial && !page_in_group(x, r, partial))
		rc = encode_page(x, r, partial, 0, 0);
	return rc ? rc : fs_record_scan(x->j, &from, &to, cut_page, &ctx);
}

/* A page of a version that is dropped. */
static int drop_page(void *ctx, const struct fs_key *key, struct fs_buf *buf)
{
	struct encode *x = ctx;
	struct fs_map_page page;
	int rc = fs_chunk_old_decode(buf->data, buf->len, &page);

	for (unsigned i = 0; !rc && i < FS_MAP_ENTRIES; i++)
		free_entry(x, &page.e[i]);
	return rc ? rc : x->del(x->ctx, key);
}

static int encode_drops(struct encode *x, const struct run *r)
{
	int rc = 0;

	for (size_t i = r->keeps; !rc && i < r->keeps_end; i++) {
		struct fs_chunk_keep k;
		struct fs_key from, to;

		if (!fs_chunk_keep_entry(fs_closing_at(x->closing, i), &k) || !k.drop)
			continue;
		from = fs_key_n(x->j->index, r->ino, FS_T_OLD_MAP, k.version, 4);
		to = from;
		fs_key_add(&to, UINT64_MAX, 5); /* pages have four bytes */
		rc = fs_record_scan(x->j, &from, &to, drop_page, x);
	}
	return rc;
}

static int encode_inode(struct encode *x, const struct run *r)
{
	size_t i = r->first, end;
	int rc = encode_drops(x, r);

	for (; !rc && i < r->end; i = end) {
		uint32_t page_no = chunk_no(fs_closing_at(x->closing, i)) / FS_MAP_ENTRIES;

		for (end = i + 1; end < r->end; end++) {
			if (chunk_no(fs_closing_at(x->closing, end)) / FS_MAP_ENTRIES != page_no)
				break;
		}
		rc = encode_page(x, r, page_no, i, end);
	}
	if (!rc && r->cut != UINT64_MAX)
		rc = encode_cut(x, r);
	return rc;
}

/* Does the group, or may it, change pages of this version? */
static bool old_in_group(const struct encode *x, const struct run *r, uint32_t version)
{
	for (size_t i = r->keeps; i < r->keeps_end; i++) {
		if (fs_key_sub(&fs_closing_at(x->closing, i)->key, 4) == version)
			return true;
	}
	return false;
}

/* A page of an earlier version: one that the group changes is left for another time. */
static int encode_old_mark(struct encode *x, const struct run *r, const struct fs_key *record)
{
	uint64_t at = fs_key_sub(record, 8);
	uint32_t version = (uint32_t)(at >> 32), page_no = (uint32_t)at;
	struct fs_chunk_old old = {.key = *record};
	int rc;

	if (old_in_group(x, r, version) ||
	    fs_chunk_old_get(x->j, r->ino, version, page_no, &old.page) ||
	    !any_entry(&old.page))
		return 0;
	rc = seal_again(x, r->ino, page_no, &old.page, &old.changed);
	/* The record itself may have an older key. */
	old.changed = true;
	return rc ? rc : fs_chunk_old_put(&old, x->put, x->ctx);
}

/*
 * Pages of which nothing but a mark is in the group. Such a page that can't be read is nobody's loss
 * but its own: it stays as it is.
 */
static int encode_marks(struct encode *x, const struct run *r)
{
	uint32_t partial = (uint32_t)(r->cut / FS_MAP_ENTRIES);
	int rc = 0;

	for (size_t i = r->end; !rc && x->again.plain && i < x->again.end; i++) {
		const struct fs_key *mark = &fs_closing_at(x->closing, i)->key;
		struct fs_key record;
		struct fs_buf *page;
		uint64_t page_no;

		if (fs_key_ino(mark) != r->ino)
			break;
		if (fs_key_table(mark) != FS_T_AGAIN)
			continue;
		record = fs_chunk_again_record(mark);
		if (fs_key_table(&record) == FS_T_OLD_MAP)
			rc = encode_old_mark(x, r, &record);
		if (fs_key_table(&record) != FS_T_MAP)
			continue;
		page_no = fs_key_sub(&record, 4);
		/* With the group's chunks, or with the cut, it was met already. */
		if (page_in_group(x, r, page_no) || (r->cut != UINT64_MAX && page_no >= partial))
			continue;
		if (fs_chunk_map_find(x->j, r->ino, (uint32_t)page_no, &page))
			continue;
		if (page->len)
			rc = encode_page(x, r, (uint32_t)page_no, 0, 0);
		fs_buf_put(page);
	}
	return rc;
}

/* ---- the journal ---- */

size_t fs_chunk_neighbors(const struct fs_closing *closing, size_t i, size_t end)
{
	const struct fs_group_entry *e = fs_closing_at(closing, i);
	uint32_t n = chunk_no(e);
	size_t at = i + 1;

	for (; at < end; at++) {
		const struct fs_group_entry *next = fs_closing_at(closing, at);

		if (fs_key_table(&next->key) != FS_T_CHUNK || chunk_no(next) != n + (at - i) ||
		    memcmp(next->key.b, e->key.b, FS_KEY_PLACE))
			break;
	}
	return at;
}

/* Chunks first..end-1 of the group are neighbors; *units grows by those that need one. */
static void settle_run(struct encode *x, size_t first, size_t end, uint64_t *units)
{
	struct fs_group *g = x->j->records->group;
	const struct fs_group_entry *e = fs_closing_at(x->closing, first);
	uint64_t ino = fs_key_ino(&e->key), n = chunk_no(e);
	struct fs_key to = fs_chunk_key_end(x->j, ino, FS_T_CHUNK, n + (end - first));

	fs_chunk_space_take(x->j->space, ino, (uint32_t)n, (uint32_t)(end - first));
	for (size_t i = first; i < end; i++) {
		const struct fs_buf *buf = fs_closing_at(x->closing, i)->buf;

		*units += buf && buf->len;
	}
	if (!fs_group_has_any(g, &e->key, &to))
		return;
	for (size_t i = first; i < end; i++) {
		const struct fs_key *key = &fs_closing_at(x->closing, i)->key;

		/* Without room the next commit asks again: the write was already taken. */
		if (fs_group_has(g, key))
			fs_chunk_space_need(x->j->space, x->c, ino, (uint32_t)fs_key_sub(key, 4),
					    1);
	}
}

/*
 * All units that the group's chunks need are reserved before the first is taken. A chunk that is
 * dirty in the open group too may have relied on the reservation taken here: it gets its own.
 */
static int settle(struct encode *x, size_t first, size_t end)
{
	uint64_t units = 0;
	size_t next;

	for (size_t i = first; i < end; i = next) {
		next = i + 1;
		if (fs_key_table(&fs_closing_at(x->closing, i)->key) != FS_T_CHUNK)
			continue;
		next = fs_chunk_neighbors(x->closing, i, end);
		settle_run(x, i, next, &units);
	}
	x->left = units;
	return fs_chunk_space_settle(x->j->space, x->c, units);
}

/* The same for what is to be sealed again. Without room for it that is given up, and nothing else. */
static void settle_again(struct encode *x)
{
	uint64_t units = x->again.plain ? fs_chunk_again_units(&x->again) : 0;

	if (units && !fs_chunk_space_more(x->j->space, x->c, units))
		x->left += units;
	else
		fs_chunk_again_clear(&x->again);
}

/* What was settled, or taken, for chunks that need not be sealed again after all. */
static void give_surplus(struct encode *x)
{
	if (x->n_taken)
		fs_container_free(x->c, x->pos, x->n_taken);
	x->left -= x->n_taken;
	x->n_taken = 0;
	fs_chunk_space_surplus(x->j->space, x->c, x->left);
	x->left = 0;
}

static bool of_contents(const struct fs_key *key)
{
	return fs_key_table(key) == FS_T_CHUNK || fs_key_table(key) == FS_T_CUT ||
	       fs_key_table(key) == FS_T_AGAIN || fs_key_table(key) == FS_T_KEEP;
}

/* In key order: the newest that is kept counts. */
static void add_keep(struct run *r, size_t i, const struct fs_group_entry *e)
{
	struct fs_chunk_keep k;

	if (!r->keeps_end)
		r->keeps = i;
	r->keeps_end = i + 1;
	if (fs_chunk_keep_entry(e, &k) && !k.drop)
		r->keep = k;
}

/* The next inode with contents, or marks, at or after *at; false: none. Moves *at past it. */
static bool next_run(struct encode *x, size_t *at, size_t end, struct run *r)
{
	size_t i = *at;

	while (i < end && !of_contents(&fs_closing_at(x->closing, i)->key))
		i++;
	if (i == end)
		return false;
	*r = (struct run){.first = i,
			  .end = i,
			  .ino = fs_key_ino(&fs_closing_at(x->closing, i)->key),
			  .cut = UINT64_MAX};
	for (; i < end; i++) {
		const struct fs_group_entry *e = fs_closing_at(x->closing, i);

		if (fs_key_ino(&e->key) != r->ino)
			break;
		if (fs_key_table(&e->key) == FS_T_CHUNK)
			r->end = i + 1;
		else if (fs_key_table(&e->key) == FS_T_CUT && r->cut == UINT64_MAX)
			r->cut = chunk_no(e); /* in key order: the smallest */
		else if (fs_key_table(&e->key) == FS_T_KEEP)
			add_keep(r, i, e);
	}
	*at = i;
	return true;
}

static int put_free_page(void *ctx, uint32_t page, const uint8_t *bits, size_t len)
{
	struct encode *x = ctx;
	struct fs_key key = fs_key_n(x->j->index, 0, FS_T_FREE, page, 4);

	return x->put(x->ctx, &key, bits, len);
}

/* Bitmap pages whose record is to be sealed again are written with those that changed. */
static void touch_free_pages(struct encode *x)
{
	for (size_t i = x->again.first; i < x->again.end; i++) {
		const struct fs_key *mark = &fs_closing_at(x->closing, i)->key;
		struct fs_key record;

		if (fs_key_ino(mark))
			break; /* they belong to inode 0, whose keys come first */
		if (fs_key_table(mark) != FS_T_AGAIN)
			continue;
		record = fs_chunk_again_record(mark);
		if (fs_key_table(&record) == FS_T_FREE)
			fs_container_touch(x->c, (uint32_t)fs_key_sub(&record, 4));
	}
}

static bool any_mark(const struct encode *x, size_t first, size_t n)
{
	for (size_t i = first; i < first + n; i++) {
		if (fs_key_table(&fs_closing_at(x->closing, i)->key) == FS_T_AGAIN)
			return true;
	}
	return false;
}

/* Without memory for it nothing is sealed again this time. */
static void again_init(struct encode *x, size_t first, size_t n)
{
	x->again = (struct fs_chunk_again){
		.j = x->j,
		.c = x->c,
		.closing = x->closing,
		.first = first,
		.end = first + n,
		.generation = x->key->generation,
	};
	if (any_mark(x, first, n))
		x->again.plain = malloc((size_t)FS_MAP_ENTRIES * FS_CHUNK);
}

int fs_chunk_encode(struct fs_journal *j, const struct fs_closing *closing, size_t first, size_t n,
		    int (*put)(void *ctx, const struct fs_key *key, const void *p, size_t len),
		    int (*del)(void *ctx, const struct fs_key *key), void *ctx)
{
	struct encode x = {.j = j,
			   .closing = closing,
			   .put = put,
			   .del = del,
			   .ctx = ctx,
			   .run_most = RUN_MOST};
	size_t at = first;
	struct run r;
	int rc = fs_journal_units(j, &x.c);

	if (rc)
		return rc;
	x.key = fs_journal_key_sealing(j);
	if (!x.key)
		return -ENOKEY;
	again_init(&x, first, n);
	keys_chunk_sealer_init(&x.sealer, x.key->keys->chunk);
	rc = settle(&x, first, first + n);
	if (!rc)
		settle_again(&x);
	x.stage_len = x.left < RUN_MOST ? (size_t)x.left * FS_CHUNK : STAGE_LEN;
	x.stage = rc ? NULL : malloc(x.stage_len ? x.stage_len : 1);
	if (!rc && !x.stage)
		rc = -ENOMEM;
	while (!rc && next_run(&x, &at, first + n, &r)) {
		rc = encode_inode(&x, &r);
		if (!rc)
			rc = encode_marks(&x, &r);
	}
	if (!rc)
		rc = flush(&x);
	free_gone(&x);
	if (!rc) {
		give_surplus(&x);
		touch_free_pages(&x);
		rc = fs_container_dirty_pages(x.c, put_free_page, &x);
	}
	if (rc && x.stage)
		keys_wipe(x.stage, x.stage_len); /* a chunk may stand there unsealed */
	keys_chunk_sealer_clear(&x.sealer);
	fs_chunk_again_clear(&x.again);
	free(x.stage);
	return rc;
}
