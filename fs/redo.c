/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/redo.c - the redo file: records, areas, finding the end. See redo.h.
 *
 * Invariants:
 * 1. No two records share a 4 KiB block: what is being written can't damage what is acknowledged.
 * 2. An area is written from its beginning only when the database has all that it holds.
 * 3. A record counts only under a key of the host secret, and only behind the very state that it
 *    was made on: old records and those of another course of events never join on.
 * 4. A record with a later number is written only after the one before is durable. So a whole one
 *    behind one that is not whole is no crash.
 *
 * Lock: `lock` (leaf) guards what the database has; the rest is the appending thread's.
 */
#include "redo.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "../keys/bytes.h"
#include "../keys/slab.h"

#define BLOCK 4096u
#define MAGIC "JFSREDO\n"
#define NONCE_LEN 24
#define MAC_AT 112u
#define HEADER 128u
#define WRITE_STEP (256u << 10)
#define SIZE_MOST ((off_t)64 << 20) /* none is made so large: scanning one could take for ever */

struct area {
	uint64_t used; /* bytes from its beginning */
	uint64_t last; /* number of the last record in it; 0: none */
};

struct fs_redo {
	int fd;
	bool read_only;
	uint64_t area_len;
	uint8_t *key; /* guarded */
	struct area area[2];
	unsigned cur;
	uint8_t *buf; /* a record on its way */
	size_t cap;

	pthread_mutex_t lock;
	uint64_t done;
};

struct header {
	struct fs_redo_mark before, after;
	uint8_t nonce[NONCE_LEN];
	uint32_t len; /* of the body */
};

static uint64_t record_len(size_t body)
{
	return ((uint64_t)HEADER + body + BLOCK - 1) / BLOCK * BLOCK;
}

/* ---- bytes ---- */

static void header_encode(const struct header *h, uint8_t *p)
{
	struct bytes_out out = bytes_out(p, MAC_AT);

	bytes_put(&out, MAGIC, 8);
	bytes_put_u64(&out, h->after.number);
	bytes_put_u32(&out, h->len);
	bytes_put_u32(&out, 0);
	bytes_put(&out, h->nonce, NONCE_LEN);
	bytes_put(&out, h->before.id, FS_REDO_ID);
	bytes_put(&out, h->after.id, FS_REDO_ID);
}

static bool header_decode(const struct fs_redo *r, const uint8_t *p, uint64_t at, struct header *h)
{
	struct bytes_in in = bytes_in(p, MAC_AT);
	const uint8_t *magic = bytes_take(&in, 8);
	uint32_t zero;

	h->after.number = bytes_get_u64(&in);
	h->before.number = h->after.number - 1;
	h->len = bytes_get_u32(&in);
	zero = bytes_get_u32(&in);
	bytes_get(&in, h->nonce, NONCE_LEN);
	bytes_get(&in, h->before.id, FS_REDO_ID);
	bytes_get(&in, h->after.id, FS_REDO_ID);
	return !in.bad && !memcmp(magic, MAGIC, 8) && !zero && h->after.number &&
	       record_len(h->len) <= r->area_len - at;
}

/* Over the header without the MAC, and the body. The nonce makes the one-time key one. */
static void record_mac(const struct fs_redo *r, const uint8_t *record, const struct header *h,
		       uint8_t mac[static KEYS_AUTH_LEN])
{
	const struct keys_span parts[] = {{record, MAC_AT}, {record + HEADER, h->len}};

	keys_label_auth(KEYS_LABEL_REDO, r->key, (struct keys_span){h->nonce, NONCE_LEN}, parts, 2,
			mac);
}

/* ---- the file ---- */

static int read_at(int fd, void *buf, size_t len, uint64_t at)
{
	uint8_t *p = buf;

	while (len) {
		ssize_t n = pread(fd, p, len, (off_t)at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -EIO;
		p += n;
		at += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

static ssize_t write_some(int fd, struct iovec *iov, uint64_t at, bool sync)
{
	ssize_t got = sync ? pwritev2(fd, iov, 1, (off_t)at, RWF_DSYNC) : -1;

	if (got >= 0 || (sync && errno != EOPNOTSUPP && errno != ENOSYS))
		return got;
	got = pwritev(fd, iov, 1, (off_t)at);
	if (got > 0 && sync && fdatasync(fd))
		return -1;
	return got;
}

static int write_at(int fd, const void *p, size_t len, uint64_t at, bool sync)
{
	struct iovec iov = {(void *)(uintptr_t)p, len};

	while (iov.iov_len) {
		ssize_t n = write_some(fd, &iov, at, sync);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return !n ? -EIO : errno == EDQUOT ? -ENOSPC : -errno;
		iov.iov_base = (uint8_t *)iov.iov_base + n;
		iov.iov_len -= (size_t)n;
		at += (uint64_t)n;
	}
	return 0;
}

static int fill_with_zeros(int fd, uint64_t bytes)
{
	uint8_t *zeros = calloc(1, WRITE_STEP);
	int rc = zeros ? 0 : -ENOMEM;

	for (uint64_t at = 0; !rc && at < bytes; at += WRITE_STEP) {
		uint64_t left = bytes - at;

		rc = write_at(fd, zeros, left < WRITE_STEP ? (size_t)left : WRITE_STEP, at, false);
	}
	free(zeros);
	if (!rc && fsync(fd))
		rc = -errno;
	return rc;
}

/* Under another name first: a file of the right name is whole. */
static int create(int dirfd, uint64_t bytes, int *out)
{
	int fd, rc;

	(void)unlinkat(dirfd, "redo.new", 0);
	fd = openat(dirfd, "redo.new", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	rc = fill_with_zeros(fd, bytes);
	if (!rc && renameat(dirfd, "redo.new", dirfd, "redo"))
		rc = -errno;
	if (!rc && fsync(dirfd))
		rc = -errno;
	if (rc) {
		(void)unlinkat(dirfd, "redo.new", 0);
		close(fd);
		return rc;
	}
	*out = fd;
	return 0;
}

static int open_file(struct fs_redo *r, int dirfd, bool read_only, uint64_t bytes)
{
	struct stat st;
	int rc = 0;

	r->fd = openat(dirfd, "redo", (read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC | O_NOFOLLOW);
	if (r->fd < 0)
		rc = errno == ENOENT && !read_only ? create(dirfd, bytes, &r->fd) : -errno;
	if (rc)
		return rc;
	if (fstat(r->fd, &st))
		return -errno;
	r->area_len = (uint64_t)st.st_size / 2 / BLOCK * BLOCK;
	return S_ISREG(st.st_mode) && r->area_len && st.st_size <= SIZE_MOST ? 0 : -EBADMSG;
}

int fs_redo_open(int dirfd, bool read_only, uint64_t bytes, const uint8_t key[static KEYS_LEN],
		 struct fs_redo **out)
{
	struct fs_redo *r = calloc(1, sizeof(*r));
	int rc;

	if (!r)
		return -ENOMEM;
	r->fd = -1;
	r->read_only = read_only;
	pthread_mutex_init(&r->lock, NULL);
	r->key = keys_guard_new(KEYS_LEN);
	rc = r->key ? open_file(r, dirfd, read_only, bytes) : -ENOMEM;
	if (rc) {
		fs_redo_close(r);
		return rc;
	}
	memcpy(r->key, key, KEYS_LEN);
	*out = r;
	return 0;
}

void fs_redo_close(struct fs_redo *r)
{
	if (!r)
		return;
	if (r->fd >= 0)
		close(r->fd);
	keys_guard_free(r->key);
	pthread_mutex_destroy(&r->lock);
	free(r->buf);
	free(r);
}

/* ---- reading ---- */

static bool reserve(struct fs_redo *r, uint64_t len)
{
	uint8_t *p;

	if (len <= r->cap)
		return true;
	p = realloc(r->buf, len);
	if (!p)
		return false;
	r->buf = p;
	r->cap = len;
	return true;
}

static int read_header(const struct fs_redo *r, unsigned area, uint64_t at, struct header *h,
		       bool *there)
{
	uint8_t bytes[HEADER];
	int rc;

	*there = false;
	if (at >= r->area_len)
		return 0;
	rc = read_at(r->fd, bytes, sizeof(bytes), area * r->area_len + at);
	if (!rc)
		*there = header_decode(r, bytes, at, h);
	return rc;
}

/* The whole record into the buffer; *genuine: its MAC is right. */
static int read_record(struct fs_redo *r, unsigned area, uint64_t at, const struct header *h,
		       bool *genuine)
{
	uint8_t mac[KEYS_AUTH_LEN];
	struct header again;
	int rc;

	*genuine = false;
	if (!reserve(r, record_len(h->len)))
		return -ENOMEM;
	rc = read_at(r->fd, r->buf, HEADER + h->len, area * r->area_len + at);
	if (rc)
		return rc;
	if (!header_decode(r, r->buf, at, &again) || again.len != h->len ||
	    again.after.number != h->after.number)
		return 0; /* changed while we looked */
	record_mac(r, r->buf, &again, mac);
	*genuine = keys_equal(mac, r->buf + MAC_AT, KEYS_AUTH_LEN);
	return 0;
}

struct scan {
	struct fs_redo_mark *at;
	int (*fn)(void *ctx, const uint8_t *body, size_t len);
	void *ctx;
	bool moved;
};

/* As far as this area goes on from the state. */
static int scan_area(struct fs_redo *r, unsigned n, struct scan *s)
{
	struct area *a = &r->area[n];
	struct header h;
	bool there, genuine;
	int rc;

	for (;;) {
		rc = read_header(r, n, a->used, &h, &there);
		if (rc || !there || h.after.number <= a->last ||
		    h.after.number > s->at->number + 1)
			return rc;
		if (h.after.number == s->at->number + 1) {
			if (!keys_equal(h.before.id, s->at->id, FS_REDO_ID))
				return 0;
			rc = read_record(r, n, a->used, &h, &genuine);
			if (rc || !genuine)
				return rc;
			rc = s->fn(s->ctx, r->buf + HEADER, h.len);
			if (rc)
				return rc;
			*s->at = h.after;
			s->moved = true;
			r->cur = n;
		}
		/* What the database has already is passed over; nothing depends on it. */
		a->last = h.after.number;
		a->used += record_len(h.len);
	}
}

/* A genuine record that is later than the end that was found. */
static int find_later(struct fs_redo *r, uint64_t number, bool *found)
{
	struct header h;
	bool there;
	int rc = 0;

	*found = false;
	for (uint64_t at = 0; !rc && !*found && at < 2 * r->area_len; at += BLOCK) {
		unsigned area = at >= r->area_len;

		rc = read_header(r, area, at - area * r->area_len, &h, &there);
		if (!rc && there && h.after.number > number)
			rc = read_record(r, area, at - area * r->area_len, &h, found);
	}
	return rc;
}

int fs_redo_scan(struct fs_redo *r, struct fs_redo_mark *at,
		 int (*fn)(void *ctx, const uint8_t *body, size_t len), void *ctx)
{
	struct scan s = {.at = at, .fn = fn, .ctx = ctx};
	uint64_t begin = at->number;
	bool later;
	int rc = 0;

	memset(r->area, 0, sizeof(r->area));
	r->cur = 0;
	do {
		s.moved = false;
		for (unsigned n = 0; !rc && n < 2; n++)
			rc = scan_area(r, n, &s);
	} while (!rc && s.moved);
	if (!rc)
		rc = find_later(r, at->number, &later);
	/* A process that was killed may have left its last one in memory: what follows joins on to it. */
	if (!rc && at->number != begin && !r->read_only && fdatasync(r->fd))
		rc = -EIO;
	/* As large as a header that nobody vouches for said. */
	free(r->buf);
	r->buf = NULL;
	r->cap = 0;
	if (rc)
		return rc;
	r->done = begin;
	return later ? -ESTALE : 0;
}

int fs_redo_wipe(struct fs_redo *r)
{
	memset(r->area, 0, sizeof(r->area));
	return fill_with_zeros(r->fd, 2 * r->area_len);
}

/* ---- writing ---- */

uint8_t *fs_redo_room(struct fs_redo *r, size_t len)
{
	return reserve(r, record_len(len)) ? r->buf + HEADER : NULL;
}

/* Lock held. Where len bytes go; false: nowhere yet. */
static bool place(struct fs_redo *r, uint64_t len, uint64_t *at)
{
	struct area *a = &r->area[r->cur];

	if (len > r->area_len)
		return false;
	if (a->last <= r->done)
		a->used = 0;
	if (a->used + len > r->area_len) {
		a = &r->area[1 - r->cur];
		if (a->last > r->done)
			return false;
		a->used = 0;
		r->cur = 1 - r->cur;
	}
	*at = r->cur * r->area_len + a->used;
	return true;
}

int fs_redo_append(struct fs_redo *r, const struct fs_redo_mark *before,
		   const struct fs_redo_mark *after, size_t len)
{
	struct header h = {.before = *before, .after = *after, .len = (uint32_t)len};
	uint64_t total = record_len(len), at = 0;
	bool fits;
	int rc;

	if (len > UINT32_MAX || after->number != before->number + 1)
		return -EINVAL;
	pthread_mutex_lock(&r->lock);
	fits = place(r, total, &at);
	pthread_mutex_unlock(&r->lock);
	if (!fits)
		return -ENOBUFS;
	keys_random(h.nonce, sizeof(h.nonce));
	header_encode(&h, r->buf);
	record_mac(r, r->buf, &h, r->buf + MAC_AT);
	memset(r->buf + HEADER + len, 0, total - HEADER - len);
	rc = write_at(r->fd, r->buf, total, at, true);
	if (rc)
		return rc;
	pthread_mutex_lock(&r->lock);
	r->area[r->cur].used += total;
	r->area[r->cur].last = after->number;
	pthread_mutex_unlock(&r->lock);
	return 0;
}

void fs_redo_done(struct fs_redo *r, uint64_t number)
{
	pthread_mutex_lock(&r->lock);
	if (number > r->done)
		r->done = number;
	pthread_mutex_unlock(&r->lock);
}

bool fs_redo_behind(struct fs_redo *r)
{
	bool behind;

	pthread_mutex_lock(&r->lock);
	behind = r->area[1 - r->cur].last > r->done ||
		 (r->area[r->cur].last > r->done && r->area[r->cur].used > r->area_len / 4 * 3);
	pthread_mutex_unlock(&r->lock);
	return behind;
}
