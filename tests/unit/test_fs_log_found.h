/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/test_fs_log_found.h - verify a directory of segments and look at what was found; read,
 * write and take apart segment files.
 */
#ifndef TEST_FS_LOG_FOUND_H
#define TEST_FS_LOG_FOUND_H

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../fs/log_segment.h"
#include "../../fs/log_verify.h"

#define T_FOUND 64

struct t_found {
	struct fs_log_verified v;
	struct fs_log_finding f[T_FOUND];
	char text[T_FOUND][300];
	size_t n;
};

static inline void t_finding(void *ctx, const struct fs_log_finding *f)
{
	struct t_found *t = ctx;

	if (t->n == T_FOUND)
		return;
	t->f[t->n] = *f;
	snprintf(t->text[t->n], sizeof(t->text[0]), "%s", f->text);
	t->f[t->n].text = t->text[t->n];
	t->n++;
}

struct t_asking {
	const uint8_t *vault, *root_pk;
	const char *kept[4];
	size_t kept_count;
	bool after; /* go on from kept[0] */
	uint64_t least;
	unsigned threads;
	bool live; /* somebody writes to it */
};

static inline int t_verify_rc(const char *dir, const struct t_asking *a, struct t_found *t)
{
	struct fs_log_source source;
	struct fs_log_verifying q = {.source = &source, .finding = t_finding, .ctx = t};
	int rc;

	memset(t, 0, sizeof(*t));
	ck_assert_int_eq(fs_log_source_dir(dir, &source), 0);
	source.still = !a || !a->live;
	if (a) {
		q.vault = a->vault;
		q.root_pk = a->root_pk;
		q.kept = a->kept;
		q.kept_count = a->kept_count;
		q.after = a->after ? a->kept[0] : NULL;
		q.least = a->least;
		q.threads = a->threads;
	}
	rc = fs_log_verify(&q, &t->v);
	fs_log_source_close(&source);
	if (getenv("SHOW"))
		for (size_t i = 0; i < t->n; i++)
			fprintf(stderr, "  %s %llu-%llu: %s\n", fs_log_finding_text(t->f[i].kind),
				(unsigned long long)t->f[i].seq, (unsigned long long)t->f[i].last,
				t->text[i]);
	return rc;
}

static inline void t_verify(const char *dir, const struct t_asking *a, struct t_found *t)
{
	ck_assert_int_eq(t_verify_rc(dir, a, t), 0);
}

/* The first alarm, or note, is this. */
static inline const struct fs_log_finding *t_first(const struct t_found *t,
						   enum fs_log_finding_kind kind, uint64_t seq)
{
	size_t i = 0;

	while (i < t->n && (t->f[i].kind < FS_LOG_NOTES) != (kind < FS_LOG_NOTES))
		i++;
	ck_assert_msg(i < t->n, "found nothing of the sort; expected %s, record %llu",
		      fs_log_finding_text(kind), (unsigned long long)seq);
	ck_assert_msg(t->f[i].kind == kind && t->f[i].seq == seq,
		      "found first: %s, record %llu (%s); expected %s, record %llu",
		      fs_log_finding_text(t->f[i].kind), (unsigned long long)t->f[i].seq,
		      t->text[i], fs_log_finding_text(kind), (unsigned long long)seq);
	return &t->f[i];
}

/* It alone. */
static inline void t_only(const struct t_found *t, enum fs_log_finding_kind kind, uint64_t seq)
{
	t_first(t, kind, seq);
	ck_assert_msg(t->n == 1, "found also: %s, record %llu (%s)",
		      fs_log_finding_text(t->f[1].kind), (unsigned long long)t->f[1].seq,
		      t->text[1]);
}

static inline const struct fs_log_finding *t_any(const struct t_found *t,
						 enum fs_log_finding_kind kind)
{
	for (size_t i = 0; i < t->n; i++) {
		if (t->f[i].kind == kind)
			return &t->f[i];
	}
	return NULL;
}

static inline void t_whole(const struct t_found *t)
{
	ck_assert_msg(!t->v.alarms, "alarm: %s, record %llu (%s)",
		      fs_log_finding_text(t->f[0].kind), (unsigned long long)t->f[0].seq,
		      t->text[0]);
}

/* ---- segment files ---- */

struct t_segment {
	char path[300];
	uint8_t *p;
	size_t len;
	struct fs_log_frame frame[4096];
	size_t n;
};

static inline void t_segment_path(const char *dir, uint64_t number, char path[static 300])
{
	char name[FS_LOG_NAME];

	fs_log_segment_name(number, name);
	snprintf(path, 300, "%s/%s", dir, name);
}

static inline struct t_segment *t_segment_load(const char *dir, uint64_t number)
{
	struct t_segment *s = calloc(1, sizeof(*s));
	struct fs_log_header h;
	struct fs_log_walk w;
	int fd;

	ck_assert_ptr_nonnull(s);
	t_segment_path(dir, number, s->path);
	fd = open(s->path, O_RDONLY);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(fs_log_segment_load(fd, &s->p, &s->len), 0);
	close(fd);
	fs_log_walk_init(&w, fs_log_header_decode(s->p, &h) ? NULL : &h, s->p, s->len);
	while (s->n < 4096 && fs_log_walk_next(&w, &s->frame[s->n]))
		s->n++;
	return s;
}

/* The frame of record seq, or the i-th frame of a kind that is no record. */
static inline struct fs_log_frame *t_record(struct t_segment *s, uint64_t seq)
{
	for (size_t i = 0; i < s->n; i++) {
		if (s->frame[i].kind == FS_LOG_RECORD && s->frame[i].seq == seq)
			return &s->frame[i];
	}
	ck_abort_msg("no record %llu in %s", (unsigned long long)seq, s->path);
	return NULL;
}

static inline struct fs_log_frame *t_frame(struct t_segment *s, enum fs_log_frame_kind kind,
					   size_t i)
{
	for (size_t k = 0; k < s->n; k++) {
		if (s->frame[k].kind == kind && i-- == 0)
			return &s->frame[k];
	}
	ck_abort_msg("no such frame in %s", s->path);
	return NULL;
}

static inline size_t t_frame_end(const struct fs_log_frame *f)
{
	return f->off + fs_log_frame_size(f->len);
}

static inline size_t t_segment_end(const struct t_segment *s)
{
	return t_frame_end(&s->frame[s->n - 1]);
}

static inline void t_segment_store(struct t_segment *s)
{
	int fd = open(s->path, O_WRONLY | O_TRUNC);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(pwrite(fd, s->p, s->len, 0), (ssize_t)s->len);
	close(fd);
	free(s->p);
	free(s);
}

static inline void t_segment_drop(struct t_segment *s)
{
	free(s->p);
	free(s);
}

/* Every bit pattern would do; this one never gives the same byte. */
static inline void t_flip(const char *dir, uint64_t segment, size_t off)
{
	struct t_segment *s = t_segment_load(dir, segment);

	s->p[off] ^= 0x21;
	t_segment_store(s);
}

/* Offsets of one segment's frames, before anything was flipped. */
static inline size_t t_record_off(const char *dir, uint64_t segment, uint64_t seq)
{
	struct t_segment *s = t_segment_load(dir, segment);
	size_t off = t_record(s, seq)->off;

	t_segment_drop(s);
	return off;
}

static inline size_t t_frame_off(const char *dir, uint64_t segment, enum fs_log_frame_kind kind,
				 size_t i)
{
	struct t_segment *s = t_segment_load(dir, segment);
	size_t off = t_frame(s, kind, i)->off;

	t_segment_drop(s);
	return off;
}

/* Takes these bytes out; what follows moves up. */
static inline void t_cut_out(struct t_segment *s, size_t from, size_t to)
{
	memmove(s->p + from, s->p + to, s->len - to);
	memset(s->p + s->len - (to - from), 0, to - from);
}

static inline void t_put_in(struct t_segment *s, size_t at, const uint8_t *p, size_t len)
{
	memmove(s->p + at + len, s->p + at, s->len - at - len);
	memcpy(s->p + at, p, len);
}

static inline int t_remove_one(const char *path, const struct stat *st, int flag, struct FTW *f)
{
	(void)st;
	(void)flag;
	(void)f;
	return remove(path);
}

static inline void t_remove_all(const char *dir)
{
	nftw(dir, t_remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static inline void t_copy_all(const char *from, const char *to)
{
	char command[500];

	snprintf(command, sizeof(command), "cp -a '%s'/. '%s'/", from, to);
	ck_assert_int_eq(system(command), 0);
}

#endif
