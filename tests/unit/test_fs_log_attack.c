/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attacks on the access log's bytes, each by somebody who may write the files, some by somebody who
 * holds the daemon's keys too: verification names what happened and the first record of it. What
 * it can't see is asserted as well, so that nobody believes more than is true (fs/README.md).
 */
#include "test_fs_log_forge.h"
#include "test_fs_log_found.h"

static char dir[64], other[64];
static struct forge forge;
static struct t_found found;

#define SEGMENT FORGE_SEGMENT

static void setup(void)
{
	ck_assert_int_eq(keys_init(), 0);
	strcpy(dir, "/tmp/journalfs-attack-XXXXXX");
	strcpy(other, "/tmp/journalfs-attack-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	ck_assert_ptr_nonnull(mkdtemp(other));
	forge_log(&forge, dir);
}

static void teardown(void)
{
	forge_clear(&forge);
	t_remove_all(dir);
	t_remove_all(other);
}

START_TEST(whole_log_is_whole)
{
	t_verify(dir, NULL, &found);
	t_only(&found, FS_LOG_UNSEALED, 56);
	ck_assert_uint_eq(found.f[0].last, 60);
	t_whole(&found);
	ck_assert_uint_eq(found.v.records, 60);
	ck_assert_uint_eq(found.v.segments, 4);
	ck_assert_uint_eq(found.v.checkpoints, 4);
	ck_assert_uint_eq(found.v.keys, 4);
	ck_assert_uint_eq(found.v.streams, 6);
	ck_assert_uint_eq(found.v.sealed, 55);
	ck_assert_mem_eq(found.v.vault, forge.vault, KEYS_VAULT_ID_LEN);
	ck_assert_mem_eq(found.v.root_pk, forge.root_pk, KEYS_LEN);
	ck_assert_mem_eq(found.v.witness_pk, forge.witness_pk, KEYS_LEN);
}
END_TEST

/* ---- one byte ---- */

START_TEST(record_flip_nonce_is_placed_between_checkpoints)
{
	t_flip(dir, 1, t_record_off(dir, 1, 15) + FS_LOG_FRAME + 3);
	t_verify(dir, NULL, &found);
	t_first(&found, FS_LOG_CHANGED, 11);
	ck_assert_uint_eq(found.f[0].last, 20);
	ck_assert_uint_eq(found.v.alarms, 1);
	ck_assert_int_eq(found.f[0].time_s, 1700000060);
}
END_TEST

START_TEST(record_flip_ciphertext_is_placed_between_checkpoints)
{
	t_flip(dir, 2, t_record_off(dir, 2, 30) + FS_LOG_FRAME + 60);
	t_verify(dir, NULL, &found);
	t_first(&found, FS_LOG_CHANGED, 21);
	ck_assert_uint_eq(found.f[0].last, 30);
	ck_assert_uint_eq(found.v.alarms, 1);
}
END_TEST

/* Behind the last checkpoint of a segment the next segment's tree frame seals. */
START_TEST(record_flip_tag_is_placed_by_the_next_segment)
{
	struct t_segment *s = t_segment_load(dir, 2);
	struct fs_log_frame *f = t_record(s, 40);

	s->p[f->off + FS_LOG_FRAME + f->len - 1] ^= 1;
	t_segment_store(s);
	t_verify(dir, NULL, &found);
	t_first(&found, FS_LOG_CHANGED, 31);
	ck_assert_uint_eq(found.f[0].last, 40);
	ck_assert_uint_eq(found.v.alarms, 1);
}
END_TEST

START_TEST(record_flip_under_no_checkpoint_is_not_seen)
{
	t_flip(dir, 4, t_record_off(dir, 4, 58) + FS_LOG_FRAME + 60);
	t_verify(dir, NULL, &found);
	t_only(&found, FS_LOG_UNSEALED, 56);
}
END_TEST

START_TEST(record_flip_padding_names_the_record)
{
	struct t_segment *s = t_segment_load(dir, 1);
	uint64_t seq = 1;

	while (t_record(s, seq)->len % 8 == 0)
		seq++;
	s->p[t_frame_end(t_record(s, seq)) - 1] = 7;
	t_segment_store(s);
	t_verify(dir, NULL, &found);
	t_first(&found, FS_LOG_CHANGED, seq);
	ck_assert_uint_eq(found.v.alarms, 1);
}
END_TEST

/* By offset in a frame's header: magic, length, complement, zero. */
START_TEST(record_flip_frame_header_names_the_record)
{
	t_flip(dir, 1, t_record_off(dir, 1, 15) + (size_t)_i);
	t_verify(dir, NULL, &found);
	t_first(&found, FS_LOG_CHANGED, 15);
	ck_assert_uint_eq(found.f[0].last, 15);
	ck_assert_uint_eq(found.v.alarms, 1);
}
END_TEST

START_TEST(record_flip_number_names_the_record)
{
	t_flip(dir, 1, t_record_off(dir, 1, 15) + 16 + (size_t)_i);
	t_verify(dir, NULL, &found);
	ck_assert_uint_ge(found.v.alarms, 1);
	ck_assert_uint_eq(found.f[0].seq, 15);
}
END_TEST

/* By offset in the segment's header, which holds no record. */
START_TEST(header_flip_names_the_segments_first_record)
{
	static const size_t at[] = {0, 3, 8, 10, 13, 16, 31, 32, 35, 40, 43, 48, 50, 56, 127};

	t_flip(dir, 2, at[_i]);
	t_verify(dir, NULL, &found);
	ck_assert_uint_ge(found.v.alarms, 1);
	/* Only a size that lies has nothing to do with the first record. */
	t_first(&found, at[_i] / 8 == 6 ? FS_LOG_TRUNCATED : FS_LOG_CHANGED,
		at[_i] / 8 == 6 ? 41 : 21);
	ck_assert_uint_eq(found.f[0].segment, 2);
	ck_assert_uint_eq(found.v.alarms, 1);
}
END_TEST

START_TEST(head_flip_is_named)
{
	t_flip(dir, 2, t_frame_off(dir, 2, FS_LOG_STREAM, 1) + FS_LOG_FRAME + (size_t)_i);
	t_verify(dir, NULL, &found);
	t_first(&found, FS_LOG_CHANGED, 31);
	ck_assert_uint_eq(found.v.alarms, 1);
}
END_TEST

START_TEST(head_flip_at_a_segments_beginning_is_named)
{
	t_flip(dir, 3, t_frame_off(dir, 3, FS_LOG_STREAM, 0) + FS_LOG_FRAME + 90);
	t_verify(dir, NULL, &found);
	t_first(&found, FS_LOG_CHANGED, 41);
	ck_assert_uint_eq(found.v.alarms, 1);
}
END_TEST

START_TEST(tree_flip_is_named)
{
	t_flip(dir, 2, t_frame_off(dir, 2, FS_LOG_TREE, 0) + FS_LOG_FRAME + (size_t)_i * 7);
	t_verify(dir, NULL, &found);
	t_first(&found, FS_LOG_CHANGED, 21);
	ck_assert_uint_eq(found.v.alarms, 1);
}
END_TEST

START_TEST(tree_flip_magic_is_named)
{
	t_flip(dir, 3, t_frame_off(dir, 3, FS_LOG_TREE, 0));
	t_verify(dir, NULL, &found);
	t_first(&found, FS_LOG_CHANGED, 41);
}
END_TEST

START_TEST(checkpoint_flip_is_named)
{
	struct t_segment *s = t_segment_load(dir, 1);
	struct fs_log_frame *f = t_frame(s, FS_LOG_CHECKPOINT, 0);
	uint8_t *end = memmem(s->p + f->off, f->len, "/witness", 8);
	size_t len;

	ck_assert_ptr_nonnull(end);
	len = (size_t)(end - f->body) - KEYS_CHECKPOINT_ORIGIN - 3; /* up to the witness's line */
	s->p[f->off + FS_LOG_FRAME + len * (size_t)_i / 16] ^= 1;
	t_segment_store(s);
	t_verify(dir, NULL, &found);
	ck_assert_uint_ge(found.v.alarms, 1);
	ck_assert_int_eq(found.f[0].kind, FS_LOG_CHANGED);
	ck_assert_uint_ge(found.f[0].seq, 10);
	ck_assert_uint_le(found.f[0].seq, 11);
}
END_TEST

START_TEST(checkpoint_flip_signature_is_named)
{
	struct t_segment *s = t_segment_load(dir, 1);
	struct fs_log_frame *f = t_frame(s, FS_LOG_CHECKPOINT, 1);
	char *line = memmem(s->p + f->off, f->len, "\xe2\x80\x94", 3);

	ck_assert_ptr_nonnull(line);
	line = strchr(line + 4, ' ') + 20; /* inside the signature's base64 */
	*line = *line == 'A' ? 'B' : 'A';
	t_segment_store(s);
	t_verify(dir, NULL, &found);
	t_first(&found, FS_LOG_CHANGED, 20);
	ck_assert_uint_eq(found.v.alarms, 1);
}
END_TEST

/* The line for witnesses: nothing rests on it but in the newest, which is what they get. */
START_TEST(witness_line_is_looked_at_in_the_newest_checkpoint)
{
	for (uint64_t n = 1; n <= 3; n += 2) {
		struct t_segment *s = t_segment_load(dir, n);
		struct fs_log_frame *f = t_frame(s, FS_LOG_CHECKPOINT, 0);
		uint8_t *line = memmem(s->p + f->off, f->len + FS_LOG_FRAME, "/witness", 8);

		ck_assert_ptr_nonnull(line);
		line += 30;
		*line = *line == 'A' ? 'B' : 'A';
		t_segment_store(s);
		t_verify(dir, NULL, &found);
		if (n == 1)
			t_whole(&found);
		else
			t_first(&found, FS_LOG_CHANGED, 55);
	}
}
END_TEST

START_TEST(zeros_behind_the_end_flipped_are_named)
{
	struct t_segment *s = t_segment_load(dir, 1);
	size_t end = t_segment_end(s);

	t_segment_drop(s);
	t_flip(dir, 1, end + 1000);
	t_verify(dir, NULL, &found);
	t_first(&found, FS_LOG_CHANGED, 21);
	ck_assert_uint_eq(found.v.alarms, 1);
}
END_TEST

/* ---- records ---- */

static void drop(uint64_t segment, uint64_t seq, bool leave_zeros)
{
	struct t_segment *s = t_segment_load(dir, segment);
	struct fs_log_frame *f = t_record(s, seq);

	if (leave_zeros)
		memset(s->p + f->off, 0, fs_log_frame_size(f->len));
	else
		t_cut_out(s, f->off, t_frame_end(f));
	t_segment_store(s);
}

START_TEST(record_dropped_is_missing)
{
	drop(1, 15, _i);
	t_verify(dir, NULL, &found);
	t_first(&found, FS_LOG_MISSING, 15);
	ck_assert_uint_eq(found.f[0].last, 15);
	ck_assert_uint_eq(found.v.alarms, 1);
}
END_TEST

START_TEST(last_record_of_a_segment_dropped_is_missing)
{
	drop(2, 40, _i);
	t_verify(dir, NULL, &found);
	t_first(&found, FS_LOG_MISSING, 40);
	ck_assert_uint_eq(found.f[0].last, 40);
	ck_assert_uint_eq(found.v.alarms, 1);
}
END_TEST

START_TEST(records_swapped_are_reordered)
{
	struct t_segment *s = t_segment_load(dir, 1);
	struct fs_log_frame *a = t_record(s, 14), *b = t_record(s, 15);
	size_t n = fs_log_frame_size(a->len);
	uint8_t copy[1024];

	memcpy(copy, s->p + a->off, n);
	memmove(s->p + a->off, s->p + b->off, fs_log_frame_size(b->len));
	memcpy(s->p + a->off + fs_log_frame_size(b->len), copy, n);
	t_segment_store(s);
	t_verify(dir, NULL, &found);
	t_first(&found, FS_LOG_REORDERED, 14);
	ck_assert_uint_eq(found.v.alarms, 1);
}
END_TEST

/* The frames' numbers put right: it is the leaves that differ. */
START_TEST(records_swapped_under_their_numbers_are_changed)
{
	struct t_segment *s = t_segment_load(dir, 1);
	struct fs_log_frame *a = t_record(s, 12), *b = t_record(s, 13);
	uint8_t copy[1024];
	size_t n = FS_LOG_FRAME + (a->len < b->len ? a->len : b->len);

	memcpy(copy, s->p + a->off + FS_LOG_FRAME, n - FS_LOG_FRAME);
	memcpy(s->p + a->off + FS_LOG_FRAME, s->p + b->off + FS_LOG_FRAME, n - FS_LOG_FRAME);
	memcpy(s->p + b->off + FS_LOG_FRAME, copy, n - FS_LOG_FRAME);
	t_segment_store(s);
	t_verify(dir, NULL, &found);
	t_first(&found, FS_LOG_CHANGED, 11);
	ck_assert_uint_eq(found.f[0].last, 20);
}
END_TEST

START_TEST(record_duplicated_is_reordered)
{
	struct t_segment *s = t_segment_load(dir, 1);
	struct fs_log_frame *f = t_record(s, 15);
	uint8_t copy[1024];
	size_t n = fs_log_frame_size(f->len);

	memcpy(copy, s->p + f->off, n);
	t_put_in(s, f->off + n, copy, n);
	t_segment_store(s);
	t_verify(dir, NULL, &found);
	t_first(&found, FS_LOG_REORDERED, 15);
	ck_assert_uint_eq(found.v.alarms, 1);
}
END_TEST

/* One more record behind the last of a full segment. */
START_TEST(record_appended_to_an_old_segment_is_inserted)
{
	struct t_segment *s = t_segment_load(dir, 2);
	struct fs_log_frame *f = t_record(s, 40);
	size_t n = fs_log_frame_size(f->len), end = t_segment_end(s);

	memcpy(s->p + end, s->p + f->off, n);
	s->p[end + 16]++;
	t_segment_store(s);
	t_verify(dir, NULL, &found);
	t_first(&found, FS_LOG_INSERTED, 41);
	ck_assert_uint_eq(found.v.alarms, 1);
}
END_TEST

/* ---- segments ---- */

START_TEST(segment_deleted_is_missing)
{
	char path[300];

	t_segment_path(dir, 2, path);
	ck_assert_int_eq(unlink(path), 0);
	t_verify(dir, NULL, &found);
	t_first(&found, FS_LOG_MISSING, 21);
	ck_assert_uint_eq(found.f[0].last, 40);
	ck_assert_uint_eq(found.f[0].segment, 2);
	ck_assert_uint_eq(found.v.alarms, 1);
}
END_TEST

START_TEST(first_segment_deleted_is_missing)
{
	char path[300];

	t_segment_path(dir, 1, path);
	ck_assert_int_eq(unlink(path), 0);
	t_verify(dir, NULL, &found);
	t_first(&found, FS_LOG_MISSING, 1);
	ck_assert_uint_eq(found.f[0].last, 20);
	ck_assert_uint_eq(found.v.alarms, 1);
}
END_TEST

START_TEST(segment_made_zero_is_missing)
{
	struct t_segment *s = t_segment_load(dir, 2);

	memset(s->p, 0, s->len);
	t_segment_store(s);
	t_verify(dir, NULL, &found);
	t_first(&found, FS_LOG_MISSING, 21);
	ck_assert_uint_eq(found.f[0].last, 40);
	ck_assert_uint_eq(found.v.alarms, 1);
}
END_TEST

START_TEST(segment_cut_short_is_told)
{
	char path[300];

	t_segment_path(dir, 2, path);
	ck_assert_int_eq(truncate(path, (off_t)t_record_off(dir, 2, 35)), 0);
	t_verify(dir, NULL, &found);
	t_first(&found, FS_LOG_TRUNCATED, 35);
	ck_assert_ptr_nonnull(t_any(&found, FS_LOG_MISSING));
	ck_assert_uint_eq(t_any(&found, FS_LOG_MISSING)->seq, 35);
	ck_assert_uint_eq(t_any(&found, FS_LOG_MISSING)->last, 40);
}
END_TEST

START_TEST(segment_cut_to_nothing_is_unreadable)
{
	char path[300];

	t_segment_path(dir, 2, path);
	ck_assert_int_eq(truncate(path, 50), 0);
	t_verify(dir, NULL, &found);
	t_first(&found, FS_LOG_UNREADABLE, 21);
	ck_assert_uint_eq(found.v.alarms, 1);
}
END_TEST

START_TEST(segments_swapped_are_reordered)
{
	char a[300], b[300], c[300];

	t_segment_path(dir, 2, a);
	t_segment_path(dir, 3, b);
	snprintf(c, sizeof(c), "%s/x", dir);
	ck_assert_int_eq(rename(a, c) | rename(b, a) | rename(c, b), 0);
	t_verify(dir, NULL, &found);
	t_first(&found, FS_LOG_REORDERED, 21);
	ck_assert_uint_eq(found.f[0].segment, 2);
	ck_assert_uint_eq(found.v.alarms, 2);
}
END_TEST

START_TEST(segment_duplicated_is_reordered)
{
	char a[300], b[300], command[700];

	t_segment_path(dir, 2, a);
	t_segment_path(dir, 5, b);
	snprintf(command, sizeof(command), "cp '%s' '%s'", a, b);
	ck_assert_int_eq(system(command), 0);
	t_verify(dir, NULL, &found);
	ck_assert_uint_eq(found.v.alarms, 1);
	ck_assert_ptr_nonnull(t_any(&found, FS_LOG_REORDERED));
	ck_assert_uint_eq(t_any(&found, FS_LOG_REORDERED)->seq, 61);
	ck_assert_uint_eq(t_any(&found, FS_LOG_REORDERED)->segment, 5);
}
END_TEST

/* Nobody but the host knows that there was more: UNSEALED shows none. */
START_TEST(newest_segments_deleted_is_seen_with_what_is_kept_alone)
{
	struct t_asking a = {.least = 60};
	char path[300];

	t_segment_path(dir, 3, path);
	ck_assert_int_eq(unlink(path), 0);
	t_segment_path(dir, 4, path);
	ck_assert_int_eq(unlink(path), 0);
	t_verify(dir, NULL, &found);
	t_only(&found, FS_LOG_UNSEALED, 31);
	t_verify(dir, &a, &found);
	ck_assert_uint_eq(found.v.alarms, 1);
	ck_assert_uint_eq(t_any(&found, FS_LOG_TRUNCATED)->seq, 41);
	ck_assert_uint_eq(t_any(&found, FS_LOG_TRUNCATED)->last, 60);
}
END_TEST

/* ---- another vault, another daemon ---- */

START_TEST(segment_of_another_vault_is_foreign)
{
	struct forge f;
	char a[300], b[300];

	forge_log(&f, other);
	t_segment_path(other, 2, a);
	t_segment_path(dir, 2, b);
	ck_assert_int_eq(rename(a, b), 0);
	t_verify(dir, NULL, &found);
	t_first(&found, FS_LOG_FOREIGN, 21);
	ck_assert_uint_eq(found.v.alarms, 1);
	forge_clear(&f);
}
END_TEST

/* With this vault's id, certified by a root key of the attacker's. */
START_TEST(segment_by_another_root_is_foreign)
{
	struct forge f;
	char a[300], b[300];

	forge_init(&f, other, SEGMENT);
	memcpy(f.vault, forge.vault, sizeof(f.vault));
	keys_daemon_certify(f.vault, f.daemon_pk, f.root_sk, f.cert);
	forge_segment(&f);
	for (int i = 0; i < 20; i++)
		forge_record(&f, 100);
	forge_segment(&f);
	for (int i = 0; i < 20; i++)
		forge_record(&f, 100);
	forge_write(&f);
	t_segment_path(other, 2, a);
	t_segment_path(dir, 2, b);
	ck_assert_int_eq(rename(a, b), 0);
	t_verify(dir, NULL, &found);
	ck_assert_uint_ge(found.v.alarms, 1);
	ck_assert_uint_eq(found.f[0].seq, 21);
	ck_assert_ptr_nonnull(t_any(&found, FS_LOG_FOREIGN));
	forge_clear(&f);
}
END_TEST

START_TEST(whole_log_of_another_root_is_foreign_to_who_knows_the_root)
{
	struct t_asking a = {.root_pk = forge.root_pk};
	struct forge f;

	forge_log(&f, other);
	t_verify(other, NULL, &found);
	t_whole(&found);
	t_verify(other, &a, &found);
	ck_assert_uint_ge(found.v.alarms, 1);
	t_first(&found, FS_LOG_FOREIGN, 1);
	forge_clear(&f);
}
END_TEST

/* A stream that somebody else's key signed, in its proper place and with records behind it. */
START_TEST(stream_of_another_daemon_is_inserted)
{
	struct t_segment *s = t_segment_load(dir, 4);
	struct forge f = forge;

	f.p = s->p;
	f.number = 4;
	f.end = t_segment_end(s);
	keys_sign_new(f.daemon_pk, f.daemon_sk);
	forge_stream(&f);
	forge_record(&f, 100);
	t_segment_store(s);
	t_verify(dir, NULL, &found);
	ck_assert_uint_eq(found.v.alarms, 1);
	ck_assert_ptr_nonnull(t_any(&found, FS_LOG_INSERTED));
	ck_assert_uint_eq(t_any(&found, FS_LOG_INSERTED)->seq, 61);
}
END_TEST

START_TEST(stream_head_taken_out_is_missing)
{
	struct t_segment *s = t_segment_load(dir, 2);
	struct fs_log_frame *f = t_frame(s, FS_LOG_STREAM, 1);

	t_cut_out(s, f->off, t_frame_end(f));
	t_segment_store(s);
	t_verify(dir, NULL, &found);
	t_first(&found, FS_LOG_MISSING, 41); /* where the next head does not follow */
	ck_assert_uint_eq(found.v.alarms, 1);
}
END_TEST

/* ---- with keys ---- */

/* The last frame of a segment's first ten records is rewritten, and its checkpoint with some key.
 */
static void rewrite_segment_1(uint64_t key)
{
	struct forge f;
	char text[KEYS_CHECKPOINT_MAX];
	size_t len;

	f = forge;
	f.p = calloc(1, SEGMENT);
	f.number = 0;
	f.seq = 1;
	f.key = 0;
	f.next_key = 1;
	f.commit = 0;
	f.time_s = 1700000000;
	f.text = 200; /* other contents */
	memset(f.prev, 0, sizeof(f.prev));
	keys_tree_init(&f.tree);
	snprintf(f.dir, sizeof(f.dir), "%s", dir);
	forge_segment(&f);
	for (int i = 1; i <= 20; i++) {
		forge_record(&f, (size_t)(100 + i));
		if (i % 10)
			continue;
		f.time_s += 60;
		f.commit++;
		len = forge_note(&f, KEYS_CHECKPOINT_RUNNING, key, text);
		forge_frame(&f, FS_LOG_CHECKPOINT, f.seq, text, len);
	}
	forge_write(&f);
	free(f.p);
}

START_TEST(past_sealed_anew_with_a_later_key_is_resealed)
{
	const struct fs_log_finding *f;

	rewrite_segment_1(4);
	t_verify(dir, NULL, &found);
	f = t_any(&found, FS_LOG_RESEALED);
	ck_assert_ptr_nonnull(f);
	ck_assert_uint_eq(f->seq, 10);
	/* And the next segment, which the key of that time certified, is of another tree. */
	f = t_any(&found, FS_LOG_CHANGED);
	ck_assert_ptr_nonnull(f);
	ck_assert_uint_eq(f->seq, 1);
	ck_assert_uint_eq(f->last, 20);
}
END_TEST

/* Had the old key not been erased: the chain of segments still tells. */
START_TEST(past_sealed_anew_with_its_own_key_is_changed)
{
	rewrite_segment_1(1);
	t_verify(dir, NULL, &found);
	ck_assert_uint_ge(found.v.alarms, 1);
	ck_assert_uint_le(found.f[0].seq, 21);
}
END_TEST

/* The newest segment with the current key: a fork. */
static void fork_newest(void)
{
	struct t_segment *s = t_segment_load(dir, 4);
	struct fs_log_frame *f = t_record(s, 56);
	struct forge k = forge;

	keys_tree_init(&k.tree);
	for (uint64_t n = 1; n <= 4; n++) {
		struct t_segment *o = n == 4 ? s : t_segment_load(dir, n);

		if (n == 4)
			o->p[f->off + FS_LOG_FRAME + 50] ^= 1;
		for (size_t i = 0; i < o->n; i++) {
			uint8_t leaf[KEYS_LEN];

			if (o->frame[i].kind != FS_LOG_RECORD || o->frame[i].seq > 60)
				continue;
			keys_tree_leaf(o->p + o->frame[i].off + FS_LOG_FRAME, o->frame[i].len,
				       leaf);
			keys_tree_add(&k.tree, leaf);
		}
		if (n < 4)
			t_segment_drop(o);
	}
	k.p = s->p;
	k.end = t_frame_end(t_record(s, 60));
	memset(s->p + k.end, 0, s->len - k.end);
	forge_checkpoint(&k, KEYS_CHECKPOINT_RUNNING);
	t_segment_store(s);
}

START_TEST(fork_with_the_current_key_is_seen_with_a_kept_checkpoint_alone)
{
	char kept[KEYS_CHECKPOINT_MAX];
	struct t_asking a = {.kept = {kept}, .kept_count = 1};

	forge_checkpoint(&forge, KEYS_CHECKPOINT_RUNNING);
	forge_write(&forge);
	t_verify(dir, NULL, &found);
	t_whole(&found);
	ck_assert_uint_eq(found.v.sealed, 60);
	strcpy(kept, found.v.checkpoint);
	fork_newest();
	t_verify(dir, NULL, &found);
	t_whole(&found);
	ck_assert_uint_eq(found.v.sealed, 60);
	t_verify(dir, &a, &found);
	ck_assert_uint_eq(found.v.alarms, 1);
	ck_assert_ptr_nonnull(t_any(&found, FS_LOG_FORKED));
	ck_assert_uint_eq(t_any(&found, FS_LOG_FORKED)->last, 60);
}
END_TEST

/* The host's state was lost, or somebody with the daemon's key says so. */
START_TEST(key_without_its_predecessor_is_told)
{
	forge.flags = FS_LOG_TREE_LOST;
	forge_segment(&forge);
	forge_record(&forge, 100);
	forge_checkpoint(&forge, KEYS_CHECKPOINT_STOP);
	forge_write(&forge);
	t_verify(dir, NULL, &found);
	t_whole(&found);
	t_only(&found, FS_LOG_KEY_LOST, 61);
}
END_TEST

START_TEST(key_that_leaves_one_out_is_resealed)
{
	forge.key = 3; /* certified by the one before the last */
	forge_segment(&forge);
	forge_record(&forge, 100);
	forge_write(&forge);
	t_verify(dir, NULL, &found);
	ck_assert_uint_eq(found.v.alarms, 1);
	ck_assert_uint_eq(t_any(&found, FS_LOG_RESEALED)->seq, 61);
}
END_TEST

/* Every seal is taken out, and segments made to look older than seals: no key is needed for it. */
static void strip(uint64_t segment, uint64_t first_seq)
{
	struct t_segment *s = t_segment_load(dir, segment);
	struct fs_log_header h = {
		.version = 1, .number = segment, .first_seq = first_seq, .bytes = s->len};

	for (size_t i = s->n; i > 0; i--) {
		const struct fs_log_frame *f = &s->frame[i - 1];

		if (f->kind == FS_LOG_TREE || f->kind == FS_LOG_CHECKPOINT)
			t_cut_out(s, f->off, t_frame_end(f));
	}
	memcpy(h.vault, forge.vault, sizeof(h.vault));
	fs_log_header_encode(&h, s->p);
	t_segment_store(s);
}

START_TEST(log_made_to_look_older_than_seals_is_unproven)
{
	strip(1, 1);
	strip(2, 21);
	t_verify(dir, NULL, &found); /* some: the rest still tells that a change was made, or none */
	t_first(&found, FS_LOG_OLD, 1);
	strip(3, 41);
	strip(4, 56);
	t_verify(dir, NULL, &found);
	t_first(&found, FS_LOG_UNPROVEN, 1);
	ck_assert_uint_eq(found.v.alarms, 1);
}
END_TEST

/* ---- back in time ---- */

START_TEST(vault_put_back_is_rolled_back)
{
	forge.commit = 1;
	forge_checkpoint(&forge, KEYS_CHECKPOINT_RUNNING); /* commit 2, after 4 */
	forge_write(&forge);
	t_verify(dir, NULL, &found);
	t_only(&found, FS_LOG_ROLLED_BACK, 60);
}
END_TEST

START_TEST(vault_with_two_states_at_one_commit_is_told)
{
	char text[KEYS_CHECKPOINT_MAX];
	struct keys_checkpoint c = {
		.size = 60, .commit = 4, .time_s = 1, .mark = KEYS_CHECKPOINT_RUNNING};
	size_t len;

	memcpy(c.vault, forge.vault, sizeof(c.vault));
	memset(c.vault_root, 99, sizeof(c.vault_root));
	keys_tree_root(&forge.tree, c.root);
	len = keys_checkpoint_make(&c, forge.key_sk[4], forge.witness_sk, text);
	forge_frame(&forge, FS_LOG_CHECKPOINT, forge.seq, text, len);
	forge_write(&forge);
	t_verify(dir, NULL, &found);
	t_only(&found, FS_LOG_ROLLED_BACK, 60);
}
END_TEST

/* Log alone, and log with vault: both look whole, and both are behind what was kept. */
START_TEST(log_put_back_is_seen_with_a_kept_checkpoint_alone)
{
	char kept[KEYS_CHECKPOINT_MAX];
	struct t_asking a = {.kept = {kept}, .kept_count = 1};

	t_copy_all(dir, other); /* the older copy */
	forge_checkpoint(&forge, KEYS_CHECKPOINT_RUNNING);
	forge_record(&forge, 100);
	forge_checkpoint(&forge, KEYS_CHECKPOINT_STOP);
	forge_write(&forge);
	t_verify(dir, NULL, &found);
	strcpy(kept, found.v.checkpoint);
	t_verify(dir, &a, &found);
	ck_assert_uint_eq(found.n, 0);
	t_verify(other, NULL, &found);
	t_whole(&found);
	t_verify(other, &a, &found);
	ck_assert_uint_eq(found.v.alarms, 1);
	ck_assert_uint_eq(t_any(&found, FS_LOG_ROLLED_BACK)->seq, 61);
	ck_assert_uint_eq(t_any(&found, FS_LOG_ROLLED_BACK)->last, 61);
}
END_TEST

/* The older copy then went on: as long as before, and another history. */
START_TEST(log_put_back_that_went_on_is_forked)
{
	char kept[KEYS_CHECKPOINT_MAX];
	struct t_asking a = {.kept = {kept}, .kept_count = 1};
	struct forge older = forge;

	older.p = malloc(SEGMENT);
	ck_assert_ptr_nonnull(older.p);
	memcpy(older.p, forge.p, SEGMENT);
	forge_record(&forge, 100);
	forge_checkpoint(&forge, KEYS_CHECKPOINT_STOP);
	forge_write(&forge);
	t_verify(dir, NULL, &found);
	strcpy(kept, found.v.checkpoint);
	forge_record(&older, 300);
	forge_record(&older, 300);
	forge_checkpoint(&older, KEYS_CHECKPOINT_RUNNING);
	forge_write(&older);
	t_verify(dir, &a, &found);
	ck_assert_uint_ge(found.v.alarms, 1);
	ck_assert_ptr_nonnull(t_any(&found, FS_LOG_FORKED));
	ck_assert_uint_eq(t_any(&found, FS_LOG_FORKED)->last, 61);
	free(older.p);
}
END_TEST

/* The log is right, the vault in its checkpoints is not the one that was seen. */
START_TEST(vault_behind_a_kept_checkpoint_is_rolled_back)
{
	char kept[KEYS_CHECKPOINT_MAX];
	struct t_asking a = {.kept = {kept}, .kept_count = 1};

	forge.commit = 100;
	forge_note(&forge, KEYS_CHECKPOINT_RUNNING, 4, kept);
	forge.commit = 10;
	forge_record(&forge, 100);
	forge_checkpoint(&forge, KEYS_CHECKPOINT_STOP);
	forge_write(&forge);
	t_verify(dir, NULL, &found);
	t_whole(&found);
	t_verify(dir, &a, &found);
	t_only(&found, FS_LOG_ROLLED_BACK, 61);
}
END_TEST

START_TEST(kept_checkpoint_of_another_vault_or_key_is_foreign)
{
	char kept[KEYS_CHECKPOINT_MAX];
	struct t_asking a = {.kept = {kept}, .kept_count = 1};
	struct forge f;

	forge_log(&f, other);
	forge_note(&f, KEYS_CHECKPOINT_RUNNING, 4, kept);
	t_verify(dir, &a, &found);
	t_first(&found, FS_LOG_FOREIGN, 0);
	/* Right in all it says, signed by nobody who is known here. */
	memcpy(f.vault, forge.vault, sizeof(f.vault));
	f.tree = forge.tree;
	forge_note(&f, KEYS_CHECKPOINT_RUNNING, 4, kept);
	t_verify(dir, &a, &found);
	ck_assert_uint_eq(found.v.alarms, 1);
	ck_assert_ptr_nonnull(t_any(&found, FS_LOG_FOREIGN));
	strcpy(kept, "no checkpoint");
	t_verify(dir, &a, &found);
	t_first(&found, FS_LOG_FOREIGN, 0);
	forge_clear(&f);
}
END_TEST

/* ---- cut at every record's edge ---- */

START_TEST(newest_segment_cut_at_every_edge)
{
	char kept[KEYS_CHECKPOINT_MAX];
	struct t_asking a = {.kept = {kept}, .kept_count = 1};

	forge_checkpoint(&forge, KEYS_CHECKPOINT_STOP);
	forge_write(&forge);
	t_verify(dir, NULL, &found);
	ck_assert_uint_eq(found.v.sealed, 60);
	strcpy(kept, found.v.checkpoint);
	for (uint64_t seq = 60; seq >= 56; seq--) {
		struct t_segment *s = t_segment_load(dir, 4);
		size_t from = t_record(s, seq)->off;

		memset(s->p + from, 0, s->len - from);
		t_segment_store(s);
		t_verify(dir, NULL, &found);
		t_whole(&found);
		t_verify(dir, &a, &found);
		ck_assert_uint_eq(found.v.alarms, 1);
		ck_assert_uint_eq(t_any(&found, FS_LOG_ROLLED_BACK)->seq, seq);
		ck_assert_uint_eq(t_any(&found, FS_LOG_ROLLED_BACK)->last, 60);
	}
}
END_TEST

/* In an older segment the next one tells. */
START_TEST(older_segment_cut_at_every_edge_is_missing)
{
	for (uint64_t seq = 40; seq > 20; seq--) {
		struct t_segment *s = t_segment_load(dir, 2);
		size_t from = t_record(s, seq)->off;

		memset(s->p + from, 0, s->len - from);
		t_segment_store(s);
		t_verify(dir, NULL, &found);
		t_first(&found, FS_LOG_MISSING, seq);
		ck_assert_uint_eq(found.f[0].last, 40);
	}
}
END_TEST

/* ---- a daemon that was killed ---- */

/* Half a record at the end, then a new start. */
static void torn(struct forge *f)
{
	size_t end = f->end;

	forge_record(f, 1500);
	f->seq--;
	/* The sector with the frame's header did not get there; the rest did. */
	memset(f->p + end, 0, (end + FS_LOG_FRAME) / 512 * 512 + 512 - end);
}

START_TEST(unfinished_batch_before_a_start_is_no_alarm)
{
	struct keys_tree tree = forge.tree;

	torn(&forge);
	forge.tree = tree;
	forge_stream(&forge);
	forge_record(&forge, 100);
	forge_checkpoint(&forge, KEYS_CHECKPOINT_STOP);
	forge_write(&forge);
	t_verify(dir, NULL, &found);
	t_whole(&found);
	t_only(&found, FS_LOG_UNCLEAN, 61);
	ck_assert_uint_eq(found.v.sealed, 61);
}
END_TEST

/* The first of two records did not reach the disk, the second did: it counts, the first is gone. */
START_TEST(unfinished_batch_with_a_hole_is_no_alarm)
{
	uint8_t none[KEYS_LEN], leaf[KEYS_LEN];
	struct keys_tree tree = forge.tree;
	size_t at = forge.end, second;

	forge_record(&forge, 1500);
	second = forge.end;
	forge_record(&forge, 200);
	memset(forge.p + at, 0, (at + FS_LOG_FRAME) / 512 * 512 + 512 - at);
	keys_tree_no_leaf(none);
	keys_tree_leaf(forge.p + second + FS_LOG_FRAME, keys_ratchet_sealed_len(200), leaf);
	forge.tree = tree;
	keys_tree_add(&forge.tree, none);
	keys_tree_add(&forge.tree, leaf);
	forge_stream(&forge);
	forge_record(&forge, 100);
	forge_checkpoint(&forge, KEYS_CHECKPOINT_STOP);
	forge_write(&forge);
	t_verify(dir, NULL, &found);
	t_whole(&found);
	t_only(&found, FS_LOG_UNCLEAN, 61);
	ck_assert_uint_eq(found.v.sealed, 63);
}
END_TEST

/* Behind a stop as well: a start that was cut short. */
START_TEST(torn_bytes_behind_a_stop_are_no_alarm)
{
	struct keys_tree tree;

	forge_checkpoint(&forge, KEYS_CHECKPOINT_STOP);
	tree = forge.tree;
	torn(&forge);
	forge.tree = tree;
	forge_stream(&forge);
	forge_record(&forge, 100);
	forge_checkpoint(&forge, KEYS_CHECKPOINT_STOP);
	forge_write(&forge);
	t_verify(dir, NULL, &found);
	t_whole(&found);
	t_only(&found, FS_LOG_UNCLEAN, 61);
}
END_TEST

/* The same bytes where no stream begins. */
START_TEST(torn_bytes_amid_a_stream_are_an_alarm)
{
	struct keys_tree tree = forge.tree;

	torn(&forge);
	forge.tree = tree;
	forge_record(&forge, 100);
	forge_checkpoint(&forge, KEYS_CHECKPOINT_STOP);
	forge_write(&forge);
	t_verify(dir, NULL, &found);
	t_only(&found, FS_LOG_CHANGED, 61);
}
END_TEST

/* What was sealed and is made to look like a crash afterwards. */
START_TEST(crash_made_up_before_a_start_is_an_alarm)
{
	uint8_t copy[SEGMENT];

	forge_stream(&forge);
	forge_record(&forge, 100);
	forge_checkpoint(&forge, KEYS_CHECKPOINT_STOP);
	forge_write(&forge);
	memcpy(copy, forge.p, sizeof(copy));
	drop(4, 60, true);
	t_verify(dir, NULL, &found);
	t_first(&found, FS_LOG_MISSING, 60);
	ck_assert_uint_eq(found.v.alarms, 1);
}
END_TEST

START_TEST(start_without_a_stop_is_told)
{
	forge_stream(&forge);
	forge_record(&forge, 100);
	forge_checkpoint(&forge, KEYS_CHECKPOINT_STOP);
	forge_write(&forge);
	t_verify(dir, NULL, &found);
	t_whole(&found);
	t_only(&found, FS_LOG_UNCLEAN, 60);
}
END_TEST

/* Killed while a segment was begun: its header is there, some of its first frames. */
START_TEST(segment_half_begun_is_no_alarm)
{
	uint64_t key = forge.key, next = forge.next_key;
	uint8_t before_prev[KEYS_SIG_LEN];
	size_t tree;

	memcpy(before_prev, forge.prev, sizeof(before_prev));
	forge_segment(&forge);
	forge.key = key;
	forge.next_key = next;
	tree = forge.end - 512;
	if (_i == 0) /* the header alone */
		memset(forge.p + FS_LOG_HEADER, 0, SEGMENT - FS_LOG_HEADER);
	else /* a sector of the tree frame is missing */
		memset(forge.p + tree / 512 * 512, 0, 512);
	if (_i == 0)
		memcpy(forge.prev, before_prev, sizeof(before_prev));
	forge_segment(&forge);
	forge_record(&forge, 100);
	forge_checkpoint(&forge, KEYS_CHECKPOINT_STOP);
	forge_write(&forge);
	t_verify(dir, NULL, &found);
	t_whole(&found);
	ck_assert_uint_eq(found.v.sealed, 61);
	ck_assert_uint_le(found.n, 2);
}
END_TEST

/* Times that go back, as after a clock was set: nothing. */
START_TEST(clock_that_went_back_is_no_alarm)
{
	forge.time_s = 1000;
	forge_checkpoint(&forge, KEYS_CHECKPOINT_STOP);
	forge_stream(&forge);
	forge_record(&forge, 100);
	forge_checkpoint(&forge, KEYS_CHECKPOINT_STOP);
	forge_write(&forge);
	t_verify(dir, NULL, &found);
	ck_assert_uint_eq(found.n, 0);
}
END_TEST

START_TEST(checkpoint_of_before_repeated_is_reordered)
{
	struct t_segment *s = t_segment_load(dir, 3);
	struct fs_log_frame *f = t_frame(s, FS_LOG_CHECKPOINT, 0);
	uint8_t copy[KEYS_CHECKPOINT_MAX];
	size_t len = f->len;

	memcpy(copy, f->body, len);
	t_segment_drop(s);
	forge_frame(&forge, FS_LOG_CHECKPOINT, forge.seq, copy, len);
	forge_write(&forge);
	t_verify(dir, NULL, &found);
	ck_assert_uint_eq(found.v.alarms, 1); /* by the key of its own place, so: re-sealed */
	ck_assert_ptr_nonnull(t_any(&found, FS_LOG_RESEALED));
	ck_assert_uint_eq(t_any(&found, FS_LOG_RESEALED)->seq, 60);
}
END_TEST

/* So many that what is remembered of them would fill the memory: some are named, the rest counted. */
START_TEST(flood_of_bad_frames_is_bounded)
{
	static const enum fs_log_frame_kind kind[] = {FS_LOG_STREAM, FS_LOG_TREE,
						      FS_LOG_CHECKPOINT};

	for (unsigned i = 0; i < 1000; i++) {
		fs_log_frame_encode(kind[_i], forge.seq, 8, forge.p + forge.end);
		forge.end += fs_log_frame_size(8);
	}
	forge_write(&forge);
	t_verify(dir, NULL, &found);
	ck_assert_uint_gt(found.v.alarms, 10);
	ck_assert_uint_lt(found.v.alarms, 110);
}
END_TEST

START_TEST(log_of_nothing_is_no_log)
{
	struct fs_log_source source;
	struct fs_log_verifying q = {.source = &source};
	struct fs_log_verified v;

	ck_assert_int_eq(fs_log_source_dir(other, &source), 0);
	ck_assert_int_eq(fs_log_verify(&q, &v), -ENODATA);
	fs_log_source_close(&source);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("fs/log: attacks");
	TCase *t = tcase_create("bytes");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 120);
	tcase_add_test(t, whole_log_is_whole);
	tcase_add_test(t, record_flip_nonce_is_placed_between_checkpoints);
	tcase_add_test(t, record_flip_ciphertext_is_placed_between_checkpoints);
	tcase_add_test(t, record_flip_tag_is_placed_by_the_next_segment);
	tcase_add_test(t, record_flip_under_no_checkpoint_is_not_seen);
	tcase_add_test(t, record_flip_padding_names_the_record);
	tcase_add_loop_test(t, record_flip_frame_header_names_the_record, 0, 16);
	tcase_add_loop_test(t, record_flip_number_names_the_record, 0, 8);
	tcase_add_loop_test(t, header_flip_names_the_segments_first_record, 0, 15);
	tcase_add_loop_test(t, head_flip_is_named, 0, 32);
	tcase_add_test(t, head_flip_at_a_segments_beginning_is_named);
	tcase_add_loop_test(t, tree_flip_is_named, 0, 60);
	tcase_add_test(t, tree_flip_magic_is_named);
	tcase_add_loop_test(t, checkpoint_flip_is_named, 0, 16);
	tcase_add_test(t, checkpoint_flip_signature_is_named);
	tcase_add_test(t, witness_line_is_looked_at_in_the_newest_checkpoint);
	tcase_add_test(t, zeros_behind_the_end_flipped_are_named);
	suite_add_tcase(s, t);

	t = tcase_create("records and segments");
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 120);
	tcase_add_loop_test(t, record_dropped_is_missing, 0, 2);
	tcase_add_loop_test(t, last_record_of_a_segment_dropped_is_missing, 0, 2);
	tcase_add_test(t, records_swapped_are_reordered);
	tcase_add_test(t, records_swapped_under_their_numbers_are_changed);
	tcase_add_test(t, record_duplicated_is_reordered);
	tcase_add_test(t, record_appended_to_an_old_segment_is_inserted);
	tcase_add_test(t, segment_deleted_is_missing);
	tcase_add_test(t, first_segment_deleted_is_missing);
	tcase_add_test(t, segment_made_zero_is_missing);
	tcase_add_test(t, segment_cut_short_is_told);
	tcase_add_test(t, segment_cut_to_nothing_is_unreadable);
	tcase_add_test(t, segments_swapped_are_reordered);
	tcase_add_test(t, segment_duplicated_is_reordered);
	tcase_add_test(t, newest_segments_deleted_is_seen_with_what_is_kept_alone);
	tcase_add_test(t, newest_segment_cut_at_every_edge);
	tcase_add_test(t, older_segment_cut_at_every_edge_is_missing);
	suite_add_tcase(s, t);

	t = tcase_create("other vaults, daemons and keys");
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 120);
	tcase_add_test(t, segment_of_another_vault_is_foreign);
	tcase_add_test(t, segment_by_another_root_is_foreign);
	tcase_add_test(t, whole_log_of_another_root_is_foreign_to_who_knows_the_root);
	tcase_add_test(t, stream_of_another_daemon_is_inserted);
	tcase_add_test(t, stream_head_taken_out_is_missing);
	tcase_add_test(t, past_sealed_anew_with_a_later_key_is_resealed);
	tcase_add_test(t, past_sealed_anew_with_its_own_key_is_changed);
	tcase_add_test(t, fork_with_the_current_key_is_seen_with_a_kept_checkpoint_alone);
	tcase_add_test(t, key_without_its_predecessor_is_told);
	tcase_add_test(t, key_that_leaves_one_out_is_resealed);
	tcase_add_test(t, log_made_to_look_older_than_seals_is_unproven);
	tcase_add_test(t, checkpoint_of_before_repeated_is_reordered);
	suite_add_tcase(s, t);

	t = tcase_create("back in time");
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 120);
	tcase_add_test(t, vault_put_back_is_rolled_back);
	tcase_add_test(t, vault_with_two_states_at_one_commit_is_told);
	tcase_add_test(t, log_put_back_is_seen_with_a_kept_checkpoint_alone);
	tcase_add_test(t, log_put_back_that_went_on_is_forked);
	tcase_add_test(t, vault_behind_a_kept_checkpoint_is_rolled_back);
	tcase_add_test(t, kept_checkpoint_of_another_vault_or_key_is_foreign);
	suite_add_tcase(s, t);

	t = tcase_create("no attacks");
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 120);
	tcase_add_test(t, unfinished_batch_before_a_start_is_no_alarm);
	tcase_add_test(t, unfinished_batch_with_a_hole_is_no_alarm);
	tcase_add_test(t, torn_bytes_behind_a_stop_are_no_alarm);
	tcase_add_test(t, torn_bytes_amid_a_stream_are_an_alarm);
	tcase_add_test(t, crash_made_up_before_a_start_is_an_alarm);
	tcase_add_test(t, start_without_a_stop_is_told);
	tcase_add_loop_test(t, segment_half_begun_is_no_alarm, 0, 2);
	tcase_add_test(t, clock_that_went_back_is_no_alarm);
	tcase_add_loop_test(t, flood_of_bad_frames_is_bounded, 0, 3);
	tcase_add_test(t, log_of_nothing_is_no_log);
	suite_add_tcase(s, t);

	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
