/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of fs/log_verify_after.c: going on from a checkpoint up to which a log was verified before
 * reads no more than it must, says what it read, and is led astray by nobody: not by who may write
 * the files, nor by who holds the daemon's keys of today.
 */
#include "test_fs_log_forge.h"
#include "test_fs_log_found.h"

static char dir[64], kept[KEYS_CHECKPOINT_MAX];
static struct forge forge;
static struct t_found found;
static struct t_asking after = {.kept = {kept}, .kept_count = 1, .after = true};

/* Verified up to record 55, the end of segment 3; and up to 30, amid segment 2. */
static char kept_30[KEYS_CHECKPOINT_MAX];

static void keep_first(uint64_t size, char text[static KEYS_CHECKPOINT_MAX])
{
	struct fs_log_walk w;
	struct fs_log_frame f;

	for (uint64_t n = 1; n <= 4; n++) {
		struct t_segment *s = t_segment_load(dir, n);

		fs_log_walk_init(&w, NULL, s->p, s->len);
		while (fs_log_walk_next(&w, &f)) {
			if (f.kind != FS_LOG_CHECKPOINT || f.seq != size + 1)
				continue;
			memcpy(text, f.body, f.len);
			text[f.len] = '\0';
		}
		t_segment_drop(s);
	}
	ck_assert_int_ne(text[0], 0);
}

static void setup(void)
{
	ck_assert_int_eq(keys_init(), 0);
	strcpy(dir, "/tmp/journalfs-after-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	forge_log(&forge, dir);
	forge_checkpoint(&forge, KEYS_CHECKPOINT_RUNNING);
	forge_write(&forge);
	kept[0] = kept_30[0] = '\0';
	keep_first(55, kept);
	keep_first(30, kept_30);
}

static void teardown(void)
{
	forge_clear(&forge);
	t_remove_all(dir);
}

START_TEST(what_was_verified_is_not_read_again)
{
	t_verify(dir, &after, &found);
	ck_assert_uint_eq(found.n, 0);
	ck_assert(found.v.resumed);
	ck_assert_uint_eq(found.v.first, 41);
	ck_assert_uint_eq(found.v.last, 60);
	ck_assert_uint_eq(found.v.sealed, 60);
	ck_assert_uint_eq(found.v.records, 20);
	ck_assert_uint_eq(found.v.segments, 2);
	strcpy(kept, kept_30);
	t_verify(dir, &after, &found);
	ck_assert_uint_eq(found.n, 0);
	ck_assert_uint_eq(found.v.first, 21);
	ck_assert_uint_eq(found.v.records, 40);
	/* And says so when it read all. */
	after.after = false;
	t_verify(dir, &after, &found);
	after.after = true;
	ck_assert_uint_eq(found.n, 0);
	ck_assert(!found.v.resumed);
	ck_assert_uint_eq(found.v.first, 1);
	ck_assert_uint_eq(found.v.last, 60);
}
END_TEST

START_TEST(older_kept_ones_beside_it_are_not_compared)
{
	struct t_asking a = {.kept = {kept, kept_30}, .kept_count = 2, .after = true};

	t_verify(dir, &a, &found);
	ck_assert_uint_eq(found.n, 0);
	ck_assert(found.v.resumed);
}
END_TEST

/* The first segment alone: there is nothing to leave out. */
START_TEST(checkpoint_in_the_first_segment_reads_all)
{
	keep_first(10, kept);
	t_verify(dir, &after, &found);
	ck_assert_uint_eq(found.n, 0);
	ck_assert(!found.v.resumed);
	ck_assert_uint_eq(found.v.records, 60);
}
END_TEST

START_TEST(change_behind_it_is_found)
{
	t_flip(dir, 4, t_record_off(dir, 4, 57) + FS_LOG_FRAME + 40);
	t_verify(dir, &after, &found);
	ck_assert(found.v.resumed);
	t_first(&found, FS_LOG_CHANGED, 56);
	ck_assert_uint_eq(found.v.alarms, 1);
}
END_TEST

/* In the segment that it stands in, before it and behind it. */
START_TEST(change_in_its_segment_is_found)
{
	strcpy(kept, kept_30);
	t_flip(dir, 2, t_record_off(dir, 2, 25 + 12 * (uint64_t)_i) + FS_LOG_FRAME + 40);
	t_verify(dir, &after, &found);
	ck_assert(found.v.resumed);
	ck_assert_uint_ge(found.v.alarms, 1);
	ck_assert_int_eq(found.f[0].kind, FS_LOG_CHANGED);
}
END_TEST

START_TEST(segment_gone_before_it_is_found)
{
	char path[300];

	t_segment_path(dir, 2, path);
	ck_assert_int_eq(unlink(path), 0);
	t_verify(dir, &after, &found);
	ck_assert(!found.v.resumed);
	t_first(&found, FS_LOG_MISSING, 21);
}
END_TEST

START_TEST(log_that_ends_before_it_was_rolled_back)
{
	char path[300];

	for (uint64_t n = 3; n <= 4; n++) {
		t_segment_path(dir, n, path);
		ck_assert_int_eq(unlink(path), 0);
	}
	t_verify(dir, &after, &found);
	ck_assert_ptr_nonnull(t_any(&found, FS_LOG_ROLLED_BACK));
}
END_TEST

START_TEST(damaged_header_is_named)
{
	t_flip(dir, (uint64_t)_i, 20);
	t_verify(dir, &after, &found);
	ck_assert_uint_ge(found.v.alarms, 1);
	ck_assert_int_eq(found.f[0].kind, FS_LOG_CHANGED);
}
END_TEST

/* Segment 3 anew, by who holds the daemon's key: with a tree of its own, and a key of its own. */
static void forge_third(bool same_records)
{
	struct t_segment *old = t_segment_load(dir, 3), *second = t_segment_load(dir, 2);
	struct forge f = forge;
	char path[300];
	uint64_t n;

	f.p = malloc(FORGE_SEGMENT);
	ck_assert_uint_eq(second->len, FORGE_SEGMENT);
	memcpy(f.p, second->p, second->len); /* is written again, as it is */
	t_segment_drop(second);
	f.number = 2;
	f.key = 2;
	f.next_key = 3;
	f.seq = 41;
	keys_tree_init(&f.tree);
	for (n = 1; n <= 2; n++) {
		struct t_segment *s = t_segment_load(dir, n);
		uint8_t leaf[KEYS_LEN];

		for (size_t i = 0; i < s->n; i++) {
			if (s->frame[i].kind != FS_LOG_RECORD)
				continue;
			keys_tree_leaf(s->p + s->frame[i].off + FS_LOG_FRAME, s->frame[i].len,
				       leaf);
			keys_tree_add(&f.tree, leaf);
		}
		t_segment_drop(s);
	}
	ck_assert_uint_eq(f.tree.size, 40);
	/* The old key 2 is erased: both are new ones. */
	keys_sign_new(f.key_pk[2], f.key_sk[2]);
	keys_sign_new(f.key_pk[3], f.key_sk[3]);
	forge_segment(&f);
	for (n = 41; n <= 55; n++) {
		struct fs_log_frame *r = t_record(old, n);
		uint8_t leaf[KEYS_LEN];

		if (!same_records) {
			forge_record(&f, 100);
			continue;
		}
		forge_frame(&f, FS_LOG_RECORD, n, old->p + r->off + FS_LOG_FRAME, r->len);
		keys_tree_leaf(old->p + r->off + FS_LOG_FRAME, r->len, leaf);
		keys_tree_add(&f.tree, leaf);
		f.seq++;
	}
	/* And one more, for which somebody was never there. */
	forge_record(&f, 100);
	forge_checkpoint(&f, KEYS_CHECKPOINT_STOP);
	forge_write(&f);
	free(f.p);
	t_segment_drop(old);
	t_segment_path(dir, 4, path);
	ck_assert_int_eq(unlink(path), 0);
}

START_TEST(other_records_under_it_are_another_history)
{
	forge_third(false);
	t_verify(dir, &after, &found);
	ck_assert(found.v.resumed);
	ck_assert_ptr_nonnull(t_any(&found, FS_LOG_FORKED));
}
END_TEST

/* All that the checkpoint covers is there; what comes behind is under a key that is not its own. */
START_TEST(its_segment_under_another_key_is_resealed)
{
	forge_third(true);
	t_verify(dir, &after, &found);
	ck_assert(found.v.resumed);
	ck_assert_ptr_null(t_any(&found, FS_LOG_FORKED));
	ck_assert_ptr_nonnull(t_any(&found, FS_LOG_RESEALED));
}
END_TEST

START_TEST(checkpoint_that_nobody_signed_is_not_gone_on_from)
{
	char *at = strstr(kept, "/witness ");

	/* The stable key's line alone is not enough: its segment's key must have signed. */
	ck_assert_ptr_nonnull(at);
	at = strstr(kept, "\n\n");
	ck_assert_ptr_nonnull(at);
	memmove(at + 2, strchr(at + 2, '\n') + 1, strlen(strchr(at + 2, '\n') + 1) + 1);
	t_verify(dir, &after, &found);
	ck_assert_ptr_nonnull(t_any(&found, FS_LOG_RESEALED));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("fs/log_verify_after");
	TCase *t = tcase_create("after");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 120);
	tcase_add_test(t, what_was_verified_is_not_read_again);
	tcase_add_test(t, older_kept_ones_beside_it_are_not_compared);
	tcase_add_test(t, checkpoint_in_the_first_segment_reads_all);
	tcase_add_test(t, change_behind_it_is_found);
	tcase_add_loop_test(t, change_in_its_segment_is_found, 0, 2);
	tcase_add_test(t, segment_gone_before_it_is_found);
	tcase_add_test(t, log_that_ends_before_it_was_rolled_back);
	tcase_add_loop_test(t, damaged_header_is_named, 3, 5);
	tcase_add_test(t, other_records_under_it_are_another_history);
	tcase_add_test(t, its_segment_under_another_key_is_resealed);
	tcase_add_test(t, checkpoint_that_nobody_signed_is_not_gone_on_from);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
