/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/container.c - a journal's container file and its free map.
 *
 * Owns the file VAULT/containers/ab/NAME and three bitmaps, a bit per unit:
 *   committed  what the committed chunk maps refer to,
 *   now        what those of the closing group will refer to,
 *   busy       committed, or allocated since; only a clear bit here may be allocated.
 * So a unit freed, whether before or after a crash would need it, is not used again
 * before committed() has made busy = committed = now; aborted() goes the other way.
 * Format: fs/FORMAT.md, "Containers".
 *
 * Invariants: free = clear bits of busy below capacity; reserved <= free.
 * Lock: `lock` (leaf) guards all but the file's bytes. It is held across fallocate,
 * since two operations must not grow the file at once.
 */
#include "container.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PAGE_WORDS (FS_CONTAINER_PAGE_UNITS / 64)
#define PAGE_BYTES (FS_CONTAINER_PAGE_UNITS / 8)
#define PAGES_MAX (1u << 20) /* 128 TiB */
#define STEP_LEAST ((uint64_t)(256 << 10) / FS_UNIT)
#define STEP_MOST ((uint64_t)(16 << 20) / FS_UNIT)

struct fs_container {
	int dirfd;
	char name[16]; /* ab/NAME */

	pthread_mutex_t lock;
	int fd; /* -1: not opened yet */
	bool exists;
	uint64_t capacity; /* units in the file */
	uint64_t free, reserved;
	uint64_t used;	    /* set bits of now */
	uint64_t allocated; /* since the last committed() */
	uint64_t next;	    /* where the last allocation ended */
	uint64_t *committed, *now, *busy;
	uint8_t *dirty; /* a byte a page: changed since dirty_pages() | since committed() */
	uint32_t pages;

	atomic_bool wrote;
	atomic_int failed; /* a sync failed */
};

#define DIRTY 1
#define TOUCHED 2

static void make_name(uint32_t journal, char name[static 16])
{
	snprintf(name, 16, "%02x/%08x", journal & 0xff, journal);
}

/* ---- bits ---- */

static void set_bits(uint64_t *map, uint64_t from, uint64_t n, bool value)
{
	for (uint64_t i = from; i < from + n; i++) {
		if (value)
			map[i / 64] |= UINT64_C(1) << i % 64;
		else
			map[i / 64] &= ~(UINT64_C(1) << i % 64);
	}
}

static uint64_t count_bits(const uint64_t *map, uint64_t from, uint64_t to)
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
static uint64_t find_bit(const uint64_t *map, uint64_t from, uint64_t to, bool value)
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
		uint64_t start = find_bit(map, from, to, false), end;

		if (to - start < n)
			break;
		end = find_bit(map, start, start + n, true);
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

/* The bitmaps cover at least `units`. */
static int cover(struct fs_container *c, uint64_t units)
{
	uint64_t pages = (units + FS_CONTAINER_PAGE_UNITS - 1) / FS_CONTAINER_PAGE_UNITS;
	uint8_t *dirty;

	if (pages <= c->pages)
		return 0;
	if (pages > PAGES_MAX)
		return -EFBIG;
	if (grow_map(&c->committed, c->pages, (uint32_t)pages) ||
	    grow_map(&c->now, c->pages, (uint32_t)pages) ||
	    grow_map(&c->busy, c->pages, (uint32_t)pages))
		return -ENOMEM;
	dirty = realloc(c->dirty, pages);
	if (!dirty)
		return -ENOMEM;
	memset(dirty + c->pages, 0, pages - c->pages);
	c->dirty = dirty;
	c->pages = (uint32_t)pages;
	return 0;
}

static int set_capacity(struct fs_container *c, uint64_t units)
{
	int rc = cover(c, units);

	if (rc)
		return rc;
	if (units > c->capacity)
		c->free += units - c->capacity - count_bits(c->busy, c->capacity, units);
	c->capacity = units;
	return 0;
}

/* ---- open and close ---- */

int fs_container_open(int dirfd, uint32_t journal, struct fs_container **out)
{
	struct fs_container *c = calloc(1, sizeof(*c));
	struct stat st;
	int rc = 0;

	if (!c)
		return -ENOMEM;
	c->dirfd = dirfd;
	c->fd = -1;
	make_name(journal, c->name);
	pthread_mutex_init(&c->lock, NULL);
	if (!fstatat(dirfd, c->name, &st, AT_SYMLINK_NOFOLLOW)) {
		c->exists = true;
		rc = S_ISREG(st.st_mode) ? set_capacity(c, (uint64_t)st.st_size / FS_UNIT)
					 : -EUCLEAN;
	} else if (errno != ENOENT) {
		rc = -errno;
	}
	if (rc) {
		fs_container_close(c);
		return rc;
	}
	*out = c;
	return 0;
}

void fs_container_close(struct fs_container *c)
{
	if (!c)
		return;
	if (c->fd >= 0)
		close(c->fd);
	pthread_mutex_destroy(&c->lock);
	free(c->committed);
	free(c->now);
	free(c->busy);
	free(c->dirty);
	free(c);
}

static int sync_at(int dirfd, const char *name)
{
	int fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int rc;

	if (fd < 0)
		return -errno;
	rc = fsync(fd) ? -errno : 0;
	close(fd);
	return rc;
}

static int create_file(struct fs_container *c)
{
	char sub[3] = {c->name[0], c->name[1], '\0'};
	int fd, rc;

	if (!mkdirat(c->dirfd, sub, 0700)) {
		rc = sync_at(c->dirfd, ".");
		if (rc)
			return rc;
	} else if (errno != EEXIST) {
		return -errno;
	}
	fd = openat(c->dirfd, c->name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	rc = sync_at(c->dirfd, sub);
	if (rc) {
		close(fd);
		return rc;
	}
	c->fd = fd;
	c->exists = true;
	return 0;
}

/* Opened when first needed: a process has many journals and few descriptors. Lock held. */
static int open_file(struct fs_container *c, bool create)
{
	if (c->fd >= 0)
		return 0;
	if (!c->exists)
		return create ? create_file(c) : -ENOENT;
	c->fd = openat(c->dirfd, c->name, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (c->fd < 0 && !create && (errno == EROFS || errno == EACCES))
		c->fd = openat(c->dirfd, c->name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	return c->fd < 0 ? -errno : 0;
}

int fs_container_remove(int dirfd, uint32_t journal)
{
	char name[16];

	make_name(journal, name);
	if (unlinkat(dirfd, name, 0))
		return errno == ENOENT ? 0 : -errno;
	name[2] = '\0';
	return sync_at(dirfd, name);
}

int fs_container_load(struct fs_container *c, uint32_t page, const uint8_t *bits, size_t len)
{
	uint8_t full[PAGE_BYTES] = {0};
	uint64_t first = (uint64_t)page * FS_CONTAINER_PAGE_UNITS, end;
	uint64_t *now;
	int rc;

	if (page >= PAGES_MAX || len > PAGE_BYTES)
		return -EINVAL;
	memcpy(full, bits, len);
	pthread_mutex_lock(&c->lock);
	rc = cover(c, first + FS_CONTAINER_PAGE_UNITS);
	if (rc)
		goto out;
	end = first + FS_CONTAINER_PAGE_UNITS < c->capacity ? first + FS_CONTAINER_PAGE_UNITS
							    : c->capacity;
	now = c->now + (size_t)page * PAGE_WORDS;
	c->free += count_bits(c->busy, first, end);
	c->used -= count_bits(c->now, first, first + FS_CONTAINER_PAGE_UNITS);
	for (size_t i = 0; i < PAGE_WORDS; i++) {
		uint64_t word;

		memcpy(&word, full + 8 * i, 8);
		now[i] = le64toh(word);
	}
	memcpy(c->busy + (size_t)page * PAGE_WORDS, now, PAGE_BYTES);
	memcpy(c->committed + (size_t)page * PAGE_WORDS, now, PAGE_BYTES);
	c->free -= count_bits(c->busy, first, end);
	c->used += count_bits(c->now, first, first + FS_CONTAINER_PAGE_UNITS);
out:
	pthread_mutex_unlock(&c->lock);
	return rc;
}

/* ---- space ---- */

static int allocate(int fd, uint64_t from, uint64_t units)
{
	int rc;

	do
		rc = fallocate(fd, 0, (off_t)(from * FS_UNIT), (off_t)(units * FS_UNIT)) ? errno
											 : 0;
	while (rc == EINTR);
	if (rc == EOPNOTSUPP)
		rc = posix_fallocate(fd, (off_t)(from * FS_UNIT), (off_t)(units * FS_UNIT));
	return rc == EDQUOT ? -ENOSPC : -rc;
}

/* At least `need` units more; generously while the disk allows it. */
static int grow_file(struct fs_container *c, uint64_t need)
{
	uint64_t step = c->capacity;
	int rc;

	rc = open_file(c, true);
	if (rc)
		return rc;
	step = step < STEP_LEAST ? STEP_LEAST : step > STEP_MOST ? STEP_MOST : step;
	if (step < need)
		step = need;
	for (;;) {
		rc = cover(c, c->capacity + step);
		if (!rc)
			rc = allocate(c->fd, c->capacity, step);
		if (!rc)
			return set_capacity(c, c->capacity + step);
		if (rc != -ENOSPC || step == need)
			return rc;
		step = step / 2 > need ? step / 2 : need;
	}
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
		rc = grow_file(c, want - c->free);
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
	set_bits(c->busy, at, units, true);
	set_bits(c->now, at, units, true);
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
		c->used -= count_bits(c->now, pos, pos + units);
		set_bits(c->now, pos, units, false);
		mark(c, pos, units);
	}
	pthread_mutex_unlock(&c->lock);
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
			busy += count_bits(c->busy, first, end < c->capacity ? end : c->capacity);
	}
	return busy;
}

void fs_container_committed(struct fs_container *c)
{
	pthread_mutex_lock(&c->lock);
	copy_touched(c, c->committed, c->now);
	copy_touched(c, c->busy, c->now);
	c->free = c->capacity - clear_touched(c, TOUCHED);
	c->allocated = 0;
	pthread_mutex_unlock(&c->lock);
}

void fs_container_aborted(struct fs_container *c)
{
	pthread_mutex_lock(&c->lock);
	copy_touched(c, c->now, c->committed);
	copy_touched(c, c->busy, c->committed);
	c->free = c->capacity - clear_touched(c, TOUCHED | DIRTY);
	c->reserved += c->allocated;
	if (c->reserved > c->free)
		c->reserved = c->free;
	c->allocated = 0;
	c->used = count_bits(c->now, 0, (uint64_t)c->pages * FS_CONTAINER_PAGE_UNITS);
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

/* ---- contents ---- */

static int io_begin(struct fs_container *c, bool write, uint64_t pos, size_t len, int *fd)
{
	int rc = -EIO;

	pthread_mutex_lock(&c->lock);
	if (len % FS_UNIT == 0 && pos <= c->capacity && len / FS_UNIT <= c->capacity - pos)
		rc = open_file(c, write);
	if (!rc)
		*fd = c->fd;
	pthread_mutex_unlock(&c->lock);
	return rc == -ENOENT ? -EIO : rc;
}

int fs_container_read(struct fs_container *c, uint64_t pos, void *buf, size_t len)
{
	uint8_t *p = buf;
	off_t at = (off_t)(pos * FS_UNIT);
	int fd, rc;

	rc = io_begin(c, false, pos, len, &fd);
	if (rc)
		return rc;
	while (len) {
		ssize_t n = pread(fd, p, len, at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -EIO;
		p += n;
		at += n;
		len -= (size_t)n;
	}
	return 0;
}

int fs_container_writev(struct fs_container *c, uint64_t pos, struct iovec *iov, int n)
{
	off_t at = (off_t)(pos * FS_UNIT);
	size_t len = 0;
	int fd, rc;

	for (int i = 0; i < n; i++)
		len += iov[i].iov_len;
	rc = io_begin(c, true, pos, len, &fd);
	if (rc)
		return rc;
	atomic_store(&c->wrote, true);
	while (n) {
		ssize_t done = pwritev(fd, iov, n, at);

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return done && errno == EDQUOT ? -ENOSPC : done ? -errno : -EIO;
		at += done;
		while (n && (size_t)done >= iov->iov_len) {
			done -= (ssize_t)iov->iov_len;
			iov++;
			n--;
		}
		if (n) {
			iov->iov_base = (uint8_t *)iov->iov_base + done;
			iov->iov_len -= (size_t)done;
		}
	}
	return 0;
}

int fs_container_sync(struct fs_container *c)
{
	int fd;

	if (atomic_load(&c->failed))
		return atomic_load(&c->failed);
	if (!atomic_exchange(&c->wrote, false))
		return 0;
	pthread_mutex_lock(&c->lock);
	fd = c->fd;
	pthread_mutex_unlock(&c->lock);
	if (!fdatasync(fd))
		return 0;
	/* The kernel may have dropped what it could not write; asking again would say that all is
	 * well. */
	atomic_store(&c->failed, -EIO);
	return -EIO;
}
