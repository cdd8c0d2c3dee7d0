/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/log_space.c - where the log ends, and room for it to go on.
 *
 * At open the newest segment is walked; appending goes on behind everything in it
 * that is not zero, so that not even a half-written record is ever overwritten.
 * One spare segment, full of written zeros, is always kept ahead of the current
 * one. When it can't be made the log goes on until the current segment is full
 * and then refuses (-ENOSPC); every append after that asks for a new attempt.
 *
 * With the spare comes the key that the next segment's tree frame introduces: it is in the
 * host's state before the segment can be begun (fs_log_ready).
 */
#include "log_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../keys/slab.h"

/* What was learned of one segment. */
struct found {
	int fd; /* owned; -1 none */
	uint64_t number;
	int header_rc; /* 0, -ENODATA unused, -EBADMSG */
	struct fs_log_header header;
	bool zero; /* nothing but zeros */
	size_t size, end;
	uint64_t next_seq; /* behind the last record found */
	bool any_head, any_record;
	bool tree; /* a tree frame stands before its first record, as it must */
	uint8_t head_sig[KEYS_SIG_LEN];
};

static bool our_tree(const struct fs_log *l, const struct fs_log_frame *f, uint64_t number)
{
	struct fs_log_tree t;

	return !fs_log_tree_decode(f->body, f->len, number, l->vault, &t) &&
	       keys_equal(t.root_pk, l->root_pk, sizeof(t.root_pk));
}

static void look_at_frames(struct fs_log *l, const uint8_t *p, size_t len, struct found *f)
{
	struct fs_log_frame frame;
	struct fs_log_head head;
	struct fs_log_walk w;
	bool torn;

	fs_log_walk_init(&w, f->header_rc ? NULL : &f->header, p, len);
	while (fs_log_walk_next(&w, &frame)) {
		if (frame.kind == FS_LOG_RECORD)
			f->any_record = true;
		if (frame.kind == FS_LOG_TREE && !f->any_record)
			f->tree |= our_tree(l, &frame, f->number);
		if (frame.kind != FS_LOG_STREAM ||
		    fs_log_head_decode(frame.body, frame.len, f->number, &head))
			continue;
		memcpy(f->head_sig, head.sig, sizeof(f->head_sig));
		f->any_head = true;
	}
	f->next_seq = w.seq;
	f->end = fs_log_walk_tail(&w, &torn);
	f->zero = f->header_rc == -ENODATA && f->end == FS_LOG_HEADER;
}

static int look(struct fs_log *l, uint64_t number, struct found *f)
{
	char name[FS_LOG_NAME];
	uint8_t *p = NULL;
	int rc;

	*f = (struct found){.fd = -1, .number = number};
	fs_log_segment_name(number, name);
	f->fd = openat(l->dirfd, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (f->fd < 0)
		return -errno;
	rc = fs_log_segment_load(f->fd, &p, &f->size);
	if (rc == -EBADMSG) { /* cut short while it was being made, or by somebody afterwards */
		f->header_rc = -EBADMSG;
		rc = fs_log_segment_unused(f->fd);
		f->zero = !rc;
		if (rc && rc != -EEXIST)
			goto fail;
		return 0;
	}
	if (rc)
		goto fail;
	f->header_rc = fs_log_header_decode(p, &f->header);
	if (!f->header_rc && memcmp(f->header.vault, l->vault, KEYS_VAULT_ID_LEN)) {
		rc = -EBADMSG;
		goto fail;
	}
	if (!f->header_rc && f->header.number != number)
		f->header_rc = -EBADMSG;
	look_at_frames(l, p, f->size, f);
	free(p);
	return 0;
fail:
	free(p);
	close(f->fd);
	return rc;
}

/*
 * Takes over what a segment in use says, newest first. l->fd is set at the first that is whole, when it
 * may be appended to: not when it is of version 1, or records stand in it without a tree frame.
 */
static void take_used(struct fs_log *l, struct found *f)
{
	static const uint8_t none[KEYS_SIG_LEN];

	if (f->next_seq > l->next_seq)
		l->next_seq = f->next_seq;
	if (f->any_head && keys_equal(l->prev, none, sizeof(none)))
		memcpy(l->prev, f->head_sig, sizeof(l->prev));
	if (!l->number)
		l->number = f->number;
	if (f->header_rc) /* damaged: never written again, but its records were counted */
		return;
	if (f->header.version < FS_LOG_VERSION || (f->any_record && !f->tree))
		return;
	l->tree_due = !f->tree;
	l->fd = f->fd;
	l->size = f->size;
	l->end = f->end;
	f->fd = -1;
}

/* Bytes of all segments before the current one. */
static uint64_t bytes_before(struct fs_log *l, const uint64_t *list, size_t n)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < n && list[i] < l->number; i++) {
		char name[FS_LOG_NAME];
		struct stat st;

		fs_log_segment_name(list[i], name);
		if (!fstatat(l->dirfd, name, &st, AT_SYMLINK_NOFOLLOW))
			sum += (uint64_t)st.st_size;
	}
	return sum;
}

/* The spare that an earlier run left: on a full disk it is all the space that there is. -1: none. */
static int spare_left(struct fs_log *l)
{
	struct found f;

	if (look(l, l->number + 1, &f))
		return -1;
	if (f.zero && f.header_rc == -ENODATA && f.size == l->segment_bytes)
		return f.fd;
	close(f.fd);
	return -1;
}

void fs_log_adopt_spare(struct fs_log *l)
{
	l->spare_fd = spare_left(l);
}

int fs_log_begin_fresh(struct fs_log *l)
{
	int fd = spare_left(l);
	int rc = 0;

	if (l->fd >= 0) {
		l->older_bytes += l->size;
		close(l->fd);
	}
	l->fd = -1;
	if (fd < 0)
		rc = fs_log_segment_make(l->dirfd, l->number + 1, l->segment_bytes, &fd);
	return rc ? rc : fs_log_begin_segment(l, fd, l->number + 1);
}

int fs_log_load(struct fs_log *l, uint64_t number, uint8_t **p, size_t *len)
{
	char name[FS_LOG_NAME];
	int fd, rc;

	fs_log_segment_name(number, name);
	fd = openat(l->dirfd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0)
		return -errno;
	rc = fs_log_segment_load(fd, p, len);
	close(fd);
	return rc;
}

/* From the newest segment back to the first that is whole; damaged ones behind it are counted. */
static int find_used(struct fs_log *l, const uint64_t *list, size_t n, bool *whole, size_t *damaged)
{
	for (size_t i = n; i > 0 && !*whole; i--) {
		struct found f;
		int rc = look(l, list[i - 1], &f);

		if (rc)
			return rc;
		if (!f.zero) {
			*whole = !f.header_rc;
			*damaged += f.header_rc != 0;
			take_used(l, &f);
		}
		if (f.fd >= 0)
			close(f.fd);
	}
	return 0;
}

/* A daemon that ended while it began a segment left no head there: the newest stands before it. */
static int find_head(struct fs_log *l, const uint64_t *list, size_t n)
{
	static const uint8_t none[KEYS_SIG_LEN];

	for (size_t i = n; i > 0 && keys_equal(l->prev, none, sizeof(none)); i--) {
		struct found f;
		int rc = list[i - 1] < l->number ? look(l, list[i - 1], &f) : -ENOENT;

		if (rc == -ENOENT)
			continue;
		if (rc)
			return rc;
		if (f.any_head)
			memcpy(l->prev, f.head_sig, sizeof(l->prev));
		if (f.fd >= 0)
			close(f.fd);
	}
	return 0;
}

int fs_log_find_end(struct fs_log *l)
{
	uint64_t *list = NULL;
	size_t n = 0, damaged = 0;
	bool whole = false;
	int rc;

	rc = fs_log_segment_list(l->dirfd, &list, &n);
	if (!rc)
		rc = find_used(l, list, n, &whole, &damaged);
	if (!rc && whole)
		rc = find_head(l, list, n);
	if (!rc && !whole && damaged)
		rc = -EBADMSG; /* files of that name, and not one that is a log of ours */
	if (!rc) {
		/* Nothing yet, or none to append to: a new one begins behind all. */
		l->fresh = l->fd < 0 || damaged;
		l->older_bytes = bytes_before(l, list, n);
	}
	free(list);
	return rc;
}

/* ---- the preparer ---- */

/* The key after the one in force, in the host's state; the one before is gone from there by it. */
static int prepare_key(struct fs_log *l)
{
	struct fs_log_keys *keys = keys_guard_new(sizeof(*keys));
	int rc = keys ? 0 : -ENOMEM;

	if (!rc) {
		keys->now = l->keys->now;
		fs_log_key_new(&keys->next, l->key_number + 1);
		pthread_mutex_unlock(&l->lock);
		rc = fs_log_keys_put(l, keys);
		pthread_mutex_lock(&l->lock);
	}
	if (!rc)
		l->keys->next = keys->next;
	keys_guard_free(keys);
	return rc;
}

static int prepare_segment(struct fs_log *l)
{
	uint64_t number = l->number + 1;
	int rc, fd = -1;

	pthread_mutex_unlock(&l->lock);
	rc = fs_log_segment_make(l->dirfd, number, l->segment_bytes, &fd);
	pthread_mutex_lock(&l->lock);
	l->spare_fd = fd;
	return rc;
}

static void prepare_next(struct fs_log *l)
{
	int rc = 0;

	if (!l->keys->next.number)
		rc = prepare_key(l);
	if (!rc && l->spare_fd < 0)
		rc = prepare_segment(l);
	l->spare_rc = rc;
	l->spare_wanted = false;
	l->spare_attempts++;
	pthread_cond_broadcast(&l->space);
}

/* That it can't be written is no reason to refuse records: what stands there is only weaker. */
static void keep_last(struct fs_log *l)
{
	struct fs_log_last last = {.key_number = l->newest->key_number, .tree = l->newest->tree};

	l->last_wanted = false;
	pthread_mutex_unlock(&l->lock);
	(void)fs_log_last_put(l, &last);
	pthread_mutex_lock(&l->lock);
}

void fs_log_keep_index(struct fs_log *l, struct fs_log_index *x, uint64_t segment)
{
	uint8_t *p = NULL;
	size_t len = 0;

	/* One that is missing costs readers time, no more. */
	if (!fs_log_index_seal(x, &p, &len))
		(void)fs_log_index_store(l->dirfd, segment, p, len);
	free(p);
}

static void keep_full_index(struct fs_log *l)
{
	struct fs_log_index *x = l->index_full;
	uint64_t segment = l->index_segment;

	pthread_mutex_unlock(&l->lock);
	fs_log_keep_index(l, x, segment);
	fs_log_index_free(x);
	pthread_mutex_lock(&l->lock);
	l->index_full = NULL;
}

void *fs_log_prepare(void *log)
{
	struct fs_log *l = log;

	pthread_mutex_lock(&l->lock);
	for (;;) {
		/* A key is forgotten only once the one after it stands in the log. */
		bool next = l->spare_wanted && !l->introducing && !(l->stop && l->failed);

		/* A clean close leaves a spare for the next start, which may find the disk full. */
		if (l->last_wanted)
			keep_last(l);
		else if (l->index_full)
			keep_full_index(l);
		else if (next)
			prepare_next(l);
		else if (l->stop && !(l->spare_wanted && l->introducing && !l->failed))
			break;
		else
			pthread_cond_wait(&l->want, &l->lock);
	}
	pthread_mutex_unlock(&l->lock);
	return NULL;
}
