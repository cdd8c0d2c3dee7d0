/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/buf.c - reference-counted byte buffers; see buf.h.
 *
 * The whole capacity is wiped with the last reference, not only the bytes in use:
 * a buffer that was shortened still holds what it held before.
 *
 * Slabs are SLAB_LEN bytes at a multiple of that, so that a buffer's address names
 * its slab. Those with room stand in a list, the emptiest last, so that slabs drain
 * and can go back to the system; SPARE_MOST wholly free ones stay.
 * Lock: one mutex (leaf), for the slabs, taken once for many where many come or go.
 */
#include "buf.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define PAGE_CAP 4096u
#define PAGE_LEAST 2049u /* smaller ones are malloc's business */
#define SLAB_LEN ((size_t)1 << 20)
#define SLOT_LEN (sizeof(struct fs_buf) + PAGE_CAP)
#define SPARE_MOST 12u

struct slot {
	struct slot *next;
};

struct slab {
	struct slab *next, *prev; /* in the list of those with room */
	struct slot *free;
	unsigned used, fresh; /* slots in use; slots never used yet */
	_Alignas(16) uint8_t slots[];
};

#define SLOTS ((unsigned)((SLAB_LEN - sizeof(struct slab)) / SLOT_LEN))

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct slab *first, *last; /* with room, those without a slot in use last */
static unsigned spare;		  /* of them without */

#if defined(__SANITIZE_ADDRESS__)
#define USE_SLABS 0 /* who uses a freed buffer is to be seen */
#else
#define USE_SLABS 1
#endif

/* ---- slabs; lock held ---- */

static void list_add(struct slab *s, bool at_end)
{
	s->next = at_end ? NULL : first;
	s->prev = at_end ? last : NULL;
	*(s->prev ? &s->prev->next : &first) = s;
	*(s->next ? &s->next->prev : &last) = s;
}

static void list_remove(struct slab *s)
{
	*(s->prev ? &s->prev->next : &first) = s->next;
	*(s->next ? &s->next->prev : &last) = s->prev;
}

static struct slab *slab_new(void)
{
	uint8_t *p = mmap(NULL, 2 * SLAB_LEN, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			  -1, 0);
	uintptr_t before;
	struct slab *s;

	if (p == MAP_FAILED)
		return NULL;
	before = (SLAB_LEN - (uintptr_t)p % SLAB_LEN) % SLAB_LEN;
	if (before)
		munmap(p, before);
	munmap(p + before + SLAB_LEN, SLAB_LEN - before);
	s = (struct slab *)(p + before);
	s->fresh = SLOTS;
	list_add(s, true);
	spare++;
	return s;
}

static struct fs_buf *slot_get(void)
{
	struct slab *s = first ? first : slab_new();
	struct slot *slot;

	if (!s)
		return NULL;
	slot = s->free;
	if (slot)
		s->free = slot->next;
	else
		slot = (struct slot *)(s->slots + (SLOTS - s->fresh--) * SLOT_LEN);
	if (!s->used++)
		spare--;
	if (s->used == SLOTS)
		list_remove(s);
	return (struct fs_buf *)slot;
}

static void slot_put(struct fs_buf *b)
{
	struct slab *s = (struct slab *)((uintptr_t)b / SLAB_LEN * SLAB_LEN);
	struct slot *slot = (struct slot *)b;

	slot->next = s->free;
	s->free = slot;
	if (s->used-- == SLOTS) {
		list_add(s, false);
	} else if (!s->used) {
		list_remove(s);
		if (spare == SPARE_MOST) {
			munmap(s, SLAB_LEN);
		} else {
			spare++;
			list_add(s, true);
		}
	}
}

/* ---- buffers ---- */

static bool for_slab(size_t len)
{
	return USE_SLABS && len >= PAGE_LEAST && len <= PAGE_CAP;
}

static void init(struct fs_buf *b, size_t len, bool in_slab)
{
	atomic_init(&b->refs, 1);
	b->len = (uint32_t)len;
	b->cap = in_slab ? PAGE_CAP : (uint32_t)len;
	b->in_slab = in_slab;
}

int fs_buf_raw_many(size_t len, struct fs_buf **out, unsigned n)
{
	bool in_slab = for_slab(len);
	unsigned done = 0;

	if (len > UINT32_MAX - sizeof(struct fs_buf))
		return -ENOMEM;
	if (in_slab)
		pthread_mutex_lock(&lock);
	for (; done < n; done++) {
		out[done] = in_slab ? slot_get() : malloc(sizeof(struct fs_buf) + len);
		if (!out[done])
			break;
		init(out[done], len, in_slab);
	}
	if (in_slab)
		pthread_mutex_unlock(&lock);
	if (done == n)
		return 0;
	while (done)
		fs_buf_put(out[--done]);
	return -ENOMEM;
}

struct fs_buf *fs_buf_raw(size_t n)
{
	struct fs_buf *b;

	return fs_buf_raw_many(n, &b, 1) ? NULL : b;
}

struct fs_buf *fs_buf_new(size_t n)
{
	struct fs_buf *b = fs_buf_raw(n);

	if (b && n)
		memset(b->data, 0, n);
	return b;
}

struct fs_buf *fs_buf_copy(const void *p, size_t n)
{
	struct fs_buf *b = fs_buf_raw(n);

	if (b && n)
		memcpy(b->data, p, n);
	return b;
}

struct fs_buf *fs_buf_get(struct fs_buf *b)
{
	atomic_fetch_add_explicit(&b->refs, 1, memory_order_relaxed);
	return b;
}

/* The last reference goes: wiped. */
static bool let_go(struct fs_buf *b)
{
	if (!b || atomic_fetch_sub_explicit(&b->refs, 1, memory_order_acq_rel) != 1)
		return false;
	explicit_bzero(b->data, b->cap);
	return true;
}

void fs_buf_flush(struct fs_buf_gone *gone)
{
	if (!gone->n)
		return;
	pthread_mutex_lock(&lock);
	while (gone->n)
		slot_put(gone->b[--gone->n]);
	pthread_mutex_unlock(&lock);
}

void fs_buf_put_later(struct fs_buf *b, struct fs_buf_gone *gone)
{
	if (!let_go(b))
		return;
	if (!b->in_slab) {
		free(b);
		return;
	}
	gone->b[gone->n++] = b;
	if (gone->n == sizeof(gone->b) / sizeof(gone->b[0]))
		fs_buf_flush(gone);
}

void fs_buf_put(struct fs_buf *b)
{
	struct fs_buf_gone gone = {.n = 0};

	fs_buf_put_later(b, &gone);
	fs_buf_flush(&gone);
}
