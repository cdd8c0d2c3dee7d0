/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/test_fs_content.c - contents: against a model in memory, and the traps that other
 * file systems fell into (appends, read-modify-write, holes, failed reads, times).
 */
#include "test_fs_files.h"

#include <fcntl.h>

#define MODEL_MAX (400u * 1024)
#define KB 1024u

static struct files f;
static struct fs_inode *file;

static void start(void)
{
	files_start(&f);
	file = files_make(&f, f.root, "note", S_IFREG | 0640);
}

static void stop(void)
{
	fs_inode_put(file);
	files_stop(&f);
}

static void reopen(bool read_only)
{
	fs_inode_put(file);
	files_reopen(&f, read_only);
	ck_assert_int_eq(fs_tree_lookup(f.root, "note", &file), 0);
}

/* ---- against a model ---- */

struct model {
	uint8_t data[MODEL_MAX];
	uint64_t size;
};

static struct model model;
static uint8_t scratch[MODEL_MAX + 1];

static void check_whole(void)
{
	uint64_t off = 0;
	size_t got = 0;

	ck_assert_uint_eq(file->size, model.size);
	do {
		ck_assert_int_eq(files_read(file, off, scratch, sizeof(scratch), &got), 0);
		ck_assert_uint_le(off + got, model.size);
		ck_assert_mem_eq(scratch, model.data + off, got);
		off += got;
	} while (got);
	ck_assert_uint_eq(off, model.size);
}

/* Data and holes alternate, holes are zero, blocks cover the data and no more. */
static void check_map(void)
{
	uint64_t off = 0, data, hole, sum = 0;
	int rc;

	while (!(rc = fs_content_seek(file, off, true, &data))) {
		for (uint64_t at = off; at < data; at++)
			ck_assert_uint_eq(model.data[at], 0);
		ck_assert_int_eq(fs_content_seek(file, data, false, &hole), 0);
		ck_assert_uint_gt(hole, data);
		ck_assert_uint_le(hole, model.size);
		sum += hole - data;
		off = hole;
		if (off == model.size)
			break;
	}
	ck_assert(rc == 0 || rc == -ENXIO);
	for (uint64_t at = off; rc && at < model.size; at++)
		ck_assert_uint_eq(model.data[at], 0);
	ck_assert_uint_ge(file->blocks * 512, sum);
	ck_assert_uint_le(file->blocks * 512, sum + 8 * 4096);
	ck_assert_int_eq(fs_content_seek(file, model.size, true, &data), -ENXIO);
}

static void model_write(uint64_t off, size_t len, unsigned seed, bool append)
{
	uint64_t at = 0;

	if (append)
		off = model.size;
	if (off + len > MODEL_MAX)
		len = MODEL_MAX - off;
	for (size_t n = 0; n < len; n++)
		scratch[n] = (uint8_t)(seed + n * 31 + 1);
	ck_assert_int_eq(
		fs_content_write(file, append ? 5 : off, append, scratch, len, &f.who, &at), 0);
	ck_assert_uint_eq(at, off);
	memcpy(model.data + off, scratch, len);
	if (len && off + len > model.size)
		model.size = off + len;
}

static void model_truncate(uint64_t size)
{
	ck_assert_int_eq(fs_content_truncate(file, size, &f.who), 0);
	if (size < model.size)
		memset(model.data + size, 0, model.size - size);
	model.size = size;
}

static void model_allocate(int mode, uint64_t off, uint64_t len)
{
	uint64_t end = off + len;

	ck_assert_int_eq(fs_content_allocate(file, mode, off, len, &f.who), 0);
	if (!(mode & FALLOC_FL_KEEP_SIZE) && end > model.size)
		model.size = end;
	if (mode & ~FALLOC_FL_KEEP_SIZE && off < model.size)
		memset(model.data + off, 0, (end < model.size ? end : model.size) - off);
}

static void model_step(unsigned *seed, uint64_t span)
{
	static const int modes[] = {
		0, FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
		FALLOC_FL_ZERO_RANGE, FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE};
	uint64_t off = (uint64_t)rand_r(seed) % span, len = 1 + (uint64_t)rand_r(seed) % (span / 2);
	unsigned what = (unsigned)rand_r(seed) % 16;

	if (what < 6)
		model_write(off, len, *seed, false);
	else if (what < 8)
		model_write(0, 1 + len / 8, *seed, true);
	else if (what < 10)
		model_truncate(what == 8 ? off : off % 7 ? model.size / 2 : 0);
	else if (what < 15 && off + len <= MODEL_MAX)
		model_allocate(modes[rand_r(seed) % 5], off, len);
	else
		files_sync(&f);
}

START_TEST(content_is_as_the_model_says)
{
	static const uint64_t spans[] = {3000, 15000, 20000, 70 * KB, 200 * KB, 260 * KB};
	unsigned seed = (unsigned)_i + 1;

	memset(&model, 0, sizeof(model));
	for (int round = 0; round < 40; round++) {
		for (int n = 0; n < 10; n++) {
			model_step(&seed, spans[_i % 6]);
			ck_assert_uint_eq(file->size, model.size);
		}
		check_whole();
		check_map();
		if (round % 10 == 9)
			reopen(false);
	}
	model_truncate(0);
	ck_assert_uint_eq(file->form, FS_FORM_NONE);
	ck_assert_uint_eq(file->blocks, 0);
	ck_assert(!files_has(&f, file->ino, FS_T_PIECE));
	ck_assert(!files_has(&f, file->ino, FS_T_MAP));
	ck_assert_uint_eq(fs_container_units_used(fs_journal_container(f.j)), 0);
}
END_TEST

/* ---- form ---- */

START_TEST(small_note_moves_to_chunks_in_one_batch_and_back_when_emptied)
{
	static uint8_t text[FS_INLINE_MAX + 100], got[sizeof(text)];
	uint64_t group;
	size_t len;

	for (size_t n = 0; n < sizeof(text); n++)
		text[n] = (uint8_t)(n * 7);
	files_write(&f, file, 0, text, FS_INLINE_MAX);
	ck_assert_uint_eq(file->form, FS_FORM_INLINE);
	ck_assert_uint_eq(file->blocks, 4 * 8);
	ck_assert(files_has(&f, file->ino, FS_T_PIECE));
	ck_assert_int_eq(fs_content_write(file, FS_INLINE_MAX, false, text + FS_INLINE_MAX, 100,
					  &f.who, NULL),
			 0);
	group = f.who.group;
	ck_assert_uint_ne(group, 0);
	ck_assert_uint_eq(file->form, FS_FORM_CHUNKS);
	ck_assert_int_eq(files_read(file, 0, got, sizeof(got), &len), 0);
	ck_assert_uint_eq(len, sizeof(text));
	ck_assert_mem_eq(got, text, sizeof(text));
	ck_assert(!files_has(&f, file->ino, FS_T_PIECE));
	ck_assert(files_has(&f, file->ino, FS_T_MAP));
	ck_assert_int_eq(fs_content_truncate(file, 10, &f.who), 0);
	ck_assert_uint_eq(file->form, FS_FORM_CHUNKS);
	ck_assert_int_eq(fs_content_truncate(file, 0, &f.who), 0);
	files_write(&f, file, 0, text, 10);
	ck_assert_uint_eq(file->form, FS_FORM_INLINE);
	reopen(false);
	ck_assert_int_eq(files_read(file, 0, got, sizeof(got), &len), 0);
	ck_assert_uint_eq(len, 10);
	ck_assert_mem_eq(got, text, 10);
	ck_assert(!files_has(&f, file->ino, FS_T_MAP));
}
END_TEST

START_TEST(write_beyond_the_threshold_keeps_the_note_before_it)
{
	uint8_t got[8];
	size_t len;

	files_write(&f, file, 3, "abc", 3);
	files_write(&f, file, 3 * FS_PIECE * 100, "far", 3);
	ck_assert_int_eq(files_read(file, 0, got, 8, &len), 0);
	ck_assert_mem_eq(got, "\0\0\0abc\0\0", 8);
	ck_assert_int_eq(fs_content_truncate(file, 0, &f.who), 0);
	/* Grown by truncate alone: no space used, all zero. */
	ck_assert_int_eq(fs_content_truncate(file, 1 << 20, &f.who), 0);
	ck_assert_uint_eq(file->blocks, 0);
	ck_assert_int_eq(files_read(file, (1 << 20) - 4, got, 8, &len), 0);
	ck_assert_uint_eq(len, 4);
	ck_assert_mem_eq(got, "\0\0\0\0", 4);
}
END_TEST

START_TEST(sizes_have_a_bound)
{
	uint64_t at;

	ck_assert_int_eq(
		fs_content_write(file, FS_SIZE_MAX, false, (const uint8_t *)"x", 1, &f.who, NULL),
		-EFBIG);
	ck_assert_int_eq(
		fs_content_write(file, UINT64_MAX, false, (const uint8_t *)"x", 1, &f.who, NULL),
		-EFBIG);
	ck_assert_int_eq(fs_content_truncate(file, FS_SIZE_MAX + 1, &f.who), -EFBIG);
	ck_assert_int_eq(fs_content_allocate(file, 0, UINT64_MAX - 1, 4, &f.who), -EFBIG);
	ck_assert_int_eq(fs_content_allocate(file, 0, 0, 0, &f.who), -EINVAL);
	ck_assert_int_eq(fs_content_allocate(file, FALLOC_FL_COLLAPSE_RANGE, 0, 4096, &f.who),
			 -EOPNOTSUPP);
	ck_assert_int_eq(fs_content_allocate(file, FALLOC_FL_PUNCH_HOLE, 0, 4096, &f.who),
			 -EOPNOTSUPP);
	ck_assert_uint_eq(file->size, 0);
	files_write(&f, file, FS_SIZE_MAX - 1, "z", 1);
	ck_assert_uint_eq(file->size, FS_SIZE_MAX);
	ck_assert_int_eq(fs_content_seek(file, 0, true, &at), 0);
	ck_assert_uint_ge(at, FS_SIZE_MAX - 65536);
	ck_assert_int_eq(fs_content_truncate(file, 1, &f.who), 0);
	ck_assert_uint_eq(file->blocks, 0);
	ck_assert_int_eq(fs_content_write(f.root, 0, false, (const uint8_t *)"x", 1, &f.who, NULL),
			 -EISDIR);
}
END_TEST

START_TEST(read_of_a_mebibyte_fits_forty_parts)
{
	static uint8_t big[3u << 20], got[FS_CONTENT_READ_MAX + 10];
	struct files_read r = {.out = got};

	for (size_t n = 0; n < sizeof(big); n++)
		big[n] = (uint8_t)(n >> 9);
	for (size_t off = 0; off < sizeof(big); off += 1u << 20)
		files_write(&f, file, off, big + off, 1u << 20);
	ck_assert_int_eq(fs_content_allocate(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
					     200000, 400000, &f.who),
			 0);
	memset(big + 200000, 0, 400000);
	ck_assert_int_eq(fs_content_read(file, 77777, sizeof(got), files_read_fn, &r), 0);
	ck_assert_uint_eq(r.len, FS_CONTENT_READ_MAX);
	ck_assert_int_le(r.parts, 40);
	ck_assert_mem_eq(got, big + 77777, FS_CONTENT_READ_MAX);
	reopen(false);
	ck_assert_int_eq(fs_content_read(file, 77777, sizeof(got), files_read_fn, &r), 0);
	ck_assert_mem_eq(got, big + 77777, FS_CONTENT_READ_MAX);
}
END_TEST

/* ---- several at once ---- */

#define APPENDERS 4
#define APPENDS 600

static void *append_lines(void *arg)
{
	struct fs_actor who = f.who;
	unsigned me = (unsigned)(uintptr_t)arg;
	uint64_t last = 0, at;
	char line[32];

	for (unsigned n = 0; n < APPENDS; n++) {
		snprintf(line, sizeof(line), "<%u:%04u:0123456789abc>\n", me, n);
		ck_assert_int_eq(
			fs_content_write(file, 0, true, (const uint8_t *)line, 22, &who, &at), 0);
		ck_assert(n == 0 || at > last);
		last = at;
	}
	return NULL;
}

START_TEST(appends_from_many_threads_lose_and_mix_nothing)
{
	static uint8_t all[APPENDERS * APPENDS * 22 + 1];
	unsigned next[APPENDERS] = {0}, who, n;
	pthread_t t[APPENDERS];
	size_t len;

	for (uintptr_t k = 0; k < APPENDERS; k++)
		ck_assert_int_eq(pthread_create(&t[k], NULL, append_lines, (void *)k), 0);
	for (int k = 0; k < APPENDERS; k++)
		pthread_join(t[k], NULL);
	reopen(false);
	ck_assert_int_eq(files_read(file, 0, all, sizeof(all), &len), 0);
	ck_assert_uint_eq(len, APPENDERS * APPENDS * 22);
	for (size_t at = 0; at < len; at += 22) {
		ck_assert_int_eq(sscanf((char *)all + at, "<%u:%u:", &who, &n), 2);
		ck_assert_uint_lt(who, APPENDERS);
		ck_assert_uint_eq(n, next[who]);
		next[who]++;
	}
}
END_TEST

static void *write_own_bytes(void *arg)
{
	struct fs_actor who = f.who;
	uint64_t me = (uint64_t)(uintptr_t)arg;
	uint8_t byte = (uint8_t)(me + 1);

	/* Every thread its own bytes of the same blocks; one goes on truncating behind them all. */
	for (uint64_t n = 0; n < 1500; n++) {
		if (me == 3)
			ck_assert_int_eq(fs_content_truncate(file, 12000 + n * 7 % 60000, &who), 0);
		else
			ck_assert_int_eq(
				fs_content_write(file, n * 8 + me, false, &byte, 1, &who, NULL), 0);
	}
	return NULL;
}

START_TEST(writes_and_truncates_of_one_block_lose_nothing)
{
	static uint8_t all[12000];
	pthread_t t[4];
	size_t len;

	for (uintptr_t k = 0; k < 4; k++)
		ck_assert_int_eq(pthread_create(&t[k], NULL, write_own_bytes, (void *)k), 0);
	for (int k = 0; k < 4; k++)
		pthread_join(t[k], NULL);
	reopen(false);
	ck_assert_int_eq(files_read(file, 0, all, sizeof(all), &len), 0);
	ck_assert_uint_eq(len, sizeof(all));
	for (size_t n = 0; n < 1500; n++) {
		for (unsigned me = 0; me < 3; me++)
			ck_assert_uint_eq(all[n * 8 + me], me + 1);
		ck_assert_uint_eq(all[n * 8 + 3], 0);
	}
}
END_TEST

/* ---- damage ---- */

START_TEST(missing_piece_is_damage_not_a_hole)
{
	struct fs_inode_attr before;
	struct fs_batch b;
	uint8_t text[9000], got[9000];
	struct fs_key key;
	size_t len;

	memset(text, 't', sizeof(text));
	files_write(&f, file, 0, text, sizeof(text));
	fs_batch_init(&b, f.signer);
	key = fs_key_n(5, file->ino, FS_T_PIECE, 1, 2);
	fs_batch_del(&b, f.j, &key);
	ck_assert_int_eq(fs_inode_apply(f.j, &b, NULL), 0);
	before = file->attr;
	ck_assert_int_eq(files_read(file, 0, got, sizeof(got), &len), -EBADMSG);
	ck_assert_int_eq(files_read(file, 0, got, 100, &len), 0);
	/* A read error inside a partial write leaves the file as it was. */
	ck_assert_int_eq(fs_content_write(file, 4100, false, text, 10, &f.who, NULL), -EBADMSG);
	ck_assert_int_eq(fs_content_truncate(file, 4100, &f.who), -EBADMSG);
	ck_assert_mem_eq(&before, &file->attr, sizeof(before));
	ck_assert_int_eq(files_read(file, 8000, got, 1000, &len), 0);
	ck_assert_mem_eq(got, text, 1000);
}
END_TEST

START_TEST(readonly_vault_reads_and_changes_nothing)
{
	struct fs_inode_attr before;
	uint8_t got[4];
	size_t len;

	files_write(&f, file, 0, "text", 4);
	reopen(true);
	before = file->attr;
	ck_assert_int_eq(fs_content_write(file, 0, true, (const uint8_t *)"more", 4, &f.who, NULL),
			 -EROFS);
	ck_assert_int_eq(
		fs_content_write(file, 1 << 20, false, (const uint8_t *)"more", 4, &f.who, NULL),
		-EROFS);
	ck_assert_mem_eq(&before, &file->attr, sizeof(before));
	ck_assert_int_eq(files_read(file, 0, got, 4, &len), 0);
	ck_assert_mem_eq(got, "text", 4);
	reopen(false);
}
END_TEST

/* ---- attributes ---- */

START_TEST(times_follow_posix)
{
	struct fs_content_attr set = {.mode = NULL};
	struct timespec at = NOW(50), mt = NOW(60);
	uint32_t mode = 0400;
	struct stat st;

	f.who.now = NOW(2000);
	f.who.pid = 8;
	files_write(&f, file, 0, "x", 1);
	fs_content_stat(file, &st);
	ck_assert_int_eq(st.st_mtime, 2000);
	ck_assert_int_eq(st.st_ctime, 2000);
	ck_assert_int_eq(st.st_atime, 1000);
	ck_assert_uint_eq(st.st_ino, (uint64_t)5 << 40 | file->ino);
	ck_assert_uint_eq(st.st_mode, S_IFREG | 0640);
	ck_assert_int_eq(st.st_size, 1);
	ck_assert_uint_eq(file->writer, 8);
	ck_assert_uint_eq(file->author, 3);
	f.who.now = NOW(3000);
	ck_assert_int_eq(fs_content_truncate(file, 1, &f.who), 0);
	fs_content_stat(file, &st);
	ck_assert_int_eq(st.st_mtime, 3000);
	f.who.now = NOW(4000);
	set.mode = &mode;
	ck_assert_int_eq(fs_content_setattr(file, &set, &f.who), 0);
	fs_content_stat(file, &st);
	ck_assert_int_eq(st.st_mtime, 3000);
	ck_assert_int_eq(st.st_ctime, 4000);
	ck_assert_uint_eq(st.st_mode, S_IFREG | 0400);
	f.who.now = NOW(5000);
	set = (struct fs_content_attr){.atime = &at, .mtime = &mt};
	ck_assert_int_eq(fs_content_setattr(file, &set, &f.who), 0);
	/* Set times hold through commit, close and reading. */
	files_sync(&f);
	reopen(false);
	fs_content_stat(file, &st);
	ck_assert_int_eq(st.st_atim.tv_sec, 50);
	ck_assert_int_eq(st.st_atim.tv_nsec, 7);
	ck_assert_int_eq(st.st_mtime, 60);
	ck_assert_int_eq(st.st_ctime, 5000);
	/* Nothing written, nothing changed. */
	ck_assert_int_eq(fs_content_write(file, 0, false, (const uint8_t *)"", 0, &f.who, NULL), 0);
	ck_assert_uint_eq(f.who.group, 0);
	fs_content_stat(file, &st);
	ck_assert_int_eq(st.st_mtime, 60);
}
END_TEST

START_TEST(change_counter_and_size_set_together)
{
	uint64_t size = 5, change = file->change;
	struct timespec mt = NOW(77);
	uint32_t mode = 04755;
	struct fs_content_attr set = {.mode = &mode, .size = &size, .mtime = &mt};

	ck_assert_int_eq(fs_content_setattr(file, &set, &f.who), 0);
	ck_assert_uint_gt(file->change, change);
	ck_assert_uint_eq(file->size, 5);
	ck_assert_int_eq(file->mtime.tv_sec, 77);
	ck_assert_uint_eq(file->mode, S_IFREG | 04755);
	ck_assert_int_eq(fs_content_truncate(f.root, 0, &f.who), -EISDIR);
}
END_TEST

START_TEST(allocate_fills_holes_and_counts_them)
{
	uint64_t at;

	ck_assert_int_eq(fs_content_allocate(file, 0, 0, 3000000, &f.who), 0);
	ck_assert_uint_eq(file->size, 3000000);
	ck_assert_uint_eq(file->blocks, (3000000 + 4095) / 4096 * 8);
	ck_assert_int_eq(fs_content_seek(file, 0, false, &at), 0);
	ck_assert_uint_eq(at, 3000000);
	files_sync(&f);
	ck_assert_uint_eq(fs_container_units_used(fs_journal_container(f.j)), file->blocks / 8);
	ck_assert_int_eq(fs_content_allocate(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0,
					     UINT64_C(1) << 40, &f.who),
			 0);
	ck_assert_uint_eq(file->blocks, 0);
	ck_assert_uint_eq(file->size, 3000000);
	files_sync(&f);
	ck_assert_uint_eq(fs_container_units_used(fs_journal_container(f.j)), 0);
	ck_assert_int_eq(
		fs_content_allocate(file, FALLOC_FL_KEEP_SIZE, 0, UINT64_C(1) << 20, &f.who), 0);
	ck_assert_uint_eq(file->blocks, 256 * 8);
	ck_assert_uint_eq(file->size, 3000000);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("fs_content");
	TCase *tc = tcase_create("all");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_set_timeout(tc, 120);
	tcase_add_checked_fixture(tc, start, stop);
	tcase_add_loop_test(tc, content_is_as_the_model_says, 0, 24);
	tcase_add_test(tc, small_note_moves_to_chunks_in_one_batch_and_back_when_emptied);
	tcase_add_test(tc, write_beyond_the_threshold_keeps_the_note_before_it);
	tcase_add_test(tc, sizes_have_a_bound);
	tcase_add_test(tc, read_of_a_mebibyte_fits_forty_parts);
	tcase_add_test(tc, appends_from_many_threads_lose_and_mix_nothing);
	tcase_add_test(tc, writes_and_truncates_of_one_block_lose_nothing);
	tcase_add_test(tc, missing_piece_is_damage_not_a_hole);
	tcase_add_test(tc, readonly_vault_reads_and_changes_nothing);
	tcase_add_test(tc, times_follow_posix);
	tcase_add_test(tc, change_counter_and_size_set_together);
	tcase_add_test(tc, allocate_fills_holes_and_counts_them);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
