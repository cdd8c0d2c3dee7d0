/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/chunk_cache.c - plaintext used lately: chunks, and pages of chunk maps.
 *
 * A table of sets; in a set the longest unused entry makes room, so that looking
 * and adding cost the same however full it is. Holds committed contents only:
 * groups are asked before it, and a commit drops what it changed while its group
 * can still be seen. What somebody read before such a drop and adds after it would
 * be stale: he takes the cache's age before he reads, and the add is refused when
 * anything was dropped since. A journal's entries go with its keys.
 * Locks: one mutex (leaf). Buffers are shared with readers and never changed.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "chunk_impl.h"

#define WAYS 8u

struct slot {
	struct fs_buf *buf; /* NULL: unused */
	uint64_t ino, used;
	uint32_t journal, n;
};

struct fs_chunk_cache {
	pthread_mutex_t lock;
	size_t sets;
	uint64_t clock, age;
	struct slot slot[];
};

int fs_chunk_cache_new(size_t max_bytes, struct fs_chunk_cache **out)
{
	size_t sets = max_bytes / FS_UNIT / WAYS;
	struct fs_chunk_cache *c;

	if (!sets)
		sets = 1;
	c = calloc(1, sizeof(*c) + sets * WAYS * sizeof(struct slot));
	if (!c)
		return -ENOMEM;
	pthread_mutex_init(&c->lock, NULL);
	c->sets = sets;
	*out = c;
	return 0;
}

static void clear_slot(struct slot *s)
{
	fs_buf_put(s->buf);
	*s = (struct slot){.buf = NULL};
}

void fs_chunk_cache_free(struct fs_chunk_cache *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < c->sets * WAYS; i++) {
		if (c->slot[i].buf)
			clear_slot(&c->slot[i]);
	}
	pthread_mutex_destroy(&c->lock);
	free(c);
}

static struct slot *set_of(struct fs_chunk_cache *c, uint32_t journal, uint64_t ino, uint32_t n)
{
	uint64_t h = (ino * 0x9e3779b97f4a7c15u ^ journal) * 0x9e3779b97f4a7c15u + n;

	h ^= h >> 32;
	return &c->slot[h % c->sets * WAYS];
}

/* Lock held. */
static struct slot *find(struct fs_chunk_cache *c, uint32_t journal, uint64_t ino, uint32_t n)
{
	struct slot *set = set_of(c, journal, ino, n);

	for (size_t i = 0; i < WAYS; i++) {
		struct slot *s = &set[i];

		if (s->buf && s->n == n && s->ino == ino && s->journal == journal)
			return s;
	}
	return NULL;
}

struct fs_buf *fs_chunk_cache_get(struct fs_chunk_cache *c, uint32_t journal, uint64_t ino,
				  uint32_t n, uint64_t *age)
{
	struct fs_buf *buf = NULL;
	struct slot *s;

	pthread_mutex_lock(&c->lock);
	s = find(c, journal, ino, n);
	if (s) {
		s->used = ++c->clock;
		buf = fs_buf_get(s->buf);
	}
	*age = c->age;
	pthread_mutex_unlock(&c->lock);
	return buf;
}

void fs_chunk_cache_add(struct fs_chunk_cache *c, uint32_t journal, uint64_t ino, uint32_t n,
			struct fs_buf *buf, uint64_t age)
{
	struct fs_buf *old = NULL;
	struct slot *s;

	if (buf->cap > FS_UNIT)
		return;
	pthread_mutex_lock(&c->lock);
	s = age == c->age ? find(c, journal, ino, n) : NULL;
	if (!s && age == c->age) {
		s = set_of(c, journal, ino, n);
		for (size_t i = 1; i < WAYS && s->buf; i++) {
			struct slot *other = &set_of(c, journal, ino, n)[i];

			if (!other->buf || other->used < s->used)
				s = other;
		}
	}
	if (s) {
		old = s->buf;
		*s = (struct slot){fs_buf_get(buf), ino, ++c->clock, journal, n};
	}
	pthread_mutex_unlock(&c->lock);
	fs_buf_put(old);
}

void fs_chunk_cache_drop(struct fs_chunk_cache *c, uint32_t journal, uint64_t ino, uint32_t first,
			 uint32_t last)
{
	pthread_mutex_lock(&c->lock);
	c->age++;
	if (ino && last - first < WAYS) {
		for (uint64_t n = first; n <= last; n++) {
			struct slot *s = find(c, journal, ino, (uint32_t)n);

			if (s)
				clear_slot(s);
		}
	} else {
		for (size_t i = 0; i < c->sets * WAYS; i++) {
			struct slot *s = &c->slot[i];

			if (s->buf && s->journal == journal &&
			    (!ino || (s->ino == ino && s->n >= first && s->n <= last)))
				clear_slot(s);
		}
	}
	pthread_mutex_unlock(&c->lock);
}

/* ---- after a commit ---- */

void fs_chunk_committed(struct fs_records *r, const struct fs_closing *closing)
{
	size_t count = fs_closing_count(closing), next;

	for (size_t i = 0; i < count; i = next) {
		const struct fs_key *key = &fs_closing_at(closing, i)->key;
		uint32_t n = (uint32_t)fs_key_sub(key, 4), last = UINT32_MAX;
		uint32_t journal = fs_key_journal(key);
		uint64_t ino = fs_key_ino(key);

		next = i + 1;
		if (fs_key_table(key) == FS_T_CHUNK) {
			next = fs_chunk_neighbors(closing, i, count);
			last = n + (uint32_t)(next - i - 1);
		} else if (fs_key_table(key) == FS_T_AGAIN) {
			struct fs_key record = fs_chunk_again_record(key);

			if (fs_key_table(&record) == FS_T_MAP)
				fs_chunk_cache_drop(r->maps, journal, ino,
						    (uint32_t)fs_key_sub(&record, 4),
						    (uint32_t)fs_key_sub(&record, 4));
			continue;
		} else if (fs_key_table(key) != FS_T_CUT) {
			continue;
		}
		fs_chunk_cache_drop(r->chunks, journal, ino, n, last);
		fs_chunk_cache_drop(r->maps, journal, ino, n / FS_MAP_ENTRIES,
				    last / FS_MAP_ENTRIES);
	}
}

void fs_chunk_forget(struct fs_records *r, uint32_t journal)
{
	fs_chunk_cache_drop(r->chunks, journal, 0, 0, 0);
	fs_chunk_cache_drop(r->maps, journal, 0, 0, 0);
}
