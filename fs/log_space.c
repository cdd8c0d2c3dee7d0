/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/log_space.c - where the log ends, and room for it to go on.
 *
 * At open the newest segment is walked; appending goes on behind everything in it
 * that is not zero, so that not even a half-written record is ever overwritten.
 * One spare segment, full of written zeros, is always kept ahead of the current
 * one. When it can't be made the log goes on until the current segment is full
 * and then refuses (-ENOSPC); every append after that asks for a new attempt.
 */
#include "log_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* What was learned of one segment. */
struct found {
	int fd; /* owned; -1 none */
	uint64_t number;
	int header_rc; /* 0, -ENODATA unused, -EBADMSG */
	struct fs_log_header header;
	bool zero; /* nothing but zeros */
	size_t size, end;
	uint64_t next_seq; /* behind the last record found */
	bool any_head;
	uint8_t head_sig[KEYS_SIG_LEN];
};

static void look_at_frames(const uint8_t *p, size_t len, struct found *f)
{
	struct fs_log_frame frame;
	struct fs_log_head head;
	struct fs_log_walk w;
	bool torn;

	fs_log_walk_init(&w, f->header_rc ? NULL : &f->header, p, len);
	while (fs_log_walk_next(&w, &frame)) {
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
	look_at_frames(p, f->size, f);
	free(p);
	return 0;
fail:
	free(p);
	close(f->fd);
	return rc;
}

/* Takes over what a segment in use says, newest first; l->fd is set at the first that is whole. */
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

static int start_segment(struct fs_log *l, uint64_t number)
{
	int rc, fd = -1;

	rc = fs_log_segment_make(l->dirfd, number, l->segment_bytes, &fd);
	if (!rc)
		rc = fs_log_begin_segment(l, fd, number);
	return rc;
}

/* From the newest segment back to the first that is whole; damaged ones behind it are counted. */
static int find_used(struct fs_log *l, const uint64_t *list, size_t n, size_t *damaged)
{
	for (size_t i = n; i > 0 && l->fd < 0; i--) {
		struct found f;
		int rc = look(l, list[i - 1], &f);

		if (rc)
			return rc;
		if (!f.zero) {
			*damaged += f.header_rc != 0;
			take_used(l, &f);
		}
		if (f.fd >= 0)
			close(f.fd);
	}
	return 0;
}

/* The spare that an earlier run left: on a full disk it is all the space that there is. */
static void adopt_spare(struct fs_log *l)
{
	struct found f;

	if (look(l, l->number + 1, &f))
		return;
	if (f.zero && f.header_rc == -ENODATA && f.size == l->segment_bytes)
		l->spare_fd = f.fd;
	else
		close(f.fd);
}

int fs_log_find_end(struct fs_log *l)
{
	uint64_t *list = NULL;
	size_t n = 0, damaged = 0;
	int rc;

	rc = fs_log_segment_list(l->dirfd, &list, &n);
	if (!rc)
		rc = find_used(l, list, n, &damaged);
	if (!rc && l->fd < 0 && damaged)
		rc = -EBADMSG; /* files of that name, and not one that is a log of ours */
	if (!rc && (l->fd < 0 || damaged)) {
		/* Nothing yet, or damaged segments behind the last whole one: go on after them. */
		if (l->fd >= 0)
			close(l->fd);
		l->fd = -1;
		rc = start_segment(l, l->number + 1);
	}
	if (!rc) {
		l->older_bytes = bytes_before(l, list, n);
		adopt_spare(l);
	}
	free(list);
	return rc;
}

void *fs_log_prepare(void *log)
{
	struct fs_log *l = log;

	pthread_mutex_lock(&l->lock);
	for (;;) {
		uint64_t number;
		int rc, fd = -1;

		while (!l->stop && !l->spare_wanted)
			pthread_cond_wait(&l->want, &l->lock);
		/* A clean close leaves a spare for the next start, which may find the disk full. */
		if (l->stop && (!l->spare_wanted || l->failed))
			break;
		number = l->number + 1;
		pthread_mutex_unlock(&l->lock);
		rc = fs_log_segment_make(l->dirfd, number, l->segment_bytes, &fd);
		pthread_mutex_lock(&l->lock);
		l->spare_fd = fd;
		l->spare_rc = rc;
		l->spare_wanted = false;
		l->spare_attempts++;
		pthread_cond_broadcast(&l->space);
	}
	pthread_mutex_unlock(&l->lock);
	return NULL;
}
