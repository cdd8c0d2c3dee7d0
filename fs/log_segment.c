/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/log_segment.c - segments, frames and stream heads of the access log.
 *
 * Implements fs/FORMAT.md, "Log". Invariants: (1) the walk is a function of the
 * bytes before its position alone, so that the writer after a crash and every
 * later reader see the same frames whatever was appended since; (2) the bytes of
 * a record frame's body never change once written: they are the leaves of a
 * Merkle tree as in RFC 6962. The frame header carries no checksum: the record
 * authenticates itself, and a length with its complement, a known kind and a
 * number in order suffice to find where frames begin.
 */
#include "log_segment.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define HEAD_VERSION 1
#define ZEROS (256u << 10)

static const uint8_t magic[8] = {'J', 'F', 'S', 'L', 'O', 'G', '\r', '\n'};
/* By enum fs_log_frame_kind. */
static const uint8_t frame_magic[][4] = {
	{0}, {'J', 'F', 'S', 'H'}, {'J', 'F', 'R', 'C'}, {'J', 'F', 'T', 'R'}, {'J', 'F', 'C', 'P'},
};

/* ---- segments ---- */

void fs_log_header_encode(const struct fs_log_header *h, uint8_t out[static FS_LOG_HEADER])
{
	struct bytes_out b = bytes_out(out, FS_LOG_HEADER);

	bytes_put(&b, magic, sizeof(magic));
	bytes_put_u16(&b, h->version ? (uint16_t)h->version : FS_LOG_VERSION);
	bytes_put_u16(&b, FS_LOG_HEADER);
	bytes_put_zero(&b, 4);
	bytes_put(&b, h->vault, sizeof(h->vault));
	bytes_put_u64(&b, h->number);
	bytes_put_u64(&b, h->first_seq);
	bytes_put_u64(&b, h->bytes);
	bytes_put_zero(&b, b.cap - b.len);
	assert(!b.bad);
}

int fs_log_header_decode(const uint8_t p[static FS_LOG_HEADER], struct fs_log_header *h)
{
	struct bytes_in in = bytes_in(p, FS_LOG_HEADER);
	struct fs_log_header got;
	uint8_t any = 0;

	for (size_t i = 0; i < FS_LOG_HEADER; i++)
		any |= p[i];
	if (!any)
		return -ENODATA;
	if (memcmp(bytes_take(&in, sizeof(magic)), magic, sizeof(magic)))
		return -EBADMSG;
	got.version = bytes_get_u16(&in);
	if (got.version < 1 || got.version > FS_LOG_VERSION || bytes_get_u16(&in) != FS_LOG_HEADER)
		return -EBADMSG;
	bytes_get_zero(&in, 4);
	bytes_get(&in, got.vault, sizeof(got.vault));
	got.number = bytes_get_u64(&in);
	got.first_seq = bytes_get_u64(&in);
	got.bytes = bytes_get_u64(&in);
	bytes_get_zero(&in, in.len - in.off);
	if (!bytes_in_done(&in) || !got.number || got.number > FS_LOG_NUMBER_MAX ||
	    !got.first_seq || got.first_seq > FS_LOG_SEQ_MAX)
		return -EBADMSG;
	*h = got;
	return 0;
}

void fs_log_segment_name(uint64_t number, char out[static FS_LOG_NAME])
{
	snprintf(out, FS_LOG_NAME, "%08" PRIu64 ".seg", number % 100000000);
}

/* The number that a file's name says, 0 when it is no segment's name. */
static uint64_t number_of(const char *name)
{
	uint64_t number = 0;

	for (int i = 0; i < 8; i++) {
		if (name[i] < '0' || name[i] > '9')
			return 0;
		number = number * 10 + (uint64_t)(name[i] - '0');
	}
	return strcmp(name + 8, ".seg") ? 0 : number;
}

static int by_number(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* Reads every name; the directory's position is the caller's. */
static int collect(DIR *dir, uint64_t **out, size_t *n)
{
	uint64_t *list = NULL, *more;
	size_t used = 0, cap = 0;
	struct dirent *e;

	while (errno = 0, (e = readdir(dir))) {
		uint64_t number = number_of(e->d_name);

		if (!number)
			continue;
		if (used == cap) {
			cap = cap ? 2 * cap : 16;
			more = reallocarray(list, cap, sizeof(*list));
			if (!more) {
				free(list);
				return -ENOMEM;
			}
			list = more;
		}
		list[used++] = number;
	}
	if (errno) {
		free(list);
		return -EIO;
	}
	if (used)
		qsort(list, used, sizeof(*list), by_number);
	*out = list;
	*n = used;
	return 0;
}

int fs_log_segment_list(int dirfd, uint64_t **out, size_t *n)
{
	int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	int rc;

	if (!dir) {
		rc = -errno;
		if (fd >= 0)
			close(fd);
		return rc;
	}
	rc = collect(dir, out, n);
	closedir(dir);
	return rc;
}

int fs_log_segment_unused(int fd)
{
	uint8_t *p = malloc(ZEROS);
	uint64_t off = 0;
	int rc = 0;

	if (!p)
		return -ENOMEM;
	while (!rc) {
		ssize_t got = pread(fd, p, ZEROS, (off_t)off);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0) {
			rc = got ? -errno : 0;
			break;
		}
		if (p[0] || memcmp(p, p + 1, (size_t)got - 1))
			rc = -EEXIST;
		off += (uint64_t)got;
		if (off > FS_LOG_SEGMENT_MAX)
			rc = -EEXIST;
	}
	free(p);
	return rc;
}

static int write_zeros(int fd, uint64_t bytes)
{
	uint8_t *zeros = calloc(1, ZEROS);
	uint64_t done = 0;
	int rc = 0;

	if (!zeros)
		return -ENOMEM;
	while (!rc && done < bytes) {
		size_t want = bytes - done < ZEROS ? (size_t)(bytes - done) : ZEROS;
		ssize_t got = pwrite(fd, zeros, want, (off_t)done);

		if (got > 0)
			done += (uint64_t)got;
		else if (got == 0 || errno != EINTR)
			rc = got ? -errno : -EIO;
	}
	free(zeros);
	return rc;
}

int fs_log_segment_make(int dirfd, uint64_t number, uint64_t bytes, int *fd)
{
	char name[FS_LOG_NAME];
	int rc, new;

	if (!number || number > FS_LOG_NUMBER_MAX)
		return -EFBIG;
	fs_log_segment_name(number, name);
	new = openat(dirfd, name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (new < 0)
		return -errno;
	/* Whatever brought us here, records are never written over. */
	rc = fs_log_segment_unused(new);
	if (rc) {
		close(new);
		return rc;
	}
	if (ftruncate(new, 0)) {
		rc = -errno;
		close(new);
		return rc;
	}
	/* Asks for the space at once, so that a full disk is not first filled to its last block. */
	rc = -posix_fallocate(new, 0, (off_t)bytes);
	if (rc == -EOPNOTSUPP || rc == -EINVAL)
		rc = 0;
	if (!rc)
		rc = write_zeros(new, bytes);
	if (!rc && (fsync(new) || fsync(dirfd)))
		rc = -errno;
	if (rc) {
		close(new);
		unlinkat(dirfd, name, 0);
		return rc;
	}
	*fd = new;
	return 0;
}

int fs_log_segment_load(int fd, uint8_t **out, size_t *len)
{
	struct stat st;
	uint8_t *p;
	size_t done = 0, size;

	if (fstat(fd, &st))
		return -errno;
	if (st.st_size < FS_LOG_HEADER || (uint64_t)st.st_size > FS_LOG_SEGMENT_MAX)
		return -EBADMSG;
	size = (size_t)st.st_size;
	p = malloc(size);
	if (!p)
		return -ENOMEM;
	while (done < size) {
		ssize_t got = pread(fd, p + done, size - done, (off_t)done);

		if (got <= 0 && !(got < 0 && errno == EINTR)) {
			free(p);
			return -EIO;
		}
		done += got > 0 ? (size_t)got : 0;
	}
	*out = p;
	*len = size;
	return 0;
}

/* ---- frames ---- */

size_t fs_log_frame_size(size_t len)
{
	return FS_LOG_FRAME + (len + 7) / 8 * 8;
}

void fs_log_frame_encode(enum fs_log_frame_kind kind, uint64_t seq, size_t len,
			 uint8_t out[static FS_LOG_FRAME])
{
	struct bytes_out b = bytes_out(out, FS_LOG_FRAME);

	bytes_put(&b, frame_magic[kind], 4);
	bytes_put_u32(&b, (uint32_t)len);
	bytes_put_u32(&b, ~(uint32_t)len);
	bytes_put_zero(&b, 4);
	bytes_put_u64(&b, seq);
}

void fs_log_walk_init(struct fs_log_walk *w, const struct fs_log_header *header, const uint8_t *p,
		      size_t len)
{
	*w = (struct fs_log_walk){
		.p = p,
		.len = len,
		.off = FS_LOG_HEADER,
		.seq = header ? header->first_seq : 1,
		.first = header ? header->first_seq : 1,
		.any_seq = !header,
		.version = header ? header->version : FS_LOG_VERSION,
	};
}

/* Numbers in one segment can't run further ahead than it has room for records. */
static bool number_fits(const struct fs_log_walk *w, uint64_t seq)
{
	if (w->any_seq)
		return seq > 0 && seq < FS_LOG_SEQ_MAX;
	return seq >= w->seq && seq - w->first <= w->len / FS_LOG_FRAME;
}

/* 0: none that a segment of this version holds. */
static enum fs_log_frame_kind frame_kind(const uint8_t *m, unsigned version)
{
	int last = version > 1 ? FS_LOG_CHECKPOINT : FS_LOG_RECORD;

	for (int kind = FS_LOG_STREAM; kind <= last; kind++) {
		if (!memcmp(m, frame_magic[kind], 4))
			return (enum fs_log_frame_kind)kind;
	}
	return 0;
}

static bool frame_at(const struct fs_log_walk *w, size_t off, struct fs_log_frame *out)
{
	struct bytes_in in = bytes_in(w->p + off, w->len - off);
	const uint8_t *m = bytes_take(&in, 4);
	uint32_t len = bytes_get_u32(&in), complement = bytes_get_u32(&in);
	struct fs_log_frame f = {.off = off, .len = len};

	bytes_get_zero(&in, 4);
	f.seq = bytes_get_u64(&in);
	f.body = bytes_take(&in, (len + UINT64_C(7)) / 8 * 8);
	if (in.bad || !len || complement != ~len || !number_fits(w, f.seq))
		return false;
	f.kind = frame_kind(m, w->version);
	if (!f.kind)
		return false;
	*out = f;
	return true;
}

bool fs_log_walk_next(struct fs_log_walk *w, struct fs_log_frame *out)
{
	size_t off = w->off;

	while (w->len - off >= FS_LOG_FRAME && !frame_at(w, off, out))
		off += 8;
	if (w->len - off < FS_LOG_FRAME)
		return false;
	out->torn = off != w->off;
	w->off = off + fs_log_frame_size(out->len);
	w->seq = out->kind == FS_LOG_RECORD ? out->seq + 1 : out->seq;
	if (w->any_seq)
		w->first = out->seq;
	w->any_seq = false;
	return true;
}

size_t fs_log_walk_tail(const struct fs_log_walk *w, bool *torn)
{
	size_t end = w->len;

	while (end > w->off && !w->p[end - 1])
		end--;
	*torn = end > w->off;
	return (end + 7) / 8 * 8;
}

/* ---- stream heads ---- */

/* What a head's signature covers: the number of its segment and all that stands before. */
struct signed_parts {
	uint8_t place[8];
	struct keys_span span[2];
};

static void signed_parts(struct signed_parts *s, uint64_t segment, const uint8_t *p, size_t len)
{
	struct bytes_out b = bytes_out(s->place, sizeof(s->place));

	bytes_put_u64(&b, segment);
	s->span[0] = (struct keys_span){s->place, sizeof(s->place)};
	s->span[1] = (struct keys_span){p, len};
}

int fs_log_head_make(struct fs_log_head *h, const struct keys_ratchet *ratchet,
		     const struct keys_list_entry *readers, size_t n, uint64_t segment,
		     const uint8_t sk[static KEYS_SIGN_SK_LEN], uint8_t *out, size_t *len)
{
	struct bytes_out b = bytes_out(out, FS_LOG_HEAD_MAX);
	struct signed_parts parts;
	int rc;

	assert(n <= FS_LOG_READERS_MAX);
	memcpy(h->vault, ratchet->vault, sizeof(h->vault));
	memcpy(h->stream, ratchet->stream, sizeof(h->stream));
	/* An Ed25519 secret key is its seed and the public key. */
	memcpy(h->pk, sk + KEYS_SIGN_SK_LEN - KEYS_LEN, sizeof(h->pk));
	bytes_put_u16(&b, HEAD_VERSION);
	bytes_put_u16(&b, (uint16_t)n);
	bytes_put_zero(&b, 4);
	bytes_put_u64(&b, h->first_seq);
	bytes_put(&b, h->vault, sizeof(h->vault));
	bytes_put(&b, h->stream, sizeof(h->stream));
	bytes_put_u64(&b, h->time_s);
	bytes_put(&b, h->pk, sizeof(h->pk));
	bytes_put(&b, h->prev, sizeof(h->prev));
	for (size_t i = 0; i < n; i++) {
		bytes_put(&b, readers[i].box_pk, KEYS_LEN);
		rc = keys_ratchet_wrap(ratchet, readers[i].box_pk,
				       bytes_room(&b, KEYS_STREAM_WRAP_LEN));
		if (rc)
			return rc;
	}
	signed_parts(&parts, segment, out, b.len);
	keys_label_sign(KEYS_LABEL_LOG_STREAM, sk, parts.span, 2, h->sig);
	bytes_put(&b, h->sig, sizeof(h->sig));
	assert(!b.bad);
	*len = b.len;
	return 0;
}

int fs_log_head_decode(const uint8_t *p, size_t len, uint64_t segment, struct fs_log_head *h)
{
	struct bytes_in in = bytes_in(p, len);
	uint16_t version = bytes_get_u16(&in);
	struct fs_log_head got = {.count = bytes_get_u16(&in)};
	struct signed_parts parts;
	int rc;

	bytes_get_zero(&in, 4);
	got.first_seq = bytes_get_u64(&in);
	bytes_get(&in, got.vault, sizeof(got.vault));
	bytes_get(&in, got.stream, sizeof(got.stream));
	got.time_s = bytes_get_u64(&in);
	bytes_get(&in, got.pk, sizeof(got.pk));
	bytes_get(&in, got.prev, sizeof(got.prev));
	got.wraps = bytes_take(&in, got.count * (size_t)FS_LOG_HEAD_WRAP);
	bytes_get(&in, got.sig, sizeof(got.sig));
	if (!bytes_in_done(&in) || version != HEAD_VERSION)
		return -EBADMSG;
	signed_parts(&parts, segment, p, len - KEYS_SIG_LEN);
	rc = keys_label_verify(KEYS_LABEL_LOG_STREAM, got.pk, parts.span, 2, got.sig);
	if (rc)
		return rc;
	*h = got;
	return 0;
}

const uint8_t *fs_log_head_wrap(const struct fs_log_head *h, const uint8_t box_pk[static KEYS_LEN])
{
	for (size_t i = 0; i < h->count; i++) {
		const uint8_t *at = h->wraps + i * FS_LOG_HEAD_WRAP;

		if (keys_equal(at, box_pk, KEYS_LEN))
			return at + KEYS_LEN;
	}
	return NULL;
}
