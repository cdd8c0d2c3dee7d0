/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of fs/log_verify*.c and fs/log_prove.c on logs as a daemon writes them: whole whatever
 * happened that was no attack (crashes, a full disk, a writer at work), and proofs that hold.
 *
 * posix_fallocate is defined here, before the C library's, so that the disk can be full.
 */
#include "test_fs_log_found.h"

#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "../../fs/log.h"
#include "../../keys/merkle.h"
#include "../../keys/recovery.h"
#include "../../keys/wrap.h"

static atomic_int fallocate_errno;

int posix_fallocate(int fd, off_t off, off_t len)
{
	if (fallocate_errno)
		return fallocate_errno;
	return syscall(SYS_fallocate, fd, 0, off, len) ? errno : 0;
}

/* ---- fixture ---- */
static char dir[64], state[64], copy[64];
static int statefd;
static uint8_t vault[KEYS_VAULT_ID_LEN] = "a verified vault";
static uint8_t root_pk[KEYS_LEN], root_sk[KEYS_SIGN_SK_LEN], sign_pk[KEYS_LEN],
	sign_sk[KEYS_SIGN_SK_LEN], cert[KEYS_SIG_LEN], reader_sk[KEYS_LEN];
static struct keys_list_entry reader[2];
static struct t_found found;
static uint64_t commit;

static void new_dir(char path[static 64])
{
	strcpy(path, "/tmp/journalfs-verify-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(path));
}

static void setup(void)
{
	ck_assert_int_eq(keys_init(), 0);
	new_dir(dir);
	new_dir(state);
	new_dir(copy);
	statefd = open(state, O_RDONLY | O_DIRECTORY);
	ck_assert_int_ge(statefd, 0);
	keys_sign_new(root_pk, root_sk);
	keys_sign_new(sign_pk, sign_sk);
	keys_daemon_certify(vault, sign_pk, root_sk, cert);
	keys_box_new(reader[0].box_pk, reader_sk);
	keys_box_new(reader[1].box_pk, reader_sk);
	commit = 0;
	fallocate_errno = 0;
}

static void teardown(void)
{
	close(statefd);
	t_remove_all(dir);
	t_remove_all(state);
	t_remove_all(copy);
}

static struct fs_log *open_log(void)
{
	struct fs_log_config c = {
		.dir = dir,
		.readers = reader,
		.reader_count = 1,
		.sign_sk = sign_sk,
		.segment_bytes = FS_LOG_SEGMENT_MIN,
		.root_pk = root_pk,
		.daemon_cert = cert,
		.statefd = &statefd,
	};
	uint8_t vault_root[KEYS_LEN];
	struct fs_log *l = NULL;

	memcpy(c.vault, vault, sizeof(vault));
	ck_assert_int_eq(fs_log_open(&c, &l), 0);
	memset(vault_root, (int)(commit & 0xff), sizeof(vault_root));
	fs_log_vault_root(l, commit, vault_root);
	return l;
}

static int write_one(struct fs_log *l, unsigned n)
{
	struct policy_record r;

	policy_record_init(&r, POLICY_RECORD_OPEN);
	r.note = n;
	snprintf(r.name, sizeof(r.name), "note %u", n);
	return fs_log_append(l, &r, NULL);
}

static void write_many(struct fs_log *l, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		ck_assert_int_eq(write_one(l, i), 0);
	ck_assert_int_eq(fs_log_wait(l, 0), 0);
}

static void seal(struct fs_log *l)
{
	uint8_t root[KEYS_LEN];

	commit++;
	memset(root, (int)(commit & 0xff), sizeof(root));
	ck_assert_int_eq(fs_log_checkpoint(l, commit, root, KEYS_CHECKPOINT_RUNNING), 0);
}

/* The newest checkpoint on disk. */
static void newest(struct fs_log *l, char text[static KEYS_CHECKPOINT_MAX])
{
	ck_assert_int_eq(fs_log_wait(l, 0), 0);
	write_many(l, 1); /* behind the checkpoint, which is on disk when this is */
	ck_assert_uint_gt(fs_log_newest(l, text), 0);
}

/* ---- whole ---- */

START_TEST(log_of_one_start_is_whole)
{
	struct fs_log *l = open_log();

	write_many(l, 10);
	ck_assert_int_eq(fs_log_close(l), 0);
	t_verify(dir, NULL, &found);
	ck_assert_uint_eq(found.n, 0);
	ck_assert_uint_eq(found.v.records, 12);
	ck_assert_uint_eq(found.v.sealed, 12);
	ck_assert_mem_eq(found.v.vault, vault, sizeof(vault));
	ck_assert_mem_eq(found.v.root_pk, root_pk, KEYS_LEN);
}
END_TEST

/* Several segments, starts, readers; with each number of threads; the same answer. */
static void make_long(void)
{
	for (int start = 0; start < 3; start++) {
		struct fs_log *l = open_log();

		for (int i = 0; i < 10; i++) {
			write_many(l, 300);
			seal(l);
		}
		ck_assert_int_eq(fs_log_readers(l, reader, start % 2 + 1), 0);
		write_many(l, 300);
		ck_assert_int_eq(fs_log_close(l), 0);
	}
}

START_TEST(log_of_many_segments_is_whole)
{
	uint8_t root[KEYS_LEN];

	make_long();
	for (unsigned threads = 1; threads <= 8; threads *= 2) {
		struct t_asking a = {.threads = threads, .vault = vault, .root_pk = root_pk};

		t_verify(dir, &a, &found);
		ck_assert_msg(!found.n, "%s", found.text[0]);
		ck_assert_uint_eq(found.v.records, 9906);
		ck_assert_uint_eq(found.v.sealed, 9906);
		ck_assert_uint_ge(found.v.segments, 6);
		ck_assert_uint_eq(found.v.keys, found.v.segments);
		if (threads > 1)
			ck_assert_mem_eq(root, found.v.root, KEYS_LEN);
		memcpy(root, found.v.root, KEYS_LEN);
	}
}
END_TEST

START_TEST(kept_checkpoints_of_every_age_agree)
{
	char text[3][KEYS_CHECKPOINT_MAX];
	struct t_asking a = {.kept = {text[2], text[0], text[1]}, .kept_count = 3};
	struct fs_log *l = open_log();

	for (int i = 0; i < 3; i++) {
		write_many(l, 1500);
		seal(l);
		newest(l, text[i]);
	}
	ck_assert_int_eq(fs_log_close(l), 0);
	t_verify(dir, &a, &found);
	ck_assert_uint_eq(found.n, 0);
	/* And each says where a record of its time was changed. */
	for (int i = 0; i < 3; i++) {
		uint64_t seq = (uint64_t)i * 1501 + 700, segment = 1;
		struct t_segment *s = t_segment_load(dir, segment);

		while (s->frame[s->n - 1].seq < seq) {
			t_segment_drop(s);
			s = t_segment_load(dir, ++segment);
		}
		s->p[t_record(s, seq)->off + FS_LOG_FRAME + 30] ^= 4;
		t_segment_store(s);
		t_verify(dir, &a, &found);
		ck_assert_uint_ge(found.v.alarms, 1);
		ck_assert_int_eq(t_any(&found, FS_LOG_CHANGED)->kind, FS_LOG_CHANGED);
		ck_assert_uint_le(found.f[0].seq, seq);
		ck_assert_uint_ge(found.f[0].last, seq);
		s = t_segment_load(dir, segment);
		s->p[t_record(s, seq)->off + FS_LOG_FRAME + 30] ^= 4;
		t_segment_store(s);
	}
}
END_TEST

/* ---- what is no attack ---- */

/* A child writes and is killed. */
static void killed(unsigned n)
{
	int status;
	pid_t pid = fork();

	ck_assert_int_ge(pid, 0);
	if (!pid) {
		struct fs_log *l = open_log();

		write_many(l, n);
		raise(SIGKILL);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFSIGNALED(status));
}

START_TEST(killed_daemon_is_told_and_no_alarm)
{
	struct fs_log *l = open_log();

	write_many(l, 10);
	ck_assert_int_eq(fs_log_close(l), 0);
	killed(20);
	l = open_log();
	write_many(l, 5);
	ck_assert_int_eq(fs_log_close(l), 0);
	t_verify(dir, NULL, &found);
	t_whole(&found);
	t_only(&found, FS_LOG_UNCLEAN, 33);
	ck_assert_uint_eq(found.v.sealed, 40);
}
END_TEST

/* Killed at each of many lengths, so that segments end and begin around it. */
START_TEST(killed_daemons_again_and_again_are_no_alarm)
{
	for (unsigned i = 0; i < 12; i++) {
		killed(137 + 61 * i);
		t_verify(dir, NULL, &found);
		t_whole(&found);
	}
	ck_assert_int_eq(fs_log_close(open_log()), 0);
	t_verify(dir, NULL, &found);
	t_whole(&found);
	ck_assert_uint_eq(found.v.sealed, found.v.records);
}
END_TEST

/* Power failed in the last write: from some sector on, or for some sector, nothing got there. */
START_TEST(torn_batch_then_restart_is_no_alarm)
{
	struct fs_log *l = open_log();
	struct t_segment *s;
	size_t end, from;

	write_many(l, 10);
	ck_assert_int_eq(fs_log_close(l), 0);
	killed(40);
	s = t_segment_load(dir, 1);
	end = t_segment_end(s);
	from = (end - 2500) / 512 * 512;
	if (_i == 0)
		memset(s->p + from, 0, s->len - from);
	else
		memset(s->p + from, 0, 512 * (size_t)_i);
	t_segment_store(s);
	l = open_log();
	write_many(l, 5);
	seal(l);
	ck_assert_int_eq(fs_log_close(l), 0);
	t_verify(dir, NULL, &found);
	t_whole(&found);
	ck_assert_ptr_nonnull(t_any(&found, FS_LOG_UNCLEAN));
	ck_assert_uint_ge(t_any(&found, FS_LOG_UNCLEAN)->seq, 13);
}
END_TEST

/* The same hole made afterwards, when the next daemon's seal covers what was there. */
START_TEST(hole_made_after_the_restart_is_an_alarm)
{
	struct t_segment *s;
	struct fs_log *l;
	size_t from;

	killed(40);
	s = t_segment_load(dir, 1);
	from = (t_segment_end(s) - 2500) / 512 * 512;
	t_segment_drop(s);
	l = open_log();
	write_many(l, 5);
	ck_assert_int_eq(fs_log_close(l), 0);
	s = t_segment_load(dir, 1);
	memset(s->p + from, 0, 512);
	t_segment_store(s);
	t_verify(dir, NULL, &found);
	ck_assert_uint_ge(found.v.alarms, 1);
	ck_assert_uint_ge(found.f[0].seq, 1);
}
END_TEST

START_TEST(full_disk_and_after_is_whole)
{
	struct fs_log *l;
	unsigned n = 0;

	l = open_log();
	fallocate_errno = ENOSPC;
	while (n < 100000 && !write_one(l, n))
		n++;
	ck_assert_uint_lt(n, 100000);
	seal(l);
	t_verify(dir, NULL, &found);
	t_whole(&found);
	fallocate_errno = 0;
	ck_assert_int_eq(fs_log_close(l), 0);
	l = open_log();
	write_many(l, 3000);
	ck_assert_int_eq(fs_log_close(l), 0);
	t_verify(dir, NULL, &found);
	t_whole(&found);
	ck_assert_uint_eq(found.v.sealed, found.v.records);
}
END_TEST

/* The host's state is gone, as after `recover`: told. */
START_TEST(state_lost_is_told)
{
	char path[100];
	struct fs_log *l = open_log();

	write_many(l, 10);
	ck_assert_int_eq(fs_log_close(l), 0);
	snprintf(path, sizeof(path), "%s/log.key", state);
	ck_assert_int_eq(unlink(path), 0);
	snprintf(path, sizeof(path), "%s/log.last", state);
	ck_assert_int_eq(unlink(path), 0);
	l = open_log();
	write_many(l, 10);
	ck_assert_int_eq(fs_log_close(l), 0);
	t_verify(dir, NULL, &found);
	t_whole(&found);
	t_only(&found, FS_LOG_KEY_LOST, 13);
}
END_TEST

/* Changed while the daemon was down: it goes on from what it saw, and verification says where. */
START_TEST(change_that_the_daemon_met_is_named)
{
	struct fs_log *l = open_log();
	struct t_segment *s;

	write_many(l, 10);
	seal(l);
	write_many(l, 10);
	ck_assert_int_eq(fs_log_close(l), 0);
	s = t_segment_load(dir, 1);
	s->p[t_record(s, 15)->off + FS_LOG_FRAME + 30] ^= 4;
	t_segment_store(s);
	l = open_log();
	write_many(l, 10);
	ck_assert_int_eq(fs_log_close(l), 0);
	t_verify(dir, NULL, &found);
	t_only(&found, FS_LOG_CHANGED, 12);
	ck_assert_uint_eq(found.f[0].last, 22);
	ck_assert_uint_gt(found.v.sealed, 30); /* what came after is sealed */
}
END_TEST

struct writing {
	struct fs_log *l;
	atomic_bool stop;
};

static void *keep_writing(void *arg)
{
	struct writing *w = arg;
	uint8_t root[KEYS_LEN] = {0};

	for (unsigned i = 0; !w->stop; i++) {
		if (write_one(w->l, i))
			return w;
		if (i % 100 == 0)
			(void)fs_log_checkpoint(w->l, 1, root, KEYS_CHECKPOINT_RUNNING);
		if (i % 50 == 0)
			(void)fs_log_wait(w->l, 0);
	}
	return NULL;
}

START_TEST(log_that_is_written_meanwhile_is_whole)
{
	struct t_asking a = {.live = true};
	struct writing w = {.l = open_log()};
	pthread_t t;
	void *failed;
	uint64_t before = 0;

	write_many(w.l, 5000);
	ck_assert_int_eq(pthread_create(&t, NULL, keep_writing, &w), 0);
	for (int i = 0; i < 30; i++) {
		t_verify(dir, &a, &found);
		t_whole(&found);
		ck_assert_uint_ge(found.v.records, before);
		before = found.v.records;
	}
	w.stop = true;
	ck_assert_int_eq(pthread_join(t, &failed), 0);
	ck_assert_ptr_null(failed);
	ck_assert_int_eq(fs_log_close(w.l), 0);
	t_verify(dir, NULL, &found);
	ck_assert_uint_eq(found.n, 0);
}
END_TEST

/* ---- back in time, on real files ---- */

START_TEST(older_copy_is_seen_with_a_kept_checkpoint_alone)
{
	char text[KEYS_CHECKPOINT_MAX];
	struct t_asking a = {.kept = {text}, .kept_count = 1};
	struct fs_log *l = open_log();

	write_many(l, 1000);
	seal(l);
	ck_assert_int_eq(fs_log_close(l), 0);
	t_copy_all(dir, copy);
	l = open_log();
	write_many(l, 1000);
	seal(l);
	ck_assert_int_eq(fs_log_close(l), 0);
	t_verify(dir, NULL, &found);
	ck_assert_uint_eq(found.n, 0);
	strcpy(text, found.v.checkpoint);
	t_verify(copy, NULL, &found);
	t_whole(&found);
	t_verify(copy, &a, &found);
	t_first(&found, FS_LOG_ROLLED_BACK, 1003);
}
END_TEST

static int stop_at_once(void *ctx, uint64_t done, uint64_t total)
{
	(void)ctx;
	ck_assert_uint_le(done, total);
	return 1;
}

START_TEST(verification_can_be_stopped)
{
	struct fs_log_source source;
	struct fs_log_verifying q = {.source = &source, .progress = stop_at_once};
	struct fs_log_verified v;

	make_long();
	ck_assert_int_eq(fs_log_source_dir(dir, &source), 0);
	ck_assert_int_eq(fs_log_verify(&q, &v), -ECANCELED);
	fs_log_source_close(&source);
}
END_TEST

/* ---- proofs ---- */

struct proofs {
	struct keys_checkpoint c;
	const struct fs_log_source *source;
	size_t n;
};

static int take_proof(void *ctx, uint64_t seq, const uint8_t leaf[static KEYS_LEN],
		      const uint8_t *proof, size_t count)
{
	struct proofs *p = ctx;
	uint8_t *bytes = NULL, hash[KEYS_LEN];
	size_t len = 0;

	ck_assert_int_eq(fs_log_record_bytes(p->source, seq, &bytes, &len), 0);
	keys_tree_leaf(bytes, len, hash);
	ck_assert_mem_eq(hash, leaf, KEYS_LEN);
	free(bytes);
	ck_assert_int_eq(
		keys_tree_check_inclusion(leaf, seq - 1, p->c.size, proof, count, p->c.root), 0);
	p->n++;
	return 0;
}

static void checkpoint_of(const char *text, struct keys_checkpoint *c)
{
	struct keys_signed_note note;

	ck_assert_int_eq(keys_signed_note_parse(text, strlen(text), &note), 0);
	ck_assert_int_eq(keys_checkpoint_read(&note, c), 0);
}

START_TEST(proofs_of_inclusion_hold)
{
	static const uint64_t seqs[] = {1, 2, 1000, 1024, 1025, 4097, 9905, 9906};
	struct fs_log_source source;
	struct proofs p = {.source = &source};
	uint64_t beyond;

	make_long();
	t_verify(dir, NULL, &found);
	checkpoint_of(found.v.checkpoint, &p.c);
	ck_assert_uint_eq(p.c.size, 9906);
	ck_assert_int_eq(fs_log_source_dir(dir, &source), 0);
	ck_assert_int_eq(fs_log_prove(&source, &p.c, seqs, 8, take_proof, &p), 0);
	ck_assert_uint_eq(p.n, 8);
	beyond = 9907;
	ck_assert_int_eq(fs_log_prove(&source, &p.c, &beyond, 1, take_proof, &p), -ENOENT);
	beyond = 0;
	ck_assert_int_eq(fs_log_prove(&source, &p.c, &beyond, 1, take_proof, &p), -ENOENT);
	p.c.root[3] ^= 1;
	ck_assert_int_eq(fs_log_prove(&source, &p.c, seqs, 8, take_proof, &p), -EBADMSG);
	ck_assert_uint_eq(p.n, 8);
	fs_log_source_close(&source);
}
END_TEST

START_TEST(proofs_of_consistency_hold)
{
	char text[KEYS_CHECKPOINT_MAX];
	uint8_t proof[2 * KEYS_TREE_LEVELS * KEYS_LEN];
	struct keys_checkpoint old, c;
	struct fs_log_source source;
	struct fs_log *l = open_log();
	size_t n = 0;

	write_many(l, 1234);
	seal(l);
	newest(l, text);
	write_many(l, 2345);
	ck_assert_int_eq(fs_log_close(l), 0);
	t_verify(dir, NULL, &found);
	checkpoint_of(text, &old);
	checkpoint_of(found.v.checkpoint, &c);
	ck_assert_int_eq(fs_log_source_dir(dir, &source), 0);
	ck_assert_int_eq(fs_log_prove_consistency(&source, old.size, &c, proof, &n), 0);
	ck_assert_int_eq(keys_tree_check_consistency(old.size, old.root, c.size, c.root, proof, n),
			 0);
	old.root[0] ^= 1;
	ck_assert_int_eq(keys_tree_check_consistency(old.size, old.root, c.size, c.root, proof, n),
			 -EBADMSG);
	ck_assert_int_eq(fs_log_prove_consistency(&source, c.size + 1, &c, proof, &n), -ENOENT);
	ck_assert_int_eq(fs_log_prove_consistency(&source, 0, &c, proof, &n), 0);
	ck_assert_uint_eq(n, 0);
	fs_log_source_close(&source);
}
END_TEST

static int count_leaf(void *ctx, uint64_t index, const uint8_t leaf[static KEYS_LEN])
{
	struct keys_tree *t = ctx;

	ck_assert_uint_eq(index, t->size);
	keys_tree_add(t, leaf);
	return 0;
}

START_TEST(leaves_come_in_order_and_all)
{
	struct fs_log_source source;
	struct keys_tree t;
	uint8_t root[KEYS_LEN];
	char path[300];

	make_long();
	t_verify(dir, NULL, &found);
	ck_assert_int_eq(fs_log_source_dir(dir, &source), 0);
	keys_tree_init(&t);
	ck_assert_int_eq(fs_log_leaves(&source, found.v.sealed, NULL, count_leaf, &t), 0);
	keys_tree_root(&t, root);
	ck_assert_mem_eq(root, found.v.root, KEYS_LEN);
	keys_tree_init(&t);
	ck_assert_int_eq(fs_log_leaves(&source, found.v.sealed + 1, NULL, count_leaf, &t), -ENOENT);
	t_segment_path(dir, 2, path);
	ck_assert_int_eq(unlink(path), 0);
	keys_tree_init(&t);
	ck_assert_int_eq(fs_log_leaves(&source, found.v.sealed, NULL, count_leaf, &t), -ENOENT);
	fs_log_source_close(&source);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("fs/log_verify");
	TCase *t = tcase_create("whole");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 120);
	tcase_add_test(t, log_of_one_start_is_whole);
	tcase_add_test(t, log_of_many_segments_is_whole);
	tcase_add_test(t, kept_checkpoints_of_every_age_agree);
	tcase_add_test(t, log_that_is_written_meanwhile_is_whole);
	tcase_add_test(t, verification_can_be_stopped);
	suite_add_tcase(s, t);

	t = tcase_create("no attacks, and some");
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 120);
	tcase_add_test(t, killed_daemon_is_told_and_no_alarm);
	tcase_add_test(t, killed_daemons_again_and_again_are_no_alarm);
	tcase_add_loop_test(t, torn_batch_then_restart_is_no_alarm, 0, 4);
	tcase_add_test(t, hole_made_after_the_restart_is_an_alarm);
	tcase_add_test(t, full_disk_and_after_is_whole);
	tcase_add_test(t, state_lost_is_told);
	tcase_add_test(t, change_that_the_daemon_met_is_named);
	tcase_add_test(t, older_copy_is_seen_with_a_kept_checkpoint_alone);
	suite_add_tcase(s, t);

	t = tcase_create("proofs");
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 120);
	tcase_add_test(t, proofs_of_inclusion_hold);
	tcase_add_test(t, proofs_of_consistency_hold);
	tcase_add_test(t, leaves_come_in_order_and_all);
	suite_add_tcase(s, t);

	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
