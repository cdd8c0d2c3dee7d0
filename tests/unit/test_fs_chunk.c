/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Contents in chunks against a model file, and against somebody who writes to the
 * container: no chunk moves, returns from the past or turns into a hole unseen.
 */
#include <fcntl.h>
#include <pthread.h>

#include "test_fs_records.h"
#include "fs/chunk_impl.h"

#define INO 5
#define CHUNKS 200 /* four map pages */
#define FILE_MAX ((size_t)CHUNKS * FS_CHUNK)

static uint8_t *file; /* the model; zero beyond size */
static uint64_t size;
static bool present[CHUNKS];

static void write_at(struct fs_journal *j, uint64_t ino, uint64_t off, const uint8_t *p, size_t len)
{
	struct fs_group *g = fs_records_group(t.r);
	int rc;

	do { /* -EAGAIN: what a patch relied on was committed meanwhile */
		struct fs_batch b;

		fs_batch_init(&b, t.signer);
		ck_assert_int_eq(fs_chunk_write(j, &b, ino, (uint32_t)(off / FS_CHUNK),
						(uint32_t)(off % FS_CHUNK), p, len),
				 0);
		rc = fs_group_apply(g, &b, NULL);
		fs_batch_clear(&b);
	} while (rc == -EAGAIN);
	ck_assert_int_eq(rc, 0);
}

static void truncate_at(struct fs_journal *j, uint64_t ino, uint64_t len)
{
	struct fs_batch b;

	fs_batch_init(&b, t.signer);
	ck_assert_int_eq(fs_chunk_truncate(j, &b, ino, len), 0);
	t_apply(&b);
}

/* Chunk n has these bytes (then zeros), or is a hole when p is NULL. */
static void check_chunk(struct fs_journal *j, uint64_t ino, uint32_t n, const uint8_t *p,
			size_t len)
{
	struct fs_buf *buf;
	int rc = fs_chunk_get(j, ino, n, &buf);

	ck_assert_int_eq(rc, p ? 0 : -ENODATA);
	if (rc)
		return;
	ck_assert_uint_le(buf->len, FS_CHUNK);
	ck_assert_mem_eq(buf->data, p, buf->len < len ? buf->len : len);
	for (size_t i = buf->len; i < len; i++)
		ck_assert_uint_eq(p[i], 0);
	for (size_t i = len; i < buf->len; i++)
		ck_assert_uint_eq(buf->data[i], 0);
	fs_buf_put(buf);
}

static int get(struct fs_journal *j, uint64_t ino, uint32_t n)
{
	struct fs_buf *buf = NULL;
	int rc = fs_chunk_get(j, ino, n, &buf);

	fs_buf_put(buf);
	return rc;
}

/* ---- against a model ---- */

static void model_write(void)
{
	static uint8_t data[90 * FS_CHUNK];
	uint64_t off = t_rnd(FILE_MAX - 1);
	size_t len = t_rnd(4) ? 1 + t_rnd(9000) : 1 + t_rnd(sizeof(data));

	if (t_rnd(3) == 0)
		off = off / FS_CHUNK * FS_CHUNK;
	if (len > FILE_MAX - off)
		len = FILE_MAX - off;
	if (t_rnd(3) == 0)
		len = len < FS_CHUNK ? len : len / FS_CHUNK * FS_CHUNK;
	for (size_t at = 0; at < len; at += 512)
		memset(data + at, (int)(1 + t_rnd(255)), len - at < 512 ? len - at : 512);
	write_at(t.j[1], INO, off, data, len);
	memcpy(file + off, data, len);
	if (off + len > size)
		size = off + len;
	for (uint64_t n = off / FS_CHUNK; n <= (off + len - 1) / FS_CHUNK; n++)
		present[n] = true;
}

static void model_truncate(void)
{
	uint64_t to = t_rnd(3) ? t_rnd(FILE_MAX) : (uint64_t)t_rnd(CHUNKS) * FS_CHUNK;

	truncate_at(t.j[1], INO, to);
	if (to < size)
		memset(file + to, 0, size - to);
	size = to;
	for (uint64_t n = (to + FS_CHUNK - 1) / FS_CHUNK; n < CHUNKS; n++)
		present[n] = false;
}

static void model_punch(void)
{
	uint32_t lo = t_rnd(CHUNKS), hi = lo + 1 + t_rnd(t_rnd(2) ? 3 : CHUNKS - lo);
	uint64_t next, gone, expect = 0;
	unsigned most = t_rnd(2) ? CHUNKS : 1 + t_rnd(20);
	struct fs_batch b;

	if (hi > CHUNKS)
		hi = CHUNKS;
	fs_batch_init(&b, t.signer);
	ck_assert_int_eq(fs_chunk_punch(t.j[1], &b, INO, lo, hi, most, &next, &gone), 0);
	t_apply(&b);
	for (uint32_t n = lo; n < next; n++) {
		expect += present[n];
		memset(file + (size_t)n * FS_CHUNK, 0, FS_CHUNK);
		present[n] = false;
	}
	ck_assert_uint_eq(gone, expect);
	ck_assert(next == hi || gone == most);
}

/* Any part of the file in one read. */
static void model_check_run(void)
{
	uint32_t lo = t_rnd(CHUNKS), count = 1 + t_rnd(CHUNKS - lo), there = 0;
	struct fs_buf *buf;
	uint64_t n;
	int rc;

	for (uint32_t i = lo; i < lo + count; i++)
		there += present[i];
	rc = fs_chunk_read(t.j[1], INO, lo, count, &buf);
	ck_assert_int_eq(rc, there ? 0 : -ENODATA);
	if (!rc) {
		ck_assert_uint_eq(buf->len, (size_t)count * FS_CHUNK);
		ck_assert_mem_eq(buf->data, file + (size_t)lo * FS_CHUNK, buf->len);
		fs_buf_put(buf);
	}
	ck_assert_int_eq(fs_chunk_count(t.j[1], INO, lo, lo + count, &n), 0);
	ck_assert_uint_eq(n, there);
}

static void model_check_seek(uint32_t n, bool data)
{
	uint32_t found, expect = n;
	int rc = fs_chunk_seek(t.j[1], INO, n, CHUNKS, data, &found);

	while (expect < CHUNKS && present[expect] != data)
		expect++;
	ck_assert_int_eq(rc, expect < CHUNKS ? 0 : -ENXIO);
	if (!rc)
		ck_assert_uint_eq(found, expect);
}

static void model_check(void)
{
	for (uint32_t n = 0; n < CHUNKS; n++) {
		check_chunk(t.j[1], INO, n, present[n] ? file + (size_t)n * FS_CHUNK : NULL,
			    FS_CHUNK);
		model_check_seek(n, t_rnd(2));
	}
}

/* The bitmap, as it is after opening anew, agrees with the maps. */
static void check_units(struct fs_journal *j, uint64_t ino)
{
	struct fs_map_page page;
	uint64_t units = 0;

	for (uint32_t p = 0; p <= CHUNKS / FS_MAP_ENTRIES; p++) {
		ck_assert_int_eq(fs_chunk_map_get(j, ino, p, &page), 0);
		for (unsigned i = 0; i < FS_MAP_ENTRIES; i++)
			units += page.e[i].used;
	}
	ck_assert_uint_eq(fs_container_units_used(fs_journal_container(j)), units);
}

START_TEST(chunks_random_changes_match_model_across_groups_and_reopen)
{
	file = calloc(1, FILE_MAX);
	size = 0;
	memset(present, 0, sizeof(present));
	t.seed = (uint64_t)_i + 1;
	for (int round = 0; round < 250; round++) {
		uint32_t what = t_rnd(12);

		if (what < 7)
			model_write();
		else if (what < 9)
			model_truncate();
		else if (what < 10)
			model_punch();
		else if (what < 11)
			fs_group_hurry(fs_records_group(t.r)); /* the next meet a closing group */
		else
			t_sync();
		model_check_run();
		if (t_rnd(12) == 0)
			model_check();
		if (t_rnd(50) == 0) {
			t_reopen();
			check_units(t.j[1], INO);
		}
	}
	model_check();
	t_reopen();
	model_check();
	check_units(t.j[1], INO);
	truncate_at(t.j[1], INO, 0);
	t_reopen();
	ck_assert_uint_eq(fs_container_units_used(fs_journal_container(t.j[1])), 0);
	ck_assert_int_eq(atomic_load(&t.damaged), 0);
	free(file);
}
END_TEST

static uint8_t one[FS_CHUNK], two[FS_CHUNK];

static void fill_bytes(void)
{
	for (size_t i = 0; i < FS_CHUNK; i++) {
		one[i] = (uint8_t)(i * 7 + 1);
		two[i] = (uint8_t)(i * 13 + 5);
	}
}

START_TEST(cut_then_write_in_one_group_keeps_the_write)
{
	fill_bytes();
	for (uint32_t n = 0; n < 4; n++)
		write_at(t.j[1], INO, (uint64_t)n * FS_CHUNK, one, FS_CHUNK);
	t_sync();
	truncate_at(t.j[1], INO, FS_CHUNK);
	write_at(t.j[1], INO, 2 * FS_CHUNK, two, FS_CHUNK);
	for (int pass = 0; pass < 3; pass++) { /* in the group, committed, reopened */
		check_chunk(t.j[1], INO, 0, one, FS_CHUNK);
		check_chunk(t.j[1], INO, 1, NULL, 0);
		check_chunk(t.j[1], INO, 2, two, FS_CHUNK);
		check_chunk(t.j[1], INO, 3, NULL, 0);
		if (pass == 0)
			t_sync();
		else if (pass == 1)
			t_reopen();
	}
}
END_TEST

START_TEST(two_cuts_in_one_group_drop_what_the_lower_dropped)
{
	fill_bytes();
	for (uint32_t n = 0; n < 6; n++)
		write_at(t.j[1], INO, (uint64_t)n * FS_CHUNK, one, FS_CHUNK);
	t_sync();
	truncate_at(t.j[1], INO, FS_CHUNK);
	truncate_at(t.j[1], INO, 6 * FS_CHUNK);
	write_at(t.j[1], INO, 3 * FS_CHUNK, two, FS_CHUNK);
	write_at(t.j[1], INO, 4 * FS_CHUNK, two, FS_CHUNK);
	truncate_at(t.j[1], INO, 4 * FS_CHUNK);
	for (int pass = 0; pass < 2; pass++) {
		check_chunk(t.j[1], INO, 0, one, FS_CHUNK);
		check_chunk(t.j[1], INO, 1, NULL, 0);
		check_chunk(t.j[1], INO, 3, two, FS_CHUNK);
		check_chunk(t.j[1], INO, 4, NULL, 0);
		check_chunk(t.j[1], INO, 5, NULL, 0);
		t_sync();
	}
}
END_TEST

START_TEST(truncate_zeroes_beyond_the_edge_for_a_later_extension)
{
	static uint8_t expect[FS_CHUNK];

	fill_bytes();
	memcpy(expect, one, 1000);
	write_at(t.j[1], INO, 0, one, FS_CHUNK);
	t_sync();
	truncate_at(t.j[1], INO, 1000);
	truncate_at(t.j[1], INO, FS_CHUNK);
	check_chunk(t.j[1], INO, 0, expect, FS_CHUNK);
	t_reopen();
	check_chunk(t.j[1], INO, 0, expect, FS_CHUNK);
}
END_TEST

START_TEST(changes_within_one_batch_see_each_other)
{
	static uint8_t expect[FS_CHUNK];
	struct fs_key second = fs_chunk_key(t.j[1], INO, 1);
	struct fs_batch b;

	fill_bytes();
	write_at(t.j[1], INO, 0, one, 3000); /* in the open group: patches apply to it */
	fs_batch_init(&b, t.signer);
	ck_assert_int_eq(fs_chunk_write(t.j[1], &b, INO, 0, 2000, two, 100), 0);
	ck_assert_int_eq(fs_chunk_truncate(t.j[1], &b, INO, 2050), 0);
	ck_assert_int_eq(fs_chunk_write(t.j[1], &b, INO, 0, 3600, two, 100), 0);
	ck_assert_int_eq(fs_chunk_write(t.j[1], &b, INO, 1, 0, two, 100), 0);
	fs_batch_del(&b, t.j[1], &second);
	ck_assert_int_eq(fs_chunk_write(t.j[1], &b, INO, 1, 50, two, 10), 0);
	t_apply(&b);
	memcpy(expect, one, 2000);
	memcpy(expect + 2000, two, 50);
	memcpy(expect + 3600, two, 100);
	check_chunk(t.j[1], INO, 0, expect, FS_CHUNK);
	memset(expect, 0, sizeof(expect));
	memcpy(expect + 50, two, 10);
	check_chunk(t.j[1], INO, 1, expect, FS_CHUNK);
	t_reopen();
	check_chunk(t.j[1], INO, 1, expect, FS_CHUNK);
}
END_TEST

START_TEST(chunk_takes_a_unit_whatever_it_holds)
{
	fill_bytes();
	write_at(t.j[1], INO, FS_CHUNK - 10, one, 20);
	t_sync();
	ck_assert_uint_eq(fs_container_units_used(fs_journal_container(t.j[1])), 2);
	write_at(t.j[1], INO, 0, two, 10);
	t_sync();
	ck_assert_uint_eq(fs_container_units_used(fs_journal_container(t.j[1])), 2);
}
END_TEST

static int count_records(void *ctx, const struct fs_key *key, struct fs_buf *buf)
{
	(void)key;
	(void)buf;
	++*(int *)ctx;
	return 0;
}

START_TEST(scan_of_an_inode_shows_no_contents_on_their_way)
{
	struct fs_key from = fs_key(1, INO, 0), to = fs_key(1, INO + 1, 0);
	int n = 0;

	fill_bytes();
	write_at(t.j[1], INO, 0, one, FS_CHUNK);
	truncate_at(t.j[1], INO, 10);
	ck_assert_int_eq(fs_record_scan(t.j[1], &from, &to, count_records, &n), 0);
	ck_assert_int_eq(n, 0);
	t_sync();
	ck_assert_int_eq(fs_record_scan(t.j[1], &from, &to, count_records, &n), 0);
	ck_assert_int_eq(n, 1); /* the map page */
}
END_TEST

/* ---- against somebody who writes to the container ---- */

static int container_fd(uint32_t journal)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s/containers/%02x/%08x", t.dir, journal & 0xff, journal);
	fd = open(path, O_RDWR | O_CLOEXEC);
	ck_assert_int_ge(fd, 0);
	return fd;
}

static struct fs_map_entry entry_of(uint32_t journal, uint64_t ino, uint32_t n)
{
	struct fs_map_page page;

	ck_assert_int_eq(fs_chunk_map_get(t.j[journal], ino, n / FS_MAP_ENTRIES, &page), 0);
	ck_assert(page.e[n % FS_MAP_ENTRIES].used);
	return page.e[n % FS_MAP_ENTRIES];
}

static void read_units(uint32_t journal, const struct fs_map_entry *e, uint8_t *p)
{
	int fd = container_fd(journal);
	size_t len = FS_UNIT;

	ck_assert_int_eq(pread(fd, p, len, (off_t)e->pos * FS_UNIT), (ssize_t)len);
	close(fd);
}

static void write_units(uint32_t journal, const struct fs_map_entry *e, const uint8_t *p)
{
	int fd = container_fd(journal);
	size_t len = FS_UNIT;

	ck_assert_int_eq(pwrite(fd, p, len, (off_t)e->pos * FS_UNIT), (ssize_t)len);
	close(fd);
}

static uint8_t raw_a[FS_CHUNK], raw_b[FS_CHUNK];

static void check_swap(uint32_t ja, uint64_t ia, uint32_t na, uint32_t jb, uint64_t ib, uint32_t nb)
{
	struct fs_map_entry a, b;

	fill_bytes();
	write_at(t.j[ja], ia, (uint64_t)na * FS_CHUNK, one, FS_CHUNK);
	write_at(t.j[jb], ib, (uint64_t)nb * FS_CHUNK, two, FS_CHUNK);
	t_sync();
	a = entry_of(ja, ia, na);
	b = entry_of(jb, ib, nb);
	read_units(ja, &a, raw_a);
	read_units(jb, &b, raw_b);
	write_units(ja, &a, raw_b);
	write_units(jb, &b, raw_a);
	ck_assert_int_eq(get(t.j[ja], ia, na), -EBADMSG);
	ck_assert_int_eq(get(t.j[jb], ib, nb), -EBADMSG);
	write_units(ja, &a, raw_a);
	ck_assert_int_eq(get(t.j[ja], ia, na), 0);
}

START_TEST(get_chunk_swapped_within_a_file_refuses)
{
	check_swap(1, INO, 0, 1, INO, 1);
}
END_TEST

START_TEST(get_chunk_swapped_between_files_refuses)
{
	check_swap(1, INO, 0, 1, INO + 1, 0);
}
END_TEST

START_TEST(get_chunk_swapped_between_journals_refuses)
{
	check_swap(1, INO, 0, 2, INO, 0);
}
END_TEST

START_TEST(get_chunk_rolled_back_refuses)
{
	struct fs_map_entry v1, v2;

	fill_bytes();
	write_at(t.j[1], INO, 0, one, FS_CHUNK);
	t_sync();
	v1 = entry_of(1, INO, 0);
	read_units(1, &v1, raw_a);
	write_at(t.j[1], INO, 0, two, FS_CHUNK);
	t_sync();
	v2 = entry_of(1, INO, 0);
	ck_assert_uint_ne(v1.pos, v2.pos); /* never over live data */
	write_units(1, &v2, raw_a);
	ck_assert_int_eq(get(t.j[1], INO, 0), -EBADMSG);
}
END_TEST

START_TEST(get_map_rolled_back_refuses)
{
	struct fs_key map = fs_key_n(1, INO, FS_T_MAP, 0, 4);
	struct t_raw v1;

	fill_bytes();
	write_at(t.j[1], INO, 0, one, FS_CHUNK);
	t_sync();
	v1 = t_raw_get(&map);
	write_at(t.j[1], INO, 0, two, FS_CHUNK);
	t_sync();
	t_raw_put(&map, &v1);
	ck_assert_int_eq(get(t.j[1], INO, 0), -EBADMSG);
}
END_TEST

START_TEST(damaged_map_met_by_a_commit_costs_only_that_journal)
{
	struct fs_key map = fs_key_n(1, INO, FS_T_MAP, 0, 4);
	struct t_raw raw;
	uint64_t used;

	fill_bytes();
	write_at(t.j[1], INO, 0, one, FS_CHUNK);
	write_at(t.j[1], INO + 1, 0, one, FS_CHUNK);
	write_at(t.j[2], INO, 0, one, FS_CHUNK);
	t_sync();
	used = fs_container_units_used(fs_journal_container(t.j[1]));
	raw = t_raw_get(&map);
	raw.p[raw.len - 1] ^= 1;
	t_raw_put(&map, &raw);
	write_at(t.j[1], INO - 1, 0, two, FS_CHUNK);
	write_at(t.j[1], INO, 0, two, FS_CHUNK);
	write_at(t.j[2], INO, 0, two, FS_CHUNK);
	t_sync();
	ck_assert_int_eq(fs_journal_check(t.j[1]), -EIO);
	ck_assert_int_eq(atomic_load(&t.damaged), 1);
	ck_assert_int_eq(atomic_load(&t.failed), 1);
	/* What was placed before the damage was met is free again. */
	ck_assert_uint_eq(fs_container_units_used(fs_journal_container(t.j[1])), used);
	ck_assert_int_eq(get(t.j[1], INO - 1, 0), -ENODATA);
	check_chunk(t.j[1], INO + 1, 0, one, FS_CHUNK);
	check_chunk(t.j[2], INO, 0, two, FS_CHUNK);
	t_reopen();
	check_chunk(t.j[1], INO + 1, 0, one, FS_CHUNK);
	check_chunk(t.j[2], INO, 0, two, FS_CHUNK);
}
END_TEST

/* A writer who knows the keys may seal and sign what no daemon would write. */
START_TEST(get_map_that_is_none_refuses_and_keeps_nothing)
{
	struct fs_key map = fs_key_n(1, INO, FS_T_MAP, 0, 4);
	struct fs_buf *page = NULL, *buf = NULL;
	struct fs_batch b;

	fs_batch_init(&b, t.signer);
	fs_batch_put(&b, t.j[1], &map, "no map", 6);
	t_apply(&b);
	t_sync();
	ck_assert_int_eq(fs_chunk_map_find(t.j[1], INO, 0, &page), -EBADMSG);
	ck_assert_ptr_null(page);
	ck_assert_int_eq(fs_chunk_read(t.j[1], INO, 0, 2, &buf), -EBADMSG);
	ck_assert_int_eq(get(t.j[1], INO, 0), -EBADMSG);
}
END_TEST

START_TEST(forged_hole_refuses)
{
	struct fs_key map = fs_key_n(1, INO, FS_T_MAP, 0, 4);
	struct t_raw none = {.len = 0};
	struct fs_map_entry e;
	uint32_t found;

	fill_bytes();
	write_at(t.j[1], INO, 0, one, FS_CHUNK);
	write_at(t.j[1], INO, FS_CHUNK, one, FS_CHUNK);
	t_sync();
	e = entry_of(1, INO, 1);
	memset(raw_a, 0, sizeof(raw_a));
	write_units(1, &e, raw_a); /* zeros are no hole */
	ck_assert_int_eq(get(t.j[1], INO, 1), -EBADMSG);
	t_raw_put(&map, &none);
	fs_chunk_forget(t.r, 1); /* the page that was read before */
	ck_assert_int_eq(get(t.j[1], INO, 0), -EBADMSG);
	ck_assert_int_eq(fs_chunk_seek(t.j[1], INO, 0, 2, false, &found), -EBADMSG);
	ck_assert_int_eq(fs_chunk_seek(t.j[1], INO, 0, 2, true, &found), -EBADMSG);
}
END_TEST

START_TEST(get_chunk_with_any_flipped_bit_refuses)
{
	struct fs_map_entry e;

	fill_bytes();
	write_at(t.j[1], INO, 0, one, 4000);
	t_sync();
	e = entry_of(1, INO, 0);
	read_units(1, &e, raw_a);
	for (size_t i = 0; i < FS_UNIT; i += 61) {
		raw_a[i] ^= 0x20;
		write_units(1, &e, raw_a);
		ck_assert_int_eq(get(t.j[1], INO, 0), -EBADMSG);
		raw_a[i] ^= 0x20;
	}
	write_units(1, &e, raw_a);
	ck_assert_int_eq(get(t.j[1], INO, 0), 0);
	ck_assert_int_eq(atomic_load(&t.damaged), 1);
}
END_TEST

START_TEST(damaged_unit_in_a_run_costs_only_its_chunk)
{
	static uint8_t text[40 * FS_CHUNK];
	struct fs_map_entry first, e;
	struct fs_buf *buf;

	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = (uint8_t)(i * 31 >> 3);
	write_at(t.j[1], INO, 0, text, sizeof(text));
	t_sync();
	first = entry_of(1, INO, 0);
	e = entry_of(1, INO, 17);
	ck_assert_uint_eq(e.pos, first.pos + 17); /* one run */
	read_units(1, &e, raw_a);
	raw_a[4095] ^= 1;
	write_units(1, &e, raw_a);
	ck_assert_int_eq(fs_chunk_read(t.j[1], INO, 0, 40, &buf), -EBADMSG);
	ck_assert_int_eq(get(t.j[1], INO, 17), -EBADMSG);
	ck_assert_int_eq(fs_chunk_read(t.j[1], INO, 0, 17, &buf), 0);
	ck_assert_mem_eq(buf->data, text, 17 * FS_CHUNK);
	fs_buf_put(buf);
	ck_assert_int_eq(fs_chunk_read(t.j[1], INO, 18, 22, &buf), 0);
	ck_assert_mem_eq(buf->data, text + 18 * FS_CHUNK, 22 * FS_CHUNK);
	fs_buf_put(buf);
	ck_assert_int_eq(atomic_load(&t.damaged), 1);
	/* Written whole, it is never read, and sound again. */
	write_at(t.j[1], INO, 17 * FS_CHUNK, text + 17 * FS_CHUNK, FS_CHUNK);
	t_sync();
	ck_assert_int_eq(fs_chunk_read(t.j[1], INO, 0, 40, &buf), 0);
	ck_assert_mem_eq(buf->data, text, sizeof(text));
	fs_buf_put(buf);
}
END_TEST

START_TEST(get_from_a_truncated_container_fails)
{
	int fd;

	fill_bytes();
	write_at(t.j[1], INO, 0, one, FS_CHUNK);
	t_sync();
	fd = container_fd(1);
	ck_assert_int_eq(ftruncate(fd, FS_UNIT - 1), 0);
	close(fd);
	ck_assert_int_eq(get(t.j[1], INO, 0), -EIO);
}
END_TEST

START_TEST(container_shows_no_plaintext)
{
	struct fs_map_entry e;

	memset(one, 'A', sizeof(one));
	write_at(t.j[1], INO, 0, one, FS_CHUNK);
	t_sync();
	e = entry_of(1, INO, 0);
	read_units(1, &e, raw_a);
	ck_assert_ptr_null(memmem(raw_a, FS_CHUNK, "AAAA", 4));
}
END_TEST

START_TEST(map_decode_rejects_malformed_pages)
{
	struct fs_map_page page = {.e[3] = {.pos = 77, .generation = 65536, .used = true}},
			   again;
	uint8_t p[FS_VALUE_MAX];
	size_t len = fs_chunk_map_encode(&page, p);

	ck_assert_uint_eq(len, 4 * FS_MAP_ENTRY_LEN);
	ck_assert_int_eq(fs_chunk_map_decode(p, len, &again), 0);
	ck_assert_uint_eq(again.e[3].pos, 77);
	ck_assert_uint_eq(again.e[3].generation, 65536);
	ck_assert_int_eq(fs_chunk_map_decode(p, len - 1, &again), -EBADMSG);
	ck_assert_int_eq(fs_chunk_map_decode(p, 0, &again), -EBADMSG);
	p[3 * FS_MAP_ENTRY_LEN + 5] = 2;
	ck_assert_int_eq(fs_chunk_map_decode(p, len, &again), -EBADMSG);
	p[3 * FS_MAP_ENTRY_LEN + 5] = 0; /* a hole with a position */
	ck_assert_int_eq(fs_chunk_map_decode(p, len, &again), -EBADMSG);
	p[3 * FS_MAP_ENTRY_LEN] = 0; /* a hole with a generation */
	ck_assert_int_eq(fs_chunk_map_decode(p, len, &again), -EBADMSG);
	memset(p, 0, sizeof(p));
	ck_assert_int_eq(fs_chunk_map_decode(p, (FS_MAP_ENTRIES + 1) * FS_MAP_ENTRY_LEN, &again),
			 -EBADMSG);
}
END_TEST

/* ---- readers and committer at once ---- */

static pthread_rwlock_t inode_lock = PTHREAD_RWLOCK_INITIALIZER;
static atomic_bool stop;
static atomic_int bad;
static atomic_ulong reads;

static void *reader(void *arg)
{
	uint32_t n = (uint32_t)(uintptr_t)arg;

	while (!atomic_load(&stop)) {
		struct fs_buf *buf;

		n = n * 1664525u + 1013904223u;
		pthread_rwlock_rdlock(&inode_lock);
		if (fs_chunk_get(t.j[1], INO, n / 7 % 8, &buf)) {
			atomic_fetch_add(&bad, 1);
		} else {
			for (size_t i = 1; i < buf->len; i++) /* each write fills its chunk */
				atomic_fetch_add(&bad, buf->data[i] != buf->data[0]);
			fs_buf_put(buf);
			atomic_fetch_add(&reads, 1);
		}
		pthread_rwlock_unlock(&inode_lock);
		sched_yield();
	}
	return NULL;
}

START_TEST(readers_get_whole_chunks_while_committing)
{
	pthread_t th[2];

	memset(one, 1, sizeof(one));
	for (uint32_t n = 0; n < 8; n++)
		write_at(t.j[1], INO, (uint64_t)n * FS_CHUNK, one, FS_CHUNK);
	atomic_store(&stop, false);
	for (uintptr_t i = 0; i < 2; i++)
		ck_assert_int_eq(pthread_create(&th[i], NULL, reader, (void *)(i + 1)), 0);
	for (int round = 0; round < 400; round++) {
		memset(one, round % 250 + 1, sizeof(one));
		pthread_rwlock_wrlock(&inode_lock);
		write_at(t.j[1], INO, (uint64_t)t_rnd(8) * FS_CHUNK, one, FS_CHUNK);
		pthread_rwlock_unlock(&inode_lock);
		if (t_rnd(4) == 0)
			t_sync();
		else
			fs_group_hurry(fs_records_group(t.r));
	}
	atomic_store(&stop, true);
	for (int i = 0; i < 2; i++)
		pthread_join(th[i], NULL);
	ck_assert_int_eq(atomic_load(&bad), 0);
	ck_assert_uint_gt(atomic_load(&reads), 0);
	ck_assert_int_eq(atomic_load(&t.damaged), 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("fs_chunk");
	TCase *tc = tcase_create("chunks");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, t_set_up, t_tear_down);
	tcase_set_timeout(tc, 180);
	tcase_add_loop_test(tc, chunks_random_changes_match_model_across_groups_and_reopen, 0, 6);
	tcase_add_test(tc, cut_then_write_in_one_group_keeps_the_write);
	tcase_add_test(tc, two_cuts_in_one_group_drop_what_the_lower_dropped);
	tcase_add_test(tc, truncate_zeroes_beyond_the_edge_for_a_later_extension);
	tcase_add_test(tc, changes_within_one_batch_see_each_other);
	tcase_add_test(tc, chunk_takes_a_unit_whatever_it_holds);
	tcase_add_test(tc, scan_of_an_inode_shows_no_contents_on_their_way);
	tcase_add_test(tc, get_chunk_swapped_within_a_file_refuses);
	tcase_add_test(tc, get_chunk_swapped_between_files_refuses);
	tcase_add_test(tc, get_chunk_swapped_between_journals_refuses);
	tcase_add_test(tc, get_chunk_rolled_back_refuses);
	tcase_add_test(tc, get_map_rolled_back_refuses);
	tcase_add_test(tc, get_map_that_is_none_refuses_and_keeps_nothing);
	tcase_add_test(tc, forged_hole_refuses);
	tcase_add_test(tc, get_chunk_with_any_flipped_bit_refuses);
	tcase_add_test(tc, damaged_unit_in_a_run_costs_only_its_chunk);
	tcase_add_test(tc, get_from_a_truncated_container_fails);
	tcase_add_test(tc, container_shows_no_plaintext);
	tcase_add_test(tc, map_decode_rejects_malformed_pages);
	tcase_add_test(tc, damaged_map_met_by_a_commit_costs_only_that_journal);
	tcase_add_test(tc, readers_get_whole_chunks_while_committing);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
