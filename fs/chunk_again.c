/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/chunk_again.c - chunks that are to be sealed again under a newer key.
 *
 * A mark in a group (FS_T_AGAIN) names a page of a chunk map. At commit the chunks
 * of that page which older keys seal, and which neither the group replaces nor a
 * cut takes, are read and opened here and go to units of their own like dirty
 * ones. The committer is the only one that changes the committed state, so that
 * nothing needs the inode's lock and no change can be lost: what it reads is what
 * is in force until this very commit.
 *
 * Invariant: a mark is a wish. Whatever can't be read, opened or paid for stays as it is.
 * Committer only.
 */
#include <errno.h>
#include <stdlib.h>

#include "chunk_impl.h"

struct fs_key fs_chunk_again_key(const struct fs_key *record)
{
	struct fs_key k = fs_key(fs_key_journal(record), fs_key_ino(record), FS_T_AGAIN);

	fs_key_add_bytes(&k, record->b + FS_KEY_PLACE - 1, record->len - (FS_KEY_PLACE - 1u));
	return k;
}

struct fs_key fs_chunk_again_record(const struct fs_key *mark)
{
	struct fs_key k = {.len = 0};

	fs_key_add_bytes(&k, mark->b, FS_KEY_PLACE - 1);
	fs_key_add_bytes(&k, mark->b + FS_KEY_PLACE, mark->len - (size_t)FS_KEY_PLACE);
	return k;
}

bool fs_chunk_again_asked(const struct fs_chunk_again *a, uint64_t ino, uint32_t page_no)
{
	struct fs_key record = fs_key_n(a->j->index, ino, FS_T_MAP, page_no, 4);
	struct fs_key mark = fs_chunk_again_key(&record);
	size_t lo = a->first, hi = a->end;

	while (a->plain && lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		int cmp = fs_key_cmp(&fs_closing_at(a->closing, mid)->key, &mark);

		if (!cmp)
			return true;
		if (cmp < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return false;
}

/* Of a page of an earlier version. */
static unsigned old_units(const struct fs_chunk_again *a, const struct fs_key *record)
{
	struct fs_buf *buf;
	unsigned n;

	if (fs_record_committed(a->j, record, &buf))
		return 0;
	n = (unsigned)__builtin_popcountll(fs_chunk_map_older(buf, a->generation));
	fs_buf_put(buf);
	return n;
}

uint64_t fs_chunk_again_units(const struct fs_chunk_again *a)
{
	uint64_t units = 0;

	for (size_t i = a->first; i < a->end; i++) {
		const struct fs_key *mark = &fs_closing_at(a->closing, i)->key;
		struct fs_key record;
		struct fs_buf *page;

		if (fs_key_table(mark) != FS_T_AGAIN)
			continue;
		record = fs_chunk_again_record(mark);
		if (fs_key_table(&record) == FS_T_OLD_MAP)
			units += old_units(a, &record);
		if (fs_key_table(&record) != FS_T_MAP ||
		    fs_chunk_map_find(a->j, fs_key_ino(mark), (uint32_t)fs_key_sub(&record, 4),
				      &page))
			continue;
		units += (unsigned)__builtin_popcountll(fs_chunk_map_older(page, a->generation));
		fs_buf_put(page);
	}
	return units;
}

/* ---- reading ---- */

/* A run of the page's chunks, from entry `first` on, in neighboring units under one key. */
struct run {
	unsigned first, n;
	const struct fs_journal_key *key;
};

static bool joins(const struct fs_map_page *page, const struct run *r, unsigned i)
{
	const struct fs_map_entry *e = &page->e[r->first], *next = &page->e[i];

	return i == r->first + r->n && next->pos == e->pos + r->n &&
	       next->generation == e->generation;
}

/* Opens entries from..from+n-1 of what was read. */
static int open_run(struct fs_chunk_again *a, uint64_t ino, uint32_t page_no,
		    struct fs_map_page *page, const struct run *r, unsigned from, unsigned n)
{
	uint8_t ad[FS_MAP_ENTRIES][FS_CHUNK_AD_LEN];
	struct keys_chunk c[FS_MAP_ENTRIES];
	struct keys_chunk_opener o;
	int rc;

	keys_chunk_opener_init(&o, r->key->keys->chunk);
	for (unsigned i = 0; i < n; i++) {
		uint8_t *at = a->plain + (size_t)(from + i) * FS_CHUNK;

		fs_chunk_ad(a->j, ino, page_no * FS_MAP_ENTRIES + from + i, r->key->generation,
			    ad[i]);
		c[i] = (struct keys_chunk){
			{ad[i], FS_CHUNK_AD_LEN}, at, at, &page->e[from + i].seal};
	}
	rc = keys_chunk_open(&o, c, n, FS_CHUNK);
	keys_chunk_opener_clear(&o);
	return rc;
}

static void tell(struct fs_chunk_again *a, uint64_t ino)
{
	struct fs_key key = fs_key(a->j->index, ino, FS_T_CHUNK);

	fs_record_report(a->j->records, &key);
}

/* All of a run, or, when one of it is damaged, those that are not. */
static uint64_t read_run(struct fs_chunk_again *a, uint64_t ino, uint32_t page_no,
			 struct fs_map_page *page, struct run *r)
{
	uint8_t *at = a->plain + (size_t)r->first * FS_CHUNK;
	uint64_t opened = 0, all = ((UINT64_C(1) << r->n) - 1) << r->first;

	r->key = fs_journal_key(a->j, page->e[r->first].generation);
	if (!r->key)
		return 0;
	if (!fs_container_read(a->c, page->e[r->first].pos, at, (size_t)r->n * FS_CHUNK) &&
	    !open_run(a, ino, page_no, page, r, r->first, r->n))
		return all;
	for (unsigned i = r->first; i < r->first + r->n; i++) {
		int rc = fs_container_read(a->c, page->e[i].pos, a->plain + (size_t)i * FS_CHUNK,
					   FS_CHUNK);

		if (!rc)
			rc = open_run(a, ino, page_no, page, r, i, 1);
		if (!rc)
			opened |= UINT64_C(1) << i;
		if (rc == -EBADMSG)
			tell(a, ino);
	}
	return opened;
}

uint64_t fs_chunk_again_open(struct fs_chunk_again *a, uint64_t ino, uint32_t page_no,
			     const struct fs_map_page *page, uint64_t mask)
{
	struct fs_map_page copy = *page; /* opening takes what it could write to */
	struct run r = {.n = 0};
	uint64_t opened = 0;

	for (unsigned i = 0; i < FS_MAP_ENTRIES; i++) {
		if (!(mask >> i & 1))
			continue;
		if (r.n && joins(&copy, &r, i)) {
			r.n++;
			continue;
		}
		if (r.n)
			opened |= read_run(a, ino, page_no, &copy, &r);
		r = (struct run){.first = i, .n = 1};
	}
	if (r.n)
		opened |= read_run(a, ino, page_no, &copy, &r);
	return opened;
}

void fs_chunk_again_clear(struct fs_chunk_again *a)
{
	if (a->plain)
		keys_wipe(a->plain, (size_t)FS_MAP_ENTRIES * FS_CHUNK);
	free(a->plain);
	a->plain = NULL;
}
