/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/test_fs_log_look.h - a log of one's own, and a walk over it that checks every
 * signature, every chain and every root against the tree made by the book. Of tests of the log's
 * writer.
 */
#ifndef TEST_FS_LOG_LOOK_H
#define TEST_FS_LOG_LOOK_H

#include "../../fs/log.h"
#include "../../fs/log_index.h"
#include "../../fs/log_segment.h"
#include "../../fs/log_tree.h"
#include "../../keys/recovery.h"
#include "../../keys/wrap.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define T_MAY __attribute__((unused))
#define RECORDS_MAX 40000
#define KEY_FILE 192
#define MANY 2500 /* more than one segment of the least size */
#define VAULT_ROOT "the root of the vault's tag tree"

/* ---- fixture ---- */
static char dir[64], state[64];
static int dirfd_, statefd;
static uint8_t vault[KEYS_VAULT_ID_LEN] = "a test vault id";
static uint8_t root_pk[KEYS_LEN], root_sk[KEYS_SIGN_SK_LEN];
static uint8_t daemon_pk[KEYS_LEN], daemon_sk[KEYS_SIGN_SK_LEN], cert[KEYS_SIG_LEN];
static struct keys_list_entry reader[2];
static uint8_t reader_sk[2][KEYS_LEN];

T_MAY static void new_daemon(void)
{
	keys_sign_new(daemon_pk, daemon_sk);
	keys_daemon_certify(vault, daemon_pk, root_sk, cert);
}

T_MAY static int open_dir(char *path, const char *template)
{
	int fd;

	strcpy(path, template);
	ck_assert_ptr_nonnull(mkdtemp(path));
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ck_assert_int_ge(fd, 0);
	return fd;
}

T_MAY static void setup(void)
{
	ck_assert_int_eq(keys_init(), 0);
	dirfd_ = open_dir(dir, "/tmp/journalfs-seal-XXXXXX");
	statefd = open_dir(state, "/tmp/journalfs-seal-state-XXXXXX");
	keys_sign_new(root_pk, root_sk);
	new_daemon();
	for (int i = 0; i < 2; i++)
		keys_box_new(reader[i].box_pk, reader_sk[i]);
}

T_MAY static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *f)
{
	(void)st;
	(void)flag;
	(void)f;
	return remove(path);
}

T_MAY static void teardown(void)
{
	close(dirfd_);
	close(statefd);
	nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	nftw(state, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

T_MAY static int try_open(uint64_t least, struct fs_log **out)
{
	struct fs_log_config c = {
		.dir = dir,
		.readers = reader,
		.reader_count = 1,
		.sign_sk = daemon_sk,
		.segment_bytes = FS_LOG_SEGMENT_MIN,
		.least_seq = least,
		.root_pk = root_pk,
		.daemon_cert = cert,
		.statefd = &statefd,
	};

	memcpy(c.vault, vault, sizeof(vault));
	return fs_log_open(&c, out);
}

T_MAY static struct fs_log *open_log(void)
{
	struct fs_log *l = NULL;

	ck_assert_int_eq(try_open(0, &l), 0);
	return l;
}

T_MAY static void add_records(struct fs_log *l, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		struct policy_record r;

		policy_record_init(&r, POLICY_RECORD_OPEN);
		r.note = i;
		r.journal = 1 + i % 7;
		ck_assert_int_eq(fs_log_append(l, &r, NULL), 0);
	}
	ck_assert_int_eq(fs_log_wait(l, 0), 0);
}

T_MAY static void seal(struct fs_log *l)
{
	ck_assert_int_eq(
		fs_log_checkpoint(l, 7, (const uint8_t *)VAULT_ROOT, KEYS_CHECKPOINT_RUNNING), 0);
}

T_MAY static void session(unsigned n)
{
	struct fs_log *l = open_log();

	add_records(l, n);
	seal(l);
	ck_assert_int_eq(fs_log_close(l), 0);
}

/* ---- the log as anybody finds it ---- */

/* RFC 6962, 2.1, word for word: the tree that the daemon grows must be this one. */
static uint8_t leaf[RECORDS_MAX][KEYS_LEN];

T_MAY static void naive_root(uint64_t from, uint64_t to, uint8_t *out)
{
	uint64_t k = 1;
	uint8_t left[KEYS_LEN], right[KEYS_LEN];

	if (to - from == 1) {
		memcpy(out, leaf[from], KEYS_LEN);
		return;
	}
	while (2 * k < to - from)
		k *= 2;
	naive_root(from, from + k, left);
	naive_root(from + k, to, right);
	keys_tree_node(left, right, out);
}

struct looked {
	unsigned segments, trees, lost, checkpoints, streams, torn;
	unsigned mark[4]; /* checkpoints by mark */
	uint64_t records, keys;
	uint64_t sealed; /* by the last checkpoint */
	uint64_t key_number;
	uint8_t key[KEYS_LEN], witness[KEYS_LEN];
	uint64_t commit;
	bool last_is_checkpoint;
	size_t last_off; /* of the last record's frame */
	uint64_t last_segment;
	bool fork; /* a checkpoint or tree frame that the bytes do not give */
};

T_MAY static void put_leaves(struct looked *k, uint64_t seq)
{
	while (k->records + 1 < seq) /* a number that nothing carries */
		keys_tree_no_leaf(leaf[k->records++]);
}

T_MAY static void check_root(struct looked *k, uint64_t size, const uint8_t *said)
{
	uint8_t root[KEYS_LEN];

	ck_assert_uint_eq(size, k->records);
	if (!size)
		return;
	naive_root(0, size, root);
	k->fork |= memcmp(root, said, sizeof(root)) != 0;
}

T_MAY static void see_tree(struct looked *k, const struct fs_log_frame *f, uint64_t segment)
{
	struct fs_log_tree t;
	uint8_t root[KEYS_LEN];

	ck_assert_int_eq(fs_log_tree_decode(f->body, f->len, segment, vault, &t), 0);
	ck_assert_mem_eq(t.root_pk, root_pk, KEYS_LEN);
	ck_assert_uint_eq(t.key_number, k->key_number + 1);
	if (t.flags & FS_LOG_TREE_LOST)
		k->lost++;
	else if (k->trees)
		ck_assert_mem_eq(t.before, k->key, KEYS_LEN);
	put_leaves(k, t.tree.size + 1);
	keys_tree_root(&t.tree, root);
	check_root(k, t.tree.size, root);
	k->key_number = t.key_number;
	memcpy(k->key, t.pk, sizeof(k->key));
	memcpy(k->witness, t.witness_pk, sizeof(k->witness));
	k->trees++;
}

T_MAY static void see_checkpoint(struct looked *k, const struct fs_log_frame *f)
{
	struct keys_signed_note n;
	struct keys_checkpoint c;

	ck_assert_int_eq(keys_signed_note_parse((const char *)f->body, f->len, &n), 0);
	ck_assert_int_eq(keys_checkpoint_read(&n, &c), 0);
	ck_assert_int_eq(keys_checkpoint_verify(&n, vault, k->key, false), 0);
	ck_assert_int_eq(keys_checkpoint_verify(&n, vault, k->witness, true), 0);
	ck_assert_mem_eq(c.vault, vault, sizeof(vault));
	check_root(k, c.size, c.root);
	k->sealed = c.size;
	k->commit = c.commit;
	k->mark[c.mark]++;
	k->checkpoints++;
}

T_MAY static void see_frame(struct looked *k, const struct fs_log_frame *f, uint64_t segment)
{
	k->torn += f->torn;
	k->last_is_checkpoint = f->kind == FS_LOG_CHECKPOINT;
	switch (f->kind) {
	case FS_LOG_STREAM:
		k->streams++;
		break;
	case FS_LOG_TREE:
		see_tree(k, f, segment);
		break;
	case FS_LOG_CHECKPOINT:
		see_checkpoint(k, f);
		break;
	case FS_LOG_RECORD:
		put_leaves(k, f->seq);
		ck_assert_uint_eq(f->seq, k->records + 1);
		keys_tree_leaf(f->body, f->len, leaf[k->records++]);
		k->last_off = f->off;
		k->last_segment = segment;
	}
}

T_MAY static uint8_t *load(uint64_t number, size_t *len)
{
	char name[FS_LOG_NAME];
	uint8_t *p = NULL;
	int fd;

	fs_log_segment_name(number, name);
	fd = openat(dirfd_, name, O_RDONLY | O_CLOEXEC);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(fs_log_segment_load(fd, &p, len), 0);
	close(fd);
	return p;
}

/* A spare that a killed daemon had begun to make is no segment yet. */
T_MAY static bool unmade(uint64_t number)
{
	char name[FS_LOG_NAME];
	struct stat st;

	fs_log_segment_name(number, name);
	ck_assert_int_eq(fstatat(dirfd_, name, &st, AT_SYMLINK_NOFOLLOW), 0);
	return st.st_size < FS_LOG_HEADER;
}

/* Walks all and checks every signature, every chain and every root. */
T_MAY static struct looked look(void)
{
	struct looked k = {0};
	uint64_t *list = NULL;
	size_t n = 0;

	ck_assert_int_eq(fs_log_segment_list(dirfd_, &list, &n), 0);
	for (size_t i = 0; i < n; i++) {
		struct fs_log_header h;
		struct fs_log_frame f;
		struct fs_log_walk w;
		size_t len = 0;
		uint8_t *p;
		int rc;

		if (i + 1 == n && unmade(list[i]))
			break;
		p = load(list[i], &len);
		rc = fs_log_header_decode(p, &h);
		if (rc != -ENODATA) {
			k.segments++;
			fs_log_walk_init(&w, rc ? NULL : &h, p, len);
			while (fs_log_walk_next(&w, &f))
				see_frame(&k, &f, list[i]);
		}
		free(p);
	}
	free(list);
	return k;
}

T_MAY static void poke(uint64_t number, size_t off, const void *p, size_t len)
{
	char name[FS_LOG_NAME];
	int fd;

	fs_log_segment_name(number, name);
	fd = openat(dirfd_, name, O_RDWR | O_CLOEXEC);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(pwrite(fd, p, len, (off_t)off), (int)len);
	close(fd);
}

/* The n-th frame of this kind, from 0; its body may not be looked at. */
T_MAY static struct fs_log_frame frame_of(uint64_t number, enum fs_log_frame_kind kind, unsigned n)
{
	struct fs_log_header h;
	struct fs_log_frame f;
	struct fs_log_walk w;
	size_t len = 0;
	uint8_t *p = load(number, &len);

	ck_assert_int_eq(fs_log_header_decode(p, &h), 0);
	fs_log_walk_init(&w, &h, p, len);
	do {
		ck_assert(fs_log_walk_next(&w, &f));
	} while (f.kind != kind || n--);
	free(p);
	f.body = NULL;
	return f;
}

static unsigned alarms;

T_MAY static int count_alarms(void *ctx, const struct policy_record *r)
{
	(void)ctx;
	alarms += r->kind == POLICY_RECORD_ALARM;
	return 0;
}

T_MAY static unsigned alarms_logged(void)
{
	alarms = 0;
	ck_assert_int_eq(fs_log_read(dir, vault, reader[0].box_pk, reader_sk[0], 0, count_alarms,
				     NULL, NULL),
			 0);
	return alarms;
}

#endif
