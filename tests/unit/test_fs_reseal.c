/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Generations of a journal's key below the vault: old and new mixed, everything sealed
 * again while others read and write, and what neither key nor time may open any more.
 */
#include <fcntl.h>
#include <pthread.h>

#include "test_fs_records.h"
#include "fs/chunk_impl.h"
#include "keys/bytes.h"
#include "fs/reseal.h"

#define INO 5
#define CHUNKS 150 /* three map pages */
#define NOTES 40

static struct keys_journal second; /* generation 2 of journal 1 */
static uint8_t model[CHUNKS][FS_CHUNK];
static bool there[CHUNKS];

static struct fs_key note_key(unsigned n)
{
	return fs_key_n(1, 100 + n, FS_T_PIECE, 0, 2);
}

static void put_note(unsigned n, const char *text)
{
	struct fs_key key = note_key(n);

	t_put(t.j[1], &key, text, strlen(text));
}

static void check_note(unsigned n, const char *text)
{
	struct fs_key key = note_key(n);
	struct fs_buf *buf = NULL;

	ck_assert_int_eq(fs_record_get(t.j[1], &key, &buf), 0);
	ck_assert_uint_eq(buf->len, strlen(text));
	ck_assert_mem_eq(buf->data, text, buf->len);
	fs_buf_put(buf);
}

static uint32_t note_generation(unsigned n)
{
	struct fs_key key = note_key(n);
	uint32_t generation = 0;

	ck_assert_int_eq(fs_record_generation(t.j[1], &key, &generation), 0);
	return generation;
}

static void write_chunk(uint32_t n, int value)
{
	struct fs_group *g = fs_records_group(t.r);
	struct fs_batch b;

	memset(model[n], value, FS_CHUNK);
	there[n] = true;
	fs_batch_init(&b, t.signer);
	ck_assert_int_eq(fs_chunk_write(t.j[1], &b, INO, n, 0, model[n], FS_CHUNK), 0);
	ck_assert_int_eq(fs_group_apply(g, &b, NULL), 0);
	fs_batch_clear(&b);
}

static void check_chunks(void)
{
	for (uint32_t n = 0; n < CHUNKS; n++) {
		struct fs_buf *buf = NULL;
		int rc = fs_chunk_read(t.j[1], INO, n, 1, &buf);

		ck_assert_msg(rc == (there[n] ? 0 : -ENODATA), "chunk %u: %d", n, rc);
		if (!rc)
			ck_assert_mem_eq(buf->data, model[n], FS_CHUNK);
		fs_buf_put(buf);
	}
}

static struct fs_map_entry entry_of(uint32_t n)
{
	struct fs_map_page page;

	ck_assert_int_eq(fs_chunk_map_get(t.j[1], INO, n / FS_MAP_ENTRIES, &page), 0);
	return page.e[n % FS_MAP_ENTRIES];
}

static void new_key(uint64_t since)
{
	struct fs_journal_key *k = NULL;

	ck_assert_int_eq(fs_journal_key_new(t.j[1], 2, &second, &k), 0);
	fs_journal_key_link(t.j[1], k, since);
}

/* A whole walk; the records met. */
static uint64_t walk(bool mark)
{
	struct fs_reseal w = {.done = false};

	while (!w.done) {
		struct fs_batch b;
		struct fs_reseal_step step = {mark ? &b : NULL, 32, 64 * FS_CHUNK, UINT64_MAX};

		fs_batch_init(&b, t.signer);
		ck_assert_int_eq(fs_reseal_walk(t.j[1], &w, &step), 0);
		t_apply(&b);
		t_sync();
	}
	return w.records + w.damaged;
}

static void reopen_with(uint32_t generation, const struct keys_journal *keys,
			const struct keys_journal *older, int want)
{
	struct fs_journal_open o = {.index = 1,
				    .generation = generation,
				    .keys = keys,
				    .n_older = older ? 1 : 0,
				    .older = {{1, older}},
				    .signer_pk = t_signer_pk};

	fs_journal_put(t.j[1]);
	t.j[1] = NULL;
	ck_assert_int_eq(fs_journal_open(t.r, &o, &t.j[1]), want);
}

static void set_up(void)
{
	t_set_up();
	keys_random(&second, sizeof(second));
	memset(there, 0, sizeof(there));
	for (unsigned n = 0; n < NOTES; n++)
		put_note(n, "by the first key");
	for (uint32_t n = 0; n < CHUNKS; n += 1 + n % 3)
		write_chunk(n, (int)n + 1);
	t_sync();
}

static void keep_names(void)
{
	struct fs_batch b;

	fs_batch_init(&b, t.signer);
	fs_journal_keep_names(t.j[1], &b);
	t_apply(&b);
	t_sync();
}

START_TEST(old_and_new_are_read_side_by_side)
{
	new_key(0);
	put_note(3, "by the second key");
	write_chunk(7, 77);
	write_chunk(8, 78);
	t_sync();
	ck_assert_uint_eq(note_generation(3), 2);
	ck_assert_uint_eq(note_generation(4), 1);
	ck_assert_uint_eq(entry_of(7).generation, 2);
	ck_assert_uint_eq(entry_of(0).generation, 1);
	check_note(3, "by the second key");
	check_note(4, "by the first key");
	check_chunks();
	reopen_with(2, &second, &t.keys[1], 0);
	check_note(3, "by the second key");
	check_note(4, "by the first key");
	check_chunks();
	ck_assert_int_eq(atomic_load(&t.damaged), 0);
}
END_TEST

START_TEST(key_seals_no_group_before_the_one_that_carries_its_wraps)
{
	struct fs_batch b;
	uint64_t number = 0;
	struct fs_key key = note_key(1);

	fs_batch_init(&b, t.signer);
	fs_batch_put(&b, t.j[1], &key, "early", 5);
	ck_assert_int_eq(fs_group_apply(fs_records_group(t.r), &b, &number), 0);
	fs_batch_clear(&b);
	write_chunk(2, 9);
	new_key(number + 1);
	t_sync();
	ck_assert_uint_eq(note_generation(1), 1);
	ck_assert_uint_eq(entry_of(2).generation, 1);
	put_note(1, "later");
	write_chunk(2, 10);
	t_sync();
	ck_assert_uint_eq(note_generation(1), 2);
	ck_assert_uint_eq(entry_of(2).generation, 2);
	check_chunks();
}
END_TEST

START_TEST(walk_seals_everything_again_and_then_the_old_key_opens_nothing)
{
	uint64_t used = fs_container_units_used(fs_journal_container(t.j[1]));
	const uint8_t *names = fs_journal_name_key(t.j[1]);
	uint8_t before[KEYS_LEN];

	memcpy(before, names, KEYS_LEN);
	new_key(0);
	keep_names();
	ck_assert_uint_ge(walk(true), NOTES);
	ck_assert_uint_eq(walk(false), 0);
	for (unsigned n = 0; n < NOTES; n++)
		ck_assert_uint_eq(note_generation(n), 2);
	for (uint32_t n = 0; n < CHUNKS; n++)
		ck_assert(!there[n] || entry_of(n).generation == 2);
	ck_assert_uint_eq(fs_container_units_used(fs_journal_container(t.j[1])), used);
	check_chunks();
	/* Who has the old key alone does not get in, not even past the root. */
	reopen_with(1, &t.keys[1], NULL, -EBADMSG);
	reopen_with(2, &second, NULL, 0);
	ck_assert_mem_eq(fs_journal_name_key(t.j[1]), before, KEYS_LEN);
	for (unsigned n = 0; n < NOTES; n++)
		check_note(n, "by the first key");
	check_chunks();
	memcpy(&t.keys[1], &second, sizeof(second));
}
END_TEST

/* What is stored of a note: does this key open it? */
static int opens(unsigned n, const uint8_t key[static KEYS_LEN], uint32_t generation)
{
	struct fs_key at = note_key(n);
	uint8_t ad[KEYS_VAULT_ID_LEN + FS_KEY_MAX + 4], plain[FS_VALUE_MAX];
	struct bytes_out out = bytes_out(ad, sizeof(ad));
	struct fs_snap *snap;
	const uint8_t *val;
	size_t len;
	int rc;

	bytes_put(&out, t.vault, KEYS_VAULT_ID_LEN);
	bytes_put(&out, at.b, at.len);
	bytes_put_u32(&out, generation);
	ck_assert_int_eq(fs_store_snap_begin(fs_records_store(t.r), &snap), 0);
	ck_assert_int_eq(fs_store_get(snap, &at, &val, &len), 0);
	rc = keys_unseal(key, (struct keys_span){ad, out.len},
			 (struct keys_span){val + 5, len - 5}, plain);
	fs_store_snap_end(snap);
	return rc;
}

START_TEST(old_key_opens_nothing_written_after_the_renewal)
{
	ck_assert_int_eq(opens(0, t.keys[1].record, 1), 0);
	new_key(0);
	put_note(0, "what he may not know");
	t_sync();
	ck_assert_int_eq(opens(0, second.record, 2), 0);
	ck_assert_int_eq(opens(0, t.keys[1].record, 1), -EBADMSG);
	ck_assert_int_eq(opens(0, t.keys[1].record, 2), -EBADMSG);
	/* What he knew already he may know. */
	ck_assert_int_eq(opens(1, t.keys[1].record, 1), 0);
}
END_TEST

START_TEST(without_the_kept_names_the_second_key_alone_is_refused)
{
	new_key(0);
	walk(true);
	reopen_with(2, &second, NULL, -EBADMSG);
	reopen_with(2, &second, &t.keys[1], 0);
}
END_TEST

START_TEST(malformed_kept_names_are_refused)
{
	struct fs_key at = fs_key_n(1, 0, FS_T_HEAD, 2, 1);
	uint8_t rec[49] = {1};

	new_key(0);
	keep_names();
	walk(true);
	reopen_with(2, &second, NULL, 0);
	t_put(t.j[1], &at, rec, 47);
	t_sync();
	reopen_with(2, &second, NULL, -EBADMSG);
	reopen_with(2, &second, &t.keys[1], 0); /* who has the first needs no kept one */
	t_put(t.j[1], &at, rec, 49);
	t_sync();
	reopen_with(2, &second, NULL, -EBADMSG);
	reopen_with(2, &second, &t.keys[1], 0);
	rec[47] = 1; /* reserved */
	t_put(t.j[1], &at, rec, 48);
	t_sync();
	reopen_with(2, &second, NULL, -EBADMSG);
	reopen_with(2, &second, &t.keys[1], 0);
}
END_TEST

/* The index key's generations keep the same rule as a journal's. */
START_TEST(index_key_seals_no_group_before_the_one_that_carries_its_wraps)
{
	struct fs_key early = fs_key_n(0, 0, FS_T_NAME, 1, 8), late = fs_key_n(0, 0, FS_T_NAME, 2, 8);
	struct fs_journal *vault = fs_records_vault(t.r);
	uint8_t next[KEYS_LEN] = {7};
	uint32_t generation = 0;
	uint64_t number = 0;
	struct fs_batch b;

	fs_batch_init(&b, NULL);
	fs_batch_put(&b, vault, &early, "early", 5);
	ck_assert_int_eq(fs_group_apply(fs_records_group(t.r), &b, &number), 0);
	fs_batch_clear(&b);
	fs_records_index_key_since(t.r, 2, next, number + 1);
	t_sync();
	t_put(vault, &late, "late", 4);
	t_sync();
	ck_assert_int_eq(fs_record_generation(vault, &early, &generation), 0);
	ck_assert_uint_eq(generation, 1);
	ck_assert_int_eq(fs_record_generation(vault, &late, &generation), 0);
	ck_assert_uint_eq(generation, 2);
	ck_assert_int_eq(t_get(vault, &early), 0);
	ck_assert_int_eq(t_get(vault, &late), 0);
}
END_TEST

START_TEST(second_opener_must_bring_the_same_keys)
{
	struct keys_journal other = second;
	struct fs_journal_open o = {.index = 1,
				    .generation = 2,
				    .keys = &other,
				    .n_older = 1,
				    .older = {{1, &t.keys[1]}},
				    .signer_pk = t_signer_pk};
	struct fs_journal *j = NULL;

	/* Before the first one knows of generation 2, one in common is enough. */
	ck_assert_int_eq(fs_journal_open(t.r, &o, &j), 0);
	fs_journal_put(j);
	new_key(0);
	ck_assert_int_eq(fs_journal_open(t.r, &o, &j), 0);
	fs_journal_put(j);
	other.chunk[0] ^= 1;
	ck_assert_int_eq(fs_journal_open(t.r, &o, &j), -EBADMSG);
	other = second;
	o.older[0].keys = &t.keys[2];
	ck_assert_int_eq(fs_journal_open(t.r, &o, &j), -EBADMSG);
	o.n_older = 0;
	o.generation = 3;
	ck_assert_int_eq(fs_journal_open(t.r, &o, &j), -EBADMSG);
}
END_TEST

/* Marks and changes of the same records in one group: the change wins, the rest is as it was. */
START_TEST(marks_and_changes_mix_in_any_order)
{
	new_key(0);
	for (unsigned round = 0; round < 40; round++) {
		struct fs_reseal w = {.done = false};
		struct fs_batch b;
		struct fs_reseal_step step = {&b, t_rnd(60) + 1, UINT64_MAX, UINT64_MAX};

		for (unsigned i = t_rnd(6); i; i--)
			write_chunk(t_rnd(CHUNKS), (int)t_rnd(250) + 1);
		fs_batch_init(&b, t.signer);
		ck_assert_int_eq(fs_reseal_walk(t.j[1], &w, &step), 0);
		t_apply(&b);
		for (unsigned i = t_rnd(6); i; i--)
			write_chunk(t_rnd(CHUNKS), (int)t_rnd(250) + 1);
		put_note(round % NOTES, "by the first key");
		if (t_rnd(4) == 0) {
			uint32_t end = CHUNKS - 1 - t_rnd(60);

			fs_batch_init(&b, t.signer);
			ck_assert_int_eq(fs_chunk_truncate(t.j[1], &b, INO,
							   (uint64_t)end * FS_CHUNK),
					 0);
			t_apply(&b);
			for (uint32_t n = end; n < CHUNKS; n++)
				there[n] = false;
		}
		if (t_rnd(2))
			t_sync();
		check_chunks();
	}
	t_sync();
	check_chunks();
	walk(true);
	ck_assert_uint_eq(walk(false), 0);
	check_chunks();
	for (unsigned n = 0; n < NOTES; n++)
		check_note(n, "by the first key");
	ck_assert_int_eq(atomic_load(&t.damaged), 0);
}
END_TEST

START_TEST(damage_stays_where_it_is_and_costs_nothing_else)
{
	struct fs_map_entry e = entry_of(0);
	char path[200];
	uint8_t byte = 0;
	int fd;

	snprintf(path, sizeof(path), "%s/containers/01/00000001", t.dir);
	fd = open(path, O_RDWR);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(pread(fd, &byte, 1, (off_t)e.pos * FS_UNIT + 5), 1);
	byte ^= 1;
	ck_assert_int_eq(pwrite(fd, &byte, 1, (off_t)e.pos * FS_UNIT + 5), 1);
	close(fd);
	new_key(0);
	walk(true);
	ck_assert_int_ge(atomic_load(&t.damaged), 1);
	ck_assert_int_eq(fs_journal_check(t.j[1]), 0);
	ck_assert_uint_eq(entry_of(0).generation, 1);
	ck_assert_uint_eq(entry_of(0).pos, e.pos);
	ck_assert_uint_eq(walk(false), 1); /* its page */
	ck_assert_uint_eq(entry_of(1).generation, 2);
	write_chunk(0, 200);
	t_sync();
	ck_assert_uint_eq(walk(false), 0);
	check_chunks();
}
END_TEST

/* ---- readers and writers at once ---- */

static pthread_rwlock_t inode_lock = PTHREAD_RWLOCK_INITIALIZER;
static atomic_bool stop;
static atomic_int bad;

static void *reader(void *arg)
{
	unsigned seed = (unsigned)(uintptr_t)arg;

	while (!atomic_load(&stop)) {
		uint32_t n = (uint32_t)rand_r(&seed) % (CHUNKS - 30);
		struct fs_buf *buf = NULL;
		int rc;

		pthread_rwlock_rdlock(&inode_lock);
		rc = fs_chunk_read(t.j[1], INO, n, 30, &buf);
		for (uint32_t i = 0; !rc && i < 30; i++) {
			const uint8_t *at = buf->data + (size_t)i * FS_CHUNK;

			if (there[n + i] && memcmp(at, model[n + i], FS_CHUNK) != 0)
				atomic_store(&bad, 1);
		}
		pthread_rwlock_unlock(&inode_lock);
		if (rc)
			atomic_store(&bad, rc);
		fs_buf_put(buf);
	}
	return NULL;
}

static void *writer(void *arg)
{
	unsigned seed = (unsigned)(uintptr_t)arg;

	while (!atomic_load(&stop)) {
		uint32_t n = (uint32_t)rand_r(&seed) % CHUNKS;
		struct fs_batch b;

		fs_group_throttle(fs_records_group(t.r));
		pthread_rwlock_wrlock(&inode_lock);
		memset(model[n], rand_r(&seed) & 255, FS_CHUNK);
		there[n] = true;
		fs_batch_init(&b, t.signer);
		if (fs_chunk_write(t.j[1], &b, INO, n, 0, model[n], FS_CHUNK) ||
		    fs_group_apply(fs_records_group(t.r), &b, NULL))
			atomic_store(&bad, 2);
		fs_batch_clear(&b);
		pthread_rwlock_unlock(&inode_lock);
		usleep(200);
	}
	return NULL;
}

START_TEST(readers_and_writers_go_on_while_chunks_move)
{
	struct fs_journal_key *k;
	struct keys_journal keys;
	pthread_t th[4];

	atomic_store(&stop, false);
	atomic_store(&bad, 0);
	for (uintptr_t i = 0; i < 4; i++)
		ck_assert_int_eq(
			pthread_create(&th[i], NULL, i < 3 ? reader : writer, (void *)(i + 1)), 0);
	/* Every chunk moves thirty times: one key after the other. */
	for (uint32_t g = 2; g < 32; g++) {
		keys_random(&keys, sizeof(keys));
		ck_assert_int_eq(fs_journal_key_new(t.j[1], g, &keys, &k), 0);
		fs_journal_key_link(t.j[1], k, 0);
		walk(true);
	}
	atomic_store(&stop, true);
	for (unsigned i = 0; i < 4; i++)
		pthread_join(th[i], NULL);
	ck_assert_int_eq(atomic_load(&bad), 0);
	ck_assert_int_eq(atomic_load(&t.damaged), 0);
	t_sync();
	check_chunks();
}
END_TEST

static void tear_down(void)
{
	t_tear_down();
}

int main(void)
{
	Suite *s = suite_create("fs/reseal");
	TCase *c = tcase_create("reseal");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(c, set_up, tear_down);
	tcase_set_timeout(c, 60);
	tcase_add_test(c, old_and_new_are_read_side_by_side);
	tcase_add_test(c, key_seals_no_group_before_the_one_that_carries_its_wraps);
	tcase_add_test(c, walk_seals_everything_again_and_then_the_old_key_opens_nothing);
	tcase_add_test(c, old_key_opens_nothing_written_after_the_renewal);
	tcase_add_test(c, without_the_kept_names_the_second_key_alone_is_refused);
	tcase_add_test(c, malformed_kept_names_are_refused);
	tcase_add_test(c, index_key_seals_no_group_before_the_one_that_carries_its_wraps);
	tcase_add_test(c, second_opener_must_bring_the_same_keys);
	tcase_add_test(c, marks_and_changes_mix_in_any_order);
	tcase_add_test(c, damage_stays_where_it_is_and_costs_nothing_else);
	tcase_add_test(c, readers_and_writers_go_on_while_chunks_move);
	suite_add_tcase(s, c);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? 1 : 0;
}
