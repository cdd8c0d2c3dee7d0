/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/chunk_cache.c - plaintext of chunks that were read lately.
 *
 * One small table for all journals, bounded in bytes and in number, the longest
 * unused chunk goes first. Holds committed contents only: groups are asked before
 * it, and a commit drops what it changed while its group can still be seen. A
 * journal's chunks go with its keys.
 * Locks: one mutex (leaf). Buffers are shared with readers and never changed.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "chunk_impl.h"

#define SLOTS 512

struct slot {
	struct fs_buf *buf; /* NULL: unused */
	uint64_t ino, used;
	uint32_t journal, n;
};

struct fs_chunk_cache {
	pthread_mutex_t lock;
	size_t max_bytes, bytes;
	uint64_t clock;
	struct slot slot[SLOTS];
};

int fs_chunk_cache_new(size_t max_bytes, struct fs_chunk_cache **out)
{
	struct fs_chunk_cache *c = calloc(1, sizeof(*c));

	if (!c)
		return -ENOMEM;
	pthread_mutex_init(&c->lock, NULL);
	c->max_bytes = max_bytes;
	*out = c;
	return 0;
}

static void clear_slot(struct fs_chunk_cache *c, struct slot *s)
{
	c->bytes -= s->buf->cap;
	fs_buf_put(s->buf);
	*s = (struct slot){.buf = NULL};
}

void fs_chunk_cache_free(struct fs_chunk_cache *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < SLOTS; i++) {
		if (c->slot[i].buf)
			clear_slot(c, &c->slot[i]);
	}
	pthread_mutex_destroy(&c->lock);
	free(c);
}

struct fs_buf *fs_chunk_cache_get(struct fs_chunk_cache *c, uint32_t journal, uint64_t ino,
				  uint32_t n)
{
	struct fs_buf *buf = NULL;

	pthread_mutex_lock(&c->lock);
	for (size_t i = 0; i < SLOTS && !buf; i++) {
		struct slot *s = &c->slot[i];

		if (s->buf && s->n == n && s->ino == ino && s->journal == journal) {
			s->used = ++c->clock;
			buf = fs_buf_get(s->buf);
		}
	}
	pthread_mutex_unlock(&c->lock);
	return buf;
}

/* An unused slot, or that of the chunk unused for longest. */
static struct slot *oldest(struct fs_chunk_cache *c, bool in_use)
{
	struct slot *best = NULL;

	for (size_t i = 0; i < SLOTS; i++) {
		struct slot *s = &c->slot[i];

		if (in_use ? !s->buf : false)
			continue;
		if (!best || s->used < best->used)
			best = s;
	}
	return best;
}

void fs_chunk_cache_add(struct fs_chunk_cache *c, uint32_t journal, uint64_t ino, uint32_t n,
			struct fs_buf *buf)
{
	struct slot *s;

	if (buf->cap > c->max_bytes)
		return;
	fs_chunk_cache_drop(c, journal, ino, n, n);
	pthread_mutex_lock(&c->lock);
	while (c->bytes + buf->cap > c->max_bytes)
		clear_slot(c, oldest(c, true));
	s = oldest(c, false);
	if (s->buf)
		clear_slot(c, s);
	*s = (struct slot){fs_buf_get(buf), ino, ++c->clock, journal, n};
	c->bytes += buf->cap;
	pthread_mutex_unlock(&c->lock);
}

void fs_chunk_cache_drop(struct fs_chunk_cache *c, uint32_t journal, uint64_t ino, uint32_t first,
			 uint32_t last)
{
	pthread_mutex_lock(&c->lock);
	for (size_t i = 0; i < SLOTS; i++) {
		struct slot *s = &c->slot[i];

		if (!s->buf || s->journal != journal)
			continue;
		if (!ino || (s->ino == ino && s->n >= first && s->n <= last))
			clear_slot(c, s);
	}
	pthread_mutex_unlock(&c->lock);
}
