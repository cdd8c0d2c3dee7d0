/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/test_fs_history.h - saving, listing and reading earlier versions, for their tests.
 */
#ifndef TEST_FS_HISTORY_H
#define TEST_FS_HISTORY_H

#include "test_fs_files.h"

#include <fcntl.h>

#include "fs/final.h"
#include "fs/history_impl.h"
#include "fs/history_link.h"
#include "fs/reseal.h"
#include "fs/record_impl.h"
#include "fs/chunk_impl.h"

#define BIG 300000u /* contents in chunks */

static struct files f;

static inline void set_up(void)
{
	files_start(&f);
	f.who.keeps = true;
}

static inline void tear_down(void)
{
	files_stop(&f);
}

static inline void tick(int64_t s)
{
	f.who.now.tv_sec += s;
}

static inline void saved(struct fs_inode *i)
{
	ck_assert_int_eq(fs_history_saved(i, &f.who), 0);
}

/* As an editor that writes in place: O_TRUNC, write, close. */
static inline void save(struct fs_inode *i, const void *p, size_t len)
{
	tick(1);
	ck_assert_int_eq(fs_content_truncate(i, 0, &f.who), 0);
	files_write(&f, i, 0, p, len);
	saved(i);
}

static inline void save_text(struct fs_inode *i, const char *text)
{
	save(i, text, strlen(text));
}

struct list {
	struct fs_history_version v[400];
	size_t n;
};

static inline int add(void *ctx, const struct fs_history_version *v)
{
	struct list *l = ctx;

	ck_assert_uint_lt(l->n, 400);
	l->v[l->n++] = *v;
	return 0;
}

static inline struct list list(struct fs_inode *i)
{
	struct list l = {.n = 0};

	ck_assert_int_eq(fs_history_list(i, add, &l), 0);
	ck_assert_uint_ge(l.n, 1);
	ck_assert(l.v[0].now);
	for (size_t n = 1; n < l.n; n++) {
		ck_assert(!l.v[n].now);
		ck_assert_uint_lt(l.v[n].version, l.v[n - 1].version);
	}
	return l;
}

/* What is looked up by number is what is listed, and nothing else is found. */
static inline void check_found(struct fs_inode *i)
{
	struct list l = list(i);
	size_t n = l.n;

	for (uint32_t version = 0; version <= l.v[0].version + 1; version++) {
		struct fs_history_version v = {.version = 0};
		int rc = fs_history_find(i, version, &v);

		if (!n || l.v[n - 1].version != version) {
			ck_assert_int_eq(rc, -ENOENT);
			continue;
		}
		n--;
		ck_assert_int_eq(rc, 0);
		ck_assert_uint_eq(v.ino, l.v[n].ino);
		ck_assert_uint_eq(v.version, version);
		ck_assert_uint_eq(v.size, l.v[n].size);
		ck_assert_uint_eq(v.writer, l.v[n].writer);
		ck_assert_int_eq(v.now, l.v[n].now);
		ck_assert_int_eq(v.mtime.tv_sec, l.v[n].mtime.tv_sec);
	}
	ck_assert_uint_eq(n, 0);
}

/* All of a version, in reads of odd lengths. */
static inline size_t read_version(const struct fs_history_version *v, uint8_t *out, size_t cap)
{
	size_t at = 0, step = 70001;

	while (at < v->size) {
		struct fs_iov iov = {.n = 0};

		ck_assert_int_eq(fs_history_read(f.j, v, at, step, &iov), 0);
		ck_assert_uint_gt(iov.len, 0);
		ck_assert_uint_le(at + iov.len, cap);
		for (int n = 0; n < iov.n; n++) {
			memcpy(out + at, iov.v[n].iov_base, iov.v[n].iov_len);
			at += iov.v[n].iov_len;
		}
		fs_iov_clear(&iov);
	}
	return at;
}

static inline void check_bytes(const struct fs_history_version *v, const void *p, size_t len)
{
	uint8_t *out = malloc(len + 70001);

	ck_assert_uint_eq(v->size, len);
	ck_assert_uint_eq(read_version(v, out, len + 70001), len);
	ck_assert_int_eq(memcmp(out, p, len), 0);
	free(out);
}

static inline void check_text(const struct fs_history_version *v, const char *text)
{
	check_bytes(v, text, strlen(text));
}

static inline struct fs_inode *look(const char *name)
{
	struct fs_inode *i = NULL;

	ck_assert_int_eq(fs_tree_lookup(f.root, name, &i), 0);
	return i;
}

static inline void fill(uint8_t *p, size_t len, unsigned seed)
{
	for (size_t n = 0; n < len; n++)
		p[n] = (uint8_t)((seed = seed * 1103515245u + 12345u) >> 16);
}

static unsigned seed = 1;

static inline unsigned rnd(unsigned n)
{
	seed = seed * 1664525u + 1013904223u;
	return (seed >> 8) % n;
}

/* ---- units: every one in a map, none twice ---- */

#define UNITS_MAX 65536

struct units {
	uint8_t used[UNITS_MAX];
	uint64_t n;
};

static inline int count_map(void *ctx, const struct fs_key *key, struct fs_buf *buf)
{
	struct units *u = ctx;
	struct fs_map_page page;
	bool old = fs_key_table(key) == FS_T_OLD_MAP;

	if (!old && fs_key_table(key) != FS_T_MAP)
		return 0;
	ck_assert_int_eq(old ? fs_chunk_old_decode(buf->data, buf->len, &page)
			     : fs_chunk_map_decode(buf->data, buf->len, &page),
			 0);
	for (unsigned k = 0; k < FS_MAP_ENTRIES; k++) {
		if (!page.e[k].used)
			continue;
		ck_assert_uint_lt(page.e[k].pos, UNITS_MAX);
		ck_assert(!u->used[page.e[k].pos]);
		u->used[page.e[k].pos] = 1;
		u->n++;
	}
	return 0;
}

/* No unit is used twice, none is lost. */
static inline uint64_t check_units(void)
{
	struct units *u = calloc(1, sizeof(*u));
	struct fs_key from = fs_key(5, 1, 0), to = fs_key(5, FS_INO_MAX, FS_T_NODE);
	uint64_t n;

	files_sync(&f);
	ck_assert_int_eq(fs_record_scan(f.j, &from, &to, count_map, u), 0);
	ck_assert_uint_eq(fs_container_units_used(fs_journal_container(f.j)), u->n);
	n = u->n;
	free(u);
	return n;
}

#endif
