/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/chunk_space.c - how many container units are reserved, and for which dirty chunk.
 *
 * A write reserves for its chunk before it enters a batch, so that a full disk is
 * met by the operation and not by the committer. The committer takes over the
 * reservations of the chunks that it encodes and settles the difference. What a
 * failed operation reserved is given back after two commits.
 *
 * Invariant: reserved in the container = sum of all units here + held, between calls.
 * Locks: one mutex, held across the container's own.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "chunk_impl.h"

#define BUCKETS 256u
#define AGE_MAX 2

struct place {
	struct place *chain;
	uint64_t ino;
	uint32_t n;
	unsigned units;
	unsigned age; /* commits since it was reserved */
};

struct fs_chunk_space {
	pthread_mutex_t lock;
	struct place *bucket[BUCKETS];
	uint64_t held; /* of the closing group */
};

int fs_chunk_space_new(struct fs_chunk_space **out)
{
	struct fs_chunk_space *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	pthread_mutex_init(&s->lock, NULL);
	*out = s;
	return 0;
}

static struct place **find(struct fs_chunk_space *s, uint64_t ino, uint32_t n)
{
	struct place **at = &s->bucket[(ino * 2654435761u + n) % BUCKETS];

	while (*at && ((*at)->ino != ino || (*at)->n != n))
		at = &(*at)->chain;
	return at;
}

/* Removes it; the units that it had. */
static unsigned drop(struct place **at)
{
	struct place *p = *at;
	unsigned units = p->units;

	*at = p->chain;
	free(p);
	return units;
}

void fs_chunk_space_free(struct fs_chunk_space *s, struct fs_container *c)
{
	if (!s)
		return;
	for (unsigned b = 0; b < BUCKETS; b++) {
		while (s->bucket[b])
			s->held += drop(&s->bucket[b]);
	}
	fs_container_unreserve(c, s->held);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

int fs_chunk_space_need(struct fs_chunk_space *s, struct fs_container *c, uint64_t ino, uint32_t n,
			unsigned units)
{
	struct place **at, *p;
	int rc = 0;

	pthread_mutex_lock(&s->lock);
	at = find(s, ino, n);
	p = *at;
	if (!p) {
		p = calloc(1, sizeof(*p));
		if (!p) {
			rc = -ENOMEM;
			goto out;
		}
		p->ino = ino;
		p->n = n;
		*at = p;
	}
	p->age = 0;
	if (p->units < units) {
		rc = fs_container_reserve(c, units - p->units);
		if (!rc)
			p->units = units;
		else if (!p->units)
			drop(at);
	}
out:
	pthread_mutex_unlock(&s->lock);
	return rc;
}

void fs_chunk_space_take(struct fs_chunk_space *s, uint64_t ino, uint32_t n)
{
	struct place **at;

	pthread_mutex_lock(&s->lock);
	at = find(s, ino, n);
	if (*at)
		s->held += drop(at);
	pthread_mutex_unlock(&s->lock);
}

/* Under the lock: what stayed for AGE_MAX commits belongs to no group. */
static void take_old(struct fs_chunk_space *s)
{
	for (unsigned b = 0; b < BUCKETS; b++) {
		struct place **at = &s->bucket[b];

		while (*at) {
			if ((*at)->age++ >= AGE_MAX)
				s->held += drop(at);
			else
				at = &(*at)->chain;
		}
	}
}

int fs_chunk_space_settle(struct fs_chunk_space *s, struct fs_container *c, uint64_t units)
{
	int rc = 0;

	pthread_mutex_lock(&s->lock);
	take_old(s);
	if (s->held < units)
		rc = fs_container_reserve(c, units - s->held);
	else
		fs_container_unreserve(c, s->held - units);
	if (!rc)
		s->held = units;
	pthread_mutex_unlock(&s->lock);
	return rc;
}

void fs_chunk_space_settled(struct fs_chunk_space *s)
{
	pthread_mutex_lock(&s->lock);
	s->held = 0;
	pthread_mutex_unlock(&s->lock);
}
