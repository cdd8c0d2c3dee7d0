/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/chunk_space.c - for which dirty chunks a container unit is reserved.
 *
 * A write reserves for its chunks before it enters a batch, so that a full disk is
 * met by the operation and not by the committer. The committer takes over the
 * reservations of the chunks that it encodes and settles the difference. What a
 * failed operation reserved is given back after two commits.
 *
 * The chunks stand in an open-addressed table that grows with them; what is removed
 * leaves a mark until the table is made anew.
 *
 * Invariant: reserved in the container = chunks here + held, between calls.
 * Locks: one mutex, held across the container's own.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "chunk_impl.h"

#define SIZE_LEAST 64u
#define AGE_MAX 2

enum place_state { PLACE_FREE, PLACE_GONE, PLACE_TAKEN };

struct place {
	uint64_t ino;
	uint32_t n;
	uint8_t state;
	uint8_t age; /* commits since it was reserved */
};

struct fs_chunk_space {
	pthread_mutex_t lock;
	struct place *table;
	size_t size;	      /* a power of two, or 0 */
	size_t taken, filled; /* filled: taken and gone */
	uint64_t held;	      /* of the closing group */
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

void fs_chunk_space_free(struct fs_chunk_space *s, struct fs_container *c)
{
	if (!s)
		return;
	fs_container_unreserve(c, s->held + s->taken);
	pthread_mutex_destroy(&s->lock);
	free(s->table);
	free(s);
}

/* ---- the table ---- */

static size_t place_of(const struct fs_chunk_space *s, uint64_t ino, uint32_t n)
{
	uint64_t h = (ino * 0x9e3779b97f4a7c15u + n) * 0x9e3779b97f4a7c15u;

	return (size_t)(h >> 32) & (s->size - 1);
}

static struct place *find(struct fs_chunk_space *s, uint64_t ino, uint32_t n)
{
	if (!s->size)
		return NULL;
	for (size_t i = place_of(s, ino, n);; i = (i + 1) & (s->size - 1)) {
		struct place *p = &s->table[i];

		if (p->state == PLACE_FREE)
			return NULL;
		if (p->state == PLACE_TAKEN && p->ino == ino && p->n == n)
			return p;
	}
}

/* There is room. */
static void insert(struct fs_chunk_space *s, struct place p)
{
	size_t i = place_of(s, p.ino, p.n);

	while (s->table[i].state != PLACE_FREE)
		i = (i + 1) & (s->size - 1);
	s->table[i] = p;
	s->taken++;
	s->filled++;
}

/* Room for `more`, at most half full afterwards. -ENOMEM. */
static int make_room(struct fs_chunk_space *s, size_t more)
{
	struct place *old = s->table;
	size_t size = SIZE_LEAST, before = s->size;

	if (2 * (s->filled + more) <= s->size)
		return 0;
	while (size < 2 * (s->taken + more))
		size *= 2;
	s->table = calloc(size, sizeof(*s->table));
	if (!s->table) {
		s->table = old;
		return -ENOMEM;
	}
	s->size = size;
	s->taken = 0;
	s->filled = 0;
	for (size_t i = 0; i < before; i++) {
		if (old[i].state == PLACE_TAKEN)
			insert(s, old[i]);
	}
	free(old);
	return 0;
}

static void drop(struct fs_chunk_space *s, struct place *p)
{
	p->state = PLACE_GONE;
	s->taken--;
}

/* ---- operations ---- */

int fs_chunk_space_need(struct fs_chunk_space *s, struct fs_container *c, uint64_t ino, uint32_t n,
			uint32_t count)
{
	uint64_t last = (uint64_t)n + count;
	uint32_t missing = 0;
	int rc;

	pthread_mutex_lock(&s->lock);
	rc = make_room(s, count);
	if (rc)
		goto out;
	for (uint64_t i = n; i < last; i++) {
		struct place *p = find(s, ino, (uint32_t)i);

		if (p)
			p->age = 0;
		else
			missing++;
	}
	if (!missing)
		goto out;
	rc = fs_container_reserve(c, missing);
	for (uint64_t i = n; !rc && i < last; i++) {
		if (missing == count || !find(s, ino, (uint32_t)i))
			insert(s, (struct place){ino, (uint32_t)i, PLACE_TAKEN, 0});
	}
out:
	pthread_mutex_unlock(&s->lock);
	return rc;
}

void fs_chunk_space_take(struct fs_chunk_space *s, uint64_t ino, uint32_t n, uint32_t count)
{
	pthread_mutex_lock(&s->lock);
	for (uint32_t i = 0; i < count; i++) {
		struct place *p = find(s, ino, n + i);

		if (!p)
			continue;
		drop(s, p);
		s->held++;
	}
	pthread_mutex_unlock(&s->lock);
}

/* Under the lock: what stayed for AGE_MAX commits belongs to no group. */
static void take_old(struct fs_chunk_space *s)
{
	for (size_t i = 0; i < s->size; i++) {
		struct place *p = &s->table[i];

		if (p->state != PLACE_TAKEN || p->age++ < AGE_MAX)
			continue;
		drop(s, p);
		s->held++;
	}
	if (s->taken)
		return;
	free(s->table); /* an idle journal keeps none */
	s->table = NULL;
	s->size = 0;
	s->filled = 0;
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

int fs_chunk_space_more(struct fs_chunk_space *s, struct fs_container *c, uint64_t units)
{
	int rc;

	pthread_mutex_lock(&s->lock);
	rc = fs_container_reserve(c, units);
	if (!rc)
		s->held += units;
	pthread_mutex_unlock(&s->lock);
	return rc;
}

void fs_chunk_space_surplus(struct fs_chunk_space *s, struct fs_container *c, uint64_t units)
{
	pthread_mutex_lock(&s->lock);
	if (units > s->held)
		units = s->held;
	s->held -= units;
	fs_container_unreserve(c, units);
	pthread_mutex_unlock(&s->lock);
}

void fs_chunk_space_settled(struct fs_chunk_space *s)
{
	pthread_mutex_lock(&s->lock);
	s->held = 0;
	pthread_mutex_unlock(&s->lock);
}
