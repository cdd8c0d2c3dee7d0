/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of fs/log_seal.c, log_key.c, log_start.c, log_tree.c: what seals the access log is the tree
 * over its stored bytes, signed by keys of which each vouches for the next; a key that was replaced
 * is gone; the host notices what was changed or cut off beneath what it saw.
 */
#include "test_fs_log_look.h"

/* ---- tree and checkpoints ---- */

START_TEST(tree_is_that_over_the_stored_bytes)
{
	struct looked k;

	for (unsigned i = 0; i < 4; i++)
		session(100 + 13 * i);
	k = look();
	ck_assert(!k.fork);
	ck_assert_uint_eq(k.records, 4 * 102 + 13 * 6);
	ck_assert_uint_eq(k.segments, 1);
	ck_assert_uint_eq(k.trees, 1);
	ck_assert_uint_eq(k.mark[KEYS_CHECKPOINT_STOP], 4);
	ck_assert_uint_eq(k.sealed, k.records);
	ck_assert(k.last_is_checkpoint);
	ck_assert_uint_eq(k.commit, 7);
}
END_TEST

START_TEST(each_segment_has_the_tree_before_it_and_a_new_key)
{
	struct looked k;

	session(5000);
	session(3000);
	k = look();
	ck_assert(!k.fork);
	ck_assert_uint_gt(k.segments, 4);
	ck_assert_uint_eq(k.trees, k.segments);
	ck_assert_uint_eq(k.key_number, k.segments);
	ck_assert_uint_eq(k.lost, 0);
	ck_assert_uint_eq(k.records, 8004);
	ck_assert_uint_eq(k.sealed, k.records);
}
END_TEST

START_TEST(checkpoint_is_made_only_when_something_came)
{
	struct fs_log *l = open_log();
	struct looked k;

	add_records(l, 3);
	for (int i = 0; i < 5; i++)
		seal(l);
	add_records(l, 1);
	seal(l);
	ck_assert_int_eq(fs_log_close(l), 0);
	k = look();
	ck_assert_uint_eq(k.mark[KEYS_CHECKPOINT_RUNNING], 2);
	ck_assert_uint_eq(k.mark[KEYS_CHECKPOINT_STOP], 1);
}
END_TEST

START_TEST(newest_is_told_once_it_is_on_disk)
{
	char text[KEYS_CHECKPOINT_MAX];
	struct fs_log *l = open_log();
	struct keys_signed_note n;
	struct keys_checkpoint c;
	size_t len;

	ck_assert_uint_eq(fs_log_newest(l, text), 0);
	ck_assert_str_eq(text, "");
	add_records(l, 3);
	seal(l);
	add_records(l, 1); /* waited for: what was queued before it is on disk */
	len = fs_log_newest(l, text);
	ck_assert_uint_eq(len, strlen(text));
	ck_assert_int_eq(keys_signed_note_parse(text, len, &n), 0);
	ck_assert_int_eq(keys_checkpoint_read(&n, &c), 0);
	ck_assert_uint_eq(c.size, 4); /* START and three */
	ck_assert_mem_eq(c.vault_root, VAULT_ROOT, KEYS_LEN);
	ck_assert_int_eq(fs_log_close(l), 0);
}
END_TEST

START_TEST(vaults_root_in_checkpoints_never_goes_back)
{
	static const uint8_t older[KEYS_LEN] = {5};
	struct fs_log *l = open_log();
	struct looked k;

	add_records(l, 1);
	seal(l); /* commit 7 */
	/* Asked for before that, and come later. */
	add_records(l, 1);
	ck_assert_int_eq(fs_log_checkpoint_now(l, 5, older), 0);
	add_records(l, 1);
	fs_log_vault_root(l, 6, older);
	ck_assert_int_eq(fs_log_close(l), 0);
	k = look();
	ck_assert(!k.fork);
	ck_assert_uint_eq(k.commit, 7);
	ck_assert_uint_eq(k.mark[KEYS_CHECKPOINT_RUNNING], 2);
	ck_assert_uint_eq(k.sealed, k.records);
}
END_TEST

START_TEST(other_readers_come_behind_a_checkpoint)
{
	struct fs_log *l = open_log();
	struct looked k;

	add_records(l, 3);
	ck_assert_int_eq(fs_log_readers(l, reader, 2), 0);
	add_records(l, 3);
	ck_assert_int_eq(fs_log_close(l), 0);
	k = look();
	ck_assert(!k.fork);
	ck_assert_uint_eq(k.mark[KEYS_CHECKPOINT_READERS], 1);
	ck_assert_uint_eq(k.streams, 2);
}
END_TEST

/* ---- keys ---- */

static bool state_holds(const uint8_t *pk)
{
	uint8_t p[KEY_FILE];
	int fd = openat(statefd, "log.key", O_RDONLY | O_CLOEXEC);
	struct stat st;
	bool found = false;

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(fstat(fd, &st), 0);
	ck_assert_uint_eq(st.st_mode & 0777, 0600);
	ck_assert_int_eq(read(fd, p, sizeof(p)), sizeof(p));
	close(fd);
	for (size_t i = 0; i + KEYS_LEN <= sizeof(p); i++)
		found |= !memcmp(p + i, pk, KEYS_LEN);
	return found;
}

START_TEST(key_is_gone_once_the_next_is_introduced)
{
	uint8_t key[64][KEYS_LEN];
	struct looked k;
	unsigned n = 0;

	session(5000);
	k = look();
	ck_assert_uint_gt(k.trees, 2);
	for (unsigned i = 1; i <= k.trees; i++) {
		struct fs_log_tree t;
		struct fs_log_frame f = frame_of(i, FS_LOG_TREE, 0);
		size_t len;
		uint8_t *p = load(i, &len);

		ck_assert_int_eq(fs_log_tree_decode(p + f.off + FS_LOG_FRAME, f.len, i, vault, &t),
				 0);
		memcpy(key[n++], t.pk, KEYS_LEN);
		free(p);
	}
	ck_assert(state_holds(key[n - 1]));
	for (unsigned i = 0; i + 1 < n; i++)
		ck_assert(!state_holds(key[i]));
}
END_TEST

START_TEST(lost_key_is_said_in_a_segment_of_its_own)
{
	struct looked k;

	session(10);
	ck_assert_int_eq(unlinkat(statefd, "log.key", 0), 0);
	session(10);
	k = look();
	ck_assert(!k.fork);
	ck_assert_uint_eq(k.segments, 2);
	ck_assert_uint_eq(k.lost, 1);
	ck_assert_uint_eq(k.key_number, 2);
	session(10); /* and then all is as before */
	k = look();
	ck_assert_uint_eq(k.segments, 2);
	ck_assert_uint_eq(k.sealed, 36);
}
END_TEST

START_TEST(damaged_state_files_count_as_lost)
{
	struct looked k;
	int fd;

	session(10);
	fd = openat(statefd, "log.key", O_RDWR | O_TRUNC | O_CLOEXEC);
	ck_assert_int_eq(write(fd, "junk", 4), 4);
	close(fd);
	fd = openat(statefd, "log.last", O_RDWR | O_CLOEXEC);
	ck_assert_int_eq(pwrite(fd, "junk", 4, 60), 4);
	close(fd);
	session(10);
	k = look();
	ck_assert(!k.fork);
	ck_assert_uint_eq(k.lost, 1);
	ck_assert_uint_eq(alarms_logged(), 0);
}
END_TEST

START_TEST(new_daemons_key_is_introduced_by_the_checkpoint_key_before)
{
	struct looked k;

	session(10);
	new_daemon(); /* as `recover` makes it */
	fs_log_forget(statefd, false);
	session(10);
	k = look();
	ck_assert(!k.fork);
	ck_assert_uint_eq(k.segments, 2);
	ck_assert_uint_eq(k.lost, 0);
	ck_assert_uint_eq(k.sealed, 24);
}
END_TEST

/* ---- a crash ---- */

/* Runs fn in a child that dies without closing anything. */
static void die_after(void (*fn)(struct fs_log *l))
{
	pid_t pid = fork();
	int status;

	ck_assert_int_ge(pid, 0);
	if (!pid) {
		struct fs_log *l = open_log();

		fn(l);
		_exit(0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status) && !WEXITSTATUS(status));
}

static void some(struct fs_log *l)
{
	add_records(l, 10);
	seal(l);
	add_records(l, 5);
}

static void many(struct fs_log *l)
{
	add_records(l, MANY);
}

START_TEST(killed_daemon_leaves_a_log_that_goes_on)
{
	struct looked k;

	session(3);
	for (int i = 0; i < 8; i++)
		die_after(i % 2 ? many : some);
	session(3);
	k = look();
	ck_assert(!k.fork);
	ck_assert_uint_eq(k.torn, 0);
	ck_assert_uint_eq(k.lost, 0);
	ck_assert_uint_eq(k.records, 2 * 5 + 4 * 16 + 4 * (MANY + 1));
	ck_assert_uint_eq(k.sealed, k.records);
	ck_assert_uint_eq(k.mark[KEYS_CHECKPOINT_STOP], 2);
	ck_assert_uint_eq(alarms_logged(), 0);
}
END_TEST

/* A batch of which the disk kept any part: what is found counts, what is not is a number without
 * bytes. */
START_TEST(torn_batch_is_part_of_the_tree_as_it_is)
{
	static const uint8_t zeros[FS_LOG_SEGMENT_MIN];
	struct looked k;
	struct fs_log_frame f;

	die_after(some);
	fs_log_forget(statefd, false);	    /* which the crash was too early for */
	f = frame_of(1, FS_LOG_RECORD, 13); /* behind the checkpoint */
	ck_assert_uint_eq(f.seq, 14);
	poke(1, f.off, zeros, FS_LOG_FRAME);
	f = frame_of(1, FS_LOG_RECORD, 14); /* the last that is found: half of it */
	ck_assert_uint_eq(f.seq, 16);
	poke(1, f.off + FS_LOG_FRAME + 40, zeros, FS_LOG_SEGMENT_MIN - f.off - FS_LOG_FRAME - 40);
	session(3);
	session(3);
	k = look();
	ck_assert(!k.fork);
	ck_assert_uint_eq(k.records, 16 + 5 + 5);
	ck_assert_uint_eq(k.sealed, k.records);
	ck_assert_uint_eq(k.torn, 1); /* the wiped frame */
	ck_assert_uint_eq(alarms_logged(), 0);
}
END_TEST

/* Header on disk, the first run behind it in any part: the segment is gone on with. */
START_TEST(segment_begun_and_not_introduced_is_begun_again)
{
	static const uint8_t zeros[FS_LOG_SEGMENT_MIN];
	struct looked k;
	struct fs_log_frame f;
	uint64_t n;

	die_after(many);
	k = look();
	n = k.segments;
	ck_assert_uint_gt(n, 1);
	fs_log_forget(statefd, false);
	f = frame_of(n, FS_LOG_TREE, 0);
	poke(n, f.off + 40, zeros, FS_LOG_SEGMENT_MIN - f.off - 40); /* torn in the tree frame */
	session(3);
	ck_assert_int_eq(unlinkat(statefd, "log.last", 0), 0);
	poke(n, FS_LOG_HEADER, zeros, FS_LOG_SEGMENT_MIN - FS_LOG_HEADER); /* all but the header */
	session(3);
	k = look();
	ck_assert(!k.fork);
	ck_assert_uint_eq(k.segments, n);
	ck_assert_uint_eq(k.records, k.sealed);
}
END_TEST

/* ---- what the host notices ---- */

START_TEST(record_changed_beneath_what_the_host_saw_is_an_alarm)
{
	struct fs_log_stat st;
	struct fs_log_frame f;
	struct fs_log *l;
	struct looked k;

	session(20);
	f = frame_of(1, FS_LOG_RECORD, 7);
	poke(1, f.off + FS_LOG_FRAME + 40, "changed", 7);
	l = open_log();
	fs_log_stat(l, &st);
	ck_assert_uint_eq(st.changed, 22);
	add_records(l, 3);
	seal(l);
	ck_assert_int_eq(fs_log_close(l), 0);
	ck_assert_uint_eq(alarms_logged(), 1);
	k = look();
	ck_assert(k.fork); /* what was signed is never the changed bytes */
	ck_assert_uint_eq(k.segments, 2);
	session(3); /* told once */
	ck_assert_uint_eq(alarms_logged(), 1);
}
END_TEST

/* The tree goes on from what was sealed: with the record put back all is well. */
START_TEST(changed_record_is_not_blessed)
{
	struct fs_log_frame f;
	uint8_t was[7];
	struct looked k;
	size_t len;
	uint8_t *p;

	session(20);
	f = frame_of(1, FS_LOG_RECORD, 7);
	p = load(1, &len);
	memcpy(was, p + f.off + FS_LOG_FRAME + 40, sizeof(was));
	free(p);
	poke(1, f.off + FS_LOG_FRAME + 40, "changed", 7);
	session(3);
	session(3);
	poke(1, f.off + FS_LOG_FRAME + 40, was, sizeof(was));
	k = look();
	ck_assert(!k.fork);
	ck_assert_uint_eq(k.sealed, k.records);
}
END_TEST

START_TEST(segment_changed_before_the_newest_tree_frame_is_noticed_from_what_was_sealed)
{
	struct fs_log_frame f;
	struct fs_log_stat st;
	struct fs_log *l = open_log();

	add_records(l, 100);
	seal(l);
	add_records(l, 1); /* the checkpoint is on disk; the host remembers it */
	ck_assert_int_eq(fs_log_close(l), 0);
	die_after(many);
	/* The host's memory is of the first segment, the newest tree frame of a later one. */
	f = frame_of(1, FS_LOG_RECORD, 200);
	ck_assert_uint_gt(f.seq, 103);
	poke(1, f.off + FS_LOG_FRAME + 40, "changed", 7);
	l = open_log();
	fs_log_stat(l, &st);
	ck_assert_uint_gt(st.changed, 200); /* by the second segment's frame */
	ck_assert_int_eq(fs_log_close(l), 0);
	ck_assert_uint_eq(alarms_logged(), 1);
}
END_TEST

START_TEST(end_cut_off_beneath_what_the_host_saw_is_refused)
{
	static const uint8_t zeros[FS_LOG_SEGMENT_MIN];
	struct fs_log_frame f;
	struct fs_log *l = NULL;

	session(20);
	f = frame_of(1, FS_LOG_RECORD, 15);
	poke(1, f.off, zeros, FS_LOG_SEGMENT_MIN - f.off);
	ck_assert_int_eq(try_open(0, &l), -ESTALE);
	ck_assert_ptr_null(l);
	fs_log_forget(statefd, false); /* `recover` accepts it */
	session(3);
	ck_assert(!look().fork);
}
END_TEST

START_TEST(foreign_tree_frame_is_not_believed)
{
	uint8_t pk[KEYS_LEN], sk[KEYS_SIGN_SK_LEN], body[FS_LOG_TREE_MAX];
	struct fs_log_tree t = {.key_number = 9}, got;
	struct fs_log_frame f;
	size_t len;

	session(20);
	f = frame_of(1, FS_LOG_TREE, 0);
	keys_sign_new(pk, sk);
	memcpy(t.pk, pk, sizeof(t.pk));
	memcpy(t.daemon_pk, pk, sizeof(pk));
	memcpy(t.root_pk, pk, sizeof(pk)); /* a root of one's own */
	keys_daemon_certify(vault, pk, sk, t.cert);
	keys_tree_init(&t.tree);
	len = fs_log_tree_make(&t, 1, NULL, sk, body);
	ck_assert_uint_eq(len, f.len);
	ck_assert_int_eq(fs_log_tree_decode(body, len, 1, vault, &got), 0);
	poke(1, f.off + FS_LOG_FRAME, body, len);
	/* The segment is not appended to; the tree is that over all that is there. */
	session(3);
	ck_assert_int_eq(fs_log_tree_decode(body, len, 2, vault, &got), -EBADMSG);
	f = frame_of(2, FS_LOG_TREE, 0);
	ck_assert_uint_gt(f.len, len);
	ck_assert_uint_eq(alarms_logged(), 0);
}
END_TEST

/* ---- logs of before ---- */

/* Turns the only segment into one of version 1: without tree frame and checkpoints. */
static void make_old(void)
{
	size_t len, end = FS_LOG_HEADER;
	uint8_t *p = load(1, &len), *q = calloc(1, len);
	struct fs_log_header h;
	struct fs_log_frame f;
	struct fs_log_walk w;

	ck_assert_int_eq(fs_log_header_decode(p, &h), 0);
	fs_log_walk_init(&w, &h, p, len);
	while (fs_log_walk_next(&w, &f)) {
		if (f.kind != FS_LOG_STREAM && f.kind != FS_LOG_RECORD)
			continue;
		memcpy(q + end, p + f.off, fs_log_frame_size(f.len));
		end += fs_log_frame_size(f.len);
	}
	h.version = 1;
	fs_log_header_encode(&h, q);
	poke(1, 0, q, len);
	free(p);
	free(q);
	fs_log_forget(statefd, true);
}

START_TEST(log_of_version_1_is_hashed_once_and_gone_on_with)
{
	struct fs_log_stat st;
	struct fs_log *l;
	struct looked k;

	session(300);
	make_old();
	l = open_log();
	fs_log_stat(l, &st);
	ck_assert_uint_eq(st.records, 303);
	ck_assert_int_eq(fs_log_close(l), 0);
	session(4);
	k = look();
	ck_assert(!k.fork);
	ck_assert_uint_eq(k.segments, 2);
	ck_assert_uint_eq(k.trees, 1);
	ck_assert_uint_eq(k.key_number, 1);
	ck_assert_uint_eq(k.lost, 0);
	ck_assert_uint_eq(k.records, 302 + 2 + 6);
	ck_assert_uint_eq(k.sealed, k.records);
}
END_TEST

/* That of a vault which an older journalfs made: tests/frozen. */
START_TEST(log_of_a_frozen_vault_is_gone_on_with)
{
	struct fs_log_header h;
	char cmd[256];
	size_t len;
	uint8_t *p;
	uint64_t before;

	snprintf(cmd, sizeof(cmd),
		 "xz -dc tests/frozen/v2/vault.tar.xz | tar -xf - -C '%s' --strip-components=2 "
		 "--no-same-owner vault/log",
		 dir);
	ck_assert_int_eq(system(cmd), 0);
	p = load(1, &len);
	ck_assert_int_eq(fs_log_header_decode(p, &h), 0);
	free(p);
	ck_assert_uint_eq(h.version, 1);
	memcpy(vault, h.vault, sizeof(vault));
	new_daemon(); /* certified for that vault */
	before = look().records;
	ck_assert_uint_gt(before, 20);
	session(4);
	session(4);
	ck_assert(!look().fork);
	ck_assert_uint_eq(look().sealed, before + 12);
}
END_TEST

/* ---- bytes ---- */

START_TEST(tree_frame_has_the_documented_offsets)
{
	struct fs_log_tree t = {.key_number = 2}, got;
	uint8_t before_pk[KEYS_LEN], before_sk[KEYS_SIGN_SK_LEN], p[FS_LOG_TREE_MAX], q[KEYS_LEN];
	size_t len;

	keys_sign_new(before_pk, before_sk);
	memset(t.pk, 0x11, sizeof(t.pk));
	memcpy(t.before, before_pk, sizeof(t.before));
	memcpy(t.daemon_pk, daemon_pk, sizeof(t.daemon_pk));
	memset(t.witness_pk, 0x22, sizeof(t.witness_pk));
	memcpy(t.root_pk, root_pk, sizeof(t.root_pk));
	memcpy(t.cert, cert, sizeof(t.cert));
	keys_tree_init(&t.tree);
	for (int i = 0; i < 5; i++) {
		memset(q, i, sizeof(q));
		keys_tree_add(&t.tree, q);
	}
	len = fs_log_tree_make(&t, 3, before_sk, daemon_sk, p);
	ck_assert_uint_eq(len, 264 + 2 * 32 + 128);
	ck_assert_mem_eq(p, "\x01\0\0\0\0\0\0\0\x05\0\0\0\0\0\0\0\x02\0\0\0\0\0\0\0", 24);
	ck_assert_mem_eq(p + 24, t.pk, 32);
	ck_assert_mem_eq(p + 56, before_pk, 32);
	ck_assert_mem_eq(p + 88, daemon_pk, 32);
	ck_assert_mem_eq(p + 120, t.witness_pk, 32);
	ck_assert_mem_eq(p + 152, root_pk, 32);
	ck_assert_mem_eq(p + 184, cert, 64);
	ck_assert_mem_eq(p + 248, "\x02\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 16);
	ck_assert_mem_eq(p + 264, t.tree.hash, 64);
	ck_assert_int_eq(fs_log_tree_decode(p, len, 3, vault, &got), 0);
	ck_assert_mem_eq(&got.tree.hash, &t.tree.hash, 64);
	for (size_t i = 0; i < len; i++) { /* every bit is signed or zero */
		p[i] ^= 0x10;
		ck_assert_int_eq(fs_log_tree_decode(p, len, 3, vault, &got), -EBADMSG);
		p[i] ^= 0x10;
	}
	for (size_t i = 0; i < len; i++)
		ck_assert_int_eq(fs_log_tree_decode(p, i, 3, vault, &got), -EBADMSG);
	ck_assert_int_eq(fs_log_tree_decode(p, len, 4, vault, &got), -EBADMSG);
	vault[0] ^= 1;
	ck_assert_int_eq(fs_log_tree_decode(p, len, 3, vault, &got), -EBADMSG);
	vault[0] ^= 1;
}
END_TEST

START_TEST(index_files_stand_beside_full_and_closed_segments)
{
	char name[32];
	struct looked k;

	session(3000);
	k = look();
	for (unsigned i = 1; i <= k.segments; i++) {
		snprintf(name, sizeof(name), "%08u.idx", i);
		ck_assert_int_eq(faccessat(dirfd_, name, R_OK, 0), 0);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("fs/log_seal");
	TCase *tc = tcase_create("all");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, tree_is_that_over_the_stored_bytes);
	tcase_add_test(tc, each_segment_has_the_tree_before_it_and_a_new_key);
	tcase_add_test(tc, checkpoint_is_made_only_when_something_came);
	tcase_add_test(tc, newest_is_told_once_it_is_on_disk);
	tcase_add_test(tc, vaults_root_in_checkpoints_never_goes_back);
	tcase_add_test(tc, other_readers_come_behind_a_checkpoint);
	tcase_add_test(tc, key_is_gone_once_the_next_is_introduced);
	tcase_add_test(tc, lost_key_is_said_in_a_segment_of_its_own);
	tcase_add_test(tc, damaged_state_files_count_as_lost);
	tcase_add_test(tc, new_daemons_key_is_introduced_by_the_checkpoint_key_before);
	tcase_add_test(tc, killed_daemon_leaves_a_log_that_goes_on);
	tcase_add_test(tc, torn_batch_is_part_of_the_tree_as_it_is);
	tcase_add_test(tc, segment_begun_and_not_introduced_is_begun_again);
	tcase_add_test(tc, record_changed_beneath_what_the_host_saw_is_an_alarm);
	tcase_add_test(tc, changed_record_is_not_blessed);
	tcase_add_test(
		tc, segment_changed_before_the_newest_tree_frame_is_noticed_from_what_was_sealed);
	tcase_add_test(tc, end_cut_off_beneath_what_the_host_saw_is_refused);
	tcase_add_test(tc, foreign_tree_frame_is_not_believed);
	tcase_add_test(tc, log_of_version_1_is_hashed_once_and_gone_on_with);
	tcase_add_test(tc, log_of_a_frozen_vault_is_gone_on_with);
	tcase_add_test(tc, tree_frame_has_the_documented_offsets);
	tcase_add_test(tc, index_files_stand_beside_full_and_closed_segments);
	suite_add_tcase(s, tc);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
