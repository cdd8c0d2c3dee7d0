/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/container_file.c - a journal's container as a file: made, grown, read, written, shortened.
 *
 * Space is promised at reservation: a free unit always has its blocks. After a
 * durable commit long free stretches go back to the disk: the end of the file is
 * cut off, elsewhere holes are punched. Only what no committed map refers to is
 * free, so a crash in between loses nothing. Hollow units are filled before the file
 * grows. After opening, nobody knows which free units have blocks: all count as
 * hollow.
 *
 * Lock: the container's, held across all but reading, writing and syncing.
 */
#include "container_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define STEP_LEAST ((uint64_t)(256 << 10) / FS_UNIT)
#define STEP_MOST ((uint64_t)(16 << 20) / FS_UNIT)
#define GIVE_LEAST ((uint64_t)(1 << 20) / FS_UNIT) /* shorter free runs stay */

void fs_container_name(uint32_t journal, char name[static FS_CONTAINER_NAME])
{
	snprintf(name, FS_CONTAINER_NAME, "%02x/%08x", journal & 0xff, journal);
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
	fs_container_name(journal, c->name);
	pthread_mutex_init(&c->lock, NULL);
	if (!fstatat(dirfd, c->name, &st, AT_SYMLINK_NOFOLLOW)) {
		c->exists = true;
		c->file_units = (uint64_t)st.st_size / FS_UNIT;
		rc = S_ISREG(st.st_mode) ? 0 : -EUCLEAN;
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
	fs_container_fd_close(c);
	pthread_mutex_destroy(&c->lock);
	free(c->committed);
	free(c->now);
	free(c->busy);
	free(c->hollow);
	free(c->dirty);
	fs_container_forget_pieces(c);
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
	fs_container_fd_opened(c);
	return 0;
}

/* Opened when first needed: a process has many journals and few descriptors. Lock held. */
static int open_file(struct fs_container *c, bool create)
{
	int rc;

	if (c->fd >= 0)
		return 0;
	if (!c->exists && !create)
		return -ENOENT;
	if (!c->exists) {
		do {
			rc = create_file(c);
		} while (rc && fs_container_fd_short(c, -rc));
		return rc;
	}
	do {
		c->fd = openat(c->dirfd, c->name, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
		if (c->fd < 0 && !create && (errno == EROFS || errno == EACCES))
			c->fd = openat(c->dirfd, c->name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
		rc = c->fd < 0 ? -errno : 0;
	} while (fs_container_fd_short(c, -rc));
	if (!rc)
		fs_container_fd_opened(c);
	return rc;
}

int fs_container_remove(int dirfd, uint32_t journal)
{
	char name[FS_CONTAINER_NAME];

	fs_container_name(journal, name);
	if (unlinkat(dirfd, name, 0))
		return errno == ENOENT ? 0 : -errno;
	name[2] = '\0';
	return sync_at(dirfd, name);
}

/* ---- growing ---- */

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

/* The hollow run at `at`, up to `most` units of it, gets its space. */
static int fill_run(struct fs_container *c, uint64_t at, uint64_t most, uint64_t *filled)
{
	uint64_t end = c->capacity - at > most ? at + most : c->capacity;
	int rc;

	end = fs_container_find_bit(c->hollow, at, end, false);
	rc = allocate(c->fd, at, end - at);
	if (rc)
		return rc;
	fs_container_set_bits(c->hollow, at, end - at, false);
	fs_container_set_bits(c->busy, at, end - at, false);
	c->n_hollow -= end - at;
	c->free += end - at;
	*filled = end - at;
	return 0;
}

/* Up to `want` hollow units get their space, from the front on. */
static int fill(struct fs_container *c, uint64_t want)
{
	uint64_t at = 0, n = 0;
	int rc = 0;

	while (!rc && want && c->n_hollow) {
		at = fs_container_find_bit(c->hollow, at, c->capacity, true);
		rc = fill_run(c, at, want, &n);
		if (!rc)
			want -= n;
	}
	return rc;
}

/* The same at the end of the file. */
static int extend(struct fs_container *c, uint64_t units)
{
	int rc = fs_container_cover(c, c->capacity + units);

	if (!rc)
		rc = allocate(c->fd, c->capacity, units);
	if (!rc)
		rc = fs_container_set_capacity(c, c->capacity + units);
	if (!rc && c->capacity > c->file_units)
		c->file_units = c->capacity;
	return rc;
}

/* What there is of `units` among the hollow ones, the rest at the end. */
static int add_space(struct fs_container *c, uint64_t units)
{
	uint64_t before = c->free;
	int rc = fill(c, units);

	return rc || c->free - before >= units ? rc : extend(c, units - (c->free - before));
}

/* Generously while the disk allows it. */
int fs_container_grow(struct fs_container *c, uint64_t need)
{
	uint64_t step = c->capacity, want = c->free + need;
	int rc;

	rc = open_file(c, true);
	if (rc)
		return rc;
	step = step < STEP_LEAST ? STEP_LEAST : step > STEP_MOST ? STEP_MOST : step;
	if (step < need)
		step = need;
	for (;;) {
		rc = add_space(c, step);
		if (rc != -ENOSPC || c->free >= want)
			return c->free >= want ? 0 : rc;
		need = want - c->free;
		if (step <= need)
			return rc;
		step = step / 2 > need ? step / 2 : need;
	}
}

/* ---- giving back ---- */

/* Where the last unit in use ends. */
static uint64_t used_end(const struct fs_container *c)
{
	uint64_t words = (c->capacity + 63) / 64;

	while (words && !c->now[words - 1])
		words--;
	if (!words)
		return 0;
	words = words * 64 - (unsigned)__builtin_clzll(c->now[words - 1]);
	return words < c->capacity ? words : c->capacity;
}

/* Where the file can end, when what is free beyond it goes and what is reserved stays. */
static uint64_t least_length(const struct fs_container *c)
{
	uint64_t end = used_end(c), spare = c->free - c->reserved;

	while (end < c->capacity) {
		uint64_t lost =
			c->capacity - end - fs_container_count_bits(c->busy, end, c->capacity);

		if (lost <= spare)
			break;
		end += lost - spare;
	}
	return end;
}

static void cut_tail(struct fs_container *c)
{
	uint64_t end = least_length(c), beyond;

	if (c->file_units - end <= GIVE_LEAST || c->file_units - end <= c->file_units / 4 ||
	    open_file(c, false) || ftruncate(c->fd, (off_t)(end * FS_UNIT)))
		return;
	c->file_units = end;
	if (end >= c->capacity)
		return;
	beyond = fs_container_count_bits(c->hollow, end, c->capacity);
	c->n_hollow -= beyond;
	c->free -= c->capacity - end - fs_container_count_bits(c->busy, end, c->capacity);
	fs_container_set_bits(c->hollow, end, c->capacity - end, false);
	fs_container_set_bits(c->busy, end, c->capacity - end, false);
	c->capacity = end;
}

static bool punch(struct fs_container *c, uint64_t at, uint64_t units)
{
	if (open_file(c, false))
		return false;
	if (fallocate(c->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)(at * FS_UNIT),
		      (off_t)(units * FS_UNIT))) {
		c->no_punch = errno == EOPNOTSUPP || errno == ENOSYS;
		return false;
	}
	fs_container_set_bits(c->hollow, at, units, true);
	fs_container_set_bits(c->busy, at, units, true);
	c->n_hollow += units;
	c->free -= units;
	return true;
}

/* Long free runs, as long as a good part of the file is free. */
static void punch_runs(struct fs_container *c)
{
	uint64_t at = 0;

	while (!c->no_punch && c->free - c->reserved > 2 * GIVE_LEAST &&
	       c->free - c->reserved > c->capacity / 8) {
		uint64_t spare = c->free - c->reserved - GIVE_LEAST, end;

		at = fs_container_find_bit(c->busy, at, c->capacity, false);
		if (at == c->capacity)
			return;
		end = fs_container_find_bit(c->busy, at, c->capacity, true);
		if (end - at >= GIVE_LEAST && !punch(c, at, end - at < spare ? end - at : spare))
			return;
		at = end;
	}
}

void fs_container_give_back(struct fs_container *c)
{
	if (c->file_units < c->capacity) /* somebody cut it */
		return;
	cut_tail(c);
	punch_runs(c);
}

/* ---- contents ---- */

static int io_begin(struct fs_container *c, bool write, uint64_t pos, size_t len, int *fd)
{
	int rc = -EIO;

	pthread_mutex_lock(&c->lock);
	if (len % FS_UNIT == 0 && pos <= c->capacity && len / FS_UNIT <= c->capacity - pos)
		rc = open_file(c, write);
	if (!rc) {
		*fd = c->fd;
		c->io++;
		c->recent = true;
	}
	pthread_mutex_unlock(&c->lock);
	return rc == -ENOENT ? -EIO : rc;
}

static void io_end(struct fs_container *c)
{
	pthread_mutex_lock(&c->lock);
	c->io--;
	pthread_mutex_unlock(&c->lock);
}

static int read_all(int fd, uint8_t *p, size_t len, off_t at)
{
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

int fs_container_read(struct fs_container *c, uint64_t pos, void *buf, size_t len)
{
	int fd, rc;

	rc = io_begin(c, false, pos, len, &fd);
	if (rc)
		return rc;
	rc = read_all(fd, buf, len, (off_t)(pos * FS_UNIT));
	io_end(c);
	return rc;
}

static int write_all(int fd, struct iovec *iov, int n, off_t at)
{
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

void fs_container_forget_pieces(struct fs_container *c)
{
	while (c->pieces) {
		struct fs_container_piece *next = c->pieces->next;

		free(c->pieces);
		c->pieces = next;
	}
	c->kept = 0;
}

static void keep(struct fs_container *c, off_t at, const struct iovec *iov, int n, size_t len)
{
	struct fs_container_piece *piece = NULL;

	if (c->kept + len <= FS_CONTAINER_KEEP)
		piece = malloc(sizeof(*piece) + len);
	if (!piece) {
		fs_container_forget_pieces(c);
		c->kept = FS_CONTAINER_KEEP + 1;
		return;
	}
	piece->at = (uint64_t)at;
	piece->len = 0;
	for (int i = 0; i < n; i++) {
		memcpy(piece->data + piece->len, iov[i].iov_base, iov[i].iov_len);
		piece->len += iov[i].iov_len;
	}
	piece->next = c->pieces;
	c->pieces = piece;
	c->kept += len;
}

bool fs_container_pieces(struct fs_container *c, const struct fs_container_piece **first)
{
	*first = c->pieces;
	return c->kept <= FS_CONTAINER_KEEP && !atomic_load(&c->failed);
}

int fs_container_fd(struct fs_container *c)
{
	int fd;

	pthread_mutex_lock(&c->lock);
	fd = c->fd;
	c->lent = fd >= 0;
	pthread_mutex_unlock(&c->lock);
	return fd;
}

int fs_container_writev(struct fs_container *c, uint64_t pos, struct iovec *iov, int n)
{
	size_t len = 0;
	int fd, rc;

	for (int i = 0; i < n; i++)
		len += iov[i].iov_len;
	rc = io_begin(c, true, pos, len, &fd);
	if (rc)
		return rc;
	keep(c, (off_t)(pos * FS_UNIT), iov, n, len);
	atomic_store(&c->wrote, true);
	rc = write_all(fd, iov, n, (off_t)(pos * FS_UNIT));
	io_end(c);
	return rc;
}

int fs_container_sync(struct fs_container *c)
{
	int fd, rc;

	if (atomic_load(&c->failed))
		return atomic_load(&c->failed);
	if (!atomic_load(&c->wrote))
		return 0;
	pthread_mutex_lock(&c->lock);
	fd = c->fd; /* it stays open until what was written is synced */
	c->io++;
	pthread_mutex_unlock(&c->lock);
	rc = atomic_exchange(&c->wrote, false) && fdatasync(fd) ? -EIO : 0;
	io_end(c);
	/* The kernel may have dropped what it could not write; asking again would say that all is
	 * well. */
	if (rc)
		atomic_store(&c->failed, rc);
	/* Somebody short of descriptors may have synced in our stead (container_fd.c). */
	return atomic_load(&c->failed);
}
