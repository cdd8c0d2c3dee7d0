/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Logs whose beginning was archived: what a signed statement covers may be gone, and no more;
 * proofs reach over it.
 */
#include "test_fs_log_forge.h"
#include "test_fs_log_found.h"

#include "../../fs/log_archive.h"

static char dir[64], other[64];
static struct forge forge;
static struct t_found found;
static uint64_t ahead_s; /* of the statement, before the newest checkpoint */

static void setup(void)
{
	ck_assert_int_eq(keys_init(), 0);
	strcpy(dir, "/tmp/journalfs-archive-XXXXXX");
	strcpy(other, "/tmp/journalfs-archive-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	ck_assert_ptr_nonnull(mkdtemp(other));
	forge_log(&forge, dir);
	ahead_s = 60;
}

static void teardown(void)
{
	forge_clear(&forge);
	t_remove_all(dir);
	t_remove_all(other);
}

static uint8_t by_sk[KEYS_SIGN_SK_LEN];

/* Segments 1 and 2 were taken, says a statement under this root. */
static void take_two(const struct forge *f)
{
	static uint8_t sums[2][KEYS_LEN];
	struct fs_log_archived a = {
		.what = FS_LOG_ARCHIVE_KEPT,
		.number = 1,
		.first_segment = 1,
		.last_segment = 2,
		.first_seq = 1,
		.last_seq = 40,
		.key_number = 2,
		.time_s = forge.time_s + ahead_s,
		.newest_s = 1800000000,
		.keep_years = 5,
		.by = {.pid = 3, .enrolment = 1, .who = "dan"},
		.sha256 = sums[0],
	};
	struct t_segment *two = t_segment_load(dir, 2), *three = t_segment_load(dir, 3);
	struct fs_log_frame *t = t_frame(three, FS_LOG_TREE, 0),
			    *h = t_frame(two, FS_LOG_STREAM, 1);
	struct fs_log_archive none = {.n = 0};
	struct fs_log_tree tree;
	struct fs_log_head head;
	uint8_t *p = NULL;
	size_t len;
	int fd = open(dir, O_RDONLY | O_DIRECTORY);

	ck_assert_int_eq(fs_log_tree_decode(t->body, t->len, 3, forge.vault, &tree), 0);
	ck_assert_int_eq(fs_log_head_decode(h->body, h->len, 2, &head), 0);
	a.tree = tree.tree;
	memcpy(a.head_sig, head.sig, KEYS_SIG_LEN);
	memcpy(a.key_pk, forge.key_pk[2], KEYS_LEN);
	keys_sign_new(a.by_pk, by_sk);
	memcpy(a.daemon_pk, f->daemon_pk, KEYS_LEN);
	memcpy(a.root_pk, f->root_pk, KEYS_LEN);
	memcpy(a.cert, f->cert, KEYS_SIG_LEN);
	ck_assert_int_eq(fs_log_archive_make(&a, forge.vault, by_sk, f->daemon_sk, &p, &len), 0);
	ck_assert_int_eq(fs_log_archive_append(fd, &none, p, len), 0);
	close(fd);
	free(p);
	t_segment_drop(two);
	t_segment_drop(three);
}

static void gone(uint64_t number)
{
	char path[300];

	t_segment_path(dir, number, path);
	ck_assert_int_eq(unlink(path), 0);
}

START_TEST(archived_beginning_is_told_and_the_rest_verified)
{
	take_two(&forge);
	t_verify(dir, NULL, &found);
	t_only(&found, FS_LOG_UNSEALED, 56); /* all is there still */
	gone(1);
	t_verify(dir, NULL, &found); /* a removal that was interrupted */
	t_whole(&found);
	t_first(&found, FS_LOG_ARCHIVED, 1);
	gone(2);
	t_verify(dir, NULL, &found);
	t_whole(&found);
	ck_assert_uint_eq(t_first(&found, FS_LOG_ARCHIVED, 1)->last, 40);
	ck_assert_uint_eq(found.v.sealed, 55);
	ck_assert_uint_eq(found.v.records, 20);
	t_flip(dir, 3, t_record_off(dir, 3, 45) + FS_LOG_FRAME + 3);
	t_verify(dir, NULL, &found);
	t_first(&found, FS_LOG_CHANGED, 41);
	ck_assert_uint_eq(found.v.alarms, 1);
}
END_TEST

/* A clock that was set forward, so that all is old enough, and back. */
START_TEST(what_a_clock_that_was_ahead_took_is_missing)
{
	ahead_s = UINT64_C(6) * 365 * 86400;
	take_two(&forge);
	gone(1);
	gone(2);
	t_verify(dir, NULL, &found);
	t_first(&found, FS_LOG_MISSING, 1);
	ck_assert_uint_eq(t_any(&found, FS_LOG_MISSING)->last, 40);
	ck_assert_uint_eq(found.v.alarms, 1);
}
END_TEST

/* No segment is left that marks this size; the statement's tree is compared. */
START_TEST(checkpoint_kept_over_just_what_was_archived_is_compared)
{
	struct t_segment *three = t_segment_load(dir, 3);
	struct fs_log_frame *t = t_frame(three, FS_LOG_TREE, 0);
	struct keys_checkpoint c = {.size = 40, .mark = KEYS_CHECKPOINT_RUNNING};
	struct t_asking a = {.kept_count = 1};
	char text[KEYS_CHECKPOINT_MAX];
	struct fs_log_tree tree;

	ck_assert_int_eq(fs_log_tree_decode(t->body, t->len, 3, forge.vault, &tree), 0);
	memcpy(c.vault, forge.vault, sizeof(c.vault));
	keys_tree_root(&tree.tree, c.root);
	c.root[0] ^= _i ? 1 : 0;
	ck_assert_uint_gt(keys_checkpoint_make(&c, forge.key_sk[2], forge.witness_sk, text), 0);
	a.kept[0] = text;
	take_two(&forge);
	gone(1);
	gone(2);
	t_verify(dir, &a, &found);
	ck_assert_uint_eq(found.v.alarms, (unsigned)_i);
	if (_i)
		t_first(&found, FS_LOG_FORKED, 1);
	t_segment_drop(three);
}
END_TEST

START_TEST(more_than_was_archived_is_missing)
{
	take_two(&forge);
	for (uint64_t n = 1; n <= 3; n++)
		gone(n);
	t_verify(dir, NULL, &found);
	t_first(&found, FS_LOG_MISSING, 41);
	ck_assert_uint_eq(found.v.alarms, 1);
	ck_assert_uint_eq(t_any(&found, FS_LOG_MISSING)->last, 55);
}
END_TEST

START_TEST(statement_that_was_changed_counts_for_nothing)
{
	char path[300];
	int fd;

	take_two(&forge);
	gone(1);
	gone(2);
	snprintf(path, sizeof(path), "%s/archive", dir);
	fd = open(path, O_WRONLY);
	ck_assert_int_eq(pwrite(fd, "x", 1, 90), 1);
	close(fd);
	t_verify(dir, NULL, &found);
	t_first(&found, FS_LOG_CHANGED, 1);
	ck_assert_ptr_nonnull(t_any(&found, FS_LOG_MISSING));
	ck_assert_uint_eq(t_any(&found, FS_LOG_MISSING)->last, 40);
}
END_TEST

START_TEST(statement_under_another_root_counts_for_nothing)
{
	struct t_asking a = {.root_pk = forge.root_pk};
	struct forge f;

	forge_init(&f, other, FORGE_SEGMENT);
	keys_daemon_certify(forge.vault, f.daemon_pk, f.root_sk, f.cert);
	take_two(&f);
	gone(1);
	gone(2);
	t_verify(dir, &a, &found);
	t_first(&found, FS_LOG_FOREIGN, 1);
	ck_assert_ptr_nonnull(t_any(&found, FS_LOG_MISSING));
	forge_clear(&f);
}
END_TEST

struct proven {
	struct keys_checkpoint c;
	unsigned n;
};

static int take_proof(void *ctx, uint64_t seq, const uint8_t leaf[static KEYS_LEN],
		      const uint8_t *proof, size_t count)
{
	struct proven *p = ctx;

	ck_assert_int_eq(
		keys_tree_check_inclusion(leaf, seq - 1, p->c.size, proof, count, p->c.root), 0);
	p->n++;
	return 0;
}

/* Every record that is left, over the subtrees that the statement holds. */
START_TEST(proofs_reach_over_what_was_archived)
{
	uint8_t proof[2 * KEYS_TREE_LEVELS * KEYS_LEN];
	struct fs_log_source source;
	struct keys_signed_note note;
	struct proven p = {.n = 0};
	uint64_t seqs[15], early = 40;
	size_t n = 0;

	take_two(&forge);
	gone(1);
	gone(2);
	t_verify(dir, NULL, &found);
	ck_assert_int_eq(
		keys_signed_note_parse(found.v.checkpoint, strlen(found.v.checkpoint), &note), 0);
	ck_assert_int_eq(keys_checkpoint_read(&note, &p.c), 0);
	for (uint64_t i = 0; i < 15; i++)
		seqs[i] = 55 - i;
	ck_assert_int_eq(fs_log_source_dir(dir, &source), 0);
	ck_assert_int_eq(fs_log_prove(&source, &p.c, seqs, 15, take_proof, &p), 0);
	ck_assert_uint_eq(p.n, 15);
	ck_assert_int_eq(fs_log_prove(&source, &p.c, &early, 1, take_proof, &p), -ENOENT);
	for (uint64_t old = 39; old <= 55; old++) {
		int rc = fs_log_prove_consistency(&source, old, &p.c, proof, &n);

		ck_assert_int_eq(rc, old < 40 ? -ENOENT : 0);
	}
	ck_assert_int_eq(fs_log_leaves(&source, 55, NULL, NULL, NULL), -ENOENT);
	fs_log_source_close(&source);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("fs/log: archived");
	TCase *t;
	SRunner *r;
	int failed;

	t = tcase_create("archived");
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 120);
	tcase_add_test(t, archived_beginning_is_told_and_the_rest_verified);
	tcase_add_test(t, what_a_clock_that_was_ahead_took_is_missing);
	tcase_add_loop_test(t, checkpoint_kept_over_just_what_was_archived_is_compared, 0, 2);
	tcase_add_test(t, more_than_was_archived_is_missing);
	tcase_add_test(t, statement_that_was_changed_counts_for_nothing);
	tcase_add_test(t, statement_under_another_root_counts_for_nothing);
	tcase_add_test(t, proofs_reach_over_what_was_archived);
	suite_add_tcase(s, t);

	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
