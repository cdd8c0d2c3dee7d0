/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/container.c - the free map of a journal's container: what is in use, free, reserved.
 *
 * A unit freed, whether before or after a crash would need it, is not used again
 * before committed() has made busy follow now; aborted() goes the other way. The
 * bitmaps: container_impl.h; the file: container_file.c. Format: fs/FORMAT.md,
 * "Containers".
 *
 * Lock: `lock` (leaf) guards all but the file's bytes. It is held across fallocate,
 * since two operations must not grow the file at once.
 */
#include "container_impl.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DIRTY 1
#define TOUCHED 2

/* ---- bits ---- */

void fs_container_set_bits(uint64_t *map, uint64_t from, uint64_t n, bool value)
{
	for (uint64_t i = from; i < from + n; i++) {
		if (value)
			map[i / 64] |= UINT64_C(1) << i % 64;
		else
			map[i / 64] &= ~(UINT64_C(1) << i % 64);
	}
}

uint64_t fs_container_count_bits(const uint64_t *map, uint64_t from, uint64_t to)
{
	uint64_t n = 0;

	while (from < to) {
		uint64_t word = map[from / 64] >> from % 64;
		unsigned bits = 64 - from % 64;

		if (to - from < bits) {
			bits = (unsigned)(to - from);
			word &= (UINT64_C(1) << bits) - 1;
		}
		n += (uint64_t)__builtin_popcountll(word);
		from += bits;
	}
	return n;
}

/* The first bit with this value in [from, to), else to. Whole words at a time. */
uint64_t fs_container_find_bit(const uint64_t *map, uint64_t from, uint64_t to, bool value)
{
	while (from < to) {
		uint64_t word = value ? map[from / 64] : ~map[from / 64];

		word = word >> from % 64 << from % 64;
		if (word) {
			from = from / 64 * 64 + (unsigned)__builtin_ctzll(word);
			break;
		}
		from = (from / 64 + 1) * 64;
	}
	return from < to ? from : to;
}

/* A run of n clear bits in [from, to), else to. */
static uint64_t find_run(const uint64_t *map, uint64_t from, uint64_t to, unsigned n)
{
	while (to - from >= n) {
		uint64_t start = fs_container_find_bit(map, from, to, false), end;

		if (to - start < n)
			break;
		end = fs_container_find_bit(map, start, start + n, true);
		if (end == start + n)
			return start;
		from = end;
	}
	return to;
}

/* ---- memory ---- */

static int grow_map(uint64_t **map, uint32_t from, uint32_t to)
{
	uint64_t *p = reallocarray(*map, to, PAGE_BYTES);

	if (!p)
		return -ENOMEM;
	memset(p + (size_t)from * PAGE_WORDS, 0, (size_t)(to - from) * PAGE_BYTES);
	*map = p;
	return 0;
}

int fs_container_cover(struct fs_container *c, uint64_t units)
{
	uint64_t pages = (units + FS_CONTAINER_PAGE_UNITS - 1) / FS_CONTAINER_PAGE_UNITS;
	uint8_t *dirty;

	if (pages <= c->pages)
		return 0;
	if (pages > PAGES_MAX)
		return -EFBIG;
	if (grow_map(&c->committed, c->pages, (uint32_t)pages) ||
	    grow_map(&c->now, c->pages, (uint32_t)pages) ||
	    grow_map(&c->busy, c->pages, (uint32_t)pages) ||
	    grow_map(&c->hollow, c->pages, (uint32_t)pages))
		return -ENOMEM;
	dirty = realloc(c->dirty, pages);
	if (!dirty)
		return -ENOMEM;
	memset(dirty + c->pages, 0, pages - c->pages);
	c->dirty = dirty;
	c->pages = (uint32_t)pages;
	return 0;
}

int fs_container_set_capacity(struct fs_container *c, uint64_t units)
{
	int rc = fs_container_cover(c, units);

	if (rc)
		return rc;
	if (units > c->capacity)
		c->free +=
			units - c->capacity - fs_container_count_bits(c->busy, c->capacity, units);
	c->capacity = units;
	return 0;
}

/* ---- loading ---- */

/* Which of the free units from..to have their space is not known: somebody may have punched them.
 */
static void mark_hollow(struct fs_container *c, uint64_t from, uint64_t to)
{
	while (from < to) {
		unsigned n = 64 - from % 64;
		uint64_t *hollow = &c->hollow[from / 64], mask = UINT64_MAX;

		if (n > to - from)
			n = (unsigned)(to - from);
		mask = mask >> (64 - n) << from % 64;
		c->n_hollow -= (uint64_t)__builtin_popcountll(*hollow & mask);
		*hollow = (*hollow & ~mask) | (~c->now[from / 64] & mask);
		c->n_hollow += (uint64_t)__builtin_popcountll(*hollow & mask);
		c->busy[from / 64] |= mask;
		from += n;
	}
}

/* The last set bit of a page, plus one; 0: none. */
static uint64_t page_end(const uint64_t *map, uint32_t page)
{
	uint64_t first = (uint64_t)page * PAGE_WORDS, i = first + PAGE_WORDS;

	while (i > first && !map[i - 1])
		i--;
	return i > first ? i * 64 - (unsigned)__builtin_clzll(map[i - 1]) : 0;
}

/*
 * The file's length is anybody's word: the bitmaps speak only of what some record speaks of, so
 * that a sparse file of terabytes costs nothing.
 */
static void extend(struct fs_container *c, uint32_t page)
{
	uint64_t first = (uint64_t)page * FS_CONTAINER_PAGE_UNITS, before = c->capacity;
	uint64_t end = page_end(c->now, page);

	if (end > c->file_units)
		end = c->file_units;
	if (end > c->capacity)
		c->capacity = end;
	end = first + FS_CONTAINER_PAGE_UNITS;
	mark_hollow(c, first < before ? first : before, end < c->capacity ? end : c->capacity);
}

int fs_container_load(struct fs_container *c, uint32_t page, const uint8_t *bits, size_t len)
{
	uint8_t full[PAGE_BYTES] = {0};
	uint64_t first = (uint64_t)page * FS_CONTAINER_PAGE_UNITS;
	uint64_t *now;
	int rc;

	if (page >= PAGES_MAX || len > PAGE_BYTES)
		return -EINVAL;
	memcpy(full, bits, len);
	pthread_mutex_lock(&c->lock);
	rc = fs_container_cover(c, first + FS_CONTAINER_PAGE_UNITS);
	if (rc)
		goto out;
	now = c->now + (size_t)page * PAGE_WORDS;
	c->used -= fs_container_count_bits(c->now, first, first + FS_CONTAINER_PAGE_UNITS);
	for (size_t i = 0; i < PAGE_WORDS; i++) {
		uint64_t word;

		memcpy(&word, full + 8 * i, 8);
		now[i] = le64toh(word);
	}
	memcpy(c->busy + (size_t)page * PAGE_WORDS, now, PAGE_BYTES);
	memcpy(c->committed + (size_t)page * PAGE_WORDS, now, PAGE_BYTES);
	extend(c, page);
	c->used += fs_container_count_bits(c->now, first, first + FS_CONTAINER_PAGE_UNITS);
out:
	pthread_mutex_unlock(&c->lock);
	return rc;
}

int fs_container_reserve(struct fs_container *c, uint64_t units)
{
	uint64_t want;
	int rc = 0;

	if (units > (uint64_t)PAGES_MAX * FS_CONTAINER_PAGE_UNITS)
		return -ENOSPC;
	pthread_mutex_lock(&c->lock);
	want = c->reserved + units;
	if (want > c->free)
		rc = fs_container_grow(c, want - c->free);
	if (!rc)
		c->reserved = want;
	pthread_mutex_unlock(&c->lock);
	return rc;
}

void fs_container_unreserve(struct fs_container *c, uint64_t units)
{
	pthread_mutex_lock(&c->lock);
	c->reserved -= units < c->reserved ? units : c->reserved;
	pthread_mutex_unlock(&c->lock);
}

static void mark(struct fs_container *c, uint64_t pos, unsigned units)
{
	c->dirty[pos / FS_CONTAINER_PAGE_UNITS] |= DIRTY | TOUCHED;
	c->dirty[(pos + units - 1) / FS_CONTAINER_PAGE_UNITS] |= DIRTY | TOUCHED;
}

int fs_container_alloc(struct fs_container *c, unsigned units, uint64_t *pos)
{
	uint64_t at, from_reserve;
	int rc = -ENOSPC;

	if (!units)
		return -EINVAL;
	pthread_mutex_lock(&c->lock);
	from_reserve = units < c->reserved ? units : c->reserved;
	if (c->free - (c->reserved - from_reserve) < units)
		goto out; /* the rest is promised to others */
	at = find_run(c->busy, c->next < c->capacity ? c->next : 0, c->capacity, units);
	if (at == c->capacity)
		at = find_run(c->busy, 0, c->capacity, units);
	if (at == c->capacity)
		goto out;
	fs_container_set_bits(c->busy, at, units, true);
	fs_container_set_bits(c->now, at, units, true);
	mark(c, at, units);
	c->free -= units;
	c->used += units;
	c->reserved -= from_reserve;
	c->allocated += units;
	c->next = at + units;
	*pos = at;
	rc = 0;
out:
	pthread_mutex_unlock(&c->lock);
	return rc;
}

void fs_container_free(struct fs_container *c, uint64_t pos, unsigned units)
{
	pthread_mutex_lock(&c->lock);
	/* A map may name units that never were: damage, which freeing must not spread. */
	if (units && pos < c->capacity && units <= c->capacity - pos) {
		c->used -= fs_container_count_bits(c->now, pos, pos + units);
		fs_container_set_bits(c->now, pos, units, false);
		mark(c, pos, units);
	}
	pthread_mutex_unlock(&c->lock);
}

/* busy follows the state that holds from now on. */
static void settle_busy(struct fs_container *c, const uint64_t *from)
{
	for (uint32_t p = 0; p < c->pages; p++) {
		if (!(c->dirty[p] & TOUCHED))
			continue;
		for (size_t i = (size_t)p * PAGE_WORDS; i < ((size_t)p + 1) * PAGE_WORDS; i++)
			c->busy[i] = from[i] | c->hollow[i];
	}
}

/* Copies the pages touched since the last commit. */
static void copy_touched(struct fs_container *c, uint64_t *to, const uint64_t *from)
{
	for (uint32_t p = 0; p < c->pages; p++) {
		if (c->dirty[p] & TOUCHED)
			memcpy(to + (size_t)p * PAGE_WORDS, from + (size_t)p * PAGE_WORDS,
			       PAGE_BYTES);
	}
}

static uint64_t clear_touched(struct fs_container *c, uint8_t flags)
{
	uint64_t busy = 0;

	for (uint32_t p = 0; p < c->pages; p++) {
		uint64_t first = (uint64_t)p * FS_CONTAINER_PAGE_UNITS;
		uint64_t end = first + FS_CONTAINER_PAGE_UNITS;

		c->dirty[p] &= (uint8_t)~flags;
		if (first < c->capacity)
			busy += fs_container_count_bits(c->busy, first,
							end < c->capacity ? end : c->capacity);
	}
	return busy;
}

void fs_container_committed(struct fs_container *c)
{
	fs_container_forget_pieces(c);
	atomic_store(&c->wrote, false); /* synced, or the store's care now */
	pthread_mutex_lock(&c->lock);
	c->lent = false;
	copy_touched(c, c->committed, c->now);
	settle_busy(c, c->now);
	c->free = c->capacity - clear_touched(c, TOUCHED);
	c->allocated = 0;
	fs_container_give_back(c);
	pthread_mutex_unlock(&c->lock);
}

void fs_container_aborted(struct fs_container *c)
{
	fs_container_forget_pieces(c);
	pthread_mutex_lock(&c->lock);
	c->lent = false;
	copy_touched(c, c->now, c->committed);
	settle_busy(c, c->committed);
	c->free = c->capacity - clear_touched(c, TOUCHED | DIRTY);
	c->reserved += c->allocated;
	if (c->reserved > c->free)
		c->reserved = c->free;
	c->allocated = 0;
	c->used = fs_container_count_bits(c->now, 0, (uint64_t)c->pages * FS_CONTAINER_PAGE_UNITS);
	pthread_mutex_unlock(&c->lock);
}

void fs_container_touch(struct fs_container *c, uint32_t page)
{
	pthread_mutex_lock(&c->lock);
	if (page < c->pages)
		c->dirty[page] |= DIRTY;
	pthread_mutex_unlock(&c->lock);
}

static size_t encode_page(const struct fs_container *c, uint32_t page, uint8_t *out)
{
	const uint64_t *now = c->now + (size_t)page * PAGE_WORDS;
	size_t len = PAGE_BYTES;

	for (size_t i = 0; i < PAGE_WORDS; i++) {
		uint64_t word = htole64(now[i]);

		memcpy(out + 8 * i, &word, 8);
	}
	while (len > 1 && !out[len - 1])
		len--;
	return len;
}

int fs_container_dirty_pages(struct fs_container *c,
			     int (*fn)(void *ctx, uint32_t page, const uint8_t *bits, size_t len),
			     void *ctx)
{
	uint8_t bits[PAGE_BYTES];
	uint32_t pages;
	int rc = 0;

	/* fn runs unlocked. Meanwhile an operation may grow the map, but only the caller's own
	 * thread changes bits and flags. */
	pthread_mutex_lock(&c->lock);
	pages = c->pages;
	for (uint32_t p = 0; p < pages && !rc; p++) {
		size_t len;

		if (!(c->dirty[p] & DIRTY))
			continue;
		len = encode_page(c, p, bits);
		pthread_mutex_unlock(&c->lock);
		rc = fn(ctx, p, bits, len);
		pthread_mutex_lock(&c->lock);
	}
	for (uint32_t p = 0; p < pages && !rc; p++)
		c->dirty[p] &= (uint8_t)~DIRTY;
	pthread_mutex_unlock(&c->lock);
	return rc;
}

uint64_t fs_container_units_used(struct fs_container *c)
{
	uint64_t n;

	pthread_mutex_lock(&c->lock);
	n = c->used;
	pthread_mutex_unlock(&c->lock);
	return n;
}
